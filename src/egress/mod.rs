//! The guarded client: calls addresses that others gave us, and cannot be turned inward.
//!
//! An account registers where its webhooks go, and a carrier names where a picture lies: both are
//! strangers' words. [`Egress::accept`] judges an address by its form; [`Egress::send`] looks its
//! name up once, judges **every** answer, and connects to one of exactly those. A connection can
//! be opened to a `guard::Checked` address only, and only the guard makes one. Why no redirects,
//! no pool and no proxy: `docs/adr/0010-guarded-egress.md`.

mod address;
mod connect;
mod exchange;
mod guard;
mod public;
mod resolve;
#[cfg(test)]
mod tests;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use tokio::time::{Instant, timeout_at};

pub use self::{
    address::{Address, Refused},
    connect::Trust,
    guard::Reach,
    resolve::{Resolve, System},
};
use self::{connect::Connector, guard::Guard};
use crate::telemetry::metrics;

/// The longest that one request may take, whatever its own deadline says.
pub const DEADLINE_MAX: Duration = Duration::from_mins(1);

/// What an [`Egress`] may do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Addresses with ports that may be called although they are not public, or not on 443.
    pub allow: Vec<SocketAddr>,
    /// Looks names up.
    pub resolver: Arc<dyn Resolve>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// How far it may lead.
    pub reach: Reach,
}

impl Default for Options {
    /// Public addresses only, the system's look-up, the web's certificate authorities.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            resolver: Arc::new(System::default()),
            trust: Trust::Web,
            reach: Reach::Public,
        }
    }
}

/// Calls addresses that others gave us. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Egress {
    guard: Arc<Guard>,
    connector: Connector,
}

/// What is sent. Its `Debug` has neither headers nor body.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to.
    pub address: Address,
    /// The headers. `Host`, lengths and what is about the connection are the client's own.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long name, connection, TLS, request and answer may take together; [`DEADLINE_MAX`] at
    /// most.
    pub deadline: Duration,
    /// The longest body of an answer, in bytes.
    pub answer_max: usize,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What was answered, redirects included: none is followed. Its `Debug` has the status only.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The address may not be called. Nothing was sent.
    #[error("the address {0}")]
    Refused(#[from] Refused),
    /// No such name, or no connection in time. Nothing was sent.
    #[error("the host cannot be reached")]
    Unreachable,
    /// The host did not prove to be the one that the address names. Nothing was sent.
    #[error("the host has no certificate for its name that is trusted")]
    Untrusted,
    /// No whole answer in time. The request may have arrived.
    #[error("no whole answer in time")]
    Timeout,
    /// The connection broke, or what came is not HTTP. The request may have arrived.
    #[error("the connection broke before a whole answer")]
    Broken,
    /// Head or body of the answer is too long. The request arrived.
    #[error("the answer is too long")]
    TooLarge,
}

impl Failure {
    /// Whether the host certainly got nothing of the request.
    pub const fn certainly_not_sent(self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unreachable | Self::Untrusted)
    }

    /// One word of a closed set, for metrics and lists of deliveries.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Unreachable => "unreachable",
            Self::Untrusted => "untrusted",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::TooLarge => "too_large",
        }
    }
}

impl Default for Egress {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Egress {
    /// A client with these options.
    pub fn new(options: Options) -> Self {
        Self {
            guard: Arc::new(Guard::new(&options.allow, options.reach)),
            connector: Connector::new(options.resolver, options.trust),
        }
    }

    /// Judges an address by its form, when somebody registers it: no name is looked up, so what
    /// is accepted here may still be refused by [`Egress::send`].
    ///
    /// # Errors
    /// Why it may not be called; the words fit behind "the address".
    pub fn accept(&self, url: &str) -> Result<Address, Refused> {
        Address::parse(url, &self.guard)
    }

    /// Sends one request, once, on a connection of its own.
    ///
    /// # Errors
    /// [`Failure`] says whether the request may have arrived.
    pub async fn send(&self, request: Request) -> Result<Response, Failure> {
        let end = Instant::now() + request.deadline.min(DEADLINE_MAX);
        let answer = self.send_until(end, request).await;
        metrics::egress_request(answer.as_ref().map_or_else(|why| why.word(), |_| "answered"));
        answer
    }

    async fn send_until(&self, end: Instant, request: Request) -> Result<Response, Failure> {
        let connected = self.connector.connect(&request.address, &self.guard, end);
        let stream = timeout_at(end, connected).await.map_err(|_| Failure::Unreachable)??;
        timeout_at(end, exchange::exchange(stream, request)).await.map_err(|_| Failure::Timeout)?
    }
}
