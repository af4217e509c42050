//! Everything that reads a number: the same as letter by letter, the same again, and never shown.
//!
//! Input: a country · a text.

use entremise::domain::phone::{
    Caller, Country, Identifier, ProxyNumber, Strictness, nanp, parse_carrier,
};

use super::input::{Input, digit_runs, is_e164};

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (country, text) = (input.text(), input.text());
    let country = Country::parse(&country);
    if let Some(country) = country {
        assert_eq!(country.group().calling_code(), country.calling_code());
        assert_eq!(Country::parse(country.as_str()), Some(country));
    }
    let read = Identifier::parse(&text);
    assert_eq!(read.is_ok(), is_e164(&text), "{text:?}");
    assert_eq!(ProxyNumber::parse(&text).is_ok(), read.is_ok());
    if let Ok(number) = read {
        judge(&number);
    }
    heard(&text, country);
}

fn judge(number: &Identifier) {
    let text = number.expose().to_owned();
    assert_eq!(Identifier::parse(&text).as_ref(), Ok(number));
    let canonical = number.canonical();
    assert!(digit_runs(&format!("{number:?}{canonical:?}"), 1).is_empty(), "a number is shown");
    let proxy = ProxyNumber::parse(&text).unwrap();
    assert_eq!(proxy.as_str(), text);
    assert_eq!(proxy.canonical(), canonical);
    // The canonical spelling is a number too, and its own canonical spelling.
    let again = Identifier::parse(canonical.expose()).expect("a canonical spelling is a number");
    assert_eq!(again.canonical(), canonical, "two spellings of {text}");
    assert_eq!(again.calling_code(), number.calling_code());
    for strictness in [Strictness::Possible, Strictness::Valid] {
        assert_eq!(again.admit(strictness), number.admit(strictness), "{text}, canonically");
    }
    if number.admit(Strictness::Valid).is_ok() {
        assert_eq!(number.admit(Strictness::Possible), Ok(()), "{text} is valid and impossible");
    }
    match number.calling_code() {
        Some(code) => assert!(text[1..].starts_with(&code.to_string())),
        None => assert!(number.admit(Strictness::Possible).is_err() && number.country().is_none()),
    }
    if let Some(country) = number.country() {
        assert_eq!(country.calling_code(), number.calling_code(), "{text}");
    }
    let area = number.area();
    assert!(area.is_empty() || (text.starts_with("+1") && text[2..5] == *area));
    if !area.is_empty() {
        for other in nanp::overlay(area) {
            assert!(nanp::overlay(other).contains(&area) || other == area, "{area} and {other}");
        }
    }
    // A number under +1 whose exchange or area is an emergency code is never dialled.
    let emergency = text.starts_with("+1")
        && text.len() == 12
        && (text[3..5] == *"11" || text[5..8] == *"911");
    assert!(!emergency || number.admit(Strictness::Possible).is_err(), "{text} is dialled");
    assert!(heard_as(&text, None).is_none_or(|heard| heard == text), "{text} is read as another");
}

fn heard_as(text: &str, country: Option<Country>) -> Option<String> {
    match parse_carrier(text, country) {
        Caller::Number(number) => Some(number.expose().to_owned()),
        Caller::Withheld => None,
    }
}

/// Who is heard is made of the digits that the carrier sent.
fn heard(text: &str, country: Option<Country>) {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if let Some(number) = heard_as(text, None) {
        assert!(is_e164(&number) && digits.contains(&number[1..]), "{number} out of {text:?}");
        assert_eq!(heard_as(&number, None), Some(number));
    }
    let Some(number) = country.and_then(|country| heard_as(text, Some(country))) else { return };
    let tail = &number[number.len() - 4..];
    assert!(is_e164(&number) && digits.contains(tail), "{number} out of {text:?}");
    assert_eq!(heard_as(&number, country), Some(number), "a whole number is read as another");
}
