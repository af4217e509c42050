//! What the network remembers of the texts and calls that phones sent to the relay, for whoever missed
//! a webhook.

use super::{
    network::Network,
    phone::{CallId, PhoneId},
};
use crate::domain::{message::Body, phone::Identifier, time::Timestamp};

/// How much is remembered.
pub(super) const KEPT_MAX: usize = 10_000;
/// How many entries a page of the list has.
const PAGE: usize = 100;

/// A text or a call to the relay.
#[derive(Debug, Clone)]
pub struct CameIn {
    /// The network's id of it, as in its webhook.
    pub id: String,
    /// Who sent it; `None` if the phone hides its number.
    pub from: Option<Identifier>,
    /// The number that it was sent to.
    pub to: Identifier,
    /// The words and pictures of a text; `None` for a call.
    pub text: Option<(Body, Vec<String>)>,
    /// When.
    pub at: Timestamp,
    /// Whether nothing more will happen: a call may still be put through.
    pub over: bool,
    pub(super) phone: PhoneId,
}

impl Network {
    /// Texts, or calls, that came at `since` or later, the newest first, without the first `skip`;
    /// and whether there are more.
    pub fn came_in(&self, texts: bool, since: Timestamp, skip: usize) -> (Vec<CameIn>, bool) {
        let state = self.lock();
        let fits = |one: &&CameIn| one.text.is_some() == texts && one.at >= since;
        let mut found: Vec<CameIn> =
            state.came_in.iter().rev().filter(fits).skip(skip).take(PAGE + 1).cloned().collect();
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        for one in found.iter_mut().filter(|one| one.text.is_none()) {
            let call = CallId::new(&one.id);
            let call = state
                .phone(one.phone)
                .and_then(|phone| phone.view.calls.iter().find(|shown| shown.id == call));
            one.over = call.is_none_or(|call| call.stage.is_over());
        }
        (found, more)
    }

    /// Deletes what is remembered of a text, or of a call that is over; whether it was there.
    pub fn forget_record(&self, texts: bool, id: &str) -> bool {
        let mut state = self.lock();
        let before = state.came_in.len();
        state.came_in.retain(|one| one.id != id || one.text.is_some() != texts);
        state.came_in.len() < before
    }

    pub(super) fn remember(&self, one: CameIn) {
        let mut state = self.lock();
        if state.came_in.len() >= KEPT_MAX {
            state.came_in.pop_front();
        }
        state.came_in.push_back(one);
    }

    /// Whether the webhook of a new text or call gets lost.
    pub(super) fn loses(&self) -> bool {
        let mut state = self.lock();
        let percent = state.faults.lost_webhook_percent;
        state.dice.hits(percent)
    }
}
