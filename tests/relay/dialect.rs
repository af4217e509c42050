//! A carrier's side of a conversation: its webhooks, worded and signed as it does, and a stand-in for its
//! API.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State};
use entremise::{
    config::{CarrierConfig, Config, Rates},
    domain::budget::Budget,
    domain::policy::Rules,
    relay,
    store::{interactions::Interaction, legs, participants},
};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{
    fake,
    market::{Market, Opened},
    support::{self, Answered, Database, World},
};

/// Something that reached a carrier: from a person to a proxy number, in E.164.
#[derive(Clone, Copy)]
pub(crate) struct Came<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    /// What a text says.
    pub(crate) words: &'a str,
    /// No two texts or calls have the same.
    pub(crate) id: usize,
}

impl Came<'_> {
    /// Both numbers without their plus.
    pub(crate) fn bare(&self) -> (&str, &str) {
        (self.from.trim_start_matches('+'), self.to.trim_start_matches('+'))
    }
}

/// One request that the API got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The method and the path.
    pub(crate) line: String,
    /// What it was authorized with.
    pub(crate) authorization: String,
    pub(crate) body: Bytes,
    /// Which one it was, from 1.
    pub(crate) place: usize,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A field of a form.
    pub(crate) fn field(&self, name: &str) -> String {
        let mut fields = form_urlencoded::parse(&self.body);
        fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap()
    }
}

/// How a carrier speaks.
pub(crate) struct Dialect {
    /// Its kind, and after a dash which of the ways to steer calls, where its settings know several: its id
    /// here.
    pub(crate) kind: &'static str,
    pub(crate) settings: fn() -> toml::Table,
    /// Tells the relay of a text.
    pub(crate) text: for<'a> fn(&'a World, Came<'a>) -> BoxFuture<'a, Answered>,
    /// Tells the relay of a call.
    pub(crate) call: for<'a> fn(&'a World, Came<'a>) -> BoxFuture<'a, Answered>,
    /// What the API answers.
    pub(crate) answer: fn(&Asked) -> (StatusCode, String),
    /// Whom a text that was sent is from, whom it is to, and what it says.
    pub(crate) sent: fn(&Asked) -> [String; 3],
    /// What whoever is rung sees, and who it is: in the answer to a call, or in what the API was asked.
    pub(crate) rings: fn(&str, &[Asked]) -> [String; 2],
}

impl Dialect {
    /// The kind alone.
    pub(crate) fn carrier(&self) -> &'static str {
        self.kind.split('-').next().unwrap_or_default()
    }
}

/// What stands between two pieces of a text.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} in {rest}")).0
}

/// The settings of the carrier's fixtures.
pub(crate) fn fixtures(carrier: &str) -> toml::Table {
    let facts: toml::Table = carrier.parse().unwrap();
    facts["settings"].as_table().unwrap().clone()
}

#[derive(Clone)]
struct Script {
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: fn(&Asked) -> (StatusCode, String),
}

async fn answer(
    State(script): State<Script>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(http::HeaderName, &'static str); 1], String) {
    let mut asked = script.asked.lock().unwrap();
    let one = Asked {
        line: format!("{method} {}", uri.path()),
        authorization: headers["authorization"].to_str().unwrap().to_owned(),
        body,
        place: asked.len() + 1,
    };
    let (status, text) = (script.answer)(&one);
    asked.push(one);
    (status, [(http::header::CONTENT_TYPE, "application/json")], text)
}

/// A stand-in for a carrier's API.
pub(crate) struct StandIn {
    pub(crate) dialect: &'static Dialect,
    base: String,
    script: Script,
    _server: AbortOnDropHandle<()>,
}

impl StandIn {
    pub(crate) async fn start(dialect: &'static Dialect) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let script = Script { asked: Arc::default(), answer: dialect.answer };
        let router = Router::new().fallback(answer).with_state(script.clone());
        let served = async move { fake::axum_serve(listener, router).await };
        let server = AbortOnDropHandle::new(TaskTracker::new().spawn(served));
        Self { dialect, base, script, _server: server }
    }

    /// The carrier's entry in the configuration.
    pub(crate) fn entry(&self) -> CarrierConfig {
        CarrierConfig {
            id: self.dialect.kind.into(),
            kind: self.dialect.carrier().into(),
            api_base: Some(self.base.clone()),
            rates: Rates::default(),
            budget: Budget::default(),
            buying: true,
            fallback_url: None,
            values: (self.dialect.settings)(),
        }
    }

    /// What it was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.script.asked.lock().unwrap())
    }
}

/// A buyer and a seller in a session over one carrier.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) market: Market,
    pub(crate) session: Opened,
    carrier: StandIn,
}

impl Scene {
    pub(crate) async fn open(dialect: &'static Dialect, database: &Database, rules: Rules) -> Self {
        Self::with(dialect, database, rules, Vec::new()).await
    }

    /// The same where marketplaces at these addresses may be asked.
    pub(crate) async fn with(
        dialect: &'static Dialect,
        database: &Database,
        rules: Rules,
        sites: Vec<SocketAddr>,
    ) -> Self {
        Self::changed(dialect, database, rules, |config| config.egress_allow = sites).await
    }

    /// The same with other settings.
    pub(crate) async fn changed(
        dialect: &'static Dialect,
        database: &Database,
        rules: Rules,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let carrier = StandIn::start(dialect).await;
        let mut config = support::settings(database);
        config.allow_sandbox = true;
        config.carriers.push(carrier.entry());
        change(&mut config);
        let world = World::with(config).await;
        let market = Market::at(dialect.kind, &world, 2, 2, rules).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        Self { world, market, session, carrier }
    }

    /// Somebody's number.
    pub(crate) fn person(&self, place: usize) -> &str {
        self.market.people[place].number.expose()
    }

    /// Somebody's number and the one that they dial, without their plus.
    pub(crate) fn bare(&self, place: usize) -> (String, String) {
        let bare = |text: &str| text.trim_start_matches('+').to_owned();
        (bare(self.person(place)), bare(self.session.dials[place].expose()))
    }

    /// Where the API is.
    pub(crate) fn api(&self) -> &str {
        &self.carrier.base
    }

    /// What the API was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.carrier.asked()
    }

    /// The one thing that it was asked since then, which must have gone there.
    pub(crate) fn only_asked(&self, line: &str) -> Value {
        let asked = self.asked();
        let [one] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!(one.line, line);
        one.json()
    }

    /// The path of one of our addresses.
    pub(crate) fn path(&self, url: &str) -> String {
        url.strip_prefix(&self.world.running.origin).unwrap().to_owned()
    }

    /// The one interaction in the log.
    pub(crate) async fn only(&self) -> Interaction {
        let mut all = support::interactions(&self.world).await;
        assert_eq!(all.len(), 1);
        all.pop().unwrap()
    }

    /// The marketplace asks for a call from the session's first participant.
    pub(crate) async fn place_call(&self) {
        let (account, session) = (self.market.account.clone(), self.session.id.clone());
        let mut tx = self.market.relay.db().read().await.unwrap();
        let people = participants::of_session(&mut tx, &account, &session).await.unwrap();
        drop(tx);
        let from = people[0].id.clone();
        let placed = self.market.relay.db().write(move |tx| {
            let (account, session, from) = (account.clone(), session.clone(), from.clone());
            Box::pin(
                async move { relay::place_call(tx, &account, &session, &from).await.map(drop) },
            )
        });
        placed.await.unwrap();
        self.market.relay.wake().notify_one();
        self.world.running.jobs.idle().await;
    }

    /// How far its text has come on the way to its recipient.
    pub(crate) async fn progress(&self) -> String {
        let id = self.only().await.id;
        let mut tx = self.market.relay.db().read().await.unwrap();
        let legs = legs::of_interaction(&mut tx, &self.market.account, &id).await.unwrap();
        legs[1].state.clone()
    }

    pub(crate) async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}
