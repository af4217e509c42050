//! The blind index: finds people by number without keeping the number.

use std::fmt;

use ring::hmac;

use super::{
    Error, Keyring,
    aead::{self, Secret},
    hex,
};
use crate::domain::{
    assurance::Pin,
    message::Body,
    phone::{Canonical, Identifier},
    redact,
    verification::Code,
};

const KIND: &str = "index key";

/// Declares a keyed hash that is stored and shown as 32 lower-case hex digits.
macro_rules! blind {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
        #[sqlx(transparent)]
        pub struct $name(String);

        impl $name {
            /// Reads 32 lower-case hex digits; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                let well_formed = text.len() == 32
                    && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                well_formed.then(|| Self(text.to_owned()))
            }

            /// The 32 hex digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

blind! {
    /// A person, within one account: the keyed hash of the canonical number.
    Person
}

blind! {
    /// A set of people, within one account: the key of "the same counterparts".
    Counterpart
}

blind! {
    /// What is counted, within one account: an address, or what numbers that begin alike have in common.
    Counted
}

blind! {
    /// A PIN, within one account: the keyed hash of its digits, with or without whose it is.
    PinHash
}

impl Person {
    /// The first four hex digits, for the masked form.
    pub fn tag(&self) -> &str {
        self.0.get(..4).unwrap_or(&self.0)
    }

    /// The masked form of `identifier`, whose index this is: `+33••••a1f0`.
    pub fn masked(&self, identifier: &Identifier) -> String {
        redact::masked(identifier.calling_code(), self.tag())
    }
}

/// Makes the blind index of one account. It is wrapped and stored as a data key is.
///
/// The hash is of the account's own key, so people cannot be matched across accounts, and a copy of
/// the database cannot be searched by trying every number.
pub struct IndexKey {
    secret: Secret,
    hmac: hmac::Key,
}

impl IndexKey {
    /// A key of bytes that were just drawn at random.
    pub fn from_random(secret: [u8; 32]) -> Self {
        Self::new(secret)
    }

    /// A new random key.
    pub fn generate() -> Self {
        Self::new(aead::generate())
    }

    fn new(secret: Secret) -> Self {
        Self { hmac: hmac::Key::new(hmac::HMAC_SHA256, &secret), secret }
    }

    /// The key as it is stored: `v1.<master key id>.<base64url>`, for the row that `context` names.
    pub fn wrap(&self, ring: &Keyring, context: &str) -> String {
        ring.wrap(KIND, &self.secret, context)
    }

    /// Who has this number.
    pub fn person(&self, number: &Canonical) -> Person {
        Person(self.hash("person", &[number.expose()]))
    }

    /// The key of a set of people: order and repeats do not matter.
    pub fn pair(&self, persons: &[Person]) -> Counterpart {
        let mut sorted: Vec<&str> = persons.iter().map(Person::as_str).collect();
        sorted.sort_unstable();
        sorted.dedup();
        Counterpart(self.hash("counterpart", &sorted))
    }

    /// What `counted` says the text is, as it is counted.
    pub fn counted(&self, counted: &str, text: &str) -> Counted {
        Counted(self.hash(&format!("counted {counted}"), &[text]))
    }

    /// A code as it is stored: the whole keyed hash of it and of the verification whose it is.
    pub fn code(&self, verification: &str, code: &Code) -> String {
        hex(hmac::sign(&self.hmac, &code_message(verification, code)).as_ref())
    }

    /// Whether that is the stored form of this code, in a time that does not depend on where they
    /// differ.
    pub fn is_code(&self, verification: &str, code: &Code, stored: &str) -> bool {
        let Some(tag) = unhex(stored) else { return false };
        hmac::verify(&self.hmac, &code_message(verification, code), &tag).is_ok()
    }

    /// The key of a number without its last four digits: what ten thousand numbers have in common.
    pub fn prefix(&self, number: &Canonical) -> String {
        let digits = number.expose();
        self.hash("prefix", &[digits.get(..digits.len().saturating_sub(4)).unwrap_or_default()])
    }

    /// The key of what a text says, by which it is known again within the account.
    pub fn echo(&self, said: &Body) -> String {
        self.hash("echo", &[said.expose()])
    }

    /// A PIN by itself, or beside the number of somebody.
    pub fn pin(&self, pin: &Pin, person: Option<&Person>) -> PinHash {
        PinHash(match person {
            // All of one length before the digits, as `hash` wants it.
            Some(person) => self.hash("own pin", &[person.as_str(), pin.expose()]),
            None => self.hash("pin", &[pin.expose()]),
        })
    }

    /// The first 16 bytes of the HMAC. Parts are of one length each, or one alone: no two lists make
    /// the same message.
    fn hash(&self, label: &str, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.hmac);
        context.update(b"entremise v1 ");
        context.update(label.as_bytes());
        context.update(b"\0");
        for part in parts {
            context.update(part.as_bytes());
        }
        hex(&context.sign().as_ref()[..16])
    }
}

/// An id has one length: no two pairs make the same message.
fn code_message(verification: &str, code: &Code) -> Vec<u8> {
    format!("entremise v1 verification code\0{verification}\0{}", code.expose()).into_bytes()
}

/// The bytes of lower-case hex digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some((digit(*pair.first()?)? << 4) | digit(*pair.get(1)?)?)).collect()
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexKey(••••)")
    }
}

impl Keyring {
    /// Reads a stored [`IndexKey::wrap`].
    ///
    /// # Errors
    /// As [`Keyring::unwrap`].
    pub fn unwrap_index(&self, wrapped: &str, context: &str) -> Result<IndexKey, Error> {
        self.unwrap_secret(KIND, wrapped, context).map(IndexKey::new)
    }

    /// The stored [`IndexKey::wrap`] of that row, wrapped by the current master key.
    ///
    /// # Errors
    /// As [`Keyring::unwrap`].
    pub fn rewrap_index(&self, wrapped: &str, context: &str) -> Result<String, Error> {
        self.rewrap(KIND, wrapped, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{DataKey, MasterKey};

    fn number(text: &str) -> Identifier {
        Identifier::parse(text).unwrap()
    }

    fn person(key: &IndexKey, text: &str) -> Person {
        key.person(&number(text).canonical())
    }

    /// Two spellings of one number are one person; another number is another.
    #[test]
    fn a_person_is_a_canonical_number() {
        let key = IndexKey::generate();
        assert_eq!(person(&key, "+5215512345678"), person(&key, "+525512345678"));
        assert_ne!(person(&key, "+14155550100"), person(&key, "+14155550101"));
    }

    /// One number is two people in two accounts.
    #[test]
    fn accounts_cannot_be_matched() {
        let (one, two) = (IndexKey::generate(), IndexKey::generate());
        assert_ne!(person(&one, "+14155550100"), person(&two, "+14155550100"));
    }

    /// The stored key makes the same index, and only in its own row and as its own kind.
    #[test]
    fn the_stored_key_makes_the_same_index() {
        let (ring, key) = (Keyring::new(MasterKey::generate()), IndexKey::generate());
        let stored = key.wrap(&ring, "account:AC1");
        let again = ring.unwrap_index(&stored, "account:AC1").unwrap();
        assert_eq!(person(&key, "+14155550100"), person(&again, "+14155550100"));
        assert_eq!(ring.unwrap_index(&stored, "account:AC2").err(), Some(Error::Damaged));
        let data = DataKey::generate().wrap(&ring, "account:AC1");
        assert_eq!(ring.unwrap_index(&data, "account:AC1").err(), Some(Error::Damaged));
    }

    /// A set of counterparts is the same in any order, and is not the person it may consist of.
    #[test]
    fn a_set_has_no_order() {
        let key = IndexKey::generate();
        let (a, b) = (person(&key, "+14155550100"), person(&key, "+14155550101"));
        let pair = key.pair(&[a.clone(), b.clone()]);
        assert_eq!(pair, key.pair(&[b.clone(), a.clone(), b]));
        assert_ne!(pair, key.pair(std::slice::from_ref(&a)));
        assert_ne!(key.pair(std::slice::from_ref(&a)).as_str(), a.as_str());
    }

    /// A code is known again for its verification and no other, also not by its beginning.
    #[test]
    fn a_code_is_bound_to_its_verification() {
        let (key, other) = (IndexKey::generate(), IndexKey::generate());
        let [code, wrong] = ["123456", "123457"].map(|text| Code::parse(text).unwrap());
        let stored = key.code("VE1", &code);
        assert_eq!(stored.len(), 64);
        assert!(key.is_code("VE1", &code, &stored));
        assert!(!key.is_code("VE1", &wrong, &stored) && !key.is_code("VE2", &code, &stored));
        assert!(!other.is_code("VE1", &code, &stored));
        for bad in ["", &stored[..62], &stored[..63], "zz", &"0".repeat(64)] {
            assert!(!key.is_code("VE1", &code, bad), "{bad}");
        }
    }

    /// What is counted is told apart by what it is counted as.
    #[test]
    fn what_is_counted_is_told_apart() {
        let key = IndexKey::generate();
        assert_eq!(key.counted("prefix", "+3363998"), key.counted("prefix", "+3363998"));
        assert_ne!(key.counted("prefix", "+3363998"), key.counted("client", "+3363998"));
    }

    /// The index keeps its form and value: changing either would lose every stored person.
    #[test]
    fn the_form_is_fixed() {
        let key = IndexKey::new([7; 32]);
        let who = person(&key, "+33639980001");
        assert_eq!(who.as_str(), "a457f3154524f98d472650e1477eb38b");
        assert_eq!(Person::parse(who.as_str()), Some(who.clone()));
        assert_eq!(who.masked(&number("+33639980001")), format!("+33••••{}", who.tag()));
        assert_eq!(Person::parse("short"), None);
        assert_eq!(Person::parse(&"A".repeat(32)), None);
    }

    /// The key does not appear in debug output.
    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", IndexKey::generate()), "IndexKey(••••)");
    }
}
