//! Every row of every table as text, and the files that a database server keeps them in.

use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::support::Database;

async fn sqlite(database: &Database) -> SqliteConnection {
    let options: sqlx::sqlite::SqliteConnectOptions = database.url.parse().unwrap();
    options.connect().await.unwrap()
}

async fn postgres(database: &Database) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = database.url.parse().unwrap();
    options.connect().await.unwrap()
}

/// Every row of every table, as text.
pub(crate) async fn all(database: &Database) -> Vec<u8> {
    let mut all = Vec::new();
    if database.name == "SQLite" {
        let mut conn = sqlite(database).await;
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        for table in sqlx::query(tables).fetch_all(&mut conn).await.unwrap() {
            let table: String = table.get(0);
            let columns = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns = sqlx::query(sqlx::AssertSqlSafe(columns)).fetch_all(&mut conn).await;
            for column in columns.unwrap() {
                let column: String = column.get(0);
                // A number that was put where integers are is text here too.
                let sql =
                    format!("SELECT CAST(CAST(\"{column}\" AS TEXT) AS BLOB) FROM \"{table}\"");
                let sql = sqlx::AssertSqlSafe(sql);
                for row in sqlx::query(sql).fetch_all(&mut conn).await.unwrap() {
                    let value: Option<Vec<u8>> = row.get(0);
                    all.extend(value.unwrap_or_default());
                    all.push(b'|');
                }
            }
        }
        conn.close().await.unwrap();
    } else {
        let mut conn = postgres(database).await;
        let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
        for table in sqlx::query(tables).fetch_all(&mut conn).await.unwrap() {
            let table: String = table.get(0);
            let sql = sqlx::AssertSqlSafe(format!("SELECT CAST(t AS TEXT) FROM \"{table}\" t"));
            for row in sqlx::query(sql).fetch_all(&mut conn).await.unwrap() {
                all.extend(row.get::<String, _>(0).into_bytes());
                all.push(b'|');
            }
        }
        conn.close().await.unwrap();
    }
    all
}

/// Writes something into a plain column, as a careless change would.
pub(crate) async fn plant(database: &Database, what: &str) {
    const TABLE: &str = "CREATE TABLE IF NOT EXISTS planted (it TEXT NOT NULL)";
    const ROW: &str = "INSERT INTO planted (it) VALUES ($1)";
    if database.name == "SQLite" {
        let mut conn = sqlite(database).await;
        sqlx::query(TABLE).execute(&mut conn).await.unwrap();
        sqlx::query(ROW).bind(what).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    } else {
        let mut conn = postgres(database).await;
        sqlx::query(TABLE).execute(&mut conn).await.unwrap();
        sqlx::query(ROW).bind(what).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
}

/// A server's own files, where it runs on this machine and lets us read them.
pub(crate) struct ServersFiles {
    folder: PathBuf,
    /// Of the database's own files.
    database: PathBuf,
    /// The log's file in which the story begins.
    first: String,
}

impl ServersFiles {
    pub(crate) async fn of(database: &Database) -> Option<Self> {
        if database.name == "SQLite" {
            return None;
        }
        let mut conn = postgres(database).await;
        let row = sqlx::query(
            "SELECT current_setting('data_directory'), pg_walfile_name(pg_current_wal_lsn()),
                (SELECT CAST(oid AS TEXT) FROM pg_database WHERE datname = current_database())",
        );
        let row = row.fetch_one(&mut conn).await;
        conn.close().await.unwrap();
        let row = row.ok()?;
        let folder = PathBuf::from(row.get::<String, _>(0));
        let base = folder.join("base").join(row.get::<String, _>(2));
        // A server elsewhere, or one that runs as somebody else.
        std::fs::read_dir(&base).ok()?;
        Some(Self { database: base, first: row.get(1), folder })
    }

    /// The database's files, the write-ahead log since the beginning, and what the server logged itself.
    pub(crate) async fn paths(&self, database: &Database) -> Vec<PathBuf> {
        let mut conn = postgres(database).await;
        sqlx::query("CHECKPOINT").execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let mut paths = below(&self.database);
        let wal = below(&self.folder.join("pg_wal"));
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let of_the_story = wal.into_iter().filter(|path| name(path) >= self.first);
        let before = paths.len();
        paths.extend(of_the_story);
        assert!(paths.len() > before, "no write-ahead log since {}", self.first);
        let log = self.folder.with_file_name("postgres.log");
        paths.extend(log.exists().then_some(log));
        paths
    }
}

/// Every file below a folder.
pub(crate) fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(below(&path)) } else { found.push(path) }
    }
    found
}
