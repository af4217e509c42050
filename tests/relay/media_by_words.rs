//! Pictures on their way to numbers that take none.

use entremise::{
    domain::{
        interaction::{Outcome, Reason},
        number_move::Why,
        phone::ProxyNumber,
        policy::Rules,
        pool::Capabilities,
        session::Mode,
    },
    ids::NumberId,
    relay::{self, NewMove, NewNumber},
    store::{legs, number_moves::Off},
};

use crate::{
    picture_stage::{Serve, Stage, photograph},
    support,
};

/// Adds a number to the pool that takes words only.
async fn words_only(stage: &mut Stage, number: &'static str, carrier: &'static str) -> NumberId {
    let (account, service) = (stage.market.account.clone(), stage.market.service.clone());
    let plain = stage.market.relay.db().write(move |tx| {
        let (account, service) = (account.clone(), service.clone());
        Box::pin(async move {
            let new = NewNumber {
                service,
                number: ProxyNumber::parse(number).unwrap(),
                carrier: carrier.into(),
                capabilities: Capabilities::parse("sms").unwrap(),
                reserved: false,
            };
            relay::add_number(tx, &account, &new).await
        })
    });
    let plain = plain.await.unwrap().id;
    stage.market.numbers.push(plain.clone());
    plain
}

/// Who is on a number that takes no pictures gets the words alone; without words the text fails.
#[tokio::test]
async fn numbers_without_pictures_get_words() {
    for database in support::databases().await {
        let mut stage = Stage::open(&database).await;
        words_only(&mut stage, "+14155550180", "telnyx").await;
        stage.market.close(&stage.session.id).await.unwrap();
        stage.session = stage.market.pinned([0, 2], Mode::MessageOnly).await.unwrap();
        let file = stage.cdn.serves("/a", [Serve::File(photograph())]);
        stage.text("Look", &[&file]).await;
        assert!(Stage::media_of(&stage.sent()).is_empty());
        assert_eq!(stage.last().await.media_refused, 1);
        stage.text("", &[&file]).await;
        let last = stage.last().await;
        assert_eq!(last.outcome, Some(Outcome::Failed));
        assert_eq!(last.reason, Some(Reason::RecipientWithoutMedia));
        assert_eq!(stage.reasons().await, ["recipient", "recipient"]);
        assert!(stage.cdn.seen().is_empty(), "nothing was fetched for nothing");
        stage.end(database).await;
    }
}

/// The seller's carrier can't be reached, and the pool has a number of the buyer's that can't take files.
async fn unreachable(database: &support::Database) -> (Stage, NumberId) {
    let mut stage = Stage::with(database, Rules::new("Bikes".into()), |config| {
        let telnyx = config.carriers.iter_mut().find(|one| one.id == "telnyx").unwrap();
        telnyx.api_base = Some("http://127.0.0.1:1".into());
    })
    .await;
    let plain = words_only(&mut stage, "+14155550150", "twilio").await;
    (stage, plain)
}

/// A text that was tried with its picture, and whose recipient is then moved to a number that takes none, goes
/// on without it, and the marketplace is told.
#[tokio::test]
async fn a_move_to_a_number_without_files_is_told() {
    for database in support::databases().await {
        let (stage, plain) = unreachable(&database).await;
        let file = stage.cdn.serves("/a", [Serve::File(photograph())]);
        stage.text("Look", &[&file]).await;
        assert_eq!(stage.cdn.seen().len(), 1, "it was fetched, and tried");
        assert!(stage.reasons().await.is_empty());
        let (account, relay) = (stage.market.account.clone(), &stage.market.relay);
        let new = NewMove {
            off: Off::Number(stage.market.numbers[1].clone()),
            to_number: Some(plain),
            to_carrier: None,
            why: Why::Dead,
            tell: None,
        };
        let begun = relay.db().write(move |tx| {
            let (account, new) = (account.clone(), new.clone());
            Box::pin(async move { relay::begin_move(tx, &account, &new).await })
        });
        let row = begun.await.unwrap();
        while relay.move_on(&stage.market.account, &row.id).await.unwrap().state.is_open() {}
        assert_eq!(stage.reasons().await, ["recipient"], "on {}", database.name);
        assert_eq!(stage.last().await.media_refused, 1);
        stage.end(database).await;
    }
}

/// A text with a picture does not go round its carrier by a number that takes none; one of words does.
#[tokio::test]
async fn pictures_go_round_by_no_number_that_takes_none() {
    for database in support::databases().await {
        let (stage, _) = unreachable(&database).await;
        stage.market.close(&stage.session.id).await.unwrap();
        let earlier = stage.market.pinned([0, 2], Mode::MessageOnly).await.unwrap();
        stage.market.close(&earlier.id).await.unwrap();
        stage.market.reopen(&stage.session.id).await.unwrap();
        let file = stage.cdn.serves("/a", [Serve::File(photograph())]);
        stage.text("Look", &[&file]).await;
        stage.text("words", &[]).await;
        let down = || stage.world.running.relay.health().report("telnyx").unwrap().state;
        for _ in 0..12 {
            stage.world.clock.advance(10_000);
            stage.world.running.jobs.idle().await;
        }
        assert_ne!(down(), relay::CarrierState::Closed);
        stage.world.running.relay.go_round().await.unwrap();
        let mut tx = stage.market.relay.db().read().await.unwrap();
        for one in support::interactions(&stage.world).await {
            let legs = legs::of_interaction(&mut tx, &stage.market.account, &one.id).await.unwrap();
            let carrier = if one.media > 0 { "telnyx" } else { "twilio" };
            assert_eq!(legs[1].carrier, carrier, "on {}", database.name);
        }
        drop(tx);
        stage.end(database).await;
    }
}
