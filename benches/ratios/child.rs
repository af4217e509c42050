//! The servers under test: this program again, as a child, so that its processor time is its own.

use std::{
    convert::Infallible,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use entremise::{
    app::{App, Environment, Listeners},
    telemetry::logs::{self, Format},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::{Result, report::say, world};

/// A server that runs as a child. It goes with this value at the latest.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From starting the process until it served.
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts this program with `arguments` and waits until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self> {
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let started_in = begun.elapsed();
        let address = line.trim().strip_prefix("ready ").and_then(|rest| rest.parse().ok());
        if let Some(address) = address {
            return Ok(Self { child, address, started_in });
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(format!("{} did not start: {line}", arguments.first().unwrap_or(&"a server")).into())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it end in order: it ends once its standard input is closed.
    pub(crate) async fn stop(mut self) {
        drop(self.child.stdin.take());
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until whoever started us closes our standard input.
async fn told_to_end() -> Result<()> {
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// The reference: hyper alone. Takes a POST, reads its body, says hello.
pub(crate) async fn serve_bare() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(&format!("ready {}", listener.local_addr()?))?;
    let tracker = TaskTracker::new();
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(hello));
            tracker.spawn(serving);
        }
    };
    tokio::select! {
        ended = told_to_end() => ended,
        failed = accept => failed,
    }
}

async fn hello(
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    // A body that breaks off is for the client to notice.
    let _ = request.into_body().collect().await;
    Ok(http::Response::new(Full::new(Bytes::from_static(b"hello"))))
}

/// The relay as `entremise serve` runs it, its log going nowhere.
pub(crate) async fn serve_app(url: &str, key: &str, carrier: &str) -> Result<()> {
    let config = world::config(url, key, Some(carrier))?;
    logs::init(&config.log.filter, Format::Json, entremise::app::redactor(&config))?;
    let listeners = Listeners {
        public: TcpListener::bind("127.0.0.1:0").await?,
        ops: TcpListener::bind("127.0.0.1:0").await?,
    };
    let running = App::start(config, listeners, Environment::default()).await?;
    say(&format!("ready {}", running.address))?;
    told_to_end().await?;
    running.shutdown().await;
    Ok(())
}
