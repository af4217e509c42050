//! Vonage: settings, signatures of both kinds, the SMS API and faults; cases are in `fixtures/vonage`.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use super::*;
use crate::{
    carrier::{
        error::{Retry, SendErrorKind},
        event::{Keys, Part},
        links::Step,
        outbound::OutboundMessage,
        plan::{Gather, Plan, Prompt, Script, Sound, Then},
        signature,
    },
    domain::{message::Body, phone::Identifier},
    ids::LegId,
};

const CARRIER: &str = include_str!("../../../fixtures/vonage/carrier.toml");

/// 2020-01-01T12:00:00Z: the time in the vectors of the SMS API.
const NOW: Timestamp = Timestamp::from_millis(1_577_880_000_000);

/// Parameters of an SMS webhook, and what Vonage's own SDK for Python (`vonage` 4.9.1) signs them
/// with, the signature secret being `sig_secret_0123456789`.
const SMS: &str = "msisdn=447700900001&to=447700900000&messageId=0A0000000123ABCD1\
    &text=A+%26+B+%3D+C+%E2%98%83&type=unicode&keyword=A&api-key=abcd1234\
    &message-timestamp=2020-01-01+12%3A00%3A00&timestamp=1577880000\
    &nonce=aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
const SHA256: &str = "f138d8efe746fd4b6058ca613f5cff980299a1cc8eef00a173450832fec92e7c";
const SHA512: &str = "d97f9b7b66f0b1a9e994355ccf01851c4197b56c32582a7791a61e5ec7efde5f\
    806dba44b22dd6e8ed896fc7b75955003a275a5892dc14f98cdff3b57d1aa004";

fn settings(change: impl FnOnce(&mut toml::Table)) -> Settings {
    let facts: toml::Table = CARRIER.parse().unwrap();
    let mut values = facts["settings"].as_table().unwrap().clone();
    change(&mut values);
    Settings { id: "vonage".to_owned(), api_base: None, values }
}

pub(super) fn carrier(change: impl FnOnce(&mut toml::Table)) -> Vonage {
    Vonage { config: Config::read(&settings(change)).unwrap() }
}

/// A carrier whose texts go through the SMS API, with the vectors' secret.
fn over_sms(signature: &str) -> Vonage {
    carrier(|values| {
        values.insert("api_key".into(), "abcd1234".into());
        values.insert("signature_secret".into(), "sig_secret_0123456789".into());
        values.insert("texts".into(), "sms".into());
        values.insert("sms_signature".into(), signature.into());
    })
}

fn links() -> Links {
    Links::new("https://relay.example.com", "vonage")
}

fn leg() -> LegId {
    LegId::parse("LG01900000000070008000000000000002").unwrap()
}

fn form(body: impl Into<String>) -> Request {
    Request::post(links().message(), "application/x-www-form-urlencoded", body.into())
}

fn faults(change: impl FnOnce(&mut toml::Table)) -> Vec<String> {
    let faults = Config::read(&settings(change)).map(|_| ()).unwrap_err();
    faults.iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect()
}

/// Every fault is told at once, with its key, and none with a value.
#[test]
fn faults_are_told_at_once() {
    let told = faults(|values| {
        values.remove("api_secret");
        values.insert("application_id".into(), "not-a-uuid-s3cret".into());
        values.insert("signature_secret".into(), "two words s3cret\n".into());
        values.insert("private_key".into(), "-----BEGIN PRIVATE KEY-----\ns3cret\n".into());
        values.insert("texts".into(), "s3cret".into());
        values.insert("apikey".into(), "s3cret".into());
    });
    let keys: Vec<&str> = told.iter().filter_map(|one| one.split(':').next()).collect();
    let expected =
        ["apikey", "api_secret", "application_id", "signature_secret", "private_key", "texts"];
    assert_eq!(keys, expected);
    assert!(!told.concat().contains("s3cret"), "{told:?}");
    let alone = faults(|values| {
        values.insert("sms_signature".into(), "sha256".into());
    });
    assert_eq!(alone, ["sms_signature: counts only beside texts = \"sms\""]);
    let md5 = faults(|values| {
        values.insert("texts".into(), "sms".into());
        values.insert("sms_signature".into(), "md5".into());
    });
    assert_eq!(md5, ["sms_signature: must be \"sha256\" or \"sha512\""]);
}

/// A webhook of the SMS API is taken with the signature that Vonage's SDK makes, as a form and as
/// JSON, and in hex of either case.
#[test]
fn sms_vectors_are_taken() {
    for (method, tag) in [("sha256", SHA256), ("sha512", SHA512)] {
        let carrier = over_sms(method);
        for tag in [tag.to_owned(), tag.to_uppercase()] {
            let request = form(format!("{SMS}&sig={tag}"));
            assert_eq!(carrier.verify(&request, NOW), Ok(()), "{method}");
            let members = form_urlencoded::parse(request.body.as_ref());
            let json: serde_json::Map<String, Value> =
                members.map(|(name, value)| (name.into(), value.into())).collect();
            let json = Value::Object(json).to_string();
            let json = Request::post(links().message(), "application/json", json);
            assert_eq!(carrier.verify(&json, NOW), Ok(()), "{method}");
            assert_eq!(carrier.parse(&json), carrier.parse(&request));
        }
        let events = carrier.parse(&form(format!("{SMS}&sig={tag}"))).unwrap();
        let [Inbound::Message(text)] = &events[..] else { panic!("{events:?}") };
        assert_eq!(text.body.expose(), "A & B = C ☃");
        assert_eq!((text.id.as_str(), text.to.as_str()), ("0A0000000123ABCD1", "+447700900000"));
    }
}

/// A form that is changed in any byte, old, signed by another method or account, given twice, in the
/// address, or for a carrier whose texts come through the Messages API, is refused.
#[test]
fn forged_sms_webhooks_are_refused() {
    let carrier = over_sms("sha256");
    let body = format!("{SMS}&sig={SHA256}");
    for at in 0..body.len() {
        for bit in [0x20, 1, 2, 4, 0x40] {
            let mut bytes = body.clone().into_bytes();
            bytes[at] ^= bit;
            let mut request = form("");
            request.body = bytes.into();
            assert!(carrier.verify(&request, NOW).is_err(), "byte {at} ^ {bit}");
        }
    }
    let refused = Err(WebhookError::BadSignature);
    let request = form(body.clone());
    for seconds in [301, 100_000] {
        for now in [NOW + Duration::from_secs(seconds), NOW - Duration::from_secs(seconds)] {
            assert_eq!(carrier.verify(&request, now), Err(WebhookError::Stale));
        }
    }
    assert_eq!(over_sms("sha512").verify(&request, NOW), refused);
    assert_eq!(super::tests::carrier(|_| {}).verify(&request, NOW), refused);
    for body in [SMS.to_owned(), format!("{body}&to=447700900001"), format!("{body}&x=1")] {
        assert_eq!(carrier.verify(&form(body), NOW), refused);
    }
    let mut empty = form("");
    empty.url = format!("{}?{body}", empty.url);
    assert_eq!(carrier.verify(&empty, NOW), refused);
    let mut tokened = form(body);
    tokened.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
    assert_eq!(carrier.verify(&tokened, NOW), refused);
}

/// A part of a long text says which one it is of which text; one that does not is a text of its own.
#[test]
fn sms_parts_are_read() {
    let carrier = over_sms("sha256");
    let part = |more: &str| match &carrier.parse(&form(format!("{SMS}{more}"))).unwrap()[..] {
        [Inbound::Message(text)] => text.part.clone(),
        other => panic!("{other:?}"),
    };
    let parts = "&concat=true&concat-ref=41&concat-total=3&concat-part=2";
    assert_eq!(part(parts), Part::new("41", 2, 3));
    assert!(part(parts).is_some());
    for (from, to) in [
        ("part=2", "part=4"),
        ("part=2", "part=0"),
        ("total=3", "total=x"),
        ("total=3", "total=1"),
        ("concat-ref=41", "concat-ref="),
        ("concat=true", "concat=false"),
        (parts, ""),
    ] {
        assert_eq!(part(&parts.replace(from, to)), None, "{to}");
    }
}

/// Receipts of the SMS API name our leg in what is signed; other kinds are told apart.
#[test]
fn sms_receipts_are_read() {
    let carrier = over_sms("sha256");
    let read = |body: String| format!("{:?}", carrier.parse(&form(body)).unwrap());
    let receipt = |status: &str| {
        read(format!(
            "msisdn=447700900001&to=447700900000&messageId=0B00&status={status}&err-code=6\
             &client-ref={}",
            leg()
        ))
    };
    for (status, state) in [
        ("accepted", "Sent"),
        ("buffered", "Sent"),
        ("delivered", "Delivered"),
        ("expired", "Undelivered"),
        ("failed", "Undelivered"),
        ("rejected", "Failed"),
    ] {
        let told = receipt(status);
        assert!(told.contains(&format!("state: {state}")), "{status}: {told}");
        assert!(told.contains(leg().as_str()) && told.contains("Some(\"6\")"), "{told}");
    }
    assert!(receipt("unknown").contains("Ignored"));
    for body in ["msisdn=1&to=2&type=binary&messageId=3&data=00", "a=1", "msisdn=1&to=2"] {
        assert!(read(body.to_owned()).contains("Ignored"), "{body}");
    }
}

fn token(header: &Value, claims: &Value, secret: &str) -> String {
    let message = format!(
        "{}.{}",
        BASE64URL.encode(header.to_string()),
        BASE64URL.encode(claims.to_string())
    );
    let tag = signature::sign_sha256(secret.as_bytes(), message.as_bytes());
    format!("{message}.{}", BASE64URL.encode(tag))
}

fn signed(change: impl FnOnce(&mut Value, &mut Value)) -> Request {
    let body = "{}";
    let carrier = carrier(|_| {});
    let mut header = json!({ "alg": "HS256", "typ": "JWT" });
    let mut claims = json!({
        "iat": NOW.seconds(), "jti": "1", "iss": "Vonage", "payload_hash": token::sha256(b"{}"),
        "api_key": carrier.config.api_key, "application_id": carrier.config.application_id,
    });
    change(&mut header, &mut claims);
    let token = token(&header, &claims, &carrier.config.signature_secrets[0]);
    Request::post(links().status(), "application/json", body)
        .with_header(AUTHORIZATION, &format!("Bearer {token}"))
}

/// A token with the right secret is still refused if it names another algorithm, issuer, account or
/// application, or does not cover the body.
#[test]
fn tokens_must_be_ours_and_cover_the_body() {
    let carrier = carrier(|_| {});
    assert_eq!(carrier.verify(&signed(|_, _| {}), NOW), Ok(()));
    let without = signed(|_, claims| claims["application_id"] = Value::Null);
    assert_eq!(carrier.verify(&without, NOW), Ok(()));
    let changes: [(&str, Value); 5] = [
        ("iss", "vonage".into()),
        ("api_key", "other".into()),
        ("application_id", "00000000-bbbb-cccc-dddd-0123456789ab".into()),
        ("payload_hash", Value::Null),
        ("payload_hash", token::sha256(b"{ }").into()),
    ];
    for (claim, value) in changes {
        let request = signed(|_, claims| claims[claim] = value.clone());
        assert_eq!(carrier.verify(&request, NOW), Err(WebhookError::BadSignature), "{claim}");
    }
    for alg in ["none", "RS256", "hs256", "HS512"] {
        let request = signed(|header, _| header["alg"] = alg.into());
        assert_eq!(carrier.verify(&request, NOW), Err(WebhookError::BadSignature), "{alg}");
    }
    let far = signed(|_, claims| claims["iat"] = i64::MAX.into());
    assert_eq!(carrier.verify(&far, NOW), Err(WebhookError::Stale));
}

/// A GET is taken only at the address that asks what to say to somebody who answered, without a body: a
/// token covers neither.
#[test]
fn a_get_is_a_question_for_whoever_answered() {
    let carrier = carrier(|_| {});
    let asks = |url: String, body: &'static str| {
        let request = signed(|_, claims| claims["payload_hash"] = Value::Null);
        Request { method: Method::GET, url, body: body.into(), ..request }
    };
    let good = links().step(Step::Whisper, &leg());
    assert_eq!(carrier.verify(&asks(format!("{good}&to=1&uuid=2"), ""), NOW), Ok(()));
    let keys = links().step(Step::Keys, &leg());
    for (url, body) in [(keys, ""), (links().call(), ""), (good, "{}")] {
        let refused = Err(WebhookError::BadSignature);
        assert_eq!(carrier.verify(&asks(url.clone(), body), NOW), refused, "{url}");
    }
}

/// Somebody who answered and is not to be connected is hung up by a request, and kept waiting until
/// then; a caller's call ends with an empty document, and nobody is hung up.
#[test]
fn who_is_turned_away_is_never_connected() {
    let carrier = carrier(|_| {});
    let hangup = Answer::Plan(Plan::Hangup);
    let address = format!("{}?step=keys&leg={}", links().call(), leg());
    let mut request = Request::post(address, "application/json", "");
    request.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
    request.body = r#"{"dtmf":{"digits":"2"},"uuid":"aaaa-bbbb"}"#.into();
    let events = carrier.parse(&request).unwrap();
    let reply = carrier.reply_to(&hangup, &events, &links());
    assert_eq!(reply.response.body, r#"[{"action":"wait","timeout":7200}]"#);
    let [command] = &reply.commands[..] else { panic!("{reply:?}") };
    assert_eq!(command.method, Method::PUT);
    assert_eq!(command.url, "https://api.nexmo.com/v1/calls/aaaa-bbbb");
    assert_eq!(command.body, r#"{"action":"hangup"}"#);
    let proceed = carrier.reply_to(&Answer::Plan(Plan::Proceed), &events, &links());
    assert!(proceed.commands.is_empty());
    let caller = [Inbound::Keys(Keys { leg: leg(), digits: "2".into(), turn: 1 })];
    let reply = carrier.reply_to(&hangup, &caller, &links());
    assert_eq!((reply.response.body.as_ref(), reply.commands.len()), (&b"[]"[..], 0));
}

/// A request to the Voice API leaves with a token that the application's public key verifies, of this
/// minute, and other requests leave as they are.
#[test]
fn calls_leave_with_a_token() {
    let carrier = carrier(|_| {});
    let probe = carrier.authorize(carrier.probe_calls().unwrap(), NOW);
    let token = probe.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    let (message, tag) = token.rsplit_once('.').unwrap();
    let key = carrier.config.key_pair.public_key().as_ref();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(message.as_bytes(), &BASE64URL.decode(tag).unwrap())
        .unwrap();
    let part = |at| -> Value {
        let text = BASE64URL.decode(message.split('.').nth(at).unwrap()).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    assert_eq!(part(0), json!({ "alg": "RS256", "typ": "JWT" }));
    let claims = part(1);
    assert_eq!(claims["application_id"], carrier.config.application_id);
    assert_eq!(claims["iat"], NOW.seconds());
    assert_eq!(claims["exp"], NOW.seconds() + 300);
    assert_eq!(claims["jti"].as_str().unwrap().len(), 32);
    let later = carrier.authorize(carrier.probe_calls().unwrap(), NOW + Duration::from_millis(1));
    assert_ne!(later.headers, probe.headers);
    let other = carrier.probe().unwrap();
    assert_eq!(carrier.authorize(other.clone(), NOW).headers, other.headers);
}

fn text(words: &str, media: &[&str], seconds: u64) -> Outbound {
    Outbound::Message(OutboundMessage {
        leg: leg(),
        from: ProxyNumber::parse("+447700900000").unwrap().into(),
        to: Identifier::parse("+447700900001").unwrap(),
        body: Body::new(words.to_owned()),
        media: media.iter().map(|address| (*address).to_owned()).collect(),
        validity: Duration::from_secs(seconds),
    })
}

/// A text over the SMS API is a form with the leg as its reference, and says whether it fits the
/// GSM alphabet; a picture is refused.
#[test]
fn texts_over_the_sms_api() {
    let carrier = over_sms("sha256");
    assert!(!carrier.capabilities().mms);
    for (words, kind) in [("It's 5 € [ok]", "text"), ("“né” ☃", "unicode"), ("ç", "unicode")]
    {
        let request = carrier.request(&text(words, &[], 5), &links()).unwrap();
        assert_eq!(request.url, "https://rest.nexmo.com/sms/json");
        assert!(request.header("authorization").unwrap().starts_with("Basic "));
        let fields: std::collections::BTreeMap<_, _> =
            form_urlencoded::parse(&request.body).into_owned().collect();
        let expected = [
            ("api_key", "abcd1234"),
            ("callback", "https://relay.example.com/hooks/vonage/status"),
            ("client-ref", leg().as_str()),
            ("from", "447700900000"),
            ("status-report-req", "true"),
            ("text", words),
            ("to", "447700900001"),
            ("ttl", "20000"),
            ("type", kind),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields, expected.into_iter().collect());
    }
    let refused = carrier.request(&text("", &["https://m.example/1"], 5), &links()).unwrap_err();
    assert_eq!((refused.kind, refused.retry), (SendErrorKind::Unsupported, Retry::Never));
}

/// The SMS API answers 200 whatever happened: each status means what its table says, and a text of
/// which a part was taken is never tried again.
#[test]
fn errors_inside_a_200() {
    let carrier = over_sms("sha256");
    let meant = |parts: Value| {
        let body = json!({ "message-count": "1", "messages": parts }).to_string();
        let response = Response::new(StatusCode::OK, "application/json", body);
        carrier.response(&text("Hello", &[], 60), &response)
    };
    let good = json!({ "status": "0", "message-id": "0C0000" });
    assert_eq!(meant(json!([good, good])), Ok(Sent { id: "0C0000".into() }));
    let wait = Retry::After(Duration::from_secs(1));
    let table = [
        ("1", SendErrorKind::Throttled, wait),
        ("10", SendErrorKind::Throttled, wait),
        ("2", SendErrorKind::Rejected, Retry::Never),
        ("3", SendErrorKind::Rejected, Retry::Never),
        ("4", SendErrorKind::Config, Retry::Never),
        ("5", SendErrorKind::Unreachable, Retry::Unknown),
        ("6", SendErrorKind::InvalidNumber, Retry::Never),
        ("7", SendErrorKind::Rejected, Retry::Never),
        ("9", SendErrorKind::Config, Retry::Never),
        ("14", SendErrorKind::Config, Retry::Never),
        ("15", SendErrorKind::Config, Retry::Never),
        ("29", SendErrorKind::Config, Retry::Never),
        ("99", SendErrorKind::Rejected, Retry::Never),
    ];
    for (code, kind, retry) in table {
        let error = meant(json!([{ "status": code, "error-text": "words" }])).unwrap_err();
        assert_eq!((error.kind, error.retry), (kind, retry), "{code}");
        assert_eq!(error.carrier_code.as_deref(), Some(code));
        let error = meant(json!([good, { "status": code }])).unwrap_err();
        assert_eq!((error.kind, error.retry), (kind, Retry::Unknown), "{code} after a part");
    }
    for parts in [json!([]), json!(null), json!([{}]), json!([{ "status": "0" }]), json!([7])] {
        assert_eq!(meant(parts.clone()).unwrap_err().retry, Retry::Unknown, "{parts}");
    }
}

/// Pictures go as a message of their own kind, several as a list, words as the first one's caption.
#[test]
fn pictures_are_worded() {
    let carrier = carrier(|_| {});
    let body = |media: &[&str]| -> Value {
        let request = carrier.request(&text("two", media, 60), &links()).unwrap();
        serde_json::from_slice(&request.body).unwrap()
    };
    let one = body(&["https://m.example/1"]);
    assert_eq!(one["image"], json!({ "url": "https://m.example/1", "caption": "two" }));
    assert_eq!((&one["channel"], &one["ttl"]), (&json!("mms"), &json!(300)));
    let two = body(&["https://m.example/1", "https://m.example/2"]);
    let expected = json!([
        { "type": "image", "url": "https://m.example/1", "caption": "two" },
        { "type": "image", "url": "https://m.example/2" },
    ]);
    assert_eq!((&two["message_type"], &two["content"]), (&json!("content"), &expected));
}

/// Only the last sounds of one kind may be ended by a key, and words that begin as SSML does lose
/// that beginning.
#[test]
fn prompts_are_ended_by_keys() {
    let carrier = carrier(|_| {});
    let say = |text: &str| Sound::Say(Prompt { text: text.to_owned(), language: "en-GB".into() });
    let keys = Gather {
        prompts: vec![
            say("a"),
            Sound::Play("https://m.example/1".into()),
            say("b"),
            Sound::Pause(Duration::from_secs(99)),
        ],
        timeout: Duration::from_secs(99),
        digits_max: 99,
        finish: Some('*'),
    };
    let plan =
        Script { leg: leg(), turn: 2, sounds: vec![say(" <SPEAK>c")], then: Then::Keys(keys) };
    let reply = carrier.reply(&Answer::Plan(Plan::Script(Box::new(plan))), &links());
    let actions: Vec<Value> = serde_json::from_slice(&reply.response.body).unwrap();
    let barge: Vec<bool> = actions.iter().map(|one| one["bargeIn"] == true).collect();
    assert_eq!(barge, [false, false, false, true, true, false]);
    assert_eq!(actions[0]["text"], "SPEAK>c");
    assert_eq!(actions[4]["text"], r#"<speak><break time="10s"/></speak>"#);
    let dtmf = json!({ "timeOut": 10, "maxDigits": 20, "submitOnHash": false });
    assert_eq!(actions[5]["dtmf"], dtmf);
    let url = format!("{}&end=*", links().turn(crate::carrier::links::Step::Keys, &leg(), 2));
    assert_eq!(actions[5]["eventUrl"], json!([url]));
}

fn number_faults(carrier: &Vonage, change: impl FnOnce(&mut Value)) -> Vec<NumberFault> {
    let id = &carrier.config.application_id;
    let mut one = json!({
        "country": "GB", "msisdn": "447700900000", "moHttpUrl": "", "type": "mobile-lvn",
        "features": ["SMS", "MMS", "VOICE"], "app_id": id, "voiceCallbackType": "app",
        "voiceCallbackValue": id,
    });
    change(&mut one);
    let body = json!({ "count": 2, "numbers": [{ "msisdn": "4477009000001" }, one] }).to_string();
    let response = Response::new(StatusCode::OK, "application/json", body);
    let can = pool::Capabilities { voice: true, sms: true, mms: true };
    let number = ProxyNumber::parse("+447700900000").unwrap();
    carrier.number_faults(&number, can, &links(), &response).unwrap()
}

/// A number that is linked to the application has no fault; each way to lose its calls or texts is
/// one, with what to do.
#[test]
fn faults_of_a_number() {
    let carrier = carrier(|_| {});
    assert_eq!(number_faults(&carrier, |_| {}), []);
    let told = |change: fn(&mut Value)| -> Vec<String> {
        number_faults(&carrier, change).into_iter().map(|fault| fault.found).collect()
    };
    let elsewhere = told(|one| {
        one["app_id"] = "other".into();
        one["voiceCallbackValue"] = "other".into();
    });
    assert_eq!(elsewhere.len(), 2, "{elsewhere:?}");
    assert_eq!(told(|one| one["voiceCallbackType"] = "tel".into()).len(), 1);
    assert!(told(|one| one["features"] = json!(["SMS", "VOICE"]))[0].contains("can't do mms"));
    assert!(told(|one| one["msisdn"] = "1".into())[0].contains("is not a number of this"));
    let sms = over_sms("sha256");
    let faults = number_faults(&sms, |one| {
        one["moHttpUrl"] = "https://u:secret@demo.example/in?token=secret".into();
    });
    assert!(faults[0].found.contains("https://demo.example/in"), "{faults:?}");
    assert!(faults[0].fix.contains("/hooks/vonage/message"), "{faults:?}");
    assert!(!format!("{faults:?}").contains("secret"), "{faults:?}");
    let own = |one: &mut Value| one["moHttpUrl"] = links().message().into();
    assert_eq!(number_faults(&sms, own), []);
    let number = ProxyNumber::parse("+447700900000").unwrap();
    let can = pool::Capabilities { voice: true, sms: true, mms: true };
    for (body, told) in [("{}", true), ("", false), ("[]", false), (r#"{"numbers":7}"#, false)] {
        let response = Response::new(StatusCode::OK, "application/json", body);
        let faults = carrier.number_faults(&number, can, &links(), &response);
        assert_eq!(faults.is_some(), told, "{body}");
    }
}

/// An application that sends everything here by POST, signed, has no fault; each wrong setting is one
/// that says what to set.
#[test]
fn faults_of_the_application() {
    let hook = |path: &str, method: &str| json!({ "address": format!("https://relay.example.com/hooks/vonage/{path}"), "http_method": method });
    let good = json!({ "capabilities": {
        "voice": { "signed_callbacks": true, "webhooks": {
            "answer_url": hook("call", "POST"), "event_url": hook("status", "POST"),
            "fallback_answer_url": { "address": "https://static.example/ncco.json" } } },
        "messages": { "webhooks": {
            "inbound_url": hook("message", "POST"), "status_url": hook("status", "POST") } },
    }});
    let carrier = carrier(|_| {});
    let judge = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(&format!("/capabilities{pointer}")).unwrap() = value;
        let response = Response::new(StatusCode::OK, "application/json", changed.to_string());
        carrier.account_faults(0, &links(), &response).unwrap()
    };
    assert_eq!(judge("/voice/signed_callbacks", true.into()), []);
    let cases: [(&str, Value, &str); 6] = [
        ("/voice/webhooks/answer_url", hook("call", "GET"), "answer_url is not asked by POST"),
        ("/voice/webhooks/event_url", hook("call", "POST"), "event_url is https://relay"),
        ("/voice/webhooks/answer_url", Value::Null, "answer_url is empty"),
        ("/voice/signed_callbacks", false.into(), "signed_callbacks is off"),
        ("/messages/webhooks/inbound_url", hook("status", "POST"), "inbound_url is https://relay"),
        ("/messages", Value::Null, "messages.inbound_url is empty"),
    ];
    for (pointer, value, found) in cases {
        let faults = judge(pointer, value);
        assert!(faults[0].grave && faults[0].found.contains(found), "{pointer}: {faults:?}");
    }
    let fallback = judge("/voice/webhooks/fallback_answer_url", Value::Null);
    assert!(matches!(&fallback[..], [fault] if !fault.grave), "{fallback:?}");
    let html = Response::new(StatusCode::OK, "text/html", "<html>");
    assert_eq!(carrier.account_faults(0, &links(), &html), None);
}

/// The type of a reply's body is one that Vonage takes.
#[test]
fn documents_are_json() {
    let reply = carrier(|_| {}).reply(&Answer::Plan(Plan::Hangup), &links());
    assert_eq!(reply.response.headers[CONTENT_TYPE], "application/json");
    assert_eq!(reply.response.body, "[]");
}

/// Recordings are fetched from the API and from each of its regions, wherever the API is for us, and from
/// nowhere else.
#[test]
fn recordings_lie_in_every_region() {
    let mut elsewhere = settings(|_| {});
    elsewhere.api_base = Some("http://127.0.0.1:9".to_owned());
    let other = Vonage { config: Config::read(&elsewhere).unwrap() };
    for host in
        ["api.nexmo.com", "api-us-3.vonage.com", "api-eu-4.vonage.com", "api-ap-3.vonage.com"]
    {
        let address = format!("https://{host}/v1/files/bbbbbbbb-aaaa-4ccc-8ddd-0123456789ab");
        for carrier in [&carrier(|_| {}), &other] {
            assert_eq!(carrier.media(&address).map(|request| request.url), Some(address.clone()));
            for bad in ["http://", "https://evil."] {
                assert!(carrier.media(&address.replace("https://", bad)).is_none(), "{bad}{host}");
            }
            assert!(carrier.media(&address.replace("files", "calls")).is_none(), "{host}");
        }
    }
    assert!(carrier(|_| {}).media("https://api-zz-3.vonage.com/v1/files/1").is_none());
}
