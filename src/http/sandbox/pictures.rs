//! Pictures of phones: taken from the page, given to the relay, and shown.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{App, body::Fault, carrier::Opened};
use crate::domain::media::MediaType;

/// Takes a picture: its bytes, and a type that a form of another site can't have. Its address, which a
/// text names.
pub(super) async fn add(
    State(app): State<App>,
    headers: HeaderMap,
    bytes: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind.is_none_or(|kind| !kind.starts_with("image/")) {
        let words = "the content type must be that of an image";
        return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
    }
    let bytes = bytes.map_err(|_| {
        Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "the picture is longer than 5 MiB")
    })?;
    let address = app.network.add_picture(bytes)?;
    Ok((StatusCode::CREATED, Json(json!({ "url": address }))))
}

type Id = Result<Path<String>, PathRejection>;

/// For whoever holds the secret: the relay.
pub(super) async fn fetched(State(app): State<App>, _: Opened, id: Id) -> Response {
    file(&app, id)
}

/// For the page of the phone that sent it.
pub(super) async fn shown(State(app): State<App>, id: Id) -> Response {
    file(&app, id)
}

/// Deletes a message, as its carrier does when the relay asks.
pub(super) async fn forgotten(State(app): State<App>, _: Opened, id: Id) -> StatusCode {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    if app.network.forget_file(&id) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

fn file(app: &App, id: Id) -> Response {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let Some(bytes) = app.network.picture(&id) else {
        return Fault::new(StatusCode::NOT_FOUND, "there is no such picture").into_response();
    };
    let kind = MediaType::of(&bytes).filter(|kind| kind.is_picture());
    let kind = kind.map_or("application/octet-stream", MediaType::as_str);
    ([(header::CONTENT_TYPE, kind)], bytes).into_response()
}
