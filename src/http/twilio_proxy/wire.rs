//! Small parts of the wire: dates and texts that may not be there.

use serde_json::Value;

use crate::domain::time::Timestamp;
pub(super) use crate::relay::twilio_proxy::date;

/// A date that may not be there.
pub(super) fn maybe(at: Option<Timestamp>) -> Option<String> {
    at.map(date)
}

/// A text, or null where it is empty.
pub(super) fn or_null(text: String) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}
