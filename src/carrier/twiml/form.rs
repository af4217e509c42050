//! What webhooks say that are Twilio's forms, whichever carrier sends them.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderName;
use ring::digest;

use super::{Account, call_state};
use crate::{
    carrier::{
        Inbound, Links, Request, WebhookError,
        event::{
            CallStatus, CalleeAnswered, DialEnded, InboundCall, InboundMessage, Keys,
            MessageStatus, PlacedCallAnswered, Played, Recorded,
        },
        form::{FORM, Form},
        links::{self, Step},
        number::heard,
        signature,
    },
    domain::{
        assurance::Attestation,
        call::CallState,
        message::{Body, MessageState},
        phone::{Caller, ProxyNumber},
    },
    ids::{self, LegId},
};

/// The most pictures and files that one text has.
pub(in crate::carrier) const MEDIA_MAX: usize = 10;

/// The address as it stands, and with its port added or left out: carriers sign either.
///
/// Only the port is touched: a user name, a password and an IPv6 address stay what they are.
pub(in crate::carrier) fn same_addresses(url: &str) -> Vec<String> {
    let mut addresses = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return addresses };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host_start = authority.rfind('@').map_or(0, |at| at + 1);
    let port_search = authority.rfind(']').unwrap_or(host_start).max(host_start);
    let (host, port) = authority.split_at(port_search);
    addresses.push(if let Some((name, _)) = port.rsplit_once(':') {
        format!("{scheme}://{host}{name}{path}")
    } else {
        let port = if scheme == "https" { 443 } else { 80 };
        format!("{scheme}://{authority}:{port}{path}")
    });
    addresses
}

/// Whether a webhook with these fields is for the account.
pub(in crate::carrier) fn is_for(account: &dyn Account, form: Option<&Form>) -> bool {
    form.is_none_or(|form| form.all("AccountSid").all(|id| id == account.id()))
}

/// A webhook for the account that says nothing, with its signature under `name`; `signed` is what follows the
/// address in the text that is signed.
pub(in crate::carrier) fn sample(
    account: &dyn Account,
    links: &Links,
    name: &'static str,
    key: &str,
    signed: impl Fn(&Request) -> Option<String>,
) -> Option<Request> {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("AccountSid", account.id())
        .append_pair("Check", "entremise")
        .finish();
    let request = Request::post(links.status(), FORM, body);
    let message = format!("{}{}", request.url, signed(&request)?);
    let tag = signature::sign_sha1(key.as_bytes(), message.as_bytes());
    Some(request.with_header(HeaderName::from_static(name), &BASE64.encode(tag)))
}

/// Whether a signature of the address alone covers the body too: there is none, or the address names
/// its SHA-256.
pub(in crate::carrier) fn hashed_in_address(request: &Request) -> bool {
    let hash = form_urlencoded::parse(request.query().as_bytes())
        .find_map(|(name, value)| (name == "bodySHA256").then_some(value));
    match hash {
        Some(hash) => ids::hex(digest::digest(&digest::SHA256, &request.body).as_ref()) == *hash,
        None => request.body.is_empty(),
    }
}

/// What a verified webhook with these fields says. Decided by what is in it, since any event may come
/// to any of our addresses; `new` are the words for the state of a call that asks what to do.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(in crate::carrier) fn parse(
    request: &Request,
    form: &Form,
    new: &[&str],
) -> Result<Inbound, WebhookError> {
    let links::At { step, leg, turn } = links::read(request.query());
    if let Some(step) = step {
        let leg = leg.ok_or(WebhookError::Malformed("leg"))?;
        return asked(step, leg, turn, form);
    }
    if let Some(status) = form.one("MessageStatus")? {
        return message_status(status, leg, form);
    }
    if let Some(status) = form.one("CallStatus")? {
        let asks = new.contains(&status)
            && leg.is_none()
            && form.one("Direction")? == Some("inbound")
            && form.one("CallbackSource")?.is_none();
        return if asks { call(form) } else { call_status(status, leg, form) };
    }
    if form.one("MessageSid")?.is_some() || form.one("SmsSid")?.is_some() {
        return message(form);
    }
    Ok(Inbound::Ignored("neither a text nor a call"))
}

/// A carrier's question about a call that we steer.
fn asked(step: Step, leg: LegId, turn: u32, form: &Form) -> Result<Inbound, WebhookError> {
    Ok(match step {
        Step::Whisper => {
            Inbound::CalleeAnswered(CalleeAnswered { leg, id: form.id(&["CallSid"])? })
        }
        Step::Answered => {
            Inbound::PlacedCallAnswered(PlacedCallAnswered { leg, id: form.id(&["CallSid"])? })
        }
        Step::Keys => Inbound::Keys(Keys { leg, digits: form.keys("Digits")?, turn }),
        Step::Played => Inbound::Played(Played { leg, turn }),
        Step::Recorded => recorded(leg, form)?,
        Step::Talk => talk(leg, form)?,
        Step::Dialled => {
            let state = dial_state(form)?;
            let duration = match state {
                CallState::Completed => form.seconds("DialCallDuration")?,
                _ => None,
            };
            let caller_gone =
                form.one("CallStatus")?.and_then(call_state).is_some_and(CallState::is_final);
            Inbound::DialEnded(DialEnded { leg, state, duration, caller_gone, turn })
        }
    })
}

/// A recording. The end of `<Record>` may not name it: then the news that it can be fetched will.
pub(in crate::carrier) fn recorded(leg: LegId, form: &Form) -> Result<Inbound, WebhookError> {
    let there = form.one("RecordingStatus")?.is_none_or(|status| status == "completed");
    let named = form.one("RecordingSid")?.is_some();
    match form.one("RecordingUrl")? {
        Some(address) if there && named => Ok(Inbound::Recorded(Recorded {
            leg,
            id: form.id(&["RecordingSid"])?,
            address: address.to_owned(),
            length: form.seconds("RecordingDuration")?,
            talk: false,
        })),
        _ => Ok(Inbound::Ignored("a recording that is not there")),
    }
}

/// The recording of two who talked, as MP3: an hour of it is still a file that is taken.
fn talk(leg: LegId, form: &Form) -> Result<Inbound, WebhookError> {
    Ok(match recorded(leg, form)? {
        Inbound::Recorded(one) => {
            let name = one.address.rsplit('/').next().unwrap_or_default();
            let end = if name.contains('.') { "" } else { ".mp3" };
            Inbound::Recorded(Recorded {
                address: format!("{}{end}", one.address),
                talk: true,
                ..one
            })
        }
        other => other,
    })
}

/// How a `<Dial>` ended.
fn dial_state(form: &Form) -> Result<CallState, WebhookError> {
    Ok(match form.need("DialCallStatus")? {
        // Somebody answered and was never connected: hung up at the whisper, or pressed no key.
        "completed" | "answered" if form.one("DialBridged")? == Some("false") => {
            CallState::NoAnswer
        }
        "completed" | "answered" => CallState::Completed,
        // A word that we don't know must still end the interaction.
        status => call_state(status).filter(|state| state.is_final()).unwrap_or(CallState::Failed),
    })
}

fn message(form: &Form) -> Result<Inbound, WebhookError> {
    let Some(to) = proxy_number(form)? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    Ok(Inbound::Message(InboundMessage {
        id: form.id(&["MessageSid", "SmsMessageSid", "SmsSid"])?,
        from: caller(form)?,
        to,
        body: Body::new(form.one("Body")?.unwrap_or_default().to_owned()),
        media: media(form)?,
        part: None,
    }))
}

fn media(form: &Form) -> Result<Vec<String>, WebhookError> {
    let count = form.one("NumMedia")?.map_or(Ok(0), str::parse::<usize>);
    let count = count.map_err(|_| WebhookError::Malformed("NumMedia"))?.min(MEDIA_MAX);
    (0..count)
        .map(|at| {
            let mut values = form.all(&format!("MediaUrl{at}"));
            match (values.next(), values.next()) {
                (Some(address), None) => Ok(address.to_owned()),
                _ => Err(WebhookError::Malformed("MediaUrl")),
            }
        })
        .collect()
}

fn call(form: &Form) -> Result<Inbound, WebhookError> {
    let Some(to) = proxy_number(form)? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let verstat = form.one("StirVerstat")?.unwrap_or_default();
    let attestation = Attestation::of_verstat(verstat, None);
    Ok(Inbound::Call(InboundCall {
        id: form.id(&["CallSid"])?,
        from: caller(form)?,
        to,
        attestation,
    }))
}

fn call_status(status: &str, leg: Option<LegId>, form: &Form) -> Result<Inbound, WebhookError> {
    let Some(state) = call_state(status) else {
        return Ok(Inbound::Ignored("a call state that we do not know"));
    };
    Ok(Inbound::CallStatus(CallStatus {
        price: None,
        leg,
        id: form.id(&["CallSid"])?,
        state,
        duration: if state.is_final() { form.seconds("CallDuration")? } else { None },
        carrier_code: error_code(form)?,
    }))
}

/// `queued` and its like mean that the carrier has taken the text: no more is asked of us.
fn message_status(status: &str, leg: Option<LegId>, form: &Form) -> Result<Inbound, WebhookError> {
    let Some(state) = message_state(status) else {
        return Ok(Inbound::Ignored("a text's state that is not about sending"));
    };
    Ok(Inbound::MessageStatus(MessageStatus {
        price: None,
        leg,
        id: form.id(&["MessageSid", "SmsSid"])?,
        state,
        carrier_code: error_code(form)?,
    }))
}

/// What a word for the state of a text that was sent means.
pub(in crate::carrier) fn message_state(status: &str) -> Option<MessageState> {
    Some(match status {
        "accepted"
        | "scheduled"
        | "queued"
        | "initiated"
        | "sending"
        | "sent"
        | "partially_delivered" => MessageState::Sent,
        "delivered" | "read" => MessageState::Delivered,
        "undelivered" => MessageState::Undelivered,
        "failed" => MessageState::Failed,
        "canceled" => MessageState::Cancelled,
        _ => return None,
    })
}

/// Who calls or writes. A short code or a name can't be a participant, so it counts as withheld.
fn caller(form: &Form) -> Result<Caller, WebhookError> {
    form.need("From").map(heard)
}

/// The proxy number; `None` for a short code and for addresses of other channels
/// (`whatsapp:+1…`, `sip:…`), which no account of ours has.
fn proxy_number(form: &Form) -> Result<Option<ProxyNumber>, WebhookError> {
    let to = form.need("To")?;
    if to.contains(':') || (3..=8).contains(&to.len()) && to.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    ProxyNumber::parse(to).map(Some).map_err(|_| WebhookError::Malformed("To"))
}

/// The carrier's error code, or else the telephone network's: SIP 4xx to 6xx.
fn error_code(form: &Form) -> Result<Option<String>, WebhookError> {
    let is_code = |code: &&str| {
        (1..=6).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit()) && *code != "0"
    };
    if let Some(code) = form.one("ErrorCode")?.filter(is_code) {
        return Ok(Some(code.to_owned()));
    }
    let sip = form.one("SipResponseCode")?.or(form.one("SipResultCode")?);
    let sip = sip.filter(is_code).filter(|code| code.len() == 3 && *code >= "400");
    Ok(sip.map(|code| format!("sip-{code}")))
}
