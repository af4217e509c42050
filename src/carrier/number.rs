//! A proxy number at its carrier: whether the account has it, and what is wrong with how it is set.

use crate::{
    domain::{
        phone::{Caller, ProxyNumber, parse_carrier},
        pool::Capabilities,
    },
    ids::NumberId,
};

/// A setting of a number at its carrier that is not as the relay needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberFault {
    /// Whether calls or texts are lost by it: otherwise it only deserves a warning.
    pub grave: bool,
    /// What is there, in words and with the carrier's name of the setting. No secret: of an address
    /// its scheme, host and path at most.
    pub found: String,
    /// What to do, with the exact value to set.
    pub fix: String,
}

impl NumberFault {
    /// A fault by which calls or texts are lost.
    pub fn grave(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { grave: true, found: found.into(), fix: fix.into() }
    }

    /// A fault that the relay lives with.
    pub fn minor(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { grave: false, found: found.into(), fix: fix.into() }
    }
}

/// A number that the carrier is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// By the id that it has there, where the carrier's ids have our form.
    Id(NumberId),
    /// By its digits.
    Digits(ProxyNumber),
}

/// A number that the account has at the carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rented {
    /// The carrier's id of it.
    pub id: NumberId,
    /// The number.
    pub number: ProxyNumber,
    /// What it is called there: 255 characters at most, none of control; `None` for its digits.
    pub name: Option<String>,
    /// What it can do; nothing of ours where it can only fax.
    pub can: Capabilities,
}

impl Rented {
    /// What a name becomes that the carrier's customer chose.
    pub fn name(text: &str, number: &ProxyNumber) -> Option<String> {
        let kept: String = text.chars().filter(|c| !c.is_control()).take(255).collect();
        (!kept.trim().is_empty() && kept != number.as_str()).then_some(kept)
    }
}

/// What flags say that a number can do, in each of the words that Twilio's APIs have for it.
pub fn abilities(flag: impl Fn(&str) -> bool) -> Capabilities {
    let any = |names: &[&str]| names.iter().any(|name| flag(name));
    Capabilities {
        voice: any(&["voice", "VOICE", "voice_inbound", "voice_outbound"]),
        sms: any(&["sms", "SMS", "sms_inbound", "sms_outbound"]),
        mms: any(&["mms", "MMS", "mms_inbound", "mms_outbound"]),
    }
}

/// The proxy number that a carrier names so, in E.164; `None` for a short code and for a SIP address,
/// which no pool of ours has.
///
/// # Errors
/// Where it is neither.
pub(super) fn called(to: &str) -> Result<Option<ProxyNumber>, ()> {
    let short = (3..=8).contains(&to.len()) && to.bytes().all(|b| b.is_ascii_digit());
    if short || to.contains([':', '@']) {
        return Ok(None);
    }
    ProxyNumber::parse(to).map(Some).map_err(|_| ())
}

/// Who calls or writes, of a carrier that writes numbers in E.164. A SIP address may spell anybody's
/// number, and digits without a plus may be those of any country: they count as withheld, and so do names,
/// short codes and words on a keypad.
pub(super) fn heard(from: &str) -> Caller {
    if from.starts_with('+') { heard_bare(from) } else { Caller::Withheld }
}

/// The same of a carrier that writes whole numbers without their plus.
pub(super) fn heard_bare(from: &str) -> Caller {
    let tel = from.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("tel:"));
    let number = from.get(tel.map_or(0, str::len)..).unwrap_or_default();
    if number.contains([':', '@']) { Caller::Withheld } else { parse_carrier(number, None) }
}

/// Whether two addresses are one, with the port of https written or not.
pub(super) fn same_address(one: &str, other: &str) -> bool {
    matches!((url::Url::parse(one), url::Url::parse(other)), (Ok(one), Ok(other)) if one == other)
}

/// An address without what may be secret in it, for [`NumberFault::found`].
pub(super) fn shown(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(url) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        Err(_) => "not an address".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody is taken for another whose number a SIP address spells, and what a keypad spells is nobody,
    /// whichever carrier says so.
    #[test]
    fn only_telephone_numbers_are_heard() {
        let number = |caller| match caller {
            Caller::Number(number) => Some(number.expose().to_owned()),
            Caller::Withheld => None,
        };
        assert_eq!(number(heard("+14155550100")).as_deref(), Some("+14155550100"));
        for bare in ["14155550100", "+14155550100", "tel:+14155550100", "TEL:14155550100"] {
            assert_eq!(number(heard_bare(bare)).as_deref(), Some("+14155550100"), "{bare}");
        }
        for nobody in [
            "sip:+14155550100@elsewhere.example",
            "tel:sip:+14155550100@elsewhere.example",
            "+14155550100@elsewhere.example",
            "\"+14155550100\" <sip:+14155550100@elsewhere.example>",
            "whatsapp:+14155550100",
            "+266696687",
            "+7378742833",
            "+86282452253",
            "+8656696",
            "+2562533",
            "anonymous",
            "12345",
            "",
        ] {
            assert_eq!(
                (number(heard(nobody)), number(heard_bare(nobody))),
                (None, None),
                "{nobody}"
            );
        }
        // Of which country, nobody says.
        assert_eq!(number(heard("4155550100")), None);
    }
}
