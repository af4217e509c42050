//! Participants: `…/Sessions/{Sid}/Participants`. Their numbers come in and leave in clear.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    Proxy, answer,
    at::{At, By},
    error::{About, Code, Refusal, UNKNOWN_NUMBER, fault, refusal},
    form::{self, Form, plain},
    nothing,
    paging::Asked,
    shown,
    wire::{date, maybe},
};
use crate::{
    domain::phone::{Identifier, ProxyNumber},
    ids::{AccountId, NumberId, ServiceId},
    privacy::DataKey,
    relay::{self, AddParticipant, Error},
    store::{
        Tx, accounts, numbers,
        participants::{self, Participant},
        sessions::Session,
    },
};

/// Somebody to add.
#[derive(Debug, Clone)]
pub(super) struct NewParticipant {
    identifier: Identifier,
    friendly_name: Option<String>,
    proxy_identifier: Option<ProxyNumber>,
    proxy_identifier_sid: Option<NumberId>,
}

impl NewParticipant {
    /// Reads the fields, which `field` finds by Twilio's names.
    fn read(field: impl Fn(&str) -> Option<String>) -> Result<Self, Refusal> {
        let identifier = field("Identifier").filter(|text| !text.is_empty());
        let identifier =
            identifier.ok_or_else(|| Refusal::parameter("Identifier", "is required"))?;
        let identifier = Identifier::parse(&identifier).map_err(|_| {
            let channel = identifier.split_once(':').is_some_and(|(kind, _)| is_word(kind));
            let code = if channel { Code::ChannelIdentifier } else { Code::IdentifierInvalid };
            Refusal::new(code)
        })?;
        let name = field("FriendlyName").filter(|text| !text.is_empty());
        let number = field("ProxyIdentifier").filter(|text| !text.is_empty());
        let sid = field("ProxyIdentifierSid").filter(|text| !text.is_empty());
        Ok(Self {
            identifier,
            friendly_name: name.map(|name| plain("FriendlyName", &name, 255)).transpose()?,
            proxy_identifier: number
                .map(|number| ProxyNumber::parse(&number))
                .transpose()
                .map_err(|_| Refusal::new(Code::NotInService))?,
            proxy_identifier_sid: sid.map(|sid| form::number(&sid)).transpose()?,
        })
    }

    /// Reads a value of a session's `Participants`: a JSON object with the same names, in any case.
    pub(super) fn from_json(text: &str) -> Result<Self, Refusal> {
        let wrong = || {
            let allowed =
                "must be JSON objects of texts, such as {\"Identifier\": \"+14155550100\"}";
            Refusal::parameter("Participants", allowed)
        };
        let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| wrong())?;
        let fits = |value: &Value| value.is_string() || value.is_null();
        if !object.values().all(fits) {
            return Err(wrong());
        }
        let small = |name: &str| name.to_ascii_lowercase().replace('_', "");
        Self::read(|name| {
            let (_, value) = object.iter().find(|(key, _)| small(key) == small(name))?;
            value.as_str().map(str::to_owned)
        })
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// People as the use cases take them: with the number that each is to have, if any was named.
pub(super) async fn resolve(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    people: &[NewParticipant],
) -> Result<Vec<AddParticipant>, Error> {
    let mut added = Vec::with_capacity(people.len());
    for one in people {
        let mut number = one.proxy_identifier_sid.clone();
        if let (Some(digits), None) = (&one.proxy_identifier, &number) {
            let owned = numbers::owner(tx, digits).await?;
            let owned =
                owned.filter(|(owner, found)| owner == account && found.service == *service);
            number = Some(owned.ok_or_else(|| fault(UNKNOWN_NUMBER))?.1.id);
        }
        added.push(AddParticipant {
            identifier: one.identifier.clone(),
            role: None,
            name: one.friendly_name.clone(),
            number,
            pin: relay::PinWanted::Never,
        });
    }
    Ok(added)
}

fn wire(
    proxy: &Proxy,
    account: &AccountId,
    session: &Session,
    key: &DataKey,
    one: &Participant,
) -> Result<Value, Error> {
    let Session { id, service, .. } = session;
    let sid = &one.id;
    let url = proxy.url(format_args!("/Services/{service}/Sessions/{id}/Participants/{sid}"));
    Ok(json!({
        "sid": sid,
        "session_sid": id,
        "service_sid": service,
        "account_sid": account,
        "friendly_name": one.name(key)?,
        "identifier": if one.erased { String::new() } else { one.identifier(key)?.expose().to_owned() },
        "proxy_identifier": one.number.as_str(),
        "proxy_identifier_sid": one.number_id,
        "date_deleted": maybe(one.removed_at),
        "date_created": date(one.created_at),
        "date_updated": date(one.removed_at.unwrap_or(one.created_at)),
        "links": { "message_interactions": format!("{url}/MessageInteractions") },
        "url": url,
    }))
}

/// The participant of that address.
pub(super) async fn find(
    tx: &mut Tx,
    account: &AccountId,
    at: &At,
) -> Result<(Session, Participant), Error> {
    let session = at.session(tx, account).await?;
    let one = participants::get(tx, account, &at.participant()?).await?;
    let one = one.filter(|one| one.session == session.id).ok_or(Error::NotFound("participant"))?;
    Ok((session, one))
}

pub(super) async fn list(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    asked: Asked,
) -> Result<Response, Refusal> {
    let account = &caller.account;
    let mut tx = proxy.relay().db().read().await?;
    let read = async {
        let session = at.session(&mut tx, account).await?;
        let key = session.data_key(&tx)?;
        let mut all = participants::of_session(&mut tx, account, &session.id).await?;
        all.sort_by(|a, b| b.id.cmp(&a.id));
        let found = asked.cut(all, |one| one.id.as_str());
        let rows = found
            .iter()
            .map(|one| Ok((one.id.to_string(), wire(&proxy, account, &session, &key, one)?)));
        rows.collect::<Result<Vec<_>, Error>>()
    };
    let rows = read.await.map_err(|error| refusal(error, About::Service))?;
    Ok(asked.answer(&proxy, "participants", &asked.fit(rows)))
}

pub(super) async fn create(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    form: Form,
) -> Result<Response, Refusal> {
    let new = NewParticipant::read(|name| form.all(name).next().map(str::to_owned))?;
    // What is lacking of a number depends on the session's mode.
    let mut tx = proxy.relay().db().read().await?;
    let found = async {
        let session = at.session(&mut tx, &caller.account).await?;
        let keys = accounts::keys(&mut tx, &caller.account).await?;
        let person = keys.index.person(&new.identifier.canonical());
        let people = participants::of_session(&mut tx, &caller.account, &session.id).await?;
        Ok((session.mode, people.iter().any(|one| one.person == person)))
    };
    let (mode, there) = found.await.map_err(|error| refusal(error, About::Service))?;
    drop(tx);
    let about = About::Session(mode);
    let created = proxy
        .write(&caller, about, (at, new), |tx, proxy, account, (at, new)| {
            Box::pin(async move {
                let session = at.session(tx, account).await?;
                let people = std::slice::from_ref(new);
                let people = resolve(tx, account, &session.service, people).await?;
                let Some(new) = people.first() else { return Err(Error::NotFound("participant")) };
                let (view, added) = relay::add_participant(tx, account, &session.id, new).await?;
                let key = view.session.data_key(tx)?;
                let one = view.participants.iter().find(|one| one.id == added);
                let one = one.ok_or(Error::NotFound("participant"))?;
                let body = wire(proxy, account, &view.session, &key, one)?;
                Ok(answer(StatusCode::CREATED, &body))
            })
        })
        .await;
    // Not there when this request came: another one was faster.
    created.map_err(|refused| {
        let overtaken = !there && refused.is(Code::ParticipantExists);
        if overtaken { Refusal::new(Code::AddedAtOnce) } else { refused }
    })
}

pub(super) async fn fetch(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    let mut tx = proxy.relay().db().read().await?;
    let read = async {
        let (session, one) = find(&mut tx, &caller.account, &at).await?;
        let key = session.data_key(&tx)?;
        wire(&proxy, &caller.account, &session, &key, &one)
    };
    Ok(shown(&read.await.map_err(|error| refusal(error, About::Service))?))
}

pub(super) async fn delete(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    proxy
        .urgent()
        .write(&caller, About::Service, at, |tx, _, account, at| {
            Box::pin(async move {
                let (session, one) = find(tx, account, at).await?;
                relay::remove_participant(tx, account, &session.id, &one.id).await?;
                Ok(nothing())
            })
        })
        .await
}
