//! Which proxy numbers suit a person: narrowing a pool's classes, and saying which rule left none.
//!
//! A pool is described by its classes (country × area × carrier × capabilities) and how many
//! numbers each has, so that a choice never reads the pool itself.

use std::collections::BTreeSet;

/// What a number can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Capabilities {
    /// Calls.
    pub voice: bool,
    /// Texts.
    pub sms: bool,
    /// Pictures and files.
    pub mms: bool,
}

impl Capabilities {
    /// Reads `voice|sms|mms`, in any order, each at most once; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut found = Self::default();
        for word in text.split('|') {
            let flag = match word.trim() {
                "voice" => &mut found.voice,
                "sms" => &mut found.sms,
                "mms" => &mut found.mms,
                _ => return None,
            };
            if std::mem::replace(flag, true) {
                return None;
            }
        }
        Some(found)
    }

    /// The one spelling that is stored.
    pub fn text(self) -> String {
        [(self.voice, "voice"), (self.sms, "sms"), (self.mms, "mms")]
            .iter()
            .filter_map(|(on, word)| on.then_some(*word))
            .collect::<Vec<_>>()
            .join("|")
    }

    /// Whether this has all that `needed` has.
    pub const fn covers(self, needed: Self) -> bool {
        (self.voice || !needed.voice) && (self.sms || !needed.sms) && (self.mms || !needed.mms)
    }
}

/// Numbers of one kind in a service's pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// ISO 3166 alpha-2 code, or empty if unknown.
    pub country: String,
    /// Area code, or empty.
    pub area: String,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// What they can do.
    pub capabilities: Capabilities,
    /// How many are active and not reserved.
    pub free: u64,
    /// How many are reserved: given only when named.
    pub reserved: u64,
}

/// What a person needs of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What it must be able to do.
    pub capabilities: Capabilities,
    /// The country that it must be of; `None` for any.
    pub country: Option<String>,
    /// The areas that will do, best first; empty for any.
    pub areas: Vec<String>,
    /// Whether any area of the country will do where those have none.
    pub any_area: bool,
    /// The carrier that it must be at; `None` for any.
    pub carrier: Option<String>,
}

closed_set! {
    /// The rule that left no number.
    Rule {
        /// The service has no active number.
        Service = "service",
        /// None of that country.
        Country = "country",
        /// None of that area.
        Area = "area",
        /// None at that carrier, or at one carrier for everybody in a session with calls.
        Carrier = "carrier",
        /// None that can do what the session's mode needs.
        Capability = "capability",
        /// Only reserved ones.
        Reserved = "reserved",
        /// The person holds every one of them in open sessions.
        InUse = "in_use",
        /// Every one is held by the person in open sessions or in quarantine.
        Quarantine = "quarantine",
    }
}

closed_set! {
    /// What chose a number.
    ChosenBy {
        /// The marketplace named it.
        Pinned = "pinned",
        /// This person had it with the same counterparts before.
        Sticky = "sticky",
        /// It has rested longest for this person.
        Ring = "ring",
    }
}

/// A ring: the numbers among which a person's next is looked for, in order of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// The country; empty text where it is unknown.
    pub country: String,
    /// The area; `None` for all of the country's.
    pub area: Option<String>,
    /// The kinds of numbers in it: carrier and capabilities.
    pub kinds: Vec<(String, Capabilities)>,
    /// How many numbers it has.
    pub size: u64,
}

impl Ring {
    /// The stable text under which a person's place in this ring is kept: what is asked for, not
    /// what the pool happens to have.
    pub fn key(&self, need: &Need) -> String {
        let carrier = need.carrier.as_deref().unwrap_or("*");
        let area = self.area.as_deref().unwrap_or("*");
        format!("{}/{area}/{carrier}/{}", self.country, need.capabilities.text())
    }
}

/// One rule's effect, for an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Narrowing {
    /// The rule.
    pub rule: Rule,
    /// How many numbers it left.
    pub left: u64,
}

/// What narrowing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowed {
    /// Rings to look in, best first; empty if a rule left none.
    pub rings: Vec<Ring>,
    /// Each rule's effect, in order; the last one emptied the set if `rings` is empty.
    pub steps: Vec<Narrowing>,
}

/// Narrows a pool's classes to the rings that suit `need`.
pub fn narrow(classes: &[Class], need: &Need) -> Narrowed {
    let mut left: Vec<&Class> = classes.iter().collect();
    let mut steps = Vec::new();
    let total = |left: &[&Class]| left.iter().map(|class| class.free + class.reserved).sum::<u64>();
    let mut keep = |rule: Rule, left: &mut Vec<&Class>, suits: &dyn Fn(&Class) -> bool| {
        left.retain(|class| suits(class));
        steps.push(Narrowing { rule, left: total(left) });
        total(left) > 0
    };
    let in_area =
        |class: &Class| need.areas.is_empty() || need.any_area || need.areas.contains(&class.area);
    let suited = keep(Rule::Service, &mut left, &|_| true)
        && keep(Rule::Country, &mut left, &|class| {
            need.country.as_ref().is_none_or(|country| *country == class.country)
        })
        && keep(Rule::Area, &mut left, &in_area)
        && keep(Rule::Carrier, &mut left, &|class| {
            need.carrier.as_ref().is_none_or(|carrier| *carrier == class.carrier)
        })
        && keep(Rule::Capability, &mut left, &|class| class.capabilities.covers(need.capabilities));
    let mut rings = Vec::new();
    if suited {
        left.retain(|class| class.free > 0);
        let free = left.iter().map(|class| class.free).sum();
        steps.push(Narrowing { rule: Rule::Reserved, left: free });
        rings = rings_of(&left, need);
    }
    Narrowed { rings, steps }
}

fn rings_of(classes: &[&Class], need: &Need) -> Vec<Ring> {
    let mut rings = Vec::new();
    let countries: BTreeSet<&str> = classes.iter().map(|class| class.country.as_str()).collect();
    for country in countries {
        let here: Vec<&&Class> = classes.iter().filter(|class| class.country == country).collect();
        for area in &need.areas {
            let near: Vec<_> = here.iter().filter(|class| class.area == *area).collect();
            if !near.is_empty() {
                rings.push(ring(country, Some(area), near.iter().map(|class| ***class)));
            }
        }
        if need.areas.is_empty() || need.any_area {
            rings.push(ring(country, None, here.iter().map(|class| **class)));
        }
    }
    // Where any country will do, the one with the most numbers comes first.
    if need.country.is_none() && need.areas.is_empty() {
        rings.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.country.cmp(&b.country)));
    }
    rings
}

fn ring<'a>(
    country: &str,
    area: Option<&String>,
    classes: impl Iterator<Item = &'a Class>,
) -> Ring {
    let mut kinds = BTreeSet::new();
    let mut size = 0;
    for class in classes {
        kinds.insert((class.carrier.clone(), class.capabilities));
        size += class.free;
    }
    Ring {
        country: country.to_owned(),
        area: area.cloned(),
        kinds: kinds.into_iter().collect(),
        size,
    }
}

/// The carriers that a session with calls may keep to: those that every need's rings have, the
/// ones with the most numbers first.
pub fn carriers_in_common(narrowed: &[Narrowed]) -> Vec<String> {
    let mut counts: Vec<(u64, String)> = Vec::new();
    let carriers: BTreeSet<&String> = narrowed
        .iter()
        .flat_map(|one| one.rings.iter().flat_map(|ring| ring.kinds.iter().map(|(c, _)| c)))
        .collect();
    for carrier in carriers {
        let has = |one: &Narrowed| {
            one.rings.iter().any(|ring| ring.kinds.iter().any(|(c, _)| c == carrier))
        };
        if narrowed.iter().all(has) {
            let size = narrowed
                .iter()
                .flat_map(|one| &one.rings)
                .filter(|ring| ring.kinds.iter().any(|(c, _)| c == carrier))
                .map(|ring| ring.size)
                .sum();
            counts.push((size, carrier.clone()));
        }
    }
    counts.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    counts.into_iter().map(|(_, carrier)| carrier).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Capabilities = Capabilities { voice: true, sms: true, mms: false };
    const TEXTS: Capabilities = Capabilities { voice: false, sms: true, mms: false };

    fn class(
        country: &str,
        area: &str,
        carrier: &str,
        capabilities: Capabilities,
        free: u64,
    ) -> Class {
        Class {
            country: country.into(),
            area: area.into(),
            carrier: carrier.into(),
            capabilities,
            free,
            reserved: 0,
        }
    }

    fn need() -> Need {
        Need {
            capabilities: BOTH,
            country: Some("US".into()),
            areas: vec![],
            any_area: true,
            carrier: None,
        }
    }

    /// Each rule is named when it is the one that leaves nothing.
    #[test]
    fn the_rule_that_empties_is_named() {
        let pool = [class("US", "415", "a", TEXTS, 3), class("FR", "", "a", BOTH, 2)];
        let last = |need: &Need, pool: &[Class]| {
            let narrowed = narrow(pool, need);
            assert!(narrowed.rings.is_empty());
            narrowed.steps.last().unwrap().rule
        };
        assert_eq!(last(&need(), &[]), Rule::Service);
        assert_eq!(last(&Need { country: Some("GB".into()), ..need() }, &pool), Rule::Country);
        let strict = Need { areas: vec!["212".into()], any_area: false, ..need() };
        assert_eq!(last(&strict, &pool), Rule::Area);
        assert_eq!(last(&Need { carrier: Some("b".into()), ..need() }, &pool), Rule::Carrier);
        assert_eq!(last(&need(), &pool), Rule::Capability);
        let mut reserved = class("US", "", "a", BOTH, 0);
        reserved.reserved = 4;
        assert_eq!(last(&need(), &[reserved]), Rule::Reserved);
    }

    /// Near areas come first, in the order asked for; then the whole country.
    #[test]
    fn near_comes_before_far() {
        let pool = [
            class("US", "415", "a", BOTH, 3),
            class("US", "628", "a", BOTH, 1),
            class("US", "212", "a", BOTH, 9),
        ];
        let need = Need { areas: vec!["628".into(), "415".into()], ..need() };
        let rings = narrow(&pool, &need).rings;
        let areas: Vec<_> = rings.iter().map(|ring| (ring.area.as_deref(), ring.size)).collect();
        assert_eq!(areas, [(Some("628"), 1), (Some("415"), 3), (None, 13)]);
    }

    /// Only a carrier that has numbers for everybody can carry a session with calls.
    #[test]
    fn a_session_with_calls_keeps_to_one_carrier() {
        let pool = [
            class("US", "", "a", BOTH, 3),
            class("US", "", "b", BOTH, 9),
            class("FR", "", "a", BOTH, 2),
        ];
        let us = narrow(&pool, &need());
        let fr = narrow(&pool, &Need { country: Some("FR".into()), ..need() });
        assert_eq!(carriers_in_common(&[us.clone(), fr]), ["a"]);
        assert_eq!(carriers_in_common(&[us]), ["a", "b"]);
    }

    /// Capabilities have one spelling, whatever order they were given in.
    #[test]
    fn capabilities_have_one_spelling() {
        assert_eq!(Capabilities::parse("sms|voice").unwrap().text(), "voice|sms");
        for text in ["", "voice|voice", "fax", "voice,sms"] {
            assert_eq!(Capabilities::parse(text), None, "{text}");
        }
    }
}
