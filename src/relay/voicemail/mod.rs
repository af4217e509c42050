//! Voicemail: a caller whom nobody answered leaves a message, which whoever missed the call may hear for a
//! while.
//!
//! The call has ended in the log by then: the message comes on top, and changes no outcome. What is said
//! depends on the service's rules, and never on who did not answer.

mod fetch;

use std::time::Duration;

pub(super) use self::fetch::set_aside;
use super::{
    calls::{Live, country_of, live},
    error::Error,
    inbound::Source,
};
use crate::{
    carrier::{
        event::Recorded,
        plan::{Answer, Plan, Prompt, Record, Script, Sound, Then},
    },
    domain::{
        interaction::Outcome,
        policy::{self, VoicemailRules},
    },
    ids::{ParticipantId, hex},
    store::{
        Tx, blocks,
        inbox::{self, EventKey},
        interactions,
        legs::{self, Direction},
        media::{self, NewMedium, Purpose},
        outbox::{self, NewEntry, OutboxKind},
        participants::{self, Participant},
        services,
    },
    telemetry::metrics,
};

/// So much silence ends a message.
const SILENCE: Duration = Duration::from_secs(5);
/// The key that ends it.
const FINISH: char = '#';
/// How long a message is tried to be fetched, and then to be deleted at its carrier.
pub(super) const FETCHED_FOR: Duration = Duration::from_hours(12);
pub(super) const DROPPED_FOR: Duration = Duration::from_hours(72);

/// What a caller hears whose call has just ended without anybody taking it; `None` where the call is over.
/// The same question gets the same answer, until a message was left.
pub(super) async fn offer(
    tx: &mut Tx,
    source: Source<'_>,
    call: &Live,
) -> Result<Option<Plan>, Error> {
    let can = source.adapter.is_some_and(|one| one.capabilities().voicemail);
    let Some(rules) = rules(tx, call).await?.filter(|_| can && source.keeps) else {
        return Ok(None);
    };
    let country = country_of(tx, &call.leg).await?;
    let language = policy::language(&rules.1, &country);
    let greeting = Prompt { text: rules.0.greeting(language), language: language.to_owned() };
    tx.on_commit(|| metrics::voicemail("offered"));
    Ok(Some(Plan::Script(Box::new(Script {
        leg: call.leg.id.clone(),
        turn: 0,
        sounds: vec![Sound::Say(greeting)],
        then: Then::Record(Record { longest: rules.0.longest, silence: SILENCE, finish: FINISH }),
    }))))
}

/// The rules under which a message may be left for this call, if one may: it came in, its session is open,
/// nobody took it, and nobody who was rung has blocked who calls.
async fn rules(tx: &mut Tx, call: &Live) -> Result<Option<(VoicemailRules, policy::Rules)>, Error> {
    let Live { account, leg, session, open, .. } = call;
    let Some(session) = session.as_ref().filter(|_| *open) else { return Ok(None) };
    if leg.direction != Direction::Inbound {
        return Ok(None);
    }
    let service = services::get_any(tx, account, &session.service).await?;
    let Some(rules) = service.map(|service| service.rules).filter(|rules| rules.voicemail.on)
    else {
        return Ok(None);
    };
    let interaction = interactions::get_any(tx, account, &leg.interaction).await?;
    let outcome = interaction.and_then(|one| one.outcome);
    if !matches!(outcome, Some(Outcome::Missed | Outcome::Busy | Outcome::Failed))
        || media::voicemail(tx, account, &leg.interaction).await?.is_some()
        || is_blocked(tx, call).await?
    {
        return Ok(None);
    }
    Ok(Some((rules.voicemail.clone(), rules)))
}

/// Whether somebody who was rung has blocked who calls, since the call came.
async fn is_blocked(tx: &mut Tx, call: &Live) -> Result<bool, Error> {
    let Live { account, leg, .. } = call;
    let Some(caller) = &leg.participant else { return Ok(true) };
    let Some(caller) = participants::get(tx, account, caller).await? else { return Ok(true) };
    let people: Vec<_> = callees(tx, call).await?.into_iter().map(|one| one.person).collect();
    Ok(!blocks::apart(tx, account, &caller.person, &people).await?.is_empty())
}

/// Whoever missed the call and is in its session still.
async fn callees(tx: &mut Tx, call: &Live) -> Result<Vec<Participant>, Error> {
    let legs = legs::of_interaction(tx, &call.account, &call.leg.interaction).await?;
    let missed: Vec<ParticipantId> =
        legs.into_iter().filter(|leg| leg.position > 0).filter_map(|leg| leg.participant).collect();
    let mut people = Vec::new();
    for id in missed {
        let person = participants::get(tx, &call.account, &id).await?;
        people.extend(person.filter(|one| one.removed_at.is_none()));
    }
    Ok(people)
}

/// Takes in that a message was left: it is fetched, and deleted at its carrier. One that nobody asked for,
/// or that came too late, is only deleted. The call ends.
pub(super) async fn recorded(
    tx: &mut Tx,
    source: Source<'_>,
    event: &Recorded,
) -> Result<Answer, Error> {
    let over = Answer::Plan(Plan::Hangup);
    let key = EventKey { carrier: source.carrier, kind: "recording", event: &event.id };
    let now = tx.now().await?;
    if !inbox::insert(tx, key, now).await? {
        return Ok(over);
    }
    let Some(call) = live(tx, source.carrier, &event.leg).await? else { return Ok(over) };
    let empty = event.length.is_some_and(|length| length.is_zero());
    let rules = rules(tx, &call).await?.filter(|_| !empty && source.keeps);
    let kind = if let (Some((rules, _)), Some(session)) = (&rules, &call.session) {
        let mut random = [0; 16];
        tx.random(&mut random);
        let new = NewMedium {
            interaction: &call.leg.interaction,
            purpose: Purpose::Voicemail,
            seconds: event.length.and_then(|length| i64::try_from(length.as_secs()).ok()),
            session: &session.id,
            position: 0,
            carrier: Some(source.carrier),
            address: &event.address,
            object: &hex(&random),
            now: call.now,
            expires_at: call.now + rules.kept,
        };
        let key = session.data_key(tx)?;
        media::insert(tx, &call.account, &key, &new).await?;
        OutboxKind::FetchRecording
    } else {
        tx.on_commit(|| metrics::voicemail("unwanted"));
        OutboxKind::DropRecording
    };
    owe(tx, &call, source.carrier, kind, &event.id).await?;
    Ok(over)
}

/// Owes something to be done with a recording.
async fn owe(
    tx: &mut Tx,
    call: &Live,
    carrier: &str,
    kind: OutboxKind,
    id: &str,
) -> Result<(), Error> {
    let lasts = if kind == OutboxKind::FetchRecording { FETCHED_FOR } else { DROPPED_FOR };
    let entry = NewEntry {
        kind,
        session: call.leg.session.as_ref(),
        interaction: &call.leg.interaction,
        leg: &call.leg.id,
        carrier,
        payload: id,
        run_at: call.now,
        valid_until: call.now + lasts,
        now: call.now,
    };
    outbox::insert(tx, &call.account, &entry).await?;
    Ok(())
}
