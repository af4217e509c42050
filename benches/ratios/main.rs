//! Measures the relay against what the machine can do, in one run, and prints one table.
//!
//! `cargo bench --bench ratios -- [--quick | --full] [--sessions N] [--only secrets]`. How to read the
//! table: `docs/performance.md`. It fails only if it cannot measure.

mod carrier;
mod child;
mod count;
mod fill;
mod load;
mod machine;
mod needed;
mod opening;
mod planning;
mod pools;
mod report;
mod scale;
mod secrets;
mod webhooks;
mod world;

use std::{io::Write as _, path::Path, process::ExitCode, time::Duration};

use entremise::domain::policy::Rules;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

use self::{
    child::Server,
    fill::Pattern,
    load::Target,
    machine::Meter,
    opening::Worlds,
    report::{Report, step},
    webhooks::Bench,
    world::{Engine, POOL, World},
};

/// Whatever keeps us from measuring.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Open sessions of the full database.
    sessions: u32,
    connections: usize,
    window: Duration,
    rounds: usize,
    starts: usize,
    /// Texts that are timed one by one.
    texts: u32,
    /// Texts that go through to the carrier at full speed.
    through: u32,
    /// Requests that are made beforehand for one row.
    shots: u32,
    /// Whether markets are planned for at full size.
    markets: bool,
    /// Whether it is compared what times tell.
    secrets: bool,
    /// Whether nothing else is measured.
    only_secrets: bool,
}

impl Scale {
    const QUICK: Self = Self {
        sessions: 20_000,
        connections: 16,
        window: Duration::from_millis(800),
        rounds: 3,
        starts: 3,
        texts: 100,
        through: 1_000,
        shots: 60_000,
        markets: false,
        secrets: false,
        only_secrets: false,
    };
    const FULL: Self = Self {
        sessions: 1_000_000,
        connections: 64,
        window: Duration::from_secs(4),
        rounds: 5,
        starts: 5,
        texts: 1_000,
        through: 5_000,
        shots: 400_000,
        markets: true,
        secrets: true,
        only_secrets: false,
    };

    fn read(arguments: &[String]) -> Result<Self> {
        let mut scale = Self::QUICK;
        let mut sessions = None;
        let mut only = false;
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                // Cargo's own word for what it runs.
                "--quick" | "--bench" => {}
                "--full" => scale = Self::FULL,
                "--sessions" => sessions = Some(rest.next().ok_or("how many sessions?")?.parse()?),
                "--only" if rest.next().is_some_and(|what| what == "secrets") => only = true,
                other => {
                    let known = "[--quick | --full] [--sessions N] [--only secrets]";
                    return Err(format!("{other} is not known; there are {known}").into());
                }
            }
        }
        if let Some(sessions) = sessions {
            if !(1..=1_500_000).contains(&sessions) {
                return Err("--sessions must be between 1 and 1500000".into());
            }
            scale.sessions = sessions;
        }
        scale.secrets |= only;
        scale.only_secrets = only;
        Ok(scale)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "ratios: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match words.as_slice() {
            ["serve-bare"] => child::serve_bare().await,
            ["serve-app", url, key, carrier] => child::serve_app(url, key, carrier).await,
            _ => measure(Scale::read(arguments)?).await,
        }
    })
}

/// Where PostgreSQL is, if it is to be measured.
#[expect(clippy::disallowed_methods, reason = "the benchmark's own switch, as the tests' is")]
fn postgres() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok()
}

async fn connect(url: &str) -> Result<PgConnection> {
    Ok(url.parse::<PgConnectOptions>()?.connect().await?)
}

/// The server process of a database, whose children do its work; it must be on this machine.
async fn postmaster(engine: &Engine) -> Result<Option<Meter>> {
    let Engine::Postgres(url) = engine else { return Ok(None) };
    let mut conn = connect(url).await?;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut conn).await?;
    Ok(machine::parent(u32::try_from(pid)?).map(Meter::Family))
}

async fn measure(scale: Scale) -> Result<()> {
    let mut report = Report::default();
    let folder = tempfile::tempdir()?;
    let syncs = machine::syncs_per_second(folder.path())?;
    report.fact(machine::processors());
    report.fact(format!("{syncs:.0} appended and synced blocks of 4 KiB a second"));
    let Scale { sessions, connections, rounds, window, .. } = scale;
    report.fact(format!(
        "{sessions} open sessions in the full database, {connections} connections, {rounds} \
         rounds of {window:?}"
    ));
    let server = Server::start(&["serve-bare"])?;
    let meters = vec![Meter::Process(server.pid())];
    let bare = Target { address: server.address, meters };
    on_engine(&Engine::Sqlite, folder.path(), scale, &bare, &mut report).await?;
    match postgres() {
        Some(url) => {
            let mut conn = connect(&url).await?;
            for setting in ["server_version", "fsync", "synchronous_commit", "shared_buffers"] {
                let sql = sqlx::AssertSqlSafe(format!("SHOW {setting}"));
                let value: String = sqlx::query_scalar(sql).fetch_one(&mut conn).await?;
                report.fact(format!("PostgreSQL {setting}: {value}"));
            }
            drop(conn);
            let engine = Engine::Postgres(url);
            on_engine(&engine, folder.path(), scale, &bare, &mut report).await?;
        }
        None => report.fact("PostgreSQL left out: TEST_POSTGRES_URL is not set".to_owned()),
    }
    if !scale.only_secrets {
        planning::run(scale, &mut report).await?;
    }
    let syncs = machine::syncs_per_second(folder.path())?;
    report.fact(format!("{syncs:.0} appended and synced blocks a second at the end"));
    server.stop().await;
    report.print()
}

async fn on_engine(
    engine: &Engine,
    folder: &Path,
    scale: Scale,
    bare: &Target,
    report: &mut Report,
) -> Result<()> {
    if scale.secrets {
        secrets::run(engine, folder, report).await?;
    }
    if scale.only_secrets {
        return Ok(());
    }
    step(&format!("{}: filling", engine.name()));
    let mut made = Vec::new();
    for name in ["empty", "full", "raw"] {
        let rules = Rules::new("Benchmark".to_owned());
        made.push(World::make(engine, folder, name, POOL, rules).await?);
    }
    let done = match made.as_slice() {
        [empty, full, raw] => rows(engine, [empty, full, raw], scale, bare, report).await,
        _ => Ok(()),
    };
    // Whatever happened: a server keeps what is not dropped.
    for world in made {
        world.drop(engine).await?;
    }
    done?;
    needed::run(engine, folder, report).await?;
    pools::run(engine, folder, report).await
}

async fn rows(
    engine: &Engine,
    [empty, full, raw]: [&World; 3],
    scale: Scale,
    bare: &Target,
    report: &mut Report,
) -> Result<()> {
    let pattern = Pattern::read(full).await?;
    let raw_pattern = Pattern::read(raw).await?;
    fill::fill(full, &pattern, scale.sessions).await?;
    let worlds = Worlds { engine, empty, full, raw, raw_pattern: &raw_pattern };
    scale::disk(&worlds, scale, report).await?;
    scale::run(&worlds, scale, report).await?;
    let lines = opening::run(&worlds, scale, report).await?;
    let bench =
        Bench { engine, world: full, raw_pattern: &raw_pattern, raw, bare, scale, lines: &lines };
    bench.run(report).await
}
