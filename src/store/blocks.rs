//! Blocks: who hears nothing from whom, in no session of the account.

use super::{Error, Tx, db::on, sessions::listed};
use crate::{domain::time::Timestamp, ids::AccountId, privacy::Person};

/// Blocks; again is the same as once.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    blocker: &Person,
    blocked: &Person,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO blocks (account, blocker, blocked, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(blocker)
            .bind(blocked)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Ends a block; whether there was one.
pub async fn delete(
    tx: &mut Tx,
    account: &AccountId,
    blocker: &Person,
    blocked: &Person,
) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM blocks WHERE account = $1 AND blocker = $2 AND blocked = $3";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(blocker)
        .bind(blocked)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Everybody who has blocked this person.
pub async fn blockers_of(
    tx: &mut Tx,
    account: &AccountId,
    blocked: &Person,
    among: &[Person],
) -> Result<Vec<Person>, Error> {
    if among.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT blocker FROM blocks WHERE account = ");
        q.push_bind(account).push(" AND blocked = ").push_bind(blocked);
        q.push(" AND blocker");
        listed!(q, among);
        q.push(" ORDER BY blocker");
        q.build_query_scalar().fetch_all(conn).await?
    }))
}
