//! Lawful disclosures: what was asked, by whom, and who agreed. What identifies the case is sealed.

use super::{Error, Tx, accounts, db::on};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, DisclosureId},
};

/// A disclosure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// Its id.
    pub id: DisclosureId,
    /// The proxy number that is asked about.
    pub number: String,
    /// The instant that is asked about.
    pub at: Timestamp,
    /// The case's reference.
    pub case: String,
    /// Why.
    pub reason: String,
    /// Who asked, by their name in the settings.
    pub asked_by: String,
    /// Their signature.
    pub signature: String,
    /// Who agreed.
    pub approved_by: Option<String>,
    /// When it was asked.
    pub created_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: DisclosureId,
    number: String,
    at: i64,
    case_id: String,
    reason: String,
    asked_by: String,
    signature: String,
    approved_by: Option<String>,
    created_at: i64,
}

fn context(what: &str, id: &DisclosureId) -> String {
    format!("disclosure-{what}:{id}")
}

/// Notes that it is asked for.
pub async fn insert(tx: &mut Tx, account: &AccountId, new: &Disclosure) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO disclosures (account, id, state, number, at, case_id, reason, asked_by,
            signature, created_at)
        VALUES ($1, $2, 'asked', $3, $4, $5, $6, $7, $8, $9)";
    let keys = accounts::keys(tx, account).await?;
    let case = keys.data.seal_text(&new.case, &context("case", &new.id));
    let reason = keys.data.seal_text(&new.reason, &context("reason", &new.id));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&new.id)
            .bind(&new.number)
            .bind(new.at.millis())
            .bind(&case)
            .bind(&reason)
            .bind(&new.asked_by)
            .bind(&new.signature)
            .bind(new.created_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The one with that id, opened.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &DisclosureId,
) -> Result<Option<Disclosure>, Error> {
    const SQL: &str = "
        SELECT id, number, at, case_id, reason, asked_by, signature, approved_by, created_at
        FROM disclosures WHERE account = $1 AND id = $2";
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    let Some(row) = row else { return Ok(None) };
    let keys = accounts::keys(tx, account).await?;
    Ok(Some(Disclosure {
        case: keys.data.open_text(&row.case_id, &context("case", &row.id))?,
        reason: keys.data.open_text(&row.reason, &context("reason", &row.id))?,
        id: row.id,
        number: row.number,
        at: Timestamp::from_millis(row.at),
        asked_by: row.asked_by,
        signature: row.signature,
        approved_by: row.approved_by,
        created_at: Timestamp::from_millis(row.created_at),
    }))
}

/// Notes who agreed; whether nobody had before.
pub async fn approve(
    tx: &mut Tx,
    account: &AccountId,
    id: &DisclosureId,
    by: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE disclosures SET state = 'approved', approved_by = $3, approved_at = $4
        WHERE account = $1 AND id = $2 AND state = 'asked'";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(by)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}
