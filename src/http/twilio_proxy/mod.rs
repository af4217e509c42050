//! The drop-in for Twilio Proxy under `/v1`: its paths, shapes, words and codes over the use cases of
//! the native API.
//!
//! One file per resource. Answers hold people's numbers and words in clear: they are one of the two
//! places where these leave (`docs/privacy.md`), and no cache may keep them.

mod at;
mod auth;
mod error;
mod form;
mod interactions;
mod message_interactions;
mod paging;
mod participants;
mod phone_numbers;
mod services;
mod sessions;
mod short_codes;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    middleware,
    response::Response,
    routing::{MethodRouter, any, get},
};
use futures_util::future::BoxFuture;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

pub use self::error::errors;
use self::error::{About, Code, Refusal, refusal};
use crate::{
    http::limit::Limiter,
    ids::AccountId,
    relay::{Answer, Caller, Error, Relay},
    store::Tx,
};

/// What the API needs.
#[derive(Debug, Clone)]
pub struct ProxyState {
    /// Runs the use cases.
    pub relay: Relay,
    /// The origin that the world reaches us at, without a slash at the end.
    pub public_url: String,
    /// Counts requests, together with the native API's.
    pub limiter: Arc<Limiter>,
    /// How large a pool may become here.
    pub pool: PoolLimits,
}

/// How many active numbers this API lets a service have.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// That are not reserved.
    pub numbers: u32,
    /// That are.
    pub reserved: u32,
}

/// What handlers share. Cheap to clone.
#[derive(Debug, Clone)]
struct Proxy(Arc<ProxyState>);

/// `/v1/…`, to be mounted at the root. The caller bounds the length of bodies.
pub fn router(state: ProxyState) -> Router {
    let public_url = state.public_url.trim_end_matches('/').to_owned();
    let proxy = Proxy(Arc::new(ProxyState { public_url, ..state }));
    let nothing = || async { Refusal::new(Code::NotFound) };
    routes()
        .route("/v1", any(nothing))
        .route("/v1/", any(nothing))
        .route("/v1/{*rest}", any(nothing))
        .route_layer(middleware::from_fn_with_state(proxy.clone(), auth::guard))
        .with_state(proxy)
}

/// Every path of the API, as its routes are made of them.
pub fn paths() -> Vec<String> {
    listed().into_iter().map(|(path, _)| path).collect()
}

fn routes() -> Router<Proxy> {
    listed().into_iter().fold(Router::new(), |router, (path, methods)| {
        let refused = || async { Refusal::new(Code::MethodNotAllowed) };
        router.route(&path, methods.fallback(refused))
    })
}

fn listed() -> Vec<(String, MethodRouter<Proxy>)> {
    const SERVICE: &str = "/v1/Services/{service}";
    const SESSION: &str = "/v1/Services/{service}/Sessions/{session}";
    const PARTICIPANT: &str =
        "/v1/Services/{service}/Sessions/{session}/Participants/{participant}";
    vec![
        ("/v1/Services".into(), get(services::list).post(services::create)),
        (SERVICE.into(), get(services::fetch).post(services::update).delete(services::delete)),
        (format!("{SERVICE}/PhoneNumbers"), get(phone_numbers::list).post(phone_numbers::create)),
        (
            format!("{SERVICE}/PhoneNumbers/{{number}}"),
            get(phone_numbers::fetch).post(phone_numbers::update).delete(phone_numbers::delete),
        ),
        (format!("{SERVICE}/ShortCodes"), get(short_codes::list).post(short_codes::create)),
        (
            format!("{SERVICE}/ShortCodes/{{number}}"),
            get(short_codes::none).post(short_codes::none).delete(short_codes::none),
        ),
        (format!("{SERVICE}/Sessions"), get(sessions::list).post(sessions::create)),
        (SESSION.into(), get(sessions::fetch).post(sessions::update).delete(sessions::delete)),
        (format!("{SESSION}/Participants"), get(participants::list).post(participants::create)),
        (PARTICIPANT.into(), get(participants::fetch).delete(participants::delete)),
        (
            format!("{PARTICIPANT}/MessageInteractions"),
            get(message_interactions::list).post(message_interactions::create),
        ),
        (
            format!("{PARTICIPANT}/MessageInteractions/{{interaction}}"),
            get(message_interactions::fetch),
        ),
        (format!("{SESSION}/Interactions"), get(interactions::list)),
        (
            format!("{SESSION}/Interactions/{{interaction}}"),
            get(interactions::fetch).delete(interactions::delete),
        ),
    ]
}

impl Proxy {
    /// The absolute address of a resource, by what follows `/v1`.
    fn url(&self, rest: impl std::fmt::Display) -> String {
        format!("{}/v1{rest}", self.0.public_url)
    }

    fn relay(&self) -> &Relay {
        &self.0.relay
    }

    /// Runs one write in a transaction and answers with it.
    async fn write<I, F>(
        &self,
        caller: &Caller,
        about: About,
        input: I,
        work: F,
    ) -> Result<Response, Refusal>
    where
        I: Send + Sync + 'static,
        F: for<'t> Fn(
                &'t mut Tx,
                &'t Proxy,
                &'t AccountId,
                &'t I,
            ) -> BoxFuture<'t, Result<Answer, Error>>
            + Send
            + Sync
            + 'static,
    {
        // The work may run twice, and outlive this request.
        let held = Arc::new((self.clone(), caller.account.clone(), input, work));
        let relay = self.relay().by(caller.by());
        let done = relay.perform(&caller.account, None, move |tx| {
            let held = Arc::clone(&held);
            Box::pin(async move { held.3(tx, &held.0, &held.1, &held.2).await })
        });
        let answer = done.await.map_err(|error| refusal(error, about))?;
        Ok(respond(answer.status, answer.body))
    }

    /// The same for what ends a contact: it is done on a full disk too.
    fn urgent(&self) -> Self {
        let ProxyState { relay, public_url, limiter, pool } = &*self.0;
        let state = ProxyState {
            relay: relay.urgent(),
            public_url: public_url.clone(),
            limiter: Arc::clone(limiter),
            pool: *pool,
        };
        Self(Arc::new(state))
    }
}

/// What a write answers with.
fn answer(status: StatusCode, body: &Value) -> Answer {
    Answer { body: body.to_string(), ..Answer::empty(status.as_u16()) }
}

/// Done, and there is nothing to show: with a body, Python's SDK would take it for a resource.
fn nothing() -> Answer {
    Answer::empty(StatusCode::NO_CONTENT.as_u16())
}

fn respond(status: u16, body: String) -> Response {
    let empty = body.is_empty();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if !empty {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    response
}

/// Answers a read.
fn shown(body: &Value) -> Response {
    respond(StatusCode::OK.as_u16(), body.to_string())
}
