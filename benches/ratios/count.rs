//! Counts the statements that this process gives to a database: the driver tells of each.

use std::sync::{
    Once,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

/// What the driver's own events are called.
const TARGET: &str = "sqlx::query";
/// What only the walk around a ring asks.
const WALK: &str = "n.place >=";

static ON: AtomicBool = AtomicBool::new(false);
static ALL: AtomicU64 = AtomicU64::new(0);
static WALKS: AtomicU64 = AtomicU64::new(0);
static INSTALLED: Once = Once::new();

struct Counter;

struct Walks(bool);

impl Visit for Walks {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        self.0 |= format!("{value:?}").contains(WALK);
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        self.0 |= value.contains(WALK);
    }
}

impl<S: Subscriber> Layer<S> for Counter {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // It changes while we run.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        ON.load(Ordering::Relaxed) && metadata.target() == TARGET
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut walks = Walks(false);
        event.record(&mut walks);
        ALL.fetch_add(1, Ordering::Relaxed);
        WALKS.fetch_add(u64::from(walks.0), Ordering::Relaxed);
    }
}

/// Counts from when it is made.
#[derive(Debug)]
pub(crate) struct Statements(());

impl Statements {
    pub(crate) fn count() -> Self {
        INSTALLED.call_once(|| {
            // Nobody else logs in this process.
            let _ = tracing::subscriber::set_global_default(
                tracing_subscriber::registry().with(Counter),
            );
        });
        ALL.store(0, Ordering::Relaxed);
        WALKS.store(0, Ordering::Relaxed);
        ON.store(true, Ordering::Relaxed);
        Self(())
    }

    /// All statements, and the walks among them.
    pub(crate) fn end(self) -> (u64, u64) {
        let Self(()) = self;
        ON.store(false, Ordering::Relaxed);
        (ALL.load(Ordering::Relaxed), WALKS.load(Ordering::Relaxed))
    }
}
