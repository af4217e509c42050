//! Requests to marketplaces, and what signs them as Standard Webhooks 1.0.0 has it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

use super::{Error, Relay, twilio_proxy::Letter};
use crate::{
    domain::time::Timestamp,
    egress::{self, Failure, Response},
    privacy::webhook::{RANDOM_BYTES, WebhookKeys},
    store::{self, Tx},
};

/// Who we say that we are.
pub(super) const AGENT: &str = concat!("Entremise/", env!("CARGO_PKG_VERSION"));

/// What is posted.
pub(super) struct Post<'a> {
    /// An address that the marketplace gave.
    pub(super) url: &'a str,
    /// What it is and who signed it.
    pub(super) headers: HeaderMap,
    /// What is signed.
    pub(super) body: Bytes,
    /// How long the whole exchange may take.
    pub(super) deadline: Duration,
    /// The longest answer that is read, in bytes.
    pub(super) answer_max: usize,
}

impl Relay {
    /// Sends it, once, through the guarded client, and reads at most `answer_max` bytes of the answer.
    ///
    /// # Errors
    /// Every [`Failure`]; an answer with any status is none.
    pub(super) async fn write_to(
        &self,
        letter: &Letter,
        deadline: Duration,
        answer_max: usize,
    ) -> Result<Response, Failure> {
        let request = egress::Request {
            method: letter.method.clone(),
            address: self.egress.accept(&letter.url)?,
            headers: letter.headers.clone(),
            body: Bytes::from(letter.body.clone()),
            deadline,
            answer_max,
        };
        self.egress.send(request).await
    }

    /// Posts it, once, through the guarded client.
    ///
    /// # Errors
    /// Every [`Failure`]; an answer with any status is none.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<Response, Failure> {
        let request = egress::Request {
            method: Method::POST,
            address: self.egress.accept(post.url)?,
            headers: post.headers,
            body: post.body,
            deadline: post.deadline,
            answer_max: post.answer_max,
        };
        self.egress.send(request).await
    }
}

/// The headers of JSON as Standard Webhooks has them. `id` is the same for each attempt and each copy;
/// `signatures` are one or more over `id`, `at` and the body, with spaces between.
pub(super) fn standard(id: &str, at: Timestamp, signatures: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert("webhook-timestamp", HeaderValue::from(at.seconds()));
    for (name, text) in [("webhook-id", id), ("webhook-signature", signatures)] {
        // Ids, hex and base64 always fit in a header.
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Keys of an endpoint's or a service's own.
pub(super) fn new_keys(tx: &Tx) -> Result<WebhookKeys, Error> {
    let mut random = [0; RANDOM_BYTES];
    tx.random(&mut random);
    Ok(WebhookKeys::from_random(&random).map_err(store::Error::from)?)
}
