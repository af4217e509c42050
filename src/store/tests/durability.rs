//! What the database does to keep what it committed.

use super::*;
use crate::store::durability::lax;

const COMMITS: &str = "SELECT CAST(current_setting('synchronous_commit') AS TEXT)";
const SYNCED: &str = "SELECT CAST(name || ' = ' || setting AS TEXT) FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name";

async fn admin(base: &str, sql: String) {
    let mut conn = PgConnection::connect(base).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

/// On a PostgreSQL database whose own setting is to answer before a commit is on the disk, ours
/// wait for the disk all the same; what no connection of ours can ask for is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i26_commits_wait_for_the_disk() {
    let Some(lab) = Lab::postgres().await else { return };
    let (base, schema) = lab.schema.clone().unwrap();
    let name = format!("{schema}_lax");
    admin(&base, format!("CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C'")).await;
    admin(&base, format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    let mut url = url::Url::parse(&base).unwrap();
    url.set_path(&name);
    let mut plain = PgConnection::connect(url.as_str()).await.unwrap();
    let theirs: String = sqlx::query_scalar(COMMITS).fetch_one(&mut plain).await.unwrap();
    assert_eq!(theirs, "off", "the database does not have the setting");
    plain.close().await.unwrap();

    let options = DbOptions { url: url.to_string(), ..lab.options() };
    let db = Db::open(options, &lab.tracker, lab.stop.clone()).await.unwrap();
    let ours = commit!(db, [], |tx| texts(tx, COMMITS).await).await.unwrap();
    assert_eq!(ours, ["on"]);
    let told = commit!(db, [], |tx| Ok::<_, Error>((lax(tx).await?, texts(tx, SYNCED).await?)));
    let (told, off) = told.await.unwrap();
    assert_eq!(told, off);
    let told = commit!(db, [], |tx| {
        run(tx, "SET LOCAL synchronous_commit = off").await?;
        lax(tx).await
    });
    assert!(told.await.unwrap().contains(&"synchronous_commit = off".to_owned()));
    db.close().await;
    admin(&base, format!("DROP DATABASE {name}")).await;
    lab.close().await;
}

/// SQLite's writer syncs each commit, whatever its build's default is.
#[tokio::test]
async fn i26_sqlite_syncs_each_commit() {
    let lab = Lab::sqlite().await;
    let level = commit!(lab.db, [], |tx| count(tx, "PRAGMA synchronous").await);
    assert!(level.await.unwrap() >= 2, "FULL is 2");
    assert!(lax(&mut lab.db.read().await.unwrap()).await.unwrap().is_empty());
    lab.close().await;
}
