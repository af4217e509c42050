//! Events: what happened, for consumers that reconcile.

use axum::{extract::State, response::Response};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, SessionsRead},
    error::not_found,
    input::bad_parameters,
    interactions::filtered_session,
    paging::{Listing, Page, Paging},
    wire::Time,
    write,
};
use crate::{
    http::problem::{FieldFault, Path, Problem},
    ids::{EventId, InteractionId, ServiceId, SessionId},
    store::events,
};

/// Something that happened. Thin: no number of a person, no words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event {
    id: EventId,
    /// Dotted words, such as `session.created` or `message.delivered`. New ones may come.
    #[schema(example = "session.created")]
    r#type: String,
    service_id: Option<ServiceId>,
    session_id: Option<SessionId>,
    interaction_id: Option<InteractionId>,
    /// Its place among its session's events, from 1; null outside of a session.
    sequence: Option<i64>,
    /// What depends on the type.
    data: Map<String, Value>,
    created_at: Time,
}

/// Which events are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventFilter {
    /// Of this session: its id.
    session: Option<String>,
    /// Of this type.
    r#type: Option<String>,
    /// After this event, and then oldest first, for whoever reads all of them in turn: the id of the
    /// last one that was read, or `EV` and 32 zeros to begin with. An event shows here some seconds
    /// late, once no earlier one can come any more.
    after: Option<String>,
}

impl From<events::Event> for Event {
    fn from(event: events::Event) -> Self {
        Self {
            id: event.id,
            r#type: event.kind,
            service_id: event.service,
            session_id: event.session,
            interaction_id: event.interaction,
            sequence: Some(event.sequence).filter(|sequence| *sequence > 0),
            data: serde_json::from_str(&event.data).unwrap_or_default(),
            created_at: Time(event.created_at),
        }
    }
}

/// Events, newest first; after a given one, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "Events",
    operation_id = "listEvents",
    params(EventFilter, Paging),
    security(("bearer" = ["sessions:read"])),
    responses((status = 200, description = "A page of events", body = Page<Event>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsRead>,
    listing: Listing<EventFilter>,
) -> Result<Response, Problem> {
    let kind = listing.filter.r#type.as_deref();
    let dotted = |text: &str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.')
    };
    if kind.is_some_and(|kind| !dotted(kind)) {
        let allowed = "must be a type such as session.created";
        return Err(bad_parameters([FieldFault::parameter("type", "invalid", allowed)]));
    }
    let after = match listing.filter.after.as_deref().map(EventId::parse) {
        Some(Err(error)) => {
            let fault = FieldFault::parameter("after", "invalid", error.to_string());
            return Err(bad_parameters([fault]));
        }
        Some(Ok(id)) => Some((id, api.0.relay.settled().await?)),
        None => None,
    };
    let mut tx = api.0.relay.db().read().await?;
    let named = listing.filter.session.as_deref();
    let session = filtered_session(&mut tx, &caller.account, named).await?;
    let session = session.as_ref();
    let found = if let Some((id, before)) = after {
        let from = listing.after().max(id.as_str());
        let limit = listing.limit();
        events::list_after(&mut tx, &caller.account, session, kind, from, before, limit).await?
    } else {
        events::list(&mut tx, &caller.account, session, kind, &listing.page()).await?
    };
    listing.answer(
        &api,
        found,
        |event| event.id.as_str(),
        |events| Ok(events.into_iter().map(Event::from).collect()),
    )
}

/// One event.
#[utoipa::path(
    get,
    path = "/api/v1/events/{event}",
    tag = "Events",
    operation_id = "getEvent",
    security(("bearer" = ["sessions:read"])),
    responses((status = 200, description = "The event", body = Event)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<SessionsRead>,
    Path(event): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = EventId::parse(&event).map_err(|_| not_found("event"))?;
    let mut tx = api.0.relay.db().read().await?;
    let event = events::get(&mut tx, &caller.account, &id).await?;
    let event = Event::from(event.ok_or_else(|| not_found("event"))?);
    // Events never change.
    Ok(write::read(&headers, &event, "1"))
}
