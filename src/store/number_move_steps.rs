//! What became of each person that a move off a number had to do with.

use super::{
    Error, Tx,
    db::on,
    from_text,
    number_moves::{Move, Off},
    old::forget,
};
use crate::{
    domain::{number_move::StepState, time::Timestamp},
    ids::{AccountId, MoveId, NumberId, ParticipantId, SessionId},
};

/// What became of somebody.
#[derive(Debug, Clone)]
pub struct Step {
    /// Their session.
    pub session: SessionId,
    /// Who.
    pub participant: ParticipantId,
    /// What they dialled.
    pub old_number: NumberId,
    /// What they dial instead, if they were moved.
    pub new_number: Option<NumberId>,
    /// What became of them.
    pub state: StepState,
    /// Why not more: a rule of the pool, or a word of the docs.
    pub reason: Option<String>,
    /// When it was done.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    session: SessionId,
    participant: ParticipantId,
    old_number_id: NumberId,
    new_number_id: Option<NumberId>,
    state: String,
    reason: Option<String>,
    created_at: i64,
    updated_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT session, participant, old_number_id, new_number_id, state, reason, created_at, \
             updated_at FROM number_move_steps WHERE account = $1 AND move_id = $2 AND ",
            $rest
        )
    };
}

impl TryFrom<Row> for Step {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            session: row.session,
            participant: row.participant,
            old_number: row.old_number_id,
            new_number: row.new_number_id,
            state: from_text!("number_move_steps"."state", StepState::parse, &row.state)?,
            reason: row.reason,
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
        })
    }
}

/// Notes what became of somebody. The caller holds their session's lock.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
    step: &Step,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO number_move_steps (account, move_id, session, participant, old_number_id,
            new_number_id, state, reason, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(&step.session)
            .bind(&step.participant)
            .bind(&step.old_number)
            .bind(&step.new_number)
            .bind(step.state.as_str())
            .bind(&step.reason)
            .bind(step.created_at.millis())
            .bind(step.updated_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Notes of a session's people who dial a number that a move is off that they stay, without reading what
/// can't be read; how many. The caller has tried to hold their session's lock.
pub async fn insert_unread(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    session: &SessionId,
    reason: &str,
    now: Timestamp,
) -> Result<u64, Error> {
    const SQL: &str = "
        INSERT INTO number_move_steps (account, move_id, session, participant, old_number_id, state,
            reason, created_at, updated_at)
        SELECT p.account, $2, p.session, p.id, p.number_id, 'kept', $6, $7, $7
        FROM participants p JOIN numbers n ON n.account = p.account AND n.id = p.number_id
        WHERE p.account = $1 AND p.session = $3 AND p.removed_at IS NULL
          AND (n.id = $4 OR n.carrier = $5)
        ON CONFLICT DO NOTHING";
    let (number, carrier) = match &row.off {
        Off::Number(id) => (Some(id), None),
        Off::Carrier(id) => (None, Some(id)),
    };
    Ok(on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&row.id)
        .bind(session)
        .bind(number)
        .bind(carrier)
        .bind(reason)
        .bind(now.millis())
        .execute(conn)
        .await?
        .rows_affected()))
}

/// Forgets the steps of moves that ended before `before`, in sessions that are closed or gone, `limit` at
/// most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM number_move_steps WHERE (account, move_id, participant) IN (
            SELECT t.account, t.move_id, t.participant FROM number_moves m
            JOIN number_move_steps t ON t.account = m.account AND t.move_id = m.id
            LEFT JOIN sessions s ON s.account = t.account AND s.id = t.session
            WHERE m.ended_at < $1
              AND (s.id IS NULL OR s.state = 'closed' OR s.deleted_at IS NOT NULL)
            ORDER BY m.ended_at, t.account, t.move_id, t.participant LIMIT $2)";
    forget(tx, SQL, before, limit).await
}

/// Notes what came of moving somebody back. The caller holds their session's lock.
pub async fn update(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
    step: &Step,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE number_move_steps SET state = $4, reason = $5, updated_at = $6
        WHERE account = $1 AND move_id = $2 AND participant = $3";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(&step.participant)
            .bind(step.state.as_str())
            .bind(&step.reason)
            .bind(step.updated_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// What became of a session's people so far.
pub async fn of_session(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
    session: &SessionId,
) -> Result<Vec<Step>, Error> {
    const SQL: &str = select!("session = $3 ORDER BY participant");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(id)
        .bind(session)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Step::try_from).collect()
}

/// Steps after `after`, a participant, in order of their ids, `limit` at most.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
    after: &str,
    limit: i64,
) -> Result<Vec<Step>, Error> {
    const SQL: &str = select!("participant > $3 ORDER BY participant LIMIT $4");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(id)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(Step::try_from).collect()
}

/// Sessions after `after` in which somebody was moved and not yet moved back, in order of their ids.
pub async fn moved_sessions(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
    after: &str,
    limit: i64,
) -> Result<Vec<SessionId>, Error> {
    const SQL: &str = "
        SELECT DISTINCT session FROM number_move_steps
        WHERE account = $1 AND move_id = $2 AND session > $3 AND state = 'moved'
        ORDER BY session LIMIT $4";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(id)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// How many people stayed for each reason, in order of the reasons.
pub async fn reasons(
    tx: &mut Tx,
    account: &AccountId,
    id: &MoveId,
) -> Result<Vec<(String, i64)>, Error> {
    const SQL: &str = "
        SELECT reason, COUNT(*) FROM number_move_steps
        WHERE account = $1 AND move_id = $2 AND reason IS NOT NULL
        GROUP BY reason ORDER BY reason";
    Ok(on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_all(conn).await?))
}
