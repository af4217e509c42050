//! Instants and lengths of time in words.

use std::time::Duration;

use askama::{Template, filters::HtmlSafe};

use crate::domain::{staff::Language, time::Timestamp};

/// An instant, as a page shows it. All are in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = r#"<time datetime="{{ iso }}"><span class="day">{{ day }}</span> {{ clock }}</time>"#,
    ext = "html"
)]
pub(super) struct When {
    /// RFC 3339, for machines.
    pub(super) iso: String,
    /// `21 Nov 2026`, `21 nov. 2026`.
    pub(super) day: String,
    /// `20:56:03`.
    pub(super) clock: String,
}

impl HtmlSafe for When {}

impl When {
    /// Nothing for an instant that no calendar holds: "never".
    pub(super) fn new(language: Language, at: Timestamp) -> Option<Self> {
        let at = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
        let form = |form: &str| at.strftime(form).to_string();
        Some(Self {
            iso: form("%Y-%m-%dT%H:%M:%S.%3fZ"),
            day: match language {
                Language::English => form("%-d %b %Y"),
                Language::French => french(at.to_zoned(jiff::tz::TimeZone::UTC).date()),
            },
            clock: form("%H:%M:%S"),
        })
    }
}

fn french(date: jiff::civil::Date) -> String {
    let month = match date.month() {
        1 => "janv.",
        2 => "févr.",
        3 => "mars",
        4 => "avr.",
        5 => "mai",
        6 => "juin",
        7 => "juil.",
        8 => "août",
        9 => "sept.",
        10 => "oct.",
        11 => "nov.",
        _ => "déc.",
    };
    let first = if date.day() == 1 { "er" } else { "" };
    format!("{}{first} {month} {}", date.day(), date.year())
}

/// `2 h 5 min`, `3 min 20 s`, `41 s`, `0.8 s`: two units at most.
pub(super) fn length(language: Language, length: Duration) -> String {
    let seconds = length.as_secs();
    let two = |big: u64, unit: &str, small: u64, below: &str| {
        if small == 0 { format!("{big} {unit}") } else { format!("{big} {unit} {small} {below}") }
    };
    match seconds {
        0..10 if length.subsec_millis() >= 100 => {
            let point = language.say(".", ",");
            format!("{seconds}{point}{} s", length.subsec_millis() / 100)
        }
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, language.say("d", "j"), seconds % 86_400 / 3600, "h"),
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

/// A minute, given as `2026-11-21T20:26`, in UTC.
pub(super) fn minute(text: &str) -> Option<Timestamp> {
    let time: jiff::civil::DateTime = text.parse().ok()?;
    let at = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    let at = Timestamp::from_millis(at.as_millisecond());
    (to_minute(at) == text).then_some(at)
}

/// A minute as a field of that sort takes it; seconds are cut off.
pub(super) fn to_minute(at: Timestamp) -> String {
    at.rfc3339().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A minute is read as it is written, and nothing else is one.
    #[test]
    fn minutes() {
        let at = Timestamp::from_millis(1_795_292_760_000);
        assert_eq!(minute("2026-11-21T20:26"), Some(at));
        assert_eq!(to_minute(at), "2026-11-21T20:26");
        for text in ["", "2026-11-21", "2026-11-21T24:00", "2026-11-21 20:26", "1901-01-01T00:00"] {
            assert_eq!(minute(text), None, "{text}");
        }
    }

    /// Two units at most, and no zero that says nothing.
    #[test]
    fn lengths() {
        for (ms, english, french) in [
            (0, "0 s", "0 s"),
            (840, "0.8 s", "0,8 s"),
            (41_300, "41 s", "41 s"),
            (200_000, "3 min 20 s", "3 min 20 s"),
            (7_500_000, "2 h 5 min", "2 h 5 min"),
            (2_592_000_000, "30 d", "30 j"),
        ] {
            assert_eq!(length(Language::English, Duration::from_millis(ms)), english);
            assert_eq!(length(Language::French, Duration::from_millis(ms)), french);
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
        for (language, day) in
            [(Language::English, "21 Nov 2026"), (Language::French, "21 nov. 2026")]
        {
            assert_eq!(When::new(language, Timestamp::MAX), None);
            let at = When::new(language, Timestamp::from_millis(1_795_292_727_042)).unwrap();
            assert_eq!(
                (at.iso.as_str(), at.day.as_str(), at.clock.as_str()),
                ("2026-11-21T20:25:27.042Z", day, "20:25:27")
            );
        }
    }

    /// Each month has a name of its own, and its first day is the first.
    #[test]
    fn french_months() {
        let months: std::collections::HashSet<String> = (1..=12)
            .map(|month| french(jiff::civil::date(2026, month, 1)))
            .inspect(|day| assert!(day.starts_with("1er "), "{day}"))
            .collect();
        assert_eq!(months.len(), 12);
        assert!(months.contains("1er févr. 2026") && months.contains("1er août 2026"));
    }
}
