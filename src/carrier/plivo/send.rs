//! Requests to Plivo's REST API, and what its answers mean.

use std::time::Duration;

use http::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{
    CAPABILITIES, Links, Outbound, Request, Response, SendError, Sent, bare, config::Config, is_id,
    voice::tried_again,
};
use crate::carrier::{
    error::{
        Retry,
        SendErrorKind::{
            self, Config as Misconfigured, InvalidNumber, OptedOut, Rejected, Throttled,
            Unreachable, Unsupported,
        },
        deleted, ended,
    },
    links::Step,
    outbound::{OutboundCall, OutboundMessage},
};

const JSON: &str = "application/json";

/// The most pictures and files that one text takes.
const MEDIA_MAX: usize = 10;

/// The least and the longest that a text may be told to wait in Plivo's queue, where none waits for three
/// hours.
const VALIDITY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10_799));

/// How long to wait after a 429 that does not say.
const THROTTLED: Duration = Duration::from_secs(1);

/// The longest that a 429 may make us wait.
const THROTTLED_MAX: Duration = Duration::from_mins(5);

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where Plivo can't do it.
pub(super) fn request(
    config: &Config,
    outbound: &Outbound,
    links: &Links,
) -> Result<Request, SendError> {
    let (path, body) = match outbound {
        Outbound::Message(text) => ("Message/", message(text, links)?),
        Outbound::Call(plan) => ("Call/", call(plan, links)),
        Outbound::EndCall { id } => {
            return hang_up(config, id).ok_or(SendError::new(Rejected, Retry::Never));
        }
        Outbound::DeleteRecording { id } if is_id(id) => {
            let url = config.url(&format!("Recording/{id}/"));
            return Ok(authorized(config, Request::new(Method::DELETE, url)));
        }
        Outbound::DeleteRecording { .. } => return Err(SendError::new(Rejected, Retry::Never)),
        // Plivo documents no way to delete what it has on record of a text or a call; recordings are asked of
        // those whose capabilities say so.
        Outbound::DeleteRecord { .. } | Outbound::Recording(_) => {
            return Err(SendError::new(Unsupported, Retry::Never));
        }
    };
    Ok(authorized(config, Request::post(config.url(path), JSON, body.to_string())))
}

/// The same request with the account's credentials.
pub(super) fn authorized(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.authorization())
}

/// The request that ends a call, or one leg of it; `None` where the id is none: it becomes a part of the
/// path.
pub(super) fn hang_up(config: &Config, id: &str) -> Option<Request> {
    let request = Request::new(Method::DELETE, config.url(&format!("Call/{id}/")));
    is_id(id).then(|| authorized(config, request))
}

fn message(text: &OutboundMessage, links: &Links) -> Result<Value, SendError> {
    if text.media.len() > MEDIA_MAX || !text.is_sent_by(&CAPABILITIES) {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    let validity = text.validity.clamp(VALIDITY.0, VALIDITY.1);
    let mut message = json!({
        "src": bare(text.from.as_str()),
        "dst": bare(text.to.expose()),
        "type": if text.media.is_empty() { "sms" } else { "mms" },
        "url": links.leg_status(&text.leg),
        "method": "POST",
        "message_expiry": validity.as_secs(),
        // Neither the words nor the whole number stay in Plivo's logs.
        "log": "false",
    });
    if !text.body.is_empty() {
        message["text"] = text.body.expose().into();
    }
    if !text.media.is_empty() {
        message["media_urls"] = text.media.clone().into();
    }
    Ok(message)
}

/// The name that is shown is set: it may be another's by default.
fn call(plan: &OutboundCall, links: &Links) -> Value {
    let (least, most) = CAPABILITIES.ring_timeout;
    let longest = CAPABILITIES.duration_max.unwrap_or(plan.duration_max);
    let news = tried_again(&links.leg_status(&plan.leg));
    json!({
        "from": bare(plan.from.as_str()),
        "to": bare(plan.to.expose()),
        "caller_name": bare(plan.from.as_str()),
        "answer_url": tried_again(&links.step(Step::Answered, &plan.leg)),
        "answer_method": "POST",
        "ring_url": news,
        "ring_method": "POST",
        "hangup_url": news,
        "hangup_method": "POST",
        "ring_timeout": plan.ring_timeout.clamp(least, most).as_secs(),
        "time_limit": plan.duration_max.clamp(least, longest).as_secs(),
    })
}

/// What Plivo's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where Plivo may have done it all the same.
pub(super) fn response(outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let ids = match outbound {
        Outbound::EndCall { id } => return ended(id, response, || error(response, &json)),
        Outbound::DeleteRecording { id } => {
            return deleted(id, response, || error(response, &json));
        }
        Outbound::DeleteRecord { .. } | Outbound::Recording(_) => {
            return Err(SendError::new(Unsupported, Retry::Never));
        }
        Outbound::Message(_) => &json["message_uuid"],
        Outbound::Call(_) => &json["request_uuid"],
    };
    if !response.status.is_success() {
        return Err(error(response, &json));
    }
    // One id, or a list with one for each recipient.
    match ids.as_str().or_else(|| ids[0].as_str()) {
        Some(id) if is_id(id) => Ok(Sent { id: id.to_owned() }),
        None if json["invalid_number"][0].is_string() => {
            Err(SendError::new(InvalidNumber, Retry::Never))
        }
        None if json["error"].is_string() => Err(refusal(response.status, &json)),
        // It was taken, but without an id its news can't be told from another's.
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

/// What an answer that is no success means.
pub(super) fn failure(response: &Response) -> SendError {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    error(response, &json)
}

fn error(response: &Response, json: &Value) -> SendError {
    let status = response.status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        let wait = response.retry_after(THROTTLED, THROTTLED_MAX);
        return with_code(SendError::new(Throttled, Retry::After(wait)), json);
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return with_code(SendError::new(Unreachable, Retry::Unknown), json);
    }
    refusal(status, json)
}

/// Plivo has decided, and would decide the same again. It says why in words only, as a rule.
fn refusal(status: StatusCode, json: &Value) -> SendError {
    let kind = code(json).and_then(|code| kind_of(&code)).unwrap_or(match status.as_u16() {
        // A redirect is not followed: it would send numbers and credentials elsewhere.
        300..=399 | 401..=404 => Misconfigured,
        _ => Rejected,
    });
    with_code(SendError::new(kind, Retry::Never), json)
}

/// The codes that say more than their status; news of texts has the same ones.
fn kind_of(code: &str) -> Option<SendErrorKind> {
    Some(match code {
        "50" => InvalidNumber,
        "200" => OptedOut,
        // The sender's number.
        "40" => Misconfigured,
        _ => return None,
    })
}

fn code(json: &Value) -> Option<String> {
    let code = &json["error_code"];
    code.as_str().map(str::to_owned).or_else(|| code.as_u64().map(|code| code.to_string()))
}

fn with_code(error: SendError, json: &Value) -> SendError {
    match code(json) {
        Some(code) => error.with_code(&code),
        None => error,
    }
}
