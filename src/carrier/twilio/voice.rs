//! Answers as TwiML.

use std::time::Duration;

use http::StatusCode;

use super::{Answer, CAPABILITIES, Links, Reply, Response};
use crate::carrier::{
    document::Document,
    links::Step,
    plan::{Connect, Gather, Plan, Prompt, Script, Sound, Then, Whisper},
    twiml::{empty, numbers, reason, response, seconds},
};

/// How long a person has to press the key that accepts a call.
const ACCEPT_SECONDS: &str = "10";

/// The longest that a script waits for a key, and is silent.
const KEYS_TIMEOUT_MAX: Duration = Duration::from_mins(2);
const PAUSE_MAX: Duration = Duration::from_mins(3);

/// The most characters that one `<Say>` takes.
const SAY_CHARS_MAX: usize = 4096;

/// Words an answer. Every document is written from what the plan holds and nothing else: nothing
/// of the inbound request, and no attribute that carries its identity on (`passports`).
pub(super) fn reply(answer: &Answer, links: &Links) -> Reply {
    match answer {
        Answer::Nack => Response::empty(StatusCode::SERVICE_UNAVAILABLE).into(),
        Answer::Ack => response(|_| {}),
        Answer::Plan(plan) => response(|doc| word(doc, plan, links)),
    }
}

fn word(doc: &mut Document, plan: &Plan, links: &Links) {
    match plan {
        Plan::Reject(why) => empty(doc, "Reject", &[("reason", reason(*why))]),
        Plan::Announce(prompt) => {
            say(doc, prompt);
            empty(doc, "Hangup", &[]);
        }
        Plan::Connect(plan) => connect(doc, plan, links),
        Plan::Script(plan) => script(doc, plan, links),
        Plan::Whisper(plan) => whisper(doc, plan, links),
        Plan::Proceed => {}
        Plan::Hangup => empty(doc, "Hangup", &[]),
    }
}

fn connect(doc: &mut Document, plan: &Connect, links: &Links) {
    if let Some(prompt) = &plan.announce {
        say(doc, prompt);
    }
    dial(doc, plan, links, plan.announce.is_some());
}

/// Dials; `answered` if something was played before.
fn dial(doc: &mut Document, plan: &Connect, links: &Links, answered: bool) {
    if plan.to.is_empty() {
        return empty(doc, "Hangup", &[]);
    }
    let (least, most) = CAPABILITIES.ring_timeout;
    let timeout = seconds(plan.ring_timeout, least, most);
    let limit = CAPABILITIES.duration_max.unwrap_or(plan.duration_max);
    let limit = seconds(plan.duration_max, least, limit);
    let action = links.turn(Step::Dialled, &plan.leg, plan.turn);
    let mut attributes = vec![
        ("action", action.as_str()),
        ("method", "POST"),
        ("timeout", &timeout),
        ("timeLimit", &limit),
        ("callerId", plan.caller_id.as_str()),
    ];
    // A call that `<Say>` has answered can't be answered again by the bridge.
    if !answered {
        attributes.push(("answerOnBridge", "true"));
    }
    doc.element("Dial", &attributes, |doc| {
        numbers(doc, plan, links, CAPABILITIES.simultaneous);
    });
}

fn script(doc: &mut Document, plan: &Script, links: &Links) {
    play(doc, &plan.sounds);
    match &plan.then {
        Then::Hangup => empty(doc, "Hangup", &[]),
        Then::Ask => {
            let next = links.turn(Step::Played, &plan.leg, plan.turn);
            doc.element("Redirect", &[("method", "POST")], |doc| doc.words(&next));
        }
        Then::Keys(keys) => gather(doc, plan, keys, links),
        Then::Connect(connect) => dial(doc, connect, links, !plan.sounds.is_empty()),
    }
}

fn gather(doc: &mut Document, plan: &Script, keys: &Gather, links: &Links) {
    let action = links.turn(Step::Keys, &plan.leg, plan.turn);
    let timeout = seconds(keys.timeout, Duration::from_secs(1), KEYS_TIMEOUT_MAX);
    let most = keys.digits_max.to_string();
    let finish = keys.finish.map(String::from).unwrap_or_default();
    let attributes = [
        ("input", "dtmf"),
        ("action", &action),
        ("method", "POST"),
        ("timeout", &timeout),
        ("numDigits", &most),
        ("finishOnKey", &finish),
        // Without it nobody would tell us that no key came.
        ("actionOnEmptyResult", "true"),
    ];
    doc.element("Gather", &attributes, |doc| play(doc, &keys.prompts));
}

fn play(doc: &mut Document, sounds: &[Sound]) {
    for sound in sounds {
        match sound {
            Sound::Say(prompt) => say(doc, prompt),
            Sound::Play(address) => doc.element("Play", &[], |doc| doc.words(address)),
            Sound::Pause(length) => {
                let length = seconds(*length, Duration::from_secs(1), PAUSE_MAX);
                empty(doc, "Pause", &[("length", &length)]);
            }
        }
    }
}

fn whisper(doc: &mut Document, plan: &Whisper, links: &Links) {
    if let Some(prompt) = &plan.say {
        say(doc, prompt);
    }
    if let Some(prompt) = &plan.accept {
        let action = links.step(Step::Keys, &plan.leg);
        let attributes = [
            ("numDigits", "1"),
            ("action", action.as_str()),
            ("method", "POST"),
            ("timeout", ACCEPT_SECONDS),
        ];
        doc.element("Gather", &attributes, |doc| say(doc, prompt));
        // Reached when no key was pressed: a machine that answered must not be connected.
        empty(doc, "Hangup", &[]);
    }
}

fn say(doc: &mut Document, prompt: &Prompt) {
    let words: String = prompt.text.chars().take(SAY_CHARS_MAX).collect();
    doc.element("Say", &[("language", &prompt.language)], |doc| doc.words(&words));
}
