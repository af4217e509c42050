//! What bounds those who give PINs: guesses that are counted and given back, lengths, limits and budgets, and who is
//! not asked at all; on each engine.

use entremise::domain::{
    abuse::{Limit, Limits},
    assurance::AssuranceRules,
    budget::Budget,
    policy::Rules,
};
use serde_json::{Value, json};

use crate::{
    assurance::{Shared, Stage, asks, other, rings, sharing},
    poison::sql,
    receiver::{ask, done},
    support::{self, Database},
};

const HOUR_MS: i64 = 3_600_000;

/// The path of a participant of a session.
fn of(session: &Value, place: usize) -> String {
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    format!("/sessions/{}/participants/{}", id(session), id(&session["participants"][place]))
}

/// Whoever shows their own number gives that PIN; what the carrier is told.
async fn gives(stage: &Stage, shared: &Shared, pin: &str) -> Value {
    let asked = stage.calls(Some(&stage.number(0)), &shared.number, None).await;
    if asks(&asked) { stage.keys(&asked, pin).await } else { asked }
}

async fn why(stage: &Stage) -> String {
    stage.last().await["reason"].as_str().unwrap_or_default().to_owned()
}

/// A right PIN takes nothing from the budget of wrong ones, neither the caller's nor the number's: whoever has theirs
/// may call as often as they like.
#[tokio::test]
async fn right_pins_use_nothing_up() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        for n in 0..25 {
            let heard = stage.withheld(&shared.number, &[&shared.pin]).await;
            assert!(rings(&heard).is_some(), "{n} on {}: {heard}", database.name);
        }
        for n in 0..12 {
            let heard = gives(&stage, &shared, &shared.pin).await;
            assert!(rings(&heard).is_some(), "{n} on {}: {heard}", database.name);
        }
        stage.end(database).await;
    }
}

/// Ten wrong PINs a day lock a caller out, though no hour had more than five; the day after they are heard again.
#[tokio::test]
async fn a_caller_has_ten_wrong_pins_a_day() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        let wrong = other(&shared.pin);
        for _ in 0..2 {
            for _ in 0..5 {
                gives(&stage, &shared, &wrong).await;
                assert_ne!(why(&stage).await, "pin_locked", "on {}", database.name);
            }
            stage.world.clock.advance(HOUR_MS + 1_000);
        }
        assert!(rings(&gives(&stage, &shared, &shared.pin).await).is_none(), "{}", database.name);
        assert_eq!(why(&stage).await, "pin_locked", "on {}", database.name);
        assert_eq!(stage.events("pin.locked").await.len(), 1);
        stage.world.clock.advance(24 * HOUR_MS);
        assert!(rings(&gives(&stage, &shared, &shared.pin).await).is_some(), "{}", database.name);
        stage.end(database).await;
    }
}

/// A PIN that rests is as wrong as any other: whoever tries it again and again uses the number's budget up.
#[tokio::test]
async fn a_pin_that_rests_counts_as_wrong() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        stage.close(&shared.session).await;
        for _ in 0..10 {
            stage.withheld(&shared.number, &[&shared.pin, &shared.pin]).await;
        }
        stage.withheld(&shared.number, &[&shared.pin]).await;
        assert_eq!(why(&stage).await, "pin_locked", "on {}", database.name);
        stage.end(database).await;
    }
}

/// Gives a number so many PINs of that length that stand alone.
async fn crowd(database: &Database, stage: &Stage, digits: u32, count: u32) {
    let (account, number) = (&stage.market.account, &stage.market.numbers[1]);
    let all = format!(
        "INSERT INTO pins (account, number_id, pin, session, participant, alone, digits, replaced,
            release_at, created_at)
         WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})
         SELECT '{account}', '{number}', 'x{digits}-' || CAST(n AS TEXT), 'KC0', 'KP0', TRUE, {digits},
            FALSE, NULL, 0 FROM s RETURNING created_at"
    );
    sql(database, &all).await;
}

/// The more PINs of ours a number has, the longer is the next; beyond the last length no session is opened on it, and
/// nobody there gets another.
#[tokio::test]
async fn pins_grow_with_their_number() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        let path = format!("{}/pin", of(&shared.session, 0));
        assert_eq!(shared.pin.len(), 7);
        for (digits, count) in [(7, 9), (8, 99), (9, 999)] {
            crowd(&database, &stage, digits, count).await;
            let made = stage.done("PUT", &path, json!({ "pin": "auto" })).await;
            let made = made["participants"][0]["pin"].as_str().unwrap().to_owned();
            assert_eq!(u32::try_from(made.len()).unwrap(), digits + 1, "on {}", database.name);
        }
        crowd(&database, &stage, 10, 9_999).await;
        let (status, body) = ask(&stage.world, "PUT", &path, Some(json!({ "pin": "auto" }))).await;
        assert_eq!((status, &body["errors"][0]["code"]), (422, &json!("pin_no_room")), "{body}");
        let another = stage.pair([0, 5], None);
        let (status, body) = ask(&stage.world, "POST", "/sessions", Some(another)).await;
        assert_eq!((status, &body["code"]), (409, &json!("pool_exhausted")), "{body}");
        stage.end(database).await;
    }
}

/// On a shared number everybody has a PIN of ours, also who asked for one of their own; whoever leaves takes theirs
/// with them, and it rests.
#[tokio::test]
async fn on_a_shared_number_every_pin_is_ours() {
    for database in support::databases().await {
        let stage = Stage::open(&database, sharing()).await;
        let shared = stage.shared().await;
        let who = of(&shared.session, 0);
        let set = stage.done("PUT", &format!("{who}/pin"), json!({ "pin": "4821" })).await;
        let buyer = &set["participants"][0];
        assert_eq!(buyer["pin_use"], "alone", "on {}", database.name);
        let made = buyer["pin"].as_str().unwrap().to_owned();
        assert!(rings(&stage.withheld(&shared.number, &[&made]).await).is_some());
        assert!(rings(&gives(&stage, &shared, "4821").await).is_none());
        let open = "SELECT COUNT(*) FROM pins WHERE release_at IS NULL";
        assert_eq!(sql(&database, open).await, 1);
        done(&stage.world, "DELETE", &who, None).await;
        assert!(rings(&stage.withheld(&shared.number, &[&made]).await).is_none());
        assert_eq!(sql(&database, open).await, 0, "on {}", database.name);
        stage.end(database).await;
    }
}

/// Whoever was put through by a PIN is bounded as anybody is: by calls at once, and by their account's budget.
#[tokio::test]
async fn limits_hold_for_those_who_gave_a_pin() {
    for database in support::databases().await {
        let mut config = support::settings(&database);
        config.abuse.limits = Limits::usual();
        config.account_budget = Budget { texts: Some(1), ..Budget::default() };
        let stage = Stage::with(config, sharing()).await;
        let shared = stage.shared().await;
        assert!(rings(&stage.withheld(&shared.number, &[&shared.pin]).await).is_some());
        let heard = stage.withheld(&shared.number, &[&shared.pin]).await;
        assert!(rings(&heard).is_none(), "{heard}");
        assert_eq!(why(&stage).await, "call_in_progress", "on {}", database.name);
        // Nobody told how it ended, and it was never answered.
        stage.world.clock.advance(5 * 60_000);
        let text = json!({
            "event": "message", "id": "1", "from": stage.number(3), "to": shared.own, "text": "Yes",
        });
        stage.tells("message", &text).await;
        stage.world.running.idle().await;
        stage.world.running.relay.price_charges().await.unwrap();
        stage.world.running.relay.measure_budgets().await.unwrap();
        let heard = stage.withheld(&shared.number, &[&shared.pin]).await;
        assert!(rings(&heard).is_none(), "{heard}");
        assert_eq!(why(&stage).await, "budget_spent", "on {}", database.name);
        stage.end(database).await;
    }
}

/// What comes from a proxy number is not asked for a PIN, nor is whoever has tried too many numbers: it would be put
/// through, or guess on.
#[tokio::test]
async fn some_are_not_asked() {
    for database in support::databases().await {
        let mut config = support::settings(&database);
        config.abuse.limits.set(Limit::HarvestNumbers, 1);
        let assurance = AssuranceRules { pin_from_any_phone: true, ..sharing().assurance };
        let stage = Stage::with(config, Rules { assurance, ..sharing() }).await;
        let shared = stage.shared().await;
        let ours = shared.own.as_str();
        assert!(!asks(&stage.calls(Some(ours), &shared.number, None).await), "{}", database.name);
        assert_eq!(why(&stage).await, "loop");
        let stranger = stage.number(4);
        let first = stage.calls(Some(&stranger), &shared.number, None).await;
        assert!(asks(&first), "{first} on {}", database.name);
        let second = stage.calls(Some(&stranger), ours, None).await;
        assert!(!asks(&second), "{second} on {}", database.name);
        stage.end(database).await;
    }
}
