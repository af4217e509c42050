//! One time for all transactions of a process: it does not go back, and by how much a clock was set
//! forward is known (M5, I28).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::Db;
use crate::{clock::Clock, domain::time::Timestamp};

/// By how much a clock may be set forward and be believed, in milliseconds: clocks are corrected, and
/// leases and signatures allow for as much.
const AHEAD_MAX_MS: i64 = 3_600_000;

pub(super) struct Time {
    clock: Clock,
    seen: Mutex<Seen>,
}

/// In milliseconds.
struct Seen {
    /// The latest time that any transaction was given on SQLite, and what had passed by then.
    at: i64,
    passed: i64,
    /// The same of the first on either engine.
    first: Option<(i64, i64)>,
    /// By how much more the time has moved since the first than has passed, where that is too much:
    /// somebody set the clock, or the machine slept.
    ahead: i64,
}

impl Db {
    /// This node's clock itself, for how long something lasts. Nothing that is stored is judged by it.
    pub fn watch(&self) -> &Clock {
        &self.shared.clock
    }
}

impl Time {
    pub(super) fn new(clock: &Clock) -> Self {
        let seen = Seen { at: 0, passed: clock.passed_ms(), first: None, ahead: 0 };
        Self { clock: clock.clone(), seen: Mutex::new(seen) }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of a transaction on SQLite: the clock's. Where that was set back, what it was before
    /// and what has passed since: nothing stands still, and nothing that is over begins again.
    pub(super) fn now(&self) -> Timestamp {
        let mut seen = self.seen();
        let (clock, passed) = (self.clock.now().millis(), self.clock.passed_ms());
        seen.at = clock.max(seen.at + (passed - seen.passed));
        seen.passed = passed;
        let at = seen.at;
        seen.compare(at, passed);
        Timestamp::from_millis(at)
    }

    /// Takes note of the time that PostgreSQL told.
    pub(super) fn told(&self, at: Timestamp) {
        self.seen().compare(at.millis(), self.clock.passed_ms());
    }

    /// By how much the time is ahead of what has passed since the process began, or nothing where
    /// that is an hour or less.
    pub(super) fn ahead(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.seen().ahead).unwrap_or(0))
    }

    /// How much time has passed, whoever set the clock meanwhile.
    pub(super) fn passed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.clock.passed_ms()).unwrap_or(0))
    }

    /// Time never goes behind `at` again.
    pub(super) fn not_before(&self, at: Timestamp) {
        let mut seen = self.seen();
        seen.at = seen.at.max(at.millis());
        seen.first = None;
    }
}

impl Seen {
    fn compare(&mut self, at: i64, passed: i64) {
        let (first, then) = *self.first.get_or_insert((at, passed));
        let ahead = (at - first) - (passed - then);
        let ahead = if ahead > AHEAD_MAX_MS { ahead } else { 0 };
        if ahead > 0 && self.ahead == 0 {
            tracing::error!(
                seconds = ahead / 1000,
                "the clock was set forward: numbers stay in quarantine for so long more, until a \
                 restart"
            );
        }
        self.ahead = ahead;
    }
}
