//! jambonz: settings, words for what the fixtures' samples leave out, and faults; cases are in
//! `fixtures/jambonz`.

use http::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::{
    carrier::{
        error::Retry,
        event::{CalleeAnswered, Keys},
        outbound::OutboundMessage,
        plan::{Connect, Gather, Plan, Prompt, Script, Sound, Target, Then, Whisper},
    },
    domain::{message::Body, phone::Identifier},
};

const CARRIER: &str = include_str!("../../../fixtures/jambonz/carrier.toml");

fn settings(change: impl FnOnce(&mut toml::Table)) -> Settings {
    let facts: toml::Table = CARRIER.parse().unwrap();
    let mut values = facts["settings"].as_table().unwrap().clone();
    change(&mut values);
    let api_base = facts["api_base"].as_str().map(str::to_owned);
    Settings { id: "jambonz".to_owned(), api_base, values }
}

fn carrier(change: impl FnOnce(&mut toml::Table)) -> Jambonz {
    Jambonz { config: Config::read(&settings(change)).unwrap() }
}

fn faults(change: impl FnOnce(&mut toml::Table)) -> Vec<String> {
    let faults = Config::read(&settings(change)).map(|_| ()).unwrap_err();
    faults.iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect()
}

fn links() -> Links {
    Links::new("https://relay.example.com", "jambonz")
}

fn leg() -> LegId {
    LegId::parse("LG01900000000070008000000000000002").unwrap()
}

fn prompt(text: &str, language: &str) -> Prompt {
    Prompt { text: text.to_owned(), language: language.to_owned() }
}

fn proxy() -> ProxyNumber {
    ProxyNumber::parse("+14155550150").unwrap()
}

fn person() -> Identifier {
    Identifier::parse("+447700900001").unwrap()
}

fn text(words: &str, media: &[&str]) -> Outbound {
    Outbound::Message(OutboundMessage {
        leg: leg(),
        from: proxy().into(),
        to: person(),
        body: Body::new(words.to_owned()),
        media: media.iter().map(|one| (*one).to_owned()).collect(),
        validity: Duration::from_hours(1),
    })
}

fn verbs(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.response.body).unwrap()
}

/// The verbs that word a plan.
fn word(carrier: &Jambonz, plan: Plan) -> Value {
    verbs(&carrier.reply(&Answer::Plan(plan), &links()))
}

fn connect(screen: bool) -> Plan {
    Plan::Connect(Connect {
        leg: leg(),
        to: vec![Target { leg: leg(), number: person() }],
        caller_id: proxy(),
        announce: None,
        ring_timeout: Duration::from_secs(25),
        duration_max: Duration::from_hours(1),
        screen,
        accept: false,
        turn: 0,
    })
}

/// Every fault is told at once, with its key, and none with a value.
#[test]
fn faults_are_told_at_once() {
    let mut broken = settings(|values| {
        values.remove("api_key");
        values.insert("account_sid".into(), "not/an/id-s3cret".into());
        values.insert("application_sid".into(), 7.into());
        values.insert("webhook_secret".into(), "two words s3cret\n".into());
        values.insert("trunk".into(), "".into());
        values.insert("texts".into(), "s3cret".into());
        values.insert("voices".into(), "s3cret".into());
        values.insert("apikey".into(), "s3cret".into());
    });
    broken.api_base = None;
    let told = Config::read(&broken).map(|_| ()).unwrap_err();
    let keys: Vec<&str> = told.iter().map(|one| one.key.as_str()).collect();
    let expected = [
        "apikey",
        "api_base",
        "account_sid",
        "application_sid",
        "api_key",
        "webhook_secret",
        "trunk",
        "texts",
        "voices",
    ];
    assert_eq!(keys, expected);
    assert!(!format!("{told:?}").contains("s3cret"), "{told:?}");
    let alone = faults(|values| {
        values.remove("texts");
        values.insert("texts_carrier".into(), "smpp-a".into());
    });
    assert_eq!(alone, ["texts_carrier: counts only beside texts = true"]);
    for voice in ["", "google", "/x", "google/"] {
        let told = faults(|values| {
            values.insert(
                "voices".into(),
                toml::Table::from_iter([("en".into(), voice.into())]).into(),
            );
        });
        assert_eq!(
            told,
            ["voices.en: must be a language, and its voice as \"vendor/voice\""],
            "{voice}"
        );
    }
}

/// The API is found whether or not its version is in the address.
#[test]
fn the_address_may_name_the_version() {
    for base in ["https://j.example/api", "https://j.example/api/v1", "https://j.example/api/v1/"] {
        let settings = Settings { api_base: Some(base.into()), ..settings(|_| {}) };
        let config = Config::read(&settings).unwrap();
        assert_eq!(config.url("x"), "https://j.example/api/v1/x");
    }
}

/// Without an SMPP gateway the carrier has calls only: it sends no text, and takes none.
#[test]
fn texts_are_carried_only_where_they_are_switched_on() {
    let silent = carrier(|values| {
        values.remove("texts");
    });
    let can = silent.capabilities();
    assert_eq!((can.voice, can.sms), (true, false));
    assert!(silent.request(&text("hello", &[]), &links()).is_err());
    let body = json!({ "from": "447700900001", "to": "14155550150", "text": "hello" }).to_string();
    let request = Request::post(links().message(), "application/json", body);
    let events = silent.parse(&request).unwrap();
    assert!(matches!(events[..], [Inbound::Ignored(_)]), "{events:?}");
    let named = carrier(|values| {
        values.insert("texts_carrier".into(), "smpp-a".into());
    });
    assert!(named.capabilities().sms);
    assert!(named.request(&text("hello", &["https://m.example/1.jpg"]), &links()).is_err());
    let request = named.request(&text("hello", &[]), &links()).unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["carrier"], "smpp-a");
}

/// What an SMS centre has no room for is tried again only where it is one text: of a long one the first
/// parts may be on their way.
#[test]
fn long_texts_are_not_tried_again() {
    let answer = json!({ "sid": "1", "smpp_err_code": 0x58 }).to_string();
    let status = StatusCode::from_u16(480).unwrap();
    let answer = Response::new(status, "application/json", answer);
    for (length, retry) in [(70, Retry::After(Duration::from_secs(1))), (71, Retry::Unknown)] {
        let text = text(&"é".repeat(length), &[]);
        let error = carrier(|_| {}).response(&text, &answer).unwrap_err();
        assert_eq!((error.retry, error.carrier_code.as_deref()), (retry, Some("smpp-88")));
    }
}

/// A caller hears a tone, a sound of the operator's, or the network; never the network where whoever
/// answers is asked first, since the two would be connected for it.
#[test]
fn a_caller_hears_whoever_answers_only_once_they_are_connected() {
    let tone = "tone_stream://%(2000,4000,440,480);loops=-1";
    let set = |sound: &'static str| {
        carrier(|values| {
            values.insert("ringback".into(), sound.into());
        })
    };
    let own = "https://m.example/ring.mp3";
    let cases = [
        (carrier(|_| {}), [json!(tone), json!(tone)]),
        (set(own), [json!(own), json!(own)]),
        (set("network"), [Value::Null, json!(tone)]),
    ];
    for (carrier, expected) in cases {
        let heard =
            [false, true].map(|screen| word(&carrier, connect(screen))[0]["dialMusic"].clone());
        assert_eq!(heard, expected);
    }
}

/// A prompt is spoken by the voice for its language, for it in any region, or by the application's.
#[test]
fn prompts_have_their_languages_voice() {
    let carrier = carrier(|values| {
        let voices = [("fr", "google/fr-FR-Neural2-A"), ("EN-gb", "aws/Amy")];
        let voices = voices.map(|(language, voice)| (language.to_owned(), voice.into()));
        values.insert("voices".into(), toml::Table::from_iter(voices).into());
    });
    let says = |language: &str| {
        word(&carrier, Plan::Announce(prompt("Bonjour", language)))[0]["synthesizer"].clone()
    };
    let french = json!({ "vendor": "google", "language": "fr-CA", "voice": "fr-FR-Neural2-A" });
    assert_eq!(says("fr-CA"), french);
    assert_eq!(says("en-GB")["voice"], "Amy");
    assert_eq!(says("en-US"), Value::Null);
}

/// Of a script's prompts the last stands inside of what waits for keys, silence after it makes the wait
/// longer, and keys that were pressed in time are not lost for want of another.
#[test]
fn keys_are_waited_for() {
    let carrier = carrier(|_| {});
    let keys = |prompts: Vec<Sound>| {
        let gather =
            Gather { prompts, timeout: Duration::from_secs(5), digits_max: 100, finish: Some('*') };
        let script = Script { leg: leg(), turn: 2, sounds: Vec::new(), then: Then::Keys(gather) };
        word(&carrier, Plan::Script(Box::new(script)))
    };
    let say = |text: &str| Sound::Say(prompt(text, "en-US"));
    let pause = |seconds| Sound::Pause(Duration::from_secs(seconds));
    let all = keys(vec![say("One"), pause(3), say("Two"), pause(1), pause(2)]);
    let [one, silence, gather] = &all.as_array().unwrap()[..] else { panic!("{all}") };
    assert_eq!(one, &json!({ "verb": "say", "text": "One" }));
    assert_eq!(silence, &json!({ "verb": "pause", "length": 3 }));
    assert_eq!(gather["say"], json!({ "text": "Two" }));
    let times = ["timeout", "interDigitTimeout", "minDigits", "maxDigits"].map(|key| &gather[key]);
    assert_eq!(times, [8, 5, 1, 32]);
    assert_eq!(gather["finishOnKey"], "*");
    let played = keys(vec![Sound::Play("https://m.example/a.mp3".to_owned())]);
    assert_eq!(played[0]["play"], json!({ "url": "https://m.example/a.mp3" }));
    assert_eq!(keys(vec![pause(2)])[0]["timeout"], 7);
    assert_eq!(keys(Vec::new()).as_array().unwrap().len(), 1);
}

/// I3: whoever answers is asked by a document that ends in a hang-up, and only an acceptance has no verb
/// that jambonz would leave out there; elsewhere a call ends whether it was answered or not.
#[test]
fn i3_who_is_asked_is_connected_only_by_an_acceptance() {
    let carrier = carrier(|_| {});
    let accept = Some(prompt("Press 1.", "en-US"));
    let asks =
        word(&carrier, Plan::Whisper(Whisper { leg: leg(), say: None, accept, optional: false }));
    assert_eq!(asks[0]["verb"], "gather");
    assert_eq!(asks[1], json!({ "verb": "hangup" }));
    let id = "7e1f3b9a-0000-4000-8000-000000000002".to_owned();
    let answered = [Inbound::CalleeAnswered(CalleeAnswered { leg: leg(), id })];
    let pressed = |turn| [Inbound::Keys(Keys { leg: leg(), digits: "1".to_owned(), turn })];
    for events in [&answered[..], &pressed(0)] {
        let reply = |plan| verbs(&carrier.reply_to(&Answer::Plan(plan), events, &links()));
        assert_eq!(reply(Plan::Hangup), json!([{ "verb": "hangup" }]));
        let stays = json!([{ "verb": "tag", "data": { "leg": leg().to_string() } }]);
        assert_eq!(reply(Plan::Proceed), stays);
    }
    let in_a_script = carrier.reply_to(&Answer::Plan(Plan::Hangup), &pressed(1), &links());
    let end = word(&carrier, Plan::Hangup);
    assert_eq!(verbs(&in_a_script), end);
    assert_eq!([&end[0]["verb"], &end[1]["verb"]], ["hangup", "sip:decline"]);
}

fn answer(body: &Value) -> Response {
    Response::new(StatusCode::OK, "application/json", body.to_string())
}

fn application(change: impl FnOnce(&mut Value)) -> Vec<NumberFault> {
    let hook = |path: &str| {
        let url = format!("https://relay.example.com:443/hooks/jambonz/{path}#rc=1&rp=ct,5xx");
        json!({ "webhook_sid": "1", "url": url, "method": "POST", "username": null })
    };
    let mut one = json!({
        "application_sid": "0e0681b0-d49f-4fb8-b973-b5a3c6758de1",
        "call_hook": hook("call"),
        "call_status_hook": hook("status"),
        "messaging_hook": hook("message"),
        "app_json": null,
        "record_all_calls": 0,
    });
    change(&mut one);
    carrier(|_| {}).account_faults(0, &links(), &answer(&one)).unwrap()
}

#[track_caller]
fn one_fault(faults: &[NumberFault], grave: bool, found: &str, fix: &str) {
    let [fault] = faults else { panic!("{found}: {faults:?}") };
    assert_eq!(fault.grave, grave, "{fault:?}");
    assert!(fault.found.contains(found) && fault.fix.contains(fix), "{fault:?}");
    assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
}

/// Each setting of the application that loses calls or texts is told, with what to set.
#[test]
fn each_wrong_setting_of_the_application_is_told() {
    assert_eq!(application(|_| {}), []);
    let elsewhere = "https://u:s3cret@demo.example/hello?token=s3cret";
    let cases: [(&str, &str, Value, bool, &str, &str); 8] = [
        ("call_hook", "url", elsewhere.into(), true, "is https://demo.example/hello", "/call#rc=3"),
        ("call_hook", "method", "GET".into(), true, "not asked by POST", "to POST"),
        ("call_status_hook", "", Value::Null, true, "is empty", "/hooks/jambonz/status#rc=3"),
        ("messaging_hook", "", Value::Null, true, "is empty", "/hooks/jambonz/message#rc=3"),
        (
            "call_hook",
            "url",
            "https://relay.example.com/hooks/jambonz/call".into(),
            false,
            "is not tried again",
            "#rc=3&rp=ct,rt,5xx",
        ),
        (
            "call_hook",
            "url",
            "https://relay.example.com/hooks/jambonz/call#rc=0&rp=5xx".into(),
            false,
            "is not tried again",
            "#rc=3",
        ),
        ("app_json", "", "[{\"verb\":\"hangup\"}]".into(), true, "app_json is set", "empty"),
        ("record_all_calls", "", 1.into(), false, "records every call", "switch it off"),
    ];
    for (key, inside, value, grave, found, fix) in cases {
        let change = |one: &mut Value| match inside {
            "" => one[key] = value,
            inside => one[key][inside] = value,
        };
        one_fault(&application(change), grave, found, fix);
    }
}

/// An account with another webhook secret is told, without either; one that is not shown is not judged.
#[test]
fn each_wrong_setting_of_the_account_is_told() {
    let judge = |body: Value| carrier(|_| {}).account_faults(1, &links(), &answer(&body));
    let account = |secret: Value| json!({ "account_sid": "9", "webhook_secret": secret });
    for known in ["wh_secret_of_the_fixtures_01", "wh_secret_of_the_fixtures_02"] {
        assert_eq!(judge(account(known.into())), Some(Vec::new()));
    }
    assert_eq!(judge(account(Value::Null)), Some(Vec::new()));
    let other = judge(account("wh_s3cret".into())).unwrap();
    one_fault(&other, true, "webhook secret is another", "set webhook_secret");
    let recorded = judge(json!({ "account_sid": "9", "record_all_calls": true })).unwrap();
    one_fault(&recorded, false, "for the account", "switch it off");
}

/// A number that the account does not have, or that leads elsewhere, is told; an answer that is none is not
/// judged.
#[test]
fn each_wrong_setting_of_a_number_is_told() {
    let carrier = carrier(|_| {});
    let can = pool::Capabilities { voice: true, sms: true, mms: false };
    let judge = |body: &Value| carrier.number_faults(&proxy(), can, &links(), &answer(body));
    let ours = "0e0681b0-d49f-4fb8-b973-b5a3c6758de1";
    let others = json!({ "number": "141555501500", "application_sid": null });
    let one = |application: Value| {
        judge(&json!([others, { "number": "14155550150", "application_sid": application }]))
            .unwrap()
    };
    assert_eq!(one(ours.into()), []);
    one_fault(&one(Value::Null), true, "go elsewhere", ours);
    one_fault(&one("1".into()), true, "go elsewhere", ours);
    one_fault(&judge(&json!([others])).unwrap(), true, "is not a number of this", ours);
    for body in ["", "{}", "<html>", "7"] {
        let response = Response::new(StatusCode::OK, "application/json", body);
        assert_eq!(carrier.number_faults(&proxy(), can, &links(), &response), None, "{body}");
        for place in 0..2 {
            assert_eq!(carrier.account_faults(place, &links(), &response), None, "{body}");
        }
    }
    let asked = carrier.number(&proxy()).unwrap().url;
    assert_eq!(asked, "https://jambonz.example.com/api/v1/PhoneNumbers?filter=14155550150");
}
