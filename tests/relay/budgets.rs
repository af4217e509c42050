//! What may be spent: what is above a budget is refused, until there is a new one.

use entremise::{
    domain::{
        budget::Budget,
        interaction::{Outcome, Reason},
        price::{Per, Price},
    },
    ids::AccountId,
};
use serde_json::json;

use crate::{
    market::Market,
    poison::sql,
    prices::Stage,
    receiver,
    support::{self, CARRIER, World},
};

/// In milliseconds.
const DAY: i64 = 86_400_000;

/// What is above a carrier's budget is refused: texts, calls that come in and calls that the marketplace
/// asks for; a new day has a new budget, and what the budget has room for goes.
#[tokio::test]
async fn a_carriers_budget_bounds_texts_and_calls() {
    for database in support::databases().await {
        let budget = Budget {
            per_day: Price::parse("0.03", "EUR"),
            per_month: Price::parse("100", "EUR"),
            ..Budget::default()
        };
        let prices = [(Per::Segment, None, "0.01 EUR")];
        let stage = Stage::within(&database, &prices, budget, Budget::default()).await;
        assert!(stage.call(1).await.contains("<Number"), "on {}", database.name);
        for (sid, sent) in [("SM1", 1), ("SM2", 2), ("SM3", 3)] {
            stage.text(sid, "Hello").await;
            assert_eq!(stage.api.asked().len(), sent);
            stage.sum_up().await;
        }
        let used = stage.get("/api/v1/carriers").await;
        assert_eq!(used["data"][1]["budget_used_percent"], json!(100));
        assert_eq!(used["data"][0]["budget_used_percent"], json!(0), "each has its own");
        stage.text("SM4", "Too much").await;
        assert_eq!(stage.newest().await, (Some(Outcome::Cancelled), Some(Reason::BudgetSpent)));
        assert!(!stage.call(2).await.contains("<Number"), "on {}", database.name);
        assert_eq!(stage.newest().await, (Some(Outcome::Refused), Some(Reason::BudgetSpent)));
        let path = format!("/sessions/{}", stage.session.id);
        let session = receiver::done(&stage.world, "GET", &path, None).await;
        let from = json!({ "participant_id": session["participants"][0]["id"] });
        receiver::done(&stage.world, "POST", &format!("{path}/calls"), Some(from)).await;
        stage.world.running.jobs.idle().await;
        assert_eq!(stage.newest().await, (Some(Outcome::Cancelled), Some(Reason::BudgetSpent)));
        assert_eq!(stage.api.asked().len(), 3, "nothing more was asked of the carrier");
        stage.world.clock.advance(DAY);
        stage.sum_up().await;
        assert_eq!(
            stage.get("/api/v1/carriers").await["data"][1]["budget_used_percent"],
            json!(0),
            "a new day; the month has room"
        );
        stage.text("SM5", "Hello again").await;
        assert_eq!(stage.api.asked().len(), 4, "on {}", database.name);
        stage.end(database).await;
    }
}

/// An account's budget is its own: another's texts at the same carrier go on. A restart forgets nothing, and
/// a new day has a new budget.
#[tokio::test]
async fn an_accounts_budget_is_its_own() {
    for database in support::databases().await {
        let budget = Budget { texts: Some(2), ..Budget::default() };
        let mut stage = Stage::within(&database, &[], Budget::default(), budget).await;
        for sid in ["SM1", "SM2"] {
            stage.text(sid, "Hello").await;
        }
        let other = stage.world.running.relay.create_account("Another").await.unwrap();
        let theirs = stage.market.beside("twilio", &other.account).await;
        stage.sum_up().await;
        stage.text("SM3", "Too much").await;
        assert_eq!(stage.newest().await, (Some(Outcome::Cancelled), Some(Reason::BudgetSpent)));
        assert_eq!(stage.api.asked().len(), 2, "on {}", database.name);
        assert!(over(&stage, &stage.market.account) && !over(&stage, &other.account));
        let session = theirs.session([0, 1], 0, None).await.unwrap();
        stage.text_in(&session, "SM4", "Hello from another").await;
        assert_eq!(stage.api.taken(), ["Hello", "Hello", "Hello from another"]);

        stage = Box::pin(started_again(stage)).await;
        assert!(over(&stage, &stage.market.account) && !over(&stage, &other.account));
        stage.text("SM5", "Too much").await;
        assert_eq!(stage.api.asked().len(), 3, "on {}", database.name);
        stage.world.clock.advance(DAY);
        stage.sum_up().await;
        stage.text("SM6", "Good morning").await;
        assert_eq!(stage.api.taken().last().unwrap(), "Good morning", "on {}", database.name);
        stage.end(database).await;
    }
}

/// What is spent on one day of a month is not there on the next; the next month has a budget of its own.
#[tokio::test]
async fn a_months_budget_lasts_a_month() {
    for database in support::databases().await {
        let budget = Budget { per_month: Price::parse("0.03", "EUR"), ..Budget::default() };
        let prices = [(Per::Segment, None, "0.01 EUR")];
        let stage = Stage::within(&database, &prices, budget, Budget::default()).await;
        for (sid, days) in [("SM1", 0), ("SM2", 1), ("SM3", 1)] {
            stage.text(sid, "Hello").await;
            stage.world.clock.advance(days * DAY);
            stage.sum_up().await;
        }
        stage.text("SM4", "Too much").await;
        assert_eq!(stage.newest().await, (Some(Outcome::Cancelled), Some(Reason::BudgetSpent)));
        assert_eq!(stage.api.asked().len(), 3, "on {}", database.name);
        stage.world.clock.advance(20 * DAY);
        stage.sum_up().await;
        stage.text("SM5", "A new month").await;
        assert_eq!(stage.api.taken().last().unwrap(), "A new month", "on {}", database.name);
        stage.end(database).await;
    }
}

fn over(stage: &Stage, account: &AccountId) -> bool {
    stage.world.running.relay.over_budget("twilio", account)
}

/// The same marketplace in another process.
pub(crate) async fn started_again(stage: Stage) -> Stage {
    let Stage { world, config, market, session, api } = stage;
    let World { running, account, clock, .. } = world;
    running.shutdown().await;
    let running = support::run(config.clone(), &clock).await.unwrap();
    running.relay.measure_budgets().await.unwrap();
    let network = running.network.clone().unwrap();
    let market = Market { relay: running.relay.clone(), network: network.clone(), ..market };
    let world = World { running, network, account, clock };
    Stage { world, config, market, session, api }
}

/// A budget that can't be summed is told of, and switches off no other: neither another carrier's nor the
/// accounts'.
#[tokio::test]
async fn a_sum_that_fails_switches_off_no_other() {
    for database in support::databases().await {
        let budget = Budget { texts: Some(2), ..Budget::default() };
        let stage = Stage::within(&database, &[], budget, budget).await;
        for sid in ["SM1", "SM2"] {
            stage.text(sid, "Hello").await;
        }
        // More than can be counted, at the carrier whose sum is made first.
        for n in 1..3 {
            let charge = format!(
                "INSERT INTO charges (account, leg, interaction, session, service, carrier, kind,
                    direction, code, at, micros, currency, source)
                 SELECT 'nobody', '{n}', interaction, session, service, '{CARRIER}', kind, direction,
                    code, at, {}, 'USD', 'table' FROM charges LIMIT 1",
                i64::MAX
            );
            sql(&database, &charge).await;
        }
        let relay = &stage.world.running.relay;
        assert!(relay.measure_budgets().await.is_err(), "on {}", database.name);
        assert_ne!(relay.budget_used(CARRIER), Some(100), "nobody knows");
        assert_eq!(relay.budget_used("twilio"), Some(100));
        assert!(relay.over_budget("twilio", &stage.market.account));
        stage.end(database).await;
    }
}
