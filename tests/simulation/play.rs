//! One story: steps chosen by the seed, then everything is mended, settled and judged.

use std::{collections::BTreeMap, time::Duration};

use entremise::{
    carrier::{
        event::{DialEnded, Inbound, InboundCall, InboundMessage, MessageStatus},
        plan::{Answer, Connect, Plan},
    },
    domain::{
        call::CallState,
        interaction::{Kind, Outcome},
        message::{Body, MessageState},
        phone::{Caller, Identifier, ProxyNumber},
        policy::Rules,
        pool::Capabilities,
        session::{ClosedReason, Mode, State},
        time::Timestamp,
    },
    ids::{AccountId, ServiceId, SessionId},
    relay::{self, AddParticipant, Error, Key, NewNumber, NewService, OpenSession, SessionView},
    store::{self, interactions, legs, sessions as rows, sessions::Page},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};

use crate::{
    rng::Rng,
    story::{Reach, Said, Session, Story, Webhook, person},
    world::World,
};

const STEPS: usize = 120;
const PEOPLE: usize = 6;
const POOL: usize = 4;
const QUARANTINE: Duration = Duration::from_hours(1);
/// Mishaps among a hundred writes.
const MISHAPS: usize = 12;
/// How often everything owed is looked at before it must have ended.
const ROUNDS: usize = 40;

/// Plays a seed; what happened, line by line.
///
/// # Panics
/// If a promise is broken.
pub(crate) fn story(seed: u64) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    let counters = recorder.handle();
    let story = async {
        let mut play = Play::prepare(seed).await;
        for _ in 0..STEPS {
            play.step().await;
        }
        play.settle().await;
        play.judge().await;
        play.judge_counters(&counters.render()).await;
        play.world.close().await;
        play.story.lines.join("\n")
    };
    metrics::with_local_recorder(&recorder, || runtime.block_on(story))
}

struct Play {
    world: World,
    rng: Rng,
    story: Story,
    account: AccountId,
    service: ServiceId,
    keys: u64,
}

impl Play {
    async fn prepare(seed: u64) -> Self {
        let world = World::new(seed).await;
        let account = world.relay.create_account("Story").await.unwrap().account;
        let owner = account.clone();
        let service = world.relay.db().write(move |tx| {
            let account = owner.clone();
            Box::pin(async move {
                let mut rules = Rules::new("Bikes".into());
                rules.quarantine = QUARANTINE;
                let new = NewService { unique_name: "bikes".into(), rules };
                let service = relay::create_service(tx, &account, &new).await?;
                for place in 0..POOL {
                    let number = format!("+{}", 14_155_550_100_u64 + place as u64);
                    let new = NewNumber {
                        service: service.id.clone(),
                        number: ProxyNumber::parse(&number).unwrap(),
                        carrier: "twilio".into(),
                        capabilities: Capabilities::parse("voice|sms").unwrap(),
                        reserved: false,
                    };
                    relay::add_number(tx, &account, &new).await?;
                }
                Ok::<_, Error>(service.id)
            })
        });
        let service = service.await.unwrap();
        *world.misfortune.percent.lock().unwrap() = MISHAPS;
        let rng = Rng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self { world, rng, story: Story::default(), account, service, keys: 0 }
    }

    async fn now(&self) -> Timestamp {
        self.world.relay.db().read().await.unwrap().now().await.unwrap()
    }

    async fn step(&mut self) {
        match self.rng.below(100) {
            0..10 => self.open().await,
            10..35 => self.say(false).await,
            35..45 => self.say(true).await,
            45..57 => self.post_again().await,
            57..80 => self.deliver_one().await,
            80..84 => self.close().await,
            84..86 => self.reopen().await,
            86..88 => self.block().await,
            88..95 => self.pass_time().await,
            95..98 => self.expire().await,
            98 => {
                self.world.restart().await;
                self.story.tell("restart".into());
            }
            _ => {
                let purged = self.world.relay.purge().await;
                self.story.tell(format!("purge {}", purged.is_ok()));
            }
        }
    }

    /// Opens a session, again and again under one key until an answer is heard (I15).
    async fn open(&mut self) {
        let people = [self.rng.below(PEOPLE / 2) * 2, self.rng.below(PEOPLE / 2) * 2 + 1];
        self.keys += 1;
        let key = Key { key: format!("key-{}", self.keys), fingerprint: "open".into() };
        let new = OpenSession {
            service: self.service.clone(),
            unique_name: None,
            mode: Mode::VoiceAndMessage,
            ttl: Some(Duration::from_secs([0, 600, 86_400][self.rng.below(3)])),
            date_expiry: None,
            recording: None,
            metadata: "{}".into(),
            participants: [(people[0], "buyer"), (people[1], "seller")]
                .map(|(place, role)| {
                    AddParticipant::new(Identifier::parse(&person(place)).unwrap(), role)
                })
                .into(),
        };
        let answer = loop {
            let (account, new) = (self.account.clone(), new.clone());
            let asked = self.world.relay.perform(&self.account, Some(key.clone()), move |tx| {
                let (account, new) = (account.clone(), new.clone());
                Box::pin(async move {
                    let view = relay::open(tx, &account, &new).await?;
                    let seen = view.participants.iter().map(|one| one.number.as_str());
                    let body =
                        json!({ "id": view.session.id, "proxies": seen.collect::<Vec<_>>() });
                    Ok(relay::Answer { body: body.to_string(), ..relay::Answer::empty(201) })
                })
            });
            match asked.await {
                Err(Error::Store(store::Error::Unavailable(_))) => {}
                other => break other,
            }
        };
        self.world.misfortune.taken();
        let answer = match answer {
            Ok(answer) => answer,
            Err(Error::PoolExhausted(_)) => {
                self.story.tell(format!("open {people:?}: no number is free"));
                return;
            }
            Err(error) => panic!("opening failed: {error:?}"),
        };
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let proxy = |place: usize| body["proxies"][place].as_str().unwrap().to_owned();
        let session = Session {
            id: SessionId::parse(body["id"].as_str().unwrap()).unwrap(),
            people,
            proxies: [proxy(0), proxy(1)],
            open: true,
            ended_at: None,
        };
        self.story.tell(format!("open {people:?} for {:?}: {:?}", new.ttl, session.proxies));
        self.judge_claims(&session).await;
        self.story.sessions.push(session);
    }

    /// I1: no open session has this person on this number. I4: nor did one with another
    /// counterpart so lately that its quarantine runs.
    async fn judge_claims(&self, new: &Session) {
        let now = self.now().await;
        for side in 0..2 {
            for old in &self.story.sessions {
                let shared = (0..2).find(|other| {
                    old.people[*other] == new.people[side]
                        && old.proxies[*other] == new.proxies[side]
                        && old.id != new.id
                });
                let Some(other) = shared else { continue };
                assert!(!old.open, "I1: {} beside {}", new.id, old.id);
                let same = old.people[1 - other] == new.people[1 - side];
                let free = old.ended_at.is_some_and(|at| at + QUARANTINE <= now);
                assert!(same || free, "I4: {} too soon after {}", new.id, old.id);
            }
        }
    }

    fn pick(&mut self) -> Option<usize> {
        let count = self.story.sessions.len();
        (count > 0).then(|| self.rng.below(count))
    }

    /// Runs a use case on a session until an answer is heard.
    async fn change<F>(&self, id: &SessionId, work: F) -> Result<SessionView, Error>
    where
        F: for<'t> Fn(
                &'t mut store::Tx,
                &'t AccountId,
                &'t SessionId,
            )
                -> futures_util::future::BoxFuture<'t, Result<SessionView, Error>>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        loop {
            let (account, id, work) = (self.account.clone(), id.clone(), work.clone());
            let done = self.world.relay.db().write(move |tx| {
                let (account, id, work) = (account.clone(), id.clone(), work.clone());
                Box::pin(async move { work(tx, &account, &id).await })
            });
            match done.await {
                Err(Error::Store(store::Error::Unavailable(_))) => {}
                other => {
                    self.world.misfortune.taken();
                    return other;
                }
            }
        }
    }

    async fn close(&mut self) {
        let Some(place) = self.pick() else { return };
        let id = self.story.sessions[place].id.clone();
        let closed = self.change(&id, |tx, account, id| {
            Box::pin(relay::close(tx, account, id, ClosedReason::Api, None))
        });
        closed.await.unwrap();
        self.look().await;
        self.story.tell(format!("close {place}"));
    }

    async fn reopen(&mut self) {
        let Some(place) = self.pick() else { return };
        let id = self.story.sessions[place].id.clone();
        let was_open = self.story.sessions[place].open;
        let reopened = self
            .change(&id, |tx, account, id| {
                Box::pin(async move {
                    let change = relay::UpdateSession::default();
                    relay::reopen(tx, account, id, &change, None).await
                })
            })
            .await;
        match reopened {
            // It was open, or the answer to a first try was lost.
            Ok(_) | Err(Error::SessionNotClosed | Error::NumberInUse) => {}
            Err(error) => panic!("reopening failed: {error:?}"),
        }
        self.look().await;
        let session = self.story.sessions[place].clone();
        if session.open && !was_open {
            let others = self.story.sessions.iter().filter(|other| other.id != session.id);
            for other in others.filter(|other| other.open) {
                let beside = (0..2).any(|side| {
                    (0..2).any(|theirs| {
                        other.people[theirs] == session.people[side]
                            && other.proxies[theirs] == session.proxies[side]
                    })
                });
                assert!(!beside, "I1: {} beside {}", session.id, other.id);
            }
        }
        self.story.tell(format!("reopen {place}: {}", session.open));
    }

    async fn block(&mut self) {
        let Some(place) = self.pick() else { return };
        let (id, side, blocked) =
            (self.story.sessions[place].id.clone(), self.rng.below(2), self.rng.below(3) > 0);
        let done = self.change(&id, move |tx, account, id| {
            Box::pin(async move {
                let view = relay::view(tx, account, id).await?;
                let who = view.participants[side].id.clone();
                relay::set_block(tx, account, id, &who, blocked).await
            })
        });
        done.await.unwrap();
        let people = self.story.sessions[place].people;
        let pair = (people[side], people[1 - side]);
        if blocked {
            self.story.blocks.insert(pair);
        } else {
            self.story.blocks.remove(&pair);
        }
        self.story.tell(format!("block {place} by {side}: {blocked}"));
    }

    async fn pass_time(&mut self) {
        let seconds = [1, 11, 61, 600, 7_200, 90_000, -3_600][self.rng.below(7)];
        self.world.clock.advance(seconds * 1_000);
        self.look().await;
        self.story.tell(format!("{seconds} s pass"));
    }

    async fn expire(&mut self) {
        let expired = self.world.relay.expire_due().await;
        self.look().await;
        self.story.tell(format!("expire: {:?}", expired.ok()));
    }

    /// Notes which sessions ended.
    async fn look(&mut self) {
        let mut tx = self.world.relay.db().read().await.unwrap();
        let now = tx.now().await.unwrap();
        for session in &mut self.story.sessions {
            let row = rows::get(&mut tx, &self.account, &session.id).await.unwrap().unwrap();
            let open = row.state != State::Closed && now < row.expires_at;
            if session.open && !open {
                session.ended_at = Some(row.ended_at.unwrap_or(row.expires_at));
            }
            session.open = open;
        }
    }

    /// Somebody texts or calls in some session, open or not.
    async fn say(&mut self, call: bool) {
        let Some(place) = self.pick() else { return };
        let side = self.rng.below(2);
        let session = &self.story.sessions[place];
        let (who, proxy) = (session.people[side], session.proxies[side].clone());
        let id = format!("{}{:032x}", if call { "CA" } else { "SM" }, self.story.said.len());
        let from = Caller::Number(Identifier::parse(&person(who)).unwrap());
        let to = ProxyNumber::parse(&proxy).unwrap();
        let event = if call {
            Inbound::Call(InboundCall::untold(id.clone(), from, to))
        } else {
            let body = Body::new(format!("text {id}"));
            Inbound::Message(InboundMessage {
                id: id.clone(),
                from,
                to,
                body,
                media: Vec::new(),
                part: None,
            })
        };
        let said = Said { call, person: who, proxy, received: 0 };
        self.story.said.insert(id.clone(), said);
        self.story.webhooks.insert(id.clone(), Webhook { event, answer: None });
        self.post(&id).await;
    }

    async fn post_again(&mut self) {
        if self.story.webhooks.is_empty() {
            return;
        }
        let place = self.rng.below(self.story.webhooks.len());
        let id = self.story.webhooks.keys().nth(place).unwrap().clone();
        self.post(&id).await;
    }

    /// Posts a webhook. It is taken for good or the carrier hears that it was not.
    async fn post(&mut self, id: &str) {
        let webhook = self.story.webhooks[id].clone();
        let handled = self.world.relay.handle("twilio", &webhook.event).await;
        let mishap = self.world.misfortune.taken();
        let handled = match handled {
            Ok(handled) => handled,
            Err(Error::Store(store::Error::Unavailable(_))) => {
                self.story.tell(format!("{id} not taken: {mishap:?}"));
                self.look().await;
                return;
            }
            Err(error) => panic!("a webhook failed: {error:?}"),
        };
        let line = format!("{id}: {}", kind_of(&handled.answer));
        self.story.tell(line);
        if let Answer::Plan(Plan::Connect(connect)) = &handled.answer
            && self.story.said.contains_key(id)
        {
            self.bridged(id, connect);
        }
        let first = webhook.answer.is_none();
        if let Some(before) = &webhook.answer
            && self.story.said.contains_key(id)
        {
            // What was put through is not any more once the session is closed.
            let ended = !matches!(handled.answer, Answer::Plan(Plan::Connect(_)));
            assert!(
                *before == handled.answer
                    || (ended && matches!(before, Answer::Plan(Plan::Connect(_)))),
                "I10: {id} was answered {before:?} and {:?}",
                handled.answer
            );
        }
        self.story.webhooks.get_mut(id).unwrap().answer = Some(handled.answer.clone());
        if first {
            self.look().await;
        }
    }

    /// I2, I3: a call is put through to the other side of an open session, as their own number.
    fn bridged(&mut self, id: &str, connect: &Connect) {
        let said = self.story.said[id].clone();
        for target in &connect.to {
            let to = target.number.expose();
            match self.story.reaches(&said, connect.caller_id.as_str(), to) {
                Reach::Open => {}
                Reach::Closed => panic!("I3: {id} was bridged after the close"),
                Reach::Nobody => panic!("I2: {id} was bridged to the wrong person"),
            }
        }
        let ended = format!("end of {id}");
        if !self.story.webhooks.contains_key(&ended) {
            let talked = self.rng.below(2) == 0;
            let event = Inbound::DialEnded(DialEnded {
                leg: connect.leg.clone(),
                state: if talked { CallState::Completed } else { CallState::NoAnswer },
                duration: talked.then_some(Duration::from_secs(42)),
                caller_gone: false,
                turn: 0,
            });
            self.story.webhooks.insert(ended, Webhook { event, answer: None });
        }
    }

    /// A worker looks at one entry that is due.
    async fn deliver_one(&mut self) {
        let due = self.world.relay.due(&[], &[].into(), 50).await.unwrap();
        if due.is_empty() {
            return;
        }
        let entry = due[self.rng.below(due.len())].clone();
        let done = self.world.relay.deliver(entry).await;
        self.world.misfortune.taken();
        self.sent(done.is_ok());
    }

    /// Judges what the carrier really sent.
    fn sent(&mut self, heard: bool) {
        let told = std::mem::take(&mut *self.world.carrier.told.lock().unwrap());
        let sent = std::mem::take(&mut *self.world.carrier.sent.lock().unwrap());
        self.story.tell(format!("deliver: {told:?} {heard}"));
        for one in sent {
            let token = one.body.strip_prefix("text ").expect("a text that nobody wrote");
            let said = self.story.said[token].clone();
            match self.story.reaches(&said, &one.from, &one.to) {
                Reach::Open => {}
                Reach::Closed => panic!("I3: {token} was sent after the close"),
                Reach::Nobody => panic!("I2: {token} was sent to the wrong person"),
            }
            assert_eq!(said.received, 0, "I11: {token} was sent twice");
            self.story.said.get_mut(token).unwrap().received += 1;
            for (state, lost) in [(MessageState::Sent, 3), (MessageState::Delivered, 5)] {
                if self.rng.below(lost) > 0 {
                    let event = Inbound::MessageStatus(MessageStatus {
                        price: None,
                        leg: Some(one.leg.clone()),
                        id: one.id.clone(),
                        state,
                        carrier_code: None,
                    });
                    let id = format!("{} {}", one.id, state.as_str());
                    self.story.webhooks.insert(id, Webhook { event, answer: None });
                }
            }
        }
    }

    /// Everything works again: what was not taken is posted until it is, what is owed is done.
    async fn settle(&mut self) {
        *self.world.misfortune.percent.lock().unwrap() = 0;
        *self.world.carrier.well.lock().unwrap() = true;
        self.story.tell("all is well".into());
        for _ in 0..ROUNDS {
            loop {
                let waiting = self.story.webhooks.iter().find(|(_, hook)| hook.answer.is_none());
                let Some((id, _)) = waiting else { break };
                let id = id.clone();
                self.post(&id).await;
            }
            let due = self.world.relay.due(&[], &[].into(), 500).await.unwrap();
            let rest = due.is_empty();
            for entry in due {
                self.world.relay.deliver(entry).await.unwrap();
                self.sent(true);
            }
            let owed = self.world.relay.measure().await.unwrap();
            let posted = self.story.webhooks.values().all(|hook| hook.answer.is_some());
            if rest && owed == 0 && posted {
                // A carrier that heard no plan never told of the end.
                self.world.clock.advance(6 * 3_600_000);
                let lost = self.world.relay.end_lost_calls().await.unwrap();
                self.story.tell(format!("{lost} calls of unknown end"));
                return;
            }
            self.world.clock.advance(61_000);
            self.world.relay.expire_due().await.unwrap();
            self.look().await;
        }
        panic!("I9: something is owed for ever");
    }

    /// I9: each text and call that was taken stands in the log once, with one outcome that fits
    /// what the carrier did. I13: a delivered text stays so. I15: as many sessions as were opened.
    async fn judge(&mut self) {
        let mut tx = self.world.relay.db().read().await.unwrap();
        let page = Page { before: None, after: None, limit: 10_000 };
        let filter = rows::Filter::default();
        let sessions = rows::list(&mut tx, &self.account, &filter, &page).await.unwrap();
        assert_eq!(sessions.len(), self.story.sessions.len(), "I15: sessions");
        let filter = interactions::Filter::default();
        let log = interactions::list(&mut tx, &self.account, &filter, &page).await.unwrap();
        assert_eq!(log.len(), self.story.said.len(), "I9, I10: the log's length");
        let mut ends = Vec::new();
        for (id, said) in &self.story.said {
            let leg = legs::by_carrier_id(&mut tx, "twilio", id).await.unwrap();
            let (_, leg) = leg.unwrap_or_else(|| panic!("I9: {id} is not in the log"));
            let row = log.iter().find(|row| row.id == leg.interaction).unwrap();
            assert_eq!(row.kind == Kind::Call, said.call);
            let outcome = row.outcome.unwrap_or_else(|| panic!("I9: {id} has no outcome"));
            let got = said.received > 0;
            match outcome {
                Outcome::Relayed => assert!(got, "I9: {id} is called relayed and was not sent"),
                Outcome::Unknown => {}
                _ => assert!(!got, "I9: {id} was sent and is called {outcome}"),
            }
            let sides = legs::of_interaction(&mut tx, &self.account, &row.id).await.unwrap();
            let states: Vec<&str> = sides.iter().map(|leg| leg.state.as_str()).collect();
            if let Some(out) = sides.iter().find(|leg| leg.position == 1)
                && let Some(sid) = &out.carrier_id
                && self.story.webhooks.contains_key(&format!("{sid} delivered"))
            {
                assert_eq!(out.state, MessageState::Delivered.as_str(), "I13: {id}");
            }
            ends.push(format!("{id}: {outcome} {:?} {states:?}", row.reason));
        }
        drop(tx);
        self.story.lines.extend(ends);
    }

    /// The counters say what the log says (I30), whatever was tried again.
    async fn judge_counters(&self, text: &str) {
        let mut tx = self.world.relay.db().read().await.unwrap();
        let page = Page { before: None, after: None, limit: 10_000 };
        let filter = interactions::Filter::default();
        let log = interactions::list(&mut tx, &self.account, &filter, &page).await.unwrap();
        let mut ledger = BTreeMap::new();
        for row in log {
            let kind = if row.kind == Kind::Call { "calls" } else { "messages" };
            let name = format!("entremise_{kind}_total{{outcome=\"{}\"}}", row.outcome.unwrap());
            *ledger.entry(name).or_insert(0) += 1;
        }
        if !self.story.sessions.is_empty() {
            let opened = "entremise_sessions_opened_total".to_owned();
            ledger.insert(opened, self.story.sessions.len());
        }
        let counted: BTreeMap<String, usize> = text
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(name, _)| {
                let name = name.split('{').next().unwrap_or_default();
                name.strip_prefix("entremise_").is_some_and(|name| {
                    ["messages_total", "calls_total", "sessions_opened_total"].contains(&name)
                })
            })
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect();
        assert_eq!(counted, ledger, "I30");
    }
}

fn kind_of(answer: &Answer) -> &'static str {
    match answer {
        Answer::Ack => "taken",
        Answer::Nack => "turned away",
        Answer::Plan(Plan::Connect(_)) => "connect",
        Answer::Plan(Plan::Announce(_)) => "announce",
        Answer::Plan(Plan::Reject(_)) => "reject",
        Answer::Plan(_) => "another plan",
    }
}
