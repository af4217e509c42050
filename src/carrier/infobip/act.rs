//! What can be done with a call, as requests to the Calls API.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{
    CAPABILITIES, Links, Request, authorized, bare, calls::MEMORY, config::Config, is_id, seconds,
};
use crate::carrier::{
    acts::{Heard, Wanted, silence},
    commanded::{Ring, Step},
    memory::Memory,
    plan::RejectReason,
};

const JSON: &str = "application/json";

/// The languages that Infobip speaks.
const LANGUAGES: &[&str] = &[
    "ar", "ar-ma", "bg", "bn", "ca", "cs", "da", "de", "de-at", "de-ch", "el", "en", "en-au",
    "en-ca", "en-gb", "en-ie", "en-in", "es", "es-ar", "es-mx", "fi", "fil-ph", "fr", "fr-ca",
    "fr-ch", "gu", "he", "hi", "hr", "hu", "id", "is", "it", "ja", "kk-kz", "kn", "ko", "ml",
    "mr-in", "ms", "nl", "no", "pl", "pt-br", "pt-pt", "ro", "ru", "sk", "sl", "sv", "sw-ke",
    "sw-tz", "ta", "te", "th", "tr", "uk", "ur-pk", "uz-uz", "vi", "zh-cn", "zh-tw",
];

/// The requests for one step; none where a call's id is no id, or where what it is to keep can't be sealed.
pub(super) fn requests(config: &Config, links: &Links, step: &Step) -> Vec<Request> {
    worded(config, links, step).unwrap_or_default()
}

fn worded(config: &Config, links: &Links, step: &Step) -> Option<Vec<Request>> {
    let data = |keep: &Memory, call: &str| custom_data(keep, Some(call), links);
    let one = match step {
        Step::Answer { call, keep } => {
            on_call(config, call, "answer", &json!({ "customData": data(keep, call)? }))?
        }
        Step::Reject { call, why } => {
            let reason = match why {
                RejectReason::Busy => "BUSY",
                RejectReason::Declined => "REJECTED",
            };
            on_call(config, call, "hangup", &json!({ "errorCode": reason }))?
        }
        Step::Hear { call, heard, keep } => {
            let data = data(keep, call)?;
            if let Some((text, language)) = spoken(heard) {
                let body = json!({ "text": text, "language": language, "customData": data });
                on_call(config, call, "say", &body)?
            } else {
                let body = json!({ "content": content(heard), "customData": data });
                on_call(config, call, "play", &body)?
            }
        }
        Step::Keys { call, wanted, keep } => {
            let body = capture(wanted, &data(keep, call)?);
            on_call(config, call, "capture/dtmf", &body)?
        }
        Step::Ring(ring) => return ringing(config, links, ring),
        Step::Join { caller, rung, .. } => bridge(config, caller, rung)?,
        // What a call keeps is changed by what is done with it; its news of a recording does not say
        // where that lies.
        Step::Keep { .. } | Step::Record { .. } => return None,
        Step::HangUp { call, .. } => hang_up(config, call)?,
    };
    Some(vec![one])
}

/// What a call keeps, for itself or for a call to be.
pub(super) fn custom_data(keep: &Memory, call: Option<&str>, links: &Links) -> Option<Value> {
    keep.seal(call, links).map(|token| json!({ MEMORY: token }))
}

/// Rings somebody for the caller. Who is asked nothing is rung and connected by Infobip; who is asked is
/// rung by a call of its own, which is connected once they agree.
fn ringing(config: &Config, links: &Links, ring: &Ring) -> Option<Vec<Request>> {
    let call = Some(&*ring.caller).filter(|call| is_id(call))?;
    let dial = &ring.dial;
    let (least, most) = CAPABILITIES.ring_timeout;
    let longest = CAPABILITIES.duration_max.unwrap_or(dial.most);
    let longest = seconds(dial.most, Duration::from_secs(1), longest);
    // Nothing of the caller is in it: whoever is rung sees `from`, a number of ours.
    let mut child = json!({
        "endpoint": { "type": "PHONE", "phoneNumber": bare(dial.to.expose()) },
        "from": bare(dial.from.as_str()),
        "connectTimeout": seconds(dial.ring, least, most),
        "customData": custom_data(&ring.keep, None, links)?,
    });
    if ring.direct {
        let mut body = json!({
            "parentCallId": call,
            "childCallRequest": child,
            "maxDuration": longest,
            // What comes next for the caller is said by us.
            "propagationOptions": { "childCallHangup": false },
        });
        // A caller whose call is not answered hears true ringing, and any other a tone.
        let options = &mut body["propagationOptions"];
        if ring.up {
            options["ringbackGeneration"] = json!({ "enabled": true });
        } else {
            options["childCallRinging"] = true.into();
        }
        return Some(vec![post(config, "/calls/1/dialogs", &body)]);
    }
    child["callsConfigurationId"] = config.calls_configuration.as_str().into();
    child["parentCallId"] = call.into();
    child["maxDuration"] = longest.into();
    let mut requests = Vec::new();
    if !ring.up {
        let path = format!("/calls/1/calls/{call}/send-ringing");
        requests.push(authorized(config, Request::new(Method::POST, config.url(&path))));
    }
    requests.push(post(config, "/calls/1/calls", &child));
    Some(requests)
}

fn capture(wanted: &Wanted, data: &Value) -> Value {
    let timeout = u64::try_from(wanted.timeout.as_millis()).unwrap_or(u64::MAX);
    let mut body = json!({
        "maxLength": wanted.most, "timeout": timeout, "digitTimeout": timeout, "customData": data,
    });
    if let Some(end) = wanted.end {
        body["terminator"] = end.to_string().into();
    }
    if let Some(prompt) = &wanted.prompt {
        body["playContent"] = content(prompt);
    }
    body
}

/// Connects a caller with somebody who was rung; both have answered.
fn bridge(config: &Config, caller: &str, rung: &str) -> Option<Request> {
    let path = format!("/calls/1/dialogs/parent-call/{caller}/child-call/{rung}");
    let body = json!({ "propagationOptions": { "childCallHangup": false } });
    (is_id(caller) && is_id(rung)).then(|| post(config, &path, &body))
}

/// Ends a call.
pub(super) fn hang_up(config: &Config, call: &str) -> Option<Request> {
    on_call(config, call, "hangup", &json!({}))
}

/// A request about a call; none where its id is no id: it becomes a part of the path.
fn on_call(config: &Config, call: &str, verb: &str, body: &Value) -> Option<Request> {
    let path = format!("/calls/1/calls/{call}/{verb}");
    is_id(call).then(|| post(config, &path, body))
}

/// A request with a JSON body.
pub(super) fn post(config: &Config, path: &str, body: &Value) -> Request {
    authorized(config, Request::post(config.url(path), JSON, body.to_string()))
}

/// The words and their language; `None` for a file.
fn spoken(heard: &Heard) -> Option<(String, &'static str)> {
    match heard {
        Heard::Words(prompt) => Some((prompt.text.clone(), language(&prompt.language))),
        Heard::Silence(length) => Some((silence(*length), "en")),
        Heard::File(_) => None,
    }
}

fn content(heard: &Heard) -> Value {
    match (heard, spoken(heard)) {
        (Heard::File(address), _) => json!({ "type": "URL", "fileUrl": address }),
        (_, Some((text, language))) => {
            json!({ "type": "TEXT", "text": text, "language": language })
        }
        (_, None) => Value::Null,
    }
}

/// Infobip's word for a language: the country's own, or else that of the language, or else English.
pub(super) fn language(tag: &str) -> &'static str {
    let tag = tag.to_ascii_lowercase();
    let main = tag.split('-').next().unwrap_or_default();
    let known = |word: &str| LANGUAGES.iter().find(|known| **known == word).copied();
    let family = || LANGUAGES.iter().find(|known| known.split('-').next() == Some(main)).copied();
    known(&tag).or_else(|| known(main)).or_else(family).unwrap_or("en")
}
