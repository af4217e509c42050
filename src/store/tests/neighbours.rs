//! Two processes on one database: a command beside a server, two nodes that start at once.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::*;
use crate::store::{accounts, master_keys::Opener, meta};

const ROWS: &str = "SELECT COUNT(*) FROM meta WHERE name LIKE 'row%'";

fn row(name: &str) -> String {
    format!("INSERT INTO meta (name, value) VALUES ('row{name}', '')")
}

db_test!(
    both_see_each_other,
    a_command_writes_beside_a_busy_server,
    one_master_key_claims,
    one_server_on_a_file,
    accounts_of_another_process_are_usable
);

/// Each sees at once what the other has committed.
async fn both_see_each_other(lab: &Lab) {
    let other = lab.second().await;
    for n in 0..10i64 {
        let (writes, reads) = if n % 2 == 0 { (&lab.db, &other) } else { (&other, &lab.db) };
        commit!(writes, [n], |tx| run(tx, row(&n.to_string())).await).await.unwrap();
        assert_eq!(count(&mut reads.read().await.unwrap(), ROWS).await.unwrap(), n + 1);
    }
    other.close().await;
}

/// A command's writes get through while a server is busy, soon and without an error, and no
/// write of either is lost.
async fn a_command_writes_beside_a_busy_server(lab: &Lab) {
    let other = lab.second().await;
    let done = AtomicBool::new(false);
    let busy = join_all((0..400).map(|n| {
        let done = &done;
        async move {
            let mut written = 0i64;
            while !done.load(Ordering::SeqCst) {
                commit!(lab.db, [n, written], |tx| {
                    run(tx, row(&format!("a{n}.{written}"))).await
                })
                .await
                .unwrap();
                written += 1;
            }
            written
        }
    }));
    let command = async {
        let mut slowest = Duration::ZERO;
        for n in 0..20 {
            let started = Instant::now();
            commit!(other, [n], |tx| run(tx, row(&format!("b{n}"))).await).await.unwrap();
            slowest = slowest.max(started.elapsed());
        }
        done.store(true, Ordering::SeqCst);
        slowest
    };
    let (written, slowest) = tokio::join!(busy, command);
    let written: i64 = written.into_iter().sum();
    assert_eq!(count(&mut lab.db.read().await.unwrap(), ROWS).await.unwrap(), written + 20);
    assert!(slowest < Duration::from_secs(2), "a command's write took {slowest:?}");
    other.close().await;
}

/// Two that claim a fresh database for different master keys: one may, the other is told.
async fn one_master_key_claims(lab: &Lab) {
    let options =
        DbOptions { keyring: Arc::new(Keyring::new(MasterKey::generate())), ..lab.options() };
    let other = Db::open(options, &lab.tracker, lab.stop.clone()).await.unwrap();
    let claim = |db: &Db| {
        let db = db.clone();
        async move { db.claim(Opener::Command).await }
    };
    let (mine, theirs) = tokio::join!(claim(&lab.db), claim(&other));
    let (winner, loser) = if mine.is_ok() { (&lab.db, &other) } else { (&other, &lab.db) };
    assert!(mine.is_ok() != theirs.is_ok());
    for _ in 0..2 {
        claim(winner).await.unwrap();
        let told = claim(loser).await;
        let expected = winner.keyring().key_id();
        assert!(
            matches!(&told, Err(Error::Sealed(crate::privacy::Error::UnknownKey { id })) if id == expected),
            "{told:?}"
        );
    }
    meta::ping(&mut winner.read().await.unwrap()).await.unwrap();
    other.close().await;
}

/// Any number of servers may serve from PostgreSQL, one from a SQLite file; the lock ends with
/// its holder.
async fn one_server_on_a_file(lab: &Lab) {
    let other = lab.second().await;
    let lock = lab.db.lock_for_serving().unwrap();
    let refused = matches!(other.lock_for_serving(), Err(Error::Locked));
    assert_eq!(refused, lab.on_sqlite());
    drop(lock);
    other.lock_for_serving().unwrap();
    other.close().await;
}

/// An account that another process made can be used at once, sealed keys and all.
async fn accounts_of_another_process_are_usable(lab: &Lab) {
    let other = lab.second().await;
    let world = World::new(lab).await;
    let keys = accounts::keys(&mut other.read().await.unwrap(), &world.account).await.unwrap();
    assert_eq!(keys.index.person(&super::world::identifier(1).canonical()), world.person(1));
    other.close().await;
}

/// Eight that open a fresh database at once migrate it once, and all can use it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_file_is_migrated_once() {
    for lab in [Some(Lab::sqlite().await), Lab::postgres().await].into_iter().flatten() {
        if lab.on_sqlite() {
            let fresh = lab.file.with_file_name("fresh.db");
            race_open(&lab, format!("sqlite:{}", fresh.display())).await;
        } else {
            commit!(lab.db, [], |tx| run(tx, "CREATE SCHEMA fresh_one").await).await.ok();
            let (base, _) = lab.url.rsplit_once('=').unwrap();
            race_open(&lab, format!("{base}=fresh_one")).await;
            commit!(lab.db, [], |tx| run(tx, "DROP SCHEMA fresh_one CASCADE").await).await.unwrap();
        }
        lab.close().await;
    }
}

async fn race_open(lab: &Lab, url: String) {
    let opened = join_all((0..8).map(|_| {
        let options = DbOptions { url: url.clone(), ..lab.options() };
        Db::open(options, &lab.tracker, lab.stop.clone())
    }));
    let dbs: Vec<Db> = opened.await.into_iter().map(|db| db.unwrap()).collect();
    for (n, db) in dbs.iter().enumerate() {
        commit!(db, [n], |tx| run(tx, row(&n.to_string())).await).await.unwrap();
    }
    let mut tx = dbs[0].read().await.unwrap();
    assert_eq!(count(&mut tx, ROWS).await.unwrap(), 8);
    let migrations = "SELECT COUNT(*) FROM _sqlx_migrations";
    let files = std::fs::read_dir("migrations").unwrap().count();
    assert_eq!(count(&mut tx, migrations).await.unwrap(), i64::try_from(files).unwrap());
    drop(tx);
    for db in dbs {
        db.close().await;
    }
}

/// A migration that waits for a table which somebody reads lets others at it meanwhile, and is done once the
/// table is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_lets_others_pass() {
    let Some(lab) = Lab::postgres().await else { return };
    // One that takes an index of the holds away and makes it anew: it can be done again, once the others
    // that it makes are gone.
    let again = crate::store::open::MIGRATOR
        .iter()
        .find(|one| one.sql.as_str().contains("DROP INDEX holds_by_person"))
        .unwrap();
    let made =
        again.sql.as_str().split("CREATE INDEX ").skip(1).filter_map(|one| one.split(' ').next());
    let mut undo: Vec<String> = made
        .filter(|index| *index != "holds_by_person")
        .map(|index| format!("DROP INDEX {index}"))
        .collect();
    undo.push(format!("DELETE FROM _sqlx_migrations WHERE version = {}", again.version));
    let undone = commit!(lab.db, [undo], |tx| {
        for sql in undo {
            run(tx, sql).await?;
        }
        Ok::<_, Error>(())
    });
    undone.await.unwrap();
    let mut reader = lab.db.read().await.unwrap();
    count(&mut reader, "SELECT COUNT(*) FROM holds").await.unwrap();
    let opening = Db::open(lab.options(), &lab.tracker, lab.stop.clone());
    let passing = async {
        let waiting = "SELECT COUNT(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
            WHERE NOT l.granted AND c.relname LIKE 'holds%'
              AND c.relnamespace = current_schema()::regnamespace";
        while count(&mut lab.db.read().await.unwrap(), waiting).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        // A webhook's patience is shorter than any other's.
        let carriers = lab.db.lane(crate::store::Lane::Carriers);
        let write = commit!(carriers, [], |tx| run(tx, "DELETE FROM holds WHERE FALSE").await);
        write.await.unwrap();
        drop(reader);
    };
    let (opened, ()) = tokio::join!(opening, passing);
    let other = opened.unwrap();
    let done = format!("SELECT COUNT(*) FROM _sqlx_migrations WHERE version = {}", again.version);
    assert_eq!(count(&mut other.read().await.unwrap(), done).await.unwrap(), 1);
    other.close().await;
    lab.close().await;
}
