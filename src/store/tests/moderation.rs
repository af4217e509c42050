//! The queue of moderators: both sorts in one order, whatever it is narrowed to, and read by index.

use super::{
    plans::{hex, plan, postgres, series},
    *,
};
use crate::{
    domain::{
        moderation::ItemKind,
        report::{Decision, State},
    },
    ids::{InteractionId, ServiceId, StaffId},
    store::moderation::{self, Filter, Item, ItemId, Whose},
};

db_test!(both_sorts_are_one_queue, the_queue_is_read_by_index);

/// Both sorts of ids are read and ordered by time; others are neither.
#[test]
fn ids_of_both_sorts() {
    let tail = "0123456789abcdef0123456789abcdef";
    let later = "0123456789abcdef0123456789abcdf0";
    let report = ItemId::parse(&format!("RP{tail}")).unwrap();
    let text = ItemId::parse(&format!("KI{later}")).unwrap();
    assert!(matches!(report, ItemId::Report(_)) && matches!(text, ItemId::Text(_)));
    assert!(report.place() < text.place() && report.as_str() > text.as_str());
    for other in ["", "RP", &format!("KC{tail}"), &format!("RP{tail}0")] {
        assert_eq!(ItemId::parse(other), None, "{other}");
    }
}

fn everything() -> Filter {
    Filter { kind: None, state: State::Open, whose: None, service: None }
}

fn staff(n: u32) -> StaffId {
    StaffId::parse(&format!("ST{n:032x}")).unwrap()
}

/// Reports and flagged texts by turns: of even places reports. `state` and `assignee` are SQL of `n`.
async fn fill(lab: &Lab, world: &World, rows: i64, [state, assignee]: [&str; 2]) {
    let (account, service) = (&world.account, &world.service);
    let id = |prefix| hex(lab, prefix, "n");
    let series = series();
    let reports = format!(
        "INSERT INTO reports (account, id, service, session, reporter, reporter_role, source, category, interactions,
            state, version, created_at, assignee)
         {series} SELECT '{account}', {}, '{service}', {}, {}, 'buyer', 'api', 'spam', '', {state}, 1, n, {assignee}
         FROM s WHERE n < {rows} AND n % 2 = 0",
        id("RP"),
        id("KC"),
        id("KP")
    );
    let texts = format!(
        "INSERT INTO text_findings (account, interaction, service, session, fate, kinds, state, version, created_at,
            assignee)
         {series} SELECT '{account}', {}, '{service}', {}, 'blocked', 'phone link', {state}, 1, n, {assignee}
         FROM s WHERE n < {rows} AND n % 2 = 1",
        id("KI"),
        id("KC")
    );
    for sql in [reports, texts] {
        let sql = if lab.on_sqlite() { sql } else { postgres(&sql) };
        commit!(lab.db, [sql], |tx| run(tx, sql).await).await.unwrap();
    }
}

fn places(items: &[Item]) -> Vec<i64> {
    items.iter().map(|one| i64::from_str_radix(one.id.place(), 16).unwrap()).collect()
}

/// Pages of both sorts together show each once, open ones oldest first and decided ones newest first; filters narrow
/// them; who has an item and what was decided changes it once for each version.
async fn both_sorts_are_one_queue(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let own = format!("CASE WHEN n % 3 = 0 THEN '{}' ELSE '' END", staff(7));
    let state = "CASE WHEN n >= 20 THEN 'resolved' ELSE 'open' END";
    fill(lab, &world, 30, [state, &own]).await;
    let account = &world.account;
    for (state, expected) in
        [(State::Open, (0..20).collect()), (State::Resolved, (20..30).rev().collect::<Vec<_>>())]
    {
        let filter = Filter { state, ..everything() };
        for limit in [1, 3, 50] {
            let (mut seen, mut past): (Vec<i64>, Option<ItemId>) = (Vec::new(), None);
            loop {
                let mut tx = lab.db.read().await.unwrap();
                let page = moderation::list(&mut tx, account, &filter, past.as_ref(), limit).await;
                let page = page.unwrap();
                let Some(last) = page.last() else { break };
                past = Some(last.id.clone());
                seen.extend(places(&page));
            }
            assert_eq!(seen, expected, "{limit}");
        }
    }
    let mut tx = lab.db.read().await.unwrap();
    let elsewhere = ServiceId::parse("KS0123456789abcdef0123456789abcdef").unwrap();
    for (filter, expected) in [
        (Filter { kind: Some(ItemKind::Report), ..everything() }, 10),
        (Filter { kind: Some(ItemKind::Text), ..everything() }, 10),
        (Filter { whose: Some(Whose::Of(staff(7))), ..everything() }, 7),
        (Filter { whose: Some(Whose::Of(staff(8))), ..everything() }, 0),
        (Filter { whose: Some(Whose::Nobodys), ..everything() }, 13),
        (Filter { service: Some(world.service.clone()), ..everything() }, 20),
        (Filter { service: Some(elsewhere), ..everything() }, 0),
    ] {
        let found = moderation::list(&mut tx, account, &filter, None, 50).await.unwrap();
        assert_eq!(found.len(), expected, "{filter:?}");
        let foreign = moderation::list(&mut tx, &other.account, &filter, None, 50).await.unwrap();
        assert!(foreign.is_empty());
    }
    drop(tx);

    let text = InteractionId::parse(&format!("KI{:032x}", 1)).unwrap();
    let changed = commit!(lab.db, [world, text], |tx| {
        let (account, id) = (&world.account, ItemId::Text(text.clone()));
        let to = staff(9);
        let first = moderation::assign(tx, account, &id, Some(&to), 1).await?;
        let stale = moderation::assign(tx, account, &id, None, 1).await?;
        let ruling = (Decision::Warned, &to);
        let early = moderation::decide_text(tx, account, &text, ruling, 1, at(5)).await?;
        let decided = moderation::decide_text(tx, account, &text, ruling, 2, at(5)).await?;
        let twice = moderation::decide_text(tx, account, &text, ruling, 3, at(5)).await?;
        let late = moderation::assign(tx, account, &id, None, 3).await?;
        let now = moderation::get(tx, account, &id).await?.unwrap();
        assert_eq!(
            (now.assignee, now.decision, now.version),
            (Some(to), Some(Decision::Warned), 3)
        );
        assert_eq!((now.state, now.resolved_at), (State::Resolved, Some(at(5))));
        Ok::<_, Error>([first, stale, early, decided, twice, late])
    })
    .await
    .unwrap();
    assert_eq!(changed, [true, false, false, true, false, false]);
}

/// Whatever it is narrowed to, the queue walks an index in its order: nothing is sorted, and no table is read whole.
async fn the_queue_is_read_by_index(lab: &Lab) {
    let world = World::new(lab).await;
    let own = format!("CASE WHEN n % 100 = 0 THEN '{}' ELSE '' END", staff(7));
    let state = "CASE WHEN n % 20 < 2 THEN 'open' ELSE 'resolved' END";
    fill(lab, &world, 20_000, [state, &own]).await;
    if lab.on_sqlite() {
        by_index(lab, &world).await;
    }
    commit!(lab.db, [], |tx| run(tx, "ANALYZE").await).await.unwrap();
    by_index(lab, &world).await;
}

async fn by_index(lab: &Lab, world: &World) {
    let past = ItemId::parse(&format!("RP{:032x}", 900)).unwrap();
    for state in [State::Open, State::Resolved] {
        let of = |whose, service| Filter { state, whose, service, ..everything() };
        for (name, filter) in [
            ("all", of(None, None)),
            ("mine", of(Some(Whose::Of(staff(7))), None)),
            ("nobody's", of(Some(Whose::Nobodys), None)),
            ("a service's", of(None, Some(world.service.clone()))),
            ("mine of a service", of(Some(Whose::Of(staff(7))), Some(world.service.clone()))),
        ] {
            for kind in ItemKind::ALL {
                for past in [None, Some(&past)] {
                    let (sql, values) = moderation::listed(*kind, &world.account, &filter, past);
                    let mut values: Vec<String> =
                        values.iter().map(|value| format!("'{value}'")).collect();
                    values.push("51".into());
                    let plan = plan(lab, &sql, &values).await;
                    assert!(
                        !plan.contains("SCAN") && !plan.contains("Seq Scan"),
                        "{name}, {kind}:\n{plan}"
                    );
                    let sorts = plan.contains("TEMP B-TREE") || plan.contains("Sort");
                    assert!(!sorts, "{name}, {kind} sorts:\n{plan}");
                }
            }
        }
    }
}
