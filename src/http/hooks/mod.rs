//! Carriers' webhooks: raw bytes, the signature and our address's seal first, and no 2xx before the commit.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, State},
    response::Response,
    routing::post,
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{
    carrier::{
        Request, WebhookError,
        plan::{Answer, Reply},
    },
    clock::Clock,
    relay::{Commanded, Configured, Relay},
    telemetry::metrics,
};

/// What the webhooks need.
#[derive(Debug, Clone)]
pub struct Hooks {
    /// Takes in events.
    pub relay: Relay,
    /// The public origin: carriers sign the address that they were given.
    pub origin: String,
    /// Tells stale signatures.
    pub clock: Clock,
    /// The longest body.
    pub body_bytes_max: usize,
}

/// `POST /hooks/{carrier}/{message|call|status}`, and `GET` of calls for what a carrier asks by no other
/// method (Vonage: what to say to somebody who answered). `GET` of messages says that the address is
/// there: Vonage asks before it takes it.
pub fn router(hooks: Hooks) -> Router {
    let limit = DefaultBodyLimit::max(hooks.body_bytes_max);
    Router::new()
        .route("/hooks/{carrier}/message", post(hook).get(alive))
        .route("/hooks/{carrier}/call", post(hook).get(hook))
        .route("/hooks/{carrier}/status", post(hook))
        .layer(limit)
        .with_state(hooks)
}

/// Whether there is such a carrier. Nothing of the request is read, and nothing is told but that.
async fn alive(State(hooks): State<Hooks>, Path(carrier): Path<String>) -> StatusCode {
    let known = hooks.relay.carriers().get(&carrier).is_some();
    if known { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

async fn hook(
    State(hooks): State<Hooks>,
    Path(carrier): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(carrier) = hooks.relay.carriers().get(&carrier) else {
        return plain(StatusCode::NOT_FOUND);
    };
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let request = Request { method, url: format!("{}{path}", hooks.origin), headers, body };
    if let Err(error) = carrier.adapter.verify(&request, hooks.clock.now()) {
        return match carrier.adapter.challenge() {
            Some(challenge) if !request.headers.contains_key(AUTHORIZATION) => {
                challenged(carrier, challenge)
            }
            _ => refused(carrier, &error),
        };
    }
    if !carrier.links.made(request.query()) {
        return refused(carrier, &WebhookError::BadAddress);
    }
    let events = match carrier.adapter.parse_with(&request, &carrier.links) {
        Ok(events) => events,
        Err(error) => return refused(carrier, &error),
    };
    let mut answer = Answer::Ack;
    for event in &events {
        match hooks.relay.handle(&carrier.id, event).await {
            Ok(handled) => {
                metrics::webhook(&carrier.id, handled.kind, handled.outcome);
                if events.len() == 1 || handled.answer != Answer::Ack {
                    answer = handled.answer;
                }
            }
            Err(error) => {
                tracing::error!(carrier = carrier.id, %error, "a webhook was not taken");
                return not_taken(carrier);
            }
        }
    }
    let worded = carrier.adapter.reply_for(&answer, &request, &events, &carrier.links);
    if hooks.relay.command(carrier, &worded.commands).await == Commanded::Again {
        // Told again, it gets the same answer, and so the same commands.
        return not_taken(carrier);
    }
    reply(worded)
}

/// Asks a carrier for its credentials, which it does not send before.
fn challenged(carrier: &Configured, challenge: &'static str) -> Response {
    metrics::webhook(&carrier.id, "other", "challenged");
    let mut response = plain(StatusCode::UNAUTHORIZED);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

fn refused(carrier: &Configured, error: &WebhookError) -> Response {
    let (status, outcome) = match error {
        WebhookError::BadSignature => (StatusCode::FORBIDDEN, "bad_signature"),
        WebhookError::Stale => (StatusCode::FORBIDDEN, "stale"),
        WebhookError::BadAddress => (StatusCode::FORBIDDEN, "bad_address"),
        WebhookError::BadToken => (StatusCode::FORBIDDEN, "bad_token"),
        WebhookError::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
    };
    metrics::webhook(&carrier.id, "other", outcome);
    tracing::warn!(carrier = carrier.id, %error, "a webhook was refused");
    plain(status)
}

fn not_taken(carrier: &Configured) -> Response {
    metrics::webhook(&carrier.id, "other", "failed");
    let mut response = reply(carrier.adapter.reply(&Answer::Nack, &carrier.links));
    response.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    response
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn reply(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.response.body));
    *response.status_mut() = reply.response.status;
    *response.headers_mut() = reply.response.headers;
    response
}
