//! SQLite's one writer: it commits in groups, one fsync for all that wait.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Error, Failure, Tx,
    db::{Conn, Shared},
    meta,
};
use crate::{domain::time::Timestamp, telemetry::metrics};

/// The most writes in one group: bounds how long the first of it waits.
const GROUP_MAX: usize = 256;
/// The most writes that wait; further callers wait before they queue.
const QUEUE_MAX: usize = 4096;
/// How far the stored high-water mark may lag behind the time, in milliseconds.
const MARK_LAG_MS: i64 = 1_000;

/// Hands work to the writer. Cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    tracker: TaskTracker,
}

/// One caller's write.
trait Job: Send {
    /// Does the work; whether its changes are to be kept.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Answers the caller: after the commit, or with what kept it from happening.
    fn answer(self: Box<Self>, committed: Result<(), Error>);
}

struct Work<T, E, F> {
    body: F,
    result: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Work<T, E, F>
where
    T: Send + 'static,
    E: Failure,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        let work = AssertUnwindSafe((self.body)(tx));
        Box::pin(async move {
            let result = match work.catch_unwind().await {
                Ok(result) => result,
                Err(_) => Err(Error::Panicked.into()),
            };
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
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
}

impl Writer {
    /// Starts the writer on its own connection.
    pub(super) async fn start(
        conn: SqliteConnection,
        shared: Arc<Shared>,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let mut tx = Tx { conn: Conn::Sqlite(Box::new(conn)), shared, at: Timestamp::EPOCH };
        let stored = meta::high_water_mark(&mut tx).await?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let own = TaskTracker::new();
        let watermark = Watermark { seen: stored, stored };
        let task = own.track_future(write_groups(tx, jobs, watermark, stop));
        own.close();
        tracker.spawn(task);
        Ok(Self { queue, tracker: own })
    }

    /// Queues `work` and waits for the commit that holds it.
    pub(super) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Work { body: work, result: None, caller });
        let gone = || Error::Unavailable("shutting down".into());
        self.queue.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Waits until the writer has gone.
    pub(super) async fn closed(&self) {
        self.tracker.wait().await;
    }
}

/// The latest time that any transaction has seen: the clock may jump back, our time does not.
struct Watermark {
    seen: Timestamp,
    stored: Timestamp,
}

async fn write_groups(
    mut tx: Tx,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    mut mark: Watermark,
    stop: CancellationToken,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    loop {
        tokio::select! {
            biased;
            count = jobs.recv_many(&mut group, GROUP_MAX) => if count == 0 { break },
            // What is queued is done first; then nothing more is taken.
            () = stop.cancelled() => {
                jobs.close();
                while let Ok(job) = jobs.try_recv() { group.push(job); }
                if group.is_empty() { break }
            }
        }
        let (writes, started) = (u32::try_from(group.len()).unwrap_or(u32::MAX), Instant::now());
        let committed = write_group(&mut tx, &mut group, &mut mark).await;
        metrics::commit(writes, started.elapsed());
        for job in group.drain(..) {
            job.answer(match &committed {
                Ok(()) => Ok(()),
                Err(error) => Err(Error::Unavailable(error.to_string())),
            });
        }
        // Another process that waits for the write lock gets its turn.
        tokio::task::yield_now().await;
    }
    let _ = tx.run("PRAGMA optimize").await;
    if let Conn::Sqlite(conn) = tx.conn {
        let _ = conn.close().await;
    }
}

async fn write_group(
    tx: &mut Tx,
    group: &mut [Box<dyn Job>],
    mark: &mut Watermark,
) -> Result<(), Error> {
    // A group whose commit failed may have left a transaction open.
    if let Err(error) = tx.run("BEGIN IMMEDIATE").await {
        let _ = tx.run("ROLLBACK").await;
        tx.run("BEGIN IMMEDIATE").await.map_err(|_| error)?;
    }
    let result = fill_group(tx, group, mark).await;
    let result = match result {
        Ok(()) => tx.run("COMMIT").await,
        Err(error) => Err(error),
    };
    if result.is_err() {
        let _ = tx.run("ROLLBACK").await;
    }
    result
}

async fn fill_group(
    tx: &mut Tx,
    group: &mut [Box<dyn Job>],
    mark: &mut Watermark,
) -> Result<(), Error> {
    for job in group {
        mark.seen = mark.seen.max(tx.shared.clock.now());
        tx.at = mark.seen;
        tx.run("SAVEPOINT job").await?;
        if !job.run(tx).await {
            tx.run("ROLLBACK TO SAVEPOINT job").await?;
        }
        tx.run("RELEASE SAVEPOINT job").await?;
    }
    if mark.seen.millis() - mark.stored.millis() >= MARK_LAG_MS {
        meta::set_high_water_mark(tx, mark.seen).await?;
        mark.stored = mark.seen;
    }
    Ok(())
}
