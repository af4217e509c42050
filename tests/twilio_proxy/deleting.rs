//! Deleting: hidden from both APIs and the console at once, nobody put through, quarantines kept.

use entremise::{domain::message::Body, ids::ServiceId};
use serde_json::json;

use crate::{
    support,
    world::{ALICE, BOB, CAROL, each, identifier, phone, text},
};

/// A deleted session is nowhere any more; a late text goes to nobody, is not in its log, and the pair is
/// in quarantine still.
#[tokio::test]
async fn a_deleted_session_is_gone_and_its_quarantine_stays() {
    each(async |world, a| {
        let (alice, bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let people = a.get(&format!("{session}/Participants")).await.is(200);
        let dialled = identifier(&text(&people["participants"][1], "proxy_identifier"));
        world.network.text(alice, &dialled, Body::new("early".into())).unwrap();
        world.running.idle().await;
        let one = a.get(&format!("{session}/Interactions")).await.is(200);
        let interaction = text(&one["interactions"][0], "sid");
        let sid = session.rsplit('/').next().unwrap().to_owned();
        a.delete(&session).await.is(204);
        for path in ["", "/Participants", "/Interactions"] {
            a.get(&format!("{session}{path}")).await.refused(404, 20404);
        }
        a.post(&session, &[("Status", "in-progress")]).await.refused(404, 20404);
        a.delete(&session).await.refused(404, 20404);
        assert_eq!(a.native(&format!("/sessions/{sid}")).await.0, 404);
        assert_eq!(a.native(&format!("/interactions/{interaction}")).await.0, 404);
        assert_eq!(a.native("/sessions").await.1["data"], json!([]));
        assert_eq!(a.native("/interactions").await.1["data"], json!([]));
        world.network.text(alice, &dialled, Body::new("late".into())).unwrap();
        world.running.idle().await;
        assert_eq!(world.network.seen(bob).unwrap().texts.len(), 1, "only the early one");
        let log = support::interactions(world).await;
        assert_eq!(log.len(), 1, "the refusal is in the log, without the session: {log:?}");
        assert!(log[0].session.is_none());
        let other = a.session(&service, &[CAROL]).await;
        let again = a.post(&format!("{other}/Participants"), &[("Identifier", ALICE)]).await;
        again.refused(400, 80206);
    })
    .await;
}

/// A deleted service takes everything with it: its numbers are nobody's, its sessions closed, its name
/// free; a number of it may join another service under its SID, with its quarantines.
#[tokio::test]
async fn a_deleted_service_takes_all_with_it() {
    each(async |world, a| {
        let (alice, bob) = (phone(world, ALICE), phone(world, BOB));
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let number = a.get(&format!("{service}/PhoneNumbers")).await.is(200);
        let number = &number["phone_numbers"][0];
        let dialled = identifier(&text(number, "phone_number"));
        world.network.text(alice, &dialled, Body::new("early".into())).unwrap();
        world.running.idle().await;
        a.delete(&service).await.is(204);
        for path in [&service, &session, &text(number, "url"), &format!("{service}/Sessions")] {
            a.get(path).await.refused(404, 20404);
        }
        a.delete(&service).await.refused(404, 20404);
        assert_eq!(a.get("/v1/Services").await.is(200)["services"], json!([]));
        for list in ["/services", "/sessions", "/interactions"] {
            assert_eq!(a.native(list).await.1["data"], json!([]), "{list}");
        }
        world.network.text(alice, &dialled, Body::new("late".into())).unwrap();
        world.running.idle().await;
        assert_eq!(world.network.seen(bob).unwrap().texts.len(), 1, "only the early one");
        let service = a.service("rides", 0).await;
        let form = [("Sid", &*text(number, "sid"))];
        a.post(&format!("{service}/PhoneNumbers"), &form).await.is(201);
        let other = a.session(&service, &[CAROL]).await;
        let again = a.post(&format!("{other}/Participants"), &[("Identifier", ALICE)]).await;
        again.refused(400, 80206);
    })
    .await;
}

/// What a crash in the middle of deleting a service leaves is ended by the job, and nobody is put
/// through meanwhile.
#[tokio::test]
async fn a_half_deleted_service_is_ended() {
    each(async |world, a| {
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let id = ServiceId::parse(service.rsplit('/').next().unwrap()).unwrap();
        let account = world.account.account.clone();
        let half = world.running.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move {
                let now = tx.now().await?;
                entremise::store::services::delete(tx, &account, &id, now).await
            })
        });
        assert!(half.await.unwrap());
        a.get(&session).await.refused(404, 20404);
        let sid = session.rsplit('/').next().unwrap();
        assert_eq!(a.native(&format!("/sessions/{sid}")).await.0, 404);
        // The job may have come first.
        world.running.relay.end_deleted().await.unwrap();
        assert_eq!(world.running.relay.end_deleted().await.unwrap(), 0);
        let mut tx = world.running.relay.db().read().await.unwrap();
        let left = entremise::store::sessions::orphans(&mut tx, None, 10).await.unwrap();
        assert!(left.is_empty());
    })
    .await;
}
