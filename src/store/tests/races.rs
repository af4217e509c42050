//! A close against what comes in and against what is sent (I3).

use futures_util::future::join_all;

use super::{world::Made, *};
use crate::{
    domain::session::{State, is_live},
    ids::{LegId, SessionId},
    store::{
        interactions, legs,
        outbox::{self, NewEntry, OutboxKind, OutboxState},
        sessions,
    },
};

db_test!(nothing_comes_in_after_a_close, nothing_is_claimed_after_a_close);

async fn close(tx: &mut Tx, world: &World, made: &Made) -> Result<(), Error> {
    let mut session = sessions::lock(tx, &world.account, &made.id).await?.unwrap();
    for entry in outbox::ready_of_session(tx, &world.account, &made.id).await? {
        interactions::lock(tx, &world.account, &entry.interaction).await?;
        outbox::finish(tx, &entry, OutboxState::Done).await?;
    }
    session.state = State::Closed;
    session.ended_at = Some(tx.now().await?);
    sessions::update(tx, &world.account, &session).await
}

/// Takes a text in, if the session is live: an interaction and an entry that is due.
async fn come_in(tx: &mut Tx, world: &World, made: &Made) -> Result<bool, Error> {
    let session = sessions::lock(tx, &world.account, &made.id).await?.unwrap();
    let now = tx.now().await?;
    if !is_live(session.state, false, Timestamp::MAX, now) {
        return Ok(false);
    }
    let mut one = world.interaction(Some(&made.id));
    one.created_at = now;
    interactions::insert(tx, &world.account, &one).await?;
    let leg = world.leg(&one.id, 1);
    legs::insert(tx, &world.account, &leg).await?;
    owe(tx, world, &made.id, &leg.id, &one.id).await?;
    sessions::count_event(tx, &world.account, &made.id).await?;
    Ok(true)
}

async fn owe(
    tx: &mut Tx,
    world: &World,
    session: &SessionId,
    leg: &LegId,
    interaction: &crate::ids::InteractionId,
) -> Result<(), Error> {
    let now = tx.now().await?;
    let new = NewEntry {
        kind: OutboxKind::Message,
        session: Some(session),
        interaction,
        leg,
        carrier: "a",
        payload: "words",
        run_at: now,
        valid_until: Timestamp::MAX,
        now,
    };
    outbox::insert(tx, &world.account, &new).await.map(drop)
}

/// In 300 races of texts against a close, over two processes, no text commits after the close was
/// answered, none that came in keeps an entry that can still be claimed, and nobody fails.
async fn nothing_comes_in_after_a_close(lab: &Lab) {
    let world = World::new(lab).await;
    let other = lab.second().await;
    let races = if lab.on_sqlite() { 25 } else { 75 };
    let streams = (0..4).map(|_| async {
        for race in 0..races {
            race_a_close(lab, &other, &world, race).await;
        }
    });
    join_all(streams).await;
    other.close().await;
}

async fn race_a_close(lab: &Lab, other: &Db, world: &World, race: u32) {
    let made = commit!(lab.db, [world], |tx| world.session(tx, at(0)).await).await.unwrap();
    let texts = (0..4).map(|n| {
        let db = if n % 2 == 0 { &lab.db } else { other };
        commit!(db, [world, made], |tx| come_in(tx, &world, &made).await)
    });
    let closing = async {
        for _ in 0..race % 4 {
            tokio::task::yield_now().await;
        }
        commit!(other, [world, made], |tx| close(tx, &world, &made).await).await.unwrap();
        // The close is answered: whatever is asked from here on is refused.
        let late = commit!(lab.db, [world, made], |tx| come_in(tx, &world, &made).await);
        assert!(!late.await.unwrap(), "a text came in after the close was answered");
    };
    let (ends, ()) = tokio::join!(join_all(texts), closing);
    let came_in = ends.into_iter().filter(|end| *end.as_ref().unwrap()).count();
    let mut tx = lab.db.read().await.unwrap();
    let session = sessions::get(&mut tx, &world.account, &made.id).await.unwrap().unwrap();
    assert_eq!(session.state, State::Closed);
    assert_eq!(session.events, i64::try_from(came_in).unwrap());
    let after = format!(
        "SELECT COUNT(*) FROM interactions WHERE session = '{}' AND created_at > {}",
        made.id,
        session.ended_at.unwrap().millis()
    );
    assert_eq!(count(&mut tx, after).await.unwrap(), 0);
    let owed = outbox::ready_of_session(&mut tx, &world.account, &made.id).await.unwrap();
    assert!(owed.is_empty());
}

/// A worker that holds the session's lock claims an entry or sees the close, never neither and
/// never both.
async fn nothing_is_claimed_after_a_close(lab: &Lab) {
    let world = World::new(lab).await;
    for _ in 0..60 {
        let made = commit!(lab.db, [world], |tx| {
            let made = world.session(tx, at(0)).await?;
            come_in(tx, &world, &made).await?;
            Ok::<_, Error>(made)
        })
        .await
        .unwrap();
        let mut tx = lab.db.read().await.unwrap();
        let entry = outbox::ready_of_session(&mut tx, &world.account, &made.id).await.unwrap();
        let entry = entry.into_iter().next().unwrap();
        drop(tx);
        let worker = commit!(lab.db, [world, made, entry], |tx| {
            let session = sessions::lock(tx, &world.account, &made.id).await?.unwrap();
            let now = tx.now().await?;
            let claimed = outbox::claim(tx, &entry, now, Timestamp::MAX).await?.is_some();
            Ok::<_, Error>((session.state != State::Closed, claimed))
        });
        let closer = commit!(lab.db, [world, made], |tx| close(tx, &world, &made).await);
        let (worker, closer) = tokio::join!(worker, closer);
        closer.unwrap();
        let (open, claimed) = worker.unwrap();
        assert_eq!(open, claimed);
        commit!(lab.db, [], |tx| run(tx, "UPDATE outbox SET state = 'done'").await).await.unwrap();
    }
}
