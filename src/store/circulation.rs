//! Numbers that a move takes out of circulation, brings back, or takes along to another carrier.

use super::{
    Error, Tx,
    db::on,
    number_moves::Off,
    numbers::{Number, Row, columns, count},
};
use crate::ids::{AccountId, MoveId, NumberId};

/// Writes that a number came to another carrier, if it is still at the version before
/// `after.version`; whether it was.
pub async fn set_carrier(
    tx: &mut Tx,
    account: &AccountId,
    before: &Number,
    after: &Number,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE numbers SET carrier = $3, version = $4, updated_at = $5
        WHERE account = $1 AND id = $2 AND version = $4 - 1";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&after.id)
        .bind(&after.carrier)
        .bind(after.version)
        .bind(after.updated_at.millis())
        .execute(conn)
        .await?
        .rows_affected());
    if done == 0 {
        return Ok(false);
    }
    count(tx, account, before, -1).await?;
    count(tx, account, after, 1).await?;
    Ok(true)
}

/// Numbers that are given out and that a move takes out of circulation, `limit` at most.
pub async fn to_drain(
    tx: &mut Tx,
    account: &AccountId,
    off: &Off,
    limit: i64,
) -> Result<Vec<Number>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut query = sqlx::QueryBuilder::new(concat!(
            "SELECT ",
            columns!(),
            " FROM numbers n WHERE n.state = 'active' AND n.account = "
        ));
        query.push_bind(account);
        match off {
            Off::Number(id) => query.push(" AND n.id = ").push_bind(id),
            Off::Carrier(id) => query.push(" AND n.carrier = ").push_bind(id),
        };
        query.push(" ORDER BY n.id LIMIT ").push_bind(limit);
        query.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(Number::try_from).collect()
}

/// Numbers that a move took out of circulation and that nobody brought back or retired since, nor wants to
/// leave the pool, `limit` at most.
pub async fn drained_by(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
    limit: i64,
) -> Result<Vec<Number>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM numbers n WHERE n.account = $1 AND n.drained_by = $2 AND n.state = 'draining'
          AND NOT EXISTS (SELECT 1 FROM number_orders o
            WHERE o.account = n.account AND o.number_id = n.id AND o.ended_at IS NULL)
        ORDER BY n.id LIMIT $3"
    );
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(id)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Number::try_from).collect()
}

/// Notes which move took a number out of circulation.
pub async fn set_drained_by(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    id: &MoveId,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE numbers SET drained_by = $3 WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(number).bind(id).execute(conn).await?;
    });
    Ok(())
}
