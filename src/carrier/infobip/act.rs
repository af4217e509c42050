//! What can be done with a call, one request each; and how what is still to be done is written down.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{
    CAPABILITIES, Request, authorized, bare,
    config::Config,
    is_id,
    memory::{Memory, Other},
    seconds,
};
use crate::{
    carrier::plan::{Prompt, Sound},
    domain::phone::{Identifier, ProxyNumber},
    ids::LegId,
};

const JSON: &str = "application/json";

/// The most characters of one text that is spoken: as many as Infobip's voice messages take.
const SPOKEN_CHARS_MAX: usize = 1400;

/// The longest silence, and the longest `break` of SSML, of which it is made.
const PAUSE_MAX: Duration = Duration::from_mins(3);
const BREAK_MAX: u64 = 5000;

/// The shortest: what ends tells us that it is our turn.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The languages that Infobip speaks.
const LANGUAGES: &[&str] = &[
    "ar", "ar-ma", "bg", "bn", "ca", "cs", "da", "de", "de-at", "de-ch", "el", "en", "en-au",
    "en-ca", "en-gb", "en-ie", "en-in", "es", "es-ar", "es-mx", "fi", "fil-ph", "fr", "fr-ca",
    "fr-ch", "gu", "he", "hi", "hr", "hu", "id", "is", "it", "ja", "kk-kz", "kn", "ko", "ml",
    "mr-in", "ms", "nl", "no", "pl", "pt-br", "pt-pt", "ro", "ru", "sk", "sl", "sv", "sw-ke",
    "sw-tz", "ta", "te", "th", "tr", "uk", "ur-pk", "uz-uz", "vi", "zh-cn", "zh-tw",
];

/// Something to hear.
#[derive(Clone)]
pub(super) enum Heard {
    /// Words, in one of [`LANGUAGES`].
    Words {
        language: &'static str,
        text: String,
    },
    /// The file at this address.
    File(String),
    Silence(Duration),
}

impl Heard {
    pub(super) fn words(prompt: &Prompt) -> Self {
        Self::Words { language: language(&prompt.language), text: prompt.plain(SPOKEN_CHARS_MAX) }
    }

    pub(super) fn of(sound: &Sound) -> Self {
        match sound {
            Sound::Say(prompt) => Self::words(prompt),
            Sound::Play(address) => Self::File(address.clone()),
            Sound::Pause(length) => Self::Silence(*length),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Words { language, text } => format!("say {language} {text}"),
            Self::File(address) => format!("play {address}"),
            Self::Silence(length) => format!("pause {}", length.as_millis()),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(' ')?;
        Some(match verb {
            "say" => {
                let (tag, words) = rest.split_once(' ')?;
                Self::Words { language: language(tag), text: words.to_owned() }
            }
            "play" => Self::File(rest.to_owned()),
            "pause" => Self::Silence(Duration::from_millis(rest.parse().ok()?)),
            _ => return None,
        })
    }

    /// The words and their language; `None` for a file.
    fn spoken(&self) -> Option<(String, &'static str)> {
        match self {
            Self::Words { language, text } => Some((text.clone(), language)),
            Self::Silence(length) => Some((silence(*length), "en")),
            Self::File(_) => None,
        }
    }

    fn content(&self) -> Value {
        match (self, self.spoken()) {
            (Self::File(address), _) => json!({ "type": "URL", "fileUrl": address }),
            (_, Some((text, language))) => {
                json!({ "type": "TEXT", "text": text, "language": language })
            }
            (_, None) => Value::Null,
        }
    }

    fn requests(&self, config: &Config, call: &str, memory: &Memory) -> Vec<Request> {
        let data = memory.to_json();
        if let Some((text, language)) = self.spoken() {
            let body = json!({ "text": text, "language": language, "customData": data });
            return on_call(config, call, "say", &body);
        }
        on_call(config, call, "play", &json!({ "content": self.content(), "customData": data }))
    }
}

/// Somebody to ring.
#[derive(Clone)]
pub(super) struct Dial {
    pub(super) leg: LegId,
    pub(super) to: Identifier,
    /// What they see.
    pub(super) from: ProxyNumber,
    pub(super) ring: Duration,
    pub(super) most: Duration,
    /// Whether they are asked before they are connected.
    pub(super) screened: bool,
}

impl Dial {
    fn to_text(&self) -> String {
        let (to, from) = (bare(self.to.expose()), bare(self.from.as_str()));
        let (ring, most) = (self.ring.as_secs(), self.most.as_secs());
        let screened = u8::from(self.screened);
        format!("dial {} {to} {from} {ring} {most} {screened}", self.leg)
    }

    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [leg, to, from, ring, most, screened] = words[..] else { return None };
        Some(Self {
            leg: LegId::parse(leg).ok()?,
            to: Identifier::parse(&format!("+{to}")).ok()?,
            from: ProxyNumber::parse(&format!("+{from}")).ok()?,
            ring: Duration::from_secs(ring.parse().ok()?),
            most: Duration::from_secs(most.parse().ok()?),
            screened: screened == "1",
        })
    }

    fn ring_timeout(&self) -> u64 {
        let (least, most) = CAPABILITIES.ring_timeout;
        seconds(self.ring, least, most)
    }

    fn duration_max(&self) -> u64 {
        let most = CAPABILITIES.duration_max.unwrap_or(self.most);
        seconds(self.most, Duration::from_secs(1), most)
    }
}

/// One thing to do with a call.
#[derive(Clone)]
pub(super) enum Act {
    Hear(Heard),
    /// Waits for keys, playing something until the first.
    Keys {
        most: u32,
        timeout: Duration,
        end: Option<char>,
        prompt: Option<Heard>,
    },
    Dial(Dial),
    Hangup,
}

impl Act {
    /// Silence so short that nobody hears it: its end is told.
    pub(super) const fn beat() -> Self {
        Self::Hear(Heard::Silence(PAUSE_MIN))
    }

    /// Whether it can be done before the call is answered.
    pub(super) const fn needs_answer(&self) -> bool {
        matches!(self, Self::Hear(_) | Self::Keys { .. })
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Hear(heard) => heard.to_text(),
            Self::Keys { most, timeout, end, prompt } => {
                let end = end.map_or_else(|| "-".to_owned(), String::from);
                let prompt = prompt.as_ref().map(Heard::to_text).unwrap_or_default();
                format!("keys {most} {} {end} {prompt}", timeout.as_millis())
            }
            Self::Dial(dial) => dial.to_text(),
            Self::Hangup => "hangup ".to_owned(),
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(' ')?;
        match verb {
            "keys" => {
                let mut words = rest.splitn(4, ' ');
                let most = words.next()?.parse().ok()?;
                let timeout = Duration::from_millis(words.next()?.parse().ok()?);
                let end = words.next()?.chars().next().filter(|end| *end != '-');
                let prompt = words.next().and_then(Heard::read);
                Some(Self::Keys { most, timeout, end, prompt })
            }
            "dial" => Dial::read(rest).map(Self::Dial),
            "hangup" => Some(Self::Hangup),
            _ => Heard::read(text).map(Self::Hear),
        }
    }

    /// The requests that do it with `call`, which keeps `memory` and is `up` once it was answered.
    pub(super) fn requests(
        &self,
        config: &Config,
        call: &str,
        memory: &Memory,
        up: bool,
    ) -> Vec<Request> {
        match self {
            Self::Hear(heard) => heard.requests(config, call, memory),
            Self::Keys { most, timeout, end, prompt } => {
                let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                let mut body = json!({
                    "maxLength": most, "timeout": timeout, "digitTimeout": timeout,
                    "customData": memory.to_json(),
                });
                if let Some(end) = end {
                    body["terminator"] = end.to_string().into();
                }
                if let Some(prompt) = prompt {
                    body["playContent"] = prompt.content();
                }
                on_call(config, call, "capture/dtmf", &body)
            }
            Self::Dial(dial) => ring(config, (call, up), memory, dial),
            Self::Hangup => hang_up(config, call, None),
        }
    }
}

/// Rings somebody for the caller. Who is asked nothing is rung and connected by Infobip; who is asked is
/// rung by a call of its own, which is connected once they agree.
fn ring(config: &Config, (call, up): (&str, bool), caller: &Memory, dial: &Dial) -> Vec<Request> {
    let Some(leg) = caller.leg.clone().filter(|_| is_id(call)) else { return Vec::new() };
    let memory = Memory {
        leg: Some(dial.leg.clone()),
        turn: caller.turn,
        caller: Some(Other { leg, call: call.to_owned() }),
        caller_up: up,
        screened: dial.screened,
        ..Memory::default()
    };
    // Nothing of the caller is in it: whoever is rung sees `from`, a number of ours.
    let mut child = json!({
        "endpoint": { "type": "PHONE", "phoneNumber": bare(dial.to.expose()) },
        "from": bare(dial.from.as_str()),
        "connectTimeout": dial.ring_timeout(),
        "customData": memory.to_json(),
    });
    if !dial.screened {
        let mut body = json!({
            "parentCallId": call,
            "childCallRequest": child,
            "maxDuration": dial.duration_max(),
            // What comes next for the caller is said by us.
            "propagationOptions": { "childCallHangup": false },
        });
        // A caller whose call is not answered hears true ringing, and any other a tone.
        let options = &mut body["propagationOptions"];
        if up {
            options["ringbackGeneration"] = json!({ "enabled": true });
        } else {
            options["childCallRinging"] = true.into();
        }
        return vec![post(config, "/calls/1/dialogs", &body)];
    }
    child["callsConfigurationId"] = config.calls_configuration.as_str().into();
    child["parentCallId"] = call.into();
    child["maxDuration"] = dial.duration_max().into();
    let mut requests = Vec::new();
    if !up {
        let path = format!("/calls/1/calls/{call}/send-ringing");
        requests.push(authorized(config, Request::new(Method::POST, config.url(&path))));
    }
    requests.push(post(config, "/calls/1/calls", &child));
    requests
}

/// Answers a call that came in.
pub(super) fn answer(config: &Config, call: &str, memory: &Memory) -> Vec<Request> {
    on_call(config, call, "answer", &json!({ "customData": memory.to_json() }))
}

/// Connects a caller with somebody who was rung; both have answered.
pub(super) fn bridge(config: &Config, caller: &str, rung: &str) -> Vec<Request> {
    if !is_id(caller) || !is_id(rung) {
        return Vec::new();
    }
    let path = format!("/calls/1/dialogs/parent-call/{caller}/child-call/{rung}");
    let body = json!({ "propagationOptions": { "childCallHangup": false } });
    vec![post(config, &path, &body)]
}

/// Ends a call; one that is not answered may be given a reason.
pub(super) fn hang_up(config: &Config, call: &str, reason: Option<&str>) -> Vec<Request> {
    let body = reason.map_or_else(|| json!({}), |reason| json!({ "errorCode": reason }));
    on_call(config, call, "hangup", &body)
}

/// A request about a call; none where its id is no id: it becomes a part of the path.
fn on_call(config: &Config, call: &str, verb: &str, body: &Value) -> Vec<Request> {
    let path = format!("/calls/1/calls/{call}/{verb}");
    is_id(call).then(|| post(config, &path, body)).into_iter().collect()
}

/// A request with a JSON body.
pub(super) fn post(config: &Config, path: &str, body: &Value) -> Request {
    authorized(config, Request::post(config.url(path), JSON, body.to_string()))
}

/// Infobip's word for a language: the country's own, or else that of the language, or else English.
fn language(tag: &str) -> &'static str {
    let tag = tag.to_ascii_lowercase();
    let main = tag.split('-').next().unwrap_or_default();
    let known = |word: &str| LANGUAGES.iter().find(|known| **known == word).copied();
    let family = || LANGUAGES.iter().find(|known| known.split('-').next() == Some(main)).copied();
    known(&tag).or_else(|| known(main)).or_else(family).unwrap_or("en")
}

/// SSML that is silent: there is no other way to wait.
fn silence(length: Duration) -> String {
    let length = length.clamp(PAUSE_MIN, PAUSE_MAX).as_millis();
    let mut left = u64::try_from(length).unwrap_or(0);
    let mut text = String::from("<speak>");
    while left > 0 {
        let one = left.min(BREAK_MAX);
        text.extend(["<break time=\"", &one.to_string(), "ms\"/>"]);
        left -= one;
    }
    text.push_str("</speak>");
    text
}
