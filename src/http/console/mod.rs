//! The support console: sessions and their calls and texts, masked, in plain words; and who may see them.

mod accounts;
mod answer;
mod assets;
mod attempts;
mod audit;
mod deliveries;
mod door;
mod events;
mod exports;
mod filters;
mod gate;
mod interactions;
mod login;
mod me;
mod numbers;
mod search;
mod session;
mod sessions;
mod staff;
mod timeline;
mod when;
mod words;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{from_fn, map_response},
    response::Response,
    routing::{any, get, post},
};

use self::{answer::No, assets::Assets, attempts::Attempts};
use crate::{clock::Clock, domain::staff::Permission as P, relay::Relay};

/// The longest form that is read, in bytes.
const BODY_MAX: usize = 16 * 1024;

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
    let about = |what, route| gate::within(&app, what, route);
    let own = |route| gate::at_large(&app, None, route);
    let all = |what, route| gate::at_large(&app, Some(what), route);
    Router::new()
        .route("/console", own(get(sessions::home)))
        .route("/console/", own(get(sessions::home)))
        .route("/console/login", get(login::page).post(login::by_password))
        .route("/console/login/link", post(login::by_link))
        .route("/console/login/code", get(login::code_page).post(login::by_code))
        .route("/console/logout", post(login::log_out))
        .route("/console/language", post(login::language))
        .route("/console/prove", own(get(login::prove_page).post(login::prove)))
        .route("/console/me", own(get(me::page)))
        .route("/console/me/password", own(get(me::password_page).post(me::set_password)))
        .route("/console/me/app", own(get(me::app_page).post(me::confirm_app)))
        .route("/console/me/app/remove", own(post(me::remove_app)))
        .route("/console/me/codes", own(post(me::renew_codes)))
        .route("/console/me/browsers/{id}/end", own(post(me::end_browser)))
        .route("/console/staff", all(P::Staff, get(staff::page).post(staff::invite)))
        .route("/console/staff/{id}", all(P::Staff, get(staff::one)))
        .route("/console/staff/{id}/grant", all(P::Staff, post(staff::grant)))
        .route("/console/staff/{id}/revoke", all(P::Staff, post(staff::revoke)))
        .route("/console/staff/{id}/link", all(P::Staff, post(staff::link)))
        .route("/console/staff/{id}/expire", all(P::Staff, post(staff::expire)))
        .route("/console/staff/{id}/disable", all(P::Staff, post(staff::disable)))
        .route("/console/staff/{id}/enable", all(P::Staff, post(staff::enable)))
        .route(
            "/console/staff/{id}/browsers/{browser}/end",
            all(P::Staff, post(staff::end_browser)),
        )
        .route("/console/accounts", own(get(accounts::page)))
        .route("/console/sessions", about(P::View, get(sessions::page)))
        .route("/console/sessions/{id}", about(P::View, get(session::page)))
        .route("/console/interactions", about(P::View, get(interactions::page)))
        .route("/console/numbers", about(P::View, get(numbers::page)))
        .route("/console/events", about(P::View, get(events::page)))
        .route("/console/deliveries", about(P::Develop, get(deliveries::page)))
        .route("/console/deliveries/resend", about(P::Develop, post(deliveries::resend)))
        .route("/console/deliveries/replay", about(P::Develop, post(deliveries::replay)))
        .route("/console/exports", about(P::Export, get(exports::page).post(exports::make)))
        .route("/console/exports/{id}", about(P::Export, get(exports::one)))
        .route("/console/exports/{id}/file", about(P::Export, post(exports::file)))
        .route("/console/exports/{id}/cancel", about(P::Export, post(exports::cancel)))
        .route("/console/audit/exports", about(P::Audit, get(exports::page).post(exports::make)))
        .route("/console/audit/exports/{id}", about(P::Audit, get(exports::one)))
        .route("/console/audit/exports/{id}/file", about(P::Audit, post(exports::file)))
        .route("/console/audit/exports/{id}/cancel", about(P::Audit, post(exports::cancel)))
        .route("/console/audit", about(P::Audit, get(audit::page)))
        .route("/console/audit/verify", about(P::Audit, post(audit::verify)))
        .route("/console/audit/installation", all(P::Audit, get(audit::installation)))
        .route(
            "/console/audit/installation/verify",
            all(P::Audit, post(audit::verify_installation)),
        )
        .route("/console/search", about(P::View, post(search::search)))
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
