//! Bodies and conditions of writes: never our fault, every refusal a problem that repeats nothing, and
//! one key one answer.
//!
//! Input: the route · `Idempotency-Key` · `If-Match` · the body, with `$KEY` for what exists.

use http::Request;
use serde_json::Value;

use super::{
    input::{Input, digit_runs},
    world::{self, Answered, World},
};

/// Method and path; `@` is the session that is there, `#` the service.
const ROUTES: [(&str, &str); 14] = [
    ("POST", "/api/v1/sessions"),
    ("POST", "/api/v1/sessions?dry_run=true"),
    ("PATCH", "/api/v1/sessions/@"),
    ("POST", "/api/v1/sessions/@/participants"),
    ("POST", "/api/v1/sessions/@/messages"),
    ("POST", "/api/v1/sessions/@/calls"),
    ("POST", "/api/v1/sessions/@/extend"),
    ("POST", "/api/v1/sessions/@/close"),
    ("POST", "/api/v1/sessions/@/reopen"),
    ("POST", "/api/v1/services"),
    ("PATCH", "/api/v1/services/#"),
    ("POST", "/api/v1/numbers"),
    ("POST", "/api/v1/endpoints"),
    ("POST", "/api/v1/api-keys"),
];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let route = ROUTES[input.choice(ROUTES.len())];
    let (key, version) = (input.field(), input.field());
    let body = input.rest();
    world::with(|world| judge(world, route, key, version, body));
}

fn judge(world: &World, (method, path): (&str, &str), key: &[u8], version: &[u8], body: &[u8]) {
    let path = path.replace('@', world.session.as_str()).replace('#', &world.service);
    let body = match std::str::from_utf8(body) {
        Ok(text) => text
            .replace("$SERVICE", &world.service)
            .replace("$SESSION", world.session.as_str())
            .into_bytes(),
        Err(_) => body.to_vec(),
    };
    let request = |body: &[u8]| -> Request<Vec<u8>> {
        let request = world.request(method, &path, body);
        let request = World::with_header(request, "idempotency-key", key);
        World::with_header(request, "if-match", version)
    };
    let first = world.ask(request(&body));
    assert!(first.status < 500, "{method} {path}: {} {}", first.status, first.body);
    assert!((200..300).contains(&first.status) || first.status >= 400);
    silent(&first, &path, &body);
    if first.status >= 400 {
        return problem(&first, &body);
    }
    if let Some(place) = first.header("location") {
        let made = world.get(place.strip_prefix(super::adapters::ORIGIN).expect("an address of ours"));
        // A key can only be revoked there.
        if made.status != 405 {
            assert_eq!(made.status, 200, "{place}: {}", made.body);
            assert_eq!(made.json()["id"], first.json()["id"]);
        }
    }
    let kept = first.header("idempotent-replayed").is_some();
    let readable = request(&body).headers().contains_key("idempotency-key");
    if readable && !path.contains("dry_run") {
        let again = world.ask(request(&body));
        assert_eq!((again.status, &again.body), (first.status, &first.body), "another answer");
        assert!(kept || again.header("idempotent-replayed") == Some("true"));
        let other = world.ask(request(&[&body[..], b" "].concat()));
        assert!((400..500).contains(&other.status), "one key, two bodies: {}", other.status);
    }
}

/// No number of a person is in an answer, whatever the body called it.
fn silent(answered: &Answered, path: &str, body: &[u8]) {
    let Ok(sent) = serde_json::from_slice::<Value>(body) else { return };
    let mut numbers = Vec::new();
    identifiers(&sent, &mut numbers);
    for number in numbers.iter().filter(|number| number.starts_with('+')) {
        for digits in digit_runs(number, 7) {
            let public = answered.status < 300 && path.ends_with("numbers");
            assert!(public || !answered.body.contains(digits), "{} shows {number}", answered.body);
        }
    }
}

fn identifiers(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "identifier" || name.ends_with("_number") => {
                        found.push(text.clone());
                    }
                    value => identifiers(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| identifiers(item, found)),
        _ => {}
    }
}

fn problem(answered: &Answered, body: &[u8]) {
    assert_eq!(answered.header("content-type"), Some("application/problem+json"));
    let document = answered.json();
    assert_eq!(document["status"], answered.status);
    assert!(document["code"].as_str().is_some_and(|code| !code.is_empty()));
    let sent = String::from_utf8_lossy(body);
    let told = format!("{} {}", document["detail"], document["errors"]);
    for run in digit_runs(&told, 7) {
        // The longest length of time is told where one is too long.
        assert!(run == "315360000" || !sent.contains(run), "{told} repeats {run}");
    }
    let sent: Option<Value> = serde_json::from_slice(body).ok();
    for error in document["errors"].as_array().into_iter().flatten() {
        assert!(error["code"].is_string() && error["detail"].is_string(), "{error}");
        let (Some(pointer), Some(sent)) = (error["pointer"].as_str(), &sent) else { continue };
        let holder = pointer.rsplit_once('/').map_or("", |(holder, _)| holder);
        let there = sent.pointer(pointer).is_some() || sent.pointer(holder).is_some();
        assert!(there || pointer.contains('*') || body.is_empty(), "{pointer} points to nothing");
    }
}
