//! What carriers share that speak as Twilio does: here the documents, and in files of their own the
//! webhooks (`form`), the account and its requests (`rest`), the lists and what is wrong with a number. What is a carrier's
//! own is the `Dialect` that it gives.

mod account;
pub(super) mod form;
pub(super) mod list;
pub(super) mod number;
pub(super) mod provision;
pub(super) mod rest;

use std::time::Duration;

use http::StatusCode;

pub(super) use self::account::{Account, authorized, get};
use super::{
    Answer, Capabilities, Links, Reply, Response,
    document::Document,
    links::Step,
    plan::{
        self, Connect, Gather, Plan, Prompt, Record, RejectReason, Script, Sound, Then, Whisper,
    },
};
use crate::domain::call::CallState;

/// The least that ringing, a call and silence can last.
const LEAST: Duration = Duration::from_secs(1);

/// The longest that a script waits for a key, and is silent.
const KEYS_TIMEOUT_MAX: Duration = Duration::from_mins(2);
const PAUSE_MAX: Duration = Duration::from_mins(3);

/// The longest recording that we ask for.
const RECORD_MAX: Duration = Duration::from_mins(5);

/// The most characters that one `<Say>` takes.
const SAY_CHARS_MAX: usize = 4096;

/// What is the carrier's own in documents that are otherwise Twilio's.
pub(super) struct Dialect {
    /// Bounds of ringing and of calls.
    pub(super) can: &'static Capabilities,
    /// The voice that heeds `language`, where the default one may not.
    pub(super) voice: Option<&'static str>,
    /// Whether `<Dial>` takes a name to be shown, which is then the proxy number. Letters and digits are
    /// allowed there: it stands without its plus.
    pub(super) caller_name: bool,
    /// Whether we ask to be told that the key which accepts a call was not pressed: the end of a
    /// `<Dial>` does not say whether two people were connected.
    pub(super) tells_no_key: bool,
}

/// Words an answer. Every document is written from what the plan holds and nothing else: nothing
/// of the inbound request, and no attribute that carries its identity on (`passports`).
pub(super) fn reply(answer: &Answer, links: &Links, dialect: &Dialect) -> Reply {
    match answer {
        Answer::Nack => Response::empty(StatusCode::SERVICE_UNAVAILABLE).into(),
        Answer::Ack => response(|_| {}),
        Answer::Plan(plan) => response(|doc| Writer { doc, links, dialect }.plan(plan)),
    }
}

/// Writes one document.
struct Writer<'a> {
    doc: &'a mut Document,
    links: &'a Links,
    dialect: &'a Dialect,
}

impl Writer<'_> {
    /// The same inside an element.
    fn inside(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inside: impl FnOnce(&mut Writer<'_>),
    ) {
        let (links, dialect) = (self.links, self.dialect);
        self.doc.element(name, attributes, |doc| inside(&mut Writer { doc, links, dialect }));
    }

    fn hangup(&mut self) {
        empty(self.doc, "Hangup", &[]);
    }

    fn plan(&mut self, plan: &Plan) {
        match plan {
            Plan::Reject(why) => empty(self.doc, "Reject", &[("reason", reason(*why))]),
            Plan::Announce(prompt) => {
                self.say(prompt);
                self.hangup();
            }
            Plan::Connect(plan) => {
                if let Some(prompt) = &plan.announce {
                    self.say(prompt);
                }
                self.dial(plan, plan.announce.is_some());
            }
            Plan::Script(plan) => self.script(plan),
            Plan::Whisper(plan) => self.whisper(plan),
            Plan::Proceed => {}
            Plan::Hangup => self.hangup(),
        }
    }

    /// Dials; `answered` if something was played before.
    fn dial(&mut self, plan: &Connect, answered: bool) {
        if plan.to.is_empty() {
            return self.hangup();
        }
        let (can, links) = (self.dialect.can, self.links);
        let timeout = seconds(plan.ring_timeout, can.ring_timeout.0, can.ring_timeout.1);
        let limit = can.duration_max.unwrap_or(plan.duration_max);
        let limit = seconds(plan.duration_max, LEAST, limit);
        let action = links.turn(Step::Dialled, &plan.leg, plan.turn);
        let proxy = plan.caller_id.as_str();
        let mut attributes = vec![
            ("action", action.as_str()),
            ("method", "POST"),
            ("timeout", &timeout),
            ("timeLimit", &limit),
            ("callerId", proxy),
        ];
        if self.dialect.caller_name {
            attributes.push(("callerName", proxy.trim_start_matches('+')));
        }
        // A call that `<Say>` has answered can't be answered again by the bridge.
        if !answered {
            attributes.push(("answerOnBridge", "true"));
        }
        self.doc.element("Dial", &attributes, |doc| numbers(doc, plan, links, can.simultaneous));
    }

    fn script(&mut self, plan: &Script) {
        self.play(&plan.sounds);
        match &plan.then {
            Then::Hangup => self.hangup(),
            Then::Ask => {
                let next = self.links.turn(Step::Played, &plan.leg, plan.turn);
                self.doc.element("Redirect", &[("method", "POST")], |doc| doc.words(&next));
            }
            Then::Keys(keys) => self.gather(plan, keys),
            Then::Connect(connect) => self.dial(connect, !plan.sounds.is_empty()),
            Then::Record(record) => {
                recording(self.doc, plan, record, Some(record.silence), self.links);
                // Reached where nothing was said.
                self.hangup();
            }
        }
    }

    fn gather(&mut self, plan: &Script, keys: &Gather) {
        let action = self.links.turn(Step::Keys, &plan.leg, plan.turn);
        let timeout = seconds(keys.timeout, LEAST, KEYS_TIMEOUT_MAX);
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
        self.inside("Gather", &attributes, |inside| inside.play(&keys.prompts));
    }

    fn play(&mut self, sounds: &[Sound]) {
        for sound in sounds {
            match sound {
                Sound::Say(prompt) => self.say(prompt),
                Sound::Play(address) => self.doc.element("Play", &[], |doc| doc.words(address)),
                Sound::Pause(length) => {
                    let length = seconds(*length, LEAST, PAUSE_MAX);
                    empty(self.doc, "Pause", &[("length", &length)]);
                }
            }
        }
    }

    fn whisper(&mut self, plan: &Whisper) {
        if let Some(prompt) = &plan.say {
            self.say(prompt);
        }
        if let Some(prompt) = &plan.accept {
            let action = self.links.step(Step::Keys, &plan.leg);
            let patience = plan.patience().as_secs().to_string();
            let mut attributes = vec![
                ("numDigits", "1"),
                ("action", action.as_str()),
                ("method", "POST"),
                ("timeout", &patience),
            ];
            if self.dialect.tells_no_key || plan.optional {
                attributes.push(("actionOnEmptyResult", "true"));
            }
            self.inside("Gather", &attributes, |inside| inside.say(prompt));
            // Reached when no key was pressed: a machine that answered must not be connected.
            self.hangup();
        }
    }

    fn say(&mut self, prompt: &Prompt) {
        let words: String = prompt.text.chars().take(SAY_CHARS_MAX).collect();
        let mut attributes = vec![("language", &*prompt.language)];
        attributes.extend(self.dialect.voice.map(|voice| ("voice", voice)));
        self.doc.element("Say", &attributes, |doc| doc.words(&words));
    }
}

/// A document of the verbs that `inside` writes.
pub(super) fn response(inside: impl FnOnce(&mut Document)) -> Reply {
    let mut doc = Document::new();
    doc.element("Response", &[], inside);
    Response::new(StatusCode::OK, "text/xml; charset=utf-8", doc.finish()).into()
}

/// Writes an element that has nothing inside.
pub(super) fn empty(doc: &mut Document, name: &str, attributes: &[(&str, &str)]) {
    doc.element(name, attributes, |_| {});
}

/// The people whom a `<Dial>` rings, `most` of them, each with the address for its news and, if it is
/// asked first, for what it is asked.
pub(super) fn numbers(doc: &mut Document, plan: &Connect, links: &Links, most: usize) {
    for target in plan.to.iter().take(most) {
        let screen = plan.screen.then(|| links.step(Step::Whisper, &target.leg));
        let status = links.leg_status(&target.leg);
        let mut attributes = Vec::new();
        if let Some(url) = &screen {
            attributes.extend([("url", url.as_str()), ("method", "POST")]);
        }
        attributes.extend([
            ("statusCallback", status.as_str()),
            ("statusCallbackMethod", "POST"),
            ("statusCallbackEvent", "initiated ringing answered completed"),
        ]);
        doc.element("Number", &attributes, |doc| doc.words(target.number.expose()));
    }
}

/// Records a caller after a tone. Both addresses are told where it lies: that of the action at once, where the
/// caller stayed, and the other once it can be fetched. Silence ends it where that is told.
pub(super) fn recording(
    doc: &mut Document,
    plan: &Script,
    record: &Record,
    silence: Option<Duration>,
    links: &Links,
) {
    let address = links.turn(Step::Recorded, &plan.leg, plan.turn);
    let longest = seconds(record.longest, LEAST, RECORD_MAX);
    let silence = silence.map(|length| seconds(length, LEAST, RECORD_MAX));
    let finish = record.finish.to_string();
    let mut attributes = vec![
        ("action", address.as_str()),
        ("method", "POST"),
        ("maxLength", &longest),
        ("finishOnKey", &finish),
        ("playBeep", "true"),
        ("recordingStatusCallback", &address),
        ("recordingStatusCallbackMethod", "POST"),
    ];
    if let Some(silence) = &silence {
        attributes.push(("timeout", silence));
    }
    empty(doc, "Record", &attributes);
}

/// The `reason` of a `<Reject>`.
pub(super) const fn reason(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::Busy => "busy",
        RejectReason::Declined => "rejected",
    }
}

/// Whole seconds of `length`, rounded down and kept between `least` and `most`.
pub(super) fn seconds(length: Duration, least: Duration, most: Duration) -> String {
    plan::seconds(length, least, most).to_string()
}

/// The longest query of a next page that is believed.
const QUERY_MAX: usize = 2048;

/// Only the query is taken: whatever host or path a page names, the request goes to ours.
fn next_page(uri: &str) -> Option<&str> {
    let (_, pairs) = uri.split_once('?')?;
    let fits = pairs.len() <= QUERY_MAX && pairs.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    fits.then_some(pairs)
}

/// What a `CallStatus` or `DialCallStatus` means.
pub(super) fn call_state(status: &str) -> Option<CallState> {
    Some(match status {
        "queued" => CallState::Queued,
        "initiated" => CallState::Initiated,
        "ringing" => CallState::Ringing,
        "in-progress" | "answered" => CallState::Answered,
        "completed" => CallState::Completed,
        "busy" => CallState::Busy,
        "no-answer" => CallState::NoAnswer,
        "failed" => CallState::Failed,
        "canceled" => CallState::Cancelled,
        _ => return None,
    })
}
