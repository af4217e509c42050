//! Posts to marketplaces, signed as Standard Webhooks 1.0.0 has it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

use super::{Error, Relay};
use crate::{
    domain::time::Timestamp,
    egress::{self, Failure, Response},
    privacy::webhook::{RANDOM_BYTES, WebhookKeys},
    store::{self, Tx},
};

/// What is posted.
pub(super) struct Post<'a> {
    /// An address that the marketplace gave.
    pub(super) url: &'a str,
    /// The same for each attempt and each copy.
    pub(super) id: &'a str,
    /// When it was signed.
    pub(super) at: Timestamp,
    /// One or more over `id`, `at` and `body`, with spaces between.
    pub(super) signatures: &'a str,
    /// JSON.
    pub(super) body: Bytes,
    /// How long the whole exchange may take.
    pub(super) deadline: Duration,
    /// The longest answer that is read, in bytes.
    pub(super) answer_max: usize,
}

impl Relay {
    /// Posts it, once, through the guarded client.
    ///
    /// # Errors
    /// Every [`Failure`]; an answer with any status is none.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<Response, Failure> {
        let request = egress::Request {
            method: Method::POST,
            address: self.egress.accept(post.url)?,
            headers: headers(&post),
            body: post.body,
            deadline: post.deadline,
            answer_max: post.answer_max,
        };
        self.egress.send(request).await
    }
}

fn headers(post: &Post<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let agent = concat!("Entremise/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    headers.insert("webhook-timestamp", HeaderValue::from(post.at.seconds()));
    for (name, text) in [("webhook-id", post.id), ("webhook-signature", post.signatures)] {
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
