//! Requests to Bandwidth's APIs, and what their answers mean.

use std::time::Duration;

use http::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{LIMITS, Links, Outbound, Request, Response, SendError, Sent, config::Config, is_id};
use crate::{
    carrier::{
        error::{
            Retry,
            SendErrorKind::{
                self, Config as Misconfigured, InvalidNumber, Rejected, Throttled, Unreachable,
                Unsupported,
            },
            deleted, ended,
        },
        links::Step,
        outbound::{OutboundCall, OutboundMessage},
    },
    domain::time::Timestamp,
};

const JSON: &str = "application/json";

/// The path of a list with one call at most.
pub(super) const ONE_CALL: &str = "/calls?pageSize=1";

/// The most pictures and files that one text is given.
const MEDIA_MAX: usize = 10;

/// How long to wait after a 429 that does not say.
const THROTTLED: Duration = Duration::from_secs(1);

/// The longest that a 429 may make us wait.
const THROTTLED_MAX: Duration = Duration::from_mins(5);

/// The member that says when a text expires. Until [`dated`] it is a length of time, as ISO 8601 writes
/// one.
const EXPIRATION: &str = "expiration";

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where Bandwidth can't do it, or has no application for it.
pub(super) fn request(
    config: &Config,
    outbound: &Outbound,
    links: &Links,
) -> Result<Request, SendError> {
    let unsupported = SendError::new(Unsupported, Retry::Never);
    let (url, body) = match outbound {
        Outbound::Message(text) => {
            let application = config.messaging_application.as_deref();
            let fits = text.media.len() <= MEDIA_MAX && text.is_sent_by(&LIMITS);
            let application = application.filter(|_| fits);
            let body = message(application.ok_or(unsupported)?, text);
            (config.messaging_url("/messages"), body)
        }
        Outbound::Call(plan) => {
            let application = config.voice_application.as_deref().ok_or(unsupported)?;
            (config.voice_url("/calls"), call(config, application, plan, links))
        }
        Outbound::EndCall { id } => {
            // The id becomes a part of the path: one that is not an id must not choose another.
            if !is_id(id) {
                return Err(SendError::new(Rejected, Retry::Never));
            }
            (config.voice_url(&format!("/calls/{id}")), json!({ "state": "completed" }))
        }
        Outbound::DeleteRecording { id } => {
            let ids = id.split_once('/').filter(|(call, id)| is_id(call) && is_id(id));
            let (call, id) = ids.ok_or(SendError::new(Rejected, Retry::Never))?;
            let url = config.voice_url(&format!("/calls/{call}/recordings/{id}"));
            return Ok(authorized(config, Request::new(Method::DELETE, url)));
        }
        // Bandwidth documents no way to delete what it has on record of a text or a call; recordings are asked
        // of those whose capabilities say so.
        Outbound::DeleteRecord { .. } | Outbound::Recording(_) => {
            return Err(SendError::new(Unsupported, Retry::Never));
        }
    };
    Ok(authorized(config, Request::post(url, JSON, body.to_string())))
}

/// The same request with the account's credentials.
pub(super) fn authorized(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.authorization())
}

/// The request with the time at which its text expires, if it is one of a text.
pub(super) fn dated(mut request: Request, now: Timestamp) -> Request {
    let body: Option<Value> = serde_json::from_slice(&request.body).ok();
    let seconds = body.as_ref().and_then(|body| {
        body[EXPIRATION].as_str()?.strip_prefix("PT")?.strip_suffix('S')?.parse().ok()
    });
    if let (Some(mut body), Some(seconds)) = (body, seconds) {
        body[EXPIRATION] = (now + Duration::from_secs(seconds)).rfc3339().into();
        request.body = body.to_string().into();
    }
    request
}

/// The leg goes as a tag: a text has no address of its own for its receipts.
fn message(application: &str, text: &OutboundMessage) -> Value {
    let held = text.validity.clamp(Duration::from_secs(1), LIMITS.validity_max);
    let mut message = json!({
        "applicationId": application,
        "from": text.from.as_str(),
        "to": [text.to.expose()],
        "tag": text.leg.as_str(),
        EXPIRATION: format!("PT{}S", held.as_secs()),
    });
    if !text.body.is_empty() {
        message["text"] = text.body.expose().into();
    }
    if !text.media.is_empty() {
        message["media"] = text.media.clone().into();
    }
    message
}

/// The name that is shown is set, whatever Bandwidth shows without it.
fn call(config: &Config, application: &str, plan: &OutboundCall, links: &Links) -> Value {
    let (least, most) = LIMITS.ring_timeout;
    json!({
        "applicationId": application,
        "from": plan.from.as_str(),
        "displayName": plan.from.as_str(),
        "to": plan.to.expose(),
        "answerUrl": links.step(Step::Answered, &plan.leg),
        "answerMethod": "POST",
        "disconnectUrl": links.leg_status(&plan.leg),
        "disconnectMethod": "POST",
        "username": config.webhook_username,
        "password": config.leg_password(&plan.leg),
        "callTimeout": plan.ring_timeout.clamp(least, most).as_secs(),
    })
}

/// What Bandwidth's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where Bandwidth may have done it all the same.
pub(super) fn response(outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if let Outbound::EndCall { id } = outbound {
        return ended(id, response, || error(response, &json));
    }
    if let Outbound::DeleteRecord { .. } = outbound {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    if let Outbound::DeleteRecording { id } = outbound {
        return deleted(id, response, || error(response, &json));
    }
    if !response.status.is_success() {
        return Err(error(response, &json));
    }
    let id = if matches!(outbound, Outbound::Call(_)) { &json["callId"] } else { &json["id"] };
    match id.as_str() {
        Some(id) if is_id(id) => Ok(Sent { id: id.to_owned() }),
        // It was taken, but without an id its news can't be told from another's.
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

fn error(response: &Response, json: &Value) -> SendError {
    let status = response.status;
    let error = if status == StatusCode::TOO_MANY_REQUESTS {
        let wait = response.retry_after(THROTTLED, THROTTLED_MAX);
        SendError::new(Throttled, Retry::After(wait))
    } else if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        SendError::new(Unreachable, Retry::Unknown)
    } else {
        let kind = field(json).unwrap_or(match status.as_u16() {
            // A redirect is not followed: it would send numbers and credentials elsewhere.
            300..=399 | 401..=404 => Misconfigured,
            _ => Rejected,
        });
        SendError::new(kind, Retry::Never)
    };
    // The description may repeat a number; the type is a word.
    match json["type"].as_str() {
        Some(code) => error.with_code(code),
        None => error,
    }
}

/// What is wrong, where Bandwidth names the field of the text that is.
fn field(json: &Value) -> Option<SendErrorKind> {
    let mut fields = json["fieldErrors"].as_array()?.iter();
    fields.find_map(|one| match one["fieldName"].as_str()?.split('[').next()? {
        "to" => Some(InvalidNumber),
        "from" | "applicationId" => Some(Misconfigured),
        _ => None,
    })
}
