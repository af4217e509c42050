//! Six pairs of people who text over Twilio, and one over the sandbox, in one relay whose clock stands.

use entremise::{
    config,
    domain::{
        interaction::{Kind, Outcome},
        message::Body,
        phone::Identifier,
        policy::Rules,
        session::Mode,
    },
    relay::HealthReport,
    sandbox::Faults,
    store::legs,
};
use http::StatusCode;

use crate::{
    fake::{self, Api},
    market::{Market, Opened},
    support::{self, Database, World},
};

/// Sessions over Twilio; the one after them is over the sandbox.
pub(crate) const PAIRS: usize = 6;

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) market: Market,
    pub(crate) api: Api,
    pub(crate) sessions: Vec<Opened>,
}

impl Stage {
    pub(crate) async fn open(database: &Database, rates: config::Rates) -> Self {
        Self::with(database, rates, Rules::new("Bikes".into())).await
    }

    pub(crate) async fn with(database: &Database, rates: config::Rates, rules: Rules) -> Self {
        let api = Api::start().await;
        let mut settings = fake::settings(database, &api);
        settings.carriers[1].rates = rates;
        let world = World::standing(settings).await;
        api.keeps_time(&world.clock);
        let carriers = ["twilio", "twilio", support::CARRIER, support::CARRIER];
        let people = 2 * (PAIRS + 1);
        let market = Market::over(&carriers, &world, people, rules).await;
        let mut sessions = Vec::new();
        for pair in 0..=PAIRS {
            let numbers = if pair == PAIRS { [2, 3] } else { [0, 1] };
            let people = [2 * pair, 2 * pair + 1];
            sessions.push(market.pair(people, numbers, Mode::VoiceAndMessage).await.unwrap());
        }
        Self { world, market, api, sessions }
    }

    /// The buyer of a pair texts over Twilio, or the seller.
    pub(crate) async fn text(&self, pair: usize, side: usize, words: &str) {
        let fields = [
            ("MessageSid", words),
            ("From", self.market.people[2 * pair + side].number.expose()),
            ("To", self.sessions[pair].dials[side].expose()),
            ("Body", words),
            ("NumMedia", "0"),
        ];
        let answer = fake::webhook(&self.world, "/hooks/twilio/message", &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
        self.world.running.jobs.idle().await;
    }

    /// A text over the sandbox arrives though Twilio takes nothing.
    pub(crate) async fn others_flow(&self, words: &str) {
        let [buyer, seller] = [2 * PAIRS, 2 * PAIRS + 1].map(|one| self.market.people[one].phone);
        self.world
            .network
            .text(buyer, &self.sessions[PAIRS].dials[0], Body::new(words.to_owned()))
            .unwrap();
        self.world.running.idle().await;
        let seen = self.world.network.seen(seller).unwrap();
        assert!(seen.received().any(|text| text.body.expose() == words), "{words}");
    }

    /// Twilio is down, and the first pair's text goes round it over the sandbox, which takes nothing; by
    /// which numbers.
    pub(crate) async fn goes_round(&self) -> Opened {
        let known = self.market.pair([0, 1], [2, 3], Mode::VoiceAndMessage).await.unwrap();
        self.market.close(&known.id).await.unwrap();
        self.api.down(Some(StatusCode::UNAUTHORIZED));
        for pair in 2..PAIRS {
            self.text(pair, 0, &format!("a{pair}")).await;
        }
        self.text(0, 0, "round").await;
        self.world.network.set_faults(Faults { fail_next: 10_000, ..Faults::default() });
        self.world.clock.advance(31_000);
        self.world.running.relay.go_round().await.unwrap();
        self.pass(1_000).await;
        let log = support::interactions(&self.world).await;
        let mut tx = self.market.relay.db().read().await.unwrap();
        let legs = legs::of_interaction(&mut tx, &self.market.account, &log[0].id).await.unwrap();
        assert_eq!(legs[1].carrier, support::CARRIER);
        known
    }

    pub(crate) async fn pass(&self, ms: i64) {
        self.world.clock.advance(ms);
        self.world.running.jobs.idle().await;
    }

    /// The words that Twilio was asked to send, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.api.asked().into_iter().map(|one| one.fields["Body"].clone()).collect()
    }

    /// The words that Twilio took, sorted.
    pub(crate) fn taken(&self) -> Vec<String> {
        let mut taken = self.api.taken();
        taken.sort();
        taken
    }

    pub(crate) fn report(&self) -> HealthReport {
        self.world.running.relay.health().report("twilio").unwrap()
    }

    /// What reached a phone by the sandbox: the number that it came from, and the words.
    pub(crate) fn seen(&self, place: usize) -> Vec<(Identifier, String)> {
        let view = self.world.network.seen(self.market.people[place].phone).unwrap();
        let texts = view.received();
        texts
            .map(|one| (one.other.number().unwrap().clone(), one.body.expose().to_owned()))
            .collect()
    }

    pub(crate) async fn all_relayed(&self) {
        for one in support::interactions(&self.world).await {
            assert_eq!((one.kind, one.outcome), (Kind::Message, Some(Outcome::Relayed)));
        }
    }

    pub(crate) async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}
