//! Holds our classification to a second implementation of libphonenumber.

use phonenumber::metadata::DATABASE;
use proptest::prelude::*;
use rlibphonenumber::{PHONE_NUMBER_UTIL as UTIL, PhoneNumberFormat, PhoneNumberType};

use super::{Identifier, Kind, ProxyNumber, Strictness, classify::TYPES};

/// Country and kind by the oracle; `None` where it refuses the digits or would rewrite them.
fn theirs(number: &str) -> Option<(Option<String>, Kind)> {
    let parsed = UTIL.parse(number, None).ok()?;
    if parsed.format_as(PhoneNumberFormat::E164) != number {
        return None;
    }
    let kind = match parsed.get_type() {
        PhoneNumberType::FixedLine => Kind::FixedLine,
        PhoneNumberType::Mobile => Kind::Mobile,
        PhoneNumberType::FixedLineOrMobile => Kind::FixedOrMobile,
        PhoneNumberType::TollFree => Kind::TollFree,
        PhoneNumberType::PremiumRate => Kind::PremiumRate,
        PhoneNumberType::SharedCost => Kind::SharedCost,
        PhoneNumberType::VoIP => Kind::Voip,
        PhoneNumberType::PersonalNumber => Kind::Personal,
        PhoneNumberType::Pager => Kind::Pager,
        PhoneNumberType::UAN => Kind::CompanyNumber,
        PhoneNumberType::VoiceMail => Kind::Voicemail,
        PhoneNumberType::Unknown => Kind::Unknown,
    };
    Some((parsed.get_region_code().map(|region| region.to_string()), kind))
}

/// The example number of every plan and type, and each of them with one digit changed or taken out.
fn numbers() -> Vec<String> {
    let mut numbers = Vec::new();
    for metadata in DATABASE.iter() {
        let descriptors = metadata.descriptors();
        let code = metadata.country_code();
        let examples = TYPES.iter().filter_map(|kind| descriptors.get(*kind)?.example());
        for digits in examples {
            numbers.push(format!("+{code}{digits}"));
            for at in 0..digits.len() {
                let (head, tail) = (&digits[..at], &digits[at + 1..]);
                numbers.push(format!("+{code}{head}{tail}"));
                numbers.extend((0..10).map(|digit| format!("+{code}{head}{digit}{tail}")));
            }
        }
    }
    numbers.sort();
    numbers.dedup();
    numbers
}

/// Our reading is the oracle's for all but a few in a thousand numbers. Its data is some releases
/// newer than ours, and that is the whole difference: against the same release there is none.
#[test]
fn we_read_numbers_as_the_oracle_does() {
    let (mut compared, mut differ) = (0, Vec::new());
    for number in numbers() {
        let Ok(ours) = Identifier::parse(&number) else { continue };
        let Some((region, kind)) = theirs(&number) else { continue };
        compared += 1;
        let country = ours.country().map(|country| country.to_string());
        let country_agrees =
            kind == Kind::Unknown || region.as_deref() == Some("001") || region == country;
        if ours.kind() != kind || !country_agrees {
            differ.push((number, ours.kind(), kind));
        }
    }
    assert!(compared > 80_000, "{compared}");
    assert!(differ.len() * 300 < compared, "{} of {compared}: {differ:?}", differ.len());
}

/// The gate refuses no number that the oracle holds to be a person's, Milan's landlines among them.
#[test]
fn the_gate_refuses_nobody_whom_the_oracle_knows() {
    // Hong Kong gave a block of pagers to mobiles after our release of the data.
    let newer = ["+85271023456"];
    for number in numbers() {
        let Ok(ours) = Identifier::parse(&number) else { continue };
        let Some((_, kind)) = theirs(&number) else { continue };
        let person = matches!(
            kind,
            Kind::FixedLine | Kind::Mobile | Kind::FixedOrMobile | Kind::Voip | Kind::Personal
        );
        let global = ours.calling_code().is_some_and(|code| code >= 800 && is_network(code));
        if person && !global && !newer.contains(&number.as_str()) {
            assert_eq!(ours.admit(Strictness::Possible), Ok(()), "{number}");
        }
    }
}

/// Calling codes of networks, which the gate refuses whatever their numbers are for.
fn is_network(code: u16) -> bool {
    matches!(code, 800 | 808 | 870 | 878 | 881 | 882 | 883 | 888 | 979)
}

/// Argentine spellings are one number to the oracle too: wherever it reads a `15` behind an area code
/// as a mobile's, we make one key of both.
#[test]
fn the_oracle_joins_argentine_spellings() {
    let mut joined = 0;
    let areas = (11..=11).chain(200..400).chain(2000..4000).map(|area: u16| area.to_string());
    for area in areas {
        let subscriber = &"42345678"[..10 - area.len()];
        let with_15 = format!("+54{area}15{subscriber}");
        let international = format!("+549{area}{subscriber}");
        let read = UTIL.parse(&with_15, None).unwrap();
        if read.format_as(PhoneNumberFormat::E164) == international {
            joined += 1;
            let keys = [with_15, international].map(|n| Identifier::parse(&n).unwrap().canonical());
            assert_eq!(keys[0], keys[1], "area {area}");
        }
    }
    assert!(joined > 200, "{joined}");
}

proptest! {
    /// Reading a number never changes a digit of it, whatever any library would make of it.
    #[test]
    fn parse_rewrites_no_digit(number in "\\+[1-9][0-9]{6,14}") {
        let ours = Identifier::parse(&number).unwrap();
        prop_assert_eq!(ours.expose(), number.as_str());
        let proxy = ProxyNumber::parse(&number).unwrap();
        prop_assert_eq!(proxy.as_str(), number.as_str());
        prop_assert_eq!(proxy.canonical(), ours.canonical());
        // Neither does judging it, and whatever its digits are it has an answer.
        let _ = (ours.country(), ours.kind(), ours.admit(Strictness::Valid));
        prop_assert_eq!(ours.expose(), number.as_str());
    }

    /// Anything but a plus and 7 to 15 ASCII digits, the first not 0, is refused.
    #[test]
    fn nothing_else_is_a_number(text in "\\PC{0,20}|\\+0[0-9]{6,14}|[0-9]{7,15}|\\+[0-9]{0,6}|\\+[1-9][0-9]{15,20}") {
        let digits = text.strip_prefix('+').unwrap_or_default();
        prop_assume!(digits.starts_with('0') || !(7..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()));
        prop_assert!(Identifier::parse(&text).is_err());
        prop_assert!(ProxyNumber::parse(&text).is_err());
    }
}
