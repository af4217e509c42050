//! A carrier shows only the numbers that the account has with it: where a session's numbers have come to
//! be at two carriers, nobody is rung from the other's.

use entremise::{
    config::{CarrierConfig, Rates},
    domain::{
        budget::Budget,
        interaction::{Outcome, Reason},
        phone::ProxyNumber,
        policy::Rules,
        pool::Capabilities,
        session::Mode,
    },
    relay::{self, NewNumber, UpdateNumber},
    sandbox::PhoneId,
    store::{
        legs::{self, Direction},
        numbers::NumberState,
        participants,
    },
};
use serde_json::{Value, json};

use crate::{
    market::{Market, Opened},
    support::{self, CARRIER, Database, SECRET, World},
};

/// Another account at the same kind of carrier.
const ELSEWHERE: &str = "elsewhere";

/// A session whose seller's number has moved to another carrier account since it was opened.
struct Moved {
    world: World,
    market: Market,
    session: Opened,
}

impl Moved {
    async fn open(database: &Database) -> Self {
        let mut config = support::settings(database);
        let mut values = toml::Table::new();
        values.insert("secret".into(), SECRET.into());
        config.carriers.push(CarrierConfig {
            id: ELSEWHERE.into(),
            kind: "sandbox".into(),
            api_base: None,
            rates: Rates::default(),
            budget: Budget::default(),
            buying: false,
            fallback_url: None,
            values,
        });
        let world = World::with(config).await;
        let market = Market::open(&world, 2, 2, Rules::new("Bikes".into())).await;
        let session = market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        market.close(&session.id).await.unwrap();
        let (account, service, id) =
            (market.account.clone(), market.service.clone(), market.numbers[1].clone());
        let number = ProxyNumber::parse(session.dials[1].expose()).unwrap();
        let moved = market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            let new = NewNumber {
                service: service.clone(),
                number: number.clone(),
                carrier: ELSEWHERE.into(),
                capabilities: Capabilities::parse("voice|sms").unwrap(),
                reserved: false,
            };
            Box::pin(async move {
                let gone = UpdateNumber { state: Some(NumberState::Retired), ..Default::default() };
                relay::update_number(tx, &account, &id, gone, None).await?;
                relay::add_number(tx, &account, &new).await
            })
        });
        assert_eq!(moved.await.unwrap().id, market.numbers[1]);
        market.reopen(&session.id).await.unwrap();
        Self { world, market, session }
    }

    fn phone(&self, place: usize) -> PhoneId {
        self.market.people[place].phone
    }

    /// Nobody's phone rang with a number that its carrier does not have, and the log says why.
    async fn unrung(&self, calls: usize, outcome: Outcome) {
        self.world.running.idle().await;
        let seller = self.market.network.seen(self.phone(1)).unwrap();
        assert!(seller.calls.is_empty(), "rung from another carrier's number: {:?}", seller.calls);
        let log = support::interactions(&self.world).await;
        assert_eq!(log.len(), calls);
        assert_eq!(log[0].outcome, Some(outcome), "{:?}", log[0].reason);
        let mut tx = self.market.relay.db().read().await.unwrap();
        let legs = legs::of_interaction(&mut tx, &self.market.account, &log[0].id).await.unwrap();
        let unshown: Vec<_> = legs
            .iter()
            .filter(|leg| leg.reason == Some(Reason::CarrierConfig))
            .map(|leg| (leg.direction, leg.number.as_str()))
            .collect();
        assert_eq!(unshown, [(Direction::Outbound, self.session.dials[1].expose())]);
    }

    async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// Whoever calls the number that stayed is not put through: the other side's number is not one that the
/// caller's carrier account holds.
#[tokio::test]
async fn a_number_of_another_carrier_is_never_the_caller_id() {
    for database in support::databases().await {
        let moved = Moved::open(&database).await;
        let event = json!({
            "event": "call", "id": "c1", "from": moved.market.people[0].number.expose(),
            "to": moved.session.dials[0].expose(),
        });
        let answer = support::webhook(&moved.world, "call", &event).await;
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(!told.to_string().contains(&moved.session.dials[1].expose()[1..]), "{told}");
        moved.unrung(1, Outcome::Failed).await;
        moved.end(database).await;
    }
}

/// A call that the marketplace asks for rings the first, and then nobody whose number is elsewhere.
#[tokio::test]
async fn a_placed_call_shows_no_number_of_another_carrier() {
    for database in support::databases().await {
        let moved = Moved::open(&database).await;
        let (account, session) = (moved.market.account.clone(), moved.session.id.clone());
        let placed = moved.market.relay.db().write(move |tx| {
            let (account, session) = (account.clone(), session.clone());
            Box::pin(async move {
                let people = participants::of_session(tx, &account, &session).await?;
                let buyer = people.iter().find(|one| one.role == "buyer").unwrap();
                relay::place_call(tx, &account, &session, &buyer.id).await
            })
        });
        assert_eq!(placed.await.unwrap().carrier, CARRIER);
        moved.market.relay.wake().notify_one();
        let network = &moved.market.network;
        let rung = network.until(moved.phone(0), |view| view.call().is_some()).await;
        network.answer(rung.id, &rung.call().unwrap().id).unwrap();
        network.until(moved.phone(0), |view| view.call().is_none()).await;
        moved.unrung(1, Outcome::Failed).await;
        moved.end(database).await;
    }
}
