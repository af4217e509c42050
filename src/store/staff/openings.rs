//! What staff opened lately: numbers and texts, so many in 24 hours.

use crate::{
    domain::{opening::Opened, time::Timestamp},
    ids::{StaffId, hex},
    store::{Error, Tx, db::on},
};

/// Notes that somebody opens something now, unless they have opened `most` of its kind since `from`; whether
/// they may. Of two at once the second sees the first.
pub async fn take(
    tx: &mut Tx,
    staff: &StaffId,
    kind: Opened,
    most: u32,
    (from, now): (Timestamp, Timestamp),
) -> Result<bool, Error> {
    const LOCK: &str = "SELECT created_at FROM staff WHERE id = $1 FOR NO KEY UPDATE";
    const INSERT: &str =
        "INSERT INTO staff_openings (staff, kind, at, nonce) VALUES ($1, $2, $3, $4)";
    if tx.locks() {
        let _: Option<i64> =
            on!(tx, |conn| sqlx::query_scalar(LOCK).bind(staff).fetch_optional(conn).await?);
    }
    if count(tx, staff, kind, from).await? >= i64::from(most) {
        return Ok(false);
    }
    let mut nonce = [0; 8];
    tx.random(&mut nonce);
    let nonce = hex(&nonce);
    on!(tx, |conn| {
        sqlx::query(INSERT)
            .bind(staff)
            .bind(kind.as_str())
            .bind(now.millis())
            .bind(&nonce)
            .execute(conn)
            .await?;
    });
    Ok(true)
}

/// How many of a kind somebody has opened after `from`.
pub async fn count(
    tx: &mut Tx,
    staff: &StaffId,
    kind: Opened,
    from: Timestamp,
) -> Result<i64, Error> {
    const SQL: &str =
        "SELECT COUNT(*) FROM staff_openings WHERE staff = $1 AND kind = $2 AND at > $3";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(staff)
        .bind(kind.as_str())
        .bind(from.millis())
        .fetch_one(conn)
        .await?))
}

/// Forgets what was opened at `before` or earlier; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "DELETE FROM staff_openings WHERE at <= $1";
    Ok(on!(tx, |conn| sqlx::query(SQL).bind(before.millis()).execute(conn).await?.rows_affected()))
}
