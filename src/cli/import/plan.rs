//! What is to be made here of what Twilio has: the same ids, names, people and numbers; and what
//! stands in the way. Faults name ids, never a person's number.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use super::source::{Number, Participant, Service, Session};
use crate::{
    carrier::number::{Rented, abilities},
    domain::{
        phone::{Canonical, Identifier, ProxyNumber, Strictness},
        policy::{GeoMatch, OnInterceptFailure, ProxyRules, Rules, Selection},
        session::{Lifetime, Mode, State},
        time::Timestamp,
    },
    ids::{NumberId, ParticipantId, ServiceId, SessionId},
    relay::{AdoptNumber, AdoptParticipant, AdoptService, AdoptSession},
};

/// A service with all that belongs to it, as it was read.
pub(super) struct Found {
    pub(super) id: ServiceId,
    pub(super) service: Service,
    pub(super) numbers: Vec<Number>,
    pub(super) sessions: Vec<(Session, Vec<Participant>)>,
}

/// A service with all that is made of it.
pub(super) struct Planned {
    pub(super) service: AdoptService,
    pub(super) numbers: Vec<AdoptNumber>,
    pub(super) sessions: Vec<AdoptSession>,
}

/// What was read of one service, judged: everything that is wrong at once.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) faults: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Whether a session is taken along: it is live, or its numbers still rest.
pub(super) fn concerns_us(session: &Session, quarantine: Duration, now: Timestamp) -> bool {
    session.status != "closed"
        || session.date_ended.as_deref().and_then(time).is_some_and(|at| at + quarantine > now)
}

/// An instant as Twilio words it.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

/// The rules of a service that comes from Twilio: as it has them there, with quarantine besides.
pub(super) fn rules(service: &Service, brand: &str, people_max: u32) -> Rules {
    let new = Rules::of_twilio_proxy(brand.to_owned());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Rules {
        default_ttl: Duration::from_secs(service.default_ttl.unwrap_or(0)),
        participants_max: people_max.max(new.participants_max),
        geo_match: match service.geo_match_level.as_deref() {
            Some("area-code") => GeoMatch::AreaCode,
            Some("overlay") => GeoMatch::Overlay,
            Some("extended-area-code") => GeoMatch::ExtendedAreaCode,
            Some("radius") => GeoMatch::Radius,
            _ => GeoMatch::Country,
        },
        selection: match service.number_selection_behavior.as_deref() {
            Some("avoid-sticky") => Selection::AvoidSticky,
            _ => Selection::PreferSticky,
        },
        // Whoever is in a session there is in it here, whatever a directory says of their number.
        identifier_check: Strictness::Possible,
        proxy: ProxyRules {
            callback_url: text(&service.callback_url),
            intercept_callback_url: text(&service.intercept_callback_url),
            out_of_session_callback_url: text(&service.out_of_session_callback_url),
            chat_instance_sid: text(&service.chat_instance_sid),
            on_intercept_failure: OnInterceptFailure::Continue,
        },
        ..new
    }
}

/// Makes the plan of one service.
pub(super) fn plan(
    found: &Found,
    brand: &str,
    carrier: &str,
    now: Timestamp,
    judged: &mut Judged,
) -> Planned {
    let mut numbers = Vec::new();
    let mut pool: BTreeMap<NumberId, ProxyNumber> = BTreeMap::new();
    for one in &found.numbers {
        match number(one, &found.id, carrier) {
            Ok(number) => {
                pool.insert(number.id.clone(), number.number.clone());
                numbers.push(number);
            }
            Err(why) => judged.faults.push(format!("number {}: {why}", one.sid)),
        }
    }
    let by_digits: BTreeMap<&str, &NumberId> =
        pool.iter().map(|(id, number)| (number.as_str(), id)).collect();
    let mut sessions = Vec::new();
    for (session, people) in &found.sessions {
        match adopt(session, people, &found.id, &pool, &by_digits, now) {
            Ok(session) => sessions.push(session),
            Err(faults) => judged
                .faults
                .extend(faults.into_iter().map(|why| format!("session {}: {why}", session.sid))),
        }
    }
    // Those that are open first: a pair that two of them want is a fault, one that rests is not.
    sessions.sort_by_key(|one| one.state == State::Closed);
    judge_pairs(&sessions, judged);
    judge_pool(found, &sessions, judged);
    let people_max = sessions
        .iter()
        .map(|one| one.participants.iter().filter(|who| who.removed_at.is_none()).count())
        .max()
        .unwrap_or(0);
    if rules(&found.service, "", 2).proxy.urls().into_iter().any(|url| !url.is_empty()) {
        judged.warnings.push(format!(
            "service {}: its callbacks are called from here, signed with this account's auth token \
             (docs/twilio-proxy.md)",
            found.id
        ));
    }
    let rules = rules(&found.service, brand, u32::try_from(people_max).unwrap_or(u32::MAX));
    let unique_name = found.service.unique_name.clone();
    let service = AdoptService { id: found.id.clone(), unique_name, rules };
    Planned { service, numbers, sessions }
}

fn number(one: &Number, service: &ServiceId, carrier: &str) -> Result<AdoptNumber, String> {
    let can = abilities(|name| one.capabilities.get(name).and_then(Value::as_bool) == Some(true));
    if !can.voice && !can.sms && !can.mms {
        return Err("it can neither speak nor text".into());
    }
    let number = ProxyNumber::parse(&one.digits).map_err(|error| error.to_string())?;
    let name = one.friendly_name.as_deref().unwrap_or_default();
    Ok(AdoptNumber {
        id: NumberId::parse(&one.sid).map_err(|_| "its SID is none".to_owned())?,
        service: service.clone(),
        friendly_name: Rented::name(name, &number),
        number,
        carrier: carrier.to_owned(),
        capabilities: can,
        reserved: one.is_reserved,
    })
}

fn adopt(
    session: &Session,
    people: &[Participant],
    service: &ServiceId,
    pool: &BTreeMap<NumberId, ProxyNumber>,
    by_digits: &BTreeMap<&str, &NumberId>,
    now: Timestamp,
) -> Result<AdoptSession, Vec<String>> {
    let mut faults = Vec::new();
    let mut participants = Vec::new();
    for one in people {
        match participant(one, pool, by_digits, now) {
            Ok(one) => participants.push(one),
            Err(why) => faults.push(format!("participant {}: {why}", one.sid)),
        }
    }
    // In the order in which they were added.
    participants.sort_by_key(|one| one.created_at);
    let id = SessionId::parse(&session.sid);
    let state = match &*session.status {
        "open" => Some(State::Open),
        "in-progress" => Some(State::InProgress),
        "closed" => Some(State::Closed),
        _ => None,
    };
    let mode = session.mode.as_deref().map_or(Some(Mode::VoiceAndMessage), Mode::parse);
    if id.is_err() {
        faults.push("its SID is none".into());
    }
    if state.is_none() || mode.is_none() {
        faults.push("its status or mode is none that we know".into());
    }
    let at = |text: &Option<String>| text.as_deref().and_then(time);
    match (id, state, mode) {
        (Ok(id), Some(state), Some(mode)) if faults.is_empty() => Ok(AdoptSession {
            id,
            service: service.clone(),
            unique_name: session.unique_name.clone().filter(|name| !name.is_empty()),
            mode,
            lifetime: Lifetime {
                ttl: Duration::from_secs(session.ttl.unwrap_or(0)),
                date_expiry: at(&session.date_expiry),
            },
            state,
            created_at: at(&session.date_created).unwrap_or(now),
            started_at: at(&session.date_started),
            ended_at: at(&session.date_ended),
            last_interaction_at: at(&session.date_last_interaction),
            participants,
        }),
        _ => Err(faults),
    }
}

fn participant(
    one: &Participant,
    pool: &BTreeMap<NumberId, ProxyNumber>,
    by_digits: &BTreeMap<&str, &NumberId>,
    now: Timestamp,
) -> Result<AdoptParticipant, String> {
    let identifier = Identifier::parse(&one.identifier)
        .map_err(|_| "the identifier is no telephone number; other channels are not relayed")?;
    let by_id = one.proxy_identifier_sid.as_deref().and_then(|sid| NumberId::parse(sid).ok());
    let number = by_id
        .filter(|id| pool.contains_key(id))
        .or_else(|| by_digits.get(one.proxy_identifier.as_deref()?).map(|id| (*id).clone()))
        .ok_or("the proxy number is not of the service's pool")?;
    let at = |text: &Option<String>| text.as_deref().and_then(time);
    Ok(AdoptParticipant {
        id: ParticipantId::parse(&one.sid).map_err(|_| "the SID is none")?,
        identifier,
        name: one.friendly_name.clone().filter(|name| !name.is_empty()),
        number,
        created_at: at(&one.date_created).unwrap_or(now),
        removed_at: at(&one.date_deleted),
    })
}

/// A person on a number means one live session: where Twilio has two, nobody can say which is meant.
fn judge_pairs(sessions: &[AdoptSession], judged: &mut Judged) {
    let mut taken: BTreeMap<(Canonical, &NumberId), (&SessionId, &ParticipantId)> = BTreeMap::new();
    for session in sessions.iter().filter(|one| one.state != State::Closed) {
        for who in session.participants.iter().filter(|who| who.removed_at.is_none()) {
            let pair = (who.identifier.canonical(), &who.number);
            if let Some((other, twin)) = taken.insert(pair, (&session.id, &who.id)) {
                judged.faults.push(format!(
                    "participants {twin} of session {other} and {} of session {} are one person on \
                     one number ({}): close one of the sessions at Twilio",
                    who.id, session.id, who.number
                ));
            }
        }
    }
}

/// Numbers rest here after a session; Twilio gives them away at once. A pool that is just enough
/// there may be too small here.
fn judge_pool(found: &Found, sessions: &[AdoptSession], judged: &mut Judged) {
    let pool = found.numbers.iter().filter(|one| !one.is_reserved).count();
    let mut held: BTreeMap<Canonical, BTreeSet<&SessionId>> = BTreeMap::new();
    for session in sessions {
        for who in &session.participants {
            held.entry(who.identifier.canonical()).or_default().insert(&session.id);
        }
    }
    let most = held.values().map(BTreeSet::len).max().unwrap_or(0);
    // One more: the next session of whoever has the most.
    if most > 0 && most + 1 > pool {
        judged.warnings.push(format!(
            "service {}: somebody has {most} sessions that are open or were closed within the \
             quarantine, and the pool has {pool} numbers that are not reserved: add {}, or shorten \
             the service's quarantine",
            found.id,
            most + 1 - pool
        ));
    }
}
