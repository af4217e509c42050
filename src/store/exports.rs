//! Lists that staff take away as files, made by a job: what was asked, how far it is, and the file in sealed pieces.

use super::{Error, Tx, accounts, db::on, from_text};
use crate::{
    domain::{
        closed_set,
        export::{ExportFormat, ExportList},
        time::Timestamp,
    },
    ids::{AccountId, ExportId, StaffId},
};

closed_set! {
    /// How far an export has come.
    ExportState {
        /// Somebody is at it, or will be.
        Running = "running",
        /// The file is whole.
        Ready = "ready",
        /// It could not be made.
        Failed = "failed",
        /// Whoever asked for it does not want it any more.
        Cancelled = "cancelled",
    }
}

/// An export.
#[derive(Debug, Clone)]
pub struct Export {
    /// The account.
    pub account: AccountId,
    /// Its id.
    pub id: ExportId,
    /// Who asked for it; nobody else gets it.
    pub staff: StaffId,
    /// Of which list.
    pub list: ExportList,
    /// As what file.
    pub format: ExportFormat,
    /// What the list is narrowed to: a JSON object.
    pub filters: String,
    /// How far it is.
    pub state: ExportState,
    /// The last row that is in the file.
    pub last: Option<String>,
    /// How many rows are in the file.
    pub done: i64,
    /// How many there were when it was begun, once that is known.
    pub total: Option<i64>,
    /// How many pieces the file has.
    pub chunks: i64,
    /// Turns that somebody took since the file last grew.
    pub tries: i64,
    /// Grows with each turn.
    pub fence: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the file was whole, or given up.
    pub ended_at: Option<Timestamp>,
    /// When it is deleted.
    pub expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    account: AccountId,
    id: ExportId,
    staff: StaffId,
    list: String,
    format: String,
    filters: String,
    state: String,
    #[sqlx(rename = "last_row")]
    last: Option<String>,
    done: i64,
    total: Option<i64>,
    chunks: i64,
    tries: i64,
    fence: i64,
    created_at: i64,
    ended_at: Option<i64>,
    expires_at: i64,
}

macro_rules! columns {
    () => {
        "account, id, staff, list, format, filters, state, last_row, done, total, chunks, tries, fence, \
         created_at, ended_at, expires_at"
    };
}

fn filters_context(id: &ExportId) -> String {
    format!("export-filters:{id}")
}

fn chunk_context(id: &ExportId, seq: i64) -> String {
    format!("export-chunk:{id}:{seq}")
}

async fn opened(tx: &mut Tx, row: Row) -> Result<Export, Error> {
    let keys = accounts::keys(tx, &row.account).await?;
    Ok(Export {
        filters: keys.data.open_text(&row.filters, &filters_context(&row.id))?,
        list: from_text!("exports"."list", ExportList::parse, &row.list)?,
        format: from_text!("exports"."format", ExportFormat::parse, &row.format)?,
        state: from_text!("exports"."state", ExportState::parse, &row.state)?,
        account: row.account,
        id: row.id,
        staff: row.staff,
        last: row.last,
        done: row.done,
        total: row.total,
        chunks: row.chunks,
        tries: row.tries,
        fence: row.fence,
        created_at: Timestamp::from_millis(row.created_at),
        ended_at: row.ended_at.map(Timestamp::from_millis),
        expires_at: Timestamp::from_millis(row.expires_at),
    })
}

/// An export to begin.
#[derive(Debug)]
pub struct NewExport<'a> {
    /// Its id.
    pub id: &'a ExportId,
    /// Who asks for it.
    pub staff: &'a StaffId,
    /// Of which list.
    pub list: ExportList,
    /// As what file.
    pub format: ExportFormat,
    /// What the list is narrowed to: a JSON object. Sealed here.
    pub filters: &'a str,
    /// Now.
    pub now: Timestamp,
    /// When it is deleted.
    pub expires_at: Timestamp,
}

/// Begins an export.
pub async fn insert(tx: &mut Tx, account: &AccountId, new: &NewExport<'_>) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO exports (account, id, staff, list, format, filters, state, done, chunks, tries,
            fence, lease_until, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'running', 0, 0, 0, 0, 0, $7, $8)";
    let keys = accounts::keys(tx, account).await?;
    let filters = keys.data.seal_text(new.filters, &filters_context(new.id));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(new.id)
            .bind(new.staff)
            .bind(new.list.as_str())
            .bind(new.format.as_str())
            .bind(&filters)
            .bind(new.now.millis())
            .bind(new.expires_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The export with that id.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &ExportId) -> Result<Option<Export>, Error> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM exports WHERE account = $1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    match row {
        Some(row) => opened(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// Somebody's exports in an account that are still there at `now`, the newest first, `limit` at most.
pub async fn of_staff(
    tx: &mut Tx,
    account: &AccountId,
    staff: &StaffId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Export>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM exports WHERE account = $1 AND staff = $2 AND expires_at > $3
        ORDER BY id DESC LIMIT $4"
    );
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(staff)
        .bind(now.millis())
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(opened(tx, row).await?);
    }
    Ok(all)
}

/// How many exports somebody has in an account that run or have a file at `now`.
pub async fn standing(
    tx: &mut Tx,
    account: &AccountId,
    staff: &StaffId,
    now: Timestamp,
) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM exports WHERE account = $1 AND staff = $2 AND expires_at > $3
          AND state IN ('running', 'ready')";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(staff)
        .bind(now.millis())
        .fetch_one(conn)
        .await?))
}

/// Exports that nobody is at, `limit` at most.
pub async fn due(
    tx: &mut Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(AccountId, ExportId)>, Error> {
    const SQL: &str = "
        SELECT account, id FROM exports WHERE state = 'running' AND lease_until <= $1
        ORDER BY lease_until, id LIMIT $2";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(now.millis()).bind(limit).fetch_all(conn).await?))
}

/// Takes a turn at an export until `lease_until`; nothing where somebody else has it, or it has ended.
pub async fn claim(
    tx: &mut Tx,
    account: &AccountId,
    id: &ExportId,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<Export>, Error> {
    const SQL: &str = concat!(
        "UPDATE exports SET fence = fence + 1, tries = tries + 1, lease_until = $4
        WHERE account = $1 AND id = $2 AND state = 'running' AND lease_until <= $3
        RETURNING ",
        columns!()
    );
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(id)
        .bind(now.millis())
        .bind(lease_until.millis())
        .fetch_optional(conn)
        .await?);
    match row {
        Some(row) => opened(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// Notes how many rows there are.
pub async fn set_total(tx: &mut Tx, export: &Export, total: i64) -> Result<(), Error> {
    const SQL: &str = "UPDATE exports SET total = $3 WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(&export.account).bind(&export.id).bind(total).execute(conn).await?;
    });
    Ok(())
}

/// What a file grows by.
#[derive(Debug)]
pub struct Chunk<'a> {
    /// Its lines.
    pub body: &'a str,
    /// How many rows these are.
    pub rows: i64,
    /// The last of them.
    pub last: Option<&'a str>,
    /// Until when whoever wrote it goes on.
    pub lease_until: Timestamp,
    /// When the file is whole, if it is now.
    pub ended: Option<Timestamp>,
}

/// Adds a piece to an export's file; whether the turn was still ours.
pub async fn grow(tx: &mut Tx, export: &Export, chunk: &Chunk<'_>) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE exports SET done = done + $4, chunks = chunks + 1, tries = 0,
            last_row = COALESCE($5, last_row), lease_until = $6, ended_at = $7,
            state = CASE WHEN CAST($7 AS BIGINT) IS NULL THEN state ELSE 'ready' END
        WHERE account = $1 AND id = $2 AND fence = $3 AND state = 'running'
        RETURNING chunks";
    const CHUNK: &str = "
        INSERT INTO export_chunks (account, export, seq, body) VALUES ($1, $2, $3, $4)";
    let seq: Option<i64> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(&export.account)
        .bind(&export.id)
        .bind(export.fence)
        .bind(chunk.rows)
        .bind(chunk.last)
        .bind(chunk.lease_until.millis())
        .bind(chunk.ended.map(Timestamp::millis))
        .fetch_optional(conn)
        .await?);
    let Some(seq) = seq else { return Ok(false) };
    let keys = accounts::keys(tx, &export.account).await?;
    let body = keys.data.seal_text(chunk.body, &chunk_context(&export.id, seq));
    on!(tx, |conn| {
        sqlx::query(CHUNK)
            .bind(&export.account)
            .bind(&export.id)
            .bind(seq)
            .bind(&body)
            .execute(conn)
            .await?;
    });
    Ok(true)
}

/// A piece of an export's file, from 1 on.
pub async fn chunk(
    tx: &mut Tx,
    account: &AccountId,
    id: &ExportId,
    seq: i64,
) -> Result<Option<String>, Error> {
    const SQL: &str =
        "SELECT body FROM export_chunks WHERE account = $1 AND export = $2 AND seq = $3";
    let sealed: Option<String> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(id)
        .bind(seq)
        .fetch_optional(conn)
        .await?);
    let Some(sealed) = sealed else { return Ok(None) };
    let keys = accounts::keys(tx, account).await?;
    Ok(Some(keys.data.open_text(&sealed, &chunk_context(id, seq))?))
}

/// Ends an export that runs, without a file; whether it ran.
pub async fn end(
    tx: &mut Tx,
    account: &AccountId,
    id: &ExportId,
    state: ExportState,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE exports SET state = $3, ended_at = $4
        WHERE account = $1 AND id = $2 AND state = 'running'";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(state.as_str())
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Deletes exports whose time is up, the pieces of their files first; how many rows went, `limit` at most.
pub async fn purge(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<u64, Error> {
    const OVER: &str = "
        SELECT account, id FROM exports
        WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2";
    const CHUNKS: &str = "
        DELETE FROM export_chunks WHERE account = $1 AND export = $2 AND seq IN (
            SELECT seq FROM export_chunks WHERE account = $1 AND export = $2 ORDER BY seq LIMIT $3)";
    const ROW: &str = "DELETE FROM exports WHERE account = $1 AND id = $2";
    let over: Vec<(AccountId, ExportId)> =
        on!(tx, |conn| sqlx::query_as(OVER).bind(now.millis()).bind(limit).fetch_all(conn).await?);
    let most = u64::try_from(limit).unwrap_or(0);
    let mut gone = 0;
    for (account, id) in over {
        let room = limit - i64::try_from(gone).unwrap_or(limit);
        if room <= 0 {
            return Ok(most);
        }
        let chunks = on!(tx, |conn| sqlx::query(CHUNKS)
            .bind(&account)
            .bind(&id)
            .bind(room)
            .execute(conn)
            .await?
            .rows_affected());
        gone += chunks;
        if chunks < u64::try_from(room).unwrap_or(0) {
            on!(tx, |conn| {
                sqlx::query(ROW).bind(&account).bind(&id).execute(conn).await?;
            });
            gone += 1;
        }
    }
    Ok(gone.min(most))
}
