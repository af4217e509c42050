//! Requests to Twilio's REST API, and what its answers mean.

use std::time::Duration;

use form_urlencoded::Serializer;
use http::{StatusCode, header::AUTHORIZATION};
use serde_json::Value;

use super::{
    CAPABILITIES, Links, Outbound, Request, Response, SendError, Sent, config::Config, is_sid,
};
use crate::carrier::{
    error::{
        Retry,
        SendErrorKind::{
            self, Config as Misconfigured, InvalidNumber, OptedOut, Rejected, Throttled,
            Unreachable, Unsupported,
        },
    },
    links::Step,
    outbound::{OutboundCall, OutboundMessage},
    twiml::seconds,
};

const FORM: &str = "application/x-www-form-urlencoded";

/// The most pictures and files that one text takes.
const MEDIA_MAX: usize = 10;

/// The least that ringing, a call and a text's validity can last.
const LEAST: Duration = Duration::from_secs(1);

/// How long to wait after a 429 that does not say.
const THROTTLED: Duration = Duration::from_secs(1);

/// The longest that a 429 may make us wait.
const THROTTLED_MAX: Duration = Duration::from_mins(5);

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where Twilio can't do it.
pub(super) fn request(
    config: &Config,
    outbound: &Outbound,
    links: &Links,
) -> Result<Request, SendError> {
    let (path, body) = match outbound {
        Outbound::Message(text) => (String::from("/Messages"), message(text, links)?),
        Outbound::Call(plan) => (String::from("/Calls"), call(plan, links)),
        Outbound::EndCall { id } => {
            // The id becomes a part of the path: one that is not an id must not choose another.
            if !is_sid("CA", id) {
                return Err(SendError::new(Rejected, Retry::Never));
            }
            let body = Serializer::new(String::new()).append_pair("Status", "completed").finish();
            (format!("/Calls/{id}"), body)
        }
    };
    Ok(authorized(config, Request::post(config.account_url(&path), FORM, body)))
}

/// The same request with the account's credentials.
pub(super) fn authorized(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.authorization())
}

fn message(text: &OutboundMessage, links: &Links) -> Result<String, SendError> {
    if text.media.len() > MEDIA_MAX {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    let mut form = Serializer::new(String::new());
    form.append_pair("To", text.to.expose()).append_pair("From", text.from.as_str());
    if !text.body.is_empty() {
        form.append_pair("Body", text.body.expose());
    }
    for address in &text.media {
        form.append_pair("MediaUrl", address);
    }
    form.append_pair("StatusCallback", &links.leg_status(&text.leg));
    let validity = seconds(text.validity, LEAST, CAPABILITIES.validity_max);
    form.append_pair("ValidityPeriod", &validity);
    Ok(form.finish())
}

fn call(plan: &OutboundCall, links: &Links) -> String {
    let (least, most) = CAPABILITIES.ring_timeout;
    let limit = CAPABILITIES.duration_max.unwrap_or(plan.duration_max);
    let mut form = Serializer::new(String::new());
    form.append_pair("To", plan.to.expose())
        .append_pair("From", plan.from.as_str())
        .append_pair("Url", &links.step(Step::Answered, &plan.leg))
        .append_pair("Method", "POST")
        .append_pair("StatusCallback", &links.leg_status(&plan.leg))
        .append_pair("StatusCallbackMethod", "POST");
    for event in ["initiated", "ringing", "answered", "completed"] {
        form.append_pair("StatusCallbackEvent", event);
    }
    form.append_pair("Timeout", &seconds(plan.ring_timeout, least, most))
        .append_pair("TimeLimit", &seconds(plan.duration_max, LEAST, limit));
    form.finish()
}

/// What Twilio's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where Twilio may have done it all the same.
pub(super) fn response(outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
    let json: Option<Value> = serde_json::from_slice(&response.body).ok();
    let json = json.as_ref();
    if let Outbound::EndCall { id } = outbound {
        return ended(id, response, json);
    }
    if !response.status.is_success() {
        return Err(error(response, code(json, "code")));
    }
    if matches!(text(json, "status"), Some("failed" | "undelivered" | "canceled")) {
        return Err(refusal(response.status, code(json, "error_code")));
    }
    match text(json, "sid") {
        Some(id)
            if (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()) =>
        {
            Ok(Sent { id: id.to_owned() })
        }
        // It was taken, but without an id its news can't be told from another's.
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

/// Ending a call twice does no harm, so nothing about it is unknown.
fn ended(id: &str, response: &Response, json: Option<&Value>) -> Result<Sent, SendError> {
    let code = code(json, "code");
    // 21220: the call is over already.
    if response.status.is_success() || code == Some(21220) {
        return Ok(Sent { id: id.to_owned() });
    }
    let mut error = error(response, code);
    if response.status == StatusCode::NOT_FOUND {
        error.kind = Rejected;
    }
    if error.retry == Retry::Unknown {
        error.retry = Retry::After(THROTTLED);
    }
    Err(error)
}

/// What an answer that is no success means.
pub(super) fn failure(response: &Response) -> SendError {
    let json: Option<Value> = serde_json::from_slice(&response.body).ok();
    error(response, code(json.as_ref(), "code"))
}

fn error(response: &Response, code: Option<u64>) -> SendError {
    let status = response.status;
    if status == StatusCode::TOO_MANY_REQUESTS || code == Some(20429) {
        let wait = response.retry_after(THROTTLED, THROTTLED_MAX);
        return with_code(SendError::new(Throttled, Retry::After(wait)), code);
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return with_code(SendError::new(Unreachable, Retry::Unknown), code);
    }
    refusal(status, code)
}

/// Twilio has decided, and would decide the same again.
fn refusal(status: StatusCode, code: Option<u64>) -> SendError {
    let kind = code.and_then(kind_of).unwrap_or(match status.as_u16() {
        // A redirect is not followed: it would send numbers and credentials elsewhere.
        300..=399 | 401 | 403 | 404 => Misconfigured,
        _ => Rejected,
    });
    with_code(SendError::new(kind, Retry::Never), code)
}

/// The codes that say more than their status. Twilio warns that codes may change, so any other is
/// judged by its status.
fn kind_of(code: u64) -> Option<SendErrorKind> {
    Some(match code {
        // Not a number, not one that takes texts, a landline, or not reachable from this number;
        // 30003 to 30006 also as the reason of a text that failed at once.
        13224 | 13225 | 21211 | 21214 | 21217 | 21401 | 21612 | 21614 | 21635 | 30003 | 30005
        | 30006 => InvalidNumber,
        21610 => OptedOut,
        // Credentials, account state, a trial's limits, regions that are not enabled, the From
        // number, and our own callback addresses.
        20003 | 20005 | 20006 | 20008 | 21205 | 21210 | 21212 | 21213 | 21215 | 21219 | 21408
        | 21603 | 21606 | 21608 | 21609 | 21659 | 21660 => Misconfigured,
        _ => return None,
    })
}

fn with_code(error: SendError, code: Option<u64>) -> SendError {
    match code {
        Some(code) => error.with_code(&code.to_string()),
        None => error,
    }
}

fn text<'a>(json: Option<&'a Value>, key: &str) -> Option<&'a str> {
    json?.get(key)?.as_str()
}

/// A code is a number, and in some answers a text of digits.
fn code(json: Option<&Value>, key: &str) -> Option<u64> {
    let value = json?.get(key)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
