//! A disk that is full below SQLite (I27): on a small disk of its own, which takes root to mount.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    command::{KEY, Place, Server, http, sandbox},
    serve::{taken_in, webhook},
};

const MIB: u64 = 1024 * 1024;
const BALLAST: u64 = 2 * MIB;
const PROXIES: &str = "+14155550100,sandbox,voice|sms\n+14155550101,sandbox,voice|sms\n\
                       +14155550102,sandbox,voice|sms\n+14155550103,sandbox,voice|sms\n";

const BUYERS: [&str; 4] = ["+14155550110", "+14155550111", "+14155550112", "+14155550113"];
const SELLERS: [&str; 4] = ["+14155550120", "+14155550121", "+14155550122", "+14155550123"];

/// A disk of 24 MiB in a folder.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Option<Self> {
        let path = folder.join("disk");
        std::fs::create_dir(&path).unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=24m", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        // Past the capture of the tests' output: it is to be seen.
        let _ = writeln!(
            std::io::stderr(),
            "tests/cli: a full disk is left out: mounting one takes root"
        );
        None
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file =
            File::options().create(true).append(true).open(self.0.join("filler")).unwrap();
        let block = vec![0; 64 * 1024];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&block[..512]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }

    fn ballast(&self) -> u64 {
        std::fs::metadata(self.0.join("entremise.db.ballast")).unwrap().len()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server of ours may end a moment later.
        let gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(gone.is_ok_and(|status| status.success()), "the disk cannot be unmounted");
    }
}

/// What a marketplace does with its API key.
struct Market<'a> {
    server: &'a Server,
    key: &'a str,
}

impl Market<'_> {
    fn ask(&self, what: &str, body: &Value) -> (u16, Value) {
        let head = format!(
            "{what} HTTP/1.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
            self.key
        );
        let body = if what.starts_with("GET") { String::new() } else { body.to_string() };
        let (status, answer) = http(self.server.address(), &head, &body);
        (status, serde_json::from_str(&answer).unwrap_or_default())
    }

    fn open(&self, pair: usize) -> (u16, Value) {
        let one = |role: &str, who: &str| json!({ "role": role, "identifier": who });
        let people = [one("buyer", BUYERS[pair % 4]), one("seller", SELLERS[pair % 4])];
        let new = json!({ "service_id": "default", "participants": people });
        self.ask("POST /api/v1/sessions", &new)
    }

    fn opened(&self, pair: usize) -> String {
        let (status, session) = self.open(pair);
        assert_eq!(status, 201, "{session}");
        session["id"].as_str().unwrap().to_owned()
    }

    fn state(&self, session: &str) -> Value {
        let (status, session) = self.ask(&format!("GET /api/v1/sessions/{session}"), &json!({}));
        assert_eq!(status, 200, "{session}");
        session["state"].clone()
    }

    fn close(&self, session: &str) -> u16 {
        self.ask(&format!("POST /api/v1/sessions/{session}/close"), &json!({})).0
    }

    /// Somebody of a session blocks the others in it.
    fn block(&self, session: &str) -> u16 {
        let path = format!("/api/v1/sessions/{session}");
        let somebody =
            self.ask(&format!("GET {path}"), &json!({})).1["participants"][0]["id"].clone();
        let path = format!("PUT {path}/participants/{}/block", somebody.as_str().unwrap());
        self.ask(&path, &json!({})).0
    }
}

/// The status of `/readyz` and what it says of the disk, and whether the metrics call it full.
fn health(server: &Server) -> (u16, String, bool) {
    let (status, body) = http(server.ops(), "GET /readyz HTTP/1.1\r\n", "");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(http(server.ops(), "GET /healthz HTTP/1.1\r\n", "").0, 200);
    let metrics = http(server.ops(), "GET /metrics HTTP/1.1\r\n", "").1;
    let full = metrics.lines().any(|line| line == "entremise_disk_full 1");
    (status, body["checks"]["disk"].as_str().unwrap().to_owned(), full)
}

/// On a disk that is full carriers and the API get 503 for what can wait, reads and health are
/// honest, sessions are closed and people blocked all the same, a server that was killed starts and
/// does so too, and with room again everything goes on without a restart; the file is whole (I27).
#[test]
fn i27_a_full_disk_still_closes_and_blocks() {
    let place = Place::with_sandbox();
    let Some(disk) = Disk::mount(place.path()) else { return };
    place.settings(&format!(
        "database_url = \"sqlite:{{folder}}/disk/entremise.db\"\nmaster_key = \"{KEY}\"\n{}",
        sandbox("127.0.0.1:0").replace("ballast_mib = 1", "ballast_mib = 2")
    ));
    let made = place.run(&["account", "create", "--name", "Bikes"]).json();
    place.import(made["account_sid"].as_str().unwrap(), PROXIES);
    let key = made["api_key"].as_str().unwrap();
    let server = place.serve();
    let market = Market { server: &server, key };
    let sessions: Vec<String> = (0..6).map(|pair| market.opened(pair)).collect();
    taken_in(server.address(), "before", "+14155550100");
    assert_eq!(health(&server), (200, "ok".into(), false));
    assert_eq!(disk.ballast(), BALLAST);

    disk.fill();
    // The log has some room of its own at first.
    let refused = (0..2000)
        .find(|count| webhook(server.address(), &format!("full-{count}"), "+14155550100").0 == 503);
    assert!(refused.is_some(), "the disk is not full");
    // A text may be refused for a moment of its own; a disk that is full refuses them all.
    assert_eq!(market.open(90).0, 503);
    assert_eq!(webhook(server.address(), "full", "+14155550100").0, 503);
    assert_eq!(disk.ballast(), 0, "its room was not given up");
    let told = "full: only what closes or blocks is written".to_owned();
    assert_eq!(health(&server), (503, told.clone(), true));
    assert_eq!(market.state(&sessions[0]), "open");
    assert_eq!(market.close(&sessions[0]), 200);
    assert_eq!(market.block(&sessions[1]), 204);
    assert_eq!(market.state(&sessions[0]), "closed");

    // Killed, and started on the full disk.
    drop(server);
    let server = place.serve();
    let market = Market { server: &server, key };
    assert_eq!(health(&server), (503, told, true));
    assert_eq!(market.state(&sessions[0]), "closed");
    assert_eq!((market.close(&sessions[2]), market.block(&sessions[3])), (200, 204));
    assert_eq!(market.open(91).0, 503);
    assert_eq!(webhook(server.address(), "still-full", "+14155550100").0, 503);
    assert_eq!(market.state(&sessions[2]), "closed");

    disk.make_room();
    server.logged("there is room on the disk again");
    taken_in(server.address(), "after", "+14155550100");
    assert_eq!(market.open(92).0, 201);
    assert_eq!(health(&server), (200, "ok".into(), false));
    assert_eq!(disk.ballast(), BALLAST);
    assert_eq!(
        [0, 1, 2, 3].map(|one| market.state(&sessions[one])),
        ["closed", "open", "closed", "open"]
    );
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    intact(&disk.0.join("entremise.db"));
}

/// A server that is started first on a disk that has filled up while it was stopped gives up the
/// ballast to start at all, and then closes.
#[test]
fn i27_a_start_on_a_full_disk() {
    let place = Place::with_sandbox();
    let Some(disk) = Disk::mount(place.path()) else { return };
    place.settings(&format!(
        "database_url = \"sqlite:{{folder}}/disk/entremise.db\"\nmaster_key = \"{KEY}\"\n{}",
        sandbox("127.0.0.1:0").replace("ballast_mib = 1", "ballast_mib = 2")
    ));
    let made = place.run(&["account", "create", "--name", "Bikes"]).json();
    place.import(made["account_sid"].as_str().unwrap(), PROXIES);
    let key = made["api_key"].as_str().unwrap();
    let server = place.serve();
    let session = Market { server: &server, key }.opened(1);
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    assert!(!disk.0.join("entremise.db-shm").exists(), "the log is not folded in");
    disk.fill();

    let server = place.serve();
    let market = Market { server: &server, key };
    assert_eq!(health(&server).0, 503);
    assert_eq!(market.state(&session), "open");
    assert_eq!(market.close(&session), 200);
    assert_eq!(market.open(2).0, 503);
    disk.make_room();
    server.logged("there is room on the disk again");
    assert_eq!(market.open(3).0, 201);
    assert_eq!(market.state(&session), "closed");
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    intact(&disk.0.join("entremise.db"));
}

fn intact(file: &Path) {
    let found = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        use sqlx::Connection as _;
        let url = format!("sqlite:{}", file.display());
        let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let found: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        found
    });
    assert_eq!(found, ["ok"]);
}
