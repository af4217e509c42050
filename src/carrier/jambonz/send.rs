//! Requests to jambonz's REST API, and what its answers mean.

use std::time::Duration;

use http::{StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{
    Outbound, Request, Response, SendError, Sent, VOICE, bare, config::Config, is_id, seconds,
};
use crate::carrier::{
    error::{
        self, Retry,
        SendErrorKind::{
            Config as Misconfigured, InvalidNumber, Rejected, Throttled, Unreachable, Unsupported,
        },
    },
    outbound::{OutboundCall, OutboundMessage},
};

const JSON: &str = "application/json";

/// How long to wait where the answer does not say, and the longest that one may make us wait.
const WAIT: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_mins(5);

/// How long to wait until a call can be ended that was not yet answered, and for a node of jambonz's.
const LATER: Duration = Duration::from_secs(5);

/// The most characters that are one text in every alphabet (GSM 03.40 §9.2.3.24).
const PART_CHARS: usize = 70;

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where jambonz can't do it.
pub(super) fn request(config: &Config, outbound: &Outbound) -> Result<Request, SendError> {
    let (path, body) = match outbound {
        Outbound::Message(text) => ("/Messages".to_owned(), message(config, text)?),
        Outbound::Call(plan) => ("/Calls".to_owned(), call(config, plan)),
        Outbound::EndCall { id } if is_id(id) => {
            (format!("/Calls/{id}"), json!({ "call_status": "completed" }))
        }
        Outbound::EndCall { .. } => return Err(SendError::new(Rejected, Retry::Never)),
        Outbound::DeleteRecording { .. }
        | Outbound::DeleteRecord { .. }
        | Outbound::Recording(_) => {
            return Err(SendError::new(Unsupported, Retry::Never));
        }
    };
    Ok(authorized(config, Request::post(config.account_url(&path), JSON, body.to_string())))
}

/// The same request with the account's key.
pub(super) fn authorized(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.authorization())
}

/// A text. Nothing says how long it may be held, and no pictures reach an SMPP gateway.
fn message(config: &Config, text: &OutboundMessage) -> Result<Value, SendError> {
    // What an SMPP gateway does with a name is its own: jambonz documents nothing.
    let texts = config.texts.as_ref().filter(|_| text.media.is_empty() && text.is_sent_by(&VOICE));
    let texts = texts.ok_or(SendError::new(Unsupported, Retry::Never))?;
    let mut message = json!({
        "from": bare(text.from.as_str()),
        "to": bare(text.to.expose()),
        "text": text.body.expose(),
    });
    if let Some(carrier) = &texts.carrier {
        message["carrier"] = carrier.as_str().into();
    }
    Ok(message)
}

/// A call. With an application jambonz takes all addresses from it and none from here, so that the leg
/// is named in what travels with the call.
fn call(config: &Config, plan: &OutboundCall) -> Value {
    let (least, most) = VOICE.ring_timeout;
    let limit = VOICE.duration_max.unwrap_or(plan.duration_max);
    let mut to = json!({ "type": "phone", "number": plan.to.expose() });
    if let Some(trunk) = &config.trunk {
        to["trunk"] = trunk.as_str().into();
    }
    json!({
        "application_sid": config.application_sid,
        "from": plan.from.as_str(),
        "callerName": plan.from.as_str(),
        "to": to,
        "tag": { "leg": plan.leg.to_string() },
        "timeout": seconds(plan.ring_timeout, least, most),
        "timeLimit": seconds(plan.duration_max, least, limit),
    })
}

/// What jambonz's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where jambonz may have done it all the same.
pub(super) fn response(outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    match outbound {
        Outbound::EndCall { id } => ended(id, response, &json),
        Outbound::DeleteRecording { .. }
        | Outbound::DeleteRecord { .. }
        | Outbound::Recording(_) => Err(SendError::new(Unsupported, Retry::Never)),
        // What the SMS centre refused is an error, whatever status it comes with.
        Outbound::Message(text) if json["smpp_err_code"].is_u64() => {
            let mut error = smpp(&json);
            // jambonz sends the parts of a long text one by one: some may be on their way.
            if text.body.expose().chars().count() > PART_CHARS && error.retry != Retry::Never {
                error.retry = Retry::Unknown;
            }
            Err(error)
        }
        _ if !response.status.is_success() => Err(error(response, &json)),
        Outbound::Call(_) | Outbound::Message(_) => match json["sid"].as_str() {
            Some(id) if is_id(id) => Ok(Sent { id: id.to_owned() }),
            // It was taken, but without an id its news can't be told from another's.
            _ => Err(SendError::new(Unreachable, Retry::Unknown)),
        },
    }
}

/// Ending a call twice does no harm, so nothing about it is unknown.
fn ended(id: &str, response: &Response, json: &Value) -> Result<Sent, SendError> {
    error::ended(id, response, || {
        let error = error(response, json);
        // Only an answered call can be ended so. "call session is gone" is the other 422.
        let early = response.status == StatusCode::UNPROCESSABLE_ENTITY
            && json["msg"].as_str().is_some_and(|why| why.contains("incompatible"));
        if early { SendError { retry: Retry::After(LATER), ..error } } else { error }
    })
}

/// What an answer that is no success means.
fn error(response: &Response, json: &Value) -> SendError {
    match response.status.as_u16() {
        429 => SendError::new(Throttled, Retry::After(response.retry_after(WAIT, WAIT_MAX))),
        480 => smpp(json),
        ..300 | 408 | 500.. => SendError::new(Unreachable, Retry::Unknown),
        // A redirect is not followed: it would send numbers and credentials elsewhere.
        300..=399 | 401 | 403 | 404 => SendError::new(Misconfigured, Retry::Never),
        _ => SendError::new(Rejected, Retry::Never),
    }
}

/// What a 480 means: the error of an SMS centre (SMPP 3.4 §5.1.3), or that no node of jambonz's was there
/// to ask.
fn smpp(json: &Value) -> SendError {
    let Some(code) = json["smpp_err_code"].as_u64() else {
        let retry = if json["msg"].is_string() { Retry::After(LATER) } else { Retry::Unknown };
        return SendError::new(Unreachable, retry);
    };
    let (kind, retry) = match code {
        // Its queue is full, and too many at once.
        0x14 | 0x58 => (Throttled, Retry::After(WAIT)),
        // The destination's address, and its kinds.
        0x0B | 0x50 | 0x51 => (InvalidNumber, Retry::Never),
        // Our address and its kinds, and the bind's name and password.
        0x0A | 0x48 | 0x49 | 0x0D..=0x0F => (Misconfigured, Retry::Never),
        _ => (Rejected, Retry::Never),
    };
    SendError::new(kind, retry).with_code(&format!("smpp-{code}"))
}
