//! What a failing database is called, how soon, and that no row's value is in the words.

use std::time::{Duration, Instant};

use super::*;

/// A word that stands in rows and must stand in no error.
const CANARY: &str = "canary5550147";

fn words(error: &Error) -> String {
    format!("{error} {error:?}")
}

db_test! {
    /// Each failing statement has its own error, and none quotes a row.
    async fn statements_are_told_apart(lab) {
        let insert = format!("INSERT INTO meta (name, value) VALUES ('{CANARY}', '')");
        commit!(lab.db, [insert], |tx| run(tx, insert).await).await.unwrap();
        let cases = [
            (insert, "conflict"),
            (format!("SELECT {CANARY} FROM meta"), "statement"),
            (format!("INSERT INTO meta (name, value) VALUES ('{CANARY}x', NULL)"), "statement"),
            (
                format!(
                    "INSERT INTO api_keys (account, id, name, hash, hint, scopes, created_at)
                     VALUES ('{CANARY}', '', '', '', '', '', 0)"
                ),
                "statement",
            ),
            (
                format!(
                    "INSERT INTO staff_secrets (hash, staff, kind, created_at, expires_at)
                     VALUES ('{CANARY}', '', '{CANARY}', 0, 0)"
                ),
                "statement",
            ),
        ];
        for (sql, kind) in cases {
            let told = sql.clone();
            let error = commit!(lab.db, [sql], |tx| run(tx, sql).await).await.unwrap_err();
            match kind {
                "conflict" => assert!(matches!(error, Error::Conflict), "{told}: {error}"),
                _ => assert!(matches!(error, Error::Statement(_)), "{told}: {error}"),
            }
            assert!(!words(&error).contains("canary"), "{told}: {error:?}");
        }
        // A row that should be there, and a column of another type.
        let none = "SELECT COUNT(*) FROM meta HAVING COUNT(*) > 9";
        let wrong = "SELECT name FROM meta";
        for sql in [none, wrong] {
            let error = count(&mut lab.db.read().await.unwrap(), sql).await.unwrap_err();
            assert!(matches!(error, Error::Statement(_)), "{error}");
            assert!(!words(&error).contains("canary"), "{error:?}");
        }
    }

    /// Stored text that is no value of its set is named by table and column, not by value.
    async fn bad_data_is_named(lab) {
        let world = World::new(lab).await;
        let id = world.service.clone();
        commit!(lab.db, [id], |tx| {
            run(tx, format!("UPDATE services SET rules = '{CANARY}' WHERE id = '{id}'")).await
        })
        .await
        .unwrap();
        let mut tx = lab.db.read().await.unwrap();
        let error = crate::store::services::get(&mut tx, &world.account, &world.service);
        let error = error.await.unwrap_err();
        assert!(matches!(error, Error::Inconsistent { table: "services", column: "rules" }));
        assert!(!words(&error).contains("canary"));
    }
}

/// The codes of both engines for "not now" are `Unavailable`, in their extended forms too.
#[test]
fn codes_are_sorted() {
    use crate::store::{of_postgres, of_sqlite};
    let unavailable = |error| matches!(error, Error::Unavailable(_));
    for code in ["5", "261", "517", "773", "8", "1032", "10", "778", "1034", "13", "14", "7"] {
        assert!(unavailable(of_sqlite(code)), "{code}");
    }
    for code in ["1", "19", "787", "1299", "11", "26", ""] {
        assert!(matches!(of_sqlite(code), Error::Statement(_)), "{code}");
    }
    for code in ["57P01", "57014", "53100", "53300", "25006", "25P03", "08006", "58030"] {
        assert!(unavailable(of_postgres(code)), "{code}");
    }
    for code in ["23503", "25P02", "42703", "22001", ""] {
        assert!(matches!(of_postgres(code), Error::Statement(_)), "{code}");
    }
    assert!(matches!(of_postgres("40P01"), Error::Transient));
    assert!(matches!(of_postgres("55P03"), Error::Locked));
}

async fn refused(url: &str) -> (Error, Duration) {
    let lab = Lab::sqlite().await;
    let options = DbOptions { url: url.to_owned(), ..lab.options() };
    let started = Instant::now();
    let error = Db::open(options, &lab.tracker, lab.stop.clone()).await.map(drop).unwrap_err();
    let took = started.elapsed();
    lab.close().await;
    (error, took)
}

/// An address where nothing answers is `Unavailable`, soon; one that is no address of ours is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answers() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("postgres://{CANARY}:{CANARY}@{}/x", free.local_addr().unwrap());
    let port = {
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        gone.local_addr().unwrap().port()
    };
    let nobody = format!("postgres://{CANARY}:{CANARY}@127.0.0.1:{port}/x");
    for url in [silent, nobody, "sqlite:/nowhere/at/all/store.db".to_owned()] {
        let (error, took) = refused(&url).await;
        assert!(matches!(error, Error::Unavailable(_)), "{url}: {error:?}");
        assert!(took < Duration::from_secs(6), "{url}: {took:?}");
        assert!(!words(&error).contains("canary"), "{error:?}");
    }
    for url in ["mysql://127.0.0.1/x", "", "sqlite::memory:", "sqlite:x?mode=memory"] {
        let (error, _) = refused(url).await;
        assert!(matches!(error, Error::Statement(_)), "{url}: {error:?}");
    }
    drop(free);
}

/// A connection that PostgreSQL ends under a transaction is `Unavailable` for that one; the next
/// write works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_told() {
    let Some(lab) = Lab::postgres().await else { return };
    let lost = commit!(lab.db, [], |tx| {
        run(tx, format!("INSERT INTO meta (name, value) VALUES ('{CANARY}', '')")).await?;
        count(tx, "SELECT CAST(pg_terminate_backend(pg_backend_pid()) AS INT)::BIGINT").await
    })
    .await
    .unwrap_err();
    assert!(matches!(lost, Error::Unavailable(_)), "{lost:?}");
    assert!(!words(&lost).contains("canary"));
    let left = commit!(lab.db, [], |tx| {
        count(tx, format!("SELECT COUNT(*) FROM meta WHERE name = '{CANARY}'")).await
    });
    assert_eq!(left.await.unwrap(), 0);
    lab.close().await;
}

/// A row that stays locked for longer than we wait is `Locked`, not a failure of the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_stays_locked() {
    let Some(lab) = Lab::postgres().await else { return };
    let touch = "INSERT INTO meta (name, value) VALUES ('row', '')
        ON CONFLICT (name) DO UPDATE SET value = ''";
    let (inside, done) =
        (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let holder = commit!(lab.db, [inside, done], |tx| {
        run(tx, touch).await?;
        inside.notify_one();
        done.notified().await;
        Ok::<_, Error>(())
    });
    let waiter = async {
        inside.notified().await;
        let waits = commit!(lab.db, [], |tx| {
            run(tx, "SET LOCAL lock_timeout = '50ms'").await?;
            run(tx, touch).await
        });
        let answer = waits.await;
        done.notify_one();
        answer
    };
    let (held, waited) = tokio::join!(holder, waiter);
    held.unwrap();
    assert!(matches!(waited, Err(Error::Locked)), "{waited:?}");
    lab.close().await;
}
