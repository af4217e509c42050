//! Opening, closing, reopening and lengthening sessions; people coming and going.

mod adopt;
pub(in crate::relay) mod blocking;
mod first_text;
mod people;

use self::people::join;
pub(in crate::relay) use self::people::{carrier_of, counterpart_of, everyone, holds_for};
pub use self::{
    adopt::{AdoptParticipant, AdoptSession, adopt_session, pairs_in_the_way, people_in_the_way},
    blocking::set_block,
    people::{AddParticipant, add_participant, remove_participant},
};

use std::time::Duration;

use serde_json::json;

use crate::relay::{
    error::{Error, Fault},
    inventory::loose_name_fault,
    messages,
};
use crate::{
    domain::{
        assurance::Pin,
        audit::{Action, Entry},
        event::EventKind,
        interaction::Reason,
        pool::Narrowing,
        session::{ClosedReason, Lifetime, Mode, State},
        time::Timestamp,
    },
    ids::{AccountId, ParticipantId, ServiceId, SessionId},
    privacy::DataKey,
    store::{
        self, Tx, audit, events,
        events::Place,
        holds, media, numbers,
        participants::{self, Participant},
        pins, reports,
        services::{self},
        session_notes,
        sessions::{self, NewSession, Session},
        text_findings,
    },
    telemetry::metrics,
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
    /// Whether its calls may be recorded; `None` leaves it to the service.
    pub recording: Option<bool>,
    /// The marketplace's own words: a JSON object.
    pub metadata: String,
    /// Who is in it.
    pub participants: Vec<AddParticipant>,
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
    /// PINs that were just made: shown once.
    pub pins: Vec<(ParticipantId, Pin)>,
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
    Ok(SessionView { session, participants, names, choices: Vec::new(), pins: Vec::new() })
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
    if let Some(fault) = new.unique_name.as_deref().and_then(loose_name_fault) {
        return Err(Error::Invalid(vec![fault]));
    }
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
        recording: new.recording,
        metadata: &new.metadata,
        key: &key,
        now,
    };
    sessions::insert(tx, account, &session).await.map_err(|error| match error {
        store::Error::Conflict => Error::UniqueNameTaken,
        other => other.into(),
    })?;
    let place = Place { service: Some(&service.id), session: Some(&id), interaction: None };
    events::insert(tx, account, EventKind::SessionCreated, place, "{}", now).await?;
    tx.on_commit(metrics::session_opened);
    let session = sessions::get(tx, account, &id).await?.ok_or(Error::NotFound("session"))?;
    if new.participants.is_empty() {
        return view(tx, account, &id).await;
    }
    let joined = join(tx, account, &service, &session, &new.participants, now).await?;
    first_text::tell(tx, account, &service, &session, &joined.choices, now).await?;
    let mut view = view(tx, account, &id).await?;
    (view.choices, view.pins) = (joined.choices, joined.pins);
    Ok(view)
}

fn past(pointer: &str) -> Error {
    Error::Invalid(vec![Fault::new(pointer, "in_the_past", "must be later than now")])
}

pub(in crate::relay) fn place_of(session: &Session) -> Place<'_> {
    Place { service: Some(&session.service), session: Some(&session.id), interaction: None }
}

/// Locks a session that was not deleted.
pub(in crate::relay) async fn locked(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<Session, Error> {
    let session = sessions::lock(tx, account, id).await?.filter(|session| !session.gone);
    session.ok_or(Error::NotFound("session"))
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
pub(in crate::relay) async fn expire(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<bool, Error> {
    let session = locked(tx, account, id).await?;
    let now = tx.now().await?;
    if session.state == State::Closed || now < session.expires_at {
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
    let service = services::get_any(tx, account, &session.service).await?;
    let quarantine = service.map_or(Duration::ZERO, |service| service.rules.quarantine);
    holds::keep_sticky(tx, account, &session.service, &session.id, now).await?;
    holds::quarantine(tx, account, &session.id, None, now + quarantine).await?;
    pins::release(tx, account, &session.id, None, false, now + quarantine).await?;
    let why = match reason {
        ClosedReason::Expired => Reason::SessionExpired,
        ClosedReason::Api | ClosedReason::Staff => Reason::SessionClosed,
    };
    messages::cancel_owed(tx, account, &session.id, why, now).await?;
    let data = json!({ "reason": reason.as_str() }).to_string();
    events::insert(tx, account, EventKind::SessionClosed, place_of(&session), &data, now).await?;
    tx.on_commit(move || metrics::session_closed(reason.as_str()));
    session.state = State::Closed;
    session.suspended_at = None;
    session.closed_reason = Some(reason);
    session.ended_at = Some(now);
    save(tx, account, session, now).await
}

/// Closes a session since somebody in it is erased; whether it was open. The caller holds its lock.
pub(in crate::relay) async fn end_for_erasure(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
) -> Result<bool, Error> {
    if session.state == State::Closed {
        return Ok(false);
    }
    end(tx, account, session.clone(), ClosedReason::Api).await?;
    Ok(true)
}

/// Deletes a session, which ends it first: nobody is shown it any more, in either API or the console,
/// nor what was relayed in it, and its name is free. Its holds stay in quarantine (I4). The rows stay
/// where they are, sealed as they were, until they are erased. Whether it was still there, deleted
/// with its service or not.
pub(in crate::relay) async fn take_away(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<bool, Error> {
    let Some(session) = sessions::lock(tx, account, id).await? else { return Ok(false) };
    if session.state != State::Closed {
        end(tx, account, session.clone(), ClosedReason::Api).await?;
    }
    let now = tx.now().await?;
    sessions::delete(tx, account, id, now).await?;
    media::withdraw(tx, account, id, now).await?;
    text_findings::withdraw(tx, account, id).await?;
    reports::withdraw(tx, account, id).await?;
    session_notes::withdraw(tx, account, id).await?;
    events::insert(tx, account, EventKind::SessionDeleted, place_of(&session), "{}", now).await?;
    Ok(true)
}

/// Deletes a session: see there.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(tx: &mut Tx, account: &AccountId, id: &SessionId) -> Result<(), Error> {
    locked(tx, account, id).await?;
    take_away(tx, account, id).await?;
    let entry = Entry::new(Action::SessionDeleted, id.as_str());
    Ok(audit::append(tx, account, entry).await?)
}

/// Writes a session as its next version.
pub(in crate::relay) async fn save(
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

/// Reopens a closed session with the same people and numbers, and as long a life as `change` says.
///
/// # Errors
/// [`Error::SessionNotClosed`]; [`Error::NumberInUse`] if somebody's number means another session
/// for them now; [`Error::Invalid`] if its time would be up at once.
pub async fn reopen(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    change: &UpdateSession,
    version: Option<i64>,
) -> Result<SessionView, Error> {
    let mut session = locked(tx, account, id).await?;
    expect_version(&session, version)?;
    if session.state != State::Closed {
        return Err(Error::SessionNotClosed);
    }
    services::get(tx, account, &session.service).await?.ok_or(Error::NotFound("session"))?;
    let now = tx.now().await?;
    change.apply(&mut session);
    session.expires_at = session.lifetime.expires_at(now);
    if session.expires_at <= now {
        return Err(past("/date_expiry"));
    }
    let mut people = participants::of_session(tx, account, id).await?;
    if people.iter().any(|one| one.erased) {
        return Err(Error::PersonErased);
    }
    people.retain(|one| one.removed_at.is_none());
    let everyone = everyone(&people);
    people.sort_by(|a, b| a.person.cmp(&b.person));
    pins::reopen(tx, account, id).await?;
    for one in &people {
        let active = numbers::get(tx, account, &one.number_id).await?;
        let Some(number) = active.filter(|one| one.state != numbers::NumberState::Retired) else {
            return Err(Error::NumberInUse);
        };
        let taken = if number.shared {
            pins::is_set(tx, account, &number.id, id, &one.id).await?
        } else {
            holds_for(tx, account, &everyone, one, &number.id, now).await?
        };
        if !taken {
            return Err(Error::NumberInUse);
        }
    }
    holds::reopen_beside(tx, account, id, now).await?;
    events::insert(tx, account, EventKind::SessionReopened, place_of(&session), "{}", now).await?;
    session.state = State::InProgress;
    session.closed_reason = None;
    session.ended_at = None;
    session.started_at = session.started_at.or(Some(now));
    save(tx, account, session, now).await?;
    view(tx, account, id).await
}

/// Says that a session that a restore put on hold was still open: people are put through again.
/// Resuming one that is not on hold changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`] also if its time is up, [`Error::VersionMismatch`].
pub async fn resume(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    version: Option<i64>,
) -> Result<SessionView, Error> {
    let mut session = locked(tx, account, id).await?;
    expect_version(&session, version)?;
    let now = tx.now().await?;
    if session.suspended_at.take().is_some() {
        Error::unless_live(&session, now)?;
        events::insert(tx, account, EventKind::SessionResumed, place_of(&session), "{}", now)
            .await?;
        save(tx, account, session, now).await?;
        audit::append(tx, account, Entry::new(Action::SessionResumed, id.as_str())).await?;
    } else if session.state == State::Closed {
        return Err(Error::SessionClosed);
    }
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

impl UpdateSession {
    fn apply(&self, session: &mut Session) {
        if let Some(ttl) = self.ttl {
            session.lifetime.ttl = ttl;
        }
        if let Some(date_expiry) = self.date_expiry {
            session.lifetime.date_expiry = date_expiry;
        }
        if let Some(metadata) = &self.metadata {
            session.metadata.clone_from(metadata);
        }
    }
}

/// Changes a session that is not closed.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::SessionSuspended`],
/// [`Error::VersionMismatch`], [`Error::Invalid`].
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
    Error::unless_live(&session, now)?;
    change.apply(&mut session);
    let last_used = session.last_interaction_at.unwrap_or(session.created_at);
    session.expires_at = session.lifetime.expires_at(last_used);
    if session.expires_at <= now {
        return Err(past(if change.date_expiry.is_some() {
            "/date_expiry"
        } else {
            "/ttl_seconds"
        }));
    }
    events::insert(tx, account, EventKind::SessionUpdated, place_of(&session), "{}", now).await?;
    save(tx, account, session, now).await?;
    view(tx, account, id).await
}

/// Lengthens a session's life by `by`: its absolute end if it has one, else counted from now.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::SessionSuspended`],
/// [`Error::VersionMismatch`].
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
