//! Who was told of a number: once for an account, a service, a person and a number, and for so long.

use super::*;
use crate::{
    ids::{NumberId, ServiceId},
    store::first_texts,
};

db_test!(each_is_told_once, old_ones_go);

async fn tells(
    lab: &Lab,
    world: &World,
    service: &ServiceId,
    person: u32,
    number: &NumberId,
    ms: i64,
) -> bool {
    let person = world.person(person);
    commit!(lab.db, [world, service, person, number], |tx| {
        first_texts::insert(tx, &world.account, &service, &person, &number, at(ms)).await
    })
    .await
    .unwrap()
}

/// The second time is none; another person, number, service or account has its own first.
async fn each_is_told_once(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let [here, there]: [NumberId; 2] = [world.id(), world.id()];
    let elsewhere: ServiceId = world.id();
    for first in [true, false] {
        for (world, service, person, number) in [
            (&world, &world.service, 1, &here),
            (&world, &world.service, 2, &here),
            (&world, &world.service, 1, &there),
            (&world, &elsewhere, 1, &here),
            (&other, &other.service, 1, &here),
        ] {
            assert_eq!(tells(lab, world, service, person, number, 0).await, first);
        }
    }
}

/// What is older goes, so many at once; who was told since is still known.
async fn old_ones_go(lab: &Lab) {
    let world = World::new(lab).await;
    let number: NumberId = world.id();
    for person in 0..4 {
        tells(lab, &world, &world.service, person, &number, i64::from(person) * 10).await;
    }
    let mut gone = Vec::new();
    for _ in 0..2 {
        let purged = commit!(lab.db, [], |tx| first_texts::purge(tx, at(25), 2).await);
        gone.push(purged.await.unwrap());
    }
    assert_eq!(gone, [2, 1]);
    assert!(!tells(lab, &world, &world.service, 3, &number, 50).await);
    assert!(tells(lab, &world, &world.service, 2, &number, 50).await);
}
