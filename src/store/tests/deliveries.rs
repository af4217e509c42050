//! What endpoints are owed: made with the event, claimed by one at a time and in a session's order,
//! read by index; and what readers of events may see.

use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::{
    domain::event::EventKind,
    ids::{EndpointId, EventId, SessionId},
    privacy::webhook::{RANDOM_BYTES, WebhookKeys},
    store::{
        deliveries::{self, AttemptOutcome, Claim, DeliveryState, Ended},
        endpoints::{self, DisabledReason, Endpoint, EndpointKind, EndpointState, EndpointUrl},
        events::{self, Place},
    },
};

db_test!(
    an_endpoint_reads_back,
    an_event_is_owed_to_whom_it_fits,
    each_delivery_is_claimed_once,
    first_attempts_keep_the_order,
    a_stale_result_changes_nothing,
    deliveries_read_by_index,
    old_deliveries_are_forgotten,
    readers_miss_no_late_commit,
);

fn new(world: &World, types: &[EventKind]) -> Endpoint {
    Endpoint {
        id: world.id(),
        kind: EndpointKind::Webhook,
        service: None,
        url: EndpointUrl::new("https://market.example/a?secret=canary".into()),
        description: "ours".into(),
        event_types: types.to_vec(),
        state: EndpointState::Enabled,
        disabled_reason: None,
        disabled_at: None,
        failing_since: None,
        version: 1,
        created_at: at(0),
        updated_at: at(0),
    }
}

async fn make(lab: &Lab, world: &World, types: &[EventKind]) -> EndpointId {
    let endpoint = new(world, types);
    commit!(lab.db, [world, endpoint], |tx| {
        endpoints::insert(tx, &world.account, &endpoint).await?;
        Ok::<_, Error>(endpoint.id)
    })
    .await
    .unwrap()
}

async fn happen(lab: &Lab, world: &World, session: Option<&SessionId>, ms: i64) {
    let session = session.cloned();
    commit!(lab.db, [world, session], |tx| {
        let place = Place { session: session.as_ref(), ..Place::default() };
        events::insert(tx, &world.account, EventKind::SessionUpdated, place, "{}", at(ms)).await
    })
    .await
    .unwrap();
}

async fn claim(lab: &Lab, world: &World, endpoint: &EndpointId, ms: i64) -> Option<Claim> {
    commit!(lab.db, [world, endpoint], |tx| {
        deliveries::claim(tx, &world.account, &endpoint, at(ms), at(ms + 100)).await
    })
    .await
    .unwrap()
}

/// An endpoint and its keys read back; neither address nor keys are in the rows, and both are gone
/// once it is deleted.
async fn an_endpoint_reads_back(lab: &Lab) {
    let world = World::new(lab).await;
    let mut endpoint = new(&world, &[EventKind::CallMissed, EventKind::SessionClosed]);
    endpoint.service = Some(world.service.clone());
    let keys: Vec<String> =
        (0..3).map(|n| WebhookKeys::from_random(&[n; RANDOM_BYTES]).unwrap().to_text()).collect();
    let stored = commit!(lab.db, [world, endpoint, keys], |tx| {
        endpoints::insert(tx, &world.account, &endpoint).await?;
        for (n, keys) in (0..).zip(&keys) {
            let keys = WebhookKeys::parse(keys)?;
            endpoints::add_keys(tx, &world.account, &endpoint.id, &keys, at(n + 50), at(n)).await?;
        }
        let url = texts(tx, "SELECT url FROM endpoints").await?;
        Ok::<_, Error>([url, texts(tx, "SELECT keys FROM endpoint_secrets").await?].concat())
    })
    .await
    .unwrap();
    assert!(stored.iter().all(|one| !one.contains("canary") && !one.contains("whsec")));
    let mut tx = lab.db.read().await.unwrap();
    let read = endpoints::get(&mut tx, &world.account, &endpoint.id).await.unwrap().unwrap();
    assert_eq!((read.url.expose(), &read.service), (endpoint.url.expose(), &endpoint.service));
    assert_eq!((&read.event_types, read.state), (&endpoint.event_types, endpoint.state));
    assert!(!format!("{read:?}").contains("canary"));
    let mut live = async |ms| {
        let live = endpoints::live_keys(&mut tx, &world.account, &endpoint.id, at(ms)).await;
        live.unwrap().iter().map(|one| one.keys.to_text()).collect::<Vec<_>>()
    };
    // The third rotation ended the first keys, whatever time they had left.
    assert_eq!(live(10).await, [keys[2].clone(), keys[1].clone()]);
    assert_eq!(live(52).await, [keys[2].clone()]);
    drop(tx);
    let gone = commit!(lab.db, [world, endpoint], |tx| {
        endpoints::delete(tx, &world.account, &endpoint.id, 1, at(3)).await?;
        assert!(endpoints::get(tx, &world.account, &endpoint.id).await?.is_none());
        count(tx, "SELECT COUNT(*) FROM endpoint_secrets").await
    });
    assert_eq!(gone.await.unwrap(), 0);
}

/// An event is owed to each enabled endpoint of its account whose filters it fits, with its own
/// transaction: what is rolled back is owed to nobody.
async fn an_event_is_owed_to_whom_it_fits(lab: &Lab) {
    let (world, other) = (World::new(lab).await, World::named(lab, "other").await);
    happen(lab, &world, None, 0).await;
    assert!(!lab.db.may_owe(), "nobody is owed anything");
    let all = make(lab, &world, &[]).await;
    let fits = make(lab, &world, &[EventKind::CallMissed, EventKind::SessionUpdated]).await;
    make(lab, &world, &[EventKind::SessionClosed]).await;
    make(lab, &other, &[]).await;
    let off = make(lab, &world, &[]).await;
    commit!(lab.db, [world, off], |tx| {
        let reason = DisabledReason::Gone;
        endpoints::disable(tx, &world.account, &off, reason, at(1)).await
    })
    .await
    .unwrap();
    happen(lab, &world, None, 2).await;
    let lost = commit!(lab.db, [world], |tx| {
        let kind = EventKind::SessionUpdated;
        events::insert(tx, &world.account, kind, Place::default(), "{}", at(3)).await?;
        Err::<(), _>(Error::Conflict)
    });
    assert!(lost.await.is_err());
    let mut tx = lab.db.read().await.unwrap();
    let owed = texts(&mut tx, "SELECT endpoint FROM deliveries ORDER BY endpoint").await.unwrap();
    let mut expected = [all.to_string(), fits.to_string()];
    expected.sort();
    assert_eq!(owed, expected);
    let owing = deliveries::owing(&mut tx, at(2), 8).await.unwrap();
    let owing: Vec<_> = owing.iter().map(|one| (one.endpoint.to_string(), one.due)).collect();
    assert_eq!(owing, expected.map(|id| (id, 1)));
    assert_eq!(deliveries::owed(&mut tx, 10).await.unwrap(), 2);
    assert!(lab.db.may_owe());
}

/// Of many workers at once each gets another delivery, and a lease keeps it until it ends.
async fn each_delivery_is_claimed_once(lab: &Lab) {
    let world = World::new(lab).await;
    let endpoint = make(lab, &world, &[]).await;
    for ms in 0..5 {
        happen(lab, &world, None, ms).await;
    }
    let claims = join_all((0..12).map(|_| claim(lab, &world, &endpoint, 10))).await;
    let mut events: Vec<EventId> = claims.into_iter().flatten().map(|claim| claim.event).collect();
    events.sort();
    events.dedup();
    // A worker that met a lock may have gone without; no two have the same.
    assert!((1..=5).contains(&events.len()));
    while claim(lab, &world, &endpoint, 10).await.is_some() {}
    assert!(claim(lab, &world, &endpoint, 109).await.is_none());
    let again = claim(lab, &world, &endpoint, 110).await.unwrap();
    assert_eq!((again.attempt, again.step), (2, 2));
}

/// The first attempt at an event of a session waits for that at the one before; a second attempt
/// holds nothing up.
async fn first_attempts_keep_the_order(lab: &Lab) {
    let world = World::new(lab).await;
    let endpoint = make(lab, &world, &[]).await;
    let session = commit!(lab.db, [world], |tx| Ok::<_, Error>(world.session(tx, at(0)).await?.id));
    let session = session.await.unwrap();
    for ms in 0..3 {
        happen(lab, &world, Some(&session), ms).await;
    }
    let due = async |ms| {
        let mut tx = lab.db.read().await.unwrap();
        deliveries::owing(&mut tx, at(ms), 8).await.unwrap()[0].due
    };
    assert_eq!(due(5).await, 1);
    let first = claim(lab, &world, &endpoint, 5).await.unwrap();
    assert!(claim(lab, &world, &endpoint, 5).await.is_none(), "the first one is under way");
    let put_off = commit!(lab.db, [first], |tx| deliveries::put_off(tx, &first, at(20)).await);
    assert!(put_off.await.unwrap());
    let second = claim(lab, &world, &endpoint, 6).await.unwrap();
    assert!(first.event < second.event);
    let finished = commit!(lab.db, [second], |tx| {
        deliveries::finish(tx, &second, DeliveryState::Delivered, at(7)).await
    });
    assert!(finished.await.unwrap());
    let third = claim(lab, &world, &endpoint, 20).await.unwrap();
    let again = claim(lab, &world, &endpoint, 20).await.unwrap();
    assert!(second.event < third.event.clone().max(again.event.clone()));
    assert!([third.event, again.event].contains(&first.event));
}

/// A worker whose lease ended changes nothing but its own attempt.
async fn a_stale_result_changes_nothing(lab: &Lab) {
    let world = World::new(lab).await;
    let endpoint = make(lab, &world, &[]).await;
    happen(lab, &world, None, 0).await;
    let late = claim(lab, &world, &endpoint, 1).await.unwrap();
    let current = claim(lab, &world, &endpoint, 500).await.unwrap();
    assert_eq!(late.event, current.event);
    let changed = commit!(lab.db, [late, current], |tx| {
        let ended = Ended {
            outcome: AttemptOutcome::Status,
            status: Some(500),
            took: Duration::from_millis(7),
        };
        deliveries::note(tx, &late, ended).await?;
        let stale = [
            deliveries::finish(tx, &late, DeliveryState::Failed, at(501)).await?,
            deliveries::put_off(tx, &late, at(900)).await?,
        ];
        let own = deliveries::finish(tx, &current, DeliveryState::Delivered, at(501)).await?;
        Ok::<_, Error>((stale, own))
    });
    assert_eq!(changed.await.unwrap(), ([false, false], true));
    let mut tx = lab.db.read().await.unwrap();
    let attempts = deliveries::attempts(&mut tx, &world.account, &endpoint, &late.event).await;
    let outcomes: Vec<_> = attempts.unwrap().iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Some(AttemptOutcome::Status), None]);
}

/// With many deliveries, most of them done and one endpoint far behind, who is owed and what is
/// claimed next are read by index.
async fn deliveries_read_by_index(lab: &Lab) {
    let world = World::new(lab).await;
    let endpoints = (0..200).map(|_| new(&world, &[])).collect::<Vec<_>>();
    commit!(lab.db, [world, endpoints], |tx| {
        for endpoint in &endpoints {
            endpoints::insert(tx, &world.account, endpoint).await?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let (hex, series) = (plans::hex(lab, "EV", "n"), plans::series());
    let sql = format!(
        "INSERT INTO deliveries (account, endpoint, event, type, session, sequence, state, step,
            attempts, run_at, created_at)
         {series} SELECT e.account, e.id, {hex}, 'session.updated', {}, n,
            CASE WHEN n % 20 = 0 THEN 'ready' ELSE 'delivered' END, 1, 1, n, n
            FROM s, (SELECT account, id FROM endpoints ORDER BY id LIMIT 3) e",
        plans::hex(lab, "KC", "n / 10"),
    );
    let sql = if lab.on_sqlite() { sql } else { plans::postgres(&sql) };
    commit!(lab.db, [sql], |tx| run(tx, sql).await).await.unwrap();
    commit!(lab.db, [], |tx| run(tx, "ANALYZE").await).await.unwrap();
    let endpoint = {
        let mut tx = lab.db.read().await.unwrap();
        let owing = deliveries::owing(&mut tx, at(0), 8).await.unwrap();
        assert_eq!(owing.iter().map(|one| one.due).collect::<Vec<_>>(), [8, 8, 8]);
        owing[0].endpoint.clone()
    };
    let text = |value: &str| format!("'{value}'");
    for (name, sql, values) in [
        ("owing", deliveries::OWING, vec!["100".to_owned(), "8".into()]),
        (
            "claim",
            deliveries::CLAIM,
            vec![text(world.account.as_str()), text(endpoint.as_str()), "100".into(), "200".into()],
        ),
    ] {
        let plan = plans::plan(lab, sql, &values).await;
        println!("{name}:\n{plan}\n");
        assert!(!plan.contains("Seq Scan on deliveries"), "{name}:\n{plan}");
        let scans = |line: &str| {
            // The first row of an index is no scan.
            ["SCAN deliveries", "SCAN d ", "SCAN e", "SCAN f"].iter().any(|s| line.starts_with(s))
                && !line.contains("INDEX deliveries_")
        };
        assert!(!plan.lines().any(scans), "{name}:\n{plan}");
    }
}

/// What ended and is old goes, with its attempts, and then a deleted endpoint; what is owed stays.
async fn old_deliveries_are_forgotten(lab: &Lab) {
    let world = World::new(lab).await;
    let endpoint = make(lab, &world, &[]).await;
    for ms in 0..3 {
        happen(lab, &world, None, ms).await;
    }
    let ended = claim(lab, &world, &endpoint, 5).await.unwrap();
    let left = commit!(lab.db, [world, endpoint, ended], |tx| {
        deliveries::finish(tx, &ended, DeliveryState::Delivered, at(6)).await?;
        let young = deliveries::purge(tx, &EventId::first_of(at(0)), 10).await?;
        let old = deliveries::purge(tx, &EventId::first_of(at(9)), 10).await?;
        endpoints::delete(tx, &world.account, &endpoint, 1, at(9)).await?;
        let owed = deliveries::purge(tx, &EventId::first_of(at(9)), 10).await?;
        let kept = count(tx, "SELECT COUNT(*) FROM endpoints").await?;
        let cancelled = deliveries::cancel(tx, &world.account, &endpoint, at(9), 10).await?;
        let rest = deliveries::purge(tx, &EventId::first_of(at(9)), 10).await?;
        let attempts = count(tx, "SELECT COUNT(*) FROM delivery_attempts").await?;
        let endpoints = count(tx, "SELECT COUNT(*) FROM endpoints").await?;
        Ok::<_, Error>(([young, old, owed, cancelled, rest], kept, attempts, endpoints))
    });
    assert_eq!(left.await.unwrap(), ([0, 1, 0, 2, 2], 1, 0, 0));
}

/// An event whose transaction is slow to commit is not overtaken: a reader who goes on from the last
/// event that they saw meets it.
async fn readers_miss_no_late_commit(lab: &Lab) {
    let world = World::new(lab).await;
    let read = async |after: &str| {
        let mut tx = lab.db.read().await.unwrap();
        let before = events::settled(&mut tx, Duration::ZERO).await.unwrap();
        drop(tx);
        let mut tx = lab.db.read().await.unwrap();
        let found = events::list_after(&mut tx, &world.account, None, None, after, before, 10);
        found.await.unwrap().into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let write = |gate: Option<Arc<Gate>>| {
        let (db, account) = (lab.db.clone(), world.account.clone());
        async move {
            let work = commit!(db, [account, gate], |tx| {
                let now = tx.now().await?;
                let kind = EventKind::SessionUpdated;
                events::insert(tx, &account, kind, Place::default(), "{}", now).await?;
                if let Some(gate) = gate {
                    gate.written.notify_one();
                    gate.go_on.notified().await;
                }
                Ok::<_, Error>(())
            });
            work.await
        }
    };
    let gate = Arc::new(Gate::default());
    let slow = lab.tracker.spawn(write(Some(Arc::clone(&gate))));
    gate.written.notified().await;
    if !lab.on_sqlite() {
        // SQLite has one writer: nobody else commits meanwhile.
        write(None).await.unwrap();
        let mut tx = lab.db.read().await.unwrap();
        let page = crate::store::sessions::Page { before: None, after: None, limit: 10 };
        let seen = events::list(&mut tx, &world.account, None, None, &page).await.unwrap();
        assert_eq!(seen.len(), 1, "the later one is there");
    }
    assert!(read("").await.is_empty(), "the later one is not given before the earlier one");
    gate.go_on.notify_one();
    slow.await.unwrap().unwrap();
    if lab.on_sqlite() {
        write(None).await.unwrap();
    }
    lab.clock.advance(i64::from(lab.on_sqlite()) * 10);
    // Other tests' transactions in the same database are waited for too.
    let both = async {
        loop {
            let all = read("").await;
            if all.len() == 2 {
                return all;
            }
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    assert!(all[0] < all[1]);
    assert_eq!(read(all[0].as_str()).await, all[1..]);
}

/// Holds a transaction open.
#[derive(Default)]
struct Gate {
    written: tokio::sync::Notify,
    go_on: tokio::sync::Notify,
}
