//! Instants and lengths of time in words.

use std::time::Duration;

use askama::{Template, filters::HtmlSafe};

use crate::domain::time::Timestamp;

/// An instant, as a page shows it. All are in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = r#"<time datetime="{{ iso }}"><span class="day">{{ day }}</span> {{ clock }}</time>"#,
    ext = "html"
)]
pub(super) struct When {
    /// RFC 3339, for machines.
    pub(super) iso: String,
    /// `21 Nov 2026`.
    pub(super) day: String,
    /// `20:56:03`.
    pub(super) clock: String,
}

impl HtmlSafe for When {}

impl When {
    /// Nothing for an instant that no calendar holds: "never".
    pub(super) fn new(at: Timestamp) -> Option<Self> {
        let at = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
        let form = |form: &str| at.strftime(form).to_string();
        Some(Self {
            iso: form("%Y-%m-%dT%H:%M:%S.%3fZ"),
            day: form("%-d %b %Y"),
            clock: form("%H:%M:%S"),
        })
    }
}

/// `2 h 5 min`, `3 min 20 s`, `41 s`, `0.8 s`: two units at most.
pub(super) fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    let two = |big: u64, unit: &str, small: u64, below: &str| {
        if small == 0 { format!("{big} {unit}") } else { format!("{big} {unit} {small} {below}") }
    };
    match seconds {
        0..10 if length.subsec_millis() >= 100 => {
            format!("{seconds}.{} s", length.subsec_millis() / 100)
        }
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// The start of a day, given as `2026-11-21`, in UTC.
pub(super) fn day(text: &str) -> Option<Timestamp> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let at = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    // Only the form that a date field sends, and none that a timestamp would clamp.
    (at.as_millisecond() >= 0 && date.to_string() == text)
        .then(|| Timestamp::from_millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two units at most, and no zero that says nothing.
    #[test]
    fn lengths() {
        for (ms, words) in [
            (0, "0 s"),
            (840, "0.8 s"),
            (41_300, "41 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (2_592_000_000, "30 d"),
        ] {
            assert_eq!(length(Duration::from_millis(ms)), words);
        }
    }

    /// A day is its first millisecond in UTC; other texts are no day.
    #[test]
    fn days() {
        assert_eq!(day("2026-11-21"), Some(Timestamp::from_millis(1_795_219_200_000)));
        for text in ["", "2026-13-01", "21/11/2026", "-000001-01-01", "1900-01-01", "2026-11-21T00"]
        {
            assert_eq!(day(text), None, "{text}");
        }
    }

    /// "Never" is told as nothing.
    #[test]
    fn never_is_no_instant() {
        assert_eq!(When::new(Timestamp::MAX), None);
        let at = When::new(Timestamp::from_millis(1_795_292_727_042)).unwrap();
        assert_eq!(
            (at.iso.as_str(), at.day.as_str(), at.clock.as_str()),
            ("2026-11-21T20:25:27.042Z", "21 Nov 2026", "20:25:27")
        );
    }
}
