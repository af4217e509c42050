//! A running API with two accounts, and a client for it.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{Router, body::HttpBody as Body, extract::DefaultBodyLimit};
use bytes::Bytes;
use entremise::{
    carrier::{self, Links, Settings},
    clock::Clock,
    domain::phone::Permits,
    egress::Egress,
    http::{
        api::{self, ApiState},
        limit::Limiter,
        problem,
        server::{Limits, Server, TrustedProxies},
    },
    ids::{AccountId, Ids, MoveId},
    privacy::{Keyring, MasterKey},
    relay::{Carriers, Client, Configured, Erasing, NewAccount, Relay},
    store::{Db, DbOptions, ErasureList},
};
use http::{HeaderMap, Method, Request, StatusCode, response::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::support::{self, Database};

pub(crate) const BUYER: &str = "+33639980001";
pub(crate) const SELLER: &str = "+33639980002";
pub(crate) const BODY_MAX: usize = 65_536;
pub(crate) const PUBLIC_URL: &str = "https://relay.example";

/// Everything that a test needs; dropping it ends the server.
pub(crate) struct World {
    pub(crate) engine: &'static str,
    pub(crate) relay: Relay,
    pub(crate) clock: Clock,
    pub(crate) a: NewAccount,
    pub(crate) b: NewAccount,
    base: String,
    client: Pool<HttpConnector, Full<Bytes>>,
    stop: CancellationToken,
    stop_db: CancellationToken,
    server: JoinSet<()>,
    tracker: TaskTracker,
    _list: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} {:?}", self.text, self.headers);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// A problem with this code, as RFC 9457 has it.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert!(self.headers.contains_key("request-id"));
        let document = self.is(status);
        assert_eq!(document["code"], code, "{document}");
        assert_eq!(document["status"], status);
        assert!(document["request_id"].as_str().unwrap().starts_with("RQ"));
        document
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A request to be.
pub(crate) struct Ask<'a> {
    world: &'a World,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this API key.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// As account A.
    pub(crate) fn a(self) -> Self {
        let key = self.world.a.api_key.clone();
        self.key(&key)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text("application/json", &body.to_string())
    }

    pub(crate) fn text(mut self, media_type: &str, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self.header("content-type", media_type)
    }

    /// With that body, or none, under headers that are set already.
    pub(crate) fn body(self, body: Option<String>) -> Self {
        Self { body, ..self }
    }

    pub(crate) async fn send(self) -> Answer {
        let client = self.world.client.clone();
        let base = self.world.base.clone();
        let request = self.request(&base);
        let answer = tokio::time::timeout(Duration::from_secs(30), client.request(request)).await;
        let (head, body) = answer.expect("the server hangs").unwrap().into_parts();
        answered(&head, body).await
    }

    /// Answered by this router, and not over the wire.
    pub(crate) async fn send_to(self, router: &Router) -> Answer {
        let router = router.clone();
        let (head, body) = router.oneshot(self.request("")).await.unwrap().into_parts();
        answered(&head, body).await
    }

    fn request(self, base: &str) -> Request<Full<Bytes>> {
        let mut request =
            Request::builder().method(self.method).uri(format!("{base}{}", self.path));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(self.body.unwrap_or_default()))).unwrap()
    }
}

async fn answered<B: Body<Error: std::fmt::Debug>>(head: &Parts, body: B) -> Answer {
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: StatusCode::as_u16(&head.status),
        headers: head.headers.clone(),
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// Runs a test on each engine.
pub(crate) async fn each(test: impl AsyncFn(&World)) {
    each_with(100_000, test).await;
}

/// The same, with this many requests a minute.
pub(crate) async fn each_with(rate: u32, test: impl AsyncFn(&World)) {
    for database in support::databases().await {
        let world = World::start(&database, rate).await;
        test(&world).await;
        world.end().await;
        database.drop().await;
    }
}

/// Two that buy and give back: by API accounts may deal with the first one's numbers alone.
fn carriers(buying: bool) -> Carriers {
    let carrier = |id: &str, buying| {
        let settings = Settings {
            id: id.to_owned(),
            api_base: Some("http://127.0.0.1:9/sandbox/carrier".into()),
            values: toml::Table::from_iter([("secret".into(), "a-secret-of-the-tests".into())]),
        };
        let adapter = (carrier::kind("sandbox").unwrap().build)(&settings).unwrap();
        let links = Links::new(PUBLIC_URL, id);
        let id = id.to_owned();
        Configured { id, kind: "sandbox", adapter: adapter.into(), links, buying }
    };
    Carriers::new(vec![carrier("sandbox", buying), carrier("closed", false)])
}

impl World {
    async fn start(database: &Database, rate: u32) -> Self {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let stop_db = CancellationToken::new();
        let clock = Clock::shifted();
        let options = DbOptions {
            url: database.url.clone(),
            clock: clock.clone(),
            ids: Ids::default(),
            keyring: Arc::new(Keyring::new(MasterKey::generate())),
            connections: 8,
            permits: Permits::default(),
            bounds: std::sync::Arc::default(),
            ballast: 0,
        };
        let db = Db::open(options, &tracker, stop_db.clone()).await.unwrap();
        let list = tempfile::tempdir().unwrap();
        let place = ErasureList::at(list.path().join("erased"));
        let relay = Relay::new(db, carriers(true), Client::new(), Egress::default())
            .with_erasing(Erasing { list: Some(place), horizon_days: 35 });
        let a = relay.create_account("A").await.unwrap();
        let b = relay.create_account("B").await.unwrap();
        let state = ApiState {
            relay: relay.clone(),
            public_url: PUBLIC_URL.into(),
            limiter: Arc::new(Limiter::new(rate, clock.clone())),
        };
        let router = problem::with_fallbacks(api::router(state).merge(problem::pages()))
            .layer(DefaultBodyLimit::max(BODY_MAX));
        let server = Server {
            name: "test",
            router,
            tls: None,
            limits: Limits::default(),
            trusted: TrustedProxies::default(),
            clock: clock.clone(),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(server.serve(listener, stop.clone()));
        Self {
            engine: database.name,
            relay,
            clock,
            a,
            b,
            base,
            client: Pool::builder(TokioExecutor::new()).build_http(),
            stop,
            stop_db,
            server: tasks,
            tracker,
            _list: list,
        }
    }

    /// The same API over the same database, with no carrier whose numbers accounts may deal with.
    pub(crate) fn without_buying(&self) -> Router {
        let db = self.relay.db().clone();
        api::router(ApiState {
            relay: Relay::new(db, carriers(false), Client::new(), Egress::default()),
            public_url: PUBLIC_URL.into(),
            limiter: Arc::new(Limiter::new(100_000, self.clock.clone())),
        })
    }

    async fn end(mut self) {
        self.stop.cancel();
        // Idle connections of the client would be waited for.
        drop(self.client);
        while self.server.join_next().await.is_some() {}
        self.stop_db.cancel();
        self.relay.db().close().await;
        self.tracker.close();
        self.tracker.wait().await;
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        Ask {
            world: self,
            method: method.parse().unwrap(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).a().send().await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path).a().json(&body).send().await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask("PATCH", path).a().json(&body).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path).a().send().await
    }

    /// A service of A with this many numbers.
    pub(crate) async fn pool(&self, name: &str, numbers: u32) -> String {
        self.pool_of(&self.a.api_key, name, numbers, 0).await
    }

    /// A service with numbers from the `first` on.
    pub(crate) async fn pool_of(&self, key: &str, name: &str, numbers: u32, first: u32) -> String {
        let body = json!({ "unique_name": name });
        let service = self.ask("POST", "/api/v1/services").key(key).json(&body).send().await;
        let service = service.is(201)["id"].as_str().unwrap().to_owned();
        for n in first..first + numbers {
            let body = json!({ "number": proxy(n), "service_id": service });
            self.ask("POST", "/api/v1/numbers").key(key).json(&body).send().await.is(201);
        }
        service
    }

    /// A session of A between buyer and seller.
    pub(crate) async fn session(&self, service: &str) -> Value {
        self.post("/api/v1/sessions", between(service, BUYER, SELLER)).await.is(201)
    }

    /// A key of A with these scopes.
    pub(crate) async fn scoped(&self, scopes: &[&str]) -> String {
        let body = json!({ "name": "scoped", "scopes": scopes });
        let key = self.post("/api/v1/api-keys", body).await.is(201);
        key["secret"].as_str().unwrap().to_owned()
    }

    /// Ends the database under the running server.
    pub(crate) async fn stop_database(&self) {
        self.stop_db.cancel();
        self.relay.db().close().await;
    }

    /// Goes on with a move until it is done.
    pub(crate) async fn moved(&self, id: &MoveId) {
        for _ in 0..1000 {
            if !self.relay.move_on(self.account(), id).await.unwrap().state.is_open() {
                return;
            }
        }
        panic!("the move does not end");
    }

    pub(crate) fn account(&self) -> &AccountId {
        &self.a.account
    }
}

/// A proxy number.
pub(crate) fn proxy(n: u32) -> String {
    format!("+33937{n:06}")
}

/// What opens a session between two people.
pub(crate) fn between(service: &str, buyer: &str, seller: &str) -> Value {
    json!({
        "service_id": service,
        "participants": [
            { "role": "buyer", "identifier": buyer, "name": "Ada" },
            { "role": "seller", "identifier": seller },
        ],
    })
}

/// The path of what has an id.
pub(crate) fn at(noun: &str, thing: &Value) -> String {
    format!("/api/v1/{noun}/{}", thing["id"].as_str().unwrap())
}
