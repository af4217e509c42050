//! Reads back the documents that adapters write, in XML or in JSON.

use std::fmt::Write as _;

use entremise::carrier::plan::Reply;
use http::{HeaderMap, header::CONTENT_TYPE};
use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};
use serde_json::Value;

/// What one document holds.
#[derive(Default)]
struct Read {
    /// Its verbs and their fields, in order, without values.
    shape: Vec<String>,
    /// Its words, joined.
    words: String,
}

fn bodies(reply: &Reply) -> Vec<(&HeaderMap, String)> {
    let text = |body: &bytes::Bytes| String::from_utf8(body.to_vec()).expect("UTF-8");
    let commands = reply.commands.iter().map(|request| (&request.headers, text(&request.body)));
    std::iter::once((&reply.response.headers, text(&reply.response.body))).chain(commands).collect()
}

/// All that leaves with a reply: headers, bodies, addresses of commands.
pub(crate) fn everything(reply: &Reply) -> String {
    let bodies = bodies(reply).into_iter().map(|(headers, body)| format!("{headers:?}\n{body}\n"));
    let addresses = reply.commands.iter().map(|request| format!("{}\n", request.url));
    bodies.chain(addresses).collect()
}

/// The verbs and their fields of every body of the reply, without values.
pub(crate) fn shapes(reply: &Reply) -> Vec<Vec<String>> {
    bodies(reply).iter().map(|(headers, body)| read(headers, body).shape).collect()
}

/// The words of every body of the reply, unescaped.
pub(crate) fn words(reply: &Reply) -> String {
    bodies(reply).iter().map(|(headers, body)| read(headers, body).words).collect()
}

fn read(headers: &HeaderMap, body: &str) -> Read {
    let mut read = Read::default();
    let kind = headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap());
    if body.is_empty() {
        read.shape.push("empty".to_owned());
    } else if kind.contains("xml") {
        xml(body, &mut read);
    } else if kind.contains("json") {
        json(&serde_json::from_str(body).expect("JSON"), "", &mut read);
    } else {
        panic!("a body of type {kind:?}: teach tests/carriers/documents.rs to read it");
    }
    read
}

fn xml(body: &str, read: &mut Read) {
    let mut reader = Reader::from_str(body);
    reader.config_mut().check_end_names = true;
    let mut depth = 0;
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(tag) => {
                read.shape.push(verb(depth, &tag));
                depth += 1;
            }
            Event::Empty(tag) => read.shape.push(verb(depth, &tag)),
            Event::End(_) => depth -= 1,
            Event::Text(text) => read.words.push_str(&text.xml10_content()),
            Event::GeneralRef(entity) => {
                let known = entity.xml10_content();
                read.words.push_str(resolve_predefined_entity(&known).expect("an XML entity"));
            }
            Event::Decl(_) => {}
            Event::Eof => break,
            other => panic!("adapters write elements and words only, not {other:?}"),
        }
    }
    assert_eq!(depth, 0, "an element is not closed");
}

fn verb(depth: usize, tag: &quick_xml::events::BytesStart<'_>) -> String {
    let mut line = format!("{}{:?}", "  ".repeat(depth), tag.name());
    for attribute in tag.attributes() {
        write!(line, " {:?}", attribute.expect("well-formed attributes").key).unwrap();
    }
    line
}

fn json(value: &Value, path: &str, read: &mut Read) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                json(value, &format!("{path}.{name}"), read);
            }
        }
        Value::Array(values) => {
            read.shape.push(format!("{path}[{}]", values.len()));
            for (at, value) in values.iter().enumerate() {
                json(value, &format!("{path}[{at}]"), read);
            }
        }
        Value::String(text) => {
            read.shape.push(format!("{path} text"));
            read.words.push_str(text);
        }
        _ => read.shape.push(format!("{path} {value}")),
    }
}
