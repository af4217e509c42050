//! Opens the database: for a command, or to serve from it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Environment, StartError, settings_faults};
use crate::{
    clock::Clock,
    config::{Config, Faults},
    ids::Ids,
    privacy::{self, Keyring, MasterKey},
    relay::{self, Doubt},
    store::{
        self, Db, DbOptions, Engine, EpochFile, ServeLock, erasures,
        master_keys::Opener,
        moving::{self, Standing},
    },
    telemetry::metrics,
};

/// How many PostgreSQL connections each lane of a node may hold: 40 in all, of the 100 that a server
/// takes by default.
const CONNECTIONS: u32 = 8;

/// How long a server that ends waits to say so.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// The master keys of these settings.
///
/// # Errors
/// [`StartError::MasterKey`].
pub fn keyring(config: &Config) -> Result<Keyring, StartError> {
    let current = MasterKey::from_bytes(*config.master_key.expose())?;
    let previous = config.previous_master_keys.iter();
    let previous = previous.map(|key| MasterKey::from_bytes(*key.expose()));
    Ok(Keyring::with_previous(current, previous.collect::<Result<Vec<_>, _>>()?))
}

/// A database that was opened for a while: what a command needs.
#[derive(Debug)]
pub struct Opened {
    /// The database.
    pub db: Db,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Opened {
    /// Opens the database of these settings, migrates it and checks that the master keys fit.
    ///
    /// # Errors
    /// [`StartError::MasterKey`] and [`StartError::Store`]; [`StartError::UnknownKey`] and
    /// [`StartError::Keys`]; [`StartError::Moving`] and [`StartError::Moved`] if it is, or was, moved
    /// to another database.
    pub async fn open(config: &Config, clock: &Clock, ids: &Ids) -> Result<Self, StartError> {
        let opened = Self::open_with(config, clock, ids, 0).await?.standing().await?;
        opened.claimed(Opener::Command).await
    }

    /// Holds the master keys against the database.
    async fn claimed(self, opener: Opener) -> Result<Self, StartError> {
        match self.claim(opener).await {
            Ok(()) => Ok(self),
            Err(error) => {
                self.close().await;
                Err(error)
            }
        }
    }

    async fn claim(&self, opener: Opener) -> Result<(), StartError> {
        self.db.claim(opener).await.map_err(|error| match error {
            store::Error::Sealed(privacy::Error::UnknownKey { id }) => StartError::UnknownKey(id),
            store::Error::Keys(refusal) => StartError::Keys(refusal),
            other => other.into(),
        })
    }

    /// Refuses one that is, or was, moved to another database.
    async fn standing(self) -> Result<Self, StartError> {
        let opened = self;
        let standing = async { moving::standing(&mut opened.db.read().await?).await };
        let refused = match standing.await {
            Ok(None) => return Ok(opened),
            Ok(Some(Standing::UnderWay)) => StartError::Moving,
            Ok(Some(Standing::Done(to))) => StartError::Moved(to),
            Err(error) => error.into(),
        };
        opened.close().await;
        Err(refused)
    }

    /// The same, for who moves the database: it may be under way, or done.
    ///
    /// # Errors
    /// As [`Opened::open`], but for the last two.
    pub async fn open_moving(
        config: &Config,
        clock: &Clock,
        ids: &Ids,
    ) -> Result<Self, StartError> {
        Self::open_with(config, clock, ids, 0).await?.claimed(Opener::Command).await
    }

    async fn open_with(
        config: &Config,
        clock: &Clock,
        ids: &Ids,
        ballast: u64,
    ) -> Result<Self, StartError> {
        let keyring = keyring(config)?;
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let options = DbOptions {
            url: config.database_url.expose().to_owned(),
            clock: clock.clone(),
            ids: ids.clone(),
            keyring: Arc::new(keyring),
            connections: CONNECTIONS,
            permits: config.numbers.allow.clone(),
            bounds: Arc::new(config.abuse.clone()),
            ballast,
        };
        let db = Db::open(options, &tracker, stop.clone()).await?;
        db.keep_for(config.retention.clone());
        Ok(Self { db, tracker, stop })
    }

    /// Ends what is queued and closes the database.
    pub async fn close(self) {
        // A database that does not answer is not waited for: what is not taken back lapses.
        match tokio::time::timeout(LEAVE_MAX, self.db.leave_keys()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the keys of this server count for a minute more");
            }
            Err(_) => tracing::warn!("the keys of this server count for a minute more"),
        }
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        self.db.close().await;
    }
}

/// How long a server waits for a PostgreSQL that does not answer, or has no connection left: longer
/// than one takes to start, or a standby to take over.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it rests before it tries again.
const REST: Duration = Duration::from_secs(1);

/// A database that nobody else serves on this file, and that was neither moved nor restored.
#[derive(Debug)]
pub struct Served {
    pub(super) opened: Opened,
    pub(super) lock: ServeLock,
}

impl Served {
    /// Opens the database of these settings to serve from it. A PostgreSQL that does not answer is
    /// waited for, a minute at most.
    ///
    /// # Errors
    /// [`StartError::Settings`] with every fault at once; [`StartError::AlreadyServing`];
    /// [`StartError::Restored`]; those of [`Opened::open`].
    pub async fn open(config: &Config, environment: &Environment) -> Result<Self, StartError> {
        let faults = settings_faults(config);
        if !faults.is_empty() {
            return Err(Faults(faults).into());
        }
        // Before anything counts.
        let _ = metrics::handle();
        // A file that does not open now will not by itself.
        let patience = if config.database_url.expose().starts_with("sqlite:") {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let until = Instant::now() + patience;
        loop {
            match Self::open_once(config, environment).await {
                Err(StartError::Store(store::Error::Unavailable(reason)))
                    if Instant::now() + REST < until =>
                {
                    tracing::warn!(reason, "waiting for the database");
                    tokio::time::sleep(REST).await;
                }
                done => return done,
            }
        }
    }

    async fn open_once(config: &Config, environment: &Environment) -> Result<Self, StartError> {
        let Environment { clock, ids, .. } = environment;
        let opened = Opened::open_with(config, clock, ids, config.sqlite.ballast).await?;
        let opened = opened.standing().await?;
        let opener = match opened.db.engine() {
            Engine::Sqlite => Opener::OnlyServer,
            Engine::Postgres => Opener::Server,
        };
        let lock = match opened.db.lock_for_serving() {
            Ok(lock) => match opened.claim(opener).await {
                Ok(()) => settle_in(&opened.db, config).await.map(|()| lock),
                Err(error) => Err(error),
            },
            Err(store::Error::Locked) => Err(StartError::AlreadyServing),
            Err(other) => Err(other.into()),
        };
        match lock {
            Ok(lock) => Ok(Self { opened, lock }),
            Err(error) => {
                opened.close().await;
                Err(error)
            }
        }
    }

    /// Ends what is queued and closes the database, where nothing was started on it.
    pub async fn close(self) {
        self.opened.close().await;
    }
}

/// How many entries of the erasure list the database does not know. Refuses one that knows of erasures where
/// the list is not there.
async fn listed(db: &Db, config: &Config) -> Result<usize, StartError> {
    let mut tx = db.read().await?;
    let any = erasures::any_listed(&mut tx).await?;
    match super::erasing(config).list {
        Some(list) if list.exists() => Ok(relay::unknown_erasures(&mut tx, &list.read()?).await?),
        Some(list) if any => Err(StartError::ErasureList(list.path().display().to_string())),
        None if any => Err(StartError::ErasureList("any place (`erasure_list` is not set)".into())),
        _ => Ok(0),
    }
}

/// Refuses a database that was restored or moved; notes that it is served from here.
async fn settle_in(db: &Db, config: &Config) -> Result<(), StartError> {
    let erased = listed(db, config).await?;
    let file = db.epoch_file();
    let known = file.as_ref().map_or(Ok(0), EpochFile::read)?;
    let epoch = db
        .urgent()
        .write(move |tx| {
            Box::pin(async move {
                let doubt = match erased {
                    0 => relay::doubt(tx, known).await?,
                    unknown => Some(Doubt::Erased(unknown)),
                };
                match doubt {
                    Some(doubt) => Err(StartError::Restored(doubt)),
                    None => Ok(relay::settle_here(tx, known).await?),
                }
            })
        })
        .await?;
    if let Some(file) = file {
        file.raise(epoch)?;
    }
    let changed = relay::judge_numbers(db).await?;
    if changed > 0 {
        tracing::warn!(changed, "numbers stand otherwise by the rules of docs/numbering.md");
    }
    Ok(())
}
