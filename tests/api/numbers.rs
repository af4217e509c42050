//! Numbers that are registered for texts, and numbers that a country's rule refuses.

use serde_json::{Value, json};

use crate::world::{at, each, proxy};

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
