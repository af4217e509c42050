//! What certainly happened, as the carrier and the marketplace saw it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use bytes::Bytes;

/// A session, as its marketplace saw it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) people: [usize; 2],
    /// The number that each dials.
    pub(crate) proxies: [String; 2],
    pub(crate) open_asked: Instant,
    pub(crate) open_acked: Instant,
    pub(crate) close_asked: Option<Instant>,
    pub(crate) close_acked: Option<Instant>,
}

/// A text or call that somebody made.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) call: bool,
    /// Which session it was meant for, and from which side.
    pub(crate) session: usize,
    pub(crate) side: usize,
    pub(crate) posted: Instant,
    pub(crate) acked: Option<Instant>,
    /// How often the carrier had to post it.
    pub(crate) posts: u32,
}

/// A text that the carrier was told to send.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) from: String,
    pub(crate) to: String,
    /// The node never heard that it was taken.
    pub(crate) unheard: bool,
}

/// An instruction that a node gave for a call.
#[derive(Debug, Clone)]
pub(crate) struct Bridged {
    pub(crate) document: Bytes,
    /// Who is dialled and as which number, where somebody is.
    pub(crate) dial: Option<(String, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) sessions: Vec<Session>,
    /// By the carrier's id.
    pub(crate) said: BTreeMap<String, Said>,
    /// By the id of the text that came in: it is the body.
    pub(crate) sent: BTreeMap<String, Vec<Sent>>,
    pub(crate) bridged: BTreeMap<String, Vec<Bridged>>,
    /// Bodies that nobody wrote.
    pub(crate) strange: Vec<String>,
    /// What the marketplace or the carrier was answered that it should not have been.
    pub(crate) refused: Vec<String>,
    /// Webhooks that were posted again though they were acknowledged.
    pub(crate) duplicates: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Truth(Mutex<Facts>);

impl Truth {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap()
    }
}

/// The number of a person.
pub(crate) fn number(person: usize) -> String {
    // Fictional ones of five area codes: 100 each (NANPA, 555-0100 to 555-0199).
    let areas = ["1212", "1213", "1312", "1415", "1617"];
    format!("+{}5550{:03}", areas[person / 100], 100 + person % 100)
}

/// A proxy number of the pool.
pub(crate) fn proxy(place: usize) -> String {
    let areas = ["1702", "1713", "1718", "1773", "1818"];
    format!("+{}5550{:03}", areas[place / 100], 100 + place % 100)
}
