//! A marketplace whose sessions are moved off numbers, by hand.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use entremise::{
    config::{CarrierConfig, Rates},
    domain::{
        budget::Budget,
        message::Body,
        number_move::{StepState, Why},
        phone::Identifier,
        policy::Rules,
    },
    ids::{NumberId, SessionId},
    relay::{self, NewMove},
    store::{
        holds, number_move_steps as steps,
        number_moves::{Move, Off},
        numbers::{self, Number, NumberState},
        participants::{self, Participant},
    },
};
use serde_json::{Value, json};

use crate::{
    market::{Market, Opened},
    support::{self, Database, SECRET, World},
};

/// Another account at the same kind of carrier.
pub(crate) const ELSEWHERE: &str = "elsewhere";

/// A marketplace whose moves are gone on with by hand.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) market: Market,
}

impl Stage {
    pub(crate) async fn open(
        database: &Database,
        people: usize,
        carriers: &[&'static str],
    ) -> Self {
        Self::with(database, people, carriers, Rules::new("Bikes".into())).await
    }

    pub(crate) async fn with(
        database: &Database,
        people: usize,
        carriers: &[&'static str],
        rules: Rules,
    ) -> Self {
        let mut config = support::settings(database);
        config.jobs.poll = Duration::from_mins(1);
        let mut values = toml::Table::new();
        values.insert("secret".into(), SECRET.into());
        let (id, kind) = (ELSEWHERE.into(), "sandbox".into());
        config.carriers.push(CarrierConfig {
            id,
            kind,
            api_base: None,
            rates: Rates::default(),
            budget: Budget::default(),
            buying: false,
            fallback_url: None,
            values,
        });
        let world = World::with(config).await;
        let market = Market::over(carriers, &world, people, rules).await;
        Self { world, market }
    }

    pub(crate) fn number(&self, place: usize) -> NumberId {
        self.market.numbers[place].clone()
    }

    /// The number at this place, as it is now.
    pub(crate) async fn row(&self, place: usize) -> Number {
        self.number_of(&self.number(place)).await
    }

    pub(crate) async fn number_of(&self, id: &NumberId) -> Number {
        let mut tx = self.market.relay.db().read().await.unwrap();
        numbers::get(&mut tx, &self.market.account, id).await.unwrap().unwrap()
    }

    /// A number's state is changed by hand.
    pub(crate) async fn set_state(&self, place: usize, state: NumberState) {
        let (account, id) = (self.market.account.clone(), self.number(place));
        let set = self.market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move {
                let change = relay::UpdateNumber { state: Some(state), ..Default::default() };
                relay::update_number(tx, &account, &id, change, None).await
            })
        });
        set.await.unwrap();
    }

    pub(crate) fn off(&self, place: usize) -> NewMove {
        NewMove {
            off: Off::Number(self.number(place)),
            to_number: None,
            to_carrier: None,
            why: Why::Dead,
            tell: None,
        }
    }

    pub(crate) async fn begin(&self, new: NewMove) -> Result<Move, relay::Error> {
        let account = self.market.account.clone();
        self.market
            .relay
            .db()
            .write(move |tx| {
                let (account, new) = (account.clone(), new.clone());
                Box::pin(async move { relay::begin_move(tx, &account, &new).await })
            })
            .await
    }

    pub(crate) async fn undo(&self, row: &Move) -> Move {
        let (account, id) = (self.market.account.clone(), row.id.clone());
        let turned = self.market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move { relay::undo_move(tx, &account, &id, None).await })
        });
        self.end(&turned.await.unwrap()).await
    }

    /// Gives a number out again that a move took out of circulation.
    pub(crate) async fn give_out(&self, place: usize) {
        self.set_state(place, NumberState::Active).await;
    }

    /// Goes on with a move until it is done.
    pub(crate) async fn end(&self, row: &Move) -> Move {
        for _ in 0..1000 {
            let now = self.market.relay.move_on(&self.market.account, &row.id).await.unwrap();
            if !now.state.is_open() {
                return now;
            }
        }
        panic!("the move does not end")
    }

    pub(crate) async fn moved(&self, new: NewMove) -> Move {
        let row = self.begin(new).await.unwrap();
        self.end(&row).await
    }

    pub(crate) async fn people(&self, session: &SessionId) -> Vec<Participant> {
        let mut tx = self.market.relay.db().read().await.unwrap();
        participants::of_session(&mut tx, &self.market.account, session).await.unwrap()
    }

    /// What each of the two dials now.
    pub(crate) async fn dials(&self, session: &SessionId) -> [Identifier; 2] {
        let people = self.people(session).await;
        [0, 1].map(|place| Identifier::parse(people[place].number.as_str()).unwrap())
    }

    /// What became of a session's people.
    pub(crate) async fn steps(
        &self,
        row: &Move,
        session: &SessionId,
    ) -> Vec<(StepState, Option<String>)> {
        let mut tx = self.market.relay.db().read().await.unwrap();
        let steps = steps::of_session(&mut tx, &self.market.account, &row.id, session).await;
        steps.unwrap().into_iter().map(|step| (step.state, step.reason)).collect()
    }

    /// Somebody texts a number; what reached the other phone, and from which number.
    pub(crate) async fn text(
        &self,
        from: usize,
        to: &Identifier,
        reader: usize,
    ) -> Option<Identifier> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let words = format!("text {}", COUNT.fetch_add(1, Ordering::SeqCst));
        let body = Body::new(words.clone());
        self.market.network.text(self.market.people[from].phone, to, body).unwrap();
        self.world.running.idle().await;
        let view = self.market.network.seen(self.market.people[reader].phone).unwrap();
        let got = view.received().find(|text| text.body.expose() == words);
        got.map(|text| text.other.number().unwrap().clone())
    }

    /// What a phone was told, oldest first: from which number, and the words.
    pub(crate) fn told(&self, place: usize) -> Vec<(String, String)> {
        let view = self.market.network.seen(self.market.people[place].phone).unwrap();
        let pairs = view.received();
        pairs.map(|one| (one.other.expose().to_owned(), one.body.expose().to_owned())).collect()
    }

    /// What a call from somebody to a number is answered.
    pub(crate) async fn call(&self, id: &str, from: usize, to: &Identifier) -> Value {
        let from = self.market.people[from].number.expose();
        let event = json!({ "event": "call", "id": id, "from": from, "to": to.expose() });
        let answer = support::webhook(&self.world, "call", &event).await;
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub(crate) async fn close(self, database: Database) {
        let mut tx = self.market.relay.db().read().await.unwrap();
        assert_eq!(holds::doubled(&mut tx).await.unwrap(), 0, "I1");
        drop(tx);
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// The place of the number that one of the two dials.
pub(crate) fn place_of(session: &Opened, market: &Market, side: usize) -> usize {
    let digits = session.dials[side].expose();
    (0..market.numbers.len()).find(|place| digits.ends_with(&format!("{}", 100 + place))).unwrap()
}
