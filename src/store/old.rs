//! Forgets what is old, a bounded number of rows at once.

use super::{Error, Tx, db::on};
use crate::domain::time::Timestamp;

/// Runs a DELETE of what is older than `$1`, `$2` rows at most; how many went.
pub(super) async fn forget(
    tx: &mut Tx,
    sql: &'static str,
    before: Timestamp,
    limit: i64,
) -> Result<u64, Error> {
    Ok(on!(tx, |conn| sqlx::query(sql)
        .bind(before.millis())
        .bind(limit)
        .execute(conn)
        .await?
        .rows_affected()))
}
