//! People who text and call, and a marketplace that opens and closes their sessions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    carrier::{Carrier, Fields, fields, read},
    cluster::Cluster,
    truth::{Said, Session, number, proxy},
};

/// Half of them buy, half of them sell.
const PEOPLE: usize = 30;
/// Few enough that numbers come round again as soon as their quarantine is over.
const POOL: usize = 16;
const LIVE_MAX: usize = 40;
/// How much may be under way at once.
const UNDER_WAY_MAX: usize = 600;
/// How long nobody else gets a number after a session.
pub(crate) const QUARANTINE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) carrier: Arc<Carrier>,
    api_key: String,
    /// Times at which something was due and too much was under way.
    pub(crate) held_back: AtomicU64,
    keys: AtomicU64,
}

impl Load {
    /// Makes the account, its service and its pool.
    pub(crate) async fn prepare(cluster: Arc<Cluster>, carrier: Arc<Carrier>) -> Arc<Self> {
        let (_, api_key) = cluster.account();
        let load = Self {
            cluster,
            carrier,
            api_key,
            held_back: AtomicU64::new(0),
            keys: AtomicU64::new(0),
        };
        let seconds = QUARANTINE.as_secs();
        let service = json!({
            "unique_name": "bikes", "brand": "Bikes", "quarantine_seconds": seconds,
        });
        let made = load.ask(Method::POST, "/api/v1/services", &service).await;
        assert_eq!(made.unwrap().0, StatusCode::CREATED);
        for place in 0..POOL {
            let number = json!({
                "service_id": "bikes", "number": proxy(place), "carrier": "twilio",
                "capabilities": ["voice", "sms"],
            });
            let made = load.ask(Method::POST, "/api/v1/numbers", &number).await;
            assert_eq!(made.unwrap().0, StatusCode::CREATED);
        }
        Arc::new(load)
    }

    /// Asks the API, one node after the other, until one answers for good.
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Option<(StatusCode, Value)> {
        let key = format!("chaos-{}", self.keys.fetch_add(1, Ordering::Relaxed));
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(90) {
            let node = self.carrier.below(self.cluster.nodes.len());
            let request = Request::builder()
                .method(method.clone())
                .uri(format!("http://{}{path}", self.cluster.nodes[node].address))
                .header(header::AUTHORIZATION, format!("Bearer {}", self.api_key))
                .header(header::CONTENT_TYPE, "application/json")
                .header("idempotency-key", &key)
                .body(Full::new(Bytes::from(body.to_string())))
                .unwrap();
            let answer = self.cluster.client.send(request, Duration::from_secs(15)).await;
            if let Some((status, body)) = answer {
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                let twin = body["code"] == "idempotency_in_progress";
                if !status.is_server_error() && !twin {
                    return Some((status, body));
                }
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        None
    }

    /// Does so many things a second until it is stopped, and waits for what is under way.
    pub(crate) async fn run(self: Arc<Self>, rate: u32, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(UNDER_WAY_MAX));
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                self.held_back.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let load = Arc::clone(&self);
            self.carrier.tasks.spawn(async move {
                load.act().await;
                drop(permit);
            });
        }
    }

    async fn act(&self) {
        let live = self.live();
        match self.carrier.below(100) {
            0..5 => self.open(live.len()).await,
            5..9 => self.close(&live).await,
            9..27 => self.say(true).await,
            _ => self.say(false).await,
        }
    }

    fn live(&self) -> Vec<usize> {
        let facts = self.carrier.truth.lock();
        let open = |session: &Session| session.close_asked.is_none();
        (0..facts.sessions.len()).filter(|place| open(&facts.sessions[*place])).collect()
    }

    async fn open(&self, live: usize) {
        if live >= LIVE_MAX {
            return;
        }
        let people = [self.carrier.below(PEOPLE / 2) * 2, self.carrier.below(PEOPLE / 2) * 2 + 1];
        let body = json!({ "service_id": "bikes", "participants": [
            { "role": "buyer", "identifier": number(people[0]) },
            { "role": "seller", "identifier": number(people[1]) },
        ]});
        let open_asked = Instant::now();
        let Some((status, made)) = self.ask(Method::POST, "/api/v1/sessions", &body).await else {
            return;
        };
        let mut facts = self.carrier.truth.lock();
        if status != StatusCode::CREATED {
            if made["code"] != "pool_exhausted" && made["code"] != "pool_quarantined" {
                facts.refused.push(format!("{status} for opening a session: {}", made["code"]));
            }
            return;
        }
        let proxy = |place: usize| -> String {
            made["participants"][place]["proxy_number"].as_str().unwrap().into()
        };
        facts.sessions.push(Session {
            id: made["id"].as_str().unwrap().into(),
            people,
            proxies: [proxy(0), proxy(1)],
            open_asked,
            open_acked: Instant::now(),
            close_asked: None,
            close_acked: None,
        });
    }

    async fn close(&self, live: &[usize]) {
        if live.len() < 8 {
            return;
        }
        let place = live[self.carrier.below(live.len())];
        let id = {
            let mut facts = self.carrier.truth.lock();
            let session = &mut facts.sessions[place];
            session.close_asked = session.close_asked.or(Some(Instant::now()));
            session.id.clone()
        };
        let path = format!("/api/v1/sessions/{id}/close");
        let closed = self.ask(Method::POST, &path, &json!({})).await;
        let mut facts = self.carrier.truth.lock();
        match closed {
            Some((StatusCode::OK, _)) => {
                let session = &mut facts.sessions[place];
                session.close_acked = session.close_acked.or(Some(Instant::now()));
            }
            Some((status, body)) => {
                facts.refused.push(format!("{status} for closing a session: {}", body["code"]));
            }
            None => {}
        }
    }

    /// Somebody texts or calls in some session, now and then in one that is over.
    async fn say(&self, call: bool) {
        let over = self.carrier.below(100) < 8;
        let (place, session) = {
            let facts = self.carrier.truth.lock();
            let fits = |session: &Session| session.close_acked.is_some() == over;
            // The newest ones: those that were closed long ago tell nothing new.
            let recent = facts.sessions.iter().enumerate().rev();
            let recent: Vec<usize> = recent
                .filter(|(_, session)| fits(session))
                .take(LIVE_MAX)
                .map(|(n, _)| n)
                .collect();
            if recent.is_empty() {
                return;
            }
            let place = recent[self.carrier.below(recent.len())];
            (place, facts.sessions[place].clone())
        };
        let side = self.carrier.below(2);
        let id = self.carrier.id(if call { "CA" } else { "SM" });
        if self.carrier.below(10) == 0 {
            // Overtaken by what was said later.
            tokio::time::sleep(Duration::from_millis(self.carrier.below(300) as u64)).await;
        }
        let said =
            Said { call, session: place, side, posted: Instant::now(), acked: None, posts: 0 };
        self.carrier.truth.lock().said.insert(id.clone(), said);
        let [from, to] = [number(session.people[side]), session.proxies[side].clone()];
        if call {
            self.call(&id, &from, &to).await;
        } else {
            self.text(&id, &from, &to).await;
        }
    }

    fn acked(&self, id: &str, posts: u32) {
        if let Some(said) = self.carrier.truth.lock().said.get_mut(id) {
            said.acked = Some(Instant::now());
            said.posts = posts;
        }
    }

    async fn text(&self, id: &str, from: &str, to: &str) {
        let body = format!("text {id}");
        let fields = fields(&[
            ("MessageSid", id),
            ("From", from),
            ("To", to),
            ("Body", &body),
            ("NumMedia", "0"),
        ]);
        let taken = self.carrier.deliver("/hooks/twilio/message", &fields).await;
        let Some((_, posts)) = taken else { return };
        self.acked(id, posts);
        if self.carrier.below(5) == 0 {
            self.carrier.repeat("/hooks/twilio/message", &fields).await;
        }
    }

    async fn call(&self, id: &str, from: &str, to: &str) {
        let ringing = fields(&[
            ("CallSid", id),
            ("From", from),
            ("To", to),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
        ]);
        let taken = self.carrier.deliver("/hooks/twilio/call", &ringing).await;
        let Some((document, posts)) = taken else { return };
        self.acked(id, posts);
        let (bridged, action) = read(document);
        let dialled = bridged.dial.is_some();
        let mut all = vec![bridged];
        if self.carrier.below(5) == 0 {
            let again = self.carrier.repeat("/hooks/twilio/call", &ringing).await;
            all.extend(again.into_iter().map(|document| read(document).0));
        }
        self.carrier.truth.lock().bridged.insert(id.to_owned(), all);
        if let Some(action) = action.filter(|_| dialled) {
            self.talk(&ringing, &action).await;
        }
        let mut over = ringing;
        over.insert("CallStatus".into(), "completed".into());
        over.insert("CallDuration".into(), "42".into());
        self.carrier.deliver("/hooks/twilio/status", &over).await;
    }

    /// The dialling ends after a while: somebody talked, or nobody answered.
    async fn talk(&self, ringing: &Fields, action: &str) {
        let path = action.strip_prefix(crate::cluster::PUBLIC_URL).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(self.carrier.below(1500) as u64)).await;
        let (state, seconds) =
            if self.carrier.below(3) == 0 { ("no-answer", "0") } else { ("completed", "42") };
        let mut ended = ringing.clone();
        ended.insert("CallStatus".into(), "in-progress".into());
        ended.insert("DialCallStatus".into(), state.into());
        ended.insert("DialCallDuration".into(), seconds.into());
        ended.insert("DialBridged".into(), (state == "completed").to_string());
        self.carrier.deliver(path, &ended).await;
        if self.carrier.below(10) == 0 {
            self.carrier.repeat(path, &ended).await;
        }
    }
}
