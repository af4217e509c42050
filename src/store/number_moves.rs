//! Moves of sessions off a number: what is asked for, and how far each has come.

use super::{Error, Tx, db::on, from_text, holds::dialled, numbers::Number, old::forget};
use crate::{
    domain::{
        number_move::{MoveState, Why},
        time::Timestamp,
    },
    ids::{AccountId, MoveId, NumberId, ParticipantId, SessionId},
};

/// What sessions are moved off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Off {
    /// One number.
    Number(NumberId),
    /// Every number of a carrier, by its id in the configuration.
    Carrier(String),
}

impl Off {
    const fn number(&self) -> Option<&NumberId> {
        match self {
            Self::Number(id) => Some(id),
            Self::Carrier(_) => None,
        }
    }

    const fn carrier(&self) -> Option<&String> {
        match self {
            Self::Number(_) => None,
            Self::Carrier(id) => Some(id),
        }
    }
}

/// How many people came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// They dial a new number.
    pub moved: i64,
    /// They still dial the old one.
    pub kept: i64,
    /// They dial the old one again.
    pub undone: i64,
    /// They were moved, and could not be moved back.
    pub not_undone: i64,
}

/// Up to where sessions were looked at; empty texts at the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The number that is being looked at.
    pub number: String,
    /// The last of its sessions that was.
    pub session: String,
}

/// A move of sessions off a number.
#[derive(Debug, Clone)]
pub struct Move {
    /// Its id.
    pub id: MoveId,
    /// What they are moved off.
    pub off: Off,
    /// The number that they all get; `None` for what the pool has.
    pub to_number: Option<NumberId>,
    /// The carrier that the number itself has come to.
    pub to_carrier: Option<String>,
    /// The carrier that it came from.
    pub was_carrier: Option<String>,
    /// Why.
    pub why: Why,
    /// Whether people are told; `None` where each service says.
    pub tell: Option<bool>,
    /// How far it has come.
    pub state: MoveState,
    /// Up to where sessions were looked at.
    pub cursor: Cursor,
    /// What came of it so far.
    pub tally: Tally,
    /// Grows with each change.
    pub version: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was done, or undone.
    pub ended_at: Option<Timestamp>,
    /// The one person whom it is about: the number stays in circulation. `None` for everybody.
    pub participant: Option<ParticipantId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: MoveId,
    number_id: Option<NumberId>,
    carrier: Option<String>,
    to_number_id: Option<NumberId>,
    to_carrier: Option<String>,
    was_carrier: Option<String>,
    why: String,
    tell: Option<bool>,
    state: String,
    at_number: String,
    at_session: String,
    moved: i64,
    kept: i64,
    undone: i64,
    not_undone: i64,
    version: i64,
    created_at: i64,
    updated_at: i64,
    ended_at: Option<i64>,
    participant: Option<ParticipantId>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, number_id, carrier, to_number_id, to_carrier, was_carrier, why, tell, state, \
             at_number, at_session, moved, kept, undone, not_undone, version, created_at, \
             updated_at, ended_at, participant FROM number_moves WHERE ",
            $rest
        )
    };
}

impl TryFrom<Row> for Move {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let off = match (row.number_id, row.carrier) {
            (Some(number), None) => Off::Number(number),
            (None, Some(carrier)) => Off::Carrier(carrier),
            _ => return Err(Error::Inconsistent { table: "number_moves", column: "carrier" }),
        };
        Ok(Self {
            id: row.id,
            off,
            to_number: row.to_number_id,
            to_carrier: row.to_carrier,
            was_carrier: row.was_carrier,
            why: from_text!("number_moves"."why", Why::parse, &row.why)?,
            tell: row.tell,
            state: from_text!("number_moves"."state", MoveState::parse, &row.state)?,
            cursor: Cursor { number: row.at_number, session: row.at_session },
            tally: Tally {
                moved: row.moved,
                kept: row.kept,
                undone: row.undone,
                not_undone: row.not_undone,
            },
            version: row.version,
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
            ended_at: row.ended_at.map(Timestamp::from_millis),
            participant: row.participant,
        })
    }
}

/// Notes a move that is to be done, or that was done for one person.
pub async fn insert(tx: &mut Tx, account: &AccountId, new: &Move) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO number_moves (account, id, number_id, carrier, to_number_id, to_carrier,
            was_carrier, why, tell, state, at_number, at_session, moved, kept, undone, not_undone,
            version, created_at, updated_at, ended_at, participant)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', '', $13, 0, 0, 0, $11, $12, $12, $14, $15)";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&new.id)
            .bind(new.off.number())
            .bind(new.off.carrier())
            .bind(&new.to_number)
            .bind(&new.to_carrier)
            .bind(&new.was_carrier)
            .bind(new.why.as_str())
            .bind(new.tell)
            .bind(new.state.as_str())
            .bind(new.version)
            .bind(new.created_at.millis())
            .bind(new.tally.moved)
            .bind(new.ended_at.map(Timestamp::millis))
            .bind(&new.participant)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The move with that id.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &MoveId) -> Result<Option<Move>, Error> {
    const SQL: &str = select!("account = $1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Move::try_from).transpose()
}

/// Whose a move is. For commands: it reads every move.
pub async fn account_of(tx: &mut Tx, id: &MoveId) -> Result<Option<AccountId>, Error> {
    const SQL: &str = "SELECT account FROM number_moves WHERE id = $1";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(id).fetch_optional(conn).await?))
}

/// Moves after `after`, in order of their ids, `limit` at most.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    after: &str,
    limit: i64,
) -> Result<Vec<Move>, Error> {
    const SQL: &str = select!("account = $1 AND id > $2 ORDER BY id LIMIT $3");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Move::try_from).collect()
}

/// The account's last moves, newest first, `limit` at most.
pub async fn latest(tx: &mut Tx, account: &AccountId, limit: i64) -> Result<Vec<Move>, Error> {
    const SQL: &str = select!("account = $1 ORDER BY id DESC LIMIT $2");
    let rows: Vec<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(Move::try_from).collect()
}

/// Moves that a worker goes on with, over all accounts, those that have waited longest first, `limit` at
/// most.
pub async fn open(tx: &mut Tx, limit: i64) -> Result<Vec<(AccountId, MoveId)>, Error> {
    const SQL: &str = "
        SELECT account, id FROM number_moves WHERE state IN ('running', 'undoing')
        ORDER BY updated_at, account, id LIMIT $1";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(limit).fetch_all(conn).await?))
}

/// Notes that sessions were looked at up to `cursor`, and what came of it, if the move is still in
/// that state; whether it was. Of two workers the one that is behind takes nothing back.
pub async fn advance(
    tx: &mut Tx,
    account: &AccountId,
    at: (&MoveId, MoveState),
    cursor: &Cursor,
    tally: Tally,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE number_moves SET moved = moved + $6, kept = kept + $7, undone = undone + $8,
            not_undone = not_undone + $9, version = version + 1, updated_at = $10,
            at_session = CASE WHEN at_number < $4 THEN $5
                WHEN at_number = $4 AND at_session < $5 THEN $5 ELSE at_session END,
            at_number = CASE WHEN at_number < $4 THEN $4 ELSE at_number END
        WHERE account = $1 AND id = $2 AND state = $3";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(at.0)
        .bind(at.1.as_str())
        .bind(&cursor.number)
        .bind(&cursor.session)
        .bind(tally.moved)
        .bind(tally.kept)
        .bind(tally.undone)
        .bind(tally.not_undone)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Brings a move from one state to another, and back to its beginning; whether it was in the one.
pub async fn turn(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
    [from, to]: [MoveState; 2],
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE number_moves SET state = $4, at_number = '', at_session = '',
            version = version + 1, updated_at = $5, ended_at = $6
        WHERE account = $1 AND id = $2 AND state = $3";
    let ended = (!to.is_open()).then_some(now.millis());
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(now.millis())
        .bind(ended)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Whether somebody dials a number that a move is off, in a session that puts people through, and was not
/// looked at.
pub async fn is_left(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM (SELECT 1 FROM numbers n
            JOIN participants p ON p.account = n.account AND p.number_id = n.id
              AND p.removed_at IS NULL
            JOIN sessions s ON s.account = p.account AND s.id = p.session
              AND s.state <> 'closed' AND s.deleted_at IS NULL AND s.expires_at > $5
            JOIN services v ON v.account = s.account AND v.id = s.service AND v.deleted_at IS NULL
            WHERE n.account = $1 AND n.state <> 'retired' AND (n.id = $3 OR n.carrier = $4)
              AND NOT EXISTS (SELECT 1 FROM number_move_steps t
                WHERE t.account = $1 AND t.move_id = $2 AND t.participant = p.id)
            LIMIT 1) AS found";
    let found: i64 = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(&row.id)
        .bind(row.off.number())
        .bind(row.off.carrier())
        .bind(now.millis())
        .fetch_one(conn)
        .await?);
    Ok(found > 0)
}

/// A move that was begun after this one and that a number left, or is leaving, by it.
pub async fn later_off(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
    number: &Number,
) -> Result<Option<MoveId>, Error> {
    const SQL: &str = "
        SELECT id FROM number_moves
        WHERE account = $1 AND id > $2 AND state IN ('running', 'done') AND participant IS NULL
          AND ((number_id = $3 AND to_carrier IS NULL) OR carrier = $4)
        ORDER BY id LIMIT 1";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(id)
        .bind(&number.id)
        .bind(&number.carrier)
        .fetch_optional(conn)
        .await?))
}

/// Whether somebody in a session dials a number of a carrier that comes before this one, and so was found
/// by that already.
pub async fn is_found_before(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    carrier: &str,
    number: &str,
) -> Result<bool, Error> {
    const SQL: &str = "
        SELECT COUNT(*) FROM participants p
        JOIN numbers n ON n.account = p.account AND n.id = p.number_id
        WHERE p.account = $1 AND p.session = $2 AND p.removed_at IS NULL
          AND n.carrier = $3 AND n.id < $4 AND n.state <> 'retired'";
    let found: i64 = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(session)
        .bind(carrier)
        .bind(number)
        .fetch_one(conn)
        .await?);
    Ok(found > 0)
}

/// Forgets moves that ended before `before`, of which no step is left and no number that they took out
/// of circulation; `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM number_moves WHERE (account, id) IN (
            SELECT m.account, m.id FROM number_moves m WHERE m.ended_at < $1
              AND NOT EXISTS (SELECT 1 FROM number_move_steps t
                WHERE t.account = m.account AND t.move_id = m.id)
              AND NOT EXISTS (SELECT 1 FROM numbers n
                WHERE n.account = m.account AND n.drained_by = m.id AND n.state = 'draining')
            ORDER BY m.ended_at, m.account, m.id LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
// The column as a value: SQLite would walk the account's sessions for their order rather than the number's
// holds.
pub(super) const SESSIONS_ON: &str = concat!(
    "SELECT DISTINCT h.session || '' FROM holds h
    WHERE h.account = $1 AND h.number_id = $2 AND h.state = 'open' AND h.session || '' > $3",
    dialled!(),
    " ORDER BY 1 LIMIT $4"
);

/// Sessions after `after` that are not closed and in which somebody dials that number, in order of
/// their ids. Only who holds it now is looked at, however many had it before.
pub async fn sessions_on(
    tx: &mut Tx,
    account: &AccountId,
    number: &NumberId,
    after: &str,
    limit: i64,
) -> Result<Vec<SessionId>, Error> {
    Ok(on!(tx, |conn| sqlx::query_scalar(SESSIONS_ON)
        .bind(account)
        .bind(number)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// The first number of a carrier after `after` that has not left its pool.
pub async fn next_number(
    tx: &mut Tx,
    account: &AccountId,
    carrier: &str,
    after: &str,
) -> Result<Option<NumberId>, Error> {
    const SQL: &str = "
        SELECT id FROM numbers
        WHERE account = $1 AND carrier = $2 AND id > $3 AND state <> 'retired'
        ORDER BY id LIMIT 1";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(carrier)
        .bind(after)
        .fetch_optional(conn)
        .await?))
}

/// The accounts that have numbers of a carrier in use. For commands: it reads every number.
pub async fn accounts_at(tx: &mut Tx, carrier: &str) -> Result<Vec<AccountId>, Error> {
    const SQL: &str = "
        SELECT DISTINCT account FROM numbers WHERE carrier = $1 AND state <> 'retired'
        ORDER BY account";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(carrier).fetch_all(conn).await?))
}
