//! One file per subcommand.

mod account;
mod audit;
mod backup;
mod check;
mod core_dumps;
mod demo;
mod disclosure;
mod fallback;
mod healthcheck;
mod import;
mod keys;
mod migrate_database;
mod numbers;
mod output;
mod pauses;
mod persons;
mod plan;
mod restore;
mod retention;
mod serve;
mod staff;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config};

/// Two people who met on a marketplace call and text each other, and neither learns the other's
/// number.
#[derive(Debug, Parser)]
#[command(name = "entremise", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay until SIGTERM or Ctrl-C.
    Serve(ConfigFile),
    /// Play a conversation on simulated phones, then stay up to try it by hand.
    Demo(demo::Options),
    /// Check the settings; with --live also carriers, numbers and the public address.
    Check(check::Options),
    /// Make and list accounts.
    #[command(subcommand)]
    Account(account::Account),
    /// Bring proxy numbers into an account's pool.
    #[command(subcommand)]
    Numbers(numbers::Numbers),
    /// Take over what an account has elsewhere.
    #[command(subcommand)]
    Import(import::Import),
    /// Show and end what is held back since there was too much of it.
    #[command(subcommand)]
    Pauses(pauses::Pauses),
    /// Let support staff into the console.
    #[command(subcommand)]
    Staff(staff::Staff),
    /// Show master keys and rotate to the current one.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Read and verify the log of who changed what.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Erase people, export what is known of them, verify receipts.
    #[command(subcommand)]
    Persons(persons::Persons),
    /// Tell who had a proxy number at an instant, once two people agreed.
    #[command(subcommand)]
    Disclosure(disclosure::Disclosure),
    /// Print how long what is kept, and what the nightly job would delete now; one JSON object a line.
    Retention(retention::Options),
    /// Keep what would be deleted, for a case.
    #[command(subcommand)]
    LegalHold(retention::Hold),
    /// Copy the database while it is used, and read the copy back; prints one JSON object.
    Backup(backup::Options),
    /// After a restore: put every open session on hold, and begin quarantines again.
    RestoreFence(restore::Fence),
    /// Say that sessions that a restore put on hold were still open.
    RestoreConfirm(restore::ConfirmOptions),
    /// Move everything to another database, SQLite to PostgreSQL or back, and compare.
    MigrateDatabase(migrate_database::Options),
    /// Print what a carrier gets from static storage while every node is down.
    Fallback(fallback::Options),
    /// Say how many proxy numbers a market needs, and what becomes of fewer.
    Plan(Box<plan::Options>),
    /// Exit with 0 if a running relay answers: for containers.
    Healthcheck(healthcheck::Options),
}

/// Where the settings are.
#[derive(Debug, Clone, Args)]
struct ConfigFile {
    /// The settings file; ENTREMISE_… variables win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, Failed> {
        Config::load(self.config.as_deref(), config::environment())
            .map_err(|f| Failed(f.to_string()))
    }
}

/// Why a command ended without doing its work: what was wrong and what to do.
#[derive(Debug)]
struct Failed(String);

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Reads the arguments and runs a command. 0 if it did its work, 1 if not, 2 for wrong arguments.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for, not faults.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if let Err(error) = core_dumps::off() {
        output::error(&format!("core dumps cannot be switched off: {error}"));
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("the runtime does not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(config) => serve::run(&config).await,
            Command::Demo(options) => demo::run(options).await,
            Command::Check(options) => check::run(options).await,
            Command::Account(command) => account::run(command).await,
            Command::Numbers(command) => numbers::run(command).await,
            Command::Import(command) => import::run(command).await,
            Command::Pauses(command) => pauses::run(command).await,
            Command::Staff(command) => staff::run(command).await,
            Command::Keys(command) => keys::run(command).await,
            Command::Audit(command) => audit::run(command).await,
            Command::Persons(command) => persons::run(command).await,
            Command::Disclosure(command) => disclosure::run(command).await,
            Command::Retention(options) => retention::run(options).await,
            Command::LegalHold(command) => retention::hold(command).await,
            Command::Backup(options) => backup::run(options).await,
            Command::RestoreFence(options) => restore::fence(options).await,
            Command::RestoreConfirm(options) => restore::confirm(options).await,
            Command::MigrateDatabase(options) => migrate_database::run(options).await,
            Command::Fallback(options) => fallback::run(options).await,
            Command::Plan(options) => plan::run(*options).await,
            Command::Healthcheck(options) => healthcheck::run(&options).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(message)) => {
            output::error(&message);
            ExitCode::FAILURE
        }
    }
}
