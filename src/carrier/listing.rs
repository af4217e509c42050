//! What a carrier has on record: texts that we sent, and what people sent us.
//!
//! A carrier without a key that drops repeats is asked whether it took a text whose answer was lost
//! (M4); one whose webhooks may be lost is asked what came in.

use super::{Inbound, Request};
use crate::domain::{
    message::{Body, MessageState},
    phone::Identifier,
    price::Price,
    sender::Sender,
    time::Timestamp,
};

/// What is listed. An answer may hold more than was asked for, and older things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Texts that were sent from a proxy number, or under a name. Not narrowed by recipient: a person's number stands
    /// in no address.
    Sent {
        /// The proxy number, or the name.
        from: Sender,
        /// Taken by the carrier at this time or later.
        since: Timestamp,
    },
    /// Texts that came in to any number, at this time or later.
    Texts(Timestamp),
    /// Calls that came in to any number, at this time or later.
    Calls(Timestamp),
}

impl Query {
    /// From when on.
    pub const fn since(&self) -> Timestamp {
        match self {
            Self::Sent { since, .. } | Self::Texts(since) | Self::Calls(since) => *since,
        }
    }
}

/// One page of a list.
#[derive(Debug, Default)]
pub struct Page {
    /// What is on it and was asked for.
    pub records: Vec<Record>,
    /// The request for the next page, made by the adapter from its own address; `None` if there is
    /// nothing more, or nothing more that is as young as was asked for.
    pub next: Option<Request>,
}

/// One thing on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When the carrier took it, by its clock.
    pub at: Timestamp,
    /// What it is.
    pub what: Recorded,
}

/// What is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// A text that was sent.
    Sent(SentText),
    /// What a webhook should have told: an [`Inbound::Message`], or an [`Inbound::Call`] that is
    /// over. A call that may still be put through is not listed: its webhook may be on the way.
    CameIn(Inbound),
}

/// A text that the carrier took from us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentText {
    /// The carrier's id of it.
    pub id: String,
    /// Its recipient.
    pub to: Identifier,
    /// What it says; `None` where the carrier does not keep it.
    pub body: Option<Body>,
    /// How far it has come.
    pub state: MessageState,
    /// The carrier's error code, if any.
    pub carrier_code: Option<String>,
    /// What the whole text cost, where the carrier tells, and the currency too.
    pub price: Option<Price>,
}
