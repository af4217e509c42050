//! A caller who is to prove by a PIN who they are: asked, listened to, put through or turned away.
//!
//! What is said depends on the dialled number and on how often they were asked, and never on whose number they
//! show, whether a PIN was nearly right, or what its session has come to (I5).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    NOWHERE, connect_logged,
    ending::{News, settle},
    limit::is_commanded,
    place,
    refused::neutral,
    script::{Told, answered},
    steps::Live,
};
use crate::relay::{
    abuse,
    consult::Given,
    error::Error,
    inbound::{self, Event, Route, Source},
    pins::{self, Giver, Proof},
    stored_plan,
};
use crate::{
    carrier::plan::{Answer, Gather, Plan, Prompt, Script, Sound, Then},
    domain::{
        assurance::{Attestation, DIGITS, Pin, TRIES_MAX},
        call::CallState,
        event::EventKind,
        interaction::{Kind, Outcome, Reason},
        phone::{Caller, Identifier},
        policy::{self, Rules},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId},
    privacy::Person,
    store::{
        Tx, accounts, events,
        interactions::{self, End, Interaction, Origin},
        legs::{self, Leg},
        numbers::{self, Number},
        scripts,
        services::{self, Service},
    },
    telemetry::metrics,
};

/// How long is waited for the first key, and for each further one.
const KEYS_TIMEOUT: Duration = Duration::from_secs(10);
/// The key that ends a PIN.
const FINISH: char = '#';

/// Where the call of somebody who is asked is, between two turns.
#[derive(Serialize, Deserialize)]
struct Asked {
    /// How many PINs they have given.
    tries: u32,
    /// Their own number; none if it is withheld.
    from: Option<String>,
    /// The carrier's id of the call.
    id: String,
    attestation: String,
    /// What was answered last, for a question that comes twice.
    plan: String,
}

/// A call whose caller is asked.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) source: Source<'a>,
    pub(super) event: Event<'a>,
    pub(super) account: &'a AccountId,
    pub(super) service: &'a Service,
    pub(super) number: &'a Number,
    pub(super) person: Option<&'a Person>,
    pub(super) now: Timestamp,
}

/// Asks a caller for their PIN for the first time.
pub(super) async fn begin(tx: &mut Tx, call: Asking<'_>) -> Result<(InteractionId, Plan), Error> {
    let Asking { event, account, service, number, person, now, .. } = call;
    let interaction = Interaction {
        id: tx.id_at(now),
        service: Some(service.id.clone()),
        session: None,
        kind: Kind::Call,
        origin: Origin::Person,
        from_participant: None,
        from_role: None,
        person: person.cloned(),
        number: number.number.clone(),
        carrier: event.carrier.to_owned(),
        attestation: event.attestation,
        outcome: None,
        reason: None,
        media: 0,
        media_refused: 0,
        duration: None,
        version: 1,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    interactions::insert(tx, account, &interaction).await?;
    let leg = inbound::inbound_leg(tx, event, &interaction, CallState::Ringing.as_str());
    legs::insert(tx, account, &leg).await?;
    tx.on_commit(|| metrics::pin("asked"));
    let plan = ask(&service.rules, number, &leg, 0);
    keep(tx, call, &leg, 0, &plan).await?;
    Ok((interaction.id, plan))
}

/// The question, which is turn `tries + 1` of the call.
fn ask(rules: &Rules, number: &Number, leg: &Leg, tries: u32) -> Plan {
    let language = policy::language(rules, &number.country);
    let text = policy::pin_wanted(rules, language, tries > 0);
    let prompt = Sound::Say(Prompt { text, language: language.to_owned() });
    let keys = Gather {
        prompts: vec![prompt],
        timeout: KEYS_TIMEOUT,
        digits_max: DIGITS[1],
        finish: Some(FINISH),
    };
    Plan::Script(Box::new(Script {
        leg: leg.id.clone(),
        turn: tries + 1,
        sounds: Vec::new(),
        then: Then::Keys(keys),
    }))
}

async fn keep(
    tx: &mut Tx,
    call: Asking<'_>,
    leg: &Leg,
    tries: u32,
    plan: &Plan,
) -> Result<(), Error> {
    let from = match call.event.from {
        Caller::Number(number) => Some(number.expose().to_owned()),
        Caller::Withheld => None,
    };
    let asked = Asked {
        tries,
        from,
        id: call.event.id.to_owned(),
        attestation: call.event.attestation.unwrap_or(Attestation::None).as_str().to_owned(),
        plan: stored_plan::to_text(plan),
    };
    let state = serde_json::to_string(&asked).unwrap_or_default();
    let script = scripts::Script { turn: tries + 1, state };
    Ok(scripts::set(tx, call.account, &leg.id, &script, call.now).await?)
}

/// Goes on with a call whose caller is asked; `None` if `kept` is of another sort.
pub(super) async fn go_on(
    tx: &mut Tx,
    source: Source<'_>,
    live: &Live,
    (kept, at): (&scripts::Script, u32),
    (told, given): (&Told<'_>, &Given),
) -> Result<Option<Answer>, Error> {
    let Ok(asked) = serde_json::from_str::<Asked>(&kept.state) else { return Ok(None) };
    let Live { account, leg, now, .. } = live;
    let from = match &asked.from {
        None => Caller::Withheld,
        Some(from) => Identifier::parse(from).map_or(Caller::Withheld, Caller::Number),
    };
    let event = Event {
        kind: Kind::Call,
        carrier: source.carrier,
        adapter: source.adapter,
        id: &asked.id,
        from: &from,
        to: &leg.number,
        media: 0,
        attestation: Attestation::parse(&asked.attestation),
    };
    let owned = numbers::owner(tx, &leg.number).await?;
    let owned = owned.filter(|(owner, one)| owner == account && one.carrier == source.carrier);
    // The number has gone to somebody else meanwhile, or to another carrier.
    let Some((_, number)) = owned else { return Ok(Some(Answer::Plan(Plan::Hangup))) };
    let service = services::get_any(tx, account, &number.service).await?;
    let service = service.ok_or(Error::NotFound("service"))?;
    if at != kept.turn {
        let last = at + 1 == kept.turn;
        return repeated(tx, (event, live), &service, &number, (last, &asked.plan)).await.map(Some);
    }
    let person = match &from {
        Caller::Number(number) => {
            Some(accounts::keys(tx, account).await?.index.person(&number.canonical()))
        }
        Caller::Withheld => None,
    };
    let (number, service, person) = (&number, &service, person.as_ref());
    let call = Asking { source, event, account, service, number, person, now: *now };
    let plan = match told {
        // It has ended meanwhile, or was put through.
        _ if asked.tries >= TRIES_MAX || leg.session.is_some() || leg.outcome.is_some() => {
            Plan::Hangup
        }
        Told::Keys(digits) => heard(tx, call, leg, asked.tries, digits, given).await?,
        Told::Played | Told::Dialled(_) => turn_away(tx, call, leg, Reason::PinMissing).await?,
    };
    // A question for a PIN is kept already; that for a recording is turn 0.
    if matches!(&plan, Plan::Script(script) if script.turn > 0) && plan.connects().is_none() {
        return Ok(Some(Answer::Plan(plan)));
    }
    keep(tx, call, leg, asked.tries + 1, &plan).await?;
    Ok(Some(Answer::Plan(plan)))
}

/// The last question once more gets the same answer, unless that connects people whom their session does not
/// put through any more (I3).
async fn repeated(
    tx: &mut Tx,
    (event, live): (Event<'_>, &Live),
    service: &Service,
    number: &Number,
    (last, kept): (bool, &str),
) -> Result<Answer, Error> {
    let plan = match stored_plan::answer(kept) {
        Answer::Plan(plan) if last => plan,
        _ if event.adapter.is_some_and(is_commanded) => return Ok(Answer::Ack),
        _ => return Ok(Answer::Plan(Plan::Hangup)),
    };
    if super::is_done(tx, event, &plan).await? {
        return Ok(Answer::Ack);
    }
    if plan.connects().is_some() && !live.open {
        return Ok(Answer::Plan(answered(neutral(&service.rules, &number.country))));
    }
    Ok(Answer::Plan(plan))
}

/// What follows from keys.
async fn heard(
    tx: &mut Tx,
    call: Asking<'_>,
    leg: &Leg,
    tries: u32,
    digits: &str,
    given: &Given,
) -> Result<Plan, Error> {
    let Asking { event, account, service, number, person, now, .. } = call;
    let pin = Pin::parse(digits.trim_end_matches(FINISH));
    let proof = match &pin {
        None => Proof::Nothing,
        Some(pin) => {
            let giver = Giver { account, service, number, person };
            pins::prove(tx, giver, pin, now).await?
        }
    };
    match (proof, &pin) {
        (Proof::Locked, _) => return turn_away(tx, call, leg, Reason::PinLocked).await,
        (Proof::Is(meant), Some(pin)) => {
            let proved = inbound::Proved { number, service, person, meant: &meant, pin };
            if let Route::To(mut routed) = inbound::proved(tx, account, Kind::Call, proved).await? {
                if given.spending.over(event.carrier, account) {
                    return turn_away(tx, call, leg, Reason::BudgetSpent).await;
                }
                if let Some(reason) = abuse::call(tx, &mut routed, given).await? {
                    return turn_away(tx, call, leg, reason).await;
                }
                return Box::pin(put_through(tx, call, leg, *routed)).await;
            }
        }
        _ => {}
    }
    if tries + 1 >= TRIES_MAX {
        let why = if pin.is_some() { Reason::PinWrong } else { Reason::PinMissing };
        return turn_away(tx, call, leg, why).await;
    }
    let plan = ask(&service.rules, number, leg, tries + 1);
    keep(tx, call, leg, tries + 1, &plan).await?;
    Ok(plan)
}

/// Puts a call into the session that its caller has proved to be theirs, and rings the other side.
async fn put_through(
    tx: &mut Tx,
    call: Asking<'_>,
    leg: &Leg,
    routed: inbound::Routed,
) -> Result<Plan, Error> {
    let (account, sender) = (call.account, &routed.sender);
    let session = &routed.session.id;
    if !interactions::put_into(tx, account, &leg.interaction, session, sender, call.now).await? {
        return Ok(Plan::Hangup);
    }
    legs::put_into(tx, account, &leg.id, session, sender).await?;
    let leg = Leg {
        session: Some(session.clone()),
        participant: Some(sender.id.clone()),
        role: Some(sender.role.clone()),
        ..leg.clone()
    };
    let interaction = interactions::get_any(tx, account, &leg.interaction).await?;
    let interaction = interaction.ok_or(Error::NotFound("interaction"))?;
    let plan = connect_logged(tx, call.source, call.event, routed, (&interaction, &leg)).await?;
    Ok(plan.map_or(Plan::Hangup, |plan| if plan == NOWHERE { Plan::Hangup } else { plan }))
}

/// Ends the call of somebody who did not prove who they are, in the words that every stranger hears.
async fn turn_away(tx: &mut Tx, call: Asking<'_>, leg: &Leg, why: Reason) -> Result<Plan, Error> {
    let Asking { account, now, .. } = call;
    let news = News { state: CallState::Completed, ..News::default() };
    let own = Leg { outcome: Some(Outcome::Refused), reason: Some(why), ..leg.clone() };
    settle(tx, account, own, News { reason: Some(why), ..news }, now).await?;
    refuse(tx, account, &leg.interaction, why, now).await?;
    Ok(answered(neutral(&call.service.rules, &call.number.country)))
}

/// Ends the interaction of a caller who was asked, as refused.
pub(super) async fn refuse(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    why: Reason,
    now: Timestamp,
) -> Result<(), Error> {
    let end = End { outcome: Outcome::Refused, reason: Some(why), duration: None, at: now };
    if !interactions::finish(tx, account, id, &end).await? {
        return Ok(());
    }
    let Some(interaction) = interactions::get_any(tx, account, id).await? else { return Ok(()) };
    let data = json!({ "reason": why.as_str(), "role": null }).to_string();
    events::insert(tx, account, EventKind::CallRefused, place(&interaction), &data, now).await?;
    Ok(())
}
