//! What is wrong with a number at an API of Twilio's shape.

use serde_json::Value;

use super::form::same_addresses;
use crate::{
    carrier::{Links, NumberFault, Response, number::shown},
    domain::{phone::ProxyNumber, pool::Capabilities},
};

/// What is the carrier's own about numbers that are otherwise as at Twilio.
pub(in crate::carrier) struct Dialect {
    /// Its name.
    pub(in crate::carrier) carrier: &'static str,
    /// What follows an address that is to be tried again after an error of ours, where the carrier takes
    /// such.
    pub(in crate::carrier) overrides: Option<&'static str>,
}

/// What is wrong with the number, by the carrier's answer.
pub(in crate::carrier) fn faults(
    dialect: &Dialect,
    number: &ProxyNumber,
    can: Capabilities,
    links: &Links,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let listed = answer["incoming_phone_numbers"].as_array()?;
    // The digits are taken as a pattern, so others may be listed too.
    let Some(found) = listed.iter().find(|one| one["phone_number"] == number.as_str()) else {
        return Some(vec![NumberFault::grave(
            format!("is not a number of this {} account", dialect.carrier),
            "buy it there, or retire it here",
        )]);
    };
    let mut faults = Faults { dialect, number: found, list: Vec::new() };
    faults.abilities(can);
    if can.voice {
        let taken = faults.taken("trunk_sid", "TrunkSid", "calls")
            | faults.taken("voice_application_sid", "VoiceApplicationSid", "calls");
        if !taken {
            faults.webhook("voice", "VoiceUrl", "VoiceMethod", &links.call());
            faults.fallback();
        }
        faults.webhook(
            "status_callback",
            "StatusCallback",
            "StatusCallbackMethod",
            &links.status(),
        );
    }
    if (can.sms || can.mms) && !faults.taken("sms_application_sid", "SmsApplicationSid", "texts") {
        faults.webhook("sms", "SmsUrl", "SmsMethod", &links.message());
    }
    Some(faults.list)
}

struct Faults<'a> {
    dialect: &'a Dialect,
    number: &'a Value,
    list: Vec<NumberFault>,
}

impl<'a> Faults<'a> {
    fn text(&self, key: &str) -> &'a str {
        self.number[key].as_str().unwrap_or_default()
    }

    fn abilities(&mut self, can: Capabilities) {
        let here = &self.number["capabilities"];
        // Twilio itself has written these keys in both cases.
        let lacks = |low: &str, high: &str| {
            [&here[low], &here[high]].iter().any(|value| value.as_bool() == Some(false))
        };
        for (wanted, low, high) in
            [(can.voice, "voice", "VOICE"), (can.sms, "sms", "SMS"), (can.mms, "mms", "MMS")]
        {
            if wanted && lacks(low, high) {
                self.list.push(NumberFault::grave(
                    format!("can't do {low} at {}", self.dialect.carrier),
                    format!("take {low} out of its capabilities here"),
                ));
            }
        }
    }

    /// Whether something else than the number's own webhook gets its `what`.
    fn taken(&mut self, key: &str, setting: &str, what: &str) -> bool {
        let taken = !self.text(key).is_empty();
        if taken {
            self.list.push(NumberFault::grave(
                format!("{setting} is set, and gets its {what}"),
                format!("empty {setting}"),
            ));
        }
        taken
    }

    /// A text that we miss is found on the carrier's list; a caller whom nobody answers is not.
    fn fallback(&mut self) {
        if self.text("voice_fallback_url").is_empty() {
            self.list.push(NumberFault::minor(
                "VoiceFallbackUrl is empty, so callers hear an error while no node can be reached",
                "host what `entremise fallback` prints, and set VoiceFallbackUrl to it and \
                 VoiceFallbackMethod to GET",
            ));
        }
    }

    fn webhook(&mut self, name: &str, setting: &str, method_setting: &str, wanted: &str) {
        let (url, method) = if name == "status_callback" {
            (self.text(name), self.text("status_callback_method"))
        } else {
            (self.text(&format!("{name}_url")), self.text(&format!("{name}_method")))
        };
        let overrides = self.dialect.overrides;
        let set = format!("set {setting} to {wanted}{}", overrides.unwrap_or_default());
        let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
        if address.is_empty() {
            self.list.push(NumberFault::grave(format!("{setting} is empty"), set));
        } else if !same_addresses(address).iter().any(|address| address == wanted) {
            self.list.push(NumberFault::grave(format!("{setting} is {}", shown(address)), set));
        } else if let (Some(overrides), false) = (overrides, tries_again(fragment)) {
            let found =
                format!("{setting} has no {overrides}, so a text or call is lost if one try fails");
            self.list.push(NumberFault::minor(found, set));
        }
        if !address.is_empty() && !method.eq_ignore_ascii_case("POST") {
            self.list.push(NumberFault::grave(
                format!("{method_setting} is not POST"),
                format!("set {method_setting} to POST"),
            ));
        }
    }
}

/// Whether the carrier tries again after an error of ours.
fn tries_again(fragment: &str) -> bool {
    let value = |key| {
        form_urlencoded::parse(fragment.as_bytes())
            .find_map(|(k, value)| (k == key).then_some(value))
    };
    let again = value("rc").and_then(|count| count.parse::<u8>().ok()).is_some_and(|n| n > 0);
    again && value("rp").is_some_and(|on| on.split(',').any(|on| matches!(on, "all" | "5xx")))
}
