//! How jambonz handles a proxy number, and what its application and account are set to: whether calls and
//! texts come to us.

use http::Method;
use serde_json::Value;

use super::{
    Links, NumberFault, Request, Response, bare, config::Config, send, voice::tried_again,
};
use crate::{
    carrier::{
        number::{same_address, shown},
        signature,
    },
    domain::phone::ProxyNumber,
};

/// Asks for the number by its digits. Not secret: it is ours.
pub(super) fn request(config: &Config, number: &ProxyNumber) -> Request {
    get(config, config.url(&format!("PhoneNumbers?filter={}", bare(number.as_str()))))
}

/// Asks for the application, and for the account.
pub(super) fn account(config: &Config) -> Vec<Request> {
    let application = config.url(&format!("Applications/{}", config.application_sid));
    [application, config.account_url("")].map(|url| get(config, url)).into()
}

fn get(config: &Config, url: String) -> Request {
    send::authorized(config, Request::new(Method::GET, url))
}

/// What is wrong with the number, by jambonz's answer.
pub(super) fn faults(
    config: &Config,
    number: &ProxyNumber,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let fits = |one: &&Value| one["number"].as_str().map(bare) == Some(bare(number.as_str()));
    // Older systems know no filter, and list them all.
    let found: Vec<&Value> = answer.as_array()?.iter().filter(fits).collect();
    let fix = format!("assign it to the application {}", config.application_sid);
    let fault = if found.is_empty() {
        "is not a number of this jambonz account"
    } else if found.iter().all(|one| one["application_sid"] == *config.application_sid) {
        return Some(Vec::new());
    } else {
        "is not assigned to this application, so its calls and texts go elsewhere"
    };
    Some(vec![NumberFault::grave(fault, fix)])
}

/// What is wrong with the application, by jambonz's answer.
pub(super) fn application_faults(
    config: &Config,
    links: &Links,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    answer["application_sid"].as_str()?;
    let mut faults = Vec::new();
    hook(&mut faults, &answer, "call_hook", &links.call());
    hook(&mut faults, &answer, "call_status_hook", &links.status());
    if config.texts.is_some() {
        hook(&mut faults, &answer, "messaging_hook", &links.message());
    }
    if answer["app_json"].as_str().is_some_and(|verbs| !verbs.is_empty()) {
        faults.push(NumberFault::grave(
            "app_json is set, so calls are answered without asking here",
            "empty app_json",
        ));
    }
    recorded(&mut faults, "application", &answer);
    Some(faults)
}

/// What is wrong with the account, by jambonz's answer.
pub(super) fn account_faults(config: &Config, response: &Response) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    answer["account_sid"].as_str()?;
    let mut faults = Vec::new();
    let known = |set: &str| {
        config.webhook_secrets.iter().any(|one| signature::same(one.as_bytes(), set.as_bytes()))
    };
    // Some roles are not shown it.
    if answer["webhook_secret"].as_str().is_some_and(|set| !known(set)) {
        faults.push(NumberFault::grave(
            "the account's webhook secret is another, so every webhook is refused",
            "set webhook_secret here to what the portal shows for the account",
        ));
    }
    recorded(&mut faults, "account", &answer);
    Some(faults)
}

/// An address that jambonz asks.
fn hook(faults: &mut Vec<NumberFault>, answer: &Value, key: &str, wanted: &str) {
    let set = &answer[key];
    let address = set["url"].as_str().or_else(|| set.as_str()).unwrap_or_default();
    let (base, fragment) = address.split_once('#').unwrap_or((address, ""));
    let fix = format!("set {key} to {}", tried_again(wanted));
    if base.is_empty() {
        faults.push(NumberFault::grave(format!("{key} is empty"), fix));
        return;
    }
    if !same_address(base, wanted) {
        faults.push(NumberFault::grave(format!("{key} is {}", shown(base)), fix));
    } else if !tries_again(fragment) {
        faults.push(NumberFault::minor(format!("{key} is not tried again after an error"), fix));
    }
    if set["method"].as_str().is_some_and(|method| !method.eq_ignore_ascii_case("post")) {
        faults.push(NumberFault::grave(
            format!("{key} is not asked by POST, and only that is signed whole"),
            format!("set the method of {key} to POST"),
        ));
    }
}

/// Whether an address with that fragment is asked again after an error of ours: never by itself.
fn tries_again(fragment: &str) -> bool {
    let value = |key| {
        form_urlencoded::parse(fragment.as_bytes())
            .find_map(|(name, value)| (name == key).then_some(value))
    };
    value("rc").is_some_and(|count| count.parse::<u8>().is_ok_and(|count| count > 0))
        && value("rp").is_some_and(|on| on.split(',').any(|on| matches!(on.trim(), "all" | "5xx")))
}

fn recorded(faults: &mut Vec<NumberFault>, whose: &str, answer: &Value) {
    // A number in older systems.
    if answer["record_all_calls"] == true || answer["record_all_calls"] == 1 {
        faults.push(NumberFault::minor(
            format!("record_all_calls is set for the {whose}, so jambonz records every call"),
            "switch it off, unless everybody is told",
        ));
    }
}
