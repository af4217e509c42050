//! Erasures: who asked, how far each has come, and what of each is written in the list outside.

use std::collections::{BTreeMap, HashSet};

use super::{Error, Tx, db::on, from_text, sessions::listed};
use crate::{
    domain::{
        erasure::{Became, ErasureState},
        time::Timestamp,
    },
    ids::{AccountId, ErasureId, SessionId},
    privacy::Person,
};

/// An erasure.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// How far it has come.
    pub state: ErasureState,
    /// Whose, as a keyed hash; `None` once all that it finds is gone.
    pub person: Option<Person>,
    /// How many of what were erased: a JSON object.
    pub counts: String,
    /// What became of carriers' records: a JSON object, by carrier, of JSON objects that count.
    pub carriers: String,
    /// How far the kept answers of the API were gone through.
    pub at_key: String,
    /// Whether it was taken over from the list outside: it was done before, whatever holds it now.
    pub replayed: bool,
    /// Until when the last pair is in quarantine.
    pub wait_until: Option<Timestamp>,
    /// Until when the last record of them stays that a law wants kept.
    pub statutory_until: Option<Timestamp>,
    /// Grows with each change.
    pub version: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When nothing of it was left to do.
    pub ended_at: Option<Timestamp>,
}

/// One thing to erase, as the list outside has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The account.
    pub account: AccountId,
    /// The erasure.
    pub erasure: ErasureId,
    /// A participant, the first call or text of somebody who was in no session, or a verification: its id.
    pub what: String,
    /// The participant's session.
    pub session: Option<SessionId>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl Erasure {
    /// Counts what became of so many records of a carrier's.
    pub fn count_at(&mut self, carrier: &str, became: Became, count: u64) {
        let mut all: BTreeMap<String, BTreeMap<String, u64>> =
            serde_json::from_str(&self.carriers).unwrap_or_default();
        let counted = all.entry(carrier.to_owned()).or_default();
        *counted.entry(became.as_str().to_owned()).or_default() += count;
        self.carriers = serde_json::json!(all).to_string();
    }

    /// How many records became what, by carrier.
    pub fn at_carriers(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        serde_json::from_str(&self.carriers).unwrap_or_default()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ErasureId,
    state: String,
    person: Option<Person>,
    counts: String,
    carriers: String,
    at_key: String,
    replayed: bool,
    wait_until: Option<i64>,
    statutory_until: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
    ended_at: Option<i64>,
}

impl TryFrom<Row> for Erasure {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            state: from_text!("erasures"."state", ErasureState::parse, &row.state)?,
            person: row.person,
            counts: row.counts,
            carriers: row.carriers,
            at_key: row.at_key,
            replayed: row.replayed,
            wait_until: row.wait_until.map(Timestamp::from_millis),
            statutory_until: row.statutory_until.map(Timestamp::from_millis),
            version: row.version,
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
            ended_at: row.ended_at.map(Timestamp::from_millis),
        })
    }
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    account: AccountId,
    erasure: ErasureId,
    what: String,
    session: Option<SessionId>,
    created_at: i64,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let EntryRow { account, erasure, what, session, created_at } = row;
        Self { account, erasure, what, session, created_at: Timestamp::from_millis(created_at) }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, state, person, counts, carriers, at_key, replayed, wait_until, \
             statutory_until, version, created_at, updated_at, ended_at FROM erasures ",
            $rest
        )
    };
}

macro_rules! entries {
    ($rest:literal) => {
        concat!("SELECT account, erasure, what, session, created_at FROM erasure_entries ", $rest)
    };
}

/// Notes an erasure; without a `person` one that the list outside has. Of one that is there already it is noted
/// that the list has it.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    id: &ErasureId,
    person: Option<&Person>,
    at: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO erasures (account, id, state, person, counts, carriers, at_key, replayed,
            version, created_at, updated_at)
        VALUES ($1, $2, 'listing', $3, '{}', '{}', '', $5, 1, $4, $4)
        ON CONFLICT (account, id) DO UPDATE SET replayed = TRUE";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(person)
            .bind(at.millis())
            .bind(person.is_none())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The erasure of that id.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &ErasureId,
) -> Result<Option<Erasure>, Error> {
    const SQL: &str = select!("WHERE account = $1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Erasure::try_from).transpose()
}

/// The same, locked until the transaction ends: one at a time goes on with it.
pub async fn lock(
    tx: &mut Tx,
    account: &AccountId,
    id: &ErasureId,
) -> Result<Option<Erasure>, Error> {
    const LOCKED: &str = select!("WHERE account = $1 AND id = $2 FOR NO KEY UPDATE");
    if !tx.locks() {
        return get(tx, account, id).await;
    }
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(LOCKED).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Erasure::try_from).transpose()
}

/// Writes how far it has come, as its next version. The caller holds its lock.
pub async fn update(
    tx: &mut Tx,
    account: &AccountId,
    one: &Erasure,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE erasures SET state = $3, person = $4, counts = $5, at_key = $6, wait_until = $7,
            ended_at = $8, updated_at = $9, carriers = $10, statutory_until = $11, version = version + 1
        WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&one.id)
            .bind(one.state.as_str())
            .bind(&one.person)
            .bind(&one.counts)
            .bind(&one.at_key)
            .bind(one.wait_until.map(Timestamp::millis))
            .bind(one.ended_at.map(Timestamp::millis))
            .bind(now.millis())
            .bind(&one.carriers)
            .bind(one.statutory_until.map(Timestamp::millis))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Those with something to do at `now`, `limit` at most: what is running, and what has waited.
pub async fn due(
    tx: &mut Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(AccountId, ErasureId)>, Error> {
    const SQL: &str = "
        SELECT account, id FROM erasures
        WHERE state <> 'done' AND (wait_until IS NULL OR wait_until <= $1)
        ORDER BY account, id LIMIT $2";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(now.millis()).bind(limit).fetch_all(conn).await?))
}

/// Writes down what is to be erased of somebody: each session that they are or were in, the first call or
/// text of theirs, and the first verification of their number.
pub async fn gather(
    tx: &mut Tx,
    account: &AccountId,
    id: &ErasureId,
    person: &Person,
    now: Timestamp,
) -> Result<(), Error> {
    const IN_SESSIONS: &str = "
        INSERT INTO erasure_entries (account, erasure, what, session, created_at)
        SELECT account, $2, id, session, $4 FROM participants WHERE account = $1 AND person = $3";
    const FIRST: &str = "
        INSERT INTO erasure_entries (account, erasure, what, created_at)
        SELECT $1, $2, MIN(id), $4 FROM interactions WHERE account = $1 AND person = $3
        HAVING MIN(id) IS NOT NULL";
    const VERIFIED: &str = "
        INSERT INTO erasure_entries (account, erasure, what, created_at)
        SELECT $1, $2, MIN(id), $4 FROM verifications WHERE account = $1 AND person = $3
        HAVING MIN(id) IS NOT NULL";
    for sql in [IN_SESSIONS, FIRST, VERIFIED] {
        on!(tx, |conn| {
            sqlx::query(sql)
                .bind(account)
                .bind(id)
                .bind(person)
                .bind(now.millis())
                .execute(conn)
                .await?;
        });
    }
    Ok(())
}

/// Takes an entry over from the list outside; whether it was new.
pub async fn adopt(tx: &mut Tx, entry: &Entry, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO erasure_entries (account, erasure, what, session, listed_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&entry.account)
        .bind(&entry.erasure)
        .bind(&entry.what)
        .bind(&entry.session)
        .bind(now.millis())
        .bind(entry.created_at.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Entries that no list outside has yet, `limit` at most.
pub async fn unlisted(tx: &mut Tx, limit: i64) -> Result<Vec<Entry>, Error> {
    const SQL: &str = entries!("WHERE listed_at IS NULL ORDER BY account, erasure, what LIMIT $1");
    let rows: Vec<EntryRow> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(limit).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// Notes that a list outside has this entry.
pub async fn set_listed(tx: &mut Tx, entry: &Entry, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE erasure_entries SET listed_at = $4
        WHERE account = $1 AND erasure = $2 AND what = $3 AND listed_at IS NULL";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&entry.account)
            .bind(&entry.erasure)
            .bind(&entry.what)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// How many entries of an erasure no list has yet.
pub async fn count_unlisted(
    tx: &mut Tx,
    account: &AccountId,
    id: &ErasureId,
) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM erasure_entries
        WHERE account = $1 AND erasure = $2 AND listed_at IS NULL";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(id).fetch_one(conn).await?))
}

/// The next entry of an erasure that is not done.
pub async fn next(
    tx: &mut Tx,
    account: &AccountId,
    id: &ErasureId,
) -> Result<Option<Entry>, Error> {
    const SQL: &str = entries!(
        "WHERE account = $1 AND erasure = $2 AND done_at IS NULL \
         ORDER BY account, erasure, what LIMIT 1"
    );
    let row: Option<EntryRow> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Entry::from))
}

/// Notes that an entry is done.
pub async fn set_done(tx: &mut Tx, entry: &Entry, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE erasure_entries SET done_at = $4 WHERE account = $1 AND erasure = $2 AND what = $3";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&entry.account)
            .bind(&entry.erasure)
            .bind(&entry.what)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Entries behind `after`, `limit` at most, in the order of their keys.
pub async fn page(tx: &mut Tx, after: Option<&Entry>, limit: i64) -> Result<Vec<Entry>, Error> {
    const SQL: &str = entries!(
        "WHERE (account, erasure, what) > ($1, $2, $3) ORDER BY account, erasure, what LIMIT $4"
    );
    let rows: Vec<EntryRow> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(after.map_or("", |one| one.account.as_str()))
        .bind(after.map_or("", |one| one.erasure.as_str()))
        .bind(after.map_or("", |one| one.what.as_str()))
        .bind(limit)
        .fetch_all(conn)
        .await?);
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// Whether anything was ever written into a list outside.
pub async fn any_listed(tx: &mut Tx) -> Result<bool, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM (
            SELECT 1 AS one FROM erasure_entries WHERE listed_at IS NOT NULL LIMIT 1) AS found";
    let found: i64 = on!(tx, |conn| sqlx::query_scalar(SQL).fetch_one(conn).await?);
    Ok(found > 0)
}

/// Whether an erasure has this entry.
pub async fn knows(tx: &mut Tx, entry: &Entry) -> Result<bool, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM erasure_entries WHERE account = $1 AND erasure = $2 AND what = $3";
    let found: i64 = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(&entry.account)
        .bind(&entry.erasure)
        .bind(&entry.what)
        .fetch_one(conn)
        .await?);
    Ok(found > 0)
}

/// Those of these sessions that an erasure is about.
pub async fn touched(
    tx: &mut Tx,
    account: &AccountId,
    id: &ErasureId,
    sessions: &[SessionId],
) -> Result<HashSet<SessionId>, Error> {
    if sessions.is_empty() {
        return Ok(HashSet::new());
    }
    let found: Vec<SessionId> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT session FROM erasure_entries WHERE account = ");
        q.push_bind(account).push(" AND erasure = ").push_bind(id).push(" AND session");
        listed!(q, sessions);
        q.build_query_scalar().fetch_all(conn).await?
    });
    Ok(found.into_iter().collect())
}
