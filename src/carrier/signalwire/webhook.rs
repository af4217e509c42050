//! Webhooks from `SignalWire`: whether they are authentic, and what they say.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::Method;
use serde_json::{Map, Value};

use super::{Inbound, Links, Request, WebhookError, config::Config};
use crate::{
    carrier::{
        form::{Form, signed_in_order},
        signature,
        twiml::form::{self, hashed_in_address, is_for, same_addresses},
    },
    ids,
};

const SIGNATURE: &str = "x-signalwire-signature";

/// The same under the name that older code looks for.
const ALIAS: &str = "x-twilio-signature";

/// A second signature of JSON, with a stronger hash.
const SHA256: &str = "x-signalwire-sha256-signature";

/// The words for the state of a call that asks what to do.
const NEW: &[&str] = &["ringing", "queued", "initiated", "in-progress"];

/// Whether a webhook was signed with a key of this project, and is for this project.
///
/// # Errors
/// [`WebhookError::BadSignature`].
pub(super) fn verify(config: &Config, request: &Request) -> Result<(), WebhookError> {
    let genuine =
        signed_by_us(config, request).unwrap_or(false) && is_for(config, fields(request).as_ref());
    if genuine { Ok(()) } else { Err(WebhookError::BadSignature) }
}

type Check = fn(&[u8], &[u8], &[u8]) -> bool;

/// `None` and `Some(false)` both say no: the first where there is nothing to compare with.
///
/// What a body is decides how it must be signed, since its type is not signed: JSON as it stands, or by
/// a hash in the address; anything else as a form. A GET, which says everything in its address, is
/// refused.
fn signed_by_us(config: &Config, request: &Request) -> Option<bool> {
    if request.method != Method::POST {
        return None;
    }
    let json = is_json(request);
    let wanted = [SHA256, SIGNATURE, ALIAS];
    let wanted = if json { &wanted[..] } else { &wanted[1..] };
    let name = *wanted.iter().find(|name| request.headers.contains_key(**name))?;
    let value = request.header(name)?;
    let (check, tag, messages): (Check, _, _) = match unhex(value).filter(|_| json) {
        Some(tag) => {
            let check = if name == SHA256 { signature::hmac_sha256 } else { signature::hmac_sha1 };
            (check, tag, vec![[request.url.as_bytes(), &request.body].concat()])
        }
        None if name == SHA256 => return None,
        None => {
            let parameters = signed_parameters(request)?;
            let addresses = same_addresses(&request.url).into_iter();
            let messages = addresses.map(|address| (address + &parameters).into_bytes()).collect();
            (signature::hmac_sha1, BASE64.decode(value).ok()?, messages)
        }
    };
    Some(
        messages.iter().any(|message| {
            config.signing_keys.iter().any(|key| check(key.as_bytes(), message, &tag))
        }),
    )
}

/// What follows the address in the text that is signed; `None` if the signature would not cover the
/// whole body.
fn signed_parameters(request: &Request) -> Option<String> {
    if is_json(request) {
        return hashed_in_address(request).then(String::new);
    }
    signed_in_order(&request.body)
}

fn is_json(request: &Request) -> bool {
    request.body.trim_ascii_start().starts_with(b"{")
}

/// The bytes of a text of lower-case hex digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let places = (0..text.len()).step_by(2);
    let bytes: Vec<u8> = places
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect::<Option<_>>()?;
    (ids::hex(&bytes) == text).then_some(bytes)
}

/// A webhook that says nothing, signed with the primary key.
pub(super) fn sample(config: &Config, links: &Links) -> Option<Request> {
    form::sample(config, links, SIGNATURE, config.signing_keys.first()?, signed_parameters)
}

/// The webhook's fields, from a form or from an object in JSON; `None` for what is neither.
fn fields(request: &Request) -> Option<Form> {
    if !is_json(request) {
        return Form::read(&request.body);
    }
    let object: Map<String, Value> = serde_json::from_slice(&request.body).ok()?;
    Some(Form::of(object.into_iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some((name, text))
    })))
}

/// What a verified webhook says.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(request: &Request) -> Result<Inbound, WebhookError> {
    let form = fields(request).ok_or(WebhookError::Malformed("body"))?;
    form::parse(request, &form, NEW)
}
