//! What people report of each other: what sort of thing it is, and what came of it.

closed_set! {
    /// What somebody reports.
    Category {
        /// Texts or calls that nobody asked for.
        Spam = "spam",
        /// An attempt to cheat.
        Scam = "scam",
        /// Insults, or contact that goes on though it is unwanted.
        Harassment = "harassment",
        /// A threat, or fear for somebody's safety.
        Threat = "threat",
        /// Sexual or hateful content.
        Inappropriate = "inappropriate",
        /// Somebody who is not who they say.
        Impersonation = "impersonation",
        /// Something else, or it was not said: what a text says.
        Other = "other",
    }
}

closed_set! {
    /// How a report was made.
    Source {
        /// By the marketplace or its support.
        Api = "api",
        /// By a text of the person.
        Person = "person",
    }
}

closed_set! {
    /// How far a report has come.
    State {
        /// Nobody has decided it.
        Open = "open",
        /// It was decided.
        Resolved = "resolved",
    }
}

closed_set! {
    /// What was decided.
    Decision {
        /// Nothing is to be done.
        Dismissed = "dismissed",
        /// The other side was warned.
        Warned = "warned",
        /// The two are kept apart: they are blocked.
        Blocked = "blocked",
        /// The other side was banned from the marketplace, by the marketplace.
        Banned = "banned",
        /// It was handed on, such as to the police.
        Escalated = "escalated",
    }
}

/// The longest note, in characters.
pub const NOTE_CHARS: usize = 2000;

/// The most interactions that one report may name.
pub const INTERACTIONS_MAX: usize = 20;
