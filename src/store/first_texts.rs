//! Who was told by a text which number is theirs, in which service.

use super::{Error, Tx, db::on, old::forget};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, NumberId, ServiceId},
    privacy::Person,
};

/// Notes that somebody is told of a number; whether they had not been. Of several at once one is told that
/// it is the first.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    person: &Person,
    number: &NumberId,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO first_texts (account, service, person, number_id, told_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(service)
        .bind(person)
        .bind(number)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Forgets who was told before `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM first_texts WHERE (account, service, person, number_id) IN (
            SELECT account, service, person, number_id FROM first_texts WHERE told_at < $1
            ORDER BY told_at, account, service, person, number_id LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
