//! The database of a run: a SQLite file on a disk that can be filled, or a PostgreSQL that can be
//! stopped as if its machine had died.

use std::{
    fs,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;

/// One row of the log.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    /// The carrier's id of what came in.
    pub(crate) carrier_id: String,
    pub(crate) interaction: String,
    pub(crate) outcome: Option<String>,
    pub(crate) reason: Option<String>,
}

/// What came in, with how it ended.
const LOG: &str = "
    SELECT l.carrier_id, i.id, i.outcome, i.reason
    FROM legs l JOIN interactions i ON i.account = l.account AND i.id = l.interaction
    WHERE l.direction = 'inbound' AND l.carrier_id IS NOT NULL";
/// Texts and calls without an outcome, and entries that a worker still has to look at.
const PENDING: &str = "
    SELECT (SELECT COUNT(*) FROM interactions WHERE outcome IS NULL)
         + (SELECT COUNT(*) FROM outbox WHERE state IN ('ready', 'sending'))";
/// Pairs of a person and a number that stand twice (I1).
const DOUBLED: &str = "
    SELECT COUNT(*) FROM (SELECT 1 AS one FROM holds GROUP BY account, number_id, person
                          HAVING COUNT(*) > 1) AS doubled";

#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(Disk),
    Postgres(Server),
}

impl Database {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Everything that came in and is logged.
    pub(crate) async fn log(&self) -> Vec<Logged> {
        macro_rules! read {
            ($conn:expr) => {
                sqlx::query(LOG)
                    .fetch_all($conn)
                    .await
                    .unwrap()
                    .iter()
                    .map(|row| Logged {
                        carrier_id: row.get(0),
                        interaction: row.get(1),
                        outcome: row.get(2),
                        reason: row.get(3),
                    })
                    .collect()
            };
        }
        match self {
            Self::Sqlite(disk) => read!(&mut disk.connect().await),
            Self::Postgres(server) => read!(&mut server.connect().await),
        }
    }

    pub(crate) async fn pending(&self) -> i64 {
        self.count(PENDING).await
    }

    pub(crate) async fn doubled_holds(&self) -> i64 {
        self.count(DOUBLED).await
    }

    async fn count(&self, sql: &'static str) -> i64 {
        match self {
            Self::Sqlite(disk) => {
                sqlx::query_scalar(sql).fetch_one(&mut disk.connect().await).await.unwrap()
            }
            Self::Postgres(server) => {
                sqlx::query_scalar(sql).fetch_one(&mut server.connect().await).await.unwrap()
            }
        }
    }
}

/// A folder for a SQLite file: where root may mount one, a disk of its own that can be full.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: Option<TempDir>,
    pub(crate) own: bool,
}

impl Disk {
    /// # Panics
    /// If there is no place for a folder.
    pub(crate) fn new(size_mib: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size_mib}m"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        let own = mounted.is_ok_and(|status| status.success());
        if !own {
            println!("left out a full disk: mounting one takes root");
        }
        Self { folder: Some(folder), own }
    }

    fn path(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path().join("entremise.db")
    }

    async fn connect(&self) -> SqliteConnection {
        let url = format!("sqlite:{}", self.file().display());
        let mut conn = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("PRAGMA busy_timeout = 10000").execute(&mut conn).await.unwrap();
        conn
    }

    /// Holds the write lock as a tool beside the server may.
    pub(crate) async fn hold_lock(&self, length: Duration) {
        let mut conn = self.connect().await;
        if sqlx::query("BEGIN IMMEDIATE").execute(&mut conn).await.is_ok() {
            tokio::time::sleep(length).await;
            sqlx::query("ROLLBACK").execute(&mut conn).await.unwrap();
        }
    }

    /// Fills the disk to the last byte.
    pub(crate) fn fill(&self) {
        let mut file = fs::File::create(self.path().join("filler")).unwrap();
        let block = vec![0; 64 * 1024];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&block[..512]).is_ok() {}
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let folder = self.folder.take().unwrap();
        if self.own {
            // Lazily: a connection of ours may end a moment later.
            let gone = Command::new("umount").arg("--lazy").arg(folder.path()).status();
            assert!(gone.is_ok_and(|status| status.success()), "the disk cannot be unmounted");
        }
        drop(folder);
    }
}

/// A PostgreSQL server of the run's own, which syncs as one in earnest does.
#[derive(Debug)]
pub(crate) struct Server {
    bin: PathBuf,
    folder: TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
}

impl Server {
    /// # Panics
    /// If it does not start.
    pub(crate) fn start(bin: &Path) -> Self {
        // In memory where the system has a place for that: what is broken here is not its power, and
        // a disk that others use too would be measured with it.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        if let Some((user, _)) = unprivileged() {
            std::os::unix::fs::chown(folder.path(), Some(user), None).unwrap();
        }
        let data = folder.path().join("data");
        let made = Self::command(bin, "initdb")
            .arg(format!("--pgdata={}", data.display()))
            .args(["--username=entremise", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync"])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = probe.local_addr().unwrap().port();
        drop(probe);
        let mut server = Self { bin: bin.to_owned(), folder, port, child: None };
        server.go();
        server
    }

    fn command(bin: &Path, program: &str) -> Command {
        let mut command = Command::new(bin.join(program));
        if let Some((user, group)) = unprivileged() {
            // PostgreSQL refuses to run as root.
            command.uid(user).gid(group);
        }
        command.current_dir("/");
        command
    }

    /// Starts it and waits until it takes connections.
    pub(crate) fn go(&mut self) {
        let path = self.folder.path();
        let log =
            fs::File::options().create(true).append(true).open(path.join("postgres.log")).unwrap();
        let child = Self::command(&self.bin, "postgres")
            .arg("-D")
            .arg(path.join("data"))
            .args(["-p", &self.port.to_string(), "-k"])
            .arg(path)
            .args(["-c", "listen_addresses=127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let since = Instant::now();
        let ready = || {
            let state = fs::read_to_string(path.join("data/postmaster.pid")).unwrap_or_default();
            state.lines().last().is_some_and(|line| line.trim() == "ready")
        };
        while !ready() {
            assert!(since.elapsed() < Duration::from_mins(1), "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it at once, as a crash does: it recovers at its next start.
    pub(crate) fn crash(&mut self) {
        if let Some(mut child) = self.child.take() {
            super::cluster::signal(child.id(), "QUIT");
            child.wait().unwrap();
        }
    }

    pub(crate) fn url(port: u16) -> String {
        format!("postgres://entremise@127.0.0.1:{port}/postgres")
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&Self::url(self.port)).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}

/// The user and group that PostgreSQL runs as where we are root.
fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    (id(&["-u"]) == Some(0)).then(|| {
        let user = id(&["-u", "postgres"]).expect("the user postgres is missing");
        (user, id(&["-g", "postgres"]).unwrap())
    })
}
