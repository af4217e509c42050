//! Carriers' own records of erased calls and texts: deleted there where the carrier can be asked.

use std::time::Duration;

use crate::{
    carrier::{
        Outbound, SendError,
        error::{Retry, SendErrorKind},
    },
    domain::{erasure::Became, time::doubled},
    relay::{Error, Relay, deliver::settle_asked},
    store::{
        Tx,
        carrier_records::{self, Record},
        outbox::{self, Entry, OutboxState},
    },
};

/// How long a worker may be at one record.
const LEASE: Duration = Duration::from_secs(30);
/// The longest pause between two tries: with as many claims as an entry has, they last for two weeks.
const PAUSE_MAX: Duration = Duration::from_hours(12);

impl Relay {
    /// Has a carrier delete what it has on record of a call or text; whether anything was done.
    ///
    /// # Errors
    /// The store's: the lease ends by itself.
    pub(in crate::relay) async fn drop_record(&self, entry: Entry) -> Result<bool, Error> {
        let claimed = self
            .db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move { claim(tx, &entry).await })
            })
            .await?;
        let Some((entry, record)) = claimed else { return Ok(true) };
        let Record { kind, inbound, ref id, .. } = record;
        let asked = Outbound::DeleteRecord { kind, inbound, id: id.clone() };
        let result = self.ask(&entry.carrier, &asked, "delete_record").await;
        self.db
            .write(move |tx| {
                let (entry, record, result) = (entry.clone(), record.clone(), result.clone());
                Box::pin(async move { settle(tx, &entry, &record, &result).await })
            })
            .await?;
        Ok(true)
    }
}

/// Claims a record to delete. `None` for one that is given up, or that somebody else has.
async fn claim(tx: &mut Tx, entry: &Entry) -> Result<Option<(Entry, Record)>, Error> {
    let now = tx.now().await?;
    let Some(entry) = outbox::claim(tx, entry, now, now + LEASE).await? else { return Ok(None) };
    if now >= entry.valid_until {
        set_aside(tx, &entry).await?;
        return Ok(None);
    }
    let record = carrier_records::owed(tx, &entry).await?;
    Ok(Some((entry, record)))
}

/// Records what came of asking for it. Deleting twice does no harm.
async fn settle(
    tx: &mut Tx,
    entry: &Entry,
    record: &Record,
    result: &Result<String, SendError>,
) -> Result<(), Error> {
    let pause = doubled(entry.attempts - 1, PAUSE_MAX);
    let became = match result {
        Ok(_) => Became::Deleted,
        Err(error) if error.kind == SendErrorKind::Unsupported => Became::Unable,
        // Credentials and settings that are wrong will be put right.
        Err(error) if error.retry == Retry::Never && error.kind == SendErrorKind::Config => {
            let now = tx.now().await?;
            outbox::put_off(tx, entry, now + pause).await?;
            return Ok(());
        }
        Err(error) if error.retry == Retry::Never => Became::Refused,
        Err(_) => return settle_asked(tx, entry, result, pause).await,
    };
    end(tx, entry, record, became).await
}

async fn end(tx: &mut Tx, entry: &Entry, record: &Record, became: Became) -> Result<(), Error> {
    let state = match became {
        Became::Refused => OutboxState::Parked,
        _ => OutboxState::Done,
    };
    let now = tx.now().await?;
    if outbox::finish(tx, entry, state).await? {
        let (account, carrier) = (&entry.account, &entry.carrier);
        carrier_records::note(tx, account, &record.erasure, carrier, became, now).await?;
        if became == Became::Refused {
            tracing::warn!(%carrier, erasure = %record.erasure, "a carrier keeps a record");
        }
    }
    Ok(())
}

/// Gives up on a record, which stays at its carrier: the receipt says so.
pub(in crate::relay) async fn set_aside(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    let record = carrier_records::owed(tx, entry).await?;
    end(tx, entry, &record, Became::Refused).await
}
