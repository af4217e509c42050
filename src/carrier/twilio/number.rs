//! How Twilio handles a proxy number: whether its calls and texts come to us.

use http::Method;
use serde_json::Value;

use super::{Links, NumberFault, Request, Response, config::Config, send, webhook::same_addresses};
use crate::{
    carrier::number::shown,
    domain::{phone::ProxyNumber, pool::Capabilities},
};

/// Makes Twilio try five times, and also after an error of ours (its "connection overrides").
pub(super) const OVERRIDES: &str = "#rc=5&rp=all";

/// Asks for the number by its digits. Not secret: it is ours.
pub(super) fn request(config: &Config, number: &ProxyNumber) -> Request {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("PhoneNumber", number.as_str())
        .finish();
    let url = format!("{}?{query}", config.account_url("/IncomingPhoneNumbers"));
    send::authorized(config, Request::new(Method::GET, url))
}

/// What is wrong with the number, by Twilio's answer.
pub(super) fn faults(
    number: &ProxyNumber,
    can: Capabilities,
    links: &Links,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let listed = answer["incoming_phone_numbers"].as_array()?;
    // Twilio takes the digits as a pattern, so others may be listed too.
    let Some(found) = listed.iter().find(|one| one["phone_number"] == number.as_str()) else {
        return Some(vec![NumberFault::grave(
            "is not a number of this Twilio account",
            "buy it there, or retire it here",
        )]);
    };
    let mut faults = Faults { number: found, list: Vec::new() };
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
    number: &'a Value,
    list: Vec<NumberFault>,
}

impl<'a> Faults<'a> {
    fn text(&self, key: &str) -> &'a str {
        self.number[key].as_str().unwrap_or_default()
    }

    fn abilities(&mut self, can: Capabilities) {
        let here = &self.number["capabilities"];
        // Twilio has written these keys in both cases.
        let lacks = |low: &str, high: &str| {
            [&here[low], &here[high]].iter().any(|value| value.as_bool() == Some(false))
        };
        for (wanted, low, high) in
            [(can.voice, "voice", "VOICE"), (can.sms, "sms", "SMS"), (can.mms, "mms", "MMS")]
        {
            if wanted && lacks(low, high) {
                self.list.push(NumberFault::grave(
                    format!("can't do {low} at Twilio"),
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

    /// A text that we miss is found on Twilio's list; a caller whom nobody answers is not.
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
        let set = format!("set {setting} to {wanted}{OVERRIDES}");
        let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
        if address.is_empty() {
            self.list.push(NumberFault::grave(format!("{setting} is empty"), set));
        } else if !same_addresses(address).iter().any(|address| address == wanted) {
            self.list.push(NumberFault::grave(format!("{setting} is {}", shown(address)), set));
        } else if !tries_again(fragment) {
            let found =
                format!("{setting} has no {OVERRIDES}, so a text or call is lost if one try fails");
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

/// Whether Twilio tries again after an error of ours.
fn tries_again(fragment: &str) -> bool {
    let value = |key| {
        form_urlencoded::parse(fragment.as_bytes())
            .find_map(|(k, value)| (k == key).then_some(value))
    };
    let again = value("rc").and_then(|count| count.parse::<u8>().ok()).is_some_and(|n| n > 0);
    again && value("rp").is_some_and(|on| on.split(',').any(|on| matches!(on, "all" | "5xx")))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;

    const ALL: Capabilities = Capabilities { voice: true, sms: true, mms: true };

    fn good() -> Value {
        json!({
            "phone_number": "+14155550100",
            "voice_url": "https://relay.example/hooks/twilio/call#rc=5&rp=all",
            "voice_method": "POST",
            "voice_fallback_url": "https://static.example/fallback.xml",
            "sms_url": "https://relay.example/hooks/twilio/message#rc=5&rp=all",
            "sms_method": "POST",
            "status_callback": "https://relay.example/hooks/twilio/status#rc=5&rp=all",
            "status_callback_method": "POST",
            "voice_application_sid": "",
            "sms_application_sid": null,
            "trunk_sid": null,
            "capabilities": { "voice": true, "sms": true, "mms": true, "fax": false },
        })
    }

    fn judge(can: Capabilities, change: impl FnOnce(&mut Value)) -> Vec<NumberFault> {
        let mut one = good();
        change(&mut one);
        let body = json!({ "incoming_phone_numbers": [{ "phone_number": "+14155550199" }, one] });
        let response = Response::new(StatusCode::OK, "application/json", body.to_string());
        let links = Links::new("https://relay.example", "twilio");
        let number = ProxyNumber::parse("+14155550100").unwrap();
        faults(&number, can, &links, &response).unwrap()
    }

    /// A number that sends everything here has no fault; the port of https may be written or not.
    #[test]
    fn a_good_number_has_no_fault() {
        assert_eq!(judge(ALL, |_| {}), []);
        let port = "https://relay.example:443/hooks/twilio/call#rc=1&rp=5xx,ct";
        assert_eq!(judge(ALL, |one| one["voice_url"] = port.into()), []);
    }

    /// Each setting that takes calls or texts elsewhere is a grave fault that says what to set.
    #[test]
    fn each_wrong_setting_is_told() {
        let demo = "https://u:secret@demo.example/welcome?token=secret";
        let cases: [(&str, Value, &str, &str); 10] = [
            (
                "voice_url",
                demo.into(),
                "VoiceUrl is https://demo.example/welcome",
                "/hooks/twilio/call#rc=5&rp=all",
            ),
            (
                "voice_url",
                "".into(),
                "VoiceUrl is empty",
                "set VoiceUrl to https://relay.example/hooks/twilio/call#",
            ),
            ("voice_url", "x".into(), "VoiceUrl is not an address", "/hooks/twilio/call"),
            (
                "voice_url",
                "https://relay.example/hooks/twilio/message".into(),
                "VoiceUrl is",
                "/hooks/twilio/call",
            ),
            ("voice_method", "GET".into(), "VoiceMethod is not POST", "set VoiceMethod to POST"),
            ("sms_url", Value::Null, "SmsUrl is empty", "/hooks/twilio/message#rc=5&rp=all"),
            (
                "sms_application_sid",
                "AP1".into(),
                "SmsApplicationSid is set",
                "empty SmsApplicationSid",
            ),
            ("trunk_sid", "TK1".into(), "TrunkSid is set", "empty TrunkSid"),
            ("status_callback", "".into(), "StatusCallback is empty", "/hooks/twilio/status#"),
            ("status_callback_method", "GET".into(), "StatusCallbackMethod is not", "to POST"),
        ];
        for (key, value, found, fix) in cases {
            let faults = judge(ALL, |one| one[key] = value);
            let [fault] = &faults[..] else { panic!("{key}: {faults:?}") };
            assert!(fault.grave && fault.found.contains(found), "{key}: {fault:?}");
            assert!(fault.fix.contains(fix), "{key}: {fault:?}");
            assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
        }
    }

    /// What a number is not meant to do is not looked at; what it can't do is told.
    #[test]
    fn abilities_count() {
        let texts = Capabilities { voice: false, sms: true, mms: false };
        assert_eq!(judge(texts, |one| one["voice_url"] = "".into()), []);
        let calls = Capabilities { voice: true, sms: false, mms: false };
        assert_eq!(judge(calls, |one| one["sms_url"] = "".into()), []);
        let faults = judge(ALL, |one| {
            one["capabilities"] = json!({ "voice": true, "SMS": true, "MMS": false });
        });
        assert_eq!(faults.len(), 1);
        assert!(faults[0].found.contains("can't do mms"), "{faults:?}");
    }

    /// Without the overrides Twilio tries too rarely: a warning, no fault.
    #[test]
    fn overrides_are_advised() {
        for end in ["", "#", "#rc=0&rp=all", "#rc=5", "#rc=5&rp=ct", "#ct=2000"] {
            let url = format!("https://relay.example/hooks/twilio/message{end}");
            let faults = judge(ALL, |one| one["sms_url"] = url.into());
            assert_eq!(faults.len(), 1, "{end}");
            assert!(!faults[0].grave, "{end}");
        }
    }

    /// Without a fallback callers hear Twilio's error while we are down: a warning, and none for a number
    /// that takes no calls.
    #[test]
    fn a_fallback_is_advised() {
        for none in [Value::Null, "".into()] {
            let faults = judge(ALL, |one| one["voice_fallback_url"] = none.clone());
            assert_eq!(faults.len(), 1);
            assert!(!faults[0].grave && faults[0].fix.contains("entremise fallback"), "{faults:?}");
            let texts = Capabilities { voice: false, sms: true, mms: true };
            assert_eq!(judge(texts, |one| one["voice_fallback_url"] = none), []);
        }
    }

    /// A number that the account does not have is told; an answer that is none is not judged.
    #[test]
    fn absent_numbers_and_other_answers() {
        let links = Links::new("https://relay.example", "twilio");
        let number = ProxyNumber::parse("+14155550100").unwrap();
        let judge = |body: &'static str| {
            let response = Response::new(StatusCode::OK, "application/json", body);
            faults(&number, ALL, &links, &response)
        };
        let absent = judge(r#"{"incoming_phone_numbers":[{"phone_number":"+14155550199"}]}"#);
        assert!(absent.unwrap()[0].found.contains("is not a number of this"));
        for body in ["", "{}", "[]", "<html>", r#"{"incoming_phone_numbers":7}"#] {
            assert_eq!(judge(body), None, "{body}");
        }
    }
}
