//! Whose number was shown to be theirs, and when last: keyed hashes, no numbers.

use super::{Error, Tx, db::on, old::forget};
use crate::{domain::time::Timestamp, ids::AccountId, privacy::Person};

/// Remembers that somebody showed it.
pub async fn remember(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO verified_people (account, person, verified_at) VALUES ($1, $2, $3)
        ON CONFLICT (account, person) DO UPDATE SET verified_at = excluded.verified_at";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(person).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// When somebody last showed it, if ever.
pub async fn verified_at(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "SELECT verified_at FROM verified_people WHERE account = $1 AND person = $2";
    let at: Option<i64> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(person)
        .fetch_optional(conn)
        .await?);
    Ok(at.map(Timestamp::from_millis))
}

/// Forgets it of somebody; whether there was anything to forget.
pub async fn erase(tx: &mut Tx, account: &AccountId, person: &Person) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM verified_people WHERE account = $1 AND person = $2";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(person)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Forgets whoever showed it last before `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM verified_people WHERE (account, person) IN (
            SELECT account, person FROM verified_people WHERE verified_at < $1
            ORDER BY verified_at, account, person LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
