//! Two people whose numbers are at two carriers, and calls on every carrier that has voice.

use entremise::{
    carrier,
    domain::{interaction::Outcome, policy::Rules, session::Mode},
    relay,
};

use crate::{
    dialect::{Came, Dialect, StandIn},
    market::Market,
    over_bandwidth, over_call_control, over_infobip, over_jambonz, over_plivo, over_signalwire,
    over_sinch, over_telnyx, over_twilio, over_vonage,
    support::{self, World},
};

pub(crate) const DIALECTS: &[&Dialect] = &[
    &over_twilio::DIALECT,
    &over_telnyx::DIALECT,
    &over_vonage::DIALECT,
    &over_plivo::DIALECT,
    &over_bandwidth::DIALECT,
    &over_infobip::DIALECT,
    &over_sinch::DIALECT,
    &over_signalwire::DIALECT,
    &over_jambonz::DIALECT,
    // Another way to steer calls at a carrier that is above.
    &over_call_control::DIALECT,
];

/// Every carrier but the one that has no API of its own.
#[test]
fn every_carrier_speaks() {
    let mut speaking: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.kind).collect();
    speaking.retain(|kind| !kind.contains('-'));
    let known = carrier::KINDS.iter().map(|kind| kind.name).filter(|name| *name != "sandbox");
    assert_eq!(speaking, known.collect::<Vec<_>>());
}

struct Stage {
    world: World,
    market: Market,
    carriers: Vec<StandIn>,
}

impl Stage {
    /// One number at each carrier, and two people.
    async fn open(database: &support::Database) -> Self {
        let mut config = support::settings(database);
        config.allow_sandbox = true;
        let mut carriers = Vec::new();
        for dialect in DIALECTS {
            carriers.push(StandIn::start(dialect).await);
        }
        config.carriers.extend(carriers.iter().map(StandIn::entry));
        let world = World::with(config).await;
        let kinds: Vec<&'static str> = DIALECTS.iter().map(|dialect| dialect.kind).collect();
        let market = Market::over(&kinds, &world, 2, Rules::new("Bikes".into())).await;
        Self { world, market, carriers }
    }

    fn person(&self, place: usize) -> &str {
        self.market.people[place].number.expose()
    }

    /// Somebody texts the number that they dial, at its carrier; the others' API gets it.
    async fn text(&self, who: usize, at: [usize; 2], dials: [&str; 2], id: usize) {
        let (mine, theirs) = (at[who], at[1 - who]);
        let words = format!("Is it still there? “{id}” ☃");
        let (from, to) = (self.person(who), dials[who]);
        let came = Came { from, to, words: &words, id };
        for _ in 0..2 {
            let answer = (self.carriers[mine].dialect.text)(&self.world, came).await;
            assert!(answer.status.is_success(), "{}: {}", DIALECTS[mine].kind, answer.status);
        }
        self.world.running.jobs.idle().await;
        for (place, carrier) in self.carriers.iter().enumerate() {
            let asked = carrier.asked();
            if place != theirs {
                assert!(asked.is_empty(), "{}: {asked:?}", carrier.dialect.kind);
                continue;
            }
            let [one] = &asked[..] else { panic!("{}: {asked:?}", carrier.dialect.kind) };
            let sent = (carrier.dialect.sent)(one);
            let expected = [dials[1 - who], self.person(1 - who), &words];
            assert_eq!(
                sent, expected,
                "from {} over {}",
                DIALECTS[mine].kind, DIALECTS[theirs].kind
            );
            let body = String::from_utf8_lossy(&one.body).into_owned();
            assert!(!body.contains(&from[1..]), "I17: {body}");
        }
    }

    async fn end(self, database: support::Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// I17: two people text each other through numbers at two carriers, both ways, for each pair of a set in
/// which every carrier is once on either side: what one carrier told, the other is asked to send, once, and
/// from the number that its recipient knows.
#[tokio::test]
async fn i17_texts_go_from_carrier_to_carrier() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let count = DIALECTS.len();
        for place in 0..count {
            let at = [place, (place + 1) % count];
            let session = stage.market.pinned(at, Mode::MessageOnly).await.unwrap();
            let dials = [session.dials[0].expose(), session.dials[1].expose()];
            stage.text(0, at, dials, 2 * place + 1).await;
            stage.text(1, at, dials, 2 * place + 2).await;
        }
        let log = support::interactions(&stage.world).await;
        assert_eq!(log.len(), 2 * count);
        assert!(log.iter().all(|one| one.outcome == Some(Outcome::Relayed)), "{log:?}");
        stage.end(database).await;
    }
}

/// I17: a call on every carrier that has voice rings the other side, who sees the proxy number, and nothing
/// that the carrier is told has the caller's; a session with calls has one carrier.
#[tokio::test]
async fn i17_every_carrier_calls() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        for (place, carrier) in stage.carriers.iter().enumerate() {
            let kind = carrier.dialect.kind;
            let two =
                stage.market.pinned([place, (place + 1) % DIALECTS.len()], Mode::VoiceAndMessage);
            assert!(matches!(two.await, Err(relay::Error::Invalid(_))), "{kind}: two carriers");
            let voice =
                stage.market.relay.carriers().get(kind).unwrap().adapter.capabilities().voice;
            if !voice {
                continue;
            }
            let session = stage.market.pinned([place; 2], Mode::VoiceAndMessage).await.unwrap();
            let (from, to) = (stage.person(0), session.dials[0].expose());
            let came = Came { from, to, words: "", id: 100 + place };
            let answer = (carrier.dialect.call)(&stage.world, came).await;
            assert!(answer.status.is_success(), "{kind}: {}", answer.status);
            let text = String::from_utf8(answer.body).unwrap();
            let asked = carrier.asked();
            let rings = (carrier.dialect.rings)(&text, &asked);
            assert_eq!(rings, [session.dials[1].expose(), stage.person(1)], "{kind}");
            let told = asked.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned());
            for told in told.chain([text]) {
                assert!(!told.contains(&from[1..]), "I17: {kind}: {told}");
            }
        }
        stage.end(database).await;
    }
}
