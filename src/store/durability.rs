//! Whether the database keeps what it has committed when the power fails.

use super::{
    Error, Tx,
    db::{Conn, on},
};

/// What every connection to PostgreSQL that writes asks for: a role's or a database's own setting
/// would win otherwise.
pub(super) const ASKED: (&str, &str) = ("synchronous_commit", "on");

/// Settings of the database, as `name = value`, with which a loss of power takes away what was
/// acknowledged, or damages the files; in order of their names. SQLite has none: we set its own.
pub async fn lax(tx: &mut Tx) -> Result<Vec<String>, Error> {
    // As they are on this connection: a pooler may have dropped what was asked for.
    const SQL: &str = "
        SELECT CAST(name || ' = ' || setting AS TEXT) FROM pg_settings
        WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
        ORDER BY name";
    if !matches!(tx.conn, Conn::Postgres(_)) {
        return Ok(Vec::new());
    }
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).fetch_all(conn).await?))
}
