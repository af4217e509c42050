//! No number and no words in clear, in any row of any table and in no byte of the files (I16).

use std::collections::HashMap;

use super::{
    world::{identifier, proxy},
    *,
};
use crate::{
    ids::InteractionId,
    privacy::DataKey,
    store::{
        accounts, idempotency,
        inbox::{self, EventKey},
        legs,
        outbox::{self, NewEntry, OutboxKind},
        participants, sessions,
    },
};

db_test!(nothing_is_in_clear, another_master_key_opens_nothing, damage_is_told);

/// The words that must be nowhere.
const WORDS: &str = "meet me at the canary cage at noon";
const TOKEN: &str = "canary-auth-token";
const SECRET: &str = "canary-api-key";

/// What a number looks like in clear, and the words.
fn canaries() -> Vec<String> {
    let digits = identifier(47).expose().trim_start_matches('+').to_owned();
    let national = digits[1..].to_owned();
    let dashed = format!("{}-{}-{}", &national[..3], &national[3..6], &national[6..]);
    vec![digits, national, dashed, "canary".into(), "Kanarya".into()]
}

/// Puts the canaries everywhere that the store takes them.
async fn fill(lab: &Lab, world: &World) {
    let number = world.numbers(&lab.db, 0, 1).await.remove(0);
    commit!(lab.db, [world, number], |tx| {
        let account = &world.account;
        let another = world.id();
        accounts::insert(tx, &another, "another market", TOKEN, at(0)).await?;
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
        accounts::insert_api_key(tx, account, &key, SECRET).await?;
        let made = world.session(tx, at(0)).await?;
        let id = world.id();
        let new = participants::NewParticipant {
            id: &id,
            session: &made.id,
            role: "customer",
            position: 0,
            person: &world.person(47),
            identifier: &identifier(47),
            name: Some("Kanarya"),
            number_id: &number,
            number: &proxy(0),
            chosen_by: None,
            key: &made.key,
            now: at(0),
        };
        participants::insert(tx, account, &new).await?;
        world.hold(tx, &number, 47, &made.id, 46, at(0)).await?;
        let leg = world.leg(&world.id(), 0);
        legs::insert(tx, account, &leg).await?;
        let entry = NewEntry {
            kind: OutboxKind::Message,
            session: Some(&made.id),
            interaction: &leg.interaction,
            leg: &leg.id,
            carrier: "a",
            payload: &format!("{WORDS} {}", identifier(47).expose()),
            run_at: at(0),
            valid_until: at(9),
            now: at(0),
        };
        outbox::insert(tx, account, &entry).await?;
        let event = EventKey { carrier: "a", kind: "call", event: "CA1" };
        inbox::insert(tx, event, at(0)).await?;
        let interaction: InteractionId = world.id();
        let answer = format!("<Dial>{}</Dial>", identifier(47).expose());
        inbox::set_answer(tx, event, account, &interaction, &answer).await?;
        idempotency::claim(tx, account, "key", "print", at(0)).await?;
        idempotency::set_answer(tx, account, "key", &answer).await
    })
    .await
    .unwrap();
}

/// Every value of every row of every table, as text.
async fn dump(lab: &Lab) -> Vec<String> {
    let mut tx = lab.db.read().await.unwrap();
    let tables = if lab.on_sqlite() {
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    } else {
        "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()
         ORDER BY tablename"
    };
    let mut values = Vec::new();
    for table in texts(&mut tx, tables).await.unwrap() {
        let columns = if lab.on_sqlite() {
            format!("SELECT name FROM pragma_table_info('{table}')")
        } else {
            format!(
                "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name = '{table}'"
            )
        };
        for column in texts(&mut tx, columns).await.unwrap() {
            // SQLite's way to show bytes as text, too.
            let shown = if lab.on_sqlite() {
                format!("quote({column})")
            } else {
                format!("CAST({column} AS TEXT)")
            };
            let sql = format!("SELECT {shown} FROM {table} WHERE {column} IS NOT NULL");
            values.extend(texts(&mut tx, sql).await.unwrap());
        }
    }
    values
}

fn holds(bytes: &[u8], canary: &str) -> bool {
    bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
}

/// Whatever is taken in, no table holds a person's number, name or words, nor a secret, in clear;
/// on SQLite neither does a byte of the file or its log, before and after they are folded.
async fn nothing_is_in_clear(lab: &Lab) {
    let world = World::new(lab).await;
    fill(lab, &world).await;
    let values = dump(lab).await;
    assert!(values.len() > 100, "{}", values.len());
    // The dump sees what is in clear on purpose.
    assert!(values.iter().any(|value| value.contains(proxy(0).as_str())));
    for canary in canaries() {
        let found = values.iter().find(|value| value.contains(&canary));
        assert!(found.is_none(), "{canary} in {found:?}");
    }
    if lab.on_sqlite() {
        for fold in [false, true] {
            if fold {
                lab.db.close().await;
            }
            let mut bytes = std::fs::read(&lab.file).unwrap();
            bytes.extend(std::fs::read(lab.file.with_extension("db-wal")).unwrap_or_default());
            assert!(holds(&bytes, proxy(0).as_str()));
            for canary in canaries() {
                assert!(!holds(&bytes, &canary), "{canary}");
            }
        }
    }
}

/// With another master key nothing opens: not an account's keys, not a session's, and no token is
/// known.
async fn another_master_key_opens_nothing(lab: &Lab) {
    let world = World::new(lab).await;
    fill(lab, &world).await;
    let keyring = Arc::new(Keyring::new(MasterKey::generate()));
    let options = DbOptions { keyring, ..lab.options() };
    let other = Db::open(options, &lab.tracker, lab.stop.clone()).await.unwrap();
    let mut tx = other.read().await.unwrap();
    assert!(matches!(accounts::keys(&mut tx, &world.account).await, Err(Error::Sealed(_))));
    let (_, session) = sessions::due(&mut tx, Timestamp::MAX, 1).await.unwrap().remove(0);
    let session = sessions::get(&mut tx, &world.account, &session).await.unwrap().unwrap();
    let error = session.data_key(&tx).map(drop).unwrap_err();
    assert!(matches!(&error, Error::Sealed(crate::privacy::Error::UnknownKey { id })
        if id == lab.keyring.key_id()));
    let token = accounts::api_key_by_token(&mut tx, &world.account, SECRET).await.unwrap();
    assert!(token.is_none());
    drop(tx);
    other.close().await;
    let mut tx = lab.db.read().await.unwrap();
    let token = accounts::api_key_by_token(&mut tx, &world.account, SECRET).await.unwrap();
    assert!(token.is_some());
}

/// Sealed text that was moved to another row, or altered, does not open and says no more than that.
async fn damage_is_told(lab: &Lab) {
    let world = World::new(lab).await;
    fill(lab, &world).await;
    let errors = commit!(lab.db, [world], |tx| {
        let account = &world.account;
        let entry =
            outbox::due(tx, at(9), &outbox::Held::default(), &HashMap::new(), 1).await?.remove(0);
        assert!(outbox::payload(tx, &entry).await?.starts_with(WORDS));
        run(tx, "UPDATE idempotency SET answer = (SELECT payload FROM outbox)").await?;
        // Another character there, whatever it was.
        let other = "CASE SUBSTR(answer, 20, 1) WHEN '-' THEN 'A' ELSE '-' END";
        let damage = format!("REPLACE(answer, SUBSTR(answer, 20, 1), {other})");
        run(tx, format!("UPDATE inbox SET answer = {damage}")).await?;
        run(tx, "UPDATE participants SET identifier = name").await?;
        let event = EventKey { carrier: "a", kind: "call", event: "CA1" };
        let (_, session) = sessions::due(tx, Timestamp::MAX, 1).await?.remove(0);
        let session = sessions::get(tx, account, &session).await?.unwrap();
        let person = participants::of_session(tx, account, &session.id).await?.remove(0);
        let key = session.data_key(tx)?;
        Ok::<_, Error>([
            idempotency::get(tx, account, "key").await.map(drop),
            inbox::answer(tx, event).await.map(drop),
            person.identifier(&key).map(drop),
            person.identifier(&DataKey::generate()).map(drop),
        ])
    });
    for error in errors.await.unwrap() {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Sealed(_)), "{error:?}");
        let words = format!("{error} {error:?}");
        assert!(canaries().iter().all(|canary| !words.contains(canary)), "{words}");
    }
}
