//! What is counted, held against what the allocator does and what was found out before: on markets by chance, with
//! fixed seeds.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::domain::time::Timestamp;

const DAY: Duration = Duration::from_hours(24);

fn place(area: &str) -> Place {
    Place { country: "US".into(), area: area.into() }
}

/// Some 1,500 sessions in thirty days, of people who are met as often as `sides` says.
fn small(sides: [Side; 2], places: Vec<(Place, f64)>, seed: u64) -> Trace {
    let [sellers, buyers] = sides;
    let market = Market {
        per_day: 50.0,
        days: 30,
        lifetime: [DAY, 5 * DAY],
        closed_early: 0.5,
        sellers,
        buyers,
        places,
        seed,
    };
    by_chance(&market).unwrap()
}

/// One place with sellers in demand; three places; one where buyers are in demand as well.
fn markets(seed: u64) -> [(&'static str, Trace); 3] {
    let one = vec![(Place::default(), 1.0)];
    let three = vec![(place("415"), 3.0), (place("212"), 2.0), (place("312"), 1.0)];
    let side = |people, zipf| Side { people, zipf };
    [
        ("one place", small([side(20, 0.8), side(2_000, 0.0)], one.clone(), seed)),
        ("three places", small([side(60, 0.8), side(6_000, 0.0)], three, seed)),
        ("two-sided", small([side(150, 0.6), side(150, 0.6)], one, seed)),
    ]
}

/// Exactly as many numbers as somebody holds at once refuse nobody; one number fewer, where most are needed, refuses
/// somebody. So what is counted is what the allocator needs, neither more nor less.
#[tokio::test]
async fn as_many_as_somebody_holds() {
    for (seed, quarantine) in [(1, Duration::ZERO), (2, 3 * DAY)] {
        for (name, trace) in markets(seed) {
            let mut sizes: Vec<u64> =
                peaks(&trace, quarantine).iter().map(|peaks| peaks.held).collect();
            let enough = play(&trace, &sizes, quarantine, |_| ()).await.unwrap();
            let all = u64::try_from(trace.meetings().len()).unwrap();
            assert_eq!((enough.opened, enough.refused), (all, 0), "{name}, {quarantine:?}");
            assert_eq!(enough.first_refused, None);
            let most = sizes.iter_mut().max().unwrap();
            *most -= 1;
            let short = play(&trace, &sizes, quarantine, |_| ()).await.unwrap();
            assert!(short.refused > 0, "{name}, {quarantine:?}: {sizes:?} are enough");
            assert_eq!(short.opened + short.refused, all);
            assert!(short.first_refused.is_some() && short.refusal() > 0.0);
        }
    }
}

/// With half of the numbers more is refused than with most of them, and with none everything; how far it is is told.
#[tokio::test]
async fn fewer_numbers_refuse_more() {
    let [(_, trace), ..] = markets(3);
    let held = peaks(&trace, 3 * DAY)[0].held;
    let mut before = 1.1;
    for share in [0.0, 0.5, 0.9, 2.0] {
        let told = AtomicUsize::new(0);
        let tell = |_: usize| {
            told.fetch_add(1, Ordering::Relaxed);
        };
        let sizes = part_of(&[held], share);
        let played = play(&trace, &sizes, 3 * DAY, tell).await.unwrap();
        assert!(played.refusal() < before, "{share}: {played:?}");
        assert!(told.into_inner() > 0);
        before = played.refusal();
    }
    assert!(before <= 0.0, "twice as many refuse {before}");
}

/// Somebody's next number is the one that has rested longest for them, and the same two get theirs again.
#[tokio::test]
async fn numbers_go_round() {
    let mut all = Collector::default();
    let at = |hours: u64| Timestamp::EPOCH + Duration::from_hours(hours);
    let here = Place::default();
    let seller = all.somebody(&here).unwrap();
    let buyers: Vec<u32> = (0..8).map(|_| all.somebody(&here).unwrap()).collect();
    // One after the other, a day each, and the last one once more.
    for (hours, buyer) in (0_u64..).step_by(24).zip(buyers.iter().chain(buyers.last())) {
        all.meet(at(hours), at(hours + 20), [seller, *buyer]).unwrap();
    }
    let trace = all.done();
    let none = Duration::ZERO;
    let eight = play(&trace, &[8], none, |_| ()).await.unwrap();
    assert_eq!((eight.opened, eight.reused, eight.reused_soon), (9, 0, 0));
    let four = play(&trace, &[4], none, |_| ()).await.unwrap();
    assert_eq!((four.reused, four.reused_soon), (4, 4), "each of the four for a second buyer");
    assert!((1..=2).contains(&four.crowd), "the two of a session at most: {}", four.crowd);
    let one = play(&trace, &[1], none, |_| ()).await.unwrap();
    assert_eq!((one.refused, one.crowd), (0, 2), "no two sessions are open at once");
}

/// What binds is what asks for the most numbers: people on a number, texts or calls, where those are many.
#[test]
fn what_binds() {
    let [(_, trace), ..] = markets(4);
    let load = Load {
        people_on_number: 1e9,
        texts: 6.0,
        texts_per_second: 1e9,
        calls: 1.0,
        call: Duration::from_mins(3),
        channels: 1e9,
        busy_hour: 0.1,
    };
    let need = |load: &Load| needed(&trace, 3 * DAY, load)[0].clone();
    let one = need(&load);
    assert_eq!(one.most(), (Bound::Held, one.peaks.held));
    assert_eq!(one.bounds.map(|(bound, _)| bound).as_slice(), Bound::ALL);
    let people = need(&Load { people_on_number: 0.5, ..load });
    assert_eq!(people.most(), (Bound::People, people.peaks.open * 2));
    // 50 sessions a day, a tenth of them in an hour: 5 of 6 texts each, and 5 calls of 3 minutes, on two numbers each.
    let texts = need(&Load { texts_per_second: 30.0 / 3600.0 / 1_000.0, ..load }).most();
    assert!(texts.0 == Bound::Texts && (900..1_150).contains(&texts.1), "{texts:?}");
    let calls = need(&Load { channels: 0.5 / 1_000.0, ..load }).most();
    assert!(calls.0 == Bound::Calls && (900..1_150).contains(&calls.1), "{calls:?}");
}

/// Numbers are divided as they are needed, and all of them.
#[test]
fn numbers_are_divided() {
    assert_eq!(divide(10, &[3, 2, 5]), [3, 2, 5]);
    assert_eq!(divide(7, &[1, 1, 1]), [2, 2, 3]);
    assert_eq!(divide(5, &[0, 4, 0]), [0, 5, 0]);
    assert_eq!(divide(5, &[0, 0]), [0, 0]);
    assert_eq!(divide(u64::MAX, &[u64::MAX]), [u64::MAX]);
    assert_eq!(part_of(&[10, 1, 0], 0.5), [5, 1, 0]);
}

/// A market of 60 days, of sessions of 1 to 14 days of which half are closed before.
fn sixty_days(per_day: f64, sides: [Side; 2], seed: u64) -> Trace {
    let market = Market {
        per_day,
        days: 60,
        lifetime: [DAY, 14 * DAY],
        closed_early: 0.5,
        sellers: sides[0],
        buyers: sides[1],
        places: vec![(Place::default(), 1.0)],
        seed,
    };
    by_chance(&market).unwrap()
}

/// What `trace` needs after so many days of quarantine is, within a tenth, what another simulation of such a market
/// found.
#[track_caller]
fn assert_near(trace: &Trace, found: &[(u32, f64)]) {
    for (days, found) in found {
        let held = play::ratio(peaks(trace, DAY * *days)[0].held, 1);
        assert!((held / found - 1.0).abs() < 0.1, "{held} of {found}, {days} days of quarantine");
    }
}

/// Few are much in demand: the largest seller decides, and quarantine costs half as many numbers again, and more.
#[test]
fn a_market_like_a_star() {
    let sides = [Side { people: 50_000, zipf: 0.8 }, Side { people: 500_000, zipf: 0.0 }];
    let trace = sixty_days(107_000.0 / 60.0, sides, 4);
    assert_near(&trace, &[(0, 303.0), (3, 448.0), (7, 647.0)]);
}

/// All are alike: a few dozen numbers carry 426,000 sessions.
#[test]
fn a_market_of_equals() {
    let sides = [Side { people: 2_000, zipf: 0.0 }; 2];
    assert_near(&sixty_days(7_100.0, sides, 1), &[(0, 45.0), (3, 57.0)]);
}
