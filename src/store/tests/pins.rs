//! PINs: each means one person on one number, rests when its session is over, and is forgotten then.

use super::*;
use crate::{
    domain::assurance::Pin,
    ids::{NumberId, ParticipantId, SessionId},
    store::pins::{self, Meant, NewPin},
};

db_test!(a_pin_means_one_person, a_pin_rests_before_it_means_another);

fn pin(digits: &str) -> Pin {
    Pin::parse(digits).unwrap()
}

/// Sets a PIN of the person `who` for a session; whether it was free.
async fn set(
    lab: &Lab,
    world: &World,
    [number, session, participant]: [&str; 3],
    (digits, alone, who): (&'static str, bool, u32),
    now: i64,
) -> bool {
    let number = NumberId::parse(number).unwrap();
    let session = SessionId::parse(session).unwrap();
    let participant = ParticipantId::parse(participant).unwrap();
    commit!(lab.db, [world, number, session, participant], |tx| {
        let (person, pin) = (world.person(who), pin(digits));
        let new = NewPin {
            number: &number,
            session: &session,
            participant: &participant,
            person: &person,
            pin: &pin,
            alone,
        };
        pins::insert(tx, &world.account, &new, at(now)).await
    })
    .await
    .unwrap()
}

async fn found(
    lab: &Lab,
    world: &World,
    number: &NumberId,
    digits: &str,
    who: Option<u32>,
) -> Option<Meant> {
    let mut tx = lab.db.read().await.unwrap();
    let person = who.map(|who| world.person(who));
    pins::find(&mut tx, &world.account, number, &pin(digits), person.as_ref()).await.unwrap()
}

/// One that stands alone is taken once on a number, and again on another; one beside a person's number is each
/// person's own, and found for nobody else. No digit of either is in the table.
async fn a_pin_means_one_person(lab: &Lab) {
    let world = World::new(lab).await;
    let numbers: [NumberId; 2] = [world.id(), world.id()];
    let sessions: [SessionId; 2] = [world.id(), world.id()];
    let people: [ParticipantId; 2] = [world.id(), world.id()];
    let [one, two] =
        [0, 1].map(|n| [numbers[0].as_str(), sessions[n].as_str(), people[n].as_str()]);
    assert!(set(lab, &world, one, ("4821337", true, 1), 0).await);
    assert!(!set(lab, &world, two, ("4821337", true, 2), 0).await);
    let elsewhere = [numbers[1].as_str(), sessions[1].as_str(), people[1].as_str()];
    assert!(set(lab, &world, elsewhere, ("4821337", true, 2), 0).await);
    assert!(set(lab, &world, one, ("4821", false, 1), 0).await);
    assert!(set(lab, &world, two, ("4821", false, 2), 0).await);
    for (who, digits, meant) in [
        (None, "4821337", Some(0)),
        (Some(2), "4821337", Some(0)),
        (Some(1), "4821", Some(0)),
        (Some(2), "4821", Some(1)),
        (Some(3), "4821", None),
        (None, "4821", None),
        (None, "4821338", None),
    ] {
        let got = found(lab, &world, &numbers[0], digits, who).await;
        assert_eq!(
            got.map(|one| one.session),
            meant.map(|n: usize| sessions[n].clone()),
            "{who:?}"
        );
    }
    let mut tx = lab.db.read().await.unwrap();
    let standing = pins::standing(&mut tx, &world.account, &numbers[0], 7).await.unwrap();
    assert_eq!(standing, 1, "one of 7 digits stands alone");
}

/// I4 of PINs: one of a session that is over opens nothing, and means nobody else until it has rested. A session
/// that is opened again has it again, but not one that was replaced. What has rested is forgotten.
async fn a_pin_rests_before_it_means_another(lab: &Lab) {
    let world = World::new(lab).await;
    let (number, session): (NumberId, SessionId) = (world.id(), world.id());
    let (who, other): (ParticipantId, ParticipantId) = (world.id(), world.id());
    let mine = [number.as_str(), session.as_str(), who.as_str()];
    let next: SessionId = world.id();
    let theirs = [number.as_str(), next.as_str(), other.as_str()];
    assert!(set(lab, &world, mine, ("4821337", true, 1), 0).await);
    let release = async |replaced: bool, until: i64| {
        commit!(lab.db, [world, session], |tx| {
            pins::release(tx, &world.account, &session, None, replaced, at(until)).await
        })
        .await
        .unwrap();
    };
    release(true, 100).await;
    assert!(!found(lab, &world, &number, "4821337", None).await.unwrap().open);
    assert!(!set(lab, &world, theirs, ("4821337", true, 2), 99).await);
    assert!(set(lab, &world, mine, ("5000000", true, 1), 0).await);
    release(false, 100).await;
    let reopened = commit!(lab.db, [world, session], |tx| {
        pins::reopen(tx, &world.account, &session).await
    })
    .await
    .unwrap();
    assert_eq!(reopened, 0, "its people are in no table here");
    assert!(set(lab, &world, theirs, ("4821337", true, 2), 100).await);
    assert_eq!(found(lab, &world, &number, "4821337", None).await.unwrap().session, next);
    let gone = commit!(lab.db, [], |tx| pins::purge(tx, at(101), 10).await).await.unwrap();
    assert_eq!(gone, 1);
    assert!(found(lab, &world, &number, "5000000", None).await.is_none());
    assert!(found(lab, &world, &number, "4821337", None).await.unwrap().open);
}
