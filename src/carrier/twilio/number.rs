//! How Twilio handles a proxy number: whether its calls and texts come to us.

use super::{Links, NumberFault, Request, Response, config::Config};
use crate::{
    carrier::twiml::{self, number::Dialect},
    domain::{phone::ProxyNumber, pool::Capabilities},
};

/// Makes Twilio try five times, and also after an error of ours (its "connection overrides").
const OVERRIDES: &str = "#rc=5&rp=all";

pub(super) static DIALECT: Dialect = Dialect { carrier: "Twilio", overrides: Some(OVERRIDES) };

/// Asks for the number by its digits. Not secret: it is ours.
pub(super) fn request(config: &Config, number: &ProxyNumber) -> Request {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("PhoneNumber", number.as_str())
        .finish();
    twiml::get(config, "/IncomingPhoneNumbers", &query)
}

/// What is wrong with the number, by Twilio's answer.
pub(super) fn faults(
    number: &ProxyNumber,
    can: Capabilities,
    links: &Links,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    twiml::number::faults(&DIALECT, number, can, links, response)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::{Value, json};

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
