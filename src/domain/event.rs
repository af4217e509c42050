//! What a marketplace is told of: the closed set of its types.

closed_set! {
    /// What happened. `docs/events.md` has each with its data.
    EventKind {
        /// A session was opened.
        SessionCreated = "session.created",
        /// The first call or text came: it is in progress.
        SessionStarted = "session.started",
        /// The marketplace changed it.
        SessionUpdated = "session.updated",
        /// It was closed.
        SessionClosed = "session.closed",
        /// It was opened again.
        SessionReopened = "session.reopened",
        /// One that a restore put on hold was still open.
        SessionResumed = "session.resumed",
        /// It was deleted.
        SessionDeleted = "session.deleted",
        /// A restore put every open session on hold.
        SessionsSuspended = "sessions.suspended",
        /// Two machines answered each other in it: its texts are held back for a while.
        SessionLooped = "session.looped",
        /// Somebody joined a session.
        ParticipantAdded = "participant.added",
        /// Somebody left it.
        ParticipantRemoved = "participant.removed",
        /// Somebody blocked the other side.
        ParticipantBlocked = "participant.blocked",
        /// Somebody lifted a block.
        ParticipantUnblocked = "participant.unblocked",
        /// Somebody wants no more texts.
        PersonOptedOut = "person.opted_out",
        /// They want texts again.
        PersonOptedIn = "person.opted_in",
        /// Somebody reported the other side.
        ReportCreated = "report.created",
        /// A report was decided.
        ReportResolved = "report.resolved",
        /// Somebody dials another proxy number from now on.
        ParticipantMoved = "participant.moved",
        /// A text came in.
        MessageReceived = "message.received",
        /// The marketplace asked for a text.
        MessageCreated = "message.created",
        /// The recipient's carrier took a text.
        MessageRelayed = "message.relayed",
        /// The recipient's phone has it.
        MessageDelivered = "message.delivered",
        /// The carrier could not deliver it.
        MessageUndelivered = "message.undelivered",
        /// It could not be sent.
        MessageFailed = "message.failed",
        /// It was withdrawn before it was sent.
        MessageCancelled = "message.cancelled",
        /// Nobody knows whether it was sent.
        MessageUnknown = "message.unknown",
        /// Pictures or files of a text were not passed on.
        MediaRefused = "media.refused",
        /// Something was found in a text that its service looks for.
        MessageModerated = "message.moderated",
        /// A text in which something was found was decided.
        MessageDecided = "message.decided",
        /// A text was refused.
        MessageRefused = "message.refused",
        /// A call came in.
        CallReceived = "call.received",
        /// The marketplace asked for a call.
        CallCreated = "call.created",
        /// A carrier began to ring a phone: its id of that leg is known.
        CallInitiated = "call.initiated",
        /// A phone rings.
        CallRinging = "call.ringing",
        /// It was answered.
        CallAnswered = "call.answered",
        /// A call in which the two talked ended.
        CallCompleted = "call.completed",
        /// A call ended without a talk.
        CallMissed = "call.missed",
        /// The caller of a call that nobody took left a message.
        CallVoicemail = "call.voicemail",
        /// A call is recorded: all agreed, and its carrier says so.
        RecordingStarted = "recording.started",
        /// The carrier confirmed that nothing is recorded for now.
        RecordingPaused = "recording.paused",
        /// The carrier confirmed that it goes on.
        RecordingResumed = "recording.resumed",
        /// A recording was ended before its call.
        RecordingStopped = "recording.stopped",
        /// A recording is kept and can be heard.
        RecordingReady = "recording.ready",
        /// Nothing of a recording is kept.
        RecordingFailed = "recording.failed",
        /// Nobody knows how a call ended.
        CallUnknown = "call.unknown",
        /// A call was refused.
        CallRefused = "call.refused",
        /// The network does not stand for the number that a participant who calls shows.
        CallerUnverified = "caller.unverified",
        /// Too many PINs were wrong: for a while none is listened to.
        PinLocked = "pin.locked",
        /// A proxy number joined the inventory.
        NumberAdded = "number.added",
        /// Every session that a move off a number had to do with was looked at.
        MoveCompleted = "move.completed",
        /// A move off a number was taken back.
        MoveUndone = "move.undone",
        /// A proxy number left the inventory, and its carrier was told.
        NumberReleased = "number.released",
        /// What was ordered about a number can't be done.
        OrderFailed = "order.failed",
        /// A code is on its way to somebody.
        VerificationSent = "verification.sent",
        /// It was given back: the number is theirs.
        VerificationVerified = "verification.verified",
        /// Wrong codes were given, as many as may be.
        VerificationFailed = "verification.failed",
        /// The code was not given back in time.
        VerificationExpired = "verification.expired",
        /// An account's budget comes to its end.
        BudgetNear = "budget.near",
        /// Nothing is left of an account's budget.
        BudgetSpent = "budget.spent",
        /// Texts or calls are held back for a while: there were too many.
        TrafficPaused = "traffic.paused",
        /// They go on, since somebody said so.
        TrafficResumed = "traffic.resumed",
        /// Somebody without a session tries one proxy number after the other.
        HarvestSuspected = "harvest.suspected",
        /// An endpoint of the marketplace gets nothing any more.
        EndpointDisabled = "endpoint.disabled",
        /// The marketplace asked whether an endpoint works.
        EndpointPing = "endpoint.ping",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// `docs/events.md` has a row for each type, and no other.
    #[test]
    fn the_docs_are_the_set() {
        let docs: BTreeSet<&str> = include_str!("../../docs/events.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .filter(|word| word.contains('.'))
            .collect();
        assert_eq!(docs, EventKind::ALL.iter().map(|kind| kind.as_str()).collect());
    }

    /// A type is two lower-case words with a dot, as Standard Webhooks has them, and one is no part
    /// of another: filters look for whole words.
    #[test]
    fn types_are_dotted_words() {
        for kind in EventKind::ALL {
            let (noun, verb) = kind.as_str().split_once('.').unwrap();
            assert!(
                [noun, verb].iter().all(|w| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            );
            assert_eq!(EventKind::parse(kind.as_str()), Some(*kind));
        }
    }
}
