//! Codes that wait: by a call that is placed a while after it was asked for, and while traffic is held back.

use std::time::Duration;

use entremise::{
    domain::{
        abuse::Countries,
        interaction::{Kind, Outcome, Reason},
        policy::Rules,
        verification::Channel,
    },
    ids::ServiceId,
    relay::{self, CodeTerms, SendCode},
    store::{
        Tx,
        pauses::{self, Pause, PauseScope, PauseWhy},
    },
};
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::{poison::sql, support, verification::Stage};

/// A call with a code is asked for, and what happens in the same transaction comes before it is placed; how it ends.
async fn ends(
    stage: &Stage,
    then: impl for<'t> Fn(
        &'t mut Tx,
        &'t entremise::ids::AccountId,
        &'t ServiceId,
        &'t entremise::ids::VerificationId,
    ) -> BoxFuture<'t, Result<(), relay::Error>>
    + Copy
    + Send
    + Sync
    + 'static,
) -> (Option<Outcome>, Option<Reason>) {
    let market = stage.market.clone();
    let senders = market.relay.senders();
    let done = stage.market.relay.db().write(move |tx| {
        let (market, senders) = (market.clone(), senders.clone());
        Box::pin(async move {
            let new = SendCode {
                service: market.service.clone(),
                to: market.people[0].number.clone(),
                from: None,
                client: None,
                terms: CodeTerms {
                    channel: Channel::Call,
                    language: None,
                    domain: None,
                    code_length: 6,
                    ttl: Duration::from_mins(10),
                },
            };
            let (one, _) = relay::send_code(tx, &market.account, &new, &senders).await?;
            then(tx, &market.account, &market.service, &one.id).await
        })
    });
    done.await.unwrap();
    support::until(async || {
        stage.world.running.idle().await;
        support::interactions(&stage.world).await[0].outcome.is_some()
            || stage.market.network.seen(stage.market.people[0].phone).unwrap().call().is_some()
    })
    .await;
    let newest = support::interactions(&stage.world).await.remove(0);
    (newest.outcome, newest.reason)
}

/// A call whose code is good no more, or that would ring in a country that was taken off the list, is not placed.
#[tokio::test]
async fn what_has_changed_by_then_holds() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let cancelled = ends(&stage, |tx, account, _, id| {
            Box::pin(
                async move { relay::cancel_verification(tx, account, id, None).await.map(drop) },
            )
        });
        let too_late = (Some(Outcome::Cancelled), Some(Reason::TooLate));
        assert_eq!(cancelled.await, too_late, "on {}", database.name);
        let narrowed = ends(&stage, |tx, account, service, _| {
            let change = |_: &mut String, rules: &mut Rules| {
                rules.countries = Countries::parse(["FR"]).unwrap();
            };
            Box::pin(async move {
                relay::update_service(tx, account, service, None, &change).await.map(drop)
            })
        });
        let country = (Some(Outcome::Cancelled), Some(Reason::CountryNotAllowed));
        assert_eq!(narrowed.await, country, "on {}", database.name);
        stage.end(database).await;
    }
}

/// A call is placed within two minutes or not at all, though its code is good for longer: whoever asked for it sits
/// there.
#[tokio::test]
async fn a_call_does_not_wait() {
    for (passes_ms, placed) in [(110_000, true), (121_000, false)] {
        for database in support::databases().await {
            let stage = Stage::open(&database).await;
            // It is committed, and so seen by whoever places it, only then.
            let clock = stage.world.clock.clone();
            let market = stage.market.clone();
            let senders = market.relay.senders();
            let done = stage.market.relay.db().write(move |tx| {
                let (market, senders, clock) = (market.clone(), senders.clone(), clock.clone());
                Box::pin(async move {
                    let terms = CodeTerms {
                        channel: Channel::Call,
                        language: None,
                        domain: None,
                        code_length: 6,
                        ttl: Duration::from_mins(10),
                    };
                    let (service, to) = (market.service.clone(), market.people[0].number.clone());
                    let new = SendCode { service, to, from: None, client: None, terms };
                    relay::send_code(tx, &market.account, &new, &senders).await?;
                    clock.advance(passes_ms);
                    Ok::<_, relay::Error>(())
                })
            });
            done.await.unwrap();
            let phone = stage.market.people[0].phone;
            let rings = || stage.market.network.seen(phone).unwrap().call().is_some();
            let reason = async || support::interactions(&stage.world).await[0].reason;
            support::until(async || {
                stage.world.running.idle().await;
                rings() || reason().await.is_some()
            })
            .await;
            assert_eq!(rings(), placed, "{passes_ms} on {}", database.name);
            if !placed {
                assert_eq!(reason().await, Some(Reason::TooLate), "on {}", database.name);
            }
            stage.end(database).await;
        }
    }
}

/// Holds back the account's texts for an hour, all of them or those to people's prefix.
async fn hold_back(stage: &Stage, scope: PauseScope) -> String {
    let (account, number) = (stage.market.account.clone(), stage.market.people[0].number.clone());
    let done = stage.market.relay.db().write(move |tx| {
        let (account, number) = (account.clone(), number.clone());
        Box::pin(async move {
            let keys = entremise::store::accounts::keys(tx, &account).await?;
            let now = tx.now().await?;
            let subject = match scope {
                PauseScope::Prefix => keys.index.prefix(&number.canonical()),
                _ => String::new(),
            };
            let pause = Pause {
                account,
                id: tx.id_at(now),
                scope,
                kind: Kind::Message,
                subject,
                why: PauseWhy::Limit,
                slot: now.millis(),
                since: now,
                until: now + Duration::from_hours(1),
                lifted_at: None,
            };
            assert!(pauses::begin(tx, &pause).await?);
            Ok::<_, entremise::store::Error>(pause.id.to_string())
        })
    });
    done.await.unwrap()
}

/// While texts to numbers that begin alike are held back, no code goes to them by text, whoever they are; one that
/// is said by a call goes, and one to another prefix. The marketplace is told for how long, and a lifted pause holds
/// nothing back.
#[tokio::test]
async fn no_code_is_sent_while_traffic_is_held_back() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        for (scope, elsewhere, status) in
            [(PauseScope::Prefix, "+13125550150", 201), (PauseScope::Account, "+13125550151", 429)]
        {
            let id = hold_back(&stage, scope).await;
            for who in [0, 1] {
                let held = stage.send(who, json!({})).await;
                assert_eq!(Stage::is(&held, 429)["code"], "rate_limited", "on {}", database.name);
                let wait: u64 = held.headers["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=3600).contains(&wait), "{wait}");
            }
            let elsewhere = stage.send(0, json!({ "to": elsewhere })).await;
            assert_eq!(elsewhere.status.as_u16(), status, "{scope} on {}", database.name);
            let path = format!("/traffic-pauses/{id}/lift");
            Stage::is(&stage.ask("POST", &path, Some(json!({}))).await, 200);
        }
        assert_eq!(sql(&database, "SELECT COUNT(*) FROM verifications").await, 1);
        stage.world.clock.advance(1_000);
        hold_back(&stage, PauseScope::Prefix).await;
        Stage::is(&stage.send(2, json!({ "channel": "call" })).await, 201);
        stage.world.clock.advance(3_600_000);
        stage.begin(0).await;
        stage.end(database).await;
    }
}
