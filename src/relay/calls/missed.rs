//! A call whose webhook never came.

use super::NOWHERE;
use crate::relay::{
    error::Error,
    inbound::{self, Event, Logged, Route},
    reconcile::Filled,
    stored_plan,
};
use crate::{
    carrier::event::InboundCall,
    domain::{
        call::CallState,
        interaction::{Kind, Outcome},
        time::Timestamp,
    },
    store::{
        Tx,
        inbox::{self, EventKey},
    },
};

/// Takes in a call that came `at` that time, is over, and that only the carrier's list tells of: it
/// was missed, and nobody is rung.
pub(in crate::relay) async fn missed(
    tx: &mut Tx,
    carrier: &str,
    call: &InboundCall,
    at: Timestamp,
) -> Result<Filled, Error> {
    let key = EventKey { carrier, kind: "call", event: &call.id };
    let now = tx.now().await?;
    if !inbox::insert(tx, key, now).await? {
        return Ok(Filled::Known);
    }
    let event =
        Event { kind: Kind::Call, carrier, id: &call.id, from: &call.from, to: &call.to, media: 0 };
    let (account, id, filled) = match inbound::route(tx, event).await? {
        Route::Nowhere => return Ok(Filled::NotOurs),
        Route::Refused(refused) => {
            let logged = Logged { state: CallState::Cancelled.as_str(), goes_on: false };
            let leg = inbound::log_refusal(tx, event, &refused, logged).await?;
            (refused.account, leg.interaction, Filled::Refused)
        }
        Route::To(routed) => {
            let state = CallState::NoAnswer.as_str();
            let id = inbound::log_missed(tx, event, &routed, Outcome::Missed, state, at).await?;
            (routed.account, id, Filled::Logged)
        }
    };
    // A webhook that comes after all finds the call over.
    inbox::set_answer(tx, key, &account, &id, &stored_plan::to_text(&NOWHERE)).await?;
    Ok(filled)
}
