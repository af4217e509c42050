//! What is counted: rows in place, however many count at once; and all of it is forgotten.

use futures_util::future::join_all;

use super::*;
use crate::{
    domain::abuse::Window,
    ids::{InteractionId, NumberId, SessionId},
    store::{
        calls_open, echoes,
        probes::{self, Alert},
        tallies::{self, Subject, What},
    },
};

db_test!(
    counts_are_exact,
    windows_begin_anew,
    echoes_are_runs,
    calls_count_until_they_end,
    all_is_forgotten
);

const HOUR: i64 = 3_600_000;

fn session() -> SessionId {
    SessionId::parse("KC00000000000000000000000000000007").unwrap()
}

fn subjects(world: &World, person: u32) -> Vec<Subject> {
    let person = world.person(person);
    vec![
        Subject::new(What::Texts, session().as_str()),
        Subject::new(What::Texts, person.as_str()),
        Subject { prefix: "p".into(), ..Subject::new(What::TextsTo, person.as_str()) },
    ]
}

/// Of many that count at once, over rows that they share in part, none is lost and none waits for ever.
async fn counts_are_exact(lab: &Lab) {
    let world = World::new(lab).await;
    let world = &world;
    let counts = (0..24).map(|n| async move {
        commit!(lab.db, [world], |tx| {
            tallies::count(tx, &world.account, subjects(&world, n % 3), at(HOUR)).await
        })
        .await
        .unwrap()
    });
    let mut pair: Vec<u64> = join_all(counts)
        .await
        .iter()
        .flat_map(|all| all.iter().filter(|one| one.subject == session().as_str()))
        .map(|one| one.hour)
        .collect();
    pair.sort_unstable();
    assert_eq!(pair, (1..=24).collect::<Vec<_>>());
    let mut tx = lab.db.read().await.unwrap();
    let hour = Window::Hour.place(at(HOUR));
    let volumes = tallies::of_accounts(&mut tx, hour).await.unwrap();
    assert_eq!(volumes.iter().map(|one| one.used).collect::<Vec<_>>(), [24]);
    let prefixes = tallies::of_prefixes(&mut tx, What::TextsTo, hour, 23).await.unwrap();
    assert_eq!(
        prefixes.iter().map(|one| (&*one.prefix, one.used)).collect::<Vec<_>>(),
        [("p", 24)]
    );
    assert!(tallies::of_prefixes(&mut tx, What::TextsTo, hour, 24).await.unwrap().is_empty());
}

/// Each window begins by the clock, whatever the others do; seconds belong to their day.
async fn windows_begin_anew(lab: &Lab) {
    let world = World::new(lab).await;
    let day = 24 * HOUR;
    for (ms, expected) in [
        (day, [1, 1, 1]),
        (day + 29_999, [2, 2, 2]),
        (day + 30_000, [1, 3, 3]),
        (day + HOUR, [1, 1, 4]),
        (2 * day, [1, 1, 1]),
    ] {
        let person = world.person(1);
        let subject = vec![Subject::new(What::Calls, person.as_str())];
        let counted = commit!(lab.db, [world, subject], |tx| {
            tallies::count(tx, &world.account, subject.clone(), at(ms)).await
        });
        let counted = counted.await.unwrap();
        let found = [Window::Half, Window::Hour, Window::Day].map(|one| counted[0].within(one));
        assert_eq!(found, expected, "{ms}");
        let seconds = commit!(lab.db, [world, person], |tx| {
            tallies::add_seconds(tx, &world.account, person.as_str(), 7, at(ms)).await?;
            tallies::talked(tx, &world.account, person.as_str(), at(ms)).await
        });
        assert_eq!(seconds.await.unwrap(), expected[2] * 7, "{ms}");
    }
}

/// A run is made by both sides in turn, each writing what it wrote before, and soon.
async fn echoes_are_runs(lab: &Lab) {
    let world = World::new(lab).await;
    let hear = async |role: &'static str, hash: &'static str, ms: i64| {
        let heard = commit!(lab.db, [world], |tx| {
            let times = [at(ms), at(ms - 1000)];
            echoes::hear(tx, &world.account, &session(), (role, hash), times).await
        });
        heard.await.unwrap().run
    };
    let mut runs = Vec::new();
    for (role, hash, ms) in [
        ("a", "x", 1),
        ("b", "y", 2),
        ("a", "x", 3),
        ("b", "y", 4),
        ("a", "z", 5),
        ("b", "y", 6),
        ("a", "z", 7),
        ("b", "y", 3000),
        ("b", "y", 3001),
        ("b", "y", 3002),
        ("a", "", 3003),
        ("b", "y", 3004),
        ("a", "", 3005),
    ] {
        runs.push(hear(role, hash, ms).await);
    }
    assert_eq!(runs, [0, 0, 1, 2, 0, 1, 2, 0, 0, 0, 0, 1, 0]);
}

/// A call counts while it rings, for longer once it is answered, and no more once it is over.
async fn calls_count_until_they_end(lab: &Lab) {
    let world = World::new(lab).await;
    let person = world.person(1);
    let call: InteractionId = world.id();
    let going_on = async |ms: i64| {
        let mut tx = lab.db.read().await.unwrap();
        calls_open::going_on(&mut tx, &world.account, &session(), &person, at(ms)).await.unwrap()
    };
    commit!(lab.db, [world, person, call], |tx| {
        let (session, longest) = (session(), std::time::Duration::from_secs(5));
        let of = (&session, &person);
        calls_open::begin(tx, &world.account, &call, of, at(10), longest).await
    })
    .await
    .unwrap();
    assert_eq!((going_on(9).await, going_on(10).await), ([1, 1], [0, 0]));
    commit!(lab.db, [world, call], |tx| calls_open::answered(tx, &world.account, &call, at(9))
        .await)
    .await
    .unwrap();
    assert_eq!((going_on(5008).await, going_on(5009).await), ([1, 1], [0, 0]));
    commit!(lab.db, [world, call], |tx| calls_open::end(tx, &world.account, &call).await)
        .await
        .unwrap();
    assert_eq!(going_on(9).await, [0, 0]);
}

/// Whatever is counted is forgotten once it is old, and not before; so many rows at once.
async fn all_is_forgotten(lab: &Lab) {
    let world = World::new(lab).await;
    let old = 10 * HOUR;
    let number: NumberId = world.id();
    let call: InteractionId = world.id();
    let person = world.person(1);
    let other: SessionId = world.id();
    commit!(lab.db, [world, number, person, call, other], |tx| {
        tallies::count(tx, &world.account, subjects(&world, 1), at(old)).await?;
        let hour = Window::Hour.place(at(old));
        let volume = tallies::of_accounts(tx, hour).await?.remove(0);
        tallies::keep(tx, &volume, hour).await?;
        probes::note(tx, &world.account, &number, Some(&person), at(old)).await?;
        assert!(probes::is_news(tx, &world.account, Alert::Harvest, "x", at(old)).await?);
        assert!(!probes::is_news(tx, &world.account, Alert::Harvest, "x", at(old)).await?);
        let times = [at(old), at(0)];
        echoes::hear(tx, &world.account, &other, ("a", "x"), times).await?;
        let longest = std::time::Duration::ZERO;
        let of = (&other, &person);
        calls_open::begin(tx, &world.account, &call, of, at(old), longest).await
    })
    .await
    .unwrap();
    let day = 24 * HOUR;
    for (before, gone) in [(old, [0; 6]), (old + day, [3, 1, 1, 1, 1, 1]), (old + day, [0; 6])] {
        let purged = commit!(lab.db, [], |tx| {
            let before = at(before);
            Ok::<_, Error>([
                tallies::purge(tx, before, 9).await?,
                tallies::purge_volumes(tx, before, 9).await?,
                probes::purge(tx, before, 9).await?,
                probes::purge_alerts(tx, before, 9).await?,
                echoes::purge(tx, before, 9).await?,
                calls_open::purge(tx, before, 9).await?,
            ])
        });
        assert_eq!(purged.await.unwrap(), gone, "{before}");
    }
}
