//! What a service may have its strangers get instead of the neutral words: its own line, or one
//! text a day. Whatever it is, it does not depend on the cause (I5).

use entremise::{
    domain::{
        interaction::{Outcome, Reason},
        message::Body,
        opt_out::StopWords,
        phone::Identifier,
        policy::{OutOfSession, Rules},
    },
    sandbox::{CallEnd, CallStage, PhoneId, PhoneView, Sound},
    store::legs::{self, Leg},
};
use serde_json::{Value, json};

use crate::{
    fake,
    market::Market,
    support::{self, Database, World},
};

/// Everybody dials it: the pool has no other.
const PROXY: &str = "+14155550100";
/// The marketplace's own line.
const LINE: &str = "+447700900500";
const WORDS: &str = "Open Bikes to write to its members.";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Strangers on one number whose service has an answer of its own.
struct Street {
    world: World,
    market: Market,
    line: PhoneId,
}

fn proxy() -> Identifier {
    Identifier::parse(PROXY).unwrap()
}

fn forwarding() -> Rules {
    let mut rules = Rules::new("Bikes".into());
    rules.out_of_session = OutOfSession::Forward;
    rules.out_of_session_number = Some(Identifier::parse(LINE).unwrap());
    rules
}

fn texting() -> Rules {
    let mut rules = Rules::new("Bikes".into());
    rules.out_of_session_text = WORDS.into();
    rules
}

impl Street {
    async fn open(database: &Database, people: usize, pool: usize, rules: Rules) -> Self {
        let world = World::start(database).await;
        let market = Market::open(&world, people, pool, rules).await;
        let line = world.network.register("Support", Identifier::parse(LINE).unwrap()).unwrap();
        Self { world, market, line }
    }

    fn number(&self, place: usize) -> String {
        self.market.people[place].number.expose().to_owned()
    }

    fn phone(&self, place: usize) -> PhoneId {
        self.market.people[place].phone
    }

    /// What the carrier is told to do with a call, leaving out our ids.
    async fn called(&self, id: &str, from: Option<&str>) -> Value {
        let event = json!({ "event": "call", "id": id, "from": from, "to": PROXY });
        let answer = support::webhook(&self.world, "call", &event).await;
        let mut text = String::from_utf8(answer.body).unwrap();
        // A leg's id is its own, and so is the seal on the addresses that name it. Seals first: one may
        // look like the start of an id.
        for (begin, length) in [("&seal=", 28), ("LG", 34)] {
            let found = text.match_indices(begin).map(|(at, _)| text[at..at + length].to_owned());
            for one in found.collect::<Vec<_>>() {
                text = text.replace(&one, begin);
            }
        }
        serde_json::from_str(&text).unwrap()
    }

    async fn texted(&self, id: &str, from: Option<&str>, words: &str) {
        let event =
            json!({ "event": "message", "id": id, "from": from, "to": PROXY, "text": words });
        let answer = support::webhook(&self.world, "message", &event).await;
        assert!(answer.status.is_success(), "{}", answer.status);
    }

    /// What somebody got by text: who it seems to come from, and the words.
    async fn got(&self, place: usize) -> Vec<(String, String)> {
        self.world.running.idle().await;
        let view = self.market.network.seen(self.phone(place)).unwrap();
        view.received()
            .map(|text| (text.other.expose().to_owned(), text.body.expose().to_owned()))
            .collect()
    }

    async fn legs(&self, place: usize) -> Vec<Leg> {
        let log = support::interactions(&self.world).await;
        let mut tx = self.market.relay.db().read().await.unwrap();
        legs::of_interaction(&mut tx, &self.market.account, &log[place].id).await.unwrap()
    }

    /// Sessions that ended in each way, for the persons 0, 2 and 4.
    async fn causes(&self) -> [(&'static str, Option<String>); 5] {
        let closed = self.market.session([0, 1], 0, None).await.unwrap();
        self.market.session([2, 3], 60, None).await.unwrap();
        let blocked = self.market.session([4, 5], 0, None).await.unwrap();
        self.market.close(&closed.id).await.unwrap();
        crate::neutral::block(&self.market, &blocked.id, 1).await;
        self.world.clock.advance(61_000);
        [
            ("unknown", Some(self.number(6))),
            ("withheld", None),
            ("closed", Some(self.number(0))),
            ("expired", Some(self.number(2))),
            ("blocked", Some(self.number(4))),
        ]
    }

    async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

fn has_ended(view: &PhoneView) -> bool {
    view.call().is_none()
}

/// A stranger's call rings the marketplace's line, which sees the number that was dialled; the log
/// has it as refused, once, with both legs ended.
#[tokio::test]
async fn a_stranger_reaches_the_marketplaces_line() {
    for database in support::databases().await {
        let street = Street::open(&database, 1, 1, forwarding()).await;
        let network = &street.market.network;
        for withheld in [false, true] {
            network.set_withheld(street.phone(0), withheld).unwrap();
            let call = network.dial(street.phone(0), &proxy()).unwrap();
            let rings =
                |view: &PhoneView| view.call().is_some_and(|c| c.stage == CallStage::Ringing);
            let view = network.until(street.line, rings).await;
            assert_eq!(view.call().unwrap().other, Some(proxy()), "never the caller's number");
            network.answer(street.line, &view.call().unwrap().id).unwrap();
            let talks = |view: &PhoneView| {
                view.call().is_some_and(|c| c.heard.last() == Some(&Sound::Person))
            };
            network.until(street.phone(0), talks).await;
            street.world.clock.advance(5_000);
            network.hang_up(street.phone(0), &call).unwrap();
            network.until(street.line, has_ended).await;
            street.world.running.idle().await;
            let log = support::interactions(&street.world).await;
            let reason = if withheld { Reason::WithheldCaller } else { Reason::UnknownCaller };
            assert_eq!((log[0].outcome, log[0].reason), (Some(Outcome::Refused), Some(reason)));
            let legs = street.legs(0).await;
            let states: Vec<_> = legs.iter().map(|leg| (leg.state.as_str(), leg.outcome)).collect();
            assert_eq!(
                states,
                [("completed", Some(Outcome::Refused)), ("completed", Some(Outcome::Connected))]
            );
            assert!(legs.iter().all(|leg| leg.ended_at.is_some() && leg.number.as_str() == PROXY));
        }
        street.end(database).await;
    }
}

/// A line that declines or does not answer ends the call, and the interaction stays refused.
#[tokio::test]
async fn a_line_may_decline() {
    for database in support::databases().await {
        let street = Street::open(&database, 2, 1, forwarding()).await;
        let closed = street.market.session([0, 1], 0, None).await.unwrap();
        street.market.close(&closed.id).await.unwrap();
        let network = &street.market.network;
        network.dial(street.phone(0), &proxy()).unwrap();
        let view = network.until(street.line, |view| view.call().is_some()).await;
        network.decline(street.line, &view.call().unwrap().id).unwrap();
        let view = network.until(street.phone(0), has_ended).await;
        assert_eq!(view.calls[0].stage, CallStage::Ended(CallEnd::Declined));
        street.world.running.idle().await;
        let log = support::interactions(&street.world).await;
        assert_eq!(log.len(), 1);
        assert_eq!(log[0].outcome, Some(Outcome::Refused));
        assert_eq!(log[0].reason, Some(Reason::SessionClosed));
        assert_eq!(log[0].session, Some(closed.id), "the last session is known");
        assert_eq!(street.legs(0).await[1].outcome, Some(Outcome::Busy));
        street.end(database).await;
    }
}

/// I5, I6, I17: unknown, withheld, closed, expired and blocked callers are connected with the same
/// words, in a document without a caller's number; one of our own numbers, and the line itself,
/// are not.
#[tokio::test]
async fn i5_every_cause_is_forwarded_alike() {
    for database in support::databases().await {
        let street = Street::open(&database, 7, 1, forwarding()).await;
        let mut first = None;
        for (cause, from) in street.causes().await {
            let heard = street.called(cause, from.as_deref()).await;
            let text = heard.to_string();
            assert!(text.contains(LINE) && text.contains(PROXY), "{cause}: {text}");
            // All who call are of one area code, and nothing else in the document is.
            assert!(!text.contains("1212555"), "I17: the caller's number on the line's leg");
            assert_eq!(*first.get_or_insert(heard.clone()), heard, "I5: {cause}");
        }
        for (cause, from) in [("ours", PROXY), ("line", LINE)] {
            let heard = street.called(cause, Some(from)).await;
            assert_eq!(heard["steps"][0]["do"], "say", "{cause}: {heard}");
        }
        street.end(database).await;
    }
}

/// Five calls of one person from one number in an hour reach the line; more hear the neutral words.
/// A repeated webhook gets the same and counts once (I10).
#[tokio::test]
async fn a_person_is_forwarded_five_times_an_hour() {
    for database in support::databases().await {
        let street = Street::open(&database, 2, 1, forwarding()).await;
        let (one, other) = (street.number(0), street.number(1));
        let forwarded = |heard: &Value| heard.to_string().contains(LINE);
        for place in 0..7 {
            let heard = street.called(&format!("call-{place}"), Some(&one)).await;
            assert_eq!(forwarded(&heard), place < 5, "call {place}: {heard}");
            assert_eq!(street.called(&format!("call-{place}"), Some(&one)).await, heard, "I10");
        }
        assert!(forwarded(&street.called("other", Some(&other)).await));
        assert!(forwarded(&street.called("nobody", None).await));
        street.world.clock.advance(HOUR_MS);
        assert!(forwarded(&street.called("later", Some(&one)).await));
        assert_eq!(support::interactions(&street.world).await.len(), 10);
        street.end(database).await;
    }
}

/// I17: over Twilio the line sees the dialled number, and no caller's number is in the document.
#[tokio::test]
async fn i17_twilio_forwards_without_the_callers_number() {
    for database in support::databases().await {
        let api = fake::Api::start().await;
        let world = World::with(fake::settings(&database, &api)).await;
        let market = Market::at("twilio", &world, 1, 1, forwarding()).await;
        let caller = market.people[0].number.expose();
        let sid = "CA00000000000000000000000000000001";
        let call = [("CallSid", sid), ("From", caller), ("To", PROXY), ("Direction", "inbound")];
        let ringing = [&call[..], &[("CallStatus", "ringing")]].concat();
        let answer = fake::webhook(&world, "/hooks/twilio/call", &ringing).await;
        let document = String::from_utf8(answer.body).unwrap();
        assert!(document.contains(&format!("callerId=\"{PROXY}\"")), "{document}");
        assert!(document.contains(&format!(">{LINE}</Number>")), "{document}");
        assert!(!document.contains(&caller[1..]), "I17: {document}");
        let path = fake::action(&world, &document);
        let over = [
            ("CallStatus", "in-progress"),
            ("DialCallStatus", "completed"),
            ("DialCallDuration", "7"),
            ("DialBridged", "true"),
        ];
        let ended = [&call[..], &over].concat();
        let next = fake::webhook(&world, &path, &ended).await;
        assert!(!String::from_utf8(next.body).unwrap().contains("Dial"), "it is over");
        let log = support::interactions(&world).await;
        assert_eq!((log.len(), log[0].outcome), (1, Some(Outcome::Refused)));
        world.running.shutdown().await;
        database.drop().await;
    }
}

/// A stranger's text is answered once a day by the number that was texted, whatever the cause and
/// however often they write; another person, number or day has an answer of its own.
#[tokio::test]
async fn i5_one_text_a_day_in_the_same_words() {
    for database in support::databases().await {
        let street = Street::open(&database, 8, 1, texting()).await;
        let answer = vec![(PROXY.to_owned(), WORDS.to_owned())];
        for (cause, from) in street.causes().await {
            for copy in ["a", "a", "b", "c"] {
                street.texted(&format!("{cause}-{copy}"), from.as_deref(), "Hello?").await;
            }
        }
        for place in [0, 2, 4, 6] {
            assert_eq!(street.got(place).await, answer, "I5: person {place}");
        }
        for place in [1, 3, 5, 7] {
            assert_eq!(street.got(place).await, [], "nothing is put through");
        }
        street.world.clock.advance(DAY_MS - 600_000);
        street.texted("day-1", Some(&street.number(6)), "Hello?").await;
        assert_eq!(street.got(6).await.len(), 1);
        street.market.relay.purge().await.unwrap();
        street.texted("day-1-again", Some(&street.number(6)), "Hello?").await;
        assert_eq!(street.got(6).await.len(), 1, "a purge does not shorten the day");
        street.world.clock.advance(601_000);
        street.texted("day-2", Some(&street.number(6)), "Hello?").await;
        assert_eq!(street.got(6).await.len(), 2);
        let log = support::interactions(&street.world).await;
        assert!(log.iter().all(|one| one.outcome == Some(Outcome::Refused)));
        let legs = street.legs(0).await;
        assert_eq!((legs.len(), legs[1].outcome), (2, Some(Outcome::Relayed)));
        street.end(database).await;
    }
}

/// Many texts of one person at once get one answer: the database counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_texts_at_once_one_is_answered() {
    for database in support::databases().await {
        let street = Street::open(&database, 1, 1, texting()).await;
        let from = street.number(0);
        let texts = (0..24).map(|place| {
            let (street, from) = (&street, &from);
            async move { street.texted(&format!("text-{place}"), Some(from), "Hello?").await }
        });
        futures_util::future::join_all(texts).await;
        assert_eq!(street.got(0).await.len(), 1, "on {}", database.name);
        street.end(database).await;
    }
}

/// Our own numbers (I6), senders without a number or with one that nobody should write to, and
/// "stop" are not answered; nor is anybody where the service has no words.
#[tokio::test]
async fn i6_some_texts_are_never_answered() {
    for database in support::databases().await {
        // Where the words are left to the carrier.
        let rules = Rules { stop_words: StopWords::Relay, ..texting() };
        let street = Street::open(&database, 2, 2, rules).await;
        let senders = [
            None,
            Some("BIKES"),
            Some("36111"),
            Some(PROXY),
            Some("+14155550101"),
            Some("+19005550100"),
        ];
        for (place, from) in senders.into_iter().enumerate() {
            street.texted(&format!("sender-{place}"), from, "Hello?").await;
        }
        for (place, words) in ["STOP", "stop.", "Unsubscribe", "ARRÊT"].into_iter().enumerate() {
            street.texted(&format!("words-{place}"), Some(&street.number(0)), words).await;
        }
        street.world.running.idle().await;
        let log = support::interactions(&street.world).await;
        assert_eq!(log.len(), 10);
        for place in 0..log.len() {
            assert_eq!(street.legs(place).await.len(), 1, "one leg: nothing was sent");
        }
        street.texted("word", Some(&street.number(0)), "Hello?").await;
        assert_eq!(street.got(0).await.len(), 1, "a stop used up nothing");
        let quiet = Body::new("Hello?".into());
        street.market.network.text(street.phone(1), &proxy(), quiet).unwrap();
        assert_eq!(street.got(1).await.len(), 1);
        street.end(database).await;
    }
}
