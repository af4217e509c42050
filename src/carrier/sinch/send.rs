//! Requests to Sinch's APIs, and what their answers mean.

use std::time::Duration;

use http::{Method, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{
    CAPABILITIES, Outbound, Request, Response, SendError, Sent, bare, config::Config, is_id,
    mark::Mark, seconds, voice,
};
use crate::{
    carrier::{
        error::{
            Retry,
            SendErrorKind::{
                Config as Misconfigured, Rejected, Throttled, Unreachable, Unsupported,
            },
            ended,
        },
        outbound::{OutboundCall, OutboundMessage},
    },
    domain::time::Timestamp,
};

const JSON: &str = "application/json";

/// How long to wait after a 429 that does not say, and the longest that one may make us wait.
const THROTTLED: Duration = Duration::from_secs(1);
const THROTTLED_MAX: Duration = Duration::from_mins(5);

/// How long a text may be held at the least.
const VALIDITY_MIN: Duration = Duration::from_mins(1);

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where Sinch can't do it.
pub(super) fn request(config: &Config, outbound: &Outbound) -> Result<Request, SendError> {
    match outbound {
        Outbound::Message(text) => {
            let request = Request::post(config.batches_url(), JSON, batch(text)?);
            Ok(with_token(config, request))
        }
        Outbound::Call(plan) => {
            let request = Request::post(config.calls_url("callouts"), JSON, callout(plan));
            Ok(of_application(config, request))
        }
        Outbound::EndCall { id } if is_id(id) => {
            let body = json!({ "instructions": [], "action": { "name": "hangup" } }).to_string();
            let request = Request::post(config.calls_url(&format!("calls/id/{id}")), JSON, body);
            Ok(of_application(config, Request { method: Method::PATCH, ..request }))
        }
        Outbound::EndCall { .. } => Err(SendError::new(Rejected, Retry::Never)),
        Outbound::DeleteRecording { .. }
        | Outbound::DeleteRecord { .. }
        | Outbound::Recording(_) => Err(SendError::new(Unsupported, Retry::Never)),
    }
}

/// The same request with the service plan's token.
pub(super) fn with_token(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.token())
}

/// The same request with the application's key and secret.
pub(super) fn of_application(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.application())
}

/// A text, whose end is in seconds until it leaves ([`expiring`]).
fn batch(text: &OutboundMessage) -> Result<String, SendError> {
    if !text.is_sent_by(&CAPABILITIES) {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    let words = text.body.expose();
    let (kind, body) = match &text.media[..] {
        [] => ("mt_text", Value::from(words)),
        [address] if words.is_empty() => ("mt_media", json!({ "url": address })),
        [address] => ("mt_media", json!({ "url": address, "message": words })),
        _ => return Err(SendError::new(Unsupported, Retry::Never)),
    };
    Ok(json!({
        "from": bare(text.from.as_str()),
        "to": [bare(text.to.expose())],
        "type": kind,
        "body": body,
        "delivery_report": "per_recipient",
        "client_reference": text.leg.to_string(),
        "expire_at": seconds(text.validity, VALIDITY_MIN, CAPABILITIES.validity_max),
    })
    .to_string())
}

/// The request as it leaves: Sinch wants to know until when a text may be held, not how long.
pub(super) fn expiring(request: Request, now: Timestamp) -> Request {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let Some(held) = body["expire_at"].as_u64() else { return request };
    let mut body = body;
    body["expire_at"] = (now + Duration::from_secs(held)).rfc3339().into();
    Request { body: body.to_string().into(), ..request }
}

/// A call that Sinch steers by itself until it is answered, and then by what we answer.
fn callout(plan: &OutboundCall) -> String {
    let mark = Mark::Placed { leg: plan.leg.clone() };
    let dial =
        voice::dial(plan.to.expose(), plan.from.as_str(), plan.ring_timeout, plan.duration_max);
    let first = json!({ "instructions": [mark.instruction()], "action": dial });
    json!({
        "method": "customCallout",
        "customCallout": { "custom": mark.text(), "ice": first.to_string() },
    })
    .to_string()
}

/// What Sinch's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where Sinch may have done it all the same.
pub(super) fn response(outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    match outbound {
        Outbound::EndCall { id } => ended(id, response, || error(response, &json)),
        Outbound::DeleteRecording { .. }
        | Outbound::DeleteRecord { .. }
        | Outbound::Recording(_) => Err(SendError::new(Unsupported, Retry::Never)),
        _ if !response.status.is_success() => Err(error(response, &json)),
        Outbound::Call(_) => taken(&json["callId"]),
        Outbound::Message(_) => taken(&json["id"]),
    }
}

/// It was taken, but without an id its news can't be told from another's.
fn taken(id: &Value) -> Result<Sent, SendError> {
    match id.as_str() {
        Some(id) if is_id(id) => Ok(Sent { id: id.to_owned() }),
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

/// What an answer that is no success means: its status, with the word or the number of its error.
pub(super) fn error(response: &Response, json: &Value) -> SendError {
    let status = response.status;
    let error = match status.as_u16() {
        429 => {
            let wait = response.retry_after(THROTTLED, THROTTLED_MAX);
            SendError::new(Throttled, Retry::After(wait))
        }
        ..300 | 408 | 500.. => SendError::new(Unreachable, Retry::Unknown),
        // A redirect is not followed: it would send numbers and credentials elsewhere.
        300..=399 | 401..=404 => SendError::new(Misconfigured, Retry::Never),
        _ => SendError::new(Rejected, Retry::Never),
    };
    let number = json["errorCode"].as_u64().map(|code| code.to_string());
    match json["code"].as_str().map(str::to_owned).or(number) {
        Some(code) => error.with_code(&code),
        None => error,
    }
}
