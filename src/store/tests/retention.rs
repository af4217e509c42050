//! Every table has its term; what the nightly job walks is read by index; its turn is one node's; counts of few
//! are put together; cases are sealed.

use std::collections::BTreeSet;

use super::{
    plans::{fill, hex, plan, postgres, series},
    *,
};
use crate::{
    domain::{
        audit::Reason,
        retention::{Cell, DataClass},
    },
    ids::{HoldId, Id as _, SessionId},
    store::{
        legal_holds::{self, Case, Held, LegalHold},
        media,
        retention::{self, runs},
        text_findings,
    },
};

db_test!(
    every_table_has_its_term,
    walks_read_by_index,
    a_turn_is_one_nodes,
    cells_of_few_are_put_together,
    cases_are_sealed,
    held_files_and_texts_stay,
);

/// Each table that there is belongs to one class, and each that a class names is there.
async fn every_table_has_its_term(lab: &Lab) {
    let sql = if lab.on_sqlite() {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    } else {
        "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()"
    };
    let mut tx = lab.db.read().await.unwrap();
    let there: BTreeSet<String> = texts(&mut tx, sql)
        .await
        .unwrap()
        .into_iter()
        .filter(|name| name != "_sqlx_migrations")
        .collect();
    for table in &there {
        assert!(DataClass::of_table(table).is_some(), "for how long is {table} kept?");
    }
    let named: Vec<&str> = DataClass::ALL.iter().flat_map(|one| one.tables()).copied().collect();
    let once: BTreeSet<String> = named.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(once.len(), named.len(), "a table is in two classes");
    assert_eq!(once, there);
}

/// The next rows of each walk are found by index and come in its order, among 20,000 of each table.
async fn walks_read_by_index(lab: &Lab) {
    let world = World::new(lab).await;
    fill(lab, &world).await;
    let (account, service) = (&world.account, &world.service);
    for sql in [
        format!(
            "INSERT INTO events (account, id, type, sequence, data, created_at)
             {} SELECT '{account}', {}, 'x', 0, '', 0 FROM s",
            series(),
            hex(lab, "EV", "n")
        ),
        format!(
            "INSERT INTO sticky_numbers (account, service, person, counterpart, number_id, closed_at)
             {} SELECT '{account}', '{service}', {}, '', '', n FROM s",
            series(),
            hex(lab, "", "n")
        ),
        format!("UPDATE sessions SET ended_at = expires_at WHERE service = '{service}'"),
        format!("UPDATE interactions SET service = '{service}' WHERE id < 'KI{:032x}'", 15_000),
        "UPDATE interactions SET words = 'x'".to_owned(),
    ] {
        let sql = if lab.on_sqlite() { sql } else { postgres(&sql) };
        commit!(lab.db, [sql], |tx| run(tx, sql).await).await.unwrap();
    }
    commit!(lab.db, [], |tx| run(tx, "ANALYZE").await).await.unwrap();
    let text = |value: &str| format!("'{value}'");
    let id = |prefix: &str, n: i64| format!("'{prefix}{n:032x}'");
    let by_id = |prefix: &str| {
        vec![text(account.as_str()), id(prefix, 9_000), id(prefix, 8_000), "200".into()]
    };
    let of_service = |mut values: Vec<String>| {
        values.push(text(service.as_str()));
        values
    };
    let by_time = |prefix: &str| {
        let after = id(prefix, 8_000);
        vec![text(account.as_str()), "9000".into(), "8000".into(), "200".into(), after]
    };
    let sticky = vec![text(account.as_str()), "9000".into(), "200".into(), "0".into()];
    for (name, sql, values) in [
        ("texts", retention::TEXTS, of_service(by_id("KI"))),
        ("log", retention::LOG, of_service(by_id("KI"))),
        ("log of nobody", retention::LOG_OF_NOBODY, by_id("KI")),
        ("events", retention::EVENTS, by_id("EV")),
        ("sessions", retention::SESSIONS, of_service(by_time("KC"))),
        ("charges", retention::CHARGES, by_time("LG")),
        ("sticky", retention::STICKY, sticky),
    ] {
        let plan = plan(lab, sql, &values).await;
        assert!(!plan.contains("SCAN") && !plan.contains("Seq Scan"), "{name}:\n{plan}");
        // Those of one millisecond may be.
        let sorts = plan.contains("TEMP B-TREE FOR ORDER BY");
        assert!(!lab.on_sqlite() || !sorts, "{name} sorts:\n{plan}");
    }
}

/// Nobody takes a turn that somebody has, but once its lease is over; who lost it can't go on; and a run that
/// has ended is not begun again that night.
async fn a_turn_is_one_nodes(lab: &Lab) {
    commit!(lab.db, [], |tx| {
        assert!(runs::begin_to_count(tx, at(0)).await?);
        assert!(!runs::begin_to_count(tx, at(9)).await?);
        assert_eq!(runs::last(tx).await?, Some(at(0)));
        assert!(!runs::take(tx, "a", (at(5), at(5), at(20)), at(0)).await?, "not this night");
        assert!(runs::take(tx, "a", (at(10), at(10), at(20)), at(10)).await?);
        assert!(!runs::take(tx, "b", (at(19), at(19), at(30)), at(10)).await?);
        assert!(runs::hold_on(tx, "a", at(25)).await?);
        assert!(!runs::take(tx, "b", (at(24), at(24), at(30)), at(10)).await?);
        assert!(runs::take(tx, "b", (at(25), at(25), at(40)), at(10)).await?);
        assert!(!runs::hold_on(tx, "a", at(50)).await?);
        runs::give_back(tx, "a", Some(at(30))).await?;
        assert_eq!(runs::last(tx).await?, Some(at(0)), "it was not a's to end");
        runs::give_back(tx, "b", None).await?;
        assert!(runs::take(tx, "c", (at(31), at(31), at(41)), at(10)).await?, "it is taken up");
        runs::give_back(tx, "c", Some(at(35))).await?;
        assert!(!runs::take(tx, "d", (at(50), at(50), at(60)), at(10)).await?);
        assert!(runs::take(tx, "d", (at(100), at(100), at(110)), at(90)).await?);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// Of a day that is over, cells of fewer than five go into one, by kind; what is still fewer is left out. No
/// answer has a cell of fewer than five, whatever the day.
async fn cells_of_few_are_put_together(lab: &Lab) {
    commit!(lab.db, [], |tx| {
        for (day, role, kind, tally) in [
            (7, "buyer", "call", 9),
            (7, "seller", "call", 3),
            (7, "driver", "call", 2),
            (7, "buyer", "message", 4),
            (8, "buyer", "call", 4),
        ] {
            let sql = format!(
                "INSERT INTO anonymised_interactions (day, role, kind, duration, outcome, tally)
                 VALUES ({day}, '{role}', '{kind}', 'none', 'x', {tally})"
            );
            run(tx, sql).await?;
        }
        assert_eq!(retention::shown(tx, 100).await?.len(), 1);
        assert!(retention::fold(tx, 8).await?);
        assert!(!retention::fold(tx, 8).await?);
        let cell = |role: &str, duration: &str, outcome: &str| Cell {
            day: 7,
            role: role.into(),
            kind: "call".into(),
            duration: duration.into(),
            outcome: outcome.into(),
        };
        let all = retention::shown(tx, 100).await?;
        let rest = cell("other", "other", "other");
        assert_eq!(all, [(cell("buyer", "none", "x"), 9), (rest, 5)]);
        assert_eq!(count(tx, "SELECT COUNT(*) FROM anonymised_interactions").await?, 3);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// What a case is called, and why, is sealed; a hold is in force until it is lifted, once.
async fn cases_are_sealed(lab: &Lab) {
    let world = World::new(lab).await;
    let hold = LegalHold {
        id: HoldId::from_text(format!("LH{:032x}", 1)),
        held: Held::Person(world.person(1), Some(1)),
        case: Case::parse("Case of Ada").unwrap(),
        reason: Reason::parse("asked by the court").unwrap(),
        version: 1,
        created_at: at(0),
        lifted_at: None,
    };
    commit!(lab.db, [world, hold], |tx| {
        let account = &world.account;
        legal_holds::insert(tx, account, &hold).await?;
        let stored = texts(tx, "SELECT case_id || reason FROM legal_holds").await?.concat();
        assert!(!stored.contains("Ada") && !stored.contains("court"), "{stored}");
        let read = legal_holds::get(tx, account, &hold.id).await?.unwrap();
        assert_eq!((&read.held, &read.case, &read.reason), (&hold.held, &hold.case, &hold.reason));
        assert!(!format!("{read:?}").contains("Ada"));
        assert_eq!(legal_holds::in_force(tx, account).await?, 1);
        assert!(legal_holds::lift(tx, account, &hold.id, at(5)).await?);
        assert!(!legal_holds::lift(tx, account, &hold.id, at(6)).await?);
        assert_eq!(legal_holds::in_force(tx, account).await?, 0);
        let read = legal_holds::list(tx, account, "", 10).await?.remove(0);
        assert_eq!((read.lifted_at, read.version), (Some(at(5)), 2));
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// A file whose time is up, and a text as it was written, stay while a hold is on their session or on somebody in
/// it; those of others go.
async fn held_files_and_texts_stay(lab: &Lab) {
    let world = World::new(lab).await;
    let hold = |n: u8, held: Held| LegalHold {
        id: HoldId::from_text(format!("LH{n:032x}")),
        held,
        case: Case::parse("C").unwrap(),
        reason: Reason::parse("r").unwrap(),
        version: 1,
        created_at: at(0),
        lifted_at: None,
    };
    let sessions: [SessionId; 2] = [world.id(), world.id()];
    let by_session = hold(1, Held::Session(sessions[0].clone()));
    let by_person = hold(2, Held::Person(world.person(1), None));
    commit!(lab.db, [world, sessions, by_session, by_person], |tx| {
        let account = &world.account;
        for (n, session) in sessions.iter().enumerate() {
            for sql in [
                format!(
                    "INSERT INTO sessions (account, id, service, state, mode, ttl, expires_at,
                        metadata, data_key, events, version, created_at, updated_at)
                     VALUES ('{account}', '{session}', '{}', 'open', 'voice-only', 0, 0, '', '', 0,
                        1, 0, 0)",
                    world.service
                ),
                format!(
                    "INSERT INTO media (account, id, interaction, session, position, state, object,
                        tries, lease_until, created_at, expires_at)
                     VALUES ('{account}', 'MD{n:032x}', 'KI', '{session}', 0, 'kept', 'o', 0, 0, 0, 0)"
                ),
                format!(
                    "INSERT INTO text_findings (account, interaction, session, fate, kinds,
                        original, created_at)
                     VALUES ('{account}', 'KI{n:032x}', '{session}', 'flagged', 'phone', 'x', 0)"
                ),
            ] {
                run(tx, sql).await?;
            }
        }
        let person = format!(
            "INSERT INTO participants (account, id, session, role, position, person, identifier,
                number_id, number, created_at)
             VALUES ('{account}', 'KP', '{}', 'a', 0, '{}', '', '', '', 0)",
            sessions[0],
            world.person(1)
        );
        run(tx, person).await?;
        for hold in [&by_session, &by_person] {
            legal_holds::insert(tx, account, hold).await?;
            let over = media::over(tx, at(0), None, 10).await?;
            assert_eq!(over.len(), 1, "{hold:?}");
            assert_eq!(over[0].session, sessions[1]);
            for session in &sessions {
                text_findings::withdraw(tx, account, session).await?;
            }
            let left = "SELECT session FROM text_findings WHERE original IS NOT NULL";
            assert_eq!(texts(tx, left).await?, [sessions[0].to_string()]);
            legal_holds::lift(tx, account, &hold.id, at(5)).await?;
        }
        assert_eq!(media::over(tx, at(0), None, 10).await?.len(), 2);
        text_findings::withdraw(tx, account, &sessions[0]).await?;
        let left = "SELECT COUNT(*) FROM text_findings WHERE original IS NOT NULL";
        assert_eq!(count(tx, left).await?, 0);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}
