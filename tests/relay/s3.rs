//! A stand-in for S3: it checks each request's signature (AWS' fourth version) by hand, and keeps objects in memory.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, response::IntoResponse as _};
use entremise::ids::hex;
use http::{HeaderMap, Method, StatusCode, Uri};
use ring::{digest, hmac};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::fake;

pub(crate) const BUCKET: &str = "pictures";
pub(crate) const REGION: &str = "eu-west-3";
pub(crate) const KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[derive(Default)]
struct Inside {
    objects: BTreeMap<String, Bytes>,
    refusals: Vec<String>,
    away: bool,
}

/// The store.
pub(crate) struct Store {
    endpoint: String,
    inside: Arc<Mutex<Inside>>,
    _server: AbortOnDropHandle<()>,
}

impl Store {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let inside = Arc::<Mutex<Inside>>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inside));
        let served = async move { fake::axum_serve(listener, router).await };
        let server = AbortOnDropHandle::new(TaskTracker::new().spawn(served));
        Self { endpoint, inside, _server: server }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Whether it answers 503 to everything.
    pub(crate) fn away(&self, away: bool) {
        self.inside.lock().unwrap().away = away;
    }

    /// The names of what it has.
    pub(crate) fn names(&self) -> Vec<String> {
        self.inside.lock().unwrap().objects.keys().cloned().collect()
    }

    /// What it refused, and why.
    pub(crate) fn refusals(&self) -> Vec<String> {
        self.inside.lock().unwrap().refusals.clone()
    }
}

async fn answer(
    State(inside): State<Arc<Mutex<Inside>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let mut inside = inside.lock().unwrap();
    if inside.away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if let Err(why) = signed(&method, &uri, &headers, &body) {
        inside.refusals.push(format!("{method} {uri}: {why}"));
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(name) = uri.path().strip_prefix(&format!("/{BUCKET}/")).map(str::to_owned) else {
        inside.refusals.push(format!("{method} {uri}: another bucket"));
        return StatusCode::NOT_FOUND.into_response();
    };
    match method {
        Method::PUT => {
            inside.objects.insert(name, body);
            (StatusCode::OK, [("etag", "\"1\"")]).into_response()
        }
        Method::DELETE => {
            inside.objects.remove(&name);
            StatusCode::NO_CONTENT.into_response()
        }
        Method::GET => match inside.objects.get(&name) {
            Some(bytes) => {
                let headers =
                    [("etag", "\"1\""), ("last-modified", "Sun, 22 Nov 2026 12:00:00 GMT")];
                (headers, bytes.clone()).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        },
        _ => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

/// Whether the request bears the signature that its parts and the secret make.
fn signed(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let text =
        |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).ok_or(format!("no {name}"));
    let part = |all: &str, name: &str| -> Result<String, String> {
        let (_, rest) = all.split_once(&format!("{name}=")).ok_or(format!("no {name}"))?;
        Ok(rest.split(',').next().unwrap_or_default().trim().to_owned())
    };
    let authorization = text("authorization")?;
    let date = text("x-amz-date")?;
    let hash = text("x-amz-content-sha256")?;
    if hash != hex(digest::digest(&digest::SHA256, body).as_ref()) {
        return Err("the hash is not the body's".into());
    }
    let scope = format!("{}/{REGION}/s3/aws4_request", date.get(..8).ok_or("a bad date")?);
    if part(authorization, "Credential")? != format!("{KEY}/{scope}") {
        return Err("another key or scope".into());
    }
    let names = part(authorization, "SignedHeaders")?;
    let mut signed = String::new();
    for name in names.split(';') {
        writeln!(signed, "{name}:{}", text(name)?.trim()).unwrap();
    }
    let request = format!(
        "{method}\n{}\n{}\n{signed}\n{names}\n{hash}",
        uri.path(),
        uri.query().unwrap_or_default()
    );
    let hashed = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for step in scope.split('/') {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), step.as_bytes());
        key = tag.as_ref().to_vec();
    }
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), to_sign.as_bytes());
    if part(authorization, "Signature")? == hex(tag.as_ref()) {
        Ok(())
    } else {
        Err("a wrong signature".into())
    }
}
