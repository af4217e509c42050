//! Texts and calls over Vonage: signed webhooks in, its document out, its API asked.

use std::ops::Deref;

use axum::{
    body::Bytes,
    http::{Method, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use entremise::{
    domain::{
        interaction::{Outcome, Reason},
        policy::Rules,
    },
    ids::hex,
};
use serde_json::{Value, json};

use crate::{
    dialect::{Dialect, Scene, fixtures},
    support::{self, Answered, Database, World},
};

const FIXTURES: &str = include_str!("../../fixtures/vonage/carrier.toml");
const CALL: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
pub(crate) const CALLEE: &str = "bbbbbbbb-cccc-dddd-eeee-0123456789ab";

fn values() -> toml::Table {
    fixtures(FIXTURES)
}

/// Asks one of our addresses as Vonage does: a body is posted and hashed, none is got.
pub(crate) async fn webhook(world: &World, path: &str, body: Option<&Value>) -> Answered {
    let values = values();
    let text = body.map(Value::to_string).unwrap_or_default();
    let mut claims = json!({
        "iat": world.clock.now().seconds(), "jti": "1", "iss": "Vonage",
        "api_key": values["api_key"].as_str(), "application_id": values["application_id"].as_str(),
    });
    if body.is_some() {
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        claims["payload_hash"] = hex(hash.as_ref()).into();
    }
    let part = |value: &Value| BASE64URL.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "typ": "JWT", "alg": "HS256" })), part(&claims));
    let secret = values["signature_secret"].as_str().unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = BASE64URL.encode(ring::hmac::sign(&key, signed.as_bytes()));
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", world.running.address.to_string())
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {signed}.{tag}"))
        .body(http_body_util::Full::new(Bytes::from(text)));
    support::request(world.running.address, request.unwrap()).await
}

/// How Vonage speaks.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "vonage",
    settings: values,
    text: |world, came| {
        Box::pin(async move {
            let (from, to) = came.bare();
            let text = json!({
                "channel": "sms", "message_type": "text", "from": from, "to": to, "text": came.words,
                "message_uuid": format!("aaaaaaaa-bbbb-cccc-dddd-{:012}", came.id),
                "timestamp": "2026-11-22T10:00:00.000Z",
            });
            webhook(world, "/hooks/vonage/message", Some(&text)).await
        })
    },
    call: |world, came| {
        Box::pin(async move {
            let (from, to) = came.bare();
            let call =
                json!({ "from": from, "to": to, "uuid": CALL, "conversation_uuid": "CON-1" });
            webhook(world, "/hooks/vonage/call", Some(&call)).await
        })
    },
    answer: |asked| {
        if asked.line.starts_with("PUT ") {
            return (StatusCode::NO_CONTENT, String::new());
        }
        let id = format!("cccccccc-0000-0000-0000-{:012}", asked.place);
        (StatusCode::CREATED, json!({ "message_uuid": id, "uuid": CALL }).to_string())
    },
    sent: |asked| {
        let body = asked.json();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        [format!("+{}", text("from")), format!("+{}", text("to")), text("text")]
    },
    rings: |ncco, _| {
        let ncco: Vec<Value> = serde_json::from_str(ncco).unwrap();
        let connect = ncco.last().unwrap();
        [&connect["from"], &connect["endpoint"][0]["number"]]
            .map(|number| format!("+{}", number.as_str().unwrap()))
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

    async fn webhook(&self, path: &str, body: Option<&Value>) -> Answered {
        webhook(&self.world, path, body).await
    }

    /// The document that answers it.
    async fn ncco(&self, path: &str, body: Option<&Value>) -> Vec<Value> {
        let answer = self.webhook(path, body).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "application/json");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The buyer calls; the `connect` of the answer.
    async fn call(&self) -> Value {
        let (caller, dialled) = self.bare(0);
        let call =
            json!({ "from": caller, "to": dialled, "uuid": CALL, "conversation_uuid": "CON-1" });
        let ncco = self.ncco("/hooks/vonage/call", Some(&call)).await;
        assert!(!format!("{ncco:?}").contains(&caller), "I17: {ncco:?}");
        ncco.last().unwrap().clone()
    }

    /// News of the callee's leg, at the address that the document gave.
    async fn news(&self, connect: &Value, status: &str, more: &[(&str, &str)]) -> Answered {
        let mut event = json!({ "uuid": CALLEE, "status": status, "direction": "outbound" });
        for (key, value) in more {
            event[*key] = (*value).into();
        }
        let answer =
            self.webhook(&self.path(connect["eventUrl"][0].as_str().unwrap()), Some(&event)).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer
    }
}

/// A text goes out once over the Messages API, from the number that its recipient holds, and its
/// receipt comes back by the reference that it was sent with.
#[tokio::test]
async fn a_text_is_relayed_over_vonage() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let ((writer, dialled), (reader, shown)) = (stage.bare(0), stage.bare(1));
        let text = json!({
            "channel": "sms", "message_type": "text", "message_uuid": CALL, "from": writer,
            "to": dialled, "text": "Is it still there?", "timestamp": "2026-11-22T10:00:00.000Z",
        });
        for _ in 0..2 {
            let answer = stage.webhook("/hooks/vonage/message", Some(&text)).await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
        }
        stage.world.running.jobs.idle().await;
        let asked = stage.asked();
        let [one] = &asked[..] else { panic!("a duplicate webhook sends nothing: {asked:?}") };
        assert_eq!(one.line, "POST /v1/messages");
        assert!(one.authorization.starts_with("Basic "));
        let body = one.json();
        assert_eq!((&body["from"], &body["to"]), (&json!(shown), &json!(reader)));
        assert_eq!(body["text"], "Is it still there?");
        assert!(!body.to_string().contains(&writer), "I17: {body}");
        assert_eq!(stage.only().await.outcome, Some(Outcome::Relayed));
        let receipt = json!({
            "message_uuid": "cccccccc-0000-0000-0000-000000000001", "status": "delivered",
            "client_ref": body["client_ref"], "channel": "sms", "from": shown, "to": reader,
        });
        let answer = stage.webhook("/hooks/vonage/status", Some(&receipt)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(stage.progress().await, "delivered");
        stage.0.end(database).await;
    }
}

/// A call is answered with a document that dials the other side as the proxy number, and the news of
/// that side's leg ends it in the log.
#[tokio::test]
async fn a_call_is_bridged_over_vonage() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let (callee, shown) = stage.bare(1);
        let connect = stage.call().await;
        assert_eq!(connect["from"], json!(shown));
        assert_eq!(connect["endpoint"], json!([{ "type": "phone", "number": callee }]));
        for status in ["started", "ringing", "answered"] {
            assert_eq!(stage.news(&connect, status, &[]).await.body.len(), 0);
        }
        let over = [("duration", "42"), ("start_time", "2026-11-22T10:00:00.000Z")];
        stage.news(&connect, "completed", &over).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        stage.0.end(database).await;
    }
}

/// A call that is not answered is told of twice, in either order, and is missed once.
#[tokio::test]
async fn a_call_that_nobody_answers_over_vonage() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let connect = stage.call().await;
        let never = [("duration", "0")];
        stage.news(&connect, "ringing", &[]).await;
        assert_eq!(stage.news(&connect, "timeout", &[]).await.body, b"[]");
        stage.news(&connect, "completed", &never).await;
        assert_eq!(stage.only().await.outcome, Some(Outcome::Missed));
        stage.0.end(database).await;
    }
}

/// The callee answers, is asked, and presses `key`; what the document says then.
async fn pressed(stage: &Stage, connect: &Value, key: &str) -> Vec<Value> {
    let (callee, shown) = stage.bare(1);
    let asks = stage.path(connect["endpoint"][0]["onAnswer"]["url"].as_str().unwrap());
    let asks = format!("{asks}&to={callee}&from={shown}&uuid={CALLEE}");
    let question = stage.ncco(&asks, None).await;
    let input = question.last().unwrap();
    assert_eq!(input["action"], "input");
    let keys = json!({ "dtmf": { "digits": key, "timed_out": false }, "uuid": CALLEE });
    stage.ncco(&stage.path(input["eventUrl"][0].as_str().unwrap()), Some(&keys)).await
}

const OVER: [(&str, &str); 2] = [("duration", "9"), ("start_time", "2026-11-22T10:00:00.000Z")];

/// Whoever answers is asked to press 1, and with it the two are connected.
#[tokio::test]
async fn one_accepts_over_vonage() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let connect = stage.call().await;
        let next = pressed(&stage, &connect, "1").await;
        assert_eq!(next, [json!({ "action": "wait", "timeout": 0.1 })]);
        assert!(stage.asked().is_empty());
        stage.news(&connect, "completed", &OVER).await;
        assert_eq!(stage.only().await.outcome, Some(Outcome::Connected));
        stage.0.end(database).await;
    }
}

/// I3: whoever presses another key is hung up by a request with the application's token, and kept
/// waiting until then; so is whoever answers when the session is closed.
#[tokio::test]
async fn i3_who_is_turned_away_over_vonage_is_hung_up() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let connect = stage.call().await;
        let kept = [json!({ "action": "wait", "timeout": 7200 })];
        assert_eq!(pressed(&stage, &connect, "2").await, kept);
        let asked = stage.asked();
        assert_eq!(asked[0].line, format!("PUT /v1/calls/{CALLEE}"));
        assert_eq!(asked[0].json(), json!({ "action": "hangup" }));
        assert!(asked[0].authorization.starts_with("Bearer ey"));
        stage.news(&connect, "completed", &OVER).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Missed));
        assert_eq!(log.reason, Some(Reason::NotAccepted));
        stage.market.close(&stage.session.id).await.unwrap();
        let asks = stage.path(connect["endpoint"][0]["onAnswer"]["url"].as_str().unwrap());
        assert_eq!(stage.ncco(&format!("{asks}&uuid={CALLEE}"), None).await, kept);
        assert_eq!(stage.asked().len(), 1);
        stage.0.end(database).await;
    }
}

/// Vonage asks for the address of texts by GET before it takes it: that says that it is there, to anybody, and
/// of a carrier that there is not that it is not.
#[tokio::test]
async fn the_address_of_texts_is_there() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        for (path, status) in [
            ("/hooks/vonage/message", StatusCode::OK),
            ("/hooks/vonage/message?text=%21&msisdn=x", StatusCode::OK),
            ("/hooks/nobody/message", StatusCode::NOT_FOUND),
        ] {
            let request = http::Request::get(path)
                .header("host", stage.world.running.address.to_string())
                .body(http_body_util::Full::default());
            let answer = support::request(stage.world.running.address, request.unwrap()).await;
            assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
        }
        assert!(support::interactions(&stage.world).await.is_empty());
        stage.0.end(database).await;
    }
}
