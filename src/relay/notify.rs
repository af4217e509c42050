//! Sends events to the marketplaces' endpoints: one attempt, and what follows from it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    Carriers, Error, Relay,
    signed::{self, Post},
    twilio_proxy,
};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        event::EventKind,
        time::Timestamp,
    },
    egress::Failure,
    ids::AccountId,
    privacy::webhook::WebhookKeys,
    store::{
        Tx, audit,
        deliveries::{self, AttemptOutcome, Claim, DeliveryState, Ended, Owing},
        endpoints::{self, DisabledReason, EndpointKind, EndpointState, EndpointUrl},
        events::{self, Event, Place},
    },
    telemetry::metrics,
};

/// How long after each failed attempt the next one comes: eight attempts over 27.6 hours.
const SCHEDULE: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];
/// Each wait is longer by a random part of a tenth, so that what failed together does not come
/// together.
const JITTER: u64 = 10;
/// How much longer than an attempt its lease is.
const LEASE_MARGIN: Duration = Duration::from_secs(15);
/// So many workers that were lost over it, or could do nothing with it, and a delivery is set aside
/// (I32).
const LOST_MAX: i64 = 5;
/// An endpoint of which every attempt failed for so long is switched off.
const FAILING_MAX: Duration = Duration::from_hours(5 * 24);
/// The longest answer that is read; nothing of it is kept.
const ANSWER_MAX: usize = 64 * 1024;
/// How far apart the clocks of our processes and of databases that stood in for each other may be
/// for a reader of events to miss none.
const SETTLE: Duration = Duration::from_secs(2);
/// How many deliveries are withdrawn in one go.
const CANCELLED_MAX: i64 = 200;

/// What a claimed delivery needs to be sent.
#[derive(Debug)]
struct Parcel {
    claim: Claim,
    url: EndpointUrl,
    headers: HeaderMap,
    body: Bytes,
}

/// What a claim came to.
#[derive(Debug)]
enum Claimed {
    /// Nothing is due, or what is must wait for an earlier event.
    Nothing,
    /// Something was withdrawn or given up.
    Ended,
    Send(Box<Parcel>),
}

/// The body of an event: thin, as Standard Webhooks has it. The same bytes for each attempt.
fn body(event: &Event) -> String {
    let mut data: Map<String, Value> = serde_json::from_str(&event.data).unwrap_or_default();
    if let Some(service) = &event.service {
        data.insert("service_id".into(), json!(service));
    }
    if let Some(session) = &event.session {
        data.insert("session_id".into(), json!(session));
        data.insert("sequence".into(), json!(event.sequence));
    }
    if let Some(interaction) = &event.interaction {
        data.insert("interaction_id".into(), json!(interaction));
    }
    let timestamp = event.created_at.rfc3339();
    json!({ "id": event.id, "type": event.kind, "timestamp": timestamp, "data": data }).to_string()
}

impl Relay {
    /// Every endpoint that something is owed to, with how much is due, counted to `most`; and the
    /// time by which that was judged.
    pub async fn owing(&self, most: i64) -> Result<(Vec<Owing>, Timestamp), Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        Ok((deliveries::owing(&mut tx, now, most).await?, now))
    }

    /// The instant before which no event can come any more: whoever has read up to it has missed
    /// none.
    pub async fn settled(&self) -> Result<Timestamp, Error> {
        let mut tx = self.db.read().await?;
        Ok(events::settled(&mut tx, SETTLE).await?)
    }

    /// Sends the next delivery that is due to an endpoint, or withdraws what is owed to one that is
    /// off; whether anything was done. An answer may take as long as `deadline`.
    ///
    /// # Errors
    /// The store's: the lease ends by itself and another worker takes over.
    pub async fn notify(&self, owing: &Owing, deadline: Duration) -> Result<bool, Error> {
        let (to, carriers) = (owing.clone(), Arc::clone(&self.carriers));
        let claimed = self
            .db
            .write(move |tx| {
                let (to, carriers) = (to.clone(), Arc::clone(&carriers));
                Box::pin(async move {
                    let claimed = claim(tx, &carriers, &to, deadline + LEASE_MARGIN).await?;
                    Ok::<_, Error>((claimed, tx.passed()))
                })
            })
            .await;
        let (claimed, at) = match claimed {
            Err(error) if error.lasts() => {
                let endpoint = &owing.endpoint;
                tracing::error!(%endpoint, %error, "nothing can be done with a delivery");
                let to = owing.clone();
                let counted = self.db.write(move |tx| {
                    let to = to.clone();
                    Box::pin(async move { stumbled(tx, &to).await })
                });
                return counted.await.map(|()| true);
            }
            claimed => claimed?,
        };
        let parcel = match claimed {
            Claimed::Nothing => return Ok(false),
            Claimed::Ended => return Ok(true),
            Claimed::Send(parcel) => *parcel,
        };
        let claim = parcel.claim.clone();
        let ended = self.attempt(parcel, deadline).await;
        metrics::delivery(ended.outcome.as_str(), ended.took);
        if ended.outcome != AttemptOutcome::Delivered {
            let (endpoint, event, attempt) = (&claim.endpoint, &claim.event, claim.attempt);
            let (outcome, status) = (ended.outcome, ended.status);
            tracing::info!(%endpoint, %event, attempt, %outcome, ?status, "an endpoint took no event");
        }
        self.note(at, move |tx| {
            let claim = claim.clone();
            Box::pin(async move { settle(tx, &claim, ended).await })
        })
        .await?;
        Ok(true)
    }

    async fn attempt(&self, parcel: Parcel, deadline: Duration) -> Ended {
        let started = Instant::now();
        let post = Post {
            url: parcel.url.expose(),
            headers: parcel.headers,
            body: parcel.body,
            deadline,
            answer_max: ANSWER_MAX,
        };
        let result = self.post(post).await.map(|answer| answer.status);
        Ended {
            outcome: outcome(result),
            status: result.ok().map(|s| s.as_u16()),
            took: started.elapsed(),
        }
    }
}

fn outcome(result: Result<StatusCode, Failure>) -> AttemptOutcome {
    match result {
        Ok(status) if status.is_success() => AttemptOutcome::Delivered,
        Ok(StatusCode::GONE) => AttemptOutcome::Gone,
        Ok(status) if status.is_redirection() => AttemptOutcome::Redirect,
        Ok(_) => AttemptOutcome::Status,
        Err(Failure::Refused(_)) => AttemptOutcome::Refused,
        Err(Failure::Unreachable) => AttemptOutcome::Unreachable,
        Err(Failure::Untrusted) => AttemptOutcome::Untrusted,
        Err(Failure::Timeout) => AttemptOutcome::Timeout,
        Err(Failure::Broken) => AttemptOutcome::Broken,
        Err(Failure::TooLarge) => AttemptOutcome::TooLarge,
    }
}

async fn claim(
    tx: &mut Tx,
    carriers: &Carriers,
    to: &Owing,
    lease: Duration,
) -> Result<Claimed, Error> {
    let (account, id) = (&to.account, &to.endpoint);
    let endpoint = endpoints::get(tx, account, id).await?;
    let now = tx.now().await?;
    let Some(endpoint) = endpoint.filter(|one| one.state == EndpointState::Enabled) else {
        let gone = deliveries::cancel(tx, account, id, now, CANCELLED_MAX).await?;
        return Ok(if gone > 0 { Claimed::Ended } else { Claimed::Nothing });
    };
    let Some(claim) = deliveries::claim(tx, account, id, now, now + lease).await? else {
        return Ok(Claimed::Nothing);
    };
    if deliveries::lost(tx, &claim).await? >= LOST_MAX {
        set_aside(tx, &claim, now).await?;
        return Ok(Claimed::Ended);
    }
    let Some(event) = events::get(tx, account, &claim.event).await? else {
        deliveries::finish(tx, &claim, DeliveryState::Failed, now).await?;
        return Ok(Claimed::Ended);
    };
    let parcel = match endpoint.kind {
        EndpointKind::Webhook => standard(tx, account, &event, now, (claim, endpoint.url)).await?,
        EndpointKind::TwilioProxy => {
            let url = endpoint.url;
            let letter = twilio_proxy::letter(tx, carriers, account, url.expose(), &event).await?;
            let Some(letter) = letter else {
                deliveries::finish(tx, &claim, DeliveryState::Cancelled, now).await?;
                return Ok(Claimed::Ended);
            };
            Parcel { claim, url, headers: letter.headers, body: letter.body.into() }
        }
    };
    Ok(Claimed::Send(Box::new(parcel)))
}

/// An event for an endpoint of the marketplace's own.
async fn standard(
    tx: &mut Tx,
    account: &AccountId,
    event: &Event,
    now: Timestamp,
    (claim, url): (Claim, EndpointUrl),
) -> Result<Parcel, Error> {
    let keys = endpoints::live_keys(tx, account, &claim.endpoint, now).await?;
    let body = body(event);
    let sign = |keys: &WebhookKeys| keys.sign(event.id.as_str(), now, body.as_bytes());
    let signatures: Vec<String> = keys.iter().map(|one| sign(&one.keys)).collect();
    let headers = signed::standard(event.id.as_str(), now, &signatures.join(" "));
    Ok(Parcel { claim, url, headers, body: body.into() })
}

/// Counts that nothing could be done with the next delivery that is due to an endpoint, as an attempt
/// without an end; the last of so many sets it aside.
async fn stumbled(tx: &mut Tx, to: &Owing) -> Result<(), Error> {
    let now = tx.now().await?;
    let until = now + LEASE_MARGIN;
    let claimed = deliveries::claim(tx, &to.account, &to.endpoint, now, until).await?;
    if let Some(claim) = claimed
        && deliveries::lost(tx, &claim).await? + 1 >= LOST_MAX
    {
        set_aside(tx, &claim, now).await?;
    }
    Ok(())
}

async fn set_aside(tx: &mut Tx, claim: &Claim, now: Timestamp) -> Result<(), Error> {
    deliveries::finish(tx, claim, DeliveryState::Failed, now).await?;
    tx.on_commit(|| metrics::set_aside("delivery"));
    let (endpoint, event) = (&claim.endpoint, &claim.event);
    tracing::error!(%endpoint, %event, "a delivery was set aside");
    Ok(())
}

/// What follows from an attempt.
async fn settle(tx: &mut Tx, claim: &Claim, ended: Ended) -> Result<(), Error> {
    let (account, id) = (&claim.account, &claim.endpoint);
    deliveries::note(tx, claim, ended).await?;
    let now = tx.now().await?;
    if ended.outcome == AttemptOutcome::Delivered {
        deliveries::finish(tx, claim, DeliveryState::Delivered, now).await?;
        endpoints::works(tx, account, id).await?;
        return Ok(());
    }
    let gone = ended.outcome == AttemptOutcome::Gone;
    let wait = usize::try_from(claim.step - 1).ok().and_then(|step| SCHEDULE.get(step));
    match wait.filter(|_| !gone) {
        Some(wait) => deliveries::put_off(tx, claim, now + jittered(tx, *wait)).await?,
        None => deliveries::finish(tx, claim, DeliveryState::Failed, now).await?,
    };
    let since = endpoints::fails(tx, account, id, now).await?;
    if gone {
        switch_off(tx, claim, DisabledReason::Gone, now).await?;
    } else if now.since(since) >= FAILING_MAX {
        switch_off(tx, claim, DisabledReason::Failing, now).await?;
    }
    Ok(())
}

/// A wait and up to a tenth of it.
fn jittered(tx: &Tx, wait: Duration) -> Duration {
    let mut random = [0; 4];
    tx.random(&mut random);
    let most = u64::try_from(wait.as_millis()).unwrap_or(0) / JITTER;
    wait + Duration::from_millis(u64::from(u32::from_be_bytes(random)) % (most + 1))
}

async fn switch_off(
    tx: &mut Tx,
    claim: &Claim,
    reason: DisabledReason,
    now: Timestamp,
) -> Result<(), Error> {
    let (account, id) = (&claim.account, &claim.endpoint);
    let Some(service) = endpoints::disable(tx, account, id, reason, now).await? else {
        return Ok(());
    };
    tracing::warn!(endpoint = %id, %reason, "an endpoint was switched off");
    let place = Place { service: service.as_ref(), ..Place::default() };
    let data = json!({ "endpoint_id": id, "reason": reason.as_str() }).to_string();
    events::insert(tx, account, EventKind::EndpointDisabled, place, &data, now).await?;
    let entry = Entry::new(Action::EndpointDisabled, id.as_str());
    Ok(audit::append(tx, account, entry.with(Detail::Why, reason.as_str())).await?)
}
