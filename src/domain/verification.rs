//! Verification: somebody shows that a number is theirs, by a code that is sent to it.
//!
//! How codes are made and worded, how often one is sent and tried, and what is counted so that nobody
//! earns by having codes sent.

use std::{fmt, net::IpAddr, time::Duration};

closed_set! {
    /// How a code is sent.
    Channel {
        /// By a text.
        Sms = "sms",
        /// By a call that says it.
        Call = "call",
    }
}

closed_set! {
    /// How far a verification has come.
    Status {
        /// A code was sent and not yet given back.
        Pending = "pending",
        /// The code was given back: the number is theirs.
        Verified = "verified",
        /// Wrong codes were given, as many as may be.
        Failed = "failed",
        /// Its time was up.
        Expired = "expired",
        /// The marketplace gave it up.
        Cancelled = "cancelled",
    }
}

closed_set! {
    /// What keeps a code from being sent now.
    Held {
        /// The last one was sent a moment ago, or as many as may be were.
        Wait = "wait",
        /// As many as may be were sent to this number.
        Person = "person",
        /// The same to numbers that begin like it.
        Prefix = "prefix",
        /// The same for the address of whoever asks the marketplace.
        Client = "client",
        /// The same for the whole account.
        Account = "account",
    }
}

/// How many codes may be tried.
pub const CHECKS_MAX: i64 = 5;
/// How often a code is sent.
pub const SENDS_MAX: i64 = 5;
/// Of how many sends the codes are good: of two texts the later may come first.
pub const GOOD_CODES: usize = 2;
/// How long a verification lives unless it says otherwise, and its bounds.
pub const TTL: Duration = Duration::from_mins(10);
/// The bounds of that.
pub const TTL_BOUNDS: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));
/// How many digits a code has unless it says otherwise.
pub const CODE_LENGTH: usize = 6;
/// The bounds of that.
pub const CODE_LENGTHS: (usize, usize) = (4, 8);

/// How long to wait after so many sends.
pub fn wait(sends: i64) -> Duration {
    let doublings = u32::try_from(sends.clamp(1, SENDS_MAX) - 1).unwrap_or(0);
    Duration::from_secs(30) * 2_u32.pow(doublings)
}

/// How often a code may be sent; 0 for as often as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To one number in an hour.
    pub person_hour: u32,
    /// To one number in 24 hours.
    pub person_day: u32,
    /// To numbers that begin alike, in an hour.
    pub prefix_hour: u32,
    /// For one address of whoever asks the marketplace, in an hour.
    pub client_hour: u32,
    /// For an account, in an hour.
    pub account_hour: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            person_hour: 5,
            person_day: 10,
            prefix_hour: 20,
            client_hour: 10,
            account_hour: 1000,
        }
    }
}

/// As what an address is counted: an address of IPv6 by its network, since a home has one of those.
pub fn client(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("{:x}", v6.to_bits() >> 64),
    }
}

/// A code. Secret: it has no `Display`, and its `Debug` shows no digit.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// A new code; `fill` gives random bytes. Each is as likely as any other: of the values of a byte
    /// those are left out that would make some digits likelier.
    pub fn draw(length: usize, mut fill: impl FnMut(&mut [u8])) -> Self {
        const FAIR: u8 = 250;
        let mut code = String::with_capacity(length);
        while code.len() < length {
            let mut bytes = [0; 16];
            fill(&mut bytes);
            let digits = bytes.iter().filter(|byte| **byte < FAIR).map(|byte| b'0' + byte % 10);
            code.extend(digits.take(length - code.len()).map(char::from));
        }
        Self(code)
    }

    /// Reads what somebody typed: digits, with spaces and dashes between them. `None` where it can be
    /// no code.
    pub fn parse(text: &str) -> Option<Self> {
        let code: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let good = (CODE_LENGTHS.0..=CODE_LENGTHS.1).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_digit());
        (good && text.len() <= 24).then_some(Self(code))
    }

    /// The digits. Each use is an edge that docs/privacy.md names.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(••••)")
    }
}

/// Whether this is a name on the net that the last line of a text may have: lower case, with a dot.
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 100 && text.contains('.') && text.split('.').all(label)
}

/// The text that brings a code. With a domain its last line binds the code to that site, as browsers
/// read it ("Origin-bound one-time codes delivered via SMS").
pub fn text(brand: &str, language: &str, code: &Code, domain: &str) -> String {
    let code = code.expose();
    let mut text = match language.get(..2) {
        Some("fr") => format!("{code} est votre code {brand}. Ne le communiquez à personne."),
        Some("es") => format!("{code} es su código de {brand}. No lo comparta con nadie."),
        Some("de") => format!("{code} ist Ihr Code für {brand}. Geben Sie ihn niemandem weiter."),
        _ => format!("{code} is your {brand} code. Don't share it."),
    };
    if !domain.is_empty() {
        text.extend(["\n\n@", domain, " #", code]);
    }
    text
}

/// What a call says that brings a code: each digit by itself, and all of them twice.
pub fn speech(brand: &str, language: &str, code: &Code) -> String {
    let digits: Vec<String> = code.expose().chars().map(String::from).collect();
    let digits = digits.join(", ");
    match language.get(..2) {
        Some("fr") => {
            format!("Votre code {brand} est : {digits}. Je répète : {digits}. Au revoir.")
        }
        Some("es") => format!("Su código de {brand} es: {digits}. Repito: {digits}. Adiós."),
        Some("de") => {
            format!("Ihr Code für {brand} ist: {digits}. Noch einmal: {digits}. Auf Wiederhören.")
        }
        _ => format!("Your {brand} code is: {digits}. Once more: {digits}. Goodbye."),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever bytes come, a code has its length and digits alone, and reads back; nothing shows it.
        #[test]
        fn codes_have_their_form(seed: u64, length in 4_usize..=8) {
            let mut state = seed;
            let code = Code::draw(length, |bytes| for byte in bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (state >> 56) as u8;
            });
            prop_assert_eq!(code.expose().len(), length);
            prop_assert_eq!(Code::parse(code.expose()), Some(code.clone()));
            prop_assert_eq!(format!("{code:?}"), "Code(••••)");
        }

        /// What is no code is none, and nothing that is typed makes it panic.
        #[test]
        fn anything_may_be_typed(text: String) {
            if let Some(code) = Code::parse(&text) {
                prop_assert!(code.expose().bytes().all(|b| b.is_ascii_digit()));
            }
        }
    }

    /// Every digit comes from as many values of a byte as any other.
    #[test]
    fn digits_are_equally_likely() {
        let mut counts = [0; 10];
        for byte in 0..=u8::MAX {
            let mut first = true;
            let code = Code::draw(4, |bytes| {
                // Where the value is left out, the next byte is one that shows it.
                bytes.fill(if first { byte } else { 0 });
                first = false;
            });
            if byte < 250 {
                counts[usize::from(code.expose().as_bytes()[0] - b'0')] += 1;
            } else {
                assert_eq!(code.expose(), "0000");
            }
        }
        assert_eq!(counts, [25; 10]);
    }

    /// Digits in groups are a code; letters, other digits, too few and too many are not.
    #[test]
    fn codes_are_read_as_people_type_them() {
        assert_eq!(Code::parse("123 456").unwrap().expose(), "123456");
        assert_eq!(Code::parse("1234-5678").unwrap().expose(), "12345678");
        for bad in ["", "123", "123456789", "12345a", "１２３４５６", "1 2 3 4 5 6 7 8 9", "12\n34"]
        {
            assert_eq!(Code::parse(bad), None, "{bad}");
        }
    }

    /// The wait doubles, and all sends fit into the time that a verification has.
    #[test]
    fn waits_grow() {
        let waits: Vec<u64> = (1..=4).map(|sends| wait(sends).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240]);
        assert!(waits.iter().sum::<u64>() < TTL.as_secs());
        assert_eq!((wait(0), wait(99)), (wait(1), wait(SENDS_MAX)));
    }

    /// Every language that we speak has words of its own, which hold code and brand.
    #[test]
    fn codes_have_words() {
        let code = Code::parse("024680").unwrap();
        let mut texts = std::collections::BTreeSet::new();
        for language in ["en-GB", "fr-FR", "es-MX", "de-DE"] {
            let words = text("Bikes", language, &code, "");
            assert!(words.starts_with("024680 ") && words.contains("Bikes"), "{words}");
            let spoken = speech("Bikes", language, &code);
            assert_eq!(spoken.matches("0, 2, 4, 6, 8, 0").count(), 2, "{spoken}");
            texts.insert(words);
            texts.insert(spoken);
        }
        assert_eq!(texts.len(), 8);
        assert_eq!(text("B", "pt", &code, ""), text("B", "en", &code, ""));
        let bound = text("Bikes", "en", &code, "bikes.example");
        assert_eq!(bound.lines().last(), Some("@bikes.example #024680"));
    }

    /// A domain is a host's name, and nothing that would change the line.
    #[test]
    fn domains() {
        for good in ["bikes.example", "login.bikes.example", "xn--vlo-dma.example"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in
            ["", "bikes", "Bikes.example", "a..b", "-a.b", "a.b #1", "a.b/", "a.b:1", "a.b\n"]
        {
            assert!(!is_domain(bad), "{bad}");
        }
    }

    /// A network of IPv6 counts as one, however its addresses are written.
    #[test]
    fn what_is_counted_together() {
        let of = |text: &str| client(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8:0:0:ffff::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
    }
}
