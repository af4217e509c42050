//! The addresses at which carriers fetch what they are to pass on: signed, short-lived, telling nothing.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    domain::{media::MediaType, time::Timestamp},
    ids::{AccountId, InteractionId, MediaId},
    relay::{Error, Relay},
    store::{
        Tx,
        media::{self, MediaState, Medium},
        sessions,
    },
};

/// What the signature is made for.
const LABEL: &str = "media address";
/// The bytes of an id without its letters, of an instant, and of a signature.
const ID: usize = 16;
const INSTANT: usize = 8;
const TAG: usize = 32;

/// How many files are in memory at once to be given out: each is read whole, and some clients are slow.
const GIVEN_OUT_MAX: usize = 16;

/// The places of files that are being given out.
#[derive(Debug, Clone)]
pub(in crate::relay) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(GIVEN_OUT_MAX)))
    }
}

/// The bytes of a file, and the place that they take until the last of them is sent or dropped.
struct Held {
    bytes: Vec<u8>,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A file that is offered.
pub struct Offered {
    /// What it is.
    pub kind: MediaType,
    /// How long it is, in bytes.
    pub length: u64,
    /// The bytes, unless only the rest was asked for; one of 16 places is theirs until they are dropped.
    /// Secret: what a person sent.
    pub bytes: Option<Bytes>,
}

impl std::fmt::Debug for Offered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Offered({}, {} bytes)", self.kind, self.length)
    }
}

/// What an address names: account, file and end, signed. Always the same for one file, so that a text
/// that is sent twice is the same text.
pub(in crate::relay) fn token(tx: &Tx, one: &Medium) -> String {
    let mut named = Vec::with_capacity(2 * ID + INSTANT + TAG);
    named.extend(digits(one.account.as_str()));
    named.extend(digits(one.id.as_str()));
    named.extend(one.expires_at.millis().to_be_bytes());
    let tag = tx.keyring().sign(LABEL, &named);
    named.extend(tag);
    BASE64.encode(named)
}

/// The bytes that an id's hex digits stand for.
fn digits(id: &str) -> [u8; ID] {
    u128::from_str_radix(&id[2..], 16).unwrap_or(0).to_be_bytes()
}

/// What a token names, if we signed it.
fn named(tx: &Tx, token: &str) -> Option<(AccountId, MediaId, Timestamp)> {
    let bytes = BASE64.decode(token).ok().filter(|bytes| bytes.len() == 2 * ID + INSTANT + TAG)?;
    let (named, tag) = bytes.split_at(2 * ID + INSTANT);
    if !tx.keyring().verify(LABEL, named, tag) {
        return None;
    }
    let (account, rest) = named.split_first_chunk::<ID>()?;
    let (medium, end) = rest.split_first_chunk::<ID>()?;
    let id =
        |prefix: &str, bytes: &[u8; ID]| format!("{prefix}{:032x}", u128::from_be_bytes(*bytes));
    Some((
        AccountId::parse(&id("AC", account)).ok()?,
        MediaId::parse(&id("MD", medium)).ok()?,
        Timestamp::from_millis(i64::from_be_bytes(end.try_into().ok()?)),
    ))
}

impl Relay {
    /// The message that the caller of this call left, with its bytes; `None` where there is none, or none
    /// any more.
    ///
    /// # Errors
    /// As [`Relay::offered`].
    pub async fn voicemail(
        &self,
        account: &AccountId,
        call: &InteractionId,
    ) -> Result<Option<Offered>, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let one = media::voicemail(&mut tx, account, call).await?;
        let one = one.filter(|one| now < one.expires_at);
        let token = one.map(|one| token(&tx, &one));
        drop(tx);
        match token {
            Some(token) => self.offered(&token, true).await,
            None => Ok(None),
        }
    }

    /// What was recorded of this call, with its bytes; `None` where there is nothing, or nothing any more.
    ///
    /// # Errors
    /// As [`Relay::offered`].
    pub async fn recording(
        &self,
        account: &AccountId,
        call: &InteractionId,
    ) -> Result<Option<Offered>, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let one = media::recording(&mut tx, account, call).await?;
        let one = one.filter(|one| now < one.expires_at);
        let token = one.map(|one| token(&tx, &one));
        drop(tx);
        match token {
            Some(token) => self.offered(&token, true).await,
            None => Ok(None),
        }
    }

    /// The file that an address of ours names, with its bytes where those are `wanted`; `None` for
    /// whatever is wrong: forged, over, withdrawn, gone.
    ///
    /// # Errors
    /// The store's, [`Error::Files`] where the store for files fails, and [`Error::FilesBusy`] where 16 files
    /// are being given out: to be tried again.
    pub async fn offered(&self, token: &str, wanted: bool) -> Result<Option<Offered>, Error> {
        let Some(objects) = &self.objects else { return Ok(None) };
        let mut tx = self.db.read().await?;
        let Some((account, id, end)) = named(&tx, token) else { return Ok(None) };
        let now = tx.now().await?;
        if end <= now {
            return Ok(None);
        }
        let one = media::get(&mut tx, &account, &id).await?;
        let one = one.filter(|one| one.state == MediaState::Kept && now < one.expires_at);
        let Some(one) = one else { return Ok(None) };
        let session = sessions::get(&mut tx, &account, &one.session).await?;
        let Some(session) = session else { return Ok(None) };
        let (Some(kind), Some(length)) = (one.kind, one.bytes) else { return Ok(None) };
        let length = u64::try_from(length).unwrap_or(0);
        if !wanted {
            return Ok(Some(Offered { kind, length, bytes: None }));
        }
        let key = session.data_key(&tx)?;
        drop(tx);
        let place = Arc::clone(&self.giving_out.0).try_acquire_owned();
        let place = place.map_err(|_| Error::FilesBusy)?;
        let Some(sealed) = objects.get(&one.object).await.map_err(Error::Files)? else {
            return Ok(None);
        };
        let bytes = key.open_file(&sealed, &sealed_as(&one.id));
        let bytes = bytes.map_err(crate::store::Error::from)?.into_exposed();
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let bytes = Bytes::from_owner(Held { bytes, _place: place });
        Ok(Some(Offered { kind, length, bytes: Some(bytes) }))
    }
}

/// The place that a file is sealed for.
pub(in crate::relay) fn sealed_as(id: &MediaId) -> String {
    format!("file:{id}")
}
