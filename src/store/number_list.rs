//! Numbers as the console lists them: an account's whole inventory, narrowed, with how many people hold each.

use super::{
    Error, Tx,
    db::on,
    numbers::{Number, NumberState, Row, columns},
    sessions::{Page, paged},
};
use crate::ids::{AccountId, NumberId, ServiceId};

/// Which numbers are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this service.
    pub service: Option<ServiceId>,
    /// Only in this state; all but the retired without.
    pub state: Option<NumberState>,
    /// Only of the carrier of this id in the configuration.
    pub carrier: Option<String>,
    /// Only of this country, as ISO 3166 alpha-2.
    pub country: Option<String>,
    /// Only those that can do this: `voice`, `sms` or `mms`.
    pub capability: Option<&'static str>,
    /// Only those that are given when named, or only the others.
    pub reserved: Option<bool>,
}

/// An account's numbers, newest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Number>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(concat!(
            "SELECT ",
            columns!(),
            " FROM numbers n WHERE n.account = "
        ));
        q.push_bind(account);
        match filter.state {
            Some(state) => q.push(" AND n.state = ").push_bind(state.as_str()),
            None => q.push(" AND n.state <> 'retired'"),
        };
        if let Some(service) = &filter.service {
            q.push(" AND n.service = ").push_bind(service);
        }
        if let Some(carrier) = &filter.carrier {
            q.push(" AND n.carrier = ").push_bind(carrier);
        }
        if let Some(country) = &filter.country {
            q.push(" AND n.country = ").push_bind(country);
        }
        if let Some(capability) = filter.capability {
            q.push(" AND n.capabilities LIKE ").push_bind(format!("%{capability}%"));
        }
        if let Some(reserved) = filter.reserved {
            q.push(" AND n.reserved = ").push_bind(reserved);
        }
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    page.in_order(rows).into_iter().map(Number::try_from).collect()
}

/// How many people hold a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// In open sessions.
    pub open: i64,
    /// In quarantine after a session, so that a late call means nobody else.
    pub quarantined: i64,
}

/// How many people hold a number, each counted to `most`.
pub async fn held(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    most: i64,
) -> Result<Held, Error> {
    const SQL: &str = "
        SELECT state, COUNT(*) FROM (SELECT state FROM holds
            WHERE account = $1 AND number_id = $2 LIMIT $3) AS held GROUP BY state";
    let rows: Vec<(String, i64)> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(number)
        .bind(most)
        .fetch_all(conn)
        .await?);
    let of = |state: &str| rows.iter().find(|(one, _)| one == state).map_or(0, |(_, count)| *count);
    Ok(Held { open: of("open"), quarantined: of("quarantined") })
}

/// The carriers of an account's numbers, in order, `limit` at most: read from the classes of its pools, of which there are few.
pub async fn carriers(tx: &mut Tx, account: &AccountId, limit: i64) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT DISTINCT carrier FROM pool_classes WHERE account = $1 ORDER BY carrier LIMIT $2";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(limit).fetch_all(conn).await?))
}

/// Their countries, in the same way.
pub async fn countries(tx: &mut Tx, account: &AccountId, limit: i64) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT DISTINCT country FROM pool_classes WHERE account = $1 AND country <> ''
        ORDER BY country LIMIT $2";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(limit).fetch_all(conn).await?))
}
