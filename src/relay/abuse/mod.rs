//! What holds abuse and cost in bounds: whom a call or text may reach, how much of it there may be, and what stops
//! machines that answer each other.
//!
//! A text takes two statements more: one counts on three rows and more, and one compares it with the session's last.

mod calls;
mod probe;
mod traffic;

pub use self::traffic::lift_pause;
pub(super) use self::{
    calls::{answered, began, call, left, over, placed},
    probe::probed,
};

use std::time::Duration;

use serde_json::json;

use super::{
    consult::Given,
    error::Error,
    inbound::Routed,
    messages::{NewText, tell_participant},
};
use crate::{
    domain::{
        abuse::{self, Bounds, Limit, Limits, Unreachable, Window},
        event::EventKind,
        interaction::{Kind, Reason},
        message::Body,
        phone::{Identifier, Strictness},
        policy::{self, Rules},
        time::Timestamp,
    },
    ids::AccountId,
    privacy::Person,
    store::{
        Tx, accounts, echoes, events,
        events::Place,
        participants::Participant,
        pauses::{self, Pause, PauseScope, PauseWhy},
        probes::{self, Alert},
        services::Service,
        sessions::Session,
        tallies::{self, Subject, Tally, What},
    },
    telemetry::metrics,
};

/// Texts that are further apart are no answers of machines.
const ECHO_FRESH: Duration = Duration::from_mins(10);

/// Whether a leg may be placed to this number: the gate, and the countries of installation and service.
///
/// # Errors
/// The reason that its leg ends with.
pub(super) fn gate(tx: &Tx, rules: &Rules, number: &Identifier) -> Result<(), Reason> {
    let reached = tx.bounds().reaches(&rules.countries, number, Strictness::Possible);
    reached.map_err(|unreachable| match unreachable {
        Unreachable::Number(_) => Reason::NumberNotAllowed,
        Unreachable::Country => Reason::CountryNotAllowed,
    })
}

/// How long something is held back.
fn pause_length(bounds: &Bounds) -> Duration {
    Duration::from_mins(u64::from(bounds.limits.get(Limit::PauseMinutes).max(1)))
}

/// Leaves those of the recipients whom it may reach, and says in which rows it counts for them; the reason where
/// nobody is left.
async fn reachable(
    tx: &mut Tx,
    routed: &mut Routed,
    kind: Kind,
    given: &Given,
) -> Result<Result<Vec<Subject>, Reason>, Error> {
    let keys = accounts::keys(tx, &routed.account).await?;
    let (mut kept, mut subjects, mut why) = (Vec::new(), Vec::new(), Reason::NoPartner);
    let key = routed.session.data_key(tx).ok();
    for one in std::mem::take(&mut routed.recipients) {
        // What can't be read is left to whoever has to read it (I32).
        let Some(number) = key.as_ref().and_then(|key| one.identifier(key).ok()) else {
            kept.push(one);
            continue;
        };
        let prefix = keys.index.prefix(&number.canonical());
        match gate(tx, &routed.service.rules, &number) {
            Err(reason) => why = reason,
            Ok(()) if given.spending.pauses(&routed.account, kind, &prefix) => {
                why = Reason::TrafficPaused;
            }
            Ok(()) => {
                subjects
                    .push(Subject { prefix, ..Subject::new(What::to(kind), one.person.as_str()) });
                kept.push(one);
            }
        }
    }
    routed.recipients = kept;
    Ok(if routed.recipients.is_empty() { Err(why) } else { Ok(subjects) })
}

/// Which limits a person and a session have, and over which time.
const LIMITS: &[(What, Whose, Window, Limit)] = &[
    (What::Texts, Whose::Pair, Window::Half, Limit::PairTexts),
    (What::Texts, Whose::Person, Window::Hour, Limit::PersonTextsHour),
    (What::Texts, Whose::Person, Window::Day, Limit::PersonTextsDay),
    (What::Calls, Whose::Pair, Window::Hour, Limit::PairCalls),
    (What::Calls, Whose::Person, Window::Hour, Limit::PersonCallsHour),
    (What::Calls, Whose::Person, Window::Day, Limit::PersonCallsDay),
    (What::Sessions, Whose::Person, Window::Hour, Limit::PersonSessionsHour),
    (What::Sessions, Whose::Person, Window::Day, Limit::PersonSessionsDay),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Pair,
    Person,
}

/// The longest window in which something is above its limit.
fn exceeded(tallies: &[Tally], own: &Limits, bounds: &Bounds, pair: &str) -> Option<Window> {
    let mut found = None;
    for (what, whose, window, limit) in LIMITS {
        let most = u64::from(own.within(&bounds.limits, *limit));
        let above = |tally: &&Tally| {
            let of = if tally.subject == pair { Whose::Pair } else { Whose::Person };
            tally.what == *what && of == *whose && tally.within(*window) > most
        };
        if most > 0 && tallies.iter().any(|tally| above(&tally)) {
            found = Some(*window);
        }
    }
    found
}

/// Counts a text of a person that is put through. The reason why it is not, where it is above a limit, may reach
/// nobody, or is the answer of a machine to a machine.
pub(super) async fn text(
    tx: &mut Tx,
    routed: &mut Routed,
    said: &Body,
    given: &Given,
) -> Result<Option<Reason>, Error> {
    let to = match reachable(tx, routed, Kind::Message, given).await? {
        Ok(subjects) => subjects,
        Err(reason) => return Ok(Some(reason)),
    };
    let mut subjects = to.clone();
    let pair = routed.session.id.as_str().to_owned();
    subjects.push(Subject::new(What::Texts, routed.sender.person.as_str()));
    subjects.push(Subject::new(What::Texts, &*pair));
    let tallies = tallies::count(tx, &routed.account, subjects, routed.now).await?;
    let bounds = tx.bounds();
    let reason = match exceeded(&tallies, &routed.service.rules.limits, &bounds, &pair) {
        Some(_) => Some(Reason::RateLimited),
        None => echoed(tx, routed, said, &bounds).await?,
    };
    if reason.is_some() {
        // It reaches nobody: whoever floods a session does not fill their account's hour.
        tallies::uncount(tx, &routed.account, &to).await?;
    }
    Ok(reason)
}

/// Whether a text is held back since two machines answer each other; from this one on, if it makes that plain.
async fn echoed(
    tx: &mut Tx,
    routed: &Routed,
    said: &Body,
    bounds: &Bounds,
) -> Result<Option<Reason>, Error> {
    /// Of so few texts nobody could tell anything.
    const FEWEST: i64 = 3;
    let most = routed.service.rules.limits.within(&bounds.limits, Limit::LoopTexts);
    if most == 0 {
        return Ok(None);
    }
    let (account, session, now) = (&routed.account, &routed.session.id, routed.now);
    let keys = accounts::keys(tx, account).await?;
    let hash = abuse::echo(said).map(|letters| keys.index.echo(&letters)).unwrap_or_default();
    let text = (routed.sender.role.as_str(), hash.as_str());
    let heard = echoes::hear(tx, account, session, text, [now, now - ECHO_FRESH]).await?;
    if heard.paused_until > now {
        return Ok(Some(Reason::LoopStopped));
    }
    // The first two of them were nobody's repeat.
    if heard.run + 2 < i64::from(most).max(FEWEST) {
        return Ok(None);
    }
    let until = now + pause_length(bounds);
    let pause = Pause {
        account: account.clone(),
        id: tx.id_at(now),
        scope: PauseScope::Session,
        kind: Kind::Message,
        subject: session.as_str().to_owned(),
        why: PauseWhy::Loop,
        slot: now.millis(),
        since: now,
        until,
        lifted_at: None,
    };
    pauses::begin(tx, &pause).await?;
    echoes::pause(tx, account, session, until).await?;
    let place = Place { service: None, session: Some(session), interaction: None };
    let data = json!({ "pause_id": pause.id, "until": until.rfc3339() }).to_string();
    events::insert(tx, account, EventKind::SessionLooped, place, &data, now).await?;
    tx.on_commit(|| metrics::abuse("loop"));
    Ok(Some(Reason::LoopStopped))
}

/// Tells whoever wrote too much so, once an hour, where their service says so.
pub(super) async fn tell(
    tx: &mut Tx,
    (account, service): (&AccountId, &Service),
    (session, sender): (&Session, &Participant),
    country: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let rules = &service.rules;
    if !rules.tell_limits {
        return Ok(());
    }
    let subject = format!("{}:{}", Window::Hour.place(now), sender.person);
    if !probes::is_news(tx, account, Alert::Limited, &subject, now).await? {
        return Ok(());
    }
    let words = policy::limited_words(&rules.brand, policy::language(rules, country));
    let text = NewText::words(Body::new(words));
    tell_participant(tx, account, &session.id, &sender.id, &text).await
}

/// Refuses what the marketplace asks for while an account's texts or calls are held back, all of them or those to
/// that prefix.
///
/// # Errors
/// [`Error::RateLimited`].
pub(super) fn unpaused(
    paused: &[Pause],
    (account, kind): (&AccountId, Kind),
    prefix: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let holds = |pause: &&Pause| {
        pause.account == *account
            && pause.kind == kind
            && (pause.scope == PauseScope::Account || pause.subject == prefix)
    };
    match paused.iter().find(holds) {
        Some(pause) => Err(Error::RateLimited(pause.until.since(now))),
        None => Ok(()),
    }
}

/// Counts what the marketplace asks for in a session, as what people do in it.
///
/// # Errors
/// [`Error::RateLimited`] above a limit, and while traffic is held back; [`Error::NumberInUse`] never.
pub(super) async fn asked(
    tx: &mut Tx,
    account: &AccountId,
    (session, rules): (&Session, &Rules),
    kind: Kind,
    (by, to): (Option<&Participant>, &[Participant]),
    now: Timestamp,
) -> Result<Vec<Tally>, Error> {
    let keys = accounts::keys(tx, account).await?;
    let (key, bounds) = (session.data_key(tx)?, tx.bounds());
    let paused = pauses::wide(tx, now).await?;
    let mut subjects = vec![Subject::new(What::of(kind), session.id.as_str())];
    subjects.extend(by.map(|one| Subject::new(What::of(kind), one.person.as_str())));
    for one in to {
        let prefix = keys.index.prefix(&one.identifier(&key)?.canonical());
        unpaused(&paused, (account, kind), &prefix, now)?;
        subjects.push(Subject { prefix, ..Subject::new(What::to(kind), one.person.as_str()) });
    }
    let tallies = tallies::count(tx, account, subjects, now).await?;
    match exceeded(&tallies, &rules.limits, &bounds, session.id.as_str()) {
        Some(window) => Err(Error::RateLimited(window.next(now).since(now))),
        None => Ok(tallies),
    }
}

/// Counts people who join a session.
///
/// # Errors
/// [`Error::RateLimited`] where one has joined as many as they may.
pub(super) async fn joins(
    tx: &mut Tx,
    account: &AccountId,
    rules: &Rules,
    persons: &[Person],
    now: Timestamp,
) -> Result<(), Error> {
    let bounds = tx.bounds();
    let bounded = [Limit::PersonSessionsHour, Limit::PersonSessionsDay]
        .into_iter()
        .any(|limit| rules.limits.within(&bounds.limits, limit) > 0);
    if persons.is_empty() || !bounded {
        return Ok(());
    }
    let subjects = persons.iter().map(|one| Subject::new(What::Sessions, one.as_str())).collect();
    let tallies = tallies::count(tx, account, subjects, now).await?;
    match exceeded(&tallies, &rules.limits, &bounds, "") {
        Some(window) => {
            metrics::abuse("sessions");
            Err(Error::RateLimited(window.next(now).since(now)))
        }
        None => Ok(()),
    }
}
