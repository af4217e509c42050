//! Opt-outs: each is one account's, one person's and one number's, and goes as it came.

use super::*;
use crate::{
    domain::opt_out::{Scope, Source},
    ids::NumberId,
    store::opt_outs::{self, OptOut},
};

db_test!(each_is_its_own, twice_is_once);

async fn exists(lab: &Lab, world: &World, person: u32, number: &NumberId) -> bool {
    let person = world.person(person);
    let mut tx = lab.db.read().await.unwrap();
    opt_outs::exists(&mut tx, of(world, &person, number)).await.unwrap()
}

fn of<'a>(
    world: &'a World,
    person: &'a crate::privacy::Person,
    number: &'a NumberId,
) -> OptOut<'a> {
    OptOut { account: &world.account, person, scope: Scope::Number, value: number.as_str() }
}

/// Another person, number or account is not reached by it.
async fn each_is_its_own(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let [here, there]: [NumberId; 2] = [world.id(), world.id()];
    commit!(lab.db, [world, here], |tx| {
        let person = world.person(1);
        opt_outs::insert(tx, of(&world, &person, &here), Source::Person, at(0)).await
    })
    .await
    .unwrap();
    for (world, person, number, found) in [
        (&world, 1, &here, true),
        (&world, 2, &here, false),
        (&world, 1, &there, false),
        (&other, 1, &here, false),
    ] {
        assert_eq!(exists(lab, world, person, number).await, found);
    }
}

/// Opting out twice is undone by taking it back once, and what is not there can't be taken back.
async fn twice_is_once(lab: &Lab) {
    let world = World::new(lab).await;
    let number: NumberId = world.id();
    let undone = commit!(lab.db, [world, number], |tx| {
        let person = world.person(1);
        let one = of(&world, &person, &number);
        opt_outs::insert(tx, one, Source::Person, at(0)).await?;
        opt_outs::insert(tx, one, Source::Carrier, at(1)).await?;
        Ok::<_, Error>([opt_outs::delete(tx, one).await?, opt_outs::delete(tx, one).await?])
    });
    assert_eq!(undone.await.unwrap(), [true, false]);
    assert!(!exists(lab, &world, 1, &number).await);
}
