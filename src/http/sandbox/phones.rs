//! The phones' API: what the page and anybody with curl can do.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    App,
    body::{Body, Fault, Number, Phone},
    views::{self, FaultsJson},
};
use crate::{
    domain::{assurance::Attestation, message},
    sandbox::{ActionError, CallId, PhoneId},
};

type Answer = Result<Json<Value>, Fault>;

/// The most phones of one list.
const LIST_MAX: usize = 100;

pub(super) async fn list(State(app): State<App>) -> Json<Value> {
    let phones = app.network.seen_since(0, LIST_MAX);
    Json(json!({ "phones": phones.iter().map(views::phone).collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
pub(super) struct NewPhone {
    name: String,
    number: Number,
}

pub(super) async fn register(
    State(app): State<App>,
    Body(new): Body<NewPhone>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let id = app.network.register(&new.name, new.number.0)?;
    Ok((StatusCode::CREATED, shown(&app, id)?))
}

pub(super) async fn view(State(app): State<App>, Phone(id): Phone) -> Answer {
    shown(&app, id)
}

fn shown(app: &App, id: PhoneId) -> Answer {
    let view = app.network.seen(id).ok_or(ActionError::NoPhone)?;
    Ok(Json(json!(views::phone(&view))))
}

#[derive(Deserialize)]
pub(super) struct NewContact {
    label: String,
    number: Number,
}

pub(super) async fn contact(
    State(app): State<App>,
    Phone(id): Phone,
    Body(new): Body<NewContact>,
) -> Answer {
    app.network.set_contact(id, &new.label, new.number.0)?;
    shown(&app, id)
}

#[derive(Deserialize)]
pub(super) struct NewText {
    to: Number,
    text: String,
    #[serde(default)]
    media: Vec<String>,
}

pub(super) async fn text(
    State(app): State<App>,
    Phone(id): Phone,
    Body(new): Body<NewText>,
) -> Answer {
    let body = message::Body::new(new.text);
    let id = app.network.text_with(id, &new.to.0, body, new.media)?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
pub(super) struct NewDial {
    to: Number,
    /// Whether the phone hides its number, from now on.
    withheld: Option<bool>,
    /// What the network says of the number that it shows: `a`, `b`, `c`, `failed` or `none`.
    attestation: Option<String>,
}

pub(super) async fn dial(
    State(app): State<App>,
    Phone(id): Phone,
    Body(new): Body<NewDial>,
) -> Answer {
    let attestation = match new.attestation.as_deref().map(Attestation::parse) {
        None => None,
        Some(Some(attestation)) => Some(attestation),
        Some(None) => {
            let words = "attestation must be one of a, b, c, failed, none";
            return Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, words));
        }
    };
    if let Some(withheld) = new.withheld {
        app.network.set_withheld(id, withheld)?;
    }
    let call = app.network.dial_attested(id, &new.to.0, attestation)?;
    Ok(Json(json!({ "id": call.as_str() })))
}

#[derive(Deserialize)]
pub(super) struct OneCall {
    call: String,
}

pub(super) async fn answer(
    State(app): State<App>,
    Phone(id): Phone,
    Body(one): Body<OneCall>,
) -> Answer {
    app.network.answer(id, &CallId::new(one.call))?;
    Ok(Json(json!({})))
}

pub(super) async fn decline(
    State(app): State<App>,
    Phone(id): Phone,
    Body(one): Body<OneCall>,
) -> Answer {
    app.network.decline(id, &CallId::new(one.call))?;
    Ok(Json(json!({})))
}

pub(super) async fn hang_up(
    State(app): State<App>,
    Phone(id): Phone,
    Body(one): Body<OneCall>,
) -> Answer {
    app.network.hang_up(id, &CallId::new(one.call))?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
pub(super) struct Press {
    call: String,
    key: char,
}

pub(super) async fn press(
    State(app): State<App>,
    Phone(id): Phone,
    Body(press): Body<Press>,
) -> Answer {
    app.network.press(id, &CallId::new(press.call), press.key)?;
    Ok(Json(json!({})))
}

pub(super) async fn faults(State(app): State<App>) -> Json<FaultsJson> {
    Json(app.network.faults().into())
}

pub(super) async fn set_faults(
    State(app): State<App>,
    Body(faults): Body<FaultsJson>,
) -> Result<Json<FaultsJson>, Fault> {
    let faults = faults.into();
    let wrong = crate::sandbox::Faults::out_of_range(&faults);
    if !wrong.is_empty() {
        let words: Vec<String> =
            wrong.iter().map(|(field, allowed)| format!("{field} {allowed}")).collect();
        return Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, words.join("; ")));
    }
    app.network.set_faults(faults);
    Ok(Json(app.network.faults().into()))
}
