//! Carriers' answers to what we sent: nothing that may have happened counts as not done, and no code
//! can hold a number.
//!
//! Input: the carrier · what was asked · `Retry-After` · the status · the body.

use std::time::Duration;

use entremise::carrier::{Response, error::Retry};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use super::{
    adapters,
    input::{Input, assert_code, digit_runs},
    plans::outbound,
};

/// The longest that a carrier may keep a text waiting.
const WAIT_MAX: Duration = Duration::from_mins(5);

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let adapter = adapters::all()[input.choice(adapters::all().len())];
    let what = input.choice(3);
    let (after, status) = (input.field(), input.count());
    let body = input.rest();
    let status = u16::try_from(200 + status % 400).unwrap();
    let mut response = Response::empty(StatusCode::from_u16(status).unwrap());
    response.body = body.to_vec().into();
    if let Ok(value) = HeaderValue::from_bytes(after) {
        response.headers.insert(RETRY_AFTER, value);
    }
    let call = match adapter.kind {
        "twilio" => "CA00000000000000000000000000000003",
        "telnyx" => "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw2axZ_IiE4pqg",
        _ => "call-1-2",
    };
    let outbound = outbound(what, call, "Hello", "");
    let ends = what == 2;
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let meant = adapter.carrier.response(&outbound, &response);
    assert_eq!(adapter.carrier.response(&outbound, &response), meant);
    match meant {
        Ok(sent) if ends => assert_eq!(sent.id, call),
        Ok(sent) => {
            assert!((200..300).contains(&status), "{status} is a success");
            let told = ["/id", "/sid", "/data/id", "/call_sid", "/data/call_sid", "/message_uuid", "/uuid",
                "/call_control_id", "/data/call_control_id", "/callId", "/message_uuid/0", "/request_uuid", "/request_uuid/0"];
            let told = told.iter().any(|at| json.pointer(at) == Some(&sent.id.as_str().into()));
            assert!(told, "an id out of nothing");
            assert!((1..=128).contains(&sent.id.len()), "an id of {} bytes", sent.id.len());
            assert!(sent.id.bytes().all(|b| b.is_ascii_graphic()), "an id that garbles a log");
        }
        Err(error) => {
            assert_code(error.carrier_code.as_deref());
            assert!(digit_runs(&error.to_string(), 7).is_empty(), "{error}");
            match error.retry {
                Retry::After(wait) => assert!(wait <= WAIT_MAX, "wait {wait:?}"),
                Retry::Never if !ends => {
                    let taken = json["status"].as_str();
                    let mut failed = matches!(taken, Some("failed" | "undelivered" | "canceled"));
                    let told = ["/to/0/status", "/data/to/0/status"];
                    for one in told.iter().filter_map(|at| json.pointer(at)?.as_str()) {
                        failed |= ["sending_failed", "delivery_failed", "expired"].contains(&one);
                    }
                    let said = json["error"].is_string() || json["invalid_number"][0].is_string();
                    failed |= adapter.kind == "plivo" && said;
                    assert!((300..500).contains(&status) || failed, "{status} is a refusal");
                }
                Retry::Never | Retry::Unknown => {}
            }
            let said = json["code"] == "not-taken" || json["code"] == 20429 || json["code"] == "20429";
            if status >= 500 && !ends && !said && status != 501 {
                assert!(error.retry == Retry::Unknown, "{status} says not sent: {error}");
            }
            assert!((200..300).contains(&status) || error.retry != Retry::Unknown || status >= 300);
        }
    }
}
