//! Who blocks or reports the other side, by API or by a text: nothing passes any more, either way (I8, T15).

use entremise::{
    domain::interaction::{Outcome, Reason},
    ids::{ParticipantId, SessionId},
    relay,
    sandbox::{Faults, Sound},
};
use serde_json::json;

use crate::{
    poison::sql,
    receiver::ask,
    stop_stage::{BUYER, Contact, SELLER, Stage},
    support,
};

const US: [&str; 4] = ["+14155550100", "+14155550101", "+14155550102", "+14155550103"];
const STRANGER: &str = "+12125550109";

async fn block(stage: &Stage, contact: &Contact, by: usize) {
    let path = format!("/sessions/{}/participants/{}/block", contact.id, contact.people[by]);
    stage.api("PUT", &path, json!({})).await;
}

/// Nothing passes between the two in a session, either way, and neither hears why.
async fn holds(stage: &Stage, contact: &Contact) {
    let before = (stage.got(BUYER).await, stage.got(SELLER).await);
    for (from, dials) in [(BUYER, &contact.dials[0]), (SELLER, &contact.dials[1])] {
        stage.text(from, dials, "hello?").await;
        assert_eq!(stage.last().await.reason, Some(Reason::Blocked), "{from}");
        let heard = stage.call(from, dials).await;
        assert_eq!(heard, stage.call(STRANGER, dials).await, "{from} is told as anybody is");
    }
    assert_eq!((stage.got(BUYER).await, stage.got(SELLER).await), before);
}

/// T15: "block" by a text is passed on to nobody and answered once; nothing passes any more, either way, nor in
/// sessions that are opened later; "unblock" takes back what it set, and no block of the marketplace's.
#[tokio::test]
async fn t15_blocking_by_a_text() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        let contact = stage.contact("rides").await;
        stage.text(SELLER, &contact.dials[1], "Pay me now").await;
        stage.text(BUYER, &contact.dials[0], "Block!").await;
        assert_eq!(stage.last().await.reason, Some(Reason::Keyword));
        stage.text(BUYER, &contact.dials[0], "block").await;
        let got = stage.got(BUYER).await;
        assert_eq!(got.len(), 2, "one answer: {got:?}");
        assert!(got[1].starts_with("Bikes:") && got[1].contains("UNBLOCK"), "{got:?}");
        assert_eq!(stage.got(SELLER).await, Vec::<String>::new());
        let told = stage.told("participant.blocked").await;
        assert_eq!(told.len(), 1);
        assert_eq!((&told[0]["role"], &told[0]["source"]), (&json!("buyer"), &json!("person")));
        holds(&stage, &contact).await;
        let later = stage.contact("rides").await;
        holds(&stage, &later).await;
        // The other side can't lift it.
        stage.text(SELLER, &later.dials[1], "UNBLOCK").await;
        holds(&stage, &later).await;
        stage.text(BUYER, &later.dials[0], "unblock").await;
        assert!(stage.got(BUYER).await.last().unwrap().contains("not blocked any more"));
        stage.text(SELLER, &later.dials[1], "Sorry").await;
        assert_eq!(stage.got(BUYER).await.last().unwrap(), "Sorry");

        block(&stage, &later, 0).await;
        stage.text(BUYER, &later.dials[0], "UNBLOCK").await;
        holds(&stage, &later).await;
        let path = format!("/sessions/{}/participants/{}/block", later.id, later.people[0]);
        crate::receiver::done(&stage.world, "DELETE", &path, None).await;
        stage.text(BUYER, &later.dials[0], "Again?").await;
        assert_eq!(stage.got(SELLER).await, ["Again?"]);
        stage.end(database).await;
    }
}

/// Where the service says so, such words are texts like any other; and where nobody is on the other side.
#[tokio::test]
async fn words_are_texts_where_the_service_says_so() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let rules = json!({ "block_words": false, "stop_words": "relay" });
        stage.service("rides", &US, rules).await;
        let contact = stage.contact("rides").await;
        for word in ["BLOCK", "REPORT", "STOP", "HELP"] {
            stage.text(BUYER, &contact.dials[0], word).await;
        }
        assert_eq!(stage.got(SELLER).await, ["BLOCK", "REPORT", "STOP", "HELP"]);
        assert_eq!(stage.got(BUYER).await, Vec::<String>::new());
        stage.api("PATCH", "/services/rides", json!({ "block_words": true })).await;
        stage.text(STRANGER, &contact.dials[0], "BLOCK").await;
        assert_eq!(stage.last().await.reason, Some(Reason::UnknownCaller));
        stage.end(database).await;
    }
}

/// T15: "report" by a text makes a report that names what the other side did, and blocks; once, until somebody
/// decides. Its note and decision can be read by support, and go with the session.
#[tokio::test]
async fn t15_reporting() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        let contact = stage.contact("rides").await;
        stage.text(SELLER, &contact.dials[1], "Give me your password").await;
        let text = stage.last().await.id;
        stage.text(BUYER, &contact.dials[0], "No").await;
        stage.text(BUYER, &contact.dials[0], "report").await;
        stage.text(BUYER, &contact.dials[0], "Report").await;
        let got = stage.got(BUYER).await;
        assert_eq!(got.len(), 2, "one answer: {got:?}");
        assert!(got[1].contains("report"), "{got:?}");
        holds(&stage, &contact).await;
        let told = stage.told("report.created").await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["role"], "buyer");
        let all = stage.get("/reports?state=open").await;
        assert_eq!(all["data"].as_array().unwrap().len(), 1, "{all}");
        let one = &all["data"][0];
        assert_eq!((&one["category"], &one["source"]), (&json!("other"), &json!("person")));
        assert_eq!(one["interaction_ids"], json!([text.as_str()]), "{}", database.name);
        let path = format!("/reports/{}", one["id"].as_str().unwrap());
        let decision = json!({ "decision": "banned", "note": "Phishing, see 4711" });
        let decided = stage.api("POST", &format!("{path}/resolve"), decision.clone()).await;
        assert_eq!(
            (&decided["state"], &decided["decision"]),
            (&json!("resolved"), &json!("banned"))
        );
        let (status, _) =
            ask(&stage.world, "POST", &format!("{path}/resolve"), Some(decision)).await;
        assert_eq!(status, 409);
        assert_eq!(stage.get(&path).await["decision_note"], "Phishing, see 4711");
        assert_eq!(stage.told("report.resolved").await[0]["decision"], "banned");
        // By now it may be said again.
        stage.text(BUYER, &contact.dials[0], "REPORT").await;
        assert_eq!(stage.told("report.created").await.len(), 2);

        let new = json!({
            "category": "scam", "note": "Wants my password", "interaction_ids": [text.as_str()],
            "block": false,
        });
        let by = format!("/sessions/{}/participants/{}/report", contact.id, contact.people[1]);
        let made = stage.api("POST", &by, new).await;
        assert_eq!(made["reporter_role"], "seller");
        let path = format!("/reports/{}", made["id"].as_str().unwrap());
        assert_eq!(stage.get(&path).await["note"], "Wants my password");
        let (account, id) = (stage.world.account.account.clone(), contact.id.clone());
        let deleted = stage.world.running.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), SessionId::parse(&id).unwrap());
            Box::pin(async move { relay::delete_session(tx, &account, &id).await })
        });
        deleted.await.unwrap();
        assert_eq!(stage.get(&path).await["note"], json!(null));
        // It can still be decided: what is said of it is kept no more than the note.
        let open = stage.get("/reports?state=open").await;
        let open = open["data"].as_array().unwrap().iter().find(|one| one["source"] == "person");
        let open = format!("/reports/{}/resolve", open.unwrap()["id"].as_str().unwrap());
        let late = json!({ "decision": "warned", "note": "Phishing, see 4711" });
        assert_eq!(stage.api("POST", &open, late).await["decision"], "warned");
        let kept =
            "SELECT COUNT(*) FROM reports WHERE decision_note IS NOT NULL AND decision = 'warned'";
        assert_eq!(sql(&database, kept).await, 0, "on {}", database.name);
        stage.world.clock.advance(367 * 86_400_000);
        stage.world.running.relay.purge().await.unwrap();
        let left = stage.get("/reports").await;
        assert_eq!(left["data"].as_array().unwrap().len(), 1, "open ones stay: {left}");
        stage.end(database).await;
    }
}

/// A report by API blocks unless it says otherwise, and so does one that is decided so; what is reported of another
/// session is not taken.
#[tokio::test]
async fn reports_block() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        let contact = stage.contact("rides").await;
        let lift = async |by: usize| {
            let path =
                format!("/sessions/{}/participants/{}/block", contact.id, contact.people[by]);
            crate::receiver::done(&stage.world, "DELETE", &path, None).await;
        };
        let by = format!("/sessions/{}/participants/{}/report", contact.id, contact.people[1]);
        stage.api("POST", &by, json!({ "category": "scam" })).await;
        holds(&stage, &contact).await;
        lift(1).await;
        let open = stage.api("POST", &by, json!({ "category": "scam", "block": false })).await;
        stage.text(SELLER, &contact.dials[1], "Still here").await;
        assert_eq!(stage.got(BUYER).await, ["Still here"], "on {}", database.name);
        let path = format!("/reports/{}/resolve", open["id"].as_str().unwrap());
        stage.api("POST", &path, json!({ "decision": "blocked" })).await;
        holds(&stage, &contact).await;
        stage.end(database).await;
    }
}

/// I8: a text that is queued when a block is set is not sent any more, whichever of the two set it.
#[tokio::test]
async fn i8_a_block_overtakes_what_is_queued() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({})).await;
        let contact = stage.contact("rides").await;
        for by in [0, 1] {
            stage.world.network.set_faults(Faults { fail_next: 1_000, ..Faults::default() });
            stage.text(SELLER, &contact.dials[1], "late").await;
            assert_eq!(stage.last().await.outcome, None, "it is owed still");
            block(&stage, &contact, by).await;
            stage.world.network.set_faults(Faults::default());
            support::until(async || {
                stage.world.clock.advance(1_000);
                stage.world.running.idle().await;
                stage.last().await.outcome.is_some()
            })
            .await;
            let last = stage.last().await;
            assert_eq!(
                (last.outcome, last.reason),
                (Some(Outcome::Cancelled), Some(Reason::Blocked))
            );
            assert!(stage.got(BUYER).await.is_empty(), "{}", database.name);
            let people = &contact.people[by];
            let path = format!("/sessions/{}/participants/{people}/block", contact.id);
            crate::receiver::done(&stage.world, "DELETE", &path, None).await;
        }
        stage.text(SELLER, &contact.dials[1], "in time").await;
        assert_eq!(stage.got(BUYER).await, ["in time"]);
        stage.end(database).await;
    }
}

/// I8: whoever was rung when a block was set, and picks up after it, is connected with nobody where the carrier
/// asks before it connects; and a call that the marketplace asked for is not placed any more.
#[tokio::test]
async fn i8_a_block_overtakes_a_call() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &US, json!({ "press_one": true })).await;
        let contact = stage.contact("rides").await;
        let network = &stage.world.network;
        let number = |text: &str| entremise::domain::phone::Identifier::parse(text).unwrap();
        let [buyer, seller] = [BUYER, SELLER].map(|who| network.phone_of(&number(who)).unwrap());
        network.dial(seller, &number(&contact.dials[1])).unwrap();
        network.until(buyer, |view| view.call().is_some()).await;
        let ringing = network.seen(buyer).unwrap().call().unwrap().id.clone();
        block(&stage, &contact, 0).await;
        network.answer(buyer, &ringing).unwrap();
        let heard = network.until(buyer, |view| view.call().is_none()).await.calls[0].heard.clone();
        let asked = heard.iter().any(|sound| matches!(sound, Sound::Words { .. }));
        assert!(!asked, "nobody is asked to press 1: {heard:?} on {}", database.name);
        network.until(seller, |view| view.call().is_none()).await;
        // The carrier's report comes after the phones have hung up.
        support::until(async || {
            stage.world.running.idle().await;
            stage.last().await.outcome.is_some()
        })
        .await;
        let call = stage.last().await;
        assert!(call.outcome.is_some_and(|one| one != Outcome::Connected), "{call:?}");

        // One that is owed when the block is set.
        let path = format!("/sessions/{}/participants/{}/block", contact.id, contact.people[0]);
        crate::receiver::done(&stage.world, "DELETE", &path, None).await;
        let account = stage.world.account.account.clone();
        let (id, people) = (contact.id.clone(), contact.people.clone());
        let owed = stage.world.running.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), SessionId::parse(&id).unwrap());
            let people = people.clone().map(|one| ParticipantId::parse(&one).unwrap());
            Box::pin(async move {
                relay::place_call(tx, &account, &id, &people[1]).await?;
                relay::set_block(tx, &account, &id, &people[0], true).await.map(drop)
            })
        });
        owed.await.unwrap();
        support::until(async || {
            stage.world.clock.advance(1_000);
            stage.world.running.idle().await;
            stage.last().await.outcome.is_some()
        })
        .await;
        let call = stage.last().await;
        assert_eq!(call.reason, Some(Reason::Blocked), "{call:?} on {}", database.name);
        assert!(network.seen(seller).unwrap().call().is_none());
        stage.end(database).await;
    }
}
