//! Support staff, their one-time links and their browsers.

use super::{Error, Tx, db::on};
use crate::{
    domain::{closed_set, time::Timestamp},
    ids::{AccountId, StaffId},
};

/// A member of the support staff.
#[derive(Debug, Clone)]
pub struct Staff {
    /// Their id.
    pub id: StaffId,
    /// The one account that they may see; `None` for all.
    pub account: Option<AccountId>,
    /// Their name.
    pub name: String,
}

closed_set! {
    /// What a secret is for.
    SecretKind {
        /// A link that opens the console once.
        Link = "link",
        /// A browser that is logged in.
        Browser = "browser",
    }
}

/// Adds a member of the staff.
///
/// # Errors
/// [`Error::Conflict`] if the name is taken.
pub async fn insert(tx: &mut Tx, staff: &Staff, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO staff (id, account, name, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&staff.id)
        .bind(&staff.account)
        .bind(&staff.name)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    if done == 1 { Ok(()) } else { Err(Error::Conflict) }
}

/// The member of that name.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Staff>, Error> {
    const SQL: &str = "SELECT id, account, name FROM staff WHERE name = $1";
    let row: Option<(StaffId, Option<AccountId>, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(name).fetch_optional(conn).await?);
    Ok(row.map(|(id, account, name)| Staff { id, account, name }))
}

/// Keeps a secret as a keyed hash until `expires_at`.
pub async fn insert_secret(
    tx: &mut Tx,
    staff: &StaffId,
    kind: SecretKind,
    secret: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO staff_secrets (hash, staff, kind, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5)";
    let hash = tx.keyring().token_hash(secret);
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&hash)
            .bind(staff)
            .bind(kind.as_str())
            .bind(now.millis())
            .bind(expires_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Whose secret it is, if it is of that kind and has not ended.
pub async fn by_secret(
    tx: &mut Tx,
    kind: SecretKind,
    secret: &str,
    now: Timestamp,
) -> Result<Option<Staff>, Error> {
    const SQL: &str = "
        SELECT s.id, s.account, s.name FROM staff_secrets x JOIN staff s ON s.id = x.staff
        WHERE x.hash = $1 AND x.kind = $2 AND x.expires_at > $3";
    let hash = tx.keyring().token_hash(secret);
    let row: Option<(StaffId, Option<AccountId>, String)> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(&hash)
        .bind(kind.as_str())
        .bind(now.millis())
        .fetch_optional(conn)
        .await?);
    Ok(row.map(|(id, account, name)| Staff { id, account, name }))
}

/// Ends a secret; whether it was there. A link is ended by whoever uses it first.
pub async fn delete_secret(tx: &mut Tx, kind: SecretKind, secret: &str) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM staff_secrets WHERE hash = $1 AND kind = $2";
    let hash = tx.keyring().token_hash(secret);
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&hash)
        .bind(kind.as_str())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Forgets secrets that ended before `now`; how many.
pub async fn purge_secrets(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "DELETE FROM staff_secrets WHERE expires_at <= $1";
    Ok(on!(tx, |conn| sqlx::query(SQL).bind(now.millis()).execute(conn).await?.rows_affected()))
}
