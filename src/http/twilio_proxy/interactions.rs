//! Interactions of a session: `…/Sessions/{Sid}/Interactions`. What people wrote leaves in clear.

use std::collections::HashMap;

use axum::{extract::State, response::Response};
use serde_json::{Value, json};

use super::{
    Proxy,
    at::{At, By},
    error::{About, Refusal, refusal},
    nothing,
    paging::Asked,
    shown,
    wire::{date, status},
};
use crate::{
    domain::{
        interaction::{Kind, Outcome},
        message::Body,
    },
    ids::{AccountId, InteractionId},
    relay::{self, Error},
    store::{
        Tx,
        interactions::{self, Filter, Interaction},
        legs::{self, Direction, Leg},
        sessions::Session,
    },
};

/// An interaction with what is told of it.
pub(super) struct Told {
    pub(super) id: InteractionId,
    pub(super) body: Value,
    /// Whose leg goes out.
    pub(super) outbound: Value,
}

/// What one side of an interaction has: whose it is and what the carrier has of it.
fn side(proxy: &Proxy, kind: Kind, leg: Option<&Leg>) -> [Value; 5] {
    let Some(leg) = leg else { return [const { Value::Null }; 5] };
    let (word, prefix) = match kind {
        Kind::Call => ("Call", "CA"),
        Kind::Message => ("Message", "SM"),
    };
    let carrier = proxy.relay().carriers().get(&leg.carrier);
    let own = leg.carrier_id.as_ref().and_then(|id| {
        let url = carrier?.adapter.resource_url(kind, id)?;
        Some((id.clone(), url))
    });
    let (sid, url) = match own {
        Some((sid, url)) => (json!(sid), json!(url)),
        // Twilio will tell its own.
        None if carrier.is_some_and(|one| one.adapter.has_twilio_sids()) => {
            (Value::Null, Value::Null)
        }
        None => {
            let hex = leg.id.as_str().get(2..).unwrap_or_default();
            (json!(format!("{prefix}{hex}")), Value::Null)
        }
    };
    [json!(leg.participant), sid, json!(status(kind, &leg.state)), json!(word), url]
}

/// Of several who were rung or written to, the one who was reached, or the first.
fn outbound(legs: &[Leg]) -> Option<&Leg> {
    let out = || legs.iter().filter(|leg| leg.direction == Direction::Outbound);
    let reached = |leg: &&Leg| {
        matches!(leg.outcome, Some(Outcome::Connected | Outcome::Relayed))
            || leg.answered_at.is_some()
    };
    out().find(reached).or_else(|| out().next())
}

fn data(one: &Interaction, words: Option<&Body>) -> String {
    match (one.kind, words) {
        (Kind::Message, Some(words)) => json!({ "body": words.expose() }).to_string(),
        (Kind::Call, _) if one.ended_at.is_some() => {
            let seconds = one.duration.unwrap_or_default().as_secs();
            json!({ "duration": seconds.to_string() }).to_string()
        }
        (Kind::Message, None) | (Kind::Call, _) => "{}".to_owned(),
    }
}

/// What is told of interactions of one session. `base` is the address that theirs begin with.
pub(super) async fn tell(
    tx: &mut Tx,
    proxy: &Proxy,
    account: &AccountId,
    session: &Session,
    base: &str,
    found: &[Interaction],
) -> Result<Vec<Told>, Error> {
    let ids: Vec<InteractionId> = found.iter().map(|one| one.id.clone()).collect();
    let key = session.data_key(tx)?;
    let words = interactions::words(tx, account, &key, &ids).await?;
    let mut legs: HashMap<InteractionId, Vec<Leg>> = HashMap::new();
    for leg in legs::of_interactions(tx, account, &ids).await? {
        legs.entry(leg.interaction.clone()).or_default().push(leg);
    }
    let told = found.iter().map(|one| {
        let legs = legs.get(&one.id).map_or(&[][..], Vec::as_slice);
        let inbound = legs.iter().find(|leg| leg.direction == Direction::Inbound);
        let [from, from_sid, from_status, from_type, from_url] = side(proxy, one.kind, inbound);
        let [to, to_sid, to_status, to_type, to_url] = side(proxy, one.kind, outbound(legs));
        let changed = legs.iter().map(|leg| leg.updated_at).max().unwrap_or(one.updated_at);
        let body = json!({
            "sid": one.id,
            "session_sid": session.id,
            "service_sid": session.service,
            "account_sid": account,
            "data": data(one, words.get(&one.id)),
            "type": match one.kind { Kind::Message => "Message", Kind::Call => "Voice" },
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
            "date_created": date(one.created_at),
            "date_updated": date(one.updated_at.max(changed)),
            "url": format!("{base}/{}", one.id),
        });
        Told { id: one.id.clone(), body, outbound: to }
    });
    Ok(told.collect())
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
