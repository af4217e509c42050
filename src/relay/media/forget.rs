//! Deletes files whose time is up.

use crate::{
    relay::{Error, Relay},
    store::media,
    telemetry::metrics,
};

/// How many files are deleted in one go.
const BATCH: i64 = 100;

impl Relay {
    /// Deletes the files, and then the rows, of those whose time is up; how many. While the store for
    /// files fails, the rest stays for later.
    ///
    /// # Errors
    /// The store's, and [`Error::Files`].
    pub async fn forget_files(&self) -> Result<usize, Error> {
        let mut count = 0;
        loop {
            let mut tx = self.db.read().await?;
            let now = tx.now().await?;
            let over = media::over(&mut tx, now, BATCH).await?;
            drop(tx);
            let full = i64::try_from(over.len()).is_ok_and(|found| found >= BATCH);
            for one in over {
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
                count += 1;
            }
            if !full {
                return Ok(count);
            }
        }
    }
}
