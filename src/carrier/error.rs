//! What can go wrong at the seam.

use std::{fmt, time::Duration};

/// Why a webhook was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The signature is missing or wrong.
    #[error("the signature is missing or does not fit the request")]
    BadSignature,
    /// The signature fits, and its time is too far from ours.
    #[error("the signature is too old or too new")]
    Stale,
    /// A field that we need is missing or wrong. Names the field, never its value.
    #[error("field {0} is missing or malformed")]
    Malformed(&'static str),
}

/// What kind of failure a send met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorKind {
    /// Our credentials or settings are wrong.
    Config,
    /// The carrier refused this text or call.
    Rejected,
    /// The recipient's number can't be reached or does not exist.
    InvalidNumber,
    /// The recipient has opted out at the carrier.
    OptedOut,
    /// Too many at once.
    Throttled,
    /// The carrier could not be reached or is in trouble.
    Unreachable,
    /// The carrier can't do this at all.
    Unsupported,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No: it will fail again.
    Never,
    /// It was not sent: try again, not before this long.
    After(Duration),
    /// It may have been sent: trying again may send it twice.
    Unknown,
}

/// Why something was not sent, or not certainly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// What kind of failure.
    pub kind: SendErrorKind,
    /// Whether to try again.
    pub retry: Retry,
    /// The carrier's code, if it gave one: digits and letters only.
    pub carrier_code: Option<String>,
}

impl SendError {
    /// A failure without a carrier's code.
    pub const fn new(kind: SendErrorKind, retry: Retry) -> Self {
        Self { kind, retry, carrier_code: None }
    }

    /// The same with the carrier's code, cut to 32 letters, digits and dashes.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        let code: String =
            code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(32).collect();
        self.carrier_code = (!code.is_empty()).then_some(code);
        self
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, retry {:?}", self.kind, self.retry)?;
        if let Some(code) = &self.carrier_code {
            write!(f, ", carrier code {code}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SendError {}
