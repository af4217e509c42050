//! Keys, idempotency, conditions, pages and limits: what holds on every route.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::world::{BUYER, SELLER, at, between, each, each_with};

/// Bearer and Basic open the same account; nothing else does.
#[tokio::test]
async fn keys_open_in_two_ways() {
    each(async |world| {
        let key = &world.a.api_key;
        let basic = STANDARD.encode(format!("{key}:anything"));
        let account = |value: String| {
            world.ask("GET", "/api/v1/account").header("authorization", &value).send()
        };
        account(format!("Basic {basic}")).await.is(200);
        account(format!("bearer {key}")).await.is(200);
        let mut other = key.clone();
        let last = if other.pop() == Some('0') { '1' } else { '0' };
        other.push(last);
        for value in
            [format!("Bearer {other}"), "Bearer".into(), format!("Token {key}"), "Basic !".into()]
        {
            account(value).await.problem(401, "unauthorized");
        }
        let none = world.ask("GET", "/api/v1/account").send().await;
        assert!(none.header("ratelimit").is_some());
        none.problem(401, "unauthorized");
    })
    .await;
}

/// One key is one effect: the second request gets the first one's answer, marked.
#[tokio::test]
async fn a_repeated_write_is_done_once() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let new = between(&service, BUYER, SELLER);
        let send = |key: &'static str, body: Value| {
            let ask = world.ask("POST", "/api/v1/sessions").a().json(&body);
            ask.header("idempotency-key", key).send()
        };
        let first = send("\"order-1\"", new.clone()).await;
        assert_eq!(first.header("idempotent-replayed"), None);
        let again = send("order-1", new.clone()).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        for name in ["etag", "location", "content-type"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        let mut other = new.clone();
        other["ttl_seconds"] = json!(1);
        let reused = send("order-1", other).await;
        assert!(!reused.text.contains("order-1"));
        reused.problem(422, "idempotency_key_reused");
        let session = first.is(201);
        let close = format!("{}/close", at("sessions", &session));
        let elsewhere =
            world.ask("POST", &close).a().header("idempotency-key", "order-1").send().await;
        elsewhere.problem(422, "idempotency_key_reused");
        // Another account's keys are its own.
        let b = world.ask("POST", "/api/v1/services").key(&world.b.api_key);
        let b = b.header("idempotency-key", "order-1").json(&json!({ "unique_name": "b" }));
        b.send().await.is(201);
        let list = world.get("/api/v1/sessions").await.is(200);
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        // After a day the key is free again.
        world.clock.advance(25 * 60 * 60 * 1000);
        let late = send("order-1", json!({ "service_id": service })).await;
        late.is(201);
    })
    .await;
}

/// Twenty at once with one key make one session, and each gets it.
#[tokio::test]
async fn twins_make_one() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let new = between(&service, BUYER, SELLER);
        let sent = (0..20).map(|_| {
            let ask = world.ask("POST", "/api/v1/sessions").a().json(&new);
            ask.header("idempotency-key", "twins").send()
        });
        let answers = join_all(sent).await;
        let replayed =
            answers.iter().filter(|one| one.header("idempotent-replayed").is_some()).count();
        assert_eq!(replayed, 19, "{}", world.engine);
        let bodies: BTreeSet<String> =
            answers.into_iter().map(|one| one.is(201).to_string()).collect();
        assert_eq!(bodies.len(), 1);
        let list = world.get("/api/v1/sessions").await.is(200);
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
    })
    .await;
}

/// A refused write leaves its key free.
#[tokio::test]
async fn a_refused_write_keeps_no_key() {
    each(async |world| {
        let service = world.pool("rides", 0).await;
        let new = between(&service, BUYER, SELLER);
        let send = || {
            let ask = world.ask("POST", "/api/v1/sessions").a().json(&new);
            ask.header("idempotency-key", "k").send()
        };
        send().await.problem(409, "pool_exhausted");
        for n in 0..2 {
            let number = json!({ "number": super::world::proxy(n), "service_id": service });
            world.post("/api/v1/numbers", number).await.is(201);
        }
        send().await.is(201);
    })
    .await;
}

/// Of two writers who read the same version, the second is told; a tag that fits saves the body.
#[tokio::test]
async fn nobody_overwrites_unseen() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let session = world.session(&service).await;
        let path = at("sessions", &session);
        let read = world.get(&path).await;
        let tag = read.header("etag").unwrap().to_owned();
        let patch = |tag: &str, path: &str, body: Value| {
            world.ask("PATCH", path).a().header("if-match", tag).json(&body).send()
        };
        let changed = patch(&tag, &path, json!({ "ttl_seconds": 60 })).await;
        assert_eq!(changed.header("etag"), Some("\"2\""));
        let lost = patch(&tag, &path, json!({ "ttl_seconds": 61 })).await;
        lost.problem(412, "version_mismatch");
        assert_eq!(world.get(&path).await.is(200)["ttl_seconds"], 60);
        let unseen = format!("/api/v1/services/{service}");
        patch("\"9\"", &unseen, json!({ "brand": "x" })).await.problem(412, "version_mismatch");
        patch("\"1\"", &unseen, json!({ "brand": "x" })).await.is(200);
        let number = &world.get("/api/v1/numbers").await.is(200)["data"][0];
        let number = at("numbers", number);
        patch("W/\"1\"", &number, json!({ "reserved": true }))
            .await
            .problem(412, "version_mismatch");
        let buyer = session["participants"][0]["id"].as_str().unwrap();
        for (method, rest, body) in [
            ("POST", "/close".to_owned(), json!({})),
            ("POST", "/reopen".to_owned(), json!({})),
            ("POST", "/extend".to_owned(), json!({ "seconds": 1 })),
            (
                "POST",
                "/participants".to_owned(),
                json!({ "role": "buyer", "identifier": "+33639980009" }),
            ),
            ("POST", "/messages".to_owned(), json!({ "participant_id": buyer, "body": "x" })),
            ("POST", "/calls".to_owned(), json!({ "participant_id": buyer })),
            ("DELETE", format!("/participants/{buyer}"), json!({})),
            ("PUT", format!("/participants/{buyer}/block"), json!({})),
            ("DELETE", format!("/participants/{buyer}/block"), json!({})),
            ("POST", format!("/participants/{buyer}/report"), json!({ "category": "spam" })),
        ] {
            let ask = world.ask(method, &format!("{path}{rest}")).a().header("if-match", &tag);
            ask.json(&body).send().await.problem(412, "version_mismatch");
        }
        let same = world.ask("GET", &path).a().header("if-none-match", "\"2\"").send().await;
        assert_eq!((same.status, same.text.as_str()), (304, ""));
        assert_eq!(same.header("etag"), Some("\"2\""));
        let other = world.ask("GET", &path).a().header("if-none-match", "\"1\"").send().await;
        other.is(200);
    })
    .await;
}

/// While others are added, a walk over pages meets each thing that was there once, newest first.
#[tokio::test]
async fn pages_are_stable() {
    each(async |world| {
        let service = world.pool("rides", 0).await;
        let open = async || {
            let session = world.post("/api/v1/sessions", json!({ "service_id": service })).await;
            session.is(201)["id"].as_str().unwrap().to_owned()
        };
        let mut there = Vec::new();
        for _ in 0..7 {
            there.push(open().await);
        }
        there.reverse();
        let mut met = Vec::new();
        let mut path = "/api/v1/sessions?limit=3&state=open".to_owned();
        loop {
            let page = world.get(&path).await;
            let link = page.header("link").map(str::to_owned);
            let page = page.is(200);
            met.extend(page["data"].as_array().unwrap().iter().map(|one| one["id"].clone()));
            open().await;
            assert_eq!(page["has_more"] == true, link.is_some());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/v1/sessions?state=open&limit=3&cursor={cursor}");
            let link = link.unwrap();
            assert!(link.starts_with("<https://relay.example/api/v1/sessions?"), "{link}");
            assert!(link.contains(cursor) && link.ends_with(">; rel=\"next\""), "{link}");
        }
        assert_eq!(met, there);
    })
    .await;
}

/// Lists that grow at their end are walked from the oldest on.
#[tokio::test]
async fn pages_of_keys_services_and_numbers() {
    each(async |world| {
        world.pool("rides", 3).await;
        world.pool_of(&world.a.api_key, "homes", 0, 0).await;
        world.scoped(&["sessions:read"]).await;
        for (noun, count) in [("services", 2), ("numbers", 3), ("api-keys", 2)] {
            let mut met = BTreeSet::new();
            let mut path = format!("/api/v1/{noun}?limit=1");
            for left in (0..count).rev() {
                let page = world.get(&path).await.is(200);
                assert_eq!(page["data"].as_array().unwrap().len(), 1);
                met.insert(page["data"][0]["id"].to_string());
                assert_eq!(page["has_more"], left > 0, "{noun}");
                let cursor = page["next_cursor"].as_str().unwrap_or_default();
                path = format!("/api/v1/{noun}?limit=1&cursor={cursor}");
            }
            assert_eq!(met.len(), count);
        }
    })
    .await;
}

/// A cursor is for one account, one list and one set of filters, and is not bent.
#[tokio::test]
async fn cursors_are_used_as_given() {
    each(async |world| {
        let service = world.pool("rides", 0).await;
        for _ in 0..2 {
            world.post("/api/v1/sessions", json!({ "service_id": service })).await.is(201);
        }
        let page = world.get("/api/v1/sessions?limit=1").await.is(200);
        let cursor = page["next_cursor"].as_str().unwrap();
        let bent = format!("A{}", &cursor[1..]);
        for path in [
            format!("/api/v1/sessions?state=open&cursor={cursor}"),
            format!("/api/v1/interactions?cursor={cursor}"),
            format!("/api/v1/sessions?cursor={bent}"),
            "/api/v1/sessions?cursor=x".to_owned(),
            "/api/v1/sessions?cursor=".to_owned(),
        ] {
            world.get(&path).await.problem(400, "cursor_invalid");
        }
        let path = format!("/api/v1/sessions?cursor={cursor}");
        let other = world.ask("GET", &path).key(&world.b.api_key).send().await;
        other.problem(400, "cursor_invalid");
        world.get(&path).await.is(200);
    })
    .await;
}

/// Every answer says how many requests are left; the first too many is told to wait, and not longer
/// than it must.
#[tokio::test]
async fn limits_are_told() {
    each_with(10, async |world| {
        for left in (0..10).rev() {
            let answer = world.get("/api/v1/account").await;
            assert_eq!(answer.header("ratelimit-policy"), Some("\"key\";q=10;w=60"));
            let limit = answer.header("ratelimit").unwrap();
            // A slow run may have been given some back.
            let told: i32 = limit.split([';', '=']).nth(2).unwrap().parse().unwrap();
            assert!(told >= left, "{limit}");
            answer.is(200);
        }
        let mut refused = world.get("/api/v1/account").await;
        for _ in 0..20 {
            if refused.status == 429 {
                break;
            }
            refused = world.get("/api/v1/account").await;
        }
        let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=6).contains(&wait));
        assert_eq!(refused.header("ratelimit"), Some(&*format!("\"key\";r=0;t={wait}")));
        refused.problem(429, "rate_limited");
        world.clock.advance(wait * 1000);
        world.get("/api/v1/account").await.is(200);
        let b = world.ask("GET", "/api/v1/account").key(&world.b.api_key).send().await;
        b.is(200);
        // Guessing keys is limited too, by address.
        let mut guesses = 0;
        while world.ask("GET", "/api/v1/account").key("emk_x").send().await.status == 401 {
            guesses += 1;
            assert!(guesses < 40);
        }
    })
    .await;
}
