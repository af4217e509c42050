//! Injected time: nothing else in the crate reads the system clock.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use crate::domain::time::Timestamp;

/// Where the time comes from. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System(Instant),
    /// The system's time and an offset in milliseconds that tests move.
    Shifted(Instant, Hand),
    /// A fixed instant in milliseconds that only tests move.
    Manual(Hand),
}

/// What tests move, in milliseconds.
struct Hand {
    at: AtomicI64,
    /// The sum of all moves forward.
    passed: AtomicI64,
}

impl Hand {
    const fn new(at: i64) -> Self {
        Self { at: AtomicI64::new(at), passed: AtomicI64::new(0) }
    }

    fn at(&self) -> i64 {
        self.at.load(Ordering::SeqCst)
    }

    fn passed(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
    }
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(Source::System(Instant::now())))
    }

    /// The system's clock, movable by [`Clock::advance`].
    pub fn shifted() -> Self {
        Self(Arc::new(Source::Shifted(Instant::now(), Hand::new(0))))
    }

    /// A clock that stands at `start` until [`Clock::advance`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Arc::new(Source::Manual(Hand::new(start.millis()))))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System(_) => system_now(),
            Source::Shifted(_, hand) => Timestamp::from_millis(system_now().millis() + hand.at()),
            Source::Manual(hand) => Timestamp::from_millis(hand.at()),
        }
    }

    /// How much time has certainly passed since the clock was made, in milliseconds: nobody sets
    /// this one, forward or back.
    pub fn passed_ms(&self) -> i64 {
        let since =
            |start: &Instant| i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
        match &*self.0 {
            Source::System(start) => since(start),
            Source::Shifted(start, hand) => since(start) + hand.passed(),
            Source::Manual(hand) => hand.passed(),
        }
    }

    /// Milliseconds that a database's own clock must be shifted by to agree with this one.
    pub fn offset_ms(&self) -> i64 {
        match &*self.0 {
            Source::System(_) => 0,
            Source::Shifted(_, hand) => hand.at(),
            Source::Manual(hand) => hand.at() - system_now().millis(),
        }
    }

    /// Moves a shifted or manual clock by `ms` milliseconds: forward as time passes, back as
    /// somebody sets a clock. The system's clock does not move.
    pub fn advance(&self, ms: i64) {
        self.set(ms);
        if let Source::Shifted(_, hand) | Source::Manual(hand) = &*self.0 {
            hand.passed.fetch_add(ms.max(0), Ordering::SeqCst);
        }
    }

    /// Moves a shifted or manual clock by `ms` milliseconds as somebody sets a clock: no time
    /// passes.
    pub fn set(&self, ms: i64) {
        if let Source::Shifted(_, hand) | Source::Manual(hand) = &*self.0 {
            hand.at.fetch_add(ms, Ordering::SeqCst);
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
