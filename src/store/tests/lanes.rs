//! What callers leave behind that go away: bounded for each lane.

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::*;
use crate::store::Lane;

db_test!(i24_what_callers_leave_behind_is_bounded);

/// I24: of a thousand writes whose callers went away while the lane was stuck only as many are done
/// as may wait in it, and a write of another lane needs none of their room.
async fn i24_what_callers_leave_behind_is_bounded(lab: &Lab) {
    let (inside, gate) = (Arc::new(Semaphore::new(0)), CancellationToken::new());
    // As many as the lane has connections; SQLite's writer does one after the other.
    let stuck = if lab.on_sqlite() { 1 } else { 6 };
    let mut holding: Vec<_> = (0..stuck)
        .map(|_| {
            Box::pin(commit!(lab.db, [inside, gate], |_tx| {
                inside.add_permits(1);
                gate.cancelled().await;
                Ok::<_, Error>(())
            }))
        })
        .collect();
    for write in &mut holding {
        assert!(futures_util::poll!(write).is_pending());
    }
    inside.acquire_many(stuck).await.unwrap().forget();
    for n in 0..1000 {
        let sql = format!("INSERT INTO meta (name, value) VALUES ('left{n}', '')");
        let mut write = Box::pin(commit!(lab.db, [sql], |tx| run(tx, sql).await));
        assert!(futures_util::poll!(tokio::task::unconstrained(&mut write)).is_pending());
    }
    // The other lane's connections are its own; SQLite's one writer is not.
    let other = lab.db.lane(Lane::Carriers);
    let mut carriers =
        Box::pin(commit!(other, [], |tx| count(tx, "SELECT CAST(1 AS BIGINT)").await));
    if lab.on_sqlite() {
        assert!(futures_util::poll!(&mut carriers).is_pending());
        gate.cancel();
    }
    assert_eq!(carriers.await.unwrap(), 1);
    gate.cancel();
    for end in join_all(holding).await {
        end.unwrap();
    }
    // All who have room are done once all the room is free.
    let last = (0..Lane::Api.queue())
        .map(|_| commit!(lab.db, [], |tx| count(tx, "SELECT CAST(1 AS BIGINT)").await));
    join_all(last).await;
    let mut tx = lab.db.read().await.unwrap();
    let left = count(&mut tx, "SELECT COUNT(*) FROM meta WHERE name LIKE 'left%'").await.unwrap();
    let left = usize::try_from(left).unwrap();
    assert!(left > 0 && left <= Lane::Api.queue(), "{left} of 1000 were done");
}
