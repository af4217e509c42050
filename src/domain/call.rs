//! Calls: how far a leg has come and how it ended.

closed_set! {
    /// How far one leg of a call has come.
    CallState {
        /// Owed to a carrier, or about to be dialled.
        Queued = "queued",
        /// Handed to the carrier.
        Initiated = "initiated",
        /// The phone rings.
        Ringing = "ringing",
        /// Somebody, or a machine, answered.
        Answered = "answered",
        /// Ended after an answer.
        Completed = "completed",
        /// The line was busy, or the person declined.
        Busy = "busy",
        /// Nobody answered in time.
        NoAnswer = "no_answer",
        /// The carrier could not place it.
        Failed = "failed",
        /// Ended by the other side before an answer, or never dialled.
        Cancelled = "cancelled",
    }
}

impl CallState {
    /// Whether nothing can change it any more.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Busy | Self::NoAnswer | Self::Failed | Self::Cancelled
        )
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Initiated => 1,
            Self::Ringing => 2,
            Self::Answered => 3,
            Self::Completed | Self::Busy | Self::NoAnswer | Self::Failed | Self::Cancelled => 4,
        }
    }

    /// The state after hearing `news`: never an earlier one, whatever order the news comes in (I13).
    #[must_use]
    pub const fn after(self, news: Self) -> Self {
        if news.rank() > self.rank() { news } else { self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// I13: whatever order callbacks come in, a state never goes back and a final one stays.
        #[test]
        fn i13_no_order_of_news_goes_backwards(
            start in proptest::sample::select(CallState::ALL),
            news in proptest::collection::vec(proptest::sample::select(CallState::ALL), 0..8),
        ) {
            let mut state = start;
            for n in news {
                let next = state.after(n);
                prop_assert!(next.rank() >= state.rank());
                if state.is_final() { prop_assert_eq!(next, state); }
                state = next;
            }
        }
    }
}
