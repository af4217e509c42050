//! What somebody gets who texts where no session is: nothing, or one text a day in words that do
//! not depend on the cause (I5).

use std::time::Duration;

use super::{Payload, VALIDITY_MAX};
use crate::relay::{
    abuse,
    consult::{self, Advice},
    error::Error,
    inbound::{self, Event, Logged, Refused},
};
use crate::{
    domain::{
        interaction::Reason,
        message::{Body, MessageState},
        opt_out::is_opt_out,
        phone::{Caller, Identifier},
        policy,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId},
    store::{
        Tx,
        budgets::{self, Costly},
        legs::{self, Direction, Leg},
        outbox::{self, NewEntry, OutboxKind},
    },
    telemetry::metrics,
};

/// One text for a person and number in that time. Two machines that answer each other stop at once.
const REPLY_PER: Duration = Duration::from_hours(24);

/// How many texts a document of the marketplace's sends back at once, and how often within
/// [`ANSWERS_PER`] one person gets some: enough for a conversation, and too few for two machines.
const TEXTS_MAX: usize = 3;
const ANSWERS_MAX: i64 = 20;
const ANSWERS_PER: Duration = Duration::from_hours(1);

/// Logs a refused text and owes the service's words to its sender, where it has some.
///
/// # Errors
/// [`Error::Ask`] where the marketplace is to be asked first.
pub(super) async fn answer(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    said: &Body,
    given: Option<&Advice>,
) -> Result<InteractionId, Error> {
    let sender = sender(tx, event, refused, said);
    let advice = match sender {
        Some(_) => consult::advice(tx, event, refused, given)?,
        None => None,
    };
    let (words, most, per): (Vec<&str>, i64, Duration) = match advice {
        Some(Advice::Reply(words)) => (vec![words], 1, REPLY_PER),
        Some(Advice::Silence) => (Vec::new(), 1, REPLY_PER),
        Some(Advice::Document(document)) => {
            (document.texts().take(TEXTS_MAX).collect(), ANSWERS_MAX, ANSWERS_PER)
        }
        _ => (vec![&refused.service.rules.out_of_session_text], 1, REPLY_PER),
    };
    let words: Vec<&str> = words.into_iter().filter(|words| !words.is_empty()).collect();
    let to = match sender.filter(|_| !words.is_empty()) {
        Some(sender) => {
            let (asker, now) = (refused.asker(), refused.now);
            budgets::take(tx, asker, Costly::Text, most, per, now).await?.then_some(sender)
        }
        None => None,
    };
    let logged = Logged { state: MessageState::Received.as_str(), goes_on: false };
    let leg = inbound::log_refusal(tx, event, refused, logged).await?;
    let answer = if to.is_some() { "text" } else { "none" };
    tx.on_commit(move || metrics::out_of_session(answer));
    for (position, words) in (1..).zip(words) {
        if let Some(to) = to {
            owe(tx, refused, &leg, Owing { position, to, words, asked_for: false }).await?;
        }
    }
    Ok(leg.interaction)
}

/// Logs a text to a number that sessions share, and owes its sender word that a code is needed: once a day, and
/// the same whatever it said.
pub(super) async fn help(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    said: &Body,
) -> Result<InteractionId, Error> {
    let to = match sender(tx, event, refused, said) {
        Some(sender) => {
            let (asker, now) = (refused.asker(), refused.now);
            budgets::take(tx, asker, Costly::PinHelp, 1, REPLY_PER, now).await?.then_some(sender)
        }
        None => None,
    };
    let logged = Logged { state: MessageState::Received.as_str(), goes_on: false };
    let leg = inbound::log_refusal(tx, event, refused, logged).await?;
    if let Some(to) = to {
        let rules = &refused.service.rules;
        let language = policy::language(rules, &refused.number.country);
        let words = policy::pin_help(rules, language);
        owe(tx, refused, &leg, Owing { position: 1, to, words: &words, asked_for: false }).await?;
    }
    Ok(leg.interaction)
}

/// Whom to answer. Not our own numbers (I6), not whoever has no number or one that we would not
/// write to, and not to "stop": the carrier answers that, and must have the last word.
fn sender<'a>(tx: &Tx, event: Event<'a>, refused: &Refused, said: &Body) -> Option<&'a Identifier> {
    let Caller::Number(sender) = event.from else { return None };
    let answerable = refused.reason != Reason::Loop
        && !refused.silent
        && refused.number.capabilities.sms
        && abuse::gate(tx, &refused.service.rules, sender).is_ok()
        && !is_opt_out(said);
    answerable.then_some(sender)
}

/// What is owed to somebody whose text was refused.
#[derive(Clone, Copy)]
pub(super) struct Owing<'a> {
    pub(super) position: i64,
    pub(super) to: &'a Identifier,
    pub(super) words: &'a str,
    /// Whether it answers a word of theirs, and goes out whether or not they want texts.
    pub(super) asked_for: bool,
}

/// Owes the words on a leg of the refused text. It belongs to no session: its entry holds, sealed,
/// the number that no participant's row has.
pub(super) async fn owe(
    tx: &mut Tx,
    refused: &Refused,
    inbound: &Leg,
    Owing { position, to, words, asked_for }: Owing<'_>,
) -> Result<(), Error> {
    let now = refused.now;
    let leg = Leg {
        id: tx.id_at(now),
        session: None,
        position,
        direction: Direction::Outbound,
        participant: None,
        role: None,
        carrier_id: None,
        state: MessageState::Queued.as_str().to_owned(),
        outcome: None,
        reason: None,
        ended_at: None,
        ..inbound.clone()
    };
    legs::insert(tx, &refused.account, &leg).await?;
    let words = Body::new(words.to_owned());
    let new = Outside { to, words: &words, asked_for, valid_until: now + VALIDITY_MAX };
    owe_outside(tx, &refused.account, &leg, new, now).await
}

/// A text to somebody in no session.
#[derive(Clone, Copy)]
pub(in crate::relay) struct Outside<'a> {
    pub(in crate::relay) to: &'a Identifier,
    pub(in crate::relay) words: &'a Body,
    /// Whether it goes out whether or not they want texts.
    pub(in crate::relay) asked_for: bool,
    pub(in crate::relay) valid_until: Timestamp,
}

/// Owes a text to somebody in no session, on a leg that is there. Its entry holds, sealed, the number that
/// no row has.
pub(in crate::relay) async fn owe_outside(
    tx: &mut Tx,
    account: &AccountId,
    leg: &Leg,
    Outside { to, words, asked_for, valid_until }: Outside<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let payload = Payload {
        body: words.expose().to_owned(),
        media: Vec::new(),
        files: false,
        to: Some(to.expose().to_owned()),
        asked_for,
        asks: false,
    };
    let entry = NewEntry {
        kind: OutboxKind::Message,
        session: None,
        interaction: &leg.interaction,
        leg: &leg.id,
        carrier: &leg.carrier,
        payload: &serde_json::to_string(&payload).unwrap_or_default(),
        run_at: now,
        valid_until,
        now,
    };
    outbox::insert(tx, account, &entry).await?;
    Ok(())
}
