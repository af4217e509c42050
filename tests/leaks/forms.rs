//! The forms in which something secret may have been written down: what a scan looks for.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use entremise::ids::hex;

/// One form of a secret.
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// No form is shorter: chance would write it.
pub(crate) const SHORTEST: usize = 5;

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

/// What is the same of some bytes in base64, whatever stands before and after them: one text for each
/// place that they can begin at within three bytes.
fn base64(bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    for before in 0..3 {
        let padded = [&vec![0; before][..], bytes].concat();
        // The first digits hold bits of what stands before, the last ones of what follows.
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            all.push(text[first..last].to_owned());
        }
    }
    all
}

/// Bytes as anybody encodes bytes.
fn encoded(name: &str, bytes: &[u8], add: &mut impl FnMut(String, Vec<u8>)) {
    add(name.to_owned(), bytes.to_vec());
    let lower = hex(bytes);
    add(format!("{name}, hex"), lower.clone().into_bytes());
    add(format!("{name}, HEX"), lower.to_uppercase().into_bytes());
    for text in base64(bytes) {
        add(format!("{name}, base64"), text.into_bytes());
    }
    let list = |between: &str| {
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        numbers.join(between).into_bytes()
    };
    add(format!("{name}, a list of bytes"), list(", "));
    add(format!("{name}, a dense list of bytes"), list(","));
    let escaped: String = bytes.escape_ascii().map(char::from).collect();
    add(format!("{name}, Escaped bytes"), escaped.replace("\\x00", "\\0").into_bytes());
    add(format!("{name}, escaped bytes"), escaped.into_bytes());
    let percent = |upper: bool| {
        let digits = |byte: u8| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
        let one = |byte: &u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(*byte).to_string()
            }
            other => digits(*other),
        };
        bytes.iter().map(one).collect::<String>()
    };
    add(format!("{name}, URL-encoded"), percent(true).into_bytes());
    add(format!("{name}, url-encoded"), percent(false).into_bytes());
    add(format!("{name}, in a form"), percent(true).replace("%20", "+").into_bytes());
}

/// All forms of bytes, such as a recording.
pub(crate) fn of_bytes(what: &str, bytes: &[u8]) -> Vec<Form> {
    let mut all = Vec::new();
    encoded(what, bytes, &mut |name, bytes| all.push(Form { name, bytes }));
    tidy(all)
}

/// All forms of words.
pub(crate) fn of_words(what: &str, words: &str) -> Vec<Form> {
    let mut all = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>| all.push(Form { name, bytes });
    encoded(what, words.as_bytes(), &mut add);
    encoded(&format!("{what}, UTF-16LE"), &utf16(words, u16::to_le_bytes), &mut add);
    encoded(&format!("{what}, UTF-16BE"), &utf16(words, u16::to_be_bytes), &mut add);
    let json = serde_json::Value::from(words).to_string();
    let json = json.trim_matches('"').to_owned();
    let escaped = |upper: bool| {
        let unit = |one: u16| {
            if upper { format!("\\u{one:04X}") } else { format!("\\u{one:04x}") }
        };
        let mut text = String::new();
        for letter in json.chars() {
            if letter.is_ascii() {
                text.push(letter);
            } else {
                text.extend(letter.encode_utf16(&mut [0; 2]).iter().map(|one| unit(*one)));
            }
        }
        text
    };
    add(format!("{what}, escaped in JSON"), escaped(false).into_bytes());
    add(format!("{what}, ESCAPED in JSON"), escaped(true).into_bytes());
    add(format!("{what}, in JSON"), json.clone().into_bytes());
    // JSON within JSON, as a log line holds a body.
    let twice = serde_json::Value::from(json.clone()).to_string();
    add(format!("{what}, in JSON twice"), twice.as_bytes()[1..twice.len() - 1].to_vec());
    let debugged: String = words.escape_default().collect();
    add(format!("{what}, as Rust prints it"), debugged.into_bytes());
    let html = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for (quote, apostrophe) in [("&quot;", "&#39;"), ("&#34;", "&#x27;"), ("&quot;", "&apos;")] {
        let text = html.replace('"', quote).replace('\'', apostrophe);
        add(format!("{what}, in a page"), text.into_bytes());
    }
    tidy(all)
}

/// All forms of a code but its digits as they are, which chance writes into longer ones: [`super::scan`] finds
/// those where they stand alone.
pub(crate) fn of_code(what: &str, code: &str) -> Vec<Form> {
    let mut all = of_words(what, code);
    let spoken: Vec<String> = code.chars().map(String::from).collect();
    all.extend(of_words(&format!("{what}, spoken"), &spoken.join(", ")));
    all.retain(|form| form.bytes.len() > code.len());
    all
}

/// The digits of a number by which somebody is reached, in pairs of which each is turned around, as
/// texts' own protocols write them, and as they are: from the first digit and from the second. Where one is
/// left over, its pair is filled up.
fn pairs(digits: &str) -> Vec<(&'static str, Vec<u8>)> {
    const FILL: u8 = 0xF;
    let values: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
    let mut all = Vec::new();
    for from in 0..2 {
        let of = |one: fn(u8, u8) -> u8| -> Vec<u8> {
            let two = values[from..].chunks(2);
            two.map(|two| one(two[0], two.get(1).copied().unwrap_or(FILL))).collect()
        };
        all.push(("digits in turned pairs", of(|first, second| (second << 4) | first)));
        all.push(("digits in pairs", of(|first, second| (first << 4) | second)));
    }
    all
}

/// All forms of a number in digits whose calling code has so many; what it looks like with marks
/// between its digits is found by [`super::scan`] whatever the marks are.
pub(crate) fn of_number(what: &str, digits: &str, code: usize) -> Vec<Form> {
    let national = &digits[code..];
    let mut all = of_words(what, digits);
    all.extend(of_words(&format!("{what}, national"), national));
    for written in written(national) {
        all.extend(of_words(&format!("{what}, as {}", shape(&written)), &written));
    }
    for (name, bytes) in pairs(digits) {
        let mut add = |name: String, bytes| all.push(Form { name, bytes });
        add(format!("{what}, {name}"), bytes.clone());
        add(format!("{what}, {name}, hex"), hex(&bytes).into_bytes());
        add(format!("{what}, {name}, HEX"), hex(&bytes).to_uppercase().into_bytes());
    }
    let value: u64 = digits.parse().unwrap();
    // Six bytes are what SQLite takes for it; PostgreSQL has two zeros more.
    let integer = [("a big integer", value.to_be_bytes()[2..].to_vec())];
    let little = [("a little integer", value.to_le_bytes()[..6].to_vec())];
    for (name, bytes) in integer.into_iter().chain(little) {
        all.push(Form { name: format!("{what}, {name}"), bytes });
    }
    tidy(all)
}

/// How people write ten digits, or nine.
fn written(national: &str) -> Vec<String> {
    if national.len() == 10 {
        let (area, rest) = national.split_at(3);
        let (exchange, line) = rest.split_at(3);
        return vec![
            format!("({area}) {exchange}-{line}"),
            format!("{area}-{exchange}-{line}"),
            format!("{area} {exchange} {line}"),
            format!("{area}.{exchange}.{line}"),
        ];
    }
    let (first, rest) = national.split_at(national.len() % 2);
    let pairs: Vec<&str> = (0..rest.len() / 2).map(|at| &rest[at * 2..at * 2 + 2]).collect();
    [" ", ".", "-"].iter().map(|mark| format!("{first}{mark}{}", pairs.join(mark))).collect()
}

fn shape(written: &str) -> String {
    written.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

/// Each once, and none that chance would write.
fn tidy(mut all: Vec<Form>) -> Vec<Form> {
    all.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    all.dedup_by(|a, b| a.bytes == b.bytes);
    all.retain(|form| form.bytes.len() >= SHORTEST);
    all
}
