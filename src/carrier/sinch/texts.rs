//! What the SMS API tells: texts that came in, and what became of those that we sent.

use serde_json::Value;

use super::{Inbound, WebhookError, fields::Fields};
use crate::{
    carrier::{
        error::plain_code,
        event::{InboundMessage, MessageStatus},
    },
    domain::message::{Body, MessageState},
    ids::LegId,
};

/// The most pictures and files of one text.
const MEDIA_MAX: usize = 10;

/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(fields: &Fields) -> Result<Vec<Inbound>, WebhookError> {
    let event = match fields.text("type").unwrap_or_default() {
        "mo_text" => came(fields, fields.text("body").unwrap_or_default(), Vec::new())?,
        "mo_media" => {
            let body = &fields.0["body"];
            came(fields, body["message"].as_str().unwrap_or_default(), media(body))?
        }
        "mo_binary" => Inbound::Ignored("a text without words"),
        "recipient_delivery_report_sms" | "recipient_delivery_report_mms" => report(fields)?,
        _ => Inbound::Ignored("neither a text nor news of one"),
    };
    Ok(vec![event])
}

fn came(fields: &Fields, words: &str, media: Vec<String>) -> Result<Inbound, WebhookError> {
    let Some(to) = fields.proxy("to")? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    Ok(Inbound::Message(InboundMessage {
        id: fields.id("id")?,
        from: fields.caller("from"),
        to,
        body: Body::new(words.to_owned()),
        media,
        // Sinch puts long texts together.
        part: None,
    }))
}

/// Addresses of pictures and files; one that Sinch could not keep has none.
fn media(body: &Value) -> Vec<String> {
    let items = body["media"].as_array().into_iter().flatten();
    let addresses = items.filter_map(|item| item["url"].as_str().filter(|url| !url.is_empty()));
    addresses.take(MEDIA_MAX).map(str::to_owned).collect()
}

fn report(fields: &Fields) -> Result<Inbound, WebhookError> {
    let state = match fields.text("status").unwrap_or_default() {
        "Queued" | "Dispatched" => MessageState::Sent,
        "Delivered" => MessageState::Delivered,
        "Failed" | "Expired" => MessageState::Undelivered,
        "Aborted" | "Cancelled" | "Rejected" | "Deleted" => MessageState::Failed,
        _ => return Ok(Inbound::Ignored("a text's state that we do not know")),
    };
    let failed = matches!(state, MessageState::Undelivered | MessageState::Failed);
    let code = fields.0["code"].as_u64().filter(|_| failed);
    Ok(Inbound::MessageStatus(MessageStatus {
        price: None,
        leg: fields.text("client_reference").and_then(|leg| LegId::parse(leg).ok()),
        id: fields.id("batch_id")?,
        state,
        carrier_code: code.and_then(|code| plain_code(&code.to_string())),
    }))
}
