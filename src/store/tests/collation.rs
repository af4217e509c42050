//! Ids, which are cursors, sort alike in Rust and in the database.

use super::*;
use crate::ids::{LegId, SessionId};

async fn admin(base: &str, sql: String) {
    let mut conn = PgConnection::connect(base).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

fn sorted_ids(lab: &Lab) -> Vec<String> {
    let mut ids: Vec<String> = (0..500)
        .map(|n| lab.ids.make::<SessionId>(at(n % 50)).to_string())
        .chain((0..500).map(|n| lab.ids.make::<LegId>(at(n % 50)).to_string()))
        .collect();
    ids.sort();
    ids
}

async fn assert_sorts(lab: &Lab, db: &Db) {
    let ids = sorted_ids(lab);
    let mut values: Vec<String> = ids.iter().map(|id| format!("('{id}')")).collect();
    values.reverse();
    let values = values.join(", ");
    let sql = format!("WITH v (id) AS (VALUES {values}) SELECT id FROM v ORDER BY id");
    let mut tx = db.read().await.unwrap();
    assert_eq!(texts(&mut tx, sql).await.unwrap(), ids);
}

/// SQLite sorts ids as Rust does.
#[tokio::test]
async fn sqlite_sorts_by_bytes() {
    let lab = Lab::sqlite().await;
    assert_sorts(&lab, &lab.db).await;
    lab.close().await;
}

/// A PostgreSQL database that sorts by English rules sorts ids as Rust does and is taken; one by
/// Danish rules, where `aa` comes after `z`, is refused and nothing is made in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn languages_that_sort_ids_otherwise_are_refused() {
    let Some(lab) = Lab::postgres().await else { return };
    let (base, schema) = lab.schema.clone().unwrap();
    for (language, taken) in [("en-US", true), ("da-DK", false), ("cy-GB", false)] {
        let name = format!("{schema}_{}", &language[..2]);
        let made = format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'
             LOCALE_PROVIDER icu ICU_LOCALE '{language}'"
        );
        admin(&base, made).await;
        let mut url = url::Url::parse(&base).unwrap();
        url.set_path(&name);
        let options = DbOptions { url: url.to_string(), ..lab.options() };
        let opened = Db::open(options, &lab.tracker, lab.stop.clone()).await;
        assert_eq!(opened.is_ok(), taken, "{language}");
        match opened {
            Ok(db) => {
                assert_sorts(&lab, &db).await;
                db.close().await;
            }
            Err(error) => assert!(matches!(error, Error::Statement(_)), "{error}"),
        }
        admin(&base, format!("DROP DATABASE {name}")).await;
    }
    lab.close().await;
}
