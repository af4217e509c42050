//! What can be told from how long an answer takes: refusals by their cause (I5), keys by how much of
//! them is right (I23).

use std::{path::Path, time::Instant};

use entremise::{
    carrier::{Inbound, event::InboundCall},
    clock::Clock,
    domain::{
        phone::{Caller, ProxyNumber},
        policy::Rules,
        session::ClosedReason,
    },
    ids::SessionId,
    relay::{self, Relay, Scope},
};

use crate::{
    Result,
    report::{Goal, Report, Row, float, median, step},
    world::{CARRIER, Engine, Live, World, chance, person},
};

/// Calls of each cause.
const CALLS: usize = 2_000;
/// Keys that are checked.
const KEYS: usize = 100_000;
/// Cliff's delta below which a difference is called negligible (Romano et al. 2006). It is an effect's
/// size: of so many samples a p value only says that there are many, and calls a microsecond certain.
const NEGLIGIBLE: f64 = 0.147;
/// dudect's bound (Reparaz et al. 2017): beyond it there is a difference.
const T_MAX: f64 = 4.5;

/// The rows.
pub(crate) async fn run(engine: &Engine, folder: &Path, report: &mut Report) -> Result<()> {
    step(&format!("{}: what times tell", engine.name()));
    let rules = Rules::new("Secrets".to_owned());
    // One number: everybody dials the same.
    let world = World::make(engine, folder, "secrets", 1, rules).await?;
    let clock = Clock::shifted();
    let live = world.open_at(&clock).await?;
    let mut done = causes(engine, &world, &live, &clock, report).await;
    if done.is_ok() {
        done = keys(engine, &world, &live, report).await;
    }
    live.close().await;
    world.drop(engine).await?;
    done
}

/// Why somebody is in no session, and who it is.
const CAUSES: [(&str, u32); 4] = [("unknown", 8), ("closed", 0), ("expired", 2), ("blocked", 4)];

async fn causes(
    engine: &Engine,
    world: &World,
    live: &Live,
    clock: &Clock,
    report: &mut Report,
) -> Result<()> {
    let account = &world.account;
    let closed = live.session(account, world.session(0, 1)?).await?.session.id;
    let short = Some(std::time::Duration::from_mins(1));
    let expiring = relay::OpenSession { ttl: short, ..world.session(2, 3)? };
    live.session(account, expiring).await?;
    let blocked = live.session(account, world.session(4, 5)?).await?;
    let by = blocked.participants.get(1).ok_or("nobody to block")?.id.clone();
    let blocked = blocked.session.id;
    change(live, world, closed, None).await?;
    change(live, world, blocked, Some(by)).await?;
    clock.advance(61_000);
    let mut raw = world.raw().await?;
    let number = ProxyNumber::parse(&raw.text("SELECT number FROM numbers").await?)?;
    raw.close().await?;
    let mut took: [Vec<f64>; CAUSES.len()] = Default::default();
    let mut count = 0_u32;
    // By chance: whatever drifts, or follows a rhythm, befalls all alike.
    while took.iter().any(|took| took.len() < CALLS) {
        let place = usize::try_from(chance(4))?;
        let (cause, caller) = CAUSES[place];
        count += 1;
        let event = Inbound::Call(InboundCall {
            attestation: entremise::domain::assurance::Attestation::None,
            id: format!("{cause}-{count}"),
            from: Caller::Number(person(caller)?),
            to: number.clone(),
        });
        let begun = Instant::now();
        live.relay.handle(CARRIER, &event).await?;
        let micros = begun.elapsed().as_secs_f64() * 1e6;
        // The first ones warm up.
        if count > 100 && took[place].len() < CALLS {
            took[place].push(micros);
        }
    }
    let [unknown, others @ ..] = took;
    let reference = median(unknown.clone());
    for ((cause, _), other) in CAUSES.iter().skip(1).zip(others) {
        let (own, delta) = (median(other.clone()), cliff(&other, &unknown));
        let ratio = own / reference;
        let n = other.len();
        report.add(Row {
            name: format!("call refused, {cause} against unknown, {}", engine.name()),
            figure: format!("p50 {own:.0} µs of {n}, Cliff's δ {delta:+.3}"),
            reference: format!("p50 {reference:.0} µs"),
            ratio: format!("{ratio:.3} ×"),
            // Both must hold: each as a part of what it may be.
            judged: ((ratio - 1.0).abs() / 0.2).max(delta.abs() / NEGLIGIBLE),
            goal: Goal::AtMost(1.0),
            goal_text: format!("1 ± 0.2, |δ| < {NEGLIGIBLE}"),
        });
    }
    Ok(())
}

/// Closes a session, or blocks in it whoever is not `by`.
async fn change(
    live: &Live,
    world: &World,
    id: SessionId,
    by: Option<entremise::ids::ParticipantId>,
) -> Result<()> {
    let account = world.account.clone();
    let done = live.relay.db().write(move |tx| {
        let (account, id, by) = (account.clone(), id.clone(), by.clone());
        Box::pin(async move {
            match by {
                Some(by) => relay::set_block(tx, &account, &id, &by, true).await.map(drop),
                None => relay::close(tx, &account, &id, ClosedReason::Api, None).await.map(drop),
            }
        })
    });
    Ok(done.await?)
}

/// How much more often one of `left` is larger than one of `right` than smaller: Mann and Whitney's U
/// as Cliff's delta, from -1 to 1; 0 where neither is.
fn cliff(left: &[f64], right: &[f64]) -> f64 {
    let mut right = right.to_vec();
    right.sort_by(f64::total_cmp);
    let sum: f64 = left
        .iter()
        .map(|one| {
            let below = right.partition_point(|other| other < one);
            let above = right.len() - right.partition_point(|other| other <= one);
            count(below) - count(above)
        })
        .sum();
    sum / (count(left.len()) * count(right.len())).max(1.0)
}

fn count(number: usize) -> f64 {
    float(u64::try_from(number).unwrap_or(u64::MAX))
}

/// The same key with another character at `place`, and the sum that fits.
fn altered(key: &str, place: usize) -> String {
    let mut head = key.get(..key.len() - 8).unwrap_or_default().to_owned();
    let other = if head.get(place..=place) == Some("a") { "b" } else { "a" };
    head.replace_range(place..=place, other);
    format!("{head}{:08x}", crc32fast::hash(head.as_bytes()))
}

async fn keys(engine: &Engine, world: &World, live: &Live, report: &mut Report) -> Result<()> {
    let account = world.account.clone();
    let made = live.relay.db().write(move |tx| {
        let account = account.clone();
        Box::pin(
            async move { relay::create_key(tx, &account, "secrets", &Scope::all(), None).await },
        )
    });
    let key = made.await?.token;
    // After `emk_` and the account the secret begins; before the sum it ends.
    let classes = [altered(&key, 36), altered(&key, key.len() - 9)];
    let mut took: [Vec<f64>; 2] = Default::default();
    for _ in 0..KEYS / 100 {
        check(&live.relay, &classes[0]).await?;
    }
    for _ in 0..KEYS {
        let class = usize::try_from(chance(2))?;
        took[class].push(check(&live.relay, &classes[class]).await?);
    }
    let [first, last] = &took;
    let mut all = [first.clone(), last.clone()].concat();
    all.sort_by(f64::total_cmp);
    // As dudect does: what the machine interrupted says nothing, and a mean hears nothing else.
    let most = all.get(all.len() * 95 / 100).copied().unwrap_or(f64::MAX);
    let cropped = |all: &[f64]| all.iter().copied().filter(|one| *one <= most).collect::<Vec<_>>();
    let (t, whole) = (welch(&cropped(first), &cropped(last)), welch(first, last));
    report.add(Row {
        name: format!("wrong key, first character against last, {}", engine.name()),
        figure: format!("|t| {:.2} ({:.2} uncropped) of {KEYS}", t.abs(), whole.abs()),
        reference: format!("p50 {:.1} µs", median(last.clone())),
        ratio: format!("{:.4} ×", median(first.clone()) / median(last.clone())),
        judged: t.abs(),
        goal: Goal::AtMost(T_MAX),
        goal_text: format!("|t| < {T_MAX}"),
    });
    Ok(())
}

/// Microseconds of one check.
async fn check(relay: &Relay, token: &str) -> Result<f64> {
    let begun = Instant::now();
    let known = relay.authenticate(token).await?;
    let took = begun.elapsed().as_secs_f64() * 1e6;
    if known.is_ok() { Err("a wrong key was taken".into()) } else { Ok(took) }
}

/// Welch's t of two samples.
fn welch(left: &[f64], right: &[f64]) -> f64 {
    let of = |all: &[f64]| {
        let n = count(all.len()).max(2.0);
        let mean = all.iter().sum::<f64>() / n;
        let variance = all.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance / n)
    };
    let ((left, own), (right, other)) = (of(left), of(right));
    (left - right) / (own + other).sqrt()
}
