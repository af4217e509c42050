//! Words that stop texts: heeded, not passed on, and for one number and one person only.

use entremise::{
    domain::message::Body,
    sandbox::{CallStage, Faults, PhoneId, PhoneView},
};
use serde_json::{Value, json};

use crate::{
    support::World,
    world::{ALICE, BOB, CAROL, Client, each, identifier, phone, text},
};

async fn write(world: &World, from: PhoneId, to: &str, words: &str) {
    world.network.text(from, &identifier(to), Body::new(words.to_owned())).unwrap();
    world.running.idle().await;
}

/// What somebody of a session dials.
async fn dials(a: &Client<'_>, session: &str, who: &str) -> String {
    let people = a.get(&format!("{session}/Participants")).await.is(200);
    let people = people["participants"].as_array().unwrap().clone();
    text(people.iter().find(|one| one["identifier"] == who).unwrap(), "proxy_identifier")
}

/// The words that reached a phone.
fn got(world: &World, phone: PhoneId) -> Vec<String> {
    let view = world.network.seen(phone).unwrap();
    view.received().map(|one| one.body.expose().to_owned()).collect()
}

/// How many interactions the session has here, and the newest in the native API's log.
async fn logged(a: &Client<'_>, session: &str) -> (usize, Value) {
    let shown = a.get(&format!("{session}/Interactions")).await.is(200);
    let (status, log) = a.native("/interactions?limit=1").await;
    assert_eq!(status, 200);
    (shown["interactions"].as_array().unwrap().len(), log["data"][0].clone())
}

/// Each word is kept from the other side, is no interaction and no first one of a session, and stands in
/// the log with a reason of its own; then the other's texts end as `recipient_opted_out`, and calls
/// ring. START is passed on and lifts it, UNSTOP lifts it unseen.
#[tokio::test]
async fn a_stop_word_binds_its_sender_and_number() {
    each(async |world, a| {
        let (alice, bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 2).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let (hers, his) = (dials(a, &session, ALICE).await, dials(a, &session, BOB).await);
        for word in ["STOP", " arret\n", "Unsubscribe", "END", "unstop", "stop"] {
            write(world, bob, &his, word).await;
            let (shown, newest) = logged(a, &session).await;
            assert_eq!(shown, 0, "{word}");
            assert_eq!(
                (&newest["outcome"], &newest["reason"]),
                (&json!("refused"), &json!("stop_word"))
            );
            assert_eq!(newest["session_id"], session.rsplit('/').next().unwrap());
        }
        assert!(got(world, alice).is_empty());
        assert_eq!(a.get(&session).await.is(200)["status"], "open");

        write(world, alice, &hers, "where are you?").await;
        assert!(got(world, bob).is_empty());
        let (shown, newest) = logged(a, &session).await;
        assert_eq!(shown, 1);
        assert_eq!(newest["reason"], "recipient_opted_out");
        let list = a.get(&format!("{session}/Interactions")).await.is(200);
        assert_eq!(list["interactions"][0]["inbound_resource_status"], "received");
        assert_eq!(list["interactions"][0]["outbound_resource_status"], "failed");
        let people = a.get(&format!("{session}/Participants")).await.is(200);
        let to = format!("{}/MessageInteractions", text(&people["participants"][0], "url"));
        assert_eq!(people["participants"][0]["identifier"], BOB);
        let owed = a.post(&to, &[("Body", "your ride is here")]).await.is(200);
        world.running.idle().await;
        let owed = a.get(&text(&owed, "url")).await.is(200);
        assert_eq!(owed["outbound_resource_status"], "failed");
        assert!(got(world, bob).is_empty());
        // Whoever stopped may write, and both may call.
        write(world, bob, &his, "here").await;
        assert_eq!(got(world, alice), ["here"]);
        let call = world.network.dial(alice, &identifier(&hers)).unwrap();
        let rings = |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
        world.network.until(bob, rings).await;
        world.network.hang_up(alice, &call).unwrap();

        write(world, bob, &his, "Start").await;
        assert_eq!(got(world, alice), ["here", "Start"]);
        write(world, alice, &hers, "hello again").await;
        write(world, bob, &his, "quit").await;
        write(world, alice, &hers, "unread").await;
        write(world, bob, &his, "UNSTOP").await;
        write(world, alice, &hers, "and again").await;
        assert_eq!(got(world, bob), ["hello again", "and again"]);
        for word in ["HELP", "info", "stop it", "yes", "DEBUT"] {
            write(world, bob, &his, word).await;
            assert_eq!(got(world, alice).last().unwrap(), word);
        }
    })
    .await;
}

/// It reaches neither the person's other numbers nor the number's other people.
#[tokio::test]
async fn no_other_pair_is_bound() {
    each(async |world, a| {
        let [alice, bob, carol] = [ALICE, BOB, CAROL].map(|one| phone(world, one));
        let service = a.service("rides", 2).await;
        let first = a.session(&service, &[ALICE, BOB]).await;
        let second = a.session(&service, &[CAROL, BOB]).await;
        let (one, two) = (dials(a, &first, BOB).await, dials(a, &second, BOB).await);
        assert_ne!(one, two);
        write(world, bob, &one, "STOP").await;
        write(world, carol, &dials(a, &second, CAROL).await, "hello").await;
        write(world, bob, &two, "hi").await;
        write(world, bob, &one, "ho").await;
        write(world, alice, &dials(a, &first, ALICE).await, "unread").await;
        assert_eq!(got(world, bob), ["hello"]);
        assert_eq!((got(world, carol), got(world, alice)), (vec!["hi".into()], vec!["ho".into()]));
    })
    .await;
}

/// A text that is owed already when the word comes is not sent any more.
#[tokio::test]
async fn what_is_owed_is_not_sent() {
    each(async |world, a| {
        let (alice, bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let (hers, his) = (dials(a, &session, ALICE).await, dials(a, &session, BOB).await);
        world.network.set_faults(Faults { fail_next: 1, ..Faults::default() });
        world.network.text(alice, &identifier(&hers), Body::new("unread".into())).unwrap();
        world.running.idle().await;
        assert!(got(world, bob).is_empty());
        write(world, bob, &his, "stop").await;
        world.clock.advance(61_000);
        world.running.idle().await;
        assert!(got(world, bob).is_empty());
        let list = a.get(&format!("{session}/Interactions")).await.is(200);
        assert_eq!(list["interactions"][0]["outbound_resource_status"], "failed");
    })
    .await;
}

/// The word of somebody who is in no session binds for their next one there; one whose webhook never
/// came is heeded once the carrier's list tells of it.
#[tokio::test]
async fn strangers_and_late_words_are_heeded() {
    each(async |world, a| {
        let (alice, bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let pool = a.get(&format!("{service}/PhoneNumbers")).await.is(200);
        let number = text(&pool["phone_numbers"][0], "phone_number");
        write(world, bob, &number, "Stop").await;
        assert_eq!(logged(a, &a.session(&service, &[]).await).await.1["reason"], "stop_word");
        let session = a.session(&service, &[ALICE, BOB]).await;
        write(world, alice, &number, "unread").await;
        write(world, bob, &number, "start").await;
        write(world, alice, &number, "read").await;
        assert_eq!(got(world, bob), ["read"]);
        world.network.set_faults(Faults { lost_webhook_percent: 100, ..Faults::default() });
        write(world, bob, &number, "STOP").await;
        world.network.set_faults(Faults::default());
        world.clock.advance(16 * 60_000);
        world.running.relay.reconcile(std::time::Duration::from_mins(1)).await.unwrap();
        assert_eq!(logged(a, &session).await.1["reason"], "stop_word");
        write(world, alice, &number, "unread").await;
        assert_eq!(got(world, bob), ["read"]);
        a.post(&session, &[("Status", "closed")]).await.is(200);
        a.post(&session, &[("Status", "in-progress")]).await.is(200);
        write(world, alice, &number, "unread").await;
        assert_eq!(got(world, bob), ["read"], "an opt-out outlives the session");
    })
    .await;
}

/// It is a rule of the service: the native API shows and changes it, and has another in a new service.
#[tokio::test]
async fn a_rule_of_the_service() {
    each(async |world, a| {
        let (alice, bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let native = format!("/services/{}", service.rsplit('/').next().unwrap());
        assert_eq!(a.native(&native).await.1["stop_words"], "number");
        let session = a.session(&service, &[ALICE, BOB]).await;
        let number = dials(a, &session, BOB).await;
        write(world, bob, &number, "end").await;
        let shown = a.change(&native, &json!({ "stop_words": null })).await;
        assert_eq!(shown["stop_words"], "country");
        a.change(&native, &json!({ "stop_words": "relay" })).await;
        write(world, bob, &number, "end").await;
        assert_eq!(got(world, alice), ["end"]);
        write(world, alice, &number, "unread").await;
        write(world, bob, &number, "unstop").await;
        write(world, alice, &number, "read").await;
        assert_eq!(got(world, alice), ["end", "unstop"]);
        assert_eq!(got(world, bob), ["read"], "an opt-out stands until it is lifted");
    })
    .await;
}
