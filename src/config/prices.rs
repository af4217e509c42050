//! `[[prices]]`: what carriers cost where they do not say it themselves.

use std::collections::BTreeSet;

use toml::Value;

use super::{CarrierConfig, reader::Reader};
use crate::domain::{
    budget::Budget,
    price::{Per, Price},
};

/// One `[[prices]]` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceEntry {
    /// The carrier's id in the settings.
    pub carrier: String,
    /// The calling code of whoever is reached; `None` for all that have no entry of their own.
    pub code: Option<u16>,
    /// What it is for.
    pub per: Per,
    /// What it costs.
    pub price: Price,
}

const CODE: &str = "a calling code, such as \"+44\"";
const COUNT: &str = "a whole number from 0 to 1000000000";
const PER: &str = "\"segment\", \"media\", \"call\", \"minute\" or \"inbound_minute\"";
const PRICE: &str = "an amount and a currency, such as \"0.0075 USD\"";

/// An amount and a currency.
fn money(value: &Value) -> Option<Price> {
    Price::parse_both(value.as_str()?)
}

pub(super) fn prices(reader: &mut Reader<'_>, carriers: &[CarrierConfig]) -> Vec<PriceEntry> {
    let entries = match reader.take("prices") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            reader.fault("prices", "must be a list of tables: `[[prices]]`");
            Vec::new()
        }
    };
    let (mut prices, mut known) = (Vec::new(), BTreeSet::new());
    for (at, entry) in entries.into_iter().enumerate() {
        let key = format!("prices.{at}");
        let Value::Table(table) = entry else {
            reader.fault(&key, "must be a table: `[[prices]]`");
            continue;
        };
        let price = reader.below(&key, table, |entry| price(entry, carriers));
        let Some(price) = price else { continue };
        if known.insert((price.carrier.clone(), price.code, price.per)) {
            prices.push(price);
        } else {
            reader.fault(&key, "says again what another entry says");
        }
    }
    prices
}

/// What may be spent for each account.
pub(super) fn account_budget(section: &mut Reader<'_>) -> Budget {
    Budget {
        per_day: section.optional("per_day", PRICE, money),
        per_month: section.optional("per_month", PRICE, money),
        texts: section.optional("texts_per_day", COUNT, count),
        minutes: section.optional("minutes_per_day", COUNT, count),
    }
}

/// What may be spent at a carrier.
pub(super) fn carrier_budget(entry: &mut Reader<'_>) -> Budget {
    Budget {
        per_day: entry.optional("budget_per_day", PRICE, money),
        per_month: entry.optional("budget_per_month", PRICE, money),
        texts: entry.optional("texts_per_day", COUNT, count),
        minutes: entry.optional("minutes_per_day", COUNT, count),
    }
}

/// How many a day.
fn count(value: &Value) -> Option<u64> {
    let count = value.as_integer().and_then(|count| u64::try_from(count).ok());
    count.filter(|count| *count <= 1_000_000_000)
}

fn price(entry: &mut Reader<'_>, carriers: &[CarrierConfig]) -> Option<PriceEntry> {
    let before = entry.faults_so_far();
    let carrier = entry.optional("carrier", "the id of a carrier in the settings", |value| {
        let id = value.as_str()?;
        carriers.iter().any(|one| one.id == id).then(|| id.to_owned())
    });
    let code = entry.optional("code", CODE, |value| {
        let digits = value.as_str()?.strip_prefix('+')?;
        let plain = (1..=3).contains(&digits.len()) && !digits.starts_with('0');
        digits.parse::<u16>().ok().filter(|_| plain && !digits.starts_with('+'))
    });
    let per = entry.optional("per", PER, |value| Per::parse(value.as_str()?));
    let price = entry.optional("price", PRICE, money);
    let whole = carrier.is_some() && per.is_some() && price.is_some();
    if !whole && entry.faults_so_far() == before {
        entry.fault("price", "and `carrier` and `per` are needed together");
    }
    Some(PriceEntry { carrier: carrier?, code, per: per?, price: price? })
}
