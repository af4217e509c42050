//! Texts that go round a carrier that is down, by a number of another one that their recipient knows; and all
//! those that wait instead.

use std::time::Duration;

use entremise::{
    config,
    domain::{
        interaction::{Outcome, Reason},
        message::Body,
        opt_out::StopWords,
        phone::{ProxyNumber, Registration},
        policy::Rules,
        pool::Capabilities,
        session::Mode,
    },
    relay::{self, CarrierState, NewNumber},
    sandbox::Faults,
};
use http::StatusCode;

use crate::{
    health_stage::{PAIRS, Stage},
    market::Opened,
    support::{self, CARRIER, Database},
};

/// Twilio refuses our credentials until it has been down for so long that texts may go another way; at the
/// end the buyer of the first pair has texted.
async fn down(stage: &Stage) {
    stage.api.down(Some(StatusCode::UNAUTHORIZED));
    for pair in 1..PAIRS {
        stage.text(pair, 0, &format!("a{pair}")).await;
    }
    stage.pass(29_000).await;
    assert_eq!(stage.report().state, CarrierState::Open);
    stage.text(0, 0, "round").await;
}

/// Whatever can go another way does.
async fn go_round(stage: &Stage) {
    // The server's own loop may be at it as well: what phones get is looked at, not who sent it.
    stage.world.running.relay.go_round().await.unwrap();
    stage.world.running.idle().await;
}

/// Who stays where they are for all the time that Twilio is down gets the text once it is back.
async fn waits_for_its_carrier(stage: &Stage, case: &str) {
    stage.world.clock.advance(1_500);
    for _ in 0..3 {
        go_round(stage).await;
        stage.world.clock.advance(30_000);
    }
    go_round(stage).await;
    let round = |seen: Vec<(_, String)>| seen.iter().any(|(_, words)| words == "round");
    assert!(!round(stage.seen(1)), "{case}");
    stage.api.down(None);
    stage.world.network.set_faults(Faults::default());
    for _ in 0..12 {
        stage.pass(10_000).await;
    }
    assert!(stage.taken().contains(&"round".to_owned()), "{case}: {:?}", stage.taken());
    assert!(!round(stage.seen(1)), "{case}");
}

/// The first pair's other session, over the sandbox, which is closed.
async fn known(stage: &Stage) -> Opened {
    let known = stage.market.pair([0, 1], [2, 3], Mode::VoiceAndMessage).await.unwrap();
    stage.market.close(&known.id).await.unwrap();
    known
}

async fn stage(database: &Database) -> Stage {
    Stage::open(database, config::Rates::default()).await
}

/// While a carrier is down a text goes out by a number of another one by which its recipient knows the
/// sender, and the answer to it comes back. Others wait, though numbers of another carrier are free.
#[tokio::test]
async fn texts_go_round_a_carrier_that_is_down() {
    for database in support::databases().await {
        let stage = stage(&database).await;
        let known = known(&stage).await;
        down(&stage).await;
        stage.text(1, 0, "waits").await;
        go_round(&stage).await;
        assert!(stage.seen(1).is_empty(), "most outages are over by then");
        stage.world.clock.advance(1_500);
        go_round(&stage).await;
        let round = (known.dials[1].clone(), "round".to_owned());
        assert_eq!(stage.seen(1), [round], "on {}", database.name);
        let answer = Body::new("answer".to_owned());
        let phone = stage.market.people[1].phone;
        stage.world.network.text(phone, &known.dials[1], answer).unwrap();
        stage.world.running.idle().await;
        go_round(&stage).await;
        assert_eq!(stage.seen(0), [(known.dials[0].clone(), "answer".to_owned())]);
        assert!(
            stage.seen(3).is_empty(),
            "nobody else gets a text from a number that is new to them"
        );
        stage.api.down(None);
        for _ in 0..8 {
            stage.pass(10_000).await;
        }
        let taken = stage.taken();
        assert!(taken.contains(&"waits".to_owned()), "{taken:?}");
        assert!(!taken.iter().any(|words| ["round", "answer"].contains(&words.as_str())));
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// Whoever wants no texts from the other number gets none from it.
#[tokio::test]
async fn stop_on_the_other_number_holds() {
    for database in support::databases().await {
        let rules = Rules { stop_words: StopWords::Number, ..Rules::new("Bikes".into()) };
        let stage = Stage::with(&database, config::Rates::default(), rules).await;
        let market = &stage.market;
        let known = market.pair([0, 1], [2, 3], Mode::VoiceAndMessage).await.unwrap();
        let stop = Body::new("STOP".to_owned());
        stage.world.network.text(market.people[1].phone, &known.dials[1], stop).unwrap();
        stage.world.running.idle().await;
        market.close(&known.id).await.unwrap();
        down(&stage).await;
        waits_for_its_carrier(&stage, "stopped").await;
        stage.end(database).await;
    }
}

/// A number that may not text its recipient, or can't text at all, texts nobody.
#[tokio::test]
async fn what_may_not_text_or_cant_does_not() {
    for database in support::databases().await {
        let stage = stage(&database).await;
        known(&stage).await;
        for place in [2, 3] {
            let (account, id) = (stage.market.account.clone(), stage.market.numbers[place].clone());
            let change = relay::UpdateNumber {
                registration: Some(Registration::None),
                ..relay::UpdateNumber::default()
            };
            let changed = stage.market.relay.db().write(move |tx| {
                let (account, id, change) = (account.clone(), id.clone(), change.clone());
                Box::pin(async move {
                    relay::update_number(tx, &account, &id, change, None).await.map(drop)
                })
            });
            changed.await.unwrap();
        }
        down(&stage).await;
        waits_for_its_carrier(&stage, "not registered").await;
        stage.end(database).await;
    }
    for database in support::databases().await {
        let stage = stage(&database).await;
        let (account, service) = (stage.market.account.clone(), stage.market.service.clone());
        let added = stage.market.relay.db().write(move |tx| {
            let (account, service) = (account.clone(), service.clone());
            Box::pin(async move {
                let new = NewNumber {
                    service,
                    number: ProxyNumber::parse("+14155550150").unwrap(),
                    carrier: CARRIER.into(),
                    capabilities: Capabilities::parse("voice").unwrap(),
                    reserved: false,
                };
                relay::add_number(tx, &account, &new).await
            })
        });
        let mut market = stage.market.clone();
        market.numbers.push(added.await.unwrap().id);
        let known = market.pair([0, 1], [4, 4], Mode::VoiceOnly).await.unwrap();
        market.close(&known.id).await.unwrap();
        down(&stage).await;
        waits_for_its_carrier(&stage, "voice only").await;
        stage.end(database).await;
    }
}

/// A number whose own carrier is down is no way round.
#[tokio::test]
async fn nothing_goes_to_another_carrier_that_is_down() {
    for database in support::databases().await {
        let stage = stage(&database).await;
        known(&stage).await;
        let network = &stage.world.network;
        network.set_faults(Faults { fail_next: 1_000, ..Faults::default() });
        let words = Body::new("over there".to_owned());
        let phone = stage.market.people[2 * PAIRS].phone;
        network.text(phone, &stage.sessions[PAIRS].dials[0], words).unwrap();
        stage.world.running.idle().await;
        for seconds in [1, 2, 4, 8, 16] {
            stage.pass(seconds * 1_000).await;
        }
        let sandbox = stage.world.running.relay.health().report(CARRIER).unwrap();
        assert_eq!(sandbox.state, CarrierState::Open, "on {}", database.name);
        down(&stage).await;
        stage.pass(1_500).await;
        waits_for_its_carrier(&stage, "both are down").await;
        stage.end(database).await;
    }
}

/// I2: a number that means somebody else to the recipient by now is none that they know the sender by.
#[tokio::test]
async fn i2_a_number_that_means_somebody_else_is_not_used() {
    for database in support::databases().await {
        let rules = Rules { quarantine: Duration::from_hours(1), ..Rules::new("Bikes".into()) };
        let stage = Stage::with(&database, config::Rates::default(), rules).await;
        known(&stage).await;
        stage.world.clock.advance(2 * 3_600_000);
        stage.market.pair([2, 1], [2, 3], Mode::VoiceAndMessage).await.unwrap();
        down(&stage).await;
        waits_for_its_carrier(&stage, "somebody else's").await;
        stage.end(database).await;
    }
}

/// I11: what the carrier that is down may have taken is sent by no other.
#[tokio::test]
async fn i11_what_may_have_been_sent_does_not_go_round() {
    for database in support::databases().await {
        let stage = stage(&database).await;
        known(&stage).await;
        stage.api.down(Some(StatusCode::SERVICE_UNAVAILABLE));
        stage.api.lists_answer(&[StatusCode::SERVICE_UNAVAILABLE; 100]);
        stage.text(0, 0, "round").await;
        for pair in 1..PAIRS {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.report().state, CarrierState::Open);
        for _ in 0..3 {
            stage.world.clock.advance(31_000);
            go_round(&stage).await;
        }
        assert!(stage.seen(1).is_empty(), "on {}", database.name);
        assert_eq!(stage.asked().iter().filter(|words| *words == "round").count(), 1);
        stage.end(database).await;
    }
}

/// I3: nothing goes round of a session that is closed.
#[tokio::test]
async fn i3_a_closed_sessions_texts_do_not_go_round() {
    for database in support::databases().await {
        let stage = stage(&database).await;
        known(&stage).await;
        down(&stage).await;
        stage.market.close(&stage.sessions[0].id).await.unwrap();
        stage.world.clock.advance(1_500);
        go_round(&stage).await;
        assert!(stage.seen(1).is_empty(), "on {}", database.name);
        stage.api.down(None);
        for _ in 0..8 {
            stage.pass(10_000).await;
        }
        assert!(!stage.taken().contains(&"round".to_owned()));
        let log = support::interactions(&stage.world).await;
        let closed = (Some(Outcome::Cancelled), Some(Reason::SessionClosed));
        assert_eq!(log.iter().filter(|one| (one.outcome, one.reason) == closed).count(), 1);
        stage.end(database).await;
    }
}
