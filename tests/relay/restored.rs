//! A database is put back from an older copy: whatever the copy does not know is held to have
//! happened.

use std::{sync::Arc, time::Duration};

use entremise::{
    app::{Running, StartError},
    clock::Clock,
    config::{Config, Secret},
    domain::{
        interaction::{Outcome, Reason},
        message::Body,
        policy::Rules,
    },
    relay::{self, Confirm, Doubt, Fenced},
    sandbox::Faults,
};
use serde_json::json;

use crate::{
    market::{Market, Opened},
    support::{self, Database, World},
};

/// The same people, with phones on the network of a relay that was started anew.
fn again(market: &Market, running: &Running) -> Market {
    let network = running.network.clone().unwrap();
    let people = market.people.iter().enumerate().map(|(place, one)| {
        let phone = network.register(&format!("P{place}"), one.number.clone()).unwrap();
        crate::market::Person { phone, ..one.clone() }
    });
    let people = Arc::new(people.collect());
    Market { relay: running.relay.clone(), network, people, ..market.clone() }
}

fn on(config: &Config, database: &Database) -> Config {
    Config { database_url: Secret::new(database.url.clone()), ..config.clone() }
}

/// Raises the fence as the command does.
async fn fence(config: &Config) -> Fenced {
    let clock = Clock::system();
    let opened = entremise::app::Opened::open(config, &clock, &entremise::ids::Ids::default())
        .await
        .unwrap();
    let done = opened
        .db
        .write(|tx| Box::pin(async move { relay::raise_fence(tx, 0).await }))
        .await
        .unwrap();
    opened.close().await;
    done
}

/// What a call through the sandbox's webhook is answered.
async fn call(world: &World, id: &str, from: &str, to: &str) -> Vec<u8> {
    let event = json!({ "event": "call", "id": id, "from": from, "to": to });
    support::webhook(world, "call", &event).await.body
}

/// Three sessions: one that stays open, one that is closed after the copy was made, one that was
/// closed an instant before. And a text that was owed when the copy was made.
struct Story {
    config: Config,
    market: Market,
    world: World,
    stays: Opened,
    closed_later: Opened,
}

async fn until_the_copy(database: &Database) -> Story {
    let config = support::settings(database);
    let world = World::with(config.clone()).await;
    let mut rules = Rules::new("Bikes".into());
    rules.quarantine = Duration::from_hours(1);
    let market = Market::open(&world, 8, 1, rules).await;
    let stays = market.session([0, 1], 0, None).await.unwrap();
    let closed_later = market.session([2, 3], 0, None).await.unwrap();
    let over = market.session([4, 5], 0, None).await.unwrap();
    market.close(&over.id).await.unwrap();
    market.network.set_faults(Faults { fail_next: 1_000, ..Faults::default() });
    let phone = market.people[0].phone;
    market.network.text(phone, &stays.dials[0], Body::new("owed".into())).unwrap();
    let owed = async || {
        let mut tx = world.running.relay.db().read().await.unwrap();
        entremise::store::outbox::owed(&mut tx).await.unwrap().0
    };
    while owed().await == 0 {
        tokio::task::yield_now().await;
    }
    Story { config, market, world, stays, closed_later }
}

/// I31: a copy is refused until the fence was raised; then a session that was closed after the copy
/// was made puts nobody through and sounds like any other number in no session, what was owed is
/// not sent, a pair that was in quarantine is kept for its full length from now on, and a session
/// that is confirmed works as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i31_a_restored_database_bridges_nobody() {
    for database in support::databases().await {
        let Story { config, market, world, stays, closed_later } = until_the_copy(&database).await;
        let clock = world.clock.clone();
        world.running.shutdown().await;
        let copy = database.copy().await;

        // Life goes on: the session is closed.
        let running = support::run(config.clone(), &clock).await.unwrap();
        again(&market, &running).close(&closed_later.id).await.unwrap();
        running.shutdown().await;

        // Then the copy is put in its place.
        let config = on(&config, &copy);
        let refused = support::run(config.clone(), &clock).await;
        assert!(
            matches!(refused, Err(StartError::Restored(Doubt::Copy | Doubt::Moved))),
            "{} serves a copy: {refused:?}",
            database.name
        );
        let done = fence(&config).await;
        assert_eq!((done.sessions, done.quarantines, done.owing), (2, 2, 1), "{}", database.name);
        let repeated = fence(&config).await;
        assert_eq!((repeated.sessions, repeated.owing), (0, 0), "twice does no harm");

        let running = support::run(config, &clock).await.unwrap();
        let market = again(&market, &running);
        let network = Arc::clone(&market.network);
        let world = World { running, network, account: world.account, clock };
        world.running.idle().await;
        let number = |place: usize| market.people[place].number.expose().to_owned();
        let proxy = stays.dials[0].expose();
        let unknown = call(&world, "unknown", &number(6), proxy).await;
        for (id, place) in [("later", 2), ("stays", 0)] {
            assert_eq!(call(&world, id, &number(place), proxy).await, unknown, "I31: {id}");
        }
        let log = support::interactions(&world).await;
        let refused = log.iter().filter(|one| one.reason == Some(Reason::SessionSuspended));
        assert_eq!(refused.filter(|one| one.outcome == Some(Outcome::Refused)).count(), 2);
        let owed = log.iter().find(|one| {
            one.session.as_ref() == Some(&stays.id) && one.outcome != Some(Outcome::Refused)
        });
        assert_eq!(owed.unwrap().outcome, Some(Outcome::Unknown), "it may have been sent");
        assert_eq!(network_texts(&market), 0, "an owed text was sent late");

        quarantine_is_whole(&world, &market).await;

        let what = Confirm::Sessions(vec![stays.id.clone()]);
        assert_eq!(world.running.relay.confirm(&what).await.unwrap().resumed, 1);
        assert_ne!(call(&world, "resumed", &number(0), proxy).await, unknown);
        assert_eq!(call(&world, "later2", &number(2), proxy).await, unknown, "only what was named");
        assert!(world.running.relay.confirm(&what).await.is_err(), "it is not on hold any more");
        world.running.shutdown().await;
        copy.drop().await;
        database.drop().await;
    }
}

fn network_texts(market: &Market) -> usize {
    let received =
        |one: &crate::market::Person| market.network.seen(one.phone).unwrap().received().count();
    market.people.iter().map(received).sum()
}

/// Nobody else gets the pairs of the session that was closed before the copy was made, until an
/// hour after the fence.
async fn quarantine_is_whole(world: &World, market: &Market) {
    world.clock.advance(55 * 60_000);
    let early = market.session([4, 7], 0, None).await;
    assert!(matches!(early, Err(relay::Error::PoolExhausted(_))), "quarantine was cut short");
    world.clock.advance(6 * 60_000);
    market.session([4, 7], 0, None).await.unwrap();
}

/// I31: a SQLite file that is older than what was served beside it is refused, by whatever means it
/// was copied; the same file is not.
#[tokio::test]
async fn i31_an_older_file_is_noticed() {
    let database = support::databases().await.remove(0);
    let config = support::settings(&database);
    let path = database.url.strip_prefix("sqlite:").unwrap().to_owned();
    World::with(config.clone()).await.running.shutdown().await;
    let plain = format!("{path}.plain");
    std::fs::copy(&path, &plain).unwrap();
    let clock = Clock::shifted();
    support::run(config.clone(), &clock).await.unwrap().shutdown().await;
    std::fs::rename(&plain, &path).unwrap();
    let refused = support::run(config.clone(), &clock).await;
    assert!(matches!(refused, Err(StartError::Restored(Doubt::Older { .. }))), "{refused:?}");
    let known = std::fs::read_to_string(format!("{path}.epoch")).unwrap();
    assert_eq!(known.trim().parse::<i64>().unwrap(), 2);
    database.drop().await;
}
