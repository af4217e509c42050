//! Whose work a transaction is. Each lane has connections and patience of its own, so that a flood
//! in one starves no other.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;

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

    /// How many writes may wait for SQLite's one writer, or for PostgreSQL's connections.
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

/// How many writes of each lane may wait or be done at once.
#[derive(Debug, Clone)]
pub(super) struct Rooms(PerLane<Arc<Semaphore>>);

impl Rooms {
    pub(super) fn new() -> Self {
        Self(PerLane::new(|lane| Arc::new(Semaphore::new(lane.queue()))))
    }

    /// Room for one write. It is the write's, not its caller's: one that goes away leaves its work
    /// behind, and who comes again would leave more and more of it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there is none for as long as the lane is patient.
    pub(super) async fn enter(&self, lane: Lane) -> Result<OwnedSemaphorePermit, Error> {
        let room = Arc::clone(self.0.of(lane)).acquire_owned();
        match tokio::time::timeout(lane.patience(), room).await {
            Ok(Ok(room)) => Ok(room),
            _ => Err(Error::Unavailable("too many writes wait".into())),
        }
    }
}
