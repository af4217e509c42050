//! Texts: taken in, owed to the other side, sent by a worker, followed by receipts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    error::{Error, Fault},
    inbound::{self, Event, Route, Routed},
};
use crate::{
    carrier::{
        error::{Retry, SendError, SendErrorKind},
        event::{InboundMessage, MessageStatus},
        outbound::OutboundMessage,
        plan::Answer,
    },
    domain::{
        interaction::{Kind, Outcome, Reason},
        message::{BODY_CHARS_MAX, Body, MessageState},
        session::is_live,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, ParticipantId, SessionId},
    store::{
        Tx, blocks, events,
        events::Place,
        inbox::{self, EventKey},
        interactions::{self, End, Interaction, Origin},
        legs::{self, Direction, Leg},
        numbers,
        outbox::{self, Entry, NewEntry, OutboxKind, OutboxState},
        participants::{self, Participant},
        services, sessions,
    },
};

/// How long a text is worth sending: a late one would reach a session that has ended.
const VALIDITY_MAX: Duration = Duration::from_mins(15);

/// What the outbox holds of a text.
#[derive(Serialize, Deserialize)]
struct Payload {
    body: String,
    media: Vec<String>,
}

/// Takes in a text (M2): nothing is acknowledged before the commit that holds this.
pub(super) async fn receive(
    tx: &mut Tx,
    carrier: &str,
    message: &InboundMessage,
) -> Result<(Answer, Option<Reason>), Error> {
    let key = EventKey { carrier, kind: "message", event: &message.id };
    let now = tx.now().await?;
    if !inbox::insert(tx, key, now).await? {
        return Ok((Answer::Ack, None));
    }
    let event = Event {
        kind: Kind::Message,
        carrier,
        id: &message.id,
        from: &message.from,
        to: &message.to,
        media: i64::try_from(message.media.len()).unwrap_or(i64::MAX),
    };
    match inbound::route(tx, event).await? {
        Route::Nowhere => Ok((Answer::Ack, Some(Reason::UnknownNumber))),
        Route::Refused(refused) => {
            let state = MessageState::Received.as_str();
            let id = inbound::log_refusal(tx, event, &refused, state).await?;
            inbox::set_answer(tx, key, &refused.account, &id, "").await?;
            Ok((Answer::Ack, Some(refused.reason)))
        }
        Route::To(routed) => {
            let (account, id, reason) = relay(tx, event, *routed, message).await?;
            inbox::set_answer(tx, key, &account, &id, "").await?;
            Ok((Answer::Ack, reason))
        }
    }
}

async fn relay(
    tx: &mut Tx,
    event: Event<'_>,
    mut routed: Routed,
    message: &InboundMessage,
) -> Result<(AccountId, InteractionId, Option<Reason>), Error> {
    let mut interaction = inbound::interaction(tx, event, &routed);
    let refusal = if !message.media.is_empty() {
        Some(Reason::MediaNotSupported)
    } else if message.body.is_empty() {
        Some(Reason::EmptyText)
    } else {
        None
    };
    if let Some(reason) = refusal {
        interaction.outcome = Some(Outcome::Refused);
        interaction.reason = Some(reason);
        interaction.ended_at = Some(routed.now);
    }
    let account = routed.account.clone();
    let now = routed.now;
    interactions::insert(tx, &account, &interaction).await?;
    let mut leg = inbound::inbound_leg(tx, event, &interaction, MessageState::Received.as_str());
    leg.outcome = interaction.outcome;
    leg.reason = interaction.reason;
    legs::insert(tx, &account, &leg).await?;
    inbound::touch(tx, &account, &mut routed.session, now).await?;
    let place = place(&interaction);
    let role = interaction.from_role.clone();
    if let Some(reason) = refusal {
        let data = json!({ "reason": reason.as_str(), "role": role }).to_string();
        events::insert(tx, &account, "message.refused", place, &data, now).await?;
        return Ok((account, interaction.id, Some(reason)));
    }
    let data = json!({ "role": role }).to_string();
    events::insert(tx, &account, "message.received", place, &data, now).await?;
    let owed = Owed { body: &message.body, expires_at: routed.session.expires_at };
    owe(tx, &account, &interaction, &routed.recipients, owed, 1).await?;
    Ok((account, interaction.id, None))
}

fn place(interaction: &Interaction) -> Place<'_> {
    Place {
        service: interaction.service.as_ref(),
        session: interaction.session.as_ref(),
        interaction: Some(&interaction.id),
    }
}

#[derive(Clone, Copy)]
struct Owed<'a> {
    body: &'a Body,
    /// When the session's time is up.
    expires_at: Timestamp,
}

/// Owes a text to each recipient: a leg and an entry of the outbox.
async fn owe(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &Interaction,
    recipients: &[Participant],
    owed: Owed<'_>,
    first_position: i64,
) -> Result<(), Error> {
    let now = interaction.created_at;
    let payload = Payload { body: owed.body.expose().to_owned(), media: Vec::new() };
    let payload = serde_json::to_string(&payload).unwrap_or_default();
    for (position, recipient) in (first_position..).zip(recipients) {
        let number = numbers::get(tx, account, &recipient.number_id).await?;
        let carrier = number.map_or_else(|| interaction.carrier.clone(), |number| number.carrier);
        let state = MessageState::Queued.as_str();
        let leg = inbound::outbound_leg(tx, interaction, position, recipient, &carrier, state);
        legs::insert(tx, account, &leg).await?;
        let entry = NewEntry {
            kind: OutboxKind::Message,
            session: interaction.session.as_ref(),
            interaction: &interaction.id,
            leg: &leg.id,
            carrier: &carrier,
            payload: &payload,
            run_at: now,
            valid_until: (now + VALIDITY_MAX).min(owed.expires_at),
            now,
        };
        outbox::insert(tx, account, &entry).await?;
    }
    Ok(())
}

/// Owes a text from the marketplace to one participant, through the mask.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::ModeNotAllowed`], [`Error::Invalid`].
pub async fn send_to_participant(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    participant: &ParticipantId,
    body: &Body,
) -> Result<Interaction, Error> {
    if body.is_empty() || body.chars() > BODY_CHARS_MAX {
        return Err(Error::Invalid(vec![Fault::new(
            "/body",
            "length",
            format!("must have 1 to {BODY_CHARS_MAX} characters"),
        )]));
    }
    let mut session =
        sessions::lock(tx, account, session).await?.ok_or(Error::NotFound("session"))?;
    let to = participants::get(tx, account, participant)
        .await?
        .filter(|one| one.session == session.id && one.removed_at.is_none())
        .ok_or(Error::NotFound("participant"))?;
    let now = tx.now().await?;
    if !is_live(session.state, session.expires_at, now) {
        return Err(Error::SessionClosed);
    }
    if !session.mode.message() {
        return Err(Error::ModeNotAllowed);
    }
    let number = numbers::get(tx, account, &to.number_id).await?;
    let interaction = Interaction {
        id: tx.id_at(now),
        service: Some(session.service.clone()),
        session: Some(session.id.clone()),
        kind: Kind::Message,
        origin: Origin::Api,
        from_participant: None,
        from_role: None,
        person: None,
        number: to.number.clone(),
        carrier: number.map(|number| number.carrier).unwrap_or_default(),
        outcome: None,
        reason: None,
        media: 0,
        duration: None,
        version: 1,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    interactions::insert(tx, account, &interaction).await?;
    inbound::touch(tx, account, &mut session, now).await?;
    let data = json!({ "participant_id": to.id, "role": to.role }).to_string();
    events::insert(tx, account, "message.created", place(&interaction), &data, now).await?;
    let owed = Owed { body, expires_at: session.expires_at };
    owe(tx, account, &interaction, std::slice::from_ref(&to), owed, 0).await?;
    Ok(interaction)
}

/// Tells whoever missed a call of it, through the mask, where the service says so.
pub(super) async fn missed_call_text(
    tx: &mut Tx,
    account: &AccountId,
    call: &Interaction,
    legs: &[Leg],
    now: Timestamp,
) -> Result<(), Error> {
    let (Some(service), Some(session)) = (&call.service, &call.session) else { return Ok(()) };
    let Some(service) = services::get(tx, account, service).await? else { return Ok(()) };
    let words = service.rules.missed_call_text;
    if words.is_empty() {
        return Ok(());
    }
    let Some(session) = sessions::lock(tx, account, session).await? else { return Ok(()) };
    if !is_live(session.state, session.expires_at, now) || !session.mode.message() {
        return Ok(());
    }
    let missed: Vec<ParticipantId> = legs
        .iter()
        .filter(|leg| leg.position > 0 && leg.outcome != Some(Outcome::Failed))
        .filter_map(|leg| leg.participant.clone())
        .collect();
    for participant in missed {
        let body = Body::new(words.clone());
        match send_to_participant(tx, account, &session.id, &participant, &body).await {
            // Whoever left the session meanwhile is told nothing.
            Ok(_) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a claimed entry of the outbox asks for, or why it is not to be sent any more.
#[derive(Debug)]
pub(super) enum Claimed {
    Send(Box<(Entry, OutboundMessage, MessageState)>),
    /// Ended here: the session, a block or the time came first.
    Ended,
    /// Somebody else has it, or an earlier text goes first.
    NotNow,
}

/// Claims a text to send (M3): the session is locked and judged again, so that none starts after a
/// close was acknowledged (I3).
pub(super) async fn claim(tx: &mut Tx, entry: &Entry, lease: Duration) -> Result<Claimed, Error> {
    let session = match &entry.session {
        Some(id) => sessions::lock(tx, &entry.account, id).await?,
        None => None,
    };
    let now = tx.now().await?;
    if outbox::earlier_pending(tx, entry).await? {
        return Ok(Claimed::NotNow);
    }
    let Some(entry) = outbox::claim(tx, entry, now, now + lease).await? else {
        return Ok(Claimed::NotNow);
    };
    let legs = legs::of_interaction(tx, &entry.account, &entry.interaction).await?;
    let leg = legs.iter().find(|leg| leg.id == entry.leg).ok_or(Error::NotFound("leg"))?.clone();
    let state = MessageState::parse(&leg.state).unwrap_or(MessageState::Queued);
    let Some(session) = session else { return Err(Error::NotFound("session")) };
    // A receipt came in while the carrier's answer was lost: it was sent.
    if state.is_final() || state == MessageState::Sent {
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(Claimed::Ended);
    }
    let to = leg.participant.clone().ok_or(Error::NotFound("participant"))?;
    let to = participants::get(tx, &entry.account, &to).await?;
    let to = to.ok_or(Error::NotFound("participant"))?;
    if let Some(reason) = overtaken(tx, &entry, &legs, &session, &to, now).await? {
        let state =
            if reason == Reason::TooLate { MessageState::Failed } else { MessageState::Cancelled };
        // What may have been sent stays so: a late "no" would be a lie.
        let (state, reason) = match leg.state.as_str() {
            "unknown" => (MessageState::Unknown, Reason::CarrierUnknown),
            _ => (state, reason),
        };
        settle(tx, &entry.account, leg, News::new(state, Some(reason)), now).await?;
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(Claimed::Ended);
    }
    let payload: Payload = serde_json::from_str(&outbox::payload(tx, &entry).await?)
        .map_err(|_| crate::store::Error::Inconsistent { table: "outbox", column: "payload" })?;
    let key = session.data_key(tx)?;
    let message = OutboundMessage {
        leg: leg.id.clone(),
        from: leg.number.clone(),
        to: to.identifier(&key)?,
        body: Body::new(payload.body),
        media: payload.media,
        validity: entry.valid_until.since(now).max(Duration::from_secs(1)),
    };
    let mut sending = leg;
    state.after(MessageState::Sending).as_str().clone_into(&mut sending.state);
    sending.updated_at = now;
    legs::update(tx, &entry.account, &sending).await?;
    Ok(Claimed::Send(Box::new((entry, message, state))))
}

/// Why a text is not to be sent any more.
async fn overtaken(
    tx: &mut Tx,
    entry: &Entry,
    legs: &[Leg],
    session: &sessions::Session,
    to: &Participant,
    now: Timestamp,
) -> Result<Option<Reason>, Error> {
    if session.state == crate::domain::session::State::Closed || to.removed_at.is_some() {
        return Ok(Some(Reason::SessionClosed));
    }
    if now >= session.expires_at {
        return Ok(Some(Reason::SessionExpired));
    }
    if now >= entry.valid_until {
        return Ok(Some(Reason::TooLate));
    }
    let sender = legs.iter().find(|leg| leg.direction == Direction::Inbound);
    if let Some(sender) = sender.and_then(|leg| leg.participant.as_ref()) {
        let sender = participants::get(tx, &entry.account, sender).await?;
        if let Some(sender) = sender {
            let people = [to.person.clone()];
            if !blocks::blockers_of(tx, &entry.account, &sender.person, &people).await?.is_empty() {
                return Ok(Some(Reason::Blocked));
            }
        }
    }
    Ok(None)
}

/// What is new of a leg of a text.
#[derive(Debug, Clone)]
struct News {
    state: MessageState,
    reason: Option<Reason>,
    carrier_id: Option<String>,
    carrier_code: Option<String>,
}

impl News {
    const fn new(state: MessageState, reason: Option<Reason>) -> Self {
        Self { state, reason, carrier_id: None, carrier_code: None }
    }
}

/// Brings news to a leg, and ends the interaction once every recipient has an outcome. News that
/// comes late or twice changes nothing (I13).
async fn settle(
    tx: &mut Tx,
    account: &AccountId,
    mut leg: Leg,
    news: News,
    now: Timestamp,
) -> Result<(), Error> {
    let before = MessageState::parse(&leg.state).unwrap_or(MessageState::Queued);
    let after = before.after(news.state);
    let learnt_id = leg.carrier_id.is_none() && news.carrier_id.is_some();
    leg.carrier_id = leg.carrier_id.take().or(news.carrier_id);
    // "Unknown" is where a worker gives up: the state stays and gets an outcome now.
    let gives_up = news.state == MessageState::Unknown && before == MessageState::Unknown;
    if after == before && !gives_up {
        if learnt_id {
            leg.updated_at = now;
            legs::update(tx, account, &leg).await?;
        }
        return Ok(());
    }
    after.as_str().clone_into(&mut leg.state);
    let first_outcome = leg.outcome.is_none();
    // A worker that lost an answer keeps trying to learn more before it gives up.
    let outcome =
        if after == MessageState::Unknown && !gives_up { None } else { Outcome::of_message(after) };
    leg.outcome = leg.outcome.or(outcome);
    leg.reason = news.reason.or(leg.reason);
    leg.carrier_code = news.carrier_code.or(leg.carrier_code);
    leg.updated_at = now;
    if leg.outcome.is_some() {
        leg.ended_at = leg.ended_at.or(Some(now));
    }
    legs::update(tx, account, &leg).await?;
    let place =
        Place { service: None, session: leg.session.as_ref(), interaction: Some(&leg.interaction) };
    let kind = match after {
        MessageState::Sent => Some("message.relayed"),
        MessageState::Delivered => Some("message.delivered"),
        MessageState::Undelivered => Some("message.undelivered"),
        MessageState::Failed => Some("message.failed"),
        MessageState::Cancelled => Some("message.cancelled"),
        MessageState::Unknown if gives_up => Some("message.unknown"),
        MessageState::Unknown
        | MessageState::Received
        | MessageState::Queued
        | MessageState::Sending => None,
    };
    if let Some(kind) = kind {
        let data = json!({
            "leg_id": leg.id, "role": leg.role, "reason": leg.reason.map(Reason::as_str),
        });
        events::insert(tx, account, kind, place, &data.to_string(), now).await?;
    }
    if first_outcome && leg.outcome.is_some() {
        finish(tx, account, &leg.interaction, now).await?;
    }
    Ok(())
}

/// Ends an interaction whose recipients all have an outcome, with the best of them.
async fn finish(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    now: Timestamp,
) -> Result<(), Error> {
    let legs = legs::of_interaction(tx, account, id).await?;
    let outbound: Vec<&Leg> =
        legs.iter().filter(|leg| leg.direction == Direction::Outbound).collect();
    let outcomes: Option<Vec<Outcome>> = outbound.iter().map(|leg| leg.outcome).collect();
    let Some(outcomes) = outcomes else { return Ok(()) };
    let Some(best) = outcomes.into_iter().reduce(Outcome::best) else { return Ok(()) };
    let reason = outbound.iter().find(|leg| leg.outcome == Some(best)).and_then(|leg| leg.reason);
    let end = End { outcome: best, reason, duration: None, at: now };
    if interactions::finish(tx, account, id, &end).await? {
        crate::telemetry::metrics::message(best.as_str());
    }
    Ok(())
}

/// Records what came of sending a text (fenced: a late worker's news is still news of the leg, but
/// no longer moves the entry).
pub(super) async fn sent(
    tx: &mut Tx,
    entry: &Entry,
    result: &Result<String, SendError>,
    may_resend: bool,
) -> Result<(), Error> {
    if let Some(session) = &entry.session {
        sessions::lock(tx, &entry.account, session).await?;
    }
    interactions::lock(tx, &entry.account, &entry.interaction).await?;
    let legs = legs::of_interaction(tx, &entry.account, &entry.interaction).await?;
    let leg = legs.into_iter().find(|leg| leg.id == entry.leg).ok_or(Error::NotFound("leg"))?;
    let now = tx.now().await?;
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
            let wait = wait.max(backoff(entry.attempts));
            if now + wait < entry.valid_until {
                outbox::put_off(tx, entry, now + wait).await?;
                return Ok(());
            }
            let news = failed(error, Reason::CarrierUnreachable);
            settle(tx, &entry.account, leg, news, now).await?;
            outbox::finish(tx, entry, OutboxState::Done).await?;
        }
        Retry::Never => {
            settle(tx, &entry.account, leg, failed(error, Reason::CarrierRejected), now).await?;
            outbox::finish(tx, entry, OutboxState::Done).await?;
        }
        Retry::Unknown => unknown(tx, entry, leg, error, may_resend, now).await?,
    }
    Ok(())
}

/// M4: the carrier may have it. Where it dedupes by key the same key is sent again; elsewhere a
/// receipt is waited for, and then nobody knows.
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
    let wait = if may_resend { backoff(entry.attempts) } else { RECEIPT_WAIT };
    outbox::put_off(tx, entry, now + wait).await?;
    Ok(())
}

/// Gives up on a text whose fate nobody will learn; a receipt that still comes moves its state.
pub(super) async fn give_up(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    if let Some(session) = &entry.session {
        sessions::lock(tx, &entry.account, session).await?;
    }
    interactions::lock(tx, &entry.account, &entry.interaction).await?;
    let legs = legs::of_interaction(tx, &entry.account, &entry.interaction).await?;
    let leg = legs.into_iter().find(|leg| leg.id == entry.leg).ok_or(Error::NotFound("leg"))?;
    let now = tx.now().await?;
    let news = News::new(MessageState::Unknown, Some(Reason::CarrierUnknown));
    settle(tx, &entry.account, leg, news, now).await?;
    outbox::finish(tx, entry, OutboxState::Parked).await?;
    Ok(())
}

/// 1, 2, 4 … 60 seconds.
fn backoff(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 7) - 1).unwrap_or(0);
    Duration::from_secs((1u64 << doublings).min(60))
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

/// A receipt.
pub(super) async fn status(
    tx: &mut Tx,
    carrier: &str,
    status: &MessageStatus,
) -> Result<bool, Error> {
    let found = match &status.leg {
        Some(leg) => legs::by_id(tx, carrier, leg).await?,
        None => legs::by_carrier_id(tx, carrier, &status.id).await?,
    };
    let Some((account, leg)) = found.filter(|(_, leg)| {
        leg.kind == Kind::Message
            && leg.direction == Direction::Outbound
            // Another text's receipt at this address is forged or misdirected.
            && leg.carrier_id.as_ref().is_none_or(|id| *id == status.id)
    }) else {
        return Ok(false);
    };
    if let Some(session) = &leg.session {
        sessions::lock(tx, &account, session).await?;
    }
    interactions::lock(tx, &account, &leg.interaction).await?;
    // Read again under the lock.
    let Some((_, leg)) = legs::by_id(tx, carrier, &leg.id).await? else { return Ok(false) };
    let now = tx.now().await?;
    let reason = match status.state {
        MessageState::Undelivered => Some(Reason::Undelivered),
        MessageState::Failed => Some(Reason::CarrierRejected),
        _ => None,
    };
    let mut news = News::new(status.state, reason);
    news.carrier_id = Some(status.id.clone());
    news.carrier_code.clone_from(&status.carrier_code);
    settle(tx, &account, leg, news, now).await?;
    Ok(true)
}

/// Cancels what is owed for a session and not begun. The caller holds the session's lock.
pub(super) async fn cancel_owed(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    reason: Reason,
    now: Timestamp,
) -> Result<(), Error> {
    for entry in outbox::ready_of_session(tx, account, session).await? {
        let legs = legs::of_interaction(tx, account, &entry.interaction).await?;
        let Some(leg) = legs.into_iter().find(|leg| leg.id == entry.leg) else { continue };
        match entry.kind {
            OutboxKind::Message if leg.state != MessageState::Unknown.as_str() => {
                let news = News::new(MessageState::Cancelled, Some(reason));
                settle(tx, account, leg, news, now).await?;
            }
            // A text that may have been sent is followed up by its worker; a call that was not
            // placed yet is ended where calls are.
            OutboxKind::Message | OutboxKind::EndCall => continue,
            OutboxKind::Call => super::calls::cancel_placed(tx, account, leg, reason, now).await?,
        }
        outbox::finish(tx, &entry, OutboxState::Done).await?;
    }
    Ok(())
}
