//! Texts and calls over Infobip: webhooks with a password in, commands and texts out.

use std::ops::Deref;

use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::domain::{
    interaction::{Outcome, Reason},
    policy::Rules,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    dialect::{Dialect, Scene, fixtures},
    support::{self, Answered, Database, World},
};

const FIXTURES: &str = include_str!("../../fixtures/infobip/carrier.toml");
const CALL: &str = "d8d84155-3831-43fb-91c9-bb897149a79d";
const CHILD: &str = "3ad8805e-d401-424e-9b03-e02a2016a5e2";

fn values() -> toml::Table {
    fixtures(FIXTURES)
}

/// Posts a webhook as Infobip does, which is answered with nothing.
async fn webhook(world: &World, hook: &str, body: &Value) -> Answered {
    let answer = post(world, hook, body).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    answer
}

async fn post(world: &World, hook: &str, body: &Value) -> Answered {
    let values = values();
    let word = |key: &str| values[key].as_str().unwrap();
    let secret = format!("{}:{}", word("webhook_username"), word("webhook_password"));
    let request = http::Request::post(format!("/hooks/infobip/{hook}"))
        .header("host", world.running.address.to_string())
        .header("content-type", "application/json")
        .header("authorization", format!("Basic {}", STANDARD.encode(secret)))
        .body(http_body_util::Full::new(Bytes::from(body.to_string())));
    support::request(world.running.address, request.unwrap()).await
}

/// How Infobip speaks.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "infobip",
    settings: values,
    text: |world, came| {
        Box::pin(async move {
            let (from, to) = came.bare();
            let text = json!({ "results": [{
                "messageId": format!("817790313235{:06}", came.id), "from": from, "to": to,
                "text": came.words, "receivedAt": "2026-11-22T10:00:00.000+0000",
            }] });
            webhook(world, "message", &text).await
        })
    },
    call: |world, came| {
        Box::pin(async move {
            let (from, to) = came.bare();
            let call = json!({ "direction": "INBOUND", "from": from, "to": to, "customData": {} });
            let event = json!({
                "type": "CALL_RECEIVED", "callId": CALL, "properties": { "call": call },
                "callsConfigurationId": values()["calls_configuration_id"].as_str(),
            });
            webhook(world, "call", &event).await
        })
    },
    answer: |asked| {
        let id = asked.json()["messages"][0]["destinations"][0]["messageId"].clone();
        let status = json!({ "groupName": "PENDING", "name": "PENDING_ACCEPTED" });
        let taken = json!({ "id": CHILD, "messages": [{ "messageId": id, "status": status }] });
        (StatusCode::OK, taken.to_string())
    },
    sent: |asked| {
        let text = asked.json()["messages"][0].clone();
        let number = |number: &Value| format!("+{}", number.as_str().unwrap());
        [
            number(&text["sender"]),
            number(&text["destinations"][0]["to"]),
            text["content"]["text"].as_str().unwrap().to_owned(),
        ]
    },
    rings: |_, asked| {
        let dialog = asked.iter().find(|one| one.line == "POST /calls/1/dialogs").unwrap().json();
        let child = &dialog["childCallRequest"];
        [&child["from"], &child["endpoint"]["phoneNumber"]]
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

    async fn webhook(&self, hook: &str, body: &Value) -> Answered {
        webhook(&self.world, hook, body).await
    }

    /// News of a call: what it shows of itself, with the custom data that a command gave it.
    async fn news(&self, kind: &str, call: &str, shown: Value, data: &Value) {
        let mut shown = shown;
        shown["customData"] = data.clone();
        let over = matches!(kind, "CALL_FINISHED" | "CALL_FAILED");
        let properties = match kind.starts_with("CALL_") {
            true if over => json!({ "callLog": shown }),
            true => json!({ "call": shown }),
            false => shown,
        };
        let event = json!({
            "type": kind, "callId": call, "properties": properties,
            "callsConfigurationId": values()["calls_configuration_id"].as_str(),
        });
        self.webhook("call", &event).await;
    }

    /// The buyer calls.
    async fn call(&self) {
        let (caller, dialled) = self.bare(0);
        let shown = json!({ "direction": "INBOUND", "from": caller, "to": dialled });
        self.news("CALL_RECEIVED", CALL, shown, &json!({})).await;
    }

    /// The buyer calls a seller who is asked first; what is kept with the seller's call.
    async fn screened(&self) -> Value {
        self.call().await;
        let asked = self.asked();
        let lines: Vec<&str> = asked.iter().map(|one| one.line.as_str()).collect();
        let ringing = format!("POST /calls/1/calls/{CALL}/send-ringing");
        assert_eq!(lines, [ringing.as_str(), "POST /calls/1/calls"]);
        let child = asked[1].json();
        let (caller, _) = self.bare(0);
        assert!(!child.to_string().contains(&caller), "I17: {child}");
        assert_eq!(child["endpoint"]["phoneNumber"], json!(self.bare(1).0));
        child["customData"].clone()
    }
}

fn press_one() -> Rules {
    Rules { press_one: true, ..Rules::new("Bikes".into()) }
}

/// A text goes out once, from the number that its recipient holds, and its receipt comes back by what was
/// written on it, in a webhook that tells of others too.
#[tokio::test]
async fn a_text_is_relayed_over_infobip() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let ((writer, dialled), (reader, shown)) = (stage.bare(0), stage.bare(1));
        let text = json!({ "results": [{
            "messageId": "817790313235066447", "from": writer, "to": dialled,
            "text": "Is it still there?", "receivedAt": "2026-11-22T10:00:00.000+0000",
        }] });
        for _ in 0..2 {
            stage.webhook("message", &text).await;
        }
        stage.world.running.jobs.idle().await;
        let sent = stage.only_asked("POST /sms/3/messages")["messages"][0].clone();
        assert_eq!(
            (&sent["sender"], &sent["destinations"][0]["to"]),
            (&json!(shown), &json!(reader))
        );
        assert_eq!(sent["content"]["text"], "Is it still there?");
        assert!(!sent.to_string().contains(&writer), "I17: {sent}");
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Relayed));
        let receipt = |id: &Value, data: &Value| {
            json!({
                "messageId": id, "to": reader, "sender": shown, "callbackData": data,
                "status": { "groupName": "DELIVERED", "id": 5 }, "error": { "name": "NO_ERROR" },
            })
        };
        let other = receipt(&json!("12db39c3-7822-4e72-a3ec-c87442c0ffc5"), &Value::Null);
        let ours =
            receipt(&sent["destinations"][0]["messageId"], &sent["webhooks"]["callbackData"]);
        stage.webhook("status", &json!({ "results": [other, ours] })).await;
        assert_eq!(stage.progress().await, "delivered");
        stage.0.end(database).await;
    }
}

/// A call that came in is put through by one command that dials the other side as the proxy number, and
/// the end of that side's call ends it in the log and for the caller.
#[tokio::test]
async fn a_call_is_bridged_over_infobip() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let ((caller, _), (callee, shown)) = (stage.bare(0), stage.bare(1));
        stage.call().await;
        let dialog = stage.only_asked("POST /calls/1/dialogs");
        let child = &dialog["childCallRequest"];
        assert_eq!(dialog["parentCallId"], CALL);
        assert_eq!(child["from"], json!(shown));
        assert_eq!(child["endpoint"], json!({ "type": "PHONE", "phoneNumber": callee }));
        assert!(!dialog.to_string().contains(&caller), "I17: {dialog}");
        let data = &child["customData"];
        for kind in ["CALL_STARTED", "CALL_RINGING", "CALL_ESTABLISHED"] {
            stage.news(kind, CHILD, json!({ "direction": "OUTBOUND" }), data).await;
        }
        assert!(stage.asked().is_empty());
        let log =
            json!({ "state": "FINISHED", "answerTime": "2026-11-22T10:00:00Z", "duration": 42 });
        stage.news("CALL_FINISHED", CHILD, log, data).await;
        stage.only_asked(&format!("POST /calls/1/calls/{CALL}/hangup"));
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        stage.0.end(database).await;
    }
}

/// Whoever answers is asked to press 1; with it the caller's call is answered, and then the two are
/// connected.
#[tokio::test]
async fn one_accepts_over_infobip() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let data = stage.screened().await;
        stage.news("CALL_ESTABLISHED", CHILD, json!({ "direction": "OUTBOUND" }), &data).await;
        let asked = stage.only_asked(&format!("POST /calls/1/calls/{CHILD}/capture/dtmf"));
        stage.news("DTMF_CAPTURED", CHILD, json!({ "dtmf": "1" }), &asked["customData"]).await;
        let kept = stage.only_asked(&format!("POST /calls/1/calls/{CALL}/answer"));
        let shown = json!({ "direction": "INBOUND" });
        stage.news("CALL_ESTABLISHED", CALL, shown, &kept["customData"]).await;
        stage.only_asked(&format!("POST /calls/1/dialogs/parent-call/{CALL}/child-call/{CHILD}"));
        let log = json!({
            "state": "FINISHED", "answerTime": "2026-11-22T10:00:00Z", "duration": 9,
            "dialogId": "034e622a-cc7e-456d-8a10-0ba43b11aa5e",
        });
        stage.news("CALL_FINISHED", CHILD, log, &asked["customData"]).await;
        assert_eq!(stage.only().await.outcome, Some(Outcome::Connected));
        stage.0.end(database).await;
    }
}

/// I3: whoever presses another key is hung up; so is whoever agrees when the session is closed, also at
/// the last moment.
#[tokio::test]
async fn i3_who_is_turned_away_over_infobip_is_hung_up() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let data = stage.screened().await;
        let hung_up = format!("POST /calls/1/calls/{CHILD}/hangup");
        stage.news("CALL_ESTABLISHED", CHILD, json!({ "direction": "OUTBOUND" }), &data).await;
        let asked = stage.only_asked(&format!("POST /calls/1/calls/{CHILD}/capture/dtmf"));
        let kept = &asked["customData"];
        stage.news("DTMF_CAPTURED", CHILD, json!({ "dtmf": "1" }), kept).await;
        let caller = stage.only_asked(&format!("POST /calls/1/calls/{CALL}/answer"));
        stage.market.close(&stage.session.id).await.unwrap();
        let shown = json!({ "direction": "INBOUND" });
        stage.news("CALL_ESTABLISHED", CALL, shown, &caller["customData"]).await;
        stage.only_asked(&hung_up);
        stage.news("DTMF_CAPTURED", CHILD, json!({ "dtmf": "1" }), kept).await;
        stage.only_asked(&hung_up);
        stage.0.end(database).await;
    }
}

/// Who presses no key is hung up, and the caller learns that nobody was reached.
#[tokio::test]
async fn a_call_that_nobody_accepts_over_infobip() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let data = stage.screened().await;
        stage.news("CALL_ESTABLISHED", CHILD, json!({ "direction": "OUTBOUND" }), &data).await;
        let asked = stage.only_asked(&format!("POST /calls/1/calls/{CHILD}/capture/dtmf"));
        stage.news("DTMF_CAPTURED", CHILD, json!({ "timeout": true }), &asked["customData"]).await;
        stage.only_asked(&format!("POST /calls/1/calls/{CHILD}/hangup"));
        let log =
            json!({ "state": "FINISHED", "answerTime": "2026-11-22T10:00:00Z", "duration": 9 });
        stage.news("CALL_FINISHED", CHILD, log, &asked["customData"]).await;
        stage.only_asked(&format!("POST /calls/1/calls/{CALL}/hangup"));
        let log = stage.only().await;
        assert_eq!((log.outcome, log.reason), (Some(Outcome::Missed), Some(Reason::NotAccepted)));
        stage.0.end(database).await;
    }
}

/// A caller who gives up while somebody is still rung is connected with nobody: whoever answers then is
/// hung up, unasked.
#[tokio::test]
async fn who_answers_too_late_over_infobip_is_hung_up() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let data = stage.screened().await;
        stage.news("CALL_FAILED", CALL, json!({ "state": "CANCELLED" }), &json!({})).await;
        assert!(stage.asked().is_empty());
        stage.news("CALL_ESTABLISHED", CHILD, json!({ "direction": "OUTBOUND" }), &data).await;
        stage.only_asked(&format!("POST /calls/1/calls/{CHILD}/hangup"));
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Cancelled));
        assert_eq!(log.reason, Some(Reason::CallerHungUp));
        stage.0.end(database).await;
    }
}

/// A caller who gives up stops the ringing of somebody who is screened, once Infobip has told that it rings; an
/// event that comes again rings nobody twice.
#[tokio::test]
async fn a_phone_stops_ringing_over_infobip() {
    for database in support::databases().await {
        let stage = Stage::open(&database, press_one()).await;
        let data = stage.screened().await;
        stage.news("CALL_STARTED", CHILD, json!({ "direction": "OUTBOUND" }), &data).await;
        stage.call().await;
        assert!(stage.asked().is_empty());
        stage.news("CALL_FAILED", CALL, json!({ "state": "CANCELLED" }), &json!({})).await;
        stage.world.running.jobs.idle().await;
        stage.only_asked(&format!("POST /calls/1/calls/{CHILD}/hangup"));
        assert_eq!(stage.only().await.outcome, Some(Outcome::Cancelled));
        stage.0.end(database).await;
    }
}

/// A call that the marketplace asks for rings one side, and once they answer the other, with a tone.
#[tokio::test]
async fn a_call_is_placed_over_infobip() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        stage.place_call().await;
        let first = stage.only_asked("POST /calls/1/calls");
        let is_buyer = first["endpoint"]["phoneNumber"] == json!(stage.bare(0).0);
        let (one, other) = if is_buyer { (0, 1) } else { (1, 0) };
        let ((caller, seen), (callee, _)) = (stage.bare(one), stage.bare(other));
        assert_eq!(first["endpoint"]["phoneNumber"], json!(caller));
        assert_eq!(first["from"], json!(seen));
        let shown = json!({ "direction": "OUTBOUND" });
        stage.news("CALL_ESTABLISHED", CHILD, shown, &first["customData"]).await;
        let dialog = stage.only_asked("POST /calls/1/dialogs");
        assert_eq!(dialog["parentCallId"], CHILD);
        assert_eq!(dialog["childCallRequest"]["endpoint"]["phoneNumber"], json!(callee));
        assert_eq!(dialog["propagationOptions"]["ringbackGeneration"], json!({ "enabled": true }));
        stage.0.end(database).await;
    }
}

/// Nothing tells Infobip that it has had a request: an event is told again only where it surely had none of
/// the event's, since somebody may be rung twice.
#[tokio::test]
async fn only_what_was_surely_not_done_is_done_again() {
    static NOT_TAKEN: Dialect =
        Dialect { answer: |_| (StatusCode::TOO_MANY_REQUESTS, String::new()), ..DIALECT };
    static LOST: Dialect =
        Dialect { answer: |_| (StatusCode::BAD_GATEWAY, String::new()), ..DIALECT };
    static HALF: Dialect = Dialect {
        answer: |asked| match asked.place {
            1 => (DIALECT.answer)(asked),
            _ => (StatusCode::TOO_MANY_REQUESTS, String::new()),
        },
        ..DIALECT
    };
    for (dialect, status, requests) in [
        (&NOT_TAKEN, StatusCode::SERVICE_UNAVAILABLE, 1),
        (&LOST, StatusCode::OK, 2),
        (&HALF, StatusCode::OK, 2),
    ] {
        for database in support::databases().await {
            let stage = Stage(Scene::open(dialect, &database, press_one()).await);
            let (caller, dialled) = stage.bare(0);
            let shown = json!({
                "direction": "INBOUND", "from": caller, "to": dialled, "customData": {},
            });
            let event = json!({
                "type": "CALL_RECEIVED", "callId": CALL, "properties": { "call": shown },
                "callsConfigurationId": values()["calls_configuration_id"].as_str(),
            });
            let answer = post(&stage.world, "call", &event).await;
            assert_eq!((answer.status, stage.asked().len()), (status, requests));
            stage.0.end(database).await;
        }
    }
}
