//! Words answers as the sandbox's call documents.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::CAPABILITIES;
use crate::carrier::{
    Answer, Links, Plan, Response,
    links::Step,
    plan::{Connect, Prompt, RejectReason, Script, Sound, Then, Whisper},
};

const JSON: &str = "application/json";

/// The HTTP answer that says `answer`.
pub(super) fn reply(answer: &Answer, links: &Links) -> Response {
    match answer {
        Answer::Plan(plan) => document(&steps(plan, links)),
        Answer::Ack => Response::empty(StatusCode::NO_CONTENT),
        Answer::Nack => Response::new(
            StatusCode::SERVICE_UNAVAILABLE,
            JSON,
            r#"{"error":"not taken, please try again"}"#,
        ),
    }
}

fn document(steps: &[Value]) -> Response {
    Response::new(StatusCode::OK, JSON, json!({ "steps": steps }).to_string())
}

fn steps(plan: &Plan, links: &Links) -> Vec<Value> {
    match plan {
        Plan::Reject(reason) => {
            let reason = match reason {
                RejectReason::Busy => "busy",
                RejectReason::Declined => "declined",
            };
            vec![json!({ "do": "reject", "reason": reason })]
        }
        Plan::Announce(prompt) => vec![say(prompt), json!({ "do": "hang_up" })],
        Plan::Connect(connect) => self::connect(connect, links),
        Plan::Script(script) => self::script(script, links),
        Plan::Whisper(whisper) => self::whisper(whisper, links),
        Plan::Proceed => Vec::new(),
        Plan::Hangup => vec![json!({ "do": "hang_up" })],
    }
}

fn say(prompt: &Prompt) -> Value {
    json!({ "do": "say", "text": prompt.text, "language": prompt.language })
}

fn connect(connect: &Connect, links: &Links) -> Vec<Value> {
    let announce = connect.announce.iter().map(say);
    if connect.to.is_empty() {
        return announce.chain([json!({ "do": "hang_up" })]).collect();
    }
    let targets: Vec<Value> = connect
        .to
        .iter()
        .map(|target| {
            let mut value = json!({
                "number": target.number.expose(),
                "status_url": links.leg_status(&target.leg),
            });
            if connect.screen {
                value["answer_url"] = links.step(Step::Whisper, &target.leg).into();
            }
            value
        })
        .collect();
    let dial = json!({
        "do": "connect",
        "caller_id": connect.caller_id.as_str(),
        "to": targets,
        "ring_timeout_ms": ring_timeout(connect.ring_timeout),
        "duration_max_ms": duration_max(connect.duration_max),
        "done_url": links.turn(Step::Dialled, &connect.leg, connect.turn),
    });
    announce.chain([dial]).collect()
}

fn script(script: &Script, links: &Links) -> Vec<Value> {
    let url = |step| links.turn(step, &script.leg, script.turn);
    let mut steps: Vec<Value> = script.sounds.iter().map(sound).collect();
    match &script.then {
        Then::Hangup => steps.push(json!({ "do": "hang_up" })),
        Then::Ask => steps.push(json!({ "do": "next", "url": url(Step::Played) })),
        Then::Keys(keys) => steps.push(json!({
            "do": "gather",
            "prompts": keys.prompts.iter().map(sound).collect::<Vec<_>>(),
            "timeout_ms": millis(keys.timeout),
            "digits_max": keys.digits_max,
            "finish": keys.finish,
            "keys_url": url(Step::Keys),
        })),
        Then::Connect(connect) => steps.extend(self::connect(connect, links)),
        Then::Record(record) => steps.push(json!({
            "do": "record",
            "longest_ms": millis(record.longest),
            "finish": record.finish,
            "recorded_url": url(Step::Recorded),
        })),
    }
    steps
}

fn sound(sound: &Sound) -> Value {
    match sound {
        Sound::Say(prompt) => say(prompt),
        Sound::Play(address) => json!({ "do": "play", "url": address }),
        Sound::Pause(length) => json!({ "do": "pause", "length_ms": millis(*length) }),
    }
}

fn whisper(whisper: &Whisper, links: &Links) -> Vec<Value> {
    let question = whisper.accept.as_ref().map(|prompt| {
        json!({
            "do": "ask",
            "text": prompt.text,
            "language": prompt.language,
            "timeout_ms": millis(whisper.patience()),
            "keys_url": links.step(Step::Keys, &whisper.leg),
        })
    });
    whisper.say.as_ref().map(say).into_iter().chain(question).collect()
}

/// A ring time that the sandbox takes, in milliseconds.
pub(super) fn ring_timeout(length: Duration) -> u64 {
    let (least, most) = CAPABILITIES.ring_timeout;
    millis(length.clamp(least, most))
}

/// A length of a call that the sandbox takes, in milliseconds.
pub(super) fn duration_max(length: Duration) -> u64 {
    let most = CAPABILITIES.duration_max.unwrap_or(Duration::MAX);
    millis(length.clamp(Duration::from_secs(1), most))
}

/// Whole milliseconds, at most 2^53 - 1 so that JSON readers keep every digit.
pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX).min((1 << 53) - 1)
}
