//! Who is put through to whom, and why not.

use super::{
    interaction::{Kind, Reason},
    session::{Mode, State, is_live},
    time::Timestamp,
};

/// What is known when somebody calls or texts a proxy number on which they have a hold.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// A call or a text.
    pub kind: Kind,
    /// The time, read after the session was locked.
    pub now: Timestamp,
    /// Whether the hold is open; a quarantined one leads nowhere.
    pub hold_open: bool,
    /// The session's state.
    pub state: State,
    /// Whether a restore put the session on hold.
    pub suspended: bool,
    /// The session's mode.
    pub mode: Mode,
    /// When its time is up.
    pub expires_at: Timestamp,
    /// The role of whoever calls or texts.
    pub from_role: &'a str,
    /// Everybody in the session but the sender.
    pub others: &'a [Other<'a>],
}

/// Somebody else in the session.
#[derive(Debug, Clone)]
pub struct Other<'a> {
    /// Their role: the same role is the same side.
    pub role: &'a str,
    /// Whether they have left the session.
    pub removed: bool,
    /// Whether nothing passes between them and the sender: one has blocked the other, or staff has.
    pub blocked: bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Put through to these, by their place in [`Facts::others`]; never empty.
    Relay(Vec<usize>),
    /// Put through to nobody.
    Refuse(Reason),
}

/// Decides. Everyone on the other side is a recipient; people of the sender's own role never are.
pub fn decide(facts: &Facts<'_>) -> Decision {
    if facts.state == State::Closed || !facts.hold_open {
        return Decision::Refuse(Reason::SessionClosed);
    }
    if facts.suspended {
        return Decision::Refuse(Reason::SessionSuspended);
    }
    if !is_live(facts.state, facts.suspended, facts.expires_at, facts.now) {
        return Decision::Refuse(Reason::SessionExpired);
    }
    let allowed = match facts.kind {
        Kind::Call => facts.mode.voice(),
        Kind::Message => facts.mode.message(),
    };
    if !allowed {
        return Decision::Refuse(Reason::ModeNotAllowed);
    }
    let side: Vec<usize> = facts
        .others
        .iter()
        .enumerate()
        .filter(|(_, other)| !other.removed && other.role != facts.from_role)
        .map(|(place, _)| place)
        .collect();
    if side.is_empty() {
        return Decision::Refuse(Reason::NoPartner);
    }
    let open: Vec<usize> = side.into_iter().filter(|place| !facts.others[*place].blocked).collect();
    if open.is_empty() { Decision::Refuse(Reason::Blocked) } else { Decision::Relay(open) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROLES: &[&str] = &["buyer", "seller"];

    proptest! {
        /// I2: whoever is put through to is on the other side, present and has not blocked the
        /// sender; and nobody at all unless the session is live, not on hold (I31) and the hold open.
        #[test]
        fn i2_only_the_other_side_of_a_live_session(
            state in proptest::sample::select(State::ALL),
            mode in proptest::sample::select(Mode::ALL),
            kind in proptest::sample::select(Kind::ALL),
            hold_open: bool,
            suspended: bool,
            expires in 0i64..20,
            others in proptest::collection::vec((0usize..2, any::<bool>(), any::<bool>()), 0..6),
        ) {
            let others: Vec<Other> = others
                .into_iter()
                .map(|(role, removed, blocked)| Other { role: ROLES[role], removed, blocked })
                .collect();
            let facts = Facts {
                kind, now: Timestamp::from_millis(10), hold_open, state, suspended, mode,
                expires_at: Timestamp::from_millis(expires), from_role: "buyer", others: &others,
            };
            if let Decision::Relay(to) = decide(&facts) {
                prop_assert!(hold_open && !suspended && state != State::Closed && expires > 10 && !to.is_empty());
                for place in to {
                    prop_assert!(others[place].role == "seller");
                    prop_assert!(!others[place].removed && !others[place].blocked);
                }
            }
        }
    }
}
