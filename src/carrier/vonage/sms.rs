//! Webhooks of the SMS API: forms or flat JSON, signed over their own parameters.

use std::collections::BTreeMap;

use http::{Method, header::CONTENT_TYPE};
use ring::hmac;
use serde_json::Value;

use super::{
    Inbound, Request, WebhookError,
    config::{Config, SmsSignature, Texts},
    events::reference,
    fields::Fields,
    webhook::unhex,
};
use crate::{
    carrier::{
        error::plain_code,
        event::{InboundMessage, MessageStatus, Part},
        form::Form,
    },
    domain::message::{Body, MessageState},
};

/// When the parameters were signed, in seconds since 1970, if a secret of this account signed them.
///
/// Only bodies count: what stands in the address is signed by nobody.
pub(super) fn signed_at(config: &Config, request: &Request) -> Option<i64> {
    let Texts::Sms(signature) = config.texts else { return None };
    let mut parameters = parameters(request)?;
    let tag = unhex(&parameters.remove("sig")?)?;
    let algorithm = match signature {
        SmsSignature::Sha256 => hmac::HMAC_SHA256,
        SmsSignature::Sha512 => hmac::HMAC_SHA512,
    };
    let message = signed(&parameters);
    let genuine = config.signature_secrets.iter().any(|secret| {
        let key = hmac::Key::new(algorithm, secret.as_bytes());
        hmac::verify(&key, message.as_bytes(), &tag).is_ok()
    });
    let ours = parameters.get("api-key").is_none_or(|key| *key == config.api_key);
    if genuine && ours { parameters.get("timestamp")?.parse().ok() } else { None }
}

/// What is signed: the parameters in byte order, `&` and `=` in values made `_`.
fn signed(parameters: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        text.extend(["&", name, "=", &value.replace(['&', '='], "_")]);
    }
    text
}

/// The parameters of a body; `None` for another kind of body, and where one is there
/// with two values.
fn parameters(request: &Request) -> Option<BTreeMap<String, String>> {
    if request.method != Method::POST {
        return None;
    }
    let kind = request.header(CONTENT_TYPE.as_str())?.split(';').next()?.trim();
    if kind.eq_ignore_ascii_case("application/json") {
        let Value::Object(members) = serde_json::from_slice(&request.body).ok()? else {
            return None;
        };
        return members
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(text) => Some((name, text)),
                Value::Number(_) | Value::Bool(_) => Some((name, value.to_string())),
                _ => None,
            })
            .collect();
    }
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    Form::read(&request.body)?.single()
}

/// What a webhook of the SMS API says.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(request: &Request) -> Result<Inbound, WebhookError> {
    let Some(parameters) = parameters(request) else {
        return Ok(Inbound::Ignored("neither a form nor flat JSON"));
    };
    let members = parameters.into_iter().map(|(name, value)| (name, Value::String(value)));
    let fields = Fields(Value::Object(members.collect()));
    if !fields.has("messageId") || !fields.has("msisdn") {
        return Ok(Inbound::Ignored("neither a text nor news of one"));
    }
    if let Some(status) = fields.text("status") {
        return receipt(status, &fields);
    }
    if fields.text("type") == Some("binary") {
        return Ok(Inbound::Ignored("a text without words"));
    }
    let Some(to) = fields.proxy("to")? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    Ok(Inbound::Message(InboundMessage {
        id: fields.id("messageId")?,
        from: fields.caller("msisdn"),
        to,
        body: Body::new(fields.text("text").unwrap_or_default().to_owned()),
        media: Vec::new(),
        part: part(&fields),
    }))
}

/// A long text comes in parts, each a webhook of its own.
fn part(fields: &Fields) -> Option<Part> {
    let number = |name| fields.text(name)?.parse().ok();
    let is_part = fields.text("concat") == Some("true");
    is_part.then(|| {
        Part::new(fields.text("concat-ref")?, number("concat-part")?, number("concat-total")?)
    })?
}

fn receipt(status: &str, fields: &Fields) -> Result<Inbound, WebhookError> {
    let state = match status {
        "accepted" | "buffered" => MessageState::Sent,
        "delivered" => MessageState::Delivered,
        "expired" | "failed" => MessageState::Undelivered,
        "rejected" => MessageState::Failed,
        _ => return Ok(Inbound::Ignored("a text's state that we do not know")),
    };
    Ok(Inbound::MessageStatus(MessageStatus {
        price: None,
        leg: reference(fields, "client-ref"),
        id: fields.id("messageId")?,
        state,
        carrier_code: fields.text("err-code").filter(|code| *code != "0").and_then(plain_code),
    }))
}
