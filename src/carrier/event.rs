//! What a carrier can tell us.

use std::time::Duration;

use crate::{
    domain::{
        assurance::Attestation,
        call::CallState,
        message::{Body, MessageState},
        phone::{Caller, ProxyNumber},
        price::Price,
    },
    ids::LegId,
};

/// One event out of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// A person texted a proxy number.
    Message(InboundMessage),
    /// A person calls a proxy number; the carrier waits for a plan.
    Call(InboundCall),
    /// Somebody that we rang answered and is about to be connected: the carrier asks what to say
    /// first.
    CalleeAnswered(CalleeAnswered),
    /// A person pressed keys where a plan asked for it.
    Keys(Keys),
    /// A call that we placed was answered: the carrier asks for its plan.
    PlacedCallAnswered(PlacedCallAnswered),
    /// What a script plays is over; the carrier waits for what comes next.
    Played(Played),
    /// What a caller, or two who talked, said was recorded. Where the carrier waits for what comes next, that is the end of the
    /// call; news of it alone gets the same answer.
    Recorded(Recorded),
    /// The dialling of a plan's `connect` is over; the carrier waits for what comes next.
    DialEnded(DialEnded),
    /// News of one leg of a call.
    CallStatus(CallStatus),
    /// News of a text that we sent.
    MessageStatus(MessageStatus),
    /// Valid, and not for us.
    Ignored(&'static str),
}

/// A text that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    /// The carrier's id of the text: duplicates carry the same.
    pub id: String,
    /// Who sent it.
    pub from: Caller,
    /// The proxy number that it came to.
    pub to: ProxyNumber,
    /// What it says.
    pub body: Body,
    /// Addresses of pictures and files, at the carrier.
    pub media: Vec<String>,
    /// Which part it is of a longer text, where the carrier does not put those together.
    pub part: Option<Part>,
}

/// Which part of a longer text a text is (3GPP TS 23.040 §9.2.3.24.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    reference: String,
    number: u8,
    of: u8,
}

impl Part {
    /// The part `number`, from 1, `of` so many that its sender gave the same reference, 1 to 32 visible
    /// ASCII characters. `None` for what is no part of several.
    pub fn new(reference: &str, number: u8, of: u8) -> Option<Self> {
        let named =
            (1..=32).contains(&reference.len()) && reference.bytes().all(|b| b.is_ascii_graphic());
        let part = Self { reference: reference.to_owned(), number, of };
        (named && of > 1 && (1..=of).contains(&number)).then_some(part)
    }

    /// What its sender gave all parts of the text.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Which one it is, from 1.
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// How many there are: 2 at least.
    pub const fn of(&self) -> u8 {
        self.of
    }
}

/// A call that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundCall {
    /// The carrier's id of the call: duplicates carry the same.
    pub id: String,
    /// Who calls.
    pub from: Caller,
    /// The proxy number that was dialled.
    pub to: ProxyNumber,
    /// What the network says of the caller's number; [`Attestation::None`] where the carrier does not tell.
    pub attestation: Attestation,
}

impl InboundCall {
    /// A call of whose caller's number nothing is said.
    pub const fn untold(id: String, from: Caller, to: ProxyNumber) -> Self {
        Self { id, from, to, attestation: Attestation::None }
    }
}

/// Somebody that we rang answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalleeAnswered {
    /// The outbound leg.
    pub leg: LegId,
    /// The carrier's id of that leg.
    pub id: String,
}

/// Keys that a person pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The leg on which they were pressed.
    pub leg: LegId,
    /// The keys; empty if none were pressed in time.
    pub digits: String,
    /// Which turn of a script asked for them; 0 where no script did.
    pub turn: u32,
}

/// What a script plays is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// The leg that heard it.
    pub leg: LegId,
    /// Which turn of the script it was.
    pub turn: u32,
}

/// What a caller said was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The leg of the caller.
    pub leg: LegId,
    /// The carrier's id of the recording, by which it is deleted there: all news of one has the same.
    pub id: String,
    /// Where it lies.
    pub address: String,
    /// How long it is, where the carrier tells.
    pub length: Option<Duration>,
    /// Whether it is of two who talked, and not a message that the caller left.
    pub talk: bool,
}

/// A call that we placed was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedCallAnswered {
    /// The leg that we placed.
    pub leg: LegId,
    /// The carrier's id of that leg.
    pub id: String,
}

/// The dialling of a `connect` is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialEnded {
    /// The inbound leg, whose caller was to be connected.
    pub leg: LegId,
    /// How it ended: `Completed` only if two people were connected.
    pub state: CallState,
    /// How long they were connected, where the carrier tells.
    pub duration: Option<Duration>,
    /// Whether the caller has hung up already.
    pub caller_gone: bool,
    /// Which turn of a script dialled; 0 where no script did.
    pub turn: u32,
}

/// News of one leg of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallStatus {
    /// The leg, where its address told.
    pub leg: Option<LegId>,
    /// The carrier's id of that leg.
    pub id: String,
    /// Its state.
    pub state: CallState,
    /// How long it lasted, once it ended and where the carrier tells.
    pub duration: Option<Duration>,
    /// The carrier's error code, if any.
    pub carrier_code: Option<String>,
    /// What this leg cost, where the carrier tells, and the currency too.
    pub price: Option<Price>,
}

/// News of a text that we sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageStatus {
    /// The leg, where its address told.
    pub leg: Option<LegId>,
    /// The carrier's id of the text.
    pub id: String,
    /// Its state.
    pub state: MessageState,
    /// The carrier's error code, if any.
    pub carrier_code: Option<String>,
    /// What the whole text cost, where the carrier tells, and the currency too.
    pub price: Option<Price>,
}
