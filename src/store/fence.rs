//! What a restore leaves in doubt: which database this is, how far it had come, and the statements
//! that put everything on hold.

use super::{
    Error, Tx,
    db::{Conn, on},
    meta,
};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, ServiceId, SessionId},
};

/// Counts up while a server runs; a copy stays behind.
const EPOCH: &str = "epoch";
/// Which server and database last served this data.
const HOME: &str = "home";
/// Stands in a copy that `backup` made, and nowhere else.
pub(super) const COPY: &str = "copy_of_epoch";

/// How far the database has come; 0 before its first server.
pub async fn epoch(tx: &mut Tx) -> Result<i64, Error> {
    let text = meta::get(tx, EPOCH).await?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Raises the epoch above what it was and above `known`; the new one.
pub async fn raise_epoch(tx: &mut Tx, known: i64) -> Result<i64, Error> {
    // The row is written before it is read, so that of two that raise at once the second waits.
    const SQL: &str = "
        INSERT INTO meta (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = meta.value";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(EPOCH).bind("0").execute(conn).await?;
    });
    let next = epoch(tx).await?.max(known) + 1;
    meta::set(tx, EPOCH, &next.to_string()).await?;
    Ok(next)
}

/// Whether this is a copy that `backup` made and nobody has taken over since.
pub async fn is_copy(tx: &mut Tx) -> Result<bool, Error> {
    Ok(meta::get(tx, COPY).await?.is_some())
}

/// Whether the data was last served from elsewhere: another server or database, or another
/// timeline of the same, as after a promotion. Never on SQLite, whose file can be anywhere.
pub async fn has_moved(tx: &mut Tx) -> Result<bool, Error> {
    let (Some(here), Some(home)) = (place(tx).await?, meta::get(tx, HOME).await?) else {
        return Ok(false);
    };
    Ok(here != home)
}

/// Notes that the data is served from here, and is no copy.
pub async fn settle_here(tx: &mut Tx) -> Result<(), Error> {
    meta::delete(tx, COPY).await?;
    match place(tx).await? {
        Some(here) => meta::set(tx, HOME, &here).await,
        None => Ok(()),
    }
}

/// The server, the database and the timeline; `None` on SQLite, and where it may not be asked for.
async fn place(tx: &mut Tx) -> Result<Option<String>, Error> {
    const SQL: &str = "
        SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
            (SELECT oid FROM pg_database WHERE datname = current_database()),
            substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))";
    if !matches!(tx.conn, Conn::Postgres(_)) {
        return Ok(None);
    }
    tx.mark().await?;
    let asked = ask(tx, SQL).await;
    match asked {
        Ok(place) => {
            tx.release_mark().await?;
            Ok(Some(place))
        }
        // Not everybody may: some hosts forbid these functions.
        Err(Error::Statement(_)) => {
            tx.rollback_to_mark().await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn ask(tx: &mut Tx, sql: &'static str) -> Result<String, Error> {
    Ok(on!(tx, |conn| sqlx::query_scalar(sql).fetch_one(conn).await?))
}

/// Lets the rest of this transaction take as long as it takes: it touches every open session.
pub async fn without_limits(tx: &mut Tx) -> Result<(), Error> {
    if matches!(tx.conn, Conn::Postgres(_)) {
        on!(tx, |conn| {
            sqlx::query("SET LOCAL statement_timeout = 0").execute(conn).await?;
        });
    }
    Ok(())
}

/// Puts every session on hold that is not closed; how many were not on hold before.
pub async fn suspend_all(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "
        UPDATE sessions SET suspended_at = $1, version = version + 1, updated_at = $1
        WHERE state <> 'closed' AND suspended_at IS NULL";
    Ok(on!(tx, |conn| sqlx::query(SQL).bind(now.millis()).execute(conn).await?.rows_affected()))
}

/// Keeps every quarantined pair of a service's numbers until `release_at` at least; how many.
/// Those that had lapsed too: who had them after the copy was made is not known.
pub async fn restart_quarantine(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    release_at: Timestamp,
) -> Result<u64, Error> {
    const SQL: &str = "
        UPDATE holds SET release_at = $3
        WHERE account = $1 AND state = 'quarantined' AND release_at < $3
          AND number_id IN (SELECT id FROM numbers WHERE account = $1 AND service = $2)";
    Ok(on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(service)
        .bind(release_at.millis())
        .execute(conn)
        .await?
        .rows_affected()))
}

/// The sessions for which something is owed.
pub async fn owing(tx: &mut Tx) -> Result<Vec<(AccountId, SessionId)>, Error> {
    const SQL: &str = "
        SELECT DISTINCT account, session FROM outbox
        WHERE state IN ('ready', 'sending') AND session IS NOT NULL ORDER BY account, session";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// How many sessions of each account are on hold.
pub async fn suspended_counts(tx: &mut Tx) -> Result<Vec<(AccountId, i64)>, Error> {
    const SQL: &str = "
        SELECT account, COUNT(*) FROM sessions WHERE suspended_at IS NOT NULL
        GROUP BY account ORDER BY account";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// Sessions on hold after `after` (account and id; empty for the first page), `limit` at most.
pub async fn suspended(
    tx: &mut Tx,
    after: (&str, &str),
    limit: i64,
) -> Result<Vec<(AccountId, SessionId)>, Error> {
    const SQL: &str = "
        SELECT account, id FROM sessions
        WHERE suspended_at IS NOT NULL AND (account, id) > ($1, $2)
        ORDER BY account, id LIMIT $3";
    Ok(on!(tx, |conn| sqlx::query_as(SQL)
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// The account of a session that is on hold.
pub async fn account_of(tx: &mut Tx, session: &SessionId) -> Result<Option<AccountId>, Error> {
    const SQL: &str = "SELECT account FROM sessions WHERE id = $1 AND suspended_at IS NOT NULL";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(session).fetch_optional(conn).await?))
}
