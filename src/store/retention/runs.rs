//! Whose turn the nightly job is: one node's at a time, until its lease ends.

use crate::{
    domain::time::Timestamp,
    store::{Error, Tx, db::on},
};

const NIGHTLY: &str = "nightly";

/// Notes that the job is known from now on: its first night is the next. Whether it was not before.
pub async fn begin_to_count(tx: &mut Tx, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO retention_runs (name, holder, lease_until, begun_at, ended_at)
        VALUES ($1, '', 0, $2, $2) ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(NIGHTLY)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Takes the turn until `until`, if nobody has it at `free_at` and no run ended since `night`; whether it was
/// had.
pub async fn take(
    tx: &mut Tx,
    holder: &str,
    (now, free_at, until): (Timestamp, Timestamp, Timestamp),
    night: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO retention_runs (name, holder, lease_until, begun_at, ended_at)
        VALUES ($1, $2, $3, $4, 0)
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder,
            lease_until = excluded.lease_until, begun_at = excluded.begun_at
        WHERE retention_runs.lease_until <= $5 AND retention_runs.ended_at < $6
        RETURNING name";
    let had: Option<String> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(NIGHTLY)
        .bind(holder)
        .bind(until.millis())
        .bind(now.millis())
        .bind(free_at.millis())
        .bind(night.millis())
        .fetch_optional(conn)
        .await?);
    Ok(had.is_some())
}

/// Has the turn for longer; whether it is still this holder's.
pub async fn hold_on(tx: &mut Tx, holder: &str, until: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "UPDATE retention_runs SET lease_until = $3 WHERE name = $1 AND holder = $2";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(NIGHTLY)
        .bind(holder)
        .bind(until.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Waits until the batch that is under way is over: the next sees what this transaction commits.
pub async fn wait(tx: &mut Tx) -> Result<(), Error> {
    const SQL: &str = "UPDATE retention_runs SET lease_until = lease_until WHERE name = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(NIGHTLY).execute(conn).await?;
    });
    Ok(())
}

/// Gives the turn back; the run is over where `ended`.
pub async fn give_back(tx: &mut Tx, holder: &str, ended: Option<Timestamp>) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE retention_runs SET holder = '', lease_until = 0, ended_at = COALESCE($3, ended_at)
        WHERE name = $1 AND holder = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(NIGHTLY)
            .bind(holder)
            .bind(ended.map(Timestamp::millis))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// When the last run ended; `None` before anybody looked.
pub async fn last(tx: &mut Tx) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "SELECT ended_at FROM retention_runs WHERE name = $1";
    let at: Option<i64> =
        on!(tx, |conn| sqlx::query_scalar(SQL).bind(NIGHTLY).fetch_optional(conn).await?);
    Ok(at.map(Timestamp::from_millis))
}
