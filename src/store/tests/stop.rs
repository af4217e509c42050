//! The end of a database, and of the disk below it.

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Notify;

use super::*;
use crate::store::Lane;

const ROWS: &str = "SELECT COUNT(*) FROM meta WHERE name LIKE 'row%'";

fn row(n: usize) -> String {
    format!("INSERT INTO meta (name, value) VALUES ('row{n}', '')")
}

/// A write that is under way until the gate opens, and as many behind it as want to queue.
struct Flood<'a> {
    gate: Arc<Notify>,
    first: BoxFuture<'a, Result<u64, Error>>,
    writes: Vec<BoxFuture<'a, Result<u64, Error>>>,
}

impl<'a> Flood<'a> {
    async fn of(lab: &'a Lab) -> Self {
        let (inside, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut first: BoxFuture<'_, _> = Box::pin(commit!(lab.db, [inside, gate], |tx| {
            inside.notify_one();
            gate.notified().await;
            run(tx, row(0)).await
        }));
        assert!(futures_util::poll!(&mut first).is_pending());
        inside.notified().await;
        let mut writes: Vec<BoxFuture<'_, _>> = Vec::new();
        for n in 1..1000 {
            let mut write = Box::pin(commit!(lab.db, [n], |tx| run(tx, row(n)).await));
            // Without the runtime's budget, which would keep most of them from the queue.
            assert!(futures_util::poll!(tokio::task::unconstrained(&mut write)).is_pending());
            writes.push(write);
        }
        Self { gate, first, writes }
    }
}

/// When the writer is stopped with a full queue, all of that is done and is there after a reopening;
/// whoever was not queued yet is told so, even if more and more want to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_loses_no_write() {
    let lab = Lab::sqlite().await;
    let Flood { gate, first, writes } = Flood::of(&lab).await;
    lab.stop.cancel();
    gate.notify_one();
    first.await.unwrap();
    let ends = join_all(writes).await;
    let done = ends.iter().take_while(|end| end.is_ok()).count();
    // Where the first gave back its place in time, one more came in.
    let queue = Lane::Api.queue();
    assert!((queue - 1..=queue + 1).contains(&done), "{done}, and the lane has {queue} places");
    assert!(ends[done..].iter().all(|end| matches!(end, Err(Error::Unavailable(_)))));
    lab.tracker.close();
    lab.tracker.wait().await;
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let db = Db::open(lab.options(), &tracker, stop.clone()).await.unwrap();
    let mut tx = db.read().await.unwrap();
    let kept = usize::try_from(count(&mut tx, ROWS).await.unwrap()).unwrap();
    assert_eq!(kept, done + 1, "what was answered is there, and nothing else");
    drop(tx);
    db.close().await;
    lab.close().await;
}

/// A thousand writes of one lane that wait are not ahead of a write of another: at most as many as
/// may queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooded_lane_starves_no_other() {
    let lab = Lab::sqlite().await;
    let Flood { gate, first, writes } = Flood::of(&lab).await;
    let carriers = lab.db.lane(Lane::Carriers);
    let webhook = commit!(carriers, [], |tx| {
        run(tx, row(1000)).await?;
        count(tx, ROWS).await
    });
    gate.notify_one();
    let (before, ends) = tokio::join!(webhook, join_all(writes));
    let before = usize::try_from(before.unwrap()).unwrap();
    assert!(before <= Lane::Api.queue() * 2, "{before} writes of a flood came first");
    assert!(ends.iter().all(Result::is_ok));
    first.await.unwrap();
    lab.close().await;
}

/// A closed database folded its log into the one file, which then is all there is to copy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_leaves_one_file() {
    let lab = Lab::sqlite().await;
    commit!(lab.db, [], |tx| run(tx, row(1)).await).await.unwrap();
    // A reader's connection must not be the last: it cannot write.
    count(&mut lab.db.read().await.unwrap(), ROWS).await.unwrap();
    lab.db.close().await;
    let log = lab.file.with_extension("db-wal");
    assert!(!log.exists() || std::fs::metadata(&log).unwrap().len() == 0);
    let copy = lab.file.with_file_name("copy.db");
    std::fs::copy(&lab.file, &copy).unwrap();
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let options = DbOptions { url: format!("sqlite:{}", copy.display()), ..lab.options() };
    let db = Db::open(options, &tracker, stop).await.unwrap();
    assert_eq!(count(&mut db.read().await.unwrap(), ROWS).await.unwrap(), 1);
    db.close().await;
    lab.close().await;
}

/// After a close both doors answer at once that nothing is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_database_answers_at_once() {
    let mut labs = vec![Lab::sqlite().await];
    labs.extend(Lab::postgres().await);
    for lab in labs {
        lab.db.close().await;
        let (read, write) = (lab.db.read().await, commit!(lab.db, [], |tx| run(tx, row(1)).await));
        assert!(matches!(read.map(drop), Err(Error::Unavailable(_))));
        assert!(matches!(write.await, Err(Error::Unavailable(_))));
        lab.close().await;
    }
}

/// When the file cannot grow any more, everybody in the group is told, nothing is half there, reads
/// go on, and the writer goes on once there is room (I27).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_survived() {
    let lab = Lab::sqlite().await;
    commit!(lab.db, [], |tx| run(tx, row(0)).await).await.unwrap();
    let limit = commit!(lab.db, [], |tx| count(tx, "PRAGMA page_count").await).await.unwrap();
    commit!(lab.db, [], |tx| count(tx, format!("PRAGMA max_page_count = {limit}")).await)
        .await
        .unwrap();
    let long = "x".repeat(50_000);
    let big = commit!(lab.db, [long], |tx| {
        run(tx, row(1)).await?;
        run(tx, format!("INSERT INTO meta (name, value) VALUES ('row2', '{long}')")).await
    });
    let small = commit!(lab.db, [], |tx| count(tx, ROWS).await);
    let (big, _) = tokio::join!(big, small);
    assert!(matches!(big, Err(Error::Unavailable(_))), "{big:?}");
    assert_eq!(count(&mut lab.db.read().await.unwrap(), ROWS).await.unwrap(), 1);
    commit!(lab.db, [], |tx| count(tx, "PRAGMA max_page_count = 1000000").await).await.unwrap();
    commit!(lab.db, [], |tx| run(tx, row(3)).await).await.unwrap();
    let mut tx = lab.db.read().await.unwrap();
    assert_eq!(count(&mut tx, ROWS).await.unwrap(), 2);
    assert_eq!(texts(&mut tx, "PRAGMA integrity_check").await.unwrap(), ["ok"]);
    drop(tx);
    lab.close().await;
}

/// Where there is no room for a group, what is urgent in it is done in the room of the ballast and the
/// rest is told; until there is room for the ballast again nothing else is taken (I27).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i27_urgent_work_passes_on_a_full_disk() {
    let lab = Lab::sqlite().await;
    let options = DbOptions { ballast: 100_000, ..lab.options() };
    let db = Db::open(options, &lab.tracker, lab.stop.clone()).await.unwrap();
    let urgent = db.urgent();
    let ballast = lab.file.with_extension("db.ballast");
    let length = || std::fs::metadata(&ballast).unwrap().len();
    assert_eq!(length(), 100_000);
    commit!(db, [], |tx| run(tx, row(0)).await).await.unwrap();
    let pages = commit!(db, [], |tx| count(tx, "PRAGMA page_count").await).await.unwrap();
    let limit = |pages| format!("PRAGMA max_page_count = {pages}");
    commit!(db, [limit], |tx| count(tx, limit(pages)).await).await.unwrap();

    let mut short = db.short_of_room().unwrap();
    short.mark_unchanged();
    let long = "x".repeat(50_000);
    // The first keeps the writer busy until the others are queued: they share a group.
    let (inside, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first = commit!(db, [inside, gate], |tx| {
        inside.notify_one();
        gate.notified().await;
        count(tx, ROWS).await
    });
    let big = commit!(db, [long], |tx| {
        run(tx, format!("INSERT INTO meta (name, value) VALUES ('row1', '{long}')")).await
    });
    let close = "UPDATE meta SET value = 'closed' WHERE name = 'row0'";
    let small = commit!(urgent, [], |tx| run(tx, close).await);
    let others = async {
        inside.notified().await;
        let open = async { gate.notify_one() };
        tokio::join!(biased; big, small, open)
    };
    let (_, (big, small, ())) = tokio::join!(first, others);
    assert!(matches!(big, Err(Error::Unavailable(_))), "{big:?}");
    small.unwrap();
    let mut tx = db.read().await.unwrap();
    let closed = "SELECT COUNT(*) FROM meta WHERE name = 'row0' AND value = 'closed'";
    assert_eq!(
        (count(&mut tx, closed).await.unwrap(), count(&mut tx, ROWS).await.unwrap()),
        (1, 1)
    );
    drop(tx);
    // This disk has room: the ballast comes back by itself, and everybody is served again.
    assert!(short.has_changed().unwrap());
    short.wait_for(|short| !short).await.unwrap();
    assert_eq!(length(), 100_000);
    commit!(db, [limit], |tx| count(tx, limit(1_000_000)).await).await.unwrap();
    commit!(db, [], |tx| run(tx, row(2)).await).await.unwrap();
    db.close().await;
    lab.close().await;
}

/// A commit that fails answers everybody in its group as not done, and the writer recovers: here a
/// deferred foreign key that is checked at the commit only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_is_told_to_all() {
    let lab = Lab::sqlite().await;
    commit!(lab.db, [], |tx| {
        run(tx, "CREATE TABLE parent (id BIGINT NOT NULL PRIMARY KEY)").await?;
        run(
            tx,
            "CREATE TABLE child (id BIGINT REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .await
    })
    .await
    .unwrap();
    // The first keeps the writer busy until the others are queued: they share a group.
    let (inside, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first = commit!(lab.db, [inside, gate], |tx| {
        inside.notify_one();
        gate.notified().await;
        run(tx, row(0)).await
    });
    let bad = commit!(lab.db, [], |tx| run(tx, "INSERT INTO child (id) VALUES (1)").await);
    let good = commit!(lab.db, [], |tx| run(tx, row(1)).await);
    let own = commit!(lab.db, [], |_tx| Err::<(), _>(Error::Conflict));
    let others = async {
        inside.notified().await;
        let open = async { gate.notify_one() };
        tokio::join!(biased; bad, good, own, open)
    };
    let (first, (bad, good, own, ())) = tokio::join!(first, others);
    first.unwrap();
    assert!(matches!(bad, Err(Error::Unavailable(_))), "{bad:?}");
    assert!(matches!(good, Err(Error::Unavailable(_))), "{good:?}");
    assert!(matches!(own, Err(Error::Conflict)), "{own:?}");
    commit!(lab.db, [], |tx| run(tx, row(2)).await).await.unwrap();
    assert_eq!(count(&mut lab.db.read().await.unwrap(), ROWS).await.unwrap(), 2);
    lab.close().await;
}
