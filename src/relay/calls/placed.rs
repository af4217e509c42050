//! Calls that the marketplace asks for: one side is rung first, then the other.

use std::time::Duration;

use serde_json::json;

use super::{
    dialled,
    ending::{Ending, News, end, settle},
    place,
    steps::{is_apart, live, service_of},
};
use crate::relay::{abuse, error::Error, inbound, sessions::locked, verifications};
use crate::{
    carrier::outbound::OutboundCall,
    domain::{
        call::CallState,
        event::EventKind,
        interaction::{Kind, Reason},
        time::Timestamp,
    },
    ids::{AccountId, ParticipantId, SessionId},
    store::{
        Tx, blocks, events,
        interactions::{self, Interaction, Origin},
        legs::{self, Leg},
        numbers,
        outbox::{self, Entry, NewEntry, OutboxKind, OutboxState},
        participants::{self, Participant},
        services::{self},
    },
};

/// Owes a call that rings `from` first and, once they answer, connects them with the other side
/// (click-to-call).
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::SessionSuspended`],
/// [`Error::ModeNotAllowed`], [`Error::NoPartner`], [`Error::RateLimited`], [`Error::CallInProgress`].
pub async fn place_call(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    from: &ParticipantId,
) -> Result<Interaction, Error> {
    let mut session = locked(tx, account, session).await?;
    let people = participants::of_session(tx, account, &session.id).await?;
    let first = people
        .iter()
        .find(|one| one.id == *from && one.removed_at.is_none())
        .ok_or(Error::NotFound("participant"))?
        .clone();
    let now = tx.now().await?;
    Error::unless_live(&session, now)?;
    if !session.mode.voice() {
        return Err(Error::ModeNotAllowed);
    }
    let others = partners(tx, account, &people, &first).await?;
    if others.is_empty() {
        return Err(Error::NoPartner);
    }
    let service = services::get(tx, account, &session.service).await?;
    let service = service.ok_or(Error::NotFound("service"))?;
    abuse::placed(tx, account, (&session, &service.rules), (&first, &others), now).await?;
    let number = numbers::get(tx, account, &first.number_id).await?;
    let carrier = number.map(|number| number.carrier).unwrap_or_default();
    let interaction = Interaction {
        id: tx.id_at(now),
        service: Some(session.service.clone()),
        session: Some(session.id.clone()),
        kind: Kind::Call,
        origin: Origin::Api,
        from_participant: Some(first.id.clone()),
        from_role: Some(first.role.clone()),
        person: None,
        number: first.number.clone(),
        carrier: carrier.clone(),
        attestation: None,
        outcome: None,
        reason: None,
        media: 0,
        media_refused: 0,
        duration: None,
        version: 1,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    interactions::insert(tx, account, &interaction).await?;
    let (in_session, people) = ((&session, &service.rules), (&first.person, others.len() + 1));
    abuse::began(tx, account, &interaction.id, in_session, people, now).await?;
    inbound::touch(tx, account, &mut session, now).await?;
    let data = json!({ "role": first.role }).to_string();
    events::insert(tx, account, EventKind::CallCreated, place(&interaction), &data, now).await?;
    let queued = CallState::Queued.as_str();
    let leg = inbound::outbound_leg(tx, &interaction, 0, &first, &carrier, queued);
    legs::insert(tx, account, &leg).await?;
    for (position, other) in (1..).zip(&others) {
        let leg = inbound::outbound_leg(tx, &interaction, position, other, &carrier, queued);
        legs::insert(tx, account, &leg).await?;
    }
    let entry = NewEntry {
        kind: OutboxKind::Call,
        session: Some(&session.id),
        interaction: &interaction.id,
        leg: &leg.id,
        carrier: &carrier,
        payload: "{}",
        run_at: now,
        valid_until: (now + service.rules.ring_timeout * 3).min(session.expires_at),
        now,
    };
    outbox::insert(tx, account, &entry).await?;
    Ok(interaction)
}

/// Who is on the other side and has not blocked this person.
async fn partners(
    tx: &mut Tx,
    account: &AccountId,
    people: &[Participant],
    who: &Participant,
) -> Result<Vec<Participant>, Error> {
    let mut others: Vec<Participant> = people
        .iter()
        .filter(|one| one.removed_at.is_none() && one.role != who.role)
        .cloned()
        .collect();
    let persons: Vec<_> = others.iter().map(|one| one.person.clone()).collect();
    let blockers = blocks::apart(tx, account, &who.person, &persons).await?;
    others.retain(|one| !blockers.contains(&one.person));
    Ok(others)
}

/// Claims a call to place, or a call to end.
pub(in crate::relay) async fn claim(
    tx: &mut Tx,
    entry: &Entry,
    lease: Duration,
) -> Result<Option<(Entry, OutboundCall)>, Error> {
    if entry.session.is_none() {
        return verifications::claim_call(tx, entry, lease).await;
    }
    let Some(live) = live(tx, &entry.carrier, &entry.leg).await? else {
        outbox::finish(tx, entry, OutboxState::Parked).await?;
        return Ok(None);
    };
    let Some(entry) = outbox::claim(tx, entry, live.now, live.now + lease).await? else {
        return Ok(None);
    };
    // A call is never placed twice: a second claim means that the first worker was lost.
    let overtaken = !live.open || live.now >= entry.valid_until || entry.attempts > 1;
    // Nor from a number that the carrier has not, or no longer.
    let shown = numbers::is_at(tx, &entry.account, &live.leg.number, &entry.carrier).await?;
    // Nor to be connected with somebody who was blocked meanwhile, either way (I8).
    let legs = legs::of_interaction(tx, &entry.account, &live.leg.interaction).await?;
    let mut blocked = true;
    for leg in legs.iter().filter(|leg| leg.position > 0) {
        blocked = blocked && is_apart(tx, &entry.account, leg).await?;
    }
    if overtaken || !shown || blocked || live.leg.state != CallState::Queued.as_str() {
        let reason = if entry.attempts > 1 {
            Reason::CarrierUnknown
        } else if !shown {
            Reason::CarrierConfig
        } else if live.open && blocked {
            Reason::Blocked
        } else if live.open {
            Reason::TooLate
        } else if live.session.as_ref().is_some_and(|one| one.suspended_at.is_some()) {
            Reason::SessionSuspended
        } else {
            Reason::SessionClosed
        };
        cancel_placed(tx, &entry.account, live.leg, reason, live.now).await?;
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(None);
    }
    let id = live.leg.participant.as_ref().ok_or(Error::NotFound("participant"))?;
    let person = participants::get(tx, &entry.account, id).await?;
    let person = person.ok_or(Error::NotFound("participant"))?;
    let session = live.session.ok_or(Error::NotFound("session"))?;
    let key = session.data_key(tx)?;
    let rules = service_of(tx, &entry.account, &session).await?.rules;
    let to = person.identifier(&key)?;
    if let Err(reason) = abuse::gate(tx, &rules, &to) {
        cancel_placed(tx, &entry.account, live.leg, reason, live.now).await?;
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(None);
    }
    let left = abuse::left(tx, &entry.account, (&session, &rules), Some(id), live.now).await?;
    let call = OutboundCall {
        leg: live.leg.id.clone(),
        from: live.leg.number.clone(),
        to,
        ring_timeout: rules.ring_timeout,
        duration_max: rules.call_max.min(left),
    };
    dialled(tx, &entry.account, live.leg, live.now).await?;
    Ok(Some((entry, call)))
}

/// Gives up on a call that stopped our workers (I32).
pub(in crate::relay) async fn set_aside(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    if let Some(live) = live(tx, &entry.carrier, &entry.leg).await? {
        cancel_placed(tx, &entry.account, live.leg, Reason::Parked, live.now).await?;
    }
    outbox::finish(tx, entry, OutboxState::Parked).await?;
    Ok(())
}

/// Records what came of placing a call. An outbound call is never tried again (M4): a person must
/// not be rung twice.
pub(in crate::relay) async fn placed(
    tx: &mut Tx,
    entry: &Entry,
    result: &Result<String, crate::carrier::SendError>,
) -> Result<(), Error> {
    let Some(live) = live(tx, &entry.carrier, &entry.leg).await? else { return Ok(()) };
    match result {
        Ok(id) => {
            let news = News {
                state: CallState::Initiated,
                carrier_id: Some(id.clone()),
                ..News::default()
            };
            settle(tx, &live.account, live.leg, news, live.now).await?;
        }
        Err(error) => {
            let news = News {
                state: CallState::Failed,
                carrier_code: error.carrier_code.clone(),
                ..News::default()
            };
            let interaction = live.leg.interaction.clone();
            settle(tx, &live.account, live.leg, news, live.now).await?;
            let ending = Ending { why: Some(Reason::CarrierRejected), ..Ending::default() };
            end(tx, &live.account, &interaction, ending, live.now).await?;
        }
    }
    outbox::finish(tx, entry, OutboxState::Done).await?;
    Ok(())
}

/// Ends a call that was claimed, held up and certainly not placed. Its leg is said to be dialled: the
/// call is not claimed again, and the marketplace may ask for another.
pub(in crate::relay) async fn held_up(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    let Some(live) = live(tx, &entry.carrier, &entry.leg).await? else { return Ok(()) };
    cancel_placed(tx, &live.account, live.leg, Reason::TooLate, live.now).await?;
    outbox::finish(tx, entry, OutboxState::Done).await?;
    Ok(())
}

/// Ends a call that was not claimed yet, for that reason.
pub(in crate::relay) async fn refused_first(
    tx: &mut Tx,
    entry: &Entry,
    reason: Reason,
) -> Result<(), Error> {
    let Some(live) = live(tx, &entry.carrier, &entry.leg).await? else { return Ok(()) };
    if outbox::finish(tx, entry, OutboxState::Done).await? {
        cancel_placed(tx, &live.account, live.leg, reason, live.now).await?;
    }
    Ok(())
}

/// Ends a call that was owed and is not to be placed any more.
pub(in crate::relay) async fn cancel_placed(
    tx: &mut Tx,
    account: &AccountId,
    leg: Leg,
    reason: Reason,
    now: Timestamp,
) -> Result<(), Error> {
    let ending = Ending { why: Some(reason), ..Ending::default() };
    end(tx, account, &leg.interaction, ending, now).await
}
