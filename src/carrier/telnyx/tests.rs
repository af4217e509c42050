//! Cases that a captured webhook can't show. The rest is `tests/carriers.rs` over the fixtures.

use http::HeaderName;

use super::*;
use crate::{
    carrier::outbound::{OutboundCall, OutboundMessage},
    domain::{
        message::Body,
        phone::{Identifier, ProxyNumber},
    },
    ids::LegId,
};

pub(super) const PROFILE: &str = "16fd2706-8baf-433b-82eb-8c7fada847da";
const FORM: &str = "application/x-www-form-urlencoded";
const CALL: &str = "https://relay.example.com/hooks/telnyx/call";

/// The public key of the vector: of the seed 00 01 02 … 1f.
const PUBLIC_KEY: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
const SIGNED_AT: i64 = 1_700_000_000;
const SIGNED: &str = "{\"data\":{\"event_type\":\"message.received\",\"id\":\
    \"bf6307bd-884d-4c1f-b6ea-c62b8c495d3c\",\"record_type\":\"event\",\"payload\":{\"id\":\
    \"7ee4241c-f127-47e5-9c34-3aac291f8058\",\"text\":\"Hi ☃\"}},\"meta\":{\"attempt\":1}}";
const TAG: &str = "Oy8wmTIDaxvVRpup5sPeSSdcmfPeKN9IObajSEmbeQwU/cdMVooyyKaQDtOQn3qsVfldaFGuzlptj0TFGi6\
    DCQ==";

fn settings(toml: &str) -> Settings {
    Settings { id: "telnyx".into(), api_base: None, values: toml.parse().unwrap() }
}

fn good(public_key: &str) -> String {
    format!(
        "api_key = 'KEY0123'\npublic_key = '{public_key}'\n\
         account_sid = 'f5586561-8ff0-4291-a51b-c7dfe4139ff9'\n\
         application_id = '1494404757140276705'\n"
    )
}

/// Good ones with one key more.
pub(super) fn settings_with(key: &str, value: &str) -> Settings {
    let mut settings = settings(&good(PUBLIC_KEY));
    settings.values.insert(key.into(), value.into());
    settings
}

/// With that messaging profile; with none if it is empty.
pub(super) fn config(profile: &str) -> Config {
    let mut settings = settings(&good(PUBLIC_KEY));
    if !profile.is_empty() {
        settings.values.insert("messaging_profile_id".into(), profile.into());
    }
    Config::read(&settings).unwrap()
}

fn carrier() -> Box<dyn Carrier> {
    build(&settings(&good(PUBLIC_KEY))).unwrap()
}

fn signed(body: &str, tag: &str, at: &str) -> Request {
    Request::post(
        "https://relay.example.com/hooks/telnyx/message",
        "application/json",
        body.to_owned(),
    )
    .with_header(HeaderName::from_static("telnyx-signature-ed25519"), tag)
    .with_header(HeaderName::from_static("telnyx-timestamp"), at)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// What Telnyx's own SDK took is taken until 300 seconds from its time, and stale beyond; with a
/// secondary key it is taken too.
#[test]
fn the_vector_of_the_sdk_is_taken() {
    let request = signed(SIGNED, TAG, &SIGNED_AT.to_string());
    for seconds in [-300, -299, 0, 299, 300] {
        assert_eq!(carrier().verify(&request, at(SIGNED_AT + seconds)), Ok(()), "{seconds}");
    }
    for seconds in [-301, 301] {
        let stale = carrier().verify(&request, at(SIGNED_AT + seconds));
        assert_eq!(stale, Err(WebhookError::Stale), "{seconds}");
    }
    let other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let rotating =
        format!("{}public_key_secondary = '{}'", good(other), PUBLIC_KEY.trim_end_matches('='));
    assert_eq!(build(&settings(&rotating)).unwrap().verify(&request, at(SIGNED_AT)), Ok(()));
    let other = build(&settings(&good(other))).unwrap();
    assert_eq!(other.verify(&request, at(SIGNED_AT)), Err(WebhookError::BadSignature));
}

/// A signature counts only for a POST of its body at its time, in one spelling.
#[test]
fn a_signature_does_not_travel() {
    let time = SIGNED_AT.to_string();
    let mut get = signed(SIGNED, TAG, &time);
    get.method = Method::GET;
    let mut twice = signed(SIGNED, TAG, &time);
    let name = HeaderName::from_static("telnyx-timestamp");
    twice.headers.append(name, time.parse().unwrap());
    for request in [
        get,
        twice,
        signed("", TAG, &time),
        signed(&format!("{SIGNED} "), TAG, &time),
        signed(SIGNED, TAG.trim_end_matches('='), &time),
        signed(SIGNED, "", &time),
        signed(SIGNED, &TAG.replace('/', "_"), &time),
        signed(SIGNED, TAG, ""),
        signed(SIGNED, TAG, &format!("+{SIGNED_AT}")),
        signed(SIGNED, TAG, "01700000000"),
        signed(SIGNED, TAG, "1700000001"),
        signed(SIGNED, TAG, "99999999999999999999"),
    ] {
        let refused = carrier().verify(&request, at(SIGNED_AT));
        assert_eq!(refused, Err(WebhookError::BadSignature), "{:?}", request.headers);
    }
}

/// Nothing can be signed with an empty body and then be said by an address: the address is not
/// signed.
#[test]
fn an_empty_body_says_nothing() {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    let seed: Vec<u8> = (0..32).collect();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let tag = pair.sign(format!("{SIGNED_AT}|").as_bytes());
    let tag = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tag);
    let request = signed("", &tag, &SIGNED_AT.to_string());
    assert_eq!(pair.public_key().as_ref(), config("").public_keys[0]);
    assert_eq!(carrier().verify(&request, at(SIGNED_AT)), Err(WebhookError::BadSignature));
}

/// Fields that we need and that are missing, doubled or wrong are named, without their values.
#[test]
fn malformed_fields_are_named() {
    let step = format!("{CALL}?leg=LG01900000000070008000000000000001&step");
    let received = |payload: &str| {
        format!("{{\"data\":{{\"event_type\":\"message.received\",\"payload\":{payload}}}}}")
    };
    let to = "\"to\":[{\"phone_number\":\"+14155550150\"}]";
    for (url, body, field) in [
        (CALL, "CallSid=v3:1&From=x".to_owned(), "To"),
        (CALL, "CallSid=v3:1&From=x&To=x".to_owned(), "To"),
        (CALL, "CallSid=v3:1&To=%2B14155550150".to_owned(), "From"),
        (CALL, "CallSid=v3/1&From=x&To=%2B14155550150".to_owned(), "CallSid"),
        (CALL, "CallSid=v3:1&CallStatus=ringing&CallStatus=completed".to_owned(), "CallStatus"),
        (CALL, "CallSid=..%2F1&CallStatus=completed".to_owned(), "CallSid"),
        (&format!("{step}=keys"), "CallSid=v3:1&Digits=%3CDial%3E".to_owned(), "Digits"),
        (&format!("{step}=whisper"), "From=x".to_owned(), "CallSid"),
        (&format!("{CALL}?step=whisper"), "CallSid=v3:1".to_owned(), "leg"),
        (CALL, "{".to_owned(), "body"),
        (CALL, received("{}"), "to"),
        (
            CALL,
            received("{\"to\":[{\"phone_number\":\"x\"}],\"from\":{\"phone_number\":\"x\"}}"),
            "to",
        ),
        (CALL, received(&format!("{{{to}}}")), "from"),
        (CALL, received(&format!("{{{to},\"from\":{{\"phone_number\":\"x\"}}}}")), "id"),
        (
            CALL,
            received(&format!(
                "{{{to},\"from\":{{\"phone_number\":\"x\"}},\"id\":\"1\",\"media\":[{{}}]}}"
            )),
            "media",
        ),
    ] {
        let request = Request::post(url, FORM, body.clone());
        assert_eq!(carrier().parse(&request), Err(WebhookError::Malformed(field)), "{body}");
    }
}

/// News that comes to the address of news is never taken for a new call, whatever it leaves out.
#[test]
fn news_is_no_new_call() {
    let status = "https://relay.example.com/hooks/telnyx/status";
    let from_to = "CallSid=v3:1&From=%2B14155550100&To=%2B14155550150";
    let read = |url: &str, more: &str| {
        let request = Request::post(url, FORM, format!("{from_to}{more}"));
        carrier().parse(&request).unwrap().remove(0)
    };
    assert!(matches!(read(CALL, ""), Inbound::Call(_)));
    assert!(matches!(read(CALL, "&CallStatus=in-progress"), Inbound::Call(_)));
    assert!(matches!(read(CALL, "&CallStatus=ringing"), Inbound::Call(_)));
    assert!(matches!(read(CALL, "&CallStatus=completed"), Inbound::CallStatus(_)));
    assert!(matches!(read(status, "&CallStatus=ringing"), Inbound::CallStatus(_)));
    assert!(matches!(read(status, ""), Inbound::Ignored(_)));
    let progress = "&CallStatus=initiated&CallbackSource=call-progress-events";
    assert!(matches!(read(CALL, progress), Inbound::CallStatus(_)));
    let cost = "&CallStatus=completed&CallbackSource=call-cost-events";
    assert!(matches!(read(CALL, cost), Inbound::Ignored(_)));
}

/// All that is wrong with the settings is said at once, and no value is repeated.
#[test]
fn faults_come_all_at_once() {
    let faults = build(&settings(
        "api_key = 'secret1 '\npublic_key = 'secret2'\npublic_key_secondary = 7\n\
         account_sid = '../secret3'\napplication_id = ''\nmessaging_profile_id = 'secret/4'\n\
         api_secret = 'secret5'\nvoice = 'secret6'",
    ))
    .unwrap_err();
    let mut keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "account_sid",
            "api_key",
            "api_secret",
            "application_id",
            "messaging_profile_id",
            "public_key",
            "public_key_secondary",
            "voice"
        ]
    );
    assert!(!format!("{faults:?}").contains("secret1"));
    assert!(!format!("{faults:?}").contains("secret2"));
    let missing = build(&settings("")).unwrap_err();
    assert_eq!(missing.len(), 4);
    let short = build(&settings(&good("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1f"))).unwrap_err();
    assert!(short[0].message.contains("32 bytes in base64"), "{short:?}");
}

/// Times are kept inside what Telnyx takes, and a part of a second never lengthens them.
#[test]
fn times_are_clamped() {
    let links = Links::new("https://relay.example.com", "telnyx");
    let call = |length| {
        let outbound = Outbound::Call(OutboundCall {
            leg: LegId::parse("LG01900000000070008000000000000001").unwrap(),
            from: ProxyNumber::parse("+14155550150").unwrap(),
            to: Identifier::parse("+14155550100").unwrap(),
            ring_timeout: length,
            duration_max: length,
        });
        let request = carrier().request(&outbound, &links).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        (body["Timeout"].as_u64().unwrap(), body["TimeLimit"].as_u64().unwrap())
    };
    assert_eq!(call(Duration::ZERO), (5, 30));
    assert_eq!(call(Duration::from_millis(90_999)), (90, 90));
    assert_eq!(call(Duration::MAX), (120, 14_400));
}

/// What can't be sent is refused before it becomes a request: too many pictures, and an id that
/// would choose another path.
#[test]
fn what_telnyx_can_not_do_is_not_asked() {
    let links = Links::new("https://relay.example.com", "telnyx");
    let mut text = OutboundMessage {
        leg: LegId::parse("LG01900000000070008000000000000001").unwrap(),
        from: ProxyNumber::parse("+14155550150").unwrap().into(),
        to: Identifier::parse("+14155550100").unwrap(),
        body: Body::new(String::new()),
        media: vec!["https://relay.example.com/media/1".into(); 10],
        validity: Duration::from_mins(1),
    };
    assert!(carrier().request(&Outbound::Message(text.clone()), &links).is_ok());
    text.media.push("https://relay.example.com/media/2".into());
    let refused = carrier().request(&Outbound::Message(text), &links).unwrap_err();
    assert_eq!(refused.to_string(), "Unsupported, retry Never");
    for id in ["", "../Calls", "v3:a/b", "v3:a?b", "v3:a#b", "v3:a%2fb", "v3.a"] {
        let refused = carrier().request(&Outbound::EndCall { id: id.into() }, &links);
        assert_eq!(refused.unwrap_err().to_string(), "Rejected, retry Never", "{id}");
    }
}
