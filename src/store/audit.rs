//! The audit log: rows are added, in the transaction of what they tell of, and read; never changed.
//!
//! A chain belongs to an account, or, without one, to the installation. Its key for that is empty.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{Error, Tx, accounts, db::on};
use crate::{
    domain::{
        audit::{Action, ActorKind, Detail, Entry},
        time::Timestamp,
    },
    ids::{AccountId, StaffId},
    privacy::audit::{Content, FORM, Head, Link},
};

/// The key of the installation's chain.
const INSTALLATION: &str = "";
/// How far the clocks of two writers may lie apart: rows of a chain stand in the order in which they were written.
const SKEW: Duration = Duration::from_hours(1);

/// The key of a chain: an account's, or the installation's.
pub fn chain_of(account: Option<&AccountId>) -> &str {
    account.map_or(INSTALLATION, AccountId::as_str)
}

/// Adds a row to an account's chain: who does it, and why, is the transaction's own knowledge.
pub async fn append(tx: &mut Tx, account: &AccountId, entry: Entry) -> Result<(), Error> {
    add(tx, Some(account), entry).await
}

/// Adds a row to the installation's chain: for what belongs to no account. It has no reason, since
/// no key seals one.
pub async fn append_installation(tx: &mut Tx, entry: Entry) -> Result<(), Error> {
    add(tx, None, entry).await
}

async fn add(tx: &mut Tx, account: Option<&AccountId>, entry: Entry) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO audit (account, seq, form, at, actor_kind, actor, action, target_kind, target,
            reason, details, previous, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let chain = chain_of(account);
    let (last, previous) = lock(tx, chain).await?;
    let now = tx.now().await?;
    let by = Arc::clone(&tx.by);
    let seq = last + 1;
    let reason = match (account, &by.reason) {
        (Some(account), Some(reason)) => {
            let keys = accounts::keys(tx, account).await?;
            keys.data.seal_text(reason.expose(), &place(chain, seq))
        }
        _ => String::new(),
    };
    let Entry { action, target, changed, details } = entry;
    let content = Content {
        form: FORM,
        account: chain.to_owned(),
        seq,
        at: now.millis(),
        actor_kind: by.actor.kind.as_str().to_owned(),
        actor: by.actor.id.clone(),
        action: action.as_str().to_owned(),
        target_kind: action.target().as_str().to_owned(),
        target,
        reason,
        details: json(changed, details),
        previous,
    };
    let bad = Error::Inconsistent { table: "audit", column: "form" };
    let hash = content.hash().ok_or(bad)?;
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&content.account)
            .bind(content.seq)
            .bind(content.form)
            .bind(content.at)
            .bind(&content.actor_kind)
            .bind(&content.actor)
            .bind(&content.action)
            .bind(&content.target_kind)
            .bind(&content.target)
            .bind(&content.reason)
            .bind(&content.details)
            .bind(&content.previous)
            .bind(&hash)
            .execute(conn)
            .await?;
    });
    set_head(tx, chain, seq, &hash).await
}

/// Where a reason is sealed for.
fn place(chain: &str, seq: i64) -> String {
    format!("audit/{chain}/{seq}/reason")
}

fn json(changed: Option<Vec<&'static str>>, details: Vec<(Detail, String)>) -> String {
    let mut map = Map::new();
    if let Some(names) = changed {
        map.insert("changed".to_owned(), names.into());
    }
    for (detail, value) in details {
        map.insert(detail.as_str().to_owned(), value.into());
    }
    Value::Object(map).to_string()
}

/// The end of a chain: place and hash, 0 and nothing for a new one. Nobody else adds to it until the
/// transaction ends, so that no two rows follow the same one.
async fn lock(tx: &mut Tx, chain: &str) -> Result<(i64, String), Error> {
    const SQL: &str = "
        INSERT INTO audit_heads (account, seq, hash) VALUES ($1, 0, '')
        ON CONFLICT (account) DO UPDATE SET seq = audit_heads.seq
        RETURNING seq, hash";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(chain).fetch_one(conn).await?))
}

async fn set_head(tx: &mut Tx, chain: &str, seq: i64, hash: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE audit_heads SET seq = $2, hash = $3 WHERE account = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(chain).bind(seq).bind(hash).execute(conn).await?;
    });
    Ok(())
}

/// A row, as it is shown.
#[derive(Debug, Clone)]
pub struct Row {
    /// The row.
    pub link: Link,
    /// Why, in the words of whoever did it. They may name people.
    pub reason: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Stored {
    account: String,
    seq: i64,
    form: i64,
    at: i64,
    actor_kind: String,
    actor: String,
    action: String,
    target_kind: String,
    target: String,
    reason: String,
    details: String,
    previous: String,
    hash: String,
}

impl From<Stored> for Link {
    fn from(row: Stored) -> Self {
        let Stored { account, seq, form, at, actor_kind, actor, action, .. } = row;
        let Stored { target_kind, target, reason, details, previous, hash, .. } = row;
        let content = Content {
            form,
            account,
            seq,
            at,
            actor_kind,
            actor,
            action,
            target_kind,
            target,
            reason,
            details,
            previous,
        };
        Self { content, hash }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, seq, form, at, actor_kind, actor, action, target_kind, target, reason, \
             details, previous, hash FROM audit WHERE ",
            $rest
        )
    };
}

/// Rows of a chain behind `after`, in order, `limit` at most: to be verified.
pub async fn page(tx: &mut Tx, chain: &str, after: i64, limit: i64) -> Result<Vec<Link>, Error> {
    const SQL: &str = select!("account = $1 AND seq > $2 ORDER BY seq LIMIT $3");
    let rows: Vec<Stored> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(chain)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    Ok(rows.into_iter().map(Link::from).collect())
}

/// Which rows are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this action.
    pub action: Option<Action>,
    /// Of this sort of actor.
    pub actor_kind: Option<ActorKind>,
    /// Of the actor of that id.
    pub actor: Option<String>,
    /// About the thing of that id.
    pub target: Option<String>,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub before: Option<Timestamp>,
    /// From this place on.
    pub from_seq: Option<i64>,
}

impl Filter {
    /// Whether it asks for more than one index knows.
    const fn is_crossed(&self) -> bool {
        let known = [
            self.action.is_some(),
            self.actor_kind.is_some(),
            self.actor.is_some(),
            self.target.is_some(),
        ];
        let [a, b, c, d] = known;
        (a as u8) + (b as u8) + (c as u8) + (d as u8) > 1
    }
}

/// The first rows of a chain that are surely behind, and surely before, an instant; 0 and the last place where
/// there is none. One step into an index for each.
async fn places(tx: &mut Tx, chain: &str, filter: &Filter) -> Result<(i64, i64), Error> {
    const BEFORE: &str = "
        SELECT seq FROM audit WHERE account = $1 AND at < $2 ORDER BY at DESC, seq DESC LIMIT 1";
    const AFTER: &str = "
        SELECT seq FROM audit WHERE account = $1 AND at >= $2 ORDER BY at, seq LIMIT 1";
    let (mut first, mut last) = (0, i64::MAX);
    if let Some(from) = filter.from {
        let at = (from - SKEW).millis();
        let seq: Option<i64> = on!(tx, |conn| sqlx::query_scalar(BEFORE)
            .bind(chain)
            .bind(at)
            .fetch_optional(conn)
            .await?);
        first = seq.unwrap_or(first);
    }
    if let Some(end) = filter.before {
        let at = (end + SKEW).millis();
        let seq: Option<i64> = on!(tx, |conn| sqlx::query_scalar(AFTER)
            .bind(chain)
            .bind(at)
            .fetch_optional(conn)
            .await?);
        last = seq.unwrap_or(last);
    }
    Ok((first, last))
}

/// Narrows a query of rows to a chain, a filter and the places that its instants lie between.
macro_rules! narrowed {
    ($q:ident, $chain:expr, $filter:expr, $places:expr) => {
        $q.push_bind($chain);
        if let Some(action) = $filter.action {
            $q.push(" AND action = ").push_bind(action.as_str());
        }
        if let Some(kind) = $filter.actor_kind {
            $q.push(" AND actor_kind = ").push_bind(kind.as_str());
        }
        if let Some(actor) = &$filter.actor {
            $q.push(" AND actor = ").push_bind(actor);
        }
        if let Some(target) = &$filter.target {
            $q.push(" AND target = ").push_bind(target);
        }
        if let Some(from) = $filter.from_seq {
            $q.push(" AND seq >= ").push_bind(from);
        }
        if let Some(from) = $filter.from {
            $q.push(" AND at >= ").push_bind(from.millis());
            $q.push(" AND seq > ").push_bind($places.0);
        }
        if let Some(end) = $filter.before {
            $q.push(" AND at < ").push_bind(end.millis());
            $q.push(" AND seq < ").push_bind($places.1);
        }
    };
}

/// The place at which a look at `rows` rows of a chain ends that begins before the place `before`, where a filter asks
/// for more than one index knows; `None` where all can be read.
pub async fn reach(
    tx: &mut Tx,
    chain: &str,
    filter: &Filter,
    before: Option<i64>,
    rows: i64,
) -> Result<Option<i64>, Error> {
    if !filter.is_crossed() {
        return Ok(None);
    }
    let (first, last) = places(tx, chain, filter).await?;
    let behind = end(tx, chain).await?.map_or(1, |(seq, _)| seq + 1);
    let top = before.unwrap_or(behind).min(last).min(behind);
    Ok(Some(top - rows).filter(|end| *end > first.max(1)))
}

/// A chain's rows, newest first, before the place `before`, `limit` at most.
pub async fn list(
    tx: &mut Tx,
    chain: &str,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    let places = places(tx, chain, filter).await?;
    let rows: Vec<Stored> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("account = "));
        narrowed!(q, chain, filter, places);
        if let Some(seq) = before {
            q.push(" AND seq < ").push_bind(seq);
        }
        q.push(" ORDER BY seq DESC LIMIT ").push_bind(limit);
        q.build_query_as().fetch_all(conn).await?
    });
    let mut shown = Vec::with_capacity(rows.len());
    for stored in rows {
        shown.push(open(tx, stored.into()).await?);
    }
    Ok(shown)
}

/// How many rows of a chain a filter leaves, counted to `most`.
pub async fn count_narrowed(
    tx: &mut Tx,
    chain: &str,
    filter: &Filter,
    most: i64,
) -> Result<i64, Error> {
    let places = places(tx, chain, filter).await?;
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM audit WHERE account = ",
        );
        narrowed!(q, chain, filter, places);
        q.push(" LIMIT ").push_bind(most).push(") AS counted");
        q.build_query_scalar().fetch_one(conn).await?
    }))
}

/// How often each of the staff did these things, in a filter's time: their id, the action, how often. In order of
/// the ids, `limit` lines at most; of each action the newest `most` rows are counted.
pub async fn staff_counts(
    tx: &mut Tx,
    chain: &str,
    actions: &[Action],
    filter: &Filter,
    (most, limit): (i64, i64),
) -> Result<Vec<(String, String, i64)>, Error> {
    // Not by the sort of actor: there are fewer rows of these actions than of the staff.
    let span = Filter { from: filter.from, before: filter.before, ..Filter::default() };
    let places = places(tx, chain, &span).await?;
    let mut found: Vec<(String, String, i64)> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT actor, action, COUNT(*) FROM (");
        for (place, action) in actions.iter().enumerate() {
            q.push(if place == 0 { "" } else { " UNION ALL " });
            q.push("SELECT * FROM (SELECT actor, action FROM audit WHERE account = ");
            let one = Filter { action: Some(*action), ..span.clone() };
            narrowed!(q, chain, one, places);
            q.push(" ORDER BY seq DESC LIMIT ").push_bind(most).push(") AS newest");
        }
        q.push(") AS counted GROUP BY actor, action ORDER BY actor, action LIMIT ")
            .push_bind(limit);
        q.build_query_as().fetch_all(conn).await?
    });
    found.retain(|(actor, ..)| StaffId::parse(actor).is_ok());
    Ok(found)
}

/// A row with its reason opened.
pub async fn open(tx: &mut Tx, link: Link) -> Result<Row, Error> {
    let Content { account, seq, reason, .. } = &link.content;
    let reason = match AccountId::parse(account) {
        Ok(id) if !reason.is_empty() => {
            let keys = accounts::keys(tx, &id).await?;
            Some(keys.data.open_text(reason, &place(account, *seq))?)
        }
        _ => None,
    };
    Ok(Row { link, reason })
}

/// What the database notes as the end of a chain: place and hash.
pub async fn end(tx: &mut Tx, chain: &str) -> Result<Option<(i64, String)>, Error> {
    const SQL: &str = "SELECT seq, hash FROM audit_heads WHERE account = $1";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(chain).fetch_optional(conn).await?))
}

/// What every chain behind that of `chain` begins at: no account's id has a `!`.
pub fn behind(chain: &str) -> String {
    format!("{chain}!")
}

/// The ends of the chains from `from` on, in the order of their accounts, `limit` at most, as of now. Empty
/// for all; then [`behind`] the last.
pub async fn heads(tx: &mut Tx, from: &str, limit: i64) -> Result<Vec<Head>, Error> {
    const SQL: &str = "
        SELECT account, seq, hash FROM audit_heads WHERE account >= $1 ORDER BY account LIMIT $2";
    let at = tx.now().await?;
    let rows: Vec<(String, i64, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(from).bind(limit).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(account, seq, hash)| Head { account, seq, hash, at }).collect())
}

/// The first chain from `from` on that has a row or a noted end.
pub async fn next_chain(tx: &mut Tx, from: &str) -> Result<Option<String>, Error> {
    const SQL: &str = "
        SELECT MIN(account) FROM (
            SELECT MIN(account) AS account FROM audit WHERE account >= $1
            UNION ALL
            SELECT MIN(account) AS account FROM audit_heads WHERE account >= $1
        ) AS chains";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(from).fetch_one(conn).await?))
}
