//! Recordings of calls beside what else is asked of callers and kept of calls: keys by what the network says, PINs,
//! legal holds, the nightly job.

use entremise::{
    config::MediaStore,
    domain::{
        assurance::{AssuranceRules, Treatment},
        policy::Rules,
    },
    store::recordings,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    consent::{CALLEE, DAY_MS, DIALECT, Talk, rules},
    dialect::{Came, Scene, between},
    fake, media, over_twilio,
    poison::sql,
    receiver::{done, get},
    support,
    voicemail::{CALL, lines, text},
};

/// Where a call is taken by a key because the network says nothing of its caller, that key agrees to nothing either:
/// another takes it and agrees.
#[tokio::test]
async fn the_key_that_takes_a_doubtful_call_agrees_to_nothing() {
    let assurance = AssuranceRules { none: Treatment::PressOne, ..AssuranceRules::default() };
    for (key, taken, agreed) in
        [("1", true, Some(false)), ("2", true, Some(true)), ("", false, None)]
    {
        for database in support::databases().await {
            let rules = Rules { assurance, ..rules() };
            let talk = Talk::open(&DIALECT, &database, rules).await;
            let asks = talk.call().await;
            let dial = talk.press(CALL, &asks, "1").await;
            let whisper = talk.answer(&dial).await;
            assert!(whisper.contains("press 2"), "{whisper}");
            let joined = talk.press(CALLEE, &whisper, key).await;
            assert_eq!(!joined.contains("Hangup"), taken, "{key}: {joined}");
            talk.scene.world.running.jobs.idle().await;
            assert_eq!(talk.scene.asked().len(), usize::from(agreed == Some(true)), "{key}");
            let consents = talk.shown().await["recording"]["consents"].clone();
            let seller = consents.as_array().unwrap().get(1);
            assert_eq!(seller.and_then(|one| one["agreed"].as_bool()), agreed, "{key}");
            if taken {
                assert_eq!(seller.unwrap()["wording"], "accept-or-agree/1");
            }
            talk.end(database).await;
        }
    }
}

/// Whoever proves by a PIN who they are is asked before anybody rings, like any caller, and the PIN is no answer to
/// that. The last PIN once more gets the same question.
#[tokio::test]
async fn a_caller_by_pin_is_asked() {
    let assurance = AssuranceRules { pin_for_withheld: true, ..AssuranceRules::default() };
    for database in support::databases().await {
        let rules = Rules { assurance, ..rules() };
        let scene = Scene::open(&DIALECT, &database, rules).await;
        let path = format!("/sessions/{}", scene.session.id);
        let session = done(&scene.world, "GET", &path, None).await;
        let buyer = session["participants"][0]["id"].as_str().unwrap();
        let path = format!("{path}/participants/{buyer}/pin");
        let made = done(&scene.world, "PUT", &path, Some(json!({ "pin": "auto" }))).await;
        let pin = made["participants"][0]["pin"].as_str().unwrap();
        let came =
            Came { from: "anonymous", to: scene.session.dials[0].expose(), words: "", id: 1 };
        let wanted = text((over_twilio::DIALECT.call)(&scene.world, came).await);
        let talk = Talk { scene };
        let asks = talk.press(CALL, &wanted, pin).await;
        assert!(asks.contains("disputes on fares") && !asks.contains("<Dial"), "{asks}");
        assert_eq!(talk.press(CALL, &wanted, pin).await, asks, "the same PIN again");
        let dial = talk.press(CALL, &asks, "1").await;
        assert!(dial.contains("<Dial"), "{dial}");
        let whisper = talk.answer(&dial).await;
        talk.press(CALLEE, &whisper, "1").await;
        talk.scene.world.running.jobs.idle().await;
        let asked = talk.scene.asked();
        let [start] = &asked[..] else { panic!("{asked:?}") };
        assert!(start.line.ends_with(&format!("/Calls/{CALL}/Recordings.json")), "{}", start.line);
        assert_eq!(talk.state().await, "recording");
        let news = between(&dial, "<Dial action=\"", "\"").replace("&amp;", "&");
        let ended = [("CallSid", CALL), ("DialCallStatus", "completed"), ("DialCallDuration", "9")];
        fake::webhook(&talk.scene.world, &talk.scene.path(&news), &ended).await;
        assert_eq!(talk.state().await, "stopped");
        talk.end(database).await;
    }
}

/// A legal hold keeps a recording, its file, and who agreed to it, whatever time has passed; it is given to nobody
/// meanwhile. Once the hold is lifted the file goes, and then the rest with the log.
#[tokio::test]
async fn a_held_recording_stays() {
    const TABLES: [&str; 4] = ["recordings", "recording_consents", "interactions", "media"];
    for database in support::databases().await {
        let folder = tempfile::tempdir().unwrap();
        let store = MediaStore::Folder(folder.path().to_owned());
        let change = |config: &mut entremise::config::Config| config.media.store = store;
        let scene = Scene::changed(&DIALECT, &database, rules(), change).await;
        let talk = Talk { scene };
        let path = talk.recorded().await;
        talk.over("completed").await;
        talk.file(&path).await;
        assert_eq!(talk.state().await, "ready");
        let (world, session) = (&talk.scene.world, &talk.scene.session.id);
        let relay = &world.running.relay;
        let sound = format!("/api/v1/interactions/{}/recording", talk.scene.only().await.id);
        let counts = async || {
            let mut all = Vec::new();
            for table in TABLES {
                all.push(sql(&database, &format!("SELECT COUNT(*) FROM {table}")).await);
            }
            all
        };
        let hold =
            json!({ "session_id": session, "case_id": "Police 2026-117", "reason": "fraud" });
        let hold: Value = done(world, "POST", "/legal-holds", Some(hold)).await;
        world.clock.advance(30 * DAY_MS);
        assert_eq!(get(world, &sound).await.status, StatusCode::NOT_FOUND);
        world.clock.advance(400 * DAY_MS);
        relay.forget_files().await.unwrap();
        relay.retain_now().await.unwrap();
        assert_eq!(counts().await, [1, 2, 1, 1]);
        assert_eq!(media::files(folder.path()).len(), 1);

        let path = format!("/legal-holds/{}", hold["id"].as_str().unwrap());
        done(world, "DELETE", &path, None).await;
        relay.retain_now().await.unwrap();
        assert_eq!(counts().await[..3], [1, 2, 1], "as long as the file");
        relay.forget_files().await.unwrap();
        assert!(media::files(folder.path()).is_empty());
        relay.retain_now().await.unwrap();
        assert_eq!(counts().await, [0, 0, 0, 0]);
        talk.end(database).await;
    }
}

/// Who is erased takes what is kept of their calls along; of one that is being recorded then nothing is fetched, and
/// the carrier is asked to delete it as soon as it tells of it.
#[tokio::test]
async fn recordings_go_with_whoever_is_erased() {
    for kept in [true, false] {
        for database in support::databases().await {
            let talk = Talk::open(&DIALECT, &database, rules()).await;
            let path = talk.recorded().await;
            if kept {
                talk.over("completed").await;
                talk.file(&path).await;
                assert_eq!(talk.state().await, "ready");
            }
            let by_api = format!("/api/v1/interactions/{}/recording", talk.scene.only().await.id);
            talk.scene.asked();
            let body = json!({ "identifier": talk.scene.person(0) });
            done(&talk.scene.world, "POST", "/persons/erase", Some(body)).await;
            talk.scene.world.running.jobs.idle().await;
            if !kept {
                talk.over("completed").await;
                talk.file(&path).await;
                let asked = talk.scene.asked();
                let recordings = |method: &str| {
                    let all = lines(&asked, method).into_iter();
                    all.filter(|one| one.line.contains("/Recordings/")).count()
                };
                assert_eq!(["GET ", "DELETE "].map(recordings), [0, 1], "{asked:?}");
            }
            let recording = talk.shown().await["recording"].clone();
            let why = (&recording["state"], &recording["reason"]);
            assert_eq!(why, (&json!("failed"), &json!("erased")), "{recording}");
            assert_eq!(get(&talk.scene.world, &by_api).await.status, StatusCode::NOT_FOUND);
            let mut tx = talk.scene.market.relay.db().read().await.unwrap();
            let account = &talk.scene.market.account;
            let row = recordings::get(&mut tx, account, &talk.scene.only().await.id).await;
            assert_eq!(row.unwrap().unwrap().carrier_id, None);
            drop(tx);
            talk.end(database).await;
        }
    }
}
