//! Webhooks from Sinch: which kind they are.

use serde_json::Value;

use super::{Inbound, Request, WebhookError, events, fields::Fields, signed, texts};

/// What a verified webhook says. Decided by what is in it, since any event may come to any of our
/// addresses; but what is about calls must have the application's signature, and what is about texts has
/// theirs.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(request: &Request) -> Result<Vec<Inbound>, WebhookError> {
    let Some(fields) = fields(request) else {
        return Ok(vec![Inbound::Ignored("not a JSON object")]);
    };
    if signed::is_of_calls(request) { events::parse(&fields) } else { texts::parse(&fields) }
}

/// The members of a webhook's body.
pub(super) fn fields(request: &Request) -> Option<Fields> {
    let body: Option<Value> = serde_json::from_slice(&request.body).ok();
    body.filter(Value::is_object).map(Fields)
}
