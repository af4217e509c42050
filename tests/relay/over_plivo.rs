//! Texts and calls over Plivo: signed forms in, Plivo XML and REST requests out.

use std::ops::Deref;

use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::domain::{interaction::Outcome, interaction::Reason, policy::Rules};
use http::StatusCode;
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    dialect::{Dialect, Scene, between, fixtures},
    support::{self, Answered, Database, World},
};

const FIXTURES: &str = include_str!("../../fixtures/plivo/carrier.toml");
pub(crate) const CALL: &str = "97ceeb52-58b6-11e1-86da-77300b68f8bb";
const RUNG: &str = "2ff27b0e-58b7-11e1-86da-adf28403fe48";

/// Posts a webhook as Plivo does, to one of our addresses.
pub(crate) async fn webhook(world: &World, path: &str, fields: &[(&str, &str)]) -> Answered {
    let settings = fixtures(FIXTURES);
    let token = settings["auth_token"].as_str().unwrap();
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let parameters: String = sorted.iter().flat_map(|(name, value)| [*name, value]).collect();
    let origin = &world.running.origin;
    let mut parts = path.splitn(2, '?');
    let address = parts.next().unwrap();
    let base = match parts.next() {
        Some(query) => {
            let mut query: Vec<&str> = query.split('&').collect();
            query.sort_unstable();
            format!("{origin}{address}?{}.{parameters}", query.join("&"))
        }
        None => format!("{origin}{address}?{parameters}"),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    let tag = STANDARD.encode(hmac::sign(&key, format!("{base}.31415926535").as_bytes()));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = http::Request::post(path)
        .header("host", world.running.address.to_string())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-plivo-signature-v3", tag)
        .header("x-plivo-signature-v3-nonce", "31415926535")
        .body(http_body_util::Full::new(Bytes::from(body)));
    support::request(world.running.address, request.unwrap()).await
}

/// How Plivo speaks.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "plivo",
    settings: || fixtures(FIXTURES),
    text: |world, came| {
        Box::pin(async move {
            let (from, to) = came.bare();
            let id = format!("97ceeb52-58b6-11e1-86da-{:012}", came.id);
            let text = [("MessageUUID", &*id), ("Type", "sms"), ("Text", came.words)];
            let fields = [&text[..], &[("From", from), ("To", to)]].concat();
            webhook(world, "/hooks/plivo/message", &fields).await
        })
    },
    call: |world, came| {
        Box::pin(async move {
            let (from, to) = came.bare();
            let call = [("CallUUID", CALL), ("CallStatus", "ringing"), ("Event", "StartApp")];
            let fields = [&call[..], &[("Direction", "inbound"), ("From", from), ("To", to)]];
            webhook(world, "/hooks/plivo/call", &fields.concat()).await
        })
    },
    answer: |asked| {
        if asked.line.starts_with("DELETE ") {
            return (StatusCode::NO_CONTENT, String::new());
        }
        let id = format!("00000000-0000-4000-8000-{:012}", asked.place);
        (StatusCode::ACCEPTED, json!({ "message_uuid": [id], "api_id": CALL }).to_string())
    },
    sent: |asked| {
        let body = asked.json();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        [format!("+{}", text("src")), format!("+{}", text("dst")), text("text")]
    },
    rings: |xml, _| {
        let callee = between(xml, "<Number", "/Number>");
        [between(xml, "callerId=\"", "\""), between(callee, ">", "<")]
            .map(|number| format!("+{number}"))
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

    async fn webhook(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        webhook(&self.world, path, fields).await
    }

    /// A question about a call, and the document that answers it.
    async fn asks(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.webhook(path, fields).await;
        assert_eq!(answer.status, StatusCode::OK);
        String::from_utf8(answer.body).unwrap()
    }

    /// The buyer calls; the document that dials the other side.
    async fn call(&self) -> String {
        let (from, to) = self.bare(0);
        let call = [
            ("CallUUID", CALL),
            ("From", &*from),
            ("To", &*to),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("Event", "StartApp"),
        ];
        let document = self.asks("/hooks/plivo/call", &call).await;
        assert!(!document.contains(&from), "I17: {document}");
        document
    }

    /// News of the callee's leg, at the address that the document gave.
    async fn news(&self, document: &str, action: &str, more: &[(&str, &str)]) {
        let path = path_in(self, document, "callbackUrl");
        let mut fields = vec![("DialAction", action), ("CallUUID", CALL), ("DialBLegUUID", RUNG)];
        fields.extend(more);
        assert_eq!(self.webhook(&path, &fields).await.status, StatusCode::OK);
    }

    /// The end of the dialling, at the address that the document gave.
    async fn dialled(&self, document: &str, status: &str, leg: &str) -> String {
        let fields = [
            ("CallUUID", CALL),
            ("CallStatus", "in-progress"),
            ("DialStatus", status),
            ("DialBLegUUID", leg),
        ];
        self.asks(&path_in(self, document, "action"), &fields).await
    }
}

/// The path of the address in the first such attribute of a document, as Plivo asks for it: without
/// what follows the `#`.
fn path_in(stage: &Stage, document: &str, attribute: &str) -> String {
    let start = format!(" {attribute}=\"");
    let address = document.split(&start).nth(1).unwrap().split(['"', '#']).next().unwrap();
    address.strip_prefix(&stage.world.running.origin).unwrap().replace("&amp;", "&")
}

/// A text goes out once, from the number that its recipient holds, and its receipt comes back to the
/// address that Plivo was given.
#[tokio::test]
async fn a_text_is_relayed_over_plivo() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let (from, to) = stage.bare(0);
        let text = [
            ("MessageUUID", CALL),
            ("From", &*from),
            ("To", &*to),
            ("Text", "Is it still there?"),
            ("Type", "sms"),
        ];
        for _ in 0..2 {
            let answer = stage.webhook("/hooks/plivo/message", &text).await;
            assert_eq!(answer.status, StatusCode::OK);
        }
        stage.world.running.jobs.idle().await;
        // A duplicate webhook sends nothing.
        let sent = stage.only_asked("POST /v1/Account/MAENTREMISE000000000/Message/");
        let (reader, shown) = stage.bare(1);
        assert_eq!((&sent["dst"], &sent["src"]), (&json!(reader), &json!(shown)));
        assert_eq!(sent["text"], "Is it still there?");
        assert!(!sent.to_string().contains(&from), "I17: {sent}");
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Relayed));
        let address = sent["url"].as_str().unwrap();
        let address = address.strip_prefix(&stage.world.running.origin).unwrap();
        let id = "00000000-0000-4000-8000-000000000001";
        let receipt = [("MessageUUID", id), ("Status", "delivered"), ("ErrorCode", "000")];
        assert_eq!(stage.webhook(address, &receipt).await.status, StatusCode::OK);
        assert_eq!(stage.progress().await, "delivered");
        stage.0.end(database).await;
    }
}

/// A call is answered with a document that dials the other side as the proxy number, in number and in
/// name; who answers hears the question first, and how long the two talked comes back to the log.
#[tokio::test]
async fn a_call_is_bridged_by_plivo_xml() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let document = stage.call().await;
        let (callee, proxy) = stage.bare(1);
        assert!(document.contains(&format!(r#" callerId="{proxy}" callerName="{proxy}""#)));
        assert!(document.contains(&format!("<Number>{callee}</Number>")), "{document}");
        assert!(document.contains(r#" confirmKey="1""#), "{document}");
        let sounds = [("CallUUID", CALL), ("Event", "DialRemoteSounds")];
        let question = stage.asks(&path_in(&stage, &document, "confirmSound"), &sounds).await;
        assert!(question.contains("</Speak>") && !question.contains("Hangup"), "{question}");
        stage.news(&document, "answer", &[]).await;
        stage.news(&document, "connected", &[]).await;
        let over = [("DialBLegDuration", "42"), ("DialBLegHangupCauseCode", "4000")];
        stage.news(&document, "hangup", &over).await;
        let last = stage.dialled(&document, "completed", RUNG).await;
        assert!(last.ends_with("<Hangup/></Response>"), "{last}");
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        assert!(stage.asked().is_empty());
        stage.0.end(database).await;
    }
}

/// Whoever answers and presses no key was not connected, whatever Plivo calls the dialling.
#[tokio::test]
async fn a_call_that_nobody_accepts_over_plivo() {
    for database in support::databases().await {
        let rules = Rules { press_one: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::open(&database, rules).await;
        let document = stage.call().await;
        stage.news(&document, "answer", &[]).await;
        let over = [("DialBLegDuration", "30"), ("DialBLegHangupCauseCode", "9110")];
        stage.news(&document, "hangup", &over).await;
        stage.dialled(&document, "completed", RUNG).await;
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Missed));
        assert_eq!(log.reason, Some(Reason::NotAccepted));
        stage.0.end(database).await;
    }
}

/// A line that is busy is busy once, in whichever order the two tell it.
#[tokio::test]
async fn a_busy_line_over_plivo() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let document = stage.call().await;
        assert!(!document.contains("confirm"), "{document}");
        stage.dialled(&document, "busy", "").await;
        stage.news(&document, "hangup", &[("DialBLegHangupCauseCode", "3010")]).await;
        assert_eq!(stage.only().await.outcome, Some(Outcome::Busy));
        stage.0.end(database).await;
    }
}

/// I3: whoever answers when the session is closed is not connected: the call is ended by a request.
#[tokio::test]
async fn i3_who_answers_too_late_over_plivo_is_hung_up() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        let document = stage.call().await;
        stage.market.close(&stage.session.id).await.unwrap();
        stage.news(&document, "answer", &[]).await;
        let line = format!("DELETE /v1/Account/MAENTREMISE000000000/Call/{CALL}/");
        assert_eq!(stage.only_asked(&line), Value::Null);
        stage.0.end(database).await;
    }
}
