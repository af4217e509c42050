//! What texts and calls cost: as their carrier tells, else by the table of the settings; and its sums.

use std::collections::BTreeSet;

use entremise::{
    config::{Config, PriceEntry},
    domain::{
        budget::Budget,
        interaction::{Outcome, Reason},
        policy::Rules,
        price::{Per, Price},
    },
    store::charges::{self, Charge, PriceSource},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    fake::{self, Api},
    market::{Market, Opened},
    receiver,
    support::{self, Database, World},
};

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) config: Config,
    pub(crate) market: Market,
    pub(crate) session: Opened,
    pub(crate) api: Api,
}

impl Stage {
    async fn open(database: &Database, prices: &[(Per, Option<u16>, &str)]) -> Self {
        Self::within(database, prices, Budget::default(), Budget::default()).await
    }

    /// The same with a budget for each carrier, and one for each account.
    pub(crate) async fn within(
        database: &Database,
        prices: &[(Per, Option<u16>, &str)],
        carrier: Budget,
        account: Budget,
    ) -> Self {
        let api = Api::start().await;
        let mut settings = fake::settings(database, &api);
        for one in &mut settings.carriers {
            one.budget = carrier;
        }
        settings.account_budget = account;
        settings.prices = prices
            .iter()
            .map(|(per, code, price)| PriceEntry {
                carrier: "twilio".into(),
                code: *code,
                per: *per,
                price: Price::parse_both(price).unwrap(),
            })
            .collect();
        let world = World::standing(settings.clone()).await;
        api.keeps_time(&world.clock);
        let market = Market::at("twilio", &world, 2, 2, Rules::new("Bikes".into())).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        Self { world, config: settings, market, session, api }
    }

    pub(crate) async fn text(&self, sid: &str, words: &str) {
        self.text_in(&self.session, sid, words).await;
    }

    pub(crate) async fn text_in(&self, session: &Opened, sid: &str, words: &str) {
        let fields = [
            ("MessageSid", sid),
            ("From", self.market.people[0].number.expose()),
            ("To", session.dials[0].expose()),
            ("Body", words),
            ("NumMedia", "0"),
        ];
        let answer = fake::webhook(&self.world, "/hooks/twilio/message", &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
        self.world.running.jobs.idle().await;
    }

    /// How the newest text or call ended.
    pub(crate) async fn newest(&self) -> (Option<Outcome>, Option<Reason>) {
        let newest = support::interactions(&self.world).await.remove(0);
        (newest.outcome, newest.reason)
    }

    /// What was spent is priced and summed.
    pub(crate) async fn sum_up(&self) {
        self.world.running.relay.price_charges().await.unwrap();
        self.world.running.relay.measure_budgets().await.unwrap();
    }

    /// The buyer calls; what the carrier is told.
    pub(crate) async fn call(&self, id: u32) -> String {
        let sid = format!("CA{id:032x}");
        let fields = [
            ("CallSid", &*sid),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", self.market.people[0].number.expose()),
            ("To", self.session.dials[0].expose()),
        ];
        let answer = fake::webhook(&self.world, "/hooks/twilio/call", &fields).await;
        String::from_utf8(answer.body).unwrap()
    }

    async fn charges(&self) -> Vec<Charge> {
        self.world.running.relay.price_charges().await.unwrap();
        let ids: Vec<_> =
            support::interactions(&self.world).await.into_iter().rev().map(|one| one.id).collect();
        let mut tx = self.market.relay.db().read().await.unwrap();
        charges::of_interactions(&mut tx, &self.market.account, &ids).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let path = path.strip_prefix("/api/v1").unwrap();
        receiver::done(&self.world, "GET", path, None).await
    }

    pub(crate) async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// A text that a carrier took costs its parts by the settings' table, and only once it took it; the API
/// shows it with its interaction and its leg, and sums it.
#[tokio::test]
async fn texts_cost_what_the_table_says() {
    for database in support::databases().await {
        let prices = [(Per::Segment, Some(1), "0.0079 USD"), (Per::Segment, None, "1 EUR")];
        let stage = Stage::open(&database, &prices).await;
        stage.text("SM1", "Hello").await;
        stage.text("SM2", &"é".repeat(161)).await;
        stage.api.answers(&[StatusCode::BAD_REQUEST]);
        stage.text("SM3", "Refused").await;
        let charges = stage.charges().await;
        let costs: BTreeSet<_> = charges
            .iter()
            .map(|one| (one.segments, one.price.map(|cost| cost.to_string())))
            .collect();
        let cost = |text: &str| Some(text.to_owned());
        let expected = [(Some(1), cost("0.0079 USD")), (Some(2), cost("0.0158 USD"))];
        assert_eq!(costs, BTreeSet::from(expected), "on {}", database.name);
        assert!(charges.iter().all(|one| one.source == Some(PriceSource::Table)));

        let list = stage.get("/api/v1/interactions").await;
        let amounts: Vec<&Value> =
            list["data"].as_array().unwrap().iter().map(|one| &one["prices"]).collect();
        let usd = |amount: &str| json!({ "amount": amount, "currency": "USD" });
        assert_eq!(amounts, [&json!([]), &json!([usd("0.0158")]), &json!([usd("0.0079")])]);
        let id = list["data"][1]["id"].as_str().unwrap();
        let one = stage.get(&format!("/api/v1/interactions/{id}")).await;
        assert_eq!(one["prices"], json!([usd("0.0158")]));
        assert_eq!(one["legs"][0]["price"], Value::Null);
        let price = json!({ "amount": "0.0158", "currency": "USD", "source": "table" });
        assert_eq!((&one["legs"][1]["price"], &one["legs"][1]["segments"]), (&price, &json!(2)));

        // What is of this very instant is not of the time before it.
        stage.world.clock.advance(1);
        for (group, key) in [
            ("carrier", json!("twilio")),
            ("session", json!(stage.session.id)),
            ("service", json!(stage.market.service)),
        ] {
            let usage = stage.get(&format!("/api/v1/usage?group={group}")).await;
            let sum = json!({
                "key": key, "texts": 2, "segments": 3, "call_legs": 0, "minutes": 0,
                "amounts": [usd("0.0237")], "without_price": 0,
            });
            assert_eq!(usage["data"], json!([sum]), "by {group}, on {}", database.name);
        }
        let usage = stage.get("/api/v1/usage?carrier=other").await;
        assert_eq!(usage["data"], json!([]));
        stage.end(database).await;
    }
}

/// A text that was found on its carrier's record costs what stands there, whatever the table says.
#[tokio::test]
async fn a_carriers_own_price_counts() {
    for database in support::databases().await {
        let stage = Stage::open(&database, &[(Per::Segment, None, "1 EUR")]).await;
        stage.api.takes_but_answers(StatusCode::INTERNAL_SERVER_ERROR);
        stage.api.charges("-0.00750", "USD");
        stage.text("SM1", "Hello").await;
        stage.world.clock.advance(11_000);
        stage.world.running.jobs.idle().await;
        let charges = stage.charges().await;
        assert_eq!(charges.len(), 1);
        assert_eq!(charges[0].price, Price::parse("0.0075", "USD"), "on {}", database.name);
        assert_eq!(charges[0].source, Some(PriceSource::Carrier));
        assert_eq!(charges[0].segments, Some(1));
        stage.end(database).await;
    }
}

/// Calls cost their minutes, of each leg, once it ended.
#[tokio::test]
async fn calls_cost_their_minutes() {
    for database in support::databases().await {
        let prices = [(Per::Minute, None, "0.01 USD"), (Per::InboundMinute, None, "0.005 USD")];
        let stage = Stage::open(&database, &prices).await;
        let sid = format!("CA{:032x}", 1);
        let document = stage.call(1).await;
        let path = |attribute: &str, place: usize| {
            let url = document.split(&format!("{attribute}=\"")).nth(place).unwrap();
            let url = url.split('"').next().unwrap().replace("&amp;", "&");
            url.strip_prefix(&stage.world.running.origin).unwrap().to_owned()
        };
        let rung = format!("CA{:032x}", 2);
        let over = [("CallSid", &*rung), ("CallStatus", "completed"), ("CallDuration", "61")];
        fake::webhook(&stage.world, &path("statusCallback", 1), &over).await;
        let over = [("CallSid", &*sid), ("CallStatus", "completed"), ("CallDuration", "65")];
        fake::webhook(&stage.world, "/hooks/twilio/status", &over).await;
        let mut costs: Vec<String> =
            stage.charges().await.iter().map(|one| one.price.unwrap().to_string()).collect();
        costs.sort();
        assert_eq!(costs, ["0.01 USD", "0.02 USD"], "on {}", database.name);
        stage.world.clock.advance(1);
        let usage = stage.get("/api/v1/usage").await;
        let sum = &usage["data"][0];
        assert_eq!((&sum["call_legs"], &sum["minutes"]), (&json!(2), &json!(4)));
        assert_eq!(sum["amounts"], json!([{ "amount": "0.03", "currency": "USD" }]));
        stage.end(database).await;
    }
}
