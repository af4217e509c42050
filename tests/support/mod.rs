//! Shared by the black-box tests: a fresh database on each engine.

#![expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test says what it left out, and where its PostgreSQL is comes from outside"
)]

use std::sync::{
    Once,
    atomic::{AtomicU64, Ordering},
};

use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

/// A database of one test's own.
pub(crate) struct TestDb {
    /// `sqlite` or `postgres`, for messages.
    pub(crate) engine: &'static str,
    /// As the configuration has it.
    pub(crate) url: String,
    /// Holds the SQLite file, and is removed with it.
    _dir: Option<TempDir>,
    /// The PostgreSQL schema to drop, and where.
    schema: Option<(String, String)>,
}

/// One on SQLite; one on PostgreSQL too if `TEST_POSTGRES_URL` says where it is. Without it the
/// left-out engine is printed once, or is a failure if `REQUIRE_POSTGRES=1`.
pub(crate) async fn databases() -> Vec<TestDb> {
    let mut databases = vec![sqlite()];
    databases.extend(postgres().await);
    databases
}

/// A new SQLite file.
pub(crate) fn sqlite() -> TestDb {
    let dir = tempfile::tempdir().expect("a folder for the test's database");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    TestDb { engine: "sqlite", url, _dir: Some(dir), schema: None }
}

/// A new schema on the PostgreSQL of `TEST_POSTGRES_URL`, if it is set.
pub(crate) async fn postgres() -> Option<TestDb> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static SAID: Once = Once::new();
    let Ok(base) = std::env::var("TEST_POSTGRES_URL") else {
        let required = std::env::var("REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
        assert!(!required, "REQUIRE_POSTGRES=1, but TEST_POSTGRES_URL is not set");
        SAID.call_once(|| eprintln!("left out: PostgreSQL (TEST_POSTGRES_URL is not set)"));
        return None;
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("test_{}_{count}_{}", std::process::id(), random());
    execute(&base, &format!("CREATE SCHEMA {schema}")).await;
    let and = if base.contains('?') { '&' } else { '?' };
    let url = format!("{base}{and}options=-csearch_path%3D{schema}");
    Some(TestDb { engine: "postgres", url, _dir: None, schema: Some((base, schema)) })
}

impl TestDb {
    /// Removes it. One that is only dropped stays on PostgreSQL, which tests throw away as a whole.
    pub(crate) async fn remove(self) {
        if let Some((base, schema)) = &self.schema {
            execute(base, &format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }
}

/// Two runs may share a process id, in two containers.
fn random() -> u32 {
    use entremise::ids::{Entropy as _, SystemEntropy};
    let mut bytes = [0; 4];
    SystemEntropy.fill(&mut bytes);
    u32::from_ne_bytes(bytes)
}

async fn execute(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.expect("the PostgreSQL of TEST_POSTGRES_URL");
    conn.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.expect("a statement of the tests");
    conn.close().await.expect("the connection ends");
}
