//! Texts and calls over Telnyx: JSON and forms signed with Ed25519 in, `TeXML` and REST requests out.

use std::ops::Deref;

use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::domain::{interaction::Outcome, interaction::Reason, policy::Rules};
use http::StatusCode;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;

use crate::{
    dialect::{Dialect, Scene, between},
    support::{self, Answered, Database, World},
};

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

pub(crate) fn values() -> toml::Table {
    let values = [
        ("api_key", "KEY0123"),
        ("public_key", &STANDARD.encode(key().public_key())),
        ("account_sid", "f5586561-8ff0-4291-a51b-c7dfe4139ff9"),
        ("application_id", "1494404757140276705"),
        ("messaging_profile_id", "16fd2706-8baf-433b-82eb-8c7fada847da"),
    ];
    values.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// Posts a webhook as Telnyx does, to one of our addresses.
pub(crate) async fn webhook(world: &World, path: &str, body: String) -> Answered {
    let at = world.clock.now().millis() / 1000;
    let tag = STANDARD.encode(key().sign(format!("{at}|{body}").as_bytes()));
    let request = http::Request::post(path)
        .header("host", world.running.address.to_string())
        .header("telnyx-signature-ed25519", tag)
        .header("telnyx-timestamp", at.to_string())
        .body(http_body_util::Full::new(Bytes::from(body)));
    support::request(world.running.address, request.unwrap()).await
}

pub(crate) fn received(id: &str, from: &str, to: &str, words: &str) -> String {
    json!({ "data": { "event_type": "message.received", "payload": {
        "id": id, "direction": "inbound", "type": "SMS", "from": { "phone_number": from },
        "media": [], "cc": [], "to": [{ "phone_number": to }], "text": words,
    } } })
    .to_string()
}

/// How Telnyx speaks.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "telnyx",
    settings: values,
    text: |world, came| {
        Box::pin(async move {
            let id = format!("7ee4241c-f127-47e5-9c34-{:012}", came.id);
            let body = received(&id, came.from, came.to, came.words);
            webhook(world, "/hooks/telnyx/message", body).await
        })
    },
    call: |world, came| {
        Box::pin(async move {
            let id = format!("v3:call-{:019}", came.id);
            let fields = [("CallSid", &*id), ("From", came.from), ("To", came.to)];
            let form =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            webhook(world, "/hooks/telnyx/call", form).await
        })
    },
    answer: |asked| {
        let id = format!("00000000-0000-4000-8000-{:012}", asked.place);
        let answer = json!({ "data": { "id": id, "to": [{ "status": "queued" }] } });
        (StatusCode::OK, answer.to_string())
    },
    sent: |asked| {
        let body = asked.json();
        ["from", "to", "text"].map(|name| body[name].as_str().unwrap().to_owned())
    },
    rings: |texml, _| {
        let callee = between(texml, "<Number ", "/Number>");
        [between(texml, "callerId=\"", "\""), between(callee, ">", "<")].map(str::to_owned)
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

    /// Posts a webhook as Telnyx does, to one of our addresses.
    async fn webhook(&self, path: &str, body: String) -> Answered {
        webhook(&self.world, path, body).await
    }

    /// A question about a call, and the document that answers it.
    async fn asks(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let answer = self.webhook(path, form).await;
        assert_eq!(answer.status, StatusCode::OK);
        String::from_utf8(answer.body).unwrap()
    }
}

/// The path of the address in the first such attribute of a document.
fn path_in(stage: &Stage, texml: &str, attribute: &str) -> String {
    let start = format!(" {attribute}=\"");
    let address = texml.split(&start).nth(1).unwrap().split('"').next().unwrap();
    address.strip_prefix(&stage.world.running.origin).unwrap().replace("&amp;", "&")
}

/// A text goes out once, from the number that its recipient holds, and its receipt comes back to the
/// address that Telnyx was given.
#[tokio::test]
async fn a_text_is_relayed_over_telnyx() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let received = received(
            "7ee4241c-f127-47e5-9c34-3aac291f8058",
            stage.person(0),
            stage.session.dials[0].expose(),
            "Is it still there?",
        );
        for _ in 0..2 {
            let answer = stage.webhook("/hooks/telnyx/message", received.clone()).await;
            assert_eq!(answer.status, StatusCode::OK);
        }
        stage.world.running.jobs.idle().await;
        // A duplicate webhook sends nothing.
        let text = stage.only_asked("POST /v2/messages");
        assert_eq!(text["to"], stage.person(1));
        assert_eq!(text["from"], stage.session.dials[1].expose());
        assert_eq!(text["text"], "Is it still there?");
        assert!(!text.to_string().contains(stage.person(0)), "I17");
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Relayed));
        let address = text["webhook_url"].as_str().unwrap();
        let address = address.strip_prefix(&stage.world.running.origin).unwrap();
        let receipt = json!({ "data": { "event_type": "message.finalized", "payload": {
            "id": "00000000-0000-4000-8000-000000000001", "direction": "outbound",
            "to": [{ "phone_number": stage.person(1), "status": "delivered" }], "errors": [],
        } } });
        stage.webhook(address, receipt.to_string()).await;
        assert_eq!(stage.progress().await, "delivered");
        stage.0.end(database).await;
    }
}

/// A call is answered with a document that dials the other side as the proxy number, in number and
/// in name; who answers is asked for a key first, and the end comes back to the log.
#[tokio::test]
async fn a_call_is_bridged_by_texml() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let (call_sid, leg_sid) = ("v3:call-0000000000000000001", "v3:call-0000000000000000002");
        let inbound = [
            ("CallSid", call_sid),
            ("From", stage.person(0)),
            ("To", stage.session.dials[0].expose()),
            ("CallStatus", "in-progress"),
        ];
        let texml = stage.asks("/hooks/telnyx/call", &inbound).await;
        let proxy = stage.session.dials[1].expose();
        assert!(texml.contains(&format!("callerId=\"{proxy}\" fromDisplayName=\"{proxy}\"")));
        assert!(texml.contains(&format!(">{}</Number>", stage.person(1))), "{texml}");
        assert!(!texml.contains(stage.person(0)), "I17: {texml}");
        let leg = [("CallSid", leg_sid), ("From", proxy), ("To", stage.person(1))];
        let whisper = stage.asks(&path_in(&stage, &texml, "url"), &leg).await;
        assert!(whisper.contains("numDigits=\"1\""), "{whisper}");
        let pressed = [("CallSid", leg_sid), ("Digits", "1")];
        let accepted = stage.asks(&path_in(&stage, &whisper, "action"), &pressed).await;
        assert!(accepted.ends_with("<Response/>"), "{accepted}");
        let ended = [
            ("CallSid", call_sid),
            ("CallStatus", "completed"),
            ("DialCallStatus", "completed"),
            ("DialCallDuration", "42"),
        ];
        stage.asks(&path_in(&stage, &texml, "action"), &ended).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        stage.0.end(database).await;
    }
}

/// Telnyx does not say that nobody was connected: a call that nobody accepted counts as such because
/// the document tells us that no key came.
#[tokio::test]
async fn a_call_that_nobody_accepts_is_not_connected() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let inbound = [
            ("CallSid", "v3:call-0000000000000000001"),
            ("From", stage.person(0)),
            ("To", stage.session.dials[0].expose()),
        ];
        let texml = stage.asks("/hooks/telnyx/call", &inbound).await;
        let leg = [("CallSid", "v3:call-0000000000000000002")];
        let whisper = stage.asks(&path_in(&stage, &texml, "url"), &leg).await;
        let redirect = whisper.split("<Redirect method=\"POST\">").nth(1).unwrap();
        let redirect = redirect.split('<').next().unwrap().replace("&amp;", "&");
        let redirect = redirect.strip_prefix(&stage.world.running.origin).unwrap();
        let refused = stage.asks(redirect, &leg).await;
        assert!(refused.contains("<Hangup/>"), "{refused}");
        let ended = [
            ("CallSid", "v3:call-0000000000000000001"),
            ("DialCallStatus", "completed"),
            ("DialCallDuration", "12"),
        ];
        stage.asks(&path_in(&stage, &texml, "action"), &ended).await;
        let log = stage.only().await;
        assert_ne!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.reason, Some(Reason::NotAccepted));
        stage.0.end(database).await;
    }
}
