//! How Telnyx handles our proxy numbers: whether their calls and texts come to us. The addresses are
//! set for the application and the profile that a number is assigned to.

use http::Method;
use serde_json::Value;

use super::{
    Links, NumberFault, Request, Response,
    config::{Config, Voice},
    send,
};
use crate::{
    carrier::number::{same_address, shown},
    domain::{phone::ProxyNumber, pool::Capabilities},
};

/// Asks for the number by its digits: with its plus nothing would be found. Not secret: it is ours.
pub(super) fn request(config: &Config, number: &ProxyNumber) -> Request {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("filter[phone_number]", number.as_str().trim_start_matches('+'))
        .finish();
    get(config, &format!("/phone_numbers?{query}"))
}

/// Asks for the application, and for the profile if it is known.
pub(super) fn account(config: &Config) -> Vec<Request> {
    let kind = match config.voice {
        Voice::Texml => "texml_applications",
        Voice::CallControl => "call_control_applications",
    };
    let application = get(config, &format!("/{kind}/{}", config.application_id));
    let profile = config.messaging_profile_id.iter();
    let profile = profile.map(|id| get(config, &format!("/messaging_profiles/{id}")));
    std::iter::once(application).chain(profile).collect()
}

fn get(config: &Config, path: &str) -> Request {
    send::authorized(config, Request::new(Method::GET, config.url(path)))
}

/// What is wrong with the number, by Telnyx's answer.
pub(super) fn faults(
    config: &Config,
    number: &ProxyNumber,
    can: Capabilities,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let listed = answer["data"].as_array()?;
    // Telnyx takes the digits as a pattern, so others may be listed too.
    let Some(found) = listed.iter().find(|one| one["phone_number"] == number.as_str()) else {
        return Some(vec![NumberFault::grave(
            "is not a number of this Telnyx account",
            "buy it there, or retire it here",
        )]);
    };
    let mut faults = Vec::new();
    if found["status"].as_str().is_some_and(|status| status != "active") {
        faults.push(NumberFault::grave(
            "is not active at Telnyx",
            "finish its order or port there, or retire it here",
        ));
    }
    if can.voice && found["connection_id"] != config.application_id.as_str() {
        faults.push(NumberFault::grave(
            "connection_id is not application_id, so its calls go elsewhere",
            format!("set connection_id to {}", config.application_id),
        ));
    }
    if can.voice && found["call_recording_enabled"] == true {
        faults.push(NumberFault::minor(
            "call_recording_enabled is set, so Telnyx records its calls",
            "unset call_recording_enabled, unless both people are told",
        ));
    }
    if can.sms || can.mms {
        faults.extend(profile_of(config, &found["messaging_profile_id"]));
    }
    Some(faults)
}

fn profile_of(config: &Config, found: &Value) -> Option<NumberFault> {
    let found = found.as_str().unwrap_or_default();
    match &config.messaging_profile_id {
        Some(wanted) if found != wanted => Some(NumberFault::grave(
            "messaging_profile_id is another, so its texts go elsewhere",
            format!("set messaging_profile_id to {wanted}"),
        )),
        None if found.is_empty() => Some(NumberFault::grave(
            "messaging_profile_id is empty, so it can't send or receive texts",
            "assign it to the messaging profile whose webhook_url leads here",
        )),
        _ => None,
    }
}

/// What is wrong with the application (the first answer), or with the profile.
pub(super) fn account_faults(
    config: &Config,
    place: usize,
    links: &Links,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let found = answer["data"].as_object().map(|_| &answer["data"])?;
    let mut faults = Faults { found, list: Vec::new() };
    match (place, config.voice) {
        (0, Voice::Texml) => faults.application(links),
        (0, Voice::CallControl) => faults.call_control(links),
        _ => faults.profile(links),
    }
    Some(faults.list)
}

struct Faults<'a> {
    found: &'a Value,
    list: Vec<NumberFault>,
}

impl<'a> Faults<'a> {
    fn text(&self, key: &str) -> &'a str {
        self.found[key].as_str().unwrap_or_default()
    }

    fn application(&mut self, links: &Links) {
        self.enabled("the TeXML application", "active");
        self.webhook("voice_url", &links.call());
        self.method("voice_method");
        self.webhook("status_callback", &links.status());
        self.method("status_callback_method");
        self.rings("the TeXML application");
        // A text that we miss is tried again; a caller whom nobody answers is not.
        if self.text("voice_fallback_url").is_empty() {
            self.list.push(NumberFault::minor(
                "voice_fallback_url is empty, so callers hear an error while no node can be reached",
                "host what `entremise fallback` prints, and set voice_fallback_url to it",
            ));
        }
    }

    fn call_control(&mut self, links: &Links) {
        self.enabled("the Call Control application", "active");
        self.webhook("webhook_event_url", &links.call());
        self.version();
        self.rings("the Call Control application");
        if self.text("webhook_event_failover_url").is_empty() {
            self.list.push(NumberFault::minor(
                "webhook_event_failover_url is empty, so calls are not answered if three tries fail",
                format!("set webhook_event_failover_url to {}", links.call()),
            ));
        }
        // A caller whose other side is rung is left unanswered meanwhile.
        if self.found["first_command_timeout"] == true {
            self.list.push(NumberFault::grave(
                "first_command_timeout is set, so callers are cut off while the other side is rung",
                "set first_command_timeout to false",
            ));
        }
    }

    fn rings(&mut self, what: &str) {
        if self.found["outbound"]["outbound_voice_profile_id"].as_str().is_none_or(str::is_empty) {
            self.list.push(NumberFault::grave(
                format!("{what} has no outbound_voice_profile_id, so it can't ring anybody"),
                "give it an outbound voice profile that allows the countries of your people",
            ));
        }
    }

    fn version(&mut self) {
        if self.text("webhook_api_version") != "2" {
            self.list.push(NumberFault::grave(
                "webhook_api_version is not 2",
                "set webhook_api_version to 2",
            ));
        }
    }

    fn profile(&mut self, links: &Links) {
        self.enabled("the messaging profile", "enabled");
        self.webhook("webhook_url", &links.message());
        self.version();
        if self.text("webhook_failover_url").is_empty() {
            self.list.push(NumberFault::minor(
                "webhook_failover_url is empty, so a text is lost if three tries fail",
                format!("set webhook_failover_url to {}", links.message()),
            ));
        }
    }

    fn enabled(&mut self, what: &str, key: &str) {
        if self.found[key] == false {
            self.list.push(NumberFault::grave(
                format!("{what} is not {key}"),
                format!("set {key} to true"),
            ));
        }
    }

    /// Telnyx's default is GET, whose address is not signed: it is refused.
    fn method(&mut self, key: &str) {
        if !self.text(key).eq_ignore_ascii_case("post") {
            self.list.push(NumberFault::grave(
                format!("{key} is not post"),
                format!("set {key} to post"),
            ));
        }
    }

    fn webhook(&mut self, key: &str, wanted: &str) {
        let address = self.text(key);
        let set = format!("set {key} to {wanted}");
        if address.is_empty() {
            self.list.push(NumberFault::grave(format!("{key} is empty"), set));
        } else if !same_address(address, wanted) {
            self.list.push(NumberFault::grave(format!("{key} is {}", shown(address)), set));
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::carrier::telnyx::tests::{PROFILE, config};

    const ALL: Capabilities = Capabilities { voice: true, sms: true, mms: true };

    fn good_number() -> Value {
        json!({
            "id": "1293384261075731499",
            "phone_number": "+14155550100",
            "status": "active",
            "connection_id": "1494404757140276705",
            "messaging_profile_id": PROFILE,
            "call_recording_enabled": false,
        })
    }

    fn good_application() -> Value {
        json!({
            "active": true,
            "voice_url": "https://relay.example/hooks/telnyx/call",
            "voice_method": "post",
            "voice_fallback_url": "https://static.example/fallback.xml",
            "status_callback": "https://relay.example:443/hooks/telnyx/status",
            "status_callback_method": "POST",
            "outbound": { "outbound_voice_profile_id": "1293384261075731499" },
        })
    }

    fn good_profile() -> Value {
        json!({
            "enabled": true,
            "webhook_url": "https://relay.example/hooks/telnyx/message",
            "webhook_failover_url": "https://relay.example/hooks/telnyx/message",
            "webhook_api_version": "2",
        })
    }

    fn answer(data: &Value) -> Response {
        Response::new(StatusCode::OK, "application/json", json!({ "data": data }).to_string())
    }

    fn judge(can: Capabilities, change: impl FnOnce(&mut Value)) -> Vec<NumberFault> {
        let mut one = good_number();
        change(&mut one);
        let number = ProxyNumber::parse("+14155550100").unwrap();
        let response = answer(&json!([{ "phone_number": "+14155550199" }, one]));
        faults(&config(PROFILE), &number, can, &response).unwrap()
    }

    fn judge_account(place: usize, change: impl FnOnce(&mut Value)) -> Vec<NumberFault> {
        let mut one = if place == 0 { good_application() } else { good_profile() };
        change(&mut one);
        let links = Links::new("https://relay.example", "telnyx");
        account_faults(&config(PROFILE), place, &links, &answer(&one)).unwrap()
    }

    #[track_caller]
    fn one_fault(faults: &[NumberFault], grave: bool, found: &str, fix: &str) {
        let [fault] = faults else { panic!("{found}: {faults:?}") };
        assert_eq!(fault.grave, grave, "{fault:?}");
        assert!(fault.found.contains(found) && fault.fix.contains(fix), "{fault:?}");
        assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
    }

    /// What sends everything here has no fault; the port of https may be written or not.
    #[test]
    fn good_settings_have_no_fault() {
        assert_eq!(judge(ALL, |_| {}), []);
        assert_eq!(judge_account(0, |_| {}), []);
        assert_eq!(judge_account(1, |_| {}), []);
    }

    /// Each setting of a number that takes calls or texts elsewhere is told, with what to set; what it is
    /// not meant to do is not looked at.
    #[test]
    fn each_wrong_setting_of_a_number_is_told() {
        let texts = Capabilities { voice: false, sms: true, mms: false };
        let calls = Capabilities { voice: true, sms: false, mms: false };
        let other = |key: &'static str| move |one: &mut Value| one[key] = "7".into();
        one_fault(
            &judge(ALL, other("connection_id")),
            true,
            "its calls go elsewhere",
            "set connection_id to 1494404757140276705",
        );
        assert_eq!(judge(texts, other("connection_id")), []);
        one_fault(&judge(ALL, other("messaging_profile_id")), true, "its texts go", PROFILE);
        assert_eq!(judge(calls, other("messaging_profile_id")), []);
        let pending = judge(ALL, |one| one["status"] = "port-pending".into());
        one_fault(&pending, true, "is not active", "finish");
        let recorded = judge(ALL, |one| one["call_recording_enabled"] = true.into());
        one_fault(&recorded, false, "records its calls", "unset");
    }

    /// Without a profile in the settings, a number only has to have one.
    #[test]
    fn any_profile_will_do_where_none_is_named() {
        let number = ProxyNumber::parse("+14155550100").unwrap();
        let judge = |profile: Value| {
            let mut one = good_number();
            one["messaging_profile_id"] = profile;
            faults(&config(""), &number, ALL, &answer(&json!([one]))).unwrap()
        };
        assert_eq!(judge("7".into()), []);
        for none in [Value::Null, "".into()] {
            one_fault(&judge(none), true, "can't send or receive texts", "assign it");
        }
        assert_eq!(account(&config("")).len(), 1);
        assert_eq!(account(&config(PROFILE)).len(), 2);
    }

    /// Each setting of the application and of the profile that loses calls or texts is told.
    #[test]
    fn each_wrong_setting_of_the_account_is_told() {
        let demo = "https://u:secret@demo.example/welcome?token=secret";
        let cases: [(usize, &str, Value, bool, &str, &str); 12] = [
            (
                0,
                "voice_url",
                demo.into(),
                true,
                "voice_url is https://demo.example/welcome",
                "/call",
            ),
            (
                0,
                "voice_url",
                "".into(),
                true,
                "is empty",
                "to https://relay.example/hooks/telnyx/call",
            ),
            (0, "voice_method", "get".into(), true, "voice_method is not post", "to post"),
            (0, "voice_method", Value::Null, true, "voice_method is not post", "to post"),
            (0, "status_callback", Value::Null, true, "is empty", "/hooks/telnyx/status"),
            (0, "status_callback_method", "get".into(), true, "is not post", "to post"),
            (0, "active", false.into(), true, "is not active", "set active to true"),
            (0, "outbound", json!({}), true, "can't ring anybody", "voice profile"),
            (0, "voice_fallback_url", "".into(), false, "hear an error", "entremise fallback"),
            (1, "webhook_url", "x".into(), true, "is not an address", "/hooks/telnyx/message"),
            (1, "webhook_api_version", "1".into(), true, "is not 2", "to 2"),
            (1, "webhook_failover_url", Value::Null, false, "a text is lost", "/message"),
        ];
        for (place, key, value, grave, found, fix) in cases {
            one_fault(&judge_account(place, |one| one[key] = value), grave, found, fix);
        }
        let off = judge_account(1, |one| one["enabled"] = false.into());
        one_fault(&off, true, "the messaging profile is not enabled", "to true");
    }

    /// A number that the account does not have is told; an answer that is none is not judged.
    #[test]
    fn absent_numbers_and_other_answers() {
        let links = Links::new("https://relay.example", "telnyx");
        let number = ProxyNumber::parse("+14155550100").unwrap();
        let absent = faults(&config(PROFILE), &number, ALL, &answer(&json!([])));
        assert!(absent.unwrap()[0].found.contains("is not a number of this"));
        for body in ["", "{}", "[]", "<html>", r#"{"data":7}"#] {
            let response = Response::new(StatusCode::OK, "application/json", body);
            assert_eq!(faults(&config(PROFILE), &number, ALL, &response), None, "{body}");
            assert_eq!(account_faults(&config(PROFILE), 0, &links, &response), None, "{body}");
        }
        let asked = request(&config(PROFILE), &number).url;
        assert!(
            asked.ends_with("/v2/phone_numbers?filter%5Bphone_number%5D=14155550100"),
            "{asked}"
        );
    }
}
