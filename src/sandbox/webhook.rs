//! Webhooks: signed, tried five times, in order for each sender.

use std::{
    collections::{VecDeque, hash_map::Entry},
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future;
use http::{Request, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use ring::hmac;
use serde_json::Value;

use super::{
    actions::ActionError,
    network::{Busy, Network},
    phone::{PhoneId, TextState},
};

pub(super) type Client = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// How often a webhook is tried.
const ATTEMPTS: u32 = 5;
/// How long one try may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The longest answer that is read.
const ANSWER_MAX: usize = 64 * 1024;
/// The most webhooks that wait at once.
const WAITING_MAX: usize = 20_000;
/// How long a webhook that is to be overtaken waits for another.
const OVERTAKE: Duration = Duration::from_millis(25);

/// A webhook that wants no answer.
pub(super) struct Job {
    url: String,
    body: Bytes,
    /// The text on whose phone it shows how this went.
    text: Option<(PhoneId, String)>,
    _busy: Busy,
}

/// Nobody took a webhook, however often it was tried.
#[derive(Debug)]
pub(super) struct Undelivered;

pub(super) fn client() -> Client {
    let connector =
        HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
    legacy::Client::builder(TokioExecutor::new()).build(connector)
}

impl Network {
    /// Where new texts, new calls and news of a call that came in go.
    pub(super) fn hook(&self, path: &str) -> String {
        format!("{}/{path}", self.options.hooks_base)
    }

    /// Whether a callback address is one of the relay's: nothing else is ever called.
    pub(super) fn is_hook(&self, url: &str) -> bool {
        url.strip_prefix(&self.options.hooks_base).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Sends a webhook after all earlier ones of the same `lane`.
    pub(super) fn post_in_order(
        self: &Arc<Self>,
        lane: &str,
        url: String,
        body: &Value,
        text: Option<(PhoneId, String)>,
    ) -> Result<(), ActionError> {
        let job = Job { url, body: body.to_string().into(), text, _busy: self.busy() };
        let mut state = self.lock();
        if state.waiting >= WAITING_MAX {
            return Err(ActionError::Full);
        }
        state.waiting += 1;
        match state.lanes.entry(lane.to_owned()) {
            Entry::Occupied(mut waiting) => waiting.get_mut().push_back(job),
            Entry::Vacant(empty) => {
                empty.insert(VecDeque::from([job]));
                let (network, lane) = (Arc::clone(self), lane.to_owned());
                self.start(async move { network.work(&lane).await });
            }
        }
        Ok(())
    }

    /// Starts a task that ends with the network.
    pub(super) fn start(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! { () = stop.cancelled() => {}, () = task => {} }
        });
    }

    async fn work(self: &Arc<Self>, lane: &str) {
        while let Some(job) = self.take(lane) {
            let percent = self.faults().reorder_percent;
            let overtaken = self.lock().dice.hits(percent);
            if overtaken {
                if self.lock().lanes.get(lane).is_none_or(VecDeque::is_empty) {
                    tokio::time::sleep(OVERTAKE).await;
                }
                if let Some(faster) = self.next(lane) {
                    self.deliver(faster).await;
                }
            }
            self.deliver(job).await;
        }
    }

    fn next(&self, lane: &str) -> Option<Job> {
        let mut state = self.lock();
        let job = state.lanes.get_mut(lane)?.pop_front()?;
        state.waiting -= 1;
        Some(job)
    }

    /// The next job, or the end of the lane: both under one lock, so that none is left behind.
    fn take(&self, lane: &str) -> Option<Job> {
        let mut state = self.lock();
        let job = state.lanes.get_mut(lane).and_then(VecDeque::pop_front);
        if job.is_some() {
            state.waiting -= 1;
        } else {
            state.lanes.remove(lane);
        }
        job
    }

    async fn deliver(self: &Arc<Self>, job: Job) {
        let result = self.fetch(&job.url, &job.body).await;
        if let Some((phone, id)) = &job.text {
            let state = if result.is_ok() { TextState::Sent } else { TextState::Failed };
            self.text_state(*phone, id, state);
        }
    }

    /// Shows how a text went.
    pub(super) fn text_state(&self, phone: PhoneId, id: &str, state: TextState) {
        self.change(phone, |view| {
            if let Some(text) = view.texts.iter_mut().find(|text| text.id == *id) {
                text.state = state;
            }
        });
    }

    /// Sends a webhook and reads the answer.
    pub(super) async fn ask(&self, url: &str, body: &Value) -> Result<Bytes, Undelivered> {
        self.fetch(url, &body.to_string().into()).await
    }

    async fn fetch(&self, url: &str, body: &Bytes) -> Result<Bytes, Undelivered> {
        let copies = {
            let mut state = self.lock();
            let faults = state.faults;
            if state.dice.hits(faults.duplicate_percent) { faults.duplicate_copies } else { 0 }
        };
        // All at once: the hard case for whoever has to see that they are the same.
        let copies = future::join_all((0..copies).map(|_| self.attempts(url, body)));
        future::join(self.attempts(url, body), copies).await.0
    }

    async fn attempts(&self, url: &str, body: &Bytes) -> Result<Bytes, Undelivered> {
        let mut pause = self.options.pace.backoff;
        for attempt in 1..=ATTEMPTS {
            if let Some(answer) = self.attempt(url, body).await {
                return Ok(answer);
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        self.lock().untaken += 1;
        tracing::warn!("the relay did not take a webhook of the sandbox");
        Err(Undelivered)
    }

    /// The answer's body if its status is a success.
    async fn attempt(&self, url: &str, body: &Bytes) -> Option<Bytes> {
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("sandbox-signature", self.signature(url, body))
            .body(Full::new(body.clone()))
            .ok()?;
        let answer = tokio::time::timeout(TIMEOUT, async {
            let answer = self.client.request(request).await.ok()?;
            let success = answer.status().is_success();
            let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.ok()?;
            success.then(|| body.to_bytes())
        });
        answer.await.ok().flatten()
    }

    /// `t=<unix ms>,v1=<hex HMAC-SHA256(secret, "{t}.{url}.{body}")>`.
    fn signature(&self, url: &str, body: &[u8]) -> String {
        let at = self.now().millis();
        let mut context = hmac::Context::with_key(&self.key);
        context.update(format!("{at}.{url}.").as_bytes());
        context.update(body);
        let mut header = format!("t={at},v1=");
        for byte in context.sign().as_ref() {
            let _ = write!(header, "{byte:02x}");
        }
        header
    }
}
