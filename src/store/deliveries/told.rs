//! Deliveries as their owner sees them: listed with their attempts, and owed again.

use super::{AttemptOutcome, DeliveryState};
use crate::{
    domain::{event::EventKind, time::Timestamp},
    ids::{AccountId, EndpointId, EventId},
    store::{Error, Tx, db::on, from_text, sessions::Page},
};

/// A delivery, as it is told.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The event.
    pub event: EventId,
    /// Its type.
    pub kind: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, if it is.
    pub next_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    endpoint: EndpointId,
    event: EventId,
    r#type: String,
    state: String,
    attempts: i64,
    run_at: i64,
    created_at: i64,
    ended_at: Option<i64>,
}

impl TryFrom<Row> for Delivery {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let state = from_text!("deliveries"."state", DeliveryState::parse, &row.state)?;
        let waits = state == DeliveryState::Ready;
        Ok(Self {
            endpoint: row.endpoint,
            event: row.event,
            kind: row.r#type,
            state,
            attempts: row.attempts,
            next_at: waits.then_some(Timestamp::from_millis(row.run_at)),
            created_at: Timestamp::from_millis(row.created_at),
            ended_at: row.ended_at.map(Timestamp::from_millis),
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.endpoint, d.event, d.type, d.state, d.attempts, d.run_at, d.created_at, \
             d.ended_at FROM deliveries d ",
            $rest
        )
    };
}
pub(super) use select;

/// One delivery.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    event: &EventId,
) -> Result<Option<Delivery>, Error> {
    const SQL: &str = select!("WHERE d.account = $1 AND d.endpoint = $2 AND d.event = $3");
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(endpoint)
        .bind(event)
        .fetch_optional(conn)
        .await?);
    row.map(Delivery::try_from).transpose()
}

/// An endpoint's deliveries, the newest event first; those before `before`, `limit` at most.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    state: Option<DeliveryState>,
    kind: Option<EventKind>,
    page: &Page,
) -> Result<Vec<Delivery>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("WHERE d.account = "));
        q.push_bind(account).push(" AND d.endpoint = ").push_bind(endpoint);
        // As words of the statement: an index has only the rows of some states.
        q.push(match state {
            None => "",
            Some(DeliveryState::Ready) => " AND d.state = 'ready'",
            Some(DeliveryState::Sending) => " AND d.state = 'sending'",
            Some(DeliveryState::Delivered) => " AND d.state = 'delivered'",
            Some(DeliveryState::Failed) => " AND d.state = 'failed'",
            Some(DeliveryState::Cancelled) => " AND d.state = 'cancelled'",
        });
        if let Some(kind) = kind {
            q.push(" AND d.type = ").push_bind(kind.as_str());
        }
        if let Some(before) = &page.before {
            q.push(" AND d.event < ").push_bind(before);
        }
        q.push(" ORDER BY d.event DESC LIMIT ").push_bind(page.limit);
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(Delivery::try_from).collect()
}

/// An event's deliveries to the endpoints that are there, in order of their ids. There are few.
pub async fn of_event(
    tx: &mut Tx,
    account: &AccountId,
    event: &EventId,
) -> Result<Vec<Delivery>, Error> {
    const SQL: &str = select!(
        "JOIN endpoints e ON e.account = d.account AND e.id = d.endpoint
        WHERE e.account = $1 AND e.state <> 'deleted' AND d.event = $2 ORDER BY d.endpoint"
    );
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(event).fetch_all(conn).await?);
    rows.into_iter().map(Delivery::try_from).collect()
}

/// An attempt, as it is told.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// From 1.
    pub number: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// The status, if there was an answer.
    pub status: Option<i64>,
    /// How it ended; `None` while it is under way, or if its worker was lost.
    pub outcome: Option<AttemptOutcome>,
}

type AttemptRow = (i64, i64, Option<i64>, Option<i64>, Option<String>);

/// The attempts at a delivery, the last 100, in order.
pub async fn attempts(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    event: &EventId,
) -> Result<Vec<Attempt>, Error> {
    const SQL: &str = "
        SELECT number, started_at, duration, status, outcome FROM delivery_attempts
        WHERE account = $1 AND endpoint = $2 AND event = $3 ORDER BY number DESC LIMIT 100";
    let rows: Vec<AttemptRow> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(endpoint)
        .bind(event)
        .fetch_all(conn)
        .await?);
    rows.into_iter()
        .rev()
        .map(|(number, started_at, duration_ms, status, outcome)| {
            let parse = AttemptOutcome::parse;
            let outcome = match &outcome {
                Some(text) => Some(from_text!("delivery_attempts"."outcome", parse, text)?),
                None => None,
            };
            let started_at = Timestamp::from_millis(started_at);
            Ok(Attempt { number, started_at, duration_ms, status, outcome })
        })
        .collect()
}

/// Owes a delivery again from the beginning of the schedule, unless it is being sent; whether it
/// was not.
pub async fn again(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    event: &EventId,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE deliveries SET state = 'ready', step = 0, run_at = $4, ended_at = NULL
        WHERE account = $1 AND endpoint = $2 AND event = $3
          AND (state <> 'sending' OR run_at <= $4)";
    let rows = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(endpoint)
        .bind(event)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    tx.owes(rows);
    Ok(rows == 1)
}

/// Which of an endpoint's deliveries are owed again.
#[derive(Debug)]
pub struct Range<'a> {
    /// Those of events from this id on,
    pub from: &'a EventId,
    /// and before this one,
    pub before: &'a EventId,
    /// of this many at most.
    pub limit: i64,
}

/// Owes all ended deliveries of a range in one state again; how many.
pub async fn range_again(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    state: DeliveryState,
    range: &Range<'_>,
    now: Timestamp,
) -> Result<u64, Error> {
    const SQL: &str = "
        UPDATE deliveries SET state = 'ready', step = 0, run_at = $5, ended_at = NULL
        WHERE account = $1 AND endpoint = $2 AND state = $6 AND event IN (
            SELECT event FROM deliveries
            WHERE account = $1 AND endpoint = $2 AND state = $6 AND event >= $3 AND event < $4
            ORDER BY event LIMIT $7)";
    let rows = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(endpoint)
        .bind(range.from)
        .bind(range.before)
        .bind(now.millis())
        .bind(state.as_str())
        .bind(range.limit)
        .execute(conn)
        .await?
        .rows_affected());
    tx.owes(rows);
    Ok(rows)
}

/// The events of a range that fit an endpoint's filters and were never owed to it.
macro_rules! missing {
    () => {
        "FROM endpoints e JOIN events v ON v.account = e.account
        WHERE e.account = $1 AND e.id = $2 AND v.id >= $3 AND v.id < $4
          AND v.type NOT IN ('endpoint.ping', 'endpoint.disabled')
          AND (e.service IS NULL OR e.service = v.service)
          AND (e.event_types = '' OR e.event_types LIKE '% ' || v.type || ' %')
          AND NOT EXISTS (SELECT 1 FROM deliveries d
            WHERE d.account = v.account AND d.endpoint = e.id AND d.event = v.id)"
    };
}
pub(super) use missing;

/// Owes an endpoint the events of a range that fit its filters and were never owed to it, as while
/// it was switched off; how many.
pub async fn owe_missing(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    range: &Range<'_>,
    now: Timestamp,
) -> Result<u64, Error> {
    const SQL: &str = concat!(
        "INSERT INTO deliveries (account, endpoint, event, type, session, sequence, state, step,
            attempts, run_at, created_at)
        SELECT v.account, e.id, v.id, v.type, v.session, v.sequence, 'ready', 0, 0, $5, $5 ",
        missing!(),
        " ORDER BY v.id LIMIT $6"
    );
    let rows = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(endpoint)
        .bind(range.from)
        .bind(range.before)
        .bind(now.millis())
        .bind(range.limit)
        .execute(conn)
        .await?
        .rows_affected());
    tx.owes(rows);
    Ok(rows)
}
