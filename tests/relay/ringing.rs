//! Who is rung: teams, calls that the marketplace asks for, whoever misses one.

use std::time::Duration;

use entremise::{
    domain::{
        interaction::{Outcome, Reason},
        message::Body,
        policy::{Rules, TeamRing},
        session::Mode,
    },
    ids::{ParticipantId, SessionId},
    relay::{self, AddParticipant, OpenSession, SessionView},
    sandbox::{CallStage, PhoneId, PhoneView, Sound},
};

use crate::{
    market::Market,
    support::{self, Database, World},
};

/// A buyer, and two sellers who are a team.
struct Shop {
    world: World,
    market: Market,
    view: SessionView,
}

impl Shop {
    async fn open(database: &Database, change: impl Fn(&mut Rules)) -> Self {
        let world = World::start(database).await;
        let mut rules = Rules::new("Bikes".into());
        rules.participants_max = 3;
        change(&mut rules);
        let market = Market::open(&world, 3, 6, rules).await;
        let roles = ["buyer", "seller", "seller"];
        let new = OpenSession {
            service: market.service.clone(),
            unique_name: Some("order-7".into()),
            mode: Mode::VoiceAndMessage,
            ttl: None,
            date_expiry: None,
            recording: None,
            metadata: "{}".into(),
            participants: (0..3)
                .map(|place| AddParticipant {
                    identifier: market.people[place].number.clone(),
                    role: Some(roles[place].into()),
                    name: None,
                    number: None,
                    pin: entremise::relay::PinWanted::Never,
                })
                .collect(),
        };
        let account = market.account.clone();
        let view = market
            .relay
            .db()
            .write(move |tx| {
                let (account, new) = (account.clone(), new.clone());
                Box::pin(async move { relay::open(tx, &account, &new).await })
            })
            .await
            .unwrap();
        Self { world, market, view }
    }

    fn phone(&self, place: usize) -> PhoneId {
        self.market.people[place].phone
    }

    /// The proxy number that somebody dials.
    fn dials(&self, place: usize) -> entremise::domain::phone::Identifier {
        let number = self.view.participants[place].number.as_str();
        entremise::domain::phone::Identifier::parse(number).unwrap()
    }

    async fn rings(&self, place: usize) -> PhoneView {
        let ringing = |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
        self.market.network.until(self.phone(place), ringing).await
    }

    fn answer(&self, view: &PhoneView) {
        self.market.network.answer(view.id, &view.call().unwrap().id).unwrap();
    }

    fn decline(&self, view: &PhoneView) {
        self.market.network.decline(view.id, &view.call().unwrap().id).unwrap();
    }

    async fn talks(&self, place: usize) {
        let talking = |view: &PhoneView| {
            view.call().is_some_and(|call| call.heard.last() == Some(&Sound::Person))
        };
        self.market.network.until(self.phone(place), talking).await;
    }

    async fn free(&self, place: usize) -> PhoneView {
        self.market.network.until(self.phone(place), |view| view.call().is_none()).await
    }

    async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// A text to a team reaches each of its members, each from the number that they dial; a text of a
/// member reaches the other side only.
#[tokio::test]
async fn a_text_goes_to_the_other_side_only() {
    for database in support::databases().await {
        let shop = Shop::open(&database, |_| ()).await;
        let network = &shop.market.network;
        network.text(shop.phone(0), &shop.dials(0), Body::new("to the team".into())).unwrap();
        shop.world.running.idle().await;
        for place in [1, 2] {
            let view = network.seen(shop.phone(place)).unwrap();
            let got: Vec<_> = view.received().collect();
            assert_eq!(got.len(), 1);
            assert_eq!(got[0].other, shop.dials(place));
        }
        network.text(shop.phone(1), &shop.dials(1), Body::new("to the buyer".into())).unwrap();
        shop.world.running.idle().await;
        assert_eq!(network.seen(shop.phone(0)).unwrap().received().count(), 1);
        assert_eq!(network.seen(shop.phone(2)).unwrap().received().count(), 1, "not the team");
        let log = support::interactions(&shop.world).await;
        assert!(log.iter().all(|one| one.outcome == Some(Outcome::Relayed)));
        shop.end(database).await;
    }
}

/// In order: the second member is rung once the first has declined, and is connected.
#[tokio::test]
async fn a_team_is_rung_in_order() {
    for database in support::databases().await {
        let shop = Shop::open(&database, |rules| rules.team_ring = TeamRing::InOrder).await;
        let network = &shop.market.network;
        let call = network.dial(shop.phone(0), &shop.dials(0)).unwrap();
        let first = shop.rings(1).await;
        assert!(network.seen(shop.phone(2)).unwrap().calls.is_empty(), "one after the other");
        shop.decline(&first);
        let second = shop.rings(2).await;
        assert_eq!(second.call().unwrap().other, Some(shop.dials(2)));
        shop.answer(&second);
        shop.talks(0).await;
        network.hang_up(shop.phone(0), &call).unwrap();
        shop.world.running.idle().await;
        let log = support::interactions(&shop.world).await;
        assert_eq!(log.len(), 1);
        assert_eq!(log[0].outcome, Some(Outcome::Connected), "the best of the two");
        shop.end(database).await;
    }
}

/// I8: whoever blocks the caller while another of their team is rung is not rung themselves.
#[tokio::test]
async fn i8_whoever_blocks_meanwhile_is_not_rung_next() {
    for database in support::databases().await {
        let shop = Shop::open(&database, |rules| rules.team_ring = TeamRing::InOrder).await;
        let network = &shop.market.network;
        network.dial(shop.phone(0), &shop.dials(0)).unwrap();
        let first = shop.rings(1).await;
        crate::neutral::block(&shop.market, &shop.view.session.id, 2).await;
        shop.decline(&first);
        shop.free(0).await;
        shop.world.running.idle().await;
        assert!(network.seen(shop.phone(2)).unwrap().calls.is_empty(), "on {}", database.name);
        shop.end(database).await;
    }
}

/// Click-to-call: the asked side is rung first, from the number that they know; once they answer,
/// the other side is rung and the two are connected.
#[tokio::test]
async fn the_marketplace_asks_for_a_call() {
    for database in support::databases().await {
        let shop = Shop::open(&database, |rules| rules.team_ring = TeamRing::InOrder).await;
        let network = &shop.market.network;
        place(&shop, 0).await.unwrap();
        let buyer = shop.rings(0).await;
        assert_eq!(buyer.call().unwrap().other, Some(shop.dials(0)));
        assert!(network.seen(shop.phone(1)).unwrap().calls.is_empty(), "not before they answer");
        shop.answer(&buyer);
        let seller = shop.rings(1).await;
        assert_eq!(seller.call().unwrap().other, Some(shop.dials(1)));
        shop.answer(&seller);
        shop.talks(1).await;
        network.hang_up(shop.phone(1), &seller.call().unwrap().id).unwrap();
        shop.free(0).await;
        shop.world.running.idle().await;
        let log = support::interactions(&shop.world).await;
        assert_eq!(log.len(), 1);
        assert_eq!(log[0].outcome, Some(Outcome::Connected));

        // Nobody is rung on the other side if the first does not answer.
        place(&shop, 0).await.unwrap();
        let buyer = shop.rings(0).await;
        shop.decline(&buyer);
        shop.world.running.idle().await;
        let log = support::interactions(&shop.world).await;
        assert_eq!(log.len(), 2);
        assert_eq!(log[0].outcome, Some(Outcome::Busy), "{:?}", log[0].reason);
        assert_eq!(network.seen(shop.phone(1)).unwrap().calls.len(), 1);
        shop.market.close(&shop.view.session.id).await.unwrap();
        assert!(matches!(place(&shop, 0).await, Err(relay::Error::SessionClosed)));
        shop.end(database).await;
    }
}

async fn place(shop: &Shop, place: usize) -> Result<(), relay::Error> {
    let account = shop.market.account.clone();
    let session: SessionId = shop.view.session.id.clone();
    let from: ParticipantId = shop.view.participants[place].id.clone();
    let done = shop
        .market
        .relay
        .db()
        .write(move |tx| {
            let (account, session, from) = (account.clone(), session.clone(), from.clone());
            Box::pin(
                async move { relay::place_call(tx, &account, &session, &from).await.map(drop) },
            )
        })
        .await;
    shop.market.relay.wake().notify_one();
    done
}

/// Whoever misses a call is told so by text, from the number that they can call back.
#[tokio::test]
async fn a_missed_call_is_told() {
    for database in support::databases().await {
        let shop = Shop::open(&database, |rules| {
            rules.team_ring = TeamRing::InOrder;
            rules.missed_call_text = "Somebody from Bikes tried to call you.".into();
        })
        .await;
        let network = &shop.market.network;
        network.dial(shop.phone(1), &shop.dials(1)).unwrap();
        let buyer = shop.rings(0).await;
        shop.decline(&buyer);
        shop.free(1).await;
        shop.world.running.idle().await;
        let view = network.seen(shop.phone(0)).unwrap();
        let got: Vec<_> = view.received().collect();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].body.expose(), "Somebody from Bikes tried to call you.");
        assert_eq!(got[0].other, shop.dials(0));
        assert_eq!(network.seen(shop.phone(2)).unwrap().received().count(), 0);
        shop.end(database).await;
    }
}

/// Press 1: whoever answers hears the whisper and is connected only after the key; another key
/// ends it as not accepted.
#[tokio::test]
async fn press_one_keeps_callers_out() {
    for database in support::databases().await {
        let shop = Shop::open(&database, |rules| {
            rules.press_one = true;
            rules.callee_whisper = "A call from Bikes.".into();
            rules.ring_timeout = Duration::from_secs(30);
        })
        .await;
        let network = &shop.market.network;
        for (key, outcome) in [('1', Outcome::Connected), ('5', Outcome::Missed)] {
            let call = network.dial(shop.phone(1), &shop.dials(1)).unwrap();
            let buyer = shop.rings(0).await;
            shop.answer(&buyer);
            let asked = |view: &PhoneView| {
                view.call().is_some_and(|call| {
                    matches!(call.heard.last(), Some(Sound::Words { question: true, .. }))
                })
            };
            let view = network.until(shop.phone(0), asked).await;
            assert_ne!(
                network.seen(shop.phone(1)).unwrap().call().and_then(|c| c.heard.last().cloned()),
                Some(Sound::Person),
                "nobody is through before the key"
            );
            network.press(shop.phone(0), &view.call().unwrap().id, key).unwrap();
            if key == '1' {
                shop.talks(1).await;
                network.hang_up(shop.phone(1), &call).unwrap();
            }
            shop.free(1).await;
            shop.free(0).await;
            shop.world.running.idle().await;
            let log = support::interactions(&shop.world).await;
            assert_eq!(log[0].outcome, Some(outcome));
            if outcome == Outcome::Missed {
                assert_eq!(log[0].reason, Some(Reason::NotAccepted));
            }
        }
        shop.end(database).await;
    }
}
