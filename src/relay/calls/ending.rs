//! News of a call's legs, and how the call ends.

use std::time::Duration;

use serde_json::json;

use super::{
    limit, pin, place,
    steps::{Live, live},
};
use crate::relay::{abuse, error::Error, inbound::Source, messages, recording};
use crate::{
    carrier::event::CallStatus,
    domain::{
        call::CallState,
        event::EventKind,
        interaction::{Outcome, Reason},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId},
    store::{
        Tx, charges, events,
        events::Place,
        inbox::{self, EventKey},
        interactions::{self, End, Origin},
        legs::{self, Direction, Leg},
        sessions,
    },
};

/// What is new of a leg of a call.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) state: CallState,
    pub(super) reason: Option<Reason>,
    pub(super) duration: Option<Duration>,
    pub(super) carrier_id: Option<String>,
    pub(super) carrier_code: Option<String>,
}

impl Default for News {
    fn default() -> Self {
        Self {
            state: CallState::Queued,
            reason: None,
            duration: None,
            carrier_id: None,
            carrier_code: None,
        }
    }
}

/// Brings news to a leg. News that comes late or twice changes nothing (I13).
pub(super) async fn settle(
    tx: &mut Tx,
    account: &AccountId,
    mut leg: Leg,
    news: News,
    now: Timestamp,
) -> Result<(), Error> {
    let before = CallState::parse(&leg.state).unwrap_or(CallState::Queued);
    let after = before.after(news.state);
    let placed = after == CallState::Initiated
        && leg.direction == Direction::Outbound
        && leg.carrier_id.is_none()
        && news.carrier_id.is_some();
    let unchanged = after == before
        && (leg.carrier_id.is_some() || news.carrier_id.is_none())
        && (leg.duration.is_some() || news.duration.is_none());
    if unchanged {
        return Ok(());
    }
    leg.carrier_id = leg.carrier_id.or(news.carrier_id);
    let lasted = news.duration.filter(|_| leg.duration.is_none());
    leg.duration = leg.duration.or(news.duration);
    leg.updated_at = now;
    if after != before {
        after.as_str().clone_into(&mut leg.state);
        if after == CallState::Answered {
            leg.answered_at = leg.answered_at.or(Some(now));
        }
        if after.is_final() {
            leg.ended_at = Some(now);
            leg.outcome = leg.outcome.or(Outcome::of_call(after));
            leg.reason = news.reason.or(match after {
                CallState::Busy => Some(Reason::Busy),
                CallState::NoAnswer => Some(Reason::NoAnswer),
                CallState::Failed => Some(Reason::CarrierRejected),
                _ => None,
            });
            leg.carrier_code = news.carrier_code.or(leg.carrier_code);
        }
    }
    legs::update(tx, account, &leg).await?;
    if lasted.is_some() {
        let used = charges::News { lasted, ..charges::News::default() };
        charges::note(tx, account, &leg.id, used).await?;
    }
    if after == CallState::Answered && after != before && leg.position > 0 {
        abuse::answered(tx, account, &leg.interaction, now).await?;
    }
    // A refused call that goes to the marketplace's own line is told of once, as refused.
    let kind = match after {
        CallState::Initiated if placed => Some(EventKind::CallInitiated),
        CallState::Ringing if after != before => Some(EventKind::CallRinging),
        CallState::Answered if after != before => Some(EventKind::CallAnswered),
        _ => None,
    };
    if let Some(kind) = kind.filter(|_| leg.session.is_some()) {
        let place = Place {
            service: None,
            session: leg.session.as_ref(),
            interaction: Some(&leg.interaction),
        };
        let data = json!({ "leg_id": leg.id, "role": leg.role }).to_string();
        events::insert(tx, account, kind, place, &data, now).await?;
    }
    Ok(())
}

/// How a call ended, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ending {
    /// Why nobody spoke.
    pub(super) why: Option<Reason>,
    /// How long they spoke.
    pub(super) duration: Option<Duration>,
    /// Whether the carrier says that two people spoke.
    pub(super) connected: bool,
}

/// Ends a call: whoever is still being rung is not any more.
pub(super) async fn end(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    ending: Ending,
    now: Timestamp,
) -> Result<(), Error> {
    let Ending { why, duration, connected } = ending;
    let legs = legs::of_interaction(tx, account, id).await?;
    let nobody_known = !legs.iter().any(|leg| leg.position > 0 && leg.answered_at.is_some());
    for leg in legs {
        let answered = leg.answered_at.is_some();
        if connected && nobody_known && leg.position > 0 {
            // One of them spoke: their own news will say who.
            continue;
        }
        let news = match leg.direction {
            Direction::Inbound => News { state: CallState::Completed, ..News::default() },
            // Somebody who answered was connected, though the carrier's last word is not in yet.
            Direction::Outbound if answered => {
                News { state: CallState::Completed, duration, ..News::default() }
            }
            Direction::Outbound => {
                News { state: CallState::Cancelled, reason: why, ..News::default() }
            }
        };
        settle(tx, account, leg, news, now).await?;
    }
    finish(tx, account, id, ending, now).await
}

/// Ends an interaction with the best outcome of those who were rung.
pub(super) async fn finish(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    ending: Ending,
    now: Timestamp,
) -> Result<(), Error> {
    let legs = legs::of_interaction(tx, account, id).await?;
    // A call that the marketplace asked for has no caller: its first leg is the one rung first.
    let first = legs.iter().find(|leg| leg.position == 0 && leg.direction == Direction::Outbound);
    let unanswered = first.filter(|leg| leg.answered_at.is_none());
    // One that says a code connects with nobody else.
    let alone = first.filter(|_| legs.len() == 1);
    let rung: Vec<&Leg> = match unanswered.or(alone) {
        Some(leg) => vec![leg],
        None => legs.iter().filter(|leg| leg.position > 0).collect(),
    };
    // Whoever was asked for a PIN, gave none that is theirs, and has gone.
    if rung.is_empty() && first.is_none() {
        let asked = interactions::get_any(tx, account, id).await?;
        if asked.is_some_and(|one| one.session.is_none() && one.outcome.is_none()) {
            return pin::refuse(tx, account, id, Reason::PinMissing, now).await;
        }
    }
    let best = rung.iter().filter_map(|leg| leg.outcome).reduce(Outcome::best);
    let said = ending.connected.then_some(Outcome::Connected);
    let outcome = said.or(best).unwrap_or(Outcome::Cancelled);
    let chosen = rung.iter().find(|leg| leg.outcome == Some(outcome));
    let reason = chosen.and_then(|leg| leg.reason).filter(|_| outcome != Outcome::Connected);
    let duration = (outcome == Outcome::Connected)
        .then(|| ending.duration.or_else(|| chosen.and_then(|leg| leg.duration)))
        .flatten();
    let end = End { outcome, reason, duration, at: now };
    if !interactions::finish(tx, account, id, &end).await? {
        return Ok(());
    }
    recording::call_over(tx, account, id, now).await?;
    let Some(interaction) = interactions::get_any(tx, account, id).await? else { return Ok(()) };
    // What is told of a code is told by its verification.
    if alone.is_some() && interaction.session.is_none() {
        return Ok(());
    }
    abuse::over(tx, account, &interaction, duration, now).await?;
    let kind = if outcome == Outcome::Connected {
        EventKind::CallCompleted
    } else {
        EventKind::CallMissed
    };
    let data = json!({
        "outcome": outcome.as_str(),
        "reason": reason.map(Reason::as_str),
        "duration_seconds": duration.map(|length| length.as_secs()),
        "role": interaction.from_role,
    });
    events::insert(tx, account, kind, place(&interaction), &data.to_string(), now).await?;
    if matches!(outcome, Outcome::Missed | Outcome::Busy | Outcome::Cancelled) {
        messages::missed_call_text(tx, account, &interaction, &legs, now).await?;
    }
    Ok(())
}

/// Ends a call of whose end no carrier told: nobody will learn more.
pub(in crate::relay) async fn give_up(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
) -> Result<(), Error> {
    let Some(interaction) = interactions::get_any(tx, account, id).await? else { return Ok(()) };
    if let Some(session) = &interaction.session {
        sessions::lock(tx, account, session).await?;
    }
    let at = tx.now().await?;
    let reason = Reason::CarrierUnknown;
    let end = End { outcome: Outcome::Unknown, reason: Some(reason), duration: None, at };
    if interactions::finish(tx, account, id, &end).await? {
        recording::call_over(tx, account, id, at).await?;
        abuse::over(tx, account, &interaction, None, at).await?;
        let data = json!({ "reason": reason.as_str(), "role": interaction.from_role }).to_string();
        events::insert(tx, account, EventKind::CallUnknown, place(&interaction), &data, at).await?;
    }
    Ok(())
}

/// Notes that a call is being taken in, or that its end was told; whether the other was noted before. A
/// carrier that gets no answer in time ends the call and tells so while it is still being taken in: on
/// PostgreSQL whoever comes second waits here for the first, so that one of the two sees the other. Who
/// tells the end reads the legs after that.
pub(super) async fn is_over(
    tx: &mut Tx,
    carrier: &str,
    id: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let key = EventKey { carrier, kind: "call_over", event: id };
    Ok(!inbox::insert(tx, key, now).await?)
}

/// News of one leg.
pub(in crate::relay) async fn status(
    tx: &mut Tx,
    source: Source<'_>,
    status: &CallStatus,
) -> Result<bool, Error> {
    let carrier = source.carrier;
    let id = if let Some(leg) = &status.leg {
        Some(leg.clone())
    } else {
        if status.state.is_final() {
            let now = tx.now().await?;
            is_over(tx, carrier, &status.id, now).await?;
        }
        legs::by_carrier_id(tx, carrier, &status.id).await?.map(|(_, leg)| leg.id)
    };
    let Some(id) = id else { return Ok(false) };
    let Some(live) = live(tx, carrier, &id).await? else { return Ok(false) };
    let Live { account, leg, now, .. } = live;
    // Another call's news at this address is forged or misdirected.
    if leg.carrier_id.as_ref().is_some_and(|id| *id != status.id) {
        return Ok(false);
    }
    let (interaction, direction) = (leg.interaction.clone(), leg.direction);
    let rung = leg.position > 0;
    let news = News {
        state: status.state,
        reason: None,
        duration: status.duration,
        carrier_id: Some(status.id.clone()),
        carrier_code: status.carrier_code.clone(),
    };
    let placed = is_placed(tx, &account, &interaction).await?;
    settle(tx, &account, leg, news, now).await?;
    if status.price.is_some() {
        charges::note(tx, &account, &id, charges::News::cost(status.price)).await?;
    }
    if let Some(spoken) = status.duration.filter(|_| rung && status.state == CallState::Completed) {
        let first = interactions::spoke(tx, &account, &interaction, spoken, now).await?;
        let call = interactions::get_any(tx, &account, &interaction).await?.filter(|_| first);
        if let Some(call) = call {
            abuse::over(tx, &account, &call, Some(spoken), now).await?;
        }
    }
    // The caller's own leg is over: so is the call, whatever else is still to come.
    let caller_gone = direction == Direction::Inbound && status.state.is_final();
    if caller_gone || (placed && status.state.is_final()) {
        limit::stop_ringing(tx, source, &account, &interaction, now).await?;
        let ending = Ending { why: Some(Reason::CallerHungUp), ..Ending::default() };
        end(tx, &account, &interaction, ending, now).await?;
    }
    Ok(true)
}

/// Whether the marketplace asked for this call: then there is no caller's leg.
async fn is_placed(tx: &mut Tx, account: &AccountId, id: &InteractionId) -> Result<bool, Error> {
    let interaction = interactions::get_any(tx, account, id).await?;
    Ok(interaction.is_some_and(|one| one.origin == Origin::Api))
}
