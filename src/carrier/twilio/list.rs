//! What is Twilio's own about lists of messages and calls.

use super::is_sid;
use crate::{carrier::twiml::list::Dialect, domain::time::Timestamp};

pub(super) static DIALECT: Dialect = Dialect {
    is_message: |id| is_sid("SM", id) || is_sid("MM", id),
    texts_after: rfc3339,
    calls_after: rfc3339,
    newest_first: true,
};

/// In UTC, to the second.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.seconds()).unwrap_or(jiff::Timestamp::MAX).to_string()
}
