//! Which spellings are one number: the canonical key, for look-up and uniqueness only.
//!
//! A number is dialled as it was given. Some numbering plans have two spellings that reach one
//! phone, and carriers mix them, so equality is decided on the canonical key. The table is small
//! on purpose: a wrong entry would join two people (docs/adr/0006).

use std::fmt;

/// The key on which two numbers are compared. Secret, as the number is: no `Display`, and its
/// `Debug` shows no digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Canonical(String);

impl Canonical {
    /// The canonical spelling of `number`, which is `+` and digits.
    pub(super) fn of(number: &str) -> Self {
        Self(RULES.iter().find_map(|rule| rule.apply(number)).unwrap_or_else(|| number.to_owned()))
    }

    /// The canonical spelling in clear, `+` first. Only for the keyed hash and for comparison:
    /// nobody dials it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canonical(••••)")
    }
}

/// Every spelling of `number`, which is `+` and digits, itself among them: six at the most.
pub(super) fn spellings(number: &str) -> Vec<String> {
    let key = Canonical::of(number);
    let mut all = vec![number.to_owned(), key.0.clone()];
    let digits = key.0.as_str();
    if let Some(rest) = digits.strip_prefix("+52") {
        all.push(format!("+521{rest}"));
    }
    if let Some(rest) = digits.strip_prefix("+54") {
        all.push(format!("+549{rest}"));
        for (area, subscriber) in (2..=4).filter_map(|area| rest.split_at_checked(area)) {
            all.extend(["+54", "+549"].map(|code| format!("{code}{area}15{subscriber}")));
        }
    }
    if let Some(rest) = digits.strip_prefix("+22901") {
        all.push(format!("+229{rest}"));
    }
    if let Some((area, rest)) = digits.strip_prefix("+55").and_then(|rest| rest.split_at_checked(2))
        && let Some(rest) = rest.strip_prefix('9')
    {
        all.push(format!("+55{area}{rest}"));
    }
    // Only the table says which of them it is.
    all.retain(|one| super::is_e164(one) && Canonical::of(one) == key);
    all.sort();
    all.dedup();
    all
}

/// One family of equivalent spellings.
struct Rule {
    /// What the spelling begins with.
    prefix: &'static str,
    /// How many characters it has, the `+` counted: the rule holds for this length only.
    len: usize,
    /// Makes the canonical spelling from what follows the prefix; `None` where it does not hold.
    rewrite: fn(&str) -> Option<String>,
}

impl Rule {
    fn apply(&self, number: &str) -> Option<String> {
        if number.len() != self.len {
            return None;
        }
        (self.rewrite)(number.strip_prefix(self.prefix)?)
    }
}

/// Order matters: the first that holds is applied, and once.
const RULES: &[Rule] = &[
    // Mexico: the `1` before mobiles ended on 3 August 2019 (IFT; Twilio's notice of 12 August
    // 2019); some carriers still send it. No Mexican area code begins with 1.
    Rule { prefix: "+521", len: 14, rewrite: |rest| Some(format!("+52{rest}")) },
    // Argentina: `9` marks a mobile in international form only (libphonenumber, AR). The ten digits
    // after it are the number.
    Rule { prefix: "+549", len: 14, rewrite: |rest| Some(format!("+54{rest}")) },
    // Argentina: `15` after the area code marks a mobile in national form. Twelve digits are no
    // other number; some equipment sends `9` as well.
    Rule { prefix: "+54", len: 15, rewrite: without_15 },
    Rule { prefix: "+549", len: 16, rewrite: without_15 },
    // Benin: `01` came before every eight-digit number on 30 November 2024 (ARCEP Bénin). No number
    // of the new plan has eight digits.
    Rule { prefix: "+229", len: 12, rewrite: |rest| Some(format!("+22901{rest}")) },
    // Brazil: `9` came before every eight-digit mobile from 2012 to 6 November 2016 (Anatel,
    // Resolução 553/2010); messaging platforms still send eight. Fixed numbers begin with 2 to 5,
    // and 7 stayed short for trunked radio.
    Rule { prefix: "+55", len: 13, rewrite: with_ninth_digit },
];

/// Argentina: takes the `15` from between area code and subscriber number (ten digits remain).
///
/// The area code has two digits in Buenos Aires, three in the cities below, four elsewhere; a test
/// holds the list to libphonenumber. Some begin others (388 and 3888); the `15` tells them
/// apart.
fn without_15(national: &str) -> Option<String> {
    const THREE: &[&str] = &[
        "220", "221", "223", "230", "236", "237", "249", "260", "261", "263", "264", "266", "280",
        "291", "294", "297", "298", "299", "336", "341", "342", "343", "345", "348", "351", "353",
        "358", "362", "364", "370", "376", "379", "380", "381", "383", "385", "387", "388",
    ];
    let cut = |area: usize| {
        let (area, rest) = national.split_at_checked(area)?;
        Some((area, rest.strip_prefix("15")?))
    };
    let (area, subscriber) = cut(2)
        .filter(|(area, _)| *area == "11")
        .or_else(|| cut(3).filter(|(area, _)| THREE.contains(area)))
        .or_else(|| cut(4).filter(|(area, _)| area.starts_with(['2', '3'])))?;
    Some(format!("+54{area}{subscriber}"))
}

/// Brazil: puts the `9` before an old mobile number, after the two digits of the area.
fn with_ninth_digit(national: &str) -> Option<String> {
    let (area, subscriber) = national.split_at_checked(2)?;
    subscriber.starts_with(['6', '8', '9']).then(|| format!("+55{area}9{subscriber}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(number: &str) -> String {
        Canonical::of(number).expose().to_owned()
    }

    /// Each row of the table joins the spellings that reach one phone.
    #[test]
    fn spellings_of_one_number_are_one_key() {
        let families: &[&[&str]] = &[
            &["+5215512345678", "+525512345678"],
            &["+5491123456789", "+541123456789", "+54111523456789", "+549111523456789"],
            &["+5492214567890", "+542214567890", "+54221154567890"],
            &["+5492901234567", "+542901234567", "+54290115234567"],
            &["+22997123456", "+2290197123456"],
            &["+551198765432", "+5511998765432"],
            &["+558591234567", "+5585991234567"],
        ];
        for family in families {
            for spelling in *family {
                assert_eq!(of(spelling), of(family[0]), "{spelling}");
                let all = spellings(spelling);
                assert!(family.iter().all(|one| all.contains(&(*one).to_owned())), "{spelling}");
            }
        }
    }

    /// A number that only looks like a row of the table keeps its digits.
    #[test]
    fn neighbours_of_the_table_stay_apart() {
        for number in [
            // Mexico without the 1, and a number one digit short.
            "+525512345678",
            "+52155123456",
            // Argentina, fixed; twelve digits without a 15 behind the area code.
            "+541143211234",
            "+54113423456789",
            "+54113415345678",
            // Benin, new plan.
            "+2290120212345",
            // Brazil: fixed, and the block that stayed short.
            "+551132345678",
            "+551178123456",
            // No rule for the country.
            "+14155550100",
            "+447700900123",
            "+33639980001",
        ] {
            assert_eq!(of(number), number);
        }
        assert_eq!(spellings("+14155550100"), ["+14155550100"]);
    }

    proptest! {
        /// A canonical key is its own key, is still a number, and keeps its calling code.
        #[test]
        fn the_key_of_a_key_is_itself(number in "\\+(521|549|54|54911|5422115|229|55|1|33)?[1-9][0-9]{6,11}") {
            prop_assume!(number.len() <= 16);
            let once = of(&number);
            prop_assert!(super::super::is_e164(&once));
            prop_assert_eq!(of(&once), once.clone());
            prop_assert_eq!(&once[..3], &number[..3]);
        }

        /// A number is among the spellings of its key, and its own are those; each has that key, and there are
        /// few.
        #[test]
        fn spellings_are_those_of_one_key(number in "\\+(521|549|54|54911|5422115|54388|229|55|1|33)?[1-9][0-9]{6,11}") {
            prop_assume!(number.len() <= 16);
            let all = spellings(&number);
            prop_assert!(all.contains(&number) && all.len() <= 6, "{:?}", all);
            prop_assert_eq!(&spellings(&of(&number)), &all);
            prop_assert!(all.iter().all(|one| of(one) == of(&number)));
        }
    }

    /// No digit appears in debug output.
    #[test]
    fn debug_shows_no_digit() {
        assert_eq!(format!("{:?}", Canonical::of("+14155550100")), "Canonical(••••)");
    }
}
