//! Whose work a transaction is. Each lane has connections and patience of its own, so that a flood
//! in one starves no other.

use std::time::Duration;

/// Whose work a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Carriers' webhooks: they wait two seconds at most, and come again.
    Carriers,
    /// The API, and commands.
    Api,
    /// Staff.
    Console,
    /// What is owed: nobody waits for it, and it must not be given up lightly.
    Jobs,
    /// What marketplaces are told: however much that is, no text waits for it.
    Events,
}

impl Lane {
    pub(super) const ALL: [Self; 5] =
        [Self::Carriers, Self::Api, Self::Console, Self::Jobs, Self::Events];

    /// How long a caller waits for a connection, or for room in the writer's queue.
    pub(super) const fn patience(self) -> Duration {
        match self {
            Self::Carriers => Duration::from_millis(1500),
            Self::Api | Self::Console => Duration::from_secs(3),
            Self::Jobs | Self::Events => Duration::from_secs(10),
        }
    }

    /// How long a statement waits for a locked row on PostgreSQL.
    pub(super) const fn lock_timeout(self) -> &'static str {
        match self {
            // Whoever holds it may have stopped: the webhook is better answered and sent again.
            Self::Carriers => "1500ms",
            // A concurrent twin of a request waits so long for the first.
            Self::Api | Self::Console | Self::Jobs | Self::Events => "5s",
        }
    }

    /// How many writes may wait for SQLite's one writer.
    pub(super) const fn queue(self) -> usize {
        match self {
            Self::Carriers => 2048,
            Self::Api | Self::Jobs | Self::Events => 256,
            Self::Console => 32,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// One thing for each lane.
#[derive(Debug, Clone)]
pub(super) struct PerLane<T>([T; 5]);

impl<T> PerLane<T> {
    pub(super) fn new(make: impl FnMut(Lane) -> T) -> Self {
        Self(Lane::ALL.map(make))
    }

    pub(super) const fn of(&self, lane: Lane) -> &T {
        &self.0[lane.index()]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}
