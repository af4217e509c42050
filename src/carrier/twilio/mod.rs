//! Placeholder.
use super::Kind;
pub(super) const KIND: Kind = Kind { name: "twilio", readme: "", build: |_| Err(Vec::new()) };
