//! What is held back for a while: an account's texts or calls, those to one prefix, or the texts of a session.

use super::{Error, Tx, db::on, from_text, old::forget};
use crate::{
    domain::{closed_set, interaction::Kind, time::Timestamp},
    ids::{AccountId, PauseId},
};

closed_set! {
    /// What is held back.
    PauseScope {
        /// All of an account.
        Account = "account",
        /// What goes to numbers that differ in their last four digits alone.
        Prefix = "prefix",
        /// The texts of a session.
        Session = "session",
    }
}

closed_set! {
    /// Why.
    PauseWhy {
        /// It was more than its limit.
        Limit = "limit",
        /// It was many times what is usual.
        Spike = "spike",
        /// Two machines answered each other.
        Loop = "loop",
    }
}

/// Something that is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: PauseId,
    /// What.
    pub scope: PauseScope,
    /// Texts or calls.
    pub kind: Kind,
    /// The prefix's keyed hash, or the session's id; empty for an account.
    pub subject: String,
    /// Why.
    pub why: PauseWhy,
    /// One of a kind begins in each: the hour, or of a session the instant.
    pub slot: i64,
    /// Since when.
    pub since: Timestamp,
    /// Until when, if nobody ends it before.
    pub until: Timestamp,
    /// When somebody did.
    pub lifted_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    account: AccountId,
    id: PauseId,
    scope: String,
    kind: String,
    subject: String,
    why: String,
    slot: i64,
    since: i64,
    until: i64,
    lifted_at: Option<i64>,
}

impl TryFrom<Row> for Pause {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            account: row.account,
            id: row.id,
            scope: from_text!("pauses"."scope", PauseScope::parse, &row.scope)?,
            kind: from_text!("pauses"."kind", Kind::parse, &row.kind)?,
            subject: row.subject,
            why: from_text!("pauses"."why", PauseWhy::parse, &row.why)?,
            slot: row.slot,
            since: Timestamp::from_millis(row.since),
            until: Timestamp::from_millis(row.until),
            lifted_at: row.lifted_at.map(Timestamp::from_millis),
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, id, scope, kind, subject, why, slot, since, until, lifted_at FROM pauses \
             WHERE ",
            $rest
        )
    };
}

/// Begins one; whether it is the first of its kind in its slot.
pub async fn begin(tx: &mut Tx, pause: &Pause) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO pauses (account, id, scope, kind, subject, why, slot, since, until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&pause.account)
        .bind(&pause.id)
        .bind(pause.scope.as_str())
        .bind(pause.kind.as_str())
        .bind(&pause.subject)
        .bind(pause.why.as_str())
        .bind(pause.slot)
        .bind(pause.since.millis())
        .bind(pause.until.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Of all accounts, what holds back at `now` more than one session: what every node knows by heart.
pub async fn wide(tx: &mut Tx, now: Timestamp) -> Result<Vec<Pause>, Error> {
    const SQL: &str = select!(
        "until > $1 AND since <= $1 AND lifted_at IS NULL AND scope <> 'session' ORDER BY account, id"
    );
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(now.millis()).fetch_all(conn).await?);
    rows.into_iter().map(Pause::try_from).collect()
}

/// Those of that slot, lifted or not: what was begun is not begun again in it.
pub async fn of_slot(tx: &mut Tx, slot: i64) -> Result<Vec<Pause>, Error> {
    const SQL: &str = select!("slot = $1 AND scope <> 'session' ORDER BY account, id");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL).bind(slot).fetch_all(conn).await?);
    rows.into_iter().map(Pause::try_from).collect()
}

/// An account's, in order of their ids.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    after: &str,
    limit: i64,
) -> Result<Vec<Pause>, Error> {
    const SQL: &str = select!("account = $1 AND id > $2 ORDER BY id LIMIT $3");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Pause::try_from).collect()
}

/// One of an account's.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &PauseId) -> Result<Option<Pause>, Error> {
    const SQL: &str = select!("account = $1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Pause::try_from).transpose()
}

/// Ends one; whether it went on.
pub async fn lift(
    tx: &mut Tx,
    account: &AccountId,
    id: &PauseId,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE pauses SET lifted_at = $3
        WHERE account = $1 AND id = $2 AND lifted_at IS NULL AND until > $3";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Forgets those that ended before that, `limit` at most; how many went.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM pauses WHERE (account, id) IN (
            SELECT account, id FROM pauses WHERE until < $1 ORDER BY until, account, id LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
