//! Messages of callers that are late, unwanted, empty or lost, and recordings that are hard to get rid of.

use std::time::Duration;

use entremise::{
    config::MediaStore,
    domain::{
        policy::{Rules, VoicemailRules},
        session::Mode,
    },
    relay,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    dialect::{Dialect, Scene},
    fake, over_twilio,
    picture_stage::Host,
    receiver::get,
    support::{self, Database},
    voicemail::{CALL, RECORDING, Stage, TWILIO, Way, lines, path_in, rules, with_recording},
};

const HOUR: i64 = 3_600_000;

/// How often the carrier was asked for the recording, to delete it, and to send a text since the last time.
fn counts(stage: &Stage) -> [usize; 3] {
    let asked = stage.scene.asked();
    ["GET ", "DELETE ", "POST "].map(|method| lines(&asked, method).len())
}

/// Tells of one more recording of the call.
async fn recorded(stage: &Stage, greeting: &str, id: &str, seconds: &str) {
    let scene = &stage.scene;
    let path = path_in(scene, greeting, "<Record action=\"");
    let url = format!("{}/2010-04-01/Accounts/{}/Recordings/{id}", scene.api(), fake::ACCOUNT);
    let fields = [
        ("CallSid", CALL),
        ("CallStatus", "in-progress"),
        ("RecordingSid", id),
        ("RecordingUrl", &*url),
        ("RecordingDuration", seconds),
    ];
    fake::webhook(&scene.world, &path, &fields).await;
    scene.world.running.jobs.idle().await;
}

/// A recording that the carrier does not delete at once is deleted later, once.
#[tokio::test]
async fn a_deletion_is_tried_again() {
    static BUSY: Way = Way {
        dialect: Dialect {
            answer: |asked| match asked.line.split(' ').next() {
                Some("DELETE") if asked.place < 4 => (StatusCode::TOO_MANY_REQUESTS, String::new()),
                _ => with_recording(asked, over_twilio::DIALECT.answer),
            },
            ..over_twilio::DIALECT
        },
        ..TWILIO
    };
    for database in support::databases().await {
        let stage = Stage::open(&BUSY, &database, rules()).await;
        let greeting = stage.unanswered().await;
        stage.recorded(&greeting).await;
        for _ in 0..10 {
            stage.later(60_000).await;
        }
        assert_eq!(counts(&stage), [1, 2, 1], "on {}", database.name);
        assert_eq!(stage.told().await, 1);
        stage.end(database).await;
    }
}

/// A carrier that deletes nothing is asked for three days, and then no more.
#[tokio::test]
async fn a_deletion_is_given_up_after_three_days() {
    static NEVER: Way = Way {
        dialect: Dialect {
            answer: |asked| match asked.line.split(' ').next() {
                Some("DELETE") => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
                _ => with_recording(asked, over_twilio::DIALECT.answer),
            },
            ..over_twilio::DIALECT
        },
        ..TWILIO
    };
    for database in support::databases().await {
        let stage = Stage::open(&NEVER, &database, rules()).await;
        let greeting = stage.unanswered().await;
        stage.recorded(&greeting).await;
        for hour in (3..72).step_by(3) {
            counts(&stage);
            stage.later(3 * HOUR).await;
            assert_eq!(counts(&stage), [0, 1, 0], "after {hour} hours on {}", database.name);
        }
        for _ in 0..3 {
            stage.later(3 * HOUR).await;
        }
        assert_eq!(counts(&stage)[1], 0, "on {}", database.name);
        stage.end(database).await;
    }
}

static NOWHERE: Way = Way {
    dialect: Dialect {
        answer: |asked| match asked.line.split(' ').next() {
            Some("GET") => (StatusCode::NOT_FOUND, String::new()),
            _ => with_recording(asked, over_twilio::DIALECT.answer),
        },
        ..over_twilio::DIALECT
    },
    ..TWILIO
};

/// A message that can't be had for half a day is lost, and nobody is told of it.
#[tokio::test]
async fn a_message_that_never_comes_is_lost() {
    for database in support::databases().await {
        let stage = Stage::open(&NOWHERE, &database, rules()).await;
        let greeting = stage.unanswered().await;
        stage.recorded(&greeting).await;
        for _ in 0..11 {
            stage.later(HOUR).await;
        }
        assert_eq!(stage.api().await["voicemail"]["state"], "wanted", "on {}", database.name);
        for _ in 0..3 {
            stage.later(HOUR).await;
        }
        assert_eq!(stage.api().await["voicemail"]["state"], "refused");
        let [fetched, _, texts] = counts(&stage);
        assert!(fetched > 11 && texts == 0);
        stage.later(3 * HOUR).await;
        assert_eq!((counts(&stage)[0], stage.told().await), (0, 0));
        stage.end(database).await;
    }
}

/// Of a session that was deleted before its message was fetched nothing is fetched any more: the recording is
/// deleted.
#[tokio::test]
async fn of_a_deleted_session_no_message_is_fetched() {
    for database in support::databases().await {
        let stage = Stage::open(&NOWHERE, &database, rules()).await;
        let greeting = stage.unanswered().await;
        stage.recorded(&greeting).await;
        assert_eq!(counts(&stage), [1, 0, 0]);
        let market = &stage.scene.market;
        let (account, id) = (market.account.clone(), stage.scene.session.id.clone());
        let deleted = market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move { relay::delete_session(tx, &account, &id).await })
        });
        deleted.await.unwrap();
        stage.later(60_000).await;
        assert_eq!(counts(&stage), [0, 1, 0], "on {}", database.name);
        stage.end(database).await;
    }
}

/// Where the service says so nobody is texted of a message: the marketplace is told, and has it.
#[tokio::test]
async fn nobody_is_texted_where_the_service_says_so() {
    for database in support::databases().await {
        let voicemail = VoicemailRules { on: true, text: false, ..VoicemailRules::default() };
        let rules = Rules { voicemail, ..rules() };
        let stage = Stage::open(&TWILIO, &database, rules).await;
        Box::pin(kept_without_a_text(stage, database)).await;
    }
}

/// Nor in a session without texts.
#[tokio::test]
async fn nobody_is_texted_in_a_session_without_texts() {
    for database in support::databases().await {
        let mut scene = Scene::open(&TWILIO.dialect, &database, rules()).await;
        scene.market.close(&scene.session.id).await.unwrap();
        scene.session = scene.market.pinned([0, 1], Mode::VoiceOnly).await.unwrap();
        let stage = Stage::of(&TWILIO, scene, Host::start().await).await;
        Box::pin(kept_without_a_text(stage, database)).await;
    }
}

async fn kept_without_a_text(stage: Stage, database: Database) {
    let greeting = stage.unanswered().await;
    stage.recorded(&greeting).await;
    assert_eq!(counts(&stage), [1, 1, 0], "on {}", database.name);
    assert_eq!(stage.told().await, 1);
    let path = format!("/api/v1/interactions/{}/voicemail", stage.call().await.id);
    assert_eq!(get(&stage.scene.world, &path).await.status, StatusCode::OK);
    stage.end(database).await;
}

/// Whoever has left the session since is texted no more.
#[tokio::test]
async fn who_left_is_not_texted() {
    for database in support::databases().await {
        let stage = Stage::open(&TWILIO, &database, rules()).await;
        let greeting = stage.unanswered().await;
        let market = &stage.scene.market;
        let (account, id) = (market.account.clone(), stage.scene.session.id.clone());
        let left = market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move {
                let people = relay::view(tx, &account, &id).await?.participants;
                relay::remove_participant(tx, &account, &id, &people[1].id).await.map(drop)
            })
        });
        left.await.unwrap();
        stage.recorded(&greeting).await;
        assert_eq!(counts(&stage)[2], 0, "on {}", database.name);
        stage.end(database).await;
    }
}

/// A recording of nothing, and a second one of the same call, are deleted unheard.
#[tokio::test]
async fn what_says_nothing_is_deleted() {
    for database in support::databases().await {
        let stage = Stage::open(&TWILIO, &database, rules()).await;
        let greeting = stage.unanswered().await;
        recorded(&stage, &greeting, "RE00000000000000000000000000000006", "0").await;
        assert_eq!(counts(&stage), [0, 1, 0], "on {}", database.name);
        assert_eq!((stage.told().await, &stage.api().await["voicemail"]), (0, &Value::Null));
        recorded(&stage, &greeting, RECORDING, "12").await;
        assert_eq!(counts(&stage), [1, 1, 1], "on {}", database.name);
        recorded(&stage, &greeting, "RE00000000000000000000000000000008", "30").await;
        assert_eq!(counts(&stage), [0, 1, 0], "on {}", database.name);
        assert_eq!(stage.told().await, 1);
        assert_eq!(stage.api().await["voicemail"]["seconds"], json!(12));
        stage.end(database).await;
    }
}

/// Where no files are kept nobody is asked to leave a message.
#[tokio::test]
async fn no_message_is_left_where_none_is_kept() {
    for database in support::databases().await {
        let off = |config: &mut entremise::config::Config| config.media.store = MediaStore::Off;
        let scene = Scene::changed(&TWILIO.dialect, &database, rules(), off).await;
        let stage = Stage::of(&TWILIO, scene, Host::start().await).await;
        assert!(!stage.unanswered().await.contains("<Record"), "on {}", database.name);
        assert!(stage.call().await.duration.unwrap_or(Duration::ZERO).is_zero());
        stage.end(database).await;
    }
}
