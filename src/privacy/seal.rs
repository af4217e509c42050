//! Data keys: what they seal opens in its own row only, and not at all once the key is deleted.

use std::fmt;

use super::{
    Error, Keyring,
    aead::{self, Cipher, Secret},
};
use crate::domain::{message::Body, phone::Identifier};

const KIND: &str = "data key";

/// What a sealed file begins with.
const FILE_VERSION: u8 = b'1';

/// Bytes in clear. Their `Debug` shows only how many they are.
#[derive(Clone, PartialEq, Eq)]
pub struct Plain(Vec<u8>);

impl Plain {
    /// The bytes in clear. Every use is an edge that docs/privacy.md names.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes in clear, owned.
    pub fn into_exposed(self) -> Vec<u8> {
        self.0
    }

    fn into_text(self) -> Result<String, Error> {
        String::from_utf8(self.0).map_err(|_| Error::Malformed)
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plain({} bytes)", self.0.len())
    }
}

/// Seals the numbers and words of one session, or the secrets of one account.
///
/// `context` names the place of what is sealed, such as `KP…/identifier`: text that is moved to
/// another place does not open. It is not secret and is not stored.
pub struct DataKey {
    secret: Secret,
    cipher: Cipher,
}

impl DataKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self::new(aead::generate())
    }

    fn new(secret: Secret) -> Self {
        Self { cipher: Cipher::new(&secret), secret }
    }

    /// The key as it is stored: `v1.<master key id>.<base64url>`, for the row that `context` names.
    pub fn wrap(&self, ring: &Keyring, context: &str) -> String {
        ring.wrap(KIND, &self.secret, context)
    }

    /// Seals bytes: `v1.<base64url>`. Equal bytes never look alike.
    pub fn seal(&self, plain: &[u8], context: &str) -> String {
        self.seal_as("bytes", plain, context)
    }

    /// Opens what [`DataKey::seal`] made.
    ///
    /// # Errors
    /// [`Error::Malformed`] for text of another form, [`Error::Damaged`] for anything but what this
    /// key sealed for this context.
    pub fn open(&self, sealed: &str, context: &str) -> Result<Plain, Error> {
        self.open_as("bytes", sealed, context)
    }

    /// Seals a file: `1` and the sealed bytes. Equal files never look alike.
    pub fn seal_file(&self, plain: &[u8], context: &str) -> Vec<u8> {
        [&[FILE_VERSION], &*self.cipher.seal_bytes(plain, &bound("file", context))].concat()
    }

    /// Opens what [`DataKey::seal_file`] made.
    ///
    /// # Errors
    /// As [`DataKey::open`].
    pub fn open_file(&self, sealed: &[u8], context: &str) -> Result<Plain, Error> {
        let sealed = sealed.strip_prefix(&[FILE_VERSION]).ok_or(Error::Malformed)?;
        self.cipher.open_bytes(sealed.to_vec(), &bound("file", context)).map(Plain)
    }

    /// Seals text that is neither a number nor a body: a name, a secret, a stored plan.
    pub fn seal_text(&self, text: &str, context: &str) -> String {
        self.seal_as("text", text.as_bytes(), context)
    }

    /// Opens what [`DataKey::seal_text`] made.
    ///
    /// # Errors
    /// As [`DataKey::open`].
    pub fn open_text(&self, sealed: &str, context: &str) -> Result<String, Error> {
        self.open_as("text", sealed, context)?.into_text()
    }

    /// Seals a person's number.
    pub fn seal_identifier(&self, identifier: &Identifier, context: &str) -> String {
        self.seal_as("identifier", identifier.expose().as_bytes(), context)
    }

    /// Opens what [`DataKey::seal_identifier`] made.
    ///
    /// # Errors
    /// As [`DataKey::open`].
    pub fn open_identifier(&self, sealed: &str, context: &str) -> Result<Identifier, Error> {
        let text = self.open_as("identifier", sealed, context)?.into_text()?;
        Identifier::parse(&text).map_err(|_| Error::Malformed)
    }

    /// Seals the words of a text.
    pub fn seal_body(&self, body: &Body, context: &str) -> String {
        self.seal_as("body", body.expose().as_bytes(), context)
    }

    /// Opens what [`DataKey::seal_body`] made.
    ///
    /// # Errors
    /// As [`DataKey::open`].
    pub fn open_body(&self, sealed: &str, context: &str) -> Result<Body, Error> {
        self.open_as("body", sealed, context)?.into_text().map(Body::new)
    }

    fn seal_as(&self, kind: &str, plain: &[u8], context: &str) -> String {
        format!("v1.{}", self.cipher.seal(plain, &bound(kind, context)))
    }

    fn open_as(&self, kind: &str, sealed: &str, context: &str) -> Result<Plain, Error> {
        let text = sealed.strip_prefix("v1.").ok_or(Error::Malformed)?;
        self.cipher.open(text, &bound(kind, context)).map(Plain)
    }
}

/// Associated data: what was sealed and where. `kind` is one of ours and holds no NUL.
fn bound(kind: &str, context: &str) -> Vec<u8> {
    format!("entremise v1 seal {kind}\0{context}").into_bytes()
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(••••)")
    }
}

impl Keyring {
    /// Reads a stored [`DataKey::wrap`].
    ///
    /// # Errors
    /// [`Error::UnknownKey`] if another master key wrapped it, [`Error::Malformed`] for text of
    /// another form, [`Error::Damaged`] if it was altered or is another row's.
    pub fn unwrap(&self, wrapped: &str, context: &str) -> Result<DataKey, Error> {
        self.unwrap_secret(KIND, wrapped, context).map(DataKey::new)
    }

    /// The stored [`DataKey::wrap`] of that row, wrapped by the current master key.
    ///
    /// # Errors
    /// As [`Keyring::unwrap`].
    pub fn rewrap_data(&self, wrapped: &str, context: &str) -> Result<String, Error> {
        self.rewrap(KIND, wrapped, context)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::privacy::{IndexKey, MasterKey};

    fn ring() -> Keyring {
        Keyring::new(MasterKey::generate())
    }

    proptest! {
        /// What is sealed opens to the same bytes, through the wrapped key as well.
        #[test]
        fn sealed_bytes_come_back(plain: Vec<u8>, context in "[ -~]{0,40}") {
            let ring = ring();
            let key = DataKey::generate();
            let sealed = key.seal(&plain, &context);
            let stored = key.wrap(&ring, "session:KC1");
            let again = ring.unwrap(&stored, "session:KC1").unwrap();
            prop_assert_eq!(again.open(&sealed, &context).unwrap().into_exposed(), plain);
        }
    }

    /// Text that is moved to another row, or read as another kind of thing, does not open.
    #[test]
    fn the_wrong_place_does_not_open() {
        let (ring, key) = (ring(), DataKey::generate());
        let sealed = key.seal_text("hello", "KP1/name");
        assert_eq!(key.open_text(&sealed, "KP2/name"), Err(Error::Damaged));
        assert_eq!(key.open(&sealed, "KP1/name"), Err(Error::Damaged));
        assert_eq!(DataKey::generate().open_text(&sealed, "KP1/name"), Err(Error::Damaged));
        let wrapped = key.wrap(&ring, "session:KC1");
        assert_eq!(ring.unwrap(&wrapped, "session:KC2").err(), Some(Error::Damaged));
        let index = IndexKey::generate().wrap(&ring, "session:KC1");
        assert_eq!(ring.unwrap(&index, "session:KC1").err(), Some(Error::Damaged));
    }

    /// No byte of sealed text can be changed, and none taken from its end, without being noticed.
    #[test]
    fn every_altered_byte_is_noticed() {
        let (ring, key) = (ring(), DataKey::generate());
        let sealed = key.seal(b"+14155550100", "c");
        let wrapped = key.wrap(&ring, "c");
        for (text, opens) in [
            (&sealed, (&|t: &str| key.open(t, "c").is_ok()) as &dyn Fn(&str) -> bool),
            (&wrapped, &|t: &str| ring.unwrap(t, "c").is_ok()),
        ] {
            assert!(opens(text));
            for at in 0..text.len() {
                assert!(!opens(&text[..at]), "cut at {at}");
                for other in ["A", "B", "_", ".", "0", "=", "\0"] {
                    let mut altered = text.clone();
                    altered.replace_range(at..=at, other);
                    assert!(altered == *text || !opens(&altered), "byte {at} to {other:?}");
                }
            }
        }
    }

    /// Another master key is told apart from damage, so that an operator knows what to look for.
    #[test]
    fn another_master_key_is_named() {
        let (first, second) = (ring(), ring());
        let wrapped = DataKey::generate().wrap(&first, "c");
        let error = second.unwrap(&wrapped, "c").unwrap_err();
        assert_eq!(error, Error::UnknownKey { id: first.key_id().to_owned() });
        assert!(error.to_string().contains(first.key_id()));
    }

    /// An error never repeats what it was given, even where a key id should stand.
    #[test]
    fn errors_hold_no_data() {
        for text in ["", "v1.", "v2.x", "v1.+1415555.AAAA", "v1.+14155550100", "v1.é.x", "..."] {
            assert_eq!(ring().unwrap(text, "c").err(), Some(Error::Malformed), "{text}");
        }
        for text in ["", "v1", "v1.é", "v1.AAAA", "v2.AAAA", "v1.+14155550100"] {
            assert_eq!(DataKey::generate().open(text, "c"), Err(Error::Malformed), "{text}");
        }
    }

    /// Numbers, bodies and texts come back as what they were, and equal ones never look alike.
    #[test]
    fn typed_values_come_back() {
        let key = DataKey::generate();
        let number = Identifier::parse("+447700900123").unwrap();
        let sealed = key.seal_identifier(&number, "c");
        assert_ne!(sealed, key.seal_identifier(&number, "c"));
        assert_eq!(key.open_identifier(&sealed, "c"), Ok(number));
        let body = Body::new("À bientôt".into());
        assert_eq!(key.open_body(&key.seal_body(&body, "c"), "c"), Ok(body));
        assert_eq!(key.open_text(&key.seal_text("Ann", "c"), "c"), Ok("Ann".to_owned()));
    }

    /// A file comes back in its own place, and not with a bit turned, cut or as anything else.
    #[test]
    fn files_come_back_in_their_place() {
        let key = DataKey::generate();
        let sealed = key.seal_file(b"a picture", "media:MD1");
        assert_eq!(key.open_file(&sealed, "media:MD1").unwrap().expose(), b"a picture");
        assert_eq!(key.open_file(&sealed, "media:MD2"), Err(Error::Damaged));
        assert!(DataKey::generate().open_file(&sealed, "media:MD1").is_err());
        for at in 0..sealed.len() {
            assert!(key.open_file(&sealed[..at], "media:MD1").is_err(), "cut at {at}");
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(key.open_file(&altered, "media:MD1").is_err(), "byte {at}");
        }
    }

    /// Neither a key nor clear bytes appear in debug output.
    #[test]
    fn debug_shows_nothing() {
        let key = DataKey::generate();
        let plain = key.open(&key.seal(b"secret", "c"), "c").unwrap();
        assert_eq!(format!("{key:?} {plain:?}"), "DataKey(••••) Plain(6 bytes)");
    }
}
