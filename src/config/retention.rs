//! `[retention]`: how long what is kept.

use super::{reader::Reader, rules};
use crate::domain::retention::{DAYS_MAX, DataClass, Retention, Statutory, Term};

const BASIS: &str = "3 to 300 characters: the law that wants it, such as \"Art. L34-1 CPCE\"";

/// Reads the section. A law is named wherever traffic data is kept for one.
pub(super) fn retention(section: &mut Reader<'_>) -> Retention {
    let defaults = Retention::default();
    let mut days = |class: DataClass| match class.term() {
        Term::Days { setting, default, least, most, .. } => {
            section.number(setting, default, i64::from(least)..=i64::from(most))
        }
        Term::Fixed(_) => 0,
    };
    let mut read = Retention {
        texts: days(DataClass::Texts),
        log: days(DataClass::Log),
        sessions: days(DataClass::Sessions),
        charges: days(DataClass::Charges),
        events: days(DataClass::Events),
        sticky: days(DataClass::Sticky),
        api_requests: days(DataClass::ApiRequests),
        from_hour: section.number("from_hour", defaults.from_hour, 0..=23),
        hours: section.number("hours", defaults.hours, 1..=24),
        statutory: None,
    };
    let days: u32 = section.number("statutory_days", 0, 0..=i64::from(DAYS_MAX));
    let basis = section.optional("statutory_basis", BASIS, |value| {
        let text = rules::text(value)?.trim().to_owned();
        let good = (3..=300).contains(&text.chars().count());
        (good && !text.chars().any(char::is_control)).then_some(text)
    });
    match (days, basis) {
        (0, None) => {}
        (0, Some(_)) => section.fault("statutory_days", "is missing: `statutory_basis` needs it"),
        (_, None) if section.has_fault("statutory_basis") => {}
        (_, None) => {
            section.fault("statutory_basis", format!("is missing: `statutory_days` needs {BASIS}"));
        }
        (days, Some(basis)) => read.statutory = Some(Statutory { days, basis }),
    }
    read
}
