//! What the Calls API tells: a call that came in, how far a call has come, what was heard and pressed.

use serde_json::Value;

use super::{
    Links, WebhookError,
    config::Config,
    fields::{Fields, keys},
    is_id,
};
use crate::{
    carrier::{
        commanded::{News, Over, What},
        error::plain_code,
        event::InboundCall,
        memory::Memory,
    },
    domain::{assurance::Attestation, call::CallState},
};

/// The custom data's one key: it is not documented whether keys that are left out keep their value.
pub(super) const MEMORY: &str = "memory";

/// The most keys that are read.
const KEYS_MAX: usize = 64;

/// One event of a call.
struct About<'a> {
    call: &'a str,
    memory: &'a Memory,
    /// The call as the event shows it, and what else it says.
    properties: &'a Value,
}

/// Reads a webhook's body; `None` for one that is about no call.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong; [`WebhookError::BadToken`].
pub(super) fn news(
    config: &Config,
    body: &[u8],
    links: &Links,
) -> Result<Option<News>, WebhookError> {
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    let properties = &event["properties"];
    let call = event["callId"].as_str().or_else(|| properties["call"]["id"].as_str());
    let (Some(call), Some(kind)) = (call.filter(|call| is_id(call)), event["type"].as_str()) else {
        return Ok(None);
    };
    let configuration = event["callsConfigurationId"].as_str();
    let ours = configuration.is_none_or(|id| id == config.calls_configuration);
    let data = [properties, &properties["call"], &properties["callLog"]]
        .map(|place| &place["customData"])
        .into_iter()
        .find(|data| data.is_object());
    let token = data.and_then(|data| data[MEMORY].as_str()).filter(|_| ours);
    let memory = token.map_or(Ok(None), |token| Memory::open(token, call, links))?;
    let memory = memory.unwrap_or_default();
    let what = if ours {
        About { call, memory: &memory, properties }.what(kind)?
    } else {
        What::Other("of another calls configuration")
    };
    Ok(Some(News { call: call.to_owned(), memory, at: None, what }))
}

impl About<'_> {
    fn what(&self, kind: &str) -> Result<What, WebhookError> {
        Ok(match kind {
            "CALL_RECEIVED" => self.came_in()?,
            "CALL_STARTED" => What::Progress(CallState::Initiated),
            // Early media: a tone, or words of the network.
            "CALL_RINGING" | "CALL_PRE_ESTABLISHED" => What::Progress(CallState::Ringing),
            "CALL_ESTABLISHED" => What::Answered,
            "CALL_FINISHED" | "CALL_FAILED" => self.over(),
            "SAY_FINISHED" | "PLAY_FINISHED" => What::Heard,
            "DTMF_CAPTURED" => self.pressed()?,
            _ => What::Other("an event that we do not know"),
        })
    }

    fn came_in(&self) -> Result<What, WebhookError> {
        let fields = Fields(self.properties["call"].clone());
        if fields.text("direction") == Some("OUTBOUND") {
            return Ok(What::Other("a call of ours"));
        }
        let Some(to) = fields.proxy("to")? else {
            return Ok(What::Other("not to a telephone number"));
        };
        let (id, from) = (self.call.to_owned(), fields.caller("from"));
        Ok(What::CameIn(InboundCall { id, from, to, attestation: Attestation::None }))
    }

    fn pressed(&self) -> Result<What, WebhookError> {
        let digits = self.properties["dtmf"].as_str().unwrap_or_default();
        Ok(What::Pressed(keys(digits, KEYS_MAX, "dtmf")?))
    }

    fn over(&self) -> What {
        // With its end a call is called a log.
        let log = match &self.properties["callLog"] {
            Value::Null => &self.properties["call"],
            log => log,
        };
        let log = Fields(log.clone());
        let joined = log.has("dialogId");
        let Some(state) = self.end_state(&log, joined) else {
            return What::Other("a call's state that we do not know");
        };
        let code = log.0["errorCode"]["name"].as_str().filter(|name| *name != "NORMAL_HANGUP");
        let (duration, code) = (log.seconds("duration"), code.and_then(plain_code));
        What::Over(Over { state, joined, duration, code })
    }

    fn end_state(&self, log: &Fields, joined: bool) -> Option<CallState> {
        let reason = log.0["errorCode"]["name"].as_str().unwrap_or_default();
        Some(match (log.text("state")?, reason) {
            ("FINISHED", _) if log.has("answerTime") || self.memory.is_apart() && !joined => {
                CallState::Completed
            }
            ("BUSY", _) | (_, "BUSY" | "REJECTED") => CallState::Busy,
            ("NO_ANSWER", _) | (_, "NO_ANSWER" | "REQUEST_TIMEOUT") => CallState::NoAnswer,
            ("CANCELLED", _) | (_, "CANCELLED") => CallState::Cancelled,
            // It ended as calls do, and nobody had answered.
            ("FINISHED", _) => CallState::NoAnswer,
            ("FAILED", _) => CallState::Failed,
            _ => return None,
        })
    }
}
