//! What we ask of a carrier.

use std::time::Duration;

use super::Capabilities;
use crate::{
    domain::{
        interaction::Kind,
        message::Body,
        phone::{Identifier, ProxyNumber},
        recording::RecordingAct,
        sender::Sender,
    },
    ids::LegId,
};

/// A request of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outbound {
    /// Send a text.
    Message(OutboundMessage),
    /// Ring somebody; the carrier asks for a plan once the person answers.
    Call(OutboundCall),
    /// End a call.
    EndCall {
        /// The carrier's id of the call.
        id: String,
    },
    /// Forget a recording.
    DeleteRecording {
        /// The carrier's id of it, as [`super::event::Recorded`] had it.
        id: String,
    },
    /// Forget what it has on record of a text or a call that is over.
    DeleteRecord {
        /// A text or a call.
        kind: Kind,
        /// Whether it came in; else it went out.
        inbound: bool,
        /// The carrier's id of it.
        id: String,
    },
    /// Begin, pause, go on with or end the recording of a call. Only where the capabilities say `recording`.
    Recording(RecordingCommand),
}

/// What to do with the recording of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingCommand {
    /// The leg that is recorded: in the address for news of it.
    pub leg: LegId,
    /// The carrier's id of that leg.
    pub call: String,
    /// The carrier's id of the recording, where it told one.
    pub id: Option<String>,
    /// What to do.
    pub act: RecordingAct,
}

/// A text to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// The leg: in the status address, and the key where a carrier dedupes by key.
    pub leg: LegId,
    /// What the recipient sees. A name has words alone with it, and only where the capabilities say `sender_ids`.
    pub from: Sender,
    /// The recipient.
    pub to: Identifier,
    /// What it says.
    pub body: Body,
    /// Addresses of pictures and files that the carrier may fetch.
    pub media: Vec<String>,
    /// How long the carrier may hold it: a text must not arrive after its session has ended.
    pub validity: Duration,
}

impl OutboundMessage {
    /// Whether a carrier that can do this sends it from what it is to come from: a name it must know how to send
    /// under, and pictures never go with one.
    pub fn is_sent_by(&self, can: &Capabilities) -> bool {
        self.from.id().is_none_or(|id| self.media.is_empty() && can.sends_as(id))
    }
}

/// Somebody to ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundCall {
    /// The leg.
    pub leg: LegId,
    /// What the person sees.
    pub from: ProxyNumber,
    /// The person.
    pub to: Identifier,
    /// How long to ring.
    pub ring_timeout: Duration,
    /// The longest that the call may last.
    pub duration_max: Duration,
}

/// The carrier took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The carrier's id of what it took; empty for a recording of which it tells none yet.
    pub id: String,
}
