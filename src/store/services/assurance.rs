//! The stored form of a service's rules on who calls.

use serde::{Deserialize, Serialize};

use crate::domain::assurance::{AssuranceRules, Treatment};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredAssurance {
    a: String,
    b: String,
    c: String,
    failed: String,
    none: String,
    pin_for_withheld: bool,
    pin_from_any_phone: bool,
    pin_fallback: bool,
}

impl StoredAssurance {
    pub(super) fn new(rules: AssuranceRules) -> Self {
        Self {
            a: rules.a.as_str().into(),
            b: rules.b.as_str().into(),
            c: rules.c.as_str().into(),
            failed: rules.failed.as_str().into(),
            none: rules.none.as_str().into(),
            pin_for_withheld: rules.pin_for_withheld,
            pin_from_any_phone: rules.pin_from_any_phone,
            pin_fallback: rules.pin_fallback,
        }
    }

    pub(super) fn read(&self) -> Option<AssuranceRules> {
        Some(AssuranceRules {
            a: Treatment::parse(&self.a)?,
            b: Treatment::parse(&self.b)?,
            c: Treatment::parse(&self.c)?,
            failed: Treatment::parse(&self.failed)?,
            none: Treatment::parse(&self.none)?,
            pin_for_withheld: self.pin_for_withheld,
            pin_from_any_phone: self.pin_from_any_phone,
            pin_fallback: self.pin_fallback,
        })
    }
}
