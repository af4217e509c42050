//! Makes the files of long lists, some rows at a time: whoever is lost over one, another goes on.

use std::time::{Duration, Instant};

use super::{EXPORT_MAX, Narrowed, PAGE, page};
use crate::{
    ids::{AccountId, ExportId},
    relay::{Error, Relay},
    store::exports::{self, Chunk, Export, ExportState},
};

/// How many exports are looked at in one round.
const ROUND: i64 = 10;
/// How long whoever works on one has it, from piece to piece.
const LEASE: Duration = Duration::from_mins(1);
/// How many pages of rows one piece of a file has.
const PAGES: i64 = 4;
/// After so many turns without a row more it is given up.
const TRIES_MAX: i64 = 5;
/// The longest pause after a piece, which is else as long as the piece took: others read too.
const PAUSE_MAX: Duration = Duration::from_secs(1);

impl Relay {
    /// Works on every export that nobody is at, until each is whole; how many became so. One that can't be made
    /// keeps no other back (I32).
    ///
    /// # Errors
    /// The store's: it is gone on with once its lease is over.
    pub async fn work_exports(&self) -> Result<usize, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let due = exports::due(&mut tx, now, ROUND).await?;
        drop(tx);
        let mut made = 0;
        for (account, id) in due {
            match self.make_export(&account, &id).await {
                Ok(whole) => made += usize::from(whole),
                Err(error) if error.lasts() => {
                    tracing::error!(%id, %error, "an export is left for another try");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }

    /// Works on one export until it is whole; whether it is.
    async fn make_export(&self, account: &AccountId, id: &ExportId) -> Result<bool, Error> {
        let Some(mut export) = self.take_export(account, id).await? else { return Ok(false) };
        let narrowed = Narrowed::parse(export.list, &export.filters);
        let Some(narrowed) = narrowed.filter(|_| export.tries <= TRIES_MAX) else {
            self.fail_export(&export).await?;
            return Ok(false);
        };
        if export.total.is_none() && !self.count_export(&mut export, &narrowed).await? {
            return Ok(false);
        }
        loop {
            let started = Instant::now();
            let Some(ended) = self.grow_export(&mut export, &narrowed).await? else {
                return Ok(false);
            };
            if ended {
                return Ok(true);
            }
            tokio::time::sleep(started.elapsed().min(PAUSE_MAX)).await;
        }
    }

    async fn take_export(
        &self,
        account: &AccountId,
        id: &ExportId,
    ) -> Result<Option<Export>, Error> {
        let given = (account.clone(), id.clone());
        let taken = self.db.write(move |tx| {
            let (account, id) = given.clone();
            Box::pin(async move {
                let now = tx.now().await?;
                Ok::<_, Error>(exports::claim(tx, &account, &id, now, now + LEASE).await?)
            })
        });
        taken.await
    }

    async fn fail_export(&self, export: &Export) -> Result<(), Error> {
        tracing::error!(id = %export.id, "an export is given up");
        let given = (export.account.clone(), export.id.clone());
        let done = self.db.write(move |tx| {
            let (account, id) = given.clone();
            Box::pin(async move {
                let now = tx.now().await?;
                exports::end(tx, &account, &id, ExportState::Failed, now).await?;
                Ok::<_, Error>(())
            })
        });
        done.await
    }

    /// Notes how many rows there are; whether a file may have as many.
    async fn count_export(&self, export: &mut Export, narrowed: &Narrowed) -> Result<bool, Error> {
        let mut tx = self.db.read().await?;
        let total = narrowed.count(&mut tx, &export.account, EXPORT_MAX + 1).await?;
        drop(tx);
        export.total = Some(total);
        let given = export.clone();
        let noted = self.db.write(move |tx| {
            let export = given.clone();
            Box::pin(async move {
                exports::set_total(tx, &export, total).await?;
                Ok::<_, Error>(())
            })
        });
        noted.await?;
        if total > EXPORT_MAX {
            self.fail_export(export).await?;
        }
        Ok(total <= EXPORT_MAX)
    }

    /// Adds a piece; whether it was the last, or nothing where somebody else has it now.
    async fn grow_export(
        &self,
        export: &mut Export,
        narrowed: &Narrowed,
    ) -> Result<Option<bool>, Error> {
        let mut body =
            if export.chunks == 0 { export.format.head(export.list) } else { String::new() };
        let (mut rows, mut last, mut ended) = (0, export.last.clone(), false);
        for _ in 0..PAGES {
            let limit = PAGE.min(EXPORT_MAX - export.done - rows);
            let mut tx = self.db.read().await?;
            let page = page(&mut tx, &export.account, narrowed, last.clone(), limit).await?;
            drop(tx);
            for row in &page.rows {
                export.format.write(export.list, row, &mut body);
            }
            let read = i64::try_from(page.rows.len()).unwrap_or(i64::MAX);
            rows += read;
            last = page.last.or(last);
            ended = read < PAGE;
            if ended {
                break;
            }
        }
        let given = (export.clone(), body, last.clone());
        let grown = self.db.write(move |tx| {
            let (export, body, last) = given.clone();
            Box::pin(async move {
                let now = tx.now().await?;
                let chunk = Chunk {
                    body: &body,
                    rows,
                    last: last.as_deref(),
                    lease_until: now + LEASE,
                    ended: ended.then_some(now),
                };
                Ok::<_, Error>(exports::grow(tx, &export, &chunk).await?)
            })
        });
        if !grown.await? {
            return Ok(None);
        }
        export.done += rows;
        export.chunks += 1;
        export.last = last;
        Ok(Some(ended))
    }
}
