//! Answers as jambonz's verbs: a JSON array.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Links, Reply, Response, VOICE, config::Config, seconds};
use crate::{
    carrier::{
        links::Step,
        plan::{Connect, Gather, Plan, Prompt, RejectReason, Script, Sound, Then, Whisper},
    },
    ids::LegId,
};

const JSON: &str = "application/json";

/// How long a person has to press the key that accepts a call.
const ACCEPT: Duration = Duration::from_secs(10);

/// The shortest and the longest that a script waits for a key, and is silent.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(3));

/// The most keys that are waited for.
const KEYS_MAX: u32 = 32;

/// The most characters that are spoken at once.
const SAY_CHARS_MAX: usize = 3000;

/// How jambonz asks an address: by itself it does not try again.
const AGAIN: &str = "#rc=3&rp=ct,rt,5xx";

/// An address that is asked again after an error of ours.
pub(super) fn tried_again(address: &str) -> String {
    format!("{address}{AGAIN}")
}

/// Words an answer; `rung` is whoever answered our ringing, if they are asked about. Every document is
/// written from what the plan holds and nothing else: nothing of the inbound request.
pub(super) fn reply(
    config: &Config,
    answer: &Answer,
    rung: Option<&LegId>,
    links: &Links,
) -> Reply {
    match answer {
        Answer::Nack => Response::empty(StatusCode::SERVICE_UNAVAILABLE).into(),
        // An empty list of verbs would end a call.
        Answer::Ack => Response::empty(StatusCode::OK).into(),
        Answer::Plan(plan) => {
            let verbs = Writer { config, links }.verbs(plan, rung);
            Response::new(StatusCode::OK, JSON, Value::from(verbs).to_string()).into()
        }
    }
}

struct Writer<'a> {
    config: &'a Config,
    links: &'a Links,
}

impl Writer<'_> {
    fn verbs(&self, plan: &Plan, rung: Option<&LegId>) -> Vec<Value> {
        match plan {
            Plan::Reject(RejectReason::Busy) => vec![decline(486, "Busy Here")],
            Plan::Reject(RejectReason::Declined) => vec![decline(603, "Decline")],
            Plan::Announce(prompt) => vec![self.say(prompt), hang_up()],
            Plan::Connect(plan) => {
                let announced: Vec<Value> =
                    plan.announce.iter().map(|prompt| self.say(prompt)).collect();
                let answered = !announced.is_empty();
                [announced, self.dial(plan, answered)].concat()
            }
            Plan::Script(plan) => self.script(plan),
            Plan::Whisper(plan) => self.whisper(plan),
            Plan::Proceed => vec![proceed(rung)],
            Plan::Hangup if rung.is_some() => vec![hang_up()],
            Plan::Hangup => end(),
        }
    }

    /// Dials. The number and the name that are shown are set, and what the network says of the caller is
    /// not passed on: both are the caller's own by default.
    fn dial(&self, plan: &Connect, answered: bool) -> Vec<Value> {
        // jambonz tells of all that are rung at one address, with what was said of the dialling.
        let Some(one) = plan.to.first() else { return end() };
        let (least, most) = VOICE.ring_timeout;
        let limit = VOICE.duration_max.unwrap_or(plan.duration_max);
        let mut target = json!({ "type": "phone", "number": one.number.expose() });
        if let Some(trunk) = &self.config.trunk {
            target["trunk"] = trunk.as_str().into();
        }
        if plan.screen {
            let asks = self.links.step(Step::Whisper, &one.leg);
            target["confirmHook"] = tried_again(&asks).into();
        }
        let mut dial = json!({
            "verb": "dial",
            "callerId": plan.caller_id.as_str(),
            "callerName": plan.caller_id.as_str(),
            "forwardPAI": false,
            "answerOnBridge": !answered,
            "timeout": seconds(plan.ring_timeout, least, most),
            "timeLimit": seconds(plan.duration_max, least, limit),
            "actionHook":
                tried_again(&self.links.turn(Step::Dialled, &plan.leg, plan.turn)),
            "tag": { "leg": one.leg.to_string() },
            "target": [target],
        });
        if let Some(sound) = self.config.ringback(plan.screen) {
            dial["dialMusic"] = sound.into();
        }
        vec![dial]
    }

    fn script(&self, plan: &Script) -> Vec<Value> {
        let mut verbs: Vec<Value> = plan.sounds.iter().map(|sound| self.sound(sound)).collect();
        let address = |step| tried_again(&self.links.turn(step, &plan.leg, plan.turn));
        verbs.extend(match &plan.then {
            // What jambonz records goes over a WebSocket, which we do not open.
            Then::Hangup | Then::Record(_) => end(),
            Then::Ask => {
                vec![json!({ "verb": "redirect", "actionHook": address(Step::Played) })]
            }
            Then::Keys(keys) => self.keys(keys, &address(Step::Keys)),
            // Silence alone answers no call.
            Then::Connect(plan) => self.dial(plan, verbs.iter().any(|one| one["verb"] != "pause")),
        });
        verbs
    }

    /// What is said or played last may be ended by a key; silence after it is waited for as one; what
    /// comes before is heard out, since a `gather` has one prompt.
    fn keys(&self, keys: &Gather, address: &str) -> Vec<Value> {
        let mut prompts = &keys.prompts[..];
        let mut first = keys.timeout;
        while let [before @ .., Sound::Pause(length)] = prompts {
            first += *length;
            prompts = before;
        }
        let mut gather = gather(address, (first, keys.timeout), keys.digits_max);
        if let Some(end) = keys.finish {
            gather["finishOnKey"] = end.to_string().into();
        }
        if let [before @ .., last] = prompts {
            let mut last = self.sound(last);
            if let Some(verb) = last.as_object_mut().and_then(|verb| verb.remove("verb")) {
                gather[verb.as_str().unwrap_or_default()] = last;
            }
            prompts = before;
        }
        prompts.iter().map(|sound| self.sound(sound)).chain([gather]).collect()
    }

    /// The end of this document connects whoever hears it. An answer that ends the leg is not heeded
    /// after a key was asked for, and one that is lost neither: then the last verb does it.
    fn whisper(&self, plan: &Whisper) -> Vec<Value> {
        let mut verbs: Vec<Value> = plan.say.iter().map(|prompt| self.say(prompt)).collect();
        if let Some(prompt) = &plan.accept {
            let address = tried_again(&self.links.step(Step::Keys, &plan.leg));
            let mut question = gather(&address, (ACCEPT, ACCEPT), 1);
            let mut say = self.say(prompt);
            say.as_object_mut().and_then(|say| say.remove("verb"));
            question["say"] = say;
            verbs.extend([question, hang_up()]);
        }
        if verbs.is_empty() {
            verbs.push(proceed(Some(&plan.leg)));
        }
        verbs
    }

    fn sound(&self, sound: &Sound) -> Value {
        match sound {
            Sound::Say(prompt) => self.say(prompt),
            Sound::Play(address) => json!({ "verb": "play", "url": address }),
            Sound::Pause(length) => {
                json!({ "verb": "pause", "length": seconds(*length, WAIT.0, WAIT.1) })
            }
        }
    }

    /// A voice that does not speak the language may fail the prompt, so that one is named only together
    /// with its own.
    fn say(&self, prompt: &Prompt) -> Value {
        let mut say = json!({ "verb": "say", "text": prompt.plain(SAY_CHARS_MAX) });
        if let Some(voice) = self.config.voice(&prompt.language) {
            say["synthesizer"] = json!({
                "vendor": voice.vendor,
                "language": prompt.language,
                "voice": voice.name,
            });
        }
        say
    }
}

/// Waits for keys: so long for the first, and then for each further one, without which jambonz would
/// forget the keys before it.
fn gather(address: &str, (first, next): (Duration, Duration), most: u32) -> Value {
    json!({
        "verb": "gather",
        "input": ["digits"],
        "timeout": seconds(first, WAIT.0, WAIT.1),
        "interDigitTimeout": seconds(next, WAIT.0, WAIT.1),
        "minDigits": 1,
        "maxDigits": most.clamp(1, KEYS_MAX),
        "actionHook": address,
    })
}

/// Does nothing and ends, so that the two are connected. Nothing else may stand here: what jambonz does
/// not heed leaves the verbs that were there before, which hang up. The leg is named once more, since
/// this takes the place of what was said of it.
fn proceed(rung: Option<&LegId>) -> Value {
    let leg = rung.map(ToString::to_string);
    json!({ "verb": "tag", "data": leg.map_or(json!({}), |leg| json!({ "leg": leg })) })
}

fn hang_up() -> Value {
    json!({ "verb": "hangup" })
}

/// Ends a call, answered or not: of the two verbs jambonz heeds the one that fits.
fn end() -> Vec<Value> {
    vec![hang_up(), decline(480, "Temporarily Unavailable")]
}

fn decline(status: u16, reason: &str) -> Value {
    json!({ "verb": "sip:decline", "status": status, "reason": reason })
}
