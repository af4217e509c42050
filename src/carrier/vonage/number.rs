//! How Vonage handles a proxy number, and what its application is set to: whether calls and texts
//! come to us.

use http::Method;
use serde_json::Value;

use super::{
    Links, NumberFault, Request, Response, bare,
    config::{Config, Texts},
    send,
};
use crate::{
    carrier::number::shown,
    domain::{phone::ProxyNumber, pool::Capabilities},
};

/// Asks for the number by its digits. Not secret: it is ours.
pub(super) fn request(config: &Config, number: &ProxyNumber) -> Request {
    // 0: numbers that begin with the digits.
    let query = format!("pattern={}&search_pattern=0", bare(number.as_str()));
    let url = format!("{}?{query}", config.numbers_url());
    send::with_secret(config, Request::new(Method::GET, url))
}

/// What is wrong with the number, by Vonage's answer.
pub(super) fn faults(
    config: &Config,
    number: &ProxyNumber,
    can: Capabilities,
    links: &Links,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    if !answer.is_object() {
        return None;
    }
    // Where none fits, Vonage leaves the list out.
    let listed = match &answer["numbers"] {
        Value::Null => &Vec::new(),
        listed => listed.as_array()?,
    };
    let Some(found) = listed.iter().find(|one| one["msisdn"] == bare(number.as_str())) else {
        return Some(vec![NumberFault::grave(
            "is not a number of this Vonage account",
            "buy it there, or retire it here",
        )]);
    };
    let mut faults = Vec::new();
    abilities(found, can, &mut faults);
    let linked = |keys: [&str; 2]| keys.iter().any(|key| found[key] == *config.application_id);
    let link = |what: &str| {
        NumberFault::grave(
            format!("is not linked to this application, and its {what} go elsewhere"),
            format!("link it to the application {}", config.application_id),
        )
    };
    let forwards = found["voiceCallbackType"].as_str().is_some_and(|kind| kind != "app");
    if can.voice && (forwards || !linked(["app_id", "voiceCallbackValue"])) {
        faults.push(link("calls"));
    }
    match config.texts {
        _ if !can.sms && !can.mms => {}
        Texts::Messages if !linked(["app_id", "messagesCallbackValue"]) => {
            faults.push(link("texts"));
        }
        Texts::Messages => {}
        Texts::Sms(_) => {
            // Without one of its own the account's address counts, which can't be asked for.
            let own = found["moHttpUrl"].as_str().unwrap_or_default();
            if !own.is_empty() && own != links.message() {
                faults.push(NumberFault::grave(
                    format!("its webhook for inbound SMS is {}", shown(own)),
                    format!("set it to {}, or empty it", links.message()),
                ));
            }
        }
    }
    Some(faults)
}

fn abilities(number: &Value, can: Capabilities, faults: &mut Vec<NumberFault>) {
    let Some(here) = number["features"].as_array() else { return };
    for (wanted, name, low) in
        [(can.voice, "VOICE", "voice"), (can.sms, "SMS", "sms"), (can.mms, "MMS", "mms")]
    {
        if wanted && !here.iter().any(|feature| feature == name) {
            faults.push(NumberFault::grave(
                format!("can't do {low} at Vonage"),
                format!("take {low} out of its capabilities here"),
            ));
        }
    }
}

/// What is wrong with the application, by Vonage's answer.
pub(super) fn application_faults(
    config: &Config,
    links: &Links,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let can = &answer["capabilities"];
    let mut faults = Vec::new();
    let voice = &can["voice"];
    hook(&mut faults, "voice", voice, "answer_url", &links.call());
    hook(&mut faults, "voice", voice, "event_url", &links.status());
    if voice["signed_callbacks"] == false {
        faults.push(NumberFault::grave(
            "voice.signed_callbacks is off, so that every call is refused",
            "switch on signed webhooks of the application's voice",
        ));
    }
    let fallback = &voice["webhooks"]["fallback_answer_url"]["address"];
    if fallback.as_str().unwrap_or_default().is_empty() {
        faults.push(NumberFault::minor(
            "voice.fallback_answer_url is empty, so callers hear nothing while no node can be reached",
            "host an NCCO on static storage, and set it to that with GET",
        ));
    }
    if config.texts == Texts::Messages {
        let messages = &can["messages"];
        hook(&mut faults, "messages", messages, "inbound_url", &links.message());
        hook(&mut faults, "messages", messages, "status_url", &links.status());
    }
    Some(faults)
}

fn hook(faults: &mut Vec<NumberFault>, of: &str, part: &Value, setting: &str, wanted: &str) {
    let hook = &part["webhooks"][setting];
    let (address, method) = (hook["address"].as_str(), hook["http_method"].as_str());
    let set = format!("set it to {wanted} with POST");
    match address.unwrap_or_default() {
        "" => faults.push(NumberFault::grave(format!("{of}.{setting} is empty"), set)),
        other if other != wanted => {
            faults.push(NumberFault::grave(format!("{of}.{setting} is {}", shown(other)), set));
        }
        _ if method != Some("POST") => faults.push(NumberFault::grave(
            format!("{of}.{setting} is not asked by POST"),
            "set its HTTP method to POST",
        )),
        _ => {}
    }
}
