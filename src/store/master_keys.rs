//! Which master keys a database knows, who holds them, and what may be opened with which.

use std::sync::{Arc, OnceLock};

use super::{
    Db, Error, Tx,
    db::on,
    meta::{self, KEY_ID},
    moving, rewrap,
};
use crate::{
    domain::time::Timestamp,
    ids::hex,
    privacy::{self, Keyring, LASTING, LASTING_BYTES, Lasting},
};

/// For how long a server counts that was not heard of: four times as long as it says nothing.
const HOLDS_MS: i64 = 60_000;
/// The first schema whose builds know lasting secrets and several master keys.
const SCHEMA: i64 = 21;

/// Why a database is not opened with these master keys although they open what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The current key was rotated out.
    #[error("master key {id} was rotated out: nothing may be wrapped by it again")]
    Retired {
        /// The key's id.
        id: String,
    },
    /// A server runs that could not open what the current key wraps.
    #[error("a server runs without master key {id}, and could open nothing that it wraps")]
    Unheld {
        /// The current key's id.
        id: String,
    },
    /// A server runs that still wraps by another key.
    #[error("a server still wraps by master key {id}")]
    InUse {
        /// That key's id.
        id: String,
    },
}

/// The keyring of a database that was opened, and the seat of whoever serves from it.
pub(super) struct Keys {
    given: Arc<Keyring>,
    claimed: OnceLock<Arc<Keyring>>,
    seat: OnceLock<String>,
}

impl Keys {
    pub(super) fn new(given: &Arc<Keyring>) -> Self {
        Self { given: Arc::clone(given), claimed: OnceLock::new(), seat: OnceLock::new() }
    }

    fn ring(&self) -> &Arc<Keyring> {
        self.claimed.get().unwrap_or(&self.given)
    }
}

/// Who opens a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// A command: it is not waited for.
    Command,
    /// A server, beside others.
    Server,
    /// A server which is the only one: on a SQLite file, once it has the lock.
    OnlyServer,
}

/// A master key that was ever current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// Since when it is known.
    pub known_at: Timestamp,
    /// Since when nothing may be wrapped by it.
    pub retired_at: Option<Timestamp>,
    /// Since when nothing is.
    pub unused_at: Option<Timestamp>,
    /// When somebody said that it was destroyed.
    pub destroyed_at: Option<Timestamp>,
}

impl Db {
    /// The keyring that seals.
    pub fn keyring(&self) -> &Arc<Keyring> {
        self.shared.keys.ring()
    }

    /// Holds the master keys against the database, and learns its lasting secrets: before anything
    /// is hashed, signed or sealed. The first key that a fresh database sees is its own.
    ///
    /// # Errors
    /// [`Error::Sealed`] if something is wrapped, or will be, by a key that is not in the ring;
    /// [`Error::Keys`] if the current one was rotated out, or a running server does not hold it.
    pub async fn claim(&self, opener: Opener) -> Result<(), Error> {
        let (lasting, seat) =
            self.urgent().write(move |tx| Box::pin(async move { claim(tx, opener).await })).await?;
        let ring = self.keyring().with_lasting(&lasting);
        let _ = self.shared.keys.claimed.set(Arc::new(ring));
        if let Some(seat) = seat {
            let _ = self.shared.keys.seat.set(seat);
        }
        Ok(())
    }

    /// Says that this server runs and which keys it holds; whether they still fit the database.
    ///
    /// # Errors
    /// As [`Db::claim`], where another node has gone on without this one.
    pub async fn hold_keys(&self) -> Result<(), Error> {
        let Some(seat) = self.shared.keys.seat.get().cloned() else { return Ok(()) };
        self.urgent()
            .write(move |tx| {
                let seat = seat.clone();
                Box::pin(async move {
                    sit(tx, &seat).await?;
                    // What does not fit is told, and it is still there.
                    Ok::<_, Error>(fits(tx).await.err())
                })
            })
            .await?
            .map_or(Ok(()), Err)
    }

    /// Says that this server has ended: its keys no longer count.
    pub async fn leave_keys(&self) -> Result<(), Error> {
        const SQL: &str = "DELETE FROM key_holders WHERE id = $1";
        let Some(seat) = self.shared.keys.seat.get().cloned() else { return Ok(()) };
        self.urgent()
            .write(move |tx| {
                let seat = seat.clone();
                Box::pin(async move {
                    on!(tx, |conn| {
                        sqlx::query(SQL).bind(&seat).execute(conn).await?;
                    });
                    Ok::<_, Error>(())
                })
            })
            .await
    }
}

impl Tx {
    /// The keyring that seals.
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(self.shared.keys.ring())
    }
}

fn unknown(id: String) -> Error {
    Error::Sealed(privacy::Error::UnknownKey { id })
}

/// The key that the database calls its own, locked until the transaction ends: whoever changes what is
/// known of keys waits here for the others.
async fn anchor(tx: &mut Tx) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT value FROM meta WHERE name = $1";
    const LOCKED: &str = "SELECT value FROM meta WHERE name = $1 FOR UPDATE";
    let sql = if tx.locks() { LOCKED } else { SQL };
    Ok(on!(tx, |conn| sqlx::query_scalar(sql).bind(KEY_ID).fetch_optional(conn).await?))
}

/// The lasting secrets, and a server's new seat.
async fn claim(tx: &mut Tx, opener: Opener) -> Result<(Lasting, Option<String>), Error> {
    // Of two nodes that start at once with different keys, the second waits here for the first.
    const SQL: &str = "
        INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    let ring = tx.keyring();
    let mine = ring.key_id().to_owned();
    let fresh = on!(tx, |conn| sqlx::query(SQL)
        .bind(KEY_ID)
        .bind(&mine)
        .execute(conn)
        .await?
        .rows_affected())
        == 1;
    let first = anchor(tx).await?.unwrap_or_else(|| mine.clone());
    fits(tx).await?;
    // While it is moved nothing can be written, and nobody serves from it.
    let moving = moving::standing(tx).await?.is_some();
    if opener == Opener::OnlyServer && !moving {
        on!(tx, |conn| {
            sqlx::query("DELETE FROM key_holders").execute(conn).await?;
        });
    }
    agree(tx).await?;
    let stored = stored(tx).await?;
    let drawn = fresh && stored.is_none() && !rewrap::any_account(tx).await?;
    let lasting = match stored {
        Some(wrapped) => ring.unwrap_lasting(&wrapped)?,
        None if drawn => {
            let mut random = [0; LASTING_BYTES];
            tx.random(&mut random);
            Lasting::from_random(&random)
        }
        None => ring.lasting_of(&first).cloned().ok_or_else(|| unknown(first.clone()))?,
    };
    if moving {
        return Ok((lasting, None));
    }
    if known(tx).await?.iter().all(|one| one.id != mine) {
        let now = tx.now().await?;
        register(tx, &mine, now).await?;
    }
    note(tx, &ring, &lasting).await?;
    // A build that makes them of the one master key that it knows would know no token.
    if ring.lasting_of(&mine) != Some(&lasting) {
        meta::need_schema(tx, SCHEMA).await?;
    }
    if opener == Opener::Command {
        return Ok((lasting, None));
    }
    let mut random = [0; 8];
    tx.random(&mut random);
    let seat = hex(&random);
    sit(tx, &seat).await?;
    Ok((lasting, Some(seat)))
}

/// Whether all that is wrapped opens, and the current key may wrap: a few reads.
///
/// # Errors
/// [`Error::Sealed`] and [`Error::Keys`] as [`Db::claim`].
pub async fn fits(tx: &mut Tx) -> Result<(), Error> {
    let ring = tx.keyring();
    let unheld =
        rewrap::in_use(tx).await?.into_iter().find(|id| ring.key_ids().all(|one| one != id));
    if let Some(id) = unheld {
        return Err(unknown(id));
    }
    may_wrap(tx).await
}

/// Whether the current key was not rotated out: whoever stood still meanwhile wraps nothing by it.
pub(super) async fn may_wrap(tx: &mut Tx) -> Result<(), Error> {
    let mine = tx.keyring().key_id().to_owned();
    if known(tx).await?.iter().any(|one| one.id == mine && one.retired_at.is_some()) {
        return Err(Error::Keys(Refusal::Retired { id: mine }));
    }
    Ok(())
}

/// Whether a server would start with these keys.
///
/// # Errors
/// As [`fits`]; [`Error::Keys`] while another server runs that does not hold the current one.
pub async fn admits(tx: &mut Tx) -> Result<(), Error> {
    fits(tx).await?;
    agree(tx).await
}

/// Whether every running server opens what we wrap, and we what it wraps.
async fn agree(tx: &mut Tx) -> Result<(), Error> {
    let ring = tx.keyring();
    for (current, held) in holders(tx).await? {
        if ring.key_ids().all(|id| id != current) {
            return Err(unknown(current));
        }
        if held.split(' ').all(|id| id != ring.key_id()) {
            return Err(Error::Keys(Refusal::Unheld { id: ring.key_id().to_owned() }));
        }
    }
    Ok(())
}

/// The current key of each server that runs, and all that it holds, with spaces between them.
async fn holders(tx: &mut Tx) -> Result<Vec<(String, String)>, Error> {
    const SQL: &str = "SELECT current_key, held FROM key_holders WHERE seen_at > $1 ORDER BY id";
    let since = tx.now().await?.millis() - HOLDS_MS;
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(since).fetch_all(conn).await?))
}

/// Notes that a server runs, and forgets those that ended long ago without a word.
async fn sit(tx: &mut Tx, seat: &str) -> Result<(), Error> {
    const FORGET: &str = "DELETE FROM key_holders WHERE seen_at < $1";
    const SQL: &str = "
        INSERT INTO key_holders (id, current_key, held, seen_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    let ring = tx.keyring();
    let now = tx.now().await?.millis();
    let held = ring.key_ids().collect::<Vec<_>>().join(" ");
    on!(tx, |conn| {
        sqlx::query(FORGET).bind(now - 100 * HOLDS_MS).execute(&mut *conn).await?;
        sqlx::query(SQL).bind(seat).bind(ring.key_id()).bind(&held).bind(now).execute(conn).await?;
    });
    Ok(())
}

async fn register(tx: &mut Tx, id: &str, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO master_keys (id, known_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(id).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// The lasting secrets as they are stored, if they are.
async fn stored(tx: &mut Tx) -> Result<Option<[String; 3]>, Error> {
    let rows = rewrap::lasting(tx).await?;
    let found = LASTING.map(|name| rows.iter().find(|row| row.0 == name).map(|row| row.1.clone()));
    match found {
        [Some(tokens), Some(signatures), Some(heads)] => Ok(Some([tokens, signatures, heads])),
        [None, None, None] => Ok(None),
        _ => Err(Error::Inconsistent { table: "lasting_secrets", column: "name" }),
    }
}

/// Stores the lasting secrets, the first time.
async fn note(tx: &mut Tx, ring: &Keyring, lasting: &Lasting) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO lasting_secrets (name, wrapped) VALUES ($1, $2)";
    if stored(tx).await?.is_some() {
        return Ok(());
    }
    for (name, wrapped) in LASTING.into_iter().zip(lasting.wrap(ring)) {
        on!(tx, |conn| {
            sqlx::query(SQL).bind(name).bind(&wrapped).execute(conn).await?;
        });
    }
    Ok(())
}

/// The master keys that were ever current, in the order in which they came.
pub async fn known(tx: &mut Tx) -> Result<Vec<Known>, Error> {
    type Row = (String, i64, Option<i64>, Option<i64>, Option<i64>);
    const SQL: &str = "
        SELECT id, known_at, retired_at, unused_at, destroyed_at FROM master_keys
        ORDER BY known_at, id";
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|(id, known_at, retired_at, unused_at, destroyed_at)| Known {
            id,
            known_at: Timestamp::from_millis(known_at),
            retired_at: retired_at.map(Timestamp::from_millis),
            unused_at: unused_at.map(Timestamp::from_millis),
            destroyed_at: destroyed_at.map(Timestamp::from_millis),
        })
        .collect())
}

/// Notes that a master key was destroyed; whether that was new.
pub async fn set_destroyed(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str =
        "UPDATE master_keys SET destroyed_at = $2 WHERE id = $1 AND destroyed_at IS NULL";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Begins to rotate: from now on no server starts with another current key than ours. How many other keys
/// could be current until now.
///
/// # Errors
/// [`Error::Keys`] while a server runs that wraps by another key, or does not hold ours.
pub async fn retire_others(tx: &mut Tx) -> Result<u64, Error> {
    const RETIRE: &str =
        "UPDATE master_keys SET retired_at = $2 WHERE id <> $1 AND retired_at IS NULL";
    let ring = tx.keyring();
    let mine = ring.key_id().to_owned();
    anchor(tx).await?;
    fits(tx).await?;
    agree(tx).await?;
    if let Some((id, _)) = holders(tx).await?.into_iter().find(|(current, _)| *current != mine) {
        return Err(Error::Keys(Refusal::InUse { id }));
    }
    let now = tx.now().await?;
    register(tx, &mine, now).await?;
    let retired = on!(tx, |conn| sqlx::query(RETIRE)
        .bind(&mine)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    meta::need_schema(tx, SCHEMA).await?;
    meta::set(tx, KEY_ID, &mine).await?;
    Ok(retired)
}

/// What a rotation came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// The ids of retired keys that wrap nothing any more, and did until now.
    pub unused: Vec<String>,
    /// The ids of keys, besides the current one, by which something still is wrapped.
    pub left: Vec<String>,
}

/// Notes of each retired key since when nothing is wrapped by it.
pub async fn settle(tx: &mut Tx) -> Result<Settled, Error> {
    const SQL: &str = "UPDATE master_keys SET unused_at = $2 WHERE id = $1";
    anchor(tx).await?;
    let now = tx.now().await?;
    let used = rewrap::in_use(tx).await?;
    let mut settled = Settled::default();
    for one in known(tx).await?.into_iter().filter(|one| one.retired_at.is_some()) {
        let unused = !used.contains(&one.id);
        if unused != one.unused_at.is_some() {
            let at = unused.then_some(now.millis());
            on!(tx, |conn| {
                sqlx::query(SQL).bind(&one.id).bind(at).execute(conn).await?;
            });
            settled.unused.extend(unused.then_some(one.id));
        }
    }
    let ring = tx.keyring();
    settled.left = used.into_iter().filter(|id| id != ring.key_id()).collect();
    Ok(settled)
}
