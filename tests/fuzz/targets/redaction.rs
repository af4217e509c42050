//! The net under the logs: whatever is logged, no number of the promised forms and no secret is
//! written.
//!
//! Input: a form of number · which secret · what stands before · what stands after.

use std::{
    io,
    sync::{Arc, Mutex},
};

use entremise::telemetry::{logs, redact::Redactor};
use serde_json::Value;

use super::input::Input;

/// A secret may begin another, and may hold what JSON escapes.
const SECRETS: [&str; 4] = ["abcdefgh", "abcdefghijklmnop", "pa\"ss\\wo/rd'1", "{\"k\":\"v\"}"];
const NUMBERS: [&str; 7] = [
    "+14155550100",
    "%2B14155550100",
    "%2b14155550100",
    "14155550100",
    "4155550100",
    "+1 (415) 555-0100",
    "+1.415.555.0100",
];

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn redactor() -> Redactor {
    Redactor::new(SECRETS.map(str::to_owned))
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let number = NUMBERS[input.choice(NUMBERS.len())];
    let secret = SECRETS[input.choice(SECRETS.len())];
    let (before, after) = (input.text(), input.text());
    let redactor = redactor();
    for text in [&before, &after] {
        judge(&redactor, text);
    }
    let text = format!("{before} {number}{after}");
    let clean = judge(&redactor, &text);
    // Bare digits stand alone; the rest of what is around them is not the number.
    let bare = !number.starts_with(['+', '%']);
    let stands = !bare || !after.starts_with(|c: char| c.is_ascii_alphanumeric() || "-._".contains(c));
    let elsewhere = format!("{before}|{after}");
    for tail in ["5550100", "555-0100", "555.0100"] {
        if number.ends_with(tail) && stands && !elsewhere.contains(tail) {
            assert!(!clean.contains(tail), "{text:?} became {clean:?}");
        }
    }
    logged(&text, &format!("{before}{secret}{after}"));
}

/// What the promise says of any text, read in another way.
fn judge(redactor: &Redactor, text: &str) -> String {
    let clean = redactor.redact(text).into_owned();
    assert_eq!(redactor.redact(&clean), clean, "not clean at once: {text:?}");
    for secret in SECRETS {
        assert!(!clean.contains(secret), "{clean:?} shows {secret}");
    }
    let bytes = clean.as_bytes();
    for (at, _) in clean.match_indices(['+', '%']) {
        let ([b'+', rest @ ..] | [b'%', b'2', b'B' | b'b', rest @ ..]) = &bytes[at..] else {
            continue;
        };
        assert!(rest.first().is_none_or(|b| !b.is_ascii_digit()) || follow(rest) < 7, "{clean:?}");
    }
    let mut at = 0_usize;
    for run in bytes.chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit()) {
        let near = |place: Option<&u8>| {
            place.is_some_and(|b| b.is_ascii_alphanumeric() || b"-._".contains(b))
        };
        let before = at.checked_sub(1).and_then(|place| bytes.get(place));
        let alone = !near(before) && !near(bytes.get(at + run.len()));
        let long = run[0].is_ascii_digit() && (10..=15).contains(&run.len());
        assert!(!(alone && long), "{clean:?} shows {:?}", String::from_utf8_lossy(run));
        at += run.len();
    }
    clean
}

/// How many digits follow with at most two separators between them.
fn follow(rest: &[u8]) -> usize {
    let text: String = rest.iter().take(64).map(|b| char::from(*b)).collect();
    let part = |c: char| c.is_ascii_digit() || " -.()".contains(c);
    let text: String = text.chars().take_while(|c| part(*c)).collect();
    let mut groups = text.split(|c: char| !c.is_ascii_digit());
    let (mut digits, mut empty) = (0_usize, 0_usize);
    groups.by_ref().take_while(|group| {
        empty = if group.is_empty() { empty + 1 } else { 0 };
        digits += group.len();
        empty < 2
    }).for_each(drop);
    digits
}

/// One line of JSON, without the secret in any of its texts.
fn logged(text: &str, secret: &str) {
    thread_local! {
        static LOG: (Lines, tracing::Dispatch) = {
            let lines = Lines::default();
            let writer = lines.clone();
            let make = move || writer.clone();
            let log = logs::subscriber("info", false, false, redactor(), make).unwrap();
            (lines, tracing::Dispatch::new(log))
        };
    }
    LOG.with(|(lines, log)| {
        tracing::dispatcher::with_default(log, || {
            let _span = tracing::info_span!("relay", shown = secret, debug = ?secret).entered();
            tracing::info!(shown = %secret, debug = ?secret, "{text}");
        });
        let bytes = std::mem::take(&mut *lines.0.lock().unwrap());
        let line = String::from_utf8(bytes).expect("UTF-8");
        assert_eq!(line.matches('\n').count(), 1, "not one line: {line:?}");
        assert_eq!(redactor().redact(&line), line);
        // What a reader of the line makes of it. The net may cut into an escape: then it is no JSON,
        // and shows no more.
        let mut texts = Vec::new();
        if let Ok(value) = serde_json::from_str(&line) {
            collect(&value, &mut texts);
        }
        for shown in texts.iter().chain([&line]) {
            for secret in SECRETS {
                let debug = format!("{secret:?}");
                assert!(!shown.contains(secret), "{shown:?} shows {secret}");
                assert!(!shown.contains(debug.trim_matches('"')), "{shown:?} shows {debug}");
            }
        }
    });
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.values().for_each(|member| collect(member, texts)),
        _ => {}
    }
}
