//! One SQL text on SQLite and PostgreSQL; identifiers, names, bodies and stored answers are sealed
//! at this boundary.
//!
//! Rules of this folder:
//! - placeholders are `$N`; columns are TEXT, BIGINT or BOOLEAN; instants are milliseconds;
//! - nothing computes inside SQL what an argument can say: no `now()`, no random ids;
//! - every `ORDER BY` is total; no SQL looks inside JSON;
//! - each query is a free function that takes `&mut Tx`, with one `const SQL`;
//! - inside a transaction nothing is awaited but the database;
//! - rows are private structs; bad data is [`Error::Inconsistent`] with table and column.

pub mod accounts;
pub mod api_requests;
pub mod audit;
pub mod backup;
mod ballast;
pub mod besides;
pub mod blocks;
pub mod budgets;
pub mod calls_open;
pub mod carrier_records;
pub mod charges;
pub mod circulation;
mod db;
pub mod deliveries;
pub mod disclosures;
pub mod durability;
pub mod echoes;
pub mod endpoints;
mod epoch;
pub mod erasing;
mod erasure_list;
pub mod erasures;
pub mod event_list;
pub mod events;
pub mod exporting;
pub mod exports;
pub mod fence;
pub mod first_texts;
pub mod holds;
pub mod hours;
pub mod idempotency;
pub mod inbox;
mod inspect;
pub mod interactions;
mod lanes;
pub mod legal_holds;
pub mod legs;
pub mod long_texts;
pub mod master_keys;
pub mod media;
pub mod meetings;
pub mod meta;
mod mishaps;
pub mod moderation;
pub mod moving;
pub mod number_list;
pub mod number_move_steps;
pub mod number_moves;
pub mod number_orders;
pub mod numbers;
mod old;
mod open;
pub mod opt_outs;
pub mod outbox;
pub mod participants;
pub mod pauses;
pub mod pins;
pub mod pool_counts;
pub mod probes;
pub mod reach;
pub mod received;
pub mod reconciled;
pub mod recordings;
pub mod reports;
pub mod retention;
pub mod rewrap;
pub mod rings;
pub mod scripts;
pub mod services;
pub mod session_notes;
pub mod sessions;
pub mod staff;
pub mod statutory;
pub mod tallies;
#[cfg(test)]
mod tests;
pub mod text_findings;
mod time;
pub mod trails;
mod turn;
pub mod verification_limits;
pub mod verifications;
pub mod verified_people;
mod writer;

pub use db::{Db, DbOptions, Engine, Failure, ServeLock, Tx};
pub use epoch::EpochFile;
pub use erasure_list::ErasureList;
pub use inspect::{Inspection, Schema};
pub use lanes::Lane;
pub use mishaps::{Mishap, Mishaps};

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with the same key is there already.
    #[error("a row with the same key exists")]
    Conflict,
    /// Another transaction held a row for too long.
    #[error("a row stayed locked for too long")]
    Locked,
    /// The database can't be reached or does not answer. Nothing was acknowledged.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// A statement failed for a reason that trying again does not mend.
    #[error("the database refused a statement: {0}")]
    Statement(String),
    /// Stored data that our types can't hold.
    #[error("bad data in {table}.{column}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A value could not be sealed or opened: a wrong master key, or damage.
    #[error("sealed data: {0}")]
    Sealed(#[from] crate::privacy::Error),
    /// These master keys open what is in it, and may not be used here, or not yet.
    #[error("{0}")]
    Keys(#[from] master_keys::Refusal),
    /// The transaction lost against another; it will be run again.
    #[error("the transaction must be run again")]
    Transient,
    /// The transaction's work panicked; it was rolled back.
    #[error("a panic inside a transaction")]
    Panicked,
}

impl From<sqlx::Error> for Error {
    // The driver's texts may quote values of a row: only codes and kinds are kept.
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(db) if db.is_unique_violation() => Self::Conflict,
            sqlx::Error::Database(db) => {
                let code = db.code().unwrap_or_default();
                match db.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
                    Some(_) => of_sqlite(&code),
                    None => of_postgres(&code),
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_) => Self::Unavailable(kind_of(&error).into()),
            other => Self::Statement(kind_of(other).into()),
        }
    }
}

impl Error {
    /// Whether SQLite found no room: the disk is full, or its quota is used up, for the log or for
    /// the index of the log.
    fn is_full(&self) -> bool {
        matches!(self, Self::Unavailable(code) if ["13", "778", "4874"].contains(&code.as_str()))
    }
}

fn of_postgres(code: &str) -> Error {
    match code {
        // Serialization failure, deadlock.
        "40001" | "40P01" => Error::Transient,
        // Not had within `lock_timeout`.
        "55P03" => Error::Locked,
        // Read-only, as a standby is; idle for too long inside a transaction.
        "25006" | "25P03" => Error::Unavailable(code.into()),
        // The classes of lost connections, too few resources (disk, memory, connections),
        // an operator's intervention (shutdown, time-out) and faults of the system below.
        _ if ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) => {
            Error::Unavailable(code.into())
        }
        _ => Error::Statement(code.into()),
    }
}

fn of_sqlite(code: &str) -> Error {
    // A trigger's: the database is being moved, or was.
    if code == "1811" {
        return Error::Unavailable(code.into());
    }
    // An extended code has its primary one in the low byte.
    match code.parse::<u32>().map(|code| code & 0xff) {
        // Busy, out of memory, read-only, I/O error, full, cannot open.
        Ok(5 | 7 | 8 | 10 | 13 | 14) => Error::Unavailable(code.into()),
        _ => Error::Statement(code.into()),
    }
}

fn kind_of(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(_) => "connection lost",
        sqlx::Error::Tls(_) => "TLS failed",
        sqlx::Error::PoolTimedOut => "no connection was free in time",
        sqlx::Error::PoolClosed => "shut down",
        sqlx::Error::WorkerCrashed => "the database's thread ended",
        sqlx::Error::Protocol(_) => "the server answered out of protocol",
        sqlx::Error::RowNotFound => "a row that must be there is not",
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => "a column has another type",
        sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            "a column is missing"
        }
        sqlx::Error::Configuration(_) => "the address is malformed",
        _ => "driver error",
    }
}

/// Reads a value of a closed set from its column, or says which column is bad.
macro_rules! from_text {
    ($table:literal . $column:literal, $parse:expr, $text:expr) => {
        $parse($text).ok_or($crate::store::Error::Inconsistent { table: $table, column: $column })
    };
}
pub(crate) use from_text;
