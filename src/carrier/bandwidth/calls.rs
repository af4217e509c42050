//! What the Voice API tells: questions about calls, and news of them.

use std::time::Duration;

use serde_json::Value;

use super::{Inbound, WebhookError, is_id};
use crate::{
    carrier::{
        error::plain_code,
        event::{
            CallStatus, CalleeAnswered, DialEnded, InboundCall, Keys, PlacedCallAnswered, Played,
            Recorded,
        },
        fields::keys,
        links::At,
        number::{called, heard},
    },
    domain::{assurance::Attestation, call::CallState, time::Timestamp},
    ids::LegId,
};

/// The most keys that are read: as many as Bandwidth collects.
const KEYS_MAX: usize = 50;

/// What one event says.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn event(event: &Value, At { leg, turn, .. }: At) -> Result<Vec<Inbound>, WebhookError> {
    let steered = leg.clone().ok_or(WebhookError::Malformed("leg"));
    Ok(vec![match event["eventType"].as_str().unwrap_or_default() {
        "initiate" => call(event)?,
        "answer" => {
            let id = call_id(event)?;
            Inbound::PlacedCallAnswered(PlacedCallAnswered { leg: steered?, id })
        }
        "transferAnswer" => return callee_answered(event, steered?),
        "gather" => Inbound::Keys(Keys { leg: steered?, digits: digits(event)?, turn }),
        "redirect" => Inbound::Played(Played { leg: steered?, turn }),
        "transferComplete" => Inbound::DialEnded(DialEnded {
            leg: steered?,
            state: dialled(event),
            // Its times are those of the caller's leg: the other leg's news tells.
            duration: None,
            // It is not sent where nobody is there to go on with.
            caller_gone: false,
            turn,
        }),
        "transferDisconnect" | "disconnect" => over(event, leg)?,
        "recordComplete" | "recordingAvailable" => match leg {
            Some(leg) => recorded(event, leg)?,
            None => Inbound::Ignored("a recording that we did not ask for"),
        },
        _ => Inbound::Ignored("an event that is not about a call's state"),
    }])
}

/// A recording; its end, and that it can be fetched, are told alike. Of its two ids both are needed to delete
/// it.
fn recorded(event: &Value, leg: LegId) -> Result<Inbound, WebhookError> {
    if event["status"] == "error" {
        return Ok(Inbound::Ignored("a recording that failed"));
    }
    let id = event["recordingId"].as_str().filter(|id| is_id(id));
    let id = id.ok_or(WebhookError::Malformed("recordingId"))?;
    let address = event["mediaUrl"].as_str().ok_or(WebhookError::Malformed("mediaUrl"))?;
    let length: Option<jiff::SignedDuration> =
        event["duration"].as_str().and_then(|text| text.parse().ok());
    Ok(Inbound::Recorded(Recorded {
        leg,
        id: format!("{}/{id}", call_id(event)?),
        address: address.to_owned(),
        length: length.and_then(|length| length.try_into().ok()),
        talk: false,
    }))
}

fn call(event: &Value) -> Result<Inbound, WebhookError> {
    let to = event["to"].as_str().ok_or(WebhookError::Malformed("to"))?;
    let from = event["from"].as_str().ok_or(WebhookError::Malformed("from"))?;
    let Some(to) = called(to).map_err(|()| WebhookError::Malformed("to"))? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let stir = &event["stirShaken"];
    let attestation = Attestation::of_verstat(
        stir["verstat"].as_str().unwrap_or_default(),
        stir["attestationIndicator"].as_str(),
    );
    Ok(Inbound::Call(InboundCall { id: call_id(event)?, from: heard(from), to, attestation }))
}

/// Nothing else tells that somebody answered: a caller who hangs up would count as unheard.
fn callee_answered(event: &Value, leg: LegId) -> Result<Vec<Inbound>, WebhookError> {
    let id = call_id(event)?;
    let answered = CallStatus {
        price: None,
        leg: Some(leg.clone()),
        id: id.clone(),
        state: CallState::Answered,
        duration: None,
        carrier_code: None,
    };
    Ok(vec![Inbound::CallStatus(answered), Inbound::CalleeAnswered(CalleeAnswered { leg, id })])
}

/// The keys that were pressed, without the one that ended them: that has a field of its own.
fn digits(event: &Value) -> Result<String, WebhookError> {
    let digits = event["digits"].as_str().unwrap_or_default();
    keys(digits, KEYS_MAX, "digits")
}

/// How a dialling ended whose caller is still there.
fn dialled(event: &Value) -> CallState {
    match cause(event) {
        "hangup" => CallState::Completed,
        "busy" | "rejected" => CallState::Busy,
        // What does not begin to ring within 30 seconds is cancelled.
        "timeout" | "cancel" => CallState::NoAnswer,
        // A word that we don't know must still end the interaction.
        _ => CallState::Failed,
    }
}

/// A leg is over: that of a caller, of somebody whom a document rang, or of a call that we placed.
fn over(event: &Value, leg: Option<LegId>) -> Result<Inbound, WebhookError> {
    let answered = time(&event["answerTime"]);
    let state = match (cause(event), answered) {
        ("hangup", Some(_)) => CallState::Completed,
        // Who is rung rejects; so it was the caller, or we.
        ("hangup" | "cancel", _) => CallState::Cancelled,
        ("busy" | "rejected", _) => CallState::Busy,
        ("timeout", _) => CallState::NoAnswer,
        _ => CallState::Failed,
    };
    let spoken = answered.zip(time(&event["endTime"])).map(|(from, to)| to.since(from));
    let failed = !matches!(state, CallState::Completed | CallState::Cancelled);
    Ok(Inbound::CallStatus(CallStatus {
        price: None,
        leg,
        id: call_id(event)?,
        state,
        duration: spoken.filter(|_| state == CallState::Completed).map(whole_seconds),
        carrier_code: Some(cause(event)).filter(|_| failed).and_then(plain_code),
    }))
}

fn cause(event: &Value) -> &str {
    event["cause"].as_str().unwrap_or_default()
}

const fn whole_seconds(length: Duration) -> Duration {
    Duration::from_secs(length.as_secs())
}

fn time(value: &Value) -> Option<Timestamp> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

/// An id such as `c-95ac8d6e-1a31c52e-b38f-4198-93c1-51633ec68f8d`.
fn call_id(event: &Value) -> Result<String, WebhookError> {
    let id = event["callId"].as_str().filter(|id| is_id(id));
    id.map(str::to_owned).ok_or(WebhookError::Malformed("callId"))
}
