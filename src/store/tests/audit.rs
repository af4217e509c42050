//! The audit log's chains (I19): whatever is done to a row is found, two who write make one chain, and what
//! is undone leaves none.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::*;
use crate::{
    domain::audit::{Action, Actor, ActorKind, By, Detail, Entry, Reason},
    privacy::audit::{Fault, Walk},
    store::audit,
};

db_test!(
    i19_every_mutation_is_found,
    i19_deletion_reorder_and_truncation_are_found,
    two_writers_make_one_chain,
    what_is_undone_leaves_no_row,
    rows_are_listed_and_reasons_sealed,
);

/// Every column of a row, with what another value of it may be.
const COLUMNS: [(&str, &str); 13] = [
    ("account", "'AC00000000000000000000000000000000'"),
    ("seq", "seq + 1000"),
    ("form", "form + 1"),
    ("at", "at + 1"),
    ("actor_kind", "actor_kind || 'x'"),
    ("actor", "actor || 'x'"),
    ("action", "action || 'x'"),
    ("target_kind", "target_kind || 'x'"),
    ("target", "target || 'x'"),
    ("reason", "reason || 'x'"),
    ("details", "details || ' '"),
    ("previous", "previous || 'x'"),
    ("hash", "'0' || hash"),
];

fn staff() -> By {
    let reason = Some(Reason::parse("ticket 4711").unwrap());
    By { actor: Actor::new(ActorKind::Staff, "ST0123456789abcdef0123456789abcdef"), reason }
}

/// Adds so many rows to the account's chain.
async fn add(lab: &Lab, world: &World, rows: usize) {
    for n in 0..rows {
        let db = lab.db.by(if n.is_multiple_of(2) { staff() } else { By::RELAY });
        let number = n.to_string();
        let added = commit!(db, [world, number], |tx| {
            let entry = Entry::new(Action::ServiceUpdated, world.service.as_str())
                .changed(vec!["brand"])
                .with(Detail::Count, number);
            audit::append(tx, &world.account, entry).await
        });
        added.await.unwrap();
    }
}

/// What is wrong with a chain, of which these heads were signed.
async fn faults(tx: &mut Tx, chain: &str, heads: &[(i64, String)]) -> Vec<Fault> {
    let mut walk = Walk::new(heads.iter().cloned().collect::<BTreeMap<_, _>>());
    let mut after = i64::MIN;
    loop {
        // Small pages: chains go over their ends.
        let page = audit::page(tx, chain, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.content.seq;
        for link in &page {
            walk.row(link);
        }
    }
    let end = audit::end(tx, chain).await.unwrap();
    walk.end(end).0
}

/// Does this to a chain, says what is wrong with it then, and undoes it.
async fn tried(lab: &Lab, chain: &str, sql: &[String], heads: &[(i64, String)]) -> Vec<Fault> {
    let (chain, sql, heads) = (chain.to_owned(), sql.to_vec(), heads.to_vec());
    let (send, found) = std::sync::mpsc::channel();
    let undone = commit!(lab.db, [chain, sql, heads, send], |tx| {
        for one in sql {
            assert_eq!(run(tx, one.clone()).await?, 1, "{one}");
        }
        let found = faults(tx, &chain, &heads).await;
        send.send(found).unwrap();
        Err::<(), _>(Error::Statement("undone".into()))
    });
    assert!(undone.await.is_err());
    found.try_iter().last().unwrap()
}

/// Each column of each row of a real chain is changed, one at a time: each is told, with the row's place. So
/// is each column of the note of its end.
async fn i19_every_mutation_is_found(lab: &Lab) {
    let world = World::new(lab).await;
    add(lab, &world, 6).await;
    let chain = world.account.as_str();
    assert_eq!(tried(lab, chain, &[], &[]).await, []);
    let mut tried_so_many = 0;
    for seq in 1..=6 {
        for (column, value) in COLUMNS {
            let here = format!("account = '{chain}' AND seq = {seq}");
            let sql = format!("UPDATE audit SET {column} = {value} WHERE {here}");
            let found = tried(lab, chain, &[sql], &[]).await;
            let gone = if seq == 6 {
                Fault::Truncated { from: 6, to: 6 }
            } else {
                Fault::Missing { from: seq, to: seq }
            };
            match column {
                "account" => assert_eq!(found, [gone], "{column} of {seq}"),
                "seq" if seq == 6 => {
                    let moved = [
                        Fault::Missing { from: 6, to: 1005 },
                        Fault::Moved { seq: 1006, was: 6 },
                        Fault::End(1006),
                    ];
                    assert_eq!(found, moved);
                }
                "seq" => assert!(found.contains(&gone), "{column} of {seq}: {found:?}"),
                _ => assert_eq!(found, [Fault::Edited(seq)], "{column} of {seq}"),
            }
            tried_so_many += 1;
        }
    }
    assert_eq!(tried_so_many, 6 * COLUMNS.len());
    for (column, value) in [("account", "'AC0'"), ("seq", "5"), ("hash", "'0' || hash")] {
        let sql = format!("UPDATE audit_heads SET {column} = {value} WHERE account = '{chain}'");
        assert_eq!(tried(lab, chain, &[sql], &[]).await, [Fault::End(6)], "{column}");
    }
    let columns = tables_columns(lab).await;
    let known: Vec<&str> = COLUMNS.iter().map(|(column, _)| *column).collect();
    assert!(columns.iter().all(|column| known.contains(&&**column)), "{columns:?}");
}

/// The columns that the table has: none is left out above.
async fn tables_columns(lab: &Lab) -> Vec<String> {
    let mut tx = lab.db.read().await.unwrap();
    let sql = if lab.on_sqlite() {
        "SELECT name FROM pragma_table_info('audit')"
    } else {
        "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
         WHERE table_name = 'audit' AND table_schema = current_schema()"
    };
    let columns = texts(&mut tx, sql).await.unwrap();
    assert_eq!(columns.len(), COLUMNS.len());
    columns
}

/// Each row that is taken out, each two that change places, and each end that is cut off are told; the last
/// with the note of it only by a head that was signed before.
async fn i19_deletion_reorder_and_truncation_are_found(lab: &Lab) {
    let world = World::new(lab).await;
    add(lab, &world, 5).await;
    let chain = world.account.as_str();
    let heads: Vec<(i64, String)> = {
        let mut tx = lab.db.read().await.unwrap();
        let rows = audit::page(&mut tx, chain, 0, 10).await.unwrap();
        rows.into_iter().map(|link| (link.content.seq, link.hash)).collect()
    };
    assert_eq!(tried(lab, chain, &[], &heads).await, []);
    let at = |seq: i64| format!("WHERE account = '{chain}' AND seq = {seq}");
    for seq in 1..=5 {
        let gone = tried(lab, chain, &[format!("DELETE FROM audit {}", at(seq))], &[]).await;
        let expected = if seq == 5 {
            Fault::Truncated { from: 5, to: 5 }
        } else {
            Fault::Missing { from: seq, to: seq }
        };
        assert_eq!(gone, [expected]);
        for other in seq + 1..=5 {
            let swap = [
                format!("UPDATE audit SET seq = -1 {}", at(seq)),
                format!("UPDATE audit SET seq = {seq} {}", at(other)),
                format!("UPDATE audit SET seq = {other} {}", at(-1)),
            ];
            let expected =
                [Fault::Moved { seq, was: other }, Fault::Moved { seq: other, was: seq }];
            assert_eq!(tried(lab, chain, &swap, &[]).await, expected);
        }
    }
    for kept in 0..5_usize {
        let mut cut: Vec<String> = heads[kept..]
            .iter()
            .map(|(seq, _)| format!("DELETE FROM audit {}", at(*seq)))
            .collect();
        let from = heads[kept].0;
        let expected = [Fault::Truncated { from, to: 5 }];
        assert_eq!(tried(lab, chain, &cut, &[]).await, expected);
        let note = format!("WHERE account = '{chain}'");
        cut.push(match kept.checked_sub(1).map(|last| &heads[last]) {
            Some((seq, hash)) => {
                format!("UPDATE audit_heads SET seq = {seq}, hash = '{hash}' {note}")
            }
            None => format!("DELETE FROM audit_heads {note}"),
        });
        assert_eq!(tried(lab, chain, &cut, &[]).await, [], "nothing in the database tells");
        assert_eq!(tried(lab, chain, &cut, &heads[4..]).await, expected);
    }
}

/// Of forty who write at once, through two processes, each has a row of its own, and the chain is whole.
async fn two_writers_make_one_chain(lab: &Lab) {
    let world = World::new(lab).await;
    let second = lab.second().await;
    let writes = (0..40).map(|n| {
        let db = if n % 2 == 0 { lab.db.clone() } else { second.clone() };
        let (number, world) = (n.to_string(), &world);
        async move {
            let written = commit!(db, [world, number], |tx| {
                let entry = Entry::new(Action::ServiceUpdated, world.service.as_str());
                audit::append(tx, &world.account, entry.with(Detail::Count, number)).await?;
                audit::append_installation(tx, Entry::new(Action::NumbersJudged, "")).await
            });
            written.await
        }
    });
    for done in join_all(writes).await {
        done.unwrap();
    }
    let mut tx = lab.db.read().await.unwrap();
    for chain in [world.account.as_str(), ""] {
        assert_eq!(faults(&mut tx, chain, &[]).await, []);
        let rows = audit::page(&mut tx, chain, 0, 100).await.unwrap();
        assert_eq!(rows.len(), 40);
        let times: Vec<i64> = rows.iter().map(|link| link.content.at).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
    assert_eq!(audit::next_chain(&mut tx, "").await.unwrap().as_deref(), Some(""));
    let next = audit::next_chain(&mut tx, &audit::behind("")).await.unwrap();
    assert_eq!(next.as_deref(), Some(world.account.as_str()));
    let last = audit::behind(world.account.as_str());
    assert_eq!(audit::next_chain(&mut tx, &last).await.unwrap(), None);
    let heads = audit::heads(&mut tx, "", 1).await.unwrap();
    assert_eq!((heads.len(), heads[0].seq, &*heads[0].account), (1, 40, ""));
    drop(tx);
    second.close().await;
}

/// A write that fails after its row was added leaves none, and the next takes its place.
async fn what_is_undone_leaves_no_row(lab: &Lab) {
    let world = World::new(lab).await;
    add(lab, &world, 2).await;
    let failed = commit!(lab.db, [world], |tx| {
        audit::append(tx, &world.account, Entry::new(Action::ServiceDeleted, "x")).await?;
        Err::<(), _>(Error::Statement("the rest of it failed".into()))
    });
    assert!(failed.await.is_err());
    add(lab, &world, 1).await;
    let mut tx = lab.db.read().await.unwrap();
    let rows = audit::page(&mut tx, world.account.as_str(), 0, 10).await.unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|link| link.content.action == "service.updated"));
    assert_eq!(faults(&mut tx, world.account.as_str(), &[]).await, []);
}

/// Rows are found by what they tell, newest first, a page at a time; a reason is sealed for its own row, and
/// one that was put into another does not open.
async fn rows_are_listed_and_reasons_sealed(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    add(lab, &world, 4).await;
    add(lab, &other, 1).await;
    let mut tx = lab.db.read().await.unwrap();
    let all = audit::Filter::default();
    let rows = audit::list(&mut tx, world.account.as_str(), &all, None, 3).await.unwrap();
    let places: Vec<i64> = rows.iter().map(|row| row.link.content.seq).collect();
    assert_eq!(places, [4, 3, 2]);
    assert_eq!(rows[1].reason.as_deref(), Some("ticket 4711"));
    assert_eq!(rows[0].reason, None);
    assert!(!rows[1].link.content.reason.contains("ticket"));
    assert_eq!(rows[0].link.content.details, r#"{"changed":["brand"],"count":"3"}"#);
    let rest = audit::list(&mut tx, world.account.as_str(), &all, Some(2), 3).await.unwrap();
    assert_eq!(rest.len(), 1);
    let at = Timestamp::from_millis(rest[0].link.content.at);
    let staff = ActorKind::Staff;
    for (filter, count) in [
        (audit::Filter { action: Some(Action::ServiceUpdated), ..all.clone() }, 4),
        (audit::Filter { action: Some(Action::ServiceDeleted), ..all.clone() }, 0),
        (audit::Filter { actor_kind: Some(staff), ..all.clone() }, 2),
        (audit::Filter { actor: Some(staff_id()), ..all.clone() }, 2),
        (audit::Filter { target: Some(world.service.to_string()), ..all.clone() }, 4),
        (audit::Filter { target: Some("KS".into()), ..all.clone() }, 0),
        (audit::Filter { from: Some(at), ..all.clone() }, 4),
        (audit::Filter { before: Some(at), ..all.clone() }, 0),
    ] {
        let found = audit::list(&mut tx, world.account.as_str(), &filter, None, 9).await.unwrap();
        assert_eq!(found.len(), count, "{filter:?}");
    }
    drop(tx);
    let chain = world.account.to_string();
    let moved = commit!(lab.db, [chain], |tx| {
        let from = format!("SELECT reason FROM audit WHERE account = '{chain}' AND seq = 1");
        let sql =
            format!("UPDATE audit SET reason = ({from}) WHERE account = '{chain}' AND seq = 3");
        run(tx, sql).await
    });
    assert_eq!(moved.await.unwrap(), 1);
    let mut tx = lab.db.read().await.unwrap();
    let opened = audit::list(&mut tx, world.account.as_str(), &all, None, 9).await;
    assert!(matches!(opened, Err(Error::Sealed(_))), "{opened:?}");
}

fn staff_id() -> String {
    staff().actor.id
}
