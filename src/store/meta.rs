//! Facts about the database itself.

use super::{Error, Tx, db::on};
use crate::domain::time::Timestamp;

const HIGH_WATER_MARK: &str = "high_water_mark";
pub(super) const KEY_ID: &str = "master_key_id";
const OLDEST_SCHEMA: &str = "oldest_schema";
const NUMBER_RULES: &str = "number_rules";

/// Has SQLite look at all tables (0x10000), and gather statistics (0x2) of those that have none or that have
/// grown tenfold, by a sample of their rows (0x10): it is done in milliseconds.
pub(super) const STATISTICS: &str = "PRAGMA optimize = 0x10012";

/// Gathers the statistics by which statements are planned, where they are old. PostgreSQL does so itself.
pub async fn keep_statistics(tx: &mut Tx) -> Result<(), Error> {
    if tx.locks() {
        return Ok(());
    }
    on!(tx, |conn| {
        sqlx::query(STATISTICS).execute(conn).await?;
    });
    Ok(())
}

pub(super) async fn get(tx: &mut Tx, name: &'static str) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT value FROM meta WHERE name = $1";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(name).fetch_optional(conn).await?))
}

pub(super) async fn set(tx: &mut Tx, name: &'static str, value: &str) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO meta (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(name).bind(value).execute(conn).await?;
    });
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, name: &'static str) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM meta WHERE name = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(name).execute(conn).await?;
    });
    Ok(())
}

/// The latest time that was stored: SQLite's time never goes behind it.
pub(super) async fn high_water_mark(tx: &mut Tx) -> Result<Timestamp, Error> {
    let text = get(tx, HIGH_WATER_MARK).await?;
    Ok(Timestamp::from_millis(text.and_then(|t| t.parse().ok()).unwrap_or(0)))
}

/// Stores the latest time, unless another process stored a later one.
pub(super) async fn set_high_water_mark(tx: &mut Tx, at: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO meta (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        WHERE CAST(meta.value AS BIGINT) < CAST(excluded.value AS BIGINT)";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(HIGH_WATER_MARK).bind(at.millis().to_string()).execute(conn).await?;
    });
    Ok(())
}

/// Keeps builds off that know no later schema than those before `schema`.
pub(super) async fn need_schema(tx: &mut Tx, schema: i64) -> Result<(), Error> {
    let needed = get(tx, OLDEST_SCHEMA).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
    if needed < schema {
        set(tx, OLDEST_SCHEMA, &schema.to_string()).await?;
    }
    Ok(())
}

/// The master key that this database calls its own: the first, or the one that it was rotated to last;
/// `None` while it is new.
pub async fn key_id(tx: &mut Tx) -> Result<Option<String>, Error> {
    get(tx, KEY_ID).await
}

/// Answers if the database does.
pub async fn ping(tx: &mut Tx) -> Result<(), Error> {
    get(tx, KEY_ID).await.map(drop)
}

/// By which rules the numbers were judged last; `None` if they never were.
pub async fn number_rules(tx: &mut Tx) -> Result<Option<String>, Error> {
    get(tx, NUMBER_RULES).await
}

/// Notes by which rules the numbers were judged.
pub async fn set_number_rules(tx: &mut Tx, rules: &str) -> Result<(), Error> {
    set(tx, NUMBER_RULES, rules).await
}
