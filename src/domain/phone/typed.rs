//! Reads a number as somebody typed it who looks for a person.

use super::{Caller, Country, Identifier, heard::parse_carrier};

/// What a text may mean as a number, the likeliest first and each once; nothing where it is none.
///
/// With a plus, or `00` before it, it is a whole number. Without either it is one of these countries', in their
/// order, where it has the length of one, or a whole number whose plus was left out. Space, brackets, points,
/// slashes and hyphens may stand anywhere between the digits, and `(0)` where it is written beside a calling code.
pub fn parse_typed(text: &str, countries: &[Country]) -> Vec<Identifier> {
    let text = text.trim().replace("(0)", "");
    let bare: String = text.chars().filter(|c| !is_mark(*c)).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    let whole = bare.strip_prefix('+').or_else(|| bare.strip_prefix("00"));
    if let Some(digits) = whole {
        return Identifier::parse(&format!("+{digits}")).into_iter().collect();
    }
    let mut all = Vec::new();
    let mut add = |one: Identifier| {
        if !all.contains(&one) {
            all.push(one);
        }
    };
    for country in countries {
        if let Caller::Number(one) = parse_carrier(&bare, Some(*country)) {
            add(one);
        }
    }
    if let Ok(one) = Identifier::parse(&format!("+{bare}")) {
        add(one);
    }
    all
}

/// Whether a text is meant as a number: digits with such marks between them, five at least.
pub fn is_like_a_number(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    digits >= 5 && text.chars().all(|c| c.is_ascii_digit() || c == '+' || is_mark(c))
}

/// What numbers are written with between their digits.
fn is_mark(c: char) -> bool {
    c.is_whitespace() || "-.()/\u{2010}\u{2011}\u{2012}\u{2013}\u{200e}\u{202a}\u{202c}".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, countries: &[&str]) -> Vec<String> {
        let countries: Vec<Country> =
            countries.iter().map(|one| Country::parse(one).unwrap()).collect();
        parse_typed(text, &countries).iter().map(|one| one.expose().to_owned()).collect()
    }

    /// A whole number is one, however it is written, and whatever the countries are.
    #[test]
    fn whole_numbers() {
        for text in [
            "+447700900123",
            " +44 7700 900123 ",
            "+44 (0)7700 900-123",
            "0044 7700.900.123",
            "+44\u{a0}7700\u{202f}900\u{2011}123",
            "+44/7700/900123",
        ] {
            assert_eq!(read(text, &[]), ["+447700900123"], "{text}");
            assert_eq!(read(text, &["FR", "US"]), ["+447700900123"], "{text}");
        }
        assert_eq!(read("447700900123", &[]), ["+447700900123"]);
    }

    /// A national number is read by the countries that there are, and is none without.
    #[test]
    fn national_numbers() {
        assert_eq!(read("06 39 98 00 17", &["FR"]), ["+33639980017"]);
        assert_eq!(read("07700 900123", &["FR", "GB"]), ["+447700900123"]);
        assert_eq!(read("(415) 555-0100", &["US"])[0], "+14155550100");
        assert_eq!(read("06 39 98 00 17", &[]), Vec::<String>::new());
    }

    /// Ids, names and words are no numbers; short codes are not either.
    #[test]
    fn what_is_none() {
        for text in ["", "+", "order-1042", "KC0123", "12 rue de Rome", "+44 7700 9x0123", "\0"] {
            assert_eq!(read(text, &["FR"]), Vec::<String>::new(), "{text:?}");
            assert!(!is_like_a_number(text), "{text:?}");
        }
        for text in ["+14155550100", "06 39 98", "415-555", "(0)39980"] {
            assert!(is_like_a_number(text), "{text}");
        }
        assert!(!is_like_a_number("1042"));
    }
}
