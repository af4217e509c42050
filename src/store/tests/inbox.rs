//! What carriers told us and what keys were used: once, with the answer that was given (I10, I15).

use futures_util::future::join_all;

use super::*;
use crate::{
    ids::InteractionId,
    store::{
        idempotency,
        inbox::{self, EventKey},
    },
};

db_test!(
    an_event_is_taken_in_once,
    twins_get_one_answer,
    events_without_an_answer,
    old_events_are_forgotten,
    a_key_is_claimed_once,
    an_undone_claim_is_free,
    old_keys_are_forgotten,
);

const KEY: EventKey<'_> = EventKey { carrier: "a", kind: "call", event: "CA1" };

/// An event is new once; another carrier's or kind's of the same id is another one.
async fn an_event_is_taken_in_once(lab: &Lab) {
    let keys = [
        (KEY, true),
        (KEY, false),
        (EventKey { carrier: "b", ..KEY }, true),
        (EventKey { kind: "message", ..KEY }, true),
        (EventKey { event: "CA2", ..KEY }, true),
    ];
    for (key, new) in keys {
        let taken = commit!(lab.db, [], |tx| inbox::insert(tx, key, at(0)).await);
        assert_eq!(taken.await.unwrap(), new);
    }
    let mut tx = lab.db.read().await.unwrap();
    let unknown = EventKey { event: "CA9", ..KEY };
    assert_eq!(inbox::answer(&mut tx, unknown).await.unwrap(), None);
}

/// Of many copies of one event at once one decides, and all others find its answer.
async fn twins_get_one_answer(lab: &Lab) {
    let world = World::new(lab).await;
    let twins = (0..16).map(|n| {
        commit!(lab.db, [world, n], |tx| {
            if inbox::insert(tx, KEY, at(0)).await? {
                let id: InteractionId = world.id();
                let answer = format!("answer {n}");
                inbox::set_answer(tx, KEY, &world.account, &id, &answer).await?;
                return Ok::<_, Error>((true, answer));
            }
            Ok((false, inbox::answer(tx, KEY).await?.unwrap()))
        })
    });
    let ends: Vec<_> = join_all(twins).await.into_iter().map(|end| end.unwrap()).collect();
    assert_eq!(ends.iter().filter(|(first, _)| *first).count(), 1);
    assert!(ends.iter().all(|(_, answer)| *answer == ends[0].1));
}

/// An event that needed no answer is known, and its answer is empty.
async fn events_without_an_answer(lab: &Lab) {
    let world = World::new(lab).await;
    let answers = commit!(lab.db, [world], |tx| {
        inbox::insert(tx, KEY, at(0)).await?;
        let before = inbox::answer(tx, KEY).await?;
        inbox::set_answer(tx, KEY, &world.account, &world.id(), "").await?;
        Ok::<_, Error>([before, inbox::answer(tx, KEY).await?])
    });
    assert_eq!(answers.await.unwrap(), [Some(String::new()), Some(String::new())]);
}

/// Events are forgotten by age, the oldest first, so many at a time.
async fn old_events_are_forgotten(lab: &Lab) {
    let ends = commit!(lab.db, [], |tx| {
        for (ms, event) in (0..5).zip(["e", "d", "c", "b", "a"]) {
            inbox::insert(tx, EventKey { event, ..KEY }, at(ms)).await?;
        }
        Ok::<_, Error>((
            inbox::purge(tx, at(0), 9).await?,
            inbox::purge(tx, at(3), 2).await?,
            texts(tx, "SELECT event FROM inbox ORDER BY event").await?,
            inbox::purge(tx, at(3), 9).await?,
            texts(tx, "SELECT event FROM inbox ORDER BY event").await?,
        ))
    });
    let (none, two, left, one, last) = ends.await.unwrap();
    assert_eq!((none, two, one), (0, 2, 1));
    assert_eq!(
        (left, last),
        (vec!["a".into(), "b".into(), "c".into()], vec!["a".into(), "b".into()])
    );
}

/// A key is new once in each account; all others get the first one's fingerprint and answer.
async fn a_key_is_claimed_once(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let twins = (0..16).map(|n| {
        commit!(lab.db, [world, n], |tx| {
            let print = format!("print {n}");
            if idempotency::claim(tx, &world.account, "k", &print, at(0)).await? {
                idempotency::set_answer(tx, &world.account, "k", &format!("answer {n}")).await?;
            }
            Ok::<_, Error>(idempotency::get(tx, &world.account, "k").await?.unwrap())
        })
    });
    let ends: Vec<_> = join_all(twins).await.into_iter().map(|end| end.unwrap()).collect();
    assert!(ends.iter().all(|end| *end == ends[0]));
    assert_eq!(ends[0].0.replace("print", "answer"), ends[0].1);
    let mut tx = lab.db.read().await.unwrap();
    assert_eq!(idempotency::get(&mut tx, &other.account, "k").await.unwrap(), None);
    assert_eq!(idempotency::get(&mut tx, &world.account, "K").await.unwrap(), None);
    drop(tx);
    let free = commit!(lab.db, [other], |tx| {
        idempotency::claim(tx, &other.account, "k", "p", at(0)).await
    });
    assert!(free.await.unwrap());
}

/// A write that failed leaves its key free for the next try.
async fn an_undone_claim_is_free(lab: &Lab) {
    let world = World::new(lab).await;
    for fails in [true, true, false] {
        let claimed = commit!(lab.db, [world, fails], |tx| {
            assert!(idempotency::claim(tx, &world.account, "k", "p", at(0)).await?);
            if fails { Err(Error::Conflict) } else { Ok(()) }
        });
        assert_eq!(claimed.await.is_err(), fails);
    }
}

/// Keys are forgotten by age: one that is asked for, or the oldest ones, so many at a time.
async fn old_keys_are_forgotten(lab: &Lab) {
    let world = World::new(lab).await;
    let ends = commit!(lab.db, [world], |tx| {
        let account = &world.account;
        for (ms, key) in (0..6).zip(["f", "e", "d", "c", "b", "a"]) {
            idempotency::claim(tx, account, key, "p", at(ms)).await?;
        }
        idempotency::forget_old(tx, account, "f", at(0)).await?;
        idempotency::forget_old(tx, account, "a", at(5)).await?;
        idempotency::forget_old(tx, account, "e", at(2)).await?;
        Ok::<_, Error>((
            texts(tx, "SELECT key FROM idempotency ORDER BY key").await?,
            idempotency::purge(tx, at(4), 2).await?,
            idempotency::purge(tx, at(4), 2).await?,
            texts(tx, "SELECT key FROM idempotency ORDER BY key").await?,
        ))
    });
    let (before, two, one, after) = ends.await.unwrap();
    assert_eq!(before, ["a", "b", "c", "d", "f"]);
    assert_eq!((two, one), (2, 1));
    assert_eq!(after, ["a", "b"]);
}
