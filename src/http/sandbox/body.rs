//! Bodies and paths in, faults out: every fault is JSON and repeats nothing that was sent.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    domain::phone::Identifier,
    sandbox::{ActionError, PhoneId},
};

/// A refused request.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    code: Option<&'static str>,
    words: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self { status, code: None, words: words.into() }
    }

    pub(super) fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.words });
        if let Some(code) = self.code {
            body["code"] = code.into();
        }
        (self.status, Json(body)).into_response()
    }
}

impl From<ActionError> for Fault {
    fn from(error: ActionError) -> Self {
        let status = match error {
            ActionError::NoPhone | ActionError::NoCall => StatusCode::NOT_FOUND,
            ActionError::NumberTaken | ActionError::OnACall | ActionError::NotNow => {
                StatusCode::CONFLICT
            }
            ActionError::NoKey | ActionError::Empty | ActionError::TooLong => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            ActionError::Full => StatusCode::TOO_MANY_REQUESTS,
        };
        Self::new(status, error.to_string())
    }
}

/// A JSON body.
///
/// The type must be named: a page of another site can send a form or plain text without asking
/// the browser first, but no JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let json = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
        if !json {
            return Err(Fault::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the content type must be application/json",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| {
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 64 KiB")
            } else {
                Fault::new(StatusCode::BAD_REQUEST, "the body could not be read")
            }
        })?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| fault(&error))?;
        reader.end().map_err(|_| Fault::new(StatusCode::BAD_REQUEST, "the body is not JSON"))?;
        Ok(Self(value))
    }
}

fn fault(error: &serde_path_to_error::Error<serde_json::Error>) -> Fault {
    if !error.inner().is_data() {
        return Fault::new(StatusCode::BAD_REQUEST, "the body is not JSON");
    }
    let words = error.inner().to_string();
    // This one names a field of ours; all others repeat what was sent.
    let words = match words.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((field, _)) => format!("{field} is missing"),
        None => match error.path().iter().next() {
            Some(serde_path_to_error::Segment::Map { key }) if FIELDS.contains(&key.as_str()) => {
                format!("{key} is not what it must be")
            }
            _ => String::from("the body is not what it must be"),
        },
    };
    Fault::new(StatusCode::UNPROCESSABLE_ENTITY, words)
}

/// The fields that a fault may name.
const FIELDS: &[&str] = &[
    "name",
    "number",
    "label",
    "to",
    "from",
    "text",
    "media",
    "call",
    "key",
    "status_url",
    "answer_url",
    "ring_timeout_ms",
    "duration_max_ms",
    "slow_ms",
    "fail_next",
    "fail_status",
    "accept_then_fail",
    "accept_then_reset",
    "duplicate_copies",
    "duplicate_percent",
    "reorder_percent",
    "lost_receipt_percent",
    "lost_webhook_percent",
];

/// A number in a body.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Number(pub(super) Identifier);

impl TryFrom<String> for Number {
    type Error = crate::domain::phone::PhoneError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Identifier::parse(&text).map(Self)
    }
}

/// The phone of the path.
pub(super) struct Phone(pub(super) PhoneId);

impl<S: Send + Sync> FromRequestParts<S> for Phone {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.ok()
            .and_then(|Path(id)| id.parse().ok())
            .map(Self)
            .ok_or_else(|| ActionError::NoPhone.into())
    }
}
