//! The same commands on PostgreSQL, where `TEST_POSTGRES_URL` names one.

use std::io::Write as _;

use sqlx::{Connection as _, PgConnection};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_util::task::TaskTracker;

use crate::{
    check::{consistent, with_status},
    command::{KEY, Place, http, sandbox},
};

/// An address of a new database on the server of the tests, or nothing where there is none.
pub(crate) async fn new_database(name: &str) -> Option<String> {
    let required = std::env::var_os("REQUIRE_POSTGRES").is_some();
    let Some(server) = std::env::var_os("TEST_POSTGRES_URL") else {
        assert!(!required, "TEST_POSTGRES_URL is not set");
        // Past the capture of the tests' output: it is to be seen.
        let _ = writeln!(
            std::io::stderr(),
            "tests/cli: PostgreSQL is left out, run scripts/with-postgres cargo test"
        );
        return None;
    };
    let mut server = url::Url::parse(server.to_str().unwrap()).unwrap();
    let mut connection = PgConnection::connect(server.as_str()).await.unwrap();
    let name = format!("{name}_{}", std::process::id());
    let sql = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    server.set_path(&name);
    Some(server.to_string())
}

/// An empty database is left empty with a warning; once a command has migrated it, its accounts,
/// numbers and key are told; a database that is not there is a fault with its fix.
#[tokio::test]
async fn a_check_of_postgres() {
    let Some(url) = new_database("cli_check").await else { return };
    let place = Place::new("");
    place.over(&url);
    for _ in 0..2 {
        let done = place.run(&["check", "--json"]);
        let warned = ["media.store", "database"];
        assert_eq!(with_status(&consistent(&done), "warn"), warned, "{done:?}");
        assert!(done.out.contains("migrations pending"), "{done:?}");
    }
    let account = place.account();
    place.import(&account, "+14155550100,sandbox,voice|sms\n+14155550101,sandbox,sms");
    let done = place.run(&["check", "--json"]);
    let report = consistent(&done);
    assert_eq!(with_status(&report, "ok"), ["settings", "master_key", "database"], "{report}");
    assert!(done.out.contains("1 accounts, 1 services, 2 numbers"), "{done:?}");

    place.over(&format!("{url}_absent"));
    let done = place.run(&["check", "--json"]);
    assert_eq!(with_status(&consistent(&done), "fail"), ["database"]);
    assert!(done.out.contains("no database of that name"), "{done:?}");
}

/// A PostgreSQL that does not sync is told by `check` and by `serve`'s first lines, since it may lose
/// what was acknowledged (I26); one that does is told by neither.
#[tokio::test]
async fn i26_a_database_that_does_not_sync_is_told() {
    let Some(url) = new_database("cli_lax").await else { return };
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let synced: String = sqlx::query_scalar("SELECT CAST(current_setting('fsync') AS TEXT)")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let place = Place::new("");
    place.over(&url);
    place.account();
    let done = place.run(&["check", "--json"]);
    let told = with_status(&consistent(&done), "warn").contains(&"power loss");
    assert_eq!(told, synced == "off", "{done:?}");
    assert_eq!(done.out.contains("fsync = off"), synced == "off", "{done:?}");
    let server = place.serve();
    if synced == "off" {
        server.logged("a loss of power may take away what was acknowledged");
    }
    server.terminate();
    assert_eq!(server.ended(), Some(0));
}

/// While its database does not answer, a server waits for it (I25): nobody can connect to it, a signal
/// ends it, and it serves as soon as the database is there.
#[tokio::test(flavor = "multi_thread")]
async fn i25_a_server_waits_for_its_database() {
    let Some(url) = new_database("cli_waits").await else { return };
    let mut url = url::Url::parse(&url).unwrap();
    let database = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5432));
    let [door, own] = [free_port(), free_port()];
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(door)).unwrap();
    let place = Place::new("");
    let settings = sandbox(&format!("127.0.0.1:{own}"));
    place.settings(&format!("database_url = \"{url}\"\nmaster_key = \"{KEY}\"\n{settings}"));

    let server = place.start();
    server.logged("waiting for the database");
    server.terminate();
    assert_eq!(server.ended(), Some(0));

    let mut server = place.start();
    server.logged("waiting for the database");
    assert!(std::net::TcpStream::connect(("127.0.0.1", own)).is_err(), "callers are kept waiting");
    let gate = TcpListener::bind(("127.0.0.1", door)).await.unwrap();
    let tasks = TaskTracker::new();
    let connections = tasks.clone();
    tasks.spawn(async move {
        while let Ok((mut client, _)) = gate.accept().await {
            let mut server = TcpStream::connect(&database).await.unwrap();
            connections.spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    server.serves();
    assert_eq!(http(server.ops(), "GET /readyz HTTP/1.1\r\n", "").0, 200);
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
