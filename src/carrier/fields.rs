//! The members of one JSON webhook, or the parameters of one form, by name.

use std::time::Duration;

use serde_json::Value;

use super::{WebhookError, is_id, number::heard_bare};
use crate::domain::{
    phone::{Caller, ProxyNumber},
    price::Price,
};

/// What one webhook holds.
pub(super) struct Fields(pub(super) Value);

impl Fields {
    /// A text that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0[key].as_str().filter(|text| !text.is_empty())
    }

    /// Whether there is something under `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        !self.0[key].is_null()
    }

    /// An id of the carrier's.
    ///
    /// # Errors
    /// [`WebhookError::Malformed`] naming `key`.
    pub(super) fn id(&self, key: &'static str) -> Result<String, WebhookError> {
        let id = self.text(key).filter(|id| is_id(id));
        id.map(str::to_owned).ok_or(WebhookError::Malformed(key))
    }

    /// Who calls or writes. A name, a short code, a SIP address or nothing can't be a participant, so they
    /// count as withheld.
    pub(super) fn caller(&self, key: &str) -> Caller {
        heard_bare(self.text(key).unwrap_or_default())
    }

    /// The proxy number; `None` for a short code, a name and for addresses of other kinds (SIP).
    ///
    /// # Errors
    /// [`WebhookError::Malformed`] where it is missing, or digits that are no number.
    pub(super) fn proxy(&self, key: &'static str) -> Result<Option<ProxyNumber>, WebhookError> {
        let text = self.text(key).ok_or(WebhookError::Malformed(key))?;
        let digits = text.trim_start_matches('+');
        if !digits.bytes().all(|b| b.is_ascii_digit()) || (3..=6).contains(&digits.len()) {
            return Ok(None);
        }
        let number = ProxyNumber::parse(&format!("+{digits}"));
        number.map(Some).map_err(|_| WebhookError::Malformed(key))
    }

    /// What something cost, told as an amount under one key of `of` and a currency under another.
    pub(super) fn price(of: &Value, amount: &str, currency: &str) -> Option<Price> {
        let amount = decimal(&of[amount])?;
        Price::parse(&amount, of[currency].as_str()?)
    }

    /// A length of time in whole seconds, as a text or a number; one that does not read as such is as
    /// good as none.
    pub(super) fn seconds(&self, key: &str) -> Option<Duration> {
        let value = &self.0[key];
        let seconds = value.as_u64().or_else(|| value.as_str()?.parse::<u32>().ok().map(u64::from));
        seconds.map(Duration::from_secs)
    }
}

/// The keys that a person pressed, `most` at most, from the field `name`.
///
/// # Errors
/// [`WebhookError::Malformed`] naming the field for more than that, or none of a telephone's.
pub(super) fn keys(text: &str, most: usize, name: &'static str) -> Result<String, WebhookError> {
    let key = |b| matches!(b, b'0'..=b'9' | b'A'..=b'D' | b'*' | b'#');
    let fits = text.len() <= most && text.bytes().all(key);
    if fits { Ok(text.to_owned()) } else { Err(WebhookError::Malformed(name)) }
}

/// A decimal as it was written: a text, or a number, whose shortest form is what was meant.
pub(super) fn decimal(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
