//! A carrier's API, as little of it as the relay needs: takes texts and notes when they came.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc, watch},
    task::JoinSet,
};

use crate::Result;

struct Shared {
    count: AtomicU64,
    changed: Notify,
    arrived: mpsc::UnboundedSender<(String, Instant)>,
    held: watch::Sender<bool>,
}

/// A carrier that runs in this process, until it is dropped.
pub(crate) struct Carrier {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    arrived: mpsc::UnboundedReceiver<(String, Instant)>,
    _task: JoinSet<()>,
}

impl Carrier {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, arrived) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            count: AtomicU64::new(0),
            changed: Notify::new(),
            arrived: sender,
            held: watch::channel(false).0,
        });
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, arrived, _task: task })
    }

    /// Keeps every request waiting for its answer: nothing more is sent then, since all of the
    /// relay's workers wait too. Or lets them go on.
    pub(crate) fn hold(&self, held: bool) {
        self.shared.held.send_replace(held);
    }

    /// How many texts were taken so far.
    pub(crate) fn count(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// When a text with these words came.
    pub(crate) async fn arrival(&mut self, words: &str) -> Result<Instant> {
        while let Some((text, at)) = self.arrived.recv().await {
            if text == words {
                return Ok(at);
            }
        }
        Err("the carrier is gone".into())
    }

    /// Waits until so many texts were taken.
    pub(crate) async fn taken(&self, count: u64) {
        while self.count() < count {
            let changed = self.shared.changed.notified();
            if self.count() < count {
                changed.await;
            }
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| take(Arc::clone(&shared), request));
            // The relay may close it whenever it likes.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn take(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let at = Instant::now();
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let _ = shared.arrived.send((body["text"].as_str().unwrap_or_default().to_owned(), at));
    // It never changes hands while we run.
    let _ = shared.held.subscribe().wait_for(|held| !held).await;
    let number = shared.count.fetch_add(1, Ordering::Relaxed);
    shared.changed.notify_waiters();
    let answer = format!(r#"{{"id":"SM{number}"}}"#);
    let mut response = Response::new(Full::new(Bytes::from(answer)));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}
