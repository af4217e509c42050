//! People are erased and exported by their number: whom, by which key, and what of it is told.

use serde_json::{Value, json};

use crate::world::{BUYER, SELLER, World, at, between, each};

/// A session of the first service between buyer and seller, and one of the buyer with a third.
async fn story(world: &World) -> (Value, Value) {
    world.pool("rides", 3).await;
    let one = world.session("rides").await;
    let third = between("rides", BUYER, "+33639980003");
    (one, world.post("/api/v1/sessions", third).await.is(201))
}

/// Somebody is erased by number: what would go is told first and nothing changes; then it goes, with a receipt;
/// the same key does it once; the other side is still there, and nobody's number is told.
#[tokio::test]
async fn a_person_is_erased_by_number() {
    each(async |world| {
        let (one, other) = story(world).await;
        let body = json!({ "identifier": BUYER });
        let before = world.get(&at("sessions", &one)).await.is(200);
        let tried = world.post("/api/v1/persons/erase?dry_run=true", body.clone()).await.is(200);
        assert_eq!((&tried["dry_run"], &tried["complete"]), (&json!(true), &json!(true)));
        assert_eq!(world.get(&at("sessions", &one)).await.is(200), before, "nothing changed");

        let ask = || {
            let ask = world.ask("POST", "/api/v1/persons/erase").a().json(&body);
            ask.header("idempotency-key", "once").send()
        };
        let begun = ask().await;
        let location = begun.header("location").unwrap().to_owned();
        assert!(!begun.text.contains(&BUYER[1..]));
        let begun = begun.is(202);
        assert_eq!(location, format!("https://relay.example{}", at("erasures", &begun)));
        assert_eq!(ask().await.is(202)["id"], begun["id"], "once");
        let done = world.get(&at("erasures", &begun)).await;
        assert!(!done.text.contains(&BUYER[1..]));
        let done = done.is(200);
        assert_eq!(done["state"], "waiting");
        assert_eq!(done["counts"]["sessions"], 2);
        for class in ["sessions", "sessions_closed", "identifiers", "data_keys"] {
            assert_eq!(tried["counts"][class], done["counts"][class], "{class}");
        }
        assert!(done["quarantine_until"].is_string());
        let receipt = &done["receipt"]["document"];
        assert_eq!(receipt["erasure"], begun["id"]);
        assert!(receipt["stays"].as_array().unwrap().len() >= 5, "{receipt}");

        for session in [&one, &other] {
            let now = world.get(&at("sessions", session)).await.is(200);
            assert_eq!(now["state"], "closed");
            let people = now["participants"].as_array().unwrap();
            let was = session["participants"].as_array().unwrap();
            assert_ne!(people[0]["masked"], was[0]["masked"], "{now}");
            assert_eq!(
                (&people[0]["name"], &people[0]["calling_code"]),
                (&Value::Null, &Value::Null)
            );
            assert_eq!(people[1]["masked"], was[1]["masked"], "{now}");
            let reopen =
                world.post(&format!("{}/reopen", at("sessions", session)), json!({})).await;
            reopen.problem(409, "person_erased");
        }
        // Nothing is left to erase, and that is no fault; whoever is added again is a new person.
        let again = world.post("/api/v1/persons/erase", body.clone()).await.is(202);
        let again = world.get(&at("erasures", &again)).await.is(200);
        assert_eq!((&again["state"], &again["counts"]["sessions"]), (&json!("done"), &Value::Null));
        let audit = world.get("/api/v1/audit?action=person.erased").await.is(200);
        assert_eq!(audit["data"].as_array().unwrap().len(), 2);
        assert_eq!(audit["data"][1]["target"], json!({ "kind": "erasure", "id": begun["id"] }));
    })
    .await;
}

/// A participant is erased by their id, with all their sessions; one who was erased is not found again.
#[tokio::test]
async fn a_person_is_erased_as_a_participant() {
    each(async |world| {
        let (one, other) = story(world).await;
        let body = json!({ "participant_id": one["participants"][0]["id"] });
        let begun = world.post("/api/v1/persons/erase", body.clone()).await.is(202);
        let done = world.get(&at("erasures", &begun)).await.is(200);
        assert_eq!(done["counts"]["sessions"], 2, "{done}");
        assert_eq!(world.get(&at("sessions", &other)).await.is(200)["state"], "closed");
        world.post("/api/v1/persons/erase", body).await.problem(404, "not_found");
    })
    .await;
}

/// What is no number, no participant, both or neither is a fault that does not repeat it; nothing is done.
#[tokio::test]
async fn odd_people_are_refused() {
    each(async |world| {
        let (one, _) = story(world).await;
        for path in ["/api/v1/persons/erase", "/api/v1/persons/export"] {
            for (body, pointer) in [
                (json!({}), "/identifier"),
                (json!({ "identifier": "0639980001" }), "/identifier"),
                (json!({ "identifier": "+33x39980001" }), "/identifier"),
                (json!({ "identifier": 33_639_980_001_u64 }), "/identifier"),
                (json!({ "participant_id": "KP1" }), "/participant_id"),
                (
                    json!({ "identifier": BUYER, "participant_id": one["participants"][0]["id"] }),
                    "/participant_id",
                ),
                (json!({ "identifier": BUYER, "name": "Ada" }), "/name"),
            ] {
                let refused = world.post(path, body.clone()).await;
                assert!(!refused.text.contains("639980001"), "{}", refused.text);
                let problem = refused.problem(422, "validation_failed");
                assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
            }
            let unknown = json!({ "participant_id": "KP0123456789abcdef0123456789abcdef" });
            world.post(path, unknown).await.problem(404, "not_found");
            let body = json!({ "identifier": BUYER });
            let reader = world.scoped(&["sessions:write", "people:reveal"]).await;
            let refused = world.ask("POST", path).key(&reader).json(&body).send().await;
            refused.problem(403, "forbidden_scope");
        }
        world.get("/api/v1/erasures/ER0").await.problem(404, "not_found");
        assert_eq!(world.get(&at("sessions", &one)).await.is(200)["state"], "open");
    })
    .await;
}

/// One account's erasure touches nobody else's people, and is not told to another.
#[tokio::test]
async fn another_account_keeps_its_people() {
    each(async |world| {
        let (one, _) = story(world).await;
        let body = json!({ "identifier": BUYER });
        let ask = world.ask("POST", "/api/v1/persons/erase").key(&world.b.api_key);
        let begun = ask.json(&body).send().await.is(202);
        let path = at("erasures", &begun);
        let own = world.ask("GET", &path).key(&world.b.api_key).send().await.is(200);
        assert_eq!((&own["state"], &own["counts"]), (&json!("done"), &json!({})));
        world.get(&path).await.problem(404, "not_found");
        assert_eq!(world.get(&at("sessions", &one)).await.is(200)["state"], "open");
    })
    .await;
}

/// An export has all of one person and nothing of another, no number, and is in the audit log.
#[tokio::test]
async fn an_export_is_of_one_person() {
    each(async |world| {
        let (one, other) = story(world).await;
        let block = format!(
            "{}/participants/{}/block",
            at("sessions", &one),
            one["participants"][0]["id"].as_str().unwrap()
        );
        world.ask("PUT", &block).a().send().await.is(204);
        let body = json!({ "identifier": BUYER });
        let answer = world.post("/api/v1/persons/export", body.clone()).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let name = answer.header("content-disposition").unwrap();
        assert!(name.starts_with("attachment; filename=\"EX"), "{name}");
        for number in [BUYER, SELLER, "+33639980003"] {
            assert!(!answer.text.contains(&number[1..]), "{number}");
        }
        let seller = &one["participants"][1];
        assert!(!answer.text.contains(seller["masked"].as_str().unwrap()), "another's mask");
        assert!(!answer.text.contains(seller["id"].as_str().unwrap()), "another's id");
        let key = world.relay.audit_key().unwrap();
        assert_eq!(entremise::relay::verify_document(&answer.text, &key), Some(true));
        let document = answer.is(200)["document"].clone();
        let sessions = document["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions[0]["id"], one["id"]);
        assert_eq!(sessions[1]["id"], other["id"]);
        assert_eq!(sessions[0]["participant"]["name"], "Ada");
        let proxy = &one["participants"][0]["proxy_number"];
        assert_eq!(&sessions[0]["participant"]["proxy_number"], proxy);
        assert_eq!(document["blocks"].as_array().unwrap().len(), 1);
        let later = json!({ "identifier": BUYER, "created_from": "2100-01-01T00:00:00Z" });
        let none = world.post("/api/v1/persons/export", later).await.is(200);
        assert_eq!(none["document"]["sessions"], json!([]));
        let odd = json!({ "identifier": BUYER, "created_from": "yesterday" });
        world.post("/api/v1/persons/export", odd).await.problem(422, "validation_failed");
        let audit = world.get("/api/v1/audit?action=person.exported").await.is(200);
        assert_eq!(audit["data"].as_array().unwrap().len(), 2);
        assert_eq!(audit["data"][1]["target"]["id"], document["export"]);
    })
    .await;
}
