//! What phones show, as JSON. Each phone's owner sees numbers and words in clear: it is theirs.

use serde::{Deserialize, Serialize};

use crate::domain::{phone::Identifier, time::Timestamp};
use crate::sandbox::{
    CallEnd, CallStage, CallView, Direction, Faults, PhoneView, Sound, TextState, TextView,
};

#[derive(Serialize)]
pub(super) struct PhoneJson<'a> {
    id: String,
    name: &'a str,
    number: &'a str,
    contacts: Vec<ContactJson<'a>>,
    texts: Vec<TextJson<'a>>,
    calls: Vec<CallJson<'a>>,
    version: u64,
}

#[derive(Serialize)]
struct ContactJson<'a> {
    label: &'a str,
    number: &'a str,
}

#[derive(Serialize)]
struct TextJson<'a> {
    id: &'a str,
    direction: &'static str,
    other: &'a str,
    text: &'a str,
    media: &'a [String],
    at_ms: i64,
    state: &'static str,
}

#[derive(Serialize)]
struct CallJson<'a> {
    id: &'a str,
    direction: &'static str,
    other: Option<&'a str>,
    stage: &'static str,
    ended: Option<&'static str>,
    at_ms: i64,
    answered_at_ms: Option<i64>,
    ended_at_ms: Option<i64>,
    heard: Vec<SoundJson<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "sound", rename_all = "snake_case")]
enum SoundJson<'a> {
    Ringing,
    Busy,
    Tone,
    Words { text: &'a str, language: &'a str, question: bool },
    Audio { url: &'a str },
    Person,
    Key { key: char },
}

/// A phone's view as JSON.
pub(super) fn phone(view: &PhoneView) -> PhoneJson<'_> {
    PhoneJson {
        id: view.id.to_string(),
        name: &view.name,
        number: view.number.expose(),
        contacts: view
            .contacts
            .iter()
            .map(|contact| ContactJson { label: &contact.label, number: contact.number.expose() })
            .collect(),
        texts: view.texts.iter().map(text).collect(),
        calls: view.calls.iter().map(call).collect(),
        version: view.version,
    }
}

fn text(view: &TextView) -> TextJson<'_> {
    TextJson {
        id: &view.id,
        direction: direction(view.direction),
        other: view.other.expose(),
        text: view.body.expose(),
        media: &view.media,
        at_ms: view.at.millis(),
        state: match view.state {
            TextState::Sending => "sending",
            TextState::Sent => "sent",
            TextState::Failed => "failed",
            TextState::Received => "received",
        },
    }
}

fn call(view: &CallView) -> CallJson<'_> {
    let (stage, ended) = match view.stage {
        CallStage::Dialling => ("dialling", None),
        CallStage::Ringing => ("ringing", None),
        CallStage::Connected => ("connected", None),
        CallStage::Ended(how) => ("ended", Some(end(how))),
    };
    CallJson {
        id: view.id.as_str(),
        direction: direction(view.direction),
        other: view.other.as_ref().map(Identifier::expose),
        stage,
        ended,
        at_ms: view.at.millis(),
        answered_at_ms: view.answered_at.map(Timestamp::millis),
        ended_at_ms: view.ended_at.map(Timestamp::millis),
        heard: view.heard.iter().map(sound).collect(),
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

fn end(how: CallEnd) -> &'static str {
    match how {
        CallEnd::Finished => "finished",
        CallEnd::Declined => "declined",
        CallEnd::Missed => "missed",
        CallEnd::Cancelled => "cancelled",
        CallEnd::Failed => "failed",
    }
}

fn sound(sound: &Sound) -> SoundJson<'_> {
    match sound {
        Sound::Ringing => SoundJson::Ringing,
        Sound::Busy => SoundJson::Busy,
        Sound::Tone => SoundJson::Tone,
        Sound::Words { text, language, question } => {
            SoundJson::Words { text, language, question: *question }
        }
        Sound::Audio { url } => SoundJson::Audio { url },
        Sound::Person => SoundJson::Person,
        Sound::Key(key) => SoundJson::Key { key: *key },
    }
}

/// The faults as JSON; a field that is left out is off.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FaultsJson {
    slow_ms: u64,
    fail_next: u32,
    fail_status: u16,
    accept_then_fail: u32,
    accept_then_reset: bool,
    duplicate_copies: u8,
    duplicate_percent: u8,
    reorder_percent: u8,
    lost_receipt_percent: u8,
    lost_webhook_percent: u8,
}

impl Default for FaultsJson {
    fn default() -> Self {
        Faults::default().into()
    }
}

impl From<Faults> for FaultsJson {
    fn from(faults: Faults) -> Self {
        Self {
            slow_ms: faults.slow_ms,
            fail_next: faults.fail_next,
            fail_status: faults.fail_status,
            accept_then_fail: faults.accept_then_fail,
            accept_then_reset: faults.accept_then_reset,
            duplicate_copies: faults.duplicate_copies,
            duplicate_percent: faults.duplicate_percent,
            reorder_percent: faults.reorder_percent,
            lost_receipt_percent: faults.lost_receipt_percent,
            lost_webhook_percent: faults.lost_webhook_percent,
        }
    }
}

impl From<FaultsJson> for Faults {
    fn from(faults: FaultsJson) -> Self {
        Self {
            slow_ms: faults.slow_ms,
            fail_next: faults.fail_next,
            fail_status: faults.fail_status,
            accept_then_fail: faults.accept_then_fail,
            accept_then_reset: faults.accept_then_reset,
            duplicate_copies: faults.duplicate_copies,
            duplicate_percent: faults.duplicate_percent,
            reorder_percent: faults.reorder_percent,
            lost_receipt_percent: faults.lost_receipt_percent,
            lost_webhook_percent: faults.lost_webhook_percent,
        }
    }
}
