//! Call documents: what the relay tells the network to do with a call.

use std::time::Duration;

use serde::Deserialize;

use crate::domain::phone::Identifier;

/// The most steps of one document.
const STEPS_MAX: usize = 20;

/// The most people that one step rings.
pub(super) const TARGETS_MAX: usize = 10;

/// The most keys that one step waits for.
pub(super) const KEYS_MAX: usize = 32;

/// Why a document can't be acted out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a call document")]
pub(super) struct DocumentError;

#[derive(Debug, Deserialize)]
struct Document {
    #[serde(default)]
    steps: Vec<Step>,
}

/// One thing to do with a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Step {
    Reject {
        reason: Reason,
    },
    Say {
        text: String,
        language: String,
    },
    /// Says something and waits for a key, then asks `keys_url` what comes next.
    Ask {
        text: String,
        language: String,
        timeout_ms: u64,
        keys_url: String,
    },
    /// Plays an audio file.
    Play {
        url: String,
    },
    Pause {
        length_ms: u64,
    },
    /// Plays and waits for keys, then asks `keys_url` what comes next.
    Gather(Gather),
    /// Asks `url` what comes next.
    Next {
        url: String,
    },
    /// Records what the phone's owner says until they press `finish`, and tells `recorded_url`, which says
    /// what comes next.
    Record {
        longest_ms: u64,
        finish: char,
        recorded_url: String,
    },
    Connect(Connect),
    HangUp,
}

impl Step {
    const fn is_sound(&self) -> bool {
        matches!(self, Self::Say { .. } | Self::Play { .. } | Self::Pause { .. })
    }
}

/// What is played while keys are waited for, and for how many.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Gather {
    #[serde(default)]
    pub(super) prompts: Vec<Step>,
    pub(super) timeout_ms: u64,
    pub(super) digits_max: usize,
    pub(super) finish: Option<char>,
    pub(super) keys_url: String,
}

/// How a call is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    Busy,
    Declined,
}

/// Whom to ring and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Connect {
    pub(super) caller_id: Number,
    pub(super) to: Vec<Target>,
    ring_timeout_ms: u64,
    duration_max_ms: u64,
    pub(super) done_url: Option<String>,
}

impl Connect {
    /// A call from one phone straight to another, as it is without a relay between them.
    pub(super) fn straight(from: Identifier, to: Identifier) -> Self {
        Self {
            caller_id: Number(from),
            to: vec![Target { number: Number(to), status_url: None, answer_url: None }],
            ring_timeout_ms: 30_000,
            duration_max_ms: 14_400_000,
            done_url: None,
        }
    }

    pub(super) fn ring_timeout(&self) -> Duration {
        Duration::from_millis(self.ring_timeout_ms.min(600_000))
    }

    pub(super) fn duration_max(&self) -> Duration {
        Duration::from_millis(self.duration_max_ms.min(14_400_000))
    }
}

/// Somebody to ring.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Target {
    pub(super) number: Number,
    pub(super) status_url: Option<String>,
    pub(super) answer_url: Option<String>,
}

/// A number out of a document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Number(pub(super) Identifier);

impl TryFrom<String> for Number {
    type Error = DocumentError;

    fn try_from(text: String) -> Result<Self, DocumentError> {
        Identifier::parse(&text).map(Self).map_err(|_| DocumentError)
    }
}

/// Reads a document; an empty body is one without steps.
pub(super) fn read(body: &[u8]) -> Result<Vec<Step>, DocumentError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let document: Document = serde_json::from_slice(body).map_err(|_| DocumentError)?;
    let bounded = document.steps.len() <= STEPS_MAX
        && document.steps.iter().all(|step| match step {
            Step::Connect(connect) => (1..=TARGETS_MAX).contains(&connect.to.len()),
            Step::Gather(gather) => {
                gather.prompts.len() <= STEPS_MAX
                    && gather.prompts.iter().all(Step::is_sound)
                    && (1..=KEYS_MAX).contains(&gather.digits_max)
            }
            _ => true,
        });
    if bounded { Ok(document.steps) } else { Err(DocumentError) }
}
