//! The gate: which numbers may be a person's, and so be called and written to.
//!
//! A number that earns its owner money, or that reaches no person, is refused before a carrier is
//! asked to dial it (invariants, I7 and T16). What the data does not know is let through unless the
//! operator asks for more: new number ranges are older than the data about them.

use super::{
    classify::{Kind, kind, plausible, spellings},
    code::{calling_code, national},
};

closed_set! {
    /// How sure we must be that a number exists.
    Strictness {
        /// Its calling code exists and has numbers of its length.
        Possible = "possible",
        /// A numbering plan has it. Refuses numbers that are kept for fiction, and new ranges.
        Valid = "valid",
    }
}

closed_set! {
    /// Why a number cannot be a person's.
    Refusal {
        /// No country and no network has the calling code.
        UnknownCallingCode = "unknown_calling_code",
        /// An emergency or service code with digits around it.
        Emergency = "emergency_or_service_code",
        /// Premium rate.
        PremiumRate = "premium_rate",
        /// Shared cost.
        SharedCost = "shared_cost",
        /// A company's universal access number.
        CompanyNumber = "company_number",
        /// A pager.
        Pager = "pager",
        /// A mailbox.
        Voicemail = "voicemail",
        /// A satellite phone.
        Satellite = "satellite",
        /// A network of no country.
        GlobalNetwork = "global_network",
        /// No number under the calling code has this length.
        ImpossibleLength = "impossible_length",
        /// No numbering plan that we know has it.
        NotInPlan = "not_in_numbering_plan",
    }
}

impl Refusal {
    /// The refusal in words, to follow "the number". They hold no digit of it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::UnknownCallingCode => "begins with a calling code that no country has",
            Self::Emergency => "begins as an emergency or service code, which is never relayed",
            Self::PremiumRate => "is a premium-rate number",
            Self::SharedCost => "is a shared-cost number",
            Self::CompanyNumber => "is a company's universal access number, not a person's",
            Self::Pager => "is a pager",
            Self::Voicemail => "reaches a mailbox, not a phone",
            Self::Satellite => "is a satellite phone, which costs too much to relay to",
            Self::GlobalNetwork => "belongs to a global network, not to a country",
            Self::ImpossibleLength => "has too many or too few digits for its calling code",
            Self::NotInPlan => "is in no numbering plan that we know",
        }
    }
}

impl std::error::Error for Refusal {}

/// Calling codes of networks that no person here has a phone on (ITU-T E.164, assigned codes).
const fn network(code: u16) -> Option<Refusal> {
    match code {
        // Inmarsat; the global mobile satellite system.
        870 | 881 => Some(Refusal::Satellite),
        // International premium rate.
        979 => Some(Refusal::PremiumRate),
        // International shared cost.
        808 => Some(Refusal::SharedCost),
        // International freephone, personal numbers, networks, disaster relief.
        800 | 878 | 882 | 883 | 888 => Some(Refusal::GlobalNetwork),
        _ => None,
    }
}

/// Under +1: an area code that is a service code (911, 411 …), the exchange 911 or 976 (pay per
/// call), or directory assistance. Digits that follow 911 can still ring it.
fn service(code: u16, digits: &str) -> Option<Refusal> {
    if code != 1 {
        return None;
    }
    let (area, rest) = digits.split_at_checked(3)?;
    if area.ends_with("11") || rest.starts_with("911") || rest == "5551212" {
        return Some(Refusal::Emergency);
    }
    rest.starts_with("976").then_some(Refusal::PremiumRate)
}

const fn forbidden(kind: Kind) -> Option<Refusal> {
    match kind {
        Kind::PremiumRate => Some(Refusal::PremiumRate),
        Kind::SharedCost => Some(Refusal::SharedCost),
        Kind::CompanyNumber => Some(Refusal::CompanyNumber),
        Kind::Pager => Some(Refusal::Pager),
        Kind::Voicemail => Some(Refusal::Voicemail),
        Kind::FixedLine
        | Kind::Mobile
        | Kind::FixedOrMobile
        | Kind::TollFree
        | Kind::Voip
        | Kind::Personal
        | Kind::Unknown => None,
    }
}

pub(super) fn admit(number: &str, strictness: Strictness) -> Result<(), Refusal> {
    let code = calling_code(number).ok_or(Refusal::UnknownCallingCode)?;
    let digits = national(number).unwrap_or_default();
    if let Some(refusal) = network(code).or_else(|| service(code, digits)) {
        return Err(refusal);
    }
    let spellings = spellings(number);
    if !spellings.iter().any(|spelling| plausible(spelling)) {
        return Err(Refusal::ImpossibleLength);
    }
    let kinds = spellings.map(|spelling| kind(&spelling));
    if let Some(refusal) = kinds.into_iter().find_map(forbidden) {
        return Err(refusal);
    }
    if strictness == Strictness::Valid && kinds == [Kind::Unknown; 2] {
        return Err(Refusal::NotInPlan);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::phone::Identifier;

    fn judge(number: &str, strictness: Strictness) -> Option<Refusal> {
        Identifier::parse(number).unwrap().admit(strictness).err()
    }

    /// People's numbers pass, those that the data calls unknown as well.
    #[test]
    fn people_pass() {
        for number in [
            "+14155550100",
            "+33612345678",
            "+33142685300",
            "+390236618300",
            "+78001234567",
            "+22997123456",
            "+2290197123456",
            "+5215512345678",
            "+5491123456789",
            "+541123456789",
            "+54111523456789",
            "+551198765432",
            "+15005550006",
            "+447911123456",
        ] {
            assert_eq!(judge(number, Strictness::Possible), None, "{number}");
            assert_eq!(judge(number, Strictness::Valid), None, "{number}");
        }
    }

    /// Fiction is possible and not valid: what `possible` is for.
    #[test]
    fn fiction_is_possible() {
        for number in ["+447700900123", "+33639980001"] {
            assert_eq!(judge(number, Strictness::Possible), None);
            assert_eq!(judge(number, Strictness::Valid), Some(Refusal::NotInPlan));
        }
    }

    /// I7: whatever costs or reaches no person is refused, however sure we must be.
    #[test]
    fn i7_what_is_no_person_is_refused() {
        for (number, refusal) in [
            ("+33899123456", Refusal::PremiumRate),
            ("+19002345678", Refusal::PremiumRate),
            ("+14159761234", Refusal::PremiumRate),
            ("+979123456789", Refusal::PremiumRate),
            ("+33820123456", Refusal::SharedCost),
            ("+80812345678", Refusal::SharedCost),
            ("+33806123456", Refusal::CompanyNumber),
            ("+447640123456", Refusal::Pager),
            ("+881612345678", Refusal::Satellite),
            ("+870773123456", Refusal::Satellite),
            ("+88235123456", Refusal::GlobalNetwork),
            ("+883510012345", Refusal::GlobalNetwork),
            ("+888123456789", Refusal::GlobalNetwork),
            ("+878101234567", Refusal::GlobalNetwork),
            ("+80012345678", Refusal::GlobalNetwork),
            ("+21012345678", Refusal::UnknownCallingCode),
            ("+9991234567", Refusal::UnknownCallingCode),
            ("+19115550100", Refusal::Emergency),
            ("+14159110100", Refusal::Emergency),
            ("+14155551212", Refusal::Emergency),
            ("+1415555010", Refusal::ImpossibleLength),
            ("+1415555010099", Refusal::ImpossibleLength),
            ("+3363998000", Refusal::ImpossibleLength),
        ] {
            let identifier = Identifier::parse(number).unwrap();
            for strictness in [Strictness::Possible, Strictness::Valid] {
                assert_eq!(identifier.admit(strictness), Err(refusal), "{number}");
            }
        }
    }

    /// T16: no emergency number passes under any calling code.
    #[test]
    fn t16_no_emergency_number_passes() {
        let emergency = [
            "112", "911", "999", "000", "111", "110", "118", "119", "15", "17", "18", "100", "108",
            "190", "191", "192", "193", "113", "115", "116", "117", "122", "133", "144", "995",
        ];
        let assigned =
            (1..1000_u16).filter(|code| calling_code(&format!("+{code}")) == Some(*code));
        for code in assigned {
            for short in emergency {
                let number = format!("+{code}{short}");
                let passes = Identifier::parse(&number)
                    .is_ok_and(|number| number.admit(Strictness::Possible).is_ok());
                assert!(!passes, "{number}");
            }
        }
    }

    /// Codes are stable and words never hold a digit.
    #[test]
    fn refusals_have_words() {
        for refusal in Refusal::ALL {
            assert!(!refusal.words().is_empty());
            assert!(!refusal.words().contains(|c: char| c.is_ascii_digit()));
            assert!(refusal.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        }
    }
}
