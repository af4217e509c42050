//! Retention where people, holds and clocks come to an edge: on each engine, through a running relay.

use std::time::Duration;

use entremise::{
    domain::{audit::Reason, policy::Rules, retention::Retention},
    relay::{self, HoldOn, NewHold},
    store::legal_holds::Case,
};

use crate::{
    poison::sql,
    retention::{Stage, keeping},
    support,
};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// Whoever is in another session keeps their place in the ring: only the other's of a session that is gone goes.
#[tokio::test]
async fn a_ring_goes_with_the_last_session() {
    for database in support::databases().await {
        let stage = Stage::open(database, keeping(), Retention::default()).await;
        stage.market.session([0, 3], 0, None).await.unwrap();
        stage.close().await;
        assert_eq!(stage.count("rings").await, 3);
        stage.nights(366).await;
        assert_eq!(stage.counts(["sessions", "participants", "rings"]).await, [1, 2, 2]);
        let there = "rings WHERE person IN (SELECT person FROM participants)";
        assert_eq!(stage.count(there).await, 2);
        stage.end().await;
    }
}

/// An account has a thousand holds in force at most: each row that is to go is compared with them.
#[tokio::test]
async fn holds_are_bounded() {
    for database in support::databases().await {
        let stage = Stage::open(database, keeping(), Retention::default()).await;
        let hold = stage.hold(HoldOn::Session(stage.session.id.clone())).await;
        let copies = "
            INSERT INTO legal_holds (account, id, session, person, calling_code, case_id, reason, version,
                created_at, lifted_at)
            WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 999)
            SELECT account, 'LH' || CAST(n AS TEXT), session, person, calling_code, case_id, reason, version,
                created_at, lifted_at FROM legal_holds CROSS JOIN s RETURNING version";
        sql(&stage.database, copies).await;
        let account = stage.market.account.clone();
        let number = stage.market.people[0].number.clone();
        let place = async || {
            let (account, number) = (account.clone(), number.clone());
            let placed = stage.market.relay.db().write(move |tx| {
                let (account, number) = (account.clone(), number.clone());
                Box::pin(async move {
                    let case = Case::parse("C 12").unwrap();
                    let reason = Reason::parse("fraud report").unwrap();
                    let new = NewHold { on: HoldOn::Person(number), case, reason };
                    relay::place_hold(tx, &account, &new).await
                })
            });
            placed.await
        };
        assert!(matches!(place().await, Err(relay::Error::Invalid(_))));
        stage.lift(&hold).await;
        place().await.unwrap();
        stage.end().await;
    }
}

/// I28: a clock that is set forward takes no session away whose numbers still rest: so much time must have passed.
#[tokio::test]
async fn i28_a_clock_set_forward_takes_no_session() {
    for database in support::databases().await {
        let rules = Rules { quarantine: Duration::from_hours(60 * 24), ..keeping() };
        let terms = Retention { sessions: 31, log: 31, ..Retention::default() };
        let stage = Stage::open(database, rules, terms).await;
        stage.close().await;
        stage.world.clock.set(100 * DAY_MS);
        stage.nights(0).await;
        assert_eq!(stage.counts(["sessions", "holds"]).await, [1, 2], "{}", stage.database.name);
        stage.nights(59).await;
        assert_eq!(stage.count("sessions").await, 1, "{}", stage.database.name);
        stage.nights(2).await;
        assert_eq!(stage.counts(["sessions", "holds"]).await, [0, 0], "{}", stage.database.name);
        stage.end().await;
    }
}

/// A night that ends breaks the job off between two batches, and the next night does the rest. (On PostgreSQL time
/// does not stand still: a night is not measured there.)
#[tokio::test]
async fn a_night_that_ends_breaks_the_job_off() {
    let mut databases = support::databases().await;
    let database = databases.remove(0);
    for other in databases {
        other.drop().await;
    }
    let terms = Retention { from_hour: 13, hours: 2, ..Retention::default() };
    let stage = Stage::open(database, keeping(), terms).await;
    stage.text("1").await;
    support::until(async || stage.count("retention_runs").await == 1).await;
    let copies = "
        INSERT INTO interactions (account, id, service, session, kind, origin, from_role, number, carrier,
            outcome, media, version, created_at, updated_at)
        WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 4000)
        SELECT account, 'KI000' || CAST(100000000 + n AS TEXT) || '00000000000000000000', service, NULL,
            kind, origin, from_role, number, carrier, 'relayed', 0, 1, 0, 0
        FROM interactions CROSS JOIN s RETURNING version";
    sql(&stage.database, copies).await;
    let relay = &stage.world.running.relay;
    stage.world.clock.advance(HOUR_MS + 60_000);
    let ends = async {
        support::until(async || stage.count("interactions").await < 4001).await;
        stage.world.clock.advance(2 * HOUR_MS);
    };
    let (done, ()) = tokio::join!(relay.retain(), ends);
    assert!(done.unwrap().is_none(), "it went on");
    assert!(stage.count("interactions").await > 1);
    stage.world.clock.advance(22 * HOUR_MS);
    assert!(relay.retain().await.unwrap().is_some());
    assert_eq!(stage.count("interactions").await, 1);
    stage.end().await;
}
