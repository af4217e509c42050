//! Typed settings, from one TOML file and from `ENTREMISE_…` variables: every fault at once.
//!
//! A variable's name is the setting's path in upper case with `__` between levels, such as
//! `ENTREMISE_LIMITS__BODY_S` or `ENTREMISE_CARRIERS__0__AUTH_TOKEN`. A variable wins over the
//! file. Every key, its default and its meaning: `entremise.example.toml`.

mod abuse;
mod console;
mod fault;
mod keys;
mod oidc;
mod overlay;
mod prices;
mod reader;
mod retention;
mod rules;
mod secret;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use self::reader::Reader;
use crate::domain::{abuse::Bounds, budget::Budget, verification};

pub use self::{
    fault::{Fault, Faults},
    prices::PriceEntry,
    rules::LogFormat,
    secret::{MasterKey, Secret},
};
use crate::domain::phone::Permits;
pub use crate::domain::rate::Rates;
use crate::domain::{oidc::OidcRules, retention::Retention, staff::LoginRules};

/// What makes a variable ours.
pub const PREFIX: &str = "ENTREMISE_";

/// Everything that an operator may set.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the API, the console and the carriers' webhooks are served.
    pub listen: SocketAddr,
    /// Where health and metrics are served. Not for the internet.
    pub ops_listen: SocketAddr,
    /// The origin that the world reaches us at, such as `https://relay.example`: no path and no
    /// slash at the end. `None` only where `listen` is a loopback address: then it is the
    /// address that was bound, see [`Config::origin`].
    pub public_url: Option<String>,
    /// `sqlite:PATH` or `postgres://…`; may hold a password.
    pub database_url: Secret,
    /// Wraps the data keys; never in the database.
    pub master_key: MasterKey,
    /// Those before it, which open what is not wrapped again yet.
    pub previous_master_keys: Vec<MasterKey>,
    /// For how many days a backup may be put back: until then a master key is needed that wraps
    /// nothing any more.
    pub backup_horizon_days: u32,
    /// The carriers, in order of the file: the first is the default one.
    pub carriers: Vec<CarrierConfig>,
    /// What carriers cost where they do not say it themselves.
    pub prices: Vec<PriceEntry>,
    /// What may be spent for each account, at all carriers.
    pub account_budget: Budget,
    /// Addresses with ports that the guarded client may call although they are not public.
    pub egress_allow: Vec<SocketAddr>,
    /// Address ranges (first address, prefix length in bits) of the proxies that we believe.
    pub trusted_proxies: Vec<(IpAddr, u8)>,
    /// The certificate chain, in PEM. Always given together with `tls_key`.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM.
    pub tls_key: Option<PathBuf>,
    /// Whether a sandbox carrier may stand beside a real one or be reached from elsewhere.
    pub allow_sandbox: bool,
    /// Where the audit log's signed heads are written, every hour; nowhere without it.
    pub audit_heads_file: Option<PathBuf>,
    /// Where it is written, outside of the database, what was erased; beside a SQLite file without it.
    pub erasure_list: Option<PathBuf>,
    /// Who asks for disclosures and approves them: name and public key.
    pub disclosure_approvers: Vec<(String, String)>,
    /// What one client may take.
    pub limits: Limits,
    /// What is logged and how.
    pub log: Log,
    /// The workers.
    pub jobs: Jobs,
    /// The native API.
    pub api: Api,
    /// The Twilio Proxy API.
    pub twilio_proxy: TwilioProxy,
    /// The pools' numbers.
    pub numbers: Numbers,
    /// How often codes are sent.
    pub verification: verification::Limits,
    /// What holds abuse and cost in bounds.
    pub abuse: Bounds,
    /// The embedded database.
    pub sqlite: Sqlite,
    /// Pictures and files of texts.
    pub media: Media,
    /// How long what is kept.
    pub retention: Retention,
    /// How staff log in.
    pub console: LoginRules,
    /// Another login for them, if there is one.
    pub oidc: Option<Oidc>,
}

/// `[console.oidc]`: another login for staff.
#[derive(Debug, Clone, PartialEq)]
pub struct Oidc {
    /// All but what proves who we are to it.
    pub rules: OidcRules,
    /// What proves that.
    pub client_secret: Secret,
}

/// One `[[carriers]]` entry. `Debug` shows its keys and no value of its own.
#[derive(Clone, PartialEq)]
pub struct CarrierConfig {
    /// A part of the hook paths: `[a-z0-9][a-z0-9-]{0,31}`, unique.
    pub id: String,
    /// Which adapter it is. Not checked here: the adapters are not known to settings.
    pub kind: String,
    /// Overrides the carrier's API address; trusted. No slash at the end.
    pub api_base: Option<String>,
    /// How much it is sent.
    pub rates: Rates,
    /// What may be spent at it.
    pub budget: Budget,
    /// Whether accounts may buy its numbers by API, with the operator's money.
    pub buying: bool,
    /// The address of what `entremise fallback` prints: set for numbers that are bought or adopted.
    pub fallback_url: Option<String>,
    /// The kind's own keys; a `…_file` key has become the key without it and the file's text.
    /// Values from variables are strings.
    pub values: toml::Table,
}

impl std::fmt::Debug for CarrierConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CarrierConfig")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("api_base", &self.api_base)
            .field("rates", &self.rates)
            .field("budget", &self.budget)
            .field("buying", &self.buying)
            .field("fallback_url", &self.fallback_url.is_some())
            .field("values", &self.values.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// `[limits]`: what one client, and all of them together, may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Open connections from one address.
    pub connections_per_client: usize,
    /// From connecting to the first byte; the TLS handshake has the same time.
    pub first_byte: Duration,
    /// From the first byte of a request's head to its last.
    pub header: Duration,
    /// From the end of a request's head to the end of its body.
    pub body: Duration,
    /// Requests that are being answered.
    pub in_flight: usize,
    /// From the signal to stop until what is unfinished is cut off.
    pub drain: Duration,
    /// Longest body of a carrier's webhook, in bytes.
    pub hook_body_bytes: usize,
    /// Longest body of an API request, in bytes.
    pub api_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_client: 64,
            first_byte: Duration::from_secs(10),
            header: Duration::from_secs(5),
            body: Duration::from_secs(10),
            in_flight: 1024,
            drain: Duration::from_secs(20),
            hook_body_bytes: 65_536,
            api_body_bytes: 262_144,
        }
    }
}

/// `[log]`: what is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A `tracing` filter, such as `info,entremise::relay=debug`.
    pub filter: String,
    /// The form of a line.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// `[jobs]`: the workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jobs {
    /// How many things are sent to each carrier at once.
    pub send_workers: usize,
    /// How often an idle worker looks for work that nobody woke it for.
    pub poll: Duration,
    /// How often carriers' lists are compared with what their webhooks told; zero for never.
    pub reconcile: Duration,
    /// How long an endpoint of a marketplace may take to answer.
    pub event_deadline: Duration,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            send_workers: 16,
            poll: Duration::from_millis(500),
            reconcile: Duration::from_mins(1),
            event_deadline: Duration::from_secs(15),
        }
    }
}

/// `[api]`: the native API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Requests that one API key may make in a minute.
    pub rate_per_minute: u32,
}

impl Default for Api {
    fn default() -> Self {
        Self { rate_per_minute: 600 }
    }
}

/// `[twilio_proxy]`: the Twilio Proxy API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwilioProxy {
    /// Numbers that are not reserved which it lets a service have.
    pub pool_max: u32,
    /// Reserved numbers which it lets a service have.
    pub pool_reserved_max: u32,
}

impl Default for TwilioProxy {
    fn default() -> Self {
        Self { pool_max: 500, pool_reserved_max: 5000 }
    }
}

/// `[numbers]`: the pools' numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers {
    /// What may join a pool although a country's rule refuses it.
    pub allow: Permits,
}

/// `[media]`: pictures and files of texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Media {
    /// Where they are kept while carriers fetch them.
    pub store: MediaStore,
    /// Where the S3 store is, if not at Amazon's; trusted.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// The key that opens it, and its secret; `None` for what the machine has by its role.
    pub credentials: Option<(Secret, Secret)>,
}

/// Where pictures and files are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MediaStore {
    /// Beside a SQLite file; nowhere with PostgreSQL, whose nodes share no folder.
    #[default]
    Beside,
    /// Nowhere: none are passed on.
    Off,
    /// In this folder.
    Folder(PathBuf),
    /// In this bucket, under names that begin so.
    S3 {
        /// The bucket.
        bucket: String,
        /// The beginning of names; may be empty.
        prefix: String,
    },
}

/// `[sqlite]`: the embedded database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sqlite {
    /// Room that is kept back beside the file for what must be written on a full disk, in bytes; 0
    /// for none.
    pub ballast: u64,
}

impl Default for Sqlite {
    fn default() -> Self {
        Self { ballast: 16 * MIB }
    }
}

const MIB: u64 = 1024 * 1024;

impl Config {
    /// Every default, and the one setting that has none.
    pub fn minimal(master_key: [u8; 32]) -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: loopback(8080),
            ops_listen: loopback(9090),
            public_url: None,
            database_url: Secret::new("sqlite:entremise.db"),
            master_key: MasterKey::new(master_key),
            previous_master_keys: Vec::new(),
            backup_horizon_days: 35,
            carriers: Vec::new(),
            prices: Vec::new(),
            account_budget: Budget::default(),
            egress_allow: Vec::new(),
            trusted_proxies: Vec::new(),
            tls_cert: None,
            tls_key: None,
            allow_sandbox: false,
            audit_heads_file: None,
            erasure_list: None,
            disclosure_approvers: Vec::new(),
            limits: Limits::default(),
            log: Log::default(),
            jobs: Jobs::default(),
            api: Api::default(),
            twilio_proxy: TwilioProxy::default(),
            numbers: Numbers::default(),
            verification: verification::Limits::default(),
            abuse: Bounds::default(),
            sqlite: Sqlite::default(),
            media: Media::default(),
            retention: Retention::default(),
            console: LoginRules::default(),
            oidc: None,
        }
    }

    /// Reads the file at `path`, if any, and the variables of `env` that begin with [`PREFIX`].
    ///
    /// # Errors
    /// Every fault at once. No message holds the value of a secret.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        let (config, faults) = Self::examine(path, env);
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }

    /// The same, but what is faulty has its default: so that more can be looked at. Nothing may
    /// run on it while there are faults.
    pub fn examine(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let file = path.map_or_else(toml::Table::new, |path| read_file(path, &mut faults));
        let (table, from_env) = overlay::overlay(file, env, &mut faults);
        let config = read(Reader::new(table, &from_env, &mut faults));
        (config, faults)
    }

    /// What is wrong with where a sandbox carrier stands: beside a real one, or within others'
    /// reach, without `allow_sandbox`.
    pub fn sandbox_misused(&self) -> Option<Fault> {
        rules::sandbox_misused(self).map(|message| Fault::new("allow_sandbox", message))
    }

    /// Where the world reaches us: `public_url`, or `bound` where that is not set.
    pub fn origin(&self, bound: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| {
            let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
            format!("{scheme}://{bound}")
        })
    }
}

/// The process's variables that begin with [`PREFIX`], for [`Config::load`].
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}

/// The name of whoever's login this is, as the system tells it: for the audit log. It proves nothing.
pub fn login() -> Option<String> {
    ["SUDO_USER", "LOGNAME", "USER"]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(|name| name.to_string_lossy().into_owned())
        .find(|name| !name.is_empty())
}

fn read_file(path: &Path, faults: &mut Vec<Fault>) -> toml::Table {
    let name = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.push(Fault::new(name, format!("cannot be read: {error}")));
            return toml::Table::new();
        }
    };
    text.parse().unwrap_or_else(|error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        // The message alone: the long form quotes the line, which may hold a secret.
        faults.push(Fault::new(format!("{name}, line {line}"), error.message()));
        toml::Table::new()
    })
}

fn read(mut top: Reader<'_>) -> Config {
    let defaults = Config::minimal([0; 32]);
    let master_key = keys::master_key(&mut top);
    let previous_master_keys = keys::previous(&mut top);
    let carriers = rules::carriers(&mut top);
    let (console, oidc) =
        top.section("console", |section| (console::console(section), oidc::oidc(section)));
    let config = Config {
        listen: top.value("listen", defaults.listen, rules::ADDRESS, rules::address),
        ops_listen: top.value("ops_listen", defaults.ops_listen, rules::ADDRESS, rules::address),
        public_url: top.optional("public_url", rules::PUBLIC_URL, rules::public_url),
        database_url: top.value(
            "database_url",
            defaults.database_url,
            rules::DATABASE_URL,
            rules::database_url,
        ),
        master_key,
        previous_master_keys,
        backup_horizon_days: top.number(
            "backup_horizon_days",
            defaults.backup_horizon_days,
            0..=3650,
        ),
        account_budget: top.section("account_budget", prices::account_budget),
        prices: prices::prices(&mut top, &carriers),
        carriers,
        egress_allow: top.value(
            "egress_allow",
            defaults.egress_allow,
            rules::CALLABLE,
            rules::callable,
        ),
        trusted_proxies: top.value(
            "trusted_proxies",
            defaults.trusted_proxies,
            rules::RANGES,
            rules::ranges,
        ),
        tls_cert: top.optional("tls_cert", rules::FILE, rules::path),
        tls_key: top.optional("tls_key", rules::FILE, rules::path),
        allow_sandbox: top.value("allow_sandbox", false, rules::BOOLEAN, toml::Value::as_bool),
        audit_heads_file: top.optional("audit_heads_file", rules::HEADS_FILE, rules::path),
        erasure_list: top.optional("erasure_list", rules::HEADS_FILE, rules::path),
        disclosure_approvers: top.value(
            "disclosure_approvers",
            defaults.disclosure_approvers,
            rules::APPROVERS,
            rules::approvers,
        ),
        limits: top.section("limits", limits),
        log: top.section("log", |log| Log {
            filter: log.value("filter", Log::default().filter, rules::FILTER, rules::text),
            format: log.value("format", LogFormat::Auto, rules::FORMAT, rules::format),
        }),
        jobs: top.section("jobs", jobs),
        api: top.section("api", |api| Api {
            rate_per_minute: api.number(
                "rate_per_minute",
                Api::default().rate_per_minute,
                1..=1_000_000,
            ),
        }),
        twilio_proxy: top.section("twilio_proxy", twilio_proxy),
        numbers: top.section("numbers", |numbers| Numbers {
            allow: numbers.value("allow", Permits::default(), rules::PERMITS, rules::permits),
        }),
        verification: top.section("verification", rules::verification),
        abuse: top.section("abuse", abuse::abuse),
        media: top.section("media", rules::media),
        retention: top.section("retention", retention::retention),
        console,
        oidc,
        sqlite: top.section("sqlite", |sqlite| {
            let default = Sqlite::default().ballast / MIB;
            Sqlite { ballast: sqlite.number("ballast_mib", default, 0..=1024) * MIB }
        }),
    };
    rules::together(&config, &mut top);
    top.finish();
    config
}

fn jobs(jobs: &mut Reader<'_>) -> Jobs {
    let defaults = Jobs::default();
    Jobs {
        send_workers: jobs.number("send_workers", defaults.send_workers, 1..=1024),
        poll: jobs.milliseconds("poll_ms", defaults.poll, 10..=60_000),
        reconcile: jobs.seconds("reconcile_s", defaults.reconcile, 0..=86_400),
        event_deadline: jobs.seconds("event_deadline_s", defaults.event_deadline, 1..=30),
    }
}

fn twilio_proxy(proxy: &mut Reader<'_>) -> TwilioProxy {
    let defaults = TwilioProxy::default();
    let most = 1..=1_000_000;
    TwilioProxy {
        pool_max: proxy.number("pool_max", defaults.pool_max, most.clone()),
        pool_reserved_max: proxy.number("pool_reserved_max", defaults.pool_reserved_max, most),
    }
}

fn limits(limits: &mut Reader<'_>) -> Limits {
    let defaults = Limits::default();
    Limits {
        connections: limits.number("connections", defaults.connections, 1..=1_000_000),
        connections_per_client: limits.number(
            "connections_per_client",
            defaults.connections_per_client,
            1..=1_000_000,
        ),
        first_byte: limits.seconds("first_byte_s", defaults.first_byte, 1..=300),
        header: limits.seconds("header_s", defaults.header, 1..=300),
        body: limits.seconds("body_s", defaults.body, 1..=300),
        in_flight: limits.number("in_flight", defaults.in_flight, 1..=1_000_000),
        drain: limits.seconds("drain_s", defaults.drain, 0..=3600),
        hook_body_bytes: limits.number(
            "hook_body_bytes",
            defaults.hook_body_bytes,
            1024..=16_777_216,
        ),
        api_body_bytes: limits.number("api_body_bytes", defaults.api_body_bytes, 1024..=16_777_216),
    }
}
