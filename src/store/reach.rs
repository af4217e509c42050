//! How far back a list is looked through for what no index finds alone: a page that fits few rows reads so many, and
//! says where the next look begins.

use super::{
    Error, Tx,
    db::on,
    sessions::{Page, first_id},
};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, NumberId},
};

/// A list in the order of its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Sessions.
    Sessions,
    /// Calls and texts.
    Interactions,
}

impl List {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Sessions => "KC",
            Self::Interactions => "KI",
        }
    }
}

/// When the row was made that is `rows` rows behind the first of a page, of all that was made before `created_before`;
/// `None` where there are not so many. Each id begins with its instant.
pub async fn end(
    tx: &mut Tx,
    account: &AccountId,
    list: List,
    (page, created_before): (&Page, Option<Timestamp>),
    rows: i64,
) -> Result<Option<Timestamp>, Error> {
    let found: Option<i64> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(match list {
            List::Sessions => "SELECT created_at FROM sessions WHERE account = ",
            List::Interactions => "SELECT created_at FROM interactions WHERE account = ",
        });
        q.push_bind(account);
        if let Some(before) = &page.before {
            q.push(" AND id < ").push_bind(before);
        }
        if let Some(at) = created_before {
            q.push(" AND id < ").push_bind(first_id(list.prefix(), at));
        }
        q.push(" ORDER BY id DESC LIMIT 1 OFFSET ").push_bind(rows);
        q.build_query_scalar().fetch_optional(conn).await?
    });
    Ok(found.map(Timestamp::from_millis))
}

/// When the session was made that is `rows` sessions of a number behind the first of a page; `None` where it has not so
/// many.
pub async fn end_of_number(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    (page, created_before): (&Page, Option<Timestamp>),
    rows: i64,
) -> Result<Option<Timestamp>, Error> {
    let found: Option<i64> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT created_at FROM sessions WHERE account = ");
        q.push_bind(account);
        q.push(" AND id = (SELECT p.session FROM participants p WHERE p.account = ");
        q.push_bind(account).push(" AND p.number_id = ").push_bind(number);
        if let Some(before) = &page.before {
            q.push(" AND p.session < ").push_bind(before);
        }
        if let Some(at) = created_before {
            q.push(" AND p.session < ").push_bind(first_id(List::Sessions.prefix(), at));
        }
        q.push(" ORDER BY p.session DESC LIMIT 1 OFFSET ").push_bind(rows).push(")");
        q.build_query_scalar().fetch_optional(conn).await?
    });
    Ok(found.map(Timestamp::from_millis))
}
