//! Requests to Infobip's APIs, and what their answers mean.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    CAPABILITIES, Links, Outbound, Request, Response, SendError, Sent,
    act::{custom_data, hang_up, post},
    bare,
    config::Config,
    is_id, seconds,
};
use crate::carrier::{
    error::{
        Retry,
        SendErrorKind::{
            Config as Misconfigured, InvalidNumber, OptedOut, Rejected, Throttled, Unreachable,
            Unsupported,
        },
        ended,
    },
    memory::{Memory, On},
    outbound::{OutboundCall, OutboundMessage},
};

/// How long a text may be held at the least.
const VALIDITY_MIN: Duration = Duration::from_mins(1);

/// How long to wait after a 429, and what it may ask for at the most.
const THROTTLED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// How long to wait where Infobip refused a text for now.
const LATER: Duration = Duration::from_secs(30);

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where Infobip can't do it.
pub(super) fn request(
    config: &Config,
    outbound: &Outbound,
    links: &Links,
) -> Result<Request, SendError> {
    match outbound {
        Outbound::Message(text) if text.media.is_empty() && text.is_sent_by(&CAPABILITIES) => {
            Ok(post(config, "/sms/3/messages", &message(text)))
        }
        Outbound::Message(_)
        | Outbound::DeleteRecording { .. }
        | Outbound::DeleteRecord { .. }
        | Outbound::Recording(_) => Err(SendError::new(Unsupported, Retry::Never)),
        Outbound::Call(plan) => {
            let call = call(config, plan, links);
            let call = call.ok_or(SendError::new(Misconfigured, Retry::Never))?;
            Ok(post(config, "/calls/1/calls", &call))
        }
        Outbound::EndCall { id } => {
            hang_up(config, id).ok_or(SendError::new(Rejected, Retry::Never))
        }
    }
}

/// No address for receipts is named: Infobip would ask there without a password. Those of the account's
/// subscription bring back the leg.
fn message(text: &OutboundMessage) -> Value {
    let leg = text.leg.as_str();
    json!({ "messages": [{
        "sender": bare(text.from.as_str()),
        "destinations": [{ "to": bare(text.to.expose()), "messageId": leg }],
        "content": { "text": text.body.expose() },
        "options": { "validityPeriod": {
            "amount": seconds(text.validity, VALIDITY_MIN, CAPABILITIES.validity_max),
            "timeUnit": "SECONDS",
        } },
        "webhooks": { "contentType": "application/json", "callbackData": leg },
    }] })
}

/// `None` where what it is to keep can't be sealed.
fn call(config: &Config, plan: &OutboundCall, links: &Links) -> Option<Value> {
    let (least, most) = CAPABILITIES.ring_timeout;
    let longest = CAPABILITIES.duration_max.unwrap_or(plan.duration_max);
    let memory = Memory { leg: Some(plan.leg.clone()), on: On::Placed, ..Memory::default() };
    Some(json!({
        "endpoint": { "type": "PHONE", "phoneNumber": bare(plan.to.expose()) },
        "from": bare(plan.from.as_str()),
        "connectTimeout": seconds(plan.ring_timeout, least, most),
        "maxDuration": seconds(plan.duration_max, Duration::from_secs(1), longest),
        "callsConfigurationId": config.calls_configuration,
        "customData": custom_data(&memory, None, links)?,
    }))
}

/// What Infobip's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where Infobip may have done it all the same.
pub(super) fn response(outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    match outbound {
        Outbound::EndCall { id } => ended(id, response, || error(response, &json)),
        Outbound::DeleteRecording { .. }
        | Outbound::DeleteRecord { .. }
        | Outbound::Recording(_) => Err(SendError::new(Unsupported, Retry::Never)),
        _ if !response.status.is_success() => Err(error(response, &json)),
        Outbound::Call(_) => taken(&json["id"]),
        Outbound::Message(_) => sent(&json["messages"][0]),
    }
}

/// It was taken, but without an id its news can't be told from another's.
fn taken(id: &Value) -> Result<Sent, SendError> {
    match id.as_str() {
        Some(id) if is_id(id) => Ok(Sent { id: id.to_owned() }),
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

/// Infobip answers 200 also where it refused the text: its status says so.
fn sent(message: &Value) -> Result<Sent, SendError> {
    let status = &message["status"];
    let name = status["name"].as_str().unwrap_or_default();
    // The id is the leg's: Infobip has had this very text before, and its logs say what became of it.
    if name.contains("DUPLICATE_MESSAGE_ID") {
        return Err(SendError::new(Rejected, Retry::Unknown).with_code(name));
    }
    match status["groupName"].as_str() {
        Some("REJECTED" | "UNDELIVERABLE" | "EXPIRED") => Err(refused(name).with_code(name)),
        Some(_) => taken(&message["messageId"]),
        None => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

fn refused(name: &str) -> SendError {
    let (kind, retry) = match name.trim_start_matches("REJECTED_") {
        "DESTINATION"
        | "DESTINATION_NOT_REGISTERED"
        | "INVALID_DESTINATION"
        | "PREFIX_MISSING"
        | "NETWORK"
        | "ROUTE_NOT_AVAILABLE"
        | "MISSING_TO" => (InvalidNumber, Retry::Never),
        // "Do not disturb".
        "DND" => (OptedOut, Retry::Never),
        "NOT_ENOUGH_CREDITS" | "PREPAID_PACKAGE_EXPIRED" | "SOURCE" | "SENDER" => {
            (Misconfigured, Retry::Never)
        }
        "SYSTEM_ERROR" => (Unreachable, Retry::After(LATER)),
        "FLOODING_FILTER" => (Throttled, Retry::After(LATER)),
        _ => (Rejected, Retry::Never),
    };
    SendError::new(kind, retry)
}

/// What an answer that is no success means.
pub(super) fn error(response: &Response, json: &Value) -> SendError {
    let status = response.status;
    let error = if status == StatusCode::TOO_MANY_REQUESTS {
        let (least, most) = THROTTLED;
        SendError::new(Throttled, Retry::After(response.retry_after(least, most)))
    } else if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        SendError::new(Unreachable, Retry::Unknown)
    } else {
        let kind = match status.as_u16() {
            // A redirect is not followed: it would send numbers and credentials elsewhere.
            300..=399 | 401..=404 => Misconfigured,
            _ => Rejected,
        };
        SendError::new(kind, Retry::Never)
    };
    // The younger form, and the older one.
    let older = &json["requestError"]["serviceException"]["messageId"];
    match json["errorCode"].as_str().or_else(|| older.as_str()) {
        Some(code) => error.with_code(code),
        None => error,
    }
}
