//! What countries' rules say of numbers that a pool shares among strangers: data, each with its source.
//!
//! `proxy_classes.csv` has a line for each class of numbers, with the prefixes that it covers; of
//! several the longest holds. What no line covers is allowed: no rule is made up. An operator may let
//! in what a rule refuses, with a reason ([`Permits`]); `docs/numbering.md` shows the table.

use std::{fmt::Write as _, sync::LazyLock};

use csv::StringRecord;

use super::{Identifier, ProxyNumber};

/// A class of numbers, and whether a pool may have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyClass {
    /// Its name in answers: lower-case letters and hyphens.
    pub id: String,
    /// ISO 3166 alpha-2 code of the country whose rule it is.
    pub country: String,
    /// What its numbers begin with: a plus sign and digits each.
    pub prefixes: Vec<String>,
    /// What its numbers are, in words.
    pub class: String,
    /// Whether a pool may have them.
    pub allowed: bool,
    /// Why, in words that follow "the number".
    pub reason: String,
    /// Where that is written.
    pub source: String,
    /// Since when, `YYYY-MM-DD`; empty where the source does not tell.
    pub since: String,
    /// When the source was read, `YYYY-MM-DD`.
    pub read: String,
}

impl ProxyClass {
    /// Every class, in the order of the table.
    pub fn all() -> &'static [Self] {
        &CLASSES
    }

    /// The class of a number; `None` where no rule is known.
    pub fn of(number: &ProxyNumber) -> Option<&'static Self> {
        let longest = |class: &'static Self| {
            let fits = class.prefixes.iter().filter(|prefix| number.0.starts_with(*prefix));
            fits.map(String::len).max().map(|length| (length, class))
        };
        CLASSES.iter().filter_map(longest).max_by_key(|(length, _)| *length).map(|(_, class)| class)
    }

    fn read(line: &StringRecord) -> Option<Self> {
        let field = |place: usize| line.get(place).map(str::to_owned);
        Some(Self {
            id: field(0)?,
            country: field(1)?,
            prefixes: line.get(2)?.split(' ').map(str::to_owned).collect(),
            class: field(3)?,
            allowed: line.get(4)? == "yes",
            reason: field(5)?,
            source: field(6)?,
            since: field(7)?,
            read: field(8)?,
        })
    }

    /// Why a number of the class is refused, with the rule and its source, to follow "the number".
    pub fn refusal(&self) -> String {
        format!("{} (rule {}, {}; docs/numbering.md)", self.reason, self.id, self.source)
    }
}

/// The table; a test holds that every line is read.
static CLASSES: LazyLock<Vec<ProxyClass>> = LazyLock::new(|| {
    let lines = csv::Reader::from_reader(&include_bytes!("proxy_classes.csv")[..]);
    lines.into_records().flatten().filter_map(|line| ProxyClass::read(&line)).collect()
});

/// What stands against a number, and what for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// No rule refuses it.
    Free,
    /// A rule refuses it, and the operator lets it in for this reason.
    Permitted(&'a str),
    /// This rule refuses it.
    Barred(&'static ProxyClass),
}

/// Numbers that the operator lets in although a rule refuses them: by prefix, each with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permits(Vec<(String, String)>);

impl Permits {
    /// Reads what begins with a plus sign and 1 to 15 digits, then a space and a reason of 3 to 200
    /// characters, none of control; `None` if one is anything else.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let read = |entry: &str| {
            let (prefix, reason) = entry.split_once(' ')?;
            let digits = prefix.strip_prefix('+')?;
            let reason = reason.trim();
            let good = (1..=15).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_digit())
                && (3..=200).contains(&reason.chars().count())
                && !reason.chars().any(char::is_control);
            good.then(|| (prefix.to_owned(), reason.to_owned()))
        };
        entries.into_iter().map(read).collect::<Option<_>>().map(Self)
    }

    /// Why a number is let in against a rule, by the longest prefix.
    fn reason(&self, number: &ProxyNumber) -> Option<&str> {
        let fits = self.0.iter().filter(|(prefix, _)| number.0.starts_with(prefix));
        fits.max_by_key(|(prefix, _)| prefix.len()).map(|(_, reason)| &**reason)
    }

    /// Whether a person's number begins with one of the prefixes.
    pub fn cover(&self, number: &Identifier) -> bool {
        self.0.iter().any(|(prefix, _)| number.0.starts_with(prefix))
    }

    /// Whether a pool may have the number.
    pub fn judge(&self, number: &ProxyNumber) -> Standing<'_> {
        match ProxyClass::of(number).filter(|class| !class.allowed) {
            None => Standing::Free,
            Some(class) => self.reason(number).map_or(Standing::Barred(class), Standing::Permitted),
        }
    }

    /// A text that differs wherever a number may be judged otherwise: the rules and the permits.
    pub fn rules(&self) -> String {
        let mut text = String::new();
        for class in ProxyClass::all() {
            let _ = writeln!(text, "{} {}", class.allowed, class.prefixes.join(" "));
        }
        for (prefix, reason) in &self.0 {
            let _ = writeln!(text, "{prefix} {reason}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn class(number: &str) -> Option<&'static str> {
        ProxyClass::of(&ProxyNumber::parse(number).unwrap()).map(|class| &*class.id)
    }

    fn is_date(text: &str) -> bool {
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts[..] else { return false };
        let number = |part: &str| part.parse::<u32>().unwrap_or(0);
        year.len() == 4
            && (2000..2100).contains(&number(year))
            && (1..=12).contains(&number(month))
            && (1..=31).contains(&number(day))
    }

    /// Every line of the table is read, has a source, dates and a reason, and no prefix is
    /// in two.
    #[test]
    fn every_rule_has_a_source() {
        let lines = include_str!("proxy_classes.csv").lines().count();
        assert_eq!(ProxyClass::all().len(), lines - 1);
        let (mut ids, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
        for class in ProxyClass::all() {
            let id = &class.id;
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && ids.insert(id));
            assert!(super::super::Country::parse(&class.country).is_some(), "{id}");
            assert!(class.source.starts_with("https://") && !class.source.contains(' '), "{id}");
            assert!(class.since.is_empty() || is_date(&class.since), "{id}");
            assert!(is_date(&class.read) && class.since <= class.read, "{id}: not in force yet");
            assert!(!class.class.is_empty() && class.reason.len() > 20, "{id}");
            assert!(class.reason.starts_with(['i', 'm', 'h']), "{id}: follows “the number”");
            for prefix in &class.prefixes {
                let digits = prefix.strip_prefix('+').unwrap();
                assert!(digits.bytes().all(|b| b.is_ascii_digit()), "{id}: {prefix}");
                assert!(prefixes.insert(prefix), "{prefix} twice");
            }
        }
        let words: Vec<&str> =
            include_str!("proxy_classes.csv").lines().skip(1).map(|line| &line[..3]).collect();
        assert!(words.is_sorted_by_key(|country| country != &"fr-"), "France first");
        let allowed = include_str!("proxy_classes.csv").matches(",yes,").count();
        let refused = include_str!("proxy_classes.csv").matches(",no,").count();
        assert_eq!(allowed + refused, lines - 1, "allowed is yes or no");
    }

    /// France (ecosystem, §5.3): 09 37 to 09 39 and nothing else; the longest prefix decides.
    #[test]
    fn in_france_only_platform_numbers() {
        for (number, id) in [
            ("+33937000001", "fr-platform"),
            ("+33938000001", "fr-platform"),
            ("+33939000001", "fr-platform"),
            ("+33639980001", "fr-mobile"),
            ("+33739980001", "fr-mobile"),
            ("+33162000001", "fr-automated"),
            ("+33948000001", "fr-automated"),
            ("+33140000001", "fr-other"),
            ("+33972000001", "fr-other"),
            ("+33899000001", "fr-other"),
            ("+590690000001", "fr-mobile-overseas"),
            ("+262947800001", "fr-automated-overseas"),
        ] {
            assert_eq!(class(number), Some(id), "{number}");
        }
        assert_eq!(class("+590590000001"), None, "no rule is made up");
    }

    /// Elsewhere only what a source says is refused.
    #[test]
    fn elsewhere_only_what_is_sourced() {
        let refused = |number: &str| {
            let number = ProxyNumber::parse(number).unwrap();
            matches!(Permits::default().judge(&number), Standing::Barred(_))
        };
        for number in [
            "+449098790000",
            "+447000000000",
            "+499001234567",
            "+491371234567",
            "+4911833",
            "+19005550100",
            "+14115550100",
            "+911400000000",
            "+911600000000",
        ] {
            assert!(refused(number), "{number}");
        }
        for number in [
            "+447700900001",
            "+442079460000",
            "+4930123456",
            "+34600000001",
            "+14155550100",
            "+18005550100",
            "+914412345678",
        ] {
            assert!(!refused(number), "{number}");
        }
    }

    /// A permit lets in what it covers, for its reason, the longest first, and nothing else; and what
    /// the rules are differs by it.
    #[test]
    fn a_permit_has_a_reason() {
        let permits = Permits::parse(["+336 a pilot", "+33639 permit 7 of Arcep"]).unwrap();
        let judge = |number| {
            let number = ProxyNumber::parse(number).unwrap();
            match permits.judge(&number) {
                Standing::Permitted(reason) => reason.to_owned(),
                other => format!("{other:?}").split('(').next().unwrap().to_owned(),
            }
        };
        assert_eq!(judge("+33639980001"), "permit 7 of Arcep");
        assert_eq!(judge("+33612345678"), "a pilot");
        assert_eq!(judge("+33712345678"), "Barred");
        assert_eq!(judge("+33937000001"), "Free");
        assert_ne!(permits.rules(), Permits::default().rules());
        for bad in ["+336", "336 reason", "+336  ", "+33a reason", "+ reason", "+336 no"] {
            assert_eq!(Permits::parse([bad]), None, "{bad}");
        }
        assert_eq!(Permits::parse([]), Some(Permits::default()));
    }

    /// `docs/numbering.md` has the table as it is; `UPDATE_NUMBERING=1` writes it.
    #[test]
    fn the_page_has_the_table() {
        const BEGIN: &str = "<!-- made of src/domain/phone/proxy_classes.csv -->\n";
        const END: &str = "<!-- end -->";
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/numbering.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let mut table = String::from(
            "| rule | country | numbers | begin with | may join | the number … | since | source, read on |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for class in ProxyClass::all() {
            let may = if class.allowed { "yes" } else { "no" };
            let since = if class.since.is_empty() { "not told" } else { &class.since };
            writeln!(
                table,
                "| `{}` | {} | {} | {} | {may} | {} | {since} | [source]({}), {} |",
                class.id,
                class.country,
                class.class,
                class.prefixes.join(", "),
                class.reason,
                class.source,
                class.read
            )
            .unwrap();
        }
        let made = format!("{before}{BEGIN}{table}{END}{after}");
        if std::env::var_os("UPDATE_NUMBERING").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page == made, "UPDATE_NUMBERING=1 cargo test --lib proxy_class makes it anew");
    }
}
