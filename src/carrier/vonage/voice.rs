//! Answers as call control objects (NCCO): a JSON array of actions.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Links, MESSAGES, Reply, Response, bare, config::Config, seconds, send};
use crate::carrier::{
    links::Step,
    plan::{Connect, Gather, Plan, Prompt, Record, Script, Sound, Then, Whisper},
};

const JSON: &str = "application/json";

/// How long a person has to press the key that accepts a call, and the longest that Vonage waits for
/// a key.
const KEYS_TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// The most keys that Vonage collects.
const KEYS_MAX: u32 = 20;

/// The longest that a script is silent.
const PAUSE_MAX: Duration = Duration::from_mins(3);

/// The least and the longest recording, and so much silence that ends it.
const RECORD: (Duration, Duration) = (Duration::from_secs(3), Duration::from_mins(5));
const RECORD_SILENCE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(10));

/// The longest `break` of SSML.
const BREAK_MAX: Duration = Duration::from_secs(10);

/// The most characters that one `talk` takes.
const TALK_CHARS_MAX: usize = 1500;

/// The parameter of an address that names the key that ends an input, where Vonage does not know it.
pub(super) const END: &str = "end";

/// Words an answer. Every document is written from what the plan holds and nothing else: nothing of
/// the inbound request, and no field that carries its identity on (`shaken`).
pub(super) fn reply(answer: &Answer, links: &Links) -> Reply {
    match answer {
        Answer::Nack => Response::empty(StatusCode::SERVICE_UNAVAILABLE).into(),
        Answer::Ack => Response::empty(StatusCode::OK).into(),
        Answer::Plan(plan) => ncco(&actions(plan, links)),
    }
}

fn ncco(actions: &[Value]) -> Reply {
    Response::new(StatusCode::OK, JSON, Value::from(actions).to_string()).into()
}

/// Ends the leg of somebody who answered and is not to be connected. The end of its document would
/// connect it: so it is kept waiting, longer than any call lasts, and hung up by a request.
pub(super) fn turned_away(config: &Config, id: &str) -> Reply {
    let mut reply = ncco(&[json!({ "action": "wait", "timeout": 7200 })]);
    reply.commands.extend(send::hang_up(config, id));
    reply
}

/// No action ends or rejects a call: it ends with its document.
fn actions(plan: &Plan, links: &Links) -> Vec<Value> {
    match plan {
        Plan::Reject(_) | Plan::Hangup => Vec::new(),
        Plan::Announce(prompt) => vec![talk(prompt)],
        Plan::Connect(plan) => connect(plan, links),
        Plan::Script(plan) => script(plan, links),
        Plan::Whisper(plan) => whisper(plan, links),
        Plan::Proceed => vec![proceed()],
    }
}

/// A document that does nothing and is over at once: an empty one may count as an error.
fn proceed() -> Value {
    json!({ "action": "wait", "timeout": 0.1 })
}

fn connect(plan: &Connect, links: &Links) -> Vec<Value> {
    // One endpoint is all that an action takes.
    let Some(target) = plan.to.first() else { return Vec::new() };
    let (least, most) = MESSAGES.ring_timeout;
    let limit = MESSAGES.duration_max.unwrap_or(plan.duration_max);
    let mut endpoint = json!({ "type": "phone", "number": bare(target.number.expose()) });
    if plan.screen {
        let url = links.step(Step::Whisper, &target.leg);
        endpoint["onAnswer"] = json!({ "url": url });
    }
    let connect = json!({
        "action": "connect",
        "from": bare(plan.caller_id.as_str()),
        "endpoint": [endpoint],
        // The answer to the news that ends the dialling is then what comes next.
        "eventType": "synchronous",
        "eventUrl": [links.dialling(&plan.leg, &target.leg, plan.turn)],
        "eventMethod": "POST",
        "timeout": seconds(plan.ring_timeout, least, most),
        "limit": seconds(plan.duration_max, Duration::from_secs(1), limit),
    });
    plan.announce.iter().map(talk).chain([connect]).collect()
}

fn script(plan: &Script, links: &Links) -> Vec<Value> {
    let mut actions: Vec<Value> = plan.sounds.iter().map(sound).collect();
    match &plan.then {
        Then::Hangup => {}
        Then::Ask => actions.push(json!({
            "action": "notify",
            "payload": { "turn": plan.turn },
            "eventUrl": [links.turn(Step::Played, &plan.leg, plan.turn)],
            "eventMethod": "POST",
        })),
        Then::Keys(keys) => {
            actions.extend(prompts(&keys.prompts));
            actions.push(gather(plan, keys, links));
        }
        Then::Connect(plan) => actions.extend(connect(plan, links)),
        Then::Record(wanted) => actions.push(record(plan, wanted, links)),
    }
    actions
}

/// Records after a tone. What follows is the end of the document, and so of the call.
fn record(plan: &Script, wanted: &Record, links: &Links) -> Value {
    json!({
        "action": "record",
        "format": "mp3",
        "beepStart": true,
        "endOnKey": wanted.finish.to_string(),
        "endOnSilence": seconds(wanted.silence, RECORD_SILENCE.0, RECORD_SILENCE.1),
        "timeOut": seconds(wanted.longest, RECORD.0, RECORD.1),
        "eventUrl": [links.turn(Step::Recorded, &plan.leg, plan.turn)],
        "eventMethod": "POST",
    })
}

fn gather(plan: &Script, keys: &Gather, links: &Links) -> Value {
    let mut url = links.turn(Step::Keys, &plan.leg, plan.turn);
    if let Some(end) = keys.finish.filter(|end| *end != '#') {
        let end: String = form_urlencoded::byte_serialize(end.to_string().as_bytes()).collect();
        url = format!("{url}&{END}={end}");
    }
    let least = Duration::from_secs(1);
    input(
        &url,
        seconds(keys.timeout, least, KEYS_TIMEOUT_MAX),
        keys.digits_max.clamp(1, KEYS_MAX),
        keys.finish == Some('#'),
    )
}

fn input(url: &str, timeout: u64, most: u32, submit_on_hash: bool) -> Value {
    json!({
        "action": "input",
        "type": ["dtmf"],
        "dtmf": { "timeOut": timeout, "maxDigits": most, "submitOnHash": submit_on_hash },
        "eventUrl": [url],
        "eventMethod": "POST",
    })
}

/// Sounds that the first key ends. Vonage lets only actions of one kind stand between the first that
/// a key ends and the input: those are the last ones of one kind.
fn prompts(sounds: &[Sound]) -> Vec<Value> {
    let mut actions: Vec<Value> = sounds
        .iter()
        .map(|one| match one {
            Sound::Pause(length) => pause_spoken(*length),
            one => sound(one),
        })
        .collect();
    let Some(last) = actions.last().map(|action| action["action"].clone()) else {
        return actions;
    };
    for action in actions.iter_mut().rev().take_while(|action| action["action"] == last) {
        action["bargeIn"] = true.into();
    }
    actions
}

fn sound(sound: &Sound) -> Value {
    match sound {
        Sound::Say(prompt) => talk(prompt),
        Sound::Play(address) => json!({ "action": "stream", "streamUrl": [address] }),
        Sound::Pause(length) => {
            let length = seconds(*length, Duration::from_secs(1), PAUSE_MAX);
            json!({ "action": "wait", "timeout": length })
        }
    }
}

/// Silence that a key may end: a `wait` may not stand before an input that others are to end.
fn pause_spoken(length: Duration) -> Value {
    let length = seconds(length, Duration::from_secs(1), BREAK_MAX);
    json!({ "action": "talk", "text": format!("<speak><break time=\"{length}s\"/></speak>") })
}

fn whisper(plan: &Whisper, links: &Links) -> Vec<Value> {
    let mut actions: Vec<Value> = plan.say.iter().map(talk).collect();
    if let Some(prompt) = &plan.accept {
        let mut question = talk(prompt);
        question["bargeIn"] = true.into();
        let url = links.step(Step::Keys, &plan.leg);
        // Without a key the answer is asked all the same, and turns the leg away.
        actions.extend([question, input(&url, KEYS_TIMEOUT_MAX.as_secs(), 1, false)]);
    }
    if actions.is_empty() {
        actions.push(proceed());
    }
    actions
}

fn talk(prompt: &Prompt) -> Value {
    json!({ "action": "talk", "text": prompt.plain(TALK_CHARS_MAX), "language": prompt.language })
}
