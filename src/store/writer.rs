//! SQLite's one writer: it commits in groups, one fsync for all that wait.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, join_all};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Error, Failure, Tx,
    ballast::Room,
    db::{Conn, Shared, Then, attempt},
    lanes::{Lane, PerLane, Rooms},
    meta::{self, STATISTICS},
    turn::Turn,
};
use crate::{
    domain::{audit::By, time::Timestamp},
    telemetry::metrics,
};

/// The most writes in one group: bounds how long the first of it waits.
const GROUP_MAX: usize = 256;
/// The most writes that wait: what all lanes may have together, and then some.
const QUEUE_MAX: usize = 4096;
/// How far the stored high-water mark may lag behind the time, in milliseconds.
const MARK_LAG_MS: i64 = 1_000;
/// How long the writer waits at its end for reads that are under way.
const READERS_GONE: Duration = Duration::from_secs(5);

/// Hands work to the writer. Cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    rooms: Rooms,
    /// Whether only urgent work is written.
    short: watch::Receiver<bool>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// One caller's write.
trait Job: Send {
    /// Does the work; whether its changes are to be kept.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Answers the caller: after the commit, or with what kept it from happening.
    fn answer(self: Box<Self>, committed: Result<(), Error>);
    /// Whether it is written on a full disk too.
    fn is_urgent(&self) -> bool;
}

struct Work<T, E, F> {
    body: F,
    urgent: bool,
    by: Arc<By>,
    result: Option<Result<T, E>>,
    then: Vec<Then>,
    caller: oneshot::Sender<Result<T, E>>,
    _room: OwnedSemaphorePermit,
}

impl<T, E, F> Job for Work<T, E, F>
where
    T: Send + 'static,
    E: Failure,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            tx.then.clear();
            tx.by = Arc::clone(&self.by);
            let result = attempt(tx, &mut self.body).await;
            self.then = std::mem::take(&mut tx.then);
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
        if committed.is_ok() && matches!(self.result, Some(Ok(_))) {
            self.then.into_iter().for_each(|then| then());
        }
        let answer = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            // What failed by itself was never to be kept: its own error says more.
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(Error::Panicked.into()),
        };
        // A caller that went away does not want it.
        let _ = self.caller.send(answer);
    }

    fn is_urgent(&self) -> bool {
        self.urgent
    }
}

impl Writer {
    /// Starts the writer on its own connection. It goes after `stop`, and closes the `readers`
    /// before its connection: only who can write can fold the log into the file, and only the last
    /// connection does.
    pub(super) async fn start(
        conn: SqliteConnection,
        readers: PerLane<SqlitePool>,
        (turn, disk): (Turn, Room),
        shared: Arc<Shared>,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Self, Error> {
        let conn = Conn::Sqlite(Box::new(conn));
        let mut tx = Tx::over(conn, shared, Timestamp::EPOCH, Arc::new(By::RELAY));
        // A planner that knows nothing of the tables reads too much. Without room it goes on so.
        let _ = tx.control(STATISTICS).await;
        let stored = meta::high_water_mark(&mut tx).await?;
        tx.shared.time.not_before(stored);
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let (own, stop) = (TaskTracker::new(), stop.child_token());
        let short = disk.short();
        let groups = Groups { tx, turn, disk, stored };
        let task = own.track_future(groups.write(jobs, readers, stop.clone()));
        own.close();
        tracker.spawn(task);
        Ok(Self { queue, rooms: Rooms::new(), short, tracker: own, stop })
    }

    /// Whether only urgent work is written, since the disk is full: tells of each change.
    pub(super) fn short(&self) -> watch::Receiver<bool> {
        self.short.clone()
    }

    /// Queues `work` and waits for the commit that holds it.
    pub(super) async fn run<T, E, F>(
        &self,
        lane: Lane,
        urgent: bool,
        by: Arc<By>,
        work: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        if *self.short.borrow() && !urgent {
            return Err(disk_full().into());
        }
        let room = self.rooms.enter(lane).await?;
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Work {
            body: work,
            urgent,
            by,
            result: None,
            then: Vec::new(),
            caller,
            _room: room,
        });
        let gone = || Error::Unavailable("shutting down".into());
        self.queue.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Ends what is queued, and waits until the writer has gone.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.tracker.wait().await;
    }
}

fn disk_full() -> Error {
    Error::Unavailable("the disk is full".into())
}

/// Answers what can wait until there is room, and leaves what is urgent.
fn put_off(group: &mut Vec<Box<dyn Job>>) {
    for job in group.extract_if(.., |job| !job.is_urgent()) {
        job.answer(Err(disk_full()));
    }
}

/// What the writer works with.
struct Groups {
    tx: Tx,
    turn: Turn,
    disk: Room,
    /// The latest time that is stored: what a restart goes on from.
    stored: Timestamp,
}

impl Groups {
    async fn write(
        mut self,
        mut jobs: mpsc::Receiver<Box<dyn Job>>,
        readers: PerLane<SqlitePool>,
        stop: CancellationToken,
    ) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            tokio::select! {
                biased;
                // Nothing more is taken; what is queued is done.
                () = stop.cancelled(), if !jobs.is_closed() => {
                    jobs.close();
                    continue;
                }
                () = self.disk.look_is_due() => {
                    self.disk.look().await;
                    continue;
                }
                count = jobs.recv_many(&mut group, GROUP_MAX) => if count == 0 { break },
            }
            self.work_off(&mut group).await;
        }
        self.end(readers).await;
    }

    /// Does the work of a group and answers it. What is urgent in it is done on a full disk too: in
    /// the room that the ballast gave up, and without what can wait.
    async fn work_off(&mut self, group: &mut Vec<Box<dyn Job>>) {
        if self.disk.is_short() {
            put_off(group);
        }
        if group.is_empty() {
            return;
        }
        let (writes, started) = (u32::try_from(group.len()).unwrap_or(u32::MAX), Instant::now());
        let mut committed = self.commit(group, MARK_LAG_MS).await;
        if self.tx.full && self.disk.run_out() {
            put_off(group);
            committed = self.commit(group, MARK_LAG_MS).await;
        }
        metrics::commit(writes, started.elapsed());
        for job in group.drain(..) {
            job.answer(match &committed {
                Ok(()) => Ok(()),
                Err(error) => Err(Error::Unavailable(error.to_string())),
            });
        }
    }

    /// Stores the time and closes. None of it loses a write if it fails.
    async fn end(mut self, readers: PerLane<SqlitePool>) {
        let _ = self.tx.control("PRAGMA busy_timeout = 1000").await;
        let _ = self.commit(&mut [], 1).await;
        let _ = self.tx.control(STATISTICS).await;
        let closing = join_all(readers.iter().map(sqlx::Pool::close));
        let _ = tokio::time::timeout(READERS_GONE, closing).await;
        if let Conn::Sqlite(conn) = self.tx.conn {
            let _ = conn.close().await;
        }
    }

    /// Does the work of a group in one transaction; the time is stored with it if what is stored
    /// lags behind by `lag_ms` or more.
    async fn commit(&mut self, group: &mut [Box<dyn Job>], lag_ms: i64) -> Result<(), Error> {
        self.tx.full = false;
        self.turn.begin().await;
        let begun = self.begin().await;
        self.turn.end();
        begun?;
        let result = match self.fill(group, lag_ms).await {
            Ok(mark) => self.tx.control("COMMIT").await.map(|()| mark),
            Err(error) => Err(error),
        };
        if result.is_err() {
            let _ = self.tx.control("ROLLBACK").await;
        }
        self.stored = result?;
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), Error> {
        match self.tx.control("BEGIN IMMEDIATE").await {
            // A group whose end failed may have left a transaction open.
            Err(Error::Statement(_)) => {
                self.tx.control("ROLLBACK").await?;
                self.tx.control("BEGIN IMMEDIATE").await
            }
            other => other,
        }
    }

    /// Runs the group's jobs, each in its savepoint; the time that is stored afterwards.
    async fn fill(&mut self, group: &mut [Box<dyn Job>], lag_ms: i64) -> Result<Timestamp, Error> {
        let tx = &mut self.tx;
        for job in group {
            tx.at = tx.shared.time.now();
            tx.control("SAVEPOINT job").await?;
            if !job.run(tx).await {
                tx.control("ROLLBACK TO SAVEPOINT job").await?;
            }
            tx.control("RELEASE SAVEPOINT job").await?;
            if tx.full {
                return Err(disk_full());
            }
        }
        let seen = tx.shared.time.now();
        if seen.millis() - self.stored.millis() < lag_ms {
            return Ok(self.stored);
        }
        meta::set_high_water_mark(tx, seen).await?;
        Ok(seen)
    }
}
