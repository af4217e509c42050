//! The master key and what is made of it: wrapping keys, token hashes, signatures.

use std::{fmt, sync::Arc};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ring::{digest, hmac};

use super::{
    Error,
    aead::{self, Cipher, Secret},
    hex,
    lasting::Lasting,
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

/// One version of the master key, made ready.
struct Version {
    id: String,
    wrap: Cipher,
    /// What an installation that is older than rotation has for [`Lasting`].
    derived: Lasting,
}

impl Version {
    #[expect(clippy::needless_pass_by_value, reason = "the clear key ends here")]
    fn new(master: MasterKey) -> Self {
        Self {
            id: master.id(),
            wrap: Cipher::new(&master.derive("wrap")),
            derived: Lasting {
                tokens: master.derive("tokens"),
                signatures: master.derive("signatures"),
                heads: master.derive("audit heads"),
            },
        }
    }
}

/// What the master keys can do, made ready once. Shared by reference; it never gives a key out.
///
/// The current version wraps; those before it only open what is not wrapped again yet.
#[derive(Clone)]
pub struct Keyring {
    current: Arc<Version>,
    previous: Arc<[Version]>,
    tokens: hmac::Key,
    signatures: hmac::Key,
    heads: Secret,
}

impl Keyring {
    /// The ring of one master key.
    pub fn new(master: MasterKey) -> Self {
        Self::with_previous(master, [])
    }

    /// The ring of the current master key and of others, which only open. One that is given again
    /// counts once.
    pub fn with_previous(
        current: MasterKey,
        previous: impl IntoIterator<Item = MasterKey>,
    ) -> Self {
        let current = Version::new(current);
        let mut others: Vec<Version> = Vec::new();
        for one in previous.into_iter().map(Version::new) {
            if one.id != current.id && others.iter().all(|other| other.id != one.id) {
                others.push(one);
            }
        }
        let hmac = |secret: &Secret| hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self {
            tokens: hmac(&current.derived.tokens),
            signatures: hmac(&current.derived.signatures),
            heads: current.derived.heads,
            current: Arc::new(current),
            previous: others.into(),
        }
    }

    /// The same ring, which hashes and signs with these secrets. Before it was told any, it does so
    /// with what comes from the current key, as installations did that could not change it.
    #[must_use]
    pub fn with_lasting(&self, lasting: &Lasting) -> Self {
        let hmac = |secret: &Secret| hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self {
            tokens: hmac(&lasting.tokens),
            signatures: hmac(&lasting.signatures),
            heads: lasting.heads,
            ..self.clone()
        }
    }

    /// The seed of the key that signs the audit log's heads.
    pub(super) const fn head_seed(&self) -> &Secret {
        &self.heads
    }

    /// What an installation has for [`Lasting`] that this master key was the only one of; `None` if
    /// it is not in the ring.
    pub fn lasting_of(&self, id: &str) -> Option<&Lasting> {
        self.version(id).map(|version| &version.derived)
    }

    /// The current master key's id: eight hex digits.
    pub fn key_id(&self) -> &str {
        &self.current.id
    }

    /// The ids of all its master keys, the current one first.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.current.id).chain(self.previous.iter().map(|one| &*one.id))
    }

    fn version(&self, id: &str) -> Option<&Version> {
        std::iter::once(&*self.current).chain(self.previous.iter()).find(|one| one.id == id)
    }

    /// `v1.<key id>.<base64url>`, bound to a kind of key and to the row that holds it.
    pub(super) fn wrap(&self, kind: &str, secret: &Secret, context: &str) -> String {
        let Version { id, wrap, .. } = &*self.current;
        format!("v1.{id}.{}", wrap.seal(secret, &bound(kind, context)))
    }

    /// What [`Keyring::wrap`] was given, whichever of the keys wrapped it.
    pub(super) fn unwrap_secret(
        &self,
        kind: &str,
        wrapped: &str,
        context: &str,
    ) -> Result<Secret, Error> {
        let rest = wrapped.strip_prefix("v1.").ok_or(Error::Malformed)?;
        let (id, text) = rest.split_once('.').ok_or(Error::Malformed)?;
        // Only a well-formed id may reach an error text.
        if !is_key_id(id) {
            return Err(Error::Malformed);
        }
        let version = self.version(id).ok_or_else(|| Error::UnknownKey { id: id.to_owned() })?;
        let secret = version.wrap.open(text, &bound(kind, context))?;
        Secret::try_from(secret).map_err(|_| Error::Malformed)
    }

    /// The same secret, wrapped by the current key.
    pub(super) fn rewrap(&self, kind: &str, wrapped: &str, context: &str) -> Result<String, Error> {
        Ok(self.wrap(kind, &self.unwrap_secret(kind, wrapped, context)?, context))
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
        write!(f, "Keyring({})", self.key_ids().collect::<Vec<_>>().join(", "))
    }
}

/// Whether this is the form of a master key's id.
pub fn is_key_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
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
    use crate::privacy::{DataKey, IndexKey, LASTING, LASTING_BYTES};

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

    /// A ring wraps with its current key and opens what each of its keys wrapped; what it wraps again
    /// needs the old one no more, and is the same key. Out of its place nothing is wrapped again.
    #[test]
    fn a_ring_wraps_again_what_a_key_before_wrapped() {
        let other = || MasterKey::from_base64(&TEXT.replace("AAEC", "AQEC")).unwrap();
        let old = Keyring::new(other());
        let both =
            Keyring::with_previous(MasterKey::from_base64(TEXT).unwrap(), [other(), other()]);
        assert_eq!(both.key_ids().collect::<Vec<_>>(), [ring().key_id(), old.key_id()]);
        let (key, index) = (DataKey::generate(), IndexKey::generate());
        let (sealed, person) = (key.seal_text("Ann", "c"), index.pair(&[]));
        let (wrapped, wrapped_index) = (key.wrap(&old, "row"), index.wrap(&old, "row"));
        assert_eq!(both.unwrap(&wrapped, "row").unwrap().open_text(&sealed, "c").unwrap(), "Ann");
        let again = both.rewrap_data(&wrapped, "row").unwrap();
        assert_eq!(ring().unwrap(&again, "row").unwrap().open_text(&sealed, "c").unwrap(), "Ann");
        let again_index = both.rewrap_index(&wrapped_index, "row").unwrap();
        assert_eq!(ring().unwrap_index(&again_index, "row").unwrap().pair(&[]), person);
        let unknown = Error::UnknownKey { id: ring().key_id().to_owned() };
        assert_eq!(old.unwrap(&again, "row").err(), Some(unknown));
        assert_eq!(both.rewrap_data(&wrapped, "other row"), Err(Error::Damaged));
        assert_eq!(both.rewrap_data(&wrapped_index, "row"), Err(Error::Damaged));
        assert!(matches!(ring().rewrap_data(&wrapped, "row"), Err(Error::UnknownKey { .. })));
    }

    /// Tokens and signatures of an installation outlive the master key, those of the audit log's heads among
    /// them: those that came from it as well as those that were drawn.
    #[test]
    fn tokens_and_signatures_outlive_the_master_key() {
        let old = ring();
        let lasting = old.lasting_of(old.key_id()).unwrap();
        let stored = lasting.wrap(&old);
        let new = MasterKey::generate();
        let both = Keyring::with_previous(new, [MasterKey::from_base64(TEXT).unwrap()]);
        assert_ne!(both.token_hash("ek"), old.token_hash("ek"));
        let read = both.unwrap_lasting(&stored).unwrap();
        assert_eq!(both.with_lasting(&read).token_hash("ek"), old.token_hash("ek"));
        assert!(both.with_lasting(&read).verify("cursor", b"abc", &old.sign("cursor", b"abc")));
        assert_eq!(both.with_lasting(&read).head_seed(), old.head_seed());
        assert!(read == *lasting && read != Lasting::from_random(&[7; LASTING_BYTES]));
        let drawn = Lasting::from_random(&[7; LASTING_BYTES]);
        let mut again = drawn.wrap(&old);
        for (name, wrapped) in LASTING.into_iter().zip(&mut again) {
            *wrapped = both.rewrap_lasting(name, wrapped).unwrap();
        }
        assert!(both.unwrap_lasting(&again).unwrap() == drawn);
        again.swap(0, 1);
        assert_eq!(both.unwrap_lasting(&again).err(), Some(Error::Damaged));
        assert_eq!(format!("{drawn:?}"), "Lasting(••••)");
    }
}
