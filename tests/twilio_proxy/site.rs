//! A marketplace's server: takes callbacks, checks their signatures as Twilio's own validators do, and
//! answers what it is told to.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Uri};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use ring::hmac;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// A callback that came.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) path: String,
    pub(crate) form: HashMap<String, String>,
    signature: String,
    url: String,
}

impl Told {
    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> &str {
        self.form.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.form))
    }

    /// Whether the account's token signed exactly this.
    pub(crate) fn is_signed(&self, token: &str) -> bool {
        let mut sorted: Vec<_> = self.form.iter().collect();
        sorted.sort();
        let signed = sorted.into_iter().fold(self.url.clone(), |text, (k, v)| text + k + v);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
        let tag = STANDARD.decode(&self.signature).unwrap();
        hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
    }
}

/// An answer: status, type, body.
pub(crate) type Reply = (u16, &'static str, String);

#[derive(Debug, Default)]
struct Script {
    /// By path: what is answered next, and then for ever the last.
    replies: HashMap<String, VecDeque<Reply>>,
}

#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    told: watch::Receiver<Vec<Told>>,
    _server: Arc<AbortOnDropHandle<()>>,
}

type Shared = (SocketAddr, Arc<Mutex<Script>>, Arc<watch::Sender<Vec<Told>>>);

impl Site {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::<Mutex<Script>>::default();
        let (send, told) = watch::channel(Vec::new());
        let shared: Shared = (address, Arc::clone(&script), Arc::new(send));
        let router = Router::new().fallback(answer).with_state(shared);
        let server = AbortOnDropHandle::new(TaskTracker::new().spawn(serve(listener, router)));
        Self { address, script, told, _server: Arc::new(server) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What is answered at a path: each once, and the last for ever. 200 and nothing elsewhere.
    pub(crate) fn says(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut script = self.script.lock().unwrap();
        script.replies.insert(path.to_owned(), replies.into_iter().collect());
    }

    pub(crate) fn twiml(&self, path: &str, inside: &str) {
        let body = format!("<Response>{inside}</Response>");
        self.says(path, [(200, "text/xml; charset=utf-8", body)]);
    }

    /// What came to a path so far.
    pub(crate) fn told(&self, path: &str) -> Vec<Told> {
        self.told.borrow().iter().filter(|one| one.path == path).cloned().collect()
    }

    /// Waits until so many came to a path.
    pub(crate) async fn until(&self, path: &str, count: usize) -> Vec<Told> {
        let mut told = self.told.clone();
        let enough = |all: &Vec<Told>| all.iter().filter(|one| one.path == path).count() >= count;
        let came = tokio::time::timeout(Duration::from_secs(30), told.wait_for(enough)).await;
        assert!(came.is_ok(), "not {count} at {path}: {:?}", self.told(path));
        self.told(path)
    }
}

async fn serve(listener: TcpListener, router: Router) {
    let connections = TaskTracker::new();
    while let Ok((stream, _)) = listener.accept().await {
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
    State((address, script, send)): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<String> {
    let form = form_urlencoded::parse(&body).into_owned().collect();
    let path = uri.path().to_owned();
    let url = format!("http://{address}{uri}");
    let signature = headers["x-twilio-signature"].to_str().unwrap().to_owned();
    let reply = {
        let mut script = script.lock().unwrap();
        match script.replies.get_mut(&path) {
            Some(replies) if replies.len() > 1 => replies.pop_front(),
            Some(replies) => replies.front().cloned(),
            None => None,
        }
    };
    send.send_modify(|all| all.push(Told { path, form, signature, url }));
    let (status, kind, body) = reply.unwrap_or((200, "text/plain", String::new()));
    Response::builder().status(status).header("content-type", kind).body(body).unwrap()
}
