//! A marketplace's end: a server that takes events as it is told to, and a client of the API.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use entremise::config::Config;
use http_body_util::Full;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::support::{self, Answered, Database, World};

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Answer(u16),
    /// 302 to somewhere else on the same server.
    Redirect,
    /// Takes the request and never answers.
    Hang,
    /// Takes the request and closes.
    Close,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
    /// Every byte of it.
    pub(crate) raw: Vec<u8>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Debug)]
struct Plan {
    next: VecDeque<Act>,
    always: Act,
}

/// A server that takes events. Dropping it closes its connections.
pub(crate) struct Receiver {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    got: watch::Receiver<Vec<Got>>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    /// One that answers 200 until it is told otherwise.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Plan { next: VecDeque::new(), always: Act::Answer(200) };
        let plan = Arc::new(Mutex::new(plan));
        let (send, got) = watch::channel(Vec::new());
        let acts = Arc::clone(&plan);
        let task = async move {
            let mut connections = tokio::task::JoinSet::new();
            let send = Arc::new(send);
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(take(stream, Arc::clone(&acts), Arc::clone(&send)));
            }
        };
        let task = AbortOnDropHandle::new(TaskTracker::new().spawn(task));
        Self { address, plan, got, _task: task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events?token=a-secret-of-the-url", self.address)
    }

    /// What it does with the next requests, before what it always does.
    pub(crate) fn then(&self, acts: &[Act]) {
        self.plan.lock().unwrap().next.extend(acts);
    }

    pub(crate) fn always(&self, act: Act) {
        self.plan.lock().unwrap().always = act;
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.borrow().clone()
    }

    /// The types of what came, in order.
    pub(crate) fn types(&self) -> Vec<String> {
        let text = |got: &Got| got.json()["type"].as_str().unwrap().to_owned();
        self.got().iter().map(text).collect()
    }

    /// Waits for so many requests.
    pub(crate) async fn until(&self, count: usize) -> Vec<Got> {
        let mut got = self.got.clone();
        got.wait_for(|all| all.len() >= count).await.unwrap().clone()
    }
}

async fn take(mut stream: TcpStream, plan: Arc<Mutex<Plan>>, got: Arc<watch::Sender<Vec<Got>>>) {
    let mut raw = Vec::new();
    let request = loop {
        let mut chunk = [0; 4096];
        let Ok(read @ 1..) = stream.read(&mut chunk).await else { return };
        raw.extend_from_slice(&chunk[..read]);
        if let Some(request) = whole(&raw) {
            break request;
        }
    };
    let act = {
        let mut plan = plan.lock().unwrap();
        plan.next.pop_front().unwrap_or(plan.always)
    };
    got.send_modify(|all| all.push(request));
    let head = match act {
        Act::Answer(status) => format!("HTTP/1.1 {status} X\r\n"),
        Act::Redirect => "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\n".to_owned(),
        Act::Close => return,
        Act::Hang => {
            let _ = stream.read(&mut [0]).await;
            return;
        }
    };
    let answer = format!("{head}content-length: 2\r\nconnection: close\r\n\r\nok");
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// The request, once all of it is there.
fn whole(raw: &[u8]) -> Option<Got> {
    let text = std::str::from_utf8(raw).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut headers = http::HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    let length: usize = headers.get("content-length")?.to_str().unwrap().parse().unwrap();
    let body = body.to_owned();
    (body.len() == length).then(|| Got { path, headers, body, raw: raw.to_vec() })
}

/// Settings over a database under which these receivers may be called, with so long a deadline.
pub(crate) fn settings(database: &Database, receivers: &[&Receiver], deadline_ms: u64) -> Config {
    let mut config = support::settings(database);
    config.egress_allow = receivers.iter().map(|one| one.address).collect();
    config.jobs.event_deadline = std::time::Duration::from_millis(deadline_ms);
    config.api.rate_per_minute = 100_000;
    config
}

/// Asks for something with the account's key, at any path.
pub(crate) async fn raw(world: &World, method: &str, path: &str, body: Option<Value>) -> Answered {
    let builder = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", world.running.address.to_string())
        .header("authorization", format!("Bearer {}", world.account.api_key))
        .header("content-type", "application/json");
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = builder.body(Full::new(bytes::Bytes::from(body))).unwrap();
    support::request(world.running.address, request).await
}

/// Gets something with the account's key.
pub(crate) async fn get(world: &World, path: &str) -> Answered {
    raw(world, "GET", path, None).await
}

/// Asks the API for something; the status and the body.
pub(crate) async fn ask(
    world: &World,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let answer = raw(world, method, &format!("/api/v1{path}"), body).await;
    let body = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status.as_u16(), body)
}

/// The same for what must be done.
pub(crate) async fn done(world: &World, method: &str, path: &str, body: Option<Value>) -> Value {
    let (status, body) = ask(world, method, path, body).await;
    assert!((200..300).contains(&status), "{method} {path}: {status} {body}");
    body
}
