//! The story is told in a process of its own, whose temporary folder holds all that it writes; then every sink
//! is looked at, and it is made sure that each could have been found wanting.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::{
    config::Config,
    domain::{
        message::Body,
        phone::{Caller, Identifier},
    },
};

use crate::{
    log::Log,
    pages,
    receiver::{self, Receiver},
    rows::{self, ServersFiles, below},
    scan::Secrets,
    story::{Heard, NAMES, NUMBERS, OTHER_WORDS, Story, WORDS},
    support::{self, Database, SECRET, World},
};

const KEY: [u8; 32] = *b"\xE2canary of a master key 32 long\xF1";
const TOKEN: &str = "a-secret-of-the-url";

/// Looks at sinks, and keeps what it found.
#[derive(Default)]
struct Watch {
    faults: Vec<String>,
}

impl Watch {
    /// Reads a sink that is not empty.
    fn look(&mut self, sink: &str, bytes: &[u8], secrets: &Secrets) {
        assert!(!bytes.is_empty(), "{sink} is empty: nothing was looked at");
        packed(sink, bytes);
        let found = secrets.find(bytes);
        if !found.is_empty() {
            self.faults.push(format!("I16: {sink} holds {found:?}"));
        }
    }

    fn look_into(&mut self, path: &Path, secrets: &Secrets) {
        let mut head = Vec::new();
        std::fs::File::open(path).unwrap().take(8).read_to_end(&mut head).unwrap();
        packed(&path.display().to_string(), &head);
        let found = secrets.find_in_file(path);
        if !found.is_empty() {
            self.faults.push(format!("I16: {} holds {found:?}", path.display()));
        }
    }

    /// Looks at everything that is kept: rows, and every file that somebody wrote for us.
    async fn look_at_what_is_kept(
        &mut self,
        database: &Database,
        server: Option<&ServersFiles>,
        but: &Path,
        secrets: &Secrets,
    ) {
        self.look("the rows", &rows::all(database).await, secrets);
        let mut looked = 0;
        for path in below(&tempfile::env::temp_dir()) {
            if path != but && path.metadata().is_ok_and(|file| file.len() > 0) {
                self.look_into(&path, secrets);
                looked += 1;
            }
        }
        assert!(looked >= 2, "{looked} files");
        if let Some(server) = server {
            for path in server.paths(database).await {
                self.look_into(&path, secrets);
            }
        }
    }
}

/// What was compressed would have to be unpacked before it is looked at: nothing is, but dumps of
/// PostgreSQL, which `unpacked` reads.
fn packed(sink: &str, bytes: &[u8]) {
    for (kind, magic) in [("gzip", &[0x1f, 0x8b, 0x08][..]), ("zstd", &[0x28, 0xb5, 0x2f, 0xfd])] {
        assert!(!bytes.starts_with(magic), "{sink} is {kind}: it has to be unpacked first");
    }
}

/// A dump of PostgreSQL as the statements in it.
fn unpacked(dump: &Path) -> Option<Vec<u8>> {
    let done = Command::new("pg_restore").arg("--file=-").arg(dump).output().ok()?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(done.stdout)
}

/// The commands beside the server: what each printed.
struct Commands {
    folder: tempfile::TempDir,
    account: String,
}

impl Commands {
    fn new(world: &World, database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let heads = folder.path().join("heads.jsonl");
        let text = format!(
            "database_url = \"{}\"\nmaster_key = \"{}\"\naudit_heads_file = \"{}\"\n\
             erasure_list = \"{}\"\ndisclosure_approvers = [\"alice:{}\", \"bob:{}\"]\n\
             [log]\nfilter = \"trace\"\n\
             [[carriers]]\nid = \"sandbox\"\nkind = \"sandbox\"\nsecret = \"{SECRET}\"\n",
            database.url,
            STANDARD.encode(KEY),
            heads.display(),
            folder.path().join("erased").display(),
            approver(folder.path(), "alice"),
            approver(folder.path(), "bob"),
        );
        std::fs::write(folder.path().join("settings.toml"), text).unwrap();
        Self { folder, account: world.account.account.to_string() }
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("settings.toml")
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entremise"));
        let done = command.args(arguments).arg("--config").arg(self.settings()).output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {err}");
        [done.stdout, done.stderr].concat()
    }

    /// What each printed, and where the backup is if one was made.
    fn all(&self, database: &Database) -> (Vec<(String, Vec<u8>)>, Option<PathBuf>) {
        let account = self.account.as_str();
        let mut said = Vec::new();
        for arguments in [
            &["audit", "list", "--account", account][..],
            &["audit", "head"],
            &["audit", "verify"],
            &["fallback", "--carrier", "sandbox"],
            &["fallback", "--carrier", "sandbox", "--account", account, "--service", "canaries"],
            &["check"],
        ] {
            said.push((arguments.join(" "), self.run(arguments)));
        }
        let to = self.folder.path().join("backup");
        let can = database.name == "SQLite" || Command::new("pg_dump").arg("-V").output().is_ok();
        if can {
            said.push(("backup".into(), self.run(&["backup", "--to", to.to_str().unwrap()])));
        } else {
            println!("left out a backup of PostgreSQL: there is no pg_dump");
        }
        (said, can.then_some(to))
    }
}

/// Makes the key of somebody who may ask for disclosures or approve them; the public one.
fn approver(folder: &Path, name: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entremise"));
    let made =
        command.args(["disclosure", "key", "--out"]).arg(folder.join(name)).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// What commands about people print and write, at the end of the story: an export has their own words and no
/// number, a receipt and the list neither, a disclosure numbers in its file alone, which is gone when this is over.
fn of_people(commands: &Commands, watch: &mut Watch, dialled: &str, all: &Secrets) {
    let account = commands.account.as_str();
    let file = |name: &str| commands.folder.path().join(name).display().to_string();
    let number = format!("+{}", NUMBERS[0].1);
    std::fs::write(file("number"), &number).unwrap();
    let of = |verb| ["persons", verb, "--account", account, "--number-file"];
    let numbers = Secrets::new(&NUMBERS, &[], &[], &[]);
    let export = commands.run(&[&of("export")[..], &[&file("number")]].concat());
    watch.look("an export", &export, &numbers);
    assert!(String::from_utf8_lossy(&export).contains("Ada Canary"), "their own name is in it");

    let now = jiff::Timestamp::now().to_string();
    let by = |who: &str| ["--account", account, "--as", who, "--key"].map(str::to_owned);
    let run = |verb: &str, who: &str, rest: &[&str]| {
        let by = by(who);
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        commands.run(&[&["disclosure", verb][..], &by[..], &[&file(who)], rest].concat())
    };
    let case = ["--number", dialled, "--at", &now, "--case", "26/1", "--reason", "requisition"];
    let asked = run("request", "alice", &case);
    watch.look("a request for a disclosure", &asked, all);
    let asked = String::from_utf8(asked).unwrap();
    let id = asked.split('"').find(|word| word.starts_with("DI")).unwrap();
    let approved = run("approve", "bob", &[id, "--out", &file("answer")]);
    watch.look("an approval", &approved, all);
    let answer = std::fs::read_to_string(file("answer")).unwrap();
    assert!(answer.contains("had_the_number"), "{answer}");
    std::fs::remove_file(file("answer")).unwrap();

    let holds = commands.run(&["legal-hold", "list", "--account", account]);
    let holds = String::from_utf8(holds).unwrap();
    for hold in holds.split('"').filter(|word| word.starts_with("LH")) {
        commands.run(&["legal-hold", "lift", "--account", account, hold]);
    }
    let receipt = commands.run(&[&of("erase")[..], &[&file("number")]].concat());
    watch.look("a receipt", &receipt, all);
    watch.look("the erasure list", &std::fs::read(file("erased")).unwrap(), all);
    std::fs::remove_file(file("number")).unwrap();
}

/// What would be in a panic's message that prints what it has.
fn panics() {
    let number = Identifier::parse(&format!("+{}", NUMBERS[0].1)).unwrap();
    let body = Body::new(WORDS.into());
    let caller = Caller::Number(number.clone());
    let things = (number, body, caller);
    let result = std::panic::catch_unwind(|| panic!("the worst case: {things:?}"));
    assert!(result.is_err());
}

/// That each sink is one: what a careless change would write into it is found there. It is a number that is
/// nobody's, so that what is planted in one database is no leak of the next.
async fn could_be_found(database: &Database, server: Option<&ServersFiles>, log: &Log) {
    const PLANTED: (&str, &str, usize) = ("planted", "19075550179", 1);
    let planted = Secrets::new(&[PLANTED], &[("span", "planted in a span")], &[], &[]);
    let number = format!("+{}", PLANTED.1);
    tracing::trace!(to = %number, "careless");
    drop(tracing::trace_span!("careless", words = "planted in a span"));
    let found = planted.find(log.text().as_bytes());
    for one in ["planted", "span"] {
        assert!(
            found.iter().any(|name| name.starts_with(one)),
            "the log hears no {one}: {found:?}"
        );
    }
    rows::plant(database, &number).await;
    assert!(!planted.find(&rows::all(database).await).is_empty(), "rows are not read");
    let paths = match server {
        Some(server) => server.paths(database).await,
        None => below(&tempfile::env::temp_dir()),
    };
    let holding: Vec<&PathBuf> =
        paths.iter().filter(|path| !planted.find_in_file(path).is_empty()).collect();
    assert!(!holding.is_empty(), "files are not read");
    if server.is_some() {
        let wal = |path: &&&PathBuf| path.parent().is_some_and(|it| it.ends_with("pg_wal"));
        assert!(holding.iter().any(|path| wal(&path)), "nor the log of writes: {holding:?}");
    }
}

/// What is people's, and what else nobody may have: `keys`.
fn secrets(Heard { files, codes }: &Heard, keys: &[(&str, &str)]) -> Secrets {
    let mut words = vec![("words", WORDS), ("Ada's name", NAMES[0]), ("Grace's name", NAMES[1])];
    words.extend(OTHER_WORDS);
    words.extend(keys);
    let mut bytes: Vec<(&str, &[u8])> = files.iter().map(|file| ("a file", &file[..])).collect();
    bytes.push(("the master key", &KEY));
    let codes: Vec<(&str, &str)> = codes.iter().map(|(what, code)| (*what, &**code)).collect();
    Secrets::new(&NUMBERS, &words, &bytes, &codes)
}

/// Run by the test below, in a process with a temporary folder of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by i16_no_sink_holds_a_number_or_a_word, in a process of its own"]
async fn the_story() {
    let log = Log::listen();
    let mut watch = Watch::default();
    for database in support::databases().await {
        let receiver = Receiver::start().await;
        let mut config = receiver::settings(&database, &[&receiver], 5_000);
        config.master_key = Config::minimal(KEY).master_key;
        // The commands' own list is theirs alone: each node has one.
        let list = tempfile::tempdir().unwrap();
        config.erasure_list = Some(list.path().join("erased"));
        let server = ServersFiles::of(&database).await;
        let world = World::with(config).await;
        let story = Story::begin(&world, &receiver.url()).await;
        let mut heard = story.play().await;
        heard.files.push(story.voice().await);
        let people = secrets(&heard, &[]);

        for got in receiver.until(10).await {
            watch.look("what an endpoint got", &got.raw, &people);
        }
        for (url, answer) in story.errors().await {
            watch.look(&url, &answer, &people);
        }
        let api = pages::of_the_api(&world).await;
        let (console, [link, cookie]) = pages::of_the_console(&world, &api).await;
        for (url, page) in api.iter().chain(&console).chain(&pages::of_operators(&world).await) {
            watch.look(url, page, &people);
        }
        let typed: Vec<String> =
            NUMBERS.iter().map(|(_, number, _)| format!("+{number}")).collect();
        let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
        let (searched, revealed) = pages::of_a_search(&world, &typed).await;
        for (url, page) in &searched {
            watch.look(url, page, &people);
        }
        assert!(!people.find(&revealed).is_empty(), "what is revealed is shown, there alone");
        let commands = Commands::new(&world, &database);
        let (said, backup) = tokio::task::block_in_place(|| commands.all(&database));
        let master = STANDARD.encode(KEY);
        let words = [
            ("an API key", world.account.api_key.as_str()),
            ("an auth token", &world.account.auth_token),
            ("a link", &link),
            ("a cookie", &cookie),
            ("the carrier's secret", SECRET),
            ("the token of an address", TOKEN),
            ("the master key in base64", &master),
        ];
        let all = secrets(&heard, &words);
        for (command, said) in &said {
            watch.look(command, said, &all);
        }
        tokio::task::block_in_place(|| of_people(&commands, &mut watch, story.dialled(), &all));
        if database.name != "SQLite"
            && let Some(text) = backup.as_deref().and_then(unpacked)
        {
            watch.look("the dump", &text, &all);
        }
        // While it serves the latest pages are in the log of writes.
        let settings = commands.settings();
        watch.look_at_what_is_kept(&database, server.as_ref(), &settings, &all).await;
        world.running.shutdown().await;
        panics();
        watch.look_at_what_is_kept(&database, server.as_ref(), &settings, &all).await;
        watch.look("the log", log.text().as_bytes(), &all);
        could_be_found(&database, server.as_ref(), &log).await;
        database.drop().await;
    }
    assert!(watch.faults.is_empty(), "\n{}", watch.faults.join("\n"));
}

/// I16: after texts, calls, refusals, retries and malformed webhooks no sink holds a person's number, a name, a
/// word, a picture, a voice, a PIN or a code, in any form, and none that is kept or logged holds a credential.
#[test]
fn i16_no_sink_holds_a_number_or_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sinks::the_story", "--ignored", "--nocapture"])
        .env("TMPDIR", folder.path())
        .status()
        .unwrap();
    assert!(done.success(), "see above");
}
