//! `entremise demo`: a conversation on simulated phones, told in plain words.

mod market;
mod play;
mod watch;

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use tokio::net::TcpListener;

use self::market::Market;
use super::{
    Failed,
    output::{self, Paint},
    staff,
};
use crate::{
    app::{App, Environment, Listeners, Running},
    config::{CarrierConfig, Config, Rates, Secret, Sqlite},
    domain::budget::Budget,
    ids::{Entropy as _, SystemEntropy, hex},
    relay::Invite,
    sandbox::Pace,
    telemetry::{
        logs::{self, Format},
        redact::Redactor,
    },
};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// End after the play.
    #[arg(long)]
    once: bool,
    /// Where to listen: a loopback address.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    if !options.listen.ip().is_loopback() {
        return Err(Failed(
            "--listen must be a loopback address: the demo has no real carrier and no secrets to \
             guard it"
                .into(),
        ));
    }
    // What goes wrong is worth a line; the play is told on standard output.
    logs::init("warn", Format::Human, Redactor::new([]))?;
    let folder = Folder::new()?;
    let config = settings(&folder);
    let listeners = Listeners {
        public: bind(options.listen).await?,
        ops: bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))).await?,
    };
    let pace = if options.once { Pace::BRISK } else { Pace::LIFELIKE };
    let environment = Environment { pace, ..Environment::default() };
    let running = App::start(config, listeners, environment).await?;
    let result = perform(&running, options.once).await;
    running.shutdown().await;
    drop(folder);
    result
}

async fn perform(running: &Running, once: bool) -> Result<(), Failed> {
    let market = Market::open(running).await?;
    play::play(running, &market).await?;
    if once {
        return Ok(());
    }
    let session = market.open_session(&running.relay).await?;
    let code = running.relay.create_staff(Invite::admin("Demo")).await?;
    watch::tell(running, &market, &session, &staff::link(&running.origin, &code));
    watch::until_stopped(running, &market).await
}

/// A temporary folder that goes with the demo.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Result<Self, Failed> {
        let path = std::env::temp_dir().join(format!("entremise-demo-{}", random_hex::<8>()));
        std::fs::create_dir(&path)
            .map_err(|error| Failed(format!("{} cannot be made: {error}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn random_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    SystemEntropy.fill(&mut bytes);
    hex(&bytes)
}

fn settings(folder: &Folder) -> Config {
    let mut key = [0; 32];
    SystemEntropy.fill(&mut key);
    let mut values = toml::Table::new();
    values.insert("secret".into(), random_hex::<16>().into());
    let sandbox = CarrierConfig {
        id: market::CARRIER.into(),
        kind: "sandbox".into(),
        api_base: None,
        rates: Rates::default(),
        budget: Budget::default(),
        // The sandbox's numbers cost nothing.
        buying: true,
        fallback_url: None,
        values,
    };
    Config {
        database_url: Secret::new(format!("sqlite:{}/entremise.db", folder.0.display())),
        carriers: vec![sandbox],
        // It is thrown away.
        sqlite: Sqlite { ballast: 0 },
        ..Config::minimal(key)
    }
}

/// The address, or any free port if somebody has it.
async fn bind(address: SocketAddr) -> Result<TcpListener, Failed> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(_) => Ok(TcpListener::bind((address.ip(), 0)).await?),
    }
}

/// One line under a step.
fn detail(paint: Paint, label: &str, text: &str) {
    output::line(&format!("       {} {text}", paint.dim(&format!("{label:<22}"))));
}
