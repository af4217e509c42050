//! Legal holds: what would be deleted is kept while one is on it. Case and reason are sealed under the
//! account's key; of a person only the keyed hash is kept.

use super::{Error, Tx, accounts, db::on};
use crate::{
    domain::{audit::Reason, redact, time::Timestamp},
    ids::{AccountId, HoldId, SessionId},
    privacy::Person,
};

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// A session, with its people, log, files and costs.
    Session(SessionId),
    /// All sessions that a person is or was in, and what they sent without one; their calling code.
    Person(Person, Option<u16>),
}

impl Held {
    /// A person as staff and marketplaces see them.
    pub fn masked(&self) -> Option<String> {
        match self {
            Self::Session(_) => None,
            Self::Person(person, code) => Some(redact::masked(*code, person.tag())),
        }
    }
}

/// A legal hold.
#[derive(Debug, Clone)]
pub struct LegalHold {
    /// Its id.
    pub id: HoldId,
    /// What it is on.
    pub held: Held,
    /// The case that it is for.
    pub case: Case,
    /// Why.
    pub reason: Reason,
    /// Grows with each change.
    pub version: i64,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it was lifted.
    pub lifted_at: Option<Timestamp>,
}

/// What a case is called. It may name people: its `Debug` shows only how long it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Case(String);

impl Case {
    /// Reads a name: 1 to 100 characters, none of control; `None` for another.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let good = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        good.then(|| Self(text.to_owned()))
    }

    /// The name in clear. Every use is an edge that docs/privacy.md names.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Case({} characters)", self.0.chars().count())
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: HoldId,
    session: Option<SessionId>,
    person: Option<Person>,
    calling_code: Option<i64>,
    case_id: String,
    reason: String,
    version: i64,
    created_at: i64,
    lifted_at: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, session, person, calling_code, case_id, reason, version, created_at, \
             lifted_at FROM legal_holds WHERE account = $1 AND ",
            $rest
        )
    };
}

fn context(what: &str, id: &HoldId) -> String {
    format!("legal-hold-{what}:{id}")
}

async fn open(tx: &mut Tx, account: &AccountId, row: Row) -> Result<LegalHold, Error> {
    let bad = |column| Error::Inconsistent { table: "legal_holds", column };
    let keys = accounts::keys(tx, account).await?;
    let case = keys.data.open_text(&row.case_id, &context("case", &row.id))?;
    let reason = keys.data.open_text(&row.reason, &context("reason", &row.id))?;
    let held = match (row.session, row.person) {
        (Some(session), None) => Held::Session(session),
        (None, Some(person)) => {
            Held::Person(person, row.calling_code.and_then(|code| u16::try_from(code).ok()))
        }
        _ => return Err(bad("person")),
    };
    Ok(LegalHold {
        id: row.id,
        held,
        case: Case::parse(&case).ok_or(bad("case_id"))?,
        reason: Reason::parse(&reason).map_err(|_| bad("reason"))?,
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
        lifted_at: row.lifted_at.map(Timestamp::from_millis),
    })
}

/// Places a hold.
pub async fn insert(tx: &mut Tx, account: &AccountId, new: &LegalHold) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO legal_holds (account, id, session, person, calling_code, case_id, reason,
            version, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let keys = accounts::keys(tx, account).await?;
    let case = keys.data.seal_text(new.case.expose(), &context("case", &new.id));
    let reason = keys.data.seal_text(new.reason.expose(), &context("reason", &new.id));
    let (session, person, code) = match &new.held {
        Held::Session(session) => (Some(session), None, None),
        Held::Person(person, code) => (None, Some(person), code.map(i64::from)),
    };
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&new.id)
            .bind(session)
            .bind(person)
            .bind(code)
            .bind(&case)
            .bind(&reason)
            .bind(new.version)
            .bind(new.created_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The hold with that id.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &HoldId,
) -> Result<Option<LegalHold>, Error> {
    const SQL: &str = select!("id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    match row {
        Some(row) => Ok(Some(open(tx, account, row).await?)),
        None => Ok(None),
    }
}

/// Holds after `after`, in order of their ids, `limit` at most; also those that were lifted.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    after: &str,
    limit: i64,
) -> Result<Vec<LegalHold>, Error> {
    const SQL: &str = select!("id > $2 ORDER BY id LIMIT $3");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let mut holds = Vec::with_capacity(rows.len());
    for row in rows {
        holds.push(open(tx, account, row).await?);
    }
    Ok(holds)
}

/// How many are in force.
pub async fn in_force(tx: &mut Tx, account: &AccountId) -> Result<i64, Error> {
    const SQL: &str = "SELECT COUNT(*) FROM legal_holds WHERE account = $1 AND lifted_at IS NULL";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).fetch_one(conn).await?))
}

/// Lifts a hold; whether it was in force.
pub async fn lift(
    tx: &mut Tx,
    account: &AccountId,
    id: &HoldId,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE legal_holds SET lifted_at = $3, version = version + 1
        WHERE account = $1 AND id = $2 AND lifted_at IS NULL";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// A hold that keeps a person's data: on them, on a session of theirs, or on somebody in one.
pub async fn on_person(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
) -> Result<Option<HoldId>, Error> {
    const SQL: &str = "
        SELECT h.id FROM legal_holds h
        WHERE h.account = $1 AND h.lifted_at IS NULL AND (h.person = $2 OR EXISTS (
            SELECT 1 FROM participants p WHERE p.account = h.account AND p.person = $2
              AND (p.session = h.session OR EXISTS (SELECT 1 FROM participants o
                WHERE o.account = p.account AND o.session = p.session AND o.person = h.person))))
        ORDER BY h.id LIMIT 1";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(person)
        .fetch_optional(conn)
        .await?))
}

/// A hold that keeps a session: on it, or on somebody in it.
pub async fn on_session(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
) -> Result<Option<HoldId>, Error> {
    const SQL: &str = "
        SELECT h.id FROM legal_holds h
        WHERE h.account = $1 AND h.lifted_at IS NULL AND (h.session = $2 OR EXISTS (
            SELECT 1 FROM participants o
            WHERE o.account = h.account AND o.session = $2 AND o.person = h.person))
        ORDER BY h.id LIMIT 1";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(session)
        .fetch_optional(conn)
        .await?))
}
