//! `entremise check`: everything that is wrong, at once, each with its fix.

mod address;
mod carriers;
mod database;
mod numbers;
mod provider;
mod reach;
mod report;
mod services;
mod settings;

use clap::Args;

use self::report::Report;
use super::{ConfigFile, Failed};
use crate::{
    app,
    config::{self, Config},
    relay::{Carriers, Client},
};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Also ask the carriers, and send a signed webhook through the public address. The server
    /// must be running.
    #[arg(long)]
    live: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let path = options.file.config.as_deref();
    let (config, faults) = Config::examine(path, config::environment());
    let mut report = Report::default();
    let wrong = settings::check(&mut report, &config, path, faults);
    let found = database::check(&mut report, &config, &wrong).await;
    if options.live {
        let origin = config.origin(config.listen);
        let local = format!("http://{}", config.listen);
        match app::carriers(&config, &origin, &local) {
            Ok(carriers) if wrong.is_empty() => {
                live(&mut report, &carriers, &found).await;
                provider::check(&mut report, &config, &origin).await;
            }
            _ => report.warn(
                "live",
                "carriers and the public address were not asked: the settings are wrong",
                "mend the settings first",
            ),
        }
    }
    report.print(options.json);
    report.verdict()
}

async fn live(report: &mut Report, carriers: &Carriers, found: &database::Found) {
    let client = Client::new();
    for (place, carrier) in carriers.iter().enumerate() {
        if carriers::credentials(report, &client, place, carrier).await {
            carriers::account(report, &client, place, carrier).await;
            carriers::numbers(report, &client, carrier, found.numbers_of(&carrier.id)).await;
        }
        address::check(report, &client, carrier).await;
    }
}
