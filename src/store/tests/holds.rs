//! Holds: one session per person and number, and quarantine to the millisecond (I1, I4).

use std::task::Poll;

use futures_util::future::join_all;
use tokio::sync::Notify;

use super::{world::Made, *};
use crate::{
    ids::NumberId,
    store::{
        holds::{self, Claim, Held},
        numbers, participants,
    },
};

async fn a_session(lab: &Lab, world: &World) -> Made {
    commit!(lab.db, [world], |tx| world.session(tx, at(0)).await).await.unwrap()
}

/// Whether person 1 gets the number for a session with `other` at an instant; if so for good.
async fn takes(lab: &Lab, world: &World, number: &NumberId, other: u32, ms: i64) -> bool {
    let made = a_session(lab, world).await;
    commit!(lab.db, [world, number, made], |tx| {
        world.hold(tx, &number, 1, &made.id, other, at(ms)).await
    })
    .await
    .unwrap()
}

db_test!(
    a_hold_leads_to_its_session,
    quarantine_is_kept_to_the_millisecond,
    only_the_named_holds_are_quarantined,
    a_new_counterpart_counts,
    what_a_person_holds,
    racing_allocations_double_no_pair,
    doubles_are_found,
    one_takes_a_lapsed_quarantine,
    a_number_that_is_retired_is_held_by_nobody,
);

/// A hold is found by account, number and person, and says where it leads.
async fn a_hold_leads_to_its_session(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let numbers = world.numbers(&lab.db, 0, 2).await;
    let number = numbers[0].clone();
    let made = a_session(lab, &world).await;
    commit!(lab.db, [world, number, made], |tx| world
        .hold(tx, &number, 1, &made.id, 2, at(0))
        .await)
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let hold =
        holds::find(&mut tx, &world.account, &number, &world.person(1)).await.unwrap().unwrap();
    assert_eq!((hold.session, hold.open, hold.release_at), (made.id, true, None));
    for (account, number, person) in [
        (&other.account, &number, world.person(1)),
        (&world.account, &numbers[1], world.person(1)),
        (&world.account, &number, world.person(2)),
    ] {
        assert!(holds::find(&mut tx, account, number, &person).await.unwrap().is_none());
    }
    assert_eq!(holds::open_on(&mut tx, &world.account, &number).await.unwrap(), 1);
    assert_eq!(holds::open_on(&mut tx, &world.account, &numbers[1]).await.unwrap(), 0);
}

/// An open hold is given to nobody. A quarantined one is given to another pair from its release
/// on and not a millisecond before, and to the same counterpart at any time.
async fn quarantine_is_kept_to_the_millisecond(lab: &Lab) {
    let world = World::new(lab).await;
    let number = world.numbers(&lab.db, 0, 1).await.remove(0);
    let made = a_session(lab, &world).await;
    commit!(lab.db, [world, number, made], |tx| {
        assert!(world.hold(tx, &number, 1, &made.id, 2, at(0)).await?);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    // Open: neither another pair nor the same one, however late.
    assert!(!takes(lab, &world, &number, 3, 1_000_000).await);
    assert!(!takes(lab, &world, &number, 2, 1_000_000).await);
    let close = |session: crate::ids::SessionId, release: i64| {
        commit!(lab.db, [world, session], |tx| {
            holds::quarantine(tx, &world.account, &session, None, at(release)).await
        })
    };
    close(made.id.clone(), 1000).await.unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let hold =
        holds::find(&mut tx, &world.account, &number, &world.person(1)).await.unwrap().unwrap();
    assert_eq!(
        (hold.session.clone(), hold.open, hold.release_at),
        (made.id, false, Some(at(1000)))
    );
    drop(tx);
    assert!(!takes(lab, &world, &number, 3, 999).await);
    assert!(takes(lab, &world, &number, 2, 500).await, "the same counterpart takes its own back");
    let mut tx = lab.db.read().await.unwrap();
    let hold =
        holds::find(&mut tx, &world.account, &number, &world.person(1)).await.unwrap().unwrap();
    assert!(hold.open && hold.release_at.is_none());
    drop(tx);
    close(hold.session, 2000).await.unwrap();
    assert!(!takes(lab, &world, &number, 3, 1999).await);
    assert!(takes(lab, &world, &number, 3, 2000).await);
}

/// Closing quarantines the session's own open holds, or one participant's, and no other; it
/// does not shorten a quarantine that runs.
async fn only_the_named_holds_are_quarantined(lab: &Lab) {
    let world = World::new(lab).await;
    let numbers = world.numbers(&lab.db, 0, 3).await;
    let (one, two) = (a_session(lab, &world).await, a_session(lab, &world).await);
    let people = commit!(lab.db, [world, numbers, one, two], |tx| {
        let mut people = Vec::new();
        for (n, made) in [(1, &one), (2, &one), (3, &two)] {
            let place = usize::try_from(n).unwrap() - 1;
            let who = world.join(tx, made, n, (&numbers[place], n - 1), "customer").await?;
            let claim = Claim {
                account: &world.account,
                number: &numbers[place],
                person: &world.person(n),
                session: &made.id,
                participant: &who,
                counterpart: &world.pair(9),
            };
            assert!(holds::take(tx, claim, at(0)).await?);
            people.push(who);
        }
        holds::quarantine(tx, &world.account, &one.id, Some(&people[0]), at(900)).await?;
        holds::quarantine(tx, &world.account, &one.id, None, at(100)).await?;
        Ok::<_, Error>(people)
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    for (n, release) in [(1, Some(at(900))), (2, Some(at(100))), (3, None)] {
        let number = &numbers[usize::try_from(n).unwrap() - 1];
        let hold =
            holds::find(&mut tx, &world.account, number, &world.person(n)).await.unwrap().unwrap();
        assert_eq!((hold.release_at, hold.open), (release, release.is_none()), "{n}");
        assert_eq!(hold.participant, people[usize::try_from(n).unwrap() - 1]);
    }
}

/// A changed counterpart decides who may take the number back, for the one participant only.
async fn a_new_counterpart_counts(lab: &Lab) {
    let world = World::new(lab).await;
    let number = world.numbers(&lab.db, 0, 1).await.remove(0);
    let made = a_session(lab, &world).await;
    commit!(lab.db, [world, number, made], |tx| {
        let who = world.join(tx, &made, 1, (&number, 0), "customer").await?;
        let claim = Claim {
            account: &world.account,
            number: &number,
            person: &world.person(1),
            session: &made.id,
            participant: &who,
            counterpart: &world.pair(2),
        };
        assert!(holds::take(tx, claim, at(0)).await?);
        let nobody = world.id();
        holds::set_counterpart(tx, &world.account, &nobody, &made.id, &world.pair(8)).await?;
        holds::set_counterpart(tx, &world.account, &who, &made.id, &world.pair(3)).await?;
        holds::quarantine(tx, &world.account, &made.id, None, at(1000)).await?;
        participants::remove(tx, &world.account, &who, at(1)).await
    })
    .await
    .unwrap();
    assert!(!takes(lab, &world, &number, 2, 1).await);
    assert!(!takes(lab, &world, &number, 8, 1).await);
    assert!(takes(lab, &world, &number, 3, 1).await);
}

/// What a person holds is told with its end, without what is over, and without other pools.
async fn what_a_person_holds(lab: &Lab) {
    let world = World::new(lab).await;
    let numbers = world.numbers(&lab.db, 0, 3).await;
    let (open, closed) = (a_session(lab, &world).await, a_session(lab, &world).await);
    commit!(lab.db, [world, numbers, open, closed], |tx| {
        world.hold(tx, &numbers[0], 1, &open.id, 2, at(0)).await?;
        world.hold(tx, &numbers[1], 1, &closed.id, 3, at(0)).await?;
        world.hold(tx, &numbers[2], 2, &open.id, 1, at(0)).await?;
        world.hold(tx, &numbers[2], 3, &open.id, 1, at(0)).await?;
        holds::quarantine(tx, &world.account, &closed.id, None, at(50)).await
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let held = |release_at| Held { country: "FR".into(), area: String::new(), release_at };
    let mut at_49 = holds::held(&mut tx, &world.account, &world.service, &world.person(1), at(49))
        .await
        .unwrap();
    at_49.sort_by_key(|one| one.release_at);
    assert_eq!(at_49, [held(None), held(Some(at(50)))]);
    let at_50 = holds::held(&mut tx, &world.account, &world.service, &world.person(1), at(50))
        .await
        .unwrap();
    assert_eq!(at_50, [held(None)]);
    let elsewhere = world.id();
    assert!(
        holds::held(&mut tx, &world.account, &elsewhere, &world.person(1), at(0))
            .await
            .unwrap()
            .is_empty()
    );
    for (most, expected) in [(1, 1), (2, 2), (9, 2)] {
        assert_eq!(
            holds::load(&mut tx, &world.account, &numbers[2], most).await.unwrap(),
            expected
        );
    }
    assert_eq!(holds::open_on(&mut tx, &world.account, &numbers[1]).await.unwrap(), 0);
    assert_eq!(holds::open_on(&mut tx, &world.account, &numbers[2]).await.unwrap(), 2);
}

/// Sixteen that allocate for the same two people from a pool of ten at once never give one pair
/// twice: each gets a number of its own per person or none, and the pool is used up.
async fn racing_allocations_double_no_pair(lab: &Lab) {
    let world = World::new(lab).await;
    let numbers = world.numbers(&lab.db, 0, 10).await;
    let races = (0..16).map(|_| {
        commit!(lab.db, [world, numbers], |tx| {
            let made = world.session(tx, at(0)).await?;
            let mut taken = Vec::new();
            for n in [1, 2] {
                for (place, number) in numbers.iter().enumerate() {
                    if world.hold(tx, number, n, &made.id, 3 - n, at(0)).await? {
                        let proxy = u32::try_from(place).unwrap();
                        world
                            .join(tx, &made, n, (number, proxy), if n == 1 { "a" } else { "b" })
                            .await?;
                        taken.push((number.clone(), n));
                        break;
                    }
                }
            }
            if taken.len() < 2 { Err(Error::Conflict) } else { Ok(taken) }
        })
    });
    let mut taken = Vec::new();
    for end in join_all(races).await {
        match end {
            Ok(pairs) => taken.extend(pairs),
            Err(error) => assert!(matches!(error, Error::Conflict), "{error:?}"),
        }
    }
    assert_eq!(taken.len(), 20);
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 20);
    let mut tx = lab.db.read().await.unwrap();
    assert_eq!(holds::doubled(&mut tx).await.unwrap(), 0);
    assert_eq!(
        count(&mut tx, "SELECT COUNT(*) FROM holds WHERE state = 'open'").await.unwrap(),
        20
    );
    for number in &numbers {
        assert!(numbers::get(&mut tx, &world.account, number).await.unwrap().is_some());
        assert_eq!(holds::open_on(&mut tx, &world.account, number).await.unwrap(), 2);
    }
}

/// Two live sessions in which one person has one number are found, however they came about.
async fn doubles_are_found(lab: &Lab) {
    let world = World::new(lab).await;
    let number = world.numbers(&lab.db, 0, 1).await.remove(0);
    let doubled = commit!(lab.db, [world, number], |tx| {
        let (one, two) = (world.session(tx, at(0)).await?, world.session(tx, at(0)).await?);
        for made in [&one, &two] {
            world.join(tx, made, 1, (&number, 0), "a").await?;
        }
        holds::doubled(tx).await
    });
    assert_eq!(doubled.await.unwrap(), 1);
}

/// Of sixteen that want a number whose quarantine is over exactly one takes it, in place.
async fn one_takes_a_lapsed_quarantine(lab: &Lab) {
    let world = World::new(lab).await;
    let number = world.numbers(&lab.db, 0, 1).await.remove(0);
    let made = a_session(lab, &world).await;
    commit!(lab.db, [world, number, made], |tx| {
        world.hold(tx, &number, 1, &made.id, 2, at(0)).await?;
        holds::quarantine(tx, &world.account, &made.id, None, at(10)).await
    })
    .await
    .unwrap();
    let races = join_all((3..19).map(|other| takes(lab, &world, &number, other, 10))).await;
    assert_eq!(races.into_iter().filter(|taken| *taken).count(), 1);
    let mut tx = lab.db.read().await.unwrap();
    assert_eq!(count(&mut tx, "SELECT COUNT(*) FROM holds").await.unwrap(), 1);
    let hold =
        holds::find(&mut tx, &world.account, &number, &world.person(1)).await.unwrap().unwrap();
    assert!(hold.open && hold.session != made.id);
}

/// Nobody gets a hold of a number while it is being retired, or afterwards: whoever retires it has seen all
/// that there are.
async fn a_number_that_is_retired_is_held_by_nobody(lab: &Lab) {
    let world = World::new(lab).await;
    let number = world.numbers(&lab.db, 0, 1).await.remove(0);
    assert!(takes(lab, &world, &number, 2, 0).await, "it is in use");
    let (locked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let free = commit!(lab.db, [world], |tx| {
        run(tx, "DELETE FROM holds").await?;
        world.session(tx, at(0)).await
    });
    let made = free.await.unwrap();
    let retiring = commit!(lab.db, [world, number, locked, go], |tx| {
        let before = numbers::lock(tx, &world.account, &number).await?.unwrap();
        let held = holds::held_until(tx, &world.account, &number, at(0)).await?;
        locked.notify_one();
        go.notified().await;
        let after = numbers::Number {
            state: numbers::NumberState::Retired,
            version: before.version + 1,
            ..before.clone()
        };
        assert!(numbers::update(tx, &world.account, &before, &after).await?);
        Ok::<_, Error>(held)
    });
    let taking = async {
        locked.notified().await;
        let mut take = Box::pin(commit!(lab.db, [world, number, made], |tx| {
            world.hold(tx, &number, 1, &made.id, 2, at(0)).await
        }));
        let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted";
        let mut early = None;
        // SQLite has one writer: it waits of itself.
        while !lab.on_sqlite() && early.is_none() {
            if count(&mut lab.db.read().await.unwrap(), waiting).await.unwrap() > 0 {
                break;
            }
            if let Poll::Ready(done) = futures_util::poll!(&mut take) {
                early = Some(done);
            }
            tokio::task::yield_now().await;
        }
        go.notify_one();
        match early {
            Some(done) => done.unwrap(),
            None => take.await.unwrap(),
        }
    };
    let (held, taken) = tokio::join!(retiring, taking);
    assert_eq!((held.unwrap(), taken), (None, false));
    assert!(!takes(lab, &world, &number, 3, 5).await, "nor afterwards");
}
