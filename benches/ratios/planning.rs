//! The planner on markets by chance: what it finds that they need, how soon numbers come back for others, and how evenly
//! people are spread over them.

use std::{collections::HashMap, time::Duration};

use entremise::{
    domain::time::Timestamp,
    relay::plan::{Market, Place, Side, Trace, by_chance, peaks, play},
};

use crate::{
    Result, Scale,
    report::{Goal, Report, Row, float, step},
};

const DAY: Duration = Duration::from_hours(24);
/// How long a number rests after a session.
const QUARANTINE: Duration = Duration::from_hours(72);
/// A number that somebody has again this soon for another counterpart is met again too soon.
const SOON: Duration = Duration::from_hours(7 * 24);
/// What makes these markets and no others.
const SEED: u64 = 4;

/// Sixty days of sessions of 1 to 14 days, of which half are closed before.
fn market(per_day: f64, sellers: Side, buyers: Side) -> Result<Trace> {
    let market = Market {
        per_day,
        days: 60,
        lifetime: [DAY, 14 * DAY],
        closed_early: 0.5,
        sellers,
        buyers,
        places: vec![(Place::default(), 1.0)],
        seed: SEED,
    };
    Ok(by_chance(&market)?)
}

/// A few sellers are much in demand: of 1,070,000 sessions this share.
fn star(share: f64) -> Result<Trace> {
    let sellers = Side { people: 50_000, zipf: 0.8 };
    market(1_070_000.0 / 60.0 * share, sellers, Side { people: 500_000, zipf: 0.0 })
}

/// All are alike: 426,000 sessions.
fn equals() -> Result<Trace> {
    let side = Side { people: 2_000, zipf: 0.0 };
    market(426_000.0 / 60.0, side, side)
}

/// The most numbers that one person holds.
fn held(trace: &Trace, quarantine: Duration) -> u64 {
    peaks(trace, quarantine).iter().map(|peaks| peaks.held).max().unwrap_or(0)
}

/// How often somebody has a number again within seven days for another counterpart, where each number is chosen by
/// chance among those that they do not hold. There must be far more than anybody holds: the first few tries find one.
fn soon_by_chance(trace: &Trace, numbers: u32) -> u64 {
    let mut random = fastrand::Rng::with_seed(SEED);
    // With whom somebody last had a number, and until when.
    let mut last: HashMap<(u32, u32), (u32, Timestamp)> = HashMap::new();
    let mut soon = 0;
    for meeting in trace.meetings() {
        let [one, other] = meeting.people;
        for (who, with) in [(one, other), (other, one)] {
            let number = loop {
                let number = random.u32(0..numbers);
                let free = last.get(&(who, number)).is_none_or(|(before, end)| {
                    let rests = if *before == with { Duration::ZERO } else { QUARANTINE };
                    *end + rests <= meeting.start
                });
                if free {
                    break number;
                }
            };
            if let Some((before, end)) = last.insert((who, number), (with, meeting.end)) {
                soon += u64::from(before != with && meeting.start.since(end) < SOON);
            }
        }
    }
    soon
}

/// How soon numbers come back, and how evenly people are spread over them.
async fn comfort(name: &str, trace: &Trace, report: &mut Report) -> Result<()> {
    let bound = held(trace, QUARANTINE);
    let told = |_: usize| ();
    let twice = play(trace, &[2 * bound], QUARANTINE, told).await?;
    let by_chance = soon_by_chance(trace, u32::try_from(2 * bound)?);
    let part = |soon: u64| 100.0 * float(soon) / float(2 * twice.opened);
    let ratio = float(twice.reused_soon) / float(by_chance.max(1));
    report.add(Row {
        name: format!(
            "a number reused for another counterpart within 7 days, pool 2 × bound, {name}"
        ),
        figure: format!("{:.3} %, pool of {}", part(twice.reused_soon), 2 * bound),
        reference: format!("by chance {:.3} %", part(by_chance)),
        ratio: format!("{ratio:.3}"),
        judged: ratio,
        goal: Goal::AtMost(0.25),
        goal_text: "≤ 0.25".to_owned(),
    });
    let exact = play(trace, &[bound], QUARANTINE, told).await?;
    let ratio = float(exact.crowd) / exact.mean;
    report.add(Row {
        name: format!("peak ÷ mean people on one number, pool = bound, {name}"),
        figure: format!("{} people, pool of {bound}", exact.crowd),
        reference: format!("mean {:.1}", exact.mean),
        ratio: format!("{ratio:.2}"),
        judged: ratio,
        goal: Goal::AtMost(2.0),
        goal_text: "≤ 2.0".to_owned(),
    });
    Ok(())
}

/// What the planner says that a market needs, against what another simulation of such a market found.
fn bound(name: &str, trace: &Trace, days: u32, found: u32, report: &mut Report) {
    let held = held(trace, DAY * days);
    let ratio = float(held) / f64::from(found);
    report.add(Row {
        name: format!("planner: numbers needed, {name}, {days} days of quarantine"),
        figure: format!("{held}, {} sessions", trace.meetings().len()),
        reference: format!("{found} (recorded)"),
        ratio: format!("{ratio:.3}"),
        judged: (ratio - 1.0).abs(),
        goal: Goal::AtMost(0.1),
        goal_text: "0.9 to 1.1".to_owned(),
    });
}

/// All rows: at full size where the run is full, else of a tenth of the first market.
pub(crate) async fn run(scale: Scale, report: &mut Report) -> Result<()> {
    step("planning");
    if !scale.markets {
        let trace = star(0.1)?;
        bound("a tenth of market A", &trace, 3, 448, report);
        return comfort("a tenth of market A", &trace, report).await;
    }
    let trace = star(1.0)?;
    bound("market A", &trace, 0, 2_676, report);
    bound("market A", &trace, 3, 4_008, report);
    comfort("market A", &trace, report).await?;
    let trace = equals()?;
    bound("market C", &trace, 0, 45, report);
    bound("market C", &trace, 3, 57, report);
    comfort("market C", &trace, report).await
}
