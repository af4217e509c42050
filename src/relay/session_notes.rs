//! What staff note of a session, and which case it belongs to.

use super::{
    error::{Error, Fault},
    sessions::locked,
};
use crate::{
    domain::{
        audit::{Action, Entry},
        case::{CaseId, NOTE_CHARS},
        message::Body,
    },
    ids::{AccountId, SessionId, SessionNoteId, StaffId},
    store::{Tx, audit, session_notes},
};

/// Adds a note of somebody of the staff; its id. It is never changed.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for one that is empty or longer than [`NOTE_CHARS`].
pub async fn note_session(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    staff: &StaffId,
    body: &Body,
) -> Result<SessionNoteId, Error> {
    let empty = body.expose().trim().is_empty();
    if empty || body.chars() > NOTE_CHARS {
        let allowed = format!("must have 1 to {NOTE_CHARS} characters");
        return Err(Error::Invalid(vec![Fault::new("/note", "length", allowed)]));
    }
    let session = locked(tx, account, session).await?;
    let key = session.data_key(tx)?;
    let now = tx.now().await?;
    let id: SessionNoteId = tx.id_at(now);
    session_notes::insert(tx, account, &key, &session.id, (&id, staff, body), now).await?;
    let entry = Entry::new(Action::SessionNoted, session.id.as_str());
    audit::append(tx, account, entry).await?;
    Ok(id)
}

/// Says which case a session belongs to; `None` for none. Whether that is new.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn set_session_case(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    case: Option<&CaseId>,
) -> Result<bool, Error> {
    locked(tx, account, session).await?;
    if session_notes::case_of(tx, account, session).await?.as_ref() == case {
        return Ok(false);
    }
    match case {
        Some(case) => {
            let now = tx.now().await?;
            session_notes::set_case(tx, account, session, case, now).await?;
        }
        None => session_notes::drop_case(tx, account, session).await?,
    }
    let entry = Entry::new(Action::SessionCaseSet, session.as_str());
    audit::append(tx, account, entry.changed(vec!["case_id"])).await?;
    Ok(true)
}
