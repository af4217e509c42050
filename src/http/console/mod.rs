//! The support console: sessions and their calls and texts, masked, in plain words; and who may see them.

mod accounts;
mod acts;
mod answer;
mod assets;
mod attempts;
mod audit;
mod deliveries;
mod developer;
mod door;
mod events;
mod exports;
mod filters;
mod gate;
mod interactions;
mod login;
mod me;
mod moderation;
mod moderation_history;
mod moderation_item;
mod notes;
mod numbers;
mod numbers_why;
mod oidc;
mod overview;
mod passkeys;
mod people;
mod pool_import;
mod pool_number;
mod pools;
mod routes;
mod search;
mod session;
mod sessions;
mod staff;
mod timeline;
mod touched;
mod trail;
mod when;
mod words;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{from_fn, map_response},
    response::Response,
    routing::{any, get},
};

use self::{answer::No, assets::Assets, attempts::Attempts, overview::Watchers};
use crate::{clock::Clock, relay::Relay};

/// The longest form that is read, in bytes.
const BODY_MAX: usize = 16 * 1024;
/// The longest file of numbers, in bytes as a form sends them: some ten thousand numbers.
const FILE_MAX: usize = 1024 * 1024;

/// What the pages may load and do: nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

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
    asked: Arc<Attempts>,
    assets: Arc<Assets>,
    watchers: Arc<Watchers>,
}

/// Everything at and below `/console`, with full paths: to be merged, not nested. Every answer is a
/// page, also the refusals.
pub fn router(state: ConsoleState) -> Router {
    let ConsoleState { relay, secure, clock } = state;
    let app = App {
        relay,
        secure,
        clock,
        attempts: Arc::new(Attempts::up_to(attempts::WRONG_MAX)),
        asked: Arc::new(Attempts::up_to(attempts::ASKED_MAX)),
        assets: Arc::new(Assets::new()),
        watchers: Arc::new(Watchers::default()),
    };
    Router::new()
        .merge(routes::logins(&app))
        .merge(routes::staff(&app))
        .merge(routes::log(&app))
        .merge(routes::pools(&app))
        .merge(routes::taken(&app))
        .merge(routes::queue(&app))
        .merge(acts::routes(&app))
        .merge(overview::routes(&app))
        .merge(developer::routes(&app))
        .route("/console/assets/{name}", get(assets::asset))
        .route("/console/{*rest}", any(async || No::NOTHING_HERE))
        .method_not_allowed_fallback(async || No::METHOD)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn(gate::own_forms))
        .layer(from_fn(gate::refusals))
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
