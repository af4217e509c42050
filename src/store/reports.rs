//! Reports: what somebody of a session says of the other side. Notes are sealed under the session's key.

use super::{
    Error, Tx,
    db::on,
    from_text,
    old::forget,
    sessions::{Page, paged},
};
use crate::{
    domain::{
        message::Body,
        report::{Category, Decision, Source, State},
        time::Timestamp,
    },
    ids::{AccountId, InteractionId, ParticipantId, ReportId, ServiceId, SessionId, StaffId},
    privacy::DataKey,
};

/// A report, without its notes.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its id.
    pub id: ReportId,
    /// The session's service.
    pub service: ServiceId,
    /// The session.
    pub session: SessionId,
    /// Who reports the other side.
    pub reporter: ParticipantId,
    /// Their role.
    pub reporter_role: String,
    /// How it was made.
    pub source: Source,
    /// What sort of thing it is.
    pub category: Category,
    /// What it is about.
    pub interactions: Vec<InteractionId>,
    /// How far it has come.
    pub state: State,
    /// What was decided, once it was.
    pub decision: Option<Decision>,
    /// Who of the staff took it, or decided it.
    pub assignee: Option<StaffId>,
    /// Grows with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was decided.
    pub resolved_at: Option<Timestamp>,
}

/// What somebody wrote of a report.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// By whoever made it.
    pub note: Option<Body>,
    /// By whoever decided it.
    pub decision_note: Option<Body>,
}

/// Which are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this state.
    pub state: Option<State>,
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of this category.
    pub category: Option<Category>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ReportId,
    service: ServiceId,
    session: SessionId,
    reporter: ParticipantId,
    reporter_role: String,
    source: String,
    category: String,
    interactions: String,
    state: String,
    decision: Option<String>,
    assignee: String,
    version: i64,
    created_at: i64,
    resolved_at: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, service, session, reporter, reporter_role, source, category, interactions, \
             state, decision, assignee, version, created_at, resolved_at FROM reports WHERE ",
            $rest
        )
    };
}

impl TryFrom<Row> for Report {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let bad = Error::Inconsistent { table: "reports", column: "interactions" };
        let interactions: Result<_, _> =
            row.interactions.split_whitespace().map(InteractionId::parse).collect();
        let decision = row.decision.as_deref();
        Ok(Self {
            id: row.id,
            service: row.service,
            session: row.session,
            reporter: row.reporter,
            reporter_role: row.reporter_role,
            source: from_text!("reports"."source", Source::parse, &row.source)?,
            category: from_text!("reports"."category", Category::parse, &row.category)?,
            interactions: interactions.map_err(|_| bad)?,
            state: from_text!("reports"."state", State::parse, &row.state)?,
            decision: decision
                .map(|one| from_text!("reports"."decision", Decision::parse, one))
                .transpose()?,
            assignee: StaffId::parse(&row.assignee).ok(),
            version: row.version,
            created_at: Timestamp::from_millis(row.created_at),
            resolved_at: row.resolved_at.map(Timestamp::from_millis),
        })
    }
}

/// What somebody's note is sealed for.
pub(super) fn note_context(id: &str) -> String {
    format!("{id}/note")
}

/// What the note of whoever decided is sealed for.
pub(super) fn decision_context(id: &str) -> String {
    format!("{id}/decision")
}

/// Adds one. `key` is its session's.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    report: &Report,
    note: Option<&Body>,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO reports (account, id, service, session, reporter, reporter_role, source, category,
            note, interactions, state, version, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let note = note.map(|note| key.seal_body(note, &note_context(report.id.as_str())));
    let named: Vec<&str> = report.interactions.iter().map(InteractionId::as_str).collect();
    let named = named.join(" ");
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(&report.id)
            .bind(&report.service)
            .bind(&report.session)
            .bind(&report.reporter)
            .bind(&report.reporter_role)
            .bind(report.source.as_str())
            .bind(report.category.as_str())
            .bind(&note)
            .bind(&named)
            .bind(report.state.as_str())
            .bind(report.version)
            .bind(report.created_at.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// One of the account's.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &ReportId) -> Result<Option<Report>, Error> {
    const SQL: &str = select!("account = $1 AND id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    row.map(Report::try_from).transpose()
}

/// Whether somebody has made one by a text that nobody has decided yet.
pub async fn open_of(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    reporter: &ParticipantId,
) -> Result<bool, Error> {
    const SQL: &str = "
        SELECT id FROM reports
        WHERE account = $1 AND session = $2 AND reporter = $3 AND source = 'person' AND state = 'open'
        ORDER BY id LIMIT 1";
    let found: Option<ReportId> = on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(session)
        .bind(reporter)
        .fetch_optional(conn)
        .await?);
    Ok(found.is_some())
}

/// A page of them, newest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Report>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(select!("account = "));
        q.push_bind(account);
        if let Some(state) = filter.state {
            q.push(" AND state = ").push_bind(state.as_str());
        }
        if let Some(session) = &filter.session {
            q.push(" AND session = ").push_bind(session);
        }
        if let Some(category) = filter.category {
            q.push(" AND category = ").push_bind(category.as_str());
        }
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(Report::try_from).collect()
}

/// What was written of one. `key` is its session's.
///
/// # Errors
/// [`Error::Sealed`] with another session's key.
pub async fn notes(
    tx: &mut Tx,
    account: &AccountId,
    key: &DataKey,
    id: &ReportId,
) -> Result<Notes, Error> {
    const SQL: &str = "SELECT note, decision_note FROM reports WHERE account = $1 AND id = $2";
    let row: Option<(Option<String>, Option<String>)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    let (note, decision) = row.unwrap_or_default();
    let open = |sealed: Option<String>, context: String| {
        sealed.map(|sealed| key.open_body(&sealed, &context)).transpose()
    };
    Ok(Notes {
        note: open(note, note_context(id.as_str()))?,
        decision_note: open(decision, decision_context(id.as_str()))?,
    })
}

/// Decides one, with a note under its session's key; whether it was open, and of that version.
pub async fn resolve(
    tx: &mut Tx,
    account: &AccountId,
    id: &ReportId,
    (decision, note): (Decision, Option<(&DataKey, &Body)>),
    version: Option<i64>,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE reports SET state = 'resolved', decision = $3, decision_note = $4, resolved_at = $5,
            version = version + 1
        WHERE account = $1 AND id = $2 AND state = 'open' AND ($6 = 0 OR version = $6)";
    let note = note.map(|(key, note)| key.seal_body(note, &decision_context(id.as_str())));
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(decision.as_str())
        .bind(&note)
        .bind(now.millis())
        .bind(version.unwrap_or(0))
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Forgets the notes on a session's reports; what was reported and decided stays.
pub async fn withdraw(tx: &mut Tx, account: &AccountId, session: &SessionId) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE reports SET note = NULL, decision_note = NULL WHERE account = $1 AND session = $2";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(session).execute(conn).await?;
    });
    Ok(())
}

/// Forgets those that were decided before `before`, `limit` at most; how many.
pub async fn purge(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM reports WHERE (account, id) IN (
            SELECT account, id FROM reports WHERE resolved_at < $1
            ORDER BY resolved_at, account, id LIMIT $2)";
    forget(tx, SQL, before, limit).await
}
