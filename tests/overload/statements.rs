//! What an answer costs: each refusal the same statements, so that how long it takes tells nothing
//! (I5, I23). Times themselves are compared by `cargo bench --bench ratios -- --only secrets`.

use std::sync::{Arc, Mutex, Once};

use entremise::{
    carrier::{
        Inbound, Links, Settings,
        event::{InboundCall, InboundMessage},
        kind,
    },
    clock::Clock,
    domain::{
        assurance::Attestation,
        message::Body,
        opt_out::StopWords,
        phone::{Caller, Identifier, Permits, ProxyNumber},
        policy::Rules,
        pool::Capabilities,
        session::{ClosedReason, Mode},
    },
    egress::Egress,
    http::{
        api::{self, ApiState},
        limit::Limiter,
    },
    ids::{AccountId, Ids, ServiceId, SessionId},
    privacy::{Keyring, MasterKey},
    relay::{
        self, AddParticipant, Carriers, Client, Configured, NewNumber, NewService, OpenSession,
        Relay, TokenError,
    },
    store::{Db, DbOptions, meta, participants},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

use crate::{
    ALONE,
    support::{self, CARRIER, Database},
};

/// The number that everybody dials.
const PROXY: &str = "+14155550100";

/// What the database driver told of: each statement's text.
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
static INSTALLED: Once = Once::new();

struct Listener;

#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }
}

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            // Short ones have no other text than their summary.
            let text = if statement.whole.is_empty() { statement.summary } else { statement.whole };
            TOLD.lock().unwrap().push(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
}

/// A relay without loops: whatever is stated, the test caused.
struct Quiet {
    relay: Relay,
    db: Db,
    clock: Clock,
    account: AccountId,
    key: String,
    service: ServiceId,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Quiet {
    async fn start(database: &Database) -> Self {
        INSTALLED.call_once(|| {
            let listening = tracing_subscriber::registry().with(Listener);
            tracing::subscriber::set_global_default(listening).unwrap();
        });
        let clock = Clock::manual(Clock::system().now());
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let options = DbOptions {
            url: database.url.clone(),
            clock: clock.clone(),
            ids: Ids::default(),
            keyring: Arc::new(Keyring::new(MasterKey::generate())),
            // One: what was stated before a statement was told of before it.
            connections: 1,
            permits: Permits::default(),
            bounds: std::sync::Arc::default(),
            ballast: 0,
        };
        let db = Db::open(options, &tracker, stop.clone()).await.unwrap();
        let mut values = toml::Table::new();
        values.insert("secret".into(), support::SECRET.into());
        let settings =
            Settings { id: CARRIER.into(), api_base: Some("http://127.0.0.1:1".into()), values };
        let sandbox = kind("sandbox").unwrap();
        let configured = Configured {
            id: CARRIER.into(),
            kind: "sandbox",
            adapter: (sandbox.build)(&settings).unwrap().into(),
            links: Links::new("https://relay.example", CARRIER),
            buying: false,
        };
        let carriers = Carriers::new(vec![configured]);
        let relay = Relay::new(db.clone(), carriers, Client::new(), Egress::default());
        let made = relay.create_account("Bikes").await.unwrap();
        let account = made.account.clone();
        let service = db.write(move |tx| {
            let account = account.clone();
            Box::pin(async move {
                let rules = Rules { stop_words: StopWords::Number, ..Rules::new("Bikes".into()) };
                let new = NewService { unique_name: "bikes".into(), rules };
                let service = relay::create_service(tx, &account, &new).await?;
                let new = NewNumber {
                    service: service.id.clone(),
                    number: ProxyNumber::parse(PROXY).unwrap(),
                    carrier: CARRIER.into(),
                    capabilities: Capabilities::parse("voice|sms").unwrap(),
                    reserved: false,
                };
                relay::add_number(tx, &account, &new).await?;
                Ok::<_, relay::Error>(service.id)
            })
        });
        let service = service.await.unwrap();
        Self { relay, db, clock, account: made.account, key: made.api_key, service, tracker, stop }
    }

    async fn session(&self, places: [usize; 2], ttl_s: u64) -> SessionId {
        let new = OpenSession {
            service: self.service.clone(),
            unique_name: None,
            mode: Mode::VoiceAndMessage,
            ttl: Some(std::time::Duration::from_secs(ttl_s)),
            date_expiry: None,
            recording: None,
            metadata: "{}".into(),
            participants: places
                .iter()
                .map(|place| AddParticipant {
                    identifier: person(*place),
                    role: Some(if place % 2 == 0 { "buyer" } else { "seller" }.to_owned()),
                    name: None,
                    number: None,
                    pin: entremise::relay::PinWanted::Never,
                })
                .collect(),
        };
        let account = self.account.clone();
        let opened = self.db.write(move |tx| {
            let (account, new) = (account.clone(), new.clone());
            Box::pin(async move { relay::open(tx, &account, &new).await })
        });
        opened.await.unwrap().session.id
    }

    async fn close_session(&self, id: &SessionId) {
        let (account, id) = (self.account.clone(), id.clone());
        let closed = self.db.write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move {
                relay::close(tx, &account, &id, ClosedReason::Api, None).await.map(drop)
            })
        });
        closed.await.unwrap();
    }

    async fn block(&self, id: &SessionId) {
        let (account, id) = (self.account.clone(), id.clone());
        let blocked = self.db.write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move {
                let by = relay::view(tx, &account, &id).await?.participants[1].id.clone();
                relay::set_block(tx, &account, &id, &by, true).await.map(drop)
            })
        });
        blocked.await.unwrap();
    }

    /// What `work` states: every statement, in order of their texts.
    async fn states<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        self.settle().await;
        TOLD.lock().unwrap().clear();
        let done = work.await;
        self.settle().await;
        let mut told = std::mem::take(&mut *TOLD.lock().unwrap());
        told.sort_unstable();
        (done, told)
    }

    /// Waits until everything was told of: the driver tells of a statement before it begins the next.
    async fn settle(&self) {
        let noted = self.db.write(|tx| Box::pin(async move { meta::ping(tx).await }));
        noted.await.unwrap();
        meta::ping(&mut self.db.read().await.unwrap()).await.unwrap();
        self.db.read().await.unwrap();
    }

    async fn handle(&self, event: Inbound) -> Vec<String> {
        let (handled, told) = self.states(self.relay.handle(CARRIER, &event)).await;
        handled.unwrap();
        assert!(told.iter().any(|one| one.starts_with("INSERT INTO interactions")), "{told:#?}");
        told
    }

    async fn end(self, database: Database) {
        self.stop.cancel();
        self.db.close().await;
        self.tracker.close();
        self.tracker.wait().await;
        database.drop().await;
    }
}

fn person(place: usize) -> Identifier {
    Identifier::parse(&format!("+{}{:04}", 1_212_555, 100 + place)).unwrap()
}

fn call(id: &str, place: usize) -> Inbound {
    Inbound::Call(InboundCall {
        attestation: Attestation::None,
        id: id.to_owned(),
        from: Caller::Number(person(place)),
        to: ProxyNumber::parse(PROXY).unwrap(),
    })
}

fn text(id: &str, place: usize) -> Inbound {
    says(id, place, "Hello")
}

fn stop(id: &str, place: usize) -> Inbound {
    says(&format!("stop-{id}"), place, "STOP")
}

fn says(id: &str, place: usize, words: &str) -> Inbound {
    Inbound::Message(InboundMessage {
        id: id.to_owned(),
        from: Caller::Number(person(place)),
        to: ProxyNumber::parse(PROXY).unwrap(),
        body: Body::new(words.to_owned()),
        media: Vec::new(),
        part: None,
    })
}

/// What one of two sorted lists states more often than the other.
fn differ(left: &[String], right: &[String]) -> Vec<String> {
    let more = |name: &str, all: &[String], other: &[String]| {
        let mut other = other.to_vec();
        let mut more = Vec::new();
        for one in all {
            match other.iter().position(|two| two == one) {
                Some(place) => drop(other.remove(place)),
                None => more.push(format!("{name}: {one}")),
            }
        }
        more
    };
    [more("it", left, right), more("the other", right, left)].concat()
}

/// I5: for one number a call, and a text, of somebody unknown costs the very statements that it costs
/// for somebody whose session is closed, expired or blocked, and is committed as they are. A word that
/// stops texts costs the same of somebody whose session is live.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_every_cause_costs_the_same() {
    let _alone = ALONE.lock().await;
    for database in support::databases().await {
        let quiet = Quiet::start(&database).await;
        let closed = quiet.session([0, 1], 0).await;
        quiet.session([2, 3], 60).await;
        let blocked = quiet.session([4, 5], 0).await;
        quiet.session([8, 9], 0).await;
        quiet.close_session(&closed).await;
        quiet.block(&blocked).await;
        quiet.clock.advance(61_000);
        // Time and the account's keys are noted the first time.
        quiet.handle(call("first", 6)).await;
        for (kind, event) in [
            ("call", call as fn(&str, usize) -> Inbound),
            ("text", text as fn(&str, usize) -> Inbound),
            ("stop word", stop as fn(&str, usize) -> Inbound),
        ] {
            let unknown = quiet.handle(event("unknown", 7)).await;
            let live = (kind == "stop word").then_some(("live", 8));
            for (cause, place) in
                [("closed", 0), ("expired", 2), ("blocked", 4)].into_iter().chain(live)
            {
                let stated = quiet.handle(event(cause, place)).await;
                let differ = differ(&stated, &unknown);
                assert!(differ.is_empty(), "I5: a {kind}, {cause}, {}: {differ:#?}", database.name);
            }
        }
        quiet.end(database).await;
    }
}

/// A text that the marketplace sends is answered from what was written: the transaction that writes does not
/// ask what it cost, nor what a caller said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_just_begun_is_not_looked_up() {
    let _alone = ALONE.lock().await;
    for database in support::databases().await {
        let quiet = Quiet::start(&database).await;
        let session = quiet.session([0, 1], 0).await;
        let mut tx = quiet.db.read().await.unwrap();
        let people = participants::of_session(&mut tx, &quiet.account, &session).await.unwrap();
        drop(tx);
        let router = api::router(ApiState {
            relay: quiet.relay.clone(),
            public_url: "https://relay.example".into(),
            limiter: Arc::new(Limiter::new(1_000, quiet.clock.clone())),
        });
        for (what, words) in [("messages", r#", "body": "Hello""#), ("calls", "")] {
            let body = format!(r#"{{"participant_id": "{}"{words}}}"#, people[0].id);
            let request = http::Request::post(format!("/api/v1/sessions/{session}/{what}"))
                .header("authorization", format!("Bearer {}", quiet.key))
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body))
                .unwrap();
            let (answer, told) = quiet.states(router.clone().oneshot(request)).await;
            assert_eq!(answer.unwrap().status(), http::StatusCode::CREATED, "{what}");
            assert!(told.iter().any(|one| one.starts_with("INSERT INTO legs")), "{told:#?}");
            let idle = told.iter().find(|one| {
                one.starts_with("SELECT")
                    && (one.contains("FROM charges") || one.contains("FROM media"))
            });
            assert_eq!(idle, None, "{what}, {}", database.name);
        }
        quiet.end(database).await;
    }
}

/// The same key with other characters at `place` of its secret, and the sum that fits.
fn altered(key: &str, place: usize) -> String {
    let mut bytes = key.as_bytes()[..key.len() - 8].to_vec();
    bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
    let head = String::from_utf8(bytes).unwrap();
    format!("{head}{:08x}", crc32fast::hash(head.as_bytes()))
}

/// I23: a key is looked up by its keyed hash, and costs the same statements whether its account is
/// unknown, or its secret differs in the first or in the last character; neither the key nor its
/// beginning is in any statement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i23_every_wrong_key_costs_the_same() {
    let _alone = ALONE.lock().await;
    for database in support::databases().await {
        let quiet = Quiet::start(&database).await;
        let (key, relay) = (quiet.key.clone(), &quiet.relay);
        let end = key.len() - 9;
        // Its use is noted the first time.
        assert!(relay.authenticate(&key).await.unwrap().is_ok());
        let (right, stated) = quiet.states(relay.authenticate(&key)).await;
        assert!(right.unwrap().is_ok());
        let looked_up: Vec<_> = stated.iter().filter(|one| one.contains("FROM api_keys")).collect();
        assert_eq!(looked_up.len(), 1, "{stated:#?}");
        assert!(looked_up[0].ends_with("WHERE account = $1 AND hash = $2"), "{looked_up:?}");
        assert!(!stated.iter().any(|one| one.contains("emk_") || one.contains(&key[4..36])));
        for (wrong, place) in [("account", 4), ("first character", 36), ("last character", end)] {
            let (refused, told) = quiet.states(relay.authenticate(&altered(&key, place))).await;
            assert_eq!(refused.unwrap().unwrap_err(), TokenError::Refused);
            let differ = differ(&told, &stated);
            assert!(differ.is_empty(), "I23: another {wrong}, {}: {differ:#?}", database.name);
        }
        quiet.end(database).await;
    }
}
