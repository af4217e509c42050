//! What is told of calls and texts: Twilio's words, and only in clear where it must be.

use entremise::{
    domain::message::Body,
    sandbox::{CallStage, PhoneView},
};
use serde_json::{Value, json};

use crate::world::{ALICE, BOB, each, identifier, phone, text};

#[track_caller]
fn is_sid(value: &Value, prefix: &str) {
    let sid = value.as_str().unwrap_or_default();
    assert!(sid.len() == 34 && sid.starts_with(prefix), "{value}");
    assert!(sid[2..].bytes().all(|b| b.is_ascii_hexdigit()), "{value}");
}

/// A text has its words and both its sides; the native API has the same interaction without a word.
#[tokio::test]
async fn a_text() {
    each(async |world, a| {
        let (alice, bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let people = a.get(&format!("{session}/Participants")).await.is(200);
        let (from, to) = (&people["participants"][1], &people["participants"][0]);
        let dialled = identifier(&text(from, "proxy_identifier"));
        world.network.text(alice, &dialled, Body::new("héllo \"you\"".into())).unwrap();
        world.running.idle().await;
        assert_eq!(world.network.seen(bob).unwrap().texts.len(), 1);
        let list = a.get(&format!("{session}/Interactions")).await.is(200);
        let one = &list["interactions"][0];
        is_sid(&one["sid"], "KI");
        assert_eq!(one["type"], "Message");
        let data: Value = serde_json::from_str(one["data"].as_str().unwrap()).unwrap();
        assert_eq!(data, json!({ "body": "héllo \"you\"" }));
        for (way, who, status) in [("inbound", from, "received"), ("outbound", to, "delivered")] {
            assert_eq!(one[format!("{way}_participant_sid")], who["sid"]);
            is_sid(&one[format!("{way}_resource_sid")], "SM");
            assert_eq!(one[format!("{way}_resource_status")], status);
            assert_eq!(one[format!("{way}_resource_type")], "Message");
            assert_eq!(one[format!("{way}_resource_url")], Value::Null);
        }
        let url = text(one, "url");
        assert_eq!(a.get(&url).await.is(200), *one);
        let native = format!("/interactions/{}", text(one, "sid"));
        let (status, shown) = a.native(&native).await;
        assert_eq!(status, 200);
        assert!(!shown.to_string().contains("llo"), "no word leaves by the native API");
        a.delete(&url).await.is(204);
        a.get(&url).await.refused(404, 20404);
        a.delete(&url).await.refused(404, 20404);
        assert_eq!(a.native(&native).await.0, 404);
        assert_eq!(
            a.get(&format!("{session}/Interactions")).await.is(200)["interactions"],
            json!([])
        );
    })
    .await;
}

/// A call has how long it lasted, and its sides' states in Twilio's words.
#[tokio::test]
async fn a_call() {
    each(async |world, a| {
        let (alice, bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let people = a.get(&format!("{session}/Participants")).await.is(200);
        let dialled = identifier(&text(&people["participants"][1], "proxy_identifier"));
        let call = world.network.dial(alice, &dialled).unwrap();
        let rings = |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
        let seen = world.network.until(bob, rings).await;
        let list = async || {
            let list = a.get(&format!("{session}/Interactions")).await.is(200);
            list["interactions"][0].clone()
        };
        assert_eq!(list().await["data"], "{}");
        world.network.answer(bob, &seen.call().unwrap().id).unwrap();
        world
            .network
            .until(alice, |view| view.call().is_some_and(|c| c.stage == CallStage::Connected))
            .await;
        world.network.hang_up(alice, &call).unwrap();
        world.running.idle().await;
        let one = list().await;
        assert_eq!(one["type"], "Voice");
        let data: Value = serde_json::from_str(one["data"].as_str().unwrap()).unwrap();
        assert!(data["duration"].as_str().unwrap().parse::<u64>().is_ok(), "{data}");
        for way in ["inbound", "outbound"] {
            is_sid(&one[format!("{way}_resource_sid")], "CA");
            assert_eq!(one[format!("{way}_resource_type")], "Call");
            assert_eq!(one[format!("{way}_resource_status")], "completed", "{way}");
        }
    })
    .await;
}

/// A text from the marketplace has one side, and stands in the participant's list and the session's.
#[tokio::test]
async fn message_interactions() {
    each(async |world, a| {
        let (_alice, bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let people = a.get(&format!("{session}/Participants")).await.is(200);
        let to = &people["participants"][0];
        let path = format!("{}/MessageInteractions", text(to, "url"));
        let sent = a.post(&path, &[("Body", "your ride is here")]).await.is(200);
        assert_eq!(sent["participant_sid"], to["sid"]);
        assert_eq!(sent["data"], r#"{"body":"your ride is here"}"#);
        for key in ["participant_sid", "resource_sid", "resource_status", "resource_type"] {
            assert_eq!(sent[format!("inbound_{key}")], Value::Null);
        }
        assert_eq!(sent["outbound_participant_sid"], to["sid"]);
        assert_eq!(text(&sent, "url"), format!("{path}/{}", text(&sent, "sid")));
        world.running.idle().await;
        let seen = world.network.seen(bob).unwrap();
        assert_eq!(seen.texts.len(), 1);
        let fetched = a.get(&text(&sent, "url")).await.is(200);
        assert_eq!(fetched["outbound_resource_status"], "delivered");
        let list = a.get(&path).await.is(200);
        assert_eq!(list["meta"]["key"], "interactions");
        assert_eq!(list["interactions"], json!([fetched]));
        let all = a.get(&format!("{session}/Interactions")).await.is(200);
        assert_eq!(all["interactions"][0]["sid"], sent["sid"]);
        assert!(all["interactions"][0].get("participant_sid").is_none());
        let alice = format!("{}/MessageInteractions", text(&people["participants"][1], "url"));
        assert_eq!(a.get(&alice).await.is(200)["interactions"], json!([]));
        a.get(&format!("{alice}/{}", text(&sent, "sid"))).await.refused(404, 20404);
        a.post(&path, &[]).await.refused(400, 80701);
        a.post(&path, &[("Body", &"x".repeat(1601))]).await.refused(400, 80701);
        let media = [("Body", "x"), ("MediaUrl", "https://m.example/a.png")];
        a.post(&path, &media).await.refused(400, 80701);
        let form = [("Mode", "voice-only"), ("Participants", r#"{"Identifier": "+12125550109"}"#)];
        let mute = a.post(&format!("{service}/Sessions"), &form).await.is(201);
        let one = a.get(&format!("{}/Participants", text(&mute, "url"))).await.is(200);
        let path = format!("{}/MessageInteractions", text(&one["participants"][0], "url"));
        a.post(&path, &[("Body", "x")]).await.refused(400, 80910);
        a.post(&text(&mute, "url"), &[("Status", "closed")]).await.is(200);
        a.post(&path, &[("Body", "x")]).await.refused(400, 80607);
    })
    .await;
}
