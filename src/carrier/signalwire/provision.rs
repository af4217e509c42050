//! What is `SignalWire`'s own about buying numbers: it sells two sorts, and searches them by digits alone.

use super::{SignalWire, is_id, number, send};
use crate::carrier::{
    provisioning::NumberKind,
    twiml::provision::{Account, Dialect},
};

static DIALECT: Dialect = Dialect {
    rest: &send::DIALECT,
    number: &number::DIALECT,
    is_number: is_id,
    sorts: &[(NumberKind::Local, "Local"), (NumberKind::TollFree, "TollFree")],
    narrows: false,
    papers: false,
    // Two weeks after it was bought, and a month in a trial.
    too_new: Some("22121"),
};

impl Account for SignalWire {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn account_url(&self, path: &str) -> String {
        self.config.account_url(path)
    }

    fn authorization(&self) -> String {
        self.config.authorization()
    }
}
