//! What is Twilio's own about buying numbers: its sorts, and a price list.

use http::Method;
use serde_json::Value;

use super::{Request, Twilio, is_sid, number};
use crate::{
    carrier::{
        provisioning::{NumberKind, Search},
        twiml::{
            self, Account,
            provision::{Buyer, Dialect},
        },
    },
    domain::price::Price,
};

static DIALECT: Dialect = Dialect {
    number: &number::DIALECT,
    is_number: |id| is_sid("PN", id),
    sorts: &[
        (NumberKind::Local, "Local"),
        (NumberKind::Mobile, "Mobile"),
        (NumberKind::TollFree, "TollFree"),
        (NumberKind::National, "National"),
    ],
    narrows: true,
    papers: true,
    too_new: None,
};

/// The name of a sort in the price list.
const fn name(kind: NumberKind) -> &'static str {
    match kind {
        NumberKind::Local => "local",
        NumberKind::Mobile => "mobile",
        NumberKind::TollFree => "toll free",
        NumberKind::National => "national",
    }
}

impl Buyer for Twilio {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn account(&self) -> &dyn Account {
        &self.config
    }

    fn price_list(&self, search: &Search) -> Option<Request> {
        let url = self.config.pricing_url(&format!("/PhoneNumbers/Countries/{}", search.country));
        Some(twiml::authorized(&self.config, Request::new(Method::GET, url)))
    }

    fn price(&self, search: &Search, answer: &Value) -> Option<Price> {
        let sorts = answer["phone_number_prices"].as_array()?;
        let one = sorts.iter().find(|one| one["number_type"] == name(search.kind))?;
        Price::parse(one["current_price"].as_str()?, answer["price_unit"].as_str()?)
    }
}
