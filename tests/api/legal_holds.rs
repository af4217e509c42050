//! Legal holds and a service's own terms by API.

use serde_json::{Value, json};

use super::world::{BUYER, at, each};

/// A hold is placed on a session or a person, read, listed, lifted once and for all; the number of a person comes
/// in and never out.
#[tokio::test]
async fn holds_are_placed_and_lifted() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let session = world.session(&service).await;
        let new = json!({
            "session_id": session["id"], "case_id": "Police 2026-117", "reason": "fraud report",
        });
        let on_session = world.post("/api/v1/legal-holds", new).await.is(201);
        assert_eq!(on_session["session_id"], session["id"]);
        assert_eq!(on_session["person_masked"], Value::Null);
        assert_eq!(on_session["case_id"], "Police 2026-117");
        let new = json!({ "number": BUYER, "case_id": "C 12", "reason": "asked by the court" });
        let answer = world.post("/api/v1/legal-holds", new).await;
        assert!(!answer.text.contains(&BUYER[3..]), "{}", answer.text);
        let on_person = answer.is(201);
        let masked = on_person["person_masked"].as_str().unwrap();
        assert!(masked.starts_with("+33••••"), "{masked}");
        let path = at("legal-holds", &on_person);
        assert_eq!(world.get(&path).await.is(200), on_person);
        let all = world.get("/api/v1/legal-holds").await.is(200);
        assert_eq!(all["data"], json!([on_session, on_person]));

        world.delete(&path).await.is(204);
        let lifted = world.get(&path).await.is(200);
        assert!(lifted["lifted_at"].is_string(), "{lifted}");
        world.delete(&path).await.is(204);
        assert_eq!(world.get(&path).await.is(200), lifted, "lifting it again changes nothing");
        let log = world.get("/api/v1/audit?limit=3").await.is(200);
        let actions: Vec<&str> = log["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["action"].as_str().unwrap())
            .collect();
        assert_eq!(actions, ["legal_hold.lifted", "legal_hold.placed", "legal_hold.placed"]);
        assert_eq!(log["data"][1]["details"], json!({ "kind": "person" }));
        assert!(!log.to_string().contains("C 12"), "a case is in the audit log in clear");
    })
    .await;
}

/// What is no hold is refused with what is wrong, and changes nothing; another account's session is none.
#[tokio::test]
async fn bad_holds_are_refused() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let session = world.session(&service).await;
        let whole = json!({ "session_id": session["id"], "case_id": "C", "reason": "r" });
        let with = |changes: Value| {
            let mut body = whole.clone();
            for (name, value) in changes.as_object().unwrap() {
                body[name] = value.clone();
            }
            body
        };
        for (changes, pointer) in [
            (json!({ "session_id": null }), "/session_id"),
            (json!({ "session_id": "KC1" }), "/session_id"),
            (json!({ "number": BUYER }), "/number"),
            (json!({ "session_id": null, "number": "0639980001" }), "/number"),
            (json!({ "case_id": null }), "/case_id"),
            (json!({ "case_id": "x".repeat(101) }), "/case_id"),
            (json!({ "case_id": "a\nb" }), "/case_id"),
            (json!({ "reason": null }), "/reason"),
            (json!({ "reason": "call 0639980001" }), "/reason"),
            (json!({ "reason": " " }), "/reason"),
        ] {
            let answer = world.post("/api/v1/legal-holds", with(changes.clone())).await;
            assert!(!answer.text.contains("639980001"), "{}", answer.text);
            let problem = answer.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{changes}: {problem}");
        }
        let unknown = json!({ "session_id": "KC019343fd1c3a7e63a1c0bb0f3e9a1d52" });
        world.post("/api/v1/legal-holds", with(unknown)).await.problem(404, "not_found");
        let foreign = world.ask("POST", "/api/v1/legal-holds").key(&world.b.api_key).json(&whole);
        foreign.send().await.problem(404, "not_found");
        for (method, id) in [("GET", "LH1"), ("DELETE", "LH019343fd1c3a7e63a1c0bb0f3e9a1d52")] {
            let ask = world.ask(method, &format!("/api/v1/legal-holds/{id}")).a();
            ask.send().await.problem(404, "not_found");
        }
        let none = world.get("/api/v1/legal-holds").await.is(200);
        assert_eq!(none["data"], json!([]));
    })
    .await;
}

/// A service keeps for as long as the operator by default, for a shorter time where it says so, and never for
/// a longer one.
#[tokio::test]
async fn services_may_keep_for_less() {
    each(async |world| {
        let service = world.pool("rides", 0).await;
        let path = format!("/api/v1/services/{service}");
        let shown = world.get(&path).await.is(200);
        let usual = json!({ "texts_days": null, "log_days": null, "sessions_days": null });
        assert_eq!(shown["retention"], usual);
        let change = json!({ "retention": { "texts_days": 7, "log_days": 90 } });
        let shown = world.patch(&path, change).await.is(200);
        let less = json!({ "texts_days": 7, "log_days": 90, "sessions_days": null });
        assert_eq!(shown["retention"], less);
        for (days, pointer) in [
            (json!({ "texts_days": 31 }), "/retention/texts_days"),
            (json!({ "texts_days": 0 }), "/retention/texts_days"),
            (json!({ "log_days": 366 }), "/retention/log_days"),
            (json!({ "log_days": 30 }), "/retention/log_days"),
            (json!({ "sessions_days": 4000 }), "/retention/sessions_days"),
            (json!({ "sessions_days": -1 }), "/retention/sessions_days"),
            (json!({ "sessions_days": "90" }), "/retention/sessions_days"),
        ] {
            let answer = world.patch(&path, json!({ "retention": days })).await;
            let problem = answer.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        assert_eq!(world.get(&path).await.is(200)["retention"], less);
        let log = world.get("/api/v1/audit?limit=1").await.is(200);
        assert_eq!(log["data"][0]["details"], json!({ "changed": ["retention"] }));
        let shown = world.patch(&path, json!({ "retention": null })).await.is(200);
        assert_eq!(shown["retention"], usual);
    })
    .await;
}
