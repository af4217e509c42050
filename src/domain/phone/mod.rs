//! Telephone numbers: a person's (secret) and the proxy numbers that an account rents (not).

use std::fmt;

mod canonical;
mod classify;
mod code;
mod country;
mod gate;
mod heard;
pub mod nanp;
#[cfg(test)]
mod oracle;
mod proxy_class;
mod registration;
mod typed;

pub use canonical::Canonical;
pub use classify::Kind;
pub use country::Country;
pub use gate::{Refusal, Strictness};
pub use heard::parse_carrier;
pub use proxy_class::{Permits, ProxyClass, Standing};
pub use registration::{Registered, Registration};
pub use typed::{is_like_a_number, parse_typed};

/// Why a string is not a number that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Not `+` and 7 to 15 digits of which the first is not 0 (ITU-T E.164 §6.2).
    #[error("must be an E.164 number: a plus sign and 7 to 15 digits, the first not 0")]
    NotE164,
}

/// Checks `+` and 7 to 15 ASCII digits, the first not 0.
fn is_e164(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0')
}

/// A person's real number. Secret: it has no `Display` and its `Debug` shows no digit.
///
/// The digits that were given are the identity: no library rewrites them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

impl Identifier {
    /// Takes an E.164 number.
    ///
    /// # Errors
    /// [`PhoneError::NotE164`] for anything but `+` and 7 to 15 digits.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        if is_e164(text) { Ok(Self(text.to_owned())) } else { Err(PhoneError::NotE164) }
    }

    /// The number in clear, `+` first. The one way in: every use is an edge that docs/privacy.md names.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The calling code, without the plus; `None` if it is not assigned.
    pub fn calling_code(&self) -> Option<u16> {
        code::calling_code(&self.0)
    }

    /// The country, by the numbering plan; `None` for a global network, an unassigned calling code,
    /// or a number under +1 whose area code is nowhere.
    pub fn country(&self) -> Option<Country> {
        classify::country(&self.0)
    }

    /// What the numbering plan says the number is for.
    pub fn kind(&self) -> Kind {
        classify::kind(&self.0)
    }

    /// The three-digit area code under +1; empty elsewhere.
    pub fn area(&self) -> &str {
        nanp::area(&self.0)
    }

    /// Whether a person may have this number: the gate for parties and for numbers that we dial.
    ///
    /// It holds for the number as given and for its canonical spelling.
    ///
    /// # Errors
    /// The first [`Refusal`] that applies.
    pub fn admit(&self, strictness: Strictness) -> Result<(), Refusal> {
        gate::admit(&self.0, strictness)
    }

    /// The key on which two people's numbers are compared: equivalent spellings have one.
    pub fn canonical(&self) -> Canonical {
        Canonical::of(&self.0)
    }

    /// All spellings that have this number's key, itself among them: six at the most, mostly one. For where
    /// numbers are kept as they were given.
    pub fn spellings(&self) -> Vec<Self> {
        canonical::spellings(&self.0).into_iter().map(Self).collect()
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identifier(••••)")
    }
}

/// A number that an account rents from a carrier. Not secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProxyNumber(String);

impl ProxyNumber {
    /// Takes an E.164 number.
    ///
    /// # Errors
    /// [`PhoneError::NotE164`] for anything but `+` and 7 to 15 digits.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        if is_e164(text) { Ok(Self(text.to_owned())) } else { Err(PhoneError::NotE164) }
    }

    /// The number, `+` first.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The calling code, without the plus; `None` if it is not assigned.
    pub fn calling_code(&self) -> Option<u16> {
        code::calling_code(&self.0)
    }

    /// The country, by the numbering plan; `None` for a global network, an unassigned calling code,
    /// or a number under +1 whose area code is nowhere.
    pub fn country(&self) -> Option<Country> {
        classify::country(&self.0)
    }

    /// What the numbering plan says the number is for.
    pub fn kind(&self) -> Kind {
        classify::kind(&self.0)
    }

    /// The three-digit area code under +1; empty elsewhere.
    pub fn area(&self) -> &str {
        nanp::area(&self.0)
    }

    /// The key on which it is compared with a person's number.
    pub fn canonical(&self) -> Canonical {
        Canonical::of(&self.0)
    }
}

impl fmt::Display for ProxyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who a carrier says is calling or writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A number.
    Number(Identifier),
    /// Withheld, anonymous, or anything that is not a number.
    Withheld,
}
