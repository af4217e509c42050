//! News of a text's legs, and how the text ends.

use serde_json::json;

use super::opt_out;
use crate::relay::{calls, error::Error, inbound::Source};
use crate::{
    carrier::event::MessageStatus,
    domain::{
        event::EventKind,
        interaction::{Kind, Outcome, Reason},
        message::MessageState,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, SessionId},
    store::{
        Tx, charges, events,
        events::Place,
        interactions::{self, End},
        legs::{self, Direction, Leg},
        outbox::{self, OutboxKind, OutboxState},
        sessions,
    },
};

/// What is new of a leg of a text.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) state: MessageState,
    pub(super) reason: Option<Reason>,
    pub(super) carrier_id: Option<String>,
    pub(super) carrier_code: Option<String>,
    /// Nobody will learn more: a leg that may have been sent gets its outcome now.
    gives_up: bool,
}

impl News {
    pub(super) const fn new(state: MessageState, reason: Option<Reason>) -> Self {
        Self { state, reason, carrier_id: None, carrier_code: None, gives_up: false }
    }

    pub(super) fn gives_up() -> Self {
        Self::unknowable(Reason::CarrierUnknown)
    }

    /// Whether it was sent nobody will learn.
    pub(super) fn unknowable(reason: Reason) -> Self {
        let mut news = Self::new(MessageState::Unknown, Some(reason));
        news.gives_up = true;
        news
    }
}

/// Brings news to a leg, and ends the interaction once every recipient has an outcome. News that
/// comes late or twice changes nothing (I13).
pub(super) async fn settle(
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
    // A receipt may have come first: then there is nothing to give up.
    let gives_up = news.gives_up && after == MessageState::Unknown && leg.outcome.is_none();
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
        MessageState::Sent => Some(EventKind::MessageRelayed),
        MessageState::Delivered => Some(EventKind::MessageDelivered),
        MessageState::Undelivered => Some(EventKind::MessageUndelivered),
        MessageState::Failed => Some(EventKind::MessageFailed),
        MessageState::Cancelled => Some(EventKind::MessageCancelled),
        MessageState::Unknown if gives_up => Some(EventKind::MessageUnknown),
        MessageState::Unknown
        | MessageState::Received
        | MessageState::Queued
        | MessageState::Sending => None,
    };
    // What is said to somebody in no session is no news of a session.
    if let Some(kind) = kind.filter(|_| leg.session.is_some()) {
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
    interactions::finish(tx, account, id, &end).await?;
    Ok(())
}

/// Why a text is in a state that its carrier tells.
pub(super) const fn reason_of(state: MessageState) -> Option<Reason> {
    match state {
        MessageState::Undelivered => Some(Reason::Undelivered),
        MessageState::Failed => Some(Reason::CarrierRejected),
        _ => None,
    }
}

/// A receipt.
pub(in crate::relay) async fn status(
    tx: &mut Tx,
    Source { carrier, adapter, .. }: Source<'_>,
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
    let mut news = News::new(status.state, reason_of(status.state));
    news.carrier_id = Some(status.id.clone());
    news.carrier_code.clone_from(&status.carrier_code);
    let id = leg.id.clone();
    let failed = matches!(status.state, MessageState::Failed | MessageState::Undelivered);
    let codes = adapter.map_or(&[][..], |one| one.capabilities().opted_out);
    if failed && status.carrier_code.as_deref().is_some_and(|code| codes.contains(&code)) {
        opt_out::import(tx, &account, &leg, now).await?;
        news.reason = Some(Reason::OptedOut);
    }
    settle(tx, &account, leg, news, now).await?;
    if status.price.is_some() {
        charges::note(tx, &account, &id, charges::News::cost(status.price)).await?;
    }
    Ok(true)
}

/// Cancels what is owed for a session and not begun. The caller holds the session's lock.
pub(in crate::relay) async fn cancel_owed(
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
                let news = match reason {
                    // It may have been sent after the copy was made: a "no" could be a lie.
                    Reason::SessionSuspended => News::unknowable(reason),
                    _ => News::new(MessageState::Cancelled, Some(reason)),
                };
                settle(tx, account, leg, news, now).await?;
            }
            // A text that may have been sent is followed up by its worker; a call that was not
            // placed yet is ended where calls are.
            // Whatever becomes of the session, its carrier does not keep what was said there.
            OutboxKind::Message
            | OutboxKind::EndCall
            | OutboxKind::FetchRecording
            | OutboxKind::DropRecording
            | OutboxKind::DropRecord
            | OutboxKind::Record => continue,
            OutboxKind::Call => calls::cancel_placed(tx, account, leg, reason, now).await?,
        }
        outbox::finish(tx, &entry, OutboxState::Done).await?;
    }
    Ok(())
}
