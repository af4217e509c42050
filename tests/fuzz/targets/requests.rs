//! What we send to carriers: read back it is what was asked, at the carrier's own address.
//!
//! Input: what is asked · the id of a call, or a name · the words · addresses of pictures, one a line.

use std::collections::BTreeMap;

use entremise::carrier::{Capabilities, Outbound, Request, links::Step};
use http::Method;
use serde_json::{Value, json};

use super::{
    adapters::{
        ACCOUNT_SID, APPLICATION, MESSAGING_PROFILE, ORGANIZATION, SANDBOX, SANDBOX_API, TELNYX, TELNYX_API, TWILIO,
        TWILIO_API,
    },
    input::{Input, pairs},
    plans::{CALLEE, PROXY, leg, outbound},
};

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let what = input.choice(4);
    let (call, words, media) = (input.text(), input.text(), input.text());
    let outbound = outbound(what, &call, &words, &media);
    let media: Vec<&str> = media.lines().collect();
    // Pictures never go with a name, and not every carrier takes every one.
    let name = match &outbound {
        Outbound::Message(text) => text.from.id(),
        _ => None,
    };
    let refused = |can: &Capabilities| {
        let fits = name.is_none_or(|id| media.is_empty() && can.sends_as(id));
        what == 2 || media.len() > 10 || !fits
    };
    if let Ok(request) = TWILIO.carrier.request(&outbound, &TWILIO.links) {
        form(&outbound, &request, &call, &words, &media);
    } else {
        assert!(refused(TWILIO.carrier.capabilities()), "refused for nothing");
    }
    if let Ok(request) = TELNYX.carrier.request(&outbound, &TELNYX.links) {
        texml(&outbound, &request, &call, &words, &media);
    } else {
        assert!(refused(TELNYX.carrier.capabilities()), "refused for nothing");
    }
    if let Ok(request) = SANDBOX.carrier.request(&outbound, &SANDBOX.links) {
        api(&outbound, &request, &call, &words, &media);
    } else {
        assert!(refused(SANDBOX.carrier.capabilities()), "refused for nothing");
    }
}

/// What the person sees.
fn shown(outbound: &Outbound) -> &str {
    match outbound {
        Outbound::Message(text) => text.from.as_str(),
        _ => PROXY,
    }
}

/// The segments of the path, as another's parser reads them.
fn segments(request: &Request, base: &str) -> Vec<String> {
    assert_eq!(request.method, Method::POST);
    let (url, base) = (url::Url::parse(&request.url).unwrap(), url::Url::parse(base).unwrap());
    assert_eq!(url.origin(), base.origin(), "{url}");
    assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
    assert_eq!(url.as_str(), request.url, "the address means another");
    let rest = url.path().strip_prefix(base.path().trim_end_matches('/')).expect("below the base");
    rest.split('/').skip(1).map(str::to_owned).collect()
}

fn form(outbound: &Outbound, request: &Request, call: &str, words: &str, media: &[&str]) {
    let segments = segments(request, TWILIO_API);
    let account = ["2010-04-01", "Accounts", ACCOUNT_SID];
    assert_eq!(segments[..3], account);
    let mut expected: Vec<(&str, String)> = vec![];
    match outbound {
        Outbound::Message(_) => {
            assert_eq!(segments[3..], ["Messages.json"]);
            if !words.is_empty() {
                expected.push(("Body", words.to_owned()));
            }
            expected.extend(media.iter().map(|address| ("MediaUrl", (*address).to_owned())));
            expected.push(("ValidityPeriod", "900".to_owned()));
        }
        Outbound::Call(_) => {
            assert_eq!(segments[3..], ["Calls.json"]);
            expected.push(("Url", TWILIO.links.step(Step::Answered, &leg(0))));
            expected.push(("Method", "POST".to_owned()));
            expected.push(("StatusCallbackMethod", "POST".to_owned()));
            for event in ["initiated", "ringing", "answered", "completed"] {
                expected.push(("StatusCallbackEvent", event.to_owned()));
            }
            expected.push(("Timeout", "25".to_owned()));
            expected.push(("TimeLimit", "3600".to_owned()));
        }
        Outbound::EndCall { .. } => {
            assert_eq!(segments[3..], ["Calls".to_owned(), format!("{call}.json")]);
            expected.push(("Status", "completed".to_owned()));
        }
        Outbound::DeleteRecording { .. } | Outbound::DeleteRecord { .. } | Outbound::Recording(_) => {
            panic!("none is made")
        }
    }
    if !matches!(outbound, Outbound::EndCall { .. }) {
        expected.push(("To", CALLEE.to_owned()));
        expected.push(("From", shown(outbound).to_owned()));
        expected.push(("StatusCallback", TWILIO.links.leg_status(&leg(0))));
    }
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in expected {
        wanted.entry(name.to_owned()).or_default().push(value);
    }
    assert_eq!(pairs(&request.body), wanted);
}

fn texml(outbound: &Outbound, request: &Request, call: &str, words: &str, media: &[&str]) {
    let segments = segments(request, TELNYX_API);
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let links = &TELNYX.links;
    match outbound {
        Outbound::Message(text) => {
            assert_eq!(segments, ["v2", "messages"]);
            let mut expected = json!({ "from": shown(outbound), "to": CALLEE, "webhook_url": links.leg_status(&leg(0)) });
            if !words.is_empty() {
                expected["text"] = words.into();
            }
            if !media.is_empty() {
                expected["media_urls"] = json!(media);
            }
            if text.from.id().is_some() {
                expected["messaging_profile_id"] = MESSAGING_PROFILE.into();
            }
            assert_eq!(body, expected);
        }
        Outbound::Call(_) => {
            assert_eq!(segments, ["v2", "texml", "Accounts", ORGANIZATION, "Calls"]);
            let expected = json!({ "From": PROXY, "CallerId": PROXY, "To": CALLEE,
                "ApplicationSid": APPLICATION, "UrlMethod": "POST",
                "Url": links.step(Step::Answered, &leg(0)), "StatusCallback": links.leg_status(&leg(0)),
                "StatusCallbackMethod": "POST", "Timeout": 25, "TimeLimit": 3600,
                "StatusCallbackEvent": "initiated ringing answered completed" });
            assert_eq!(body, expected);
        }
        Outbound::EndCall { .. } => {
            assert_eq!(segments, ["v2", "texml", "Accounts", ORGANIZATION, "Calls", call]);
            assert_eq!(request.body, "Status=completed");
        }
        Outbound::DeleteRecording { .. } | Outbound::DeleteRecord { .. } | Outbound::Recording(_) => {
            panic!("none is made")
        }
    }
}

fn api(outbound: &Outbound, request: &Request, call: &str, words: &str, media: &[&str]) {
    let segments = segments(request, SANDBOX_API);
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    let links = &SANDBOX.links;
    let expected = match outbound {
        Outbound::Message(_) => {
            assert_eq!(segments, ["v1", "messages"]);
            json!({ "from": shown(outbound), "to": CALLEE, "text": words, "media": media,
                "validity_ms": 900_000, "status_url": links.leg_status(&leg(0)) })
        }
        Outbound::Call(_) => {
            assert_eq!(segments, ["v1", "calls"]);
            json!({ "from": PROXY, "to": CALLEE, "ring_timeout_ms": 25_000,
                "duration_max_ms": 3_600_000, "answer_url": links.step(Step::Answered, &leg(0)),
                "status_url": links.leg_status(&leg(0)) })
        }
        Outbound::EndCall { .. } => {
            let [v1, calls, id, end] = &segments[..] else { panic!("{segments:?}") };
            assert_eq!([&**v1, calls, end], ["v1", "calls", "end"]);
            let id = id.replace('+', "%20");
            let decoded: Vec<u8> = pairs(format!("x={id}").as_bytes())["x"][0].clone().into();
            assert_eq!(decoded, call.as_bytes());
            json!({})
        }
        Outbound::DeleteRecording { .. } | Outbound::DeleteRecord { .. } | Outbound::Recording(_) => {
            panic!("none is made")
        }
    };
    assert_eq!(body, expected);
}
