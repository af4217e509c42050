//! Sessions that began elsewhere and go on here: every id, person and number as it was.

use super::people::counterpart_of;
use crate::{
    domain::{
        abuse::Unreachable,
        phone::{Identifier, Strictness},
        policy::Rules,
        session::{ClosedReason, Lifetime, Mode, State},
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ParticipantId, ServiceId, SessionId},
    privacy::{DataKey, Person},
    relay::error::Error,
    store::{
        self, Tx, accounts,
        holds::{self, Claim},
        numbers,
        participants::{self, NewParticipant},
        services,
        sessions::{self, NewSession},
    },
};

/// A session that began elsewhere.
#[derive(Debug, Clone)]
pub struct AdoptSession {
    /// Its id.
    pub id: SessionId,
    /// Its service, which is here already.
    pub service: ServiceId,
    /// Its name.
    pub unique_name: Option<String>,
    /// What it relays.
    pub mode: Mode,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Where it is in its life. Of a closed one only the quarantine is left.
    pub state: State,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody first called or texted.
    pub started_at: Option<Timestamp>,
    /// When it was closed.
    pub ended_at: Option<Timestamp>,
    /// When somebody last called or texted.
    pub last_interaction_at: Option<Timestamp>,
    /// Everybody who is or was in it, in the order in which they were added.
    pub participants: Vec<AdoptParticipant>,
}

/// Somebody in a session that began elsewhere. Its `Debug` shows no number of a person.
#[derive(Debug, Clone)]
pub struct AdoptParticipant {
    /// Their id.
    pub id: ParticipantId,
    /// Their number.
    pub identifier: Identifier,
    /// What the marketplace calls them.
    pub name: Option<String>,
    /// The proxy number that they dial: of the service's pool.
    pub number: NumberId,
    /// When they were added.
    pub created_at: Timestamp,
    /// When they left.
    pub removed_at: Option<Timestamp>,
}

/// Takes a session over; whether it was not here yet. No event tells of it: the marketplace knows it.
///
/// # Errors
/// [`Error::NotFound`] for the service or a number; [`Error::UniqueNameTaken`];
/// [`Error::NumberInUse`] if somebody's number means another live session for them;
/// [`Error::ParticipantDuplicate`].
pub async fn adopt_session(
    tx: &mut Tx,
    account: &AccountId,
    new: &AdoptSession,
) -> Result<bool, Error> {
    if sessions::get(tx, account, &new.id).await?.is_some() {
        return Ok(false);
    }
    let service =
        services::get(tx, account, &new.service).await?.ok_or(Error::NotFound("service"))?;
    let key = DataKey::generate();
    let session = NewSession {
        id: &new.id,
        service: &service.id,
        unique_name: new.unique_name.as_deref(),
        mode: new.mode,
        lifetime: new.lifetime,
        recording: None,
        metadata: "{}",
        key: &key,
        now: new.created_at,
    };
    sessions::insert(tx, account, &session).await.map_err(|error| match error {
        store::Error::Conflict => Error::UniqueNameTaken,
        other => other.into(),
    })?;
    adopt_people(tx, account, new, &key).await?;
    // What has no end would never be forgotten.
    let mut ended_at = new.ended_at;
    if new.state == State::Closed {
        let ended = new.ended_at.unwrap_or(tx.now().await?);
        ended_at = Some(ended);
        let until = ended + service.rules.quarantine;
        holds::quarantine(tx, account, &new.id, None, until).await?;
    }
    let mut session =
        sessions::get(tx, account, &new.id).await?.ok_or(Error::NotFound("session"))?;
    session.state = new.state;
    session.started_at = new.started_at;
    session.ended_at = ended_at;
    session.last_interaction_at = new.last_interaction_at;
    session.closed_reason = (new.state == State::Closed).then_some(ClosedReason::Api);
    let last_used = new.last_interaction_at.unwrap_or(new.created_at);
    session.expires_at = new.lifetime.expires_at(last_used);
    sessions::update(tx, account, &session).await?;
    Ok(true)
}

async fn adopt_people(
    tx: &mut Tx,
    account: &AccountId,
    new: &AdoptSession,
    key: &DataKey,
) -> Result<(), Error> {
    let keys = accounts::keys(tx, account).await?;
    let people: Vec<(&AdoptParticipant, String, Person)> = new
        .participants
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let person = keys.index.person(&one.identifier.canonical());
            (one, format!("party-{}", place + 1), person)
        })
        .collect();
    let there: Vec<(String, Person)> = people
        .iter()
        .filter(|(one, ..)| one.removed_at.is_none())
        .map(|(_, role, person)| (role.clone(), person.clone()))
        .collect();
    let now = tx.now().await?;
    for (position, (one, role, person)) in (0..).zip(&people) {
        let number =
            numbers::get(tx, account, &one.number).await?.ok_or(Error::NotFound("number"))?;
        let row = NewParticipant {
            id: &one.id,
            session: &new.id,
            role,
            position,
            person,
            identifier: &one.identifier,
            name: one.name.as_deref(),
            number_id: &number.id,
            number: &number.number,
            chosen_by: None,
            key,
            now: one.created_at,
        };
        participants::insert(tx, account, &row).await.map_err(|error| match error {
            store::Error::Conflict => Error::ParticipantDuplicate,
            other => other.into(),
        })?;
        if let Some(at) = one.removed_at {
            participants::remove(tx, account, &one.id, at).await?;
            continue;
        }
        let claim = Claim {
            account,
            number: &number.id,
            person,
            session: &new.id,
            participant: &one.id,
            counterpart: &counterpart_of(tx, account, &there, role).await?,
        };
        let taken = holds::take(tx, claim, now).await?;
        // What rests there may be in use again: its next session has the pair.
        if !taken && new.state != State::Closed {
            return Err(Error::NumberInUse);
        }
    }
    Ok(())
}

/// Who keeps a session from being taken over: people whose number the API would not let join either. Of a live
/// session those who are in it are also judged by the countries of the installation and of `rules`, which its
/// service has unless it is here already. Ids only.
///
/// # Errors
/// The store's.
pub async fn people_in_the_way(
    tx: &mut Tx,
    account: &AccountId,
    rules: &Rules,
    new: &AdoptSession,
) -> Result<Vec<String>, Error> {
    let here = services::get(tx, account, &new.service).await?;
    let (bounds, rules) = (tx.bounds(), here.map_or_else(|| rules.clone(), |one| one.rules));
    let mut faults = Vec::new();
    for one in &new.participants {
        let there = new.state != State::Closed && one.removed_at.is_none();
        let reached = if there {
            bounds.reaches(&rules.countries, &one.identifier, Strictness::Possible)
        } else {
            bounds.admit(&one.identifier, Strictness::Possible).map_err(Unreachable::Number)
        };
        let why = match reached {
            Err(why) => why.words(),
            Ok(()) if there && numbers::is_ours(tx, &one.identifier).await? => {
                "is a proxy number here"
            }
            Ok(()) => continue,
        };
        faults.push(format!("session {}: participant {}: the number {why}", new.id, one.id));
    }
    Ok(faults)
}

/// What keeps a session from being taken over: pairs of person and number that mean another session
/// here. Ids only.
///
/// # Errors
/// The store's.
pub async fn pairs_in_the_way(
    tx: &mut Tx,
    account: &AccountId,
    new: &AdoptSession,
) -> Result<Vec<String>, Error> {
    if new.state == State::Closed {
        return Ok(Vec::new());
    }
    let keys = accounts::keys(tx, account).await?;
    let mut faults = Vec::new();
    for one in new.participants.iter().filter(|one| one.removed_at.is_none()) {
        let person = keys.index.person(&one.identifier.canonical());
        let held = holds::find(tx, account, &one.number, &person).await?;
        if let Some(hold) = held.filter(|hold| hold.open && hold.session != new.id) {
            faults.push(format!(
                "session {}: on number {} participant {} means session {} here",
                new.id, one.number, one.id, hold.session
            ));
        }
    }
    Ok(faults)
}
