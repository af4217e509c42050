//! What came in while its webhook did not, and is too late to be put through.

use super::{
    calls::NOWHERE,
    error::Error,
    inbound::{self, Event, Logged, Route},
    messages,
    reconcile::Filled,
    stored_plan,
};
use crate::{
    carrier::Inbound,
    domain::{
        call::CallState,
        interaction::{Kind, Outcome},
        message::MessageState,
        time::Timestamp,
    },
    store::{
        Tx,
        inbox::{self, EventKey},
    },
};

/// How a text or a call that was missed is logged.
struct Written {
    /// The state of its leg where it was for somebody, and where it was for nobody.
    state: [&'static str; 2],
    outcome: Outcome,
    /// What a webhook that comes after all is answered: the call is over.
    answer: String,
}

/// Takes in a text that is not worth sending any more, or a call that is over, of which only the
/// carrier's list tells: it came `at` that time, and nobody is reached.
pub(super) async fn missed(
    tx: &mut Tx,
    carrier: &str,
    inbound: &Inbound,
    at: Timestamp,
) -> Result<Filled, Error> {
    let (event, written) = match inbound {
        Inbound::Message(text) => (
            Event {
                kind: Kind::Message,
                carrier,
                adapter: None,
                id: &text.id,
                from: &text.from,
                to: &text.to,
                media: i64::try_from(text.media.len()).unwrap_or(i64::MAX),
                attestation: None,
            },
            Written {
                state: [MessageState::Received.as_str(); 2],
                outcome: Outcome::Failed,
                answer: String::new(),
            },
        ),
        Inbound::Call(call) => (
            Event {
                kind: Kind::Call,
                carrier,
                adapter: None,
                id: &call.id,
                from: &call.from,
                to: &call.to,
                media: 0,
                attestation: Some(call.attestation),
            },
            Written {
                state: [CallState::NoAnswer.as_str(), CallState::Cancelled.as_str()],
                outcome: Outcome::Missed,
                answer: stored_plan::to_text(&NOWHERE),
            },
        ),
        _ => return Ok(Filled::NotOurs),
    };
    let key = EventKey { carrier, kind: event.kind.as_str(), event: event.id };
    let now = tx.now().await?;
    if !inbox::insert(tx, key, now).await? {
        return Ok(Filled::Known);
    }
    let [routed_state, refused_state] = written.state;
    let mut route = inbound::route(tx, event).await?;
    let mut answer = None;
    if let Inbound::Message(text) = inbound {
        (route, answer) = messages::heed(tx, event, route, &text.body).await?;
    }
    let (account, id, filled) = match route {
        Route::Nowhere => return Ok(Filled::NotOurs),
        Route::Refused(refused) => {
            let logged = Logged { state: refused_state, goes_on: false };
            let leg = inbound::log_refusal(tx, event, &refused, logged).await?;
            messages::reply(tx, event, &refused, &leg, answer).await?;
            (refused.account, leg.interaction, Filled::Refused)
        }
        Route::To(routed) => {
            let outcome = written.outcome;
            let id = inbound::log_missed(tx, event, &routed, outcome, routed_state, at).await?;
            (routed.account, id, Filled::Logged)
        }
    };
    inbox::set_answer(tx, key, &account, &id, &written.answer).await?;
    Ok(filled)
}
