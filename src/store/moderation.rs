//! Reports and flagged texts as one queue, in order of when they came. No words of anybody.

use super::{Error, Tx, db::on, from_text};
use crate::{
    domain::{
        content::{ContentKind, Fate},
        moderation::{ItemKind, Notice},
        report::{Category, Decision, Source, State},
        time::Timestamp,
    },
    ids::{
        AccountId, Id as _, InteractionId, ParticipantId, ReportId, ServiceId, SessionId, StaffId,
    },
};

/// One thing that waits, or waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemId {
    /// A report.
    Report(ReportId),
    /// A text.
    Text(InteractionId),
}

impl ItemId {
    /// Reads an id of either; `None` for what is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let report = ReportId::parse(text).ok().map(Self::Report);
        report.or_else(|| InteractionId::parse(text).ok().map(Self::Text))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Report(id) => id.as_str(),
            Self::Text(id) => id.as_str(),
        }
    }

    /// What both sorts are ordered by: the id without the letters that tell its sort, so by time.
    pub fn place(&self) -> &str {
        self.as_str().get(2..).unwrap_or_default()
    }
}

/// What an item is about.
#[derive(Debug, Clone)]
pub enum About {
    /// Somebody reported the other side.
    Report {
        /// What sort of thing it is.
        category: Category,
        /// How the report was made.
        source: Source,
        /// Who reports.
        reporter: ParticipantId,
        /// Their role.
        role: String,
        /// What it names.
        interactions: Vec<InteractionId>,
        /// What became of telling them, if somebody wanted that.
        notice: Option<Notice>,
    },
    /// Something was found in a text.
    Text {
        /// What became of it.
        fate: Fate,
        /// What was found.
        kinds: Vec<ContentKind>,
    },
}

/// Something that waits for a moderator, or waited.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// The id of its session's service; empty of a text that a node of before 0038 took in.
    pub service: String,
    /// Its session.
    pub session: SessionId,
    /// What it is about.
    pub about: About,
    /// How far it has come.
    pub state: State,
    /// Who of the staff took it.
    pub assignee: Option<StaffId>,
    /// What was decided.
    pub decision: Option<Decision>,
    /// Grows with each change.
    pub version: i64,
    /// When it came.
    pub created_at: Timestamp,
    /// When it was decided.
    pub resolved_at: Option<Timestamp>,
}

/// Whose items are listed.
#[derive(Debug, Clone)]
pub enum Whose {
    /// Nobody's.
    Nobodys,
    /// Those that one of the staff took.
    Of(StaffId),
}

/// Which are listed.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Of this sort.
    pub kind: Option<ItemKind>,
    /// Of this state.
    pub state: State,
    /// Taken by somebody, or by nobody.
    pub whose: Option<Whose>,
    /// Of this service.
    pub service: Option<ServiceId>,
}

#[derive(sqlx::FromRow)]
struct ReportRow {
    id: ReportId,
    service: String,
    session: SessionId,
    reporter: ParticipantId,
    reporter_role: String,
    source: String,
    category: String,
    interactions: String,
    notice: String,
    state: String,
    assignee: String,
    decision: Option<String>,
    version: i64,
    created_at: i64,
    resolved_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct TextRow {
    interaction: InteractionId,
    service: String,
    session: SessionId,
    fate: String,
    kinds: String,
    state: String,
    assignee: String,
    decision: Option<String>,
    version: i64,
    created_at: i64,
    resolved_at: Option<i64>,
}

const REPORTS: &str = "
    SELECT id, service, session, reporter, reporter_role, source, category, interactions, notice, state, assignee,
        decision, version, created_at, resolved_at
    FROM reports WHERE account = ";
const TEXTS: &str = "
    SELECT interaction, service, session, fate, kinds, state, assignee, decision, version, created_at, resolved_at
    FROM text_findings WHERE account = ";

fn assignee(text: &str) -> Option<StaffId> {
    StaffId::parse(text).ok()
}

impl TryFrom<ReportRow> for Item {
    type Error = Error;

    fn try_from(row: ReportRow) -> Result<Self, Error> {
        let bad = Error::Inconsistent { table: "reports", column: "interactions" };
        let interactions: Result<_, _> =
            row.interactions.split_whitespace().map(InteractionId::parse).collect();
        Ok(Self {
            id: ItemId::Report(row.id),
            service: row.service,
            session: row.session,
            about: About::Report {
                category: from_text!("reports"."category", Category::parse, &row.category)?,
                source: from_text!("reports"."source", Source::parse, &row.source)?,
                reporter: row.reporter,
                role: row.reporter_role,
                interactions: interactions.map_err(|_| bad)?,
                notice: Notice::parse(&row.notice),
            },
            state: from_text!("reports"."state", State::parse, &row.state)?,
            assignee: assignee(&row.assignee),
            decision: row
                .decision
                .as_deref()
                .map(|one| from_text!("reports"."decision", Decision::parse, one))
                .transpose()?,
            version: row.version,
            created_at: Timestamp::from_millis(row.created_at),
            resolved_at: row.resolved_at.map(Timestamp::from_millis),
        })
    }
}

impl TryFrom<TextRow> for Item {
    type Error = Error;

    fn try_from(row: TextRow) -> Result<Self, Error> {
        let kinds: Result<_, Error> = row
            .kinds
            .split_whitespace()
            .map(|kind| from_text!("text_findings"."kinds", ContentKind::parse, kind))
            .collect();
        Ok(Self {
            id: ItemId::Text(row.interaction),
            service: row.service,
            session: row.session,
            about: About::Text {
                fate: from_text!("text_findings"."fate", Fate::parse, &row.fate)?,
                kinds: kinds?,
            },
            state: from_text!("text_findings"."state", State::parse, &row.state)?,
            assignee: assignee(&row.assignee),
            decision: row
                .decision
                .as_deref()
                .map(|one| from_text!("text_findings"."decision", Decision::parse, one))
                .transpose()?,
            version: row.version,
            created_at: Timestamp::from_millis(row.created_at),
            resolved_at: row.resolved_at.map(Timestamp::from_millis),
        })
    }
}

/// What lists those of one sort that a filter leaves, past a place in their order, and its values but the last, which
/// is how many: what is open oldest first, what was decided newest first.
pub(super) fn listed(
    kind: ItemKind,
    account: &AccountId,
    filter: &Filter,
    past: Option<&ItemId>,
) -> (String, Vec<String>) {
    let (select, key, letters) = match kind {
        ItemKind::Report => (REPORTS, "id", ReportId::PREFIX),
        ItemKind::Text => (TEXTS, "interaction", InteractionId::PREFIX),
    };
    let mut values = vec![account.to_string(), filter.state.to_string()];
    let mut narrowed = format!("{select}$1 AND state = $2");
    let mut narrow = |what: String, value: String| {
        values.push(value);
        narrowed = format!("{narrowed} AND {what} ${}", values.len());
    };
    match &filter.whose {
        Some(Whose::Nobodys) => narrow("assignee =".into(), String::new()),
        Some(Whose::Of(staff)) => narrow("assignee =".into(), staff.to_string()),
        None => {}
    }
    if let Some(service) = &filter.service {
        narrow("service =".into(), service.to_string());
    }
    let (beyond, order) = match filter.state {
        State::Open => (">", ""),
        State::Resolved => ("<", " DESC"),
    };
    if let Some(past) = past {
        narrow(format!("{key} {beyond}"), format!("{letters}{}", past.place()));
    }
    let sql = format!("{narrowed} ORDER BY {key}{order} LIMIT ${}", values.len() + 1);
    (sql, values)
}

macro_rules! found {
    ($tx:ident, $row:ty, $sql:expr, $values:expr, $limit:expr) => {{
        let rows: Vec<$row> = on!($tx, |conn| {
            let mut query = sqlx::query_as(sqlx::AssertSqlSafe($sql.clone()));
            for value in &$values {
                query = query.bind(value);
            }
            query.bind($limit).fetch_all(conn).await?
        });
        rows.into_iter().map(Item::try_from)
    }};
}

/// So many of them, those past `past` in their order: open ones oldest first, decided ones newest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    past: Option<&ItemId>,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let mut all: Vec<Item> = Vec::new();
    for kind in ItemKind::ALL.iter().filter(|kind| filter.kind.is_none_or(|only| only == **kind)) {
        let (sql, values) = listed(*kind, account, filter, past);
        let found: Result<Vec<Item>, Error> = match kind {
            ItemKind::Report => found!(tx, ReportRow, sql, values, limit).collect(),
            ItemKind::Text => found!(tx, TextRow, sql, values, limit).collect(),
        };
        all.extend(found?);
    }
    all.sort_by(|a, b| a.id.place().cmp(b.id.place()));
    if filter.state == State::Resolved {
        all.reverse();
    }
    all.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(all)
}

/// One of the account's.
pub async fn get(tx: &mut Tx, account: &AccountId, id: &ItemId) -> Result<Option<Item>, Error> {
    match id {
        ItemId::Report(id) => {
            let row: Option<ReportRow> = on!(tx, |conn| {
                let mut q = sqlx::QueryBuilder::new(REPORTS);
                q.push_bind(account).push(" AND id = ").push_bind(id);
                q.build_query_as().fetch_optional(conn).await?
            });
            row.map(Item::try_from).transpose()
        }
        ItemId::Text(id) => {
            let row: Option<TextRow> = on!(tx, |conn| {
                let mut q = sqlx::QueryBuilder::new(TEXTS);
                q.push_bind(account).push(" AND interaction = ").push_bind(id);
                q.build_query_as().fetch_optional(conn).await?
            });
            row.map(Item::try_from).transpose()
        }
    }
}

/// Gives an open one to somebody of the staff, or back to nobody; whether it was open and of that version.
pub async fn assign(
    tx: &mut Tx,
    account: &AccountId,
    id: &ItemId,
    to: Option<&StaffId>,
    version: i64,
) -> Result<bool, Error> {
    const REPORT: &str = "
        UPDATE reports SET assignee = $3, version = version + 1
        WHERE account = $1 AND id = $2 AND state = 'open' AND version = $4";
    const TEXT: &str = "
        UPDATE text_findings SET assignee = $3, version = version + 1
        WHERE account = $1 AND interaction = $2 AND state = 'open' AND version = $4";
    let sql = match id {
        ItemId::Report(_) => REPORT,
        ItemId::Text(_) => TEXT,
    };
    let done = on!(tx, |conn| sqlx::query(sql)
        .bind(account)
        .bind(id.as_str())
        .bind(to.map_or("", StaffId::as_str))
        .bind(version)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Decides a flagged text, by that member of the staff; whether it was open and of that version.
pub async fn decide_text(
    tx: &mut Tx,
    account: &AccountId,
    id: &InteractionId,
    (decision, by): (Decision, &StaffId),
    version: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE text_findings SET state = 'resolved', decision = $3, assignee = $4, resolved_at = $5,
            version = version + 1
        WHERE account = $1 AND interaction = $2 AND state = 'open' AND version = $6";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(decision.as_str())
        .bind(by)
        .bind(now.millis())
        .bind(version)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Notes who of the staff decided a report, and what became of telling whoever made it.
pub async fn note_report(
    tx: &mut Tx,
    account: &AccountId,
    id: &ReportId,
    by: &StaffId,
    notice: Option<Notice>,
) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE reports SET assignee = $3, notice = $4 WHERE account = $1 AND id = $2";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account)
            .bind(id)
            .bind(by)
            .bind(notice.map_or("", Notice::as_str))
            .execute(conn)
            .await?;
    });
    Ok(())
}
