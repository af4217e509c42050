//! Reads who is calling from the strings that carriers send.

use phonenumber::metadata::DATABASE;

use super::{Caller, Country, Identifier, classify, code};

/// "Nobody", spelled on a keypad, as carriers send it: ANONYMOUS, RESTRICTED, BLOCKED,
/// UNKNOWN, UNAVAILABLE. None is in a numbering plan.
const KEYPAD: &[&str] = &["266696687", "7378742833", "2562533", "8656696", "86282452253"];

/// Reads a carrier's caller or sender: `+33…`, `tel:+33…`, `sip:+33…@host;user=phone`, bare digits.
///
/// Bare digits are a whole number without its plus, unless the carrier is known to send national
/// ones: then `national` is its country, and a number with that country's length or with its trunk
/// prefix is read as one of its own.
/// Whatever is not a number is [`Caller::Withheld`], and so are `anonymous`, `Restricted`,
/// `unknown`, nothing, and their keypad spellings.
pub fn parse_carrier(text: &str, national: Option<Country>) -> Caller {
    let user = user_part(text);
    let after_plus = ["+", "%2B", "%2b"].iter().find_map(|plus| user.strip_prefix(plus));
    let Some(digits) = digits(after_plus.unwrap_or(user)) else {
        return Caller::Withheld;
    };
    if KEYPAD.contains(&digits.as_str()) {
        return Caller::Withheld;
    }
    let own = national
        .filter(|_| after_plus.is_none())
        .and_then(|country| from_national(&digits, country));
    let whole = own.unwrap_or_else(|| format!("+{digits}"));
    Identifier::parse(&whole).map_or(Caller::Withheld, Caller::Number)
}

/// Whether something can stand before an address as somebody's name (RFC 3261 §25.1): nothing, what is quoted, or
/// words. Digits alone are a number that was garbled.
fn is_name(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('"') || text.chars().any(char::is_alphabetic)
}

/// What stands for the person: without display name, scheme, host and parameters.
fn user_part(text: &str) -> &str {
    let text = match text.split_once('<') {
        Some((name, address)) => match address.split_once('>') {
            Some((address, _)) if is_name(name) => address,
            _ => return "",
        },
        None => text,
    };
    let text = text.trim();
    let rest = match text.split_once(':') {
        Some((scheme, rest))
            if ["tel", "sip", "sips"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) =>
        {
            rest
        }
        _ => text,
    };
    rest.split(['@', ';', '?']).next().unwrap_or_default().trim()
}

/// The digits, where there is nothing else but RFC 3966's visual separators.
fn digits(rest: &str) -> Option<String> {
    let digits: String =
        rest.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' ')).collect();
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

/// A number of `country` from the digits that people dial there; `None` if they are not such.
fn from_national(digits: &str, country: Country) -> Option<String> {
    if let Some(abroad) = digits.strip_prefix("00") {
        return Some(format!("+{abroad}"));
    }
    let metadata = DATABASE.by_id(country.as_str())?;
    let calling = metadata.country_code();
    let known = |number: &String| classify::kind(number) != classify::Kind::Unknown;
    let whole = format!("+{digits}");
    // Where both readings exist the whole number wins: such carriers send foreign callers whole.
    if code::calling_code(&whole) == Some(calling) && known(&whole) {
        return Some(whole);
    }
    let trunk = metadata.national_prefix().filter(|trunk| !trunk.is_empty());
    let without_trunk = trunk.and_then(|trunk| digits.strip_prefix(trunk));
    let readings: Vec<String> = [without_trunk, Some(digits)]
        .into_iter()
        .flatten()
        .map(|subscriber| format!("+{calling}{subscriber}"))
        .collect();
    // A number that the data knows, or else one of a length that the country has.
    let plausible = |number: &&String| classify::plausible(number);
    readings.iter().find(|n| known(n)).or_else(|| readings.iter().find(plausible)).cloned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, national: &str) -> Option<String> {
        match parse_carrier(text, Country::parse(national)) {
            Caller::Number(number) => Some(number.expose().to_owned()),
            Caller::Withheld => None,
        }
    }

    /// The forms of the carriers' manuals are one number.
    #[test]
    fn the_forms_of_carriers_are_one_number() {
        for text in [
            "+14155550100",
            "14155550100",
            "tel:+14155550100",
            "TEL:+1-415-555-0100",
            "tel:+1(415)555.0100;phone-context=example.org",
            "sip:+14155550100@203.0.113.9;user=phone",
            "sips:14155550100@example.org",
            "sip:%2B14155550100@example.org",
            "\"A. Caller\" <sip:+14155550100@example.org>;tag=1",
            "Ada <+14155550100>",
            "<tel:+14155550100>",
            "  +14155550100 ",
        ] {
            assert_eq!(read(text, "").as_deref(), Some("+14155550100"), "{text}");
        }
    }

    /// Every way of saying "nobody", and whatever is not a number, is nobody.
    #[test]
    fn nobody_is_nobody() {
        for text in [
            "",
            " ",
            "+",
            "anonymous",
            "Anonymous",
            "Restricted",
            "unknown",
            "UNAVAILABLE",
            "+266696687",
            "266696687",
            "+7378742833",
            "+2562533",
            "+8656696",
            "+86282452253",
            "sip:anonymous@anonymous.invalid",
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
            "12345",
            "+012345678",
            "+1415555010012345",
            "ENTREMISE",
            "a@b.example",
            "client:alice",
            "٠١٢٣٤٥٦٧٨٩",
            "+1415555O1OO",
            "<",
            "<+14155550100",
            "+1<4155550100>",
            "+1<14155550100",
            "++14155550100",
            "%2B+14155550100",
            "sip:",
        ] {
            assert_eq!(read(text, ""), None, "{text:?}");
            assert_eq!(read(text, "FR"), None, "{text:?}");
        }
    }

    /// Digits of a carrier that sends national numbers are read as that country dials them.
    #[test]
    fn national_digits_are_read_by_country() {
        for (text, country, number) in [
            ("0639980001", "FR", "+33639980001"),
            ("639980001", "FR", "+33639980001"),
            ("33639980001", "FR", "+33639980001"),
            ("+14155550100", "FR", "+14155550100"),
            ("0014155550100", "FR", "+14155550100"),
            ("4155550100", "US", "+14155550100"),
            ("14155550100", "US", "+14155550100"),
            ("0236618300", "IT", "+390236618300"),
            ("07700900123", "GB", "+447700900123"),
        ] {
            assert_eq!(read(text, country).as_deref(), Some(number), "{text} in {country}");
        }
    }

    /// The keypad spellings are those of the words, and hide no number that somebody could have.
    #[test]
    fn keypad_spellings_are_nobodys() {
        let key = |letter: char| {
            let rows = ["ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ"];
            let at = rows.iter().position(|row| row.contains(letter)).unwrap();
            char::from(b"23456789"[at])
        };
        let words = ["ANONYMOUS", "RESTRICTED", "BLOCKED", "UNKNOWN", "UNAVAILABLE"];
        let spelled = words.map(|word| word.chars().map(key).collect::<String>());
        assert_eq!(KEYPAD, spelled);
        for digits in KEYPAD {
            let number = Identifier::parse(&format!("+{digits}")).unwrap();
            assert!(number.admit(super::super::Strictness::Valid).is_err(), "{digits}");
        }
    }

    proptest! {
        /// Reading never panics, and what it reads with a plus has the digits that were sent.
        #[test]
        fn digits_are_kept(text in "\\PC{0,40}", digits in "[1-9][0-9]{6,14}") {
            let _ = parse_carrier(&text, None);
            let _ = parse_carrier(&text, Country::parse("FR"));
            prop_assume!(!KEYPAD.contains(&digits.as_str()));
            for country in ["", "FR", "US"] {
                prop_assert_eq!(read(&format!("+{digits}"), country), Some(format!("+{digits}")));
            }
            prop_assert_eq!(read(&digits, ""), Some(format!("+{digits}")));
        }
    }
}
