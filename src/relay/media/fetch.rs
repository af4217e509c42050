//! Fetches what a text's sender sent along: with credentials from the carrier itself, as any stranger's
//! address from elsewhere; judges it, makes it harmless, and keeps it sealed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::{sync::Semaphore, task::JoinError};

use super::{Owner, address::sealed_as, refused};
use crate::{
    domain::{
        media::{FETCHED_MAX, MediaRefusal, MediaType},
        policy::MediaRule,
        time::{Timestamp, doubled},
    },
    egress::{self, Failure},
    media::{ObjectsError, Ready, prepare},
    privacy::DataKey,
    relay::{Error, Relay, client::NotFetched, signed::AGENT},
    store::{
        Tx,
        media::{self, MediaState, Medium},
        outbox::{self, Entry},
        services, sessions,
    },
    telemetry::metrics,
};

/// How many redirects are followed: Twilio's answer leads to a store elsewhere.
const REDIRECTS_MAX: usize = 3;
/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a worker may be at one text's files, and then somebody else may.
const LEASE: Duration = Duration::from_secs(45);
/// How long it gives itself: a stop waits for it.
const WORK_MAX: Duration = Duration::from_secs(30);
/// How soon a text is looked at again whose files somebody else fetches.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// A text that would not be worth sending so long after the next try goes without what is missing.
const LAST_TRY: Duration = Duration::from_secs(10);
/// The longest wait that a host may ask for, and between two tries.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// How many texts' files are fetched at once, how many messages of callers, how many files, and how many
/// pictures are made anew: each takes memory, and workers that wait for a slow host send nothing else.
const TEXTS_AT_ONCE: usize = 8;
const RECORDINGS_AT_ONCE: usize = 4;
const FILES_AT_ONCE: usize = 4;
const PICTURES_AT_ONCE: usize = 2;

/// What bounds fetching.
#[derive(Debug)]
pub(in crate::relay) struct Places {
    texts: Semaphore,
    pub(in crate::relay) recordings: Semaphore,
    pub(in crate::relay) files: Semaphore,
    pictures: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            texts: Semaphore::new(TEXTS_AT_ONCE),
            recordings: Semaphore::new(RECORDINGS_AT_ONCE),
            files: Semaphore::new(FILES_AT_ONCE),
            pictures: Arc::new(Semaphore::new(PICTURES_AT_ONCE)),
        }
    }
}

impl Places {
    /// Makes a picture anew on a thread that may block: some seconds of a processor. The work can't be
    /// broken off, and so keeps its place until it is done, also where nobody waits for it any more.
    async fn picture<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, JoinError>, Miss> {
        let place = Arc::clone(&self.pictures).acquire_owned().await;
        let place = place.map_err(|_| Miss::Later(Duration::ZERO))?;
        let work = move || {
            let done = work();
            drop(place);
            done
        };
        Ok(tokio::task::spawn_blocking(work).await)
    }
}

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::relay) enum Miss {
    /// There will not be one.
    Never(MediaRefusal),
    /// Not now; perhaps after so long.
    Later(Duration),
}

/// What is to be fetched for a text, and under which rules.
#[derive(Default)]
struct Errand {
    files: Vec<(Medium, String)>,
    rule: Option<(MediaRule, bool)>,
    key: Option<Arc<DataKey>>,
    /// Whether some are wanted still that somebody else is at, or that are left alone for now.
    others: bool,
}

type Found = (Medium, Result<(MediaType, i64), Miss>);

impl Relay {
    /// Fetches the files of a text that are still wanted; whether the text may be claimed again now.
    ///
    /// # Errors
    /// The store's: the leases end by themselves.
    pub(in crate::relay) async fn fetch_files(&self, entry: &Entry) -> Result<bool, Error> {
        let Ok(_place) = self.places.texts.try_acquire() else { return Ok(false) };
        let asked = entry.clone();
        let errand = self
            .db
            .write(move |tx| {
                let entry = asked.clone();
                Box::pin(async move { take_on(tx, &entry).await })
            })
            .await?;
        if errand.files.is_empty() {
            if errand.others {
                let entry = entry.clone();
                self.write_entry(entry, |tx, entry| Box::pin(look_again(tx, entry))).await?;
            }
            return Ok(!errand.others);
        }
        let Errand { files, rule, key, .. } = errand;
        let (Some((rule, vcards)), Some(key)) = (rule, key) else { return Ok(false) };
        let found = files.into_iter().map(|(medium, address)| {
            let key = Arc::clone(&key);
            async move {
                let work = self.fetch_one(&medium, &address, (rule, vcards), &key);
                let late = Err(Miss::Later(Duration::ZERO));
                let found = tokio::time::timeout(WORK_MAX, work).await.unwrap_or(late);
                (medium, found)
            }
        });
        let found = Arc::new(join_all(found).await);
        let entry = entry.clone();
        self.db
            .write(move |tx| {
                let (entry, found) = (entry.clone(), Arc::clone(&found));
                Box::pin(async move { note(tx, &entry, &found).await })
            })
            .await
    }

    async fn fetch_one(
        &self,
        medium: &Medium,
        address: &str,
        (rule, vcards): (MediaRule, bool),
        key: &DataKey,
    ) -> Result<(MediaType, i64), Miss> {
        let Some(objects) = &self.objects else { return Err(Miss::Never(MediaRefusal::Off)) };
        let _place = self.places.files.acquire().await.map_err(|_| Miss::Later(Duration::ZERO))?;
        let bytes = self.download(medium.carrier.as_deref(), address).await?;
        let Ready { kind, bytes } = self.made_ready(bytes, rule, vcards).await?;
        let length = super::count(bytes.len());
        let sealed = key.seal_file(&bytes, &sealed_as(&medium.id));
        objects.put(&medium.object, sealed).await.map_err(|error| later(&error))?;
        Ok((kind, length))
    }

    async fn made_ready(&self, bytes: Bytes, rule: MediaRule, vcards: bool) -> Result<Ready, Miss> {
        let ready = self.places.picture(move || prepare(&bytes, rule, vcards)).await?;
        // A decoder that panics over a picture has not read it.
        ready.unwrap_or(Err(MediaRefusal::Unreadable)).map_err(Miss::Never)
    }

    /// The bytes at an address, wherever that leads. Each step is judged anew: only what lies at the
    /// carrier's own address is asked for with its credentials.
    pub(in crate::relay) async fn download(
        &self,
        carrier: Option<&str>,
        address: &str,
    ) -> Result<Bytes, Miss> {
        let gone = Miss::Never(MediaRefusal::Unavailable);
        let mut address = address.to_owned();
        for _ in 0..=REDIRECTS_MAX {
            let (status, headers, body) = self.one_step(carrier, &address).await?;
            if status.is_success() && !body.is_empty() {
                return Ok(body);
            }
            if !status.is_redirection() {
                return Err(missed(status, &headers));
            }
            let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
            let from = url::Url::parse(&address).map_err(|_| gone)?;
            address = to.and_then(|to| from.join(to).ok()).ok_or(gone)?.into();
        }
        Err(gone)
    }

    async fn one_step(
        &self,
        carrier: Option<&str>,
        address: &str,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Miss> {
        let own = carrier.and_then(|id| self.carriers.get(id));
        let own = own.and_then(|one| Some((one, one.adapter.media(address)?)));
        if let Some((one, request)) = own {
            let started = Instant::now();
            let answer =
                self.client.fetch(self.authorized(one, request), FETCHED_MAX, DEADLINE).await;
            let outcome = match &answer {
                Ok(answer) if answer.status.is_client_error() => "refused",
                Ok(_) => "accepted",
                Err(NotFetched::TooLarge) => "refused",
                Err(NotFetched::Failed) => "retry",
            };
            metrics::carrier_request(&one.id, "media", outcome, started.elapsed());
            let answer = answer.map_err(|why| match why {
                NotFetched::TooLarge => Miss::Never(MediaRefusal::TooLarge),
                NotFetched::Failed => Miss::Later(Duration::ZERO),
            })?;
            return Ok((answer.status, answer.headers, answer.body));
        }
        let request = egress::Request {
            method: Method::GET,
            address: self
                .egress
                .accept(address)
                .map_err(|_| Miss::Never(MediaRefusal::Unavailable))?,
            headers: HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(AGENT))]),
            body: Bytes::new(),
            deadline: DEADLINE,
            answer_max: FETCHED_MAX,
        };
        match self.egress.send(request).await {
            Ok(answer) => Ok((answer.status, answer.headers, answer.body)),
            Err(Failure::Refused(_)) => Err(Miss::Never(MediaRefusal::Unavailable)),
            Err(Failure::TooLarge) => Err(Miss::Never(MediaRefusal::TooLarge)),
            Err(_) => Err(Miss::Later(Duration::ZERO)),
        }
    }
}

fn later(error: &ObjectsError) -> Miss {
    tracing::warn!(%error, "a picture could not be kept yet");
    Miss::Later(Duration::ZERO)
}

/// What an answer without a file means.
fn missed(status: StatusCode, headers: &HeaderMap) -> Miss {
    let may_change = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    if !may_change {
        return Miss::Never(MediaRefusal::Unavailable);
    }
    let wait = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Miss::Later(wait.map_or(Duration::ZERO, Duration::from_secs).min(WAIT_MAX))
}

/// Takes on the files of a text that nobody is at. The session is locked: what it said when it was
/// closed holds.
async fn take_on(tx: &mut Tx, entry: &Entry) -> Result<Errand, Error> {
    let mut errand = Errand::default();
    let Some(session) = &entry.session else { return Ok(errand) };
    let Some(session) = sessions::lock(tx, &entry.account, session).await? else {
        return Ok(errand);
    };
    let now = tx.now().await?;
    // Whoever claims the text sees why it is not sent.
    if !session.is_live(now) {
        return Ok(errand);
    }
    let service = services::get_any(tx, &entry.account, &session.service).await?;
    let service = service.ok_or(Error::NotFound("service"))?;
    errand.rule = Some((service.rules.media, service.rules.vcards));
    let key = session.data_key(tx)?;
    for medium in media::of_interaction(tx, &entry.account, &entry.interaction).await? {
        if medium.state != MediaState::Wanted {
            continue;
        }
        if now < medium.lease_until || !media::lease(tx, &medium, now, now + LEASE).await? {
            errand.others = true;
            continue;
        }
        let address = medium.address(&key)?;
        errand.files.push((medium, address));
    }
    errand.key = Some(Arc::new(key));
    Ok(errand)
}

/// Leaves a text alone for a moment whose files somebody else is at.
async fn look_again(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    let now = tx.now().await?;
    outbox::postpone(tx, entry, now, now + LOOK_AGAIN).await?;
    Ok(())
}

/// Notes what came of fetching; whether nothing is left to fetch.
async fn note(tx: &mut Tx, entry: &Entry, found: &[Found]) -> Result<bool, Error> {
    let Some(session) = &entry.session else { return Ok(true) };
    sessions::lock(tx, &entry.account, session).await?;
    let now = tx.now().await?;
    let mut reasons = Vec::new();
    let mut again: Option<Timestamp> = None;
    for (medium, result) in found {
        let refusal = match *result {
            Ok((kind, bytes)) => {
                if media::keep(tx, medium, kind, bytes).await? {
                    tx.on_commit(move || {
                        metrics::media("kept");
                        metrics::media_bytes(u64::try_from(bytes).unwrap_or(0));
                    });
                }
                continue;
            }
            Err(Miss::Never(why)) => why,
            Err(Miss::Later(wait)) => {
                let at = now + wait.max(doubled(medium.tries, WAIT_MAX));
                if at + LAST_TRY < entry.valid_until {
                    media::put_off(tx, medium, at).await?;
                    again = Some(again.map_or(at, |other| other.min(at)));
                    tx.on_commit(|| metrics::media("retry"));
                    continue;
                }
                MediaRefusal::Unavailable
            }
        };
        if media::refuse(tx, medium, refusal).await? {
            reasons.push(refusal);
        }
    }
    let owner = Owner { account: &entry.account, session, interaction: &entry.interaction };
    refused(tx, owner, &reasons, None, now).await?;
    if let Some(at) = again {
        outbox::postpone(tx, entry, now, at).await?;
    }
    Ok(again.is_none())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    /// A picture that is still being made anew has its place, though nobody waits for it any more.
    #[tokio::test]
    async fn a_picture_keeps_its_place_until_it_is_made() {
        let places = Places::default();
        let (began, begun) = oneshot::channel();
        let (go_on, told) = mpsc::channel::<()>();
        let work = places.picture(move || (began.send(()), told.recv()));
        tokio::select! {
            biased;
            _ = work => panic!("it was not told to go on"),
            begun = begun => begun.unwrap(),
        }
        assert_eq!(places.pictures.available_permits(), PICTURES_AT_ONCE - 1);
        go_on.send(()).unwrap();
        let all = u32::try_from(PICTURES_AT_ONCE).unwrap();
        assert!(places.pictures.acquire_many(all).await.is_ok());
    }

    /// What is gone is gone; what is in trouble is asked again, as late as it wishes but for too long.
    #[test]
    fn answers_say_whether_to_ask_again() {
        let with = |status: u16, wait: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(wait) = wait {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(wait));
            }
            missed(StatusCode::from_u16(status).unwrap(), &headers)
        };
        for gone in [200, 204, 400, 401, 403, 404, 410, 451] {
            assert_eq!(with(gone, Some("5")), Miss::Never(MediaRefusal::Unavailable), "{gone}");
        }
        for later in [408, 425, 429, 500, 503] {
            assert_eq!(with(later, None), Miss::Later(Duration::ZERO), "{later}");
            assert_eq!(with(later, Some("7")), Miss::Later(Duration::from_secs(7)));
            assert_eq!(with(later, Some("86400")), Miss::Later(WAIT_MAX));
        }
    }
}
