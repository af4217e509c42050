//! The walk around a ring, the place kept in it, and sticky numbers.

use futures_util::future::join_all;

use super::*;
use crate::{
    domain::{
        phone::Registration,
        pool::{Capabilities, Kind, Ring},
    },
    ids::NumberId,
    store::{
        holds,
        numbers::{self, Number, NumberState},
        rings::{self, Seeker},
    },
};

fn ring(area: Option<&str>, kinds: &[&str]) -> Ring {
    Ring {
        country: "FR".into(),
        area: area.map(str::to_owned),
        kinds: kinds
            .iter()
            .flat_map(|carrier| {
                ["voice|sms", "sms"].map(|text| Kind {
                    carrier: (*carrier).to_owned(),
                    capabilities: Capabilities::parse(text).unwrap(),
                    registration: Registration::None,
                    barred: false,
                })
            })
            .collect(),
        size: 0,
    }
}

/// Who looks for a number.
struct Looking<'a> {
    world: &'a World,
    person: u32,
    other: u32,
    ms: i64,
}

impl Looking<'_> {
    async fn next(&self, tx: &mut Tx, ring: &Ring, from: i64, to: i64) -> Option<Number> {
        let seeker = Seeker {
            account: &self.world.account,
            service: &self.world.service,
            person: &self.world.person(self.person),
            counterpart: &self.world.pair(self.other),
            now: at(self.ms),
        };
        rings::next_in_ring(tx, seeker, ring, from, to).await.unwrap()
    }

    /// The places of a whole walk.
    async fn walk(&self, tx: &mut Tx, ring: &Ring) -> Vec<i64> {
        let (mut from, mut places) = (0, Vec::new());
        while let Some(number) = self.next(tx, ring, from, i64::MAX).await {
            places.push(number.place);
            from = number.place + 1;
        }
        places
    }
}

/// Numbers of several kinds in turn: carriers a and b, with voice and without, areas 1 and 2.
async fn mixed(lab: &Lab, world: &World) -> Vec<NumberId> {
    commit!(lab.db, [world], |tx| {
        let mut ids = Vec::new();
        for n in 0..16 {
            let mut number = world.number(n);
            number.carrier = if n % 2 == 0 { "a" } else { "b" }.into();
            number.area = if n % 8 < 4 { "1" } else { "2" }.into();
            number.capabilities.voice = n % 4 < 2;
            number.reserved = n == 6;
            number.state = if n == 9 { NumberState::Draining } else { NumberState::Active };
            numbers::insert(tx, &world.account, &number).await?;
            ids.push(number.id);
        }
        Ok::<_, Error>(ids)
    })
    .await
    .unwrap()
}

db_test!(
    a_walk_is_in_order,
    a_walk_skips_what_is_held,
    a_place_is_kept,
    a_place_is_given_one_by_one,
    the_last_number_sticks
);

/// A walk passes the ring's active, unreserved numbers in order of their places over all kinds,
/// within the bounds, and no others.
async fn a_walk_is_in_order(lab: &Lab) {
    let world = World::new(lab).await;
    mixed(lab, &world).await;
    let mut tx = lab.db.read().await.unwrap();
    let who = Looking { world: &world, person: 1, other: 2, ms: 0 };
    let all: Vec<i64> = (0..16).filter(|n| ![6, 9].contains(n)).collect();
    assert_eq!(who.walk(&mut tx, &ring(None, &["a", "b"])).await, all);
    let one: Vec<i64> = all.iter().copied().filter(|n| n % 8 < 4).collect();
    assert_eq!(who.walk(&mut tx, &ring(Some("1"), &["a", "b"])).await, one);
    let a: Vec<i64> = all.iter().copied().filter(|n| n % 2 == 0).collect();
    assert_eq!(who.walk(&mut tx, &ring(None, &["a"])).await, a);
    let mut voice = ring(None, &["a"]);
    voice.kinds.truncate(1);
    assert_eq!(who.walk(&mut tx, &voice).await, [0, 4, 8, 12]);
    let whole = ring(None, &["a", "b"]);
    assert_eq!(who.next(&mut tx, &whole, 6, 10).await.unwrap().place, 7);
    assert!(who.next(&mut tx, &whole, 6, 7).await.is_none());
    assert!(who.next(&mut tx, &whole, 16, i64::MAX).await.is_none());
    let nowhere = Ring { country: "GB".into(), ..whole };
    assert!(who.walk(&mut tx, &nowhere).await.is_empty());
}

/// A walk passes over what the person holds, and over what rests after somebody else; not over
/// what others hold, what has rested, or what rests after the same counterpart.
async fn a_walk_skips_what_is_held(lab: &Lab) {
    let world = World::new(lab).await;
    let ids = world.numbers(&lab.db, 0, 5).await;
    commit!(lab.db, [world, ids], |tx| {
        let (open, closed) = (world.session(tx, at(0)).await?, world.session(tx, at(0)).await?);
        world.hold(tx, &ids[0], 1, &open.id, 2, at(0)).await?;
        world.hold(tx, &ids[1], 3, &open.id, 2, at(0)).await?;
        world.hold(tx, &ids[2], 1, &closed.id, 4, at(0)).await?;
        holds::quarantine(tx, &world.account, &closed.id, None, at(100)).await
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let ring = ring(None, &["a"]);
    for (person, other, ms, places) in [
        (1, 2, 0, vec![1, 3, 4]),
        (1, 4, 0, vec![1, 2, 3, 4]),
        (1, 2, 99, vec![1, 3, 4]),
        (1, 2, 100, vec![1, 2, 3, 4]),
        (3, 2, 0, vec![0, 2, 3, 4]),
        (5, 2, 0, vec![0, 1, 2, 3, 4]),
    ] {
        let who = Looking { world: &world, person, other, ms };
        assert_eq!(who.walk(&mut tx, &ring).await, places, "{person} {other} {ms}");
    }
}

/// A place in a ring is nobody's at first, is kept per person and ring, and survives.
async fn a_place_is_kept(lab: &Lab) {
    let world = World::new(lab).await;
    let (one, two) = (world.person(1), world.person(2));
    commit!(lab.db, [world, one, two], |tx| {
        let account = &world.account;
        assert_eq!(holds::ring_place(tx, account, &one, "r").await?, None);
        assert_eq!(holds::ring_place(tx, account, &one, "r").await?, None);
        holds::set_ring_place(tx, account, &one, "r", 0).await?;
        assert_eq!(holds::ring_place(tx, account, &one, "r").await?, Some(0));
        holds::set_ring_place(tx, account, &one, "r", 7).await?;
        assert_eq!(holds::ring_place(tx, account, &one, "other").await?, None);
        assert_eq!(holds::ring_place(tx, account, &two, "r").await?, None);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let place =
        commit!(lab.db, [world, one], |tx| holds::ring_place(tx, &world.account, &one, "r").await);
    assert_eq!(place.await.unwrap(), Some(7));
}

/// Whoever asks for a person's place waits for the other who did: no two get the same one.
async fn a_place_is_given_one_by_one(lab: &Lab) {
    let world = World::new(lab).await;
    let races = (0..16).map(|_| {
        commit!(lab.db, [world], |tx| {
            let (account, person) = (&world.account, &world.person(1));
            let place =
                holds::ring_place(tx, account, person, "r").await?.map_or(0, |last| last + 1);
            holds::set_ring_place(tx, account, person, "r", place).await?;
            Ok::<_, Error>(place)
        })
    });
    let mut places: Vec<i64> = join_all(races).await.into_iter().map(|end| end.unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, (0..16).collect::<Vec<_>>());
}

/// At a close the number of each open hold is kept for the same pair, and the last close wins.
async fn the_last_number_sticks(lab: &Lab) {
    let world = World::new(lab).await;
    let ids = world.numbers(&lab.db, 0, 3).await;
    for (round, number) in ids.iter().enumerate() {
        let ms = i64::try_from(round).unwrap();
        commit!(lab.db, [world, number], |tx| {
            let made = world.session(tx, at(ms)).await?;
            assert!(world.hold(tx, &number, 1, &made.id, 2, at(ms)).await?);
            holds::keep_sticky(tx, &world.account, &world.service, &made.id, at(ms)).await?;
            holds::quarantine(tx, &world.account, &made.id, None, at(ms)).await?;
            // Nothing is open any more: nothing is kept.
            run(tx, "UPDATE sticky_numbers SET closed_at = 5").await?;
            holds::keep_sticky(tx, &world.account, &world.service, &made.id, at(ms)).await?;
            assert_eq!(count(tx, "SELECT closed_at FROM sticky_numbers").await?, 5);
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
        let mut tx = lab.db.read().await.unwrap();
        for (person, other, expected) in [(1, 2, Some(number)), (2, 1, None)] {
            let (person, pair) = (world.person(person), world.pair(other));
            let sticky = holds::sticky(&mut tx, &world.account, &world.service, &person, &pair);
            assert_eq!(sticky.await.unwrap().as_ref(), expected);
        }
    }
}
