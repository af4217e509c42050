//! The accept loop, black box: clients that dawdle, stop, forge or crowd, beside clients that
//! behave.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use entremise::{
    clock::Clock,
    http::{
        problem::{self, Json},
        server::{Arrival, Limits, Server, Tls, TrustedProxies},
    },
    telemetry::metrics,
};
use http_body_util::BodyExt as _;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::{Instant, interval, timeout},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use tokio_util::sync::CancellationToken;

const SHORT: Duration = Duration::from_millis(300);
/// Far more than any test needs, so that only a hang reaches it.
const LONG: Duration = Duration::from_secs(20);

fn limits() -> Limits {
    Limits { first_byte: SHORT, header: SHORT, body: SHORT, drain: LONG, ..Limits::default() }
}

/// A running server; dropping it ends it.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    server: JoinSet<()>,
}

impl Running {
    async fn start(router: Router, limits: Limits) -> Self {
        Self::start_with(router, limits, |_| {}).await
    }

    async fn start_with(router: Router, limits: Limits, change: impl FnOnce(&mut Server)) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut server = Server {
            name: "test",
            router: problem::with_fallbacks(router.merge(problem::pages())),
            tls: None,
            limits,
            trusted: TrustedProxies::default(),
            clock: Clock::system(),
        };
        change(&mut server);
        let mut tasks = JoinSet::new();
        tasks.spawn(server.serve(listener, stop.clone()));
        Self { address, stop, server: tasks }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `text` and reads until the server closes.
    async fn send(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }

    /// Waits until the server has returned by itself.
    async fn ended(&mut self) {
        timeout(LONG, self.server.join_next()).await.expect("the server hangs").unwrap().unwrap();
    }
}

/// What comes until the connection ends, by a close or by a reset.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 65_536];
    let all = async {
        while let Ok(len @ 1..) = stream.read(&mut chunk).await {
            bytes.extend_from_slice(&chunk[..len]);
        }
    };
    timeout(LONG, all).await.expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).expect("there is no answer").parse().unwrap()
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn document(answer: &str) -> Value {
    assert_eq!(header(answer, "content-type"), Some("application/problem+json"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn router() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/thing", post(|Json(body): Json<Value>| async move { Json(body) }))
        .route("/who", get(|arrival: Arrival| async move { arrival.client().to_string() }))
        .route("/things/{id}", get(|| async { "thing" }))
        .layer(DefaultBodyLimit::max(1024))
}

/// Clients that connect and say nothing, stop within a head, drip a head, or drip a body, are all
/// closed soon after their deadline, while a good client is answered throughout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_closed() {
    let running = Running::start(router(), limits()).await;
    let head = "POST /thing HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let body = format!("{head}content-length: 100\r\n\r\n");
    let drip_head =
        "GET /hello HTTP/1.1\r\nhost: x\r\nx-padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let mut clients = JoinSet::new();
    for (name, at_once, drip) in [
        ("silent", "", ""),
        ("half a head", "GET / HTTP/1.1\r\nhost: x\r\n", ""),
        ("a dripped head", "", drip_head),
        ("a body that does not come", &*body, ""),
        ("a dripped body", &*body, "{\"a\":111111111111111111111111111111111111111111111111111111"),
    ] {
        let mut stream = running.connect().await;
        let (at_once, drip) = (at_once.to_owned(), drip.to_owned());
        clients.spawn(async move {
            let started = Instant::now();
            stream.write_all(at_once.as_bytes()).await.unwrap();
            let (mut reading, mut writing) = stream.split();
            let mut pace = interval(SHORT / 6);
            let dripping = async {
                for byte in drip.bytes() {
                    pace.tick().await;
                    if writing.write_all(&[byte]).await.is_err() {
                        break;
                    }
                }
                std::future::pending::<()>().await;
            };
            let answer = tokio::select! {
                answer = rest(&mut reading) => answer,
                () = dripping => String::new(),
            };
            (name, answer, started.elapsed())
        });
    }
    let mut open = 5;
    while open > 0 {
        tokio::select! {
            closed = clients.join_next() => {
                let (name, answer, took) = closed.unwrap().unwrap();
                assert!(took >= SHORT / 2, "{name} was closed after {took:?}");
                assert!(took < SHORT * 6, "{name} was closed after {took:?}");
                if name.contains("body") {
                    assert_eq!(document(&answer)["code"], "timeout", "{name}");
                } else {
                    assert_eq!(answer, "", "{name}");
                }
                open -= 1;
            }
            answer = running.get("/hello") => assert!(answer.ends_with("hello"), "{answer}"),
        }
    }
}

/// A second request may wait longer than a head's deadline, but not longer than keep-alive; half of
/// a second head is closed like half of a first.
#[tokio::test]
async fn idle_connections_are_closed_later() {
    let limits = Limits { keep_alive: SHORT * 3, header: SHORT / 3, ..limits() };
    let running = Running::start(router(), limits).await;
    let get = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

    let mut idle = running.connect().await;
    idle.write_all(get).await.unwrap();
    let started = Instant::now();
    assert!(rest(&mut idle).await.ends_with("hello"));
    assert!(started.elapsed() >= SHORT * 2, "{:?}", started.elapsed());

    let mut half = running.connect().await;
    half.write_all(get).await.unwrap();
    half.read_exact(&mut [0; 20]).await.unwrap();
    half.write_all(&get[..20]).await.unwrap();
    let started = Instant::now();
    assert!(rest(&mut half).await.ends_with("hello"));
    assert!(started.elapsed() < SHORT * 2, "{:?}", started.elapsed());
}

/// A client that reads nothing of a long answer is cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read_are_cut_off() {
    const LENGTH: usize = 64 << 20;
    let router = Router::new().route("/long", get(|| async { "x".repeat(LENGTH) }));
    let running = Running::start(router, Limits { stall: SHORT, ..limits() }).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let cut = async {
        let mut ticks = interval(SHORT / 10);
        while !metrics::handle().render().contains("listener=\"test\",reason=\"stalled\"") {
            ticks.tick().await;
        }
    };
    timeout(LONG, cut).await.expect("nobody was cut off");
    assert!(rest(&mut stream).await.len() < LENGTH);
}

/// A stop closes idle connections and refuses new ones, but a request that is being answered gets
/// its whole answer, and then the server returns.
#[tokio::test]
async fn a_stop_finishes_what_was_begun() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
        move || async move {
            begun.notify_one();
            go.notified().await;
            "finished"
        }
    };
    let mut running = Running::start(router().route("/slow", get(handler)), limits()).await;
    let mut idle = running.connect().await;
    idle.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut slow = running.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    begun.notified().await;
    running.stop.cancel();
    assert!(rest(&mut idle).await.ends_with("hello"));
    let refused = async { while TcpStream::connect(running.address).await.is_ok() {} };
    timeout(LONG, refused).await.expect("new connections are taken");
    go.notify_one();
    assert!(rest(&mut slow).await.ends_with("finished"));
    running.ended().await;
}

/// What does not finish in the time to drain is cut off.
#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let begun = Arc::new(Notify::new());
    let handler = {
        let begun = Arc::clone(&begun);
        move || async move {
            begun.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let limits = Limits { drain: SHORT, ..limits() };
    let mut running = Running::start(Router::new().route("/never", get(handler)), limits).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    begun.notified().await;
    running.stop.cancel();
    running.ended().await;
    assert_eq!(rest(&mut stream).await, "");
}

/// A handler's panic is a problem with status 500 and our request id; it is counted, and the same
/// connection goes on.
#[tokio::test]
async fn a_panic_is_an_answer() {
    let router = router().route("/panic", get(|| async { panic!("on purpose") as &str }));
    let running = Running::start(router, limits()).await;
    let both = "GET /panic HTTP/1.1\r\nhost: x\r\n\r\nGET /hello HTTP/1.1\r\nhost: x\r\nconnection: \
                close\r\n\r\n";
    let answers = running.send(both).await;
    let (first, second) = answers.split_at(answers.rfind("HTTP/1.1").unwrap());
    assert_eq!(status(first), 500);
    let problem = document(first);
    assert_eq!(problem["code"], "internal");
    assert_eq!(problem["request_id"].as_str(), header(first, "request-id"));
    assert!(!first.contains("on purpose"), "{first}");
    assert!(second.ends_with("hello"), "{second}");
    let rendered = metrics::handle().render();
    assert!(rendered.contains("entremise_panics_total{listener=\"test\"}"), "{rendered}");
    let counted = "listener=\"test\",route=\"/panic\",method=\"GET\",status_class=\"5xx\"";
    assert!(rendered.contains(counted), "{rendered}");
}

/// More connections than one client, or all together, may have are refused, and a closed one makes
/// room.
#[tokio::test]
async fn connections_are_bounded() {
    for (limits, expected) in [
        (Limits { connections_per_client: 2, ..limits() }, 429),
        (Limits { connections: 2, ..limits() }, 503),
    ] {
        let limits = Limits { first_byte: LONG, ..limits };
        let running = Running::start(router(), limits).await;
        let mut first = running.connect().await;
        let mut second = running.connect().await;
        for stream in [&mut first, &mut second] {
            stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            stream.read_exact(&mut [0; 1]).await.unwrap();
        }
        let mut third = running.connect().await;
        let answer = rest(&mut third).await;
        assert_eq!(status(&answer), expected);
        assert_eq!(header(&answer, "retry-after"), Some("1"));
        drop(first);
        let again = async { while status(&running.get("/hello").await) != 200 {} };
        timeout(LONG, again).await.expect("a closed connection made no room");
    }
}

/// More running requests than the bound are answered 503 with a time to come back.
#[tokio::test]
async fn running_requests_are_bounded() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
        move || async move {
            begun.notify_one();
            go.notified().await;
        }
    };
    let router = router().route("/slow", get(handler));
    let running = Running::start(router, Limits { in_flight: 1, ..limits() }).await;
    let mut slow = running.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    begun.notified().await;
    let refused = running.get("/hello").await;
    assert_eq!(status(&refused), 503);
    assert_eq!(header(&refused, "retry-after"), Some("1"));
    assert_eq!(document(&refused)["code"], "unavailable");
    go.notify_one();
    assert_eq!(status(&rest(&mut slow).await), 200);
    assert_eq!(status(&running.get("/hello").await), 200);
}

/// Heads that are too long or have too many headers are refused before any handler.
#[tokio::test]
async fn heads_are_bounded() {
    let running = Running::start(router(), limits()).await;
    let many = "x-a: b\r\n".repeat(101);
    let long = format!("x-a: {}\r\n", "b".repeat(20_000));
    for headers in [many, long] {
        let answer = running.send(&format!("GET /hello HTTP/1.1\r\n{headers}\r\n")).await;
        assert_eq!(status(&answer), 431);
    }
}

/// What no route takes is a problem that says so, with the methods that are taken.
#[tokio::test]
async fn wrong_addresses_are_problems() {
    let running = Running::start(router(), limits()).await;
    let answer = running.get("/nothing/+14155550100").await;
    let problem = document(&answer);
    assert_eq!((status(&answer), &problem["code"]), (404, &Value::from("not_found")));
    assert_eq!(problem["request_id"].as_str(), header(&answer, "request-id"));
    assert!(!answer.contains("4155550100"), "{answer}");
    let answer = running.get("/thing").await;
    assert_eq!(document(&answer)["code"], "method_not_allowed");
    assert_eq!(header(&answer, "allow"), Some("POST"));
    let page = running.get("/problems/not_found").await;
    assert!(page.contains("There is no such thing"), "{page}");
    assert_eq!(status(&running.get("/problems/nonsense").await), 404);
}

/// Bodies of another type, too long, or cut short are problems, and good ones are read.
#[tokio::test]
async fn bodies_are_checked() {
    let running = Running::start(router(), limits()).await;
    let post = |kind: &str, body: &str| {
        let length = body.len();
        let head = "POST /thing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
        format!("{head}content-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let good = running.send(&post("application/json; charset=utf-8", "{\"a\":1}")).await;
    assert!(good.ends_with("{\"a\":1}"), "{good}");
    let long = format!("\"{}\"", "a".repeat(2000));
    for (kind, body, expected, code) in [
        ("text/plain", "{}", 415, "unsupported_media_type"),
        ("application/json", &*long, 413, "payload_too_large"),
        ("application/json", "{", 400, "malformed_body"),
    ] {
        let answer = running.send(&post(kind, body)).await;
        assert_eq!(status(&answer), expected, "{answer}");
        assert_eq!(document(&answer)["code"], code);
    }
}

/// A request keeps the id that it came with if it is one of ours, and gets one if not.
#[tokio::test]
async fn requests_have_ids() {
    let running = Running::start(router(), limits()).await;
    let ours = "RQ0123456789abcdef0123456789abcdef";
    let get = |id: &str| {
        format!("GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\nrequest-id: {id}\r\n\r\n")
    };
    assert_eq!(header(&running.send(&get(ours)).await, "request-id"), Some(ours));
    let answer = running.send(&get("+14155550100")).await;
    assert!(header(&answer, "request-id").unwrap().starts_with("RQ"), "{answer}");
    assert!(!answer.contains("4155550100"), "{answer}");
}

/// Who asks is the peer, unless a proxy that is trusted says otherwise.
#[tokio::test]
async fn trusted_proxies_are_believed() {
    let get = "GET /who HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: \
               192.0.2.9\r\n\r\n";
    let running = Running::start(router(), limits()).await;
    assert!(running.send(get).await.ends_with("127.0.0.1"));
    let running = Running::start_with(router(), limits(), |server| {
        server.trusted = TrustedProxies::new([(Ipv4Addr::LOCALHOST.into(), 8)]);
    })
    .await;
    assert!(running.send(get).await.ends_with("192.0.2.9"));
}

/// HTTP/2 is spoken on the same port, and outlives a head's deadline between two requests.
#[tokio::test]
async fn http2_is_spoken() {
    let limits = Limits { header: SHORT / 6, ..limits() };
    let running = Running::start(router(), limits).await;
    let io = TokioIo::new(running.connect().await);
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(connection.await) });
    let mut ticks = interval(SHORT);
    for _ in 0..2 {
        ticks.tick().await;
        let request = http::Request::get(format!("http://{}/hello", running.address))
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    }
}

/// Requests are counted by pattern, so that no address becomes a label.
#[tokio::test]
async fn requests_are_counted_by_pattern() {
    let running = Running::start(router(), limits()).await;
    running.get("/things/14155550100").await;
    running.get("/elsewhere/14155550100").await;
    let rendered = metrics::handle().render();
    for route in ["/things/{id}", "unmatched"] {
        assert!(rendered.contains(&format!("route=\"{route}\"")), "{rendered}");
    }
    assert!(!rendered.contains("4155550100"), "{rendered}");
}

fn pem(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)).unwrap()
}

/// The answer to a GET over TLS, and the certificate that was shown.
async fn get_over_tls(address: SocketAddr) -> (String, Vec<u8>) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let get = b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(get).await.unwrap();
    (rest(&mut stream).await, shown)
}

/// HTTPS is served; a new pair of files is served to new connections; a bad pair is refused once
/// and the old one stays; a client that never finishes its handshake is closed.
#[tokio::test]
async fn certificates_are_reloaded() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let put = |name: &str, key_name: &str| {
        std::fs::write(&certificate, pem(&format!("{name}.pem"))).unwrap();
        std::fs::write(&key, pem(&format!("{key_name}.key"))).unwrap();
    };
    let der = |name: &str| CertificateDer::from_pem_slice(&pem(name)).unwrap().to_vec();
    assert!(Tls::load(&certificate, &key).is_err(), "there are no files yet");
    put("a", "b");
    assert!(Tls::load(&certificate, &key).is_err(), "the key is another certificate's");
    put("a", "a");
    let tls = Tls::load(&certificate, &key).unwrap();
    let served = tls.clone();
    let running = Running::start_with(router(), limits(), |server| server.tls = Some(served)).await;
    let (answer, shown) = get_over_tls(running.address).await;
    assert!(answer.ends_with("hello"), "{answer}");
    assert_eq!(shown, der("a.pem"));

    assert!(!tls.refresh().unwrap(), "nothing changed");
    put("b", "a");
    assert!(tls.refresh().is_err());
    assert!(!tls.refresh().unwrap(), "the same bad pair is an error once");
    assert_eq!(get_over_tls(running.address).await.1, der("a.pem"));
    put("b", "b");
    assert!(tls.refresh().unwrap());
    assert_eq!(get_over_tls(running.address).await.1, der("b.pem"));

    let mut silent = running.connect().await;
    assert_eq!(rest(&mut silent).await, "");
}
