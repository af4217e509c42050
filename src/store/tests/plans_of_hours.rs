//! What the overview counts is read by index on both engines, whatever else there is.

use super::{
    plans::{fill, hex, plan, postgres, series},
    *,
};
use crate::store::{hours, pool_counts};

db_test!(the_overview_reads_by_index);

/// Two hundred accounts with a hundred hours each, beside 20,000 sessions, texts and holds.
async fn the_overview_reads_by_index(lab: &Lab) {
    let world = World::new(lab).await;
    fill(lab, &world).await;
    let (account, series) = (&world.account, series());
    let other = hex(lab, "AC", "n / 100");
    let whose = format!("CASE WHEN n < 100 THEN '{account}' ELSE {other} END");
    for sql in [
        format!(
            "INSERT INTO traffic_hours (account, hour, kind, carrier, outcome, reason, receipt,
                within, tally, talked)
             {series} SELECT {whose}, n % 100, 'message', 'a', 'relayed', '', '', 250, 1, 0 FROM s"
        ),
        format!(
            "INSERT INTO pool_hours (account, hour, service, country, carrier, numbers, most, held,
                resting)
             {series} SELECT {whose}, n % 100, '', 'FR', 'a', 10, 1, 1, 0 FROM s"
        ),
    ] {
        let sql = if lab.on_sqlite() { sql } else { postgres(&sql) };
        commit!(lab.db, [sql], |tx| run(tx, sql).await).await.unwrap();
    }
    commit!(lab.db, [], |tx| run(tx, "ANALYZE").await).await.unwrap();
    let account = format!("'{account}'");
    let of = |more: &[&str]| {
        let values = [account.clone()].into_iter();
        values.chain(more.iter().map(|one| (*one).to_owned())).collect::<Vec<_>>()
    };
    let id = |n: i64| format!("'KI{n:032x}'");
    let (first, last) = (id(1000), id(1100));
    for (name, sql, values, index) in [
        ("log", hours::LOG, of(&[&first, &last, "0", "1", "50"]), "interactions"),
        ("series", hours::SERIES, of(&["50", "70", "6"]), "traffic_hours"),
        ("fullest", hours::FULLEST, of(&["50"]), "pool_hours"),
        ("open", hours::OPEN, of(&["1000"]), "sessions_by_state"),
        ("classes", pool_counts::OF_ACCOUNT, of(&["0", "50"]), "numbers_of_service"),
    ] {
        let plan = plan(lab, sql, &values).await;
        println!("{name}:\n{plan}\n");
        for table in [
            "interactions",
            "legs",
            "l",
            "traffic_hours",
            "pool_hours",
            "sessions",
            "holds",
            "h",
            "numbers",
        ] {
            let whole = plan.lines().any(|line| {
                let line = format!("{} ", line.trim());
                line.contains(&format!("SCAN {table} "))
                    || line.contains(&format!("Seq Scan on {table} "))
            });
            assert!(!whole, "{name} reads all of {table}:\n{plan}");
        }
        assert!(plan.contains(index), "{name}:\n{plan}");
    }
}
