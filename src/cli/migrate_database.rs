//! `entremise migrate-database`.

use std::{path::PathBuf, pin::pin, sync::Arc};

use clap::Args;
use serde_json::{Map, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use super::{ConfigFile, Failed, output};
use crate::{
    app::Opened,
    clock::Clock,
    domain::phone::Permits,
    ids::Ids,
    store::{
        Db, DbOptions, Error,
        moving::{self, Standing, Sum},
    },
};

#[derive(Debug, Args)]
#[group(id = "where", required = true, multiple = false)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// The new, empty database: `postgres://…` or `sqlite:PATH`. Others on this machine can read
    /// arguments: give a password by --to-file.
    #[arg(long, value_name = "URL", group = "where")]
    to: Option<String>,
    /// A file that holds the address of the new database.
    #[arg(long, value_name = "FILE", group = "where")]
    to_file: Option<PathBuf>,
    /// Let writes in again after a migration that was broken off.
    #[arg(long, group = "where")]
    abandon: bool,
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let config = options.file.load()?;
    let source = Opened::open_moving(&config, &Clock::system(), &Ids::default()).await?;
    let result = match target(&options)? {
        Some(url) => migrate(&source, &url).await,
        None => abandon(&source.db).await,
    };
    source.close().await;
    output::line(&result?.to_string());
    Ok(())
}

fn target(options: &Options) -> Result<Option<String>, Failed> {
    match (&options.to, &options.to_file) {
        (Some(url), _) => Ok(Some(url.clone())),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) => Err(Failed(format!("{} cannot be read: {error}", path.display()))),
        },
        (None, None) => Ok(None),
    }
}

/// An address that may be shown: no user, no password, no options.
fn shown(url: &str) -> String {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return format!("sqlite:{}", path.split('?').next().unwrap_or_default());
    }
    let Ok(url) = Url::parse(url) else { return "another database".into() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("postgres://{}{port}{}", url.host_str().unwrap_or_default(), url.path())
}

async fn abandon(db: &Db) -> Result<serde_json::Value, Failed> {
    let standing = moving::standing(&mut db.read().await?).await?;
    if let Some(Standing::Done(to)) = standing {
        return Err(Failed(format!("the migration to {to} was done: there is nothing to abandon")));
    }
    release(db).await?;
    Ok(json!({ "abandoned": standing.is_some() }))
}

async fn release(db: &Db) -> Result<(), Error> {
    db.write(|tx| Box::pin(async move { moving::release_writes(tx).await })).await
}

async fn migrate(source: &Opened, url: &str) -> Result<serde_json::Value, Failed> {
    let standing = moving::standing(&mut source.db.read().await?).await?;
    match standing {
        None => {}
        Some(Standing::UnderWay) => {
            return Err(Failed(
                "a migration is under way, or was broken off: then run `entremise migrate-database \
                 --abandon` first"
                    .into(),
            ));
        }
        Some(Standing::Done(to)) => {
            return Err(Failed(format!("the database was moved to {to} already")));
        }
    }
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let options = DbOptions {
        url: url.to_owned(),
        clock: Clock::system(),
        ids: Ids::default(),
        keyring: Arc::clone(source.db.keyring()),
        connections: 2,
        permits: Permits::default(),
        bounds: Arc::default(),
        ballast: 0,
    };
    let target = Db::open(options, &tracker, stop.clone())
        .await
        .map_err(|error| Failed(format!("the new database does not open: {error}")))?;
    let result = held(&source.db, &target, &shown(url)).await;
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    target.close().await;
    let sums = result?;
    let tables: Map<String, serde_json::Value> = sums
        .into_iter()
        .map(|Sum { table, rows, hash }| (table, json!({ "rows": rows, "hash": hash })))
        .collect();
    Ok(json!({ "moved_to": shown(url), "tables": tables }))
}

/// Holds writes off, copies, and marks the source; or lets writes in again.
async fn held(source: &Db, target: &Db, to: &str) -> Result<Vec<Sum>, Failed> {
    source.write(|tx| Box::pin(async move { moving::hold_writes(tx).await })).await?;
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (from, stopped) = (source.clone(), CancellationToken::new());
    let stop = stopped.clone();
    let mut copied = pin!(target.write(move |tx| {
        let (from, stop) = (from.clone(), stop.clone());
        Box::pin(async move {
            // A write goes on without whoever asked for it: it is told, so that nothing is committed.
            let copied = stop.run_until_cancelled(moving::copy(&from, tx)).await;
            copied.unwrap_or_else(|| Err(Error::Unavailable("stopped".into())))
        })
    }));
    let copied = tokio::select! {
        copied = &mut copied => copied,
        _ = terminate.recv() => { stopped.cancel(); copied.await }
        _ = interrupt.recv() => { stopped.cancel(); copied.await }
    };
    let copied = copied.map_err(Failed::from);
    match copied {
        Ok(sums) => {
            let to = to.to_owned();
            source
                .write(move |tx| {
                    let to = to.clone();
                    Box::pin(async move { moving::set_moved(tx, &to).await })
                })
                .await?;
            Ok(sums)
        }
        Err(Failed(why)) => {
            release(source).await.map_err(|error| {
                Failed(format!(
                    "{why}; and writes are still held off ({error}): run `entremise \
                     migrate-database --abandon`"
                ))
            })?;
            Err(Failed(format!("nothing was moved: {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of an address has no user, password or option.
    #[test]
    fn no_credentials_are_shown() {
        let url = "postgres://me:secret@db.example:6432/relay?password=other";
        assert_eq!(shown(url), "postgres://db.example:6432/relay");
        assert_eq!(shown("sqlite:/var/relay.db?mode=rwc"), "sqlite:/var/relay.db");
    }
}
