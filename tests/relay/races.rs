//! Somebody is taken out of a session while they call.

use entremise::{domain::interaction::Outcome, domain::policy::Rules, relay};
use futures_util::future::join_all;
use serde_json::json;

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
