//! An account's traffic as a whole, its budget, and callers who look for people: T3, T13, on each engine.

use entremise::{
    domain::{
        abuse::{Limit, Window},
        budget::Budget,
        interaction::{Kind, Outcome, Reason},
        phone::Identifier,
        policy::{OutOfSession, Rules},
    },
    ids::AccountId,
    store::tallies::{self, Volume, What},
};
use serde_json::{Value, json};

use crate::{
    abuse::{RELAYED, Stage, refused},
    budgets::started_again,
    prices, receiver, support,
};

const HOUR_MS: i64 = 3_600_000;

fn bikes() -> Rules {
    Rules::new("Bikes".into())
}

async fn pauses(stage: &Stage) -> Vec<Value> {
    let all = receiver::done(&stage.world, "GET", "/traffic-pauses", None).await;
    all["data"].as_array().unwrap().clone()
}

async fn lift(stage: &Stage, pause: &Value) {
    let path = format!("/traffic-pauses/{}/lift", pause["id"].as_str().unwrap());
    receiver::done(&stage.world, "POST", &path, Some(json!({}))).await;
    stage.world.running.relay.watch_traffic().await.unwrap();
}

/// An account that sends more than it may in an hour sends no more for a while, by no way, and calls go on; it is told
/// once. It goes on once somebody lifts that, and is not held back again in that hour.
#[tokio::test]
async fn an_accounts_traffic_is_held_back() {
    for database in support::databases().await {
        let limits = [(Limit::AccountTexts, 2)];
        let stage = Stage::open(&database, 4, 4, &limits, bikes()).await;
        let one = stage.market.session([0, 1], 0, None).await.unwrap();
        let two = stage.market.session([2, 3], 0, None).await.unwrap();
        stage.next(HOUR_MS);
        for (id, who, session) in [("1", 0, &one), ("2", 1, &one), ("3", 2, &two)] {
            stage.text(id, who, session, &format!("text {id}")).await;
            assert_eq!(stage.newest().await, RELAYED);
        }
        let relay = &stage.world.running.relay;
        for _ in 0..3 {
            relay.watch_traffic().await.unwrap();
        }
        stage.text("4", 0, &one, "too much").await;
        assert_eq!(stage.newest().await, refused(Reason::TrafficPaused), "{}", database.name);
        assert!(!stage.calls("call", 0, &one).await.contains("busy"), "calls go on");
        let told = stage.told("traffic.paused").await;
        assert_eq!(told.len(), 1, "on {}", database.name);
        let expected = [("scope", "account"), ("kind", "message"), ("why", "limit")];
        assert!(expected.iter().all(|(key, value)| told[0][key] == *value), "{told:?}");
        let path = format!("/sessions/{}", two.id);
        let view = receiver::done(&stage.world, "GET", &path, None).await;
        let text = json!({ "participant_id": view["participants"][0]["id"], "body": "hello" });
        let send = format!("{path}/messages");
        assert_eq!(receiver::ask(&stage.world, "POST", &send, Some(text)).await.0, 429);
        let held = pauses(&stage).await;
        assert_eq!(held.len(), 1);
        lift(&stage, &held[0]).await;
        stage.text("5", 0, &one, "on it goes").await;
        assert_eq!(stage.newest().await, RELAYED, "on {}", database.name);
        relay.watch_traffic().await.unwrap();
        stage.text("6", 0, &one, "and on").await;
        assert_eq!(stage.newest().await, RELAYED, "not again in this hour, {}", database.name);
        let foreign = "/traffic-pauses/TP00000000000000000000000000000000/lift";
        for (path, status) in [(foreign, 404), ("/traffic-pauses/x/lift", 404)] {
            let asked = receiver::ask(&stage.world, "POST", path, Some(json!({}))).await;
            assert_eq!(asked.0, status, "{path}");
        }
        stage.end(database).await;
    }
}

/// What goes to numbers of one prefix is held back, and what goes to others goes on; it ends by itself.
#[tokio::test]
async fn a_prefix_is_held_back() {
    for database in support::databases().await {
        let limits = [(Limit::PrefixTexts, 2)];
        let stage = Stage::open(&database, 4, 4, &limits, bikes()).await;
        let near = stage.market.session([0, 1], 0, None).await.unwrap();
        let people = json!([
            { "role": "buyer", "identifier": stage.number(2) },
            { "role": "seller", "identifier": "+13125550150" },
        ]);
        let new = json!({ "service_id": stage.market.service, "participants": people });
        let far = receiver::done(&stage.world, "POST", "/sessions", Some(new)).await;
        let dials = far["participants"][0]["proxy_number"].as_str().unwrap().to_owned();
        stage.next(HOUR_MS);
        for id in ["1", "2", "3"] {
            stage.text(id, 0, &near, &format!("text {id}")).await;
        }
        stage.world.running.relay.watch_traffic().await.unwrap();
        stage.text("4", 0, &near, "too much").await;
        assert_eq!(stage.newest().await, refused(Reason::TrafficPaused), "{}", database.name);
        stage.text_to("5", Some(&stage.number(2)), &dials, "elsewhere").await;
        assert_ne!(stage.newest().await.0, Some(Outcome::Refused), "on {}", database.name);
        assert_eq!(stage.told("traffic.paused").await[0]["scope"], "prefix");
        stage.world.clock.advance(HOUR_MS);
        stage.world.running.relay.watch_traffic().await.unwrap();
        stage.text("6", 0, &near, "an hour later").await;
        assert_eq!(stage.newest().await, RELAYED, "on {}", database.name);
        stage.end(database).await;
    }
}

/// What so many hours before now came to.
async fn usually(stage: &Stage, account: &AccountId, hours: i64, used: u64) {
    let account = account.clone();
    let done = stage.world.running.relay.db().write(move |tx| {
        let account = account.clone();
        Box::pin(async move {
            let hour = Window::Hour.place(tx.now().await?);
            for back in 1..=hours {
                let volume = Volume {
                    account: account.clone(),
                    what: What::to(Kind::Message),
                    prefix: String::new(),
                    used,
                };
                tallies::keep(tx, &volume, hour - back).await?;
            }
            Ok::<_, entremise::store::Error>(())
        })
    });
    done.await.unwrap();
}

/// An hour that is many times an account's usual one is a spike; the same hour of an account that is new, or always
/// sends as much, is none.
#[tokio::test]
async fn a_spike_is_held_back() {
    for (hours, used, held) in [(48, 1, true), (48, 3, false), (3, 0, false)] {
        for database in support::databases().await {
            let limits = [(Limit::SpikeFactor, 4), (Limit::SpikeFloor, 5)];
            let stage = Stage::open(&database, 2, 2, &limits, bikes()).await;
            let session = stage.market.session([0, 1], 0, None).await.unwrap();
            stage.next(HOUR_MS);
            usually(&stage, &stage.market.account, hours, used).await;
            for n in 0..6 {
                stage.text(&format!("{used}-{n}"), 0, &session, &format!("text {n}")).await;
                stage.newest().await;
            }
            stage.world.running.relay.watch_traffic().await.unwrap();
            let told = stage.told("traffic.paused").await;
            assert_eq!(told.len(), usize::from(held), "{hours} {used} on {}", database.name);
            assert!(told.iter().all(|one| one["why"] == "spike"));
            stage.end(database).await;
        }
    }
}

/// An account is told that its budget comes to its end, and that it has: once a day each, whoever sums.
#[tokio::test]
async fn an_account_is_told_of_its_budget() {
    for database in support::databases().await {
        let budget = Budget { texts: Some(5), ..Budget::default() };
        let stage = prices::Stage::within(&database, &[], Budget::default(), budget).await;
        for (n, near, spent) in [(3, 0, 0), (4, 1, 0), (5, 1, 1)] {
            while support::interactions(&stage.world).await.len() < n {
                let sid = format!("SM{}", support::random::<8>());
                stage.text(&sid, "Hello").await;
            }
            for _ in 0..2 {
                stage.sum_up().await;
            }
            for (kind, count) in [("budget.near", near), ("budget.spent", spent)] {
                let told = stage.get(&format!("/api/v1/events?type={kind}")).await;
                let told = told["data"].as_array().unwrap();
                assert_eq!(told.len(), count, "{kind} at {n} on {}", database.name);
                assert!(told.iter().all(|one| one["data"]["percent"].as_u64() >= Some(80)));
            }
        }
        // Another process has told nobody yet.
        let stage = Box::pin(started_again(stage)).await;
        stage.sum_up().await;
        let told = stage.get("/api/v1/events?type=budget.spent").await;
        assert_eq!(told["data"].as_array().unwrap().len(), 1, "on {}", database.name);
        stage.end(database).await;
    }
}

/// T3: whoever tries more numbers than they may gets the neutral words on each, where a line would be rung, whatever
/// the cause: unknown, closed, expired, blocked and withheld callers get the same bytes. The marketplace is told once.
#[tokio::test]
async fn t3_who_tries_every_number_gets_nothing() {
    for database in support::databases().await {
        let mut rules = bikes();
        rules.out_of_session = OutOfSession::Forward;
        rules.out_of_session_number = Some(Identifier::parse("+447700900500").unwrap());
        rules.out_of_session_text = "Open Bikes.".into();
        let limits = [(Limit::HarvestNumbers, 3), (Limit::HarvestWithheld, 3)];
        let stage = Stage::open(&database, 8, 6, &limits, rules).await;
        let pool: Vec<String> = (0..6).map(|n| format!("+{}", 14_155_550_100_u64 + n)).collect();
        let closed = stage.market.session([0, 1], 0, None).await.unwrap();
        stage.market.session([2, 3], 60, None).await.unwrap();
        let blocked = stage.market.session([4, 5], 0, None).await.unwrap();
        stage.market.close(&closed.id).await.unwrap();
        crate::neutral::block(&stage.market, &blocked.id, 1).await;
        stage.world.clock.advance(61_000);
        stage.next(HOUR_MS);
        let mut heard = Vec::new();
        for (who, cause) in [(0, "closed"), (2, "expired"), (4, "blocked"), (6, "unknown")] {
            for (place, to) in pool.iter().enumerate() {
                let id = format!("{cause}-{place}");
                let answer = stage.call(&id, Some(&stage.number(who)), to).await;
                let text = String::from_utf8(answer.body.clone()).unwrap();
                let rung = text.contains("447700900500");
                assert_eq!(rung, place < 3, "{cause} {place} on {}: {text}", database.name);
                if place >= 3 {
                    heard.push((answer.status, answer.body));
                }
            }
        }
        // All who withhold their number are one, and count by the number that they dial.
        for n in 0..5 {
            let answer = stage.call(&format!("withheld-{n}"), None, &pool[5]).await;
            let text = String::from_utf8(answer.body.clone()).unwrap();
            assert_eq!(text.contains("447700900500"), n < 3, "{n} on {}", database.name);
            if n >= 3 {
                heard.push((answer.status, answer.body));
            }
        }
        assert!(heard.windows(2).all(|pair| pair[0] == pair[1]), "on {}", database.name);
        let told = stage.told("harvest.suspected").await;
        assert_eq!(told.len(), 5, "each once: {told:?} on {}", database.name);
        stage.text_to("text", Some(&stage.number(6)), &pool[0], "Hello?").await;
        assert!(stage.got(6).await.is_empty(), "no text either, on {}", database.name);
        stage.next(HOUR_MS);
        let again = stage.call("again", Some(&stage.number(6)), &pool[0]).await;
        assert!(String::from_utf8(again.body).unwrap().contains("447700900500"));
        stage.end(database).await;
    }
}
