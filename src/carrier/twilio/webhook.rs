//! Webhooks from Twilio: whether they are authentic, and what they say.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::Method;

use super::{Inbound, Links, Request, WebhookError, config::Config};
use crate::carrier::{
    form::{Form, is_form},
    signature,
    twiml::form::{self, hashed_in_address, is_for, same_addresses},
};

const SIGNATURE: &str = "x-twilio-signature";
const SIGNATURE_SETTINGS: &str = "x-twilio-webhooks-signature-settings";

/// Whether a webhook was signed with a key of this account, and is for this account.
///
/// # Errors
/// [`WebhookError::BadSignature`].
pub(super) fn verify(config: &Config, request: &Request) -> Result<(), WebhookError> {
    let genuine =
        signed_by_us(config, request).unwrap_or(false) && is_for(config, fields(request).as_ref());
    if genuine { Ok(()) } else { Err(WebhookError::BadSignature) }
}

/// `None` and `Some(false)` both say no: the first where there is nothing to compare with.
fn signed_by_us(config: &Config, request: &Request) -> Option<bool> {
    let tag = BASE64.decode(request.header(SIGNATURE)?).ok()?;
    let parameters = signed_parameters(request)?;
    let (check, keys) = keys(config, request)?;
    let addresses = same_addresses(&request.url);
    Some(addresses.iter().any(|address| {
        let message = format!("{address}{parameters}");
        keys.iter().any(|key| check(key.as_bytes(), message.as_bytes(), &tag))
    }))
}

/// A webhook that says nothing, signed with the primary auth token.
pub(super) fn sample(config: &Config, links: &Links) -> Option<Request> {
    form::sample(config, links, SIGNATURE, config.auth_tokens.first()?, signed_parameters)
}

type Check = fn(&[u8], &[u8], &[u8]) -> bool;

/// The keys that may have signed. A request chooses among configured ones and nothing else: one
/// that names an unknown key or algorithm is refused, never checked less.
fn keys<'a>(config: &'a Config, request: &Request) -> Option<(Check, Vec<&'a str>)> {
    if !request.headers.contains_key(SIGNATURE_SETTINGS) {
        let tokens = config.auth_tokens.iter().map(String::as_str).collect();
        return Some((signature::hmac_sha1, tokens));
    }
    let (mut key, mut algorithm) = (None, None);
    for part in request.header(SIGNATURE_SETTINGS)?.split(',') {
        let slot = match part.split_once('=')? {
            ("key", value) => (&mut key, value),
            ("algorithm", value) => (&mut algorithm, value),
            _ => continue,
        };
        if slot.0.replace(slot.1).is_some() {
            return None;
        }
    }
    let secret = config.shared_keys.get(key?)?;
    (algorithm? == "HMAC_SHA256").then(|| (signature::hmac_sha256 as Check, vec![secret.as_str()]))
}

/// What follows the address in the text that is signed; `None` if the signature would not cover
/// the whole body.
fn signed_parameters(request: &Request) -> Option<String> {
    if is_form(request) {
        return Form::read(&request.body).map(|form| form.signed());
    }
    if request.method != Method::GET && request.method != Method::POST {
        return None;
    }
    hashed_in_address(request).then(String::new)
}

/// The webhook's parameters; `None` if it has another kind of body.
fn fields(request: &Request) -> Option<Form> {
    if is_form(request) {
        Form::read(&request.body)
    } else if request.method == Method::GET {
        Some(Form::read_query(request.query()))
    } else {
        None
    }
}

/// What a verified webhook says.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(request: &Request) -> Result<Inbound, WebhookError> {
    match fields(request) {
        Some(form) => form::parse(request, &form, &["ringing"]),
        None => Ok(Inbound::Ignored("not a form")),
    }
}
