//! What somebody learns who is in no session: nothing, whatever the cause.
