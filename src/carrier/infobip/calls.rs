//! What the Calls API tells: a call that came in, how far a call has come, what was heard and pressed.

use serde_json::Value;

use super::{
    Inbound, WebhookError,
    config::Config,
    fields::Fields,
    is_id,
    memory::{Memory, On, Other},
};
use crate::{
    carrier::{
        error::plain_code,
        event::{
            CallStatus, CalleeAnswered, DialEnded, InboundCall, Keys, PlacedCallAnswered, Played,
        },
    },
    domain::call::CallState,
    ids::LegId,
};

/// The most keys that are read.
const KEYS_MAX: usize = 64;

/// One event of a call.
pub(super) struct About {
    kind: String,
    /// Infobip's id of the call.
    pub(super) call: String,
    /// What the call keeps for us.
    pub(super) memory: Memory,
    /// The call as the event shows it, and what else it says.
    properties: Value,
    configuration: Option<String>,
}

impl About {
    /// Reads a webhook's body; `None` for one that is about no call.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut event: Value = serde_json::from_slice(body).ok()?;
        let properties = event.get_mut("properties").map(Value::take).unwrap_or_default();
        let text = |key: &str| event[key].as_str();
        let call = text("callId").or_else(|| properties["call"]["id"].as_str())?.to_owned();
        let kind = text("type")?.to_owned();
        let configuration = text("callsConfigurationId").map(str::to_owned);
        let data = [&properties, &properties["call"], &properties["callLog"]]
            .map(|place| &place["customData"])
            .into_iter()
            .find(|data| data.is_object());
        let memory = data.map(Memory::read).unwrap_or_default();
        is_id(&call).then_some(Self { kind, call, memory, properties, configuration })
    }

    /// Whether the call is over.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.kind.as_str(), "CALL_FINISHED" | "CALL_FAILED")
    }

    /// Whether this was somebody who was rung and connected with the caller.
    pub(super) fn was_connected(&self) -> bool {
        self.is_over()
            && end_state(self, &Fields(self.shown().clone())) == Some(CallState::Completed)
    }

    /// Whether the call was answered.
    pub(super) fn was_answered(&self) -> bool {
        !matches!(
            self.kind.as_str(),
            "CALL_RECEIVED" | "CALL_STARTED" | "CALL_RINGING" | "CALL_PRE_ESTABLISHED"
        )
    }

    /// Whether the next thing is due that the call keeps.
    pub(super) fn ends_an_act(&self) -> bool {
        matches!(self.kind.as_str(), "CALL_ESTABLISHED" | "SAY_FINISHED" | "PLAY_FINISHED")
    }

    /// Who is to be connected with this call, which was answered for it.
    pub(super) fn rung(&self) -> Option<&Other> {
        let due = self.kind == "CALL_ESTABLISHED" && self.memory.on == On::Bridge;
        self.memory.rung.as_ref().filter(|_| due)
    }

    /// The call as the event shows it: with its end it is called a log.
    fn shown(&self) -> &Value {
        match &self.properties["callLog"] {
            Value::Null => &self.properties["call"],
            log => log,
        }
    }
}

/// What an event says.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
pub(super) fn parse(config: &Config, body: &[u8]) -> Result<Vec<Inbound>, WebhookError> {
    let Some(about) = About::read(body) else {
        return Ok(vec![Inbound::Ignored("neither a text nor news of a call")]);
    };
    let configuration = about.configuration.as_ref();
    if configuration.is_some_and(|id| *id != config.calls_configuration) {
        return Ok(vec![Inbound::Ignored("of another calls configuration")]);
    }
    Ok(match about.kind.as_str() {
        "CALL_RECEIVED" => vec![came_in(&about)?],
        "CALL_STARTED" => vec![status(&about, CallState::Initiated)],
        // Early media: a tone, or words of the network.
        "CALL_RINGING" | "CALL_PRE_ESTABLISHED" => vec![status(&about, CallState::Ringing)],
        "CALL_ESTABLISHED" => established(&about),
        "CALL_FINISHED" | "CALL_FAILED" => over(&about),
        "SAY_FINISHED" | "PLAY_FINISHED" => vec![heard(&about)],
        "DTMF_CAPTURED" => pressed(&about)?,
        _ => vec![Inbound::Ignored("an event that we do not know")],
    })
}

fn came_in(about: &About) -> Result<Inbound, WebhookError> {
    let fields = Fields(about.properties["call"].clone());
    if fields.text("direction") == Some("OUTBOUND") {
        return Ok(Inbound::Ignored("a call of ours"));
    }
    let Some(to) = fields.proxy("to")? else {
        return Ok(Inbound::Ignored("not to a telephone number"));
    };
    Ok(Inbound::Call(InboundCall { id: about.call.clone(), from: fields.caller("from"), to }))
}

fn status(about: &About, state: CallState) -> Inbound {
    Inbound::CallStatus(CallStatus {
        price: None,
        leg: about.memory.leg.clone(),
        id: about.call.clone(),
        state,
        duration: None,
        carrier_code: None,
    })
}

fn established(about: &About) -> Vec<Inbound> {
    let mut events = vec![status(about, CallState::Answered)];
    let memory = &about.memory;
    let Some(leg) = memory.leg.clone() else { return events };
    let id = about.call.clone();
    if memory.caller.is_some() && memory.screened {
        events.push(Inbound::CalleeAnswered(CalleeAnswered { leg, id }));
    } else if memory.on == On::Placed {
        events.push(Inbound::PlacedCallAnswered(PlacedCallAnswered { leg, id }));
    } else if let Some(rung) = about.rung() {
        // They have agreed; whether the two may still be connected is asked once more.
        events.push(accepted(rung.leg.clone()));
    }
    events
}

/// Whoever is asked nothing counts as having agreed once they were told who calls.
fn accepted(leg: LegId) -> Inbound {
    Inbound::Keys(Keys { leg, digits: "1".to_owned(), turn: 0 })
}

fn heard(about: &About) -> Inbound {
    let memory = &about.memory;
    let Some(leg) = memory.leg.clone().filter(|_| memory.rest.is_empty()) else {
        return Inbound::Ignored("more is to be heard");
    };
    match memory.on {
        On::Played => Inbound::Played(Played { leg, turn: memory.turn }),
        On::Whispered => accepted(leg),
        _ => Inbound::Ignored("the end of something heard"),
    }
}

/// The keys that were pressed, without the key that ends them.
fn pressed(about: &About) -> Result<Vec<Inbound>, WebhookError> {
    let memory = &about.memory;
    let Some(leg) = memory.leg.clone().filter(|_| memory.on == On::Keys) else {
        return Ok(vec![Inbound::Ignored("keys that we did not ask for")]);
    };
    let digits = about.properties["dtmf"].as_str().unwrap_or_default();
    let key = |b| matches!(b, b'0'..=b'9' | b'A'..=b'D' | b'*' | b'#');
    if digits.len() > KEYS_MAX || !digits.bytes().all(key) {
        return Err(WebhookError::Malformed("dtmf"));
    }
    let digits = digits.split(|c| Some(c) == memory.end).next().unwrap_or_default().to_owned();
    // Of somebody who was rung a turn is kept for the end of the dialling, and asked is outside it.
    let turn = if memory.caller.is_some() { 0 } else { memory.turn };
    Ok(vec![Inbound::Keys(Keys { leg, digits, turn })])
}

/// The end of a call; that of somebody who was rung ends the dialling.
fn over(about: &About) -> Vec<Inbound> {
    let log = Fields(about.shown().clone());
    let Some(state) = end_state(about, &log) else {
        return vec![Inbound::Ignored("a call's state that we do not know")];
    };
    let (memory, talked) = (&about.memory, state == CallState::Completed);
    let duration = talked.then(|| log.seconds("duration")).flatten();
    let code = log.0["errorCode"]["name"].as_str().filter(|name| *name != "NORMAL_HANGUP");
    let code = code.filter(|_| !talked).and_then(plain_code);
    let mut events = vec![Inbound::CallStatus(CallStatus {
        price: None,
        leg: memory.leg.clone(),
        id: about.call.clone(),
        state,
        duration,
        carrier_code: code,
    })];
    if let Some(caller) = &memory.caller {
        events.push(Inbound::DialEnded(DialEnded {
            leg: caller.leg.clone(),
            state,
            duration,
            caller_gone: state == CallState::Cancelled,
            turn: memory.turn,
        }));
    }
    events
}

fn end_state(about: &About, log: &Fields) -> Option<CallState> {
    let reason = log.0["errorCode"]["name"].as_str().unwrap_or_default();
    Some(match (log.text("state")?, reason) {
        // Who hung up while we asked them was never connected.
        ("FINISHED", _) if about.memory.screened && !log.has("dialogId") => CallState::NoAnswer,
        ("FINISHED", _) if log.has("answerTime") => CallState::Completed,
        ("BUSY", _) | (_, "BUSY" | "REJECTED") => CallState::Busy,
        ("NO_ANSWER", _) | (_, "NO_ANSWER" | "REQUEST_TIMEOUT") => CallState::NoAnswer,
        ("CANCELLED", _) | (_, "CANCELLED") => CallState::Cancelled,
        // It ended as calls do, and nobody had answered.
        ("FINISHED", _) => CallState::NoAnswer,
        ("FAILED", _) => CallState::Failed,
        _ => return None,
    })
}
