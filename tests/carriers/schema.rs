//! Whether a value is what a schema of `api.json` says, and nothing besides: a field that the schema
//! does not know is a fault.

use std::collections::{BTreeMap, BTreeSet};

use entremise::carrier::element::Element;
use regex::bytes::RegexBuilder;
use serde_json::{Map, Value};

/// The named schemas of one extract, and what has been looked at.
pub(crate) struct Schemas<'a> {
    types: &'a BTreeMap<String, Value>,
}

/// The fields that hold for a value beside those of its own schema.
type Known<'a> = BTreeSet<&'a str>;

impl<'a> Schemas<'a> {
    pub(crate) const fn new(types: &'a BTreeMap<String, Value>) -> Self {
        Self { types }
    }

    /// What is wrong with `value`, each fault with its place; nothing if all is well.
    pub(crate) fn faults(&self, schema: &'a Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(schema, value, "", &Known::new(), &mut faults);
        faults
    }

    fn deref(&self, mut schema: &'a Value) -> &'a Value {
        while let Some(name) = schema["$ref"].as_str() {
            schema = self.types.get(name).unwrap_or_else(|| panic!("api.json has no type {name}"));
        }
        schema
    }

    fn check(
        &self,
        schema: &'a Value,
        value: &Value,
        at: &str,
        known: &Known<'a>,
        faults: &mut Vec<String>,
    ) {
        let nullable = schema["nullable"] == true;
        let schema = self.deref(schema);
        if value.is_null() && (nullable || schema["nullable"] == true) {
            return;
        }
        if schema["never"] == true {
            faults.push(format!("{at} may not be there"));
            return;
        }
        if let Some(kind) = schema["of"].as_str() {
            faults.push(format!("{at} is of the type {kind}, which the extract does not hold"));
        }
        let before = faults.len();
        kind(schema, value, at, faults);
        if faults.len() > before {
            return;
        }
        if let Some(choices) = schema["enum"].as_array().filter(|list| !list.contains(value)) {
            faults.push(format!("{at} is none of {}", Value::from(choices.clone())));
        }
        match value {
            Value::String(text) => self.text(schema, text, at, faults),
            Value::Number(number) => range(schema, number.as_f64().unwrap(), at, faults),
            Value::Array(list) => self.list(schema, list, at, faults),
            Value::Object(fields) => {
                return self.object(schema, (value, fields), at, known, faults);
            }
            Value::Null | Value::Bool(_) => {}
        }
        self.choices(schema, value, at, known, faults);
    }

    /// A branch of `anyOf` fits, if there are any. Else what is wrong with the one that fits best.
    fn choices(
        &self,
        schema: &'a Value,
        value: &Value,
        at: &str,
        known: &Known<'a>,
        faults: &mut Vec<String>,
    ) {
        let Some(branches) = schema["anyOf"].as_array() else { return };
        let tried = branches.iter().map(|branch| {
            let mut wrong = Vec::new();
            self.check(branch, value, at, known, &mut wrong);
            wrong
        });
        // A field that is of another branch says less than one that no branch allows.
        let foreign = |wrong: &Vec<String>| wrong.iter().any(|one| one.contains(" is none of "));
        let best = tried.min_by_key(|wrong| (foreign(wrong), wrong.len()));
        faults.extend(best.expect("a branch"));
    }

    fn text(&self, schema: &'a Value, text: &str, at: &str, faults: &mut Vec<String>) {
        let length = text.chars().count() as u64;
        if schema["minLength"].as_u64().is_some_and(|least| length < least) {
            faults.push(format!("{at} is too short"));
        }
        if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
            faults.push(format!("{at} is too long"));
        }
        if let Some(pattern) = schema["pattern"].as_str().filter(|one| !matches(one, text)) {
            faults.push(format!("{at} is not of the form {pattern}"));
        }
        if let Some(format) = schema["format"].as_str().filter(|one| !formatted(one, text)) {
            faults.push(format!("{at} is no {format}"));
        }
        if let Some(inner) = schema.get("holds") {
            match serde_json::from_str(text) {
                Ok(held) => self.check(inner, &held, &format!("{at}: "), &Known::new(), faults),
                Err(_) => faults.push(format!("{at} holds no JSON")),
            }
        }
    }

    fn list(&self, schema: &'a Value, list: &[Value], at: &str, faults: &mut Vec<String>) {
        let length = list.len() as u64;
        if schema["minItems"].as_u64().is_some_and(|least| length < least) {
            faults.push(format!("{at} has too few"));
        }
        if schema["maxItems"].as_u64().is_some_and(|most| length > most) {
            faults.push(format!("{at} has too many"));
        }
        for (place, one) in list.iter().enumerate() {
            if let Some(items) = schema.get("items") {
                self.check(items, one, &format!("{at}[{place}]"), &Known::new(), faults);
            }
        }
    }

    fn object(
        &self,
        schema: &'a Value,
        (value, fields): (&Value, &Map<String, Value>),
        at: &str,
        known: &Known<'a>,
        faults: &mut Vec<String>,
    ) {
        let own = schema["properties"].as_object();
        let mut known = known.clone();
        known.extend(own.into_iter().flat_map(Map::keys).map(String::as_str));
        let place =
            |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        for (name, inner) in own.into_iter().flatten() {
            if let Some(one) = fields.get(name) {
                self.check(inner, one, &place(name), &Known::new(), faults);
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            if !fields.contains_key(name) {
                faults.push(format!("{} is missing", place(name)));
            }
        }
        if schema["maxProperties"].as_u64().is_some_and(|most| fields.len() as u64 > most) {
            faults.push(format!("{at} has too many fields"));
        }
        if schema.get("anyOf").is_some() {
            return self.choices(schema, value, at, &known, faults);
        }
        let unknown = fields.iter().filter(|(name, _)| !known.contains(&***name));
        for (name, one) in unknown {
            match schema.get("additional") {
                Some(inner) => self.check(inner, one, &place(name), &Known::new(), faults),
                None if known.is_empty() => {}
                None => faults.push(format!("{} is not known", place(name))),
            }
        }
    }

    /// What a field of a form or a query says: such fields are words, and may come several times.
    pub(crate) fn read(&self, schema: &'a Value, pairs: &[(String, String)]) -> Value {
        let mut fields = Map::new();
        for (name, _) in pairs {
            let words: Vec<&str> =
                pairs.iter().filter(|(other, _)| other == name).map(|(_, word)| &**word).collect();
            let field = self.field(schema, name);
            fields.insert(name.clone(), self.typed(field.unwrap_or(&Value::Null), &words));
        }
        Value::Object(fields)
    }

    /// The fields that an object needs, those of the branch that it fits with them.
    pub(crate) fn required(&self, schema: &'a Value, value: &Value) -> Vec<&'a str> {
        let schema = self.deref(schema);
        let own = schema["required"].as_array().into_iter().flatten();
        let mut required: Vec<&str> = own.map(|name| name.as_str().unwrap()).collect();
        let mut branches = schema["anyOf"].as_array().into_iter().flatten();
        let fits = branches.find(|branch| self.faults(branch, value).is_empty());
        required.extend(fits.into_iter().flat_map(|branch| self.required(branch, value)));
        required
    }

    /// What a word in a path says.
    pub(crate) fn read_one(&self, schema: &'a Value, word: &str) -> Value {
        self.typed(schema, &[word])
    }

    /// An XML document as a value: an element is its name as `verb`, its attributes, the elements `inside`
    /// it and its `words`.
    pub(crate) fn read_element(&self, schema: &'a Value, document: &str) -> Value {
        let mut root = element(&Element::read(document, 1000, 20).expect("an XML document"));
        self.read_words(schema, &mut root);
        root
    }

    /// Attributes as their types have them.
    fn read_words(&self, schema: &'a Value, element: &mut Value) {
        let schema = self.deref(schema);
        let verb = element["verb"].clone();
        let branches = schema["anyOf"].as_array().into_iter().flatten().map(|one| self.deref(one));
        let of_verb = |one: &&Value| one["properties"]["verb"]["enum"][0] == verb;
        let Some(schema) = std::iter::once(schema).chain(branches).find(of_verb) else { return };
        for (name, value) in element.as_object_mut().unwrap() {
            let field = &schema["properties"][&**name];
            if let Value::String(word) = value {
                *value = self.typed(field, &[word]);
            } else {
                let inside = value.as_array_mut().into_iter().flatten();
                inside.for_each(|one| self.read_words(&field["items"], one));
            }
        }
    }

    fn field(&self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        let schema = self.deref(schema);
        let mut branches = schema["anyOf"].as_array().into_iter().flatten();
        let inner = || branches.find_map(|branch| self.field(branch, name));
        schema["properties"].get(name).or_else(inner)
    }

    fn typed(&self, schema: &'a Value, words: &[&str]) -> Value {
        let schema = self.deref(schema);
        let one = match words {
            [one] => *one,
            _ if schema["type"] == "array" => "",
            // Twice, but no list: no schema takes that.
            _ => return Value::from(words),
        };
        match schema["type"].as_str() {
            Some("array") => {
                let parts: Vec<&str> = match schema["joined"].as_str() {
                    Some(comma) => one.split(comma).collect(),
                    None => words.to_vec(),
                };
                parts.iter().map(|part| self.typed(&schema["items"], &[part])).collect()
            }
            Some("integer") => one.parse::<i64>().map_or_else(|_| one.into(), Value::from),
            Some("number") => one.parse::<f64>().map_or_else(|_| one.into(), Value::from),
            Some("boolean") => one.parse::<bool>().map_or_else(|_| one.into(), Value::from),
            _ => one.into(),
        }
    }
}

fn element(read: &Element) -> Value {
    let mut value = Map::from_iter([("verb".to_owned(), read.name.clone().into())]);
    for (name, word) in &read.attributes {
        assert!(value.insert(name.clone(), word.clone().into()).is_none(), "{name} stands twice");
    }
    if !read.text().is_empty() {
        value.insert("words".to_owned(), read.text().into());
    }
    if !read.inside.is_empty() {
        value.insert("inside".to_owned(), read.inside.iter().map(element).collect());
    }
    value.into()
}

/// Whether the value is of the schema's type, or of one of them.
fn kind(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let is = |kind: &Value| match kind.as_str().expect("a type") {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("a type {other}: teach tests/carriers/schema.rs"),
    };
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(is),
        kind => is(kind),
    };
    if !fits {
        faults.push(format!("{at} is no {}", schema["type"]));
    }
}

fn range(schema: &Value, number: f64, at: &str, faults: &mut Vec<String>) {
    let bound = |name: &str| schema[name].as_f64();
    let below = bound("minimum").is_some_and(|least| number < least)
        || bound("exclusiveMinimum").is_some_and(|least| number <= least);
    let above = bound("maximum").is_some_and(|most| number > most)
        || bound("exclusiveMaximum").is_some_and(|most| number >= most);
    if below || above {
        faults.push(format!("{at} is out of range: {number}"));
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let read = RegexBuilder::new(pattern).unicode(false).build();
    read.unwrap_or_else(|error| panic!("{pattern}: {error}")).is_match(text.as_bytes())
}

/// Whether a text has a format. One that is not known here must be taught, so that none goes unchecked.
fn formatted(format: &str, text: &str) -> bool {
    match format {
        "uri" | "url" => url::Url::parse(text).is_ok_and(|url| url.has_host()),
        "uuid" => matches("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", text),
        "date-time" => matches(
            r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
            text,
        ),
        "date" => matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", text),
        // Of Twilio: with or without a plus; of a sender, for which its words allow a name of letters, the same.
        "phone-number" => {
            matches(r"^\+?[0-9]{3,15}$", text) || matches("^[A-Za-z0-9 ]{2,11}$", text)
        }
        // Of Twilio: a number or an address of SIP.
        "endpoint" => matches(r"^\+?[0-9]{3,15}$", text) || text.starts_with("sip:"),
        "iso-country-code" => matches("^[A-Z]{2}$", text),
        // Its words are listed beside it.
        "http-method" => true,
        other => panic!("the format {other}: teach tests/carriers/schema.rs"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(schema: &Value, value: &Value) -> Vec<String> {
        let types = json!({
            "leg": {
                "type": "object",
                "properties": { "to": { "type": "string", "pattern": r"^\d+$" }, "n": { "type": "integer" } },
                "required": ["to"],
            },
            "word": { "type": "string", "enum": ["a", "b"] },
        });
        let types: BTreeMap<String, Value> = serde_json::from_value(types).unwrap();
        Schemas::new(&types).faults(schema, value)
    }

    fn call() -> Value {
        json!({
            "type": "object",
            "properties": {
                "legs": { "type": "array", "items": { "$ref": "leg" }, "minItems": 1, "maxItems": 2 },
                "word": { "$ref": "word", "nullable": true },
                "text": { "type": "string", "minLength": 2, "maxLength": 3 },
                "at": { "type": "string", "format": "date-time" },
                "wait": { "type": "number", "minimum": 1, "exclusiveMaximum": 9 },
                "free": { "type": "object" },
                "held": { "type": "string", "holds": { "$ref": "leg" } },
            },
            "required": ["legs"],
        })
    }

    /// What a schema allows has no fault; each departure from it has one, at its place.
    #[test]
    fn every_departure_is_a_fault() {
        let good = json!({
            "legs": [{ "to": "1" }, { "to": "2", "n": 3 }], "word": "a", "text": "né", "wait": 8.5,
            "at": "2026-11-22T17:20:00.5Z", "free": { "any": 1 }, "held": "{\"to\":\"1\"}",
        });
        assert_eq!(faults(&call(), &good), Vec::<String>::new());
        assert_eq!(faults(&call(), &json!({ "legs": [{ "to": "1" }], "word": null })).len(), 0);
        for (pointer, bad, at) in [
            ("/legz", json!([]), "legz is not known"),
            ("/legs", json!([]), "legs has too few"),
            ("/legs", json!([{ "to": "1" }, { "to": "1" }, { "to": "1" }]), "legs has too many"),
            ("/legs", json!({ "to": "1" }), "legs is no \"array\""),
            ("/legs", json!([{ "n": 1 }]), "legs[0].to is missing"),
            ("/legs", json!([{ "to": "1", "too": "1" }]), "legs[0].too is not known"),
            ("/legs", json!([{ "to": "x" }]), "legs[0].to is not of the form ^\\d+$"),
            ("/legs", json!([{ "to": "1", "n": 1.5 }]), "legs[0].n is no \"integer\""),
            ("/legs", json!([{ "to": "1", "n": "1" }]), "legs[0].n is no \"integer\""),
            ("/word", json!("c"), "word is none of [\"a\",\"b\"]"),
            ("/text", json!("n"), "text is too short"),
            ("/text", json!("nnnn"), "text is too long"),
            ("/text", json!(null), "text is no \"string\""),
            ("/at", json!("2026-11-22"), "at is no date-time"),
            ("/wait", json!(0.5), "wait is out of range: 0.5"),
            ("/wait", json!(9), "wait is out of range: 9"),
            ("/held", json!("{"), "held holds no JSON"),
            ("/held", json!("{\"n\":1}"), "held: .to is missing"),
        ] {
            let mut value = good.clone();
            value[&pointer[1..]] = bad;
            assert_eq!(faults(&call(), &value), [at], "{pointer}");
        }
        let mut without = good;
        without.as_object_mut().unwrap().remove("legs");
        assert_eq!(faults(&call(), &without), ["legs is missing"]);
    }

    /// Of several branches one must fit whole: fields of one don't excuse fields of another.
    #[test]
    fn one_branch_fits_whole() {
        let text = |kind: &str, field: &str| {
            json!({
                "type": "object",
                "properties": { "kind": { "enum": [kind] }, field: { "type": "string" } },
                "required": ["kind", field],
            })
        };
        let either = json!({
            "type": "object",
            "properties": { "to": { "type": "string" } },
            "required": ["to"],
            "anyOf": [text("sms", "text"), text("mms", "image")],
        });
        let sent = |value: Value| faults(&either, &value);
        assert_eq!(sent(json!({ "to": "1", "kind": "sms", "text": "a" })).len(), 0);
        assert_eq!(sent(json!({ "to": "1", "kind": "mms", "image": "a" })).len(), 0);
        assert_eq!(sent(json!({ "kind": "sms", "text": "a" })), ["to is missing"]);
        let mixed = json!({ "to": "1", "kind": "sms", "text": "a", "image": "b" });
        assert_eq!(sent(mixed), ["image is not known"]);
        assert_ne!(sent(json!({ "to": "1", "kind": "mms", "text": "a" })).len(), 0);
        let never = json!({ "properties": { "url": { "never": true } }, "type": "object" });
        assert_eq!(faults(&never, &json!({ "url": 1 })), ["url may not be there"]);
    }

    /// Words of a form are read by their fields' types; twice the same field is a list or a fault.
    #[test]
    fn forms_are_read_by_their_types() {
        let types = BTreeMap::new();
        let schemas = Schemas::new(&types);
        let form = json!({
            "type": "object",
            "properties": {
                "n": { "type": "integer" },
                "yes": { "type": "boolean" },
                "all": { "type": "array", "items": { "type": "integer" } },
                "csv": { "type": "array", "items": { "type": "string" }, "joined": "," },
                "word": { "type": "string" },
            },
        });
        let read = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> =
                pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            let value = schemas.read(&form, &pairs);
            (schemas.faults(&form, &value), value)
        };
        let (faults, value) = read(&[
            ("n", "7"),
            ("yes", "true"),
            ("all", "1"),
            ("all", "2"),
            ("csv", "a,b"),
            ("word", "7"),
        ]);
        let expected =
            json!({ "n": 7, "yes": true, "all": [1, 2], "csv": ["a", "b"], "word": "7" });
        assert_eq!((faults.len(), value), (0, expected));
        assert_eq!(read(&[("n", "x")]).0, ["n is no \"integer\""]);
        assert_eq!(read(&[("word", "a"), ("word", "b")]).0, ["word is no \"string\""]);
        assert_eq!(read(&[("N", "7")]).0, ["N is not known"]);
    }
}
