//! Interactions of a session: `…/Sessions/{Sid}/Interactions`. What people wrote leaves in clear.

use axum::{extract::State, response::Response};
use serde_json::{Value, json};

use super::{
    Proxy,
    at::{At, By},
    error::{About, Refusal, refusal},
    nothing,
    paging::Asked,
    shown,
    wire::date,
};
use crate::{
    domain::interaction::Outcome,
    ids::{AccountId, InteractionId},
    relay::{
        self, Error,
        twilio_proxy::{self, Side, Told},
    },
    store::{
        Tx,
        interactions::{self, Filter, Interaction},
        sessions::Session,
    },
};

/// An interaction on the wire.
pub(super) struct Wired {
    pub(super) id: InteractionId,
    pub(super) body: Value,
    /// Whose leg goes out.
    pub(super) outbound: Value,
}

fn side(told: &Told, side: Option<&Side>) -> [Value; 5] {
    let Some(side) = side else { return [const { Value::Null }; 5] };
    [
        json!(side.participant),
        json!(side.sid),
        json!(side.status),
        json!(told.resource_word()),
        json!(side.url),
    ]
}

/// What is told of interactions of one session. `base` is the address that theirs begin with.
pub(super) async fn tell(
    tx: &mut Tx,
    proxy: &Proxy,
    account: &AccountId,
    session: &Session,
    base: &str,
    found: &[Interaction],
) -> Result<Vec<Wired>, Error> {
    let all = twilio_proxy::tell(tx, proxy.relay().carriers(), account, session, found).await?;
    let wired = all.iter().map(|told| {
        let [from, from_sid, from_status, from_type, from_url] = side(told, told.inbound.as_ref());
        let [to, to_sid, to_status, to_type, to_url] = side(told, told.outbound.as_ref());
        let body = json!({
            "sid": told.id,
            "session_sid": session.id,
            "service_sid": session.service,
            "account_sid": account,
            "data": told.data,
            "type": told.type_word(),
            "inbound_participant_sid": from,
            "inbound_resource_sid": from_sid,
            "inbound_resource_status": from_status,
            "inbound_resource_type": from_type,
            "inbound_resource_url": from_url,
            "outbound_participant_sid": to,
            "outbound_resource_sid": to_sid,
            "outbound_resource_status": to_status,
            "outbound_resource_type": to_type,
            "outbound_resource_url": to_url,
            "date_created": date(told.created_at),
            "date_updated": date(told.updated_at),
            "url": format!("{base}/{}", told.id),
        });
        Wired { id: told.id.clone(), body, outbound: to }
    });
    Ok(wired.collect())
}

fn base(proxy: &Proxy, session: &Session) -> String {
    let Session { id, service, .. } = session;
    proxy.url(format_args!("/Services/{service}/Sessions/{id}/Interactions"))
}

/// The interaction of that address, if it was not refused: Twilio has none for what it refuses.
pub(super) async fn find(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
    id: &InteractionId,
) -> Result<Interaction, Error> {
    let found = interactions::get(tx, account, id).await?;
    found
        .filter(|one| one.session.as_ref() == Some(&session.id))
        .filter(|one| one.outcome != Some(Outcome::Refused))
        .ok_or(Error::NotFound("interaction"))
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
        let filter =
            Filter { session: Some(session.id.clone()), admitted: true, ..Filter::default() };
        let found = interactions::list(&mut tx, account, &filter, &asked.page()).await?;
        tell(&mut tx, &proxy, account, &session, &base(&proxy, &session), &found).await
    };
    let told = read.await.map_err(|error| refusal(error, About::Service))?;
    let page = asked.fit(told).map(|one| (one.id.to_string(), one.body));
    Ok(asked.answer(&proxy, "interactions", &page))
}

pub(super) async fn fetch(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    let account = &caller.account;
    let mut tx = proxy.relay().db().read().await?;
    let read = async {
        let session = at.session(&mut tx, account).await?;
        let one = find(&mut tx, account, &session, &at.interaction()?).await?;
        let base = base(&proxy, &session);
        tell(&mut tx, &proxy, account, &session, &base, &[one]).await
    };
    let told = read.await.map_err(|error| refusal(error, About::Service))?;
    let one = told.into_iter().next();
    Ok(shown(&one.map(|one| one.body).unwrap_or_default()))
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
                let session = at.session(tx, account).await?;
                let one = find(tx, account, &session, &at.interaction()?).await?;
                relay::delete_interaction(tx, account, &session.id, &one.id).await?;
                Ok(nothing())
            })
        })
        .await
}
