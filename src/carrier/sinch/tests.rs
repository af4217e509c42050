//! Vectors of Sinch's own, and what the fixtures do not show.

use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::{
    fields::Fields,
    mark::{Asks, Mark},
    *,
};
use crate::ids::LegId;

const LEG: &str = "LG01900000000070008000000000000001";
const RUNG: &str = "LG01900000000070008000000000000002";

fn entry(more: &[(&str, &str)]) -> Settings {
    let mut values = toml::Table::new();
    for (key, value) in [
        ("service_plan_id", "jd63jf88477ll123ab4567cd89012ef3"),
        ("api_token", "a-made-up-token"),
        ("application_key", "669E367E-6BBA-48AB-AF15-266871C28135"),
        ("application_secret", "BeIukql3pTKJ8RGL5zo0DA=="),
    ]
    .iter()
    .chain(more)
    {
        values.insert((*key).to_owned(), (*value).into());
    }
    Settings { id: "sinch".to_owned(), api_base: None, values }
}

fn config(more: &[(&str, &str)]) -> Config {
    Config::read(&entry(more)).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn header(request: Request, name: &'static str, value: &str) -> Request {
    let mut request = request;
    request.headers.insert(name, HeaderValue::from_str(value).unwrap());
    request
}

/// A webhook of the documented example's application.
fn of_calls(url: &str, body: &'static str, kind: &str, time: &str, tag: &str) -> Request {
    let request = Request::post(url, "application/json", body);
    let request = header(request, "content-type", kind);
    let request = header(request, "x-timestamp", time);
    let credentials = format!("application 669E367E-6BBA-48AB-AF15-266871C28135:{tag}");
    header(request, "authorization", &credentials)
}

const DOCUMENTED: &str = r#"{"event":"ace","callid":"822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257","timestamp":"2014-09-24T10:59:41Z","version":1}"#;

fn documented() -> Request {
    of_calls(
        "https://relay.example.com/sinch/callback/ace?leg=1",
        DOCUMENTED,
        "application/json",
        "2014-09-24T10:59:41Z",
        "Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
    )
}

/// Webhooks about calls are signed as Sinch's documentation and its SDK for Java sign theirs.
#[test]
fn published_signatures_of_calls_fit() {
    let texts = [("sms_webhook_secret", "s")];
    let ours = config(&texts);
    let now = at("2014-09-24T10:59:41Z");
    assert_eq!(signed::verify(&ours, &documented(), now), Ok(()));
    let sdk = config(&[texts[0], ("application_secret", "bXkta2V5LXNlY3JldA==")]);
    let of_sdk = of_calls(
        "https://relay.example.com/path/pathParamValue",
        r#"{"identity":{"type":"number","endpoint":"+33444555666"},"method":"sms"}"#,
        "application/json; charset=UTF-8",
        "2023-11-22T09:10:11.999Z",
        "QP3OzQZVzRZAEev6DBLvJkgpiqyZPuXYsc7oyjUV0K8=",
    );
    assert_eq!(signed::verify(&sdk, &of_sdk, at("2023-11-22T09:10:12Z")), Ok(()));
    let incoming = of_calls(
        "https://relay.example.com/v1/hooks/sinch/a/voice",
        r#"{"event":"ice","callid":"4398599d1ba84ef3bde0a82dfb61abed","timestamp":"2024-01-15T10:30:00Z","version":1,"cli":"15552223333","to":{"type":"did","endpoint":"15550001111"},"domain":"pstn"}"#,
        "application/json; charset=utf-8",
        "2024-01-15T10:30:01Z",
        "Pjh95dFA4orlHA6ZPQUAIWQmOQdogyqRqWXmapRUr+Y=",
    );
    assert_eq!(signed::verify(&ours, &incoming, at("2024-01-15T10:30:00Z")), Ok(()));
}

/// What a call's signature covers besides the body: method, path, type, time and key; not the query. The
/// scheme's letters may be of either case.
#[test]
fn what_a_call_s_signature_covers() {
    let ours = config(&[("sms_webhook_secret", "s")]);
    let now = at("2014-09-24T10:59:41Z");
    let verdict = |request: &Request| signed::verify(&ours, request, now);
    let credentials = documented().header("authorization").unwrap().to_owned();
    let scheme = credentials.replacen("application", "Application", 1);
    assert_eq!(verdict(&header(documented(), "authorization", &scheme)), Ok(()));
    let mut other = documented();
    other.url = other.url.replace("leg=1", "leg=2");
    assert_eq!(verdict(&other), Ok(()), "our seal is for that");
    other.url = other.url.replace("/ace", "/ice");
    let refused = Err(WebhookError::BadSignature);
    assert_eq!(verdict(&other), refused);
    assert_eq!(verdict(&Request { method: Method::PUT, ..documented() }), refused);
    let foreign = credentials.replace("669E", "769E");
    for (name, value) in [
        ("content-type", "application/json;charset=utf-8"),
        ("x-timestamp", "2014-09-24T10:59:42Z"),
        ("authorization", &foreign),
        ("authorization", "Basic Zm9v"),
        ("authorization", "application"),
    ] {
        assert_eq!(verdict(&header(documented(), name, value)), refused, "{name}");
    }
    let late = at("2014-09-24T11:05:00Z");
    assert_eq!(signed::verify(&ours, &documented(), late), Err(WebhookError::Stale));
}

fn of_texts(body: &'static str) -> Request {
    let request =
        Request::post("https://relay.example.com/hooks/sinch/message", "application/json", body);
    let request = header(request, "x-sinch-webhook-signature-algorithm", "HmacSHA256");
    let request = header(request, "x-sinch-webhook-signature-nonce", "01FJA8B4A7BM43YGWSG9GBV067");
    header(request, "x-sinch-webhook-signature-timestamp", "1634579353")
}

/// A webhook about texts is known by the one proof that is configured, and by no other.
#[test]
fn texts_have_one_proof() {
    let password =
        [("sms_webhook_username", "u"), ("sms_webhook_password", "a-password-of-24-letters")];
    let proofs: [&[(&str, &str)]; 3] = [
        &[("sms_webhook_secret", "other"), ("sms_webhook_secret_secondary", "foo_secret1234")],
        &password,
        &[("sms_webhook_key", "a-key-of-24-letters-long")],
    ];
    let body = r#"{"type":"mo_text"}"#;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"foo_secret1234");
    let message = format!("{body}.01FJA8B4A7BM43YGWSG9GBV067.1634579353");
    let tag = ring::hmac::sign(&key, message.as_bytes());
    let tag = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tag);
    let mut keyed = of_texts(body);
    keyed.url.push_str("?key=a-key-of-24-letters-long");
    let requests = [
        header(of_texts(body), "x-sinch-webhook-signature", &tag),
        header(of_texts(body), "authorization", "Basic dTphLXBhc3N3b3JkLW9mLTI0LWxldHRlcnM="),
        keyed.clone(),
    ];
    let now = Timestamp::from_millis(1_634_579_353_000);
    for (proof, settings) in proofs.iter().enumerate() {
        let ours = config(settings);
        for (place, request) in requests.iter().enumerate() {
            let verdict = signed::verify(&ours, request, now);
            assert_eq!(verdict.is_ok(), place == proof, "{place} for {proof}");
        }
        assert!(signed::verify(&ours, &of_texts(body), now).is_err());
    }
    let ours = config(proofs[2]);
    for query in
        ["", "?key=", "?key=a-key-of-24-letters-lonG", "?key=a-key-of-24-letters-long&key=1"]
    {
        let mut request = of_texts(body);
        request.url.push_str(query);
        assert_eq!(
            signed::verify(&ours, &request, now),
            Err(WebhookError::BadSignature),
            "{query}"
        );
    }
}

/// A call can't be told of by whoever may tell of texts, nor a text by the application.
#[test]
fn what_a_webhook_tells_is_bound_to_its_proof() {
    let text =
        r#"{"type":"mo_text","id":"1","from":"447700900001","to":"14155550150","body":"Hi"}"#;
    let call = r#"{"event":"ice","callid":"1","cli":"447700900001","to":{"type":"did","endpoint":"+14155550150"}}"#;
    for (body, ok) in [(text, true), (call, false)] {
        let events = webhook::parse(&of_texts(body)).unwrap();
        assert_eq!(matches!(events[..], [Inbound::Message(_)]), ok);
        assert_eq!(matches!(events[..], [Inbound::Ignored(_)]), !ok);
        let request = header(of_texts(body), "authorization", "application a:b");
        let events = webhook::parse(&request).unwrap();
        assert_eq!(matches!(events[..], [Inbound::Call(_)]), !ok);
        assert_eq!(matches!(events[..], [Inbound::Ignored(_)]), ok);
    }
}

/// Every fault of the settings is told at once, none with its value.
#[test]
fn settings_are_checked() {
    let mut settings = entry(&[
        ("service_plan_id", "a/b"),
        ("region", "mars"),
        ("application_secret", "not base64!"),
        ("sms_webhook_password", "secret-1"),
        ("sms_webhook_key", "secret 2"),
        ("frobnicate", "secret-3"),
    ]);
    settings.values.remove("api_token");
    let faults = Config::read(&settings).unwrap_err();
    let mut keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(
        keys,
        [
            "api_token",
            "application_secret",
            "frobnicate",
            "region",
            "service_plan_id",
            "sms_webhook_key",
            "sms_webhook_password",
            "sms_webhook_secret",
        ]
    );
    let words = format!("{faults:?}");
    for value in ["a/b", "mars", "not base64", "secret-1", "secret 2", "secret-3"] {
        assert!(!words.contains(value), "{words}");
    }
    assert!(Config::read(&entry(&[])).is_err(), "texts need a proof");
    let regional = config(&[("region", "eu"), ("sms_webhook_secret", "s")]);
    assert!(regional.batches_url().starts_with("https://eu.sms.api.sinch.com/xms/v1/jd63"));
}

fn marks() -> [Mark; 4] {
    let (leg, rung) = (LegId::parse(LEG).unwrap(), LegId::parse(RUNG).unwrap());
    [
        Mark::Placed { leg: leg.clone() },
        Mark::Played { leg: leg.clone(), turn: 1 },
        Mark::Keys { leg: leg.clone(), turn: 2, finish: Some('#') },
        Mark::Dialled { leg, turn: 3, rung, asks: Asks::Key },
    ]
}

/// What a call was told last is read back from what travels with it, whatever else does.
#[test]
fn marks_come_back() {
    let instructions = marks().map(|mark| mark.instruction());
    let cookie =
        |place: usize| json!({ "key": "entremise", "value": instructions[place]["value"] });
    for (place, mark) in marks().into_iter().enumerate() {
        let fields =
            Fields(json!({ "cookies": [{ "key": "other", "value": "1" }, cookie(place)] }));
        assert_eq!(Mark::read(&fields), Some(mark));
    }
    let all = Fields(json!({ "cookies": [cookie(3), cookie(1), cookie(2), cookie(0)] }));
    assert_eq!(Mark::read(&all), Some(marks()[3].clone()));
    let placed = instructions[0]["value"].clone();
    let placed = |cookies: Value| Fields(json!({ "custom": placed, "cookies": cookies }));
    assert_eq!(Mark::read(&placed(Value::Null)), Some(marks()[0].clone()));
    assert_eq!(Mark::read(&placed(json!([cookie(3)]))), Some(marks()[3].clone()));
    for text in ["", "placed", "placed.LG", "keys.1.2.3", "dialled.x.1.y.key", "gone.x"] {
        let fields =
            Fields(json!({ "custom": text, "cookies": [{ "key": "entremise", "value": text }] }));
        assert_eq!(Mark::read(&fields), None, "{text}");
    }
}

fn answered(event: &str, mark: Option<&Mark>, answer: &Answer) -> Value {
    let mut body = json!({ "event": event, "callid": "1" });
    if let Some(mark) = mark {
        body["cookies"] = json!([{ "key": "entremise", "value": mark.text() }]);
    }
    let reply = voice::reply(answer, Some(&Fields(body)));
    serde_json::from_slice(&reply.response.body).unwrap_or_default()
}

/// I3: where nothing is to be done, only somebody whom we rang and ask nothing is put through; whoever is
/// not ours, or is to be asked, is hung up.
#[test]
fn i3_only_those_whom_we_rang_are_connected() {
    let [placed, played, keys, asked] = marks();
    let Mark::Dialled { leg, turn, rung, .. } = asked.clone() else { panic!() };
    let rings = Mark::Dialled { leg, turn, rung, asks: Asks::Nothing };
    for (event, mark, action) in [
        ("ace", Some(&rings), "continue"),
        ("ACE", Some(&placed), "runMenu"),
        ("ace", Some(&asked), "hangup"),
        ("ace", Some(&played), "hangup"),
        ("ace", Some(&keys), "hangup"),
        ("ace", None, "hangup"),
        ("ice", None, "hangup"),
        ("pie", Some(&rings), "hangup"),
        ("pie", None, "hangup"),
    ] {
        let document = answered(event, mark, &Answer::Ack);
        assert_eq!(document["action"]["name"], action, "{event} {mark:?}");
    }
    assert_eq!(answered("dice", Some(&rings), &Answer::Ack), Value::Null);
    assert_eq!(
        answered("dice", Some(&rings), &Answer::Plan(super::super::Plan::Hangup)),
        Value::Null
    );
}

/// A call is answered to be heard only where it came in: the instruction stands nowhere else.
#[test]
fn a_call_is_answered_once() {
    let prompt = crate::carrier::plan::Prompt { text: "Hello".into(), language: "en-GB".into() };
    let announce = Answer::Plan(super::super::Plan::Announce(prompt));
    for (event, first) in [("ice", "answer"), ("pie", "say"), ("ace", "say")] {
        let document = answered(event, None, &announce);
        assert_eq!(document["instructions"][0]["name"], first, "{event}");
    }
}

/// A number's calls, and the application's address, are compared with ours.
#[test]
fn number_faults_are_found() {
    let ours = config(&[("sms_webhook_secret", "s")]);
    let number = ProxyNumber::parse("+14155550150").unwrap();
    let links = Links::new("https://relay.example.com", "sinch");
    let response =
        |json: &Value| Response::new(http::StatusCode::OK, "application/json", json.to_string());
    let voice = pool::Capabilities { voice: true, sms: true, mms: false };
    let texts = pool::Capabilities { voice: false, ..voice };
    let key = &ours.application_key;
    let one = |number: &str, key: &str| json!({ "numbers": [{ "number": number, "applicationkey": key }] });
    for (listed, can, faults) in [
        (one("+14155550150", key), voice, 0),
        (one("14155550150", &key.to_ascii_lowercase()), voice, 0),
        (one("+14155550150", "other"), voice, 1),
        (one("+14155550151", key), voice, 1),
        (json!({ "numbers": [{ "number": "+14155550150" }] }), voice, 1),
        (json!({ "numbers": [] }), texts, 0),
    ] {
        let found = number::faults(&ours, &number, can, &response(&listed)).unwrap();
        assert_eq!(found.len(), faults, "{listed}: {found:?}");
    }
    assert!(number::faults(&ours, &number, voice, &response(&json!({}))).is_none());
    for (url, grave, all) in [
        (json!({ "primary": links.call(), "fallback": "https://static.example/" }), 0, 0),
        (json!({ "primary": links.call() }), 0, 1),
        (json!({ "primary": "https://other.example/?a=secret" }), 1, 2),
        (json!({}), 1, 2),
    ] {
        let found = number::application_faults(&links, &response(&json!({ "url": url }))).unwrap();
        let graves = found.iter().filter(|fault| fault.grave).count();
        assert_eq!((graves, found.len()), (grave, all), "{found:?}");
        assert!(!format!("{found:?}").contains("secret"));
    }
}

/// A text leaves with the instant at which it is given up; nothing else is changed on its way.
#[test]
fn texts_expire() {
    let now = at("2026-11-22T10:00:00Z");
    let request = Request::post("https://x.example/", "application/json", r#"{"expire_at":7200}"#);
    let left = send::expiring(request, now);
    assert_eq!(left.body, r#"{"expire_at":"2026-11-22T12:00:00.000Z"}"#);
    let again = send::expiring(left.clone(), now);
    assert_eq!(again.body, left.body);
}
