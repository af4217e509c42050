//! Reads what clients send, and finds every fault of it at once.
//!
//! serde stops at the first value that does not fit. Here that value is taken out, its fault is
//! kept, and the rest is read again: so every field of an input type may be absent for serde, and
//! what is required is checked by hand.

use std::fmt;

use axum::{
    body::Bytes,
    extract::{FromRequest as _, FromRequestParts, Request},
};
use http::{HeaderMap, header, request::Parts};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};

use super::Api;
use crate::{
    http::problem::{self, Code, FieldFault, Problem},
    relay::{Error, Fault},
};

/// More than this many faults of form tell nothing new.
const FAULTS_MAX: usize = 40;
/// More than this many faults are not told: each is compared with all before it.
const TOLD_MAX: usize = 100;

/// The faults of one request, each place at most once, [`TOLD_MAX`] in all.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault, unless the place, something around it or something within it has one.
    pub(super) fn add(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) {
        if self.0.len() >= TOLD_MAX {
            return;
        }
        let pointer = pointer.into();
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let covered = self
            .0
            .iter()
            .any(|other| within(&pointer, &other.pointer) || within(&other.pointer, &pointer));
        if !covered {
            self.0.push(Fault::new(pointer, code, message));
        }
    }

    /// A value that must be there.
    pub(super) fn required<T>(&mut self, value: Option<T>, pointer: &str) -> Option<T> {
        if value.is_none() {
            self.add(pointer, "required", "is missing");
        }
        value
    }

    /// All that is wrong, as a use case says it.
    pub(super) fn refuse(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }

    /// What was read, or all that is wrong with it. `None` where a fault says why.
    pub(super) fn done<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::invalid(
                self.0
                    .into_iter()
                    .map(|fault| FieldFault::body(fault.pointer, fault.code, fault.message)),
            )),
        }
    }
}

/// Reads a value, and notes every part that does not fit.
fn collect<T: DeserializeOwned + Default>(mut value: Value) -> (T, Faults) {
    let mut faults = Faults::default();
    while faults.0.len() < FAULTS_MAX {
        let error = match serde_path_to_error::deserialize::<_, Object<T>>(&value) {
            Ok(read) => return (read.0, faults),
            Err(error) => error,
        };
        let (pointer, code, detail) = problem::misfit(&error);
        faults.add(pointer, code, detail);
        if !take_out(&mut value, error.path()) {
            break;
        }
    }
    (T::default(), faults)
}

/// Takes out what an error points to: a member of an object. In a list an empty object takes its
/// place, so that the others keep theirs; where that does not fit either, the whole list goes.
fn take_out(value: &mut Value, path: &serde_path_to_error::Path) -> bool {
    use serde_path_to_error::Segment;
    let steps: Vec<&Segment> =
        path.iter().filter(|s| matches!(s, Segment::Map { .. } | Segment::Seq { .. })).collect();
    let Some((last, before)) = steps.split_last() else { return false };
    let mut holder = &mut *value;
    for step in before {
        let Some(next) = step_into(holder, step) else { return false };
        holder = next;
    }
    match (holder, last) {
        (Value::Object(object), Segment::Map { key }) => object.remove(key).is_some(),
        (Value::Array(items), Segment::Seq { index }) => match items.get_mut(*index) {
            Some(item) if !item.as_object().is_some_and(Map::is_empty) => {
                *item = Value::Object(Map::new());
                true
            }
            Some(_) => take_list_out(value, before),
            None => false,
        },
        _ => false,
    }
}

/// Takes out a list that is a member of an object.
fn take_list_out(value: &mut Value, path: &[&serde_path_to_error::Segment]) -> bool {
    let Some((serde_path_to_error::Segment::Map { key }, before)) = path.split_last() else {
        return false;
    };
    let mut holder = value;
    for step in before {
        let Some(next) = step_into(holder, step) else { return false };
        holder = next;
    }
    holder.as_object_mut().is_some_and(|object| object.remove(key).is_some())
}

fn step_into<'v>(
    value: &'v mut Value,
    step: &serde_path_to_error::Segment,
) -> Option<&'v mut Value> {
    use serde_path_to_error::Segment;
    match step {
        Segment::Map { key } => value.get_mut(key),
        Segment::Seq { index } => value.get_mut(index),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// A JSON object; serde would take a list of the members' values as well.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Only(std::marker::PhantomData))
    }
}

/// A body that was read, with the faults of its form. An empty body is an empty object.
pub(super) async fn body<T: DeserializeOwned + Default>(
    request: Request,
    api: &Api,
) -> Result<(T, Faults, Bytes), Problem> {
    let json = problem::is_json(request.headers());
    let typed = has_type(request.headers());
    let bytes = Bytes::from_request(request, api).await?;
    if bytes.is_empty() {
        let (value, faults) = collect(Value::Object(Map::new()));
        return Ok((value, faults, bytes));
    }
    if !json {
        let detail = if typed {
            "Send JSON, with `Content-Type: application/json`."
        } else {
            "Say `Content-Type: application/json`."
        };
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    // Members that come twice are only seen when read from the text.
    match problem::parse::<Object<T>>(&bytes) {
        Ok(read) => Ok((read.0, Faults::default(), bytes)),
        Err(first) if first.code() == Code::ValidationFailed => {
            let (value, faults) = collect(problem::parse(&bytes)?);
            if faults.0.is_empty() { Err(first) } else { Ok((value, faults, bytes)) }
        }
        Err(malformed) => Err(malformed),
    }
}

fn has_type(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_TYPE)
}

/// The query's parameters as an object of texts.
fn pairs(query: &str, faults: &mut Faults) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if object.insert(name.clone().into_owned(), value.into_owned().into()).is_some() {
            faults.add(format!("/{}", shown(&name)), "repeated", "is given twice");
        }
    }
    object
}

/// A parameter's name where it can be one of ours.
fn shown(name: &str) -> &str {
    let ours = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if ours { name } else { "*" }
}

/// Reads the query, but for the parameters named in `apart`, which are given back.
pub(super) fn query<T: DeserializeOwned + Default>(
    query: &str,
    apart: &[&str],
) -> Result<(T, Vec<Option<String>>), Problem> {
    let mut faults = Faults::default();
    let mut object = pairs(query, &mut faults);
    let kept = apart
        .iter()
        .map(|name| match object.remove(*name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        })
        .collect();
    let (value, found) = collect::<T>(Value::Object(object));
    for fault in found.0 {
        faults.add(fault.pointer, fault.code, fault.message);
    }
    if faults.0.is_empty() {
        return Ok((value, kept));
    }
    Err(bad_parameters(faults.0.into_iter().map(|fault| {
        let name = fault.pointer.trim_start_matches('/').replace('*', "?");
        FieldFault::parameter(name, fault.code, fault.message)
    })))
}

/// Query parameters or headers that cannot be read.
pub(super) fn bad_parameters(faults: impl IntoIterator<Item = FieldFault>) -> Problem {
    Problem::new(Code::MalformedParameter, "See `errors`.").with_faults(faults)
}

/// The query of a request that is no list.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequestParts<Api> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        query(parts.uri.query().unwrap_or_default(), &[]).map(|(value, _)| Self(value))
    }
}

/// A member of a merge patch (RFC 7396).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Patch<T> {
    /// Not there: nothing changes.
    #[default]
    Absent,
    /// `null`: back to the default.
    Null,
    /// A new value.
    Value(T),
}

impl<T> Patch<T> {
    /// The value, if there is one.
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The value, where taking the member away is a fault.
    pub(super) fn kept(self, pointer: &str, faults: &mut Faults) -> Option<T> {
        if matches!(self, Self::Null) {
            faults.add(pointer, "required", "must not be null");
        }
        self.value()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// `true` or `false` in a query.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(D::Error::custom("invalid value, expected true or false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        size: Option<u8>,
        name: Option<String>,
        people: Option<Vec<Person>>,
        notes: BTreeMap<String, String>,
        words: Vec<String>,
        end: Patch<u8>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Person {
        age: Option<u8>,
    }

    fn found(value: Value) -> Vec<(String, &'static str)> {
        let (_, faults) = collect::<Body>(value);
        faults.0.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    /// Every value that does not fit is named, each once, also in lists and maps.
    #[test]
    fn all_faults_of_form_at_once() {
        let mut faults = found(json!({
            "size": "x", "name": 1, "colour": 1, "notes": {"a": 1, "b": "c"},
            "people": [{"age": 1}, "x", {"age": "x", "shoe": 1}], "words": ["a", 1],
        }));
        faults.sort();
        let pointers: Vec<_> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/colour",
                "/name",
                "/notes/a",
                "/people/1",
                "/people/2/age",
                "/people/2/shoe",
                "/size",
                "/words/1"
            ]
        );
    }

    /// A list is no object, though serde would read one as the other.
    #[test]
    fn a_list_is_no_object() {
        assert_eq!(found(json!([])), [(String::new(), "invalid")]);
        assert_eq!(found(json!("x")), [(String::new(), "invalid")]);
    }

    /// What is within a place that has a fault already is not named again.
    #[test]
    fn faults_do_not_nest() {
        let mut faults = Faults::default();
        faults.add("/a", "x", "x");
        faults.add("/a/0", "x", "x");
        faults.add("/ab", "x", "x");
        faults.add("", "x", "x");
        assert_eq!(faults.0.len(), 2);
    }

    /// So many faults are told and no more, however many there are.
    #[test]
    fn faults_have_an_end() {
        let mut faults = Faults::default();
        for place in 0..1_000_000 {
            faults.add(format!("/media/{place}"), "x", "x");
        }
        assert_eq!(faults.0.len(), TOLD_MAX);
        assert!(faults.refuse().is_err());
    }

    /// Absent and null differ.
    #[test]
    fn patches() {
        let read = |value| collect::<Body>(value).0.end;
        assert_eq!(read(json!({})), Patch::Absent);
        assert_eq!(read(json!({"end": null})), Patch::Null);
        assert_eq!(read(json!({"end": 1})), Patch::Value(1));
    }

    /// Faults of a query name its parameters, never what a client made up.
    #[test]
    fn queries() {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Filter {
            on: Option<Flag>,
        }
        assert!(query::<Filter>("on=true", &[]).unwrap().0.on.unwrap().0);
        let problem = query::<Filter>("on=x&on=y&speed=1&%2B14155550100=1", &[]).unwrap_err();
        let mut named: Vec<String> = problem.document(None)["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault["parameter"].as_str().unwrap().to_owned())
            .collect();
        named.sort();
        assert_eq!(named, ["?", "on", "speed"]);
        assert!(!problem.document(None).to_string().contains("4155550100"));
    }
}
