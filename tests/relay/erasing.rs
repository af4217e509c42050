//! A person is erased: nothing opens and nothing matches, in the database, in an old backup behind the fence,
//! and in one that was kept for longer than the master key.

use std::{path::Path, time::Duration};

use entremise::{
    app::{self, Opened, StartError},
    clock::Clock,
    config::{Config, MasterKey, Secret},
    domain::{
        erasure::{ErasureState, NOBODY, TABLES},
        message::Body,
        opt_out::{Scope, Source},
        phone::Identifier,
        policy::Rules,
        report::Category,
        retention::Retention,
        session::State,
        time::Timestamp,
    },
    egress::Egress,
    ids::{Entropy as _, ErasureId, Ids, SystemEntropy},
    privacy::Person,
    relay::{self, Carriers, Client, Doubt, Relay, Subject},
    store::{accounts, erasures, opt_outs, participants, sessions},
};
use serde_json::{Value, json};

use crate::{
    leftovers::{Row, dump, opened, opened_by},
    market::{self, Market},
    poison::sql,
    support::{self, Database, World},
};

/// What the one who is erased wrote, and what the other did.
const THEIRS: &str = "the canary sings at noon";
const OTHERS: &str = "the other one answers";

/// What each says of the other.
const THEIR_NOTE: &str = "the canary was rude to me";
const OTHERS_NOTE: &str = "the other one never came";

/// Tables that know them by their hash alone, with a row each: the columns beside the account, and values, with
/// `?` for the hash.
const BY_HASH: [(&str, &str, &str); 9] = [
    ("verified_people", "person, verified_at", "?, 9000000000000"),
    ("first_texts", "service, person, number_id, told_at", "'KS1', ?, 'PN1', 9000000000000"),
    ("probes", "person, number_id, hour, used", "?, 'PN1', 9000000, 1"),
    ("alerts", "what, subject, day", "'probes', ?, 9000000"),
    (
        "calls_open",
        "interaction, session, person, until, longest",
        "'KI1', 'KC1', ?, 9000000000000, 1",
    ),
    ("verification_limits", "counted, subject, since, used", "'person_day', ?, 9000000000000, 1"),
    (
        "tallies",
        "what, subject, prefix, half, half_used, hour, hour_used, day, day_used, seconds",
        "'codes', ?, '', 9000000, 1, 9000000, 1, 9000000, 1, 1",
    ),
    (
        "cleared_opt_outs",
        "id, person, scope, value, source, proof, created_at, cleared_at",
        "'OO1', ?, 'number', 'PN1', 'api', '', 1, 9000000000000",
    ),
    (
        "verifications",
        "id, service, person, channel, language, domain, code_length, status, checks, sends, \
         next_send_at, expires_at, version, created_at, updated_at, ended_at",
        "'VE0123456789abcdef0123456789abcdef', 'KS1', ?, 'sms', 'en', '', 6, 'verified', 1, 1, 1, 1, \
         1, 1, 1, 9000000000000",
    ),
];

async fn known_by_hash(database: &Database, account: &str, person: &Person) {
    for (table, columns, values) in BY_HASH {
        let values = values.replace('?', &format!("'{}'", person.as_str()));
        let into = format!("INSERT INTO {table} (account, {columns})");
        sql(database, &format!("{into} VALUES ('{account}', {values})")).await;
    }
}

async fn reported(market: &Market, session: &market::Opened, place: usize, note: &'static str) {
    let (account, id) = (market.account.clone(), session.id.clone());
    let done = market.relay.db().write(move |tx| {
        let (account, id) = (account.clone(), id.clone());
        Box::pin(async move {
            let people = participants::of_session(tx, &account, &id).await?;
            let new = relay::NewReport {
                category: Category::Spam,
                note: Some(Body::new(note.into())),
                interactions: Vec::new(),
                block: false,
            };
            relay::report(tx, &account, &id, &people[place].id, &new).await
        })
    });
    done.await.unwrap();
}

pub(crate) struct Stage {
    pub(crate) config: Config,
    pub(crate) world: World,
    pub(crate) market: Market,
    /// Between the one who is erased and another: open; and one with a third that was closed before.
    pub(crate) open: market::Opened,
    pub(crate) closed: market::Opened,
    /// Of two others.
    apart: market::Opened,
    pub(crate) person: Person,
    list: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn set(database: &Database) -> Self {
        Self::under(database, Retention::default()).await
    }

    /// The same under these terms.
    pub(crate) async fn under(database: &Database, terms: Retention) -> Self {
        let list = tempfile::tempdir().unwrap();
        let mut config = support::settings(database);
        config.retention = terms;
        config.erasure_list = Some(list.path().join("erased"));
        let world = World::with(config.clone()).await;
        let mut rules = Rules::new("Bikes".into());
        rules.quarantine = Duration::from_mins(30);
        rules.keep_texts = true;
        let market = Market::open(&world, 6, 3, rules).await;
        let closed = market.session([0, 3], 0, None).await.unwrap();
        market.close(&closed.id).await.unwrap();
        let open = market.session([0, 1], 0, Some("a-key")).await.unwrap();
        let apart = market.session([2, 3], 0, None).await.unwrap();
        text(&market, [0, 1], &open, 0, THEIRS).await;
        text(&market, [1, 0], &open, 1, OTHERS).await;
        world.running.idle().await;
        let (owner, number) = (world.account.account.clone(), number(&market));
        let person = world.running.relay.db().write(move |tx| {
            let (owner, number) = (owner.clone(), number.clone());
            Box::pin(async move {
                let keys = accounts::keys(tx, &owner).await?;
                let person = keys.index.person(&number.canonical());
                let now = tx.now().await?;
                let service = opt_outs::OptOut {
                    account: &owner,
                    person: &person,
                    scope: Scope::ALL[0],
                    value: "PN0",
                };
                opt_outs::insert(tx, service, Source::Person, now).await?;
                Ok::<_, entremise::store::Error>(person)
            })
        });
        let person = person.await.unwrap();
        for (place, note) in [(0, THEIR_NOTE), (1, OTHERS_NOTE)] {
            reported(&market, &open, place, note).await;
        }
        known_by_hash(database, world.account.account.as_str(), &person).await;
        Self { config, world, market, open, closed, apart, person, list }
    }

    /// A copy of the database as it is now, and the same started again.
    pub(crate) async fn copied(self, database: &Database) -> (Self, Database) {
        let Self { config, world, market, open, closed, apart, person, list } = self;
        let clock = world.clock.clone();
        world.running.shutdown().await;
        let copy = database.copy().await;
        let running = support::run(config.clone(), &clock).await.unwrap();
        let network = running.network.clone().unwrap();
        let market = Market { relay: running.relay.clone(), network: network.clone(), ..market };
        let world = World { running, network, ..world };
        (Self { config, world, market, open, closed, apart, person, list }, copy)
    }

    pub(crate) fn digits(&self) -> String {
        number(&self.market).expose().trim_start_matches('+').to_owned()
    }

    /// Erases the first person, as far as it goes before the quarantine.
    pub(crate) async fn erase(&self) -> ErasureId {
        let relay = &self.world.running.relay;
        let (owner, number) = (self.world.account.account.clone(), number(&self.market));
        let begun = relay.db().write(move |tx| {
            let (owner, subject) = (owner.clone(), Subject::Number(number.clone()));
            Box::pin(async move { relay::begin_erasure(tx, &owner, &subject).await })
        });
        let id = begun.await.unwrap().id;
        relay.hurry_erasure(&self.world.account.account, &id).await.unwrap();
        id
    }

    pub(crate) async fn erasure(&self, id: &ErasureId) -> erasures::Erasure {
        let mut tx = self.world.running.relay.db().read().await.unwrap();
        erasures::get(&mut tx, &self.world.account.account, id).await.unwrap().unwrap()
    }
}

pub(crate) fn number(market: &Market) -> Identifier {
    market.people[0].number.clone()
}

async fn text(market: &Market, who: [usize; 2], session: &market::Opened, at: usize, words: &str) {
    let (from, to) = (market.people[who[0]].phone, market.people[who[1]].phone);
    market.network.text(from, &session.dials[at], Body::new(words.into())).unwrap();
    market.network.until(to, |view| view.received().any(|text| text.body.expose() == words)).await;
}

pub(crate) fn on(config: &Config, database: &Database) -> Config {
    Config { database_url: Secret::new(database.url.clone()), ..config.clone() }
}

/// Where a value stands, but for where the rules of erasing let it stay.
fn where_is(rows: &[Row], value: &str, but: &[&str]) -> Vec<String> {
    let holds = |(column, text): &(&String, &String)| {
        let at_home = text.contains(value);
        at_home.then(|| (*column).clone())
    };
    let of = |row: &Row| -> Vec<String> {
        row.values
            .iter()
            .filter_map(|pair| holds(&pair))
            .map(|c| format!("{}.{c}", row.table))
            .collect()
    };
    let mut found: Vec<String> = rows.iter().flat_map(of).collect();
    found.retain(|place| !but.iter().any(|one| place.starts_with(one)));
    found.sort();
    found.dedup();
    found
}

/// In which forms a number may be written.
fn forms(digits: &str) -> Vec<String> {
    let national = &digits[1..];
    let dashed = format!("{}-{}-{}", &national[..3], &national[3..6], &national[6..]);
    let spaced = dashed.replace('-', " ");
    let hex = |text: &str| {
        let pairs: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        pairs.concat()
    };
    vec![digits.to_owned(), national.to_owned(), dashed, spaced, hex(digits), hex(national)]
}

/// What opens with these keys holds nothing of the person, nor do the columns as they are.
pub(crate) async fn nothing_is_left(
    database: &Database,
    ring: &entremise::privacy::Keyring,
    digits: &str,
) {
    let rows = dump(database).await;
    let clear = opened(&rows, ring);
    for form in forms(digits) {
        assert_eq!(where_is(&rows, &form, &[]), Vec::<String>::new(), "{form}");
        assert_eq!(where_is(&clear, &form, &[]), Vec::<String>::new(), "{form} opens");
    }
    for words in [THEIRS, THEIR_NOTE] {
        assert_eq!(where_is(&clear, words, &[]), Vec::<String>::new(), "their words open");
    }
}

/// The same check finds them while they are there.
async fn all_is_there(database: &Database, ring: &entremise::privacy::Keyring, stage: &Stage) {
    let rows = dump(database).await;
    let clear = opened(&rows, ring);
    let found = where_is(&clear, &stage.digits(), &[]);
    assert!(found.contains(&"participants.identifier".to_owned()), "{found:?}");
    assert_eq!(where_is(&clear, THEIRS, &[]), ["interactions.words"]);
    let hashed = where_is(&rows, stage.person.as_str(), &[]);
    assert_eq!(where_is(&clear, THEIR_NOTE, &[]), ["reports.note"]);
    for (table, ..) in BY_HASH {
        assert!(hashed.iter().any(|place| place.starts_with(table)), "{table}: {hashed:?}");
    }
    for place in ["participants.person", "holds.person", "interactions.person", "rings.person"] {
        assert!(hashed.contains(&place.to_owned()), "{place}: {hashed:?}");
    }
}

/// Where the hash of somebody who was erased may be while their pairs are in quarantine, and after.
const WISHES: [&str; 2] = ["opt_outs.", "blocks."];
const HELD: [&str; 3] = ["opt_outs.", "blocks.", "holds."];

/// Somebody is erased: their sessions are closed, their number, name, words and hash are gone, the other's
/// are not; nobody gets their pairs before the quarantine ends, and then these are gone as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_person_is_nowhere() {
    for database in support::databases().await {
        let stage = Stage::set(&database).await;
        let db = stage.world.running.relay.db().clone();
        let ring = db.keyring().clone();
        all_is_there(&database, &ring, &stage).await;
        let before = dump(&database).await;

        let id = stage.erase().await;
        let one = stage.erasure(&id).await;
        assert_eq!(one.state, ErasureState::Waiting, "{}", database.name);
        assert!(one.wait_until.is_some() && one.person.is_none());
        let counts: Value = serde_json::from_str(&one.counts).unwrap();
        for (class, count) in [
            ("sessions", 2),
            ("sessions_closed", 1),
            ("identifiers", 2),
            ("texts", 1),
            ("opt_outs_kept", 1),
            ("api_answers", 1),
        ] {
            assert_eq!(counts[class], count, "{class}: {counts}");
        }
        nothing_is_left(&database, &ring, &stage.digits()).await;
        let rows = dump(&database).await;
        assert_eq!(where_is(&rows, stage.person.as_str(), &HELD), Vec::<String>::new());
        // Nor does what lay there before open with the keys that are there now.
        let clear = opened_by(&before, &rows, &ring);
        for secret in [&*stage.digits(), THEIRS, THEIR_NOTE] {
            assert_eq!(where_is(&clear, secret, &[]), Vec::<String>::new(), "{secret}");
        }

        the_others_are_whole(&database, &stage).await;
        // Whoever calls now reaches nobody, as in any closed session; the pair is nobody else's yet.
        let (from, to) = (number(&stage.market), &stage.open.dials[0]);
        let event =
            json!({ "event": "call", "id": "late", "from": from.expose(), "to": to.expose() });
        let late = support::webhook(&stage.world, "call", &event).await.body;
        let event = json!({ "event": "call", "id": "odd", "from": stage.market.people[5].number.expose(), "to": to.expose() });
        assert_eq!(late, support::webhook(&stage.world, "call", &event).await.body);
        assert!(stage.market.reopen(&stage.open.id).await.is_err(), "it has nobody on one side");

        stage.world.clock.advance(31 * 60_000);
        stage.world.running.relay.work_erasures().await.unwrap();
        let one = stage.erasure(&id).await;
        assert_eq!(one.state, ErasureState::Done, "{}", database.name);
        let rows = dump(&database).await;
        let but = [&WISHES[..], &["interactions.person"]].concat();
        assert_eq!(where_is(&rows, stage.person.as_str(), &but), Vec::<String>::new());
        receipt_holds(&stage, &one);
        carriers_are_asked(&stage, &one).await;
        stage.world.running.shutdown().await;
        database.drop().await;
    }
}

async fn the_others_are_whole(database: &Database, stage: &Stage) {
    let account = &stage.world.account.account;
    let mut tx = stage.world.running.relay.db().read().await.unwrap();
    for (session, place) in [(&stage.open, 1), (&stage.closed, 3)] {
        let found = sessions::get(&mut tx, account, &session.id).await.unwrap().unwrap();
        assert_eq!(found.state, State::Closed);
        let key = found.data_key(&tx).unwrap();
        let people = participants::of_session(&mut tx, account, &session.id).await.unwrap();
        let (gone, there): (Vec<_>, Vec<_>) = people.into_iter().partition(|one| one.erased);
        assert_eq!((gone.len(), there.len()), (1, 1));
        assert!(gone[0].identifier(&key).is_err() && gone[0].calling_code.is_none());
        assert_eq!(there[0].identifier(&key).unwrap(), stage.market.people[place].number);
    }
    let apart = sessions::get(&mut tx, account, &stage.apart.id).await.unwrap().unwrap();
    assert_eq!(apart.state, State::Open);
    let found = sessions::get(&mut tx, account, &stage.open.id).await.unwrap().unwrap();
    let key = found.data_key(&tx).unwrap();
    drop(tx);
    let log = support::interactions(&stage.world).await;
    let ids: Vec<_> = log.iter().map(|one| one.id.clone()).collect();
    let mut tx = stage.world.running.relay.db().read().await.unwrap();
    let words = entremise::store::interactions::words(&mut tx, account, &key, &ids).await.unwrap();
    let words: Vec<&str> = words.values().map(Body::expose).collect();
    assert_eq!(words, [OTHERS]);
    let kept = opened(&dump(database).await, stage.world.running.relay.db().keyring());
    assert_eq!(where_is(&kept, OTHERS_NOTE, &[]), ["reports.note"]);
}

fn receipt_holds(stage: &Stage, one: &erasures::Erasure) {
    let relay = &stage.world.running.relay;
    let receipt = relay.receipt(&stage.world.account.account, one).unwrap().unwrap();
    let text = receipt.object().to_string();
    let key = relay.audit_key().unwrap();
    assert_eq!(relay::verify_document(&text, &key), Some(true));
    let changed = text.replacen("\"sessions\":2", "\"sessions\":1", 1);
    assert_ne!(changed, text);
    let kept = receipt.document["stays"].to_string();
    assert!(kept.contains("opt-outs") && kept.contains("backups"), "{kept}");
    assert_eq!(relay::verify_document(&changed, &key), Some(false));
    assert_eq!(relay::verify_document("{}", &key), None);
    assert!(!text.contains(stage.person.as_str()) && !text.contains(&stage.digits()));
}

/// The carrier has nothing of theirs on record, and what others sent.
async fn carriers_are_asked(stage: &Stage, one: &erasures::Erasure) {
    stage.world.running.idle().await;
    let (found, _) = stage.world.network.came_in(true, Timestamp::EPOCH, 0);
    let from: Vec<_> = found.iter().map(|one| one.from.clone().unwrap()).collect();
    assert_eq!(from, [stage.market.people[1].number.clone()], "what the other wrote");
    let relay = &stage.world.running.relay;
    let one = stage.erasure(&one.id).await;
    let receipt = relay.receipt(&stage.world.account.account, &one).unwrap().unwrap();
    let told = &receipt.document["at_carriers"]["sandbox"];
    // Theirs, its leg to the other, the leg to them of what the other wrote, and the late call.
    assert_eq!((&told["asked"], &told["deleted"]), (&json!(4), &json!(4)), "{told}");
    let stays = receipt.document["stays"].as_array().unwrap();
    assert!(!stays.iter().any(|one| one["carrier"] == "sandbox"), "{stays:?}");
}

/// What the command does: the fence, and then the list.
pub(crate) async fn fence(config: &Config) -> relay::Replayed {
    let opened = Opened::open(config, &Clock::system(), &Ids::default()).await.unwrap();
    opened.db.write(|tx| Box::pin(async move { relay::raise_fence(tx, 0).await })).await.unwrap();
    let relay =
        Relay::new(opened.db.clone(), Carriers::default(), Client::new(), Egress::default())
            .with_objects(app::objects(config).unwrap())
            .with_erasing(app::erasing(config));
    let replayed = relay.replay_erasures().await.unwrap();
    assert_eq!(relay.replay_erasures().await.unwrap().missing, 0, "twice does no harm");
    opened.close().await;
    replayed
}

/// A backup from before is refused until the fence was raised, and the fence erases them again: nothing of
/// them opens or matches. Without the list a database that knows of erasures is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_is_erased_again() {
    for database in support::databases().await {
        let stage = Stage::set(&database).await;
        let clock = stage.world.clock.clone();
        let (digits, person) = (stage.digits(), stage.person.clone());
        let (stage, copy) = Box::pin(stage.copied(&database)).await;
        stage.erase().await;
        let config = stage.config.clone();
        let path = config.erasure_list.clone().unwrap();
        let listed = std::fs::read_to_string(&path).unwrap();
        assert_eq!(listed.lines().count(), 4, "two sessions, a text and a verification: {listed}");
        assert!(!listed.contains(person.as_str()) && !listed.contains(&digits));
        stage.world.running.shutdown().await;

        // The same database without its list.
        let away = path.with_extension("away");
        std::fs::rename(&path, &away).unwrap();
        let refused = support::run(config.clone(), &clock).await;
        assert!(matches!(refused, Err(StartError::ErasureList(_))), "{refused:?}");
        std::fs::rename(&away, &path).unwrap();

        let restored = on(&config, &copy);
        let refused = support::run(restored.clone(), &clock).await;
        assert!(matches!(refused, Err(StartError::Restored(Doubt::Erased(4)))), "{refused:?}");
        let replayed = fence(&restored).await;
        assert_eq!((replayed.listed, replayed.missing), (4, 4), "{}", database.name);
        let running = support::run(restored, &clock).await.unwrap();
        let ring = running.relay.db().keyring().clone();
        nothing_is_left(&copy, &ring, &digits).await;
        let rows = dump(&copy).await;
        assert_eq!(where_is(&rows, person.as_str(), &HELD), Vec::<String>::new());
        running.shutdown().await;
        copy.drop().await;
        database.drop().await;
    }
}

/// A backup from before whose master key was rotated out and destroyed tells nothing to who has the present
/// key, the list or not: nothing opens, and no hash can be made that finds anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_without_its_master_key_is_noise() {
    for database in support::databases().await {
        let stage = Stage::set(&database).await;
        let clock = stage.world.clock.clone();
        let digits = stage.digits();
        let before = stage.world.running.relay.db().keyring().clone();
        let Stage { config, world, .. } = stage;
        world.running.shutdown().await;
        let copy = database.copy().await;
        let found = where_is(&opened(&dump(&copy).await, &before), &digits, &[]);
        assert!(!found.is_empty(), "the check finds what is there");

        let mut bytes = [0; 32];
        SystemEntropy.fill(&mut bytes);
        let new = MasterKey::new(bytes);
        let both = Config {
            master_key: new.clone(),
            previous_master_keys: vec![config.master_key.clone()],
            ..config.clone()
        };
        rotate(&both, &clock).await;
        let alone = Config { master_key: new, erasure_list: None, ..config };
        let opened_now = Opened::open(&alone, &clock, &Ids::default()).await.unwrap();
        let ring = opened_now.db.keyring().clone();
        opened_now.close().await;
        let refused = Opened::open(&on(&alone, &copy), &clock, &Ids::default()).await;
        assert!(matches!(refused, Err(StartError::UnknownKey(_))), "{refused:?}");
        let rows = dump(&copy).await;
        let clear = opened(&rows, &ring);
        assert!(clear.is_empty(), "something opens: {:?}", clear.first().map(|row| &row.table));
        for form in forms(&digits) {
            assert_eq!(where_is(&rows, &form, &[]), Vec::<String>::new(), "{form}");
        }
        for row in rows.iter().filter(|row| row.table == "accounts") {
            let place = format!("account-index:{}", row.values["id"]);
            assert!(ring.unwrap_index(&row.values["index_key"], &place).is_err());
            assert!(before.unwrap_index(&row.values["index_key"], &place).is_ok(), "{place}");
        }
        copy.drop().await;
        database.drop().await;
    }
}

async fn rotate(config: &Config, clock: &Clock) {
    let opened = Opened::open(config, clock, &Ids::default()).await.unwrap();
    let relay =
        Relay::new(opened.db.clone(), Carriers::default(), Client::new(), Egress::default());
    let mut rotation = relay.begin_rotation().await.unwrap();
    while relay.rotate_on(&mut rotation).await.unwrap() {}
    assert_eq!(relay.end_rotation().await.unwrap(), Vec::<String>::new());
    opened.close().await;
}

/// Whoever left a session that goes on is erased from it, and it goes on: the others' number opens, and
/// their texts pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_had_left_is_erased_and_the_session_goes_on() {
    for database in support::databases().await {
        let stage = Stage::set(&database).await;
        let (account, relay) = (stage.world.account.account.clone(), &stage.world.running.relay);
        let (owner, id, newcomer) =
            (account.clone(), stage.open.id.clone(), stage.market.people[4].number.clone());
        let swap = relay.db().write(move |tx| {
            let (owner, id, newcomer) = (owner.clone(), id.clone(), newcomer.clone());
            Box::pin(async move {
                let people = participants::of_session(tx, &owner, &id).await?;
                relay::remove_participant(tx, &owner, &id, &people[0].id).await?;
                let new = relay::AddParticipant {
                    identifier: newcomer,
                    role: Some("buyer".into()),
                    name: None,
                    number: None,
                    pin: relay::PinWanted::Never,
                };
                let (view, added) = relay::add_participant(tx, &owner, &id, &new).await?;
                let added = view.participants.into_iter().find(|one| one.id == added).unwrap();
                Ok::<_, relay::Error>(added.number)
            })
        });
        let dials = swap.await.unwrap();
        stage.erase().await;
        let mut tx = relay.db().read().await.unwrap();
        let session = sessions::get(&mut tx, &account, &stage.open.id).await.unwrap().unwrap();
        drop(tx);
        assert_ne!(session.state, State::Closed);
        let ring = relay.db().keyring().clone();
        nothing_is_left(&database, &ring, &stage.digits()).await;
        let words = "on we go";
        let (from, to) = (stage.market.people[4].phone, stage.market.people[1].phone);
        let dialled = Identifier::parse(dials.as_str()).unwrap();
        stage.market.network.text(from, &dialled, Body::new(words.into())).unwrap();
        let got = |view: &entremise::sandbox::PhoneView| {
            view.received().any(|text| text.body.expose() == words)
        };
        stage.market.network.until(to, got).await;
        stage.world.running.shutdown().await;
        database.drop().await;
    }
}

/// A column that is added must have a rule: the tables are those of the lists, with as many columns, on both
/// engines.
#[tokio::test]
async fn every_column_has_a_rule() {
    for database in support::databases().await {
        let world = World::start(&database).await;
        world.running.shutdown().await;
        let columns = crate::leftovers::columns(&database).await;
        for (table, there) in &columns {
            let rule = TABLES.iter().find(|one| one.name == table);
            let known = rule.is_some() || NOBODY.contains(&table.as_str());
            assert!(known, "{table}: erasing has no rule for it (src/domain/erasure.rs)");
            let Some(rule) = rule else { continue };
            assert_eq!(rule.columns, there.len(), "{table} has other columns: {there:?}");
            for (column, _) in rule.rules {
                assert!(there.iter().any(|one| one == column), "{table}.{column} is not there");
            }
        }
        for table in TABLES.iter().map(|one| one.name).chain(NOBODY.iter().copied()) {
            assert!(columns.contains_key(table), "{table} is not there");
        }
        database.drop().await;
    }
}

/// A list that is no list is not taken for an empty one.
#[tokio::test]
async fn a_changed_list_is_refused() {
    let database = support::databases().await.remove(0);
    let stage = Stage::set(&database).await;
    stage.erase().await;
    stage.world.running.shutdown().await;
    let path: &Path = stage.config.erasure_list.as_deref().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, text.replacen("ER0", "ER1", 1)).unwrap();
    let refused = support::run(stage.config.clone(), &stage.world.clock).await;
    assert!(matches!(refused, Err(StartError::Store(_))), "{refused:?}");
    database.drop().await;
}
