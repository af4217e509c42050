//! A worker that is held up between its judgement of a session and its request.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use entremise::{
    carrier::event::{Inbound, InboundMessage},
    clock::Clock,
    domain::{
        interaction::{Outcome, Reason},
        message::Body,
        phone::{Caller, Identifier, ProxyNumber},
        policy::Rules,
        pool::Capabilities,
        session::{ClosedReason, Mode},
    },
    ids::AccountId,
    relay::{self, AddParticipant, Error, NewNumber, NewService, OpenSession, Relay, SessionView},
    store::{
        Mishap, Mishaps,
        interactions::{self, Filter},
        sessions::Page,
    },
};

use crate::{story::person, world::World};

/// When the next write is held up.
#[derive(Debug, Clone, Copy)]
enum Pause {
    /// In the queue for the writer, before anything was judged.
    Before,
    /// Once it was committed.
    After,
}

#[derive(Debug)]
struct Pauses {
    clock: Clock,
    next: Mutex<Option<(Pause, Duration)>>,
}

impl Mishaps for Pauses {
    fn next(&self) -> Option<Mishap> {
        match self.next.lock().unwrap().take()? {
            (Pause::Before, pause) => {
                self.clock.advance(i64::try_from(pause.as_millis()).unwrap());
                None
            }
            (Pause::After, pause) => Some(Mishap::HeldUp(pause)),
        }
    }
}

struct Stage {
    world: World,
    relay: Relay,
    pauses: Arc<Pauses>,
    account: AccountId,
    session: SessionView,
}

impl Stage {
    async fn open() -> Self {
        let world = World::new(1).await;
        *world.carrier.well.lock().unwrap() = true;
        let pauses = Arc::new(Pauses { clock: world.clock.clone(), next: Mutex::default() });
        let relay = world.with_mishaps(Arc::<Pauses>::clone(&pauses));
        let account = relay.create_account("Stage").await.unwrap().account;
        let owner = account.clone();
        let session = relay.db().write(move |tx| {
            let account = owner.clone();
            Box::pin(async move {
                let rules = Rules::new("Bikes".into());
                let new = NewService { unique_name: "bikes".into(), rules };
                let service = relay::create_service(tx, &account, &new).await?.id;
                for number in ["+14155550100", "+14155550101"] {
                    let new = NewNumber {
                        service: service.clone(),
                        number: ProxyNumber::parse(number).unwrap(),
                        carrier: "twilio".into(),
                        capabilities: Capabilities::parse("voice|sms").unwrap(),
                        reserved: false,
                    };
                    relay::add_number(tx, &account, &new).await?;
                }
                let new = OpenSession {
                    service,
                    unique_name: None,
                    mode: Mode::VoiceAndMessage,
                    ttl: None,
                    date_expiry: None,
                    recording: None,
                    metadata: "{}".into(),
                    participants: [(0, "buyer"), (1, "seller")]
                        .map(|(place, role)| AddParticipant {
                            identifier: Identifier::parse(&person(place)).unwrap(),
                            role: Some(role.into()),
                            name: None,
                            number: None,
                            pin: entremise::relay::PinWanted::Never,
                        })
                        .into(),
                };
                relay::open(tx, &account, &new).await
            })
        });
        let session = session.await.unwrap();
        Self { world, relay, pauses, account, session }
    }

    /// The buyer texts.
    async fn text(&self) {
        let text = InboundMessage {
            id: format!("SM{:032x}", 1),
            from: Caller::Number(Identifier::parse(&person(0)).unwrap()),
            to: self.session.participants[0].number.clone(),
            body: Body::new("Hello".to_owned()),
            media: Vec::new(),
            part: None,
        };
        self.relay.handle("twilio", &Inbound::Message(text)).await.unwrap();
    }

    /// The marketplace asks for a call.
    async fn call(&self) {
        let (account, session) = (self.account.clone(), self.session.session.id.clone());
        let from = self.session.participants[0].id.clone();
        let placed = self.relay.db().write(move |tx| {
            let (account, session, from) = (account.clone(), session.clone(), from.clone());
            Box::pin(async move { relay::place_call(tx, &account, &session, &from).await })
        });
        placed.await.unwrap();
    }

    async fn close(&self) {
        let (account, session) = (self.account.clone(), self.session.session.id.clone());
        let closed = self.relay.db().write(move |tx| {
            let (account, session) = (account.clone(), session.clone());
            Box::pin(async move {
                relay::close(tx, &account, &session, ClosedReason::Api, None).await?;
                Ok::<_, Error>(())
            })
        });
        closed.await.unwrap();
    }

    /// A worker takes what is due, and its first write is held up.
    async fn deliver(&self, pause: Option<(Pause, u64)>) {
        let due = self.relay.due(&[], &[].into(), 1).await.unwrap().remove(0);
        let pause = pause.map(|(when, seconds)| (when, Duration::from_secs(seconds)));
        *self.pauses.next.lock().unwrap() = pause;
        self.relay.deliver(due).await.unwrap();
    }

    /// What the carrier was asked for.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.world.carrier.told.lock().unwrap())
    }

    async fn ended(&self) -> (Option<Outcome>, Option<Reason>) {
        let mut tx = self.relay.db().read().await.unwrap();
        let (all, newest) = (Filter::default(), Page { before: None, after: None, limit: 1 });
        let newest = interactions::list(&mut tx, &self.account, &all, &newest).await.unwrap();
        let newest = &newest[0];
        (newest.outcome, newest.reason)
    }

    async fn end(self) {
        self.world.close().await;
    }
}

/// I3: a worker that was held up sends no text; the next one judges the session again, and sends it
/// once or, after a close, not at all.
#[tokio::test]
async fn i3_a_worker_that_was_held_up_sends_no_text() {
    for closed in [false, true] {
        let stage = Stage::open().await;
        stage.text().await;
        stage.deliver(Some((Pause::After, 6))).await;
        assert_eq!(stage.asked(), [""; 0], "nothing is sent");
        if closed {
            stage.close().await;
            assert!(stage.relay.due(&[], &[].into(), 1).await.unwrap().is_empty());
            assert_eq!(stage.ended().await.1, Some(Reason::SessionClosed));
        } else {
            stage.deliver(None).await;
            assert_eq!(stage.asked(), ["Taken"]);
        }
        stage.end().await;
    }
}

/// I3: a worker that was held up places no call; the call ends, and is not tried again.
#[tokio::test]
async fn i3_a_worker_that_was_held_up_places_no_call() {
    let stage = Stage::open().await;
    stage.call().await;
    stage.deliver(Some((Pause::After, 6))).await;
    assert_eq!(stage.asked(), [""; 0], "nobody is rung");
    assert_eq!(stage.ended().await, (Some(Outcome::Cancelled), Some(Reason::TooLate)));
    assert!(stage.relay.due(&[], &[].into(), 1).await.unwrap().is_empty());
    stage.end().await;
}

/// Whoever waits long for the database, and then judges, is not held up: a slow database must not
/// hand everything back for ever.
#[tokio::test]
async fn waiting_for_the_database_hands_nothing_back() {
    let stage = Stage::open().await;
    stage.text().await;
    stage.deliver(Some((Pause::Before, 9))).await;
    assert_eq!(stage.asked(), ["Taken"]);
    stage.call().await;
    stage.deliver(Some((Pause::Before, 9))).await;
    assert_eq!(stage.asked(), ["Called"]);
    stage.end().await;
}
