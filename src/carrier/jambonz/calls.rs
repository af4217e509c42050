//! What jambonz tells of calls.

use super::{
    Inbound, WebhookError,
    fields::{Fields, keys},
};
use crate::{
    carrier::{
        event::{
            CallStatus, CalleeAnswered, DialEnded, InboundCall, Keys, PlacedCallAnswered, Played,
        },
        links::{At, Step},
    },
    domain::{assurance::Attestation, call::CallState},
    ids::LegId,
};

/// The most keys that are read: a plan asks for fewer.
const KEYS_MAX: usize = 32;

/// A question about a call that we steer.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn asked(step: Step, at: At, fields: &Fields) -> Result<Inbound, WebhookError> {
    let leg = at.leg.ok_or(WebhookError::Malformed("leg"))?;
    let turn = at.turn;
    Ok(match step {
        Step::Whisper => {
            Inbound::CalleeAnswered(CalleeAnswered { leg, id: fields.id("call_sid")? })
        }
        Step::Answered => {
            Inbound::PlacedCallAnswered(PlacedCallAnswered { leg, id: fields.id("call_sid")? })
        }
        Step::Keys => Inbound::Keys(Keys { leg, digits: digits(fields)?, turn }),
        Step::Played => Inbound::Played(Played { leg, turn }),
        Step::Recorded | Step::Talk => Inbound::Ignored("a recording that we did not ask for"),
        Step::Dialled => {
            let caller_gone = fields
                .text("call_status")
                .and_then(|word| state(word, None))
                .is_some_and(CallState::is_final);
            let state = match dial_state(fields) {
                // The ringing was over because of the caller.
                CallState::NoAnswer | CallState::Failed if caller_gone => CallState::Cancelled,
                state => state,
            };
            // How long the two talked is told by the news of whoever was rung.
            Inbound::DialEnded(DialEnded { leg, state, duration: None, caller_gone, turn })
        }
    })
}

/// The keys that were pressed, without the key that ends them.
fn digits(fields: &Fields) -> Result<String, WebhookError> {
    let digits = fields.text("digits").unwrap_or_default();
    keys(digits, KEYS_MAX, "digits")
}

/// How a `dial` ended.
fn dial_state(fields: &Fields) -> CallState {
    let sip = fields.0["dial_sip_status"].as_u64();
    match fields.text("dial_call_status") {
        Some("completed") if sip == Some(200) => CallState::Completed,
        // Without the 200 of a connection whoever answered hung up before it. And what is told of the
        // end of the ringing is how far it had come.
        Some("completed") => CallState::NoAnswer,
        word => match word.and_then(|word| state(word, sip)) {
            Some(state) if state.is_final() => state,
            Some(_) => CallState::NoAnswer,
            // A word that we don't know must still end the interaction.
            None => CallState::Failed,
        },
    }
}

/// A new call, or one of ours that was answered.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn call(fields: &Fields) -> Result<Inbound, WebhookError> {
    let id = fields.id("call_sid")?;
    if fields.text("direction") == Some("outbound") {
        return Ok(match leg(fields) {
            Some(leg) => Inbound::PlacedCallAnswered(PlacedCallAnswered { leg, id }),
            None => Inbound::Ignored("a call that we did not place"),
        });
    }
    let Some(to) = fields.proxy("to")? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let (from, attestation) = (fields.caller("from"), Attestation::None);
    Ok(Inbound::Call(InboundCall { id, from, to, attestation }))
}

/// News of one leg of a call. All of them come to one address: which leg it is stands in what travels with
/// a leg of ours.
///
/// # Errors
/// [`WebhookError::Malformed`] where its id is missing or wrong.
pub(super) fn status(fields: &Fields) -> Result<Inbound, WebhookError> {
    let sip = fields.0["sip_status"].as_u64();
    let Some(state) = fields.text("call_status").and_then(|word| state(word, sip)) else {
        return Ok(Inbound::Ignored("a call state that we do not know"));
    };
    let failed = state.is_final() && state != CallState::Completed;
    let code = sip.filter(|code| failed && (400..700).contains(code));
    Ok(Inbound::CallStatus(CallStatus {
        price: None,
        leg: leg(fields),
        id: fields.id("call_sid")?,
        state,
        duration: (state == CallState::Completed).then(|| fields.seconds("duration")).flatten(),
        carrier_code: code.map(|code| format!("sip-{code}")),
    }))
}

/// The leg that we named when we had it dialled: it is signed.
fn leg(fields: &Fields) -> Option<LegId> {
    LegId::parse(fields.0["customer_data"]["leg"].as_str()?).ok()
}

/// What jambonz's word and the network's number (RFC 3261 §21) for the state of a call mean.
fn state(word: &str, sip: Option<u64>) -> Option<CallState> {
    Some(match (word, sip) {
        ("trying", _) => CallState::Initiated,
        ("ringing" | "early-media", _) => CallState::Ringing,
        ("in-progress", _) => CallState::Answered,
        ("completed", _) => CallState::Completed,
        // Busy here, busy everywhere, declined.
        ("busy", _) | ("failed", Some(486 | 600 | 603)) => CallState::Busy,
        // Timed out, not available just now, given up.
        ("no-answer", _) | ("failed", Some(408 | 480 | 487)) => CallState::NoAnswer,
        ("failed", _) => CallState::Failed,
        _ => return None,
    })
}
