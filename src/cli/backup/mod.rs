//! `entremise backup`.

mod postgres;

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Map, json};

use super::{ConfigFile, Failed, account, output};
use crate::{
    app::Opened,
    config::Config,
    store::{
        Engine, Inspection,
        backup::{self, Counts, Unfinished},
    },
};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// The file to make. It must not be there yet.
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
}

/// A copy that was made and read back.
struct Copy {
    counts: Counts,
    taken_at: i64,
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let config = options.file.load()?;
    let unfinished = Unfinished::begin(&options.to).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failed(format!(
            "{} is there already, or its `.unfinished` is: a backup overwrites nothing",
            options.to.display()
        )),
        _ => cannot(&options.to, &error),
    })?;
    let opened = account::open(&options.file).await?;
    let engine = opened.db.engine();
    let result = match copy(&config, &opened, &unfinished).await {
        // The original goes on from a higher epoch, so that the copy can be told from it.
        Ok(copy) => Ok((copy, account::relay(&opened).raise_epoch().await)),
        Err(error) => Err(error),
    };
    opened.close().await;
    let (copy, epoch) = result?;
    let epoch = epoch?;
    let bytes = unfinished.finish().map_err(|error| cannot(&options.to, &error))?;
    let counts: Map<String, serde_json::Value> =
        copy.counts.into_iter().map(|(table, count)| (table, json!(count))).collect();
    let object = json!({
        "path": options.to,
        "bytes": bytes,
        "engine": match engine { Engine::Sqlite => "sqlite", Engine::Postgres => "postgres" },
        "counts": counts,
        "taken_at": jiff::Timestamp::from_millisecond(copy.taken_at)?.to_string(),
        "epoch": epoch,
    });
    output::line(&object.to_string());
    Ok(())
}

fn cannot(path: &Path, error: &std::io::Error) -> Failed {
    Failed(format!("{} cannot be written: {error}", path.display()))
}

async fn copy(config: &Config, opened: &Opened, into: &Unfinished) -> Result<Copy, Failed> {
    let taken_at = opened.db.read().await?.now().await?.millis();
    let url = config.database_url.expose();
    let counts = match Inspection::file(url)? {
        Some(from) => backup::copy_sqlite(&from, into.path()).await?,
        None => postgres::copy(url, opened, into).await?,
    };
    Ok(Copy { counts, taken_at })
}
