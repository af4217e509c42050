//! Codes by the API: what is refused, who may, and what a service says of verified people.

use entremise::domain::sender::REFUSING;
use serde_json::{Value, json};

use super::world::{BUYER, World, at, each, proxy};

fn code_to(number: &str) -> Value {
    json!({ "to": number, "channel": "sms", "service_id": "rides" })
}

async fn begun(world: &World) -> Value {
    world.post("/api/v1/verifications", code_to(BUYER)).await.is(201)
}

/// Every fault is named at once, where it is, and nothing is sent or counted.
#[tokio::test]
async fn all_faults_at_once() {
    each(async |world| {
        world.pool("rides", 1).await;
        let bad = json!({
            "to": "0612345678", "channel": "pigeon", "from": "RIDES", "language": "Français",
            "domain": "Rides.example/x", "code_length": 3, "ttl_seconds": 5, "ip": "here",
        });
        let problem =
            world.post("/api/v1/verifications", bad).await.problem(422, "validation_failed");
        let mut pointers: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault["pointer"].as_str().unwrap())
            .collect();
        pointers.sort_unstable();
        let all = [
            "/channel",
            "/code_length",
            "/domain",
            "/from",
            "/ip",
            "/language",
            "/to",
            "/ttl_seconds",
        ];
        assert_eq!(pointers, all);
        let nothing = world.post("/api/v1/verifications", json!({})).await;
        let nothing = nothing.problem(422, "validation_failed");
        assert_eq!(nothing["errors"].as_array().unwrap().len(), 2);
        let spoken = json!({ "to": BUYER, "channel": "call", "domain": "rides.example" });
        world.post("/api/v1/verifications", spoken).await.problem(422, "validation_failed");
        let log = world.get("/api/v1/interactions").await.is(200);
        assert_eq!(log["data"], json!([]));
    })
    .await;
}

/// Numbers that earn somebody money, proxy numbers, numbers of another service or that can't do it are refused,
/// each with its reason.
#[tokio::test]
async fn numbers_that_are_refused() {
    each(async |world| {
        let service = world.pool("rides", 1).await;
        world.pool_of(&world.a.api_key, "homes", 1, 50).await;
        let own = proxy(0);
        for (to, code) in [("+19005550100", "premium_rate"), (own.as_str(), "proxy_number")] {
            let problem = world.post("/api/v1/verifications", code_to(to)).await;
            let problem = problem.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["code"], code);
            assert_eq!(problem["errors"][0]["pointer"], "/to");
        }
        for (rule, usual, code) in [
            (json!({ "countries": ["US"] }), json!({ "countries": [] }), "country_not_allowed"),
            (
                json!({ "identifier_check": "valid" }),
                json!({ "identifier_check": "possible" }),
                "not_in_numbering_plan",
            ),
        ] {
            world.patch("/api/v1/services/rides", rule).await.is(200);
            let problem = world.post("/api/v1/verifications", code_to(BUYER)).await;
            let problem = problem.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["code"], code);
            world.patch("/api/v1/services/rides", usual).await.is(200);
        }
        let numbers = world.get("/api/v1/numbers").await.is(200);
        let mut other = numbers["data"].as_array().unwrap().iter();
        let other = other.find(|one| one["service_id"] != json!(service)).unwrap();
        let mut from = code_to(BUYER);
        from["from"] = other["id"].clone();
        let problem =
            world.post("/api/v1/verifications", from).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["code"], "unknown_number");
        let mine = json!({ "number": proxy(7), "service_id": "rides", "capabilities": ["voice"],
            "reserved": true });
        let mine = world.post("/api/v1/numbers", mine).await.is(201);
        let mut from = code_to(BUYER);
        from["from"] = mine["id"].clone();
        let problem = world
            .post("/api/v1/verifications", from.clone())
            .await
            .problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["code"], "number_not_capable");
        from["channel"] = json!("call");
        world.post("/api/v1/verifications", from).await.is(201);
        // Two services, and none is named; one that there is not.
        let unnamed = json!({ "to": BUYER, "channel": "sms" });
        let problem = world.post("/api/v1/verifications", unnamed).await;
        assert_eq!(
            problem.problem(422, "validation_failed")["errors"][0]["pointer"],
            "/service_id"
        );
        let mut unknown = code_to(BUYER);
        unknown["service_id"] = json!("boats");
        world.post("/api/v1/verifications", unknown).await.problem(404, "not_found");
        // No number at all.
        let body = json!({ "unique_name": "empty" });
        world.post("/api/v1/services", body).await.is(201);
        let mut none = code_to("+33639980005");
        none["service_id"] = json!("empty");
        world.post("/api/v1/verifications", none).await.problem(409, "no_sender");
    })
    .await;
}

/// Sending, checking and reading want their scopes; a version that is not the current one changes nothing; a
/// key of idempotency sends once.
#[tokio::test]
async fn scopes_versions_and_keys() {
    each(async |world| {
        world.pool("rides", 1).await;
        let one = begun(world).await;
        let path = at("verifications", &one);
        let (reads, writes) = (
            world.scoped(&["verifications:read"]).await,
            world.scoped(&["verifications:write"]).await,
        );
        let sessions = world.scoped(&["sessions:write", "sessions:read"]).await;
        world.ask("GET", &path).key(&reads).send().await.is(200);
        for key in [&writes, &sessions] {
            world.ask("GET", &path).key(key).send().await.problem(403, "forbidden_scope");
        }
        for key in [&reads, &sessions] {
            let new = world.ask("POST", "/api/v1/verifications").key(key).json(&code_to(BUYER));
            new.send().await.problem(403, "forbidden_scope");
            let check = world.ask("POST", &format!("{path}/check")).key(key);
            check.json(&json!({ "code": "1234" })).send().await.problem(403, "forbidden_scope");
        }
        let cancel = || world.ask("POST", &format!("{path}/cancel")).key(&writes);
        cancel().header("if-match", "\"7\"").send().await.problem(412, "version_mismatch");
        cancel().header("if-match", "\"1\"").send().await.is(200);
        let etag = world.get(&path).await;
        assert_eq!(etag.header("etag"), Some("\"2\""));
        let send = || {
            let new = world.ask("POST", "/api/v1/verifications").key(&writes);
            new.header("idempotency-key", "k1").json(&code_to("+33639980004")).send()
        };
        let (first, second) = (send().await, send().await);
        assert_eq!(second.header("idempotent-replayed"), Some("true"));
        assert_eq!(first.is(201), second.is(201));
    })
    .await;
}

/// A code is digits: what can't be one is refused and costs no try.
#[tokio::test]
async fn codes_that_are_none_cost_nothing() {
    each(async |world| {
        world.pool("rides", 1).await;
        let one = begun(world).await;
        let path = at("verifications", &one);
        for code in ["", "123", "123456789", "12345x", "１２３４５６"] {
            let answer = world.post(&format!("{path}/check"), json!({ "code": code })).await;
            answer.problem(422, "validation_failed");
        }
        let now = world.get(&path).await.is(200);
        assert_eq!(now["checks_left"], 5);
        assert_eq!(now["to_masked"], one["to_masked"]);
    })
    .await;
}

/// A service shows and takes its rules on verified people, within their bounds, and the audit log has what was
/// changed.
#[tokio::test]
async fn rules_on_verified_people() {
    each(async |world| {
        world.pool("rides", 1).await;
        let path = "/api/v1/services/rides";
        let before = world.get(path).await.is(200);
        assert_eq!(before["verified_participants"], false);
        assert_eq!(before["verified_for_days"], 365);
        for days in [0, 731] {
            let bad = json!({ "verified_for_days": days });
            world.patch(path, bad).await.problem(422, "validation_failed");
        }
        let change = json!({ "verified_participants": true, "verified_for_days": 30 });
        let after = world.patch(path, change).await.is(200);
        assert_eq!(
            (&after["verified_participants"], &after["verified_for_days"]),
            (&json!(true), &json!(30))
        );
        let audit = world.get("/api/v1/audit").await.is(200);
        let details = audit["data"][0].to_string();
        assert!(details.contains("verified_participants") && details.contains("verified_for_days"));
        let back = world.patch(path, json!({ "verified_for_days": null })).await.is(200);
        assert_eq!(back["verified_for_days"], 365);
    })
    .await;
}

/// The page has every country that takes no names, with what becomes of one there and where that is written.
#[test]
fn countries_without_names_are_documented() {
    let page = include_str!("../../docs/verification.md");
    let rows: Vec<String> = REFUSING
        .iter()
        .map(|one| format!("| {} | {} | <{}> |", one.country, one.why, one.source))
        .collect();
    let shown: Vec<&str> = page.lines().filter(|line| line.contains("| <https://")).collect();
    assert_eq!(shown, rows);
}

/// A service's name for codes is letters, digits and inner spaces, eleven at most; the audit log says that it was
/// changed, and a request chooses no other.
#[tokio::test]
async fn a_name_for_codes() {
    each(async |world| {
        world.pool("rides", 1).await;
        let path = "/api/v1/services/rides";
        assert_eq!(world.get(path).await.is(200)["sender_id"], "");
        for bad in ["123456", "Rides of Lyon", " Rides", "Rides!", "Vélos", "+33639980001"] {
            let problem = world.patch(path, json!({ "sender_id": bad })).await;
            let problem = problem.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/sender_id", "{bad}");
            assert!(!problem.to_string().contains(bad), "{problem}");
        }
        for bad in [json!(7), json!(["Rides"])] {
            let problem = world.patch(path, json!({ "sender_id": bad })).await;
            problem.problem(422, "validation_failed");
        }
        let after = world.patch(path, json!({ "sender_id": "Rides 24" })).await.is(200);
        assert_eq!(after["sender_id"], "Rides 24");
        let audit = world.get("/api/v1/audit").await.is(200);
        let details = audit["data"][0].to_string();
        assert!(details.contains("sender_id") && !details.contains("Rides 24"), "{details}");
        let other = json!({ "to": BUYER, "channel": "sms", "sender_id": "Bank" });
        world.post("/api/v1/verifications", other).await.problem(422, "validation_failed");
        for none in [json!(""), json!(null)] {
            world.patch(path, json!({ "sender_id": "Rides" })).await.is(200);
            let back = world.patch(path, json!({ "sender_id": none })).await.is(200);
            assert_eq!(back["sender_id"], "");
        }
    })
    .await;
}
