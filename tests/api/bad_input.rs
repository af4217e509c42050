//! Bad input on every route: a clear 4xx, never a 5xx, a change or the echo of a number.

use serde_json::{Value, json};

use super::{
    document::filled,
    world::{Answer, BODY_MAX, World, each},
};

const CANARY: &str = "+14155550123";
const DIGITS: &str = "4155550123";

/// Each answer is a problem of the 400s that repeats no number.
#[track_caller]
fn refused(answer: &Answer, what: &str) -> Value {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    assert!(!answer.text.contains(DIGITS), "{what} echoes: {}", answer.text);
    for value in answer.headers.values() {
        assert!(!value.to_str().unwrap_or_default().contains(DIGITS), "{what} echoes in a header");
    }
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    answer.json()
}

/// Bodies that no route takes, each with the media type that it comes with and the status.
fn bodies() -> Vec<(&'static str, String, &'static str, &'static [u16])> {
    let json = "application/json";
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    vec![
        ("cut short", "{\"a\":".into(), json, &[400]),
        ("not JSON", format!("number={CANARY}"), json, &[400]),
        ("a list", "[]".into(), json, &[422]),
        ("a text", format!("\"{CANARY}\""), json, &[422]),
        ("a number", "14155550123".into(), json, &[422]),
        ("null", "null".into(), json, &[422]),
        ("two values", "{} {}".into(), json, &[400]),
        ("too deep", deep, json, &[400]),
        ("too long", format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_MAX)), json, &[413]),
        ("unknown member", format!("{{\"colour\":\"{CANARY}\"}}"), json, &[422]),
        ("a number as name", format!("{{\"{CANARY}\":1}}"), json, &[422]),
        ("a repeated member", "{\"x\":1,\"x\":2}".into(), json, &[422]),
        ("a form", format!("number=%2B{DIGITS}"), "application/x-www-form-urlencoded", &[415]),
        ("text", CANARY.into(), "text/plain", &[415]),
        ("no known type", "{}".into(), "nonsense", &[415]),
    ]
}

/// Every writing route refuses every bad body.
#[tokio::test]
async fn bodies_that_nobody_takes() {
    each(async |world| {
        for (method, path) in entremise::http::api::routes() {
            if method == "GET" {
                continue;
            }
            for (what, body, media_type, statuses) in bodies() {
                let ask = world.ask(&method, &filled(&path)).a().text(media_type, &body);
                let what = format!("{method} {path}, {what}");
                let problem = refused(&ask.send().await, &what);
                let status = u16::try_from(problem["status"].as_u64().unwrap()).unwrap();
                assert!(statuses.contains(&status), "{what}: {problem}");
            }
        }
        nothing_happened(world).await;
    })
    .await;
}

async fn nothing_happened(world: &World) {
    for noun in ["services", "numbers", "sessions", "interactions", "events"] {
        let list = world.get(&format!("/api/v1/{noun}")).await.is(200);
        assert_eq!(list["data"], json!([]), "{noun}");
    }
}

/// Every member of every body refuses values of every other type, with its pointer.
#[tokio::test]
async fn members_of_other_types() {
    each(async |world| {
        let document = entremise::http::api::openapi();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                let name = schema["$ref"].as_str().or(schema["allOf"][0]["$ref"].as_str());
                let Some(name) = name else { continue };
                let schema = document.pointer(name.trim_start_matches('#')).unwrap();
                for member in schema["properties"].as_object().unwrap().keys() {
                    for value in odd_values() {
                        // Any number may be forgotten, looked up, erased or exported, and the answer is the same.
                        let any = path.ends_with("/forget")
                            || path.ends_with("/lookup")
                            || path.starts_with("/api/v1/persons/");
                        if any && value == json!(CANARY) {
                            continue;
                        }
                        let what = format!("{method} {path} {member} {value}");
                        let ask = world.ask(&method.to_uppercase(), &filled(path)).a();
                        let answer = ask.json(&json!({ member: value })).send().await;
                        refused(&answer, &what);
                    }
                }
            }
        }
        nothing_happened(world).await;
    })
    .await;
}

fn odd_values() -> Vec<Value> {
    vec![
        json!(-1),
        json!(1.5),
        json!(14_155_550_123_u64),
        json!(u64::MAX),
        json!([CANARY]),
        json!([[CANARY]]),
        json!({ CANARY: CANARY }),
        json!({ "a": { "b": CANARY } }),
        json!(CANARY),
        json!("\u{0}"),
        json!("\u{202e}"),
        json!("x".repeat(10_000)),
        json!(""),
        json!(null),
        json!(true),
    ]
}

/// Odd texts in paths and queries: 404 or 400, on both engines (PostgreSQL takes no zero byte).
#[tokio::test]
async fn odd_paths_and_queries() {
    each(async |world| {
        let odd = [
            "%00",
            "%2B14155550123",
            "a%00b",
            "%ff",
            "'%20OR%201=1--",
            "..",
            "%2e%2e",
            "KC1",
            "KC0123456789ABCDEF0123456789ABCDEF",
            "x%2Fy",
            "%F0%9F%93%9E",
        ];
        for (method, path) in entremise::http::api::routes() {
            for text in odd {
                let mut path = path.clone();
                let Some(from) = path.rfind('{') else { continue };
                let to = path.rfind('}').unwrap();
                path.replace_range(from..=to, text);
                let path = filled(&path);
                let ask = world.ask(&method, &path).a();
                let problem = refused(&ask.send().await, &format!("{method} {path}"));
                assert!(
                    [404, 405, 422].contains(&problem["status"].as_u64().unwrap()),
                    "{problem}"
                );
            }
        }
        for path in
            ["services", "numbers", "sessions", "interactions", "events", "api-keys", "audit"]
        {
            for query in [
                "limit=0",
                "limit=101",
                "limit=x",
                "limit=-1",
                "limit=",
                "limit=1&limit=2",
                "cursor=%00",
                "cursor=%2B14155550123",
                "state=%2B14155550123",
                "colour=red",
                "%2B14155550123=1",
                "service=%00",
                "session=%00",
                "session=%2B14155550123",
                "role=%00",
                "role=%2B14155550123",
                "carrier=%00",
                "type=%00",
                "kind=x",
                "outcome=x",
                "created_from=%00",
                "created_from=yesterday",
                "created_before=1e99",
                "created_from=-999999-01-01T00:00:00Z",
                "%ff=%ff",
                "limit=99999999999999999999",
            ] {
                let path = format!("/api/v1/{path}?{query}");
                let problem = refused(&world.get(&path).await, &path);
                assert!([400, 404].contains(&problem["status"].as_u64().unwrap()), "{problem}");
            }
        }
        let tried = world.post("/api/v1/sessions?dry_run=perhaps", json!({})).await;
        refused(&tried, "dry_run");
    })
    .await;
}

/// A body full of addresses is refused for their number, before any of them is judged; none at all may be
/// said as `null`.
#[tokio::test]
async fn too_many_addresses_are_one_fault() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let session = world.session(&service).await;
        let path = format!("{}/messages", super::world::at("sessions", &session));
        let to = &session["participants"][0]["id"];
        let many = json!({ "participant_id": to, "media": vec![""; 20_000] });
        let problem = world.post(&path, many).await.problem(422, "validation_failed");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{}", errors.len());
        assert_eq!(
            (&errors[0]["pointer"], &errors[0]["code"]),
            (&json!("/media"), &json!("length"))
        );
        let none = json!({ "participant_id": to, "body": "Hello", "media": null });
        world.post(&path, none).await.is(201);
    })
    .await;
}

/// Bad headers are named and refused on every writing route.
#[tokio::test]
async fn odd_headers() {
    each(async |world| {
        for (method, path) in entremise::http::api::routes() {
            if method == "GET" {
                continue;
            }
            let long = "x".repeat(256);
            for (name, value) in [
                ("idempotency-key", ""),
                ("idempotency-key", "a b"),
                ("idempotency-key", long.as_str()),
                ("idempotency-key", "\u{e9}"),
                ("if-match", "\"1\", \"2\""),
            ] {
                let ask = world.ask(&method, &filled(&path)).a().header(name, value);
                let problem = refused(&ask.send().await, &format!("{method} {path} {name}"));
                assert_eq!(problem["code"], "malformed_parameter");
                assert_eq!(problem["errors"][0]["parameter"], name);
            }
        }
    })
    .await;
}

/// Without a key, with a broken one or with one of no use nothing is told, on any route.
#[tokio::test]
async fn no_key_no_answer() {
    each(async |world| {
        for (method, path) in entremise::http::api::routes() {
            let none = world.ask(&method, &filled(&path)).send().await;
            assert_eq!(none.header("www-authenticate"), Some("Bearer"));
            none.problem(401, "unauthorized");
            for key in ["", "emk_", CANARY, "\u{e9}"] {
                let ask = world.ask(&method, &filled(&path)).key(key).send().await;
                assert_eq!(refused(&ask, "a bad key")["status"], 401);
            }
        }
        world.ask("GET", "/api/v1/nothing").send().await.problem(404, "not_found");
        world.ask("GET", "/api/v2/sessions").a().send().await.problem(404, "not_found");
    })
    .await;
}

/// Numbers that were taken are in no answer of any list or read.
#[tokio::test]
async fn numbers_go_in_and_never_come_out() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let american = json!({ "number": "+14155550199", "service_id": service });
        world.post("/api/v1/numbers", american).await.is(201);
        let new = super::world::between(&service, CANARY, super::world::SELLER);
        let mut new = new;
        new["mode"] = json!("message-only");
        let made = world.post("/api/v1/sessions", new.clone()).await;
        assert!(!made.text.contains(DIGITS));
        let session = made.is(201);
        let again = world.post("/api/v1/sessions", new).await;
        refused(&again, "a second session in a pool of one");
        for path in [
            super::world::at("sessions", &session),
            "/api/v1/sessions".into(),
            "/api/v1/interactions".into(),
            "/api/v1/events".into(),
            "/api/v1/numbers".into(),
        ] {
            let read = world.get(&path).await;
            assert!(!read.text.contains(DIGITS) && !read.text.contains("639980002"), "{path}");
            read.is(200);
        }
    })
    .await;
}
