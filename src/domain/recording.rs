//! Recordings of calls: how far one has come, what may be asked of it, and why nothing of it is kept.

closed_set! {
    /// How far the recording of a call has come.
    RecordingState {
        /// People are being asked.
        Asked = "asked",
        /// Somebody did not agree: the call goes on unrecorded.
        Declined = "declined",
        /// All agreed; the carrier is being asked to begin.
        Starting = "starting",
        /// It runs.
        Recording = "recording",
        /// The carrier is being asked to pause it.
        Pausing = "pausing",
        /// Nothing is recorded for now.
        Paused = "paused",
        /// The carrier is being asked to go on.
        Resuming = "resuming",
        /// The carrier is being asked to end it.
        Stopping = "stopping",
        /// It is over; its file is on its way.
        Stopped = "stopped",
        /// Its file is kept.
        Ready = "ready",
        /// There is none, or none any more; the loss says why.
        Failed = "failed",
    }
}

closed_set! {
    /// Why nothing of a recording is kept.
    RecordingLoss {
        /// It did not begin: the call had ended, or the carrier refused.
        NotStarted = "not_started",
        /// The carrier did not confirm a pause, so that it may hold what must not be recorded.
        PauseUnconfirmed = "pause_unconfirmed",
        /// The carrier did not confirm its end, so that it may hold what nobody agreed to any more.
        StopUnconfirmed = "stop_unconfirmed",
        /// Whoever agreed had gone before the two were connected.
        NotConnected = "not_connected",
        /// Its session was deleted.
        SessionDeleted = "session_deleted",
        /// Somebody of its session was erased.
        Erased = "erased",
        /// The carrier told of no file, or did not give it out.
        Lost = "lost",
        /// What the carrier gave out is no sound, or too long.
        Unusable = "unusable",
    }
}

closed_set! {
    /// What a carrier is asked to do with a recording.
    RecordingAct {
        /// Begin.
        Start = "start",
        /// Record nothing for now.
        Pause = "pause",
        /// Go on.
        Resume = "resume",
        /// End it.
        Stop = "stop",
    }
}

impl RecordingState {
    /// What its carrier is to be asked now.
    pub const fn due(self) -> Option<RecordingAct> {
        match self {
            Self::Starting => Some(RecordingAct::Start),
            Self::Pausing => Some(RecordingAct::Pause),
            Self::Resuming => Some(RecordingAct::Resume),
            Self::Stopping => Some(RecordingAct::Stop),
            _ => None,
        }
    }

    /// Where a marketplace's wish leads; `None` where it can't be had now. What is as wished stays.
    pub const fn wished(self, act: RecordingAct) -> Option<Self> {
        match (act, self) {
            (RecordingAct::Pause, Self::Recording | Self::Resuming) => Some(Self::Pausing),
            (RecordingAct::Resume, Self::Paused) => Some(Self::Resuming),
            (
                RecordingAct::Stop,
                Self::Starting | Self::Recording | Self::Pausing | Self::Paused | Self::Resuming,
            ) => Some(Self::Stopping),
            (RecordingAct::Pause, Self::Pausing | Self::Paused)
            | (RecordingAct::Resume, Self::Resuming | Self::Recording)
            | (RecordingAct::Stop, Self::Stopping | Self::Stopped | Self::Ready) => Some(self),
            _ => None,
        }
    }

    /// Whether its carrier was asked to begin, and the end of the call is still to come or to be told.
    pub const fn is_under_way(self) -> bool {
        matches!(
            self,
            Self::Starting
                | Self::Recording
                | Self::Pausing
                | Self::Paused
                | Self::Resuming
                | Self::Stopping
        )
    }

    /// What it comes to when its call ends, and what of it is lost: what was asked and not confirmed by
    /// then never will be.
    pub const fn over(self) -> (Self, Option<RecordingLoss>) {
        match self {
            Self::Starting => (Self::Failed, Some(RecordingLoss::NotStarted)),
            Self::Pausing => (Self::Stopped, Some(RecordingLoss::PauseUnconfirmed)),
            Self::Stopping => (Self::Stopped, Some(RecordingLoss::StopUnconfirmed)),
            Self::Recording | Self::Paused | Self::Resuming => (Self::Stopped, None),
            other => (other, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing leads to a running recording but the start and the resumption that its carrier confirmed: no wish
    /// does, from no state.
    #[test]
    fn no_wish_records() {
        for from in RecordingState::ALL {
            for act in RecordingAct::ALL {
                let Some(to) = from.wished(*act) else { continue };
                let stays = to == *from;
                assert!(stays || to.due() == Some(*act), "{from} {act}: {to}");
                assert!(stays || to != RecordingState::Recording, "{from} {act}");
            }
            assert_eq!(from.wished(RecordingAct::Start), None, "{from}: consent alone begins one");
        }
    }

    /// A call's end leaves nothing to ask, and keeps nothing of which a pause or an end was not confirmed.
    #[test]
    fn an_end_leaves_nothing_to_ask() {
        for from in RecordingState::ALL {
            let (to, loss) = from.over();
            assert!(!to.is_under_way() && to.due().is_none(), "{from}");
            let doubtful = matches!(
                from,
                RecordingState::Starting | RecordingState::Pausing | RecordingState::Stopping
            );
            assert_eq!(loss.is_some(), doubtful, "{from}");
        }
    }
}
