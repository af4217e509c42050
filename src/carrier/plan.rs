//! What we tell a carrier in answer to a webhook.

use std::time::Duration;

use super::wire::{Request, Response};
use crate::{
    domain::phone::{Identifier, ProxyNumber},
    ids::LegId,
};

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
    /// Said to somebody who answered our ringing, before the two are connected.
    Whisper(Whisper),
    /// Let the two be connected, saying nothing.
    Proceed,
    /// End this leg.
    Hangup,
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
