//! A network, its HTTP surface, and a relay that answers as a test says: both speak through the
//! real adapter.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    response::{IntoResponse, Response},
    routing::post,
};
use entremise::{
    carrier::{
        self, Answer, Carrier, Inbound, Links, Outbound, SendError, Sent, Settings,
        error::{Retry, SendErrorKind},
        outbound::OutboundMessage,
        plan::{Connect, Plan, Target},
        wire,
    },
    clock::Clock,
    domain::{
        message::Body,
        phone::{Identifier, ProxyNumber},
        time::Timestamp,
    },
    http::sandbox,
    ids::LegId,
    sandbox::{Network, Options, Pace, PhoneId, PhoneView},
};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpListener;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tower::ServiceExt as _;

pub(crate) const SECRET: &str = "a secret of the tests";
pub(crate) const BUYER: &str = "+14155550100";
pub(crate) const SELLER: &str = "+447700900123";
pub(crate) const PROXY: &str = "+14155550150";

/// How long a test waits for what must come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

type Decide = dyn Fn(&Inbound) -> Answer + Send + Sync;

pub(crate) struct World {
    pub(crate) network: Arc<Network>,
    pub(crate) clock: Clock,
    pub(crate) base: String,
    pub(crate) buyer: PhoneId,
    pub(crate) seller: PhoneId,
    pub(crate) carrier: Arc<dyn Carrier>,
    pub(crate) links: Links,
    pub(crate) client: Client<HttpConnector, Full<Bytes>>,
    heard: Arc<Mutex<Vec<Inbound>>>,
    _stop: DropGuard,
}

#[derive(Clone)]
struct Relay {
    carrier: Arc<dyn Carrier>,
    links: Links,
    base: String,
    clock: Clock,
    heard: Arc<Mutex<Vec<Inbound>>>,
    decide: Arc<Decide>,
}

/// A world where the relay answers each event with `decide`.
pub(crate) async fn world(decide: impl Fn(&Inbound) -> Answer + Send + Sync + 'static) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let clock = Clock::manual(Timestamp::from_millis(1_795_292_727_000));
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let options = Options {
        hooks_base: format!("{base}/hooks/sandbox"),
        media_base: format!("{base}/sandbox/carrier/v1/media"),
        secret: SECRET.replace(' ', "-"),
        clock: clock.clone(),
        seed: 7,
        pace: Pace::BRISK,
    };
    let network = Network::new(options, tracker.clone(), stop.clone());
    let settings = Settings {
        id: String::from("sandbox"),
        api_base: Some(format!("{base}/sandbox/carrier")),
        values: toml::Table::from_iter([("secret".into(), SECRET.replace(' ', "-").into())]),
    };
    let carrier: Arc<dyn Carrier> =
        (carrier::kind("sandbox").unwrap().build)(&settings).unwrap().into();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let links = Links::new(&base, "sandbox");
    let relay = Relay {
        carrier: Arc::clone(&carrier),
        links: links.clone(),
        base: base.clone(),
        clock: clock.clone(),
        heard: Arc::clone(&heard),
        decide: Arc::new(decide),
    };
    let router = Router::new()
        .route("/hooks/sandbox/{hook}", post(hook))
        .with_state(relay)
        .nest("/sandbox", sandbox::router(Arc::clone(&network)));
    let tasks = tracker.clone();
    tracker.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let router = router.clone();
            tasks.spawn(async move {
                let service =
                    hyper::service::service_fn(move |request| router.clone().oneshot(request));
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    World {
        buyer: network.register("Buyer", number(BUYER)).unwrap(),
        seller: network.register("Seller", number(SELLER)).unwrap(),
        network,
        clock,
        base,
        carrier,
        links,
        client: Client::builder(TokioExecutor::new()).build_http(),
        heard,
        _stop: stop.drop_guard(),
    }
}

async fn hook(State(relay): State<Relay>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut request = wire::Request::new(http::Method::POST, format!("{}{uri}", relay.base));
    request.headers = headers;
    request.body = body;
    relay.carrier.verify(&request, relay.clock.now()).expect("a signature that fits");
    let event = relay.carrier.parse(&request).expect("an event that reads").remove(0);
    let answer = (relay.decide)(&event);
    relay.heard.lock().unwrap().push(event);
    let answer = relay.carrier.reply(&answer, &relay.links).response;
    (answer.status, answer.headers, answer.body).into_response()
}

impl World {
    /// What the relay has heard since the last time, once nothing is under way.
    pub(crate) async fn heard(&self) -> Vec<Inbound> {
        tokio::time::timeout(PATIENCE, self.network.idle()).await.expect("all is quiet in time");
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    /// What a phone shows once it shows what `fits` looks for.
    pub(crate) async fn until(
        &self,
        phone: PhoneId,
        fits: impl FnMut(&PhoneView) -> bool,
    ) -> PhoneView {
        // Fails instead of hanging where the phone never shows it.
        let seen = tokio::time::timeout(PATIENCE, self.network.until(phone, fits)).await;
        seen.expect("the phone shows it in time")
    }

    /// Sends what the adapter words, as the relay's jobs do.
    pub(crate) async fn send(&self, outbound: &Outbound) -> Result<Sent, SendError> {
        let request = self.carrier.request(outbound, &self.links).unwrap();
        let response = self.exchange(request).await;
        response.map_or(Err(SendError::new(SendErrorKind::Unreachable, Retry::Unknown)), |answer| {
            self.carrier.response(outbound, &answer)
        })
    }

    /// One HTTP exchange; `None` if the connection broke.
    pub(crate) async fn exchange(&self, request: wire::Request) -> Option<wire::Response> {
        let mut http = http::Request::builder().method(request.method).uri(request.url);
        *http.headers_mut().unwrap() = request.headers;
        let answer = self.client.request(http.body(Full::new(request.body)).unwrap()).await.ok()?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(wire::Response { status: head.status, headers: head.headers, body })
    }
}

pub(crate) fn number(text: &str) -> Identifier {
    Identifier::parse(text).unwrap()
}

pub(crate) fn words(text: &str) -> Body {
    Body::new(text.to_owned())
}

pub(crate) fn leg(digit: u8) -> LegId {
    LegId::parse(&format!("LG{}{digit:x}", "0".repeat(31))).unwrap()
}

/// A text from the proxy number.
pub(crate) fn text(to: &str, body: &str, leg: LegId) -> Outbound {
    Outbound::Message(OutboundMessage {
        leg,
        from: ProxyNumber::parse(PROXY).unwrap().into(),
        to: number(to),
        body: words(body),
        media: Vec::new(),
        validity: std::time::Duration::from_mins(5),
    })
}

/// A plan that rings these people from leg 2 on, for the caller's leg 1.
pub(crate) fn connect(to: &[&str]) -> Connect {
    Connect {
        leg: leg(1),
        to: (2..)
            .zip(to)
            .map(|(digit, to)| Target { leg: leg(digit), number: number(to) })
            .collect(),
        caller_id: ProxyNumber::parse(PROXY).unwrap(),
        announce: None,
        ring_timeout: std::time::Duration::from_mins(1),
        duration_max: std::time::Duration::from_hours(1),
        screen: false,
        accept: false,
        turn: 0,
    }
}

/// Connects every call as `plan` says and ends it after the dialling.
pub(crate) fn connects(plan: Connect) -> impl Fn(&Inbound) -> Answer + Send + Sync + 'static {
    move |event| match event {
        Inbound::Call(_) => Answer::Plan(Plan::Connect(plan.clone())),
        Inbound::DialEnded(_) => Answer::Plan(Plan::Hangup),
        _ => Answer::Ack,
    }
}
