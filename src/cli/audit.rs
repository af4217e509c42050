//! `entremise audit`: who changed what, and whether the log of it is as it was written.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    ConfigFile, Failed,
    account::{open, relay},
    output,
};
use crate::{
    app::Opened,
    domain::time::Timestamp,
    ids::AccountId,
    privacy::audit::PublicKey,
    relay::{Heads, Relay, Told},
    store::{self, audit},
};

/// How many rows are read at once.
const PAGE: i64 = 500;
/// After how many rows of a chain it is told how far it has come.
const PROGRESS: u64 = 100_000;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Print the public key that heads are verified with.
    Key {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Print the end of each chain, signed, one JSON object a line: keep them where nobody who can write
    /// to the database can.
    Head {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Read every chain and tell rows that were edited, moved, taken out or cut off; status 1 if there are
    /// any.
    Verify {
        #[command(flatten)]
        file: ConfigFile,
        /// Signed heads that were kept elsewhere, as `audit head` and the setting `audit_heads_file`
        /// write them. Without them a chain that was made anew, or cut off, looks whole.
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        /// What they are verified with, as `audit key` printed it when they were made; this
        /// installation's own by default.
        #[arg(long, value_name = "KEY", requires = "heads", value_parser = key)]
        public_key: Option<PublicKey>,
    },
    /// Print rows, one JSON object a line, oldest first.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Only this account's, AC….
        #[arg(long)]
        account: Option<AccountId>,
        /// Only the installation's: what belongs to no account.
        #[arg(long, conflicts_with = "account")]
        installation: bool,
        /// Only from this instant on, such as 2026-11-21T18:00:00Z.
        #[arg(long, value_name = "TIME", value_parser = instant)]
        since: Option<Timestamp>,
    },
}

fn key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text).map_err(|_| "must be what `entremise audit key` printed".to_owned())
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>();
    let at = at.map_err(|_| "must be a time such as 2026-11-21T18:00:00Z".to_owned())?;
    Ok(Timestamp::from_millis(at.as_millisecond()))
}

pub(super) async fn run(command: Audit) -> Result<(), Failed> {
    let (Audit::Key { file }
    | Audit::Head { file }
    | Audit::Verify { file, .. }
    | Audit::List { file, .. }) = &command;
    let opened = open(file).await?;
    let relay = relay(&opened);
    let done = match &command {
        Audit::Key { .. } => show_key(&relay),
        Audit::Head { .. } => head(&relay).await,
        Audit::Verify { heads, public_key, .. } => {
            verify(&relay, heads.as_deref(), public_key.as_ref()).await
        }
        Audit::List { account, installation, since, .. } => {
            let only = match (account, installation) {
                (Some(account), _) => Some(account.as_str()),
                (None, true) => Some(""),
                (None, false) => None,
            };
            list(&opened, only, *since).await
        }
    };
    opened.close().await;
    done
}

fn show_key(relay: &Relay) -> Result<(), Failed> {
    output::line(&relay.audit_key()?.to_string());
    Ok(())
}

async fn head(relay: &Relay) -> Result<(), Failed> {
    let mut from = Some(String::new());
    while let Some(start) = from {
        let (heads, next) = relay.signed_heads(&start).await?;
        for head in &heads {
            output::line(&head.line());
        }
        from = next;
    }
    Ok(())
}

/// Reads the heads of a file; how many lines were not taken, each of which is told.
fn read_heads(path: &Path, key: &PublicKey) -> Result<(Heads, u64), Failed> {
    let unread = |error| Failed(format!("{} cannot be read: {error}", path.display()));
    let (mut heads, mut bad) = (Heads::default(), 0);
    for (number, line) in (1..).zip(BufReader::new(File::open(path).map_err(unread)?).lines()) {
        let line: String = line.map_err(unread)?;
        if line.trim().is_empty() {
            continue;
        }
        if let Err(error) = heads.add(key, &line) {
            bad += 1;
            output::line(&format!("{}, line {number}: {error}", path.display()));
        }
    }
    Ok((heads, bad))
}

async fn verify(
    relay: &Relay,
    heads: Option<&Path>,
    key: Option<&PublicKey>,
) -> Result<(), Failed> {
    let own = relay.audit_key()?;
    let (heads, bad) = match heads {
        Some(path) => read_heads(path, key.unwrap_or(&own))?,
        None => (Heads::default(), 0),
    };
    let mut next = PROGRESS;
    let verified = relay.verify_audit(heads, |told| match told {
        Told::Progress(chain, rows) if rows >= next => {
            next = rows + PROGRESS;
            output::error(&format!("{}: {rows} rows read", name(chain)));
        }
        Told::Progress(..) => {}
        Told::Chain(chain, rows, faults, more) => {
            next = PROGRESS;
            for fault in faults {
                output::line(&format!("{}: {fault}", name(chain)));
            }
            if more > 0 {
                output::line(&format!("{}: and {more} faults more", name(chain)));
            }
            if faults.is_empty() {
                output::line(&format!("{}: {rows} rows, whole", name(chain)));
            }
        }
    });
    let verified = verified.await?;
    let faults = verified.faults + bad;
    if faults > 0 {
        return Err(Failed(format!("the audit log is not as it was written: {faults} faults")));
    }
    Ok(())
}

/// A chain, as people are told of it.
fn name(chain: &str) -> &str {
    if chain.is_empty() { "installation" } else { chain }
}

async fn list(opened: &Opened, only: Option<&str>, since: Option<Timestamp>) -> Result<(), Failed> {
    let mut from = only.unwrap_or_default().to_owned();
    loop {
        let mut tx = opened.db.read().await?;
        let chain = audit::next_chain(&mut tx, &from).await?;
        let Some(chain) = chain.filter(|chain| only.is_none_or(|only| only == chain)) else {
            return Ok(());
        };
        let mut after = 0;
        loop {
            let page = audit::page(&mut tx, &chain, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.content.seq;
            for link in page {
                if since.is_none_or(|since| link.content.at >= since.millis()) {
                    output::line(&shown(audit::open(&mut tx, link).await?).to_string());
                }
            }
        }
        from = audit::behind(&chain);
    }
}

fn shown(row: store::audit::Row) -> Value {
    let content = row.link.content;
    json!({
        "account": content.account,
        "seq": content.seq,
        "at": Timestamp::from_millis(content.at).rfc3339(),
        "actor_kind": content.actor_kind,
        "actor": content.actor,
        "action": content.action,
        "target_kind": content.target_kind,
        "target": content.target,
        "reason": row.reason,
        "details": serde_json::from_str::<Value>(&content.details).unwrap_or_default(),
        "hash": row.link.hash,
    })
}
