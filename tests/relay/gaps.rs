//! Webhooks that never came: the carrier's lists fill the gaps, and never twice.

use std::time::Duration;

use entremise::{
    domain::{
        interaction::{Kind, Outcome, Reason},
        message::Body,
        policy::Rules,
    },
    sandbox::{CallStage, Faults},
    store::{events, interactions::Interaction, sessions::Page},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    fake,
    market::Market,
    over_twilio::Stage,
    support::{self, World},
};

const MINUTE: Duration = Duration::from_mins(1);

async fn log(world: &World) -> Vec<Interaction> {
    support::interactions(world).await
}

/// The events of an account, by type.
async fn told(world: &World, kind: &str) -> Vec<Value> {
    let mut tx = world.running.relay.db().read().await.unwrap();
    let page = Page { before: None, after: None, limit: 1000 };
    let account = &world.account.account;
    let all = events::list(&mut tx, account, None, Some(kind), &page).await.unwrap();
    all.iter().map(|event| serde_json::from_str(&event.data).unwrap()).collect()
}

/// Over the simulated network: a text whose webhook got lost arrives all the same, once, and a call
/// is logged as missed, told as an event, and rings nobody.
#[tokio::test]
async fn i9_lost_webhooks_are_made_up_for() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let market = Market::open(&world, 2, 2, Rules::new("Bikes".into())).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let [buyer, seller] = [market.people[0].phone, market.people[1].phone];
        market.network.set_faults(Faults { lost_webhook_percent: 100, ..Faults::default() });
        market.network.text(buyer, &session.dials[0], Body::new("Hello".into())).unwrap();
        let call = market.network.dial(buyer, &session.dials[0]).unwrap();
        market
            .network
            .until(buyer, |view| view.calls.iter().any(|one| one.id == call && one.stage.is_over()))
            .await;
        world.running.idle().await;
        assert!(log(&world).await.is_empty(), "nothing came");
        market.network.set_faults(Faults::default());
        world.running.relay.reconcile(MINUTE).await.unwrap();
        assert!(log(&world).await.is_empty(), "the webhooks may be on the way");
        world.clock.advance(61_000);
        world.running.relay.reconcile(MINUTE).await.unwrap();
        world.running.idle().await;
        world.clock.advance(61_000);
        world.running.relay.reconcile(MINUTE).await.unwrap();
        world.running.idle().await;
        let view = market.network.seen(seller).unwrap();
        assert_eq!(view.received().count(), 1, "once, on {}", database.name);
        assert!(view.calls.is_empty(), "nobody is rung");
        let all = log(&world).await;
        assert_eq!(all.len(), 2);
        let of = |kind| all.iter().find(|one| one.kind == kind).unwrap();
        assert_eq!(of(Kind::Message).outcome, Some(Outcome::Relayed));
        assert_eq!(of(Kind::Call).outcome, Some(Outcome::Missed));
        assert_eq!(of(Kind::Call).reason, Some(Reason::WebhookMissed));
        let missed = told(&world, "call.missed").await;
        assert_eq!(missed.len(), 1);
        assert_eq!(missed[0]["reason"], "webhook_missed");
        assert!(missed[0]["late_seconds"].as_u64().unwrap() >= 60);
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// A call that is still under way is left to its webhook, which still gets its plan.
#[tokio::test]
async fn i10_a_live_call_is_left_alone() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let market = Market::open(&world, 2, 2, Rules::new("Bikes".into())).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let [buyer, seller] = [market.people[0].phone, market.people[1].phone];
        let call = market.network.dial(buyer, &session.dials[0]).unwrap();
        let ringing = |view: &entremise::sandbox::PhoneView| {
            view.call().is_some_and(|one| one.stage == CallStage::Ringing)
        };
        market.network.until(seller, ringing).await;
        world.clock.advance(61_000);
        world.running.relay.reconcile(MINUTE).await.unwrap();
        assert_eq!(log(&world).await.len(), 1);
        market.network.hang_up(buyer, &call).unwrap();
        world.running.idle().await;
        world.clock.advance(61_000);
        world.running.relay.reconcile(MINUTE).await.unwrap();
        let all = log(&world).await;
        assert_eq!(all.len(), 1, "one call, one line, on {}", database.name);
        assert_ne!(all[0].reason, Some(Reason::WebhookMissed));
        world.running.shutdown().await;
        database.drop().await;
    }
}

impl Stage {
    /// A text from the buyer, as Twilio lists it, `age` seconds old.
    fn came_in(&self, sid: u32, body: &str, age: i64) -> Value {
        let at = self.world.clock.now().millis() - age * 1000;
        json!({
            "sid": format!("SM{sid:032x}"), "direction": "inbound", "status": "received",
            "from": self.market.people[0].number.expose(), "to": self.session.dials[0].expose(),
            "body": body, "num_media": "0", "date_created": fake::rfc2822(at),
            "date_sent": fake::rfc2822(at), "error_code": null,
        })
    }

    async fn compare(&self) {
        self.world.running.relay.reconcile(MINUTE).await.unwrap();
        self.world.running.jobs.idle().await;
    }
}

/// Over Twilio: gaps are filled in the order in which they came, over several pages of our own
/// carrier whatever host a page names; a webhook that comes after all is a duplicate; what left, what
/// is for others and what came before the number was ours is left alone.
#[tokio::test]
async fn i10_a_late_webhook_is_a_duplicate() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        // The numbers are older than the gaps.
        stage.world.clock.advance(600_000);
        stage.api.pages(2, "http://169.254.169.254");
        stage.api.record("Messages", stage.came_in(1, "before it was ours", 3600));
        for (sid, body, age) in [(2, "one", 100), (3, "two", 90), (4, "three", 80)] {
            stage.api.record("Messages", stage.came_in(sid, body, age));
        }
        let mut other = stage.came_in(5, "not ours", 70);
        other["to"] = "+14155550199".into();
        stage.api.record("Messages", other);
        let mut out = stage.came_in(6, "outbound", 60);
        out["direction"] = "outbound-api".into();
        stage.api.record("Messages", out);
        stage.api.record("Messages", stage.came_in(7, "on the way", 5));
        stage.compare().await;
        let sent: Vec<String> =
            stage.api.asked().iter().map(|one| one.fields["Body"].clone()).collect();
        assert_eq!(sent, ["one", "two", "three"], "on {}", database.name);
        stage.text(&format!("SM{:032x}", 2), "one").await;
        stage.world.clock.advance(61_000);
        stage.compare().await;
        let sent: Vec<String> =
            stage.api.asked().iter().map(|one| one.fields["Body"].clone()).collect();
        assert_eq!(sent, ["one", "two", "three", "on the way"]);
        assert_eq!(log(&stage.world).await.len(), 4);
        stage.end(database).await;
    }
}

/// A text that is told of too late is logged with its reason, told as an event, and not sent; one to
/// a session that was closed meanwhile is refused, as if it came now (I3).
#[tokio::test]
async fn i9_what_comes_too_late_is_logged() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.world.clock.advance(3_600_000);
        stage.api.record("Messages", stage.came_in(1, "old", 16 * 60));
        stage.compare().await;
        let old = log(&stage.world).await.remove(0);
        assert_eq!(old.outcome, Some(Outcome::Failed));
        assert_eq!(old.reason, Some(Reason::WebhookMissed));
        assert_eq!(told(&stage.world, "message.failed").await[0]["reason"], "webhook_missed");
        stage.market.close(&stage.session.id).await.unwrap();
        stage.api.record("Messages", stage.came_in(2, "young", 60));
        stage.world.clock.advance(61_000);
        stage.compare().await;
        let young = log(&stage.world).await.remove(0);
        assert_eq!(young.outcome, Some(Outcome::Refused));
        assert_eq!(young.reason, Some(Reason::SessionClosed));
        assert!(stage.api.asked().is_empty(), "nothing is sent");
        stage.end(database).await;
    }
}

/// One node at a time: two that compare at once ask each list once. A list that can't be read is read
/// again the next time, from where the last whole one ended.
#[tokio::test]
async fn one_node_compares_and_a_failure_loses_nothing() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.world.clock.advance(600_000);
        let relay = &stage.world.running.relay;
        let (one, two) = tokio::join!(relay.reconcile(MINUTE), relay.reconcile(MINUTE));
        one.and(two).unwrap();
        assert_eq!(stage.api.lists().len(), 2, "{:?}", stage.api.lists());
        stage.api.record("Messages", stage.came_in(1, "one", 60));
        // Twelve hours in which the carrier can't be asked.
        for _ in 0..3 {
            stage.world.clock.advance(4 * 3_600_000);
            stage.api.lists_answer(&[StatusCode::SERVICE_UNAVAILABLE; 2]);
            stage.compare().await;
        }
        assert!(log(&stage.world).await.is_empty());
        stage.world.clock.advance(61_000);
        stage.compare().await;
        let all = log(&stage.world).await;
        assert_eq!(all.len(), 1, "on {}", database.name);
        assert_eq!(all[0].reason, Some(Reason::WebhookMissed));
        let lists = stage.api.lists();
        assert!(lists.iter().any(|url| url.contains("/Messages.json?DateSent%3E=20")), "{lists:?}");
        assert!(lists.iter().any(|url| url.contains("/Calls.json?StartTime%3E=20")), "{lists:?}");
        stage.end(database).await;
    }
}
