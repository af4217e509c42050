//! How much people may write and call, and what stops machines that answer each other: T13, T14, on each engine.

use std::time::Duration;

use entremise::{
    domain::{
        abuse::{Limit, Limits, Window},
        interaction::{Outcome, Reason},
        policy::Rules,
    },
    relay,
    store::{events, interactions::Interaction, sessions::Page, tallies},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    market::{Market, Opened},
    receiver,
    support::{self, Answered, Database, World},
};

const HOUR_MS: i64 = 3_600_000;

/// People of a service, in an installation with these limits.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) market: Market,
}

impl Stage {
    pub(crate) async fn open(
        database: &Database,
        people: usize,
        pool: usize,
        limits: &[(Limit, u32)],
        rules: Rules,
    ) -> Self {
        let mut config = support::settings(database);
        config.api.rate_per_minute = 100_000;
        config.abuse.limits = Limits::usual();
        for (limit, most) in limits {
            config.abuse.limits.set(*limit, *most);
        }
        let world = World::standing(config).await;
        let market = Market::open(&world, people, pool, rules).await;
        Self { world, market }
    }

    pub(crate) fn number(&self, who: usize) -> String {
        self.market.people[who].number.expose().to_owned()
    }

    /// Somebody writes to what they dial in that session.
    pub(crate) async fn text(&self, id: &str, who: usize, session: &Opened, words: &str) {
        let to = session.dials[who % 2].expose();
        self.text_to(id, Some(&self.number(who)), to, words).await;
    }

    pub(crate) async fn text_to(&self, id: &str, from: Option<&str>, to: &str, words: &str) {
        let event = json!({ "event": "message", "id": id, "from": from, "to": to, "text": words });
        let answer = support::webhook(&self.world, "message", &event).await;
        assert!(answer.status.is_success(), "{}", answer.status);
    }

    pub(crate) async fn call(&self, id: &str, from: Option<&str>, to: &str) -> Answered {
        let event = json!({ "event": "call", "id": id, "from": from, "to": to });
        support::webhook(&self.world, "call", &event).await
    }

    /// Somebody calls what they dial in that session; what the carrier is told.
    pub(crate) async fn calls(&self, id: &str, who: usize, session: &Opened) -> String {
        let to = session.dials[who % 2].expose();
        let answer = self.call(id, Some(&self.number(who)), to).await;
        String::from_utf8(answer.body).unwrap()
    }

    /// How the newest text or call ended.
    pub(crate) async fn newest(&self) -> (Option<Outcome>, Option<Reason>) {
        self.world.running.idle().await;
        let newest = support::interactions(&self.world).await.remove(0);
        (newest.outcome, newest.reason)
    }

    pub(crate) async fn log(&self) -> Vec<Interaction> {
        self.world.running.idle().await;
        support::interactions(&self.world).await
    }

    /// What somebody's phone got.
    pub(crate) async fn got(&self, who: usize) -> Vec<String> {
        self.world.running.idle().await;
        let view = self.market.network.seen(self.market.people[who].phone).unwrap();
        view.received().map(|text| text.body.expose().to_owned()).collect()
    }

    /// The data of the events of a type.
    pub(crate) async fn told(&self, kind: &str) -> Vec<Value> {
        let mut tx = self.market.relay.db().read().await.unwrap();
        let page = Page { before: None, after: None, limit: 1000 };
        let account = &self.market.account;
        let all = events::list(&mut tx, account, None, Some(kind), &page).await.unwrap();
        all.iter().map(|event| serde_json::from_str(&event.data).unwrap()).collect()
    }

    /// An hour, a day or 30 seconds begin.
    pub(crate) fn next(&self, length_ms: i64) {
        let now = self.world.clock.now().millis();
        self.world.clock.advance(length_ms - now.rem_euclid(length_ms));
    }

    pub(crate) async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

pub(crate) const RELAYED: (Option<Outcome>, Option<Reason>) = (Some(Outcome::Relayed), None);

pub(crate) fn refused(reason: Reason) -> (Option<Outcome>, Option<Reason>) {
    (Some(Outcome::Refused), Some(reason))
}

fn bikes() -> Rules {
    Rules::new("Bikes".into())
}

/// Texts of a session above its limit in 30 seconds are refused, whoever writes; their writer is told once where the
/// service says so. The next 30 seconds are new. A service's own limit is the lower one.
#[tokio::test]
async fn a_session_has_so_many_texts() {
    for database in support::databases().await {
        let mut limits = Limits::default();
        limits.set(Limit::PairTexts, 3);
        let rules = Rules { limits, tell_limits: true, ..bikes() };
        let stage = Stage::open(&database, 2, 2, &[], rules).await;
        let session = stage.market.session([0, 1], 0, None).await.unwrap();
        stage.next(30_000);
        for (id, who) in [("1", 0), ("2", 1), ("3", 0)] {
            stage.text(id, who, &session, id).await;
            assert_eq!(stage.newest().await, RELAYED, "{id} on {}", database.name);
        }
        for id in ["4", "5"] {
            stage.text(id, 0, &session, "too much").await;
        }
        let log = stage.log().await;
        let limited = |one: &&Interaction| one.reason == Some(Reason::RateLimited);
        assert_eq!(log.iter().filter(limited).count(), 2, "on {}", database.name);
        assert_eq!(stage.got(1).await, ["1", "3"]);
        let got = stage.got(0).await;
        assert_eq!(got.len(), 2, "{got:?}");
        assert!(got[1].starts_with("Bikes: too many messages"), "{got:?}");
        assert_eq!(stage.told("message.refused").await[0]["reason"], "rate_limited");
        let mut tx = stage.market.relay.db().read().await.unwrap();
        let hour = Window::Hour.place(tx.now().await.unwrap());
        let sent = tallies::of_accounts(&mut tx, hour).await.unwrap();
        assert_eq!(sent[0].used, 3, "what is refused fills no hour of the account's");
        drop(tx);
        stage.next(30_000);
        stage.text("6", 0, &session, "later").await;
        assert_eq!(stage.got(1).await.last().unwrap(), "later");
        stage.end(database).await;
    }
}

/// Of many texts of one person at once, in several sessions, as many go as may in an hour, and no more.
#[tokio::test]
async fn a_person_writes_so_much_however_fast() {
    for database in support::databases().await {
        let limits = [(Limit::PersonTextsHour, 5)];
        let stage = Stage::open(&database, 8, 8, &limits, bikes()).await;
        let mut sessions = Vec::new();
        for other in [1, 3, 5, 7] {
            sessions.push(stage.market.session([0, other], 0, None).await.unwrap());
        }
        stage.next(HOUR_MS);
        let (stage_of, all) = (&stage, &sessions);
        let texts = (0..20).map(async |n| {
            stage_of.text(&format!("{n}"), 0, &all[n % 4], &format!("text {n}")).await;
        });
        join_all(texts).await;
        let log = stage.log().await;
        let count = |reason| log.iter().filter(|one| one.reason == reason).count();
        assert_eq!((count(None), count(Some(Reason::RateLimited))), (5, 15), "{}", database.name);
        stage.next(HOUR_MS);
        stage.text("next", 0, &sessions[0], "an hour later").await;
        assert_eq!(stage.newest().await, RELAYED);
        stage.end(database).await;
    }
}

/// Of calls at once in a session one is put through, whoever calls; the other hears that the line is busy, and not
/// what strangers hear. Once it is over, or was never answered and is forgotten, the next one is.
#[tokio::test]
async fn a_session_has_one_call_at_once() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 2, 2, &[], bikes()).await;
        let session = stage.market.session([0, 1], 0, None).await.unwrap();
        stage.next(HOUR_MS);
        let calls = [0, 1, 0, 1, 0, 1].into_iter().enumerate();
        let (stage_of, of) = (&stage, &session);
        let calls = calls.map(async |(n, who)| stage_of.calls(&format!("call-{n}"), who, of).await);
        let said = join_all(calls).await;
        let busy = |text: &&String| text.contains("The line is busy");
        assert_eq!(said.iter().filter(busy).count(), 5, "{said:?} on {}", database.name);
        assert!(said.iter().all(|text| !text.contains("Please open")));
        let log = stage.log().await;
        let refused = |one: &&Interaction| one.reason == Some(Reason::CallInProgress);
        assert_eq!(log.iter().filter(refused).count(), 5);
        let mut tx = stage.market.relay.db().read().await.unwrap();
        let hour = Window::Hour.place(tx.now().await.unwrap());
        let called = tallies::of_accounts(&mut tx, hour).await.unwrap();
        assert_eq!(called[0].used, 1, "what is refused fills no hour of the account's");
        drop(tx);
        let path = format!("/sessions/{}", session.id);
        let view = receiver::done(&stage.world, "GET", &path, None).await;
        let from = json!({ "participant_id": view["participants"][0]["id"] });
        let asked = receiver::ask(&stage.world, "POST", &format!("{path}/calls"), Some(from)).await;
        assert_eq!((asked.0, &asked.1["code"]), (409, &json!("call_in_progress")), "{asked:?}");
        // Nobody told how it ended, and it was never answered.
        stage.world.clock.advance(5 * 60_000);
        assert!(!stage.calls("later", 0, &session).await.contains("busy"), "{}", database.name);
        stage.end(database).await;
    }
}

/// A call that was answered counts for as long as it may last, and no longer, where nobody tells of its end.
#[tokio::test]
async fn an_answered_call_counts_while_it_may_last() {
    for database in support::databases().await {
        let rules = Rules { call_max: Duration::from_mins(30), ..bikes() };
        let stage = Stage::open(&database, 2, 2, &[], rules).await;
        let session = stage.market.session([0, 1], 0, None).await.unwrap();
        let network = &stage.market.network;
        let [caller, callee] = [0, 1].map(|who| stage.market.people[who].phone);
        network.dial(caller, &session.dials[0]).unwrap();
        let rings = network.until(callee, |view| view.call().is_some()).await;
        network.answer(callee, &rings.call().unwrap().id).unwrap();
        stage.world.running.idle().await;
        for (minutes, busy) in [(20, true), (12, false)] {
            stage.world.clock.advance(minutes * 60_000);
            let said = stage.calls(&format!("after-{minutes}"), 1, &session).await;
            assert_eq!(said.contains("busy"), busy, "{minutes} on {}: {said}", database.name);
        }
        stage.end(database).await;
    }
}

/// A call that was answered counts until it ends. What two people talked on a day is taken from their minutes: the
/// next call is as short as what is left, and none follows once nothing is.
#[tokio::test]
async fn minutes_of_a_day_are_bounded() {
    for database in support::databases().await {
        let limits = [(Limit::PairMinutes, 2)];
        let stage = Stage::open(&database, 2, 2, &limits, bikes()).await;
        let session = stage.market.session([0, 1], 0, None).await.unwrap();
        stage.next(24 * HOUR_MS);
        let network = &stage.market.network;
        let [caller, callee] = [0, 1].map(|who| stage.market.people[who].phone);
        for (talked_ms, most) in [(60_000, 60), (61_000, 0)] {
            let call = network.dial(caller, &session.dials[0]).unwrap();
            let rings = network.until(callee, |view| view.call().is_some()).await;
            network.answer(callee, &rings.call().unwrap().id).unwrap();
            stage.world.running.idle().await;
            let other = stage.calls(&format!("beside-{talked_ms}"), 1, &session).await;
            assert!(other.contains("busy"), "{other} on {}", database.name);
            stage.world.clock.advance(talked_ms);
            network.hang_up(caller, &call).unwrap();
            network.until(callee, |view| view.call().is_none()).await;
            stage.world.running.idle().await;
            let left = stage.longest(&session).await;
            assert!((most - 30..=most).contains(&left), "{left}, not {most} on {}", database.name);
        }
        let said = stage.calls("spent", 0, &session).await;
        assert!(said.contains("The line is busy"), "{said} on {}", database.name);
        assert_eq!(stage.newest().await, refused(Reason::MinutesSpent));
        stage.next(24 * HOUR_MS);
        let said = stage.calls("tomorrow", 0, &session).await;
        assert!(said.contains("\"duration_max_ms\":120000"), "{said} on {}", database.name);
        stage.end(database).await;
    }
}

impl Stage {
    /// How many seconds the minutes of the day leave to the session.
    async fn longest(&self, session: &Opened) -> i64 {
        let mut tx = self.market.relay.db().read().await.unwrap();
        let now = tx.now().await.unwrap();
        let (account, session) = (&self.market.account, session.id.as_str());
        let talked = tallies::talked(&mut tx, account, session, now);
        120 - i64::try_from(talked.await.unwrap()).unwrap()
    }
}

/// I6: two machines that answer each other stop at the fifth text, though times and signs in their words differ; the
/// marketplace is told, and the session's texts go on once somebody says so, or the pause is over. People who write
/// short words again and again are no machines.
#[tokio::test]
async fn i6_machines_that_answer_each_other_stop() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 4, 4, &[], bikes()).await;
        let session = stage.market.session([0, 1], 0, None).await.unwrap();
        let machines = async |prefix: &str| {
            for n in 0..9 {
                let words = match n % 2 {
                    0 => format!("I'm driving, back at 10:{n:02}"),
                    _ => format!("Out of office until {n}/12!"),
                };
                stage.text(&format!("{prefix}{n}"), n % 2, &session, &words).await;
            }
        };
        machines("a").await;
        assert_eq!(stage.got(1).await.len() + stage.got(0).await.len(), 4, "{}", database.name);
        assert_eq!(stage.newest().await, refused(Reason::LoopStopped));
        let told = stage.told("session.looped").await;
        assert_eq!(told.len(), 1, "on {}", database.name);
        let pauses = receiver::done(&stage.world, "GET", "/traffic-pauses", None).await;
        assert_eq!(pauses["data"][0]["id"], told[0]["pause_id"]);
        assert_eq!(pauses["data"][0]["session_id"], session.id.as_str());
        let lift = format!("/traffic-pauses/{}/lift", told[0]["pause_id"].as_str().unwrap());
        for _ in 0..2 {
            let lifted = receiver::done(&stage.world, "POST", &lift, Some(json!({}))).await;
            assert!(lifted["lifted_at"].is_string(), "{lifted}");
        }
        assert_eq!(stage.told("traffic.resumed").await.len(), 1, "once");
        stage.text("person", 0, &session, "Sorry, I am back").await;
        assert_eq!(stage.newest().await, RELAYED, "on {}", database.name);
        stage.next(30_000);
        machines("b").await;
        assert_eq!(stage.told("session.looped").await.len(), 2);
        stage.world.clock.advance(HOUR_MS);
        stage.text("later", 0, &session, "An hour later").await;
        assert_eq!(stage.newest().await, RELAYED, "on {}", database.name);
        let people = stage.market.session([2, 3], 0, None).await.unwrap();
        for n in 0..12 {
            stage.text(&format!("ok{n}"), 2 + n % 2, &people, "ok").await;
            assert_eq!(stage.newest().await, RELAYED, "{n} on {}", database.name);
        }
        // Nor are those who write the same, but take their time.
        for n in 0..8 {
            stage.text(&format!("slow{n}"), 2 + n % 2, &people, "Good morning").await;
            assert_eq!(stage.newest().await, RELAYED, "slow {n} on {}", database.name);
            stage.world.clock.advance(11 * 60_000);
        }
        stage.end(database).await;
    }
}

/// Sessions that one person joins are bounded: the API answers 429 and says when to ask again, and nothing is opened.
/// What is refused does not count. Texts of the marketplace are bounded as people's are.
#[tokio::test]
async fn the_api_is_told_to_wait() {
    for database in support::databases().await {
        let limits = [(Limit::PersonSessionsHour, 2), (Limit::PairTexts, 1)];
        let stage = Stage::open(&database, 6, 6, &limits, bikes()).await;
        stage.next(HOUR_MS);
        let first = stage.market.session([0, 1], 0, None).await.unwrap();
        stage.market.session([0, 3], 0, None).await.unwrap();
        for _ in 0..3 {
            let third = stage.market.session([0, 5], 0, None).await;
            assert!(
                matches!(third, Err(relay::Error::RateLimited(wait)) if wait <= Duration::from_hours(1)),
                "{third:?} on {}",
                database.name
            );
        }
        let people = json!([
            { "role": "buyer", "identifier": stage.number(0) },
            { "role": "seller", "identifier": stage.number(5) },
        ]);
        let new = json!({ "service_id": stage.market.service, "participants": people });
        let answer = receiver::raw(&stage.world, "POST", "/api/v1/sessions", Some(new)).await;
        assert_eq!(answer.status, 429, "on {}", database.name);
        let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
        stage.market.session([2, 5], 0, None).await.unwrap();
        stage.next(30_000);
        let path = format!("/sessions/{}", first.id);
        let view = receiver::done(&stage.world, "GET", &path, None).await;
        let text = json!({ "participant_id": view["participants"][0]["id"], "body": "hello" });
        let send = format!("{path}/messages");
        receiver::done(&stage.world, "POST", &send, Some(text.clone())).await;
        let (status, problem) = receiver::ask(&stage.world, "POST", &send, Some(text)).await;
        assert_eq!((status, &problem["code"]), (429, &json!("rate_limited")), "{problem}");
        stage.next(HOUR_MS);
        stage.market.session([0, 5], 0, None).await.unwrap();
        stage.end(database).await;
    }
}
