//! Services and their rules.

mod assurance;
mod stored;

use self::stored::{from_text, proxy_rules, proxy_text, to_text};
use super::{
    Error, Tx, accounts,
    db::on,
    sessions::{Page, paged},
};
use crate::{
    domain::{
        policy::{ProxyRules, Rules},
        retention::RetentionRules,
        time::Timestamp,
    },
    ids::{AccountId, ServiceId},
    privacy::webhook::WebhookSecret,
};

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Its name, unique in the account.
    pub unique_name: String,
    /// Its rules.
    pub rules: Rules,
    /// What signs the questions that go to the rules' `out_of_session_url`. Kept only with one.
    pub callback_secret: Option<WebhookSecret>,
    /// Grows with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Whether it was deleted: only [`get_any`] gives one out.
    pub deleted: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ServiceId,
    unique_name: String,
    rules: String,
    fallback_number: Option<String>,
    callback: Option<String>,
    proxy: Option<String>,
    version: i64,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, unique_name, rules, fallback_number, callback, proxy, version, created_at, \
             updated_at, deleted_at FROM services WHERE account = $1 AND ",
            $rest
        )
    };
}

fn context(what: &str, id: &ServiceId) -> String {
    format!("service-{what}:{id}")
}

/// What of a service is sealed, as it is stored.
struct Sealed {
    fallback_number: Option<String>,
    callback: Option<String>,
    proxy: Option<String>,
}

async fn seal(tx: &mut Tx, account: &AccountId, service: &Service) -> Result<Sealed, Error> {
    let Service { id, rules, callback_secret, .. } = service;
    let keys = accounts::keys(tx, account).await?;
    let line = rules.out_of_session_number.as_ref();
    let url = &rules.out_of_session_url;
    let secret = callback_secret.as_ref().filter(|_| !url.is_empty());
    Ok(Sealed {
        fallback_number: line
            .map(|number| keys.data.seal_identifier(number, &context("fallback", id))),
        callback: secret.map(|secret| {
            let text = format!("{} {url}", secret.expose());
            keys.data.seal_text(&text, &context("callback", id))
        }),
        proxy: if rules.proxy == ProxyRules::default() {
            None
        } else {
            Some(keys.data.seal_text(&proxy_text(&rules.proxy)?, &context("proxy", id)))
        },
    })
}

async fn open(tx: &mut Tx, account: &AccountId, row: Row) -> Result<Service, Error> {
    let mut rules =
        from_text(&row.rules).ok_or(Error::Inconsistent { table: "services", column: "rules" })?;
    if let Some(sealed) = &row.fallback_number {
        let keys = accounts::keys(tx, account).await?;
        let number = keys.data.open_identifier(sealed, &context("fallback", &row.id))?;
        rules.out_of_session_number = Some(number);
    }
    let mut callback_secret = None;
    if let Some(sealed) = &row.callback {
        let keys = accounts::keys(tx, account).await?;
        let text = keys.data.open_text(sealed, &context("callback", &row.id))?;
        let (secret, url) = text
            .split_once(' ')
            .ok_or(Error::Inconsistent { table: "services", column: "callback" })?;
        callback_secret = Some(WebhookSecret::parse(secret)?);
        url.clone_into(&mut rules.out_of_session_url);
    }
    if let Some(sealed) = &row.proxy {
        let keys = accounts::keys(tx, account).await?;
        let text = keys.data.open_text(sealed, &context("proxy", &row.id))?;
        rules.proxy =
            proxy_rules(&text).ok_or(Error::Inconsistent { table: "services", column: "proxy" })?;
    }
    Ok(Service {
        id: row.id,
        unique_name: row.unique_name,
        rules,
        callback_secret,
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
        deleted: row.deleted_at.is_some(),
    })
}

/// The service's own line as staff and marketplaces see it, if it has one.
pub async fn masked_line(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
) -> Result<Option<String>, Error> {
    let Some(number) = &service.rules.out_of_session_number else { return Ok(None) };
    let keys = accounts::keys(tx, account).await?;
    Ok(Some(keys.index.person(&number.canonical()).masked(number)))
}

/// Adds a service.
///
/// # Errors
/// [`Error::Conflict`] if its name is taken.
pub async fn insert(tx: &mut Tx, account: &AccountId, service: &Service) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO services
            (account, id, unique_name, rules, fallback_number, callback, next_place, version,
             created_at, updated_at, proxy)
        VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)
        ON CONFLICT DO NOTHING";
    let rules = to_text(&service.rules)?;
    let sealed = seal(tx, account, service).await?;
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&service.id)
        .bind(&service.unique_name)
        .bind(&rules)
        .bind(&sealed.fallback_number)
        .bind(&sealed.callback)
        .bind(service.version)
        .bind(service.created_at.millis())
        .bind(service.updated_at.millis())
        .bind(&sealed.proxy)
        .execute(conn)
        .await?
        .rows_affected());
    if done == 1 { Ok(()) } else { Err(Error::Conflict) }
}

/// The service with that id, unless it was deleted.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &ServiceId,
) -> Result<Option<Service>, Error> {
    Ok(get_any(tx, account, id).await?.filter(|service| !service.deleted))
}

/// The service with that id, also if it was deleted: its sessions end by its rules.
pub async fn get_any(
    tx: &mut Tx,
    account: &AccountId,
    id: &ServiceId,
) -> Result<Option<Service>, Error> {
    const SQL: &str = select!("id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    match row {
        Some(row) => Ok(Some(open(tx, account, row).await?)),
        None => Ok(None),
    }
}

/// The service with that name.
pub async fn by_name(
    tx: &mut Tx,
    account: &AccountId,
    name: &str,
) -> Result<Option<Service>, Error> {
    const SQL: &str = select!("unique_name = $2 AND deleted_at IS NULL");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(name).fetch_optional(conn).await?);
    match row {
        Some(row) => Ok(Some(open(tx, account, row).await?)),
        None => Ok(None),
    }
}

/// The services of an account, also those that were deleted, with what they keep for a shorter time.
pub(super) async fn retention(
    tx: &mut Tx,
    account: &AccountId,
) -> Result<Vec<(ServiceId, RetentionRules)>, Error> {
    const SQL: &str = "SELECT id, rules FROM services WHERE account = $1 ORDER BY id";
    let rows: Vec<(ServiceId, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).fetch_all(conn).await?);
    // Rules that can't be read keep nothing for ever.
    let rules = |text: &str| from_text(text).map(|rules| rules.retention).unwrap_or_default();
    Ok(rows.into_iter().map(|(id, text)| (id, rules(&text))).collect())
}

/// Services after `after`, in order of their ids, `limit` at most.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    after: &str,
    limit: i64,
) -> Result<Vec<Service>, Error> {
    const SQL: &str = select!("id > $2 AND deleted_at IS NULL ORDER BY id LIMIT $3");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let mut services = Vec::with_capacity(rows.len());
    for row in rows {
        services.push(open(tx, account, row).await?);
    }
    Ok(services)
}

/// A page of services, newest first.
pub async fn page(tx: &mut Tx, account: &AccountId, page: &Page) -> Result<Vec<Service>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(concat!(
            "SELECT id, unique_name, rules, fallback_number, callback, proxy, version, created_at, ",
            "updated_at, deleted_at FROM services WHERE deleted_at IS NULL AND account = "
        ));
        q.push_bind(account);
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    let mut services = Vec::with_capacity(rows.len());
    for row in page.in_order(rows) {
        services.push(open(tx, account, row).await?);
    }
    Ok(services)
}

/// Writes a service's name and rules if it is still at the version before `service.version`;
/// whether it was.
///
/// # Errors
/// [`Error::Conflict`] if the name is taken.
pub async fn update(tx: &mut Tx, account: &AccountId, service: &Service) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE services SET unique_name = $3, rules = $4, fallback_number = $5, callback = $6,
            version = $7, updated_at = $8, proxy = $9
        WHERE account = $1 AND id = $2 AND version = $7 - 1 AND deleted_at IS NULL";
    let rules = to_text(&service.rules)?;
    let sealed = seal(tx, account, service).await?;
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&service.id)
        .bind(&service.unique_name)
        .bind(&rules)
        .bind(&sealed.fallback_number)
        .bind(&sealed.callback)
        .bind(service.version)
        .bind(service.updated_at.millis())
        .bind(&sealed.proxy)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Deletes a service: nobody is shown it any more, and its name is free. Whether it was there.
pub async fn delete(
    tx: &mut Tx,
    account: &AccountId,
    id: &ServiceId,
    now: Timestamp,
) -> Result<bool, Error> {
    // The column has no room for nothing, and no name that may be given has a control character.
    const SQL: &str = "
        UPDATE services SET deleted_at = $3, updated_at = $3, version = version + 1,
            unique_name = $4
        WHERE account = $1 AND id = $2 AND deleted_at IS NULL";
    let name = format!("\u{7f}{id}");
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(now.millis())
        .bind(&name)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Takes the next `count` places of the rings of a service that was not deleted; the first of them.
pub(super) async fn take_places(
    tx: &mut Tx,
    account: &AccountId,
    id: &ServiceId,
    count: i64,
) -> Result<i64, Error> {
    const SQL: &str = "
        UPDATE services SET next_place = next_place + $3
        WHERE account = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING next_place - $3";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(id)
        .bind(count)
        .fetch_one(conn)
        .await?))
}

/// How many places the service's rings have.
pub async fn places(tx: &mut Tx, account: &AccountId, id: &ServiceId) -> Result<i64, Error> {
    const SQL: &str = "SELECT next_place FROM services WHERE account = $1 AND id = $2";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(id).fetch_one(conn).await?))
}
