//! A database of an earlier build, and what becomes of its rows.

use sqlx::{SqliteConnection, migrate::Migrator};

use super::*;
use crate::store::open::MIGRATOR;

/// The migrations up to that one.
fn until(version: i64) -> Migrator {
    Migrator::with_migrations(
        MIGRATOR.iter().filter(|one| one.version <= version).cloned().collect(),
    )
}

/// A database that ran later migrations before one that was released after them gets that one as well, and both
/// ways lead to the same schema.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_comes_late_is_run() {
    const SCHEMA: &str = "SELECT name || ' ' || sql FROM sqlite_schema
        WHERE sql IS NOT NULL AND tbl_name <> '_sqlx_migrations' ORDER BY name";
    let lab = Lab::sqlite().await;
    let url = format!("sqlite:{}", lab.file.with_file_name("late.db").display());
    let mut conn = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
    let others = MIGRATOR.iter().filter(|one| one.version != 28).cloned().collect();
    Migrator::with_migrations(others).run(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let options = DbOptions { url, ..lab.options() };
    let db = Db::open(options, &lab.tracker, lab.stop.clone()).await.unwrap();
    let late = texts(&mut db.read().await.unwrap(), SCHEMA).await.unwrap();
    let usual = texts(&mut lab.db.read().await.unwrap(), SCHEMA).await.unwrap();
    assert_eq!(late, usual);
    assert!(late.iter().any(|one| one.starts_with("recordings ")));
    db.close().await;
    lab.close().await;
}

/// A statement that owes something.
fn owes(id: &str, state: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!(
        "INSERT INTO outbox (account, id, kind, state, interaction, leg, carrier, payload, attempts,
            fence, run_at, lease_until, valid_until, created_at)
         VALUES ('AC', '{id}', 'message', '{state}', '', '', 'a', 'sealed', 1, 2, 3, 4, 5, 6)"
    ))
}

/// What is owed, with its words.
const OWED: &str = "SELECT id || ' ' || kind || ' ' || payload FROM outbox ORDER BY id";

/// What is owed is owed still once the outbox was made anew, and what has ended is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_outbox_owes_what_the_old_one_did() {
    let lab = Lab::sqlite().await;
    let url = format!("sqlite:{}", lab.file.with_file_name("before.db").display());
    let mut conn = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
    until(16).run(&mut conn).await.unwrap();
    for (id, state) in [("1", "ready"), ("2", "sending"), ("3", "done"), ("4", "parked")] {
        sqlx::query(owes(id, state)).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
    let options = DbOptions { url, ..lab.options() };
    let db = Db::open(options, &lab.tracker, lab.stop.clone()).await.unwrap();
    let owed = texts(&mut db.read().await.unwrap(), OWED).await.unwrap();
    assert_eq!(owed, ["1 message sealed", "2 message sealed"]);
    db.close().await;
    lab.close().await;
}

/// What another node owes while the outbox is made anew is not lost: the new one is begun when nobody is at
/// the old one any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_outbox_waits_for_who_writes_to_the_old_one() {
    let Some(lab) = Lab::postgres().await else { return };
    let schema = format!("before_{}", std::process::id());
    let create = format!("CREATE SCHEMA {schema}");
    commit!(lab.db, [create], |tx| run(tx, create).await).await.unwrap();
    let (base, _) = lab.url.rsplit_once('=').unwrap();
    let url = format!("{base}={schema}");
    let mut conn = PgConnection::connect(&url).await.unwrap();
    until(16).run(&mut conn).await.unwrap();
    sqlx::query(owes("1", "ready")).execute(&mut conn).await.unwrap();
    let mut other = conn.begin().await.unwrap();
    sqlx::query(owes("2", "ready")).execute(&mut *other).await.unwrap();

    let options = DbOptions { url, ..lab.options() };
    let opening = Db::open(options, &lab.tracker, lab.stop.clone());
    let writing = async {
        let waiting = format!(
            "SELECT COUNT(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
             WHERE NOT l.granted AND c.relname LIKE 'outbox%'
               AND c.relnamespace = '{schema}'::regnamespace"
        );
        while count(&mut lab.db.read().await.unwrap(), &*waiting).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        other.commit().await.unwrap();
    };
    let (db, ()) = tokio::join!(opening, writing);
    let db = db.unwrap();
    let owed = texts(&mut db.read().await.unwrap(), OWED).await.unwrap();
    assert_eq!(owed, ["1 message sealed", "2 message sealed"]);
    db.close().await;
    conn.close().await.unwrap();
    let gone = format!("DROP SCHEMA {schema} CASCADE");
    commit!(lab.db, [gone], |tx| run(tx, gone).await).await.unwrap();
    lab.close().await;
}
