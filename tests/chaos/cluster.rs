//! The nodes: real processes that are started, stopped and killed.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http_body_util::Full;
use serde_json::Value;
use tempfile::TempDir;

use crate::{carrier, options::Options, web::Client};

/// What carriers sign: no node listens there.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8080";

/// Sends a signal to a process that we started.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    assert!(sent.is_ok_and(|status| status.success()), "no process {pid} for {name}");
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    ops: SocketAddr,
    config: PathBuf,
    pub(crate) log: PathBuf,
    child: Mutex<Option<Child>>,
    /// What makes its clock one that can be set, and the file that says how.
    clock: Option<(PathBuf, PathBuf)>,
    /// What is started in turn, so often.
    builds: Vec<PathBuf>,
    starts: AtomicUsize,
    /// When it last acknowledged anything, in milliseconds of the run.
    last_ack: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) client: Client,
    pub(crate) started: Instant,
    _folder: TempDir,
}

impl Cluster {
    /// Settings for so many nodes on one database, whose carrier is at `api_base`.
    pub(crate) fn new(nodes: usize, database: &str, api_base: &str, options: &Options) -> Self {
        let mut folder = tempfile::tempdir().unwrap();
        folder.disable_cleanup(options.keep_logs);
        let ours = PathBuf::from(env!("CARGO_BIN_EXE_entremise"));
        let builds: Vec<PathBuf> = options.other.clone().into_iter().chain([ours]).collect();
        let clock = faketime().map(|library| (library, folder.path().join("clock")));
        let nodes = (0..nodes)
            .map(|place| {
                let [address, ops] = [free(), free()];
                let config = folder.path().join(format!("node{place}.toml"));
                fs::write(&config, settings(address, ops, database, api_base)).unwrap();
                Node {
                    address,
                    ops,
                    config,
                    log: folder.path().join(format!("node{place}.log")),
                    child: Mutex::new(None),
                    clock: clock.clone(),
                    builds: builds.clone(),
                    starts: AtomicUsize::new(0),
                    last_ack: AtomicU64::new(0),
                }
            })
            .collect();
        let cluster =
            Self { nodes, client: Client::new(), started: Instant::now(), _folder: folder };
        cluster.set_clocks("+0");
        cluster
    }

    pub(crate) fn sets_clocks(&self) -> bool {
        self.nodes.iter().all(|node| node.clock.is_some())
    }

    /// Sets the nodes' clocks so many seconds forward or back of the right time. What has passed
    /// stays as it is.
    pub(crate) fn set_clocks(&self, offset: &str) {
        if let Some((_, file)) = self.nodes.first().and_then(|node| node.clock.as_ref()) {
            // At once, or a node may read half of it.
            let new = file.with_extension("new");
            fs::write(&new, offset).unwrap();
            fs::rename(&new, file).unwrap();
        }
    }

    /// Makes the account; its id and an API key.
    pub(crate) fn account(&self) -> (String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_entremise"))
            .args(["account", "create", "--name", "Chaos", "--config"])
            .arg(&self.nodes[0].config)
            .output()
            .unwrap();
        let made: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!("no account: {}", String::from_utf8_lossy(&output.stderr));
        });
        (made["account_sid"].as_str().unwrap().into(), made["api_key"].as_str().unwrap().into())
    }

    /// Notes that a node acknowledged something.
    pub(crate) fn acked(&self, node: usize) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap();
        self.nodes[node].last_ack.fetch_max(now, Ordering::Relaxed);
    }

    /// Waits until every node has acknowledged something since `since`; how long that took.
    pub(crate) async fn recovered(&self, since: Instant) -> Option<Duration> {
        let mark = u64::try_from((since - self.started).as_millis()).unwrap();
        while since.elapsed() < Duration::from_mins(1) {
            let all = |node: &Node| node.last_ack.load(Ordering::Relaxed) > mark;
            if self.nodes.iter().all(all) {
                return Some(since.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    pub(crate) fn logs(&self) -> Vec<(PathBuf, String)> {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        self.nodes.iter().map(|node| (node.log.clone(), read(&node.log))).collect()
    }
}

impl Node {
    /// Starts it and waits until it is ready; how long that took.
    pub(crate) async fn start(&self, client: &Client) -> Duration {
        let since = Instant::now();
        let log = fs::File::options().create(true).append(true).open(&self.log).unwrap();
        let turn = self.starts.fetch_add(1, Ordering::Relaxed);
        let mut command = Command::new(&self.builds[turn % self.builds.len()]);
        command.arg("serve").arg("--config").arg(&self.config);
        if let Some((library, file)) = &self.clock {
            command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", file);
            command.env("FAKETIME_CACHE_DURATION", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        *self.child.lock().unwrap() = Some(child);
        let url = format!("http://{}/readyz", self.ops);
        loop {
            let probe = http::Request::get(&url).body(Full::default()).unwrap();
            let answer = client.send(probe, Duration::from_secs(2)).await;
            if answer.is_some_and(|(status, _)| status == http::StatusCode::OK) {
                return since.elapsed();
            }
            let log = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(since.elapsed() < Duration::from_mins(1), "a node does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        if let Some(child) = self.child.lock().unwrap().as_ref() {
            signal(child.id(), name);
        }
    }

    /// Asks it to stop; whether it did so in time and with status 0.
    pub(crate) fn stop(&self) -> bool {
        let Some(mut child) = self.child.lock().unwrap().take() else { return true };
        signal(child.id(), "TERM");
        let since = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.success();
            }
            if since.elapsed() > Duration::from_secs(40) {
                child.kill().unwrap();
                child.wait().unwrap();
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The library that fakes a process' time, where it is installed.
fn faketime() -> Option<PathBuf> {
    let library = "faketime/libfaketimeMT.so.1";
    let found = fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .filter_map(|folder| Some(folder.ok()?.path().join(library)))
        .find(|path| path.exists());
    if found.is_none() {
        println!("left out clocks that are set: this takes libfaketime");
    }
    found
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn settings(address: SocketAddr, ops: SocketAddr, database: &str, api_base: &str) -> String {
    let mut text = String::new();
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    write!(
        text,
        r#"
listen = "{address}"
ops_listen = "{ops}"
public_url = "{PUBLIC_URL}"
database_url = "{database}"
master_key = "{key}"
[limits]
connections_per_client = 2000
[log]
format = "json"
[api]
rate_per_minute = 1000000
[abuse]
pair_texts_per_30_seconds = 0
pair_calls_per_hour = 0
pair_calls_at_once = 0
person_texts_per_hour = 0
person_texts_per_day = 0
person_calls_per_hour = 0
person_calls_per_day = 0
person_calls_at_once = 0
person_sessions_per_hour = 0
person_sessions_per_day = 0
prefix_texts_per_hour = 0
prefix_calls_per_hour = 0
spike_factor = 0
loop_texts = 0
[sqlite]
ballast_mib = 4
[[carriers]]
id = "twilio"
kind = "twilio"
api_base = "{api_base}"
account_sid = "{}"
auth_token = "{}"
"#,
        carrier::ACCOUNT,
        carrier::TOKEN,
    )
    .unwrap();
    text
}
