//! Master keys and their rotation (T20, I20): nothing that is wrapped stays behind, nothing is lost.

use super::*;
use crate::{
    privacy::{self, Lasting},
    store::{
        accounts,
        master_keys::{self, Opener, Refusal},
        meta, moving,
        rewrap::{self, Holding},
        sessions, statutory,
    },
};

db_test!(
    everything_is_wrapped_again,
    broken_off_it_goes_on,
    an_unknown_key_is_refused,
    nobody_wraps_what_another_cannot_open,
    tokens_of_before_are_known,
    what_is_damaged_stays,
    while_it_is_moved_nothing_is_written
);

const TOKEN: &str = "ek_of_the_tests";

/// Two master keys, as often as they are needed.
struct Two([[u8; 32]; 2]);

impl Two {
    fn new(lab: &Lab) -> Self {
        let mut bytes = [[0; 32]; 2];
        for bytes in &mut bytes {
            lab.ids.fill(bytes);
        }
        Self(bytes)
    }

    fn key(&self, n: usize) -> MasterKey {
        MasterKey::from_bytes(self.0[n]).unwrap()
    }

    fn id(&self, n: usize) -> String {
        self.key(n).id()
    }

    /// The database with the first as current key, and the others.
    async fn open(&self, lab: &Lab, keys: &[usize]) -> Db {
        let others = keys[1..].iter().map(|n| self.key(*n));
        let keyring = Arc::new(Keyring::with_previous(self.key(keys[0]), others));
        let options = DbOptions { keyring, ..lab.options() };
        Db::open(options, &lab.tracker, lab.stop.clone()).await.unwrap()
    }

    /// The same, claimed by a command.
    async fn claimed(&self, lab: &Lab, keys: &[usize]) -> Db {
        let db = self.open(lab, keys).await;
        db.claim(Opener::Command).await.unwrap();
        db
    }
}

/// Accounts with an API key each and sessions, all wrapped by the key of `db`.
async fn fill(lab: &Lab, db: &Db) -> Vec<World> {
    let mut worlds = Vec::new();
    for name in ["one", "two"] {
        let world = World::on(db, &lab.ids, name).await;
        commit!(db, [world], |tx| {
            let key = accounts::ApiKey {
                id: world.id(),
                name: "key".into(),
                hint: "wxyz".into(),
                scopes: String::new(),
                created_at: at(0),
                expires_at: None,
                revoked_at: None,
                last_used_at: None,
            };
            accounts::insert_api_key(tx, &world.account, &key, TOKEN).await?;
            statutory::key_to_write(tx, &world.account, at(0)).await?;
            for n in 0..5 {
                world.session(tx, at(n)).await?;
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
        worlds.push(world);
    }
    worlds
}

/// Everybody is found by number and token, and every session's key opens.
async fn all_opens(db: &Db, worlds: &[World]) {
    let mut tx = db.read().await.unwrap();
    for world in worlds {
        let keys = accounts::keys(&mut tx, &world.account).await.unwrap();
        let person = keys.index.person(&super::world::identifier(3).canonical());
        assert_eq!(person, world.person(3));
        assert!(statutory::key(&mut tx, &world.account).await.unwrap().is_some());
        let key = accounts::api_key_by_token(&mut tx, &world.account, TOKEN).await.unwrap();
        assert!(key.is_some(), "the token is not known");
        assert!(accounts::auth_token(&mut tx, &world.account).await.unwrap().is_some());
    }
    let all = sessions::due(&mut tx, Timestamp::MAX, 100).await.unwrap();
    assert_eq!(all.len(), worlds.len() * 5);
    for (account, id) in all {
        let session = sessions::get(&mut tx, &account, &id).await.unwrap().unwrap();
        session.data_key(&tx).unwrap();
        assert_eq!(session.version, 1, "nobody changed it");
    }
}

async fn retire(db: &Db) -> Result<(), Error> {
    commit!(db, [], |tx| master_keys::retire_others(tx).await).await.map(drop)
}

async fn settle(db: &Db) -> Vec<String> {
    commit!(db, [], |tx| master_keys::settle(tx).await).await.unwrap().left
}

/// Wraps again what `id` wrapped, `most` batches of two at most; how many rows, and what is damaged.
async fn again(db: &Db, id: &str, most: usize) -> (u64, Vec<String>) {
    let (mut done, mut damaged, mut batches) = (0, Vec::new(), 0);
    for holding in Holding::ALL {
        let mut after = String::new();
        while batches < most {
            let id = id.to_owned();
            let batch =
                commit!(db, [id, after], |tx| rewrap::again(tx, holding, &id, &after, 2).await);
            let batch = batch.await.unwrap();
            (done, batches) = (done + batch.done, batches + 1);
            damaged.extend(batch.damaged);
            let Some(last) = batch.last else { break };
            after = last;
        }
    }
    (done, damaged)
}

async fn in_use(db: &Db) -> Vec<String> {
    rewrap::in_use(&mut db.read().await.unwrap()).await.unwrap()
}

fn unknown(told: &Result<(), Error>, expected: &str) -> bool {
    matches!(told, Err(Error::Sealed(privacy::Error::UnknownKey { id })) if id == expected)
}

/// I20: after a rotation everything opens with the new key alone: numbers are found, tokens known,
/// what was signed holds; the key before it opens nothing, and since when is noted.
async fn everything_is_wrapped_again(lab: &Lab) {
    let two = Two::new(lab);
    let old = two.claimed(lab, &[0]).await;
    let worlds = fill(lab, &old).await;
    let signed = old.keyring().sign("cursor", b"here");
    let both = two.claimed(lab, &[1, 0]).await;
    all_opens(&both, &worlds).await;
    retire(&both).await.unwrap();
    assert_eq!(settle(&both).await, [two.id(0)], "nothing is wrapped again yet");
    assert_eq!(again(&both, &two.id(0), usize::MAX).await, (3 + 2 + 2 + 10, vec![]));
    assert_eq!(settle(&both).await, Vec::<String>::new());
    assert_eq!(in_use(&both).await, [two.id(1)]);
    all_opens(&both, &worlds).await;

    let new = two.claimed(lab, &[1]).await;
    all_opens(&new, &worlds).await;
    assert!(new.keyring().verify("cursor", b"here", &signed));
    let mut tx = new.read().await.unwrap();
    let known = master_keys::known(&mut tx).await.unwrap();
    let mut known: Vec<_> = known
        .iter()
        .map(|one| (&*one.id, one.retired_at.is_some(), one.unused_at.is_some()))
        .collect();
    known.sort_by_key(|one| one.1);
    assert_eq!(known, [(&*two.id(1), false, false), (&*two.id(0), true, true)]);
    assert_eq!(meta::key_id(&mut tx).await.unwrap(), Some(two.id(1)));
    drop(tx);

    let told = two.open(lab, &[0]).await.claim(Opener::Command).await;
    assert!(unknown(&told, &two.id(1)), "{told:?}");
    let told = two.open(lab, &[0, 1]).await.claim(Opener::Command).await;
    assert!(
        matches!(&told, Err(Error::Keys(Refusal::Retired { id })) if *id == two.id(0)),
        "{told:?}"
    );
}

/// Killed after any batch, all opens with both keys and not with one of them, and another process goes
/// on with what is left and nothing else.
async fn broken_off_it_goes_on(lab: &Lab) {
    let two = Two::new(lab);
    let worlds = fill(lab, &two.claimed(lab, &[0]).await).await;
    let mut rows = 0;
    for batches in [3, 2] {
        let both = two.claimed(lab, &[1, 0]).await;
        retire(&both).await.unwrap();
        rows += again(&both, &two.id(0), batches).await.0;
        all_opens(&both, &worlds).await;
        for alone in [0, 1] {
            let told = two.open(lab, &[alone]).await.claim(Opener::Command).await;
            assert!(unknown(&told, &two.id(1 - alone)), "{told:?}");
        }
        assert_eq!(settle(&both).await, [two.id(0)]);
    }
    let both = two.claimed(lab, &[1, 0]).await;
    rows += again(&both, &two.id(0), usize::MAX).await.0;
    assert_eq!((rows, settle(&both).await.len()), (3 + 2 + 2 + 10, 0));
    all_opens(&two.claimed(lab, &[1]).await, &worlds).await;
}

/// One row that another key wrapped, wherever it stands, and the database is refused.
async fn an_unknown_key_is_refused(lab: &Lab) {
    let two = Two::new(lab);
    fill(lab, &two.claimed(lab, &[0]).await).await;
    for (table, column) in [
        ("sessions", "data_key"),
        ("accounts", "data_key"),
        ("accounts", "index_key"),
        ("lasting_secrets", "wrapped"),
    ] {
        let plant = |from: &str, to: &str| {
            format!(
                "UPDATE {table} SET {column} = REPLACE({column}, '.{from}.', '.{to}.')
                 WHERE {column} = (SELECT MAX({column}) FROM {table})"
            )
        };
        let other = "0badcafe";
        let (plant, mend) = (plant(&two.id(0), other), plant(other, &two.id(0)));
        commit!(lab.db, [plant], |tx| run(tx, plant).await).await.unwrap();
        let told = two.open(lab, &[0]).await.claim(Opener::Server).await;
        assert!(unknown(&told, other), "{table}.{column}: {told:?}");
        // The row that was planted may no longer be the greatest.
        let mend = mend.split(" WHERE ").next().unwrap().to_owned();
        commit!(lab.db, [mend], |tx| run(tx, mend).await).await.unwrap();
        two.claimed(lab, &[0]).await;
    }
}

/// A key is not taken up before every running server holds it, not rotated to before all wrap by it,
/// and not taken back after; a server that was not heard of for a minute no longer counts.
async fn nobody_wraps_what_another_cannot_open(lab: &Lab) {
    let two = Two::new(lab);
    let serve = async |keys: &[usize]| {
        let db = two.open(lab, keys).await;
        db.claim(Opener::Server).await.map(|()| db)
    };
    let command = async |keys: &[usize]| two.open(lab, keys).await.claim(Opener::Command).await;
    let one = serve(&[0]).await.unwrap();
    for early in [command(&[1, 0]).await, serve(&[1, 0]).await.map(drop)] {
        assert!(
            matches!(&early, Err(Error::Keys(Refusal::Unheld { id })) if *id == two.id(1)),
            "{early:?}"
        );
    }
    let ready = serve(&[0, 1]).await.unwrap();
    assert!(
        matches!(serve(&[1, 0]).await, Err(Error::Keys(Refusal::Unheld { .. }))),
        "not all are"
    );
    one.leave_keys().await.unwrap();
    let new = serve(&[1, 0]).await.unwrap();
    let early = retire(&new).await;
    assert!(
        matches!(&early, Err(Error::Keys(Refusal::InUse { id })) if *id == two.id(0)),
        "{early:?}"
    );
    let late = serve(&[0]).await.map(drop);
    assert!(unknown(&late, &two.id(1)), "{late:?}");
    serve(&[0, 1]).await.unwrap().leave_keys().await.unwrap();
    new.hold_keys().await.unwrap();

    // It was killed, and the other goes on.
    lab.clock.advance(30_000);
    new.hold_keys().await.unwrap();
    assert!(retire(&new).await.is_err());
    lab.clock.advance(31_000);
    retire(&new).await.unwrap();
    let late = ready.hold_keys().await;
    assert!(matches!(late, Err(Error::Keys(Refusal::Retired { .. }))), "{late:?}");
    let late = serve(&[0, 1]).await;
    assert!(matches!(late, Err(Error::Keys(Refusal::Retired { .. }))), "{late:?}");
    // Whoever stood still all the while wraps nothing more by it, and reads what others wrap.
    let world = World::on(&new, &lab.ids, "one").await;
    let opens = |db: &Db| {
        let (db, world) = (db.clone(), world.clone());
        async move { commit!(db, [world], |tx| world.session(tx, at(0)).await.map(drop)).await }
    };
    let late = opens(&ready).await;
    assert!(matches!(late, Err(Error::Keys(Refusal::Retired { .. }))), "{late:?}");
    opens(&new).await.unwrap();
    accounts::keys(&mut ready.read().await.unwrap(), &world.account).await.unwrap();
}

/// What was made before there were lasting secrets: its tokens and signatures stay what they were, also
/// if the first start after that has a new key. What is made now has random ones, which no earlier build
/// could know.
async fn tokens_of_before_are_known(lab: &Lab) {
    let two = Two::new(lab);
    // As the build before made it: nobody claimed it, so that all comes from the master key.
    let before = two.open(lab, &[0]).await;
    let worlds = fill(lab, &before).await;
    let id = two.id(0);
    commit!(before, [id], |tx| meta::set(tx, "master_key_id", &id).await).await.unwrap();
    let told = two.open(lab, &[1]).await.claim(Opener::Command).await;
    assert!(unknown(&told, &id), "{told:?}");
    let oldest = async || {
        let mut tx = lab.db.read().await.unwrap();
        meta::get(&mut tx, "oldest_schema").await.unwrap().unwrap().parse::<i64>().unwrap()
    };
    let earlier = oldest().await;
    let same = two.claimed(lab, &[0]).await;
    assert_eq!(oldest().await, earlier, "the build before can go on with it");
    all_opens(&same, &worlds).await;
    let both = two.claimed(lab, &[1, 0]).await;
    assert_eq!(oldest().await, 21, "it can't any more");
    all_opens(&both, &worlds).await;
    assert_eq!(both.keyring().sign("a", b"b"), before.keyring().sign("a", b"b"));

    let fresh = Two::new(lab);
    commit!(lab.db, [], |tx| {
        for table in [
            "master_keys",
            "lasting_secrets",
            "statutory_keys",
            "api_keys",
            "sessions",
            "services",
            "accounts",
        ] {
            run(tx, format!("DELETE FROM {table}")).await?;
        }
        meta::delete(tx, "master_key_id").await?;
        meta::set(tx, "oldest_schema", "16").await
    })
    .await
    .unwrap();
    let db = fresh.claimed(lab, &[0]).await;
    let derived = Keyring::new(fresh.key(0));
    assert_ne!(db.keyring().token_hash(TOKEN), derived.token_hash(TOKEN));
    assert_ne!(db.keyring().sign("a", b"b"), derived.sign("a", b"b"));
    assert_eq!(oldest().await, 21);
    let again = fresh.claimed(lab, &[0]).await;
    assert_eq!(again.keyring().token_hash(TOKEN), db.keyring().token_hash(TOKEN));
    assert!(
        derived.lasting_of(&fresh.id(0)).is_some_and(|one| *one != Lasting::from_random(&[1; 96]))
    );
}

/// A row that does not open is named and passed over; the others are wrapped again, and the old key stays
/// in use.
async fn what_is_damaged_stays(lab: &Lab) {
    let two = Two::new(lab);
    fill(lab, &two.claimed(lab, &[0]).await).await;
    let swap = "UPDATE sessions
        SET data_key = (SELECT s.data_key FROM sessions s ORDER BY s.id LIMIT 1)
        WHERE id = (SELECT MAX(s.id) FROM sessions s)";
    commit!(lab.db, [], |tx| run(tx, swap).await).await.unwrap();
    let both = two.claimed(lab, &[1, 0]).await;
    retire(&both).await.unwrap();
    let (done, damaged) = again(&both, &two.id(0), usize::MAX).await;
    assert_eq!((done, damaged.len()), (3 + 2 + 2 + 9, 1), "{damaged:?}");
    assert_eq!(settle(&both).await, [two.id(0)]);
}

/// While a database is moved it is opened, and nothing is written to it but facts about itself.
async fn while_it_is_moved_nothing_is_written(lab: &Lab) {
    let two = Two::new(lab);
    let before = two.open(lab, &[0]).await;
    let worlds = fill(lab, &before).await;
    let id = two.id(0);
    commit!(before, [id], |tx| {
        meta::set(tx, "master_key_id", &id).await?;
        moving::hold_writes(tx).await
    })
    .await
    .unwrap();
    all_opens(&two.claimed(lab, &[0]).await, &worlds).await;
    commit!(lab.db, [], |tx| moving::release_writes(tx).await).await.unwrap();
    all_opens(&two.claimed(lab, &[0]).await, &worlds).await;
}
