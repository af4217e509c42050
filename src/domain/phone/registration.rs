//! Whether a number under +1 is registered for texts that a program sends.
//!
//! Carriers of the United States deliver no text to their people from a number that is not registered,
//! and toll-free numbers must be verified for Canada too. Where a text goes decides, not where its
//! number is from (`docs/numbering.md` has the sources).

use super::{ProxyNumber, nanp};

closed_set! {
    /// For what a number is registered.
    Registration {
        /// Nobody has said: it is used as if it were, and `check` tells of it.
        Unknown = "unknown",
        /// For nothing.
        None = "none",
        /// As the number of a 10DLC campaign.
        TenDlc = "10dlc",
        /// As a verified toll-free number.
        TollFree = "toll_free",
    }
}

/// Where a text goes to mobile networks of the United States: Twilio's "U.S.-bound" traffic.
const UNITED_STATES: [&str; 5] = ["AS", "GU", "PR", "US", "VI"];

impl Registration {
    /// The registration that numbers of an area under +1 can have; `None` outside of it.
    pub fn wanted(area: &str) -> Option<Self> {
        if area.is_empty() {
            return None;
        }
        Some(if nanp::is_toll_free(area) { Self::TollFree } else { Self::TenDlc })
    }

    /// Whether a number of that area code may text somebody whose own number is of the country `to`,
    /// `None` where that is not known. Empty areas are outside +1.
    pub fn lets_text(self, area: &str, to: Option<&str>) -> bool {
        let Some(wanted) = Self::wanted(area) else { return true };
        let asked = to.is_none_or(|to| {
            UNITED_STATES.contains(&to) || (wanted == Self::TollFree && to == "CA")
        });
        !asked || self == wanted || self == Self::Unknown
    }
}

/// What is said of a number's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// For what.
    pub registration: Registration,
    /// The campaign's or verification's id at the registry or the carrier: 1 to 64 letters, digits
    /// and characters of `._-`.
    pub campaign: Option<String>,
}

impl Default for Registered {
    fn default() -> Self {
        Self { registration: Registration::Unknown, campaign: None }
    }
}

impl Registered {
    /// What can't be said of that number: the member and what is allowed.
    pub fn fault(&self, number: &ProxyNumber) -> Option<(&'static str, String)> {
        let wanted = Registration::wanted(number.area());
        let kept = matches!(self.registration, Registration::TenDlc | Registration::TollFree);
        if kept && wanted != Some(self.registration) {
            let allowed = match wanted {
                None => "must be none: only numbers under +1 are registered".to_owned(),
                Some(wanted) => format!("must be {wanted}, none or unknown for such a number"),
            };
            return Some(("registration", allowed));
        }
        let campaign = self.campaign.as_ref()?;
        if !kept {
            let allowed = "must be left out where the number is not registered".to_owned();
            return Some(("campaign_id", allowed));
        }
        let good = (1..=64).contains(&campaign.len())
            && campaign.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let allowed = "must have 1 to 64 letters, digits and characters of ._-";
        (!good).then(|| ("campaign_id", allowed.to_owned()))
    }

    /// The same for that number: outside +1 nothing is to be known.
    #[must_use]
    pub fn of(mut self, number: &ProxyNumber) -> Self {
        if Registration::wanted(number.area()).is_none() {
            self.registration = Registration::None;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(registration: Registration, campaign: Option<&str>) -> Registered {
        Registered { registration, campaign: campaign.map(str::to_owned) }
    }

    /// Where a text goes decides: to the United States a local number needs its campaign; a toll-free one
    /// needs to be verified for Canada too; elsewhere, and outside +1, nothing is asked.
    #[test]
    fn where_a_text_goes_decides() {
        use Registration::{None as Nothing, TenDlc, TollFree, Unknown};
        for (registration, area, to, may) in [
            (Nothing, "415", Some("US"), false),
            (Nothing, "415", Some("PR"), false),
            (Nothing, "416", Some("US"), false),
            (Nothing, "415", None, false),
            (Nothing, "415", Some("CA"), true),
            (Nothing, "415", Some("FR"), true),
            (Nothing, "800", Some("CA"), false),
            (Nothing, "888", Some("US"), false),
            (Nothing, "888", Some("FR"), true),
            (TenDlc, "415", Some("US"), true),
            (TollFree, "800", Some("US"), true),
            (TenDlc, "800", Some("US"), false),
            (Unknown, "415", Some("US"), true),
            (Nothing, "", Some("US"), true),
        ] {
            assert_eq!(registration.lets_text(area, to), may, "{registration} {area} {to:?}");
        }
    }

    /// Only a number under +1 is registered, as what it is; and only what is registered has a campaign.
    #[test]
    fn a_number_is_registered_as_what_it_is() {
        use Registration::{None as Nothing, TenDlc, TollFree, Unknown};
        let fault = |number, registration, campaign| {
            let number = ProxyNumber::parse(number).unwrap();
            said(registration, campaign).fault(&number).map(|(member, _)| member)
        };
        assert_eq!(fault("+14155550100", TenDlc, Some("C1A2B3C")), None);
        assert_eq!(fault("+18005550100", TollFree, None), None);
        assert_eq!(fault("+14155550100", Unknown, None), None);
        assert_eq!(fault("+33937000001", Nothing, None), None);
        assert_eq!(fault("+14155550100", TollFree, None), Some("registration"));
        assert_eq!(fault("+18005550100", TenDlc, None), Some("registration"));
        assert_eq!(fault("+33937000001", TenDlc, None), Some("registration"));
        assert_eq!(fault("+14155550100", Nothing, Some("C1A2B3C")), Some("campaign_id"));
        assert_eq!(fault("+14155550100", TenDlc, Some("a b")), Some("campaign_id"));
        let outside = ProxyNumber::parse("+33937000001").unwrap();
        assert_eq!(Registered::default().of(&outside).registration, Nothing);
    }
}
