//! What accounts asked of the APIs and how it was answered, for their developers: no path, query, body or address.

use std::time::Duration;

use super::{
    Db, Error, Tx,
    db::on,
    sessions::{Page, paged},
};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, KeyId, LoggedId, RequestId},
};

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the log.
    pub id: LoggedId,
    /// As the answer's `Request-Id` has it; whoever asks may choose it.
    pub request: RequestId,
    /// Of a closed set, such as `GET`.
    pub method: &'static str,
    /// The router's pattern, never the path.
    pub route: String,
    /// The answer's status.
    pub status: u16,
    /// Which problem it was: a word, or a number of Twilio's.
    pub code: Option<String>,
    /// With which key; `None` for the account's auth token.
    pub key: Option<KeyId>,
    /// From the request's head to the answer's, in whole milliseconds.
    pub took: Duration,
    /// Whether it had an `Idempotency-Key`.
    pub idempotent: bool,
    /// When it came.
    pub at: Timestamp,
}

impl Db {
    /// A new place in the log, for a request that came at `at` by this node's clock: it is written later, and once.
    pub fn logged_id(&self, at: Timestamp) -> LoggedId {
        self.shared.ids.make(at)
    }
}

/// The methods that are told apart.
pub const METHODS: [&str; 8] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"];

/// A method as it is kept: a client may invent methods, and they may say anything.
pub fn method(text: &str) -> &'static str {
    METHODS.into_iter().find(|one| *one == text).unwrap_or("other")
}

/// Which requests are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this id.
    pub request: Option<RequestId>,
    /// Only with this problem.
    pub code: Option<String>,
    /// Only whose status begins so: 2 to 5.
    pub class: Option<i64>,
    /// Only by this method.
    pub method: Option<&'static str>,
    /// Only with this key; with an empty text only with the auth token.
    pub key: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: LoggedId,
    request: RequestId,
    method: String,
    route: String,
    status: i64,
    code: Option<String>,
    api_key: Option<KeyId>,
    took: i64,
    idempotent: bool,
    created_at: i64,
}

impl Row {
    fn logged(self) -> Result<Logged, Error> {
        let bad = |column| Error::Inconsistent { table: "api_requests", column };
        Ok(Logged {
            method: method(&self.method),
            status: u16::try_from(self.status).map_err(|_| bad("status"))?,
            took: Duration::from_millis(u64::try_from(self.took).map_err(|_| bad("took"))?),
            at: Timestamp::from_millis(self.created_at),
            id: self.id,
            request: self.request,
            route: self.route,
            code: self.code,
            key: self.api_key,
            idempotent: self.idempotent,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, request, method, route, status, code, api_key, took, idempotent, created_at
            FROM api_requests WHERE account = ",
            $rest
        )
    };
}

/// What a statement may bind at once is bounded: so many rows of twelve columns.
const AT_ONCE: usize = 256;

/// Adds rows. One that is there already, because a commit was not heard of, is left as it is.
pub async fn insert(tx: &mut Tx, rows: &[(AccountId, Logged)]) -> Result<(), Error> {
    for rows in rows.chunks(AT_ONCE) {
        on!(tx, |conn| {
            let mut q = sqlx::QueryBuilder::new(
                "INSERT INTO api_requests (account, id, request, method, route, status, class, code, api_key,
                    took, idempotent, created_at) ",
            );
            q.push_values(rows, |mut values, (account, one)| {
                values
                    .push_bind(account)
                    .push_bind(&one.id)
                    .push_bind(&one.request)
                    .push_bind(one.method)
                    .push_bind(&one.route)
                    .push_bind(i64::from(one.status))
                    .push_bind(i64::from(one.status / 100))
                    .push_bind(&one.code)
                    .push_bind(&one.key)
                    .push_bind(i64::try_from(one.took.as_millis()).unwrap_or(i64::MAX))
                    .push_bind(one.idempotent)
                    .push_bind(one.at.millis());
            });
            q.push(" ON CONFLICT DO NOTHING").build().execute(conn).await?;
        });
    }
    Ok(())
}

/// An account's requests, newest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Logged>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!(""));
        q.push_bind(account);
        if let Some(request) = &filter.request {
            q.push(" AND request = ").push_bind(request);
        }
        if let Some(code) = &filter.code {
            q.push(" AND code = ").push_bind(code);
        }
        if let Some(class) = filter.class {
            q.push(" AND class = ").push_bind(class);
        }
        if let Some(method) = filter.method {
            q.push(" AND method = ").push_bind(method);
        }
        match filter.key.as_deref() {
            None => {}
            Some("") => {
                q.push(" AND api_key IS NULL");
            }
            Some(key) => {
                q.push(" AND api_key = ").push_bind(key);
            }
        }
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    page.in_order(rows).into_iter().map(Row::logged).collect()
}

/// One request.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &LoggedId) -> Result<Option<Logged>, Error> {
    const SQL: &str = select!("$1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Row::logged).transpose()
}

// Every id is less than `LS`. With both ends PostgreSQL does not take what it counts for a third of the table.
pub(super) const COUNT: &str =
    "SELECT COUNT(*) FROM api_requests WHERE account = $1 AND id >= $2 AND id < 'LS'";

/// How many an account made since then.
pub async fn count(tx: &mut Tx, account: &AccountId, since: Timestamp) -> Result<i64, Error> {
    let first = LoggedId::first_of(since);
    Ok(on!(tx, |conn| sqlx::query_scalar(COUNT).bind(account).bind(&first).fetch_one(conn).await?))
}

pub(super) const COUNT_PROBLEMS: &str = "SELECT COUNT(*) FROM api_requests
    WHERE account = $1 AND code IS NOT NULL AND id >= $2 AND id < 'LS'";

/// How many of those were answered with a problem.
pub async fn count_problems(
    tx: &mut Tx,
    account: &AccountId,
    since: Timestamp,
) -> Result<i64, Error> {
    let first = LoggedId::first_of(since);
    Ok(on!(tx, |conn| sqlx::query_scalar(COUNT_PROBLEMS)
        .bind(account)
        .bind(&first)
        .fetch_one(conn)
        .await?))
}

pub(super) const PROBLEMS: &str = "
    SELECT code, COUNT(*) FROM api_requests
    WHERE account = $1 AND code IS NOT NULL AND id >= $2 AND id < 'LS'
    GROUP BY code ORDER BY COUNT(*) DESC, code LIMIT $3";

/// Which problems an account met since then, the most frequent first, and how often each.
pub async fn problems(
    tx: &mut Tx,
    account: &AccountId,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<(String, i64)>, Error> {
    let first = LoggedId::first_of(since);
    Ok(on!(tx, |conn| sqlx::query_as(PROBLEMS)
        .bind(account)
        .bind(&first)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

pub(super) const BEYOND: &str =
    "SELECT id FROM api_requests WHERE account = $1 ORDER BY id DESC LIMIT 1 OFFSET $2";

/// The newest row of an account that is beyond its newest `most`.
pub async fn beyond(
    tx: &mut Tx,
    account: &AccountId,
    most: i64,
) -> Result<Option<LoggedId>, Error> {
    Ok(on!(tx, |conn| sqlx::query_scalar(BEYOND)
        .bind(account)
        .bind(most)
        .fetch_optional(conn)
        .await?))
}

/// Forgets rows of an account up to one, `limit` at most; how many.
pub async fn forget(
    tx: &mut Tx,
    account: &AccountId,
    last: &LoggedId,
    limit: i64,
) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM api_requests WHERE account = $1 AND id IN (
            SELECT id FROM api_requests WHERE account = $1 AND id <= $2 ORDER BY id LIMIT $3)";
    Ok(on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(last)
        .bind(limit)
        .execute(conn)
        .await?
        .rows_affected()))
}
