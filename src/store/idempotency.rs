//! Answers to writes that carried an `Idempotency-Key`, kept with the write's own transaction.

use super::{Error, Tx, accounts, db::on, old::forget};
use crate::{domain::time::Timestamp, ids::AccountId};

pub(super) fn context(key: &str) -> String {
    format!("idempotency:{key}")
}

/// Claims a key; whether it is new. On PostgreSQL a concurrent twin waits for the first, at most
/// as long as a lock may be waited for.
///
/// # Errors
/// [`Error::Locked`] if the first takes longer.
pub async fn claim(
    tx: &mut Tx,
    account: &AccountId,
    key: &str,
    fingerprint: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO idempotency (account, key, fingerprint, answer, created_at)
        VALUES ($1, $2, $3, '', $4)
        ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(key)
        .bind(fingerprint)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Keeps the answer of a claimed key, sealed.
pub async fn set_answer(
    tx: &mut Tx,
    account: &AccountId,
    key: &str,
    answer: &str,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE idempotency SET answer = $3 WHERE account = $1 AND key = $2";
    let sealed = accounts::keys(tx, account).await?.data.seal_text(answer, &context(key));
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(key).bind(&sealed).execute(conn).await?;
    });
    Ok(())
}

/// The fingerprint and the answer of a key.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    key: &str,
) -> Result<Option<(String, String)>, Error> {
    const SQL: &str = "SELECT fingerprint, answer FROM idempotency WHERE account = $1 AND key = $2";
    let row: Option<(String, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(key).fetch_optional(conn).await?);
    let Some((fingerprint, sealed)) = row else { return Ok(None) };
    let keys = accounts::keys(tx, account).await?;
    Ok(Some((fingerprint, keys.data.open_text(&sealed, &context(key))?)))
}

/// Forgets one key if it is older than `before`: it may be used again.
pub async fn forget_old(
    tx: &mut Tx,
    account: &AccountId,
    key: &str,
    before: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM idempotency WHERE account = $1 AND key = $2 AND created_at < $3";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(key).bind(before.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Forgets keys older than `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM idempotency WHERE (account, key) IN (
            SELECT account, key FROM idempotency WHERE created_at < $1
            ORDER BY created_at, account, key LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
