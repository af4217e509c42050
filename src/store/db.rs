//! One handle for two engines: `Db` opens transactions, `Tx` runs statements.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Error,
    accounts::AccountKeys,
    epoch::EpochFile,
    lanes::{Lane, PerLane, Rooms},
    master_keys::Keys,
    mishaps::{Mishap, Mishaps, failing},
    open,
    retention::Terms,
    time::Time,
    writer::Writer,
};
use crate::{
    clock::Clock,
    domain::{abuse::Bounds, audit::By, phone::Permits, time::Timestamp},
    ids::{AccountId, Id, Ids},
    privacy::Keyring,
};

/// How often a transaction that lost against another on PostgreSQL is run again.
const ATTEMPTS_MAX: u32 = 8;

/// Which engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, embedded: one node.
    Sqlite,
    /// PostgreSQL: any number of nodes.
    Postgres,
}

/// What a store needs besides its address.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Time, on SQLite; on PostgreSQL only its shift against the system's.
    pub clock: Clock,
    /// Makes ids.
    pub ids: Ids,
    /// Seals and opens.
    pub keyring: Arc<Keyring>,
    /// How many connections each lane may hold.
    pub connections: u32,
    /// Numbers that may join a pool against a rule, whichever way they come.
    pub permits: Permits,
    /// What holds abuse and cost in bounds, whichever way somebody comes.
    pub bounds: Arc<Bounds>,
    /// Room in bytes that is kept back beside a SQLite file for urgent writes on a full disk; 0 for
    /// none. For a server: a command needs none.
    pub ballast: u64,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pub(super) shared: Arc<Shared>,
    doors: Doors,
    lane: Lane,
    urgent: bool,
    by: Arc<By>,
    mishaps: Option<Arc<dyn Mishaps>>,
}

#[derive(Clone)]
pub(super) enum Doors {
    Sqlite { readers: PerLane<SqlitePool>, writer: Writer, path: PathBuf },
    Postgres { pools: PerLane<PgPool>, rooms: Rooms, tracker: TaskTracker },
}

/// What each transaction carries.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) ids: Ids,
    pub(super) keys: Keys,
    pub(super) permits: Permits,
    bounds: Arc<Bounds>,
    pub(super) time: Time,
    pub(super) terms: Terms,
    /// Whether anything was ever owed to an endpoint here.
    owed: AtomicBool,
    /// Accounts' keys never change while a process runs.
    account_keys: RwLock<HashMap<AccountId, Arc<AccountKeys>>>,
}

/// How many accounts' keys are kept at hand; with more, all are read again.
const ACCOUNT_KEYS_MAX: usize = 10_000;

impl Shared {
    pub(super) fn new(options: &DbOptions) -> Self {
        Self {
            clock: options.clock.clone(),
            ids: options.ids.clone(),
            keys: Keys::new(&options.keyring),
            permits: options.permits.clone(),
            bounds: Arc::clone(&options.bounds),
            time: Time::new(&options.clock),
            terms: Terms::default(),
            owed: AtomicBool::new(false),
            account_keys: RwLock::default(),
        }
    }

    pub(super) fn cached_keys(&self, id: &AccountId) -> Option<Arc<AccountKeys>> {
        self.account_keys.read().ok()?.get(id).cloned()
    }

    pub(super) fn forget_keys(&self, id: &AccountId) {
        if let Ok(mut cache) = self.account_keys.write() {
            cache.remove(id);
        }
    }

    pub(super) fn cache_keys(&self, id: &AccountId, keys: &Arc<AccountKeys>) {
        if let Ok(mut cache) = self.account_keys.write() {
            if cache.len() >= ACCOUNT_KEYS_MAX {
                cache.clear();
            }
            cache.insert(id.clone(), Arc::clone(keys));
        }
    }
}

/// An open transaction.
pub struct Tx {
    pub(super) conn: Conn,
    pub(super) shared: Arc<Shared>,
    /// SQLite: the time of this transaction. PostgreSQL: asked for.
    pub(super) at: Timestamp,
    /// Whether a statement failed: then PostgreSQL refuses all others and rolls back at a commit
    /// without a word. SQLite would go on; here neither does.
    pub(super) doomed: bool,
    /// Whether a statement failed because the disk below SQLite is full.
    pub(super) full: bool,
    pub(super) then: Vec<Then>,
    /// Who does this, and why.
    pub(super) by: Arc<By>,
}

/// What follows a commit.
pub(super) type Then = Box<dyn FnOnce() + Send + Sync>;

pub(super) enum Conn {
    /// The writer's own connection, inside its group.
    Sqlite(Box<SqliteConnection>),
    /// A reader's transaction.
    SqliteRead(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Expands the body once per engine, so that the same text is checked against both drivers. An
/// error of the body dooms the transaction.
macro_rules! on {
    ($tx:expr, |$conn:ident| $body:expr) => {{
        $tx.usable()?;
        let done: Result<_, sqlx::Error> = match &mut $tx.conn {
            $crate::store::db::Conn::Sqlite(c) => {
                let $conn = &mut **c;
                async { Ok($body) }.await
            }
            $crate::store::db::Conn::SqliteRead(c) => {
                let $conn = &mut **c;
                async { Ok($body) }.await
            }
            $crate::store::db::Conn::Postgres(c) => {
                let $conn = &mut **c;
                async { Ok($body) }.await
            }
        };
        $tx.settle(done)?
    }};
}
pub(crate) use on;

/// An error that a transaction's work may end with.
pub trait Failure: From<Error> + Send + 'static {
    /// The store's error, if it is one: a transient one makes the transaction run again.
    fn store(&self) -> Option<&Error>;
}

impl Failure for Error {
    fn store(&self) -> Option<&Error> {
        Some(self)
    }
}

/// Held while a server runs on a SQLite file: a second server is refused.
#[derive(Debug)]
pub struct ServeLock {
    _file: Option<File>,
}

impl Db {
    /// Opens the database, makes it if it is a SQLite file that is not there, and migrates it
    /// under a lock of its own: two nodes that start at once migrate once.
    ///
    /// `tracker` and `stop` are the writer's: after `stop` it ends what is queued and goes.
    ///
    /// # Errors
    /// [`Error::Statement`] for an address that is neither `sqlite:` nor `postgres:`, a SQLite that
    /// is too old or a migration that fails; [`Error::Unavailable`] where nothing answers.
    pub async fn open(
        options: DbOptions,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared::new(&options));
        let doors = if options.url.starts_with("sqlite:") {
            open::sqlite(&options, &shared, tracker, stop).await?
        } else if options.url.starts_with("postgres:") || options.url.starts_with("postgresql:") {
            open::postgres(&options, tracker).await?
        } else {
            return Err(Error::Statement(
                "the database's address must start with sqlite: or postgres:".into(),
            ));
        };
        let by = Arc::new(By::RELAY);
        Ok(Self { shared, doors, lane: Lane::Api, urgent: false, by, mishaps: None })
    }

    /// The same database, where writes go wrong as `mishaps` says.
    #[must_use]
    pub fn with_mishaps(&self, mishaps: Arc<dyn Mishaps>) -> Self {
        Self { mishaps: Some(mishaps), ..self.clone() }
    }

    /// The same database for somebody else's work.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Self {
        Self { lane, ..self.clone() }
    }

    /// The same database for work that is written on a full disk too: what ends or blocks a contact,
    /// and what a start needs. On PostgreSQL it is like any other.
    #[must_use]
    pub fn urgent(&self) -> Self {
        Self { urgent: true, ..self.clone() }
    }

    /// The same database for what somebody does: the audit log names them. Without this it is the relay
    /// itself.
    #[must_use]
    pub fn by(&self, by: impl Into<By>) -> Self {
        Self { by: Arc::new(by.into()), ..self.clone() }
    }

    /// Whether only urgent work is written, since the disk below SQLite is full: tells of each
    /// change. `None` on PostgreSQL, whose disk is not ours.
    pub fn short_of_room(&self) -> Option<watch::Receiver<bool>> {
        match &self.doors {
            Doors::Sqlite { writer, .. } => Some(writer.short()),
            Doors::Postgres { .. } => None,
        }
    }

    /// Which engine runs.
    pub const fn engine(&self) -> Engine {
        match self.doors {
            Doors::Sqlite { .. } => Engine::Sqlite,
            Doors::Postgres { .. } => Engine::Postgres,
        }
    }

    /// What holds abuse and cost in bounds.
    pub fn bounds(&self) -> &Bounds {
        &self.shared.bounds
    }

    /// Whether this process may have owed anything to endpoints since it started: whoever looks for
    /// it after each commit need not, where no marketplace has any.
    pub fn may_owe(&self) -> bool {
        self.shared.owed.load(Ordering::Relaxed)
    }

    /// Claims the database for a server. On PostgreSQL any number may serve.
    ///
    /// # Errors
    /// [`Error::Locked`] if another server runs on the same SQLite file; [`Error::Unavailable`] if
    /// its file system has no locks.
    pub fn lock_for_serving(&self) -> Result<ServeLock, Error> {
        let Doors::Sqlite { path, .. } = &self.doors else { return Ok(ServeLock { _file: None }) };
        let file = open::lock_file(path, "serve")?;
        match file.try_lock() {
            Ok(()) => Ok(ServeLock { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked),
            Err(TryLockError::Error(error)) => Err(open::lock_error(&error)),
        }
    }

    /// Where the epoch is noted outside of the database: beside a SQLite file. On PostgreSQL
    /// nowhere, since no node's disk outlives all the others.
    pub fn epoch_file(&self) -> Option<EpochFile> {
        match &self.doors {
            Doors::Sqlite { path, .. } => Some(EpochFile::beside(path)),
            Doors::Postgres { .. } => None,
        }
    }

    /// This node's clock, for what leaves it. Nothing that is stored is judged by it.
    pub fn clock(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// How much time has passed since [`Tx::passed`] was read.
    pub fn since(&self, passed: Duration) -> Duration {
        self.shared.time.passed().saturating_sub(passed)
    }

    /// Opens a transaction that only reads: one snapshot.
    pub async fn read(&self) -> Result<Tx, Error> {
        let at = self.shared.time.now();
        let conn = match &self.doors {
            Doors::Sqlite { readers, .. } => Conn::SqliteRead(readers.of(self.lane).begin().await?),
            Doors::Postgres { pools, .. } => Conn::Postgres(
                pools
                    .of(self.lane)
                    .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    .await?,
            ),
        };
        Ok(Tx::over(conn, Arc::clone(&self.shared), at, Arc::clone(&self.by)))
    }

    /// Runs `work` in a transaction and commits it; an error rolls it back. May run `work` again.
    ///
    /// On SQLite all writes go through one writer that commits in groups: each has a savepoint of
    /// its own, and is answered only after the commit that holds its work.
    ///
    /// A caller that goes away does not stop its work: under load what was begun and thrown away
    /// would be begun again, and nothing would ever be done.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let lost = || Err(Error::Unavailable("a simulated mishap".into()).into());
        match self.mishaps.as_ref().and_then(|mishaps| mishaps.next()) {
            None => self.commit(work).await,
            Some(Mishap::BeforeCommit) => self.commit(failing(work)).await,
            Some(Mishap::AnswerLost) => self.commit(work).await.and_then(|_| lost()),
            Some(Mishap::HeldUp(pause)) => {
                let done = self.commit(work).await;
                self.shared.clock.advance(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
                done
            }
        }
    }

    async fn commit<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        match &self.doors {
            Doors::Sqlite { writer, .. } => {
                writer.run(self.lane, self.urgent, Arc::clone(&self.by), work).await
            }
            Doors::Postgres { pools, rooms, tracker } => {
                let room = rooms.enter(self.lane).await?;
                let (pool, shared) = (pools.of(self.lane).clone(), Arc::clone(&self.shared));
                let by = Arc::clone(&self.by);
                let task = tracker.spawn(async move {
                    let _room = room;
                    write_postgres(pool, (shared, by), work).await
                });
                task.await.unwrap_or_else(|_| Err(Error::Panicked.into()))
            }
        }
    }

    /// Ends what is queued and the pools, and waits for it. On SQLite the log is folded into the
    /// file, unless another process uses it.
    pub async fn close(&self) {
        match &self.doors {
            Doors::Sqlite { writer, .. } => writer.close().await,
            Doors::Postgres { pools, .. } => {
                for pool in pools.iter() {
                    pool.close().await;
                }
            }
        }
    }
}

/// Does the work of one write, and says whether its changes may be kept: not after a panic, and
/// not after a failed statement that the work passed over.
pub(super) async fn attempt<T, E, F>(tx: &mut Tx, work: &mut F) -> Result<T, E>
where
    E: Failure,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
{
    let lent = &mut *tx;
    let work = async move {
        let work = work(lent);
        work.await
    };
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    match caught {
        Ok(Ok(_)) if tx.doomed => {
            Err(Error::Statement("a failed statement was passed over".into()).into())
        }
        Ok(result) => result,
        Err(_) => Err(Error::Panicked.into()),
    }
}

async fn write_postgres<T, E, F>(
    pool: PgPool,
    (shared, by): (Arc<Shared>, Arc<By>),
    mut work: F,
) -> Result<T, E>
where
    E: Failure,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
{
    let mut attempts = 0;
    loop {
        attempts += 1;
        let conn = Conn::Postgres(pool.begin().await.map_err(Error::from)?);
        let (lent, by) = (Arc::clone(&shared), Arc::clone(&by));
        let mut tx = Tx::over(conn, lent, Timestamp::EPOCH, by);
        let result = attempt(&mut tx, &mut work).await;
        let Conn::Postgres(transaction) = tx.conn else { return Err(Error::Transient.into()) };
        let error = match result {
            Ok(value) => match transaction.commit().await.map_err(Error::from) {
                Ok(()) => {
                    tx.then.into_iter().for_each(|then| then());
                    return Ok(value);
                }
                Err(error) => E::from(error),
            },
            Err(error) => {
                // Nothing is lost if this fails: the server rolls back what it does not hear of.
                let _ = transaction.rollback().await;
                error
            }
        };
        if !matches!(error.store(), Some(Error::Transient)) {
            return Err(error);
        }
        if attempts == ATTEMPTS_MAX {
            return Err(Error::Unavailable("too many transactions at once".into()).into());
        }
        let mut random = [0; 1];
        shared.ids.fill(&mut random);
        let spread = u64::from(random[0]) % (u64::from(attempts) * 8);
        tokio::time::sleep(Duration::from_millis(spread)).await;
    }
}

impl Tx {
    pub(super) const fn over(conn: Conn, shared: Arc<Shared>, at: Timestamp, by: Arc<By>) -> Self {
        Self { conn, shared, at, doomed: false, full: false, then: Vec::new(), by }
    }

    /// Does this once the transaction is committed, and not at all if it is not: what is counted
    /// inside of it would be counted again each time that it is tried again (I30). Of a commit whose
    /// answer was lost nobody knows; it counts as none.
    pub fn on_commit(&mut self, then: impl FnOnce() + Send + Sync + 'static) {
        self.then.push(Box::new(then));
    }

    /// The time, as the database tells it: on PostgreSQL its own clock, read now (call it after
    /// taking locks); on SQLite the injected clock, never behind what it once was.
    pub async fn now(&mut self) -> Result<Timestamp, Error> {
        const SQL: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let Conn::Postgres(tx) = &mut self.conn else { return Ok(self.at) };
        let ms: i64 = sqlx::query_scalar(SQL).fetch_one(&mut **tx).await?;
        let now = Timestamp::from_millis(ms + self.shared.clock.offset_ms());
        self.shared.time.told(now);
        Ok(now)
    }

    /// What may be given to others at `now` was free by then: without what the clock was set forward
    /// by, where that is more than an hour (I28). A restart believes the clock.
    pub fn certain(&self, now: Timestamp) -> Timestamp {
        now - self.shared.time.ahead()
    }

    /// How much time has passed since the process began: for [`Db::since`], to measure what no
    /// setting of a clock may change.
    pub fn passed(&self) -> Duration {
        self.shared.time.passed()
    }

    /// A new id, made now.
    pub async fn id<I: Id>(&mut self) -> Result<I, Error> {
        let now = self.now().await?;
        Ok(self.shared.ids.make(now))
    }

    /// A new id for an instant that was read already.
    pub fn id_at<I: Id>(&self, now: Timestamp) -> I {
        self.shared.ids.make(now)
    }

    /// Fills `bytes` with random ones.
    pub fn random(&self, bytes: &mut [u8]) {
        self.shared.ids.fill(bytes);
    }

    /// What holds abuse and cost in bounds.
    pub fn bounds(&self) -> Arc<Bounds> {
        Arc::clone(&self.shared.bounds)
    }

    /// Notes that `rows` deliveries are owed.
    pub(super) fn owes(&self, rows: u64) {
        if rows > 0 {
            self.shared.owed.store(true, Ordering::Relaxed);
        }
    }

    /// Sets a mark that [`Tx::rollback_to_mark`] goes back to. Marks do not nest.
    pub async fn mark(&mut self) -> Result<(), Error> {
        self.run("SAVEPOINT mark").await
    }

    /// Undoes everything since the mark, a failed statement too.
    pub async fn rollback_to_mark(&mut self) -> Result<(), Error> {
        self.control("ROLLBACK TO SAVEPOINT mark").await?;
        self.release_mark().await
    }

    /// Keeps everything since the mark.
    pub async fn release_mark(&mut self) -> Result<(), Error> {
        self.run("RELEASE SAVEPOINT mark").await
    }

    /// How the rows that a statement reads are locked until the transaction ends. SQLite has one
    /// writer and no such clause.
    pub(super) const fn locks(&self) -> bool {
        matches!(self.conn, Conn::Postgres(_))
    }

    /// Whether statements may still run.
    pub(super) fn usable(&self) -> Result<(), Error> {
        if self.doomed {
            return Err(Error::Statement("an earlier statement of the transaction failed".into()));
        }
        Ok(())
    }

    /// Notes how a statement ended.
    pub(super) fn settle<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, Error> {
        self.doomed = done.is_err();
        let done = done.map_err(Error::from);
        self.full |= matches!(&done, Err(error) if error.is_full());
        done
    }

    /// Runs a statement that begins or ends something, whatever failed before it.
    pub(super) async fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        self.doomed = false;
        self.run(sql).await
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), Error> {
        on!(self, |conn| {
            sqlx::query(sql).execute(conn).await?;
        });
        Ok(())
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({:?})", self.engine())
    }
}
