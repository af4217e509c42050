//! Requests to Vonage's APIs, and what their answers mean.

use std::time::Duration;

use form_urlencoded::Serializer;
use http::{
    Method, StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER},
};
use serde_json::{Value, json};

use super::{
    Links, MESSAGES, Outbound, Request, Response, SendError, Sent, bare,
    config::{Config, Texts},
    events::error_code,
    is_id, seconds,
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
use crate::domain::interaction::Kind;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The most pictures and files that one text takes.
const MEDIA_MAX: usize = 10;

/// How long a text may be held at the least: words, and pictures, whose most is less too.
const WORDS_LEAST: Duration = Duration::from_secs(20);
const PICTURES_LEAST: Duration = Duration::from_mins(5);
const PICTURES_MOST: Duration = Duration::from_hours(3 * 24);

/// How long to wait after a 429 that does not say.
const THROTTLED: Duration = Duration::from_secs(1);

/// The longest that a 429 may make us wait.
const THROTTLED_MAX: Duration = Duration::from_mins(5);

/// What the Redact API says of a record that is too young, and how long to wait then.
const PREMATURE: &str = "premature-redaction";
const PREMATURE_FOR: Duration = Duration::from_hours(1);

/// GSM 03.38's alphabet and its extension: other words are sent as Unicode.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€";

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where Vonage can't do it.
pub(super) fn request(
    config: &Config,
    outbound: &Outbound,
    links: &Links,
) -> Result<Request, SendError> {
    match outbound {
        Outbound::Message(text) => {
            let request = match config.texts {
                Texts::Messages => Request::post(config.texts_url(), JSON, message(text, links)?),
                Texts::Sms(_) => Request::post(config.texts_url(), FORM, sms(config, text, links)?),
            };
            Ok(with_secret(config, request))
        }
        Outbound::Call(plan) => Ok(Request::post(config.calls_url(), JSON, call(plan, links))),
        Outbound::EndCall { id } => {
            hang_up(config, id).ok_or(SendError::new(Rejected, Retry::Never))
        }
        // Vonage documents no way: it deletes them itself after a month.
        Outbound::DeleteRecording { .. } | Outbound::Recording(_) => {
            Err(SendError::new(Unsupported, Retry::Never))
        }
        Outbound::DeleteRecord { kind, inbound, id } => redact(config, *kind, *inbound, id),
    }
}

fn redact(config: &Config, kind: Kind, inbound: bool, id: &str) -> Result<Request, SendError> {
    if !is_id(id) {
        return Err(SendError::new(Rejected, Retry::Never));
    }
    let product = match (kind, config.texts) {
        (Kind::Call, _) => "voice",
        (Kind::Message, Texts::Messages) => "messages",
        (Kind::Message, Texts::Sms(_)) => "sms",
    };
    let direction = if inbound { "inbound" } else { "outbound" };
    let body = json!({ "id": id, "product": product, "type": direction }).to_string();
    Ok(with_secret(config, Request::post(config.redact_url(), JSON, body)))
}

/// The same request with the account's secret.
pub(super) fn with_secret(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.authorization())
}

/// The request that ends a leg; `None` where the id is none: it becomes a part of the path.
pub(super) fn hang_up(config: &Config, id: &str) -> Option<Request> {
    let url = format!("{}/{id}", config.calls_url());
    let body = json!({ "action": "hangup" }).to_string();
    is_id(id).then(|| Request { method: Method::PUT, ..Request::post(url, JSON, body) })
}

fn message(text: &OutboundMessage, links: &Links) -> Result<String, SendError> {
    if text.media.len() > MEDIA_MAX || !text.is_sent_by(&MESSAGES) {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    let words = text.body.expose();
    let mut body = json!({
        "from": bare(text.from.as_str()),
        "to": bare(text.to.expose()),
        "client_ref": text.leg.to_string(),
        "webhook_url": links.leg_status(&text.leg),
        "webhook_version": "v1",
    });
    let ttl = if text.media.is_empty() {
        body["channel"] = "sms".into();
        body["message_type"] = "text".into();
        body["text"] = words.into();
        seconds(text.validity, WORDS_LEAST, MESSAGES.validity_max)
    } else {
        body["channel"] = "mms".into();
        pictures(&mut body, &text.media, words);
        seconds(text.validity, PICTURES_LEAST, PICTURES_MOST)
    };
    body["ttl"] = ttl.into();
    Ok(body.to_string())
}

/// The first picture has the words as its caption.
fn pictures(body: &mut Value, addresses: &[String], words: &str) {
    let mut items: Vec<Value> = addresses.iter().map(|url| json!({ "url": url })).collect();
    if let Some(first) = items.first_mut().filter(|_| !words.is_empty()) {
        first["caption"] = words.into();
    }
    if let [one] = &items[..] {
        body["message_type"] = "image".into();
        body["image"] = one.clone();
        return;
    }
    for item in &mut items {
        item["type"] = "image".into();
    }
    body["message_type"] = "content".into();
    body["content"] = items.into();
}

fn sms(config: &Config, text: &OutboundMessage, links: &Links) -> Result<String, SendError> {
    if !text.media.is_empty() || !text.is_sent_by(&MESSAGES) {
        return Err(SendError::new(Unsupported, Retry::Never));
    }
    let words = text.body.expose();
    let kind = if words.chars().all(|c| GSM.contains(c)) { "text" } else { "unicode" };
    let ttl = seconds(text.validity, WORDS_LEAST, MESSAGES.validity_max) * 1000;
    Ok(Serializer::new(String::new())
        .append_pair("api_key", &config.api_key)
        .append_pair("from", bare(text.from.as_str()))
        .append_pair("to", bare(text.to.expose()))
        .append_pair("text", words)
        .append_pair("type", kind)
        .append_pair("ttl", &ttl.to_string())
        .append_pair("client-ref", text.leg.as_str())
        .append_pair("status-report-req", "true")
        .append_pair("callback", &links.status())
        .finish())
}

fn call(plan: &OutboundCall, links: &Links) -> String {
    let (least, most) = MESSAGES.ring_timeout;
    let limit = MESSAGES.duration_max.unwrap_or(plan.duration_max);
    json!({
        "to": [{ "type": "phone", "number": bare(plan.to.expose()) }],
        "from": { "type": "phone", "number": bare(plan.from.as_str()) },
        "answer_url": [links.step(Step::Answered, &plan.leg)],
        "answer_method": "POST",
        "event_url": [links.leg_status(&plan.leg)],
        "event_method": "POST",
        "ringing_timer": seconds(plan.ring_timeout, least, most),
        "length_timer": seconds(plan.duration_max, Duration::from_secs(1), limit),
    })
    .to_string()
}

/// What Vonage's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where Vonage may have done it all the same.
pub(super) fn response(
    config: &Config,
    outbound: &Outbound,
    response: &Response,
) -> Result<Sent, SendError> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    match outbound {
        Outbound::EndCall { id } => ended(id, response, || error(response, &json)),
        Outbound::DeleteRecording { .. } | Outbound::Recording(_) => {
            Err(SendError::new(Unsupported, Retry::Never))
        }
        // An hour must have gone by since it was made.
        Outbound::DeleteRecord { .. } if error_code(&json).as_deref() == Some(PREMATURE) => {
            Err(SendError::new(Rejected, Retry::After(PREMATURE_FOR)).with_code(PREMATURE))
        }
        Outbound::DeleteRecord { id, .. } => deleted(id, response, || error(response, &json)),
        _ if !response.status.is_success() => Err(error(response, &json)),
        Outbound::Call(_) => taken(&json["uuid"]),
        Outbound::Message(_) => match config.texts {
            Texts::Messages => taken(&json["message_uuid"]),
            Texts::Sms(_) => parts(&json),
        },
    }
}

/// It was taken, but without an id its news can't be told from another's.
fn taken(id: &Value) -> Result<Sent, SendError> {
    match id.as_str() {
        Some(id) if is_id(id) => Ok(Sent { id: id.to_owned() }),
        _ => Err(SendError::new(Unreachable, Retry::Unknown)),
    }
}

/// The SMS API answers 200 whatever happened, with an entry for each part of the text.
fn parts(json: &Value) -> Result<Sent, SendError> {
    let unreadable = SendError::new(Unreachable, Retry::Unknown);
    let Some(parts) = json["messages"].as_array().filter(|parts| !parts.is_empty()) else {
        return Err(unreadable);
    };
    let refused = parts.iter().find(|part| part["status"] != "0");
    let Some(part) = refused else { return taken(&parts[0]["message-id"]) };
    let Some(code) = part["status"].as_str().filter(|code| code.len() <= 3) else {
        return Err(unreadable);
    };
    let mut error = sms_error(code);
    // What was taken of it is on its way.
    if parts.iter().any(|part| part["status"] == "0") {
        error.retry = Retry::Unknown;
    }
    Err(error)
}

fn sms_error(code: &str) -> SendError {
    let (kind, retry) = match code {
        "1" | "10" => (Throttled, Retry::After(THROTTLED)),
        // An error inside the platform says nothing of what was done.
        "5" => (Unreachable, Retry::Unknown),
        "6" | "33" => (InvalidNumber, Retry::Never),
        // Credentials, the account's state, credit, the sender, a trial's limits, our address.
        "4" | "8" | "9" | "11" | "14" | "15" | "22" | "23" | "29" | "32" => {
            (Misconfigured, Retry::Never)
        }
        _ => (Rejected, Retry::Never),
    };
    SendError::new(kind, retry).with_code(code)
}

/// What an answer that is no success means: its status, and the number of a Messages error.
fn error(response: &Response, json: &Value) -> SendError {
    let status = response.status;
    let code = error_code(json);
    let number = code.as_deref().and_then(|code| code.parse::<u32>().ok());
    let error = if status == StatusCode::TOO_MANY_REQUESTS {
        let wait = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|text| text.parse().ok()).map_or(THROTTLED, Duration::from_secs);
        SendError::new(Throttled, Retry::After(wait.clamp(THROTTLED, THROTTLED_MAX)))
    } else if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        SendError::new(Unreachable, Retry::Unknown)
    } else {
        let kind = number.and_then(kind_of).unwrap_or(match status.as_u16() {
            // A redirect is not followed: it would send numbers and credentials elsewhere.
            300..=399 | 401..=404 => Misconfigured,
            _ => Rejected,
        });
        SendError::new(kind, Retry::Never)
    };
    match code {
        Some(code) => error.with_code(&code),
        None => error,
    }
}

/// The numbers of Messages errors that say more than their status.
fn kind_of(code: u32) -> Option<SendErrorKind> {
    Some(match code {
        // An unknown prefix, no number, nobody there for good, and no way there.
        1040 | 1170 | 1190 | 1260 => InvalidNumber,
        // The person has asked not to get texts from this service.
        1240 => OptedOut,
        // The account's state, credit, the sender, a trial's limits.
        1060 | 1070 | 1080 | 1120 | 1140 | 1160 | 1420 => Misconfigured,
        _ => return None,
    })
}
