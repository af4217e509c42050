//! Support staff: who they are, what they may do where, their one-time links.

pub mod browsers;
pub mod factors;
pub mod openings;

use std::collections::HashMap;

use super::{Error, Tx, db::on, sessions::listed};
use crate::{
    domain::{
        staff::{Extra, Rights, Role},
        time::Timestamp,
    },
    ids::{AccountId, StaffId},
};

/// What somebody may do in one account, or in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The account; `None` for every one.
    pub account: Option<AccountId>,
    /// What they may do there.
    pub rights: Rights,
}

/// A member of the support staff.
#[derive(Debug, Clone)]
pub struct Staff {
    /// Their id.
    pub id: StaffId,
    /// Their name.
    pub name: String,
    /// What they may do where; nothing of it is in another account.
    pub grants: Vec<Grant>,
    /// When they were added.
    pub created_at: Timestamp,
    /// Since when they may not log in.
    pub disabled_at: Option<Timestamp>,
    /// The other login that they come by, and by it alone; `None` for whoever has a login here.
    pub issuer: Option<String>,
}

impl Staff {
    /// What they may do in an account: what was granted for it, or else for every one.
    pub fn rights(&self, account: &AccountId) -> Option<Rights> {
        let own = self.grants.iter().find(|grant| grant.account.as_ref() == Some(account));
        let all = self.grants.iter().find(|grant| grant.account.is_none());
        own.or(all).map(|grant| grant.rights)
    }

    /// What they may do in the installation as a whole.
    pub fn rights_everywhere(&self) -> Option<Rights> {
        self.grants.iter().find(|grant| grant.account.is_none()).map(|grant| grant.rights)
    }

    /// The one account that they may see, if it is one.
    pub fn only_account(&self) -> Option<&AccountId> {
        match self.grants.as_slice() {
            [Grant { account, .. }] => account.as_ref(),
            _ => None,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: StaffId,
    name: String,
    created_at: i64,
    disabled_at: Option<i64>,
    issuer: Option<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, name, created_at, disabled_at, issuer FROM staff ", $rest)
    };
}

async fn whole(tx: &mut Tx, row: Row) -> Result<Staff, Error> {
    Ok(Staff {
        grants: grants(tx, &row.id).await?,
        id: row.id,
        name: row.name,
        created_at: Timestamp::from_millis(row.created_at),
        disabled_at: row.disabled_at.map(Timestamp::from_millis),
        issuer: row.issuer,
    })
}

async fn grants(tx: &mut Tx, staff: &StaffId) -> Result<Vec<Grant>, Error> {
    const SQL: &str =
        "SELECT account, role, extra FROM staff_grants WHERE staff = $1 ORDER BY account";
    let rows: Vec<(String, String, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(staff).fetch_all(conn).await?);
    let bad = |column| Error::Inconsistent { table: "staff_grants", column };
    rows.into_iter()
        .map(|(account, role, extra)| {
            let account = match account.as_str() {
                "" => None,
                id => Some(AccountId::parse(id).map_err(|_| bad("account"))?),
            };
            let role = Role::parse(&role).ok_or(bad("role"))?;
            let extra = Extra::parse(&extra).ok_or(bad("extra"))?;
            Ok(Grant { account, rights: Rights { role, extra } })
        })
        .collect()
}

/// Adds a member of the staff, with what they may do.
///
/// # Errors
/// [`Error::Conflict`] if the name is taken.
pub async fn insert(tx: &mut Tx, staff: &Staff) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO staff (id, name, created_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&staff.id)
        .bind(&staff.name)
        .bind(staff.created_at.millis())
        .execute(conn)
        .await?
        .rows_affected());
    if done == 0 {
        return Err(Error::Conflict);
    }
    for one in &staff.grants {
        grant(tx, &staff.id, one).await?;
    }
    Ok(())
}

/// Says what they may do in an account, in place of what they might.
pub async fn grant(tx: &mut Tx, staff: &StaffId, grant: &Grant) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO staff_grants (staff, account, role, extra) VALUES ($1, $2, $3, $4)
        ON CONFLICT (staff, account) DO UPDATE SET role = excluded.role, extra = excluded.extra";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(staff)
            .bind(grant.account.as_ref().map_or("", AccountId::as_str))
            .bind(grant.rights.role.as_str())
            .bind(grant.rights.extra.to_string())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Takes away what they may do in an account, or in all where it is `None`; whether there was something.
pub async fn revoke(
    tx: &mut Tx,
    staff: &StaffId,
    account: Option<&AccountId>,
) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM staff_grants WHERE staff = $1 AND account = $2";
    let account = account.map_or("", AccountId::as_str);
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(staff)
        .bind(account)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// The member of that id.
pub async fn get(tx: &mut Tx, id: &StaffId) -> Result<Option<Staff>, Error> {
    const SQL: &str = select!("WHERE id = $1");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(id).fetch_optional(conn).await?);
    match row {
        Some(row) => whole(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// The member of that name.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Staff>, Error> {
    const SQL: &str = select!("WHERE name = $1");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(name).fetch_optional(conn).await?);
    match row {
        Some(row) => whole(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// Who somebody is that another login names so.
pub async fn by_subject(tx: &mut Tx, issuer: &str, subject: &str) -> Result<Option<Staff>, Error> {
    const SQL: &str = select!("WHERE issuer = $1 AND subject = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(issuer).bind(subject).fetch_optional(conn).await?);
    match row {
        Some(row) => whole(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// Says how another login names somebody.
pub async fn set_subject(
    tx: &mut Tx,
    id: &StaffId,
    issuer: &str,
    subject: &str,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET issuer = $2, subject = $3 WHERE id = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(id).bind(issuer).bind(subject).execute(conn).await?;
    });
    Ok(())
}

/// The staff by name, those after `after`: who has rights in that account or in all, or everybody.
pub async fn list(
    tx: &mut Tx,
    account: Option<&AccountId>,
    after: &str,
    limit: i64,
) -> Result<Vec<Staff>, Error> {
    const SQL: &str = select!(
        "WHERE name > $1 AND ($2 = '' OR EXISTS (SELECT 1 FROM staff_grants g
             WHERE g.staff = staff.id AND g.account IN ('', $2)))
         ORDER BY name LIMIT $3"
    );
    let account = account.map_or("", AccountId::as_str);
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(after)
        .bind(account)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(whole(tx, row).await?);
    }
    Ok(all)
}

/// The names of these members; those who are not there are left out.
pub async fn names(tx: &mut Tx, ids: &[StaffId]) -> Result<HashMap<StaffId, String>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(StaffId, String)> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT id, name FROM staff WHERE id");
        listed!(q, ids);
        q.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().collect())
}

/// Locks somebody out, or lets them in again.
pub async fn set_disabled(
    tx: &mut Tx,
    id: &StaffId,
    since: Option<Timestamp>,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET disabled_at = $2 WHERE id = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(id).bind(since.map(Timestamp::millis)).execute(conn).await?;
    });
    Ok(())
}

/// Keeps the secret of a one-time link as a keyed hash until `expires_at`.
pub async fn insert_link(
    tx: &mut Tx,
    staff: &StaffId,
    secret: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO staff_secrets (hash, staff, kind, created_at, expires_at)
        VALUES ($1, $2, 'link', $3, $4)";
    let hash = tx.keyring().token_hash(secret);
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(&hash)
            .bind(staff)
            .bind(now.millis())
            .bind(expires_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Whose link it is, if it has not ended.
pub async fn by_link(tx: &mut Tx, secret: &str, now: Timestamp) -> Result<Option<Staff>, Error> {
    const SQL: &str = select!(
        "WHERE id IN (SELECT staff FROM staff_secrets
             WHERE hash = $1 AND kind = 'link' AND expires_at > $2)"
    );
    let hash = tx.keyring().token_hash(secret);
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(&hash)
        .bind(now.millis())
        .fetch_optional(conn)
        .await?);
    match row {
        Some(row) => whole(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// Ends a link; whether it was there. Whoever uses it first ends it.
pub async fn delete_link(tx: &mut Tx, secret: &str) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM staff_secrets WHERE hash = $1 AND kind = 'link'";
    let hash = tx.keyring().token_hash(secret);
    let done = on!(tx, |conn| sqlx::query(SQL).bind(&hash).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Ends every link of somebody.
pub async fn delete_links(tx: &mut Tx, staff: &StaffId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM staff_secrets WHERE staff = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(staff).execute(conn).await?;
    });
    Ok(())
}

/// Forgets links, browsers and questions that ended before `now`; how many.
pub async fn purge(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    let mut gone = 0;
    for sql in [
        "DELETE FROM staff_secrets WHERE expires_at <= $1",
        "DELETE FROM staff_browsers WHERE expires_at <= $1",
        "DELETE FROM staff_ceremonies WHERE expires_at <= $1",
    ] {
        gone += on!(tx, |conn| sqlx::query(sql)
            .bind(now.millis())
            .execute(conn)
            .await?
            .rows_affected());
    }
    Ok(gone)
}
