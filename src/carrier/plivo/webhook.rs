//! What verified webhooks say: texts, calls, and news of both.

use http::Method;

use super::{Inbound, Request, WebhookError, is_id, news};
use crate::{
    carrier::{
        event::{
            DialEnded, InboundCall, InboundMessage, Keys, MessageStatus, PlacedCallAnswered,
            Played, Recorded,
        },
        form::Form,
        links::{self, At, Step},
        number::heard_bare,
    },
    domain::{
        assurance::Attestation,
        call::CallState,
        message::{Body, MessageState},
        phone::{Caller, ProxyNumber},
    },
    ids::LegId,
};

/// The most pictures and files that one text has.
const MEDIA_MAX: usize = 10;

/// What a webhook says. Decided by what is in it, since any event may come to any of our addresses.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(request: &Request) -> Result<Vec<Inbound>, WebhookError> {
    let form = if request.method == Method::GET {
        Form::read_query(request.query())
    } else {
        Form::read(&request.body).unwrap_or_default()
    };
    let At { step, leg, turn } = links::read(request.query());
    if let Some(action) = form.one("DialAction")? {
        return news::of_somebody_rung(action, leg, &form);
    }
    if let Some(step) = step {
        let leg = leg.ok_or(WebhookError::Malformed("leg"))?;
        return asked(step, leg, turn, &form).map(|event| vec![event]);
    }
    let event = if form.one("MessageUUID")?.is_some() {
        text(leg, &form)?
    } else if form.one("CallUUID")?.is_some() {
        news::of_call(leg, &form)?
    } else {
        Inbound::Ignored("neither a text nor a call")
    };
    Ok(vec![event])
}

/// A carrier's question about a call that we steer.
fn asked(step: Step, leg: LegId, turn: u32, form: &Form) -> Result<Inbound, WebhookError> {
    Ok(match step {
        // Asked once for a dialling, and maybe before anybody answered.
        Step::Whisper => news::callee_answered(leg, form)?,
        Step::Answered => {
            Inbound::PlacedCallAnswered(PlacedCallAnswered { leg, id: call_id(form)? })
        }
        Step::Keys => Inbound::Keys(Keys { leg, digits: form.keys("Digits")?, turn }),
        Step::Played => Inbound::Played(Played { leg, turn }),
        Step::Recorded => recorded(leg, form)?,
        Step::Talk => Inbound::Ignored("a recording that we did not ask for"),
        Step::Dialled => {
            let state = dial_state(form)?;
            let over = form.one("CallStatus")?.and_then(news::call_state);
            let caller_gone =
                state == CallState::Cancelled || over.is_some_and(CallState::is_final);
            // How long the two talked is told by the news of the leg that was rung.
            Inbound::DialEnded(DialEnded { leg, state, duration: None, caller_gone, turn })
        }
    })
}

/// A recording: its end, and that it can be fetched, are told alike.
fn recorded(leg: LegId, form: &Form) -> Result<Inbound, WebhookError> {
    let Some(address) = form.one("RecordUrl")?.filter(|address| !address.is_empty()) else {
        return Ok(Inbound::Ignored("a recording that is not there"));
    };
    Ok(Inbound::Recorded(Recorded {
        leg,
        id: id(form, "RecordingID")?,
        address: address.to_owned(),
        // -1 while it is not known.
        length: form.seconds("RecordingDuration")?,
        talk: false,
    }))
}

/// How a `<Dial>` ended. It may be called completed though nobody was connected: then it names no leg.
fn dial_state(form: &Form) -> Result<CallState, WebhookError> {
    let connected = form.one("DialBLegUUID")?.is_some_and(|id| !id.is_empty());
    Ok(match form.need("DialStatus")? {
        "completed" if connected => CallState::Completed,
        "completed" => CallState::NoAnswer,
        // A word that we don't know must still end the interaction.
        status => {
            news::call_state(status).filter(|state| state.is_final()).unwrap_or(CallState::Failed)
        }
    })
}

/// An id of Plivo's under `name`.
///
/// # Errors
/// [`WebhookError::Malformed`] naming it.
pub(super) fn id(form: &Form, name: &'static str) -> Result<String, WebhookError> {
    let id = form.need(name)?;
    if is_id(id) { Ok(id.to_owned()) } else { Err(WebhookError::Malformed(name)) }
}

/// The id of a call: of one that we placed the id that Plivo gave us then, which is another one on
/// older accounts.
///
/// # Errors
/// [`WebhookError::Malformed`].
pub(super) fn call_id(form: &Form) -> Result<String, WebhookError> {
    for name in ["RequestUUID", "ALegRequestUUID"] {
        if form.one("Direction")? == Some("outbound") && form.one(name)?.is_some() {
            return id(form, name);
        }
    }
    id(form, "CallUUID")
}

/// A text that came in, or news of one that we sent.
fn text(leg: Option<LegId>, form: &Form) -> Result<Inbound, WebhookError> {
    if form.one("Type")? == Some("whatsapp") {
        return Ok(Inbound::Ignored("of another channel"));
    }
    if let Some(status) = form.one("Status")? {
        return text_status(status, leg, form);
    }
    let Some(to) = proxy(form)? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let words = match form.one("Text")? {
        Some(text) => text,
        None => form.one("Body")?.unwrap_or_default(),
    };
    Ok(Inbound::Message(InboundMessage {
        id: id(form, "MessageUUID")?,
        from: caller(form)?,
        to,
        body: Body::new(words.to_owned()),
        media: media(form)?,
        // Plivo puts the parts of a long text together.
        part: None,
    }))
}

/// Addresses of pictures and files: counted from 1, and at times from 0.
fn media(form: &Form) -> Result<Vec<String>, WebhookError> {
    let mut media = Vec::new();
    for at in 0..=MEDIA_MAX {
        let mut values = form.all(&format!("Media{at}"));
        match (values.next(), values.next()) {
            (Some(address), None) => media.push(address.to_owned()),
            (None, _) => {}
            _ => return Err(WebhookError::Malformed("Media")),
        }
    }
    media.truncate(MEDIA_MAX);
    let count = form.one("MediaCount")?.filter(|count| !count.is_empty());
    let count = count.map_or(Ok(0), str::parse::<usize>);
    let count = count.map_err(|_| WebhookError::Malformed("MediaCount"))?;
    if media.len() < count.min(MEDIA_MAX) {
        return Err(WebhookError::Malformed("Media"));
    }
    Ok(media)
}

fn text_status(status: &str, leg: Option<LegId>, form: &Form) -> Result<Inbound, WebhookError> {
    let state = match status {
        "queued" | "sent" => MessageState::Sent,
        "delivered" | "read" => MessageState::Delivered,
        "undelivered" => MessageState::Undelivered,
        "failed" | "rejected" => MessageState::Failed,
        _ => return Ok(Inbound::Ignored("a text's state that is not about sending")),
    };
    let failed = matches!(state, MessageState::Undelivered | MessageState::Failed);
    Ok(Inbound::MessageStatus(MessageStatus {
        price: None,
        leg,
        id: id(form, "MessageUUID")?,
        state,
        carrier_code: news::code(form, "ErrorCode")?.filter(|_| failed),
    }))
}

/// A new call.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn call(form: &Form) -> Result<Inbound, WebhookError> {
    let Some(to) = proxy(form)? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let attestation = attestation(form)?;
    Ok(Inbound::Call(InboundCall {
        id: id(form, "CallUUID")?,
        from: caller(form)?,
        to,
        attestation,
    }))
}

/// What Plivo says of the caller's number: a level, and whether it holds.
fn attestation(form: &Form) -> Result<Attestation, WebhookError> {
    let level = form.one("STIRAttestation")?.map_or(Attestation::None, Attestation::of_level);
    let verified = form.one("STIRVerification")?.unwrap_or_default();
    Ok(match (verified, level) {
        ("Verified", Attestation::None) => Attestation::A,
        ("Not Verified", Attestation::None | Attestation::A) => Attestation::Failed,
        ("Verified" | "Not Verified", level) => level,
        _ => Attestation::None,
    })
}

/// Who calls or writes. A SIP address may spell anybody's number, and a name or a short code can't be a
/// participant: they count as withheld.
fn caller(form: &Form) -> Result<Caller, WebhookError> {
    form.need("From").map(heard_bare)
}

/// The proxy number, which Plivo writes without its plus; `None` for a short code and a SIP address.
fn proxy(form: &Form) -> Result<Option<ProxyNumber>, WebhookError> {
    let to = form.need("To")?;
    let digits = super::bare(to);
    if to.contains([':', '@']) || (3..=6).contains(&digits.len()) {
        return Ok(None);
    }
    let number = ProxyNumber::parse(&format!("+{digits}"));
    number.map(Some).map_err(|_| WebhookError::Malformed("To"))
}
