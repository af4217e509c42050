//! How Sinch handles calls of a proxy number, and where its application's webhooks go.

use http::Method;
use serde_json::Value;

use super::{Links, NumberFault, Request, Response, bare, config::Config, send};
use crate::{
    carrier::number::shown,
    domain::{phone::ProxyNumber, pool::Capabilities},
};

/// Asks for the account's numbers for calls: one can't be asked for by itself.
pub(super) fn request(config: &Config) -> Request {
    get(config, "numbers")
}

/// Asks for the application's addresses.
pub(super) fn application(config: &Config) -> Request {
    get(config, &format!("callbacks/applications/{}", config.application_key))
}

fn get(config: &Config, path: &str) -> Request {
    send::of_application(config, Request::new(Method::GET, config.settings_url(path)))
}

/// What is wrong with the number's calls, by Sinch's answer. Where its texts go is no part of that.
pub(super) fn faults(
    config: &Config,
    number: &ProxyNumber,
    can: Capabilities,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let listed = answer["numbers"].as_array()?;
    if !can.voice {
        return Some(Vec::new());
    }
    let digits = bare(number.as_str());
    let fits = |one: &&Value| {
        one["number"].as_str().map(bare) == Some(digits)
            && one["capability"].as_str().is_none_or(|can| can.eq_ignore_ascii_case("voice"))
    };
    let fix = format!("assign it to the application {}", config.application_key);
    let found: Vec<&Value> = listed.iter().filter(fits).collect();
    let mut keys = found.iter().map(|one| one["applicationkey"].as_str().unwrap_or_default());
    let fault = if found.is_empty() {
        "is not among the numbers for calls of this Sinch account"
    } else if keys.any(|key| key.eq_ignore_ascii_case(&config.application_key)) {
        return Some(Vec::new());
    } else {
        "is not assigned to this application, and its calls go elsewhere"
    };
    Some(vec![NumberFault::grave(fault, fix)])
}

/// What is wrong with the application, by Sinch's answer.
pub(super) fn application_faults(links: &Links, response: &Response) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let set = answer["url"].as_object()?;
    let text = |key: &str| set.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut faults = Vec::new();
    let fix = format!("set it to {}", links.call());
    match text("primary") {
        "" => faults.push(NumberFault::grave("the application's callback URL is empty", fix)),
        other if other != links.call() => faults.push(NumberFault::grave(
            format!("the application's callback URL is {}", shown(other)),
            fix,
        )),
        _ => {}
    }
    if text("fallback").is_empty() {
        faults.push(NumberFault::minor(
            "the application's fallback callback URL is empty, so callers hear an error while no node \
             can be reached",
            "host the document of `entremise fallback --carrier sinch`, and set it to that",
        ));
    }
    Some(faults)
}
