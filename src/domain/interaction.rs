//! What the log says of a call or text: its kind, its outcome and the reason, in closed sets.

use super::{call::CallState, message::MessageState};

closed_set! {
    /// What was relayed.
    Kind {
        /// A text, with or without pictures.
        Message = "message",
        /// A call.
        Call = "call",
    }
}

closed_set! {
    /// How an interaction, or one leg of it, ended. Set once.
    Outcome {
        /// The recipient's carrier took the text.
        Relayed = "relayed",
        /// Two people spoke.
        Connected = "connected",
        /// Nobody answered.
        Missed = "missed",
        /// The line was busy, or the person declined.
        Busy = "busy",
        /// It could not be relayed; the reason says why.
        Failed = "failed",
        /// It was accepted and then overtaken by a close, an expiry, a block or a hang-up.
        Cancelled = "cancelled",
        /// It was not relayed, by rule; the reason says which.
        Refused = "refused",
        /// It may have been sent; no answer will tell.
        Unknown = "unknown",
    }
}

impl Outcome {
    /// Place from worst to best: an interaction with several recipients ends as the best of them.
    const fn rank(self) -> u8 {
        match self {
            Self::Refused => 0,
            Self::Cancelled => 1,
            Self::Failed => 2,
            Self::Missed => 3,
            Self::Busy => 4,
            Self::Unknown => 5,
            Self::Relayed => 6,
            Self::Connected => 7,
        }
    }

    /// The better of two.
    #[must_use]
    pub const fn best(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    /// What a leg's state says of its outcome; `None` while it is still open.
    pub const fn of_call(state: CallState) -> Option<Self> {
        match state {
            CallState::Completed => Some(Self::Connected),
            CallState::Busy => Some(Self::Busy),
            CallState::NoAnswer => Some(Self::Missed),
            CallState::Failed => Some(Self::Failed),
            CallState::Cancelled => Some(Self::Cancelled),
            CallState::Queued | CallState::Initiated | CallState::Ringing | CallState::Answered => {
                None
            }
        }
    }

    /// What a leg's state says of its outcome; `None` while it is still owed. A text counts as
    /// relayed once its carrier took it: receipts move the leg's state, not its outcome.
    pub const fn of_message(state: MessageState) -> Option<Self> {
        match state {
            MessageState::Sent | MessageState::Delivered | MessageState::Undelivered => {
                Some(Self::Relayed)
            }
            MessageState::Failed => Some(Self::Failed),
            MessageState::Cancelled => Some(Self::Cancelled),
            MessageState::Unknown => Some(Self::Unknown),
            MessageState::Received | MessageState::Queued | MessageState::Sending => None,
        }
    }
}

closed_set! {
    /// Why something was refused, cancelled or failed.
    Reason {
        /// The dialled number belongs to no account.
        UnknownNumber = "unknown_number",
        /// The caller is in no session on this number.
        UnknownCaller = "unknown_caller",
        /// The caller's number was withheld.
        WithheldCaller = "withheld_caller",
        /// What the network says of the caller's number is not enough for the service.
        CallerUnverified = "caller_unverified",
        /// The caller was asked for a PIN, and hung up or gave none.
        PinMissing = "pin_missing",
        /// The caller or writer gave no PIN that is theirs.
        PinWrong = "pin_wrong",
        /// Too many PINs were wrong: for a while none is listened to.
        PinLocked = "pin_locked",
        /// The session was closed.
        SessionClosed = "session_closed",
        /// The session's time was up.
        SessionExpired = "session_expired",
        /// The session is on hold since a restore: nobody has said yet that it was still open.
        SessionSuspended = "session_suspended",
        /// One of the two has blocked the other, or staff has.
        Blocked = "blocked",
        /// A call to a session for texts only, or the reverse.
        ModeNotAllowed = "mode_not_allowed",
        /// The session has nobody on the other side.
        NoPartner = "no_partner",
        /// The sender is one of our own proxy numbers.
        Loop = "loop",
        /// The marketplace was asked whether it may go through, and said no.
        Intercepted = "intercepted",
        /// The marketplace could not be asked, and its service lets nothing through then.
        InterceptFailed = "intercept_failed",
        /// Pictures or files, which this service or carrier does not relay.
        MediaNotSupported = "media_not_supported",
        /// Nothing of it may be passed on: its pictures and files were refused, and it has no words.
        MediaRefused = "media_refused",
        /// It has no words, and the recipient's number or carrier takes no pictures and files.
        RecipientWithoutMedia = "recipient_without_media",
        /// A text with nothing in it.
        EmptyText = "empty_text",
        /// The recipient's carrier says that they have opted out of texts.
        OptedOut = "opted_out",
        /// The person did not press 1.
        NotAccepted = "not_accepted",
        /// Nobody answered in time.
        NoAnswer = "no_answer",
        /// The line was busy, or the person declined.
        Busy = "busy",
        /// The caller hung up first.
        CallerHungUp = "caller_hung_up",
        /// The number can't be reached by this carrier, or does not exist.
        InvalidNumber = "invalid_number",
        /// The carrier refused it.
        CarrierRejected = "carrier_rejected",
        /// The carrier refused our credentials or settings.
        CarrierConfig = "carrier_config",
        /// The carrier could not be reached until the time was up.
        CarrierUnreachable = "carrier_unreachable",
        /// The carrier's answer was lost.
        CarrierUnknown = "carrier_unknown",
        /// Nothing is left of a budget: of the carrier's, or of the account's.
        BudgetSpent = "budget_spent",
        /// The carrier took it and could not deliver it.
        Undelivered = "undelivered",
        /// It was a word that stops texts, or wants them again: those are heeded, and not passed on.
        StopWord = "stop_word",
        /// It was a word for the relay, which asks for help, blocks or reports: heeded, and not passed on.
        Keyword = "keyword",
        /// The recipient wants no more texts from the proxy number: they wrote so, told the marketplace, or
        /// their carrier said so.
        RecipientOptedOut = "recipient_opted_out",
        /// It held what its service lets nobody write.
        ContentBlocked = "content_blocked",
        /// It was more than its limits allow in that time.
        RateLimited = "rate_limited",
        /// Nothing is left of the minutes that may be talked in a day.
        MinutesSpent = "minutes_spent",
        /// As many calls go on as may at once, in the session or of the person.
        CallInProgress = "call_in_progress",
        /// The other side's number is of a country that may not be reached.
        CountryNotAllowed = "country_not_allowed",
        /// The other side's number is of a kind that is never reached.
        NumberNotAllowed = "number_not_allowed",
        /// The account's traffic, or what goes to such numbers, is held back for a while.
        TrafficPaused = "traffic_paused",
        /// Two machines answered each other in the session: its texts are held back for a while.
        LoopStopped = "loop_stopped",
        /// Its time ran out before it could be sent.
        TooLate = "too_late",
        /// The carrier's webhook never came, and its list told of it too late to put it through.
        WebhookMissed = "webhook_missed",
        /// It stopped our worker too often and was set aside.
        Parked = "parked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Several recipients: one good end is enough.
    #[test]
    fn the_best_outcome_wins() {
        assert_eq!(Outcome::Failed.best(Outcome::Relayed), Outcome::Relayed);
        assert_eq!(Outcome::Connected.best(Outcome::Missed), Outcome::Connected);
    }

    /// Each text reads back to its own value and to no other.
    #[test]
    fn texts_are_one_to_one() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
        }
    }
}
