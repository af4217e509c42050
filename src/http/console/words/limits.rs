//! What the console says of what was held back: limits, countries, kinds of numbers, machines.

use super::{CALLER, MARKETPLACE, OPERATOR, Why, why};
use crate::domain::interaction::Reason;

/// What a limit, or the gate that numbers go through, means.
pub(super) const fn held_back(reason: Reason) -> Why {
    match reason {
        Reason::MinutesSpent => why(
            "The minutes of the day are used up",
            "The two, or the caller, have talked as long as they may in a day.",
            CALLER,
            "Ask them to write, or to call again tomorrow (UTC).",
        ),
        Reason::CallInProgress => why(
            "Another call goes on",
            "As many calls go on as may at once, in the session or of the caller.",
            CALLER,
            "Ask them to end the other call first. If nobody talks, it counts no longer after some minutes.",
        ),
        Reason::CountryNotAllowed => why(
            "The country is not reached",
            "The other side's number is of a country that the service or this relay does not reach.",
            MARKETPLACE,
            "Ask the marketplace to add the country to the service's list, if people there are meant to be reached.",
        ),
        Reason::NumberNotAllowed => why(
            "Such numbers are never reached",
            "The other side's number is a premium, satellite, emergency or other number that is no person's.",
            MARKETPLACE,
            "Ask the marketplace for the person's own number.",
        ),
        Reason::TrafficPaused => why(
            "Traffic is held back",
            "The account sent more than its limit or many times what is usual, or too much to such numbers.",
            OPERATOR,
            "Ask the operator, or the marketplace, to look at what is sent, and to lift the pause if it is well.",
        ),
        Reason::LoopStopped => why(
            "Two machines answered each other",
            "Both sides sent the same again and again, as automatic answers do: the session's texts wait for a while.",
            MARKETPLACE,
            "Ask the two to switch their automatic answers off. The marketplace can lift the pause.",
        ),
        _ => why(
            "Too much in a short time",
            "It was more than the limits allow in that time.",
            CALLER,
            "Ask them to wait, and then to try again.",
        ),
    }
}
