//! Events for the marketplace: thin, with no number and no words.

use std::time::Duration;

use super::{
    Error, Tx,
    db::{Conn, on},
    deliveries::{self, News},
    sessions::{self, Page, listed},
};
use crate::{
    domain::{event::EventKind, time::Timestamp},
    ids::{AccountId, EndpointId, EventId, InteractionId, ServiceId, SessionId},
};

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What happened: an [`EventKind`], or one that a newer version wrote.
    pub kind: String,
    /// The service.
    pub service: Option<ServiceId>,
    /// The session.
    pub session: Option<SessionId>,
    /// The interaction.
    pub interaction: Option<InteractionId>,
    /// Its place among its session's events, from 1; 0 outside of a session.
    pub sequence: i64,
    /// The rest: a JSON object.
    pub data: String,
    /// When it happened.
    pub created_at: Timestamp,
}

/// Where an event happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The service, where there is no session that tells it.
    pub service: Option<&'a ServiceId>,
    /// The session: its row is changed here, so the caller holds its lock.
    pub session: Option<&'a SessionId>,
    /// The interaction.
    pub interaction: Option<&'a InteractionId>,
}

/// Notes that something happened, and owes it to the endpoints that it is for.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    kind: EventKind,
    place: Place<'_>,
    data: &str,
    now: Timestamp,
) -> Result<(), Error> {
    write(tx, account, kind, place, data, now, None).await.map(drop)
}

/// Notes that something happened, and owes it to one endpoint alone; the event.
pub async fn insert_for(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    kind: EventKind,
    data: &str,
    now: Timestamp,
) -> Result<EventId, Error> {
    write(tx, account, kind, Place::default(), data, now, Some(endpoint)).await
}

async fn write(
    tx: &mut Tx,
    account: &AccountId,
    kind: EventKind,
    place: Place<'_>,
    data: &str,
    now: Timestamp,
    only: Option<&EndpointId>,
) -> Result<EventId, Error> {
    const SQL: &str = "
        INSERT INTO events
            (account, id, type, service, session, interaction, sequence, data, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let (sequence, service) = match place.session {
        Some(session) => {
            let counted = sessions::count_event(tx, account, session).await?;
            let gone = Error::Inconsistent { table: "events", column: "session" };
            let (sequence, service) = counted.ok_or(gone)?;
            (sequence, Some(service))
        }
        None => (0, place.service.cloned()),
    };
    let id: EventId = tx.id_at(now);
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&id)
            .bind(kind.as_str())
            .bind(&service)
            .bind(place.session)
            .bind(place.interaction)
            .bind(sequence)
            .bind(data)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    let (service, session) = (service.as_ref(), place.session);
    let news = News { event: &id, kind, service, session, sequence, now };
    match only {
        Some(endpoint) => deliveries::owe_one(tx, account, endpoint, &news).await?,
        None => deliveries::owe(tx, account, &news).await?,
    }
    Ok(id)
}

pub(super) type Row = (
    EventId,
    String,
    Option<ServiceId>,
    Option<SessionId>,
    Option<InteractionId>,
    i64,
    String,
    i64,
);

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, type, service, session, interaction, sequence, data, created_at \
             FROM events WHERE ",
            $rest
        )
    };
}
pub(super) use select;

/// An account's events, newest first; of one session or one type where named.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    session: Option<&SessionId>,
    kind: Option<&str>,
    page: &Page,
) -> Result<Vec<Event>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("account = "));
        q.push_bind(account);
        if let Some(session) = session {
            q.push(" AND session = ").push_bind(session);
        }
        if let Some(kind) = kind {
            q.push(" AND type = ").push_bind(kind);
        }
        if let Some(before) = &page.before {
            q.push(" AND id < ").push_bind(before);
        }
        q.push(" ORDER BY id DESC LIMIT ").push_bind(page.limit);
        q.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(event).collect())
}

/// An account's events after `after`, oldest first; of one session or one type where named. Only
/// those of before `before`, an instant that [`settled`] gave.
pub async fn list_after(
    tx: &mut Tx,
    account: &AccountId,
    session: Option<&SessionId>,
    kind: Option<&str>,
    after: &str,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("account = "));
        q.push_bind(account);
        if let Some(session) = session {
            q.push(" AND session = ").push_bind(session);
        }
        if let Some(kind) = kind {
            q.push(" AND type = ").push_bind(kind);
        }
        q.push(" AND id > ").push_bind(after);
        q.push(" AND id < ").push_bind(EventId::first_of(before));
        q.push(" ORDER BY id LIMIT ").push_bind(limit);
        q.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(event).collect())
}

/// The instant before which no event can be committed any more, as far as is known, and at least
/// `slack` ago. Ids are made before the commit: of two transactions that run at once, the one with
/// the later id may be seen first, and who reads on from there misses the other.
///
/// PostgreSQL knows its transactions: an id is never older than the beginning of its own, so every
/// event of before the oldest one under way is committed or never will be. SQLite has one writer at
/// a time. `slack` is for clocks: of another server after a failover, of another process.
///
/// Read the events in a later transaction than this: what committed in between must be seen.
pub async fn settled(tx: &mut Tx, slack: Duration) -> Result<Timestamp, Error> {
    const SQL: &str = "
        SELECT CAST(FLOOR(EXTRACT(EPOCH FROM MIN(xact_start)) * 1000) AS BIGINT)
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
          AND (application_name = 'entremise' OR backend_xid IS NOT NULL)";
    let now = tx.now().await?;
    let latest = now - slack;
    let offset = tx.shared.clock.offset_ms();
    let Conn::Postgres(conn) = &mut tx.conn else { return Ok(latest) };
    let oldest: Option<i64> = sqlx::query_scalar(SQL).fetch_one(&mut **conn).await?;
    Ok(oldest.map_or(latest, |ms| latest.min(Timestamp::from_millis(ms + offset))))
}

/// Which of a session's events are looked at.
#[derive(Debug)]
pub struct Window<'a> {
    /// Those of these interactions,
    pub interactions: &'a [InteractionId],
    /// and those of no interaction from this instant on,
    pub from: Timestamp,
    /// but before this one.
    pub before: Timestamp,
}

/// A session's events in a window, in the order in which they happened, `limit` at most.
pub async fn of_session(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    window: &Window<'_>,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("account = "));
        q.push_bind(account).push(" AND session = ").push_bind(session);
        q.push(" AND ((interaction IS NULL AND created_at >= ");
        q.push_bind(window.from.millis());
        q.push(" AND created_at < ").push_bind(window.before.millis()).push(")");
        if !window.interactions.is_empty() {
            q.push(" OR interaction");
            listed!(q, window.interactions);
        }
        q.push(") ORDER BY sequence, id LIMIT ").push_bind(limit);
        q.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(event).collect())
}

/// One event.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &EventId) -> Result<Option<Event>, Error> {
    const SQL: &str = select!("account = $1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    Ok(row.map(event))
}

pub(super) fn event(row: Row) -> Event {
    Event {
        id: row.0,
        kind: row.1,
        service: row.2,
        session: row.3,
        interaction: row.4,
        sequence: row.5,
        data: row.6,
        created_at: Timestamp::from_millis(row.7),
    }
}
