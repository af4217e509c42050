//! What the Voice and Messages APIs tell.

use std::time::Duration;

use serde_json::Value;

use super::{
    Inbound, Request, WebhookError,
    fields::{Fields, keys},
};
use crate::{
    carrier::{
        error::plain_code,
        event::{
            CallStatus, CalleeAnswered, DialEnded, InboundCall, InboundMessage, Keys,
            MessageStatus, PlacedCallAnswered, Played, Recorded,
        },
        links::{self, At, Step},
    },
    domain::{
        assurance::Attestation,
        call::CallState,
        message::{Body, MessageState},
    },
    ids::LegId,
};

/// The most keys that are read: as many as Vonage collects.
const KEYS_MAX: usize = 20;

/// The most pictures and files of one text.
const MEDIA_MAX: usize = 10;

/// What only other webhooks than that of a new call have.
const NOT_A_CALL: &[&str] =
    &["dtmf", "speech", "recording_url", "conversation_uuid_to", "call_uuid", "payload"];

/// A question about a call that we steer, or news of it at the address that also asks.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn asked(
    step: Step,
    at: At,
    request: &Request,
    fields: &Fields,
) -> Result<Vec<Inbound>, WebhookError> {
    let leg = at.leg.ok_or(WebhookError::Malformed("leg"))?;
    let turn = at.turn;
    Ok(match step {
        Step::Whisper => {
            let id = fields.id("uuid")?;
            vec![answered(leg.clone(), &id), Inbound::CalleeAnswered(CalleeAnswered { leg, id })]
        }
        Step::Answered => {
            let id = fields.id("uuid")?;
            vec![Inbound::PlacedCallAnswered(PlacedCallAnswered { leg, id })]
        }
        Step::Keys => {
            let digits = digits(fields, &ends(request))?;
            let keys = Inbound::Keys(Keys { leg: leg.clone(), digits, turn });
            // Outside a script they are asked of somebody who answered our ringing.
            if turn == 0 { vec![answered(leg, &fields.id("uuid")?), keys] } else { vec![keys] }
        }
        Step::Played => vec![Inbound::Played(Played { leg, turn })],
        Step::Recorded => vec![recorded(fields, leg)?],
        Step::Talk => vec![Inbound::Ignored("a recording that we did not ask for")],
        Step::Dialled => dialled(fields, leg, links::read_rung(request.query()), turn)?,
    })
}

/// A recording that can be fetched.
fn recorded(fields: &Fields, leg: LegId) -> Result<Inbound, WebhookError> {
    let Some(address) = fields.text("recording_url") else {
        return Ok(Inbound::Ignored("a recording that is not there"));
    };
    let time = |key| fields.text(key).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let length = time("start_time")
        .zip(time("end_time"))
        .and_then(|(from, to)| Duration::try_from(to.duration_since(from)).ok());
    Ok(Inbound::Recorded(Recorded {
        leg,
        id: fields.id("recording_uuid")?,
        address: address.to_owned(),
        length,
        talk: false,
    }))
}

fn answered(leg: LegId, id: &str) -> Inbound {
    Inbound::CallStatus(CallStatus {
        price: None,
        leg: Some(leg),
        id: id.to_owned(),
        state: CallState::Answered,
        duration: None,
        carrier_code: None,
    })
}

/// News of somebody who is rung; the last of it ends the dialling.
fn dialled(
    fields: &Fields,
    leg: LegId,
    rung: Option<LegId>,
    turn: u32,
) -> Result<Vec<Inbound>, WebhookError> {
    if !fields.has("status") {
        return Ok(vec![Inbound::Ignored("no news of a call")]);
    }
    let news = call_status(fields, rung)?;
    let Inbound::CallStatus(status) = &news else { return Ok(vec![news]) };
    let (state, duration) = (status.state, status.duration);
    let mut events = vec![news];
    // Each call that was not answered is told of twice: how it failed, and that it is over. What
    // comes next is asked once.
    if state.is_final() && (fields.text("status") != Some("completed") || was_answered(fields)) {
        let caller_gone = state == CallState::Cancelled;
        events.push(Inbound::DialEnded(DialEnded { leg, state, duration, caller_gone, turn }));
    }
    Ok(events)
}

/// The keys that were pressed, without the key that ends them.
fn digits(fields: &Fields, end: &str) -> Result<String, WebhookError> {
    let dtmf = &fields.0["dtmf"];
    // Applications of the first version send the keys alone.
    let digits = dtmf["digits"].as_str().or_else(|| dtmf.as_str()).unwrap_or_default();
    let digits = keys(digits, KEYS_MAX, "dtmf")?;
    let cut = digits.find(|c| end.contains(c)).unwrap_or(digits.len());
    Ok(digits.get(..cut).unwrap_or_default().to_owned())
}

/// The key that the address says ends the input: Vonage itself knows `#` only.
fn ends(request: &Request) -> String {
    form_urlencoded::parse(request.query().as_bytes())
        .find_map(|(key, value)| (key == super::voice::END).then(|| value.into_owned()))
        .unwrap_or_default()
}

/// A new call.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn call(fields: &Fields) -> Result<Inbound, WebhookError> {
    if !fields.has("uuid") || !fields.has("to") || NOT_A_CALL.iter().any(|key| fields.has(key)) {
        return Ok(Inbound::Ignored("neither a text nor a call"));
    }
    let Some(to) = fields.proxy("to")? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    Ok(Inbound::Call(InboundCall {
        id: fields.id("uuid")?,
        from: fields.caller("from"),
        to,
        attestation: Attestation::None,
    }))
}

/// News of one leg of a call.
///
/// # Errors
/// [`WebhookError::Malformed`] where its id is missing or wrong.
pub(super) fn call_status(fields: &Fields, leg: Option<LegId>) -> Result<Inbound, WebhookError> {
    let Some(state) = call_state(fields) else {
        return Ok(Inbound::Ignored("a call state that we do not know"));
    };
    let failed = state.is_final() && state != CallState::Completed;
    Ok(Inbound::CallStatus(CallStatus {
        price: None,
        leg,
        id: fields.id("uuid")?,
        state,
        duration: (state == CallState::Completed).then(|| fields.seconds("duration")).flatten(),
        carrier_code: fields.text("detail").filter(|_| failed).and_then(plain_code),
    }))
}

fn call_state(fields: &Fields) -> Option<CallState> {
    Some(match fields.text("status")? {
        "started" => CallState::Initiated,
        "ringing" => CallState::Ringing,
        "answered" => CallState::Answered,
        // Also said of a call that nobody answered, beside the word that says why.
        "completed" if was_answered(fields) => CallState::Completed,
        "busy" => CallState::Busy,
        "rejected" if fields.text("detail") == Some("declined") => CallState::Busy,
        "completed" | "timeout" | "unanswered" => CallState::NoAnswer,
        "failed" | "rejected" => CallState::Failed,
        "cancelled" => CallState::Cancelled,
        _ => return None,
    })
}

/// Whether a call that is over was answered; the caller's own leg always counts as such.
fn was_answered(fields: &Fields) -> bool {
    fields.text("direction") == Some("inbound")
        || fields.text("start_time").is_some()
        || fields.seconds("duration").is_some_and(|length| !length.is_zero())
}

/// A text of the Messages API, or news of one that we sent.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn text(fields: &Fields, leg: Option<LegId>) -> Result<Inbound, WebhookError> {
    if !matches!(fields.text("channel"), None | Some("sms" | "mms")) {
        return Ok(Inbound::Ignored("of another channel"));
    }
    if let Some(status) = fields.text("status") {
        return text_status(status, fields, leg);
    }
    if !fields.has("message_type") {
        return Ok(Inbound::Ignored("neither a text nor news of one"));
    }
    let Some(to) = fields.proxy("to")? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let media = media(&fields.0)?;
    let caption = media.iter().find_map(|(_, caption)| *caption);
    let words = fields.text("text").or(caption).unwrap_or_default();
    Ok(Inbound::Message(InboundMessage {
        id: fields.id("message_uuid")?,
        from: fields.caller("from"),
        to,
        body: Body::new(words.to_owned()),
        media: media.into_iter().map(|(address, _)| address.to_owned()).collect(),
        part: None,
    }))
}

/// Addresses of pictures and files with their captions, in the order of Vonage's own list.
fn media(body: &Value) -> Result<Vec<(&str, Option<&str>)>, WebhookError> {
    let one = |item: &&Value| !item.is_null();
    let single = ["image", "audio", "video", "file", "vcard"].map(|kind| &body[kind]);
    let several = body["content"].as_array().into_iter().flatten();
    single
        .into_iter()
        .filter(one)
        .chain(several.filter(|item| item["type"] != "text"))
        .take(MEDIA_MAX)
        .map(|item| {
            let address = item["url"].as_str().ok_or(WebhookError::Malformed("url"))?;
            let caption = item["caption"].as_str().filter(|words| !words.is_empty());
            Ok((address, caption))
        })
        .collect()
}

fn text_status(status: &str, fields: &Fields, leg: Option<LegId>) -> Result<Inbound, WebhookError> {
    let state = match status {
        "submitted" => MessageState::Sent,
        "delivered" | "read" => MessageState::Delivered,
        "undeliverable" => MessageState::Undelivered,
        "rejected" => MessageState::Failed,
        _ => return Ok(Inbound::Ignored("a text's state that we do not know")),
    };
    Ok(Inbound::MessageStatus(MessageStatus {
        price: Fields::price(&fields.0["usage"], "price", "currency"),
        leg: reference(fields, "client_ref").or(leg),
        id: fields.id("message_uuid")?,
        state,
        carrier_code: error_code(&fields.0["error"]),
    }))
}

/// The leg that we named when we sent the text: it is signed, unlike the address.
pub(super) fn reference(fields: &Fields, key: &str) -> Option<LegId> {
    LegId::parse(fields.text(key)?).ok()
}

/// The code in a problem (RFC 9457) of Vonage's: a number as its title, or the end of its type.
pub(super) fn error_code(problem: &Value) -> Option<String> {
    let title = &problem["title"];
    let number = title.as_u64().map(|code| code.to_string());
    let word = || title.as_str().filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
    let end = || Some(problem["type"].as_str()?.rsplit_once('#')?.1);
    plain_code(number.as_deref().or_else(word).or_else(end)?)
}
