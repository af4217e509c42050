//! The form in which a plan is kept beside the event that asked for it, to answer duplicates alike.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    carrier::plan::{
        Answer, Connect, Gather, Plan, Prompt, Record, RejectReason, Script, Sound, Target, Then,
    },
    domain::phone::{Identifier, ProxyNumber},
    ids::LegId,
};

#[derive(Serialize, Deserialize)]
struct Words {
    text: String,
    language: String,
}

#[derive(Serialize, Deserialize)]
enum Stored {
    Busy,
    Declined,
    Announce(Words),
    Connect(Dial),
    Script { leg: String, turn: u32, sounds: Vec<Heard>, then: Next },
    Hangup,
}

#[derive(Serialize, Deserialize)]
struct Dial {
    leg: String,
    to: Vec<(String, String)>,
    caller_id: String,
    announce: Option<Words>,
    ring_ms: u64,
    max_ms: u64,
    screen: bool,
    #[serde(default)]
    accept: bool,
    #[serde(default)]
    turn: u32,
}

#[derive(Serialize, Deserialize)]
enum Heard {
    Say(Words),
    Play(String),
    PauseMs(u64),
}

#[derive(Serialize, Deserialize)]
enum Next {
    Hangup,
    Ask,
    Keys { prompts: Vec<Heard>, timeout_ms: u64, digits_max: u32, finish: Option<char> },
    Connect(Dial),
    Record { longest_ms: u64, silence_ms: u64, finish: char },
}

fn words(prompt: &Prompt) -> Words {
    Words { text: prompt.text.clone(), language: prompt.language.clone() }
}

fn prompt(words: Words) -> Prompt {
    Prompt { text: words.text, language: words.language }
}

fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn dial(connect: &Connect) -> Dial {
    Dial {
        leg: connect.leg.to_string(),
        to: connect
            .to
            .iter()
            .map(|target| (target.leg.to_string(), target.number.expose().to_owned()))
            .collect(),
        caller_id: connect.caller_id.to_string(),
        announce: connect.announce.as_ref().map(words),
        ring_ms: ms(connect.ring_timeout),
        max_ms: ms(connect.duration_max),
        screen: connect.screen,
        accept: connect.accept,
        turn: connect.turn,
    }
}

fn connect(dial: Dial) -> Option<Connect> {
    let target = |(leg, number): (String, String)| {
        Some(Target { leg: LegId::parse(&leg).ok()?, number: Identifier::parse(&number).ok()? })
    };
    Some(Connect {
        leg: LegId::parse(&dial.leg).ok()?,
        to: dial.to.into_iter().map(target).collect::<Option<_>>()?,
        caller_id: ProxyNumber::parse(&dial.caller_id).ok()?,
        announce: dial.announce.map(prompt),
        ring_timeout: Duration::from_millis(dial.ring_ms),
        duration_max: Duration::from_millis(dial.max_ms),
        screen: dial.screen,
        accept: dial.accept,
        turn: dial.turn,
    })
}

fn heard(sound: &Sound) -> Heard {
    match sound {
        Sound::Say(prompt) => Heard::Say(words(prompt)),
        Sound::Play(address) => Heard::Play(address.clone()),
        Sound::Pause(length) => Heard::PauseMs(ms(*length)),
    }
}

fn sounds(heard: Vec<Heard>) -> Vec<Sound> {
    let sound = |one| match one {
        Heard::Say(words) => Sound::Say(prompt(words)),
        Heard::Play(address) => Sound::Play(address),
        Heard::PauseMs(length) => Sound::Pause(Duration::from_millis(length)),
    };
    heard.into_iter().map(sound).collect()
}

/// The text of a plan; the store seals it. Empty for plans that are never an inbound call's.
pub(super) fn to_text(plan: &Plan) -> String {
    let stored = match plan {
        Plan::Reject(RejectReason::Busy) => Stored::Busy,
        Plan::Reject(RejectReason::Declined) => Stored::Declined,
        Plan::Announce(prompt) => Stored::Announce(words(prompt)),
        Plan::Connect(connect) => Stored::Connect(dial(connect)),
        Plan::Script(script) => Stored::Script {
            leg: script.leg.to_string(),
            turn: script.turn,
            sounds: script.sounds.iter().map(heard).collect(),
            then: match &script.then {
                Then::Hangup => Next::Hangup,
                Then::Ask => Next::Ask,
                Then::Keys(keys) => Next::Keys {
                    prompts: keys.prompts.iter().map(heard).collect(),
                    timeout_ms: ms(keys.timeout),
                    digits_max: keys.digits_max,
                    finish: keys.finish,
                },
                Then::Connect(connect) => Next::Connect(dial(connect)),
                Then::Record(Record { longest, silence, finish }) => Next::Record {
                    longest_ms: ms(*longest),
                    silence_ms: ms(*silence),
                    finish: *finish,
                },
            },
        },
        Plan::Hangup => Stored::Hangup,
        Plan::Whisper(_) | Plan::Proceed => return String::new(),
    };
    serde_json::to_string(&stored).unwrap_or_default()
}

/// The answer that was kept; an acknowledgement where none was.
pub(super) fn answer(text: &str) -> Answer {
    read(text).map_or(Answer::Ack, Answer::Plan)
}

/// What a caller was answered, without its words and without anybody's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerHeard {
    /// What it came to.
    pub what: HeardKind,
    /// The languages in which something was said before that, as BCP 47 has them, each once.
    pub languages: Vec<String>,
    /// Whether an audio file was played.
    pub played: bool,
    /// Whether somebody who is rung and answers hears us first, and whether they then press a key.
    pub screen: Option<bool>,
}

/// What an answer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeardKind {
    /// A busy tone.
    Busy,
    /// The call was turned away unanswered.
    Declined,
    /// It ended after what was said, if anything was.
    Ended,
    /// Others are rung.
    Rings,
    /// Keys are waited for.
    Keys,
    /// What is said after a tone is recorded.
    Records,
    /// We are asked again what comes next.
    GoesOn,
}

/// What a caller was answered, of the plan that was kept; `None` where none was.
pub fn heard_of(kept: &str) -> Option<CallerHeard> {
    let plan = read(kept)?;
    let mut told =
        CallerHeard { what: HeardKind::Ended, languages: Vec::new(), played: false, screen: None };
    let said: Vec<&Sound> = match &plan {
        Plan::Script(script) => {
            let asked = match &script.then {
                Then::Keys(keys) => keys.prompts.as_slice(),
                _ => &[],
            };
            script.sounds.iter().chain(asked).collect()
        }
        _ => Vec::new(),
    };
    let connects = plan.connects();
    let announced = match &plan {
        Plan::Announce(prompt) => Some(prompt),
        _ => connects.and_then(|connect| connect.announce.as_ref()),
    };
    let spoken = said.iter().filter_map(|sound| match sound {
        Sound::Say(prompt) => Some(prompt),
        Sound::Play(_) | Sound::Pause(_) => None,
    });
    for prompt in announced.into_iter().chain(spoken) {
        if !told.languages.contains(&prompt.language) {
            told.languages.push(prompt.language.clone());
        }
    }
    told.played = said.iter().any(|sound| matches!(sound, Sound::Play(_)));
    told.screen = connects.filter(|connect| connect.screen).map(|connect| connect.accept);
    told.what = match &plan {
        Plan::Reject(RejectReason::Busy) => HeardKind::Busy,
        Plan::Reject(RejectReason::Declined) => HeardKind::Declined,
        Plan::Connect(_) => HeardKind::Rings,
        Plan::Script(script) => match &script.then {
            Then::Hangup => HeardKind::Ended,
            Then::Ask => HeardKind::GoesOn,
            Then::Keys(_) => HeardKind::Keys,
            Then::Connect(_) => HeardKind::Rings,
            Then::Record(_) => HeardKind::Records,
        },
        Plan::Announce(_) | Plan::Hangup | Plan::Whisper(_) | Plan::Proceed => HeardKind::Ended,
    };
    Some(told)
}

fn read(text: &str) -> Option<Plan> {
    Some(match serde_json::from_str(text).ok()? {
        Stored::Busy => Plan::Reject(RejectReason::Busy),
        Stored::Declined => Plan::Reject(RejectReason::Declined),
        Stored::Announce(words) => Plan::Announce(prompt(words)),
        Stored::Connect(dial) => Plan::Connect(connect(dial)?),
        Stored::Script { leg, turn, sounds: heard, then } => Plan::Script(Box::new(Script {
            leg: LegId::parse(&leg).ok()?,
            turn,
            sounds: sounds(heard),
            then: match then {
                Next::Hangup => Then::Hangup,
                Next::Ask => Then::Ask,
                Next::Keys { prompts, timeout_ms, digits_max, finish } => Then::Keys(Gather {
                    prompts: sounds(prompts),
                    timeout: Duration::from_millis(timeout_ms),
                    digits_max,
                    finish,
                }),
                Next::Connect(dial) => Then::Connect(connect(dial)?),
                Next::Record { longest_ms, silence_ms, finish } => Then::Record(Record {
                    longest: Duration::from_millis(longest_ms),
                    silence: Duration::from_millis(silence_ms),
                    finish,
                }),
            },
        })),
        Stored::Hangup => Plan::Hangup,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A duplicate gets the very plan that the first one got.
    #[test]
    fn plans_read_back() {
        let leg = |n: u8| LegId::parse(&format!("LG{n:032x}")).unwrap();
        let say = Prompt { text: "Hello".into(), language: "en-US".into() };
        let dial = Connect {
            leg: leg(1),
            to: vec![Target { leg: leg(2), number: Identifier::parse("+14155550100").unwrap() }],
            caller_id: ProxyNumber::parse("+14155550199").unwrap(),
            announce: None,
            ring_timeout: Duration::from_secs(20),
            duration_max: Duration::from_mins(30),
            screen: true,
            accept: true,
            turn: 0,
        };
        let sounds = vec![
            Sound::Say(say.clone()),
            Sound::Play("https://m.example/hello.mp3".into()),
            Sound::Pause(Duration::from_secs(2)),
        ];
        let script = |then| {
            Plan::Script(Box::new(Script { leg: leg(1), turn: 3, sounds: sounds.clone(), then }))
        };
        for plan in [
            Plan::Reject(RejectReason::Busy),
            Plan::Reject(RejectReason::Declined),
            Plan::Announce(say.clone()),
            Plan::Hangup,
            Plan::Connect(Connect { announce: Some(say), ..dial.clone() }),
            script(Then::Hangup),
            script(Then::Ask),
            script(Then::Keys(Gather {
                prompts: sounds.clone(),
                timeout: Duration::from_secs(5),
                digits_max: 6,
                finish: Some('#'),
            })),
            script(Then::Connect(Connect { turn: 3, ..dial })),
            script(Then::Record(Record {
                longest: Duration::from_mins(2),
                silence: Duration::from_secs(5),
                finish: '#',
            })),
        ] {
            assert_eq!(answer(&to_text(&plan)), Answer::Plan(plan));
        }
        assert_eq!(answer(""), Answer::Ack);
    }

    /// What a caller heard is told by its sort and language, and never by its words or numbers.
    #[test]
    fn what_was_heard_is_told_without_its_words() {
        let leg = |n: u8| LegId::parse(&format!("LG{n:032x}")).unwrap();
        let say = Prompt { text: "by the fountain".into(), language: "fr-FR".into() };
        let dial = Connect {
            leg: leg(1),
            to: vec![Target { leg: leg(2), number: Identifier::parse("+14155550100").unwrap() }],
            caller_id: ProxyNumber::parse("+14155550199").unwrap(),
            announce: Some(say.clone()),
            ring_timeout: Duration::from_secs(20),
            duration_max: Duration::from_mins(30),
            screen: true,
            accept: true,
            turn: 0,
        };
        let script = |then| {
            let sounds = vec![Sound::Say(say.clone()), Sound::Play("https://m.example/a".into())];
            Plan::Script(Box::new(Script { leg: leg(1), turn: 0, sounds, then }))
        };
        let record = Record {
            longest: Duration::from_mins(2),
            silence: Duration::from_secs(5),
            finish: '#',
        };
        for (plan, what, languages, played, screen) in [
            (Plan::Reject(RejectReason::Busy), HeardKind::Busy, 0, false, None),
            (Plan::Announce(say.clone()), HeardKind::Ended, 1, false, None),
            (Plan::Connect(dial), HeardKind::Rings, 1, false, Some(true)),
            (script(Then::Record(record)), HeardKind::Records, 1, true, None),
            (script(Then::Ask), HeardKind::GoesOn, 1, true, None),
        ] {
            let told = heard_of(&to_text(&plan)).unwrap();
            assert_eq!((told.what, told.languages.len()), (what, languages));
            assert_eq!((told.played, told.screen), (played, screen));
            let shown = format!("{told:?}");
            assert!(!shown.contains("fountain") && !shown.contains("5550"), "{shown}");
        }
        assert_eq!(heard_of(""), None);
    }
}
