//! Webhooks from Bandwidth: whether they are authentic, and what they say of texts.

use http::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde_json::Value;

use super::{Inbound, Links, Request, WebhookError, calls, config::Config, is_id};
use crate::{
    carrier::{
        error::plain_code,
        event::{InboundMessage, MessageStatus},
        links,
        number::{called, heard},
        signature,
    },
    domain::message::{Body, MessageState},
    ids::LegId,
};

/// The most pictures and files that are read of one text.
const MEDIA_MAX: usize = 10;

/// "Timed out waiting for delivery receipt": it may have arrived.
const NO_RECEIPT: u64 = 9902;

/// Whether a webhook has the name and the password that Bandwidth was given. They cover neither the
/// body nor the address; those of one leg open that leg's addresses only.
///
/// # Errors
/// [`WebhookError::BadSignature`].
pub(super) fn verify(config: &Config, request: &Request) -> Result<(), WebhookError> {
    let at = links::read(request.query());
    let given = request.header(AUTHORIZATION.as_str()).unwrap_or_default().as_bytes();
    // All are compared, so that the time tells nothing of which one was close.
    let allowed = config.webhook_authorizations(at.leg.as_ref());
    let fits = allowed.iter().filter(|one| signature::same(one.as_bytes(), given)).count();
    // What a GET says stands in its address, and would be in logs.
    let authentic = fits > 0 && request.method == Method::POST;
    if authentic { Ok(()) } else { Err(WebhookError::BadSignature) }
}

/// A webhook that says nothing, with the applications' credentials.
pub(super) fn sample(config: &Config, links: &Links) -> Option<Request> {
    let mut request = Request::new(Method::POST, links.status());
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.body = r#"{"check":"entremise"}"#.into();
    let credentials = config.webhook_authorizations(None).into_iter().next()?;
    Some(request.with_header(AUTHORIZATION, &credentials))
}

/// What a verified webhook says. Decided by what is in it, since any event may come to any of our
/// addresses: of texts a list, of calls one object.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(request: &Request) -> Result<Vec<Inbound>, WebhookError> {
    match serde_json::from_slice(&request.body) {
        Ok(Value::Array(events)) => texts(&events),
        Ok(event @ Value::Object(_)) if event["eventType"].is_string() => {
            Ok(calls::event(&event, links::read(request.query()))?)
        }
        Ok(Value::Object(_)) => Ok(vec![Inbound::Ignored("neither a text nor a call")]),
        _ => Ok(vec![Inbound::Ignored("not JSON of Bandwidth's")]),
    }
}

/// One event that can't be read does not keep back the others: Bandwidth would repeat them all for a
/// day.
fn texts(events: &[Value]) -> Result<Vec<Inbound>, WebhookError> {
    let read: Vec<_> = events.iter().map(text).collect();
    if let ([Err(error), ..], false) = (&read[..], read.iter().any(Result::is_ok)) {
        return Err(error.clone());
    }
    if read.is_empty() {
        return Ok(vec![Inbound::Ignored("an empty list")]);
    }
    let unread = Inbound::Ignored("a malformed event beside others");
    Ok(read.into_iter().map(|one| one.unwrap_or_else(|_| unread.clone())).collect())
}

fn text(event: &Value) -> Result<Inbound, WebhookError> {
    let message = &event["message"];
    // Receipts of our own texts look much like texts that came in.
    match (event["type"].as_str(), message["direction"].as_str()) {
        (Some("message-received"), Some("in")) => received(event, message),
        (Some(kind), Some("out")) => status(kind, event, message),
        _ => Ok(Inbound::Ignored("not about a text")),
    }
}

/// A text to several of our numbers comes once for each, with an id of its own.
fn received(event: &Value, message: &Value) -> Result<Inbound, WebhookError> {
    let to = event["to"].as_str().ok_or(WebhookError::Malformed("to"))?;
    let from = message["from"].as_str().ok_or(WebhookError::Malformed("message.from"))?;
    let Some(to) = called(to).map_err(|()| WebhookError::Malformed("to"))? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let media = message["media"].as_array().into_iter().flatten().take(MEDIA_MAX);
    let media = media.map(|address| address.as_str().map(str::to_owned));
    Ok(Inbound::Message(InboundMessage {
        id: message_id(message)?,
        from: heard(from),
        to,
        body: Body::new(message["text"].as_str().unwrap_or_default().to_owned()),
        media: media.collect::<Option<_>>().ok_or(WebhookError::Malformed("message.media"))?,
        // Bandwidth has put the parts of a longer text together.
        part: None,
    }))
}

/// News of a text that we sent. Its leg is in the tag that it was sent with: all receipts come to one
/// address.
fn status(kind: &str, event: &Value, message: &Value) -> Result<Inbound, WebhookError> {
    let code = event["errorCode"].as_u64();
    let state = match kind {
        "message-sending" | "message-sent" => MessageState::Sent,
        "message-delivered" => MessageState::Delivered,
        "message-failed" if code == Some(NO_RECEIPT) => MessageState::Sent,
        // What the networks refused has left Bandwidth.
        "message-failed" if code.is_some_and(by_networks) => MessageState::Undelivered,
        "message-failed" => MessageState::Failed,
        _ => return Ok(Inbound::Ignored("a text's state that is not about sending")),
    };
    Ok(Inbound::MessageStatus(MessageStatus {
        price: None,
        leg: message["tag"].as_str().and_then(|tag| LegId::parse(tag).ok()),
        id: message_id(message)?,
        state,
        carrier_code: code.and_then(|code| plain_code(&code.to_string())),
    }))
}

/// Whether a code is what another carrier reported: the second digit tells.
const fn by_networks(code: u64) -> bool {
    matches!(code / 100, 47 | 56 | 57 | 99)
}

fn message_id(message: &Value) -> Result<String, WebhookError> {
    let id = message["id"].as_str().filter(|id| is_id(id));
    id.map(str::to_owned).ok_or(WebhookError::Malformed("message.id"))
}
