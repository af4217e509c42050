//! What carriers told us, once: a duplicate finds the answer that the first one got (I10).

use std::collections::HashSet;

use super::{Error, Tx, accounts, db::on, old::forget, sessions::listed};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, InteractionId},
};

/// An event of a carrier: its key.
#[derive(Debug, Clone, Copy)]
pub struct EventKey<'a> {
    /// The carrier's id in the configuration.
    pub carrier: &'a str,
    /// What kind of event.
    pub kind: &'a str,
    /// The carrier's id of it.
    pub event: &'a str,
}

impl EventKey<'_> {
    pub(super) fn context(&self) -> String {
        format!("inbox:{}:{}:{}", self.carrier, self.kind, self.event)
    }
}

/// Takes an event in; whether it is new. On PostgreSQL a concurrent twin waits here until the
/// first has committed.
pub async fn insert(tx: &mut Tx, key: EventKey<'_>, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO inbox (carrier, kind, event, answer, received_at) VALUES ($1, $2, $3, '', $4)
        ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(key.carrier)
        .bind(key.kind)
        .bind(key.event)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Those of at most 1,000 ids that were taken in.
pub async fn known(
    tx: &mut Tx,
    carrier: &str,
    kind: &str,
    ids: &[String],
) -> Result<HashSet<String>, Error> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let known: Vec<String> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT event FROM inbox WHERE carrier = ");
        q.push_bind(carrier).push(" AND kind = ").push_bind(kind).push(" AND event");
        listed!(q, ids);
        q.build_query_scalar().fetch_all(conn).await?
    });
    Ok(known.into_iter().collect())
}

/// Keeps what was answered, sealed under the account's key.
pub async fn set_answer(
    tx: &mut Tx,
    key: EventKey<'_>,
    account: &AccountId,
    interaction: &InteractionId,
    answer: &str,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE inbox SET account = $4, interaction = $5, answer = $6
        WHERE carrier = $1 AND kind = $2 AND event = $3";
    let sealed = if answer.is_empty() {
        String::new()
    } else {
        accounts::keys(tx, account).await?.data.seal_text(answer, &key.context())
    };
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(key.carrier)
            .bind(key.kind)
            .bind(key.event)
            .bind(account)
            .bind(interaction)
            .bind(&sealed)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// What was answered: `None` for an event that is not there; empty text for one that belongs to no
/// account or needed no answer.
pub async fn answer(tx: &mut Tx, key: EventKey<'_>) -> Result<Option<String>, Error> {
    const SQL: &str =
        "SELECT account, answer FROM inbox WHERE carrier = $1 AND kind = $2 AND event = $3";
    let row: Option<(Option<AccountId>, String)> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(key.carrier)
        .bind(key.kind)
        .bind(key.event)
        .fetch_optional(conn)
        .await?);
    match row {
        None => Ok(None),
        Some((Some(account), sealed)) if !sealed.is_empty() => {
            let keys = accounts::keys(tx, &account).await?;
            Ok(Some(keys.data.open_text(&sealed, &key.context())?))
        }
        Some(_) => Ok(Some(String::new())),
    }
}

/// Forgets events older than `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM inbox WHERE (carrier, kind, event) IN (
            SELECT carrier, kind, event FROM inbox WHERE received_at < $1
            ORDER BY received_at, carrier, kind, event LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
