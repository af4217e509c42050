//! Numbers that are in no inventory yet: which carrier's account has them. Asked outside any
//! transaction, and nothing is changed by asking.

use std::time::Instant;

use super::{Configured, Relay, deliver::asked};
use crate::carrier::{
    SendError,
    error::{Retry, SendErrorKind},
    number::{Rented, Wanted},
};

/// What carriers say of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookedUp {
    /// The carrier of that id has it.
    At(String, Rented),
    /// None that could tell has it.
    Nowhere,
    /// None that could tell has it, and the default carrier keeps no numbers that can be looked up
    /// so: whatever it is named, it is taken at its word.
    Untold,
}

impl Relay {
    /// Asks each carrier that keeps its customers' numbers for this one, the default one first.
    ///
    /// # Errors
    /// A carrier's, where one could not be asked and none of the others has it.
    pub async fn look_up_number(&self, wanted: &Wanted) -> Result<LookedUp, SendError> {
        let default = self.carriers.default_id();
        let (mut untold, mut trouble) = (default.is_none(), None);
        for carrier in self.carriers.iter() {
            match self.ask_for_number(carrier, wanted).await {
                Ok(Some(rented)) => return Ok(LookedUp::At(carrier.id.clone(), rented)),
                Ok(None) => {}
                Err(error) if error.kind == SendErrorKind::Unsupported => {
                    untold |= default == Some(carrier.id.as_str());
                }
                Err(error) => trouble = Some(error),
            }
        }
        match trouble {
            Some(error) => Err(error),
            None if untold => Ok(LookedUp::Untold),
            None => Ok(LookedUp::Nowhere),
        }
    }

    async fn ask_for_number(
        &self,
        carrier: &Configured,
        wanted: &Wanted,
    ) -> Result<Option<Rented>, SendError> {
        let unsupported = || SendError::new(SendErrorKind::Unsupported, Retry::Never);
        let request = carrier.adapter.rented(wanted).ok_or_else(unsupported)?;
        let started = Instant::now();
        let result = match self.client.send(self.authorized(carrier, request)).await {
            Ok(response) => carrier.adapter.rented_one(wanted, &response),
            Err(error) => Err(error),
        };
        asked(&carrier.id, "number", started, &result);
        result
    }
}
