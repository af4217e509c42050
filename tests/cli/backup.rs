//! `backup` beside a server that takes texts in, and what becomes of the copy.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::{
    command::{Done, Place, Server},
    postgres::new_database,
    serve::text,
};

/// Runs `work` while texts come in one after the other; the number of texts that were taken in
/// meanwhile.
fn while_texts_come<T>(server: &Server, work: impl FnOnce() -> T) -> (T, usize) {
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let at = (server.address(), server.ops());
    let value = std::thread::scope(|scope| {
        let texts = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let n = count.fetch_add(1, Ordering::Relaxed);
                text(at, &format!("while-{n}"), "+14155550100");
            }
        });
        while count.load(Ordering::Relaxed) < 5 && !texts.is_finished() {
            std::thread::yield_now();
        }
        let value = work();
        stop.store(true, Ordering::Relaxed);
        value
    });
    (value, count.into_inner())
}

fn backup(place: &Place, to: &Path) -> Done {
    place.run(&["backup", "--to", &to.display().to_string()])
}

/// A server with an account and a number, and a backup that was made while texts came in.
fn backed_up(place: &Place) -> (Server, Value) {
    let account = place.account();
    place.import(&account, "+14155550100,sandbox,voice|sms");
    let server = place.serve();
    let to = place.path().join("copy");
    let (done, texts) = while_texts_come(&server, || backup(place, &to));
    done.succeeded();
    let told = done.json();
    let inbox = told["counts"]["inbox"].as_u64().unwrap();
    assert!(inbox > 0 && inbox <= texts as u64, "{told}");
    assert_eq!(told["counts"]["accounts"], 1);
    assert!(told["epoch"].as_i64().unwrap() >= 2, "{told}");
    let file = to.metadata().unwrap();
    assert_eq!(file.len(), told["bytes"].as_u64().unwrap());
    assert_eq!(file.permissions().mode() & 0o777, 0o600, "others may read the backup");
    assert!(!place.path().join("copy.unfinished").exists());
    let before = std::fs::read(&to).unwrap();
    let second = backup(place, &to);
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("overwrites nothing"), "{}", second.err);
    assert_eq!(std::fs::read(&to).unwrap(), before, "it overwrote the first");
    (server, told)
}

/// A restored place is refused by `serve`, which says what to run; then it serves.
fn refused_until_fenced(place: &Place) {
    let refused = place.run(&["serve"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("entremise restore-fence"), "{}", refused.err);
    let checked = place.run(&["check"]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.out.contains("fail  database: is not served as it is"), "{}", checked.out);
    let fenced = place.run(&["restore-fence"]);
    fenced.succeeded();
    assert_eq!(fenced.json()["suspended"], 0, "there was no session");
    let server = place.serve();
    place.run(&["restore-confirm", "--all"]).succeeded();
    assert_eq!(place.run(&["restore-confirm"]).code, Some(2), "nothing is confirmed by default");
    server.terminate();
    assert_eq!(server.ended(), Some(0));
}

/// I31: a backup of SQLite is one instant of a database that goes on, is read back, and is not
/// served in its place before the fence.
#[test]
fn a_backup_of_sqlite() {
    let place = Place::with_sandbox();
    let (server, told) = backed_up(&place);
    assert_eq!(told["engine"], "sqlite");
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    for name in ["entremise.db-wal", "entremise.db-shm"] {
        let _ = std::fs::remove_file(place.path().join(name));
    }
    std::fs::rename(place.path().join("copy"), place.path().join("entremise.db")).unwrap();
    refused_until_fenced(&place);
}

/// A damaged original makes no backup, and nothing is left behind.
#[test]
fn a_backup_that_fails_leaves_nothing() {
    let place = Place::with_sandbox();
    place.account();
    let nowhere = place.path().join("no/such/folder");
    assert_eq!(backup(&place, &nowhere).code, Some(1));
    let file = place.path().join("entremise.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // Every page but the schema's is noise.
    for byte in &mut bytes[4096 * 40..] {
        *byte = 0x55;
    }
    std::fs::write(&file, bytes).unwrap();
    let to = place.path().join("copy");
    let done = backup(&place, &to);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(!to.exists() && !place.path().join("copy.unfinished").exists());
}

/// I31: the same on PostgreSQL, with its own tools; the dump is restored into another database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_postgres() {
    let Some(url) = new_database("cli_backup").await else { return };
    let place = Place::new("");
    place.over(&url);
    let (server, told) = backed_up(&place);
    assert_eq!(told["engine"], "postgres");
    server.terminate();
    assert_eq!(server.ended(), Some(0));

    let Some(restored) = new_database("cli_restored").await else { return };
    let restore = Command::new("pg_restore")
        .args(["--no-owner", "--exit-on-error", "--dbname", &restored])
        .arg(place.path().join("copy"))
        .status()
        .unwrap();
    assert!(restore.success());
    place.over(&restored);
    let mut conn = PgConnection::connect(&restored).await.unwrap();
    let inbox: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM inbox").fetch_one(&mut conn).await.unwrap();
    assert_eq!(told["counts"]["inbox"].as_i64(), Some(inbox));
    conn.close().await.unwrap();
    refused_until_fenced(&place);
}
