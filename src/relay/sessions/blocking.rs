//! Between whom nothing passes any more: set by the marketplace or its support, or by a text of the person.

use serde_json::json;

use super::{SessionView, locked, place_of, view};
use crate::relay::{error::Error, inbound::Event};
use crate::{
    domain::{
        event::EventKind,
        keyword::{self, Keyword},
        message::Body,
        phone::Caller,
        time::Timestamp,
    },
    ids::{AccountId, ParticipantId, SessionId},
    store::{
        Tx, accounts,
        blocks::{self, BlockedBy},
        events, holds, numbers,
        participants::{self, Participant},
        sessions::{self, Session},
    },
};

/// Somebody of a session, and the other side of it, those who have left among them.
pub(in crate::relay) struct Sides {
    pub(in crate::relay) session: Session,
    pub(in crate::relay) who: Participant,
    others: Vec<Participant>,
    now: Timestamp,
}

/// Locks all sessions that somebody shares with the other side of this one.
///
/// # Errors
/// [`Error::NotFound`].
pub(in crate::relay) async fn locked_sides(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    who: &ParticipantId,
) -> Result<Sides, Error> {
    let people = participants::of_session(tx, account, id).await?;
    let who = people.iter().find(|one| one.id == *who).ok_or(Error::NotFound("participant"))?;
    let who = who.clone();
    let others: Vec<Participant> = people.into_iter().filter(|one| one.role != who.role).collect();
    // Whoever is being put through or sent a text in another session of theirs holds its lock: the
    // block is answered after that, and what comes after it sees the block (I8).
    let mut shared = vec![id.clone()];
    for other in &others {
        shared.extend(sessions::shared(tx, account, &who.person, &other.person).await?);
    }
    shared.sort();
    shared.dedup();
    for session in &shared {
        sessions::lock(tx, account, session).await?;
    }
    let session = locked(tx, account, id).await?;
    let now = tx.now().await?;
    Ok(Sides { session, who, others, now })
}

/// The same for a text that may be a word by which its sender blocks somebody, before its session is locked:
/// two who block each other at once would wait for each other otherwise.
pub(in crate::relay) async fn lock_ahead(
    tx: &mut Tx,
    event: Event<'_>,
    said: &Body,
) -> Result<(), Error> {
    let may_be = keyword::plain(said).is_some_and(|word| Keyword::may_be_of_contact(&word));
    let (true, Caller::Number(from)) = (may_be, event.from) else { return Ok(()) };
    let Some((account, number)) = numbers::owner(tx, event.to).await? else { return Ok(()) };
    let person = accounts::keys(tx, &account).await?.index.person(&from.canonical());
    let Some(hold) = holds::find(tx, &account, &number.id, &person).await? else { return Ok(()) };
    match locked_sides(tx, &account, &hold.session, &hold.participant).await {
        Ok(_) | Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Sets or lifts the block between somebody and the other side; whether that changed anything. The
/// marketplace is told whenever it asks for it itself.
pub(in crate::relay) async fn change(
    tx: &mut Tx,
    account: &AccountId,
    sides: &Sides,
    blocked: bool,
    by: BlockedBy,
) -> Result<bool, Error> {
    let Sides { session, who, others, now } = sides;
    let mut changed = false;
    for other in others {
        let (one, other) = (&who.person, &other.person);
        changed |= if blocked {
            blocks::insert(tx, account, one, other, by, *now).await?
        } else {
            blocks::delete(tx, account, one, other, by).await?
        };
    }
    if changed || by == BlockedBy::Api {
        let data = json!({ "participant_id": who.id, "role": who.role, "source": by.as_str() });
        let kind =
            if blocked { EventKind::ParticipantBlocked } else { EventKind::ParticipantUnblocked };
        events::insert(tx, account, kind, place_of(session), &data.to_string(), *now).await?;
    }
    Ok(changed)
}

/// Lets nothing pass between `blocker` and the others of the session, in no session of the account, or
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
    let sides = locked_sides(tx, account, id, blocker).await?;
    change(tx, account, &sides, blocked, BlockedBy::Api).await?;
    view(tx, account, id).await
}

/// The same where the person wrote so: they lift what they set so, and nothing else. Whether that changed
/// anything.
///
/// # Errors
/// [`Error::NotFound`].
pub(in crate::relay) async fn by_person(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    who: &ParticipantId,
    blocked: bool,
) -> Result<bool, Error> {
    let sides = locked_sides(tx, account, id, who).await?;
    change(tx, account, &sides, blocked, BlockedBy::Person).await
}
