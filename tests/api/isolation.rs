//! I18: what belongs to one account does not exist for another.

use entremise::ids::MoveId;
use serde_json::{Value, json};

use super::{
    audit::held_back,
    world::{BUYER, SELLER, World, between, each, proxy},
};

/// Everything of account A, by the names of path parameters.
struct Things {
    service: String,
    session: String,
    participant: String,
    number: String,
    number_move: String,
    interaction: String,
    endpoint: String,
    event: String,
    /// When the event was made.
    at: String,
    key: String,
    order: String,
    erasure: String,
    verification: String,
    hold: String,
    opt_out: String,
    report: String,
    pause: String,
}

async fn things(world: &World) -> Things {
    let service = world.pool("rides", 2).await;
    let session = world.session(&service).await;
    let path = super::world::at("sessions", &session);
    let participant = &session["participants"][0];
    let text = json!({ "participant_id": participant["id"], "body": "x" });
    let interaction = world.post(&format!("{path}/messages"), text).await.is(201);
    let endpoint = json!({ "url": "https://market.example/hooks" });
    let endpoint = world.post("/api/v1/endpoints", endpoint).await.is(201);
    let test = format!("{}/test", super::world::at("endpoints", &endpoint));
    let event = world.post(&test, json!({})).await.is(201);
    let key = world.get("/api/v1/api-keys").await.is(200)["data"][0]["id"].clone();
    let order = json!({ "kind": "adopt", "service_id": service, "number": proxy(9) });
    let order = world.post("/api/v1/number-orders", order).await.is(202);
    let hold = json!({ "session_id": session["id"], "case_id": "C", "reason": "r" });
    let hold = world.post("/api/v1/legal-holds", hold).await.is(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let number_move = moved(world, &service).await;
    // Of somebody who is in no session.
    let nobody = json!({ "identifier": "+33639980042" });
    let erasure = world.post("/api/v1/persons/erase", nobody).await.is(202);
    let code = json!({ "to": "+33639980077", "channel": "sms", "service_id": service });
    let verification = world.post("/api/v1/verifications", code).await.is(201);
    let opt_out = json!({ "identifier": "+33639980009", "scope": "account" });
    let opt_out = world.post("/api/v1/opt-outs", opt_out).await.is(201);
    let report = format!("{path}/participants/{}/report", participant["id"].as_str().unwrap());
    let report = world.post(&report, json!({ "category": "spam", "block": false })).await.is(201);
    Things {
        erasure: text(&erasure["id"]),
        verification: text(&verification["id"]),
        order: text(&order["data"][0]["id"]),
        opt_out: text(&opt_out["id"]),
        report: text(&report["id"]),
        pause: held_back(world).await.to_string(),
        service,
        session: text(&session["id"]),
        participant: text(&participant["id"]),
        number: text(&participant["proxy_number_id"]),
        number_move,
        interaction: text(&interaction["id"]),
        endpoint: text(&endpoint["id"]),
        event: text(&event["event_id"]),
        at: text(&event["created_at"]),
        key: text(&key),
        hold: text(&hold["id"]),
    }
}

/// A move off a number of its own, once it is done.
async fn moved(world: &World, service: &str) -> String {
    let number = json!({ "number": proxy(40), "service_id": service });
    let number = world.post("/api/v1/numbers", number).await.is(201);
    let new = json!({ "number_id": number["id"], "why": "dead" });
    let row = world.post("/api/v1/number-moves", new).await.is(201);
    let id = MoveId::parse(row["id"].as_str().unwrap()).unwrap();
    world.moved(&id).await;
    id.to_string()
}

impl Things {
    fn fill(&self, path: &str) -> String {
        [
            ("{service}", &self.service),
            ("{session}", &self.session),
            ("{participant}", &self.participant),
            ("{number}", &self.number),
            ("{move}", &self.number_move),
            ("{interaction}", &self.interaction),
            ("{endpoint}", &self.endpoint),
            ("{event}", &self.event),
            ("{key}", &self.key),
            ("{order}", &self.order),
            ("{erasure}", &self.erasure),
            ("{verification}", &self.verification),
            ("{hold}", &self.hold),
            ("{opt_out}", &self.opt_out),
            ("{report}", &self.report),
            ("{pause}", &self.pause),
        ]
        .iter()
        .fold(path.to_owned(), |path, (name, id)| path.replace(name, id))
    }

    /// A body that would be taken, were the things its own.
    fn body(&self, method: &str, path: &str) -> Value {
        let last = path.rsplit('/').next().unwrap_or_default();
        match (method, last) {
            ("POST", "resend") if path.ends_with("{endpoint}/resend") => {
                json!({ "state": "failed", "from": self.at })
            }
            ("POST", "clear") => json!({ "proof": "x" }),
            ("POST", "resolve") => json!({ "decision": "dismissed" }),
            ("POST", "report") => json!({ "category": "spam" }),
            ("POST", "extend") => json!({ "seconds": 60 }),
            ("POST", "participants") => json!({ "role": "buyer", "identifier": "+33639980009" }),
            ("POST", "messages") => json!({ "participant_id": self.participant, "body": "x" }),
            ("POST", "check") => json!({ "code": "123456" }),
            ("PUT", "pin") => json!({ "pin": "auto" }),
            ("POST", "calls") => json!({ "participant_id": self.participant }),
            _ => json!({}),
        }
    }
}

/// Every operation with ids of another account answers 404, and changes nothing.
#[tokio::test]
async fn i18_another_accounts_ids_do_not_exist() {
    each(async |world| {
        let things = things(world).await;
        let snapshot = async || {
            let mut all = Vec::new();
            for noun in [
                "services",
                "numbers",
                "number-moves",
                "number-orders",
                "sessions",
                "interactions",
                "events",
                "endpoints",
                "legal-holds",
                "opt-outs",
                "reports",
            ] {
                let path = format!("/api/v1/{noun}?limit=100");
                all.push(world.get(&path).await.is(200)["data"].clone());
            }
            all
        };
        let before = snapshot().await;
        let mut tried = 0;
        for (method, path) in entremise::http::api::routes() {
            if !path.contains('{') {
                continue;
            }
            let ask = world.ask(&method, &things.fill(&path)).key(&world.b.api_key);
            let ask = if method == "GET" { ask } else { ask.json(&things.body(&method, &path)) };
            let problem = ask.send().await.problem(404, "not_found");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.starts_with("There is no such"), "{path}");
            // Not that there is no message: of the interaction nothing is told.
            if path.ends_with("/voicemail") || path.contains("/recording") {
                assert_eq!(detail, "There is no such interaction.");
            }
            tried += 1;
        }
        assert!(tried > 25);
        assert_eq!(snapshot().await, before);
    })
    .await;
}

/// The same ids work for their own account: the matrix above refuses the account, not the request.
#[tokio::test]
async fn its_own_ids_do() {
    each(async |world| {
        let things = things(world).await;
        for (method, path) in entremise::http::api::routes() {
            // What ends a thing would take it from the requests after it.
            if !path.contains('{') || method == "DELETE" || path.ends_with("/close") {
                continue;
            }
            let ask = world.ask(&method, &things.fill(&path)).a();
            let ask = if method == "GET" { ask } else { ask.json(&things.body(&method, &path)) };
            let answer = ask.send().await;
            // A call of which there is no message: the account's own is told what is missing.
            let none = path.ends_with("/voicemail") && answer.text.contains("such voicemail")
                || path.contains("/recording") && answer.text.contains("such recording");
            let fits = answer.status < 300 || answer.status == 409 || none;
            assert!(fits, "{method} {path}: {answer:?}");
        }
    })
    .await;
}

/// Ids of another account inside bodies, filters and unique names lead nowhere either, and lists
/// have nothing of it.
#[tokio::test]
async fn i18_nor_in_bodies_filters_and_lists() {
    each(async |world| {
        let things = things(world).await;
        let b = &world.b.api_key;
        let mine = world.pool_of(b, "mine", 2, 50).await;
        let post = |path: &str, body: Value| world.ask("POST", path).key(b).json(&body).send();
        for service in [things.service.as_str(), "rides"] {
            let new = between(service, BUYER, SELLER);
            post("/api/v1/sessions", new).await.problem(404, "not_found");
            let number = json!({ "number": proxy(60), "service_id": service });
            post("/api/v1/numbers", number).await.problem(404, "not_found");
        }
        let mut pinned = between(&mine, BUYER, SELLER);
        pinned["participants"][0]["proxy_number_id"] = json!(things.number);
        post("/api/v1/sessions", pinned).await.problem(422, "validation_failed");
        let session = post("/api/v1/sessions", between(&mine, BUYER, SELLER)).await.is(201);
        let path = super::world::at("sessions", &session);
        for (noun, body) in [
            ("messages", json!({ "participant_id": things.participant, "body": "x" })),
            ("calls", json!({ "participant_id": things.participant })),
        ] {
            post(&format!("{path}/{noun}"), body).await.problem(404, "not_found");
        }
        let people = format!("{path}/participants/{}", things.participant);
        world.ask("DELETE", &people).key(b).send().await.problem(404, "not_found");
        for query in [
            format!("sessions?service={}", things.service),
            format!("numbers?service={}", things.service),
            format!("interactions?service={}", things.service),
            format!("interactions?session={}", things.session),
            format!("events?session={}", things.session),
        ] {
            let path = format!("/api/v1/{query}");
            world.ask("GET", &path).key(b).send().await.problem(404, "not_found");
        }
        for noun in [
            "services",
            "numbers",
            "number-moves",
            "number-orders",
            "sessions",
            "interactions",
            "events",
            "endpoints",
            "api-keys",
            "verifications",
        ] {
            let list = world.ask("GET", &format!("/api/v1/{noun}")).key(b).send().await;
            for id in [
                &things.service,
                &things.session,
                &things.number,
                &things.number_move,
                &things.order,
                &things.interaction,
                &things.endpoint,
                &things.event,
            ] {
                assert!(!list.text.contains(id.as_str()), "{noun}");
            }
            list.is(200);
        }
        // One person in two accounts cannot be told to be one.
        let a = world.get(&format!("/api/v1/sessions/{}", things.session)).await.is(200);
        assert_ne!(
            a["participants"][0]["masked"], session["participants"][0]["masked"],
            "{}",
            world.engine
        );
    })
    .await;
}

/// A participant of one session is not found through another session, nor a session through another
/// service.
#[tokio::test]
async fn paths_are_whole() {
    each(async |world| {
        let service = world.pool("rides", 4).await;
        world.pool_of(&world.a.api_key, "homes", 1, 50).await;
        let one = world.session(&service).await;
        let two = between(&service, "+33639980003", "+33639980004");
        let two = world.post("/api/v1/sessions", two).await.is(201);
        let stranger = two["participants"][0]["id"].as_str().unwrap();
        let path = super::world::at("sessions", &one);
        for (method, rest) in [("DELETE", ""), ("PUT", "/block"), ("DELETE", "/block")] {
            let path = format!("{path}/participants/{stranger}{rest}");
            world.ask(method, &path).a().send().await.problem(404, "not_found");
        }
        let id = one["id"].as_str().unwrap();
        let elsewhere = format!("/api/v1/services/homes/sessions/{id}");
        world.get(&elsewhere).await.problem(404, "not_found");
    })
    .await;
}
