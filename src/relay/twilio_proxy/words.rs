//! Our states and times in Twilio's words.

use jiff::fmt::temporal::DateTimePrinter;

use crate::domain::{call::CallState, interaction::Kind, message::MessageState, time::Timestamp};

/// A date without a fraction: with one, Python's SDK silently gives a text.
pub fn date(at: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(jiff::Timestamp::MAX);
    PRINTER.timestamp_to_string(&at)
}

/// Reads an ISO 8601 time.
pub fn parse_date(text: &str) -> Option<Timestamp> {
    let at = text.parse::<jiff::Timestamp>().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

/// What Twilio calls how far a leg has come.
pub fn status(kind: Kind, state: &str) -> &'static str {
    match kind {
        Kind::Message => match MessageState::parse(state) {
            Some(MessageState::Received) => "received",
            Some(MessageState::Queued) => "queued",
            Some(MessageState::Sending) => "sending",
            Some(MessageState::Unknown) => "delivery-unknown",
            Some(MessageState::Sent) => "sent",
            Some(MessageState::Delivered) => "delivered",
            Some(MessageState::Undelivered) => "undelivered",
            Some(MessageState::Failed) => "failed",
            Some(MessageState::Cancelled) => "canceled",
            None => "unknown",
        },
        Kind::Call => match CallState::parse(state) {
            Some(CallState::Queued) => "queued",
            Some(CallState::Initiated) => "initiated",
            Some(CallState::Ringing) => "ringing",
            Some(CallState::Answered) => "in-progress",
            Some(CallState::Completed) => "completed",
            Some(CallState::Busy) => "busy",
            Some(CallState::NoAnswer) => "no-answer",
            Some(CallState::Failed) => "failed",
            Some(CallState::Cancelled) => "canceled",
            None => "unknown",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's SDK reads dates by this form alone.
    #[test]
    fn dates_have_no_fraction() {
        assert_eq!(date(Timestamp::from_millis(1_795_284_000_123)), "2026-11-21T18:00:00Z");
    }

    /// Every state of ours has one of Twilio's words.
    #[test]
    fn states_have_words() {
        const WORDS: &[&str] = &[
            "accepted",
            "answered",
            "busy",
            "canceled",
            "completed",
            "deleted",
            "delivered",
            "delivery-unknown",
            "failed",
            "in-progress",
            "initiated",
            "no-answer",
            "queued",
            "received",
            "receiving",
            "ringing",
            "scheduled",
            "sending",
            "sent",
            "undelivered",
        ];
        for state in MessageState::ALL {
            assert!(WORDS.contains(&status(Kind::Message, state.as_str())), "{state}");
        }
        for state in CallState::ALL {
            assert!(WORDS.contains(&status(Kind::Call, state.as_str())), "{state}");
        }
    }
}
