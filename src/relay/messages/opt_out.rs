//! People who want no more texts: how they say so, what that reaches, and what is not sent to them.

use serde_json::json;

use super::keyword::Who;
use crate::relay::error::Error;
use crate::{
    domain::{
        event::EventKind,
        opt_out::{Keyword, Scope, Source, StopWords},
        phone::Identifier,
        time::Timestamp,
    },
    ids::{AccountId, NumberId, OptOutId, ServiceId, SessionId},
    privacy::Person,
    store::{
        Tx, accounts, events,
        events::Place,
        interactions,
        legs::Leg,
        numbers,
        opt_outs::{self, OptOut},
        participants, sessions,
    },
};

/// Heeds a word of Twilio Proxy's, whether or not its sender is in a session: the number may be theirs in
/// another one later.
pub(super) async fn by_number(
    tx: &mut Tx,
    who: &Who,
    keyword: Keyword,
    rule: StopWords,
) -> Result<(), Error> {
    // Who wants texts again gets them, also if the service's rule has changed since they stopped.
    let Some(person) =
        who.person.as_ref().filter(|_| rule == StopWords::Number || !keyword.opts_out())
    else {
        return Ok(());
    };
    // Whoever was moved off the number gets their texts from another one. For everybody else it is
    // written twice: how long it takes must not tell who is in a session (I5).
    for number in [&who.number, &who.current] {
        if keyword.opts_out() {
            stop(tx, who, person, (Scope::Number, number.as_str())).await?;
        } else {
            start(tx, who, person, number).await?;
        }
    }
    Ok(())
}

/// Opts somebody out by their own word; whether that is new.
pub(super) async fn stop(
    tx: &mut Tx,
    who: &Who,
    person: &Person,
    (scope, value): (Scope, &str),
) -> Result<bool, Error> {
    let one = OptOut { account: &who.account, person, scope, value };
    let Some(id) = opt_outs::insert(tx, one, Source::Person, who.now).await? else {
        return Ok(false);
    };
    let told = Told { id: &id, scope, source: Source::Person, value };
    tell(tx, EventKind::PersonOptedOut, &who.account, who.whose(), told, who.now).await?;
    Ok(true)
}

/// Takes back whatever keeps texts of that number from somebody who wants them again, but for what they
/// told the marketplace; whether there was anything.
pub(super) async fn start(
    tx: &mut Tx,
    who: &Who,
    person: &Person,
    number: &NumberId,
) -> Result<bool, Error> {
    let lifted = opt_outs::lift(tx, &who.account, person, number).await?;
    for one in &lifted {
        let told =
            Told { id: &one.id, scope: one.scope, source: Source::Person, value: &one.value };
        tell(tx, EventKind::PersonOptedIn, &who.account, who.whose(), told, who.now).await?;
    }
    Ok(!lifted.is_empty())
}

/// Where somebody was, and as whom, who wants texts no more, or again.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::relay) struct Whose<'a> {
    pub(in crate::relay) service: Option<&'a ServiceId>,
    pub(in crate::relay) session: Option<&'a SessionId>,
    pub(in crate::relay) role: Option<&'a str>,
}

/// What the marketplace is told of an opt-out.
#[derive(Debug, Clone, Copy)]
pub(in crate::relay) struct Told<'a> {
    pub(in crate::relay) id: &'a OptOutId,
    pub(in crate::relay) scope: Scope,
    pub(in crate::relay) source: Source,
    pub(in crate::relay) value: &'a str,
}

/// Tells the marketplace: ids and a role, no number.
pub(in crate::relay) async fn tell(
    tx: &mut Tx,
    kind: EventKind,
    account: &AccountId,
    whose: Whose<'_>,
    told: Told<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let number = (told.scope == Scope::Number).then_some(told.value);
    let data = json!({
        "opt_out_id": told.id, "scope": told.scope.as_str(), "source": told.source.as_str(),
        "number_id": number, "role": whose.role,
    });
    let service = match told.scope {
        Scope::Service => ServiceId::parse(told.value).ok(),
        Scope::Number | Scope::Account => None,
    };
    let place = Place {
        service: whose.service.or(service.as_ref()),
        session: whose.session,
        interaction: None,
    };
    if whose.session.is_none() {
        // An event of a session is counted, and costs as much as this (I5).
        let nobody = tx.id_at(now);
        sessions::count_event(tx, account, &nobody).await?;
    }
    events::insert(tx, account, kind, place, &data.to_string(), now).await?;
    Ok(())
}

/// Takes over what a carrier says of the recipient of a text: they want none from that number.
pub(super) async fn import(
    tx: &mut Tx,
    account: &AccountId,
    leg: &Leg,
    now: Timestamp,
) -> Result<(), Error> {
    // The number may have changed hands since.
    let owner = numbers::owner(tx, &leg.number).await?;
    let Some((_, number)) = owner.filter(|(owner, _)| owner == account) else { return Ok(()) };
    let person = match &leg.participant {
        Some(id) => participants::get(tx, account, id).await?.map(|one| one.person),
        None => {
            interactions::get_any(tx, account, &leg.interaction).await?.and_then(|one| one.person)
        }
    };
    let Some(person) = person else { return Ok(()) };
    let value = number.id.as_str();
    let one = OptOut { account, person: &person, scope: Scope::Number, value };
    let Some(id) = opt_outs::insert(tx, one, Source::Carrier, now).await? else { return Ok(()) };
    let whose = Whose {
        service: Some(&number.service),
        session: leg.session.as_ref(),
        role: leg.role.as_deref(),
    };
    let told = Told { id: &id, scope: Scope::Number, source: Source::Carrier, value };
    tell(tx, EventKind::PersonOptedOut, account, whose, told, now).await
}

/// Lets an opt-out from a number hold for another one that somebody dials instead of it.
pub(in crate::relay) async fn carry_opt_out(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    [from, to]: [&NumberId; 2],
    now: Timestamp,
) -> Result<(), Error> {
    // One from the service's numbers, or all, holds without that.
    let scope = Scope::Number;
    if opt_outs::exists(tx, OptOut { account, person, scope, value: from.as_str() }).await? {
        let one = OptOut { account, person, scope, value: to.as_str() };
        opt_outs::insert(tx, one, Source::Person, now).await?;
    }
    Ok(())
}

/// Whether somebody wants no texts from this number.
pub(in crate::relay) async fn unwanted(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    person: &Person,
) -> Result<bool, Error> {
    Ok(opt_outs::binds(tx, account, person, number).await?)
}

/// The same of somebody who is in no session, for the number that the leg of their text has.
pub(in crate::relay) async fn unwanted_on(
    tx: &mut Tx,
    account: &AccountId,
    leg: &Leg,
    to: &Identifier,
) -> Result<bool, Error> {
    let person = accounts::keys(tx, account).await?.index.person(&to.canonical());
    unwanted_from(tx, account, leg, &person).await
}

/// Whether somebody wants no texts from the number that the leg of their text has.
pub(super) async fn unwanted_from(
    tx: &mut Tx,
    account: &AccountId,
    leg: &Leg,
    person: &Person,
) -> Result<bool, Error> {
    // Who has the number by now is asked below: it may have changed hands since.
    let Some((_, number)) = numbers::owner(tx, &leg.number).await? else { return Ok(false) };
    unwanted(tx, account, &number.id, person).await
}
