//! A marketplace that is asked what strangers get: what it is told, what its answer does, and what
//! they get where it gives none.

use std::{
    collections::VecDeque,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, response::Response};
use entremise::{
    config::Config,
    domain::{
        abuse::Limit,
        interaction::{Outcome, Reason},
        phone::Identifier,
        policy::{OutOfSession, Rules},
        time::Timestamp,
    },
    store::services,
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{
    fake,
    market::Market,
    support::{self, Answered, Database, World},
};

const PROXY: &str = "+14155550100";
const LINE: &str = "+447700900500";
const WORDS: &str = "Open Bikes to write to its members.";

/// One question as it came.
#[derive(Debug, Clone)]
struct Asked {
    headers: HeaderMap,
    body: String,
}

/// What it does with the next question.
#[derive(Debug, Clone)]
enum Reply {
    Json(Value),
    Raw(StatusCode, String),
    /// Nothing, ever.
    Hang,
}

/// The marketplace's server.
#[derive(Clone)]
struct Site {
    asked: Arc<Mutex<Vec<Asked>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    /// How many questions have come.
    came: Arc<Semaphore>,
    /// How many answers may go.
    may_go: Arc<Semaphore>,
    address: SocketAddr,
    _server: Arc<AbortOnDropHandle<()>>,
}

type Shared = (Arc<Mutex<Vec<Asked>>>, Arc<Mutex<VecDeque<Reply>>>, Arc<Semaphore>, Arc<Semaphore>);

impl Site {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared: Shared = (
            Arc::default(),
            Arc::default(),
            Arc::new(Semaphore::new(0)),
            Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        );
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let served = async move { fake::axum_serve(listener, router).await };
        let server = Arc::new(AbortOnDropHandle::new(TaskTracker::new().spawn(served)));
        let (asked, replies, came, may_go) = shared;
        Self { asked, replies, came, may_go, address, _server: server }
    }

    fn says(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap().extend(replies);
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Holds answers back until [`Site::release`].
    fn hold(&self) {
        self.may_go.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn release(&self) {
        self.may_go.add_permits(100);
    }

    async fn until_asked(&self, times: u32) {
        self.came.acquire_many(times).await.unwrap().forget();
    }
}

async fn answer(
    State((asked, replies, came, may_go)): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<String> {
    let body = String::from_utf8(body.to_vec()).unwrap();
    asked.lock().unwrap().push(Asked { headers, body });
    came.add_permits(1);
    may_go.acquire().await.unwrap().forget();
    let reply = replies.lock().unwrap().pop_front();
    let (status, body) = match reply.expect("it was asked more often than foreseen") {
        Reply::Json(value) => (StatusCode::OK, value.to_string()),
        Reply::Raw(status, body) => (status, body),
        Reply::Hang => pending().await,
    };
    Response::builder().status(status).body(body).unwrap()
}

struct Street {
    world: World,
    market: Market,
    site: Site,
}

impl Street {
    async fn open(database: &Database, people: usize) -> Self {
        Self::with(database, people, |_, _| {}).await
    }

    /// The same with other settings and rules.
    async fn with(
        database: &Database,
        people: usize,
        change: impl FnOnce(&mut Config, &mut Rules),
    ) -> Self {
        let site = Site::start().await;
        let mut rules = Rules::new("Bikes".into());
        rules.out_of_session = OutOfSession::Callback;
        rules.out_of_session_number = Some(Identifier::parse(LINE).unwrap());
        rules.out_of_session_text = WORDS.into();
        rules.out_of_session_url = format!("http://{}/strangers?key=1", site.address);
        let mut config = support::settings(database);
        config.egress_allow = vec![site.address];
        change(&mut config, &mut rules);
        let world = World::with(config).await;
        let market = Market::open(&world, people, 1, rules).await;
        Self { world, market, site }
    }

    fn number(&self, place: usize) -> String {
        self.market.people[place].number.expose().to_owned()
    }

    async fn event(&self, kind: &str, id: &str, from: &str, text: &str) -> Answered {
        let event = json!({ "event": kind, "id": id, "from": from, "to": PROXY, "text": text });
        let answer = support::webhook(&self.world, kind, &event).await;
        assert!(answer.status.is_success(), "{}", answer.status);
        answer
    }

    /// The steps that a caller's carrier is told.
    async fn called(&self, id: &str, from: &str) -> Value {
        let answer = self.event("call", id, from, "").await;
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        document["steps"].clone()
    }

    /// What somebody got by text so far.
    async fn got(&self, place: usize) -> Vec<String> {
        self.world.running.idle().await;
        let view = self.market.network.seen(self.market.people[place].phone).unwrap();
        view.received().map(|text| text.body.expose().to_owned()).collect()
    }

    async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// The marketplace is told ids, the reason and how the caller looks masked, signed; no number of
/// theirs. What it says is what the caller gets, again for a repeated webhook, which asks nothing.
#[tokio::test]
async fn a_marketplace_says_what_a_caller_gets() {
    for database in support::databases().await {
        let street = Street::open(&database, 2).await;
        let session = street.market.session([0, 1], 0, None).await.unwrap();
        street.market.close(&session.id).await.unwrap();
        street.site.says([
            Reply::Json(json!({ "action": "announce", "text": "Bonjour", "language": "fr-FR" })),
            Reply::Json(json!({ "action": "reject" })),
            Reply::Json(json!({ "action": "forward" })),
        ]);
        let from = street.number(0);
        let steps = street.called("one", &from).await;
        assert_eq!(steps[0], json!({ "do": "say", "text": "Bonjour", "language": "fr-FR" }));
        assert_eq!(street.called("one", &from).await, steps, "I10");
        assert_eq!(street.called("two", &from).await[0]["do"], "reject");
        let forwarded = street.called("three", &from).await.to_string();
        assert!(forwarded.contains(LINE) && !forwarded.contains(&from[1..]), "{forwarded}");
        let asked = street.site.asked();
        assert_eq!(asked.len(), 3, "once for each call");
        let question: Value = serde_json::from_str(&asked[0].body).unwrap();
        assert_eq!(question["kind"], "call");
        assert_eq!(question["reason"], "session_closed");
        assert_eq!(question["session_id"], session.id.as_str());
        assert_eq!(question["role"], "buyer");
        assert_eq!(question["proxy_number"], PROXY);
        assert_eq!(question["service_id"], street.market.service.as_str());
        assert!(question["masked"].as_str().unwrap().starts_with("+1••••"), "{question}");
        for Asked { headers, body } in &asked {
            assert!(!format!("{headers:?}{body}").contains(&from[2..]), "no number: {body}");
        }
        let log = support::interactions(&street.world).await;
        assert_eq!(log.len(), 3);
        assert!(log.iter().all(|one| one.outcome == Some(Outcome::Refused)));
        signed(&street, &asked[0]).await;
        street.end(database).await;
    }
}

/// Whoever tries too much is not asked about any more, by neither way of asking: they hear the neutral words.
#[tokio::test]
async fn nobody_is_asked_about_a_harvester() {
    for twilio in [false, true] {
        for database in support::databases().await {
            let street = Street::with(&database, 2, |config, rules| {
                config.abuse.limits.set(Limit::HarvestWithheld, 2);
                if twilio {
                    rules.out_of_session = OutOfSession::Announce;
                    rules.proxy.out_of_session_callback_url =
                        std::mem::take(&mut rules.out_of_session_url);
                }
            });
            let street = street.await;
            let say = "<Response><Say>Bonjour</Say></Response>";
            street.site.says((0..2).map(|_| {
                if twilio {
                    Reply::Raw(StatusCode::OK, say.into())
                } else {
                    Reply::Json(json!({ "action": "announce", "text": "Bonjour" }))
                }
            }));
            for n in 0..4 {
                let event =
                    json!({ "event": "call", "id": format!("{n}"), "from": null, "to": PROXY });
                let answer = support::webhook(&street.world, "call", &event).await;
                let said = String::from_utf8(answer.body).unwrap();
                assert_eq!(said.contains("Bonjour"), n < 2, "{n} {twilio}: {said}");
            }
            assert_eq!(street.site.asked().len(), 2, "{twilio} on {}", database.name);
            street.end(database).await;
        }
    }
}

/// The signature is the service's, over id, time and body.
async fn signed(street: &Street, asked: &Asked) {
    let header = |name: &str| asked.headers[name].to_str().unwrap();
    let mut tx = street.market.relay.db().read().await.unwrap();
    let service = services::get(&mut tx, &street.market.account, &street.market.service).await;
    let secret = service.unwrap().unwrap().callback_secret.unwrap();
    let seconds: i64 = header("webhook-timestamp").parse().unwrap();
    let (id, at) = (header("webhook-id"), Timestamp::from_millis(seconds * 1000));
    assert_eq!(header("webhook-signature"), secret.sign(id, at, asked.body.as_bytes()));
    let question: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(question["id"], id);
}

/// An error, an answer that is none, one that is too long and none at all: the caller hears the
/// service's neutral words.
#[tokio::test]
async fn without_an_answer_there_are_the_neutral_words() {
    for database in support::databases().await {
        let street = Street::open(&database, 1).await;
        let long = format!(r#"{{"action":"reject","more":"{}"}}"#, "x".repeat(5000));
        let replies = [
            Reply::Raw(StatusCode::INTERNAL_SERVER_ERROR, r#"{"action":"reject"}"#.into()),
            Reply::Raw(StatusCode::FOUND, String::new()),
            Reply::Raw(StatusCode::OK, "<html>".into()),
            Reply::Raw(StatusCode::OK, long),
            Reply::Json(json!({ "action": "none" })),
            Reply::Json(json!({ "action": "announce", "text": "" })),
            Reply::Hang,
        ];
        for (place, reply) in replies.into_iter().enumerate() {
            street.site.says([reply.clone()]);
            let steps = street.called(&format!("call-{place}"), &street.number(0)).await;
            let words = steps[0]["text"].as_str().unwrap_or_default();
            assert!(words.starts_with("This number connects members of Bikes"), "{reply:?}");
        }
        let log = support::interactions(&street.world).await;
        assert_eq!(log.len(), 7);
        assert!(log.iter().all(|one| one.reason == Some(Reason::UnknownCaller)));
        street.end(database).await;
    }
}

/// I10: two copies of one webhook at once both ask, under one id, and are answered differently:
/// both carriers' requests get the answer that was committed first, and the call is logged once.
#[tokio::test]
async fn i10_twins_get_one_answer() {
    for database in support::databases().await {
        let street = Street::open(&database, 1).await;
        street.site.hold();
        street.site.says(
            ["one", "two"].map(|text| Reply::Json(json!({ "action": "announce", "text": text }))),
        );
        let from = street.number(0);
        let asked = async {
            street.site.until_asked(2).await;
            street.site.release();
        };
        let (first, second, ()) =
            tokio::join!(street.called("twin", &from), street.called("twin", &from), asked);
        assert_eq!(first, second, "I10 on {}", database.name);
        let asked = street.site.asked();
        assert_eq!(asked[0].headers["webhook-id"], asked[1].headers["webhook-id"]);
        assert_eq!(support::interactions(&street.world).await.len(), 1);
        street.end(database).await;
    }
}

/// A session that opens while the marketplace thinks is what counts: the call is put through.
#[tokio::test]
async fn a_session_that_opens_meanwhile_wins() {
    for database in support::databases().await {
        let street = Street::open(&database, 2).await;
        street.site.hold();
        street.site.says([Reply::Json(json!({ "action": "reject" }))]);
        let from = street.number(0);
        let opens = async {
            street.site.until_asked(1).await;
            street.market.session([0, 1], 0, None).await.unwrap();
            street.site.release();
        };
        let (steps, ()) = tokio::join!(street.called("meanwhile", &from), opens);
        assert!(steps.to_string().contains(&street.number(1)), "{steps}");
        let log = support::interactions(&street.world).await;
        assert_eq!((log.len(), log[0].outcome), (1, None));
        street.end(database).await;
    }
}

/// For a text: the marketplace's words once a day, or none; the service's own where it gives no
/// answer. "Stop", our own numbers and whoever has no number are not asked about.
#[tokio::test]
async fn a_marketplace_says_what_a_text_gets() {
    for database in support::databases().await {
        let street = Street::open(&database, 4).await;
        let reply = |text: &str| Reply::Json(json!({ "action": "reply", "text": text }));
        street.site.says([
            Reply::Json(json!({ "action": "none" })),
            reply("Your ride is over."),
            reply("A second one."),
            Reply::Raw(StatusCode::SERVICE_UNAVAILABLE, String::new()),
        ]);
        let numbers: Vec<String> = (0..4).map(|place| street.number(place)).collect();
        for (id, from) in [("a", 0), ("b", 1), ("c", 1), ("d", 2)] {
            street.event("message", id, &numbers[from], "The words of a stranger").await;
        }
        street.event("message", "b", &numbers[1], "The words of a stranger").await;
        assert_eq!(street.got(0).await, [""; 0]);
        assert_eq!(street.got(1).await, ["Your ride is over."], "once a day");
        assert_eq!(street.got(2).await, [WORDS]);
        street.event("message", "e", &numbers[3], "STOP").await;
        street.event("message", "f", PROXY, "Hello?").await;
        street.event("message", "g", "BIKES", "Hello?").await;
        street.event("call", "h", PROXY, "").await;
        let told = street.got(3).await;
        assert!(
            matches!(&told[..], [one] if one.contains("START")),
            "what was wanted is confirmed"
        );
        let asked = street.site.asked();
        assert_eq!(asked.len(), 4, "nobody is asked about a word that stops");
        assert!(asked.iter().all(|one| !one.body.contains("stranger")), "no word of a text");
        let question: Value = serde_json::from_str(&asked[0].body).unwrap();
        assert_eq!((&question["kind"], &question["session_id"]), (&json!("message"), &Value::Null));
        street.end(database).await;
    }
}
