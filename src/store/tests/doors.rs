//! The two doors: what a write that fails, panics, is left or is passed over leaves behind.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Notify;

use super::*;
use crate::store::blocks;

const ROWS: &str = "SELECT COUNT(*) FROM meta WHERE name LIKE 'row%'";

fn row(name: &str) -> String {
    format!("INSERT INTO meta (name, value) VALUES ('row{name}', '')")
}

async fn rows(db: &Db) -> i64 {
    count(&mut db.read().await.unwrap(), ROWS).await.unwrap()
}

/// How many commits the log of a SQLite file holds: frames that name the size after a commit.
fn commits(lab: &Lab) -> usize {
    let bytes = std::fs::read(lab.file.with_extension("db-wal")).unwrap();
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let page = usize::try_from(word(8)).unwrap();
    let frames = (32..bytes.len()).step_by(24 + page);
    frames.filter(|at| bytes[at + 8..at + 16] == bytes[16..24] && word(at + 4) > 0).count()
}

db_test!(
    a_write_is_seen_and_a_read_is_one_snapshot,
    an_error_undoes_its_writes,
    a_panic_is_an_error,
    neighbours_are_unharmed,
    a_failed_statement_is_not_passed_over,
    a_mark_can_be_gone_back_to,
    a_dropped_caller_leaves_nothing_open,
    dropped_readers_give_back,
    a_read_does_not_write,
    i29_a_rollback_runs_on_an_expanded_schema
);

/// A write is there once it is answered, and a read sees one snapshot, not what comes later.
async fn a_write_is_seen_and_a_read_is_one_snapshot(lab: &Lab) {
    let mut before = lab.db.read().await.unwrap();
    assert_eq!(count(&mut before, ROWS).await.unwrap(), 0);
    commit!(lab.db, [], |tx| run(tx, row("a")).await).await.unwrap();
    assert_eq!(count(&mut before, ROWS).await.unwrap(), 0);
    assert_eq!(rows(&lab.db).await, 1);
}

/// An error after writes leaves no trace of them.
async fn an_error_undoes_its_writes(lab: &Lab) {
    let failed = commit!(lab.db, [], |tx| {
        run(tx, row("a")).await?;
        Err::<(), _>(Error::Conflict)
    });
    assert!(matches!(failed.await, Err(Error::Conflict)));
    assert_eq!(rows(&lab.db).await, 0);
}

/// A panic inside a write is an error for its caller, undoes its writes, and harms nobody else,
/// also where it happens before the work's future is made.
async fn a_panic_is_an_error(lab: &Lab) {
    let inside = commit!(lab.db, [], |tx| {
        run(tx, row("a")).await?;
        assert_eq!(1, 2, "on purpose");
        Ok::<_, Error>(())
    });
    assert!(matches!(inside.await, Err(Error::Panicked)));
    let outside =
        lab.db.write(|_tx: &mut Tx| -> futures_util::future::BoxFuture<'_, Result<(), Error>> {
            panic!("on purpose")
        });
    assert!(matches!(outside.await, Err(Error::Panicked)));
    commit!(lab.db, [], |tx| run(tx, row("b")).await).await.unwrap();
    assert_eq!(rows(&lab.db).await, 1);
}

/// Among many writes at once the failing and the panicking ones undo only themselves.
async fn neighbours_are_unharmed(lab: &Lab) {
    let writes = (0..40).map(|n| {
        commit!(lab.db, [n], |tx| {
            run(tx, row(&n.to_string())).await?;
            assert_ne!(n % 8, 7, "on purpose");
            if n % 8 == 3 { Err(Error::Conflict) } else { Ok(n) }
        })
    });
    let answers = join_all(writes).await;
    for (n, answer) in (0..40).zip(answers) {
        match n % 8 {
            7 => assert!(matches!(answer, Err(Error::Panicked)), "{n}"),
            3 => assert!(matches!(answer, Err(Error::Conflict)), "{n}"),
            _ => assert_eq!(answer.unwrap(), n),
        }
    }
    assert_eq!(rows(&lab.db).await, 30);
}

/// A statement that failed dooms its transaction even if its work passes over the error: what
/// PostgreSQL would silently roll back is never answered as done.
async fn a_failed_statement_is_not_passed_over(lab: &Lab) {
    let answer = commit!(lab.db, [], |tx| {
        run(tx, row("a")).await?;
        let again = run(tx, row("a")).await;
        assert!(matches!(again, Err(Error::Conflict)));
        assert!(run(tx, row("b")).await.is_err(), "nothing more runs");
        Ok::<_, Error>(())
    });
    assert!(matches!(answer.await, Err(Error::Statement(_))));
    assert_eq!(rows(&lab.db).await, 0);
}

/// Going back to a mark undoes what came after it, a failed statement too, and keeps the rest.
async fn a_mark_can_be_gone_back_to(lab: &Lab) {
    commit!(lab.db, [], |tx| {
        run(tx, row("a")).await?;
        tx.mark().await?;
        run(tx, row("b")).await?;
        assert!(run(tx, row("a")).await.is_err());
        tx.rollback_to_mark().await?;
        tx.mark().await?;
        run(tx, row("c")).await?;
        tx.release_mark().await?;
        tx.mark().await?;
        run(tx, row("d")).await?;
        tx.rollback_to_mark().await
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let names = texts(&mut tx, "SELECT name FROM meta WHERE name LIKE 'row%' ORDER BY name");
    assert_eq!(names.await.unwrap(), ["rowa", "rowc"]);
}

/// A caller that goes away in the middle of its write leaves nothing open: all later writes
/// work, and its own is done all the same.
async fn a_dropped_caller_leaves_nothing_open(lab: &Lab) {
    for n in 0..30 {
        let name = n.to_string();
        let inside = Arc::new(Notify::new());
        let write = commit!(lab.db, [name, inside], |tx| {
            run(tx, row(&format!("{name}x"))).await?;
            inside.notify_one();
            tokio::task::yield_now().await;
            run(tx, row(&format!("{name}y"))).await
        });
        tokio::select! {
            _ = write => {}
            () = inside.notified() => {}
        }
        commit!(lab.db, [name], |tx| run(tx, row(&format!("{name}z"))).await).await.unwrap();
    }
    let mut tx = lab.db.read().await.unwrap();
    let half = "SELECT COUNT(*) FROM meta x WHERE x.name LIKE 'row%x' AND NOT EXISTS (
        SELECT 1 FROM meta y WHERE y.name = REPLACE(x.name, 'x', 'y'))";
    assert_eq!(count(&mut tx, half).await.unwrap(), 0);
    let whole = "SELECT COUNT(*) FROM meta WHERE name LIKE 'row%z'";
    assert_eq!(count(&mut tx, whole).await.unwrap(), 30);
    drop(tx);
    let left = "SELECT COUNT(*) FROM meta WHERE name LIKE 'row%y'";
    let mut looks = 0;
    while count(&mut lab.db.read().await.unwrap(), left).await.unwrap() < 30 {
        looks += 1;
        assert!(looks < 2_000, "what was begun for a caller that went away was not ended");
    }
}

/// A reader that goes away gives its connection back: far more of them than the pool has.
async fn dropped_readers_give_back(lab: &Lab) {
    for _ in 0..50 {
        let mut tx = lab.db.read().await.unwrap();
        count(&mut tx, ROWS).await.unwrap();
    }
}

/// The read door does not write.
async fn a_read_does_not_write(lab: &Lab) {
    let world = World::new(lab).await;
    let mut tx = lab.db.read().await.unwrap();
    let (one, two) = (world.person(1), world.person(2));
    assert!(
        blocks::insert(&mut tx, &world.account, &one, &two, blocks::BlockedBy::Api, at(0))
            .await
            .is_err()
    );
}

/// Many writes at once share commits, and each is on disk when it is answered.
#[tokio::test]
async fn writes_are_committed_in_groups() {
    let lab = Lab::sqlite().await;
    let before = commits(&lab);
    let writes = (0..200).map(|n| commit!(lab.db, [n], |tx| run(tx, row(&n.to_string())).await));
    for answer in join_all(writes).await {
        answer.unwrap();
    }
    let used = commits(&lab) - before;
    assert!((1..=10).contains(&used), "{used} commits for 200 writes");
    // One after the other, each has its own.
    let before = commits(&lab);
    for n in 200..210 {
        commit!(lab.db, [n], |tx| run(tx, row(&n.to_string())).await).await.unwrap();
        assert_eq!(commits(&lab) - before, n - 199, "answered before its commit");
    }
    assert_eq!(rows(&lab.db).await, 210);
    lab.close().await;
}

/// I29: back to the build before: it opens a database that a later one has added to, and refuses one
/// that a later one has taken something from.
async fn i29_a_rollback_runs_on_an_expanded_schema(lab: &Lab) {
    commit!(lab.db, [], |tx| {
        run(
            tx,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await
    })
    .await
    .unwrap();
    lab.second().await.close().await;
    commit!(lab.db, [], |tx| {
        run(tx, "UPDATE meta SET value = '999' WHERE name = 'oldest_schema'").await
    })
    .await
    .unwrap();
    let refused = Db::open(lab.options(), &lab.tracker, lab.stop.clone()).await;
    assert!(matches!(refused, Err(Error::Statement(_))), "{refused:?}");
}

/// SQLite waits for the disk before a commit counts, and enforces foreign keys.
#[tokio::test]
async fn the_writer_is_durable() {
    let lab = Lab::sqlite().await;
    let facts = commit!(lab.db, [], |tx| Ok::<_, Error>((
        count(tx, "PRAGMA synchronous").await?,
        count(tx, "PRAGMA foreign_keys").await?,
        texts(tx, "PRAGMA journal_mode").await?,
    )));
    assert_eq!(facts.await.unwrap(), (2, 1, vec!["wal".to_owned()]));
    lab.close().await;
}

/// PostgreSQL runs a transaction again that lost a deadlock: both of two that lock crosswise end
/// well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_run_again() {
    let Some(lab) = Lab::postgres().await else { return };
    commit!(lab.db, [], |tx| {
        run(tx, row("a")).await?;
        run(tx, row("b")).await
    })
    .await
    .unwrap();
    let met = Arc::new(tokio::sync::Barrier::new(2));
    let runs = Arc::new(AtomicU64::new(0));
    let cross = |first: &'static str, second: &'static str| {
        let met = Arc::new(std::sync::Mutex::new(Some(Arc::clone(&met))));
        commit!(lab.db, [met, runs], |tx| {
            runs.fetch_add(1, Ordering::SeqCst);
            let set =
                |name| format!("UPDATE meta SET value = value || '.' WHERE name = 'row{name}'");
            run(tx, set(first)).await?;
            let first_time = met.lock().unwrap().take();
            if let Some(met) = first_time {
                met.wait().await;
            }
            run(tx, set(second)).await
        })
    };
    let (one, two) = tokio::join!(cross("a", "b"), cross("b", "a"));
    one.unwrap();
    two.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    let mut tx = lab.db.read().await.unwrap();
    let values = texts(&mut tx, "SELECT value FROM meta WHERE name LIKE 'row%'").await.unwrap();
    assert_eq!(values, ["..", ".."]);
    drop(tx);
    lab.close().await;
}
