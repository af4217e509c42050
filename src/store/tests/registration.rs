//! What a number may be used for: kept, counted in its class, and given to what was there before.

use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::*;
use crate::{
    domain::{
        phone::{ProxyNumber, Registered, Registration},
        pool::Ring,
    },
    store::{
        numbers,
        open::MIGRATOR,
        rings::{self, Seeker},
    },
};

db_test!(a_use_is_counted, a_walk_keeps_to_its_kinds);

/// Numbers of each use, two of each but the last.
async fn uses(lab: &Lab, world: &World) -> Vec<numbers::Number> {
    let mut made = Vec::new();
    for n in 0..7 {
        let mut number = world.number(n);
        number.registered.registration = Registration::ALL[usize::try_from(n / 2).unwrap()];
        number.barred = n == 6;
        number.permit = (n == 5).then(|| "permit 7 of Arcep".to_owned());
        number.registered.campaign = (n == 4).then(|| "C1A2B3C".to_owned());
        made.push(number);
    }
    commit!(lab.db, [world, made], |tx| {
        for number in &made {
            numbers::insert(tx, &world.account, number).await?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    made
}

/// What is said of a number's use reads back, and moves it from one class to another.
async fn a_use_is_counted(lab: &Lab) {
    let world = World::new(lab).await;
    let made = uses(lab, &world).await;
    let classes = async || {
        let mut tx = lab.db.read().await.unwrap();
        let all = rings::classes(&mut tx, &world.account, &world.service).await.unwrap();
        all.into_iter()
            .filter(|one| one.free > 0)
            .map(|one| (one.kind.registration, one.kind.barred, one.free))
            .collect::<Vec<_>>()
    };
    let mut counted = classes().await;
    counted.sort_unstable();
    assert_eq!(
        counted,
        [
            (Registration::Unknown, false, 2),
            (Registration::None, false, 2),
            (Registration::TenDlc, false, 2),
            (Registration::TollFree, true, 1),
        ]
    );
    let id = made[0].id.clone();
    let changed = commit!(lab.db, [world, id], |tx| {
        let before = numbers::get(tx, &world.account, &id).await?.unwrap();
        let registered =
            Registered { registration: Registration::TollFree, campaign: Some("C2".to_owned()) };
        let after = numbers::Number {
            registered,
            barred: true,
            permit: Some("a reason".to_owned()),
            version: before.version + 1,
            ..before.clone()
        };
        numbers::update(tx, &world.account, &before, &after).await
    });
    assert!(changed.await.unwrap());
    let mut counted = classes().await;
    counted.sort_unstable();
    assert_eq!(counted[0], (Registration::Unknown, false, 1));
    assert_eq!(counted[3], (Registration::TollFree, true, 2));
    let mut tx = lab.db.read().await.unwrap();
    let back = numbers::get(&mut tx, &world.account, &id).await.unwrap().unwrap();
    assert_eq!(back.registered.campaign.as_deref(), Some("C2"));
    assert_eq!((back.barred, back.permit.as_deref()), (true, Some("a reason")));
    let barred = numbers::barred(&mut tx).await.unwrap();
    assert_eq!(barred, [made[0].number.clone(), made[6].number.clone()]);
}

/// A walk gives numbers of the ring's kinds only.
async fn a_walk_keeps_to_its_kinds(lab: &Lab) {
    let world = World::new(lab).await;
    let made = uses(lab, &world).await;
    let mut tx = lab.db.read().await.unwrap();
    for wanted in &made {
        let ring = Ring { country: "FR".into(), area: None, kinds: vec![wanted.kind()], size: 0 };
        let seeker = Seeker {
            account: &world.account,
            service: &world.service,
            person: &world.person(1),
            counterpart: &world.pair(2),
            now: at(0),
        };
        let (mut from, mut given) = (0, Vec::new());
        while let Some(one) =
            rings::next_in_ring(&mut tx, seeker, &ring, from, i64::MAX).await.unwrap()
        {
            from = one.place + 1;
            given.push(one.number);
        }
        let same: Vec<ProxyNumber> = made
            .iter()
            .filter(|one| one.kind() == wanted.kind())
            .map(|one| one.number.clone())
            .collect();
        assert_eq!(given, same);
    }
}

const FIRST: i64 = 14;

/// What stood in a database before numbers had a registration.
const BEFORE: &str = "
    INSERT INTO accounts (id, name, data_key, index_key, auth_token, created_at)
        VALUES ('AC1', 'x', 'k', 'k', 't', 0);
    INSERT INTO services (account, id, unique_name, rules, next_place, version, created_at, updated_at)
        VALUES ('AC1', 'KS1', 'x', '', 4, 1, 0, 0);
    INSERT INTO numbers (account, id, number, service, carrier, country, area, capabilities, reserved,
        state, place, version, created_at, updated_at) VALUES
        ('AC1', 'PN1', '+14155550100', 'KS1', 'a', 'US', '415', 'voice|sms', FALSE, 'active', 0, 1, 0, 0),
        ('AC1', 'PN2', '+14155550101', 'KS1', 'a', 'US', '415', 'voice|sms', TRUE, 'active', 1, 1, 0, 0),
        ('AC1', 'PN3', '+14155550102', 'KS1', 'a', 'US', '415', 'voice|sms', FALSE, 'draining', 2, 1, 0, 0),
        ('AC1', 'PN4', '+33937000001', 'KS1', 'a', 'FR', '', 'voice|sms', FALSE, 'active', 3, 1, 0, 0);
    INSERT INTO pool_classes (account, service, country, area, carrier, capabilities, free, reserved)
        VALUES ('AC1', 'KS1', 'US', '415', 'a', 'voice|sms', 1, 1),
               ('AC1', 'KS1', 'FR', '', 'a', 'voice|sms', 1, 0);";

macro_rules! upgraded {
    ($conn:expr) => {{
        let text = |early: bool| {
            let all = MIGRATOR.iter().filter(move |one| (one.version < FIRST) == early);
            all.map(|one| one.sql.as_str().to_owned()).collect::<Vec<String>>()
        };
        for sql in text(true).into_iter().chain([BEFORE.to_owned()]).chain(text(false)) {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut $conn).await.unwrap();
        }
        let numbers: Vec<(String, String, bool, Option<String>)> =
            sqlx::query_as("SELECT id, registration, barred, permit FROM numbers ORDER BY id")
                .fetch_all(&mut $conn)
                .await
                .unwrap();
        let classes: Vec<(String, String, bool, i64, i64)> = sqlx::query_as(
            "SELECT country, registration, barred, free, reserved FROM pool_classes
             ORDER BY country",
        )
        .fetch_all(&mut $conn)
        .await
        .unwrap();
        let row = |id: &str, word: &str| (id.to_owned(), word.to_owned(), false, None);
        let expected =
            [("PN1", "unknown"), ("PN2", "unknown"), ("PN3", "unknown"), ("PN4", "none")];
        assert_eq!(numbers, expected.map(|(id, word)| row(id, word)));
        let class = |country: &str, word: &str, free, reserved| {
            (country.to_owned(), word.to_owned(), false, free, reserved)
        };
        assert_eq!(classes, [class("FR", "none", 1, 0), class("US", "unknown", 1, 1)]);
    }};
}

/// An upgrade on SQLite: what was there under +1 is of unknown registration, so that it goes on; the
/// classes count what they did.
#[tokio::test]
async fn numbers_go_on_after_an_upgrade_of_sqlite() {
    let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    upgraded!(conn);
}

/// The same on PostgreSQL.
#[tokio::test]
async fn numbers_go_on_after_an_upgrade_of_postgres() {
    let Some(url) = postgres_url() else { return };
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let schema = format!("upgraded_{}", std::process::id());
    let begin = format!("CREATE SCHEMA {schema}; SET search_path TO {schema}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut conn).await.unwrap();
    upgraded!(conn);
    let end = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(end)).execute(&mut conn).await.unwrap();
}
