//! What Sinch tells of calls: that one came in (ICE), was answered (ACE), was told something by keys
//! (PIE), is over (`DiCE`).

use std::time::Duration;

use super::{
    Inbound, WebhookError,
    fields::{Fields, keys},
    mark::{Asks, Mark},
};
use crate::{
    carrier::{
        error::plain_code,
        event::{
            CallStatus, CalleeAnswered, DialEnded, InboundCall, Keys, PlacedCallAnswered, Played,
        },
    },
    domain::{assurance::Attestation, call::CallState},
    ids::LegId,
};

/// The most keys that are read: a plan asks for fewer.
const KEYS_MAX: usize = 32;

/// What of a call a webhook is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// It came in.
    Incoming,
    /// Somebody answered it.
    Answered,
    /// A menu is over.
    Prompted,
    /// It is over.
    Over,
    /// No call.
    Other,
}

impl Moment {
    pub(super) fn of(fields: &Fields) -> Self {
        match fields.text("event").unwrap_or_default().to_ascii_lowercase().as_str() {
            "ice" => Self::Incoming,
            "ace" => Self::Answered,
            "pie" => Self::Prompted,
            "dice" => Self::Over,
            _ => Self::Other,
        }
    }
}

/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(fields: &Fields) -> Result<Vec<Inbound>, WebhookError> {
    let mark = Mark::read(fields);
    match Moment::of(fields) {
        Moment::Incoming => Ok(vec![incoming(fields, mark.as_ref())?]),
        Moment::Answered => Ok(answered(&id(fields)?, mark)),
        Moment::Prompted => prompted(fields, mark),
        Moment::Over => Ok(over(fields, &id(fields)?, mark)),
        Moment::Other => Ok(vec![Inbound::Ignored("no news of a call")]),
    }
}

/// The call's id: as it is sent, and as it is documented.
fn id(fields: &Fields) -> Result<String, WebhookError> {
    let id = fields.text("callid").or_else(|| fields.text("callId"));
    let id = id.filter(|id| super::is_id(id)).map(str::to_owned);
    id.ok_or(WebhookError::Malformed("callid"))
}

fn incoming(fields: &Fields, mark: Option<&Mark>) -> Result<Inbound, WebhookError> {
    let from = fields.text("originationType");
    if mark.is_some() || from.is_some_and(|from| !from.eq_ignore_ascii_case("pstn")) {
        return Ok(Inbound::Ignored("not a call from the telephone network"));
    }
    let to = Fields(fields.0["to"].clone());
    if to.text("type").is_some_and(|kind| !is_number(kind)) {
        return Ok(Inbound::Ignored("not to a telephone number"));
    }
    let Some(to) = to.proxy("endpoint")? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    let (from, attestation) = (fields.caller("cli"), Attestation::None);
    Ok(Inbound::Call(InboundCall { id: id(fields)?, from, to, attestation }))
}

fn is_number(kind: &str) -> bool {
    ["did", "number", "pstn"].iter().any(|known| kind.eq_ignore_ascii_case(known))
}

fn status(leg: Option<LegId>, id: &str, state: CallState) -> CallStatus {
    CallStatus { leg, id: id.to_owned(), state, duration: None, carrier_code: None, price: None }
}

fn is_up(leg: LegId, id: &str) -> Inbound {
    Inbound::CallStatus(status(Some(leg), id, CallState::Answered))
}

fn answered(id: &str, mark: Option<Mark>) -> Vec<Inbound> {
    match mark {
        Some(Mark::Dialled { rung, asks: Asks::Nothing, .. }) => vec![is_up(rung, id)],
        Some(Mark::Dialled { rung, .. }) => {
            let callee = CalleeAnswered { leg: rung.clone(), id: id.to_owned() };
            vec![is_up(rung, id), Inbound::CalleeAnswered(callee)]
        }
        // Its plan is asked after a menu: nobody can be rung in answer to this.
        Some(Mark::Placed { leg }) => vec![is_up(leg, id)],
        _ => vec![Inbound::Ignored("an answer of somebody whom we did not ring")],
    }
}

fn prompted(fields: &Fields, mark: Option<Mark>) -> Result<Vec<Inbound>, WebhookError> {
    let kind = fields.0["menuResult"]["type"].as_str().unwrap_or_default();
    if kind.eq_ignore_ascii_case("hangup") {
        return Ok(vec![Inbound::Ignored("hung up while asked")]);
    }
    Ok(match mark {
        Some(Mark::Played { leg, turn }) => vec![Inbound::Played(Played { leg, turn })],
        Some(Mark::Keys { leg, turn, finish }) => {
            let digits = digits(fields, finish)?;
            vec![Inbound::Keys(Keys { leg, digits, turn })]
        }
        Some(Mark::Dialled { rung, asks: Asks::Key, .. }) => {
            let digits = digits(fields, None)?;
            let keys = Inbound::Keys(Keys { leg: rung.clone(), digits, turn: 0 });
            vec![is_up(rung, &id(fields)?), keys]
        }
        Some(Mark::Placed { leg }) => {
            vec![Inbound::PlacedCallAnswered(PlacedCallAnswered { leg, id: id(fields)? })]
        }
        _ => vec![Inbound::Ignored("the end of a menu that we did not give")],
    })
}

/// The keys that were pressed, without the one that ends them.
fn digits(fields: &Fields, finish: Option<char>) -> Result<String, WebhookError> {
    let pressed = fields.0["menuResult"]["value"].as_str().unwrap_or_default();
    let pressed = keys(pressed, KEYS_MAX, "menuResult")?;
    let cut = pressed.find(|c| Some(c) == finish).unwrap_or(pressed.len());
    Ok(pressed.get(..cut).unwrap_or_default().to_owned())
}

/// The whole call is over, with both its legs: nothing more can be said to the caller.
fn over(fields: &Fields, id: &str, mark: Option<Mark>) -> Vec<Inbound> {
    let state = ended(fields);
    let failed = state != CallState::Completed;
    let code = fields.text("reason").filter(|_| failed).and_then(plain_code);
    let duration = fields.seconds("duration").filter(|_| !failed);
    let news = |leg, state, duration: Option<Duration>, carrier_code| {
        Inbound::CallStatus(CallStatus { duration, carrier_code, ..status(leg, id, state) })
    };
    let mut events = match mark {
        Some(Mark::Dialled { leg, turn, rung, .. }) => {
            // Why nobody was reached, the end of the caller's leg says below.
            let theirs =
                (state != CallState::Cancelled).then(|| news(Some(rung), state, duration, code));
            let last = if turn == 0 {
                news(Some(leg), CallState::Completed, None, None)
            } else {
                Inbound::DialEnded(DialEnded { leg, state, duration, caller_gone: true, turn })
            };
            theirs.into_iter().chain([last]).collect()
        }
        Some(Mark::Placed { leg }) => vec![news(Some(leg), state, duration, code)],
        Some(Mark::Played { leg, .. } | Mark::Keys { leg, .. }) => {
            vec![news(Some(leg), CallState::Completed, duration, None)]
        }
        None => vec![news(None, state, duration, code)],
    };
    // One sum for the whole call: it stands with the first of its legs that is told of.
    let first = events.iter_mut().find_map(|event| match event {
        Inbound::CallStatus(status) => Some(status),
        _ => None,
    });
    if let Some(status) = first {
        status.price = Fields::price(&fields.0["debit"], "amount", "currencyId");
    }
    events
}

/// How it ended: by the result, and by the reason where that says more.
fn ended(fields: &Fields) -> CallState {
    let word = |key| fields.text(key).unwrap_or_default().to_ascii_uppercase();
    let (result, reason) = (word("result"), word("reason"));
    match (result.as_str(), reason.as_str()) {
        ("ANSWERED", _) => CallState::Completed,
        (_, "CALLERHANGUP" | "CANCEL") => CallState::Cancelled,
        ("BUSY", _) | (_, "BUSY") => CallState::Busy,
        ("NOANSWER", _) | (_, "NOANSWER" | "TIMEOUT") => CallState::NoAnswer,
        _ => CallState::Failed,
    }
}
