//! What is `SignalWire`'s own about buying numbers: it sells two sorts, and searches them by digits alone.

use super::{SignalWire, is_id, number};
use crate::carrier::{
    provisioning::NumberKind,
    twiml::{
        Account,
        provision::{Buyer, Dialect},
    },
};

static DIALECT: Dialect = Dialect {
    number: &number::DIALECT,
    is_number: is_id,
    sorts: &[(NumberKind::Local, "Local"), (NumberKind::TollFree, "TollFree")],
    narrows: false,
    papers: false,
    // Two weeks after it was bought, and a month in a trial.
    too_new: Some("22121"),
};

impl Buyer for SignalWire {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn account(&self) -> &dyn Account {
        &self.config
    }
}
