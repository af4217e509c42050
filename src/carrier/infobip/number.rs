//! How Infobip handles a proxy number: whether its calls come to us.

use serde_json::Value;

use super::{NumberFault, Request, Response, bare, config::Config, get};
use crate::domain::{phone::ProxyNumber, pool::Capabilities};

/// Asks for the number by its digits. Not secret: it is ours.
pub(super) fn request(config: &Config, number: &ProxyNumber) -> Request {
    get(config, &format!("/numbers/1/numbers?number={}&limit=10", bare(number.as_str())))
}

/// What is wrong with the number, by Infobip's answer. Where its texts go is no part of that.
pub(super) fn faults(
    config: &Config,
    number: &ProxyNumber,
    can: Capabilities,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let digits = bare(number.as_str());
    let listed = answer["numbers"].as_array()?;
    let Some(found) = listed.iter().find(|one| one["number"].as_str().map(bare) == Some(digits))
    else {
        return Some(vec![NumberFault::grave(
            "is not a number of this Infobip account",
            "rent it there, or retire it here",
        )]);
    };
    let mut faults = Vec::new();
    if let Some(here) = found["capabilities"].as_array() {
        for (wanted, name) in [(can.voice, "VOICE"), (can.sms, "SMS")] {
            if wanted && !here.iter().any(|one| one == name) {
                faults.push(NumberFault::grave(
                    format!("can't do {name} at Infobip"),
                    "say so here too, or rent one that can",
                ));
            }
        }
    }
    if can.voice {
        faults.extend(forwarding(config, &found["voiceSetup"]["action"]));
    }
    Some(faults)
}

fn forwarding(config: &Config, action: &Value) -> Option<NumberFault> {
    let ours = &config.calls_configuration;
    let fix = format!(
        "forward its calls to a subscription (FORWARD_TO_SUBSCRIPTION) of the calls configuration {ours}"
    );
    let Some(kind) = action["type"].as_str() else {
        return Some(NumberFault::minor("Infobip does not show where its calls go", fix));
    };
    if kind != "FORWARD_TO_SUBSCRIPTION" {
        let kind: String = kind.chars().filter(|c| c.is_ascii_uppercase() || *c == '_').collect();
        return Some(NumberFault::grave(format!("its calls go elsewhere ({kind})"), fix));
    }
    (action["callsConfigurationId"] != **ours)
        .then(|| NumberFault::grave("its calls go to another calls configuration".to_owned(), fix))
}
