//! Carriers that are down, that want a rest, or that are sent only so much: what is owed to them waits,
//! and nothing else does.

use entremise::{
    config,
    domain::{
        interaction::{Kind, Outcome, Reason},
        message::Body,
        opt_out::StopWords,
        policy::Rules,
        session::Mode,
    },
    relay::{self, CarrierState, HealthReport, Trouble},
    sandbox::Faults,
    store::{interactions::Interaction, legs, outbox},
};
use http::StatusCode;
use std::time::Duration;

use crate::{
    fake::{self, Api},
    market::{Market, Opened},
    support::{self, Database, World},
};

const DOWN: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
/// Sessions over Twilio; the one after them is over the sandbox.
const PAIRS: usize = 6;

/// Six pairs of people who text over Twilio, and one over the sandbox, in one relay.
struct Stage {
    world: World,
    market: Market,
    api: Api,
    sessions: Vec<Opened>,
}

impl Stage {
    async fn open(database: &Database, rates: config::Rates) -> Self {
        Self::with(database, rates, Rules::new("Bikes".into())).await
    }

    async fn with(database: &Database, rates: config::Rates, rules: Rules) -> Self {
        let api = Api::start().await;
        let mut settings = fake::settings(database, &api);
        settings.carriers[1].rates = rates;
        let world = World::with(settings).await;
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
    async fn text(&self, pair: usize, side: usize, words: &str) {
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
    async fn others_flow(&self, words: &str) {
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
    async fn goes_round(&self) -> Opened {
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

    async fn pass(&self, ms: i64) {
        self.world.clock.advance(ms);
        self.world.running.jobs.idle().await;
    }

    /// The words that Twilio was asked to send, in order.
    fn asked(&self) -> Vec<String> {
        self.api.asked().into_iter().map(|one| one.fields["Body"].clone()).collect()
    }

    /// The words that Twilio took, sorted.
    fn taken(&self) -> Vec<String> {
        let mut taken = self.api.taken();
        taken.sort();
        taken
    }

    fn report(&self) -> HealthReport {
        self.world.running.relay.health().report("twilio").unwrap()
    }

    async fn all_relayed(&self) {
        for one in support::interactions(&self.world).await {
            assert_eq!((one.kind, one.outcome), (Kind::Message, Some(Outcome::Relayed)));
        }
    }

    async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// A carrier that fails five times is left alone: what is owed to it waits and nothing else does; one
/// text at a time is tried after 2 s, then 4 s; once one goes through all go, each once and in order.
#[tokio::test]
async fn a_carrier_that_is_down_gets_nothing_until_it_is_back() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        assert_eq!(stage.report().state, CarrierState::Closed);
        stage.api.down(Some(DOWN));
        for pair in 0..5 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.asked(), ["a0", "a1", "a2", "a3", "a4"]);
        let report = stage.report();
        assert_eq!(report.state, CarrierState::Open);
        assert!(report.failures.contains(&(Trouble::Server, 5)), "{report:?}");
        stage.text(5, 0, "b5").await;
        stage.text(0, 0, "b0").await;
        assert_eq!(stage.asked().len(), 5, "nothing is asked of it, on {}", database.name);
        stage.others_flow("over here").await;
        stage.pass(2_100).await;
        assert_eq!(stage.asked()[5..], ["b5"], "one to see, on {}", database.name);
        assert_eq!(stage.report().state, CarrierState::Open);
        stage.api.down(None);
        stage.pass(1_900).await;
        assert_eq!(stage.asked().len(), 6, "4 s are not over");
        // The first were tried, and may have arrived: Twilio is asked about them after 10 s.
        for _ in 0..3 {
            stage.pass(5_000).await;
        }
        assert_eq!(stage.report().state, CarrierState::Closed);
        let bodies = ["a0", "a1", "a2", "a3", "a4", "b0", "b5"];
        assert_eq!(stage.taken(), bodies, "each once, on {}", database.name);
        let asked = stage.asked();
        let place = |words: &str| asked.iter().rposition(|one| one == words).unwrap();
        assert!(place("a0") < place("b0"), "in order: {asked:?}");
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// I12: an outage that is longer than 30 s lets no text overtake an earlier one to the same person.
#[tokio::test]
async fn a_long_outage_changes_no_order() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.api.down(Some(StatusCode::UNAUTHORIZED));
        for pair in 0..4 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        for pair in 0..4 {
            stage.text(pair, 0, &format!("b{pair}")).await;
        }
        for _ in 0..6 {
            stage.pass(20_000).await;
        }
        stage.api.down(None);
        for _ in 0..3 {
            stage.pass(60_000).await;
        }
        assert_eq!(stage.api.taken().len(), 8, "on {}", database.name);
        let taken = stage.api.taken();
        let place = |words: String| taken.iter().position(|one| *one == words).unwrap();
        for pair in 0..4 {
            let [a, b] = ["a", "b"].map(|one| place(format!("{one}{pair}")));
            assert!(a < b, "{taken:?} on {}", database.name);
        }
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// Refused credentials lose no text: three refusals in a row open the breaker, what was refused is owed
/// on, and goes once the credentials are taken.
#[tokio::test]
async fn refused_credentials_lose_nothing() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.api.down(Some(StatusCode::UNAUTHORIZED));
        for pair in 0..PAIRS {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.asked().len(), 3, "three are enough, on {}", database.name);
        assert_eq!(stage.report().state, CarrierState::Open);
        stage.others_flow("over here").await;
        stage.api.down(None);
        stage.pass(2_100).await;
        stage.pass(5_000).await;
        assert_eq!(stage.taken(), ["a0", "a1", "a2", "a3", "a4", "a5"]);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// What the carrier says of one text speaks not against the carrier.
#[tokio::test]
async fn refusals_of_texts_open_nothing() {
    let database = support::databases().await.remove(0);
    let stage = Stage::open(&database, config::Rates::default()).await;
    stage.api.down(Some(StatusCode::BAD_REQUEST));
    for round in 0..4 {
        for pair in 0..PAIRS {
            stage.text(pair, 0, &format!("{round}{pair}")).await;
        }
    }
    assert_eq!(stage.asked().len(), 24);
    assert_eq!(stage.report().state, CarrierState::Closed);
    for one in support::interactions(&stage.world).await {
        assert_eq!(one.outcome, Some(Outcome::Failed));
    }
    stage.end(database).await;
}

/// A 429 with `Retry-After` holds everything that is owed to that carrier so long, and nothing else.
#[tokio::test]
async fn too_much_at_once_holds_the_whole_carrier() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.api.wants_rest(20);
        stage.api.answers(&[StatusCode::TOO_MANY_REQUESTS]);
        for pair in 0..3 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.asked(), ["a0"], "the others are not asked, on {}", database.name);
        let report = stage.report();
        assert_eq!(report.state, CarrierState::Closed);
        let until = report.throttled_until.unwrap();
        assert!(until.since(stage.world.clock.now()) > Duration::from_secs(15));
        stage.others_flow("over here").await;
        stage.pass(19_000).await;
        assert_eq!(stage.asked().len(), 1);
        stage.pass(1_100).await;
        assert_eq!(stage.taken(), ["a0", "a1", "a2"]);
        assert_eq!(stage.report().throttled_until, None);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// A carrier is sent no more texts than the settings say, in order, and another as many as there are.
#[tokio::test]
async fn so_many_texts_a_second() {
    for database in support::databases().await {
        let slow = Some(Duration::from_secs(100));
        let rates = config::Rates { texts: slow, ..config::Rates::default() };
        let stage = Stage::open(&database, rates).await;
        for pair in 0..PAIRS {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        for sent in 1..=PAIRS {
            assert_eq!(stage.asked().len(), sent, "on {}", database.name);
            stage.others_flow(&format!("over here {sent}")).await;
            stage.pass(100_000).await;
        }
        assert_eq!(stage.asked(), ["a0", "a1", "a2", "a3", "a4", "a5"]);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// A proxy number is sent from no more often than the settings say; other numbers of the same carrier
/// are.
#[tokio::test]
async fn so_many_texts_a_second_from_one_number() {
    for database in support::databases().await {
        let slow = Some(Duration::from_secs(100));
        let rates = config::Rates { texts_of_number: slow, ..config::Rates::default() };
        let stage = Stage::open(&database, rates).await;
        for pair in 0..3 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.asked(), ["a0"], "on {}", database.name);
        stage.text(3, 1, "other").await;
        assert_eq!(stage.asked(), ["a0", "other"]);
        stage.pass(100_000).await;
        stage.pass(100_000).await;
        assert_eq!(stage.asked()[2..], ["a1", "a2"]);
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// Recordings that are to be deleted at a carrier that is down wait for it, and keep no text to another one
/// back.
#[tokio::test]
async fn deletions_at_a_carrier_that_is_down_wait() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.api.down(Some(DOWN));
        for pair in 0..5 {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        assert_eq!(stage.report().state, CarrierState::Open);
        let account = stage.market.account.clone();
        let interaction = support::interactions(&stage.world).await[0].id.clone();
        let mut tx = stage.market.relay.db().read().await.unwrap();
        let legs = legs::of_interaction(&mut tx, &account, &interaction).await.unwrap();
        drop(tx);
        let leg = legs[0].id.clone();
        let owed = stage.market.relay.db().write(move |tx| {
            let (account, interaction, leg) = (account.clone(), interaction.clone(), leg.clone());
            Box::pin(async move {
                let now = tx.now().await?;
                for _ in 0..20 {
                    let owed = outbox::NewEntry {
                        kind: outbox::OutboxKind::DropRecording,
                        session: None,
                        interaction: &interaction,
                        leg: &leg,
                        carrier: "twilio",
                        payload: "RE1",
                        run_at: now,
                        valid_until: now + Duration::from_hours(24),
                        now,
                    };
                    outbox::insert(tx, &account, &owed).await?;
                }
                Ok::<_, relay::Error>(())
            })
        });
        owed.await.unwrap();
        stage.others_flow("over here").await;
        assert_eq!(stage.asked().len(), 5, "nothing is asked of it, on {}", database.name);
        assert!(
            stage.market.relay.until_due(Duration::from_mins(1)).await.unwrap() > Duration::ZERO
        );
        stage.end(database).await;
    }
}

/// A text that went round a carrier comes back to it when the other one is down in its turn.
#[tokio::test]
async fn a_text_that_went_round_comes_back() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        stage.goes_round().await;
        let relay = &stage.world.running.relay;
        let state = |id: &str| relay.health().report(id).unwrap().state;
        for _ in 0..20 {
            if state(support::CARRIER) != CarrierState::Closed {
                break;
            }
            stage.pass(10_000).await;
        }
        assert_ne!(state(support::CARRIER), CarrierState::Closed);
        stage.api.down(None);
        for _ in 0..8 {
            stage.pass(5_000).await;
        }
        assert_eq!(state("twilio"), CarrierState::Closed);
        relay.go_round().await.unwrap();
        // It was put off by then.
        stage.pass(61_000).await;
        assert!(stage.taken().contains(&"round".to_owned()), "{:?}", stage.taken());
        stage.all_relayed().await;
        stage.end(database).await;
    }
}

/// Who stops texts on the number that a text goes round by gets it not from there.
#[tokio::test]
async fn a_stop_holds_for_the_number_that_a_text_comes_from() {
    for database in support::databases().await {
        let rules = Rules { stop_words: StopWords::Number, ..Rules::new("Bikes".into()) };
        let stage = Stage::with(&database, config::Rates::default(), rules).await;
        let known = stage.goes_round().await;
        let seller = &stage.market.people[1];
        let event = serde_json::json!({
            "event": "message", "id": "stop", "from": seller.number.expose(),
            "to": known.dials[1].expose(), "text": "STOP", "media": [],
        });
        let answer = support::webhook(&stage.world, "message", &event).await;
        assert!(answer.status.is_success());
        stage.world.network.set_faults(Faults::default());
        for _ in 0..10 {
            stage.pass(10_000).await;
        }
        let got = stage.world.network.seen(seller.phone).unwrap();
        assert!(got.received().all(|one| one.body.expose() != "round"), "on {}", database.name);
        let log = support::interactions(&stage.world).await;
        let stopped = |one: &&Interaction| one.reason == Some(Reason::RecipientOptedOut);
        assert_eq!(log.iter().filter(stopped).count(), 1, "{log:?}");
        stage.end(database).await;
    }
}

/// While a carrier is down a text goes out by a number of another one by which its recipient knows the
/// sender, and the answer to it comes back. Others wait, though numbers of another carrier are free.
#[tokio::test]
async fn texts_go_round_a_carrier_that_is_down() {
    for database in support::databases().await {
        let stage = Stage::open(&database, config::Rates::default()).await;
        let (relay, market) = (&stage.world.running.relay, &stage.market);
        let known = market.pair([0, 1], [2, 3], Mode::VoiceAndMessage).await.unwrap();
        market.close(&known.id).await.unwrap();
        stage.api.down(Some(StatusCode::UNAUTHORIZED));
        for pair in 1..PAIRS {
            stage.text(pair, 0, &format!("a{pair}")).await;
        }
        stage.pass(29_000).await;
        stage.text(2, 0, "see").await;
        assert_eq!(stage.report().state, CarrierState::Open);
        stage.text(0, 0, "round").await;
        stage.text(1, 0, "waits").await;
        assert_eq!(relay.go_round().await.unwrap(), 0, "most outages are over by then");
        stage.world.clock.advance(1_500);
        assert_eq!(relay.go_round().await.unwrap(), 1, "on {}", database.name);
        stage.world.running.idle().await;
        let seen = |place: usize| {
            let view = stage.world.network.seen(market.people[place].phone).unwrap();
            let texts = view.received();
            let pairs = texts.map(|one| (one.other.clone(), one.body.expose().to_owned()));
            pairs.collect::<Vec<_>>()
        };
        assert_eq!(seen(1), [(known.dials[1].clone(), "round".to_owned())]);
        let answer = Body::new("answer".to_owned());
        stage.world.network.text(market.people[1].phone, &known.dials[1], answer).unwrap();
        stage.world.running.idle().await;
        assert_eq!(relay.go_round().await.unwrap(), 1);
        stage.world.running.idle().await;
        assert_eq!(seen(0), [(known.dials[0].clone(), "answer".to_owned())]);
        assert!(seen(3).is_empty(), "nobody else gets a text from a number that is new to them");
        stage.api.down(None);
        for _ in 0..8 {
            stage.pass(10_000).await;
        }
        let taken = stage.taken();
        assert!(taken.contains(&"waits".to_owned()), "{taken:?}");
        assert!(!taken.iter().any(|words| ["round", "answer"].contains(&words.as_str())));
        stage.all_relayed().await;
        stage.end(database).await;
    }
}
