//! A look at a database that changes nothing in it: for `entremise check`.

use std::{path::PathBuf, str::FromStr as _, sync::Arc, time::Duration};

use sqlx::{
    PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{
    Error, Tx,
    db::{Conn, DbOptions, Shared, on},
    durability,
    open::{MIGRATOR, OLDEST, admits},
};
use crate::domain::audit::By;

/// How long opening may take.
const OPEN_MAX: Duration = Duration::from_secs(5);

/// A database that was opened to be read. It was neither made nor migrated.
pub struct Inspection {
    shared: Arc<Shared>,
    pool: Pool,
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// How a database's schema and ours differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// Migrations of ours that it has not seen.
    pub pending: usize,
    /// Migrations that it has seen and that we have otherwise, or do not have though we must.
    pub foreign: usize,
}

impl Inspection {
    /// The file of a `sqlite:` address.
    ///
    /// # Errors
    /// [`Error::Statement`] if it can't be read as one.
    pub fn file(url: &str) -> Result<Option<PathBuf>, Error> {
        if !url.starts_with("sqlite:") {
            return Ok(None);
        }
        Ok(Some(SqliteConnectOptions::from_str(url)?.get_filename().to_path_buf()))
    }

    /// Opens the database; a SQLite file must be there.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Statement`] as [`super::Db::open`].
    pub async fn open(options: &DbOptions) -> Result<Self, Error> {
        let pool = if Self::file(&options.url)?.is_some() {
            let connect = SqliteConnectOptions::from_str(&options.url)?
                .read_only(true)
                .create_if_missing(false)
                .busy_timeout(OPEN_MAX);
            let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(OPEN_MAX);
            Pool::Sqlite(pool.connect_with(connect).await?)
        } else {
            let connect = PgConnectOptions::from_str(&options.url)?
                .application_name("entremise check")
                .options([durability::ASKED]);
            let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(OPEN_MAX);
            Pool::Postgres(pool.connect_with(connect).await?)
        };
        Ok(Self { shared: Arc::new(Shared::new(options)), pool })
    }

    /// Opens a transaction that only reads.
    pub async fn read(&self) -> Result<Tx, Error> {
        let conn = match &self.pool {
            Pool::Sqlite(pool) => Conn::SqliteRead(pool.begin().await?),
            Pool::Postgres(pool) => Conn::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?,
            ),
        };
        let by = Arc::new(By::RELAY);
        Ok(Tx::over(conn, Arc::clone(&self.shared), self.shared.clock.now(), by))
    }

    /// Compares its migrations with ours.
    pub async fn schema(&self) -> Result<Schema, Error> {
        let mut tx = self.read().await?;
        let applied = applied(&mut tx).await?;
        let ours = || MIGRATOR.iter().filter(|one| !one.migration_type.is_down_migration());
        let same = |version: i64, checksum: &[u8]| {
            ours().any(|one| one.version == version && *one.checksum == *checksum)
        };
        let later = |version: i64| ours().all(|one| one.version < version);
        let admitted = applied.is_empty() || oldest_admits(&mut tx).await?;
        Ok(Schema {
            pending: ours()
                .filter(|one| applied.iter().all(|(version, _)| *version != one.version))
                .count(),
            foreign: applied
                .iter()
                .filter(|(version, sum)| !(same(*version, sum) || admitted && later(*version)))
                .count(),
        })
    }

    /// Ends its connection.
    pub async fn close(self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl std::fmt::Debug for Inspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inspection")
    }
}

async fn oldest_admits(tx: &mut Tx) -> Result<bool, Error> {
    let oldest: Option<String> =
        on!(tx, |conn| sqlx::query_scalar(OLDEST).fetch_optional(conn).await?);
    Ok(admits(oldest.as_deref()))
}

async fn applied(tx: &mut Tx) -> Result<Vec<(i64, Vec<u8>)>, Error> {
    const SQLITE: &str =
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
    // The name as any statement of ours would find it.
    const POSTGRES: &str =
        "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT to_regclass('_sqlx_migrations') AS r) q
         WHERE r IS NOT NULL";
    const SQL: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    let there = if matches!(tx.conn, Conn::Postgres(_)) { POSTGRES } else { SQLITE };
    let there: i64 = on!(tx, |conn| sqlx::query_scalar(there).fetch_one(conn).await?);
    if there == 0 {
        return Ok(Vec::new());
    }
    Ok(on!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}
