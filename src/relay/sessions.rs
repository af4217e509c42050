//! Opening, closing, reopening and lengthening sessions; people coming and going.

use std::time::Duration;

use serde_json::json;

use super::{
    allocate::{self, Chosen, For, Wanted},
    error::{Error, Fault},
    messages,
};
use crate::{
    domain::{
        interaction::Reason,
        phone::{Identifier, Strictness},
        pool::Narrowing,
        session::{ClosedReason, Lifetime, Mode, State, is_live},
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ParticipantId, ServiceId, SessionId},
    privacy::{DataKey, Person},
    store::{
        self, Tx, accounts, blocks, events,
        events::Place,
        holds::{self, Claim},
        numbers,
        participants::{self, NewParticipant, Participant},
        services::{self, Service},
        sessions::{self, NewSession, Session},
    },
};

/// A session to open.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// The service: its id.
    pub service: ServiceId,
    /// A name of the marketplace's own.
    pub unique_name: Option<String>,
    /// What it relays.
    pub mode: Mode,
    /// How long it lives after its last interaction; `None` for the service's default, zero for
    /// ever.
    pub ttl: Option<Duration>,
    /// When it ends, whatever happens.
    pub date_expiry: Option<Timestamp>,
    /// The marketplace's own words: a JSON object.
    pub metadata: String,
    /// Who is in it.
    pub participants: Vec<AddParticipant>,
}

/// Somebody to add.
#[derive(Debug, Clone)]
pub struct AddParticipant {
    /// Their number.
    pub identifier: Identifier,
    /// Their role: the same role is the same side.
    pub role: String,
    /// What the marketplace calls them.
    pub name: Option<String>,
    /// The proxy number that they are to have.
    pub number: Option<NumberId>,
}

/// A session with its people.
#[derive(Debug)]
pub struct SessionView {
    /// The session.
    pub session: Session,
    /// Everybody who is or was in it.
    pub participants: Vec<Participant>,
    /// Their names, in the same order.
    pub names: Vec<Option<String>>,
    /// Why each got the number that they have: what chose it and what each rule left. Empty but for
    /// people who were just added.
    pub choices: Vec<(ParticipantId, &'static str, Vec<Narrowing>)>,
}

/// Loads a session with its people.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn view(tx: &mut Tx, account: &AccountId, id: &SessionId) -> Result<SessionView, Error> {
    let session = sessions::get(tx, account, id).await?.ok_or(Error::NotFound("session"))?;
    let participants = participants::of_session(tx, account, id).await?;
    with_names(tx, session, participants)
}

/// Opens the names of a session's people.
pub fn with_names(
    tx: &Tx,
    session: Session,
    participants: Vec<Participant>,
) -> Result<SessionView, Error> {
    let key = session.data_key(tx)?;
    let names = participants.iter().map(|one| one.name(&key)).collect::<Result<_, _>>()?;
    Ok(SessionView { session, participants, names, choices: Vec::new() })
}

/// Opens a session: a number and a hold for everybody, or nothing at all.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::UniqueNameTaken`],
/// [`Error::ParticipantLimit`], [`Error::ParticipantDuplicate`], [`Error::PoolExhausted`],
/// [`Error::NumberInUse`].
pub async fn open(
    tx: &mut Tx,
    account: &AccountId,
    new: &OpenSession,
) -> Result<SessionView, Error> {
    let service =
        services::get(tx, account, &new.service).await?.ok_or(Error::NotFound("service"))?;
    let now = tx.now().await?;
    let lifetime = Lifetime {
        ttl: new.ttl.unwrap_or(service.rules.default_ttl),
        date_expiry: new.date_expiry,
    };
    if lifetime.expires_at(now) <= now {
        return Err(past("/date_expiry"));
    }
    let id: SessionId = tx.id_at(now);
    let key = DataKey::generate();
    let session = NewSession {
        id: &id,
        service: &service.id,
        unique_name: new.unique_name.as_deref(),
        mode: new.mode,
        lifetime,
        metadata: &new.metadata,
        key: &key,
        now,
    };
    sessions::insert(tx, account, &session).await.map_err(|error| match error {
        store::Error::Conflict => Error::UniqueNameTaken,
        other => other.into(),
    })?;
    let place = Place { service: Some(&service.id), session: Some(&id), interaction: None };
    events::insert(tx, account, "session.created", place, "{}", now).await?;
    let session = sessions::get(tx, account, &id).await?.ok_or(Error::NotFound("session"))?;
    let choices = if new.participants.is_empty() {
        Vec::new()
    } else {
        join(tx, account, &service, &session, &new.participants, now).await?
    };
    let mut view = view(tx, account, &id).await?;
    view.choices = choices;
    Ok(view)
}

fn past(pointer: &str) -> Error {
    Error::Invalid(vec![Fault::new(pointer, "in_the_past", "must be later than now")])
}

/// Adds people to a session: numbers first, then rows.
async fn join(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
    session: &Session,
    people: &[AddParticipant],
    now: Timestamp,
) -> Result<Vec<(ParticipantId, &'static str, Vec<Narrowing>)>, Error> {
    let there = participants::of_session(tx, account, &session.id).await?;
    let mut everyone: Vec<(String, Person)> = there
        .iter()
        .filter(|one| one.removed_at.is_none())
        .map(|one| (one.role.clone(), one.person.clone()))
        .collect();
    let index = accounts::keys(tx, account).await?;
    let persons: Vec<Person> =
        people.iter().map(|one| index.index.person(&one.identifier.canonical())).collect();
    check(tx, service, people, &persons, &there, everyone.len()).await?;
    everyone.extend(people.iter().map(|one| one.role.clone()).zip(persons.iter().cloned()));
    sides(&everyone)?;

    let mut wanted = Vec::new();
    for (one, person) in people.iter().zip(&persons) {
        wanted.push(Wanted {
            participant: tx.id_at(now),
            person: person.clone(),
            counterpart: index.index.pair(&others(&everyone, &one.role)),
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
        now,
    };
    let chosen = allocate::allocate(tx, ctx, &wanted).await?;
    let position = there.last().map_or(0, |last| last.position + 1);
    let key = session.data_key(tx)?;
    let mut choices = Vec::new();
    for ((place, one), (who, got)) in (position..).zip(people).zip(wanted.iter().zip(chosen)) {
        let Chosen { number, by, steps } = got;
        let new = NewParticipant {
            id: &who.participant,
            session: &session.id,
            role: &one.role,
            position: place,
            person: &who.person,
            identifier: &one.identifier,
            name: one.name.as_deref(),
            number_id: &number.id,
            number: &number.number,
            key: &key,
            now,
        };
        participants::insert(tx, account, &new).await.map_err(|error| match error {
            store::Error::Conflict => Error::ParticipantDuplicate,
            other => other.into(),
        })?;
        let data = json!({ "participant_id": who.participant, "role": one.role }).to_string();
        let at = place_of(session);
        events::insert(tx, account, "participant.added", at, &data, now).await?;
        choices.push((who.participant.clone(), by.as_str(), steps));
    }
    // Whoever was there already has other counterparts now.
    renew_counterparts(tx, account, &session.id, &there, &everyone).await?;
    Ok(choices)
}

fn place_of(session: &Session) -> Place<'_> {
    Place { service: Some(&session.service), session: Some(&session.id), interaction: None }
}

/// The people on the other side of a role.
fn others(everyone: &[(String, Person)], role: &str) -> Vec<Person> {
    everyone.iter().filter(|(other, _)| other != role).map(|(_, person)| person.clone()).collect()
}

async fn renew_counterparts(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    there: &[Participant],
    everyone: &[(String, Person)],
) -> Result<(), Error> {
    let keys = accounts::keys(tx, account).await?;
    for one in there.iter().filter(|one| one.removed_at.is_none()) {
        let counterpart = keys.index.pair(&others(everyone, &one.role));
        holds::set_counterpart(tx, account, &one.id, session, &counterpart).await?;
    }
    Ok(())
}

/// A session has two sides at most.
fn sides(everyone: &[(String, Person)]) -> Result<(), Error> {
    let mut roles: Vec<&str> = everyone.iter().map(|(role, _)| role.as_str()).collect();
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
        if let Err(refusal) = one.identifier.admit(Strictness::Possible) {
            faults.push(Fault::new(&pointer, refusal.as_str(), refusal.words()));
        } else if numbers::is_ours(tx, &one.identifier).await? {
            faults.push(Fault::new(&pointer, "proxy_number", "must not be a proxy number"));
        }
    }
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    if present + people.len() > usize::try_from(service.rules.participants_max).unwrap_or(2) {
        return Err(Error::ParticipantLimit);
    }
    let twice = persons.iter().enumerate().any(|(place, person)| {
        persons[..place].contains(person) || there.iter().any(|other| other.person == *person)
    });
    if twice { Err(Error::ParticipantDuplicate) } else { Ok(()) }
}

/// The carrier that a session with calls keeps to, once somebody is in it.
async fn carrier_of(
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

/// Locks a session.
async fn locked(tx: &mut Tx, account: &AccountId, id: &SessionId) -> Result<Session, Error> {
    sessions::lock(tx, account, id).await?.ok_or(Error::NotFound("session"))
}

fn expect_version(session: &Session, version: Option<i64>) -> Result<(), Error> {
    if version.is_none_or(|version| version == session.version) {
        Ok(())
    } else {
        Err(Error::VersionMismatch)
    }
}

/// Closes a session. From the commit on nobody is put through, on any node (I3); what was owed for
/// it and not begun is cancelled. Closing a closed session changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`].
pub async fn close(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    reason: ClosedReason,
    version: Option<i64>,
) -> Result<SessionView, Error> {
    let session = locked(tx, account, id).await?;
    expect_version(&session, version)?;
    if session.state != State::Closed {
        end(tx, account, session, reason).await?;
    }
    view(tx, account, id).await
}

/// Closes a session whose time is up; whether it was.
pub async fn expire(tx: &mut Tx, account: &AccountId, id: &SessionId) -> Result<bool, Error> {
    let session = locked(tx, account, id).await?;
    let now = tx.now().await?;
    if session.state == State::Closed || is_live(session.state, session.expires_at, now) {
        return Ok(false);
    }
    end(tx, account, session, ClosedReason::Expired).await?;
    Ok(true)
}

async fn end(
    tx: &mut Tx,
    account: &AccountId,
    mut session: Session,
    reason: ClosedReason,
) -> Result<(), Error> {
    let now = tx.now().await?;
    let service = services::get(tx, account, &session.service).await?;
    let quarantine = service.map_or(Duration::ZERO, |service| service.rules.quarantine);
    holds::keep_sticky(tx, account, &session.service, &session.id, now).await?;
    holds::quarantine(tx, account, &session.id, None, now + quarantine).await?;
    let why = match reason {
        ClosedReason::Expired => Reason::SessionExpired,
        ClosedReason::Api | ClosedReason::Staff => Reason::SessionClosed,
    };
    messages::cancel_owed(tx, account, &session.id, why, now).await?;
    let data = json!({ "reason": reason.as_str() }).to_string();
    events::insert(tx, account, "session.closed", place_of(&session), &data, now).await?;
    session.state = State::Closed;
    session.closed_reason = Some(reason);
    session.ended_at = Some(now);
    save(tx, account, session, now).await
}

/// Writes a session as its next version.
async fn save(
    tx: &mut Tx,
    account: &AccountId,
    mut session: Session,
    now: Timestamp,
) -> Result<(), Error> {
    session.version += 1;
    session.updated_at = now;
    sessions::update(tx, account, &session).await?;
    Ok(())
}

/// Reopens a closed session with the same people and numbers.
///
/// # Errors
/// [`Error::SessionNotClosed`]; [`Error::NumberInUse`] if somebody's number means another session
/// for them now; [`Error::Invalid`] if its time would be up at once.
pub async fn reopen(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    version: Option<i64>,
) -> Result<SessionView, Error> {
    let mut session = locked(tx, account, id).await?;
    expect_version(&session, version)?;
    if session.state != State::Closed {
        return Err(Error::SessionNotClosed);
    }
    let now = tx.now().await?;
    session.expires_at = session.lifetime.expires_at(now);
    if session.expires_at <= now {
        return Err(past("/date_expiry"));
    }
    let mut people = participants::of_session(tx, account, id).await?;
    people.retain(|one| one.removed_at.is_none());
    let everyone: Vec<(String, Person)> =
        people.iter().map(|one| (one.role.clone(), one.person.clone())).collect();
    let keys = accounts::keys(tx, account).await?;
    people.sort_by(|a, b| a.person.cmp(&b.person));
    for one in &people {
        let active = numbers::get(tx, account, &one.number_id).await?;
        let claim = Claim {
            account,
            number: &one.number_id,
            person: &one.person,
            session: id,
            participant: &one.id,
            counterpart: &keys.index.pair(&others(&everyone, &one.role)),
        };
        let kept = active.is_some_and(|number| number.state != numbers::NumberState::Retired);
        if !kept || !holds::take(tx, claim, now).await? {
            return Err(Error::NumberInUse);
        }
    }
    events::insert(tx, account, "session.reopened", place_of(&session), "{}", now).await?;
    session.state = State::InProgress;
    session.closed_reason = None;
    session.ended_at = None;
    session.started_at = session.started_at.or(Some(now));
    save(tx, account, session, now).await?;
    view(tx, account, id).await
}

/// What may change in a session.
#[derive(Debug, Clone, Default)]
pub struct UpdateSession {
    /// How long it lives after its last interaction.
    pub ttl: Option<Duration>,
    /// When it ends: `Some(None)` takes the absolute end away.
    pub date_expiry: Option<Option<Timestamp>>,
    /// The marketplace's own words.
    pub metadata: Option<String>,
}

/// Changes a session that is not closed.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::VersionMismatch`], [`Error::Invalid`].
pub async fn update(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    change: &UpdateSession,
    version: Option<i64>,
) -> Result<SessionView, Error> {
    let mut session = locked(tx, account, id).await?;
    expect_version(&session, version)?;
    let now = tx.now().await?;
    if !is_live(session.state, session.expires_at, now) {
        return Err(Error::SessionClosed);
    }
    if let Some(ttl) = change.ttl {
        session.lifetime.ttl = ttl;
    }
    if let Some(date_expiry) = change.date_expiry {
        session.lifetime.date_expiry = date_expiry;
    }
    if let Some(metadata) = &change.metadata {
        session.metadata.clone_from(metadata);
    }
    let last_used = session.last_interaction_at.unwrap_or(session.created_at);
    session.expires_at = session.lifetime.expires_at(last_used);
    if session.expires_at <= now {
        return Err(past(if change.date_expiry.is_some() {
            "/date_expiry"
        } else {
            "/ttl_seconds"
        }));
    }
    events::insert(tx, account, "session.updated", place_of(&session), "{}", now).await?;
    save(tx, account, session, now).await?;
    view(tx, account, id).await
}

/// Lengthens a session's life by `by`: its absolute end if it has one, else counted from now.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::VersionMismatch`].
pub async fn extend(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    by: Duration,
    version: Option<i64>,
) -> Result<SessionView, Error> {
    let session = locked(tx, account, id).await?;
    if session.expires_at == Timestamp::MAX {
        return view(tx, account, id).await;
    }
    let change = UpdateSession {
        date_expiry: Some(Some(session.expires_at + by)),
        ..UpdateSession::default()
    };
    update(tx, account, id, &change, version).await
}

/// Adds somebody to a session.
///
/// # Errors
/// As [`open`], and [`Error::SessionClosed`].
pub async fn add_participant(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    new: &AddParticipant,
) -> Result<(SessionView, ParticipantId), Error> {
    let session = locked(tx, account, id).await?;
    let now = tx.now().await?;
    if !is_live(session.state, session.expires_at, now) {
        return Err(Error::SessionClosed);
    }
    let service =
        services::get(tx, account, &session.service).await?.ok_or(Error::NotFound("service"))?;
    let people = std::slice::from_ref(new);
    let choices = join(tx, account, &service, &session, people, now).await?;
    let added = choices[0].0.clone();
    bump(tx, account, id, now).await?;
    let mut view = view(tx, account, id).await?;
    view.choices = choices;
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
    participants::remove(tx, account, participant, now).await?;
    let everyone: Vec<(String, Person)> =
        there.iter().map(|one| (one.role.clone(), one.person.clone())).collect();
    renew_counterparts(tx, account, id, &there, &everyone).await?;
    let data = json!({ "participant_id": gone.id, "role": gone.role }).to_string();
    events::insert(tx, account, "participant.removed", place_of(&session), &data, now).await?;
    bump(tx, account, id, now).await?;
    view(tx, account, id).await
}

/// Lets `blocker` hear nothing from the others of the session, in no session of the account, or
/// ends that.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn set_block(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    blocker: &ParticipantId,
    blocked: bool,
) -> Result<SessionView, Error> {
    let session = locked(tx, account, id).await?;
    let people = participants::of_session(tx, account, id).await?;
    let who = people.iter().find(|one| one.id == *blocker).ok_or(Error::NotFound("participant"))?;
    let now = tx.now().await?;
    for other in people.iter().filter(|other| other.role != who.role) {
        if blocked {
            blocks::insert(tx, account, &who.person, &other.person, now).await?;
        } else {
            blocks::delete(tx, account, &who.person, &other.person).await?;
        }
    }
    let data = json!({ "participant_id": who.id, "role": who.role }).to_string();
    let kind = if blocked { "participant.blocked" } else { "participant.unblocked" };
    events::insert(tx, account, kind, place_of(&session), &data, now).await?;
    view(tx, account, id).await
}
