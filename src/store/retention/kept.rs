//! What keeps a row although its time is up, in one place: each says so of the rows of one table.

/// Whether a legal hold is on a session, or on somebody in it; or on this person.
macro_rules! held {
    ($account:literal, $session:literal $(, $person:literal)?) => {
        concat!(
            "EXISTS (SELECT 1 FROM legal_holds h WHERE h.account = ", $account,
            " AND h.lifted_at IS NULL AND (h.session = ", $session,
            $(" OR h.person = ", $person,)?
            " OR EXISTS (SELECT 1 FROM participants hp WHERE hp.account = h.account \
             AND hp.person = h.person AND hp.session = ", $session, ")))"
        )
    };
}
pub(in crate::store) use held;

/// Words, of `interactions`.
pub(super) const WORDS: &str =
    held!("interactions.account", "interactions.session", "interactions.person");

/// A text as it was written, of `text_findings`.
pub(super) const ORIGINAL: &str = held!("text_findings.account", "text_findings.session");

/// A call or text in the log, of `interactions`: also a file, message or recording of it that is still there. Who
/// agreed to be recorded goes with it.
pub(super) const INTERACTION: &str = concat!(
    held!("interactions.account", "interactions.session", "interactions.person"),
    " OR EXISTS (SELECT 1 FROM media m WHERE m.account = interactions.account \
     AND m.interaction = interactions.id)"
);

/// A session, of `sessions`: also one that is not closed any more, of which anything is in the log, which has
/// a file, to which something is owed, or that somebody may still mean by a number: open, in quarantine, or
/// until `certain` where the clock was set forward. What is bound for `certain` follows this text.
pub(super) const SESSION: &str = concat!(
    "sessions.state <> 'closed' OR ",
    held!("sessions.account", "sessions.id"),
    " OR EXISTS (SELECT 1 FROM interactions i WHERE i.account = sessions.account \
     AND i.session = sessions.id)",
    " OR EXISTS (SELECT 1 FROM media m WHERE m.account = sessions.account \
     AND m.session = sessions.id)",
    " OR EXISTS (SELECT 1 FROM outbox o WHERE o.account = sessions.account \
     AND o.session = sessions.id AND o.state IN ('ready', 'sending'))",
    " OR EXISTS (SELECT 1 FROM holds q WHERE q.account = sessions.account \
     AND q.session = sessions.id AND (q.state = 'open' OR q.release_at > "
);

/// What it cost, of `charges`.
pub(super) const CHARGE: &str = concat!(
    held!("charges.account", "charges.session"),
    " OR EXISTS (SELECT 1 FROM interactions i JOIN legal_holds p ON p.account = i.account \
     AND p.person = i.person AND p.lifted_at IS NULL \
     WHERE i.account = charges.account AND i.id = charges.interaction)"
);

/// An event, of `events`.
pub(super) const EVENT: &str = held!("events.account", "events.session");

/// Nothing keeps it.
pub(super) const NOTHING: &str = "1 = 0";
