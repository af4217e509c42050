//! `migrate-database` beside a server: everything is there afterwards, or nothing happened.

use std::{collections::BTreeMap, net::SocketAddr};

use entremise::{app::Opened, clock::Clock, config::Config, ids::Ids, store::moving};
use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, postgres::PgConnectOptions};

use crate::{
    command::{KEY, Place, finish, http, sandbox, signal},
    postgres::new_database,
    serve::{taken_in, text, webhook},
};

/// What each table holds, from what the command printed.
fn sums(told: &Value) -> BTreeMap<String, (u64, String)> {
    let tables = told["tables"].as_object().unwrap().iter();
    tables
        .map(|(table, sum)| {
            let hash = sum["hash"].as_str().unwrap().to_owned();
            (table.clone(), (sum["rows"].as_u64().unwrap(), hash))
        })
        .collect()
}

/// Opens two sessions by the API: rows with texts, numbers, truth values and absent values.
fn open_sessions(place: &Place, address: SocketAddr, key: &str) {
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\n"
    );
    for buyer in ["+12125550101", "+12125550102"] {
        let body = format!(
            r#"{{"service_id": "default", "participants": [
                {{"identifier": "{buyer}", "role": "buyer", "name": "Zoë \"x\" \\ '"}},
                {{"identifier": "+12125550103", "role": "seller"}}]}}"#
        );
        let (status, answer) = http(address, &head, &body);
        assert_eq!(status, 201, "{answer}: {}", place.path().display());
    }
}

/// A whole database goes from SQLite to PostgreSQL under a running server, which answers 503
/// meanwhile and ever after, and back again, to the same sums. What went is not served any more; a
/// target that is not empty, or is not there, changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_moves_and_comes_back() {
    let Some(url) = new_database("cli_migrate").await else { return };
    let place = Place::with_sandbox();
    let made = place.run(&["account", "create", "--name", "Bikes"]).json();
    let account = made["account_sid"].as_str().unwrap().to_owned();
    place.import(
        &account,
        "+14155550100,sandbox,voice|sms\n+14155550101,sandbox,voice|sms\n\
         +14155550102,sandbox,voice|sms",
    );
    let server = place.serve();
    let at = (server.address(), server.ops());
    open_sessions(&place, at.0, made["api_key"].as_str().unwrap());
    for n in 0..5 {
        text(at, &format!("before-{n}"), "+14155550100");
    }

    // What can't be done changes nothing: the server goes on.
    let failed = place.run(&["migrate-database", "--to", &format!("{url}_absent")]);
    assert_eq!(failed.code, Some(1));
    taken_in(at.0, "still", "+14155550100");
    let other = place.path().join("other.db").display().to_string();
    place.over(&format!("sqlite:{other}"));
    place.account();
    place.settings(&format!("master_key = \"{KEY}\"\n{}", sandbox("127.0.0.1:0")));
    let full = place.run(&["migrate-database", "--to", &format!("sqlite:{other}")]);
    assert_eq!(full.code, Some(1), "{full:?}");
    assert!(full.err.contains("not empty"), "{}", full.err);
    taken_in(at.0, "and-still", "+14155550100");

    let file = place.file("address", &format!("{url}\n"));
    // Texts come in one after the other until one is turned away.
    let meanwhile = std::thread::spawn(move || {
        let taken = |n: &u64| webhook(at.0, &format!("while-{n}"), "+14155550100").0 == 204;
        (0..1_000_000).take_while(taken).count() as u64
    });
    let moved = place.run(&["migrate-database", "--to-file", &file]);
    moved.succeeded();
    let meanwhile = meanwhile.join().unwrap();
    let there = sums(&moved.json());
    // The one that was turned away may have come in all the same, had it only been slow.
    let inbox = there["inbox"].0 - 7;
    assert!((meanwhile..=meanwhile + 1).contains(&inbox), "{inbox} of {meanwhile} are there");
    assert_eq!(there["sessions"].0, 2);
    assert_eq!(there["numbers"].0, 3);
    let (status, head) = webhook(at.0, "after", "+14155550100");
    assert_eq!(status, 503, "what moved away was written to");
    assert!(head.to_lowercase().contains("retry-after"), "{head}");
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    for command in [&["serve"][..], &["account", "list"], &["backup", "--to", "x"]] {
        let refused = place.run(command);
        assert_eq!(refused.code, Some(1), "{command:?}");
        assert!(refused.err.contains("was moved to postgres://"), "{}", refused.err);
        assert!(!refused.err.contains('@'), "credentials are shown: {}", refused.err);
    }
    assert_eq!(place.run(&["migrate-database", "--abandon"]).code, Some(1));

    place.over(&url);
    let back = place.path().join("back.db").display().to_string();
    let home = place.run(&["migrate-database", "--to", &format!("sqlite:{back}")]);
    home.succeeded();
    assert_eq!(sums(&home.json()), there, "it came back otherwise");
    place.over(&format!("sqlite:{back}"));
    let server = place.serve();
    let at = (server.address(), server.ops());
    taken_in(at.0, "after", "+14155550100");
}

/// Leaves a database as a migration does that is killed in the middle.
async fn break_off(place: &Place) {
    let config = Config::load(Some(&place.config()), []).unwrap();
    let opened = Opened::open_moving(&config, &Clock::system(), &Ids::default()).await.unwrap();
    let held = opened.db.write(|tx| Box::pin(async move { moving::hold_writes(tx).await }));
    held.await.unwrap();
    opened.close().await;
}

/// A migration that was killed holds writes off until it is abandoned; then all is as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_broken_off_is_abandoned() {
    let place = Place::with_sandbox();
    let account = place.account();
    place.import(&account, "+14155550100,sandbox,voice|sms");
    let server = place.serve();
    let at = server.address();
    break_off(&place).await;
    assert_eq!(webhook(at, "held", "+14155550100").0, 503);
    let again = place.run(&["migrate-database", "--to", "sqlite:nowhere.db"]);
    assert!(again.err.contains("--abandon"), "{}", again.err);
    assert_eq!(place.run(&["account", "list"]).code, Some(1));
    place.run(&["migrate-database", "--abandon"]).succeeded();
    taken_in(at, "held", "+14155550100");
    place.run(&["account", "list"]).succeeded();
}

/// A migration that is stopped in the middle moves nothing, also where the database was just doing
/// what it was asked for: the server goes on, and the next try finds an empty target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stopped_moves_nothing() {
    let Some(url) = new_database("cli_stopped").await else { return };
    let place = Place::with_sandbox();
    let account = place.account();
    place.import(&account, "+14155550100,sandbox,voice|sms");
    let moving = ["migrate-database", "--to", &url];
    // Makes the tables, and then nothing.
    place.over(&url);
    let config = Config::load(Some(&place.config()), []).unwrap();
    let target = Opened::open_moving(&config, &Clock::system(), &Ids::default()).await.unwrap();
    target.close().await;
    place.settings(&format!("master_key = \"{KEY}\"\n{}", sandbox("127.0.0.1:0")));

    let options: PgConnectOptions = url.parse().unwrap();
    let mut holder = options.connect().await.unwrap();
    let mut watcher = options.connect().await.unwrap();
    holder.execute("TRUNCATE meta").await.unwrap();
    holder.execute("BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let child = place.begin(&moving);
    let waiting = "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE NOT l.granted AND d.datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut watcher).await.unwrap() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    signal(child.id(), "TERM");
    // The signal is there long before the lock is.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    holder.execute("ROLLBACK").await.unwrap();
    let stopped = tokio::task::spawn_blocking(|| finish(child)).await.unwrap();
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    assert!(stopped.err.contains("nothing was moved"), "{}", stopped.err);
    let accounts = "SELECT COUNT(*) FROM accounts";
    let there: i64 = sqlx::query_scalar(accounts).fetch_one(&mut watcher).await.unwrap();
    assert_eq!(there, 0, "something was moved all the same");
    place.run(&["account", "list"]).succeeded();
    place.run(&moving).succeeded();
    holder.close().await.unwrap();
    watcher.close().await.unwrap();
}
