//! What comes next: a carrier asks about a leg of a call that goes on.

use std::time::Duration;

use super::{
    Step, at_once,
    ending::{Ending, News, end, settle},
    limit::{self, is_commanded},
    next, ring,
    script::{self, Told},
    wants_one,
};
use crate::relay::{
    abuse, consult::Given, error::Error, inbound::Source, recording, verifications, voicemail,
};
use crate::{
    carrier::{
        event::{CalleeAnswered, DialEnded, Keys, PlacedCallAnswered, Played},
        plan::{Answer, Plan, Prompt, Whisper},
    },
    domain::{
        call::CallState,
        interaction::{Kind, Reason},
        policy::{self, consent_words},
        time::Timestamp,
    },
    ids::{AccountId, LegId},
    store::{
        Tx, blocks,
        interactions::{self},
        legs::{self, Direction, Leg},
        numbers, participants,
        services::{self, Service},
        sessions::{self, Session},
    },
};

/// A leg that a carrier asks about, with all that is judged: everything locked.
pub(in crate::relay) struct Live {
    pub(in crate::relay) account: AccountId,
    pub(in crate::relay) leg: Leg,
    /// Its session; none where the caller was in none and is put through to the marketplace's own
    /// line.
    pub(in crate::relay) session: Option<Session>,
    pub(in crate::relay) now: Timestamp,
    /// Whether the session still puts people through, and nobody has blocked the other.
    pub(in crate::relay) open: bool,
}

pub(in crate::relay) async fn live(
    tx: &mut Tx,
    carrier: &str,
    id: &LegId,
) -> Result<Option<Live>, Error> {
    let Some((account, leg)) = legs::by_id(tx, carrier, id).await? else { return Ok(None) };
    if leg.kind != Kind::Call {
        return Ok(None);
    }
    let session = match &leg.session {
        None => None,
        Some(session) => match sessions::lock(tx, &account, session).await? {
            None => return Ok(None),
            locked => locked,
        },
    };
    interactions::lock(tx, &account, &leg.interaction).await?;
    let Some((_, leg)) = legs::by_id(tx, carrier, id).await? else { return Ok(None) };
    let now = tx.now().await?;
    let open = session.as_ref().is_some_and(|one| one.is_live(now));
    let open = open && !is_apart(tx, &account, &leg).await?;
    Ok(Some(Live { account, leg, session, now, open }))
}

/// Whether somebody who is rung and who calls them are kept apart by now (I8).
pub(super) async fn is_apart(tx: &mut Tx, account: &AccountId, leg: &Leg) -> Result<bool, Error> {
    if leg.position == 0 {
        return Ok(false);
    }
    let Some(rung) = &leg.participant else { return Ok(false) };
    let legs = legs::of_interaction(tx, account, &leg.interaction).await?;
    let caller = legs.into_iter().find(|one| one.position == 0).and_then(|one| one.participant);
    let Some(caller) = caller else { return Ok(false) };
    let caller = participants::get(tx, account, &caller).await?;
    let rung = participants::get(tx, account, rung).await?;
    let (Some(caller), Some(rung)) = (caller, rung) else { return Ok(false) };
    Ok(!blocks::apart(tx, account, &caller.person, &[rung.person]).await?.is_empty())
}

pub(super) async fn service_of(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
) -> Result<Service, Error> {
    services::get_any(tx, account, &session.service).await?.ok_or(Error::NotFound("service"))
}

/// The country of the number that a leg's person sees: it names the language.
pub(in crate::relay) async fn country_of(tx: &mut Tx, leg: &Leg) -> Result<String, Error> {
    let number = numbers::owner(tx, &leg.number).await?;
    Ok(number.map(|(_, number)| number.country).unwrap_or_default())
}

/// Whether nobody waits for a leg any more: its call is over, and where the carrier did not stop ringing
/// with it, whoever answers is connected with nobody.
fn is_over(leg: &Leg) -> bool {
    CallState::parse(&leg.state).is_some_and(CallState::is_final)
}

/// Somebody that we rang answered: a bridge starts only if the session is still open (I3).
pub(in crate::relay) async fn callee_answered(
    tx: &mut Tx,
    source: Source<'_>,
    event: &CalleeAnswered,
) -> Result<Answer, Error> {
    let Some(live) = live(tx, source.carrier, &event.leg).await? else {
        return Ok(Answer::Plan(Plan::Hangup));
    };
    if live.leg.direction != Direction::Outbound || is_over(&live.leg) {
        return Ok(Answer::Plan(Plan::Hangup));
    }
    let Some(session) = &live.session else {
        // The marketplace's own line is asked nothing.
        if let Some(longest) = longest_on_the_line(tx, &live).await? {
            limit::owe(tx, source, &live, &event.id, longest).await?;
        }
        return Ok(Answer::Plan(Plan::Proceed));
    };
    if !live.open {
        return Ok(Answer::Plan(Plan::Hangup));
    }
    let rules = &service_of(tx, &live.account, session).await?.rules;
    let legs = legs::of_interaction(tx, &live.account, &live.leg.interaction).await?;
    let caller = legs.iter().find(|leg| leg.position == 0).and_then(|leg| leg.participant.as_ref());
    let left = abuse::left(tx, &live.account, (session, rules), caller, live.now).await?;
    let longest = limit::longest(rules, session, live.now).min(left);
    limit::owe(tx, source, &live, &event.id, longest).await?;
    let country = country_of(tx, &live.leg).await?;
    let language = policy::language(rules, &country);
    let prompt = |text: &str| Prompt { text: text.to_owned(), language: language.to_owned() };
    let whisper = &rules.callee_whisper;
    let accept = wants_one(tx, &live.account, rules, &live.leg.interaction).await?;
    let call = &live.leg.interaction;
    let asks = rules.recording.asks()
        && live.leg.position > 0
        && recording::open_question(tx, &live.account, call).await?;
    if whisper.is_empty() && !accept && !asks {
        return Ok(Answer::Plan(Plan::Proceed));
    }
    let question = if asks {
        let purpose = &rules.recording.purpose;
        Some(prompt(&consent_words(purpose, language, accept).text))
    } else {
        accept.then(|| prompt(policy::press_one_words(language)))
    };
    Ok(Answer::Plan(Plan::Whisper(Whisper {
        leg: live.leg.id.clone(),
        say: (!whisper.is_empty()).then(|| prompt(whisper)),
        accept: question,
        optional: asks && !accept,
    })))
}

/// The longest that a caller in no session may talk to the marketplace's own line.
async fn longest_on_the_line(tx: &mut Tx, live: &Live) -> Result<Option<Duration>, Error> {
    let interaction = interactions::get_any(tx, &live.account, &live.leg.interaction).await?;
    let Some(service) = interaction.and_then(|one| one.service) else { return Ok(None) };
    let service = services::get_any(tx, &live.account, &service).await?;
    Ok(service.map(|service| service.rules.call_max))
}

/// Keys were pressed: 1 accepts the call, everything else declines it.
pub(in crate::relay) async fn keys(
    tx: &mut Tx,
    source: Source<'_>,
    event: &Keys,
    given: &Given,
) -> Result<Answer, Error> {
    let (told, at) = (Told::Keys(&event.digits), (&event.leg, event.turn));
    if let Some(answer) = script::go_on(tx, source, at, told, given).await? {
        return Ok(answer);
    }
    let carrier = source.carrier;
    let Some(live) = live(tx, carrier, &event.leg).await? else {
        return Ok(Answer::Plan(Plan::Hangup));
    };
    if let Some(answer) = Box::pin(consent(tx, source, &live, &event.digits)).await? {
        return Ok(answer);
    }
    if live.open && event.digits == "1" && !is_over(&live.leg) {
        return Ok(Answer::Plan(Plan::Proceed));
    }
    let news =
        News { state: CallState::NoAnswer, reason: Some(Reason::NotAccepted), ..News::default() };
    settle(tx, &live.account, live.leg, news, live.now).await?;
    Ok(Answer::Plan(Plan::Hangup))
}

/// What follows a key that was pressed, or not, where somebody was asked whether they agree to a recording;
/// `None` where nobody was.
async fn consent(
    tx: &mut Tx,
    source: Source<'_>,
    live: &Live,
    digits: &str,
) -> Result<Option<Answer>, Error> {
    let Some(session) = &live.session else { return Ok(None) };
    let service = service_of(tx, &live.account, session).await?;
    let (account, leg) = (&live.account, &live.leg);
    if !service.rules.recording.asks() {
        return Ok(None);
    }
    let open = live.open && !is_over(leg);
    if leg.position > 0 {
        let asked = recording::was_asked(tx, account, leg).await?;
        if !open || !asked {
            return Ok(None);
        }
        let accept = wants_one(tx, account, &service.rules, &leg.interaction).await?;
        let rules = (&service.rules, accept);
        let takes = recording::callee_answered(tx, live, rules, digits).await?;
        return Ok(takes.then_some(Answer::Plan(Plan::Proceed)));
    }
    let hangup = Some(Answer::Plan(Plan::Hangup));
    if !open {
        return Ok(hangup);
    }
    let new = recording::first_answered(tx, live, &service.rules, digits).await?;
    let Some(new) = new else { return Ok(hangup) };
    let country = country_of(tx, leg).await?;
    let step = Step {
        account,
        service: &service,
        session,
        caller: leg,
        country: &country,
        first: false,
        at_once: at_once(source.adapter),
        now: live.now,
    };
    let plan = if new {
        next(tx, step).await?
    } else {
        let legs = legs::of_interaction(tx, account, &leg.interaction).await?;
        let dialled = |one: &Leg| one.state != CallState::Queued.as_str();
        let rung = legs.into_iter().filter(|one| one.position > 0 && dialled(one)).collect();
        match ring_again(tx, step, rung).await? {
            None if source.adapter.is_some_and(is_commanded) => return Ok(Some(Answer::Ack)),
            plan => plan,
        }
    };
    if plan.is_none() {
        end(tx, account, &leg.interaction, Ending::default(), live.now).await?;
    }
    Ok(plan.map(Answer::Plan).or(hangup))
}

/// What a script plays is over: its next turn, or the end of the call.
pub(in crate::relay) async fn played(
    tx: &mut Tx,
    source: Source<'_>,
    event: &Played,
    given: &Given,
) -> Result<Answer, Error> {
    let at = (&event.leg, event.turn);
    let answer = script::go_on(tx, source, at, Told::Played, given).await?;
    Ok(answer.unwrap_or(Answer::Plan(Plan::Hangup)))
}

/// The dialling is over: the next member of a team is rung, or the call ends.
pub(in crate::relay) async fn dial_ended(
    tx: &mut Tx,
    source: Source<'_>,
    event: &DialEnded,
    given: &Given,
) -> Result<Answer, Error> {
    let (told, at) = (Told::Dialled(event), (&event.leg, event.turn));
    if let Some(answer) = script::go_on(tx, source, at, told, given).await? {
        return Ok(answer);
    }
    let carrier = source.carrier;
    let Some(live) = live(tx, carrier, &event.leg).await? else {
        return Ok(Answer::Plan(Plan::Hangup));
    };
    let Live { account, leg, session, now, open } = live;
    let legs = legs::of_interaction(tx, &account, &leg.interaction).await?;
    let rung: Vec<Leg> = legs
        .into_iter()
        .filter(|other| other.id != leg.id && other.state != CallState::Queued.as_str())
        .collect();
    // Where each is a call of their own, whose end was told already, who is left was rung since: the same
    // is told again.
    let again = source.adapter.is_some_and(is_commanded) && rung.iter().any(|leg| !is_over(leg));
    let connected = !again && settle_rung(tx, &account, &rung, event, now).await?;
    // Somebody agreed and was not connected: nobody else is, and nothing else heard, while it may be recorded.
    let taped =
        !connected && !again && recording::was_begun(tx, &account, &leg.interaction, now).await?;
    let ended = event.state == CallState::Completed || event.caller_gone || !open || taped;
    if let Some(session) = session.as_ref().filter(|_| !ended) {
        let service = service_of(tx, &account, session).await?;
        let country = country_of(tx, &leg).await?;
        let step = Step {
            account: &account,
            service: &service,
            session,
            caller: &leg,
            country: &country,
            first: false,
            at_once: at_once(source.adapter),
            now,
        };
        let plan = if again { ring_again(tx, step, rung).await? } else { next(tx, step).await? };
        if let Some(plan) = plan {
            return Ok(Answer::Plan(plan));
        }
    }
    if again {
        return Ok(Answer::Ack);
    }
    let interaction = leg.interaction.clone();
    let why =
        (event.caller_gone && event.state != CallState::Completed).then_some(Reason::CallerHungUp);
    let ending = Ending { why, duration: event.duration, connected };
    end(tx, &account, &interaction, ending, now).await?;
    let left = session.filter(|_| !ended);
    let live = Live { account, leg, session: left, now, open };
    let plan = voicemail::offer(tx, source, &live).await?;
    Ok(Answer::Plan(plan.unwrap_or(Plan::Hangup)))
}

/// The same plan once more, unless its carrier has told that it rings somebody.
async fn ring_again(tx: &mut Tx, step: Step<'_>, rung: Vec<Leg>) -> Result<Option<Plan>, Error> {
    let left: Vec<Leg> = rung.into_iter().filter(|leg| !is_over(leg)).collect();
    if left.iter().any(|leg| leg.carrier_id.is_some()) {
        return Ok(None);
    }
    ring(tx, step, left).await
}

/// What the end of a dialling says of those who were rung; whether somebody was connected. Of
/// several the carrier does not say whom: whoever answered, or else their own news will tell.
pub(super) async fn settle_rung(
    tx: &mut Tx,
    account: &AccountId,
    rung: &[Leg],
    event: &DialEnded,
    now: Timestamp,
) -> Result<bool, Error> {
    let is_open = |leg: &&Leg| !CallState::parse(&leg.state).is_some_and(CallState::is_final);
    let open: Vec<&Leg> = rung.iter().filter(is_open).collect();
    let talked = |leg: &Leg| leg.state == CallState::Completed.as_str();
    let connected =
        event.state == CallState::Completed && (!open.is_empty() || rung.iter().any(talked));
    let known = rung.iter().any(|leg| leg.answered_at.is_some()) || rung.iter().any(talked);
    if connected && open.len() > 1 && !known {
        return Ok(true);
    }
    let hung_up = (event.caller_gone && !connected).then_some(Reason::CallerHungUp);
    for leg in &open {
        let other_talked = connected && open.len() > 1 && leg.answered_at.is_none();
        let state = if other_talked { CallState::Cancelled } else { event.state };
        let news = News {
            state,
            reason: hung_up.filter(|_| state == CallState::Cancelled),
            duration: event.duration.filter(|_| state == CallState::Completed),
            ..News::default()
        };
        settle(tx, account, (*leg).clone(), news, now).await?;
    }
    Ok(connected)
}

/// A call that we placed was answered: now the other side is rung.
pub(in crate::relay) async fn placed_answered(
    tx: &mut Tx,
    source: Source<'_>,
    event: &PlacedCallAnswered,
) -> Result<Answer, Error> {
    let Source { carrier, adapter, .. } = source;
    let hangup = Answer::Plan(Plan::Hangup);
    let Some(live) = live(tx, carrier, &event.leg).await? else { return Ok(hangup) };
    let ours = live.leg.session.is_none() && live.leg.direction == Direction::Outbound;
    if ours && !is_over(&live.leg) {
        let id = event.id.clone();
        let news = News { state: CallState::Answered, carrier_id: Some(id), ..News::default() };
        settle(tx, &live.account, live.leg.clone(), news, live.now).await?;
        return verifications::answered(tx, &live).await;
    }
    if !live.open || live.leg.position != 0 {
        return Ok(hangup);
    }
    let Live { account, leg, session: Some(session), now, .. } = live else { return Ok(hangup) };
    let news =
        News { state: CallState::Answered, carrier_id: Some(event.id.clone()), ..News::default() };
    settle(tx, &account, leg.clone(), news, now).await?;
    let service = service_of(tx, &account, &session).await?;
    let country = country_of(tx, &leg).await?;
    let step = Step {
        account: &account,
        service: &service,
        session: &session,
        caller: &leg,
        country: &country,
        first: true,
        at_once: at_once(adapter),
        now,
    };
    if recording::asks(source, &service.rules, &session) {
        let of = (&account, &service, &session);
        let plan = recording::ask_first(tx, of, &leg, &country, now).await?;
        return Ok(Answer::Plan(plan));
    }
    Ok(next(tx, step).await?.map_or(hangup, Answer::Plan))
}
