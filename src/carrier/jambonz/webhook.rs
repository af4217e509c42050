//! Webhooks from jambonz: whether they are authentic, and which kind they are.

use http::{HeaderName, Method};
use serde_json::Value;

use super::{Inbound, Links, Request, WebhookError, calls, config::Config, fields::Fields, texts};
use crate::{
    carrier::{links, signature},
    domain::time::Timestamp,
    ids::hex,
};

const SIGNATURE: &str = "jambonz-signature";

/// Whether a webhook was signed with a secret of this account, and lately. It covers the body: a
/// question that is got has none, and what jambonz signs of it is not in the request.
///
/// # Errors
/// [`WebhookError::BadSignature`], [`WebhookError::Stale`].
pub(super) fn verify(
    config: &Config,
    request: &Request,
    now: Timestamp,
) -> Result<(), WebhookError> {
    let signed_at = signed_at(config, request).ok_or(WebhookError::BadSignature)?;
    match signed_at.checked_mul(1000).map(Timestamp::from_millis) {
        Some(at) if signature::fresh(at, now) => Ok(()),
        _ => Err(WebhookError::Stale),
    }
}

/// When it was signed, in seconds since 1970, if the signature is one of ours.
fn signed_at(config: &Config, request: &Request) -> Option<i64> {
    if request.method != Method::POST {
        return None;
    }
    let (time, tags) = read(request)?;
    let signs = |secret: &String| {
        let tag = tag(secret, time, &request.body);
        tags.iter().any(|given| signature::same(tag.as_bytes(), given.as_bytes()))
    };
    config.webhook_secrets.iter().any(signs).then(|| time.parse().ok())?
}

/// The time and the tags of the signature: `t=…,v1=…`, and more of the latter while a secret changes.
fn read(request: &Request) -> Option<(&str, Vec<&str>)> {
    let mut parts = request.header(SIGNATURE)?.split(',');
    let time = parts.next()?.strip_prefix("t=")?;
    let tags: Option<Vec<&str>> = parts.map(|part| part.strip_prefix("v1=")).collect();
    let digits = !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit());
    tags.filter(|tags| digits && !tags.is_empty()).map(|tags| (time, tags))
}

fn tag(secret: &str, time: &str, body: &[u8]) -> String {
    let message = [time.as_bytes(), b".", body].concat();
    hex(&signature::sign_sha256(secret.as_bytes(), &message))
}

/// What a webhook is called that has no id: a try again comes with the same signature.
pub(super) fn id_of(request: &Request) -> Option<String> {
    let (_, tags) = read(request)?;
    let tag = tags.first()?.get(..32)?;
    tag.bytes().all(|b| b.is_ascii_hexdigit()).then(|| format!("signed-{tag}"))
}

/// A webhook that says nothing, signed now.
pub(super) fn sample(config: &Config, links: &Links, now: Timestamp) -> Option<Request> {
    let body = r#"{"check":"entremise"}"#;
    let time = now.seconds().to_string();
    let tag = tag(config.webhook_secrets.first()?, &time, body.as_bytes());
    let request = Request::post(links.status(), "application/json", body);
    Some(request.with_header(HeaderName::from_static(SIGNATURE), &format!("t={time},v1={tag}")))
}

/// What a verified webhook says. Decided by what is in it, since any event may come to any of our
/// addresses.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(config: &Config, request: &Request) -> Result<Inbound, WebhookError> {
    let body: Option<Value> = serde_json::from_slice(&request.body).ok();
    let Some(body) = body.filter(Value::is_object) else {
        return Ok(Inbound::Ignored("not a JSON object"));
    };
    let fields = Fields(body);
    let at = links::read(request.query());
    if let Some(step) = at.step {
        return calls::asked(step, at, &fields);
    }
    if ["call_sid", "call_status", "sip"].iter().any(|key| fields.has(key)) {
        // The first question of a call has how prompts are spoken; if somebody calls, their INVITE too.
        return if fields.has("sip") || fields.has("defaults") {
            calls::call(&fields)
        } else {
            calls::status(&fields)
        };
    }
    if !["text", "media", "message_sid"].iter().any(|key| fields.has(key)) {
        return Ok(Inbound::Ignored("neither a text nor a call"));
    }
    if config.texts.is_none() {
        return Ok(Inbound::Ignored("a text, and texts are not switched on"));
    }
    texts::message(request, &fields)
}
