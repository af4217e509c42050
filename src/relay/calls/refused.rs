//! What a caller gets who is in no session: it depends on the dialled number, never on the cause
//! (I5).

use std::time::Duration;

use super::{NOWHERE, script};
use crate::relay::{
    abuse,
    consult::{self, Advice},
    error::Error,
    inbound::{self, Event, Logged, Refused},
};
use crate::{
    carrier::plan::{Connect, Plan, Prompt, Target},
    domain::{
        call::CallState,
        interaction::Reason,
        phone::{Caller, Identifier},
        policy::{self, OutOfSession, Rules},
    },
    ids::InteractionId,
    store::{
        Tx,
        budgets::{self, Costly},
        legs::{self, Direction, Leg},
        numbers,
    },
    telemetry::metrics,
};

/// How often one person is put through to the marketplace's line from one number within
/// [`FORWARDS_PER`]: whoever dials on pays nothing, and the marketplace pays each call.
const FORWARDS_MAX: i64 = 5;
const FORWARDS_PER: Duration = Duration::from_hours(1);

/// Logs a refused call and says what its caller gets.
///
/// # Errors
/// [`Error::Ask`] where the marketplace is to be asked first.
pub(super) async fn answer(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    given: Option<&Advice>,
) -> Result<(InteractionId, Plan), Error> {
    let rules = &refused.service.rules;
    if is_held_back(refused.reason) {
        return busy(tx, event, refused).await;
    }
    if refused.silent {
        let logged = Logged { state: CallState::Cancelled.as_str(), goes_on: false };
        let leg = inbound::log_refusal(tx, event, refused, logged).await?;
        tx.on_commit(|| metrics::out_of_session("announce"));
        return Ok((leg.interaction, neutral(rules, &refused.number.country)));
    }
    let advice = consult::advice(tx, event, refused, given)?;
    if (rules.out_of_session == OutOfSession::Forward || advice == Some(&Advice::Forward))
        && let Some(line) = line(tx, event, refused).await?
    {
        return forward(tx, event, refused, line).await;
    }
    if let Some(Advice::Document(document)) = advice {
        return script::begin(tx, event, refused, document).await;
    }
    let logged = Logged { state: CallState::Cancelled.as_str(), goes_on: false };
    let leg = inbound::log_refusal(tx, event, refused, logged).await?;
    let country = &refused.number.country;
    let plan = match advice {
        Some(Advice::Announce(text, language)) => {
            let language = language.as_deref().unwrap_or_else(|| policy::language(rules, country));
            Plan::Announce(Prompt { text: text.clone(), language: language.to_owned() })
        }
        Some(Advice::Reject) => NOWHERE,
        _ => neutral(rules, country),
    };
    let answer = if plan == NOWHERE { "reject" } else { "announce" };
    tx.on_commit(move || metrics::out_of_session(answer));
    Ok((leg.interaction, plan))
}

/// Whether somebody of a session is not put through for now: they hear so, and nobody is asked what strangers get.
const fn is_held_back(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RateLimited
            | Reason::MinutesSpent
            | Reason::CallInProgress
            | Reason::CountryNotAllowed
            | Reason::NumberNotAllowed
            | Reason::TrafficPaused
    )
}

/// Logs a call that is held back, whose caller hears that the line is busy.
async fn busy(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
) -> Result<(InteractionId, Plan), Error> {
    let logged = Logged { state: CallState::Cancelled.as_str(), goes_on: false };
    let leg = inbound::log_refusal(tx, event, refused, logged).await?;
    let reason = refused.reason;
    tx.on_commit(move || metrics::abuse(reason.as_str()));
    let language = policy::language(&refused.service.rules, &refused.number.country);
    let text = policy::busy_words(language).to_owned();
    Ok((leg.interaction, Plan::Announce(Prompt { text, language: language.to_owned() })))
}

/// What everybody hears who is neither put through nor forwarded.
pub(super) fn neutral(rules: &Rules, country: &str) -> Plan {
    match rules.out_of_session {
        OutOfSession::Reject => NOWHERE,
        OutOfSession::Announce | OutOfSession::Forward | OutOfSession::Callback => {
            let language = policy::language(rules, country);
            Plan::Announce(Prompt {
                text: policy::neutral_words(rules, language),
                language: language.to_owned(),
            })
        }
    }
}

/// The marketplace's own line, if this call may ring it.
///
/// What decides is who calls and how often, and never why they are in no session: unknown,
/// withheld, closed, expired and blocked callers are treated alike (I5). Two callers are not: one
/// of our own numbers, since what comes from there is never relayed onward (I6), and the line
/// itself, which would ring itself. A number of ours says nothing of any person or session.
async fn line(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
) -> Result<Option<Identifier>, Error> {
    let Some(line) = &refused.service.rules.out_of_session_number else { return Ok(None) };
    let itself =
        matches!(event.from, Caller::Number(caller) if caller.canonical() == line.canonical());
    // It may have joined a pool since it was named, and the gate may have been narrowed.
    let shut = abuse::gate(tx, &refused.service.rules, line).is_err();
    if itself || shut || refused.reason == Reason::Loop || numbers::is_ours(tx, line).await? {
        return Ok(None);
    }
    let (asker, now) = (refused.asker(), refused.now);
    let may = budgets::take(tx, asker, Costly::Forward, FORWARDS_MAX, FORWARDS_PER, now).await?;
    Ok(may.then(|| line.clone()))
}

/// Puts the caller through to the marketplace's line, which sees the dialled number. The
/// interaction is refused all the same: nobody of a session was reached. Its legs belong to no
/// session, so that none judges or cancels them.
async fn forward(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    line: Identifier,
) -> Result<(InteractionId, Plan), Error> {
    let logged = Logged { state: CallState::Ringing.as_str(), goes_on: true };
    let caller = inbound::log_refusal(tx, event, refused, logged).await?;
    let rung = Leg {
        id: tx.id_at(refused.now),
        position: 1,
        direction: Direction::Outbound,
        participant: None,
        role: None,
        carrier_id: None,
        state: CallState::Initiated.as_str().to_owned(),
        outcome: None,
        reason: None,
        ..caller.clone()
    };
    legs::insert(tx, &refused.account, &rung).await?;
    tx.on_commit(|| metrics::out_of_session("forward"));
    let rules = &refused.service.rules;
    let plan = Plan::Connect(Connect {
        leg: caller.id,
        to: vec![Target { leg: rung.id, number: line }],
        caller_id: refused.number.number.clone(),
        announce: None,
        ring_timeout: rules.ring_timeout,
        duration_max: rules.call_max,
        screen: false,
        accept: false,
        turn: 0,
    });
    Ok((caller.interaction, plan))
}
