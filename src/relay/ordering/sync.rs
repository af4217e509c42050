//! Compares the inventory with what a carrier has, over all accounts.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::ask::unsupported;
use crate::{
    carrier::{NumberFault, Provisioning, SendError, provisioning::Held},
    domain::phone::ProxyNumber,
    relay::{Configured, Error, Relay},
    store::numbers::{self, Number},
};

/// How many numbers are compared at most.
const NUMBERS_MAX: i64 = 100_000;
/// How many are asked about at once: below every carrier's limit.
const AT_ONCE: usize = 4;

/// In what the inventory and the carrier differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The inventory has it, and the carrier's account does not.
    MissingThere,
    /// The carrier's account has it, and no inventory does.
    UnknownHere,
    /// It is to do what it can't do at the carrier.
    Unable,
    /// Its calls or texts go elsewhere, or may be lost.
    Wrong(Vec<NumberFault>),
    /// The same, and it was set right now.
    Fixed,
}

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// How many numbers the inventories have there.
    pub here: usize,
    /// How many the carrier listed.
    pub there: usize,
    /// In order of the numbers' digits.
    pub differences: Vec<(ProxyNumber, Difference)>,
}

impl Relay {
    /// Compares what all accounts have at a carrier with what the carrier has; with `fix` webhooks that
    /// are wrong are set.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::CarrierUnable`]; [`Error::Carrier`] where it could not be asked.
    pub async fn sync_numbers(&self, carrier: &str, fix: bool) -> Result<Synced, Error> {
        let (carrier, provisioning) = self.provisioner(carrier)?;
        let listed = self.all_held(carrier, provisioning).await?;
        let there = listed.len();
        let mut listed: BTreeMap<ProxyNumber, Held> =
            listed.into_iter().map(|held| (held.number.clone(), held)).collect();
        let mut tx = self.db.read().await?;
        let here = numbers::of_carrier(&mut tx, &carrier.id, NUMBERS_MAX).await?;
        drop(tx);
        let pairs: Vec<(Number, Option<Held>)> = here
            .into_iter()
            .map(|number| {
                let held = listed.remove(&number.number);
                (number, held)
            })
            .collect();
        let here = pairs.len();
        let compared = pairs
            .iter()
            .map(|(number, held)| self.compare(carrier, provisioning, number, held.as_ref(), fix));
        let mut compared = stream::iter(compared).buffered(AT_ONCE);
        let mut differences = Vec::new();
        while let Some(one) = compared.next().await {
            differences.extend(one?);
        }
        for number in listed.into_keys() {
            // One that is being bought or given back at this moment is none.
            let mut tx = self.db.read().await?;
            if crate::store::number_orders::under_way(&mut tx, &number).await?.is_none() {
                differences.push((number, Difference::UnknownHere));
            }
        }
        differences.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(Synced { here, there, differences })
    }

    async fn compare(
        &self,
        carrier: &Configured,
        provisioning: &dyn Provisioning,
        number: &Number,
        held: Option<&Held>,
        fix: bool,
    ) -> Result<Option<(ProxyNumber, Difference)>, Error> {
        let differs = |what| Ok(Some((number.number.clone(), what)));
        // Lists may be behind: what is not on it is asked for by its digits.
        let held = match held {
            Some(held) => Some(held.clone()),
            None => self.held_there(carrier, provisioning, &number.number).await?,
        };
        let Some(held) = held else { return differs(Difference::MissingThere) };
        if held.can.is_some_and(|can| !can.covers(number.capabilities)) {
            return differs(Difference::Unable);
        }
        let faults = self.number_faults(carrier, number).await?;
        if faults.is_empty() {
            return Ok(None);
        }
        if !fix {
            return differs(Difference::Wrong(faults));
        }
        let requests = provisioning.configure(&held, number.capabilities, &carrier.links);
        self.change_there(carrier, provisioning, "number_set", requests).await?;
        let left = self.number_faults(carrier, number).await?;
        let grave = left.iter().any(|fault| fault.grave);
        differs(if grave { Difference::Wrong(left) } else { Difference::Fixed })
    }

    async fn number_faults(
        &self,
        carrier: &Configured,
        number: &Number,
    ) -> Result<Vec<NumberFault>, SendError> {
        let adapter = &carrier.adapter;
        let Some(request) = adapter.number(&number.number) else { return Ok(Vec::new()) };
        self.tell(carrier, "number_look", request, |response| {
            let read = response.status.is_success().then(|| {
                let can = number.capabilities;
                adapter.number_faults(&number.number, can, &carrier.links, response)
            });
            read.flatten().ok_or_else(unsupported)
        })
        .await
    }
}
