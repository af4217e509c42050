//! I7, T13, T16: every way to a number goes through one gate, by kind and by country, on each engine.

use entremise::{
    domain::{
        abuse::{Countries, Limit, Limits},
        interaction::{Outcome, Reason},
        phone::{Identifier, Permits, ProxyNumber},
        policy::{OutOfSession, Rules},
        pool::Capabilities,
        session::{Lifetime, Mode, State},
    },
    ids::SessionId,
    relay::{self, AdoptParticipant, AdoptSession, NewNumber},
    sandbox::Faults,
    store::legs,
};
use serde_json::{Value, json};

use crate::{
    abuse::{RELAYED, Stage, refused},
    market::Opened,
    receiver,
    support::{self, CARRIER, Database, World},
};

/// One of each kind that is never reached, whatever the operator lists, with its code.
const NEVER: &[(&str, &str)] = &[
    ("+19002345678", "premium_rate"),
    ("+979123456789", "premium_rate"),
    ("+80812345678", "shared_cost"),
    ("+447640123456", "pager"),
    ("+881612345678", "satellite"),
    ("+870773123456", "satellite"),
    ("+88235123456", "global_network"),
    ("+883510012345", "global_network"),
    ("+878101234567", "global_network"),
    ("+19115550100", "emergency_or_service_code"),
    ("+14159110100", "emergency_or_service_code"),
];

/// Kinds that the operator may open.
const OPENED: &[(&str, &str)] =
    &[("+33820123456", "shared_cost"), ("+33806123456", "company_number")];

/// Everything that a list may name.
fn all() -> Permits {
    let every = ["+1", "+2", "+3", "+4", "+5", "+6", "+7", "+8", "+9"];
    let every = every.map(|prefix| format!("{prefix} a test"));
    Permits::parse(every.iter().map(String::as_str)).unwrap()
}

fn bikes() -> Rules {
    Rules::new("Bikes".into())
}

async fn stage(database: &Database, reach: Permits, rules: Rules) -> Stage {
    let mut config = support::settings(database);
    config.abuse.reach = reach;
    config.api.rate_per_minute = 100_000;
    config.abuse.limits = Limits::usual();
    config.abuse.limits.set(Limit::HarvestNumbers, 0);
    config.abuse.limits.set(Limit::PairAtOnce, 0);
    let world = World::standing(config).await;
    let market = crate::market::Market::open(&world, 4, 4, rules).await;
    Stage { world, market }
}

/// What the API says of each way by which somebody's number may come in: the code, or none where it was taken.
async fn ways_in(stage: &Stage, number: &str, there: &str) -> Vec<Option<String>> {
    let code = |(status, body): (u16, Value)| {
        assert!(status == 422 || (200..300).contains(&status), "{status} {body}");
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        assert!(!body.to_string().contains(&number[4..]) || status != 422, "{body}");
        errors.first().map(|one| one["code"].as_str().unwrap().to_owned())
    };
    let buyer = stage.number(0);
    let new = json!({
        "service_id": stage.market.service,
        "participants": [
            { "role": "buyer", "identifier": buyer }, { "role": "seller", "identifier": number },
        ],
    });
    let opened = receiver::ask(&stage.world, "POST", "/sessions", Some(new)).await;
    let one = json!({ "role": "other", "identifier": number });
    let joined = receiver::ask(&stage.world, "POST", there, Some(one)).await;
    let line = json!({ "out_of_session_number": number });
    let path = format!("/services/{}", stage.market.service);
    let line = receiver::ask(&stage.world, "PATCH", &path, Some(line)).await;
    [opened, joined, line].map(code).into()
}

/// No way in takes a number of a kind that is never reached: a session that is opened, somebody who joins, a service's
/// own line. The operator's list opens shared-cost and company numbers alone.
#[tokio::test]
async fn i7_no_way_in_takes_them() {
    for database in support::databases().await {
        let mut rules = bikes();
        rules.geo_match = entremise::domain::policy::GeoMatch::Any;
        let stage = stage(&database, all(), rules).await;
        let new = json!({
            "service_id": stage.market.service,
            "participants": [{ "role": "buyer", "identifier": stage.number(2) }],
        });
        let there = receiver::done(&stage.world, "POST", "/sessions", Some(new)).await;
        let there = format!("/sessions/{}/participants", there["id"].as_str().unwrap());
        for (number, code) in NEVER {
            for said in ways_in(&stage, number, &there).await {
                assert_eq!(said.as_deref(), Some(*code), "{number} on {}", database.name);
            }
        }
        let (number, _) = OPENED[0];
        assert_eq!(ways_in(&stage, number, &there).await, [None, None, None], "{number}");
        stage.end(database).await;
    }
    for database in support::databases().await {
        let stage = stage(&database, Permits::default(), bikes()).await;
        let there = stage.market.session([0, 1], 0, None).await.unwrap();
        let there = format!("/sessions/{}/participants", there.id);
        for (number, code) in OPENED {
            for said in ways_in(&stage, number, &there).await {
                assert_eq!(said.as_deref(), Some(*code), "{number} on {}", database.name);
            }
        }
        stage.end(database).await;
    }
}

/// A session of a buyer and somebody whose number no API would take: as one that was taken over from elsewhere.
async fn taken_over(stage: &Stage, number: &str) -> Opened {
    let relay = &stage.market.relay;
    let (account, service) = (stage.market.account.clone(), stage.market.service.clone());
    let numbers = [stage.market.numbers[0].clone(), stage.market.numbers[1].clone()];
    let people = [stage.market.people[0].number.clone(), Identifier::parse(number).unwrap()];
    let made = relay.db().write(move |tx| {
        let (account, service) = (account.clone(), service.clone());
        let (numbers, people) = (numbers.clone(), people.clone());
        Box::pin(async move {
            let now = tx.now().await?;
            let id: SessionId = tx.id_at(now);
            let participants = people
                .iter()
                .zip(&numbers)
                .map(|(identifier, number)| AdoptParticipant {
                    id: tx.id_at(now),
                    identifier: identifier.clone(),
                    name: None,
                    number: number.clone(),
                    created_at: now,
                    removed_at: None,
                })
                .collect();
            let new = AdoptSession {
                id: id.clone(),
                service,
                unique_name: None,
                mode: Mode::VoiceAndMessage,
                lifetime: Lifetime { ttl: std::time::Duration::ZERO, date_expiry: None },
                state: State::InProgress,
                created_at: now,
                started_at: Some(now),
                ended_at: None,
                last_interaction_at: Some(now),
                participants,
            };
            assert!(relay::adopt_session(tx, &account, &new).await?);
            Ok::<_, relay::Error>(id)
        })
    });
    let dials = ["+14155550100", "+14155550101"].map(|one| Identifier::parse(one).unwrap());
    Opened { id: made.await.unwrap(), dials }
}

/// Somebody of such a number who came into a session by another way is not reached: no text is sent, no phone rung,
/// neither for the other side nor for the marketplace. Nor is one who writes from such a number answered.
#[tokio::test]
async fn i7_no_leg_is_placed_to_them() {
    for database in support::databases().await {
        let mut rules = bikes();
        rules.out_of_session_text = "Open Bikes.".into();
        let stage = stage(&database, all(), rules).await;
        for (place, (number, code)) in NEVER.iter().enumerate() {
            let session = taken_over(&stage, number).await;
            let why = refused(Reason::NumberNotAllowed);
            stage.text(&format!("text-{place}"), 0, &session, "Hello").await;
            assert_eq!(stage.newest().await, why, "{code} on {}", database.name);
            let said = stage.calls(&format!("call-{place}"), 0, &session).await;
            assert!(said.contains("The line is busy"), "{code}: {said}");
            assert_eq!(stage.newest().await, why, "{code} on {}", database.name);
            let path = format!("/sessions/{}", session.id);
            let view = receiver::done(&stage.world, "GET", &path, None).await;
            let them = json!({ "participant_id": view["participants"][1]["id"] });
            let text = json!({ "participant_id": view["participants"][1]["id"], "body": "x" });
            for (what, body) in [("messages", text), ("calls", them)] {
                receiver::done(&stage.world, "POST", &format!("{path}/{what}"), Some(body)).await;
                let cancelled = (Some(Outcome::Cancelled), Some(Reason::NumberNotAllowed));
                assert_eq!(stage.newest().await, cancelled, "{code} {what} on {}", database.name);
            }
            if place == 0 {
                rings_one_alone(&stage, &path, &view).await;
            }
            receiver::done(&stage.world, "POST", &format!("{path}/close"), None).await;
            let id = format!("stranger-{place}");
            stage.text_to(&id, Some(number), "+14155550102", "Hello?").await;
            let log = stage.log().await;
            assert_eq!(log[0].outcome, Some(Outcome::Refused));
            let mut tx = stage.market.relay.db().read().await.unwrap();
            let account = &stage.market.account;
            let legs = legs::of_interaction(&mut tx, account, &log[0].id);
            assert_eq!(legs.await.unwrap().len(), 1, "{code}: nobody is answered");
            drop(tx);
            stage.world.clock.advance(8 * 86_400_000);
        }
        stage.end(database).await;
    }
}

/// The marketplace has the first of a session called: they answer, and the other is not rung.
async fn rings_one_alone(stage: &Stage, path: &str, view: &Value) {
    let from = json!({ "participant_id": view["participants"][0]["id"] });
    receiver::done(&stage.world, "POST", &format!("{path}/calls"), Some(from)).await;
    let (network, phone) = (&stage.market.network, stage.market.people[0].phone);
    let rung = network.until(phone, |view| view.call().is_some()).await;
    network.answer(phone, &rung.call().unwrap().id).unwrap();
    network.until(phone, |view| view.call().is_none()).await;
    let call = stage.log().await.remove(0);
    let mut tx = stage.market.relay.db().read().await.unwrap();
    let legs = legs::of_interaction(&mut tx, &stage.market.account, &call.id).await.unwrap();
    let other = legs.iter().find(|leg| leg.position == 1).unwrap();
    assert_eq!((&other.carrier_id, other.reason), (&None, Some(Reason::NumberNotAllowed)));
}

/// A country that is on no list can't join; one that is taken off the list is reached no more from then on, in open
/// sessions too, and what was asked for before and waits is not sent. The operator's list is above the service's.
#[tokio::test]
async fn countries_bind_at_once() {
    for database in support::databases().await {
        let mut rules = bikes();
        rules.geo_match = entremise::domain::policy::GeoMatch::Any;
        rules.countries = Countries::parse(["US", "FR"]).unwrap();
        let stage = stage(&database, Permits::default(), rules).await;
        let new = |other: &str| {
            json!({
                "service_id": stage.market.service,
                "participants": [
                    { "role": "buyer", "identifier": stage.number(0) },
                    { "role": "seller", "identifier": other },
                ],
            })
        };
        let british = new("+447700900123");
        let (status, problem) =
            receiver::ask(&stage.world, "POST", "/sessions", Some(british.clone())).await;
        assert_eq!(status, 422, "{problem}");
        assert_eq!(problem["errors"][0]["code"], "country_not_allowed");
        assert_eq!(problem["errors"][0]["pointer"], "/participants/1/identifier");
        let french = receiver::done(&stage.world, "POST", "/sessions", Some(new("+33639980001")));
        let french = french.await;
        let dials = french["participants"][0]["proxy_number"].as_str().unwrap().to_owned();
        stage.text_to("1", Some(&stage.number(0)), &dials, "Bonjour").await;
        assert_ne!(stage.newest().await.0, Some(Outcome::Refused), "on {}", database.name);
        // One is owed still, and waits.
        let network = &stage.market.network;
        network.set_faults(Faults { fail_next: 1_000, ..Faults::default() });
        stage.text_to("waits", Some(&stage.number(0)), &dials, "Ça va ?").await;
        assert_eq!(stage.newest().await.0, None, "on {}", database.name);
        let path = format!("/services/{}", stage.market.service);
        for (bad, code) in [(json!(["France"]), "not_allowed"), (json!("FR"), "type")] {
            let change = json!({ "countries": bad });
            let (status, problem) = receiver::ask(&stage.world, "PATCH", &path, Some(change)).await;
            assert_eq!(status, 422, "{problem}");
            assert!(problem["errors"][0]["code"] == code || code == "type", "{problem}");
        }
        let change = json!({ "countries": ["US"] });
        let changed = receiver::done(&stage.world, "PATCH", &path, Some(change)).await;
        assert_eq!(changed["countries"], json!(["US"]));
        network.set_faults(Faults::default());
        support::until(async || {
            stage.world.clock.advance(3_000);
            stage.newest().await.0.is_some()
        })
        .await;
        let cancelled = (Some(Outcome::Cancelled), Some(Reason::CountryNotAllowed));
        assert_eq!(stage.newest().await, cancelled, "on {}", database.name);
        let why = refused(Reason::CountryNotAllowed);
        stage.text_to("2", Some(&stage.number(0)), &dials, "Encore").await;
        assert_eq!(stage.newest().await, why, "on {}", database.name);
        let called = stage.call("3", Some(&stage.number(0)), &dials).await;
        assert!(String::from_utf8(called.body).unwrap().contains("The line is busy"));
        assert_eq!(stage.newest().await, why, "on {}", database.name);
        let own = stage.market.session([0, 1], 0, None).await.unwrap();
        stage.text("4", 0, &own, "at home").await;
        assert_eq!(stage.newest().await, RELAYED, "on {}", database.name);
        stage.end(database).await;
    }
}

/// I6: no proxy number is a person, and no person in an open session becomes a proxy number, by any way.
#[tokio::test]
async fn i6_nobody_is_both() {
    for database in support::databases().await {
        let mut rules = bikes();
        rules.out_of_session = OutOfSession::Announce;
        let stage = stage(&database, Permits::default(), rules).await;
        let open = stage.market.session([0, 1], 0, None).await.unwrap();
        let there = format!("/sessions/{}/participants", open.id);
        for said in ways_in(&stage, "+14155550103", &there).await {
            assert_eq!(said.as_deref(), Some("proxy_number"), "on {}", database.name);
        }
        let new = json!({ "number": stage.number(0), "service_id": stage.market.service });
        let (status, problem) = receiver::ask(&stage.world, "POST", "/numbers", Some(new)).await;
        assert_eq!((status, &problem["errors"][0]["code"]), (422, &json!("participant")));
        // The way of `numbers import` and of orders.
        let (account, number) = (stage.market.account.clone(), stage.number(1));
        let new = NewNumber {
            service: stage.market.service.clone(),
            number: ProxyNumber::parse(&number).unwrap(),
            carrier: CARRIER.into(),
            capabilities: Capabilities::parse("voice|sms").unwrap(),
            reserved: false,
        };
        let added = stage.market.relay.db().write(move |tx| {
            let (account, new) = (account.clone(), new.clone());
            Box::pin(async move { relay::add_number(tx, &account, &new).await.map(drop) })
        });
        assert!(matches!(added.await, Err(relay::Error::Invalid(_))), "on {}", database.name);
        stage.text_to("loop", Some("+14155550103"), open.dials[0].expose(), "Hello").await;
        assert_eq!(stage.newest().await, refused(Reason::Loop), "on {}", database.name);
        // A carrier's spelling is another than the account's.
        let new = json!({ "number": "+525512345678", "service_id": stage.market.service });
        receiver::done(&stage.world, "POST", "/numbers", Some(new)).await;
        for said in ways_in(&stage, "+5215512345678", &there).await {
            assert_eq!(said.as_deref(), Some("proxy_number"), "on {}", database.name);
        }
        let dials = open.dials[0].expose();
        stage.text_to("spelled", Some("+5215512345678"), dials, "Hello").await;
        assert_eq!(stage.newest().await, refused(Reason::Loop), "on {}", database.name);
        stage.end(database).await;
    }
}
