//! Opening sessions: in an empty database and in a full one, against the same rows in bulk.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use entremise::relay::SessionView;
use tokio::task::JoinSet;

use crate::{
    Result, Scale,
    count::Statements,
    fill::{self, Pattern, ROWS},
    report::{Goal, Report, Row, float, median},
    webhooks::Line,
    world::{Engine, Live, PEOPLE, Raw, World, chance, person},
};

/// How many callers open sessions at once.
const CALLERS: usize = 16;
/// How many sessions a second masked-communications-app opens.
const PEER_RATE: f64 = 170.0;
/// How many openings are counted in statements.
const COUNTED: u32 = 100;

/// A world whose database is open.
struct Place<'a> {
    world: &'a World,
    live: Arc<Live>,
}

fn pair() -> (u32, u32) {
    let half = PEOPLE / 2;
    (chance(half), half + chance(half))
}

fn lines(pair: (u32, u32), view: &SessionView) -> Result<Vec<Line>> {
    view.participants
        .iter()
        .zip([pair.0, pair.1])
        .map(|(one, place)| {
            let from = person(place)?.expose().to_owned();
            Ok(Line { from, to: one.number.as_str().to_owned() })
        })
        .collect()
}

/// Sessions opened a second by 16 callers at once, and who can call then.
async fn window(place: &Place<'_>, time: Duration) -> Result<(f64, Vec<Line>)> {
    let (mut callers, begun) = (JoinSet::<Result<Vec<Line>>>::new(), Instant::now());
    let opened = Arc::new(AtomicU64::new(0));
    for _ in 0..CALLERS {
        let (live, opened) = (Arc::clone(&place.live), Arc::clone(&opened));
        let world = place.world.clone();
        callers.spawn(async move {
            let mut known = Vec::new();
            while begun.elapsed() < time {
                let pair = pair();
                let view = live.session(&world.account, world.session(pair.0, pair.1)?).await?;
                known.extend(lines(pair, &view)?);
                opened.fetch_add(1, Ordering::Relaxed);
            }
            Ok(known)
        });
    }
    let mut known = Vec::new();
    while let Some(done) = callers.join_next().await {
        known.extend(done??);
    }
    Ok((float(opened.load(Ordering::Relaxed)) / begun.elapsed().as_secs_f64(), known))
}

/// Statements for each opening, and walks around a ring for each claim. Everybody has opened a
/// session before: their first one also looks for a place in the ring, however many are open.
pub(crate) async fn statements(world: &World, live: &Live) -> Result<(f64, f64)> {
    let half = PEOPLE / 2;
    let open = async |seller: u32, buyer: u32| {
        let new = world.session(seller, half + buyer)?;
        live.session(&world.account, new).await?;
        Result::<()>::Ok(())
    };
    for one in 0..COUNTED {
        open(one, one).await?;
    }
    let counting = Statements::count();
    for one in 0..COUNTED {
        open(one, (one + 1) % COUNTED).await?;
    }
    let (all, walks) = counting.end();
    let each = |count: u64| float(count) / f64::from(COUNTED);
    Ok((each(all), each(walks) / 2.0))
}

/// Rows of sessions a second, written with few statements, `CALLERS` sessions a commit.
async fn raw_sessions(raw: &mut Raw, pattern: &Pattern, time: Duration) -> Result<f64> {
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let bundles: Vec<_> = (0..CALLERS).map(|_| pattern.strangers()).collect();
        raw.run("BEGIN").await?;
        fill::write(raw, pattern, &bundles).await?;
        raw.run("COMMIT").await?;
        count += u64::try_from(CALLERS)?;
    }
    Ok(float(count) / begun.elapsed().as_secs_f64())
}

/// Rows of the log a second, `many` in one commit.
pub(crate) async fn raw_events(
    world: &World,
    pattern: &Pattern,
    many: usize,
    time: Duration,
) -> Result<f64> {
    let mut raw = world.raw().await?;
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < time {
        raw.run("BEGIN").await?;
        fill::write_events(&mut raw, pattern, many).await?;
        raw.run("COMMIT").await?;
        count += u64::try_from(many)?;
    }
    let rate = float(count) / begun.elapsed().as_secs_f64();
    raw.close().await?;
    Ok(rate)
}

/// The worlds of one engine.
pub(crate) struct Worlds<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) empty: &'a World,
    pub(crate) full: &'a World,
    pub(crate) raw: &'a World,
    /// Of the raw world: its ids are its own.
    pub(crate) raw_pattern: &'a Pattern,
}

/// All rows of opening; people of the full world who can call.
pub(crate) async fn run(
    worlds: &Worlds<'_>,
    scale: Scale,
    report: &mut Report,
) -> Result<Vec<Line>> {
    let empty = Place { world: worlds.empty, live: Arc::new(worlds.empty.open().await?) };
    let full = Place { world: worlds.full, live: Arc::new(worlds.full.open().await?) };
    let name = worlds.engine.name();
    let before = statements(empty.world, &empty.live).await?;
    let after = statements(full.world, &full.live).await?;
    report.add(Row {
        name: format!("allocator probes per claim, {} open against empty, {name}", scale.sessions),
        figure: format!("{:.3}, {:.1} statements an opening", after.1, after.0),
        reference: format!("{:.3}, {:.1} statements", before.1, before.0),
        ratio: format!("{:.3}", after.1 / before.1),
        judged: after.1 / before.1,
        goal: Goal::AtMost(1.05),
        goal_text: "≤ 1.05".to_owned(),
    });
    let mut raw = worlds.raw.raw().await?;
    let (mut at_empty, mut at_full, mut bulk) = (Vec::new(), Vec::new(), Vec::new());
    let mut known = Vec::new();
    window(&empty, scale.window / 4).await?;
    window(&full, scale.window / 4).await?;
    for _ in 0..scale.rounds {
        at_empty.push(window(&empty, scale.window).await?.0);
        let (rate, lines) = window(&full, scale.window).await?;
        at_full.push(rate);
        known.extend(lines);
        bulk.push(raw_sessions(&mut raw, worlds.raw_pattern, scale.window).await?);
    }
    raw.close().await?;
    let ratios = at_full.iter().zip(&at_empty).map(|(full, empty)| full / empty).collect();
    let shares = at_full.iter().zip(&bulk).map(|(full, bulk)| full / bulk).collect();
    let (ratio, share, rate) = (median(ratios), median(shares), median(at_full));
    report.add(Row {
        name: format!("opening a session, {} open against empty, {name}", scale.sessions),
        figure: format!("{rate:.0}/s"),
        reference: format!("{:.0}/s", median(at_empty)),
        ratio: format!("{ratio:.3}"),
        judged: ratio,
        goal: Goal::AtLeast(0.7),
        goal_text: "≥ 0.7".to_owned(),
    });
    report.add(Row {
        name: format!("sessions opened, {CALLERS} callers, {name}"),
        figure: format!("{rate:.0}/s"),
        reference: format!(
            "raw, {ROWS} rows each, {CALLERS} sessions a commit: {:.0}/s",
            median(bulk)
        ),
        ratio: format!("{share:.3}"),
        judged: share,
        goal: Goal::AtLeast(0.5),
        goal_text: "≥ 0.5".to_owned(),
    });
    report.add(Row {
        name: format!("sessions opened, against a peer, {name}"),
        figure: format!("{rate:.0}/s"),
        reference: format!("masked-communications-app {PEER_RATE:.0}/s (recorded)"),
        ratio: format!("{:.1} ×", rate / PEER_RATE),
        judged: rate / PEER_RATE,
        goal: Goal::AtLeast(50.0),
        goal_text: "≥ 50 ×".to_owned(),
    });
    for place in [empty, full] {
        if let Ok(live) = Arc::try_unwrap(place.live) {
            live.close().await;
        }
    }
    Ok(known)
}
