//! The operators' listener: health, readiness, metrics. Not for the internet.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::future::{BoxFuture, join_all};
use http::{StatusCode, header};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::telemetry::{metrics, redact::Redactor};

/// How long a check may take before it counts as failed.
const CHECK: Duration = Duration::from_secs(1);
/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(2);

type Run = dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync;

/// Something that must work for us to take requests. Carriers are none: we take their webhooks
/// while their API is down.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    run: Arc<Run>,
}

impl Check {
    /// A check that is run for each look at `/readyz`, for one second at most. Its error is shown
    /// to operators, redacted.
    pub fn new(
        name: &'static str,
        run: impl Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    ) -> Self {
        Self { name, run: Arc::new(run) }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What the operators' routes need.
#[derive(Debug, Clone)]
pub struct Ops {
    /// What `/readyz` checks.
    pub checks: Vec<Check>,
    /// Cancelled as soon as a stop begins: from then on we are not ready.
    pub draining: CancellationToken,
    /// Takes secrets out of what checks say.
    pub redactor: Redactor,
}

/// `/healthz`: 200 while requests are answered at all. `/readyz`: 200 or 503, as JSON by check.
/// `/metrics`: Prometheus' text format.
pub fn router(ops: Ops) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(Arc::new(ops))
}

async fn ready(State(ops): State<Arc<Ops>>) -> Response {
    let results = join_all(ops.checks.iter().map(async |check| {
        let result = match timeout(CHECK, (check.run)()).await {
            Ok(result) => result,
            Err(_) => Err("no answer within a second".to_owned()),
        };
        (check.name, result)
    }))
    .await;
    let draining = ops.draining.is_cancelled();
    let good = !draining && results.iter().all(|(_, result)| result.is_ok());
    let shown: Map<String, Value> = results
        .into_iter()
        .map(|(name, result)| {
            let shown =
                result.map_or_else(|error| ops.redactor.redact(&error).into(), |()| "ok".into());
            (name.to_owned(), shown)
        })
        .collect();
    let status = match (draining, good) {
        (true, _) => "draining",
        (false, true) => "ready",
        (false, false) => "not ready",
    };
    let code = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, axum::Json(json!({ "status": status, "checks": shown }))).into_response()
}

async fn render() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, metrics::handle().render()).into_response()
}

/// Why [`probe`] failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing listens there, or it went away.
    #[error("{0} does not answer: {1}")]
    Io(SocketAddr, #[source] std::io::Error),
    /// No answer within two seconds.
    #[error("{0} does not answer in time")]
    Late(SocketAddr),
    /// Something else listens there.
    #[error("{0} answers, but not as Entremise's health does")]
    Other(SocketAddr),
}

/// Asks a running server's `/healthz`, for `entremise healthcheck`: `ops_listen` as configured,
/// where "any address" is asked on loopback. Two seconds at most.
///
/// # Errors
/// [`ProbeError`] for anything but a 200.
pub async fn probe(ops_listen: SocketAddr) -> Result<(), ProbeError> {
    let mut address = ops_listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n")
            .await?;
        let mut start = [0; 12];
        stream.read_exact(&mut start).await?;
        Ok(&start == b"HTTP/1.1 200")
    };
    match timeout(PROBE, asked).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(ProbeError::Other(address)),
        Ok(Err(error)) => Err(ProbeError::Io(address, error)),
        Err(_) => Err(ProbeError::Late(address)),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use futures_util::FutureExt as _;
    use tower::ServiceExt as _;

    use super::*;

    fn ops(checks: Vec<Check>) -> Ops {
        let redactor = Redactor::new(["hunter2hunter2".to_owned()]);
        Ops { checks, draining: CancellationToken::new(), redactor }
    }

    async fn get(ops: &Ops, path: &str) -> (u16, String) {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let response = router(ops.clone()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn readiness(ops: &Ops) -> (u16, Value) {
        let (status, body) = get(ops, "/readyz").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    fn good() -> Check {
        Check::new("keys", || async { Ok(()) }.boxed())
    }

    /// Ready while every check passes, and not any more as soon as a stop begins; alive all along.
    #[tokio::test]
    async fn ready_until_the_stop() {
        let ops = ops(vec![good()]);
        let expected = json!({ "status": "ready", "checks": { "keys": "ok" } });
        assert_eq!(readiness(&ops).await, (200, expected));
        ops.draining.cancel();
        let expected = json!({ "status": "draining", "checks": { "keys": "ok" } });
        assert_eq!(readiness(&ops).await, (503, expected));
        assert_eq!(get(&ops, "/healthz").await.0, 200);
    }

    /// One failed check makes us not ready; it is named, and what it says is redacted.
    #[tokio::test]
    async fn a_failed_check_is_named() {
        let failing = || async { Err("no hunter2hunter2 for +14155550100".to_owned()) }.boxed();
        let ops = ops(vec![good(), Check::new("database", failing)]);
        let database = "no [redacted] for [redacted]";
        let checks = json!({ "keys": "ok", "database": database });
        let expected = json!({ "status": "not ready", "checks": checks });
        assert_eq!(readiness(&ops).await, (503, expected));
    }

    /// A check that hangs counts as failed after a second.
    #[tokio::test]
    async fn a_hanging_check_fails() {
        let ops = ops(vec![Check::new("database", || std::future::pending().boxed())]);
        let (status, body) = readiness(&ops).await;
        assert_eq!(status, 503);
        assert_eq!(body["checks"]["database"], "no answer within a second");
    }

    /// The metrics are Prometheus' text, with the build's version.
    #[tokio::test]
    async fn metrics_are_rendered() {
        let (status, body) = get(&ops(Vec::new()), "/metrics").await;
        assert_eq!(status, 200);
        let version = env!("CARGO_PKG_VERSION");
        let line = format!("entremise_build_info{{version=\"{version}\"}} 1");
        assert!(body.contains(&line), "{body}");
    }

    /// The probe finds a server that is up, at "any address" too, and says so where there is none
    /// or another one.
    #[tokio::test]
    async fn the_probe_tells_up_from_down() {
        use crate::{clock::Clock, http::server};

        async fn start(router: Router) -> (u16, tokio::task::JoinSet<()>) {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = server::Server {
                name: "ops",
                router,
                tls: None,
                limits: server::Limits::default(),
                trusted: server::TrustedProxies::default(),
                clock: Clock::system(),
            };
            let mut tasks = tokio::task::JoinSet::new();
            tasks.spawn(server.serve(listener, CancellationToken::new()));
            (port, tasks)
        }

        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let (port, mut tasks) = start(router(ops(Vec::new()))).await;
        probe(any(port)).await.unwrap();
        tasks.shutdown().await;
        assert!(matches!(probe(any(port)).await, Err(ProbeError::Io(..))));
        let (port, _tasks) = start(Router::new()).await;
        assert!(matches!(probe(any(port)).await, Err(ProbeError::Other(_))));
    }
}
