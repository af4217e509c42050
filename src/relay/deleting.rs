//! Deleting what nobody is to be shown any more: interactions, and services with all that is in them.
//!
//! What is deleted is hidden, not erased: its rows stay, sealed as they were.

use super::{
    Relay,
    error::Error,
    sessions::{locked, take_away},
    twilio_proxy,
};
use crate::{
    domain::audit::{Action, Detail, Entry},
    ids::{AccountId, InteractionId, ServiceId, SessionId},
    store::{Tx, audit, interactions, numbers, services, sessions as rows},
};

/// How many sessions of a deleted service are ended in one go.
const BATCH: i64 = 100;
/// How many such goes whoever deletes a service waits for. What is left is ended by a job; nobody was
/// put through since the first commit.
const GOES: usize = 20;

/// Deletes one interaction of a session: nobody is shown it any more. If it is still under way, it
/// goes on.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete_interaction(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    id: &InteractionId,
) -> Result<(), Error> {
    locked(tx, account, session).await?;
    let found = interactions::get(tx, account, id).await?;
    let found = found.filter(|one| one.session.as_ref() == Some(session));
    found.ok_or(Error::NotFound("interaction"))?;
    let now = tx.now().await?;
    interactions::delete(tx, account, id, now).await?;
    let entry = Entry::new(Action::InteractionDeleted, id.as_str());
    Ok(audit::append(tx, account, entry.with(Detail::Session, session.as_str())).await?)
}

impl Relay {
    /// Deletes a service with its sessions, interactions and numbers. From the first commit on its
    /// numbers are nobody's and nothing of it is shown; its sessions are ended in bounded goes. The
    /// numbers are retired: they may come back, and their quarantines with them.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_service(&self, account: &AccountId, id: &ServiceId) -> Result<(), Error> {
        let owned = (account.clone(), id.clone());
        self.db
            .write(move |tx| {
                let (account, id) = owned.clone();
                Box::pin(async move {
                    let now = tx.now().await?;
                    if !services::delete(tx, &account, &id, now).await? {
                        return Err(Error::NotFound("service"));
                    }
                    numbers::retire_all(tx, &account, &id, now).await?;
                    twilio_proxy::of_service(tx, &account, &id, "").await?;
                    let entry = Entry::new(Action::ServiceDeleted, id.as_str());
                    Ok(audit::append(tx, &account, entry).await?)
                })
            })
            .await?;
        for _ in 0..GOES {
            if self.end_orphans(Some((account, id))).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Ends sessions whose service was deleted: a part of what deleting it left; how many.
    pub async fn end_deleted(&self) -> Result<usize, Error> {
        self.end_orphans(None).await
    }

    async fn end_orphans(&self, of: Option<(&AccountId, &ServiceId)>) -> Result<usize, Error> {
        let mut tx = self.db.read().await?;
        let found = rows::orphans(&mut tx, of, BATCH).await?;
        drop(tx);
        let ended = self.each(found, |tx, account, session| {
            Box::pin(async move { take_away(tx, account, session).await })
        });
        let ended = ended.await?;
        if ended > 0 {
            self.committed();
        }
        Ok(ended)
    }
}
