//! Calls: asks the relay for a document and acts it out.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    dial::Dialled,
    document::{self, Connect, Gather, KEYS_MAX, Reason, Step},
    line::{Act, Line, millis},
    network::Network,
    phone::{CallId, Sound},
};
use crate::domain::call::CallState;

/// The most documents of one call.
const DOCUMENTS_MAX: u32 = 50;
/// How long every message is.
const MESSAGE_SECONDS: u32 = 2;

/// What comes after one step.
pub(super) enum After {
    /// The next step of the same document.
    Next,
    /// Another document.
    Document(Vec<Step>),
    /// The person has gone.
    Gone,
    /// The relay could not be asked, or answered something else.
    Broken,
}

impl Line {
    /// A call to a number that is no phone: the relay knows what to do with it, if it is not `lost` on
    /// the way there.
    pub(super) async fn call_the_relay(mut self, event: Value, lost: bool) {
        let network = Arc::clone(&self.network);
        let url = network.hook("call");
        let document = if lost { None } else { network.document(&url, &event).await };
        let state = match document {
            Some(steps) => self.act_out(steps).await,
            None => CallState::Failed,
        };
        self.end(state);
    }

    /// A call from one phone straight to another.
    pub(super) async fn connect_straight(mut self, connect: Connect) {
        let dialled = self.connect(&connect).await;
        self.end(dialled.state);
    }

    /// A call that the relay placed and that was answered.
    pub(super) async fn answered_placed(mut self, answer_url: String, most: Duration) {
        let network = Arc::clone(&self.network);
        let event = json!({ "event": "answered", "id": self.id.as_str() });
        let id = self.id.clone();
        let run = async {
            match network.document(&answer_url, &event).await {
                Some(steps) => self.act_out(steps).await,
                None => CallState::Completed,
            }
        };
        let state = network.at_most(most, &id, run).await;
        self.end(state);
    }

    /// Does what documents say until they end, and says how the call ended.
    async fn act_out(&mut self, steps: Vec<Step>) -> CallState {
        let mut steps = VecDeque::from(steps);
        let mut unconnected = CallState::NoAnswer;
        for _ in 0..DOCUMENTS_MAX {
            if self.has_gone() {
                return self.over(CallState::Cancelled);
            }
            let Some(step) = steps.pop_front() else { return self.over(unconnected) };
            let after = match step {
                Step::Reject { reason } => {
                    return self.over(match reason {
                        Reason::Busy => CallState::Busy,
                        Reason::Declined => CallState::Failed,
                    });
                }
                Step::HangUp => return self.over(unconnected),
                Step::Connect(connect) => {
                    let dialled = self.connect(&connect).await;
                    unconnected = dialled.state;
                    self.after_dialling(&connect, &dialled).await
                }
                step => {
                    self.pick_up();
                    self.speak(step).await
                }
            };
            match after {
                After::Next => {}
                After::Document(next) => steps = next.into(),
                After::Gone => return self.over(CallState::Cancelled),
                After::Broken => return self.over(CallState::Failed),
            }
        }
        self.over(CallState::Failed)
    }

    /// How an answered call ends, or `unanswered`.
    fn over(&self, unanswered: CallState) -> CallState {
        if self.answered_at.is_some() { CallState::Completed } else { unanswered }
    }

    /// Says or asks something; every other step ends what the line can do.
    pub(super) async fn speak(&mut self, step: Step) -> After {
        match step {
            Step::Say { text, language } => {
                if self.say(&text, &language).await {
                    After::Next
                } else {
                    After::Gone
                }
            }
            Step::Ask { text, language, timeout_ms, keys_url } => {
                let timeout = Duration::from_millis(timeout_ms);
                let Some(digits) = self.question(&text, &language, timeout).await else {
                    return After::Gone;
                };
                let event = json!({ "event": "keys", "id": self.id.as_str(), "digits": digits });
                self.then(&keys_url, &event).await
            }
            Step::Play { url } => self.heard(Sound::Audio { url }),
            Step::Pause { length_ms } => {
                if self.pause(Duration::from_millis(length_ms)).await {
                    After::Next
                } else {
                    After::Gone
                }
            }
            Step::Gather(gather) => self.gather(gather).await,
            Step::Record { longest_ms, finish, recorded_url } => {
                self.record(Duration::from_millis(longest_ms), finish, &recorded_url).await
            }
            Step::Next { url } => {
                let event = json!({ "event": "played", "id": self.id.as_str() });
                self.then(&url, &event).await
            }
            Step::Reject { .. } | Step::Connect(_) | Step::HangUp => After::Broken,
        }
    }

    fn heard(&mut self, sound: Sound) -> After {
        self.hear(sound);
        if self.has_gone() { After::Gone } else { After::Next }
    }

    async fn gather(&mut self, gather: Gather) -> After {
        for prompt in gather.prompts {
            let said = match prompt {
                Step::Say { text, language } => self.say_asking(&text, &language).await,
                Step::Play { url } => {
                    self.hear(Sound::Audio { url });
                    !self.has_gone()
                }
                Step::Pause { length_ms } => self.pause(Duration::from_millis(length_ms)).await,
                _ => return After::Broken,
            };
            if !said {
                return After::Gone;
            }
        }
        let timeout = Duration::from_millis(gather.timeout_ms);
        let Some(digits) = self.keys(timeout, gather.digits_max, gather.finish).await else {
            return After::Gone;
        };
        let event = json!({ "event": "keys", "id": self.id.as_str(), "digits": digits });
        self.then(&gather.keys_url, &event).await
    }

    /// Whoever hangs up has said what they wanted to.
    async fn record(&mut self, longest: Duration, finish: char, url: &str) -> After {
        self.hear(Sound::Tone);
        let ended = self.keys(longest, KEYS_MAX, Some(finish)).await;
        self.wake();
        let (id, address) = self.network.keep_message(MESSAGE_SECONDS);
        let event = json!({
            "event": "recorded", "id": self.id.as_str(), "recording": id, "url": address,
            "duration_ms": u64::from(MESSAGE_SECONDS) * 1000,
        });
        if ended.is_some() {
            return self.then(url, &event).await;
        }
        self.network.report(self.id.as_str(), url.to_owned(), &event);
        After::Gone
    }

    async fn after_dialling(&mut self, connect: &Connect, dialled: &Dialled) -> After {
        let Some(url) = &connect.done_url else { return After::Next };
        let mut event = json!({
            "event": "dialled", "id": self.id.as_str(), "state": dialled.state.as_str(),
            "caller_gone": self.gone,
        });
        if let Some(length) = dialled.duration {
            event["duration_ms"] = millis(length).into();
        }
        self.then(url, &event).await
    }

    async fn then(&mut self, url: &str, event: &Value) -> After {
        let next = self.network.document(url, event).await;
        if self.has_gone() {
            return After::Gone;
        }
        next.map_or(After::Broken, After::Document)
    }
}

impl Network {
    /// Asks the relay what to do; `None` if it can't be asked or answers something else.
    pub(super) async fn document(&self, url: &str, event: &Value) -> Option<Vec<Step>> {
        if !self.is_hook(url) {
            return None;
        }
        document::read(&self.ask(url, event).await.ok()?).ok()
    }

    /// Ends a call that lasts longer than `most`.
    async fn at_most<R>(&self, most: Duration, call: &CallId, run: impl Future<Output = R>) -> R {
        tokio::pin!(run);
        tokio::select! {
            result = &mut run => return result,
            () = tokio::time::sleep(most) => {}
        }
        // The call may just have ended by itself.
        let _ = self.hand_over(call, Act::End);
        run.await
    }
}
