//! Dialling: rings phones, lets those who answer be spoken to, and connects the first.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    actions::ActionError,
    call::After,
    document::{Connect, Target},
    line::{Act, Line},
    network::Network,
    phone::{Direction, Sound},
};
use crate::domain::{call::CallState, phone::Identifier};

/// How a dialling went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialled {
    /// `Completed` only if two people were connected.
    pub(super) state: CallState,
    /// How long they were.
    pub(super) duration: Option<Duration>,
}

/// What became of one phone that was rung.
pub(super) enum Rung {
    /// It was answered and may be connected.
    Ready(Line),
    /// It can't be connected any more.
    Lost(CallState),
}

impl Line {
    /// Rings the targets, connects the first who is ready, and lets them talk.
    pub(super) async fn connect(&mut self, connect: &Connect) -> Dialled {
        self.hear(Sound::Ringing);
        let over = CancellationToken::new();
        // Whoever can't be rung at all, busy or unknown, is known before anybody rings.
        let mut lost = Vec::new();
        let mut rung: FuturesUnordered<_> = connect
            .to
            .iter()
            .filter_map(|target| {
                self.network
                    .ring(&connect.caller_id.0, target)
                    .map_err(|state| lost.push(state))
                    .ok()
                    .map(|line| {
                        line.until_ready(
                            connect.ring_timeout(),
                            target.answer_url.clone(),
                            over.clone(),
                        )
                    })
            })
            .collect();
        let mut winner = None;
        while !self.gone && winner.is_none() {
            tokio::select! {
                // The caller's line first: it lets go of its mark while the others still have theirs.
                biased;
                _ = self.next() => {}
                one = rung.next() => match one {
                    Some(Rung::Ready(line)) => winner = Some(line),
                    Some(Rung::Lost(state)) => lost.push(state),
                    None => break,
                },
            }
        }
        self.wake();
        over.cancel();
        while let Some(one) = rung.next().await {
            if let Rung::Ready(line) = one {
                line.end(CallState::Completed);
            }
        }
        match winner {
            Some(callee) => self.talk(callee, connect.duration_max()).await,
            None if self.gone => Dialled { state: CallState::Cancelled, duration: None },
            None => Dialled { state: best(&lost), duration: None },
        }
    }

    /// Lets two people talk until one hangs up or the time is over.
    async fn talk(&mut self, mut callee: Self, most: Duration) -> Dialled {
        self.pick_up();
        self.hear(Sound::Person);
        callee.hear(Sound::Person);
        let since = self.network.now();
        let late = tokio::time::sleep(most);
        tokio::pin!(late);
        while !self.gone && !callee.gone {
            tokio::select! {
                act = self.next() => pressed(act, &callee),
                act = callee.next() => pressed(act, self),
                () = &mut late => break,
            }
        }
        self.wake();
        let duration = self.network.now().since(since);
        callee.end(CallState::Completed);
        Dialled { state: CallState::Completed, duration: Some(duration) }
    }

    /// Waits for an answer and acts out what the relay wants said.
    pub(super) async fn until_ready(
        mut self,
        timeout: Duration,
        answer_url: Option<String>,
        over: CancellationToken,
    ) -> Rung {
        let unanswered = tokio::select! {
            unanswered = self.answered() => unanswered,
            () = tokio::time::sleep(timeout) => Some(CallState::NoAnswer),
            () = over.cancelled() => Some(CallState::Cancelled),
        };
        self.wake();
        // An answer that came in the same moment counts: the person has picked up.
        let unanswered = unanswered.filter(|_| self.came() != Some(Act::Answer));
        if let Some(state) = unanswered {
            self.end(state);
            return Rung::Lost(state);
        }
        self.pick_up();
        self.report(CallState::Answered);
        let Some(url) = answer_url else { return Rung::Ready(self) };
        let ready = tokio::select! {
            ready = self.screened(&url) => ready,
            () = over.cancelled() => false,
        };
        if ready {
            Rung::Ready(self)
        } else {
            self.end(CallState::Completed);
            Rung::Lost(CallState::NoAnswer)
        }
    }

    /// Rings until the person decides; `None` for an answer.
    async fn answered(&mut self) -> Option<CallState> {
        loop {
            match self.next().await {
                Act::Answer => return None,
                Act::Decline | Act::HangUp => return Some(CallState::Busy),
                Act::End => return Some(CallState::Cancelled),
                Act::Press(_) => {}
            }
        }
    }

    /// Asks the relay what to say first, and says it; whether the person may be connected.
    async fn screened(&mut self, url: &str) -> bool {
        let network = Arc::clone(&self.network);
        let event = json!({ "event": "answered", "id": self.id.as_str() });
        let Some(mut steps) = network.document(url, &event).await else { return false };
        // A document that leads back to itself must end some time.
        for _ in 0..10 {
            let mut next = None;
            for step in steps {
                match self.speak(step).await {
                    After::Next => {}
                    After::Document(document) => {
                        next = Some(document);
                        break;
                    }
                    After::Gone | After::Broken => return false,
                }
            }
            match next {
                Some(document) => steps = document,
                None => return !self.has_gone(),
            }
        }
        false
    }
}

impl Network {
    /// Rings one target, or says why it can't ring.
    fn ring(self: &Arc<Self>, shown: &Identifier, target: &Target) -> Result<Line, CallState> {
        self.ring_phone(shown, &target.number.0, target.status_url.clone())
    }

    /// Rings the phone with `number`, or tells the relay why it can't ring.
    pub(super) fn ring_phone(
        self: &Arc<Self>,
        shown: &Identifier,
        number: &Identifier,
        status_url: Option<String>,
    ) -> Result<Line, CallState> {
        let status_url = status_url.filter(|url| self.is_hook(url));
        // A carrier shows only numbers that are its customer's, never a person's.
        let masked = status_url.is_none() || self.phone_of(shown).is_none();
        let opened = match self.phone_of(number) {
            Some(phone) if masked => {
                self.open_line(phone, Direction::In, Some(shown.clone()), status_url.clone())
            }
            _ => Err(ActionError::NoPhone),
        };
        match opened {
            Ok(line) => {
                line.report(CallState::Initiated);
                line.report(CallState::Ringing);
                Ok(line)
            }
            Err(error) => {
                let state = match error {
                    ActionError::OnACall => CallState::Busy,
                    _ => CallState::Failed,
                };
                if let Some(url) = status_url {
                    let id = self.make_id("call");
                    for state in [CallState::Initiated, state] {
                        let body = json!({
                            "event": "call_status", "id": id, "state": state.as_str(),
                        });
                        self.report(&id, url.clone(), &body);
                    }
                }
                Err(state)
            }
        }
    }
}

/// A key that one person presses is heard by the other.
fn pressed(act: Act, other: &Line) {
    if let Act::Press(key) = act {
        other.hear(Sound::Key(key));
    }
}

/// The outcome of several, from the caller's side: the one nearest to an answer.
fn best(lost: &[CallState]) -> CallState {
    [CallState::NoAnswer, CallState::Busy]
        .into_iter()
        .find(|state| lost.contains(state))
        .unwrap_or(CallState::Failed)
}
