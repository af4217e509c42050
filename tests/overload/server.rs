//! The relay as `entremise serve` runs it, and what its process takes of the machine.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const SECRET: &str = "a-secret-of-the-tests";
/// The one number that the account has.
pub(crate) const PROXY: &str = "+14155550100";
/// How many files a process must be able to open.
const FILES: u64 = 4096;

/// What a process takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Resident memory.
    pub(crate) mib: u64,
    /// Open files, sockets among them.
    pub(crate) files: usize,
}

impl Usage {
    pub(crate) fn most(self, other: Self) -> Self {
        Self { mib: self.mib.max(other.mib), files: self.files.max(other.files) }
    }
}

/// A relay in a process of its own, with its default limits. It goes with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) ops: SocketAddr,
    /// An API key of the account.
    pub(crate) key: String,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let settings = format!(
            "master_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n\
             database_url = \"sqlite:{}\"\nlisten = \"127.0.0.1:0\"\nops_listen = \"127.0.0.1:0\"\n\
             [api]\nrate_per_minute = 1000000\n[log]\nfilter = \"info\"\n[[carriers]]\n\
             id = \"sandbox\"\nkind = \"sandbox\"\nsecret = \"{SECRET}\"\n",
            path("relay.db")
        );
        let config = path("relay.toml");
        fs::write(&config, settings).unwrap();
        let made = finish(&["account", "create", "--name", "Bikes", "--config", &config]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let account = made["account_sid"].as_str().unwrap();
        let list = path("numbers.csv");
        fs::write(&list, format!("number,carrier,capabilities\n{PROXY},sandbox,voice|sms\n"))
            .unwrap();
        finish(&["numbers", "import", "--account", account, "--config", &config, &list]);
        let mut child = Command::new(env!("CARGO_BIN_EXE_entremise"))
            .args(["serve", "--config", &config])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, serving) = mpsc::channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        // Reads on to the end: a log that nobody reads would stop the server.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let line: Value = serde_json::from_str(&line).unwrap_or_default();
                if line["message"] == "serving" {
                    let _ = send.send(line);
                }
            }
        });
        let serving = serving.recv_timeout(Duration::from_mins(1)).unwrap();
        let address = |key: &str| serving[key].as_str().unwrap().parse().unwrap();
        let key = made["api_key"].as_str().unwrap().to_owned();
        let (address, ops) = (address("address"), address("ops_address"));
        Self { child, address, ops, key, _folder: folder }
    }

    pub(crate) fn usage(&self) -> Usage {
        let folder = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(Path::new(&folder).join("status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        Usage {
            mib: kib / 1024,
            files: fs::read_dir(Path::new(&folder).join("fd")).unwrap().count(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end; what it printed.
fn finish(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_entremise")).args(arguments).env_clear().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Why this machine can't have so many sockets, if it can't. Raises the soft limit of this process
/// where it is too low; the server inherits it.
pub(crate) fn left_out() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("it reads /proc and needs all of 127.0.0.0/8".to_owned());
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut files = files.split_whitespace().map(|word| word.parse().unwrap_or(u64::MAX));
    let (soft, hard) = (files.next().unwrap(), files.next().unwrap());
    if soft >= FILES {
        return None;
    }
    let process = std::process::id().to_string();
    let raised = Command::new("prlimit")
        .args(["--pid", &process, &format!("--nofile={FILES}:{hard}")])
        .status()
        .is_ok_and(|status| status.success());
    (!raised).then(|| format!("a process may open {soft} files ({hard} at most), of {FILES}"))
}
