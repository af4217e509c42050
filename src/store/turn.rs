//! Turns between processes that write to one SQLite file.
//!
//! SQLite's write lock is not queued for: who waits for it looks again every tenth of a second, and
//! a busy writer has taken it again long before. So whoever wants it next holds a lock file until
//! he has it, and nobody else reaches for it meanwhile.

use std::{fs::File, path::Path, time::Duration};

use super::{Error, open::lock_file};

/// How often a writer looks whether it is its turn.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How many times it looks before it tries without: a process that stands still in the line must
/// not stop the others for ever. SQLite's own waiting is far shorter than this second.
const LOOKS_MAX: u32 = 500;

/// The place in front of the line, in a file beside the database.
pub(super) struct Turn(File);

impl Turn {
    /// Opens the file.
    pub(super) fn open(database: &Path) -> Result<Self, Error> {
        Ok(Self(lock_file(database, "turn")?))
    }

    /// Waits until nobody else is next, and is next itself until [`Turn::end`].
    pub(super) async fn begin(&self) {
        for _ in 0..LOOKS_MAX {
            if self.0.try_lock().is_ok() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Lets somebody else be next.
    pub(super) fn end(&self) {
        // A lock that was not had is not given back: then this fails or does nothing.
        let _ = self.0.unlock();
    }
}
