//! What is changed by way of Twilio Proxy's paths is in the audit log, each once, under who did it.

use entremise::domain::message::Body;
use serde_json::{Value, json};

use crate::{
    support::World,
    world::{ALICE, BOB, CAROL, Client, each, identifier, phone, proxy, text},
};

async fn log(a: &Client<'_>) -> Vec<Value> {
    let (status, page) = a.native("/audit?limit=100").await;
    assert_eq!(status, 200, "{page}");
    page["data"].as_array().unwrap().clone()
}

/// The one row that was added since there were so many, and how many there are now.
async fn one_more(world: &World, a: &Client<'_>, before: usize, action: &str) -> usize {
    let all = log(a).await;
    assert_eq!(all.len(), before + 1, "{action}: {all:?}");
    assert_eq!(all[0]["action"], action);
    let actor = json!({ "kind": "auth_token", "id": world.account.account });
    assert_eq!(all[0]["actor"], actor, "{action}");
    all.len()
}

/// Services, numbers, and what is deleted leave one row each; sessions, people and texts none.
#[tokio::test]
async fn i19_each_change_leaves_one_row() {
    each(async |world, a| {
        let mut rows = log(a).await.len();
        let new = a.post("/v1/Services", &[("UniqueName", "rides")]).await.is(201);
        let service = format!("/v1/Services/{}", text(&new, "sid"));
        rows = one_more(world, a, rows, "service.created").await;
        let url = "https://market.example/callback?secret=hunter2";
        a.post(&service, &[("CallbackUrl", url), ("DefaultTtl", "60")]).await.is(200);
        rows = one_more(world, a, rows, "service.updated").await;
        let last = log(a).await.swap_remove(0);
        let names = json!(["default_ttl_seconds", "twilio_proxy/callback_url"]);
        assert_eq!(last["details"], json!({ "changed": names }));
        assert!(!format!("{:?}", log(a).await).contains("hunter2"));
        let pool = format!("{service}/PhoneNumbers");
        let number = a.post(&pool, &[("PhoneNumber", &*proxy(0))]).await.is(201);
        rows = one_more(world, a, rows, "number.added").await;
        let path = format!("{pool}/{}", text(&number, "sid"));
        a.post(&path, &[("IsReserved", "true")]).await.is(200);
        rows = one_more(world, a, rows, "number.updated").await;
        a.delete(&path).await.is(204);
        rows = one_more(world, a, rows, "number.retired").await;
        a.post(&pool, &[("Sid", &*text(&number, "sid"))]).await.is(201);
        rows = one_more(world, a, rows, "number.added").await;

        let alice = phone(world, ALICE);
        let session = a.session(&service, &[ALICE, BOB]).await;
        let people = a.get(&format!("{session}/Participants")).await.is(200);
        let dialled = identifier(&text(&people["participants"][1], "proxy_identifier"));
        world.network.text(alice, &dialled, Body::new("early".into())).unwrap();
        world.running.idle().await;
        let one = a.get(&format!("{session}/Interactions")).await.is(200);
        assert_eq!(log(a).await.len(), rows);
        a.delete(&text(&one["interactions"][0], "url")).await.is(204);
        rows = one_more(world, a, rows, "interaction.deleted").await;
        a.delete(&session).await.is(204);
        rows = one_more(world, a, rows, "session.deleted").await;
        a.session(&service, &[CAROL]).await;
        a.delete(&service).await.is(204);
        one_more(world, a, rows, "service.deleted").await;
        a.delete(&service).await.refused(404, 20404);
        assert_eq!(log(a).await.len(), rows + 1);
    })
    .await;
}
