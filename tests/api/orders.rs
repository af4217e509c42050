//! Number orders: what is asked for, refused and shown. What becomes of them is tested over carriers.

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::world::{at, each, proxy};

/// An order is noted once per key and shown as it stands; another about the same number is refused while it
/// is under way, and so is one for a number that is in an inventory.
#[tokio::test]
async fn an_order_is_noted_once() {
    each(async |world| {
        let service = world.pool("rides", 1).await;
        let new = json!({
            "kind": "buy", "service_id": "rides", "number": proxy(5),
            "max_monthly_price": "2.00", "currency": "EUR", "capabilities": ["voice"],
        });
        let send = || {
            let ask = world.ask("POST", "/api/v1/number-orders").a().json(&new);
            ask.header("idempotency-key", "order-1").send()
        };
        let first = send().await;
        assert_eq!(first.text, send().await.text);
        let order = first.is(202)["data"][0].clone();
        assert_eq!((&order["kind"], &order["state"]), (&json!("buy"), &json!("queued")));
        assert_eq!(order["number"], proxy(5));
        assert_eq!(order["service_id"], service);
        assert_eq!(order["capabilities"], json!(["voice"]));
        let read = world.get(&at("number-orders", &order)).await;
        assert!(read.header("etag").is_some());
        assert_eq!(read.is(200), order);
        let path = "/api/v1/number-orders";
        world.post(path, new.clone()).await.problem(409, "number_order_under_way");
        let taken = json!({ "kind": "adopt", "service_id": "rides", "number": proxy(0) });
        world.post(path, taken).await.problem(409, "number_taken");
        let several = json!({
            "kind": "buy", "service_id": service, "quantity": 3, "search": { "country": "US" },
        });
        let several = world.post(path, several).await.is(202);
        assert_eq!(several["data"].as_array().unwrap().len(), 3);
        let queued = world.get(&format!("{path}?state=queued&limit=2")).await.is(200);
        assert_eq!(
            (queued["data"][0]["id"].clone(), &queued["has_more"]),
            (order["id"].clone(), &json!(true))
        );
        assert_eq!(world.get(&format!("{path}?state=done")).await.is(200)["data"], json!([]));
        world.get(&format!("{path}?state=lost")).await.problem(400, "malformed_parameter");
        world.get(&format!("{path}/NO{:032x}", 1)).await.problem(404, "not_found");
    })
    .await;
}

/// Every fault of an order is told at once, each with its place.
#[tokio::test]
async fn orders_are_checked() {
    each(async |world| {
        world.pool("rides", 0).await;
        let path = "/api/v1/number-orders";
        let cases = [
            (json!({}), "/kind /service_id"),
            (json!({ "kind": "release", "service_id": "rides", "number": proxy(1) }), "/kind"),
            (json!({ "kind": "adopt", "service_id": "rides" }), "/number"),
            (json!({ "kind": "buy", "service_id": "rides" }), "/number"),
            (
                json!({ "kind": "buy", "service_id": "rides", "number": "123", "quantity": 2,
                    "max_monthly_price": "cheap", "currency": "euro", "address": "a b" }),
                "/address /currency /max_monthly_price /number /quantity",
            ),
            (
                json!({ "kind": "buy", "service_id": "rides", "number": proxy(1),
                    "search": { "country": "US" } }),
                "/search",
            ),
            (
                json!({ "kind": "buy", "service_id": "rides", "quantity": 11,
                    "search": { "country": "usa", "area": "x", "contains": "+1" } }),
                "/quantity /search/area /search/contains /search/country",
            ),
            (
                json!({ "kind": "adopt", "service_id": "rides", "number": proxy(1),
                    "carrier": "nobody" }),
                "/carrier",
            ),
            // What the carrier's settings tell is told with the rest.
            (
                json!({ "kind": "buy", "carrier": "nobody", "currency": "euro", "quantity": 11,
                    "search": { "country": "usa" } }),
                "/carrier /currency /quantity /search/country /service_id",
            ),
        ];
        for (body, places) in cases {
            let problem = world.post(path, body).await.problem(422, "validation_failed");
            let errors = problem["errors"].as_array().unwrap();
            let mut found: Vec<&str> =
                errors.iter().map(|one| one["pointer"].as_str().unwrap()).collect();
            found.sort_unstable();
            assert_eq!(found.join(" "), places, "{problem}");
        }
        let nobody = json!({ "kind": "adopt", "service_id": "nobody", "number": proxy(1) });
        world.post(path, nobody).await.problem(404, "not_found");
    })
    .await;
}

/// Where the operator has not switched it on, an account neither buys nor adopts nor gives back what it did
/// not buy: the numbers of the carrier's account are the operator's.
#[tokio::test]
async fn the_operators_numbers_are_theirs() {
    each(async |world| {
        let service = world.pool("rides", 0).await;
        let path = "/api/v1/number-orders";
        for kind in ["buy", "adopt"] {
            let new = json!({
                "kind": kind, "service_id": "rides", "number": proxy(1), "carrier": "closed",
            });
            world.post(path, new).await.problem(403, "buying_disabled");
        }
        assert_eq!(world.get(path).await.is(200)["data"], json!([]));
        let imported = async |carrier: &str, n: u32| {
            let new = json!({ "number": proxy(n), "service_id": service, "carrier": carrier });
            let number = world.post("/api/v1/numbers", new).await.is(201);
            (at("numbers", &number), format!("{}/release", at("numbers", &number)))
        };
        let cancel = json!({ "at_carrier": "cancel" });
        let (number, release) = imported("closed", 2).await;
        world.post(&release, cancel.clone()).await.problem(403, "buying_disabled");
        assert_eq!(world.get(&number).await.is(200)["state"], "active");
        world.post(&release, json!({})).await.is(202);
        let (_, release) = imported("sandbox", 3).await;
        world.post(&release, cancel).await.is(202);
    })
    .await;
}

/// What was ordered once has the same answer under the same key, also once the switch is off.
#[tokio::test]
async fn an_answer_outlives_the_switch() {
    each(async |world| {
        world.pool("rides", 0).await;
        let new = json!({ "kind": "adopt", "service_id": "rides", "number": proxy(1) });
        let send = || {
            let ask = world.ask("POST", "/api/v1/number-orders").a().json(&new);
            ask.header("idempotency-key", "order-1")
        };
        let first = send().send().await;
        let off = world.without_buying();
        let again = send().send_to(&off).await;
        assert_eq!((again.status, &again.text), (202, &first.text));
        let ask = world.ask("POST", "/api/v1/number-orders").a().json(&new);
        assert_eq!(ask.send_to(&off).await.is(403)["code"], "buying_disabled");
    })
    .await;
}

/// A number that is given up drains, once; with sessions open nobody forces it.
#[tokio::test]
async fn a_release_drains() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let session = world.session(&service).await;
        let id = session["participants"][0]["proxy_number_id"].as_str().unwrap();
        let number = format!("/api/v1/numbers/{id}");
        let path = format!("{number}/release");
        world.post(&path, json!({ "force": true })).await.problem(409, "number_in_use");
        assert_eq!(world.get(&number).await.is(200)["state"], "active");
        let stale = world.ask("POST", &path).a().json(&json!({})).header("if-match", "\"9\"");
        stale.send().await.problem(412, "version_mismatch");
        let order = world.post(&path, json!({ "at_carrier": "keep" })).await.is(202);
        assert_eq!((&order["state"], &order["number_id"]), (&json!("draining"), &json!(id)));
        assert_eq!(world.get(&number).await.is(200)["state"], "draining");
        world.post(&path, json!({})).await.problem(409, "number_order_under_way");
        world.relay.work_number_orders(&CancellationToken::new()).await.unwrap();
        assert_eq!(world.get(&at("number-orders", &order)).await.is(200)["state"], "draining");
        world.patch(&number, json!({ "state": "active" })).await.is(200);
        world.clock.advance(61_000);
        world.relay.work_number_orders(&CancellationToken::new()).await.unwrap();
        assert_eq!(world.get(&at("number-orders", &order)).await.is(200)["state"], "cancelled");
    })
    .await;
}

/// A search names every parameter that is wrong, and says so where the carrier does not answer.
#[tokio::test]
async fn searches_are_checked() {
    each(async |world| {
        let path = "/api/v1/available-numbers";
        for query in [
            "",
            "?country=usa",
            "?country=US&limit=0",
            "?country=US&limit=51",
            "?country=US&type=pager",
            "?country=US&capabilities=fax",
            "?country=US&area=x",
            "?country=US&carrier=nobody",
            "?country=US&colour=blue",
        ] {
            let problem = world.get(&format!("{path}{query}")).await;
            problem.problem(400, "malformed_parameter");
        }
        let fine = "?country=US&type=mobile&area=415&contains=55&capabilities=voice,sms&limit=5";
        let away = world.get(&format!("{path}{fine}")).await;
        away.problem(503, "carrier_unavailable");
    })
    .await;
}
