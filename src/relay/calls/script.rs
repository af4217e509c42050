//! A call that a marketplace's own documents steer: its caller is in no session, and hears, presses
//! and reaches what the marketplace says, one turn after the other.
//!
//! Whoever is rung sees a proxy number of the account, whatever the document asks for: the caller's
//! own number is shown to nobody.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    NOWHERE, connect,
    ending::{Ending, end},
    instead, is_done,
    limit::is_commanded,
    pin,
    refused::neutral,
    steps::{Live, live, settle_rung},
};
use crate::relay::{
    abuse,
    consult::{Advice, Given},
    error::Error,
    inbound::{self, Event, Logged, Refused, Route, Source},
    stored_plan,
    twilio_proxy::{
        Dial, Document, End, Gather as Keys, Target as Address, Verb, ask_again, leads_back, turn,
    },
};
use crate::{
    carrier::{
        event::DialEnded,
        plan::{Answer, Connect, Gather, Plan, Prompt, RejectReason, Script, Sound, Target, Then},
    },
    domain::{
        call::CallState,
        interaction::Kind,
        phone::{Caller, Identifier, ProxyNumber},
        policy,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, LegId},
    store::{
        Tx, accounts,
        budgets::{self, Asker, Costly},
        legs::{self, Direction, Leg},
        numbers::{self, Number},
        scripts,
        services::{self, Service},
    },
    telemetry::metrics,
};

/// The most turns of one call.
const TURNS_MAX: u32 = 100;
/// How many people one person reaches so from one number within [`DIALS_PER`]: whoever calls pays
/// nothing, and the marketplace pays each call.
const DIALS_MAX: i64 = 20;
const DIALS_PER: Duration = Duration::from_hours(1);

/// Where a call is, between two turns.
#[derive(Serialize, Deserialize)]
struct State {
    /// The caller's own number; none if it is withheld.
    from: Option<String>,
    /// The carrier's id of the call.
    id: String,
    /// What the next question of the carrier means.
    on: On,
    /// What is left of the document.
    rest: Vec<Verb>,
    /// What was answered last, for a question that comes twice.
    plan: String,
}

/// What the carrier's next question means.
#[derive(Clone, Serialize, Deserialize)]
enum On {
    /// The document goes on.
    Rest,
    /// Another document is asked for.
    Ask(Address),
    /// The same, since nobody could be rung.
    Failed(Address),
    /// Keys came, or none did.
    Keys { action: Address, without_keys: bool },
    /// The dialling is over.
    Dialled(Option<Address>),
}

/// A call that is steered.
struct Steered<'a> {
    event: Event<'a>,
    account: &'a AccountId,
    service: &'a Service,
    number: &'a Number,
    leg: &'a Leg,
    now: Timestamp,
    turn: u32,
}

/// What the carrier tells of a call that is steered.
pub(in crate::relay) enum Told<'a> {
    /// What was to be heard is over.
    Played,
    /// Keys were pressed, or none.
    Keys(&'a str),
    /// The dialling is over.
    Dialled(&'a DialEnded),
}

/// Begins to steer a call that no session is for.
pub(super) async fn begin(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    document: &Document,
) -> Result<(InteractionId, Plan), Error> {
    let at_once = match document.verbs().first() {
        None | Some(Verb::Hangup) => Some(Plan::Hangup),
        Some(Verb::Reject { busy: true }) => Some(Plan::Reject(RejectReason::Busy)),
        Some(Verb::Reject { busy: false }) => Some(NOWHERE),
        Some(_) => None,
    };
    tx.on_commit(|| metrics::out_of_session("script"));
    if let Some(plan) = at_once {
        let logged = Logged { state: CallState::Cancelled.as_str(), goes_on: false };
        let leg = inbound::log_refusal(tx, event, refused, logged).await?;
        return Ok((leg.interaction, plan));
    }
    let logged = Logged { state: CallState::Ringing.as_str(), goes_on: true };
    let leg = inbound::log_refusal(tx, event, refused, logged).await?;
    let call = Steered {
        event,
        account: &refused.account,
        service: &refused.service,
        number: &refused.number,
        leg: &leg,
        now: refused.now,
        turn: 1,
    };
    let plan = next(tx, &call, document.verbs().to_vec()).await?;
    Ok((leg.interaction.clone(), plan))
}

/// Goes on with a call that is steered; `None` if none is.
pub(in crate::relay) async fn go_on(
    tx: &mut Tx,
    Source { carrier, adapter, keeps }: Source<'_>,
    (leg, at): (&LegId, u32),
    told: Told<'_>,
    given: &Given,
) -> Result<Option<Answer>, Error> {
    if at == 0 {
        return Ok(None);
    }
    let Some(live) = live(tx, carrier, leg).await? else { return Ok(None) };
    let Some(kept) = scripts::get(tx, &live.account, &live.leg.id).await? else { return Ok(None) };
    let source = Source { carrier, adapter, keeps };
    let asked = pin::go_on(tx, source, &live, (&kept, at), (&told, given)).await?;
    if asked.is_some() {
        return Ok(asked);
    }
    let Live { account, leg, now, .. } = live;
    let state: State = serde_json::from_str(&kept.state).map_err(|_| {
        crate::store::Error::Inconsistent { table: "call_scripts", column: "state" }
    })?;
    let from = match &state.from {
        None => Caller::Withheld,
        Some(from) => Identifier::parse(from).map_or(Caller::Withheld, Caller::Number),
    };
    let event = Event {
        kind: Kind::Call,
        carrier,
        adapter,
        id: &state.id,
        from: &from,
        to: &leg.number,
        media: 0,
        attestation: None,
    };
    if at != kept.turn {
        return repeated(tx, event, at + 1 == kept.turn, &state.plan).await.map(Some);
    }
    let owned = numbers::owner(tx, &leg.number).await?;
    let owned = owned.filter(|(owner, one)| *owner == account && one.carrier == carrier);
    // The number has gone to somebody else meanwhile, or to another carrier.
    let Some((_, number)) = owned else { return Ok(Some(Answer::Plan(Plan::Hangup))) };
    let service = services::get_any(tx, &account, &number.service).await?;
    let service = service.ok_or(Error::NotFound("service"))?;
    let call = Steered {
        event,
        account: &account,
        service: &service,
        number: &number,
        leg: &leg,
        now,
        turn: at + 1,
    };
    let plan = after(tx, &call, state.on, state.rest, told, given).await?;
    Ok(Some(Answer::Plan(plan)))
}

/// The last question once more gets the same answer, if that may be given again; any other is over.
async fn repeated(tx: &mut Tx, event: Event<'_>, last: bool, kept: &str) -> Result<Answer, Error> {
    let plan = match stored_plan::answer(kept) {
        Answer::Plan(plan) if last => plan,
        // What is told again of an earlier turn ends nothing: the call has gone on since.
        _ if event.adapter.is_some_and(is_commanded) => return Ok(Answer::Ack),
        _ => return Ok(Answer::Plan(Plan::Hangup)),
    };
    if is_done(tx, event, &plan).await? {
        return Ok(Answer::Ack);
    }
    let instead = instead(tx, event, &plan).await?;
    Ok(Answer::Plan(instead.map_or(plan, |(_, plan)| answered(plan))))
}

/// What follows from what the carrier told.
async fn after(
    tx: &mut Tx,
    call: &Steered<'_>,
    on: On,
    rest: Vec<Verb>,
    told: Told<'_>,
    given: &Given,
) -> Result<Plan, Error> {
    let (ask, more) = match (on, told) {
        (On::Rest, Told::Played) => (None, Vec::new()),
        (On::Ask(address), Told::Played) => (Some(address), Vec::new()),
        (On::Failed(address), Told::Played) => {
            (Some(address), vec![("DialCallStatus", "failed".to_owned())])
        }
        (On::Keys { action, without_keys }, Told::Keys(digits)) => {
            let asks = without_keys || !digits.is_empty();
            (asks.then_some(action), vec![("Digits", digits.to_owned())])
        }
        (On::Dialled(action), Told::Dialled(ended)) => {
            let legs = legs::of_interaction(tx, call.account, &call.leg.interaction).await?;
            let is_open =
                |leg: &Leg| !CallState::parse(&leg.state).is_some_and(CallState::is_final);
            let rung: Vec<Leg> =
                legs.into_iter().filter(|leg| leg.id != call.leg.id && is_open(leg)).collect();
            settle_rung(tx, call.account, &rung, ended, call.now).await?;
            if ended.caller_gone {
                return over(tx, call).await;
            }
            (action, dialled(ended))
        }
        // The carrier's question is not the one that was to come.
        _ => return over(tx, call).await,
    };
    let Some(address) = ask else { return next(tx, call, rest).await };
    match &given.stranger {
        None => {
            let (account, service) = (call.account, &call.service.id);
            if leads_back(account, service, &address) {
                return hand_over(tx, call).await;
            }
            let question = ask_again(tx, account, service, call.event, address, more).await?;
            Err(Error::Ask(Box::new(question)))
        }
        Some(Advice::Document(document)) => next(tx, call, document.verbs().to_vec()).await,
        Some(Advice::Route) => hand_over(tx, call).await,
        Some(_) => apologise(tx, call).await,
    }
}

/// How a dialling ended, in Twilio's words.
fn dialled(ended: &DialEnded) -> Vec<(&'static str, String)> {
    let status = crate::relay::twilio_proxy::status(Kind::Call, ended.state.as_str());
    let mut more = vec![("DialCallStatus", status.to_owned())];
    if let Some(length) = ended.duration {
        more.push(("DialCallDuration", length.as_secs().to_string()));
    }
    more
}

/// The next turn of a document.
async fn next(tx: &mut Tx, call: &Steered<'_>, verbs: Vec<Verb>) -> Result<Plan, Error> {
    let mut left = verbs;
    loop {
        let (heard, end, rest) = turn(left);
        let (on, then, rest) = match end {
            _ if call.turn > TURNS_MAX => return over(tx, call).await,
            End::Hangup | End::Reject { .. } if heard.is_empty() => return over(tx, call).await,
            End::Hangup | End::Reject { .. } => {
                over(tx, call).await?;
                (On::Rest, Then::Hangup, Vec::new())
            }
            End::More => (On::Rest, Then::Ask, rest),
            End::Redirect(address) => (On::Ask(address), Then::Ask, rest),
            End::Gather(keys) => {
                let (action, without_keys) = (keys.action.clone(), keys.without_keys);
                (On::Keys { action, without_keys }, Then::Keys(gather(call, keys)), rest)
            }
            End::Dial(dial) => match (ring(tx, call, &dial).await?, dial.action) {
                (Some(connect), action) => (On::Dialled(action), Then::Connect(connect), rest),
                // Nobody may be rung: as if nobody could be reached.
                (None, Some(action)) => (On::Failed(action), Then::Ask, rest),
                (None, None) => {
                    left = heard.into_iter().chain(rest).collect();
                    continue;
                }
            },
        };
        let script =
            Script { leg: call.leg.id.clone(), turn: call.turn, sounds: sounds(call, heard), then };
        let plan = Plan::Script(Box::new(script));
        keep(tx, call, on, rest, &plan).await?;
        return Ok(plan);
    }
}

async fn keep(
    tx: &mut Tx,
    call: &Steered<'_>,
    on: On,
    rest: Vec<Verb>,
    plan: &Plan,
) -> Result<(), Error> {
    let from = match call.event.from {
        Caller::Number(number) => Some(number.expose().to_owned()),
        Caller::Withheld => None,
    };
    let (id, plan) = (call.event.id.to_owned(), stored_plan::to_text(plan));
    let state = State { from, id, on, rest, plan };
    let state = serde_json::to_string(&state).unwrap_or_default();
    let script = scripts::Script { turn: call.turn, state };
    Ok(scripts::set(tx, call.account, &call.leg.id, &script, call.now).await?)
}

fn sounds(call: &Steered<'_>, verbs: Vec<Verb>) -> Vec<Sound> {
    let usual = policy::language(&call.service.rules, &call.number.country);
    let sound = |verb| match verb {
        Verb::Say { text, language } => {
            let language = language.filter(|language| policy::is_language(language));
            let language = language.unwrap_or_else(|| usual.to_owned());
            Some(Sound::Say(Prompt { text, language }))
        }
        Verb::Play(address) => Some(Sound::Play(address)),
        Verb::Pause { seconds } => Some(Sound::Pause(Duration::from_secs(seconds))),
        _ => None,
    };
    verbs.into_iter().filter_map(sound).collect()
}

fn gather(call: &Steered<'_>, keys: Keys) -> Gather {
    Gather {
        prompts: sounds(call, keys.prompts),
        timeout: Duration::from_secs(keys.timeout_s),
        digits_max: keys.digits_max,
        finish: keys.finish,
    }
}

/// Whom a document wants rung, each on a leg of the refused call; `None` where nobody may be.
async fn ring(tx: &mut Tx, call: &Steered<'_>, dial: &Dial) -> Result<Option<Connect>, Error> {
    let mut people = Vec::new();
    for number in &dial.numbers {
        let Ok(number) = Identifier::parse(number) else { continue };
        let admitted = abuse::gate(tx, &call.service.rules, &number).is_ok();
        // What is ours leads back to us (I6).
        if admitted && !numbers::is_ours(tx, &number).await? {
            people.push(number);
        }
    }
    if people.is_empty() || !affordable(tx, call).await? {
        return Ok(None);
    }
    let legs = legs::of_interaction(tx, call.account, &call.leg.interaction).await?;
    let first = legs.iter().map(|leg| leg.position).max().unwrap_or_default() + 1;
    let mut to = Vec::new();
    for (position, number) in (first..).zip(people) {
        let rung = Leg {
            id: tx.id_at(call.now),
            position,
            direction: Direction::Outbound,
            participant: None,
            role: None,
            carrier_id: None,
            state: CallState::Initiated.as_str().to_owned(),
            outcome: None,
            reason: None,
            answered_at: None,
            created_at: call.now,
            updated_at: call.now,
            ..call.leg.clone()
        };
        legs::insert(tx, call.account, &rung).await?;
        to.push(Target { leg: rung.id, number });
    }
    let most = call.service.rules.call_max;
    Ok(Some(Connect {
        leg: call.leg.id.clone(),
        to,
        caller_id: caller_id(tx, call, dial.caller_id.as_deref()).await?,
        announce: None,
        ring_timeout: Duration::from_secs(dial.timeout_s),
        duration_max: dial.limit_s.map_or(most, |limit| most.min(Duration::from_secs(limit))),
        screen: false,
        accept: false,
        turn: call.turn,
    }))
}

/// The number that the document names, if the account has it with this carrier; else the one that was
/// dialled.
async fn caller_id(
    tx: &mut Tx,
    call: &Steered<'_>,
    named: Option<&str>,
) -> Result<ProxyNumber, Error> {
    if let Some(named) = named.and_then(|named| ProxyNumber::parse(named).ok())
        && let Some((account, number)) = numbers::owner(tx, &named).await?
        && account == *call.account
        && number.carrier == call.event.carrier
    {
        return Ok(named);
    }
    Ok(call.number.number.clone())
}

async fn affordable(tx: &mut Tx, call: &Steered<'_>) -> Result<bool, Error> {
    let keys = accounts::keys(tx, call.account).await?;
    let person = match call.event.from {
        Caller::Number(number) => Some(keys.index.person(&number.canonical())),
        Caller::Withheld => None,
    };
    let asker = Asker { account: call.account, number: &call.number.id, person: person.as_ref() };
    Ok(budgets::take(tx, asker, Costly::Forward, DIALS_MAX, DIALS_PER, call.now).await?)
}

/// The call is over.
async fn over(tx: &mut Tx, call: &Steered<'_>) -> Result<Plan, Error> {
    end(tx, call.account, &call.leg.interaction, Ending::default(), call.now).await?;
    keep(tx, call, On::Rest, Vec::new(), &Plan::Hangup).await?;
    Ok(Plan::Hangup)
}

/// The marketplace does not say how to go on: the caller hears what every stranger hears.
async fn apologise(tx: &mut Tx, call: &Steered<'_>) -> Result<Plan, Error> {
    over(tx, call).await?;
    Ok(answered(neutral(&call.service.rules, &call.number.country)))
}

/// A plan for a call that was answered: it can't be turned away any more.
pub(super) fn answered(plan: Plan) -> Plan {
    if plan == NOWHERE { Plan::Hangup } else { plan }
}

/// Puts the caller through to the session that they have by now. The call goes on as one of that
/// session; what it was before stays in the log as refused.
async fn hand_over(tx: &mut Tx, call: &Steered<'_>) -> Result<Plan, Error> {
    let Route::To(routed) = inbound::route(tx, call.event).await? else {
        return apologise(tx, call).await;
    };
    over(tx, call).await?;
    // News of the call is news of its new leg.
    let legs = legs::of_interaction(tx, call.account, &call.leg.interaction).await?;
    let own = legs.into_iter().find(|leg| leg.id == call.leg.id).ok_or(Error::NotFound("leg"))?;
    legs::update(tx, call.account, &Leg { carrier_id: None, ..own }).await?;
    let source = Source { carrier: call.event.carrier, adapter: call.event.adapter, keeps: false };
    let (_, plan) = Box::pin(connect(tx, source, call.event, *routed, None)).await?;
    keep(tx, call, On::Rest, Vec::new(), &plan).await?;
    Ok(plan)
}
