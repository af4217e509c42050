//! People who want no more texts, and say so by a word of their own: heeded, never passed on.

use crate::relay::{error::Error, inbound::Route};
use crate::{
    domain::{
        interaction::Reason,
        message::Body,
        opt_out::{Keyword, Scope, StopWords},
        phone::Identifier,
        time::Timestamp,
    },
    ids::{AccountId, NumberId},
    privacy::Person,
    store::{
        Tx, accounts,
        legs::Leg,
        numbers,
        opt_outs::{self, OptOut},
        participants,
    },
};

/// Heeds a text that is one of the words, whether or not its sender is in a session: the number may
/// be theirs in another one later. What is not passed on is refused as [`Reason::StopWord`].
pub(in crate::relay) async fn heed(tx: &mut Tx, route: Route, said: &Body) -> Result<Route, Error> {
    let Some(keyword) = Keyword::of(said) else { return Ok(route) };
    let (account, number, service, person, now) = match &route {
        Route::Nowhere => return Ok(route),
        Route::Refused(one) => (&one.account, &one.number, &one.service, one.person(), one.now),
        Route::To(one) => {
            (&one.account, &one.number, &one.service, Some(&one.sender.person), one.now)
        }
    };
    // Whoever was moved off the number gets their texts from another one. For everybody else it is
    // written twice: how long it takes must not tell who is in a session (I5).
    let current = match &route {
        Route::To(one) => &one.sender.number_id,
        Route::Nowhere | Route::Refused(_) => &number.id,
    };
    let binds = service.rules.stop_words == StopWords::Number;
    // Who wants texts again gets them, also if the service's rule has changed since they stopped.
    if let Some(person) = person.filter(|_| binds || !keyword.opts_out()) {
        write(tx, account, &number.id, person, keyword, now).await?;
        write(tx, account, current, person, keyword, now).await?;
    }
    if !binds || keyword.is_relayed() {
        return Ok(route);
    }
    Ok(match route {
        Route::To(routed) => {
            // As much is read as of whoever is put through to nobody: how long it takes must not
            // tell who is in a session here (I5).
            let (account, number) = (&routed.account, &routed.number.id);
            participants::last_session(tx, account, &routed.sender.person, number).await?;
            Route::Refused(Box::new(routed.refuse(Reason::StopWord)))
        }
        Route::Refused(mut refused) => {
            refused.reason = Reason::StopWord;
            Route::Refused(refused)
        }
        Route::Nowhere => Route::Nowhere,
    })
}

async fn write(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    person: &Person,
    keyword: Keyword,
    now: Timestamp,
) -> Result<(), Error> {
    let one = OptOut { account, person, scope: Scope::Number, value: number.as_str() };
    if keyword.opts_out() {
        opt_outs::insert(tx, one, now).await?;
    } else {
        opt_outs::delete(tx, one).await?;
    }
    Ok(())
}

/// Lets an opt-out from a number hold for another one that somebody dials instead of it.
pub(in crate::relay) async fn carry_opt_out(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    [from, to]: [&NumberId; 2],
    now: Timestamp,
) -> Result<(), Error> {
    if unwanted(tx, account, from, person).await? {
        let one = OptOut { account, person, scope: Scope::Number, value: to.as_str() };
        opt_outs::insert(tx, one, now).await?;
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
    let one = OptOut { account, person, scope: Scope::Number, value: number.as_str() };
    Ok(opt_outs::exists(tx, one).await?)
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
