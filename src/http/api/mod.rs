//! The native JSON API under `/api/v1`, its OpenAPI document and its docs page.
//!
//! One file per noun holds its wire types and handlers; `routes` lists every route once, and both
//! the router and the document are made of that list.

mod account;
mod assurance;
mod audit;
mod auth;
mod available;
mod calls;
mod carriers;
mod check;
mod content;
mod deliveries;
mod docs;
mod endpoints;
mod error;
mod events;
mod input;
mod interactions;
mod keys;
mod legal_holds;
mod limits;
mod messages;
mod number_moves;
mod number_orders;
mod numbers;
mod openapi;
mod opening;
mod opt_outs;
mod paging;
mod participants;
mod pauses;
mod persons;
mod recordings;
mod reports;
mod retention;
mod routes;
mod service_settings;
mod services;
mod sessions;
mod twilio_proxy;
mod usage;
mod verifications;
mod wire;
mod write;

use std::sync::Arc;

use axum::{Router, middleware};

use crate::{http::limit::Limiter, relay::Relay};

/// What the API needs.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// Runs the use cases.
    pub relay: Relay,
    /// The origin that the world reaches us at, without a slash at the end.
    pub public_url: String,
    /// Counts requests.
    pub limiter: Arc<Limiter>,
}

/// What handlers share, and whether what they do is done on a full disk too. Cheap to clone.
#[derive(Debug, Clone)]
struct Api(Arc<Shared>, bool);

#[derive(Debug)]
struct Shared {
    relay: Relay,
    public_url: String,
    limiter: Arc<Limiter>,
}

/// `/api/v1/…`, `/api/openapi.json` and `/docs`, to be mounted at the root. The caller bounds the
/// length of bodies.
pub fn router(state: ApiState) -> Router {
    let public_url = state.public_url.trim_end_matches('/').to_owned();
    let docs = docs::router(&public_url);
    let ApiState { relay, limiter, .. } = state;
    let api = Api(Arc::new(Shared { relay, public_url, limiter }), false);
    routes::router()
        .route_layer(middleware::from_fn_with_state(api.clone(), auth::guard))
        .with_state(api)
        .merge(docs)
}

/// The OpenAPI document as it is committed in `docs/openapi.json`.
pub fn openapi() -> serde_json::Value {
    openapi::document("/")
}

/// Every route: method in upper case, and path.
pub fn routes() -> Vec<(String, String)> {
    routes::list()
}
