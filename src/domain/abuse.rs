//! What holds abuse and cost in bounds: which numbers may be reached, and how much of what in which time.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    message::Body,
    phone::{Country, Identifier, Permits, Refusal, Strictness},
    time::Timestamp,
};

/// Declares the limits, each with its text, its default, the most that may be set, and whether a service may set
/// a lower one.
macro_rules! limits {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $usual:literal up to $most:literal, $service:literal;)+) => {
        closed_set! {
            /// Something of which there may be so much; 0 for as much as there is.
            Limit { $($(#[$doc])* $variant = $text,)+ }
        }

        impl Limit {
            /// What an installation has that sets none.
            pub const fn usual(self) -> u32 {
                match self { $(Self::$variant => $usual,)+ }
            }

            /// The most that may be set.
            pub const fn most(self) -> u32 {
                match self { $(Self::$variant => $most,)+ }
            }

            /// Whether a service may set a lower one for itself.
            pub const fn of_services(self) -> bool {
                match self { $(Self::$variant => $service,)+ }
            }
        }
    };
}

limits! {
    /// Texts of one session, both ways, in 30 seconds.
    PairTexts = "pair_texts_per_30_seconds", 30 up to 1_000_000, true;
    /// Calls in one session in an hour.
    PairCalls = "pair_calls_per_hour", 30 up to 1_000_000, true;
    /// Calls in one session at once.
    PairAtOnce = "pair_calls_at_once", 1 up to 1000, true;
    /// Minutes of calls in one session in a day.
    PairMinutes = "pair_call_minutes_per_day", 240 up to 1440, true;
    /// Texts that one person sends in an hour.
    PersonTextsHour = "person_texts_per_hour", 300 up to 1_000_000, true;
    /// Texts that one person sends in a day.
    PersonTextsDay = "person_texts_per_day", 1500 up to 1_000_000, true;
    /// Calls that one person makes in an hour.
    PersonCallsHour = "person_calls_per_hour", 60 up to 1_000_000, true;
    /// Calls that one person makes in a day.
    PersonCallsDay = "person_calls_per_day", 300 up to 1_000_000, true;
    /// Calls that one person makes at once: a company's telephones may show one number.
    PersonAtOnce = "person_calls_at_once", 5 up to 1000, true;
    /// Minutes of calls that one person makes in a day.
    PersonMinutes = "person_call_minutes_per_day", 480 up to 100_000, true;
    /// Sessions that one person joins in an hour.
    PersonSessionsHour = "person_sessions_per_hour", 200 up to 1_000_000, true;
    /// Sessions that one person joins in a day.
    PersonSessionsDay = "person_sessions_per_day", 1000 up to 1_000_000, true;
    /// Texts of an account to numbers that differ in their last four digits alone, in an hour.
    PrefixTexts = "prefix_texts_per_hour", 2000 up to 100_000_000, false;
    /// The same of calls.
    PrefixCalls = "prefix_calls_per_hour", 500 up to 100_000_000, false;
    /// Texts of an account in an hour.
    AccountTexts = "account_texts_per_hour", 0 up to 100_000_000, false;
    /// Calls of an account in an hour.
    AccountCalls = "account_calls_per_hour", 0 up to 100_000_000, false;
    /// How many times its usual hour an account's traffic may be.
    SpikeFactor = "spike_factor", 10 up to 1000, false;
    /// Below so many an hour nothing is a spike.
    SpikeFloor = "spike_floor_per_hour", 1000 up to 100_000_000, false;
    /// Proxy numbers that one caller may try in an hour without a session.
    HarvestNumbers = "harvest_numbers_per_hour", 5 up to 1_000_000, false;
    /// Calls and texts to one proxy number in an hour whose callers withhold their number.
    HarvestWithheld = "harvest_withheld_per_hour", 30 up to 1_000_000, false;
    /// Texts in turn, each what its side wrote before, that two machines make of a session.
    LoopTexts = "loop_texts", 5 up to 1000, true;
    /// Minutes for which something is held back that went above its limit.
    PauseMinutes = "pause_minutes", 60 up to 10_080, false;
}

/// How much there may be of each; what is not named is 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits(BTreeMap<Limit, u32>);

impl Limits {
    /// What an installation has that sets none.
    pub fn usual() -> Self {
        Self(
            Limit::ALL
                .iter()
                .filter(|limit| limit.usual() > 0)
                .map(|limit| (*limit, limit.usual()))
                .collect(),
        )
    }

    /// How much; 0 for as much as there is.
    pub fn get(&self, limit: Limit) -> u32 {
        self.0.get(&limit).copied().unwrap_or(0)
    }

    /// The same with another number for that one.
    pub fn set(&mut self, limit: Limit, most: u32) {
        if most == 0 {
            self.0.remove(&limit);
        } else {
            self.0.insert(limit, most);
        }
    }

    /// Those that are set.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u32)> + '_ {
        self.0.iter().map(|(limit, most)| (*limit, *most))
    }

    /// The lower of this one and `above`'s: who sets limits of their own sets no higher ones.
    pub fn within(&self, above: &Self, limit: Limit) -> u32 {
        match (self.get(limit), above.get(limit)) {
            (0, most) | (most, 0) => most,
            (own, above) => own.min(above),
        }
    }
}

/// Which countries' numbers may be reached; none named means any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Countries(BTreeSet<Country>);

impl Countries {
    /// Reads their two letters; `None` if one is none.
    pub fn parse<'a>(all: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        all.into_iter().map(Country::parse).collect::<Option<_>>().map(Self)
    }

    /// Their two letters, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Country::as_str)
    }

    /// Whether any may be reached.
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a number of that country may be reached; one that is of none only where any may.
    pub fn allow(&self, country: Option<Country>) -> bool {
        self.is_any()
            || country.is_some_and(|one| self.0.contains(&one) || self.0.contains(&one.group()))
    }
}

/// Why a number is not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// It can't be a person's.
    Number(Refusal),
    /// It is of a country that may not be reached.
    Country,
}

impl Unreachable {
    /// Its code, in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Number(refusal) => refusal.as_str(),
            Self::Country => "country_not_allowed",
        }
    }

    /// In words, to follow "the number". They hold no digit of it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Number(refusal) => refusal.words(),
            Self::Country => "is of a country that may not be reached",
        }
    }
}

/// An installation's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Which countries may be reached at all.
    pub countries: Countries,
    /// Shared-cost and company numbers that may be reached all the same, by prefix.
    pub reach: Permits,
    /// How much of what there may be.
    pub limits: Limits,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { countries: Countries::default(), reach: Permits::default(), limits: Limits::usual() }
    }
}

impl Bounds {
    /// Whether a number may be a person's, or be reached: the one gate that every way to a number goes through.
    /// The operator may let shared-cost and company numbers in, and nothing else (I7).
    ///
    /// # Errors
    /// The first [`Refusal`] that applies.
    pub fn admit(&self, number: &Identifier, strictness: Strictness) -> Result<(), Refusal> {
        let refusal = match number.admit(strictness) {
            Err(refusal @ (Refusal::SharedCost | Refusal::CompanyNumber)) => refusal,
            other => return other,
        };
        // The international shared-cost code is no country's: it stays shut.
        let of_a_country = number.country().is_some();
        if of_a_country && self.reach.cover(number) { Ok(()) } else { Err(refusal) }
    }

    /// The same, and whether its country may be reached: by the installation, and by a service's list.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub fn reaches(
        &self,
        countries: &Countries,
        number: &Identifier,
        strictness: Strictness,
    ) -> Result<(), Unreachable> {
        self.admit(number, strictness).map_err(Unreachable::Number)?;
        if self.countries.is_any() && countries.is_any() {
            return Ok(());
        }
        let country = number.country();
        if self.countries.allow(country) && countries.allow(country) {
            Ok(())
        } else {
            Err(Unreachable::Country)
        }
    }
}

/// Fewer letters than this are no machine's answer: people write "ok" to one another again and again.
const ECHO_LETTERS: usize = 4;

/// What of a text tells whether it was written before: its letters, in small ones. Machines put times and counts
/// into their answers, so digits do not count. `None` for a text of few letters.
pub fn echo(said: &Body) -> Option<Body> {
    let letters: String =
        said.expose().chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    (letters.chars().count() >= ECHO_LETTERS).then(|| Body::new(letters))
}

/// A stretch of time that begins anew by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// 30 seconds.
    Half,
    /// An hour.
    Hour,
    /// A day (UTC).
    Day,
}

impl Window {
    /// How many milliseconds it has.
    pub const fn millis(self) -> i64 {
        match self {
            Self::Half => 30_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// Which one it is at `now`, counted from 1970.
    pub const fn place(self, now: Timestamp) -> i64 {
        now.millis().div_euclid(self.millis())
    }

    /// When the next begins.
    pub const fn next(self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis((self.place(now) + 1) * self.millis())
    }
}

/// Whether an hour's traffic is a spike: `factor` times the usual hour, and no small thing. `usual` is what so many
/// hours before had together; an account of less than a day has no usual hour.
pub fn is_spike(used: u64, [factor, floor]: [u32; 2], (usual, hours): (u64, u64)) -> bool {
    const LEARNS_FOR: u64 = 24;
    factor > 0
        && hours >= LEARNS_FOR
        && used >= u64::from(floor.max(1))
        && used.saturating_mul(hours) >= usual.max(1).saturating_mul(u64::from(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Identifier {
        Identifier::parse(text).unwrap()
    }

    fn body(text: &str) -> Body {
        Body::new(text.into())
    }

    /// I7: the operator's list lets shared-cost and company numbers of a country in, and nothing else, whatever
    /// it names.
    #[test]
    fn i7_the_operator_opens_shared_cost_alone() {
        let every =
            Permits::parse(["+1 a", "+3 all of it", "+8 all of it", "+9 all of it", "+447 x"]);
        assert!(every.is_none(), "reasons have three characters");
        let reach = Permits::parse(["+1 all", "+3 all", "+44 all", "+8 all", "+9 all"]).unwrap();
        let (bounds, shut) = (Bounds { reach, ..Bounds::default() }, Bounds::default());
        for open in ["+33820123456", "+33806123456"] {
            assert!(shut.admit(&number(open), Strictness::Possible).is_err(), "{open}");
            assert_eq!(bounds.admit(&number(open), Strictness::Possible), Ok(()), "{open}");
        }
        for closed in [
            "+33899123456",
            "+19002345678",
            "+447640123456",
            "+881612345678",
            "+870773123456",
            "+88235123456",
            "+883510012345",
            "+979123456789",
            "+80812345678",
            "+878101234567",
            "+19115550100",
            "+14159110100",
        ] {
            assert!(bounds.admit(&number(closed), Strictness::Possible).is_err(), "{closed}");
        }
    }

    /// A list of a service narrows the installation's, and neither widens the other; Guernsey is dialled as Great
    /// Britain is.
    #[test]
    fn lists_of_countries_narrow_each_other() {
        let list = |text: &str| Countries::parse(text.split_whitespace()).unwrap();
        let reaches = |all: &str, service: &str, to: &str| {
            let bounds = Bounds { countries: list(all), ..Bounds::default() };
            bounds.reaches(&list(service), &number(to), Strictness::Possible)
        };
        let (french, british) = ("+33639980001", "+447700900123");
        assert_eq!(reaches("", "", british), Ok(()));
        assert_eq!(reaches("FR", "", british), Err(Unreachable::Country));
        assert_eq!(reaches("", "FR", british), Err(Unreachable::Country));
        assert_eq!(reaches("FR", "FR GB", british), Err(Unreachable::Country));
        assert_eq!(reaches("FR GB", "FR", french), Ok(()));
        assert_eq!(reaches("GB", "GB", "+447911123456"), Ok(()), "Guernsey");
        assert_eq!(reaches("US", "", "+12005550100"), Err(Unreachable::Country), "of none");
        assert!(Countries::parse(["fr"]).is_none() && Countries::parse(["XX"]).is_none());
    }

    /// The lower of two limits counts, and 0 is none.
    #[test]
    fn the_lower_limit_counts() {
        let mut own = Limits::default();
        let above = Limits::usual();
        assert_eq!(own.within(&above, Limit::PairTexts), 30);
        own.set(Limit::PairTexts, 9);
        assert_eq!(own.within(&above, Limit::PairTexts), 9);
        own.set(Limit::PairTexts, 99);
        assert_eq!(own.within(&above, Limit::PairTexts), 30);
        assert_eq!(own.within(&Limits::default(), Limit::PairTexts), 99);
        assert!(Limit::ALL.iter().all(|limit| limit.usual() <= limit.most()));
    }

    /// Answers of machines that differ in times and signs alone are one; short words are nobody's.
    #[test]
    fn echoes_are_letters() {
        let one = echo(&body("I'm driving. Back at 10:35!")).unwrap();
        let other = echo(&body("i'm DRIVING - back at 10:41")).unwrap();
        assert_eq!(one.expose(), other.expose());
        assert_ne!(one.expose(), echo(&body("I'm home, back at 10:41")).unwrap().expose());
        for short in ["ok", "OK!", "10:35", "", "a b c", "\u{1f44d}"] {
            assert!(echo(&body(short)).is_none(), "{short}");
        }
        assert!(echo(&body("Отвечу позже")).is_some());
    }

    /// A spike is many times the usual hour of an account that has one.
    #[test]
    fn a_spike_is_many_times_the_usual() {
        let limits = [10, 1000];
        assert!(is_spike(1000, limits, (100 * 48, 48)));
        assert!(!is_spike(999, limits, (100 * 48, 48)), "not ten times");
        assert!(!is_spike(900, limits, (48, 48)), "below the floor");
        assert!(!is_spike(1_000_000, limits, (100, 23)), "too young");
        assert!(is_spike(1000, limits, (0, 168)), "nothing before is nothing usual");
        assert!(!is_spike(1_000_000, [0, 1000], (1, 168)), "switched off");
    }

    /// Windows begin by the clock.
    #[test]
    fn windows_begin_by_the_clock() {
        let at = Timestamp::from_millis(3_600_000 * 5 + 31_000);
        assert_eq!(Window::Hour.place(at), 5);
        assert_eq!(Window::Half.next(at).millis(), 3_600_000 * 5 + 60_000);
        assert_eq!(Window::Day.next(at).millis(), 86_400_000);
    }
}
