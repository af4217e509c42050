//! What a number is by the numbering plans: its country and its type. It rewrites no digit.
//!
//! The data is libphonenumber's, as the `phonenumber` crate carries it; the matching is ours. That
//! crate's parser rewrites some valid numbers, and its matcher takes a pattern that holds at the
//! start for one that holds for all (docs/adr/0006).

use std::{collections::BTreeSet, sync::OnceLock};

use phonenumber::{
    Metadata,
    metadata::{DATABASE, Descriptor},
};
use regex::Regex;

use super::{
    Canonical, Country,
    code::{calling_code, national},
    nanp,
};

closed_set! {
    /// What a number is for, by its numbering plan.
    Kind {
        /// A landline.
        FixedLine = "fixed_line",
        /// A mobile phone.
        Mobile = "mobile",
        /// A landline or a mobile phone: the plan does not tell.
        FixedOrMobile = "fixed_or_mobile",
        /// Free for the caller.
        TollFree = "toll_free",
        /// Paid by the caller, and the owner earns.
        PremiumRate = "premium_rate",
        /// Paid by both.
        SharedCost = "shared_cost",
        /// A phone on the internet.
        Voip = "voip",
        /// Follows one person.
        Personal = "personal",
        /// A pager.
        Pager = "pager",
        /// One number for a company (universal access number).
        CompanyNumber = "company_number",
        /// Reaches a mailbox.
        Voicemail = "voicemail",
        /// In no plan that we know; it may be real none the less.
        Unknown = "unknown",
    }
}

/// Kinds that are told apart by a pattern alone, in libphonenumber's order: the first that matches.
const PLAIN: &[(Kind, phonenumber::Type)] = &[
    (Kind::PremiumRate, phonenumber::Type::PremiumRate),
    (Kind::TollFree, phonenumber::Type::TollFree),
    (Kind::SharedCost, phonenumber::Type::SharedCost),
    (Kind::Voip, phonenumber::Type::Voip),
    (Kind::Personal, phonenumber::Type::PersonalNumber),
    (Kind::Pager, phonenumber::Type::Pager),
    (Kind::CompanyNumber, phonenumber::Type::Uan),
    (Kind::Voicemail, phonenumber::Type::Voicemail),
];

/// Every type that the oracle and we tell apart.
#[cfg(test)]
pub(super) const TYPES: &[phonenumber::Type] = &[
    phonenumber::Type::FixedLine,
    phonenumber::Type::Mobile,
    phonenumber::Type::TollFree,
    phonenumber::Type::PremiumRate,
    phonenumber::Type::SharedCost,
    phonenumber::Type::Voip,
    phonenumber::Type::PersonalNumber,
    phonenumber::Type::Pager,
    phonenumber::Type::Uan,
    phonenumber::Type::Voicemail,
];

/// A pattern and the lengths for which it holds.
struct Pattern {
    lengths: Vec<usize>,
    whole: Regex,
}

impl Pattern {
    fn new(descriptor: &Descriptor) -> Option<Self> {
        Some(Self {
            lengths: descriptor.possible_length().iter().map(|n| usize::from(*n)).collect(),
            whole: compile(descriptor.national_number().as_str(), "$")?,
        })
    }

    fn matches(&self, national: &str) -> bool {
        (self.lengths.is_empty() || self.lengths.contains(&national.len()))
            && self.whole.is_match(national)
    }
}

/// Digits are ASCII by the time they come here, so the patterns need no Unicode tables.
fn compile(pattern: &str, end: &str) -> Option<Regex> {
    Regex::new(&format!("(?x-u)^(?:{pattern}){end}")).ok()
}

/// The numbering plan of one country, or of one global network.
struct Plan {
    country: Option<Country>,
    /// Every length that some type of number has. The data gives them by type only.
    lengths: BTreeSet<usize>,
    general: Pattern,
    leading: Option<Regex>,
    plain: Vec<(Kind, Pattern)>,
    fixed: Option<Pattern>,
    mobile: Option<Pattern>,
}

impl Plan {
    fn new(metadata: &Metadata) -> Option<Self> {
        let descriptors = metadata.descriptors();
        let plain = PLAIN
            .iter()
            .filter_map(|(kind, theirs)| Some((*kind, Pattern::new(descriptors.get(*theirs)?)?)));
        let general = Pattern::new(descriptors.general())?;
        let plain: Vec<(Kind, Pattern)> = plain.collect();
        let fixed = descriptors.fixed_line().and_then(Pattern::new);
        let mobile = descriptors.mobile().and_then(Pattern::new);
        let all =
            plain.iter().map(|(_, pattern)| pattern).chain([&general]).chain(&fixed).chain(&mobile);
        Some(Self {
            country: Country::parse(metadata.id()),
            lengths: all.flat_map(|pattern| pattern.lengths.iter().copied()).collect(),
            leading: metadata.leading_digits().and_then(|head| compile(head.as_str(), "")),
            general,
            plain,
            fixed,
            mobile,
        })
    }

    fn kind(&self, national: &str) -> Kind {
        if !self.general.matches(national) {
            return Kind::Unknown;
        }
        if let Some((kind, _)) = self.plain.iter().find(|(_, pattern)| pattern.matches(national)) {
            return *kind;
        }
        let matches =
            |pattern: &Option<Pattern>| pattern.as_ref().is_some_and(|p| p.matches(national));
        match (matches(&self.fixed), matches(&self.mobile)) {
            (true, true) => Kind::FixedOrMobile,
            (true, false) => Kind::FixedLine,
            (false, true) => Kind::Mobile,
            (false, false) => Kind::Unknown,
        }
    }
}

/// The plans under a calling code, the main country's first. Patterns are compiled on first use.
fn plans(code: u16) -> &'static [Plan] {
    static PLANS: [OnceLock<Vec<Plan>>; 1000] = [const { OnceLock::new() }; 1000];
    PLANS.get(usize::from(code)).map_or(&[], |slot| {
        slot.get_or_init(|| {
            let found = DATABASE.by_code(&code).unwrap_or_default();
            found.into_iter().filter_map(Plan::new).collect()
        })
    })
}

/// The plan that a number belongs to, if one of several under its code claims it.
fn plan(code: u16, national: &str) -> Option<&'static Plan> {
    match plans(code) {
        [only] => Some(only),
        several => several.iter().find(|plan| match &plan.leading {
            Some(head) => head.is_match(national),
            None => plan.kind(national) != Kind::Unknown,
        }),
    }
}

/// The country of a number. One that no plan claims is its area's under +1, and else the main
/// country's: a number that was given out this year is not nowhere.
pub(super) fn country(number: &str) -> Option<Country> {
    let code = calling_code(number)?;
    let digits = national(number)?;
    if let Some(plan) = plan(code, digits) {
        return plan.country;
    }
    if code == 1 {
        // Any subscriber number that the plan allows: the area code decides, or one of the same
        // place if the area code is newer than the data.
        let area = digits.get(..3)?;
        let areas = std::iter::once(area).chain(nanp::overlay(area));
        return areas.into_iter().find_map(|a| plan(code, &format!("{a}2345678"))?.country);
    }
    plans(code).first()?.country
}

/// What a number is for. [`Kind::Unknown`] says that the data does not know it, not that it is bad.
pub(super) fn kind(number: &str) -> Kind {
    let found = calling_code(number).zip(national(number));
    found.and_then(|(code, digits)| Some(plan(code, digits)?.kind(digits))).unwrap_or(Kind::Unknown)
}

/// Whether any plan under the number's calling code has numbers of this length.
pub(super) fn plausible(number: &str) -> bool {
    let Some((code, digits)) = calling_code(number).zip(national(number)) else { return false };
    plans(code).iter().any(|plan| plan.lengths.contains(&digits.len()))
}

/// The spellings of a number by which it is judged: as given, and the canonical one.
pub(super) fn spellings(number: &str) -> [String; 2] {
    [number.to_owned(), Canonical::of(number).expose().to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pattern of the metadata compiles, and every plan belongs to an assigned calling code.
    #[test]
    fn every_plan_is_readable() {
        let mut patterns = 0;
        for metadata in DATABASE.iter() {
            let plan = Plan::new(metadata).unwrap();
            assert!(!plan.lengths.is_empty(), "{}", metadata.id());
            assert_eq!(plan.leading.is_some(), metadata.leading_digits().is_some());
            assert_eq!(plan.country.is_some(), metadata.id() != "001");
            let descriptors = metadata.descriptors();
            for (kind, theirs) in PLAIN {
                let ours = plan.plain.iter().any(|(k, _)| k == kind);
                assert_eq!(ours, descriptors.get(*theirs).is_some(), "{} {kind}", metadata.id());
            }
            assert_eq!(plan.fixed.is_some(), descriptors.fixed_line().is_some());
            assert_eq!(plan.mobile.is_some(), descriptors.mobile().is_some());
            patterns += plan.plain.len();
            assert_eq!(
                calling_code(&format!("+{}", metadata.country_code())),
                Some(metadata.country_code())
            );
        }
        assert!(patterns > 500, "{patterns}");
    }

    /// The known faults of the crate's own parser and matcher (ecosystem, §4.2) are not ours.
    #[test]
    fn known_faults_are_not_ours() {
        for (number, country_is, kind_is) in [
            // Rewritten by the parser.
            ("+78001234567", Some("RU"), Kind::TollFree),
            // Type unknown to the parser: a landline in Milan.
            ("+390236618300", Some("IT"), Kind::FixedLine),
            ("+2290120212345", Some("BJ"), Kind::FixedLine),
            // Held to be valid by the matcher.
            ("+97233142764978", Some("IL"), Kind::Unknown),
            ("+611301123456", Some("AU"), Kind::Unknown),
            // Numbers that are kept for fiction.
            ("+447700900123", Some("GB"), Kind::Unknown),
            ("+14155550100", Some("US"), Kind::FixedOrMobile),
            ("+33639980001", Some("FR"), Kind::Unknown),
            ("+33937000001", Some("FR"), Kind::Voip),
            // Shared calling codes.
            ("+447911123456", Some("GG"), Kind::Mobile),
            ("+262692123456", Some("RE"), Kind::Mobile),
            ("+77011234567", Some("KZ"), Kind::Mobile),
            ("+18765550100", Some("JM"), Kind::Mobile),
            ("+14165550100", Some("CA"), Kind::FixedOrMobile),
            ("+15005550006", Some("US"), Kind::Personal),
            // An area that exists with a subscriber number that cannot.
            ("+14150550100", Some("US"), Kind::Unknown),
            ("+12110550100", None, Kind::Unknown),
            ("+883510000000", None, Kind::Voip),
        ] {
            assert_eq!(country(number).map(|c| c.to_string()).as_deref(), country_is, "{number}");
            assert_eq!(kind(number), kind_is, "{number}");
        }
    }
}
