//! Opt-outs and reports by API: what is taken, what is refused, and what refusals leave behind.

use serde_json::{Value, json};

use super::world::{Answer, World, at, each};

const PERSON: &str = "+33639980001";

/// The pointers of a refusal that changes nothing.
fn refused(answer: Answer) -> Vec<String> {
    assert!(!answer.text.contains("639980001"), "{}", answer.text);
    let problem = answer.problem(422, "validation_failed");
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|one| one["pointer"].as_str().unwrap().to_owned()).collect()
}

async fn all(world: &World, noun: &str) -> Value {
    world.get(&format!("/api/v1/{noun}?limit=100")).await.is(200)["data"].clone()
}

/// Each scope is recorded once; a scope without its thing, another's thing and a number that is none are
/// refused, and nothing is recorded then.
#[tokio::test]
async fn opt_outs_are_recorded_once() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let number = world.get("/api/v1/numbers").await.is(200)["data"][0]["id"].clone();
        let post = async |body: Value| world.post("/api/v1/opt-outs", body).await;
        for (body, pointers) in [
            (json!({}), vec!["/identifier", "/scope"]),
            (json!({ "identifier": "x", "scope": "account" }), vec!["/identifier"]),
            (json!({ "identifier": PERSON, "scope": "all" }), vec!["/scope"]),
            (json!({ "identifier": PERSON, "scope": "service" }), vec!["/service_id"]),
            (
                json!({ "identifier": PERSON, "scope": "number", "number_id": "x" }),
                vec!["/number_id"],
            ),
            (
                json!({ "identifier": PERSON, "scope": "account", "service_id": service }),
                vec!["/service_id"],
            ),
            (
                json!({
                    "identifier": PERSON, "scope": "service",
                    "service_id": "KS00000000000000000000000000000001",
                }),
                vec!["/service_id"],
            ),
        ] {
            assert_eq!(refused(post(body.clone()).await), pointers, "{body}");
        }
        refused(world.post("/api/v1/opt-outs/lookup", json!({ "identifier": 1 })).await);
        assert_eq!(all(world, "opt-outs").await, json!([]));
        for more in [
            json!({ "scope": "account" }),
            json!({ "scope": "service", "service_id": service }),
            json!({ "scope": "number", "number_id": number }),
        ] {
            let mut body = json!({ "identifier": PERSON });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let made = post(body.clone()).await.is(201);
            assert_eq!(post(body).await.is(200), made);
            assert_eq!(world.get(&at("opt-outs", &made)).await.is(200), made);
        }
        let first = world.get("/api/v1/opt-outs?limit=2").await.is(200);
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = world.get(&format!("/api/v1/opt-outs?limit=2&cursor={cursor}")).await.is(200);
        assert_eq!((rest["data"].as_array().unwrap().len(), &rest["has_more"]), (1, &json!(false)));
        let clear = format!("{}/clear", at("opt-outs", &rest["data"][0]));
        for bad in [json!({}), json!({ "proof": "" }), json!({ "proof": "x".repeat(2001) })] {
            assert_eq!(refused(world.post(&clear, bad).await), ["/proof"]);
        }
        assert_eq!(all(world, "opt-outs").await.as_array().unwrap().len(), 3);
        world.post(&clear, json!({ "proof": "x" })).await.is(200);
        world.post(&clear, json!({ "proof": "x" })).await.problem(404, "not_found");
        let by_b = world.ask("GET", "/api/v1/opt-outs").key(&world.b.api_key).send().await.is(200);
        assert_eq!(by_b["data"], json!([]), "another account's are its own");
    })
    .await;
}

/// A report names a category, calls and texts of its session and no others, and is decided once.
#[tokio::test]
async fn reports_are_made_and_decided() {
    each(async |world| {
        let service = world.pool("rides", 4).await;
        let session = world.session(&service).await;
        let other = world.session(&service).await;
        let of = |session: &Value, rest: &str| {
            let id = session["participants"][0]["id"].as_str().unwrap().to_owned();
            format!("{}/participants/{id}/{rest}", at("sessions", session))
        };
        let text = json!({ "participant_id": other["participants"][0]["id"], "body": "x" });
        let path = format!("{}/messages", at("sessions", &other));
        let foreign = world.post(&path, text).await.is(201)["id"].clone();
        let report = of(&session, "report");
        for (body, pointers) in [
            (json!({}), vec!["/category"]),
            (json!({ "category": "boring" }), vec!["/category"]),
            (json!({ "category": "spam", "note": "" }), vec!["/note"]),
            (json!({ "category": "spam", "note": "x".repeat(2001) }), vec!["/note"]),
            (json!({ "category": "spam", "interaction_ids": ["x"] }), vec!["/interaction_ids/0"]),
            (
                json!({ "category": "spam", "interaction_ids": [foreign] }),
                vec!["/interaction_ids/0"],
            ),
            (
                json!({ "category": "spam", "interaction_ids": vec!["x"; 21] }),
                vec!["/interaction_ids"],
            ),
        ] {
            assert_eq!(refused(world.post(&report, body.clone()).await), pointers, "{body}");
        }
        assert_eq!(all(world, "reports").await, json!([]));
        let made = world.post(&report, json!({ "category": "threat", "note": "n" })).await.is(201);
        assert_eq!((&made["state"], &made["decision"]), (&json!("open"), &json!(null)));
        let listed = all(world, "reports").await;
        assert_eq!(listed[0]["id"], made["id"]);
        assert!(listed[0].get("note").is_none(), "{listed}");
        let read = world.get(&at("reports", &made)).await.is(200);
        assert_eq!(read["note"], "n");
        for (query, count) in [
            ("state=open", 1),
            ("state=resolved", 0),
            ("category=threat", 1),
            ("category=spam", 0),
            ("session_id=KC00000000000000000000000000000001", 0),
        ] {
            let page = world.get(&format!("/api/v1/reports?{query}")).await.is(200);
            assert_eq!(page["data"].as_array().unwrap().len(), count, "{query}");
        }
        for odd in ["state=x", "session_id=x", "role=buyer"] {
            let answer = world.get(&format!("/api/v1/reports?{odd}")).await;
            answer.problem(400, "malformed_parameter");
        }
        let resolve = format!("{}/resolve", at("reports", &made));
        for (body, pointers) in [
            (json!({}), vec!["/decision"]),
            (json!({ "decision": "hanged" }), vec!["/decision"]),
            (json!({ "decision": "warned", "note": "" }), vec!["/note"]),
        ] {
            assert_eq!(refused(world.post(&resolve, body).await), pointers);
        }
        let ask = world.ask("POST", &resolve).a().header("if-match", "\"7\"");
        let stale = ask.json(&json!({ "decision": "warned" })).send().await;
        stale.problem(412, "version_mismatch");
        let decided = world.post(&resolve, json!({ "decision": "warned" })).await.is(200);
        assert_eq!((&decided["state"], &decided["version"]), (&json!("resolved"), &json!(2)));
        world.post(&resolve, json!({ "decision": "warned" })).await.problem(409, "conflict");
        let reader = world.scoped(&["reports:read"]).await;
        let ask = world.ask("POST", &resolve).key(&reader);
        let answer = ask.json(&json!({ "decision": "warned" })).send().await;
        answer.problem(403, "forbidden_scope");
    })
    .await;
}

/// What a service does with words is shown, set and taken back to the default.
#[tokio::test]
async fn services_say_which_words_they_read() {
    each(async |world| {
        let new = json!({ "unique_name": "rides" });
        let made = world.post("/api/v1/services", new).await.is(201);
        let shown =
            |one: &Value| ["stop_words", "help_text", "block_words"].map(|name| one[name].clone());
        assert_eq!(shown(&made), [json!("country"), json!(""), json!(true)]);
        for bad in [
            json!({ "stop_words": "never" }),
            json!({ "help_text": "x".repeat(301) }),
            json!({ "help_text": "a\nb" }),
            json!({ "block_words": "yes" }),
        ] {
            assert_eq!(refused(world.patch("/api/v1/services/rides", bad).await).len(), 1);
        }
        let change = json!({ "stop_words": "relay", "help_text": "Help", "block_words": false });
        let set = world.patch("/api/v1/services/rides", change).await.is(200);
        assert_eq!(shown(&set), [json!("relay"), json!("Help"), json!(false)]);
        let back = json!({ "stop_words": null, "help_text": null, "block_words": null });
        let back = world.patch("/api/v1/services/rides", back).await.is(200);
        assert_eq!(shown(&back), shown(&made));
    })
    .await;
}
