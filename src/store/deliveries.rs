//! What we owe endpoints: one row for each event and endpoint, made with the event, claimed by lease.

mod shown;
mod told;

pub use shown::{Filter, count_missing, count_range, last_attempts, narrowed, reach};
pub use told::{
    Attempt, Delivery, Range, again, attempts, get, list, of_event, owe_missing, range_again,
};

use super::{Error, Tx, db::on, endpoints::EndpointState};
use crate::{
    domain::{closed_set, event::EventKind, time::Timestamp},
    ids::{AccountId, EndpointId, EventId, ServiceId, SessionId},
};

closed_set! {
    /// How far a delivery has come.
    DeliveryState {
        /// To be tried at its time.
        Ready = "ready",
        /// A worker is at it.
        Sending = "sending",
        /// The endpoint took it.
        Delivered = "delivered",
        /// Every attempt failed.
        Failed = "failed",
        /// The endpoint was switched off or deleted first.
        Cancelled = "cancelled",
    }
}

closed_set! {
    /// How an attempt ended.
    AttemptOutcome {
        /// 2xx.
        Delivered = "delivered",
        /// Another status.
        Status = "status",
        /// 3xx: redirects are not followed.
        Redirect = "redirect",
        /// 410: nothing more is wanted.
        Gone = "gone",
        /// No whole answer in time.
        Timeout = "timeout",
        /// No such name, or no connection.
        Unreachable = "unreachable",
        /// No certificate for the name that is trusted.
        Untrusted = "untrusted",
        /// The connection broke, or what came is no HTTP.
        Broken = "broken",
        /// The answer was too long.
        TooLarge = "too_large",
        /// The address, or where its name leads, may not be called.
        Refused = "refused",
    }
}

/// Something for endpoints to hear of.
#[derive(Debug)]
pub(super) struct News<'a> {
    pub(super) event: &'a EventId,
    pub(super) kind: EventKind,
    pub(super) service: Option<&'a ServiceId>,
    pub(super) session: Option<&'a SessionId>,
    pub(super) sequence: i64,
    pub(super) now: Timestamp,
}

/// Owes an event to every enabled endpoint whose filters it fits, in one statement.
pub(super) async fn owe(tx: &mut Tx, account: &AccountId, news: &News<'_>) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO deliveries (account, endpoint, event, type, session, sequence, state, step,
            attempts, run_at, created_at)
        SELECT account, id, $2, $3, $4, $5, 'ready', 0, 0, $6, $6 FROM endpoints
        WHERE account = $1 AND state = 'enabled' AND (service IS NULL OR service = $7 OR $8)
          AND (event_types = '' OR event_types LIKE $9)";
    // That an endpoint is off concerns whoever looks after the others.
    let all_services = news.kind == EventKind::EndpointDisabled;
    let rows = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(news.event)
        .bind(news.kind.as_str())
        .bind(news.session)
        .bind(news.sequence)
        .bind(news.now.millis())
        .bind(news.service)
        .bind(all_services)
        .bind(format!("% {} %", news.kind))
        .execute(conn)
        .await?
        .rows_affected());
    tx.owes(rows);
    Ok(())
}

/// Owes an event to one endpoint.
pub(super) async fn owe_one(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    news: &News<'_>,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO deliveries (account, endpoint, event, type, session, sequence, state, step,
            attempts, run_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'ready', 0, 0, $7, $7)";
    let rows = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(endpoint)
        .bind(news.event)
        .bind(news.kind.as_str())
        .bind(news.session)
        .bind(news.sequence)
        .bind(news.now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    tx.owes(rows);
    Ok(())
}

/// `d` is no event whose session has an earlier one of which the first attempt is not over.
macro_rules! not_overtaking {
    () => {
        "AND NOT EXISTS (SELECT 1 FROM deliveries f
            WHERE f.endpoint = d.endpoint AND f.state IN ('ready', 'sending')
              AND f.session = d.session AND f.sequence < d.sequence
              AND (f.step = 0 OR (f.step = 1 AND f.state = 'sending')))"
    };
}

/// An endpoint that something is owed to.
#[derive(Debug, Clone)]
pub struct Owing {
    /// The account.
    pub account: AccountId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Whether it gets events.
    pub enabled: bool,
    /// Whether its last attempts failed.
    pub failing: bool,
    /// When the next row may be claimed.
    pub next_at: Timestamp,
    /// How many may be claimed now, counted no further than was asked.
    pub due: i64,
}

/// Every endpoint that something is owed to, counting `most` due rows of each at most: one step into
/// an index for each, however much is owed.
pub async fn owing(tx: &mut Tx, now: Timestamp, most: i64) -> Result<Vec<Owing>, Error> {
    let rows: Vec<(AccountId, EndpointId, String, Option<i64>, i64, i64)> =
        on!(tx, |conn| sqlx::query_as(OWING).bind(now.millis()).bind(most).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|(account, endpoint, state, failing, next_at, due)| Owing {
            account,
            endpoint,
            enabled: state == EndpointState::Enabled.as_str(),
            failing: failing.is_some(),
            next_at: Timestamp::from_millis(next_at),
            due,
        })
        .collect())
}

pub(super) const OWING: &str = concat!(
    "
    WITH RECURSIVE owing (endpoint) AS (
        SELECT (SELECT endpoint FROM deliveries WHERE state IN ('ready', 'sending')
            ORDER BY endpoint LIMIT 1)
        UNION ALL
        SELECT (SELECT d.endpoint FROM deliveries d
            WHERE d.state IN ('ready', 'sending') AND d.endpoint > owing.endpoint
            ORDER BY d.endpoint LIMIT 1)
        FROM owing WHERE owing.endpoint IS NOT NULL)
    SELECT e.account, e.id, e.state, e.failing_since,
        (SELECT d.run_at FROM deliveries d
            WHERE d.state IN ('ready', 'sending') AND d.endpoint = e.id
            ORDER BY d.run_at, d.event LIMIT 1),
        (SELECT COUNT(*) FROM (SELECT 1 AS one FROM deliveries d
            WHERE d.state IN ('ready', 'sending') AND d.endpoint = e.id AND d.run_at <= $1
            ",
    not_overtaking!(),
    "
            LIMIT $2) AS due)
    FROM owing CROSS JOIN endpoints e WHERE e.id = owing.endpoint ORDER BY owing.endpoint"
);

/// A delivery that is ours until its lease ends.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The account.
    pub account: AccountId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The event.
    pub event: EventId,
    /// The number of this attempt, from 1: the fence.
    pub attempt: i64,
    /// Its place in the schedule, from 1.
    pub step: i64,
}

macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "UPDATE deliveries
            SET state = 'sending', attempts = attempts + 1, step = step + 1, run_at = $4
            WHERE account = $1 AND endpoint = $2 AND event = (
                SELECT d.event FROM deliveries d
                WHERE d.endpoint = $2 AND d.state IN ('ready', 'sending') AND d.run_at <= $3
                  ",
            not_overtaking!(),
            "
                ORDER BY d.run_at, d.event LIMIT 1",
            $lock,
            ") RETURNING event, attempts, step"
        )
    };
}

pub(super) const CLAIM: &str = claim!("");

/// Claims the next delivery that is due to an endpoint until `lease_until`, and notes the attempt
/// before anything is sent. An event waits while the first attempt at an earlier one of its session
/// is not over: so first attempts go in the order of `sequence`.
pub async fn claim(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<Claim>, Error> {
    const LOCKED: &str = claim!(" FOR UPDATE OF d SKIP LOCKED");
    const ATTEMPT: &str = "
        INSERT INTO delivery_attempts (account, endpoint, event, number, started_at)
        VALUES ($1, $2, $3, $4, $5)";
    let sql = if tx.locks() { LOCKED } else { CLAIM };
    let row: Option<(EventId, i64, i64)> = on!(tx, |conn| sqlx::query_as(sql)
        .bind(account)
        .bind(endpoint)
        .bind(now.millis())
        .bind(lease_until.millis())
        .fetch_optional(conn)
        .await?);
    let Some((event, attempt, step)) = row else { return Ok(None) };
    on!(tx, |conn| {
        sqlx::query(ATTEMPT)
            .bind(account)
            .bind(endpoint)
            .bind(&event)
            .bind(attempt)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    let (account, endpoint) = (account.clone(), endpoint.clone());
    Ok(Some(Claim { account, endpoint, event, attempt, step }))
}

/// How many of a delivery's attempts before this one have no end: their workers were lost, or could
/// do nothing with it. Those before it was sent again by hand do not count.
pub async fn lost(tx: &mut Tx, claim: &Claim) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM delivery_attempts
        WHERE account = $1 AND endpoint = $2 AND event = $3 AND number < $4 AND number > $5
          AND outcome IS NULL";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(&claim.account)
        .bind(&claim.endpoint)
        .bind(&claim.event)
        .bind(claim.attempt)
        .bind(claim.attempt - claim.step)
        .fetch_one(conn)
        .await?))
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// In a word.
    pub outcome: AttemptOutcome,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// How long it took.
    pub took: std::time::Duration,
}

/// Notes how an attempt ended, though its lease may have.
pub async fn note(tx: &mut Tx, claim: &Claim, ended: Ended) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE delivery_attempts SET duration = $5, status = $6, outcome = $7
        WHERE account = $1 AND endpoint = $2 AND event = $3 AND number = $4";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&claim.account)
            .bind(&claim.endpoint)
            .bind(&claim.event)
            .bind(claim.attempt)
            .bind(i64::try_from(ended.took.as_millis()).unwrap_or(i64::MAX))
            .bind(ended.status.map(i64::from))
            .bind(ended.outcome.as_str())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Ends a delivery; whether the claim was still ours.
pub async fn finish(
    tx: &mut Tx,
    claim: &Claim,
    state: DeliveryState,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE deliveries SET state = $5, ended_at = $6
        WHERE account = $1 AND endpoint = $2 AND event = $3 AND attempts = $4 AND state = 'sending'";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&claim.account)
        .bind(&claim.endpoint)
        .bind(&claim.event)
        .bind(claim.attempt)
        .bind(state.as_str())
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Puts a delivery off until `run_at`; whether the claim was still ours.
pub async fn put_off(tx: &mut Tx, claim: &Claim, run_at: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE deliveries SET state = 'ready', run_at = $5
        WHERE account = $1 AND endpoint = $2 AND event = $3 AND attempts = $4 AND state = 'sending'";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&claim.account)
        .bind(&claim.endpoint)
        .bind(&claim.event)
        .bind(claim.attempt)
        .bind(run_at.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Withdraws what is owed to an endpoint and not being sent, `limit` at most; how many.
pub async fn cancel(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    now: Timestamp,
    limit: i64,
) -> Result<u64, Error> {
    const SQL: &str = "
        UPDATE deliveries SET state = 'cancelled', ended_at = $3
        WHERE account = $1 AND endpoint = $2 AND event IN (
            SELECT event FROM deliveries
            WHERE endpoint = $2 AND state IN ('ready', 'sending')
              AND (state = 'ready' OR run_at <= $3)
            ORDER BY run_at, event LIMIT $4)
          AND (state = 'ready' OR (state = 'sending' AND run_at <= $3))";
    Ok(on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(endpoint)
        .bind(now.millis())
        .bind(limit)
        .execute(conn)
        .await?
        .rows_affected()))
}

/// How many deliveries are owed, counted to `most`.
pub async fn owed(tx: &mut Tx, most: i64) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM (SELECT 1 AS one FROM deliveries
            WHERE state IN ('ready', 'sending') LIMIT $1) AS owed";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(most).fetch_one(conn).await?))
}

/// Forgets deliveries that ended, and their attempts, of events before `before`, `limit` at most; how
/// many. Then deleted endpoints that have none left.
pub async fn purge(tx: &mut Tx, before: &EventId, limit: i64) -> Result<u64, Error> {
    const ENDPOINTS: &str = "
        SELECT account, id, state FROM endpoints e
        WHERE EXISTS (
            SELECT 1 FROM deliveries d WHERE d.account = e.account AND d.endpoint = e.id
              AND d.event < $1 AND d.state NOT IN ('ready', 'sending'))
          OR (e.state = 'deleted' AND NOT EXISTS (
            SELECT 1 FROM deliveries d WHERE d.account = e.account AND d.endpoint = e.id))
        ORDER BY account, id LIMIT $2";
    const ATTEMPTS: &str = "
        DELETE FROM delivery_attempts WHERE account = $1 AND endpoint = $2 AND event IN (
            SELECT event FROM deliveries WHERE account = $1 AND endpoint = $2 AND event < $3
              AND state NOT IN ('ready', 'sending') ORDER BY event LIMIT $4)";
    const ROWS: &str = "
        DELETE FROM deliveries WHERE account = $1 AND endpoint = $2 AND event IN (
            SELECT event FROM deliveries WHERE account = $1 AND endpoint = $2 AND event < $3
              AND state NOT IN ('ready', 'sending') ORDER BY event LIMIT $4)";
    const EMPTY: &str = "
        DELETE FROM endpoints WHERE account = $1 AND id = $2 AND state = 'deleted'
          AND NOT EXISTS (SELECT 1 FROM deliveries WHERE account = $1 AND endpoint = $2)";
    let all: Vec<(AccountId, EndpointId, String)> =
        on!(tx, |conn| sqlx::query_as(ENDPOINTS).bind(before).bind(limit).fetch_all(conn).await?);
    let mut gone = 0;
    for (account, endpoint, state) in all {
        let room = limit - i64::try_from(gone).unwrap_or(limit);
        if room <= 0 {
            break;
        }
        for sql in [ATTEMPTS, ROWS] {
            let rows = on!(tx, |conn| sqlx::query(sql)
                .bind(&account)
                .bind(&endpoint)
                .bind(before)
                .bind(room)
                .execute(conn)
                .await?
                .rows_affected());
            if sql == ROWS {
                gone += rows;
            }
        }
        if state == EndpointState::Deleted.as_str() {
            on!(tx, |conn| {
                sqlx::query(EMPTY).bind(&account).bind(&endpoint).execute(conn).await?;
            });
        }
    }
    Ok(gone)
}
