//! What the black-box tests share: a fresh database on each engine, and a relay that runs on it.

use std::sync::Arc;

use entremise::{
    app::{App, Environment, Listeners, Running, StartError},
    clock::Clock,
    config::{CarrierConfig, Config, MediaStore, Rates, Secret},
    domain::{abuse::Limits, budget::Budget, time::Timestamp},
    ids::{Entropy as _, Ids, SystemEntropy, hex},
    relay::NewAccount,
    sandbox::{Network, Pace},
};
use sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnectOptions};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The sandbox carrier's id, and the first configured.
pub(crate) const CARRIER: &str = "sandbox";
/// What signs the sandbox's webhooks.
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

/// A database that goes with the test.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) name: &'static str,
    folder: Option<TempDir>,
    /// Pictures of a server's database.
    files: TempDir,
    server: Option<(PgConnectOptions, String)>,
}

impl Database {
    /// A file that has been migrated and holds nothing: a copy of one that is made once.
    async fn sqlite() -> Self {
        static MADE: tokio::sync::OnceCell<Vec<u8>> = tokio::sync::OnceCell::const_new();
        let made = MADE.get_or_init(async || {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("template.db");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
            let mut conn = options.create_if_missing(true).connect().await.unwrap();
            migrator().await.run(&mut conn).await.unwrap();
            conn.close().await.unwrap();
            std::fs::read(file).unwrap()
        });
        let database = Self::empty_file();
        std::fs::write(database.file(), made.await).unwrap();
        database
    }

    /// Where there is no file yet.
    fn empty_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self {
            url,
            name: "SQLite",
            folder: Some(folder),
            files: tempfile::tempdir().unwrap(),
            server: None,
        }
    }

    pub(crate) async fn postgres(server: &str) -> Self {
        let options: PgConnectOptions = server.parse().unwrap();
        let name = format!("test_{}", random::<8>());
        let template = template(&options).await;
        let mut conn = options.connect().await.unwrap();
        // From version 15 on a copy would go through the log unless told otherwise: twice as slow.
        let how = match conn.server_version_num() {
            Some(150_000..) => "STRATEGY file_copy",
            _ => "",
        };
        let sql = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template} {how}"));
        sqlx::query(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let url = options.clone().database(&name).to_url_lossy().to_string();
        Self {
            url,
            name: "PostgreSQL",
            folder: None,
            files: tempfile::tempdir().unwrap(),
            server: Some((options, name)),
        }
    }

    /// What a restore of a backup taken now would bring back. Nobody may be using it.
    pub(crate) async fn copy(&self) -> Self {
        let Some((options, name)) = &self.server else {
            let copy = Self::empty_file();
            std::fs::File::create(copy.file()).unwrap();
            entremise::store::backup::copy_sqlite(&self.file(), &copy.file()).await.unwrap();
            return copy;
        };
        let mut conn = options.connect().await.unwrap();
        let new = format!("{name}_copy");
        let sql = sqlx::AssertSqlSafe(format!("CREATE DATABASE {new} TEMPLATE {name}"));
        sqlx::query(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let url = options.clone().database(&new).to_url_lossy().to_string();
        Self {
            url,
            name: self.name,
            folder: None,
            files: tempfile::tempdir().unwrap(),
            server: Some((options.clone(), new)),
        }
    }

    fn file(&self) -> std::path::PathBuf {
        self.url.strip_prefix("sqlite:").unwrap().into()
    }

    /// Drops it.
    pub(crate) async fn drop(self) {
        if let Some(folder) = self.folder {
            folder.close().unwrap();
        }
        if let Some((options, name)) = self.server {
            let mut conn = options.connect().await.unwrap();
            let sql = sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
            sqlx::query(sql).execute(&mut conn).await.unwrap();
        }
    }
}

async fn migrator() -> sqlx::migrate::Migrator {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"));
    sqlx::migrate::Migrator::new(folder).await.unwrap()
}

/// A database of that server that has been migrated and holds nothing: a copy of it is made in a tenth of the time
/// that the migrations take. It is made by whoever comes first, and goes with the server.
async fn template(server: &PgConnectOptions) -> &'static str {
    static MADE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let made = MADE.get_or_init(async || {
        // Another one wherever the migrations differ.
        let hash =
            include_str!("../migrations.lock").bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let name = format!("template_{hash:016x}");
        let mut conn = server.connect().await.unwrap();
        // Test binaries may run side by side.
        sqlx::query("SELECT pg_advisory_lock(7021)").execute(&mut conn).await.unwrap();
        let there = sqlx::query_scalar("SELECT COUNT(*) FROM pg_database WHERE datname = $1");
        let there: i64 = there.bind(&name).fetch_one(&mut conn).await.unwrap();
        if there == 0 {
            let half = format!("{name}_half");
            for sql in
                [format!("DROP DATABASE IF EXISTS {half}"), format!("CREATE DATABASE {half}")]
            {
                sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
            }
            let mut inside = server.clone().database(&half).connect().await.unwrap();
            migrator().await.run(&mut inside).await.unwrap();
            inside.close().await.unwrap();
            let done = format!("ALTER DATABASE {half} RENAME TO {name}");
            sqlx::query(sqlx::AssertSqlSafe(done)).execute(&mut conn).await.unwrap();
        }
        conn.close().await.unwrap();
        name
    });
    made.await
}

/// Where PostgreSQL is, if it is to be tested.
///
/// # Panics
/// If `REQUIRE_POSTGRES` is set and there is none.
#[expect(clippy::disallowed_methods, reason = "the tests' own switch")]
pub(crate) fn postgres() -> Option<String> {
    let url = std::env::var("TEST_POSTGRES_URL").ok();
    let required = std::env::var("REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    assert!(url.is_some() || !required, "REQUIRE_POSTGRES is set and TEST_POSTGRES_URL is not");
    if url.is_none() {
        println!(
            "left out PostgreSQL: TEST_POSTGRES_URL is not set (scripts/with-postgres sets it)"
        );
    }
    url
}

/// A fresh database on each engine that can be tested here.
pub(crate) async fn databases() -> Vec<Database> {
    let mut all = vec![Database::sqlite().await];
    if let Some(url) = postgres() {
        all.push(Database::postgres(&url).await);
    }
    all
}

pub(crate) fn random<const N: usize>() -> String {
    let mut bytes = [0; N];
    SystemEntropy.fill(&mut bytes);
    hex(&bytes)
}

/// A relay over the sandbox carrier, with one account.
pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) network: Arc<Network>,
    pub(crate) account: NewAccount,
    pub(crate) clock: Clock,
}

/// Settings over a database, with the sandbox carrier.
pub(crate) fn settings(database: &Database) -> Config {
    let mut key = [0; 32];
    SystemEntropy.fill(&mut key);
    let mut values = toml::Table::new();
    values.insert("secret".into(), SECRET.into());
    let sandbox = CarrierConfig {
        id: CARRIER.into(),
        kind: "sandbox".into(),
        api_base: None,
        rates: Rates::default(),
        budget: Budget::default(),
        buying: true,
        fallback_url: None,
        values,
    };
    let mut config = Config::minimal(key);
    config.database_url = Secret::new(database.url.clone());
    config.carriers = vec![sandbox];
    if database.folder.is_none() {
        config.media.store = MediaStore::Folder(database.files.path().to_owned());
        config.erasure_list = Some(database.files.path().join("erased"));
    }
    // Tests leave calls ringing and write in storms: those of limits set theirs.
    config.abuse.limits = Limits::default();
    // Tests compare lists when they want to.
    config.jobs.reconcile = std::time::Duration::ZERO;
    config.limits.connections_per_client = 4096;
    // No test of these has a disk that is full.
    config.sqlite.ballast = 0;
    config
}

impl World {
    /// Starts a relay as fast as it goes, on free ports, with a clock that tests move.
    pub(crate) async fn start(database: &Database) -> Self {
        Self::with(settings(database)).await
    }

    /// The same with other settings.
    pub(crate) async fn with(config: Config) -> Self {
        Box::pin(Self::at(config, Clock::shifted())).await
    }

    /// The same at noon, in the middle of a month, where no time passes on SQLite but what the test lets pass.
    /// PostgreSQL's own time can't be stopped.
    pub(crate) async fn standing(config: Config) -> Self {
        const NOON: i64 = 1_800_100_800_000;
        let noon = Timestamp::from_millis(NOON);
        if config.database_url.expose().starts_with("sqlite") {
            return Box::pin(Self::at(config, Clock::manual(noon))).await;
        }
        let clock = Clock::shifted();
        clock.advance(noon.millis() - clock.now().millis());
        Box::pin(Self::at(config, clock)).await
    }

    async fn at(config: Config, clock: Clock) -> Self {
        let running = run(config, &clock).await.unwrap();
        let account = running.relay.create_account("Test marketplace").await.unwrap();
        let network = running.network.clone().unwrap();
        Self { running, network, account, clock }
    }
}

/// Starts a relay as fast as it goes, on free ports.
pub(crate) async fn run(config: Config, clock: &Clock) -> Result<Running, StartError> {
    let listeners = Listeners {
        public: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ops: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    let environment = Environment { clock: clock.clone(), ids: Ids::default(), pace: Pace::BRISK };
    App::start(config, listeners, environment).await
}

/// Waits until something is so, for a minute at most.
pub(crate) async fn until(so: impl AsyncFn() -> bool) {
    // Often enough to lose no time, and seldom enough to leave the processor to what is waited for.
    let mut look = tokio::time::interval(std::time::Duration::from_millis(2));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let waits = async {
        while !so().await {
            look.tick().await;
        }
    };
    let late = tokio::time::timeout(std::time::Duration::from_mins(1), waits).await;
    late.expect("what is waited for does not come");
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: http::StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Sends one request on a connection of its own.
pub(crate) async fn request(
    address: std::net::SocketAddr,
    request: http::Request<http_body_util::Full<bytes::Bytes>>,
) -> Answered {
    use http_body_util::BodyExt as _;
    use hyper_util::rt::TokioIo;

    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let tracker = tokio_util::task::TaskTracker::new();
    tracker.spawn(connection);
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answered { status: head.status, headers: head.headers, body }
}

/// Posts an event to a hook as the sandbox network would, signed.
pub(crate) async fn webhook(world: &World, hook: &str, event: &serde_json::Value) -> Answered {
    let body = event.to_string();
    let url = format!("{}/hooks/{CARRIER}/{hook}", world.running.origin);
    let at = world.clock.now().millis();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = ring::hmac::sign(&key, format!("{at}.{url}.{body}").as_bytes());
    let signature = format!("t={at},v1={}", hex(tag.as_ref()));
    webhook_signed(world, hook, event, Some(&signature)).await
}

/// Posts an event with that signature, or none.
pub(crate) async fn webhook_signed(
    world: &World,
    hook: &str,
    event: &serde_json::Value,
    signature: Option<&str>,
) -> Answered {
    let mut builder = http::Request::post(format!("/hooks/{CARRIER}/{hook}"))
        .header("host", world.running.address.to_string())
        .header("content-type", "application/json");
    if let Some(signature) = signature {
        builder = builder.header("sandbox-signature", signature);
    }
    let body = http_body_util::Full::new(bytes::Bytes::from(event.to_string()));
    request(world.running.address, builder.body(body).unwrap()).await
}

/// The whole log, newest first.
pub(crate) async fn interactions(
    world: &World,
) -> Vec<entremise::store::interactions::Interaction> {
    use entremise::store::{interactions, sessions::Page};

    let mut tx = world.running.relay.db().read().await.unwrap();
    let page = Page { before: None, after: None, limit: 1000 };
    let filter = interactions::Filter::default();
    interactions::list(&mut tx, &world.account.account, &filter, &page).await.unwrap()
}
