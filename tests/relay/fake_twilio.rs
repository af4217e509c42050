//! Twilio's REST API as a test words it, and Twilio's webhooks, signed.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::Uri, response::IntoResponse};
use base64::Engine as _;
use entremise::config::{CarrierConfig, Config};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::support::{self, Answered, Database, World};

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// One request that the API got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) fields: BTreeMap<String, String>,
}

#[derive(Default)]
struct Script {
    asked: Vec<Asked>,
    answers: VecDeque<StatusCode>,
}

/// The stand-in. It answers 201 unless it was told otherwise.
#[derive(Clone)]
pub(crate) struct Api {
    script: Arc<Mutex<Script>>,
    pub(crate) base: String,
    _server: Arc<AbortOnDropHandle<()>>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::<Mutex<Script>>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let served = async move { axum_serve(listener, router).await };
        let server = AbortOnDropHandle::new(TaskTracker::new().spawn(served));
        Self { script, base, _server: Arc::new(server) }
    }

    /// The next answers, in order.
    pub(crate) fn answers(&self, answers: &[StatusCode]) {
        self.script.lock().unwrap().answers.extend(answers);
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().asked.clone()
    }
}

pub(crate) async fn axum_serve(listener: TcpListener, router: Router) {
    use hyper_util::{rt::TokioIo, service::TowerToHyperService};

    let connections = TaskTracker::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            // A client that goes away is no fault of the stand-in.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    uri: Uri,
    body: Bytes,
) -> impl IntoResponse {
    let fields = form_urlencoded::parse(&body).into_owned().collect();
    let mut script = script.lock().unwrap();
    script.asked.push(Asked { path: uri.path().to_owned(), fields });
    let count = script.asked.len();
    let status = script.answers.pop_front().unwrap_or(StatusCode::CREATED);
    let kind = if uri.path().ends_with("Calls.json") { "CA" } else { "SM" };
    let body = match status {
        StatusCode::CREATED => format!(r#"{{"sid":"{kind}{count:032x}","status":"queued"}}"#),
        StatusCode::TOO_MANY_REQUESTS => r#"{"code":20429,"status":429}"#.to_owned(),
        other => format!(r#"{{"code":20500,"status":{}}}"#, other.as_u16()),
    };
    (status, [(http::header::CONTENT_TYPE, "application/json")], body)
}

/// Settings with Twilio as the only real carrier, beside a sandbox that holds the phones' numbers.
pub(crate) fn settings(database: &Database, api: &Api) -> Config {
    let mut config = support::settings(database);
    let mut values = toml::Table::new();
    values.insert("account_sid".into(), ACCOUNT.into());
    values.insert("auth_token".into(), TOKEN.into());
    config.allow_sandbox = true;
    config.carriers.push(CarrierConfig {
        id: "twilio".into(),
        kind: "twilio".into(),
        api_base: Some(api.base.clone()),
        values,
    });
    config
}

/// Our address to which a document's dialling will be told to have ended.
pub(crate) fn action(world: &World, twiml: &str) -> String {
    let action = twiml.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    action.strip_prefix(&world.running.origin).unwrap().replace("&amp;", "&")
}

/// Posts a webhook as Twilio does, to one of our addresses.
pub(crate) async fn webhook(world: &World, path: &str, fields: &[(&str, &str)]) -> Answered {
    let mut sorted: Vec<(&str, &str)> = fields.to_vec();
    sorted.push(("AccountSid", ACCOUNT));
    sorted.sort_unstable();
    let mut signed = format!("{}{path}", world.running.origin);
    for (key, value) in &sorted {
        signed.push_str(key);
        signed.push_str(value);
    }
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    let tag = ring::hmac::sign(&key, signed.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(tag.as_ref());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&sorted).finish();
    let request = http::Request::post(path)
        .header("host", world.running.address.to_string())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature)
        .body(http_body_util::Full::new(Bytes::from(body)));
    support::request(world.running.address, request.unwrap()).await
}
