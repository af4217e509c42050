//! The configured carriers, by id.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{budgets::Budgets, inbound::Source, prices::Prices};
use crate::{
    carrier::{Carrier, Links},
    domain::rate::Rates,
    privacy::Keyring,
};

/// One configured carrier.
#[derive(Debug, Clone)]
pub struct Configured {
    /// Its id: a part of the hook paths.
    pub id: String,
    /// Which kind it is.
    pub kind: &'static str,
    /// The adapter.
    pub adapter: Arc<dyn Carrier>,
    /// Our addresses for it.
    pub links: Links,
    /// Whether accounts may buy its numbers by API: with the operator's money.
    pub buying: bool,
}

/// All of them; the first is the default.
#[derive(Debug, Default)]
pub struct Carriers {
    by_id: BTreeMap<String, Configured>,
    order: Vec<String>,
    /// Whether there is a store for files.
    keeps: AtomicBool,
    rates: BTreeMap<String, Rates>,
    prices: Prices,
    budgets: Budgets,
}

/// What is said where something else than a configured carrier is named.
pub fn must_be_one_of<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let ids: Vec<&str> = ids.into_iter().collect();
    format!("must be a configured carrier: {}", ids.join(", "))
}

impl Carriers {
    /// In order of the configuration.
    pub fn new(list: Vec<Configured>) -> Self {
        let order = list.iter().map(|one| one.id.clone()).collect();
        let by_id = list.into_iter().map(|one| (one.id.clone(), one)).collect();
        Self {
            by_id,
            order,
            keeps: AtomicBool::new(false),
            rates: BTreeMap::new(),
            prices: Prices::default(),
            budgets: Budgets::default(),
        }
    }

    /// The same, of which the one with that id is sent so much and no more.
    #[must_use]
    pub fn at_rates(mut self, id: &str, rates: Rates) -> Self {
        self.rates.insert(id.to_owned(), rates);
        self
    }

    /// The same, which cost so much where they do not say it themselves.
    #[must_use]
    pub fn at_prices(self, prices: Prices) -> Self {
        Self { prices, ..self }
    }

    /// What they cost where they do not say it themselves.
    pub(super) const fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The same, of which no more may be spent.
    #[must_use]
    pub fn within(self, budgets: Budgets) -> Self {
        Self { budgets, ..self }
    }

    /// What may be spent.
    pub(super) const fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// How much the one with that id is sent.
    pub(super) fn rates(&self, id: &str) -> Rates {
        self.rates.get(id).copied().unwrap_or_default()
    }

    /// The same, whose addresses are sealed under `ring`.
    pub(super) fn sealed(mut self, ring: &Keyring) -> Self {
        for (id, one) in &mut self.by_id {
            one.links = one.links.clone().sealed(ring.sign("carrier addresses", id.as_bytes()));
        }
        self
    }

    /// Says whether there is a store for files.
    pub(super) fn set_keeps(&self, keeps: bool) {
        self.keeps.store(keeps, Ordering::Relaxed);
    }

    /// Whether there is a store for files.
    pub(super) fn keep_files(&self) -> bool {
        self.keeps.load(Ordering::Relaxed)
    }

    /// The one with that id.
    pub fn get(&self, id: &str) -> Option<&Configured> {
        self.by_id.get(id)
    }

    /// The one with that id, or what must be named instead, in words.
    ///
    /// # Errors
    /// As [`must_be_one_of`] says it.
    pub fn known(&self, id: &str) -> Result<&Configured, String> {
        self.get(id).ok_or_else(|| must_be_one_of(self.order.iter().map(String::as_str)))
    }

    /// Where something came from that this carrier told.
    pub(super) fn source<'a>(&'a self, carrier: &'a str) -> Source<'a> {
        let adapter = self.get(carrier).map(|one| &*one.adapter);
        Source { carrier, adapter, keeps: self.keeps.load(Ordering::Relaxed) }
    }

    /// The first one.
    pub fn default_id(&self) -> Option<&str> {
        self.order.first().map(String::as_str)
    }

    /// All, in order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Configured> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }
}
