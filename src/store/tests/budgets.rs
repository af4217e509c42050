//! Answers that cost something: so many in a time, each counted once, and forgotten later.

use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::{
    ids::NumberId,
    store::budgets::{self, Asker, Costly},
};

db_test!(so_many_in_a_time, each_budget_is_its_own, of_many_at_once_so_many_get_it, old_ones_go);

const HOUR: Duration = Duration::from_hours(1);

async fn take(
    lab: &Lab,
    world: &World,
    number: &NumberId,
    person: Option<u32>,
    answer: Costly,
    most: i64,
    ms: i64,
) -> bool {
    let person = person.map(|n| world.person(n));
    commit!(lab.db, [world, number, person], |tx| {
        let asker = Asker { account: &world.account, number: &number, person: person.as_ref() };
        budgets::take(tx, asker, answer, most, HOUR, at(ms)).await
    })
    .await
    .unwrap()
}

/// Two within an hour of the first, and the third only an hour after it.
async fn so_many_in_a_time(lab: &Lab) {
    let world = World::new(lab).await;
    let number: NumberId = world.id();
    let hour = 3_600_000;
    for (ms, given) in
        [(0, true), (1, true), (2, false), (hour - 1, false), (hour, true), (hour + 1, true)]
    {
        let got = take(lab, &world, &number, Some(1), Costly::Forward, 2, ms).await;
        assert_eq!(got, given, "{ms} ms after the first");
    }
    assert!(!take(lab, &world, &number, Some(1), Costly::Forward, 2, hour + 2).await);
}

/// Another person, number, answer or account has its own; all who withhold their number share one.
async fn each_budget_is_its_own(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let [here, there]: [NumberId; 2] = [world.id(), world.id()];
    for (world, number, person, answer) in [
        (&world, &here, Some(1), Costly::Text),
        (&world, &here, Some(2), Costly::Text),
        (&world, &there, Some(1), Costly::Text),
        (&world, &here, Some(1), Costly::Forward),
        (&world, &here, None, Costly::Text),
        (&other, &here, Some(1), Costly::Text),
    ] {
        assert!(take(lab, world, number, person, answer, 1, 0).await);
        assert!(!take(lab, world, number, person, answer, 1, 1).await);
    }
}

/// Of sixteen at once three get one.
async fn of_many_at_once_so_many_get_it(lab: &Lab) {
    let world = World::new(lab).await;
    let number: NumberId = world.id();
    let (world, number) = (&world, &number);
    let takes = (0..16).map(|n| take(lab, world, number, Some(1), Costly::Text, 3, n));
    let given = join_all(takes).await;
    assert_eq!(given.into_iter().filter(|given| *given).count(), 3);
}

/// They are forgotten by age, the oldest first, so many at a time.
async fn old_ones_go(lab: &Lab) {
    let world = World::new(lab).await;
    let number: NumberId = world.id();
    for n in 0..5 {
        assert!(take(lab, &world, &number, Some(n), Costly::Text, 1, i64::from(n)).await);
    }
    for (limit, gone) in [(2, 2), (9, 1), (9, 0)] {
        let purged = commit!(lab.db, [], |tx| budgets::purge(tx, at(3), limit).await);
        assert_eq!(purged.await.unwrap(), gone);
    }
    assert!(!take(lab, &world, &number, Some(3), Costly::Text, 1, 6).await, "the young stay");
    assert!(take(lab, &world, &number, Some(2), Costly::Text, 1, 6).await);
}
