//! How Plivo handles our proxy numbers: whether their calls and texts come to us. The addresses are set
//! for the application that a number is assigned to.

use http::Method;
use serde_json::Value;

use super::{
    Links, NumberFault, Request, Response, bare, config::Config, send, voice::tried_again,
};
use crate::{
    carrier::number::shown,
    domain::{phone::ProxyNumber, pool::Capabilities},
};

/// Asks for the number by its digits. Not secret: it is ours.
pub(super) fn request(config: &Config, number: &ProxyNumber) -> Request {
    get(config, &format!("Number/?number_startswith={}", bare(number.as_str())))
}

/// Asks for the application, if it is known.
pub(super) fn account(config: &Config) -> Vec<Request> {
    let id = config.application_id.iter();
    id.map(|id| get(config, &format!("Application/{id}/"))).collect()
}

fn get(config: &Config, path: &str) -> Request {
    send::authorized(config, Request::new(Method::GET, config.url(path)))
}

/// What is wrong with the number, by Plivo's answer.
pub(super) fn faults(
    config: &Config,
    number: &ProxyNumber,
    can: Capabilities,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let listed = answer["objects"].as_array()?;
    // Plivo lists all that begin with the digits.
    let Some(found) = listed.iter().find(|one| one["number"] == bare(number.as_str())) else {
        return Some(vec![NumberFault::grave(
            "is not a number of this Plivo account",
            "buy it there, or retire it here",
        )]);
    };
    let mut faults = Vec::new();
    if found["active"] == false {
        faults.push(NumberFault::grave(
            "is not active at Plivo, so its calls and texts are lost",
            "wait until Plivo has activated it, or give it the papers that it wants",
        ));
    }
    for (wanted, key, low) in [
        (can.voice, "voice_enabled", "voice"),
        (can.sms, "sms_enabled", "sms"),
        (can.mms, "mms_enabled", "mms"),
    ] {
        if wanted && found[key] == false {
            faults.push(NumberFault::grave(
                format!("can't do {low} at Plivo"),
                format!("take {low} out of its capabilities here"),
            ));
        }
    }
    let assigned = found["application"].as_str().unwrap_or_default();
    let assigned = assigned.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match &config.application_id {
        Some(wanted) if assigned != wanted => faults.push(NumberFault::grave(
            "is not assigned to this application, so its calls and texts go elsewhere",
            format!("assign it to the application {wanted}"),
        )),
        None if assigned.is_empty() => faults.push(NumberFault::grave(
            "is assigned to no application, so its calls and texts are lost",
            "assign it to the application whose addresses lead here",
        )),
        _ => {}
    }
    Some(faults)
}

/// What is wrong with the application, by Plivo's answer.
pub(super) fn account_faults(links: &Links, response: &Response) -> Option<Vec<NumberFault>> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    // Every application has one: what has none is another answer.
    answer["answer_url"].as_str()?;
    let mut faults = Faults { found: &answer, list: Vec::new() };
    if answer["enabled"] == false {
        faults.list.push(NumberFault::grave("the application is not enabled", "enable it"));
    }
    faults.call("answer", &links.call());
    faults.call("hangup", &links.status());
    faults.webhook("message_url", &links.message(), &links.message());
    faults.method("message_method");
    if faults.text("fallback_answer_url").is_empty() {
        faults.list.push(NumberFault::minor(
            "fallback_answer_url is empty, so callers hear an error while no node can be reached",
            "host what `entremise fallback` prints, and set fallback_answer_url to it",
        ));
    }
    if answer["log_incoming_messages"] == true {
        faults.list.push(NumberFault::minor(
            "log_incoming_messages is set, so Plivo keeps the words of texts that come in",
            "set log_incoming_messages to false",
        ));
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

    /// An address about calls, which is tried again only if it says so itself.
    fn call(&mut self, name: &str, wanted: &str) {
        let (key, full) = (format!("{name}_url"), tried_again(wanted));
        if self.webhook(&key, wanted, &full) && !tries_again(self.text(&key)) {
            self.list.push(NumberFault::minor(
                format!("{key} is not tried again after an error of ours"),
                format!("set {key} to {full}"),
            ));
        }
        self.method(&format!("{name}_method"));
    }

    /// Whether the address is `wanted`, whatever follows its `#`.
    fn webhook(&mut self, key: &str, wanted: &str, full: &str) -> bool {
        let address = self.text(key).split('#').next().unwrap_or_default();
        let set = format!("set {key} to {full}");
        if address.is_empty() {
            self.list.push(NumberFault::grave(format!("{key} is empty"), set));
        } else if address != wanted {
            // Also where only the port is written: Plivo signs the address as it stands there.
            self.list.push(NumberFault::grave(format!("{key} is {}", shown(address)), set));
        }
        address == wanted
    }

    fn method(&mut self, key: &str) {
        if !self.text(key).eq_ignore_ascii_case("post") {
            self.list.push(NumberFault::grave(
                format!("{key} is not POST"),
                format!("set {key} to POST"),
            ));
        }
    }
}

/// Whether Plivo tries the address again after an error of ours.
fn tries_again(address: &str) -> bool {
    let (_, fragment) = address.split_once('#').unwrap_or_default();
    let value = |key| {
        form_urlencoded::parse(fragment.as_bytes())
            .find_map(|(name, value)| (name == key).then_some(value))
    };
    value("rc").is_none_or(|count| count != "0")
        && value("rp").is_some_and(|on| on.split(',').any(|on| matches!(on, "all" | "5xx")))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::carrier::plivo::tests::{APPLICATION, config};

    const ALL: Capabilities = Capabilities { voice: true, sms: true, mms: true };

    fn answer(body: &Value) -> Response {
        Response::new(StatusCode::OK, "application/json", body.to_string())
    }

    fn judge(
        application: &str,
        can: Capabilities,
        change: impl FnOnce(&mut Value),
    ) -> Vec<NumberFault> {
        let mut one = json!({
            "number": "14155550100",
            "application": format!("/v1/Account/MA000000000000000000/Application/{APPLICATION}/"),
            "voice_enabled": true, "sms_enabled": true, "mms_enabled": true,
        });
        change(&mut one);
        let body = json!({ "objects": [{ "number": "141555501001" }, one] });
        let number = ProxyNumber::parse("+14155550100").unwrap();
        faults(&config(application), &number, can, &answer(&body)).unwrap()
    }

    fn judge_application(change: impl FnOnce(&mut Value)) -> Vec<NumberFault> {
        let mut one = json!({
            "answer_url": "https://relay.example/hooks/plivo/call#rc=3&rp=ct,rt,5xx",
            "answer_method": "POST",
            "hangup_url": "https://relay.example/hooks/plivo/status#rp=all",
            "hangup_method": "POST",
            "message_url": "https://relay.example/hooks/plivo/message",
            "message_method": "POST",
            "fallback_answer_url": "https://static.example/fallback.xml",
            "enabled": true,
            "log_incoming_messages": false,
        });
        change(&mut one);
        account_faults(&Links::new("https://relay.example", "plivo"), &answer(&one)).unwrap()
    }

    #[track_caller]
    fn one_fault(faults: &[NumberFault], grave: bool, found: &str, fix: &str) {
        let [fault] = faults else { panic!("{found}: {faults:?}") };
        assert_eq!(fault.grave, grave, "{fault:?}");
        assert!(fault.found.contains(found) && fault.fix.contains(fix), "{fault:?}");
        assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
    }

    /// What sends everything here has no fault.
    #[test]
    fn good_settings_have_no_fault() {
        assert_eq!(judge(APPLICATION, ALL, |_| {}), []);
        assert_eq!(judge("", ALL, |_| {}), []);
        assert_eq!(judge_application(|_| {}), []);
    }

    /// Each setting of a number that takes calls or texts elsewhere is told, with what to set; what it is
    /// not meant to do is not looked at.
    #[test]
    fn each_wrong_setting_of_a_number_is_told() {
        let texts = Capabilities { voice: false, sms: true, mms: false };
        let elsewhere =
            |one: &mut Value| one["application"] = "/v1/Account/X/Application/7/".into();
        let nowhere = |one: &mut Value| one["application"] = Value::Null;
        one_fault(&judge(APPLICATION, ALL, elsewhere), true, "go elsewhere", APPLICATION);
        one_fault(&judge(APPLICATION, ALL, nowhere), true, "go elsewhere", APPLICATION);
        one_fault(&judge("", ALL, nowhere), true, "are lost", "assign it");
        let mute = |one: &mut Value| one["voice_enabled"] = false.into();
        one_fault(&judge("", ALL, mute), true, "can't do voice", "take voice out");
        assert_eq!(judge("", texts, mute), []);
        let waiting = |one: &mut Value| one["active"] = false.into();
        one_fault(&judge("", ALL, waiting), true, "is not active", "wait until");
        assert_eq!(judge("", ALL, |one| one["active"] = true.into()), []);
    }

    /// Each setting of the application that loses calls or texts is told.
    #[test]
    fn each_wrong_setting_of_the_application_is_told() {
        let demo = "https://u:secret@demo.example/welcome?token=secret";
        let bare = "https://relay.example/hooks/plivo/call";
        let cases: [(&str, Value, bool, &str, &str); 9] = [
            ("answer_url", demo.into(), true, "is https://demo.example/welcome", "/call#rc=3"),
            ("answer_url", bare.into(), false, "is not tried again", "/call#rc=3&rp=ct,rt,5xx"),
            ("answer_method", "GET".into(), true, "answer_method is not POST", "to POST"),
            ("hangup_url", "".into(), true, "is empty", "/hooks/plivo/status#"),
            ("message_url", Value::Null, true, "is empty", "/hooks/plivo/message"),
            ("message_method", "GET".into(), true, "message_method is not POST", "to POST"),
            ("enabled", false.into(), true, "is not enabled", "enable"),
            ("fallback_answer_url", "".into(), false, "hear an error", "entremise fallback"),
            ("log_incoming_messages", true.into(), false, "keeps the words", "to false"),
        ];
        for (key, value, grave, found, fix) in cases {
            one_fault(&judge_application(|one| one[key] = value), grave, found, fix);
        }
    }

    /// A number that the account does not have is told; an answer that is none is not judged.
    #[test]
    fn absent_numbers_and_other_answers() {
        let links = Links::new("https://relay.example", "plivo");
        let number = ProxyNumber::parse("+14155550100").unwrap();
        let absent = faults(&config(""), &number, ALL, &answer(&json!({ "objects": [] })));
        assert!(absent.unwrap()[0].found.contains("is not a number of this"));
        for body in ["", "{}", "[]", "<html>", r#"{"objects":7}"#] {
            let response = Response::new(StatusCode::OK, "application/json", body);
            assert_eq!(faults(&config(""), &number, ALL, &response), None, "{body}");
            assert_eq!(account_faults(&links, &response), None, "{body}");
        }
        assert_eq!((account(&config("")).len(), account(&config(APPLICATION)).len()), (0, 1));
    }
}
