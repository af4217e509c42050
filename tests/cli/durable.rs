//! Power loss (I26): what is acknowledged is on the disk before. The system calls of a real server
//! tell: between the last byte of a request and the first of its 2xx stands a sync of SQLite's log.

use std::{collections::HashMap, io::Write as _, process::Command};

use serde_json::json;

use crate::{
    command::{Place, Server, http},
    serve::webhook,
};

/// Of each kind: texts, sessions that are opened, and closed.
const EACH: usize = 12;
const CALLS: &str = "trace=read,recvfrom,recvmsg,readv,write,writev,pwrite64,pwritev,sendto,sendmsg,\
                     fsync,fdatasync";
const LOG: &str = "entremise.db-wal>";

/// One system call that ended, with the places in the trace where it began and ended.
#[derive(Debug)]
struct Call {
    name: String,
    arguments: String,
    result: i64,
    began: usize,
    ended: usize,
}

impl Call {
    fn is_sync(&self) -> bool {
        self.name == "fdatasync" || self.name == "fsync"
    }

    /// The descriptor and what it is, as `-yy` shows it: `12<TCP:[…]>`.
    fn file(&self) -> &str {
        self.arguments.split([',', ')']).next().unwrap_or_default()
    }

    fn reads(&self) -> bool {
        ["read", "recvfrom", "recvmsg", "readv"].contains(&self.name.as_str())
    }

    fn acknowledges(&self) -> bool {
        !self.reads() && self.file().contains("<TCP") && self.arguments.contains("\"HTTP/1.1 2")
    }
}

/// The calls of a trace that `strace -f -yy` wrote, in the order in which they ended.
fn calls(trace: &str) -> Vec<Call> {
    let mut begun: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (place, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(head) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (place, head.to_owned()));
            continue;
        }
        let (began, whole) = match rest.strip_prefix("<... ") {
            None => (place, rest.to_owned()),
            Some(tail) => {
                let Some((began, head)) = begun.remove(thread) else { continue };
                let tail = tail.split_once(" resumed>").map_or("", |(_, tail)| tail);
                (began, format!("{head}{tail}"))
            }
        };
        let Some((name, call)) = whole.split_once('(') else { continue };
        let Some((arguments, result)) = call.rsplit_once(" = ") else { continue };
        let result = result.split(' ').next().and_then(|number| number.parse().ok());
        calls.push(Call {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            result: result.unwrap_or(-1),
            began,
            ended: place,
        });
    }
    calls
}

/// How many webhooks and API writes were acknowledged, and how many of them before their work was on
/// the disk: since the request's last byte the log was not written, or not synced after that. The
/// sandbox's own API, which the relay itself asks, keeps nothing.
fn judge(trace: &str) -> (usize, usize) {
    let calls = calls(trace);
    // By connection: whether it is of those, and when its last byte came.
    let mut heard: HashMap<&str, (bool, usize)> = HashMap::new();
    let (mut all, mut early) = (0, 0);
    for answer in &calls {
        if answer.reads() && answer.result > 0 {
            let ours =
                ["\"POST /hooks/", "\"POST /api/"].map(|path| answer.arguments.contains(path));
            let said = heard.entry(answer.file()).or_insert((ours.contains(&true), 0));
            said.1 = answer.ended;
        }
        let said = heard.get(answer.file()).copied();
        let Some((true, since)) = said.filter(|_| answer.acknowledges()) else { continue };
        all += 1;
        let on_log = |call: &&Call| {
            call.file().contains(LOG) && call.began > since && call.ended < answer.began
        };
        let written = calls.iter().filter(on_log).find(|call| !call.is_sync() && call.result > 0);
        let kept = written.is_some_and(|written| {
            calls
                .iter()
                .filter(on_log)
                .any(|call| call.is_sync() && call.result == 0 && call.began > written.ended)
        });
        early += usize::from(!kept);
    }
    (all, early)
}

/// A server whose system calls are written to a file, or `None` where nobody may watch a process.
fn traced(place: &Place) -> Option<Server> {
    let may = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("REQUIRE_STRACE").is_none(), "strace is missing, or not allowed");
        // Past the capture of the tests' output: it is to be seen.
        let _ = writeln!(std::io::stderr(), "tests/cli: the trace of syncs is left out: no strace");
        return None;
    }
    let file = place.path().join("trace").display().to_string();
    // The tracer is nobody's parent: the server is our own child.
    Some(place.serve_under(&["strace", "-D", "-f", "-yy", "-s", "24", "-e", CALLS, "-o", &file]))
}

/// A write to the API: its answer.
fn ask(server: &Server, key: &str, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let head = format!(
        "POST {path} HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    );
    // A slow disk costs a 503 now and then.
    let (status, body) = (0..50)
        .map(|_| http(server.address(), &head, &body.to_string()))
        .find(|(status, _)| *status != 503)
        .expect("no answer but 503");
    assert!((200..300).contains(&status), "{status} {body}");
    serde_json::from_str(&body).unwrap()
}

/// Each text of a carrier and each write to the API is synced to the disk after its last byte came
/// and before the first byte of its 2xx goes: a machine that loses power loses nothing that was
/// acknowledged.
#[test]
fn i26_every_2xx_comes_after_its_sync() {
    let place = Place::with_sandbox();
    let made = place.run(&["account", "create", "--name", "Bikes"]).json();
    let (account, key) = (made["account_sid"].as_str().unwrap(), made["api_key"].as_str().unwrap());
    place.import(account, "+14155550100,sandbox,voice|sms\n+14155550101,sandbox,voice|sms\n");
    let Some(server) = traced(&place) else { return };
    let mut texts = 0;
    for count in 0..EACH {
        let (status, head) = webhook(server.address(), &format!("text-{count}"), "+14155550100");
        assert!(status == 204 || status == 503, "{head}");
        texts += usize::from(status == 204);
        let opened = ask(&server, key, "/api/v1/sessions", &json!({ "service_id": "default" }));
        let path = format!("/api/v1/sessions/{}/close", opened["id"].as_str().unwrap());
        ask(&server, key, &path, &json!({}));
    }
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    let trace = std::fs::read_to_string(place.path().join("trace")).unwrap();
    assert!(texts > EACH / 2, "only {texts} texts were taken in");
    assert_eq!(judge(&trace), (texts + 2 * EACH, 0));
    // The judge is awake: without its syncs the same trace acknowledges everything too early.
    let unsynced: Vec<_> =
        trace.lines().filter(|line| !(line.contains("sync(") && line.contains(LOG))).collect();
    assert_eq!(judge(&unsynced.join("\n")), (texts + 2 * EACH, texts + 2 * EACH));
}
