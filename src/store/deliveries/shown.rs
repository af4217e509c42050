//! Deliveries as the console lists them, and how many a replay would concern.

use super::{Attempt, AttemptOutcome, Delivery, DeliveryState, Range, told};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, EndpointId, EventId},
    store::{
        Error, Tx,
        db::on,
        from_text,
        sessions::{Page, listed},
    },
};

/// Which deliveries of an endpoint are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Only of events from this instant on.
    pub from: Option<Timestamp>,
    /// Only of events before this instant.
    pub before: Option<Timestamp>,
    /// Only of this event and later ones.
    pub from_event: Option<EventId>,
}

/// As words of the statement: an index has only the rows of some states.
const fn in_state(state: Option<DeliveryState>) -> &'static str {
    match state {
        None => "",
        Some(DeliveryState::Ready) => " AND d.state = 'ready'",
        Some(DeliveryState::Sending) => " AND d.state = 'sending'",
        Some(DeliveryState::Delivered) => " AND d.state = 'delivered'",
        // The index's own words: without them SQLite does not see that it has all of them.
        Some(DeliveryState::Failed) => {
            " AND d.state IN ('failed', 'cancelled') AND d.state = 'failed'"
        }
        Some(DeliveryState::Cancelled) => {
            " AND d.state IN ('failed', 'cancelled') AND d.state = 'cancelled'"
        }
    }
}

/// The event at which a look at `rows` deliveries of an endpoint ends, where a filter asks for a state that no index
/// has in this order; `None` where all can be read.
pub async fn reach(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    (filter, page): (&Filter, &Page),
    rows: i64,
) -> Result<Option<EventId>, Error> {
    let walked = matches!(
        filter.state,
        Some(DeliveryState::Ready | DeliveryState::Sending | DeliveryState::Delivered)
    );
    if !walked {
        return Ok(None);
    }
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT d.event FROM deliveries d WHERE d.account = ");
        q.push_bind(account).push(" AND d.endpoint = ").push_bind(endpoint);
        if let Some(at) = filter.from {
            q.push(" AND d.event >= ").push_bind(EventId::first_of(at));
        }
        if let Some(at) = filter.before {
            q.push(" AND d.event < ").push_bind(EventId::first_of(at));
        }
        if let Some(before) = &page.before {
            q.push(" AND d.event < ").push_bind(before);
        }
        q.push(" ORDER BY d.event DESC LIMIT 1 OFFSET ").push_bind(rows);
        q.build_query_scalar().fetch_optional(conn).await?
    }))
}

/// An endpoint's deliveries that a filter leaves, the newest event first.
pub async fn narrowed(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Delivery>, Error> {
    let rows: Vec<told::Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(told::select!("WHERE d.account = "));
        q.push_bind(account).push(" AND d.endpoint = ").push_bind(endpoint);
        q.push(in_state(filter.state));
        if let Some(at) = filter.from {
            q.push(" AND d.event >= ").push_bind(EventId::first_of(at));
        }
        if let Some(at) = filter.before {
            q.push(" AND d.event < ").push_bind(EventId::first_of(at));
        }
        if let Some(event) = &filter.from_event {
            q.push(" AND d.event >= ").push_bind(event);
        }
        if let Some(before) = &page.before {
            q.push(" AND d.event < ").push_bind(before);
        }
        q.push(" ORDER BY d.event DESC LIMIT ").push_bind(page.limit);
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(Delivery::try_from).collect()
}

type LastRow = (EventId, i64, i64, Option<i64>, Option<i64>, Option<String>);

/// The last attempt at each of these deliveries; of those that were never tried none.
pub async fn last_attempts(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    events: &[EventId],
) -> Result<Vec<(EventId, Attempt)>, Error> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<LastRow> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT a.event, a.number, a.started_at, a.duration, a.status, a.outcome \
             FROM deliveries d JOIN delivery_attempts a ON a.account = d.account \
             AND a.endpoint = d.endpoint AND a.event = d.event AND a.number = d.attempts \
             WHERE d.account = ",
        );
        q.push_bind(account).push(" AND d.endpoint = ").push_bind(endpoint).push(" AND d.event");
        listed!(q, events);
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter()
        .map(|(event, number, started_at, duration_ms, status, outcome)| {
            let parse = AttemptOutcome::parse;
            let outcome = match &outcome {
                Some(text) => Some(from_text!("delivery_attempts"."outcome", parse, text)?),
                None => None,
            };
            let started_at = Timestamp::from_millis(started_at);
            Ok((event, Attempt { number, started_at, duration_ms, status, outcome }))
        })
        .collect()
}

/// How many deliveries of a range are in a state, counted to the range's limit.
pub async fn count_range(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    state: DeliveryState,
    range: &Range<'_>,
) -> Result<i64, Error> {
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM deliveries d WHERE d.account = ",
        );
        q.push_bind(account).push(" AND d.endpoint = ").push_bind(endpoint);
        q.push(in_state(Some(state)));
        q.push(" AND d.event >= ").push_bind(range.from);
        q.push(" AND d.event < ").push_bind(range.before);
        q.push(" LIMIT ").push_bind(range.limit).push(") AS counted");
        q.build_query_scalar().fetch_one(conn).await?
    }))
}

/// How many events of a range fit an endpoint's filters and were never owed to it, counted to the range's limit.
pub async fn count_missing(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    range: &Range<'_>,
) -> Result<i64, Error> {
    const SQL: &str = concat!(
        "SELECT COUNT(*) FROM (SELECT 1 AS one ",
        told::missing!(),
        " LIMIT $5) AS counted"
    );
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(endpoint)
        .bind(range.from)
        .bind(range.before)
        .bind(range.limit)
        .fetch_one(conn)
        .await?))
}
