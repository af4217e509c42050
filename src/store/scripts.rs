//! Calls that a marketplace's own documents steer: where each of them is. Sealed under the account's
//! key.

use super::{Error, Tx, accounts, db::on, old::forget};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, LegId},
};

/// Where one of them is.
#[derive(Debug)]
pub struct Script {
    /// Which turn it is at, from 1.
    pub turn: u32,
    /// The rest, as its writer put it.
    pub state: String,
}

fn context(leg: &LegId) -> String {
    format!("script:{leg}")
}

/// Where the call on that inbound leg is, if a document steers it. The caller holds the lock of its
/// interaction.
pub async fn get(tx: &mut Tx, account: &AccountId, leg: &LegId) -> Result<Option<Script>, Error> {
    const SQL: &str = "SELECT turn, state FROM call_scripts WHERE account = $1 AND leg = $2";
    let row: Option<(i64, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(leg).fetch_optional(conn).await?);
    let Some((turn, sealed)) = row else { return Ok(None) };
    let state = accounts::keys(tx, account).await?.data.open_text(&sealed, &context(leg))?;
    let turn = u32::try_from(turn)
        .map_err(|_| Error::Inconsistent { table: "call_scripts", column: "turn" })?;
    Ok(Some(Script { turn, state }))
}

/// Writes where it is now.
pub async fn set(
    tx: &mut Tx,
    account: &AccountId,
    leg: &LegId,
    script: &Script,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO call_scripts (account, leg, turn, state, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account, leg) DO UPDATE SET turn = excluded.turn, state = excluded.state";
    let sealed = accounts::keys(tx, account).await?.data.seal_text(&script.state, &context(leg));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(leg)
            .bind(i64::from(script.turn))
            .bind(&sealed)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Forgets those that began before `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM call_scripts WHERE (account, leg) IN (
            SELECT account, leg FROM call_scripts WHERE created_at < $1
            ORDER BY created_at, account, leg LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
