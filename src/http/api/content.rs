//! What a service does with telephone numbers, addresses, links and payment handles in texts, as the API
//! shows and sets it, and what was found in one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    input::Patch,
    service_settings::set,
    wire::{ContentAction, ContentFate, ContentKind},
};
use crate::{
    domain::{content::Actions, policy::ContentRules},
    store::text_findings::Finding,
};

/// What becomes of things in texts; `allow` for all of them by default, and then no text is read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Content {
    phone: ContentAction,
    email: ContentAction,
    link: ContentAction,
    payment: ContentAction,
    /// On what ground texts are read: your own record, sent to nobody.
    legal_basis: String,
    /// Said to whoever wrote such a text, behind a sentence of ours.
    notice: String,
    /// Whether a text that was altered or blocked is kept as it was written, sealed, for 30 days.
    keep_originals: bool,
}

/// The same, as it is set. `null` goes back to the default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "phone": "redact", "email": "redact", "payment": "block",
    "legal_basis": "GDPR Art. 6(1)(f), balancing test of 2026-03-02",
    "notice": "Why: bikes.example/texts",
}))]
pub(super) struct ContentSettings {
    /// Telephone numbers, in digits or words.
    #[schema(value_type = Option<ContentAction>)]
    #[serde(default)]
    phone: Patch<ContentAction>,
    /// E-mail addresses.
    #[schema(value_type = Option<ContentAction>)]
    #[serde(default)]
    email: Patch<ContentAction>,
    /// Links and names on the net.
    #[schema(value_type = Option<ContentAction>)]
    #[serde(default)]
    link: Patch<ContentAction>,
    /// IBANs, handles of payment services, addresses of coins.
    #[schema(value_type = Option<ContentAction>)]
    #[serde(default)]
    payment: Patch<ContentAction>,
    /// Needed where anything is not `allow`.
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    legal_basis: Patch<String>,
    /// Needed where anything is not `allow`.
    #[schema(value_type = Option<String>, max_length = 160)]
    #[serde(default)]
    notice: Patch<String>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    keep_originals: Patch<bool>,
}

impl From<ContentRules> for Content {
    fn from(rules: ContentRules) -> Self {
        let Actions { phone, email, link, payment } = rules.actions;
        Self {
            phone: ContentAction(phone),
            email: ContentAction(email),
            link: ContentAction(link),
            payment: ContentAction(payment),
            legal_basis: rules.legal_basis,
            notice: rules.notice,
            keep_originals: rules.keep_originals,
        }
    }
}

impl ContentSettings {
    /// Writes what was named into `rules`.
    pub(super) fn apply(&self, rules: &mut ContentRules) {
        let default = ContentRules::default();
        let (actions, usual) = (&mut rules.actions, default.actions);
        set(&self.phone, &usual.phone, &mut actions.phone, |one| one.0);
        set(&self.email, &usual.email, &mut actions.email, |one| one.0);
        set(&self.link, &usual.link, &mut actions.link, |one| one.0);
        set(&self.payment, &usual.payment, &mut actions.payment, |one| one.0);
        set(&self.legal_basis, &default.legal_basis, &mut rules.legal_basis, String::clone);
        set(&self.notice, &default.notice, &mut rules.notice, String::clone);
        let keep = &mut rules.keep_originals;
        set(&self.keep_originals, &default.keep_originals, keep, bool::clone);
    }
}

/// What was found in a text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Moderation {
    action: ContentFate,
    /// What was found, each kind once.
    kinds: Vec<ContentKind>,
}

impl From<Finding> for Moderation {
    fn from(finding: Finding) -> Self {
        let kinds = finding.kinds.into_iter().map(ContentKind).collect();
        Self { action: ContentFate(finding.fate), kinds }
    }
}
