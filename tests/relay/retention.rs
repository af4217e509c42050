//! What was kept for its time is deleted, by class and by service, and what something keeps is not: on each
//! engine, through a running relay.

use std::time::Duration;

use entremise::{
    domain::{
        audit::Reason,
        policy::Rules,
        retention::{DataClass, Retention, RetentionRules, Statutory},
        session::Mode,
        time::Timestamp,
    },
    relay::{self, HoldOn, NewHold},
    sandbox::Faults,
    store::{
        legal_holds::{Case, LegalHold},
        participants,
        statutory::{self, Which},
    },
};
use serde_json::json;

use crate::{
    market::{Market, Opened},
    poison::sql,
    support::{self, Database, World},
};

const DAY_MS: i64 = 86_400_000;
const TEXT: &str = "The bicycle is blue";

/// Two people in a session, with a text and a blocked pair.
pub(crate) struct Stage {
    pub(crate) database: Database,
    pub(crate) world: World,
    pub(crate) market: Market,
    pub(crate) session: Opened,
}

pub(crate) fn keeping() -> Rules {
    Rules { keep_texts: true, default_ttl: Duration::ZERO, ..Rules::new("Bikes".into()) }
}

impl Stage {
    pub(crate) async fn open(database: Database, rules: Rules, terms: Retention) -> Self {
        let mut config = support::settings(&database);
        config.retention = terms;
        let world = World::standing(config).await;
        let market = Market::open(&world, 4, 2, rules).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        Self { database, world, market, session }
    }

    /// The buyer writes.
    pub(crate) async fn text(&self, id: &str) {
        let text = json!({
            "event": "message", "id": id, "text": TEXT,
            "from": self.market.people[0].number.expose(), "to": self.session.dials[0].expose(),
        });
        let answer = support::webhook(&self.world, "message", &text).await;
        assert!(answer.status.is_success(), "{}", answer.status);
        self.world.running.idle().await;
    }

    pub(crate) async fn close(&self) {
        self.market.close(&self.session.id).await.unwrap();
    }

    /// So many days later the job has done its work.
    pub(crate) async fn nights(&self, days: i64) -> relay::Standings {
        self.world.clock.advance(days * DAY_MS);
        self.world.running.relay.retain_now().await.unwrap()
    }

    pub(crate) async fn count(&self, rest: &str) -> i64 {
        sql(&self.database, &format!("SELECT COUNT(*) FROM {rest}")).await
    }

    pub(crate) async fn counts<const N: usize>(&self, tables: [&str; N]) -> [i64; N] {
        let mut found = [0; N];
        for (place, table) in tables.into_iter().enumerate() {
            found[place] = self.count(table).await;
        }
        found
    }

    pub(crate) async fn hold(&self, on: HoldOn) -> LegalHold {
        let new = NewHold {
            on,
            case: Case::parse("Police 2026-117").unwrap(),
            reason: Reason::parse("fraud report").unwrap(),
        };
        let account = self.market.account.clone();
        let placed = self.market.relay.db().write(move |tx| {
            let (account, new) = (account.clone(), new.clone());
            Box::pin(async move { relay::place_hold(tx, &account, &new).await })
        });
        placed.await.unwrap()
    }

    pub(crate) async fn lift(&self, hold: &LegalHold) {
        let (account, id) = (self.market.account.clone(), hold.id.clone());
        let lifted = self.market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move { relay::lift_hold(tx, &account, &id).await })
        });
        lifted.await.unwrap();
    }

    pub(crate) async fn end(self) {
        self.world.running.shutdown().await;
        self.database.drop().await;
    }
}

/// A year after its end a session is gone with its people, holds and places in rings, and the log before it;
/// not a day sooner, and not what people asked for. Words go after a month, costs after 13.
#[tokio::test]
async fn what_is_old_goes() {
    for database in support::databases().await {
        let stage = Stage::open(database, keeping(), Retention::default()).await;
        stage.text("1").await;
        let (account, blocker) = (stage.market.account.clone(), stage.session.id.clone());
        let block = stage.market.relay.db().write(move |tx| {
            let (account, session) = (account.clone(), blocker.clone());
            Box::pin(async move {
                let people = participants::of_session(tx, &account, &session).await?;
                relay::set_block(tx, &account, &session, &people[0].id, true).await
            })
        });
        block.await.unwrap();
        stage.close().await;
        let words = "interactions WHERE words IS NOT NULL";
        assert_eq!(stage.count(words).await, 1);
        stage.nights(30).await;
        assert_eq!(stage.count(words).await, 1, "the thirtieth day has not ended");
        stage.world.clock.advance(11 * 3_600_000);
        stage.nights(0).await;
        assert_eq!(stage.count(words).await, 1, "nor an hour before midnight");
        let done = stage.nights(1).await;
        assert_eq!(done[&DataClass::Texts].gone, 1);
        assert_eq!(stage.count(words).await, 0);

        let mine = ["interactions", "legs", "sessions", "participants", "holds", "rings"];
        stage.nights(334).await;
        let there = stage.counts(mine).await;
        assert!(there.iter().all(|rows| *rows > 0), "a day too soon: {there:?}");
        let survey = stage.market.relay.retention_survey().await.unwrap();
        assert_eq!(survey[&DataClass::Log].gone, 0);
        assert!(survey[&DataClass::Log].oldest.is_some());
        stage.world.clock.advance(DAY_MS);
        let survey = stage.market.relay.retention_survey().await.unwrap();
        assert_eq!((survey[&DataClass::Log].gone, survey[&DataClass::Sessions].gone), (1, 0));
        assert_eq!(stage.counts(mine).await, there, "a survey changes nothing");
        let done = stage.nights(0).await;
        assert_eq!((done[&DataClass::Log].gone, done[&DataClass::Sessions].gone), (1, 1));
        assert_eq!(stage.counts(mine).await, [0; 6]);
        assert_eq!(stage.counts(["events", "sticky_numbers"]).await, [0; 2]);
        let [blocks, charges] = stage.counts(["blocks", "charges"]).await;
        assert!(blocks == 1 && charges > 0, "{blocks} {charges}");
        stage.nights(35).await;
        assert_eq!(stage.counts(["charges", "blocks"]).await, [0, 1]);
        stage.end().await;
    }
}

/// After its session is gone, a late text is refused as a stranger's, a late call hears the neutral words, a
/// carrier's receipt is answered calmly, and the pair is free for others.
#[tokio::test]
async fn what_comes_late_finds_nothing() {
    for database in support::databases().await {
        let stage = Stage::open(database, keeping(), Retention::default()).await;
        stage.text("1").await;
        let leg = "SELECT carrier_id FROM legs WHERE direction = 'outbound'";
        let sent = text_of(&stage.database, leg).await;
        stage.close().await;
        stage.nights(367).await;
        assert_eq!(stage.count("sessions").await, 0);

        let receipt = json!({ "event": "message_status", "id": sent, "state": "delivered" });
        let answer = support::webhook(&stage.world, "status", &receipt).await;
        assert!(answer.status.is_success(), "{}", answer.status);
        stage.text("late").await;
        let log = support::interactions(&stage.world).await;
        assert_eq!((log.len(), log[0].reason.unwrap().as_str()), (1, "unknown_caller"));
        let call = json!({
            "event": "call", "id": "C1", "from": stage.market.people[0].number.expose(),
            "to": stage.session.dials[0].expose(),
        });
        let answer = support::webhook(&stage.world, "call", &call).await;
        let words = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            answer.status.is_success() && words.contains("connects members of Bikes"),
            "{words}"
        );
        stage.market.session([0, 3], 0, None).await.unwrap();
        stage.end().await;
    }
}

/// A text that a statement finds.
async fn text_of(database: &Database, text: &str) -> String {
    use sqlx::{ConnectOptions as _, Connection as _};
    macro_rules! run {
        ($options:ty) => {{
            let options: $options = database.url.parse().unwrap();
            let mut conn = options.connect().await.unwrap();
            let query = sqlx::query_scalar(sqlx::AssertSqlSafe(text.to_owned()));
            let found: String = query.fetch_one(&mut conn).await.unwrap();
            conn.close().await.unwrap();
            found
        }};
    }
    if database.url.starts_with("sqlite:") {
        run!(sqlx::sqlite::SqliteConnectOptions)
    } else {
        run!(sqlx::postgres::PgConnectOptions)
    }
}

/// A service may have less than the operator, and no more: its words go after a week, its log and sessions
/// after 40 days.
#[tokio::test]
async fn a_service_may_have_less() {
    for database in support::databases().await {
        let mut rules = keeping();
        rules.retention = RetentionRules { texts: Some(7), log: Some(500), sessions: Some(40) };
        let terms = Retention { log: 40, ..Retention::default() };
        let stage = Stage::open(database, rules, terms).await;
        stage.text("1").await;
        stage.close().await;
        stage.nights(8).await;
        assert_eq!(stage.count("interactions WHERE words IS NOT NULL").await, 0);
        stage.nights(32).await;
        assert_eq!(stage.counts(["interactions", "sessions"]).await, [1, 1]);
        stage.nights(1).await;
        assert_eq!(stage.counts(["interactions", "sessions"]).await, [0, 0]);
        stage.end().await;
    }
}

/// I4: no quarantine becomes shorter because its session is old: the session stays while the pair is taken, and
/// so it is not given to others; then both go.
#[tokio::test]
async fn i4_a_quarantine_keeps_its_session() {
    for database in support::databases().await {
        let rules = Rules { quarantine: Duration::from_hours(100 * 24), ..keeping() };
        let terms = Retention { sessions: 31, log: 31, ..Retention::default() };
        let stage = Stage::open(database, rules, terms).await;
        stage.close().await;
        stage.nights(99).await;
        assert_eq!(stage.counts(["sessions", "participants", "holds"]).await, [1, 2, 2]);
        // The first of the pool, or the second.
        let mine = usize::from(!stage.session.dials[0].expose().ends_with("100"));
        let again = || stage.market.pair([0, 3], [mine, 1 - mine], Mode::VoiceAndMessage);
        let refused = again().await;
        assert!(refused.is_err(), "the pair was given away");
        stage.nights(2).await;
        assert_eq!(stage.counts(["sessions", "participants", "holds"]).await, [0, 0, 0]);
        again().await.unwrap();
        stage.end().await;
    }
}

/// An open session stays however old it is; its log goes all the same. One that is closed and opened again has
/// a new end.
#[tokio::test]
async fn what_is_open_stays() {
    for database in support::databases().await {
        let stage = Stage::open(database, keeping(), Retention::default()).await;
        stage.text("1").await;
        stage.nights(800).await;
        assert_eq!(stage.counts(["interactions", "sessions", "holds"]).await, [0, 1, 2]);
        stage.close().await;
        stage.world.clock.advance(300 * DAY_MS);
        stage.market.reopen(&stage.session.id).await.unwrap();
        stage.nights(300).await;
        assert_eq!(stage.count("sessions").await, 1);
        stage.end().await;
    }
}

/// What a legal hold is on stays: by session, with log, words, costs and events, though it is deleted by its
/// account; once it is lifted it goes the next night.
#[tokio::test]
async fn a_held_session_stays() {
    for database in support::databases().await {
        let stage = Stage::open(database, keeping(), Retention::default()).await;
        stage.text("1").await;
        let hold = stage.hold(HoldOn::Session(stage.session.id.clone())).await;
        let (account, id) = (stage.market.account.clone(), stage.session.id.clone());
        let deleted = stage.market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move { relay::delete_session(tx, &account, &id).await })
        });
        deleted.await.unwrap();
        let held = [
            "interactions WHERE words IS NOT NULL",
            "legs",
            "sessions",
            "participants",
            "charges",
            "events WHERE session IS NOT NULL",
        ];
        let there = stage.counts(held).await;
        assert!(there.iter().all(|rows| *rows > 0), "{there:?}");
        stage.nights(2000).await;
        assert_eq!(stage.counts(held).await, there);
        stage.lift(&hold).await;
        stage.nights(0).await;
        assert_eq!(stage.counts(held).await, [0; 6]);
        assert_eq!(stage.count("legal_holds").await, 1);
        stage.nights(366).await;
        assert_eq!(stage.count("legal_holds").await, 0);
        stage.end().await;
    }
}

/// A hold on a person keeps all their sessions, also what they sent when they were in none, and nobody else's.
#[tokio::test]
async fn a_held_persons_sessions_stay() {
    for database in support::databases().await {
        let stage = Stage::open(database, keeping(), Retention::default()).await;
        let other = stage.market.session([2, 3], 0, None).await.unwrap();
        stage.hold(HoldOn::Person(stage.market.people[1].number.clone())).await;
        stage.hold(HoldOn::Person(stage.market.people[0].number.clone())).await;
        stage.text("1").await;
        stage.close().await;
        stage.market.close(&other.id).await.unwrap();
        // Long after: a text of theirs in no session.
        stage.world.clock.advance(40 * DAY_MS);
        stage.text("2").await;
        stage.nights(500).await;
        assert_eq!(stage.counts(["sessions", "interactions"]).await, [1, 2]);
        let kept = text_of(&stage.database, "SELECT id FROM sessions").await;
        assert_eq!(kept, stage.session.id.as_str());
        stage.end().await;
    }
}

/// What is left of the log is counted: of nobody. Cells of few are put together once their day is gone, and
/// what is few even so is left out.
#[tokio::test]
async fn what_is_left_is_of_nobody() {
    for database in support::databases().await {
        let stage = Stage::open(database, keeping(), Retention::default()).await;
        for n in 0..7 {
            stage.text(&format!("{n}")).await;
        }
        stage.nights(200).await;
        stage.text("alone").await;
        stage.nights(167).await;
        let cells = "anonymised_interactions WHERE tally = 7 AND role = 'buyer' \
                     AND kind = 'message' AND duration = 'none'";
        assert_eq!(stage.counts(["anonymised_interactions", cells]).await, [1, 1]);
        stage.nights(300).await;
        assert_eq!(stage.counts(["interactions", "anonymised_interactions"]).await, [0, 1]);
        stage.end().await;
    }
}

/// The job works in its hours, once a night, one node at a time; a run that was broken off is taken up when
/// its lease has ended. (On PostgreSQL time does not stand still: a night is not measured there.)
#[tokio::test]
async fn one_node_works_each_night() {
    let mut databases = support::databases().await;
    let database = databases.remove(0);
    for other in databases {
        other.drop().await;
    }
    let terms = Retention { from_hour: 13, hours: 2, ..Retention::default() };
    let stage = Stage::open(database, keeping(), terms).await;
    let relay = &stage.world.running.relay;
    let hour = 3_600_000;
    // It is noon. The first look begins to count: the first night is the next.
    support::until(async || stage.count("retention_runs").await == 1).await;
    assert!(relay.retain().await.unwrap().is_none());
    stage.world.clock.advance(hour + 60_000);
    // Somebody else has the turn.
    let lease = stage.world.clock.now().millis() + 120_000;
    let taken = format!("UPDATE retention_runs SET holder = 'x', lease_until = {lease}");
    sql(&stage.database, &format!("{taken} RETURNING lease_until")).await;
    assert!(relay.retain().await.unwrap().is_none());
    stage.world.clock.advance(121_000);
    assert!(relay.retain().await.unwrap().is_some(), "it is taken up");
    assert!(relay.retain().await.unwrap().is_none(), "once a night");
    stage.world.clock.advance(2 * hour);
    assert!(relay.retain().await.unwrap().is_none(), "the night is over");
    stage.world.clock.advance(22 * hour);
    assert!(relay.retain().await.unwrap().is_some(), "the next night");
    stage.end().await;
}

/// A backlog goes in small batches, all of it, and what is newer stays.
#[tokio::test]
async fn a_backlog_goes_in_batches() {
    for database in support::databases().await {
        let stage = Stage::open(database, keeping(), Retention::default()).await;
        stage.text("1").await;
        stage.close().await;
        for batch in 0..3 {
            let copies = format!(
                "INSERT INTO interactions (account, id, service, session, kind, origin, from_role,
                    number, carrier, outcome, media, version, created_at, updated_at)
                 WITH RECURSIVE s (n) AS (SELECT {batch}000 UNION ALL
                    SELECT n + 1 FROM s WHERE n < {batch}699)
                 SELECT account, 'KI000' || CAST(100000000 + n AS TEXT) || '00000000000000000000',
                    service, NULL, kind, origin, from_role, number, carrier, 'relayed', 0, 1, 0, 0
                 FROM interactions CROSS JOIN s WHERE session IS NOT NULL RETURNING version"
            );
            sql(&stage.database, &copies).await;
        }
        let before = stage.count("interactions").await;
        assert_eq!(before, 2101);
        let done = stage.nights(40).await;
        assert_eq!(done[&DataClass::Log].gone, 2100);
        assert_eq!(stage.count("interactions").await, 1);
        stage.end().await;
    }
}

/// Where the operator names a law, who had which number, and who wrote whom, is sealed under a key of its own:
/// it outlives session, log and key, is found by number and by person, and goes at its end. Without a law there
/// is nothing.
#[tokio::test]
async fn what_a_law_wants_outlives_the_session() {
    for law in [false, true] {
        for database in support::databases().await {
            let statutory = law.then(|| Statutory { days: 800, basis: "Art. 1 Test Act".into() });
            let terms = Retention { statutory, ..Retention::default() };
            let stage = Stage::open(database, keeping(), terms).await;
            stage.text("1").await;
            stage.close().await;
            stage.nights(400).await;
            assert_eq!(stage.counts(["sessions", "interactions"]).await, [0, 0]);
            if law {
                // Two got a number, one wrote and one was written to.
                assert_eq!(stage.count("statutory_records").await, 4);
                disclosed(&stage).await;
                stage.nights(399).await;
                assert_eq!(stage.count("statutory_records").await, 4);
                stage.nights(2).await;
            }
            assert_eq!(stage.count("statutory_records").await, 0);
            stage.end().await;
        }
    }
}

/// What a lawful disclosure would read.
async fn disclosed(stage: &Stage) {
    let (account, people) = (&stage.market.account, &stage.market.people);
    let mut tx = stage.market.relay.db().read().await.unwrap();
    let always = (Timestamp::EPOCH, Timestamp::MAX);
    let dialled = Which::Number(stage.session.dials[0].expose().to_owned());
    let found = statutory::find(&mut tx, account, &dialled, always, None, 100).await.unwrap();
    // The seller may dial the same number.
    let mut found = found;
    found.retain(|one| one.identifier.as_ref() == Some(&people[0].number));
    assert_eq!(found.len(), 2);
    let what: Vec<&str> = found.iter().map(|one| one.facts["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["number_assigned", "message"]);
    assert_eq!(found[1].facts["outcome"], "relayed");
    assert_eq!(format!("{:?}", found[0]), format!("Record({})", found[0].id));
    let seller = statutory::person(&mut tx, account, &people[1].number).await.unwrap();
    let of_seller = Which::Person(seller);
    let page = statutory::find(&mut tx, account, &of_seller, always, None, 1).await.unwrap();
    let rest =
        statutory::find(&mut tx, account, &of_seller, always, page.first(), 9).await.unwrap();
    assert_eq!((page.len(), rest.len()), (1, 1));
    assert_eq!(rest[0].facts["direction"], "outbound");
    let earlier = (Timestamp::EPOCH, page[0].at);
    let none = statutory::find(&mut tx, account, &of_seller, earlier, None, 9).await.unwrap();
    assert!(none.is_empty());
    drop(tx);
    // Nothing of it in clear where it lies.
    let facts = "SELECT facts FROM statutory_records ORDER BY id LIMIT 1";
    let sealed = text_of(&stage.database, facts).await;
    for clear in [people[0].number.expose(), "buyer", "assigned"] {
        assert!(!sealed.contains(clear), "{clear}");
    }
}

/// The words of a text are nowhere once it has its final outcome, whichever: its session is closed, its own
/// time or its session's is up, or somebody blocks somebody. (`poison.rs` has what is set aside after crashes.)
#[tokio::test]
async fn no_words_outlive_the_final_outcome() {
    for how in ["relayed", "closed", "too late", "expired", "blocked", "removed"] {
        for database in support::databases().await {
            let rules = Rules { default_ttl: Duration::ZERO, ..Rules::new("Bikes".into()) };
            let stage = Stage::open(database, rules, Retention::default()).await;
            let owed = "outbox WHERE payload IS NOT NULL";
            let down = Faults { fail_next: 100_000, ..Faults::default() };
            stage.world.network.set_faults(down);
            stage.text("1").await;
            assert_eq!(stage.count(owed).await, 1, "{how}");
            stage.ends(how).await;
            let ended = "outbox WHERE state IN ('done', 'parked') AND payload IS NULL";
            assert_eq!(stage.counts([owed, ended]).await, [0, 1], "{how}");
            stage.end().await;
        }
    }
}

impl Stage {
    /// The text that is owed ends so.
    async fn ends(&self, how: &str) {
        let (account, id) = (self.market.account.clone(), self.session.id.clone());
        match how {
            "closed" => return self.close().await,
            "relayed" => self.world.network.set_faults(Faults::default()),
            "too late" => self.world.clock.advance(DAY_MS),
            "expired" => {
                let change = relay::UpdateSession {
                    ttl: Some(Duration::from_mins(1)),
                    ..relay::UpdateSession::default()
                };
                let changed = self.market.relay.db().write(move |tx| {
                    let (account, id, change) = (account.clone(), id.clone(), change.clone());
                    Box::pin(async move {
                        relay::update(tx, &account, &id, &change, None).await.map(drop)
                    })
                });
                changed.await.unwrap();
                self.world.clock.advance(120_000);
                self.market.relay.expire_due().await.unwrap();
            }
            "blocked" | "removed" => {
                let remove = how == "removed";
                let done = self.market.relay.db().write(move |tx| {
                    let (account, id) = (account.clone(), id.clone());
                    Box::pin(async move {
                        let people = participants::of_session(tx, &account, &id).await?;
                        if remove {
                            relay::remove_participant(tx, &account, &id, &people[1].id).await?;
                        } else {
                            relay::set_block(tx, &account, &id, &people[1].id, true).await?;
                        }
                        Ok::<_, relay::Error>(())
                    })
                });
                done.await.unwrap();
            }
            other => panic!("{other}"),
        }
        // Until its turn comes again, however long its carrier rests.
        for _ in 0..40 {
            self.world.running.jobs.idle().await;
            if self.count("outbox WHERE state IN ('ready', 'sending')").await == 0 {
                break;
            }
            self.world.clock.advance(30_000);
        }
    }
}
