//! `entremise keys`: which master keys are in use, and from one to the next.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    ConfigFile, Failed,
    account::{open, relay},
    output,
};
use crate::{
    app::{Opened, StartError},
    domain::{
        audit::{Action, Entry},
        time::Timestamp,
    },
    privacy::MasterKey,
    relay::{self, Relay, Rotation, Wrapped},
    store::{
        self, Tx, audit,
        master_keys::{self, Known},
    },
};

/// After how many batches of rows a line of progress is printed.
const LINE_EVERY: usize = 100;
/// How often all is gone through, where something was changed meanwhile.
const PASSES: usize = 3;
const DAY: Duration = Duration::from_hours(24);

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Say which master keys are in use, for how much, and from when on one may be destroyed.
    List(List),
    /// Wrap again, by the current master key, what others wrapped. Broken off, it goes on when it is run again.
    Rotate(Rotate),
    /// Say that a master key was destroyed, once no backup needs it. Destroying it, with every copy, is yours to do.
    Destroy(Destroy),
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// Print one JSON object for each key instead of words.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    file: ConfigFile,
    /// Only say how much would be wrapped again, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object instead of words.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Destroy {
    #[command(flatten)]
    file: ConfigFile,
    /// The key's id, as `keys list` has it.
    id: String,
    /// Although backups may still need it: they will be noise.
    #[arg(long)]
    force: bool,
    /// A file with that key, which is overwritten and deleted.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

pub(super) async fn run(command: Keys) -> Result<(), Failed> {
    match command {
        Keys::List(options) => {
            let horizon = options.file.load()?.backup_horizon_days;
            let opened = open(&options.file).await?;
            let listed = async { list(&mut opened.db.read().await?, horizon).await }.await;
            opened.close().await;
            for one in listed? {
                output::line(&if options.json { one.object().to_string() } else { one.words() });
            }
            Ok(())
        }
        Keys::Destroy(options) => {
            let config = options.file.load()?;
            let opened = super::account::opened(&config).await?;
            let done = destroy(&options, &opened, config.backup_horizon_days).await;
            opened.close().await;
            done
        }
        Keys::Rotate(options) => {
            let opened = open(&options.file).await?;
            let done = rotate(&options, &opened).await;
            opened.close().await;
            done
        }
    }
}

/// One master key, as far as the database or the settings know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: String,
    current: bool,
    configured: bool,
    pub(super) wrapped: Option<Wrapped>,
    known: Option<Known>,
    /// When the last backup that needs it is too old to be put back.
    pub(super) needed_until: Option<Timestamp>,
    now: Timestamp,
}

impl Listed {
    /// Whether nothing needs it any more, no backup either.
    pub(super) fn destroyable(&self) -> bool {
        self.needed_until.is_some_and(|until| until <= self.now)
    }

    fn words(&self) -> String {
        let mut parts = Vec::new();
        parts.push(match (self.current, self.configured) {
            (true, _) => "current".to_owned(),
            (false, true) => "previous".to_owned(),
            (false, false) => "not configured".to_owned(),
        });
        parts.push(match &self.wrapped {
            Some(wrapped) => {
                let rows = wrapped.rows.iter().filter(|(_, rows)| *rows > 0);
                let rows: Vec<String> =
                    rows.map(|(holding, rows)| format!("{rows} {}", holding.as_str())).collect();
                format!("wraps {}", rows.join(", "))
            }
            None => match self.known.as_ref().and_then(|known| known.unused_at) {
                Some(at) => format!("wraps nothing since {}", at.rfc3339()),
                None => "wraps nothing".to_owned(),
            },
        });
        if !self.current && self.wrapped.is_some() {
            parts.push("to wrap it again: entremise keys rotate".to_owned());
        }
        if let Some(at) = self.known.as_ref().and_then(|known| known.destroyed_at) {
            parts.push(format!("destroyed {}", at.rfc3339()));
        } else if let Some(until) = self.needed_until {
            parts.push(if self.destroyable() {
                format!("no backup needs it since {}: it may be destroyed", until.rfc3339())
            } else {
                format!("backups may need it: it may be destroyed after {}", until.rfc3339())
            });
        }
        format!("{}  {}", self.id, parts.join("; "))
    }

    fn object(&self) -> Value {
        let rows: serde_json::Map<String, Value> = self
            .wrapped
            .iter()
            .flat_map(|wrapped| &wrapped.rows)
            .map(|(holding, rows)| (holding.as_str().replace(' ', "_"), json!(rows)))
            .collect();
        let at = |read: fn(&Known) -> Option<Timestamp>| {
            self.known.as_ref().and_then(read).map(Timestamp::rfc3339)
        };
        json!({
            "id": self.id, "current": self.current, "configured": self.configured,
            "in_use": self.wrapped.is_some(), "rows": rows,
            "retired_at": at(|known| known.retired_at), "unused_at": at(|known| known.unused_at),
            "destroyed_at": at(|known| known.destroyed_at),
            "destroy_after": self.needed_until.map(Timestamp::rfc3339),
        })
    }
}

/// Every master key that is configured, known or in use, the current one first.
pub(super) async fn list(tx: &mut Tx, horizon: u32) -> Result<Vec<Listed>, store::Error> {
    let (ring, now) = (tx.keyring(), tx.now().await?);
    let mut all: BTreeMap<String, Listed> = BTreeMap::new();
    let blank = |id: &str| Listed {
        id: id.to_owned(),
        current: id == ring.key_id(),
        configured: ring.key_ids().any(|one| one == id),
        wrapped: None,
        known: None,
        needed_until: None,
        now,
    };
    for id in ring.key_ids() {
        all.insert(id.to_owned(), blank(id));
    }
    for known in master_keys::known(tx).await? {
        let one = all.entry(known.id.clone()).or_insert_with(|| blank(&known.id));
        one.needed_until = known.unused_at.map(|at| at + horizon * DAY);
        one.known = Some(known);
    }
    for wrapped in relay::wrapped(tx).await? {
        let one = all.entry(wrapped.id.clone()).or_insert_with(|| blank(&wrapped.id));
        // Whatever was noted: the rows are what counts.
        one.needed_until = None;
        one.wrapped = Some(wrapped);
    }
    let mut all: Vec<Listed> = all.into_values().collect();
    all.sort_by_key(|one| !one.current);
    Ok(all)
}

async fn destroy(options: &Destroy, opened: &Opened, horizon: u32) -> Result<(), Failed> {
    let id = &options.id;
    let listed = list(&mut opened.db.read().await?, horizon).await?;
    let one = listed.into_iter().find(|one| one.id == *id);
    let one = one.ok_or_else(|| Failed(format!("there is no master key {id}")))?;
    if one.current || one.wrapped.is_some() {
        return Err(Failed(format!(
            "master key {id} is in use: what it wraps would be lost. First: entremise keys rotate"
        )));
    }
    if one.configured {
        return Err(Failed(format!(
            "master key {id} is in the settings: take it out of those of every node first"
        )));
    }
    if !one.destroyable() && !options.force {
        let until =
            one.needed_until.map_or_else(String::new, |at| format!(" until {}", at.rfc3339()));
        return Err(Failed(format!(
            "backups may need master key {id}{until}: without it they are noise. Wait, or add --force"
        )));
    }
    if let Some(path) = &options.key_file {
        forget(path, id)?;
    }
    let key = id.clone();
    let noted = opened.db.write(move |tx| {
        let key = key.clone();
        Box::pin(async move {
            let now = tx.now().await?;
            let new = master_keys::set_destroyed(tx, &key, now).await?;
            if new {
                let entry = Entry::new(Action::MasterKeyDestroyed, key.as_str());
                audit::append_installation(tx, entry).await?;
            }
            Ok::<_, store::Error>(new)
        })
    });
    output::line(&if noted.await? {
        format!("noted that {id} was destroyed. Delete every copy of it: none is known here")
    } else {
        format!("{id} was noted as destroyed before")
    });
    Ok(())
}

/// Overwrites and deletes a file that holds that key. What a disk or a snapshot keeps of it is not reached.
fn forget(path: &Path, id: &str) -> Result<(), Failed> {
    let fault = |error: std::io::Error| Failed(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(fault)?;
    let key = MasterKey::from_base64(&text);
    if key.map(|key| key.id()).ok().as_deref() != Some(id) {
        return Err(Failed(format!("{} does not hold master key {id}", path.display())));
    }
    let mut file = std::fs::OpenOptions::new().write(true).open(path).map_err(fault)?;
    file.write_all(&vec![b'0'; text.len()]).and_then(|()| file.sync_all()).map_err(fault)?;
    std::fs::remove_file(path).map_err(fault)
}

async fn rotate(options: &Rotate, opened: &Opened) -> Result<(), Failed> {
    let relay = relay(opened);
    let current = opened.db.keyring().key_id().to_owned();
    if options.dry_run {
        let mut all = relay::wrapped(&mut opened.db.read().await?).await?;
        all.retain(|one| one.id != current);
        output::line(&tried(&all, &current, options.json));
        return Ok(());
    }
    let ended = async {
        let (mut done, mut damaged) = (0, Vec::new());
        for _ in 0..PASSES {
            let rotation = pass(&relay, options).await?;
            done += rotation.done;
            damaged = rotation.damaged;
            let left = relay.end_rotation().await?;
            if left.is_empty() || !damaged.is_empty() {
                return Ok((done, damaged, left));
            }
        }
        Ok((done, damaged, relay.end_rotation().await?))
    };
    let (done, damaged, left) = tokio::select! {
        ended = ended => ended.map_err(refused)?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failed(
                "broken off; nothing is half done. To go on: entremise keys rotate".into(),
            ));
        }
    };
    output::line(&if options.json {
        json!({ "current": current, "rewrapped": done, "damaged": damaged, "in_use": left })
            .to_string()
    } else if left.is_empty() {
        format!("{done} rows wrapped again; {current} is the only master key in use")
    } else {
        format!("{done} rows wrapped again; still in use: {}", left.join(", "))
    });
    if !damaged.is_empty() {
        return Err(Failed(format!(
            "{} rows do not open with the key that they name, and stay as they are: {}",
            damaged.len(),
            damaged.join(", ")
        )));
    }
    if !left.is_empty() {
        return Err(Failed("something still wraps by them: run it again".into()));
    }
    Ok(())
}

/// Goes through all rows once, and says how far it has come.
async fn pass(relay: &Relay, options: &Rotate) -> Result<Rotation, relay::Error> {
    let mut rotation = relay.begin_rotation().await?;
    for batch in 1_usize.. {
        if !relay.rotate_on(&mut rotation).await? {
            break;
        }
        if !options.json && batch.is_multiple_of(LINE_EVERY) {
            output::line(&format!("{} of {} rows wrapped again", rotation.done, rotation.total));
        }
    }
    Ok(rotation)
}

fn refused(error: relay::Error) -> Failed {
    match error {
        relay::Error::Store(store::Error::Keys(refusal)) => StartError::Keys(refusal).into(),
        other => other.into(),
    }
}

fn tried(others: &[Wrapped], current: &str, as_json: bool) -> String {
    let total: u64 = others.iter().map(Wrapped::total).sum();
    if as_json {
        let from: BTreeMap<&str, u64> = others.iter().map(|one| (&*one.id, one.total())).collect();
        return json!({ "current": current, "would_rewrap": total, "from": from }).to_string();
    }
    let from: Vec<String> =
        others.iter().map(|one| format!("{} by {}", one.total(), one.id)).collect();
    let from = if from.is_empty() { "none".to_owned() } else { from.join(", ") };
    format!("{total} rows would be wrapped again by {current}: {from}")
}
