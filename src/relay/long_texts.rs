//! Long texts whose last parts did not come in time.

use std::{sync::Arc, time::Duration};

use super::{Relay, consult::Given, error::Error, messages};
use crate::{
    domain::time::Timestamp,
    store::long_texts::{self, Key},
};

/// How many long texts are ended at once, and how long one is left alone that can't be.
const LONG_TEXTS: i64 = 100;
const LEFT_ALONE: Duration = Duration::from_hours(1);

impl Relay {
    /// Takes in long texts whose last parts did not come in time, as far as they did; how many. One
    /// that can't be is left alone for a while and keeps no other back (I32).
    pub async fn end_long_texts(&self) -> Result<usize, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let due = long_texts::due(&mut tx, now, LONG_TEXTS).await?;
        drop(tx);
        let mut count = 0;
        for text in due {
            match self.asking(&text.carrier, |given| self.decide_late(&text, given)).await {
                Ok(()) => count += 1,
                Err(error) if error.lasts() => {
                    tracing::error!(account = %text.account, %error, "a long text is left as it is");
                    self.put_off(text, now + LEFT_ALONE).await?;
                }
                Err(error) => return Err(error),
            }
        }
        if count > 0 {
            self.committed();
        }
        Ok(count)
    }

    async fn put_off(&self, text: Key, due_at: Timestamp) -> Result<(), Error> {
        self.db
            .write(move |tx| {
                let text = text.clone();
                Box::pin(async move { Ok(long_texts::put_off(tx, &text, due_at).await?) })
            })
            .await
    }

    async fn decide_late(&self, text: &Key, given: Given) -> Result<(), Error> {
        let (text, carriers) = (text.clone(), Arc::clone(&self.carriers));
        let taken = self.db.write(move |tx| {
            let (text, given, carriers) = (text.clone(), given.clone(), Arc::clone(&carriers));
            Box::pin(async move {
                let source = carriers.source(&text.carrier);
                messages::receive_late(tx, source, &text, &given).await
            })
        });
        taken.await.map(drop)
    }
}
