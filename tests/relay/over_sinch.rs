//! Texts and calls over Sinch: two kinds of signed webhooks in, its documents out, its APIs asked.

use std::ops::Deref;

use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::domain::{
    interaction::{Outcome, Reason},
    policy::Rules,
};
use http::StatusCode;
use md5::{Digest as _, Md5};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    dialect::{Asked, Came, Dialect, Scene, fixtures},
    support::{self, Answered, Database, World},
};

const FIXTURES: &str = include_str!("../../fixtures/sinch/carrier.toml");
const CALL: &str = "4398599d1ba84ef3bde0a82dfb61abed";
const PLACED: &str = "822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257";

fn values() -> toml::Table {
    fixtures(FIXTURES)
}

fn setting(key: &str) -> String {
    values()[key].as_str().unwrap().to_owned()
}

fn tag(secret: &[u8], message: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message))
}

/// Tells of a call as Sinch does: signed with the application's secret.
async fn tell(world: &World, event: &Value) -> Answered {
    let (path, body) = ("/hooks/sinch/call", event.to_string());
    let at = world.clock.now().rfc3339();
    let hash = STANDARD.encode(Md5::digest(&body));
    let message = format!("POST\n{hash}\napplication/json\nx-timestamp:{at}\n{path}");
    let secret = STANDARD.decode(setting("application_secret")).unwrap();
    let tag = tag(&secret, message.as_bytes());
    let request = http::Request::post(path)
        .header("host", world.running.address.to_string())
        .header("content-type", "application/json")
        .header("x-timestamp", at)
        .header("authorization", format!("application {}:{tag}", setting("application_key")))
        .body(http_body_util::Full::new(Bytes::from(body)));
    support::request(world.running.address, request.unwrap()).await
}

/// Tells of a text as Sinch does: signed with the service plan's secret.
async fn tell_of_text(world: &World, text: &Value) -> Answered {
    let (body, at) = (text.to_string(), world.clock.now().seconds().to_string());
    let message = format!("{body}.01FJA8B4A7BM43YGWSG9GBV067.{at}");
    let tag = tag(setting("sms_webhook_secret").as_bytes(), message.as_bytes());
    let request = http::Request::post("/hooks/sinch/message")
        .header("host", world.running.address.to_string())
        .header("content-type", "application/json")
        .header("x-sinch-webhook-signature", tag)
        .header("x-sinch-webhook-signature-nonce", "01FJA8B4A7BM43YGWSG9GBV067")
        .header("x-sinch-webhook-signature-timestamp", at)
        .header("x-sinch-webhook-signature-algorithm", "HmacSHA256")
        .body(http_body_util::Full::new(Bytes::from(body)));
    support::request(world.running.address, request.unwrap()).await
}

fn mo(came: &Came<'_>) -> Value {
    let (from, to) = came.bare();
    json!({
        "type": "mo_text", "id": format!("01FC66621VHDBN{:012}", came.id), "from": from, "to": to,
        "body": came.words, "received_at": "2026-11-22T10:00:00.000Z",
    })
}

fn ice(from: &str, to: &str) -> Value {
    json!({
        "event": "ice", "callid": CALL, "cli": from.trim_start_matches('+'), "version": 1,
        "to": { "type": "did", "endpoint": to }, "domain": "pstn", "originationType": "PSTN",
    })
}

/// How Sinch speaks.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "sinch",
    settings: values,
    text: |world, came| Box::pin(async move { tell_of_text(world, &mo(&came)).await }),
    call: |world, came| Box::pin(async move { tell(world, &ice(came.from, came.to)).await }),
    answer: |asked| {
        let id = format!("01FC66621YYYYY{:012}", asked.place);
        (StatusCode::CREATED, json!({ "id": id, "callId": PLACED }).to_string())
    },
    sent: |asked| {
        let body = asked.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (from, to) = (text(&body["from"]), text(&body["to"][0]));
        [format!("+{from}"), format!("+{to}"), text(&body["body"])]
    },
    rings: |document, _| {
        let document: Value = serde_json::from_str(document).unwrap();
        let action = &document["action"];
        [&action["cli"], &action["number"]].map(|number| number.as_str().unwrap().to_owned())
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

    /// The document that answers news of a call; nothing where there is none.
    async fn told(&self, event: &Value) -> Value {
        let answer = tell(&self.world, event).await;
        assert_eq!(answer.status, StatusCode::OK);
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// The buyer calls; the answer.
    async fn call(&self) -> Value {
        let document = self.told(&ice(self.person(0), self.dials(0))).await;
        assert!(!document.to_string().contains(&self.person(0)[1..]), "I17: {document}");
        document
    }
}

/// News of the call that `document` steers, with what it was told by that.
fn news(kind: &str, document: &Value, more: &Value) -> Value {
    let set = document["instructions"].as_array().unwrap().iter();
    let cookies: Vec<Value> = set
        .filter(|one| one["name"] == "setCookie")
        .map(|one| json!({ "key": one["key"], "value": one["value"] }))
        .collect();
    let mut event = json!({ "event": kind, "callid": CALL, "version": 1, "cookies": cookies });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

fn over(result: &str, reason: &str, seconds: u64) -> Value {
    json!({ "result": result, "reason": reason, "duration": seconds })
}

fn press_one() -> Rules {
    Rules { press_one: true, ..Rules::new("Bikes".into()) }
}

/// A text goes out once, from the number that its recipient holds and until its session ends at the
/// latest, and its receipt comes back by the reference that it was sent with.
#[tokio::test]
async fn a_text_is_relayed_over_sinch() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let (from, to) = (stage.person(0), stage.dials(0));
        let text = mo(&Came { from, to, words: "Is it still there?", id: 1 });
        for _ in 0..2 {
            let answer = tell_of_text(&stage.world, &text).await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
        }
        stage.world.running.jobs.idle().await;
        let asked: Vec<Asked> = stage.asked();
        let [one] = &asked[..] else { panic!("a duplicate webhook sends nothing: {asked:?}") };
        let shown = [stage.dials(1), stage.person(1), "Is it still there?"];
        assert_eq!((DIALECT.sent)(one), shown);
        let sent = one.json();
        assert!(sent["expire_at"].as_str().unwrap().ends_with('Z'), "{sent}");
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Relayed));
        let receipt = json!({
            "type": "recipient_delivery_report_sms", "batch_id": "01FC66621YYYYY000000000001",
            "status": "Delivered", "code": 0, "client_reference": sent["client_reference"],
        });
        assert_eq!(tell_of_text(&stage.world, &receipt).await.status, StatusCode::OK);
        assert_eq!(stage.progress().await, "delivered");
        stage.0.end(database).await;
    }
}

/// A call is answered with a document that rings the other side as the proxy number; whoever answers is
/// connected, and the one webhook of the end ends it in the log, however often it comes.
#[tokio::test]
async fn a_call_is_bridged_over_sinch() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let document = stage.call().await;
        let action = &document["action"];
        assert_eq!(action["number"], stage.person(1));
        assert_eq!(action["cli"], stage.dials(1));
        let answer = stage.told(&news("ace", &document, &json!({}))).await;
        assert_eq!(answer["action"]["name"], "continue");
        let ended = news("dice", &document, &over("ANSWERED", "CALLEEHANGUP", 42));
        for _ in 0..2 {
            assert_eq!(stage.told(&ended).await, Value::Null);
        }
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        stage.0.end(database).await;
    }
}

/// The end of a call says why nobody was reached.
#[tokio::test]
async fn a_call_that_reaches_nobody_over_sinch() {
    for (result, reason, outcome, why) in [
        ("BUSY", "BUSY", Outcome::Busy, Reason::Busy),
        ("NOANSWER", "TIMEOUT", Outcome::Missed, Reason::NoAnswer),
        ("NOANSWER", "CANCEL", Outcome::Cancelled, Reason::CallerHungUp),
    ] {
        for database in support::databases().await {
            let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
            let document = stage.call().await;
            stage.told(&news("dice", &document, &over(result, reason, 0))).await;
            let log = stage.only().await;
            assert_eq!((log.outcome, log.reason), (Some(outcome), Some(why)), "{reason}");
            stage.0.end(database).await;
        }
    }
}

/// The callee answers and is asked; what the document says once they press `key`.
async fn pressed(stage: &Stage, document: &Value, key: &str) -> Value {
    let question = stage.told(&news("ace", document, &json!({}))).await;
    assert_eq!(question["action"]["name"], "runMenu");
    let result = json!({ "menuId": "main", "type": "sequence", "value": key });
    stage.told(&news("pie", document, &json!({ "menuResult": result }))).await["action"].clone()
}

/// Whoever answers is asked to press 1, and with it the two are connected.
#[tokio::test]
async fn one_accepts_over_sinch() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let document = stage.call().await;
        assert_eq!(pressed(&stage, &document, "1").await["name"], "continue");
        stage.told(&news("dice", &document, &over("ANSWERED", "CALLERHANGUP", 9))).await;
        assert_eq!(stage.only().await.outcome, Some(Outcome::Connected));
        stage.0.end(database).await;
    }
}

/// I3: whoever presses another key is hung up, and counts as not reached, though they answered; so is
/// whoever answers when the session is closed.
#[tokio::test]
async fn i3_who_is_turned_away_over_sinch_is_hung_up() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let document = stage.call().await;
        assert_eq!(pressed(&stage, &document, "2").await["name"], "hangup");
        stage.told(&news("dice", &document, &over("ANSWERED", "MANAGERHANGUP", 9))).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Missed));
        assert_eq!(log.reason, Some(Reason::NotAccepted));
        stage.market.close(&stage.session.id).await.unwrap();
        let late = stage.told(&news("ace", &document, &json!({}))).await;
        assert_eq!(late["action"]["name"], "hangup");
        stage.0.end(database).await;
    }
}
