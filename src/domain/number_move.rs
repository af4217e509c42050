//! Moving sessions off a number: why, how far it has come, and what became of each person.

closed_set! {
    /// Why sessions leave a number.
    Why {
        /// It reaches nobody any more, or its carrier is down.
        Dead = "dead",
        /// Somebody on the way stops what comes from it.
        Blocked = "blocked",
        /// It left its carrier: for another one of ours, or for good.
        Ported = "ported",
        /// Something else.
        Other = "other",
    }
}

closed_set! {
    /// How far a move has come.
    MoveState {
        /// Sessions are being looked at.
        Running = "running",
        /// Every session was.
        Done = "done",
        /// It is being taken back.
        Undoing = "undoing",
        /// It was taken back.
        Undone = "undone",
    }
}

impl MoveState {
    /// Whether there is something to do.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Undoing)
    }
}

closed_set! {
    /// What became of somebody.
    StepState {
        /// They dial the new number.
        Moved = "moved",
        /// They still dial the old one: there was no other.
        Kept = "kept",
        /// They dial the old one again.
        Undone = "undone",
        /// They were moved, and could not be moved back.
        NotUndone = "not_undone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker looks for exactly the moves that it has to go on with.
    #[test]
    fn open_moves_are_the_unfinished_ones() {
        let open: Vec<_> = MoveState::ALL.iter().filter(|state| state.is_open()).collect();
        assert_eq!(open, [&MoveState::Running, &MoveState::Undoing]);
    }
}
