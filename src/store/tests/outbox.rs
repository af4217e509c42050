//! What we owe: claimed by one at a time, put off, finished, overtaken.

use std::collections::HashMap;

use futures_util::future::join_all;

use super::*;
use crate::{
    ids::{InteractionId, ParticipantId, SessionId},
    store::{
        legs::{self, Leg},
        outbox::{self, Entry, Held, NewEntry, OutboxKind, OutboxState},
    },
};

db_test!(
    an_entry_reads_back,
    due_entries_in_order,
    what_is_held_waits_until_it_is_too_late,
    each_account_has_its_turn,
    what_waits_takes_no_turn,
    unknown_kinds_are_left_alone,
    each_entry_is_claimed_once,
    a_lease_that_ended_can_be_claimed,
    a_stale_claim_changes_nothing,
    ready_entries_of_a_session,
    texts_wait_for_earlier_ones,
    answers_wait_for_earlier_ones,
    ended_entries_are_forgotten,
);

/// Owes a text to a new leg, to be done at an instant.
async fn owe(
    tx: &mut Tx,
    world: &World,
    session: Option<&SessionId>,
    ms: i64,
) -> Result<Entry, Error> {
    owe_on(tx, world, (OutboxKind::Message, session), &world.leg(&world.id(), 1), ms).await
}

/// Owes that on a new leg.
async fn owe_on(
    tx: &mut Tx,
    world: &World,
    (kind, session): (OutboxKind, Option<&SessionId>),
    leg: &Leg,
    ms: i64,
) -> Result<Entry, Error> {
    legs::insert(tx, &world.account, leg).await?;
    let new = NewEntry {
        kind,
        session,
        interaction: &leg.interaction,
        leg: &leg.id,
        carrier: "a",
        payload: "the words",
        run_at: at(ms),
        valid_until: at(9999),
        now: at(ms),
    };
    let id = outbox::insert(tx, &world.account, &new).await?;
    let due = outbox::due(tx, at(ms), &Held::default(), &HashMap::new(), 1000).await?;
    Ok(due.into_iter().find(|entry| entry.id == id).unwrap())
}

/// An entry reads back with its words, until it is finished: then they are gone.
async fn an_entry_reads_back(lab: &Lab) {
    let world = World::new(lab).await;
    let session: SessionId = world.id();
    let leg = world.leg(&world.id(), 1);
    let id = commit!(lab.db, [world, session, leg], |tx| {
        let new = NewEntry {
            kind: OutboxKind::EndCall,
            session: Some(&session),
            interaction: &leg.interaction,
            leg: &leg.id,
            carrier: "c",
            payload: "ünïcode",
            run_at: at(5),
            valid_until: at(7),
            now: at(3),
        };
        outbox::insert(tx, &world.account, &new).await
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    // What stands in another carrier's id, or beside it, is not that carrier.
    for (without, there) in [(&["c"][..], 0), (&["b", "c"], 0), (&["b", "cc"], 1), (&["b"], 1)] {
        let mut held = Held::default();
        for carrier in without {
            held.carrier(carrier);
        }
        assert_eq!(
            outbox::due(&mut tx, at(5), &held, &HashMap::new(), 9).await.unwrap().len(),
            there
        );
    }
    let found =
        outbox::due(&mut tx, at(5), &Held::default(), &HashMap::new(), 9).await.unwrap().remove(0);
    assert_eq!((&found.id, &found.account, found.kind), (&id, &world.account, OutboxKind::EndCall));
    assert_eq!((found.session.as_ref(), &found.leg), (Some(&session), &leg.id));
    assert_eq!((&found.interaction, &*found.carrier), (&leg.interaction, "c"));
    assert_eq!((found.attempts, found.fence), (0, 0));
    assert_eq!((found.valid_until, found.created_at), (at(7), at(3)));
    assert_eq!(outbox::payload(&mut tx, &found).await.unwrap(), "ünïcode");
    assert_eq!(outbox::next_due(&mut tx, &Held::default()).await.unwrap(), Some(at(5)));
    assert_eq!(outbox::owed(&mut tx).await.unwrap(), (1, Some(at(5))));
    drop(tx);
    let done = commit!(lab.db, [found], |tx| {
        let done = outbox::finish(tx, &found, OutboxState::Done).await?;
        let words = texts(tx, "SELECT id FROM outbox WHERE payload IS NOT NULL").await?;
        Ok::<_, Error>((done, words, outbox::finish(tx, &found, OutboxState::Parked).await?))
    });
    assert_eq!(done.await.unwrap(), (true, vec![], false));
    let mut tx = lab.db.read().await.unwrap();
    assert!(
        outbox::due(&mut tx, Timestamp::MAX, &Held::default(), &HashMap::new(), 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(outbox::next_due(&mut tx, &Held::default()).await.unwrap(), None);
    assert_eq!(outbox::owed(&mut tx).await.unwrap(), (0, None));
}

/// Entries are due from their time on, the oldest first, and those that are put off at their new
/// time.
async fn due_entries_in_order(lab: &Lab) {
    let world = World::new(lab).await;
    let entries = commit!(lab.db, [world], |tx| {
        let mut entries = Vec::new();
        for ms in [30, 10, 20] {
            entries.push(owe(tx, &world, None, ms).await?);
        }
        Ok::<_, Error>(entries)
    })
    .await
    .unwrap();
    let due = async |ms, limit| {
        let mut tx = lab.db.read().await.unwrap();
        let due =
            outbox::due(&mut tx, at(ms), &Held::default(), &HashMap::new(), limit).await.unwrap();
        due.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    let ids: Vec<_> = [1, 2, 0].map(|place: usize| entries[place].id.clone()).into();
    assert!(due(9, 9).await.is_empty());
    assert_eq!(due(10, 9).await, ids[..1]);
    assert_eq!(due(30, 9).await, ids);
    assert_eq!(due(30, 2).await, ids[..2]);
    // Claimed and put off: due again at the new time, and not by the lease.
    let first = entries[1].clone();
    commit!(lab.db, [first], |tx| {
        let claimed = outbox::claim(tx, &first, at(10), at(1000)).await?.unwrap();
        assert_eq!(outbox::next_due(tx, &Held::default()).await?, Some(at(20)));
        assert!(outbox::put_off(tx, &claimed, at(25)).await?);
        assert!(!outbox::put_off(tx, &claimed, at(26)).await?, "it is not claimed any more");
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert_eq!(due(30, 9).await, [ids[1].clone(), ids[0].clone(), ids[2].clone()]);
    assert_eq!(due(24, 9).await, ids[1..2]);
}

/// What is held by its kind and carrier or by its number is not due, until it is too late; the end of a
/// call is never held.
async fn what_is_held_waits_until_it_is_too_late(lab: &Lab) {
    let world = World::new(lab).await;
    let (number, ids) = commit!(lab.db, [world], |tx| {
        let mut ids = Vec::new();
        let leg = world.leg(&world.id(), 1);
        for kind in [OutboxKind::Message, OutboxKind::Call, OutboxKind::EndCall] {
            let leg = Leg { id: world.id(), interaction: world.id(), ..leg.clone() };
            ids.push(owe_on(tx, &world, (kind, None), &leg, 5).await?.id);
        }
        Ok::<_, Error>((leg.number.as_str().to_owned(), ids))
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let mut cases = vec![(Held::default(), vec![0, 1, 2])];
    let mut add = |hold: &dyn Fn(&mut Held), left: &[usize]| {
        let mut held = Held::default();
        hold(&mut held);
        cases.push((held, left.to_vec()));
    };
    add(&|held| held.kind("a", OutboxKind::Message), &[1, 2]);
    add(&|held| held.kind("a", OutboxKind::Call), &[0, 2]);
    add(&|held| held.kind("aa", OutboxKind::Call), &[0, 1, 2]);
    add(&|held| held.number(&number), &[1, 2]);
    add(&|held| held.number("+33937100001"), &[0, 1, 2]);
    add(&|held| held.carrier("a"), &[]);
    for (held, left) in cases {
        let due = outbox::due(&mut tx, at(5), &held, &HashMap::new(), 9).await.unwrap();
        let found: Vec<_> = due.iter().map(|entry| entry.id.clone()).collect();
        let expected: Vec<_> = left.iter().map(|place| ids[*place].clone()).collect();
        assert_eq!(found, expected, "{held:?}");
        assert!(due.iter().all(|entry| entry.number.as_ref() == Some(&number)));
        let next = outbox::next_due(&mut tx, &held).await.unwrap();
        assert_eq!(next, Some(at(5)), "the end of a call, {held:?}");
        // `owe_on` makes all valid until 9999.
        let late = outbox::due(&mut tx, at(9999), &held, &HashMap::new(), 9).await.unwrap().len();
        assert_eq!(late, if left.is_empty() { 0 } else { 3 }, "{held:?}");
    }
}

/// Where more is due than is asked for, each account has some of it in turns, whoever owes how much;
/// where it is not, the oldest come first.
async fn each_account_has_its_turn(lab: &Lab) {
    let (much, little) = (World::new(lab).await, World::new(lab).await);
    commit!(lab.db, [much, little], |tx| {
        for n in 0..40 {
            owe(tx, &much, None, n).await?;
        }
        for n in 0..3 {
            owe(tx, &little, None, 100 + n).await?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let due = async |tx: &mut Tx, limit| {
        let due = outbox::due(tx, at(200), &Held::default(), &HashMap::new(), limit).await.unwrap();
        due.into_iter().map(|entry| entry.account).collect::<Vec<_>>()
    };
    let some = due(&mut tx, 10).await;
    for turn in some[..6].chunks(2) {
        assert_eq!(turn, [much.account.clone(), little.account.clone()]);
    }
    assert_eq!(some.iter().filter(|one| **one == little.account).count(), 3);
    let all = due(&mut tx, 100).await;
    assert_eq!(all.len(), 43);
    assert!(all[..40].iter().all(|one| *one == much.account), "the oldest first");
}

/// Entries that wait for others, however many, take neither their account's turn nor another's.
async fn what_waits_takes_no_turn(lab: &Lab) {
    let (much, little) = (World::new(lab).await, World::new(lab).await);
    let waiting = commit!(lab.db, [much, little], |tx| {
        let mut waiting = HashMap::new();
        for n in 0..40 {
            let entry = owe(tx, &much, None, n).await?;
            if n < 20 {
                waiting.insert(entry.id, entry.account);
            }
        }
        for n in 0..3 {
            owe(tx, &little, None, 100 + n).await?;
        }
        Ok::<_, Error>(waiting)
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let due = outbox::due(&mut tx, at(200), &Held::default(), &waiting, 10).await.unwrap();
    assert!(due.iter().all(|entry| !waiting.contains_key(&entry.id)));
    let of = |world: &World| due.iter().filter(|one| one.account == world.account).count();
    assert_eq!((of(&much), of(&little)), (5, 3));
    // Where no turn is left, nobody else is looked for.
    let one = outbox::due(&mut tx, at(200), &Held::default(), &waiting, 1).await.unwrap();
    assert!(one.iter().all(|entry| entry.account == much.account));
}

/// What only a later build knows is left to it, and keeps nothing else from being found or closed.
async fn unknown_kinds_are_left_alone(lab: &Lab) {
    let world = World::new(lab).await;
    let session: SessionId = world.id();
    let left = commit!(lab.db, [world, session], |tx| {
        let strange = owe(tx, &world, Some(&session), 0).await?;
        run(tx, format!("UPDATE outbox SET kind = 'fax' WHERE id = '{}'", strange.id)).await?;
        let known = owe(tx, &world, Some(&session), 5).await?;
        let due = outbox::due(tx, at(9), &Held::default(), &HashMap::new(), 1).await?;
        assert_eq!(due.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&known.id]);
        assert_eq!(outbox::next_due(tx, &Held::default()).await?, Some(at(5)));
        let ready = outbox::ready_of_session(tx, &world.account, &session).await?;
        assert_eq!(ready.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&known.id]);
        texts(tx, "SELECT state FROM outbox WHERE kind = 'fax'").await
    });
    assert_eq!(left.await.unwrap(), ["ready"]);
}

/// Eight workers that claim the same hundred entries at once get each entry once.
async fn each_entry_is_claimed_once(lab: &Lab) {
    let world = World::new(lab).await;
    let entries = commit!(lab.db, [world], |tx| {
        let mut entries = Vec::new();
        for _ in 0..100 {
            entries.push(owe(tx, &world, None, 0).await?);
        }
        Ok::<_, Error>(entries)
    })
    .await
    .unwrap();
    let workers = (0..8usize).map(|n| {
        let entries = &entries;
        async move {
            let mut claimed = Vec::new();
            for place in 0..100 {
                let entry = entries[(place + n * 12) % 100].clone();
                let claim = commit!(lab.db, [entry], |tx| {
                    outbox::claim(tx, &entry, at(1), at(1000)).await
                });
                claimed.extend(claim.await.unwrap());
            }
            claimed
        }
    });
    let mut claimed: Vec<Entry> = join_all(workers).await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 100);
    assert!(claimed.iter().all(|entry| (entry.fence, entry.attempts) == (1, 1)));
    claimed.sort_by(|a, b| a.id.cmp(&b.id));
    claimed.dedup_by(|a, b| a.id == b.id);
    assert_eq!(claimed.len(), 100);
    let mut tx = lab.db.read().await.unwrap();
    assert!(
        outbox::due(&mut tx, at(999), &Held::default(), &HashMap::new(), 999)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(outbox::next_due(&mut tx, &Held::default()).await.unwrap(), Some(at(1000)));
}

/// From the end of a lease on, and not before, another worker may claim the entry, with the next
/// fence.
async fn a_lease_that_ended_can_be_claimed(lab: &Lab) {
    let world = World::new(lab).await;
    commit!(lab.db, [world], |tx| {
        let entry = owe(tx, &world, None, 0).await?;
        let first = outbox::claim(tx, &entry, at(0), at(100)).await?.unwrap();
        assert!(outbox::due(tx, at(99), &Held::default(), &HashMap::new(), 9).await?.is_empty());
        assert!(outbox::claim(tx, &first, at(99), at(200)).await?.is_none());
        let seen = outbox::due(tx, at(100), &Held::default(), &HashMap::new(), 9).await?.remove(0);
        assert_eq!((seen.fence, seen.attempts), (1, 1));
        let second = outbox::claim(tx, &seen, at(100), at(200)).await?.unwrap();
        assert_eq!((second.fence, second.attempts), (2, 2));
        // Whoever saw the entry before the second claim is too late.
        assert!(outbox::claim(tx, &seen, at(300), at(400)).await?.is_none());
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// A worker whose lease was taken over changes nothing any more.
async fn a_stale_claim_changes_nothing(lab: &Lab) {
    let world = World::new(lab).await;
    commit!(lab.db, [world], |tx| {
        let entry = owe(tx, &world, None, 0).await?;
        let stale = outbox::claim(tx, &entry, at(0), at(1)).await?.unwrap();
        let fresh = outbox::claim(tx, &stale, at(1), at(50)).await?.unwrap();
        for old in [&entry, &stale] {
            assert!(!outbox::put_off(tx, old, at(7)).await?);
            for state in OutboxState::ALL {
                assert!(!outbox::finish(tx, old, *state).await?);
            }
        }
        let state = "SELECT state || ' ' || run_at || ' ' || lease_until FROM outbox";
        let expected = format!("sending {} {}", at(0).millis(), at(50).millis());
        assert_eq!(texts(tx, state).await?, [expected]);
        assert_eq!(outbox::payload(tx, &fresh).await?, "the words");
        assert!(outbox::finish(tx, &fresh, OutboxState::Parked).await?);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// What can still be cancelled for a session is what nobody is sending.
async fn ready_entries_of_a_session(lab: &Lab) {
    let world = World::new(lab).await;
    let (mine, other): (SessionId, SessionId) = (world.id(), world.id());
    commit!(lab.db, [world, mine, other], |tx| {
        let mut ids = Vec::new();
        for ms in [3, 2, 1] {
            ids.push(owe(tx, &world, Some(&mine), ms).await?);
        }
        owe(tx, &world, Some(&other), 0).await?;
        owe(tx, &world, None, 0).await?;
        outbox::claim(tx, &ids[0], at(5), at(50)).await?.unwrap();
        let ready = outbox::ready_of_session(tx, &world.account, &mine).await?;
        let expected = [&ids[2].id, &ids[1].id];
        assert_eq!(ready.iter().map(|entry| &entry.id).collect::<Vec<_>>(), expected);
        assert!(outbox::finish(tx, &ready[0], OutboxState::Done).await?, "it needs no claim");
        assert_eq!(outbox::ready_of_session(tx, &world.account, &mine).await?.len(), 1);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// A text waits for an earlier one to the same person in the same session, until that has ended;
/// not for one to somebody else, for one of another session, or for a call.
async fn texts_wait_for_earlier_ones(lab: &Lab) {
    let world = World::new(lab).await;
    commit!(lab.db, [world], |tx| {
        let (one, two): (SessionId, SessionId) = (world.id(), world.id());
        let people: [ParticipantId; 2] = [world.id(), world.id()];
        let mut entries = Vec::new();
        let rows = [(&one, 0, 0), (&one, 1, 1), (&two, 0, 2), (&one, 0, 3), (&one, 1, 4)];
        for (session, person, ms) in rows {
            let mut leg = world.leg(&world.id(), 1);
            leg.participant = Some(people[person].clone());
            let kind = if ms == 1 { OutboxKind::Call } else { OutboxKind::Message };
            entries.push(owe_on(tx, &world, (kind, Some(session)), &leg, ms).await?);
        }
        let mut waits = Vec::new();
        for entry in &entries {
            waits.push(outbox::earlier_pending(tx, entry, at(8)).await?);
        }
        assert_eq!(waits, [false, false, false, true, false]);
        let sending = outbox::claim(tx, &entries[0], at(9), at(50)).await?.unwrap();
        assert!(outbox::earlier_pending(tx, &entries[3], at(8)).await?);
        outbox::put_off(tx, &sending, at(60)).await?;
        assert!(outbox::earlier_pending(tx, &entries[3], at(8)).await?);
        // Tried at 9: I12, a head that is stuck for too long keeps nobody back.
        assert!(!outbox::earlier_pending(tx, &entries[3], at(9)).await?);
        outbox::finish(tx, &sending, OutboxState::Done).await?;
        assert!(!outbox::earlier_pending(tx, &entries[3], at(8)).await?);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// Texts that answer one text, and belong to no session, wait for each other; those that answer
/// another do not.
async fn answers_wait_for_earlier_ones(lab: &Lab) {
    let world = World::new(lab).await;
    commit!(lab.db, [world], |tx| {
        let (one, two): (InteractionId, InteractionId) = (world.id(), world.id());
        let mut entries = Vec::new();
        for (interaction, position, ms) in [(&one, 1, 1), (&two, 1, 2), (&one, 2, 3)] {
            let leg = world.leg(interaction, position);
            entries.push(owe_on(tx, &world, (OutboxKind::Message, None), &leg, ms).await?);
        }
        let mut waits = Vec::new();
        for entry in &entries {
            waits.push(outbox::earlier_pending(tx, entry, at(8)).await?);
        }
        assert_eq!(waits, [false, false, true]);
        let sending = outbox::claim(tx, &entries[0], at(9), at(50)).await?.unwrap();
        assert!(outbox::earlier_pending(tx, &entries[2], at(8)).await?);
        assert!(!outbox::earlier_pending(tx, &entries[2], at(9)).await?);
        outbox::finish(tx, &sending, OutboxState::Done).await?;
        assert!(!outbox::earlier_pending(tx, &entries[2], at(8)).await?);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// Only entries that have ended are forgotten, the oldest first, so many at a time.
async fn ended_entries_are_forgotten(lab: &Lab) {
    let world = World::new(lab).await;
    let ends = commit!(lab.db, [world], |tx| {
        for ms in 0..6 {
            let entry = owe(tx, &world, None, ms).await?;
            match ms {
                0 => {}
                1 => drop(outbox::claim(tx, &entry, at(ms), at(50)).await?),
                2 => drop(outbox::finish(tx, &entry, OutboxState::Parked).await?),
                _ => drop(outbox::finish(tx, &entry, OutboxState::Done).await?),
            }
        }
        let left = "SELECT CAST(created_at AS TEXT) FROM outbox ORDER BY created_at";
        Ok::<_, Error>((
            outbox::purge(tx, at(5), 2).await?,
            texts(tx, left).await?.len(),
            outbox::purge(tx, at(5), 2).await?,
            texts(tx, left).await?,
        ))
    });
    let (two, four, one, left) = ends.await.unwrap();
    assert_eq!((two, four, one), (2, 4, 1));
    assert_eq!(left, [0, 1, 5].map(|ms| at(ms).millis().to_string()));
}
