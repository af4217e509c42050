//! What a service keeps for a shorter time than the operator does, as the API shows and sets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    input::{Faults, Patch},
    service_settings::set,
    wire::Count,
};
use crate::{domain::retention::RetentionRules, store::Db};

/// Days that data of a service is kept; null for as long as the operator keeps it.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the wire names say the unit")]
pub(super) struct Retention {
    /// Words of texts, where `keep_texts` or `content/keep_originals` keeps them.
    texts_days: Option<u32>,
    /// The log.
    log_days: Option<u32>,
    /// Sessions, after their end. One of which anything is in the log stays until that is gone.
    sessions_days: Option<u32>,
}

/// The same, as it is set. `null` goes back to what the operator has, which is also the most.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "texts_days": 7, "log_days": 90, "sessions_days": 90 }))]
#[expect(clippy::struct_field_names, reason = "the wire names say the unit")]
pub(super) struct RetentionSettings {
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650)]
    #[serde(default)]
    texts_days: Patch<Count>,
    #[schema(value_type = Option<u32>, minimum = 31, maximum = 3650)]
    #[serde(default)]
    log_days: Patch<Count>,
    #[schema(value_type = Option<u32>, minimum = 31, maximum = 3650)]
    #[serde(default)]
    sessions_days: Patch<Count>,
}

impl From<RetentionRules> for Retention {
    fn from(rules: RetentionRules) -> Self {
        let RetentionRules { texts, log, sessions } = rules;
        Self { texts_days: texts, log_days: log, sessions_days: sessions }
    }
}

impl RetentionSettings {
    /// Writes what was named into `rules`.
    pub(super) fn apply(&self, rules: &mut RetentionRules) {
        let days = |count: &Count| Some(u32::try_from(count.0).unwrap_or(u32::MAX));
        set(&self.texts_days, &None, &mut rules.texts, days);
        set(&self.log_days, &None, &mut rules.log, days);
        set(&self.sessions_days, &None, &mut rules.sessions, days);
    }
}

/// Refuses what is longer than the operator keeps it, and within what anybody may have.
pub(super) fn check(rules: &RetentionRules, faults: &mut Faults, db: &Db) {
    for (field, most) in rules.longer(db.retention()) {
        faults.add(
            format!("/{field}"),
            "too_long",
            format!("must be at most {most} days: the operator keeps it no longer"),
        );
    }
}
