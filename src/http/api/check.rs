//! The rules for texts that clients choose: roles, names, metadata.

use std::collections::BTreeMap;

use super::input::Faults;
use crate::{domain::phone::Identifier, relay};

/// The longest life of anything: ten years of 365 days.
pub(super) const SECONDS_MAX: u64 = 315_360_000;

const METADATA_KEYS: usize = 50;
const METADATA_KEY_CHARS: usize = 40;
const METADATA_VALUE_CHARS: usize = 500;

/// `[a-z][a-z0-9_]{0,31}`.
pub(super) fn is_role(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A person's role.
pub(super) fn role(faults: &mut Faults, pointer: &str, text: &str) {
    if !is_role(text) {
        let allowed =
            "must have 1 to 32 of a to z, 0 to 9 and _, and begin with a letter, such as buyer";
        faults.add(pointer, "invalid", allowed);
    }
}

/// A name: 1 to 64 characters, none of control, not a telephone number.
pub(super) fn name(faults: &mut Faults, pointer: &str, text: &str) {
    if !(1..=64).contains(&text.chars().count()) || text.chars().any(char::is_control) {
        faults.add(pointer, "length", "must have 1 to 64 characters, none of control");
    } else if is_number(text) {
        faults.add(pointer, "looks_like_a_number", "must not be a telephone number");
    }
}

/// A session's unique name.
pub(super) fn unique_name(faults: &mut Faults, text: &str) {
    if let Some(fault) = relay::name_fault(text) {
        faults.add(fault.pointer, fault.code, fault.message);
    } else if is_number(text) {
        faults.add("/unique_name", "looks_like_a_number", "must not be a telephone number");
    } else if is_id(text) {
        faults.add("/unique_name", "looks_like_an_id", "must not look like an id");
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 34
        && text.bytes().take(2).all(|b| b.is_ascii_uppercase())
        && text.bytes().skip(2).all(|b| b.is_ascii_hexdigit())
}

/// A length of time within ten years.
pub(super) fn seconds(faults: &mut Faults, pointer: &str, seconds: u64, least: u64) {
    if !(least..=SECONDS_MAX).contains(&seconds) {
        let allowed = format!("must be between {least} and {SECONDS_MAX}");
        faults.add(pointer, "range", allowed);
    }
}

/// The marketplace's own words. It is shown in clear, so numbers are refused.
pub(super) fn metadata(faults: &mut Faults, metadata: &BTreeMap<String, String>) {
    if metadata.len() > METADATA_KEYS {
        faults.add("/metadata", "length", "must have at most 50 members");
        return;
    }
    for (key, value) in metadata {
        let pointer = metadata_pointer(key);
        if key.is_empty() || key.chars().count() > METADATA_KEY_CHARS || is_number(key) {
            let allowed = "each name must have 1 to 40 characters and be no telephone number";
            faults.add("/metadata", "invalid", allowed);
        } else if value.chars().count() > METADATA_VALUE_CHARS {
            faults.add(pointer, "length", "must have at most 500 characters");
        } else if is_number(value) {
            faults.add(pointer, "looks_like_a_number", "must not be a telephone number");
        }
    }
}

/// The pointer of a member, if its name is plain enough to be shown.
fn metadata_pointer(key: &str) -> String {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b'-' || b == b'.';
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    if digits < 4 && key.bytes().all(|b| letter(b) || b.is_ascii_digit()) {
        format!("/metadata/{key}")
    } else {
        "/metadata/*".to_owned()
    }
}

/// Whether a text is a telephone number in international form, however it is spaced.
pub(super) fn is_number(text: &str) -> bool {
    let compact: String =
        text.chars().filter(|c| !c.is_whitespace() && !"-.()/\u{2011}".contains(*c)).collect();
    let international = compact.strip_prefix("tel:").unwrap_or(&compact);
    let plus = match international.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => international.to_owned(),
    };
    Identifier::parse(&plus).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number is seen through spaces, dots, `00` and `tel:`; an order number is none.
    #[test]
    fn numbers_are_seen() {
        for text in
            ["+14155550100", "+1 (415) 555-0100", "0033 6 39 98 00 01", "tel:+33-639-98-00-01"]
        {
            assert!(is_number(text), "{text}");
        }
        for text in ["1234567890", "order 8812", "2026-11-21", "", "+"] {
            assert!(!is_number(text), "{text}");
        }
    }

    /// Roles are words for programs.
    #[test]
    fn roles() {
        for ok in ["buyer", "a", "seller_2"] {
            assert!(is_role(ok), "{ok}");
        }
        for bad in ["", "2nd", "Buyer", "é", "_x", &"a".repeat(33), "a\0"] {
            assert!(!is_role(bad), "{bad}");
        }
    }
}
