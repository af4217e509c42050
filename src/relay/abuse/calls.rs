//! Calls: how many at once, and for how long.

use std::time::Duration;

use super::{asked, exceeded, reachable};
use crate::{
    domain::{
        abuse::{Bounds, Limit, Window},
        interaction::{Kind, Reason},
        policy::Rules,
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, ParticipantId},
    privacy::Person,
    relay::{consult::Given, error::Error, inbound::Routed},
    store::{
        Tx, calls_open,
        interactions::Interaction,
        participants::{self, Participant},
        sessions::Session,
        tallies::{self, Subject, Tally, What},
    },
};

/// What a call takes beside its ringing until somebody answers: announcements, and carriers' own time.
const SPARE: Duration = Duration::from_mins(1);

/// Whether nothing is left of the minutes of a person or session.
fn spent(tallies: &[Tally], rules: &Rules, bounds: &Bounds, pair: &str) -> bool {
    tallies.iter().filter(|tally| tally.what == What::Calls).any(|tally| {
        let limit = if tally.subject == pair { Limit::PairMinutes } else { Limit::PersonMinutes };
        let most = u64::from(rules.limits.within(&bounds.limits, limit));
        most > 0 && tally.seconds >= most * 60
    })
}

/// Whether as many calls go on as may.
async fn busy(
    tx: &mut Tx,
    account: &AccountId,
    (session, rules): (&Session, &Rules),
    person: &Person,
    now: Timestamp,
) -> Result<bool, Error> {
    let bounds = tx.bounds();
    let most = [Limit::PairAtOnce, Limit::PersonAtOnce]
        .map(|limit| rules.limits.within(&bounds.limits, limit))
        .map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    if most == [0, 0] {
        return Ok(false);
    }
    let going_on = calls_open::going_on(tx, account, &session.id, person, now).await?;
    Ok(going_on.iter().zip(most).any(|(there, most)| most > 0 && *there >= most))
}

/// Counts a call of a person that is put through; the reason why it is not, where it is above a limit or may reach
/// nobody.
pub(in crate::relay) async fn call(
    tx: &mut Tx,
    routed: &mut Routed,
    given: &Given,
) -> Result<Option<Reason>, Error> {
    let to = match reachable(tx, routed, Kind::Call, given).await? {
        Ok(subjects) => subjects,
        Err(reason) => return Ok(Some(reason)),
    };
    let mut subjects = to.clone();
    let pair = routed.session.id.as_str().to_owned();
    subjects.push(Subject::new(What::Calls, routed.sender.person.as_str()));
    subjects.push(Subject::new(What::Calls, &*pair));
    // Whoever calls at the same time in another session waits here.
    let tallies = tallies::count(tx, &routed.account, subjects, routed.now).await?;
    let (bounds, rules) = (tx.bounds(), &routed.service.rules);
    let (session, person) = (&routed.session, &routed.sender.person);
    let reason = if exceeded(&tallies, &rules.limits, &bounds, &pair).is_some() {
        Some(Reason::RateLimited)
    } else if spent(&tallies, rules, &bounds, &pair) {
        Some(Reason::MinutesSpent)
    } else {
        let busy = busy(tx, &routed.account, (session, rules), person, routed.now).await?;
        busy.then_some(Reason::CallInProgress)
    };
    if reason.is_some() {
        tallies::uncount(tx, &routed.account, &to).await?;
    }
    Ok(reason)
}

/// The same of a call that the marketplace asks for.
///
/// # Errors
/// [`Error::RateLimited`], [`Error::CallInProgress`].
pub(in crate::relay) async fn placed(
    tx: &mut Tx,
    account: &AccountId,
    (session, rules): (&Session, &Rules),
    (first, others): (&Participant, &[Participant]),
    now: Timestamp,
) -> Result<(), Error> {
    let to: Vec<Participant> = std::iter::once(first).chain(others).cloned().collect();
    let tallies = asked(tx, account, (session, rules), Kind::Call, (Some(first), &to), now).await?;
    if spent(&tallies, rules, &tx.bounds(), session.id.as_str()) {
        return Err(Error::RateLimited(Window::Day.next(now).since(now)));
    }
    if busy(tx, account, (session, rules), &first.person, now).await? {
        return Err(Error::CallInProgress);
    }
    Ok(())
}

/// A call begins that rings so many people at most, one after the other.
pub(in crate::relay) async fn began(
    tx: &mut Tx,
    account: &AccountId,
    call: &InteractionId,
    (session, rules): (&Session, &Rules),
    (person, people): (&Person, usize),
    now: Timestamp,
) -> Result<(), Error> {
    let people = u32::try_from(people.max(1)).unwrap_or(u32::MAX);
    let until = now + SPARE + rules.ring_timeout.saturating_mul(people);
    let longest = rules.call_max + SPARE;
    calls_open::begin(tx, account, call, (&session.id, person), until, longest).await?;
    Ok(())
}

/// Somebody answered it.
pub(in crate::relay) async fn answered(
    tx: &mut Tx,
    account: &AccountId,
    call: &InteractionId,
    now: Timestamp,
) -> Result<(), Error> {
    Ok(calls_open::answered(tx, account, call, now).await?)
}

/// It is over, and they talked for so long.
pub(in crate::relay) async fn over(
    tx: &mut Tx,
    account: &AccountId,
    call: &Interaction,
    talked: Option<Duration>,
    now: Timestamp,
) -> Result<(), Error> {
    calls_open::end(tx, account, &call.id).await?;
    let (Some(session), Some(talked)) = (&call.session, talked) else { return Ok(()) };
    let seconds = i64::try_from(talked.as_secs()).unwrap_or(i64::MAX);
    tallies::add_seconds(tx, account, session.as_str(), seconds, now).await?;
    let person = match &call.person {
        Some(person) => Some(person.clone()),
        None => person_of(tx, account, call.from_participant.as_ref()).await?,
    };
    if let Some(person) = person {
        tallies::add_seconds(tx, account, person.as_str(), seconds, now).await?;
    }
    Ok(())
}

async fn person_of(
    tx: &mut Tx,
    account: &AccountId,
    who: Option<&ParticipantId>,
) -> Result<Option<Person>, Error> {
    let Some(who) = who else { return Ok(None) };
    Ok(participants::get(tx, account, who).await?.map(|one| one.person))
}

/// How long a call of that participant may still last by the minutes of the day: never less than a second.
pub(in crate::relay) async fn left(
    tx: &mut Tx,
    account: &AccountId,
    (session, rules): (&Session, &Rules),
    caller: Option<&ParticipantId>,
    now: Timestamp,
) -> Result<Duration, Error> {
    let bounds = tx.bounds();
    let mut left = Duration::MAX;
    let person = person_of(tx, account, caller).await?;
    let subjects = [
        (Limit::PairMinutes, Some(session.id.as_str())),
        (Limit::PersonMinutes, person.as_ref().map(Person::as_str)),
    ];
    for (limit, subject) in subjects {
        let most = u64::from(rules.limits.within(&bounds.limits, limit)) * 60;
        if let Some(subject) = subject.filter(|_| most > 0) {
            let talked = tallies::talked(tx, account, subject, now).await?;
            left = left.min(Duration::from_secs(most.saturating_sub(talked).max(1)));
        }
    }
    Ok(left)
}
