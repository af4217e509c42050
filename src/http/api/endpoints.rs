//! Endpoints: where events are sent, with which keys they are signed, and whether it works.

use std::time::Duration;

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, WebhooksRead, WebhooksWrite},
    deliveries::Delivery,
    error::not_found,
    input::{Faults, Patch},
    keys::NoFilter,
    paging::{Listing, Page, Paging},
    wire::{DisabledReason, EndpointKind, EventType, Resend, Seconds, Time},
    write::{self, Nothing, Write, answer, nothing},
};
use crate::{
    domain::{event::EventKind, time::Timestamp},
    http::problem::{Path, Problem},
    ids::{AccountId, EndpointId, ServiceId},
    relay::{self, EndpointView, NewEndpoint, UpdateEndpoint},
    store::{
        Tx,
        endpoints::{self, EndpointState, EndpointUrl, Keys},
    },
};

/// How long old keys sign beside new ones, by default and at most.
const OVERLAP: u64 = 86_400;
const OVERLAP_MAX: u64 = 7 * 86_400;
const DESCRIPTION_CHARS: usize = 200;

/// Keys that sign events. The secret is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SigningKeys {
    /// For `v1a` signatures (Ed25519).
    #[schema(example = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")]
    public_key: String,
    created_at: Time,
    /// When they sign no more; null for the newest.
    ends_at: Option<Time>,
}

/// Where events are sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Endpoint {
    id: EndpointId,
    /// `twilio_proxy` is its service's callback: its address is changed there.
    kind: EndpointKind,
    url: String,
    description: String,
    /// Only this service's events; null for all of the account.
    service_id: Option<ServiceId>,
    /// Only these types; empty for all.
    event_types: Vec<EventType>,
    /// Whether it gets events.
    enabled: bool,
    /// Why it does not.
    disabled_reason: Option<DisabledReason>,
    disabled_at: Option<Time>,
    /// Since when every attempt has failed; null if the last one did not.
    failing_since: Option<Time>,
    /// The keys that sign, the newest first: each event has a signature of every one.
    keys: Vec<SigningKeys>,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

/// An endpoint with its new secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndpointWithSecret {
    #[serde(flatten)]
    endpoint: Endpoint,
    /// For `v1` signatures (HMAC-SHA256). Shown this once.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// An endpoint's settings. What is absent keeps its value, or its default in a new endpoint; `null`
/// goes back to the default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "url": "https://market.example/hooks/entremise", "event_types": ["message.delivered"],
}))]
pub(super) struct EndpointSettings {
    /// `https`, with a public address.
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048)]
    #[serde(default)]
    url: Patch<String>,
    #[schema(value_type = Option<String>, max_length = 200)]
    #[serde(default)]
    description: Patch<String>,
    /// The service's id or unique name; null for all of the account.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    service_id: Patch<String>,
    /// Empty or null for all.
    #[schema(value_type = Option<Vec<EventType>>)]
    #[serde(default)]
    event_types: Patch<Vec<EventType>>,
    /// True by default.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    enabled: Patch<bool>,
}

/// How the old keys end.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// How long they sign beside the new ones: a day by default, a week at most, 0 to end them now.
    overlap_seconds: Option<Seconds>,
}

/// Which deliveries are owed again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "state": "failed", "from": "2026-11-21T00:00:00Z" }))]
pub(super) struct RangeToResend {
    /// Those in this state, or `missing`: those that never were, of events that fit.
    #[schema(value_type = Resend, required = true)]
    state: Option<Resend>,
    /// Of events from this time on, 30 days ago at most.
    #[schema(value_type = Time, required = true)]
    from: Option<Time>,
    /// Of events before this time; now by default.
    before: Option<Time>,
}

/// What was owed again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resent {
    /// How many deliveries.
    resent: u64,
    /// Whether there may be more: the same again goes on. Not for `delivered`.
    has_more: bool,
}

impl From<&Keys> for SigningKeys {
    fn from(one: &Keys) -> Self {
        Self {
            public_key: one.keys.public(),
            created_at: Time(one.created_at),
            ends_at: one.ends_at.map(Time),
        }
    }
}

impl From<EndpointView> for Endpoint {
    fn from(view: EndpointView) -> Self {
        let EndpointView { endpoint, keys } = view;
        Self {
            id: endpoint.id,
            kind: EndpointKind(endpoint.kind),
            url: endpoint.url.expose().to_owned(),
            description: endpoint.description,
            service_id: endpoint.service,
            event_types: endpoint.event_types.into_iter().map(EventType).collect(),
            enabled: endpoint.state == EndpointState::Enabled,
            disabled_reason: endpoint.disabled_reason.map(DisabledReason),
            disabled_at: endpoint.disabled_at.map(Time),
            failing_since: endpoint.failing_since.map(Time),
            keys: keys.iter().map(SigningKeys::from).collect(),
            version: endpoint.version,
            created_at: Time(endpoint.created_at),
            updated_at: Time(endpoint.updated_at),
        }
    }
}

impl From<EndpointView> for EndpointWithSecret {
    fn from(view: EndpointView) -> Self {
        let secret = view.keys.first().map(|one| one.keys.secret().expose()).unwrap_or_default();
        Self { endpoint: view.into(), secret }
    }
}

/// What was read of settings: as a change of what is there.
#[derive(Debug)]
struct Checked {
    url: Option<EndpointUrl>,
    description: Option<String>,
    /// The service as it was named.
    service: Patch<String>,
    event_types: Option<Vec<EventKind>>,
    enabled: Option<bool>,
}

fn set<T>(patch: Patch<T>, default: T) -> Option<T> {
    match patch {
        Patch::Absent => None,
        Patch::Null => Some(default),
        Patch::Value(value) => Some(value),
    }
}

impl EndpointSettings {
    fn check(self, api: &Api, faults: &mut Faults) -> Checked {
        let url = self.url.kept("/url", faults);
        if let Some(Err(refused)) = url.as_ref().map(|url| api.0.relay.egress().accept(url)) {
            faults.add("/url", "not_allowed", refused.to_string());
        }
        let description = set(self.description, String::new());
        let fits = |text: &String| {
            text.chars().count() <= DESCRIPTION_CHARS && !text.chars().any(char::is_control)
        };
        if description.as_ref().is_some_and(|text| !fits(text)) {
            let allowed = "must have at most 200 characters, none of control";
            faults.add("/description", "length", allowed);
        }
        let event_types = set(self.event_types, Vec::new()).map(|types| {
            let mut kinds: Vec<EventKind> = types.into_iter().map(|one| one.0).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds
        });
        let url = url.map(EndpointUrl::new);
        let enabled = set(self.enabled, true);
        Checked { url, description, service: self.service_id, event_types, enabled }
    }
}

impl Checked {
    async fn service(
        &self,
        tx: &mut Tx,
        account: &AccountId,
    ) -> Result<Option<Option<ServiceId>>, relay::Error> {
        Ok(match &self.service {
            Patch::Absent => None,
            Patch::Null => Some(None),
            Patch::Value(named) => Some(Some(relay::find_service(tx, account, named).await?.id)),
        })
    }
}

pub(super) fn id(text: &str) -> Result<EndpointId, Problem> {
    EndpointId::parse(text).map_err(|_| not_found("endpoint"))
}

/// All endpoints, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints",
    tag = "Endpoints",
    operation_id = "listEndpoints",
    params(Paging),
    security(("bearer" = ["webhooks:read"])),
    responses((status = 200, description = "A page of endpoints", body = Page<Endpoint>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksRead>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    // There are few: they are read at once and paged here.
    let mut found = Vec::new();
    for endpoint in endpoints::list(&mut tx, &caller.account).await? {
        if endpoint.id.as_str() > listing.after() {
            found.push(relay::with_keys(&mut tx, &caller.account, endpoint).await?);
        }
    }
    listing.answer(
        &api,
        found,
        |view| view.endpoint.id.as_str(),
        |views| Ok(views.into_iter().map(Endpoint::from).collect()),
    )
}

/// Make an endpoint, and the keys that sign what it gets. An account may have 20.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints",
    tag = "Endpoints",
    operation_id = "createEndpoint",
    request_body = EndpointSettings,
    security(("bearer" = ["webhooks:write"])),
    responses((status = 201, description = "The endpoint with its secret", body = EndpointWithSecret)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksWrite>,
    request: Write<EndpointSettings>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let checked = body.check(&api, &mut faults);
    let url = faults.required(checked.url.clone(), "/url");
    let url = faults.done(url)?;
    api.write(&caller, terms.key, (url, checked), |tx, account, (url, checked)| {
        Box::pin(async move {
            let new = NewEndpoint {
                url: url.clone(),
                description: checked.description.clone().unwrap_or_default(),
                service: checked.service(tx, account).await?.flatten(),
                event_types: checked.event_types.clone().unwrap_or_default(),
                enabled: checked.enabled.unwrap_or(true),
            };
            let made: EndpointWithSecret = relay::create_endpoint(tx, account, &new).await?.into();
            let location = format!("/api/v1/endpoints/{}", made.endpoint.id);
            Ok(answer(StatusCode::CREATED, &made, Some(made.endpoint.version), Some(location)))
        })
    })
    .await
}

/// One endpoint.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints/{endpoint}",
    tag = "Endpoints",
    operation_id = "getEndpoint",
    security(("bearer" = ["webhooks:read"])),
    responses((status = 200, description = "The endpoint", body = Endpoint)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksRead>,
    Path(endpoint): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = id(&endpoint)?;
    let mut tx = api.0.relay.db().read().await?;
    let view = relay::view_endpoint(&mut tx, &caller.account, &id).await?;
    // Keys end by themselves, and whether it works changes with each attempt: both are part of it.
    let failing = view.endpoint.failing_since.map_or(0, Timestamp::millis);
    let etag = match (view.keys.len(), failing) {
        (1, 0) => view.endpoint.version.to_string(),
        (keys, failing) => format!("{}-{keys}-{failing}", view.endpoint.version),
    };
    Ok(write::read(&headers, &Endpoint::from(view), &etag))
}

/// Change an endpoint (JSON merge patch). Enabled again, it starts with a clean sheet; what was
/// withdrawn meanwhile is sent when it is asked for.
#[utoipa::path(
    patch,
    path = "/api/v1/endpoints/{endpoint}",
    tag = "Endpoints",
    operation_id = "updateEndpoint",
    request_body = EndpointSettings,
    security(("bearer" = ["webhooks:write"])),
    responses((status = 200, description = "The endpoint as it is now", body = Endpoint)),
)]
pub(super) async fn update(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksWrite>,
    Path(endpoint): Path<String>,
    request: Write<EndpointSettings>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let checked = body.check(&api, &mut faults);
    let input = (id(&endpoint)?, terms.version, faults.done(Some(checked))?);
    api.write(&caller, terms.key, input, |tx, account, (id, version, checked)| {
        Box::pin(async move {
            let change = UpdateEndpoint {
                url: checked.url.clone(),
                description: checked.description.clone(),
                service: checked.service(tx, account).await?,
                event_types: checked.event_types.clone(),
                enabled: checked.enabled,
            };
            let view = relay::update_endpoint(tx, account, id, &change, *version).await?;
            let endpoint = Endpoint::from(view);
            Ok(answer(StatusCode::OK, &endpoint, Some(endpoint.version), None))
        })
    })
    .await
}

/// Delete an endpoint: what is owed to it is withdrawn.
#[utoipa::path(
    delete,
    path = "/api/v1/endpoints/{endpoint}",
    tag = "Endpoints",
    operation_id = "deleteEndpoint",
    security(("bearer" = ["webhooks:write"])),
    responses((status = 204, description = "Deleted")),
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksWrite>,
    Path(endpoint): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let input = (id(&endpoint)?, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (id, version)| {
        Box::pin(async move {
            relay::delete_endpoint(tx, account, id, *version).await?;
            Ok(nothing())
        })
    })
    .await
}

/// Give an endpoint new keys. The old ones sign beside them for a while, so that the receiver can
/// change over without a gap.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints/{endpoint}/rotate-secret",
    tag = "Endpoints",
    operation_id = "rotateEndpointSecret",
    request_body = Rotation,
    security(("bearer" = ["webhooks:write"])),
    responses((status = 200, description = "The endpoint with its secret", body = EndpointWithSecret)),
)]
pub(super) async fn rotate(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksWrite>,
    Path(endpoint): Path<String>,
    request: Write<Rotation>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let overlap = body.overlap_seconds.map_or(OVERLAP, |one| one.0);
    if overlap > OVERLAP_MAX {
        faults.add("/overlap_seconds", "range", "must be between 0 and 604800");
    }
    let overlap = Duration::from_secs(faults.done(Some(overlap))?);
    let input = (id(&endpoint)?, terms.version, overlap);
    api.write(&caller, terms.key, input, |tx, account, (id, version, overlap)| {
        Box::pin(async move {
            let view = relay::rotate_keys(tx, account, id, *overlap, *version).await?;
            let made = EndpointWithSecret::from(view);
            Ok(answer(StatusCode::OK, &made, Some(made.endpoint.version), None))
        })
    })
    .await
}

/// Send an endpoint an event of the type `endpoint.ping`, to see whether it works.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints/{endpoint}/test",
    tag = "Endpoints",
    operation_id = "testEndpoint",
    security(("bearer" = ["webhooks:write"])),
    responses((status = 201, description = "The delivery", body = Delivery)),
)]
pub(super) async fn test(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksWrite>,
    Path(endpoint): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let input = (id(&endpoint)?, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (id, version)| {
        Box::pin(async move {
            let delivery = relay::ping_endpoint(tx, account, id, *version).await?;
            let delivery = Delivery::from(delivery);
            let location = delivery.location();
            Ok(answer(StatusCode::CREATED, &delivery, None, Some(location)))
        })
    })
    .await
}

/// Send deliveries of a window of time again, 1,000 at a time, oldest first.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints/{endpoint}/resend",
    tag = "Endpoints",
    operation_id = "resendRange",
    request_body = RangeToResend,
    security(("bearer" = ["webhooks:write"])),
    responses((status = 200, description = "How many are owed again", body = Resent)),
)]
pub(super) async fn resend(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<WebhooksWrite>,
    Path(endpoint): Path<String>,
    request: Write<RangeToResend>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let state = faults.required(body.state, "/state");
    let from = faults.required(body.from, "/from");
    let (state, from) = faults.done(state.zip(from))?;
    let range =
        relay::ResendRange { from: from.0, before: body.before.map(|at| at.0), which: state.0 };
    let input = (id(&endpoint)?, terms.version, range);
    api.write(&caller, terms.key, input, |tx, account, (id, version, range)| {
        Box::pin(async move {
            let resent = relay::resend_range(tx, account, id, range, *version).await?;
            let more = i64::try_from(resent).is_ok_and(|rows| rows >= relay::RESENT_MAX);
            Ok(answer(StatusCode::OK, &Resent { resent, has_more: more }, None, None))
        })
    })
    .await
}
