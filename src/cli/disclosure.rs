//! `entremise disclosure`: who had a proxy number at an instant, told once two people agreed.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{ConfigFile, Failed, account, output};
use crate::{
    config::Config,
    domain::{audit::Reason, phone::ProxyNumber, time::Timestamp},
    ids::{AccountId, DisclosureId},
    privacy::audit::{HeadSigner, PublicKey},
    relay::{Approver, DisclosureQuestion},
};

#[derive(Debug, Subcommand)]
pub(super) enum Disclosure {
    /// Make a key of somebody's own: the file that they keep to themselves, and the public key for the settings.
    Key {
        /// The new file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Ask who had a proxy number at an instant. Nothing is told yet.
    Request {
        #[command(flatten)]
        who: Who,
        /// The proxy number, +….
        #[arg(long)]
        number: String,
        /// The instant, such as 2026-11-21T18:00:00Z.
        #[arg(long, value_parser = instant)]
        at: Timestamp,
        /// The case's reference: 1 to 200 characters.
        #[arg(long)]
        case: String,
        /// Why: 1 to 200 characters, nothing that may be a telephone number.
        #[arg(long)]
        reason: String,
    },
    /// Agree to a request of somebody else's; writes the signed answer, numbers in clear.
    Approve {
        #[command(flatten)]
        who: Who,
        /// The request, DI….
        id: DisclosureId,
        /// The new file for the answer, which only you may read.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Who {
    #[command(flatten)]
    file: ConfigFile,
    /// The account, AC….
    #[arg(long)]
    account: AccountId,
    /// Your name in `disclosure_approvers`.
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// The file with your key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>();
    let at = at.map_err(|_| "must be a time such as 2026-11-21T18:00:00Z".to_owned())?;
    Ok(Timestamp::from_millis(at.as_millisecond()))
}

pub(super) async fn run(command: Disclosure) -> Result<(), Failed> {
    match command {
        Disclosure::Key { out } => {
            let (seed, public) = HeadSigner::generate()?;
            write(&out, &seed)?;
            output::line(&public.to_string());
            Ok(())
        }
        Disclosure::Request { who, number, at, case, reason } => {
            let number =
                ProxyNumber::parse(&number).map_err(|error| Failed(format!("--number {error}")))?;
            let reason =
                Reason::parse(&reason).map_err(|allowed| Failed(format!("--reason {allowed}")))?;
            if !(1..=200).contains(&case.trim().chars().count())
                || case.chars().any(char::is_control)
            {
                return Err(Failed("--case must have 1 to 200 characters, none of control".into()));
            }
            let case = case.trim().to_owned();
            let question = DisclosureQuestion { number, at, case, reason };
            let (config, key, approvers) = ready(&who)?;
            let opened = account::opened(&config).await?;
            let relay = account::relay(&opened);
            let asked =
                relay.ask_disclosure(&who.account, &question, (&approvers, &who.name, &key));
            let asked = asked.await;
            opened.close().await;
            output::line(&json!({ "disclosure": asked?, "asked_by": who.name }).to_string());
            Ok(())
        }
        Disclosure::Approve { who, id, out } => {
            let (config, key, approvers) = ready(&who)?;
            // Before it is noted: an answer that can't be written would be told to nobody.
            write(&out, "")?;
            let opened = account::opened(&config).await?;
            let relay = account::relay(&opened);
            let told = relay.approve_disclosure(&who.account, &id, (&approvers, &who.name, &key));
            let told = told.await;
            opened.close().await;
            match told {
                Ok(told) => {
                    let mut file = OpenOptions::new().write(true).open(&out)?;
                    file.write_all(format!("{}\n", told.object()).as_bytes())?;
                    file.sync_all()?;
                    output::line(&format!("disclosure {id} is in {}", out.display()));
                    Ok(())
                }
                Err(error) => {
                    let _ = std::fs::remove_file(&out);
                    Err(error.into())
                }
            }
        }
    }
}

/// Writes a file that nobody else may read, and that was not there.
fn write(path: &Path, text: &str) -> Result<(), Failed> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|error| Failed(format!("{}: {error}", path.display())))?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

fn ready(who: &Who) -> Result<(Config, HeadSigner, Vec<Approver>), Failed> {
    let config = who.file.load()?;
    let seed = std::fs::read_to_string(&who.key)
        .map_err(|error| Failed(format!("{}: {error}", who.key.display())))?;
    let key = HeadSigner::of_seed(&seed)
        .map_err(|_| Failed("--key must be a file that `entremise disclosure key` wrote".into()))?;
    let mut approvers = Vec::new();
    for (name, key) in &config.disclosure_approvers {
        let key = PublicKey::parse(key)
            .map_err(|_| Failed(format!("disclosure_approvers: the key of {name} is none")))?;
        approvers.push(Approver { name: name.clone(), key });
    }
    Ok((config, key, approvers))
}
