//! What we tell a carrier in answer to a webhook.

use std::time::Duration;

use super::wire::{Request, Response};
use crate::{
    domain::phone::{Identifier, ProxyNumber},
    ids::LegId,
};

/// Whole seconds of `length`, rounded down and kept between `least` and `most`.
pub(super) fn seconds(length: Duration, least: Duration, most: Duration) -> u64 {
    length.clamp(least, most).as_secs()
}

/// The answer to one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What to do with a call.
    Plan(Plan),
    /// Taken; nothing to do.
    Ack,
    /// Not taken: make the carrier try again.
    Nack,
}

/// What the relay decided for a call, before a carrier's dialect words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Turn the call away unanswered.
    Reject(RejectReason),
    /// Say something and hang up.
    Announce(Prompt),
    /// Connect the caller.
    Connect(Connect),
    /// Play what a marketplace wrote for a caller who is in no session, or the greeting of a voicemail.
    Script(Box<Script>),
    /// Said to somebody who answered our ringing, before the two are connected.
    Whisper(Whisper),
    /// Let the two be connected, saying nothing.
    Proceed,
    /// End this leg.
    Hangup,
}

impl Plan {
    /// Whom it connects, if it does.
    pub const fn connects(&self) -> Option<&Connect> {
        match self {
            Self::Connect(connect) => Some(connect),
            Self::Script(script) => match &script.then {
                Then::Connect(connect) => Some(connect),
                Then::Hangup | Then::Ask | Then::Keys(_) | Then::Record(_) => None,
            },
            _ => None,
        }
    }
}

/// How a call is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// A busy tone.
    Busy,
    /// Not in service or declined, as the carrier words it.
    Declined,
}

/// Words to be spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What to say. Plain text; adapters escape it.
    pub text: String,
    /// BCP 47 language, such as `en-GB`.
    pub language: String,
}

impl Prompt {
    /// The words, `most` characters at the most, that no carrier reads as SSML: that begins with its one
    /// root element.
    pub(super) fn plain(&self, most: usize) -> String {
        let text = &self.text;
        let plain = match text.trim_start().strip_prefix('<') {
            Some(rest) if rest.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("speak")) => {
                rest
            }
            _ => text,
        };
        plain.chars().take(most).collect()
    }
}

/// Connects a caller with one or more people.
///
/// The caller ID is not optional: a carrier that is given none shows the caller's own number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// The caller's leg.
    pub leg: LegId,
    /// Whom to ring, all at once; the first who answers is connected.
    pub to: Vec<Target>,
    /// What the people who are rung see.
    pub caller_id: ProxyNumber,
    /// Said to the caller first. Anything here makes the carrier answer the call before it rings.
    pub announce: Option<Prompt>,
    /// How long to ring.
    pub ring_timeout: Duration,
    /// The longest that the two may talk.
    pub duration_max: Duration,
    /// Whether somebody who answers is asked to speak to us first (a whisper, press 1).
    pub screen: bool,
    /// Whether that ends with a key ("press 1 to accept"): for carriers whose dialling says which.
    pub accept: bool,
    /// Which turn of a script dials; 0 where no script does.
    pub turn: u32,
}

/// Sounds for a caller, and what follows them. One turn of a conversation that goes on as long as
/// the carrier asks for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The caller's leg.
    pub leg: LegId,
    /// Which turn this is, from 1, and 0 for a voicemail, which has no other: it comes back with the carrier's next question, so that one that
    /// comes twice gets one answer.
    pub turn: u32,
    /// Played first, in order.
    pub sounds: Vec<Sound>,
    /// What follows.
    pub then: Then,
}

/// Something to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    /// Words to be spoken.
    Say(Prompt),
    /// An audio file at this `http` or `https` address, which the carrier fetches.
    Play(String),
    /// Silence.
    Pause(Duration),
}

/// What follows a script's sounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// The call ends.
    Hangup,
    /// We are asked what comes next.
    Ask,
    /// Keys are waited for; then we are asked, with them or without.
    Keys(Gather),
    /// The caller is connected; `announce` is empty.
    Connect(Connect),
    /// A tone, and then what the caller says is recorded; we are told where that lies. Only for carriers
    /// whose capabilities say `voicemail`: at others the call ends.
    Record(Record),
}

/// Records what a caller says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The longest recording.
    pub longest: Duration,
    /// So much silence ends it.
    pub silence: Duration,
    /// The key that ends it.
    pub finish: char,
}

/// Waits for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gather {
    /// Played while a key may already be pressed: the first one ends it.
    pub prompts: Vec<Sound>,
    /// How long to wait for the first key, and then for each further one.
    pub timeout: Duration,
    /// The most keys.
    pub digits_max: u32,
    /// The key that ends the input and is not a part of it, if one does.
    pub finish: Option<char>,
}

/// Somebody to ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The outbound leg.
    pub leg: LegId,
    /// The real number that is dialled: the one place where a document holds it.
    pub number: Identifier,
}

/// Said to somebody who answered our ringing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whisper {
    /// The leg of the person who answered.
    pub leg: LegId,
    /// What to say.
    pub say: Option<Prompt>,
    /// Asked and waited for before the two are connected: "press 1 to accept".
    pub accept: Option<Prompt>,
    /// Whether they are connected without a key too, once we were asked: only for carriers whose capabilities say
    /// `recording`.
    pub optional: bool,
}

impl Whisper {
    /// How long a key is waited for: who needs to press none is not kept waiting.
    pub(super) const fn patience(&self) -> Duration {
        Duration::from_secs(if self.optional { 5 } else { 10 })
    }
}

/// An answer in a carrier's dialect.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP answer.
    pub response: Response,
    /// Requests to send besides, in order; empty for carriers that take documents.
    pub commands: Vec<Request>,
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self { response, commands: Vec::new() }
    }
}

/// Plans for the adapters' own tests.
#[cfg(test)]
pub(super) mod samples {
    use super::*;

    /// One of nine legs.
    pub(in crate::carrier) fn leg(number: u8) -> LegId {
        LegId::parse(&format!("LG0190000000007000800000000000000{number}")).unwrap()
    }

    /// Words in British English.
    pub(in crate::carrier) fn say(text: &str) -> Prompt {
        Prompt { text: text.to_owned(), language: "en-GB".to_owned() }
    }

    /// The second leg is rung for the first, and sees `caller_id`.
    pub(in crate::carrier) fn connect(to: &str, caller_id: &str) -> Connect {
        Connect {
            leg: leg(1),
            to: vec![Target { leg: leg(2), number: Identifier::parse(to).unwrap() }],
            caller_id: ProxyNumber::parse(caller_id).unwrap(),
            announce: None,
            ring_timeout: Duration::from_secs(25),
            duration_max: Duration::from_hours(1),
            screen: false,
            accept: false,
            turn: 0,
        }
    }
}
