//! A relay over a SQLite file, asked without a network: one for each thread, renewed now and then.

use std::{cell::RefCell, sync::Arc};

use axum::{Router, body::Body};
use entremise::{
    carrier::Links,
    clock::Clock,
    domain::phone::Permits,
    egress::Egress,
    http::{
        api::{self, ApiState},
        hooks::{self, Hooks},
        limit::Limiter,
        problem,
    },
    ids::{Ids, SessionId},
    privacy::{Keyring, MasterKey},
    relay::{Carriers, Client, Configured, Relay},
    store::{Db, DbOptions},
};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::adapters::{self, NOW, ORIGIN};

/// After so many inputs a new one is made: what they wrote would slow the next.
const INPUTS_MAX: u32 = 3000;

pub(crate) const BUYER: &str = "+33639980001";
pub(crate) const SELLER: &str = "+33639980002";

pub(crate) struct World {
    runtime: Runtime,
    router: Router,
    relay: Relay,
    key: String,
    pub(crate) service: String,
    pub(crate) session: SessionId,
    /// What the buyer and the seller dial.
    pub(crate) dialled: [String; 2],
    stop: CancellationToken,
    tracker: TaskTracker,
    _folder: TempDir,
    inputs: u32,
}

pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }
}

/// Calls `work` with this thread's world.
pub(crate) fn with(work: impl FnOnce(&World)) {
    WORLD.with_borrow_mut(|slot| {
        if slot.as_ref().is_some_and(|world| world.inputs >= INPUTS_MAX) {
            slot.take().unwrap().end();
        }
        let world = slot.get_or_insert_with(World::start);
        world.inputs += 1;
        work(world);
    });
}

/// Ends this thread's world, if there is one.
pub(crate) fn end() {
    if let Some(world) = WORLD.take() {
        world.end();
    }
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

impl World {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let clock = Clock::manual(NOW);
        let options = DbOptions {
            url: format!("sqlite:{}", folder.path().join("fuzz.db").display()),
            clock: clock.clone(),
            ids: Ids::default(),
            keyring: Arc::new(Keyring::new(MasterKey::generate())),
            connections: 2,
            permits: Permits::default(),
            bounds: std::sync::Arc::default(),
            ballast: 0,
        };
        let db = runtime.block_on(Db::open(options, &tracker, stop.clone())).unwrap();
        let carriers = adapters::all().map(|adapter| Configured {
            id: adapter.kind.to_owned(),
            kind: adapter.kind,
            adapter: adapters::another(adapter.kind).into(),
            links: adapter.links.clone(),
            buying: false,
        });
        let relay =
            Relay::new(db, Carriers::new(carriers.into()), Client::new(), Egress::default());
        let account = runtime.block_on(relay.create_account("A")).unwrap();
        let api = api::router(ApiState {
            relay: relay.clone(),
            public_url: ORIGIN.to_owned(),
            limiter: Arc::new(Limiter::new(1_000_000, clock.clone())),
        });
        let hooks = hooks::router(Hooks {
            relay: relay.clone(),
            origin: ORIGIN.to_owned(),
            clock,
            body_bytes_max: 65_536,
        });
        let mut world = Self {
            runtime,
            router: problem::with_fallbacks(api.merge(hooks).merge(problem::pages())),
            relay,
            key: account.api_key,
            service: String::new(),
            session: SessionId::parse(&format!("KC{:032x}", 0)).unwrap(),
            dialled: [String::new(), String::new()],
            stop,
            tracker,
            _folder: folder,
            inputs: 0,
        };
        world.furnish();
        world
    }

    /// A service with numbers of both carriers, and sessions between people.
    fn furnish(&mut self) {
        let made = |path: &str, body: Value| {
            let answered = self.post(path, &body);
            assert_eq!(answered.status, 201, "{path}: {}", answered.body);
            answered.json()
        };
        let service = made("/api/v1/services", json!({ "unique_name": "rides" }));
        let service = service["id"].as_str().unwrap().to_owned();
        for n in 0..6 {
            let carrier = if n % 2 == 0 { "sandbox" } else { "twilio" };
            let number = format!("+33937{n:06}");
            made(
                "/api/v1/numbers",
                json!({ "number": number, "service_id": service, "carrier": carrier }),
            );
        }
        let between = |buyer: &str, seller: &str| {
            json!({ "service_id": service, "participants": [
                { "role": "buyer", "identifier": buyer, "name": "Ada" },
                { "role": "seller", "identifier": seller },
            ] })
        };
        let session = made("/api/v1/sessions", between(BUYER, SELLER));
        for n in 103_u64..107 {
            let [buyer, seller] = [n, n + 100].map(|n| format!("+{}", 33_639_980_000 + n));
            made("/api/v1/sessions", between(&buyer, &seller));
        }
        let text = |pointer: &str| session.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let dialled = [text("/participants/0/proxy_number"), text("/participants/1/proxy_number")];
        let id = SessionId::parse(&text("/id")).unwrap();
        (self.session, self.dialled, self.service) = (id, dialled, service);
    }

    fn end(self) {
        self.stop.cancel();
        self.runtime.block_on(async {
            self.relay.db().close().await;
            self.tracker.close();
            self.tracker.wait().await;
        });
    }

    /// What the router answers.
    pub(crate) fn ask(&self, request: Request<Vec<u8>>) -> Answered {
        let router = self.router.clone();
        self.runtime.block_on(async move {
            let (head, body) = router.oneshot(request.map(Body::from)).await.unwrap().into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            let body = String::from_utf8(body.to_vec()).expect("UTF-8");
            Answered { status: head.status.as_u16(), headers: head.headers, body }
        })
    }

    /// Our addresses for a carrier.
    pub(crate) fn links(&self, carrier: &str) -> &Links {
        &self.relay.carriers().get(carrier).unwrap().links
    }

    /// A request of the account's.
    pub(crate) fn request(&self, method: &str, path: &str, body: &[u8]) -> Request<Vec<u8>> {
        let builder = Request::builder().method(method).uri(path);
        let builder = builder.header("authorization", format!("Bearer {}", self.key));
        builder.header("content-type", "application/json").body(body.to_vec()).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answered {
        self.ask(self.request("GET", path, b""))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answered {
        self.ask(self.request("POST", path, body.to_string().as_bytes()))
    }

    /// A request with a header that any bytes may stand in; without it where they may not.
    pub(crate) fn with_header(
        mut request: Request<Vec<u8>>,
        name: &'static str,
        value: &[u8],
    ) -> Request<Vec<u8>> {
        if !value.is_empty()
            && let Ok(value) = HeaderValue::from_bytes(value)
        {
            request.headers_mut().insert(name, value);
        }
        request
    }
}
