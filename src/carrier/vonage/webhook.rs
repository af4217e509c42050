//! Webhooks from Vonage: whether they are authentic, and which kind they are.

use http::{Method, header::AUTHORIZATION};
use serde_json::Value;

use super::{
    Inbound, Links, Request, WebhookError, config::Config, events, fields::Fields, sms, token,
};
use crate::{
    carrier::{links, links::Step, signature},
    domain::time::Timestamp,
};

/// Whether a webhook was signed with a secret of this account, for this application, and lately.
///
/// With a token it is checked as one; without, only where texts come through the SMS API, by its
/// parameters. A request so never chooses the weaker of two checks.
///
/// # Errors
/// [`WebhookError::BadSignature`], [`WebhookError::Stale`].
pub(super) fn verify(
    config: &Config,
    request: &Request,
    now: Timestamp,
) -> Result<(), WebhookError> {
    let signed_at = if has_token(request) {
        signed_by_token(config, request)
    } else {
        sms::signed_at(config, request)
    };
    let signed_at = signed_at.ok_or(WebhookError::BadSignature)?;
    let signed_at = signed_at.checked_mul(1000).map(Timestamp::from_millis);
    match signed_at {
        Some(at) if signature::fresh(at, now) => Ok(()),
        _ => Err(WebhookError::Stale),
    }
}

fn has_token(request: &Request) -> bool {
    request.headers.contains_key(AUTHORIZATION)
}

/// When the token was made, in seconds since 1970, if it is authentic and covers the request.
fn signed_by_token(config: &Config, request: &Request) -> Option<i64> {
    let token = request.header(AUTHORIZATION.as_str())?.strip_prefix("Bearer ")?;
    let claims = token::read(&config.signature_secrets, token)?;
    let ours = claims.iss == "Vonage"
        && claims.api_key == config.api_key
        && claims.application_id.is_none_or(|id| id == config.application_id);
    let covered = if request.method == Method::POST {
        claims.payload_hash.is_some_and(|hash| hash == token::sha256(&request.body))
    } else {
        // A token covers no address, and of a question that is got there is nothing else: our seal on
        // the address says whose call it is.
        let asks = links::read(request.query()).step == Some(Step::Whisper);
        request.method == Method::GET && request.body.is_empty() && asks
    };
    (ours && covered).then_some(claims.iat)
}

/// Reads lower-case hex digits, or upper-case ones: one signature has one spelling.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let mixed = text.bytes().any(|b| b.is_ascii_lowercase())
        && text.bytes().any(|b| b.is_ascii_uppercase());
    if mixed || !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

/// A webhook that says nothing, signed now.
pub(super) fn sample(config: &Config, links: &Links, now: Timestamp) -> Option<Request> {
    let body = r#"{"check":"entremise"}"#;
    let request = Request::post(links.status(), "application/json", body);
    let token = token::of_webhook(config, body.as_bytes(), now)?;
    Some(request.with_header(AUTHORIZATION, &format!("Bearer {token}")))
}

/// What a verified webhook says. Decided by what is in it, since any event may come to any of our
/// addresses.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(request: &Request) -> Result<Vec<Inbound>, WebhookError> {
    if !has_token(request) {
        return Ok(vec![sms::parse(request)?]);
    }
    let at = links::read(request.query());
    if request.method == Method::GET {
        // Nothing else is asked by GET: `verify` let no other through.
        let uuid = parameter(request, "uuid").unwrap_or_default();
        return events::asked(
            Step::Whisper,
            at,
            request,
            &Fields(serde_json::json!({ "uuid": uuid })),
        );
    }
    let body: Option<Value> = serde_json::from_slice(&request.body).ok();
    let Some(body) = body.filter(Value::is_object) else {
        return Ok(vec![Inbound::Ignored("not a JSON object")]);
    };
    let fields = Fields(body);
    if let Some(step) = at.step {
        return events::asked(step, at, request, &fields);
    }
    let event = if fields.has("message_uuid") {
        events::text(&fields, at.leg)?
    } else if fields.has("status") {
        events::call_status(&fields, at.leg)?
    } else {
        events::call(&fields)?
    };
    Ok(vec![event])
}

/// The carrier's id of the leg of somebody who answered our ringing, if these events are theirs.
pub(super) fn callee(events: &[Inbound]) -> Option<&str> {
    let asks = |event: &Inbound| match event {
        Inbound::CalleeAnswered(_) => true,
        Inbound::Keys(keys) => keys.turn == 0,
        _ => false,
    };
    if !events.iter().any(asks) {
        return None;
    }
    events.iter().find_map(|event| match event {
        Inbound::CallStatus(status) => Some(status.id.as_str()),
        _ => None,
    })
}

/// The one parameter of that name in the address.
fn parameter(request: &Request, name: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(request.query().as_bytes())
        .filter_map(|(key, value)| (key == name).then(|| value.into_owned()));
    match (values.next(), values.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}
