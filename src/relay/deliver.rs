//! Sends what is owed to carriers.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;

use super::{
    Configured, Error, Relay, calls, messages, messages::Claimed, persons, recording,
    twilio_proxy::Verdict, voicemail,
};
use crate::{
    carrier::{
        Outbound, Request, Response, SendError,
        capabilities::{Control, Dedupe},
        error::{Retry, SendErrorKind},
        listing::{Page, Query},
    },
    domain::{interaction::Kind, time::doubled},
    ids::{AccountId, OutboxId},
    store::{
        self, Tx, charges,
        outbox::{self, Entry, OutboxKind, OutboxState},
    },
    telemetry::metrics,
};

/// How long a worker may hold an entry; longer than any request of ours may take.
const LEASE: Duration = Duration::from_secs(30);
/// A worker that took longer than this from its judgement of the session, under its lock, to its
/// request was held up: the session may have been closed meanwhile, and somebody else may have the
/// entry soon. What comes before the lock does not count: a slow database must not hand back for ever.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a marketplace may take to say whether a text goes through.
const INTERCEPT_MAX: Duration = Duration::from_secs(10);
/// How often a claim is left for something outside, and tried again: files, the marketplace.
const ERRANDS_MAX: usize = 4;
/// Between two tries to note what came of a request.
const NOTE_AGAIN: Duration = Duration::from_millis(250);
/// How long a request may take that belongs to an answer: the carrier is kept waiting by it.
const COMMAND_MAX: Duration = Duration::from_secs(2);
/// The longest that an entry is left alone with which nothing could be done.
const STUMBLE_MAX: Duration = Duration::from_secs(8);
/// How long a carrier that takes no more commands is left alone: it tells of the call again by itself.
const THROTTLED: Duration = Duration::from_secs(1);
/// After so many claims an entry is set aside.
const CLAIMS_MAX: i64 = 50;
/// After so many workers that were lost over it, or could do nothing with it, an entry is set aside
/// (I32).
const CRASHES_MAX: i64 = 5;

/// Counts a request to a carrier, and tells what it did not take.
pub(super) fn asked<T>(
    carrier: &str,
    operation: &'static str,
    started: Instant,
    result: &Result<T, SendError>,
) {
    let outcome = match result {
        Ok(_) => "accepted",
        Err(error) => match error.retry {
            Retry::Never => "refused",
            Retry::After(_) => "retry",
            Retry::Unknown => "unknown",
        },
    };
    metrics::carrier_request(carrier, operation, outcome, started.elapsed());
    if let Err(error) = result {
        tracing::warn!(carrier, operation, %error, "a carrier did not take it");
    }
}

/// What came of the requests that belong to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commanded {
    /// They were made, or making them again would help nobody.
    Done,
    /// Some were lost, and all may be made again: the carrier is to tell the same once more.
    Again,
}

/// What a carrier's answer to a command means.
fn commanded(response: &Response) -> Result<(), SendError> {
    let status = response.status;
    if status.is_success() {
        return Ok(());
    }
    let (kind, retry) = match status {
        StatusCode::TOO_MANY_REQUESTS => (SendErrorKind::Throttled, Retry::After(THROTTLED)),
        StatusCode::REQUEST_TIMEOUT => (SendErrorKind::Unreachable, Retry::Unknown),
        other if other.is_server_error() => (SendErrorKind::Unreachable, Retry::Unknown),
        _ => (SendErrorKind::Rejected, Retry::Never),
    };
    Err(SendError::new(kind, retry))
}

/// Counts that nothing could be done with an entry, which is left alone for 1, 2, 4, 8 seconds.
async fn stumbled(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    let now = tx.now().await?;
    outbox::stumble(tx, entry, now + doubled(entry.crashes, STUMBLE_MAX)).await?;
    Ok(())
}

/// Records what came of asking for something that does no harm when it is done twice: what was done, or
/// refused for good, is over, and all else is asked again after a `pause` at the least.
pub(super) async fn settle_asked(
    tx: &mut Tx,
    entry: &Entry,
    result: &Result<String, SendError>,
    pause: Duration,
) -> Result<(), Error> {
    let wait = match result.as_ref().map_err(|error| error.retry) {
        Ok(_) | Err(Retry::Never) => {
            outbox::finish(tx, entry, OutboxState::Done).await?;
            return Ok(());
        }
        Err(Retry::After(wait)) => wait.max(pause),
        Err(Retry::Unknown) => pause,
    };
    let now = tx.now().await?;
    outbox::put_off(tx, entry, now + wait).await?;
    Ok(())
}

async fn parked(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    outbox::finish(tx, entry, OutboxState::Parked).await?;
    Ok(())
}

impl Relay {
    /// What is due now, the oldest first, or of each account in turns; nothing for the carriers in
    /// `without`, nothing that waits for its carrier, and nothing that is `known`.
    pub async fn due(
        &self,
        without: &[String],
        known: &HashMap<OutboxId, AccountId>,
        limit: i64,
    ) -> Result<Vec<Entry>, Error> {
        let (mut held, _) = self.health.held();
        for carrier in without {
            held.carrier(carrier);
        }
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        Ok(outbox::due(&mut tx, now, &held, known, limit).await?)
    }

    /// How long until something is due, at most `most`.
    pub async fn until_due(&self, most: Duration) -> Result<Duration, Error> {
        let mut tx = self.db.read().await?;
        let (held, most) = match self.health.held() {
            (held, Some(free)) => (held, free.min(most)),
            (held, None) => (held, most),
        };
        let next = outbox::next_due(&mut tx, &held).await?;
        let now = tx.now().await?;
        Ok(next.map_or(most, |at| at.since(now)).min(most))
    }

    /// Sends one entry of the outbox, unless somebody else does or it is overtaken; whether
    /// anything was done.
    ///
    /// # Errors
    /// The store's: the lease ends by itself and another worker takes over.
    pub async fn deliver(&self, entry: Entry) -> Result<bool, Error> {
        let crashes = entry.crashes + i64::from(entry.state == OutboxState::Sending);
        if crashes >= CRASHES_MAX || entry.attempts >= CLAIMS_MAX {
            self.set_aside(entry).await?;
            return Ok(true);
        }
        let read = entry.clone();
        let done = match entry.kind {
            OutboxKind::Message => self.deliver_message(entry).await,
            OutboxKind::Call => self.deliver_call(entry).await,
            OutboxKind::EndCall => self.deliver_end(entry).await,
            OutboxKind::FetchRecording => self.fetch_recording(entry).await,
            OutboxKind::DropRecording => self.drop_recording(entry).await,
            OutboxKind::DropRecord => self.drop_record(entry).await,
            OutboxKind::Record => self.record(entry).await,
        };
        match done {
            Err(error) if error.lasts() => {
                tracing::error!(entry = %read.id, %error, "nothing can be done with an entry");
                self.write_entry(read, |tx, entry| Box::pin(stumbled(tx, entry))).await?;
                Ok(true)
            }
            done => done,
        }
    }

    /// Sets an entry aside that stopped workers: its text or call gets an outcome, if that can be
    /// read at all, and nobody tries it again.
    async fn set_aside(&self, entry: Entry) -> Result<(), Error> {
        let (id, kind) = (entry.id.clone(), entry.kind);
        let ended = match kind {
            OutboxKind::Message => {
                self.write_entry(entry.clone(), |tx, one| Box::pin(messages::set_aside(tx, one)))
                    .await
            }
            OutboxKind::Call => {
                self.write_entry(entry.clone(), |tx, one| Box::pin(calls::set_aside(tx, one))).await
            }
            OutboxKind::FetchRecording => {
                self.write_entry(entry.clone(), |tx, one| Box::pin(voicemail::set_aside(tx, one)))
                    .await
            }
            OutboxKind::DropRecord => {
                self.write_entry(entry.clone(), |tx, one| Box::pin(persons::set_aside(tx, one)))
                    .await
            }
            OutboxKind::Record => {
                self.write_entry(entry.clone(), |tx, one| Box::pin(recording::park(tx, one))).await
            }
            // The call goes on: its own news will end it. A recording stays at its carrier.
            OutboxKind::EndCall | OutboxKind::DropRecording => {
                self.write_entry(entry.clone(), |tx, one| Box::pin(parked(tx, one))).await
            }
        };
        match ended {
            Err(error) if error.lasts() => {
                tracing::error!(entry = %id, %error, "an entry is set aside without an outcome");
                self.write_entry(entry, |tx, entry| Box::pin(parked(tx, entry))).await?;
            }
            ended => ended?,
        }
        metrics::set_aside(kind.as_str());
        tracing::error!(entry = %id, "an entry of the outbox was set aside");
        Ok(())
    }

    pub(super) async fn write_entry<F>(&self, entry: Entry, work: F) -> Result<(), Error>
    where
        F: for<'t> Fn(
                &'t mut crate::store::Tx,
                &'t Entry,
            ) -> futures_util::future::BoxFuture<'t, Result<(), Error>>
            + Copy
            + Send
            + Sync
            + 'static,
    {
        self.db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move { work(tx, &entry).await })
            })
            .await
    }

    /// Claims a text, and when it was judged.
    async fn claim_message(
        &self,
        entry: &Entry,
        verdict: Option<Verdict>,
    ) -> Result<(Claimed, Duration), Error> {
        let (entry, carriers) = (entry.clone(), Arc::clone(&self.carriers));
        // While a carrier takes nothing no text is stuck by itself.
        let stuck = self.health.back(&entry.carrier, messages::STUCK);
        self.db
            .write(move |tx| {
                let (entry, carriers, verdict) =
                    (entry.clone(), Arc::clone(&carriers), verdict.clone());
                Box::pin(async move {
                    let verdict = verdict.as_ref();
                    let times = messages::Times { lease: LEASE, stuck };
                    let claimed = messages::claim(tx, &carriers, &entry, times, verdict).await?;
                    Ok::<_, Error>((claimed, tx.passed()))
                })
            })
            .await
    }

    /// Claims a text, once its files are here and the marketplace was asked; `None` while it must wait
    /// for either.
    async fn claimed(&self, entry: &Entry) -> Result<Option<(Claimed, Duration)>, Error> {
        // Nobody is asked, and nothing fetched, for what is above a budget.
        let why = self.spending.refuses(&entry.carrier, &entry.account, Kind::Message);
        let mut verdict = why.map(Verdict::refusing);
        for _ in 0..ERRANDS_MAX {
            match self.claim_message(entry, verdict.clone()).await {
                Err(Error::Fetch) => {
                    if !self.fetch_files(entry).await? {
                        return Ok(None);
                    }
                }
                Err(Error::Ask(question)) => {
                    verdict = self.consult_on_text(&question, INTERCEPT_MAX).await;
                    if verdict.is_none() {
                        return Ok(None);
                    }
                }
                claimed => return claimed.map(Some),
            }
        }
        Ok(None)
    }

    async fn deliver_message(&self, entry: Entry) -> Result<bool, Error> {
        let dedupe = self.dedupe(&entry.carrier);
        let dedupes = matches!(dedupe, Dedupe::Key { .. });
        let Some((claimed, judged)) = self.claimed(&entry).await? else { return Ok(false) };
        let (entry, message, uncertain) = match claimed {
            Claimed::NotNow => return Ok(false),
            Claimed::Ended => return Ok(true),
            Claimed::Send(claimed) => *claimed,
        };
        // What may have been sent is sent again only where the carrier drops the second, or after it
        // was asked.
        if uncertain && !dedupes {
            if dedupe == Dedupe::Lookup {
                self.follow_up(entry, &message).await?;
            } else {
                self.write_entry(entry, |tx, entry| Box::pin(messages::give_up(tx, entry))).await?;
            }
            return Ok(true);
        }
        if self.db.since(judged) > PAUSE_MAX {
            // It was claimed and certainly not sent: whoever comes next judges the session again.
            self.write_entry(entry, |tx, entry| Box::pin(messages::hand_back(tx, entry))).await?;
            return Ok(true);
        }
        let used = charges::News::of_text(&message.body, !message.media.is_empty());
        let result = self.ask(&entry.carrier, &Outbound::Message(message), "message").await;
        let created = entry.created_at;
        let carrier = entry.carrier.clone();
        let relayed = result.is_ok();
        let recorded = self
            .note(judged, move |tx| {
                let (entry, result) = (entry.clone(), result.clone());
                Box::pin(async move {
                    messages::sent(tx, &entry, &result, dedupes).await?;
                    if result.is_ok() {
                        charges::note(tx, &entry.account, &entry.leg, used).await?;
                    }
                    Ok::<_, Error>(tx.now().await?)
                })
            })
            .await?;
        if relayed {
            metrics::relayed(&carrier, recorded.since(created));
        }
        Ok(true)
    }

    /// Notes what came of a request, again and again while a lease of [`LEASE`] would run that began
    /// when so much had `passed`: what is not noted may have to be called unknown.
    pub(super) async fn note<T, F>(&self, passed: Duration, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> Fn(
                &'t mut crate::store::Tx,
            ) -> futures_util::future::BoxFuture<'t, Result<T, Error>>
            + Clone
            + Send
            + 'static,
    {
        loop {
            let result = self.db.urgent().write(work.clone()).await;
            let busy = matches!(
                result,
                Err(Error::Store(store::Error::Unavailable(_) | store::Error::Locked))
            );
            if !busy || self.db.since(passed) > LEASE {
                return result;
            }
            tokio::time::sleep(NOTE_AGAIN).await;
        }
    }

    async fn deliver_call(&self, entry: Entry) -> Result<bool, Error> {
        let untried = entry.attempts == 0 && entry.state == OutboxState::Ready;
        let why = self.spending.refuses(&entry.carrier, &entry.account, Kind::Call);
        if let Some(why) = why.filter(|_| untried) {
            self.write_entry(entry, move |tx, entry| {
                Box::pin(calls::refused_first(tx, entry, why))
            })
            .await?;
            return Ok(true);
        }
        let (claimed, judged) = self
            .db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    let claimed = calls::claim(tx, &entry, LEASE).await?;
                    Ok::<_, Error>((claimed, tx.passed()))
                })
            })
            .await?;
        let Some((entry, call)) = claimed else { return Ok(false) };
        if self.db.since(judged) > PAUSE_MAX {
            self.write_entry(entry, |tx, entry| Box::pin(calls::held_up(tx, entry))).await?;
            return Ok(true);
        }
        let result = self.ask(&entry.carrier, &Outbound::Call(call), "call").await;
        self.note(judged, move |tx| {
            let (entry, result) = (entry.clone(), result.clone());
            Box::pin(async move { calls::placed(tx, &entry, &result).await })
        })
        .await?;
        Ok(true)
    }

    async fn deliver_end(&self, entry: Entry) -> Result<bool, Error> {
        let (claimed, judged) = self
            .db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    let claimed = calls::claim_end(tx, &entry, LEASE).await?;
                    Ok::<_, Error>((claimed, tx.passed()))
                })
            })
            .await?;
        let Some((entry, id)) = claimed else { return Ok(true) };
        let result = self.ask(&entry.carrier, &Outbound::EndCall { id }, "end_call").await;
        self.note(judged, move |tx| {
            let (entry, result) = (entry.clone(), result.clone());
            Box::pin(async move { calls::end_asked(tx, &entry, &result).await })
        })
        .await?;
        Ok(true)
    }

    fn dedupe(&self, carrier: &str) -> Dedupe {
        self.carriers.get(carrier).map_or(Dedupe::None, |one| one.adapter.capabilities().dedupe)
    }

    /// Asks a carrier for something; the carrier's id of it.
    pub(super) async fn ask(
        &self,
        carrier: &str,
        outbound: &Outbound,
        operation: &'static str,
    ) -> Result<String, SendError> {
        let Some(one) = self.carriers.get(carrier) else {
            tracing::error!(carrier, "a number's carrier is not configured any more");
            return Err(SendError::new(SendErrorKind::Config, Retry::Never));
        };
        let started = Instant::now();
        let (status, result) = match one.adapter.request(outbound, &one.links) {
            Ok(request) => match self.client.send(self.authorized(one, request)).await {
                Ok(response) => (Some(response.status), one.adapter.response(outbound, &response)),
                Err(error) => (None, Err(error)),
            },
            Err(error) => (None, Err(error)),
        };
        let result = self.health.learn(carrier, status, result);
        asked(carrier, operation, started, &result);
        result.map(|sent| sent.id)
    }

    /// A request as it leaves: every one that goes to a carrier passes here.
    pub(super) fn authorized(&self, carrier: &Configured, request: Request) -> Request {
        carrier.adapter.authorize(request, self.db.clock())
    }

    /// Sends what belongs to an answer, in order, while the carrier waits for that answer. Who must not
    /// be connected is kept apart by the answer itself, whatever becomes of this; but a call that is
    /// steered by commands alone goes no further without them.
    pub async fn command(&self, carrier: &Configured, commands: &[Request]) -> Commanded {
        let control = carrier.adapter.capabilities().control;
        let (mut lost, mut made) = (false, false);
        for command in commands {
            let started = Instant::now();
            let sent = self.client.send(self.authorized(carrier, command.clone()));
            let late = SendError::new(SendErrorKind::Unreachable, Retry::Unknown);
            let result = match tokio::time::timeout(COMMAND_MAX, sent).await {
                Ok(Ok(response)) => commanded(&response),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(late),
            };
            asked(&carrier.id, "command", started, &result);
            let retry = result.as_ref().err().map(|error| error.retry);
            match control {
                // The document is the answer, and says the most of what is to be done.
                Control::Documents => {}
                Control::Commands { keyed: true } => {
                    lost |= matches!(retry, Some(Retry::After(_) | Retry::Unknown));
                }
                // What was done would be done again: so nothing may have been.
                Control::Commands { keyed: false } if matches!(retry, Some(Retry::After(_))) => {
                    if !made {
                        return Commanded::Again;
                    }
                }
                Control::Commands { keyed: false } => made |= retry != Some(Retry::Never),
            }
        }
        if lost { Commanded::Again } else { Commanded::Done }
    }

    /// Asks a carrier for a page of what it has on record.
    pub(super) async fn page(
        &self,
        carrier: &Configured,
        query: &Query,
        request: Request,
    ) -> Result<Page, SendError> {
        let read = |response: &Response| carrier.adapter.listed(query, response);
        self.tell(carrier, "list", request, read).await
    }

    /// Sends one request, and reads its answer.
    pub(super) async fn tell<T>(
        &self,
        carrier: &Configured,
        operation: &'static str,
        request: Request,
        read: impl FnOnce(&Response) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        let started = Instant::now();
        let result = match self.client.send(self.authorized(carrier, request)).await {
            Ok(response) => read(&response),
            Err(error) => Err(error),
        };
        asked(&carrier.id, operation, started, &result);
        result
    }
}
