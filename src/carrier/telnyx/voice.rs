//! Answers as `TeXML`.

use std::time::Duration;

use http::StatusCode;

use super::{Answer, CAPABILITIES, Links, Reply, Response};
use crate::carrier::{
    document::Document,
    links::Step,
    plan::{Connect, Gather, Plan, Prompt, Script, Sound, Then, Whisper},
    twiml::{empty, numbers, reason, recording, response, seconds},
};

/// The least and the longest that Telnyx waits for a key, is silent, and lets two people talk.
const KEYS_TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(2));
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(3));
const TALK_LEAST: Duration = Duration::from_mins(1);

/// The most keys that one `<Gather>` takes.
const KEYS_MAX: u32 = 128;

/// The most characters that one `<Say>` is given.
const SAY_CHARS_MAX: usize = 3000;

/// The voice that heeds `language`: the default one speaks American English whatever it is told.
const VOICE: &str = "alice";

/// Words an answer. Every document is written from what the plan holds and nothing else: nothing
/// of the inbound request, and no attribute that carries its identity on.
///
/// Texts' webhooks are answered likewise: Telnyx heeds their status only.
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
        Plan::Connect(plan) => {
            if let Some(prompt) = &plan.announce {
                say(doc, prompt);
            }
            dial(doc, plan, links, plan.announce.is_some());
        }
        Plan::Script(plan) => script(doc, plan, links),
        Plan::Whisper(plan) => whisper(doc, plan, links),
        Plan::Proceed => {}
        Plan::Hangup => empty(doc, "Hangup", &[]),
    }
}

/// Dials; `answered` if something was played before. The name that is shown and the diversion are
/// set, whatever Telnyx does without them.
fn dial(doc: &mut Document, plan: &Connect, links: &Links, answered: bool) {
    if plan.to.is_empty() {
        return empty(doc, "Hangup", &[]);
    }
    let (least, most) = CAPABILITIES.ring_timeout;
    let timeout = seconds(plan.ring_timeout, least, most);
    let longest = CAPABILITIES.duration_max.unwrap_or(plan.duration_max);
    let limit = seconds(plan.duration_max, TALK_LEAST, longest);
    let action = links.turn(Step::Dialled, &plan.leg, plan.turn);
    let proxy = plan.caller_id.as_str();
    let mut attributes = vec![
        ("action", action.as_str()),
        ("method", "POST"),
        ("timeout", &timeout),
        ("timeLimit", &limit),
        ("callerId", proxy),
        ("fromDisplayName", proxy),
        ("passDiversionHeader", "false"),
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
    for sound in &plan.sounds {
        play(doc, sound);
    }
    match &plan.then {
        Then::Hangup => empty(doc, "Hangup", &[]),
        Then::Ask => redirect(doc, &links.turn(Step::Played, &plan.leg, plan.turn)),
        Then::Keys(keys) => keys_of_a_script(doc, plan, keys, links),
        Then::Connect(connect) => dial(doc, connect, links, !plan.sounds.is_empty()),
        Then::Record(record) => {
            // Telnyx finds silence by having what is said transcribed, which we do not ask for.
            recording(doc, plan, record, None, links);
            empty(doc, "Hangup", &[]);
        }
    }
}

fn keys_of_a_script(doc: &mut Document, plan: &Script, keys: &Gather, links: &Links) {
    let action = links.turn(Step::Keys, &plan.leg, plan.turn);
    let timeout = seconds(keys.timeout, KEYS_TIMEOUT.0, KEYS_TIMEOUT.1);
    let most = keys.digits_max.clamp(1, KEYS_MAX).to_string();
    let finish = keys.finish.map(String::from).unwrap_or_default();
    let attributes = [
        ("input", "dtmf"),
        ("action", action.as_str()),
        ("timeout", &timeout),
        ("maxDigits", &most),
        ("finishOnKey", &finish),
    ];
    gather(doc, &attributes, &action, |doc| {
        // `<Gather>` takes no `<Pause>`.
        for sound in keys.prompts.iter().filter(|sound| !matches!(sound, Sound::Pause(_))) {
            play(doc, sound);
        }
    });
}

/// Waits for keys. The `<Redirect>` is reached where Telnyx goes on in the document when no key
/// came, instead of asking the action: nobody would tell us otherwise.
fn gather(
    doc: &mut Document,
    attributes: &[(&str, &str)],
    action: &str,
    prompts: impl FnOnce(&mut Document),
) {
    doc.element("Gather", attributes, prompts);
    redirect(doc, action);
}

fn redirect(doc: &mut Document, address: &str) {
    doc.element("Redirect", &[("method", "POST")], |doc| doc.words(address));
}

fn play(doc: &mut Document, sound: &Sound) {
    match sound {
        Sound::Say(prompt) => say(doc, prompt),
        Sound::Play(address) => doc.element("Play", &[], |doc| doc.words(address)),
        Sound::Pause(length) => {
            empty(doc, "Pause", &[("length", &seconds(*length, PAUSE.0, PAUSE.1))]);
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
            ("input", "dtmf"),
            ("action", action.as_str()),
            ("timeout", &plan.patience().as_secs().to_string()),
            ("numDigits", "1"),
        ];
        gather(doc, &attributes, &action, |doc| say(doc, prompt));
        // Should Telnyx heed no `<Redirect>` here: a machine that answered must not be connected.
        empty(doc, "Hangup", &[]);
    }
}

fn say(doc: &mut Document, prompt: &Prompt) {
    let words: String = prompt.text.chars().take(SAY_CHARS_MAX).collect();
    let attributes = [("voice", VOICE), ("language", &*prompt.language)];
    doc.element("Say", &attributes, |doc| doc.words(&words));
}
