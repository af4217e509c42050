//! Statements on a test's database: to bend what is there, and to fill it.

/// Runs a statement, on either engine.
pub(crate) async fn run(url: &str, sql: &str) {
    use sqlx::{ConnectOptions as _, Connection as _};
    macro_rules! run {
        ($options:ty) => {{
            let options: $options = url.parse().unwrap();
            let mut conn = options.connect().await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        }};
    }
    if url.starts_with("sqlite:") {
        run!(sqlx::sqlite::SqliteConnectOptions);
    } else {
        run!(sqlx::postgres::PgConnectOptions);
    }
}

/// An id of 32 hex digits out of the column `n`.
pub(crate) fn id(url: &str, prefix: &str) -> String {
    if url.starts_with("sqlite:") {
        format!("'{prefix}' || printf('%032x', n)")
    } else {
        format!("'{prefix}' || lpad(to_hex(n), 32, '0')")
    }
}

/// A column `n` of the numbers from 1 to `count`.
pub(crate) fn series(count: usize) -> String {
    format!(
        "WITH RECURSIVE s (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM s \
         WHERE n < {count})"
    )
}
