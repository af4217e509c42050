//! A stand-in for Twilio's API and for whatever may stand at the public address.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::{
    clock::Clock,
    http::server::{Limits, Server, TrustedProxies},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";
pub(crate) const TOKEN: &str = "a-token-of-the-tests";

/// A router that is served on loopback; dropping it ends it.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Served {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = Server {
            name: "stand-in",
            router,
            tls: None,
            limits: Limits::default(),
            trusted: TrustedProxies::default(),
            clock: Clock::system(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(server.serve(listener, stop.clone()));
        Self { address, stop, _tasks: tasks }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The numbers that the account has, and the digits that were asked for.
#[derive(Default)]
struct Account {
    numbers: Vec<Value>,
    asked: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Twilio(Arc<Mutex<Account>>);

impl Twilio {
    /// Gives the account a number.
    pub(crate) fn has(&self, number: Value) {
        self.0.lock().unwrap().numbers.push(number);
    }

    pub(crate) fn asked(&self) -> usize {
        self.0.lock().unwrap().asked.len()
    }

    pub(crate) async fn start(&self) -> Served {
        let account = format!("/2010-04-01/Accounts/{ACCOUNT}");
        let router = Router::new()
            .route(&format!("{account}.json"), get(show))
            .route(&format!("{account}/IncomingPhoneNumbers.json"), get(list))
            .with_state(self.clone());
        Served::start(router).await
    }
}

fn authorized(headers: &HeaderMap) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{TOKEN}")));
    headers.get("authorization").is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

fn refused() -> (StatusCode, Json<Value>) {
    let body = json!({ "code": 20003, "message": "Authenticate", "status": 401 });
    (StatusCode::UNAUTHORIZED, Json(body))
}

async fn show(headers: HeaderMap) -> (StatusCode, Json<Value>) {
    if !authorized(&headers) {
        return refused();
    }
    (StatusCode::OK, Json(json!({ "sid": ACCOUNT, "status": "active" })))
}

/// Twilio takes the digits as a part of a number.
async fn list(
    State(Twilio(account)): State<Twilio>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    if !authorized(&headers) {
        return refused();
    }
    let digits = &query["PhoneNumber"];
    let mut account = account.lock().unwrap();
    account.asked.push(digits.clone());
    let fits = |one: &&Value| one["phone_number"].as_str().unwrap().contains(digits);
    let listed: Vec<&Value> = account.numbers.iter().filter(fits).collect();
    (StatusCode::OK, Json(json!({ "incoming_phone_numbers": listed })))
}

/// A number of the account that sends everything to `origin`.
pub(crate) fn number(digits: &str, origin: &str) -> Value {
    let hook = |name: &str| format!("{origin}/hooks/twilio/{name}#rc=5&rp=all");
    json!({
        "phone_number": digits,
        "voice_url": hook("call"), "voice_method": "POST",
        "voice_fallback_url": "https://static.example/fallback.xml",
        "sms_url": hook("message"), "sms_method": "POST",
        "status_callback": hook("status"), "status_callback_method": "POST",
        "voice_application_sid": "", "sms_application_sid": "", "trunk_sid": null,
        "capabilities": { "voice": true, "sms": true, "mms": true, "fax": false },
    })
}
