//! Measures how long the console's pages take over a large database, on both engines, and prints a table for each.
//!
//! `cargo bench --bench pages -- [--quick | --full]`; how to read it: `docs/performance.md`. Quick, it fails only if
//! it cannot measure; full, also where a page takes longer than [`GOAL`]. Which pages: `list.rs`.

mod bulk;
#[expect(dead_code, reason = "shared: the other benchmark uses the rest")]
#[path = "../ratios/child.rs"]
mod child;
mod fill;
mod list;
mod pattern;
#[expect(dead_code, reason = "shared: the other benchmark uses the rest")]
#[path = "../ratios/report.rs"]
mod report;
mod visit;
#[expect(dead_code, reason = "shared: the other benchmark uses the rest")]
#[path = "../ratios/world.rs"]
mod world;

use std::{io::Write as _, path::Path, process::ExitCode, time::Duration};

use entremise::domain::policy::Rules;

use self::{
    child::Server,
    fill::Filler,
    list::PAGES,
    pattern::Pattern,
    report::{say, step},
    visit::{Timed, Visitor},
    world::{Engine, World},
};

/// Whatever keeps us from measuring.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// How long 95 of 100 answers may take at most.
const GOAL: Duration = Duration::from_millis(200);
/// How many numbers the world begins with.
const POOL: u32 = 40;

/// How much is in the database, and how often each page is asked for.
#[derive(Debug, Clone, Copy)]
struct Size {
    sessions: i64,
    contacts: i64,
    numbers: i64,
    audited: i64,
    turns: usize,
    /// Whether a page that takes too long is a failure.
    judged: bool,
}

impl Size {
    const QUICK: Self = Self {
        sessions: 1_000,
        contacts: 10_000,
        numbers: 200,
        audited: 2_000,
        turns: 5,
        judged: false,
    };
    const FULL: Self = Self {
        sessions: 100_000,
        contacts: 1_000_000,
        numbers: 10_000,
        audited: 200_000,
        turns: 40,
        judged: true,
    };

    fn read(arguments: &[&str]) -> Result<Self> {
        let mut size = Self::QUICK;
        for argument in arguments {
            match *argument {
                // Cargo's own word for what it runs.
                "--quick" | "--bench" => {}
                "--full" => size = Self::FULL,
                other => {
                    return Err(
                        format!("{other} is not known; there are [--quick | --full]").into()
                    );
                }
            }
        }
        Ok(size)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "pages: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<bool> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if let ["serve-app", url, key, carrier] = words.as_slice() {
            child::serve_app(url, key, carrier).await?;
            return Ok(true);
        }
        let size = Size::read(&words)?;
        let folder = tempfile::tempdir()?;
        let mut fast = on_engine(&Engine::Sqlite, folder.path(), size).await?;
        match postgres() {
            Some(url) => fast &= on_engine(&Engine::Postgres(url), folder.path(), size).await?,
            None => step("PostgreSQL is left out: TEST_POSTGRES_URL is not set"),
        }
        Ok(fast || !size.judged)
    })
}

/// Where PostgreSQL is, if it is to be measured.
#[expect(clippy::disallowed_methods, reason = "the benchmark's own switch, as the tests' is")]
fn postgres() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok()
}

async fn on_engine(engine: &Engine, folder: &Path, size: Size) -> Result<bool> {
    let rules = Rules { keep_texts: true, ..Rules::new("Benchmark".to_owned()) };
    let world = World::make(engine, folder, "pages", POOL, rules).await?;
    let measured = measure(engine, &world, size).await;
    // Whatever happened: a server keeps what is not dropped.
    world.drop(engine).await?;
    let pages = measured?;
    print(engine, size, &pages)
}

async fn measure(engine: &Engine, world: &World, size: Size) -> Result<Vec<Timed>> {
    let Size { sessions, contacts, .. } = size;
    step(&format!("{}: {sessions} sessions, {contacts} calls and texts", engine.name()));
    let live = world.open().await?;
    let pattern = Pattern::play(world, &live).await?;
    live.close().await;
    Filler::new(world, &pattern, size).await?.fill().await?;
    let live = world.open().await?;
    let visitor = Visitor::enter(world, &live, &pattern).await;
    live.close().await;
    let visitor = visitor?;
    // The carrier is nobody: nothing is sent.
    let server = Server::start(&["serve-app", &world.url, &world.key, "127.0.0.1:1"])?;
    step(&format!("{}: the pages", engine.name()));
    let mut pages = Vec::new();
    for address in PAGES.iter().flat_map(|(_, addresses)| *addresses) {
        pages.push(visitor.time(server.address, address, size.turns).await?);
    }
    server.stop().await;
    Ok(pages)
}

/// Prints a table; whether every page is fast enough.
fn print(engine: &Engine, size: Size, pages: &[Timed]) -> Result<bool> {
    let Size { sessions, contacts, turns, .. } = size;
    say(&format!(
        "\n{}: {sessions} sessions, {contacts} calls and texts; {turns} requests for each page, milliseconds\n",
        engine.name()
    ))?;
    say("| page | first | p50 | p95 | kB | under 200 |")?;
    say("| --- | ---: | ---: | ---: | ---: | --- |")?;
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
    for one in pages {
        let Timed { address, first, p50, p95, bytes } = one;
        let (first, met) = (ms(*first), if *p95 <= GOAL { "yes" } else { "no" });
        say(&format!(
            "| {address} | {first} | {} | {} | {} | {met} |",
            ms(*p50),
            ms(*p95),
            bytes / 1000
        ))?;
    }
    Ok(pages.iter().all(|one| one.p95 <= GOAL))
}
