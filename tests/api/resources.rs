//! The happy path of each resource.

use serde_json::{Value, json};

use super::world::{BUYER, SELLER, World, at, between, each, proxy};

/// The account is the key's.
#[tokio::test]
async fn the_account_is_the_keys() {
    each(async |world| {
        let account = world.get("/api/v1/account").await.is(200);
        assert_eq!(account["id"], world.account().as_str());
        assert_eq!(account["name"], "A");
    })
    .await;
}

/// A service is made with defaults, read by id and by name, changed by a merge patch, and warns of a
/// short quarantine.
#[tokio::test]
async fn services() {
    each(async |world| {
        let made = world.post("/api/v1/services", json!({ "unique_name": "rides" })).await;
        let location = made.header("location").unwrap().to_owned();
        let service = made.is(201);
        assert_eq!(location, format!("https://relay.example{}", at("services", &service)));
        assert_eq!(service["brand"], "A");
        assert_eq!(service["quarantine_seconds"], 604_800);
        assert!(service.get("warnings").is_none());
        assert_eq!(world.get("/api/v1/services/rides").await.is(200), service);
        assert_eq!(world.get(&at("services", &service)).await.is(200), service);
        let change = json!({ "quarantine_seconds": 60, "brand": "Rides", "press_one": true });
        let changed = world.patch("/api/v1/services/rides", change).await.is(200);
        assert_eq!(changed["version"], 2);
        assert_eq!(changed["brand"], "Rides");
        assert_eq!(changed["press_one"], true);
        assert_eq!(changed["warnings"].as_array().unwrap().len(), 1);
        let change = json!({ "quarantine_seconds": null, "unique_name": "trips" });
        let changed = world.patch("/api/v1/services/rides", change).await.is(200);
        assert_eq!(changed["quarantine_seconds"], 604_800);
        assert_eq!(changed["brand"], "Rides");
        world.get("/api/v1/services/rides").await.problem(404, "not_found");
        let list = world.get("/api/v1/services").await.is(200);
        assert_eq!(list["data"], json!([changed]));
        assert_eq!(list["has_more"], false);
    })
    .await;
}

/// The own number of somebody in an open session joins no pool: calls to it would go round.
#[tokio::test]
async fn nobodys_own_number_joins_a_pool() {
    each(async |world| {
        world.pool("rides", 2).await;
        let own = proxy(900);
        let session = world.post("/api/v1/sessions", between("rides", BUYER, &own)).await.is(201);
        let theirs = json!({ "number": own, "service_id": "rides" });
        let refused = world.post("/api/v1/numbers", theirs.clone()).await;
        let problem = refused.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/number");
        assert_eq!(problem["errors"][0]["code"], "participant");
        let close = format!("{}/close", at("sessions", &session));
        world.post(&close, json!({})).await.is(200);
        world.post("/api/v1/numbers", theirs).await.is(201);
    })
    .await;
}

/// A number joins a pool, is set aside, drained and retired; then it may be added again.
#[tokio::test]
async fn numbers() {
    each(async |world| {
        world.pool("rides", 0).await;
        let new = json!({
            "number": proxy(1), "service_id": "rides", "carrier": "sandbox",
            "capabilities": ["sms", "voice"], "reserved": true,
        });
        let number = world.post("/api/v1/numbers", new.clone()).await.is(201);
        assert_eq!(number["number"], proxy(1));
        assert_eq!(number["capabilities"], json!(["voice", "sms"]));
        assert_eq!(number["country"], "FR");
        assert_eq!(number["state"], "active");
        let path = at("numbers", &number);
        assert_eq!(world.get(&path).await.is(200), number);
        let change = json!({ "reserved": false, "state": "draining" });
        let changed = world.patch(&path, change).await.is(200);
        assert_eq!((&changed["reserved"], &changed["state"]), (&json!(false), &json!("draining")));
        assert_eq!(world.delete(&path).await.is(204), Value::Null);
        assert_eq!(world.get(&path).await.is(200)["state"], "retired");
        // It comes back under its id, since its quarantines do.
        let back = world.post("/api/v1/numbers", new).await.is(201);
        assert_eq!((&back["id"], &back["state"]), (&number["id"], &json!("active")));
        let plain = json!({ "number": proxy(2), "service_id": "rides" });
        let plain = world.post("/api/v1/numbers", plain).await.is(201);
        assert_eq!(plain["capabilities"], json!(["voice", "sms", "mms"]));
        assert_eq!(plain["carrier"], "sandbox");
        world.pool_of(&world.a.api_key, "other", 1, 50).await;
        let list = world.get("/api/v1/numbers?service=rides").await.is(200);
        assert_eq!(list["data"].as_array().unwrap().len(), 2);
        let list = world.get("/api/v1/numbers").await.is(200);
        assert_eq!(list["data"].as_array().unwrap().len(), 3);
    })
    .await;
}

/// A session masks both people, is found by id and by name, and is changed, lengthened, closed and
/// reopened.
#[tokio::test]
async fn sessions() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let mut new = between("rides", BUYER, SELLER);
        new["unique_name"] = json!("order-8812");
        new["ttl_seconds"] = json!(3600);
        new["metadata"] = json!({ "order": "8812", "step": "paid" });
        let made = world.post("/api/v1/sessions", new).await;
        assert_eq!(made.header("etag"), Some("\"1\""));
        assert!(!made.text.contains(&BUYER[1..]) && !made.text.contains(&SELLER[1..]));
        let session = made.is(201);
        assert_eq!(session["service_id"], service);
        assert_eq!(session["state"], "open");
        assert_eq!(session["mode"], "voice-and-message");
        assert_eq!(session["ttl_seconds"], 3600);
        assert_eq!(session["ends_at"], Value::Null);
        let created = session["created_at"].as_str().unwrap();
        assert_eq!((created.len(), &created[19..20], &created[23..]), (24, ".", "Z"));
        let buyer = &session["participants"][0];
        assert_eq!((&buyer["role"], &buyer["name"]), (&json!("buyer"), &json!("Ada")));
        assert!(buyer["masked"].as_str().unwrap().starts_with("+33••••"));
        assert_eq!(buyer["calling_code"], 33);
        assert!(buyer["proxy_number"].as_str().unwrap().starts_with("+33937"));

        let path = at("sessions", &session);
        assert_eq!(world.get(&path).await.is(200), session);
        for name in ["rides/sessions/order-8812".to_owned(), format!("{service}/{}", &path[8..])] {
            assert_eq!(world.get(&format!("/api/v1/services/{name}")).await.is(200), session);
        }
        let by_name = "/api/v1/services/rides/sessions/order-8812";
        let change = json!({ "metadata": { "step": null, "note": "x" }, "ttl_seconds": 7200 });
        let changed = world.patch(by_name, change).await.is(200);
        assert_eq!(changed["metadata"], json!({ "order": "8812", "note": "x" }));
        assert_eq!((&changed["ttl_seconds"], &changed["version"]), (&json!(7200), &json!(2)));
        let later = world.post(&format!("{path}/extend"), json!({ "seconds": 60 })).await.is(200);
        assert_eq!(later["ends_at"], later["expires_at"]);
        let freed = world.patch(&path, json!({ "ends_at": null, "ttl_seconds": 0 })).await.is(200);
        assert_eq!(freed["expires_at"], Value::Null);
        let closed = world.ask("POST", &format!("{path}/close")).a().send().await.is(200);
        assert_eq!((&closed["state"], &closed["closed_reason"]), (&json!("closed"), &json!("api")));
        assert_ne!(closed["closed_at"], Value::Null);
        let again = world.post(&format!("{path}/close"), json!({})).await.is(200);
        assert_eq!(again, closed);
        let open = world.post(&format!("{by_name}/reopen"), json!({})).await.is(200);
        assert_eq!(open["state"], "in-progress");
        assert_eq!(open["participants"], session["participants"]);
    })
    .await;
}

/// Lists narrow by state, service, role, carrier and time, and each filter says no as well as yes.
#[tokio::test]
async fn sessions_are_filtered() {
    each(async |world| {
        let service = world.pool("rides", 4).await;
        world.pool_of(&world.a.api_key, "homes", 2, 50).await;
        let first = world.session(&service).await;
        let homes = between("homes", "+33639980003", "+33639980004");
        let second = world.post("/api/v1/sessions", homes).await.is(201);
        world.post(&format!("{}/close", at("sessions", &second)), json!({})).await.is(200);
        let count = async |query: &str| {
            let list = world.get(&format!("/api/v1/sessions?{query}")).await.is(200);
            list["data"].as_array().unwrap().len()
        };
        assert_eq!(count("").await, 2);
        assert_eq!(count("state=closed").await, 1);
        assert_eq!(count("service=rides").await, 1);
        assert_eq!(count(&format!("service={service}&state=closed")).await, 0);
        assert_eq!(count("role=buyer").await, 2);
        assert_eq!(count("role=driver").await, 0);
        assert_eq!(count("carrier=sandbox").await, 2);
        assert_eq!(count("carrier=other").await, 0);
        let at = first["created_at"].as_str().unwrap();
        assert_eq!(count(&format!("created_before={at}")).await, 0);
        assert_eq!(count(&format!("created_from={at}")).await, 2);
    })
    .await;
}

/// A dry run explains each choice and leaves nothing behind.
#[tokio::test]
async fn a_dry_run_changes_nothing() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let path = "/api/v1/sessions?dry_run=true";
        let new = between(&service, BUYER, SELLER);
        let asked = || world.ask("POST", path).a().header("idempotency-key", "dry").json(&new);
        let tried = asked().send().await.is(200);
        assert_eq!(tried["dry_run"], true);
        let choice = &tried["participants"][0];
        assert_eq!((&choice["role"], &choice["chosen_by"]), (&json!("buyer"), &json!("ring")));
        assert!(choice["proxy_number"].as_str().unwrap().starts_with("+33937"));
        assert_eq!(choice["steps"][0], json!({ "rule": "service", "left": 2 }));
        assert_eq!(asked().send().await.is(200), tried);
        let none = world.get("/api/v1/sessions").await.is(200);
        assert_eq!(none["data"], json!([]));
        let made = world.post("/api/v1/sessions", new).await.is(201);
        let choice = &tried["participants"][1]["proxy_number_id"];
        assert_eq!(made["participants"][1]["proxy_number_id"], *choice);
    })
    .await;
}

/// People come one by one, with a number of their own if it is named, and leave.
#[tokio::test]
async fn participants() {
    each(async |world| {
        let service = world.pool("rides", 1).await;
        let reserved = json!({ "number": proxy(9), "service_id": service, "reserved": true });
        let reserved = world.post("/api/v1/numbers", reserved).await.is(201);
        let empty = world.post("/api/v1/sessions", json!({ "service_id": service })).await.is(201);
        assert_eq!(empty["participants"], json!([]));
        let path = format!("{}/participants", at("sessions", &empty));
        let buyer = json!({ "role": "buyer", "identifier": BUYER });
        let one = world.post(&path, buyer).await.is(201);
        assert_eq!(one["version"], 2);
        let seller = json!({
            "role": "seller", "identifier": SELLER, "proxy_number_id": reserved["id"],
        });
        let two = world.post(&path, seller).await.is(201);
        assert_eq!(two["participants"][1]["proxy_number"], proxy(9));
        let who = two["participants"][1]["id"].as_str().unwrap();
        let left = world.delete(&format!("{path}/{who}")).await.is(200);
        assert_ne!(left["participants"][1]["removed_at"], Value::Null);
        world.delete(&format!("{path}/{who}")).await.problem(404, "not_found");
    })
    .await;
}

/// A block is set and lifted, again and again.
#[tokio::test]
async fn blocks() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let session = world.session(&service).await;
        let buyer = session["participants"][0]["id"].as_str().unwrap();
        let seller = session["participants"][1]["id"].as_str().unwrap();
        let path = at("sessions", &session);
        let block = format!("{path}/participants/{buyer}/block");
        for _ in 0..2 {
            world.ask("PUT", &block).a().send().await.is(204);
        }
        let call = json!({ "participant_id": seller });
        let refused = world.post(&format!("{path}/calls"), call.clone()).await;
        refused.problem(409, "no_partner");
        for _ in 0..2 {
            world.delete(&block).await.is(204);
        }
        world.post(&format!("{path}/calls"), call).await.is(201);
    })
    .await;
}

/// A text and a call that we ask for are interactions with legs, and events tell of them; words and
/// numbers are in none of it.
#[tokio::test]
async fn texts_calls_interactions_and_events() {
    each(async |world| {
        let service = world.pool("rides", 2).await;
        let session = world.session(&service).await;
        let path = at("sessions", &session);
        let buyer = &session["participants"][0];
        let text = json!({ "participant_id": buyer["id"], "body": "a-canary-of-words" });
        let sent = world.post(&format!("{path}/messages"), text).await;
        assert!(sent.header("location").unwrap().contains("/api/v1/interactions/KI"));
        let sent = sent.is(201);
        assert_eq!((&sent["kind"], &sent["origin"]), (&json!("message"), &json!("api")));
        assert_eq!(sent["proxy_number"], buyer["proxy_number"]);
        assert_eq!(sent["legs"][0]["state"], "queued");
        let call = json!({ "participant_id": buyer["id"] });
        let call = world.post(&format!("{path}/calls"), call).await.is(201);
        assert_eq!((&call["kind"], &call["from_role"]), (&json!("call"), &json!("buyer")));
        let read = world.get(&at("interactions", &call)).await;
        assert!(read.header("etag").is_some());
        assert_eq!(read.is(200), call);

        let id = session["id"].as_str().unwrap();
        let count = async |query: &str| {
            let list = world.get(&format!("/api/v1/interactions?{query}")).await.is(200);
            list["data"].as_array().unwrap().len()
        };
        assert_eq!(count("").await, 2);
        assert_eq!(count(&format!("session={id}&kind=call")).await, 1);
        assert_eq!(count("service=rides&carrier=sandbox").await, 2);
        assert_eq!(count("role=buyer").await, 1);
        assert_eq!(count("outcome=failed").await, 0);
        assert_eq!(count("created_before=2020-01-01T00:00:00Z").await, 0);

        let events = world.get(&format!("/api/v1/events?session={id}&limit=100")).await;
        for secret in ["a-canary-of-words", &BUYER[1..], &SELLER[1..]] {
            assert!(!events.text.contains(secret));
        }
        let events = events.is(200);
        let types: Vec<&str> = events["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        assert!(types.contains(&"session.created") && types.contains(&"message.created"));
        let created = world.get("/api/v1/events?type=session.created").await.is(200);
        let event = &created["data"][0];
        assert_eq!((&event["sequence"], &event["session_id"]), (&json!(1), &session["id"]));
        assert_eq!(world.get(&at("events", event)).await.is(200), *event);
    })
    .await;
}

/// An endpoint is made with a secret that is shown once, is changed, found by its filters, and
/// deleted; its deliveries are listed by state and type.
#[tokio::test]
async fn endpoints_and_deliveries() {
    each(async |world| {
        let service = world.pool("rides", 0).await;
        let url = "https://market.example/hooks?token=x";
        let types = ["session.created", "message.delivered", "session.created"];
        let new = json!({ "url": url, "service_id": "rides", "event_types": types });
        let made = world.post("/api/v1/endpoints", new).await;
        assert_eq!(made.header("etag"), Some("\"1\""));
        let made = made.is(201);
        let path = at("endpoints", &made);
        assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
        assert!(made["keys"][0]["public_key"].as_str().unwrap().starts_with("whpk_"));
        assert_eq!(made["event_types"], json!(["session.created", "message.delivered"]));
        assert_eq!((&made["service_id"], &made["enabled"]), (&json!(service), &json!(true)));
        let read = world.get(&path).await.is(200);
        assert_eq!((&read["url"], read.get("secret")), (&json!(url), None));
        assert_eq!(world.get("/api/v1/endpoints").await.is(200)["data"], json!([read]));

        let session =
            world.post("/api/v1/sessions", json!({ "service_id": service })).await.is(201);
        world.patch(&at("sessions", &session), json!({ "ttl_seconds": 5 })).await.is(200);
        world.post(&format!("{path}/test"), json!({})).await.is(201);
        let count = async |query: &str| {
            let list = world.get(&format!("{path}/deliveries?{query}")).await.is(200);
            list["data"].as_array().unwrap().len()
        };
        assert_eq!(count("").await, 2);
        assert_eq!(count("type=session.created").await, 1);
        assert_eq!(count("state=ready&type=endpoint.ping").await, 1);
        assert_eq!(count("state=failed").await, 0);
        let pages = world.get(&format!("{path}/deliveries?limit=1")).await.is(200);
        let next = format!("limit=1&cursor={}", pages["next_cursor"].as_str().unwrap());
        assert_eq!(count(&next).await, 1);

        let patch = |tag: &str, body: Value| {
            world.ask("PATCH", &path).a().header("if-match", tag).json(&body).send()
        };
        let change = json!({ "service_id": null, "event_types": null, "description": "x" });
        let changed = patch("\"1\"", change).await.is(200);
        assert_eq!((&changed["service_id"], &changed["event_types"]), (&Value::Null, &json!([])));
        patch("\"1\"", json!({ "enabled": false })).await.problem(412, "version_mismatch");
        let off = patch("\"2\"", json!({ "enabled": false })).await.is(200);
        assert_eq!((&off["enabled"], &off["disabled_reason"]), (&json!(false), &json!("api")));
        world.post(&format!("{path}/test"), json!({})).await.problem(409, "endpoint_disabled");
        patch("\"3\"", json!({ "enabled": true })).await.is(200);
        for wrong in [
            json!({ "url": null }),
            json!({ "event_types": ["nonsense"] }),
            json!({ "description": "x".repeat(201) }),
        ] {
            world.patch(&path, wrong).await.problem(422, "validation_failed");
        }
        let week = json!({ "overlap_seconds": 604_801 });
        let refused = world.post(&format!("{path}/rotate-secret"), week).await;
        refused.problem(422, "validation_failed");
        let old = json!({ "state": "failed", "from": "2020-01-01T00:00:00Z" });
        let old = world.post(&format!("{path}/resend"), old).await;
        assert_eq!(old.problem(422, "validation_failed")["errors"][0]["code"], "too_old");
        world.delete(&path).await.is(204);
        world.get(&path).await.problem(404, "not_found");
        world.get(&format!("{path}/deliveries")).await.problem(404, "not_found");
    })
    .await;
}

/// Whoever reads `after` the last event gets the others oldest first, page by page, and none that is
/// younger than two seconds; a cursor and `after` say the same.
#[tokio::test]
async fn events_in_turn() {
    each(async |world| {
        let service = world.pool("rides", 0).await;
        let mut made = Vec::new();
        for _ in 0..5 {
            let new = json!({ "service_id": service });
            made.push(world.post("/api/v1/sessions", new).await.is(201)["id"].clone());
        }
        let start = format!("EV{:032}", 0);
        let read =
            async |query: String| world.get(&format!("/api/v1/events?{query}")).await.is(200);
        world.clock.advance(2_100);
        let last = world.post("/api/v1/sessions", json!({ "service_id": service })).await.is(201);
        let mut after = start.clone();
        let mut met = Vec::new();
        loop {
            let page = read(format!("after={after}&limit=2")).await;
            let data = page["data"].as_array().unwrap();
            met.extend(data.iter().map(|event| event["session_id"].clone()));
            let Some(end) = data.last() else { break };
            end["id"].as_str().unwrap().clone_into(&mut after);
        }
        assert_eq!(met, made);
        let first = read(format!("after={start}&limit=3")).await;
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = read(format!("after={start}&limit=3&cursor={cursor}")).await;
        assert_eq!(rest["data"][0]["session_id"], made[3]);
        assert_eq!(rest["has_more"], false);
        world.clock.advance(2_100);
        assert_eq!(read(format!("after={after}")).await["data"][0]["session_id"], last["id"]);
        world.get("/api/v1/events?after=x").await.problem(400, "malformed_parameter");
    })
    .await;
}

/// A key is made with a secret that works at once, is listed without it, and opens nothing once it
/// is withdrawn or its time is up.
#[tokio::test]
async fn api_keys() {
    each(async |world| {
        let ends = "2999-01-01T00:00:00Z";
        let new = json!({
            "name": "checkout", "scopes": ["sessions:write", "sessions:read"], "expires_at": ends,
        });
        let made = world.post("/api/v1/api-keys", new).await.is(201);
        let secret = made["secret"].as_str().unwrap();
        assert!(secret.starts_with("emk_") && secret.ends_with(made["hint"].as_str().unwrap()));
        assert_eq!(made["scopes"], json!(["sessions:read", "sessions:write"]));
        assert_eq!(made["expires_at"], "2999-01-01T00:00:00.000Z");
        world.ask("GET", "/api/v1/sessions").key(secret).send().await.is(200);
        let list = world.get("/api/v1/api-keys").await;
        assert!(!list.text.contains(secret));
        let list = list.is(200);
        assert_eq!(list["data"].as_array().unwrap().len(), 2);
        assert_ne!(list["data"][1]["last_used_at"], Value::Null);
        for _ in 0..2 {
            world.delete(&at("api-keys", &made)).await.is(204);
        }
        let refused = world.ask("GET", "/api/v1/account").key(secret).send().await;
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        refused.problem(401, "unauthorized");
        expiry(world).await;
    })
    .await;
}

async fn expiry(world: &World) {
    let soon = world.relay.db().read().await.unwrap().now().await.unwrap();
    let soon = jiff::Timestamp::from_millisecond(soon.millis() + 60_000).unwrap().to_string();
    let new = json!({ "name": "short", "scopes": ["sessions:read"], "expires_at": soon });
    let made = world.post("/api/v1/api-keys", new).await.is(201);
    let secret = made["secret"].as_str().unwrap();
    world.ask("GET", "/api/v1/account").key(secret).send().await.is(200);
    world.clock.advance(120_000);
    world.ask("GET", "/api/v1/account").key(secret).send().await.problem(401, "unauthorized");
}

/// The app serves the API beside everything else, under its own limits.
#[tokio::test]
async fn the_app_serves_it() {
    use super::support::{self, World, request};

    for database in support::databases().await {
        let mut config = support::settings(&database);
        config.api.rate_per_minute = 7;
        let world = World::with(config).await;
        let get = async |path: &str| {
            let request_ = http::Request::get(path)
                .header("host", world.running.address.to_string())
                .header("authorization", format!("Bearer {}", world.account.api_key));
            let request_ = request_.body(http_body_util::Full::default()).unwrap();
            request(world.running.address, request_).await
        };
        let answered = get("/api/v1/account").await;
        assert_eq!(answered.status, 200);
        assert_eq!(answered.headers["ratelimit-policy"], "\"key\";q=7;w=60");
        let account: Value = serde_json::from_slice(&answered.body).unwrap();
        assert_eq!(account["id"], world.account.account.as_str());
        assert_eq!(get("/docs").await.status, 200);
        assert_eq!(get("/api/openapi.json").await.status, 200);
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// A service's own line goes in and comes out masked; `null` takes it away again.
#[tokio::test]
async fn a_services_own_line() {
    each(async |world| {
        let line = "+33639980077";
        let new = json!({
            "unique_name": "rides", "out_of_session": "forward", "out_of_session_number": line,
            "out_of_session_text": "Open Rides.",
        });
        let service = world.post("/api/v1/services", new).await.is(201);
        let masked = service["out_of_session_number_masked"].as_str().unwrap().to_owned();
        assert!(masked.starts_with("+33••••") && masked.chars().count() == 11, "{masked}");
        assert_eq!(service["out_of_session_text"], "Open Rides.");
        for path in ["/api/v1/services/rides", "/api/v1/services"] {
            let read = world.get(path).await;
            assert!(!read.text.contains("63998"), "{}", read.text);
            assert!(read.text.contains(&masked));
        }
        // What is absent stays.
        let changed = world.patch("/api/v1/services/rides", json!({ "brand": "R" })).await.is(200);
        assert_eq!(changed["out_of_session_number_masked"], masked.as_str());
        let change = json!({ "out_of_session_number": null });
        let problem = world.patch("/api/v1/services/rides", change).await;
        let problem = problem.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/out_of_session_number");
        let change = json!({ "out_of_session_number": null, "out_of_session": "reject" });
        let changed = world.patch("/api/v1/services/rides", change).await.is(200);
        assert_eq!(changed["out_of_session_number_masked"], json!(null));
        assert_eq!(changed["out_of_session"], "reject");
    })
    .await;
}

/// Where a service asks what strangers get: its first address makes a secret that is shown once,
/// and taking the address away forgets it.
#[tokio::test]
async fn where_a_service_asks() {
    each(async |world| {
        let url = "https://market.example/strangers?key=1";
        let new = json!({
            "unique_name": "rides", "out_of_session": "callback", "out_of_session_url": url,
        });
        let made = world.post("/api/v1/services", new).await.is(201);
        let secret = made["out_of_session_secret"].as_str().unwrap();
        assert!(secret.starts_with("whsec_") && secret.len() > 40);
        let read = world.get("/api/v1/services/rides").await.is(200);
        assert_eq!(read["out_of_session_url"], url);
        assert!(read.get("out_of_session_secret").is_none());
        let path = "/api/v1/services/rides";
        let moved = json!({ "out_of_session_url": "https://market.example/other" });
        let changed = world.patch(path, moved).await.is(200);
        assert!(changed.get("out_of_session_secret").is_none(), "the secret stays");
        let lacking = world.patch(path, json!({ "out_of_session_url": null })).await;
        lacking.problem(422, "validation_failed");
        let off = json!({ "out_of_session_url": "", "out_of_session": null });
        world.patch(path, off).await.is(200);
        let again = world.patch(path, json!({ "out_of_session_url": url })).await.is(200);
        assert_ne!(again["out_of_session_secret"], made["out_of_session_secret"]);
        for bad in ["http://market.example/", "https://10.0.0.1/", "https://localhost/", "x"] {
            let problem = world.patch(path, json!({ "out_of_session_url": bad })).await;
            let problem = problem.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/out_of_session_url");
        }
    })
    .await;
}
