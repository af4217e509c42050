//! Sessions, their people, and blocks.

use std::time::Duration;

use super::{
    world::{identifier, proxy},
    *,
};
use crate::{
    domain::session::{ClosedReason, Lifetime, Mode, State},
    ids::{ParticipantId, SessionId},
    privacy::DataKey,
    store::{
        blocks::{self, BlockedBy},
        numbers,
        participants::{self, NewParticipant},
        sessions::{self, Filter, NewSession, Page},
    },
};

db_test!(
    a_session_reads_back,
    names_are_unique_in_a_service,
    changes_are_kept,
    due_sessions_in_order,
    lists_are_narrowed,
    people_read_back,
    a_person_joins_once,
    the_last_session_of_a_person,
    blocks_part_both,
);

fn page(before: Option<&SessionId>, limit: i64) -> Page {
    Page { before: before.map(ToString::to_string), after: None, limit }
}

/// A new session reads back as it was made, plain and locked, and only in its account.
async fn a_session_reads_back(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let id: SessionId = lab.ids.make(at(1));
    let key = Arc::new(DataKey::generate());
    commit!(lab.db, [world, id, key], |tx| {
        let new = NewSession {
            id: &id,
            service: &world.service,
            unique_name: Some("booking-1"),
            mode: Mode::VoiceOnly,
            lifetime: Lifetime { ttl: Duration::from_secs(9), date_expiry: Some(at(77)) },
            recording: None,
            metadata: r#"{"a":"ü\u0000"}"#,
            key: &key,
            now: at(1),
        };
        sessions::insert(tx, &world.account, &new).await
    })
    .await
    .unwrap();
    let (plain, locked, name, foreign) = commit!(lab.db, [world, other, id], |tx| {
        Ok::<_, Error>((
            sessions::get(tx, &world.account, &id).await?.unwrap(),
            sessions::lock(tx, &world.account, &id).await?.unwrap(),
            sessions::by_name(tx, &world.account, &world.service, "booking-1").await?,
            sessions::lock(tx, &other.account, &id).await?,
        ))
    })
    .await
    .unwrap();
    assert_eq!(format!("{plain:?}"), format!("{locked:?}"));
    assert_eq!(name, Some(id.clone()));
    assert!(foreign.is_none());
    assert_eq!((&plain.id, &plain.service), (&id, &world.service));
    assert_eq!((plain.state, plain.mode), (State::Open, Mode::VoiceOnly));
    assert_eq!(plain.lifetime.ttl, Duration::from_secs(9));
    assert_eq!((plain.lifetime.date_expiry, plain.expires_at), (Some(at(77)), at(77)));
    assert_eq!((plain.started_at, plain.ended_at, plain.last_interaction_at), (None, None, None));
    assert_eq!((plain.closed_reason, &*plain.metadata), (None, r#"{"a":"ü\u0000"}"#));
    assert_eq!((plain.events, plain.version), (0, 1));
    assert_eq!((plain.created_at, plain.updated_at), (at(1), at(1)));
    let tx = lab.db.read().await.unwrap();
    let opened = plain.data_key(&tx).unwrap();
    assert_eq!(opened.open_text(&key.seal_text("x", "c"), "c").unwrap(), "x");
}

/// A name is taken once in a service, and no name at all any number of times.
async fn names_are_unique_in_a_service(lab: &Lab) {
    let world = World::new(lab).await;
    for (name, free) in [(Some("n"), true), (Some("n"), false), (None, true), (None, true)] {
        let made = commit!(lab.db, [world, name], |tx| {
            let new = NewSession {
                id: &world.id(),
                service: &world.service,
                unique_name: name,
                mode: Mode::MessageOnly,
                lifetime: Lifetime { ttl: Duration::ZERO, date_expiry: None },
                recording: None,
                metadata: "{}",
                key: &DataKey::generate(),
                now: at(0),
            };
            sessions::insert(tx, &world.account, &new).await
        });
        match made.await {
            Ok(()) => assert!(free),
            Err(error) => assert!(!free && matches!(error, Error::Conflict)),
        }
    }
    let mut tx = lab.db.read().await.unwrap();
    let all = sessions::list(&mut tx, &world.account, &Filter::default(), &page(None, 9)).await;
    let all = all.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|one| one.expires_at == Timestamp::MAX));
}

/// Everything that can change in a session is written; its count of events is not touched.
async fn changes_are_kept(lab: &Lab) {
    let world = World::new(lab).await;
    let (changed, stored) = commit!(lab.db, [world], |tx| {
        let made = world.session(tx, at(0)).await?;
        let mut session = sessions::lock(tx, &world.account, &made.id).await?.unwrap();
        for n in 1..=3 {
            let counted = sessions::count_event(tx, &world.account, &made.id).await?;
            assert_eq!(counted, Some((n, world.service.clone())));
        }
        session.state = State::Closed;
        session.lifetime = Lifetime { ttl: Duration::from_millis(5), date_expiry: Some(at(6)) };
        session.expires_at = at(6);
        session.started_at = Some(at(7));
        session.ended_at = Some(at(8));
        session.last_interaction_at = Some(at(9));
        session.closed_reason = Some(ClosedReason::Staff);
        session.metadata = r#"{"b":1}"#.into();
        session.version = 5;
        session.updated_at = at(10);
        sessions::update(tx, &world.account, &session).await?;
        session.events = 3;
        Ok::<_, Error>((session, sessions::get(tx, &world.account, &made.id).await?.unwrap()))
    })
    .await
    .unwrap();
    assert_eq!(format!("{changed:?}"), format!("{stored:?}"));
}

/// Sessions are due from their end on, the oldest end first, over all accounts, until they are
/// closed.
async fn due_sessions_in_order(lab: &Lab) {
    let (one, two) = (World::named(lab, "one").await, World::named(lab, "two").await);
    // Their lives are a minute long.
    let ids = commit!(lab.db, [one, two], |tx| {
        let mut ids = Vec::new();
        for (world, ms) in [(&one, 30), (&two, 10), (&one, 20)] {
            ids.push((world.account.clone(), world.session(tx, at(ms)).await?.id));
        }
        Ok::<_, Error>(ids)
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let expected = [ids[1].clone(), ids[2].clone(), ids[0].clone()];
    for (ms, limit, most) in [(60_009, 9, 0), (60_010, 9, 1), (60_030, 9, 3), (99_999, 2, 2)] {
        assert_eq!(sessions::due(&mut tx, at(ms), limit).await.unwrap(), expected[..most], "{ms}");
    }
    drop(tx);
    let (account, id) = ids[1].clone();
    commit!(lab.db, [account, id], |tx| {
        let mut session = sessions::lock(tx, &account, &id).await?.unwrap();
        session.state = State::Closed;
        sessions::update(tx, &account, &session).await
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    assert_eq!(sessions::due(&mut tx, at(99_999), 9).await.unwrap(), expected[1..]);
}

/// Each filter narrows by itself and with the others; pages are whole, newest first.
async fn lists_are_narrowed(lab: &Lab) {
    let world = World::new(lab).await;
    let number = world.numbers(&lab.db, 0, 1).await.remove(0);
    commit!(lab.db, [world, number], |tx| {
        for ms in 0..6 {
            let made = world.session(tx, at(ms)).await?;
            if ms == 4 {
                world.join(tx, &made, 1, (&number, 0), "provider").await?;
            }
            if ms >= 3 {
                let mut session = sessions::get(tx, &world.account, &made.id).await?.unwrap();
                session.state = State::InProgress;
                sessions::update(tx, &world.account, &session).await?;
            }
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let none = || Filter::default();
    let cases = [
        (none(), vec![5, 4, 3, 2, 1, 0]),
        (Filter { state: Some(State::InProgress), ..none() }, vec![5, 4, 3]),
        (Filter { service: Some(world.service.clone()), ..none() }, vec![5, 4, 3, 2, 1, 0]),
        (Filter { service: Some(world.id()), ..none() }, vec![]),
        (Filter { created_from: Some(at(4)), ..none() }, vec![5, 4]),
        (Filter { created_before: Some(at(4)), ..none() }, vec![3, 2, 1, 0]),
        (Filter { role: Some("provider".into()), ..none() }, vec![4]),
        (Filter { role: Some("customer".into()), ..none() }, vec![]),
        (Filter { carrier: Some("a".into()), ..none() }, vec![4]),
        (Filter { carrier: Some("b".into()), ..none() }, vec![]),
        (
            Filter {
                created_from: Some(at(2)),
                created_before: Some(at(5)),
                state: Some(State::InProgress),
                ..none()
            },
            vec![4, 3],
        ),
    ];
    for (filter, expected) in cases {
        for limit in [1, 2, 5, 9] {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let here = page(before.as_ref(), limit);
                let list = sessions::list(&mut tx, &world.account, &filter, &here).await.unwrap();
                let Some(last) = list.last() else { break };
                before = Some(last.id.clone());
                seen.extend(list.iter().map(|one| one.created_at.millis() - at(0).millis()));
            }
            assert_eq!(seen, expected, "{filter:?} by {limit}");
        }
    }
    let other = World::named(lab, "two").await;
    let foreign = sessions::list(&mut tx, &other.account, &Filter::default(), &page(None, 9)).await;
    assert!(foreign.unwrap().is_empty());
}

/// A participant's columns read back; number and name open with their session's key only.
async fn people_read_back(lab: &Lab) {
    let world = World::new(lab).await;
    let number = world.numbers(&lab.db, 3, 4).await.remove(0);
    let (one, two, id) = commit!(lab.db, [world, number], |tx| {
        let (one, two) = (world.session(tx, at(0)).await?, world.session(tx, at(0)).await?);
        let id = world.join(tx, &one, 5, (&number, 3), "provider").await?;
        world.join(tx, &one, 2, (&number, 3), "customer").await?;
        world.join(tx, &two, 5, (&number, 3), "provider").await?;
        Ok::<_, Error>((one, two, id))
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let found = participants::get(&mut tx, &world.account, &id).await.unwrap().unwrap();
    assert_eq!((&found.id, &found.session, &*found.role), (&id, &one.id, "provider"));
    assert_eq!((found.position, found.person.clone()), (5, world.person(5)));
    assert_eq!((found.calling_code, found.number_id.clone()), (Some(1), number));
    assert_eq!((found.number.as_str(), found.removed_at), (proxy(3).as_str(), None));
    assert_eq!(found.created_at, at(0));
    assert_eq!(found.identifier(&one.key).unwrap().expose(), identifier(5).expose());
    assert_eq!(found.name(&one.key).unwrap().as_deref(), Some("Ada"));
    assert!(matches!(found.identifier(&two.key), Err(Error::Sealed(_))));
    assert!(matches!(found.name(&two.key), Err(Error::Sealed(_))));
    assert!(!found.masked().contains("4155"), "{}", found.masked());

    let of_one = participants::of_session(&mut tx, &world.account, &one.id).await.unwrap();
    assert_eq!(of_one.iter().map(|one| one.position).collect::<Vec<_>>(), [2, 5]);
    let both = [one.id.clone(), two.id.clone()];
    let of_both = participants::of_sessions(&mut tx, &world.account, &both).await.unwrap();
    assert_eq!(of_both.len(), 3);
    assert!(of_both.is_sorted_by_key(|one| (one.session.clone(), one.position)));
    assert!(participants::of_sessions(&mut tx, &world.account, &[]).await.unwrap().is_empty());
    drop(tx);
    commit!(lab.db, [world, id], |tx| participants::remove(tx, &world.account, &id, at(4)).await)
        .await
        .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let gone = participants::get(&mut tx, &world.account, &id).await.unwrap().unwrap();
    assert_eq!(gone.removed_at, Some(at(4)));
    let nobody: ParticipantId = world.id();
    assert!(participants::get(&mut tx, &world.account, &nobody).await.unwrap().is_none());
}

/// A person is in a session once, also after having left.
async fn a_person_joins_once(lab: &Lab) {
    let world = World::new(lab).await;
    let number = world.numbers(&lab.db, 0, 1).await.remove(0);
    let made = commit!(lab.db, [world, number], |tx| {
        let made = world.session(tx, at(0)).await?;
        let id = world.join(tx, &made, 1, (&number, 0), "a").await?;
        participants::remove(tx, &world.account, &id, at(1)).await?;
        Ok::<_, Error>(made)
    })
    .await
    .unwrap();
    let again = commit!(lab.db, [world, number, made], |tx| {
        world.join(tx, &made, 1, (&number, 0), "b").await
    });
    assert!(matches!(again.await, Err(Error::Conflict)));
    // Somebody without a name, in a session that is not there.
    let lost = commit!(lab.db, [world, number, made], |tx| {
        let new = NewParticipant {
            id: &world.id(),
            session: &world.id(),
            role: "a",
            position: 0,
            person: &world.person(1),
            identifier: &identifier(1),
            name: None,
            number_id: &number,
            number: &proxy(0),
            chosen_by: None,
            key: &made.key,
            now: at(0),
        };
        participants::insert(tx, &world.account, &new).await
    });
    assert!(matches!(lost.await, Err(Error::Statement(_))));
}

/// The last session that a person had on a number is the newest one, on that number only.
async fn the_last_session_of_a_person(lab: &Lab) {
    let world = World::new(lab).await;
    let ids = world.numbers(&lab.db, 0, 2).await;
    let newest = commit!(lab.db, [world, ids], |tx| {
        let mut newest = None;
        for ms in [5, 9, 7] {
            let made = world.session(tx, at(ms)).await?;
            world.join(tx, &made, 1, (&ids[0], 0), "a").await?;
            if ms == 9 {
                newest = Some(made.id);
            }
        }
        let made = world.session(tx, at(20)).await?;
        world.join(tx, &made, 1, (&ids[1], 1), "a").await?;
        assert!(numbers::get(tx, &world.account, &ids[1]).await?.is_some());
        Ok::<_, Error>(newest.unwrap())
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let (one, two) = (world.person(1), world.person(2));
    let last = participants::last_session(&mut tx, &world.account, &one, &ids[0]).await.unwrap();
    assert_eq!(last.unwrap().session, newest);
    assert!(
        participants::last_session(&mut tx, &world.account, &two, &ids[0]).await.unwrap().is_none()
    );
}

/// A block keeps both apart, once, among those who are asked about, in its account; whoever set it by a text
/// lifts no other by one.
async fn blocks_part_both(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let ends = commit!(lab.db, [world], |tx| {
        let (a, b, c) = (world.person(1), world.person(2), world.person(3));
        for blocked in [&b, &b, &c] {
            blocks::insert(tx, &world.account, &a, blocked, BlockedBy::Person, at(0)).await?;
        }
        blocks::insert(tx, &world.account, &c, &b, BlockedBy::Api, at(0)).await?;
        // The marketplace sets it too.
        blocks::insert(tx, &world.account, &a, &b, BlockedBy::Api, at(0)).await?;
        Ok::<_, Error>([
            blocks::delete(tx, &world.account, &b, &a, BlockedBy::Api).await?,
            blocks::delete(tx, &world.account, &a, &b, BlockedBy::Person).await?,
            blocks::delete(tx, &world.account, &a, &c, BlockedBy::Person).await?,
            blocks::delete(tx, &world.account, &a, &c, BlockedBy::Api).await?,
        ])
    });
    assert_eq!(ends.await.unwrap(), [false, false, true, false]);
    let mut tx = lab.db.read().await.unwrap();
    let (a, b, c) = (world.person(1), world.person(2), world.person(3));
    let mut both = [a.clone(), c.clone()];
    both.sort();
    let cases = [
        (&world.account, &b, vec![a.clone(), c.clone(), b.clone()], both.to_vec()),
        (&world.account, &b, vec![a.clone()], vec![a.clone()]),
        (&world.account, &a, vec![b.clone(), c.clone()], vec![b.clone()]),
        (&world.account, &c, vec![a.clone()], vec![]),
        (&world.account, &b, vec![], vec![]),
        (&other.account, &b, vec![a.clone()], vec![]),
    ];
    for (account, blocked, among, expected) in cases {
        let found = blocks::apart(&mut tx, account, blocked, &among).await.unwrap();
        assert_eq!(found, expected);
    }
}
