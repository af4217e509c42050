//! Wires everything: settings, listeners and a clock in; a running relay out.

mod files;
mod opened;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, response::Redirect, routing::get};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    carrier::{self, Links, Settings},
    clock::Clock,
    config::{CarrierConfig, Config, Fault, Faults},
    egress::{self, Egress},
    http::{
        api::{self, ApiState},
        console::{self, ConsoleState},
        hooks::{self, Hooks},
        limit::Limiter,
        media::{self as media_route, MediaState},
        ops::{self, Check, Ops},
        problem,
        server::{self, Server, Share, Tls, TlsError, TrustedProxies},
        twilio_proxy::{self, PoolLimits, ProxyState},
    },
    ids::Ids,
    jobs::{self, Jobs},
    media,
    privacy::{MasterKey, MasterKeyError},
    relay::{self, Budgets, Carriers, Client, Configured, Doubt, Prices, Provider, Relay},
    sandbox::{Network, Options, Pace},
    store::{
        self, Failure, Lane, ServeLock,
        master_keys::{self, Refusal},
        meta,
    },
    telemetry::{metrics, redact::Redactor},
};

pub use files::{erasing, open as objects};
pub use opened::{Opened, Served, keyring};

/// Who has which part of the requests that are answered at once (I24). The console, the docs and the
/// sandbox have the rest.
const SHARES: &[Share] = &[
    Share { prefix: "/hooks/", percent: 50 },
    Share { prefix: "/api/", percent: 25 },
    Share { prefix: "/v1/", percent: 15 },
];

/// Why the relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error("{0}")]
    Settings(#[from] Faults),
    /// The master key is unusable.
    #[error("master_key {0}")]
    MasterKey(#[from] MasterKeyError),
    /// Something needs a master key that is not configured.
    #[error(
        "the database, or a server that runs on it, uses master key {0}, which is not configured: \
         nothing that it wraps would open. Add that key to `previous_master_keys` or \
         `previous_master_key_files` (docs/keys.md)"
    )]
    UnknownKey(String),
    /// The master keys open everything, and may not be used, or not yet.
    #[error("{0}{hint}", hint = key_hint(.0))]
    Keys(Refusal),
    /// The database does not open.
    #[error("the database does not open: {0}")]
    Store(#[from] store::Error),
    /// Another server runs on the same SQLite file.
    #[error(
        "another server runs on this SQLite file already: SQLite serves one process, use PostgreSQL \
         for several"
    )]
    AlreadyServing,
    /// The database was restored or moved, and nobody has said what that means (I31).
    #[error(
        "the database is not served as it is: {0}. Sessions closed and numbers given since then \
         would be unknown. Run `entremise restore-fence` with the same settings: open sessions are \
         put on hold until they are confirmed, quarantines begin again. If nothing was lost, as \
         when a synchronous standby took over, add --nothing-lost"
    )]
    Restored(Doubt),
    /// The list of what was erased is not there.
    #[error(
        "people were erased from this database, and the erasure list is not at {0}: a restore would bring them \
         back. Put it there. On a new node, or where it is lost and nothing was restored, run `entremise persons \
         relist` with the same settings; after a restore without it `entremise restore-fence --no-erasure-list` \
         (docs/erasure.md)"
    )]
    ErasureList(String),
    /// It is being moved to another database.
    #[error(
        "the database is being moved to another one; if that was broken off, run `entremise \
         migrate-database --abandon` with the same settings"
    )]
    Moving,
    /// It was moved to another database.
    #[error("the database was moved to {0}: set `database_url` to that one")]
    Moved(String),
    /// The store for pictures and files is unusable.
    #[error("media.store: {0}")]
    Files(#[from] media::ObjectsError),
    /// A use case failed.
    #[error(transparent)]
    Relay(#[from] relay::Error),
    /// The certificate or its key is unusable.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// A listener is unusable.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

const fn key_hint(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Retired { .. } => {
            ". Set as `master_key` the one that was rotated to, and this one as a previous one; to \
             change it again, make a new one (docs/keys.md)"
        }
        Refusal::Unheld { .. } => {
            ". First add it to `previous_master_keys` or `previous_master_key_files` of every node, \
             and restart them. A server that was killed counts for a minute more (docs/keys.md)"
        }
        Refusal::InUse { .. } => {
            ". First set the new one as `master_key` of every node, and restart them. A server that \
             was killed counts for a minute more (docs/keys.md)"
        }
    }
}

/// The listeners, bound by the caller: tests bind port 0.
#[derive(Debug)]
pub struct Listeners {
    /// The API, the console and the carriers' webhooks.
    pub public: TcpListener,
    /// Health and metrics.
    pub ops: TcpListener,
}

impl Listeners {
    /// Binds what the settings say.
    ///
    /// # Errors
    /// [`StartError::Listen`].
    pub async fn bind(config: &Config) -> Result<Self, StartError> {
        Ok(Self {
            public: TcpListener::bind(config.listen).await?,
            ops: TcpListener::bind(config.ops_listen).await?,
        })
    }
}

/// What may differ between a server, the demo and a test.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The time.
    pub clock: Clock,
    /// Makes ids.
    pub ids: Ids,
    /// How fast a sandbox network plays.
    pub pace: Pace,
}

impl Default for Environment {
    fn default() -> Self {
        Self { clock: Clock::system(), ids: Ids::default(), pace: Pace::LIFELIKE }
    }
}

/// A relay that runs.
#[derive(Debug)]
pub struct Running {
    /// Where the public listener is bound.
    pub address: SocketAddr,
    /// Where the operations listener is bound.
    pub ops_address: SocketAddr,
    /// The origin that the world reaches us at.
    pub origin: String,
    /// The use cases.
    pub relay: Relay,
    /// The loops.
    pub jobs: Jobs,
    /// The simulated network, where a sandbox carrier is configured.
    pub network: Option<Arc<Network>>,
    servers: TaskTracker,
    serving: CancellationToken,
    drained: CancellationToken,
    workers: TaskTracker,
    working: CancellationToken,
    opened: Opened,
    _lock: ServeLock,
}

/// Starts relays.
#[derive(Debug, Clone, Copy)]
pub struct App;

impl App {
    /// Starts a relay. It serves when this returns.
    ///
    /// # Errors
    /// As [`Served::open`] and [`Self::start_on`].
    pub async fn start(
        config: Config,
        listeners: Listeners,
        environment: Environment,
    ) -> Result<Running, StartError> {
        let served = Served::open(&config, &environment).await?;
        Self::start_on(served, &config, listeners, environment)
    }

    /// The same over a database that was opened for it. The listeners are bound after that: while
    /// a server waits for its database, callers are refused at once and not kept waiting.
    ///
    /// # Errors
    /// [`StartError::Tls`], [`StartError::Listen`], and [`StartError::Settings`] where a carrier's
    /// do not fit the address.
    pub fn start_on(
        served: Served,
        config: &Config,
        listeners: Listeners,
        environment: Environment,
    ) -> Result<Running, StartError> {
        let Environment { clock, pace, .. } = environment;
        let Listeners { public, ops } = listeners;
        let (address, ops_address) = (public.local_addr()?, ops.local_addr()?);
        let origin = config.origin(address);
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(cert), Some(key)) => Some(Tls::load(cert, key)?),
            _ => None,
        };
        let local = format!("http://{address}");
        let carriers = carriers(config, &origin, &local)?;
        let Served { opened, lock } = served;
        let (workers, working) = (TaskTracker::new(), CancellationToken::new());
        let serving = CancellationToken::new();
        workers.spawn(metrics::run_upkeep(working.clone()));
        let network = config.carriers.iter().find(|one| one.kind == "sandbox").map(|one| {
            let secret = one.values.get("secret").and_then(toml::Value::as_str);
            let options = Options {
                hooks_base: format!("{origin}/hooks/{}", one.id),
                media_base: settings(one, &local).api_base.unwrap_or_default() + "/v1/media",
                secret: secret.unwrap_or_default().to_owned(),
                clock: clock.clone(),
                seed: 0,
                pace,
            };
            Network::new(options, workers.clone(), serving.clone())
        });
        let relay = Relay::new(opened.db.clone(), carriers, Client::new(), egress(config))
            .with_objects(files::open(config)?)
            .with_erasing(files::erasing(config))
            .with_code_limits(config.verification)
            .with_login_rules(config.console.clone())
            .with_console_at(&origin)
            .with_provider(provider(config, &origin));
        let jobs = Jobs::start(&relay.lane(Lane::Jobs), job_options(config), &workers, &working);
        if let Some(file) = &config.audit_heads_file {
            let relay = relay.lane(Lane::Jobs);
            jobs::export_heads(relay, file.clone(), &workers, working.clone());
        }
        workers.spawn(keep_epoch(relay.lane(Lane::Jobs), working.clone()));
        let (servers, drained) = (TaskTracker::new(), CancellationToken::new());
        let routes = routes(config, &origin, &relay, network.as_ref(), &clock);
        let server = Server {
            name: "public",
            router: routes,
            tls,
            limits: server::Limits { shares: SHARES, ..limits(config) },
            trusted: TrustedProxies::new(config.trusted_proxies.clone()),
            clock: clock.clone(),
        };
        servers.spawn(server.serve(public, serving.clone()));
        let server = Server {
            name: "ops",
            router: ops::router(Ops {
                checks: checks(&relay),
                draining: serving.clone(),
                redactor: redactor(config),
            }),
            tls: None,
            limits: server::Limits { drain: Duration::from_secs(1), ..limits(config) },
            trusted: TrustedProxies::new([]),
            clock,
        };
        servers.spawn(server.serve(ops, drained.clone()));
        Ok(Running {
            address,
            ops_address,
            origin,
            relay,
            jobs,
            network,
            servers,
            serving,
            drained,
            workers,
            working,
            opened,
            _lock: lock,
        })
    }
}

/// How long a stop waits for the log of requests to be written.
const LAST_LOG: Duration = Duration::from_secs(5);
/// How often what is known of the database outside of it is brought up to date: a copy that was made
/// by other means than `backup` is told by it once it is older than this.
const EPOCH_EVERY: Duration = Duration::from_mins(1);

async fn keep_epoch(relay: Relay, stop: CancellationToken) {
    if relay.db().epoch_file().is_none() {
        return;
    }
    while stop.run_until_cancelled(tokio::time::sleep(EPOCH_EVERY)).await.is_some() {
        if let Err(error) = relay.raise_epoch().await {
            tracing::warn!(%error, "the epoch was not raised");
        }
    }
}

/// The guarded client as the settings open it.
fn egress(config: &Config) -> Egress {
    let allow = config.egress_allow.clone();
    Egress::new(egress::Options { allow, ..egress::Options::default() })
}

/// The other login of the console's staff, if the settings have one.
pub fn provider(config: &Config, origin: &str) -> Option<Provider> {
    let oidc = config.oidc.as_ref()?;
    Provider::new(oidc.rules.clone(), oidc.client_secret.expose(), origin)
}

const fn job_options(config: &Config) -> jobs::Options {
    jobs::Options {
        workers: config.jobs.send_workers,
        poll: config.jobs.poll,
        event_deadline: config.jobs.event_deadline,
        reconcile: config.jobs.reconcile,
    }
}

fn checks(relay: &Relay) -> Vec<Check> {
    let db = relay.db().clone();
    let short = db.short_of_room();
    let other = db.clone();
    let database = Check::new("database", move || {
        let db = db.clone();
        Box::pin(async move {
            let mut tx = db.read().await.map_err(|error| error.to_string())?;
            meta::ping(&mut tx).await.map_err(|error| error.to_string())
        })
    });
    // A node that could not open what the others wrap must not be asked.
    let keys = Check::new("master_keys", move || {
        let db = other.clone();
        Box::pin(async move {
            let mut tx = db.read().await.map_err(|error| error.to_string())?;
            master_keys::fits(&mut tx).await.map_err(|error| error.to_string())
        })
    });
    let disk = short.map(|short| {
        Check::new("disk", move || {
            let full = *short.borrow();
            let told = "full: only what closes or blocks is written";
            Box::pin(async move { if full { Err(told.to_owned()) } else { Ok(()) } })
        })
    });
    [Some(database), Some(keys), disk].into_iter().flatten().collect()
}

/// Takes the settings' secrets out of whatever is logged or shown.
pub fn redactor(config: &Config) -> Redactor {
    let mut secrets = vec![config.database_url.expose().to_owned()];
    secrets.extend(config.media.credentials.iter().map(|(_, key)| key.expose().to_owned()));
    secrets.extend(config.oidc.iter().map(|oidc| oidc.client_secret.expose().to_owned()));
    for one in &config.carriers {
        if let Some(kind) = carrier::kind(&one.kind)
            && let Ok(adapter) = (kind.build)(&settings(one, "http://127.0.0.1"))
        {
            secrets.extend(adapter.secrets());
        }
    }
    Redactor::new(secrets)
}

fn routes(
    config: &Config,
    origin: &str,
    relay: &Relay,
    network: Option<&Arc<Network>>,
    clock: &Clock,
) -> Router {
    let mut router = Router::new().merge(problem::pages()).merge(hooks::router(Hooks {
        relay: relay.lane(Lane::Carriers),
        origin: origin.to_owned(),
        clock: clock.clone(),
        body_bytes_max: config.limits.hook_body_bytes,
    }));
    router = router.merge(console::router(ConsoleState {
        relay: relay.lane(Lane::Console),
        secure: origin.starts_with("https:"),
        clock: clock.clone(),
    }));
    let limiter = Arc::new(Limiter::new(config.api.rate_per_minute, clock.clone()));
    let api = api::router(ApiState {
        relay: relay.clone(),
        public_url: origin.to_owned(),
        limiter: Arc::clone(&limiter),
    });
    router = router.merge(api.layer(DefaultBodyLimit::max(config.limits.api_body_bytes)));
    router = router.merge(media_route::router(MediaState {
        relay: relay.lane(Lane::Carriers),
        limiter: Arc::clone(&limiter),
    }));
    let proxy = twilio_proxy::router(ProxyState {
        relay: relay.clone(),
        public_url: origin.to_owned(),
        limiter,
        pool: PoolLimits {
            numbers: config.twilio_proxy.pool_max,
            reserved: config.twilio_proxy.pool_reserved_max,
        },
    });
    router = router.merge(proxy.layer(DefaultBodyLimit::max(config.limits.api_body_bytes)));
    if let Some(network) = network {
        // A nested router does not see the slash alone.
        let bare = get(|| async { Redirect::permanent("/sandbox") });
        router = router
            .route("/sandbox/", bare)
            .nest("/sandbox", crate::http::sandbox::router(Arc::clone(network)));
    }
    problem::with_fallbacks(router)
}

fn limits(config: &Config) -> server::Limits {
    let limits = &config.limits;
    server::Limits {
        connections: limits.connections,
        connections_per_client: limits.connections_per_client,
        first_byte: limits.first_byte,
        header: limits.header,
        body: limits.body,
        in_flight: limits.in_flight,
        drain: limits.drain,
        ..server::Limits::default()
    }
}

/// What is wrong with settings that read well, all at once: carriers' own keys, a misused sandbox,
/// the certificate, the master key. `serve` refuses them and `check` tells them.
pub fn settings_faults(config: &Config) -> Vec<Fault> {
    let mut faults: Vec<Fault> = config.sandbox_misused().into_iter().collect();
    if let Err(error) = MasterKey::from_bytes(*config.master_key.expose()) {
        faults.push(Fault::new("master_key", error));
    }
    for key in &config.previous_master_keys {
        if let Err(error) = MasterKey::from_bytes(*key.expose()) {
            faults.push(Fault::new("previous_master_keys", error));
        }
    }
    if let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key)
        && let Err(error) = Tls::load(cert, key)
    {
        let setting = match &error {
            TlsError::Read(path, _) | TlsError::Pem(path, _) if path == key => "tls_key",
            _ => "tls_cert",
        };
        faults.push(Fault::new(setting, error));
    }
    if let Err(Faults(more)) = carriers(config, "http://127.0.0.1", "http://127.0.0.1") {
        faults.extend(more);
    }
    faults
}

/// Builds the adapters of all configured carriers.
///
/// # Errors
/// Every fault at once, each with its key.
pub fn carriers(config: &Config, origin: &str, local: &str) -> Result<Carriers, Faults> {
    let mut faults = Vec::new();
    let (mut list, mut rates) = (Vec::new(), Vec::new());
    for (place, one) in config.carriers.iter().enumerate() {
        let Some(kind) = carrier::kind(&one.kind) else {
            let known: Vec<&str> = carrier::KINDS.iter().map(|kind| kind.name).collect();
            let message = format!("must be one of: {}", known.join(", "));
            faults.push(Fault::new(format!("carriers.{place}.kind"), message));
            continue;
        };
        match (kind.build)(&settings(one, local)) {
            Ok(adapter) => {
                list.push(Configured {
                    id: one.id.clone(),
                    kind: kind.name,
                    adapter: adapter.into(),
                    links: Links::new(origin, &one.id).with_fallback(one.fallback_url.clone()),
                    buying: one.buying,
                });
                rates.push((&one.id, one.rates));
            }
            Err(wrong) => {
                faults.extend(wrong.into_iter().map(|fault| {
                    Fault::new(format!("carriers.{place}.{}", fault.key), fault.message)
                }));
            }
        }
    }
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    let mut prices = Prices::default();
    for one in &config.prices {
        prices.add(&one.carrier, one.code, one.per, one.price);
    }
    let mut budgets = Budgets::new(config.account_budget);
    for one in &config.carriers {
        budgets.add(&one.id, one.budget);
    }
    let carriers = Carriers::new(list).at_prices(prices).within(budgets);
    Ok(rates.into_iter().fold(carriers, |carriers, (id, rates)| carriers.at_rates(id, rates)))
}

fn settings(one: &CarrierConfig, local: &str) -> Settings {
    let own = (one.kind == "sandbox").then(|| format!("{local}/sandbox/carrier"));
    Settings {
        id: one.id.clone(),
        api_base: one.api_base.clone().or(own),
        values: one.values.clone(),
    }
}

impl Running {
    /// Waits until nothing is due, nothing is under way and the simulated network is quiet.
    pub async fn idle(&self) {
        // What one of them does may give the other work: twice around nothing did.
        for _ in 0..2 {
            if let Some(network) = &self.network {
                network.idle().await;
            }
            self.jobs.idle().await;
        }
        if let Some(network) = &self.network {
            network.idle().await;
        }
    }

    /// Stops in order: takes nothing new, ends what is being answered, ends what is being sent,
    /// closes the database.
    pub async fn shutdown(self) {
        self.serving.cancel();
        self.servers.close();
        self.working.cancel();
        self.workers.close();
        self.workers.wait().await;
        self.drained.cancel();
        self.servers.wait().await;
        // What was answered until the end is in the log too, if the database takes it.
        let relay = self.relay.lane(Lane::Jobs);
        let _ = tokio::time::timeout(LAST_LOG, Box::pin(relay.write_api_log())).await;
        self.opened.close().await;
    }
}

/// The store's error of a use case that has none of its own.
impl Failure for StartError {
    fn store(&self) -> Option<&store::Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::Relay(error) => error.store(),
            _ => None,
        }
    }
}
