//! Proxy numbers: the pools of the services.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Granted, NumbersRead, NumbersWrite},
    error::not_found,
    input::{Faults, Patch},
    paging::{Listing, Page, Paging},
    wire::{Ability, Capability, NumberState, Registration, Time},
    write::{self, Nothing, Write, answer, nothing},
};
use crate::{
    domain::{
        phone::{self, ProxyClass, ProxyNumber, Registered},
        pool::Capabilities,
    },
    http::problem::{Path, Problem},
    ids::{NumberId, ServiceId},
    relay::{self, UpdateNumber},
    store::numbers,
};

/// A proxy number of the account.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the wire calls the digits `number`")]
pub(super) struct Number {
    id: NumberId,
    /// E.164.
    #[schema(example = "+33937000001")]
    number: String,
    /// The service whose pool it is in.
    service_id: ServiceId,
    /// The carrier's id in the configuration.
    carrier: String,
    /// ISO 3166 alpha-2; null where the numbering plan does not tell.
    country: Option<String>,
    /// Area code, under +1.
    area: Option<String>,
    capabilities: Vec<Capability>,
    registration: Registration,
    /// The id of its campaign or verification.
    campaign_id: Option<String>,
    /// The rule of a country that keeps it from new sessions with calls; see docs/numbering.md.
    barred: Option<Barred>,
    /// Why the operator lets it in although a rule refuses it.
    permit: Option<String>,
    /// Whether it is given only when named.
    reserved: bool,
    /// Whether sessions share it whose people prove themselves by a PIN: see docs/assurance.md.
    shared: bool,
    state: NumberState,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

/// A rule that refuses a number.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Barred {
    /// Its name.
    #[schema(example = "fr-mobile")]
    rule: String,
    /// Why, in words that follow "the number".
    reason: String,
    /// Where that is written.
    source: String,
}

/// A proxy number to add to a service's pool.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "number": "+33937000001", "service_id": "rides", "capabilities": ["voice", "sms"],
}))]
pub(super) struct NewNumber {
    /// E.164: a plus sign and 7 to 15 digits.
    #[schema(value_type = String, required = true, pattern = r"^\+[1-9][0-9]{6,14}$")]
    number: Option<String>,
    /// The service's id or unique name.
    #[schema(value_type = String, required = true)]
    service_id: Option<String>,
    /// The carrier's id in the configuration; the first one by default.
    carrier: Option<String>,
    /// What it can do; all that the carrier can do by default.
    #[schema(min_items = 1)]
    capabilities: Option<Vec<Capability>>,
    /// Under +1: for which texts it is registered; `unknown` by default, which is used as if it were.
    registration: Option<Registration>,
    /// The id of its campaign or verification, for your own records: 1 to 64 letters, digits and
    /// characters of `._-`.
    #[schema(pattern = r"^[A-Za-z0-9._-]{1,64}$")]
    campaign_id: Option<String>,
    /// Whether it is given only when a participant names it.
    reserved: Option<bool>,
}

/// What may change in a number.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "state": "draining" }))]
pub(super) struct NumberChange {
    /// Whether it is given only when named; null for no.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    reserved: Patch<bool>,
    /// Whether sessions share it, by PIN; null for no. Only while nobody of an open session dials it.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    shared: Patch<bool>,
    /// Whether it is given to new sessions.
    #[schema(value_type = Option<NumberState>)]
    #[serde(default)]
    state: Patch<NumberState>,
    /// Under +1: for which texts it is registered; null for `unknown`.
    #[schema(value_type = Option<Registration>)]
    #[serde(default)]
    registration: Patch<Registration>,
    /// The id of its campaign or verification; null for none. It goes with a registration that is taken away.
    #[schema(value_type = Option<String>, pattern = r"^[A-Za-z0-9._-]{1,64}$")]
    #[serde(default)]
    campaign_id: Patch<String>,
}

/// Which numbers are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NumberFilter {
    /// Only of this service: its id or unique name.
    service: Option<String>,
    /// Only of this registration.
    #[param(value_type = Option<Registration>)]
    registration: Option<Registration>,
}

impl From<numbers::Number> for Number {
    fn from(number: numbers::Number) -> Self {
        let can = number.capabilities;
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        let class = ProxyClass::of(&number.number).filter(|_| number.barred);
        Self {
            id: number.id,
            number: number.number.as_str().to_owned(),
            service_id: number.service,
            carrier: number.carrier,
            country: known(number.country),
            area: known(number.area),
            capabilities: abilities(can),
            registration: Registration(number.registered.registration),
            campaign_id: number.registered.campaign,
            barred: class.map(|class| Barred {
                rule: class.id.clone(),
                reason: class.reason.clone(),
                source: class.source.clone(),
            }),
            permit: number.permit,
            reserved: number.reserved,
            shared: number.shared,
            state: NumberState(number.state),
            version: number.version,
            created_at: Time(number.created_at),
            updated_at: Time(number.updated_at),
        }
    }
}

/// What a number can do, as words.
pub(super) fn abilities(can: Capabilities) -> Vec<Capability> {
    [(can.voice, Ability::Voice), (can.sms, Ability::Sms), (can.mms, Ability::Mms)]
        .into_iter()
        .filter_map(|(has, ability)| has.then_some(Capability(ability)))
        .collect()
}

pub(super) fn capabilities(list: &[Capability]) -> Capabilities {
    let has = |ability| list.contains(&Capability(ability));
    Capabilities { voice: has(Ability::Voice), sms: has(Ability::Sms), mms: has(Ability::Mms) }
}

impl NewNumber {
    /// The carrier and what the number can do there.
    fn place(&self, api: &Api, faults: &mut Faults) -> Option<(String, Capabilities)> {
        let carriers = api.0.relay.carriers();
        let id = self.carrier.as_deref().or_else(|| carriers.default_id());
        let known = carriers.known(id.unwrap_or_default());
        let carrier = known.map_err(|words| faults.add("/carrier", "choice", words)).ok()?;
        let able = carrier.adapter.capabilities().of_numbers();
        let wanted = self.capabilities.as_deref().map_or(able, capabilities);
        if wanted == Capabilities::default() {
            faults.add("/capabilities", "length", "must have at least one capability");
        } else if !able.covers(wanted) {
            let allowed = format!("must be among what the carrier can do: {}", able.text());
            faults.add("/capabilities", "not_allowed", allowed);
        }
        Some((carrier.id.clone(), wanted))
    }
}

/// Numbers, oldest first; retired ones too.
#[utoipa::path(
    get,
    path = "/api/v1/numbers",
    tag = "Numbers",
    operation_id = "listNumbers",
    params(NumberFilter, Paging),
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "A page of numbers", body = Page<Number>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    listing: Listing<NumberFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let service = match &listing.filter.service {
        Some(named) => Some(relay::find_service(&mut tx, &caller.account, named).await?.id),
        None => None,
    };
    let registration = listing.filter.registration.map(|one| one.0);
    let filter = numbers::Filter { service, registration };
    let (after, limit) = (listing.after(), listing.limit());
    let found = numbers::list(&mut tx, &caller.account, &filter, after, limit).await?;
    listing.answer(
        &api,
        found,
        |number| number.id.as_str(),
        |numbers| Ok(numbers.into_iter().map(Number::from).collect()),
    )
}

/// Add a proxy number to a service's pool.
#[utoipa::path(
    post,
    path = "/api/v1/numbers",
    tag = "Numbers",
    operation_id = "createNumber",
    request_body = NewNumber,
    security(("bearer" = ["numbers:write"])),
    responses((status = 201, description = "The number", body = Number)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    request: Write<NewNumber>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let place = body.place(&api, &mut faults);
    let number = faults.required(body.number, "/number").and_then(|text| {
        let number = ProxyNumber::parse(&text);
        number.map_err(|error| faults.add("/number", "e164", error.to_string())).ok()
    });
    let service = faults.required(body.service_id, "/service_id");
    let input = faults.done(number.zip(service).zip(place))?;
    let reserved = body.reserved.unwrap_or(false);
    let registration = body.registration.map_or(phone::Registration::Unknown, |one| one.0);
    let registered = Registered { registration, campaign: body.campaign_id };
    let input = (input, reserved, registered);
    api.write(&caller, terms.key, input, |tx, account, (input, reserved, registered)| {
        Box::pin(async move {
            let ((number, service), (carrier, capabilities)) = input;
            let new = relay::NewNumber {
                service: relay::find_service(tx, account, service).await?.id,
                number: number.clone(),
                carrier: carrier.clone(),
                capabilities: *capabilities,
                reserved: *reserved,
            };
            let added = relay::add_registered_number(tx, account, &new, registered).await?;
            let number = Number::from(added);
            let location = format!("/api/v1/numbers/{}", number.id);
            Ok(answer(StatusCode::CREATED, &number, Some(number.version), Some(location)))
        })
    })
    .await
}

pub(super) fn id(text: &str) -> Result<NumberId, Problem> {
    NumberId::parse(text).map_err(|_| not_found("number"))
}

/// One number.
#[utoipa::path(
    get,
    path = "/api/v1/numbers/{number}",
    tag = "Numbers",
    operation_id = "getNumber",
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "The number", body = Number)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let number = numbers::get(&mut tx, &caller.account, &id(&number)?).await?;
    let number = Number::from(number.ok_or_else(|| not_found("number"))?);
    Ok(write::read(&headers, &number, &number.version.to_string()))
}

/// Change a number (JSON merge patch). One with open sessions can be drained, not retired.
#[utoipa::path(
    patch,
    path = "/api/v1/numbers/{number}",
    tag = "Numbers",
    operation_id = "updateNumber",
    request_body = NumberChange,
    security(("bearer" = ["numbers:write"])),
    responses((status = 200, description = "The number as it is now", body = Number)),
)]
pub(super) async fn update(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    Path(number): Path<String>,
    request: Write<NumberChange>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let state = body.state.kept("/state", &mut faults).map(|state| state.0);
    let reserved = match body.reserved {
        Patch::Absent => None,
        Patch::Null => Some(false),
        Patch::Value(reserved) => Some(reserved),
    };
    let shared = match body.shared {
        Patch::Absent => None,
        Patch::Null => Some(false),
        Patch::Value(shared) => Some(shared),
    };
    let registration = match body.registration {
        Patch::Absent => None,
        Patch::Null => Some(phone::Registration::Unknown),
        Patch::Value(registration) => Some(registration.0),
    };
    let campaign = match body.campaign_id {
        Patch::Absent => None,
        Patch::Null => Some(None),
        Patch::Value(campaign) => Some(Some(campaign)),
    };
    let change = UpdateNumber { reserved, shared, state, registration, campaign };
    let change = faults.done(Some(change))?;
    let input = (api.0.relay.clone(), id(&number)?, change, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (relay, id, change, version)| {
        Box::pin(async move {
            let changed = relay::update_number(tx, account, id, change.clone(), *version).await?;
            relay::check_shared(relay.carriers(), &changed)?;
            let number = Number::from(changed);
            Ok(answer(StatusCode::OK, &number, Some(number.version), None))
        })
    })
    .await
}

/// Retire a number: it leaves the pool for good.
#[utoipa::path(
    delete,
    path = "/api/v1/numbers/{number}",
    tag = "Numbers",
    operation_id = "retireNumber",
    security(("bearer" = ["numbers:write"])),
    responses((status = 204, description = "Retired")),
)]
pub(super) async fn retire(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    Path(number): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let input = (id(&number)?, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (id, version)| {
        Box::pin(async move {
            let state = Some(numbers::NumberState::Retired);
            let change = UpdateNumber { state, ..UpdateNumber::default() };
            relay::update_number(tx, account, id, change, *version).await?;
            Ok(nothing())
        })
    })
    .await
}
