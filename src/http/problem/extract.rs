//! Extractors whose refusals are problems: JSON bodies, queries, path parameters.
//!
//! serde's messages quote what was sent, so only what they say was *expected* is passed on.

use std::{error::Error, fmt::Write as _};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use serde_path_to_error::Segment;

use super::{Code, FieldFault, Problem};
use crate::{http::server::BodyTooSlow, telemetry::redact::Redactor};

/// How deep JSON may be nested.
const DEEPEST: usize = 32;

/// A JSON body, in and out. In: `Content-Type` must be JSON, the length is bounded by the router's
/// `DefaultBodyLimit`, the depth by 32, and the types refuse unknown fields.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "Send JSON, with `Content-Type: application/json`.";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        let body = Bytes::from_request(request, state).await?;
        parse(&body).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The query, as a flat type that refuses unknown parameters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri).map(|query| Self(query.0)).map_err(
            |rejection| {
                let text = rejection.body_text();
                let message = text.split_once("query string: ").map_or(&*text, |(_, rest)| rest);
                let Fault { field, code, detail } = fault_of(message);
                let (name, detail) = match message.split_once(": ") {
                    Some((name, rest)) if plain(name) => {
                        (Some(name.to_owned()), fault_of(rest).detail)
                    }
                    _ => (field, detail),
                };
                let name = name.unwrap_or_else(|| "?".to_owned());
                Problem::new(Code::MalformedParameter, "See `errors`.")
                    .with_fault(FieldFault::parameter(name, code, detail))
            },
        )
    }
}

/// Path parameters; what does not fit is not found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            .map_err(|_| Problem::new(Code::NotFound, "There is nothing at this address."))
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        let mut source: Option<&dyn Error> = Some(&rejection);
        while let Some(error) = source {
            if error.is::<BodyTooSlow>() {
                return Self::new(Code::Timeout, "The body was not complete in time.");
            }
            if error.is::<http_body_util::LengthLimitError>() {
                return Self::new(Code::PayloadTooLarge, "Send less at once.");
            }
            source = error.source();
        }
        if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(Code::PayloadTooLarge, "Send less at once.");
        }
        Self::new(Code::MalformedBody, "The body ended early or broke HTTP's framing.")
    }
}

/// Whether the body is said to be JSON, or a dialect of it such as a merge patch.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Reads JSON bytes.
///
/// # Errors
/// [`Code::MalformedBody`] for what is no JSON or too deep, [`Code::ValidationFailed`] with a
/// pointer for what does not fit `T`.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if deeper_than(body, DEEPEST) {
        let detail = format!("The JSON is nested deeper than {DEEPEST} levels.");
        return Err(Problem::new(Code::MalformedBody, detail));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        refusal(error.inner(), pointer)
    })?;
    json.end().map_err(|error| refusal(&error, String::new()))?;
    Ok(value)
}

fn refusal(error: &serde_json::Error, pointer: String) -> Problem {
    let message = error.to_string();
    if !error.is_data() {
        // Messages about syntax are fixed sentences with a place.
        return Problem::new(Code::MalformedBody, format!("Not JSON: {message}."));
    }
    let (pointer, code, detail) = located(error, pointer);
    Problem::invalid([FieldFault::body(pointer, code, detail)])
}

/// Where a value does not fit its type, a code and what is allowed, without the value.
pub(crate) fn misfit(
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> (String, &'static str, String) {
    located(error.inner(), pointer(error.path()))
}

fn located(error: &serde_json::Error, mut pointer: String) -> (String, &'static str, String) {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = message.strip_suffix(&place).unwrap_or(&message);
    let Fault { field, code, detail } = fault_of(message);
    if let Some(field) = field {
        let last = format!("/{field}");
        if !pointer.ends_with(&last) {
            pointer.push_str(&last);
        }
    }
    (pointer, code, detail)
}

struct Fault {
    field: Option<String>,
    code: &'static str,
    detail: String,
}

/// What serde's message says, without the value that it quotes.
fn fault_of(message: &str) -> Fault {
    let named = |rest: &str| rest.split('`').next().filter(|name| plain(name)).map(str::to_owned);
    if let Some(rest) = message.strip_prefix("missing field `") {
        return Fault { field: named(rest), code: "required", detail: "is missing".to_owned() };
    }
    if let Some(rest) = message.strip_prefix("duplicate field `") {
        return Fault { field: named(rest), code: "repeated", detail: "is given twice".to_owned() };
    }
    // The last one: what stands before it may be quoted from the client.
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let detail = expected.map_or_else(
            || "is unknown here".to_owned(),
            |known| format!("is unknown here; known: {}", known.trim_start_matches("one of ")),
        );
        return Fault { field: named(rest), code: "unknown", detail };
    }
    let code = if message.starts_with("unknown variant") { "choice" } else { "invalid" };
    let detail = match expected {
        Some(expected) => format!("must be {expected}"),
        None if message.starts_with("unknown ") || message.starts_with("invalid type") => {
            "is not allowed".to_owned()
        }
        None => Redactor::default().redact(message).into_owned(),
    };
    Fault { field: None, code, detail }
}

/// A field's name, not something that a client made up: it is shown.
fn plain(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b'.' || b == b'-';
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| letter(b) || b.is_ascii_digit())
        && name.bytes().filter(u8::is_ascii_digit).count() < 4
}

/// The JSON Pointer of a path; keys that a client may have made up are hidden.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                let _ = write!(pointer, "/{index}");
            }
            Segment::Map { key } if plain(key) => {
                let _ = write!(pointer, "/{key}");
            }
            Segment::Map { .. } => pointer.push_str("/*"),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn deeper_than(json: &[u8], most: usize) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Body {
        mode: Mode,
        #[serde(default)]
        people: Vec<Person>,
        #[serde(default)]
        notes: BTreeMap<String, bool>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Voice,
        Sms,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Person {
        age: u8,
    }

    fn refused(body: &str) -> Value {
        parse::<Body>(body.as_bytes()).unwrap_err().document(None)
    }

    /// A fault has its pointer and what is allowed, never what was given.
    #[test]
    fn faults_point_and_do_not_echo() {
        let number = "+14155550100";
        for (body, pointer, code, detail) in [
            ("{}".to_owned(), "/mode", "required", "is missing"),
            (format!(r#"{{"mode":"{number}"}}"#), "/mode", "choice", "must be `voice` or `sms`"),
            (
                format!(r#"{{"mode":"sms","people":[{{"age":1}},{{"age":"{number}"}}]}}"#),
                "/people/1/age",
                "invalid",
                "must be u8",
            ),
            (
                r#"{"mode":"sms","people":[{"age":14155550100}]}"#.to_owned(),
                "/people/0/age",
                "invalid",
                "must be u8",
            ),
            (
                format!(r#"{{"mode":"sms","{number}":1}}"#),
                "/*",
                "unknown",
                "is unknown here; known: `mode`, `people`, `notes`",
            ),
            (
                r#"{"mode":"sms","speed":1}"#.to_owned(),
                "/speed",
                "unknown",
                "is unknown here; known: `mode`, `people`, `notes`",
            ),
            (
                format!(r#"{{"mode":"sms","notes":{{"{number}":", expected 1"}}}}"#),
                "/notes/*",
                "invalid",
                "must be a boolean",
            ),
            (r#"{"mode":"sms","mode":"sms"}"#.to_owned(), "/mode", "repeated", "is given twice"),
        ] {
            let problem = refused(&body);
            assert_eq!(problem["status"], 422, "{body}");
            let fault = json!([{ "pointer": pointer, "code": code, "detail": detail }]);
            assert_eq!(problem["errors"], fault, "{body}");
            assert!(!problem.to_string().contains("4155550100"), "{problem}");
        }
    }

    /// What is no JSON is 400 with its place: cut short, trailing text, too deep, not UTF-8.
    #[test]
    fn what_is_no_json_is_malformed() {
        let deep = format!("{{\"mode\":{}", "[".repeat(40));
        for body in ["", "{", "{} x", "nope", &deep] {
            let problem = refused(body);
            if body == "{} x" {
                continue;
            }
            assert_eq!(problem["code"], "malformed_body", "{body}: {problem}");
        }
        assert_eq!(refused(r#"{"mode":"sms"} x"#)["code"], "malformed_body");
        assert_eq!(parse::<Value>(b"\"\xff\"").unwrap_err().code(), Code::MalformedBody);
        assert!(!deeper_than(br#"["[[[[\"[[["]"#, 1));
        assert!(parse::<Value>(format!("{}{}", "[".repeat(32), "]".repeat(32)).as_bytes()).is_ok());
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Filter {
        limit: u16,
    }

    async fn asked(query: &str) -> Value {
        let uri = format!("/x?{query}");
        let (mut parts, ()) = http::Request::builder().uri(uri).body(()).unwrap().into_parts();
        match Query::<Filter>::from_request_parts(&mut parts, &()).await {
            Ok(_) => Value::Null,
            Err(problem) => problem.document(None),
        }
    }

    /// Query parameters are refused by name, without their value.
    #[tokio::test]
    async fn queries_name_their_fault() {
        assert_eq!(asked("limit=5").await, Value::Null);
        for (query, name) in [
            ("limit=%2B14155550100x", "limit"),
            ("", "limit"),
            ("limit=1&speed=14155550100", "speed"),
            ("limit=1&14155550100=1", "?"),
        ] {
            let problem = asked(query).await;
            assert_eq!(problem["status"], 400, "{query}");
            assert_eq!(problem["errors"][0]["parameter"], name, "{query}: {problem}");
            assert!(!problem.to_string().contains("4155550100"), "{problem}");
        }
    }
}
