//! What is Twilio's own about buying numbers: its sorts, and a price list.

use http::Method;
use serde_json::Value;

use super::{Request, Twilio, is_sid, number, send};
use crate::{
    carrier::{
        provisioning::{NumberKind, Search},
        twiml::provision::{Account, Dialect},
    },
    domain::price::Price,
};

static DIALECT: Dialect = Dialect {
    rest: &send::DIALECT,
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

impl Account for Twilio {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn account_url(&self, path: &str) -> String {
        self.config.account_url(path)
    }

    fn authorization(&self) -> String {
        self.config.authorization()
    }

    fn price_list(&self, search: &Search) -> Option<Request> {
        let url = self.config.pricing_url(&format!("/PhoneNumbers/Countries/{}", search.country));
        Some(send::authorized(&self.config, Request::new(Method::GET, url)))
    }

    fn price(&self, search: &Search, answer: &Value) -> Option<Price> {
        let sorts = answer["phone_number_prices"].as_array()?;
        let one = sorts.iter().find(|one| one["number_type"] == name(search.kind))?;
        Price::parse(one["current_price"].as_str()?, answer["price_unit"].as_str()?)
    }
}
