//! The sandbox over HTTP: the two-phones page, the phones' API, and the carrier's API.

mod body;
mod carrier;
mod live;
mod numbers;
mod page;
mod phones;
mod pictures;
mod views;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::Response,
    routing::{delete, get, post},
};
use tokio::sync::Semaphore;

use self::body::Fault;
use crate::sandbox::{Network, PICTURE_MAX};

/// The longest body that is read, in bytes.
const BODY_MAX: usize = 64 * 1024;
/// The most live streams at once.
const STREAMS_MAX: usize = 64;
/// How many phones the page and its stream show: the first so many that were registered.
const PHONES_SHOWN: usize = 8;

/// What the page may load and do: nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

#[derive(Clone)]
struct App {
    network: Arc<Network>,
    streams: Arc<Semaphore>,
}

/// Everything below `/sandbox`, to be nested there: its own paths begin after it.
pub fn router(network: Arc<Network>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/phones.js", get(page::script))
        .route("/phones.css", get(page::style))
        .route("/api/phones", get(phones::list).post(phones::register))
        .route("/api/phones/{id}", get(phones::view))
        .route("/api/phones/{id}/contacts", post(phones::contact))
        .route("/api/phones/{id}/text", post(phones::text))
        .route("/api/phones/{id}/dial", post(phones::dial))
        .route("/api/phones/{id}/answer", post(phones::answer))
        .route("/api/phones/{id}/decline", post(phones::decline))
        .route("/api/phones/{id}/hang_up", post(phones::hang_up))
        .route("/api/phones/{id}/press", post(phones::press))
        .route("/api/pictures/{id}", get(pictures::shown))
        .route("/api/faults", get(phones::faults).put(phones::set_faults))
        .route("/api/live", get(live::live))
        .route("/carrier/v1/account", get(carrier::account))
        .route("/carrier/v1/numbers/{id}", get(carrier::number))
        .route("/carrier/v1/stock", get(numbers::on_sale))
        .route("/carrier/v1/rented", get(numbers::rented).post(numbers::buy))
        .route("/carrier/v1/rented/{number}", post(numbers::set).delete(numbers::give_back))
        .route("/carrier/v1/messages", get(carrier::messages).post(carrier::message))
        .route("/carrier/v1/calls", get(carrier::calls).post(carrier::call))
        .route("/carrier/v1/messages/{id}", delete(carrier::forget_text))
        .route("/carrier/v1/calls/{id}", delete(carrier::forget_call))
        .route("/carrier/v1/calls/{id}/end", post(carrier::end))
        .route("/carrier/v1/calls/{id}/recording", post(carrier::recording))
        .route("/carrier/v1/media/{id}", get(pictures::fetched).delete(pictures::forgotten))
        .fallback(async || Fault::new(StatusCode::NOT_FOUND, "there is nothing here"))
        .method_not_allowed_fallback(async || {
            Fault::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not take that method")
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .route("/api/pictures", post(pictures::add).layer(DefaultBodyLimit::max(PICTURE_MAX)))
        .layer(map_response(guarded))
        .with_state(App { network, streams: Arc::new(Semaphore::new(STREAMS_MAX)) })
}

/// Adds what browsers must be told with every answer.
async fn guarded(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(header::CONTENT_SECURITY_POLICY, fixed(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(header::REFERRER_POLICY, fixed("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(fixed("no-store"));
    response
}
