//! Which proxy numbers suit a person: narrowing a pool's classes, and saying which rule left none.
//!
//! A pool is described by its classes (country × area × carrier × capabilities × what may be done
//! with them) and how many numbers each has, so that a choice never reads the pool itself.

use std::collections::BTreeSet;

use super::phone::Registration;

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

/// What a number is, besides where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether it may text, under +1.
    pub registration: Registration,
    /// Whether a country's rule keeps it from calls.
    pub barred: bool,
}

/// Numbers of one kind in a service's pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// ISO 3166 alpha-2 code, or empty if unknown.
    pub country: String,
    /// Area code, or empty.
    pub area: String,
    /// What they are.
    pub kind: Kind,
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
    /// The country of the person's own number, where texts go to; `None` where it is not known.
    pub to: Option<String>,
}

impl Need {
    /// Whether texts to the person may be sent from a number of that area and registration.
    pub fn may_text(&self, area: &str, registration: Registration) -> bool {
        !self.capabilities.sms || registration.lets_text(area, self.to.as_deref())
    }
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
        /// None that is registered for texts to where the person's own number is.
        Registration = "registration",
        /// Only ones that a country's rule keeps from calls.
        NumberClass = "number_class",
        /// Only reserved ones.
        Reserved = "reserved",
        /// The person holds every one of them in open sessions.
        InUse = "in_use",
        /// Every one is held by the person in open sessions or in quarantine.
        Quarantine = "quarantine",
    }
}

impl Rule {
    /// Whether it is about what a number may be used for, and not about what is asked for.
    const fn is_of_use(self) -> bool {
        matches!(self, Self::Registration | Self::NumberClass)
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
        /// Nothing else was left: sessions share it, by PIN.
        Shared = "shared",
    }
}

/// A ring: the numbers among which a person's next is looked for, in order of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// The country; empty text where it is unknown.
    pub country: String,
    /// The area; `None` for all of the country's.
    pub area: Option<String>,
    /// The kinds of numbers in it.
    pub kinds: Vec<Kind>,
    /// How many numbers it has.
    pub size: u64,
}

impl Ring {
    /// Whether a number of that place and kind is in it.
    pub fn has(&self, country: &str, area: &str, kind: &Kind) -> bool {
        self.country == country
            && self.area.as_deref().is_none_or(|own| own == area)
            && self.kinds.contains(kind)
    }

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

/// Narrows a pool's classes to the rings that suit `need`. The rules on what a number may be used for
/// are named only where they take some away.
pub fn narrow(classes: &[Class], need: &Need) -> Narrowed {
    let mut left: Vec<&Class> = classes.iter().collect();
    let mut steps = Vec::new();
    let total = |left: &[&Class]| left.iter().map(|class| class.free + class.reserved).sum::<u64>();
    let mut keep = |rule: Rule, left: &mut Vec<&Class>, suits: &dyn Fn(&Class) -> bool| {
        let before = total(left);
        left.retain(|class| suits(class));
        let (named, left) = (!rule.is_of_use(), total(left));
        if named || left < before {
            steps.push(Narrowing { rule, left });
        }
        left > 0
    };
    let in_area =
        |class: &Class| need.areas.is_empty() || need.any_area || need.areas.contains(&class.area);
    let suited = keep(Rule::Service, &mut left, &|_| true)
        && keep(Rule::Country, &mut left, &|class| {
            need.country.as_ref().is_none_or(|country| *country == class.country)
        })
        && keep(Rule::Area, &mut left, &in_area)
        && keep(Rule::Carrier, &mut left, &|class| {
            need.carrier.as_ref().is_none_or(|carrier| *carrier == class.kind.carrier)
        })
        && keep(Rule::Capability, &mut left, &|class| {
            class.kind.capabilities.covers(need.capabilities)
        })
        && keep(Rule::Registration, &mut left, &|class| {
            need.may_text(&class.area, class.kind.registration)
        })
        && keep(Rule::NumberClass, &mut left, &|class| {
            !(need.capabilities.voice && class.kind.barred)
        });
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
        kinds.insert(class.kind.clone());
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
    let is_in = |ring: &Ring, carrier: &String| ring.kinds.iter().any(|k| k.carrier == *carrier);
    let rings = || narrowed.iter().flat_map(|one| &one.rings);
    let carriers: BTreeSet<&String> =
        rings().flat_map(|ring| ring.kinds.iter().map(|kind| &kind.carrier)).collect();
    for carrier in carriers {
        let has = |one: &Narrowed| one.rings.iter().any(|ring| is_in(ring, carrier));
        if narrowed.iter().all(has) {
            let there = rings().filter(|ring| is_in(ring, carrier));
            counts.push((there.map(|ring| ring.size).sum(), carrier.clone()));
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
            kind: Kind {
                carrier: carrier.into(),
                capabilities,
                registration: Registration::Unknown,
                barred: false,
            },
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
            to: Some("US".into()),
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

    /// Numbers that lack their registration are left out where texts go to a country that asks for it, and
    /// barred ones where there are calls; each rule is named only where it takes some away.
    #[test]
    fn what_a_number_may_be_used_for() {
        let mut unregistered = class("US", "415", "a", BOTH, 3);
        unregistered.kind.registration = Registration::None;
        let mut registered = class("US", "415", "a", BOTH, 2);
        registered.kind.registration = Registration::TenDlc;
        let mut barred = class("US", "900", "a", BOTH, 4);
        barred.kind.barred = true;
        let pool = [unregistered.clone(), registered, barred.clone()];
        let rules = |narrowed: &Narrowed| -> Vec<_> {
            let rules = narrowed.steps.iter().filter(|step| step.rule.is_of_use());
            rules.map(|step| (step.rule, step.left)).collect()
        };
        let both = narrow(&pool, &need());
        assert_eq!(rules(&both), [(Rule::Registration, 6), (Rule::NumberClass, 2)]);
        assert_eq!(both.rings[0].size, 2);
        let texts = Need { capabilities: TEXTS, ..need() };
        assert_eq!(rules(&narrow(&pool, &texts)), [(Rule::Registration, 6)]);
        let calls = Capabilities { sms: false, ..BOTH };
        let calls = Need { capabilities: calls, ..need() };
        assert_eq!(rules(&narrow(&pool, &calls)), [(Rule::NumberClass, 5)]);
        let to_canada = Need { to: Some("CA".into()), ..need() };
        assert_eq!(rules(&narrow(&pool, &to_canada)), [(Rule::NumberClass, 5)]);
        for (alone, rule) in [(unregistered, Rule::Registration), (barred, Rule::NumberClass)] {
            let narrowed = narrow(&[alone], &need());
            assert!(narrowed.rings.is_empty());
            assert_eq!(narrowed.steps.last().unwrap(), &Narrowing { rule, left: 0 });
        }
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
