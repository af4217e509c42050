//! Injected time: nothing else in the crate reads the system clock.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::domain::time::Timestamp;

/// Where the time comes from. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System,
    /// The system's time and an offset in milliseconds that tests move.
    Shifted(AtomicI64),
    /// A fixed instant in milliseconds that only tests move.
    Manual(AtomicI64),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// The system's clock, movable by [`Clock::advance`].
    pub fn shifted() -> Self {
        Self(Arc::new(Source::Shifted(AtomicI64::new(0))))
    }

    /// A clock that stands at `start` until [`Clock::advance`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Arc::new(Source::Manual(AtomicI64::new(start.millis()))))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System => system_now(),
            Source::Shifted(offset) => {
                Timestamp::from_millis(system_now().millis() + offset.load(Ordering::SeqCst))
            }
            Source::Manual(at) => Timestamp::from_millis(at.load(Ordering::SeqCst)),
        }
    }

    /// Milliseconds that a database's own clock must be shifted by to agree with this one.
    pub fn offset_ms(&self) -> i64 {
        match &*self.0 {
            Source::System => 0,
            Source::Shifted(offset) => offset.load(Ordering::SeqCst),
            Source::Manual(at) => at.load(Ordering::SeqCst) - system_now().millis(),
        }
    }

    /// Moves a shifted or manual clock by `ms` milliseconds, back if negative. The system's clock
    /// does not move.
    pub fn advance(&self, ms: i64) {
        match &*self.0 {
            Source::System => {}
            Source::Shifted(at) | Source::Manual(at) => {
                at.fetch_add(ms, Ordering::SeqCst);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn system_now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(std::time::Duration::ZERO);
    Timestamp::EPOCH + since
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}
