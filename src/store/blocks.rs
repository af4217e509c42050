//! Blocks: between whom nothing passes, either way, in no session of the account.

use super::{Error, Tx, db::on, from_text, sessions::listed};
use crate::{
    domain::{closed_set, time::Timestamp},
    ids::AccountId,
    privacy::Person,
};

closed_set! {
    /// Who set a block.
    BlockedBy {
        /// The person, by a text: their own word lifts it again.
        Person = "person",
        /// The marketplace or its support, for the person.
        Api = "api",
    }
}

/// Blocks; whether that is new. One that the marketplace sets too is its own from then on.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    blocker: &Person,
    blocked: &Person,
    by: BlockedBy,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO blocks (account, blocker, blocked, source, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    const TAKE: &str = "
        UPDATE blocks SET source = $4 WHERE account = $1 AND blocker = $2 AND blocked = $3";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(blocker)
        .bind(blocked)
        .bind(by.as_str())
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    if done == 0 && by == BlockedBy::Api {
        on!(tx, |conn| {
            sqlx::query(TAKE)
                .bind(account)
                .bind(blocker)
                .bind(blocked)
                .bind(by.as_str())
                .execute(conn)
                .await?;
        });
    }
    Ok(done == 1)
}

/// Ends a block; whether there was one. A person ends only what they set by a text.
pub async fn delete(
    tx: &mut Tx,
    account: &AccountId,
    blocker: &Person,
    blocked: &Person,
    by: BlockedBy,
) -> Result<bool, Error> {
    const SQL: &str = "
        DELETE FROM blocks
        WHERE account = $1 AND blocker = $2 AND blocked = $3 AND (source = $4 OR $4 = 'api')";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(blocker)
        .bind(blocked)
        .bind(by.as_str())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Everybody of these between whom and this person nothing passes: they have blocked the person, or the
/// person them.
pub async fn apart(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    among: &[Person],
) -> Result<Vec<Person>, Error> {
    if among.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT blocker AS who FROM blocks WHERE account = ");
        q.push_bind(account).push(" AND blocked = ").push_bind(person);
        q.push(" AND blocker");
        listed!(q, among);
        q.push(" UNION SELECT blocked AS who FROM blocks WHERE account = ");
        q.push_bind(account).push(" AND blocker = ").push_bind(person);
        q.push(" AND blocked");
        listed!(q, among);
        q.push(" ORDER BY who");
        q.build_query_scalar().fetch_all(conn).await?
    }))
}

/// A block as it concerns one person.
#[derive(Debug, Clone)]
pub struct Concerning {
    /// Whoever is on its other side.
    pub other: Person,
    /// Whether the person set it, or it was set for them; else the other did.
    pub theirs: bool,
    /// Who set it.
    pub by: BlockedBy,
    /// Since when.
    pub created_at: Timestamp,
}

pub(super) const OF_PERSON: &str = "
    SELECT other, theirs, source, created_at FROM (
        SELECT blocked AS other, TRUE AS theirs, source, created_at FROM blocks
        WHERE account = $1 AND blocker = $2
        UNION ALL
        SELECT blocker AS other, FALSE AS theirs, source, created_at FROM blocks
        WHERE account = $1 AND blocked = $2) AS both_ways
    ORDER BY created_at DESC, other, theirs LIMIT $3";

/// The blocks that concern somebody, from either side, the latest first, `limit` at most.
pub async fn of_person(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    limit: i64,
) -> Result<Vec<Concerning>, Error> {
    let rows: Vec<(Person, bool, String, i64)> = on!(tx, |conn| sqlx::query_as(OF_PERSON)
        .bind(account)
        .bind(person)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter()
        .map(|(other, theirs, source, at)| {
            let by = from_text!("blocks"."source", BlockedBy::parse, &source)?;
            Ok(Concerning { other, theirs, by, created_at: Timestamp::from_millis(at) })
        })
        .collect()
}
