//! Steps of a call as commands of Call Control.

use std::time::Duration;

use http::{
    Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};

use super::{
    Answer, CALL_CONTROL, Links, Reply, Request, config::Config, control::MANNER, is_call_id,
    send::authorized,
};
use crate::{
    carrier::{
        acts::{Heard, Wanted, silence},
        commanded::{News, Ring, Step},
        memory::{Memory, On},
        outbound::{OutboundCall, RecordingCommand},
        plan::RejectReason,
        signature,
    },
    domain::{
        phone::{Identifier, ProxyNumber},
        recording::RecordingAct,
    },
    ids::hex,
};

/// The least that a call which we place can last.
const CALL_LEAST: Duration = Duration::from_secs(30);

/// The longest that keys are waited for altogether.
const KEYS_ALTOGETHER: Duration = Duration::from_mins(10);

/// The longest recording that we ask for.
const RECORD_MAX: Duration = Duration::from_mins(5);

/// The voice that heeds `language`.
const VOICE: &str = "female";

/// The languages that Telnyx speaks.
const LANGUAGES: &[&str] = &[
    "en-US",
    "en-GB",
    "en-AU",
    "en-GB-WLS",
    "en-IN",
    "arb",
    "cmn-CN",
    "cy-GB",
    "da-DK",
    "de-DE",
    "es-ES",
    "es-MX",
    "es-US",
    "fr-FR",
    "fr-CA",
    "hi-IN",
    "is-IS",
    "it-IT",
    "ja-JP",
    "ko-KR",
    "nb-NO",
    "nl-NL",
    "pl-PL",
    "pt-PT",
    "pt-BR",
    "ro-RO",
    "ru-RU",
    "sv-SE",
    "tr-TR",
];

/// Words an answer: an empty one, and commands for the call that the webhook was about.
pub(super) fn reply(config: &Config, answer: &Answer, news: Option<&News>, links: &Links) -> Reply {
    MANNER.reply(answer, news, |step| request(config, links, step))
}

/// The request for one step; none where a call's id is no id, or where what it is to keep can't be sealed.
fn request(config: &Config, links: &Links, step: &Step) -> Option<Request> {
    let state = |keep: &Memory, call: &str| keep.seal(Some(call), links);
    let (call, verb, body) = match step {
        Step::Answer { call, keep } => {
            (call, "answer", json!({ "client_state": state(keep, call)? }))
        }
        Step::Reject { call, why } => {
            let cause = match why {
                RejectReason::Busy => "USER_BUSY",
                RejectReason::Declined => "CALL_REJECTED",
            };
            (call, "reject", json!({ "cause": cause }))
        }
        Step::Hear { call, heard, keep } => {
            let state = state(keep, call)?;
            match heard {
                Heard::File(address) => {
                    let body = json!({ "audio_url": address, "client_state": state });
                    (call, "playback_start", body)
                }
                _ => (call, "speak", speech(heard, json!({ "client_state": state }))),
            }
        }
        Step::Keys { call, wanted, keep } => {
            let (verb, body) = gather(wanted, &state(keep, call)?);
            (call, verb, body)
        }
        Step::Record { call, record, keep } => {
            // No `timeout_secs`: Telnyx finds silence by having what is said transcribed.
            let body = json!({
                "format": "mp3",
                "channels": "single",
                "recording_track": "inbound",
                "play_beep": true,
                "max_length": record.longest.min(RECORD_MAX).as_secs().max(1),
                "client_state": state(keep, call)?,
            });
            (call, "record_start", body)
        }
        Step::Ring(ring) => return rings(config, links, ring),
        Step::Join { caller, rung, stays } => {
            if !is_call_id(rung) {
                return None;
            }
            let body = json!({ "call_control_id": rung, "prevent_double_bridge": true });
            (caller, "bridge", staying(body, *stays))
        }
        Step::Keep { call, keep } => {
            let body = json!({ "client_state": state(keep, call)? });
            let path = format!("/calls/{call}/actions/client_state_update");
            let mut request = Request::new(Method::PUT, config.url(&path));
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.body = body.to_string().into();
            return is_call_id(call).then(|| authorized(config, request));
        }
        Step::HangUp { call, up: true } => (call, "hangup", json!({})),
        // Nothing else is heeded of a call that came in before it is answered.
        Step::HangUp { call, up: false } => (call, "reject", json!({ "cause": "CALL_REJECTED" })),
    };
    on_call(config, call, verb, body)
}

/// A command to a call; none where its id is no id: it becomes a part of the path.
fn on_call(config: &Config, call: &str, verb: &str, body: Value) -> Option<Request> {
    let path = format!("/calls/{call}/actions/{verb}");
    is_call_id(call).then(|| command(config, &path, body))
}

/// A command with the id by which Telnyx drops one that it has had within a minute. It is made of all that
/// the command says, which is the leg and how far its call has come.
fn command(config: &Config, path: &str, mut body: Value) -> Request {
    let said = signature::sign_sha256(b"entremise commands", format!("{path}\n{body}").as_bytes());
    body["command_id"] = hex(said.get(..16).unwrap_or_default()).into();
    authorized(config, Request::post(config.url(path), "application/json", body.to_string()))
}

/// Ends a call. Without an id of the command: ending one twice does no harm, and a second try is one.
pub(super) fn hang_up(config: &Config, call: &str) -> Option<Request> {
    let path = config.url(&format!("/calls/{call}/actions/hangup"));
    is_call_id(call).then(|| Request::post(path, "application/json", "{}"))
}

/// What is asked about the recording of a call. Its news brings back what the call keeps, which nothing here changes.
/// Without an id of the command: what is paused again after it went on is no repetition.
pub(super) fn recording(config: &Config, asked: &RecordingCommand) -> Option<Request> {
    let (verb, body) = match asked.act {
        RecordingAct::Start => {
            let body = json!({
                "format": "mp3",
                "channels": "single",
                "recording_track": "both",
                "play_beep": false,
            });
            ("record_start", body)
        }
        RecordingAct::Pause => ("record_pause", json!({})),
        RecordingAct::Resume => ("record_resume", json!({})),
        RecordingAct::Stop => ("record_stop", json!({})),
    };
    let url = config.url(&format!("/calls/{}/actions/{verb}", asked.call));
    is_call_id(&asked.call).then(|| Request::post(url, "application/json", body.to_string()))
}

/// Rings somebody for a caller. Nothing of the caller is in it: neither their number nor a link between the
/// calls, by which Telnyx could show it.
fn rings(config: &Config, links: &Links, ring: &Ring) -> Option<Request> {
    let dial = &ring.dial;
    let keep = ring.keep.seal(None, links)?;
    let mut body = leg(&dial.to, &dial.from, dial.ring, dial.most);
    if ring.direct {
        body["client_state"] = ring.caller_keeps.seal(Some(&ring.caller), links)?.into();
        body["target_leg_client_state"] = keep.into();
        return on_call(config, &ring.caller, "transfer", staying(body, ring.stays));
    }
    body["connection_id"] = config.application_id.as_str().into();
    body["client_state"] = keep.into();
    Some(command(config, "/calls", body))
}

/// The request that places a call; `None` where what it is to keep can't be sealed.
pub(super) fn place(config: &Config, plan: &OutboundCall, links: &Links) -> Option<Request> {
    let memory = Memory { leg: Some(plan.leg.clone()), on: On::Placed, ..Memory::default() };
    let mut body = leg(&plan.to, &plan.from, plan.ring_timeout, plan.duration_max);
    body["connection_id"] = config.application_id.as_str().into();
    body["client_state"] = memory.seal(None, links)?.into();
    Some(command(config, "/calls", body))
}

/// A new leg: who is rung and what they see, the number and the name, whatever Telnyx shows without them.
fn leg(to: &Identifier, from: &ProxyNumber, ring: Duration, most: Duration) -> Value {
    let (least, longest_ring) = CALL_CONTROL.ring_timeout;
    let longest = CALL_CONTROL.duration_max.unwrap_or(most);
    json!({
        "to": to.expose(),
        "from": from.as_str(),
        "from_display_name": from.as_str(),
        "privacy": "none",
        "timeout_secs": ring.clamp(least, longest_ring).as_secs(),
        "time_limit_secs": most.clamp(CALL_LEAST, longest).as_secs(),
    })
}

/// With word that the caller stays where the other side hangs up; else Telnyx ends both.
fn staying(mut body: Value, stays: bool) -> Value {
    if stays {
        body["park_after_unbridge"] = "self".into();
    }
    body
}

/// Adds what is spoken. Whatever stands in the words, they are no markup.
fn speech(heard: &Heard, mut body: Value) -> Value {
    let (payload, kind, language) = match heard {
        Heard::Words(prompt) => (prompt.text.clone(), "text", language(&prompt.language)),
        Heard::Silence(length) => (silence(*length), "ssml", "en-US"),
        Heard::File(_) => return body,
    };
    body["payload"] = payload.into();
    body["payload_type"] = kind.into();
    body["service_level"] = "premium".into();
    body["voice"] = VOICE.into();
    body["language"] = language.into();
    body
}

/// The command that waits for keys, and what it says.
fn gather(wanted: &Wanted, state: &str) -> (&'static str, Value) {
    let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let timeout = millis(wanted.timeout);
    let mut body = json!({
        "minimum_digits": 1,
        "maximum_digits": wanted.most,
        "inter_digit_timeout_millis": timeout,
        // Empty where no key ends the input: left out it would be `#`.
        "terminating_digit": wanted.end.map(String::from).unwrap_or_default(),
        "client_state": state,
    });
    let verb = match &wanted.prompt {
        Some(Heard::File(address)) => {
            body["audio_url"] = address.as_str().into();
            "gather_using_audio"
        }
        Some(heard) => {
            body = speech(heard, body);
            "gather_using_speak"
        }
        None => {
            let altogether = wanted.timeout.saturating_mul(wanted.most.saturating_add(1));
            body["initial_timeout_millis"] = timeout.into();
            body["timeout_millis"] = millis(altogether.min(KEYS_ALTOGETHER)).into();
            return ("gather", body);
        }
    };
    body["timeout_millis"] = timeout.into();
    // It is for us to ask again.
    body["maximum_tries"] = 1.into();
    (verb, body)
}

/// Telnyx's word for a language: the country's own, or else another of that language, or else English.
pub(super) fn language(tag: &str) -> &'static str {
    let main = |tag: &str| match tag.split('-').next().unwrap_or_default() {
        "no" | "nn" => "nb".to_owned(),
        "zh" => "cmn".to_owned(),
        "ar" => "arb".to_owned(),
        main => main.to_owned(),
    };
    let tag = tag.to_ascii_lowercase();
    let known = LANGUAGES.iter().find(|known| known.eq_ignore_ascii_case(&tag));
    let family = || LANGUAGES.iter().find(|known| main(&known.to_ascii_lowercase()) == main(&tag));
    known.or_else(family).copied().unwrap_or("en-US")
}
