//! `check --live`: a real relay on loopback, a stand-in for the carrier, and each way to be wrong.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    response::IntoResponse as _,
    routing::{get, post},
};
use entremise::{
    app::{App, Environment, Listeners, Running},
    carrier::{self, Answer, Links, Settings},
    config::Config,
};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    check::{consistent, with_status},
    command::{KEY, Place, sandbox},
    twilio::{ACCOUNT, Served, TOKEN, Twilio, number},
};

/// A relay in this process, with the settings in a file that the binary reads too.
struct World {
    place: Place,
    relay: Running,
    address: SocketAddr,
}

fn settings(listen: SocketAddr, api: SocketAddr, token: &str) -> String {
    format!(
        "listen = \"{listen}\"\nops_listen = \"127.0.0.1:0\"\nmaster_key = \"{KEY}\"\n\
         [[carriers]]\nid = \"twilio\"\nkind = \"twilio\"\napi_base = \"http://{api}\"\n\
         account_sid = \"{ACCOUNT}\"\nauth_token = \"{token}\"\n"
    )
}

impl World {
    /// Starts a relay with the settings that `settings` makes of its address.
    async fn start(settings: impl FnOnce(SocketAddr) -> String) -> Self {
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ops = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = public.local_addr().unwrap();
        let place = Place::new("");
        place.settings(&settings(address));
        let config = Config::load(Some(&place.config()), []).unwrap();
        let listeners = Listeners { public, ops };
        let relay = App::start(config, listeners, Environment::default()).await.unwrap();
        Self { place, relay, address }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The report of a live check, and what each check says.
    fn check(&self) -> Value {
        consistent(&self.place.run(&["check", "--live", "--json"]))
    }

    async fn end(self) {
        self.relay.shutdown().await;
    }
}

/// The line of that check.
fn line<'a>(report: &'a Value, check: &str) -> &'a Value {
    let mut lines = report["checks"].as_array().unwrap().iter();
    lines.find(|line| line["check"] == check).unwrap_or_else(|| panic!("no {check}: {report}"))
}

#[track_caller]
fn says(line: &Value, key: &str, text: &str) {
    assert!(line[key].as_str().unwrap_or_default().contains(text), "no {text:?}: {line}");
}

/// Where everything is right, the carrier takes the credentials, its numbers lead here, and a
/// signed webhook makes the round trip. 50 numbers are asked about at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_is_well() {
    let twilio = Twilio::default();
    let api = twilio.start().await;
    let world = World::start(|listen| settings(listen, api.address, TOKEN)).await;
    let account = world.place.account();
    let numbers: Vec<String> =
        (0..60).map(|nth| format!("+{}", 14_155_550_100_u64 + nth)).collect();
    let lines: Vec<String> =
        numbers.iter().map(|number| format!("{number},twilio,voice|sms|mms")).collect();
    world.place.import(&account, &lines.join("\n"));
    for one in &numbers {
        twilio.has(number(one, &world.origin()));
    }
    let report = world.check();
    assert_eq!(with_status(&report, "fail"), Vec::<&str>::new(), "{report}");
    says(line(&report, "twilio: credentials"), "message", "are taken");
    says(
        line(&report, "twilio: numbers"),
        "message",
        "50 send calls and texts here (the first 50 of 60)",
    );
    says(line(&report, "twilio: public address"), "message", "refused a forged one");
    assert_eq!(twilio.asked(), 50);
    // It left nothing behind that looks like an event.
    world.relay.idle().await;
    world.end().await;
}

/// A number whose calls or texts go elsewhere is a fault that says exactly which address to set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_webhooks_are_told() {
    let twilio = Twilio::default();
    let api = twilio.start().await;
    let world = World::start(|listen| settings(listen, api.address, TOKEN)).await;
    let account = world.place.account();
    world.place.import(
        &account,
        "+14155550100,twilio,voice|sms\n+14155550101,twilio,voice|sms\n\
         +14155550102,twilio,sms\n+14155550103,twilio,voice",
    );
    let origin = world.origin();
    let mut wrong = number("+14155550100", &origin);
    wrong["voice_url"] = "https://demo.twilio.com/welcome/voice/".into();
    wrong["sms_method"] = "GET".into();
    twilio.has(wrong);
    twilio.has(number("+14155550101", &origin));
    let mut hasty = number("+14155550102", &origin);
    hasty["sms_url"] = format!("{origin}/hooks/twilio/message").into();
    twilio.has(hasty);
    let report = world.check();
    let first = line(&report, "twilio: number +14155550100");
    assert_eq!(first["status"], "fail");
    says(first, "message", "VoiceUrl is https://demo.twilio.com/welcome/voice/; SmsMethod is not");
    says(
        first,
        "fix",
        &format!("set VoiceUrl to {origin}/hooks/twilio/call#rc=5&rp=all; set SmsM"),
    );
    assert_eq!(line(&report, "twilio: number +14155550102")["status"], "warn");
    says(line(&report, "twilio: number +14155550103"), "message", "is not a number of this Twilio");
    assert_eq!(with_status(&report, "fail").len(), 2, "{report}");
    world.end().await;
}

/// Where a carrier keeps its addresses for an application, that is looked at before the numbers, and
/// what leads elsewhere is told; a signature that only the carrier can make is not tried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_leads_elsewhere_is_told() {
    let told = |body: Value| get(async move || Json(body));
    let application = json!({ "data": {
        "active": true, "voice_url": "https://demo.example/answer?key=1", "voice_method": "get",
        "voice_fallback_url": "https://static.example/fallback.xml",
        "outbound": { "outbound_voice_profile_id": "1" },
    } });
    let number = json!({ "data": [{
        "phone_number": "+14155550100", "status": "active", "connection_id": "2",
        "messaging_profile_id": "3",
    }] });
    let router = Router::new()
        .route("/v2/texml/Accounts/org-1/Calls", told(json!({ "calls": [] })))
        .route("/v2/texml_applications/2", told(application))
        .route("/v2/phone_numbers", told(number));
    let api = Served::start(router).await;
    let world = World::start(|listen| {
        format!(
            "listen = \"{listen}\"\nops_listen = \"127.0.0.1:0\"\nmaster_key = \"{KEY}\"\n\
             [[carriers]]\nid = \"telnyx\"\nkind = \"telnyx\"\napi_base = \"http://{}\"\n\
             api_key = \"KEY0123\"\naccount_sid = \"org-1\"\napplication_id = \"2\"\n\
             public_key = \"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"\n",
            api.address
        )
    })
    .await;
    let account = world.place.account();
    world.place.import(&account, "+14155550100,telnyx,voice|sms");
    let report = world.check();
    assert_eq!(with_status(&report, "fail"), ["telnyx: settings there"], "{report}");
    let told = line(&report, "telnyx: settings there");
    says(told, "message", "voice_url is https://demo.example/answer; voice_method is not post");
    says(told, "fix", &format!("set voice_url to {}/hooks/telnyx/call", world.origin()));
    says(line(&report, "telnyx: credentials"), "message", "are taken");
    says(line(&report, "telnyx: numbers"), "message", "1 send calls and texts here");
    says(line(&report, "telnyx: public address"), "message", "not tried");
    world.end().await;
}

/// Credentials that the carrier refuses are told once, and no number is asked about with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_told() {
    let twilio = Twilio::default();
    let api = twilio.start().await;
    let world = World::start(|listen| settings(listen, api.address, "another-token")).await;
    let account = world.place.account();
    world.place.import(&account, "+14155550100,twilio,voice|sms");
    let report = world.check();
    assert_eq!(with_status(&report, "fail"), ["twilio: credentials"]);
    says(line(&report, "twilio: credentials"), "message", "refused 401");
    says(line(&report, "twilio: credentials"), "fix", "carriers.0");
    assert_eq!(twilio.asked(), 0);
    assert!(!report.to_string().contains("another-token"));
    world.end().await;
}

/// A server that runs with another secret than the settings have refuses our webhook, and that is
/// told; so is a carrier's address where nobody is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_other_settings_is_told() {
    let api = Twilio::default().start().await;
    let world = World::start(|listen| settings(listen, api.address, "another-token")).await;
    world.place.settings(&settings(world.address, api.address, TOKEN));
    let report = world.check();
    says(line(&report, "twilio: public address"), "message", "no success (status 403)");
    says(line(&report, "twilio: public address"), "fix", "other secrets, another public_url");

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    world.place.settings(&settings(world.address, nobody, "another-token"));
    let report = world.check();
    assert_eq!(with_status(&report, "fail"), ["twilio: credentials"]);
    says(line(&report, "twilio: credentials"), "message", &format!("no connection to {nobody}"));
    says(line(&report, "twilio: public address"), "message", "took a signed webhook");
    world.end().await;
}

/// What the relay answers to news from Twilio.
fn acknowledgement() -> String {
    let values = [("account_sid", ACCOUNT), ("auth_token", TOKEN)];
    let settings = Settings {
        id: "twilio".into(),
        api_base: None,
        values: values.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect(),
    };
    let adapter = (carrier::kind("twilio").unwrap().build)(&settings).unwrap();
    let reply = adapter.reply(&Answer::Ack, &Links::new("https://relay.example", "twilio"));
    String::from_utf8(reply.response.body.to_vec()).unwrap()
}

/// What stands at the public address without being this relay is told: nobody, something else,
/// something that redirects, and something that takes whatever comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impostors_are_told() {
    let api = Twilio::default().start().await;
    let place = Place::new("");
    let listen: SocketAddr = "127.0.0.1:8080".parse().unwrap();
    let check = |public: SocketAddr| {
        let settings = settings(listen, api.address, TOKEN);
        place.settings(&format!("public_url = \"http://{public}\"\n{settings}"));
        let report = consistent(&place.run(&["check", "--live", "--json"]));
        assert_eq!(with_status(&report, "fail"), ["twilio: public address"], "{report}");
        line(&report, "twilio: public address").clone()
    };
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let told = check(nobody);
    says(&told, "message", "no connection to");
    says(&told, "fix", "start `entremise serve`");

    let elsewhere = Served::start(Router::new()).await;
    says(&check(elsewhere.address), "message", "status 404");

    let answers = |status, body: String| {
        let answer = async move || (status, body).into_response();
        Served::start(Router::new().route("/hooks/twilio/status", post(answer)))
    };
    let moved = answers(StatusCode::PERMANENT_REDIRECT, String::new()).await;
    says(&check(moved.address), "fix", "set public_url to the origin that it redirects to");
    let polite = answers(StatusCode::OK, "thank you".into()).await;
    says(&check(polite.address), "message", "another answer");
    let ack = acknowledgement();
    let careless = answers(StatusCode::OK, ack).await;
    says(&check(careless.address), "message", "answered a forged webhook with 200, not 403");
}

/// A certificate that the web does not trust is named as the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_untrusted_certificate_is_named() {
    let api = Twilio::default().start().await;
    let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls");
    let world = World::start(|listen| {
        format!(
            "public_url = \"https://localhost:{}\"\ntls_cert = \"{tls}/a.pem\"\n\
             tls_key = \"{tls}/a.key\"\n{}",
            listen.port(),
            settings(listen, api.address, TOKEN)
        )
    })
    .await;
    let report = world.check();
    assert_eq!(with_status(&report, "fail"), ["twilio: public address"]);
    says(line(&report, "twilio: public address"), "message", "the TLS certificate is");
    says(line(&report, "twilio: public address"), "fix", "whole chain");

    // TLS is asked for where none is spoken.
    let plain = settings(world.address, api.address, TOKEN);
    world.place.settings(&format!("public_url = \"https://{}\"\n{plain}", api.address));
    let report = world.check();
    says(line(&report, "twilio: public address"), "message", "no TLS");
    world.end().await;
}

/// A sandbox is checked the same way: its API opens for the secret, and its webhooks come through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sandbox_is_checked_too() {
    let world =
        World::start(|listen| format!("master_key = \"{KEY}\"\n{}", sandbox(&listen.to_string())))
            .await;
    let account = world.place.account();
    let report = world.check();
    assert_eq!(with_status(&report, "warn"), ["sandbox: numbers"]);
    world.place.import(&account, "+14155550100,sandbox,voice|sms");
    let report = world.check();
    assert_eq!(report["faults"], 0, "{report}");
    says(line(&report, "sandbox: numbers"), "message", "nothing is to be set");
    says(line(&report, "sandbox: public address"), "message", "refused a forged one");
    let place = world.place;
    world.relay.shutdown().await;
    let report = consistent(&place.run(&["check", "--live", "--json"]));
    assert_eq!(with_status(&report, "fail"), ["sandbox: credentials", "sandbox: public address"]);
    says(line(&report, "sandbox: credentials"), "fix", "start `entremise serve`");
}
