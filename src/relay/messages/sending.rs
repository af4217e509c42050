//! What a worker does with a text that is owed.

use std::time::Duration;

use super::{
    Payload, opt_out,
    progress::{News, reason_of, settle},
};
use crate::relay::{
    Carriers, abuse,
    error::Error,
    media,
    twilio_proxy::{self, Verdict},
};
use crate::{
    carrier::{
        error::{Retry, SendError, SendErrorKind},
        listing::SentText,
        outbound::OutboundMessage,
    },
    domain::{
        interaction::Reason,
        message::{Body, MessageState},
        phone::Identifier,
        policy::Rules,
        sender::{CodeSender, Sender},
        time::{Timestamp, doubled},
    },
    store::{
        Tx, blocks,
        interactions::{self},
        legs::{self, Direction, Leg},
        outbox::{self, Entry, OutboxState},
        participants::{self, Participant},
        services,
        sessions::{self, Session},
    },
};

/// How long a text that was tried, and is still owed, keeps later ones to the same person back (I12).
pub(in crate::relay) const STUCK: Duration = Duration::from_secs(30);

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::relay) struct Times {
    /// Until a claim ends by itself.
    pub(in crate::relay) lease: Duration,
    /// [`STUCK`], and what the carrier took nothing for.
    pub(in crate::relay) stuck: Duration,
}

/// What a claimed entry of the outbox asks for, or why it is not to be sent any more.
#[derive(Debug)]
pub(in crate::relay) enum Claimed {
    /// The entry, what to send, and whether it may have been sent already.
    Send(Box<(Entry, OutboundMessage, bool)>),
    /// Ended here: the session, a block or the time came first.
    Ended,
    /// Somebody else has it, or an earlier text goes first.
    NotNow,
}

/// Claims a text to send (M3): the session is locked and judged again, so that none starts after a
/// close was acknowledged (I3). What a person wrote is asked about first, where the service wants that.
///
/// # Errors
/// [`Error::Fetch`] where files are to be fetched first, [`Error::Ask`] where the marketplace is to be
/// asked.
pub(in crate::relay) async fn claim(
    tx: &mut Tx,
    carriers: &Carriers,
    entry: &Entry,
    Times { lease, stuck }: Times,
    verdict: Option<&Verdict>,
) -> Result<Claimed, Error> {
    let session = match &entry.session {
        Some(id) => sessions::lock(tx, &entry.account, id).await?,
        None => None,
    };
    let now = tx.now().await?;
    if outbox::earlier_pending(tx, entry, now - stuck).await? {
        return Ok(Claimed::NotNow);
    }
    // Whoever claimed it before had the marketplace's leave.
    let first = entry.attempts == 0;
    // A lease that ran out: its worker may have sent it and never come to say so.
    let lost = entry.state == OutboxState::Sending;
    let Some(entry) = outbox::claim(tx, entry, now, now + lease).await? else {
        return Ok(Claimed::NotNow);
    };
    let legs = legs::of_interaction(tx, &entry.account, &entry.interaction).await?;
    let leg = legs.iter().find(|leg| leg.id == entry.leg).ok_or(Error::NotFound("leg"))?.clone();
    let state = MessageState::parse(&leg.state).unwrap_or(MessageState::Queued);
    // A receipt came in while the carrier's answer was lost: it was sent.
    if state.is_final() || state == MessageState::Sent {
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(Claimed::Ended);
    }
    let payload: Payload = serde_json::from_str(&outbox::payload(tx, &entry).await?)
        .map_err(|_| crate::store::Error::Inconsistent { table: "outbox", column: "payload" })?;
    let judged = judged(tx, &entry, &legs, session.as_ref(), &payload, now).await?;
    let judged = match verdict {
        Some(verdict) => judged.and_then(|to| verdict.refused.map_or(Ok(to), Err)),
        None => judged,
    };
    let to = match judged {
        Ok(to) => to,
        Err(reason) => {
            let failed = matches!(reason, Reason::TooLate | Reason::RecipientOptedOut);
            let state = if failed { MessageState::Failed } else { MessageState::Cancelled };
            return ended(tx, &entry, leg, News::new(state, Some(reason)), lost, now).await;
        }
    };
    let mut addresses = Vec::new();
    if let (Some(session), true) = (&session, payload.files) {
        let offer = media::offer(tx, carriers, &entry, session, &leg).await?;
        if offer.addresses.is_empty() && payload.body.is_empty() {
            let reason =
                if offer.unable { Reason::RecipientWithoutMedia } else { Reason::MediaRefused };
            let news = News::new(MessageState::Failed, Some(reason));
            return ended(tx, &entry, leg, news, lost, now).await;
        }
        addresses = offer.addresses;
    }
    if let (Some(session), None, true) = (&session, verdict, first && payload.asks) {
        twilio_proxy::of_text(tx, carriers, &entry, session, &payload.body).await?;
    }
    let message = OutboundMessage {
        leg: leg.id.clone(),
        from: shown(&leg, session.as_ref()),
        to,
        body: Body::new(payload.body),
        media: addresses,
        validity: entry.valid_until.since(now).max(Duration::from_secs(1)),
    };
    let mut sending = leg;
    // Whatever becomes of this claim, that an earlier one may have sent it is not forgotten.
    let after = if lost { MessageState::Unknown } else { MessageState::Sending };
    state.after(after).as_str().clone_into(&mut sending.state);
    sending.possible_duplicate |= entry.cleared;
    sending.updated_at = now;
    legs::update(tx, &entry.account, &sending).await?;
    let uncertain = (lost || state == MessageState::Unknown) && !entry.cleared;
    Ok(Claimed::Send(Box::new((entry, message, uncertain))))
}

/// What the recipient sees: a name for a code that is sent under one, and their proxy number for all that somebody said.
fn shown(leg: &Leg, session: Option<&Session>) -> Sender {
    let name = leg.sender_id.as_ref().and_then(|id| CodeSender::new(id, session));
    name.map_or_else(|| leg.number.clone().into(), Sender::Code)
}

/// Ends a text that is not sent any more. What may have been sent stays so: a late "no" would be a lie.
async fn ended(
    tx: &mut Tx,
    entry: &Entry,
    leg: Leg,
    why: News,
    lost: bool,
    now: Timestamp,
) -> Result<Claimed, Error> {
    let perhaps_sent = lost || MessageState::parse(&leg.state) == Some(MessageState::Unknown);
    let news = if perhaps_sent { News::gives_up() } else { why };
    settle(tx, &entry.account, leg, news, now).await?;
    outbox::finish(tx, entry, OutboxState::Done).await?;
    Ok(Claimed::Ended)
}

/// Whom a text goes to, or why it is not to be sent any more.
async fn judged(
    tx: &mut Tx,
    entry: &Entry,
    legs: &[Leg],
    session: Option<&Session>,
    payload: &Payload,
    now: Timestamp,
) -> Result<Result<Identifier, Reason>, Error> {
    if let Some(to) = &payload.to {
        let to = Identifier::parse(to).map_err(|_| crate::store::Error::Inconsistent {
            table: "outbox",
            column: "payload",
        })?;
        let unwanted = match legs.iter().find(|leg| leg.id == entry.leg) {
            Some(leg) if !payload.asked_for => {
                opt_out::unwanted_on(tx, &entry.account, leg, &to).await?
            }
            _ => false,
        };
        if let Err(reason) = reached(tx, entry, &to, now).await? {
            return Ok(Err(reason));
        }
        return Ok(match (unwanted, now < entry.valid_until) {
            (true, _) => Err(Reason::RecipientOptedOut),
            (false, false) => Err(Reason::TooLate),
            (false, true) => Ok(to),
        });
    }
    let session = session.ok_or(Error::NotFound("session"))?;
    let leg = legs.iter().find(|leg| leg.id == entry.leg);
    let to = leg.and_then(|leg| leg.participant.clone()).ok_or(Error::NotFound("participant"))?;
    let to = participants::get(tx, &entry.account, &to).await?;
    let to = to.ok_or(Error::NotFound("participant"))?;
    if let Some(reason) = overtaken(tx, entry, legs, session, &to, now).await? {
        return Ok(Err(reason));
    }
    let to = to.identifier(&session.data_key(tx)?)?;
    Ok(reached(tx, entry, &to, now).await?.map(|()| to))
}

/// Whether a text may still go to that number. The service's list of countries was read when the text was taken in,
/// and is read again for one that has waited.
async fn reached(
    tx: &mut Tx,
    entry: &Entry,
    to: &Identifier,
    now: Timestamp,
) -> Result<Result<(), Reason>, Error> {
    const FRESH: Duration = Duration::from_secs(2);
    let mut rules = None;
    if now.since(entry.created_at) > FRESH {
        let interaction = interactions::get_any(tx, &entry.account, &entry.interaction).await?;
        if let Some(service) = interaction.and_then(|one| one.service) {
            rules = services::get_any(tx, &entry.account, &service).await?.map(|one| one.rules);
        }
    }
    let rules = rules.unwrap_or_else(|| Rules::new(String::new()));
    Ok(abuse::gate(tx, &rules, to))
}

/// Why a text is not to be sent any more.
async fn overtaken(
    tx: &mut Tx,
    entry: &Entry,
    legs: &[Leg],
    session: &Session,
    to: &Participant,
    now: Timestamp,
) -> Result<Option<Reason>, Error> {
    let over = session.gone || session.state == crate::domain::session::State::Closed;
    if over || to.removed_at.is_some() {
        return Ok(Some(Reason::SessionClosed));
    }
    if session.suspended_at.is_some() {
        return Ok(Some(Reason::SessionSuspended));
    }
    if now >= session.expires_at {
        return Ok(Some(Reason::SessionExpired));
    }
    if now >= entry.valid_until {
        return Ok(Some(Reason::TooLate));
    }
    // It may come from another number than they dial now: theirs was changed, or its carrier is down.
    let leg = legs.iter().find(|leg| leg.id == entry.leg);
    let stopped = match leg.filter(|leg| leg.number != to.number) {
        Some(leg) => opt_out::unwanted_from(tx, &entry.account, leg, &to.person).await?,
        None => false,
    };
    if stopped || opt_out::unwanted(tx, &entry.account, &to.number_id, &to.person).await? {
        return Ok(Some(Reason::RecipientOptedOut));
    }
    let sender = legs.iter().find(|leg| leg.direction == Direction::Inbound);
    if let Some(sender) = sender.and_then(|leg| leg.participant.as_ref()) {
        let sender = participants::get(tx, &entry.account, sender).await?;
        if let Some(sender) = sender {
            let people = [to.person.clone()];
            if !blocks::apart(tx, &entry.account, &sender.person, &people).await?.is_empty() {
                return Ok(Some(Reason::Blocked));
            }
        }
    }
    Ok(None)
}

/// Records what came of sending a text (fenced: a late worker's news is still news of the leg, but
/// no longer moves the entry).
pub(in crate::relay) async fn sent(
    tx: &mut Tx,
    entry: &Entry,
    result: &Result<String, SendError>,
    may_resend: bool,
) -> Result<(), Error> {
    let (leg, now) = locked(tx, entry).await?;
    let error = match result {
        Ok(id) => {
            let mut news = News::new(MessageState::Sent, None);
            news.carrier_id = Some(id.clone());
            settle(tx, &entry.account, leg, news, now).await?;
            outbox::finish(tx, entry, OutboxState::Done).await?;
            return Ok(());
        }
        Err(error) => error,
    };
    match error.retry {
        Retry::After(wait) => {
            let wait = wait.max(backoff(entry));
            if now + wait < entry.valid_until {
                put_off_unsent(tx, entry, now + wait).await?;
                return Ok(());
            }
            let news = failed(error, Reason::CarrierUnreachable);
            settle(tx, &entry.account, leg, news, now).await?;
            outbox::finish(tx, entry, OutboxState::Done).await?;
        }
        Retry::Never => {
            if error.kind == SendErrorKind::OptedOut {
                opt_out::import(tx, &entry.account, &leg, now).await?;
            }
            settle(tx, &entry.account, leg, failed(error, Reason::CarrierRejected), now).await?;
            outbox::finish(tx, entry, OutboxState::Done).await?;
        }
        Retry::Unknown => unknown(tx, entry, leg, error, may_resend, now).await?,
    }
    Ok(())
}

/// M4: the carrier may have it. Where it dedupes by key the same key is sent again; elsewhere a
/// receipt is waited for, and then the carrier is asked, if it can be.
async fn unknown(
    tx: &mut Tx,
    entry: &Entry,
    leg: Leg,
    error: &SendError,
    may_resend: bool,
    now: Timestamp,
) -> Result<(), Error> {
    const RECEIPT_WAIT: Duration = Duration::from_secs(10);
    let mut news = News::new(MessageState::Unknown, Some(Reason::CarrierUnknown));
    news.carrier_code.clone_from(&error.carrier_code);
    settle(tx, &entry.account, leg, news, now).await?;
    let wait = if may_resend { backoff(entry) } else { RECEIPT_WAIT };
    outbox::put_off(tx, entry, now + wait).await?;
    Ok(())
}

/// Gives back a text that was claimed and certainly not sent: it is due at once.
pub(in crate::relay) async fn hand_back(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    let now = tx.now().await?;
    put_off_unsent(tx, entry, now).await
}

/// Puts off what this claim certainly did not send: what the claim was allowed, the next one is.
async fn put_off_unsent(tx: &mut Tx, entry: &Entry, run_at: Timestamp) -> Result<(), Error> {
    if entry.cleared {
        outbox::clear(tx, entry, run_at).await?;
    } else {
        outbox::put_off(tx, entry, run_at).await?;
    }
    Ok(())
}

/// Gives up on a text whose fate nobody will learn; a receipt that still comes moves its state.
pub(in crate::relay) async fn give_up(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    let (leg, now) = locked(tx, entry).await?;
    settle(tx, &entry.account, leg, News::gives_up(), now).await?;
    outbox::finish(tx, entry, OutboxState::Parked).await?;
    Ok(())
}

/// Gives up on a text that stopped our workers (I32): one that was never claimed has failed; whether
/// any other was sent nobody will learn.
pub(in crate::relay) async fn set_aside(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    let (leg, now) = locked(tx, entry).await?;
    let news = if leg.state == MessageState::Queued.as_str() {
        News::new(MessageState::Failed, Some(Reason::Parked))
    } else {
        News::unknowable(Reason::Parked)
    };
    settle(tx, &entry.account, leg, news, now).await?;
    outbox::finish(tx, entry, OutboxState::Parked).await?;
    Ok(())
}

/// The carrier was asked and has it.
pub(in crate::relay) async fn found(
    tx: &mut Tx,
    entry: &Entry,
    text: &SentText,
) -> Result<(), Error> {
    let (leg, now) = locked(tx, entry).await?;
    let mut news = News::new(text.state, reason_of(text.state));
    news.carrier_id = Some(text.id.clone());
    news.carrier_code.clone_from(&text.carrier_code);
    settle(tx, &entry.account, leg, news, now).await?;
    outbox::finish(tx, entry, OutboxState::Done).await?;
    Ok(())
}

/// The carrier was asked and does not have it: it is due once more, and whoever claims it flags its
/// leg. Whether it is due: after a second try nobody tries a third time.
pub(in crate::relay) async fn absent(tx: &mut Tx, entry: &Entry) -> Result<bool, Error> {
    let (leg, now) = locked(tx, entry).await?;
    if leg.possible_duplicate {
        settle(tx, &entry.account, leg, News::gives_up(), now).await?;
        outbox::finish(tx, entry, OutboxState::Parked).await?;
        return Ok(false);
    }
    // A receipt that came in meanwhile is seen by whoever claims the entry.
    Ok(outbox::clear(tx, entry, now).await?)
}

/// The carrier could not be asked: it is asked again, as long as the text is worth sending.
pub(in crate::relay) async fn ask_again(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    let now = tx.now().await?;
    outbox::put_off(tx, entry, now + backoff(entry)).await?;
    Ok(())
}

/// The entry's leg, its session and interaction locked, and the time after that.
async fn locked(tx: &mut Tx, entry: &Entry) -> Result<(Leg, Timestamp), Error> {
    if let Some(session) = &entry.session {
        sessions::lock(tx, &entry.account, session).await?;
    }
    interactions::lock(tx, &entry.account, &entry.interaction).await?;
    let legs = legs::of_interaction(tx, &entry.account, &entry.interaction).await?;
    let leg = legs.into_iter().find(|leg| leg.id == entry.leg).ok_or(Error::NotFound("leg"))?;
    Ok((leg, tx.now().await?))
}

/// How long a text that was claimed is left alone.
fn backoff(entry: &Entry) -> Duration {
    doubled(entry.attempts - 1, PAUSE_MAX)
}

fn failed(error: &SendError, otherwise: Reason) -> News {
    let reason = match error.kind {
        SendErrorKind::Config | SendErrorKind::Unsupported => Reason::CarrierConfig,
        SendErrorKind::InvalidNumber => Reason::InvalidNumber,
        SendErrorKind::OptedOut => Reason::OptedOut,
        SendErrorKind::Rejected => Reason::CarrierRejected,
        SendErrorKind::Throttled | SendErrorKind::Unreachable => otherwise,
    };
    let mut news = News::new(MessageState::Failed, Some(reason));
    news.carrier_code.clone_from(&error.carrier_code);
    news
}
