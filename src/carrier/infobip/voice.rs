//! Answers as requests to the Calls API about the call that a webhook was about.

use std::time::Duration;

use http::StatusCode;

use super::{
    Answer, Reply, Request, Response,
    act::{Act, Dial, Heard, answer, bridge, hang_up},
    calls::About,
    config::Config,
    memory::{Memory, On, Other},
};
use crate::carrier::plan::{Connect, Gather, Plan, Prompt, RejectReason, Script, Then, Whisper};

/// How long a person has to press the key that accepts a call.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The most keys that are asked for, and how long they are waited for.
const KEYS_MAX: u32 = 32;
const KEYS_TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// A call that is to be steered.
struct Steered<'a> {
    config: &'a Config,
    call: &'a str,
    memory: Memory,
    /// Whether it was answered.
    up: bool,
}

/// Words an answer: an empty one, and commands for the call that the webhook was about.
pub(super) fn reply(config: &Config, answer: &Answer, about: Option<&About>) -> Reply {
    let commands = match answer {
        Answer::Nack => return Response::empty(StatusCode::SERVICE_UNAVAILABLE).into(),
        Answer::Ack => about.map(|about| go_on(config, about)),
        Answer::Plan(plan) => about.map(|about| commands(config, plan, about)),
    };
    Reply { response: Response::empty(StatusCode::OK), commands: commands.unwrap_or_default() }
}

/// What was still to be done when something was over.
fn go_on(config: &Config, about: &About) -> Vec<Request> {
    if !about.ends_an_act() {
        return Vec::new();
    }
    let memory = about.memory.clone();
    let rest = memory.rest.clone();
    Steered { config, call: &about.call, memory, up: true }.run(rest)
}

/// The call that an answer is for: the caller's, where the webhook told of the end of another.
fn steered<'a>(config: &'a Config, about: &'a About) -> Steered<'a> {
    match &about.memory.caller {
        Some(caller) if about.is_over() => Steered {
            config,
            call: &caller.call,
            memory: Memory { leg: Some(caller.leg.clone()), ..Memory::default() },
            up: about.memory.caller_up || about.was_connected(),
        },
        _ => Steered {
            config,
            call: &about.call,
            memory: about.memory.clone(),
            up: about.was_answered(),
        },
    }
}

fn commands(config: &Config, plan: &Plan, about: &About) -> Vec<Request> {
    let mut call = steered(config, about);
    match plan {
        Plan::Reject(_) if call.up => hang_up(config, call.call, None),
        Plan::Reject(RejectReason::Busy) => hang_up(config, call.call, Some("BUSY")),
        Plan::Reject(RejectReason::Declined) => hang_up(config, call.call, Some("REJECTED")),
        Plan::Hangup => match about.rung() {
            // The caller stays until the news of the other's end.
            Some(rung) => hang_up(config, &rung.call, None),
            None => hang_up(config, call.call, None),
        },
        Plan::Announce(prompt) => {
            call.memory.on = On::Nothing;
            call.run(vec![say(prompt), Act::Hangup])
        }
        Plan::Connect(plan) => {
            let mut acts: Vec<Act> = plan.announce.iter().map(say).collect();
            acts.push(call.dial(plan));
            call.run(acts)
        }
        Plan::Script(plan) => call.script(plan),
        Plan::Whisper(plan) => call.whisper(plan, about),
        Plan::Proceed => proceed(config, about),
    }
}

fn say(prompt: &Prompt) -> Act {
    Act::Hear(Heard::words(prompt))
}

impl Steered<'_> {
    /// Does the first of these, and has the call keep the others until that is over. A call that must be
    /// answered first keeps them all.
    fn run(mut self, mut acts: Vec<Act>) -> Vec<Request> {
        let Some(first) = acts.first() else { return Vec::new() };
        if !self.up && first.needs_answer() {
            self.memory.rest = acts;
            return answer(self.config, self.call, &self.memory);
        }
        let first = acts.remove(0);
        self.memory.rest = acts;
        first.requests(self.config, self.call, &self.memory, self.up)
    }

    /// Rings the first of those that a plan names: one at a time is what Infobip can.
    fn dial(&mut self, plan: &Connect) -> Act {
        self.memory = Memory { leg: Some(plan.leg.clone()), turn: plan.turn, ..Memory::default() };
        let Some(target) = plan.to.first() else { return Act::Hangup };
        Act::Dial(Dial {
            leg: target.leg.clone(),
            to: target.number.clone(),
            from: plan.caller_id.clone(),
            ring: plan.ring_timeout,
            most: plan.duration_max,
            screened: plan.screen,
        })
    }

    fn script(mut self, plan: &Script) -> Vec<Request> {
        let sounds = plan.sounds.iter().map(|sound| Act::Hear(Heard::of(sound)));
        let mut acts: Vec<Act> = sounds.collect();
        self.memory = Memory { leg: Some(plan.leg.clone()), turn: plan.turn, ..Memory::default() };
        match &plan.then {
            Then::Hangup => acts.push(Act::Hangup),
            Then::Ask => {
                self.memory.on = On::Played;
                if acts.is_empty() {
                    acts.push(Act::beat());
                }
            }
            Then::Keys(keys) => {
                self.memory.on = On::Keys;
                self.memory.end = keys.finish;
                acts.extend(gather(keys));
            }
            Then::Connect(plan) => acts.push(self.dial(plan)),
        }
        self.run(acts)
    }

    fn whisper(mut self, plan: &Whisper, about: &About) -> Vec<Request> {
        let words = |prompt: &Option<Prompt>| prompt.as_ref().map(Heard::words);
        self.memory.rest = Vec::new();
        match (words(&plan.say), &plan.accept) {
            (say, Some(accept)) => {
                self.memory.on = On::Keys;
                let accept = Act::Keys {
                    most: 1,
                    timeout: ACCEPT_TIMEOUT,
                    end: None,
                    prompt: Some(Heard::words(accept)),
                };
                self.run(say.map(Act::Hear).into_iter().chain([accept]).collect())
            }
            (Some(say), None) => {
                self.memory.on = On::Whispered;
                self.run(vec![Act::Hear(say)])
            }
            (None, None) => proceed(self.config, about),
        }
    }
}

/// Sounds of which only the last is ended by the first key: Infobip plays one thing while it waits.
fn gather(keys: &Gather) -> Vec<Act> {
    let mut prompts: Vec<Heard> = keys.prompts.iter().map(Heard::of).collect();
    let last = prompts.pop();
    let (least, most) = KEYS_TIMEOUT;
    let keys = Act::Keys {
        most: keys.digits_max.clamp(1, KEYS_MAX),
        timeout: keys.timeout.clamp(least, most),
        end: keys.finish,
        prompt: last,
    };
    prompts.into_iter().map(Act::Hear).chain([keys]).collect()
}

/// Connects somebody who was rung with the caller, whose call is answered first where it was not yet.
fn proceed(config: &Config, about: &About) -> Vec<Request> {
    if let Some(rung) = about.rung() {
        return bridge(config, &about.call, &rung.call);
    }
    let memory = &about.memory;
    let (Some(caller), Some(leg)) = (&memory.caller, &memory.leg) else { return Vec::new() };
    if memory.caller_up {
        return bridge(config, &caller.call, &about.call);
    }
    let rung = Other { leg: leg.clone(), call: about.call.clone() };
    let keeps = Memory {
        leg: Some(caller.leg.clone()),
        turn: memory.turn,
        on: On::Bridge,
        rung: Some(rung),
        ..Memory::default()
    };
    answer(config, &caller.call, &keeps)
}
