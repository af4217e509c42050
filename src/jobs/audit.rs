//! Takes the audit log's signed heads out of the database: to a file that is shipped elsewhere.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{task, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    relay::{self, Relay},
    telemetry::metrics,
};

/// How often heads are written.
const EVERY: Duration = Duration::from_hours(1);
/// How soon it is tried again where that failed.
const AGAIN: Duration = Duration::from_mins(1);

/// Why heads were not written.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// They can't be read.
    #[error(transparent)]
    Relay(#[from] relay::Error),
    /// The file can't be written.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// Writes the heads of chains that have grown to the end of `file`, at once and then every hour.
pub fn export_heads(relay: Relay, file: PathBuf, tracker: &TaskTracker, stop: CancellationToken) {
    tracker.spawn(async move {
        let mut written = HashMap::new();
        loop {
            let pause = match export(&relay, &file, &mut written).await {
                Ok(()) => {
                    metrics::audit_heads_exported(relay.db().clock());
                    EVERY
                }
                Err(error) => {
                    tracing::warn!(%error, file = %file.display(), "signed heads of the audit log were not written");
                    AGAIN
                }
            };
            if stop.run_until_cancelled(time::sleep(pause)).await.is_none() {
                return;
            }
        }
    });
}

/// `written` is how far each chain was when its head was written last: at the start all are.
async fn export(
    relay: &Relay,
    file: &Path,
    written: &mut HashMap<String, i64>,
) -> Result<(), Failed> {
    let mut from = Some(String::new());
    while let Some(start) = from {
        let (mut heads, next) = relay.signed_heads(&start).await?;
        heads.retain(|one| written.get(&one.head.account) != Some(&one.head.seq));
        let lines: String = heads.iter().map(|head| head.line() + "\n").collect();
        let path = file.to_owned();
        task::spawn_blocking(move || append(&path, &lines)).await.map_err(io::Error::other)??;
        written.extend(heads.into_iter().map(|one| (one.head.account, one.head.seq)));
        from = next;
    }
    Ok(())
}

fn append(path: &Path, lines: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines are put behind what is there; a folder that is not there is an error.
    #[test]
    fn lines_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("heads.jsonl");
        append(&file, "a\n").unwrap();
        append(&file, "b\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\nb\n");
        assert!(append(&folder.path().join("none/heads"), "a\n").is_err());
    }
}
