//! Plivo's signature of webhooks, the third version: which bytes it covers, and whether it fits.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderName, Method};

use super::{Links, Request, WebhookError, config::Config};
use crate::{
    carrier::{
        form::{FORM, Form, is_form},
        signature,
    },
    domain::time::Timestamp,
};

/// Made with the token of the account, or subaccount, that has the number.
const SIGNATURE: &str = "x-plivo-signature-v3";

/// Made with the token of the main account. Texts are said to be signed by this one alone.
const SIGNATURE_MAIN: &str = "x-plivo-signature-ma-v3";

const NONCE: &str = "x-plivo-signature-v3-nonce";

/// The most signatures in one header that are looked at: one for each token of an account.
const SIGNATURES_MAX: usize = 8;

/// Whether a webhook was signed with a token of this account, in either of the two headers. The
/// second version's header counts for nothing: it covers no parameter.
///
/// # Errors
/// [`WebhookError::BadSignature`].
pub(super) fn verify(config: &Config, request: &Request) -> Result<(), WebhookError> {
    match signed_by_us(config, request) {
        Some(true) => Ok(()),
        _ => Err(WebhookError::BadSignature),
    }
}

/// `None` and `Some(false)` both say no: the first where there is nothing to compare with.
fn signed_by_us(config: &Config, request: &Request) -> Option<bool> {
    let message = message(request, request.header(NONCE).filter(|nonce| !nonce.is_empty())?)?;
    let mut genuine = false;
    for (name, tokens) in [(SIGNATURE, config.tokens()), (SIGNATURE_MAIN, config.main_tokens())] {
        if !request.headers.contains_key(name) {
            continue;
        }
        // Twice, or not a text: refused, whatever the other header says.
        for tag in request.header(name)?.split(',').take(SIGNATURES_MAX) {
            let Ok(tag) = BASE64.decode(tag.trim()) else { continue };
            genuine |= tokens
                .iter()
                .any(|token| signature::hmac_sha256(token.as_bytes(), message.as_bytes(), &tag));
        }
    }
    Some(genuine)
}

/// What is signed: the address with its query sorted and decoded, a form's names and values, and the
/// nonce. `None` if the signature would not cover the whole body.
fn message(request: &Request, nonce: &str) -> Option<String> {
    let address = request.url.split('?').next().unwrap_or_default();
    let query = Form::read(request.query().as_bytes())?.sorted_query();
    let parameters = match request.method {
        Method::POST if is_form(request) => Form::read(&request.body)?.signed(),
        Method::GET | Method::POST if request.body.is_empty() => String::new(),
        _ => return None,
    };
    Some(match (query.is_empty(), parameters.is_empty()) {
        (true, true) => format!("{address}.{nonce}"),
        (false, true) => format!("{address}?{query}.{nonce}"),
        (true, false) => format!("{address}?{parameters}.{nonce}"),
        (false, false) => format!("{address}?{query}.{parameters}.{nonce}"),
    })
}

/// A webhook that says nothing, signed with the account's token.
pub(super) fn sample(config: &Config, links: &Links, now: Timestamp) -> Option<Request> {
    let body =
        form_urlencoded::Serializer::new(String::new()).append_pair("Check", "entremise").finish();
    let request = Request::post(links.status(), FORM, body);
    let nonce = now.millis().to_string();
    let message = message(&request, &nonce)?;
    let tag = signature::sign_sha256(config.token().as_bytes(), message.as_bytes());
    let request = request.with_header(HeaderName::from_static(SIGNATURE), &BASE64.encode(tag));
    Some(request.with_header(HeaderName::from_static(NONCE), &nonce))
}
