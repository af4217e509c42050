//! Runs the binary: to its end, or as a server.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

/// Far more than anything needs, so that only a hang reaches it.
const LONG: Duration = Duration::from_mins(1);
/// 32 bytes, and 32 others.
pub(crate) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const OTHER_KEY: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn succeeded(&self) {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The binary with these arguments, run by the program `under` if it names one.
fn command(under: &[&str], arguments: &[&str]) -> Command {
    let binary = [env!("CARGO_BIN_EXE_entremise")];
    let mut words = under.iter().chain(&binary).chain(arguments);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
pub(crate) fn entremise(arguments: &[&str]) -> Done {
    finish(command(&[], arguments).spawn().unwrap())
}

/// Waits for a command to end.
pub(crate) fn finish(child: Child) -> Done {
    let id = child.id();
    let (send, ended) = mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(LONG) else {
        signal(id, "KILL");
        panic!("the command hangs");
    };
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) fn signal(id: u32, name: &str) {
    let done = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().unwrap();
    assert!(done.success());
}

/// A folder with settings, a database and whatever else a test needs.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// With these settings besides the master key and the database; `{folder}` is the folder.
    pub(crate) fn new(settings: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.settings(&format!("master_key = \"{KEY}\"\n{settings}"));
        place
    }

    /// With a sandbox, at any port.
    pub(crate) fn with_sandbox() -> Self {
        Self::new(&sandbox("127.0.0.1:0"))
    }

    /// Replaces all settings but the database, or that too where they name one.
    pub(crate) fn settings(&self, text: &str) {
        let folder = self.folder.path().display().to_string();
        let database = if text.contains("database_url") {
            String::new()
        } else {
            format!("database_url = \"sqlite:{folder}/entremise.db\"\n")
        };
        self.file("entremise.toml", &format!("{database}{}", text.replace("{folder}", &folder)));
    }

    /// Settings with a sandbox, over this database.
    pub(crate) fn over(&self, database: &str) {
        let sandbox = sandbox("127.0.0.1:0");
        self.settings(&format!("database_url = \"{database}\"\nmaster_key = \"{KEY}\"\n{sandbox}"));
    }

    /// Writes a file; its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("entremise.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    fn command_under(&self, under: &[&str], arguments: &[&str]) -> Command {
        let mut command = command(under, arguments);
        command.arg("--config").arg(self.config());
        command
    }

    /// Begins a command with these settings.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Runs a command with these settings to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        finish(self.begin(arguments))
    }

    /// Makes an account; its id.
    pub(crate) fn account(&self) -> String {
        let made = self.run(&["account", "create", "--name", "Bikes"]).json();
        made["account_sid"].as_str().unwrap().to_owned()
    }

    /// Imports these lines into the account's default service.
    pub(crate) fn import(&self, account: &str, lines: &str) {
        let file = self.file("import.csv", &format!("number,carrier,capabilities\n{lines}\n"));
        self.run(&["numbers", "import", "--account", account, &file]).succeeded();
    }

    /// Starts a server and waits until it serves.
    pub(crate) fn serve(&self) -> Server {
        self.serve_under(&[])
    }

    /// The same, run by this program.
    pub(crate) fn serve_under(&self, under: &[&str]) -> Server {
        let mut server = self.start_under(under);
        server.serves();
        server
    }

    /// Starts a server.
    pub(crate) fn start(&self) -> Server {
        self.start_under(&[])
    }

    fn start_under(&self, under: &[&str]) -> Server {
        let mut child = self.command_under(under, &["serve"]).spawn().unwrap();
        let (send, lines) = mpsc::channel();
        let err = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Server { child, lines, address: None, ops: None }
    }
}

/// Settings with a sandbox carrier.
pub(crate) fn sandbox(listen: &str) -> String {
    format!(
        "listen = \"{listen}\"\nops_listen = \"127.0.0.1:0\"\nsqlite.ballast_mib = 1\n[[carriers]]\nid = \"sandbox\"\n\
         kind = \"sandbox\"\nsecret = \"{SECRET}\"\n"
    )
}

/// A server in a process of its own; dropping it kills it.
pub(crate) struct Server {
    child: Child,
    lines: mpsc::Receiver<String>,
    address: Option<SocketAddr>,
    ops: Option<SocketAddr>,
}

impl Server {
    /// Waits until it serves.
    pub(crate) fn serves(&mut self) {
        let serving = self.logged("serving");
        let address = |key: &str| serving[key].as_str().unwrap().parse().unwrap();
        self.address = Some(address("address"));
        self.ops = Some(address("ops_address"));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address.unwrap()
    }

    pub(crate) fn ops(&self) -> SocketAddr {
        self.ops.unwrap()
    }

    /// Waits for the line of the log with this message. Every line is one JSON object.
    pub(crate) fn logged(&self, message: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(LONG).expect(message);
            let line: Value = serde_json::from_str(&line).expect(&line);
            if line["message"] == message {
                return line;
            }
        }
    }

    pub(crate) fn terminate(&self) {
        signal(self.child.id(), "TERM");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end: its status.
    pub(crate) fn ended(self) -> Option<i32> {
        self.end().code()
    }

    /// Waits for its end, however it comes.
    pub(crate) fn end(mut self) -> ExitStatus {
        // Its log ends when it does.
        while self.lines.recv_timeout(LONG).is_ok() {}
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends one request, and reads until the server closes: the status and the body.
pub(crate) fn http(address: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut stream = connect(address);
    let length = body.len();
    write!(stream, "{head}host: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .unwrap();
    answer(&mut stream)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

pub(crate) fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect(&text);
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
