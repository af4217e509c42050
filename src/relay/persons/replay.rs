//! After a restore: what the list outside says was erased is erased again, before anything is served.

use std::collections::HashSet;

use super::BATCH;
use crate::{
    domain::audit::{Action, Detail, Entry as Noted},
    ids::AccountId,
    relay::{Error, Relay},
    store::{
        self, Tx, accounts, audit,
        erasures::{self, Entry},
    },
};

/// What came of going through the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many entries the list has.
    pub listed: usize,
    /// How many of them the database did not know of.
    pub missing: usize,
}

/// How many of these entries the database does not know of, although it has their account.
///
/// # Errors
/// The store's.
pub async fn unknown_erasures(tx: &mut Tx, entries: &[Entry]) -> Result<usize, store::Error> {
    let mut unknown = 0;
    let here = here(tx).await?;
    for entry in entries.iter().filter(|entry| here.contains(&entry.account)) {
        unknown += usize::from(!erasures::knows(tx, entry).await?);
    }
    Ok(unknown)
}

async fn here(tx: &mut Tx) -> Result<HashSet<AccountId>, store::Error> {
    Ok(accounts::all(tx).await?.into_iter().map(|account| account.id).collect())
}

impl Relay {
    /// Erases again whatever the list has, and ends what was under way when the backup was made. Doing it
    /// twice does no harm.
    ///
    /// # Errors
    /// [`Error::ErasingOff`] if there is no list; what can't be read of it; the store's.
    pub async fn replay_erasures(&self) -> Result<Replayed, Error> {
        let entries = self.erasure_list()?.read()?;
        let mut replayed = Replayed { listed: entries.len(), missing: 0 };
        let mut tx = self.db.read().await?;
        let here = here(&mut tx).await?;
        drop(tx);
        let ours: Vec<Entry> =
            entries.into_iter().filter(|entry| here.contains(&entry.account)).collect();
        for page in ours.chunks(usize::try_from(BATCH).unwrap_or(1)) {
            let page = page.to_vec();
            replayed.missing += self
                .db
                .write(move |tx| {
                    let page = page.clone();
                    Box::pin(async move {
                        let now = tx.now().await?;
                        let mut added = 0;
                        for entry in &page {
                            let Entry { account, erasure, created_at, .. } = entry;
                            erasures::insert(tx, account, erasure, None, *created_at).await?;
                            added += usize::from(erasures::adopt(tx, entry, now).await?);
                        }
                        Ok::<_, Error>(added)
                    })
                })
                .await?;
        }
        let missing = replayed.missing;
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let entry = Noted::new(Action::ErasuresReplayed, "");
                    let entry = entry.with(Detail::Count, missing.to_string());
                    audit::append_installation(tx, entry).await
                })
            })
            .await?;
        while self.work_erasures().await? > 0 {
            let mut tx = self.db.read().await?;
            let now = tx.now().await?;
            // What can't be gone on with must not keep us here: it is told in the log.
            let left = erasures::due(&mut tx, now, 1).await?;
            drop(tx);
            if let Some((account, id)) = left.first()
                && !self.erase_on(account, id).await?
            {
                break;
            }
        }
        Ok(replayed)
    }

    /// Notes that an operator goes on without the list, and writes what the database knows into it.
    ///
    /// # Errors
    /// The store's.
    pub async fn without_list(&self) -> Result<(), Error> {
        self.db
            .write(|tx| {
                Box::pin(async move {
                    audit::append_installation(tx, Noted::new(Action::ErasureListIgnored, "")).await
                })
            })
            .await?;
        self.complete_list().await.map(drop)
    }
}
