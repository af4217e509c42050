//! The sandbox's webhooks: their signature, and what they say.

use std::time::Duration;

use http::HeaderName;
use serde_json::Value;

use crate::{
    carrier::{
        Inbound, Links, Request, WebhookError,
        error::plain_code,
        event::{
            CallStatus, CalleeAnswered, DialEnded, InboundCall, InboundMessage, Keys,
            MessageStatus, Part, PlacedCallAnswered, Played, Recorded,
        },
        links::{self, Step},
        signature,
    },
    domain::{
        assurance::Attestation,
        call::CallState,
        message::{Body, MessageState},
        phone::{Caller, Identifier, ProxyNumber},
        time::Timestamp,
    },
    ids::LegId,
};

/// The header that carries the signature: `t=<unix ms>,v1=<hex>`.
const SIGNATURE: &str = "sandbox-signature";

/// Checks `HMAC-SHA256(secret, "{t}.{url}.{body}")` and that `t` is near `now`.
pub(super) fn verify(secret: &[u8], request: &Request, now: Timestamp) -> Result<(), WebhookError> {
    let (signed_at, tag) =
        request.header(SIGNATURE).and_then(read_signature).ok_or(WebhookError::BadSignature)?;
    if !signature::hmac_sha256(secret, &signed(signed_at, request), &tag) {
        return Err(WebhookError::BadSignature);
    }
    if !signature::fresh(Timestamp::from_millis(signed_at), now) {
        return Err(WebhookError::Stale);
    }
    Ok(())
}

fn signed(at: i64, request: &Request) -> Vec<u8> {
    let mut signed = format!("{at}.{}.", request.url).into_bytes();
    signed.extend_from_slice(&request.body);
    signed
}

/// A webhook that says nothing, signed now.
pub(super) fn sample(secret: &[u8], links: &Links, now: Timestamp) -> Request {
    use std::fmt::Write as _;
    let request = Request::post(links.status(), "application/json", r#"{"event":"check"}"#);
    let mut value = format!("t={},v1=", now.millis());
    for byte in signature::sign_sha256(secret, &signed(now.millis(), &request)) {
        // Writing to a string can't fail.
        let _ = write!(value, "{byte:02x}");
    }
    request.with_header(HeaderName::from_static(SIGNATURE), &value)
}

fn read_signature(header: &str) -> Option<(i64, Vec<u8>)> {
    let (time, tag) = header.strip_prefix("t=")?.split_once(",v1=")?;
    // `parse` alone would take a sign and zeros before it, and two texts would mean the same time.
    let padded = time.len() > 1 && time.starts_with('0');
    if time.len() > 15 || padded || !time.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((time.parse().ok()?, unhex(tag)?))
}

/// Reads 64 lower-case hex digits: one signature has one spelling.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .bytes()
        .map(|b| match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        })
        .collect::<Option<_>>()?;
    (digits.len() == 64)
        .then(|| digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The one event of a webhook.
pub(super) fn parse(request: &Request) -> Result<Inbound, WebhookError> {
    let body: Value =
        serde_json::from_slice(&request.body).map_err(|_| WebhookError::Malformed("body"))?;
    let fields = Fields(&body);
    let links::At { step, leg, turn } = links::read(request.query());
    Ok(match (fields.text("event")?, step) {
        ("message", _) => message(&body)?,
        ("call", _) => call(&body)?,
        ("answered", Some(Step::Whisper)) => {
            Inbound::CalleeAnswered(CalleeAnswered { leg: needed(leg)?, id: fields.id()? })
        }
        ("answered", Some(Step::Answered)) => {
            Inbound::PlacedCallAnswered(PlacedCallAnswered { leg: needed(leg)?, id: fields.id()? })
        }
        ("answered", _) => return Err(WebhookError::Malformed("step")),
        ("keys", _) => Inbound::Keys(Keys { leg: needed(leg)?, digits: fields.digits()?, turn }),
        ("recorded", _) => Inbound::Recorded(Recorded {
            leg: needed(leg)?,
            id: fields.recording()?,
            address: fields.text("url")?.to_owned(),
            length: fields.duration(),
            talk: step == Some(Step::Talk),
        }),
        ("played", _) => Inbound::Played(Played { leg: needed(leg)?, turn }),
        ("dialled", _) => Inbound::DialEnded(DialEnded {
            leg: needed(leg)?,
            // The caller waits for what comes next, whatever the word.
            state: fields.call_state()?.unwrap_or(CallState::Failed),
            duration: fields.duration(),
            caller_gone: fields.0["caller_gone"].as_bool().unwrap_or(false),
            turn,
        }),
        ("call_status", _) => match fields.call_state()? {
            Some(state) => Inbound::CallStatus(CallStatus {
                price: None,
                leg,
                id: fields.id()?,
                state,
                duration: fields.duration(),
                carrier_code: fields.code(),
            }),
            None => Inbound::Ignored("a call state that we do not know"),
        },
        ("message_status", _) => match fields.message_state()? {
            Some(state) => Inbound::MessageStatus(MessageStatus {
                price: None,
                leg,
                id: fields.id()?,
                state,
                carrier_code: fields.code(),
            }),
            None => Inbound::Ignored("a message state that we do not know"),
        },
        _ => Inbound::Ignored("an event that we do not know"),
    })
}

/// A text that came in, in a webhook or in a list.
pub(super) fn message(event: &Value) -> Result<Inbound, WebhookError> {
    let fields = Fields(event);
    Ok(Inbound::Message(InboundMessage {
        id: fields.id()?,
        from: fields.caller(),
        to: fields.proxy()?,
        body: Body::new(event["text"].as_str().unwrap_or_default().to_owned()),
        media: fields.media()?,
        part: fields.part(),
    }))
}

/// A call that came in, in a webhook or in a list.
pub(super) fn call(event: &Value) -> Result<Inbound, WebhookError> {
    let fields = Fields(event);
    Ok(Inbound::Call(InboundCall {
        id: fields.id()?,
        from: fields.caller(),
        to: fields.proxy()?,
        attestation: event["attestation"]
            .as_str()
            .and_then(Attestation::parse)
            .unwrap_or(Attestation::None),
    }))
}

fn needed(leg: Option<LegId>) -> Result<LegId, WebhookError> {
    leg.ok_or(WebhookError::Malformed("leg"))
}

/// Whether a text may be an id of the network's: it is kept, logged, and a part of a path.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    fn text(&self, key: &'static str) -> Result<&'a str, WebhookError> {
        self.0[key].as_str().ok_or(WebhookError::Malformed(key))
    }

    fn id(&self) -> Result<String, WebhookError> {
        let id = self.text("id")?;
        if is_id(id) { Ok(id.to_owned()) } else { Err(WebhookError::Malformed("id")) }
    }

    fn recording(&self) -> Result<String, WebhookError> {
        let id = self.text("recording")?;
        if is_id(id) { Ok(id.to_owned()) } else { Err(WebhookError::Malformed("recording")) }
    }

    fn caller(&self) -> Caller {
        self.0["from"]
            .as_str()
            .and_then(|from| Identifier::parse(from).ok())
            .map_or(Caller::Withheld, Caller::Number)
    }

    fn proxy(&self) -> Result<ProxyNumber, WebhookError> {
        ProxyNumber::parse(self.text("to")?).map_err(|_| WebhookError::Malformed("to"))
    }

    fn media(&self) -> Result<Vec<String>, WebhookError> {
        match &self.0["media"] {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or(WebhookError::Malformed("media")),
            _ => Err(WebhookError::Malformed("media")),
        }
    }

    fn part(&self) -> Option<Part> {
        let part = &self.0["part"];
        let number = |name: &str| u8::try_from(part[name].as_u64()?).ok();
        Part::new(part["reference"].as_str()?, number("number")?, number("of")?)
    }

    fn digits(&self) -> Result<String, WebhookError> {
        let digits = self.text("digits")?;
        let keys = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'*' | b'#'));
        if keys && digits.len() <= 32 {
            Ok(digits.to_owned())
        } else {
            Err(WebhookError::Malformed("digits"))
        }
    }

    fn call_state(&self) -> Result<Option<CallState>, WebhookError> {
        Ok(CallState::parse(self.text("state")?))
    }

    fn message_state(&self) -> Result<Option<MessageState>, WebhookError> {
        Ok(MessageState::parse(self.text("state")?))
    }

    fn duration(&self) -> Option<Duration> {
        self.0["duration_ms"].as_u64().map(Duration::from_millis)
    }

    fn code(&self) -> Option<String> {
        plain_code(self.0["code"].as_str()?)
    }
}
