//! Who met whom and when, of one service: what a plan is made from. No number and no name is read.

use super::{Error, Tx, db::on};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, ServiceId, SessionId},
    privacy::Person,
};

/// Somebody in a session, with where their proxy number is.
#[derive(Debug, Clone)]
pub struct Met {
    /// The session.
    pub session: SessionId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it ended, or is to end.
    pub ends_at: Timestamp,
    /// Who.
    pub person: Person,
    /// The country of their proxy number, or empty.
    pub country: String,
    /// Its area, or empty.
    pub area: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    session: SessionId,
    created_at: i64,
    ends_at: i64,
    person: Person,
    country: String,
    area: String,
}

/// The people of `limit` sessions of a service at most, in the order in which the sessions were opened, after the
/// session `after`.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    after: &SessionId,
    limit: i64,
) -> Result<Vec<Met>, Error> {
    const SQL: &str = "
        SELECT s.id AS session, s.created_at, COALESCE(s.ended_at, s.expires_at) AS ends_at,
            p.person, n.country, n.area
        FROM (
            SELECT account, id, created_at, ended_at, expires_at FROM sessions
            WHERE account = $1 AND service = $2 AND id > $3 ORDER BY id LIMIT $4) s
        JOIN participants p ON p.account = s.account AND p.session = s.id
        JOIN numbers n ON n.account = p.account AND n.id = p.number_id
        WHERE p.removed_at IS NULL
        ORDER BY s.id, p.position";
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(service)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    Ok(rows
        .into_iter()
        .map(|row| Met {
            session: row.session,
            created_at: Timestamp::from_millis(row.created_at),
            ends_at: Timestamp::from_millis(row.ends_at),
            person: row.person,
            country: row.country,
            area: row.area,
        })
        .collect())
}
