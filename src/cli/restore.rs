//! `entremise restore-fence` and `entremise restore-confirm`: after a restore or a failover.

use clap::Args;
use serde_json::json;

use super::{ConfigFile, Failed, account, output};
use crate::{
    app::{self, Opened},
    ids::{AccountId, SessionId},
    relay::{self, Confirm, Relay, Replayed},
    store::{EpochFile, ErasureList, erasures},
};

#[derive(Debug, Args)]
pub(super) struct Fence {
    #[command(flatten)]
    file: ConfigFile,
    /// Put nothing on hold: nothing was lost, as when a synchronous standby took over.
    #[arg(long)]
    nothing_lost: bool,
    /// Go on without the list of what was erased: it is lost, and whoever was erased since the backup is back.
    #[arg(long)]
    no_erasure_list: bool,
}

#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = true)]
pub(super) struct ConfirmOptions {
    #[command(flatten)]
    file: ConfigFile,
    /// Every session on hold, of all accounts or of the one that --account names.
    #[arg(long, group = "which", conflicts_with = "session")]
    all: bool,
    /// Only this account's, AC….
    #[arg(long, requires = "all")]
    account: Option<AccountId>,
    /// This session, KC…; as often as needed.
    #[arg(long, group = "which")]
    session: Vec<SessionId>,
}

pub(super) async fn fence(options: Fence) -> Result<(), Failed> {
    let config = options.file.load()?;
    let opened = account::opened(&config).await?;
    let relay = account::relay(&opened)
        .with_objects(app::objects(&config)?)
        .with_erasing(app::erasing(&config));
    let done = fenced(&opened, &relay, &options).await;
    opened.close().await;
    output::line(&done?.to_string());
    Ok(())
}

/// The fence first: should what follows fail, nothing is served.
async fn fenced(
    opened: &Opened,
    relay: &Relay,
    options: &Fence,
) -> Result<serde_json::Value, Failed> {
    let list = relay.erasure_list().ok();
    let there = list.is_some_and(ErasureList::exists);
    let mut tx = opened.db.read().await?;
    let known = erasures::any_listed(&mut tx).await?;
    drop(tx);
    if known && !there && !options.no_erasure_list {
        let place = list.map_or("set `erasure_list`".to_owned(), |list| {
            format!("it is not at {}", list.path().display())
        });
        return Err(Failed(format!(
            "people were erased from this database, and without the erasure list those erased since the backup \
             would be back: {place}. Put it there; if it is lost, add --no-erasure-list"
        )));
    }
    let mut object = raise(opened, options.nothing_lost).await?;
    let replayed = if there {
        relay.replay_erasures().await?
    } else {
        if options.no_erasure_list {
            relay.without_list().await?;
        }
        Replayed::default()
    };
    object["erasures_listed"] = replayed.listed.into();
    object["erasures_missing"] = replayed.missing.into();
    Ok(object)
}

async fn raise(opened: &Opened, nothing_lost: bool) -> Result<serde_json::Value, Failed> {
    let file = opened.db.epoch_file();
    let known = file.as_ref().map_or(Ok(0), EpochFile::read)?;
    let (epoch, object) = if nothing_lost {
        let work = opened
            .db
            .write(move |tx| Box::pin(async move { relay::settle_by_hand(tx, known).await }));
        let epoch = work.await?;
        (epoch, json!({ "epoch": epoch, "suspended": 0, "quarantines": 0, "given_up": 0 }))
    } else {
        let work =
            opened.db.write(move |tx| Box::pin(async move { relay::raise_fence(tx, known).await }));
        let done = work.await?;
        let object = json!({
            "epoch": done.epoch,
            "suspended": done.sessions,
            "quarantines": done.quarantines,
            "given_up": done.owing,
        });
        (done.epoch, object)
    };
    if let Some(file) = file {
        file.raise(epoch)?;
    }
    Ok(object)
}

pub(super) async fn confirm(options: ConfirmOptions) -> Result<(), Failed> {
    let ConfirmOptions { file, all, account: owner, session } = options;
    let what = if all { Confirm::All(owner) } else { Confirm::Sessions(session) };
    let opened = account::open(&file).await?;
    let done = account::relay(&opened).confirm(&what).await;
    opened.close().await;
    let done = done?;
    let object = json!({ "resumed": done.resumed, "expired": done.expired });
    output::line(&object.to_string());
    Ok(())
}
