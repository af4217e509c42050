//! What stops a worker each time that it is touched: it is set aside, and its neighbours go on (I32).

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use entremise::{
    carrier::{
        self, Inbound, Links, Request, Response, SendError, Settings,
        event::{InboundCall, InboundMessage},
    },
    clock::Clock,
    config::Config,
    domain::{
        assurance::Attestation,
        interaction::{Outcome, Reason},
        message::Body,
        phone::{Caller, Permits, ProxyNumber},
        policy::Rules,
    },
    egress::{self, Egress},
    ids::{AccountId, Ids},
    jobs::{self, Jobs},
    privacy::{Keyring, MasterKey},
    relay::{Carriers, Client, Configured, Relay, Transport},
    store::{
        Db, DbOptions,
        interactions::{self, Interaction},
        sessions::Page,
    },
};
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    market::{Market, Opened},
    receiver::{self, Receiver, done},
    support::{self, CARRIER, Database, World},
};

/// So many workers are lost over one thing, and no more.
const CRASHES: usize = 5;
/// Longer than any lease.
const LATER_MS: i64 = 31_000;

/// A carrier's API whose client panics over some texts.
#[derive(Debug, Default)]
struct Fragile {
    sent: Mutex<Vec<String>>,
    panics: AtomicUsize,
}

impl Transport for Fragile {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(async move {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let text = body["text"].as_str().unwrap_or_default().to_owned();
            if text.contains("poison") {
                self.panics.fetch_add(1, Ordering::SeqCst);
                panic!("on purpose");
            }
            let mut sent = self.sent.lock().unwrap();
            sent.push(text);
            let answer = json!({ "id": format!("SX{}", sent.len()) }).to_string();
            Ok(Response::new(StatusCode::OK, "application/json", answer.into_bytes()))
        })
    }
}

impl Fragile {
    fn times(&self, text: &str) -> usize {
        self.sent.lock().unwrap().iter().filter(|sent| sent.contains(text)).count()
    }
}

/// The relay over a database, with a fragile carrier and nothing that does what is owed.
struct Bare {
    relay: Relay,
    db: Db,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Bare {
    async fn over(config: &Config, clock: &Clock, fragile: &Arc<Fragile>) -> Self {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let master = MasterKey::from_bytes(*config.master_key.expose()).unwrap();
        let options = DbOptions {
            url: config.database_url.expose().to_owned(),
            clock: clock.clone(),
            ids: Ids::default(),
            keyring: Arc::new(Keyring::new(master)),
            connections: 4,
            permits: Permits::default(),
            bounds: std::sync::Arc::default(),
            ballast: 0,
        };
        let db = Db::open(options, &tracker, stop.clone()).await.unwrap();
        let settings = Settings {
            id: CARRIER.into(),
            api_base: Some("http://127.0.0.1:1".into()),
            values: config.carriers[0].values.clone(),
        };
        let configured = Configured {
            id: CARRIER.into(),
            kind: "sandbox",
            adapter: (carrier::kind("sandbox").unwrap().build)(&settings).unwrap().into(),
            links: Links::new("https://relay.example", CARRIER),
            buying: false,
        };
        let client = Client::over(Arc::<Fragile>::clone(fragile));
        let allow = config.egress_allow.clone();
        let egress = Egress::new(egress::Options { allow, ..egress::Options::default() });
        let relay = Relay::new(db.clone(), Carriers::new(vec![configured]), client, egress);
        Self { relay, db, tracker, stop }
    }

    fn work(&self) -> Jobs {
        let options = jobs::Options {
            workers: 2,
            poll: std::time::Duration::from_millis(20),
            reconcile: std::time::Duration::ZERO,
            event_deadline: std::time::Duration::from_secs(5),
        };
        Jobs::start(&self.relay, options, &self.tracker, &self.stop)
    }

    async fn close(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        self.db.close().await;
    }

    async fn text(&self, id: &str, from: &Caller, to: &Opened, text: &str) {
        let event = Inbound::Message(InboundMessage {
            id: id.into(),
            from: from.clone(),
            to: ProxyNumber::parse(to.dials[0].expose()).unwrap(),
            body: Body::new(text.into()),
            media: Vec::new(),
            part: None,
        });
        self.relay.handle(CARRIER, &event).await.unwrap();
    }
}

/// Runs a statement, or counts what one finds.
pub(crate) async fn sql(database: &Database, text: &str) -> i64 {
    macro_rules! run {
        ($options:ty) => {{
            let options: $options = database.url.parse().unwrap();
            let mut conn = options.connect().await.unwrap();
            let query = sqlx::query_scalar(sqlx::AssertSqlSafe(text.to_owned()));
            let found: Option<i64> = query.fetch_optional(&mut conn).await.unwrap();
            conn.close().await.unwrap();
            found.unwrap_or_default()
        }};
    }
    if database.url.starts_with("sqlite:") {
        run!(sqlx::sqlite::SqliteConnectOptions)
    } else {
        run!(sqlx::postgres::PgConnectOptions)
    }
}

async fn log(bare: &Bare, account: &AccountId) -> Vec<Interaction> {
    let mut tx = bare.db.read().await.unwrap();
    let page = Page { before: None, after: None, limit: 1000 };
    interactions::list(&mut tx, account, &interactions::Filter::default(), &page).await.unwrap()
}

/// Spoils the words of the second text that is owed, an endpoint's keys and what calls were answered.
async fn damage(database: &Database, endpoint: &str) {
    let second = "(SELECT id FROM outbox WHERE state = 'ready' ORDER BY id LIMIT 1 OFFSET 1)";
    for change in [
        format!("UPDATE outbox SET payload = 'rubbish' WHERE id = {second}"),
        format!("UPDATE endpoint_secrets SET keys = 'rubbish' WHERE endpoint = '{endpoint}'"),
        "UPDATE inbox SET answer = 'rubbish' WHERE kind = 'call'".into(),
    ] {
        sql(database, &change).await;
    }
}

/// A text over which the sender panics, one whose words can't be unsealed, an endpoint whose keys
/// are damaged, and a damaged answer in the inbox: each is set aside after five times with an
/// outcome that can be seen, and the texts, the endpoint and the calls beside them go on.
#[tokio::test]
async fn i32_poison_is_set_aside() {
    for database in support::databases().await {
        let (good, bad) = (Receiver::start().await, Receiver::start().await);
        let config = receiver::settings(&database, &[&good, &bad], 5_000);
        let world = World::with(config.clone()).await;
        let market = Market::open(&world, 6, 4, Rules::new("Bikes".into())).await;
        let mut sessions = Vec::new();
        for pair in [[0, 1], [2, 3], [4, 5]] {
            sessions.push(market.session(pair, 0, None).await.unwrap());
        }
        world.running.idle().await;
        done(&world, "POST", "/endpoints", Some(json!({ "url": good.url() }))).await;
        let made = done(&world, "POST", "/endpoints", Some(json!({ "url": bad.url() }))).await;
        let broken = made["id"].as_str().unwrap().to_owned();
        world.running.idle().await;
        let World { running, account, clock, .. } = world;
        running.shutdown().await;
        let before = (good.got().len(), bad.got().len());

        let fragile = Arc::new(Fragile::default());
        let bare = Bare::over(&config, &clock, &fragile).await;
        let who = |place: usize| Caller::Number(market.people[place].number.clone());
        bare.text("one", &who(0), &sessions[0], "poison").await;
        bare.text("two", &who(2), &sessions[1], "unreadable").await;
        bare.text("three", &who(2), &sessions[1], "behind it").await;
        bare.text("four", &who(4), &sessions[2], "beside it").await;
        let call = Inbound::Call(InboundCall {
            attestation: Attestation::None,
            id: "call".into(),
            from: who(4),
            to: ProxyNumber::parse(sessions[2].dials[0].expose()).unwrap(),
        });
        bare.relay.handle(CARRIER, &call).await.unwrap();
        damage(&database, &broken).await;

        let jobs = bare.work();
        let open = "SELECT COUNT(*) FROM deliveries WHERE state IN ('ready', 'sending')";
        for round in 0.. {
            jobs.idle().await;
            let done = bare.relay.measure().await.unwrap() == 0;
            if done && sql(&database, open).await == 0 {
                break;
            }
            assert!(round < 25, "something is owed for ever on {}", database.name);
            clock.advance(LATER_MS);
        }
        assert_eq!(fragile.panics.load(Ordering::SeqCst), CRASHES, "{}", database.name);
        assert_eq!(fragile.times("unreadable"), 0);
        assert_eq!((fragile.times("behind it"), fragile.times("beside it")), (1, 1));
        let all = log(&bare, &account.account).await;
        let ended = |outcome, reason| {
            all.iter().filter(|one| (one.outcome, one.reason) == (Some(outcome), reason)).count()
        };
        assert_eq!(ended(Outcome::Unknown, Some(Reason::Parked)), 1, "{all:?}");
        assert_eq!(ended(Outcome::Failed, Some(Reason::Parked)), 1, "{all:?}");
        assert_eq!(ended(Outcome::Relayed, None), 2, "{all:?}");
        let parked = "SELECT COUNT(*) FROM outbox WHERE state = 'parked' AND payload IS NULL";
        assert_eq!(sql(&database, parked).await, 2);

        let of = |state| {
            format!(
                "SELECT COUNT(*) FROM deliveries WHERE endpoint = '{broken}' AND state = '{state}' \
                 AND attempts >= {CRASHES}"
            )
        };
        assert!(sql(&database, &of("failed")).await >= 4);
        let most = "SELECT MAX(attempts) FROM deliveries";
        assert_eq!(sql(&database, most).await, i64::try_from(CRASHES).unwrap());
        assert_eq!(bad.got().len(), before.1, "nothing can be signed");
        let told = good.got().len() - before.0;
        assert!(told >= 4, "only {told} events came");

        // The carrier asks again what it was told, and hears something; and all loops still run.
        bare.relay.handle(CARRIER, &call).await.unwrap();
        bare.text("five", &who(0), &sessions[0], "afterwards").await;
        jobs.idle().await;
        assert_eq!(fragile.times("afterwards"), 1, "{}", database.name);
        assert!(good.got().len() > before.0 + told);
        bare.close().await;
        database.drop().await;
    }
}
