//! The developer page's lists and figures are read by index on both engines, with many rows.

use super::{
    plans::{fill, hex, plan, postgres, series},
    *,
};
use crate::store::{api_requests, received, retention};

db_test!(the_developer_page_reads_by_index);

/// Of 20,000 requests of an account one in a hundred met a problem, and each call and text began with a webhook.
async fn the_developer_page_reads_by_index(lab: &Lab) {
    let world = World::new(lab).await;
    fill(lab, &world).await;
    many(lab, &world).await;
    let account = &world.account;
    let account = format!("'{account}'");
    let id = |prefix: &str, n: i64| format!("'{prefix}{n:032x}'");
    let with = |more: Vec<String>| [vec![account.clone()], more].concat();
    let key = if lab.on_sqlite() { "sqlite_autoindex_api_requests_1" } else { "api_requests_pkey" };
    let first = |which: &str| {
        format!("SELECT id FROM api_requests WHERE account = $1{which} ORDER BY id DESC LIMIT 51")
    };
    let cases = [
        ("all", first(" AND id < $2"), with(vec![id("LR", 15_000)]), key),
        (
            "of an id",
            first(" AND request = $2 AND id < $3"),
            with(vec![id("RQ", 9), id("LR", 15_000)]),
            "api_requests_by_request",
        ),
        (
            "with a code",
            first(" AND code = $2 AND id < $3"),
            with(vec!["'p3'".into(), id("LR", 15_000)]),
            "api_requests_by_code",
        ),
        (
            "refused",
            first(" AND class = $2 AND id < $3"),
            with(vec!["4".into(), id("LR", 15_000)]),
            "api_requests_by_class",
        ),
        ("by a method", first(" AND method = $2"), with(vec!["'GET'".into()]), key),
        ("with a key", first(" AND api_key = $2"), with(vec!["'AK3'".into()]), key),
        ("how many", api_requests::COUNT.into(), with(vec![id("LR", 19_000)]), "api_requests"),
        (
            "how many problems",
            api_requests::COUNT_PROBLEMS.into(),
            with(vec![id("LR", 19_000)]),
            "api_requests",
        ),
        (
            "which problems",
            api_requests::PROBLEMS.into(),
            with(vec![id("LR", 19_000), "10".into()]),
            "api_requests",
        ),
        ("too many", api_requests::BEYOND.into(), with(vec!["10000".into()]), "api_requests"),
        (
            "the night's",
            retention::API_REQUESTS.into(),
            with(vec![id("LR", 9_000), id("LR", 8_000), "200".into()]),
            key,
        ),
        (
            "webhooks",
            received::LIST.into(),
            with(vec![id("KI", 0), id("KI", 15_000), "51".into()]),
            "inbox_of_interaction",
        ),
    ];
    for (name, sql, values, index) in cases {
        let plan = plan(lab, &sql, &values).await;
        let walks = plan.contains("SCAN") || plan.contains("Seq Scan");
        assert!(!walks, "{name}:\n{plan}");
        assert!(plan.contains(index), "{name}:\n{plan}");
    }
}

/// Writes 20,000 requests and as many webhooks.
async fn many(lab: &Lab, world: &World) {
    let (account, series) = (&world.account, series());
    for sql in [
        format!(
            "INSERT INTO api_requests (account, id, request, method, route, status, class, code, api_key, took,
                idempotent, created_at)
             {series} SELECT '{account}', {}, {}, 'GET', '/', CASE WHEN n % 100 = 0 THEN 404 ELSE 200 END,
                CASE WHEN n % 100 = 0 THEN 4 ELSE 2 END,
                CASE WHEN n % 100 = 0 THEN 'p' || CAST(n % 7 AS TEXT) END, 'AK' || CAST(n % 9 AS TEXT), 1,
                n < 0, n FROM s",
            hex(lab, "LR", "n"),
            hex(lab, "RQ", "n"),
        ),
        format!(
            "INSERT INTO inbox (carrier, kind, event, account, interaction, answer, received_at)
             {series} SELECT 'a', 'call', CAST(n AS TEXT), '{account}', {}, '', n FROM s",
            hex(lab, "KI", "n"),
        ),
    ] {
        let sql = if lab.on_sqlite() { sql } else { postgres(&sql) };
        commit!(lab.db, [sql], |tx| run(tx, sql).await).await.unwrap();
    }
    commit!(lab.db, [], |tx| run(tx, "ANALYZE").await).await.unwrap();
}
