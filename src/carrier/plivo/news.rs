//! News of calls: of the caller's, of those that we place, and of people whom a `<Dial>` rings.

use super::{
    Inbound, WebhookError,
    webhook::{call, call_id, id},
};
use crate::{
    carrier::{
        error::plain_code,
        event::{CallStatus, CalleeAnswered, Keys},
        form::Form,
    },
    domain::call::CallState,
    ids::LegId,
};

/// The hangup cause of somebody who answered and did not press the key.
const CONFIRM_KEY_FAILED: u32 = 9110;

/// A call that comes in, or news of one.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn of_call(leg: Option<LegId>, form: &Form) -> Result<Inbound, WebhookError> {
    let Some(state) = form.one("CallStatus")?.and_then(call_state) else {
        return Ok(Inbound::Ignored("a call state that we do not know"));
    };
    let event = form.one("Event")?;
    let inbound = leg.is_none() && form.one("Direction")? == Some("inbound");
    if inbound && !state.is_final() {
        return match event {
            None | Some("StartApp") => call(form),
            Some(_) => Ok(Inbound::Ignored("a question about a call without its step")),
        };
    }
    let failed = state.is_final() && state != CallState::Completed;
    Ok(Inbound::CallStatus(CallStatus {
        price: None,
        leg,
        id: call_id(form)?,
        state,
        duration: if state.is_final() { form.seconds("Duration")? } else { None },
        carrier_code: code(form, "HangupCauseCode")?.filter(|_| failed),
    }))
}

/// What a `CallStatus` or a `DialStatus` means.
pub(super) fn call_state(status: &str) -> Option<CallState> {
    Some(match status {
        "ringing" => CallState::Ringing,
        "in-progress" => CallState::Answered,
        "completed" => CallState::Completed,
        "busy" => CallState::Busy,
        "no-answer" | "timeout" => CallState::NoAnswer,
        "failed" => CallState::Failed,
        "cancel" | "cancelled" | "canceled" => CallState::Cancelled,
        _ => return None,
    })
}

/// News of somebody whom a `<Dial>` rings. Answering comes first, and connecting after what is said and
/// asked: only then a call counts as answered.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn of_somebody_rung(
    action: &str,
    leg: Option<LegId>,
    form: &Form,
) -> Result<Vec<Inbound>, WebhookError> {
    let leg = leg.ok_or(WebhookError::Malformed("leg"))?;
    Ok(vec![match action {
        "answer" => callee_answered(leg, form)?,
        "connected" => status(leg, CallState::Answered, form)?,
        "hangup" => hung_up(leg, form)?,
        _ => Inbound::Ignored("news of a call that is not about its state"),
    }])
}

/// Somebody answered, or is about to. The id is that of the call which rings them: it is what can be ended
/// for certain, and with it they are not connected.
///
/// # Errors
/// [`WebhookError::Malformed`] where that is missing or wrong.
pub(super) fn callee_answered(leg: LegId, form: &Form) -> Result<Inbound, WebhookError> {
    Ok(Inbound::CalleeAnswered(CalleeAnswered { leg, id: id(form, "CallUUID")? }))
}

fn status(leg: LegId, state: CallState, form: &Form) -> Result<Inbound, WebhookError> {
    Ok(Inbound::CallStatus(CallStatus {
        price: None,
        leg: Some(leg),
        id: id(form, "DialBLegUUID")?,
        state,
        duration: None,
        carrier_code: None,
    }))
}

/// A leg that was rung is over. Of one that ended normally, or that lasted, the end of the dialling tells
/// whether it was ever connected: only its length is news, which changes no state.
fn hung_up(leg: LegId, form: &Form) -> Result<Inbound, WebhookError> {
    let code = code(form, "DialBLegHangupCauseCode")?;
    let cause = form.one("DialBLegHangupCause")?.unwrap_or_default();
    let number = code.as_deref().and_then(|code| code.parse::<u32>().ok());
    let length = form.seconds("DialBLegDuration")?.filter(|length| !length.is_zero());
    let state = match number {
        Some(CONFIRM_KEY_FAILED) => {
            return Ok(Inbound::Keys(Keys { leg, digits: String::new(), turn: 0 }));
        }
        // Another answered first, or a machine did.
        Some(number) if length.is_none() || number >= 9000 => state_of(number),
        None if length.is_none() => state_named(cause),
        _ => None,
    };
    let mut news = status(leg, state.unwrap_or(CallState::Initiated), form)?;
    if let Inbound::CallStatus(status) = &mut news {
        match (state, length) {
            (Some(_), _) => status.carrier_code = code.or_else(|| plain_code(cause)),
            (None, Some(length)) => status.duration = Some(length),
            (None, None) => {
                return Ok(Inbound::Ignored("the end of a leg that was not connected"));
            }
        }
    }
    Ok(news)
}

/// What Plivo's codes of hangup causes say of a leg that was never connected; `None` for a normal end.
const fn state_of(code: u32) -> Option<CallState> {
    Some(match code {
        // Unknown, a normal hangup, the end of the document, the time limit, silence.
        0 | 4000..=4999 | 6000 | 6020 => return None,
        // Cancelled, and lost to another who answered first.
        1000..=1999 | 9000 => CallState::Cancelled,
        // Busy or declined, there or everywhere.
        3010 | 3020 | 3100 | 3110 => CallState::Busy,
        // Not answered, or by a machine.
        3000 | 3070 | 6010 | 9100 => CallState::NoAnswer,
        _ => CallState::Failed,
    })
}

/// The same for the names that stand in their place on older accounts.
fn state_named(cause: &str) -> Option<CallState> {
    Some(match cause {
        "" | "NORMAL_CLEARING" | "ALLOTTED_TIMEOUT" => return None,
        "ORIGINATOR_CANCEL" | "LOSE_RACE" => CallState::Cancelled,
        "USER_BUSY" | "CALL_REJECTED" => CallState::Busy,
        "NO_ANSWER" | "NO_USER_RESPONSE" | "PROGRESS_TIMEOUT" => CallState::NoAnswer,
        _ => CallState::Failed,
    })
}

/// A code that says something.
///
/// # Errors
/// [`WebhookError::Malformed`] if there are several.
pub(super) fn code(form: &Form, name: &'static str) -> Result<Option<String>, WebhookError> {
    let code = form.one(name)?.filter(|code| code.bytes().any(|b| b != b'0'));
    Ok(code.and_then(plain_code))
}
