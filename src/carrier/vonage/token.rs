//! JSON Web Tokens (RFC 7519): those that Vonage signs webhooks with, and ours for the Voice API.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use ring::{digest, rand::SystemRandom, signature::RSA_PKCS1_SHA256};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Request, config::Config};
use crate::{carrier::signature, domain::time::Timestamp, ids::hex};

/// How long a token of ours is good: long enough for a slow network and clocks that differ.
const GOOD_FOR_S: i64 = 300;

/// The longest token that is read.
const TOKEN_MAX: usize = 4096;

/// What a token of a webhook says.
#[derive(Deserialize)]
pub(super) struct Claims {
    /// When it was made, in seconds since 1970.
    pub(super) iat: i64,
    /// Who made it.
    pub(super) iss: String,
    /// The account.
    pub(super) api_key: String,
    /// The application, where one is concerned.
    pub(super) application_id: Option<String>,
    /// The SHA-256 of the body, where there is one.
    pub(super) payload_hash: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// What the token says, if one of `secrets` signed it with HMAC-SHA-256: the token does not choose
/// the algorithm.
pub(super) fn read(secrets: &[String], token: &str) -> Option<Claims> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let (message, tag) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let tag = BASE64URL.decode(tag).ok()?;
    let signed =
        |secret: &String| signature::hmac_sha256(secret.as_bytes(), message.as_bytes(), &tag);
    if !secrets.iter().any(signed) {
        return None;
    }
    let header: Header = serde_json::from_slice(&BASE64URL.decode(header).ok()?).ok()?;
    let claims = serde_json::from_slice(&BASE64URL.decode(claims).ok()?).ok()?;
    (header.alg == "HS256").then_some(claims)
}

/// The token of a webhook of our own with that body.
pub(super) fn of_webhook(config: &Config, body: &[u8], now: Timestamp) -> Option<String> {
    let payload_hash = sha256(body);
    let message = message(
        "HS256",
        &json!({
            "iat": now.seconds(),
            "jti": payload_hash.get(..32),
            "iss": "Vonage",
            "payload_hash": payload_hash,
            "api_key": config.api_key,
            "application_id": config.application_id,
        }),
    );
    let secret = config.signature_secrets.first()?;
    let tag = signature::sign_sha256(secret.as_bytes(), message.as_bytes());
    Some(format!("{message}.{}", BASE64URL.encode(tag)))
}

/// The application's token for one request that leaves now. Its id is made of what it is for, so
/// that nothing random is needed and no two requests share one.
pub(super) fn of_application(config: &Config, request: &Request, now: Timestamp) -> Option<String> {
    let what =
        [now.millis().to_string().as_bytes(), request.url.as_bytes(), &request.body].concat();
    let message = message(
        "RS256",
        &json!({
            "application_id": config.application_id,
            "iat": now.seconds(),
            "exp": now.seconds() + GOOD_FOR_S,
            "jti": sha256(&what).get(..32),
        }),
    );
    let mut tag = vec![0; config.key_pair.public().modulus_len()];
    // The random bytes blind the computation; the signature does not depend on them.
    config
        .key_pair
        .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut tag)
        .ok()?;
    Some(format!("{message}.{}", BASE64URL.encode(tag)))
}

fn message(alg: &str, claims: &Value) -> String {
    let header = json!({ "alg": alg, "typ": "JWT" });
    format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()))
}

/// The SHA-256 of `bytes` in lower-case hex, as `payload_hash` has it.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}
