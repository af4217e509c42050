//! What is wrapped by master keys, found by the key's id, and wrapped again a few rows at a time.

use super::{Error, Tx, accounts, db::on, sessions, statutory};
use crate::{
    ids::{AccountId, SessionId},
    privacy::is_key_id,
};

/// What holds wrapped keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Accounts' data and index keys.
    Accounts,
    /// Sessions' data keys.
    Sessions,
    /// Accounts' keys of what a law wants kept.
    Statutory,
    /// What hashes tokens, and what signs.
    Lasting,
}

impl Holding {
    /// All, in the order in which they are wrapped again: what is least first.
    pub const ALL: [Self; 4] = [Self::Lasting, Self::Accounts, Self::Statutory, Self::Sessions];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Sessions => "sessions",
            Self::Statutory => "statutory keys",
            Self::Lasting => "lasting secrets",
        }
    }
}

/// What became of a few rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// How many were wrapped again.
    pub done: u64,
    /// What does not open, by its id: it stays as it is.
    pub damaged: Vec<String>,
    /// The last one's id; `None` if there was none.
    pub last: Option<String>,
}

/// The next master key's id by which sessions' keys are wrapped.
pub(super) const NEXT_OF_SESSIONS: &str = "
    SELECT substr(data_key, 4, 8) FROM sessions WHERE substr(data_key, 4, 8) > $1
    ORDER BY substr(data_key, 4, 8) LIMIT 1";
/// Sessions whose keys one master key wrapped.
pub(super) const SESSIONS: &str = "
    SELECT account, id, data_key FROM sessions WHERE substr(data_key, 4, 8) = $1 AND id > $2
    ORDER BY id, account LIMIT $3";

/// The ids of the master keys by which anything is wrapped: a few steps into an index for each.
pub async fn in_use(tx: &mut Tx) -> Result<Vec<String>, Error> {
    const DATA: &str = "
        SELECT substr(data_key, 4, 8) FROM accounts WHERE substr(data_key, 4, 8) > $1
        ORDER BY substr(data_key, 4, 8) LIMIT 1";
    const INDEX: &str = "
        SELECT substr(index_key, 4, 8) FROM accounts WHERE substr(index_key, 4, 8) > $1
        ORDER BY substr(index_key, 4, 8) LIMIT 1";
    const STATUTORY: &str = "
        SELECT substr(data_key, 4, 8) FROM statutory_keys WHERE substr(data_key, 4, 8) > $1
        ORDER BY substr(data_key, 4, 8) LIMIT 1";
    let mut ids: Vec<String> = lasting(tx)
        .await?
        .into_iter()
        .filter_map(|(_, wrapped)| wrapped.get(3..11).map(str::to_owned))
        .collect();
    for sql in [DATA, INDEX, STATUTORY, NEXT_OF_SESSIONS] {
        let mut after = String::new();
        loop {
            let next: Option<String> =
                on!(tx, |conn| sqlx::query_scalar(sql).bind(&after).fetch_optional(conn).await?);
            let Some(next) = next else { break };
            ids.push(next.clone());
            after = next;
        }
    }
    ids.retain(|id| is_key_id(id));
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// How many rows hold something that this master key wrapped.
pub async fn count(tx: &mut Tx, holding: Holding, id: &str) -> Result<u64, Error> {
    const ACCOUNTS: &str = "
        SELECT COUNT(*) FROM accounts
        WHERE substr(data_key, 4, 8) = $1 OR substr(index_key, 4, 8) = $1";
    const SESSIONS: &str = "SELECT COUNT(*) FROM sessions WHERE substr(data_key, 4, 8) = $1";
    const LASTING: &str = "SELECT COUNT(*) FROM lasting_secrets WHERE substr(wrapped, 4, 8) = $1";
    const STATUTORY: &str = "SELECT COUNT(*) FROM statutory_keys WHERE substr(data_key, 4, 8) = $1";
    let sql = match holding {
        Holding::Statutory => STATUTORY,
        Holding::Accounts => ACCOUNTS,
        Holding::Sessions => SESSIONS,
        Holding::Lasting => LASTING,
    };
    let rows: i64 = on!(tx, |conn| sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?);
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Wraps again, by the current master key, what the one of `id` wrapped in the rows behind `after`,
/// `limit` at most. A row that somebody changes meanwhile, or that does not open, is passed over.
pub async fn again(
    tx: &mut Tx,
    holding: Holding,
    id: &str,
    after: &str,
    limit: i64,
) -> Result<Batch, Error> {
    match holding {
        Holding::Accounts => of_accounts(tx, id, after, limit).await,
        Holding::Sessions => of_sessions(tx, id, after, limit).await,
        Holding::Statutory => of_statutory(tx, id, after, limit).await,
        Holding::Lasting => of_lasting(tx, id, after).await,
    }
}

async fn of_sessions(tx: &mut Tx, id: &str, after: &str, limit: i64) -> Result<Batch, Error> {
    const SQL: &str = "
        UPDATE sessions SET data_key = $4 WHERE account = $1 AND id = $2 AND data_key = $3";
    let mut rows: Vec<(AccountId, SessionId, String)> = on!(tx, |conn| sqlx::query_as(SESSIONS)
        .bind(id)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let last = rows.last().map(|row| row.1.to_string());
    let mut batch = Batch { last, ..Batch::default() };
    // In the order in which all others lock sessions.
    rows.sort();
    let ring = tx.keyring();
    for (account, session, wrapped) in rows {
        let Ok(new) = ring.rewrap_data(&wrapped, &sessions::context(&session)) else {
            batch.damaged.push(session.to_string());
            continue;
        };
        batch.done += on!(tx, |conn| sqlx::query(SQL)
            .bind(&account)
            .bind(&session)
            .bind(&wrapped)
            .bind(&new)
            .execute(conn)
            .await?
            .rows_affected());
    }
    Ok(batch)
}

async fn of_accounts(tx: &mut Tx, id: &str, after: &str, limit: i64) -> Result<Batch, Error> {
    const ROWS: &str = "
        SELECT id, data_key, index_key FROM accounts
        WHERE (substr(data_key, 4, 8) = $1 OR substr(index_key, 4, 8) = $1) AND id > $2
        ORDER BY id LIMIT $3";
    const SQL: &str = "
        UPDATE accounts SET data_key = $4, index_key = $5
        WHERE id = $1 AND data_key = $2 AND index_key = $3";
    let rows: Vec<(AccountId, String, String)> = on!(tx, |conn| sqlx::query_as(ROWS)
        .bind(id)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let mut batch = Batch { last: rows.last().map(|row| row.0.to_string()), ..Batch::default() };
    let ring = tx.keyring();
    for (account, data, index) in rows {
        let new_data = ring.rewrap_data(&data, &accounts::context("data", &account));
        let new_index = ring.rewrap_index(&index, &accounts::context("index", &account));
        let (Ok(new_data), Ok(new_index)) = (new_data, new_index) else {
            batch.damaged.push(account.to_string());
            continue;
        };
        batch.done += on!(tx, |conn| sqlx::query(SQL)
            .bind(&account)
            .bind(&data)
            .bind(&index)
            .bind(&new_data)
            .bind(&new_index)
            .execute(conn)
            .await?
            .rows_affected());
    }
    Ok(batch)
}

async fn of_statutory(tx: &mut Tx, id: &str, after: &str, limit: i64) -> Result<Batch, Error> {
    const ROWS: &str = "
        SELECT account, data_key FROM statutory_keys
        WHERE substr(data_key, 4, 8) = $1 AND account > $2 ORDER BY account LIMIT $3";
    const SQL: &str =
        "UPDATE statutory_keys SET data_key = $3 WHERE account = $1 AND data_key = $2";
    let rows: Vec<(AccountId, String)> = on!(tx, |conn| sqlx::query_as(ROWS)
        .bind(id)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let mut batch = Batch { last: rows.last().map(|row| row.0.to_string()), ..Batch::default() };
    let ring = tx.keyring();
    for (account, wrapped) in rows {
        let Ok(new) = ring.rewrap_data(&wrapped, &statutory::context(&account)) else {
            batch.damaged.push(account.to_string());
            continue;
        };
        batch.done += on!(tx, |conn| sqlx::query(SQL)
            .bind(&account)
            .bind(&wrapped)
            .bind(&new)
            .execute(conn)
            .await?
            .rows_affected());
    }
    Ok(batch)
}

async fn of_lasting(tx: &mut Tx, id: &str, after: &str) -> Result<Batch, Error> {
    const SQL: &str = "
        UPDATE lasting_secrets SET wrapped = $3 WHERE name = $1 AND wrapped = $2";
    let mut batch = Batch::default();
    let ring = tx.keyring();
    for (name, wrapped) in lasting(tx).await? {
        if wrapped.get(3..11) != Some(id) || *name <= *after {
            continue;
        }
        batch.last = Some(name.clone());
        let Ok(new) = ring.rewrap_lasting(&name, &wrapped) else {
            batch.damaged.push(name);
            continue;
        };
        batch.done += on!(tx, |conn| sqlx::query(SQL)
            .bind(&name)
            .bind(&wrapped)
            .bind(&new)
            .execute(conn)
            .await?
            .rows_affected());
    }
    Ok(batch)
}

/// The lasting secrets, wrapped, by name.
pub(super) async fn lasting(tx: &mut Tx) -> Result<Vec<(String, String)>, Error> {
    const SQL: &str = "SELECT name, wrapped FROM lasting_secrets ORDER BY name";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// Whether there is any account.
pub(super) async fn any_account(tx: &mut Tx) -> Result<bool, Error> {
    const SQL: &str = "SELECT id FROM accounts ORDER BY id LIMIT 1";
    let one: Option<String> = on!(tx, |conn| sqlx::query_scalar(SQL).fetch_optional(conn).await?);
    Ok(one.is_some())
}
