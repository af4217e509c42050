//! A marketplace: a service, a pool and people with phones.

use std::sync::Arc;

use entremise::{
    domain::{
        phone::{Identifier, ProxyNumber},
        policy::Rules,
        pool::Capabilities,
        session::{ClosedReason, Mode},
    },
    ids::{AccountId, NumberId, ServiceId, SessionId},
    relay::{self, AddParticipant, Answer, Key, NewNumber, NewService, OpenSession, Relay},
    sandbox::{Network, PhoneId},
};
use serde_json::{Value, json};

use crate::support::{CARRIER, World};

/// Somebody with a phone.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) phone: PhoneId,
    pub(crate) number: Identifier,
    pub(crate) role: &'static str,
}

/// A session as the API tells it: who dials what.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) id: SessionId,
    /// By place of the person: the proxy number that they dial.
    pub(crate) dials: [Identifier; 2],
}

#[derive(Clone)]
pub(crate) struct Market {
    pub(crate) relay: Relay,
    pub(crate) network: Arc<Network>,
    pub(crate) account: AccountId,
    pub(crate) service: ServiceId,
    pub(crate) numbers: Vec<NumberId>,
    pub(crate) people: Arc<Vec<Person>>,
}

impl Market {
    /// `people` phones, half of them buyers, and a pool of `pool` numbers.
    pub(crate) async fn open(world: &World, people: usize, pool: usize, rules: Rules) -> Self {
        Self::at(CARRIER, world, people, pool, rules).await
    }

    /// The same with the pool at another carrier.
    pub(crate) async fn at(
        carrier: &'static str,
        world: &World,
        people: usize,
        pool: usize,
        rules: Rules,
    ) -> Self {
        Box::pin(Self::over(&vec![carrier; pool], world, people, rules)).await
    }

    /// The same with a number at each of these carriers.
    pub(crate) async fn over(
        carriers: &[&'static str],
        world: &World,
        people: usize,
        rules: Rules,
    ) -> Self {
        let (account, relay) = (world.account.account.clone(), world.running.relay.clone());
        let (service, numbers) = Box::pin(pool(&relay, &account, carriers, 100, rules)).await;
        let people = (0..people)
            .map(|place| {
                let number =
                    Identifier::parse(&format!("+{}{:04}", 1_212_555, 100 + place)).unwrap();
                let phone = world.network.register(&format!("P{place}"), number.clone()).unwrap();
                Person { phone, number, role: if place % 2 == 0 { "buyer" } else { "seller" } }
            })
            .collect();
        let network = Arc::clone(&world.network);
        Self { relay, network, account, service, numbers, people: Arc::new(people) }
    }

    /// The marketplace of another account, with two numbers at that carrier: the same people use it.
    pub(crate) async fn beside(&self, carrier: &'static str, account: &AccountId) -> Self {
        let rules = Rules::new("Boats".into());
        let (service, numbers) = pool(&self.relay, account, &[carrier; 2], 150, rules).await;
        Self { account: account.clone(), service, numbers, ..self.clone() }
    }

    /// Opens a session of two people, under an idempotency key.
    pub(crate) async fn session(
        &self,
        places: [usize; 2],
        ttl_s: u64,
        key: Option<&str>,
    ) -> Result<Opened, relay::Error> {
        self.open_session(places, [None, None], Mode::VoiceAndMessage, ttl_s, key).await
    }

    /// The same where each of the two dials that number of the pool.
    pub(crate) async fn pinned(
        &self,
        numbers: [usize; 2],
        mode: Mode,
    ) -> Result<Opened, relay::Error> {
        self.pair([0, 1], numbers, mode).await
    }

    /// The same of these two people.
    pub(crate) async fn pair(
        &self,
        people: [usize; 2],
        numbers: [usize; 2],
        mode: Mode,
    ) -> Result<Opened, relay::Error> {
        let numbers = numbers.map(|place| Some(self.numbers[place].clone()));
        self.open_session(people, numbers, mode, 0, None).await
    }

    async fn open_session(
        &self,
        places: [usize; 2],
        numbers: [Option<NumberId>; 2],
        mode: Mode,
        ttl_s: u64,
        key: Option<&str>,
    ) -> Result<Opened, relay::Error> {
        let people = places.map(|place| self.people[place].clone());
        let new = OpenSession {
            service: self.service.clone(),
            unique_name: None,
            mode,
            ttl: Some(std::time::Duration::from_secs(ttl_s)),
            date_expiry: None,
            recording: None,
            metadata: "{}".into(),
            participants: people
                .iter()
                .zip(numbers)
                .map(|(one, number)| AddParticipant {
                    identifier: one.number.clone(),
                    role: Some(one.role.to_owned()),
                    name: None,
                    number,
                    pin: entremise::relay::PinWanted::Never,
                })
                .collect(),
        };
        let key = key.map(|key| Key { key: key.to_owned(), fingerprint: "open".into() });
        let owner = self.account.clone();
        let answer = self
            .relay
            .perform(&self.account, key, move |tx| {
                let (account, new) = (owner.clone(), new.clone());
                Box::pin(async move {
                    let view = relay::open(tx, &account, &new).await?;
                    let dials: Vec<&str> =
                        view.participants.iter().map(|one| one.number.as_str()).collect();
                    let body = json!({ "id": view.session.id, "dials": dials }).to_string();
                    Ok(Answer { body, ..Answer::empty(201) })
                })
            })
            .await?;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let number = |place: usize| Identifier::parse(body["dials"][place].as_str().unwrap());
        Ok(Opened {
            id: SessionId::parse(body["id"].as_str().unwrap()).unwrap(),
            dials: [number(0).unwrap(), number(1).unwrap()],
        })
    }

    /// Closes a session.
    pub(crate) async fn close(&self, id: &SessionId) -> Result<(), relay::Error> {
        let (account, id) = (self.account.clone(), id.clone());
        self.relay
            .db()
            .write(move |tx| {
                let (account, id) = (account.clone(), id.clone());
                Box::pin(async move {
                    relay::close(tx, &account, &id, ClosedReason::Api, None).await.map(drop)
                })
            })
            .await
    }

    /// Reopens a session.
    pub(crate) async fn reopen(&self, id: &SessionId) -> Result<(), relay::Error> {
        let (account, id) = (self.account.clone(), id.clone());
        self.relay
            .db()
            .write(move |tx| {
                let (account, id) = (account.clone(), id.clone());
                Box::pin(async move {
                    let change = relay::UpdateSession::default();
                    relay::reopen(tx, &account, &id, &change, None).await.map(drop)
                })
            })
            .await
    }
}

/// A service with a number at each of these carriers, from `first` on.
async fn pool(
    relay: &Relay,
    account: &AccountId,
    carriers: &[&'static str],
    first: usize,
    rules: Rules,
) -> (ServiceId, Vec<NumberId>) {
    let (account, carriers) = (account.clone(), carriers.to_vec());
    let made = relay.db().write(move |tx| {
        let (account, rules, carriers) = (account.clone(), rules.clone(), carriers.clone());
        Box::pin(async move {
            let new = NewService { unique_name: "bikes".into(), rules };
            let service = relay::create_service(tx, &account, &new).await?;
            let mut numbers = Vec::new();
            for (place, carrier) in carriers.into_iter().enumerate() {
                let number = ProxyNumber::parse(&format!("+{}{:04}", 1_415_555, first + place));
                let new = NewNumber {
                    service: service.id.clone(),
                    number: number.unwrap(),
                    carrier: carrier.into(),
                    capabilities: Capabilities::parse("voice|sms|mms").unwrap(),
                    reserved: false,
                };
                numbers.push(relay::add_number(tx, &account, &new).await?.id);
            }
            Ok::<_, relay::Error>((service.id, numbers))
        })
    });
    made.await.unwrap()
}
