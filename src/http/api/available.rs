//! Numbers on sale at carriers.

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, NumbersRead},
    input::{self, bad_parameters},
    numbers::abilities,
    wire::{Capability, NumberKind, NumberWant},
    write,
};
use crate::{
    carrier::provisioning::{self, Offer},
    domain::{pool::Capabilities, price::decimal},
    http::problem::{FieldFault, Problem},
    relay::Criteria,
};

/// How many numbers are shown.
const LIMIT: u64 = 20;
const LIMIT_MAX: u64 = 50;

/// Which numbers are looked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The carrier's id in the configuration; the first one by default.
    carrier: Option<String>,
    /// ISO 3166 alpha-2 code.
    #[param(required = true, example = "US")]
    country: Option<String>,
    /// The sort; `local` by default.
    #[param(value_type = Option<NumberKind>)]
    r#type: Option<NumberKind>,
    /// Digits of the area code.
    #[param(example = "415")]
    area: Option<String>,
    /// Digits that are somewhere in the number.
    contains: Option<String>,
    /// What it must be able to do: `voice`, `sms`, `mms`, with commas between.
    #[param(example = "voice,sms")]
    capabilities: Option<String>,
    /// How many at most: 1 to 50, 20 by default.
    #[param(value_type = Option<u8>, minimum = 1, maximum = 50)]
    limit: Option<String>,
}

/// A number that a carrier would sell.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AvailableNumber {
    /// E.164.
    #[schema(example = "+14155550100")]
    number: String,
    /// The carrier's id in the configuration.
    carrier: String,
    country: String,
    r#type: NumberKind,
    capabilities: Vec<Capability>,
    /// A decimal; null where the carrier does not say.
    #[schema(example = "1.15")]
    monthly_price: Option<String>,
    /// ISO 4217 code.
    currency: Option<String>,
    /// What the carrier wants first.
    requires: Vec<NumberWant>,
}

/// Numbers on sale.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AvailableNumbers {
    data: Vec<AvailableNumber>,
}

fn bad(name: &'static str, allowed: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    bad_parameters([FieldFault::parameter(name, "invalid", allowed)])
}

impl Wanted {
    fn limit(&self) -> Result<u8, Problem> {
        let limit = self.limit.as_ref().map_or(Some(LIMIT), |text| text.parse().ok());
        let limit = limit.filter(|limit| (1..=LIMIT_MAX).contains(limit));
        limit
            .and_then(|limit| u8::try_from(limit).ok())
            .ok_or_else(|| bad("limit", "must be between 1 and 50"))
    }

    fn criteria(&self) -> Result<Criteria, Problem> {
        let can = self.capabilities.as_ref().map_or(Some(Capabilities::default()), |text| {
            Capabilities::parse(&text.replace(',', "|"))
        });
        let criteria = Criteria {
            country: self.country.clone().ok_or_else(|| bad("country", "is missing"))?,
            kind: self.r#type.map_or(provisioning::NumberKind::Local, |kind| kind.0),
            area: self.area.clone(),
            contains: self.contains.clone(),
            can: can.ok_or_else(|| bad("capabilities", "must be of voice, sms and mms"))?,
        };
        match criteria.faults().first() {
            Some((name, allowed)) => Err(bad(name, *allowed)),
            None => Ok(criteria),
        }
    }
}

fn shown(carrier: &str, country: &str, offer: Offer) -> AvailableNumber {
    let price = offer.price;
    AvailableNumber {
        number: offer.number.as_str().to_owned(),
        carrier: carrier.to_owned(),
        country: country.to_owned(),
        r#type: NumberKind(offer.kind),
        capabilities: abilities(offer.can),
        monthly_price: price.map(|price| decimal(price.micros())),
        currency: price.map(|price| price.currency().as_str().to_owned()),
        requires: offer.wants.into_iter().map(NumberWant).collect(),
    }
}

/// Numbers on sale at a carrier. Asks the carrier, and costs nothing.
#[utoipa::path(
    get,
    path = "/api/v1/available-numbers",
    tag = "Number orders",
    operation_id = "listAvailableNumbers",
    params(Wanted),
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "Numbers on sale", body = AvailableNumbers)),
)]
pub(super) async fn search(
    State(api): State<Api>,
    _: Granted<NumbersRead>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (wanted, _) = input::query::<Wanted>(query.as_deref().unwrap_or_default(), &[])?;
    let relay = &api.0.relay;
    let (criteria, limit) = (wanted.criteria()?, wanted.limit()?);
    let carrier = wanted.carrier.as_deref().or_else(|| relay.carriers().default_id());
    let carrier = carrier.unwrap_or_default();
    relay.carriers().known(carrier).map_err(|words| bad("carrier", words))?;
    let offers = relay.numbers_on_sale(carrier, &criteria, limit).await?;
    let data = offers.into_iter().map(|one| shown(carrier, &criteria.country, one)).collect();
    Ok(write::json(StatusCode::OK, &AvailableNumbers { data }))
}
