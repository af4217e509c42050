//! Sessions.

use std::time::Duration;

use super::{Error, Tx, db::on, from_text, master_keys};
use crate::{
    domain::{
        session::{ClosedReason, Lifetime, Mode, State, is_live},
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ServiceId, SessionId},
    privacy::{DataKey, Person},
};

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Its service.
    pub service: ServiceId,
    /// Its name, unique in the service.
    pub unique_name: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// What it relays.
    pub mode: Mode,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// When its time is up.
    pub expires_at: Timestamp,
    /// When the first interaction came.
    pub started_at: Option<Timestamp>,
    /// When it was closed.
    pub ended_at: Option<Timestamp>,
    /// When the last interaction came.
    pub last_interaction_at: Option<Timestamp>,
    /// Why it is closed.
    pub closed_reason: Option<ClosedReason>,
    /// When a restore put it on hold (I31); `None` once it was confirmed.
    pub suspended_at: Option<Timestamp>,
    /// Whether its calls may be recorded; `None` leaves it to the service.
    pub recording: Option<bool>,
    /// The marketplace's own words: a JSON object.
    pub metadata: String,
    /// How many events it has had.
    pub events: i64,
    /// Grows with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Whether it, or its service, was deleted: nobody is shown it, or put through.
    pub gone: bool,
    /// Its data key, wrapped.
    wrapped_key: String,
}

impl Session {
    /// Whether it puts anybody through at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.gone && is_live(self.state, self.suspended_at.is_some(), self.expires_at, now)
    }

    /// Its data key.
    ///
    /// # Errors
    /// [`Error::Sealed`] with the wrong master key, or after erasure.
    pub fn data_key(&self, tx: &Tx) -> Result<DataKey, Error> {
        Ok(tx.keyring().unwrap(&self.wrapped_key, &context(&self.id))?)
    }
}

/// The place of a session's key.
pub(super) fn context(id: &SessionId) -> String {
    format!("session:{id}")
}

/// A session to make.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: &'a SessionId,
    /// Its service.
    pub service: &'a ServiceId,
    /// Its name.
    pub unique_name: Option<&'a str>,
    /// What it relays.
    pub mode: Mode,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Whether its calls may be recorded; `None` leaves it to the service.
    pub recording: Option<bool>,
    /// The marketplace's own words: a JSON object.
    pub metadata: &'a str,
    /// Its data key.
    pub key: &'a DataKey,
    /// Now.
    pub now: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: SessionId,
    service: ServiceId,
    unique_name: Option<String>,
    state: String,
    mode: String,
    ttl: i64,
    date_expiry: Option<i64>,
    expires_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    last_interaction_at: Option<i64>,
    closed_reason: Option<String>,
    suspended_at: Option<i64>,
    recording: Option<bool>,
    metadata: String,
    data_key: String,
    events: i64,
    version: i64,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
    service_gone: bool,
}

/// Whether a session's service was deleted: then its sessions are, if not all of them yet.
macro_rules! service_gone {
    () => {
        "EXISTS (SELECT 1 FROM services v WHERE v.account = sessions.account \
         AND v.id = sessions.service AND v.deleted_at IS NOT NULL)"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, service, unique_name, state, mode, ttl, date_expiry, expires_at, started_at, \
             ended_at, last_interaction_at, closed_reason, suspended_at, recording, metadata, data_key, events, version, \
             created_at, updated_at, deleted_at, ",
            service_gone!(),
            " AS service_gone FROM sessions ",
            $rest
        )
    };
}

// After the macros, which it takes.
mod of_person;
#[cfg(test)]
pub(super) use self::of_person::OF_PERSON;
pub use self::of_person::of_person;

impl TryFrom<Row> for Session {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            service: row.service,
            unique_name: row.unique_name,
            state: from_text!("sessions"."state", State::parse, &row.state)?,
            mode: from_text!("sessions"."mode", Mode::parse, &row.mode)?,
            lifetime: Lifetime {
                ttl: Duration::from_millis(u64::try_from(row.ttl).unwrap_or(0)),
                date_expiry: row.date_expiry.map(Timestamp::from_millis),
            },
            expires_at: Timestamp::from_millis(row.expires_at),
            started_at: row.started_at.map(Timestamp::from_millis),
            ended_at: row.ended_at.map(Timestamp::from_millis),
            last_interaction_at: row.last_interaction_at.map(Timestamp::from_millis),
            closed_reason: row
                .closed_reason
                .map(|text| from_text!("sessions"."closed_reason", ClosedReason::parse, &text))
                .transpose()?,
            suspended_at: row.suspended_at.map(Timestamp::from_millis),
            recording: row.recording,
            metadata: row.metadata,
            events: row.events,
            version: row.version,
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
            gone: row.deleted_at.is_some() || row.service_gone,
            wrapped_key: row.data_key,
        })
    }
}

/// Milliseconds as a column.
pub(super) fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// Makes a session; its first version.
///
/// # Errors
/// [`Error::Conflict`] if its name is taken in the service; [`Error::Keys`] if our master key was
/// rotated out meanwhile.
pub async fn insert(tx: &mut Tx, account: &AccountId, new: &NewSession<'_>) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO sessions (account, id, service, unique_name, state, mode, ttl, date_expiry,
            expires_at, metadata, data_key, events, version, created_at, updated_at, recording)
        SELECT $1, $2, $3, $4, 'open', $5, $6, $7, $8, $9, $10, 0, 1, $11, $11, $13
        WHERE NOT EXISTS (SELECT 1 FROM master_keys WHERE id = $12 AND retired_at IS NOT NULL)
        ON CONFLICT DO NOTHING";
    let ring = tx.keyring();
    let key = new.key.wrap(&ring, &context(new.id));
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(new.id)
        .bind(new.service)
        .bind(new.unique_name)
        .bind(new.mode.as_str())
        .bind(millis(new.lifetime.ttl))
        .bind(new.lifetime.date_expiry.map(Timestamp::millis))
        .bind(new.lifetime.expires_at(new.now).millis())
        .bind(new.metadata)
        .bind(&key)
        .bind(new.now.millis())
        .bind(ring.key_id())
        .bind(new.recording)
        .execute(conn)
        .await?
        .rows_affected());
    if done == 1 {
        return Ok(());
    }
    master_keys::may_wrap(tx).await?;
    Err(Error::Conflict)
}

pub(super) const GET: &str = select!("WHERE account = $1 AND id = $2");

/// The session with that id, unless it was deleted.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<Option<Session>, Error> {
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(GET).bind(account).bind(id).fetch_optional(conn).await?);
    let session = row.map(Session::try_from).transpose()?;
    Ok(session.filter(|session| !session.gone))
}

/// The session with that id, also if it was deleted.
pub async fn get_any(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<Option<Session>, Error> {
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(GET).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Session::try_from).transpose()
}

/// The session with that id, deleted ones too, locked until the transaction ends: a close and an inbound event see
/// each other (I3). `FOR NO KEY UPDATE`, since the row will be changed: sharing it first deadlocks.
pub async fn lock(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<Option<Session>, Error> {
    const LOCKED: &str = select!("WHERE account = $1 AND id = $2 FOR NO KEY UPDATE");
    let sql = if tx.locks() { LOCKED } else { GET };
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(sql).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Session::try_from).transpose()
}

/// The sessions that are not closed and have both of these persons in them, by id.
pub async fn shared(
    tx: &mut Tx,
    account: &AccountId,
    one: &Person,
    other: &Person,
) -> Result<Vec<SessionId>, Error> {
    const SQL: &str = "
        SELECT s.id FROM sessions s
        JOIN participants a ON a.account = s.account AND a.session = s.id
        JOIN participants b ON b.account = s.account AND b.session = s.id
        WHERE a.account = $1 AND a.person = $2 AND b.person = $3 AND s.state <> 'closed'
        ORDER BY s.id";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(one)
        .bind(other)
        .fetch_all(conn)
        .await?))
}

/// The id of the session with that name.
pub async fn by_name(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    name: &str,
) -> Result<Option<SessionId>, Error> {
    const SQL: &str =
        "SELECT id FROM sessions WHERE account = $1 AND service = $2 AND unique_name = $3";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(service)
        .bind(name)
        .fetch_optional(conn)
        .await?))
}

/// The unique names of these sessions, where they have one.
pub async fn names(
    tx: &mut Tx,
    account: &AccountId,
    sessions: &[SessionId],
) -> Result<Vec<(SessionId, String)>, Error> {
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(tx, |conn| {
        let mut q =
            sqlx::QueryBuilder::new("SELECT id, unique_name FROM sessions WHERE account = ");
        q.push_bind(account).push(" AND unique_name IS NOT NULL AND id");
        listed!(q, sessions);
        q.push(" ORDER BY id");
        q.build_query_as().fetch_all(conn).await?
    }))
}

/// Writes what can change in a session, but for its count of events. The caller holds its lock.
pub async fn update(tx: &mut Tx, account: &AccountId, session: &Session) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE sessions SET state = $3, ttl = $4, date_expiry = $5, expires_at = $6,
            started_at = $7, ended_at = $8, last_interaction_at = $9, closed_reason = $10,
            metadata = $11, version = $12, updated_at = $13, suspended_at = $14
        WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&session.id)
            .bind(session.state.as_str())
            .bind(millis(session.lifetime.ttl))
            .bind(session.lifetime.date_expiry.map(Timestamp::millis))
            .bind(session.expires_at.millis())
            .bind(session.started_at.map(Timestamp::millis))
            .bind(session.ended_at.map(Timestamp::millis))
            .bind(session.last_interaction_at.map(Timestamp::millis))
            .bind(session.closed_reason.map(ClosedReason::as_str))
            .bind(&session.metadata)
            .bind(session.version)
            .bind(session.updated_at.millis())
            .bind(session.suspended_at.map(Timestamp::millis))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Deletes a session: nobody is shown it any more, and its name is free. The caller holds its lock
/// and has closed it.
pub async fn delete(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE sessions SET deleted_at = $3, updated_at = $3, unique_name = NULL,
            version = version + 1
        WHERE account = $1 AND id = $2 AND deleted_at IS NULL";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(id).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Sessions that outlived their service, `limit` at most; of one service, or of all.
pub async fn orphans(
    tx: &mut Tx,
    service: Option<(&AccountId, &ServiceId)>,
    limit: i64,
) -> Result<Vec<(AccountId, SessionId)>, Error> {
    const SQL: &str = "
        SELECT s.account, s.id FROM services v
        JOIN sessions s ON s.account = v.account AND s.service = v.id
        WHERE v.deleted_at IS NOT NULL AND s.deleted_at IS NULL
          AND ($1 = '' OR (v.account = $1 AND v.id = $2))
        ORDER BY s.account, s.service, s.id LIMIT $3";
    let (account, service) = service.map_or(("", ""), |(a, s)| (a.as_str(), s.as_str()));
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(service)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// Counts one more event of a session: its number, and the session's service; nothing where there is
/// no such session.
pub async fn count_event(
    tx: &mut Tx,
    account: &AccountId,
    id: &SessionId,
) -> Result<Option<(i64, ServiceId)>, Error> {
    const SQL: &str = "
        UPDATE sessions SET events = events + 1 WHERE account = $1 AND id = $2
        RETURNING events, service";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?))
}

pub(super) const DUE: &str = "
    SELECT account, id FROM sessions WHERE state <> 'closed' AND expires_at <= $1
    ORDER BY expires_at, id LIMIT $2";

/// Sessions whose time was up at `now` and that are not closed yet, `limit` at most.
pub async fn due(
    tx: &mut Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(AccountId, SessionId)>, Error> {
    Ok(on!(tx, |conn| sqlx::query_as(DUE).bind(now.millis()).bind(limit).fetch_all(conn).await?))
}

/// What a list is narrowed to. Everything that is set must hold.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    /// Of this service.
    pub service: Option<ServiceId>,
    /// In this state.
    pub state: Option<State>,
    /// On hold since a restore, or not.
    pub suspended: Option<bool>,
    /// Made at this time or later.
    pub created_from: Option<Timestamp>,
    /// Made before this time.
    pub created_before: Option<Timestamp>,
    /// With a participant of this role.
    pub role: Option<String>,
    /// With a proxy number at this carrier.
    pub carrier: Option<String>,
    /// Of this name, in any service.
    pub unique_name: Option<String>,
    /// In which somebody has, or had, this proxy number.
    pub number: Option<NumberId>,
}

/// The least id of that prefix that can be made at `at`: ids begin with their instant, so an
/// instant bounds a walk in order of ids.
pub(super) fn first_id(prefix: &str, at: Timestamp) -> String {
    format!("{prefix}{:012x}", at.millis())
}

/// A page of a list, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// Only ids before this one; `None` for the first page.
    pub before: Option<String>,
    /// Instead, those that come next after this id: the page before one that began below it.
    pub after: Option<String>,
    /// How many at most.
    pub limit: i64,
}

impl Page {
    /// Rows as they were found, newest first.
    pub(super) fn in_order<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        if self.after.is_some() {
            rows.reverse();
        }
        rows
    }
}

/// Ends a query of rows with ids by the page that is asked for.
macro_rules! paged {
    ($q:ident, $page:expr) => {
        match (&$page.after, &$page.before) {
            (Some(after), _) => $q.push(" AND id > ").push_bind(after).push(" ORDER BY id"),
            (None, Some(before)) => {
                $q.push(" AND id < ").push_bind(before).push(" ORDER BY id DESC")
            }
            (None, None) => $q.push(" ORDER BY id DESC"),
        }
        .push(" LIMIT ")
        .push_bind($page.limit)
    };
}
pub(super) use paged;

/// Narrows a query to the values of a list, which must not be empty: no statement can name none.
macro_rules! listed {
    ($q:ident, $values:expr) => {
        $q.push(" IN (");
        let mut list = $q.separated(", ");
        for value in $values {
            list.push_bind(value);
        }
        $q.push(")");
    };
}
pub(super) use listed;

/// Narrows a query to an account's sessions that a filter leaves and nobody deleted.
macro_rules! narrowed {
    ($q:ident, $account:expr, $filter:expr) => {
        $q.push_bind($account);
        $q.push(concat!(" AND deleted_at IS NULL AND NOT ", service_gone!()));
        if let Some(service) = &$filter.service {
            $q.push(" AND service = ").push_bind(service);
        }
        if let Some(state) = $filter.state {
            $q.push(" AND state = ").push_bind(state.as_str());
        }
        if let Some(held) = $filter.suspended {
            $q.push(" AND suspended_at IS ").push(if held { "NOT NULL" } else { "NULL" });
        }
        if let Some(at) = $filter.created_from {
            $q.push(" AND created_at >= ").push_bind(at.millis());
            $q.push(" AND id >= ").push_bind(first_id("KC", at));
        }
        if let Some(at) = $filter.created_before {
            $q.push(" AND created_at < ").push_bind(at.millis());
            $q.push(" AND id < ").push_bind(first_id("KC", at));
        }
        if let Some(name) = &$filter.unique_name {
            $q.push(
                " AND id IN (SELECT n.id FROM services v JOIN sessions n ON n.account = v.account \
                 AND n.service = v.id WHERE v.account = ",
            );
            $q.push_bind($account).push(" AND n.unique_name = ").push_bind(name).push(")");
        }
        if let Some(number) = &$filter.number {
            $q.push(" AND id IN (SELECT p.session FROM participants p WHERE p.account = ");
            $q.push_bind($account).push(" AND p.number_id = ").push_bind(number);
            if let Some(at) = $filter.created_from {
                $q.push(" AND p.session >= ").push_bind(first_id("KC", at));
            }
            if let Some(at) = $filter.created_before {
                $q.push(" AND p.session < ").push_bind(first_id("KC", at));
            }
            // What people were moved off, or on to and back.
            for column in ["old_number_id", "new_number_id"] {
                $q.push(" UNION SELECT m.session FROM number_move_steps m WHERE m.account = ");
                $q.push_bind($account).push(" AND m.").push(column).push(" = ").push_bind(number);
            }
            $q.push(")");
        }
        if let Some(role) = &$filter.role {
            $q.push(
                " AND EXISTS (SELECT 1 FROM participants p WHERE p.account = sessions.account \
                 AND p.session = sessions.id AND p.role = ",
            );
            $q.push_bind(role).push(")");
        }
        if let Some(carrier) = &$filter.carrier {
            $q.push(
                " AND EXISTS (SELECT 1 FROM participants p JOIN numbers n ON n.account = p.account \
                 AND n.id = p.number_id WHERE p.account = sessions.account \
                 AND p.session = sessions.id AND n.carrier = ",
            );
            $q.push_bind(carrier).push(")");
        }
    };
}

/// Sessions, newest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Session>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("WHERE account = "));
        narrowed!(q, account, filter);
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    page.in_order(rows).into_iter().map(Session::try_from).collect()
}

/// How many sessions a filter leaves, counted to `most`.
pub async fn count_narrowed(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    most: i64,
) -> Result<i64, Error> {
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM sessions WHERE account = ",
        );
        narrowed!(q, account, filter);
        q.push(" LIMIT ").push_bind(most).push(") AS counted");
        q.build_query_scalar().fetch_one(conn).await?
    }))
}
