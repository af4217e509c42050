//! The one HTTP client that talks to carriers: time and size bounded, no redirects.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use crate::carrier::{
    Request, Response, SendError,
    error::{Retry, SendErrorKind},
};

/// How long a carrier may take: less than a worker's lease.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The longest answer that is read: a page of a hundred long texts.
const BODY_MAX: usize = 1024 * 1024;

/// Carries one request to a carrier and its answer back.
pub trait Transport: fmt::Debug + Send + Sync {
    /// As [`Client::send`].
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, SendError>>;

    /// As [`Client::fetch`].
    fn fetch(
        &self,
        request: Request,
        most: usize,
        _deadline: Duration,
    ) -> BoxFuture<'_, Result<Response, NotFetched>> {
        Box::pin(async move {
            let answer = self.send(request).await.map_err(|_| NotFetched::Failed)?;
            if answer.body.len() > most { Err(NotFetched::TooLarge) } else { Ok(answer) }
        })
    }
}

/// Why there is no answer to a request for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFetched {
    /// It is longer than was to be read.
    TooLarge,
    /// No whole answer in time.
    Failed,
}

/// Talks to carriers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(Arc<dyn Transport>);

impl Client {
    /// A client with the web's certificate authorities.
    pub fn new() -> Self {
        Self(Arc::new(Web::new()))
    }

    /// A client over something else than the web: a simulation.
    pub fn over(transport: Arc<dyn Transport>) -> Self {
        Self(transport)
    }

    /// Sends one request.
    ///
    /// # Errors
    /// `Retry::After` where it was certainly not sent (M4, class A), `Retry::Unknown` where it may
    /// have been (class C).
    pub async fn send(&self, request: Request) -> Result<Response, SendError> {
        self.0.send(request).await
    }

    /// Fetches a file of at most so many bytes, as long as that may take together.
    ///
    /// # Errors
    /// [`NotFetched`].
    pub async fn fetch(
        &self,
        request: Request,
        most: usize,
        deadline: Duration,
    ) -> Result<Response, NotFetched> {
        self.0.fetch(request, most, deadline).await
    }
}

#[derive(Debug)]
struct Web {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Transport for Web {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(self.ask(request))
    }

    fn fetch(
        &self,
        request: Request,
        most: usize,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Response, NotFetched>> {
        Box::pin(async move {
            let request = built(request).ok_or(NotFetched::Failed)?;
            match tokio::time::timeout(deadline, self.exchange(request, most)).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(Failed::TooLarge)) => Err(NotFetched::TooLarge),
                Ok(Err(_)) | Err(_) => Err(NotFetched::Failed),
            }
        })
    }
}

/// How an exchange failed.
enum Failed {
    /// No connection, no request: name, address, TLS.
    NotConnected,
    TooLarge,
    Broken,
}

/// A request as the library wants it; `None` for one that can't be one.
fn built(request: Request) -> Option<hyper::Request<Full<Bytes>>> {
    let mut builder = hyper::Request::builder().method(request.method).uri(&request.url);
    if let Some(headers) = builder.headers_mut() {
        *headers = request.headers;
    }
    builder.body(Full::new(request.body)).ok()
}

impl Web {
    fn new() -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_MAX));
        http.set_nodelay(true);
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            // A request on a connection that turns out closed is sent again only by us, with the
            // carrier's rules for doing so.
            .retry_canceled_requests(false)
            .build(https);
        Self { pool }
    }

    async fn ask(&self, request: Request) -> Result<Response, SendError> {
        let request = built(request).ok_or(SendError::new(SendErrorKind::Config, Retry::Never))?;
        let retry = match tokio::time::timeout(ANSWER_MAX, self.exchange(request, BODY_MAX)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(Failed::NotConnected)) => Retry::After(Duration::from_secs(1)),
            Ok(Err(Failed::TooLarge | Failed::Broken)) | Err(_) => Retry::Unknown,
        };
        Err(SendError::new(SendErrorKind::Unreachable, retry))
    }

    async fn exchange(
        &self,
        request: hyper::Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Response, Failed> {
        let answer = self.pool.request(request).await.map_err(|error| {
            if error.is_connect() { Failed::NotConnected } else { Failed::Broken }
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, most).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Failed::TooLarge } else { Failed::Broken }
        })?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}
