//! What adapters said, as text for snapshots.

use std::fmt::Write as _;

use entremise::{
    carrier::{Inbound, SendError, Sent, WebhookError, plan::Reply, wire::Request},
    domain::phone::Caller,
};
use http::{HeaderMap, header::AUTHORIZATION};

use crate::fixtures::Fixtures;

/// Compares `text` with `tests/snapshots/carriers__<carrier>__<what>.snap`.
pub(crate) fn snapshot(fixtures: &Fixtures, what: &str, text: &str) {
    insta::with_settings!({ omit_expression => true, snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        let name = fixtures.name.replace('/', "_");
        insta::assert_snapshot!(format!("carriers__{name}__{what}"), text);
    });
}

/// The events of one webhook. Numbers and bodies are masked by their types; a line under the event
/// says which person it is, and the body's checksum.
pub(crate) fn events(
    case: &str,
    events: &Result<Vec<Inbound>, WebhookError>,
    fixtures: &Fixtures,
) -> String {
    let mut text = format!("== {case}\n");
    for event in events.iter().flatten() {
        let (from, body) = match event {
            Inbound::Message(message) => (Some(&message.from), Some(message.body.expose())),
            Inbound::Call(call) => (Some(&call.from), None),
            _ => (None, None),
        };
        writeln!(text, "{event:#?}").unwrap();
        if let Some(Caller::Number(number)) = from {
            let person = fixtures.people().position(|person| person == number.expose());
            writeln!(text, "from person {person:?} of carrier.toml").unwrap();
        }
        if let Some(body) = body {
            writeln!(text, "body with CRC-32 {:08x}", crc32fast::hash(body.as_bytes())).unwrap();
        }
    }
    if let Err(error) = events {
        writeln!(text, "{error}").unwrap();
    }
    text
}

/// A reply, its elements on lines of their own.
pub(crate) fn reply(name: &str, reply: &Reply) -> String {
    let mut text = format!("== {name}\n{}\n", reply.response.status);
    headers(&mut text, &reply.response.headers);
    body(&mut text, &reply.response.body);
    for command in &reply.commands {
        writeln!(text, "-- and then").unwrap();
        one_request(&mut text, command);
    }
    text
}

/// A request of ours, its parameters on lines of their own.
pub(crate) fn request(name: &str, request: &Result<Request, SendError>) -> String {
    let mut text = format!("== {name}\n");
    match request {
        Ok(request) => one_request(&mut text, request),
        Err(error) => writeln!(text, "{error}").unwrap(),
    }
    text
}

/// What one response means for everything that we may have asked; said once if it is the same.
pub(crate) fn results(case: &str, results: &[(&str, Result<Sent, SendError>)]) -> String {
    let mut text = format!("== {case}\n");
    let mut last: Option<String> = None;
    for (name, result) in results {
        let meaning = match result {
            Ok(sent) => format!("sent as {}", sent.id),
            Err(error) => error.to_string(),
        };
        if last.as_ref() == Some(&meaning) {
            writeln!(text, "{name}: the same").unwrap();
        } else {
            writeln!(text, "{name}: {meaning}").unwrap();
        }
        last = Some(meaning);
    }
    text
}

fn one_request(text: &mut String, request: &Request) {
    writeln!(text, "{} {}", request.method, request.url).unwrap();
    headers(text, &request.headers);
    body(text, &request.body);
}

fn headers(text: &mut String, headers: &HeaderMap) {
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| {
            let value = value.to_str().unwrap();
            if *name == AUTHORIZATION {
                assert!(headers[AUTHORIZATION].is_sensitive(), "credentials that can be logged");
                return format!("{name}: {} ••••", value.split(' ').next().unwrap());
            }
            format!("{name}: {value}")
        })
        .collect();
    lines.sort();
    text.extend(lines.into_iter().map(|line| line + "\n"));
}

fn body(text: &mut String, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    let body = std::str::from_utf8(body).unwrap();
    let lines = if body.starts_with('<') {
        body.replace("><", ">\n<")
    } else if body.starts_with(['{', '[']) {
        body.to_owned()
    } else {
        body.replace('&', "\n&")
    };
    writeln!(text, "{lines}").unwrap();
}
