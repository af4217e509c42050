//! Calls that are steered by commands: what their news means, and what is to be done next, for any carrier.
//!
//! A pure machine. Its state is the [`Memory`] that a call keeps and that comes back with each event; its
//! steps are worded as requests by a dialect. Nothing that is still to be done depends on a command that may
//! be lost: one that is lost brings no event, and so connects nobody.

use std::time::Duration;

use http::StatusCode;

use super::{
    Answer, Inbound, Plan, Reply, Request, Response,
    acts::{Act, Dial, Heard, Wanted},
    event::{
        CallStatus, CalleeAnswered, DialEnded, InboundCall, Keys, PlacedCallAnswered, Played,
        Recorded,
    },
    memory::{Memory, On, Other},
    plan::{Connect, Gather, Prompt, Record, RejectReason, Script, Then, Whisper},
};
use crate::{
    domain::{call::CallState, time::Timestamp},
    ids::LegId,
};

/// Silence so short that nobody hears it: its end is told.
const BEAT: Duration = Duration::from_millis(100);

/// How a carrier goes about it.
#[derive(Debug)]
pub(super) struct Manner {
    /// When it connects by itself whoever answers and is asked nothing. All others are rung by a call of
    /// their own, and connected by us.
    pub(super) direct: Direct,
    /// Whether it tells when two are connected, and what a call keeps can be changed alone.
    pub(super) tells_joined: bool,
    /// The most characters of one text that is spoken.
    pub(super) spoken_max: usize,
    /// The most keys that are asked for, and how long they are waited for.
    pub(super) keys_max: u32,
    pub(super) keys_timeout: (Duration, Duration),
}

/// When a carrier connects people by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direct {
    /// Whether or not the caller's call was answered.
    Always,
    /// Where the caller's call was answered before.
    OnceUp,
}

/// What a carrier told of a call.
#[derive(Debug)]
pub(super) struct News {
    /// Its id of the call.
    pub(super) call: String,
    /// What the call keeps.
    pub(super) memory: Memory,
    /// When it happened, by the carrier's clock and where it says.
    pub(super) at: Option<Timestamp>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Somebody calls.
    CameIn(InboundCall),
    /// It is not answered yet.
    Progress(CallState),
    Answered,
    /// It was connected with another.
    Joined,
    /// Something that was to be heard is over.
    Heard,
    /// Keys, or none in time.
    Pressed(String),
    /// One key, though none was waited for.
    Key(char),
    /// What was said was recorded, and where it lies.
    Recorded {
        id: String,
        address: String,
        length: Option<Duration>,
    },
    Over(Over),
    /// Nothing that counts.
    Other(&'static str),
}

/// The end of a call.
#[derive(Debug)]
pub(super) struct Over {
    /// How it ended, `Completed` also where nobody spoke.
    pub(super) state: CallState,
    /// Of somebody who was rung: whether they were connected.
    pub(super) joined: bool,
    /// How long it lasted or, of somebody who was rung, how long they were connected.
    pub(super) duration: Option<Duration>,
    pub(super) code: Option<String>,
}

/// One thing to ask of a carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Answer a call that came in.
    Answer { call: String, keep: Memory },
    /// Turn a call away unanswered.
    Reject { call: String, why: RejectReason },
    /// Let a call hear something.
    Hear { call: String, heard: Heard, keep: Memory },
    /// Wait for keys.
    Keys { call: String, wanted: Wanted, keep: Memory },
    /// Record a call after a tone.
    Record { call: String, record: Record, keep: Memory },
    /// Ring somebody for a caller.
    Ring(Box<Ring>),
    /// Connect a caller with somebody who was rung; both have answered.
    Join {
        /// The call of the caller.
        caller: String,
        /// The call of who was rung.
        rung: String,
        /// Whether the caller stays when the other side has hung up, to hear what comes next.
        stays: bool,
    },
    /// Change what a call keeps, and nothing else.
    Keep { call: String, keep: Memory },
    /// End a call.
    HangUp {
        call: String,
        /// Whether it was answered.
        up: bool,
    },
}

/// Somebody who is to be rung for a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ring {
    /// The call of the caller.
    pub(super) caller: String,
    /// Whether it was answered.
    pub(super) up: bool,
    pub(super) dial: Dial,
    /// Whether the carrier is to connect them by itself.
    pub(super) direct: bool,
    /// Whether the caller stays when the other side has hung up.
    pub(super) stays: bool,
    /// What the new call keeps.
    pub(super) keep: Memory,
    /// What the caller's keeps from now on.
    pub(super) caller_keeps: Memory,
}

impl News {
    fn status(&self, state: CallState) -> Inbound {
        Inbound::CallStatus(CallStatus {
            price: None,
            leg: self.memory.leg.clone(),
            id: self.call.clone(),
            state,
            duration: None,
            carrier_code: None,
        })
    }

    /// Who is to be connected with this call, which was answered for it.
    fn rung(&self) -> Option<&Other> {
        let due = matches!(self.what, What::Answered) && self.memory.on == On::Bridge;
        self.memory.rung.as_ref().filter(|_| due)
    }

    /// Whether the call is answered.
    const fn is_up(&self) -> bool {
        !matches!(self.what, What::CameIn(_) | What::Progress(_))
    }

    /// How somebody who was rung ended: who hung up while we asked them was never connected.
    fn end(over: &Over, memory: &Memory) -> CallState {
        match over.state {
            CallState::Completed if memory.is_apart() && !over.joined => CallState::NoAnswer,
            state => state,
        }
    }

    /// Whether this is the end of somebody who was rung and connected with the caller.
    fn was_connected(&self) -> bool {
        match &self.what {
            What::Over(over) => Self::end(over, &self.memory) == CallState::Completed,
            _ => false,
        }
    }
}

impl Manner {
    /// What the news says.
    pub(super) fn events(&self, news: &News) -> Vec<Inbound> {
        match &news.what {
            What::CameIn(call) => vec![Inbound::Call(call.clone())],
            What::Progress(state) => vec![news.status(*state)],
            What::Answered => self.answered(news),
            What::Joined => vec![news.status(CallState::Answered)],
            What::Heard => vec![heard(news)],
            What::Pressed(digits) => vec![pressed(news, digits)],
            What::Key(_) => vec![Inbound::Ignored("a key that we did not ask for")],
            What::Recorded { id, address, length } => {
                vec![recorded(news, id, address, *length)]
            }
            What::Over(over) => ended(news, over),
            What::Other(why) => vec![Inbound::Ignored(why)],
        }
    }

    /// Somebody who is asked first counts as having answered once they are connected, where that is told.
    fn answered(&self, news: &News) -> Vec<Inbound> {
        let memory = &news.memory;
        let waits = memory.is_apart() && self.tells_joined;
        let mut events = Vec::new();
        if !waits {
            events.push(news.status(CallState::Answered));
        }
        let Some(leg) = memory.leg.clone() else { return events };
        let id = news.call.clone();
        // Whom the carrier connects by itself may be cut off at once, where that is not to be.
        if memory.is_apart() || (memory.caller.is_some() && self.tells_joined) {
            events.push(Inbound::CalleeAnswered(CalleeAnswered { leg, id }));
        } else if memory.on == On::Placed {
            events.push(Inbound::PlacedCallAnswered(PlacedCallAnswered { leg, id }));
        } else if let Some(rung) = news.rung() {
            // They have agreed; whether the two may still be connected is asked once more.
            events.push(accepted(rung.leg.clone()));
        }
        events
    }

    /// Words an answer to a webhook, which told the news if it was about a call: an empty one, and the
    /// commands that `word` makes of each step.
    pub(super) fn reply<I: IntoIterator<Item = Request>>(
        &self,
        answer: &Answer,
        news: Option<&News>,
        word: impl Fn(&Step) -> I,
    ) -> Reply {
        if *answer == Answer::Nack {
            return Response::empty(StatusCode::SERVICE_UNAVAILABLE).into();
        }
        let steps = news.map(|news| self.steps(news, answer)).unwrap_or_default();
        let commands = steps.iter().flat_map(word).collect();
        Reply { response: Response::empty(StatusCode::OK), commands }
    }

    /// What is to be done with an answer to the news.
    fn steps(&self, news: &News, answer: &Answer) -> Vec<Step> {
        match answer {
            Answer::Nack => Vec::new(),
            Answer::Ack => self.go_on(news),
            Answer::Plan(plan) => self.follow(news, plan),
        }
    }

    /// What was still to be done when something was over.
    fn go_on(&self, news: &News) -> Vec<Step> {
        let memory = &news.memory;
        match news.what {
            What::Answered | What::Heard => {
                let (call, memory) = (news.call.clone(), memory.clone());
                let rest = memory.rest.clone();
                Steered { manner: self, call, memory, up: true }.run(rest)
            }
            // The end of the call is the end of its recording.
            What::Key(key) if memory.on == On::Recorded && memory.end == Some(key) => {
                vec![Step::HangUp { call: news.call.clone(), up: true }]
            }
            // Its end shall tell how long they spoke.
            What::Joined if self.tells_joined && memory.caller.is_some() => {
                if memory.joined.is_some() {
                    return Vec::new();
                }
                let keep = Memory { joined: Some(news.at.unwrap_or_default()), ..memory.clone() };
                vec![Step::Keep { call: news.call.clone(), keep }]
            }
            _ => Vec::new(),
        }
    }

    /// The call that a plan is for: the caller's, where the end of another was told.
    fn steered(&self, news: &News) -> Steered<'_> {
        match &news.memory.caller {
            Some(caller) if matches!(news.what, What::Over(_)) => Steered {
                manner: self,
                call: caller.call.clone(),
                memory: Memory { leg: Some(caller.leg.clone()), ..Memory::default() },
                up: news.memory.caller_up || news.was_connected(),
            },
            _ => Steered {
                manner: self,
                call: news.call.clone(),
                memory: news.memory.clone(),
                up: news.is_up(),
            },
        }
    }

    fn follow(&self, news: &News, plan: &Plan) -> Vec<Step> {
        let mut call = self.steered(news);
        match plan {
            // The carrier does so without our word.
            Plan::Proceed | Plan::Whisper(_) if news.memory.direct => Vec::new(),
            Plan::Reject(_) if call.up => vec![Step::HangUp { call: call.call, up: true }],
            Plan::Reject(why) => vec![Step::Reject { call: call.call, why: *why }],
            Plan::Hangup => match news.rung() {
                // The caller stays until the news of the other's end.
                Some(rung) => vec![Step::HangUp { call: rung.call.clone(), up: true }],
                None => vec![Step::HangUp { call: call.call, up: call.up }],
            },
            Plan::Announce(prompt) => {
                call.memory.on = On::Nothing;
                call.run(vec![self.say(prompt), Act::Hangup])
            }
            Plan::Connect(plan) => {
                let mut acts: Vec<Act> = plan.announce.iter().map(|one| self.say(one)).collect();
                acts.push(call.dial(plan));
                call.run(acts)
            }
            Plan::Script(plan) => call.script(plan),
            Plan::Whisper(plan) => call.whisper(plan, news),
            Plan::Proceed => self.proceed(news),
        }
    }

    fn say(&self, prompt: &Prompt) -> Act {
        Act::Hear(Heard::words(prompt, self.spoken_max))
    }

    /// Sounds of which only the last is ended by the first key: one thing is played while keys are waited
    /// for.
    fn gather(&self, keys: &Gather) -> impl Iterator<Item = Act> {
        let heard = |sound| Heard::of(sound, self.spoken_max);
        let mut prompts: Vec<Heard> = keys.prompts.iter().map(heard).collect();
        let last = prompts.pop();
        let (least, most) = self.keys_timeout;
        let keys = Act::Keys(Wanted {
            most: keys.digits_max.clamp(1, self.keys_max),
            timeout: keys.timeout.clamp(least, most),
            end: keys.finish,
            prompt: last,
        });
        prompts.into_iter().map(Act::Hear).chain([keys])
    }

    /// Connects somebody who was rung with the caller, whose call is answered first where it was not yet.
    fn proceed(&self, news: &News) -> Vec<Step> {
        let memory = &news.memory;
        if let (Some(rung), Some(leg)) = (news.rung(), &memory.leg) {
            let caller = Other { leg: leg.clone(), call: news.call.clone() };
            return self.join(caller, rung.clone(), memory.turn, news.at);
        }
        let (Some(caller), Some(leg)) = (&memory.caller, &memory.leg) else { return Vec::new() };
        let rung = Other { leg: leg.clone(), call: news.call.clone() };
        if memory.caller_up {
            return self.join(caller.clone(), rung, memory.turn, news.at);
        }
        let keep = Memory {
            leg: Some(caller.leg.clone()),
            turn: memory.turn,
            on: On::Bridge,
            rung: Some(rung),
            ..Memory::default()
        };
        let mut steps = vec![Step::Answer { call: caller.call.clone(), keep }];
        if self.tells_joined {
            // Should they not be connected after all: the caller's call is answered once only.
            let keep =
                Memory { caller_up: true, rest: Vec::new(), on: On::Nothing, ..memory.clone() };
            steps.push(Step::Keep { call: news.call.clone(), keep });
        }
        steps
    }

    fn join(&self, caller: Other, rung: Other, turn: u32, at: Option<Timestamp>) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.tells_joined {
            let keep = Memory {
                leg: Some(rung.leg),
                turn,
                caller: Some(caller.clone()),
                caller_up: true,
                joined: Some(at.unwrap_or_default()),
                ..Memory::default()
            };
            steps.push(Step::Keep { call: rung.call.clone(), keep });
        }
        steps.push(Step::Join { caller: caller.call, rung: rung.call, stays: turn > 0 });
        steps
    }
}

/// Whoever is asked nothing counts as having agreed once they were told who calls.
fn accepted(leg: LegId) -> Inbound {
    Inbound::Keys(Keys { leg, digits: "1".to_owned(), turn: 0 })
}

fn heard(news: &News) -> Inbound {
    let memory = &news.memory;
    let Some(leg) = memory.leg.clone().filter(|_| memory.rest.is_empty()) else {
        return Inbound::Ignored("more is to be heard");
    };
    match memory.on {
        On::Played => Inbound::Played(Played { leg, turn: memory.turn }),
        On::Whispered => accepted(leg),
        _ => Inbound::Ignored("the end of something heard"),
    }
}

fn recorded(news: &News, id: &str, address: &str, length: Option<Duration>) -> Inbound {
    let Some(leg) = news.memory.leg.clone() else {
        return Inbound::Ignored("a recording that we did not ask for");
    };
    let (id, address) = (id.to_owned(), address.to_owned());
    // Where no message was asked for, it is what two said: whether that was asked for, the log knows.
    let talk = news.memory.on != On::Recorded;
    Inbound::Recorded(Recorded { leg, id, address, length, talk })
}

/// The keys that were pressed, without the key that ends them.
fn pressed(news: &News, digits: &str) -> Inbound {
    let memory = &news.memory;
    let Some(leg) = memory.leg.clone().filter(|_| memory.on == On::Keys) else {
        return Inbound::Ignored("keys that we did not ask for");
    };
    let digits = digits.split(|c| Some(c) == memory.end).next().unwrap_or_default().to_owned();
    // Of somebody who was rung a turn is kept for the end of the dialling, and asked is outside it.
    let turn = if memory.caller.is_some() { 0 } else { memory.turn };
    Inbound::Keys(Keys { leg, digits, turn })
}

/// The end of a call; that of somebody who was rung ends the dialling.
fn ended(news: &News, over: &Over) -> Vec<Inbound> {
    let memory = &news.memory;
    let state = News::end(over, memory);
    let duration = over.duration.filter(|_| state == CallState::Completed);
    let mut events = vec![Inbound::CallStatus(CallStatus {
        price: None,
        leg: memory.leg.clone(),
        id: news.call.clone(),
        state,
        duration,
        carrier_code: over.code.clone().filter(|_| state != CallState::Completed),
    })];
    if let Some(caller) = &memory.caller {
        events.push(Inbound::DialEnded(DialEnded {
            leg: caller.leg.clone(),
            state,
            duration,
            caller_gone: state == CallState::Cancelled,
            turn: memory.turn,
        }));
    }
    events
}

/// A call that is to be steered.
struct Steered<'a> {
    manner: &'a Manner,
    call: String,
    memory: Memory,
    /// Whether it was answered.
    up: bool,
}

impl Steered<'_> {
    /// Does the first of these, and has the call keep the others until that is over. A call that must be
    /// answered first keeps them all.
    fn run(mut self, mut acts: Vec<Act>) -> Vec<Step> {
        let Some(first) = acts.first() else { return Vec::new() };
        if !self.up && first.needs_answer() {
            self.memory.rest = acts;
            return vec![Step::Answer { call: self.call, keep: self.memory }];
        }
        let first = acts.remove(0);
        self.memory.rest = acts;
        let (call, keep) = (self.call, self.memory);
        match first {
            Act::Hear(heard) => vec![Step::Hear { call, heard, keep }],
            Act::Keys(wanted) => vec![Step::Keys { call, wanted, keep }],
            Act::Dial(dial) => ring(self.manner, (call, self.up), keep, dial),
            Act::Record(record) => vec![Step::Record { call, record, keep }],
            Act::Hangup => vec![Step::HangUp { call, up: self.up }],
        }
    }

    /// Rings the first of those that a plan names: one at a time is what these carriers can.
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

    fn script(mut self, plan: &Script) -> Vec<Step> {
        let heard = |sound| Act::Hear(Heard::of(sound, self.manner.spoken_max));
        let mut acts: Vec<Act> = plan.sounds.iter().map(heard).collect();
        self.memory = Memory { leg: Some(plan.leg.clone()), turn: plan.turn, ..Memory::default() };
        match &plan.then {
            Then::Hangup => acts.push(Act::Hangup),
            Then::Ask => {
                self.memory.on = On::Played;
                if acts.is_empty() {
                    acts.push(Act::Hear(Heard::Silence(BEAT)));
                }
            }
            Then::Keys(keys) => {
                self.memory.on = On::Keys;
                self.memory.end = keys.finish;
                acts.extend(self.manner.gather(keys));
            }
            Then::Connect(plan) => acts.push(self.dial(plan)),
            Then::Record(record) => {
                self.memory.on = On::Recorded;
                self.memory.end = Some(record.finish);
                acts.push(Act::Record(*record));
            }
        }
        self.run(acts)
    }

    fn whisper(mut self, plan: &Whisper, news: &News) -> Vec<Step> {
        let words = |prompt| Heard::words(prompt, self.manner.spoken_max);
        self.memory.rest = Vec::new();
        match (plan.say.as_ref().map(words), plan.accept.as_ref().map(words)) {
            (say, Some(accept)) => {
                self.memory.on = On::Keys;
                let (timeout, prompt) = (plan.patience(), Some(accept));
                let accept = Act::Keys(Wanted { most: 1, timeout, end: None, prompt });
                self.run(say.map(Act::Hear).into_iter().chain([accept]).collect())
            }
            (Some(say), None) => {
                self.memory.on = On::Whispered;
                self.run(vec![Act::Hear(say)])
            }
            (None, None) => self.manner.proceed(news),
        }
    }
}

/// Rings somebody for a caller, whose leg must be known.
fn ring(manner: &Manner, (call, up): (String, bool), caller: Memory, dial: Dial) -> Vec<Step> {
    let Some(leg) = caller.leg.clone() else { return Vec::new() };
    let direct = !dial.screened && (up || manner.direct == Direct::Always);
    let keep = Memory {
        leg: Some(dial.leg.clone()),
        turn: caller.turn,
        caller: Some(Other { leg, call: call.clone() }),
        caller_up: up,
        direct,
        ..Memory::default()
    };
    let stays = caller.turn > 0;
    let ring = Ring { caller: call, up, dial, direct, stays, keep, caller_keeps: caller };
    vec![Step::Ring(Box::new(ring))]
}
