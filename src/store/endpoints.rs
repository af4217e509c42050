//! Endpoints: where a marketplace's events are sent, and the keys that they are signed with. Address
//! and keys are sealed.

use std::fmt;

use super::{Error, Tx, accounts, db::on, from_text};
use crate::{
    domain::{closed_set, event::EventKind, time::Timestamp},
    ids::{AccountId, EndpointId, ServiceId},
    privacy::webhook::WebhookKeys,
};

closed_set! {
    /// What an endpoint gets.
    EndpointKind {
        /// Events as Standard Webhooks has them.
        Webhook = "webhook",
        /// Interactions as Twilio Proxy tells them: it is its service's callback, which owns it.
        TwilioProxy = "twilio_proxy",
    }
}

closed_set! {
    /// Whether an endpoint gets events.
    EndpointState {
        /// It does.
        Enabled = "enabled",
        /// It was switched off.
        Disabled = "disabled",
        /// It is gone, and kept until its deliveries are forgotten.
        Deleted = "deleted",
    }
}

closed_set! {
    /// Why an endpoint was switched off.
    DisabledReason {
        /// The marketplace did it.
        Api = "api",
        /// It answered 410 Gone.
        Gone = "gone",
        /// For days nothing was delivered.
        Failing = "failing",
    }
}

/// An endpoint's address. Its query may hold a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Wraps an address that was checked.
    pub const fn new(url: String) -> Self {
        Self(url)
    }

    /// The address in clear: for its owner, and for calling it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointUrl(••••)")
    }
}

/// An endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// What it gets.
    pub kind: EndpointKind,
    /// Only this service's events; `None` for all of the account.
    pub service: Option<ServiceId>,
    /// Its address.
    pub url: EndpointUrl,
    /// The marketplace's own words.
    pub description: String,
    /// Only these types; all if there are none.
    pub event_types: Vec<EventKind>,
    /// Whether it gets events.
    pub state: EndpointState,
    /// Why not.
    pub disabled_reason: Option<DisabledReason>,
    /// Since when not.
    pub disabled_at: Option<Timestamp>,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// Grows with each change by its owner, and when it is switched off.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Keys that sign.
#[derive(Debug)]
pub struct Keys {
    /// Grows with each rotation.
    pub generation: i64,
    /// The keys.
    pub keys: WebhookKeys,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they sign no more; `None` for the newest.
    pub ends_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: EndpointId,
    kind: String,
    service: Option<ServiceId>,
    url: String,
    description: String,
    event_types: String,
    state: String,
    disabled_reason: Option<String>,
    disabled_at: Option<i64>,
    failing_since: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, service, url, description, event_types, state, disabled_reason, \
             disabled_at, failing_since, version, created_at, updated_at FROM endpoints WHERE ",
            $rest
        )
    };
}

fn context(what: &str, id: &EndpointId) -> String {
    format!("endpoint-{what}:{id}")
}

/// Types as they are stored: each between spaces, so that one is found as a whole word.
fn to_words(types: &[EventKind]) -> String {
    types.iter().fold(String::new(), |words, kind| words + " " + kind.as_str() + " ")
}

async fn endpoint(tx: &mut Tx, account: &AccountId, row: Row) -> Result<Endpoint, Error> {
    let url = accounts::keys(tx, account).await?.data.open_text(&row.url, &context("url", &row.id));
    let reason = match &row.disabled_reason {
        Some(text) => Some(from_text!("endpoints"."disabled_reason", DisabledReason::parse, text)?),
        None => None,
    };
    Ok(Endpoint {
        kind: from_text!("endpoints"."kind", EndpointKind::parse, &row.kind)?,
        service: row.service,
        url: EndpointUrl(url?),
        description: row.description,
        // A type that a newer version wrote is none of ours to show.
        event_types: row.event_types.split_whitespace().filter_map(EventKind::parse).collect(),
        state: from_text!("endpoints"."state", EndpointState::parse, &row.state)?,
        disabled_reason: reason,
        disabled_at: row.disabled_at.map(Timestamp::from_millis),
        failing_since: row.failing_since.map(Timestamp::from_millis),
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
        id: row.id,
    })
}

/// Adds an endpoint, whose keys are added apart.
pub async fn insert(tx: &mut Tx, account: &AccountId, new: &Endpoint) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO endpoints (account, id, kind, service, url, description, event_types, state,
            version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let keys = accounts::keys(tx, account).await?;
    let url = keys.data.seal_text(new.url.expose(), &context("url", &new.id));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&new.id)
            .bind(new.kind.as_str())
            .bind(&new.service)
            .bind(&url)
            .bind(&new.description)
            .bind(to_words(&new.event_types))
            .bind(new.state.as_str())
            .bind(new.version)
            .bind(new.created_at.millis())
            .bind(new.updated_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The endpoint with that id, unless it is deleted.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
) -> Result<Option<Endpoint>, Error> {
    const SQL: &str = select!("account = $1 AND id = $2 AND state <> 'deleted'");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    match row {
        Some(row) => endpoint(tx, account, row).await.map(Some),
        None => Ok(None),
    }
}

/// The endpoint that is a service's callback.
pub async fn of_callback(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
) -> Result<Option<Endpoint>, Error> {
    const SQL: &str =
        select!("account = $1 AND service = $2 AND kind = 'twilio_proxy' AND state <> 'deleted'");
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(service)
        .fetch_optional(conn)
        .await?);
    match row {
        Some(row) => endpoint(tx, account, row).await.map(Some),
        None => Ok(None),
    }
}

/// An account's endpoints, oldest first. There are few.
pub async fn list(tx: &mut Tx, account: &AccountId) -> Result<Vec<Endpoint>, Error> {
    const SQL: &str = select!("account = $1 AND state <> 'deleted' ORDER BY id");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL).bind(account).fetch_all(conn).await?);
    let mut all = Vec::new();
    for row in rows {
        all.push(endpoint(tx, account, row).await?);
    }
    Ok(all)
}

/// Writes what its owner may change, if it is still at the version before `changed.version`;
/// whether it was.
pub async fn update(tx: &mut Tx, account: &AccountId, changed: &Endpoint) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE endpoints SET service = $3, url = $4, description = $5, event_types = $6, state = $7,
            disabled_reason = $8, disabled_at = $9, failing_since = $10, version = $11,
            updated_at = $12
        WHERE account = $1 AND id = $2 AND version = $11 - 1 AND state <> 'deleted'";
    let keys = accounts::keys(tx, account).await?;
    let url = keys.data.seal_text(changed.url.expose(), &context("url", &changed.id));
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&changed.id)
        .bind(&changed.service)
        .bind(&url)
        .bind(&changed.description)
        .bind(to_words(&changed.event_types))
        .bind(changed.state.as_str())
        .bind(changed.disabled_reason.map(DisabledReason::as_str))
        .bind(changed.disabled_at.map(Timestamp::millis))
        .bind(changed.failing_since.map(Timestamp::millis))
        .bind(changed.version)
        .bind(changed.updated_at.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Deletes an endpoint if it is at `version`, where one is named; whether it was. Its address and
/// keys are gone at once; the row stays until its deliveries are forgotten.
pub async fn delete(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
    version: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE endpoints SET state = 'deleted', url = '', description = '', version = version + 1,
            updated_at = $4
        WHERE account = $1 AND id = $2 AND version = $3 AND state <> 'deleted'";
    const KEYS: &str = "DELETE FROM endpoint_secrets WHERE account = $1 AND endpoint = $2";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(version)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    on!(tx, |conn| {
        sqlx::query(KEYS).bind(account).bind(id).execute(conn).await?;
    });
    Ok(done == 1)
}

/// Switches an endpoint off, if it is on; whether it was, and its service.
pub async fn disable(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
    reason: DisabledReason,
    now: Timestamp,
) -> Result<Option<Option<ServiceId>>, Error> {
    const SQL: &str = "
        UPDATE endpoints SET state = 'disabled', disabled_reason = $3, disabled_at = $4,
            version = version + 1, updated_at = $4
        WHERE account = $1 AND id = $2 AND state = 'enabled'
        RETURNING service";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(id)
        .bind(reason.as_str())
        .bind(now.millis())
        .fetch_optional(conn)
        .await?))
}

/// Notes that something was delivered.
pub async fn works(tx: &mut Tx, account: &AccountId, id: &EndpointId) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE endpoints SET failing_since = NULL
        WHERE account = $1 AND id = $2 AND failing_since IS NOT NULL";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(id).execute(conn).await?;
    });
    Ok(())
}

/// Notes that an attempt failed; since when every attempt has.
pub async fn fails(
    tx: &mut Tx,
    account: &AccountId,
    id: &EndpointId,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    const FIRST: &str = "
        UPDATE endpoints SET failing_since = $3
        WHERE account = $1 AND id = $2 AND failing_since IS NULL";
    const SINCE: &str = "SELECT failing_since FROM endpoints WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(FIRST).bind(account).bind(id).bind(now.millis()).execute(conn).await?;
    });
    let since: Option<Option<i64>> = on!(tx, |conn| sqlx::query_scalar(SINCE)
        .bind(account)
        .bind(id)
        .fetch_optional(conn)
        .await?);
    Ok(since.flatten().map_or(now, Timestamp::from_millis))
}

/// Makes all who add endpoints to an account wait for each other, so that they are counted; how many
/// there are, callbacks of services aside.
pub async fn count_locked(tx: &mut Tx, account: &AccountId) -> Result<i64, Error> {
    const LOCK: &str = "SELECT id FROM accounts WHERE id = $1 FOR NO KEY UPDATE";
    const SQL: &str = "
        SELECT COUNT(*) FROM endpoints
        WHERE account = $1 AND kind = 'webhook' AND state <> 'deleted'";
    if tx.locks() {
        on!(tx, |conn| {
            sqlx::query(LOCK).bind(account).execute(conn).await?;
        });
    }
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).fetch_one(conn).await?))
}

/// Adds keys. Those before them sign until `old_until`, and those before these no more.
pub async fn add_keys(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    keys: &WebhookKeys,
    old_until: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    const LATEST: &str = "
        SELECT COALESCE(MAX(generation), 0) FROM endpoint_secrets
        WHERE account = $1 AND endpoint = $2";
    const OLDER: &str = "
        DELETE FROM endpoint_secrets WHERE account = $1 AND endpoint = $2 AND generation < $3";
    const OLD: &str = "
        UPDATE endpoint_secrets SET ends_at = $4
        WHERE account = $1 AND endpoint = $2 AND generation = $3";
    const NEW: &str = "
        INSERT INTO endpoint_secrets (account, endpoint, generation, keys, created_at)
        VALUES ($1, $2, $3, $4, $5)";
    let latest: i64 = on!(tx, |conn| sqlx::query_scalar(LATEST)
        .bind(account)
        .bind(endpoint)
        .fetch_one(conn)
        .await?);
    let data = accounts::keys(tx, account).await?;
    let sealed = data.data.seal_text(&keys.to_text(), &context("keys", endpoint));
    on!(tx, |conn| {
        sqlx::query(OLDER).bind(account).bind(endpoint).bind(latest).execute(conn).await?;
    });
    on!(tx, |conn| {
        sqlx::query(OLD)
            .bind(account)
            .bind(endpoint)
            .bind(latest)
            .bind(old_until.millis())
            .execute(conn)
            .await?;
    });
    on!(tx, |conn| {
        sqlx::query(NEW)
            .bind(account)
            .bind(endpoint)
            .bind(latest + 1)
            .bind(&sealed)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The keys that sign at `now`, the newest first.
pub async fn live_keys(
    tx: &mut Tx,
    account: &AccountId,
    endpoint: &EndpointId,
    now: Timestamp,
) -> Result<Vec<Keys>, Error> {
    const SQL: &str = "
        SELECT generation, keys, created_at, ends_at FROM endpoint_secrets
        WHERE account = $1 AND endpoint = $2 AND (ends_at IS NULL OR ends_at > $3)
        ORDER BY generation DESC";
    let rows: Vec<(i64, String, i64, Option<i64>)> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(endpoint)
        .bind(now.millis())
        .fetch_all(conn)
        .await?);
    let data = accounts::keys(tx, account).await?;
    rows.into_iter()
        .map(|(generation, sealed, created_at, ends_at)| {
            let text = data.data.open_text(&sealed, &context("keys", endpoint))?;
            Ok(Keys {
                generation,
                keys: WebhookKeys::parse(&text)?,
                created_at: Timestamp::from_millis(created_at),
                ends_at: ends_at.map(Timestamp::from_millis),
            })
        })
        .collect()
}
