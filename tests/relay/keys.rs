//! Master keys are rotated under traffic: no look-up is lost, and what was made before still works once
//! the old key is gone (T20, I20).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use entremise::{
    app::{Opened, StartError},
    clock::Clock,
    config::{Config, MasterKey, Secret},
    domain::{interaction::Outcome, message::Body, policy::Rules},
    egress::Egress,
    ids::{Entropy as _, Ids, SystemEntropy},
    relay::{Carriers, Client, Relay},
    store,
};
use http::StatusCode;
use serde_json::Value;

use crate::{
    fake,
    market::{self, Market, Person},
    support::{self, Answered, Database, World},
};

/// How many pairs of people there are.
const PAIRS: usize = 12;
/// How many sessions of each pair there were: more than two batches in all.
const SESSIONS: usize = 10;

fn random_key() -> MasterKey {
    let mut bytes = [0; 32];
    SystemEntropy.fill(&mut bytes);
    MasterKey::new(bytes)
}

/// The same settings with another current key, and the one that they had before it or not.
fn with_key(config: &Config, key: &MasterKey, keep: bool) -> Config {
    let previous = if keep { vec![config.master_key.clone()] } else { vec![] };
    Config { master_key: key.clone(), previous_master_keys: previous, ..config.clone() }
}

/// What the command does: rotates beside the server, and after each step lets `between` happen.
async fn rotate(config: &Config, clock: &Clock, between: impl AsyncFn()) -> u64 {
    let opened = Opened::open(config, clock, &Ids::default()).await.unwrap();
    let (client, egress) = (Client::new(), Egress::default());
    let relay = Relay::new(opened.db.clone(), Carriers::default(), client, egress);
    let mut rotation = relay.begin_rotation().await.unwrap();
    while relay.rotate_on(&mut rotation).await.unwrap() {
        between().await;
    }
    assert_eq!((rotation.done, rotation.damaged.len()), (rotation.total, 0));
    assert_eq!(relay.end_rotation().await.unwrap(), Vec::<String>::new());
    let done = rotation.done;
    opened.close().await;
    done
}

/// The relay stops and starts with other settings: the same people, with phones on its network.
async fn again(world: World, market: &Market, config: &Config) -> (World, Market) {
    let World { running, account, clock, .. } = world;
    running.shutdown().await;
    let running = support::run(config.clone(), &clock).await.unwrap();
    let network = running.network.clone().unwrap();
    let people = market.people.iter().enumerate().map(|(place, one)| {
        let phone = network.register(&format!("P{place}"), one.number.clone()).unwrap();
        Person { phone, ..one.clone() }
    });
    let people = Arc::new(people.collect());
    let relay = running.relay.clone();
    let market = Market { relay, network: Arc::clone(&network), people, ..market.clone() };
    (World { running, network, account, clock }, market)
}

/// The first of a pair texts the second, whom it must reach.
async fn text(market: &Market, session: &market::Opened, pair: usize, words: String) {
    let (from, to) = (market.people[2 * pair].phone, market.people[2 * pair + 1].phone);
    market.network.text(from, &session.dials[0], Body::new(words.clone())).unwrap();
    market.network.until(to, |view| view.received().any(|text| text.body.expose() == words)).await;
}

/// A page of the API, as the account asks for it.
async fn page(world: &World, path: &str) -> Value {
    let key = format!("Bearer {}", world.account.api_key);
    let request = http::Request::get(path)
        .header("host", world.running.address.to_string())
        .header("authorization", key)
        .body(http_body_util::Full::new(bytes::Bytes::new()));
    let Answered { status, body, .. } =
        support::request(world.running.address, request.unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// I20: while everything is wrapped again each text finds its session and its recipient, sessions are
/// opened and closed, and then all goes on without the old key: numbers are found, the API key is known,
/// a cursor goes on. The old key alone, and a copy from before with the new one alone, are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i20_a_rotation_loses_no_look_up() {
    for database in support::databases().await {
        let config = support::settings(&database);
        let world = World::with(config.clone()).await;
        let market = Market::open(&world, 2 * PAIRS, 3, Rules::new("Bikes".into())).await;
        let mut sessions = Vec::new();
        for pair in 0..PAIRS {
            let places = [2 * pair, 2 * pair + 1];
            for _ in 1..SESSIONS {
                let over = market.session(places, 0, None).await.unwrap();
                market.close(&over.id).await.unwrap();
            }
            sessions.push(market.session(places, 0, None).await.unwrap());
        }
        let first = page(&world, "/api/v1/sessions?limit=2").await;
        let cursor = first["next_cursor"].as_str().unwrap().to_owned();
        let next = format!("/api/v1/sessions?limit=2&cursor={cursor}");
        let expected = page(&world, &next).await;

        let key = random_key();
        let both = with_key(&config, &key, true);
        // Nobody may be using what is copied.
        let World { running, network, account, clock } = world;
        running.shutdown().await;
        let before = database.copy().await;
        let running = support::run(config.clone(), &clock).await.unwrap();
        let (world, market) =
            again(World { running, network, account, clock }, &market, &both).await;

        let (done, count) = (AtomicBool::new(false), AtomicBool::new(false));
        let traffic = async {
            for n in 0.. {
                let pair = n % PAIRS;
                text(&market, &sessions[pair], pair, format!("traffic {n}")).await;
                count.store(true, Ordering::SeqCst);
                if done.load(Ordering::SeqCst) {
                    return;
                }
            }
        };
        let rotation = async {
            let place = std::sync::atomic::AtomicUsize::new(0);
            let rows = rotate(&both, &world.clock, async || {
                let n = place.fetch_add(1, Ordering::SeqCst);
                let pair = (n + PAIRS / 2) % PAIRS;
                text(&market, &sessions[pair], pair, format!("between {n}")).await;
                let places = [2 * pair, 2 * pair + 1];
                let new = market.session(places, 0, None).await;
                if let Ok(new) = new {
                    market.close(&new.id).await.unwrap();
                }
            });
            let rows = rows.await;
            done.store(true, Ordering::SeqCst);
            rows
        };
        let ((), rows) = tokio::join!(traffic, rotation);
        assert_eq!(rows, 3 + 1 + (PAIRS * SESSIONS) as u64, "{}", database.name);
        assert!(count.load(Ordering::SeqCst));

        let alone = with_key(&config, &key, false);
        let (world, market) = again(world, &market, &alone).await;
        for (pair, session) in sessions.iter().enumerate() {
            text(&market, session, pair, format!("after {pair}")).await;
        }
        assert_eq!(page(&world, &next).await["data"], expected["data"]);
        world.running.shutdown().await;

        let clock = Clock::system();
        let told = support::run(config.clone(), &clock).await.map(drop);
        assert!(matches!(&told, Err(StartError::UnknownKey(id)) if *id == id_of(&key)), "{told:?}");
        let on = |config: &Config, database: &Database| Config {
            database_url: Secret::new(database.url.clone()),
            ..config.clone()
        };
        let told = Opened::open(&on(&alone, &before), &clock, &Ids::default()).await.map(drop);
        let old = id_of(&config.master_key);
        assert!(matches!(&told, Err(StartError::UnknownKey(id)) if *id == old), "{told:?}");
        let with_old = Opened::open(&on(&both, &before), &clock, &Ids::default()).await.unwrap();
        with_old.close().await;
        before.drop().await;
        database.drop().await;
    }
}

fn id_of(key: &MasterKey) -> String {
    entremise::privacy::MasterKey::from_bytes(*key.expose()).unwrap().id()
}

/// A call that began before the rotation ends as it should after it: the address that its carrier was
/// given then is ours still.
#[tokio::test]
async fn an_address_of_before_is_ours_after() {
    for database in support::databases().await {
        let api = fake::Api::start().await;
        let config = fake::settings(&database, &api);
        let world = World::with(config.clone()).await;
        let market = Market::at("twilio", &world, 2, 2, Rules::new("Bikes".into())).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let caller = market.people[0].number.expose().to_owned();
        let dialled = session.dials[0].expose().to_owned();
        let call = [
            ("CallSid", "CA00000000000000000000000000000001"),
            ("From", caller.as_str()),
            ("To", dialled.as_str()),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
        ];
        let answer = fake::webhook(&world, "/hooks/twilio/call", &call).await;
        let path = fake::action(&world, &String::from_utf8(answer.body).unwrap());

        let key = random_key();
        let (world, market) = again(world, &market, &with_key(&config, &key, true)).await;
        rotate(&with_key(&config, &key, true), &world.clock, async || ()).await;
        let (world, _market) = again(world, &market, &with_key(&config, &key, false)).await;
        let ended: Vec<(&str, &str)> = call[..3]
            .iter()
            .copied()
            .chain([
                ("CallStatus", "in-progress"),
                ("Direction", "inbound"),
                ("DialCallStatus", "completed"),
                ("DialCallDuration", "42"),
                ("DialBridged", "true"),
            ])
            .collect();
        let answer = fake::webhook(&world, &path, &ended).await;
        assert_eq!(answer.status, StatusCode::OK);
        let log = support::interactions(&world).await;
        assert_eq!(log[0].outcome, Some(Outcome::Connected));
        assert_eq!(log[0].duration, Some(Duration::from_secs(42)));
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// A server that could not open what a command would wrap keeps the command from it: nothing is made,
/// and nothing is rotated.
#[tokio::test]
async fn a_running_server_is_not_left_behind() {
    for database in support::databases().await {
        let config = support::settings(&database);
        let world = World::with(config.clone()).await;
        let both = with_key(&config, &random_key(), true);
        let told = Opened::open(&both, &world.clock, &Ids::default()).await.map(drop);
        assert!(
            matches!(&told, Err(StartError::Keys(store::master_keys::Refusal::Unheld { .. }))),
            "{told:?}"
        );
        assert!(told.unwrap_err().to_string().contains("previous_master_keys"));
        // Stopped in order, it no longer counts.
        world.running.shutdown().await;
        Opened::open(&both, &world.clock, &Ids::default()).await.unwrap().close().await;
        database.drop().await;
    }
}
