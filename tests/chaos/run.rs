//! One run per engine: prepare, load, break, heal, judge, print.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    carrier::Carrier,
    cluster::Cluster,
    database::{Database, Disk, Server},
    faults::{Breaker, Survived},
    gate::Gate,
    judge::{self, Verdict},
    load::Load,
    options::{self, Engine, Options},
    rng,
    truth::Truth,
};

/// How long everything may take to settle once nothing is broken (I9).
const SETTLE_MAX: Duration = Duration::from_mins(2);

pub(crate) fn main() -> ExitCode {
    let Some(options) = options::read(std::env::args().skip(1), rng::any()) else {
        return ExitCode::SUCCESS;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut good = true;
    for engine in &options.engines {
        good &= runtime.block_on(play(*engine, &options));
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where PostgreSQL's programs are, as `scripts/with-postgres` tells.
#[expect(clippy::disallowed_methods, reason = "the tests' own switch")]
fn postgres() -> Option<PathBuf> {
    let bin = std::env::var("TEST_POSTGRES_BIN").ok();
    let required = std::env::var("REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    assert!(bin.is_some() || !required, "REQUIRE_POSTGRES is set and TEST_POSTGRES_BIN is not");
    bin.map(PathBuf::from)
}

/// A fresh database, what stands before it, its address, and how many nodes share it.
async fn fresh(
    engine: Engine,
    options: &Options,
) -> Option<(Database, Option<Gate>, String, usize)> {
    Some(match engine {
        Engine::Sqlite => {
            // Some ten kilobytes for each text.
            let size = 128 + options.length.as_secs() * u64::from(options.rate) / 50;
            let disk = Disk::new(size);
            let url = format!("sqlite:{}", disk.file().display());
            (Database::Sqlite(disk), None, url, 1)
        }
        Engine::Postgres => {
            let Some(bin) = postgres() else {
                println!("left out PostgreSQL: run this under scripts/with-postgres");
                return None;
            };
            let server = Server::start(&bin);
            let gate = Gate::before(server.port).await;
            let url = Server::url(gate.address.port());
            (Database::Postgres(server), Some(gate), url, 2)
        }
    })
}

/// Whether everything held.
async fn play(engine: Engine, options: &Options) -> bool {
    let Some((database, gate, url, nodes)) = fresh(engine, options).await else { return true };
    println!("\n== chaos on {}, {nodes} node(s), --seed {}", database.name(), options.seed);
    let carrier = Carrier::start(Arc::new(Truth::default()), options.seed).await;
    let cluster = Arc::new(Cluster::new(nodes, &url, &carrier.base, options));
    carrier.serves(Arc::clone(&cluster));
    for node in &cluster.nodes {
        node.start(&cluster.client).await;
        if options.keep_logs {
            println!("its log: {}", node.log.display());
        }
    }
    let load = Load::prepare(Arc::clone(&cluster), Arc::clone(&carrier)).await;
    let stop = CancellationToken::new();
    let generator = TaskTracker::new();
    generator.spawn(Arc::clone(&load).run(options.rate, stop.clone()));
    let database = Arc::new(Mutex::new(database));
    let mut breaker = Breaker {
        cluster: Arc::clone(&cluster),
        carrier: Arc::clone(&carrier),
        database: Arc::clone(&database),
        gate,
        survived: Survived::default(),
    };
    let started = Instant::now();
    if options.calm {
        tokio::time::sleep(options.length).await;
    } else {
        breaker.run(options.length, options.pause).await;
    }
    stop.cancel();
    generator.close();
    generator.wait().await;
    let loaded = started.elapsed();
    carrier.tasks.close();
    carrier.tasks.wait().await;
    let database = database.lock().await;
    let healed = Instant::now();
    let mut pending = database.pending().await;
    while pending > 0 && healed.elapsed() < SETTLE_MAX {
        tokio::time::sleep(Duration::from_millis(250)).await;
        pending = database.pending().await;
    }
    let settled = healed.elapsed();
    let log = database.log().await;
    let mut verdict = judge::judge(&carrier.truth.lock(), &log);
    if pending > 0 {
        let left = format!("{pending} after {} s", settled.as_secs());
        verdict.faults.entry("I9: still pending").or_default().push(left);
    }
    let doubled = database.doubled_holds().await;
    if doubled > 0 {
        let pairs = format!("{doubled} pairs");
        verdict.faults.entry("I1: one person twice on a number").or_default().push(pairs);
    }
    for node in &cluster.nodes {
        if !node.stop() {
            let which = node.address.to_string();
            verdict.faults.entry("a node did not drain").or_default().push(which);
        }
    }
    for (path, log) in cluster.logs() {
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            verdict.faults.entry("a node panicked").or_default().push(line.to_owned());
        }
        assert!(!log.is_empty(), "{} is empty", path.display());
    }
    print(&verdict, &breaker.survived, &carrier, &load, loaded, settled);
    verdict.faults.is_empty() && breaker.survived.not_recovered.is_empty()
}

fn print(
    verdict: &Verdict,
    survived: &Survived,
    carrier: &Carrier,
    load: &Load,
    loaded: Duration,
    settled: Duration,
) {
    let facts = carrier.truth.lock();
    let said = verdict.texts + verdict.calls;
    let injected: u32 = survived.counts.values().sum();
    let row = |what: &str, figure: String| println!("{what:<44}{figure:>12}");
    println!();
    row("texts acknowledged", verdict.texts.to_string());
    row("calls acknowledged", verdict.calls.to_string());
    let per_second = said * 1000 / u64::try_from(loaded.as_millis()).unwrap().max(1);
    row("a second, all in all", per_second.to_string());
    row("sessions opened", facts.sessions.len().to_string());
    let closed = facts.sessions.iter().filter(|one| one.close_acked.is_some()).count();
    row("sessions closed", closed.to_string());
    row("webhooks repeated after their answer", facts.duplicates.to_string());
    let retried = facts.said.values().filter(|said| said.posts > 1).count();
    row("webhooks that had to be posted again", retried.to_string());
    row("webhooks that nobody took in 120 s", verdict.never_taken.to_string());
    row("held back: too much under way", load.held_back.load(Ordering::Relaxed).to_string());
    for ((kind, outcome, reason), count) in &verdict.ends {
        row(&format!("  {kind}s: {outcome} {reason}"), count.to_string());
    }
    row("received twice, excused by a lost answer", verdict.excused.to_string());
    row("faults injected", injected.to_string());
    for (fault, count) in &survived.counts {
        row(&format!("  {}", fault.name()), count.to_string());
    }
    if let Some((worst, fault)) = survived.worst {
        row("worst recovery", format!("{} ms", worst.as_millis()));
        println!("  after: {}", fault.name());
    }
    row("slowest start after a kill", format!("{} ms", survived.slowest_start.as_millis()));
    row("all settled after the last fault", format!("{} ms", settled.as_millis()));
    for fault in &survived.not_recovered {
        println!("NOT RECOVERED in 60 s: {}", fault.name());
    }
    for what in [
        "I9: acknowledged and lost",
        "I2: to the wrong person, or from a wrong number",
        "I3: after the close",
        "I4: early reuse",
        "I11: sent twice",
    ] {
        let count = verdict.faults.get(what).map_or(0, Vec::len);
        row(what, format!("{count} of {said}"));
    }
    for (what, examples) in &verdict.faults {
        println!("FAULT {what}: {} times, such as {}", examples.len(), examples[0]);
    }
}
