//! People coming and going.

use std::time::Duration;

use serde_json::json;

use super::{SessionView, first_text, locked, place_of, save, view};
use crate::relay::{
    abuse,
    allocate::{self, Chosen, For, Wanted},
    error::{Error, Fault},
    pins::{self, Holder, PinWanted},
    verifications,
};
use crate::{
    domain::{
        assurance::Pin,
        event::EventKind,
        phone::Identifier,
        pool::{ChosenBy, Narrowing},
        session::State,
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ParticipantId, SessionId},
    privacy::{Counterpart, Person},
    store::{
        self, Tx, accounts, events,
        holds::{self, Claim},
        numbers,
        participants::{self, NewParticipant, Participant},
        services::{self, Service},
        sessions::Session,
    },
};

/// Somebody to add.
#[derive(Debug, Clone)]
pub struct AddParticipant {
    /// Their number.
    pub identifier: Identifier,
    /// Their role: the same role is the same side. `None` for one of their own, made up by their
    /// place: `party-1`, `party-2` …
    pub role: Option<String>,
    /// What the marketplace calls them.
    pub name: Option<String>,
    /// The proxy number that they are to have.
    pub number: Option<NumberId>,
    /// Which PIN they are to have.
    pub pin: PinWanted,
}

impl AddParticipant {
    /// Somebody of that role, without a name, who is given a number and no PIN.
    pub fn new(identifier: Identifier, role: &str) -> Self {
        let (role, pin) = (Some(role.to_owned()), PinWanted::Never);
        Self { identifier, role, name: None, number: None, pin }
    }
}

/// What became of people who were added.
pub(super) struct Joined {
    /// Why each got their number.
    pub(super) choices: Vec<(ParticipantId, &'static str, Vec<Narrowing>)>,
    /// The PINs that we made: shown once.
    pub(super) pins: Vec<(ParticipantId, Pin)>,
}

/// Adds people to a session: numbers first, then rows.
pub(super) async fn join(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
    session: &Session,
    people: &[AddParticipant],
    now: Timestamp,
) -> Result<Joined, Error> {
    let there = participants::of_session(tx, account, &session.id).await?;
    let mut everyone = everyone(&there);
    let index = accounts::keys(tx, account).await?;
    let persons: Vec<Person> =
        people.iter().map(|one| index.index.person(&one.identifier.canonical())).collect();
    check(tx, service, people, &persons, &there, everyone.len()).await?;
    verifications::require(tx, account, service, people, &persons, now).await?;
    abuse::joins(tx, account, &service.rules, &persons, now).await?;
    let position = there.last().map_or(0, |last| last.position + 1);
    let roles: Vec<String> = (position + 1..)
        .zip(people)
        .map(|(place, one)| one.role.clone().unwrap_or_else(|| format!("{MADE_UP}{place}")))
        .collect();
    everyone.extend(roles.iter().cloned().zip(persons.iter().cloned()));
    sides(&everyone)?;

    let mut wanted = Vec::new();
    for ((one, role), person) in people.iter().zip(&roles).zip(&persons) {
        wanted.push(Wanted {
            participant: tx.id_at(now),
            person: person.clone(),
            counterpart: counterpart_of(tx, account, &everyone, role).await?,
            country: one.identifier.country().map(|country| country.as_str().to_owned()),
            area: one.identifier.area().to_owned(),
            pinned: one.number.clone(),
        });
    }
    let carrier = carrier_of(tx, account, session, &there).await?;
    let ctx = For {
        account,
        service,
        session: &session.id,
        mode: session.mode,
        carrier: carrier.as_deref(),
        shares: service.rules.assurance.pin_fallback
            && people.iter().all(|one| one.pin != PinWanted::Never),
        without: None,
        now,
    };
    let chosen = allocate::allocate(tx, ctx, &wanted).await?;
    let mut joined = Joined { choices: Vec::new(), pins: Vec::new() };
    let named = people.iter().zip(&roles);
    for ((place, (one, role)), (who, got)) in (position..).zip(named).zip(wanted.iter().zip(chosen))
    {
        let Chosen { number, by, steps } = got;
        let pointer = format!("/participants/{}/pin", place - position);
        let holder = Holder {
            account,
            number: &number,
            session: &session.id,
            participant: &who.participant,
            person: &who.person,
            pointer: &pointer,
        };
        let made = seat(tx, session, holder, (one, role, place, by), now).await?;
        joined.pins.extend(made.map(|pin| (who.participant.clone(), pin)));
        joined.choices.push((who.participant.clone(), by.as_str(), steps));
    }
    // Whoever was there already has other counterparts now.
    renew_counterparts(tx, account, &session.id, &there, &everyone).await?;
    Ok(joined)
}

/// Writes down somebody who has a number by now; the PIN that was made for them, if one was.
async fn seat(
    tx: &mut Tx,
    session: &Session,
    holder: Holder<'_>,
    (one, role, position, by): (&AddParticipant, &str, i64, ChosenBy),
    now: Timestamp,
) -> Result<Option<Pin>, Error> {
    let Holder { account, number, participant, person, .. } = holder;
    let key = session.data_key(tx)?;
    let new = NewParticipant {
        id: participant,
        session: &session.id,
        role,
        position,
        person,
        identifier: &one.identifier,
        name: one.name.as_deref(),
        number_id: &number.id,
        number: &number.number,
        chosen_by: Some(by),
        key: &key,
        now,
    };
    participants::insert(tx, account, &new).await.map_err(|error| match error {
        store::Error::Conflict => Error::ParticipantDuplicate,
        other => other.into(),
    })?;
    let data = json!({ "participant_id": participant, "role": role }).to_string();
    let at = place_of(session);
    events::insert(tx, account, EventKind::ParticipantAdded, at, &data, now).await?;
    pins::give(tx, holder, &one.pin, now).await
}

/// The people on the other side of a role.
fn others(everyone: &[(String, Person)], role: &str) -> Vec<Person> {
    everyone.iter().filter(|(other, _)| other != role).map(|(_, person)| person.clone()).collect()
}

/// Everybody who did not leave, with their roles.
pub(in crate::relay) fn everyone<'a>(
    people: impl IntoIterator<Item = &'a Participant>,
) -> Vec<(String, Person)> {
    let there = people.into_iter().filter(|one| one.removed_at.is_none());
    there.map(|one| (one.role.clone(), one.person.clone())).collect()
}

/// What the holds of somebody of a role are kept for: the people on the other side.
pub(in crate::relay) async fn counterpart_of(
    tx: &mut Tx,
    account: &AccountId,
    everyone: &[(String, Person)],
    role: &str,
) -> Result<Counterpart, Error> {
    Ok(accounts::keys(tx, account).await?.index.pair(&others(everyone, role)))
}

/// Makes sure that a number means their session for somebody: its hold is there still, or is taken.
/// Whether it does. The session is locked.
pub(in crate::relay) async fn holds_for(
    tx: &mut Tx,
    account: &AccountId,
    everyone: &[(String, Person)],
    who: &Participant,
    number: &NumberId,
    now: Timestamp,
) -> Result<bool, Error> {
    let held = holds::find(tx, account, number, &who.person).await?;
    if held.is_some_and(|hold| hold.open && hold.session == who.session) {
        return Ok(true);
    }
    let claim = Claim {
        account,
        number,
        person: &who.person,
        session: &who.session,
        participant: &who.id,
        counterpart: &counterpart_of(tx, account, everyone, &who.role).await?,
    };
    Ok(holds::take(tx, claim, now).await?)
}

async fn renew_counterparts(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    there: &[Participant],
    everyone: &[(String, Person)],
) -> Result<(), Error> {
    for one in there.iter().filter(|one| one.removed_at.is_none()) {
        let counterpart = counterpart_of(tx, account, everyone, &one.role).await?;
        holds::set_counterpart(tx, account, &one.id, session, &counterpart).await?;
    }
    Ok(())
}

/// What a role begins with that nobody named. No role that a marketplace may name does.
const MADE_UP: &str = "party-";

/// A session has two sides at most; whoever has no role is a side of their own, and the service says
/// how many people there may be.
fn sides(everyone: &[(String, Person)]) -> Result<(), Error> {
    let mut roles: Vec<&str> = everyone.iter().map(|(role, _)| role.as_str()).collect();
    roles.retain(|role| !role.starts_with(MADE_UP));
    roles.sort_unstable();
    roles.dedup();
    if roles.len() <= 2 {
        return Ok(());
    }
    Err(Error::Invalid(vec![Fault::new(
        "/participants",
        "too_many_roles",
        "must have at most two roles: people of one role are one side",
    )]))
}

async fn check(
    tx: &mut Tx,
    service: &Service,
    people: &[AddParticipant],
    persons: &[Person],
    there: &[Participant],
    present: usize,
) -> Result<(), Error> {
    let mut faults = Vec::new();
    for (place, one) in people.iter().enumerate() {
        let pointer = format!("/participants/{place}/identifier");
        let (bounds, rules) = (tx.bounds(), &service.rules);
        let reached = bounds.reaches(&rules.countries, &one.identifier, rules.identifier_check);
        if let Err(why) = reached {
            faults.push(Fault::new(&pointer, why.as_str(), why.words()));
        } else if numbers::is_ours(tx, &one.identifier).await? {
            faults.push(Fault::new(&pointer, "proxy_number", "must not be a proxy number"));
        }
    }
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    // Before the limit: a marketplace that asks again learns that they are in it, full or not.
    let twice = persons.iter().enumerate().any(|(place, person)| {
        persons[..place].contains(person) || there.iter().any(|other| other.person == *person)
    });
    if twice {
        return Err(Error::ParticipantDuplicate);
    }
    let most = usize::try_from(service.rules.participants_max).unwrap_or(2);
    if present + people.len() > most { Err(Error::ParticipantLimit) } else { Ok(()) }
}

/// The carrier that a session with calls keeps to, once somebody is in it.
pub(in crate::relay) async fn carrier_of(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
    there: &[Participant],
) -> Result<Option<String>, Error> {
    let Some(one) = there.iter().find(|one| one.removed_at.is_none()) else { return Ok(None) };
    if !session.mode.voice() {
        return Ok(None);
    }
    Ok(numbers::get(tx, account, &one.number_id).await?.map(|number| number.carrier))
}

/// Adds somebody to a session.
///
/// # Errors
/// As [`open`](super::open), [`Error::SessionClosed`] and [`Error::SessionSuspended`].
pub async fn add_participant(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    new: &AddParticipant,
) -> Result<(SessionView, ParticipantId), Error> {
    let session = locked(tx, account, id).await?;
    let now = tx.now().await?;
    Error::unless_live(&session, now)?;
    let service =
        services::get(tx, account, &session.service).await?.ok_or(Error::NotFound("service"))?;
    let people = std::slice::from_ref(new);
    let joined = join(tx, account, &service, &session, people, now).await?;
    let added = joined.choices[0].0.clone();
    bump(tx, account, id, now).await?;
    first_text::tell(tx, account, &service, &session, &joined.choices, now).await?;
    let mut view = view(tx, account, id).await?;
    (view.choices, view.pins) = (joined.choices, joined.pins);
    Ok((view, added))
}

async fn bump(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    now: Timestamp,
) -> Result<(), Error> {
    let session = locked(tx, account, id).await?;
    save(tx, account, session, now).await
}

/// Somebody leaves a session: their number goes into quarantine for them at once.
///
/// # Errors
/// [`Error::NotFound`], also for somebody who has left already; [`Error::SessionClosed`].
pub async fn remove_participant(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    participant: &ParticipantId,
) -> Result<SessionView, Error> {
    let session = locked(tx, account, id).await?;
    if session.state == State::Closed {
        return Err(Error::SessionClosed);
    }
    let people = participants::of_session(tx, account, id).await?;
    let (gone, there): (Vec<_>, Vec<_>) = people
        .into_iter()
        .filter(|one| one.removed_at.is_none())
        .partition(|one| one.id == *participant);
    let gone = gone.first().ok_or(Error::NotFound("participant"))?;
    let now = tx.now().await?;
    let service = services::get(tx, account, &session.service).await?;
    let quarantine = service.map_or(Duration::ZERO, |service| service.rules.quarantine);
    holds::quarantine(tx, account, id, Some(participant), now + quarantine).await?;
    store::pins::release(tx, account, id, Some(participant), false, now + quarantine).await?;
    participants::remove(tx, account, participant, now).await?;
    renew_counterparts(tx, account, id, &there, &everyone(&there)).await?;
    let data = json!({ "participant_id": gone.id, "role": gone.role }).to_string();
    events::insert(tx, account, EventKind::ParticipantRemoved, place_of(&session), &data, now)
        .await?;
    bump(tx, account, id, now).await?;
    view(tx, account, id).await
}
