//! Whoever is stuck keeps nobody else from being answered (I24).

use std::sync::Arc;

use entremise::store::{Db, Engine, Lane, Tx, meta};
use futures_util::future::join_all;
use http::{Request, StatusCode, header::RETRY_AFTER};
use http_body_util::Full;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    ALONE,
    support::{self, Answered, World},
};

const LANES: [Lane; 5] = [Lane::Carriers, Lane::Api, Lane::Console, Lane::Jobs, Lane::Events];

/// How many connections a lane has for reading.
fn connections(db: &Db) -> usize {
    match db.engine() {
        Engine::Sqlite => 4,
        Engine::Postgres => 8,
    }
}

/// Takes all connections of a lane, as long as these are kept.
async fn exhaust(db: &Db, lane: Lane) -> Vec<Tx> {
    let db = db.lane(lane);
    let mut taken = Vec::new();
    for _ in 0..connections(&db) {
        taken.push(db.read().await.unwrap());
    }
    taken
}

/// I24: with all connections of one lane taken every other one reads and writes.
#[tokio::test]
async fn i24_a_stuck_lane_starves_no_other() {
    let _alone = ALONE.lock().await;
    for database in support::databases().await {
        let mut config = support::settings(&database);
        // The loops hold connections too, for a moment.
        config.jobs.poll = std::time::Duration::from_hours(1);
        let world = World::with(config).await;
        let db = world.running.relay.db();
        for stuck in LANES {
            let taken = exhaust(db, stuck).await;
            for lane in LANES.into_iter().filter(|lane| *lane != stuck) {
                let db = db.lane(lane);
                let read = async { meta::ping(&mut db.read().await?).await };
                read.await.unwrap_or_else(|error| panic!("{stuck:?} starves {lane:?}: {error}"));
                let write = db.write(|tx| Box::pin(async move { meta::ping(tx).await }));
                write.await.unwrap_or_else(|error| panic!("{stuck:?} starves {lane:?}: {error}"));
            }
            drop(taken);
        }
        world.running.shutdown().await;
        database.drop().await;
    }
}

async fn list(world: &World) -> Answered {
    let request = Request::get("/api/v1/sessions")
        .header("host", "x")
        .header("authorization", format!("Bearer {}", world.account.api_key))
        .body(Full::default())
        .unwrap();
    support::request(world.running.address, request).await
}

async fn call(world: &World, id: &str) -> Answered {
    let event = json!({ "event": "call", "id": id, "from": "+12125550100", "to": "+14155550100" });
    support::webhook(world, "call", &event).await
}

/// Says no, and when to come again.
fn is_refused(answer: &Answered) -> bool {
    answer.status == StatusCode::SERVICE_UNAVAILABLE && answer.headers.contains_key(RETRY_AFTER)
}

/// I24: while the API is stuck more of its clients than there is room for get 503 with a time to come
/// again, all of them, and each of a carrier's webhooks is taken in; then the API goes on.
#[tokio::test]
async fn i24_a_stuck_api_keeps_no_webhook_out() {
    let _alone = ALONE.lock().await;
    for database in support::databases().await {
        let mut config = support::settings(&database);
        config.limits.in_flight = 20;
        config.api.rate_per_minute = 1_000_000;
        let world = World::with(config).await;
        assert_eq!(list(&world).await.status, StatusCode::OK);
        let stuck = exhaust(world.running.relay.db(), Lane::Api).await;
        let flood = join_all((0..60).map(|_| list(&world)));
        let hooks = async {
            let mut answers = Vec::new();
            for n in 0..20 {
                answers.push(call(&world, &format!("call-{n}")).await.status);
            }
            answers
        };
        let (flooded, hooked) = tokio::join!(flood, hooks);
        assert_eq!(hooked, [StatusCode::OK; 20], "{}", database.name);
        assert!(flooded.iter().all(is_refused), "{:?}", flooded[0]);
        drop(stuck);
        assert_eq!(list(&world).await.status, StatusCode::OK);
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// I24: while the carriers' lane is stuck each webhook gets 503 with a time to come again, more of
/// them than there is room for too, and the API is answered; then webhooks are taken in.
#[tokio::test]
async fn i24_stuck_webhooks_keep_no_api_out() {
    let _alone = ALONE.lock().await;
    for database in support::databases().await {
        let mut config = support::settings(&database);
        config.limits.in_flight = 20;
        let world = World::with(config).await;
        // Its use is noted the first time.
        assert_eq!(list(&world).await.status, StatusCode::OK);
        let db = world.running.relay.db().lane(Lane::Carriers);
        let (inside, gate) = (Arc::new(Semaphore::new(0)), CancellationToken::new());
        // SQLite's one writer is stuck with the first.
        let writes = if db.engine() == Engine::Sqlite { 1 } else { connections(&db) };
        let stuck = join_all((0..writes).map(|_| {
            let (inside, gate) = (Arc::clone(&inside), gate.clone());
            db.write(move |tx| {
                let (inside, gate) = (Arc::clone(&inside), gate.clone());
                Box::pin(async move {
                    inside.add_permits(1);
                    gate.cancelled().await;
                    meta::ping(tx).await
                })
            })
        }));
        let played = async {
            inside.acquire_many(u32::try_from(writes).unwrap()).await.unwrap().forget();
            let names: Vec<String> = (0..30).map(|n| format!("stuck-{n}")).collect();
            let hooks = join_all(names.iter().map(|name| call(&world, name)));
            let lists = async {
                let mut answers = Vec::new();
                for _ in 0..20 {
                    answers.push(list(&world).await.status);
                }
                answers
            };
            let (hooked, listed) = tokio::join!(hooks, lists);
            assert!(hooked.iter().all(is_refused), "{:?}", hooked[0]);
            assert_eq!(listed, [StatusCode::OK; 20], "{}", database.name);
            gate.cancel();
        };
        let (ends, ()) = tokio::join!(stuck, played);
        assert!(ends.iter().all(Result::is_ok));
        assert_eq!(call(&world, "after").await.status, StatusCode::OK);
        world.running.shutdown().await;
        database.drop().await;
    }
}
