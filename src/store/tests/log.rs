//! The log: interactions, their legs, and events.

use std::time::Duration;

use super::{world::proxy, *};
use crate::{
    domain::{
        event::EventKind,
        interaction::{Kind, Outcome, Reason},
        sender::SenderId,
    },
    ids::{InteractionId, LegId, ServiceId, SessionId},
    store::{
        events::{self, Place},
        interactions::{self, End, Filter, Origin},
        legs::{self, Leg},
        sessions::Page,
    },
};

db_test!(
    an_interaction_reads_back,
    an_interaction_ends_once,
    interactions_are_narrowed,
    a_leg_reads_back,
    a_name_is_of_no_session,
    a_leg_changes_and_keeps_its_outcome,
    legs_are_found,
    events_are_counted,
    events_are_listed,
);

/// The database takes no name on a leg of a session, of a call, or of what came in: nobody could answer.
async fn a_name_is_of_no_session(lab: &Lab) {
    let world = World::new(lab).await;
    let interaction: InteractionId = world.id();
    let named =
        |position| Leg { sender_id: SenderId::parse("Bikes"), ..world.leg(&interaction, position) };
    let of_session = Leg { session: Some(world.id()), ..named(1) };
    let call = Leg { kind: Kind::Call, ..named(1) };
    let (came_in, good) = (named(0), named(1));
    for (leg, taken) in [(of_session, false), (call, false), (came_in, false), (good, true)] {
        let done = commit!(lab.db, [world, leg], |tx| legs::insert(tx, &world.account, &leg).await);
        assert_eq!(done.await.is_ok(), taken, "{leg:?}");
    }
}

/// Every column of an interaction reads back, empty and filled, plain and locked.
async fn an_interaction_reads_back(lab: &Lab) {
    let world = World::new(lab).await;
    let mut full = world.interaction(Some(&world.id()));
    full.kind = Kind::Call;
    full.origin = Origin::Api;
    full.outcome = Some(Outcome::Connected);
    full.reason = Some(Reason::Busy);
    full.duration = Some(Duration::from_millis(1234));
    full.version = 9;
    full.updated_at = at(4);
    full.ended_at = Some(at(5));
    let mut empty = world.interaction(None);
    empty.service = None;
    empty.from_participant = None;
    empty.from_role = None;
    empty.person = None;
    for one in [full, empty] {
        let (plain, locked) = commit!(lab.db, [world, one], |tx| {
            interactions::insert(tx, &world.account, &one).await?;
            Ok::<_, Error>((
                interactions::get(tx, &world.account, &one.id).await?.unwrap(),
                interactions::lock(tx, &world.account, &one.id).await?.unwrap(),
            ))
        })
        .await
        .unwrap();
        assert_eq!(format!("{plain:?}"), format!("{one:?}"));
        assert_eq!(format!("{locked:?}"), format!("{one:?}"));
        let other = World::named(lab, "other").await;
        let mut tx = lab.db.read().await.unwrap();
        assert!(interactions::get(&mut tx, &other.account, &one.id).await.unwrap().is_none());
    }
}

/// Of several ends the first stays (I13).
async fn an_interaction_ends_once(lab: &Lab) {
    let world = World::new(lab).await;
    let one = world.interaction(None);
    let end = |outcome, ms| End {
        outcome,
        reason: Some(Reason::NoAnswer),
        duration: Some(Duration::from_secs(3)),
        at: at(ms),
    };
    let ends = commit!(lab.db, [world, one], |tx| {
        interactions::insert(tx, &world.account, &one).await?;
        let nobody: InteractionId = world.id();
        Ok::<_, Error>([
            interactions::finish(tx, &world.account, &nobody, &end(Outcome::Missed, 1)).await?,
            interactions::finish(tx, &world.account, &one.id, &end(Outcome::Missed, 2)).await?,
            interactions::finish(tx, &world.account, &one.id, &end(Outcome::Connected, 3)).await?,
        ])
    });
    assert_eq!(ends.await.unwrap(), [false, true, false]);
    let mut tx = lab.db.read().await.unwrap();
    let found = interactions::get(&mut tx, &world.account, &one.id).await.unwrap().unwrap();
    assert_eq!((found.outcome, found.reason), (Some(Outcome::Missed), Some(Reason::NoAnswer)));
    assert_eq!((found.ended_at, found.updated_at, found.version), (Some(at(2)), at(2), 2));
    assert_eq!(found.duration, Some(Duration::from_secs(3)));
}

/// Each filter of the log narrows by itself and with the others; pages are whole, newest first.
async fn interactions_are_narrowed(lab: &Lab) {
    let world = World::new(lab).await;
    let (session, service): (SessionId, ServiceId) = (world.id(), world.id());
    commit!(lab.db, [world, session, service], |tx| {
        for ms in 0..6 {
            let mut one = world.interaction((ms % 2 == 0).then_some(&session));
            one.id = world.ids.make(at(ms));
            one.created_at = at(ms);
            one.kind = if ms < 3 { Kind::Call } else { Kind::Message };
            one.outcome = (ms == 1 || ms == 4).then_some(Outcome::Failed);
            one.from_role = (ms == 2).then(|| "provider".to_owned());
            one.carrier = if ms == 5 { "b" } else { "a" }.into();
            if ms == 0 {
                one.service = Some(service.clone());
            }
            interactions::insert(tx, &world.account, &one).await?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let none = || Filter::default();
    let cases = [
        (none(), vec![5, 4, 3, 2, 1, 0]),
        (Filter { session: Some(session.clone()), ..none() }, vec![4, 2, 0]),
        (Filter { service: Some(service), ..none() }, vec![0]),
        (Filter { kind: Some(Kind::Call), ..none() }, vec![2, 1, 0]),
        (Filter { outcome: Some(Outcome::Failed), ..none() }, vec![4, 1]),
        (Filter { role: Some("provider".into()), ..none() }, vec![2]),
        (Filter { carrier: Some("b".into()), ..none() }, vec![5]),
        (Filter { created_from: Some(at(4)), ..none() }, vec![5, 4]),
        (Filter { created_before: Some(at(2)), ..none() }, vec![1, 0]),
        (Filter { session: Some(session), kind: Some(Kind::Call), ..none() }, vec![2, 0]),
    ];
    let mut tx = lab.db.read().await.unwrap();
    for (filter, expected) in cases {
        for limit in [1, 2, 9] {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let page = Page { before: before.clone(), after: None, limit };
                let list = interactions::list(&mut tx, &world.account, &filter, &page).await;
                let list = list.unwrap();
                let Some(last) = list.last() else { break };
                before = Some(last.id.to_string());
                seen.extend(list.iter().map(|one| one.created_at.millis() - at(0).millis()));
            }
            assert_eq!(seen, expected, "{filter:?} by {limit}");
        }
    }
}

/// Every column of a leg reads back, empty and filled, in the order of the positions.
async fn a_leg_reads_back(lab: &Lab) {
    let world = World::new(lab).await;
    let interaction: InteractionId = world.id();
    let mut full = world.leg(&interaction, 1);
    full.session = Some(world.id());
    full.carrier_id = Some("SM1".into());
    full.outcome = Some(Outcome::Relayed);
    full.reason = Some(Reason::Undelivered);
    full.carrier_code = Some("30003".into());
    full.duration = Some(Duration::from_millis(1));
    (full.answered_at, full.ended_at) = (Some(at(1)), Some(at(2)));
    let mut empty = world.leg(&interaction, 0);
    (empty.participant, empty.role) = (None, None);
    let mut named = world.leg(&interaction, 2);
    named.sender_id = SenderId::parse("Bikes 24");
    commit!(lab.db, [world, full, empty, named], |tx| {
        legs::insert(tx, &world.account, &full).await?;
        legs::insert(tx, &world.account, &named).await?;
        legs::insert(tx, &world.account, &empty).await
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let found = legs::of_interaction(&mut tx, &world.account, &interaction).await.unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", [empty.clone(), full.clone(), named]));
    let both = [interaction.clone(), world.id()];
    let found = legs::of_interactions(&mut tx, &world.account, &both).await.unwrap();
    assert_eq!(found.len(), 3);
    assert!(legs::of_interactions(&mut tx, &world.account, &[]).await.unwrap().is_empty());
    drop(tx);
    let twin = world.leg(&interaction, 1);
    let twin = commit!(lab.db, [world, twin], |tx| legs::insert(tx, &world.account, &twin).await);
    assert!(matches!(twin.await, Err(Error::Conflict)));
}

/// What can change in a leg is written; an outcome that it has stays (I13).
async fn a_leg_changes_and_keeps_its_outcome(lab: &Lab) {
    let world = World::new(lab).await;
    let mut leg = world.leg(&world.id(), 1);
    let first = leg.clone();
    leg.carrier_id = Some("SM2".into());
    leg.state = "delivered".into();
    leg.outcome = Some(Outcome::Relayed);
    leg.reason = Some(Reason::Undelivered);
    leg.carrier_code = Some("1".into());
    leg.duration = Some(Duration::from_secs(2));
    leg.updated_at = at(3);
    (leg.answered_at, leg.ended_at) = (Some(at(1)), Some(at(2)));
    let mut later = leg.clone();
    later.outcome = Some(Outcome::Failed);
    later.state = "failed".into();
    commit!(lab.db, [world, first, leg, later], |tx| {
        legs::insert(tx, &world.account, &first).await?;
        legs::update(tx, &world.account, &leg).await?;
        let found = legs::of_interaction(tx, &world.account, &leg.interaction).await?;
        assert_eq!(format!("{found:?}"), format!("{:?}", [&leg]));
        legs::update(tx, &world.account, &later).await?;
        let found = legs::of_interaction(tx, &world.account, &leg.interaction).await?;
        assert_eq!((found[0].outcome, &*found[0].state), (Some(Outcome::Relayed), "failed"));
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// A callback's leg is found by our id or by the carrier's, at that carrier only, with its account.
async fn legs_are_found(lab: &Lab) {
    let world = World::new(lab).await;
    let mut leg = world.leg(&world.id(), 0);
    leg.carrier_id = Some("SM3".into());
    let id = leg.id.clone();
    commit!(lab.db, [world, leg], |tx| legs::insert(tx, &world.account, &leg).await).await.unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let by_id = legs::by_id(&mut tx, "a", &id).await.unwrap().unwrap();
    let by_theirs = legs::by_carrier_id(&mut tx, "a", "SM3").await.unwrap().unwrap();
    for (account, found) in [by_id, by_theirs] {
        assert_eq!((account, found.id), (world.account.clone(), id.clone()));
        assert_eq!(found.number.as_str(), proxy(1).as_str());
    }
    assert!(legs::by_id(&mut tx, "b", &id).await.unwrap().is_none());
    assert!(legs::by_carrier_id(&mut tx, "b", "SM3").await.unwrap().is_none());
    assert!(legs::by_carrier_id(&mut tx, "a", "SM4").await.unwrap().is_none());
    let nobody: LegId = world.id();
    assert!(legs::by_id(&mut tx, "a", &nobody).await.unwrap().is_none());
}

/// The events of a session are numbered from 1 without a gap, whoever writes at once.
async fn events_are_counted(lab: &Lab) {
    let world = World::new(lab).await;
    let made = commit!(lab.db, [world], |tx| world.session(tx, at(0)).await).await.unwrap();
    let writes = (0..20).map(|n| {
        commit!(lab.db, [world, made, n], |tx| {
            let place = Place { session: Some(&made.id), ..Place::default() };
            events::insert(tx, &world.account, EventKind::SessionCreated, place, "{}", at(n))
                .await?;
            if n % 4 == 3 { Err(Error::Conflict) } else { Ok(()) }
        })
    });
    let done = futures_util::future::join_all(writes).await;
    assert_eq!(done.into_iter().flatten().count(), 15);
    let mut tx = lab.db.read().await.unwrap();
    let page = Page { before: None, after: None, limit: 99 };
    let all = events::list(&mut tx, &world.account, Some(&made.id), None, &page).await.unwrap();
    let mut numbers: Vec<i64> = all.iter().map(|one| one.sequence).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
    drop(tx);
    let lost = commit!(lab.db, [world], |tx| {
        let place = Place { session: Some(&world.id()), ..Place::default() };
        events::insert(tx, &world.account, EventKind::SessionCreated, place, "{}", at(0)).await
    });
    assert!(lost.await.is_err());
}

/// Events read back, are narrowed by session and type, and pages are whole, newest first.
async fn events_are_listed(lab: &Lab) {
    let world = World::new(lab).await;
    let interaction: InteractionId = world.id();
    let made = commit!(lab.db, [world, interaction], |tx| {
        let made = world.session(tx, at(0)).await?;
        for ms in 0..6 {
            let place = Place {
                service: Some(&world.service),
                session: (ms % 2 == 0).then_some(&made.id),
                interaction: Some(&interaction),
            };
            let kind = if ms < 4 { EventKind::SessionCreated } else { EventKind::SessionClosed };
            let data = format!("{{\"n\":{ms}}}");
            events::insert(tx, &world.account, kind, place, &data, at(ms)).await?;
        }
        Ok::<_, Error>(made)
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let cases = [
        (None, None, vec![5, 4, 3, 2, 1, 0]),
        (Some(&made.id), None, vec![4, 2, 0]),
        (None, Some("session.closed"), vec![5, 4]),
        (Some(&made.id), Some("session.created"), vec![2, 0]),
        (None, Some("e.f"), vec![]),
    ];
    for (session, kind, expected) in cases {
        for limit in [1, 4, 9] {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let page = Page { before: before.clone(), after: None, limit };
                let list = events::list(&mut tx, &world.account, session, kind, &page).await;
                let list = list.unwrap();
                let Some(last) = list.last() else { break };
                before = Some(last.id.to_string());
                seen.extend(list);
            }
            let times = seen.iter().map(|one| one.created_at.millis() - at(0).millis());
            assert_eq!(times.collect::<Vec<_>>(), expected);
            for one in seen {
                let again = events::get(&mut tx, &world.account, &one.id).await.unwrap().unwrap();
                assert_eq!(format!("{again:?}"), format!("{one:?}"));
                assert_eq!(one.service, Some(world.service.clone()));
                assert_eq!(one.interaction, Some(interaction.clone()));
                assert_eq!(one.sequence > 0, one.session.is_some());
                assert!(one.data.starts_with("{\"n\":"));
            }
        }
    }
}
