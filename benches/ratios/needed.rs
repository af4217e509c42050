//! How many numbers a market needs: exactly as many as one person holds at once, and one fewer is
//! too few.

use std::{collections::HashMap, path::Path, time::Duration};

use entremise::{
    clock::Clock,
    domain::{policy::Rules, session::ClosedReason},
    ids::SessionId,
    relay,
};

use crate::{
    Result,
    report::{Goal, Report, Row},
    world::{Engine, World, chance},
};

/// How many people of each side there are. Few, so that they hold many.
const SIDE: u32 = 12;
/// How long a number rests after a session.
const QUARANTINE_MS: i64 = 3 * 86_400_000;

/// What happens in a market, one after the other.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Time goes by.
    Wait(i64),
    /// These two meet. No two meet twice, so that nobody gets the same number back.
    Open(u32, u32),
    /// The session that was opened as the so-manieth is closed.
    Close(usize),
}

/// A market by chance, in which each seller meets each buyer once.
fn trace() -> Vec<Act> {
    let mut pairs: Vec<(u32, u32)> =
        (0..SIDE).flat_map(|a| (0..SIDE).map(move |b| (a, SIDE + b))).collect();
    let (mut acts, mut open, mut opened) = (Vec::new(), Vec::new(), 0);
    while !pairs.is_empty() {
        acts.push(Act::Wait(i64::from(chance(8 * 3_600_000))));
        if open.is_empty() || chance(100) < 55 {
            let place = chance(u32::try_from(pairs.len()).unwrap_or(1));
            let (seller, buyer) = pairs.swap_remove(usize::try_from(place).unwrap_or(0));
            acts.push(Act::Open(seller, buyer));
            open.push(opened);
            opened += 1;
        } else {
            let place = chance(u32::try_from(open.len()).unwrap_or(1));
            acts.push(Act::Close(open.swap_remove(usize::try_from(place).unwrap_or(0))));
        }
    }
    acts
}

/// The most that one person holds at once, in open sessions and in quarantine.
fn most_held(trace: &[Act]) -> u32 {
    let (mut now, mut most) = (0, 0);
    let mut sessions: Vec<(u32, u32)> = Vec::new();
    // For each person: until when each of their numbers is held.
    let mut held: HashMap<u32, HashMap<usize, i64>> = HashMap::new();
    for act in trace {
        match *act {
            Act::Wait(ms) => now += ms,
            Act::Open(seller, buyer) => {
                for person in [seller, buyer] {
                    let own = held.entry(person).or_default();
                    own.retain(|_, until| *until > now);
                    own.insert(sessions.len(), i64::MAX);
                    most = most.max(own.len());
                }
                sessions.push((seller, buyer));
            }
            Act::Close(session) => {
                let (seller, buyer) = sessions[session];
                for person in [seller, buyer] {
                    if let Some(until) = held.entry(person).or_default().get_mut(&session) {
                        *until = now + QUARANTINE_MS;
                    }
                }
            }
        }
    }
    u32::try_from(most).unwrap_or(u32::MAX)
}

/// Plays the trace on a pool; how many openings were refused for want of a number, stopping at the
/// first.
async fn play(engine: &Engine, folder: &Path, name: &str, pool: u32, trace: &[Act]) -> Result<u32> {
    let rules = Rules {
        quarantine: Duration::from_millis(u64::try_from(QUARANTINE_MS)?),
        default_ttl: Duration::ZERO,
        ..Rules::new("Trace".to_owned())
    };
    let world = World::make(engine, folder, name, pool, rules).await?;
    let clock = Clock::shifted();
    let live = world.open_at(&clock).await?;
    let (mut sessions, mut refused): (Vec<SessionId>, u32) = (Vec::new(), 0);
    for act in trace {
        match *act {
            Act::Wait(ms) => clock.advance(ms),
            Act::Open(seller, buyer) => {
                let new = world.session(seller, buyer)?;
                match live.session(&world.account, new).await {
                    Ok(view) => sessions.push(view.session.id),
                    Err(relay::Error::PoolExhausted(_)) => {
                        refused += 1;
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Act::Close(session) => {
                let (account, id) = (world.account.clone(), sessions[session].clone());
                let closing = live.relay.db().write(move |tx| {
                    let (account, id) = (account.clone(), id.clone());
                    Box::pin(async move {
                        let reason = ClosedReason::Api;
                        relay::close(tx, &account, &id, reason, None).await.map(drop)
                    })
                });
                closing.await?;
            }
        }
    }
    live.close().await;
    world.drop(engine).await?;
    Ok(refused)
}

/// The row.
pub(crate) async fn run(engine: &Engine, folder: &Path, report: &mut Report) -> Result<()> {
    let trace = trace();
    let bound = most_held(&trace);
    let enough = play(engine, folder, "enough", bound, &trace).await?;
    let short = play(engine, folder, "short", bound - 1, &trace).await?;
    // Needed is what suffices while one fewer does not.
    let judged = if enough == 0 && short > 0 { 1.0 } else { 0.0 };
    let word = |refused| if refused == 0 { "no refusal" } else { "a refusal" };
    report.add(Row {
        name: format!("numbers needed ÷ most held by one person, {}", engine.name()),
        figure: format!("{} with {bound}, {} with {}", word(enough), word(short), bound - 1),
        reference: format!("Δ = {bound}, {} sessions", SIDE * SIDE),
        ratio: if judged > 0.0 { "1.00".to_owned() } else { "not 1".to_owned() },
        judged,
        goal: Goal::AtLeast(1.0),
        goal_text: "1.00 exactly".to_owned(),
    });
    Ok(())
}
