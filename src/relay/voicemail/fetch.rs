//! Fetches messages, keeps them sealed, tells of them, and has carriers delete theirs.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{DROPPED_FOR, callees};
use crate::relay::{
    Carriers, Error, NewText, Relay,
    calls::{Live, live},
    deliver::settle_asked,
    media::{Miss, sealed_as, token},
    messages::send_after_call,
    recording,
};
use crate::{
    carrier::{
        Outbound, SendError,
        error::{Retry, SendErrorKind},
    },
    domain::{
        event::EventKind,
        media::{FETCHED_MAX, MediaRefusal, MediaType},
        message::Body,
        policy,
        time::{Timestamp, doubled},
    },
    privacy::DataKey,
    store::{
        Tx,
        events::{self, Place},
        media::{self, MediaState, Medium, Purpose},
        numbers,
        outbox::{self, Entry, NewEntry, OutboxKind, OutboxState},
        services, sessions,
    },
    telemetry::metrics,
};

/// How long a worker may be at one message, and how long it gives itself: a stop waits for it.
const LEASE: Duration = Duration::from_mins(1);
const WORK_MAX: Duration = Duration::from_secs(30);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(30);
const DROP_PAUSE_MAX: Duration = Duration::from_hours(2);

/// A message that a worker is at.
#[derive(Clone)]
struct Errand {
    entry: Entry,
    medium: Medium,
    address: String,
    key: Arc<DataKey>,
}

type Found = Result<(MediaType, i64), Miss>;

impl Relay {
    /// Fetches a message; whether anything was done. Some are fetched at once, and the others wait: they
    /// must not have all that a carrier is asked by.
    ///
    /// # Errors
    /// The store's: the lease ends by itself.
    pub(in crate::relay) async fn fetch_recording(&self, entry: Entry) -> Result<bool, Error> {
        let Ok(_place) = self.places.recordings.try_acquire() else { return Ok(false) };
        let errand = self
            .db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move { take_on(tx, &entry).await })
            })
            .await?;
        let Some(errand) = errand else { return Ok(true) };
        let work = self.fetch_message(&errand);
        let late = Err(Miss::Later(Duration::ZERO));
        let found = tokio::time::timeout(WORK_MAX, work).await.unwrap_or(late);
        let carriers = Arc::clone(&self.carriers);
        self.db
            .write(move |tx| {
                let (errand, carriers) = (errand.clone(), Arc::clone(&carriers));
                Box::pin(async move { note(tx, &carriers, &errand, found).await })
            })
            .await?;
        Ok(true)
    }

    async fn fetch_message(&self, errand: &Errand) -> Found {
        let Some(objects) = &self.objects else { return Err(Miss::Never(MediaRefusal::Off)) };
        let Errand { medium, address, key, .. } = errand;
        let later = Miss::Later(Duration::ZERO);
        let _place = self.places.files.acquire().await.map_err(|_| later)?;
        let bytes = match self.download(medium.carrier.as_deref(), address).await {
            // It may be told of before it can be fetched.
            Err(Miss::Never(MediaRefusal::Unavailable)) => return Err(later),
            bytes => bytes?,
        };
        let kind = MediaType::of(&bytes).filter(|kind| kind.is_recording());
        let kind = kind.ok_or(Miss::Never(MediaRefusal::Type))?;
        if bytes.len() > FETCHED_MAX {
            return Err(Miss::Never(MediaRefusal::TooLarge));
        }
        let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let sealed = key.seal_file(&bytes, &sealed_as(&medium.id));
        objects.put(&medium.object, sealed).await.map_err(|error| {
            tracing::warn!(%error, "a message could not be kept yet");
            later
        })?;
        Ok((kind, length))
    }

    /// Has a carrier delete a recording; whether anything was done.
    ///
    /// # Errors
    /// The store's: the lease ends by itself.
    pub(in crate::relay) async fn drop_recording(&self, entry: Entry) -> Result<bool, Error> {
        let claimed = self
            .db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move { claim_drop(tx, &entry).await })
            })
            .await?;
        let Some((entry, id)) = claimed else { return Ok(true) };
        let asked = Outbound::DeleteRecording { id };
        let result = self.ask(&entry.carrier, &asked, "delete_recording").await;
        self.db
            .write(move |tx| {
                let (entry, result) = (entry.clone(), result.clone());
                Box::pin(async move { dropped(tx, &entry, &result).await })
            })
            .await?;
        Ok(true)
    }
}

/// Takes on a message that nobody is at. Of a session that was deleted none is fetched.
async fn take_on(tx: &mut Tx, entry: &Entry) -> Result<Option<Errand>, Error> {
    let session = match &entry.session {
        Some(id) => sessions::lock(tx, &entry.account, id).await?,
        None => None,
    };
    let now = tx.now().await?;
    let Some(entry) = outbox::claim(tx, entry, now, now + LEASE).await? else { return Ok(None) };
    let medium = wanted(tx, &entry).await?;
    let medium = medium.filter(|one| one.state == MediaState::Wanted && now < one.expires_at);
    let (Some(medium), Some(session)) = (medium, session.filter(|one| !one.gone)) else {
        owe_drop(tx, &entry, now).await?;
        return Ok(None);
    };
    // Nobody forgets it meanwhile, and the file with it.
    if !media::lease(tx, &medium, now, now + LEASE).await? {
        outbox::put_off(tx, &entry, now + LEASE).await?;
        return Ok(None);
    }
    let key = session.data_key(tx)?;
    let address = medium.address(&key)?;
    Ok(Some(Errand { entry, medium, address, key: Arc::new(key) }))
}

/// What an entry is about: the message of a caller, or what two said who talked. No call has both.
async fn wanted(tx: &mut Tx, entry: &Entry) -> Result<Option<Medium>, Error> {
    let all = media::of_interaction(tx, &entry.account, &entry.interaction).await?;
    Ok(all.into_iter().find(|one| one.purpose != Purpose::File))
}

/// Ends the fetching of a recording, and owes its deletion at the carrier.
async fn owe_drop(tx: &mut Tx, entry: &Entry, now: Timestamp) -> Result<(), Error> {
    let id = outbox::payload(tx, entry).await?;
    if !outbox::finish(tx, entry, OutboxState::Done).await? {
        return Ok(());
    }
    let owed = NewEntry {
        kind: OutboxKind::DropRecording,
        session: entry.session.as_ref(),
        interaction: &entry.interaction,
        leg: &entry.leg,
        carrier: &entry.carrier,
        payload: &id,
        run_at: now,
        valid_until: now + DROPPED_FOR,
        now,
    };
    outbox::insert(tx, &entry.account, &owed).await?;
    Ok(())
}

/// Notes what came of fetching.
async fn note(
    tx: &mut Tx,
    carriers: &Carriers,
    errand: &Errand,
    found: Found,
) -> Result<(), Error> {
    let Errand { entry, medium, .. } = errand;
    let call = live(tx, &entry.carrier, &entry.leg).await?;
    let now = tx.now().await?;
    let refusal = match found {
        Ok((kind, bytes)) => {
            if media::keep(tx, medium, kind, bytes).await? {
                if medium.purpose == Purpose::Recording {
                    recording::kept(tx, medium).await?;
                } else if let Some(call) = call {
                    tx.on_commit(|| metrics::voicemail("kept"));
                    tell(tx, carriers, &call, medium).await?;
                }
            }
            return owe_drop(tx, entry, now).await;
        }
        Err(Miss::Later(wait)) => {
            let at = now + wait.max(doubled(entry.attempts - 1, PAUSE_MAX));
            if at < entry.valid_until {
                media::put_off(tx, medium, now).await?;
                outbox::put_off(tx, entry, at).await?;
                tx.on_commit(|| metrics::voicemail("retry"));
                return Ok(());
            }
            MediaRefusal::Unavailable
        }
        Err(Miss::Never(refusal)) => refusal,
    };
    lose(tx, medium, refusal).await?;
    if refusal == MediaRefusal::Unavailable {
        return leave_there(tx, entry).await;
    }
    owe_drop(tx, entry, now).await
}

/// Leaves a recording that could not be fetched where it is: the carrier's is the only one, and whoever runs
/// this may get at it by the id that is told here.
async fn leave_there(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    let recording = outbox::payload(tx, entry).await?;
    if outbox::finish(tx, entry, OutboxState::Parked).await? {
        let carrier = &entry.carrier;
        tracing::error!(%carrier, recording, "a recording could not be fetched, and stays there");
    }
    Ok(())
}

async fn lose(tx: &mut Tx, medium: &Medium, refusal: MediaRefusal) -> Result<(), Error> {
    if medium.purpose == Purpose::Recording {
        if media::refuse(tx, medium, refusal).await? {
            recording::lost(tx, medium, refusal).await?;
        }
    } else if media::refuse(tx, medium, refusal).await? {
        tracing::warn!(reason = refusal.as_str(), "a message that a caller left is lost");
        tx.on_commit(|| metrics::voicemail("lost"));
    }
    Ok(())
}

/// Gives up on a message that stopped our workers (I32): its recording stays at the carrier.
pub(in crate::relay) async fn set_aside(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    if let Some(medium) = wanted(tx, entry).await? {
        lose(tx, &medium, MediaRefusal::Unavailable).await?;
    }
    outbox::finish(tx, entry, OutboxState::Parked).await?;
    Ok(())
}

/// Tells the marketplace, and whoever missed the call by a text.
async fn tell(tx: &mut Tx, carriers: &Carriers, call: &Live, medium: &Medium) -> Result<(), Error> {
    let Live { account, leg, session, now, open } = call;
    let Some(session) = session.as_ref().filter(|one| !one.gone) else { return Ok(()) };
    let place = Place {
        service: Some(&session.service),
        session: Some(&session.id),
        interaction: Some(&leg.interaction),
    };
    let data = json!({
        "role": leg.role, "seconds": medium.seconds, "expires_at": medium.expires_at.rfc3339(),
    });
    events::insert(tx, account, EventKind::CallVoicemail, place, &data.to_string(), *now).await?;
    let service = services::get_any(tx, account, &session.service).await?;
    let rules = service.ok_or(Error::NotFound("service"))?.rules;
    let carrier = carriers.get(&leg.carrier);
    let (Some(carrier), true) = (carrier, *open && rules.voicemail.text && session.mode.message())
    else {
        return Ok(());
    };
    let address = carrier.links.media(&token(tx, medium));
    let length = medium.seconds.and_then(|seconds| u64::try_from(seconds).ok());
    for callee in callees(tx, call).await? {
        let number = numbers::get(tx, account, &callee.number_id).await?;
        let country = number.map(|number| number.country).unwrap_or_default();
        let words = policy::voicemail_text(
            &rules.brand,
            policy::language(&rules, &country),
            leg.role.as_deref(),
            length.map(Duration::from_secs),
            &address,
        );
        let text = NewText::words(Body::new(words));
        send_after_call(tx, account, &session.id, &callee.id, &text).await?;
    }
    Ok(())
}

/// Claims a recording to delete: the carrier's id of it. `None` for one that is given up, or that somebody
/// else has.
async fn claim_drop(tx: &mut Tx, entry: &Entry) -> Result<Option<(Entry, String)>, Error> {
    let now = tx.now().await?;
    let Some(entry) = outbox::claim(tx, entry, now, now + LEASE).await? else { return Ok(None) };
    if now >= entry.valid_until {
        tracing::warn!(carrier = entry.carrier, "a recording could not be deleted at its carrier");
        outbox::finish(tx, &entry, OutboxState::Parked).await?;
        return Ok(None);
    }
    let id = outbox::payload(tx, &entry).await?;
    Ok(Some((entry, id)))
}

/// Records what came of asking for it. Deleting twice does no harm.
async fn dropped(
    tx: &mut Tx,
    entry: &Entry,
    result: &Result<String, SendError>,
) -> Result<(), Error> {
    let refused = result.as_ref().err().filter(|error| error.retry == Retry::Never);
    let pause = doubled(entry.attempts - 1, DROP_PAUSE_MAX);
    match refused.map(|error| (error, error.kind)) {
        // Credentials and settings that are wrong will be put right.
        Some((_, SendErrorKind::Config)) => {
            let now = tx.now().await?;
            outbox::put_off(tx, entry, now + pause).await?;
        }
        // A carrier that can't deletes its recordings itself, as its page says.
        None | Some((_, SendErrorKind::Unsupported)) => {
            settle_asked(tx, entry, result, pause).await?;
        }
        Some((error, _)) => {
            tracing::warn!(carrier = entry.carrier, %error, "a carrier keeps a recording");
            outbox::finish(tx, entry, OutboxState::Parked).await?;
        }
    }
    if result.is_ok() {
        tx.on_commit(|| metrics::voicemail("dropped"));
    }
    Ok(())
}
