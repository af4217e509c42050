//! The master key and what is made of it: wrapping keys, token hashes, signatures.

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ring::{digest, hmac};

use super::{
    Error,
    aead::{self, Cipher, Secret},
    hex,
};

/// Standard base64, with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a setting is not a master key. It never says what the setting was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// Not base64, or not of 32 bytes.
    #[error("must be 32 bytes in base64: make one with `openssl rand -base64 32`")]
    Malformed,
    /// One byte repeated: a placeholder, not a key.
    #[error("is a placeholder, not a random key: make one with `openssl rand -base64 32`")]
    Placeholder,
}

/// The key that is not in the database: 32 bytes, from the configuration or a file.
pub struct MasterKey(Secret);

impl MasterKey {
    /// A new random key, for the demo and for tests.
    pub fn generate() -> Self {
        Self(aead::generate())
    }

    /// Reads standard base64 of 32 bytes; white space around it, as a file ends with, is dropped.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`] for other text, [`MasterKeyError::Placeholder`] for one byte
    /// repeated.
    pub fn from_base64(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = BASE64.decode(text.trim()).map_err(|_| MasterKeyError::Malformed)?;
        Self::from_bytes(Secret::try_from(bytes).map_err(|_| MasterKeyError::Malformed)?)
    }

    /// Takes 32 bytes.
    ///
    /// # Errors
    /// [`MasterKeyError::Placeholder`] for one byte repeated.
    pub fn from_bytes(secret: [u8; 32]) -> Result<Self, MasterKeyError> {
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(MasterKeyError::Placeholder);
        }
        Ok(Self(secret))
    }

    /// Eight hex digits that name the key and tell nothing about it.
    pub fn id(&self) -> String {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(b"entremise v1 master key id\0");
        hash.update(&self.0);
        hex(&hash.finish().as_ref()[..4])
    }

    /// A key of its own for each use, so that no two uses can be played against each other.
    fn derive(&self, label: &str) -> Secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, format!("entremise v1 {label}\0").as_bytes());
        let mut secret = [0; 32];
        secret.copy_from_slice(tag.as_ref());
        secret
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

/// What the master key can do, made ready once. Shared by reference; it never gives a key out.
pub struct Keyring {
    id: String,
    wrap: Cipher,
    tokens: hmac::Key,
    signatures: hmac::Key,
    heads: Secret,
}

impl Keyring {
    /// The ring of one master key.
    #[expect(clippy::needless_pass_by_value, reason = "the clear key ends here")]
    pub fn new(master: MasterKey) -> Self {
        Self {
            id: master.id(),
            wrap: Cipher::new(&master.derive("wrap")),
            tokens: hmac::Key::new(hmac::HMAC_SHA256, &master.derive("tokens")),
            signatures: hmac::Key::new(hmac::HMAC_SHA256, &master.derive("signatures")),
            heads: master.derive("audit heads"),
        }
    }

    /// The seed of the key that signs the audit log's heads.
    pub(super) const fn head_seed(&self) -> &Secret {
        &self.heads
    }

    /// The master key's id: eight hex digits.
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// `v1.<key id>.<base64url>`, bound to a kind of key and to the row that holds it.
    pub(super) fn wrap(&self, kind: &str, secret: &Secret, context: &str) -> String {
        format!("v1.{}.{}", self.id, self.wrap.seal(secret, &bound(kind, context)))
    }

    /// What [`Keyring::wrap`] was given.
    pub(super) fn unwrap_secret(
        &self,
        kind: &str,
        wrapped: &str,
        context: &str,
    ) -> Result<Secret, Error> {
        let rest = wrapped.strip_prefix("v1.").ok_or(Error::Malformed)?;
        let (id, text) = rest.split_once('.').ok_or(Error::Malformed)?;
        // Only a well-formed id may reach an error text.
        if id.len() != 8 || !id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Error::Malformed);
        }
        if id != self.id {
            return Err(Error::UnknownKey { id: id.to_owned() });
        }
        let secret = self.wrap.open(text, &bound(kind, context))?;
        Secret::try_from(secret).map_err(|_| Error::Malformed)
    }

    /// The keyed hash of an API key or another bearer token, in 64 hex digits: what is stored.
    pub fn token_hash(&self, token: &str) -> String {
        hex(hmac::sign(&self.tokens, token.as_bytes()).as_ref())
    }

    /// Whether `hash` is this token's [`Keyring::token_hash`], in a time that tells nothing.
    pub fn token_matches(&self, token: &str, hash: &str) -> bool {
        // Both sides are hashed again under the key, so the comparison is ring's constant-time one
        // and how much of a guess agrees cannot be learnt.
        let ours = self.token_hash(token);
        let tag = hmac::sign(&self.tokens, hash.as_bytes());
        hmac::verify(&self.tokens, ours.as_bytes(), tag.as_ref()).is_ok()
    }

    /// Signs bytes that we hand out and take back, such as a cursor. One `label` per use.
    pub fn sign(&self, label: &str, bytes: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.signatures, &labelled(label, bytes)).as_ref());
        tag
    }

    /// Whether `tag` is [`Keyring::sign`]'s for these bytes, in constant time.
    pub fn verify(&self, label: &str, bytes: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.signatures, &labelled(label, bytes), tag).is_ok()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.id)
    }
}

/// Associated data of a wrapped key.
fn bound(kind: &str, context: &str) -> Vec<u8> {
    format!("entremise v1 wrap {kind}\0{context}").into_bytes()
}

/// Label and bytes such that no two pairs make the same message.
fn labelled(label: &str, bytes: &[u8]) -> Vec<u8> {
    [&u64::try_from(label.len()).unwrap_or(u64::MAX).to_be_bytes(), label.as_bytes(), bytes]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 32 different bytes, as `openssl rand -base64 32` would print them.
    const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn ring() -> Keyring {
        Keyring::new(MasterKey::from_base64(TEXT).unwrap())
    }

    /// The forms that people paste are read: padded, unpadded, with the newline of a file.
    #[test]
    fn base64_is_read_as_it_is_pasted() {
        let id = MasterKey::from_base64(TEXT).unwrap().id();
        assert_eq!(id.len(), 8);
        for text in [TEXT.trim_end_matches('='), &format!("{TEXT}\n"), &format!("  {TEXT}\r\n")] {
            assert_eq!(MasterKey::from_base64(text).unwrap().id(), id);
        }
    }

    /// Anything but 32 bytes of base64 is refused, and so is the placeholder of zeros.
    #[test]
    fn what_is_not_a_key_is_refused() {
        for text in ["", "AAEC", "not base64!", &TEXT[4..], &format!("AAEC{TEXT}"), "ключ"] {
            assert_eq!(MasterKey::from_base64(text).unwrap_err(), MasterKeyError::Malformed);
        }
        let zeros = format!("{}=", "A".repeat(43));
        assert_eq!(MasterKey::from_base64(&zeros).unwrap_err(), MasterKeyError::Placeholder);
    }

    /// Neither debug output nor an error's words hold a part of the key.
    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?} {:?}", MasterKey::from_base64(TEXT).unwrap(), ring());
        let id = MasterKey::from_base64(TEXT).unwrap().id();
        assert_eq!(shown, format!("MasterKey({id}) Keyring({id})"));
    }

    /// The hash of a token is fixed under one key, so that it is an index, and differs under another.
    #[test]
    fn token_hashes_depend_on_token_and_key() {
        let hash = ring().token_hash("ek_live_abc");
        assert_eq!(hash.len(), 64);
        assert_eq!(ring().token_hash("ek_live_abc"), hash);
        assert_ne!(ring().token_hash("ek_live_abd"), hash);
        assert_ne!(Keyring::new(MasterKey::generate()).token_hash("ek_live_abc"), hash);
        assert!(ring().token_matches("ek_live_abc", &hash));
        assert!(!ring().token_matches("ek_live_abd", &hash));
        assert!(!ring().token_matches("ek_live_abc", &hash[..63]));
        assert!(!ring().token_matches("ek_live_abc", ""));
    }

    /// A signature holds for its label and bytes alone, wherever the line between them falls.
    #[test]
    fn signatures_hold_for_label_and_bytes() {
        let tag = ring().sign("cursor", b"abc");
        assert!(ring().verify("cursor", b"abc", &tag));
        assert!(!ring().verify("cursora", b"bc", &tag));
        assert!(!ring().verify("curso", b"rabc", &tag));
        assert!(!ring().verify("cursor", b"abd", &tag));
        assert!(!ring().verify("cursor", b"abc", &tag[..16]));
        assert!(!ring().verify("cursor", b"abc", &[]));
        assert!(!Keyring::new(MasterKey::generate()).verify("cursor", b"abc", &tag));
    }
}
