//! Numbers that the network sells: fictional ones, out of ranges that nothing else here uses.

use std::collections::BTreeMap;

use super::network::Network;
use crate::domain::phone::ProxyNumber;

/// The most numbers that are sold.
const SOLD_MAX: usize = 10_000;
/// The most characters of a number's settings.
const SETTINGS_MAX: usize = 2_000;
/// How many numbers a list has at most.
const LISTED_MAX: usize = 100;

/// A range of the stock.
struct Range {
    country: &'static str,
    kind: &'static str,
    area: &'static str,
    /// Before the last digits, without the plus.
    prefix: &'static str,
    /// How many last digits there are.
    digits: usize,
    first: u32,
    last: u32,
    /// Without pictures, where it has none.
    mms: bool,
    /// In hundredths.
    price: u32,
    currency: &'static str,
}

const fn us(area: &'static str, prefix: &'static str) -> Range {
    let (country, kind, currency) = ("US", "local", "USD");
    Range {
        country,
        kind,
        area,
        prefix,
        digits: 4,
        first: 100,
        last: 199,
        mms: true,
        price: 115,
        currency,
    }
}

/// +1 NPA 555 01xx, +44 7700 900xxx and +33 9 37: no subscriber has any of them, or they are for masks.
const RANGES: &[Range] = &[
    us("628", "1628555"),
    us("737", "1737555"),
    us("872", "1872555"),
    Range {
        country: "GB",
        kind: "mobile",
        area: "7700",
        prefix: "44770090",
        digits: 4,
        first: 700,
        last: 799,
        mms: false,
        price: 120,
        currency: "GBP",
    },
    Range {
        country: "FR",
        kind: "national",
        area: "937",
        prefix: "339379",
        digits: 5,
        first: 0,
        last: 999,
        mms: false,
        price: 150,
        currency: "EUR",
    },
];

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// ISO 3166 alpha-2 code.
    pub country: String,
    /// `local`, `mobile`, `national`; empty for any.
    pub kind: String,
    /// Digits of the area; empty for any.
    pub area: String,
    /// Digits somewhere in it; empty for any.
    pub contains: String,
    /// Whether it must take pictures.
    pub mms: bool,
    /// How many at most.
    pub limit: usize,
}

/// A number of the stock, or of the customer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rented {
    /// The digits, with the plus.
    pub number: String,
    /// `local`, `mobile`, `national`.
    pub kind: &'static str,
    /// Whether it takes pictures.
    pub mms: bool,
    /// What it costs a month, in hundredths.
    pub price: u32,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// Whatever the customer keeps with it; the network does nothing with it.
    pub settings: String,
}

/// It is not on sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSale;

/// The stock.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// The customer's numbers with their settings: bought ones, and others that were set.
    sold: BTreeMap<String, String>,
}

impl Range {
    fn numbers(&self) -> impl Iterator<Item = String> {
        let (prefix, digits) = (self.prefix, self.digits);
        (self.first..=self.last).map(move |place| format!("+{prefix}{place:0digits$}"))
    }

    fn has(&self, number: &str) -> bool {
        let rest = number.strip_prefix('+').and_then(|number| number.strip_prefix(self.prefix));
        let rest = rest.filter(|rest| rest.len() == self.digits);
        let place = rest.and_then(|rest| rest.parse::<u32>().ok());
        place.is_some_and(|place| (self.first..=self.last).contains(&place))
    }

    fn rented(&self, number: String, settings: String) -> Rented {
        let Self { kind, mms, price, currency, .. } = *self;
        Rented { number, kind, mms, price, currency, settings }
    }
}

fn range_of(number: &str) -> Option<&'static Range> {
    RANGES.iter().find(|range| range.has(number))
}

impl Stock {
    /// Sells a number.
    pub(super) fn sell(&mut self, number: &str) -> Result<(), NoSale> {
        let free = range_of(number).is_some() && !self.sold.contains_key(number);
        if !free || self.sold.len() >= SOLD_MAX {
            return Err(NoSale);
        }
        self.sold.insert(number.to_owned(), String::new());
        Ok(())
    }

    fn on_sale(&self, wish: &Wish) -> Vec<Rented> {
        let fits = |range: &&Range| {
            range.country == wish.country
                && (wish.kind.is_empty() || range.kind == wish.kind)
                && range.area.starts_with(&wish.area)
                && (range.mms || !wish.mms)
        };
        let free =
            |number: &String| number.contains(&wish.contains) && !self.sold.contains_key(number);
        RANGES
            .iter()
            .filter(fits)
            .flat_map(|range| {
                range.numbers().filter(free).map(|one| range.rented(one, String::new()))
            })
            .take(wish.limit.min(LISTED_MAX))
            .collect()
    }

    /// A number of the customer's: one that was bought, or any that the stock never had.
    fn rented(&self, number: &str) -> Option<Rented> {
        let settings = self.sold.get(number).cloned();
        match (range_of(number), settings) {
            (Some(_), None) => None,
            (Some(range), Some(settings)) => Some(range.rented(number.to_owned(), settings)),
            (None, settings) => Some(Rented {
                number: ProxyNumber::parse(number).ok()?.as_str().to_owned(),
                kind: "local",
                mms: true,
                price: 0,
                currency: "USD",
                settings: settings.unwrap_or_default(),
            }),
        }
    }
}

impl Network {
    /// Numbers on sale.
    pub fn on_sale(&self, wish: &Wish) -> Vec<Rented> {
        self.lock().stock.on_sale(wish)
    }

    /// A number, if it is the customer's.
    pub fn rented(&self, number: &str) -> Option<Rented> {
        self.lock().stock.rented(number)
    }

    /// Those that were bought or set, after `after` in order of their digits.
    pub fn all_rented(&self, after: &str) -> Vec<Rented> {
        let state = self.lock();
        let stock = &state.stock;
        stock
            .sold
            .keys()
            .filter(|number| number.as_str() > after)
            .filter_map(|number| stock.rented(number))
            .take(LISTED_MAX)
            .collect()
    }

    /// Keeps settings with a number of the customer's; whether it is one.
    pub fn set_number(&self, number: &str, settings: String) -> bool {
        let mut state = self.lock();
        let stock = &mut state.stock;
        let fits = settings.len() <= SETTINGS_MAX && stock.rented(number).is_some();
        let room = stock.sold.contains_key(number) || stock.sold.len() < SOLD_MAX;
        if fits && room {
            stock.sold.insert(number.to_owned(), settings);
        }
        fits && room
    }

    /// Takes a number back; whether it was the customer's and of the stock.
    pub fn give_back(&self, number: &str) -> bool {
        range_of(number).is_some() && self.lock().stock.sold.remove(number).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(country: &str, area: &str, contains: &str) -> Wish {
        let (area, contains) = (area.into(), contains.into());
        Wish { country: country.into(), area, contains, limit: 3, ..Wish::default() }
    }

    /// A number is on sale until it is bought, bought once, and on sale again once it is given back; one
    /// that was never on sale is the customer's anyhow.
    #[test]
    fn a_number_is_sold_once() {
        let mut stock = Stock::default();
        let found = stock.on_sale(&wish("US", "737", ""));
        let numbers: Vec<&str> = found.iter().map(|one| one.number.as_str()).collect();
        assert_eq!(numbers, ["+17375550100", "+17375550101", "+17375550102"]);
        assert_eq!(stock.rented("+17375550100"), None);
        assert_eq!(stock.sell("+17375550100"), Ok(()));
        assert_eq!(stock.sell("+17375550100"), Err(NoSale));
        assert_eq!(stock.sell("+14155550100"), Err(NoSale));
        assert!(stock.rented("+17375550100").is_some() && stock.rented("+14155550100").is_some());
        assert_eq!(stock.on_sale(&wish("US", "737", "0100")), []);
        assert_eq!(stock.on_sale(&wish("DE", "", "")), []);
        assert_eq!(stock.on_sale(&wish("FR", "", "937900999")).len(), 1);
        stock.sold.remove("+17375550100");
        assert_eq!(stock.on_sale(&wish("US", "737", "0100")).len(), 1);
    }
}
