//! From which proxy number a code comes: one that can, may and works, near, wanted, and the same one each time.

use std::collections::BTreeSet;

use entremise::{
    config,
    domain::{
        interaction::Kind,
        opt_out::{Scope, Source},
        policy::{GeoMatch, Rules},
        verification::Limits,
    },
    store::opt_outs::{self, OptOut},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    health_stage::{self, PAIRS},
    receiver::{ask, done},
    support::{self, CARRIER},
    verification::Stage,
};

/// The number that the newest text or call came from.
async fn sender(stage: &Stage) -> (Kind, String) {
    stage.world.running.idle().await;
    let newest = support::interactions(&stage.world).await.remove(0);
    (newest.kind, newest.number.as_str().to_owned())
}

/// A proxy number of that service; its id.
async fn number(stage: &Stage, number: &str, service: &str, more: Value) -> String {
    let mut new = json!({ "number": number, "service_id": service, "carrier": CARRIER });
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = done(&stage.world, "POST", "/numbers", Some(new)).await;
    made["id"].as_str().unwrap().to_owned()
}

/// For people of a country with numbers: one of these, which is active, not reserved, and can do it. A draining one
/// or one that can't is not named either.
#[tokio::test]
async fn a_code_comes_from_a_number_that_can() {
    const BOTH: &str = "+33937000001";
    const TEXTS: &str = "+33937000005";
    const CALLS: &str = "+33937000004";
    for database in support::databases().await {
        let rules = Rules { geo_match: GeoMatch::Any, ..Rules::new("Bikes".into()) };
        let limits = Limits { prefix_hour: 0, ..Limits::default() };
        let stage = Stage::with(&database, rules, limits).await;
        number(&stage, BOTH, "bikes", json!({})).await;
        number(&stage, "+33937000002", "bikes", json!({ "reserved": true })).await;
        let draining = number(&stage, "+33937000003", "bikes", json!({})).await;
        let path = format!("/numbers/{draining}");
        done(&stage.world, "PATCH", &path, Some(json!({ "state": "draining" }))).await;
        number(&stage, CALLS, "bikes", json!({ "capabilities": ["voice"] })).await;
        number(&stage, TEXTS, "bikes", json!({ "capabilities": ["sms"] })).await;
        let mut seen = BTreeSet::new();
        for place in 0..12 {
            let to = format!("+{}", 33_639_980_000_u64 + place);
            for channel in ["sms", "call"] {
                let body = json!({ "to": to, "channel": channel });
                Stage::is(&stage.send(0, body).await, if channel == "sms" { 201 } else { 200 });
                let (kind, from) = sender(&stage).await;
                let can = if kind == Kind::Message { [BOTH, TEXTS] } else { [BOTH, CALLS] };
                assert!(can.contains(&from.as_str()), "{channel} from {from}");
                seen.insert(from);
                stage.world.clock.advance(31_000);
            }
        }
        assert!(seen.len() > 1, "nobody's choice is another's: {seen:?}");
        let from = json!({ "to": "+33639980099", "from": draining });
        let refused = Stage::is(&stage.send(0, from).await, 422);
        assert_eq!(refused["errors"][0]["code"], "unknown_number", "on {}", database.name);
        // Who has no number of their country gets the code from another.
        Stage::is(&stage.send(0, json!({ "to": "+447700900101" })).await, 201);
        stage.end(database).await;
    }
}

/// For one person it is the same number each time; whoever wants no texts from that one gets them from another.
#[tokio::test]
async fn a_person_knows_the_number() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.begin(0).await;
        let (_, first) = sender(&stage).await;
        for wait in [31, 61, 121] {
            stage.world.clock.advance(wait * 1000);
            Stage::is(&stage.send(0, json!({})).await, 200);
            assert_eq!(sender(&stage).await.1, first, "on {}", database.name);
        }
        let mine = usize::from(!first.ends_with("100"));
        let (market, id) = (stage.market.clone(), stage.market.numbers[mine].clone());
        let stopped = stage.market.relay.db().write(move |tx| {
            let (market, id) = (market.clone(), id.clone());
            Box::pin(async move {
                let keys = entremise::store::accounts::keys(tx, &market.account).await?;
                let person = keys.index.person(&market.people[0].number.canonical());
                let (scope, value) = (Scope::Number, id.as_str());
                let one = OptOut { account: &market.account, person: &person, scope, value };
                let now = tx.now().await?;
                opt_outs::insert(tx, one, Source::Person, now).await.map(drop)
            })
        });
        stopped.await.unwrap();
        stage.world.clock.advance(241_000);
        Stage::is(&stage.send(0, json!({})).await, 200);
        assert_ne!(sender(&stage).await.1, first, "on {}", database.name);
        assert_eq!(stage.got(0).await.len(), 5, "on {}", database.name);
        stage.end(database).await;
    }
}

/// A number that needs to be registered before it may text people of its country, and is not, sends them no code; a
/// call may come from it.
#[tokio::test]
async fn a_number_that_may_not_text_does_not() {
    const BARE: &str = "+14155550160";
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        done(&stage.world, "POST", "/services", Some(json!({ "unique_name": "boats" }))).await;
        number(&stage, BARE, "boats", json!({ "registration": "none" })).await;
        let boats = json!({ "service_id": "boats" });
        let refused = Stage::is(&stage.send(0, boats.clone()).await, 409);
        assert_eq!(refused["code"], "no_sender", "on {}", database.name);
        number(&stage, "+33937000009", "boats", json!({})).await;
        Stage::is(&stage.send(0, boats).await, 201);
        assert_eq!(sender(&stage).await.1, "+33937000009", "on {}", database.name);
        let call = json!({ "service_id": "boats", "channel": "call" });
        Stage::is(&stage.send(1, call).await, 201);
        assert_eq!(sender(&stage).await.1, BARE, "on {}", database.name);
        stage.end(database).await;
    }
}

/// While a carrier is down codes go by another one, whoever asks.
#[tokio::test]
async fn a_carrier_that_is_down_comes_last() {
    for database in support::databases().await {
        let stage = health_stage::Stage::open(&database, config::Rates::default()).await;
        stage.api.down(Some(StatusCode::UNAUTHORIZED));
        for pair in 1..PAIRS {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        stage.pass(29_000).await;
        for who in 0..10 {
            let to = stage.market.people[who].number.expose();
            let new = json!({ "to": to, "channel": "sms" });
            let (status, body) = ask(&stage.world, "POST", "/verifications", Some(new)).await;
            assert_eq!(status, 201, "{body}");
            stage.world.running.idle().await;
            let seen = stage.seen(who);
            assert!(seen.iter().any(|(_, words)| words.contains("code")), "{who}: {seen:?}");
        }
        stage.end(database).await;
    }
}
