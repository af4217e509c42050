//! Opt-outs: who wants no more texts, and from what.

use super::{Error, Tx, accounts, db::on, from_text, old::forget};
use crate::{
    domain::{
        message::Body,
        opt_out::{Scope, Source},
        time::Timestamp,
    },
    ids::{AccountId, NumberId, OptOutId},
    privacy::Person,
};

/// One opt-out: there is one of a kind, or none.
#[derive(Debug, Clone, Copy)]
pub struct OptOut<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Who wants no texts.
    pub person: &'a Person,
    /// What kind of thing it reaches.
    pub scope: Scope,
    /// Which of that kind: its id.
    pub value: &'a str,
}

/// An opt-out as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its id.
    pub id: OptOutId,
    /// Who wants no texts.
    pub person: Person,
    /// What kind of thing it reaches.
    pub scope: Scope,
    /// Which of that kind: its id.
    pub value: String,
    /// Where it comes from.
    pub source: Source,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One that the marketplace cleared.
#[derive(Debug, Clone)]
pub struct Cleared {
    /// What it was.
    pub was: Stored,
    /// What the marketplace says shows that they want texts again.
    pub proof: Body,
    /// When it was cleared.
    pub at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: OptOutId,
    person: Person,
    scope: String,
    value: String,
    source: String,
    created_at: i64,
}

impl TryFrom<Row> for Stored {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            person: row.person,
            scope: from_text!("opt_outs"."scope", Scope::parse, &row.scope)?,
            value: row.value,
            source: from_text!("opt_outs"."source", Source::parse, &row.source)?,
            created_at: Timestamp::from_millis(row.created_at),
        })
    }
}

/// Opts out; again is the same as once. The id, if it is new.
pub async fn insert(
    tx: &mut Tx,
    one: OptOut<'_>,
    source: Source,
    now: Timestamp,
) -> Result<Option<OptOutId>, Error> {
    const SQL: &str = "
        INSERT INTO opt_outs (account, person, scope, value, id, source, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING";
    let id: OptOutId = tx.id_at(now);
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(one.account)
        .bind(one.person)
        .bind(one.scope.as_str())
        .bind(one.value)
        .bind(&id)
        .bind(source.as_str())
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok((done == 1).then_some(id))
}

/// Takes an opt-out back; whether there was one.
pub async fn delete(tx: &mut Tx, one: OptOut<'_>) -> Result<bool, Error> {
    const SQL: &str = "
        DELETE FROM opt_outs WHERE account = $1 AND person = $2 AND scope = $3 AND value = $4";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(one.account)
        .bind(one.person)
        .bind(one.scope.as_str())
        .bind(one.value)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Makes an opt-out one that the marketplace was told of.
pub async fn take_over(tx: &mut Tx, one: OptOut<'_>) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE opt_outs SET source = 'api'
        WHERE account = $1 AND person = $2 AND scope = $3 AND value = $4";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(one.account)
            .bind(one.person)
            .bind(one.scope.as_str())
            .bind(one.value)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Such an opt-out as it is stored.
pub async fn find(tx: &mut Tx, one: OptOut<'_>) -> Result<Option<Stored>, Error> {
    const SQL: &str = "
        SELECT id, person, scope, value, source, created_at FROM opt_outs
        WHERE account = $1 AND person = $2 AND scope = $3 AND value = $4";
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(one.account)
        .bind(one.person)
        .bind(one.scope.as_str())
        .bind(one.value)
        .fetch_optional(conn)
        .await?);
    row.map(Stored::try_from).transpose()
}

/// Whether there is such an opt-out.
pub async fn exists(tx: &mut Tx, one: OptOut<'_>) -> Result<bool, Error> {
    const SQL: &str = "
        SELECT created_at FROM opt_outs
        WHERE account = $1 AND person = $2 AND scope = $3 AND value = $4";
    let found: Option<i64> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(one.account)
        .bind(one.person)
        .bind(one.scope.as_str())
        .bind(one.value)
        .fetch_optional(conn)
        .await?);
    Ok(found.is_some())
}

/// What binds a number: `$1` the account, `$2` the person, `$3` the number's id.
macro_rules! binding {
    () => {
        "account = $1 AND person = $2 AND (scope = 'account' OR scope = 'number' AND value = $3 \
         OR scope = 'service' AND value = \
         (SELECT service FROM numbers WHERE account = $1 AND id = $3))"
    };
}

/// Whether somebody wants no texts from a number: from it, its service's or the account's.
pub async fn binds(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    number: &NumberId,
) -> Result<bool, Error> {
    const SQL: &str =
        concat!("SELECT created_at FROM opt_outs WHERE ", binding!(), " ORDER BY scope LIMIT 1");
    let found: Option<i64> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(person)
        .bind(number)
        .fetch_optional(conn)
        .await?);
    Ok(found.is_some())
}

/// Takes back all that binds a number and that the person's own words made, or their carrier told: what
/// they told the marketplace stays.
pub async fn lift(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    number: &NumberId,
) -> Result<Vec<Stored>, Error> {
    const SQL: &str = concat!(
        "DELETE FROM opt_outs WHERE ",
        binding!(),
        " AND source <> 'api' RETURNING id, person, scope, value, source, created_at"
    );
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(person)
        .bind(number)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Stored::try_from).collect()
}

/// The account's opt-outs after `after`, oldest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    after: &str,
    limit: i64,
) -> Result<Vec<Stored>, Error> {
    const SQL: &str = "
        SELECT id, person, scope, value, source, created_at FROM opt_outs
        WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Stored::try_from).collect()
}

/// Those of one person, oldest first, `limit` at most.
pub async fn of_person(
    tx: &mut Tx,
    account: &AccountId,
    person: &Person,
    limit: i64,
) -> Result<Vec<Stored>, Error> {
    const SQL: &str = "
        SELECT id, person, scope, value, source, created_at FROM opt_outs
        WHERE account = $1 AND person = $2 ORDER BY id LIMIT $3";
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(person)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Stored::try_from).collect()
}

/// One of them.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &OptOutId) -> Result<Option<Stored>, Error> {
    const SQL: &str = "
        SELECT id, person, scope, value, source, created_at FROM opt_outs
        WHERE account = $1 AND id = $2";
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Stored::try_from).transpose()
}

fn context(id: &OptOutId) -> String {
    format!("{id}/proof")
}

/// Takes one back for the marketplace, and keeps what shows that it may, sealed under the account's key.
/// What it was, if it was there.
pub async fn clear(
    tx: &mut Tx,
    account: &AccountId,
    id: &OptOutId,
    proof: &Body,
    now: Timestamp,
) -> Result<Option<Stored>, Error> {
    const DELETE: &str = "
        DELETE FROM opt_outs WHERE account = $1 AND id = $2
        RETURNING id, person, scope, value, source, created_at";
    const KEEP: &str = "
        INSERT INTO cleared_opt_outs
            (account, id, person, scope, value, source, proof, created_at, cleared_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(DELETE).bind(account).bind(id).fetch_optional(conn).await?);
    let Some(was) = row.map(Stored::try_from).transpose()? else { return Ok(None) };
    let proof = accounts::keys(tx, account).await?.data.seal_body(proof, &context(id));
    on!(tx, |conn| {
        sqlx::query(KEEP)
            .bind(account)
            .bind(&was.id)
            .bind(&was.person)
            .bind(was.scope.as_str())
            .bind(&was.value)
            .bind(was.source.as_str())
            .bind(&proof)
            .bind(was.created_at.millis())
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(Some(was))
}

/// One that the marketplace cleared.
pub async fn cleared(
    tx: &mut Tx,
    account: &AccountId,
    id: &OptOutId,
) -> Result<Option<Cleared>, Error> {
    const SQL: &str = "
        SELECT id, person, scope, value, source, created_at FROM cleared_opt_outs
        WHERE account = $1 AND id = $2";
    const PROOF: &str = "
        SELECT proof, cleared_at FROM cleared_opt_outs WHERE account = $1 AND id = $2";
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    let Some(was) = row.map(Stored::try_from).transpose()? else { return Ok(None) };
    let (proof, at): (String, i64) =
        on!(tx, |conn| sqlx::query_as(PROOF).bind(account).bind(id).fetch_one(conn).await?);
    let proof = accounts::keys(tx, account).await?.data.open_body(&proof, &context(id))?;
    Ok(Some(Cleared { was, proof, at: Timestamp::from_millis(at) }))
}

/// Forgets those that were cleared before `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM cleared_opt_outs WHERE (account, id) IN (
            SELECT account, id FROM cleared_opt_outs WHERE cleared_at < $1
            ORDER BY cleared_at, account, id LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
