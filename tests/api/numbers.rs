//! Numbers that are registered for texts, numbers that a country's rule refuses, and moves off a number.

use entremise::ids::MoveId;
use serde_json::{Value, json};

use crate::world::{World, at, each, proxy};

/// A number's registration is told when it is added, changed and filtered by; one that the number can't have
/// is a fault; nothing is registered outside +1.
#[tokio::test]
async fn registrations() {
    each(async |world| {
        world.pool("rides", 0).await;
        let new = |number: &str, more: Value| {
            let mut new = json!({ "number": number, "service_id": "rides" });
            new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            world.post("/api/v1/numbers", new)
        };
        let known = json!({ "registration": "10dlc", "campaign_id": "C1A2B3C" });
        let number = new("+14155550100", known).await.is(201);
        let said = |one: &Value| (one["registration"].clone(), one["campaign_id"].clone());
        assert_eq!(said(&number), (json!("10dlc"), json!("C1A2B3C")));
        let silent = new("+14155550101", json!({})).await.is(201);
        assert_eq!(said(&silent), (json!("unknown"), Value::Null));
        let french = new(&proxy(1), json!({})).await.is(201);
        assert_eq!(said(&french), (json!("none"), Value::Null));
        for (number, more, pointer) in [
            (&*proxy(2), json!({ "registration": "10dlc" }), "/registration"),
            ("+14155550102", json!({ "registration": "toll_free" }), "/registration"),
            (
                "+14155550102",
                json!({ "registration": "none", "campaign_id": "C1" }),
                "/campaign_id",
            ),
            (
                "+14155550102",
                json!({ "registration": "10dlc", "campaign_id": " " }),
                "/campaign_id",
            ),
            ("+14155550102", json!({ "registration": "yes" }), "/registration"),
        ] {
            let problem = new(number, more).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let path = at("numbers", &number);
        let changed = world.patch(&path, json!({ "registration": "none" })).await.is(200);
        assert_eq!(said(&changed), (json!("none"), Value::Null), "the campaign goes with it");
        let changed = world.patch(&path, json!({ "state": "draining" })).await.is(200);
        assert_eq!(said(&changed), (json!("none"), Value::Null));
        let wrong = world.patch(&path, json!({ "campaign_id": "C1" })).await;
        wrong.problem(422, "validation_failed");
        let changed = world.patch(&path, json!({ "registration": null })).await.is(200);
        assert_eq!(said(&changed), (json!("unknown"), Value::Null));
        let list = world.get("/api/v1/numbers?registration=unknown").await.is(200);
        assert_eq!(list["data"].as_array().unwrap().len(), 2);
        let list = world.get("/api/v1/numbers?registration=toll_free").await.is(200);
        assert_eq!(list["data"], json!([]));
        world.get("/api/v1/numbers?registration=x").await.problem(400, "malformed_parameter");
    })
    .await;
}

/// A number that a country's rule refuses joins no pool: the problem names the rule and its source.
#[tokio::test]
async fn refused_numbers() {
    each(async |world| {
        world.pool("rides", 0).await;
        let new = json!({ "number": "+33639980001", "service_id": "rides" });
        let problem = world.post("/api/v1/numbers", new).await.problem(422, "validation_failed");
        let fault = &problem["errors"][0];
        assert_eq!(
            (&fault["pointer"], &fault["code"]),
            (&json!("/number"), &json!("number_class"))
        );
        let words = fault["detail"].as_str().unwrap();
        assert!(words.contains("rule fr-mobile") && words.contains("https://arcep.fr/"), "{words}");
        assert!(!problem.to_string().contains("3363998"), "no value that was sent");
        assert_eq!(world.get("/api/v1/numbers").await.is(200)["data"], json!([]));
    })
    .await;
}

/// A list's items, read by pages of one.
async fn one_by_one(world: &World, list: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut page = format!("{list}?limit=1");
    loop {
        let told = world.get(&page).await.is(200);
        items.extend(told["data"].as_array().unwrap().clone());
        let Some(cursor) = told["next_cursor"].as_str() else { return items };
        page = format!("{list}?limit=1&cursor={cursor}");
    }
}

/// A move is noted once per key, followed with its steps page by page, and taken back; its faults name the
/// member, and no answer has a person in it.
#[tokio::test]
async fn moves() {
    each(async |world| {
        let service = world.pool("rides", 3).await;
        let session = world.session(&service).await;
        let people = session["participants"].as_array().unwrap();
        let number = people[0]["proxy_number_id"].clone();
        let on_it = people.iter().filter(|one| one["proxy_number_id"] == number).count();
        for (body, pointer) in [
            (json!({ "why": "dead" }), "/number_id"),
            (json!({ "number_id": number }), "/why"),
            (json!({ "number_id": number, "why": "bored" }), "/why"),
            (json!({ "number_id": "PN1", "why": "dead" }), "/number_id"),
            (json!({ "number_id": format!("PN{:032x}", 7), "why": "dead" }), "/number_id"),
            (json!({ "number_id": number, "carrier": "sandbox", "why": "dead" }), "/carrier"),
            (json!({ "carrier": "nobody", "why": "dead" }), "/carrier"),
            (
                json!({ "number_id": number, "to_number_id": number, "why": "dead" }),
                "/to_number_id",
            ),
            (json!({ "number_id": number, "to_carrier": "sandbox", "why": "dead" }), "/to_carrier"),
            (
                json!({ "number_id": number, "to_carrier": "sandbox", "why": "ported" }),
                "/to_carrier",
            ),
        ] {
            let refused = world.post("/api/v1/number-moves", body.clone()).await;
            let problem = refused.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        assert_eq!(world.get("/api/v1/number-moves").await.is(200)["data"], json!([]));

        let new = json!({ "number_id": number, "why": "blocked", "tell": false });
        let tried = world.post("/api/v1/number-moves?dry_run=true", new.clone()).await.is(200);
        let told = json!({
            "dry_run": true, "complete": true, "sessions": 1, "moved": on_it, "kept": {},
        });
        assert_eq!(tried, told);
        assert_eq!(world.get("/api/v1/number-moves").await.is(200)["data"], json!([]));
        assert_eq!(world.get(&at("sessions", &session)).await.is(200), session);
        let ask = || {
            let ask = world.ask("POST", "/api/v1/number-moves").a().json(&new);
            ask.header("idempotency-key", "once").send()
        };
        let begun = ask().await.is(201);
        assert_eq!(ask().await.is(201), begun);
        let path = at("number-moves", &begun);
        let id = MoveId::parse(begun["id"].as_str().unwrap()).unwrap();
        let end = async || {
            world.moved(&id).await;
            world.get(&path).await.is(200)
        };
        let done = end().await;
        assert_eq!((&done["state"], &done["moved"]), (&json!("done"), &json!(on_it)));
        let steps = one_by_one(world, &format!("{path}/steps")).await;
        assert_eq!(steps.len(), on_it);
        for step in &steps {
            assert_eq!((&step["state"], &step["old_number_id"]), (&json!("moved"), &number));
            assert_eq!(step["session_id"], session["id"]);
        }
        let all = format!("{done}{steps:?}");
        assert!(!all.contains("masked") && !all.contains("+33"), "{all}");
        let shown = world.get(&at("sessions", &session)).await.is(200);
        assert_ne!(shown["participants"][0]["proxy_number_id"], number);
        let kinds = world.get("/api/v1/events?type=participant.moved").await.is(200);
        assert_eq!(kinds["data"].as_array().unwrap().len(), on_it);
        let stale = world.ask("POST", &format!("{path}/undo")).a().json(&json!({}));
        stale.header("if-match", "\"1\"").send().await.problem(412, "version_mismatch");
        world.post(&format!("{path}/undo"), json!({})).await.is(200);
        let undone = end().await;
        assert_eq!((&undone["state"], &undone["undone"]), (&json!("undone"), &json!(on_it)));
        let again = world.post(&format!("{path}/undo"), json!({})).await.is(200);
        assert_eq!(again, undone);
        let shown = world.get(&at("sessions", &session)).await.is(200);
        assert_eq!(shown["participants"][0]["proxy_number_id"], number);
    })
    .await;
}
