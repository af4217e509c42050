//! Conversations of events and commands over Call Control; cases are in `fixtures/telnyx/call_control`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{command::language, tests::settings_with, *};
use crate::{
    carrier::{
        event::{CallStatus, CalleeAnswered, DialEnded, Keys, Played},
        outbound::OutboundCall,
        plan::{
            Connect, Gather, Plan, Record, RejectReason, Script, Sound, Then, Whisper,
            samples::{self, leg, say},
        },
    },
    domain::{call::CallState, phone::Identifier},
    ids::LegId,
};

const A: &str = "v3:caller";
const B: &str = "v3:callee";
const C: &str = "v3:another";
const AT: &str = "2026-11-22T10:00:00.000Z";
const CALLER: &str = "+14155550100";

/// A command as (method and path, body).
type Command = (String, Value);

fn carrier() -> Box<dyn Carrier> {
    build(&settings_with("voice", "call_control")).unwrap()
}

fn links() -> Links {
    Links::new("https://relay.example.com", "telnyx").sealed([7; 32])
}

fn connect() -> Connect {
    samples::connect("+14155550102", "+14155550151")
}

fn plan(plan: Plan) -> Answer {
    Answer::Plan(plan)
}

fn proceed() -> Answer {
    plan(Plan::Proceed)
}

/// A webhook about a call that keeps `state`.
fn event(kind: &str, call: &str, state: &Value, more: &Value) -> Request {
    let mut payload = json!({
        "call_control_id": call, "connection_id": "1494404757140276705", "client_state": state,
    });
    let more = more.as_object().into_iter().flatten();
    payload.as_object_mut().unwrap().extend(more.map(|(key, value)| (key.clone(), value.clone())));
    let at = payload["at"].as_str().unwrap_or(AT).to_owned();
    let event = json!({ "data": { "event_type": kind, "occurred_at": at, "payload": payload } });
    Request::post(links().call(), "application/json", event.to_string())
}

/// What the adapter makes of an event, and what it asks when the relay answers so.
fn told_with(
    kind: &str,
    call: &str,
    state: &Value,
    more: &Value,
    answer: &Answer,
) -> (Vec<Inbound>, Vec<Command>) {
    let (carrier, links) = (carrier(), links());
    let webhook = event(kind, call, state, more);
    let events = carrier.parse_with(&webhook, &links).unwrap();
    let reply = carrier.reply_for(answer, &webhook, &events, &links);
    assert_eq!(reply.response, Response::empty(http::StatusCode::OK));
    let commands = reply.commands.iter().map(|request| {
        let path = request.url.strip_prefix("https://api.telnyx.com/v2/calls").unwrap();
        let body = serde_json::from_slice(&request.body).unwrap();
        (format!("{} {path}", request.method), body)
    });
    (events, commands.collect())
}

fn told(kind: &str, call: &str, state: &Value, answer: &Answer) -> (Vec<Inbound>, Vec<Command>) {
    told_with(kind, call, state, &json!({}), answer)
}

/// Somebody calls, and the relay answers so.
fn came_in(answer: &Answer) -> Vec<Command> {
    let more = json!({ "direction": "incoming", "from": CALLER, "to": "+14155550150" });
    let (events, commands) = told_with("call.initiated", A, &Value::Null, &more, answer);
    assert!(matches!(events[..], [Inbound::Call(_)]), "{events:?}");
    commands
}

fn on(call: &str, verb: &str) -> String {
    format!("POST /{call}/actions/{verb}")
}

fn keeps(call: &str) -> String {
    format!("PUT /{call}/actions/client_state_update")
}

/// The commands, which must go there.
fn exactly<const N: usize>(commands: Vec<Command>, paths: [&str; N]) -> [Value; N] {
    let (got, bodies): (Vec<String>, Vec<Value>) = commands.into_iter().unzip();
    assert_eq!(got, paths);
    bodies.try_into().unwrap()
}

fn only(commands: Vec<Command>, path: &str) -> Value {
    let [body] = exactly(commands, [path]);
    body
}

fn keys(leg: LegId, digits: &str, turn: u32) -> Inbound {
    Inbound::Keys(Keys { leg, digits: digits.into(), turn })
}

fn over(cause: &str, at: &str) -> Value {
    json!({ "hangup_cause": cause, "at": at })
}

fn ended(state: CallState, seconds: Option<u64>) -> Inbound {
    let caller_gone = state == CallState::Cancelled;
    let duration = seconds.map(Duration::from_secs);
    Inbound::DialEnded(DialEnded { leg: leg(1), state, duration, caller_gone, turn: 0 })
}

/// Who calls is left unanswered while the other side is rung by a call of its own, which shows nothing of
/// them; whether the two may be connected is asked once they answer and once more when the caller is
/// answered for it; how long they spoke is counted from then.
#[test]
fn a_call_is_put_through() {
    let dialled = only(came_in(&plan(Plan::Connect(connect()))), "POST ");
    let expected = json!({
        "connection_id": "1494404757140276705", "to": "+14155550102", "from": "+14155550151",
        "from_display_name": "+14155550151", "privacy": "none", "timeout_secs": 25,
        "time_limit_secs": 3600, "client_state": dialled["client_state"],
        "command_id": dialled["command_id"],
    });
    assert_eq!(dialled, expected);
    let state = &dialled["client_state"];
    let outgoing = json!({ "direction": "outgoing" });
    let (events, commands) = told_with("call.initiated", B, state, &outgoing, &Answer::Ack);
    let news = |state| {
        Inbound::CallStatus(CallStatus {
            price: None,
            leg: Some(leg(2)),
            id: B.into(),
            state,
            duration: None,
            carrier_code: None,
        })
    };
    assert_eq!((events, commands), (vec![news(CallState::Initiated)], vec![]));
    let (events, commands) = told("call.answered", B, state, &proceed());
    assert_eq!(events, [Inbound::CalleeAnswered(CalleeAnswered { leg: leg(2), id: B.into() })]);
    let (answer, keep) = (on(A, "answer"), keeps(B));
    let [kept, waiting] = exactly(commands, [&answer, &keep]);
    let (events, commands) = told("call.answered", A, &kept["client_state"], &proceed());
    assert_eq!(events[1], keys(leg(2), "1", 0));
    let [joined, bridged] = exactly(commands, [&keep, &on(A, "bridge")]);
    assert_eq!(bridged["call_control_id"], B);
    assert_eq!(bridged["park_after_unbridge"], Value::Null);
    let (events, commands) = told("call.bridged", B, &joined["client_state"], &Answer::Ack);
    assert_eq!((events, commands), (vec![news(CallState::Answered)], vec![]));
    // Should the first word of it have been lost.
    let (_, commands) = told("call.bridged", B, &waiting["client_state"], &Answer::Ack);
    let again = only(commands, &keep);
    for state in [&joined["client_state"], &again["client_state"]] {
        let more = over("normal_clearing", "2026-11-22T10:00:42.900Z");
        let (events, commands) = told_with("call.hangup", B, state, &more, &plan(Plan::Hangup));
        let duration = Some(Duration::from_millis(42_900));
        let Inbound::DialEnded(end) = &events[1] else { panic!("{events:?}") };
        assert_eq!((end.state, end.duration), (CallState::Completed, duration));
        only(commands, &on(A, "hangup"));
    }
}

/// I3: where the session closes before the caller is answered for it, the other side is hung up, and nobody
/// is connected; where a command is lost there is no event, and so no next step.
#[test]
fn i3_nobody_is_connected_late() {
    let dialled = only(came_in(&plan(Plan::Connect(connect()))), "POST ");
    let hangup = plan(Plan::Hangup);
    let (_, commands) = told("call.answered", B, &dialled["client_state"], &hangup);
    only(commands, &on(B, "hangup"));
    let (_, commands) = told("call.answered", B, &dialled["client_state"], &proceed());
    let kept = &commands[0].1["client_state"];
    let (_, commands) = told("call.answered", A, kept, &hangup);
    only(commands, &on(B, "hangup"));
    // Whoever is connected without our word for it is not among the events that a step follows.
    let (_, commands) = told("call.answered", A, &Value::Null, &Answer::Ack);
    assert_eq!(commands, []);
}

/// A caller who was answered for somebody who then was not connected is not answered again: the next who
/// agrees is connected at once.
#[test]
fn a_caller_is_answered_once() {
    let dialled = only(came_in(&plan(Plan::Connect(connect()))), "POST ");
    let (_, commands) = told("call.answered", B, &dialled["client_state"], &proceed());
    let waiting = commands[1].1["client_state"].clone();
    let next = plan(Plan::Connect(Connect { screen: true, ..connect() }));
    let more = over("normal_clearing", AT);
    let (events, commands) = told_with("call.hangup", B, &waiting, &more, &next);
    assert_eq!(events[1], ended(CallState::NoAnswer, None));
    let second = only(commands, "POST ");
    let (_, commands) = told("call.answered", C, &second["client_state"], &proceed());
    exactly(commands, [&keeps(C), &on(A, "bridge")]);
}

/// A caller who is told something first is answered, told, and transferred: they hear it ring. Telnyx then
/// connects the two, and the end of the other side says whether it did.
#[test]
fn an_announcement_comes_before_the_dialling() {
    let announced = plan(Plan::Connect(Connect { announce: Some(say("A moment.")), ..connect() }));
    let kept = only(came_in(&announced), &on(A, "answer"));
    let (events, commands) = told("call.answered", A, &kept["client_state"], &Answer::Ack);
    assert_eq!(events.len(), 1);
    let spoken = only(commands, &on(A, "speak"));
    let words = [&spoken["payload"], &spoken["payload_type"], &spoken["language"]];
    assert_eq!(words, ["A moment.", "text", "en-GB"]);
    let (events, commands) = told("call.speak.ended", A, &spoken["client_state"], &Answer::Ack);
    assert!(matches!(events[..], [Inbound::Ignored(_)]), "{events:?}");
    let transfer = only(commands, &on(A, "transfer"));
    let shown = [&transfer["to"], &transfer["from"], &transfer["from_display_name"]];
    assert_eq!(shown, ["+14155550102", "+14155550151", "+14155550151"]);
    assert_eq!(transfer["privacy"], "none");
    assert_eq!(transfer["park_after_unbridge"], Value::Null);
    let state = &transfer["target_leg_client_state"];
    let (events, commands) = told("call.answered", B, state, &proceed());
    let expected = matches!(events[..], [Inbound::CallStatus(_), Inbound::CalleeAnswered(_)]);
    assert!(expected && commands.is_empty(), "{events:?}");
    let (_, commands) = told("call.answered", B, state, &plan(Plan::Hangup));
    only(commands, &on(B, "hangup"));
    let (_, commands) = told("call.bridged", B, state, &Answer::Ack);
    let kept = only(commands, &keeps(B));
    let late = "2026-11-22T10:01:00.000Z";
    let end = |state: &Value, cause: &str| {
        let next = plan(Plan::Announce(say("Goodbye.")));
        let (events, commands) = told_with("call.hangup", B, state, &over(cause, late), &next);
        only(commands, &on(A, "speak"));
        events[1].clone()
    };
    assert_eq!(
        end(&kept["client_state"], "normal_clearing"),
        ended(CallState::Completed, Some(60))
    );
    assert_eq!(end(state, "normal_clearing"), ended(CallState::Completed, None));
    assert_eq!(end(state, "timeout"), ended(CallState::NoAnswer, None));
    assert_eq!(end(state, "originator_cancel"), ended(CallState::Cancelled, None));
}

/// Somebody who is screened hears who calls, is asked for a key, and is connected only with it.
#[test]
fn who_is_screened_is_connected_last() {
    let screened = plan(Plan::Connect(Connect { screen: true, ..connect() }));
    let dialled = only(came_in(&screened), "POST ");
    let ask = plan(Plan::Whisper(Whisper {
        leg: leg(2),
        say: Some(say("Bikes.")),
        accept: Some(say("Press 1.")),
        optional: false,
    }));
    let (_, commands) = told("call.answered", B, &dialled["client_state"], &ask);
    let spoken = only(commands, &on(B, "speak"));
    let (_, commands) = told("call.speak.ended", B, &spoken["client_state"], &Answer::Ack);
    let asked = only(commands, &on(B, "gather_using_speak"));
    let bounds = [&asked["maximum_digits"], &asked["maximum_tries"], &asked["timeout_millis"]];
    assert_eq!(bounds, [&json!(1), &json!(1), &json!(10_000)]);
    assert_eq!(asked["payload"], "Press 1.");
    let state = &asked["client_state"];
    let pressed = |digits: &str, answer: &Answer| {
        let more = json!({ "digits": digits, "status": "valid" });
        told_with("call.gather.ended", B, state, &more, answer)
    };
    let (events, commands) = pressed("1", &proceed());
    assert_eq!(events, [keys(leg(2), "1", 0)]);
    exactly(commands, [&on(A, "answer"), &keeps(B)]);
    let (events, commands) = pressed("", &plan(Plan::Hangup));
    assert_eq!(events, [keys(leg(2), "", 0)]);
    only(commands, &on(B, "hangup"));
    let more = over("normal_clearing", AT);
    let (events, _) = told_with("call.hangup", B, state, &more, &Answer::Ack);
    assert_eq!(events[1], ended(CallState::NoAnswer, None), "who was only asked");
}

/// A script's sounds are heard one after the other, and then the relay is asked, with the turn; a caller whom
/// a script connects stays when the other side has hung up.
#[test]
fn scripts_are_played_in_order() {
    let sounds = vec![
        Sound::Say(say(" <SPEAK>c")),
        Sound::Play("https://m.example/1".into()),
        Sound::Pause(Duration::from_secs(12)),
    ];
    let script =
        |sounds, then| plan(Plan::Script(Box::new(Script { leg: leg(1), turn: 3, sounds, then })));
    let kept = only(came_in(&script(sounds, Then::Ask)), &on(A, "answer"));
    let (_, commands) = told("call.answered", A, &kept["client_state"], &Answer::Ack);
    let first = only(commands, &on(A, "speak"));
    assert_eq!(first["payload"], "SPEAK>c");
    let (_, commands) = told("call.speak.ended", A, &first["client_state"], &Answer::Ack);
    let second = only(commands, &on(A, "playback_start"));
    assert_eq!(second["audio_url"], "https://m.example/1");
    let (_, commands) = told("call.playback.ended", A, &second["client_state"], &Answer::Ack);
    let third = only(commands, &on(A, "speak"));
    let marks =
        "<speak><break time=\"5000ms\"/><break time=\"5000ms\"/><break time=\"2000ms\"/></speak>";
    assert_eq!((&third["payload"], &third["payload_type"]), (&json!(marks), &json!("ssml")));
    let dial = script(Vec::new(), Then::Connect(Connect { turn: 3, ..connect() }));
    let (events, commands) = told("call.speak.ended", A, &third["client_state"], &dial);
    assert_eq!(events, [Inbound::Played(Played { leg: leg(1), turn: 3 })]);
    assert_eq!(only(commands, &on(A, "transfer"))["park_after_unbridge"], "self");
    // Nothing follows what the end of the call cut short.
    let cut = json!({ "status": "call_hangup" });
    let (events, commands) =
        told_with("call.speak.ended", A, &first["client_state"], &cut, &Answer::Ack);
    assert!(matches!(events[..], [Inbound::Ignored(_)]) && commands.is_empty(), "{events:?}");
}

/// Keys are waited for with the last prompt, whatever it is, and come back without the one that ends them.
#[test]
fn keys_are_waited_for() {
    let gather = |prompts, finish| {
        let (timeout, digits_max) = (Duration::from_secs(999), 999);
        let keys = Then::Keys(Gather { prompts, timeout, digits_max, finish });
        let script = Script { leg: leg(1), turn: 3, sounds: Vec::new(), then: keys };
        told("call.playback.ended", A, &Value::Null, &plan(Plan::Script(Box::new(script)))).1
    };
    let sounds = vec![Sound::Say(say("a")), Sound::Play("https://m.example/2".into())];
    let prompt = only(gather(sounds, Some('*')), &on(A, "speak"));
    let (_, commands) = told("call.speak.ended", A, &prompt["client_state"], &Answer::Ack);
    let asked = only(commands, &on(A, "gather_using_audio"));
    assert_eq!(asked["audio_url"], "https://m.example/2");
    let bounds = [&asked["maximum_digits"], &asked["inter_digit_timeout_millis"]];
    assert_eq!(bounds, [&json!(128), &json!(120_000)]);
    assert_eq!(asked["terminating_digit"], "*");
    let more = json!({ "digits": "12*", "status": "valid" });
    let (events, _) =
        told_with("call.gather.ended", A, &asked["client_state"], &more, &Answer::Ack);
    assert_eq!(events, [keys(leg(1), "12", 3)]);
    let plain = only(gather(Vec::new(), None), &on(A, "gather"));
    assert_eq!(
        (&plain["terminating_digit"], &plain["timeout_millis"]),
        (&json!(""), &json!(600_000))
    );
    let silent =
        only(gather(vec![Sound::Pause(Duration::ZERO)], None), &on(A, "gather_using_speak"));
    assert_eq!(silent["payload"], "<speak><break time=\"100ms\"/></speak>");
}

/// A call is turned away unanswered with its reason, and one that was answered is ended.
#[test]
fn calls_are_turned_away() {
    for (reason, word) in
        [(RejectReason::Busy, "USER_BUSY"), (RejectReason::Declined, "CALL_REJECTED")]
    {
        let reject = plan(Plan::Reject(reason));
        assert_eq!(only(came_in(&reject), &on(A, "reject"))["cause"], word);
        let (_, commands) = told("call.speak.ended", A, &Value::Null, &reject);
        only(commands, &on(A, "hangup"));
    }
    let nobody = plan(Plan::Connect(Connect { to: Vec::new(), ..connect() }));
    assert_eq!(only(came_in(&nobody), &on(A, "reject"))["cause"], "CALL_REJECTED");
}

/// A step that is asked again is the same command, by which Telnyx drops the second; no two others have the
/// same.
#[test]
fn a_repeated_event_repeats_the_command() {
    let say_twice = vec![Sound::Say(say("a")), Sound::Say(say("a"))];
    let script = Script { leg: leg(1), turn: 1, sounds: say_twice, then: Then::Ask };
    let script = plan(Plan::Script(Box::new(script)));
    let mut ids = BTreeSet::new();
    let mut steps = 0;
    let mut note = |commands: &[Command]| {
        for (_, body) in commands.iter().filter(|(path, _)| path.starts_with("POST")) {
            steps += 1;
            assert!(ids.insert(body["command_id"].as_str().unwrap().to_owned()), "{body}");
        }
        steps
    };
    assert_eq!(came_in(&script), came_in(&script));
    let first = came_in(&script);
    note(&first);
    let mut state = first[0].1["client_state"].clone();
    for kind in ["call.answered", "call.speak.ended"] {
        let (_, commands) = told(kind, A, &state, &Answer::Ack);
        assert_eq!(told(kind, A, &state, &Answer::Ack).1, commands);
        note(&commands);
        state = commands[0].1["client_state"].clone();
    }
    let other = plan(Plan::Connect(connect()));
    assert_eq!(came_in(&other), came_in(&other));
    assert_eq!(note(&came_in(&other)), 4);
}

/// A call that we place keeps its leg, and once it is answered its plan is asked for; to end one, its id is
/// all that is needed, and one that is none becomes no path.
#[test]
fn calls_are_placed_and_ended() {
    let (carrier, links) = (carrier(), links());
    let call = |length| OutboundCall {
        leg: leg(2),
        from: ProxyNumber::parse("+14155550151").unwrap(),
        to: Identifier::parse("+14155550102").unwrap(),
        ring_timeout: length,
        duration_max: length,
    };
    let place = |length| {
        let request = carrier.request(&Outbound::Call(call(length)), &links).unwrap();
        assert_eq!(request.url, "https://api.telnyx.com/v2/calls");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        body
    };
    let seconds = |length| {
        let body = place(length);
        (body["timeout_secs"].as_u64().unwrap(), body["time_limit_secs"].as_u64().unwrap())
    };
    assert_eq!(seconds(Duration::ZERO), (5, 30));
    assert_eq!(seconds(Duration::MAX), (600, 14_400));
    let state = place(Duration::from_mins(1))["client_state"].clone();
    let next = plan(Plan::Connect(connect()));
    let (events, commands) = told("call.answered", B, &state, &next);
    assert!(matches!(events[..], [Inbound::CallStatus(_), Inbound::PlacedCallAnswered(_)]));
    only(commands, &on(B, "transfer"));
    let unsealed = Links::new("https://relay.example.com", "telnyx");
    let refused = carrier.request(&Outbound::Call(call(Duration::ZERO)), &unsealed).unwrap_err();
    assert_eq!(refused.to_string(), "Config, retry Never");
    let end = |id: &str| carrier.request(&Outbound::EndCall { id: id.into() }, &links);
    assert!(end("v3:one").unwrap().url.ends_with("/v2/calls/v3:one/actions/hangup"));
    for id in ["", "../texml", "v3:a/b", "v3:a?b"] {
        assert_eq!(end(id).unwrap_err().to_string(), "Rejected, retry Never", "{id}");
    }
}

/// What a call keeps is taken from that call only, and as it was given; of another nothing follows, and the
/// webhook is refused.
#[test]
fn what_a_call_keeps_is_sealed() {
    let (carrier, links) = (carrier(), links());
    let dialled = only(came_in(&plan(Plan::Connect(connect()))), "POST ");
    let ask = plan(Plan::Whisper(Whisper {
        leg: leg(2),
        say: None,
        accept: Some(say("1?")),
        optional: false,
    }));
    let (_, commands) = told("call.answered", B, &dialled["client_state"], &ask);
    let asked = only(commands, &on(B, "gather_using_speak"));
    let more = json!({ "digits": "1", "status": "valid" });
    let gathered = |call: &str, state: &Value| event("call.gather.ended", call, state, &more);
    assert!(carrier.parse_with(&gathered(B, &asked["client_state"]), &links).is_ok());
    let mut changed = asked["client_state"].as_str().unwrap().to_owned();
    changed.replace_range(20..21, if &changed[20..21] == "A" { "B" } else { "A" });
    for (call, state) in [
        (C, &asked["client_state"]),
        (A, &asked["client_state"]),
        (A, &dialled["client_state"]),
        (B, &json!(changed)),
    ] {
        let webhook = gathered(call, state);
        let refused = carrier.parse_with(&webhook, &links);
        assert_eq!(refused, Err(WebhookError::BadToken), "{call}");
        let reply = carrier.reply_for(&proceed(), &webhook, &[], &links);
        assert!(reply.commands.is_empty(), "{call}");
    }
    let theirs = Links::new("https://relay.example.com", "telnyx").sealed([8; 32]);
    let refused = carrier.parse_with(&gathered(B, &asked["client_state"]), &theirs);
    assert_eq!(refused, Err(WebhookError::BadToken));
}

/// The setting decides: with `TeXML` no event of Call Control is a call, and with Call Control no form is.
#[test]
fn one_way_of_steering_at_a_time() {
    let texml = build(&settings_with("voice", "texml")).unwrap();
    assert_eq!(texml.capabilities().control, Control::Documents);
    assert_eq!(carrier().capabilities().control, Control::Commands { keyed: true });
    let more = json!({ "direction": "incoming", "from": CALLER, "to": "+14155550150" });
    let webhook = event("call.initiated", A, &Value::Null, &more);
    assert!(matches!(texml.parse(&webhook).unwrap()[..], [Inbound::Ignored(_)]));
    assert!(matches!(carrier().parse(&webhook).unwrap()[..], [Inbound::Call(_)]));
    let body = "CallSid=v3:1&From=%2B14155550100&To=%2B14155550150";
    let form = Request::post(links().call(), "application/x-www-form-urlencoded", body);
    assert!(matches!(texml.parse(&form).unwrap()[..], [Inbound::Call(_)]));
    assert!(matches!(carrier().parse(&form).unwrap()[..], [Inbound::Ignored(_)]));
    let mut without = settings_with("voice", "call_control");
    without.values.remove("account_sid");
    assert!(build(&without).is_ok());
    without.values.remove("voice");
    assert_eq!(build(&without).unwrap_err()[0].key, "account_sid");
}

/// A language that Telnyx has not is spoken as the nearest that it has.
#[test]
fn languages_are_telnyxs() {
    for (tag, word) in [
        ("en-GB", "en-GB"),
        ("en", "en-US"),
        ("fr-BE", "fr-FR"),
        ("pt-br", "pt-BR"),
        ("no", "nb-NO"),
        ("zh-Hant-TW", "cmn-CN"),
        ("ar-EG", "arb"),
        ("xx", "en-US"),
        ("", "en-US"),
    ] {
        assert_eq!(language(tag), word, "{tag}");
    }
}

/// An application whose calls come to us has no fault; each way to lose them is one that says what to set.
#[test]
fn faults_of_the_application() {
    let carrier = carrier();
    let url = carrier.account()[0].url.clone();
    assert!(url.ends_with("/v2/call_control_applications/1494404757140276705"), "{url}");
    let address = "https://relay.example.com/hooks/telnyx/call";
    let judge = |key: &str, value: Value| {
        let mut one = json!({
            "active": true, "webhook_event_url": address, "webhook_api_version": "2",
            "webhook_event_failover_url": address, "first_command_timeout": false,
            "outbound": { "outbound_voice_profile_id": "1293384261075731499" },
        });
        one[key] = value;
        let body = json!({ "data": one }).to_string();
        let response = Response::new(http::StatusCode::OK, "application/json", body);
        carrier.account_faults(0, &links(), &response).unwrap()
    };
    assert_eq!(judge("application_name", "x".into()), []);
    for (key, value, grave, found) in [
        ("active", json!(false), true, "is not active"),
        ("webhook_event_url", json!("https://demo.example/x"), true, "is https://demo.example/x"),
        ("webhook_api_version", json!("1"), true, "is not 2"),
        ("outbound", json!({}), true, "can't ring anybody"),
        ("webhook_event_failover_url", Value::Null, false, "are not answered"),
        ("first_command_timeout", json!(true), true, "are cut off"),
    ] {
        let faults = judge(key, value);
        let [fault] = &faults[..] else { panic!("{key}: {faults:?}") };
        assert!(fault.grave == grave && fault.found.contains(found), "{fault:?}");
    }
}

/// A caller whom nobody answers is answered, greeted and recorded after a tone; `#` ends the call, and what
/// was recorded is told of.
#[test]
fn messages_are_recorded() {
    let rung = only(came_in(&plan(Plan::Connect(connect()))), "POST ");
    let (longest, silence) = (Duration::from_hours(1), Duration::from_secs(5));
    let then = Then::Record(Record { longest, silence, finish: '#' });
    let sounds = vec![Sound::Say(say("Speak after the tone."))];
    let greeting = plan(Plan::Script(Box::new(Script { leg: leg(1), turn: 0, sounds, then })));
    let (timeout, state) = (over("timeout", AT), &rung["client_state"]);
    let (_, commands) = told_with("call.hangup", B, state, &timeout, &greeting);
    let answer = only(commands, &on(A, "answer"));
    let (_, commands) = told("call.answered", A, &answer["client_state"], &Answer::Ack);
    let speak = only(commands, &on(A, "speak"));
    let (_, commands) = told("call.speak.ended", A, &speak["client_state"], &Answer::Ack);
    let record = only(commands, &on(A, "record_start"));
    assert_eq!((&record["max_length"], &record["play_beep"]), (&json!(300), &json!(true)));
    let state = &record["client_state"];
    for (key, ends) in [("#", true), ("1", false)] {
        let pressed = json!({ "digit": key });
        let (_, commands) = told_with("call.dtmf.received", A, state, &pressed, &Answer::Ack);
        assert_eq!(!commands.is_empty(), ends, "{key}: {commands:?}");
    }
    let saved = json!({
        "recording_id": "10cd86ac-fef8-4765-b203-0f7511f9fc75", "channels": "single",
        "recording_urls": { "mp3": "https://s3.example/1.mp3" }, "recording_started_at": AT,
        "recording_ended_at": "2026-11-22T10:00:12.500Z",
    });
    let (events, commands) =
        told_with("call.recording.saved", A, state, &saved, &plan(Plan::Hangup));
    let [Inbound::Recorded(told)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&told.leg, &*told.address), (&leg(1), "https://s3.example/1.mp3"));
    assert_eq!(told.length, Some(Duration::from_millis(12_500)));
    only(commands, &on(A, "hangup"));
}
