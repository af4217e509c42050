//! Reads `fixtures/<name>/`: `carrier.toml` and raw requests and responses.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use entremise::{
    carrier::{self, Answer, Carrier, Kind, Links, Reply, Settings, wire::Request, wire::Response},
    domain::time::Timestamp,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;

/// `carrier.toml`: docs/carriers/adding.md.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    public_url: String,
    now: i64,
    api_base: Option<String>,
    pub(crate) signature_headers: Vec<String>,
    pub(crate) signs_url: bool,
    /// Not for a carrier whose webhooks have nothing but a password.
    #[serde(default = "yes")]
    pub(crate) signs_body: bool,
    pub(crate) signs_time: bool,
    /// The cases whose webhooks the answers are for, where their words depend on it.
    #[serde(default)]
    about: Vec<String>,
    /// What our addresses, and what calls keep for us, are sealed with: 32 bytes in hex.
    links_key: Option<String>,
    pub(crate) call_id: String,
    /// An id of a recording, where the carrier can be asked to delete one.
    #[serde(default)]
    pub(crate) recording_id: String,
    /// An id of a text, where the carrier can be asked to delete its record.
    #[serde(default)]
    pub(crate) message_id: String,
    people: Vec<String>,
    /// Why nothing says what requests to this carrier may be: `none: …`.
    pub(crate) api: Option<String>,
    settings: toml::Table,
    /// Settings that change what is asked of the carrier, each over `settings`.
    #[serde(default)]
    also: Vec<toml::Table>,
}

const fn yes() -> bool {
    true
}

pub(crate) struct Fixtures {
    /// The carrier's name, and its variant's after a slash.
    pub(crate) name: String,
    pub(crate) facts: Facts,
    pub(crate) requests: Vec<(String, Request)>,
    pub(crate) responses: Vec<(String, Response)>,
    /// Pages of lists: `sent…`, `texts…` and `calls…`.
    pub(crate) lists: Vec<(String, Response)>,
    /// Answers about numbers: `search…`, `prices…`, `buy…`, `trace…`, `order…`, `held…`, `changed…`
    /// and `page…`.
    pub(crate) numbers: Vec<(String, Response)>,
    kind: &'static Kind,
}

pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The fixtures of every carrier, and of every variant that its settings make of it.
pub(crate) fn all() -> Vec<Fixtures> {
    carrier::KINDS.iter().flat_map(variants).collect()
}

fn variants(kind: &'static Kind) -> Vec<Fixtures> {
    let entries = fs::read_dir(folder(kind.name)).expect(kind.name).map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<String> = folders
        .map(|folder| format!("{}/{}", kind.name, folder.file_name().to_str().unwrap()))
        .collect();
    names.sort();
    names.insert(0, kind.name.to_owned());
    names.into_iter().map(|name| Fixtures::read(kind, name)).collect()
}

impl Fixtures {
    fn read(kind: &'static Kind, name: String) -> Self {
        let folder = folder(&name);
        let facts = fs::read_to_string(folder.join("carrier.toml")).expect("carrier.toml");
        let facts: Facts = toml::from_str(&facts).expect(&name);
        let (mut requests, mut responses) = (Vec::new(), Vec::new());
        let (mut lists, mut numbers) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&folder).expect(kind.name) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let file = path.file_name().unwrap().to_str().unwrap();
            if let Some(case) = file.strip_suffix(".response.http") {
                responses.push((case.to_owned(), response(&fs::read(&path).unwrap())));
            } else if let Some(case) = file.strip_suffix(".number.http") {
                numbers.push((case.to_owned(), response(&fs::read(&path).unwrap())));
            } else if let Some(case) = file.strip_suffix(".list.http") {
                lists.push((case.to_owned(), response(&fs::read(&path).unwrap())));
            } else if let Some(case) = file.strip_suffix(".http") {
                let request = request(&fs::read(&path).unwrap(), &facts.public_url);
                requests.push((case.to_owned(), request));
            } else {
                let known = file == "api.json" || file.starts_with('.');
                assert!(
                    known || path.extension().is_some_and(|kind| kind == "toml"),
                    "{file}: what is it?"
                );
            }
        }
        requests.sort_by(|a, b| a.0.cmp(&b.0));
        responses.sort_by(|a, b| a.0.cmp(&b.0));
        lists.sort_by(|a, b| a.0.cmp(&b.0));
        numbers.sort_by(|a, b| a.0.cmp(&b.0));
        assert!(!requests.is_empty() && !responses.is_empty(), "{name}: no cases");
        Self { name, facts, requests, responses, lists, numbers, kind }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.facts.now)
    }

    pub(crate) fn links(&self) -> Links {
        let links = Links::new(&self.facts.public_url, self.kind.name);
        let Some(key) = &self.facts.links_key else { return links };
        let byte = |at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).unwrap();
        links.sealed(std::array::from_fn(byte))
    }

    pub(crate) fn people(&self) -> impl Iterator<Item = &str> {
        self.facts.people.iter().map(String::as_str)
    }

    pub(crate) fn carrier(&self) -> Box<dyn Carrier> {
        self.build(self.facts.settings.clone())
    }

    /// The carrier, and once more with each of the settings of `also`.
    pub(crate) fn carriers(&self) -> Vec<Box<dyn Carrier>> {
        let with = |also: &toml::Table| {
            let mut settings = self.facts.settings.clone();
            settings.extend(also.clone());
            self.build(settings)
        };
        std::iter::once(self.carrier()).chain(self.facts.also.iter().map(with)).collect()
    }

    /// The same carrier with every secret changed.
    pub(crate) fn carrier_with_other_secrets(&self) -> Box<dyn Carrier> {
        let mut settings = toml::Value::Table(self.facts.settings.clone());
        let secrets = self.carrier().secrets();
        let mut changed = 0;
        walk(&mut settings, "", &mut |_, value| {
            // A key read backwards is none; it signs what we send, and no webhook.
            if secrets.contains(value) && !value.starts_with("-----BEGIN") {
                *value = value.chars().rev().collect();
                changed += 1;
            }
        });
        assert!(changed > 0, "{}: no secret in the settings", self.name);
        self.build(settings.as_table().unwrap().clone())
    }

    /// What the carrier answers to each of the webhooks that its answers are for, or to any; after the first
    /// with its case.
    pub(crate) fn replies(&self, carrier: &dyn Carrier, answer: &Answer) -> Vec<(String, Reply)> {
        let (links, about) = (self.links(), &self.facts.about);
        if about.is_empty() {
            return vec![(String::new(), carrier.reply(answer, &links))];
        }
        let reply = |(place, about): (usize, &String)| {
            let case = self.requests.iter().find(|(case, _)| case == about);
            let (_, webhook) = case.expect("the case that `about` names");
            let events = carrier.parse_with(webhook, &links).unwrap();
            let after = if place == 0 { String::new() } else { format!(", after {about}") };
            (after, carrier.reply_for(answer, webhook, &events, &links))
        };
        about.iter().enumerate().map(reply).collect()
    }

    fn build(&self, values: toml::Table) -> Box<dyn Carrier> {
        let api_base = self.facts.api_base.clone();
        let settings = Settings { id: self.kind.name.to_owned(), api_base, values };
        (self.kind.build)(&settings).expect(&self.name)
    }

    /// Where the carrier's page is, below `docs`.
    pub(crate) fn page(&self) -> String {
        format!("carriers/{}.md", self.kind.name)
    }

    /// Every text of the settings, by dotted key.
    pub(crate) fn leaves(&self) -> Vec<(String, String)> {
        let mut leaves = Vec::new();
        let mut settings = toml::Value::Table(self.facts.settings.clone());
        walk(&mut settings, "", &mut |key, value| leaves.push((key.to_owned(), value.clone())));
        leaves
    }

    /// Fails if a person's number is in `text`, with or without its calling code.
    pub(crate) fn assert_masked(&self, what: &str, text: &str) {
        for person in self.people().chain(crate::samples::PEOPLE.iter().copied()) {
            let (_, subscriber) = person.split_at(person.len() - 7);
            assert!(!text.contains(subscriber), "{what} shows a number");
        }
    }

    /// Fails if a secret of the settings is in `text`.
    pub(crate) fn assert_no_secret(&self, what: &str, text: &str) {
        for secret in self.carrier().secrets() {
            assert!(!text.contains(&secret), "{what} shows a secret");
        }
    }
}

fn walk(value: &mut toml::Value, key: &str, visit: &mut impl FnMut(&str, &mut String)) {
    match value {
        toml::Value::String(text) => visit(key, text),
        toml::Value::Table(table) => {
            for (name, value) in table.iter_mut() {
                walk(value, &format!("{key}.{name}"), visit);
            }
        }
        toml::Value::Array(values) => values.iter_mut().for_each(|value| walk(value, key, visit)),
        _ => {}
    }
}

/// Lines of the head, which may end in LF or CRLF, and the exact bytes after the empty line.
fn split(bytes: &[u8]) -> (Vec<&str>, Bytes) {
    let at = |end: &[u8]| bytes.windows(end.len()).position(|w| w == end).map(|at| at + end.len());
    let body = match (at(b"\n\n"), at(b"\r\n\r\n")) {
        (Some(lf), Some(crlf)) => lf.min(crlf),
        (lf, crlf) => lf.or(crlf).expect("an empty line after the head"),
    };
    let head = std::str::from_utf8(&bytes[..body]).expect("a head of text");
    (head.lines().filter(|line| !line.is_empty()).collect(), Bytes::copy_from_slice(&bytes[body..]))
}

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header");
        let name: HeaderName = name.parse().expect("a header's name");
        headers.append(name, value.trim().parse().expect("a header's value"));
    }
    headers
}

fn request(bytes: &[u8], public_url: &str) -> Request {
    let (lines, body) = split(bytes);
    let mut words = lines[0].split(' ');
    let method: Method = words.next().unwrap().parse().unwrap();
    let target = words.next().expect("a path");
    assert!(target.starts_with('/'), "{target}");
    let mut request = Request::new(method, format!("{public_url}{target}"));
    request.headers = headers(&lines[1..]);
    request.body = body;
    if let Some(length) = request.header("content-length") {
        assert_eq!(length, request.body.len().to_string(), "{target}: the body was edited");
    }
    request
}

fn response(bytes: &[u8]) -> Response {
    let (lines, body) = split(bytes);
    let status = lines[0].split(' ').nth(1).expect("a status").parse::<StatusCode>().unwrap();
    Response { status, headers: headers(&lines[1..]), body }
}

/// The request with one byte changed, for every byte of the body, of the headers that sign it and,
/// where it is signed, of the address; and what was changed.
pub(crate) fn flips(request: &Request, facts: &Facts) -> Vec<(String, Request)> {
    let mut flipped = Vec::new();
    for (at, bit) in bits(request.body.len()) {
        let mut body = request.body.to_vec();
        body[at] ^= bit;
        let mut changed = request.clone();
        changed.body = body.into();
        flipped.push((format!("byte {at} of the body ^ {bit}"), changed));
    }
    for name in &facts.signature_headers {
        let Some(value) = request.headers.get(name) else { continue };
        for (at, bit) in bits(value.len()) {
            let mut bytes = value.as_bytes().to_vec();
            bytes[at] ^= bit;
            // The case of a scheme's letters does not count (RFC 9110 §11.1).
            let scheme = value.as_bytes().iter().take_while(|b| **b != b' ').count();
            if name == "authorization" && at < scheme && bit == 0x20 {
                continue;
            }
            // Some bytes can't stand in a header at all.
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { continue };
            let mut changed = request.clone();
            changed.headers.insert(name.parse::<HeaderName>().unwrap(), value);
            flipped.push((format!("byte {at} of {name} ^ {bit}"), changed));
        }
    }
    if facts.signs_url {
        for (at, bit) in bits(request.url.len()).filter(|(at, _)| *at >= facts.public_url.len()) {
            let mut bytes = request.url.clone().into_bytes();
            bytes[at] ^= bit;
            let Ok(url) = String::from_utf8(bytes) else { continue };
            flipped.push((
                format!("byte {at} of the address ^ {bit}"),
                Request { url, ..request.clone() },
            ));
        }
    }
    flipped
}

/// For each byte the bit that turns a letter's case, which decoders like to overlook, and another
/// in turn.
fn bits(length: usize) -> impl Iterator<Item = (usize, u8)> {
    (0..length).flat_map(|at| [(at, 0x20), (at, [1, 2, 4, 8, 0x10, 0x40, 0x80][at % 7])])
}
