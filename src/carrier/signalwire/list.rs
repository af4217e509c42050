//! What is `SignalWire`'s own about lists of messages and calls.

use std::time::Duration;

use crate::{
    carrier::{is_id, twiml::list::Dialect},
    domain::time::Timestamp,
};

const DAY: Duration = Duration::from_hours(24);

pub(super) static DIALECT: Dialect = Dialect {
    is_message: is_id,
    texts_after: day_before,
    calls_after: rfc2822,
    newest_first: false,
};

/// The day before, since texts are listed that were sent after a date: in UTC, as `2026-11-20`.
fn day_before(at: Timestamp) -> String {
    let day = utc(at - DAY).date();
    day.to_string()
}

/// Such as `Sat, 21 Nov 2026 20:10:27 +0000`.
fn rfc2822(at: Timestamp) -> String {
    utc(at).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn utc(at: Timestamp) -> jiff::Zoned {
    let at = jiff::Timestamp::from_second(at.seconds()).unwrap_or(jiff::Timestamp::MAX);
    at.to_zoned(jiff::tz::TimeZone::UTC)
}
