//! What support staff open, and what for: in closed sets, so that auditors can count them.

closed_set! {
    /// What is opened.
    Opened {
        /// A person's number.
        Number = "number",
        /// The words of a session's texts.
        Texts = "texts",
    }
}

closed_set! {
    /// What it is opened for.
    Cause {
        /// Somebody may be in danger.
        Danger = "danger",
        /// One of the two disputes what happened.
        Dispute = "dispute",
        /// Fraud or harassment is looked into.
        Abuse = "abuse",
        /// They asked to be called back.
        CallBack = "call_back",
        /// A call or text does not get through, and the carrier wants the number.
        Fault = "fault",
        /// A lawful request.
        Law = "law",
    }
}

/// For how many seconds what was opened stands on a screen.
pub const fn shown_for(what: Opened) -> u64 {
    match what {
        Opened::Number => 60,
        // Fifty texts of 1,600 characters are read in no minute.
        Opened::Texts => 600,
    }
}
