//! Once per `Idempotency-Key`: the answer is kept in the transaction of the write itself (I15).

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::{
    ids::AccountId,
    store::{Tx, idempotency},
};

/// How long a key is remembered.
const KEPT: Duration = Duration::from_hours(24);

/// A key and what it was sent with.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key: 1 to 255 visible ASCII characters.
    pub key: String,
    /// A hash of method, path, query and body.
    pub fingerprint: String,
}

/// What a write answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; empty for none.
    pub body: String,
    /// Where the new thing is.
    pub location: Option<String>,
    /// The version of what was written.
    pub version: Option<i64>,
    /// Whether it was kept from an earlier request.
    #[serde(skip)]
    pub replayed: bool,
}

impl Answer {
    /// An answer without a body.
    pub const fn empty(status: u16) -> Self {
        Self { status, body: String::new(), location: None, version: None, replayed: false }
    }
}

/// Runs `work` unless the key was used; then its answer.
pub(super) async fn run<F>(
    tx: &mut Tx,
    account: &AccountId,
    key: Option<Key>,
    work: &F,
) -> Result<Answer, Error>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<Answer, Error>> + Sync,
{
    let Some(Key { key, fingerprint }) = key else { return work(tx).await };
    let now = tx.now().await?;
    idempotency::forget_old(tx, account, &key, now - KEPT).await?;
    if idempotency::claim(tx, account, &key, &fingerprint, now).await? {
        let answer = work(tx).await?;
        let text = serde_json::to_string(&answer).unwrap_or_default();
        idempotency::set_answer(tx, account, &key, &text).await?;
        return Ok(answer);
    }
    let (kept, text) =
        idempotency::get(tx, account, &key).await?.ok_or(Error::IdempotencyInProgress)?;
    if kept != fingerprint {
        return Err(Error::IdempotencyReused);
    }
    let answer: Answer = serde_json::from_str(&text).map_err(|_| Error::IdempotencyInProgress)?;
    Ok(Answer { replayed: true, ..answer })
}
