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
    domain::{phone::ProxyNumber, pool::Capabilities},
    ids::{AccountId, NumberId, ServiceId},
    relay::{self, Error, NewNumber, UpdateNumber},
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
        "friendly_name": number.number.as_str(),
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
    /// One of the account's that is in no pool.
    Sid(NumberId),
    /// Any, at the default carrier.
    Digits(ProxyNumber),
}

/// The default carrier and all that it can do.
fn default_carrier(proxy: &Proxy) -> Option<(String, Capabilities)> {
    let carriers = proxy.relay().carriers();
    let carrier = carriers.default_id().and_then(|id| carriers.get(id))?;
    let able = carrier.adapter.capabilities();
    let able = Capabilities { voice: able.voice, sms: able.sms, mms: able.mms };
    Some((carrier.id.clone(), able))
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
    let carrier = default_carrier(&proxy).ok_or_else(|| Refusal::new(Code::CarrierMissing))?;
    let input = (at, named, reserved, carrier);
    proxy
        .write(&caller, ABOUT, input, |tx, proxy, account, (at, named, reserved, carrier)| {
            Box::pin(async move {
                let service = at.service(tx, account).await?.id;
                let there = match named {
                    Named::Sid(sid) => {
                        let number = numbers::get(tx, account, sid).await?;
                        Some(number.ok_or_else(|| fault(FOREIGN))?)
                    }
                    Named::Digits(digits) => {
                        let owner = numbers::owner(tx, digits).await?;
                        owner.filter(|(owner, _)| owner == account).map(|(_, number)| number)
                    }
                };
                if let Some(number) = &there
                    && number.state != NumberState::Retired
                {
                    let here = number.service == service;
                    return Err(fault(if here { HERE } else { ELSEWHERE }));
                }
                let number = match named {
                    Named::Sid(sid) => {
                        relay::restore_number(tx, account, sid, &service, *reserved).await?
                    }
                    Named::Digits(digits) => {
                        let new = new_number(&service, digits, carrier, *reserved);
                        relay::add_number(tx, account, &new).await?
                    }
                };
                unless_full(tx, proxy, account, &number).await?;
                Ok(answer(StatusCode::CREATED, &counted(tx, proxy, account, &number).await?))
            })
        })
        .await
}

fn new_number(
    service: &ServiceId,
    number: &ProxyNumber,
    carrier: &(String, Capabilities),
    reserved: bool,
) -> NewNumber {
    NewNumber {
        service: service.clone(),
        number: number.clone(),
        carrier: carrier.0.clone(),
        capabilities: carrier.1,
        reserved,
    }
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
    let change = UpdateNumber { reserved: form.flag("IsReserved")?, state: None };
    proxy
        .write(&caller, ABOUT, (at, change), |tx, proxy, account, (at, change)| {
            Box::pin(async move {
                let before = find(tx, account, at).await?;
                let number = relay::update_number(tx, account, &before.id, *change, None).await?;
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
                let change = UpdateNumber { reserved: None, state };
                relay::update_number(tx, account, &before.id, change, None).await?;
                Ok(nothing())
            })
        })
        .await
}
