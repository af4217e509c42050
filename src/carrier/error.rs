//! What can go wrong at the seam.

use std::{fmt, time::Duration};

use http::StatusCode;

use super::{Response, Sent};

/// Why a webhook was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The signature is missing or wrong.
    #[error("the signature is missing or does not fit the request")]
    BadSignature,
    /// The signature fits, and its time is too far from ours.
    #[error("the signature is too old or too new")]
    Stale,
    /// It came to an address that names a leg and that we did not give out.
    #[error("the address is not one that was given to the carrier")]
    BadAddress,
    /// What a call keeps for us is not what it was given, or is another call's.
    #[error("what the call keeps for us was changed, or is another call's")]
    BadToken,
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

/// A carrier's code as it may be kept and shown: its letters, digits, dashes and underscores, 32 at
/// most. `None` if nothing is left, or if it has as many digits in a row as a telephone number.
pub fn plain_code(code: &str) -> Option<String> {
    let kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let code: String = code.chars().filter(kept).take(32).collect();
    let number = code.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() >= 7);
    (!code.is_empty() && !number).then_some(code)
}

/// Why something was not sent, or not certainly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// What kind of failure.
    pub kind: SendErrorKind,
    /// Whether to try again.
    pub retry: Retry,
    /// The carrier's code, if it gave one that can be kept ([`plain_code`]).
    pub carrier_code: Option<String>,
}

impl SendError {
    /// A failure without a carrier's code.
    pub const fn new(kind: SendErrorKind, retry: Retry) -> Self {
        Self { kind, retry, carrier_code: None }
    }

    /// The same with the carrier's code as [`plain_code`] keeps it.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.carrier_code = plain_code(code);
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

/// It could not be read, or the carrier could not tell.
pub(super) const fn unreadable() -> SendError {
    SendError::new(SendErrorKind::Unreachable, Retry::Unknown)
}

/// The failure of what does no harm twice: so nothing about it is unknown.
pub(super) fn repeatable(mut error: SendError) -> SendError {
    if error.retry == Retry::Unknown {
        error.retry = Retry::After(Duration::from_secs(1));
    }
    error
}

/// What the answer to the end of a call means, whose failure is `error`. Ending one twice does no harm, and
/// one that is over is not found.
pub(super) fn ended(
    id: &str,
    response: &Response,
    error: impl FnOnce() -> SendError,
) -> Result<Sent, SendError> {
    if response.status.is_success() {
        return Ok(Sent { id: id.to_owned() });
    }
    let mut error = error();
    if response.status == StatusCode::NOT_FOUND {
        error.kind = SendErrorKind::Rejected;
    }
    Err(repeatable(error))
}

/// What the answer to a deletion means, whose failure is `error`. What is not there is deleted, and deleting
/// twice does no harm.
pub(super) fn deleted(
    id: &str,
    response: &Response,
    error: impl FnOnce() -> SendError,
) -> Result<Sent, SendError> {
    if response.status.is_success() || response.status == StatusCode::NOT_FOUND {
        return Ok(Sent { id: id.to_owned() });
    }
    Err(repeatable(error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes are kept as words; what may be a number is not.
    #[test]
    fn codes_hold_no_number() {
        assert_eq!(plain_code("30003").as_deref(), Some("30003"));
        assert_eq!(plain_code("sip-486 \n").as_deref(), Some("sip-486"));
        for code in ["", "\0", "14155550100", "to +14155550100", "x-4155550"] {
            assert_eq!(plain_code(code), None, "{code}");
        }
        assert_eq!(plain_code(&"x".repeat(40)), Some("x".repeat(32)));
    }
}
