//! Messages of callers that a slow host keeps: they take no more than their part of what a carrier is asked by.

use std::{sync::Arc, time::Duration};

use entremise::{
    domain::policy::Rules,
    ids::{InteractionId, LegId},
    relay,
    store::{
        media::{self, NewMedium, Purpose},
        outbox::{self, NewEntry, OutboxKind},
        sessions,
    },
};
use tokio::sync::Notify;

use crate::{
    picture_stage::{Serve, Stage},
    support,
};

/// Two more than are fetched at once.
const RECORDINGS: i64 = 6;

/// Owes the fetching of recordings, all at one address.
async fn owe(stage: &Stage, address: &str) {
    let (account, session) = (stage.market.account.clone(), stage.session.id.clone());
    let address = address.to_owned();
    let owed = stage.market.relay.db().write(move |tx| {
        let (account, session, address) = (account.clone(), session.clone(), address.clone());
        Box::pin(async move {
            let row = sessions::get(tx, &account, &session).await?.unwrap();
            let (key, now) = (row.data_key(tx)?, tx.now().await?);
            for nth in 0..RECORDINGS {
                let (interaction, leg): (InteractionId, LegId) = (tx.id_at(now), tx.id_at(now));
                let wanted = NewMedium {
                    interaction: &interaction,
                    purpose: Purpose::Voicemail,
                    seconds: Some(2),
                    session: &session,
                    position: 0,
                    carrier: Some("telnyx"),
                    address: &address,
                    object: &format!("{nth:032x}"),
                    now,
                    expires_at: now + Duration::from_hours(1),
                };
                media::insert(tx, &account, &key, &wanted).await?;
                let owed = NewEntry {
                    kind: OutboxKind::FetchRecording,
                    session: Some(&session),
                    interaction: &interaction,
                    leg: &leg,
                    carrier: "telnyx",
                    payload: "recording",
                    run_at: now,
                    valid_until: now + Duration::from_hours(1),
                    now,
                };
                outbox::insert(tx, &account, &owed).await?;
            }
            Ok::<_, relay::Error>(())
        })
    });
    owed.await.unwrap();
}

/// While a host keeps all the recordings that are fetched at once, a text to the same carrier goes out, though
/// more recordings are owed than there are workers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_recordings_keep_no_text_back() {
    for database in support::databases().await {
        let stage = Stage::with(&database, Rules::new("Bikes".into()), |config| {
            config.jobs.send_workers = 5;
        })
        .await;
        let (asked, go) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let held = Serve::Held(asked, Arc::clone(&go), b"ID3\x03 words".to_vec());
        owe(&stage, &stage.cdn.serves("/held", [held])).await;
        stage.market.relay.wake().notify_one();
        while stage.cdn.seen().len() < 4 {
            tokio::task::yield_now().await;
        }
        stage.webhook("Hello", &[]).await;
        let goes = async {
            while stage.telnyx.asked().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let goes = tokio::time::timeout(Duration::from_secs(10), goes).await;
        assert!(goes.is_ok(), "the text waits for recordings, on {}", database.name);
        assert_eq!(stage.cdn.seen().len(), 4, "four at once");
        let releasing = async {
            loop {
                go.notify_waiters();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = stage.end(database) => {}
            () = releasing => {}
        }
    }
}
