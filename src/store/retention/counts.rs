//! What stays of the log once its rows are gone: counts by day, role, kind, rough duration and outcome. No id,
//! no account, and in the end no cell of fewer than five.

use std::collections::BTreeMap;

use crate::{
    domain::retention::{Cell, FEWEST},
    store::{Error, Tx, db::on},
};

#[derive(sqlx::FromRow)]
struct Row {
    day: i64,
    role: String,
    kind: String,
    duration: String,
    outcome: String,
    tally: i64,
}

impl Row {
    fn split(self) -> (Cell, i64) {
        let Self { day, role, kind, duration, outcome, tally } = self;
        (Cell { day, role, kind, duration, outcome }, tally)
    }
}

/// Counts these, one for each.
pub(super) async fn add(tx: &mut Tx, cells: Vec<Cell>) -> Result<(), Error> {
    let mut tallies: BTreeMap<Cell, i64> = BTreeMap::new();
    for cell in cells {
        *tallies.entry(cell).or_default() += 1;
    }
    for (cell, tally) in tallies {
        raise(tx, &cell, tally).await?;
    }
    Ok(())
}

async fn raise(tx: &mut Tx, cell: &Cell, tally: i64) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO anonymised_interactions (day, role, kind, duration, outcome, tally)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (day, role, kind, duration, outcome)
        DO UPDATE SET tally = anonymised_interactions.tally + excluded.tally";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(cell.day)
            .bind(&cell.role)
            .bind(&cell.kind)
            .bind(&cell.duration)
            .bind(&cell.outcome)
            .bind(tally)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Puts the cells of one day before `day` that hold fewer than five into one of the day and kind; what is
/// fewer than five even so is left out. Whether there was such a day.
pub async fn fold(tx: &mut Tx, day: i64) -> Result<bool, Error> {
    const NEXT: &str = "SELECT MIN(day) FROM anonymised_interactions WHERE tally < 5 AND day < $1";
    const FEW: &str = "
        SELECT day, role, kind, duration, outcome, tally FROM anonymised_interactions
        WHERE day = $1 AND tally < 5 ORDER BY role, kind, duration, outcome";
    const DROP: &str = "DELETE FROM anonymised_interactions WHERE day = $1 AND tally < 5";
    let next: Option<i64> =
        on!(tx, |conn| sqlx::query_scalar(NEXT).bind(day).fetch_one(conn).await?);
    let Some(day) = next else { return Ok(false) };
    let few: Vec<Row> = on!(tx, |conn| sqlx::query_as(FEW).bind(day).fetch_all(conn).await?);
    let mut rest: BTreeMap<Cell, i64> = BTreeMap::new();
    for (cell, tally) in few.into_iter().map(Row::split) {
        // One that is the rest already, and still too few, goes with the others.
        *rest.entry(cell.rest()).or_default() += tally;
    }
    drop_few(tx, DROP, day).await?;
    for (cell, tally) in rest {
        raise(tx, &cell, tally).await?;
    }
    drop_few(tx, DROP, day).await?;
    Ok(true)
}

async fn drop_few(tx: &mut Tx, sql: &'static str, day: i64) -> Result<(), Error> {
    on!(tx, |conn| {
        sqlx::query(sql).bind(day).execute(conn).await?;
    });
    Ok(())
}

/// The counts that may be shown, by day: none of fewer than five, `limit` at most.
pub async fn shown(tx: &mut Tx, limit: i64) -> Result<Vec<(Cell, i64)>, Error> {
    const SQL: &str = "
        SELECT day, role, kind, duration, outcome, tally FROM anonymised_interactions
        WHERE tally >= $1 ORDER BY day, role, kind, duration, outcome LIMIT $2";
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(FEWEST).bind(limit).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Row::split).collect())
}
