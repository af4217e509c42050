//! Webhooks of the SMS and MMS APIs: texts that came in, and news of those that we sent, several at once.

use serde_json::Value;

use super::{Inbound, WebhookError, fields::Fields};
use crate::{
    carrier::{
        error::plain_code,
        event::{InboundMessage, MessageStatus},
    },
    domain::{
        message::{Body, MessageState},
        price::Price,
    },
    ids::LegId,
};

/// The most pictures and files of one text.
const MEDIA_MAX: usize = 10;

/// The operator has the text: more news may follow.
const DELIVERED_TO_OPERATOR: u64 = 2;

/// What the records of a webhook say.
///
/// # Errors
/// [`WebhookError::Malformed`] for a single record; among others it does no harm to them.
pub(super) fn parse(records: &[Value]) -> Result<Vec<Inbound>, WebhookError> {
    match records {
        [] => Ok(vec![Inbound::Ignored("no records")]),
        [one] => Ok(vec![record(one)?]),
        several => {
            let unreadable = Inbound::Ignored("a record that can't be read");
            Ok(several.iter().map(|one| record(one).unwrap_or(unreadable.clone())).collect())
        }
    }
}

fn record(record: &Value) -> Result<Inbound, WebhookError> {
    let fields = Fields(record.clone());
    if fields.has("status") {
        return receipt(&fields);
    }
    if !["text", "cleanText", "message"].iter().any(|key| fields.has(key)) {
        return Ok(Inbound::Ignored("neither a text nor news of one"));
    }
    let Some(to) = fields.proxy("to")? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let parts: Vec<Fields> =
        record["message"].as_array().into_iter().flatten().cloned().map(Fields).collect();
    let words = fields.text("text").or_else(|| parts.iter().find_map(|part| part.text("value")));
    Ok(Inbound::Message(InboundMessage {
        id: fields.id("messageId")?,
        from: fields.caller("from"),
        to,
        body: Body::new(words.unwrap_or_default().to_owned()),
        media: parts
            .iter()
            .filter_map(|part| part.text("url"))
            .take(MEDIA_MAX)
            .map(str::to_owned)
            .collect(),
        // Infobip puts long texts together.
        part: None,
    }))
}

fn receipt(fields: &Fields) -> Result<Inbound, WebhookError> {
    let Some(state) = state(&fields.0["status"]) else {
        return Ok(Inbound::Ignored("a text's state that we do not know"));
    };
    Ok(Inbound::MessageStatus(MessageStatus {
        price: price(&fields.0),
        // What we wrote on the text when we sent it.
        leg: fields.text("callbackData").and_then(|text| LegId::parse(text).ok()),
        id: fields.id("messageId")?,
        state,
        carrier_code: code(&fields.0),
    }))
}

/// What a text cost: so much for each of its parts.
pub(super) fn price(one: &Value) -> Option<Price> {
    let parts = one["messageCount"].as_u64().unwrap_or(1).max(1);
    Fields::price(&one["price"], "pricePerMessage", "currency")?.times(parts)
}

/// How far a text has come, by its status; `None` for a group that we do not know.
pub(super) fn state(status: &Value) -> Option<MessageState> {
    Some(match status["groupName"].as_str()? {
        "ACCEPTED" | "PENDING" => MessageState::Sent,
        "DELIVERED" if status["id"].as_u64() == Some(DELIVERED_TO_OPERATOR) => MessageState::Sent,
        "DELIVERED" => MessageState::Delivered,
        "UNDELIVERABLE" | "EXPIRED" => MessageState::Undelivered,
        "REJECTED" => MessageState::Failed,
        _ => return None,
    })
}

/// The name of the error, or that of the status which refused the text.
pub(super) fn code(record: &Value) -> Option<String> {
    let error = record["error"]["name"].as_str().filter(|name| *name != "NO_ERROR");
    let refused = || {
        let status = &record["status"];
        status["name"].as_str().filter(|_| status["groupName"] == "REJECTED")
    };
    plain_code(error.or_else(refused)?)
}
