//! The accept loop: every client gets a bounded number of connections and a bounded time for each
//! step, and a stop finishes what was begun.
//!
//! axum's own loop has no deadlines: half a request's head, or nothing at all, would hold a
//! connection for ever.

mod arrival;
mod body;
mod clients;
mod connection;
mod intake;
mod measure;
mod progress;
mod tls;

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, response::IntoResponse as _};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

pub use self::{
    arrival::{Arrival, TrustedProxies},
    body::BodyTooSlow,
    intake::Share,
    tls::{Tls, TlsError},
};
use self::{
    clients::{Clients, Refusal},
    intake::Intake,
    progress::{Progress, Tracked},
};
use super::problem::{self, Code, Problem};
use crate::{clock::Clock, telemetry::metrics};

/// The header that names a request in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Longest head of a request, in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// Most headers of a request.
const HEADERS: usize = 100;
/// Most requests at once on one HTTP/2 connection.
const STREAMS: u32 = 100;
/// What one HTTP/2 connection may send before it is read, and one of its answers have unsent, in
/// bytes. hyper's own are 1 MiB and 400 KiB, for each of thousands of connections.
const WINDOW: u32 = 128 * 1024;
const UNSENT: usize = 64 * 1024;
/// How long accepting rests after an error such as "too many open files".
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What one client, and all of them together, may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Open connections from one address, or one /64 of IPv6. Trusted proxies are exempt.
    pub connections_per_client: usize,
    /// From connecting to the first byte; also for the TLS handshake.
    pub first_byte: Duration,
    /// From a head's first byte to its last.
    pub header: Duration,
    /// From a head's end to the end of its body.
    pub body: Duration,
    /// How long a connection may lie idle between two requests.
    pub keep_alive: Duration,
    /// How long a client may read nothing of an answer that waits to be written.
    pub stall: Duration,
    /// Requests whose handler runs, and does not wait for its client. Of one client so many
    /// bodies are waited for as it may have connections.
    pub in_flight: usize,
    /// Which part of `in_flight` each surface has: a flood of one takes no place of another.
    pub shares: &'static [Share],
    /// From the stop until what is unfinished is cut off.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_client: 64,
            first_byte: Duration::from_secs(10),
            header: Duration::from_secs(5),
            body: Duration::from_secs(10),
            keep_alive: Duration::from_mins(1),
            stall: Duration::from_secs(10),
            in_flight: 1024,
            shares: &[],
            drain: Duration::from_secs(20),
        }
    }
}

/// When the server stops: with each request, for answers that would not end.
#[derive(Debug, Clone)]
pub struct Stopping(pub CancellationToken);

/// What is served and how.
#[derive(Debug)]
pub struct Server {
    /// The listener's name in metrics and logs, such as `public`.
    pub name: &'static str,
    /// The routes. A handler's panic becomes a problem with status 500.
    pub router: Router,
    /// HTTPS instead of HTTP.
    pub tls: Option<Tls>,
    /// The bounds.
    pub limits: Limits,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted: TrustedProxies,
    /// Dates request ids.
    pub clock: Clock,
}

/// What the connections share.
struct Shared {
    name: &'static str,
    router: Router,
    tls: Option<Tls>,
    limits: Limits,
    trusted: TrustedProxies,
    ids: arrival::RequestIds,
    http: auto::Builder<TokioExecutor>,
    intake: Arc<Intake>,
    stop: CancellationToken,
}

impl Server {
    /// Serves `listener` until `stop`, then stops accepting, lets running requests finish for
    /// [`Limits::drain`], cuts off the rest and returns. Endless answers (event streams) must
    /// watch [`Stopping`] themselves. Dropping the future cuts off everything at once.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let drain = self.limits.drain;
        let mut tasks = JoinSet::new();
        if let Some(tls) = self.tls.clone() {
            let stop = stop.clone();
            tasks.spawn(async move { tls.watch(&stop).await });
        }
        let clients = Clients::new(self.name, &self.limits);
        let shared = Arc::new(Shared::new(self, stop.clone()));
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => accept(&shared, &clients, stream, peer, &mut tasks),
                    Err(error) => {
                        metrics::refused_connection(shared.name, "accept");
                        tracing::warn!(listener = shared.name, %error, "cannot accept");
                        stop.run_until_cancelled(tokio::time::sleep(ACCEPT_REST)).await;
                    }
                },
                Some(_) = tasks.join_next() => {}
            }
        }
        drop(listener);
        let finished = timeout(drain, async { while tasks.join_next().await.is_some() {} }).await;
        if finished.is_err() {
            let left = tasks.len();
            for _ in 0..left {
                metrics::refused_connection(shared.name, "drain");
            }
            tracing::warn!(listener = shared.name, left, "connections cut off at the stop");
        }
        tasks.shutdown().await;
    }
}

fn accept(
    shared: &Arc<Shared>,
    clients: &Clients,
    stream: TcpStream,
    peer: SocketAddr,
    tasks: &mut JoinSet<()>,
) {
    let peer = peer.ip().to_canonical();
    match clients.enter(peer, shared.trusted.contains(peer)) {
        Ok(place) => {
            let shared = Arc::clone(shared);
            tasks.spawn(async move {
                connection::run(&shared, stream, peer).await;
                drop(place);
            });
        }
        Err(refusal) => {
            metrics::refused_connection(shared.name, refusal.reason());
            if shared.tls.is_none() {
                // As much as fits without waiting: who is refused is not waited for.
                let _ = stream.try_write(refusal.answer());
            }
        }
    }
}

impl Shared {
    fn new(server: Server, stop: CancellationToken) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        // `progress` holds the deadlines, also the one for heads: hyper's would cut idle
        // connections as well, and would set a timer for each request.
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_headers(HEADERS)
            .max_buf_size(HEAD_BYTES);
        http.http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(UNSENT)
            .max_concurrent_streams(STREAMS);
        metrics::handle();
        Self {
            name: server.name,
            router: server.router.layer(measure::Measure { listener: server.name }),
            tls: server.tls,
            intake: Arc::new(Intake::new(&server.limits)),
            limits: server.limits,
            trusted: server.trusted,
            ids: arrival::RequestIds::new(server.clock),
            http,
            stop,
        }
    }
}

/// Answers one request; never fails, never panics.
async fn answer(
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    peer: IpAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Tracked>, Infallible> {
    let active = progress.begin(request.version());
    let started = Instant::now();
    let client = shared.trusted.client(peer, request.headers());
    let arrival = Arrival::new(client, shared.ids.of(request.headers()));
    let method = measure::Method::of(request.method());
    let place = shared.intake.enter(request.uri().path(), client);
    let response = if let Some(place) = place {
        request.extensions_mut().insert(arrival.clone());
        request.extensions_mut().insert(Stopping(shared.stop.clone()));
        let request = request.map(|body| body::timed(body, started + shared.limits.body, &place));
        let mut router = shared.router.clone();
        match AssertUnwindSafe(async move { router.call(request).await }).catch_unwind().await {
            // Without its body no handler did anything.
            Ok(Ok(_)) if place.refused() => crowded(shared.name, "bodies"),
            Ok(Ok(response)) => response,
            Err(_) => {
                metrics::panicked(shared.name);
                Problem::internal("a handler panicked").into_response()
            }
        }
    } else {
        crowded(shared.name, "in_flight")
    };
    arrival.measured(method, response.status(), started.elapsed());
    let id = arrival.request_id();
    let mut response: Response<Body> = problem::finish(response, id);
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response.map(|body| Tracked::new(body, active)))
}

fn crowded(listener: &'static str, reason: &'static str) -> Response<Body> {
    metrics::refused_connection(listener, reason);
    Problem::new(Code::Unavailable, "There is too much to do. Please try again.")
        .retry_after(Duration::from_secs(1))
        .into_response()
}

impl Refusal {
    fn answer(self) -> &'static [u8] {
        match self {
            Self::Total => {
                b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\
                  connection: close\r\n\r\n"
            }
            Self::Client => {
                b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\
                  connection: close\r\n\r\n"
            }
        }
    }
}
