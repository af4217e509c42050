//! Ends calls where the carrier does not: those that have lasted as long as they may, at carriers that can't
//! be told how long that is, and those to people whose caller is gone, where each is a call of its own.

use std::time::Duration;

use super::steps::{Live, live};
use crate::relay::{deliver::settle_asked, error::Error, inbound::Source};
use crate::{
    carrier::{Carrier, SendError, capabilities::Control},
    domain::{call::CallState, policy::Rules, time::Timestamp},
    ids::{AccountId, InteractionId},
    store::{
        Tx,
        legs::{self, Direction, Leg},
        outbox::{self, Entry, NewEntry, OutboxKind, OutboxState},
        sessions::Session,
    },
};

/// For how long a call is tried to be ended.
const TRIED_MAX: Duration = Duration::from_mins(10);

/// Between two tries, at the least.
const AGAIN: Duration = Duration::from_secs(5);

/// The longest that people of a session may talk from now on: not beyond the session's end.
pub(super) fn longest(rules: &Rules, session: &Session, now: Timestamp) -> Duration {
    rules.call_max.min(session.expires_at.since(now)).max(Duration::from_secs(1))
}

/// Owes the end of the leg of somebody who has answered, `id` at the carrier, if the carrier itself does
/// not end it.
pub(super) async fn owe(
    tx: &mut Tx,
    source: Source<'_>,
    live: &Live,
    id: &str,
    longest: Duration,
) -> Result<(), Error> {
    let told = |one: &dyn Carrier| one.capabilities().duration_max.is_some();
    if source.adapter.is_none_or(told) {
        return Ok(());
    }
    let at = [live.now, live.now + longest];
    owe_end(tx, source.carrier, &live.account, &live.leg, id, at).await
}

/// Owes, from `now` on, the end at `run_at` of that leg's call.
async fn owe_end(
    tx: &mut Tx,
    carrier: &str,
    account: &AccountId,
    leg: &Leg,
    id: &str,
    [now, run_at]: [Timestamp; 2],
) -> Result<(), Error> {
    let entry = NewEntry {
        kind: OutboxKind::EndCall,
        session: leg.session.as_ref(),
        interaction: &leg.interaction,
        leg: &leg.id,
        carrier,
        payload: id,
        run_at,
        valid_until: run_at + TRIED_MAX,
        now,
    };
    outbox::insert(tx, account, &entry).await?;
    Ok(())
}

/// Owes the end of the calls to people who are still rung for an interaction that is over, where we steer
/// the calls: there the carrier may not know that they belong together.
pub(super) async fn stop_ringing(
    tx: &mut Tx,
    source: Source<'_>,
    account: &AccountId,
    interaction: &InteractionId,
    now: Timestamp,
) -> Result<(), Error> {
    if !source.adapter.is_some_and(is_commanded) {
        return Ok(());
    }
    for leg in legs::of_interaction(tx, account, interaction).await? {
        let rings = leg.direction == Direction::Outbound && leg.answered_at.is_none();
        let over = CallState::parse(&leg.state).is_some_and(CallState::is_final);
        if let Some(id) = leg.carrier_id.clone().filter(|_| rings && !over) {
            owe_end(tx, source.carrier, account, &leg, &id, [now, now]).await?;
        }
    }
    Ok(())
}

/// Whether we steer the carrier's calls, each by itself.
pub(super) fn is_commanded(adapter: &dyn Carrier) -> bool {
    matches!(adapter.capabilities().control, Control::Commands { .. })
}

/// Claims a call to end: the carrier's id of it. `None` for one that is over, or that somebody else has.
pub(in crate::relay) async fn claim_end(
    tx: &mut Tx,
    entry: &Entry,
    lease: Duration,
) -> Result<Option<(Entry, String)>, Error> {
    let Some(live) = live(tx, &entry.carrier, &entry.leg).await? else {
        outbox::finish(tx, entry, OutboxState::Parked).await?;
        return Ok(None);
    };
    let Some(entry) = outbox::claim(tx, entry, live.now, live.now + lease).await? else {
        return Ok(None);
    };
    // Whom we gave up on may still be rung.
    let told = |state: CallState| state.is_final() && state != CallState::Cancelled;
    let over = CallState::parse(&live.leg.state).is_some_and(told);
    if over || live.now >= entry.valid_until {
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(None);
    }
    let id = outbox::payload(tx, &entry).await?;
    Ok(Some((entry, id)))
}

/// Records what came of asking for the end. Ending a call twice does no harm, so what is in doubt is
/// asked for again; the carrier's own news says that it is over.
pub(in crate::relay) async fn end_asked(
    tx: &mut Tx,
    entry: &Entry,
    result: &Result<String, SendError>,
) -> Result<(), Error> {
    settle_asked(tx, entry, result, AGAIN).await
}
