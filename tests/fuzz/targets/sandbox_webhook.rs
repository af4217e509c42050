//! Webhooks of the sandbox: what is taken is signed and fresh, what is read is what was sent.
//!
//! Input: spelling of the signature · its time from now in ms · a bit to turn · the address after
//! the origin · the body.

use std::time::Duration;

use entremise::{
    carrier::{Inbound, Request, WebhookError, links},
    domain::phone::{Caller, ProxyNumber},
    ids::{LegId, hex},
};
use http::HeaderValue;
use ring::digest::SHA256;
use serde_json::Value;

use super::{
    adapters::{NOW, ORIGIN, SANDBOX, SANDBOX_SECRET},
    input::{Input, assert_code, flipped, hmac, is_e164},
};

const SIGNATURE: &str = "sandbox-signature";

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let spelling = input.choice(5);
    let (off, bit, target) = (input.number(), input.count(), input.text());
    let mut request =
        Request::post(format!("{ORIGIN}/hooks/sandbox/{target}"), "application/json", input.rest().to_vec());
    verify(&mut request, spelling, off, bit);
    parse(&request);
}

fn verify(request: &mut Request, spelling: usize, off: i64, bit: u64) {
    let carrier = &SANDBOX.carrier;
    let at = NOW.millis().saturating_add(off);
    let message = [format!("{at}.{}.", request.url).as_bytes(), &request.body].concat();
    let tag = hex(&hmac(&SHA256, SANDBOX_SECRET.as_bytes(), &message));
    let header = match spelling {
        0 => format!("t={at},v1={tag}"),
        1 => format!("t=0{at},v1={tag}"),
        2 => format!("t={at},v1={}", tag.to_ascii_uppercase()),
        3 => format!("t=+{at},v1={tag}"),
        _ => format!("t={at},v1={tag}{tag}"),
    };
    request.headers.insert(SIGNATURE, HeaderValue::from_str(&header).unwrap());
    let spelled = spelling == 0 || (spelling == 2 && !tag.bytes().any(|b| b.is_ascii_lowercase()));
    let expected = if !spelled || !(0..1_000_000_000_000_000).contains(&at) {
        Err(WebhookError::BadSignature)
    } else if at.abs_diff(NOW.millis()) > 300_000 {
        Err(WebhookError::Stale)
    } else {
        Ok(())
    };
    assert_eq!(carrier.verify(request, NOW), expected, "{header}");
    let refused = |changed: &Request, what: &str| {
        let taken = carrier.verify(changed, NOW);
        assert_eq!(taken, Err(WebhookError::BadSignature), "a bit of the {what} turned");
    };
    if let Some(body) = flipped(&request.body, bit) {
        refused(&Request { body: body.into(), ..request.clone() }, "body");
    }
    if let Some(Ok(url)) = flipped(request.url.as_bytes(), bit).map(String::from_utf8) {
        refused(&Request { url, ..request.clone() }, "address");
    }
    if let Some(Ok(value)) = flipped(header.as_bytes(), bit).map(|v| HeaderValue::from_bytes(&v)) {
        let mut changed = request.clone();
        changed.headers.insert(SIGNATURE, value);
        refused(&changed, "signature");
    }
}

fn parse(request: &Request) {
    let parsed = SANDBOX.carrier.parse(request);
    assert_eq!(SANDBOX.carrier.parse(request), parsed, "read differently the second time");
    let Ok(events) = parsed else { return };
    let [event] = &events[..] else { panic!("{} events", events.len()) };
    let sent: Value = serde_json::from_slice(&request.body).expect("read from what is no JSON");
    let links::At { leg, turn, .. } = links::read(request.query());
    let leg_is = |found: &LegId| assert_eq!(leg.as_ref(), Some(found));
    let word = sent["event"].as_str().unwrap();
    match event {
        Inbound::Message(text) => {
            assert_eq!(word, "message");
            came(&sent, &text.id, &text.from, &text.to);
            assert_eq!(text.body.expose(), sent["text"].as_str().unwrap_or_default());
            let media: Vec<Value> = text.media.iter().cloned().map(Value::from).collect();
            assert_eq!(media, sent["media"].as_array().cloned().unwrap_or_default());
        }
        Inbound::Call(call) => {
            assert_eq!(word, "call");
            came(&sent, &call.id, &call.from, &call.to);
        }
        Inbound::CalleeAnswered(at) => {
            assert!(word == "answered" && sent["id"] == *at.id);
            leg_is(&at.leg);
        }
        Inbound::PlacedCallAnswered(at) => {
            assert!(word == "answered" && sent["id"] == *at.id);
            leg_is(&at.leg);
        }
        Inbound::Keys(keys) => {
            assert!(word == "keys" && sent["digits"] == *keys.digits);
            assert!(keys.digits.len() <= 32 && keys.digits.chars().all(|c| "0123456789*#".contains(c)));
            assert_eq!(keys.turn, turn);
            leg_is(&keys.leg);
        }
        Inbound::Played(at) => {
            assert!(word == "played" && at.turn == turn);
            leg_is(&at.leg);
        }
        Inbound::Recorded(at) => {
            assert!(word == "recorded" && sent["recording"] == *at.id && sent["url"] == *at.address);
            leg_is(&at.leg);
        }
        Inbound::DialEnded(end) => {
            assert_eq!(word, "dialled");
            assert_eq!(end.duration, sent["duration_ms"].as_u64().map(Duration::from_millis));
            leg_is(&end.leg);
        }
        Inbound::CallStatus(news) => {
            assert!(word == "call_status" && sent["id"] == *news.id && news.leg == leg);
            assert_eq!(sent["state"], *news.state.as_str());
            assert_code(news.carrier_code.as_deref());
        }
        Inbound::MessageStatus(news) => {
            assert!(word == "message_status" && sent["id"] == *news.id && news.leg == leg);
            assert_eq!(sent["state"], *news.state.as_str());
            assert_code(news.carrier_code.as_deref());
        }
        Inbound::Ignored(_) => {}
    }
}

/// What came in is from whom and to where the text says.
fn came(sent: &Value, id: &str, from: &Caller, to: &ProxyNumber) {
    assert!(sent["id"] == *id && (1..=64).contains(&id.len()));
    assert!(id.bytes().all(|b| b.is_ascii_graphic()), "an id that garbles a log");
    assert_eq!(sent["to"], *to.as_str());
    let said = sent["from"].as_str().unwrap_or_default();
    match from {
        Caller::Number(number) => assert_eq!(number.expose(), said),
        Caller::Withheld => assert!(!is_e164(said), "a caller is lost"),
    }
}
