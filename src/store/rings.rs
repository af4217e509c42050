//! The classes of a pool, and the walk around a ring of its numbers.

use super::{
    Error, Tx,
    db::on,
    from_text,
    numbers::{Number, Row, columns},
};
use crate::{
    domain::{
        phone::Registration,
        pool::{Capabilities, Class, Kind, Ring},
        time::Timestamp,
    },
    ids::{AccountId, ServiceId},
    privacy::{Counterpart, Person},
};

/// The classes of a service's pool.
pub async fn classes(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
) -> Result<Vec<Class>, Error> {
    const SQL: &str = "
        SELECT country, area, carrier, capabilities, registration, barred, free, reserved
        FROM pool_classes
        WHERE account = $1 AND service = $2
        ORDER BY country, area, carrier, capabilities, registration, barred";
    let rows: Vec<ClassRow> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(service).fetch_all(conn).await?);
    rows.into_iter()
        .map(|row| {
            Ok(Class {
                country: row.country,
                area: row.area,
                kind: Kind {
                    carrier: row.carrier,
                    capabilities: from_text!(
                        "pool_classes"."capabilities",
                        Capabilities::parse,
                        &row.capabilities
                    )?,
                    registration: from_text!(
                        "pool_classes"."registration",
                        Registration::parse,
                        &row.registration
                    )?,
                    barred: row.barred,
                },
                free: u64::try_from(row.free).unwrap_or(0),
                reserved: u64::try_from(row.reserved).unwrap_or(0),
            })
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct ClassRow {
    country: String,
    area: String,
    carrier: String,
    capabilities: String,
    registration: String,
    barred: bool,
    free: i64,
    reserved: i64,
}

/// Whose next number is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Seeker<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The service whose pool it is.
    pub service: &'a ServiceId,
    /// The person.
    pub person: &'a Person,
    /// The counterparts: a number in quarantine after the same ones may be taken again.
    pub counterpart: &'a Counterpart,
    /// The time.
    pub now: Timestamp,
}

macro_rules! walk {
    ($area:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM numbers n
            WHERE n.account = $1 AND n.service = $2 AND n.country = $3 AND n.carrier = $4
              AND n.capabilities = $5 AND n.registration = $6 AND n.barred = $7
              AND n.state = 'active' AND NOT n.reserved AND NOT n.shared AND n.place >= $8 AND n.place < $9",
            $area,
            " AND NOT EXISTS (
                SELECT 1 FROM holds h
                WHERE h.account = n.account AND h.number_id = n.id AND h.person = $10
                  AND (h.state = 'open' OR (h.release_at > $11 AND h.counterpart <> $12)))
            ORDER BY n.place LIMIT 1"
        )
    };
}

pub(super) const WALK: &str = walk!("");
pub(super) const WALK_AREA: &str = walk!(" AND n.area = $13");

/// The first number of the ring at `from` or later, before `to`, that the person may take.
///
/// One indexed walk for each kind of number in the ring; it passes only what this person holds.
pub async fn next_in_ring(
    tx: &mut Tx,
    seeker: Seeker<'_>,
    ring: &Ring,
    from: i64,
    to: i64,
) -> Result<Option<Number>, Error> {
    let mut best: Option<Number> = None;
    let now = tx.certain(seeker.now);
    for kind in &ring.kinds {
        let sql = if ring.area.is_some() { WALK_AREA } else { WALK };
        let row: Option<Row> = on!(tx, |conn| {
            let query = sqlx::query_as(sql)
                .bind(seeker.account)
                .bind(seeker.service)
                .bind(&ring.country)
                .bind(&kind.carrier)
                .bind(kind.capabilities.text())
                .bind(kind.registration.as_str())
                .bind(kind.barred)
                .bind(from)
                .bind(to)
                .bind(seeker.person)
                .bind(now.millis())
                .bind(seeker.counterpart);
            let query = if let Some(area) = &ring.area { query.bind(area) } else { query };
            query.fetch_optional(conn).await?
        });
        let found = row.map(Number::try_from).transpose()?;
        if let Some(found) = found
            && best.as_ref().is_none_or(|best| found.place < best.place)
        {
            best = Some(found);
        }
    }
    Ok(best)
}

/// The active numbers of a service that sessions share, 20 at most, in the order of their places.
pub async fn shared(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
) -> Result<Vec<Number>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM numbers n WHERE n.account = $1 AND n.service = $2 AND n.shared
          AND n.state = 'active' ORDER BY n.place, n.id LIMIT 20"
    );
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(service).fetch_all(conn).await?);
    rows.into_iter().map(Number::try_from).collect()
}
