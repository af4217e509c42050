//! The audit log by API: each change of settings, keys and access leaves one row with whoever did it.

use std::{collections::BTreeSet, time::Duration};

use entremise::{
    domain::interaction::Kind,
    ids::PauseId,
    store::{
        self,
        pauses::{self, Pause, PauseScope, PauseWhy},
    },
};
use serde_json::{Value, json};

use super::world::{Answer, World, at, each, proxy};

/// Every operation that changes something: what it leaves in the audit log, or why nothing. One that is
/// added must be put here.
const OPERATIONS: &[(&str, Leaves)] = &[
    ("POST /api/v1/api-keys", Leaves::Row("api_key.created")),
    ("DELETE /api/v1/api-keys/{key}", Leaves::Row("api_key.revoked")),
    ("POST /api/v1/legal-holds", Leaves::Row("legal_hold.placed")),
    ("DELETE /api/v1/legal-holds/{hold}", Leaves::Row("legal_hold.lifted")),
    ("POST /api/v1/services", Leaves::Row("service.created")),
    ("PATCH /api/v1/services/{service}", Leaves::Row("service.updated")),
    ("POST /api/v1/numbers", Leaves::Row("number.added")),
    ("PATCH /api/v1/numbers/{number}", Leaves::Row("number.updated")),
    ("DELETE /api/v1/numbers/{number}", Leaves::Row("number.retired")),
    ("POST /api/v1/number-moves", Leaves::Row("number_move.begun")),
    ("POST /api/v1/number-moves/{move}/undo", Leaves::Row("number_move.undone")),
    ("POST /api/v1/numbers/{number}/release", Leaves::Row("number.released")),
    ("POST /api/v1/traffic-pauses/{pause}/lift", Leaves::Row("traffic_pause.lifted")),
    ("POST /api/v1/number-orders", Leaves::Row("number.ordered")),
    ("POST /api/v1/verifications", Leaves::Nothing(CODES)),
    ("POST /api/v1/verifications/{verification}/check", Leaves::Nothing(CODES)),
    ("POST /api/v1/verifications/{verification}/cancel", Leaves::Nothing(CODES)),
    ("POST /api/v1/verified-numbers/forget", Leaves::Row("account.verification_forgotten")),
    ("POST /api/v1/endpoints", Leaves::Row("endpoint.created")),
    ("PATCH /api/v1/endpoints/{endpoint}", Leaves::Row("endpoint.updated")),
    ("DELETE /api/v1/endpoints/{endpoint}", Leaves::Row("endpoint.deleted")),
    ("POST /api/v1/endpoints/{endpoint}/rotate-secret", Leaves::Row("endpoint.keys_rotated")),
    ("POST /api/v1/endpoints/{endpoint}/test", Leaves::Nothing(SENT_AGAIN)),
    ("POST /api/v1/endpoints/{endpoint}/resend", Leaves::Nothing(SENT_AGAIN)),
    ("POST /api/v1/endpoints/{endpoint}/deliveries/{event}/resend", Leaves::Nothing(SENT_AGAIN)),
    ("POST /api/v1/persons/erase", Leaves::Row("person.erased")),
    ("POST /api/v1/persons/export", Leaves::Row("person.exported")),
    ("POST /api/v1/sessions", Leaves::Nothing(EVENTS)),
    ("PATCH {session}", Leaves::Nothing(EVENTS)),
    ("POST {session}/close", Leaves::Nothing(EVENTS)),
    ("POST {session}/reopen", Leaves::Nothing(EVENTS)),
    ("POST {session}/resume", Leaves::Row("session.resumed")),
    ("POST {session}/extend", Leaves::Nothing(EVENTS)),
    ("POST {session}/participants", Leaves::Nothing(EVENTS)),
    ("DELETE {session}/participants/{participant}", Leaves::Nothing(EVENTS)),
    ("PUT {session}/participants/{participant}/block", Leaves::Nothing(EVENTS)),
    ("DELETE {session}/participants/{participant}/block", Leaves::Nothing(EVENTS)),
    ("POST {session}/participants/{participant}/report", Leaves::Row("report.created")),
    ("POST /api/v1/reports/{report}/resolve", Leaves::Row("report.resolved")),
    ("POST /api/v1/opt-outs", Leaves::Row("opt_out.recorded")),
    ("POST /api/v1/opt-outs/{opt_out}/clear", Leaves::Row("opt_out.cleared")),
    ("POST /api/v1/opt-outs/lookup", Leaves::Nothing(READS)),
    ("PUT {session}/participants/{participant}/pin", Leaves::Row("session.pin_set")),
    ("DELETE {session}/participants/{participant}/pin", Leaves::Row("session.pin_removed")),
    ("POST /api/v1/interactions/{interaction}/recording/pause", Leaves::Row("recording.paused")),
    ("POST /api/v1/interactions/{interaction}/recording/resume", Leaves::Row("recording.resumed")),
    ("POST /api/v1/interactions/{interaction}/recording/stop", Leaves::Row("recording.stopped")),
    ("POST {session}/messages", Leaves::Nothing(LOG)),
    ("POST {session}/calls", Leaves::Nothing(LOG)),
];

const EVENTS: &str = "what becomes of one session is its work, and in its events";
const READS: &str = "it reads: the number is in a body since addresses are logged";
const LOG: &str = "what is relayed is in the log of interactions";
const CODES: &str = "a verification is the work of its service, and in its events";
const SENT_AGAIN: &str = "an event is sent, no setting changes; deliveries have a log of their own";

#[derive(Debug, Clone, Copy)]
enum Leaves {
    /// One row of this action.
    Row(&'static str),
    /// None, for this reason.
    Nothing(&'static str),
}

/// Where sessions are found, by either way.
fn short(path: &str) -> String {
    path.replace("/api/v1/services/{service}/sessions/{session}", "{session}")
        .replace("/api/v1/sessions/{session}", "{session}")
}

/// The list above has every operation that is not a read, and no other.
#[test]
fn every_operation_is_judged() {
    let documented: BTreeSet<String> = entremise::http::api::routes()
        .iter()
        .filter(|(method, _)| method != "GET")
        .map(|(method, path)| format!("{method} {}", short(path)))
        .collect();
    let judged: BTreeSet<String> = OPERATIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(judged.len(), OPERATIONS.len(), "one is listed twice");
    assert_eq!(judged, documented);
    for (name, leaves) in OPERATIONS {
        if let Leaves::Nothing(why) = leaves {
            assert!(why.len() > 20, "{name}: why?");
        }
    }
}

/// The whole audit log of A, newest first.
async fn log(world: &World) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/api/v1/audit?limit=100{cursor}")).await.is(200);
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// Things of A, and a key with which each operation is tried.
struct Stage<'w> {
    world: &'w World,
    key: String,
    key_id: String,
    tried: BTreeSet<&'static str>,
}

impl Stage<'_> {
    /// Does an operation of the list, and holds it to what it says.
    async fn does(&mut self, name: &'static str, path: &str, body: Value) -> Value {
        let leaves = OPERATIONS.iter().find(|(one, _)| *one == name).expect(name).1;
        let before = log(self.world).await;
        let answer = self.ask(name, path, &body).await;
        assert!((200..300).contains(&answer.status), "{name}: {answer:?}");
        let after = log(self.world).await;
        let new = &after[..after.len() - before.len()];
        assert_eq!(after[new.len()..], before, "{name} changed what was there");
        match leaves {
            Leaves::Nothing(_) => assert_eq!(new, &[] as &[Value], "{name}"),
            Leaves::Row(action) => {
                assert_eq!(new.len(), 1, "{name}: {new:?}");
                assert_eq!(new[0]["action"], action, "{name}");
                let actor = json!({ "kind": "api_key", "id": self.key_id });
                assert_eq!(new[0]["actor"], actor, "{name}");
                assert_eq!(new[0]["reason"], "ticket 4711", "{name}");
                assert_eq!(new[0]["seq"], before.len() + 1, "{name}");
                assert_eq!(new[0]["previous_hash"], before[0]["hash"], "{name}");
            }
        }
        self.tried.insert(name);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    async fn ask(&self, name: &str, path: &str, body: &Value) -> Answer {
        let method = name.split(' ').next().unwrap();
        let ask = self.world.ask(method, path).key(&self.key);
        let ask = ask.header("audit-reason", "ticket 4711");
        let ask = if body.is_null() { ask } else { ask.json(body) };
        ask.send().await
    }
}

/// Each operation leaves what the list says: one row, with the key that did it, its reason and its place
/// in the chain; or none.
#[tokio::test]
async fn i19_each_operation_leaves_what_it_says() {
    each(async |world| {
        let scopes = json!([
            "sessions:read",
            "sessions:write",
            "numbers:read",
            "numbers:write",
            "webhooks:read",
            "webhooks:write",
            "keys:write",
            "persons:erase",
            "persons:export",
            "verifications:write",
            "legal_holds:write",
            "opt_outs:read",
            "opt_outs:write",
            "reports:read",
            "reports:write",
        ]);
        let key = json!({ "name": "worker", "scopes": scopes });
        let key = world.post("/api/v1/api-keys", key).await.is(201);
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        let (key, key_id) = (text("secret"), text("id"));
        let mut stage = Stage { world, key, key_id, tried: BTreeSet::new() };
        settings(&mut stage).await;
        numbers(&mut stage).await;
        codes(&mut stage).await;
        sessions(&mut stage).await;
        let judged: BTreeSet<&str> = OPERATIONS.iter().map(|(name, _)| *name).collect();
        let left: Vec<_> = judged.difference(&stage.tried).collect();
        assert!(left.is_empty(), "not tried: {left:?}");
        let whole = world.relay.verify_audit(entremise::relay::Heads::default(), |_| ()).await;
        assert_eq!(whole.unwrap().faults, 0);
    })
    .await;
}

async fn settings(stage: &mut Stage<'_>) {
    let new = json!({ "name": "shop", "scopes": ["sessions:read"] });
    let key = stage.does("POST /api/v1/api-keys", "/api/v1/api-keys", new).await;
    let path = at("api-keys", &key);
    stage.does("DELETE /api/v1/api-keys/{key}", &path, Value::Null).await;
    let new = json!({ "unique_name": "rides" });
    let service = stage.does("POST /api/v1/services", "/api/v1/services", new).await;
    let change = json!({
        "brand": "Rides of Lyon", "out_of_session_number": "+33639980077", "unique_name": "trips",
        "out_of_session_url": "https://market.example/ask?secret=hunter2",
    });
    let path = at("services", &service);
    stage.does("PATCH /api/v1/services/{service}", &path, change).await;
    let last = log(stage.world).await.swap_remove(0);
    assert_eq!(last["target"], json!({ "kind": "service", "id": service["id"] }));
    let names = json!(["unique_name", "brand", "out_of_session_number", "out_of_session_url"]);
    assert_eq!(last["details"], json!({ "changed": names, "secret": "made" }));
    let new = json!({ "url": "https://market.example/hooks?secret=hunter2" });
    let endpoint = stage.does("POST /api/v1/endpoints", "/api/v1/endpoints", new).await;
    let path = at("endpoints", &endpoint);
    let change = json!({ "description": "a word", "event_types": ["session.created"] });
    stage.does("PATCH /api/v1/endpoints/{endpoint}", &path, change).await;
    let last = log(stage.world).await.swap_remove(0);
    assert_eq!(last["details"], json!({ "changed": ["description", "event_types"] }));
    let rotate = "POST /api/v1/endpoints/{endpoint}/rotate-secret";
    stage.does(rotate, &format!("{path}/rotate-secret"), json!({})).await;
    let test = "POST /api/v1/endpoints/{endpoint}/test";
    let event = stage.does(test, &format!("{path}/test"), json!({})).await;
    let range = json!({ "state": "failed", "from": event["created_at"] });
    let resend = "POST /api/v1/endpoints/{endpoint}/resend";
    stage.does(resend, &format!("{path}/resend"), range).await;
    let one = "POST /api/v1/endpoints/{endpoint}/deliveries/{event}/resend";
    let delivery = format!("{path}/deliveries/{}/resend", event["event_id"].as_str().unwrap());
    stage.does(one, &delivery, json!({})).await;
    stage.does("DELETE /api/v1/endpoints/{endpoint}", &path, Value::Null).await;
}

async fn codes(stage: &mut Stage<'_>) {
    let path = "/api/v1/verifications";
    let new = |to: &str| json!({ "to": to, "channel": "sms", "service_id": "trips" });
    let create = "POST /api/v1/verifications";
    let one = stage.does(create, path, new("+33639980071")).await;
    let check = "POST /api/v1/verifications/{verification}/check";
    let at_one = at("verifications", &one);
    stage.does(check, &format!("{at_one}/check"), json!({ "code": "0000" })).await;
    let cancel = "POST /api/v1/verifications/{verification}/cancel";
    stage.does(cancel, &format!("{at_one}/cancel"), json!({})).await;
    let forget = "POST /api/v1/verified-numbers/forget";
    let number = json!({ "to": "+33639980071" });
    stage.does(forget, "/api/v1/verified-numbers/forget", number).await;
}

async fn numbers(stage: &mut Stage<'_>) {
    let mut all = Vec::new();
    for n in 0..4 {
        let new = json!({ "number": proxy(n), "service_id": "trips" });
        all.push(stage.does("POST /api/v1/numbers", "/api/v1/numbers", new).await);
    }
    let change = json!({ "reserved": true });
    let path = at("numbers", &all[0]);
    stage.does("PATCH /api/v1/numbers/{number}", &path, change).await;
    let last = log(stage.world).await.swap_remove(0);
    assert_eq!(last["details"], json!({ "changed": ["reserved"] }));
    stage.does("DELETE /api/v1/numbers/{number}", &path, Value::Null).await;
    let new = json!({ "number_id": all[1]["id"], "why": "dead" });
    let begun = stage.does("POST /api/v1/number-moves", "/api/v1/number-moves", new).await;
    let undo = format!("{}/undo", at("number-moves", &begun));
    stage.does("POST /api/v1/number-moves/{move}/undo", &undo, json!({})).await;
    let release = format!("{}/release", at("numbers", &all[1]));
    stage.does("POST /api/v1/numbers/{number}/release", &release, json!({})).await;
    let id = held_back(stage.world).await;
    let lift = "POST /api/v1/traffic-pauses/{pause}/lift";
    stage.does(lift, &format!("/api/v1/traffic-pauses/{id}/lift"), Value::Null).await;
    let new = json!({ "kind": "adopt", "service_id": "trips", "number": proxy(9) });
    stage.does("POST /api/v1/number-orders", "/api/v1/number-orders", new).await;
}

/// The account's texts are held back.
pub(crate) async fn held_back(world: &World) -> PauseId {
    let account = world.account().clone();
    let done = world.relay.db().write(move |tx| {
        let account = account.clone();
        Box::pin(async move {
            let now = tx.now().await?;
            let pause = Pause {
                account,
                id: tx.id_at(now),
                scope: PauseScope::Account,
                kind: Kind::Message,
                subject: String::new(),
                why: PauseWhy::Limit,
                slot: 0,
                since: now,
                until: now + Duration::from_hours(1),
                lifted_at: None,
            };
            assert!(pauses::begin(tx, &pause).await?);
            Ok::<_, store::Error>(pause.id)
        })
    });
    done.await.unwrap()
}

/// A call that is recorded: it is paused, goes on and is ended.
async fn recording(stage: &mut Stage<'_>, session: &Value, call: &Value) {
    use entremise::{
        domain::{recording::RecordingState, time::Timestamp},
        ids::{InteractionId, LegId, SessionId},
        store::recordings::{self, Recording},
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = Recording {
        interaction: InteractionId::parse(&text(&call["id"])).unwrap(),
        session: SessionId::parse(&text(session)).unwrap(),
        leg: LegId::parse(&text(&call["legs"][0]["id"])).unwrap(),
        carrier: "sandbox".into(),
        state: RecordingState::Recording,
        loss: None,
        purpose: "disputes".into(),
        kept: std::time::Duration::from_hours(24),
        carrier_id: None,
        busy_until: Timestamp::EPOCH,
        started_at: None,
        ended_at: None,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    };
    let account = stage.world.account().clone();
    let states = [RecordingState::Recording, RecordingState::Paused, RecordingState::Recording];
    for (what, state) in ["pause", "resume", "stop"].into_iter().zip(states) {
        let (account, one) = (account.clone(), Recording { state, ..one.clone() });
        let written = stage.world.relay.db().write(move |tx| {
            let (account, one) = (account.clone(), one.clone());
            Box::pin(async move {
                recordings::insert(tx, &account, &one).await?;
                recordings::update(tx, &account, &one).await?;
                Ok::<_, entremise::relay::Error>(())
            })
        });
        written.await.unwrap();
        let at = format!("{}/recording/{what}", at("interactions", call));
        let end = format!("/recording/{what}");
        let mut names = OPERATIONS.iter().map(|(name, _)| *name);
        stage.does(names.find(|name| name.ends_with(&end)).unwrap(), &at, json!({})).await;
    }
}

async fn sessions(stage: &mut Stage<'_>) {
    let new = super::world::between("trips", super::world::BUYER, super::world::SELLER);
    let session = stage.does("POST /api/v1/sessions", "/api/v1/sessions", new).await;
    let path = at("sessions", &session);
    let new = json!({ "session_id": session["id"], "case_id": "C 12", "reason": "fraud" });
    let hold = stage.does("POST /api/v1/legal-holds", "/api/v1/legal-holds", new).await;
    let lift = at("legal-holds", &hold);
    stage.does("DELETE /api/v1/legal-holds/{hold}", &lift, Value::Null).await;
    let change = json!({ "metadata": { "step": "two" } });
    stage.does("PATCH {session}", &path, change).await;
    stage.does("POST {session}/extend", &format!("{path}/extend"), json!({ "seconds": 60 })).await;
    let id = &session["participants"][0]["id"];
    let text = json!({ "participant_id": id, "body": "x" });
    stage.does("POST {session}/messages", &format!("{path}/messages"), text).await;
    let call = json!({ "participant_id": id });
    let call = stage.does("POST {session}/calls", &format!("{path}/calls"), call).await;
    recording(stage, &session["id"], &call).await;
    let person = format!("{path}/participants/{}", id.as_str().unwrap());
    let block = format!("{person}/block");
    stage.does("PUT {session}/participants/{participant}/block", &block, Value::Null).await;
    stage.does("DELETE {session}/participants/{participant}/block", &block, Value::Null).await;
    let report = format!("{person}/report");
    let by = "POST {session}/participants/{participant}/report";
    let made = stage.does(by, &report, json!({ "category": "spam", "block": false })).await;
    let resolve = format!("{}/resolve", at("reports", &made));
    let decision = json!({ "decision": "dismissed" });
    stage.does("POST /api/v1/reports/{report}/resolve", &resolve, decision).await;
    let new = json!({ "identifier": "+33639980009", "scope": "account" });
    let one = stage.does("POST /api/v1/opt-outs", "/api/v1/opt-outs", new).await;
    let who = json!({ "identifier": "+33639980009" });
    let look = "POST /api/v1/opt-outs/lookup";
    stage.does(look, "/api/v1/opt-outs/lookup", who).await;
    let clear = format!("{}/clear", at("opt-outs", &one));
    let proof = json!({ "proof": "asked for texts again" });
    stage.does("POST /api/v1/opt-outs/{opt_out}/clear", &clear, proof).await;
    let (pin, auto) = (format!("{person}/pin"), json!({ "pin": "auto" }));
    stage.does("PUT {session}/participants/{participant}/pin", &pin, auto).await;
    stage.does("DELETE {session}/participants/{participant}/pin", &pin, Value::Null).await;
    stage.does("DELETE {session}/participants/{participant}", &person, Value::Null).await;
    let new = json!({ "role": "driver", "identifier": "+33639980009" });
    stage.does("POST {session}/participants", &format!("{path}/participants"), new).await;
    let fenced = stage
        .world
        .relay
        .db()
        .write(|tx| Box::pin(async move { entremise::relay::raise_fence(tx, 0).await }));
    assert_eq!(fenced.await.unwrap().sessions, 1);
    stage.does("POST {session}/resume", &format!("{path}/resume"), Value::Null).await;
    stage.does("POST {session}/close", &format!("{path}/close"), Value::Null).await;
    stage.does("POST {session}/reopen", &format!("{path}/reopen"), json!({})).await;
    for what in ["export", "erase"] {
        let (name, path) =
            (format!("POST /api/v1/persons/{what}"), format!("/api/v1/persons/{what}"));
        stage.does(name.leak(), &path, json!({ "identifier": "+33639980009" })).await;
    }
}

/// No secret, number or address of anybody is in any row, however it is read, nor in the table.
#[tokio::test]
async fn rows_hold_no_secret_and_no_number() {
    each(async |world| {
        let scopes = json!(["numbers:read", "numbers:write", "webhooks:write"]);
        let key = json!({ "name": "hunter2", "scopes": scopes });
        let made = world.post("/api/v1/api-keys", key).await.is(201);
        let service = json!({
            "unique_name": "rides", "brand": "hunter2", "out_of_session_number": "+33639980077",
            "out_of_session_url": "https://market.example/ask?secret=hunter2",
        });
        let service = world.post("/api/v1/services", service).await.is(201);
        let endpoint = json!({ "url": "https://market.example/hooks?secret=hunter2" });
        let endpoint = world.post("/api/v1/endpoints", endpoint).await.is(201);
        let number = json!({ "number": proxy(1), "service_id": "rides" });
        world.post("/api/v1/numbers", number).await.is(201);
        let ask = world.ask("POST", "/api/v1/numbers").a().header("audit-reason", "for Grace");
        let number = json!({ "number": proxy(2), "service_id": "rides" });
        ask.json(&number).send().await.is(201);
        let shown = world.get("/api/v1/audit?limit=100").await;
        let mut tx = world.relay.db().read().await.unwrap();
        let chain = world.account().as_str();
        let rows = entremise::store::audit::page(&mut tx, chain, 0, 100).await.unwrap();
        assert_eq!(rows.len(), 7);
        let stored = format!("{rows:?}");
        let secrets = [&made["secret"], &service["out_of_session_secret"], &endpoint["secret"]];
        let secrets = secrets.map(|secret| secret.as_str().unwrap().to_owned());
        for text in [&shown.text, &stored] {
            for secret in &secrets {
                assert!(!text.contains(secret), "{text}");
            }
            for word in ["hunter2", "639980077", "937000001", "market.example"] {
                assert!(!text.contains(word), "{word}: {text}");
            }
        }
        assert!(shown.text.contains("for Grace") && !stored.contains("Grace"), "{stored}");
    })
    .await;
}

/// A refused change leaves no row, and one that is sent twice with a key one.
#[tokio::test]
async fn what_is_not_done_is_not_there() {
    each(async |world| {
        world.pool("rides", 1).await;
        let before = log(world).await;
        let taken = json!({ "unique_name": "rides" });
        world.post("/api/v1/services", taken).await.problem(409, "unique_name_taken");
        let twice = json!({ "number": proxy(0), "service_id": "rides" });
        world.post("/api/v1/numbers", twice).await.problem(409, "number_taken");
        assert_eq!(log(world).await, before);
        for _ in 0..2 {
            let ask = world.ask("POST", "/api/v1/services").a().header("idempotency-key", "once");
            ask.json(&json!({ "unique_name": "homes" })).send().await.is(201);
        }
        let after = log(world).await;
        assert_eq!(after.len(), before.len() + 1);
        // A key that was withdrawn is withdrawn: again changes nothing.
        let key = world.post("/api/v1/api-keys", json!({ "name": "x", "scopes": ["audit:read"] }));
        let path = at("api-keys", &key.await.is(201));
        for _ in 0..2 {
            world.delete(&path).await.is(204);
        }
        assert_eq!(log(world).await.len(), after.len() + 2);
    })
    .await;
}

/// The log is its account's own, takes a scope of its own, is found by what it tells, and a page at a time.
#[tokio::test]
async fn it_is_read_with_filters() {
    each(async |world| {
        let service = world.pool("rides", 3).await;
        let reader = world.scoped(&["audit:read"]).await;
        let read = |query: &str| {
            let ask = world.ask("GET", &format!("/api/v1/audit{query}")).key(&reader);
            async { ask.send().await.is(200)["data"].as_array().unwrap().clone() }
        };
        let all = read("").await;
        let actions: Vec<&str> = all.iter().map(|one| one["action"].as_str().unwrap()).collect();
        let expected = [
            "api_key.created",
            "number.added",
            "number.added",
            "number.added",
            "service.created",
            "api_key.created",
            "account.created",
        ];
        assert_eq!(actions, expected);
        assert_eq!(all[6]["actor"], json!({ "kind": "relay", "id": null }));
        let actor = all[0]["actor"]["id"].as_str().unwrap().to_owned();
        let time = all[3]["created_at"].as_str().unwrap().to_owned();
        for (query, count) in [
            ("?action=number.added".to_owned(), 3),
            (format!("?target={service}"), 1),
            (format!("?actor={actor}"), 5),
            ("?actor_kind=relay".to_owned(), 2),
            ("?actor_kind=staff".to_owned(), 0),
            ("?created_before=2001-01-01T00:00:00Z".to_owned(), 0),
            ("?created_from=2001-01-01T00:00:00Z".to_owned(), 7),
        ] {
            assert_eq!(read(&query).await.len(), count, "{query}");
        }
        assert!(read(&format!("?created_from={time}")).await.len() >= 4);
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/audit?limit=2{cursor}");
            let page = world.ask("GET", &path).key(&reader).send().await.is(200);
            walked.extend(page["data"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, all);
        for odd in ["action=x", "actor=", "actor=%00", "target=a%20b", "created_from=x", "seq=1"] {
            let refused = world.get(&format!("/api/v1/audit?{odd}")).await;
            refused.problem(400, "malformed_parameter");
        }
        let b = world.ask("GET", "/api/v1/audit").key(&world.b.api_key).send().await.is(200);
        assert_eq!(b["data"].as_array().unwrap().len(), 2, "its own: made, with its key");
        let other = world.scoped(&["keys:write"]).await;
        let refused = world.ask("GET", "/api/v1/audit").key(&other).send().await;
        refused.problem(403, "forbidden_scope");
    })
    .await;
}

/// A reason that is none, or holds a number, is refused before anything is done, and not repeated.
#[tokio::test]
async fn odd_reasons_are_refused() {
    each(async |world| {
        let before = log(world).await;
        let long = "x".repeat(201);
        for odd in ["", " ", "call +14155550123", "\t", &long] {
            let ask = world.ask("POST", "/api/v1/services").a().header("audit-reason", odd);
            let answer = ask.json(&json!({ "unique_name": "rides" })).send().await;
            assert!(!answer.text.contains("4155550123"));
            let problem = answer.problem(400, "malformed_parameter");
            assert_eq!(problem["errors"][0]["parameter"], "audit-reason");
        }
        assert_eq!(log(world).await, before);
        let ask = world.ask("POST", "/api/v1/services").a().header("audit-reason", "demande n° 12");
        ask.json(&json!({ "unique_name": "rides" })).send().await.is(201);
        assert_eq!(log(world).await[0]["reason"], "demande n° 12");
    })
    .await;
}
