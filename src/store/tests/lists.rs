//! The lists of the console read by index on both engines, with many rows.

use super::{
    plans::{hex, plan, postgres, series},
    *,
};

db_test!(lists_read_by_index);

async fn fill(lab: &Lab, account: &str) {
    let series = series();
    let statements = [
        format!(
            "INSERT INTO audit (account, seq, form, at, actor_kind, actor, action, target_kind, target,
                reason, details, previous, hash)
             {series} SELECT '{account}', n, 1, n * 1000,
                CASE WHEN n % 100 = 0 THEN 'operator' ELSE 'staff' END, 'ST' || CAST(n % 40 AS TEXT),
                'a.' || CAST(n % 50 AS TEXT), 'session', 'KC' || CAST(n AS TEXT), '', '{{}}', '', ''
             FROM s WHERE n > 0"
        ),
        format!(
            "INSERT INTO events (account, id, type, sequence, data, created_at)
             {series} SELECT '{account}', {}, 't.' || CAST(n % 50 AS TEXT), 0, '{{}}', n FROM s",
            hex(lab, "EV", "n")
        ),
        format!(
            "INSERT INTO exports (account, id, staff, list, format, filters, state, done, chunks, tries,
                fence, lease_until, created_at, expires_at)
             {series} SELECT '{account}', {}, 'ST' || CAST(n % 400 AS TEXT), 'audit', 'csv', '',
                CASE WHEN n % 100 = 0 THEN 'running' ELSE 'ready' END, 0, 0, 0, 0, n, n, n FROM s",
            hex(lab, "EX", "n")
        ),
    ];
    for sql in statements {
        let sql = if lab.on_sqlite() { sql } else { postgres(&sql) };
        commit!(lab.db, [sql], |tx| run(tx, sql).await).await.unwrap();
    }
}

/// What each list asks where it is narrowed, and what it must not do: walk all that the account has, or sort it.
async fn lists_read_by_index(lab: &Lab) {
    let world = World::new(lab).await;
    let account = world.account.to_string();
    fill(lab, &account).await;
    commit!(lab.db, [], |tx| run(tx, "ANALYZE").await).await.unwrap();
    let account = format!("'{account}'");
    let event = format!("'EV{:032x}'", 15_000);
    let cases = [
        (
            "the log by action",
            "SELECT seq FROM audit WHERE account = $1 AND action = $2 AND seq < $3
                ORDER BY seq DESC LIMIT 51",
            vec![account.clone(), "'a.7'".into(), "15000".into()],
            "audit_of_action",
        ),
        (
            "the log by sort of actor",
            "SELECT seq FROM audit WHERE account = $1 AND actor_kind = $2 AND seq < $3
                ORDER BY seq DESC LIMIT 51",
            vec![account.clone(), "'operator'".into(), "15000".into()],
            "audit_of_kind",
        ),
        (
            "the log from a day on",
            "SELECT seq FROM audit WHERE account = $1 AND at < $2 ORDER BY at DESC, seq DESC LIMIT 1",
            vec![account.clone(), "5000000".into()],
            "audit_by_time",
        ),
        (
            "the log to a day",
            "SELECT seq FROM audit WHERE account = $1 AND at >= $2 ORDER BY at, seq LIMIT 1",
            vec![account.clone(), "5000000".into()],
            "audit_by_time",
        ),
        (
            "what the staff saw",
            "SELECT actor, action FROM audit WHERE account = $1 AND action = 'a.7' AND at >= $2
                AND seq > $3 ORDER BY seq DESC LIMIT 10000",
            vec![account.clone(), "15000000".into(), "15000".into()],
            "audit_of_action",
        ),
        (
            "events of a type",
            "SELECT id FROM events WHERE account = $1 AND type = $2 AND id < $3
                ORDER BY id DESC LIMIT 51",
            vec![account.clone(), "'t.7'".into(), event],
            "events_by_type",
        ),
        (
            "exports to be made",
            "SELECT account, id FROM exports WHERE state = 'running' AND lease_until <= $1
                ORDER BY lease_until, id LIMIT $2",
            vec!["100".into(), "10".into()],
            "exports_due",
        ),
        (
            "somebody's exports",
            "SELECT id FROM exports WHERE account = $1 AND staff = $2 AND expires_at > $3
                ORDER BY id DESC LIMIT 50",
            vec![account.clone(), "'ST7'".into(), "100".into()],
            "exports_of_staff",
        ),
        (
            "exports that are over",
            "SELECT account, id FROM exports WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2",
            vec!["100".into(), "200".into()],
            "exports_by_end",
        ),
    ];
    for (name, sql, values, index) in cases {
        let plan = plan(lab, sql, &values).await;
        assert!(!plan.contains("SCAN") && !plan.contains("Seq Scan"), "{name}:\n{plan}");
        assert!(plan.contains(index), "{name}:\n{plan}");
    }
}
