//! Texts that come in through one of jambonz's SMPP gateways.

use serde_json::{Value, json};

use super::{Inbound, Request, WebhookError, fields::Fields, webhook};
use crate::{carrier::event::InboundMessage, domain::message::Body};

/// The most pictures and files of one text.
const MEDIA_MAX: usize = 10;

/// A text.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn message(request: &Request, fields: &Fields) -> Result<Inbound, WebhookError> {
    let to = match &fields.0["to"] {
        Value::Array(all) => match &all[..] {
            [one] => one.clone(),
            _ => return Ok(Inbound::Ignored("a text to several")),
        },
        one => one.clone(),
    };
    let Some(to) = Fields(json!({ "to": to })).proxy("to")? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    // jambonz leaves the id of what came over SMPP out.
    let id = if fields.has("message_sid") {
        fields.id("message_sid")?
    } else {
        webhook::id_of(request).ok_or(WebhookError::Malformed("message_sid"))?
    };
    Ok(Inbound::Message(InboundMessage {
        id,
        from: fields.caller("from"),
        to,
        body: Body::new(fields.text("text").unwrap_or_default().to_owned()),
        media: media(&fields.0["media"])?,
        part: None,
    }))
}

/// The addresses of pictures and files: one, or a list of them.
fn media(value: &Value) -> Result<Vec<String>, WebhookError> {
    let address = |one: &Value| one.as_str().map(str::to_owned);
    let media = match value {
        Value::Null => Some(Vec::new()),
        Value::Array(all) => all.iter().take(MEDIA_MAX).map(address).collect(),
        one => address(one).map(|one| if one.is_empty() { Vec::new() } else { vec![one] }),
    };
    media.ok_or(WebhookError::Malformed("media"))
}
