//! Webhooks from Telnyx: whether they are authentic, and what they say.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::Method;
use serde_json::Value;

use super::{
    Inbound, Links, Request, WebhookError,
    config::{Config, Voice},
    control::{self, MANNER},
    is_call_id, is_id,
};
use crate::{
    carrier::{
        commanded::News,
        error::plain_code,
        event::{
            CallStatus, CalleeAnswered, DialEnded, InboundCall, InboundMessage, Keys,
            MessageStatus, PlacedCallAnswered, Played, Recorded,
        },
        fields::Fields,
        form::Form,
        links::{self, Step},
        number::{called, heard},
        signature,
        twiml::{call_state, form::recorded},
    },
    domain::{
        assurance::Attestation,
        call::CallState,
        message::{Body, MessageState},
        time::Timestamp,
    },
    ids::LegId,
};

const SIGNATURE: &str = "telnyx-signature-ed25519";
const TIMESTAMP: &str = "telnyx-timestamp";

/// The most pictures and files that one text has.
const MEDIA_MAX: usize = 10;

/// The most digits of a time in seconds.
const SECONDS_DIGITS: usize = 11;

/// Whether a webhook was signed by this account, now.
///
/// # Errors
/// [`WebhookError::BadSignature`]; [`WebhookError::Stale`] for a good one of another time.
pub(super) fn verify(
    config: &Config,
    request: &Request,
    now: Timestamp,
) -> Result<(), WebhookError> {
    let signed_at = signed_at(config, request).ok_or(WebhookError::BadSignature)?;
    if signature::fresh(signed_at, now) { Ok(()) } else { Err(WebhookError::Stale) }
}

/// When this account signed the request, if it did.
///
/// The body is all that is signed: a GET, which says everything in its address, is refused, and so
/// is a body that says nothing, which may be a GET's.
fn signed_at(config: &Config, request: &Request) -> Option<Timestamp> {
    if request.method != Method::POST || request.body.is_empty() {
        return None;
    }
    let seconds = request.header(TIMESTAMP)?;
    let plain = (1..=SECONDS_DIGITS).contains(&seconds.len())
        && seconds.bytes().all(|b| b.is_ascii_digit());
    if !plain {
        return None;
    }
    let at = Timestamp::from_millis(seconds.parse::<i64>().ok()?.checked_mul(1000)?);
    let tag = BASE64.decode(request.header(SIGNATURE)?).ok()?;
    let message = [seconds.as_bytes(), b"|", &request.body].concat();
    config.public_keys.iter().any(|key| signature::ed25519(key, &message, &tag)).then_some(at)
}

/// What a verified webhook says. Decided by what is in it, since any event may come to any of our
/// addresses, and since the type of its body is not signed: texts and Call Control are JSON, `TeXML` asks
/// with forms.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong; [`WebhookError::BadToken`].
pub(super) fn parse(
    config: &Config,
    request: &Request,
    links: &Links,
) -> Result<Vec<Inbound>, WebhookError> {
    if let Some(news) = news(config, request, links)? {
        return Ok(MANNER.events(&news));
    }
    let at = links::read(request.query());
    if let Some(event) = json(request)? {
        return Ok(vec![about_text(&event["data"], at.leg)?]);
    }
    if config.voice == Voice::CallControl {
        return Ok(vec![Inbound::Ignored("not JSON")]);
    }
    let Ok(body) = std::str::from_utf8(&request.body) else {
        return Ok(vec![Inbound::Ignored("neither JSON nor a form")]);
    };
    Ok(vec![about_call(request, &Form::read_query(body), at)?])
}

/// What Call Control tells, where calls are steered by it.
///
/// # Errors
/// The same.
pub(super) fn news(
    config: &Config,
    request: &Request,
    links: &Links,
) -> Result<Option<News>, WebhookError> {
    let event = match config.voice {
        Voice::Texml => None,
        Voice::CallControl => json(request)?,
    };
    let event = event.filter(|event| control::is_about(&event["data"]));
    event.map(|event| control::news(config, &event["data"], links)).transpose()
}

/// The body, if it is JSON.
fn json(request: &Request) -> Result<Option<Value>, WebhookError> {
    if !request.body.trim_ascii_start().starts_with(b"{") {
        return Ok(None);
    }
    serde_json::from_slice(&request.body).map(Some).map_err(|_| WebhookError::Malformed("body"))
}

fn about_text(event: &Value, leg: Option<LegId>) -> Result<Inbound, WebhookError> {
    let text = &event["payload"];
    match (event["event_type"].as_str(), text["direction"].as_str()) {
        (Some("message.received"), _) => message(text),
        (Some(kind), Some("outbound")) if kind.starts_with("message.") => message_status(text, leg),
        _ => Ok(Inbound::Ignored("neither a text nor a call")),
    }
}

/// Of a text to a group the first number is taken for ours.
fn message(text: &Value) -> Result<Inbound, WebhookError> {
    let to = text["to"][0]["phone_number"].as_str().ok_or(WebhookError::Malformed("to"))?;
    let from = text["from"]["phone_number"].as_str().ok_or(WebhookError::Malformed("from"))?;
    let Some(to) = called(to).map_err(|()| WebhookError::Malformed("to"))? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let media = text["media"].as_array().into_iter().flatten().take(MEDIA_MAX);
    let media = media.map(|one| one["url"].as_str().map(str::to_owned));
    Ok(Inbound::Message(InboundMessage {
        id: message_id(text)?,
        from: heard(from),
        to,
        body: Body::new(text["text"].as_str().unwrap_or_default().to_owned()),
        media: media.collect::<Option<_>>().ok_or(WebhookError::Malformed("media"))?,
        part: None,
    }))
}

fn message_id(text: &Value) -> Result<String, WebhookError> {
    let id = text["id"].as_str().filter(|id| is_id(id));
    id.map(str::to_owned).ok_or(WebhookError::Malformed("id"))
}

fn message_status(text: &Value, leg: Option<LegId>) -> Result<Inbound, WebhookError> {
    let Some(state) = text["to"][0]["status"].as_str().and_then(message_state) else {
        return Ok(Inbound::Ignored("a text's state that is not about sending"));
    };
    let code = if state == MessageState::Delivered { None } else { text_code(text) };
    Ok(Inbound::MessageStatus(MessageStatus {
        price: Fields::price(&text["cost"], "amount", "currency"),
        leg,
        id: message_id(text)?,
        state,
        carrier_code: code.and_then(|code| plain_code(&code)),
    }))
}

/// The code of the first error that a text's record names; a text of digits, and once a number.
pub(super) fn text_code(text: &Value) -> Option<String> {
    let code = &text["errors"][0]["code"];
    code.as_str().map(str::to_owned).or_else(|| code.as_u64().map(|code| code.to_string()))
}

/// What Telnyx's word for the state of a text to one person means. `delivery_unconfirmed` is its
/// last word where a network sends no receipts: neither a success nor a failure.
pub(super) fn message_state(status: &str) -> Option<MessageState> {
    Some(match status {
        "queued" | "sending" | "sent" | "delivery_unconfirmed" => MessageState::Sent,
        "delivered" => MessageState::Delivered,
        "delivery_failed" | "expired" => MessageState::Undelivered,
        "sending_failed" => MessageState::Failed,
        _ => return None,
    })
}

fn about_call(
    request: &Request,
    form: &Form,
    links::At { step, leg, turn }: links::At,
) -> Result<Inbound, WebhookError> {
    if let Some(step) = step {
        let leg = leg.ok_or(WebhookError::Malformed("leg"))?;
        return asked(step, leg, turn, form);
    }
    let source = form.one("CallbackSource")?;
    if source.is_some_and(|source| source != "call-progress-events") {
        return Ok(Inbound::Ignored("news of a call that is not about its state"));
    }
    if form.one("CallSid")?.is_none() {
        return Ok(Inbound::Ignored("neither a text nor a call"));
    }
    let status = form.one("CallStatus")?;
    let over = status.and_then(call_state).is_some_and(CallState::is_final);
    // Telnyx asks with `in-progress`, or without a state: only where it asks tells a question from
    // news.
    let path = request.url.split(['?', '#']).next().unwrap_or_default();
    let asks = source.is_none() && leg.is_none() && !over && !path.ends_with("/status");
    match status {
        _ if asks => call(form),
        Some(status) => call_status(status, leg, form),
        None => Ok(Inbound::Ignored("news of a call without its state")),
    }
}

fn call_id(form: &Form) -> Result<String, WebhookError> {
    let id = form.need("CallSid")?;
    if is_call_id(id) { Ok(id.to_owned()) } else { Err(WebhookError::Malformed("CallSid")) }
}

/// A carrier's question about a call that we steer.
fn asked(step: Step, leg: LegId, turn: u32, form: &Form) -> Result<Inbound, WebhookError> {
    Ok(match step {
        Step::Whisper => Inbound::CalleeAnswered(CalleeAnswered { leg, id: call_id(form)? }),
        Step::Answered => {
            Inbound::PlacedCallAnswered(PlacedCallAnswered { leg, id: call_id(form)? })
        }
        Step::Keys => Inbound::Keys(Keys { leg, digits: form.keys("Digits")?, turn }),
        Step::Played => Inbound::Played(Played { leg, turn }),
        Step::Dialled => dial_ended(leg, turn, form)?,
        Step::Recorded => recorded(leg, form)?,
        Step::Talk => talk(leg, form)?,
    })
}

/// The recording of two who talked: Telnyx makes an MP3 of it.
fn talk(leg: LegId, form: &Form) -> Result<Inbound, WebhookError> {
    Ok(match recorded(leg, form)? {
        Inbound::Recorded(one) => Inbound::Recorded(Recorded { talk: true, ..one }),
        other => other,
    })
}

/// How a `<Dial>` ended. Whether its caller is gone is told only by a dialling that the caller cut
/// short: `CallStatus` is the state of whichever leg Telnyx writes of.
fn dial_ended(leg: LegId, turn: u32, form: &Form) -> Result<Inbound, WebhookError> {
    let state = match form.one("DialCallStatus")?.and_then(call_state) {
        Some(CallState::Answered) => CallState::Completed,
        // A word that we don't know must still end the interaction.
        state => state.filter(|state| state.is_final()).unwrap_or(CallState::Failed),
    };
    let duration = match state {
        CallState::Completed => form.seconds("DialCallDuration")?,
        _ => None,
    };
    let cut_short = form.one("HangupCause")? == Some("originator_cancel");
    let caller_gone = state == CallState::Cancelled || cut_short && state != CallState::Completed;
    Ok(Inbound::DialEnded(DialEnded { leg, state, duration, caller_gone, turn }))
}

fn call(form: &Form) -> Result<Inbound, WebhookError> {
    let to = form.need("To")?;
    let Some(to) = called(to).map_err(|()| WebhookError::Malformed("To"))? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let from = heard(form.need("From")?);
    let level = form.one("ShakenStirAttestation")?.unwrap_or_default();
    let attestation = attestation(level);
    Ok(Inbound::Call(InboundCall { id: call_id(form)?, from, to, attestation }))
}

/// What Telnyx says of the caller's number: a level, or a `verstat`.
pub(super) fn attestation(text: &str) -> Attestation {
    match Attestation::of_level(text) {
        Attestation::None => Attestation::of_verstat(text, None),
        level => level,
    }
}

fn call_status(status: &str, leg: Option<LegId>, form: &Form) -> Result<Inbound, WebhookError> {
    let Some(state) = call_state(status) else {
        return Ok(Inbound::Ignored("a call state that we do not know"));
    };
    Ok(Inbound::CallStatus(CallStatus {
        price: None,
        leg,
        id: call_id(form)?,
        state,
        duration: if state.is_final() { form.seconds("CallDuration")? } else { None },
        carrier_code: error_code(state, form)?,
    }))
}

/// Telnyx's error code, or else why a call that nobody had ended, such as `user_busy`.
fn error_code(state: CallState, form: &Form) -> Result<Option<String>, WebhookError> {
    let failed = state.is_final() && state != CallState::Completed;
    let code = form.one("ErrorCode")?.filter(|code| *code != "0").and_then(plain_code);
    let cause = form.one("HangupCause")?.filter(|_| failed).and_then(plain_code);
    Ok(code.filter(|_| failed).or(cause))
}
