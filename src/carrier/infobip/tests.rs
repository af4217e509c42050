//! Infobip: settings, and conversations of commands and events; cases are in `fixtures/infobip`.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    act::{custom_data, language},
    *,
};
use crate::{
    carrier::{
        acts::Act,
        event::{CalleeAnswered, DialEnded, Keys, Played},
        memory::{Memory, Other},
        plan::{
            Connect, Gather, Plan, RejectReason, Script, Sound, Then, Whisper,
            samples::{self, leg, say},
        },
    },
    domain::call::CallState,
};

const CARRIER: &str = include_str!("../../../fixtures/infobip/carrier.toml");
const CALL: &str = "d8d84155-3831-43fb-91c9-bb897149a79d";
const CHILD: &str = "3ad8805e-d401-424e-9b03-e02a2016a5e2";

fn settings(change: impl FnOnce(&mut toml::Table)) -> Settings {
    let facts: toml::Table = CARRIER.parse().unwrap();
    let mut values = facts["settings"].as_table().unwrap().clone();
    change(&mut values);
    Settings { id: "infobip".to_owned(), api_base: None, values }
}

fn carrier() -> Infobip {
    Infobip { config: Config::read(&settings(|_| {})).unwrap() }
}

fn links() -> Links {
    Links::new("https://relay.example.com", "infobip").sealed([7; 32])
}

/// What is still to be done with a call, by the custom data of a command.
fn rest(call: &str, body: &Value) -> Vec<Act> {
    let token = body["customData"]["memory"].as_str().unwrap();
    Memory::open(token, call, &links()).unwrap().unwrap().rest
}

fn connect() -> Connect {
    samples::connect("+447700900002", "+447700900151")
}

/// A change of a number's entry, whether it is grave, and what is told of it.
type Case = (fn(&mut Value), bool, &'static str);

/// A command as (verb or path, body).
type Command = (String, Value);

/// What the adapter makes of an event, and what it asks when the relay answers so.
fn told(kind: &str, call: &str, data: &Value, answer: &Answer) -> (Vec<Inbound>, Vec<Command>) {
    let shown = json!({
        "direction": "INBOUND", "from": "447700900001", "to": "447700900150", "customData": data,
    });
    told_with(kind, call, &json!({ "call": shown, "customData": data }), answer)
}

fn told_with(
    kind: &str,
    call: &str,
    properties: &Value,
    answer: &Answer,
) -> (Vec<Inbound>, Vec<Command>) {
    let links = links();
    let body = json!({ "type": kind, "callId": call, "properties": properties }).to_string();
    let webhook = Request::post(links.call(), "application/json", body);
    let carrier = carrier();
    let events = carrier.parse_with(&webhook, &links).unwrap();
    let reply = carrier.reply_for(answer, &webhook, &events, &links);
    assert_eq!(reply.response, Response::empty(StatusCode::OK));
    let commands = reply.commands.iter().map(|request| {
        assert_eq!(request.method, Method::POST);
        let path = request.url.strip_prefix("https://api.infobip.com/calls/1/").unwrap();
        (path.to_owned(), serde_json::from_slice(&request.body).unwrap_or_default())
    });
    (events, commands.collect())
}

/// The one command, which must go there.
fn only(commands: Vec<Command>, path: &str) -> Value {
    let [(got, body)] = <[Command; 1]>::try_from(commands).unwrap();
    assert_eq!(got, path);
    body
}

fn on(call: &str, verb: &str) -> String {
    format!("calls/{call}/{verb}")
}

fn plan(plan: Plan) -> Answer {
    Answer::Plan(plan)
}

/// Every fault is told at once, with its key, and none with a value.
#[test]
fn faults_are_told_at_once() {
    let read = |change: fn(&mut toml::Table)| Config::read(&settings(change)).unwrap_err();
    let faults = read(|values| {
        values.remove("api_key");
        values.insert("calls_configuration_id".into(), "../s3cret".into());
        values.insert("webhook_username".into(), "a:s3cret".into());
        values.insert("webhook_password".into(), "s3cret".into());
        values.insert("apikey".into(), "s3cret".into());
    });
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    let expected =
        ["apikey", "api_key", "calls_configuration_id", "webhook_username", "webhook_password"];
    assert_eq!(keys, expected);
    assert!(!format!("{faults:?}").contains("s3cret"), "{faults:?}");
}

/// A webhook is taken with either password, and not by another method or in other letters.
#[test]
fn passwords_are_compared_as_they_are() {
    let carrier = carrier();
    let links = Links::new("https://relay.example.com", "infobip");
    let sample = carrier.sample(&links, Timestamp::EPOCH).unwrap();
    let verify = |request: &Request| carrier.verify(request, Timestamp::EPOCH);
    for header in carrier.config.webhook_authorizations() {
        let request = sample.clone().with_header(AUTHORIZATION, &header);
        assert_eq!(verify(&request), Ok(()));
        let got = Request { method: Method::GET, ..request.clone() };
        assert_eq!(verify(&got), Err(WebhookError::BadSignature));
        let lower = request.with_header(AUTHORIZATION, &header.to_lowercase());
        assert_eq!(verify(&lower), Err(WebhookError::BadSignature));
    }
    let none = Request { headers: http::HeaderMap::new(), ..sample };
    assert_eq!(verify(&none), Err(WebhookError::BadSignature));
}

/// A caller who is told something first is answered, told, and only then is the other side rung.
#[test]
fn an_announcement_comes_before_the_dialling() {
    let announced = plan(Plan::Connect(Connect { announce: Some(say("A moment.")), ..connect() }));
    let (_, commands) = told("CALL_RECEIVED", CALL, &json!({}), &announced);
    let kept = only(commands, &on(CALL, "answer"));
    let (_, commands) = told("CALL_ESTABLISHED", CALL, &kept["customData"], &Answer::Ack);
    let spoken = only(commands, &on(CALL, "say"));
    assert_eq!((&spoken["text"], &spoken["language"]), (&json!("A moment."), &json!("en-gb")));
    let (events, commands) = told("SAY_FINISHED", CALL, &spoken["customData"], &Answer::Ack);
    assert!(matches!(events[..], [Inbound::Ignored(_)]), "{events:?}");
    let dialog = only(commands, "dialogs");
    assert_eq!(dialog["parentCallId"], CALL);
    let tone = json!({ "childCallHangup": false, "ringbackGeneration": { "enabled": true } });
    assert_eq!(dialog["propagationOptions"], tone);
    let child = &dialog["childCallRequest"];
    assert_eq!((&child["from"], &child["connectTimeout"]), (&json!("447700900151"), &json!(25)));
    assert_eq!(child["endpoint"], json!({ "type": "PHONE", "phoneNumber": "447700900002" }));
}

/// The end of somebody who was rung ends the dialling of the caller, and what comes next is done with the
/// caller's call.
#[test]
fn the_end_of_the_dialling_is_the_callers() {
    let (_, commands) = told("CALL_RECEIVED", CALL, &json!({}), &plan(Plan::Connect(connect())));
    let dialog = only(commands, "dialogs");
    assert_eq!(dialog["propagationOptions"]["childCallRinging"], true);
    let data = &dialog["childCallRequest"]["customData"];
    let log = json!({ "callLog": { "state": "NO_ANSWER", "customData": data } });
    let (events, commands) = told_with("CALL_FAILED", CHILD, &log, &plan(Plan::Hangup));
    let expected = Inbound::DialEnded(DialEnded {
        leg: leg(1),
        state: CallState::NoAnswer,
        duration: None,
        caller_gone: false,
        turn: 0,
    });
    assert_eq!(events[1], expected);
    assert_eq!(only(commands, &on(CALL, "hangup")), json!({}));
    // Who was connected was answered for it, and is not answered again.
    let talked = json!({ "callLog": {
        "state": "FINISHED", "answerTime": "2026-11-22T10:00:00Z", "customData": data,
    } });
    let announce = plan(Plan::Announce(say("Goodbye.")));
    let (_, commands) = told_with("CALL_FINISHED", CHILD, &talked, &announce);
    assert_eq!(rest(CALL, &only(commands, &on(CALL, "say"))), [Act::Hangup]);
    let next = plan(Plan::Connect(Connect { screen: true, ..connect() }));
    let (_, commands) = told_with("CALL_FAILED", CHILD, &log, &next);
    let paths: Vec<&str> = commands.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, [on(CALL, "send-ringing").as_str(), "calls"]);
    assert_eq!(commands[1].1["parentCallId"], CALL);
    assert_eq!(commands[1].1["maxDuration"], 3600);
}

/// Somebody who is screened is rung by a call of their own, asked, and connected only when they agreed and
/// the caller's call is answered; whether they still may be is asked once more then (I3).
#[test]
fn who_is_screened_is_connected_last() {
    let screened = plan(Plan::Connect(Connect { screen: true, ..connect() }));
    let (_, commands) = told("CALL_RECEIVED", CALL, &json!({}), &screened);
    let data = &commands[1].1["customData"];
    let ask = plan(Plan::Whisper(Whisper {
        leg: leg(2),
        say: Some(say("Bikes.")),
        accept: Some(say("Press 1.")),
        optional: false,
    }));
    let (events, commands) = told("CALL_ESTABLISHED", CHILD, data, &ask);
    let answered = CalleeAnswered { leg: leg(2), id: CHILD.to_owned() };
    assert_eq!(events[1], Inbound::CalleeAnswered(answered));
    let spoken = only(commands, &on(CHILD, "say"));
    assert_eq!(spoken["text"], "Bikes.");
    let (_, commands) = told("SAY_FINISHED", CHILD, &spoken["customData"], &Answer::Ack);
    let asked = only(commands, &on(CHILD, "capture/dtmf"));
    assert_eq!((&asked["maxLength"], &asked["timeout"]), (&json!(1), &json!(10_000)));
    assert_eq!(asked["playContent"]["text"], "Press 1.");
    let pressed = json!({ "dtmf": "1", "customData": asked["customData"] });
    let (events, commands) = told_with("DTMF_CAPTURED", CHILD, &pressed, &plan(Plan::Proceed));
    let keys = Inbound::Keys(Keys { leg: leg(2), digits: "1".into(), turn: 0 });
    assert_eq!(events, std::slice::from_ref(&keys));
    let kept = only(commands, &on(CALL, "answer"));
    let proceed = plan(Plan::Proceed);
    let (events, commands) = told("CALL_ESTABLISHED", CALL, &kept["customData"], &proceed);
    assert_eq!(events[1], keys);
    only(commands, &format!("dialogs/parent-call/{CALL}/child-call/{CHILD}"));
    let hangup = plan(Plan::Hangup);
    let (_, commands) = told("CALL_ESTABLISHED", CALL, &kept["customData"], &hangup);
    only(commands, &on(CHILD, "hangup"));
    let (_, commands) = told_with("DTMF_CAPTURED", CHILD, &pressed, &hangup);
    only(commands, &on(CHILD, "hangup"));
}

/// Somebody who is told who calls and asked nothing is connected once that is said; a caller who was
/// answered before is not answered again.
#[test]
fn a_whisper_without_a_question_connects() {
    let data = Memory {
        leg: Some(leg(2)),
        caller: Some(Other { leg: leg(1), call: CALL.to_owned() }),
        caller_up: true,
        ..Memory::default()
    };
    let data = custom_data(&data, None, &links()).unwrap();
    let whisper =
        |say| plan(Plan::Whisper(Whisper { leg: leg(2), say, accept: None, optional: false }));
    let bridge = format!("dialogs/parent-call/{CALL}/child-call/{CHILD}");
    let tell = whisper(Some(say("Bikes.")));
    let (_, commands) = told("CALL_ESTABLISHED", CHILD, &data, &tell);
    let spoken = only(commands, &on(CHILD, "say"));
    let proceed = plan(Plan::Proceed);
    let (events, commands) = told("SAY_FINISHED", CHILD, &spoken["customData"], &proceed);
    assert_eq!(events, [Inbound::Keys(Keys { leg: leg(2), digits: "1".into(), turn: 0 })]);
    only(commands, &bridge);
    let (_, commands) = told("CALL_ESTABLISHED", CHILD, &data, &whisper(None));
    only(commands, &bridge);
}

/// A script's sounds are heard one after the other, and then the relay is asked, with the turn.
#[test]
fn scripts_are_played_in_order() {
    let sounds = vec![
        Sound::Say(say(" <SPEAK>c")),
        Sound::Play("https://m.example/1".into()),
        Sound::Pause(Duration::from_secs(12)),
    ];
    let script =
        |sounds, then| plan(Plan::Script(Box::new(Script { leg: leg(1), turn: 3, sounds, then })));
    let (_, commands) = told("CALL_RECEIVED", CALL, &json!({}), &script(sounds, Then::Ask));
    let kept = only(commands, &on(CALL, "answer"))["customData"].clone();
    let (_, commands) = told("CALL_ESTABLISHED", CALL, &kept, &Answer::Ack);
    let first = only(commands, &on(CALL, "say"));
    assert_eq!(first["text"], "SPEAK>c");
    let (_, commands) = told("SAY_FINISHED", CALL, &first["customData"], &Answer::Ack);
    let second = only(commands, &on(CALL, "play"));
    assert_eq!(second["content"], json!({ "type": "URL", "fileUrl": "https://m.example/1" }));
    let (_, commands) = told("PLAY_FINISHED", CALL, &second["customData"], &Answer::Ack);
    let third = only(commands, &on(CALL, "say"));
    let marks =
        "<speak><break time=\"5000ms\"/><break time=\"5000ms\"/><break time=\"2000ms\"/></speak>";
    assert_eq!(third["text"], marks);
    let keys = Gather {
        prompts: vec![Sound::Say(say("a")), Sound::Play("https://m.example/2".into())],
        timeout: Duration::from_secs(99),
        digits_max: 99,
        finish: Some('*'),
    };
    let ask = script(Vec::new(), Then::Keys(keys));
    let (events, commands) = told("SAY_FINISHED", CALL, &third["customData"], &ask);
    assert_eq!(events, [Inbound::Played(Played { leg: leg(1), turn: 3 })]);
    let prompt = only(commands, &on(CALL, "say"));
    let (_, commands) = told("SAY_FINISHED", CALL, &prompt["customData"], &Answer::Ack);
    let asked = only(commands, &on(CALL, "capture/dtmf"));
    assert_eq!((&asked["maxLength"], &asked["digitTimeout"]), (&json!(32), &json!(60_000)));
    assert_eq!((&asked["terminator"], &asked["playContent"]["type"]), (&json!("*"), &json!("URL")));
    let pressed = json!({ "dtmf": "12*", "customData": asked["customData"] });
    let (events, _) = told_with("DTMF_CAPTURED", CALL, &pressed, &Answer::Ack);
    assert_eq!(events, [Inbound::Keys(Keys { leg: leg(1), digits: "12".into(), turn: 3 })]);
    let nothing = script(Vec::new(), Then::Ask);
    let (_, commands) = told("CALL_RECEIVED", CALL, &json!({}), &nothing);
    let kept = rest(CALL, &only(commands, &on(CALL, "answer")));
    assert_eq!(kept.iter().map(Act::to_text).collect::<Vec<_>>(), ["pause 100"]);
}

/// A call is turned away unanswered with its reason, and one that was answered is ended.
#[test]
fn calls_are_turned_away() {
    for (reason, word) in [(RejectReason::Busy, "BUSY"), (RejectReason::Declined, "REJECTED")] {
        let reject = plan(Plan::Reject(reason));
        let (_, commands) = told("CALL_RECEIVED", CALL, &json!({}), &reject);
        assert_eq!(only(commands, &on(CALL, "hangup")), json!({ "errorCode": word }));
        let (_, commands) = told("SAY_FINISHED", CALL, &json!({}), &reject);
        assert_eq!(only(commands, &on(CALL, "hangup")), json!({}));
    }
    let nobody = plan(Plan::Connect(Connect { to: Vec::new(), ..connect() }));
    let (_, commands) = told("CALL_RECEIVED", CALL, &json!({}), &nobody);
    only(commands, &on(CALL, "hangup"));
}

/// A language that Infobip has not is spoken as the nearest that it has.
#[test]
fn languages_are_infobips() {
    for (tag, word) in [
        ("en-GB", "en-gb"),
        ("fr-BE", "fr"),
        ("pt", "pt-br"),
        ("zh-Hant-TW", "zh-cn"),
        ("xx", "en"),
        ("", "en"),
    ] {
        assert_eq!(language(tag), word, "{tag}");
    }
}

/// Nothing of a webhook about no call is a command, and nothing becomes a part of a path that is no id.
#[test]
fn commands_name_calls_only() {
    let (carrier, links) = (carrier(), links());
    for id in ["../sms", "", "a b", "a/b"] {
        let body = json!({ "type": "CALL_RECEIVED", "callId": id, "properties": {} }).to_string();
        let webhook = Request::post(links.call(), "application/json", body);
        let reply = carrier.reply_for(&plan(Plan::Hangup), &webhook, &[], &links);
        assert!(reply.commands.is_empty(), "{id}");
        let caller = Some(Other { leg: leg(1), call: id.to_owned() });
        let memory = Memory { leg: Some(leg(2)), caller, ..Memory::default() };
        let data = custom_data(&memory, None, &links).unwrap();
        let (_, commands) = told("CALL_ESTABLISHED", CHILD, &data, &plan(Plan::Proceed));
        assert!(commands.is_empty(), "{id}");
        assert!(carrier.request(&Outbound::EndCall { id: id.into() }, &links).is_err(), "{id}");
    }
}

/// A number whose calls come to us has no fault; each way to lose them is one that says what to set.
#[test]
fn faults_of_a_number() {
    let carrier = carrier();
    let number = ProxyNumber::parse("+447700900150").unwrap();
    let can = pool::Capabilities { voice: true, sms: true, mms: false };
    let links = Links::new("https://relay.example.com", "infobip");
    let judge = |change: fn(&mut Value)| {
        let mut one = json!({
            "numberKey": "6FED0BC540BFADD9B05ED7D89AAC22FA", "number": "447700900150",
            "capabilities": ["SMS", "VOICE"], "voiceSetup": { "action": {
                "type": "FORWARD_TO_SUBSCRIPTION",
                "callsConfigurationId": carrier.config.calls_configuration } },
        });
        change(&mut one);
        let body = json!({ "numbers": [{ "number": "4477009001500" }, one], "numberCount": 2 });
        let response = Response::new(StatusCode::OK, "application/json", body.to_string());
        carrier.number_faults(&number, can, &links, &response).unwrap()
    };
    assert_eq!(judge(|_| {}), []);
    let cases: [Case; 5] = [
        (|one| one["number"] = "1".into(), true, "is not a number of this"),
        (|one| one["capabilities"] = json!(["SMS"]), true, "can't do VOICE"),
        (|one| one["voiceSetup"] = Value::Null, false, "does not show"),
        (
            |one| one["voiceSetup"]["action"]["type"] = "VOICE_NUMBER_MASKING".into(),
            true,
            "elsewhere (VOICE_NUMBER_MASKING)",
        ),
        (
            |one| one["voiceSetup"]["action"]["callsConfigurationId"] = "x".into(),
            true,
            "another calls configuration",
        ),
    ];
    for (change, grave, found) in cases {
        let faults = judge(change);
        assert!(faults[0].grave == grave && faults[0].found.contains(found), "{faults:?}");
    }
    for body in ["", "[]", "{}"] {
        let response = Response::new(StatusCode::OK, "application/json", body);
        assert_eq!(carrier.number_faults(&number, can, &links, &response), None, "{body}");
    }
}

/// What a call keeps is taken from that call only, and as it was given; without what seals it, nothing is
/// asked of Infobip that would bring it back.
#[test]
fn what_a_call_keeps_is_sealed() {
    let (carrier, links) = (carrier(), links());
    let unsealed = Links::new("https://relay.example.com", "infobip");
    let (_, commands) = told("CALL_RECEIVED", CALL, &json!({}), &plan(Plan::Announce(say("x"))));
    let data = only(commands, &on(CALL, "answer"))["customData"].clone();
    assert!(!data.to_string().contains("say"), "{data}");
    let event = |call: &str, data: &Value| {
        let shown = json!({ "direction": "INBOUND", "customData": data });
        let properties = json!({ "call": shown });
        let event = json!({ "type": "CALL_ESTABLISHED", "callId": call, "properties": properties });
        Request::post(links.call(), "application/json", event.to_string())
    };
    let refused = Err(WebhookError::BadToken);
    assert!(carrier.parse_with(&event(CALL, &data), &links).is_ok());
    assert_eq!(carrier.parse_with(&event(CHILD, &data), &links), refused);
    assert_eq!(carrier.parse_with(&event(CALL, &data), &unsealed), refused);
    let other = event(CHILD, &data);
    let reply = carrier.reply_for(&plan(Plan::Proceed), &other, &[], &links);
    assert!(reply.commands.is_empty());
    let received = json!({ "type": "CALL_RECEIVED", "callId": CALL, "properties": {} });
    let webhook = Request::post(links.call(), "application/json", received.to_string());
    let answer = plan(Plan::Announce(say("x")));
    let reply = carrier.reply_for(&answer, &webhook, &[], &unsealed);
    assert!(reply.commands.is_empty());
}
