//! What support finds by a person's keyed hash is read by index on both engines, whoever else there is.

use super::{
    plans::{fill, hex, plan, postgres, series},
    *,
};
use crate::store::{blocks, participants, sessions};

db_test!(people_are_found_by_index);

/// Of 20,000 sessions each person has one on one side and two on the other.
async fn people_are_found_by_index(lab: &Lab) {
    let world = World::new(lab).await;
    fill(lab, &world).await;
    let (account, series) = (&world.account, series());
    let id = |prefix| hex(lab, prefix, "n");
    for sql in [
        format!(
            "INSERT INTO participants (account, id, session, role, position, person, identifier,
                number_id, number, created_at)
             {series} SELECT '{account}', {}, {}, 'seller', 1, {}, '', {}, '', 0 FROM s",
            hex(lab, "KP", "n + 100000"),
            id("KC"),
            hex(lab, "", "n / 2 + 100000"),
            id("PN")
        ),
        format!(
            "INSERT INTO blocks (account, blocker, blocked, created_at)
             {series} SELECT '{account}', {}, {}, 0 FROM s",
            id(""),
            hex(lab, "", "n + 1")
        ),
    ] {
        let sql = if lab.on_sqlite() { sql } else { postgres(&sql) };
        commit!(lab.db, [sql], |tx| run(tx, sql).await).await.unwrap();
    }
    commit!(lab.db, [], |tx| run(tx, "ANALYZE").await).await.unwrap();
    let account = format!("'{account}'");
    let person = format!("'{:032x}'", 100_123);
    let of = |more: &[&str]| {
        let values = [account.clone(), person.clone()].into_iter();
        values.chain(more.iter().map(|one| (*one).to_owned())).collect::<Vec<_>>()
    };
    for (name, sql, values) in [
        ("sessions", sessions::OF_PERSON, of(&["'KD'", "26"])),
        ("latest", participants::LATEST_OF, of(&[])),
        ("blocks", blocks::OF_PERSON, of(&["20"])),
    ] {
        let plan = plan(lab, sql, &values).await;
        println!("{name}:\n{plan}\n");
        let whole = ["sessions", "participants", "blocks"].iter().any(|table| {
            plan.contains(&format!("SCAN {table}"))
                || plan.contains(&format!("Seq Scan on {table}"))
        });
        assert!(!whole, "{name}:\n{plan}");
        if name != "blocks" {
            assert!(plan.contains("participants_by_person"), "{name}:\n{plan}");
        }
    }
}
