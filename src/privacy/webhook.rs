//! Signs what we post to marketplaces, as Standard Webhooks 1.0.0 has it: v1 is HMAC-SHA-256, v1a
//! is Ed25519, both over `{id}.{timestamp}.{body}`.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};

use super::Error;
use crate::domain::time::Timestamp;

const SECRET: &str = "whsec_";
const PRIVATE: &str = "whsk_";
const PUBLIC: &str = "whpk_";
/// The shortest and the longest secret, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How many random bytes [`WebhookKeys::from_random`] takes.
pub const RANDOM_BYTES: usize = 64;

/// A secret that both sides know, for v1 signatures.
#[derive(Clone)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// Reads `whsec_` and the base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = text.strip_prefix(SECRET).and_then(|rest| STANDARD.decode(rest).ok());
        bytes.filter(|bytes| SECRET_BYTES.contains(&bytes.len())).map(Self).ok_or(Error::Malformed)
    }

    /// The secret as text, to be shown once.
    pub fn expose(&self) -> String {
        format!("{SECRET}{}", STANDARD.encode(&self.0))
    }

    /// The v1 signature: `v1,<base64>`.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        format!("v1,{}", STANDARD.encode(hmac::sign(&key, &content(id, at, body))))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(••••)")
    }
}

/// What one endpoint is signed to with: a shared secret, and a key pair of our own.
pub struct WebhookKeys {
    secret: WebhookSecret,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl WebhookKeys {
    /// Keys made of random bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the bytes are no seed; 32 bytes always are.
    pub fn from_random(random: &[u8; RANDOM_BYTES]) -> Result<Self, Error> {
        let (secret, seed) = random.split_at(RANDOM_BYTES / 2);
        let seed = seed.try_into().map_err(|_| Error::Malformed)?;
        Self::new(WebhookSecret(secret.to_vec()), seed)
    }

    fn new(secret: WebhookSecret, seed: [u8; 32]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Error::Malformed)?;
        Ok(Self { secret, seed, pair })
    }

    /// Reads [`WebhookKeys::to_text`].
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (secret, seed) = text.split_once(' ').ok_or(Error::Malformed)?;
        let seed = seed.strip_prefix(PRIVATE).and_then(|rest| STANDARD.decode(rest).ok());
        let seed = seed.and_then(|seed| seed.try_into().ok()).ok_or(Error::Malformed)?;
        Self::new(WebhookSecret::parse(secret)?, seed)
    }

    /// Both as text, to be sealed.
    pub fn to_text(&self) -> String {
        format!("{} {PRIVATE}{}", self.secret.expose(), STANDARD.encode(self.seed))
    }

    /// The shared secret.
    pub const fn secret(&self) -> &WebhookSecret {
        &self.secret
    }

    /// The public half of the pair: `whpk_` and the base64 of 32 bytes. Not secret.
    pub fn public(&self) -> String {
        format!("{PUBLIC}{}", STANDARD.encode(self.pair.public_key()))
    }

    /// Both signatures: `v1,<base64> v1a,<base64>`.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let signed = self.pair.sign(&content(id, at, body));
        format!("{} v1a,{}", self.secret.sign(id, at, body), STANDARD.encode(signed))
    }
}

impl fmt::Debug for WebhookKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookKeys({})", self.public())
    }
}

/// What is signed. `id` is one of ours and holds no full stop; `at` is the attempt's time, in whole
/// seconds as in the header.
fn content(id: &str, at: Timestamp, body: &[u8]) -> Vec<u8> {
    [format!("{id}.{}.", at.seconds()).as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Standard Webhooks' own libraries and of Svix' documents.
    #[test]
    fn v1_is_the_standards() {
        for (secret, id, at, body, signature) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            let secret = WebhookSecret::parse(secret).unwrap();
            let at = Timestamp::from_millis(at * 1000 + 999);
            assert_eq!(secret.sign(id, at, body.as_bytes()), signature);
        }
    }

    /// `tests/webhooks/signed.json` is what we sign: the script beside it has the standard's own
    /// library and another Ed25519 check it.
    #[test]
    fn the_sample_is_ours() {
        let mut random = [0; RANDOM_BYTES];
        (0..).zip(&mut random).for_each(|(n, byte)| *byte = n);
        let keys = WebhookKeys::from_random(&random).unwrap();
        let (id, at) = ("EV019343fd1c3a7e63a1c0bb0f3e9a1d52", 1_795_284_000);
        let body = "{\"data\":{\"role\":\"acheteur·euse\"},\"type\":\"session.created\"}";
        let sample = serde_json::json!({
            "secret": keys.secret().expose(),
            "public_key": keys.public(),
            "id": id,
            "timestamp": at,
            "body": body,
            "signature": keys.sign(id, Timestamp::from_millis(at * 1000), body.as_bytes()),
        });
        let kept: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/webhooks/signed.json")).unwrap();
        assert_eq!(kept, sample, "tests/webhooks/signed.json should be: {sample:#}");
    }

    /// Keys read back as they were, and sign alike; what is no secret is refused.
    #[test]
    fn keys_read_back() {
        let keys = WebhookKeys::from_random(&[7; RANDOM_BYTES]).unwrap();
        let again = WebhookKeys::parse(&keys.to_text()).unwrap();
        let at = Timestamp::from_millis(1);
        assert_eq!(keys.sign("a", at, b"b"), again.sign("a", at, b"b"));
        assert_eq!(keys.public(), again.public());
        assert!(!format!("{keys:?}{:?}", keys.secret()).contains("BwcH"));
        for bad in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_*"] {
            assert!(WebhookSecret::parse(bad).is_err(), "{bad}");
            assert!(WebhookKeys::parse(bad).is_err(), "{bad}");
        }
        assert!(WebhookSecret::parse(&format!("whsec_{}", STANDARD.encode([0; 65]))).is_err());
    }
}
