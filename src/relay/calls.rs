//! Calls: a plan for whoever calls in, what comes after each step of it, and calls that the
//! marketplace asks for.

use std::time::Duration;

use serde_json::json;

use super::{
    error::Error,
    inbound::{self, Event, Route, Routed},
    stored_plan,
};
use crate::{
    carrier::{
        event::{CallStatus, CalleeAnswered, DialEnded, InboundCall, Keys, PlacedCallAnswered},
        outbound::OutboundCall,
        plan::{Answer, Connect, Plan, Prompt, RejectReason, Target, Whisper},
    },
    domain::{
        call::CallState,
        interaction::{Kind, Outcome, Reason},
        policy::{self, OutOfSession, Rules, TeamRing},
        session::is_live,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, LegId, ParticipantId, SessionId},
    privacy::DataKey,
    store::{
        Tx, blocks, events,
        events::Place,
        inbox::{self, EventKey},
        interactions::{self, End, Interaction, Origin},
        legs::{self, Direction, Leg},
        numbers,
        outbox::{self, Entry, NewEntry, OutboxKind, OutboxState},
        participants::{self, Participant},
        services::{self, Service},
        sessions::{self, Session},
    },
};

/// What a caller hears on a number that belongs to nobody: a tone, unanswered.
const NOWHERE: Plan = Plan::Reject(RejectReason::Declined);

/// How many people any carrier can be asked to ring at once.
const SIMULTANEOUS_MAX: usize = 10;

/// Takes in a call and says what to do with it (M2). A duplicate gets the same plan (I10).
pub(super) async fn receive(
    tx: &mut Tx,
    carrier: &str,
    call: &InboundCall,
) -> Result<(Answer, Option<Reason>), Error> {
    let key = EventKey { carrier, kind: "call", event: &call.id };
    let now = tx.now().await?;
    if !inbox::insert(tx, key, now).await? {
        let kept = inbox::answer(tx, key).await?.unwrap_or_default();
        let answer = stored_plan::answer(&kept);
        let answer = if answer == Answer::Ack { Answer::Plan(NOWHERE) } else { answer };
        return Ok((answer, None));
    }
    let event =
        Event { kind: Kind::Call, carrier, id: &call.id, from: &call.from, to: &call.to, media: 0 };
    let (account, id, plan, reason) = match inbound::route(tx, event).await? {
        Route::Nowhere => return Ok((Answer::Plan(NOWHERE), Some(Reason::UnknownNumber))),
        Route::Refused(refused) => {
            let plan = neutral(&refused.service.rules, &refused.number.country);
            let state = CallState::Cancelled.as_str();
            let id = inbound::log_refusal(tx, event, &refused, state).await?;
            (refused.account, id, plan, Some(refused.reason))
        }
        Route::To(routed) => {
            let account = routed.account.clone();
            let (id, plan) = connect(tx, event, *routed).await?;
            (account, id, plan, None)
        }
    };
    inbox::set_answer(tx, key, &account, &id, &stored_plan::to_text(&plan)).await?;
    Ok((Answer::Plan(plan), reason))
}

/// What a caller without a session hears: it depends on the number, never on the cause (I5).
fn neutral(rules: &Rules, country: &str) -> Plan {
    match rules.out_of_session {
        OutOfSession::Reject => NOWHERE,
        OutOfSession::Announce => {
            let language = policy::language(rules, country);
            Plan::Announce(Prompt {
                text: policy::neutral_words(rules, language),
                language: language.to_owned(),
            })
        }
    }
}

fn place(interaction: &Interaction) -> Place<'_> {
    Place {
        service: interaction.service.as_ref(),
        session: interaction.session.as_ref(),
        interaction: Some(&interaction.id),
    }
}

async fn connect(
    tx: &mut Tx,
    event: Event<'_>,
    mut routed: Routed,
) -> Result<(InteractionId, Plan), Error> {
    let interaction = inbound::interaction(tx, event, &routed);
    let (account, now) = (routed.account.clone(), routed.now);
    interactions::insert(tx, &account, &interaction).await?;
    let leg = inbound::inbound_leg(tx, event, &interaction, CallState::Ringing.as_str());
    legs::insert(tx, &account, &leg).await?;
    inbound::touch(tx, &account, &mut routed.session, now).await?;
    let data = json!({ "role": interaction.from_role }).to_string();
    events::insert(tx, &account, "call.received", place(&interaction), &data, now).await?;
    for (position, recipient) in (1..).zip(&routed.recipients) {
        let number = numbers::get(tx, &account, &recipient.number_id).await?;
        let mut out = inbound::outbound_leg(
            tx,
            &interaction,
            position,
            recipient,
            event.carrier,
            CallState::Queued.as_str(),
        );
        // Their carrier must be the caller's: it alone may show their proxy number.
        if number.is_none_or(|number| number.carrier != event.carrier) {
            CallState::Failed.as_str().clone_into(&mut out.state);
            out.outcome = Some(Outcome::Failed);
            out.reason = Some(Reason::CarrierConfig);
            out.ended_at = Some(now);
        }
        legs::insert(tx, &account, &out).await?;
    }
    let step = Step {
        account: &account,
        service: &routed.service,
        session: &routed.session,
        caller: &leg,
        country: &routed.number.country,
        first: true,
        now,
    };
    if let Some(plan) = next(tx, step).await? { Ok((interaction.id, plan)) } else {
        finish(tx, &account, &interaction.id, None, now).await?;
        Ok((interaction.id, NOWHERE))
    }
}

#[derive(Clone, Copy)]
struct Step<'a> {
    account: &'a AccountId,
    service: &'a Service,
    session: &'a Session,
    caller: &'a Leg,
    country: &'a str,
    /// Whether nobody was rung yet.
    first: bool,
    now: Timestamp,
}

/// Rings the next of those who were not rung yet: all who see the same number at once, or one
/// after the other, as the service says. `None` if nobody is left.
async fn next(tx: &mut Tx, step: Step<'_>) -> Result<Option<Plan>, Error> {
    let rules = &step.service.rules;
    let legs = legs::of_interaction(tx, step.account, &step.caller.interaction).await?;
    let waiting: Vec<Leg> = legs
        .into_iter()
        .filter(|leg| {
            leg.direction == Direction::Outbound && leg.state == CallState::Queued.as_str()
        })
        .collect();
    let Some(head) = waiting.first() else { return Ok(None) };
    let caller_id = head.number.clone();
    let most = match rules.team_ring {
        TeamRing::All => SIMULTANEOUS_MAX,
        TeamRing::InOrder => 1,
    };
    let key = step.session.data_key(tx)?;
    let mut to = Vec::new();
    for leg in waiting.into_iter().filter(|leg| leg.number == caller_id).take(most) {
        to.push(target(tx, step.account, &key, &leg).await?);
        dialled(tx, step.account, leg, step.now).await?;
    }
    let language = policy::language(rules, step.country);
    let said = |text: &str| {
        (!text.is_empty()).then(|| Prompt { text: text.to_owned(), language: language.to_owned() })
    };
    let left = step.session.expires_at.since(step.now);
    Ok(Some(Plan::Connect(Connect {
        leg: step.caller.id.clone(),
        to,
        caller_id,
        announce: said(&rules.caller_announcement).filter(|_| step.first),
        ring_timeout: rules.ring_timeout,
        duration_max: rules.call_max.min(left).max(Duration::from_secs(1)),
        screen: rules.press_one || !rules.callee_whisper.is_empty(),
    })))
}

async fn target(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    leg: &Leg,
) -> Result<Target, Error> {
    let id = leg.participant.as_ref().ok_or(Error::NotFound("participant"))?;
    let person = participants::get(tx, account, id).await?.ok_or(Error::NotFound("participant"))?;
    Ok(Target { leg: leg.id.clone(), number: person.identifier(key)? })
}

async fn dialled(
    tx: &mut Tx,
    account: &AccountId,
    mut leg: Leg,
    now: Timestamp,
) -> Result<(), Error> {
    CallState::Initiated.as_str().clone_into(&mut leg.state);
    leg.updated_at = now;
    legs::update(tx, account, &leg).await?;
    Ok(())
}

/// A leg that a carrier asks about, with all that is judged: everything locked.
struct Live {
    account: AccountId,
    leg: Leg,
    session: Session,
    service: Service,
    now: Timestamp,
    /// Whether the session still puts people through.
    open: bool,
}

async fn live(tx: &mut Tx, carrier: &str, id: &LegId) -> Result<Option<Live>, Error> {
    let Some((account, leg)) = legs::by_id(tx, carrier, id).await? else { return Ok(None) };
    if leg.kind != Kind::Call {
        return Ok(None);
    }
    let Some(session) = &leg.session else { return Ok(None) };
    let Some(session) = sessions::lock(tx, &account, session).await? else { return Ok(None) };
    interactions::lock(tx, &account, &leg.interaction).await?;
    let service = services::get(tx, &account, &session.service).await?;
    let service = service.ok_or(Error::NotFound("service"))?;
    let Some((_, leg)) = legs::by_id(tx, carrier, id).await? else { return Ok(None) };
    let now = tx.now().await?;
    let open = is_live(session.state, session.expires_at, now);
    Ok(Some(Live { account, leg, session, service, now, open }))
}

/// Somebody that we rang answered: a bridge starts only if the session is still open (I3).
pub(super) async fn callee_answered(
    tx: &mut Tx,
    carrier: &str,
    event: &CalleeAnswered,
) -> Result<Answer, Error> {
    let Some(live) = live(tx, carrier, &event.leg).await? else {
        return Ok(Answer::Plan(Plan::Hangup));
    };
    if !live.open || live.leg.direction != Direction::Outbound {
        return Ok(Answer::Plan(Plan::Hangup));
    }
    let rules = &live.service.rules;
    let number = numbers::owner(tx, &live.leg.number).await?;
    let country = number.map(|(_, number)| number.country).unwrap_or_default();
    let language = policy::language(rules, &country);
    let prompt = |text: &str| Prompt { text: text.to_owned(), language: language.to_owned() };
    let whisper = &rules.callee_whisper;
    if whisper.is_empty() && !rules.press_one {
        return Ok(Answer::Plan(Plan::Proceed));
    }
    Ok(Answer::Plan(Plan::Whisper(Whisper {
        leg: live.leg.id.clone(),
        say: (!whisper.is_empty()).then(|| prompt(whisper)),
        accept: rules.press_one.then(|| prompt(policy::press_one_words(language))),
    })))
}

/// Keys were pressed: 1 accepts the call, everything else declines it.
pub(super) async fn keys(tx: &mut Tx, carrier: &str, event: &Keys) -> Result<Answer, Error> {
    let Some(live) = live(tx, carrier, &event.leg).await? else {
        return Ok(Answer::Plan(Plan::Hangup));
    };
    if live.open && event.digits == "1" {
        return Ok(Answer::Plan(Plan::Proceed));
    }
    let news =
        News { state: CallState::NoAnswer, reason: Some(Reason::NotAccepted), ..News::default() };
    settle(tx, &live.account, live.leg, news, live.now).await?;
    Ok(Answer::Plan(Plan::Hangup))
}

/// The dialling is over: the next member of a team is rung, or the call ends.
pub(super) async fn dial_ended(
    tx: &mut Tx,
    carrier: &str,
    event: &DialEnded,
) -> Result<Answer, Error> {
    let Some(live) = live(tx, carrier, &event.leg).await? else {
        return Ok(Answer::Plan(Plan::Hangup));
    };
    let Live { account, leg, session, service, now, open } = live;
    let legs = legs::of_interaction(tx, &account, &leg.interaction).await?;
    let rung: Vec<Leg> = legs
        .into_iter()
        .filter(|other| other.id != leg.id && other.state != CallState::Queued.as_str())
        .collect();
    // Of several who were rung at once, one was connected: its own status says which.
    let several = rung.len() > 1;
    for other in rung {
        let answered = other.answered_at.is_some();
        let state = match event.state {
            CallState::Completed if several && !answered => CallState::Cancelled,
            state => state,
        };
        let news = News {
            state,
            duration: event.duration.filter(|_| state == CallState::Completed),
            ..News::default()
        };
        settle(tx, &account, other, news, now).await?;
    }
    let ended = event.state == CallState::Completed || event.caller_gone || !open;
    if !ended {
        let country = numbers::owner(tx, &leg.number).await?;
        let country = country.map(|(_, number)| number.country).unwrap_or_default();
        let step = Step {
            account: &account,
            service: &service,
            session: &session,
            caller: &leg,
            country: &country,
            first: false,
            now,
        };
        if let Some(plan) = next(tx, step).await? {
            return Ok(Answer::Plan(plan));
        }
    }
    let interaction = leg.interaction.clone();
    let why =
        (event.caller_gone && event.state != CallState::Completed).then_some(Reason::CallerHungUp);
    end(tx, &account, &interaction, why, event.duration, now).await?;
    Ok(Answer::Plan(Plan::Hangup))
}

/// What is new of a leg of a call.
#[derive(Debug, Clone)]
struct News {
    state: CallState,
    reason: Option<Reason>,
    duration: Option<Duration>,
    carrier_id: Option<String>,
    carrier_code: Option<String>,
}

impl Default for News {
    fn default() -> Self {
        Self {
            state: CallState::Queued,
            reason: None,
            duration: None,
            carrier_id: None,
            carrier_code: None,
        }
    }
}

/// Brings news to a leg. News that comes late or twice changes nothing (I13).
async fn settle(
    tx: &mut Tx,
    account: &AccountId,
    mut leg: Leg,
    news: News,
    now: Timestamp,
) -> Result<(), Error> {
    let before = CallState::parse(&leg.state).unwrap_or(CallState::Queued);
    let after = before.after(news.state);
    let unchanged = after == before
        && (leg.carrier_id.is_some() || news.carrier_id.is_none())
        && (leg.duration.is_some() || news.duration.is_none());
    if unchanged {
        return Ok(());
    }
    leg.carrier_id = leg.carrier_id.or(news.carrier_id);
    leg.duration = leg.duration.or(news.duration);
    leg.updated_at = now;
    if after != before {
        after.as_str().clone_into(&mut leg.state);
        if after == CallState::Answered {
            leg.answered_at = leg.answered_at.or(Some(now));
        }
        if after.is_final() {
            leg.ended_at = Some(now);
            leg.outcome = leg.outcome.or(Outcome::of_call(after));
            leg.reason = news.reason.or(match after {
                CallState::Busy => Some(Reason::Busy),
                CallState::NoAnswer => Some(Reason::NoAnswer),
                CallState::Failed => Some(Reason::CarrierRejected),
                _ => None,
            });
            leg.carrier_code = news.carrier_code.or(leg.carrier_code);
        }
    }
    legs::update(tx, account, &leg).await?;
    if after != before && matches!(after, CallState::Ringing | CallState::Answered) {
        let place = Place {
            service: None,
            session: leg.session.as_ref(),
            interaction: Some(&leg.interaction),
        };
        let kind = if after == CallState::Ringing { "call.ringing" } else { "call.answered" };
        let data = json!({ "leg_id": leg.id, "role": leg.role }).to_string();
        events::insert(tx, account, kind, place, &data, now).await?;
    }
    Ok(())
}

/// Ends a call: whoever is still being rung is not any more.
async fn end(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    why: Option<Reason>,
    duration: Option<Duration>,
    now: Timestamp,
) -> Result<(), Error> {
    for leg in legs::of_interaction(tx, account, id).await? {
        let answered = leg.answered_at.is_some();
        let news = match leg.direction {
            Direction::Inbound => News { state: CallState::Completed, ..News::default() },
            // Somebody who answered was connected, though the carrier's last word is not in yet.
            Direction::Outbound if answered => {
                News { state: CallState::Completed, duration, ..News::default() }
            }
            Direction::Outbound => {
                News { state: CallState::Cancelled, reason: why, ..News::default() }
            }
        };
        settle(tx, account, leg, news, now).await?;
    }
    finish(tx, account, id, duration, now).await
}

/// Ends an interaction with the best outcome of those who were rung.
async fn finish(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    duration: Option<Duration>,
    now: Timestamp,
) -> Result<(), Error> {
    let legs = legs::of_interaction(tx, account, id).await?;
    // A call that the marketplace asked for has no caller: its first leg is the one rung first.
    let first = legs.iter().find(|leg| leg.position == 0 && leg.direction == Direction::Outbound);
    let unanswered = first.filter(|leg| leg.answered_at.is_none());
    let rung: Vec<&Leg> = match unanswered {
        Some(leg) => vec![leg],
        None => legs.iter().filter(|leg| leg.position > 0).collect(),
    };
    let best = rung.iter().filter_map(|leg| leg.outcome).reduce(Outcome::best);
    let outcome = best.unwrap_or(Outcome::Cancelled);
    let chosen = rung.iter().find(|leg| leg.outcome == Some(outcome));
    let reason = chosen.and_then(|leg| leg.reason).filter(|_| outcome != Outcome::Connected);
    let duration = (outcome == Outcome::Connected)
        .then(|| duration.or_else(|| chosen.and_then(|leg| leg.duration)))
        .flatten();
    let end = End { outcome, reason, duration, at: now };
    if !interactions::finish(tx, account, id, &end).await? {
        return Ok(());
    }
    crate::telemetry::metrics::call(outcome.as_str());
    let Some(interaction) = interactions::get(tx, account, id).await? else { return Ok(()) };
    let kind = if outcome == Outcome::Connected { "call.completed" } else { "call.missed" };
    let data = json!({
        "outcome": outcome.as_str(),
        "reason": reason.map(Reason::as_str),
        "duration_seconds": duration.map(|length| length.as_secs()),
        "role": interaction.from_role,
    });
    events::insert(tx, account, kind, place(&interaction), &data.to_string(), now).await?;
    if matches!(outcome, Outcome::Missed | Outcome::Busy | Outcome::Cancelled) {
        super::messages::missed_call_text(tx, account, &interaction, &legs, now).await?;
    }
    Ok(())
}

/// News of one leg.
pub(super) async fn status(tx: &mut Tx, carrier: &str, status: &CallStatus) -> Result<bool, Error> {
    let id = match &status.leg {
        Some(leg) => Some(leg.clone()),
        None => legs::by_carrier_id(tx, carrier, &status.id).await?.map(|(_, leg)| leg.id),
    };
    let Some(id) = id else { return Ok(false) };
    let Some(live) = live(tx, carrier, &id).await? else { return Ok(false) };
    let Live { account, leg, now, .. } = live;
    // Another call's news at this address is forged or misdirected.
    if leg.carrier_id.as_ref().is_some_and(|id| *id != status.id) {
        return Ok(false);
    }
    let (interaction, direction) = (leg.interaction.clone(), leg.direction);
    let news = News {
        state: status.state,
        reason: None,
        duration: status.duration,
        carrier_id: Some(status.id.clone()),
        carrier_code: status.carrier_code.clone(),
    };
    let placed = is_placed(tx, &account, &interaction).await?;
    settle(tx, &account, leg, news, now).await?;
    // The caller's own leg is over: so is the call, whatever else is still to come.
    let caller_gone = direction == Direction::Inbound && status.state.is_final();
    if caller_gone || (placed && status.state.is_final()) {
        end(tx, &account, &interaction, Some(Reason::CallerHungUp), None, now).await?;
    }
    Ok(true)
}

/// Whether the marketplace asked for this call: then there is no caller's leg.
async fn is_placed(tx: &mut Tx, account: &AccountId, id: &InteractionId) -> Result<bool, Error> {
    let interaction = interactions::get(tx, account, id).await?;
    Ok(interaction.is_some_and(|one| one.origin == Origin::Api))
}

/// Owes a call that rings `from` first and, once they answer, connects them with the other side
/// (click-to-call).
///
/// # Errors
/// [`Error::NotFound`], [`Error::SessionClosed`], [`Error::ModeNotAllowed`], [`Error::NoPartner`].
pub async fn place_call(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    from: &ParticipantId,
) -> Result<Interaction, Error> {
    let mut session =
        sessions::lock(tx, account, session).await?.ok_or(Error::NotFound("session"))?;
    let people = participants::of_session(tx, account, &session.id).await?;
    let first = people
        .iter()
        .find(|one| one.id == *from && one.removed_at.is_none())
        .ok_or(Error::NotFound("participant"))?
        .clone();
    let now = tx.now().await?;
    if !is_live(session.state, session.expires_at, now) {
        return Err(Error::SessionClosed);
    }
    if !session.mode.voice() {
        return Err(Error::ModeNotAllowed);
    }
    let others = partners(tx, account, &people, &first).await?;
    if others.is_empty() {
        return Err(Error::NoPartner);
    }
    let service = services::get(tx, account, &session.service).await?;
    let service = service.ok_or(Error::NotFound("service"))?;
    let number = numbers::get(tx, account, &first.number_id).await?;
    let carrier = number.map(|number| number.carrier).unwrap_or_default();
    let interaction = Interaction {
        id: tx.id_at(now),
        service: Some(session.service.clone()),
        session: Some(session.id.clone()),
        kind: Kind::Call,
        origin: Origin::Api,
        from_participant: Some(first.id.clone()),
        from_role: Some(first.role.clone()),
        person: None,
        number: first.number.clone(),
        carrier: carrier.clone(),
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
    let data = json!({ "role": first.role }).to_string();
    events::insert(tx, account, "call.created", place(&interaction), &data, now).await?;
    let queued = CallState::Queued.as_str();
    let leg = inbound::outbound_leg(tx, &interaction, 0, &first, &carrier, queued);
    legs::insert(tx, account, &leg).await?;
    for (position, other) in (1..).zip(&others) {
        let leg = inbound::outbound_leg(tx, &interaction, position, other, &carrier, queued);
        legs::insert(tx, account, &leg).await?;
    }
    let entry = NewEntry {
        kind: OutboxKind::Call,
        session: Some(&session.id),
        interaction: &interaction.id,
        leg: &leg.id,
        carrier: &carrier,
        payload: "{}",
        run_at: now,
        valid_until: (now + service.rules.ring_timeout * 3).min(session.expires_at),
        now,
    };
    outbox::insert(tx, account, &entry).await?;
    Ok(interaction)
}

/// Who is on the other side and has not blocked this person.
async fn partners(
    tx: &mut Tx,
    account: &AccountId,
    people: &[Participant],
    who: &Participant,
) -> Result<Vec<Participant>, Error> {
    let mut others: Vec<Participant> = people
        .iter()
        .filter(|one| one.removed_at.is_none() && one.role != who.role)
        .cloned()
        .collect();
    let persons: Vec<_> = others.iter().map(|one| one.person.clone()).collect();
    let blockers = blocks::blockers_of(tx, account, &who.person, &persons).await?;
    others.retain(|one| !blockers.contains(&one.person));
    Ok(others)
}

/// A call that we placed was answered: now the other side is rung.
pub(super) async fn placed_answered(
    tx: &mut Tx,
    carrier: &str,
    event: &PlacedCallAnswered,
) -> Result<Answer, Error> {
    let hangup = Answer::Plan(Plan::Hangup);
    let Some(live) = live(tx, carrier, &event.leg).await? else { return Ok(hangup) };
    if !live.open || live.leg.position != 0 {
        return Ok(hangup);
    }
    let Live { account, leg, session, service, now, .. } = live;
    let news =
        News { state: CallState::Answered, carrier_id: Some(event.id.clone()), ..News::default() };
    settle(tx, &account, leg.clone(), news, now).await?;
    let country = numbers::owner(tx, &leg.number).await?;
    let country = country.map(|(_, number)| number.country).unwrap_or_default();
    let step = Step {
        account: &account,
        service: &service,
        session: &session,
        caller: &leg,
        country: &country,
        first: true,
        now,
    };
    Ok(next(tx, step).await?.map_or(hangup, Answer::Plan))
}

/// Claims a call to place, or a call to end.
pub(super) async fn claim(
    tx: &mut Tx,
    entry: &Entry,
    lease: Duration,
) -> Result<Option<(Entry, OutboundCall)>, Error> {
    let Some(live) = live(tx, &entry.carrier, &entry.leg).await? else {
        outbox::finish(tx, entry, OutboxState::Parked).await?;
        return Ok(None);
    };
    let Some(entry) = outbox::claim(tx, entry, live.now, live.now + lease).await? else {
        return Ok(None);
    };
    // A call is never placed twice: a second claim means that the first worker was lost.
    let overtaken = !live.open || live.now >= entry.valid_until || entry.attempts > 1;
    if overtaken || live.leg.state != CallState::Queued.as_str() {
        let reason = if entry.attempts > 1 {
            Reason::CarrierUnknown
        } else if live.open {
            Reason::TooLate
        } else {
            Reason::SessionClosed
        };
        cancel_placed(tx, &entry.account, live.leg, reason, live.now).await?;
        outbox::finish(tx, &entry, OutboxState::Done).await?;
        return Ok(None);
    }
    let id = live.leg.participant.as_ref().ok_or(Error::NotFound("participant"))?;
    let person = participants::get(tx, &entry.account, id).await?;
    let person = person.ok_or(Error::NotFound("participant"))?;
    let key = live.session.data_key(tx)?;
    let call = OutboundCall {
        leg: live.leg.id.clone(),
        from: live.leg.number.clone(),
        to: person.identifier(&key)?,
        ring_timeout: live.service.rules.ring_timeout,
        duration_max: live.service.rules.call_max,
    };
    dialled(tx, &entry.account, live.leg, live.now).await?;
    Ok(Some((entry, call)))
}

/// Records what came of placing a call. An outbound call is never tried again (M4): a person must
/// not be rung twice.
pub(super) async fn placed(
    tx: &mut Tx,
    entry: &Entry,
    result: &Result<String, crate::carrier::SendError>,
) -> Result<(), Error> {
    let Some(live) = live(tx, &entry.carrier, &entry.leg).await? else { return Ok(()) };
    match result {
        Ok(id) => {
            let news = News {
                state: CallState::Initiated,
                carrier_id: Some(id.clone()),
                ..News::default()
            };
            settle(tx, &live.account, live.leg, news, live.now).await?;
        }
        Err(error) => {
            let news = News {
                state: CallState::Failed,
                carrier_code: error.carrier_code.clone(),
                ..News::default()
            };
            let interaction = live.leg.interaction.clone();
            settle(tx, &live.account, live.leg, news, live.now).await?;
            end(tx, &live.account, &interaction, Some(Reason::CarrierRejected), None, live.now)
                .await?;
        }
    }
    outbox::finish(tx, entry, OutboxState::Done).await?;
    Ok(())
}

/// Ends a call that was owed and is not to be placed any more.
pub(super) async fn cancel_placed(
    tx: &mut Tx,
    account: &AccountId,
    leg: Leg,
    reason: Reason,
    now: Timestamp,
) -> Result<(), Error> {
    end(tx, account, &leg.interaction, Some(reason), None, now).await
}
