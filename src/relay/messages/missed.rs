//! A text whose webhook never came.

use super::{VALIDITY_MAX, receive};
use crate::relay::{
    error::Error,
    inbound::{self, Event, Route},
    reconcile::Filled,
};
use crate::{
    carrier::event::InboundMessage,
    domain::{
        interaction::{Kind, Outcome, Reason},
        message::MessageState,
        time::Timestamp,
    },
    store::{
        Tx,
        inbox::{self, EventKey},
    },
};

/// Takes in a text that came `at` that time and that only the carrier's list tells of: as if it came
/// now if it is still worth sending, otherwise to the log.
pub(in crate::relay) async fn missed(
    tx: &mut Tx,
    carrier: &str,
    message: &InboundMessage,
    at: Timestamp,
) -> Result<Filled, Error> {
    let key = EventKey { carrier, kind: "message", event: &message.id };
    if inbox::answer(tx, key).await?.is_some() {
        return Ok(Filled::Known);
    }
    let now = tx.now().await?;
    if now.since(at) <= VALIDITY_MAX {
        let (_, reason) = receive(tx, carrier, message).await?;
        return Ok(match reason {
            None => Filled::Relayed,
            Some(Reason::UnknownNumber) => Filled::NotOurs,
            Some(_) => Filled::Refused,
        });
    }
    if !inbox::insert(tx, key, now).await? {
        return Ok(Filled::Known);
    }
    let event = Event {
        kind: Kind::Message,
        carrier,
        id: &message.id,
        from: &message.from,
        to: &message.to,
        media: i64::try_from(message.media.len()).unwrap_or(i64::MAX),
    };
    let state = MessageState::Received.as_str();
    let (account, id, filled) = match inbound::route(tx, event).await? {
        Route::Nowhere => return Ok(Filled::NotOurs),
        Route::Refused(refused) => {
            let id = inbound::log_refusal(tx, event, &refused, state).await?;
            (refused.account, id, Filled::Refused)
        }
        Route::To(routed) => {
            let id = inbound::log_missed(tx, event, &routed, Outcome::Failed, state, at).await?;
            (routed.account, id, Filled::Logged)
        }
    };
    inbox::set_answer(tx, key, &account, &id, "").await?;
    Ok(filled)
}
