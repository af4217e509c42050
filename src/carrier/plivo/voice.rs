//! Answers as Plivo XML.

use std::time::Duration;

use http::StatusCode;

use super::{Answer, CAPABILITIES, Links, Reply, Response, bare, config::Config, send};
use crate::carrier::{
    document::Document,
    links::Step,
    plan::{Connect, Gather, Plan, Prompt, Record, Script, Sound, Then, Whisper},
    twiml::{empty, reason, response, seconds},
};

/// The key that accepts a call, and how long a person has to press it: from the answer on, so that what
/// is said before counts too.
const ACCEPT_KEY: &str = "1";
const ACCEPT_SECONDS: &str = "30";

/// The longest that a script waits for a key, and is silent.
const KEYS_TIMEOUT_MAX: Duration = Duration::from_mins(2);
const PAUSE_MAX: Duration = Duration::from_mins(3);

/// The longest recording that we ask for.
const RECORD_MAX: Duration = Duration::from_mins(5);

/// The most keys that Plivo collects.
const KEYS_MAX: u32 = 99;

/// The most characters that one `<Speak>` is given.
const SPEAK_CHARS_MAX: usize = 3000;

/// The languages of Plivo's own voice: another one may fail the whole document.
const LANGUAGES: &[&str] = &[
    "en-US", "en-GB", "en-AU", "fr-FR", "fr-CA", "es-ES", "es-US", "de-DE", "it-IT", "nl-NL",
    "pt-BR", "pt-PT", "da-DK", "pl-PL", "ru-RU", "sv-SE",
];

/// How Plivo fetches an address of a call ("callback configurations"): by itself it does not try again
/// after an error of ours.
const OVERRIDES: &str = "#rc=3&rp=ct,rt,5xx";

/// An address with [`OVERRIDES`].
pub(super) fn tried_again(address: &str) -> String {
    format!("{address}{OVERRIDES}")
}

/// Words an answer. Every document is written from what the plan holds and nothing else: nothing of the
/// inbound request, and no attribute that carries its identity on (`sipHeaders`).
///
/// Texts' webhooks are answered likewise: an empty document sends no text back.
pub(super) fn reply(answer: &Answer, links: &Links) -> Reply {
    match answer {
        Answer::Nack => Response::empty(StatusCode::SERVICE_UNAVAILABLE).into(),
        Answer::Ack => response(|_| {}),
        Answer::Plan(plan) => response(|doc| word(doc, plan, links)),
    }
}

/// Ends the call that rang somebody who is not to be connected: no document can, since Plivo heeds only
/// what is played there. They are kept waiting until the request has ended it.
pub(super) fn turned_away(config: &Config, id: &str) -> Reply {
    let mut reply = response(|doc| wait(doc, Duration::from_hours(1), Duration::from_hours(1)));
    reply.commands.extend(send::hang_up(config, id));
    reply
}

fn word(doc: &mut Document, plan: &Plan, links: &Links) {
    match plan {
        Plan::Reject(why) => empty(doc, "Hangup", &[("reason", reason(*why))]),
        Plan::Announce(prompt) => {
            speak(doc, prompt);
            empty(doc, "Hangup", &[]);
        }
        Plan::Connect(plan) => {
            if let Some(prompt) = &plan.announce {
                speak(doc, prompt);
            }
            dial(doc, plan, links);
        }
        Plan::Script(plan) => script(doc, plan, links),
        Plan::Whisper(plan) => whisper(doc, plan),
        // What is played to somebody who answered may not be nothing.
        Plan::Proceed => wait(doc, Duration::from_secs(1), PAUSE_MAX),
        Plan::Hangup => empty(doc, "Hangup", &[]),
    }
}

/// Dials. The number and the name that are shown are set: they are the caller's own by default.
fn dial(doc: &mut Document, plan: &Connect, links: &Links) {
    // Plivo tells of all that are rung at one address, which names one leg.
    let Some(target) = plan.to.first() else { return empty(doc, "Hangup", &[]) };
    let (least, most) = CAPABILITIES.ring_timeout;
    let timeout = seconds(plan.ring_timeout, least, most);
    let limit = CAPABILITIES.duration_max.unwrap_or(plan.duration_max);
    let limit = seconds(plan.duration_max, least, limit);
    let action = tried_again(&links.turn(Step::Dialled, &plan.leg, plan.turn));
    let news = tried_again(&links.leg_status(&target.leg));
    let screen = plan.screen.then(|| tried_again(&links.step(Step::Whisper, &target.leg)));
    let proxy = bare(plan.caller_id.as_str());
    let mut attributes = vec![
        ("action", action.as_str()),
        ("method", "POST"),
        ("timeout", &timeout),
        ("timeLimit", &limit),
        ("callerId", proxy),
        ("callerName", proxy),
        // The ringing of the called network, instead of silence.
        ("dialMusic", "real"),
        ("callbackUrl", &news),
        ("callbackMethod", "POST"),
    ];
    if let Some(url) = &screen {
        attributes.push(("confirmSound", url));
        if plan.accept {
            attributes.extend([("confirmKey", ACCEPT_KEY), ("confirmTimeout", ACCEPT_SECONDS)]);
        }
    }
    doc.element("Dial", &attributes, |doc| {
        doc.element("Number", &[], |doc| doc.words(bare(target.number.expose())));
    });
}

fn script(doc: &mut Document, plan: &Script, links: &Links) {
    for sound in &plan.sounds {
        play(doc, sound);
    }
    match &plan.then {
        Then::Hangup => empty(doc, "Hangup", &[]),
        Then::Ask => redirect(doc, &tried_again(&links.turn(Step::Played, &plan.leg, plan.turn))),
        Then::Keys(keys) => gather(doc, plan, keys, links),
        Then::Connect(connect) => dial(doc, connect, links),
        Then::Record(wanted) => record(doc, plan, wanted, links),
    }
}

/// Records after a tone. The action is asked what comes next; the other address also hears of a recording
/// whose caller hung up.
fn record(doc: &mut Document, plan: &Script, wanted: &Record, links: &Links) {
    let address = tried_again(&links.turn(Step::Recorded, &plan.leg, plan.turn));
    let longest = seconds(wanted.longest, Duration::from_secs(1), RECORD_MAX);
    let silence = seconds(wanted.silence, Duration::from_secs(1), RECORD_MAX);
    let finish = wanted.finish.to_string();
    let attributes = [
        ("action", address.as_str()),
        ("method", "POST"),
        ("maxLength", &longest),
        ("timeout", &silence),
        ("finishOnKey", &finish),
        ("playBeep", "true"),
        ("fileFormat", "mp3"),
        ("callbackUrl", &address),
        ("callbackMethod", "POST"),
    ];
    empty(doc, "Record", &attributes);
    // Reached where nothing was said.
    empty(doc, "Hangup", &[]);
}

/// Waits for keys. `<GetDigits>` and not `<GetInput>`, which can't wait for the first key as long as for
/// the others, or less than five seconds.
fn gather(doc: &mut Document, plan: &Script, keys: &Gather, links: &Links) {
    let action = tried_again(&links.turn(Step::Keys, &plan.leg, plan.turn));
    let timeout = seconds(keys.timeout, Duration::from_secs(1), KEYS_TIMEOUT_MAX);
    let most = keys.digits_max.clamp(1, KEYS_MAX).to_string();
    let finish = keys.finish.map_or_else(|| "none".to_owned(), String::from);
    let attributes = [
        ("action", action.as_str()),
        ("method", "POST"),
        ("timeout", &timeout),
        ("digitTimeout", &timeout),
        ("numDigits", &most),
        ("finishOnKey", &finish),
        ("retries", "1"),
        // They may be a secret of the caller's.
        ("log", "false"),
    ];
    doc.element("GetDigits", &attributes, |doc| {
        // Which takes no `<Wait>`.
        for sound in keys.prompts.iter().filter(|sound| !matches!(sound, Sound::Pause(_))) {
            play(doc, sound);
        }
    });
    // Reached when no key came, of which nobody would tell us.
    redirect(doc, &action);
}

fn redirect(doc: &mut Document, address: &str) {
    doc.element("Redirect", &[("method", "POST")], |doc| doc.words(address));
}

fn play(doc: &mut Document, sound: &Sound) {
    match sound {
        Sound::Say(prompt) => speak(doc, prompt),
        Sound::Play(address) => doc.element("Play", &[], |doc| doc.words(address)),
        Sound::Pause(length) => wait(doc, *length, PAUSE_MAX),
    }
}

/// Silence, and no music.
fn wait(doc: &mut Document, length: Duration, most: Duration) {
    let length = seconds(length, Duration::from_secs(1), most);
    empty(doc, "Wait", &[("length", &length), ("silence", "true")]);
}

/// The key is waited for by the `<Dial>`.
fn whisper(doc: &mut Document, plan: &Whisper) {
    if plan.say.is_none() && plan.accept.is_none() {
        wait(doc, Duration::from_secs(1), PAUSE_MAX);
    }
    for prompt in plan.say.iter().chain(&plan.accept) {
        speak(doc, prompt);
    }
}

fn speak(doc: &mut Document, prompt: &Prompt) {
    let words: String = prompt.text.chars().take(SPEAK_CHARS_MAX).collect();
    let attributes = [("voice", "WOMAN"), ("language", language(&prompt.language))];
    doc.element("Speak", &attributes, |doc| doc.words(&words));
}

/// The language itself, or else one that differs in its region only, or else American English.
fn language(wanted: &str) -> &'static str {
    let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let exact = LANGUAGES.iter().find(|known| known.eq_ignore_ascii_case(wanted));
    // Whoever speaks Spanish outside of Spain is nearer to the other one.
    let mexican = ["es-MX", "es-419"].iter().any(|tag| tag.eq_ignore_ascii_case(wanted));
    let near = || LANGUAGES.iter().find(|known| primary(known) == primary(wanted));
    if mexican { "es-US" } else { exact.or_else(near).copied().unwrap_or("en-US") }
}
