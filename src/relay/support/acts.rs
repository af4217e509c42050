//! What staff do to a session. What an API key does so is in the events alone; what a person of the staff does is in
//! the audit log too.

use std::time::Duration;

use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        session::{ClosedReason, State},
    },
    ids::{AccountId, ParticipantId, SessionId},
    relay::{
        Error,
        sessions::{self, close, extend, set_block},
    },
    store::{Tx, audit, blocks, participants},
};

/// How many blocks of one person are looked through for those of one session.
const BLOCKS: i64 = 1000;

/// Closes a session: see [`close`].
///
/// # Errors
/// [`Error::NotFound`]; [`Error::SessionClosed`] for one that was.
pub async fn close_as_staff(tx: &mut Tx, account: &AccountId, id: &SessionId) -> Result<(), Error> {
    let session = sessions::locked(tx, account, id).await?;
    if session.state == State::Closed {
        return Err(Error::SessionClosed);
    }
    close(tx, account, id, ClosedReason::Staff, None).await?;
    let entry = Entry::new(Action::SessionClosed, id.as_str());
    Ok(audit::append(tx, account, entry).await?)
}

/// Lengthens a session's life: see [`extend`].
///
/// # Errors
/// As [`extend`].
pub async fn extend_as_staff(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    by: Duration,
) -> Result<(), Error> {
    extend(tx, account, id, by, None).await?;
    let entry = Entry::new(Action::SessionExtended, id.as_str());
    let entry = entry.with(Detail::Count, by.as_secs().to_string());
    Ok(audit::append(tx, account, entry).await?)
}

/// Lets nothing pass any more between somebody and the other side of their session: see [`set_block`].
///
/// # Errors
/// [`Error::NotFound`].
pub async fn block_as_staff(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    who: &ParticipantId,
) -> Result<(), Error> {
    set_block(tx, account, id, who, true).await?;
    let entry = Entry::new(Action::SessionPairBlocked, id.as_str());
    let entry = entry.with(Detail::Participant, who.as_str());
    Ok(audit::append(tx, account, entry).await?)
}

/// Ends every block between the sides of a session, whoever set it; whether there was one.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn unblock_as_staff(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<bool, Error> {
    let people = participants::of_session(tx, account, id).await?;
    let mut lifted = false;
    for who in &people {
        let set = blocks::of_person(tx, account, &who.person, BLOCKS).await?;
        let others = people.iter().filter(|other| other.role != who.role);
        let theirs = |other: &&_| {
            let other: &participants::Participant = other;
            set.iter().any(|one| one.theirs && one.other == other.person)
        };
        if others.clone().any(|other| theirs(&other)) {
            set_block(tx, account, id, &who.id, false).await?;
            let entry = Entry::new(Action::SessionPairUnblocked, id.as_str());
            let entry = entry.with(Detail::Participant, who.id.as_str());
            audit::append(tx, account, entry).await?;
            lifted = true;
        }
    }
    Ok(lifted)
}
