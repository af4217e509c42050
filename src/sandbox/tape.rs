//! Recordings of calls under way: begun, paused, gone on with and ended as the relay asks, and told of once they
//! are over.

use std::sync::Arc;

use serde_json::json;

use super::{
    api::{Refusal, Taken},
    network::Network,
    phone::CallId,
};

/// How long every recording is.
const SECONDS: u32 = 3;

/// What the relay asks of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TapeAct {
    /// Begin, and tell this address where it lies once it is over.
    Start(String),
    /// Record nothing for now.
    Pause,
    /// Go on.
    Resume,
    /// End it.
    Stop,
}

/// A recording under way.
pub(super) struct Tape {
    /// Its id once it is over.
    id: String,
    url: String,
    paused: bool,
}

impl Network {
    /// Does what is asked of the recording of a call.
    ///
    /// # Errors
    /// [`Refusal::NoCall`]; [`Refusal::NoRecording`] where it is not in a state for that;
    /// [`Refusal::BadUrl`], [`Refusal::Fault`], [`Refusal::Lost`].
    pub async fn tape(self: &Arc<Self>, call: &str, act: TapeAct) -> Result<Taken, Refusal> {
        let admission = self.admit().await?;
        let call = CallId::new(call);
        if let TapeAct::Start(url) = &act
            && !self.is_hook(url)
        {
            return Err(Refusal::BadUrl);
        }
        let id = self.make_id("recording");
        let over = act == TapeAct::Stop;
        let taken = {
            let mut state = self.lock();
            if !state.lines.contains_key(&call) {
                return Err(Refusal::NoCall);
            }
            match (act, state.tapes.get_mut(&call)) {
                (TapeAct::Start(url), None) => {
                    let tape = Tape { id: id.clone(), url, paused: false };
                    state.tapes.insert(call.clone(), tape);
                    id
                }
                (TapeAct::Pause, Some(tape)) if !tape.paused => {
                    tape.paused = true;
                    tape.id.clone()
                }
                (TapeAct::Resume, Some(tape)) if tape.paused => {
                    tape.paused = false;
                    tape.id.clone()
                }
                (TapeAct::Stop, Some(tape)) => tape.id.clone(),
                _ => return Err(Refusal::NoRecording),
            }
        };
        if over {
            self.end_tape(&call);
        }
        self.answer_api(admission, Taken { id: taken, again: true })
    }

    /// How many calls are recorded at this moment, and not paused.
    pub fn taping(&self) -> usize {
        self.lock().tapes.values().filter(|tape| !tape.paused).count()
    }

    /// Ends the recording of a call, if there is one, and tells of it.
    pub(super) fn end_tape(self: &Arc<Self>, call: &CallId) {
        let Some(tape) = self.lock().tapes.remove(call) else { return };
        let address = self.keep_talk(&tape.id, SECONDS);
        let event = json!({
            "event": "recorded", "id": call.as_str(), "recording": tape.id, "url": address,
            "duration_ms": u64::from(SECONDS) * 1000,
        });
        self.report(call.as_str(), tape.url, &event);
    }
}
