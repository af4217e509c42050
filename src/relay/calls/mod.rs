//! Calls: a plan for whoever calls in, what comes after each step of it, and calls that the
//! marketplace asks for.

mod ending;
mod limit;
mod pin;
mod placed;
mod refused;
mod script;
mod steps;

pub use self::placed::place_call;
use self::{
    ending::{Ending, finish},
    limit::is_commanded,
};
pub(in crate::relay) use self::{
    ending::{give_up, status},
    limit::{claim_end, end_asked},
    placed::{cancel_placed, claim, held_up, placed, refused_first, set_aside},
    steps::{Live, callee_answered, country_of, dial_ended, keys, live, placed_answered, played},
};

use serde_json::json;

use crate::relay::{
    abuse,
    consult::Given,
    error::Error,
    inbound::{self, Event, Refused, Route, Routed, Source},
    recording, stored_plan, twilio_proxy,
};
use crate::{
    carrier::{
        Carrier,
        event::InboundCall,
        plan::{Answer, Connect, Plan, Prompt, RejectReason, Target},
    },
    domain::{
        assurance::{Attestation, Stranger, Treatment},
        call::CallState,
        event::EventKind,
        interaction::{Kind, Outcome, Reason},
        phone::Caller,
        policy::{self, Rules, TeamRing},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, LegId},
    privacy::DataKey,
    store::{
        self, Tx, events,
        events::Place,
        holds,
        inbox::{self, EventKey},
        interactions::{self, Interaction},
        legs::{self, Direction, Leg},
        numbers,
        participants::{self},
        services::Service,
        sessions::Session,
    },
};

/// What a caller hears on a number that belongs to nobody: a tone, unanswered.
pub(super) const NOWHERE: Plan = Plan::Reject(RejectReason::Declined);

/// Takes in a call and says what to do with it (M2).
pub(in crate::relay) async fn receive(
    tx: &mut Tx,
    source: Source<'_>,
    call: &InboundCall,
    given: &Given,
) -> Result<(Answer, Option<Reason>), Error> {
    let Source { carrier, adapter, .. } = source;
    let key = EventKey { carrier, kind: "call", event: &call.id };
    let event = Event {
        kind: Kind::Call,
        carrier,
        adapter,
        id: &call.id,
        from: &call.from,
        to: &call.to,
        media: 0,
        attestation: Some(call.attestation),
    };
    let now = tx.now().await?;
    if !inbox::insert(tx, key, now).await? {
        return Ok((again(tx, key, event).await?, None));
    }
    let found = inbound::route(tx, event).await?;
    let led = match inbound::lead(tx, event, found, None, given).await? {
        (Route::To(routed), let_in) => assured(tx, event, routed, let_in, given).await?,
        (route, _) => route,
    };
    let (account, id, plan, reason) = match led {
        Route::Refused(refused) if is_asked(event, &refused) => {
            let Refused { account, service, number, now, .. } = &*refused;
            let person = refused.person();
            let now = *now;
            let asking = pin::Asking { source, event, account, service, number, person, now };
            let (id, plan) = pin::begin(tx, asking).await?;
            (refused.account, id, plan, None)
        }
        Route::Nowhere => return Ok((Answer::Plan(NOWHERE), Some(Reason::UnknownNumber))),
        Route::Refused(refused) => {
            let (id, plan) = refused::answer(tx, event, &refused, given.stranger.as_ref()).await?;
            (refused.account, id, plan, Some(refused.reason))
        }
        Route::To(routed) => {
            let account = routed.account.clone();
            let ids = given.verdict.as_ref().and_then(|verdict| verdict.ids.clone());
            let (id, plan) = connect(tx, source, event, *routed, ids).await?;
            (account, id, plan, None)
        }
    };
    let plan = if ending::is_over(tx, carrier, &call.id, now).await? {
        let (why, now) = (Some(Reason::CallerHungUp), tx.now().await?);
        ending::end(tx, &account, &id, Ending { why, ..Ending::default() }, now).await?;
        NOWHERE
    } else {
        plan
    };
    inbox::set_answer(tx, key, &account, &id, &stored_plan::to_text(&plan)).await?;
    Ok((Answer::Plan(plan), reason))
}

/// What becomes of a call to somebody's session by what the network says of its caller. Whoever is to prove
/// who they are is refused as one who has to.
async fn assured(
    tx: &mut Tx,
    event: Event<'_>,
    routed: Box<Routed>,
    let_in: bool,
    given: &Given,
) -> Result<Route, Error> {
    let attestation = event.attestation.unwrap_or(Attestation::None);
    match routed.service.rules.assurance.of(attestation) {
        Treatment::Refuse => Ok(Route::Refused(Box::new(routed.refuse(Reason::CallerUnverified)))),
        Treatment::Pin => Ok(Route::Refused(Box::new(routed.refuse(Reason::PinMissing)))),
        Treatment::Pass | Treatment::PressOne if let_in => Ok(Route::To(routed)),
        Treatment::Pass | Treatment::PressOne => passage(tx, event, routed, given).await,
    }
}

/// Whether a caller who is put through to nobody is asked for a PIN. What comes from a number of ours never is,
/// nor can one at a carrier that tells no keys be.
fn is_asked(event: Event<'_>, refused: &Refused) -> bool {
    let stranger = Stranger {
        shared: refused.number.shared,
        withheld: matches!(event.from, Caller::Withheld),
        attestation: event.attestation.unwrap_or(Attestation::None),
    };
    refused.reason != Reason::Loop
        && !refused.silent
        && event.adapter.is_some_and(|one| one.capabilities().gather)
        && refused.service.rules.assurance.asks_stranger(stranger)
}

/// Where a call leads once the marketplace has said whether it may.
async fn passage(
    tx: &mut Tx,
    event: Event<'_>,
    mut routed: Box<Routed>,
    given: &Given,
) -> Result<Route, Error> {
    if given.spending.over(event.carrier, &routed.account) {
        return Ok(Route::Refused(Box::new(routed.refuse(Reason::BudgetSpent))));
    }
    if let Some(reason) = abuse::call(tx, &mut routed, given).await? {
        return Ok(Route::Refused(Box::new(routed.refuse(reason))));
    }
    match &given.verdict {
        None => twilio_proxy::of_call(tx, event, &routed).await?,
        Some(verdict) => {
            if let Some(reason) = verdict.refused {
                return Ok(Route::Refused(Box::new(routed.refuse(reason))));
            }
        }
    }
    Ok(Route::To(routed))
}

/// A duplicate gets the plan that the first got (I10), unless it may not be given again.
async fn again(tx: &mut Tx, key: EventKey<'_>, event: Event<'_>) -> Result<Answer, Error> {
    let kept = match inbox::answer(tx, key).await {
        // What nobody can read any more is no reason to be asked again and again (I32).
        Err(store::Error::Sealed(error)) => {
            tracing::error!(%error, "the answer to an earlier webhook can't be read");
            return Ok(Answer::Plan(NOWHERE));
        }
        kept => kept?.unwrap_or_default(),
    };
    let Answer::Plan(plan) = stored_plan::answer(&kept) else { return Ok(Answer::Plan(NOWHERE)) };
    if is_done(tx, event, &plan).await? {
        return Ok(Answer::Ack);
    }
    let Some((caller, instead)) = instead(tx, event, &plan).await? else {
        return Ok(Answer::Plan(plan));
    };
    // It stays so, whatever becomes of the session.
    if let Some((account, interaction)) = caller {
        let kept = stored_plan::to_text(&instead);
        inbox::set_answer(tx, key, &account, &interaction, &kept).await?;
    }
    Ok(Answer::Plan(instead))
}

/// Whether a plan that would be given again was carried out: a carrier that is steered by commands has
/// told of a call to somebody whom it rings, and would ring them twice.
async fn is_done(tx: &mut Tx, event: Event<'_>, plan: &Plan) -> Result<bool, Error> {
    let Some(connect) = plan.connects().filter(|_| event.adapter.is_some_and(is_commanded)) else {
        return Ok(false);
    };
    for target in &connect.to {
        let leg = legs::by_id(tx, event.carrier, &target.leg).await?;
        if leg.is_some_and(|(_, leg)| leg.carrier_id.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whose call it is, and the plan that it gets.
type Instead = (Option<(AccountId, InteractionId)>, Plan);

/// What is given in the place of a plan that was given before, if it may not be given again: to people
/// whom their session does not put through any more. Nobody knows which of two answers the carrier
/// heard, and it must not be the second that connects them (I3).
async fn instead(tx: &mut Tx, event: Event<'_>, plan: &Plan) -> Result<Option<Instead>, Error> {
    let Some(connect) = plan.connects() else { return Ok(None) };
    let caller = legs::by_id(tx, event.carrier, &connect.leg).await?;
    let Some((account, caller)) = caller else { return Ok(None) };
    // A call to the marketplace's own line belongs to no session.
    let Some(session) = caller.session else { return Ok(None) };
    let (service, number) = match inbound::route(tx, event).await? {
        Route::To(routed) if routed.session.id == session => return Ok(None),
        // The number may mean another session by now.
        Route::To(routed) => (routed.service, routed.number),
        Route::Refused(refused) => (refused.service, refused.number),
        Route::Nowhere => return Ok(Some((None, NOWHERE))),
    };
    let plan = refused::neutral(&service.rules, &number.country);
    Ok(Some((Some((account, caller.interaction)), plan)))
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
    source: Source<'_>,
    event: Event<'_>,
    routed: Routed,
    ids: Option<(InteractionId, LegId)>,
) -> Result<(InteractionId, Plan), Error> {
    let mut interaction = inbound::interaction(tx, event, &routed);
    if let Some((id, _)) = &ids {
        interaction.id.clone_from(id);
    }
    let (account, now) = (routed.account.clone(), routed.now);
    interactions::insert(tx, &account, &interaction).await?;
    let mut leg = inbound::inbound_leg(tx, event, &interaction, CallState::Ringing.as_str());
    if let Some((_, id)) = ids {
        leg.id = id;
    }
    legs::insert(tx, &account, &leg).await?;
    let plan = connect_logged(tx, source, event, routed, (&interaction, &leg)).await?;
    if let Some(plan) = plan {
        return Ok((interaction.id, plan));
    }
    finish(tx, &account, &interaction.id, Ending::default(), now).await?;
    Ok((interaction.id, NOWHERE))
}

/// Rings the other side of a call whose own leg and interaction are in the log, or first asks whether it may be
/// recorded; `None` where nobody can be rung.
async fn connect_logged(
    tx: &mut Tx,
    source: Source<'_>,
    event: Event<'_>,
    mut routed: Routed,
    (interaction, leg): (&Interaction, &Leg),
) -> Result<Option<Plan>, Error> {
    let (account, now) = (routed.account.clone(), routed.now);
    inbound::touch(tx, &account, &mut routed.session, now).await?;
    let data = json!({ "role": interaction.from_role }).to_string();
    events::insert(tx, &account, EventKind::CallReceived, place(interaction), &data, now).await?;
    if let Some(attestation) = interaction.attestation {
        let treatment = routed.service.rules.assurance.of(attestation);
        if attestation == Attestation::Failed || treatment != Treatment::Pass {
            let (said, done) = (attestation.as_str(), treatment.as_str());
            let role = &interaction.from_role;
            let data = json!({ "role": role, "attestation": said, "treatment": done }).to_string();
            let kind = EventKind::CallerUnverified;
            events::insert(tx, &account, kind, place(interaction), &data, now).await?;
        }
    }
    for (position, recipient) in (1..).zip(&routed.recipients) {
        let state = CallState::Queued.as_str();
        let out = inbound::outbound_leg(tx, interaction, position, recipient, event.carrier, state);
        legs::insert(tx, &account, &out).await?;
    }
    let in_session = (&routed.session, &routed.service.rules);
    let caller = (&routed.sender.person, routed.recipients.len());
    abuse::began(tx, &account, &interaction.id, in_session, caller, now).await?;
    if recording::asks(source, &routed.service.rules, &routed.session) {
        let of = (&account, &routed.service, &routed.session);
        let plan = recording::ask_first(tx, of, leg, &routed.number.country, now).await?;
        return Ok(Some(plan));
    }
    let step = Step {
        account: &account,
        service: &routed.service,
        session: &routed.session,
        caller: leg,
        country: &routed.number.country,
        first: true,
        at_once: at_once(event.adapter),
        now,
    };
    next(tx, step).await
}

/// Whether whoever answers this call must press 1: the service says so, or what the network says of the caller
/// does.
async fn wants_one(
    tx: &mut Tx,
    account: &AccountId,
    rules: &Rules,
    interaction: &InteractionId,
) -> Result<bool, Error> {
    if rules.press_one || !rules.assurance.has(Treatment::PressOne) {
        return Ok(rules.press_one);
    }
    let interaction = interactions::get_any(tx, account, interaction).await?;
    let attestation = interaction.and_then(|one| one.attestation);
    Ok(attestation.is_some_and(|one| rules.assurance.of(one) == Treatment::PressOne))
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
    /// How many people the carrier rings at once.
    at_once: usize,
    now: Timestamp,
}

fn at_once(adapter: Option<&dyn Carrier>) -> usize {
    adapter.map_or(1, |one| one.capabilities().simultaneous)
}

/// Rings the next of those who were not rung yet: all who see the same number at once, or one
/// after the other, as the service says and the carrier can. `None` if nobody is left.
async fn next(tx: &mut Tx, step: Step<'_>) -> Result<Option<Plan>, Error> {
    let legs = legs::of_interaction(tx, step.account, &step.caller.interaction).await?;
    let waiting: Vec<Leg> = legs
        .into_iter()
        .filter(|leg| {
            leg.direction == Direction::Outbound && leg.state == CallState::Queued.as_str()
        })
        .collect();
    ring(tx, step, waiting).await
}

/// Rings those of these legs that may be rung at once.
async fn ring(tx: &mut Tx, step: Step<'_>, waiting: Vec<Leg>) -> Result<Option<Plan>, Error> {
    let rules = &step.service.rules;
    let waiting = together(tx, step, waiting).await?;
    let key = step.session.data_key(tx)?;
    let mut allowed = Vec::new();
    for leg in waiting {
        let number = target(tx, step.account, &key, &leg).await?.number;
        match abuse::gate(tx, rules, &number) {
            Ok(()) => allowed.push(leg),
            Err(reason) => unshown(tx, step.account, leg, reason, step.now).await?,
        }
    }
    let mut waiting = allowed;
    while let Some(head) = waiting.first()
        && !numbers::is_at(tx, step.account, &head.number, &step.caller.carrier).await?
    {
        let head = waiting.remove(0);
        match beside(tx, step, &head).await? {
            Some(head) => {
                waiting.insert(0, head);
                break;
            }
            None => unshown(tx, step.account, head, Reason::CarrierConfig, step.now).await?,
        }
    }
    let Some(head) = waiting.first() else { return Ok(None) };
    let caller_id = head.number.clone();
    let call = &step.caller.interaction;
    let asks = rules.recording.asks() && recording::open_question(tx, step.account, call).await?;
    let most = match rules.team_ring {
        // Whoever agrees must be the one who is connected.
        TeamRing::All if !asks => step.at_once,
        TeamRing::All | TeamRing::InOrder => 1,
    };
    let mut to = Vec::new();
    for leg in waiting.into_iter().filter(|leg| leg.number == caller_id).take(most) {
        to.push(target(tx, step.account, &key, &leg).await?);
        dialled(tx, step.account, leg, step.now).await?;
    }
    let caller = step.caller.participant.as_ref();
    let left = abuse::left(tx, step.account, (step.session, rules), caller, step.now).await?;
    let accept = wants_one(tx, step.account, rules, &step.caller.interaction).await?;
    let language = policy::language(rules, step.country);
    let said = |text: &str| {
        (!text.is_empty()).then(|| Prompt { text: text.to_owned(), language: language.to_owned() })
    };
    Ok(Some(Plan::Connect(Connect {
        leg: step.caller.id.clone(),
        to,
        caller_id,
        announce: said(&rules.caller_announcement).filter(|_| step.first),
        ring_timeout: rules.ring_timeout,
        duration_max: limit::longest(rules, step.session, step.now).min(left),
        screen: accept || !rules.callee_whisper.is_empty() || asks,
        accept,
        turn: 0,
    })))
}

/// Those of these legs that nobody keeps apart from the caller by now; the others are given up (I8). Of a
/// call that just came that was judged already.
async fn together(tx: &mut Tx, step: Step<'_>, waiting: Vec<Leg>) -> Result<Vec<Leg>, Error> {
    if step.first && step.caller.direction == Direction::Inbound {
        return Ok(waiting);
    }
    let mut left = Vec::new();
    for mut leg in waiting {
        if steps::is_apart(tx, step.account, &leg).await? {
            CallState::Cancelled.as_str().clone_into(&mut leg.state);
            leg.outcome = Some(Outcome::Cancelled);
            leg.reason = Some(Reason::Blocked);
            (leg.updated_at, leg.ended_at) = (step.now, Some(step.now));
            legs::update(tx, step.account, &leg).await?;
        } else {
            left.push(leg);
        }
    }
    Ok(left)
}

/// The same leg with a number that the caller's carrier may show and by which its person knows the
/// session too, if there is one: they were moved off it, and it is still called.
async fn beside(tx: &mut Tx, step: Step<'_>, leg: &Leg) -> Result<Option<Leg>, Error> {
    let (Some(who), carrier) = (&leg.participant, &step.caller.carrier) else { return Ok(None) };
    let known = holds::beside_at(tx, step.account, who, &step.session.id, carrier).await?;
    let Some(number) = known else { return Ok(None) };
    legs::readdress(tx, step.account, &leg.id, &number, carrier).await?;
    Ok(Some(Leg { number, ..leg.clone() }))
}

/// Gives up on somebody who may not be rung, or sees a number that the caller's carrier does not have for this
/// account, and so may not show: it was pooled elsewhere, or has moved since the session began.
async fn unshown(
    tx: &mut Tx,
    account: &AccountId,
    mut leg: Leg,
    reason: Reason,
    now: Timestamp,
) -> Result<(), Error> {
    CallState::Failed.as_str().clone_into(&mut leg.state);
    leg.outcome = Some(Outcome::Failed);
    leg.reason = Some(reason);
    (leg.updated_at, leg.ended_at) = (now, Some(now));
    legs::update(tx, account, &leg).await?;
    Ok(())
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

pub(in crate::relay) async fn dialled(
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
