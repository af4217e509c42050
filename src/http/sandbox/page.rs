//! The two-phones page and what it loads: one script, one style sheet, both ours.

use askama::Template;
use axum::{
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
};

use super::{App, PHONES_SHOWN, body::Fault};

#[derive(Template)]
#[template(path = "sandbox/phones.html")]
struct Page {
    phones: Vec<Phone>,
}

struct Phone {
    id: String,
    initial: String,
    name: String,
    number: String,
}

pub(super) async fn page(State(app): State<App>) -> Result<Response, Fault> {
    let phones = app
        .network
        .seen_since(0, PHONES_SHOWN)
        .into_iter()
        .map(|view| Phone {
            id: view.id.to_string(),
            initial: view.name.chars().take(1).collect(),
            name: view.name,
            number: view.number.expose().to_owned(),
        })
        .collect();
    match (Page { phones }).render() {
        Ok(page) => Ok(Html(page).into_response()),
        Err(_) => {
            Err(Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written"))
        }
    }
}

pub(super) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../../../templates/sandbox/phones.js"))
}

pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("../../../templates/sandbox/phones.css"))
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}
