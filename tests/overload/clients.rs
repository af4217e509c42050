//! Clients: slow ones in all the ways there are, and good ones that measure.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use entremise::{clock::Clock, ids::hex};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::interval,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::server::{PROXY, SECRET, Server};

/// How fast a slow client writes: a byte each.
const DRIP: Duration = Duration::from_secs(1);
/// How often a good client asks.
const PACE: Duration = Duration::from_millis(50);

/// How a client is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slow {
    /// Says nothing.
    Silent,
    /// Sends its head byte by byte.
    Head,
    /// Sends a webhook's body byte by byte.
    HookBody,
    /// The same to the API, with a key.
    ApiBody,
    /// Asks, and never reads a short answer.
    Unread,
    /// Asks for much, and never reads it.
    Stalled,
}

impl Slow {
    /// How long the server bears it. What was answered in full is an idle connection like any other.
    pub(crate) const fn most(self) -> Option<Duration> {
        match self {
            Self::Head => Some(Duration::from_secs(5)),
            Self::Silent | Self::HookBody | Self::ApiBody => Some(Duration::from_secs(10)),
            Self::Unread | Self::Stalled => None,
        }
    }

    fn says(self, key: &str) -> String {
        let json = "host: x\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n";
        match self {
            Self::Silent => String::new(),
            Self::Head => "GET /docs HTTP/1.1\r\nhost: x\r\nx-slow: ".to_owned(),
            Self::HookBody => format!("POST /hooks/sandbox/message HTTP/1.1\r\n{json}\r\n"),
            Self::ApiBody => {
                let key = format!("authorization: Bearer {key}\r\n");
                format!("POST /api/v1/services HTTP/1.1\r\n{json}{key}\r\n")
            }
            Self::Unread => "GET /docs HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
            // More than the kernel keeps for who does not read: 4 MiB.
            Self::Stalled => "GET /api/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(60),
        }
    }
}

/// A slow client's end: how long the server bore it, or nothing where it was to stay until `done`.
pub(crate) struct Cut {
    pub(crate) kind: Slow,
    pub(crate) after: Option<Duration>,
}

/// Connects from `source` and is slow until the server closes, or until `done`.
pub(crate) async fn slow(
    kind: Slow,
    source: Ipv4Addr,
    (server, key): (SocketAddr, Arc<str>),
    done: CancellationToken,
) -> Cut {
    let socket = TcpSocket::new_v4().unwrap();
    if kind == Slow::Stalled {
        socket.set_recv_buffer_size(4096).unwrap();
    }
    // Addresses of their own: none may have as many connections.
    socket.bind((source, 0).into()).unwrap();
    let mut stream = socket.connect(server).await.unwrap();
    let begun = Instant::now();
    let _ = stream.write_all(kind.says(&key).as_bytes()).await;
    let drips = !matches!(kind, Slow::Silent | Slow::Unread | Slow::Stalled);
    let (mut reading, mut writing) = stream.split();
    let mut ticks = interval(DRIP);
    let dripping = async {
        if drips {
            loop {
                ticks.tick().await;
                if writing.write_all(b"1").await.is_err() {
                    break;
                }
            }
        }
        std::future::pending::<()>().await;
    };
    let closed = async {
        if kind.most().is_none() {
            return std::future::pending().await;
        }
        let mut bytes = [0; 4096];
        while let Ok(1..) = reading.read(&mut bytes).await {}
    };
    tokio::select! {
        () = closed => Cut { kind, after: Some(begun.elapsed()) },
        () = dripping => Cut { kind, after: None },
        () = done.cancelled() => Cut { kind, after: None },
    }
}

/// What a good client asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Good {
    /// A carrier: posts calls to our number.
    Webhooks,
    /// A marketplace: lists its sessions.
    Api,
}

/// What good clients saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) took: Vec<Duration>,
    /// What was not answered with 200.
    pub(crate) faults: Vec<String>,
}

impl Seen {
    pub(crate) fn p99(&mut self) -> Duration {
        self.took.sort_unstable();
        self.took.get(self.took.len() * 99 / 100).copied().unwrap_or(Duration::MAX)
    }
}

static EVENTS: AtomicU64 = AtomicU64::new(0);

impl Good {
    fn request(self, server: SocketAddr, key: &str) -> Request<Full<Bytes>> {
        if matches!(self, Self::Api) {
            let request = Request::get("/api/v1/sessions?limit=20").header("host", "x");
            let request = request.header("authorization", format!("Bearer {key}"));
            return request.body(Full::default()).unwrap();
        }
        let count = EVENTS.fetch_add(1, Ordering::Relaxed);
        // Somebody new each time: who calls again and again is no load to look up.
        let caller = format!("+{}{:04}", 1_212_555, 100 + count % 100);
        let body = serde_json::json!({
            "event": "call", "id": format!("good-{count}"), "from": caller, "to": PROXY,
        })
        .to_string();
        let at = Clock::system().now().millis();
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        let mut signed = format!("{at}.");
        write!(signed, "http://{server}/hooks/sandbox/call.{body}").unwrap();
        let tag = ring::hmac::sign(&secret, signed.as_bytes());
        Request::post("/hooks/sandbox/call")
            .header("host", server.to_string())
            .header("content-type", "application/json")
            .header("sandbox-signature", format!("t={at},v1={}", hex(tag.as_ref())))
            .body(Full::new(Bytes::from(body)))
            .unwrap()
    }

    /// Asks again and again, on one connection while that lasts, until `stop`.
    pub(crate) async fn ask(
        self,
        (server, key): (SocketAddr, Arc<str>),
        stop: CancellationToken,
    ) -> Seen {
        let (mut seen, mut line) = (Seen::default(), None);
        let tasks = TaskTracker::new();
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let request = self.request(server, &key);
            let begun = Instant::now();
            let answered = exchange(&mut line, server, request, &tasks).await;
            seen.took.push(begun.elapsed());
            if answered.as_ref() != Ok(&StatusCode::OK) {
                seen.faults.push(format!("{self:?}: {answered:?}"));
                line = None;
            }
        }
        seen
    }
}

type Line = Option<SendRequest<Full<Bytes>>>;

async fn exchange(
    line: &mut Line,
    server: SocketAddr,
    request: Request<Full<Bytes>>,
    tasks: &TaskTracker,
) -> Result<StatusCode, String> {
    let text = |error: hyper::Error| error.to_string();
    let mut open = if let Some(open) = line.take().filter(|line| !line.is_closed()) {
        open
    } else {
        let stream = TcpStream::connect(server).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (open, connection) = handshake(TokioIo::new(stream)).await.map_err(text)?;
        tasks.spawn(connection);
        open
    };
    let (head, body) = open.send_request(request).await.map_err(text)?.into_parts();
    body.collect().await.map_err(text)?;
    *line = Some(open);
    Ok(head.status)
}

/// The server's metrics.
pub(crate) async fn metrics(server: &Server) -> String {
    let request = Request::get("/metrics").header("host", "x").body(Full::default()).unwrap();
    let answer = crate::support::request(server.ops, request).await;
    String::from_utf8(answer.body).unwrap()
}
