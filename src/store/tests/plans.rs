//! The hot queries read by index on both engines, with many rows: with fresh statistics, and with none.

use super::*;
use crate::store::{holds, legs, number_moves, numbers, outbox, rewrap, rings, sessions};

db_test!(hot_queries_read_by_index);

/// How many rows each table gets.
const ROWS: i64 = 20_000;

/// Rows 0, 1, 2 … of one number each.
pub(super) fn series() -> String {
    format!("WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS} - 1)")
}

/// An id of 32 hex digits out of `n`.
pub(super) fn hex(lab: &Lab, prefix: &str, n: &str) -> String {
    if lab.on_sqlite() {
        format!("'{prefix}' || printf('%032x', {n})")
    } else {
        format!("'{prefix}' || lpad(to_hex({n}), 32, '0')")
    }
}

pub(super) async fn fill(lab: &Lab, world: &World) {
    let (account, service) = (&world.account, &world.service);
    let id = |prefix| hex(lab, prefix, "n");
    let series = series();
    let statements = [
        format!(
            "INSERT INTO services (account, id, unique_name, rules, next_place, version,
                created_at, updated_at)
             {series} SELECT '{account}', {}, {}, '', 0, 1, 0, 0 FROM s",
            id("KS"),
            id("n")
        ),
        format!(
            "INSERT INTO numbers (account, id, number, service, carrier, country, area,
                capabilities, reserved, state, place, version, created_at, updated_at)
             {series} SELECT '{account}', {}, '+33937' || CAST(100000 + n AS TEXT), '{service}',
                'a', 'FR', CAST(n % 10 AS TEXT), 'voice|sms', n < 0, 'active', n, 1, 0, 0 FROM s",
            id("PN")
        ),
        "INSERT INTO number_owners (number, account, id) SELECT number, account, id FROM numbers"
            .to_owned(),
        format!(
            "INSERT INTO sessions (account, id, service, state, mode, ttl, expires_at, metadata,
                data_key, events, version, created_at, updated_at)
             {series} SELECT '{account}', {}, '{service}',
                CASE WHEN n % 50 = 0 THEN 'open' ELSE 'closed' END, 'voice-and-message', 0,
                n, '{{}}', '', 0, 1, 0, 0 FROM s",
            id("KC")
        ),
        // A person holds ten numbers.
        format!(
            "INSERT INTO holds (account, number_id, person, state, session, participant,
                counterpart, taken_at)
             {series} SELECT '{account}', {}, {}, 'open', {}, {}, '', 0 FROM s",
            id("PN"),
            hex(lab, "", "n / 10"),
            id("KC"),
            id("KP")
        ),
        format!(
            "INSERT INTO participants (account, id, session, role, position, person, identifier,
                number_id, number, created_at)
             {series} SELECT '{account}', {}, {}, 'a', 0, {}, '', {}, '', 0 FROM s",
            id("KP"),
            id("KC"),
            hex(lab, "", "n / 10"),
            id("PN")
        ),
    ];
    for sql in statements.into_iter().chain(log(lab, world)) {
        filled(lab, sql).await;
    }
}

/// A text in each session: what is owed of it, what is known, and what it cost.
fn log(lab: &Lab, world: &World) -> [String; 4] {
    let (account, service) = (&world.account, &world.service);
    let id = |prefix| hex(lab, prefix, "n");
    let series = series();
    [
        format!(
            "INSERT INTO outbox (account, id, kind, state, session, interaction, leg, carrier,
                attempts, fence, run_at, lease_until, valid_until, created_at)
             {series} SELECT '{account}', {}, 'message',
                CASE WHEN n % 20 = 0 THEN 'ready' ELSE 'done' END, {}, {}, {}, 'a', 0, 0, n, 0, 0,
                0 FROM s",
            id("OB"),
            id("KC"),
            id("KI"),
            id("LG")
        ),
        format!(
            "INSERT INTO interactions (account, id, session, kind, origin, number, carrier, media,
                version, created_at, updated_at)
             {series} SELECT '{account}', {}, {}, 'message', 'person', '', 'a', 0, 1, 0, 0 FROM s",
            id("KI"),
            id("KC")
        ),
        format!(
            "INSERT INTO legs (account, id, interaction, position, kind, direction, number, carrier,
                state, created_at, updated_at)
             {series} SELECT '{account}', {}, {}, 1, 'message', 'outbound', '', 'a', 'sent', 0, 0
             FROM s",
            id("LG"),
            id("KI")
        ),
        format!(
            "INSERT INTO charges (account, leg, interaction, session, service, carrier, kind,
                direction, code, at, micros, currency, source)
             {series} SELECT '{account}', {}, {}, {}, '{service}', 'a', 'message', 'outbound', '33',
                n, 1, 'EUR', 'carrier' FROM s",
            id("LG"),
            id("KI"),
            hex(lab, "KC", "n / 10")
        ),
    ]
}

async fn filled(lab: &Lab, sql: String) {
    let sql = if lab.on_sqlite() { sql } else { postgres(&sql) };
    commit!(lab.db, [sql], |tx| run(tx, sql).await).await.unwrap();
}

/// PostgreSQL's numbers have 32 bits where nothing else is said; our columns have 64.
pub(super) fn postgres(sql: &str) -> String {
    sql.replace("SELECT 0 UNION", "SELECT CAST(0 AS BIGINT) UNION")
}

/// The plan of a statement of the store.
pub(super) async fn plan(lab: &Lab, sql: &str, values: &[String]) -> String {
    // Numbered values become literals: a plan of one run, with its statistics.
    let mut literal = sql.to_owned();
    for (place, value) in values.iter().enumerate().rev() {
        literal = literal.replace(&format!("${}", place + 1), value);
    }
    let mut tx = lab.db.read().await.unwrap();
    if lab.on_sqlite() {
        steps(&mut tx, format!("EXPLAIN QUERY PLAN {literal}")).await.unwrap().join("\n")
    } else {
        // With the values known, and as it is kept for all values.
        let known = texts(&mut tx, format!("EXPLAIN {literal}")).await.unwrap();
        let values = values.join(", ");
        for sql in
            ["SET LOCAL plan_cache_mode = force_generic_plan".into(), format!("PREPARE q AS {sql}")]
        {
            run(&mut tx, sql).await.unwrap();
        }
        let kept = texts(&mut tx, format!("EXPLAIN EXECUTE q ({values})")).await.unwrap();
        run(&mut tx, "DEALLOCATE q").await.unwrap();
        [known, kept].concat().join("\n")
    }
}

/// The steps of a plan of SQLite.
async fn steps(tx: &mut Tx, sql: String) -> Result<Vec<String>, Error> {
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<(i64, i64, i64, String)> =
        on!(tx, |conn| sqlx::query_as(sql).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|row| row.3).collect())
}

/// A hot query: its name, its text and its values.
type Case = (&'static str, &'static str, Vec<String>);

/// What finds a row, or what is due.
fn lookups(world: &World) -> Vec<Case> {
    let text = |value: &str| format!("'{value}'");
    let id = |prefix: &str, n: i64| format!("'{prefix}{n:032x}'");
    let account = text(world.account.as_str());
    let due = ["100", "20", "' a  b '", "' c/message '", "' +33937101234 '"].map(str::to_owned);
    let of_session = vec![account.clone(), id("KC", 1220)];
    vec![
        ("owner", numbers::OWNER, vec![text("+33937101234")]),
        ("number", numbers::GET, vec![account.clone(), id("PN", 1234)]),
        ("find", holds::FIND, vec![account.clone(), id("PN", 1234), id("", 123)]),
        (
            "known_besides",
            holds::KNOWN_BESIDES,
            vec![
                account.clone(),
                id("", 123),
                id("PN", 1234),
                text(world.service.as_str()),
                id("KC", 1234),
            ],
        ),
        (
            "sessions_on",
            number_moves::SESSIONS_ON,
            vec![account.clone(), id("PN", 1234), id("KC", 0), "20".into()],
        ),
        ("lock", sessions::GET, vec![account.clone(), id("KC", 1234)]),
        ("due", outbox::DUE, due.to_vec()),
        ("due of an account", outbox::DUE_OF, [&due[..], std::slice::from_ref(&account)].concat()),
        ("ready_of_session", outbox::READY_OF_SESSION, of_session.clone()),
        (
            "earlier_pending",
            outbox::EARLIER,
            [&of_session[..], &[id("OB", 1220), id("LG", 1220), "0".into()]].concat(),
        ),
        (
            "has_rival",
            legs::SENDING,
            vec![account.clone(), text("+33937101234"), id("LG", 1220), id("", 122)],
        ),
        (
            "usage of a session",
            "SELECT SUM(micros) FROM charges
                WHERE account = $1 AND at >= $2 AND at < $3 AND session = $4",
            vec![account, "0".into(), "20000".into(), id("KC", 1234)],
        ),
        ("expired", sessions::DUE, vec!["100".into(), "20".into()]),
        ("by master key", rewrap::SESSIONS, vec![text("0a1b2c3d"), id("KC", 1234), "50".into()]),
        ("master keys", rewrap::NEXT_OF_SESSIONS, vec![text("0a1b2c3d")]),
    ]
}

/// The walks around a ring: of a whole pool, and of an area.
fn walks(world: &World) -> Vec<Case> {
    let text = |value: &str| format!("'{value}'");
    let walk = vec![
        text(world.account.as_str()),
        text(world.service.as_str()),
        text("FR"),
        text("a"),
        text("voice|sms"),
        text("unknown"),
        "false".into(),
        "100".into(),
        "30000".into(),
        format!("'{:032x}'", 12),
        "0".into(),
        text(""),
    ];
    let by_area = [&walk[..], &[text("3")]].concat();
    vec![("next_in_ring", rings::WALK, walk), ("next_in_ring by area", rings::WALK_AREA, by_area)]
}

/// Each hot query of the store walks an index, with 20,000 rows in each table; the walk around a
/// ring sorts nothing.
async fn hot_queries_read_by_index(lab: &Lab) {
    let world = World::new(lab).await;
    fill(lab, &world).await;
    if lab.on_sqlite() {
        // A file that has just come to be has no statistics. PostgreSQL makes its own.
        by_index(lab, &world).await;
    }
    commit!(lab.db, [], |tx| run(tx, "ANALYZE").await).await.unwrap();
    by_index(lab, &world).await;
}

async fn by_index(lab: &Lab, world: &World) {
    for (name, sql, values) in [lookups(world), walks(world)].concat() {
        let plan = plan(lab, sql, &values).await;
        println!("{name}:\n{plan}\n");
        // SQLite's SCAN of an index in order of its rows would be as slow.
        assert!(!plan.contains("SCAN") && !plan.contains("Seq Scan"), "{name}:\n{plan}");
        let sorts = plan.contains("TEMP B-TREE") || plan.contains("Sort");
        assert!(!sorts || !name.starts_with("next"), "{name} sorts a pool:\n{plan}");
        let own = !name.starts_with("usage") || plan.contains("charges_of_session");
        assert!(own, "{name} reads what others used:\n{plan}");
        // The whole key of what is looked for, and not all that the account or the person has.
        let wanted = match name {
            "ready_of_session" => "(account=? AND session=?)",
            "earlier_pending" => "(account=? AND session=? AND id<?)",
            "has_rival" => "INDEX outbox_",
            "known_besides" => "INDEX holds_by_person (account=? AND person=?",
            "sessions_on" => "(account=? AND number_id=?)",
            _ => continue,
        };
        assert!(!lab.on_sqlite() || plan.contains(wanted), "{name}:\n{plan}");
    }
}
