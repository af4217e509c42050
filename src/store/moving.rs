//! Moves a whole database to another one, of either engine: holds writes off, copies, and compares.
//!
//! Values travel as text, so that one form of hash holds on both engines. What keeps writes off are
//! triggers: they bind every process that uses the database, at once, and cost nothing before.

use std::fmt::Write as _;

use ring::digest::{Context, SHA256};
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Db, Error, Tx, backup,
    db::{Conn, on},
    meta,
    open::MIGRATOR,
    rewrap,
};

/// Stands while a database is being moved, and for ever once it was: then with where to.
const MOVING: &str = "moving";
/// Facts of `meta` that are about one database and not about what it holds.
const OF_THE_PLACE: &str =
    "('home', 'copy_of_epoch', 'moving', 'high_water_mark', 'oldest_schema')";
/// How many values one statement binds at most; both engines take three times as many.
const VALUES_MAX: usize = 10_000;
/// How many rows one statement reads or writes at most.
const ROWS_MAX: usize = 200;
const OPERATIONS: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

/// What a table held, in a form that does not depend on the engine or on the order of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The table.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// The sum of the rows' SHA-256, in hex.
    pub hash: String,
}

/// Where a move stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Under way, or broken off.
    UnderWay,
    /// Done: where to, without credentials.
    Done(String),
}

/// Whether the database is being moved or was.
pub async fn standing(tx: &mut Tx) -> Result<Option<Standing>, Error> {
    Ok(meta::get(tx, MOVING)
        .await?
        .map(|to| if to.is_empty() { Standing::UnderWay } else { Standing::Done(to) }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Bigint,
    Boolean,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    kind: Type,
    /// Its place in the primary key, from 1; 0 outside of it.
    key: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    name: String,
    columns: Vec<Column>,
}

fn sql(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}

async fn execute(tx: &mut Tx, text: String) -> Result<(), Error> {
    let text = sql(text);
    on!(tx, |conn| {
        sqlx::query(text).execute(conn).await?;
    });
    Ok(())
}

/// Our tables in the order in which they were made, parents first; all that there are, but for
/// `_sqlx_migrations`.
async fn tables(tx: &mut Tx) -> Result<Vec<Table>, Error> {
    let mut there = backup::tables(tx).await?;
    there.retain(|table| table != "_sqlx_migrations");
    let mut tables = Vec::new();
    for migration in MIGRATOR.iter() {
        for definition in migration.sql.as_str().split("CREATE TABLE ").skip(1) {
            let name = definition.split(' ').next().unwrap_or_default();
            if let Some(place) = there.iter().position(|table| table == name) {
                let name = there.swap_remove(place);
                let columns = columns(tx, &name).await?;
                tables.push(Table { name, columns });
            }
        }
    }
    match there.first() {
        Some(table) => Err(Error::Statement(format!("the table {table} is none of ours"))),
        None => Ok(tables),
    }
}

async fn columns(tx: &mut Tx, table: &str) -> Result<Vec<Column>, Error> {
    const SQLITE: &str = "SELECT name, lower(type), pk FROM pragma_table_info($1) ORDER BY name";
    const POSTGRES: &str = "
        SELECT CAST(c.column_name AS TEXT), CAST(c.data_type AS TEXT), CAST(COALESCE((
            SELECT k.ordinal_position FROM information_schema.key_column_usage k
            JOIN information_schema.table_constraints t
              ON t.constraint_schema = k.constraint_schema AND t.constraint_name = k.constraint_name
            WHERE t.constraint_type = 'PRIMARY KEY' AND k.table_schema = c.table_schema
              AND k.table_name = c.table_name AND k.column_name = c.column_name), 0) AS BIGINT)
        FROM information_schema.columns c
        WHERE c.table_schema = current_schema() AND c.table_name = $1
        ORDER BY CAST(c.column_name AS TEXT) COLLATE \"C\"";
    let text = if matches!(tx.conn, Conn::Postgres(_)) { POSTGRES } else { SQLITE };
    let rows: Vec<(String, String, i64)> =
        on!(tx, |conn| sqlx::query_as(text).bind(table).fetch_all(conn).await?);
    rows.into_iter()
        .map(|(name, kind, key)| {
            let kind = match &*kind {
                "text" => Type::Text,
                "bigint" => Type::Bigint,
                "boolean" => Type::Boolean,
                _ => return Err(Error::Statement(format!("{table}.{name} has a strange type"))),
            };
            Ok(Column { name, kind, key })
        })
        .collect()
}

impl Table {
    /// The columns of the primary key, in its order.
    fn key(&self) -> Vec<(usize, &Column)> {
        let mut key: Vec<_> =
            self.columns.iter().enumerate().filter(|(_, column)| column.key > 0).collect();
        key.sort_by_key(|(_, column)| column.key);
        key
    }

    fn page(&self) -> usize {
        (VALUES_MAX / self.columns.len().max(1)).clamp(1, ROWS_MAX)
    }

    /// Reads a page of rows as texts, behind a row whose key is bound if there was one.
    fn select(&self, first: bool) -> String {
        let mut text = String::from("SELECT ");
        for (place, Column { name, kind, .. }) in self.columns.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            let _ = match kind {
                Type::Boolean => write!(
                    text,
                    "{comma}CASE WHEN {name} THEN 'true' WHEN NOT {name} THEN 'false' END"
                ),
                Type::Text => write!(text, "{comma}{name}"),
                Type::Bigint => write!(text, "{comma}CAST({name} AS TEXT)"),
            };
        }
        let key = self.key();
        let names: Vec<&str> = key.iter().map(|(_, column)| &*column.name).collect();
        let names = names.join(", ");
        let _ = write!(text, " FROM {} WHERE 1 = 1", self.name);
        if self.name == "meta" {
            let _ = write!(text, " AND name NOT IN {OF_THE_PLACE}");
        }
        if !first {
            let bound: Vec<String> =
                (1..).zip(&key).map(|(place, (_, column))| column.kind.cast(place, true)).collect();
            let _ = write!(text, " AND ({names}) > ({})", bound.join(", "));
        }
        // With the table's name: alone, a name means what was selected under it, and that is a text.
        let order: Vec<String> =
            key.iter().map(|(_, column)| format!("{}.{}", self.name, column.name)).collect();
        let _ = write!(text, " ORDER BY {} LIMIT {}", order.join(", "), self.page());
        text
    }

    fn insert(&self, rows: usize, postgres: bool) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| &*column.name).collect();
        let mut text = format!("INSERT INTO {} ({}) VALUES ", self.name, names.join(", "));
        let mut place = 0;
        for row in 0..rows {
            text.push_str(if row > 0 { ", (" } else { "(" });
            for (at, column) in self.columns.iter().enumerate() {
                place += 1;
                text.push_str(if at > 0 { ", " } else { "" });
                text.push_str(&column.kind.cast(place, postgres));
            }
            text.push(')');
        }
        text
    }
}

impl Type {
    /// The text that is bound at `place`, as a value of the type.
    fn cast(self, place: usize, postgres: bool) -> String {
        match self {
            Self::Text => format!("CAST(${place} AS TEXT)"),
            Self::Bigint => format!("CAST(${place} AS BIGINT)"),
            Self::Boolean if postgres => format!("CAST(${place} AS BOOLEAN)"),
            Self::Boolean => format!("CASE ${place} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"),
        }
    }
}

type Texts = Vec<Option<String>>;

/// The next page behind `after`.
async fn read(tx: &mut Tx, table: &Table, after: Option<&Texts>) -> Result<Vec<Texts>, Error> {
    let text = sql(table.select(after.is_none()));
    let key: Vec<Option<String>> = after.map_or_else(Vec::new, |row| {
        table.key().into_iter().map(|(place, _)| row[place].clone()).collect()
    });
    let count = table.columns.len();
    Ok(on!(tx, |conn| {
        let mut query = sqlx::query(text);
        for value in &key {
            query = query.bind(value);
        }
        let rows = query.fetch_all(conn).await?;
        rows.iter()
            .map(|row| (0..count).map(|place| row.try_get(place)).collect())
            .collect::<Result<Vec<Texts>, sqlx::Error>>()?
    }))
}

async fn write(tx: &mut Tx, table: &Table, rows: &[Texts]) -> Result<(), Error> {
    let text = sql(table.insert(rows.len(), matches!(tx.conn, Conn::Postgres(_))));
    on!(tx, |conn| {
        let mut query = sqlx::query(text);
        for value in rows.iter().flatten() {
            query = query.bind(value);
        }
        query.execute(conn).await?;
    });
    Ok(())
}

/// Adds up rows, in any order.
#[derive(Default)]
struct Adder {
    rows: u64,
    lanes: [u64; 4],
}

impl Adder {
    fn add(&mut self, row: &Texts) {
        let mut context = Context::new(&SHA256);
        for value in row {
            // With its length, so that no two rows have the same bytes.
            match value {
                Some(text) => {
                    context.update(&(text.len() as u64).to_be_bytes());
                    context.update(text.as_bytes());
                }
                None => context.update(&u64::MAX.to_be_bytes()),
            }
        }
        let digest = context.finish();
        for (lane, bytes) in self.lanes.iter_mut().zip(digest.as_ref().as_chunks::<8>().0) {
            *lane = lane.wrapping_add(u64::from_be_bytes(*bytes));
        }
        self.rows += 1;
    }

    fn sum(self, table: &Table) -> Sum {
        let hash = self.lanes.iter().fold(String::new(), |mut hash, lane| {
            let _ = write!(hash, "{lane:016x}");
            hash
        });
        Sum { table: table.name.clone(), rows: self.rows, hash }
    }
}

/// Reads a table from end to end, writes it to `to` if there is one, and adds it up.
async fn walk(from: &mut Tx, mut to: Option<&mut Tx>, table: &Table) -> Result<Sum, Error> {
    let mut adder = Adder::default();
    let mut after: Option<Texts> = None;
    loop {
        let rows = read(from, table, after.as_ref()).await?;
        let Some(last) = rows.last() else { return Ok(adder.sum(table)) };
        for row in &rows {
            adder.add(row);
        }
        if let Some(to) = to.as_deref_mut() {
            write(to, table, &rows).await?;
        }
        after = Some(last.clone());
    }
}

/// What every table holds.
pub async fn sums(tx: &mut Tx) -> Result<Vec<Sum>, Error> {
    let mut sums = Vec::new();
    for table in tables(tx).await? {
        sums.push(walk(tx, None, &table).await?);
    }
    Ok(sums)
}

/// Keeps every write off the database, in every process: each fails at once, as if the database
/// were away. Reads go on.
pub async fn hold_writes(tx: &mut Tx) -> Result<(), Error> {
    const RAISE: &str = "
        CREATE OR REPLACE FUNCTION entremise_moving() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''the database is being moved'' USING ERRCODE = ''57000''; END'";
    let postgres = matches!(tx.conn, Conn::Postgres(_));
    if postgres {
        execute(tx, RAISE.to_owned()).await?;
    }
    for Table { name, .. } in tables(tx).await?.into_iter().filter(|table| table.name != "meta") {
        for operation in OPERATIONS {
            let text = if postgres {
                format!(
                    "CREATE TRIGGER moving_{operation} BEFORE {operation} ON {name}
                     FOR EACH STATEMENT EXECUTE FUNCTION entremise_moving()"
                )
            } else {
                format!(
                    "CREATE TRIGGER moving_{name}_{operation} BEFORE {operation} ON {name}
                     BEGIN SELECT RAISE(ABORT, 'the database is being moved'); END"
                )
            };
            execute(tx, text).await?;
        }
    }
    meta::set(tx, MOVING, "").await
}

/// Lets writes in again, as if nothing had been.
pub async fn release_writes(tx: &mut Tx) -> Result<(), Error> {
    let postgres = matches!(tx.conn, Conn::Postgres(_));
    for Table { name, .. } in tables(tx).await? {
        for operation in OPERATIONS {
            let text = if postgres {
                format!("DROP TRIGGER IF EXISTS moving_{operation} ON {name}")
            } else {
                format!("DROP TRIGGER IF EXISTS moving_{name}_{operation}")
            };
            execute(tx, text).await?;
        }
    }
    if postgres {
        execute(tx, "DROP FUNCTION IF EXISTS entremise_moving()".to_owned()).await?;
    }
    meta::delete(tx, MOVING).await
}

/// Notes for ever where the database went. Writes stay held off.
pub async fn set_moved(tx: &mut Tx, to: &str) -> Result<(), Error> {
    meta::set(tx, MOVING, to).await
}

/// Copies all of `from`, whose writes are held off, into the open transaction, and compares what
/// was read with what can be read back; what every table held.
///
/// # Errors
/// [`Error::Statement`] if the target is not empty, has another schema, or reads back otherwise.
pub async fn copy(from: &Db, to: &mut Tx) -> Result<Vec<Sum>, Error> {
    let ours = tables(to).await?;
    if !rewrap::any_account(to).await? {
        // Whoever opened it once has left there which master keys they had. The source's come instead.
        for table in ["key_holders", "lasting_secrets", "master_keys"] {
            execute(to, format!("DELETE FROM {table}")).await?;
        }
    }
    if let Some(full) = sums(to).await?.into_iter().find(|sum| sum.rows > 0) {
        return Err(Error::Statement(format!("the target is not empty: {} has rows", full.table)));
    }
    let mut source = from.read().await?;
    let theirs = tables(&mut source).await?;
    if ours != theirs {
        return Err(Error::Statement("the target has another schema".into()));
    }
    let mut read = Vec::new();
    for table in &theirs {
        read.push(walk(&mut source, Some(to), table).await?);
    }
    drop(source);
    let written = sums(to).await?;
    match read.iter().zip(&written).find(|(read, written)| read != written) {
        Some((read, _)) => {
            Err(Error::Statement(format!("the target reads back otherwise: {}", read.table)))
        }
        None => Ok(read),
    }
}
