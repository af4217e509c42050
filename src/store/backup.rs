//! Copies a SQLite database while it is used, and counts what a copy must hold.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    Error, Tx,
    db::{Conn, on},
    fence,
};

/// How many rows each table has, in order of their names.
pub type Counts = Vec<(String, i64)>;

const TABLES: &str = "
    SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    ORDER BY name";

/// A name that stands in a statement: only ours do, but for what somebody else put into the file.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn one(sql: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql)
}

/// The tables of the database, in order of their names.
pub async fn tables(tx: &mut Tx) -> Result<Vec<String>, Error> {
    const POSTGRES: &str = "
        SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()
        ORDER BY tablename";
    let sql = if matches!(tx.conn, Conn::Postgres(_)) { POSTGRES } else { TABLES };
    Ok(on!(tx, |conn| sqlx::query_scalar(sql).fetch_all(conn).await?))
}

/// How many rows each table of the database has.
pub async fn counts(tx: &mut Tx) -> Result<Counts, Error> {
    let tables = tables(tx).await?;
    let mut counts = Vec::with_capacity(tables.len());
    for table in tables {
        let sql = one(format!("SELECT COUNT(*) FROM {}", quoted(&table)));
        let count: i64 = on!(tx, |conn| sqlx::query_scalar(sql).fetch_one(conn).await?);
        counts.push((table, count));
    }
    Ok(counts)
}

/// The PostgreSQL schema that our tables are in.
pub async fn schema(tx: &mut Tx) -> Result<String, Error> {
    const SQL: &str = "SELECT CAST(current_schema() AS TEXT)";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).fetch_one(conn).await?))
}

/// Lets another connection read what this transaction reads; the snapshot's name. `None` on SQLite.
pub async fn share_snapshot(tx: &mut Tx) -> Result<Option<String>, Error> {
    if !matches!(tx.conn, Conn::Postgres(_)) {
        return Ok(None);
    }
    Ok(Some(on!(tx, |conn| sqlx::query_scalar("SELECT pg_export_snapshot()")
        .fetch_one(conn)
        .await?)))
}

/// A file that is being written under a name of its own, and gets its name when it is whole.
/// Dropping it before takes it away.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
    to: PathBuf,
    file: File,
}

impl Unfinished {
    /// Begins a file that only its owner may read.
    ///
    /// # Errors
    /// [`std::io::Error`]: [`ErrorKind::AlreadyExists`] if `to` is there, or another is at it.
    pub fn begin(to: &Path) -> std::io::Result<Self> {
        if to.symlink_metadata().is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let mut name = to.as_os_str().to_owned();
        name.push(".unfinished");
        let path = PathBuf::from(name);
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
        Ok(Self { path, to: to.to_path_buf(), file })
    }

    /// Where it is until it is whole.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A handle to write to.
    pub fn writer(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Makes it durable and gives it its name; its length in bytes. A file that came to have the
    /// name meanwhile is not overwritten.
    pub fn finish(self) -> std::io::Result<u64> {
        self.file.sync_all()?;
        let bytes = self.file.metadata()?.len();
        // Unlike a rename, a link fails where the name is taken.
        std::fs::hard_link(&self.path, &self.to)?;
        let folder = self.to.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // SQLite's own, should it have been stopped in the middle.
        let mut journal = self.path.as_os_str().to_owned();
        journal.push("-journal");
        let _ = std::fs::remove_file(PathBuf::from(journal));
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Copies the SQLite database `from` into the empty file at `into`, as it is at one instant, while
/// others write to it; marks the copy as one, so that no server takes it for the original. Both are
/// counted inside the one transaction that copied, and the copy is read back.
///
/// `VACUUM INTO` would copy as well, but at an instant of its own, which no other statement sees: its
/// result could not be compared with anything.
///
/// # Errors
/// [`Error::Statement`] if the copy is not the same, or `from` has what our schema never has.
pub async fn copy_sqlite(from: &Path, into: &Path) -> Result<Counts, Error> {
    // It only reads `from`. A connection that is opened to read could not write to what it attaches.
    let options = SqliteConnectOptions::new()
        .filename(from)
        .create_if_missing(false)
        .foreign_keys(false)
        .busy_timeout(std::time::Duration::from_secs(30));
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let into_text =
        into.to_str().ok_or_else(|| Error::Statement("the path is not UTF-8".into()))?;
    sqlx::query("ATTACH $1 AS copy").bind(into_text).execute(&mut conn).await?;
    sqlx::query("PRAGMA copy.synchronous = FULL").execute(&mut conn).await?;
    let mut tx = conn.begin().await?;
    let copied = copy_tables(&mut tx).await?;
    tx.commit().await?;
    conn.close().await?;
    let read = check_sqlite(into).await?;
    if read == copied {
        return Ok(copied);
    }
    Err(Error::Statement("the copy reads back otherwise than it was written".into()))
}

async fn copy_tables(conn: &mut SqliteConnection) -> Result<Counts, Error> {
    const SCHEMA: &str = "
        SELECT type, name, sql FROM main.sqlite_master
        WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
        ORDER BY CASE type WHEN 'table' THEN 0 ELSE 1 END, name";
    let schema: Vec<(String, String, String)> =
        sqlx::query_as(SCHEMA).fetch_all(&mut *conn).await?;
    let mut counts = Counts::new();
    for (kind, name, sql) in schema {
        let create = ["CREATE TABLE ", "CREATE UNIQUE INDEX ", "CREATE INDEX "]
            .into_iter()
            .find_map(|head| sql.strip_prefix(head).map(|rest| format!("{head}copy.{rest}")));
        let Some(create) = create else {
            return Err(Error::Statement(format!("the {kind} {name} is none of ours")));
        };
        sqlx::query(one(create)).execute(&mut *conn).await?;
        if kind != "table" {
            continue;
        }
        let table = quoted(&name);
        let fill = one(format!("INSERT INTO copy.{table} SELECT * FROM main.{table}"));
        let written = sqlx::query(fill).execute(&mut *conn).await?.rows_affected();
        let count = one(format!("SELECT COUNT(*) FROM main.{table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *conn).await?;
        if u64::try_from(count) != Ok(written) {
            return Err(Error::Statement(format!("{name}: {written} rows of {count} were copied")));
        }
        counts.push((name, count));
    }
    counts.sort();
    mark_copy(conn, &mut counts).await?;
    Ok(counts)
}

/// Marks the copy; `meta` then has a row more.
async fn mark_copy(conn: &mut SqliteConnection, counts: &mut Counts) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO copy.meta (name, value)
        VALUES ($1, COALESCE((SELECT value FROM copy.meta WHERE name = 'epoch'), '0'))
        ON CONFLICT (name) DO NOTHING";
    let more = sqlx::query(SQL).bind(fence::COPY).execute(conn).await?.rows_affected();
    for (_, count) in counts.iter_mut().filter(|(table, _)| table == "meta") {
        *count += i64::try_from(more).unwrap_or(0);
    }
    Ok(())
}

/// Reads a SQLite file from end to end; how many rows each table has.
///
/// # Errors
/// [`Error::Statement`] if it is damaged, or a row refers to one that is not there.
pub async fn check_sqlite(path: &Path) -> Result<Counts, Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let found: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut conn).await?;
    if found != ["ok"] {
        return Err(Error::Statement("the copy is damaged: integrity_check".into()));
    }
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut conn).await?;
    if !orphans.is_empty() {
        return Err(Error::Statement("the copy has rows without their parents".into()));
    }
    let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut conn).await?;
    let mut counts = Counts::new();
    for table in tables {
        let sql = one(format!("SELECT COUNT(*) FROM {}", quoted(&table)));
        counts.push((table, sqlx::query_scalar(sql).fetch_one(&mut conn).await?));
    }
    conn.close().await?;
    Ok(counts)
}
