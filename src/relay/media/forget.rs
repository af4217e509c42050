//! Deletes files whose time is up.

use crate::{
    relay::{Error, Relay},
    store::media::{self, Medium},
    telemetry::metrics,
};

/// How many files are deleted in one go.
const BATCH: i64 = 100;

impl Relay {
    /// Deletes the files, and then the rows, of those whose time is up; how many. One that can't be deleted
    /// keeps no other back (I32), and stays for later; a store for files that takes none of a hundred ends it.
    ///
    /// # Errors
    /// The store's, and [`Error::Files`]: the first, once all others are gone.
    pub async fn forget_files(&self) -> Result<usize, Error> {
        let (mut count, mut failed) = (0, None);
        let mut after: Option<Medium> = None;
        loop {
            let mut tx = self.db.read().await?;
            let now = tx.now().await?;
            let over = media::over(&mut tx, now, after.as_ref(), BATCH).await?;
            drop(tx);
            let full = i64::try_from(over.len()).is_ok_and(|found| found >= BATCH);
            after = over.last().cloned();
            let before = count;
            for one in over {
                match self.forget_file(one).await {
                    Ok(()) => count += 1,
                    Err(error) if error.lasts() => failed = failed.or(Some(error)),
                    Err(error) => return Err(error),
                }
            }
            if !full || count == before {
                return failed.map_or(Ok(count), Err);
            }
        }
    }

    async fn forget_file(&self, one: Medium) -> Result<(), Error> {
        if let Some(objects) = &self.objects {
            objects.delete(&one.object).await.map_err(Error::Files)?;
        }
        self.db
            .write(move |tx| {
                let one = one.clone();
                Box::pin(async move {
                    media::delete(tx, &one.account, &one.id).await?;
                    Ok::<_, Error>(())
                })
            })
            .await?;
        metrics::media("deleted");
        Ok(())
    }
}
