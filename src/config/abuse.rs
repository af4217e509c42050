//! `[abuse]`: which numbers may be reached, and how much of what there may be.

use super::{reader::Reader, rules};
use crate::domain::{
    abuse::{Bounds, Countries, Limit},
    phone::{Country, Permits},
};

const COUNTRIES: &str =
    "a list of countries by their two capital letters, such as [\"FR\", \"BE\"]";

pub(super) fn abuse(section: &mut Reader<'_>) -> Bounds {
    let mut bounds = Bounds {
        countries: section.value("countries", Countries::default(), COUNTRIES, |value| {
            let all = rules::list(value, Country::parse)?;
            Countries::parse(all.iter().map(Country::as_str))
        }),
        reach: section.value("reach", Permits::default(), rules::PERMITS, rules::permits),
        ..Bounds::default()
    };
    for limit in Limit::ALL {
        let most = i64::from(limit.most());
        // Something is held back for some time.
        let least = i64::from(*limit == Limit::PauseMinutes);
        bounds.limits.set(*limit, section.number(limit.as_str(), limit.usual(), least..=most));
    }
    bounds
}
