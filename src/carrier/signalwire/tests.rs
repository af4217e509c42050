//! Cases that a captured webhook can't show. The rest is `tests/carriers.rs` over the fixtures.

use http::{HeaderName, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::{
    carrier::{
        error::{Retry, SendErrorKind},
        form::FORM,
        outbound::{OutboundCall, OutboundMessage},
    },
    domain::{
        message::Body,
        phone::{Identifier, ProxyNumber},
    },
    ids::LegId,
};

const PROJECT: &str = "6bfbbe86-a901-4197-8759-2a0de1fa319d";
const SIGNATURE: HeaderName = HeaderName::from_static("x-signalwire-signature");
const ALIAS: HeaderName = HeaderName::from_static("x-twilio-signature");
const SHA256: HeaderName = HeaderName::from_static("x-signalwire-sha256-signature");

#[derive(Deserialize)]
struct Vectors {
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    key: String,
    project: String,
    url: String,
    body: String,
    header: String,
    signature: String,
}

impl Vector {
    fn request(&self) -> Request {
        let kind = if self.body.starts_with('{') { "application/json" } else { FORM };
        Request::post(&*self.url, kind, self.body.clone())
            .with_header(self.header.parse().unwrap(), &self.signature)
    }

    fn verify(&self, request: &Request) -> Result<(), WebhookError> {
        carrier(&self.project, &self.key).verify(request, Timestamp::EPOCH)
    }
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../../fixtures/signalwire/vectors.toml");
    toml::from_str::<Vectors>(text).unwrap().vector
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

fn settings(toml: &str) -> Settings {
    Settings { id: "signalwire".into(), api_base: None, values: toml.parse().unwrap() }
}

fn carrier(project: &str, key: &str) -> Box<dyn Carrier> {
    let toml = format!(
        "space = 'example'\nproject_id = '{project}'\napi_token = 'PT0123'\nsigning_key = '{key}'"
    );
    build(&settings(&toml)).unwrap()
}

fn plain() -> Box<dyn Carrier> {
    carrier(PROJECT, "PSK_test")
}

const REFUSED: Result<(), WebhookError> = Err(WebhookError::BadSignature);

/// Every signature that the SDK made is taken, and none under another key or for another project.
#[test]
fn signatures_of_the_sdk_are_taken() {
    assert_eq!(vectors().len(), 5);
    for vector in vectors() {
        let request = vector.request();
        assert_eq!(vector.verify(&request), Ok(()), "{}", vector.name);
        let other = carrier(&vector.project, "PSK_another");
        assert_eq!(other.verify(&request, Timestamp::EPOCH), REFUSED, "{}", vector.name);
        if vector.body.contains("AccountSid") {
            let other = carrier("11111111-a901-4197-8759-2a0de1fa319d", &vector.key);
            assert_eq!(other.verify(&request, Timestamp::EPOCH), REFUSED, "{}", vector.name);
        }
    }
}

/// A signature counts only for what it was made over, and by the way in which that kind of body is signed:
/// the type that the request names changes nothing.
#[test]
fn a_signature_does_not_travel() {
    let (form, json) = (vector("S2"), vector("S1, JSON"));
    let mut get = form.request();
    get.method = Method::GET;
    let mut twice = form.request();
    twice.headers.append(SIGNATURE, form.signature.parse().unwrap());
    let mut none = form.request();
    none.headers.clear();
    let mut swapped = vector("S3, a name three times").request();
    swapped.body = "A=a&A=b&A=a&Z=1".into();
    for request in [get, twice, none, swapped] {
        assert_eq!(form.verify(&request), REFUSED, "{request:?}");
    }
    let as_json = Request::post(&*form.url, "application/json", form.body.clone())
        .with_header(SIGNATURE, &form.signature);
    assert_eq!(form.verify(&as_json), Ok(()));
    let mut longer = json.request();
    longer.body = format!("{} ", json.body).into();
    let upper = Request::post(&*json.url, FORM, json.body.clone())
        .with_header(SIGNATURE, &json.signature.to_uppercase());
    let sha1_as_sha256 =
        Request::post(&*json.url, FORM, json.body.clone()).with_header(SHA256, &json.signature);
    for request in [longer, upper, sha1_as_sha256] {
        assert_eq!(json.verify(&request), REFUSED);
    }
    let stronger = vector("S1, JSON, SHA-256");
    assert_eq!(json.verify(&json.request().with_header(SHA256, &stronger.signature)), Ok(()));
    let wrong = "0".repeat(64);
    assert_eq!(json.verify(&json.request().with_header(SHA256, &wrong)), REFUSED);
}

/// A signature of the address alone counts for no body, unless the address has the body's hash.
#[test]
fn the_body_must_be_covered() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let signed = |url: &str, body: &'static str| {
        let tag = crate::carrier::signature::sign_sha1(b"PSK_test", url.as_bytes());
        let request = Request::post(url, "application/json", body)
            .with_header(SIGNATURE, &STANDARD.encode(tag));
        plain().verify(&request, Timestamp::EPOCH)
    };
    let url = "https://relay.example.com/hooks/signalwire/status";
    assert_eq!(signed(url, r#"{"MessageStatus":"sent"}"#), REFUSED);
    // The SHA-256 of "{}".
    let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let hashed = format!("{url}?bodySHA256={hash}");
    assert_eq!(signed(&hashed, "{}"), Ok(()));
    assert_eq!(signed(&hashed, "{} "), REFUSED);
}

/// Beside the signature its alias has no say; alone it counts.
#[test]
fn the_alias_comes_second() {
    let form = vector("S2");
    assert_eq!(form.verify(&form.request().with_header(ALIAS, "x")), Ok(()));
    let other = form.request().with_header(SIGNATURE, "x").with_header(ALIAS, &form.signature);
    assert_eq!(form.verify(&other), REFUSED);
}

/// All that is wrong with the settings is said at once, and no value is repeated.
#[test]
fn faults_come_all_at_once() {
    let faults = build(&settings(
        "space = 'https://secret1.example'\nproject_id = '../secret2'\napi_token = 'secret3'\n\
         signing_key = 'secret3'\nsigning_key_secondary = ' '\nauth_token = 'secret4'",
    ))
    .unwrap_err();
    let mut keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    keys.sort_unstable();
    let wrong = ["auth_token", "project_id", "signing_key", "signing_key_secondary", "space"];
    assert_eq!(keys, wrong);
    assert!(!format!("{faults:?}").contains("secret"), "{faults:?}");
    assert_eq!(build(&settings("")).unwrap_err().len(), 4);
}

/// The space may be given with its domain; an address of the configuration wins.
#[test]
fn the_space_names_the_host() {
    let probe = |space: &str, api_base: Option<&str>| {
        let mut settings = settings(&format!(
            "space = '{space}'\nproject_id = '{PROJECT}'\napi_token = 'PT'\nsigning_key = 'PSK'"
        ));
        settings.api_base = api_base.map(str::to_owned);
        build(&settings).unwrap().probe().unwrap().url
    };
    let path = format!("/api/laml/2010-04-01/Accounts/{PROJECT}/Messages?PageSize=1");
    let own = format!("https://example.signalwire.com{path}");
    assert_eq!(probe("example", None), own);
    assert_eq!(probe("example.signalwire.com", None), own);
    assert_eq!(probe("example", Some("http://127.0.0.1:9/")), format!("http://127.0.0.1:9{path}"));
}

fn links() -> Links {
    Links::new("https://relay.example.com", "signalwire")
}

fn text(media: usize, validity: Duration) -> Outbound {
    Outbound::Message(OutboundMessage {
        leg: LegId::parse("LG01900000000070008000000000000001").unwrap(),
        from: ProxyNumber::parse("+14155550150").unwrap().into(),
        to: Identifier::parse("+14155550100").unwrap(),
        body: Body::new("x".into()),
        media: vec!["https://relay.example.com/media/1".into(); media],
        validity,
    })
}

/// Times are kept inside what `SignalWire` takes; a call is not told a limit, for which it has no field.
#[test]
fn times_are_clamped() {
    let body = |outbound: &Outbound| {
        let request = plain().request(outbound, &links()).unwrap();
        String::from_utf8(request.body.to_vec()).unwrap()
    };
    assert!(body(&text(0, Duration::ZERO)).ends_with("&ValidityPeriod=1"));
    assert!(body(&text(0, Duration::MAX)).ends_with("&ValidityPeriod=172800"));
    let call = |length| {
        body(&Outbound::Call(OutboundCall {
            leg: LegId::parse("LG01900000000070008000000000000001").unwrap(),
            from: ProxyNumber::parse("+14155550150").unwrap(),
            to: Identifier::parse("+14155550100").unwrap(),
            ring_timeout: length,
            duration_max: length,
        }))
    };
    assert!(call(Duration::ZERO).ends_with("&Timeout=5"));
    assert!(call(Duration::MAX).ends_with("&Timeout=600"));
}

/// What can't be sent is refused before it becomes a request: too many pictures, and an id that would
/// choose another path.
#[test]
fn what_can_not_be_done_is_not_asked() {
    let minute = Duration::from_mins(1);
    assert!(plain().request(&text(8, minute), &links()).is_ok());
    let refused = plain().request(&text(9, minute), &links()).unwrap_err();
    assert_eq!(refused.to_string(), "Unsupported, retry Never");
    for id in ["", "../Messages", "b5d63b2e/", "b5d63b2e?x", "b5d63b2e.json"] {
        let refused = plain().request(&Outbound::EndCall { id: id.into() }, &links());
        assert_eq!(refused.unwrap_err().to_string(), "Rejected, retry Never", "{id}");
    }
}

/// A call that is over already is ended; trouble while ending one is tried again.
#[test]
fn ending_twice_does_no_harm() {
    let end = Outbound::EndCall { id: "b5d63b2e-f75b-4dc8-b6d4-269b635f96c0".into() };
    let answer = |status: u16, code: u64| {
        let body = json!({ "code": code }).to_string();
        let status = StatusCode::from_u16(status).unwrap();
        plain().response(&end, &Response::new(status, "application/json", body))
    };
    for (status, code) in [(200, 0), (400, 21220), (422, 10000)] {
        assert!(answer(status, code).is_ok(), "{status} {code}");
    }
    assert_eq!(answer(404, 20404).unwrap_err().kind, SendErrorKind::Rejected);
    assert!(matches!(answer(500, 20504).unwrap_err().retry, Retry::After(_)));
}

/// A number is looked for by its digits, and each setting that takes its calls and texts elsewhere is told;
/// `SignalWire` takes no number of tries behind an address, so none is asked for.
#[test]
fn numbers_are_judged() {
    let number = ProxyNumber::parse("+14155550150").unwrap();
    let asked = plain().number(&number).unwrap().url;
    assert!(asked.ends_with("/IncomingPhoneNumbers?PhoneNumber=%2B14155550150"), "{asked}");
    let good = json!({
        "phone_number": "+14155550150", "trunk_sid": null,
        "voice_url": "https://relay.example.com/hooks/signalwire/call", "voice_method": "POST",
        "voice_fallback_url": "https://static.example/calls.xml", "voice_application_sid": null,
        "sms_url": "https://relay.example.com:443/hooks/signalwire/message#rt=9000",
        "sms_method": "POST", "sms_application_sid": null,
        "status_callback": "https://relay.example.com/hooks/signalwire/status",
        "status_callback_method": "POST",
        "capabilities": { "voice": true, "SMS": true, "MMS": true, "fax": true },
    });
    let judge = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut one = good.clone();
        change(&mut one);
        let body = json!({ "incoming_phone_numbers": [one] }).to_string();
        let can = pool::Capabilities { voice: true, sms: true, mms: true };
        let response = Response::new(StatusCode::OK, "application/json", body);
        plain().number_faults(&number, can, &links(), &response).unwrap()
    };
    assert_eq!(judge(&|_| {}), []);
    for (key, value, found) in [
        ("voice_url", json!(null), "VoiceUrl is empty"),
        ("sms_url", json!("https://u:secret@demo.example/x?y=secret"), "https://demo.example/x"),
        ("sms_method", json!("GET"), "SmsMethod is not POST"),
        ("voice_application_sid", json!("b3877c40"), "VoiceApplicationSid is set"),
        ("capabilities", json!({ "voice": true, "SMS": true, "MMS": false }), "at SignalWire"),
        ("phone_number", json!("+14155550199"), "is not a number of this SignalWire account"),
    ] {
        let faults = judge(&|one| one[key] = value.clone());
        let [fault] = &faults[..] else { panic!("{key}: {faults:?}") };
        assert!(fault.grave && fault.found.contains(found), "{key}: {fault:?}");
        assert!(
            !format!("{fault:?}").contains("secret") && !fault.fix.contains("rc="),
            "{fault:?}"
        );
    }
}
