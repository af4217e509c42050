//! Texts of which parts have come in: kept until the last one is here, or their time is up. Sealed under
//! the account's key.

use super::{Error, Tx, accounts, db::on, old::forget};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, NumberId},
    privacy::Person,
};

/// Which text: what all its parts have in common.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Key {
    /// The account.
    pub account: AccountId,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// The proxy number that it came to.
    pub number_id: NumberId,
    /// Who sent it.
    pub person: Person,
    /// What the sender gave all its parts.
    pub reference: String,
    /// How many there are.
    pub parts: i64,
}

impl Key {
    fn context(&self) -> String {
        let Self { carrier, number_id, person, reference, parts, .. } = self;
        format!("long_text:{carrier}:{number_id}:{}:{reference}:{parts}", person.as_str())
    }
}

macro_rules! this_one {
    () => {
        " WHERE account = $1 AND carrier = $2 AND number_id = $3 AND person = $4
            AND reference = $5 AND parts = $6"
    };
}

macro_rules! bound {
    ($sql:expr, $key:expr) => {
        $sql.bind(&$key.account)
            .bind(&$key.carrier)
            .bind(&$key.number_id)
            .bind(&$key.person)
            .bind(&$key.reference)
            .bind($key.parts)
    };
}

/// What is kept of a text, its row made at need and locked: whoever takes in another part waits.
/// `due_at` counts for a new one. `None` if nothing is kept yet.
pub async fn open(
    tx: &mut Tx,
    key: &Key,
    now: Timestamp,
    due_at: Timestamp,
) -> Result<Option<String>, Error> {
    const SQL: &str = "
        INSERT INTO long_texts
            (account, carrier, number_id, person, reference, parts, state, due_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, '', $7, $8)
        ON CONFLICT (account, carrier, number_id, person, reference, parts)
        DO UPDATE SET due_at = long_texts.due_at
        RETURNING state";
    let sealed: String = on!(tx, |conn| bound!(sqlx::query_scalar(SQL), key)
        .bind(due_at.millis())
        .bind(now.millis())
        .fetch_one(conn)
        .await?);
    if sealed.is_empty() {
        return Ok(None);
    }
    Ok(Some(accounts::keys(tx, &key.account).await?.data.open_text(&sealed, &key.context())?))
}

/// Keeps that of it.
pub async fn set(tx: &mut Tx, key: &Key, state: &str) -> Result<(), Error> {
    const SQL: &str = concat!("UPDATE long_texts SET state = $7", this_one!());
    let sealed = accounts::keys(tx, &key.account).await?.data.seal_text(state, &key.context());
    on!(tx, |conn| {
        bound!(sqlx::query(SQL), key).bind(&sealed).execute(conn).await?;
    });
    Ok(())
}

/// Forgets it, and gives what was kept: `None` if somebody else was first.
pub async fn take(tx: &mut Tx, key: &Key) -> Result<Option<String>, Error> {
    const SQL: &str = concat!("DELETE FROM long_texts", this_one!(), " RETURNING state");
    let sealed: Option<String> =
        on!(tx, |conn| bound!(sqlx::query_scalar(SQL), key).fetch_optional(conn).await?);
    let Some(sealed) = sealed else { return Ok(None) };
    Ok(Some(accounts::keys(tx, &key.account).await?.data.open_text(&sealed, &key.context())?))
}

/// Those whose time is up, the oldest first, at most `limit`.
pub async fn due(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<Key>, Error> {
    const SQL: &str = "
        SELECT account, carrier, number_id, person, reference, parts FROM long_texts
        WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(now.millis()).bind(limit).fetch_all(conn).await?))
}

/// Leaves one alone until `due_at`.
pub async fn put_off(tx: &mut Tx, key: &Key, due_at: Timestamp) -> Result<(), Error> {
    const SQL: &str = concat!("UPDATE long_texts SET due_at = $7", this_one!());
    on!(tx, |conn| {
        bound!(sqlx::query(SQL), key).bind(due_at.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Forgets those that began before `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM long_texts
        WHERE (account, carrier, number_id, person, reference, parts) IN (
            SELECT account, carrier, number_id, person, reference, parts FROM long_texts
            WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
