//! Deliveries: what came of sending an event to an endpoint. One is named by both.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, WebhooksRead, WebhooksWrite},
    endpoints,
    error::not_found,
    keys::NoFilter,
    paging::{Listing, Page, Paging},
    wire::{AttemptOutcome, DeliveryState, EventType, Time},
    write::{self, Nothing, Write, answer},
};
use crate::{
    http::problem::{Path, Problem},
    ids::{AccountId, EndpointId, EventId},
    relay,
    store::{Tx, deliveries, events},
};

/// An event that is, or was, sent to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    endpoint_id: EndpointId,
    /// The event: `webhook-id` of every attempt.
    event_id: EventId,
    event_type: String,
    state: DeliveryState,
    /// How often it was tried.
    attempts: i64,
    /// When it is tried next.
    next_attempt_at: Option<Time>,
    created_at: Time,
    ended_at: Option<Time>,
}

/// One attempt. Nothing of the answer is kept but its status.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Attempt {
    /// From 1.
    number: i64,
    started_at: Time,
    /// How long it took, in milliseconds; null while it is under way.
    duration_ms: Option<i64>,
    /// The HTTP status, if there was an answer.
    status: Option<i64>,
    /// How it ended; null while it is under way, and if whoever made it was lost.
    outcome: Option<AttemptOutcome>,
}

/// A delivery and the attempts at it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryWithAttempts {
    #[serde(flatten)]
    delivery: Delivery,
    /// The last hundred, in order.
    attempts_made: Vec<Attempt>,
}

/// Which deliveries are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryFilter {
    /// In this state.
    state: Option<DeliveryState>,
    /// Of events of this type.
    r#type: Option<EventType>,
}

impl From<deliveries::Delivery> for Delivery {
    fn from(one: deliveries::Delivery) -> Self {
        Self {
            endpoint_id: one.endpoint,
            event_id: one.event,
            event_type: one.kind,
            state: DeliveryState(one.state),
            attempts: one.attempts,
            next_attempt_at: one.next_at.map(Time),
            created_at: Time(one.created_at),
            ended_at: one.ended_at.map(Time),
        }
    }
}

impl Delivery {
    pub(super) fn location(&self) -> String {
        format!("/api/v1/endpoints/{}/deliveries/{}", self.endpoint_id, self.event_id)
    }
}

impl From<deliveries::Attempt> for Attempt {
    fn from(one: deliveries::Attempt) -> Self {
        Self {
            number: one.number,
            started_at: Time(one.started_at),
            duration_ms: one.duration_ms,
            status: one.status,
            outcome: one.outcome.map(AttemptOutcome),
        }
    }
}

fn event_id(text: &str) -> Result<EventId, Problem> {
    EventId::parse(text).map_err(|_| not_found("delivery"))
}

async fn known(tx: &mut Tx, account: &AccountId, text: &str) -> Result<EndpointId, Problem> {
    let id = endpoints::id(text)?;
    let found = crate::store::endpoints::get(tx, account, &id).await?;
    found.map(|one| one.id).ok_or_else(|| not_found("endpoint"))
}

/// An endpoint's deliveries, the newest event first.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints/{endpoint}/deliveries",
    tag = "Endpoints",
    operation_id = "listDeliveries",
    params(DeliveryFilter, Paging),
    security(("bearer" = ["webhooks:read"])),
    responses((status = 200, description = "A page of deliveries", body = Page<Delivery>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksRead>,
    Path(endpoint): Path<String>,
    listing: Listing<DeliveryFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let account = &caller.account;
    let id = known(&mut tx, account, &endpoint).await?;
    let state = listing.filter.state.map(|one| one.0);
    let kind = listing.filter.r#type.map(|one| one.0);
    let found = deliveries::list(&mut tx, account, &id, state, kind, &listing.page()).await?;
    listing.answer(
        &api,
        found,
        |one| one.event.as_str(),
        |found| Ok(found.into_iter().map(Delivery::from).collect()),
    )
}

/// To which endpoints an event is, or was, sent.
#[utoipa::path(
    get,
    path = "/api/v1/events/{event}/deliveries",
    tag = "Events",
    operation_id = "listEventDeliveries",
    params(Paging),
    security(("bearer" = ["webhooks:read"])),
    responses((status = 200, description = "A page of deliveries", body = Page<Delivery>)),
)]
pub(super) async fn of_event(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksRead>,
    Path(event): Path<String>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let id = EventId::parse(&event).map_err(|_| not_found("event"))?;
    let mut tx = api.0.relay.db().read().await?;
    let event = events::get(&mut tx, &caller.account, &id).await?;
    let event = event.ok_or_else(|| not_found("event"))?;
    let mut found = deliveries::of_event(&mut tx, &caller.account, &event.id).await?;
    found.retain(|one| one.endpoint.as_str() > listing.after());
    listing.answer(
        &api,
        found,
        |one| one.endpoint.as_str(),
        |found| Ok(found.into_iter().map(Delivery::from).collect()),
    )
}

/// One delivery, with the attempts at it.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints/{endpoint}/deliveries/{event}",
    tag = "Endpoints",
    operation_id = "getDelivery",
    security(("bearer" = ["webhooks:read"])),
    responses((status = 200, description = "The delivery", body = DeliveryWithAttempts)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksRead>,
    Path((endpoint, event)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let account = &caller.account;
    let id = known(&mut tx, account, &endpoint).await?;
    let event = event_id(&event)?;
    let found = deliveries::get(&mut tx, account, &id, &event).await?;
    let delivery = Delivery::from(found.ok_or_else(|| not_found("delivery"))?);
    let attempts = deliveries::attempts(&mut tx, account, &id, &event).await?;
    let ended = attempts.iter().filter(|one| one.outcome.is_some()).count();
    let etag = format!("{}-{}-{ended}", delivery.state.0, delivery.attempts);
    let attempts_made = attempts.into_iter().map(Attempt::from).collect();
    Ok(write::read(&headers, &DeliveryWithAttempts { delivery, attempts_made }, &etag))
}

/// Send one delivery again, whatever came of it: with the same id, from the beginning of the
/// schedule.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints/{endpoint}/deliveries/{event}/resend",
    tag = "Endpoints",
    operation_id = "resendDelivery",
    security(("bearer" = ["webhooks:write"])),
    responses((status = 200, description = "The delivery as it is now", body = Delivery)),
)]
pub(super) async fn resend(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksWrite>,
    Path((endpoint, event)): Path<(String, String)>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let input = (endpoints::id(&endpoint)?, event_id(&event)?, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (endpoint, event, version)| {
        Box::pin(async move {
            let delivery = relay::resend(tx, account, endpoint, event, *version).await?;
            Ok(answer(StatusCode::OK, &Delivery::from(delivery), None, None))
        })
    })
    .await
}
