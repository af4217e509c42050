//! The sessions of one person.

use super::{AccountId, Error, Person, Row, Session, SessionId, Tx, on};

pub(in crate::store) const OF_PERSON: &str = select!(
    "WHERE account = $1 AND id IN (
        SELECT p.session FROM participants p
        JOIN sessions g ON g.account = p.account AND g.id = p.session
        JOIN services v ON v.account = g.account AND v.id = g.service
        WHERE p.account = $1 AND p.person = $2 AND p.session < $3
          AND g.deleted_at IS NULL AND v.deleted_at IS NULL
        ORDER BY p.session DESC LIMIT $4)
    ORDER BY id DESC"
);

/// The sessions that somebody is in, or was, before `before`, newest first, `limit` at most.
pub async fn of_person(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    before: Option<&SessionId>,
    limit: i64,
) -> Result<Vec<Session>, Error> {
    // Behind every id of a session.
    let before = before.map_or("KD", SessionId::as_str);
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(OF_PERSON)
        .bind(account)
        .bind(person)
        .bind(before)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Session::try_from).collect()
}
