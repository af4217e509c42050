//! A text whose webhook never came.

use crate::relay::{
    error::Error,
    inbound::{self, Event, Logged, Route},
    reconcile::Filled,
};
use crate::{
    carrier::event::InboundMessage,
    domain::{
        interaction::{Kind, Outcome},
        message::MessageState,
        time::Timestamp,
    },
    store::{
        Tx,
        inbox::{self, EventKey},
    },
};

/// Logs a text that came `at` that time, that only the carrier's list tells of, and that is not worth
/// sending any more.
pub(in crate::relay) async fn missed(
    tx: &mut Tx,
    carrier: &str,
    message: &InboundMessage,
    at: Timestamp,
) -> Result<Filled, Error> {
    let key = EventKey { carrier, kind: "message", event: &message.id };
    let now = tx.now().await?;
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
            let logged = Logged { state, goes_on: false };
            let leg = inbound::log_refusal(tx, event, &refused, logged).await?;
            (refused.account, leg.interaction, Filled::Refused)
        }
        Route::To(routed) => {
            let id = inbound::log_missed(tx, event, &routed, Outcome::Failed, state, at).await?;
            (routed.account, id, Filled::Logged)
        }
    };
    inbox::set_answer(tx, key, &account, &id, "").await?;
    Ok(filled)
}
