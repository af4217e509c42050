//! The first text to people who get a number: once for a number, in their language, to nobody who wants none,
//! and no use of the session.

use entremise::{
    domain::{
        message::Body,
        opt_out::StopWords,
        phone::Identifier,
        policy::{FirstTextRules, GeoMatch, Rules},
        session::Mode,
    },
    sandbox::PhoneId,
};
use serde_json::{Value, json};

use crate::{
    market::{Market, Opened},
    moving_stage::place_of,
    receiver::{ask, done},
    support::{self, Database, World},
};

fn rules() -> Rules {
    let mut rules = Rules::new("Bikes".into());
    rules.first_text = FirstTextRules { on: true, words: String::new() };
    rules.stop_words = StopWords::Number;
    rules
}

struct Stage {
    world: World,
    market: Market,
}

impl Stage {
    async fn open(database: &Database, people: usize, rules: Rules) -> Self {
        let world = World::start(database).await;
        let market = Market::open(&world, people, 6, rules).await;
        Self { world, market }
    }

    async fn session(&self, places: [usize; 2]) -> Opened {
        let opened = self.market.session(places, 3600, None).await.unwrap();
        self.idle().await;
        opened
    }

    async fn idle(&self) {
        self.market.relay.wake().notify_one();
        self.world.running.idle().await;
    }

    /// What somebody got: from where, and which words.
    fn got(&self, phone: PhoneId) -> Vec<(Identifier, String)> {
        let view = self.market.network.seen(phone).unwrap();
        let texts = view.received();
        texts
            .map(|text| (text.other.number().unwrap().clone(), text.body.expose().to_owned()))
            .collect()
    }

    fn of(&self, place: usize) -> Vec<(Identifier, String)> {
        self.got(self.market.people[place].phone)
    }

    async fn read(&self, session: &Opened) -> Value {
        done(&self.world, "GET", &format!("/sessions/{}", session.id), None).await
    }

    async fn set(&self, change: Value) {
        let path = format!("/services/{}", self.market.service);
        done(&self.world, "PATCH", &path, Some(change)).await;
    }

    async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// Both get one text from the number that they dial, which says who, which number and how to stop. The
/// session is as young as it was, and the log has texts of the marketplace's.
#[tokio::test]
async fn each_is_told_and_the_session_is_not_used() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 2, rules()).await;
        let session = stage.session([0, 1]).await;
        for place in [0, 1] {
            let got = stage.of(place);
            assert_eq!(got.len(), 1, "{got:?}");
            let (from, words) = &got[0];
            assert_eq!(from, &session.dials[place]);
            for part in ["Bikes", session.dials[place].expose(), "STOP", "call or text"] {
                assert!(words.to_lowercase().contains(&part.to_lowercase()), "{words}");
            }
            let other = stage.market.people[1 - place].number.expose();
            assert!(!words.contains(&other[2..]), "{words}");
        }
        let read = stage.read(&session).await;
        assert_eq!(read["state"], "open", "{read}");
        assert!(read["last_interaction_at"].is_null(), "{read}");
        let log = support::interactions(&stage.world).await;
        assert_eq!(log.len(), 2);
        assert!(log.iter().all(|one| one.from_participant.is_none()), "{log:?}");
        assert!(log.iter().all(|one| one.outcome.is_some()), "{log:?}");
        // Delivered, they have not moved its end either.
        let ends = read["expires_at"].as_str().unwrap().to_owned();
        stage.idle().await;
        assert_eq!(stage.read(&session).await["expires_at"], ends);
        // Other numbers, and nothing is said of them where there are no texts.
        stage.market.close(&session.id).await.unwrap();
        let free = (0..6)
            .filter(|place| (0..2).all(|side| place_of(&session, &stage.market, side) != *place));
        let free: Vec<usize> = free.take(2).collect();
        let voice = stage.market.pinned([free[0], free[1]], Mode::VoiceOnly).await.unwrap();
        stage.idle().await;
        assert!(!voice.dials.iter().any(|number| session.dials.contains(number)));
        assert_eq!([stage.of(0).len(), stage.of(1).len()], [1, 1]);
        stage.end(database).await;
    }
}

/// Once for a number: whoever gets the same one again is told nothing, another one is told of; so is
/// somebody who comes later, and then nobody else.
#[tokio::test]
async fn once_for_a_number() {
    for database in support::databases().await {
        let mut rules = rules();
        rules.participants_max = 3;
        let stage = Stage::open(&database, 4, rules).await;
        let first = stage.session([0, 1]).await;
        stage.market.close(&first.id).await.unwrap();
        let again = stage.session([0, 1]).await;
        assert_eq!(again.dials, first.dials, "the pair has its numbers back");
        assert_eq!([stage.of(0).len(), stage.of(1).len()], [1, 1]);
        // At once with somebody else: another number.
        let other = stage.session([0, 3]).await;
        assert_ne!(other.dials[0], first.dials[0]);
        let got = stage.of(0);
        assert_eq!(got.len(), 2, "{got:?}");
        assert_eq!(got[1].0, other.dials[0]);
        assert!(got[1].1.contains(other.dials[0].expose()), "{got:?}");
        let late = json!({
            "role": "buyer", "identifier": stage.market.people[2].number.expose(),
        });
        let path = format!("/sessions/{}/participants", again.id);
        done(&stage.world, "POST", &path, Some(late)).await;
        stage.idle().await;
        let counts = [0, 1, 2, 3].map(|place| stage.of(place).len());
        assert_eq!(counts, [2, 1, 1, 1]);
        // Asked twice under one key, opened once: told once.
        let mut texts = 0;
        for _ in 0..2 {
            stage.market.session([2, 3], 3600, Some("a key")).await.unwrap();
            stage.idle().await;
            texts += stage.of(2).len();
        }
        assert_eq!(texts, 4, "one more, the first time");
        stage.end(database).await;
    }
}

/// Off by default; nothing to whoever wants no texts, until they want them again.
#[tokio::test]
async fn nothing_to_those_who_want_none() {
    for database in support::databases().await {
        let mut plain = rules();
        plain.first_text = FirstTextRules::default();
        assert_eq!(Rules::new("x".into()).first_text, plain.first_text, "off by default");
        let stage = Stage::open(&database, 2, plain).await;
        let session = stage.session([0, 1]).await;
        assert_eq!([stage.of(0).len(), stage.of(1).len()], [0, 0]);
        let say = async |words: &str, to: &Identifier| {
            let phone = stage.market.people[0].phone;
            stage.market.network.text(phone, to, Body::new(words.into())).unwrap();
            stage.idle().await;
        };
        say("STOP", &session.dials[0]).await;
        stage.market.close(&session.id).await.unwrap();
        stage.set(json!({ "first_text": true })).await;

        let session = stage.session([0, 1]).await;
        assert_eq!([stage.of(0).len(), stage.of(1).len()], [0, 1], "they want none");
        say("UNSTOP", &session.dials[0]).await;
        stage.market.close(&session.id).await.unwrap();
        let session = stage.session([0, 1]).await;
        assert_eq!([stage.of(0).len(), stage.of(1).len()], [1, 1], "they want them again");
        assert_eq!(stage.of(0)[0].0, session.dials[0]);
        stage.end(database).await;
    }
}

/// In the language of the person's own country, unless the service has one; the marketplace's own words with
/// what their braces name. Braces that name anything else are refused, and nothing changes.
#[tokio::test]
async fn in_their_language_or_in_own_words() {
    for database in support::databases().await {
        let mut rules = rules();
        rules.geo_match = GeoMatch::Any;
        let stage = Stage::open(&database, 1, rules).await;
        let numbers = ["+33639980041", "+33639980042", "+33639980043"];
        let phones = numbers.map(|number| {
            let identifier = Identifier::parse(number).unwrap();
            stage.market.network.register(number, identifier).unwrap()
        });
        let open = async |place: usize| {
            let people = json!([
                { "role": "buyer", "identifier": stage.market.people[0].number.expose() },
                { "role": "seller", "identifier": numbers[place] },
            ]);
            let new = json!({ "service_id": stage.market.service, "participants": people });
            let session = done(&stage.world, "POST", "/sessions", Some(new)).await;
            stage.idle().await;
            session["participants"][1]["proxy_number"].as_str().unwrap().to_owned()
        };
        open(0).await;
        let got = stage.got(phones[0]);
        assert!(got.len() == 1 && got[0].1.contains("vous met en relation"), "{got:?}");
        assert!(stage.of(0)[0].1.contains("connects you"), "{:?}", stage.of(0));

        stage.set(json!({ "language": "de-DE" })).await;
        open(1).await;
        assert!(stage.got(phones[1])[0].1.contains("verbindet Sie"), "{:?}", stage.got(phones[1]));

        let path = format!("/services/{}", stage.market.service);
        for words in ["{name}", "{identifier}", "{", "}", "{brand", "\u{7}", &"x".repeat(301)] {
            let change = json!({ "first_text_words": words, "brand": "Boats" });
            let (status, problem) = ask(&stage.world, "PATCH", &path, Some(change)).await;
            assert_eq!(status, 422, "{words}: {problem}");
            assert_eq!(problem["errors"][0]["pointer"], "/first_text_words", "{problem}");
            assert!(!problem.to_string().contains("xxx"), "{problem}");
        }
        for odd in [json!(7), json!(["x"]), json!({})] {
            let change = json!({ "first_text_words": odd });
            assert_eq!(ask(&stage.world, "PATCH", &path, Some(change)).await.0, 422);
            let change = json!({ "first_text": odd });
            assert_eq!(ask(&stage.world, "PATCH", &path, Some(change)).await.0, 422);
        }
        let service = done(&stage.world, "GET", &path, None).await;
        assert_eq!(service["first_text_words"], "");
        assert_eq!((&service["brand"], &service["first_text"]), (&json!("Bikes"), &json!(true)));
        assert!(service.get("warnings").is_none(), "{service}");

        stage.set(json!({ "first_text_words": "Hi from {brand}! Dial {number}." })).await;
        let service = done(&stage.world, "GET", &path, None).await;
        let warned = service["warnings"].to_string();
        assert!(warned.contains("how to get no more texts"), "{service}");
        let number = open(2).await;
        let got = stage.got(phones[2]);
        assert_eq!(got[0].1, format!("Hi from Bikes! Dial {number}."));
        stage.set(json!({ "stop_words": "relay", "first_text_words": null })).await;
        let warned = done(&stage.world, "GET", &path, None).await["warnings"].to_string();
        assert!(warned.contains("up to the carrier"), "{warned}");
        stage.end(database).await;
    }
}
