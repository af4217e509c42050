//! A session's life as Twilio documents it.

use entremise::{domain::message::Body, sandbox::PhoneId};
use serde_json::Value;

use crate::{
    support::World,
    world::{ALICE, BOB, CAROL, Client, each, identifier, phone, text},
};

async fn write(world: &World, from: PhoneId, to: &str, words: &str) {
    world.network.text(from, &identifier(to), Body::new(words.to_owned())).unwrap();
    world.running.idle().await;
}

/// What Alice dials.
async fn dials(a: &Client<'_>, session: &str) -> String {
    let people = a.get(&format!("{session}/Participants")).await.is(200);
    let people = people["participants"].as_array().unwrap().clone();
    let alice = people.iter().find(|one| one["identifier"] == ALICE).unwrap().clone();
    text(&alice, "proxy_identifier")
}

/// Open until the first interaction, then in progress; closed by the API; reopened to in-progress with
/// the same people and numbers, and to nothing else.
#[tokio::test]
async fn open_in_progress_closed_and_back() {
    each(async |world, a| {
        let (alice, _bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        assert_eq!(a.get(&session).await.is(200)["status"], "open");
        a.post(&session, &[("Status", "in-progress")]).await.refused(400, 80608);
        let proxy = dials(a, &session).await;
        write(world, alice, &proxy, "hello").await;
        let begun = a.get(&session).await.is(200);
        assert_eq!(begun["status"], "in-progress");
        assert!(begun["date_started"].is_string() && begun["date_last_interaction"].is_string());
        assert_eq!(begun["date_expiry"], Value::Null, "ttl 0 is unlimited");
        a.post(&session, &[("Status", "open")]).await.refused(400, 80608);

        let closed = a.post(&session, &[("Status", "closed")]).await.is(200);
        assert_eq!(
            (&closed["status"], &closed["closed_reason"]),
            (&"closed".into(), &"api".into())
        );
        assert!(closed["date_ended"].is_string());
        a.post(&session, &[("Ttl", "60")]).await.refused(400, 80607);
        a.post(&session, &[("Status", "open")]).await.refused(400, 80608);
        a.post(&session, &[("Status", "failed")]).await.refused(400, 80608);
        let late = [("Identifier", CAROL)];
        a.post(&format!("{session}/Participants"), &late).await.refused(400, 80607);

        let again = a.post(&session, &[("Status", "in-progress")]).await.is(200);
        assert_eq!(again["status"], "in-progress");
        assert_eq!((&again["date_ended"], &again["closed_reason"]), (&Value::Null, &Value::Null));
        assert_eq!(dials(a, &session).await, proxy);
        let form = [("Status", "closed")];
        a.post(&format!("{service}/Sessions"), &form).await.refused(400, 80608);
    })
    .await;
}

/// Whoever is in a session, or was, is told so, and not that it is full.
#[tokio::test]
async fn a_duplicate_is_told_before_a_full_session() {
    each(async |_, a| {
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let people = format!("{session}/Participants");
        let add = async |who| a.post(&people, &[("Identifier", who)]).await;
        add(CAROL).await.refused(400, 80609);
        add(BOB).await.refused(400, 80103);
        let bob = a.get(&people).await.is(200)["participants"][0].clone();
        a.delete(&text(&bob, "url")).await.is(204);
        add(BOB).await.refused(400, 80103);
        add(CAROL).await.is(201);
        add(BOB).await.refused(400, 80103);
        let twice = format!(r#"{{"Identifier": "{ALICE}"}}"#);
        let form = [("Participants", &*twice); 3];
        a.post(&format!("{service}/Sessions"), &form).await.refused(400, 80103);
    })
    .await;
}

/// Of many requests at once that add one person one is done; each other one is told that it was too late,
/// or that they are there.
#[tokio::test]
async fn one_of_many_adds_the_person() {
    each(async |_, a| {
        let service = a.service("rides", 1).await;
        let mut overtaken = 0;
        // Whether any two are under way at once is the machine's affair: hence the rounds.
        for round in 0..60 {
            let session = a.session(&service, &[]).await;
            let path = format!("{session}/Participants");
            let who = format!("+{}{:04}", 1_212_555, 110 + round);
            let form = [("Identifier", &*who)];
            let all = futures_util::future::join_all((0..6).map(|_| a.post(&path, &form))).await;
            let mut added = 0;
            for one in all {
                match one.status {
                    201 => added += 1,
                    409 => {
                        one.refused(409, 80623);
                        overtaken += 1;
                    }
                    _ => drop(one.refused(400, 80103)),
                }
            }
            assert_eq!(added, 1);
            a.post(&path, &form).await.refused(400, 80103);
            if overtaken > 0 {
                return;
            }
        }
        panic!("no two requests were ever under way at once");
    })
    .await;
}

/// The ttl slides with each interaction and ends the session; a `DateExpiry` wins over it, and one that
/// is past is refused; a reopened session keeps the one that came with the reopening.
#[tokio::test]
async fn ttl_slides_and_date_expiry_wins() {
    each(async |world, a| {
        let (alice, _bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let set = a.post(&session, &[("Ttl", "60")]).await.is(200);
        assert_eq!((&set["ttl"], &set["date_expiry"]), (&60.into(), &Value::Null));
        let proxy = dials(a, &session).await;
        for _ in 0..3 {
            world.clock.advance(40_000);
            write(world, alice, &proxy, "still there").await;
            let live = a.get(&session).await.is(200);
            assert_eq!(live["status"], "in-progress");
            assert!(live["date_expiry"].is_string(), "after an interaction it is known");
        }
        world.clock.advance(61_000);
        world.running.relay.expire_due().await.unwrap();
        let over = a.get(&session).await.is(200);
        assert_eq!(
            (&over["status"], &over["closed_reason"]),
            (&"closed".into(), &"expired".into())
        );
        assert!(over["date_ended"].is_string());

        a.post(&session, &[("Status", "in-progress"), ("DateExpiry", "2020-01-01T00:00:00Z")])
            .await
            .refused(400, 80701);
        let form = [("Status", "in-progress"), ("DateExpiry", "2099-05-01T01:02:03Z")];
        let again = a.post(&session, &form).await.is(200);
        assert_eq!(again["date_expiry"], "2099-05-01T01:02:03Z");
        assert_eq!(again["ttl"], 60, "both are kept");
        world.clock.advance(61_000);
        world.running.relay.expire_due().await.unwrap();
        assert_eq!(a.get(&session).await.is(200)["status"], "in-progress", "DateExpiry wins");
        let sessions = format!("{service}/Sessions");
        a.post(&sessions, &[("DateExpiry", "2020-01-01T00:00:00Z")]).await.refused(400, 80701);
        let form = [("DateExpiry", "2099-05-01T03:02:03.5+02:00")];
        let made = a.post(&sessions, &form).await.is(201);
        assert_eq!(made["date_expiry"], "2099-05-01T01:02:03Z");
    })
    .await;
}

/// Two people at most, each once, also after they left; one who left keeps their row.
#[tokio::test]
async fn participants_come_and_go() {
    each(async |_, a| {
        let service = a.service("rides", 2).await;
        let session = a.session(&service, &[ALICE]).await;
        let path = format!("{session}/Participants");
        a.post(&path, &[("Identifier", ALICE)]).await.refused(400, 80103);
        let bob = a.post(&path, &[("Identifier", BOB), ("FriendlyName", "Bob")]).await.is(201);
        a.post(&path, &[("Identifier", CAROL)]).await.refused(400, 80609);
        let url = text(&bob, "url");
        a.delete(&url).await.is(204);
        assert!(a.get(&url).await.is(200)["date_deleted"].is_string());
        a.delete(&url).await.refused(404, 20404);
        a.post(&path, &[("Identifier", BOB)]).await.refused(400, 80103);
        a.post(&path, &[("Identifier", CAROL)]).await.is(201);
        let nowhere = format!("+{}", 15_551_234_567_u64);
        for (identifier, code) in [
            (&*nowhere, 80404),
            ("12125550104", 80404),
            ("+447700900123", 80404),
            ("messenger:123456", 80304),
            ("", 80701),
        ] {
            let refused = a.post(&path, &[("Identifier", identifier)]).await;
            let body = refused.refused(400, code);
            assert!(identifier.is_empty() || !body.to_string().contains(identifier), "{body}");
        }
    })
    .await;
}

/// A unique name is one session's, closed or not, until it is deleted; a service's is one service's.
#[tokio::test]
async fn names_are_freed_by_deletion_alone() {
    each(async |_, a| {
        let service = a.service("rides", 0).await;
        a.post("/v1/Services", &[("UniqueName", "rides")]).await.refused(400, 80602);
        let path = format!("{service}/Sessions");
        let form = [("UniqueName", "order-1")];
        let session = a.post(&path, &form).await.is(201);
        a.post(&path, &form).await.refused(400, 80603);
        let url = text(&session, "url");
        a.post(&url, &[("Status", "closed")]).await.is(200);
        a.post(&path, &form).await.refused(400, 80603);
        a.delete(&url).await.is(204);
        a.post(&path, &form).await.is(201);
        a.delete(&service).await.is(204);
        a.service("rides", 0).await;
    })
    .await;
}
