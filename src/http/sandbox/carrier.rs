//! The carrier's API: what the relay's sandbox adapter asks of the network.

use std::time::Duration;

use axum::{
    Json,
    body::Body as RawBody,
    extract::{FromRequestParts, Path, Query, State},
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    App,
    body::{Body, Fault, Number},
};
use crate::{
    domain::{
        message,
        phone::{Identifier, PhoneError, ProxyNumber},
        sender::SenderId,
        time::Timestamp,
    },
    sandbox::{NewCall, NewMessage, Refusal, Shown, Taken, TapeAct},
};

/// Proof that the request carries the secret.
pub(super) struct Opened;

impl FromRequestParts<App> for Opened {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        if token.is_some_and(|token| app.network.authorised(token)) {
            Ok(Self)
        } else {
            Err(Fault::new(StatusCode::UNAUTHORIZED, "the secret is missing or wrong"))
        }
    }
}

/// The idempotency key, if there is one.
pub(super) struct Key(pub(super) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        // What is not ASCII becomes an empty key, which the network refuses.
        let key = parts.headers.get("idempotency-key");
        Ok(Self(key.map(|value| value.to_str().unwrap_or_default().to_owned())))
    }
}

pub(super) async fn account(_: Opened) -> Json<Value> {
    Json(json!({ "carrier": "sandbox" }))
}

/// A number by its id: `PN` and its digits, filled with zeros to 32.
pub(super) async fn number(
    _: Opened,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Response {
    let id = path.map(|Path(id)| id).unwrap_or_default();
    let digits = id.strip_prefix("PN").filter(|digits| digits.len() == 32);
    let digits = digits.map(|digits| format!("+{}", digits.trim_start_matches('0')));
    match digits.and_then(|digits| ProxyNumber::parse(&digits).ok()) {
        Some(number) => Json(json!({
            "id": id, "number": number.as_str(), "capabilities": ["voice", "sms", "mms"],
        }))
        .into_response(),
        None => Fault::new(StatusCode::NOT_FOUND, "there is no such number").into_response(),
    }
}

/// What a text comes from: a number, or a name of letters.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct SenderJson(Shown);

impl TryFrom<String> for SenderJson {
    type Error = PhoneError;

    fn try_from(text: String) -> Result<Self, PhoneError> {
        match SenderId::parse(&text) {
            Some(name) => Ok(Self(Shown::Name(name))),
            None => Identifier::parse(&text).map(|number| Self(number.into())),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct MessageJson {
    from: SenderJson,
    to: Number,
    text: String,
    #[serde(default)]
    media: Vec<String>,
    status_url: Option<String>,
}

pub(super) async fn message(
    State(app): State<App>,
    _: Opened,
    Key(key): Key,
    Body(json): Body<MessageJson>,
) -> Response {
    let message = NewMessage {
        from: json.from.0,
        to: json.to.0,
        body: message::Body::new(json.text),
        media: json.media,
        status_url: json.status_url,
    };
    answer(app.network.take_message(key.as_deref(), message).await)
}

#[derive(Deserialize)]
pub(super) struct CallJson {
    from: Number,
    to: Number,
    ring_timeout_ms: u64,
    duration_max_ms: u64,
    answer_url: String,
    status_url: Option<String>,
}

pub(super) async fn call(
    State(app): State<App>,
    _: Opened,
    Key(key): Key,
    Body(json): Body<CallJson>,
) -> Response {
    let call = NewCall {
        from: json.from.0,
        to: json.to.0,
        ring_timeout: Duration::from_millis(json.ring_timeout_ms),
        duration_max: Duration::from_millis(json.duration_max_ms),
        answer_url: json.answer_url,
        status_url: json.status_url,
    };
    answer(app.network.take_call(key.as_deref(), call).await)
}

pub(super) async fn end(
    State(app): State<App>,
    _: Opened,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Response {
    let id = path.map(|Path(id)| id).unwrap_or_default();
    answer(app.network.end_call(&id).await)
}

/// What becomes of a call's recording.
#[derive(Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub(super) enum TapeJson {
    Start { recorded_url: String },
    Pause,
    Resume,
    Stop,
}

pub(super) async fn recording(
    State(app): State<App>,
    _: Opened,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    Body(json): Body<TapeJson>,
) -> Response {
    let id = path.map(|Path(id)| id).unwrap_or_default();
    let act = match json {
        TapeJson::Start { recorded_url } => TapeAct::Start(recorded_url),
        TapeJson::Pause => TapeAct::Pause,
        TapeJson::Resume => TapeAct::Resume,
        TapeJson::Stop => TapeAct::Stop,
    };
    answer(app.network.tape(&id, act).await)
}

/// Which part of a list.
#[derive(Deserialize)]
pub(super) struct Part {
    since_ms: i64,
    #[serde(default)]
    skip: usize,
}

type PartQuery = Result<Query<Part>, axum::extract::rejection::QueryRejection>;

pub(super) async fn messages(State(app): State<App>, _: Opened, part: PartQuery) -> Response {
    listed(&app, "messages", part)
}

pub(super) async fn calls(State(app): State<App>, _: Opened, part: PartQuery) -> Response {
    listed(&app, "calls", part)
}

/// What came in from phones, the newest first.
fn listed(app: &App, key: &str, part: PartQuery) -> Response {
    let Ok(Query(part)) = part else {
        let words = "since_ms and skip must be whole numbers";
        return Fault::new(StatusCode::UNPROCESSABLE_ENTITY, words).into_response();
    };
    let since = Timestamp::from_millis(part.since_ms);
    let (found, more) = app.network.came_in(key == "messages", since, part.skip);
    let next = more.then(|| part.skip + found.len());
    let entries: Vec<Value> = found
        .iter()
        .map(|one| {
            let mut entry = json!({
                "id": one.id, "from": one.from.as_ref().map(Identifier::expose),
                "to": one.to.expose(), "at_ms": one.at.millis(), "over": one.over,
            });
            if let Some((body, media)) = &one.text {
                entry["text"] = body.expose().into();
                entry["media"] = json!(media);
            }
            entry
        })
        .collect();
    Json(json!({ key: entries, "next_skip": next })).into_response()
}

pub(super) fn answer(result: Result<Taken, Refusal>) -> Response {
    let refusal = match result {
        Ok(taken) => {
            let status = if taken.again { StatusCode::OK } else { StatusCode::CREATED };
            return (status, Json(json!({ "id": taken.id }))).into_response();
        }
        Err(refusal) => refusal,
    };
    let unprocessable =
        |code, words: &str| Fault::new(StatusCode::UNPROCESSABLE_ENTITY, words).with_code(code);
    let fault = match refusal {
        Refusal::NotYours => unprocessable("not-your-number", "from is not a number of yours"),
        Refusal::BadUrl => unprocessable("bad-url", "callbacks go to your hooks only"),
        Refusal::Empty => unprocessable("empty", "there is nothing to deliver"),
        Refusal::BadKey => {
            unprocessable("bad-key", "the key must be 1 to 255 visible ASCII characters")
        }
        Refusal::KeyReused => {
            unprocessable("key-reused", "the key came with another request before")
        }
        Refusal::Sold => {
            Fault::new(StatusCode::CONFLICT, "the number is not on sale").with_code("not-on-sale")
        }
        Refusal::NoCall => {
            Fault::new(StatusCode::NOT_FOUND, "there is no such call").with_code("no-call")
        }
        Refusal::NoRecording => {
            Fault::new(StatusCode::CONFLICT, "the recording is not in a state for that")
                .with_code("no-recording")
        }
        Refusal::Fault(status) => Fault::new(
            StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            "refused on purpose",
        )
        .with_code(if status == 503 { "not-taken" } else { "fault" }),
        Refusal::Lost { cut: false } => {
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "lost on purpose").with_code("fault")
        }
        Refusal::Lost { cut: true } => return cut(),
    };
    fault.into_response()
}

/// An answer whose body breaks off, which makes the server cut the connection.
fn cut() -> Response {
    let broken = stream::once(async { Err::<bytes::Bytes, _>(std::io::Error::other("cut")) });
    RawBody::from_stream(broken).into_response()
}

/// Deletes what is remembered of a text.
pub(super) async fn forget_text(app: State<App>, _: Opened, Path(id): Path<String>) -> StatusCode {
    forgotten(&app, true, &id)
}

/// Deletes what is remembered of a call.
pub(super) async fn forget_call(app: State<App>, _: Opened, Path(id): Path<String>) -> StatusCode {
    forgotten(&app, false, &id)
}

fn forgotten(app: &App, texts: bool, id: &str) -> StatusCode {
    if app.network.forget_record(texts, id) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}
