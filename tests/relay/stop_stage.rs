//! A marketplace whose people write words for the relay: services, numbers, sessions and phones by API.

use entremise::{
    domain::phone::Identifier,
    sandbox::PhoneId,
    store::{
        events,
        interactions::{self, Interaction},
        sessions::Page,
    },
};
use serde_json::{Value, json};

use crate::{
    receiver::{ask, done},
    support::{self, Database, World},
};

pub(crate) const BUYER: &str = "+12125550101";
pub(crate) const SELLER: &str = "+12125550102";

/// Two phones and a relay.
pub(crate) struct Stage {
    pub(crate) world: World,
    buyer: PhoneId,
    seller: PhoneId,
    count: std::sync::atomic::AtomicU32,
}

/// A session of the two: what each dials.
#[derive(Debug, Clone)]
pub(crate) struct Contact {
    pub(crate) id: String,
    pub(crate) people: [String; 2],
    pub(crate) dials: [String; 2],
}

impl Stage {
    pub(crate) async fn open(database: &Database) -> Self {
        let mut config = support::settings(database);
        config.api.rate_per_minute = 100_000;
        let world = World::standing(config).await;
        let phone = |name: &str, number: &str| {
            world.network.register(name, Identifier::parse(number).unwrap()).unwrap()
        };
        let (buyer, seller) = (phone("buyer", BUYER), phone("seller", SELLER));
        Self { world, buyer, seller, count: 0.into() }
    }

    /// A service with these settings and proxy numbers.
    pub(crate) async fn service(&self, name: &str, numbers: &[&str], more: Value) {
        let mut new = json!({ "unique_name": name, "brand": "Bikes" });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        done(&self.world, "POST", "/services", Some(new)).await;
        for number in numbers {
            let new = json!({ "number": number, "service_id": name, "carrier": support::CARRIER });
            done(&self.world, "POST", "/numbers", Some(new)).await;
        }
    }

    /// A session of the two.
    pub(crate) async fn contact(&self, service: &str) -> Contact {
        let people = json!([
            { "role": "buyer", "identifier": BUYER },
            { "role": "seller", "identifier": SELLER },
        ]);
        let new = json!({ "service_id": service, "participants": people });
        let session = done(&self.world, "POST", "/sessions", Some(new)).await;
        let text = |place: usize, name: &str| {
            session["participants"][place][name].as_str().unwrap().to_owned()
        };
        Contact {
            id: session["id"].as_str().unwrap().to_owned(),
            people: [text(0, "id"), text(1, "id")],
            dials: [text(0, "proxy_number"), text(1, "proxy_number")],
        }
    }

    /// Somebody writes to a number, by webhook.
    pub(crate) async fn text(&self, from: &str, to: &str, words: &str) {
        let id = self.count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let text = json!({
            "event": "message", "id": format!("text-{id}"), "from": from, "to": to, "text": words,
        });
        // Twice: a repeated webhook does nothing (I10).
        for _ in 0..2 {
            let answer = support::webhook(&self.world, "message", &text).await;
            assert!(answer.status.is_success(), "{}", answer.status);
        }
        self.world.running.idle().await;
    }

    /// Somebody calls a number: what the carrier is told.
    pub(crate) async fn call(&self, from: &str, to: &str) -> String {
        let id = self.count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = format!("call-{id}");
        let call = json!({ "event": "call", "id": id, "from": from, "to": to });
        let answer = support::webhook(&self.world, "call", &call).await;
        assert!(answer.status.is_success(), "{}", answer.status);
        String::from_utf8(answer.body).unwrap().replace(&id, "")
    }

    /// What the buyer's or the seller's phone got.
    pub(crate) async fn got(&self, number: &str) -> Vec<String> {
        self.world.running.idle().await;
        let phone = if number == BUYER { self.buyer } else { self.seller };
        let view = self.world.network.seen(phone).unwrap();
        view.received().map(|text| text.body.expose().to_owned()).collect()
    }

    /// The data of the events of a type, newest first.
    pub(crate) async fn told(&self, kind: &str) -> Vec<Value> {
        let mut tx = self.world.running.relay.db().read().await.unwrap();
        let page = Page { before: None, after: None, limit: 1000 };
        let account = &self.world.account.account;
        let all = events::list(&mut tx, account, None, Some(kind), &page).await.unwrap();
        all.iter().map(|event| serde_json::from_str(&event.data).unwrap()).collect()
    }

    /// The last of the log.
    pub(crate) async fn last(&self) -> Interaction {
        support::interactions(&self.world).await.remove(0)
    }

    /// The whole log, newest first.
    pub(crate) async fn log(&self) -> Vec<interactions::Interaction> {
        support::interactions(&self.world).await
    }

    pub(crate) async fn api(&self, method: &str, path: &str, body: Value) -> Value {
        done(&self.world, method, path, Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = ask(&self.world, "GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}
