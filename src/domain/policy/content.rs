//! Content of texts: what becomes of telephone numbers, addresses, links and payment handles in them, on
//! what ground, and what people are told.

use super::{is_said, is_said_in};
use crate::domain::content::Actions;

/// A service's rules on what texts hold. By default nothing is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentRules {
    /// What is done with what is found.
    pub actions: Actions,
    /// On what ground texts are read, in the marketplace's words: kept as its record, never sent.
    pub legal_basis: String,
    /// Said to whoever wrote a text in which something was found, behind words of ours.
    pub notice: String,
    /// Whether the text as it was written is kept, sealed, where it was redacted or blocked.
    pub keep_originals: bool,
}

impl Default for ContentRules {
    fn default() -> Self {
        Self {
            actions: Actions::ALLOW,
            legal_basis: String::new(),
            notice: String::new(),
            keep_originals: false,
        }
    }
}

impl ContentRules {
    /// Everything that is wrong with them: the field and what is allowed.
    pub(super) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let allowed = "must have at most 300 characters, none of control";
        [
            (is_said(&self.legal_basis), "content/legal_basis", allowed),
            (
                is_said_in(&self.notice, 160),
                "content/notice",
                "must have at most 160 characters, none of control",
            ),
        ]
        .into_iter()
        .filter_map(|(ok, field, allowed)| (!ok).then_some((field, allowed)))
        .collect()
    }

    /// What is lacking where texts are read.
    pub(super) fn lacking(&self) -> Vec<(&'static str, &'static str)> {
        let reads = self.actions.read();
        [(&self.legal_basis, "content/legal_basis"), (&self.notice, "content/notice")]
            .into_iter()
            .filter(|(text, _)| reads && text.trim().is_empty())
            .map(|(_, field)| (field, "is needed where anything is not allowed in texts"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::content::ContentAction;

    /// Nothing is read by default, and nobody reads texts without a ground and a notice.
    #[test]
    fn reading_needs_a_ground_and_a_notice() {
        let mut rules = ContentRules::default();
        assert!(!rules.actions.read() && rules.lacking().is_empty() && rules.faults().is_empty());
        for action in [ContentAction::Flag, ContentAction::Redact, ContentAction::Block] {
            rules.actions = Actions { link: action, ..Actions::ALLOW };
            let fields: Vec<_> = rules.lacking().into_iter().map(|(field, _)| field).collect();
            assert_eq!(fields, ["content/legal_basis", "content/notice"]);
        }
        (rules.legal_basis, rules.notice) = ("Art. 6(1)(f) GDPR".into(), " ".into());
        assert_eq!(rules.lacking().len(), 1);
        rules.notice = "See bikes.example/texts.".into();
        assert!(rules.lacking().is_empty());
        rules.notice = "x".repeat(161);
        assert_eq!(rules.faults().len(), 1);
    }
}
