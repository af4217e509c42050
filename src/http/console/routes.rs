//! Which page is at which path, and what somebody must be allowed to see it.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

use super::{
    App, FILE_MAX, accounts, audit, deliveries, events, exports, gate, interactions, login, me,
    moderation, moderation_item, notes, numbers, numbers_why, oidc, passkeys, pool_import,
    pool_number, pools, search, session, sessions, staff,
};
use crate::domain::staff::Permission as P;

/// Getting in and out, and one's own login.
pub(super) fn logins(app: &App) -> Router<App> {
    let own = |route| gate::at_large(app, None, route);
    Router::new()
        .route("/console", own(get(sessions::home)))
        .route("/console/", own(get(sessions::home)))
        .route("/console/login", get(login::page).post(login::by_password))
        .route("/console/login/link", post(login::by_link))
        .route("/console/login/code", get(login::code_page).post(login::by_code))
        .route("/console/login/oidc", get(oidc::go))
        .route("/console/login/oidc/back", get(oidc::back))
        .route("/console/prove/oidc", own(get(oidc::go_to_prove)))
        .route("/console/logout", post(login::log_out))
        .route("/console/language", post(login::language))
        .route("/console/prove", own(get(login::prove_page).post(login::prove)))
        .route("/console/me", own(get(me::page)))
        .route("/console/me/password", own(get(me::password_page).post(me::set_password)))
        .route("/console/me/app", own(get(me::app_page).post(me::confirm_app)))
        .route("/console/me/app/remove", own(post(me::remove_app)))
        .route("/console/me/codes", own(post(me::renew_codes)))
        .route("/console/login/passkey/ask", post(passkeys::ask_for_login))
        .route("/console/login/passkey", post(passkeys::log_in))
        .route("/console/prove/passkey/ask", own(post(passkeys::ask_for_proof)))
        .route("/console/prove/passkey", own(post(passkeys::prove)))
        .route("/console/me/passkeys/ask", own(post(passkeys::ask_for_new)))
        .route("/console/me/passkeys", own(post(passkeys::add)))
        .route("/console/me/passkeys/remove", own(post(passkeys::remove)))
        .route("/console/me/browsers/{id}/end", own(post(me::end_browser)))
        .route("/console/accounts", own(get(accounts::page)))
}

/// Who is let in.
pub(super) fn staff(app: &App) -> Router<App> {
    let all = |what, route| gate::at_large(app, Some(what), route);
    Router::new()
        .route("/console/staff", all(P::Staff, get(staff::page).post(staff::invite)))
        .route("/console/staff/{id}", all(P::Staff, get(staff::one)))
        .route("/console/staff/{id}/grant", all(P::Staff, post(staff::grant)))
        .route("/console/staff/{id}/revoke", all(P::Staff, post(staff::revoke)))
        .route("/console/staff/{id}/link", all(P::Staff, post(staff::link)))
        .route("/console/staff/{id}/expire", all(P::Staff, post(staff::expire)))
        .route("/console/staff/{id}/second", all(P::Staff, post(staff::remove_second_steps)))
        .route("/console/staff/{id}/disable", all(P::Staff, post(staff::disable)))
        .route("/console/staff/{id}/enable", all(P::Staff, post(staff::enable)))
        .route(
            "/console/staff/{id}/browsers/{browser}/end",
            all(P::Staff, post(staff::end_browser)),
        )
}

/// What happened: sessions, calls and texts, numbers, and what the marketplace was told.
pub(super) fn log(app: &App) -> Router<App> {
    let about = |what, route| gate::within(app, what, route);
    Router::new()
        .route("/console/sessions", about(P::View, get(sessions::page)))
        .route("/console/sessions/{id}", about(P::View, get(session::page)))
        .route("/console/sessions/{id}/notes", about(P::Act, post(notes::add)))
        .route("/console/sessions/{id}/case", about(P::Act, post(notes::set_case)))
        .route("/console/sessions/{id}/numbers", about(P::View, get(numbers_why::page)))
        .route("/console/interactions", about(P::View, get(interactions::page)))
        .route("/console/numbers", about(P::View, get(numbers::page)))
        .route("/console/events", about(P::View, get(events::page)))
        .route("/console/deliveries", about(P::Develop, get(deliveries::page)))
        .route("/console/deliveries/resend", about(P::Develop, post(deliveries::resend)))
        .route("/console/deliveries/replay", about(P::Develop, post(deliveries::replay)))
        .route("/console/search", about(P::View, post(search::search)))
}

/// Proxy numbers, and why one was chosen.
pub(super) fn pools(app: &App) -> Router<App> {
    let about = |what, route| gate::within(app, what, route);
    Router::new()
        .route("/console/pools", about(P::View, get(pools::page)))
        .route(
            "/console/pools/import",
            about(P::Pools, get(pool_import::form).post(pool_import::import))
                .layer(DefaultBodyLimit::max(FILE_MAX)),
        )
        .route("/console/pools/numbers/{id}", about(P::View, get(pool_number::page)))
        .route("/console/pools/numbers/{id}/change", about(P::Pools, post(pool_number::change)))
        .route("/console/pools/numbers/{id}/move", about(P::Pools, post(pool_number::move_off)))
        .route("/console/pools/moves/{id}/undo", about(P::Pools, post(pool_number::undo)))
}

/// What is taken away as a file, and the audit log.
pub(super) fn taken(app: &App) -> Router<App> {
    let about = |what, route| gate::within(app, what, route);
    let all = |what, route| gate::at_large(app, Some(what), route);
    Router::new()
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
}

/// What waits for a moderator.
pub(super) fn queue(app: &App) -> Router<App> {
    let about = |what, route| gate::within(app, what, route);
    Router::new()
        .route("/console/moderation", about(P::Moderate, get(moderation::page)))
        .route("/console/moderation/{id}", about(P::Moderate, get(moderation_item::page)))
        .route("/console/moderation/{id}/assign", about(P::Moderate, post(moderation_item::assign)))
        .route("/console/moderation/{id}/decide", about(P::Moderate, post(moderation_item::decide)))
}
