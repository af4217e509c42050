//! Texts that are a word for the relay: heeded, answered once, never passed on.

use std::time::Duration;

use super::{
    opt_out::{self, Whose},
    refused::{self, Owing},
};
use crate::relay::{
    error::Error,
    inbound::{Event, Refused, Route},
    reports,
    sessions::blocking,
};
use crate::{
    domain::{
        interaction::Reason,
        keyword::{self, Keyword, Place, Tongue},
        message::Body,
        opt_out::{self as words, Scope, StopWords},
        phone::{Caller, Strictness},
        policy::{Heeded, Rules, heeded_words},
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ParticipantId, ServiceId, SessionId},
    privacy::Person,
    store::{
        Tx,
        budgets::{self, Costly},
        legs::Leg,
        numbers::Number,
        participants,
    },
};

/// How often within [`ANSWERS_PER`] one person is answered such words on one number: enough for somebody who
/// changes their mind, and too few for two machines.
const ANSWERS_MAX: i64 = 6;
const ANSWERS_PER: Duration = Duration::from_hours(1);

/// Who wrote a text, and where.
#[derive(Debug)]
pub(in crate::relay) struct Who {
    pub(in crate::relay) account: AccountId,
    /// The number that they wrote to.
    pub(in crate::relay) number: NumberId,
    /// The one that they dial by now; the same for whoever was not moved off it.
    pub(in crate::relay) current: NumberId,
    service: ServiceId,
    /// The session that they are in there, or were in last.
    session: Option<SessionId>,
    participant: Option<ParticipantId>,
    role: Option<String>,
    /// Themselves, where they are known.
    pub(in crate::relay) person: Option<Person>,
    pub(in crate::relay) now: Timestamp,
}

impl Who {
    pub(in crate::relay) fn whose(&self) -> Whose<'_> {
        Whose {
            service: Some(&self.service),
            session: self.session.as_ref(),
            role: self.role.as_deref(),
        }
    }

    fn of(route: &Route) -> Option<Self> {
        match route {
            Route::Nowhere => None,
            Route::Refused(one) => {
                let (session, role) = one.last_session();
                Some(Self {
                    account: one.account.clone(),
                    number: one.number.id.clone(),
                    current: one.number.id.clone(),
                    service: one.service.id.clone(),
                    session: session.cloned(),
                    participant: one.last_participant().cloned(),
                    role: role.map(str::to_owned),
                    person: one.person().cloned(),
                    now: one.now,
                })
            }
            Route::To(one) => Some(Self {
                account: one.account.clone(),
                number: one.number.id.clone(),
                current: one.sender.number_id.clone(),
                service: one.service.id.clone(),
                session: Some(one.session.id.clone()),
                participant: Some(one.sender.id.clone()),
                role: Some(one.sender.role.clone()),
                person: Some(one.sender.person.clone()),
                now: one.now,
            }),
        }
    }
}

/// What somebody is answered who wrote such a word.
#[derive(Debug)]
pub(in crate::relay) struct Reply(String);

/// Heeds a text that is a word for the relay, whether or not its sender is in a session. What is not passed on
/// is refused, as [`Reason::StopWord`] or [`Reason::Keyword`], and may be answered.
pub(in crate::relay) async fn heed(
    tx: &mut Tx,
    event: Event<'_>,
    route: Route,
    said: &Body,
) -> Result<(Route, Option<Reply>), Error> {
    let (rules, number) = match &route {
        Route::Nowhere => return Ok((route, None)),
        Route::Refused(one) => (&one.service.rules, &one.number),
        Route::To(one) => (&one.service.rules, &one.number),
    };
    let rule = rules.stop_words;
    let strict = words::Keyword::of(said).filter(|_| rule != StopWords::Country);
    let Some(who) = Who::of(&route) else { return Ok((route, None)) };
    if let Some(keyword) = strict {
        opt_out::by_number(tx, &who, keyword, rule).await?;
        let heeded = rule == StopWords::Number && !keyword.is_relayed();
        let route = if heeded { refuse(tx, route, Reason::StopWord).await? } else { route };
        return Ok((route, None));
    }
    let Some(word) = keyword::plain(said) else { return Ok((route, None)) };
    let place = place(rules, number);
    let of_texts = || Keyword::of_texts(&word, place).filter(|_| rule == StopWords::Country);
    let of_contact = || Keyword::of_contact(&word, place).filter(|_| rules.block_words);
    let Some(keyword) = of_texts().or_else(of_contact) else { return Ok((route, None)) };
    let Some((reason, done)) = obey(tx, keyword, place, &who).await? else {
        return Ok((route, None));
    };
    let answered =
        event.adapter.is_some_and(|one| one.capabilities().answers.to(&word, &number.number));
    let reply = done
        .filter(|_| !answered && who.person.is_some() && is_answerable(event, number))
        .map(|what| Reply(answer(rules, place, what)));
    Ok((refuse(tx, route, reason).await?, reply))
}

fn place<'a>(rules: &'a Rules, number: &'a Number) -> Place<'a> {
    Place {
        plus_one: number.number.calling_code() == Some(1),
        country: &number.country,
        language: &rules.language,
    }
}

fn answer(rules: &Rules, place: Place<'_>, what: Heeded) -> String {
    if what == Heeded::Helped && !rules.help_text.is_empty() {
        return rules.help_text.clone();
    }
    heeded_words(&rules.brand, Tongue::spoken(place), what)
}

/// Not whoever has a number that we would not write to, nor by a number that can't.
fn is_answerable(event: Event<'_>, number: &Number) -> bool {
    let Caller::Number(sender) = event.from else { return false };
    number.capabilities.sms && sender.admit(Strictness::Possible).is_ok()
}

/// Does what a word asks for: why the text is not passed on, and what its sender is told, if anything. `None`
/// where there is nothing to do, and the text is one like any other.
async fn obey(
    tx: &mut Tx,
    keyword: Keyword,
    place: Place<'_>,
    who: &Who,
) -> Result<Option<(Reason, Option<Heeded>)>, Error> {
    let heeded = |what| Ok(Some((Reason::StopWord, what)));
    match (keyword, &who.person) {
        (Keyword::Stop, Some(person)) => {
            let scope = if place.plus_one {
                (Scope::Account, who.account.as_str())
            } else {
                (Scope::Service, who.service.as_str())
            };
            let new = opt_out::stop(tx, who, person, scope).await?;
            heeded(new.then_some(Heeded::Stopped { everywhere: place.plus_one }))
        }
        (Keyword::Start | Keyword::Unstop, Some(person)) => {
            let lifted = opt_out::start(tx, who, person, &who.number).await?;
            let moved =
                who.current != who.number && opt_out::start(tx, who, person, &who.current).await?;
            match (lifted || moved, keyword) {
                (true, _) => heeded(Some(Heeded::Started)),
                // Nothing was stopped: it may be meant for the other person.
                (false, Keyword::Start) => Ok(None),
                (false, _) => heeded(None),
            }
        }
        (Keyword::Stop | Keyword::Start | Keyword::Unstop, None) => heeded(None),
        (Keyword::Help, _) => Ok(Some((Reason::Keyword, Some(Heeded::Helped)))),
        (Keyword::Block | Keyword::Unblock | Keyword::Report, _) => contact(tx, keyword, who).await,
    }
}

/// Blocks or reports the other side of the session that somebody is in on that number, or was in last. `None`
/// if there is none.
async fn contact(
    tx: &mut Tx,
    keyword: Keyword,
    who: &Who,
) -> Result<Option<(Reason, Option<Heeded>)>, Error> {
    let (Some(session), Some(participant)) = (&who.session, &who.participant) else {
        return Ok(None);
    };
    let account = &who.account;
    let done = match keyword {
        Keyword::Block => blocking::by_person(tx, account, session, participant, true)
            .await
            .map(|new| new.then_some(Heeded::Blocked)),
        Keyword::Unblock => blocking::by_person(tx, account, session, participant, false)
            .await
            .map(|new| new.then_some(Heeded::Unblocked)),
        _ => reports::by_person(tx, account, session, participant)
            .await
            .map(|new| new.then_some(Heeded::Reported)),
    };
    match done {
        Ok(what) => Ok(Some((Reason::Keyword, what))),
        // The session was deleted.
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lets nobody be put through by a text that was heeded.
async fn refuse(tx: &mut Tx, route: Route, reason: Reason) -> Result<Route, Error> {
    Ok(match route {
        Route::To(routed) => {
            // As much is read as of whoever is put through to nobody: how long it takes must not
            // tell who is in a session here (I5).
            let (account, number) = (&routed.account, &routed.number.id);
            participants::last_session(tx, account, &routed.sender.person, number).await?;
            Route::Refused(Box::new(routed.refuse(reason)))
        }
        Route::Refused(mut refused) => {
            refused.reason = reason;
            Route::Refused(refused)
        }
        Route::Nowhere => Route::Nowhere,
    })
}

/// Owes the answer to a word that was heeded, on a leg of the refused text. It goes out whether or not its
/// recipient wants texts: it is what they asked for.
pub(in crate::relay) async fn reply(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    leg: &Leg,
    reply: Option<Reply>,
) -> Result<(), Error> {
    let (Some(Reply(words)), Caller::Number(to)) = (reply, event.from) else { return Ok(()) };
    let (asker, now) = (refused.asker(), refused.now);
    if budgets::take(tx, asker, Costly::Keyword, ANSWERS_MAX, ANSWERS_PER, now).await? {
        let owing = Owing { position: 1, to, words: &words, asked_for: true };
        refused::owe(tx, refused, leg, owing).await?;
    }
    Ok(())
}
