//! Databases to measure on: an account, a service and a pool, on either engine.

use std::path::Path;

use entremise::{
    app::{self, Opened},
    clock::Clock,
    config::{CarrierConfig, Config, Rates, Secret},
    domain::{
        abuse::{Limit, Limits},
        budget::Budget,
        phone::{Identifier, ProxyNumber},
        policy::Rules,
        pool::Capabilities,
        session::Mode,
    },
    egress::Egress,
    ids::{AccountId, Entropy as _, Ids, ServiceId, SystemEntropy, hex},
    relay::{self, AddParticipant, Client, NewNumber, NewService, OpenSession, Relay, SessionView},
};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, SqliteConnection,
    postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};

use crate::Result;

/// The sandbox carrier's id.
pub(crate) const CARRIER: &str = "sandbox";
/// What signs the sandbox's webhooks.
pub(crate) const SECRET: &str = "a-secret-of-the-benchmark";
/// How many numbers a pool has: more than anybody has sessions with a million of them open.
pub(crate) const POOL: u32 = 400;
/// How many people there are; the first half sells, the other half buys.
pub(crate) const PEOPLE: u32 = 10_000;

/// Which engine, and where.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Sqlite,
    /// The server's address.
    Postgres(String),
}

impl Engine {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// A database with an account, a service and a pool.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) url: String,
    /// The master key, in hex.
    pub(crate) key: String,
    pub(crate) account: AccountId,
    pub(crate) service: ServiceId,
}

/// A world's database, opened in this process.
#[derive(Debug)]
pub(crate) struct Live {
    opened: Opened,
    pub(crate) relay: Relay,
}

/// A connection of our own to a world's database.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Somebody's number.
pub(crate) fn person(place: u32) -> Result<Identifier> {
    Ok(Identifier::parse(&format!("+{}{place:04}", 3_363_998))?)
}

fn proxy(place: u32) -> Result<ProxyNumber> {
    Ok(ProxyNumber::parse(&format!("+33937{place:06}"))?)
}

/// Small numbers by chance.
pub(crate) fn chance(below: u32) -> u32 {
    let mut bytes = [0; 4];
    SystemEntropy.fill(&mut bytes);
    u32::from_le_bytes(bytes) % below.max(1)
}

/// Settings over a database, with a sandbox carrier whose API is at `carrier`.
pub(crate) fn config(url: &str, key: &str, carrier: Option<&str>) -> Result<Config> {
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(key.get(place * 2..place * 2 + 2).unwrap_or_default(), 16)?;
    }
    let mut values = toml::Table::new();
    values.insert("secret".into(), SECRET.into());
    let mut config = Config::minimal(bytes);
    config.database_url = Secret::new(url);
    config.carriers = vec![CarrierConfig {
        id: CARRIER.into(),
        kind: "sandbox".into(),
        api_base: carrier.map(|address| format!("http://{address}")),
        rates: Rates::default(),
        budget: Budget::default(),
        buying: false,
        fallback_url: None,
        values,
    }];
    // Few people write very much: it is counted all the same.
    config.abuse.limits = Limits::default();
    config.abuse.limits.set(Limit::LoopTexts, 1000);
    config.limits.connections_per_client = 4096;
    Ok(config)
}

impl World {
    /// Makes a database with `pool` numbers and nobody in it.
    pub(crate) async fn make(
        engine: &Engine,
        folder: &Path,
        name: &str,
        pool: u32,
        rules: Rules,
    ) -> Result<Self> {
        let url = match engine {
            Engine::Sqlite => format!("sqlite:{}", folder.join(format!("{name}.db")).display()),
            Engine::Postgres(server) => {
                let options: PgConnectOptions = server.parse()?;
                let name = format!("bench_{name}_{}", std::process::id());
                let sql = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
                sqlx::query(sql).execute(&mut options.connect().await?).await?;
                options.database(&name).to_url_lossy().to_string()
            }
        };
        let mut key = [0; 32];
        SystemEntropy.fill(&mut key);
        let mut world = Self {
            url,
            key: hex(&key),
            account: AccountId::parse(&format!("AC{}", "0".repeat(32)))?,
            service: ServiceId::parse(&format!("KS{}", "0".repeat(32)))?,
        };
        let live = world.open().await?;
        world.account = live.relay.create_account("Benchmark").await?.account;
        let account = world.account.clone();
        world.service = live
            .relay
            .db()
            .write(move |tx| {
                let (account, rules) = (account.clone(), rules.clone());
                Box::pin(async move { stock(tx, &account, pool, rules).await })
            })
            .await?;
        live.close().await;
        Ok(world)
    }

    /// Opens the database in this process.
    pub(crate) async fn open(&self) -> Result<Live> {
        self.open_at(&Clock::system()).await
    }

    /// The same with another clock.
    pub(crate) async fn open_at(&self, clock: &Clock) -> Result<Live> {
        let config = config(&self.url, &self.key, None)?;
        let opened = Opened::open(&config, clock, &Ids::default()).await?;
        let here = "http://127.0.0.1:1";
        let carriers = app::carriers(&config, here, here)?;
        let relay = Relay::new(opened.db.clone(), carriers, Client::new(), Egress::default());
        Ok(Live { opened, relay })
    }

    /// A connection beside the relay's.
    pub(crate) async fn raw(&self) -> Result<Raw> {
        Ok(if self.url.starts_with("sqlite:") {
            let options: SqliteConnectOptions = self.url.parse()?;
            Raw::Sqlite(options.synchronous(sqlx::sqlite::SqliteSynchronous::Full).connect().await?)
        } else {
            Raw::Postgres(self.url.parse::<PgConnectOptions>()?.connect().await?)
        })
    }

    /// Drops a database on a server; a file goes with its folder.
    pub(crate) async fn drop(self, engine: &Engine) -> Result<()> {
        if let Engine::Postgres(server) = engine {
            let options: PgConnectOptions = server.parse()?;
            let own: PgConnectOptions = self.url.parse()?;
            let name = own.get_database().unwrap_or_default().to_owned();
            let sql = sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
            sqlx::query(sql).execute(&mut options.connect().await?).await?;
        }
        Ok(())
    }

    /// A session between two people.
    pub(crate) fn session(&self, seller: u32, buyer: u32) -> Result<OpenSession> {
        let one = |place, role: &str| -> Result<AddParticipant> {
            let identifier = person(place)?;
            Ok(AddParticipant {
                identifier,
                role: Some(role.to_owned()),
                name: None,
                number: None,
                pin: entremise::relay::PinWanted::Never,
            })
        };
        Ok(OpenSession {
            service: self.service.clone(),
            unique_name: None,
            mode: Mode::VoiceAndMessage,
            ttl: None,
            date_expiry: None,
            recording: None,
            metadata: "{}".to_owned(),
            participants: vec![one(seller, "seller")?, one(buyer, "buyer")?],
        })
    }
}

/// Makes a service with its numbers.
async fn stock(
    tx: &mut entremise::store::Tx,
    account: &AccountId,
    pool: u32,
    rules: Rules,
) -> Result<ServiceId, relay::Error> {
    let new = NewService { unique_name: "market".to_owned(), rules };
    let service = relay::create_service(tx, account, &new).await?.id;
    for place in 0..pool {
        let number = proxy(place).map_err(|_| relay::Error::NotFound("number"))?;
        let new = NewNumber {
            service: service.clone(),
            number,
            carrier: CARRIER.to_owned(),
            capabilities: Capabilities { voice: true, sms: true, mms: false },
            reserved: false,
        };
        relay::add_number(tx, account, &new).await?;
    }
    Ok(service)
}

impl Live {
    /// Opens a session as the API does.
    pub(crate) async fn session(
        &self,
        account: &AccountId,
        new: OpenSession,
    ) -> Result<SessionView, relay::Error> {
        let account = account.clone();
        let work = self.relay.db().write(move |tx| {
            let (account, new) = (account.clone(), new.clone());
            Box::pin(async move { relay::open(tx, &account, &new).await })
        });
        work.await
    }

    pub(crate) async fn close(self) {
        self.opened.close().await;
    }
}

impl Raw {
    /// Runs statements that need no answer.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(conn) => sqlx::raw_sql(sql).execute(conn).await.map(drop)?,
            Self::Postgres(conn) => sqlx::raw_sql(sql).execute(conn).await.map(drop)?,
        }
        Ok(())
    }

    /// Asks for one number.
    pub(crate) async fn number(&mut self, sql: &'static str) -> Result<i64> {
        Ok(match self {
            Self::Sqlite(conn) => sqlx::query_scalar(sql).fetch_one(conn).await?,
            Self::Postgres(conn) => sqlx::query_scalar(sql).fetch_one(conn).await?,
        })
    }

    /// Asks for one text.
    pub(crate) async fn text(&mut self, sql: &'static str) -> Result<String> {
        Ok(match self {
            Self::Sqlite(conn) => sqlx::query_scalar(sql).fetch_one(conn).await?,
            Self::Postgres(conn) => sqlx::query_scalar(sql).fetch_one(conn).await?,
        })
    }

    /// Bytes of the database.
    pub(crate) async fn size(&mut self) -> Result<i64> {
        match self {
            Self::Sqlite(_) => {
                Ok(self.number("PRAGMA page_count").await?
                    * self.number("PRAGMA page_size").await?)
            }
            Self::Postgres(_) => {
                self.number("SELECT CAST(pg_database_size(current_database()) AS BIGINT)").await
            }
        }
    }

    pub(crate) async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(conn) => conn.close().await?,
            Self::Postgres(conn) => conn.close().await?,
        }
        Ok(())
    }
}
