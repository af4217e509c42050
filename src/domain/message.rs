//! Texts: what they say (secret) and how far they have come.

use std::fmt;

/// The most characters that a relayed text may have (Twilio, error 21617; the others take fewer
/// segments but as many characters).
pub const BODY_CHARS_MAX: usize = 1600;

/// What a text says. Secret: no `Display`, and its `Debug` shows only the length.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(String);

impl Body {
    /// Wraps the words of a text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The words in clear. The one way in: every use is an edge that docs/privacy.md names.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many characters (Unicode scalar values) it has.
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} characters)", self.chars())
    }
}

closed_set! {
    /// How far one leg of a text has come.
    MessageState {
        /// Came in from a person.
        Received = "received",
        /// Owed to a recipient's carrier.
        Queued = "queued",
        /// Handed to the carrier now; no answer yet.
        Sending = "sending",
        /// May have been sent: the carrier's answer was lost.
        Unknown = "unknown",
        /// The carrier took it.
        Sent = "sent",
        /// The carrier says that the phone has it.
        Delivered = "delivered",
        /// The carrier took it and could not deliver it.
        Undelivered = "undelivered",
        /// The carrier refused it, or its time ran out before it was sent.
        Failed = "failed",
        /// Not sent: the session ended or a person was blocked first.
        Cancelled = "cancelled",
    }
}

impl MessageState {
    /// Whether nothing can change it any more.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Received | Self::Delivered | Self::Undelivered | Self::Failed | Self::Cancelled
        )
    }

    /// Place in the order in which states may follow each other.
    const fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Sending => 1,
            Self::Unknown => 2,
            Self::Sent => 3,
            Self::Received
            | Self::Delivered
            | Self::Undelivered
            | Self::Failed
            | Self::Cancelled => 4,
        }
    }

    /// The state after hearing `news`: never an earlier one, whatever order the news comes in (I13).
    /// What was sent, or may have been, is not cancelled any more.
    #[must_use]
    pub const fn after(self, news: Self) -> Self {
        if matches!(news, Self::Cancelled) && self.rank() > Self::Sending.rank() {
            return self;
        }
        if news.rank() > self.rank() { news } else { self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn states() -> impl Strategy<Value = MessageState> {
        proptest::sample::select(MessageState::ALL)
    }

    proptest! {
        /// I13: whatever order callbacks come in, a state never goes back and a final one stays.
        #[test]
        fn i13_no_order_of_news_goes_backwards(start in states(), news in proptest::collection::vec(states(), 0..8)) {
            let mut state = start;
            for n in news {
                let next = state.after(n);
                prop_assert!(next.rank() >= state.rank());
                if state.is_final() { prop_assert_eq!(next, state); }
                let may_be_sent = matches!(state, MessageState::Sent | MessageState::Unknown);
                prop_assert!(!(may_be_sent && next == MessageState::Cancelled));
                state = next;
            }
        }
    }

    /// Neither the words nor a part of them appear in debug output.
    #[test]
    fn debug_shows_no_word() {
        assert_eq!(format!("{:?}", Body::new("meet me at 9".into())), "Body(12 characters)");
    }
}
