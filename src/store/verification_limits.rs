//! How often codes were sent within a length of time: the database counts, so that all nodes see the same
//! and a restart forgets nothing.

use std::time::Duration;

use super::{Error, Tx, db::on, old::forget};
use crate::{
    domain::{closed_set, time::Timestamp},
    ids::AccountId,
};

closed_set! {
    /// What is counted.
    Count {
        /// Sends to one number in an hour.
        PersonHour = "person_hour",
        /// Sends to one number in a day.
        PersonDay = "person_day",
        /// Sends to numbers that begin alike in an hour.
        PrefixHour = "prefix_hour",
        /// Sends for one address in an hour.
        ClientHour = "client_hour",
        /// Sends of the account in an hour.
        AccountHour = "account_hour",
    }
}

impl Count {
    /// Within how long.
    pub const fn per(self) -> Duration {
        match self {
            Self::PersonDay => Duration::from_hours(24),
            _ => Duration::from_hours(1),
        }
    }
}

/// Counts one more of `most` that may be within the time, from the first on. `None` where it was counted, or
/// when there is room again. Of several at once one goes first, whatever node they are on.
pub async fn take(
    tx: &mut Tx,
    account: &AccountId,
    count: Count,
    subject: &str,
    most: u32,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "
        INSERT INTO verification_limits (account, counted, subject, since, used)
        VALUES ($1, $2, $3, $4, 1)
        ON CONFLICT (account, counted, subject) DO UPDATE SET
            since = CASE WHEN verification_limits.since <= $5 THEN $4
                ELSE verification_limits.since END,
            used = CASE WHEN verification_limits.since <= $5 THEN 1
                ELSE verification_limits.used + 1 END
        WHERE verification_limits.since <= $5 OR verification_limits.used < $6";
    const SINCE: &str = "
        SELECT since FROM verification_limits
        WHERE account = $1 AND counted = $2 AND subject = $3";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(count.as_str())
        .bind(subject)
        .bind(now.millis())
        .bind((now - count.per()).millis())
        .bind(i64::from(most))
        .execute(conn)
        .await?
        .rows_affected());
    if done == 1 {
        return Ok(None);
    }
    let since: Option<i64> = on!(tx, |conn| sqlx::query_scalar(SINCE)
        .bind(account)
        .bind(count.as_str())
        .bind(subject)
        .fetch_optional(conn)
        .await?);
    Ok(Some(since.map_or(now, Timestamp::from_millis) + count.per()))
}

/// Forgets what began before `before`, `limit` at most; how many. It must be at least as long ago as the
/// longest count lasts.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM verification_limits WHERE (account, counted, subject) IN (
            SELECT account, counted, subject FROM verification_limits WHERE since < $1
            ORDER BY since, account, counted, subject LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
