//! Requests and responses as bytes, in both directions. `Debug` shows neither headers nor body.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

/// An HTTP request: a webhook that came in, or one of ours to a carrier.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The full address, with the query and without the fragment. For a webhook it is made from
    /// the configured public address, never from the `Host` header.
    pub url: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The exact bytes of the body.
    pub body: Bytes,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A POST of a body of that type.
    pub fn post(
        url: impl Into<String>,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        let mut request = Self::new(Method::POST, url);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        request.body = body.into();
        request
    }

    /// Adds a header; one whose value has control characters is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(name == http::header::AUTHORIZATION);
            self.headers.insert(name, value);
        }
        self
    }

    /// The text of a header, if it is there once and is ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(one), None) => one.to_str().ok(),
            _ => None,
        }
    }

    /// The query string, empty if there is none.
    pub fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} with {} bytes)", self.method, self.body.len())
    }
}

/// An HTTP response: a carrier's answer to us, or ours to a carrier.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// A response with a body of that type.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body: body.into() }
    }

    /// A response without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// How long it asks to wait in `Retry-After`, in seconds: `least` where it does not say, and never
    /// less than that or more than `most`.
    pub fn retry_after(&self, least: Duration, most: Duration) -> Duration {
        let wait = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|text| text.parse().ok()).map_or(least, Duration::from_secs);
        wait.clamp(least, most)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} with {} bytes)", self.status, self.body.len())
    }
}
