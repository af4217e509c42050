//! Problem documents (RFC 9457): how every surface but the carriers' hooks says no.
//!
//! `type` is `/problems/<code>`, a page that [`pages()`] serves. No text in a problem repeats what
//! the client sent.

mod code;
mod extract;
mod pages;

use std::{borrow::Cow, fmt, time::Duration};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

pub(crate) use self::extract::{is_json, misfit, parse};
pub use self::{
    code::Code,
    extract::{Json, Path, Query},
    pages::pages,
};
use crate::ids::RequestId;

/// The media type of a problem.
pub const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Where a fault is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A JSON Pointer (RFC 6901) into the body; empty for all of it.
    Body(String),
    /// The name of a query parameter, a form field or a header.
    Parameter(Cow<'static, str>),
}

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    place: Place,
    code: &'static str,
    detail: Cow<'static, str>,
}

impl FieldFault {
    /// A fault in the body at `pointer`, such as `/participants/0/identifier`. `code` is stable and
    /// in `snake_case`; `detail` says what is allowed, without the value that was given.
    pub fn body(
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { place: Place::Body(pointer.into()), code, detail: detail.into() }
    }

    /// A fault in the query parameter, form field or header `name`.
    pub fn parameter(
        name: impl Into<Cow<'static, str>>,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { place: Place::Parameter(name.into()), code, detail: detail.into() }
    }

    fn json(&self) -> Value {
        match &self.place {
            Place::Body(pointer) => {
                json!({ "pointer": pointer, "code": self.code, "detail": self.detail })
            }
            Place::Parameter(name) => {
                json!({ "parameter": name, "code": self.code, "detail": self.detail })
            }
        }
    }
}

/// Why a request was not done. Small: it is the error type of handlers.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldFault>,
    retry_after: Option<Duration>,
    members: Map<String, Value>,
    /// For the log only.
    cause: Option<String>,
}

impl Problem {
    /// A problem. `detail` says what to do about it, without a value that the client gave.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            members: Map::new(),
            cause: None,
        }))
    }

    /// Our fault. The client reads a fixed sentence; `cause` goes to the log, with the request's
    /// id.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(Code::Internal, "Something went wrong on our side; it is in the log.")
            .caused_by(cause)
    }

    /// What we need does not answer. Retry after one second; `cause` goes to the log.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::new(Code::Unavailable, "Nothing was done. Please try again.")
            .retry_after(Duration::from_secs(1))
            .caused_by(cause)
    }

    /// [`Code::ValidationFailed`] with all that is wrong at once.
    pub fn invalid(faults: impl IntoIterator<Item = FieldFault>) -> Self {
        Self::new(Code::ValidationFailed, "See `errors`; nothing was done.").with_faults(faults)
    }

    /// Adds one fault.
    #[must_use]
    pub fn with_fault(mut self, fault: FieldFault) -> Self {
        self.0.errors.push(fault);
        self
    }

    /// Adds faults.
    #[must_use]
    pub fn with_faults(mut self, faults: impl IntoIterator<Item = FieldFault>) -> Self {
        self.0.errors.extend(faults);
        self
    }

    /// Adds `Retry-After`: `wait` in whole seconds, rounded up, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds an extension member. The standard members cannot be replaced.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds what the log is told, and the client is not.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// What kind of problem it is.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the client is told.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// All faults.
    pub fn faults(&self) -> &[FieldFault] {
        &self.0.errors
    }

    /// The document. Members of the standard win over extension members.
    pub fn document(&self, request_id: Option<&RequestId>) -> Value {
        let inner = &*self.0;
        let mut document = inner.members.clone();
        let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
        put("type", json!(format!("/problems/{}", inner.code)));
        put("title", json!(inner.code.title()));
        put("status", json!(inner.code.status().as_u16()));
        put("code", json!(inner.code.as_str()));
        put("detail", json!(inner.detail));
        put("retryable", json!(inner.code.retryable()));
        if !inner.errors.is_empty() {
            put("errors", inner.errors.iter().map(FieldFault::json).collect());
        }
        if let Some(id) = request_id {
            put("request_id", json!(id));
        }
        Value::Object(document)
    }

    fn response(&self, request_id: Option<&RequestId>) -> Response {
        let mut response = Response::new(Body::from(self.document(request_id).to_string()));
        *response.status_mut() = self.0.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.0.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.0.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// The document without a request id; [`finish`] adds it.
    fn into_response(self) -> Response {
        let mut response = self.response(None);
        response.extensions_mut().insert(self);
        response
    }
}

/// Tells the answer, and the log where it is our fault, which request it was.
pub fn finish(mut response: Response, id: &RequestId) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let code = problem.0.code.as_str();
        if let Some(cause) = &problem.0.cause {
            tracing::error!(request_id = %id, code, cause, "a request failed");
        }
        // The answer's other headers stay, such as `Allow`; its length does not.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(problem.document(Some(id)).to_string());
    }
    response
}

/// The router with problems where no route, or no method of a route, matches.
pub fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(|| async { Problem::new(Code::NotFound, "There is nothing at this address.") })
        .method_not_allowed_fallback(|| async {
            let detail = "This address does not take this method; see `Allow`.";
            Problem::new(Code::MethodNotAllowed, detail)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document has the standard's members and ours, and no cause.
    #[test]
    fn document() {
        let problem = Problem::new(Code::PoolQuarantined, "Wait.")
            .member("next_free_at", "2026-01-01T00:00:00Z")
            .member("status", 200)
            .with_fault(FieldFault::body("/a/0", "required", "is missing"))
            .with_fault(FieldFault::parameter("limit", "range", "1 to 100"))
            .caused_by("secret");
        let id = RequestId::parse("RQ0123456789abcdef0123456789abcdef").unwrap();
        let expected = json!({
            "type": "/problems/pool_quarantined",
            "title": "Every number that fits is in quarantine",
            "status": 409,
            "code": "pool_quarantined",
            "detail": "Wait.",
            "retryable": true,
            "next_free_at": "2026-01-01T00:00:00Z",
            "errors": [
                { "pointer": "/a/0", "code": "required", "detail": "is missing" },
                { "parameter": "limit", "code": "range", "detail": "1 to 100" },
            ],
            "request_id": "RQ0123456789abcdef0123456789abcdef",
        });
        assert_eq!(problem.document(Some(&id)), expected);
        assert!(size_of::<Problem>() <= 16);
    }

    /// The headers say what the document says; a short wait is one second, not none.
    #[test]
    fn headers() {
        let response =
            Problem::unavailable("down").retry_after(Duration::from_millis(1)).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let response = Problem::new(Code::Unauthorized, "No key.").into_response();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
    }
}
