//! Every query on both engines: each body runs on a SQLite file and on a PostgreSQL schema.

use std::{
    path::PathBuf,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Db, DbOptions, Engine, Error, Tx, db::on};
use crate::{
    clock::Clock,
    domain::{phone::Permits, time::Timestamp},
    ids::Ids,
    privacy::{Keyring, MasterKey},
};

mod accounts;
mod api_requests;
mod audit;
mod budgets;
mod charges;
mod collation;
mod deliveries;
mod doors;
mod durability;
mod errors;
mod first_texts;
mod holds;
mod inbox;
mod lanes;
mod lists;
mod log;
mod master_keys;
mod media;
mod migrations;
mod moderation;
mod moving;
mod neighbours;
mod numbers;
mod opt_outs;
mod outbox;
mod pins;
mod plans;
mod plans_of_hours;
mod plans_of_people;
mod races;
mod reconciled;
mod registration;
mod reports;
mod retention;
mod rings;
mod sealing;
mod services;
mod sessions;
mod stop;
mod tallies;
mod time;
mod world;

use world::World;

/// Makes two tests of each body: `name::on_sqlite` and `name::on_postgres`.
macro_rules! db_test {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                let lab = crate::store::tests::Lab::sqlite().await;
                super::$name(&lab).await;
                lab.close().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                let Some(lab) = crate::store::tests::Lab::postgres().await else { return };
                super::$name(&lab).await;
                lab.close().await;
            }
        }
    )*};
}
use db_test;

/// Runs a body in a write transaction; the names in brackets are cloned into it. The body ends in
/// a `Result`.
macro_rules! commit {
    ($db:expr, [$($name:ident),*], |$tx:ident| $body:expr) => {{
        $(let $name = $name.clone();)*
        $db.write(move |$tx: &mut crate::store::Tx| {
            $(let $name = $name.clone();)*
            Box::pin(async move { $body })
        })
    }};
}
use commit;

/// Where a test's databases are, and what they share.
pub(super) struct Lab {
    /// The first database.
    pub(super) db: Db,
    pub(super) engine: Engine,
    pub(super) url: String,
    pub(super) clock: Clock,
    pub(super) ids: Ids,
    pub(super) keyring: Arc<Keyring>,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
    /// The SQLite file.
    pub(super) file: PathBuf,
    _dir: Option<TempDir>,
    schema: Option<(String, String)>,
}

static SCHEMAS: AtomicU64 = AtomicU64::new(0);
static KEYRING: LazyLock<Arc<Keyring>> =
    LazyLock::new(|| Arc::new(Keyring::new(MasterKey::generate())));

/// Where PostgreSQL answers. Without it the half of the tests that needs it says so and passes,
/// unless it is required.
#[expect(clippy::disallowed_methods, reason = "tests are told by variables, not by a config file")]
pub(super) fn postgres_url() -> Option<String> {
    let url = std::env::var("TEST_POSTGRES_URL").ok();
    if url.is_none() {
        let required = std::env::var("REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
        assert!(!required, "TEST_POSTGRES_URL is not set and REQUIRE_POSTGRES is 1");
        println!("skipped: TEST_POSTGRES_URL is not set");
    }
    url
}

impl Lab {
    /// A SQLite file of its own.
    pub(super) async fn sqlite() -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("store.db");
        let url = format!("sqlite:{}", file.display());
        Self::start(url, file, Some(dir), None).await
    }

    /// A PostgreSQL schema of its own.
    pub(super) async fn postgres() -> Option<Self> {
        let base = postgres_url()?;
        let count = SCHEMAS.fetch_add(1, Ordering::Relaxed);
        let schema = format!("t{}_{count}", std::process::id());
        let mut conn = PgConnection::connect(&base).await.unwrap();
        for sql in
            [format!("DROP SCHEMA IF EXISTS {schema} CASCADE"), format!("CREATE SCHEMA {schema}")]
        {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        }
        conn.close().await.unwrap();
        let joint = if base.contains('?') { '&' } else { '?' };
        let url = format!("{base}{joint}options[search_path]={schema}");
        Some(Self::start(url, PathBuf::new(), None, Some((base, schema))).await)
    }

    async fn start(
        url: String,
        file: PathBuf,
        dir: Option<TempDir>,
        schema: Option<(String, String)>,
    ) -> Self {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let (clock, ids, keyring) = (Clock::shifted(), Ids::default(), Arc::clone(&KEYRING));
        let options = DbOptions {
            url: url.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            keyring: Arc::clone(&keyring),
            connections: 6,
            permits: Permits::default(),
            bounds: Arc::default(),
            ballast: 0,
        };
        let db = Db::open(options, &tracker, stop.clone()).await.unwrap();
        let engine = db.engine();
        Self { db, engine, url, clock, ids, keyring, tracker, stop, file, _dir: dir, schema }
    }

    /// What another process beside this one would open.
    pub(super) fn options(&self) -> DbOptions {
        DbOptions {
            url: self.url.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            keyring: Arc::clone(&self.keyring),
            connections: 4,
            permits: Permits::default(),
            bounds: Arc::default(),
            ballast: 0,
        }
    }

    /// Opens the same database as another process would.
    pub(super) async fn second(&self) -> Db {
        Db::open(self.options(), &self.tracker, self.stop.clone()).await.unwrap()
    }

    pub(super) const fn on_sqlite(&self) -> bool {
        matches!(self.engine, Engine::Sqlite)
    }

    /// Ends everything, and drops the schema.
    pub(super) async fn close(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        self.db.close().await;
        if let Some((base, schema)) = &self.schema {
            let mut conn = PgConnection::connect(base).await.unwrap();
            let sql = sqlx::AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"));
            sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        }
    }
}

/// Runs a statement that the store has no function for.
pub(super) async fn run(tx: &mut Tx, sql: impl Into<String>) -> Result<u64, Error> {
    let sql = sqlx::AssertSqlSafe(sql.into());
    Ok(on!(tx, |conn| sqlx::query(sql).execute(conn).await?.rows_affected()))
}

/// One number that a statement finds.
pub(super) async fn count(tx: &mut Tx, sql: impl Into<String>) -> Result<i64, Error> {
    let sql = sqlx::AssertSqlSafe(sql.into());
    Ok(on!(tx, |conn| sqlx::query_scalar(sql).fetch_one(conn).await?))
}

/// Texts that a statement finds.
pub(super) async fn texts(tx: &mut Tx, sql: impl Into<String>) -> Result<Vec<String>, Error> {
    let sql = sqlx::AssertSqlSafe(sql.into());
    Ok(on!(tx, |conn| sqlx::query_scalar(sql).fetch_all(conn).await?))
}

/// An instant in milliseconds, for rows whose time does not matter.
pub(super) const fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + ms)
}
