//! Events for the marketplace: thin, with no number and no words.

use super::{Error, Tx, db::on, sessions, sessions::Page};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, EventId, InteractionId, ServiceId, SessionId},
};

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What happened: dotted words.
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
    /// The service.
    pub service: Option<&'a ServiceId>,
    /// The session: its row is changed here, so the caller holds its lock.
    pub session: Option<&'a SessionId>,
    /// The interaction.
    pub interaction: Option<&'a InteractionId>,
}

/// Notes that something happened.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    kind: &str,
    place: Place<'_>,
    data: &str,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO events
            (account, id, type, service, session, interaction, sequence, data, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let sequence = match place.session {
        Some(session) => sessions::count_event(tx, account, session).await?,
        None => 0,
    };
    let id: EventId = tx.id_at(now);
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&id)
            .bind(kind)
            .bind(place.service)
            .bind(place.session)
            .bind(place.interaction)
            .bind(sequence)
            .bind(data)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

type Row = (
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
            q.push(" OR interaction IN (");
            let mut ids = q.separated(", ");
            for id in window.interactions {
                ids.push_bind(id);
            }
            q.push(")");
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

fn event(row: Row) -> Event {
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
