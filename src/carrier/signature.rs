//! Webhooks' signatures: checked in constant time and with a window of freshness, and made for
//! samples of our own.

use std::time::Duration;

use ring::{
    hmac,
    signature::{ED25519, UnparsedPublicKey},
};

use crate::domain::time::Timestamp;

/// How far a signed time may be from ours, either way.
pub const FRESHNESS: Duration = Duration::from_mins(5);

/// Whether `tag` is the HMAC-SHA-1 of `message` (Twilio and its relatives).
pub fn hmac_sha1(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), message, tag).is_ok()
}

/// Whether `tag` is the HMAC-SHA-256 of `message`.
pub fn hmac_sha256(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, tag).is_ok()
}

/// Whether `tag` is the Ed25519 signature of `message` by whoever has the private half of `key`, the 32
/// bytes of a public key.
pub fn ed25519(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(message, tag).is_ok()
}

/// The HMAC-SHA-1 of `message`, 20 bytes.
pub fn sign_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// The HMAC-SHA-256 of `message`, 32 bytes.
pub fn sign_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"entremise compares");
    hmac::verify(&key, one, hmac::sign(&key, other).as_ref()).is_ok()
}

/// Whether `signed_at` is within [`FRESHNESS`] of `now`.
pub fn fresh(signed_at: Timestamp, now: Timestamp) -> bool {
    now.since(signed_at) <= FRESHNESS && signed_at.since(now) <= FRESHNESS
}
