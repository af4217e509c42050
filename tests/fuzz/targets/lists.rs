//! Carriers' lists and what they say of a number: only what was asked for, the next page at our own
//! address, and nothing of another address shown but its place.
//!
//! Input: the carrier · what is asked · the status · the body.

use entremise::{
    carrier::{
        Inbound, Request, Response,
        listing::{Query, Recorded},
    },
    domain::{phone::ProxyNumber, pool::Capabilities, time::Timestamp},
};
use http::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::Value;

use super::{
    adapters::{self, Adapter, SANDBOX_API, TWILIO_API},
    input::{Input, assert_code, is_e164},
};

/// 2026-11-21T20:25:27Z, in seconds as lists tell it.
const SINCE: Timestamp = Timestamp::from_millis(1_795_292_727_000);

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let adapter = adapters::all()[input.choice(adapters::all().len())];
    let asked = input.choice(4);
    let status = u16::try_from(200 + input.count() % 400).unwrap();
    let number = ProxyNumber::parse("+14155550150").unwrap();
    let mut response = Response::empty(StatusCode::from_u16(status).unwrap());
    response.body = input.rest().to_vec().into();
    let query = match asked {
        0 => Query::Sent { from: number.clone().into(), since: SINCE },
        1 => Query::Texts(SINCE),
        2 => Query::Calls(SINCE),
        _ => return setting(adapter, &number, &response),
    };
    let Ok(page) = adapter.carrier.listed(&query, &response) else { return };
    assert!((200..300).contains(&status), "a page with status {status}");
    for record in &page.records {
        assert!(record.at >= SINCE, "older than was asked for");
        match (&query, &record.what) {
            (Query::Sent { .. }, Recorded::Sent(text)) => {
                assert!(is_e164(text.to.expose()) && is_plain(&text.id));
                assert_code(text.carrier_code.as_deref());
            }
            (Query::Texts(_), Recorded::CameIn(Inbound::Message(text))) => {
                assert!(is_plain(&text.id) && text.media.len() <= 100);
            }
            (Query::Calls(_), Recorded::CameIn(Inbound::Call(call))) => assert!(is_plain(&call.id)),
            (query, what) => panic!("{what:?} in a list of {query:?}"),
        }
    }
    if let Some(next) = &page.next {
        at_home(adapter, &query, next);
    }
}

fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}

/// The request for the next page goes where the first one went, by another's reading of it too.
fn at_home(adapter: &Adapter, query: &Query, next: &Request) {
    let first = adapter.carrier.list(query).expect("a page of a list that can't be asked for");
    let bare = |request: &Request| request.url.split('?').next().unwrap_or_default().to_owned();
    assert_eq!(bare(next), bare(&first), "the next page is elsewhere");
    let home = match adapter.kind {
        "twilio" => TWILIO_API,
        "sandbox" => SANDBOX_API,
        _ => adapters::NOWHERE,
    };
    let (home, url) = (url::Url::parse(home).unwrap(), url::Url::parse(&next.url).unwrap());
    assert_eq!(url.origin(), home.origin());
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    assert_eq!(url.path(), url::Url::parse(&first.url).unwrap().path());
    assert_eq!(next.method, Method::GET);
    assert_eq!(next.headers.get(AUTHORIZATION), first.headers.get(AUTHORIZATION));
    assert!(next.body.is_empty() && next.url.is_ascii());
}

/// What is wrong with a number is told in one line, without query, fragment and credentials.
fn setting(adapter: &Adapter, number: &ProxyNumber, response: &Response) {
    let can = Capabilities { voice: true, sms: true, mms: true };
    let carrier = &adapter.carrier;
    let account = (0..carrier.account().len())
        .filter_map(|place| carrier.account_faults(place, &adapter.links, response));
    let number = carrier.number_faults(number, can, &adapter.links, response);
    let faults: Vec<_> = account.chain(number).flatten().collect();
    if faults.is_empty() {
        return;
    }
    // Of those who judge numbers one speaks XML: its addresses are judged by its own tests.
    let answer: Value = match adapter.kind {
        "bandwidth" => Value::Null,
        _ => serde_json::from_slice(&response.body).expect("read from what is no JSON"),
    };
    for fault in &faults {
        let told = format!("{} {}", fault.found, fault.fix);
        assert!(!told.contains(|c: char| c.is_control()), "{told:?}");
        let listed = answer["incoming_phone_numbers"].as_array().into_iter().flatten();
        for entry in listed.chain([&answer["data"]]) {
            for name in ["voice_url", "sms_url", "status_callback", "webhook_url"] {
                let Ok(url) = url::Url::parse(entry[name].as_str().unwrap_or_default()) else {
                    continue;
                };
                let parts = [url.query(), url.fragment(), url.password(), Some(url.username())];
                let hidden = parts.into_iter().flatten().filter(|part| part.len() >= 16);
                for part in hidden.filter(|part| !url.path().contains(part)) {
                    let host = url.host_str().unwrap_or_default();
                    assert!(host.contains(part) || !told.contains(part), "{told} shows {part}");
                }
            }
        }
    }
}
