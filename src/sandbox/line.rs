//! A line: the network's hold on one phone during one call.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::mpsc;

use super::{
    actions::ActionError,
    document::KEYS_MAX,
    network::{Busy, Network},
    phone::{CallEnd, CallId, CallStage, CallView, Direction, PhoneId, Sound},
};
use crate::domain::{call::CallState, phone::Identifier, time::Timestamp};

/// How many deeds may wait for a line.
const DEEDS_MAX: usize = 64;
/// How many sounds a call keeps.
const SOUNDS_KEPT: usize = 20;

/// What a person does with a call, or the relay asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Answer,
    Decline,
    HangUp,
    Press(char),
    /// The relay ends the call.
    End,
}

/// An act on its way to the task that acts the call out.
pub(super) struct Deed {
    pub(super) act: Act,
    pub(super) busy: Busy,
}

pub(super) struct Line {
    pub(super) network: Arc<Network>,
    pub(super) id: CallId,
    pub(super) phone: PhoneId,
    pub(super) answered_at: Option<Timestamp>,
    /// Whether the person has hung up, or was made to.
    pub(super) gone: bool,
    deeds: mpsc::Receiver<Deed>,
    busy: Option<Busy>,
    /// Keys pressed before they were asked for.
    early: VecDeque<char>,
    status_url: Option<String>,
}

impl Network {
    /// Shows a new call on a phone and takes hold of it.
    ///
    /// # Errors
    /// [`ActionError::NoPhone`], [`ActionError::OnACall`].
    pub(super) fn open_line(
        self: &Arc<Self>,
        phone: PhoneId,
        direction: Direction,
        other: Option<Identifier>,
        status_url: Option<String>,
    ) -> Result<Line, ActionError> {
        let id = CallId(self.make_id("call"));
        let stage = match direction {
            Direction::In => CallStage::Ringing,
            Direction::Out => CallStage::Dialling,
        };
        let call = CallView {
            id: id.clone(),
            direction,
            other,
            stage,
            at: self.now(),
            answered_at: None,
            ended_at: None,
            heard: Vec::new(),
        };
        let (sender, deeds) = mpsc::channel(DEEDS_MAX);
        let line = Line {
            network: Arc::clone(self),
            id: id.clone(),
            phone,
            answered_at: None,
            gone: false,
            deeds,
            busy: Some(self.busy()),
            early: VecDeque::new(),
            status_url,
        };
        self.lock().lines.insert(id, sender);
        // From here on the drop of `line` takes the sender out again.
        self.change(phone, |view| {
            if view.call().is_some() {
                return Err(ActionError::OnACall);
            }
            view.add_call(call);
            Ok(())
        })
        .ok_or(ActionError::NoPhone)??;
        Ok(line)
    }

    /// Hands an act to the task that acts the call out.
    pub(super) fn hand_over(&self, call: &CallId, act: Act) -> Result<(), ActionError> {
        let sender = self.lock().lines.get(call).cloned().ok_or(ActionError::NoCall)?;
        sender.try_send(Deed { act, busy: self.busy() }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ActionError::Full,
            mpsc::error::TrySendError::Closed(_) => ActionError::NoCall,
        })
    }
}

impl Line {
    /// The next act. While it waits for the person the line does not count as busy.
    pub(super) async fn next(&mut self) -> Act {
        self.busy = None;
        let deed = self.deeds.recv().await;
        self.took(deed)
    }

    /// The next act, for waits that end by themselves soon.
    async fn next_while_busy(&mut self) -> Act {
        let deed = self.deeds.recv().await;
        self.took(deed)
    }

    /// An act that has come already.
    pub(super) fn came(&mut self) -> Option<Act> {
        let deed = self.deeds.try_recv().ok()?;
        Some(self.took(Some(deed)))
    }

    fn took(&mut self, deed: Option<Deed>) -> Act {
        self.wake();
        let Some(deed) = deed else { return Act::End };
        self.busy = Some(deed.busy);
        if matches!(deed.act, Act::HangUp | Act::Decline | Act::End) {
            self.gone = true;
        }
        deed.act
    }

    /// Counts as busy again, after a wait that a timer ended.
    pub(super) fn wake(&mut self) {
        if self.busy.is_none() {
            self.busy = Some(self.network.busy());
        }
    }

    /// Whether the person has gone by now.
    pub(super) fn has_gone(&mut self) -> bool {
        while let Some(act) = self.came() {
            self.keep(act);
        }
        self.gone
    }

    fn keep(&mut self, act: Act) {
        if let Act::Press(key) = act {
            self.early.truncate(KEYS_MAX - 1);
            self.early.push_back(key);
        }
    }

    /// Plays a sound.
    pub(super) fn hear(&self, sound: Sound) {
        self.show(|call| {
            if call.stage.is_over() {
                return;
            }
            if call.heard.len() >= SOUNDS_KEPT {
                call.heard.remove(0);
            }
            call.heard.push(sound);
        });
    }

    /// Answers on the network's side, so that the caller hears more than ringing.
    pub(super) fn pick_up(&mut self) {
        if self.answered_at.is_some() {
            return;
        }
        let now = self.network.now();
        self.answered_at = Some(now);
        self.show(|call| {
            if !call.stage.is_over() {
                call.stage = CallStage::Connected;
                call.answered_at.get_or_insert(now);
            }
        });
    }

    /// Says something; false if the person has gone before the end.
    pub(super) async fn say(&mut self, text: &str, language: &str) -> bool {
        self.speak_words(text, language, false).await
    }

    /// The same, while keys are waited for.
    pub(super) async fn say_asking(&mut self, text: &str, language: &str) -> bool {
        self.speak_words(text, language, true).await
    }

    async fn speak_words(&mut self, text: &str, language: &str, question: bool) -> bool {
        self.hear(words(text, language, question));
        let words = u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX);
        let length = self.network.options.pace.word.saturating_mul(words);
        self.last(length).await
    }

    /// Is silent; false if the person has gone before the end.
    pub(super) async fn pause(&mut self, length: Duration) -> bool {
        // A network that takes no time to speak takes none to be silent either.
        let instant = self.network.options.pace.word.is_zero();
        self.last(if instant { Duration::ZERO } else { length }).await
    }

    /// Lets a sound last; false if the person has gone before the end.
    async fn last(&mut self, length: Duration) -> bool {
        if length.is_zero() {
            return !self.has_gone();
        }
        let over = tokio::time::sleep(length.min(Duration::from_mins(1)));
        tokio::pin!(over);
        while !self.gone {
            tokio::select! {
                () = &mut over => return !self.has_gone(),
                act = self.next_while_busy() => self.keep(act),
            }
        }
        false
    }

    /// Asks for a key and waits; empty if none came in time, `None` if the person has gone.
    pub(super) async fn question(
        &mut self,
        text: &str,
        language: &str,
        timeout: Duration,
    ) -> Option<String> {
        self.hear(words(text, language, true));
        self.keys(timeout, 1, None).await
    }

    /// Waits for up to `most` keys, `timeout` for each; `finish` ends them and is none of them. `None`
    /// if the person has gone.
    pub(super) async fn keys(
        &mut self,
        timeout: Duration,
        most: usize,
        finish: Option<char>,
    ) -> Option<String> {
        if self.has_gone() {
            return None;
        }
        let timeout = timeout.min(Duration::from_mins(1));
        let mut keys = String::new();
        loop {
            while let Some(key) = self.early.pop_front() {
                if Some(key) == finish {
                    return Some(keys);
                }
                keys.push(key);
                if keys.len() >= most {
                    return Some(keys);
                }
            }
            match tokio::time::timeout(timeout, self.next()).await {
                Err(_) => {
                    self.wake();
                    return Some(keys);
                }
                Ok(Act::Decline | Act::HangUp | Act::End) => return None,
                Ok(act) => self.keep(act),
            }
        }
    }

    /// Tells the relay how far this leg has come, if it wants to know.
    pub(super) fn report(&self, state: CallState) {
        let Some(url) = self.status_url.clone() else { return };
        let mut body = json!({
            "event": "call_status", "id": self.id.as_str(), "state": state.as_str(),
        });
        if state == CallState::Completed {
            let since = self.answered_at.unwrap_or_else(|| self.network.now());
            body["duration_ms"] = millis(self.network.now().since(since)).into();
        }
        self.network.report(self.id.as_str(), url, &body);
    }

    /// Ends the call on the phone and tells the relay.
    pub(super) fn end(self, state: CallState) {
        let now = self.network.now();
        if state == CallState::Busy {
            self.hear(Sound::Busy);
        }
        self.show(|call| {
            // A person who hung up sees the end at once.
            if !call.stage.is_over() {
                call.stage = CallStage::Ended(how(state));
                call.ended_at = Some(now);
            }
        });
        self.network.end_tape(&self.id);
        self.report(state);
    }

    fn show(&self, change: impl FnOnce(&mut CallView)) {
        self.network.change(self.phone, |view| {
            if let Some(call) = view.call_mut(&self.id) {
                change(call);
            }
        });
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.network.lock().lines.remove(&self.id);
    }
}

fn words(text: &str, language: &str, question: bool) -> Sound {
    Sound::Words { text: text.to_owned(), language: language.to_owned(), question }
}

fn how(state: CallState) -> CallEnd {
    match state {
        CallState::Busy => CallEnd::Declined,
        CallState::NoAnswer => CallEnd::Missed,
        CallState::Cancelled => CallEnd::Cancelled,
        CallState::Failed => CallEnd::Failed,
        CallState::Queued
        | CallState::Initiated
        | CallState::Ringing
        | CallState::Answered
        | CallState::Completed => CallEnd::Finished,
    }
}

pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
