//! `Tx::now`: one time, that does not go back when a clock does (M5, I28).

use super::*;

const HOUR: i64 = 3_600_000;

async fn now(db: &Db) -> Timestamp {
    commit!(db, [], |tx| tx.now().await).await.unwrap()
}

async fn reopen(lab: &Lab, clock: &Clock) -> (Db, CancellationToken, TaskTracker) {
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let options = DbOptions { clock: clock.clone(), ..lab.options() };
    let db = Db::open(options, &tracker, stop.clone()).await.unwrap();
    (db, stop, tracker)
}

db_test!(both_doors_follow_the_clock, ids_are_of_the_time);

/// A moved test clock moves the time of both doors, forward by as much.
async fn both_doors_follow_the_clock(lab: &Lab) {
    let before = now(&lab.db).await;
    lab.clock.advance(HOUR);
    let after = now(&lab.db).await;
    let read = lab.db.read().await.unwrap().now().await.unwrap();
    for later in [after, read] {
        let moved = later.millis() - before.millis();
        assert!((HOUR..HOUR + 60_000).contains(&moved), "{moved}");
    }
}

/// Ids are of the transaction's time, and of the kind that is asked for.
async fn ids_are_of_the_time(lab: &Lab) {
    let (now, made) = commit!(lab.db, [], |tx| {
        let now = tx.now().await?;
        let made: crate::ids::SessionId = tx.id().await?;
        Ok::<_, Error>((now, made))
    })
    .await
    .unwrap();
    let stamp = i64::from_str_radix(&made.as_str()[2..14], 16).unwrap();
    assert!((0..60_000).contains(&(stamp - now.millis())), "{made} at {now:?}");
}

/// I28: on SQLite the time goes on from what it was when the clock is set back, for both doors, also
/// after a reopening.
#[tokio::test]
async fn i28_time_does_not_go_back() {
    let lab = Lab::sqlite().await;
    let clock = Clock::manual(at(0));
    let (db, _stop, _tracker) = reopen(&lab, &clock).await;
    assert_eq!(now(&db).await, at(0));
    clock.advance(HOUR);
    // What a reader was told holds for the next writer too.
    assert_eq!(db.read().await.unwrap().now().await.unwrap(), at(HOUR));
    clock.advance(-HOUR);
    assert_eq!(now(&db).await, at(HOUR));
    clock.advance(7);
    assert_eq!(now(&db).await, at(HOUR + 7), "what passes passes");
    clock.advance(-2 * HOUR);
    assert_eq!(db.read().await.unwrap().now().await.unwrap(), at(HOUR + 7));
    db.close().await;

    let (db, _stop, _tracker) = reopen(&lab, &clock).await;
    assert_eq!(db.read().await.unwrap().now().await.unwrap(), at(HOUR + 7));
    clock.advance(11);
    assert_eq!(now(&db).await, at(HOUR + 18));
    db.close().await;
    lab.close().await;
}

/// Without a clean end the time goes back by less than a second: the mark is stored with the
/// writes, and another process with an older clock does not lower it.
#[tokio::test]
async fn the_mark_survives_a_crash_and_a_neighbour() {
    let lab = Lab::sqlite().await;
    let clock = Clock::manual(at(0));
    let (db, _stop, _tracker) = reopen(&lab, &clock).await;
    let (old, _old_stop, _old_tracker) = reopen(&lab, &Clock::manual(at(-HOUR))).await;
    for step in 1..=5 {
        clock.advance(700);
        assert_eq!(now(&db).await, at(700 * step));
    }
    assert_eq!(now(&old).await, at(-HOUR));
    old.close().await;
    // `db` is not closed: this is what a crash leaves.
    clock.advance(-HOUR);
    let (after, _stop, _tracker) = reopen(&lab, &clock).await;
    let back = 3_500 - (now(&after).await.millis() - at(0).millis());
    assert!((0..1_000).contains(&back), "{back} ms back");
    after.close().await;
    db.close().await;
    lab.close().await;
}

/// On PostgreSQL the time is its own clock's at the moment of asking, not the transaction's start,
/// so that it is right after a wait for a lock.
#[tokio::test]
async fn postgres_tells_the_time_of_the_asking() {
    let Some(lab) = Lab::postgres().await else { return };
    let (first, second, started) = commit!(lab.db, [], |tx| {
        let first = tx.now().await?;
        run(tx, "SELECT pg_sleep(0.05)").await?;
        let started = "SELECT CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT)";
        Ok::<_, Error>((first, tx.now().await?, count(tx, started).await?))
    })
    .await
    .unwrap();
    assert!(second.since(first).as_millis() >= 50);
    assert!(second.millis() - started >= 50);
    lab.close().await;
}
