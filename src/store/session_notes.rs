//! What staff note of a session, sealed under its data key, and the case that it belongs to. A note is written once
//! and never changed; it goes with its session, and when somebody of it is erased.

use super::{Error, Tx, db::on, sessions::Page, sessions::paged};
use crate::{
    domain::{case::CaseId, message::Body, time::Timestamp},
    ids::{AccountId, SessionId, SessionNoteId, StaffId},
    privacy::DataKey,
};

/// A note.
#[derive(Debug, Clone)]
pub struct Note {
    /// Its id.
    pub id: SessionNoteId,
    /// Who wrote it.
    pub staff: StaffId,
    /// What it says; `None` where it can't be opened.
    pub body: Option<Body>,
    /// When it was written.
    pub created_at: Timestamp,
}

fn context(id: &SessionNoteId) -> String {
    format!("session_note:{id}")
}

/// Adds one. `key` is its session's.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    session: &SessionId,
    (id, staff, body): (&SessionNoteId, &StaffId, &Body),
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO session_notes (account, id, session, staff, body, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let sealed = key.seal_body(body, &context(id));
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(session)
            .bind(staff)
            .bind(&sealed)
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// A page of a session's notes, newest first. `key` is its own.
pub async fn of_session(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    session: &SessionId,
    page: &Page,
) -> Result<Vec<Note>, Error> {
    type Row = (SessionNoteId, StaffId, String, i64);
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT id, staff, body, created_at FROM session_notes WHERE account = ",
        );
        q.push_bind(account).push(" AND session = ").push_bind(session);
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    let note = |(id, staff, sealed, at): Row| Note {
        body: key.open_body(&sealed, &context(&id)).ok(),
        id,
        staff,
        created_at: Timestamp::from_millis(at),
    };
    Ok(rows.into_iter().map(note).collect())
}

/// Forgets a session's notes and its case.
pub async fn withdraw(tx: &mut Tx, account: &AccountId, session: &SessionId) -> Result<(), Error> {
    const NOTES: &str = "DELETE FROM session_notes WHERE account = $1 AND session = $2";
    on!(tx, |conn| {
        sqlx::query(NOTES).bind(account).bind(session).execute(conn).await?;
    });
    drop_case(tx, account, session).await
}

/// The case of a session, if it has one.
pub async fn case_of(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
) -> Result<Option<CaseId>, Error> {
    const SQL: &str = "SELECT case_id FROM session_cases WHERE account = $1 AND session = $2";
    let text: Option<String> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(session)
        .fetch_optional(conn)
        .await?);
    Ok(text.as_deref().and_then(CaseId::parse))
}

/// Says which case a session belongs to. The caller holds its lock.
pub async fn set_case(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    case: &CaseId,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO session_cases (account, session, case_id, set_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account, session)
        DO UPDATE SET case_id = excluded.case_id, set_at = excluded.set_at";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(session)
            .bind(case.as_str())
            .bind(now.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Forgets which case a session belongs to.
pub async fn drop_case(tx: &mut Tx, account: &AccountId, session: &SessionId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM session_cases WHERE account = $1 AND session = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(session).execute(conn).await?;
    });
    Ok(())
}
