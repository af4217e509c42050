//! Opens a database of either engine and migrates it, under a lock.

use std::{
    fs::File,
    path::Path,
    str::FromStr as _,
    sync::{Arc, LazyLock},
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, SqliteConnection,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Error,
    ballast::Room,
    db::{DbOptions, Doors, Shared},
    durability,
    lanes::{PerLane, Rooms},
    turn::Turn,
    writer::Writer,
};

/// Ours. Later ones that the database has seen are left to [`admit`].
pub(super) static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.set_ignore_missing(true);
    migrator
});

/// What a migration that takes something away writes: the last one that a build must know to run.
pub(super) const OLDEST: &str = "SELECT value FROM meta WHERE name = 'oldest_schema'";

/// The oldest SQLite without the WAL-reset corruption bug (sqlite.org/changes, 3.51.3).
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);

/// How long a new connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a migration waits for a lock: all others queue behind it, and carriers' webhooks wait no longer than
/// 1.5 s.
const LOCK_MAX: &str = "1s";
/// How long it lets the others go on before it tries again.
const LOCK_PAUSE: Duration = Duration::from_secs(2);
/// How often it tries: for half an hour, as long as a large table may take another node.
const LOCK_TRIES: u32 = 600;

/// Opens a SQLite file, makes it if it is not there, and migrates it.
pub(super) async fn sqlite(
    options: &DbOptions,
    shared: &Arc<Shared>,
    tracker: &TaskTracker,
    stop: CancellationToken,
) -> Result<Doors, Error> {
    let connect = SqliteConnectOptions::from_str(&options.url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(30));
    let path = connect.get_filename().to_path_buf();
    // Each connection would have a database of its own.
    if options.url.contains(":memory:") || options.url.contains("mode=memory") {
        return Err(Error::Statement("the database must be a file, not in memory".into()));
    }
    let lock = lock_file(&path, "migrate")?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
        .await
        .map_err(|_| Error::Panicked)?
        .map_err(|error| lock_error(&error))?;
    let mut disk = Room::beside(&path, options.ballast).await?;
    let conn = match ready(&connect).await {
        // On a full disk there is no room for the index of the log.
        Err(error) if error.is_full() && disk.run_out() => ready(&connect).await?,
        other => other?,
    };
    drop(lock);
    let connect = connect.read_only(true).create_if_missing(false);
    let readers = PerLane::new(|lane| {
        SqlitePoolOptions::new()
            .max_connections(options.connections.clamp(1, 4))
            .acquire_timeout(lane.patience())
            .connect_lazy_with(connect.clone())
    });
    let writer = Writer::start(
        conn,
        readers.clone(),
        (Turn::open(&path)?, disk),
        Arc::clone(shared),
        tracker,
        &stop,
    )
    .await?;
    Ok(Doors::Sqlite { readers, writer, path })
}

/// The writer's connection to a file whose schema is ours.
async fn ready(connect: &SqliteConnectOptions) -> Result<SqliteConnection, Error> {
    let mut conn = SqliteConnection::connect_with(connect).await?;
    check_version(&mut conn).await?;
    migrate(&mut conn).await?;
    admit(sqlx::query_scalar(OLDEST).fetch_optional(&mut conn).await?.as_ref())?;
    Ok(conn)
}

async fn check_version(conn: &mut SqliteConnection) -> Result<(), Error> {
    let text: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(conn).await?;
    let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) >= SQLITE_MIN {
        Ok(())
    } else {
        Err(Error::Statement(format!("SQLite {text} is too old: 3.51.3 or later is needed")))
    }
}

/// Opens and migrates a PostgreSQL database.
pub(super) async fn postgres(options: &DbOptions, tracker: &TaskTracker) -> Result<Doors, Error> {
    // All statements are short: to compile one takes longer than to run it.
    let connect = PgConnectOptions::from_str(&options.url)?
        .application_name("entremise")
        .options([("jit", "off")]);
    migrated(&connect.clone().options([("lock_timeout", LOCK_MAX)])).await?;
    let pools = PerLane::new(|lane| {
        PgPoolOptions::new()
            .max_connections(options.connections.max(2))
            .acquire_timeout(lane.patience())
            .connect_lazy_with(connect.clone().options([
                durability::ASKED,
                ("statement_timeout", "30s"),
                ("lock_timeout", lane.lock_timeout()),
                // Ours do nothing but statements: one that rests so long belongs to a node that
                // stopped, and others wait for its locks.
                ("idle_in_transaction_session_timeout", "10s"),
            ]))
    });
    Ok(Doors::Postgres { pools, rooms: Rooms::new(), tracker: tracker.clone() })
}

/// Migrates, however long others have what it needs: a table, or the migrator's own advisory lock while another
/// node is at it. It lets go in between, since whoever comes after it waits for it.
async fn migrated(connect: &PgConnectOptions) -> Result<(), Error> {
    let mut tries = 1;
    loop {
        let mut conn = connect_postgres(connect).await?;
        let done = async {
            check_collation(&mut conn).await?;
            migrate(&mut conn).await?;
            admit(sqlx::query_scalar(OLDEST).fetch_optional(&mut conn).await?.as_ref())
        };
        let done = done.await;
        // The advisory lock goes with the connection.
        let closed = conn.close().await;
        match done {
            Err(Error::Locked) if tries < LOCK_TRIES => tries += 1,
            done => return done.and_then(|()| Ok(closed?)),
        }
        tracing::info!("the schema is not migrated yet: others use what is to be changed");
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

/// Ids are cursors and stand for the order of time: where a database sorts by a language that has
/// letters such as the Danish `aa`, they would not.
async fn check_collation(conn: &mut PgConnection) -> Result<(), Error> {
    const SQL: &str = r#"
        SELECT string_agg(v, '' ORDER BY v) = string_agg(v, '' ORDER BY v COLLATE "C")
        FROM (SELECT a || b || c AS v FROM regexp_split_to_table('0123456789abcdef', '') AS a,
            regexp_split_to_table('0123456789abcdef', '') AS b,
            regexp_split_to_table('0123456789abcdef', '') AS c) AS v"#;
    let sorted: bool = sqlx::query_scalar(SQL).fetch_one(conn).await?;
    if sorted {
        return Ok(());
    }
    Err(Error::Statement(
        "the database sorts by a language's rules: make it with TEMPLATE template0 LOCALE 'C'"
            .into(),
    ))
}

async fn connect_postgres(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(options)).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
    }
}

/// Whether this build may run on a schema that a later build has changed: while it was only added to
/// (I29).
pub(super) fn admits(oldest: Option<&str>) -> bool {
    let ours = MIGRATOR.iter().map(|one| one.version).max().unwrap_or(0);
    oldest.is_none_or(|oldest| oldest.parse().is_ok_and(|oldest: i64| oldest <= ours))
}

fn admit(oldest: Option<&String>) -> Result<(), Error> {
    if admits(oldest.map(String::as_str)) {
        return Ok(());
    }
    Err(Error::Statement("a later build has changed the schema: run that one, or a newer".into()))
}

async fn migrate<'c, C>(conn: C) -> Result<(), Error>
where
    C: sqlx::Acquire<'c>,
    <C::Connection as std::ops::Deref>::Target: sqlx::migrate::Migrate,
{
    MIGRATOR.run(conn).await.map_err(|error| match error {
        // The driver's words may quote values of a row.
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            match Error::from(error) {
                Error::Statement(code) => Error::Statement(format!("migration: {code}")),
                other => other,
            }
        }
        other => Error::Statement(format!("migration: {other}")),
    })
}

/// A file beside the database, to be locked.
pub(super) fn lock_file(path: &Path, purpose: &str) -> Result<File, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{purpose}.lock"));
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(name)
        .map_err(|error| lock_error(&error))
}

pub(super) fn lock_error(error: &std::io::Error) -> Error {
    Error::Unavailable(format!("lock file: {}", error.kind()))
}
