//! Texts and calls over jambonz: signed webhooks in, its verbs out, its API asked.

use std::ops::Deref;

use axum::{
    body::Bytes,
    http::{Method, StatusCode},
};
use entremise::{
    domain::{
        interaction::{Outcome, Reason},
        policy::Rules,
    },
    ids::hex,
};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    dialect::{Came, Dialect, Scene, fixtures},
    support::{self, Answered, Database, World},
};

const FIXTURES: &str = include_str!("../../fixtures/jambonz/carrier.toml");
const CALL: &str = "7e1f3b9a-0000-4000-8000-000000000001";
const RUNG: &str = "7e1f3b9a-0000-4000-8000-000000000002";

fn values() -> toml::Table {
    fixtures(FIXTURES)
}

/// Tells one of our addresses of something, as jambonz does: signed with the account's secret.
async fn webhook(world: &World, path: &str, event: &Value) -> Answered {
    webhook_at(world, world.clock.now().seconds(), path, event).await
}

/// The same, signed at that time: a try again has the first one's signature.
async fn webhook_at(world: &World, at: i64, path: &str, event: &Value) -> Answered {
    let (path, _) = path.split_once('#').unwrap_or((path, ""));
    let body = event.to_string();
    let key =
        hmac::Key::new(hmac::HMAC_SHA256, values()["webhook_secret"].as_str().unwrap().as_bytes());
    let tag = hex(hmac::sign(&key, format!("{at}.{body}").as_bytes()).as_ref());
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", world.running.address.to_string())
        .header("content-type", "application/json")
        .header("jambonz-signature", format!("t={at},v1={tag}"))
        .body(http_body_util::Full::new(Bytes::from(body)));
    support::request(world.running.address, request.unwrap()).await
}

/// A text that came over SMPP: it has no id.
fn text(came: &Came<'_>) -> Value {
    let (from, to) = came.bare();
    json!({ "carrier": "smpp-a", "from": from, "to": to, "text": came.words })
}

/// The first question of a call.
fn call(from: &str, to: &str) -> Value {
    json!({
        "sip": { "headers": { "P-Asserted-Identity": format!("<sip:{from}@203.0.113.9>") } },
        "direction": "inbound", "call_sid": CALL, "from": from, "to": to, "call_status": "trying",
        "sip_status": 100, "caller_name": "Ann Other", "defaults": { "synthesizer": {} },
    })
}

/// How jambonz speaks.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "jambonz",
    settings: values,
    text: |world, came| {
        Box::pin(async move {
            let mut text = text(&came);
            text["message_sid"] = format!("d6a7e3f4-1111-4222-8333-{:012}", came.id).into();
            webhook(world, "/hooks/jambonz/message", &text).await
        })
    },
    call: |world, came| {
        Box::pin(
            async move { webhook(world, "/hooks/jambonz/call", &call(came.from, came.to)).await },
        )
    },
    answer: |asked| {
        let id = format!("d6a7e3f4-0000-4000-8000-{:012}", asked.place);
        (StatusCode::CREATED, json!({ "sid": id }).to_string())
    },
    sent: |asked| {
        let body = asked.json();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        [format!("+{}", text("from")), format!("+{}", text("to")), text("text")]
    },
    rings: |verbs, _| {
        let verbs: Vec<Value> = serde_json::from_str(verbs).unwrap();
        let dial = verbs.last().unwrap();
        assert_eq!(dial["forwardPAI"], false);
        assert_eq!(dial["callerName"], dial["callerId"]);
        [&dial["callerId"], &dial["target"][0]["number"]]
            .map(|number| number.as_str().unwrap().to_owned())
    },
};

struct Stage(Scene);

impl Deref for Stage {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.0
    }
}

impl Stage {
    async fn open(database: &Database, rules: Rules) -> Self {
        Self(Scene::open(&DIALECT, database, rules).await)
    }

    fn dials(&self, place: usize) -> &str {
        self.session.dials[place].expose()
    }

    /// The verbs that answer a question at one of our addresses.
    async fn verbs(&self, url: &Value, event: &Value) -> Value {
        let url = url.as_str().unwrap();
        let path = if url.starts_with('/') { url.to_owned() } else { self.path(url) };
        let answer = webhook(&self.world, &path, event).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "application/json");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The buyer calls; the `dial` of the answer.
    async fn call(&self) -> Value {
        let event = call(self.person(0), self.dials(0));
        let verbs = self.verbs(&json!("/hooks/jambonz/call"), &event).await;
        assert!(!verbs.to_string().contains(&self.person(0)[1..]), "I17: {verbs}");
        verbs.as_array().unwrap().last().unwrap().clone()
    }

    /// News of a leg, which all come to one address.
    async fn news(&self, leg: &Value, word: &str, more: &Value) {
        let mut event = rung(leg, word);
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        let answer = webhook(&self.world, "/hooks/jambonz/status", &event).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    }

    /// The dialling is over; what comes next.
    async fn dialled(&self, dial: &Value, more: &Value) -> Value {
        let mut event = json!({ "call_sid": CALL, "call_status": "in-progress" });
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        self.verbs(&dial["actionHook"], &event).await
    }
}

/// What is told of somebody who is rung, with what was said of the dialling.
fn rung(leg: &Value, word: &str) -> Value {
    json!({
        "call_sid": RUNG, "parent_call_sid": CALL, "direction": "outbound", "call_status": word,
        "customer_data": leg,
    })
}

fn press_one() -> Rules {
    Rules { press_one: true, ..Rules::new("Bikes".into()) }
}

fn end() -> Value {
    json!([
        { "verb": "hangup" },
        { "verb": "sip:decline", "status": 480, "reason": "Temporarily Unavailable" },
    ])
}

/// A text that has no id goes out once however often its webhook comes, from the number that its recipient
/// holds; that the SMS centre took it is all that will be known.
#[tokio::test]
async fn a_text_is_relayed_over_jambonz() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let (from, to) = (stage.person(0), stage.dials(0));
        let event = text(&Came { from, to, words: "Is it still there?", id: 1 });
        let at = stage.world.clock.now().seconds();
        for _ in 0..2 {
            let answer = webhook_at(&stage.world, at, "/hooks/jambonz/message", &event).await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
        }
        stage.world.running.jobs.idle().await;
        let asked = stage.asked();
        let [one] = &asked[..] else { panic!("a duplicate webhook sends nothing: {asked:?}") };
        let account = values()["account_sid"].as_str().unwrap().to_owned();
        assert_eq!(one.line, format!("POST /v1/Accounts/{account}/Messages"));
        assert!(one.authorization.starts_with("Bearer "));
        let shown = [stage.dials(1), stage.person(1), "Is it still there?"];
        assert_eq!((DIALECT.sent)(one), shown);
        assert_eq!(stage.only().await.outcome, Some(Outcome::Relayed));
        assert_eq!(stage.progress().await, "sent");
        stage.0.end(database).await;
    }
}

/// A call is answered with verbs that dial the other side as the proxy number; the news of that side's leg
/// says how long the two talked, before or after the end of the dialling.
#[tokio::test]
async fn a_call_is_bridged_over_jambonz() {
    for news_first in [true, false] {
        for database in support::databases().await {
            let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
            let dial = stage.call().await;
            assert_eq!(dial["target"][0]["number"], stage.person(1));
            assert_eq!(dial["callerId"], stage.dials(1));
            for word in ["trying", "ringing", "in-progress"] {
                stage.news(&dial["tag"], word, &json!({})).await;
            }
            let talked = json!({ "duration": 42, "sip_status": 200 });
            if news_first {
                stage.news(&dial["tag"], "completed", &talked).await;
            }
            let over = json!({ "dial_call_status": "completed", "dial_sip_status": 200 });
            assert_eq!(stage.dialled(&dial, &over).await, end());
            if !news_first {
                stage.news(&dial["tag"], "completed", &talked).await;
            }
            let log = stage.only().await;
            assert_eq!(log.outcome, Some(Outcome::Connected));
            assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
            stage.0.end(database).await;
        }
    }
}

/// The end of the dialling says why nobody was reached.
#[tokio::test]
async fn a_call_that_reaches_nobody_over_jambonz() {
    let gave_up = json!({ "call_status": "no-answer", "dial_call_status": "ringing" });
    for (over, outcome, why) in [
        (json!({ "dial_call_status": "busy" }), Outcome::Busy, Reason::Busy),
        (json!({ "dial_call_status": "early-media" }), Outcome::Missed, Reason::NoAnswer),
        (gave_up, Outcome::Cancelled, Reason::CallerHungUp),
    ] {
        for database in support::databases().await {
            let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
            let dial = stage.call().await;
            if over["call_status"] == "no-answer" {
                let caller = json!({ "call_sid": CALL, "direction": "inbound" });
                stage.news(&Value::Null, "no-answer", &caller).await;
            }
            stage.dialled(&dial, &over).await;
            let log = stage.only().await;
            assert_eq!((log.outcome, log.reason), (Some(outcome), Some(why)), "{over}");
            stage.0.end(database).await;
        }
    }
}

/// The callee answers, is asked, and presses `key`; what is answered then.
async fn pressed(stage: &Stage, dial: &Value, key: &str) -> Value {
    let mut event = rung(&dial["tag"], "in-progress");
    let asks = stage.verbs(&dial["target"][0]["confirmHook"], &event).await;
    let [.., gather, last] = &asks.as_array().unwrap()[..] else { panic!("{asks}") };
    assert_eq!((&gather["verb"], last), (&json!("gather"), &json!({ "verb": "hangup" })));
    event["digits"] = key.into();
    stage.verbs(&gather["actionHook"], &event).await
}

/// Whoever answers is asked to press 1, and with it the two are connected.
#[tokio::test]
async fn one_accepts_over_jambonz() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let dial = stage.call().await;
        let next = pressed(&stage, &dial, "1").await;
        assert_eq!(next, json!([{ "verb": "tag", "data": dial["tag"] }]));
        let over = json!({ "dial_call_status": "completed", "dial_sip_status": 200 });
        stage.dialled(&dial, &over).await;
        assert_eq!(stage.only().await.outcome, Some(Outcome::Connected));
        stage.0.end(database).await;
    }
}

/// I3: whoever presses another key is hung up, and counts as not reached, though they answered; so is
/// whoever answers when the session is closed.
#[tokio::test]
async fn i3_who_is_turned_away_over_jambonz_is_hung_up() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let dial = stage.call().await;
        let hangup = json!([{ "verb": "hangup" }]);
        assert_eq!(pressed(&stage, &dial, "2").await, hangup);
        let over = json!({ "dial_call_status": "in-progress", "dial_sip_status": 200 });
        stage.dialled(&dial, &over).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Missed));
        assert_eq!(log.reason, Some(Reason::NotAccepted));
        stage.market.close(&stage.session.id).await.unwrap();
        let late = rung(&dial["tag"], "in-progress");
        assert_eq!(stage.verbs(&dial["target"][0]["confirmHook"], &late).await, hangup);
        stage.0.end(database).await;
    }
}

/// A call that the marketplace asks for rings one side, and once they answer the other: which call it is
/// comes back in what travels with it.
#[tokio::test]
async fn a_call_is_placed_over_jambonz() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        stage.place_call().await;
        let account = values()["account_sid"].as_str().unwrap().to_owned();
        let first = stage.only_asked(&format!("POST /v1/Accounts/{account}/Calls"));
        let one = usize::from(first["to"]["number"] != stage.person(0));
        let other = 1 - one;
        assert_eq!(first["to"]["number"], stage.person(one));
        assert_eq!([&first["from"], &first["callerName"]], [stage.dials(one); 2]);
        let answered = json!({
            "call_sid": "d6a7e3f4-0000-4000-8000-000000000001", "direction": "outbound",
            "call_status": "in-progress", "customer_data": first["tag"], "defaults": {},
        });
        let verbs = stage.verbs(&json!("/hooks/jambonz/call"), &answered).await;
        let rings = (DIALECT.rings)(&verbs.to_string(), &[]);
        assert_eq!(rings, [stage.dials(other), stage.person(other)]);
        stage.0.end(database).await;
    }
}
