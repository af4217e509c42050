//! Opt-outs: who wants no more texts, and from what.

use super::{Error, Tx, db::on};
use crate::{
    domain::{opt_out::Scope, time::Timestamp},
    ids::AccountId,
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

/// Opts out; again is the same as once.
pub async fn insert(tx: &mut Tx, one: OptOut<'_>, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO opt_outs (account, person, scope, value, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(one.account)
            .bind(one.person)
            .bind(one.scope.as_str())
            .bind(one.value)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
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
