//! Texts and calls over `SignalWire`: signed forms in, cXML and REST requests out.

use std::ops::Deref;

use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::{
    domain::{
        interaction::{Outcome, Reason},
        policy::Rules,
    },
    ids,
};
use http::StatusCode;
use ring::hmac;
use serde_json::json;

use crate::{
    dialect::{Dialect, Scene, between, fixtures},
    fake,
    support::{self, Answered, Database, World},
    voicemail::{Way, a_message_is_left, path_in, text, with_recording},
};

const FIXTURES: &str = include_str!("../../fixtures/signalwire/carrier.toml");
const CALL: &str = "b5d63b2e-f75b-4dc8-b6d4-269b635f96c0";
/// The call that a dialect's first is.
pub(crate) const CALLS: &str = "b5d63b2e-f75b-4dc8-b6d4-000000000001";
const RECORDING: &str = "3b2d1c8e-8f2a-4a53-8a31-0d9c8a6f7e10";
pub(crate) const RUNG: &str = "0a059168-ead0-41af-9d1f-343dae832527";

fn values() -> toml::Table {
    fixtures(FIXTURES)
}

/// What signs the text, by the project's key.
fn tag(signed: &str) -> hmac::Tag {
    let settings = values();
    let key = settings["signing_key"].as_str().unwrap().as_bytes();
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), signed.as_bytes())
}

async fn post(world: &World, path: &str, kind: &str, signature: String, body: String) -> Answered {
    let request = http::Request::post(path)
        .header("host", world.running.address.to_string())
        .header("content-type", kind)
        .header("x-signalwire-signature", signature)
        .body(http_body_util::Full::new(Bytes::from(body)));
    support::request(world.running.address, request.unwrap()).await
}

/// Posts a form as `SignalWire` does, to one of our addresses.
pub(crate) async fn webhook(world: &World, path: &str, fields: &[(&str, &str)]) -> Answered {
    let mut sorted = fields.to_vec();
    sorted.sort_by_key(|(name, _)| *name);
    let parameters: String = sorted.iter().flat_map(|(name, value)| [*name, value]).collect();
    let tag = tag(&format!("{}{path}{parameters}", world.running.origin));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let kind = "application/x-www-form-urlencoded";
    post(world, path, kind, STANDARD.encode(tag), body).await
}

/// How `SignalWire` speaks.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "signalwire",
    settings: values,
    text: |world, came| {
        Box::pin(async move {
            let id = format!("b3877c40-da60-4998-90ad-{:012}", came.id);
            let text = [("MessageSid", &*id), ("NumMedia", "0"), ("Body", came.words)];
            let fields = [&text[..], &[("From", came.from), ("To", came.to)]].concat();
            webhook(world, "/hooks/signalwire/message", &fields).await
        })
    },
    call: |world, came| {
        Box::pin(async move {
            let id = format!("b5d63b2e-f75b-4dc8-b6d4-{:012}", came.id);
            let call = [("CallSid", &*id), ("CallStatus", "ringing"), ("Direction", "inbound")];
            let fields = [&call[..], &[("From", came.from), ("To", came.to)]].concat();
            webhook(world, "/hooks/signalwire/call", &fields).await
        })
    },
    answer: |asked| {
        let id = format!("00000000-0000-4000-8000-{:012}", asked.place);
        (StatusCode::CREATED, json!({ "sid": id, "status": "queued" }).to_string())
    },
    sent: |asked| ["From", "To", "Body"].map(|name| asked.field(name)),
    rings: |cxml, _| {
        let callee = between(cxml, "<Number ", "/Number>");
        [between(cxml, "callerId=\"", "\""), between(callee, ">", "<")].map(str::to_owned)
    },
};

/// How `SignalWire` records, fetches and deletes.
static VOICEMAIL: Way = Way {
    dialect: Dialect { answer: |asked| with_recording(asked, DIALECT.answer), ..DIALECT },
    unanswered: |scene, cxml| {
        Box::pin(async move {
            let path = fake::action(&scene.world, cxml);
            let fields = [
                ("CallSid", CALLS),
                ("CallStatus", "in-progress"),
                ("DialCallStatus", "no-answer"),
            ];
            text(webhook(&scene.world, &path, &fields).await)
        })
    },
    recorded: |scene, cxml, _| {
        Box::pin(async move {
            let path = path_in(scene, cxml, "recordingStatusCallback=\"");
            let project = values()["project_id"].as_str().unwrap().to_owned();
            let recordings = format!("/api/laml/2010-04-01/Accounts/{project}/Recordings");
            let url = format!("{}{recordings}/{RECORDING}", scene.api());
            let fields = [
                ("CallSid", CALLS),
                ("RecordingSid", RECORDING),
                ("RecordingStatus", "completed"),
                ("RecordingUrl", &*url),
                ("RecordingDuration", "12"),
            ];
            webhook(&scene.world, &path, &fields).await
        })
    },
    deleted: Some("/Recordings/3b2d1c8e-8f2a-4a53-8a31-0d9c8a6f7e10"),
    open: false,
};

/// A message is left behind the project's credentials.
#[tokio::test]
async fn a_message_is_left_over_signalwire() {
    Box::pin(a_message_is_left(&VOICEMAIL)).await;
}

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

    /// A question about a call, and the document that answers it.
    async fn asks(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = webhook(&self.world, path, fields).await;
        assert_eq!(answer.status, StatusCode::OK);
        String::from_utf8(answer.body).unwrap()
    }

    /// The buyer calls; the document that dials the other side.
    async fn call(&self) -> String {
        let call = [
            ("CallSid", CALL),
            ("From", self.person(0)),
            ("To", self.session.dials[0].expose()),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
        ];
        let cxml = self.asks("/hooks/signalwire/call", &call).await;
        assert!(!cxml.contains(self.person(0)), "I17: {cxml}");
        cxml
    }

    /// One of our addresses in a document.
    fn path_in(&self, cxml: &str, attribute: &str) -> String {
        self.path(&between(cxml, &format!(" {attribute}=\""), "\"").replace("&amp;", "&"))
    }

    /// The dialling is over.
    async fn dialled(&self, cxml: &str, state: &str, seconds: &str) {
        let ended = [
            ("CallSid", CALL),
            ("CallStatus", "in-progress"),
            ("DialCallStatus", state),
            ("DialCallSid", RUNG),
            ("DialCallDuration", seconds),
        ];
        self.asks(&self.path_in(cxml, "action"), &ended).await;
    }
}

/// A text goes out once, from the number that its recipient holds, and its receipt comes back, signed as
/// JSON.
#[tokio::test]
async fn a_text_is_relayed_by_the_compatibility_api() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        for _ in 0..2 {
            let text = [
                ("MessageSid", "b3877c40-da60-4998-90ad-b792e98472a1"),
                ("From", stage.person(0)),
                ("To", stage.session.dials[0].expose()),
                ("Body", "Is it still there? ☃"),
            ];
            stage.asks("/hooks/signalwire/message", &text).await;
        }
        stage.world.running.jobs.idle().await;
        let asked = stage.asked();
        let [one] = &asked[..] else { panic!("a duplicate webhook sends nothing: {asked:?}") };
        let project = values()["project_id"].as_str().unwrap().to_owned();
        assert_eq!(one.line, format!("POST /api/laml/2010-04-01/Accounts/{project}/Messages"));
        let expected = [stage.session.dials[1].expose(), stage.person(1), "Is it still there? ☃"];
        assert_eq!((DIALECT.sent)(one), expected);
        assert_eq!(stage.only().await.outcome, Some(Outcome::Relayed));
        let address = one.field("StatusCallback");
        let receipt = json!({
            "MessageSid": "00000000-0000-4000-8000-000000000001", "MessageStatus": "delivered",
            "To": stage.person(1), "NumMedia": 0,
        });
        let body = receipt.to_string();
        let signature = ids::hex(tag(&format!("{address}{body}")).as_ref());
        let path = stage.path(&address);
        let answer = post(&stage.world, &path, "application/json", signature, body).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(stage.progress().await, "delivered");
        stage.0.end(database).await;
    }
}

/// A call is answered with a document that dials the other side as the proxy number, in number and in
/// name; who answers is asked for a key first, and the end comes back to the log.
#[tokio::test]
async fn a_call_is_bridged_by_cxml() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let cxml = stage.call().await;
        let proxy = stage.session.dials[1].expose();
        let shown = format!("callerId=\"{proxy}\" callerName=\"{}\"", &proxy[1..]);
        assert!(cxml.contains(&shown), "{cxml}");
        assert!(cxml.contains(&format!(">{}</Number>", stage.person(1))), "{cxml}");
        let leg = [("CallSid", RUNG), ("From", proxy), ("To", stage.person(1))];
        let whisper = stage.asks(&stage.path_in(&cxml, "url"), &leg).await;
        assert!(whisper.contains("numDigits=\"1\""), "{whisper}");
        let pressed = [("CallSid", RUNG), ("Digits", "1")];
        let accepted = stage.asks(&stage.path_in(&whisper, "action"), &pressed).await;
        assert!(accepted.ends_with("<Response/>"), "{accepted}");
        stage.dialled(&cxml, "completed", "42").await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        stage.0.end(database).await;
    }
}

/// `SignalWire` does not say that nobody was connected: a call that nobody accepted counts as such because
/// we ask to be told that no key came.
#[tokio::test]
async fn a_call_over_signalwire_that_nobody_accepts_is_not_connected() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let cxml = stage.call().await;
        let whisper = stage.asks(&stage.path_in(&cxml, "url"), &[("CallSid", RUNG)]).await;
        assert!(whisper.contains("actionOnEmptyResult=\"true\""), "{whisper}");
        let none = [("CallSid", RUNG), ("Digits", "")];
        let refused = stage.asks(&stage.path_in(&whisper, "action"), &none).await;
        assert!(refused.contains("<Hangup/>"), "{refused}");
        stage.dialled(&cxml, "completed", "12").await;
        let log = stage.only().await;
        assert_ne!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.reason, Some(Reason::NotAccepted));
        stage.0.end(database).await;
    }
}
