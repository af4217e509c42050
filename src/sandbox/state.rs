//! What the network remembers, behind one lock.

use std::collections::{HashMap, VecDeque};

use tokio::sync::mpsc;

use super::{
    actions::ActionError,
    faults::{Dice, Faults},
    line::Deed,
    phone::{CallId, CallView, Contact, PhoneId, PhoneView, TextView},
    pictures::Pictures,
    record::CameIn,
    stock::Stock,
    tape::Tape,
    webhook::Job,
};
use crate::domain::{phone::Identifier, time::Timestamp};

/// The most phones.
const PHONES_MAX: usize = 10_000;
/// The most contacts of one phone.
const CONTACTS_MAX: usize = 50;
/// How many texts a phone keeps; what comes after it pushes the oldest out.
pub const TEXTS_KEPT: usize = 1_000;
/// How many calls a phone keeps; what comes after it pushes the oldest out.
pub const CALLS_KEPT: usize = 200;
/// How many idempotency keys are remembered.
const KEYS_MAX: usize = 100_000;
/// How long an idempotency key is remembered, in milliseconds.
const KEY_TTL_MS: i64 = 24 * 3_600_000;

pub(super) struct State {
    pub(super) phones: Vec<Phone>,
    pub(super) by_number: HashMap<Identifier, PhoneId>,
    /// Who acts out the live calls.
    pub(super) lines: HashMap<CallId, mpsc::Sender<Deed>>,
    /// Webhooks that wait for earlier ones of the same sender. A lane is here while it is worked.
    pub(super) lanes: HashMap<String, VecDeque<Job>>,
    pub(super) waiting: usize,
    pub(super) keys: Keys,
    /// Texts and calls to the relay, the oldest first.
    pub(super) came_in: VecDeque<CameIn>,
    pub(super) pictures: Pictures,
    /// Calls that are recorded.
    pub(super) tapes: HashMap<CallId, Tape>,
    /// Numbers on sale, and what became of them.
    pub(super) stock: Stock,
    pub(super) faults: Faults,
    pub(super) dice: Dice,
    pub(super) version: u64,
    pub(super) made: u64,
    /// How many webhooks nobody took, however often they were tried.
    pub(super) untaken: u64,
}

pub(super) struct Phone {
    pub(super) view: PhoneView,
    /// Whether it hides its number.
    pub(super) withheld: bool,
}

impl State {
    pub(super) fn new(seed: u64, version: u64) -> Self {
        Self {
            phones: Vec::new(),
            by_number: HashMap::new(),
            lines: HashMap::new(),
            lanes: HashMap::new(),
            waiting: 0,
            keys: Keys::default(),
            came_in: VecDeque::new(),
            pictures: Pictures::default(),
            tapes: HashMap::new(),
            stock: Stock::default(),
            faults: Faults::default(),
            dice: Dice::new(seed),
            version,
            made: 0,
            untaken: 0,
        }
    }

    pub(super) fn phone(&self, id: PhoneId) -> Option<&Phone> {
        self.phones.get(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    pub(super) fn phone_mut(&mut self, id: PhoneId) -> Option<&mut Phone> {
        self.phones.get_mut(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    pub(super) fn register(
        &mut self,
        name: &str,
        number: Identifier,
    ) -> Result<PhoneId, ActionError> {
        if self.by_number.contains_key(&number) {
            return Err(ActionError::NumberTaken);
        }
        if self.phones.len() >= PHONES_MAX {
            return Err(ActionError::Full);
        }
        let id = PhoneId(u32::try_from(self.phones.len() + 1).map_err(|_| ActionError::Full)?);
        self.by_number.insert(number.clone(), id);
        let view = PhoneView {
            id,
            name: name.to_owned(),
            number,
            contacts: Vec::new(),
            texts: Vec::new(),
            calls: Vec::new(),
            version: self.version,
        };
        self.phones.push(Phone { view, withheld: false });
        Ok(id)
    }
}

impl PhoneView {
    pub(super) fn add_text(&mut self, text: TextView) {
        if self.texts.len() >= TEXTS_KEPT {
            self.texts.remove(0);
        }
        self.texts.push(text);
    }

    pub(super) fn add_call(&mut self, call: CallView) {
        if self.calls.len() >= CALLS_KEPT {
            self.calls.remove(0);
        }
        self.calls.push(call);
    }

    pub(super) fn call_mut(&mut self, id: &CallId) -> Option<&mut CallView> {
        self.calls.iter_mut().find(|call| call.id == *id)
    }

    pub(super) fn set_contact(&mut self, label: &str, number: Identifier) {
        if let Some(contact) = self.contacts.iter_mut().find(|contact| contact.label == label) {
            contact.number = number;
            return;
        }
        if self.contacts.len() >= CONTACTS_MAX {
            self.contacts.remove(0);
        }
        self.contacts.push(Contact { label: label.to_owned(), number });
    }
}

/// Idempotency keys: what was asked with each, and what came of it.
#[derive(Default)]
pub(super) struct Keys {
    known: HashMap<String, Known>,
    /// In order of arrival, so that the oldest go first.
    order: VecDeque<(Timestamp, String)>,
}

#[derive(Clone)]
pub(super) struct Known {
    /// SHA-256 of the request.
    pub(super) print: [u8; 32],
    pub(super) id: String,
}

impl Keys {
    pub(super) fn known(&mut self, key: &str, now: Timestamp) -> Option<&Known> {
        while let Some((at, _)) = self.order.front()
            && (now.millis() - at.millis() > KEY_TTL_MS || self.order.len() > KEYS_MAX)
        {
            if let Some((_, old)) = self.order.pop_front() {
                self.known.remove(&old);
            }
        }
        self.known.get(key)
    }

    pub(super) fn remember(&mut self, key: &str, known: Known, now: Timestamp) {
        self.known.insert(key.to_owned(), known);
        self.order.push_back((now, key.to_owned()));
    }

    pub(super) fn forget(&mut self, key: &str) {
        self.known.remove(key);
    }

    pub(super) fn rename(&mut self, key: &str, id: &str) {
        if let Some(known) = self.known.get_mut(key) {
            id.clone_into(&mut known.id);
        }
    }
}
