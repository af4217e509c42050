//! A session's life: open → in-progress → closed, and when its time is up.

use std::time::Duration;

use super::time::Timestamp;

closed_set! {
    /// Where a session is in its life.
    State {
        /// Nobody has called or texted yet.
        Open = "open",
        /// Somebody has.
        InProgress = "in-progress",
        /// Over: nobody is put through.
        Closed = "closed",
    }
}

closed_set! {
    /// What a session relays.
    Mode {
        /// Calls and texts.
        VoiceAndMessage = "voice-and-message",
        /// Calls.
        VoiceOnly = "voice-only",
        /// Texts.
        MessageOnly = "message-only",
    }
}

impl Mode {
    /// Whether calls are relayed.
    pub const fn voice(self) -> bool {
        matches!(self, Self::VoiceAndMessage | Self::VoiceOnly)
    }

    /// Whether texts are relayed.
    pub const fn message(self) -> bool {
        matches!(self, Self::VoiceAndMessage | Self::MessageOnly)
    }
}

closed_set! {
    /// Why a session is closed.
    ClosedReason {
        /// The marketplace closed it.
        Api = "api",
        /// Its time was up.
        Expired = "expired",
        /// A member of the staff closed it.
        Staff = "staff",
    }
}

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// How long after its creation or its last interaction it ends; zero for never. Slides.
    pub ttl: Duration,
    /// When it ends, whatever happens; wins over `ttl`.
    pub date_expiry: Option<Timestamp>,
}

impl Lifetime {
    /// When a session's time is up, given when it was made or last used.
    pub fn expires_at(self, last_used: Timestamp) -> Timestamp {
        match self.date_expiry {
            Some(at) => at,
            None if self.ttl.is_zero() => Timestamp::MAX,
            None => last_used + self.ttl,
        }
    }
}

/// Whether a session puts anybody through at `now`: a late sweeper must not lengthen its life, and
/// one that a restore put on hold waits for somebody to say that it was still open (I31).
pub fn is_live(state: State, suspended: bool, expires_at: Timestamp, now: Timestamp) -> bool {
    state != State::Closed && !suspended && now < expires_at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The absolute end wins over the sliding one, and no length at all means no end.
    #[test]
    fn the_absolute_end_wins() {
        let at = Timestamp::from_millis(1_000);
        let hour = Duration::from_hours(1);
        let end = Timestamp::from_millis(5_000);
        assert_eq!(Lifetime { ttl: hour, date_expiry: Some(end) }.expires_at(at), end);
        assert_eq!(Lifetime { ttl: hour, date_expiry: None }.expires_at(at), at + hour);
        let never = Lifetime { ttl: Duration::ZERO, date_expiry: None };
        assert_eq!(never.expires_at(at), Timestamp::MAX);
    }

    proptest! {
        /// A later use never brings the end forward, and at the end the session is not live.
        #[test]
        fn use_only_lengthens(ttl_s in 0u64..10_000_000, used in 0i64..1_000_000_000, later in 0i64..1_000_000) {
            let life = Lifetime { ttl: Duration::from_secs(ttl_s), date_expiry: None };
            let first = life.expires_at(Timestamp::from_millis(used));
            let second = life.expires_at(Timestamp::from_millis(used + later));
            prop_assert!(second >= first);
            prop_assert!(!is_live(State::Open, false, first, first));
            prop_assert!(!is_live(State::Closed, false, Timestamp::MAX, first));
            prop_assert!(!is_live(State::Open, true, Timestamp::MAX, first));
        }
    }
}
