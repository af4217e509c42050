//! Somebody sets the clock.

use std::time::Duration;

use entremise::{domain::policy::Rules, relay};

use serde_json::json;

use crate::{
    market::Market,
    receiver::{ask, done},
    support::{self, World},
};

const QUARANTINE: Duration = Duration::from_hours(7 * 24);
const DAY_MS: i64 = 86_400_000;

/// I28: a clock that is set forward makes no quarantine shorter: other pairs get the numbers when so
/// much time has passed, and not when the clock says so.
#[tokio::test]
async fn i28_a_clock_set_forward_frees_no_number() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let rules = Rules { quarantine: QUARANTINE, ..Rules::new("Bikes".into()) };
        let market = Market::open(&world, 4, 1, rules).await;
        let first = market.session([0, 1], 0, None).await.unwrap();
        market.close(&first.id).await.unwrap();
        let refused = || async {
            let other = market.session([0, 3], 0, None).await;
            assert!(matches!(other, Err(relay::Error::PoolExhausted(_))), "{}", database.name);
        };
        world.clock.set(30 * DAY_MS);
        refused().await;
        world.clock.advance(6 * DAY_MS);
        refused().await;
        world.clock.advance(DAY_MS);
        market.session([0, 3], 0, None).await.unwrap();
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// I28: nor does it let a PIN mean anything else before it has rested.
#[tokio::test]
async fn i28_a_clock_set_forward_frees_no_pin() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let rules = Rules { quarantine: QUARANTINE, ..Rules::new("Bikes".into()) };
        let market = Market::open(&world, 2, 2, rules).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let path = format!("/sessions/{}", session.id);
        let view = done(&world, "GET", &path, None).await;
        let path =
            format!("{path}/participants/{}/pin", view["participants"][0]["id"].as_str().unwrap());
        let set = async |pin: &str| ask(&world, "PUT", &path, Some(json!({ "pin": pin }))).await;
        for pin in ["4821", "7316"] {
            assert_eq!(set(pin).await.0, 200, "{pin}");
        }
        for (jump, passes, status) in [(30, 0, 422), (0, 6, 422), (0, 1, 200)] {
            if jump > 0 {
                world.clock.set(jump * DAY_MS);
            }
            world.clock.advance(passes * DAY_MS);
            let (found, body) = set("4821").await;
            assert_eq!(found, status, "{jump} {passes} on {}: {body}", database.name);
        }
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// Clocks are corrected: by less than an hour at once, and later than that nothing is kept any longer.
#[tokio::test]
async fn i28_a_corrected_clock_is_believed() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let rules = Rules { quarantine: QUARANTINE, ..Rules::new("Bikes".into()) };
        let market = Market::open(&world, 4, 1, rules).await;
        let first = market.session([0, 1], 0, None).await.unwrap();
        market.close(&first.id).await.unwrap();
        world.clock.advance(6 * DAY_MS);
        world.clock.set(59 * 60_000);
        world.clock.advance(DAY_MS - 59 * 60_000);
        market.session([0, 3], 0, None).await.unwrap();
        world.running.shutdown().await;
        database.drop().await;
    }
}
