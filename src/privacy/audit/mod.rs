//! The audit log's chains: how a row is made into bytes and hashed, and how the end of a chain is signed.
//!
//! A row's hash is SHA-256 over all that it holds and the hash of the row before it. Whoever can write to
//! the database can make a whole chain anew: what holds them is a signed head that was taken elsewhere
//! before. docs/adr/0011 has the reasons.

mod walk;

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    digest,
    signature::{self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};

use super::{Error, Keyring, hex};
use crate::domain::time::Timestamp;

pub use walk::{FAULTS_MAX, Fault, Link, Walk};

/// The form that rows are written in.
pub const FORM: i64 = 1;

const ROW: &str = "entremise audit row v1";
const HEAD: &str = "entremise audit head v1";
const DOCUMENT: &str = "entremise document v1";

/// What a row holds, as it is stored: all but its own hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// How it is made into bytes: [`FORM`].
    pub form: i64,
    /// Whose chain it is in; empty for the installation's.
    pub account: String,
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// When, in milliseconds.
    pub at: i64,
    /// What sort of actor did it.
    pub actor_kind: String,
    /// The actor's id.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What sort of thing it was done to.
    pub target_kind: String,
    /// That thing's id.
    pub target: String,
    /// Why, sealed; empty for no reason.
    pub reason: String,
    /// The rest: a JSON object.
    pub details: String,
    /// The hash of the row before it; empty in the first.
    pub previous: String,
}

impl Content {
    /// The row's hash: 64 hex digits; `None` for a form that this version does not know.
    pub fn hash(&self) -> Option<String> {
        (self.form == FORM).then(|| self.hash_at(self.seq))
    }

    /// The hash that it would have at another place.
    fn hash_at(&self, seq: i64) -> String {
        let mut bytes = Bytes::of(ROW);
        bytes.text(&self.account);
        bytes.number(seq);
        bytes.number(self.at);
        for text in [
            &self.actor_kind,
            &self.actor,
            &self.action,
            &self.target_kind,
            &self.target,
            &self.reason,
            &self.details,
            &self.previous,
        ] {
            bytes.text(text);
        }
        hex(digest::digest(&digest::SHA256, &bytes.0).as_ref())
    }
}

/// Bytes that no other list of values makes: texts behind their lengths, numbers in eight bytes.
struct Bytes(Vec<u8>);

impl Bytes {
    fn of(what: &str) -> Self {
        let mut bytes = Self(Vec::with_capacity(512));
        bytes.text(what);
        bytes
    }

    fn text(&mut self, text: &str) {
        self.0.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.extend(text.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.0.extend(number.to_be_bytes());
    }
}

/// The end of a chain at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose chain; empty for the installation's.
    pub account: String,
    /// The last row's place.
    pub seq: i64,
    /// The last row's hash.
    pub hash: String,
    /// When it was taken.
    pub at: Timestamp,
}

impl Head {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Bytes::of(HEAD);
        bytes.text(&self.account);
        bytes.number(self.seq);
        bytes.text(&self.hash);
        bytes.number(self.at.millis());
        bytes.0
    }
}

fn document(text: &str) -> Vec<u8> {
    let mut bytes = Bytes::of(DOCUMENT);
    bytes.text(text);
    bytes.0
}

/// Signs heads with the installation's own key.
pub struct HeadSigner(Ed25519KeyPair);

impl HeadSigner {
    /// The key of somebody who asks for disclosures or approves them: base64 of 32 random bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else.
    pub fn of_seed(seed: &str) -> Result<Self, Error> {
        let seed = STANDARD.decode(seed.trim()).map_err(|_| Error::Malformed)?;
        Ed25519KeyPair::from_seed_unchecked(&seed).map(Self).map_err(|_| Error::Malformed)
    }

    /// A new one: its seed and its public key.
    ///
    /// # Errors
    /// As [`HeadSigner::of_seed`].
    pub fn generate() -> Result<(String, PublicKey), Error> {
        let seed = STANDARD.encode(super::aead::generate());
        Ok((seed.clone(), Self::of_seed(&seed)?.public()))
    }

    /// The signature of a head, in base64.
    pub fn sign(&self, head: &Head) -> String {
        STANDARD.encode(self.0.sign(&head.bytes()))
    }

    /// The signature of a document, in base64: of a receipt, an export or a disclosure.
    pub fn sign_document(&self, text: &str) -> String {
        STANDARD.encode(self.0.sign(&document(text)))
    }

    /// The public key: base64 of 32 bytes. Not secret.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }
}

impl fmt::Debug for HeadSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeadSigner({})", self.public())
    }
}

/// What heads are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Reads the base64 of 32 bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| Error::Malformed)?;
        if bytes.len() == 32 { Ok(Self(bytes)) } else { Err(Error::Malformed) }
    }

    /// Whether this key's owner signed the head.
    pub fn verifies(&self, head: &Head, signature: &str) -> bool {
        self.made(&head.bytes(), signature)
    }

    /// Whether this key's owner signed the document.
    pub fn verifies_document(&self, text: &str, signature: &str) -> bool {
        self.made(&document(text), signature)
    }

    fn made(&self, bytes: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&signature::ED25519, &self.0).verify(bytes, &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

impl Keyring {
    /// Signs the heads of the audit log's chains. The one place that says which key does.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the seed is none; 32 bytes always are.
    pub fn head_signer(&self) -> Result<HeadSigner, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(self.head_seed());
        pair.map(HeadSigner).map_err(|_| Error::Malformed)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::privacy::MasterKey;

    /// A row of a chain that is made up.
    pub(super) fn row(seq: i64, previous: &str) -> Content {
        Content {
            form: FORM,
            account: "AC0123456789abcdef0123456789abcdef".into(),
            seq,
            at: 1_800_000_000_000 + seq,
            actor_kind: "api_key".into(),
            actor: "AK0123456789abcdef0123456789abcdef".into(),
            action: "service.updated".into(),
            target_kind: "service".into(),
            target: "KS0123456789abcdef0123456789abcdef".into(),
            reason: String::new(),
            details: r#"{"changed":["brand"]}"#.into(),
            previous: previous.into(),
        }
    }

    fn ring() -> Keyring {
        Keyring::new(
            MasterKey::from_bytes(std::array::from_fn(|n| u8::try_from(n).unwrap())).unwrap(),
        )
    }

    /// The bytes of a row never change: else every chain that was written would be told to be edited.
    #[test]
    fn the_form_is_fixed() {
        assert_eq!(
            row(1, "").hash().unwrap(),
            "709648fb7ada1d5172d87bded980a501911615a9d1e0144748d94eefc01181de"
        );
        let unknown = Content { form: 2, ..row(1, "") };
        assert_eq!(unknown.hash(), None);
    }

    /// No two rows make the same bytes: what moves from one text to the next is seen.
    #[test]
    fn every_field_counts() {
        let one = row(1, "").hash();
        for changed in [
            Content { account: String::new(), ..row(1, "") },
            Content { seq: 2, ..row(1, "") },
            Content { at: 0, ..row(1, "") },
            Content { actor_kind: "staff".into(), ..row(1, "") },
            Content { actor: String::new(), ..row(1, "") },
            Content { action: "service.created".into(), ..row(1, "") },
            Content { target_kind: "number".into(), ..row(1, "") },
            Content { target: String::new(), ..row(1, "") },
            Content { reason: "x".into(), ..row(1, "") },
            Content { details: "{}".into(), ..row(1, "") },
            Content { previous: "x".into(), ..row(1, "") },
        ] {
            assert_ne!(changed.hash(), one, "{changed:?}");
        }
        let split = |actor: &str, action: &str| {
            Content { actor: actor.into(), action: action.into(), ..row(1, "") }.hash()
        };
        assert_ne!(split("ab", "c"), split("a", "bc"));
    }

    /// A signature holds for its head alone, and under its own key; the key is the same after a restart.
    #[test]
    fn heads_are_signed() {
        let signer = ring().head_signer().unwrap();
        let head = Head {
            account: String::new(),
            seq: 7,
            hash: "ab".into(),
            at: Timestamp::from_millis(1),
        };
        let signature = signer.sign(&head);
        let key = PublicKey::parse(&ring().head_signer().unwrap().public().to_string()).unwrap();
        assert!(key.verifies(&head, &signature));
        for other in [
            Head { account: "AC".into(), ..head.clone() },
            Head { seq: 6, ..head.clone() },
            Head { hash: "ac".into(), ..head.clone() },
            Head { at: Timestamp::EPOCH, ..head.clone() },
        ] {
            assert!(!key.verifies(&other, &signature), "{other:?}");
        }
        assert!(!key.verifies(&head, "no base64"));
        assert!(!key.verifies(&head, ""));
        let another = Keyring::new(MasterKey::generate()).head_signer().unwrap();
        assert!(!another.public().verifies(&head, &signature));
        assert!(PublicKey::parse("AAAA").is_err());
    }
}
