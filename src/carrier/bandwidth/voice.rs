//! Answers as BXML.

use std::time::Duration;

use http::StatusCode;

use super::{Answer, LIMITS, Links, Reply, Response, config::Config};
use crate::{
    carrier::{
        document::Document,
        links::Step,
        plan::{Connect, Gather, Plan, Prompt, Record, Script, Sound, Target, Then, Whisper},
        twiml::{empty, seconds},
    },
    ids::LegId,
};

const BXML: &str = "application/xml; charset=utf-8";

/// How long a person has to press the key that accepts a call.
const ACCEPT: Duration = Duration::from_secs(10);

/// The least and the longest that Bandwidth waits for a key, and the longest that a script is silent.
const KEYS_TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
const PAUSE_MAX: Duration = Duration::from_mins(3);

/// The longest recording that we ask for, and how long the tone is before it, in milliseconds.
const RECORD_MAX: Duration = Duration::from_mins(5);
const TONE_MS: &str = "400";

/// The most keys that one `<Gather>` takes.
const KEYS_MAX: u32 = 50;

/// The most characters that one `<SpeakSentence>` is given: what Bandwidth's voices take.
const SAY_CHARS_MAX: usize = 3000;

/// Words an answer. Every document is written from what the plan holds and nothing else: nothing of
/// the inbound request, and no attribute that carries its identity on.
pub(super) fn reply(config: &Config, answer: &Answer, links: &Links) -> Reply {
    match answer {
        Answer::Nack => Response::empty(StatusCode::SERVICE_UNAVAILABLE).into(),
        Answer::Ack => Response::empty(StatusCode::NO_CONTENT).into(),
        Answer::Plan(plan) => {
            let mut doc = Document::new();
            let words = Words { config, links };
            doc.element("Response", &[], |doc| words.plan(doc, plan));
            Response::new(StatusCode::OK, BXML, doc.finish()).into()
        }
    }
}

struct Words<'a> {
    config: &'a Config,
    links: &'a Links,
}

impl Words<'_> {
    fn plan(&self, doc: &mut Document, plan: &Plan) {
        match plan {
            // Unanswered, a call is rejected so, with no cause to choose.
            Plan::Reject(_) | Plan::Hangup => hang_up(doc),
            Plan::Announce(prompt) => {
                say(doc, prompt);
                hang_up(doc);
            }
            Plan::Connect(plan) => {
                if let Some(prompt) = &plan.announce {
                    say(doc, prompt);
                }
                self.transfer(doc, plan);
            }
            Plan::Script(plan) => self.script(doc, plan),
            Plan::Whisper(plan) => self.whisper(doc, plan),
            // The two are connected at the end of the document of whoever answered.
            Plan::Proceed => {}
        }
    }

    /// The caller ID, the name that is shown and the diversion are set: without the first Bandwidth
    /// passes the caller's number on.
    fn transfer(&self, doc: &mut Document, plan: &Connect) {
        if plan.to.is_empty() {
            return hang_up(doc);
        }
        let (least, most) = LIMITS.ring_timeout;
        let timeout = seconds(plan.ring_timeout, least, most);
        let next = self.links.turn(Step::Dialled, &plan.leg, plan.turn);
        let password = self.config.leg_password(&plan.leg);
        let proxy = plan.caller_id.as_str();
        let attributes = [
            ("transferCallerId", proxy),
            ("transferCallerDisplayName", proxy),
            ("diversionTreatment", "none"),
            ("callTimeout", &timeout),
            ("transferCompleteUrl", &next),
            ("transferCompleteMethod", "POST"),
            ("username", &self.config.webhook_username),
            ("password", &password),
        ];
        doc.element("Transfer", &attributes, |doc| {
            for target in plan.to.iter().take(LIMITS.simultaneous) {
                self.callee(doc, target);
            }
        });
    }

    /// Who answers is always asked about first: Bandwidth tells of it in no other way.
    fn callee(&self, doc: &mut Document, target: &Target) {
        let answered = self.links.step(Step::Whisper, &target.leg);
        let over = self.links.leg_status(&target.leg);
        let password = self.config.leg_password(&target.leg);
        let attributes = [
            ("transferAnswerUrl", answered.as_str()),
            ("transferAnswerMethod", "POST"),
            ("transferDisconnectUrl", &over),
            ("transferDisconnectMethod", "POST"),
            ("username", &self.config.webhook_username),
            ("password", &password),
        ];
        doc.element("PhoneNumber", &attributes, |doc| doc.words(target.number.expose()));
    }

    fn script(&self, doc: &mut Document, plan: &Script) {
        for sound in &plan.sounds {
            play(doc, sound);
        }
        match &plan.then {
            Then::Hangup => hang_up(doc),
            Then::Ask => {
                let next = self.links.turn(Step::Played, &plan.leg, plan.turn);
                let password = self.config.leg_password(&plan.leg);
                let attributes = [
                    ("redirectUrl", next.as_str()),
                    ("redirectMethod", "POST"),
                    ("username", &self.config.webhook_username),
                    ("password", &password),
                ];
                empty(doc, "Redirect", &attributes);
            }
            Then::Keys(keys) => {
                let next = self.links.turn(Step::Keys, &plan.leg, plan.turn);
                self.gather(doc, &plan.leg, &next, keys);
            }
            Then::Connect(plan) => self.transfer(doc, plan),
            Then::Record(wanted) => self.record(doc, plan, wanted),
        }
    }

    /// Records after a tone, for which a key's serves: Bandwidth has none for it. The end is told where the
    /// caller stayed, and always that it can be fetched.
    fn record(&self, doc: &mut Document, plan: &Script, wanted: &Record) {
        let address = self.links.turn(Step::Recorded, &plan.leg, plan.turn);
        let longest = seconds(wanted.longest, Duration::from_secs(1), RECORD_MAX);
        let silence = seconds(wanted.silence, Duration::from_secs(1), RECORD_MAX);
        let finish = wanted.finish.to_string();
        let password = self.config.leg_password(&plan.leg);
        doc.element("SendDtmf", &[("toneDuration", TONE_MS)], |doc| doc.words("1"));
        let attributes = [
            ("recordCompleteUrl", address.as_str()),
            ("recordCompleteMethod", "POST"),
            ("recordingAvailableUrl", &address),
            ("recordingAvailableMethod", "POST"),
            ("username", &self.config.webhook_username),
            ("password", &password),
            ("maxDuration", &longest),
            ("silenceTimeout", &silence),
            ("terminatingDigits", &finish),
            ("fileFormat", "mp3"),
        ];
        empty(doc, "Record", &attributes);
    }

    /// Waits for keys; `next` is asked with them or without. A pause may not stand inside.
    fn gather(&self, doc: &mut Document, leg: &LegId, next: &str, keys: &Gather) {
        let timeout = seconds(keys.timeout, KEYS_TIMEOUT.0, KEYS_TIMEOUT.1);
        let most = keys.digits_max.clamp(1, KEYS_MAX).to_string();
        let finish = keys.finish.map(String::from).unwrap_or_default();
        let password = self.config.leg_password(leg);
        let attributes = [
            ("gatherUrl", next),
            ("gatherMethod", "POST"),
            ("username", &self.config.webhook_username),
            ("password", &password),
            ("terminatingDigits", &finish),
            ("maxDigits", &most),
            ("interDigitTimeout", &timeout),
            ("firstDigitTimeout", &timeout),
        ];
        doc.element("Gather", &attributes, |doc| {
            for sound in keys.prompts.iter().filter(|sound| !matches!(sound, Sound::Pause(_))) {
                play(doc, sound);
            }
        });
    }

    fn whisper(&self, doc: &mut Document, plan: &Whisper) {
        if let Some(prompt) = &plan.say {
            say(doc, prompt);
        }
        if let Some(prompt) = &plan.accept {
            let keys = Gather {
                prompts: vec![Sound::Say(prompt.clone())],
                timeout: ACCEPT,
                digits_max: 1,
                finish: None,
            };
            self.gather(doc, &plan.leg, &self.links.step(Step::Keys, &plan.leg), &keys);
        }
    }
}

fn hang_up(doc: &mut Document) {
    empty(doc, "Hangup", &[]);
}

fn play(doc: &mut Document, sound: &Sound) {
    match sound {
        Sound::Say(prompt) => say(doc, prompt),
        Sound::Play(address) => doc.element("PlayAudio", &[], |doc| doc.words(address)),
        Sound::Pause(length) => {
            let length = seconds(*length, Duration::from_secs(1), PAUSE_MAX);
            empty(doc, "Pause", &[("duration", &length)]);
        }
    }
}

/// Says the words, if there are any: an empty sentence makes the whole document invalid.
fn say(doc: &mut Document, prompt: &Prompt) {
    let words: String = prompt.text.chars().take(SAY_CHARS_MAX).collect();
    if words.trim().is_empty() {
        return;
    }
    let locale = locale(&prompt.language).map(|locale| ("locale", locale));
    doc.element("SpeakSentence", locale.as_slice(), |doc| doc.words(&words));
}

/// The voice for a BCP 47 language, in Bandwidth's own words; none for one that it has no voice for.
fn locale(language: &str) -> Option<&'static str> {
    let language = language.to_ascii_lowercase();
    let (primary, region) = language.split_once('-').unwrap_or((&language, ""));
    Some(match (primary, region) {
        ("en", "" | "us" | "ca" | "pr") => "en_US",
        ("en", _) => "en_UK",
        ("es", "" | "es") => "es",
        ("es", _) => "es_MX",
        ("fr", _) => "fr",
        ("de", _) => "de",
        ("it", _) => "it",
        ("ja", _) => "ja",
        ("ru", _) => "ru",
        ("ar", _) => "arb",
        ("zh" | "cmn", _) => "cmn-CN",
        _ => return None,
    })
}
