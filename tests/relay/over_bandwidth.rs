//! Texts and calls over Bandwidth: JSON with a name and a password in, BXML and REST requests out.

use std::ops::Deref;

use axum::{body::Bytes, http::StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::domain::{
    interaction::{Outcome, Reason},
    policy::Rules,
};
use serde_json::{Value, json};

use crate::{
    dialect::{Dialect, Scene, between, fixtures},
    support::{self, Answered, Database, World},
};

const FIXTURES: &str = include_str!("../../fixtures/bandwidth/carrier.toml");
pub(crate) const CALL: &str = "c-95ac8d6e-1a31c52e-b38f-4198-93c1-51633ec68f8d";
const RUNG: &str = "c-2a913f94-6a486f3a-3cae-4034-bcc3-f0c9fa77ca2f";
const ANSWERED: &str = "2026-11-22T10:00:10.250Z";
const OVER: &str = "2026-11-22T10:00:52.750Z";

/// A name and a password.
pub(crate) type Credentials = (String, String);

struct Stage(Scene);

impl Deref for Stage {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.0
    }
}

fn values() -> toml::Table {
    fixtures(FIXTURES)
}

/// Those of the applications.
fn applications() -> Credentials {
    let values = values();
    let text = |key: &str| values[key].as_str().unwrap().to_owned();
    (text("webhook_username"), text("webhook_password"))
}

/// Posts a webhook as Bandwidth does: without its credentials, and with them once it was asked.
pub(crate) async fn webhook(
    world: &World,
    path: &str,
    body: &Value,
    (name, password): &Credentials,
) -> Answered {
    let post = |credentials: Option<String>| {
        let mut request = http::Request::post(path)
            .header("host", world.running.address.to_string())
            .header("content-type", "application/json");
        if let Some(credentials) = credentials {
            request = request.header("authorization", credentials);
        }
        let body = http_body_util::Full::new(Bytes::from(body.to_string()));
        support::request(world.running.address, request.body(body).unwrap())
    };
    let first = post(None).await;
    assert_eq!(first.status, StatusCode::UNAUTHORIZED);
    let challenge = first.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Basic realm="), "{challenge}");
    post(Some(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))).await
}

/// How Bandwidth speaks.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "bandwidth",
    settings: values,
    text: |world, came| {
        Box::pin(async move {
            let text = json!([{
                "type": "message-received", "time": OVER, "to": came.to, "description": "Incoming",
                "message": {
                    "id": format!("14762070468292kw2fuqty55yp{:04}", came.id), "direction": "in",
                    "owner": came.to, "from": came.from, "to": [came.to], "text": came.words,
                    "applicationId": values()["messaging_application_id"].as_str(), "time": OVER,
                },
            }]);
            webhook(world, "/hooks/bandwidth/message", &text, &applications()).await
        })
    },
    call: |world, came| {
        Box::pin(async move {
            let more = json!({
                "from": came.from, "to": came.to, "direction": "inbound", "callId": CALL,
            });
            let call = event("initiate", more);
            webhook(world, "/hooks/bandwidth/call", &call, &applications()).await
        })
    },
    answer: |asked| {
        if asked.line.ends_with(RUNG) {
            return (StatusCode::OK, String::new());
        }
        let id = format!("14762070468292kw2fuqty55yp{:04}", asked.place);
        (StatusCode::ACCEPTED, json!({ "id": id, "callId": CALL }).to_string())
    },
    sent: |asked| {
        let body = asked.json();
        [&body["from"], &body["to"][0], &body["text"]].map(|one| one.as_str().unwrap().to_owned())
    },
    rings: |bxml, _| {
        let callee = between(bxml, "<PhoneNumber", "/PhoneNumber>");
        [between(bxml, "transferCallerId=\"", "\""), between(callee, ">", "<")].map(str::to_owned)
    },
};

impl Stage {
    async fn open(database: &Database, rules: Rules) -> Self {
        Self(Scene::open(&DIALECT, database, rules).await)
    }

    async fn webhook(&self, path: &str, body: &Value, credentials: &Credentials) -> Answered {
        webhook(&self.world, path, body, credentials).await
    }

    /// A question about a call, and the document that answers it.
    async fn asks(&self, at: &Address, kind: &str, more: Value) -> String {
        let answer = self.webhook(&at.path, &event(kind, more), &at.credentials).await;
        assert_eq!(answer.status, StatusCode::OK, "{kind}");
        assert_eq!(answer.headers["content-type"], "application/xml; charset=utf-8");
        String::from_utf8(answer.body).unwrap()
    }

    /// News, which nothing answers.
    async fn tells(&self, at: &Address, kind: &str, more: Value) {
        let answer = self.webhook(&at.path, &event(kind, more), &at.credentials).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0), "{kind}");
    }

    /// The buyer calls; the document that answers.
    async fn call(&self, id: &str) -> String {
        let at = Address { path: "/hooks/bandwidth/call".into(), credentials: applications() };
        let more = json!({
            "from": self.person(0), "to": self.session.dials[0].expose(), "direction": "inbound",
            "callId": id,
        });
        let bxml = self.asks(&at, "initiate", more).await;
        assert!(!bxml.contains(self.person(0)), "I17: {bxml}");
        bxml
    }

    /// The seller answers; what they hear.
    async fn answered(&self, bxml: &str) -> String {
        let at = self.address(bxml, "PhoneNumber", "transferAnswerUrl");
        self.asks(&at, "transferAnswer", json!({ "callId": RUNG, "answerTime": ANSWERED })).await
    }

    fn address(&self, bxml: &str, verb: &str, attribute: &str) -> Address {
        address(&self.world, bxml, verb, attribute)
    }
}

/// One of our addresses, and what opens it.
pub(crate) struct Address {
    pub(crate) path: String,
    pub(crate) credentials: Credentials,
}

/// The address in that attribute of a verb, with the credentials that stand beside it.
pub(crate) fn address(world: &World, bxml: &str, verb: &str, attribute: &str) -> Address {
    let tag = bxml.split(&format!("<{verb} ")).nth(1).unwrap().split('>').next().unwrap();
    let value = |name: &str| {
        let rest = tag.split(&format!("{name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().replace("&amp;", "&")
    };
    let url = value(attribute);
    let path = url.strip_prefix(&world.running.origin).unwrap().to_owned();
    Address { path, credentials: (value("username"), value("password")) }
}

pub(crate) fn event(kind: &str, more: Value) -> Value {
    let mut event = json!({
        "eventType": kind, "eventTime": OVER, "accountId": "9900000", "startTime": OVER,
    });
    let Value::Object(more) = more else { panic!("{kind}: no fields") };
    event.as_object_mut().unwrap().extend(more);
    event
}

/// A text goes out once, from the number that its recipient holds, until its session ends; its receipt
/// comes back by the tag that it was sent with.
#[tokio::test]
async fn a_text_is_relayed_over_bandwidth() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let proxy = stage.session.dials[0].expose();
        let received = json!([{ "type": "message-received", "to": proxy, "message": {
            "id": "14762070468292kw2fuqty55yp2b2", "direction": "in", "owner": proxy, "to": [proxy],
            "from": stage.person(0), "text": "Is it still there?", "segmentCount": 1,
        } }]);
        for _ in 0..2 {
            let answer =
                stage.webhook("/hooks/bandwidth/message", &received, &applications()).await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0));
        }
        stage.world.running.jobs.idle().await;
        // A duplicate webhook sends nothing.
        let text = stage.only_asked("POST /api/v2/users/9900000/messages");
        assert_eq!(text["to"], json!([stage.person(1)]));
        assert_eq!(text["from"], stage.session.dials[1].expose());
        assert_eq!(text["text"], "Is it still there?");
        assert!(text["expiration"].as_str().unwrap().ends_with('Z'), "{text}");
        assert!(!text.to_string().contains(stage.person(0)), "I17: {text}");
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Relayed));
        let receipt = json!([{ "type": "message-delivered", "to": stage.person(1), "message": {
            "id": "14762070468292kw2fuqty55yp0001", "direction": "out", "tag": text["tag"],
            "to": [stage.person(1)], "from": stage.session.dials[1].expose(), "text": "",
        } }]);
        stage.webhook("/hooks/bandwidth/status", &receipt, &applications()).await;
        assert_eq!(stage.progress().await, "delivered");
        stage.0.end(database).await;
    }
}

/// A call is answered with a document that dials the other side as the proxy number, in number and in
/// name; who answers is asked for a key first, and how long they spoke is known in the end, though the
/// carrier says so last.
#[tokio::test]
async fn a_call_is_bridged_by_bxml() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let bxml = stage.call(CALL).await;
        let proxy = stage.session.dials[1].expose();
        let shown = format!("transferCallerId=\"{proxy}\" transferCallerDisplayName=\"{proxy}\"");
        assert!(bxml.contains(&shown), "{bxml}");
        assert!(bxml.contains(&format!(">{}</PhoneNumber>", stage.person(1))), "{bxml}");
        let question = stage.answered(&bxml).await;
        assert!(question.contains("maxDigits=\"1\""), "{question}");
        let keys = stage.address(&question, "Gather", "gatherUrl");
        let pressed = json!({ "callId": RUNG, "digits": "1", "terminatingDigit": "" });
        assert!(stage.asks(&keys, "gather", pressed).await.ends_with("<Response/>"));
        let next = stage.address(&bxml, "Transfer", "transferCompleteUrl");
        let ended = json!({ "callId": CALL, "cause": "hangup", "answerTime": ANSWERED });
        assert!(stage.asks(&next, "transferComplete", ended).await.contains("<Hangup/>"));
        let log = stage.only().await;
        assert_eq!((log.outcome, log.duration), (Some(Outcome::Connected), None));
        let news = stage.address(&bxml, "PhoneNumber", "transferDisconnectUrl");
        let over = json!({
            "callId": RUNG, "cause": "hangup", "answerTime": ANSWERED, "endTime": OVER,
        });
        stage.tells(&news, "transferDisconnect", over).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        stage.0.end(database).await;
    }
}

/// A caller who hangs up first was connected all the same: nothing asks what comes next, and the news of
/// both legs may come in any order.
#[tokio::test]
async fn a_caller_who_hangs_up_was_connected() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let bxml = stage.call(CALL).await;
        assert!(stage.answered(&bxml).await.ends_with("<Response/>"), "nothing is asked");
        let status =
            Address { path: "/hooks/bandwidth/status".into(), credentials: applications() };
        let gone = json!({
            "callId": CALL, "direction": "inbound", "cause": "hangup", "answerTime": ANSWERED,
            "endTime": OVER,
        });
        stage.tells(&status, "disconnect", gone).await;
        let news = stage.address(&bxml, "PhoneNumber", "transferDisconnectUrl");
        let over = json!({
            "callId": RUNG, "cause": "hangup", "answerTime": ANSWERED, "endTime": OVER,
        });
        stage.tells(&news, "transferDisconnect", over).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        stage.0.end(database).await;
    }
}

/// I3: whoever presses another key is hung up on, and so is whoever answers when the session is closed;
/// the password of one leg opens no address of another.
#[tokio::test]
async fn i3_who_is_turned_away_over_bandwidth_is_hung_up_on() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let bxml = stage.call(CALL).await;
        let question = stage.answered(&bxml).await;
        let keys = stage.address(&question, "Gather", "gatherUrl");
        let next = stage.address(&bxml, "Transfer", "transferCompleteUrl");
        let forged = event("gather", json!({ "callId": RUNG, "digits": "1" }));
        let refused = stage.webhook(&keys.path, &forged, &next.credentials).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        let pressed = json!({ "callId": RUNG, "digits": "2", "terminatingDigit": "" });
        assert!(stage.asks(&keys, "gather", pressed).await.contains("<Hangup/>"));
        let ended = json!({ "callId": CALL, "cause": "hangup" });
        stage.asks(&next, "transferComplete", ended).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Missed));
        assert_eq!(log.reason, Some(Reason::NotAccepted));
        stage.market.close(&stage.session.id).await.unwrap();
        assert!(stage.answered(&bxml).await.contains("<Hangup/>"));
        stage.0.end(database).await;
    }
}

/// Bandwidth can't be told how long a call may last: once it has lasted so long, whoever answered is
/// hung up on, once; a call that is over by then is left alone.
#[tokio::test]
async fn the_longest_call_over_bandwidth_is_ended() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let longest = Rules::new("Bikes".into()).call_max;
        for (id, over_before) in [("c-1", true), (CALL, false)] {
            let bxml = stage.call(id).await;
            stage.answered(&bxml).await;
            if over_before {
                let news = stage.address(&bxml, "PhoneNumber", "transferDisconnectUrl");
                let over = json!({ "callId": RUNG, "cause": "hangup", "answerTime": ANSWERED });
                stage.tells(&news, "transferDisconnect", over).await;
            }
            stage.world.clock.advance(i64::try_from(longest.as_millis()).unwrap() - 5_000);
            stage.world.running.jobs.idle().await;
            assert!(stage.asked().is_empty(), "too early");
            let mut asked = Vec::new();
            for _ in 0..3 {
                stage.world.clock.advance(10_000);
                stage.world.running.jobs.idle().await;
                asked.extend(stage.asked());
            }
            if over_before {
                assert!(asked.is_empty(), "{asked:?}");
                continue;
            }
            let [one] = &asked[..] else { panic!("{asked:?}") };
            assert_eq!(one.line, format!("POST /api/v2/accounts/9900000/calls/{RUNG}"));
            assert_eq!(one.json(), json!({ "state": "completed" }));
        }
        stage.0.end(database).await;
    }
}
