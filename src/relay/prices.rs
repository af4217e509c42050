//! What texts and calls cost where their carrier does not say: by the settings' table.

use std::collections::HashMap;

use super::{Error, Relay};
use crate::{
    domain::{
        interaction::Kind,
        price::{Per, Price},
    },
    store::{
        charges::{self, Charge},
        legs::Direction,
    },
};

/// How many are priced in one transaction.
const BATCH: i64 = 200;

/// A table of prices: by carrier, calling code (`None` for all others) and what it is for.
#[derive(Debug, Clone, Default)]
pub struct Prices(HashMap<(String, Option<u16>, Per), Price>);

impl Prices {
    /// Adds a price, or replaces it.
    pub fn add(&mut self, carrier: &str, code: Option<u16>, per: Per, price: Price) {
        self.0.insert((carrier.to_owned(), code, per), price);
    }

    fn get(&self, carrier: &str, code: Option<u16>, per: Per) -> Option<Price> {
        let price = |code| self.0.get(&(carrier.to_owned(), code, per)).copied();
        code.and_then(|code| price(Some(code))).or_else(|| price(None))
    }

    /// What something cost; `None` where the table does not say, or says two currencies.
    pub fn of(&self, charge: &Charge) -> Option<Price> {
        let price = |per| self.get(&charge.carrier, charge.code, per);
        if charge.kind == Kind::Message {
            return match charge.segments {
                Some(0) => price(Per::Media),
                parts => price(Per::Segment)?.times(parts.unwrap_or(1)),
            };
        }
        let minutes = charge.lasted.unwrap_or_default().as_secs().div_ceil(60);
        if charge.direction == Direction::Inbound {
            return price(Per::InboundMinute)?.times(minutes);
        }
        match (price(Per::Call), price(Per::Minute)) {
            (Some(call), Some(minute)) => call.plus(minute.times(minutes)?),
            (Some(call), None) => Some(call),
            (None, Some(minute)) => minute.times(minutes),
            (None, None) => None,
        }
    }
}

impl Relay {
    /// Prices by the table what no carrier has priced; how much it was.
    pub async fn price_charges(&self) -> Result<usize, Error> {
        let mut all = 0;
        if charges::without_price(&mut self.db.read().await?, 1).await?.is_empty() {
            return Ok(all);
        }
        loop {
            let prices = self.carriers.prices().clone();
            let priced = self
                .db
                .write(move |tx| {
                    let prices = prices.clone();
                    Box::pin(async move {
                        let charges = charges::without_price(tx, BATCH).await?;
                        for charge in &charges {
                            charges::by_table(tx, charge, prices.of(charge)).await?;
                        }
                        Ok::<_, Error>(charges.len())
                    })
                })
                .await?;
            all += priced;
            if priced < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::{AccountId, InteractionId, LegId};

    fn charge(kind: Kind, direction: Direction, code: Option<u16>) -> Charge {
        Charge {
            account: AccountId::parse(&format!("AC{:032x}", 1)).unwrap(),
            leg: LegId::parse(&format!("LG{:032x}", 1)).unwrap(),
            interaction: InteractionId::parse(&format!("KI{:032x}", 1)).unwrap(),
            carrier: "a".into(),
            kind,
            direction,
            code,
            segments: None,
            lasted: None,
            price: None,
            source: None,
        }
    }

    /// A text costs its parts, or once what a picture does, a call its minutes that were begun and what each call costs; the price of
    /// its own country comes before that of all others, and another carrier's is none.
    #[test]
    fn the_table_says_what_it_costs() {
        let mut prices = Prices::default();
        let price = |text| Price::parse_both(text).unwrap();
        prices.add("a", Some(44), Per::Segment, price("0.04 GBP"));
        prices.add("a", None, Per::Segment, price("0.1 EUR"));
        prices.add("a", None, Per::Minute, price("0.01 EUR"));
        prices.add("a", Some(44), Per::Call, price("0.5 EUR"));
        prices.add("b", None, Per::InboundMinute, price("1 EUR"));
        let of = |charge: &Charge| prices.of(charge).map(|price| price.to_string());
        let mut text = charge(Kind::Message, Direction::Outbound, Some(44));
        assert_eq!(of(&text).as_deref(), Some("0.04 GBP"));
        text.segments = Some(3);
        assert_eq!(of(&text).as_deref(), Some("0.12 GBP"));
        for code in [Some(33), None] {
            assert_eq!(of(&Charge { code, ..text.clone() }).as_deref(), Some("0.30 EUR"));
        }
        assert_eq!(of(&Charge { carrier: "b".into(), ..text.clone() }), None);
        text.segments = Some(0);
        assert_eq!(of(&text), None);
        prices.add("a", None, Per::Media, price("0.2 EUR"));
        let of = |charge: &Charge| prices.of(charge).map(|price| price.to_string());
        assert_eq!(of(&text).as_deref(), Some("0.20 EUR"));
        let mut call = charge(Kind::Call, Direction::Outbound, Some(33));
        for (seconds, cost) in
            [(0, "0.00 EUR"), (1, "0.01 EUR"), (60, "0.01 EUR"), (61, "0.02 EUR")]
        {
            call.lasted = Some(Duration::from_secs(seconds));
            assert_eq!(of(&call).as_deref(), Some(cost));
        }
        assert_eq!(of(&Charge { code: Some(44), ..call.clone() }).as_deref(), Some("0.52 EUR"));
        assert_eq!(of(&Charge { direction: Direction::Inbound, ..call }), None);
    }
}
