//! Call Control: what it tells of calls, and how it steers them.

use std::time::Duration;

use serde_json::Value;

use super::{Links, WebhookError, config::Config, is_call_id, is_id, webhook::attestation};
use crate::{
    carrier::{
        commanded::{Direct, Manner, News, Over, What},
        error::plain_code,
        event::InboundCall,
        fields::keys,
        memory::Memory,
        number::{called, heard},
    },
    domain::{assurance::Attestation, call::CallState, time::Timestamp},
};

/// How Call Control goes about it: a transfer is for callers whose call was answered, and lets them hear it
/// ring; all others are rung by a call of their own, while the caller's is left unanswered.
pub(super) static MANNER: Manner = Manner {
    direct: Direct::OnceUp,
    tells_joined: true,
    spoken_max: 3000,
    keys_max: 128,
    keys_timeout: (Duration::from_secs(1), Duration::from_mins(2)),
};

/// The most keys that are read.
const KEYS_MAX: usize = 128;

/// Whether an event is one of Call Control.
pub(super) fn is_about(event: &Value) -> bool {
    event["event_type"].as_str().is_some_and(|kind| kind.starts_with("call."))
}

/// Reads one event of a call: the `data` of a webhook.
///
/// # Errors
/// [`WebhookError::Malformed`] where a field that we need is missing or wrong; [`WebhookError::BadToken`].
pub(super) fn news(config: &Config, event: &Value, links: &Links) -> Result<News, WebhookError> {
    let payload = &event["payload"];
    let call = payload["call_control_id"].as_str().filter(|id| is_call_id(id));
    let call = call.ok_or(WebhookError::Malformed("call_control_id"))?;
    let at = event["occurred_at"].as_str().and_then(time);
    // Other programs may have calls of their own in the account.
    let connection = payload["connection_id"].as_str();
    let ours = connection.is_none_or(|id| id == config.application_id);
    let token = payload["client_state"].as_str().filter(|_| ours);
    let memory = token.map_or(Ok(None), |token| Memory::open(token, call, links))?;
    let memory = memory.unwrap_or_default();
    let what = if ours {
        About { call, payload, memory: &memory, at }.what(event["event_type"].as_str())?
    } else {
        What::Other("of another application")
    };
    Ok(News { call: call.to_owned(), memory, at, what })
}

/// One event.
struct About<'a> {
    call: &'a str,
    payload: &'a Value,
    memory: &'a Memory,
    at: Option<Timestamp>,
}

impl About<'_> {
    fn what(&self, kind: Option<&str>) -> Result<What, WebhookError> {
        // What was cut short by the end of the call has nothing to follow it.
        let cut_short = self.payload["status"] == "call_hangup";
        Ok(match kind.unwrap_or_default() {
            "call.initiated" => match self.payload["direction"].as_str() {
                Some("incoming") => self.came_in()?,
                Some("outgoing") => What::Progress(CallState::Initiated),
                _ => What::Other("a call without a direction"),
            },
            "call.answered" => What::Answered,
            "call.bridged" => What::Joined,
            "call.speak.ended" | "call.playback.ended" | "call.gather.ended" if cut_short => {
                What::Other("cut short by the end of the call")
            }
            // Also a file that could not be played: what comes after it is done all the same.
            "call.speak.ended" | "call.playback.ended" => What::Heard,
            "call.gather.ended" => self.pressed()?,
            "call.dtmf.received" => self.key(),
            "call.recording.saved" => self.recorded(),
            "call.hangup" => self.over(),
            _ => What::Other("an event of a call that is not about its steps"),
        })
    }

    fn came_in(&self) -> Result<What, WebhookError> {
        let to = self.payload["to"].as_str().ok_or(WebhookError::Malformed("to"))?;
        let from = self.payload["from"].as_str().ok_or(WebhookError::Malformed("from"))?;
        let Some(to) = called(to).map_err(|()| WebhookError::Malformed("to"))? else {
            return Ok(What::Other("not to a telephone number"));
        };
        let told =
            attestation(self.payload["shaken_stir_attestation"].as_str().unwrap_or_default());
        // A level that was signed, and does not hold.
        let broken = self.payload["shaken_stir_validated"] == false && told != Attestation::None;
        let attestation = if broken { Attestation::Failed } else { told };
        let id = self.call.to_owned();
        Ok(What::CameIn(InboundCall { id, from: heard(from), to, attestation }))
    }

    fn pressed(&self) -> Result<What, WebhookError> {
        let digits = self.payload["digits"].as_str().unwrap_or_default();
        Ok(What::Pressed(keys(digits, KEYS_MAX, "digits")?))
    }

    fn key(&self) -> What {
        let mut digits = self.payload["digit"].as_str().unwrap_or_default().chars();
        match (digits.next(), digits.next()) {
            (Some(key), None) => What::Key(key),
            _ => What::Other("a key that is none"),
        }
    }

    /// Where it lies at an address that is open for ten minutes.
    fn recorded(&self) -> What {
        let id = self.payload["recording_id"].as_str().filter(|id| is_id(id));
        let urls = &self.payload["recording_urls"];
        let address = urls["mp3"].as_str().or_else(|| urls["wav"].as_str());
        let Some((id, address)) = id.zip(address) else {
            return What::Other("a recording that is not there");
        };
        let at = |key: &str| self.payload[key].as_str().and_then(time);
        let length = at("recording_started_at").zip(at("recording_ended_at"));
        What::Recorded {
            id: id.to_owned(),
            address: address.to_owned(),
            length: length.map(|(from, to)| to.since(from)),
        }
    }

    fn over(&self) -> What {
        let cause = self.payload["hangup_cause"].as_str().unwrap_or_default();
        let joined = self.memory.joined;
        let state = match cause {
            _ if joined.is_some() => CallState::Completed,
            "normal_clearing" | "time_limit" => CallState::Completed,
            "user_busy" | "call_rejected" => CallState::Busy,
            "no_answer" | "timeout" => CallState::NoAnswer,
            "originator_cancel" => CallState::Cancelled,
            // A word that we don't know must still end the interaction.
            _ => CallState::Failed,
        };
        // Telnyx does not tell how long two were connected.
        let began = joined.filter(|at| *at > Timestamp::EPOCH);
        let duration = began.zip(self.at).map(|(began, ended)| ended.since(began));
        What::Over(Over { state, joined: joined.is_some(), duration, code: plain_code(cause) })
    }
}

fn time(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}
