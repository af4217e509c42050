//! Texts and calls over Plivo: signed forms in, Plivo XML and REST requests out.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, Uri},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::{
    config::CarrierConfig,
    domain::{interaction::Outcome, interaction::Reason, policy::Rules},
    store::{interactions::Interaction, legs},
};
use http::StatusCode;
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{
    dialect::{Dialect, between, fixtures},
    fake,
    market::{Market, Opened},
    support::{self, Answered, World},
};

const FIXTURES: &str = include_str!("../../fixtures/plivo/carrier.toml");
const CALL: &str = "97ceeb52-58b6-11e1-86da-77300b68f8bb";
const RUNG: &str = "2ff27b0e-58b7-11e1-86da-adf28403fe48";

/// What the stand-in for the API was asked: the method and the path, and the body.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

async fn answer(
    State(asked): State<Asked>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> (StatusCode, String) {
    let mut asked = asked.lock().unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    asked.push((format!("{method} {}", uri.path()), body));
    if method == Method::DELETE {
        return (StatusCode::NO_CONTENT, String::new());
    }
    let id = format!("00000000-0000-4000-8000-{:012}", asked.len());
    (StatusCode::ACCEPTED, json!({ "message_uuid": [id], "api_id": CALL }).to_string())
}

/// Posts a webhook as Plivo does, to one of our addresses.
async fn webhook(world: &World, path: &str, fields: &[(&str, &str)]) -> Answered {
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

struct Stage {
    world: World,
    market: Market,
    session: Opened,
    asked: Asked,
    _api: AbortOnDropHandle<()>,
}

impl Stage {
    async fn open(database: &support::Database, rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Asked::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&asked));
        let served = async move { fake::axum_serve(listener, router).await };
        let api = AbortOnDropHandle::new(TaskTracker::new().spawn(served));
        let mut config = support::settings(database);
        config.allow_sandbox = true;
        config.carriers.push(CarrierConfig {
            id: "plivo".into(),
            kind: "plivo".into(),
            api_base: Some(base),
            values: fixtures(FIXTURES),
        });
        let world = World::with(config).await;
        let market = Market::at("plivo", &world, 2, 2, rules).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        Self { world, market, session, asked, _api: api }
    }

    /// A person's number as Plivo writes it.
    fn person(&self, place: usize) -> String {
        self.market.people[place].number.expose().trim_start_matches('+').to_owned()
    }

    /// The number that a person dials, likewise.
    fn dials(&self, place: usize) -> String {
        self.session.dials[place].expose().trim_start_matches('+').to_owned()
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
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
        let (from, to) = (self.person(0), self.dials(0));
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

    async fn only(&self) -> Interaction {
        let mut all = support::interactions(&self.world).await;
        assert_eq!(all.len(), 1);
        all.pop().unwrap()
    }

    async fn end(self, database: support::Database) {
        self.world.running.shutdown().await;
        database.drop().await;
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
        let (from, to) = (stage.person(0), stage.dials(0));
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
        let asked = stage.asked();
        let [(line, sent)] = &asked[..] else { panic!("a duplicate webhook sends nothing") };
        assert_eq!(line, "POST /v1/Account/MAENTREMISE000000000/Message/");
        assert_eq!((&sent["dst"], &sent["src"]), (&stage.person(1).into(), &stage.dials(1).into()));
        assert_eq!(sent["text"], "Is it still there?");
        assert!(!sent.to_string().contains(&from), "I17: {sent}");
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Relayed));
        let address = sent["url"].as_str().unwrap();
        let address = address.strip_prefix(&stage.world.running.origin).unwrap();
        let id = "00000000-0000-4000-8000-000000000001";
        let receipt = [("MessageUUID", id), ("Status", "delivered"), ("ErrorCode", "000")];
        assert_eq!(stage.webhook(address, &receipt).await.status, StatusCode::OK);
        let mut tx = stage.market.relay.db().read().await.unwrap();
        let legs = legs::of_interaction(&mut tx, &stage.market.account, &log.id).await.unwrap();
        assert_eq!(legs[1].state, "delivered");
        drop(tx);
        stage.end(database).await;
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
        let proxy = stage.dials(1);
        assert!(document.contains(&format!(r#" callerId="{proxy}" callerName="{proxy}""#)));
        assert!(document.contains(&format!("<Number>{}</Number>", stage.person(1))), "{document}");
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
        stage.end(database).await;
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
        stage.end(database).await;
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
        stage.end(database).await;
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
        assert_eq!(stage.asked(), [(line, Value::Null)]);
        stage.end(database).await;
    }
}
