//! A stand-in for Twilio that keeps the truth: it posts what people do until somebody takes it, and
//! takes what it is told to send, well or badly.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{get, post},
};
use base64::Engine as _;
use bytes::Bytes;
use entremise::clock::Clock;
use futures_util::stream;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{
    cluster::{Cluster, PUBLIC_URL},
    rng::Rng,
    truth::{Bridged, Sent, Truth},
    web,
};

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// How long Twilio waits for a webhook's answer.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// How many texts of one number are on record: more than it sends in half an hour.
const LISTED_MAX: usize = 2000;
/// How long a webhook is posted again before it counts as lost on the way.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is wrong with the carrier's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Nothing,
    /// 500, and nothing was sent.
    Refuses,
    /// 429, and nothing was sent.
    Throttles,
    /// It is sent, and no answer comes.
    TakesSilently,
    /// It is sent, and the answer breaks off.
    TakesAndResets,
}

#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) base: String,
    pub(crate) truth: Arc<Truth>,
    pub(crate) trouble: Mutex<Trouble>,
    pub(crate) tasks: TaskTracker,
    cluster: OnceLock<Arc<Cluster>>,
    rng: Mutex<Rng>,
    ids: AtomicU64,
    /// What it lists as sent, the newest first, by the number that it was sent from.
    record: Mutex<BTreeMap<String, VecDeque<Value>>>,
    server: OnceLock<AbortOnDropHandle<()>>,
}

impl Carrier {
    pub(crate) async fn start(truth: Arc<Truth>, seed: u64) -> Arc<Self> {
        // The address is known once it listens, and the routes need the carrier.
        let holder = Arc::new(OnceLock::<Arc<Self>>::new());
        let router = Router::new()
            .route("/2010-04-01/Accounts/{account}/Messages.json", post(send).get(list))
            .route("/2010-04-01/Accounts/{account}/Calls.json", get(no_calls))
            .with_state(Arc::clone(&holder));
        let (address, server) = web::serve(router).await;
        let carrier = Arc::new(Self {
            base: format!("http://{address}"),
            truth,
            trouble: Mutex::new(Trouble::Nothing),
            tasks: TaskTracker::new(),
            cluster: OnceLock::new(),
            rng: Mutex::new(Rng::new(seed)),
            ids: AtomicU64::new(1),
            record: Mutex::default(),
            server: OnceLock::new(),
        });
        holder.set(Arc::clone(&carrier)).unwrap();
        carrier.server.set(server).unwrap();
        carrier
    }

    pub(crate) fn serves(&self, cluster: Arc<Cluster>) {
        self.cluster.set(cluster).unwrap();
    }

    fn cluster(&self) -> &Cluster {
        self.cluster.get().unwrap()
    }

    pub(crate) fn below(&self, bound: usize) -> usize {
        self.rng.lock().unwrap().below(bound)
    }

    pub(crate) fn id(&self, kind: &str) -> String {
        format!("{kind}{:032x}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Posts a webhook once, signed, to one node.
    async fn post_to(&self, node: usize, path: &str, fields: &Fields) -> Option<Bytes> {
        let cluster = self.cluster();
        let mut signed = format!("{PUBLIC_URL}{path}");
        for (name, value) in fields {
            signed.push_str(name);
            signed.push_str(value);
        }
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
        let tag = ring::hmac::sign(&key, signed.as_bytes());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(format!("http://{}{path}", cluster.nodes[node].address))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(
                "x-twilio-signature",
                base64::engine::general_purpose::STANDARD.encode(tag.as_ref()),
            )
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let (status, body) = cluster.client.send(request, ANSWER_MAX).await?;
        if status.is_client_error() {
            self.truth.lock().refused.push(format!("{status} for a webhook at {path}"));
        }
        if status != StatusCode::OK && status != StatusCode::NO_CONTENT {
            return None;
        }
        cluster.acked(node);
        Some(body)
    }

    /// Posts a webhook to one node and another until one takes it; the answer and how often it was
    /// posted.
    pub(crate) async fn deliver(&self, path: &str, fields: &Fields) -> Option<(Bytes, u32)> {
        let since = Instant::now();
        let mut pause = Duration::from_millis(200);
        for posts in 1.. {
            let node = self.below(self.cluster().nodes.len());
            if let Some(answer) = self.post_to(node, path, fields).await {
                return Some((answer, posts));
            }
            if since.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(4));
        }
        None
    }

    /// Posts a webhook that was taken again, to all nodes at once; what they answered.
    pub(crate) async fn repeat(&self, path: &str, fields: &Fields) -> Vec<Bytes> {
        let nodes = self.cluster().nodes.len();
        let posts = (0..=nodes).map(|n| self.post_to(n % nodes, path, fields));
        let answers = futures_util::future::join_all(posts).await;
        self.truth.lock().duplicates += u64::try_from(nodes).unwrap() + 1;
        answers.into_iter().flatten().collect()
    }

    /// Puts a text that was sent on record.
    fn keep(&self, sid: &str, form: &BTreeMap<String, String>) {
        let at = jiff::Timestamp::from_millisecond(Clock::system().now().millis()).unwrap();
        let at = jiff::fmt::rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
        let entry = json!({
            "sid": sid, "direction": "outbound-api", "status": "sent", "date_created": at,
            "from": form["From"], "to": form["To"], "body": form.get("Body"),
        });
        let mut record = self.record.lock().unwrap();
        let kept = record.entry(form["From"].clone()).or_default();
        kept.push_front(entry);
        kept.truncate(LISTED_MAX);
    }

    /// Receipts of a text that was sent: some are lost, some come late or twice.
    async fn receipts(self: Arc<Self>, callback: String, sid: String) {
        let Some(path) = callback.strip_prefix(PUBLIC_URL) else {
            self.truth.lock().refused.push(format!("a foreign callback address: {callback}"));
            return;
        };
        let mut states = vec!["sent", "delivered"];
        if self.below(10) == 0 {
            states.reverse();
        }
        for state in states {
            let fields = fields(&[("MessageSid", &sid), ("MessageStatus", state)]);
            if self.below(20) == 0 {
                continue;
            }
            self.deliver(path, &fields).await;
            if self.below(10) == 0 {
                self.repeat(path, &fields).await;
            }
        }
    }
}

/// A webhook's fields, in the order in which they are signed.
pub(crate) type Fields = BTreeMap<String, String>;

pub(crate) fn fields(pairs: &[(&str, &str)]) -> Fields {
    let account = [("AccountSid", ACCOUNT)];
    pairs.iter().chain(&account).map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// The API's side: a node tells us to send a text.
async fn send(State(holder): State<Arc<OnceLock<Arc<Carrier>>>>, body: Bytes) -> Response {
    let carrier = Arc::clone(holder.get().unwrap());
    let form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let trouble = *carrier.trouble.lock().unwrap();
    match trouble {
        Trouble::Refuses => {
            return answer(StatusCode::INTERNAL_SERVER_ERROR, r#"{"code":20500,"status":500}"#);
        }
        Trouble::Throttles => {
            return answer(StatusCode::TOO_MANY_REQUESTS, r#"{"code":20429,"status":429}"#);
        }
        Trouble::Nothing | Trouble::TakesSilently | Trouble::TakesAndResets => {}
    }
    let sid = carrier.id("SM");
    let sent = Sent {
        at: Instant::now(),
        from: form["From"].clone(),
        to: form["To"].clone(),
        unheard: trouble != Trouble::Nothing,
    };
    {
        let mut facts = carrier.truth.lock();
        let body = form.get("Body").cloned().unwrap_or_default();
        match body.strip_prefix("text ") {
            Some(token) if facts.said.contains_key(token) => {
                facts.sent.entry(token.to_owned()).or_default().push(sent);
            }
            _ => facts.strange.push(body),
        }
    }
    carrier.keep(&sid, &form);
    let receipts = Arc::clone(&carrier).receipts(form["StatusCallback"].clone(), sid.clone());
    carrier.tasks.spawn(receipts);
    match trouble {
        Trouble::TakesSilently => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            answer(StatusCode::GATEWAY_TIMEOUT, "")
        }
        Trouble::TakesAndResets => {
            let broken = stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]);
            let mut response = Response::new(Body::from_stream(broken));
            *response.status_mut() = StatusCode::CREATED;
            response
        }
        _ => answer(StatusCode::CREATED, &format!(r#"{{"sid":"{sid}","status":"queued"}}"#)),
    }
}

/// The texts that were sent from a number. People's own texts and calls are not listed: the truth is
/// that their webhooks are posted until they are taken.
async fn list(State(holder): State<Arc<OnceLock<Arc<Carrier>>>>, uri: Uri) -> Response {
    let carrier = holder.get().unwrap();
    match *carrier.trouble.lock().unwrap() {
        Trouble::Refuses => return answer(StatusCode::INTERNAL_SERVER_ERROR, "{}"),
        Trouble::Throttles => return answer(StatusCode::TOO_MANY_REQUESTS, "{}"),
        Trouble::Nothing | Trouble::TakesSilently | Trouble::TakesAndResets => {}
    }
    let from = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find_map(|(key, value)| (key == "From").then(|| value.into_owned()));
    let record = carrier.record.lock().unwrap();
    let entries = from.and_then(|from| record.get(&from));
    answer(StatusCode::OK, &json!({ "messages": entries.cloned().unwrap_or_default() }).to_string())
}

async fn no_calls() -> Response {
    answer(StatusCode::OK, r#"{"calls":[]}"#)
}

fn answer(status: StatusCode, body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// What a document tells Twilio to do with a call.
pub(crate) fn read(document: Bytes) -> (Bridged, Option<String>) {
    let text = String::from_utf8_lossy(&document).into_owned();
    let attribute = |name: &str| {
        let value = text.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
        Some(value.replace("&amp;", "&"))
    };
    let callee = text.split("</Number>").next().and_then(|before| before.rsplit('>').next());
    let dial = text.contains("<Dial").then(|| {
        (callee.unwrap_or_default().to_owned(), attribute("callerId").unwrap_or_default())
    });
    (Bridged { document, dial }, attribute("action"))
}
