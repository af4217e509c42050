//! The carrier's API for numbers: on sale, bought, set and given back.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    App,
    body::{Body, Fault},
    carrier::{Key, Opened, answer},
};
use crate::sandbox::{Rented, Wish};

/// What is looked for.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    country: String,
    r#type: String,
    area: String,
    contains: String,
    mms: bool,
    limit: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        let empty = String::new;
        let (country, r#type, area, contains) = (empty(), empty(), empty(), empty());
        Self { country, r#type, area, contains, mms: false, limit: 20 }
    }
}

/// Which numbers of the customer's.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Which {
    number: Option<String>,
    after: String,
}

type Rejected = axum::extract::rejection::QueryRejection;
type Named = Result<Path<String>, axum::extract::rejection::PathRejection>;

fn shown(one: &Rented) -> Value {
    let mut can = vec!["voice", "sms"];
    can.extend(one.mms.then_some("mms"));
    json!({
        "number": one.number, "type": one.kind, "capabilities": can, "settings": one.settings,
        "monthly_price": format!("{}.{:02}", one.price / 100, one.price % 100),
        "currency": one.currency,
    })
}

fn listed(numbers: &[Rented]) -> Response {
    Json(json!({ "numbers": numbers.iter().map(shown).collect::<Vec<_>>() })).into_response()
}

fn unreadable() -> Response {
    Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "the query cannot be read").into_response()
}

fn nowhere() -> Response {
    let fault = Fault::new(StatusCode::NOT_FOUND, "there is no such number of yours");
    fault.with_code("no-number").into_response()
}

pub(super) async fn on_sale(
    State(app): State<App>,
    _: Opened,
    query: Result<Query<Wanted>, Rejected>,
) -> Response {
    let Ok(Query(Wanted { country, r#type: kind, area, contains, mms, limit })) = query else {
        return unreadable();
    };
    listed(&app.network.on_sale(&Wish { country, kind, area, contains, mms, limit }))
}

pub(super) async fn rented(
    State(app): State<App>,
    _: Opened,
    query: Result<Query<Which>, Rejected>,
) -> Response {
    match query {
        Ok(Query(Which { number: Some(number), .. })) => {
            listed(app.network.rented(&number).as_slice())
        }
        Ok(Query(Which { after, .. })) => listed(&app.network.all_rented(&after)),
        Err(_) => unreadable(),
    }
}

#[derive(Deserialize)]
pub(super) struct NumberJson {
    number: String,
}

pub(super) async fn buy(
    State(app): State<App>,
    _: Opened,
    Key(key): Key,
    Body(json): Body<NumberJson>,
) -> Response {
    answer(app.network.sell(key.as_deref(), &json.number).await)
}

#[derive(Deserialize)]
pub(super) struct SettingsJson {
    settings: String,
}

pub(super) async fn set(
    State(app): State<App>,
    _: Opened,
    path: Named,
    Body(json): Body<SettingsJson>,
) -> Response {
    let number = path.map(|Path(number)| number).unwrap_or_default();
    if app.network.set_number(&number, json.settings) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        nowhere()
    }
}

pub(super) async fn give_back(State(app): State<App>, _: Opened, path: Named) -> Response {
    let number = path.map(|Path(number)| number).unwrap_or_default();
    if app.network.give_back(&number) { StatusCode::NO_CONTENT.into_response() } else { nowhere() }
}
