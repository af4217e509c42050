//! Every request of ours is one that the carrier's published API knows: `fixtures/<name>/api.json`, made
//! by `scripts/carrier-api`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use entremise::{
    carrier::{
        Answer, Carrier, Plan,
        number::Wanted,
        outbound::{Outbound, OutboundCall, OutboundMessage},
        plan::{Prompt, Record, Script, Sound, Then},
        wire::{Request, Response},
    },
    domain::{message::Body, phone::ProxyNumber},
    ids::NumberId,
};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    fixtures::{self, Facts, Fixtures},
    lists, numbers, samples,
    schema::Schemas,
};

/// `api.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Api {
    /// Where the facts are from.
    sources: Vec<Value>,
    /// By method and address, with `{names}` for what varies.
    operations: BTreeMap<String, Operation>,
    /// What answers to webhooks may be, by content type.
    #[serde(default)]
    documents: BTreeMap<String, Value>,
    #[serde(default)]
    types: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    source: usize,
    #[serde(default)]
    path: BTreeMap<String, Value>,
    query: Option<Value>,
    /// By content type.
    #[serde(default)]
    body: BTreeMap<String, Value>,
    #[serde(default)]
    body_required: bool,
    /// Schemes of `Authorization`; any where none is named.
    #[serde(default)]
    auth: Vec<String>,
}

/// Names and what stands for them.
type Pairs = Vec<(String, String)>;

impl Api {
    fn of(name: &str) -> Option<Self> {
        let text = fs::read_to_string(fixtures::folder(name).join("api.json")).ok()?;
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}/api.json: {error}")))
    }

    /// The one operation that a request is, and what stands for the names in its path.
    fn find(&self, request: &Request) -> Result<(&str, Pairs), String> {
        let address = request.url.split('?').next().unwrap();
        let asked = format!("{} {address}", request.method);
        let mut found: Vec<_> = self
            .operations
            .keys()
            .filter_map(|template| Some((&**template, placed(template, &asked)?)))
            .collect();
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(format!("{asked} is no operation of the API")),
            _ => Err(format!("{asked} is several operations: {found:?}")),
        }
    }

    /// What is wrong with a request, and which operation it is.
    fn faults(&self, request: &Request) -> (Option<&str>, Vec<String>) {
        let (key, placed) = match self.find(request) {
            Ok(found) => found,
            Err(fault) => return (None, vec![fault]),
        };
        let (operation, schemas) = (&self.operations[key], Schemas::new(&self.types));
        let mut faults = Vec::new();
        for (name, word) in placed {
            if let Some(schema) = operation.path.get(&name) {
                let value = schemas.read_one(schema, &word);
                let wrong = schemas.faults(schema, &value);
                faults.extend(wrong.iter().map(|fault| format!("{{{name}}} in the path: {fault}")));
            }
        }
        self.query(operation, request, &mut faults);
        self.body(operation, request, &mut faults);
        let scheme = request.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap());
        let scheme = scheme.and_then(|value| value.split(' ').next()).unwrap_or("no credentials");
        if !operation.auth.is_empty() && !operation.auth.contains(&scheme.to_ascii_lowercase()) {
            faults.push(format!("{scheme} is none of {:?}", operation.auth));
        }
        (Some(key), faults)
    }

    fn query(&self, operation: &Operation, request: &Request, faults: &mut Vec<String>) {
        let pairs = pairs(request.query().as_bytes());
        let schemas = Schemas::new(&self.types);
        match &operation.query {
            Some(schema) => {
                let wrong = schemas.faults(schema, &schemas.read(schema, &pairs));
                faults.extend(wrong.iter().map(|fault| format!("in the query: {fault}")));
            }
            None if pairs.is_empty() => {}
            None => faults.push("a query, and the operation has none".to_owned()),
        }
    }

    fn body(&self, operation: &Operation, request: &Request, faults: &mut Vec<String>) {
        if request.body.is_empty() {
            // A form that must have a field can't be empty, whether or not the source says that twice.
            let needs = |schema: &Value| schema["required"].is_array();
            if operation.body_required || operation.body.values().any(needs) {
                faults.push("the body is missing".to_owned());
            }
            return;
        }
        let kind = request.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap());
        let Some(schema) = operation.body.get(kind) else {
            let known: Vec<&String> = operation.body.keys().collect();
            return faults.push(format!("a body of type {kind:?}, none of {known:?}"));
        };
        let schemas = Schemas::new(&self.types);
        let value = read_body(&schemas, schema, kind, &request.body);
        faults.extend(schemas.faults(schema, &value));
    }
}

fn read_body<'a>(schemas: &Schemas<'a>, schema: &'a Value, kind: &str, body: &[u8]) -> Value {
    match kind {
        "application/json" => serde_json::from_slice(body).expect("JSON"),
        "application/x-www-form-urlencoded" => schemas.read(schema, &pairs(body)),
        other => panic!("a body of type {other}: teach tests/carriers/api.rs"),
    }
}

fn pairs(text: &[u8]) -> Pairs {
    form_urlencoded::parse(text).into_owned().collect()
}

/// What stands for the names of a template in an address that it fits.
fn placed(template: &str, asked: &str) -> Option<Pairs> {
    let mut parts = template.split('{');
    let mut rest = asked.strip_prefix(parts.next()?)?;
    let mut pairs = Pairs::new();
    for part in parts {
        let (name, then) = part.split_once('}')?;
        let most = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let end = match then {
            "" => most,
            _ => rest.match_indices(then).map(|(at, _)| at).find(|at| *at <= most)?,
        };
        let (word, after) = rest.split_at_checked(end).filter(|(word, _)| !word.is_empty())?;
        pairs.push((name.to_owned(), word.to_owned()));
        rest = after.strip_prefix(then)?;
    }
    rest.is_empty().then_some(pairs)
}

/// Everything that the adapter asks its carrier, by what it is for.
fn requests(fixtures: &Fixtures) -> Vec<(String, Request)> {
    let carriers = fixtures.carriers();
    let all = carriers.iter().flat_map(|carrier| requests_of(fixtures, &**carrier));
    let mut seen = BTreeSet::new();
    let is_new = |(_, one): &(String, Request)| {
        seen.insert((one.method.to_string(), one.url.clone(), one.body.clone()))
    };
    all.filter(is_new).collect()
}

fn requests_of(fixtures: &Fixtures, carrier: &dyn Carrier) -> Vec<(String, Request)> {
    let (links, number) = (fixtures.links(), ProxyNumber::parse("+14155550150").unwrap());
    let mut all = Vec::new();
    for (name, outbound) in outbounds(&fixtures.facts) {
        all.extend(carrier.request(&outbound, &links).map(|request| (name, request)));
    }
    for (name, probe) in [
        ("probe", carrier.probe()),
        ("probe of signing", carrier.probe_signing()),
        ("probe of calls", carrier.probe_calls()),
        ("number", carrier.number(&number)),
        ("number by its digits", carrier.rented(&Wanted::Digits(number))),
        ("number by its id", carrier.rented(&Wanted::Id(id()))),
    ] {
        all.extend(probe.map(|probe| (name.to_owned(), probe)));
    }
    all.extend(carrier.account().into_iter().map(|request| ("account".to_owned(), request)));
    for (name, query) in lists::queries(fixtures) {
        all.extend(carrier.list(&query).map(|request| (name.to_owned(), request)));
        for (case, page) in fixtures.lists.iter().filter(|(case, _)| case.starts_with(name)) {
            let next = carrier.listed(&query, page).ok().and_then(|page| page.next);
            all.extend(next.map(|request| (format!("after {case}"), request)));
        }
    }
    let asked = numbers::asked(fixtures, carrier).into_iter();
    all.extend(asked.map(|(name, request)| (name.to_owned(), request)));
    all.extend(commands(fixtures, carrier));
    all.into_iter().map(|(name, one)| (name, carrier.authorize(one, fixtures.now()))).collect()
}

/// The commands of every answer to every webhook.
fn commands(fixtures: &Fixtures, carrier: &dyn Carrier) -> Vec<(String, Request)> {
    let links = fixtures.links();
    let mut all = Vec::new();
    for (case, webhook) in &fixtures.requests {
        let Ok(events) = carrier.parse_with(webhook, &links) else { continue };
        for (name, answer) in spoken() {
            let reply = carrier.reply_for(&answer, webhook, &events, &links);
            let commands = reply.commands.into_iter();
            all.extend(commands.map(|one| (format!("{name} after {case}"), one)));
        }
    }
    all
}

/// Every answer to every webhook, by name.
fn answers(fixtures: &Fixtures, carrier: &dyn Carrier) -> Vec<(String, Response)> {
    let links = fixtures.links();
    let mut all = Vec::new();
    for (name, answer) in spoken() {
        all.push((name.to_owned(), carrier.reply(&answer, &links).response));
        for (case, webhook) in &fixtures.requests {
            let Ok(events) = carrier.parse_with(webhook, &links) else { continue };
            let reply = carrier.reply_for(&answer, webhook, &events, &links);
            all.push((format!("{name} after {case}"), reply.response));
        }
    }
    all
}

/// The samples; keys that are waited for at once: after words, after a file, and in silence; and what is recorded
/// at once.
fn spoken() -> Vec<(&'static str, Answer)> {
    let mut all = samples::answers(samples::WORDS);
    let mut keys = all.iter().filter_map(|(_, answer)| match answer {
        Answer::Plan(Plan::Script(script)) if matches!(script.then, Then::Keys(_)) => Some(script),
        _ => None,
    });
    let mut at_once = Script { sounds: Vec::new(), ..(**keys.next_back().unwrap()).clone() };
    let file = Sound::Play("https://m.example/hold?a=1&b=2".to_owned());
    let words =
        Sound::Say(Prompt { text: samples::WORDS.to_owned(), language: "en-GB".to_owned() });
    for (name, prompts) in [
        ("keys at once", Vec::new()),
        ("keys after a file", vec![file]),
        ("keys after words", vec![words]),
    ] {
        if let Then::Keys(gather) = &mut at_once.then {
            gather.prompts = prompts;
        }
        all.push((name, Answer::Plan(Plan::Script(Box::new(at_once.clone())))));
    }
    let (longest, silence) = (Duration::from_mins(2), Duration::from_secs(5));
    at_once.then = Then::Record(Record { longest, silence, finish: '#' });
    all.push(("record at once", Answer::Plan(Plan::Script(Box::new(at_once)))));
    all
}

/// The samples, and texts and calls at the edges of what the core asks for.
fn outbounds(facts: &Facts) -> Vec<(String, Outbound)> {
    let mut all: Vec<(String, Outbound)> = Vec::new();
    for (name, outbound) in samples::outbounds(facts) {
        match &outbound {
            Outbound::Message(text) => {
                for (what, validity) in
                    [("brief", Duration::ZERO), ("long", Duration::from_hours(9000))]
                {
                    let text = OutboundMessage { validity, ..text.clone() };
                    all.push((format!("{name}, {what}"), Outbound::Message(text)));
                }
                let media =
                    |count: usize| vec!["https://relay.example.com/media/1?t=a".to_owned(); count];
                for (count, words) in [(0, "x"), (1, "Words"), (2, ""), (2, "Words"), (10, "Words")]
                {
                    let body = Body::new(words.to_owned());
                    let text = OutboundMessage { body, media: media(count), ..text.clone() };
                    all.push((format!("{count} pictures, {words}"), Outbound::Message(text)));
                }
            }
            Outbound::Call(call) => {
                for (what, time) in
                    [("brief", Duration::ZERO), ("long", Duration::from_hours(9000))]
                {
                    let (ring_timeout, duration_max) = (time, time);
                    let call = OutboundCall { ring_timeout, duration_max, ..call.clone() };
                    all.push((format!("{name}, {what}"), Outbound::Call(call)));
                }
            }
            Outbound::EndCall { .. }
            | Outbound::DeleteRecording { .. }
            | Outbound::DeleteRecord { .. }
            | Outbound::Recording(_) => {}
        }
        all.push((name.to_owned(), outbound));
    }
    all
}

fn id() -> NumberId {
    NumberId::parse("PN01900000000070008000000000000002").unwrap()
}

/// Every request is one operation of the published API, with its required fields and none that it does
/// not know; and every operation of the extract is one that we use.
#[test]
fn requests_are_those_of_the_published_api() {
    let mut wrong = BTreeMap::new();
    for fixtures in fixtures::all() {
        let Some(api) = Api::of(&fixtures.name) else { continue };
        let mut used = BTreeSet::new();
        for (name, request) in requests(&fixtures) {
            let (operation, faults) = api.faults(&request);
            used.extend(operation);
            let asked = operation.unwrap_or(&fixtures.name);
            for fault in faults {
                wrong.entry(format!("{asked}: {fault}")).or_insert(name.clone());
            }
        }
        let unused = api.operations.keys().filter(|one| !used.contains(&***one));
        wrong.extend(unused.map(|one| (format!("{one} is not used"), fixtures.name.clone())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every answer is a document that the carrier knows: its verbs, their fields, what may stand in them.
#[test]
fn answers_are_documents_of_the_published_kind() {
    let mut wrong = BTreeMap::new();
    for fixtures in fixtures::all() {
        let Some(api) = Api::of(&fixtures.name) else { continue };
        let (schemas, mut read) = (Schemas::new(&api.types), 0);
        for (name, response) in answers(&fixtures, &*fixtures.carrier()) {
            let kind = response.headers.get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap());
            let kind = kind.split(';').next().unwrap();
            let Some(schema) = api.documents.get(kind).filter(|_| !response.body.is_empty()) else {
                continue;
            };
            read += 1;
            let document = if kind == "application/json" {
                serde_json::from_slice(&response.body).unwrap()
            } else {
                schemas.read_element(schema, std::str::from_utf8(&response.body).unwrap())
            };
            let faults = schemas.faults(schema, &document).into_iter();
            let name = format!("{}: {name}", fixtures.name);
            wrong.extend(faults.map(|fault| (fault, name.clone())));
        }
        assert_eq!(read > 10, !api.documents.is_empty(), "{}: {read} documents", fixtures.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The check sees what it is for: each request with one of its fields misspelt, each without a required
/// one, and each at another address or by another method is refused.
#[test]
fn a_changed_request_is_refused() {
    for fixtures in fixtures::all() {
        let Some(api) = Api::of(&fixtures.name) else { continue };
        let (mut misspelt, mut missing, mut seen) = (0, 0, BTreeSet::new());
        for (name, request) in requests(&fixtures) {
            // One of each shape will do.
            let fields = body_fields(&request).into_iter().map(|(name, _)| name);
            if !seen.insert((api.find(&request).unwrap().0, fields.collect::<Vec<_>>())) {
                continue;
            }
            let refused = |changed: &Request, what: &str| {
                let (_, faults) = api.faults(changed);
                assert!(!faults.is_empty(), "{} {name}: taken with {what}", fixtures.name);
            };
            let (at, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
            let url = format!("{at}/more?{query}");
            refused(&Request { url, ..request.clone() }, "another address");
            refused(&Request { method: http::Method::HEAD, ..request.clone() }, "another method");
            for (field, changed) in respelt(&request) {
                misspelt += 1;
                refused(&changed, &format!("{field} misspelt"));
            }
            for (field, changed) in shortened(&api, &request) {
                missing += 1;
                refused(&changed, &format!("no {field}"));
            }
        }
        assert!(misspelt > 5 && missing > 0, "{}: {misspelt}, {missing}", fixtures.name);
    }
}

/// The fields of a body, whatever its type.
fn body_fields(request: &Request) -> Vec<(String, Value)> {
    match request.headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap()) {
        Some("application/json") if !request.body.is_empty() => {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            body.as_object().unwrap().clone().into_iter().collect()
        }
        Some("application/x-www-form-urlencoded") => {
            pairs(&request.body).into_iter().map(|(name, word)| (name, word.into())).collect()
        }
        _ => Vec::new(),
    }
}

fn with_fields(request: &Request, fields: Vec<(String, Value)>) -> Request {
    let body = if request.header("content-type") == Some("application/json") {
        Value::Object(fields.into_iter().collect()).to_string()
    } else {
        let words = fields.iter().map(|(name, word)| (name, word.as_str().unwrap()));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(words).finish()
    };
    Request { body: body.into(), ..request.clone() }
}

/// The request with each field of its body and its query under a name with another letter's case.
fn respelt(request: &Request) -> Vec<(String, Request)> {
    let swapped = |name: &str| {
        let mut letters: Vec<char> = name.chars().collect();
        let last = letters.iter().rposition(char::is_ascii_alphabetic).unwrap();
        let letter = letters[last];
        let lower = letter.is_ascii_lowercase();
        letters[last] =
            if lower { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
        letters.into_iter().collect::<String>()
    };
    let fields = body_fields(request);
    let names: BTreeSet<&String> = fields.iter().map(|(name, _)| name).collect();
    let mut all: Vec<(String, Request)> = Vec::new();
    for wanted in names {
        let renamed = fields.iter().map(|(name, value)| {
            let name = if name == wanted { swapped(name) } else { name.clone() };
            (name, value.clone())
        });
        all.push((wanted.clone(), with_fields(request, renamed.collect())));
    }
    for (wanted, _) in pairs(request.query().as_bytes()) {
        let renamed = pairs(request.query().as_bytes()).into_iter();
        let renamed =
            renamed.map(|(name, word)| (if name == wanted { swapped(&name) } else { name }, word));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(renamed).finish();
        let url = format!("{}?{query}", request.url.split('?').next().unwrap());
        all.push((wanted, Request { url, ..request.clone() }));
    }
    all
}

/// The request without each field of its body that the API requires of it.
fn shortened(api: &Api, request: &Request) -> Vec<(String, Request)> {
    let Ok((key, _)) = api.find(request) else { return Vec::new() };
    let kind = request.header("content-type").unwrap_or_default();
    let Some(schema) = api.operations[key].body.get(kind) else { return Vec::new() };
    let schemas = Schemas::new(&api.types);
    let required = schemas.required(schema, &read_body(&schemas, schema, kind, &request.body));
    let without = |wanted: &str| {
        let kept = body_fields(request).into_iter().filter(|(name, _)| name != wanted);
        with_fields(request, kept.collect())
    };
    required.into_iter().map(|name| (name.to_owned(), without(name))).collect()
}

/// Where the facts about a carrier's API are from, or why there are none.
pub(crate) fn sources(fixtures: &Fixtures) -> String {
    let Some(api) = Api::of(&fixtures.name) else {
        return fixtures.facts.api.clone().unwrap_or_default();
    };
    let word = |source: &Value, key: &str| source[key].as_str().unwrap_or_default().to_owned();
    let mut named: Vec<String> = Vec::new();
    for source in &api.sources {
        let name = if source["repository"].is_string() {
            format!("`{}` at `{:.9}`", word(source, "repository"), word(source, "commit"))
        } else if source["package"].is_string() {
            format!("`{}` {}", word(source, "package"), word(source, "version"))
        } else {
            word(source, "what")
        };
        if !named.contains(&name) {
            named.push(name);
        }
    }
    named.join(", ")
}

/// Every carrier has an extract, or says why there is none; and each extract is of the sources in
/// `scripts/carrier-api.toml`.
#[test]
fn every_carrier_says_what_its_api_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/carrier-api.toml");
    let listed: toml::Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for fixtures in fixtures::all() {
        let name = &*fixtures.name;
        let Some(api) = Api::of(name) else {
            let reason = fixtures.facts.api.as_deref().and_then(|api| api.strip_prefix("none: "));
            assert!(
                reason.is_some_and(|reason| reason.len() > 20),
                "{name}: no api.json, and no reason"
            );
            continue;
        };
        assert_eq!(fixtures.facts.api, None, "{name}: has an api.json");
        let sources = listed[name]["sources"].as_array().unwrap();
        assert_eq!(sources.len(), api.sources.len(), "{name}: run scripts/carrier-api");
        for (place, (source, made)) in sources.iter().zip(&api.sources).enumerate() {
            for key in ["repository", "commit", "package", "version"] {
                let listed = source.get(key).and_then(toml::Value::as_str);
                assert_eq!(listed, made[key].as_str(), "{name}: run scripts/carrier-api");
            }
            let operations = source.get("operations").and_then(toml::Value::as_array);
            let made = api.operations.values().filter(|one| one.source == place).count();
            assert_eq!(operations.map_or(0, Vec::len), made, "{name}: run scripts/carrier-api");
        }
    }
}
