//! Whether people must have shown that their number is theirs before they join a session.

use std::time::Duration;

use super::DAY;

/// A service's rules on verified numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedRules {
    /// Whether only people join whose number was verified in this account.
    pub required: bool,
    /// How long that is good: numbers change hands.
    pub within: Duration,
}

impl VerifiedRules {
    /// The longest that a verification is good, and so is remembered.
    pub const LONGEST: Duration = Duration::from_hours(730 * 24);

    /// Everything that is wrong with them: the field and what is allowed.
    pub(super) fn faults(&self) -> Option<(&'static str, &'static str)> {
        let good = (DAY..=Self::LONGEST).contains(&self.within);
        (!good).then_some(("verified_for_days", "must be between 1 and 730"))
    }
}

impl Default for VerifiedRules {
    fn default() -> Self {
        Self { required: false, within: 365 * DAY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody is asked by default, and a year is good; less than a day and more than two years are not.
    #[test]
    fn bounds() {
        let rules = VerifiedRules::default();
        assert!(!rules.required && rules.faults().is_none());
        for (days, good) in [(0, false), (1, true), (730, true), (731, false)] {
            let rules = VerifiedRules { within: days * DAY, ..rules };
            assert_eq!(rules.faults().is_none(), good, "{days}");
        }
    }
}
