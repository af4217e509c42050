//! Numbers that are bought, adopted and released at carriers.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, NumbersRead, NumbersWrite},
    error::not_found,
    input::Faults,
    numbers::{self, abilities, capabilities},
    paging::{Listing, Page, Paging},
    wire::{AtCarrier, Capability, Count, NumberKind, OrderFailure, OrderKind, OrderState, Time},
    write::{self, Write, answer},
};
use crate::{
    carrier::provisioning,
    domain::{phone::ProxyNumber, pool::Capabilities, price},
    http::problem::{Path, Problem},
    ids::{NumberId, NumberOrderId, ServiceId},
    relay::{self, Criteria, OrderNumber, ReleaseNumber, Which},
    store::number_orders,
};

/// The longest that a carrier's id of an address or of papers may be.
const REFERENCE_MAX: usize = 64;

/// Something to be done about a number at its carrier; a job does it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NumberOrder {
    id: NumberOrderId,
    kind: OrderKind,
    state: OrderState,
    /// E.164; null until one is chosen.
    number: Option<String>,
    /// The number's id in the inventory, once it has one.
    number_id: Option<NumberId>,
    /// The service whose pool it joins or leaves.
    service_id: ServiceId,
    /// The carrier's id in the configuration.
    carrier: String,
    /// What the number is to do; empty until that is known.
    capabilities: Vec<Capability>,
    /// Why it can't be done.
    reason: Option<OrderFailure>,
    /// What the carrier calls that.
    carrier_code: Option<String>,
    /// Whether the account has the number at the carrier, as far as is known.
    rented: bool,
    created_at: Time,
    updated_at: Time,
    ended_at: Option<Time>,
}

/// Some of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NumberOrders {
    data: Vec<NumberOrder>,
}

/// Which numbers would do.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberSearch {
    /// ISO 3166 alpha-2 code.
    #[schema(value_type = String, required = true, example = "US")]
    country: Option<String>,
    /// The sort; `local` by default.
    r#type: Option<NumberKind>,
    /// Digits of the area code.
    area: Option<String>,
    /// Digits that are somewhere in the number.
    contains: Option<String>,
    /// What it must be able to do.
    capabilities: Option<Vec<Capability>>,
}

/// What may be ordered.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "read as a word of the wider set; this is for the document")]
pub(super) enum NewOrderKind {
    Buy,
    Adopt,
}

/// A number to buy, or one that the account has at the carrier to adopt.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "kind": "buy", "service_id": "rides", "max_monthly_price": "2.00",
    "search": { "country": "US", "area": "628", "capabilities": ["voice", "sms"] },
}))]
pub(super) struct NewNumberOrder {
    /// A number is released by its own address.
    #[schema(value_type = NewOrderKind, required = true)]
    kind: Option<OrderKind>,
    /// The service whose pool it joins: its id or unique name.
    #[schema(value_type = String, required = true)]
    service_id: Option<String>,
    /// The carrier's id in the configuration; the first one by default.
    carrier: Option<String>,
    /// E.164. Required to adopt; to buy, this or `search`.
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$")]
    number: Option<String>,
    /// Buys what is on sale and fits.
    search: Option<NumberSearch>,
    /// How many a search buys: 1 to 10, 1 by default.
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 10)]
    quantity: Option<Count>,
    /// What it is to do here; all that it can by default.
    #[schema(min_items = 1)]
    capabilities: Option<Vec<Capability>>,
    /// Whether it is given only when a participant names it.
    reserved: Option<bool>,
    /// The most that one may cost a month: a decimal. Without a price told by the carrier nothing is
    /// bought then.
    #[schema(example = "2.00")]
    max_monthly_price: Option<String>,
    /// The currency of that, as an ISO 4217 code; without it the one that the carrier charges in.
    currency: Option<String>,
    /// The carrier's id of the customer's address, where it wants one.
    address: Option<String>,
    /// The carrier's id of the customer's papers, where it wants them.
    bundle: Option<String>,
}

/// How a number is given up.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "at_carrier": "keep" }))]
pub(super) struct NumberRelease {
    /// Whether it is given back to the carrier (`cancel`), or kept there with its webhooks as they were
    /// (`keep`). By default a number that was bought here is cancelled, and any other kept.
    at_carrier: Option<AtCarrier>,
    /// Whether quarantines are not waited for. Refused while sessions are open.
    force: Option<bool>,
}

/// Which orders are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderFilter {
    /// Only in this state.
    #[param(value_type = Option<OrderState>)]
    state: Option<OrderState>,
}

impl From<number_orders::NumberOrder> for NumberOrder {
    fn from(order: number_orders::NumberOrder) -> Self {
        Self {
            id: order.id,
            kind: OrderKind(order.kind),
            state: OrderState(order.state),
            number: order.number.map(|number| number.as_str().to_owned()),
            number_id: order.number_id,
            service_id: order.service,
            carrier: order.carrier,
            capabilities: abilities(order.capabilities),
            reason: order.reason.map(OrderFailure),
            carrier_code: order.carrier_code,
            rented: order.carrier_number.is_some(),
            created_at: Time(order.created_at),
            updated_at: Time(order.updated_at),
            ended_at: order.ended_at.map(Time),
        }
    }
}

impl NewNumberOrder {
    fn number(&self, faults: &mut Faults) -> Option<ProxyNumber> {
        let number = ProxyNumber::parse(self.number.as_deref()?);
        number.map_err(|error| faults.add("/number", "e164", error.to_string())).ok()
    }

    fn which(&self, faults: &mut Faults) -> Option<Which> {
        use number_orders::OrderKind::{Adopt, Buy, Release};
        let kind = faults.required(self.kind, "/kind")?.0;
        match (kind, &self.number, &self.search) {
            (Release, _, _) => {
                let words = "must be buy or adopt; a number is released by its own address";
                faults.add("/kind", "choice", words);
                None
            }
            (Buy, Some(_), Some(_)) | (Adopt, _, Some(_)) => {
                faults.add("/search", "not_allowed", "must be absent where a number is named");
                None
            }
            (Adopt, _, None) => {
                faults.required(self.number.as_ref(), "/number")?;
                self.number(faults).map(Which::Adopt)
            }
            (Buy, Some(_), None) => {
                if self.quantity.is_some_and(|quantity| quantity.0 != 1) {
                    faults.add("/quantity", "not_allowed", "must be 1 where a number is named");
                }
                self.number(faults).map(Which::Buy)
            }
            (Buy, None, Some(search)) => {
                let country = faults.required(search.country.clone(), "/search/country")?;
                let can = search.capabilities.as_deref().map(capabilities).unwrap_or_default();
                let criteria = Criteria {
                    country,
                    kind: search.r#type.map_or(provisioning::NumberKind::Local, |kind| kind.0),
                    area: search.area.clone(),
                    contains: search.contains.clone(),
                    can,
                };
                let quantity = self.quantity.map_or(1, |quantity| quantity.0);
                // What is too many is told with the other rules of a search.
                Some(Which::Any(criteria, u8::try_from(quantity).unwrap_or(u8::MAX)))
            }
            (Buy, None, None) => {
                faults.add("/number", "required", "is missing, and so is search");
                None
            }
        }
    }

    fn price_max(&self, faults: &mut Faults) -> Option<i64> {
        let text = self.max_monthly_price.as_deref()?;
        let micros = price::micros(text);
        if micros.is_none() {
            faults.add("/max_monthly_price", "invalid", "must be a decimal such as \"2.00\"");
        }
        micros
    }

    fn currency(&self, faults: &mut Faults) -> Option<String> {
        let text = self.currency.clone()?;
        if text.len() != 3 || !text.bytes().all(|b| b.is_ascii_uppercase()) {
            faults.add("/currency", "invalid", "must be an ISO 4217 code, such as USD");
        }
        Some(text)
    }

    /// What is asked for but for its service, which is looked up where the order is noted.
    fn read(self, api: &Api, faults: &mut Faults) -> Option<(String, OrderNumber)> {
        let carriers = api.0.relay.carriers();
        let carrier = self.carrier.clone().or_else(|| carriers.default_id().map(str::to_owned));
        let service = faults.required(self.service_id.clone(), "/service_id");
        let (price_max, currency) = (self.price_max(faults), self.currency(faults));
        for (name, text) in [("address", &self.address), ("bundle", &self.bundle)] {
            let plain = |text: &String| {
                (1..=REFERENCE_MAX).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            };
            if !text.as_ref().is_none_or(plain) {
                let allowed = "must have 1 to 64 letters, digits and dashes";
                faults.add(format!("/{name}"), "invalid", allowed);
            }
        }
        let can = self.capabilities.as_deref().map(capabilities);
        if can == Some(Capabilities::default()) {
            faults.add("/capabilities", "length", "must have at least one capability");
        }
        let carrier = carrier.unwrap_or_default();
        if let Err(words) = carriers.known(&carrier) {
            faults.add("/carrier", "choice", words);
        }
        let which = self.which(faults)?;
        let new = OrderNumber {
            // Replaced by the id of the service that is named.
            service: ServiceId::first_of(crate::domain::time::Timestamp::EPOCH),
            carrier,
            which,
            capabilities: can.unwrap_or_default(),
            reserved: self.reserved.unwrap_or(false),
            price_max,
            currency,
            address: self.address,
            bundle: self.bundle,
        };
        for fault in api.0.relay.order_faults(&new) {
            faults.add(fault.pointer, fault.code, fault.message);
        }
        service.map(|service| (service, new))
    }
}

/// Orders about numbers, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/number-orders",
    tag = "Number orders",
    operation_id = "listNumberOrders",
    params(OrderFilter, Paging),
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "A page of orders", body = Page<NumberOrder>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    listing: Listing<OrderFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let state = listing.filter.state.map(|state| state.0);
    let (after, limit) = (listing.after(), listing.limit());
    let found = number_orders::list(&mut tx, &caller.account, state, after, limit).await?;
    listing.answer(
        &api,
        found,
        |order| order.id.as_str(),
        |orders| Ok(orders.into_iter().map(NumberOrder::from).collect()),
    )
}

/// Buy numbers, or adopt one that the account has at the carrier. A job does it: read the order again, or
/// wait for `number.added` and `order.failed`.
#[utoipa::path(
    post,
    path = "/api/v1/number-orders",
    tag = "Number orders",
    operation_id = "createNumberOrder",
    request_body = NewNumberOrder,
    security(("bearer" = ["numbers:write"])),
    responses((status = 202, description = "An order for each number", body = NumberOrders)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    request: Write<NewNumberOrder>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let input = body.read(&api, &mut faults);
    let (service, new) = faults.done(input)?;
    let input = (service, new, api.0.relay.clone());
    let done = api
        .write(&caller, terms.key, input, |tx, account, (service, new, relay)| {
            Box::pin(async move {
                // Here, so that what was ordered once has the same answer whatever was switched off since.
                relay.may_order(new, true)?;
                let service = relay::find_service(tx, account, service).await?.id;
                let new = OrderNumber { service, ..new.clone() };
                let orders = relay::order_numbers(tx, account, &new).await?;
                let data = orders.into_iter().map(NumberOrder::from).collect();
                Ok(answer(StatusCode::ACCEPTED, &NumberOrders { data }, None, None))
            })
        })
        .await;
    api.0.relay.ordered();
    done
}

/// One order.
#[utoipa::path(
    get,
    path = "/api/v1/number-orders/{order}",
    tag = "Number orders",
    operation_id = "getNumberOrder",
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "The order", body = NumberOrder)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    Path(order): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = NumberOrderId::parse(&order).map_err(|_| not_found("number order"))?;
    let order = api.0.relay.number_order(&caller.account, &id).await?;
    let etag = format!("{}-{}", order.updated_at.millis(), order.state);
    Ok(write::read(&headers, &NumberOrder::from(order), &etag))
}

/// Give a number up: nobody gets it any more, and once nobody holds it, open or in quarantine, it leaves
/// the pool and its carrier is told. Setting its state to `active` before that cancels this.
#[utoipa::path(
    post,
    path = "/api/v1/numbers/{number}/release",
    tag = "Number orders",
    operation_id = "releaseNumber",
    request_body = NumberRelease,
    security(("bearer" = ["numbers:write"])),
    responses((status = 202, description = "The order", body = NumberOrder)),
)]
pub(super) async fn release(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    Path(number): Path<String>,
    request: Write<NumberRelease>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    let at_carrier = body.at_carrier.map(|word| word.0);
    let how = ReleaseNumber { at_carrier, force: body.force.unwrap_or(false) };
    let how = faults.done(Some(how))?;
    let input = (numbers::id(&number)?, how, terms.version, api.0.relay.clone());
    let done = api
        .write(&caller, terms.key, input, |tx, account, (id, how, version, relay)| {
            Box::pin(async move {
                let cancels = |carrier: &str| relay.cancels(carrier, true);
                let order = relay::release_number(tx, account, id, *how, *version, &cancels);
                let order = NumberOrder::from(order.await?);
                Ok(answer(StatusCode::ACCEPTED, &order, None, None))
            })
        })
        .await;
    api.0.relay.ordered();
    done
}
