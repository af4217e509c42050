//! How sure we are of who calls: what their carrier says of their number, and PINs.

use std::fmt;

closed_set! {
    /// What the network says of the number that a caller shows (STIR/SHAKEN).
    Attestation {
        /// The caller's carrier knows them and their right to the number.
        A = "a",
        /// It knows them, and not whether the number is theirs.
        B = "b",
        /// It only took the call on from elsewhere.
        C = "c",
        /// What it signed does not hold.
        Failed = "failed",
        /// Nothing was signed, or the carrier does not tell.
        None = "none",
    }
}

impl Attestation {
    /// Reads a `verstat` as carriers write it, such as `TN-Validation-Passed-A`, beside the level where that
    /// stands apart. A call that passed without a level has the highest.
    pub fn of_verstat(verstat: &str, level: Option<&str>) -> Self {
        if verstat.contains("Failed") {
            return Self::Failed;
        }
        let Some((_, rest)) = verstat.split_once("TN-Validation-Passed") else { return Self::None };
        let inside = rest.strip_prefix('-').and_then(|rest| rest.split('-').next());
        inside.or(level).map_or(Self::A, Self::of_level)
    }

    /// Reads a level alone: `A`, `B` or `C`.
    pub fn of_level(level: &str) -> Self {
        match level.trim() {
            "A" | "a" => Self::A,
            "B" | "b" => Self::B,
            "C" | "c" => Self::C,
            _ => Self::None,
        }
    }
}

closed_set! {
    /// What becomes of a call by what the network says of its caller.
    Treatment {
        /// It goes through.
        Pass = "pass",
        /// The caller is asked for their PIN.
        Pin = "pin",
        /// Whoever answers must press 1.
        PressOne = "press_one",
        /// It is refused.
        Refuse = "refuse",
    }
}

/// A service's rules on who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssuranceRules {
    /// What becomes of calls that are attested `A`.
    pub a: Treatment,
    /// The same for `B`.
    pub b: Treatment,
    /// The same for `C`.
    pub c: Treatment,
    /// The same where what was signed does not hold.
    pub failed: Treatment,
    /// The same where nothing is known.
    pub none: Treatment,
    /// Whether callers who withhold their number are asked for a PIN.
    pub pin_for_withheld: bool,
    /// Whether a PIN opens its session from any telephone that shows another number.
    pub pin_from_any_phone: bool,
    /// Whether sessions share a number, by PIN, once the pool has none left for somebody.
    pub pin_fallback: bool,
}

impl Default for AssuranceRules {
    fn default() -> Self {
        Self {
            a: Treatment::Pass,
            b: Treatment::Pass,
            c: Treatment::Pass,
            failed: Treatment::Pass,
            none: Treatment::Pass,
            pin_for_withheld: false,
            pin_from_any_phone: false,
            pin_fallback: false,
        }
    }
}

impl AssuranceRules {
    /// What becomes of a call that is attested so.
    pub const fn of(&self, attestation: Attestation) -> Treatment {
        match attestation {
            Attestation::A => self.a,
            Attestation::B => self.b,
            Attestation::C => self.c,
            Attestation::Failed => self.failed,
            Attestation::None => self.none,
        }
    }

    /// Whether some calls are treated so.
    pub fn has(&self, treatment: Treatment) -> bool {
        Attestation::ALL.iter().any(|one| self.of(*one) == treatment)
    }

    /// Whether anybody may be asked for a PIN.
    pub fn asks_pins(&self) -> bool {
        self.pin_for_withheld
            || self.pin_from_any_phone
            || self.pin_fallback
            || self.has(Treatment::Pin)
    }

    /// Whether a caller who is in no session on the dialled number is asked for a PIN. It depends on the
    /// number, the service and what the caller shows, and never on why they are in none (I5).
    pub fn asks_stranger(&self, caller: Stranger) -> bool {
        match self.of(caller.attestation) {
            Treatment::Refuse => false,
            Treatment::Pin => true,
            Treatment::Pass | Treatment::PressOne => {
                caller.shared
                    || self.pin_from_any_phone
                    || (caller.withheld && self.pin_for_withheld)
            }
        }
    }

    /// Whether a PIN alone opens its session for a caller who does not show its person's number.
    pub const fn alone_opens(&self, withheld: bool, shared: bool) -> bool {
        self.pin_from_any_phone || (withheld && (shared || self.pin_for_withheld))
    }
}

/// What is known of a caller who is in no session.
#[derive(Debug, Clone, Copy)]
pub struct Stranger {
    /// Whether sessions share the dialled number.
    pub shared: bool,
    /// Whether they withhold their number.
    pub withheld: bool,
    /// What the network says of it.
    pub attestation: Attestation,
}

/// The most PINs that a call may try.
pub const TRIES_MAX: u32 = 3;
/// How often within an hour, and within a day, one caller may be wrong on one number.
pub const CALLER_WRONG: [i64; 2] = [5, 10];
/// How often within an hour, and within a day, all who do not show a participant's number may be wrong on one
/// number. In any 24 hours that is twice the last at the most, since a day begins with its first.
pub const NUMBER_WRONG: [i64; 2] = [20, 50];
/// The shortest PIN of ours, and the longest.
pub const DIGITS: [u32; 2] = [7, 10];
/// The shortest PIN that a marketplace may choose, and the longest.
pub const CHOSEN_DIGITS: [usize; 2] = [4, 8];

/// How many PINs of one length that stand alone one number may have, so that whoever guesses all the time hits
/// one with a probability under 1 in 10 000 in any 24 hours: `room * 100 / 10^digits < 1e-4`.
pub const fn room(digits: u32) -> u64 {
    if digits < DIGITS[0] || digits > DIGITS[1] {
        return 0;
    }
    10u64.pow(digits - 6) - 1
}

/// The shortest length of a PIN for a number that has `standing` of each length from the shortest on; `None`
/// where there is no room left.
pub fn length_for(standing: [u64; 4]) -> Option<u32> {
    (DIGITS[0]..=DIGITS[1])
        .zip(standing)
        .find(|(digits, there)| *there < room(*digits))
        .map(|one| one.0)
}

closed_set! {
    /// What a PIN opens.
    PinUse {
        /// Its session, for whoever knows it.
        Alone = "alone",
        /// Its session, for whoever knows it and shows its person's number.
        Beside = "beside",
    }
}

/// The digits by which somebody proves who they are. Secret: no `Display`, and its `Debug` shows only how many.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// Reads 4 to 10 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed =
            (4..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The `digits` last digits of a number that was just drawn at random.
    pub fn of_random(random: u64, digits: u32) -> Self {
        let width = digits as usize;
        Self(format!("{:0width$}", random % 10u64.pow(digits)))
    }

    /// The digits in clear: to be hashed, or to be shown once to the marketplace that asked for it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// How many digits.
    pub fn digits(&self) -> i64 {
        i64::try_from(self.0.len()).unwrap_or(0)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({} digits)", self.0.len())
    }
}

/// The PIN with which a text begins, and what follows it; `None` where it does not begin with one.
pub fn leading_pin(text: &str) -> Option<(Pin, &str)> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let apart =
        rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || ":,;.-#".contains(c));
    let rest = rest.trim_start_matches([':', ',', ';', '.', '-', '#']).trim_start();
    Pin::parse(digits).filter(|_| apart).map(|pin| (pin, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each spelling of a carrier's is one of the set, and what is unknown is nothing.
    #[test]
    fn verstats_are_read() {
        for (verstat, level, meant) in [
            ("TN-Validation-Passed-A", None, Attestation::A),
            ("TN-Validation-Passed-B", None, Attestation::B),
            ("TN-Validation-Passed-C", Some("A"), Attestation::C),
            ("TN-Validation-Passed-A-Diverted", None, Attestation::A),
            ("TN-Validation-Passed-A-Diverted-Failed", None, Attestation::Failed),
            ("TN-Validation-Passed", None, Attestation::A),
            ("TN-Validation-Passed", Some("B"), Attestation::B),
            ("TN-Validation-Passed", Some("?"), Attestation::None),
            ("TN-Validation-Passed-Z", None, Attestation::None),
            ("TN-Validation-Failed", Some("A"), Attestation::Failed),
            ("TN-Validation-Failed-A", None, Attestation::Failed),
            ("No-TN-Validation", None, Attestation::None),
            ("", Some("A"), Attestation::None),
        ] {
            assert_eq!(Attestation::of_verstat(verstat, level), meant, "{verstat} {level:?}");
        }
    }

    /// Whoever guesses as often as they may in any 24 hours hits one of a full number's PINs less than once in
    /// 10 000 times, whatever length they guess.
    #[test]
    fn guesses_are_bounded() {
        let guesses = 2 * u64::try_from(NUMBER_WRONG[1]).unwrap();
        for digits in 0..=12 {
            assert!(room(digits) * guesses * 10_000 < 10u64.pow(digits), "{digits}");
        }
        assert_eq!(length_for([0, 0, 0, 0]), Some(7));
        assert_eq!(length_for([9, 0, 0, 0]), Some(8));
        assert_eq!(length_for([9, 99, 998, 0]), Some(9));
        assert_eq!(length_for([9, 99, 999, 9_999]), None);
    }

    /// A withheld number is asked where the service says so, and everybody on a number that is shared; a class
    /// of callers that is refused is asked nowhere.
    #[test]
    fn strangers_are_asked_by_rule() {
        let caller = |shared, withheld, attestation| Stranger { shared, withheld, attestation };
        let (none, failed) = (Attestation::None, Attestation::Failed);
        let mut rules = AssuranceRules::default();
        assert!(!rules.asks_stranger(caller(false, true, none)));
        assert!(rules.asks_stranger(caller(true, false, none)));
        rules.pin_for_withheld = true;
        assert!(rules.asks_stranger(caller(false, true, none)));
        assert!(!rules.asks_stranger(caller(false, false, none)));
        assert!(rules.alone_opens(true, false) && !rules.alone_opens(false, true));
        rules.failed = Treatment::Refuse;
        assert!(!rules.asks_stranger(caller(true, true, failed)));
        rules.failed = Treatment::Pin;
        assert!(rules.asks_stranger(caller(false, false, failed)));
        rules.pin_from_any_phone = true;
        assert!(rules.asks_stranger(caller(false, false, none)) && rules.alone_opens(false, false));
    }

    /// A text begins with a PIN where digits stand apart from what follows; no PIN is shown by `Debug`.
    #[test]
    fn a_text_may_begin_with_a_pin() {
        for (text, pin, rest) in [
            ("4821 hello", "4821", "hello"),
            (" 48213355: hello, 12", "48213355", "hello, 12"),
            ("4821#hello", "4821", "hello"),
            ("4821\nhello", "4821", "hello"),
            ("4821", "4821", ""),
        ] {
            let (found, left) = leading_pin(text).unwrap();
            assert_eq!((found.expose(), left), (pin, rest));
            assert!(!format!("{found:?}").contains(pin));
        }
        for text in ["hello", "482 hello", "4821hello", "48213355123 hello", "", "€4821"] {
            assert!(leading_pin(text).is_none(), "{text}");
        }
    }

    proptest! {
        /// Every PIN of ours reads back, with as many digits as were asked for.
        #[test]
        fn random_pins_are_pins(random: u64, digits in 7u32..=10) {
            let pin = Pin::of_random(random, digits);
            prop_assert_eq!(pin.digits(), i64::from(digits));
            prop_assert_eq!(Pin::parse(pin.expose()), Some(pin));
        }
    }
}
