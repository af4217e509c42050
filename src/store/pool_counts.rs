//! How a pool stands: by class how many numbers are in use, rest, are kept back or leave. For people who look at it;
//! choosing reads `pool_classes` alone.

use super::{Error, Tx, db::on, from_text};
use crate::{
    domain::{phone::Registration, pool::Capabilities, time::Timestamp},
    ids::{AccountId, ServiceId},
};

/// The most numbers of a service that are counted.
pub const COUNTED_MAX: i64 = 5000;

/// Numbers of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The service's id.
    pub service: String,
    /// ISO 3166 alpha-2 code, or empty.
    pub country: String,
    /// Area code, or empty.
    pub area: String,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// What they can do.
    pub capabilities: Capabilities,
    /// What is known of their registration.
    pub registration: Registration,
    /// How many there are, but for the retired.
    pub all: i64,
    /// How many are active and given to anybody.
    pub given: i64,
    /// How many of all somebody holds in an open session.
    pub used: i64,
    /// How many of all nobody holds so, and somebody has in quarantine.
    pub resting: i64,
    /// How many are active and given only when named, or shared by code.
    pub kept: i64,
    /// How many are given to nobody new.
    pub draining: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    service: String,
    country: String,
    area: String,
    carrier: String,
    capabilities: String,
    registration: String,
    total: i64,
    given: i64,
    used: i64,
    resting: i64,
    kept: i64,
    draining: i64,
}

/// How the classes of pools stand at `$2`, of the first `$3` numbers. A number that somebody holds in an open session is
/// in use, whoever else rests on it: the rest is asked for only where nobody does. PostgreSQL would read all holds for an
/// `EXISTS`, and SQLite ask for each sum without the bound.
macro_rules! classes {
    ($which:literal) => {
        concat!(
            "SELECT c.service, c.country, c.area, c.carrier, c.capabilities, c.registration,
                COUNT(*) AS total,
                CAST(SUM(CASE WHEN c.state = 'active' AND c.kept = 0 THEN 1 ELSE 0 END) AS BIGINT)
                    AS given,
                CAST(SUM(CASE WHEN c.standing = 2 THEN 1 ELSE 0 END) AS BIGINT) AS used,
                CAST(SUM(CASE WHEN c.standing = 1 THEN 1 ELSE 0 END) AS BIGINT) AS resting,
                CAST(SUM(CASE WHEN c.state = 'active' AND c.kept = 1 THEN 1 ELSE 0 END) AS BIGINT)
                    AS kept,
                CAST(SUM(CASE WHEN c.state = 'draining' THEN 1 ELSE 0 END) AS BIGINT) AS draining
            FROM (
                SELECT n.service, n.country, n.area, n.carrier, n.capabilities, n.registration, n.state,
                    CASE WHEN n.reserved OR n.shared THEN 1 ELSE 0 END AS kept,
                    CASE WHEN (SELECT 1 FROM holds h WHERE h.account = $1
                            AND h.number_id = n.id AND h.state = 'open' LIMIT 1) = 1 THEN 2
                        WHEN (SELECT 1 FROM holds h WHERE h.account = $1
                            AND h.number_id = n.id AND h.release_at > $2 LIMIT 1) = 1 THEN 1
                        ELSE 0 END AS standing
                FROM numbers n WHERE n.account = $1 AND n.state <> 'retired' ",
            $which,
            " LIMIT $3) c
            GROUP BY c.service, c.country, c.area, c.carrier, c.capabilities, c.registration
            ORDER BY c.service, c.country, c.area, c.carrier, c.capabilities, c.registration"
        )
    };
}

/// The classes of one service,
pub(super) const OF_SERVICE: &str = classes!("AND n.service = $4 ORDER BY n.id");
/// and of all.
pub(super) const OF_ACCOUNT: &str = classes!("ORDER BY n.service, n.id");

/// How the classes of a service's pool stand at `now`, of its first [`COUNTED_MAX`] numbers.
pub async fn standings(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    now: Timestamp,
) -> Result<Vec<Standing>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(OF_SERVICE)
        .bind(account)
        .bind(now.millis())
        .bind(COUNTED_MAX)
        .bind(service)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(standing).collect()
}

/// How the classes of an account's pools stand at `now`, service by service, of its first `limit` numbers.
pub async fn of_account(
    tx: &mut Tx,
    account: &AccountId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Standing>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(OF_ACCOUNT)
        .bind(account)
        .bind(now.millis())
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(standing).collect()
}

fn standing(row: Row) -> Result<Standing, Error> {
    Ok(Standing {
        service: row.service,
        country: row.country,
        area: row.area,
        carrier: row.carrier,
        capabilities: from_text!("numbers"."capabilities", Capabilities::parse, &row.capabilities)?,
        registration: from_text!("numbers"."registration", Registration::parse, &row.registration)?,
        all: row.total,
        given: row.given,
        used: row.used,
        resting: row.resting,
        kept: row.kept,
        draining: row.draining,
    })
}
