//! After a restore: everything that the copy does not know is held to have happened (I31).
//!
//! A copy is older than what people saw. A session that is open in it may have been closed since,
//! and a pair in quarantine may have been given to others: so sessions wait to be confirmed, and
//! quarantines begin again.

use serde_json::json;

use super::{Error, Relay, messages, sessions};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        event::EventKind,
        interaction::Reason,
        time::Timestamp,
    },
    ids::{AccountId, SessionId},
    store::{self, Tx, accounts, audit, events, events::Place, fence, services},
};

/// How many rows are read, and sessions resumed, in one go.
const BATCH: i64 = 200;

/// Why a database is not served as it is: things may have happened that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// A copy that `backup` made.
    #[error("it is a copy that `entremise backup` made")]
    Copy,
    /// An older state than was served here before.
    #[error("it is older than what was served here before (epoch {epoch}, {known} was reached)")]
    Older {
        /// The database's.
        epoch: i64,
        /// What is known outside of it.
        known: i64,
    },
    /// More was erased than it knows of.
    #[error("it is older than the erasure list beside it: {0} entries are unknown to it")]
    Erased(usize),
    /// It was last served by another PostgreSQL server, database or timeline.
    #[error("it was restored, moved or promoted: another server, database or timeline served it")]
    Moved,
}

/// Why the database is in doubt, if it is. `known` is the epoch that is known outside of it.
pub async fn doubt(tx: &mut Tx, known: i64) -> Result<Option<Doubt>, store::Error> {
    if fence::is_copy(tx).await? {
        return Ok(Some(Doubt::Copy));
    }
    let epoch = fence::epoch(tx).await?;
    if epoch < known {
        return Ok(Some(Doubt::Older { epoch, known }));
    }
    Ok(fence::has_moved(tx).await?.then_some(Doubt::Moved))
}

/// Notes that the database is served from here, and raises its epoch above `known`; the new epoch.
pub async fn settle_here(tx: &mut Tx, known: i64) -> Result<i64, store::Error> {
    fence::settle_here(tx).await?;
    fence::raise_epoch(tx, known).await
}

/// The same for an operator who says so: it is in the audit log.
pub async fn settle_by_hand(tx: &mut Tx, known: i64) -> Result<i64, store::Error> {
    let epoch = settle_here(tx, known).await?;
    audit::append_installation(tx, Entry::new(Action::DatabaseSettled, "")).await?;
    Ok(epoch)
}

/// What a fence did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fenced {
    /// Sessions that were put on hold.
    pub sessions: u64,
    /// Pairs of person and number whose quarantine began again.
    pub quarantines: u64,
    /// Sessions for which something was owed, which is not sent any more.
    pub owing: usize,
    /// The database's epoch from now on.
    pub epoch: i64,
}

/// Puts every open session on hold, begins every quarantine again at full length, and gives up what
/// is owed. Open holds stay open, so that nobody else gets the pair. All of it or nothing; doing it
/// twice does no harm.
pub async fn raise(tx: &mut Tx, known: i64) -> Result<Fenced, Error> {
    fence::without_limits(tx).await?;
    let now = tx.now().await?;
    let owing = fence::owing(tx).await?;
    for (account, session) in &owing {
        store::sessions::lock(tx, account, session).await?;
        messages::cancel_owed(tx, account, session, Reason::SessionSuspended, now).await?;
    }
    let sessions = fence::suspend_all(tx, now).await?;
    for (account, count) in fence::suspended_counts(tx).await? {
        let data = json!({ "sessions": count }).to_string();
        events::insert(tx, &account, EventKind::SessionsSuspended, Place::default(), &data, now)
            .await?;
    }
    let quarantines = restart_quarantines(tx, now).await?;
    let epoch = settle_here(tx, known).await?;
    let entry = Entry::new(Action::DatabaseFenced, "").with(Detail::Count, sessions.to_string());
    audit::append_installation(tx, entry).await?;
    Ok(Fenced { sessions, quarantines, owing: owing.len(), epoch })
}

async fn restart_quarantines(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    let mut count = 0;
    for account in accounts::all(tx).await? {
        for service in services::list(tx, &account.id, "", i64::MAX).await? {
            let until = now + service.rules.quarantine;
            count += fence::restart_quarantine(tx, &account.id, &service.id, until).await?;
        }
    }
    Ok(count)
}

/// What is to be resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirm {
    /// Every session on hold, or those of one account.
    All(Option<AccountId>),
    /// These sessions.
    Sessions(Vec<SessionId>),
}

/// What came of resuming.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// Sessions that put people through again.
    pub resumed: usize,
    /// Sessions whose time was up meanwhile.
    pub expired: usize,
}

impl Relay {
    /// Resumes sessions on hold, some at a time.
    ///
    /// # Errors
    /// [`Error::NotFound`] if one of the named is not on hold: then none was resumed.
    pub async fn confirm(&self, what: &Confirm) -> Result<Confirmed, Error> {
        let mut done = Confirmed::default();
        match what {
            Confirm::Sessions(ids) => {
                let mut tx = self.db.read().await?;
                let mut found = Vec::new();
                for id in ids {
                    let account = fence::account_of(&mut tx, id).await?;
                    let account = account.ok_or(Error::NotFound("session on hold"))?;
                    found.push((account, id.clone()));
                }
                drop(tx);
                for page in found.chunks(usize::try_from(BATCH).unwrap_or(1)) {
                    self.resume_page(page, &mut done).await?;
                }
            }
            Confirm::All(only) => {
                let mut after = only.as_ref().map_or_else(
                    || (String::new(), String::new()),
                    |account| (account.to_string(), String::new()),
                );
                loop {
                    let mut tx = self.db.read().await?;
                    let page = fence::suspended(&mut tx, (&after.0, &after.1), BATCH).await?;
                    drop(tx);
                    let Some((account, id)) = page.last() else { return Ok(done) };
                    after = (account.to_string(), id.to_string());
                    let ours: Vec<_> = page
                        .iter()
                        .filter(|(account, _)| only.as_ref().is_none_or(|only| only == account))
                        .cloned()
                        .collect();
                    if ours.is_empty() {
                        return Ok(done);
                    }
                    self.resume_page(&ours, &mut done).await?;
                }
            }
        }
        Ok(done)
    }

    async fn resume_page(
        &self,
        page: &[(AccountId, SessionId)],
        done: &mut Confirmed,
    ) -> Result<(), Error> {
        let page = page.to_vec();
        let resumed = self
            .db
            .write(move |tx| {
                let page = page.clone();
                Box::pin(async move {
                    let mut resumed = Confirmed::default();
                    for (account, id) in &page {
                        match sessions::resume(tx, account, id, None).await {
                            Ok(_) => resumed.resumed += 1,
                            // The sweeper closes it.
                            Err(Error::SessionClosed) => resumed.expired += 1,
                            Err(error) => return Err(error),
                        }
                    }
                    Ok::<_, Error>(resumed)
                })
            })
            .await?;
        done.resumed += resumed.resumed;
        done.expired += resumed.expired;
        Ok(())
    }

    /// Raises the database's epoch, and then what is known of it outside; the new epoch.
    ///
    /// # Errors
    /// The store's.
    pub async fn raise_epoch(&self) -> Result<i64, Error> {
        let file = self.db.epoch_file();
        let known = file.as_ref().map_or(Ok(0), store::EpochFile::read)?;
        let epoch = self
            .db
            .write(move |tx| Box::pin(async move { fence::raise_epoch(tx, known).await }))
            .await?;
        if let Some(file) = file {
            file.raise(epoch)?;
        }
        Ok(epoch)
    }
}
