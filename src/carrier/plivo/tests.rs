//! Cases that a captured webhook can't show. The rest is `tests/carriers.rs` over the fixtures.

use http::{HeaderName, header::AUTHORIZATION};
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::{
    carrier::{
        event::CalleeAnswered,
        form::FORM,
        outbound::{OutboundCall, OutboundMessage},
        plan::{Prompt, Whisper},
    },
    domain::{message::Body, phone::Identifier},
    ids::LegId,
};

pub(super) const APPLICATION: &str = "29986316244302815";

const MAIN: &str = "MAENTREMISE000000000";
const SUB: &str = "SAENTREMISE000000000";
const SIGNATURE: HeaderName = HeaderName::from_static("x-plivo-signature-v3");
const SIGNATURE_MAIN: HeaderName = HeaderName::from_static("x-plivo-signature-ma-v3");
const SIGNATURE_V2: HeaderName = HeaderName::from_static("x-plivo-signature-v2");
const NONCE: HeaderName = HeaderName::from_static("x-plivo-signature-v3-nonce");
const NONCE_V2: HeaderName = HeaderName::from_static("x-plivo-signature-v2-nonce");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    token: String,
    nonce: String,
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    method: String,
    url: String,
    form: Option<String>,
    signature: String,
}

impl Vector {
    fn request(&self, nonce: &str) -> Request {
        let request = match &self.form {
            Some(form) => Request::post(&*self.url, FORM, form.clone()),
            None => Request::new(self.method.parse().unwrap(), &*self.url),
        };
        request.with_header(SIGNATURE, &self.signature).with_header(NONCE, nonce)
    }
}

fn vectors() -> Vectors {
    toml::from_str(include_str!("../../../fixtures/plivo/vectors.toml")).unwrap()
}

/// The vector with a form, and the vectors' token.
fn first() -> (Request, String, String) {
    let vectors = vectors();
    let vector = &vectors.vector[0];
    (vector.request(&vectors.nonce), vectors.token, vector.signature.clone())
}

fn settings(toml: &str) -> Settings {
    Settings { id: "plivo".into(), api_base: None, values: toml.parse().unwrap() }
}

fn carrier(token: &str) -> Box<dyn Carrier> {
    build(&settings(&format!("auth_id = '{MAIN}'\nauth_token = '{token}'"))).unwrap()
}

/// The settings of an account; without an application where its id is empty.
pub(super) fn config(application: &str) -> Config {
    let named = format!("application_id = '{application}'");
    let named = if application.is_empty() { "" } else { &named };
    let toml = format!("auth_id = '{MAIN}'\nauth_token = 'a-token'\n{named}");
    Config::read(&settings(&toml)).unwrap()
}

fn verify(carrier: &dyn Carrier, request: &Request) -> bool {
    carrier.verify(request, Timestamp::EPOCH).is_ok()
}

/// Every signature that Plivo's SDK made is taken, and none under another token.
#[test]
fn signatures_of_the_sdk_are_taken() {
    let vectors = vectors();
    assert_eq!(vectors.vector.len(), 7);
    for vector in &vectors.vector {
        let request = vector.request(&vectors.nonce);
        assert!(verify(&*carrier(&vectors.token), &request), "{}", vector.name);
        assert!(!verify(&*carrier("another-token"), &request), "{}", vector.name);
    }
}

/// A signature counts only for what it was made over: its body, its kind, its method and its nonce; and
/// not if it, or the other header, is there twice.
#[test]
fn a_signature_does_not_travel() {
    let (request, token, signature) = first();
    let as_json = Request { headers: http::HeaderMap::new(), ..request.clone() }
        .with_header(http::header::CONTENT_TYPE, "application/json")
        .with_header(SIGNATURE, &signature)
        .with_header(NONCE, "12345678901234567890");
    let put = Request { method: Method::PUT, ..request.clone() };
    let get = Request { method: Method::GET, ..request.clone() };
    let other_nonce = request.clone().with_header(NONCE, "12345678901234567891");
    let no_nonce = request.clone().with_header(NONCE, "");
    let mut twice = request.clone();
    twice.headers.append(SIGNATURE, signature.parse().unwrap());
    let mut main_twice = request.clone();
    for _ in 0..2 {
        main_twice.headers.append(SIGNATURE_MAIN, signature.parse().unwrap());
    }
    for request in [as_json, put, get, other_nonce, no_nonce, twice, main_twice] {
        assert!(!verify(&*carrier(&token), &request), "{request:?}");
    }
}

/// Plivo signs once for each token of an account: any of them will do, with spaces or without.
#[test]
fn one_of_several_signatures_will_do() {
    let (request, token, signature) = first();
    for list in [
        format!("b3RoZXI=,{signature}"),
        format!("{signature}, b3RoZXI="),
        format!("?, {signature} "),
    ] {
        assert!(
            verify(&*carrier(&token), &request.clone().with_header(SIGNATURE, &list)),
            "{list}"
        );
    }
    let hidden = format!("{}{signature}", "b3RoZXI=,".repeat(8));
    assert!(!verify(&*carrier(&token), &request.with_header(SIGNATURE, &hidden)));
}

/// The second version's signature covers no parameter, and counts for nothing.
#[test]
fn the_second_version_is_refused() {
    let (mut request, token, _) = first();
    request.headers.remove(SIGNATURE);
    let request = request
        .with_header(SIGNATURE_V2, "2nT6AsQgd+Bj60r9SSP6gHp7Tb2LIBQcIg8vjvwdSVA=")
        .with_header(NONCE_V2, "12345678901234567890");
    assert!(!verify(&*carrier(&token), &request));
}

/// The main account's header is made with the main account's token: a subaccount's is none, unless it is
/// told.
#[test]
fn each_header_has_its_own_token() {
    let (request, token, signature) = first();
    let mut main = request.clone();
    main.headers.remove(SIGNATURE);
    let main = main.with_header(SIGNATURE_MAIN, &signature);
    let sub = |more: &str| build(&settings(&format!("auth_id = '{SUB}'\n{more}"))).unwrap();
    let own = sub(&format!("auth_token = '{token}'"));
    assert!(verify(&*own, &request) && !verify(&*own, &main));
    let told = sub(&format!("auth_token = 'sub-token'\nmain_auth_token = '{token}'"));
    assert!(!verify(&*told, &request) && verify(&*told, &main));
    assert!(verify(&*carrier(&token), &main));
    assert!(told.secrets().contains(&token));
}

/// Fields that we need and that are missing, doubled or wrong are named, without their values.
#[test]
fn malformed_fields_are_named() {
    let call = "https://relay.example.com/hooks/plivo/call";
    let step = format!("{call}?leg=LG01900000000070008000000000000001&step");
    let new = "CallStatus=ringing&Direction=inbound&CallUUID=1";
    for (url, body, field) in [
        (call, &*format!("{new}&From=x"), "To"),
        (call, &format!("{new}&From=x&To=x"), "To"),
        (call, &format!("{new}&To=14155550150"), "From"),
        (call, "CallStatus=ringing&CallStatus=busy&CallUUID=1", "CallStatus"),
        (call, "CallStatus=completed&CallUUID=..%2F1", "CallUUID"),
        (call, "MessageUUID=1&Status=sent&MessageUUID=2", "MessageUUID"),
        (call, "MessageUUID=1&To=14155550150&From=x&MediaCount=x", "MediaCount"),
        (call, "MessageUUID=1&To=14155550150&From=x&MediaCount=1", "Media"),
        (call, "MessageUUID=1&To=14155550150&From=x&Media1=a&Media1=b", "Media"),
        (call, "DialAction=connected&DialBLegUUID=1", "leg"),
        (&format!("{step}=none"), "DialAction=connected", "DialBLegUUID"),
        (&format!("{step}=dialled"), "CallUUID=1", "DialStatus"),
        (&format!("{step}=keys"), "CallUUID=1&Digits=%3CDial%3E", "Digits"),
        (&format!("{step}=whisper"), "", "CallUUID"),
        (&format!("{call}?step=whisper"), "CallUUID=1", "leg"),
    ] {
        let request = Request::post(url, FORM, body.to_owned());
        assert_eq!(carrier("t").parse(&request), Err(WebhookError::Malformed(field)), "{body}");
    }
}

/// All that is wrong with the settings is said at once, and no value is repeated.
#[test]
fn faults_come_all_at_once() {
    let wrong = "auth_id = 'MAsecret1'\nauth_token = 'secret2 '\nmain_auth_token = 'secret3'\n\
                 application_id = 'secret4'\ntoken = 'secret5'";
    let faults = build(&settings(wrong)).unwrap_err();
    let mut keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["application_id", "auth_id", "auth_token", "main_auth_token", "token"]);
    assert!(!format!("{faults:?}").contains("secret"), "{faults:?}");
    assert_eq!(build(&settings("")).unwrap_err().len(), 2);
}

fn links() -> Links {
    Links::new("https://relay.example.com", "plivo")
}

fn leg() -> LegId {
    LegId::parse("LG01900000000070008000000000000001").unwrap()
}

fn body(outbound: &Outbound) -> Value {
    let request = carrier("t").request(outbound, &links()).unwrap();
    serde_json::from_slice(&request.body).unwrap()
}

/// Times are kept inside what Plivo takes, and a part of a second never lengthens them.
#[test]
fn times_are_clamped() {
    let text = |validity| {
        body(&Outbound::Message(OutboundMessage {
            leg: leg(),
            from: ProxyNumber::parse("+14155550150").unwrap().into(),
            to: Identifier::parse("+14155550100").unwrap(),
            body: Body::new("x".into()),
            media: vec![],
            validity,
        }))
    };
    assert_eq!(text(Duration::from_millis(90_999))["message_expiry"], 90);
    assert_eq!(text(Duration::ZERO)["message_expiry"], 5);
    assert_eq!(text(Duration::MAX)["message_expiry"], 10_799);
    let call = |length| {
        body(&Outbound::Call(OutboundCall {
            leg: leg(),
            from: ProxyNumber::parse("+14155550150").unwrap(),
            to: Identifier::parse("+14155550100").unwrap(),
            ring_timeout: length,
            duration_max: length,
        }))
    };
    let (least, most) = (call(Duration::ZERO), call(Duration::MAX));
    assert_eq!((&least["ring_timeout"], &least["time_limit"]), (&1.into(), &1.into()));
    assert_eq!((&most["ring_timeout"], &most["time_limit"]), (&600.into(), &14_400.into()));
}

/// What can't be sent is refused before it becomes a request: too many pictures, and an id that would
/// choose another path.
#[test]
fn what_plivo_can_not_do_is_not_asked() {
    let text = |pictures| {
        Outbound::Message(OutboundMessage {
            leg: leg(),
            from: ProxyNumber::parse("+14155550150").unwrap().into(),
            to: Identifier::parse("+14155550100").unwrap(),
            body: Body::new(String::new()),
            media: vec!["https://relay.example.com/media/1".into(); pictures],
            validity: Duration::from_mins(1),
        })
    };
    assert!(carrier("t").request(&text(10), &links()).is_ok());
    let refused = carrier("t").request(&text(11), &links()).unwrap_err();
    assert_eq!(refused.to_string(), "Unsupported, retry Never");
    for id in ["", "../Message", "1/", "1?x", "1#"] {
        let refused = carrier("t").request(&Outbound::EndCall { id: id.into() }, &links());
        assert_eq!(refused.unwrap_err().to_string(), "Rejected, retry Never", "{id}");
    }
}

/// I3: whoever answers and is not to be connected is kept waiting while the call is ended by a request; the
/// caller's own document ends by itself.
#[test]
fn i3_who_is_turned_away_is_hung_up() {
    let plivo = carrier("t");
    let answered = [Inbound::CalleeAnswered(CalleeAnswered { leg: leg(), id: "97ceeb52".into() })];
    let hangup = Answer::Plan(Plan::Hangup);
    let reply = plivo.reply_to(&hangup, &answered, &links());
    let document = String::from_utf8(reply.response.body.to_vec()).unwrap();
    assert!(document.ends_with(r#"<Response><Wait length="3600" silence="true"/></Response>"#));
    let [command] = &reply.commands[..] else { panic!("{} commands", reply.commands.len()) };
    assert_eq!(command.method, Method::DELETE);
    assert_eq!(command.url, format!("https://api.plivo.com/v1/Account/{MAIN}/Call/97ceeb52/"));
    assert!(command.headers.contains_key(AUTHORIZATION));
    let reply = plivo.reply_to(&hangup, &[], &links());
    assert!(reply.commands.is_empty() && reply.response.body.ends_with(b"<Hangup/></Response>"));
}

/// A language is spoken as it is, or as its nearest relative that Plivo's voice has.
#[test]
fn languages_are_those_that_plivo_speaks() {
    for (wanted, spoken) in [
        ("fr-FR", "fr-FR"),
        ("FR-ca", "fr-CA"),
        ("fr-BE", "fr-FR"),
        ("es-MX", "es-US"),
        ("es-AR", "es-ES"),
        ("en", "en-US"),
        ("pt", "pt-BR"),
        ("ja-JP", "en-US"),
        ("", "en-US"),
    ] {
        let say = Some(Prompt { text: "Hello".into(), language: wanted.into() });
        let plan =
            Answer::Plan(Plan::Whisper(Whisper { leg: leg(), say, accept: None, optional: false }));
        let reply = carrier("t").reply(&plan, &links());
        let document = String::from_utf8(reply.response.body.to_vec()).unwrap();
        assert!(
            document.contains(&format!("language=\"{spoken}\">Hello<")),
            "{wanted}: {document}"
        );
    }
}
