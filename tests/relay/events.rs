//! Events reach the marketplace's endpoints: signed, in order, again and again while they fail.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::{
    domain::{message::Body, policy::Rules},
    ids::{EndpointId, EventId, Id as _},
};
use serde_json::{Value, json};

use crate::{
    market::Market,
    receiver::{Act, Got, Receiver, ask, done, settings},
    support::{self, World},
};

pub(crate) const DAY_MS: i64 = 24 * 3600 * 1000;

/// Makes an endpoint at a receiver, with other settings.
pub(crate) async fn endpoint(world: &World, receiver: &Receiver, more: Value) -> Value {
    let mut new = json!({ "url": receiver.url() });
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    done(world, "POST", "/endpoints", Some(new)).await
}

pub(crate) fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap().to_owned()
}

/// A service, and a session without people: each makes events and needs no number.
pub(crate) async fn session(world: &World, service: &str) -> String {
    let (status, _) = ask(world, "GET", &format!("/services/{service}"), None).await;
    if status == 404 {
        done(world, "POST", "/services", Some(json!({ "unique_name": service }))).await;
    }
    id(&done(world, "POST", "/sessions", Some(json!({ "service_id": service }))).await)
}

pub(crate) async fn touch(world: &World, session: &str, seconds: u32) {
    let change = json!({ "ttl_seconds": seconds });
    done(world, "PATCH", &format!("/sessions/{session}"), Some(change)).await;
}

/// Whether one of the signatures in a request fits a secret, by the standard's own library.
pub(crate) fn signed(got: &Got, secret: &str) -> bool {
    let verifier = standardwebhooks::Webhook::new(secret).unwrap();
    let at: i64 = got.header("webhook-timestamp").parse().unwrap();
    let id = got.header("webhook-id");
    let expected = verifier.sign(id, at, got.body.as_bytes()).unwrap();
    got.header("webhook-signature").split(' ').any(|one| one == expected)
}

fn signed_with_pair(got: &Got, public: &str) -> bool {
    let key = STANDARD.decode(public.strip_prefix("whpk_").unwrap()).unwrap();
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
    let (id, at) = (got.header("webhook-id"), got.header("webhook-timestamp"));
    let content = format!("{id}.{at}.{}", got.body);
    got.header("webhook-signature")
        .split(' ')
        .filter_map(|one| STANDARD.decode(one.strip_prefix("v1a,")?).ok())
        .any(|signature| key.verify(content.as_bytes(), &signature).is_ok())
}

/// A conversation comes to the endpoint as thin signed events, each once, in the order of its
/// session, and nothing of it is a number or a word.
#[tokio::test]
async fn a_conversation_is_told() {
    const WORDS: &str = "canary: at the fountain";
    for database in support::databases().await {
        let receiver = Receiver::start().await;
        let world = World::with(settings(&database, &[&receiver], 10_000)).await;
        let made = endpoint(&world, &receiver, json!({})).await;
        let secret = made["secret"].as_str().unwrap();
        let market = Market::open(&world, 2, 2, Rules::new("Bikes".into())).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let [buyer, seller] = [market.people[0].phone, market.people[1].phone];
        market.network.text(buyer, &session.dials[0], Body::new(WORDS.into())).unwrap();
        market.network.until(seller, |view| view.received().count() == 1).await;
        market.close(&session.id).await.unwrap();
        world.running.idle().await;

        let all = receiver.got();
        let types = receiver.types();
        for kind in ["number.added", "session.created", "message.received", "session.closed"] {
            assert_eq!(
                types.iter().filter(|one| *one == kind).count() % 2,
                usize::from(kind != "number.added"),
                "{kind}"
            );
        }
        let mut ids: Vec<&str> = all.iter().map(|got| got.header("webhook-id")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all.len(), "each event once");
        let of_session: Vec<i64> = all
            .iter()
            .map(Got::json)
            .filter(|body| body["data"]["session_id"] == session.id.as_str())
            .map(|body| body["data"]["sequence"].as_i64().unwrap())
            .collect();
        assert!(of_session.len() > 5);
        assert!(of_session.iter().copied().eq(1..=i64::try_from(of_session.len()).unwrap()));
        for got in &all {
            standardwebhooks::Webhook::new(secret)
                .unwrap()
                .verify(got.body.as_bytes(), &got.headers)
                .unwrap();
            assert!(signed_with_pair(got, made["keys"][0]["public_key"].as_str().unwrap()));
            assert_eq!(got.header("content-type"), "application/json");
            let body = got.json();
            assert_eq!(body["id"], got.header("webhook-id"));
            let listed =
                done(&world, "GET", &format!("/events/{}", body["id"].as_str().unwrap()), None)
                    .await;
            assert_eq!(
                (&listed["type"], &listed["created_at"]),
                (&body["type"], &body["timestamp"])
            );
            let raw = String::from_utf8_lossy(&got.raw).into_owned();
            for canary in [WORDS, "4155550", "2125550", "fountain"] {
                assert!(!raw.contains(canary), "{raw}");
            }
        }
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// What fails comes again with the same id and body, on the schedule: after a status, a redirect
/// that nobody follows, a connection that closes and silence.
#[tokio::test]
async fn what_fails_comes_again() {
    for database in support::databases().await {
        let receiver = Receiver::start().await;
        let world = World::with(settings(&database, &[&receiver], 300)).await;
        let made = endpoint(&world, &receiver, json!({ "event_types": ["session.created"] })).await;
        receiver.then(&[Act::Answer(500), Act::Redirect, Act::Close, Act::Hang]);
        session(&world, "rides").await;
        world.running.idle().await;
        let path = format!("/endpoints/{}/deliveries", id(&made));
        for (place, wait_s) in [5, 300, 1800, 7200].into_iter().enumerate() {
            let waiting = done(&world, "GET", &path, None).await["data"][0].clone();
            assert_eq!(
                (&waiting["state"], &waiting["attempts"]),
                (&json!("ready"), &json!(place + 1))
            );
            // The machine's own time passes too: the first wait is too short to be seen.
            if wait_s > 60 {
                world.clock.advance((wait_s - 60) * 1000);
                world.running.idle().await;
                assert_eq!(receiver.got().len(), place + 1, "not before its time");
            }
            world.clock.advance(wait_s * 100 + 61_000);
            world.running.idle().await;
            assert_eq!(receiver.got().len(), place + 2);
        }
        let all = receiver.got();
        for got in &all {
            assert_eq!(got.path, all[0].path, "no redirect is followed");
            assert_eq!(
                (got.header("webhook-id"), &got.body),
                (all[0].header("webhook-id"), &all[0].body)
            );
            assert!(signed(got, made["secret"].as_str().unwrap()));
        }
        assert_ne!(all[0].header("webhook-timestamp"), all[4].header("webhook-timestamp"));
        let event = all[0].header("webhook-id");
        let delivery = done(&world, "GET", &format!("{path}/{event}"), None).await;
        assert_eq!(delivery["state"], "delivered");
        let attempts = delivery["attempts_made"].as_array().unwrap();
        let ends: Vec<(&str, Option<i64>)> = attempts
            .iter()
            .map(|one| (one["outcome"].as_str().unwrap(), one["status"].as_i64()))
            .collect();
        let expected = [
            ("status", Some(500)),
            ("redirect", Some(302)),
            ("broken", None),
            ("timeout", None),
            ("delivered", Some(200)),
        ];
        assert_eq!(ends, expected);
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// After eight attempts it is over, and can be sent again: one, or all of a window that failed.
#[tokio::test]
async fn eight_attempts_and_then_by_hand() {
    for database in support::databases().await {
        let receiver = Receiver::start().await;
        let world = World::with(settings(&database, &[&receiver], 10_000)).await;
        let made = endpoint(&world, &receiver, json!({ "event_types": ["session.created"] })).await;
        let path = format!("/endpoints/{}", id(&made));
        receiver.always(Act::Answer(503));
        let began = jiff::Timestamp::from_millisecond(world.clock.now().millis()).unwrap();
        for _ in 0..3 {
            session(&world, "rides").await;
        }
        world.running.idle().await;
        for _ in 0..10 {
            world.clock.advance(11 * 3600 * 1000);
            world.running.idle().await;
        }
        assert_eq!(receiver.got().len(), 3 * 8);
        let failed = done(&world, "GET", &format!("{path}/deliveries?state=failed"), None).await;
        let failed = failed["data"].as_array().unwrap().clone();
        assert_eq!(failed.len(), 3);
        assert!(failed.iter().all(|one| one["attempts"] == 8 && one["next_attempt_at"].is_null()));

        receiver.always(Act::Answer(204));
        let one = failed[0]["event_id"].as_str().unwrap();
        done(&world, "POST", &format!("{path}/deliveries/{one}/resend"), None).await;
        world.running.idle().await;
        assert_eq!(receiver.got().last().unwrap().header("webhook-id"), one);
        let range = json!({ "state": "failed", "from": began.to_string() });
        let resent = done(&world, "POST", &format!("{path}/resend"), Some(range.clone())).await;
        assert_eq!(resent, json!({ "resent": 2, "has_more": false }));
        world.running.idle().await;
        assert_eq!(receiver.got().len(), 3 * 8 + 3);
        let resent = done(&world, "POST", &format!("{path}/resend"), Some(range)).await;
        assert_eq!(resent["resent"], 0);
        let of_event = done(&world, "GET", &format!("/events/{one}/deliveries"), None).await;
        assert_eq!(
            (&of_event["data"][0]["attempts"], &of_event["data"][0]["state"]),
            (&json!(9), &json!("delivered"))
        );
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// 410 switches an endpoint off at once: what was owed to it is withdrawn, another endpoint is told,
/// and what was missed comes when it is asked for.
#[tokio::test]
async fn gone_means_off() {
    for database in support::databases().await {
        let (gone, other) = (Receiver::start().await, Receiver::start().await);
        let world = World::with(settings(&database, &[&gone, &other], 10_000)).await;
        let made = endpoint(&world, &gone, json!({ "event_types": ["session.created"] })).await;
        let path = format!("/endpoints/{}", id(&made));
        let filter = json!({ "event_types": ["endpoint.disabled"], "service_id": Value::Null });
        endpoint(&world, &other, filter).await;
        gone.then(&[Act::Answer(500), Act::Answer(410)]);
        session(&world, "rides").await;
        world.running.idle().await;
        session(&world, "rides").await;
        world.running.idle().await;
        let now = done(&world, "GET", &path, None).await;
        assert_eq!((&now["enabled"], &now["disabled_reason"]), (&json!(false), &json!("gone")));
        let told = other.until(1).await[0].json();
        assert_eq!(told["data"], json!({ "endpoint_id": made["id"], "reason": "gone" }));
        let logged = done(&world, "GET", "/events?type=endpoint.disabled", None).await;
        assert_eq!(logged["data"][0]["id"], told["id"]);
        let states = done(&world, "GET", &format!("{path}/deliveries"), None).await;
        let states: Vec<&str> = states["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["state"].as_str().unwrap())
            .collect();
        assert_eq!(states, ["failed", "cancelled"]);

        session(&world, "rides").await;
        world.clock.advance(DAY_MS);
        world.running.idle().await;
        assert_eq!(gone.got().len(), 2, "nothing is sent to an endpoint that is off");
        let (status, problem) = ask(&world, "POST", &format!("{path}/test"), None).await;
        assert_eq!((status, &problem["code"]), (409, &json!("endpoint_disabled")));
        done(&world, "PATCH", &path, Some(json!({ "enabled": true }))).await;
        for (state, count) in [("missing", 1), ("cancelled", 1), ("failed", 1)] {
            let at = world.clock.now().millis() - 2 * DAY_MS;
            let from = jiff::Timestamp::from_millisecond(at).unwrap().to_string();
            let range = json!({ "state": state, "from": from });
            let resent = done(&world, "POST", &format!("{path}/resend"), Some(range)).await;
            assert_eq!(resent["resent"], count, "{state}");
        }
        world.running.idle().await;
        assert_eq!(gone.got().len(), 5);
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// An endpoint that takes nothing for five days is switched off, and the log and the others say so;
/// one success in between starts the count again.
#[tokio::test]
async fn five_days_of_failures_mean_off() {
    for database in support::databases().await {
        let (dead, other) = (Receiver::start().await, Receiver::start().await);
        let world = World::with(settings(&database, &[&dead, &other], 10_000)).await;
        let made = endpoint(&world, &dead, json!({ "event_types": ["session.created"] })).await;
        let path = format!("/endpoints/{}", id(&made));
        endpoint(&world, &other, json!({ "event_types": ["endpoint.disabled"] })).await;
        let fail_for = async |days: i64| {
            dead.always(Act::Answer(500));
            for _ in 0..days {
                session(&world, "rides").await;
                world.running.idle().await;
                world.clock.advance(DAY_MS);
                world.running.idle().await;
            }
        };
        fail_for(4).await;
        dead.always(Act::Answer(200));
        session(&world, "rides").await;
        world.running.idle().await;
        assert_eq!(done(&world, "GET", &path, None).await["failing_since"], Value::Null);
        fail_for(4).await;
        let now = done(&world, "GET", &path, None).await;
        assert_eq!((&now["enabled"], now["failing_since"].is_null()), (&json!(true), false));
        fail_for(2).await;
        let now = done(&world, "GET", &path, None).await;
        assert_eq!((&now["enabled"], &now["disabled_reason"]), (&json!(false), &json!("failing")));
        let told = other.until(1).await[0].json();
        assert_eq!(told["data"], json!({ "endpoint_id": made["id"], "reason": "failing" }));
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// After a rotation both secrets sign for a day, and then the new one alone.
#[tokio::test]
async fn old_and_new_secrets_sign() {
    for database in support::databases().await {
        let receiver = Receiver::start().await;
        let world = World::with(settings(&database, &[&receiver], 10_000)).await;
        let made = endpoint(&world, &receiver, json!({})).await;
        let path = format!("/endpoints/{}", id(&made));
        let first = made["secret"].as_str().unwrap();
        let ping = async || {
            done(&world, "POST", &format!("{path}/test"), None).await;
            world.running.idle().await;
            receiver.got().last().unwrap().clone()
        };
        let got = ping().await;
        assert_eq!(got.json()["type"], "endpoint.ping");
        assert!(signed(&got, first));
        let rotated = done(&world, "POST", &format!("{path}/rotate-secret"), None).await;
        let second = rotated["secret"].as_str().unwrap();
        assert_eq!(rotated["keys"].as_array().unwrap().len(), 2);
        let got = ping().await;
        assert!(signed(&got, first) && signed(&got, second));
        assert!(
            rotated["keys"]
                .as_array()
                .unwrap()
                .iter()
                .all(|one| { signed_with_pair(&got, one["public_key"].as_str().unwrap()) })
        );
        world.clock.advance(DAY_MS + 1000);
        let got = ping().await;
        assert!(!signed(&got, first) && signed(&got, second));
        let now = json!({ "overlap_seconds": 0 });
        let rotated = done(&world, "POST", &format!("{path}/rotate-secret"), Some(now)).await;
        let got = ping().await;
        assert!(!signed(&got, second) && signed(&got, rotated["secret"].as_str().unwrap()));
        let read = done(&world, "GET", &path, None).await;
        assert_eq!(read.get("secret"), None, "a secret is shown once");
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// Filters by service and by type hold, and a deleted endpoint gets nothing more, not even what was
/// owed to it.
#[tokio::test]
async fn only_what_was_asked_for() {
    for database in support::databases().await {
        let (rides, all) = (Receiver::start().await, Receiver::start().await);
        let world = World::with(settings(&database, &[&rides, &all], 10_000)).await;
        session(&world, "rides").await;
        session(&world, "homes").await;
        let filter =
            json!({ "service_id": "rides", "event_types": ["session.updated", "session.closed"] });
        endpoint(&world, &rides, filter).await;
        let second = endpoint(&world, &all, json!({})).await;
        for service in ["rides", "homes"] {
            let session = session(&world, service).await;
            touch(&world, &session, 600).await;
        }
        world.running.idle().await;
        assert_eq!(rides.types(), ["session.updated"]);
        assert_eq!(all.got().len(), 4);
        all.always(Act::Answer(500));
        session(&world, "rides").await;
        world.running.idle().await;
        assert_eq!(all.got().len(), 5);
        let path = format!("/endpoints/{}", id(&second));
        done(&world, "DELETE", &path, None).await;
        assert_eq!(ask(&world, "GET", &path, None).await.0, 404);
        session(&world, "rides").await;
        world.clock.advance(2 * DAY_MS);
        world.running.idle().await;
        assert_eq!(all.got().len(), 5);
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// Addresses that lead inward, or are not https, are refused with the reason, and so is the
/// twenty-first endpoint.
#[tokio::test]
async fn hostile_addresses_are_refused() {
    for database in support::databases().await {
        let receiver = Receiver::start().await;
        let world = World::with(settings(&database, &[&receiver], 10_000)).await;
        for url in [
            "http://127.0.0.1:1/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://2130706433/",
            "https://localhost/",
            "http://market.example/",
            "https://market.example:22/",
            "https://user:secret@market.example/",
            "ftp://market.example/",
            "nonsense",
        ] {
            let (status, problem) =
                ask(&world, "POST", "/endpoints", Some(json!({ "url": url }))).await;
            assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/url")), "{url}");
            assert!(!problem.to_string().contains("meta-data"));
        }
        for _ in 0..20 {
            endpoint(&world, &receiver, json!({})).await;
        }
        let (status, problem) =
            ask(&world, "POST", "/endpoints", Some(json!({ "url": receiver.url() }))).await;
        assert_eq!((status, &problem["code"]), (409, &json!("endpoint_limit")));
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// I14: an endpoint that hangs, and one that answers errors, delay no other, of the same account or
/// another: everything reaches it while the first request to the one that hangs is still open.
#[tokio::test]
async fn i14_a_dead_endpoint_delays_no_other() {
    const SESSIONS: usize = 120;
    for database in support::databases().await {
        let [hangs, fails, works] =
            [Receiver::start().await, Receiver::start().await, Receiver::start().await];
        let config = settings(&database, &[&hangs, &fails, &works], 60_000);
        let world = World::with(config).await;
        hangs.always(Act::Hang);
        fails.always(Act::Answer(500));
        for receiver in [&hangs, &hangs, &fails, &works] {
            endpoint(&world, receiver, json!({ "event_types": ["session.created"] })).await;
        }
        for _ in 0..SESSIONS {
            session(&world, "rides").await;
        }
        let all =
            tokio::time::timeout(std::time::Duration::from_secs(20), works.until(SESSIONS)).await;
        assert_eq!(all.expect("I14: a dead endpoint delays another").len(), SESSIONS);
        let open = hangs.got().len();
        assert!((1..=16).contains(&open), "{open} requests hang");
        drop(hangs);
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// A worker that is lost between claim and answer loses nothing: when its lease has ended the event
/// is sent, with the same id, and the attempts tell both.
#[tokio::test]
async fn a_lost_worker_loses_nothing() {
    use entremise::{
        domain::event::EventKind,
        relay::Error,
        store::{deliveries, events},
    };

    for database in support::databases().await {
        let receiver = Receiver::start().await;
        let world = World::with(settings(&database, &[&receiver], 10_000)).await;
        let made = endpoint(&world, &receiver, json!({})).await;
        let endpoint = EndpointId::parse(made["id"].as_str().unwrap()).unwrap();
        let account = world.account.account.clone();
        let claimed = world
            .running
            .relay
            .db()
            .write(move |tx| {
                let (account, endpoint) = (account.clone(), endpoint.clone());
                Box::pin(async move {
                    let now = tx.now().await?;
                    let place = events::Place::default();
                    events::insert(tx, &account, EventKind::NumberAdded, place, "{}", now).await?;
                    let lease = now + std::time::Duration::from_secs(25);
                    let claim = deliveries::claim(tx, &account, &endpoint, now, lease).await?;
                    Ok::<_, Error>(claim.unwrap())
                })
            })
            .await
            .unwrap();
        assert!(claimed.event.as_str().starts_with(EventId::PREFIX));
        world.running.idle().await;
        assert_eq!(receiver.got().len(), 0, "the lease holds");
        world.clock.advance(26_000);
        world.running.idle().await;
        let got = receiver.got();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].header("webhook-id"), claimed.event.as_str());
        let path = format!("/endpoints/{}/deliveries/{}", id(&made), claimed.event);
        let attempts = done(&world, "GET", &path, None).await["attempts_made"].clone();
        assert_eq!(
            (&attempts[0]["outcome"], &attempts[1]["outcome"]),
            (&Value::Null, &json!("delivered"))
        );
        world.running.shutdown().await;
        database.drop().await;
    }
}
