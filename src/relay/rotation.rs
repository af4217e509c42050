//! Master keys are rotated: what another one wrapped is wrapped again by the current one, while
//! everybody goes on. What is sealed stays as it is.

use super::{Error, Relay};
use crate::{
    domain::audit::{Action, Detail, Entry},
    store::{
        self, Tx, audit, master_keys,
        rewrap::{self, Batch, Holding},
    },
};

/// How many rows one transaction wraps again: whoever waits for a session waits that long.
const BATCH: i64 = 50;

/// What one master key wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The key's id.
    pub id: String,
    /// In how many rows of each kind.
    pub rows: Vec<(Holding, u64)>,
}

impl Wrapped {
    /// In how many rows in all.
    pub fn total(&self) -> u64 {
        self.rows.iter().map(|(_, rows)| rows).sum()
    }
}

/// How far a rotation has come. Nothing is lost with it: what is left is told by the rows themselves.
#[derive(Debug)]
pub struct Rotation {
    places: Vec<(String, Holding)>,
    after: String,
    /// How many rows there were to wrap again.
    pub total: u64,
    /// How many were.
    pub done: u64,
    /// The ids of what does not open, and stays as it is.
    pub damaged: Vec<String>,
}

/// What each master key wrapped that wrapped anything, in the order of their ids.
pub async fn wrapped(tx: &mut Tx) -> Result<Vec<Wrapped>, store::Error> {
    let mut all = Vec::new();
    for id in rewrap::in_use(tx).await? {
        let mut rows = Vec::new();
        for holding in Holding::ALL {
            rows.push((holding, rewrap::count(tx, holding, &id).await?));
        }
        all.push(Wrapped { id, rows });
    }
    Ok(all)
}

impl Relay {
    /// Begins to rotate to the current master key: from now on no server starts with another one.
    ///
    /// # Errors
    /// [`crate::store::Error::Keys`] while a server runs that wraps by another key, or does not hold
    /// the current one.
    pub async fn begin_rotation(&self) -> Result<Rotation, Error> {
        self.db.write(|tx| Box::pin(async move { retire_others(tx).await })).await?;
        let mut all = wrapped(&mut self.db.read().await?).await?;
        all.retain(|one| one.id != self.db.keyring().key_id());
        let total = all.iter().map(Wrapped::total).sum();
        // From the end: what is least comes first.
        let places = all
            .into_iter()
            .rev()
            .flat_map(|one| Holding::ALL.map(|holding| (one.id.clone(), holding)).into_iter().rev())
            .collect();
        Ok(Rotation { places, after: String::new(), total, done: 0, damaged: Vec::new() })
    }

    /// Wraps some more again, in one transaction; whether there may be more.
    pub async fn rotate_on(&self, rotation: &mut Rotation) -> Result<bool, Error> {
        let Some((id, holding)) = rotation.places.last().cloned() else { return Ok(false) };
        let after = rotation.after.clone();
        let batch = self.db.write(move |tx| {
            let (id, after) = (id.clone(), after.clone());
            Box::pin(async move { rewrap::again(tx, holding, &id, &after, BATCH).await })
        });
        let Batch { done, damaged, last } = batch.await?;
        rotation.done += done;
        rotation.damaged.extend(damaged);
        if let Some(last) = last {
            rotation.after = last;
        } else {
            rotation.places.pop();
            rotation.after.clear();
        }
        Ok(true)
    }

    /// Notes which keys wrap nothing any more; the ids of those that still do, besides the current one.
    pub async fn end_rotation(&self) -> Result<Vec<String>, Error> {
        let left = self.db.write(|tx| Box::pin(async move { settle(tx).await }));
        Ok(left.await?)
    }
}

/// Whoever goes on with a rotation is not one more of them in the audit log.
async fn retire_others(tx: &mut Tx) -> Result<(), store::Error> {
    let retired = master_keys::retire_others(tx).await?;
    if retired == 0 {
        return Ok(());
    }
    let current = tx.keyring().key_id().to_owned();
    let entry =
        Entry::new(Action::MasterKeyRotated, current).with(Detail::Count, retired.to_string());
    audit::append_installation(tx, entry).await
}

async fn settle(tx: &mut Tx) -> Result<Vec<String>, store::Error> {
    let settled = master_keys::settle(tx).await?;
    for id in settled.unused {
        audit::append_installation(tx, Entry::new(Action::MasterKeyUnused, id)).await?;
    }
    Ok(settled.left)
}
