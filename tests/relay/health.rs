//! Carriers that are down, that want a rest, or that are sent only so much: what is owed to them waits,
//! and nothing else does.

use entremise::{
    config,
    domain::{
        interaction::{Outcome, Reason},
        opt_out::StopWords,
        policy::Rules,
    },
    relay::{self, CarrierState, Trouble},
    sandbox::Faults,
    store::{interactions::Interaction, legs, outbox},
};
use http::StatusCode;
use serde_json::json;
use std::time::Duration;

use crate::{
    health_stage::{PAIRS, Stage},
    receiver, support,
};

const DOWN: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// A carrier that fails five times is left alone: what is owed to it waits and nothing else does; one
/// text at a time is tried after 2 s, then 4 s; once one goes through all go, each once and in order.
#[tokio::test]
async fn a_carrier_that_is_down_gets_nothing_until_it_is_back() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        assert_eq!(stage.report().state, CarrierState::Closed);
        stage.api.down(Some(DOWN));
        for pair in 0..5 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.asked(), ["a0", "a1", "a2", "a3", "a4"]);
        let report = stage.report();
        assert_eq!(report.state, CarrierState::Open);
        assert!(report.failures.contains(&(Trouble::Server, 5)), "{report:?}");
        stage.text(5, 0, "b5").await;
        stage.text(0, 0, "b0").await;
        assert_eq!(stage.asked().len(), 5, "nothing is asked of it, on {}", database.name);
        stage.others_flow("over here").await;
        stage.pass(2_100).await;
        assert_eq!(stage.asked()[5..], ["b5"], "one to see, on {}", database.name);
        assert_eq!(stage.report().state, CarrierState::Open);
        stage.api.down(None);
        stage.pass(1_900).await;
        assert_eq!(stage.asked().len(), 6, "4 s are not over");
        // The first were tried, and may have arrived: Twilio is asked about them after 10 s.
        for _ in 0..3 {
            stage.pass(5_000).await;
        }
        assert_eq!(stage.report().state, CarrierState::Closed);
        let bodies = ["a0", "a1", "a2", "a3", "a4", "b0", "b5"];
        assert_eq!(stage.taken(), bodies, "each once, on {}", database.name);
        let asked = stage.asked();
        let place = |words: &str| asked.iter().rposition(|one| one == words).unwrap();
        assert!(place("a0") < place("b0"), "in order: {asked:?}");
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// I12: an outage that is longer than 30 s lets no text overtake an earlier one to the same person.
#[tokio::test]
async fn a_long_outage_changes_no_order() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.api.down(Some(StatusCode::UNAUTHORIZED));
        for pair in 0..4 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        for pair in 0..4 {
            stage.text(pair, 0, &format!("b{pair}")).await;
        }
        for _ in 0..6 {
            stage.pass(20_000).await;
        }
        stage.api.down(None);
        for _ in 0..3 {
            stage.pass(60_000).await;
        }
        assert_eq!(stage.api.taken().len(), 8, "on {}", database.name);
        let taken = stage.api.taken();
        let place = |words: String| taken.iter().position(|one| *one == words).unwrap();
        for pair in 0..4 {
            let [a, b] = ["a", "b"].map(|one| place(format!("{one}{pair}")));
            assert!(a < b, "{taken:?} on {}", database.name);
        }
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// Refused credentials lose no text: three refusals in a row open the breaker, what was refused is owed
/// on, and goes once the credentials are taken.
#[tokio::test]
async fn refused_credentials_lose_nothing() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.api.down(Some(StatusCode::UNAUTHORIZED));
        for pair in 0..PAIRS {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.asked().len(), 3, "three are enough, on {}", database.name);
        assert_eq!(stage.report().state, CarrierState::Open);
        stage.others_flow("over here").await;
        stage.api.down(None);
        stage.pass(2_100).await;
        stage.pass(5_000).await;
        assert_eq!(stage.taken(), ["a0", "a1", "a2", "a3", "a4", "a5"]);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// What the carrier says of one text speaks not against the carrier.
#[tokio::test]
async fn refusals_of_texts_open_nothing() {
    let database = support::databases().await.remove(0);
    let stage = Stage::open(&database, config::Rates::default()).await;
    stage.api.down(Some(StatusCode::BAD_REQUEST));
    for round in 0..4 {
        for pair in 0..PAIRS {
            stage.text(pair, 0, &format!("{round}{pair}")).await;
        }
    }
    assert_eq!(stage.asked().len(), 24);
    assert_eq!(stage.report().state, CarrierState::Closed);
    for one in support::interactions(&stage.world).await {
        assert_eq!(one.outcome, Some(Outcome::Failed));
    }
    stage.end(database).await;
}

/// A 429 with `Retry-After` holds everything that is owed to that carrier so long, and nothing else.
#[tokio::test]
async fn too_much_at_once_holds_the_whole_carrier() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.api.wants_rest(20);
        stage.api.answers(&[StatusCode::TOO_MANY_REQUESTS]);
        for pair in 0..3 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.asked(), ["a0"], "the others are not asked, on {}", database.name);
        let report = stage.report();
        assert_eq!(report.state, CarrierState::Closed);
        let until = report.throttled_until.unwrap();
        assert!(until.since(stage.world.clock.now()) > Duration::from_secs(15));
        stage.others_flow("over here").await;
        stage.pass(19_000).await;
        assert_eq!(stage.asked().len(), 1);
        stage.pass(1_100).await;
        assert_eq!(stage.taken(), ["a0", "a1", "a2"]);
        assert_eq!(stage.report().throttled_until, None);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// A carrier is sent no more texts than the settings say, in order, and another as many as there are.
#[tokio::test]
async fn so_many_texts_a_second() {
    for database in support::databases().await {
        let slow = Some(Duration::from_secs(100));
        let rates = config::Rates { texts: slow, ..config::Rates::default() };
        let stage = Stage::open(&database, rates).await;
        for pair in 0..PAIRS {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        for sent in 1..=PAIRS {
            assert_eq!(stage.asked().len(), sent, "on {}", database.name);
            stage.others_flow(&format!("over here {sent}")).await;
            stage.pass(100_000).await;
        }
        assert_eq!(stage.asked(), ["a0", "a1", "a2", "a3", "a4", "a5"]);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// A proxy number is sent from no more often than the settings say; other numbers of the same carrier
/// are.
#[tokio::test]
async fn so_many_texts_a_second_from_one_number() {
    for database in support::databases().await {
        let slow = Some(Duration::from_secs(100));
        let rates = config::Rates { texts_of_number: slow, ..config::Rates::default() };
        let stage = Stage::open(&database, rates).await;
        for pair in 0..3 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.asked(), ["a0"], "on {}", database.name);
        stage.text(3, 1, "other").await;
        assert_eq!(stage.asked(), ["a0", "other"]);
        stage.pass(100_000).await;
        stage.pass(100_000).await;
        assert_eq!(stage.asked()[2..], ["a1", "a2"]);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// A carrier that is tried again and says that it is too much is there: it is given a rest, and then asked
/// for all that is owed to it.
#[tokio::test]
async fn who_says_too_much_is_there() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.api.down(Some(StatusCode::UNAUTHORIZED));
        for pair in 0..PAIRS {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.report().state, CarrierState::Open);
        stage.api.down(None);
        stage.api.wants_rest(7);
        stage.api.answers(&[StatusCode::TOO_MANY_REQUESTS]);
        stage.pass(2_100).await;
        let report = stage.report();
        assert_eq!(report.state, CarrierState::Closed, "on {}", database.name);
        let rest = report.throttled_until.unwrap().since(stage.world.clock.now());
        let wanted = Duration::from_secs(5)..=Duration::from_secs(7);
        assert!(wanted.contains(&rest), "{rest:?}");
        assert_eq!(stage.asked().len(), 4, "one to see");
        stage.pass(7_000).await;
        assert_eq!(stage.taken(), ["a0", "a1", "a2", "a3", "a4", "a5"]);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// A leave with which nothing was asked counts for nothing: a text that has to wait for an earlier one to the
/// same person keeps nobody else back.
#[tokio::test]
async fn who_waits_takes_no_place() {
    for database in support::databases().await {
        let slow = Some(Duration::from_secs(3));
        let rates = config::Rates { texts: slow, ..config::Rates::default() };
        let stage = Stage::open(&database, rates).await;
        stage.api.answers(&[DOWN]);
        for (pair, words) in [(0, "first"), (0, "behind"), (1, "other")] {
            stage.text(pair, 0, words).await;
        }
        assert_eq!(stage.asked(), ["first"]);
        stage.pass(3_000).await;
        assert_eq!(stage.asked(), ["first", "other"], "on {}", database.name);
        for _ in 0..6 {
            stage.pass(5_000).await;
        }
        assert_eq!(stage.taken(), ["behind", "first", "other"]);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// So many calls a second, however many texts.
#[tokio::test]
async fn so_many_calls_a_second() {
    for database in support::databases().await {
        let slow = Some(Duration::from_secs(50));
        let rates = config::Rates { calls: slow, ..config::Rates::default() };
        let stage = Stage::open(&database, rates).await;
        for pair in 0..3 {
            let path = format!("/sessions/{}", stage.sessions[pair].id);
            let session = receiver::done(&stage.world, "GET", &path, None).await;
            let from = json!({ "participant_id": session["participants"][0]["id"] });
            receiver::done(&stage.world, "POST", &format!("{path}/calls"), Some(from)).await;
            stage.world.running.jobs.idle().await;
        }
        let called =
            || stage.api.asked().iter().filter(|one| one.path.ends_with("Calls.json")).count();
        assert_eq!(called(), 1, "on {}", database.name);
        stage.text(4, 0, "text").await;
        assert_eq!(stage.taken(), ["text"]);
        stage.pass(49_000).await;
        assert_eq!(called(), 1);
        stage.pass(1_000).await;
        assert_eq!(called(), 2);
        stage.end(database).await;
    }
}

/// Recordings that are to be deleted at a carrier that is down wait for it, and keep no text to another one
/// back.
#[tokio::test]
async fn deletions_at_a_carrier_that_is_down_wait() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.api.down(Some(DOWN));
        for pair in 0..5 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.report().state, CarrierState::Open);
        let account = stage.market.account.clone();
        let interaction = support::interactions(&stage.world).await[0].id.clone();
        let mut tx = stage.market.relay.db().read().await.unwrap();
        let legs = legs::of_interaction(&mut tx, &account, &interaction).await.unwrap();
        drop(tx);
        let leg = legs[0].id.clone();
        let owed = stage.market.relay.db().write(move |tx| {
            let (account, interaction, leg) = (account.clone(), interaction.clone(), leg.clone());
            Box::pin(async move {
                let now = tx.now().await?;
                for _ in 0..20 {
                    let owed = outbox::NewEntry {
                        kind: outbox::OutboxKind::DropRecording,
                        session: None,
                        interaction: &interaction,
                        leg: &leg,
                        carrier: "twilio",
                        payload: "RE1",
                        run_at: now,
                        valid_until: now + Duration::from_hours(24),
                        now,
                    };
                    outbox::insert(tx, &account, &owed).await?;
                }
                Ok::<_, relay::Error>(())
            })
        });
        owed.await.unwrap();
        stage.others_flow("over here").await;
        assert_eq!(stage.asked().len(), 5, "nothing is asked of it, on {}", database.name);
        assert!(
            stage.market.relay.until_due(Duration::from_mins(1)).await.unwrap() > Duration::ZERO
        );
        stage.end(database).await;
    }
}

/// A text that went round a carrier comes back to it when the other one is down in its turn.
#[tokio::test]
async fn a_text_that_went_round_comes_back() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.goes_round().await;
        let relay = &stage.world.running.relay;
        let state = |id: &str| relay.health().report(id).unwrap().state;
        for _ in 0..20 {
            if state(support::CARRIER) != CarrierState::Closed {
                break;
            }
            stage.pass(10_000).await;
        }
        assert_ne!(state(support::CARRIER), CarrierState::Closed);
        stage.api.down(None);
        for _ in 0..8 {
            stage.pass(5_000).await;
        }
        assert_eq!(state("twilio"), CarrierState::Closed);
        relay.go_round().await.unwrap();
        // It was put off by then.
        stage.pass(61_000).await;
        assert!(stage.taken().contains(&"round".to_owned()), "{:?}", stage.taken());
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// Who stops texts on the number that a text goes round by gets it not from there.
#[tokio::test]
async fn a_stop_holds_for_the_number_that_a_text_comes_from() {
    for database in support::databases().await {
        let rules = Rules { stop_words: StopWords::Number, ..Rules::new("Bikes".into()) };
        let stage = Stage::with(&database, config::Rates::default(), rules).await;
        let known = stage.goes_round().await;
        let seller = &stage.market.people[1];
        let event = serde_json::json!({
            "event": "message", "id": "stop", "from": seller.number.expose(),
            "to": known.dials[1].expose(), "text": "STOP", "media": [],
        });
        let answer = support::webhook(&stage.world, "message", &event).await;
        assert!(answer.status.is_success());
        stage.world.network.set_faults(Faults::default());
        for _ in 0..10 {
            stage.pass(10_000).await;
        }
        let got = stage.world.network.seen(seller.phone).unwrap();
        assert!(got.received().all(|one| one.body.expose() != "round"), "on {}", database.name);
        let log = support::interactions(&stage.world).await;
        let stopped = |one: &&Interaction| one.reason == Some(Reason::RecipientOptedOut);
        assert_eq!(log.iter().filter(stopped).count(), 1, "{log:?}");
        stage.end(database).await;
    }
}
