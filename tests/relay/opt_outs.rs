//! Who wants no more texts gets none: by the country of the number that they wrote to, by their carrier's word,
//! and by the marketplace's, on each engine.

use entremise::{
    domain::{
        interaction::{Outcome, Reason},
        policy::Rules,
    },
    sandbox::Faults,
    store::legs,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    dialect::{Came, Dialect, Scene},
    over_twilio,
    receiver::ask,
    stop_stage::{BUYER, SELLER, Stage},
    support,
};

const US: [&str; 2] = ["+14155550100", "+14155550101"];
const MORE_US: [&str; 2] = ["+14155550102", "+14155550103"];
const FRENCH: [&str; 2] = ["+33937000001", "+33937000002"];
const MORE_FRENCH: [&str; 2] = ["+33937000003", "+33937000004"];

/// Ids and roles, and nothing of a number.
fn tells(event: &Value, scope: &str, source: &str, role: Option<&str>) {
    assert_eq!(event["scope"], scope, "{event}");
    assert_eq!(event["source"], source, "{event}");
    assert_eq!(event["role"], json!(role), "{event}");
    assert!(!event.to_string().contains("555"), "{event}");
}

/// T15: under +1 one word stops texts of every number of the account, is answered once, in the name of the
/// marketplace, and passed on to nobody; calls go on. START takes it back everywhere, and is answered once.
#[tokio::test]
async fn t15_under_plus_one_all_numbers_stop() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        stage.service("homes", &MORE_US, json!({})).await;
        let (rides, homes) = (stage.contact("rides").await, stage.contact("homes").await);
        stage.text(BUYER, &rides.dials[0], " Opt-out. ").await;
        let last = stage.log().await;
        assert_eq!(last[0].reason, Some(Reason::StopWord));
        assert_eq!(last[0].outcome, Some(Outcome::Refused));
        stage.text(BUYER, &homes.dials[0], "STOP").await;
        assert_eq!(stage.got(SELLER).await, Vec::<String>::new(), "{}", database.name);
        let got = stage.got(BUYER).await;
        assert_eq!(got.len(), 1, "one answer to both: {got:?}");
        assert!(got[0].starts_with("Bikes:") && got[0].contains("START"), "{got:?}");
        let told = stage.told("person.opted_out").await;
        assert_eq!(told.len(), 1);
        tells(&told[0], "account", "person", Some("buyer"));

        for (contact, words) in [(&rides, "one"), (&homes, "two")] {
            stage.text(SELLER, &contact.dials[1], words).await;
            let last = stage.last().await;
            assert_eq!(last.outcome, Some(Outcome::Failed), "{words} on {}", database.name);
            assert_eq!(last.reason, Some(Reason::RecipientOptedOut));
        }
        // Who opted out still writes, and both call.
        stage.text(BUYER, &rides.dials[0], "still here").await;
        assert_eq!(stage.got(SELLER).await, ["still here"]);
        assert!(stage.call(SELLER, &rides.dials[1]).await.contains(&BUYER[1..]));

        stage.text(BUYER, &homes.dials[0], "start").await;
        let told = stage.told("person.opted_in").await;
        assert_eq!(told.len(), 1);
        tells(&told[0], "account", "person", Some("buyer"));
        stage.text(SELLER, &rides.dials[1], "three").await;
        let got = stage.got(BUYER).await;
        assert_eq!(got.len(), 3, "{got:?}");
        assert!(got[1].contains("STOP"), "{got:?}");
        assert_eq!(got[2], "three");
        // Nothing is stopped now: it may be meant for the other person.
        stage.text(BUYER, &homes.dials[0], "Start").await;
        stage.text(BUYER, &homes.dials[0], "Unstop").await;
        assert_eq!(stage.got(SELLER).await, ["still here", "Start"]);
        assert_eq!(stage.got(BUYER).await.len(), 3);
        stage.end(database).await;
    }
}

/// T15: elsewhere the country's own word stops the texts of that service alone, answered in its language, and
/// calls go on; a word that means nothing there is passed on.
#[tokio::test]
async fn t15_elsewhere_one_service_stops() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &FRENCH, json!({ "geo_match": "any" })).await;
        stage.service("homes", &MORE_FRENCH, json!({ "geo_match": "any" })).await;
        let (rides, homes) = (stage.contact("rides").await, stage.contact("homes").await);
        stage.text(BUYER, &rides.dials[0], "Cancel").await;
        assert_eq!(stage.got(SELLER).await, ["Cancel"]);
        stage.text(BUYER, &rides.dials[0], "Arrêt !").await;
        let got = stage.got(BUYER).await;
        assert_eq!(got.len(), 1, "{got:?}");
        assert!(got[0].starts_with("Bikes :") && got[0].contains("Répondez START"), "{got:?}");
        tells(&stage.told("person.opted_out").await[0], "service", "person", Some("buyer"));
        stage.text(SELLER, &rides.dials[1], "one").await;
        assert_eq!(stage.last().await.reason, Some(Reason::RecipientOptedOut), "{}", database.name);
        stage.text(SELLER, &homes.dials[1], "two").await;
        assert_eq!(stage.got(BUYER).await[1..], ["two"]);
        assert!(stage.call(SELLER, &rides.dials[1]).await.contains(&BUYER[1..]));
        // START where nothing was stopped takes nothing back.
        stage.text(BUYER, &homes.dials[0], "START").await;
        stage.text(SELLER, &rides.dials[1], "three").await;
        assert_eq!(stage.last().await.reason, Some(Reason::RecipientOptedOut));
        stage.text(BUYER, &rides.dials[0], "début").await;
        stage.text(SELLER, &rides.dials[1], "four").await;
        assert_eq!(stage.got(BUYER).await.last().unwrap(), "four");
        stage.end(database).await;
    }
}

/// Who asks for help under +1 is told what the service says, or whose number it is; also who has opted out, and
/// who is in no session.
#[tokio::test]
async fn help_is_answered() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let words = json!({ "help_text": "Bikes help: bikes.example/help" });
        stage.service("rides", &US, words).await;
        let contact = stage.contact("rides").await;
        stage.text(BUYER, &contact.dials[0], "STOP").await;
        stage.text(BUYER, &contact.dials[0], "Help!").await;
        assert_eq!(stage.got(BUYER).await[1..], ["Bikes help: bikes.example/help"]);
        assert_eq!(stage.last().await.reason, Some(Reason::Keyword));
        stage.api("PATCH", "/services/rides", json!({ "help_text": null })).await;
        stage.api("POST", &format!("/sessions/{}/close", contact.id), json!({})).await;
        stage.text(SELLER, &contact.dials[1], "info").await;
        let got = stage.got(SELLER).await;
        assert!(got.len() == 1 && got[0].starts_with("Bikes: this number connects"), "{got:?}");
        stage.end(database).await;
    }
}

/// A word from a number that nobody would be written to at is heeded, and not answered.
#[tokio::test]
async fn numbers_that_cost_are_not_answered() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        let before = stage.log().await.len();
        for (from, owed) in [("+19002345678", 0), ("+12125550109", 1)] {
            stage.text(from, US[0], "STOP").await;
            let log = stage.log().await;
            assert_eq!(log[0].reason, Some(Reason::StopWord), "on {}", database.name);
            let mut tx = stage.world.running.relay.db().read().await.unwrap();
            let account = &stage.world.account.account;
            let legs = legs::of_interaction(&mut tx, account, &log[0].id).await.unwrap();
            assert_eq!(legs.len(), 1 + owed, "{from} on {}", database.name);
        }
        assert_eq!(stage.log().await.len(), before + 2);
        assert_eq!(stage.told("person.opted_out").await.len(), 2);
        stage.end(database).await;
    }
}

/// Whoever sends such words again and again is heeded each time, and answered so often.
#[tokio::test]
async fn answers_have_an_end() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        let contact = stage.contact("rides").await;
        for _ in 0..5 {
            stage.text(BUYER, &contact.dials[0], "STOP").await;
            stage.text(BUYER, &contact.dials[0], "START").await;
        }
        assert_eq!(stage.got(BUYER).await.len(), 6);
        assert_eq!(stage.told("person.opted_out").await.len(), 5);
        assert_eq!(stage.told("person.opted_in").await.len(), 5);
        stage.end(database).await;
    }
}

/// A carrier's word that somebody has opted out is taken over: the next text is not even sent, until they write
/// START.
#[tokio::test]
async fn a_carrier_s_opt_out_is_taken_over() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        let contact = stage.contact("rides").await;
        stage.text(SELLER, &contact.dials[1], "one").await;
        let text = stage.last().await;
        let mut tx = stage.world.running.relay.db().read().await.unwrap();
        let account = &stage.world.account.account;
        let all = legs::of_interaction(&mut tx, account, &text.id).await.unwrap();
        drop(tx);
        let leg = all.iter().find(|leg| leg.position == 1).unwrap();
        for (code, opted_out) in [("expired", 0), ("opted-out", 1), ("opted-out", 1)] {
            let news = json!({
                "event": "message_status", "id": leg.carrier_id, "state": "undelivered", "code": code,
            });
            let answer = support::webhook(&stage.world, "status", &news).await;
            assert!(answer.status.is_success(), "{}", answer.status);
            assert_eq!(stage.told("person.opted_out").await.len(), opted_out, "{}", database.name);
        }
        tells(&stage.told("person.opted_out").await[0], "number", "carrier", Some("buyer"));
        stage.text(SELLER, &contact.dials[1], "two").await;
        assert_eq!(stage.last().await.reason, Some(Reason::RecipientOptedOut));
        stage.text(BUYER, &contact.dials[0], "START").await;
        stage.text(SELLER, &contact.dials[1], "three").await;
        let got = stage.got(BUYER).await;
        assert_eq!(got.last().unwrap(), "three", "{got:?}");
        assert!(!got.contains(&"two".to_owned()));
        stage.end(database).await;
    }
}

/// Texts of the platform's own respect it: missed calls, strangers, notices on content, and the marketplace's.
#[tokio::test]
async fn the_platform_s_texts_are_not_sent() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let rules = json!({
            "missed_call_text": "You missed a call", "out_of_session_text": "Open the app",
            "content": {
                "phone": "flag", "legal_basis": "Art. 6(1)(f) GDPR", "notice": "bikes.example/texts",
            },
        });
        stage.service("rides", &US, rules).await;
        let contact = stage.contact("rides").await;
        stage.text(BUYER, &contact.dials[0], "STOP").await;
        assert_eq!(stage.got(BUYER).await.len(), 1);
        let network = &stage.world.network;
        let number = |text: &str| entremise::domain::phone::Identifier::parse(text).unwrap();
        let phone = |who: &str| network.phone_of(&number(who)).unwrap();
        network.dial(phone(SELLER), &number(&contact.dials[1])).unwrap();
        network.until(phone(BUYER), |view| view.call().is_some()).await;
        let ringing = network.seen(phone(BUYER)).unwrap().call().unwrap().id.clone();
        network.decline(phone(BUYER), &ringing).unwrap();
        network.until(phone(SELLER), |view| view.call().is_none()).await;
        stage.text(BUYER, &contact.dials[0], "Call me: 415 555 0123").await;
        let asked = json!({ "participant_id": contact.people[0], "body": "from us" });
        stage.api("POST", &format!("/sessions/{}/messages", contact.id), asked).await;
        stage.world.running.idle().await;
        stage.api("POST", &format!("/sessions/{}/close", contact.id), json!({})).await;
        stage.text(BUYER, &contact.dials[0], "Anybody there?").await;
        assert_eq!(stage.got(BUYER).await.len(), 1, "{:?}", stage.got(BUYER).await);
        let reasons: Vec<_> = stage.log().await.into_iter().map(|one| one.reason).collect();
        let stopped = reasons.iter().filter(|one| **one == Some(Reason::RecipientOptedOut));
        assert_eq!(stopped.count(), 2, "the missed call's and ours: {reasons:?}");
        // Who did not opt out gets them.
        stage.text(SELLER, &contact.dials[1], "Anybody there?").await;
        assert_eq!(stage.got(SELLER).await.last().unwrap(), "Open the app");
        stage.end(database).await;
    }
}

/// I8: a text that is queued when its recipient opts out is not sent any more.
#[tokio::test]
async fn i8_a_stop_overtakes_what_is_queued() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        let contact = stage.contact("rides").await;
        stage.world.network.set_faults(Faults { fail_next: 1_000, ..Faults::default() });
        stage.text(SELLER, &contact.dials[1], "late").await;
        assert_eq!(stage.last().await.outcome, None, "it is owed still");
        stage.text(BUYER, &contact.dials[0], "STOP").await;
        stage.world.network.set_faults(Faults::default());
        support::until(async || {
            stage.world.clock.advance(1_000);
            stage.world.running.idle().await;
            let log = stage.log().await;
            log.iter().any(|one| one.reason == Some(Reason::RecipientOptedOut))
        })
        .await;
        assert!(!stage.got(BUYER).await.contains(&"late".to_owned()), "{}", database.name);
        stage.end(database).await;
    }
}

/// What the marketplace was told is recorded, found by number, not undone by START, and cleared with a proof
/// that can be read again.
#[tokio::test]
async fn the_marketplace_records_and_clears() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        let contact = stage.contact("rides").await;
        let new = json!({ "identifier": BUYER, "scope": "service", "service_id": "KS0" });
        let (status, refused) = ask(&stage.world, "POST", "/opt-outs", Some(new)).await;
        assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &json!("/service_id")));
        let new = json!({ "identifier": BUYER, "scope": "account" });
        let one = stage.api("POST", "/opt-outs", new).await;
        assert_eq!((&one["source"], &one["scope"]), (&json!("api"), &json!("account")));
        assert!(!one.to_string().contains("5550101"), "{one}");
        stage.text(SELLER, &contact.dials[1], "one").await;
        assert_eq!(stage.last().await.reason, Some(Reason::RecipientOptedOut));
        stage.text(BUYER, &contact.dials[0], "UNSTOP").await;
        let found = stage.api("POST", "/opt-outs/lookup", json!({ "identifier": BUYER })).await;
        assert_eq!(found["data"][0]["id"], one["id"]);
        let none = stage.api("POST", "/opt-outs/lookup", json!({ "identifier": SELLER })).await;
        assert_eq!(none["data"], json!([]));
        let path = format!("/opt-outs/{}", one["id"].as_str().unwrap());
        let proof = json!({ "proof": "Signed form 12" });
        let cleared = stage.api("POST", &format!("{path}/clear"), proof.clone()).await;
        assert_eq!(cleared["proof"], "Signed form 12");
        assert_eq!(stage.get(&path).await, cleared);
        assert_eq!(stage.get("/opt-outs").await["data"], json!([]));
        let again = ask(&stage.world, "POST", &format!("{path}/clear"), Some(proof)).await;
        assert_eq!(again.0, 404);
        stage.text(SELLER, &contact.dials[1], "two").await;
        assert_eq!(stage.got(BUYER).await, ["two"]);
        tells(&stage.told("person.opted_in").await[0], "account", "api", None);
        // Proofs go after five years.
        stage.world.clock.advance(5 * 367 * 86_400_000);
        stage.world.running.relay.purge().await.unwrap();
        let gone = ask(&stage.world, "GET", &path, None).await;
        assert_eq!(gone.0, 404);
        stage.end(database).await;
    }
}

/// Twilio that says of everybody that they have opted out.
static REFUSING: Dialect = Dialect {
    answer: |_| {
        let error = json!({ "code": 21610, "message": "unsubscribed recipient", "status": 400 });
        (StatusCode::BAD_REQUEST, error.to_string())
    },
    ..over_twilio::DIALECT
};

/// Somebody of the scene writes; what the carrier was asked to send after it.
async fn writes(scene: &Scene, who: usize, id: usize, words: &str) -> usize {
    let dialect = &over_twilio::DIALECT;
    let to = scene.session.dials[who].expose();
    let came = Came { from: scene.person(who), to, words, id };
    let answer = (dialect.text)(&scene.world, came).await;
    assert_eq!(answer.status, StatusCode::OK);
    scene.world.running.jobs.idle().await;
    scene.asked().len()
}

/// A text that the carrier refuses since its recipient has opted out is the last that it is asked for.
#[tokio::test]
async fn a_refusal_of_a_carrier_is_taken_over() {
    for database in support::databases().await {
        let scene = Scene::open(&REFUSING, &database, Rules::new("Bikes".into())).await;
        for (id, asked, reason) in [(1, 1, Reason::OptedOut), (2, 0, Reason::RecipientOptedOut)] {
            assert_eq!(writes(&scene, 0, id, "Hello").await, asked, "{}", database.name);
            let last = support::interactions(&scene.world).await.remove(0);
            assert_eq!((last.outcome, last.reason), (Some(Outcome::Failed), Some(reason)));
        }
        scene.end(database).await;
    }
}

/// Words that Twilio answers itself are left to it, and heeded; others are answered by us.
#[tokio::test]
async fn carriers_answer_their_own_words() {
    for database in support::databases().await {
        let rules = Rules::new("Bikes".into());
        let scene = Scene::open(&over_twilio::DIALECT, &database, rules).await;
        for (id, word, answers) in
            [(1, "STOP", 0), (2, "START", 0), (3, "HELP", 0), (4, "Opt out", 1), (5, "UNSTOP", 0)]
        {
            assert_eq!(writes(&scene, 0, id, word).await, answers, "{word}");
        }
        writes(&scene, 0, 6, "STOP").await;
        assert_eq!(writes(&scene, 1, 7, "Hello").await, 0, "heeded on {}", database.name);
        scene.end(database).await;
    }
}
