//! Webhooks from Twilio: whether they are authentic, and what they say.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderName, Method};
use ring::digest;

use super::{Inbound, Links, Request, WebhookError, config::Config};
use crate::{
    carrier::{
        event::{
            CallStatus, CalleeAnswered, DialEnded, InboundCall, InboundMessage, Keys,
            MessageStatus, PlacedCallAnswered, Played,
        },
        form::{FORM, Form, is_form},
        links::{self, Step},
        signature,
        twiml::call_state,
    },
    domain::{
        call::CallState,
        message::{Body, MessageState},
        phone::{Caller, Identifier, ProxyNumber},
    },
    ids::LegId,
};

const SIGNATURE: &str = "x-twilio-signature";
const SIGNATURE_SETTINGS: &str = "x-twilio-webhooks-signature-settings";

/// The most pictures and files that one text has.
pub(super) const MEDIA_MAX: usize = 10;

/// What Twilio puts in the place of a number that it was not given: ANONYMOUS, RESTRICTED,
/// UNAVAILABLE, UNKNOWN and BLOCKED on a keypad. None of them is a number that can be dialled.
const WITHHELD: &[&str] = &["+266696687", "+7378742833", "+86282452253", "+8656696", "+2562533"];

/// Whether a webhook was signed with a key of this account, and is for this account.
///
/// # Errors
/// [`WebhookError::BadSignature`].
pub(super) fn verify(config: &Config, request: &Request) -> Result<(), WebhookError> {
    let genuine = signed_by_us(config, request).unwrap_or(false)
        && fields(request)
            .is_none_or(|form| form.all("AccountSid").all(|sid| sid == config.account_sid));
    if genuine { Ok(()) } else { Err(WebhookError::BadSignature) }
}

/// `None` and `Some(false)` both say no: the first where there is nothing to compare with.
fn signed_by_us(config: &Config, request: &Request) -> Option<bool> {
    let tag = BASE64.decode(request.header(SIGNATURE)?).ok()?;
    let parameters = signed_parameters(request)?;
    let (check, keys) = keys(config, request)?;
    let addresses = same_addresses(&request.url);
    Some(addresses.iter().any(|address| {
        let message = format!("{address}{parameters}");
        keys.iter().any(|key| check(key.as_bytes(), message.as_bytes(), &tag))
    }))
}

/// A webhook that says nothing, signed with the primary auth token.
pub(super) fn sample(config: &Config, links: &Links) -> Option<Request> {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("AccountSid", &config.account_sid)
        .append_pair("Check", "entremise")
        .finish();
    let request = Request::post(links.status(), FORM, body);
    let message = format!("{}{}", request.url, signed_parameters(&request)?);
    let tag = signature::sign_sha1(config.auth_tokens.first()?.as_bytes(), message.as_bytes());
    Some(request.with_header(HeaderName::from_static(SIGNATURE), &BASE64.encode(tag)))
}

type Check = fn(&[u8], &[u8], &[u8]) -> bool;

/// The keys that may have signed. A request chooses among configured ones and nothing else: one
/// that names an unknown key or algorithm is refused, never checked less.
fn keys<'a>(config: &'a Config, request: &Request) -> Option<(Check, Vec<&'a str>)> {
    if !request.headers.contains_key(SIGNATURE_SETTINGS) {
        let tokens = config.auth_tokens.iter().map(String::as_str).collect();
        return Some((signature::hmac_sha1, tokens));
    }
    let (mut key, mut algorithm) = (None, None);
    for part in request.header(SIGNATURE_SETTINGS)?.split(',') {
        let slot = match part.split_once('=')? {
            ("key", value) => (&mut key, value),
            ("algorithm", value) => (&mut algorithm, value),
            _ => continue,
        };
        if slot.0.replace(slot.1).is_some() {
            return None;
        }
    }
    let secret = config.shared_keys.get(key?)?;
    (algorithm? == "HMAC_SHA256").then(|| (signature::hmac_sha256 as Check, vec![secret.as_str()]))
}

/// What follows the address in the text that is signed; `None` if the signature would not cover
/// the whole body.
fn signed_parameters(request: &Request) -> Option<String> {
    if is_form(request) {
        return Form::read(&request.body).map(|form| form.signed());
    }
    if request.method != Method::GET && request.method != Method::POST {
        return None;
    }
    let hash = form_urlencoded::parse(request.query().as_bytes())
        .find_map(|(name, value)| (name == "bodySHA256").then_some(value));
    let covered = match hash {
        Some(hash) => hex(digest::digest(&digest::SHA256, &request.body).as_ref()) == *hash,
        None => request.body.is_empty(),
    };
    covered.then(String::new)
}

/// The address as it stands, and with its port added or left out: Twilio signs either.
///
/// Only the port is touched: a user name, a password and an IPv6 address stay what they are.
pub(super) fn same_addresses(url: &str) -> Vec<String> {
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

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The webhook's parameters; `None` if it has another kind of body.
fn fields(request: &Request) -> Option<Form> {
    if is_form(request) {
        Form::read(&request.body)
    } else if request.method == Method::GET {
        Some(Form::read_query(request.query()))
    } else {
        None
    }
}

/// What a verified webhook says. Decided by what is in it, since any event may come to any of our
/// addresses.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(request: &Request) -> Result<Inbound, WebhookError> {
    let Some(form) = fields(request) else { return Ok(Inbound::Ignored("not a form")) };
    let links::At { step, leg, turn } = links::read(request.query());
    if let Some(step) = step {
        let leg = leg.ok_or(WebhookError::Malformed("leg"))?;
        return asked(step, leg, turn, &form);
    }
    if let Some(status) = form.one("MessageStatus")? {
        return message_status(status, leg, &form);
    }
    if let Some(status) = form.one("CallStatus")? {
        let new = status == "ringing"
            && leg.is_none()
            && form.one("Direction")? == Some("inbound")
            && form.one("CallbackSource")?.is_none();
        return if new { call(&form) } else { call_status(status, leg, &form) };
    }
    if form.one("MessageSid")?.is_some() || form.one("SmsSid")?.is_some() {
        return message(&form);
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
    Ok(Inbound::Call(InboundCall { id: form.id(&["CallSid"])?, from: caller(form)?, to }))
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

/// `queued` and its like mean that Twilio has taken the text: no more is asked of us.
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

/// What Twilio's word for the state of a text that was sent means.
pub(super) fn message_state(status: &str) -> Option<MessageState> {
    Some(match status {
        "accepted" | "scheduled" | "queued" | "sending" | "sent" | "partially_delivered" => {
            MessageState::Sent
        }
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

/// The caller whom Twilio names so.
pub(super) fn heard(from: &str) -> Caller {
    if WITHHELD.contains(&from) {
        return Caller::Withheld;
    }
    Identifier::parse(from).map_or(Caller::Withheld, Caller::Number)
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

/// Twilio's error code, or else the telephone network's: SIP 4xx to 6xx.
fn error_code(form: &Form) -> Result<Option<String>, WebhookError> {
    let is_code = |code: &&str| {
        (1..=6).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit()) && *code != "0"
    };
    if let Some(code) = form.one("ErrorCode")?.filter(is_code) {
        return Ok(Some(code.to_owned()));
    }
    let sip = form
        .one("SipResponseCode")?
        .filter(is_code)
        .filter(|code| code.len() == 3 && *code >= "400");
    Ok(sip.map(|code| format!("sip-{code}")))
}
