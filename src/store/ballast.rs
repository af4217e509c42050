//! Room on the disk that is kept back for what must be written even when the disk is full (I27).
//!
//! A file beside the database takes up room that nothing else can use. The first write for which
//! there is no room gives it up: from then on only urgent work is written, such as closes and
//! blocks, until there is room for the file again and as much besides.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::Error;
use crate::telemetry::metrics;

/// How often room is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What is written at once.
const CHUNK: usize = 64 * 1024;

/// The file. It is as long as it should be, or empty once its room was given up, or was never made.
#[derive(Debug, Clone)]
struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    fn beside(database: &Path, bytes: u64) -> Self {
        Self { path: named(database, ".ballast"), bytes }
    }

    /// Makes the file if it is to be; whether its room was given up and is not there again.
    fn prepare(&self) -> bool {
        let _ = std::fs::remove_file(self.unfinished());
        let there = std::fs::metadata(&self.path).ok().map(|file| file.len());
        let enough = there.is_some_and(|bytes| bytes >= self.bytes);
        if enough {
            // It was made longer once.
            let file = File::options().write(true).open(&self.path);
            let _ = file.and_then(|file| file.set_len(self.bytes));
        }
        if enough || self.bytes == 0 || self.make() {
            return false;
        }
        if there != Some(0) {
            tracing::warn!(bytes = self.bytes, "there is no room for the whole ballast file");
        }
        there == Some(0)
    }

    /// Makes the file, if there is room for it twice; whether it is there.
    fn make(&self) -> bool {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let free = rustix::fs::statvfs(folder.unwrap_or(Path::new(".")))
            .map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if free < self.bytes.saturating_mul(2) {
            return false;
        }
        // Under another name until it is whole: an empty one says that its room was given up.
        let made = self.fill().and_then(|()| std::fs::rename(self.unfinished(), &self.path));
        if made.is_err() {
            let _ = std::fs::remove_file(self.unfinished());
        }
        made.is_ok()
    }

    fn fill(&self) -> std::io::Result<()> {
        let mut file = File::create(self.unfinished())?;
        let (mut left, mut noise) = (self.bytes, 0x9E37_79B9_7F4A_7C15_u64);
        while left > 0 {
            // What can be compressed would not take up its room.
            let mut chunk = Vec::with_capacity(CHUNK);
            while chunk.len() < CHUNK {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                chunk.extend_from_slice(&noise.to_le_bytes());
            }
            chunk.truncate(usize::try_from(left).unwrap_or(CHUNK).min(CHUNK));
            file.write_all(&chunk)?;
            left -= chunk.len() as u64;
        }
        file.sync_all()
    }

    /// Gives up its room. It stays there, empty: the next start knows.
    fn give_up(&self) {
        let file = File::options().create(true).truncate(true).write(true).open(&self.path);
        if let Err(error) = file.and_then(|file| file.sync_all()) {
            tracing::error!(error = %error.kind(), "the ballast file can't be given up");
        }
    }

    fn unfinished(&self) -> PathBuf {
        named(&self.path, ".unfinished")
    }
}

fn named(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Whether there is room for everything, or only for what is urgent.
#[derive(Debug)]
pub(super) struct Room {
    ballast: Option<Ballast>,
    short: watch::Sender<bool>,
    next_look: Instant,
}

impl Room {
    /// Makes the ballast of so many bytes beside a database; none for 0: then nothing is kept back,
    /// and room is never called short.
    pub(super) async fn beside(database: &Path, bytes: u64) -> Result<Self, Error> {
        let ballast = (bytes > 0).then(|| Ballast::beside(database, bytes));
        let short = match ballast.clone() {
            Some(ballast) => tokio::task::spawn_blocking(move || ballast.prepare())
                .await
                .map_err(|_| Error::Panicked)?,
            None => false,
        };
        let room = Self { ballast, short: watch::Sender::new(false), next_look: Instant::now() };
        if short {
            room.set(true);
        }
        Ok(room)
    }

    /// Tells whether only urgent work is written.
    pub(super) fn short(&self) -> watch::Receiver<bool> {
        self.short.subscribe()
    }

    pub(super) fn is_short(&self) -> bool {
        *self.short.borrow()
    }

    /// Gives the ballast up since there was no room for a write; whether that is new.
    pub(super) fn run_out(&mut self) -> bool {
        let Some(ballast) = &self.ballast else { return false };
        if self.is_short() {
            return false;
        }
        ballast.give_up();
        self.next_look = Instant::now() + LOOK_EVERY;
        self.set(true);
        true
    }

    /// Waits until it is time to look for room again: for ever where there is enough.
    pub(super) async fn look_is_due(&self) {
        if self.is_short() {
            tokio::time::sleep_until(self.next_look).await;
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// Looks whether there is room for everything again.
    pub(super) async fn look(&mut self) {
        self.next_look = Instant::now() + LOOK_EVERY;
        let Some(ballast) = self.ballast.clone() else { return };
        if tokio::task::spawn_blocking(move || ballast.make()).await.unwrap_or(false) {
            self.set(false);
        }
    }

    fn set(&self, short: bool) {
        metrics::disk_full(short);
        self.short.send_replace(short);
        if short {
            tracing::error!("the disk is full: only what closes or blocks is written");
        } else {
            tracing::info!("there is room on the disk again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(ballast: &Ballast) -> Option<u64> {
        std::fs::metadata(&ballast.path).ok().map(|file| file.len())
    }

    /// The file is made once at its length; what was given up is told by the next start, where there
    /// is no room for it, and made again where there is; a length that was changed is followed.
    #[test]
    fn the_file_says_how_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("store.db");
        let ballast = Ballast::beside(&database, 100_000);
        assert!(!ballast.prepare());
        assert_eq!(length(&ballast), Some(100_000));
        ballast.give_up();
        assert_eq!(length(&ballast), Some(0));
        // No disk has so much.
        let huge = Ballast::beside(&database, u64::MAX / 2);
        assert!(huge.prepare(), "an empty file is one that was given up");
        assert!(!ballast.prepare());
        assert_eq!(length(&ballast), Some(100_000));
        assert!(!huge.prepare(), "what is too small was not given up");
        assert_eq!(length(&ballast), Some(100_000));
        assert!(!Ballast::beside(&database, 70_000).prepare());
        assert_eq!(length(&ballast), Some(70_000));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
