//! Calls that are steered by commands: events in any order and of any call, each with something that a
//! command gave some call to keep, or with that changed. What is another call's is refused, nothing is
//! connected that was not agreed to, and no command shows who calls.
//!
//! Input, for each step: the kind of event · the call · what it keeps · whether that is changed · the answer.

use std::sync::LazyLock;

use entremise::carrier::{self, Answer, Carrier, Links, Plan, Request, Settings, WebhookError};
use serde_json::{Value, json};

use super::{
    adapters::{APPLICATION, ORIGIN, TOKEN},
    input::Input,
    plans,
};

/// The most steps of one conversation.
const STEPS: usize = 10;

const CALLS: [&str; 3] = ["v3:caller", "v3:callee", "v3:other"];
const CALLER: &str = "+14155550100";
const EVENTS: [&str; 10] = [
    "call.initiated",
    "call.answered",
    "call.bridged",
    "call.speak.ended",
    "call.playback.ended",
    "call.gather.ended",
    "call.hangup",
    "call.cost",
    "call.dtmf.received",
    "call.recording.saved",
];
const API: &str = "https://api.telnyx.com/v2/calls";

static CARRIER: LazyLock<Box<dyn Carrier>> = LazyLock::new(|| {
    let settings = format!(
        "api_key = '{TOKEN}'\nvoice = 'call_control'\napplication_id = '{APPLICATION}'\n\
         public_key = 'A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg='"
    );
    let (id, values) = ("telnyx".to_owned(), settings.parse().unwrap());
    let settings = Settings { id, api_base: None, values };
    (carrier::kind("telnyx").unwrap().build)(&settings).unwrap()
});

/// What a command gave to keep: to a call, or by one to a call to be.
struct Kept {
    to: Result<String, String>,
    token: String,
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let links = Links::new(ORIGIN, "telnyx").sealed([7; 32]);
    let mut kept: Vec<Kept> = Vec::new();
    for _ in 0..STEPS {
        let (kind, call) = (EVENTS[input.choice(EVENTS.len())], CALLS[input.choice(CALLS.len())]);
        let one = input.choice(kept.len() + 1);
        let one = one.checked_sub(1).map(|at| &kept[at]);
        let changed = input.choice(4) == 1;
        let answer = plans::answer(&mut input);
        let webhook = webhook(kind, call, one, changed);
        let events = CARRIER.parse_with(&webhook, &links);
        let foreign = one.is_some_and(|one| match &one.to {
            Ok(to) => to != call,
            Err(by) => by == call,
        });
        if one.is_some() && (changed || foreign) {
            assert_eq!(events, Err(WebhookError::BadToken), "{kind} of {call}");
        } else {
            assert!(events.is_ok(), "{kind} of {call}: {events:?}");
        }
        let events = events.unwrap_or_default();
        let reply = CARRIER.reply_for(&answer, &webhook, &events, &links);
        let again = CARRIER.reply_for(&answer, &webhook, &events, &links);
        assert!(!foreign || reply.commands.is_empty(), "another call's is followed");
        assert_eq!(reply.commands.len(), again.commands.len());
        for (command, again) in reply.commands.iter().zip(&again.commands) {
            assert_eq!((&command.url, &command.body), (&again.url, &again.body), "not the same");
            kept.extend(judge(command, &answer));
        }
        kept.truncate(9);
    }
}

fn webhook(kind: &str, call: &str, one: Option<&Kept>, changed: bool) -> Request {
    let mut token = one.map(|one| one.token.clone()).unwrap_or_default();
    if changed && !token.is_empty() {
        let other = if token.as_bytes()[30] == b'A' { "B" } else { "A" };
        token.replace_range(30..31, other);
    }
    let payload = json!({
        "call_control_id": call, "connection_id": APPLICATION, "direction": "incoming",
        "from": CALLER, "to": plans::PROXY, "digits": "1", "hangup_cause": "normal_clearing",
        "digit": "#", "client_state": token,
        "recording_id": "10cd86ac-fef8-4765-b203-0f7511f9fc75",
        "recording_urls": { "mp3": "https://s3.example/1.mp3" },
    });
    let event = json!({ "data": {
        "event_type": kind, "occurred_at": "2026-11-21T20:25:27.000Z", "payload": payload,
    } });
    Request::post(format!("{ORIGIN}/hooks/telnyx/call"), "application/json", event.to_string())
}

/// Judges one command, and says what it gives to keep.
fn judge(command: &Request, answer: &Answer) -> Vec<Kept> {
    let path = command.url.strip_prefix(API).expect("Telnyx's own address");
    let body: Value = serde_json::from_slice(&command.body).expect("JSON");
    // The words of an answer are any; a caller's number that is among them is not from the call.
    let told = ["to", "from", "from_display_name"].iter().any(|key| body[*key] == CALLER);
    assert!(!told && !path.contains("4155550100"), "{path} shows who calls");
    let on = path.strip_prefix('/').and_then(|path| path.split_once("/actions/"));
    if on.is_some_and(|(_, verb)| verb == "bridge") {
        let agreed = matches!(answer, Answer::Plan(Plan::Proceed | Plan::Whisper(_)));
        assert!(agreed, "connected by {answer:?}");
    }
    let state = |key: &str| body[key].as_str().map(str::to_owned);
    // Who was rung for a caller keeps whose call that is; only a dialling's own words tell.
    let mut kept = Vec::new();
    match on {
        Some((call, _)) => {
            assert!(CALLS.contains(&call), "{call}");
            let token = state("client_state");
            kept.extend(token.map(|token| Kept { to: Ok(call.to_owned()), token }));
            let token = state("target_leg_client_state");
            kept.extend(token.map(|token| Kept { to: Err(call.to_owned()), token }));
        }
        None => assert_eq!(path, "", "neither a call nor a command to one"),
    }
    kept
}
