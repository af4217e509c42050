//! Codes that are sent to phones and given back, through the running relay: on each engine.

use std::time::Duration;

use entremise::{
    domain::opt_out::{Scope, Source},
    domain::{
        interaction::{Outcome, Reason},
        policy::Rules,
        verification::Limits,
    },
    sandbox::{CallStage, Faults, PhoneView, Sound},
    store::{
        events,
        opt_outs::{self, OptOut},
        sessions::Page,
    },
};
use serde_json::{Value, json};

use crate::{
    market::Market,
    poison::sql,
    receiver,
    support::{self, Answered, Database, World},
};

const DAY_MS: i64 = 86_400_000;

/// A marketplace, and somebody who is asked for a code.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) market: Market,
}

impl Stage {
    pub(crate) async fn open(database: &Database) -> Self {
        Self::with(database, Rules::new("Bikes".into()), Limits::default()).await
    }

    pub(crate) async fn with(database: &Database, rules: Rules, limits: Limits) -> Self {
        let mut config = support::settings(database);
        config.verification = limits;
        config.api.rate_per_minute = 100_000;
        let world = World::standing(config).await;
        let market = Market::open(&world, 3, 2, rules).await;
        Self { world, market }
    }

    /// What the API answers.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answered {
        receiver::raw(&self.world, method, &format!("/api/v1{path}"), body).await
    }

    /// The answer, which has that status.
    #[track_caller]
    pub(crate) fn is(answer: &Answered, status: u16) -> Value {
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Asks for a code to that person.
    pub(crate) async fn send(&self, who: usize, more: Value) -> Answered {
        let number = self.market.people[who].number.expose();
        let mut body = json!({ "to": number, "channel": "sms" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask("POST", "/verifications", Some(body)).await
    }

    /// A verification that was just begun; its path.
    pub(crate) async fn begin(&self, who: usize) -> String {
        let one = Self::is(&self.send(who, json!({})).await, 201);
        format!("/verifications/{}", one["id"].as_str().unwrap())
    }

    async fn check(&self, path: &str, code: &str) -> Answered {
        self.ask("POST", &format!("{path}/check"), Some(json!({ "code": code }))).await
    }

    /// Whether the code was right, and what the verification is then.
    pub(crate) async fn checked(&self, path: &str, code: &str) -> (bool, String) {
        let one = Self::is(&self.check(path, code).await, 200);
        let status = one["verification"]["status"].as_str().unwrap().to_owned();
        (one["valid"].as_bool().unwrap(), status)
    }

    /// The texts on somebody's phone.
    pub(crate) async fn got(&self, who: usize) -> Vec<String> {
        self.world.running.idle().await;
        let view = self.market.network.seen(self.market.people[who].phone).unwrap();
        view.received().map(|text| text.body.expose().to_owned()).collect()
    }

    /// The code that came last to somebody's phone.
    pub(crate) async fn code(&self, who: usize) -> String {
        let texts = self.got(who).await;
        texts.last().unwrap().chars().take_while(char::is_ascii_digit).collect()
    }

    /// The types of what the marketplace is told of verifications, oldest first.
    async fn told(&self) -> Vec<String> {
        let mut tx = self.market.relay.db().read().await.unwrap();
        let page = Page { before: None, after: None, limit: 1000 };
        let all = events::list(&mut tx, &self.market.account, None, None, &page).await.unwrap();
        let ours = all.into_iter().rev().filter(|event| event.kind.starts_with("verification."));
        ours.map(|event| event.kind).collect()
    }

    /// Has somebody say that they want no texts from any number.
    async fn stop(&self, who: usize) {
        let (account, market) = (self.market.account.clone(), self.market.clone());
        let number = self.market.people[who].number.clone();
        let done = self.market.relay.db().write(move |tx| {
            let (account, market, number) = (account.clone(), market.clone(), number.clone());
            Box::pin(async move {
                let keys = entremise::store::accounts::keys(tx, &account).await?;
                let person = keys.index.person(&number.canonical());
                let now = tx.now().await?;
                for id in &market.numbers {
                    let value = id.as_str();
                    let one =
                        OptOut { account: &account, person: &person, scope: Scope::Number, value };
                    opt_outs::insert(tx, one, Source::Person, now).await?;
                }
                Ok::<_, entremise::store::Error>(())
            })
        });
        done.await.unwrap();
    }

    pub(crate) async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// A code that is none of those that were sent.
fn wrong(code: &str) -> String {
    code.chars().map(|digit| if digit == '9' { '0' } else { char::from(digit as u8 + 1) }).collect()
}

/// A phone gets the code, which shows that the number is theirs, once; the API never has the number or
/// the code, and once it is over the database has neither.
#[tokio::test]
async fn a_code_is_sent_and_given_back_once() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let made = stage.send(0, json!({ "domain": "bikes.example" })).await;
        let text = String::from_utf8_lossy(&made.body).into_owned();
        let one = Stage::is(&made, 201);
        assert!(!text.contains("2125550100"), "{text}");
        assert_eq!(one["status"], "pending");
        assert!(one["to_masked"].as_str().unwrap().starts_with("+1••••"));
        let path = format!("/verifications/{}", one["id"].as_str().unwrap());
        let code = stage.code(0).await;
        assert_eq!(code.len(), 6);
        let words = format!("{code} is your Bikes code. Don't share it.\n\n@bikes.example #{code}");
        assert_eq!(stage.got(0).await, [words]);
        assert!(!text.contains(&code));

        assert_eq!(stage.checked(&path, &wrong(&code)).await, (false, "pending".into()));
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        assert_eq!(stage.checked(&path, &spaced).await, (true, "verified".into()));
        let again = Stage::is(&stage.check(&path, &code).await, 409);
        assert_eq!(again["code"], "verification_ended");
        assert_eq!(again["verification_status"], "verified");
        let read = stage.ask("GET", &path, None).await;
        assert!(!String::from_utf8_lossy(&read.body).contains(&code));
        assert_eq!(Stage::is(&read, 200)["status"], "verified");
        assert_eq!(stage.told().await, ["verification.sent", "verification.verified"]);
        let log = support::interactions(&stage.world).await;
        assert_eq!((log.len(), log[0].outcome), (1, Some(Outcome::Relayed)));
        for left in [
            "SELECT COUNT(*) FROM verifications WHERE number IS NOT NULL",
            "SELECT COUNT(*) FROM verification_sends WHERE code IS NOT NULL OR spoken IS NOT NULL",
            "SELECT COUNT(*) FROM outbox WHERE payload IS NOT NULL",
        ] {
            assert_eq!(sql(&database, left).await, 0, "{left} on {}", database.name);
        }
        assert_eq!(sql(&database, "SELECT COUNT(*) FROM charges WHERE code = '1'").await, 1);
        stage.end(database).await;
    }
}

/// Five wrong codes end it, and then the right one is good no more. However many come at once, no more than
/// five are compared.
#[tokio::test]
async fn five_wrong_codes_end_it() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let path = stage.begin(0).await;
        let code = stage.code(0).await;
        let bad = wrong(&code);
        let tries = futures_util::future::join_all((0..12).map(|_| stage.check(&path, &bad))).await;
        let compared = tries.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(compared, 5, "on {}", database.name);
        assert!(tries.iter().all(|answer| answer.status == 200 || answer.status == 409));
        assert_eq!(
            Stage::is(&stage.check(&path, &code).await, 409)["verification_status"],
            "failed"
        );
        assert_eq!(stage.told().await, ["verification.sent", "verification.failed"]);
        let right = stage.begin(1).await;
        let code = stage.code(1).await;
        let tries =
            futures_util::future::join_all((0..8).map(|_| stage.check(&right, &code))).await;
        let good = tries.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(good, 1, "a code is good once, on {}", database.name);
        stage.end(database).await;
    }
}

/// Another code goes out once the wait is over, which grows; the last two are good, one before is not, and
/// after five there are no more. The verification stays the same.
#[tokio::test]
async fn sending_again_waits_longer_each_time() {
    for database in support::databases().await {
        let limits = Limits { person_hour: 0, ..Limits::default() };
        let stage = Stage::with(&database, Rules::new("Bikes".into()), limits).await;
        let one = Stage::is(&stage.send(0, json!({ "ttl_seconds": 3600 })).await, 201);
        let path = format!("/verifications/{}", one["id"].as_str().unwrap());
        let mut codes = vec![stage.code(0).await];
        for wait in [30, 60, 120, 240] {
            let early = stage.send(0, json!({})).await;
            let told = Stage::is(&early, 429);
            assert_eq!(told["code"], "verification_too_soon");
            let after: u64 = early.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((wait - 5..=wait).contains(&after), "{after} of {wait} on {}", database.name);
            stage.world.clock.advance(i64::try_from(wait).unwrap() * 1000);
            let one = Stage::is(&stage.send(0, json!({})).await, 200);
            assert_eq!(format!("/verifications/{}", one["id"].as_str().unwrap()), path);
            codes.push(stage.code(0).await);
        }
        // However long one waits: until the time of this one is up.
        stage.world.clock.advance(600_000);
        let none = stage.send(0, json!({})).await;
        assert_eq!(Stage::is(&none, 429)["code"], "verification_too_soon");
        let after: i64 = none.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((2540..=2550).contains(&after), "{after} on {}", database.name);
        assert_eq!(stage.got(0).await.len(), 5);
        // Two of five may be alike by chance; then there is nothing to tell.
        if !codes[3..].contains(&codes[2]) {
            assert!(!stage.checked(&path, &codes[2]).await.0, "an old one");
        }
        assert_eq!(stage.checked(&path, &codes[3]).await, (true, "verified".into()));
        // By either channel: a call after a text.
        stage.begin(2).await;
        // What is under way while the clock jumps may come after what follows.
        stage.world.running.idle().await;
        stage.world.clock.advance(31_000);
        let more = json!({ "channel": "call", "language": "de" });
        let other = Stage::is(&stage.send(2, more).await, 200);
        assert_eq!((&other["channel"], &other["language"]), (&json!("call"), &json!("de")));
        stage.world.clock.advance(61_000);
        let more = json!({ "language": "de" });
        assert_eq!(Stage::is(&stage.send(2, more).await, 200)["channel"], "sms");
        assert!(stage.got(2).await.last().unwrap().contains("ist Ihr Code"));
        stage.end(database).await;
    }
}

/// A code is good for its time, and then there is a new verification with a new code. A text that waits for
/// its carrier for so long is not sent.
#[tokio::test]
async fn codes_lapse() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.market.network.set_faults(Faults { fail_next: 1_000, ..Faults::default() });
        Stage::is(&stage.send(1, json!({ "ttl_seconds": 60 })).await, 201);
        stage.world.running.idle().await;
        stage.world.clock.advance(61_000);
        stage.market.network.set_faults(Faults::default());
        let reason = async || support::interactions(&stage.world).await[0].reason;
        support::until(async || {
            stage.world.clock.advance(1_000);
            stage.world.running.idle().await;
            reason().await.is_some()
        })
        .await;
        assert_eq!(reason().await, Some(Reason::TooLate), "on {}", database.name);
        assert!(stage.got(1).await.is_empty(), "on {}", database.name);
        let one = Stage::is(&stage.send(0, json!({ "ttl_seconds": 60 })).await, 201);
        let path = format!("/verifications/{}", one["id"].as_str().unwrap());
        let code = stage.code(0).await;
        stage.world.clock.advance(60_000);
        assert_eq!(Stage::is(&stage.ask("GET", &path, None).await, 200)["status"], "expired");
        let late = Stage::is(&stage.check(&path, &code).await, 409);
        assert_eq!(late["verification_status"], "expired");
        assert_ne!(stage.begin(0).await, path);
        // Whoever answers a call too late hears none.
        Stage::is(&stage.send(2, json!({ "channel": "call", "ttl_seconds": 60 })).await, 201);
        let (network, phone) = (&stage.market.network, stage.market.people[2].phone);
        let view = network.until(phone, |view| view.call().is_some()).await;
        stage.world.clock.advance(60_000);
        network.answer(phone, &view.call().unwrap().id).unwrap();
        let view = network.until(phone, |view| view.call().is_none()).await;
        let words = view.calls[0].heard.iter().any(|sound| matches!(sound, Sound::Words { .. }));
        assert!(!words, "{:?} on {}", view.calls[0].heard, database.name);
        stage.market.relay.expire_verifications().await.unwrap();
        let told = stage.told().await;
        assert!(told.contains(&"verification.expired".to_owned()), "{told:?}");
        stage.end(database).await;
    }
}

/// A verification that was given up takes no code.
#[tokio::test]
async fn a_cancelled_one_takes_no_code() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let path = stage.begin(0).await;
        let code = stage.code(0).await;
        let gone = Stage::is(&stage.ask("POST", &format!("{path}/cancel"), None).await, 200);
        assert_eq!(gone["status"], "cancelled");
        assert_eq!(
            Stage::is(&stage.check(&path, &code).await, 409)["verification_status"],
            "cancelled"
        );
        Stage::is(&stage.ask("POST", &format!("{path}/cancel"), None).await, 409);
        stage.end(database).await;
    }
}

/// A call says the code twice, digit by digit, in the language that is asked for, and hangs up; the log has a
/// call that was answered.
#[tokio::test]
async fn a_call_says_the_code() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let more = json!({ "channel": "call", "language": "fr-FR", "code_length": 4 });
        let one = Stage::is(&stage.send(0, more).await, 201);
        let path = format!("/verifications/{}", one["id"].as_str().unwrap());
        let (network, phone) = (&stage.market.network, stage.market.people[0].phone);
        let ringing = |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
        let view = network.until(phone, ringing).await;
        network.answer(phone, &view.call().unwrap().id).unwrap();
        let view = network.until(phone, |view| view.call().is_none()).await;
        let heard = view.calls[0].heard.iter().find_map(|sound| match sound {
            Sound::Words { text, language, .. } => Some((text.clone(), language.clone())),
            _ => None,
        });
        let (words, language) = heard.expect("words");
        assert_eq!(language, "fr-FR");
        let said = words.strip_prefix("Votre code Bikes est : ").unwrap();
        let digits = said.split_once('.').unwrap().0;
        assert_eq!(words.matches(digits).count(), 2, "{words}");
        let code = digits.replace(", ", "");
        assert_eq!(code.len(), 4);
        stage.world.running.idle().await;
        let log = support::interactions(&stage.world).await;
        assert_eq!(
            (log.len(), log[0].outcome),
            (1, Some(Outcome::Connected)),
            "{:?}",
            log[0].reason
        );
        assert_eq!(stage.checked(&path, &code).await, (true, "verified".into()));
        assert_eq!(stage.told().await, ["verification.sent", "verification.verified"]);
        stage.end(database).await;
    }
}

/// Whoever does not answer hears nothing, and whoever answers once the code is good no more hears none.
#[tokio::test]
async fn a_call_says_no_code_that_has_ended() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let one = Stage::is(&stage.send(0, json!({ "channel": "call" })).await, 201);
        let path = format!("/verifications/{}", one["id"].as_str().unwrap());
        let (network, phone) = (&stage.market.network, stage.market.people[0].phone);
        let ringing = |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
        let view = network.until(phone, ringing).await;
        Stage::is(&stage.ask("POST", &format!("{path}/cancel"), None).await, 200);
        network.answer(phone, &view.call().unwrap().id).unwrap();
        let view = network.until(phone, |view| view.call().is_none()).await;
        let words = view.calls[0].heard.iter().any(|sound| matches!(sound, Sound::Words { .. }));
        assert!(!words, "{:?}", view.calls[0].heard);
        Stage::is(&stage.send(1, json!({ "channel": "call" })).await, 201);
        let other = stage.market.people[1].phone;
        let view = network.until(other, ringing).await;
        network.decline(other, &view.call().unwrap().id).unwrap();
        network.until(other, |view| view.call().is_none()).await;
        stage.world.running.idle().await;
        let log = support::interactions(&stage.world).await;
        assert_eq!(log[0].outcome, Some(Outcome::Busy), "{:?}", log[0].reason);
        stage.end(database).await;
    }
}

/// Each count keeps codes back by itself, says for how long, and lets them go again then.
#[tokio::test]
async fn counts_keep_codes_back() {
    for (limits, code) in [
        (Limits { person_hour: 1, ..Limits::default() }, "verification_person_limit"),
        (Limits { person_day: 1, ..Limits::default() }, "verification_person_limit"),
        (Limits { prefix_hour: 1, ..Limits::default() }, "verification_prefix_limit"),
        (Limits { client_hour: 1, ..Limits::default() }, "verification_client_limit"),
        (Limits { account_hour: 1, ..Limits::default() }, "verification_account_limit"),
    ] {
        for database in support::databases().await {
            let stage = Stage::with(&database, Rules::new("Bikes".into()), limits).await;
            Stage::is(&stage.send(0, json!({ "ip": "2001:db8::1" })).await, 201);
            // The others are neighbours, and another address of the same network asks.
            let who = usize::from(code != "verification_person_limit");
            stage.world.clock.advance(40_000);
            let held = stage.send(who, json!({ "ip": "2001:db8::2" })).await;
            let told = Stage::is(&held, 429);
            assert_eq!(told["code"], code, "on {}", database.name);
            let wait: i64 = held.headers["retry-after"].to_str().unwrap().parse().unwrap();
            let longest = if limits.person_day == 1 { 86_400 } else { 3600 };
            assert!((longest - 60..=longest).contains(&wait), "{wait}");
            stage.world.clock.advance(wait * 1000);
            let after = stage.send(who, json!({ "ip": "2001:db8::2" })).await;
            assert!(after.status.is_success(), "{}", after.status);
            stage.end(database).await;
        }
    }
}

/// Whoever said STOP to every number is sent nothing, by text or call, and nobody who asks can tell: the
/// answers are those that anybody gets. Whoever said it to one gets the code from another.
#[tokio::test]
async fn whoever_wants_no_texts_gets_none_and_nobody_can_tell() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.stop(1).await;
        for channel in ["sms", "call"] {
            let answers = [
                stage.send(0, json!({ "channel": channel })).await,
                stage.send(1, json!({ "channel": channel })).await,
            ];
            let [stranger, stopped] = answers.map(|answer| {
                let status = if channel == "sms" { 201 } else { 200 };
                let mut one = Stage::is(&answer, status);
                for own in
                    ["id", "to_masked", "expires_at", "next_send_at", "created_at", "updated_at"]
                {
                    assert!(one[own].is_string(), "{own}");
                    one[own] = Value::Null;
                }
                one
            });
            assert_eq!(stranger, stopped);
            stage.world.clock.advance(30_000);
        }
        assert!(stage.got(1).await.is_empty(), "on {}", database.name);
        let view = stage.market.network.seen(stage.market.people[1].phone).unwrap();
        assert!(view.calls.is_empty(), "on {}", database.name);
        let log = support::interactions(&stage.world).await;
        let unsent = log.iter().filter(|one| one.reason == Some(Reason::RecipientOptedOut)).count();
        assert_eq!(unsent, 2, "{log:?}");
        stage.end(database).await;
    }
}

/// A service that wants verified people takes nobody else, says whose number it is, and takes them for as long
/// as it says; what was forgotten is to be shown anew.
#[tokio::test]
async fn a_session_may_want_verified_people() {
    for database in support::databases().await {
        let mut rules = Rules::new("Bikes".into());
        rules.verified.required = true;
        rules.participants_max = 3;
        rules.verified.within = Duration::from_hours(48);
        let stage = Stage::with(&database, rules, Limits::default()).await;
        let people = |who: &[usize]| {
            let all: Vec<Value> = who
                .iter()
                .map(|who| json!({
                    "identifier": stage.market.people[*who].number.expose(), "role": format!("r{}", who % 2),
                }))
                .collect();
            json!({ "service_id": "bikes", "participants": all })
        };
        let refused = Stage::is(&stage.ask("POST", "/sessions", Some(people(&[0, 1]))).await, 409);
        assert_eq!(refused["code"], "participant_not_verified");
        assert_eq!(refused["errors"].as_array().unwrap().len(), 2);
        for who in [0, 1] {
            let path = stage.begin(who).await;
            let code = stage.code(who).await;
            assert!(stage.checked(&path, &code).await.0);
        }
        let session = Stage::is(&stage.ask("POST", "/sessions", Some(people(&[0, 1]))).await, 201);
        let path = format!("/sessions/{}", session["id"].as_str().unwrap());
        let third = json!({ "identifier": stage.market.people[2].number.expose(), "role": "r0" });
        let refused = stage.ask("POST", &format!("{path}/participants"), Some(third)).await;
        assert_eq!(Stage::is(&refused, 409)["code"], "participant_not_verified");

        stage.world.clock.advance(2 * DAY_MS + 60_000);
        let late = Stage::is(&stage.ask("POST", "/sessions", Some(people(&[0, 1]))).await, 409);
        assert_eq!(late["code"], "participant_not_verified", "numbers change hands");
        for who in [0, 1] {
            let path = stage.begin(who).await;
            let code = stage.code(who).await;
            assert!(stage.checked(&path, &code).await.0);
        }
        for (who, faults) in [(0, 1), (0, 1), (1, 2)] {
            let body = json!({ "to": stage.market.people[who].number.expose() });
            Stage::is(&stage.ask("POST", "/verified-numbers/forget", Some(body)).await, 204);
            let refused = stage.ask("POST", "/sessions", Some(people(&[0, 1]))).await;
            assert_eq!(Stage::is(&refused, 409)["errors"].as_array().unwrap().len(), faults);
        }
        assert_eq!(sql(&database, "SELECT COUNT(*) FROM verifications").await, 0);
        assert_eq!(sql(&database, "SELECT COUNT(*) FROM verification_sends").await, 0);
        stage.end(database).await;
    }
}

/// Two requests at once send one code, and the second waits like any other.
#[tokio::test]
async fn two_at_once_send_one_code() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let both = futures_util::future::join_all((0..6).map(|_| stage.send(0, json!({})))).await;
        let made = both.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1, "on {}", database.name);
        assert!(both.iter().all(|answer| answer.status == 201 || answer.status == 429));
        assert_eq!(stage.got(0).await.len(), 1);
        stage.end(database).await;
    }
}

/// Thirty days after its end a verification is gone, and its counts a day after they began.
#[tokio::test]
async fn what_is_over_is_forgotten() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let path = stage.begin(0).await;
        let code = stage.code(0).await;
        assert!(stage.checked(&path, &code).await.0);
        let left =
            async |table: &str| sql(&database, &format!("SELECT COUNT(*) FROM {table}")).await;
        stage.world.clock.advance(29 * DAY_MS);
        stage.market.relay.purge().await.unwrap();
        assert_eq!(left("verification_limits").await, 0);
        assert_eq!((left("verifications").await, left("verification_sends").await), (1, 1));
        stage.world.clock.advance(2 * DAY_MS);
        stage.market.relay.purge().await.unwrap();
        assert_eq!((left("verifications").await, left("verification_sends").await), (0, 0));
        assert_eq!(left("verified_people").await, 1);
        stage.world.clock.advance(700 * DAY_MS);
        stage.market.relay.purge().await.unwrap();
        assert_eq!(left("verified_people").await, 0);
        stage.end(database).await;
    }
}
