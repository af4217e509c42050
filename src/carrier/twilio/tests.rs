//! Cases that a captured webhook can't show. The rest is `tests/carriers.rs` over the fixtures.

use std::time::Duration;

use http::{HeaderName, Method};
use serde::Deserialize;

use super::*;
use crate::{
    carrier::{
        outbound::{OutboundCall, OutboundMessage},
        twiml::form::same_addresses,
    },
    domain::{
        message::Body,
        phone::{Identifier, ProxyNumber},
    },
    ids::LegId,
};

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
const SETTINGS: HeaderName = HeaderName::from_static("x-twilio-webhooks-signature-settings");
const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Deserialize)]
struct Vectors {
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    token: String,
    url: String,
    form: Option<String>,
    json: Option<String>,
    signature: String,
    settings: Option<String>,
}

impl Vector {
    fn request(&self) -> Request {
        let request = match (&self.form, &self.json) {
            (Some(form), _) => Request::post(&*self.url, FORM, form.clone()),
            (None, Some(json)) => Request::post(&*self.url, "application/json", json.clone()),
            (None, None) => Request::new(Method::GET, &*self.url),
        };
        let request = request.with_header(SIGNATURE, &self.signature);
        match &self.settings {
            Some(settings) => request.with_header(SETTINGS, settings),
            None => request,
        }
    }
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../../fixtures/twilio/vectors.toml");
    toml::from_str::<Vectors>(text).unwrap().vector
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

fn settings(toml: &str) -> Settings {
    Settings { id: "twilio".into(), api_base: None, values: toml.parse().unwrap() }
}

fn carrier(token: &str) -> Box<dyn Carrier> {
    let toml = format!(
        "account_sid = \"{ACCOUNT}\"\nauth_token = \"{token}\"\nshared_keys.the-key = \"{token}\""
    );
    build(&settings(&toml)).unwrap()
}

fn verify(token: &str, request: &Request) -> Result<(), WebhookError> {
    carrier(token).verify(request, Timestamp::EPOCH)
}

/// Every signature that Twilio's SDK made is taken, and none under another token.
#[test]
fn signatures_of_the_sdk_are_taken() {
    assert_eq!(vectors().len(), 11);
    for vector in vectors() {
        let request = vector.request();
        assert_eq!(verify(&vector.token, &request), Ok(()), "{}", vector.name);
        assert_eq!(
            verify("another-token", &request),
            Err(WebhookError::BadSignature),
            "{}",
            vector.name
        );
    }
}

/// A signature counts only for what it was made over: its body, method, kind of body and account.
#[test]
fn a_signature_does_not_travel() {
    let t4 = vector("T4, JSON");
    let mut longer = t4.request();
    longer.body = format!("{} ", t4.json.as_ref().unwrap()).into();
    let mut put = t4.request();
    put.method = Method::PUT;
    let t2 = vector("T2");
    let as_json = Request::post(&*t2.url, "application/json", t2.form.clone().unwrap())
        .with_header(SIGNATURE, &t2.signature);
    let t5 = vector("T5, GET");
    let with_body =
        Request::post(&*t5.url, "application/json", "{}").with_header(SIGNATURE, &t5.signature);
    let mut twice = t2.request();
    twice.headers.append(SIGNATURE, t2.signature.parse().unwrap());
    let mut none = t2.request();
    none.headers.clear();
    for request in [longer, put, as_json, with_body, twice, none] {
        assert_eq!(verify(&t2.token, &request), Err(WebhookError::BadSignature));
    }
    let other = settings(&format!(
        "account_sid = \"AC11111111111111111111111111111111\"\nauth_token = \"{}\"",
        t2.token
    ));
    let other = build(&other).unwrap().verify(&t2.request(), Timestamp::EPOCH);
    assert_eq!(other, Err(WebhookError::BadSignature));
}

/// The settings header only chooses among configured keys: an unknown key or algorithm, or one
/// named twice, is refused and does not fall back to the auth token.
#[test]
fn a_request_can_not_choose_a_weaker_check() {
    let (plain, shared) = (vector("T1"), vector("T1, shared key"));
    for settings in [
        "key=unknown,algorithm=HMAC_SHA256",
        "key=the-key,algorithm=HMAC_SHA1",
        "key=the-key,algorithm=none",
        "key=the-key",
        "algorithm=HMAC_SHA256",
        "key=the-key,key=the-key,algorithm=HMAC_SHA256",
        "",
    ] {
        for vector in [&plain, &shared] {
            let request = vector.request().with_header(SETTINGS, settings);
            assert_eq!(verify("12345", &request), Err(WebhookError::BadSignature), "{settings}");
        }
    }
    let downgraded = Vector { settings: None, ..shared };
    assert_eq!(verify("12345", &downgraded.request()), Err(WebhookError::BadSignature));
}

/// Only the port differs between the addresses that count as the same.
#[test]
fn addresses_differ_by_their_port_only() {
    for (url, other) in [
        ("https://a.example/x?y=z:1@b", "https://a.example:443/x?y=z:1@b"),
        ("http://a.example", "http://a.example:80"),
        ("https://a.example?x", "https://a.example:443?x"),
        ("https://a.example:8443/x", "https://a.example/x"),
        ("https://user:pass@a.example/x", "https://user:pass@a.example:443/x"),
        ("https://user:pass@a.example:8443/x", "https://user:pass@a.example/x"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]:443/x"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]/x"),
        ("https://u:p@[2001:db8::1]:8443/x", "https://u:p@[2001:db8::1]/x"),
    ] {
        assert_eq!(same_addresses(url), [url, other]);
    }
}

/// A body that no serialiser writes is refused, however it decodes.
#[test]
fn only_canonical_forms_are_read() {
    use crate::carrier::form::Form;
    for body in ["a=%2b", "a=b c", "a=%", "a=%4", "a=%G0", "a=%FF", "a=%C3", "é=1", "a=\n"] {
        assert!(Form::read(body.as_bytes()).is_none(), "{body}");
    }
    let form = Form::read(b"b=%2B+%26&&a&b=%2B+%26&c=%E2%98%83=").unwrap();
    assert_eq!(form.signed(), "ab+ &c☃=");
}

/// Fields that we need and that are missing, doubled or wrong are named, without their values.
#[test]
fn malformed_fields_are_named() {
    let call = "https://relay.example.com/hooks/twilio/call";
    let step = format!("{call}?leg=LG01900000000070008000000000000001&step");
    for (url, body, field) in [
        (call, "CallStatus=ringing&Direction=inbound&CallSid=CA1&From=x", "To"),
        (call, "CallStatus=ringing&Direction=inbound&CallSid=CA1&From=x&To=x", "To"),
        (call, "CallStatus=ringing&Direction=inbound&CallSid=CA1&To=%2B14155550150", "From"),
        (call, "CallStatus=ringing&CallStatus=completed&CallSid=CA1", "CallStatus"),
        (call, "CallStatus=completed", "CallSid"),
        (call, "CallStatus=completed&CallSid=..%2FCA1", "CallSid"),
        (call, "MessageStatus=sent", "MessageSid"),
        (call, "MessageSid=SM1&To=%2B14155550150&From=x&NumMedia=x", "NumMedia"),
        (call, "MessageSid=SM1&To=%2B14155550150&From=x&NumMedia=1", "MediaUrl"),
        (&format!("{step}=dialled"), "CallSid=CA1", "DialCallStatus"),
        (&format!("{step}=keys"), "CallSid=CA1&Digits=%3CDial%3E", "Digits"),
        (&format!("{step}=whisper"), "", "CallSid"),
        (&format!("{call}?step=whisper"), "CallSid=CA1", "leg"),
    ] {
        let request = Request::post(url, FORM, body);
        assert_eq!(carrier("t").parse(&request), Err(WebhookError::Malformed(field)), "{body}");
    }
}

/// All that is wrong with the settings is said at once, and no value is repeated.
#[test]
fn faults_come_all_at_once() {
    let faults = build(&settings(
        "account_sid = 'ACsecret1'\nauth_token = 'secret2 '\napi_key_secret = 'secret3'\n\
         shared_keys.one = 7\nshared_keys.two = ''\napi_token = 'secret4'",
    ))
    .unwrap_err();
    let mut keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "account_sid",
            "api_key_sid",
            "api_token",
            "auth_token",
            "shared_keys.one",
            "shared_keys.two"
        ]
    );
    assert!(!format!("{faults:?}").contains("secret1"));
    assert!(!format!("{faults:?}").contains("secret2"));
    let missing = build(&settings("")).unwrap_err();
    assert_eq!(missing.len(), 2);
}

/// Times are kept inside what Twilio takes, and a part of a second never lengthens them.
#[test]
fn times_are_clamped() {
    let links = Links::new("https://relay.example.com", "twilio");
    let leg = LegId::parse("LG01900000000070008000000000000001").unwrap();
    let from = ProxyNumber::parse("+14155550150").unwrap();
    let to = Identifier::parse("+14155550100").unwrap();
    let body = |outbound: Outbound| {
        let request = carrier("t").request(&outbound, &links).unwrap();
        String::from_utf8(request.body.to_vec()).unwrap()
    };
    let text = |validity| {
        body(Outbound::Message(OutboundMessage {
            leg: leg.clone(),
            from: from.clone().into(),
            to: to.clone(),
            body: Body::new("x".into()),
            media: vec![],
            validity,
        }))
    };
    assert!(text(Duration::from_millis(90_999)).ends_with("&ValidityPeriod=90"));
    assert!(text(Duration::ZERO).ends_with("&ValidityPeriod=1"));
    assert!(text(Duration::MAX).ends_with("&ValidityPeriod=36000"));
    let call = |length| {
        body(Outbound::Call(OutboundCall {
            leg: leg.clone(),
            from: from.clone(),
            to: to.clone(),
            ring_timeout: length,
            duration_max: length,
        }))
    };
    assert!(call(Duration::ZERO).ends_with("&Timeout=1&TimeLimit=1"));
    assert!(call(Duration::MAX).ends_with("&Timeout=600&TimeLimit=14400"));
}

/// What can't be sent is refused before it becomes a request: too many pictures, and an id that
/// would choose another path.
#[test]
fn what_twilio_can_not_do_is_not_asked() {
    let links = Links::new("https://relay.example.com", "twilio");
    let mut text = OutboundMessage {
        leg: LegId::parse("LG01900000000070008000000000000001").unwrap(),
        from: ProxyNumber::parse("+14155550150").unwrap().into(),
        to: Identifier::parse("+14155550100").unwrap(),
        body: Body::new(String::new()),
        media: vec!["https://relay.example.com/media/1".into(); 10],
        validity: Duration::from_mins(1),
    };
    assert!(carrier("t").request(&Outbound::Message(text.clone()), &links).is_ok());
    text.media.push("https://relay.example.com/media/2".into());
    let refused = carrier("t").request(&Outbound::Message(text), &links).unwrap_err();
    assert_eq!(refused.to_string(), "Unsupported, retry Never");
    for id in [
        "",
        "CA1",
        "../Messages",
        "CA0000000000000000000000000000000/",
        "SM00000000000000000000000000000001",
    ] {
        let refused = carrier("t").request(&Outbound::EndCall { id: id.into() }, &links);
        assert_eq!(refused.unwrap_err().to_string(), "Rejected, retry Never", "{id}");
    }
}

/// An API key opens everything but the account: with one, it is tried on the numbers, and the auth
/// token, which signs webhooks, on the account.
#[test]
fn each_credential_is_probed() {
    let plain = carrier("a-token");
    let account = format!("https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}.json");
    let probe = plain.probe().unwrap();
    let token = probe.headers[http::header::AUTHORIZATION].clone();
    assert_eq!(probe.url, account);
    assert!(plain.probe_signing().is_none());
    let key = "SK00000000000000000000000000000000";
    let with_key = build(&settings(&format!(
        "account_sid = \"{ACCOUNT}\"\nauth_token = \"a-token\"\napi_key_sid = \"{key}\"\n\
         api_key_secret = \"a-key-secret\""
    )));
    let with_key = with_key.unwrap();
    let probe = with_key.probe().unwrap();
    assert!(probe.url.ends_with("/IncomingPhoneNumbers.json"), "{}", probe.url);
    assert_ne!(probe.headers[http::header::AUTHORIZATION], token);
    let signing = with_key.probe_signing().unwrap();
    assert_eq!((signing.url, &signing.headers[http::header::AUTHORIZATION]), (account, &token));
    let encoded = token.to_str().unwrap().trim_start_matches("Basic ").to_owned();
    assert!(with_key.secrets().contains(&encoded), "the token's header is not named a secret");
    let number = ProxyNumber::parse("+14155550100").unwrap();
    let asked = with_key.number(&number).unwrap().url;
    assert!(asked.ends_with("/IncomingPhoneNumbers.json?PhoneNumber=%2B14155550100"), "{asked}");
}
