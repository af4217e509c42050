//! Copies of rows by the hundred thousand: one statement for a table and a stretch of numbers, in SQL that both
//! engines take.

use std::ops::RangeInclusive;

use sqlx::AssertSqlSafe;

use crate::{Result, world::Raw};

/// How many numbers one statement takes.
const STRETCH: i64 = 25_000;

/// Rows of a table, each made of one that is there and of a number `n`.
pub(crate) struct Copies<'a> {
    pub(crate) table: &'a str,
    /// Which row is copied, as a condition on `p`, and perhaps on `n`.
    pub(crate) of: String,
    /// The columns that differ, each with the expression over `p` and `n` that it gets.
    pub(crate) set: Vec<(&'a str, String)>,
}

/// Runs a statement.
pub(crate) async fn run(raw: &mut Raw, sql: String) -> Result<()> {
    let failed = |error: sqlx::Error| format!("{error} in: {sql}");
    match raw {
        Raw::Sqlite(conn) => {
            sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(conn).await.map_err(failed)?;
        }
        Raw::Postgres(conn) => {
            sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(conn).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Asks for a list of texts.
pub(crate) async fn texts(raw: &mut Raw, sql: String) -> Result<Vec<String>> {
    Ok(match raw {
        Raw::Sqlite(conn) => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(conn).await?,
        Raw::Postgres(conn) => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(conn).await?,
    })
}

/// `width` hex digits of a number, as SQL.
pub(crate) fn hex(raw: &Raw, number: &str, width: usize) -> String {
    match raw {
        Raw::Sqlite(_) => format!("printf('%0{width}x', {number})"),
        Raw::Postgres(_) => format!("lpad(to_hex(CAST({number} AS BIGINT)), {width}, '0')"),
    }
}

/// The id that row `number` has, which was made `at`, as SQL: it sorts by that time, as every id does.
pub(crate) fn id(raw: &Raw, prefix: &str, at: &str, number: &str) -> String {
    format!("'{prefix}' || {} || {}", hex(raw, at, 12), hex(raw, number, 20))
}

impl Copies<'_> {
    /// Writes one for each number; what is there already stays.
    pub(crate) async fn write(&self, raw: &mut Raw, numbers: RangeInclusive<i64>) -> Result<()> {
        let table = self.table;
        let columns = match raw {
            Raw::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
            Raw::Postgres(_) => format!(
                "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}'"
            ),
        };
        let columns = texts(raw, columns).await?;
        for (name, _) in &self.set {
            if !columns.iter().any(|column| column == name) {
                return Err(format!("{table} has no column {name}").into());
            }
        }
        let value = |column: &String| {
            let other = self.set.iter().find(|(name, _)| name == column);
            other.map_or_else(|| format!("p.{column}"), |(_, value)| value.clone())
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        let (columns, values, of) = (columns.join(", "), values.join(", "), &self.of);
        let (mut first, last) = (*numbers.start(), *numbers.end());
        while first <= last {
            let until = last.min(first + STRETCH - 1);
            let sql = format!(
                "INSERT INTO {table} ({columns}) WITH RECURSIVE s (n) AS (SELECT CAST({first} AS BIGINT) \
                 UNION ALL SELECT n + 1 FROM s WHERE n < {until}) SELECT {values} \
                 FROM s CROSS JOIN {table} AS p WHERE {of} ON CONFLICT DO NOTHING"
            );
            run(raw, sql).await?;
            first = until + 1;
        }
        Ok(())
    }
}
