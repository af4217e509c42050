//! Somebody is taken out of a session, or blocked, while they call.

use std::{sync::Arc, time::Duration};

use entremise::{
    domain::{interaction::Outcome, policy::Rules},
    relay,
    store::sessions,
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::{sync::Notify, time::timeout};

use crate::{
    market::{Market, Opened},
    support::{self, World},
};

const ROUNDS: usize = 40;

async fn remove_caller(market: &Market, session: &Opened) -> Result<(), relay::Error> {
    let (account, id) = (market.account.clone(), session.id.clone());
    market
        .relay
        .db()
        .write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move {
                let view = relay::view(tx, &account, &id).await?;
                let caller = view.participants[0].id.clone();
                relay::remove_participant(tx, &account, &id, &caller).await.map(drop)
            })
        })
        .await
}

/// I3: whoever was taken out of a session is put through no more, not even by a call that found
/// their hold before they were taken out and had to wait for the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_removed_person_is_put_through_no_more() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let market = Market::open(&world, 2, ROUNDS, Rules::new("Bikes".into())).await;
        let from = market.people[0].number.expose().to_owned();
        for round in 0..ROUNDS {
            let session = market.session([0, 1], 0, None).await.unwrap();
            let calls = (0..6).map(|n| {
                let (world, from, to) = (&world, &from, session.dials[0].expose());
                let id = format!("{round}-{n}");
                async move {
                    let call = json!({ "event": "call", "id": id, "from": from, "to": to });
                    let answer = support::webhook(world, "call", &call).await;
                    assert_eq!(answer.status, http::StatusCode::OK);
                }
            });
            let (_, removed) = tokio::join!(join_all(calls), remove_caller(&market, &session));
            removed.unwrap();
            let mut tx = world.running.relay.db().read().await.unwrap();
            let view = relay::view(&mut tx, &market.account, &session.id).await.unwrap();
            drop(tx);
            let removed_at = view.participants[0].removed_at.unwrap();
            for one in support::interactions(&world).await {
                let put_through = one.outcome != Some(Outcome::Refused);
                let late = one.session.as_ref() == Some(&session.id) && one.created_at > removed_at;
                assert!(!(put_through && late), "I3: {} on {}", one.id, database.name);
            }
            market.close(&session.id).await.unwrap();
        }
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// I9: the end of a call that is told before the call is taken in, or while it is, ends it all the same:
/// nobody is rung, and a repeat of the call gets the same answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i9_the_end_of_a_call_overtakes_it() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let market = Market::open(&world, 2, 2, Rules::new("Bikes".into())).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let from = market.people[0].number.expose();
        let to = session.dials[0].expose();
        let call = |id: &str| json!({ "event": "call", "id": id, "from": from, "to": to });
        let over = |id: &str| json!({ "event": "call_status", "id": id, "state": "failed" });
        let post = async |hook: &str, event: &serde_json::Value| {
            let answer = support::webhook(&world, hook, event).await;
            assert!(answer.status.is_success(), "{:?} on {}", answer.status, database.name);
            String::from_utf8(answer.body.clone()).unwrap()
        };
        post("status", &over("before")).await;
        let answer = post("call", &call("before")).await;
        assert!(!answer.contains(&market.people[1].number.expose()[1..]), "{answer}");
        assert_eq!(post("call", &call("before")).await, answer);

        // On PostgreSQL others write meanwhile.
        if database.url.starts_with("postgres") {
            let (held, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let (account, id) = (market.account.clone(), session.id.clone());
            let (began, ended) = (Arc::clone(&held), Arc::clone(&told));
            let holding = market.relay.db().write(move |tx| {
                let (account, id) = (account.clone(), id.clone());
                let (began, ended) = (Arc::clone(&began), Arc::clone(&ended));
                Box::pin(async move {
                    sessions::lock(tx, &account, &id).await?;
                    began.notify_one();
                    ended.notified().await;
                    Ok::<_, relay::Error>(())
                })
            });
            let (calling, ending) = (call("while"), over("while"));
            let others = async {
                held.notified().await;
                let telling = async {
                    post("status", &ending).await;
                    told.notify_one();
                };
                tokio::join!(post("call", &calling), telling).0
            };
            let (done, answer) = tokio::join!(holding, others);
            done.unwrap();
            assert!(!answer.contains(&market.people[1].number.expose()[1..]), "{answer}");
        }
        for one in support::interactions(&world).await {
            assert_eq!(one.outcome, Some(Outcome::Cancelled), "{} on {}", one.id, database.name);
        }
        let view = market.network.seen(market.people[1].phone).unwrap();
        assert!(view.calls.is_empty(), "nobody is rung");
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// I8: a block is answered only when nobody is being put through in another session of the same two
/// any more: whatever is judged after that sees the block.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_block_waits_for_every_session_of_the_pair() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let market = Market::open(&world, 2, 4, Rules::new("Bikes".into())).await;
        let one = market.session([0, 1], 0, None).await.unwrap();
        let other = market.session([0, 1], 0, None).await.unwrap();
        let db = market.relay.db();
        let (judging, blocked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (account, session) = (market.account.clone(), other.id.clone());
        let (began, ended) = (Arc::clone(&judging), Arc::clone(&blocked));
        // As long as somebody may be put through in the other session, the block is not answered.
        let held = db.write(move |tx| {
            let (account, session) = (account.clone(), session.clone());
            let (began, ended) = (Arc::clone(&began), Arc::clone(&ended));
            Box::pin(async move {
                sessions::lock(tx, &account, &session).await?;
                began.notify_one();
                let early = timeout(Duration::from_millis(300), ended.notified()).await.is_ok();
                Ok::<_, relay::Error>(early)
            })
        });
        let (account, session) = (market.account.clone(), one.id.clone());
        let block = async {
            judging.notified().await;
            let done = db.write(move |tx| {
                let (account, session) = (account.clone(), session.clone());
                Box::pin(async move {
                    let who = relay::view(tx, &account, &session).await?.participants[1].id.clone();
                    relay::set_block(tx, &account, &session, &who, true).await
                })
            });
            done.await.unwrap();
            blocked.notify_one();
        };
        let (early, ()) = tokio::join!(held, block);
        assert!(!early.unwrap(), "I8: answered too early on {}", database.name);
        world.running.shutdown().await;
        database.drop().await;
    }
}
