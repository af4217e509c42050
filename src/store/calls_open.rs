//! Calls that go on: how many a person makes, and a session has, at once.

use std::time::Duration;

use super::{Error, Tx, db::on, old::forget};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, InteractionId, SessionId},
    privacy::Person,
};

/// How many calls go on in a session, and how many of a person. For nobody to come between, the caller has locked
/// the session and counted on the person.
pub async fn going_on(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    person: &Person,
    now: Timestamp,
) -> Result<[usize; 2], Error> {
    const SESSION: &str = "
        SELECT COUNT(*) FROM calls_open WHERE account = $1 AND session = $2 AND until > $3";
    const PERSON: &str = "
        SELECT COUNT(*) FROM calls_open WHERE account = $1 AND person = $2 AND until > $3";
    let mut found = [0_usize; 2];
    for (place, (sql, key)) in
        found.iter_mut().zip([(SESSION, session.as_str()), (PERSON, person.as_str())])
    {
        let count: i64 = on!(tx, |conn| sqlx::query_scalar(sql)
            .bind(account)
            .bind(key)
            .bind(now.millis())
            .fetch_one(conn)
            .await?);
        *place = usize::try_from(count).unwrap_or(usize::MAX);
    }
    Ok(found)
}

/// A call begins; it counts until then at most, and for `longest` once it is answered.
pub async fn begin(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
    (session, person): (&SessionId, &Person),
    until: Timestamp,
    longest: Duration,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO calls_open (account, interaction, session, person, until, longest)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(interaction)
            .bind(session)
            .bind(person)
            .bind(until.millis())
            .bind(i64::try_from(longest.as_millis()).unwrap_or(i64::MAX))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// It was answered at `now`, and counts for as long as it may last.
pub async fn answered(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE calls_open SET until = $3 + longest WHERE account = $1 AND interaction = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(interaction).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// It is over.
pub async fn end(
    tx: &mut Tx,
    account: &AccountId,
    interaction: &InteractionId,
) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM calls_open WHERE account = $1 AND interaction = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(interaction).execute(conn).await?;
    });
    Ok(())
}

/// Forgets calls that count no more since then, `limit` at most; how many went.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM calls_open WHERE (account, interaction) IN (
            SELECT account, interaction FROM calls_open WHERE until < $1
            ORDER BY until, account, interaction LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
