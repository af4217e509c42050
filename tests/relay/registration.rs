//! Which numbers new sessions get: those that may text where a person is, and those that no country's
//! rule keeps from calls.

use std::sync::Arc;

use entremise::{
    app::Running,
    clock::Clock,
    config::Config,
    domain::{
        phone::{Identifier, Permits, ProxyNumber, Registered, Registration},
        policy::Rules,
        pool::{Capabilities, Rule},
        session::Mode,
    },
    ids::{AccountId, NumberId, ServiceId},
    relay::{
        self, AddParticipant, Error, NewNumber, NewService, OpenSession, SessionView, UpdateNumber,
    },
    store::numbers,
};

use crate::support::{self, CARRIER};

/// People in San Francisco, in Toronto and in Paris: nobody is in two sessions.
const PEOPLE: [&str; 10] = [
    "+14155550101",
    "+14155550102",
    "+14155550103",
    "+14155550104",
    "+14165550101",
    "+14165550102",
    "+33639980001",
    "+33639980002",
    "+33639980003",
    "+33639980004",
];

struct Shop {
    running: Running,
    account: AccountId,
    service: ServiceId,
}

impl Shop {
    /// An empty pool whose numbers are given to anybody.
    async fn open(config: Config) -> Self {
        let running = support::run(config, &Clock::shifted()).await.unwrap();
        let account = running.relay.create_account("Bikes").await.unwrap().account;
        let owner = account.clone();
        let made = running.relay.db().write(move |tx| {
            let owner = owner.clone();
            Box::pin(async move {
                let mut rules = Rules::new("Bikes".into());
                rules.geo_match = entremise::domain::policy::GeoMatch::Any;
                let new = NewService { unique_name: "bikes".into(), rules };
                relay::create_service(tx, &owner, &new).await
            })
        });
        let service = made.await.unwrap().id;
        Self { running, account, service }
    }

    /// The same database with other settings.
    async fn again(self, config: Config) -> Self {
        self.running.shutdown().await;
        let running = support::run(config, &Clock::shifted()).await.unwrap();
        Self { running, ..self }
    }

    async fn add(&self, number: &str, registration: Registration) -> Result<NumberId, Error> {
        let new = NewNumber {
            service: self.service.clone(),
            number: ProxyNumber::parse(number).unwrap(),
            carrier: CARRIER.into(),
            capabilities: Capabilities::parse("voice|sms").unwrap(),
            reserved: false,
        };
        let registered = Registered { registration, campaign: None };
        let account = self.account.clone();
        let added = self.running.relay.db().write(move |tx| {
            let (account, new, registered) = (account.clone(), new.clone(), registered.clone());
            Box::pin(
                async move { relay::add_registered_number(tx, &account, &new, &registered).await },
            )
        });
        added.await.map(|number| number.id)
    }

    async fn change(&self, id: &NumberId, registration: Registration) {
        let (account, id) = (self.account.clone(), id.clone());
        let change = UpdateNumber { registration: Some(registration), ..UpdateNumber::default() };
        let done = self.running.relay.db().write(move |tx| {
            let (account, id, change) = (account.clone(), id.clone(), change.clone());
            Box::pin(async move { relay::update_number(tx, &account, &id, change, None).await })
        });
        done.await.unwrap();
    }

    /// Opens a session between two of the people, the first of whom may have a number of their own.
    async fn session(
        &self,
        people: [usize; 2],
        mode: Mode,
        pinned: Option<&NumberId>,
    ) -> Result<SessionView, Error> {
        let participants = people.into_iter().zip([pinned.cloned(), None]);
        let new = Arc::new(OpenSession {
            service: self.service.clone(),
            unique_name: None,
            mode,
            ttl: None,
            date_expiry: None,
            recording: None,
            metadata: "{}".into(),
            participants: participants
                .map(|(place, number)| AddParticipant {
                    identifier: Identifier::parse(PEOPLE[place]).unwrap(),
                    role: None,
                    name: None,
                    number,
                    pin: entremise::relay::PinWanted::Never,
                })
                .collect(),
        });
        let account = self.account.clone();
        let opened = self.running.relay.db().write(move |tx| {
            let (account, new) = (account.clone(), Arc::clone(&new));
            Box::pin(async move { relay::open(tx, &account, &new).await })
        });
        opened.await
    }

    /// The rule that left no number.
    async fn emptied(&self, people: [usize; 2], mode: Mode) -> Rule {
        match self.session(people, mode, None).await {
            Err(Error::PoolExhausted(why)) => {
                assert_eq!(why.steps.last().unwrap().rule, why.rule);
                why.rule
            }
            other => panic!("{:?}", other.map(|view| view.session.id)),
        }
    }
}

fn code(result: Result<SessionView, Error>) -> &'static str {
    match result {
        Err(Error::Invalid(faults)) => faults[0].code,
        other => panic!("{:?}", other.map(|view| view.session.id)),
    }
}

/// A number under +1 that is registered for nothing is given to nobody in the United States for texts:
/// the rule is named. It serves calls, and people elsewhere; a registered one serves all.
#[tokio::test]
async fn an_unregistered_number_texts_nobody_who_asks_for_it() {
    for database in support::databases().await {
        let shop = Shop::open(support::settings(&database)).await;
        let one = shop.add("+14155550110", Registration::None).await.unwrap();
        shop.add("+18005550110", Registration::None).await.unwrap();
        for mode in [Mode::MessageOnly, Mode::VoiceAndMessage] {
            assert_eq!(shop.emptied([0, 6], mode).await, Rule::Registration);
        }
        let view = shop.session([0, 6], Mode::VoiceOnly, None).await.unwrap();
        assert!(
            view.choices
                .iter()
                .all(|(_, _, steps)| { steps.iter().all(|step| step.rule != Rule::Registration) })
        );
        // To Canada only the toll-free number is asked for more.
        let view = shop.session([4, 7], Mode::MessageOnly, None).await.unwrap();
        assert_eq!(view.participants[0].number.as_str(), "+14155550110");
        let narrowed = &view.choices[0].2;
        let step = narrowed.iter().find(|step| step.rule == Rule::Registration).unwrap();
        assert_eq!(step.left, 1);
        let pinned = shop.session([1, 8], Mode::MessageOnly, Some(&one)).await;
        assert_eq!(code(pinned), "number_not_registered");

        shop.change(&one, Registration::TenDlc).await;
        let view = shop.session([1, 8], Mode::MessageOnly, None).await.unwrap();
        assert_eq!(view.participants[0].number.as_str(), "+14155550110");
        // Of which nobody has said anything goes on as before.
        shop.change(&one, Registration::Unknown).await;
        shop.session([2, 3], Mode::MessageOnly, None).await.unwrap();
        shop.running.shutdown().await;
        database.drop().await;
    }
}

/// A number that a country's rule refuses joins no pool. One that stands in one, because the operator's
/// permit ended, is given to no new session with calls, and the rule is named; with a permit it serves.
#[tokio::test]
async fn a_barred_number_is_given_to_no_calls() {
    for database in support::databases().await {
        let plain = support::settings(&database);
        let mut permitted = plain.clone();
        permitted.numbers.allow = Permits::parse(["+33639 permit 7 of Arcep"]).unwrap();
        let shop = Shop::open(plain.clone()).await;
        let refused = shop.add("+33639980010", Registration::Unknown).await;
        let Err(Error::Invalid(faults)) = refused else { panic!("{refused:?}") };
        assert_eq!((&*faults[0].pointer, faults[0].code), ("/number", "number_class"));
        assert!(faults[0].message.contains("rule fr-mobile"), "{}", faults[0].message);

        let shop = shop.again(permitted.clone()).await;
        let mobile = shop.add("+33639980010", Registration::Unknown).await.unwrap();
        let mut tx = shop.running.relay.db().read().await.unwrap();
        let number = numbers::get(&mut tx, &shop.account, &mobile).await.unwrap().unwrap();
        assert_eq!(number.permit.as_deref(), Some("permit 7 of Arcep"));
        assert_eq!(number.registered.registration, Registration::None, "outside +1");
        drop(tx);
        shop.session([0, 6], Mode::VoiceAndMessage, None).await.unwrap();

        let shop = shop.again(plain).await;
        for mode in [Mode::VoiceOnly, Mode::VoiceAndMessage] {
            assert_eq!(shop.emptied([2, 3], mode).await, Rule::NumberClass);
            let pinned = shop.session([2, 3], mode, Some(&mobile)).await;
            assert_eq!(code(pinned), "number_class");
        }
        shop.session([2, 3], Mode::MessageOnly, None).await.unwrap();

        let shop = shop.again(permitted).await;
        shop.session([4, 7], Mode::VoiceAndMessage, None).await.unwrap();
        shop.running.shutdown().await;
        database.drop().await;
    }
}
