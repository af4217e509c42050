//! What can be done with a call that is steered by commands, and how it is written down until its turn.

use std::time::Duration;

use super::plan::{Prompt, Record, Sound};
use crate::{
    domain::phone::{Identifier, ProxyNumber},
    ids::LegId,
};

/// The longest silence, and the longest `break` of SSML, of which it is made.
const PAUSE_MAX: Duration = Duration::from_mins(3);
const BREAK_MAX: u64 = 5000;

/// The shortest: what ends tells us that it is our turn.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Something to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Words(Prompt),
    /// The file at this address.
    File(String),
    Silence(Duration),
}

impl Heard {
    /// The words, `most` characters at the most, that nobody reads as SSML.
    pub(super) fn words(prompt: &Prompt, most: usize) -> Self {
        Self::Words(Prompt { text: prompt.plain(most), language: prompt.language.clone() })
    }

    pub(super) fn of(sound: &Sound, most: usize) -> Self {
        match sound {
            Sound::Say(prompt) => Self::words(prompt, most),
            Sound::Play(address) => Self::File(address.clone()),
            Sound::Pause(length) => Self::Silence(*length),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Words(Prompt { text, language }) => format!("say {language} {text}"),
            Self::File(address) => format!("play {address}"),
            Self::Silence(length) => format!("pause {}", length.as_millis()),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(' ')?;
        Some(match verb {
            "say" => {
                let (language, text) = rest.split_once(' ')?;
                Self::Words(Prompt { text: text.to_owned(), language: language.to_owned() })
            }
            "play" => Self::File(rest.to_owned()),
            "pause" => Self::Silence(Duration::from_millis(rest.parse().ok()?)),
            _ => return None,
        })
    }
}

/// Somebody to ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dial {
    pub(super) leg: LegId,
    pub(super) to: Identifier,
    /// What they see.
    pub(super) from: ProxyNumber,
    pub(super) ring: Duration,
    pub(super) most: Duration,
    /// Whether they are asked before they are connected.
    pub(super) screened: bool,
}

impl Dial {
    fn to_text(&self) -> String {
        let (to, from) = (self.to.expose(), self.from.as_str());
        let (ring, most) = (self.ring.as_secs(), self.most.as_secs());
        let screened = u8::from(self.screened);
        format!("dial {} {to} {from} {ring} {most} {screened}", self.leg)
    }

    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [leg, to, from, ring, most, screened] = words[..] else { return None };
        Some(Self {
            leg: LegId::parse(leg).ok()?,
            to: Identifier::parse(to).ok()?,
            from: ProxyNumber::parse(from).ok()?,
            ring: Duration::from_secs(ring.parse().ok()?),
            most: Duration::from_secs(most.parse().ok()?),
            screened: screened == "1",
        })
    }
}

/// Keys to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The most keys.
    pub(super) most: u32,
    /// How long to wait for the first, and then for each further one.
    pub(super) timeout: Duration,
    /// The key that ends the input, if one does.
    pub(super) end: Option<char>,
    /// Played until the first key.
    pub(super) prompt: Option<Heard>,
}

/// One thing to do with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Hear(Heard),
    Keys(Wanted),
    Dial(Dial),
    Record(Record),
    Hangup,
}

impl Act {
    /// Whether the call must be answered first.
    pub(super) const fn needs_answer(&self) -> bool {
        matches!(self, Self::Hear(_) | Self::Keys(_) | Self::Record(_))
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Hear(heard) => heard.to_text(),
            Self::Keys(Wanted { most, timeout, end, prompt }) => {
                let end = end.map_or_else(|| "-".to_owned(), String::from);
                let prompt = prompt.as_ref().map(Heard::to_text).unwrap_or_default();
                format!("keys {most} {} {end} {prompt}", timeout.as_millis())
            }
            Self::Dial(dial) => dial.to_text(),
            Self::Record(Record { longest, silence, finish }) => {
                format!("record {} {} {finish}", longest.as_millis(), silence.as_millis())
            }
            Self::Hangup => "hangup ".to_owned(),
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(' ')?;
        match verb {
            "keys" => {
                let words: Vec<&str> = rest.splitn(4, ' ').collect();
                let [most, timeout, end, prompt] = words[..] else { return None };
                let prompt = match prompt {
                    "" => None,
                    prompt => Some(Heard::read(prompt)?),
                };
                Some(Self::Keys(Wanted {
                    most: most.parse().ok()?,
                    timeout: Duration::from_millis(timeout.parse().ok()?),
                    end: end.chars().next().filter(|end| *end != '-'),
                    prompt,
                }))
            }
            "dial" => Dial::read(rest).map(Self::Dial),
            "record" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let [longest, silence, finish] = words[..] else { return None };
                Some(Self::Record(Record {
                    longest: Duration::from_millis(longest.parse().ok()?),
                    silence: Duration::from_millis(silence.parse().ok()?),
                    finish: finish.chars().next()?,
                }))
            }
            "hangup" => Some(Self::Hangup),
            _ => Heard::read(text).map(Self::Hear),
        }
    }
}

/// SSML that is silent: what carriers have that know no other way to wait.
pub(super) fn silence(length: Duration) -> String {
    let length = length.clamp(PAUSE_MIN, PAUSE_MAX).as_millis();
    let mut left = u64::try_from(length).unwrap_or(0);
    let mut text = String::from("<speak>");
    while left > 0 {
        let one = left.min(BREAK_MAX);
        text.extend(["<break time=\"", &one.to_string(), "ms\"/>"]);
        left -= one;
    }
    text.push_str("</speak>");
    text
}
