//! `entremise numbers search`.

use clap::Args;
use serde_json::json;

use super::desk::{Desk, capabilities, refusal, table};
use crate::{
    carrier::provisioning::{NumberKind, Offer, Want},
    cli::{ConfigFile, Failed, output},
    domain::{pool::Capabilities, price::decimal},
    relay::Criteria,
};

/// Which numbers would do.
#[derive(Debug, Clone, Args)]
pub(super) struct Search {
    /// ISO 3166 code of two letters, such as US; needed, unless a number is named.
    #[arg(long)]
    country: Option<String>,
    /// local, mobile, toll-free or national.
    #[arg(long = "type", value_name = "TYPE", default_value = "local", value_parser = kind)]
    kind: NumberKind,
    /// Digits of the area code, without a 0 before it.
    #[arg(long)]
    area: Option<String>,
    /// Digits that are somewhere in the number.
    #[arg(long)]
    contains: Option<String>,
    /// What it must be able to do, such as voice,sms.
    #[arg(long, value_parser = capabilities)]
    capabilities: Option<Capabilities>,
}

fn kind(text: &str) -> Result<NumberKind, String> {
    NumberKind::parse(text).ok_or_else(|| {
        let all: Vec<&str> = NumberKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("must be one of {}", all.join(", "))
    })
}

impl Search {
    pub(super) fn criteria(self) -> Result<Criteria, Failed> {
        let country = self.country.ok_or_else(|| Failed("--country is missing".into()))?;
        let criteria = Criteria {
            country: country.to_ascii_uppercase(),
            kind: self.kind,
            area: self.area,
            contains: self.contains,
            can: self.capabilities.unwrap_or_default(),
        };
        match criteria.faults().first() {
            Some((name, allowed)) => Err(Failed(format!("--{name} {allowed}"))),
            None => Ok(criteria),
        }
    }

    pub(super) const fn capabilities(&self) -> Option<Capabilities> {
        self.capabilities
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// The carrier's id in the configuration; the first one by default.
    #[arg(long, value_name = "ID")]
    carrier: Option<String>,
    #[command(flatten)]
    search: Search,
    /// How many at most.
    #[arg(long, default_value = "20", value_parser = clap::value_parser!(u8).range(1..=50))]
    limit: u8,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let Options { file, carrier, search, limit, json } = options;
    let criteria = search.criteria()?;
    let desk = Desk::open(&file).await?;
    let asked = async {
        let carrier = desk.carrier(carrier.as_deref())?;
        desk.relay.numbers_on_sale(&carrier, &criteria, limit).await.map_err(refusal)
    };
    let asked = asked.await;
    let offers = desk.close(asked).await?;
    if json {
        for offer in &offers {
            output::line(&object(offer).to_string());
        }
    } else if offers.is_empty() {
        output::line("none");
    } else {
        let rows: Vec<Vec<String>> = offers.iter().map(row).collect();
        table(&["number", "type", "can", "a month", "wants"], &rows);
    }
    Ok(())
}

fn price(offer: &Offer) -> String {
    offer.price.map_or_else(|| "not told".to_owned(), |price| price.to_string())
}

fn wants(offer: &Offer) -> Vec<&'static str> {
    offer.wants.iter().map(|want: &Want| want.as_str()).collect()
}

fn row(offer: &Offer) -> Vec<String> {
    vec![
        offer.number.as_str().to_owned(),
        offer.kind.as_str().to_owned(),
        offer.can.text(),
        price(offer),
        wants(offer).join(", "),
    ]
}

fn object(offer: &Offer) -> serde_json::Value {
    json!({
        "number": offer.number.as_str(),
        "type": offer.kind.as_str(),
        "capabilities": offer.can.text(),
        "monthly_price": offer.price.map(|price| decimal(price.micros())),
        "currency": offer.price.map(|price| price.currency().as_str().to_owned()),
        "requires": wants(offer),
    })
}
