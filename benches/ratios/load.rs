//! Drives a server: connections that are kept, each sending its next request when it was answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use crate::{
    Result,
    machine::{self, Meter},
    report::{float, median, percentile},
};

/// A request that was made and signed beforehand.
#[derive(Debug, Clone)]
pub(crate) struct Shot {
    pub(crate) path: &'static str,
    pub(crate) body: Bytes,
    pub(crate) signature: HeaderValue,
}

/// What is fired, each once, or again from the start.
#[derive(Debug, Clone)]
pub(crate) struct Magazine {
    pub(crate) shots: Arc<Vec<Shot>>,
    next: Arc<AtomicUsize>,
    again: bool,
    expect: StatusCode,
}

impl Magazine {
    /// Each shot once: the server keeps what it was sent.
    pub(crate) fn once(shots: Vec<Shot>, expect: StatusCode) -> Self {
        Self { shots: Arc::new(shots), next: Arc::default(), again: false, expect }
    }

    /// The same shots from the start, for a server that keeps nothing.
    pub(crate) fn endless(&self, expect: StatusCode) -> Self {
        Self { shots: Arc::clone(&self.shots), next: Arc::default(), again: true, expect }
    }

    fn take(&self) -> Option<Shot> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let place = if self.again { place % self.shots.len() } else { place };
        self.shots.get(place).cloned()
    }
}

/// A server, and whose processor time is its cost.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) meters: Vec<Meter>,
}

impl Target {
    fn seconds(&self) -> Option<f64> {
        self.meters.iter().map(|meter| meter.seconds()).sum()
    }
}

/// How a window is driven.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drive {
    pub(crate) connections: usize,
    pub(crate) time: Duration,
    /// The time between two requests of one connection; `None` for the next at once.
    pub(crate) every: Option<Duration>,
}

/// What came of a window.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) answered: u64,
    pub(crate) seconds: f64,
    /// Of the server, in seconds.
    pub(crate) cpu: Option<f64>,
    /// The share of all processors that neither we nor the server used.
    pub(crate) foreign: Option<f64>,
    /// Microseconds, sorted.
    pub(crate) took: Vec<u32>,
}

impl Window {
    pub(crate) fn rate(&self) -> f64 {
        float(self.answered) / self.seconds
    }

    fn cpu_each(&self) -> Option<f64> {
        self.cpu.map(|cpu| cpu * 1e6 / float(self.answered.max(1)))
    }
}

async fn connect(
    address: SocketAddr,
    connections: &mut JoinSet<()>,
) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    connections.spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

/// Sends one shot and reads the answer whole.
async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    host: &HeaderValue,
    shot: Shot,
) -> Result<StatusCode> {
    let request = Request::post(shot.path)
        .header("host", host)
        .header("content-type", "application/json")
        .header("sandbox-signature", shot.signature)
        .body(Full::new(shot.body))?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    answer.into_body().collect().await?;
    Ok(status)
}

/// Fires one shot on a connection of its own.
pub(crate) async fn once(address: SocketAddr, shot: Shot) -> Result<StatusCode> {
    let mut connections = JoinSet::new();
    let mut sender = connect(address, &mut connections).await?;
    send(&mut sender, &HeaderValue::from_str(&address.to_string())?, shot).await
}

async fn gun(
    mut sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    magazine: Magazine,
    drive: Drive,
    start: Instant,
    offset: Duration,
) -> Result<Vec<u32>> {
    let mut took = Vec::with_capacity(4096);
    let mut due = start + offset;
    while start.elapsed() < drive.time {
        let mut begun = Instant::now();
        if let Some(every) = drive.every {
            tokio::time::sleep_until(due.into()).await;
            // When it should have begun: a server that falls behind is not flattered.
            begun = due;
            due += every;
        }
        let Some(shot) = magazine.take() else { break };
        let status = send(&mut sender, &host, shot).await?;
        if status != magazine.expect {
            return Err(format!("answered {status} instead of {}", magazine.expect).into());
        }
        took.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(took)
}

/// Fires for a while.
pub(crate) async fn fire(target: &Target, magazine: &Magazine, drive: Drive) -> Result<Window> {
    let host = HeaderValue::from_str(&target.address.to_string())?;
    let (mut connections, mut guns) = (JoinSet::new(), JoinSet::new());
    let mut senders = Vec::new();
    for _ in 0..drive.connections {
        senders.push(connect(target.address, &mut connections).await?);
    }
    let us = Meter::Process(std::process::id());
    let before = (target.seconds(), us.seconds(), machine::busy());
    let start = Instant::now();
    for (place, sender) in (0..).zip(senders) {
        let count = u32::try_from(drive.connections).unwrap_or(1);
        let offset = drive.every.map_or(Duration::ZERO, |every| every * place / count);
        guns.spawn(gun(sender, host.clone(), magazine.clone(), drive, start, offset));
    }
    let mut took = Vec::new();
    while let Some(done) = guns.join_next().await {
        took.extend(done??);
    }
    let seconds = start.elapsed().as_secs_f64();
    took.sort_unstable();
    let after = (target.seconds(), us.seconds(), machine::busy());
    let since = |before: Option<f64>, after: Option<f64>| Some(after? - before?);
    let cpu = since(before.0, after.0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let foreign = since(before.2, after.2).zip(since(before.1, after.1)).zip(cpu).map(
        |((all, driver), server)| {
            ((all - driver - server) / (seconds * float(u64::try_from(cores).unwrap_or(1))))
                .max(0.0)
        },
    );
    let answered = u64::try_from(took.len())?;
    Ok(Window { answered, seconds, cpu, foreign, took })
}

/// Ours against the reference, both measured in turns.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) rate: f64,
    pub(crate) reference: f64,
    /// Microseconds of the server's processor time for each request.
    pub(crate) cpu: f64,
    pub(crate) reference_cpu: f64,
    pub(crate) rate_ratio: f64,
    /// The reference's processor time for each request, divided by ours.
    pub(crate) cpu_ratio: f64,
    /// The most that others used in any window.
    pub(crate) foreign: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// How many requests ours answered in all, warming up included.
    pub(crate) answered: u64,
}

/// Fires at both in turns, `rounds` times each after one short round that does not count.
pub(crate) async fn compare(
    bare: &Target,
    ours: &Target,
    magazine: &Magazine,
    drive: Drive,
    rounds: usize,
) -> Result<Comparison> {
    let any = magazine.endless(StatusCode::OK);
    let short = Drive { time: drive.time / 4, ..drive };
    fire(bare, &any, short).await?;
    let mut answered = fire(ours, magazine, short).await?.answered;
    let (mut windows, mut references) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        references.push(fire(bare, &any, drive).await?);
        windows.push(fire(ours, magazine, drive).await?);
    }
    answered += windows.iter().map(|window| window.answered).sum::<u64>();
    if windows.iter().any(|window| window.answered < 100) {
        return Err("there were too few requests for a figure".into());
    }
    let rates = windows.iter().zip(&references).map(|(own, other)| own.rate() / other.rate());
    let costs = windows
        .iter()
        .zip(&references)
        .filter_map(|(own, other)| Some(other.cpu_each()? / own.cpu_each()?));
    let mut took: Vec<u32> = windows.iter().flat_map(|window| window.took.clone()).collect();
    took.sort_unstable();
    Ok(Comparison {
        rate: median(windows.iter().map(Window::rate).collect()),
        reference: median(references.iter().map(Window::rate).collect()),
        cpu: median(windows.iter().filter_map(Window::cpu_each).collect()),
        reference_cpu: median(references.iter().filter_map(Window::cpu_each).collect()),
        rate_ratio: median(rates.collect()),
        cpu_ratio: median(costs.collect()),
        foreign: windows
            .iter()
            .chain(&references)
            .filter_map(|window| window.foreign)
            .fold(0.0, f64::max),
        p50: percentile(&took, 50) / 1000.0,
        p99: percentile(&took, 99) / 1000.0,
        answered,
    })
}
