//! Every code that the API answers with, and what it says beside it.

use std::sync::Arc;

use entremise::{
    relay::{self, Key},
    store::Engine,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::world::{BUYER, SELLER, World, at, between, each, proxy};

async fn conflicts(world: &World, service: &str) {
    world
        .post("/api/v1/services", json!({ "unique_name": "rides" }))
        .await
        .problem(409, "unique_name_taken");
    let number = json!({ "number": proxy(0), "service_id": service });
    world.post("/api/v1/numbers", number).await.problem(409, "number_taken");
    let mut new = between(service, BUYER, SELLER);
    new["unique_name"] = json!("order-1");
    let session = world.post("/api/v1/sessions", new).await.is(201);
    let named = json!({ "service_id": service, "unique_name": "order-1" });
    world.post("/api/v1/sessions", named).await.problem(409, "unique_name_taken");
    let path = at("sessions", &session);
    let more = json!({ "role": "buyer", "identifier": "+33639980003" });
    let people = format!("{path}/participants");
    world.post(&people, more.clone()).await.problem(409, "participant_limit");
    world.post(&format!("{path}/reopen"), json!({})).await.problem(409, "session_not_closed");
    let number = session["participants"][0]["proxy_number_id"].as_str().unwrap();
    let number = format!("/api/v1/numbers/{number}");
    world.delete(&number).await.problem(409, "number_in_use");
    world.patch(&number, json!({ "state": "retired" })).await.problem(409, "number_in_use");
    world.post(&format!("{path}/close"), json!({})).await.is(200);
    world.patch(&path, json!({ "ttl_seconds": 1 })).await.problem(409, "session_closed");
    world.post(&people, more).await.problem(409, "session_closed");
    let buyer = &session["participants"][0]["id"];
    let text = json!({ "participant_id": buyer, "body": "x" });
    world.post(&format!("{path}/messages"), text).await.problem(409, "session_closed");
}

/// What the state forbids is 409 with a code of its own.
#[tokio::test]
async fn states_that_forbid() {
    each(async |world| {
        let service = world.pool("rides", 4).await;
        conflicts(world, &service).await;
        let twice = between(&service, BUYER, BUYER);
        world.post("/api/v1/sessions", twice).await.problem(409, "participant_duplicate");
        let mut texts = between(&service, BUYER, SELLER);
        texts["mode"] = json!("message-only");
        let texts = world.post("/api/v1/sessions", texts).await.is(201);
        let call = json!({ "participant_id": texts["participants"][0]["id"] });
        let path = format!("{}/calls", at("sessions", &texts));
        world.post(&path, call).await.problem(409, "mode_not_allowed");
        let alone = json!({
            "service_id": service,
            "participants": [{ "role": "buyer", "identifier": "+33639980005" }],
        });
        let alone = world.post("/api/v1/sessions", alone).await.is(201);
        let call = json!({ "participant_id": alone["participants"][0]["id"] });
        let path = format!("{}/calls", at("sessions", &alone));
        world.post(&path, call).await.problem(409, "no_partner");
        let pinned = json!({
            "service_id": service, "mode": "message-only",
            "participants": [{
                "role": "buyer", "identifier": "+33639980005",
                "proxy_number_id": alone["participants"][0]["proxy_number_id"],
            }],
        });
        world.post("/api/v1/sessions", pinned).await.problem(409, "number_in_use");
    })
    .await;
}

/// An empty pool says which rule left nothing, for whom, and what each rule left.
#[tokio::test]
async fn an_empty_pool_explains_itself() {
    each(async |world| {
        let service = world.pool("rides", 1).await;
        let mut new = between(&service, BUYER, "+14155550100");
        new["mode"] = json!("message-only");
        let why = world.post("/api/v1/sessions", new).await.problem(409, "pool_exhausted");
        assert_eq!((&why["rule"], &why["participant"]), (&json!("country"), &json!(1)));
        assert_eq!(why["errors"][0]["pointer"], "/participants/1");
        assert_eq!(why["steps"][0], json!({ "rule": "service", "left": 1 }));
        assert!(why.get("next_free_at").is_none());
        world.session(&service).await;
        let other = between(&service, BUYER, "+33639980003");
        let why = world.post("/api/v1/sessions", other.clone()).await;
        let why = why.problem(409, "pool_exhausted");
        assert_eq!(why["rule"], "in_use");
        let tried = world.post("/api/v1/sessions?dry_run=true", other).await;
        tried.problem(409, "pool_exhausted");
        let empty = world.post("/api/v1/sessions", json!({ "service_id": service })).await.is(201);
        let path = format!("{}/participants", at("sessions", &empty));
        let more = json!({ "role": "buyer", "identifier": BUYER });
        let why = world.post(&path, more).await.problem(409, "pool_exhausted");
        assert_eq!(why["errors"][0]["pointer"], "");
    })
    .await;
}

/// Where only quarantine is in the way, the problem says so and when the next number is free; then
/// it is.
#[tokio::test]
async fn quarantine_says_how_long() {
    each(async |world| {
        let service = world.pool("rides", 1).await;
        let short = json!({ "quarantine_seconds": 3600 });
        world.patch("/api/v1/services/rides", short).await.is(200);
        let session = world.session(&service).await;
        let closed =
            world.post(&format!("{}/close", at("sessions", &session)), json!({})).await.is(200);
        let other = between(&service, BUYER, "+33639980003");
        let why = world.post("/api/v1/sessions", other.clone()).await;
        let why = why.problem(409, "pool_quarantined");
        assert_eq!((&why["rule"], &why["retryable"]), (&json!("quarantine"), &json!(true)));
        let free = why["next_free_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let at = closed["closed_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(free.as_millisecond() - at.as_millisecond(), 3_600_000);
        world.clock.advance(3_601_000);
        world.post("/api/v1/sessions", other).await.is(201);
    })
    .await;
}

/// Faults of form and of content come together, each with its place.
#[tokio::test]
async fn all_faults_at_once() {
    each(async |world| {
        world.pool("rides", 2).await;
        let bad = json!({
            "unique_name": "+33639980009", "mode": "telepathy", "ttl_seconds": -1, "colour": "red",
            "metadata": { "phone": "+33 6 39 98 00 09", "n": 1 },
            "participants": [
                { "identifier": "0639980001", "role": "Buyer", "name": "" },
                { "identifier": BUYER, "role": 1, "proxy_number_id": "PN1" },
                "x",
            ],
        });
        let answer = world.post("/api/v1/sessions", bad).await;
        assert!(!answer.text.contains("63998"), "{}", answer.text);
        let problem = answer.problem(422, "validation_failed");
        let mut pointers: Vec<&str> =
            problem["errors"].as_array().unwrap().iter().map(pointer).collect();
        pointers.sort_unstable();
        assert_eq!(
            pointers,
            [
                "/colour",
                "/metadata/n",
                "/metadata/phone",
                "/mode",
                "/participants/0/identifier",
                "/participants/0/name",
                "/participants/0/role",
                "/participants/1/proxy_number_id",
                "/participants/1/role",
                "/participants/2",
                "/service_id",
                "/ttl_seconds",
                "/unique_name",
            ]
        );
        let bad = json!({ "service_id": "rides", "participants": [
            { "identifier": "0639980001", "role": "Buyer", "name": "" },
            { "identifier": "+33639980001", "proxy_number_id": "PN1", "shoe": 1 },
        ]});
        let problem = world.post("/api/v1/sessions", bad).await.problem(422, "validation_failed");
        assert_eq!(
            faults(&problem),
            [
                ("/participants/0/identifier", "e164"),
                ("/participants/0/name", "length"),
                ("/participants/0/role", "invalid"),
                ("/participants/1/proxy_number_id", "invalid"),
                ("/participants/1/role", "required"),
                ("/participants/1/shoe", "unknown"),
            ]
        );
    })
    .await;
}

/// Every fault: its place and its code, in order of the places.
fn faults(problem: &Value) -> Vec<(&str, &str)> {
    let all = problem["errors"].as_array().unwrap().iter();
    let mut found: Vec<_> = all.map(|one| (pointer(one), one["code"].as_str().unwrap())).collect();
    found.sort_unstable();
    found
}

fn pointer(fault: &Value) -> &str {
    fault["pointer"].as_str().unwrap()
}

/// What only the use cases know is a fault with the same form, at the member that was sent.
#[tokio::test]
async fn faults_of_content() {
    each(async |world| {
        let service = world.pool("rides", 3).await;
        let session = world.session(&service).await;
        let path = at("sessions", &session);
        let proxies = between(&service, "+33639980003", &proxy(0));
        let past = "2020-01-01T00:00:00Z";
        for (method, path, body, pointer, code) in [
            ("POST", "/api/v1/sessions".to_owned(), proxies, "/participants/1/identifier", "proxy_number"),
            ("POST", "/api/v1/sessions".into(), json!({ "service_id": service, "ends_at": past }), "/ends_at", "in_the_past"),
            ("PATCH", path.clone(), json!({ "ends_at": past }), "/ends_at", "in_the_past"),
            ("POST", "/api/v1/api-keys".into(), json!({ "name": "x", "scopes": ["sessions:read"], "expires_at": past }), "/expires_at", "in_the_past"),
            ("POST", "/api/v1/services".into(), json!({ "unique_name": "x", "ring_timeout_seconds": 1 }), "/ring_timeout_seconds", "not_allowed"),
            ("PATCH", "/api/v1/services/rides".into(), json!({ "unique_name": null }), "/unique_name", "required"),
            ("POST", "/api/v1/numbers".into(), json!({ "number": proxy(7), "service_id": "rides", "carrier": "x" }), "/carrier", "choice"),
            ("POST", "/api/v1/numbers".into(), json!({ "number": proxy(7), "service_id": "rides", "capabilities": [] }), "/capabilities", "length"),
            ("POST", format!("{path}/extend"), json!({ "seconds": 0 }), "/seconds", "range"),
            ("POST", format!("{path}/messages"), json!({ "participant_id": session["participants"][0]["id"], "body": "" }), "/body", "length"),
            ("POST", "/api/v1/sessions".into(), json!({ "service_id": service, "unique_name": session["id"] }), "/unique_name", "looks_like_an_id"),
        ] {
            let answer = world.ask(method, &path).a().json(&body).send().await;
            let problem = answer.problem(422, "validation_failed");
            let fault = &problem["errors"][0];
            assert_eq!((self::pointer(fault), &fault["code"]), (pointer, &json!(code)), "{path}");
        }
        let three = json!({ "participant_id": "x" });
        let problem = world.post(&format!("{path}/calls"), three).await;
        assert_eq!(problem.problem(422, "validation_failed")["errors"][0]["pointer"], "/participant_id");
        let solo = json!({ "service_id": service, "participants": [{ "role": "a", "identifier": "+33639980007" }] });
        let solo = world.post("/api/v1/sessions", solo).await.is(201);
        let short = json!({ "role": "b", "identifier": &BUYER[..8] });
        let path = format!("{}/participants", at("sessions", &solo));
        let problem = world.post(&path, short).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/identifier");
    })
    .await;
}

/// A key gives away only what it has, and is told which scope it lacks.
#[tokio::test]
async fn scopes_do_not_grow() {
    each(async |world| {
        let key = world.scoped(&["keys:write", "sessions:read"]).await;
        let make = |scopes: &'static [&'static str]| {
            let body = json!({ "name": "x", "scopes": scopes });
            world.ask("POST", "/api/v1/api-keys").key(&key).json(&body).send()
        };
        let problem = make(&["sessions:read", "sessions:write"]).await;
        let problem = problem.problem(403, "forbidden_scope");
        assert_eq!(problem["scope"], "sessions:write");
        make(&["sessions:read"]).await.is(201);
    })
    .await;
}

/// A twin that comes while the first is still under way is told to come back. Where one writer does
/// all the work, on SQLite, it waits for the first instead.
#[tokio::test]
async fn a_twin_of_what_is_under_way() {
    each(async |world| {
        if world.relay.db().engine() == Engine::Sqlite {
            return;
        }
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let key = Key { key: "twin".into(), fingerprint: "another".into() };
        let first = {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            world.relay.perform(world.account(), Some(key), move |_| {
                let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
                Box::pin(async move {
                    begun.notify_one();
                    go_on.notified().await;
                    Err(relay::Error::SessionClosed)
                })
            })
        };
        let twin = async {
            begun.notified().await;
            let ask = || {
                let ask =
                    world.ask("POST", "/api/v1/services").a().header("idempotency-key", "twin");
                ask.json(&json!({ "unique_name": "rides" })).send()
            };
            let early = ask().await;
            assert_eq!(early.header("retry-after"), Some("1"));
            assert_eq!(early.problem(409, "idempotency_in_progress")["retryable"], true);
            go_on.notify_one();
            ask().await.is(201);
        };
        let (first, ()) = tokio::join!(first, twin);
        assert!(matches!(first, Err(relay::Error::SessionClosed)));
    })
    .await;
}

/// While the database is away nothing is acknowledged: 503 with a time to come back.
#[tokio::test]
async fn a_database_that_is_away() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let new = between(&service, BUYER, SELLER);
        world.stop_database().await;
        for answer in [
            world.get("/api/v1/account").await,
            world.post("/api/v1/sessions", new).await,
            world.delete("/api/v1/numbers/PN1").await,
        ] {
            assert_eq!(answer.header("retry-after"), Some("1"));
            answer.problem(503, "unavailable");
        }
    })
    .await;
}

/// An emergency number, or what is dialled as one, is nobody's own: not of a participant, nor of a service's
/// line. No answer repeats it.
#[tokio::test]
async fn t16_no_emergency_number_gets_in() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        for number in ["911", "112", "+112", "+1911", "+19115550100", "+44999", "+33112"] {
            let answer = world.post("/api/v1/sessions", between(&service, number, SELLER)).await;
            assert!(!number.starts_with('+') || !answer.text.contains(number), "{}", answer.text);
            let problem = answer.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/participants/0/identifier", "{number}");
            let line = json!({ "out_of_session": "forward", "out_of_session_number": number });
            let answer = world.patch("/api/v1/services/rides", line).await;
            assert!(!number.starts_with('+') || !answer.text.contains(number), "{}", answer.text);
            answer.problem(422, "validation_failed");
        }
        let none = world.get("/api/v1/sessions").await.is(200);
        assert_eq!(none["data"], json!([]));
    })
    .await;
}

/// A service's own line passes the same gate as a person's number, beside all other faults; no
/// answer repeats it.
#[tokio::test]
async fn a_services_own_line_is_gated() {
    each(async |world| {
        world.pool("rides", 1).await;
        let long = "x".repeat(301);
        for (number, code) in [
            (json!("0639980001"), "e164"),
            (json!("+19005550100"), "premium_rate"),
            (json!(33_639_980_001_i64), "invalid"),
            (json!(null), "not_allowed"),
        ] {
            let new = json!({
                "unique_name": "+33639980009", "out_of_session": "forward",
                "out_of_session_number": number, "out_of_session_text": long,
            });
            let answer = world.post("/api/v1/services", new).await;
            assert!(!answer.text.contains("63998") && !answer.text.contains("90055"));
            let problem = answer.problem(422, "validation_failed");
            assert_eq!(
                faults(&problem),
                [
                    ("/out_of_session_number", code),
                    ("/out_of_session_text", "not_allowed"),
                    ("/unique_name", "not_allowed"),
                ]
            );
        }
        // What only the database knows: it is one of ours.
        let own = json!({ "out_of_session_number": super::world::proxy(0) });
        let problem = world.patch("/api/v1/services/rides", own).await;
        let problem = problem.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["code"], "proxy_number");
    })
    .await;
}

/// No text is read without a recorded ground and a notice: whatever makes a service read them needs both,
/// and neither can be taken away while it does.
#[tokio::test]
async fn texts_are_read_on_a_ground() {
    each(async |world| {
        let made = world.post("/api/v1/services", json!({ "unique_name": "rides" })).await.is(201);
        let nothing = json!({
            "phone": "allow", "email": "allow", "link": "allow", "payment": "allow",
            "legal_basis": "", "notice": "", "keep_originals": false,
        });
        assert_eq!(made["content"], nothing);
        let refused = async |content: Value, pointers: &[&str]| {
            let answer = world.patch("/api/v1/services/rides", json!({ "content": content })).await;
            let problem = answer.problem(422, "validation_failed");
            let found: Vec<&str> = problem["errors"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["pointer"].as_str().unwrap())
                .collect();
            assert_eq!(found, pointers);
        };
        let both = ["/content/legal_basis", "/content/notice"];
        for action in ["flag", "redact", "block"] {
            refused(json!({ "phone": action }), &both).await;
        }
        let new = json!({ "unique_name": "x", "content": { "link": "flag" } });
        world.post("/api/v1/services", new).await.problem(422, "validation_failed");
        refused(json!({ "link": "flag", "notice": "n" }), &both[..1]).await;
        refused(json!({ "link": "drop" }), &["/content/link"]).await;
        refused(json!({ "links": "flag" }), &["/content/links"]).await;
        refused(json!({ "notice": "x".repeat(161) }), &both[1..]).await;
        assert_eq!(world.get("/api/v1/services/rides").await.is(200), made);
        let content = json!({ "phone": "redact", "legal_basis": "b", "notice": "n" });
        let set =
            world.patch("/api/v1/services/rides", json!({ "content": content })).await.is(200);
        assert_eq!(set["content"]["phone"], "redact");
        assert_eq!(set["content"]["link"], "allow");
        let more = json!({ "content": { "payment": "block", "keep_originals": true } });
        let set = world.patch("/api/v1/services/rides", more).await.is(200);
        assert_eq!(set["content"]["legal_basis"], "b");
        refused(json!({ "notice": null }), &both[1..]).await;
        refused(json!({ "legal_basis": " " }), &both[..1]).await;
        let back = world.patch("/api/v1/services/rides", json!({ "content": null })).await.is(200);
        assert_eq!(back["content"], nothing);
    })
    .await;
}
