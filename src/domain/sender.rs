//! What the recipient of a text sees as its sender: a proxy number, or a name of letters, the sender id, under which
//! codes alone are sent.
//!
//! Nobody can answer a name, and in some countries operators take none: [`REFUSING`] has those that carriers document.

use super::phone::{Country, ProxyNumber};

/// An alphanumeric sender id: a name that a text shows where a number would be. Chosen by a marketplace, no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderId(String);

impl SenderId {
    /// The most characters that one has: octets of an address hold no more (3GPP TS 23.040 §9.1.2.5).
    pub const CHARS_MAX: usize = 11;

    /// What is allowed, in words that follow a field's name.
    pub const ALLOWED: &str = "must have 1 to 11 letters from A to Z, digits and inner spaces, at least one of them a letter";

    /// Takes a name: 1 to 11 ASCII letters, digits and spaces, at least one a letter, no space at an end: what every
    /// operator's alphabet has. `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        let known = |b: u8| b.is_ascii_alphanumeric() || b == b' ';
        let good = (1..=Self::CHARS_MAX).contains(&text.len())
            && text.bytes().all(known)
            && text.bytes().any(|b| b.is_ascii_alphabetic())
            && text.trim() == text;
        good.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many characters it has.
    pub fn chars(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a space in it.
    pub fn has_space(&self) -> bool {
        self.0.contains(' ')
    }
}

/// What the recipient of a text sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A number that answers come back to.
    Number(ProxyNumber),
    /// A name, for a code.
    Code(CodeSender),
}

impl Sender {
    /// The number, `+` first, or the name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Number(number) => number.as_str(),
            Self::Code(CodeSender(id)) => id.as_str(),
        }
    }

    /// The name, if it is one.
    pub const fn id(&self) -> Option<&SenderId> {
        match self {
            Self::Number(_) => None,
            Self::Code(CodeSender(id)) => Some(id),
        }
    }
}

impl From<ProxyNumber> for Sender {
    fn from(number: ProxyNumber) -> Self {
        Self::Number(number)
    }
}

/// A name under which a code is sent: of a text that belongs to no session, and so passes on nobody's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeSender(SenderId);

impl CodeSender {
    /// The name for a text, `None` for one that belongs to a session: whoever reads that must be able to answer it.
    pub fn new<S: ?Sized>(id: &SenderId, session: Option<&S>) -> Option<Self> {
        session.is_none().then(|| Self(id.clone()))
    }
}

/// A country whose operators take no names, or put another sender in their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusing {
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// What becomes of a text with a name.
    pub why: &'static str,
    /// Where that is written; read in November 2026.
    pub source: &'static str,
}

const fn refusing(country: &'static str, why: &'static str, source: &'static str) -> Refusing {
    Refusing { country, why, source }
}

const TELNYX: &str = "https://developers.telnyx.com/docs/messaging/messages/alphanumeric-sender-id";
const AWS: &str = "https://docs.aws.amazon.com/sms-voice/latest/userguide/sender-id.html";
const AWS_TERRITORIES: &str =
    "https://docs.aws.amazon.com/sns/latest/dg/sns-supported-regions-countries.html";
const NEEDS_NUMBER: &str = "a number of the country is needed";

/// Countries to which no code is sent under a name, by their letters. What is not listed is left to the carrier: in
/// many countries a name must be registered there first.
pub const REFUSING: &[Refusing] = &[
    refusing(
        "AR",
        "only short codes are taken",
        "https://www.infobip.com/docs/sms/international-sms-coverage-and-connectivity",
    ),
    refusing("AS", NEEDS_NUMBER, AWS_TERRITORIES),
    refusing(
        "BR",
        "not allowed",
        "https://www.plivo.com/docs/sms/getting-started/advanced/send-an-sms-with-alphanumeric-sender-id/",
    ),
    refusing("CA", "not taken", TELNYX),
    refusing(
        "CL",
        "a number takes its place",
        "https://api.support.vonage.com/hc/en-us/articles/204017513-Chile-SMS-Features-and-Restrictions",
    ),
    refusing("CN", "not supported", AWS),
    refusing(
        "CO",
        "a short code takes its place",
        "https://help.clicksend.com/article/6hcloc1thn-colombia",
    ),
    refusing(
        "EC",
        "a short code or a number takes its place",
        "https://help.nexmo.com/hc/en-us/articles/204017203-Ecuador",
    ),
    refusing("GU", NEEDS_NUMBER, AWS_TERRITORIES),
    refusing("MX", "not available", "https://www.twilio.com/en/guidelines/mx/sms"),
    refusing("PR", "not taken", TELNYX),
    refusing("US", "not taken", TELNYX),
    refusing("VI", NEEDS_NUMBER, AWS_TERRITORIES),
];

/// Whether a text with a name may go to people of that country; not where nobody knows the country.
pub fn takes_names(country: Option<Country>) -> bool {
    country.is_some_and(|country| REFUSING.iter().all(|one| one.country != country.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::phone::Identifier;

    /// Letters, digits and inner spaces, eleven at most, are a name; a number, and what some operator's alphabet lacks,
    /// is none.
    #[test]
    fn names() {
        for good in ["A", "BIKES", "Bikes 24", "24 7 Bikes", "abcdefghijk", "1a"] {
            assert_eq!(SenderId::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            " ",
            "123456",
            "1 2",
            "abcdefghijkl",
            " Bikes",
            "Bikes ",
            "Bi-kes",
            "Bi+kes",
            "Vélos",
            "Bikes\n",
            "B\tk",
            "Ｂikes",
            "@Bikes",
            "Bikes&Co",
            "Bikes_24",
        ] {
            assert_eq!(SenderId::parse(bad), None, "{bad:?}");
        }
        assert!(SenderId::parse("Bikes 24").unwrap().has_space());
        assert!(!SenderId::parse("Bikes24").unwrap().has_space());
    }

    proptest! {
        /// Whatever is given, a name has its form, and is never a number.
        #[test]
        fn anything_may_be_given(text in "[ A-Za-z0-9+_éß\n]{0,14}") {
            if let Some(id) = SenderId::parse(&text) {
                prop_assert_eq!(id.as_str(), &*text);
                prop_assert!((1..=SenderId::CHARS_MAX).contains(&id.chars()));
                prop_assert!(text.bytes().any(|b| b.is_ascii_alphabetic()));
                prop_assert!(ProxyNumber::parse(&text).is_err());
            }
        }
    }

    /// What belongs to a session has no name: there is no way to make one.
    #[test]
    fn only_what_is_in_no_session_has_a_name() {
        let id = SenderId::parse("Bikes").unwrap();
        assert_eq!(CodeSender::new(&id, Some("a session")), None);
        let sender = Sender::Code(CodeSender::new(&id, None::<&str>).unwrap());
        assert_eq!((sender.as_str(), sender.id()), ("Bikes", Some(&id)));
        let number = Sender::from(ProxyNumber::parse("+14155550100").unwrap());
        assert_eq!((number.as_str(), number.id()), ("+14155550100", None));
    }

    /// Each country is one, in order and once, with a reason and an address to look it up at.
    #[test]
    fn the_list_is_sound() {
        assert!(REFUSING.is_sorted_by(|one, next| one.country < next.country));
        for one in REFUSING {
            assert!(Country::parse(one.country).is_some(), "{}", one.country);
            assert!(!one.why.is_empty() && one.source.starts_with("https://"), "{}", one.country);
        }
    }

    /// Names go to Britain and France, not to the United States, Canada or Puerto Rico, nor to no country at all; other
    /// countries under +1 are their own.
    #[test]
    fn countries() {
        let takes = |text: &str| takes_names(Identifier::parse(text).unwrap().country());
        for yes in ["+447700900123", "+33639980001", "+18765550100"] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["+14155550100", "+14165550100", "+17875550100"] {
            assert!(!takes(no), "{no}");
        }
        assert!(!takes_names(None));
    }
}
