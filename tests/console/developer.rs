//! The developer page: requests to the APIs, webhooks, keys and secrets; and the log of requests behind it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Extension, Router, body::Body};
use entremise::{
    app::Opened,
    clock::Clock,
    domain::{staff::Role, time::Timestamp},
    egress::Egress,
    http::{
        api::{self, ApiState},
        limit::Limiter,
        server::Arrival,
        twilio_proxy::{self, PoolLimits, ProxyState},
    },
    ids::{AccountId, Ids, KeyId, RequestId},
    relay::{self, API_LOG_WAITING, Carriers, Client, Relay, Scope},
    store::{
        Mishap, Mishaps,
        api_requests::{self, Filter, Logged},
        sessions::Page,
    },
};
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::{
    logins::{between, invite, prove, with_app},
    support::{databases, request, run, settings},
    world::{BUYER, Browser, PEOPLE, SELLER, STRANGER, World, on_each},
};

const REQUESTS: &str = "/console/developer/requests";
const KEYS: &str = "/console/developer/keys";
const ALL: Page = Page { before: None, after: None, limit: 1000 };

/// Both APIs over a relay, as one client uses them.
#[derive(Clone)]
struct Apis {
    relay: Relay,
    router: Router,
    account: AccountId,
    key: KeyId,
    token: String,
}

impl Apis {
    /// With a key that may do everything.
    async fn of(world: &World, relay: &Relay) -> Self {
        let account = world.account.clone();
        let made = relay.db().write(move |tx| {
            let account = account.clone();
            Box::pin(async move {
                relay::create_key(tx, &account, "checkout", &Scope::all(), None).await
            })
        });
        let made = made.await.unwrap();
        let limiter = Arc::new(Limiter::new(100_000, world.clock.clone()));
        let public_url = "https://relay.example".to_owned();
        let router = api::router(ApiState {
            relay: relay.clone(),
            public_url: public_url.clone(),
            limiter: Arc::clone(&limiter),
        })
        .merge(twilio_proxy::router(ProxyState {
            relay: relay.clone(),
            public_url,
            limiter,
            pool: PoolLimits { numbers: 10, reserved: 10 },
        }));
        Self {
            relay: relay.clone(),
            router,
            account: world.account.clone(),
            key: made.key.id,
            token: made.token,
        }
    }

    /// Sends a request; its status and id.
    async fn send(&self, method: &str, path: &str, body: &str) -> (u16, RequestId) {
        let id: RequestId = Ids::default().make(self.relay.db().clock());
        let json = path.starts_with("/api/");
        let kind = if json { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if !body.is_empty() {
            request =
                request.header(header::CONTENT_TYPE, kind).header("idempotency-key", "order-1042");
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let arrival = Arrival::new([127, 0, 0, 1].into(), id.clone());
        let router = self.router.clone().layer(Extension(arrival));
        (router.oneshot(request).await.unwrap().status().as_u16(), id)
    }

    /// All that is in the log, newest first.
    async fn log(&self) -> Vec<Logged> {
        let mut tx = self.relay.db().read().await.unwrap();
        api_requests::list(&mut tx, &self.account, &Filter::default(), &ALL).await.unwrap()
    }
}

fn rows(page: &str) -> usize {
    page.matches("<tr role=\"row\" id=\"LR").count()
}

pub(crate) async fn agent(world: &World) -> Browser {
    world.invited(invite("Omar", Some(&world.account), Role::Agent, "")).await
}

/// An admin of the account who proved just now who they are.
pub(crate) async fn admin(world: &World) -> Browser {
    let invited = invite("Ada", Some(&world.account), Role::Admin, "");
    let (browser, key, _) = with_app(world, invited).await;
    prove(world, &browser, &key).await;
    browser
}

/// Every request with a key is in the log by its route, and nothing that the client wrote, wherever it put a number:
/// in the path, the query, the body, a header, or the method itself.
#[tokio::test]
async fn requests_are_logged_without_what_they_say() {
    on_each(|world| async move {
        let apis = Apis::of(&world, &world.relay).await;
        let number = "%2B14155550100";
        let body = format!(r#"{{"unique_name": "{BUYER}", "participants": []}}"#);
        let form = format!("UniqueName={number}&Identifier={number}");
        let session = world.open(None, BUYER, SELLER).await;
        let service = &world.service;
        for (method, path, body, status) in [
            ("GET", "/api/v1/account".to_owned(), "", 200),
            ("GET", format!("/api/v1/sessions/{number}"), "", 404),
            ("GET", format!("/api/v1/sessions?cursor={number}&{number}={number}"), "", 400),
            ("POST", "/api/v1/sessions".to_owned(), &*body, 422),
            ("+14155550100", "/api/v1/account".to_owned(), "", 405),
            ("GET", format!("/v1/Services/{service}/Sessions/{session}"), "", 200),
            ("GET", format!("/v1/Services/{number}"), "", 404),
            ("POST", format!("/v1/Services/{number}/Sessions"), &*form, 404),
            ("GET", format!("/v1/{number}?PhoneNumber={number}"), "", 404),
        ] {
            assert_eq!(apis.send(method, &path, body).await.0, status, "{method} {path}");
        }
        // Whose it would be is not known.
        let mut nobody = apis.clone();
        nobody.token.replace_range(4..6, "00");
        assert_eq!(nobody.send("GET", "/api/v1/account", "").await.0, 401);
        assert_eq!(world.relay.api_log_waiting(), 9);
        assert_eq!(world.relay.write_api_log().await.unwrap(), 9);
        assert_eq!(world.relay.api_log_waiting(), 0);
        let log = apis.log().await;
        let told: BTreeSet<_> = log
            .iter()
            .map(|one| (one.method, one.route.as_str(), one.status, one.code.as_deref()))
            .collect();
        let session = "/v1/Services/{service}/Sessions/{session}";
        let expected = [
            ("GET", "/api/v1/account", 200, None),
            ("GET", "/api/v1/sessions/{session}", 404, Some("not_found")),
            ("GET", "/api/v1/sessions", 400, Some("malformed_parameter")),
            ("POST", "/api/v1/sessions", 422, Some("validation_failed")),
            ("other", "/api/v1/account", 405, None),
            ("GET", session, 200, None),
            ("GET", "/v1/Services/{service}", 404, Some("20404")),
            ("POST", "/v1/Services/{service}/Sessions", 404, Some("20404")),
            ("GET", "/v1/{*rest}", 404, Some("20404")),
        ];
        assert_eq!(told, BTreeSet::from(expected));
        assert!(log.iter().all(|one| one.key.as_ref() == Some(&apis.key)));
        assert!(log.iter().all(|one| one.idempotent == (one.method == "POST")));
        let omar = agent(&world).await;
        let mut shown = omar.get(REQUESTS).await.text;
        for one in &log {
            let page = omar.get(&format!("{REQUESTS}/{}", one.id)).await;
            assert_eq!(page.status, StatusCode::OK);
            page.has(one.request.as_str()).has("checkout …");
            shown += &page.text;
        }
        for text in [shown, format!("{log:?}")] {
            for number in PEOPLE {
                assert!(!text.contains(&number[number.len() - 7..]), "{text}");
            }
            assert!(!text.contains("order-1042"));
        }
    })
    .await;
}

/// The list is narrowed by id, code, status, method and key, and walked; a request's page says what its problem means
/// in the reader's language; nobody of another account sees any of it.
#[tokio::test]
async fn requests_are_found() {
    on_each(|world| async move {
        let apis = Apis::of(&world, &world.relay).await;
        for _ in 0..60 {
            apis.send("GET", "/api/v1/account", "").await;
        }
        let (_, id) = apis.send("GET", "/api/v1/services/none", "").await;
        apis.send("POST", "/api/v1/sessions", "{}").await;
        apis.send("DELETE", "/v1/Services/KS1", "").await;
        world.relay.write_api_log().await.unwrap();
        let omar = agent(&world).await;
        for (filter, count) in [
            (String::new(), 50),
            (format!("request={id}"), 1),
            ("code=not_found".to_owned(), 1),
            ("code=20404".to_owned(), 1),
            ("code=validation_failed&status=2".to_owned(), 0),
            ("status=4".to_owned(), 3),
            ("status=4&method=POST".to_owned(), 1),
            ("method=DELETE".to_owned(), 1),
            ("method=PATCH".to_owned(), 0),
            (format!("status=4&key={}", apis.key), 3),
            ("key=token".to_owned(), 0),
        ] {
            let page = omar.get(&format!("{REQUESTS}?{filter}")).await;
            assert_eq!(page.status, StatusCode::OK);
            assert_eq!(rows(&page.text), count, "{filter}");
            page.has_not("was left out");
        }
        for wrong in [
            "request=RQ1",
            "code=mischief",
            "status=9",
            "method=STEAL",
            "key=%2B14155550100",
            "before=x",
        ] {
            omar.get(&format!("{REQUESTS}?{wrong}"))
                .await
                .has("was left out")
                .has_not("14155550100");
        }
        let first = omar.get(REQUESTS).await;
        let older = between(&first.text, r#"rel="next" href=""#, "\"").replace("&amp;", "&");
        let second = omar.get(&older).await;
        assert_eq!(rows(&second.text), 13);
        second.has("Newest").has_not("rel=\"next\"");

        let found = omar.get(&format!("{REQUESTS}?request={id}")).await;
        let one = format!("{REQUESTS}/{}", between(&found.text, &format!("{REQUESTS}/"), "\""));
        let page = omar.get(&one).await;
        page.has("There is no such thing").has("will not work later").has(id.as_str());
        page.has_not("/console/audit");
        omar.get_in(&one, "fr").await.has("Cela n’existe pas").has_not("There is no such");
        let ada = world.browser("Ada", Some(world.account.clone())).await;
        ada.get(&one).await.has(&format!("/console/audit?who={}", apis.key));
        let other = world.relay.create_account("Other").await.unwrap().account;
        let eve = world.of(other);
        let eve = eve.invited(invite("Eve", Some(&eve.account), Role::Agent, "")).await;
        assert_eq!(eve.get(&one).await.status, StatusCode::NOT_FOUND);
        assert_eq!(rows(&eve.get(REQUESTS).await.text), 0);
        let vera = world.invited(invite("Vera", Some(&world.account), Role::Viewer, "")).await;
        for path in ["/console/developer", REQUESTS, &one, "/console/developer/webhooks", KEYS] {
            assert_eq!(vera.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        }
        vera.get("/console/sessions").await.has_not("/console/developer");
        let front = omar.get("/console/developer").await;
        front.has("<dd>63</dd>").has("<dd>3</dd>").has("validation_failed").has("code=20404");
    })
    .await;
}

fn row(account: &AccountId, at: Timestamp) -> (AccountId, Logged) {
    let ids = Ids::default();
    let one = Logged {
        id: ids.make(at),
        request: ids.make(at),
        method: "GET",
        route: "/api/v1/account".to_owned(),
        status: 200,
        code: None,
        key: None,
        took: Duration::from_millis(3),
        idempotent: false,
        at,
    };
    (account.clone(), one)
}

fn dropped() -> u64 {
    let text = entremise::telemetry::metrics::handle().render();
    let line = text.lines().find_map(|line| line.strip_prefix("entremise_api_log_dropped_total "));
    line.map_or(0, |count| count.parse().unwrap())
}

/// What waits to be written is bounded: more is left out and counted. A database that is at something else for long
/// holds no request up, and what came meanwhile is written afterwards.
#[tokio::test]
async fn a_slow_database_slows_no_request() {
    on_each(|world| async move {
        let apis = Apis::of(&world, &world.relay).await;
        // That the key was used is noted once a minute.
        apis.send("GET", "/api/v1/account", "").await;
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, waits) = (Arc::clone(&begun), Arc::clone(&go));
        let (tasks, relay) = (TaskTracker::new(), world.relay.clone());
        let holder = tasks.spawn(async move {
            let held = relay.db().write(move |_| {
                let (told, waits) = (Arc::clone(&told), Arc::clone(&waits));
                Box::pin(async move {
                    told.notify_one();
                    waits.notified().await;
                    Ok::<_, relay::Error>(())
                })
            });
            held.await
        });
        begun.notified().await;
        let writer = world.relay.clone();
        let writer = tasks.spawn(async move { writer.write_api_log().await });
        let started = Instant::now();
        for _ in 0..20 {
            assert_eq!(apis.send("GET", "/api/v1/account", "").await.0, 200);
        }
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        go.notify_one();
        holder.await.unwrap().unwrap();
        writer.await.unwrap().unwrap();
        world.relay.write_api_log().await.unwrap();
        assert_eq!(apis.log().await.len(), 21);

        let before = dropped();
        let now = world.clock.now();
        for _ in 0..API_LOG_WAITING + 3 {
            let (account, one) = row(&world.account, now);
            world.relay.note_request(account, one);
        }
        assert_eq!(world.relay.api_log_waiting(), API_LOG_WAITING);
        assert!(dropped() >= before + 3);
        assert_eq!(world.relay.write_api_log().await.unwrap(), API_LOG_WAITING);
    })
    .await;
}

/// The first write is done and not heard of, the second undone.
#[derive(Default)]
struct Unlucky(AtomicU32);

impl Mishaps for Unlucky {
    fn next(&self) -> Option<Mishap> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Some(Mishap::AnswerLost),
            1 => Some(Mishap::BeforeCommit),
            _ => None,
        }
    }
}

/// What could not be written waits on, and is written once.
#[tokio::test]
async fn what_is_not_written_waits() {
    on_each(|world| async move {
        let db = world.relay.db().with_mishaps(Arc::new(Unlucky::default()));
        let relay = Relay::new(db, Carriers::new(Vec::new()), Client::new(), Egress::default());
        let now = world.clock.now();
        for _ in 0..5 {
            let (account, one) = row(&world.account, now);
            relay.note_request(account, one);
        }
        for _ in 0..2 {
            relay.write_api_log().await.unwrap_err();
            assert_eq!(relay.api_log_waiting(), 5);
        }
        assert_eq!(relay.write_api_log().await.unwrap(), 5);
        let mut tx = world.read().await;
        assert_eq!(api_requests::count(&mut tx, &world.account, now).await.unwrap(), 5);
    })
    .await;
}

/// An account has its newest requests alone, however many it makes; and none of them for longer than a week.
#[tokio::test]
async fn the_log_is_bounded() {
    on_each(|world| async move {
        let relay = &world.relay;
        let other = relay.create_account("Other").await.unwrap().account;
        let now = world.clock.now();
        for place in 0..1203 {
            let (account, one) = row(&world.account, now + Duration::from_millis(place));
            relay.note_request(account, one);
        }
        let (account, one) = row(&other, now);
        relay.note_request(account, one);
        relay.write_api_log().await.unwrap();
        assert_eq!(relay.shorten_api_log(&world.account, 2000).await.unwrap(), 0);
        assert_eq!(relay.shorten_api_log(&world.account, 3).await.unwrap(), 1200);
        let count = async |account: &AccountId| {
            let mut tx = world.read().await;
            let all = Timestamp::from_millis(0);
            api_requests::count(&mut tx, account, all).await.unwrap()
        };
        assert_eq!((count(&world.account).await, count(&other).await), (3, 1));
        let mut tx = world.read().await;
        let left = api_requests::list(&mut tx, &world.account, &Filter::default(), &ALL).await;
        drop(tx);
        let newest = now + Duration::from_millis(1202);
        assert_eq!(left.unwrap()[0].at, newest);
        relay.retain_now().await.unwrap();
        assert_eq!(count(&other).await, 1);
        world.wait(9 * 86_400);
        relay.retain_now().await.unwrap();
        assert_eq!(count(&other).await, 0);
    })
    .await;
}

/// What was answered until a stop is in the log after it, under the id that the answer had.
#[tokio::test]
async fn a_stop_writes_the_log() {
    for database in databases().await {
        let config = settings(&database);
        let clock = Clock::shifted();
        let running = Box::pin(run(config.clone(), &clock)).await.unwrap();
        let made = running.relay.create_account("Velo Market").await.unwrap();
        let asked = Request::get("/api/v1/services/none")
            .header(header::HOST, "relay.example")
            .header(header::AUTHORIZATION, format!("Bearer {}", made.api_key));
        let asked = asked.body(Full::default()).unwrap();
        let answer = request(running.address, asked).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        running.shutdown().await;
        let opened = Opened::open(&config, &clock, &Ids::default()).await.unwrap();
        let mut tx = opened.db.read().await.unwrap();
        let log = api_requests::list(&mut tx, &made.account, &Filter::default(), &ALL).await;
        drop(tx);
        opened.close().await;
        let log = log.unwrap();
        assert_eq!(log.len(), 1);
        assert_eq!(log[0].request.as_str(), answer.headers["request-id"].to_str().unwrap());
        assert_eq!(log[0].code.as_deref(), Some("not_found"));
        database.drop().await;
    }
}

/// What carriers told stands with what was decided and answered, masked, and leads to where it is told; what was
/// refused before it was read is counted for the whole server.
#[tokio::test]
async fn webhooks_are_listed() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let dials = world.dials(&session, "buyer").await;
        world.call(Some(STRANGER), &dials).await;
        entremise::telemetry::metrics::webhook("elsewhere", "other", "bad_signature");
        let omar = agent(&world).await;
        let page = omar.get("/console/developer/webhooks").await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.text.matches("data-interaction=\"KI").count(), 6);
        page.has("heard ringing")
            .has("a text gets no answer")
            .has(&format!("/console/sessions/{session}?at=KI"));
        page.has("in no session").has("its signature was wrong").has("elsewhere");
        for number in PEOPLE {
            page.has_not(&number[number.len() - 7..]);
        }
        for (days, count) in [("from=2026-11-22", 2), ("to=2026-11-21", 4), ("to=2026-11-01", 0)] {
            let page = omar.get(&format!("/console/developer/webhooks?{days}")).await;
            assert_eq!(page.text.matches("data-interaction=\"KI").count(), count, "{days}");
        }
        for _ in 0..50 {
            world.text(BUYER, &dials, "fine by me").await;
        }
        let first = omar.get("/console/developer/webhooks").await;
        assert_eq!(first.text.matches("data-interaction=\"KI").count(), 50);
        let older = between(&first.text, r#"rel="next" href=""#, "\"").replace("&amp;", "&");
        let second = omar.get(&older).await;
        assert_eq!(second.text.matches("data-interaction=\"KI").count(), 6);
        omar.get_in("/console/developer/webhooks", "fr").await.has("sa signature était fausse");
    })
    .await;
}
