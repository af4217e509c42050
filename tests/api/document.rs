//! The OpenAPI document against the running server, and the docs page.

use std::{collections::BTreeSet, path::Path};

use entremise::http::api;
use serde_json::{Value, json};

use super::world::each;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// `docs/openapi.json` is what the types say; `UPDATE_OPENAPI=1` writes it.
#[test]
#[expect(clippy::disallowed_methods, reason = "whether to write the file comes from outside")]
fn the_committed_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let document = api::openapi();
    if std::env::var("UPDATE_OPENAPI").is_ok_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&sorted(&document)).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(committed == document, "docs/openapi.json is stale: run with UPDATE_OPENAPI=1");
}

/// The same order on every machine, whatever `serde_json`'s features are.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort();
            keys.into_iter().map(|key| (key.clone(), sorted(&members[key]))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// A path with ids in it.
pub(crate) fn filled(path: &str) -> String {
    let ids = [
        ("service", "KS"),
        ("session", "KC"),
        ("participant", "KP"),
        ("number", "PN"),
        ("move", "MV"),
        ("interaction", "KI"),
        ("endpoint", "EP"),
        ("event", "EV"),
        ("key", "AK"),
        ("order", "NO"),
        ("erasure", "ER"),
        ("verification", "VE"),
        ("hold", "LH"),
        ("opt_out", "OO"),
        ("report", "RP"),
    ];
    ids.iter().fold(path.to_owned(), |path, (name, prefix)| {
        path.replace(&format!("{{{name}}}"), &format!("{prefix}{:032x}", 1))
    })
}

/// The server takes exactly the documented methods of each path, and says so in `Allow`.
#[tokio::test]
async fn the_server_takes_what_is_documented() {
    each(async |world| {
        let served = world.ask("GET", "/api/openapi.json").send().await;
        assert!(
            served.header("content-security-policy").unwrap().starts_with("default-src 'none'")
        );
        let mut served = served.is(200);
        assert_eq!(served["servers"][0]["url"], "https://relay.example");
        assert_eq!(served["openapi"], "3.1.0");
        served["servers"] = json!([{ "url": "/" }]);
        assert_eq!(served, api::openapi());
        for (path, item) in served["paths"].as_object().unwrap() {
            let documented: BTreeSet<String> =
                item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
            for method in METHODS {
                let answer = world.ask(method, &filled(path)).send().await;
                if documented.contains(method) {
                    answer.problem(401, "unauthorized");
                } else {
                    let allow = answer.header("allow").unwrap().to_owned();
                    let allowed: BTreeSet<String> = allow
                        .split(',')
                        .filter(|method| *method != "HEAD")
                        .map(str::to_owned)
                        .collect();
                    assert_eq!(allowed, documented, "{path}");
                    answer.problem(405, "method_not_allowed");
                }
            }
        }
    })
    .await;
}

/// Each operation asks for the scope that its document names, and for no other.
#[tokio::test]
async fn scopes_are_as_documented() {
    each(async |world| {
        let mut keys = Vec::new();
        for scope in [
            "sessions:read",
            "sessions:write",
            "numbers:read",
            "numbers:write",
            "people:reveal",
            "webhooks:read",
            "webhooks:write",
            "keys:write",
            "audit:read",
            "persons:erase",
            "persons:export",
            "legal_holds:write",
            "opt_outs:read",
            "opt_outs:write",
            "reports:read",
            "reports:write",
        ] {
            keys.push((scope, world.scoped(&[scope]).await));
        }
        let document = api::openapi();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let named = operation["security"][0]["bearer"].as_array().unwrap();
                for (scope, key) in &keys {
                    let ask = world.ask(&method.to_uppercase(), &filled(path)).key(key);
                    let answer = ask.send().await;
                    if named.is_empty() || named[0] == *scope {
                        assert_ne!(answer.status, 403, "{method} {path}");
                    } else {
                        let problem = answer.problem(403, "forbidden_scope");
                        assert_eq!(problem["scope"], named[0]);
                    }
                }
            }
        }
    })
    .await;
}

/// Every operation documents its problems and, if it writes, its idempotency key; examples of
/// bodies are accepted in form.
#[test]
fn operations_are_whole() {
    let document = api::openapi();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            for status in ["400", "401", "403", "429", "503"] {
                assert!(responses.contains_key(status), "{method} {path}");
            }
            let parameters = operation["parameters"].to_string();
            assert_eq!(parameters.contains("Idempotency-Key"), method != "get", "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        // Bodies, and no words of theirs.
        if name.starts_with("New") && schema["type"] == "object" {
            assert!(schema.get("example").is_some(), "{name} has no example");
        }
    }
}

/// The examples of the document open a service, a pool and a session when they are sent as they
/// stand.
#[tokio::test]
async fn examples_work() {
    each(async |world| {
        let document = api::openapi();
        let example = |name: &str| document["components"]["schemas"][name]["example"].clone();
        world.post("/api/v1/services", example("ServiceSettings")).await.is(201);
        world.post("/api/v1/numbers", example("NewNumber")).await.is(201);
        let session = world.post("/api/v1/sessions", example("NewSession")).await.is(201);
        let path = super::world::at("sessions", &session);
        world.patch(&path, example("SessionChange")).await.is(200);
        world.post(&format!("{path}/extend"), example("Extension")).await.is(200);
        world.post("/api/v1/api-keys", example("NewApiKey")).await.is(201);
        for (noun, body) in [("messages", example("NewMessage")), ("calls", example("NewCall"))] {
            world.post(&format!("{path}/{noun}"), body).await.problem(404, "not_found");
        }
    })
    .await;
}

/// The page and all that it loads come from here, under a policy that lets nothing else in.
#[tokio::test]
async fn the_docs_page_works_offline() {
    each(async |world| {
        let page = world.ask("GET", "/docs").send().await;
        let policy = page.header("content-security-policy").unwrap();
        for part in
            ["default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self'"]
        {
            assert!(policy.contains(part), "{policy}");
        }
        assert_eq!(page.status, 200);
        assert!(!page.text.contains("//"), "the page names another host");
        let mut loaded = 0;
        for part in page.text.split('"').filter(|part| part.starts_with("/docs/")) {
            let asset = world.ask("GET", part).send().await;
            assert_eq!(asset.status, 200, "{part}");
            assert!(!asset.text.is_empty());
            loaded += 1;
        }
        assert_eq!(loaded, 4);
        let script = world.ask("GET", "/docs/init.js").send().await;
        assert!(script.text.contains("validatorUrl: null") && !script.text.contains("://"));
        for other in ["/docs/index.html", "/docs/..%2fCargo.toml", "/docs/swagger-initializer.js"] {
            world.ask("GET", other).send().await.problem(404, "not_found");
        }
    })
    .await;
}

/// The commands of `docs/api.md` work, in their order, as they stand.
#[tokio::test]
async fn the_commands_of_the_docs_work() {
    each(async |world| {
        let docs = include_str!("../../docs/api.md");
        let mut ids = (String::new(), String::new());
        let mut ran = 0;
        for command in docs.split("\ncurl ").skip(1) {
            let command = command.split("\n```").next().unwrap().split("\n\n").next().unwrap();
            let command = command.replace("\\\n", " ").replace("'\"$PARTICIPANT\"'", &ids.1);
            let command = command.replace("$SESSION", &ids.0).replace("$KEY", &world.a.api_key);
            let words = words(&command);
            let path = words.iter().find_map(|word| word.strip_prefix("$RELAY")).unwrap();
            let after = |option: &str| {
                let places = words.iter().enumerate().filter(|(_, word)| *word == option);
                places.map(|(at, _)| words[at + 1].clone()).collect::<Vec<_>>()
            };
            let body = after("-d").pop();
            let method = after("-X").pop();
            let default = if body.is_some() { "POST" } else { "GET" };
            let mut ask = world.ask(method.as_deref().unwrap_or(default), path);
            for header in after("-H") {
                let (name, value) = header.split_once(": ").unwrap();
                ask = ask.header(name, value);
            }
            let answer = ask.body(body).send().await;
            assert!((200..300).contains(&answer.status), "{command}: {answer:?}");
            let answer = answer.json();
            if answer["unique_name"] == "order-8812" {
                ids.0 = answer["id"].as_str().unwrap().to_owned();
                ids.1 = answer["participants"][0]["id"].as_str().unwrap().to_owned();
            }
            ran += 1;
        }
        assert!(ran >= 10);
    })
    .await;
}

/// The words of a shell command, with their quotes taken off.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
