//! The support console: sessions and their calls and texts, masked, in plain words. It only reads.

mod accounts;
mod answer;
mod assets;
mod attempts;
mod door;
mod filters;
mod gate;
mod interactions;
mod search;
mod session;
mod sessions;
mod timeline;
mod when;
mod words;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::Response,
    routing::{any, get, post},
};

use self::{answer::No, assets::Assets, attempts::Attempts};
use crate::{clock::Clock, relay::Relay};

/// The longest form that is read, in bytes.
const BODY_MAX: usize = 4 * 1024;

/// What the pages may load and do: nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What the console needs.
#[derive(Debug, Clone)]
pub struct ConsoleState {
    /// Reads, and logs staff in and out.
    pub relay: Relay,
    /// Whether browsers reach it by HTTPS: then its cookie is bound to that.
    pub secure: bool,
    /// Bounds how often a client may try a code.
    pub clock: Clock,
}

#[derive(Clone)]
struct App {
    relay: Relay,
    secure: bool,
    clock: Clock,
    attempts: Arc<Attempts>,
    assets: Arc<Assets>,
}

/// Everything at and below `/console`, with full paths: to be merged, not nested. Every answer is a
/// page, also the refusals.
pub fn router(state: ConsoleState) -> Router {
    let ConsoleState { relay, secure, clock } = state;
    let app =
        App { relay, secure, clock, attempts: Arc::default(), assets: Arc::new(Assets::new()) };
    Router::new()
        .route("/console", get(sessions::home))
        .route("/console/", get(sessions::home))
        .route("/console/login", get(door::page).post(door::log_in))
        .route("/console/logout", post(door::log_out))
        .route("/console/accounts", get(accounts::page))
        .route("/console/sessions", get(sessions::page))
        .route("/console/sessions/{id}", get(session::page))
        .route("/console/interactions", get(interactions::page))
        .route("/console/search", post(search::search))
        .route("/console/assets/{name}", get(assets::asset))
        .route("/console/{*rest}", any(async || No::NOTHING_HERE))
        .method_not_allowed_fallback(async || No::METHOD)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(map_response(guarded))
        .with_state(app)
}

/// Adds what browsers must be told with every answer.
async fn guarded(mut response: Response) -> Response {
    let fixed = HeaderValue::from_static;
    let cached = response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, fixed(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(header::REFERRER_POLICY, fixed("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), fixed("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), fixed("same-origin"));
    if !cached {
        headers.entry(header::CACHE_CONTROL).or_insert(fixed("no-store"));
    }
    response
}
