//! Proxy numbers: whose they are, and the counts of their classes.

use super::{
    world::{VOICE_AND_SMS, a_service, identifier, proxy},
    *,
};
use crate::{
    domain::{
        phone::{Identifier, ProxyNumber, Registration},
        pool::Capabilities,
    },
    ids::ServiceId,
    store::{
        number_orders::{self, NewOrder, OrderKind, OrderState},
        numbers::{self, Number, NumberState},
        rings, services,
    },
};

/// The counts of the classes, and the same counted from the numbers themselves.
async fn counts(db: &Db, world: &World) -> (Vec<(String, u64, u64)>, Vec<(String, u64, u64)>) {
    let mut tx = db.read().await.unwrap();
    let classes = rings::classes(&mut tx, &world.account, &world.service).await.unwrap();
    let kept = classes
        .into_iter()
        .map(|one| (format!("{}/{}/{:?}", one.country, one.area, one.kind), one.free, one.reserved))
        .filter(|one| one.1 + one.2 > 0)
        .collect();
    let all = numbers::list(&mut tx, &world.account, &numbers::Filter::default(), "", 1000)
        .await
        .unwrap();
    let mut counted = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for one in all.iter().filter(|one| one.state == NumberState::Active) {
        let class = format!("{}/{}/{:?}", one.country, one.area, one.kind());
        let class = counted.entry(class).or_default();
        *(if one.reserved { &mut class.1 } else { &mut class.0 }) += 1;
    }
    (kept, counted.into_iter().map(|(class, (free, reserved))| (class, free, reserved)).collect())
}

async fn change(
    db: &Db,
    world: &World,
    id: &crate::ids::NumberId,
    to: (bool, NumberState),
) -> bool {
    commit!(db, [world, id], |tx| {
        let before = numbers::get(tx, &world.account, &id).await?.unwrap();
        let mut after = before.clone();
        (after.reserved, after.state) = to;
        after.version += 1;
        after.updated_at = at(5);
        numbers::update(tx, &world.account, &before, &after).await
    })
    .await
    .unwrap()
}

db_test!(
    a_number_reads_back,
    a_number_has_one_owner,
    a_number_is_ours_however_it_is_spelled,
    a_number_needs_its_service,
    classes_count_the_numbers,
    lists_are_narrowed,
    crosswise_imports_end,
    capabilities_have_one_spelling,
    an_order_that_cant_be_read_keeps_none_back,
);

/// Every column of a number reads back, by id and by what is dialled; its place is set here.
async fn a_number_reads_back(lab: &Lab) {
    let world = World::new(lab).await;
    let mut number = world.number(7);
    number.area = "937".into();
    number.reserved = true;
    number.capabilities = Capabilities { voice: false, sms: true, mms: true };
    number.place = 99;
    commit!(lab.db, [world, number], |tx| numbers::insert(tx, &world.account, &number).await)
        .await
        .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let by_id = numbers::get(&mut tx, &world.account, &number.id).await.unwrap().unwrap();
    let (owner, dialled) = numbers::owner(&mut tx, &proxy(7)).await.unwrap().unwrap();
    assert_eq!(owner, world.account);
    number.place = 0;
    for found in [by_id, dialled] {
        assert_eq!(format!("{found:?}"), format!("{number:?}"));
    }
    assert!(numbers::owner(&mut tx, &proxy(8)).await.unwrap().is_none());
    let ours = Identifier::parse(proxy(7).as_str()).unwrap();
    assert!(numbers::is_ours(&mut tx, &ours).await.unwrap());
    assert!(!numbers::is_ours(&mut tx, &identifier(7)).await.unwrap());
    assert_eq!(services::places(&mut tx, &world.account, &world.service).await.unwrap(), 1);
}

/// A number belongs to one account, until that retires it.
async fn a_number_has_one_owner(lab: &Lab) {
    let (mine, theirs) = (World::named(lab, "mine").await, World::named(lab, "theirs").await);
    let ids = mine.numbers(&lab.db, 0, 1).await;
    for world in [mine.clone(), theirs.clone()] {
        let again = commit!(lab.db, [world], |tx| {
            numbers::insert(tx, &world.account, &world.number(0)).await
        });
        assert!(matches!(again.await, Err(Error::Conflict)));
    }
    assert!(change(&lab.db, &mine, &ids[0], (false, NumberState::Retired)).await);
    assert!(numbers::owner(&mut lab.db.read().await.unwrap(), &proxy(0)).await.unwrap().is_none());
    theirs.numbers(&lab.db, 0, 1).await;
    let mut tx = lab.db.read().await.unwrap();
    let (owner, _) = numbers::owner(&mut tx, &proxy(0)).await.unwrap().unwrap();
    assert_eq!(owner, theirs.account);
    // The retired one is still known to its account.
    let old = numbers::get(&mut tx, &mine.account, &ids[0]).await.unwrap().unwrap();
    assert_eq!(old.state, NumberState::Retired);
}

/// A proxy number is no person's in any spelling of its plan, whichever it was added in; its neighbour's is.
async fn a_number_is_ours_however_it_is_spelled(lab: &Lab) {
    let world = World::new(lab).await;
    for (ours, spelled, neighbour) in [
        ("+525512345678", "+5215512345678", "+5215512345679"),
        ("+54111523456789", "+5491123456789", "+5491123456780"),
        ("+2290197123456", "+22997123456", "+22997123457"),
    ] {
        let number = Number { number: ProxyNumber::parse(ours).unwrap(), ..world.number(7) };
        commit!(lab.db, [world, number], |tx| numbers::insert(tx, &world.account, &number).await)
            .await
            .unwrap();
        let mut tx = lab.db.read().await.unwrap();
        for (asked, is) in [(ours, true), (spelled, true), (neighbour, false)] {
            let asked = Identifier::parse(asked).unwrap();
            assert_eq!(numbers::is_ours(&mut tx, &asked).await.unwrap(), is, "{ours}");
        }
    }
}

/// A service that is not there takes no number, and nothing is left of the attempt.
async fn a_number_needs_its_service(lab: &Lab) {
    let world = World::new(lab).await;
    let mut number = world.number(0);
    number.service = lab.ids.make::<ServiceId>(at(0));
    let failed =
        commit!(lab.db, [world, number], |tx| numbers::insert(tx, &world.account, &number).await);
    assert!(matches!(failed.await, Err(Error::Statement(_))));
    assert!(numbers::owner(&mut lab.db.read().await.unwrap(), &proxy(0)).await.unwrap().is_none());
}

/// Whatever is added, reserved, drained, retired or refused, the classes count the numbers.
async fn classes_count_the_numbers(lab: &Lab) {
    let world = World::new(lab).await;
    let mut ids = world.numbers(&lab.db, 0, 5).await;
    for (n, carrier, area, reserved) in
        [(10, "b", "", false), (11, "b", "1", true), (12, "a", "1", false)]
    {
        let mut number = world.number(n);
        (number.carrier, number.area, number.reserved) = (carrier.into(), area.into(), reserved);
        ids.push(number.id.clone());
        commit!(lab.db, [world, number], |tx| numbers::insert(tx, &world.account, &number).await)
            .await
            .unwrap();
    }
    let steps = [
        (0, true, NumberState::Active),
        (0, true, NumberState::Draining),
        (0, false, NumberState::Active),
        (1, false, NumberState::Draining),
        (1, false, NumberState::Retired),
        (5, true, NumberState::Active),
        (6, false, NumberState::Active),
        (7, false, NumberState::Retired),
    ];
    for (place, reserved, state) in steps {
        assert!(change(&lab.db, &world, &ids[place], (reserved, state)).await);
        let (kept, counted) = counts(&lab.db, &world).await;
        assert_eq!(kept, counted, "after {place} {reserved} {state}");
    }
    // A change of an old version counts nothing.
    let id = ids[2].clone();
    let stale = commit!(lab.db, [world, id], |tx| {
        let before = numbers::get(tx, &world.account, &id).await?.unwrap();
        let after = Number { reserved: true, version: before.version + 2, ..before.clone() };
        numbers::update(tx, &world.account, &before, &after).await
    });
    assert!(!stale.await.unwrap());
    let (kept, counted) = counts(&lab.db, &world).await;
    assert_eq!(kept, counted);
}

/// Lists are narrowed to an account and a service, and pages are whole and in order.
async fn lists_are_narrowed(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let second = World { service: world.id(), ..world.clone() };
    commit!(lab.db, [second], |tx| {
        services::insert(tx, &second.account, &a_service(&second.service, "second")).await
    })
    .await
    .unwrap();
    world.numbers(&lab.db, 0, 5).await;
    second.numbers(&lab.db, 10, 13).await;
    other.numbers(&lab.db, 20, 21).await;
    let mut tx = lab.db.read().await.unwrap();
    for (service, total) in [(Some(&world.service), 5), (Some(&second.service), 3), (None, 8)] {
        let filter =
            numbers::Filter { service: service.cloned(), registration: Some(Registration::None) };
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = numbers::list(&mut tx, &world.account, &filter, &after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.id.to_string();
            seen.extend(page.into_iter().map(|one| one.id));
        }
        assert_eq!(seen.len(), total);
        assert!(seen.is_sorted_by(|a, b| a < b));
    }
    let registered = numbers::Filter { registration: Some(Registration::TenDlc), service: None };
    let none = numbers::list(&mut tx, &world.account, &registered, "", 100).await.unwrap();
    assert!(none.is_empty());
    assert_eq!(services::places(&mut tx, &world.account, &world.service).await.unwrap(), 5);
}

/// Imports at once, into one pool or two, of the same numbers in opposite orders: each number
/// has one owner, each import is wholly there or not at all, and nobody fails but by conflict.
async fn crosswise_imports_end(lab: &Lab) {
    let worlds = [World::named(lab, "one").await, World::named(lab, "two").await];
    let imports = (0..6u32).map(|n| {
        let world = worlds[usize::from(n >= 4)].clone();
        commit!(lab.db, [world, n], |tx| {
            for step in 0..20 {
                let number = world.number(if n % 2 == 0 { step } else { 19 - step });
                numbers::insert(tx, &world.account, &number).await?;
            }
            Ok::<_, Error>(())
        })
    });
    let ends = futures_util::future::join_all(imports).await;
    let done = ends.iter().filter(|end| end.is_ok()).count();
    assert_eq!(done, 1);
    for end in ends {
        assert!(matches!(end, Ok(()) | Err(Error::Conflict)), "{end:?}");
    }
    let mut tx = lab.db.read().await.unwrap();
    assert_eq!(count(&mut tx, "SELECT COUNT(*) FROM numbers").await.unwrap(), 20);
    assert_eq!(count(&mut tx, "SELECT COUNT(*) FROM number_owners").await.unwrap(), 20);
    assert_eq!(
        count(&mut tx, "SELECT CAST(SUM(free) AS BIGINT) FROM pool_classes").await.unwrap(),
        20
    );
}

/// What a class can do is read back from its one spelling, and other text is bad data.
async fn capabilities_have_one_spelling(lab: &Lab) {
    let world = World::new(lab).await;
    world.numbers(&lab.db, 0, 1).await;
    let mut tx = lab.db.read().await.unwrap();
    let classes = rings::classes(&mut tx, &world.account, &world.service).await.unwrap();
    assert_eq!(classes[0].kind.capabilities, VOICE_AND_SMS);
    drop(tx);
    commit!(lab.db, [], |tx| run(tx, "UPDATE pool_classes SET capabilities = 'fax'").await)
        .await
        .unwrap();
    let bad =
        rings::classes(&mut lab.db.read().await.unwrap(), &world.account, &world.service).await;
    assert!(matches!(bad, Err(Error::Inconsistent { table: "pool_classes", .. })));
}

/// An order that can't be read keeps no other back, and is left alone for as long as is said.
async fn an_order_that_cant_be_read_keeps_none_back(lab: &Lab) {
    let world = World::new(lab).await;
    commit!(lab.db, [world], |tx| {
        let new = NewOrder {
            kind: OrderKind::Buy,
            state: OrderState::Queued,
            service: &world.service,
            carrier: "a",
            number: None,
            number_id: None,
            capabilities: VOICE_AND_SMS,
            wanted: "{}",
        };
        let strange = number_orders::insert(tx, &world.account, &new, at(0)).await?.id;
        let known = number_orders::insert(tx, &world.account, &new, at(1)).await?.id;
        run(tx, format!("UPDATE number_orders SET kind = 'rent' WHERE id = '{strange}'")).await?;
        let (due, unread) = number_orders::due(tx, at(5), 9).await?;
        assert_eq!(due.iter().map(|order| &order.id).collect::<Vec<_>>(), [&known]);
        assert_eq!(unread, [(world.account.clone(), strange.clone())]);
        for left in [true, false] {
            let leave = number_orders::leave(tx, &world.account, &strange, at(5), at(9)).await?;
            assert_eq!(leave, left);
        }
        assert_eq!(number_orders::due(tx, at(8), 1).await?.0.len(), 1);
        assert_eq!(number_orders::due(tx, at(9), 9).await?.1.len(), 1);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}
