//! `numbers search`, `buy`, `adopt`, `release`, `orders` and `sync`, beside a relay that runs.

use std::net::SocketAddr;

use entremise::{
    app::{App, Environment, Listeners, Running},
    config::Config,
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::command::{Done, KEY, Place, http, sandbox};

struct World {
    place: Place,
    relay: Running,
    address: SocketAddr,
    account: String,
    key: String,
}

impl World {
    /// A relay in this process, with the settings in a file that the binary reads too.
    async fn start() -> Self {
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ops = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = public.local_addr().unwrap();
        let place = Place::new("");
        place.settings(&format!("master_key = \"{KEY}\"\n{}", sandbox(&address.to_string())));
        let config = Config::load(Some(&place.config()), []).unwrap();
        let listeners = Listeners { public, ops };
        let relay = App::start(config, listeners, Environment::default()).await.unwrap();
        let made = relay.relay.create_account("Bikes").await.unwrap();
        let account = made.account.to_string();
        Self { place, relay, address, account, key: made.api_key }
    }

    async fn run(&self, arguments: &[&str]) -> Done {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let child = self.place.begin(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(move || crate::command::finish(child)).await.unwrap()
    }

    /// The same for this account, as JSON objects.
    async fn ours(&self, words: &[&str]) -> (Option<i32>, Vec<Value>) {
        let more = ["--account", &self.account, "--json"];
        let done = self.run(&[words, &more].concat()).await;
        let lines = done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (done.code, lines)
    }
}

/// Numbers are found, bought under a ceiling, adopted, given up and compared with the carrier, at a
/// terminal and for scripts; buying by API is the operator's to switch on.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_dealt_with() {
    let world = World::start().await;
    let line = "number,carrier,capabilities\n+14155550100,sandbox,voice|sms\n";
    let file = world.place.file("import.csv", line);
    let import = ["numbers", "import", "--account", &world.account, &file];
    world.run(&import).await.succeeded();
    let found = world.run(&["numbers", "search", "--country", "us", "--area", "628"]).await;
    found.succeeded();
    assert!(found.out.contains("+16285550100") && found.out.contains("1.15 USD"), "{}", found.out);
    let none = world.run(&["numbers", "search", "--country", "DE"]).await;
    assert_eq!((none.code, none.out.trim()), (Some(0), "none"));
    let wrong = world.run(&["numbers", "search", "--country", "germany"]).await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("--country must be"), "{}", wrong.err);
    let buy = ["numbers", "buy", "--country", "US", "--area", "628"];
    let (code, dear) = world.ours(&[&buy[..], &["--max-monthly-price", "1"]].concat()).await;
    assert_eq!((code, &dear[0]["reason"]), (Some(1), &"too_expensive".into()));
    let (code, bought) = world.ours(&[&buy[..], &["--quantity", "2"]].concat()).await;
    assert_eq!((code, bought.len()), (Some(0), 2), "{bought:?}");
    assert!(bought.iter().all(|one| one["state"] == "done" && one["rented"] == true));
    let number = bought[0]["number"].as_str().unwrap();
    let shown = world.run(&["numbers", "orders", "--account", &world.account]).await;
    shown.succeeded();
    assert_eq!(shown.out.lines().count(), 4, "{}", shown.out);
    let (code, adopted) = world.ours(&["numbers", "adopt", "+14155550101"]).await;
    assert_eq!((code, &adopted[0]["state"]), (Some(0), &"done".into()));
    world.run(&["numbers", "sync"]).await.succeeded();
    let network = world.relay.network.as_ref().unwrap();
    assert!(network.give_back(bought[1]["number"].as_str().unwrap()));
    let differs = world.run(&["numbers", "sync", "--carrier", "sandbox"]).await;
    assert_eq!(differs.code, Some(1));
    assert!(differs.out.contains("missing") && differs.err.contains("1 number differs"));
    let (code, released) = world.ours(&["numbers", "release", number]).await;
    assert_eq!((code, &released[0]["state"]), (Some(0), &"done".into()), "{released:?}");
    assert!(network.rented(number).is_none(), "it was given back");
    let (_, released) = world.ours(&["numbers", "release", "+14155550101"]).await;
    assert_eq!(released[0]["state"], "done");
    assert_eq!(network.rented("+14155550101").unwrap().settings, "", "as it was before");
    let nobody = world
        .run(&["numbers", "buy", "--account", &world.account, "--service", "x", "--country", "US"])
        .await;
    assert!(nobody.code == Some(1) && nobody.err.contains("no such service"), "{}", nobody.err);
    let head = format!(
        "POST /api/v1/number-orders HTTP/1.1\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n",
        world.key
    );
    let body = r#"{"kind": "buy", "service_id": "default", "number": "+16285550110"}"#;
    let address = world.address;
    let asked = tokio::task::spawn_blocking(move || http(address, &head, body));
    let (status, problem) = asked.await.unwrap();
    assert_eq!(status, 403);
    assert!(problem.contains("buying_disabled"), "{problem}");
    world.relay.shutdown().await;
}
