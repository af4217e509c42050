//! Long texts whose parts come in one by one, on each engine.

use std::time::Duration;

use entremise::{
    domain::{interaction::Outcome, policy::Rules},
    store::interactions::Interaction,
};
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    market::{Market, Opened},
    support::{self, Database, World},
};

struct Stage {
    world: World,
    market: Market,
    session: Opened,
}

impl Stage {
    async fn open(database: &Database) -> Self {
        let world = World::start(database).await;
        let market = Market::open(&world, 4, 2, Rules::new("Bikes".into())).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        Self { world, market, session }
    }

    /// A part of that text of somebody's reaches us.
    async fn part(&self, who: usize, reference: &str, (number, of): (u8, u8), words: &str) {
        let text = json!({
            "event": "message", "id": format!("{who}-{reference}-{number}"), "text": words,
            "from": self.market.people[who].number.expose(), "to": self.session.dials[0].expose(),
            "part": { "reference": reference, "number": number, "of": of },
        });
        let answer = support::webhook(&self.world, "message", &text).await;
        assert!(answer.status.is_success());
    }

    /// What somebody's phone got.
    async fn got(&self, who: usize) -> Vec<String> {
        self.world.running.idle().await;
        let view = self.market.network.seen(self.market.people[who].phone).unwrap();
        view.received().map(|text| text.body.expose().to_owned()).collect()
    }

    async fn log(&self) -> Vec<Interaction> {
        support::interactions(&self.world).await
    }

    async fn pass(&self, time: Duration) -> usize {
        self.world.clock.advance(i64::try_from(time.as_millis()).unwrap());
        self.market.relay.end_long_texts().await.unwrap()
    }

    async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// I9, I10: parts that come in any order, more than once, are one text, with one interaction, and only
/// with parts of the same text from the same person.
#[tokio::test]
async fn i9_i10_parts_are_one_text() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.part(0, "7", (2, 3), "still ").await;
        stage.part(0, "8", (1, 2), "another").await;
        stage.part(2, "7", (1, 3), "a stranger's").await;
        stage.part(0, "7", (3, 3), "there?").await;
        stage.part(0, "7", (2, 3), "still ").await;
        assert_eq!(stage.got(1).await, Vec::<String>::new());
        assert!(stage.log().await.is_empty(), "a part alone is nothing yet");
        stage.part(0, "7", (1, 3), "Is it ").await;
        stage.part(0, "7", (1, 3), "Is it ").await;
        assert_eq!(stage.got(1).await, ["Is it still there?"]);
        let log = stage.log().await;
        assert_eq!(log.len(), 1);
        assert_eq!(log[0].outcome, Some(Outcome::Relayed));
        stage.end(database).await;
    }
}

/// Of parts that come at the same moment one is the last, and the text goes out once.
#[tokio::test]
async fn i10_parts_at_the_same_moment() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let words: Vec<String> = (0..8).map(|number| format!("{number} ")).collect();
        let parts = (1..).zip(&words).map(|(number, words)| stage.part(0, "7", (number, 8), words));
        join_all(parts).await;
        assert_eq!(stage.got(1).await, [words.concat()]);
        stage.end(database).await;
    }
}

/// I9: parts whose rest does not come in a minute go on without it, and show that something is missing;
/// what comes later does too.
#[tokio::test]
async fn i9_parts_do_not_wait_for_ever() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.part(0, "7", (3, 4), "there").await;
        assert_eq!(stage.pass(Duration::from_secs(59)).await, 0);
        stage.part(0, "7", (4, 4), "?").await;
        assert_eq!(stage.got(1).await, Vec::<String>::new());
        stage.pass(Duration::from_secs(2)).await;
        assert_eq!(stage.got(1).await, ["[…]there?"]);
        stage.part(0, "7", (1, 4), "Is it ").await;
        stage.pass(Duration::from_secs(61)).await;
        assert_eq!(stage.got(1).await, ["[…]there?", "Is it […]"]);
        assert_eq!(stage.pass(Duration::from_hours(1)).await, 0, "each goes on once");
        stage.end(database).await;
    }
}

/// I3: parts that came before a close, and are whole after it, reach nobody.
#[tokio::test]
async fn i3_a_close_comes_between_parts() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.part(0, "7", (1, 2), "Is it ").await;
        stage.part(0, "8", (1, 2), "Is it ").await;
        stage.market.close(&stage.session.id).await.unwrap();
        stage.part(0, "7", (2, 2), "there?").await;
        stage.pass(Duration::from_secs(61)).await;
        assert_eq!(stage.got(1).await, Vec::<String>::new());
        let log = stage.log().await;
        assert_eq!(log.len(), 2);
        assert!(log.iter().all(|one| one.outcome == Some(Outcome::Refused)));
        stage.end(database).await;
    }
}
