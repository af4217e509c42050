//! What of the outbox is left alone for now, as its queries read it.

use super::outbox::OutboxKind;

/// What is left alone for now. What is too late is not: it is only ended. Nor is the end of a call, but
/// for carriers that are left out whole.
#[derive(Debug, Default, Clone)]
pub struct Held {
    /// Each between spaces of its own: no id and no number holds one.
    pub(super) carriers: String,
    pub(super) kinds: String,
    pub(super) numbers: String,
}

impl Held {
    /// Everything for this carrier.
    pub fn carrier(&mut self, carrier: &str) {
        self.carriers.extend([" ", carrier, " "]);
    }

    /// What is of that kind for this carrier.
    pub fn kind(&mut self, carrier: &str, kind: OutboxKind) {
        self.kinds.extend([" ", carrier, "/", kind.as_str(), " "]);
    }

    /// Texts from this proxy number.
    pub fn number(&mut self, number: &str) {
        self.numbers.extend([" ", number, " "]);
    }
}
