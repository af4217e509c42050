//! Phone numbers of a service: `/v1/Services/{Sid}/PhoneNumbers`.

use std::collections::HashMap;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    PoolLimits, Proxy, answer,
    at::{At, By},
    error::{About, Code, ELSEWHERE, FOREIGN, HERE, POOL_FULL, Refusal, fault, refusal},
    form::Form,
    nothing,
    paging::Asked,
    shown,
    wire::{date, or_null},
};
use crate::{
    carrier::number::Wanted,
    domain::{phone::ProxyNumber, pool::Capabilities},
    ids::{AccountId, NumberId, ServiceId},
    relay::{self, AdoptNumber, Error, LookedUp, NewNumber, UpdateNumber},
    store::{
        Tx, holds,
        numbers::{self, Number, NumberState},
    },
};

const ABOUT: About = About::Service;

fn wire(proxy: &Proxy, account: &AccountId, number: &Number, in_use: i64) -> Value {
    let Number { id, service, capabilities, .. } = number;
    json!({
        "sid": id,
        "account_sid": account,
        "service_sid": service,
        "phone_number": number.number.as_str(),
        "friendly_name": number.friendly_name.as_deref().unwrap_or(number.number.as_str()),
        "iso_country": or_null(number.country.clone()),
        "capabilities": {
            "sms": capabilities.sms,
            "mms": capabilities.mms,
            "voice": capabilities.voice,
            "fax": false,
        },
        "is_reserved": number.reserved,
        "in_use": in_use,
        "date_created": date(number.created_at),
        "date_updated": date(number.updated_at),
        "url": proxy.url(format_args!("/Services/{service}/PhoneNumbers/{id}")),
    })
}

/// The number with what its use tells.
async fn counted(
    tx: &mut Tx,
    proxy: &Proxy,
    account: &AccountId,
    number: &Number,
) -> Result<Value, Error> {
    let used = holds::sessions_on(tx, account, std::slice::from_ref(&number.id)).await?;
    Ok(wire(proxy, account, number, used.get(&number.id).copied().unwrap_or(0)))
}

/// The number of that address, unless it has left the pool.
async fn find(tx: &mut Tx, account: &AccountId, at: &At) -> Result<Number, Error> {
    let service = at.service(tx, account).await?.id;
    let number = numbers::get(tx, account, &at.number()?).await?;
    number
        .filter(|one| one.service == service && one.state != NumberState::Retired)
        .ok_or(Error::NotFound("number"))
}

pub(super) async fn list(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    asked: Asked,
) -> Result<Response, Refusal> {
    let account = &caller.account;
    let mut tx = proxy.relay().db().read().await?;
    let service = at.service(&mut tx, account).await.map_err(|error| refusal(error, ABOUT))?;
    let page = asked.fit(numbers::page(&mut tx, account, &service.id, &asked.page()).await?);
    let ids: Vec<NumberId> = page.rows.iter().map(|number| number.id.clone()).collect();
    let used: HashMap<NumberId, i64> = holds::sessions_on(&mut tx, account, &ids).await?;
    let page = page.map(|number| {
        let in_use = used.get(&number.id).copied().unwrap_or(0);
        (number.id.to_string(), wire(&proxy, account, &number, in_use))
    });
    Ok(asked.answer(&proxy, "phone_numbers", &page))
}

/// Refuses what has made a pool larger than it may be by numbers of that kind. Asked after the change:
/// of several at once each sees those before it.
async fn unless_full(
    tx: &mut Tx,
    proxy: &Proxy,
    account: &AccountId,
    number: &Number,
) -> Result<(), Error> {
    let (free, reserved) = numbers::counted(tx, account, &number.service).await?;
    let PoolLimits { numbers: most, reserved: most_reserved } = proxy.0.pool;
    let (there, most) = if number.reserved { (reserved, most_reserved) } else { (free, most) };
    if there > i64::from(most) { Err(fault(POOL_FULL)) } else { Ok(()) }
}

/// Which number is to be added.
#[derive(Debug, Clone)]
enum Named {
    /// By its SID, here or at the carrier.
    Sid(NumberId),
    /// By its digits.
    Digits(ProxyNumber),
}

/// A number that is in no inventory: where it is, and what it can do there.
#[derive(Debug, Clone)]
struct New {
    carrier: String,
    number: ProxyNumber,
    capabilities: Capabilities,
    /// The carrier's id and name of it.
    theirs: Option<(NumberId, Option<String>)>,
}

impl New {
    /// Asks the carriers for a number that the account does not have, outside any transaction.
    async fn find(proxy: &Proxy, named: &Named) -> Result<Self, Refusal> {
        let carriers = proxy.relay().carriers();
        let default = carriers.default_id().and_then(|id| carriers.get(id));
        let default = default.ok_or_else(|| Refusal::new(Code::CarrierMissing))?;
        let wanted = match named {
            Named::Sid(sid) => Wanted::Id(sid.clone()),
            Named::Digits(digits) => Wanted::Digits(digits.clone()),
        };
        let found = proxy.relay().look_up_number(&wanted).await;
        match (found.map_err(|_| Refusal::carrier_away())?, named) {
            (LookedUp::At(_, rented), _) if !rented.can.voice && !rented.can.sms => {
                Err(Refusal::parameter("PhoneNumber", "must be able to speak or to text"))
            }
            (LookedUp::At(carrier, rented), _) => Ok(Self {
                carrier,
                number: rented.number,
                capabilities: rented.can,
                theirs: Some((rented.id, rented.name)),
            }),
            (LookedUp::Untold, Named::Digits(digits)) => Ok(Self {
                carrier: default.id.clone(),
                number: digits.clone(),
                capabilities: default.adapter.capabilities().of_numbers(),
                theirs: None,
            }),
            (LookedUp::Untold | LookedUp::Nowhere, _) => Err(Refusal::new(Code::NotOnAccount)),
        }
    }

    /// Adds it under the carrier's id, unless it was here before: then it keeps the one that its
    /// quarantines have.
    async fn add(
        &self,
        tx: &mut Tx,
        account: &AccountId,
        service: &ServiceId,
        reserved: bool,
    ) -> Result<Number, Error> {
        let New { carrier, number, capabilities, theirs } = self.clone();
        let service = service.clone();
        let was_here = numbers::retired(tx, account, &number).await?.is_some();
        let Some((id, friendly_name)) = theirs.filter(|_| !was_here) else {
            let new = NewNumber { service, number, carrier, capabilities, reserved };
            return relay::add_number(tx, account, &new).await;
        };
        let new = AdoptNumber {
            id: id.clone(),
            service,
            number,
            carrier,
            capabilities,
            reserved,
            friendly_name,
        };
        relay::adopt_number(tx, account, &new).await?;
        numbers::get(tx, account, &id).await?.ok_or(Error::NotFound("number"))
    }
}

/// The number of that name in the account's inventory; by its SID also one that was retired.
async fn known(tx: &mut Tx, account: &AccountId, named: &Named) -> Result<Option<Number>, Error> {
    Ok(match named {
        Named::Sid(sid) => numbers::get(tx, account, sid).await?,
        Named::Digits(digits) => match numbers::owner(tx, digits).await? {
            Some((owner, number)) if owner == *account => Some(number),
            Some(_) => return Err(Error::NumberTaken),
            None => None,
        },
    })
}

pub(super) async fn create(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    form: Form,
) -> Result<Response, Refusal> {
    let named = match (form.number("Sid")?, form.text("PhoneNumber", 40)?) {
        (Some(sid), _) => Named::Sid(sid),
        (None, Some(text)) => {
            let number = ProxyNumber::parse(&text);
            Named::Digits(number.map_err(|_| Refusal::new(Code::PhoneNumberInvalid))?)
        }
        (None, None) => return Err(Refusal::parameter("Sid or PhoneNumber", "is required")),
    };
    let reserved = form.flag("IsReserved")?.unwrap_or(false);
    let mut tx = proxy.relay().db().read().await?;
    let there = async {
        at.service(&mut tx, &caller.account).await?;
        known(&mut tx, &caller.account, &named).await
    };
    let there = there.await.map_err(|error| refusal(error, ABOUT))?;
    drop(tx);
    let new = match there {
        Some(_) => None,
        None => Some(New::find(&proxy, &named).await?),
    };
    let input = (at, named, reserved, new);
    proxy
        .write(&caller, ABOUT, input, |tx, proxy, account, (at, named, reserved, new)| {
            Box::pin(async move {
                let service = at.service(tx, account).await?.id;
                // A name of the carrier's may be that of a number that is here under another id.
                let by_digits = new.as_ref().map(|new| Named::Digits(new.number.clone()));
                let there = known(tx, account, by_digits.as_ref().unwrap_or(named)).await?;
                let number = match (there, new) {
                    (Some(there), _) if there.state != NumberState::Retired => {
                        let here = there.service == service;
                        return Err(fault(if here { HERE } else { ELSEWHERE }));
                    }
                    (_, Some(new)) => new.add(tx, account, &service, *reserved).await?,
                    (Some(there), None) => {
                        relay::restore_number(tx, account, &there.id, &service, *reserved).await?
                    }
                    (None, None) => return Err(fault(FOREIGN)),
                };
                unless_full(tx, proxy, account, &number).await?;
                Ok(answer(StatusCode::CREATED, &counted(tx, proxy, account, &number).await?))
            })
        })
        .await
}

pub(super) async fn fetch(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    let mut tx = proxy.relay().db().read().await?;
    let read = async {
        let number = find(&mut tx, &caller.account, &at).await?;
        counted(&mut tx, &proxy, &caller.account, &number).await
    };
    Ok(shown(&read.await.map_err(|error| refusal(error, ABOUT))?))
}

pub(super) async fn update(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    form: Form,
) -> Result<Response, Refusal> {
    let change = UpdateNumber { reserved: form.flag("IsReserved")?, ..UpdateNumber::default() };
    proxy
        .write(&caller, ABOUT, (at, change), |tx, proxy, account, (at, change)| {
            Box::pin(async move {
                let before = find(tx, account, at).await?;
                let number =
                    relay::update_number(tx, account, &before.id, change.clone(), None).await?;
                if number.reserved != before.reserved {
                    unless_full(tx, proxy, account, &number).await?;
                }
                Ok(answer(StatusCode::OK, &counted(tx, proxy, account, &number).await?))
            })
        })
        .await
}

pub(super) async fn delete(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    proxy
        .write(&caller, ABOUT, at, |tx, _, account, at| {
            Box::pin(async move {
                let before = find(tx, account, at).await?;
                let state = Some(NumberState::Retired);
                let change = UpdateNumber { state, ..UpdateNumber::default() };
                relay::update_number(tx, account, &before.id, change, None).await?;
                Ok(nothing())
            })
        })
        .await
}
