//! Looks for what is left of somebody: every value of every row of a database, and all that opens of it.

use std::collections::BTreeMap;

use entremise::privacy::{DataKey, Keyring};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::support::Database;

/// A row: its values as text, by column.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) table: String,
    pub(crate) values: BTreeMap<String, String>,
}

enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Conn {
    async fn open(database: &Database) -> Self {
        if database.url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(&database.url).await.unwrap())
        } else {
            Self::Postgres(PgConnection::connect(&database.url).await.unwrap())
        }
    }

    async fn texts(&mut self, sql: String) -> Vec<Option<String>> {
        match self {
            Self::Sqlite(conn) => {
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(conn).await.unwrap()
            }
            Self::Postgres(conn) => {
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(conn).await.unwrap()
            }
        }
    }

    async fn columns(&mut self) -> BTreeMap<String, Vec<String>> {
        let sqlite = matches!(self, Self::Sqlite(_));
        let tables = if sqlite {
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        } else {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()"
        };
        let mut found = BTreeMap::new();
        for table in self.texts(tables.into()).await.into_iter().flatten() {
            let sql = if sqlite {
                format!("SELECT name FROM pragma_table_info('{table}')")
            } else {
                format!(
                    "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
                     WHERE table_schema = current_schema() AND table_name = '{table}'"
                )
            };
            found.insert(table, self.texts(sql).await.into_iter().flatten().collect());
        }
        found
    }
}

/// The columns of each table.
pub(crate) async fn columns(database: &Database) -> BTreeMap<String, Vec<String>> {
    Conn::open(database).await.columns().await
}

/// Every row of every table.
pub(crate) async fn dump(database: &Database) -> Vec<Row> {
    let mut conn = Conn::open(database).await;
    let mut rows = Vec::new();
    for (table, columns) in conn.columns().await {
        // The migrations' check sums are bytes, and no text.
        if table == "_sqlx_migrations" {
            continue;
        }
        let parts: Vec<String> =
            columns.iter().map(|column| format!("COALESCE(CAST({column} AS TEXT), '')")).collect();
        // No value of ours has the unit separator.
        let separator = if matches!(conn, Conn::Sqlite(_)) { "char(31)" } else { "chr(31)" };
        let joined = parts.join(&format!(" || {separator} || "));
        let found = conn.texts(format!("SELECT {joined} FROM {table}")).await;
        for one in found.into_iter().flatten() {
            let values = columns.iter().cloned().zip(one.split('\u{1f}').map(str::to_owned));
            rows.push(Row { table: table.clone(), values: values.collect() });
        }
    }
    rows
}

/// Everything that opens with these master keys, in the place of what was sealed.
pub(crate) fn opened(rows: &[Row], ring: &Keyring) -> Vec<Row> {
    opened_by(rows, rows, ring)
}

/// Everything that opens with the keys that are in these other rows.
pub(crate) fn opened_by(rows: &[Row], keys_in: &[Row], ring: &Keyring) -> Vec<Row> {
    let mut keys = Vec::new();
    for row in keys_in {
        let place = match row.table.as_str() {
            "sessions" => "session",
            "accounts" => "account-data",
            "statutory_keys" => "statutory",
            _ => continue,
        };
        let id = row.values.get("id").unwrap_or_else(|| &row.values["account"]);
        let place = format!("{place}:{id}");
        keys.extend(ring.unwrap(&row.values["data_key"], &place).ok());
    }
    let mut clear = Vec::new();
    for row in rows {
        let mut values = BTreeMap::new();
        for (column, sealed) in &row.values {
            let found = contexts(row, column)
                .iter()
                .flat_map(|place| keys.iter().map(move |key| (key, place)))
                .find_map(|(key, place)| open(key, sealed, place));
            values.extend(found.map(|text| (column.clone(), text)));
        }
        if !values.is_empty() {
            clear.push(Row { table: row.table.clone(), values });
        }
    }
    clear
}

/// For which places what stands there may be sealed.
fn contexts(row: &Row, column: &str) -> Vec<String> {
    let value = |name: &str| row.values.get(name).cloned().unwrap_or_default();
    let place = match (row.table.as_str(), column) {
        ("participants", "identifier" | "name") => format!("{column}:{}", value("id")),
        ("interactions", "words") => format!("words:{}", value("id")),
        ("text_findings", "original") => format!("original:{}", value("interaction")),
        ("reports", "note") => format!("{}/note", value("id")),
        ("reports", "decision_note") => format!("{}/decision", value("id")),
        ("verifications", "number") => format!("verification-number:{}", value("id")),
        ("verification_sends", "spoken") => {
            format!("verification-spoken:{}:{}", value("verification"), value("number"))
        }
        ("cleared_opt_outs", "proof") => format!("{}/proof", value("id")),
        ("legal_holds", "case_id") => format!("legal-hold-case:{}", value("id")),
        ("legal_holds", "reason") => format!("legal-hold-reason:{}", value("id")),
        ("disclosures", "case_id") => format!("disclosure-case:{}", value("id")),
        ("disclosures", "reason") => format!("disclosure-reason:{}", value("id")),
        ("exports", "filters") => format!("export-filters:{}", value("id")),
        ("export_chunks", "body") => {
            format!("export-chunk:{}:{}", value("export"), value("seq"))
        }
        ("statutory_records", "facts") => format!("statutory-record:{}", value("id")),
        ("media", "address") => format!("media:{}", value("id")),
        ("inbox", "answer") => {
            format!("inbox:{}:{}:{}", value("carrier"), value("kind"), value("event"))
        }
        ("outbox", "payload") => format!("outbox:{}", value("id")),
        ("idempotency", "answer") => format!("idempotency:{}", value("key")),
        ("call_scripts", "state") => format!("script:{}", value("leg")),
        ("audit", "reason") => format!("audit/{}/{}/reason", value("account"), value("seq")),
        _ => return Vec::new(),
    };
    vec![place]
}

fn open(key: &DataKey, sealed: &str, place: &str) -> Option<String> {
    let number = || key.open_identifier(sealed, place).ok().map(|one| one.expose().to_owned());
    let body = || key.open_body(sealed, place).ok().map(|one| one.expose().to_owned());
    let bytes = || {
        let plain = key.open(sealed, place).ok()?;
        Some(String::from_utf8_lossy(plain.expose()).into_owned())
    };
    key.open_text(sealed, place).ok().or_else(number).or_else(body).or_else(bytes)
}
