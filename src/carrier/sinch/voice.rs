//! Answers as SVAML: a JSON object of instructions and one action.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Answer, CAPABILITIES, Reply, Response,
    events::Moment,
    fields::Fields,
    mark::{Asks, Mark},
    seconds,
};
use crate::carrier::plan::{Connect, Gather, Plan, Prompt, Script, Sound, Then, Whisper};

const JSON: &str = "application/json";

/// How long a person has to press the key that accepts a call.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that Sinch is told to wait for a key.
const KEYS_TIMEOUT_MAX: Duration = Duration::from_secs(30);

/// The most keys that a menu is told to collect.
const KEYS_MAX: u32 = 32;

/// A menu that asks nothing is over after this long.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The longest that a script is silent.
const PAUSE_MAX: Duration = Duration::from_mins(3);

/// The longest `break` of SSML.
const BREAK_MAX: Duration = Duration::from_secs(10);

/// The most characters that one `say` takes.
const SAY_CHARS_MAX: usize = 600;

/// The language of what is not spoken.
const LOCALE: &str = "en-US";

/// Words an answer to a webhook that is about that. Every document is written from what the plan holds and
/// nothing else: nothing of the inbound request.
pub(super) fn reply(answer: &Answer, about: Option<&Fields>) -> Reply {
    let moment = about.map_or(Moment::Incoming, Moment::of);
    match answer {
        Answer::Nack => Response::empty(StatusCode::SERVICE_UNAVAILABLE).into(),
        Answer::Ack => match (about, moment) {
            (Some(fields), Moment::Answered) => acknowledged(fields),
            // Whatever it is, it is not to be put through.
            (Some(_), Moment::Incoming | Moment::Prompted) => svaml(&[], &hangup()),
            _ => Response::empty(StatusCode::OK).into(),
        },
        // Nobody is there any more.
        Answer::Plan(_) if moment == Moment::Over => Response::empty(StatusCode::OK).into(),
        Answer::Plan(plan) => {
            let (instructions, action) = worded(plan);
            // A caller hears nothing before the call is answered.
            let heard = action["name"] == "runMenu" || instructions.iter().any(is_heard);
            let opens = (heard && moment == Moment::Incoming).then(|| json!({ "name": "answer" }));
            let all: Vec<Value> = opens.into_iter().chain(instructions).collect();
            svaml(&all, &action)
        }
    }
}

/// Who answered and is asked nothing is connected. Whom we placed a call to hears a menu without words:
/// only its end can be answered with somebody to ring.
fn acknowledged(fields: &Fields) -> Reply {
    match Mark::read(fields) {
        Some(Mark::Dialled { asks: Asks::Nothing, .. }) => svaml(&[], &proceed()),
        Some(Mark::Placed { .. }) => svaml(&[], &menu(&[], AT_ONCE, 1, false)),
        _ => svaml(&[], &hangup()),
    }
}

fn svaml(instructions: &[Value], action: &Value) -> Reply {
    let document = json!({ "instructions": instructions, "action": action });
    Response::new(StatusCode::OK, JSON, document.to_string()).into()
}

fn is_heard(instruction: &Value) -> bool {
    matches!(instruction["name"].as_str(), Some("say" | "playFiles"))
}

fn hangup() -> Value {
    json!({ "name": "hangup" })
}

fn proceed() -> Value {
    json!({ "name": "continue" })
}

fn worded(plan: &Plan) -> (Vec<Value>, Value) {
    match plan {
        Plan::Reject(_) | Plan::Hangup => (Vec::new(), hangup()),
        Plan::Announce(prompt) => (vec![say(prompt)], hangup()),
        Plan::Connect(plan) => connect(plan),
        Plan::Script(plan) => script(plan),
        Plan::Whisper(plan) => whisper(plan),
        Plan::Proceed => (Vec::new(), proceed()),
    }
}

fn connect(plan: &Connect) -> (Vec<Value>, Value) {
    // One number is all that an action takes.
    let Some(target) = plan.to.first() else { return (Vec::new(), hangup()) };
    let asks = match (plan.screen, plan.accept) {
        (false, _) => Asks::Nothing,
        (true, false) => Asks::Words,
        (true, true) => Asks::Key,
    };
    let mark =
        Mark::Dialled { leg: plan.leg.clone(), turn: plan.turn, rung: target.leg.clone(), asks };
    let to = target.number.expose();
    let action = dial(to, plan.caller_id.as_str(), plan.ring_timeout, plan.duration_max);
    let said = plan.announce.iter().map(say);
    (std::iter::once(mark.instruction()).chain(said).collect(), action)
}

/// Rings a number, which sees `shown`: without it, it would see the caller's own.
pub(super) fn dial(to: &str, shown: &str, ring: Duration, longest: Duration) -> Value {
    let (least, most) = CAPABILITIES.ring_timeout;
    let limit = CAPABILITIES.duration_max.unwrap_or(longest);
    json!({
        "name": "connectPstn",
        "number": to,
        "cli": shown,
        "dialTimeout": seconds(ring, least, most),
        "maxDuration": seconds(longest, Duration::from_secs(1), limit),
        "suppressCallbacks": false,
    })
}

fn script(plan: &Script) -> (Vec<Value>, Value) {
    let (leg, turn) = (plan.leg.clone(), plan.turn);
    let sounds = plan.sounds.iter().map(sound);
    match &plan.then {
        // What Sinch records it puts into a store of the account's own, and nowhere else.
        Then::Hangup | Then::Record(_) => (sounds.collect(), hangup()),
        Then::Ask => {
            let mark = Mark::Played { leg, turn }.instruction();
            (std::iter::once(mark).chain(sounds).collect(), menu(&[], AT_ONCE, 1, false))
        }
        Then::Keys(keys) => {
            let mark = Mark::Keys { leg, turn, finish: keys.finish }.instruction();
            (std::iter::once(mark).chain(sounds).collect(), gather(keys))
        }
        Then::Connect(plan) => {
            let (instructions, action) = connect(plan);
            (instructions.into_iter().chain(sounds).collect(), action)
        }
    }
}

fn gather(keys: &Gather) -> Value {
    let timeout = keys.timeout.clamp(Duration::from_secs(1), KEYS_TIMEOUT_MAX);
    menu(&keys.prompts, timeout, keys.digits_max.clamp(1, KEYS_MAX), true)
}

/// Words alone are said and the two connected. A question is a menu, which the callee hears.
fn whisper(plan: &Whisper) -> (Vec<Value>, Value) {
    let Some(accept) = &plan.accept else {
        return (plan.say.iter().map(say).collect(), proceed());
    };
    let prompts: Vec<Sound> = plan.say.iter().chain([accept]).cloned().map(Sound::Say).collect();
    (Vec::new(), menu(&prompts, ACCEPT_TIMEOUT, 1, true))
}

/// Sounds, which a key ends if `barge`, and keys after them: its end is told whether any came or not.
fn menu(sounds: &[Sound], timeout: Duration, keys: u32, barge: bool) -> Value {
    let spoken = sounds.iter().find_map(|sound| match sound {
        Sound::Say(prompt) => Some(prompt.language.as_str()),
        _ => None,
    });
    let mut prompts: Vec<String> = sounds.iter().map(prompt).collect();
    if prompts.is_empty() {
        prompts.push(silence(AT_ONCE));
    }
    json!({
        "name": "runMenu",
        "barge": barge,
        "locale": spoken.unwrap_or(LOCALE),
        "mainMenu": "main",
        "menus": [{
            "id": "main",
            "mainPrompt": prompts.join(";"),
            "repeats": 0,
            "maxDigits": keys,
            "timeoutMills": u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        }],
    })
}

fn sound(sound: &Sound) -> Value {
    match sound {
        Sound::Say(prompt) => say(prompt),
        other => json!({ "name": "playFiles", "ids": [prompt(other)], "locale": LOCALE }),
    }
}

fn say(prompt: &Prompt) -> Value {
    let words: String = prompt.text.chars().take(SAY_CHARS_MAX).collect();
    json!({ "name": "say", "text": words, "locale": prompt.language })
}

/// A sound as a menu or a list of files has it.
fn prompt(sound: &Sound) -> String {
    match sound {
        Sound::Say(prompt) => {
            // What ends a prompt, begins another or is markup in one is not spoken.
            let kept = |c: char| if "[];#<>&".contains(c) { ' ' } else { c };
            let words: String = prompt.text.chars().take(SAY_CHARS_MAX).map(kept).collect();
            format!("#tts[{words}]")
        }
        Sound::Play(address) => {
            let address = address.replace('[', "%5B").replace(']', "%5D").replace(';', "%3B");
            format!("#href[{address}]")
        }
        Sound::Pause(length) => silence((*length).min(PAUSE_MAX)),
    }
}

fn silence(length: Duration) -> String {
    let mut left = length.max(AT_ONCE);
    let mut breaks = String::new();
    while !left.is_zero() {
        let one = left.min(BREAK_MAX);
        breaks.extend(["<break time=\"", &one.as_millis().to_string(), "ms\"/>"]);
        left = left.saturating_sub(one);
    }
    format!("#ssml[<speak>{breaks}</speak>]")
}
