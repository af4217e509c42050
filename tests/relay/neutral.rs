//! What somebody learns who is in no session: nothing, whatever the cause (I5).

use entremise::{
    domain::policy::Rules,
    ids::{ParticipantId, SessionId},
    relay,
};
use http::{HeaderMap, StatusCode};

use crate::{
    market::Market,
    support::{self, World},
};

/// What a caller without a session gets: all of it.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    // Each request has its own id and time; nothing else may differ.
    headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "request-id" | "date"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect()
}

async fn call(world: &World, id: &str, from: Option<&str>, to: &str) -> Heard {
    let event = serde_json::json!({ "event": "call", "id": id, "from": from, "to": to });
    let answer = support::webhook(world, "call", &event).await;
    Heard { status: answer.status, headers: kept(&answer.headers), body: answer.body }
}

pub(crate) async fn block(market: &Market, session: &SessionId, by: usize) {
    let (account, id) = (market.account.clone(), session.clone());
    let done: Result<(), relay::Error> = market
        .relay
        .db()
        .write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move {
                let view = relay::view(tx, &account, &id).await?;
                let blocker: ParticipantId = view.participants[by].id.clone();
                relay::set_block(tx, &account, &id, &blocker, true).await.map(drop)
            })
        })
        .await;
    done.unwrap();
}

/// I5: an unknown, withheld, closed, expired or blocked caller, and one of our own numbers, get the
/// same status, headers and bytes for one dialled number.
#[tokio::test]
async fn i5_every_cause_sounds_the_same() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        // One number: everybody dials the same.
        let market = Market::open(&world, 8, 1, Rules::new("Bikes".into())).await;
        let proxy = "+14155550100";
        let number = |place: usize| market.people[place].number.expose().to_owned();
        let closed = market.session([0, 1], 0, None).await.unwrap();
        let expired = market.session([2, 3], 60, None).await.unwrap();
        let blocked = market.session([4, 5], 0, None).await.unwrap();
        assert!([&closed, &expired, &blocked].iter().all(|s| s.dials[0].expose() == proxy));
        let before = call(&world, "before", Some(&number(0)), proxy).await;
        market.close(&closed.id).await.unwrap();
        block(&market, &blocked.id, 1).await;
        world.clock.advance(61_000);

        let unknown = call(&world, "unknown", Some(&number(6)), proxy).await;
        assert_eq!(unknown.status, StatusCode::OK);
        assert_ne!(before, unknown, "somebody in a session is put through");
        for (cause, from) in [
            ("withheld", None),
            ("closed", Some(number(0))),
            ("expired", Some(number(2))),
            ("blocked", Some(number(4))),
            ("ours", Some(proxy.to_owned())),
        ] {
            let heard = call(&world, cause, from.as_deref(), proxy).await;
            assert_eq!(heard, unknown, "I5: {cause} on {}", database.name);
        }
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// I10, I21: the same call twice gets the same bytes and is logged once; unsigned and forged
/// webhooks get 403 and change nothing.
#[tokio::test]
async fn i10_i21_duplicates_and_forgeries() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        let market = Market::open(&world, 2, 2, Rules::new("Bikes".into())).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let from = market.people[0].number.expose().to_owned();
        let to = session.dials[0].expose().to_owned();
        let first = call(&world, "twice", Some(&from), &to).await;
        let second = call(&world, "twice", Some(&from), &to).await;
        assert_eq!(first, second, "I10: the same instruction");
        let event = serde_json::json!({ "event": "call", "id": "forged", "from": from, "to": to });
        for signature in [None, Some("t=1,v1=00"), Some("")] {
            let answer = support::webhook_signed(&world, "call", &event, signature).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
        }
        let calls = support::interactions(&world).await;
        assert_eq!(calls.len(), 1, "one call is logged on {}", database.name);
        world.running.shutdown().await;
        database.drop().await;
    }
}
