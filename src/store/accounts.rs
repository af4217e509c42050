//! Accounts, their keys and their API keys.

use std::sync::Arc;

use super::{Error, Tx, db::on, master_keys};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, KeyId},
    privacy::{DataKey, IndexKey},
};

/// An account's own keys.
#[derive(Debug)]
pub struct AccountKeys {
    /// Seals what belongs to no session.
    pub data: DataKey,
    /// Makes blind indexes.
    pub index: IndexKey,
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The marketplace's name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An API key, without its secret.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// What its owner calls it.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// What it may do, separated by spaces.
    pub scopes: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

type ApiKeyRow = (KeyId, String, String, String, i64, Option<i64>, Option<i64>, Option<i64>);

const API_KEY_COLUMNS: &str =
    "id, name, hint, scopes, created_at, expires_at, revoked_at, last_used_at";

fn api_key(row: ApiKeyRow) -> ApiKey {
    ApiKey {
        id: row.0,
        name: row.1,
        hint: row.2,
        scopes: row.3,
        created_at: Timestamp::from_millis(row.4),
        expires_at: row.5.map(Timestamp::from_millis),
        revoked_at: row.6.map(Timestamp::from_millis),
        last_used_at: row.7.map(Timestamp::from_millis),
    }
}

/// Makes an account with new keys. `auth_token` is sealed, because we sign with it.
///
/// # Errors
/// [`Error::Keys`] if our master key was rotated out meanwhile.
pub async fn insert(
    tx: &mut Tx,
    id: &AccountId,
    name: &str,
    auth_token: &str,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO accounts (id, name, data_key, index_key, auth_token, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    master_keys::may_wrap(tx).await?;
    let ring = tx.keyring();
    let data = DataKey::generate();
    let token = data.seal_text(auth_token, &context("token", id));
    let data = data.wrap(&ring, &context("data", id));
    // From the injected randomness: it decides where a person's ring begins, and a simulation repeats.
    let mut secret = [0; 32];
    tx.random(&mut secret);
    let index = IndexKey::from_random(secret).wrap(&ring, &context("index", id));
    // An attempt that was undone may have left other keys at hand.
    tx.shared.forget_keys(id);
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(name)
            .bind(&data)
            .bind(&index)
            .bind(&token)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The place of one of an account's keys.
pub(super) fn context(what: &str, id: &AccountId) -> String {
    format!("account-{what}:{id}")
}

/// The account, if there is one.
pub async fn get(tx: &mut Tx, id: &AccountId) -> Result<Option<Account>, Error> {
    const SQL: &str = "SELECT id, name, created_at FROM accounts WHERE id = $1";
    let row: Option<(AccountId, String, i64)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(id).fetch_optional(conn).await?);
    Ok(row.map(|(id, name, at)| Account { id, name, created_at: Timestamp::from_millis(at) }))
}

/// The account's auth token, if there is such an account.
pub async fn auth_token(tx: &mut Tx, id: &AccountId) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT auth_token FROM accounts WHERE id = $1";
    let sealed: Option<String> =
        on!(tx, |conn| sqlx::query_scalar(SQL).bind(id).fetch_optional(conn).await?);
    let Some(sealed) = sealed else { return Ok(None) };
    let keys = keys(tx, id).await?;
    Ok(Some(keys.data.open_text(&sealed, &context("token", id))?))
}

/// All accounts, oldest first. For commands, not for requests.
pub async fn all(tx: &mut Tx) -> Result<Vec<Account>, Error> {
    const SQL: &str = "SELECT id, name, created_at FROM accounts ORDER BY id";
    let rows: Vec<(AccountId, String, i64)> =
        on!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|(id, name, at)| Account { id, name, created_at: Timestamp::from_millis(at) })
        .collect())
}

/// Accounts after `after`, in order of their ids, `limit` at most.
pub async fn list(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<Account>, Error> {
    const SQL: &str =
        "SELECT id, name, created_at FROM accounts WHERE id > $1 ORDER BY id LIMIT $2";
    let rows: Vec<(AccountId, String, i64)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|(id, name, at)| Account { id, name, created_at: Timestamp::from_millis(at) })
        .collect())
}

/// An account's keys. They never change while a process runs, so they are read once.
///
/// # Errors
/// [`Error::Inconsistent`] if there is no such account.
pub async fn keys(tx: &mut Tx, id: &AccountId) -> Result<Arc<AccountKeys>, Error> {
    const SQL: &str = "SELECT data_key, index_key FROM accounts WHERE id = $1";
    if let Some(keys) = tx.shared.cached_keys(id) {
        return Ok(keys);
    }
    let row: Option<(String, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(id).fetch_optional(conn).await?);
    let (data, index) = row.ok_or(Error::Inconsistent { table: "accounts", column: "id" })?;
    let ring = tx.keyring();
    let keys = Arc::new(AccountKeys {
        data: ring.unwrap(&data, &context("data", id))?,
        index: ring.unwrap_index(&index, &context("index", id))?,
    });
    tx.shared.cache_keys(id, &keys);
    Ok(keys)
}

/// Adds an API key; `token` is kept only as a keyed hash.
pub async fn insert_api_key(
    tx: &mut Tx,
    account: &AccountId,
    key: &ApiKey,
    token: &str,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO api_keys (account, id, name, hash, hint, scopes, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let hash = tx.keyring().token_hash(token);
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&key.id)
            .bind(&key.name)
            .bind(&hash)
            .bind(&key.hint)
            .bind(&key.scopes)
            .bind(key.created_at.millis())
            .bind(key.expires_at.map(Timestamp::millis))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The key with that secret, withdrawn and expired ones too.
pub async fn api_key_by_token(
    tx: &mut Tx,
    account: &AccountId,
    token: &str,
) -> Result<Option<ApiKey>, Error> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {API_KEY_COLUMNS} FROM api_keys WHERE account = $1 AND hash = $2"
    ));
    let hash = tx.keyring().token_hash(token);
    let row: Option<ApiKeyRow> =
        on!(tx, |conn| sqlx::query_as(sql).bind(account).bind(&hash).fetch_optional(conn).await?);
    Ok(row.map(api_key))
}

/// An account's API keys, oldest first.
pub async fn api_keys(tx: &mut Tx, account: &AccountId) -> Result<Vec<ApiKey>, Error> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {API_KEY_COLUMNS} FROM api_keys WHERE account = $1 ORDER BY id"
    ));
    let rows: Vec<ApiKeyRow> =
        on!(tx, |conn| sqlx::query_as(sql).bind(account).fetch_all(conn).await?);
    Ok(rows.into_iter().map(api_key).collect())
}

/// Withdraws a key; whether there was one to withdraw.
pub async fn revoke_api_key(
    tx: &mut Tx,
    account: &AccountId,
    id: &KeyId,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE api_keys SET revoked_at = $3
        WHERE account = $1 AND id = $2 AND revoked_at IS NULL";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Notes when a key was last used.
pub async fn touch_api_key(
    tx: &mut Tx,
    account: &AccountId,
    id: &KeyId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE api_keys SET last_used_at = $3 WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(id).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}
