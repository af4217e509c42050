//! What support is told of callers who were to prove who they are.

use super::{CALLER, MARKETPLACE, Why, why};
use crate::domain::interaction::Reason;

/// Nobody could be sure of who called or wrote.
pub(super) const fn not_proved(reason: Reason) -> Why {
    match reason {
        Reason::CallerUnverified => why(
            "The caller's number is not vouched for",
            "The telephone network did not vouch for the number that the caller showed, and the \
             marketplace's service refuses such calls.",
            MARKETPLACE,
            "If this was the right person, the marketplace can let such calls through, or have \
             them give a code.",
        ),
        Reason::PinMissing => why(
            "No code was given",
            "Whoever called or wrote was to give their code, and gave none.",
            CALLER,
            "Ask them for the code that the marketplace shows them for this contact: in a call it \
             ends with the pound key, a text begins with it.",
        ),
        Reason::PinLocked => why(
            "Too many codes were wrong",
            "Codes are not listened to for a while, since too many were wrong: on this number, or \
             from this phone.",
            CALLER,
            "They can try again an hour later, or a day later if it happens again. Where it goes \
             on, somebody may be guessing: tell the marketplace.",
        ),
        _ => why(
            "The code was wrong",
            "Whoever called or wrote gave a code that means no open session of theirs here.",
            CALLER,
            "Ask them to look the code up at the marketplace, and to use the phone that it knows.",
        ),
    }
}
