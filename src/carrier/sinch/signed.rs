//! How Sinch proves its webhooks: a signature of the application about calls, and one of three proofs
//! about texts.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderName, Method, header::AUTHORIZATION, header::CONTENT_TYPE};
use md5::{Digest as _, Md5};

use super::{
    Links, Request,
    config::{Config, Proof},
};
use crate::{
    carrier::{WebhookError, signature},
    domain::time::Timestamp,
};

/// When a call's webhook was signed.
const TIMESTAMP: &str = "x-timestamp";

/// The parameter of an address that has the key.
const KEY: &str = "key";

/// Whether a webhook comes with the signature of an application: then it is about calls, and else about
/// texts.
pub(super) fn is_of_calls(request: &Request) -> bool {
    of_application(request).is_some()
}

/// Whether a webhook is authentic, and fresh where its time is signed.
///
/// # Errors
/// [`WebhookError::BadSignature`], [`WebhookError::Stale`].
pub(super) fn verify(
    config: &Config,
    request: &Request,
    now: Timestamp,
) -> Result<(), WebhookError> {
    if request.method != Method::POST {
        return Err(WebhookError::BadSignature);
    }
    let at = match (of_application(request), &config.proof) {
        (Some(credentials), _) => call_signed_at(config, request, credentials),
        (None, Proof::Signed(secrets)) => text_signed_at(secrets, request),
        (None, Proof::Password { header, .. }) => {
            let given = request.header(AUTHORIZATION.as_str()).unwrap_or_default();
            return known(given, header);
        }
        (None, Proof::Key(key)) => return known(&key_of(request), key),
    };
    let at = at.ok_or(WebhookError::BadSignature)?;
    if signature::fresh(at, now) { Ok(()) } else { Err(WebhookError::Stale) }
}

fn known(given: &str, expected: &str) -> Result<(), WebhookError> {
    let fits = signature::same(given.as_bytes(), expected.as_bytes());
    if fits { Ok(()) } else { Err(WebhookError::BadSignature) }
}

/// The one key in the address; empty where there is none, or several.
fn key_of(request: &Request) -> String {
    let mut keys = form_urlencoded::parse(request.query().as_bytes())
        .filter_map(|(name, value)| (name == KEY).then(|| value.into_owned()));
    match (keys.next(), keys.next()) {
        (Some(key), None) => key,
        _ => String::new(),
    }
}

/// What follows the scheme `application`, whose letters' case does not count (RFC 9110 §11.1).
fn of_application(request: &Request) -> Option<&str> {
    let (scheme, credentials) = request.header(AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("application").then_some(credentials)
}

/// When the application signed it, if it did.
fn call_signed_at(config: &Config, request: &Request, credentials: &str) -> Option<Timestamp> {
    let (key, tag) = credentials.split_once(':')?;
    let tag = BASE64.decode(tag).ok()?;
    let at = request.header(TIMESTAMP)?;
    let genuine =
        signature::hmac_sha256(&config.application_secret, message(request, at).as_bytes(), &tag);
    if !genuine || key != config.application_key {
        return None;
    }
    let at: jiff::Timestamp = at.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

/// What is signed: no query, and of the headers the type and the time.
fn message(request: &Request, at: &str) -> String {
    let hash = if request.body.is_empty() {
        String::new()
    } else {
        BASE64.encode(Md5::digest(&request.body))
    };
    let kind = request.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let path = path(&request.url);
    format!("{}\n{hash}\n{kind}\n{TIMESTAMP}:{at}\n{path}", request.method)
}

fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or(path)
}

/// When a text's webhook was signed, if it was.
fn text_signed_at(secrets: &[String], request: &Request) -> Option<Timestamp> {
    let header = |part: &str| request.header(&format!("x-sinch-webhook-signature{part}"));
    if header("-algorithm")? != "HmacSHA256" {
        return None;
    }
    let (nonce, at) = (header("-nonce")?, header("-timestamp")?);
    let tag = BASE64.decode(header("")?).ok()?;
    let message = [&request.body[..], format!(".{nonce}.{at}").as_bytes()].concat();
    let genuine =
        secrets.iter().any(|secret| signature::hmac_sha256(secret.as_bytes(), &message, &tag));
    let at: i64 = at.parse().ok()?;
    genuine.then(|| at.checked_mul(1000).map(Timestamp::from_millis))?
}

/// A webhook of an application that says nothing, signed now.
pub(super) fn sample(config: &Config, links: &Links, now: Timestamp) -> Request {
    let body = r#"{"event":"notify","type":"check"}"#;
    let request = Request::post(links.status(), "application/json", body);
    let at = now.rfc3339();
    let tag = signature::sign_sha256(&config.application_secret, message(&request, &at).as_bytes());
    let credentials = format!("application {}:{}", config.application_key, BASE64.encode(tag));
    request
        .with_header(HeaderName::from_static(TIMESTAMP), &at)
        .with_header(AUTHORIZATION, &credentials)
}
