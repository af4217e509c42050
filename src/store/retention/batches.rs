//! One batch of one class: which rows are next, which of them nothing keeps, and away with those.

use super::{Batch, Cursor, Scope, Walk, counts, kept};
use crate::{
    domain::{interaction::Kind, retention::Cell, time::Timestamp},
    ids::{AccountId, EventId, InteractionId, LoggedId, SessionId},
    privacy::Person,
    store::{Error, Tx, db::on, from_text, interactions::length, sessions::listed},
};

pub(in crate::store) const TEXTS: &str = "
    SELECT id FROM interactions
    WHERE account = $1 AND service = $5 AND words IS NOT NULL AND id < $2 AND id > $3
    ORDER BY id LIMIT $4";
const ORIGINALS: &str = "
    SELECT t.interaction FROM text_findings t
    JOIN interactions i ON i.account = t.account AND i.id = t.interaction
    WHERE t.account = $1 AND t.original IS NOT NULL AND t.interaction < $2 AND t.interaction > $3
      AND i.service = $5
    ORDER BY t.interaction LIMIT $4";
pub(in crate::store) const LOG: &str = "
    SELECT id FROM interactions WHERE account = $1 AND service = $5 AND id < $2 AND id > $3
    ORDER BY id LIMIT $4";
pub(in crate::store) const LOG_OF_NOBODY: &str = "
    SELECT id FROM interactions WHERE account = $1 AND service IS NULL AND id < $2 AND id > $3
    ORDER BY id LIMIT $4";
pub(in crate::store) const EVENTS: &str = "
    SELECT id FROM events WHERE account = $1 AND id < $2 AND id > $3 ORDER BY id LIMIT $4";
pub(in crate::store) const SESSIONS: &str = "
    SELECT ended_at, id FROM sessions
    WHERE account = $1 AND service = $6 AND state = 'closed' AND ended_at < $2
      AND (ended_at, id) > ($3, $5)
    ORDER BY ended_at, id LIMIT $4";
pub(in crate::store) const CHARGES: &str = "
    SELECT at, leg FROM charges WHERE account = $1 AND at < $2 AND (at, leg) > ($3, $5)
    ORDER BY at, leg LIMIT $4";
pub(in crate::store) const API_REQUESTS: &str = "
    SELECT id FROM api_requests WHERE account = $1 AND id < $2 AND id > $3 ORDER BY id LIMIT $4";
const HOLDS: &str = "
    SELECT lifted_at, id FROM legal_holds
    WHERE account = $1 AND lifted_at < $2 AND (lifted_at, id) > ($3, $5)
    ORDER BY lifted_at, id LIMIT $4";
const STATUTORY: &str = "
    SELECT expires_at, id FROM statutory_records
    WHERE account = $1 AND expires_at <= $2 AND (expires_at, id) > ($3, $5)
    ORDER BY expires_at, id LIMIT $4";
pub(in crate::store) const STICKY: &str = "
    SELECT service, person, counterpart FROM sticky_numbers
    WHERE account = $1 AND closed_at < $2
    ORDER BY closed_at, service, person, counterpart LIMIT $3 OFFSET $4";

/// How rows of a table go.
struct Way {
    /// What is done to them, up to the account.
    does: &'static str,
    /// How they are counted instead.
    counts: &'static str,
    /// What names one.
    key: &'static str,
    /// What keeps one.
    kept: &'static str,
}

const TEXTS_GO: Way = Way {
    does: "UPDATE interactions SET words = NULL WHERE account = ",
    counts: "SELECT COUNT(*) FROM interactions WHERE account = ",
    key: "id",
    kept: kept::WORDS,
};
const ORIGINALS_GO: Way = Way {
    does: "UPDATE text_findings SET original = NULL WHERE account = ",
    counts: "SELECT COUNT(*) FROM text_findings WHERE account = ",
    key: "interaction",
    kept: kept::ORIGINAL,
};
const CHARGES_GO: Way = Way {
    does: "DELETE FROM charges WHERE account = ",
    counts: "SELECT COUNT(*) FROM charges WHERE account = ",
    key: "leg",
    kept: kept::CHARGE,
};
const EVENTS_GO: Way = Way {
    does: "DELETE FROM events WHERE account = ",
    counts: "SELECT COUNT(*) FROM events WHERE account = ",
    key: "id",
    kept: kept::EVENT,
};
const API_REQUESTS_GO: Way = Way {
    does: "DELETE FROM api_requests WHERE account = ",
    counts: "SELECT COUNT(*) FROM api_requests WHERE account = ",
    key: "id",
    kept: kept::NOTHING,
};
const HOLDS_GO: Way = Way {
    does: "DELETE FROM legal_holds WHERE account = ",
    counts: "SELECT COUNT(*) FROM legal_holds WHERE account = ",
    key: "id",
    kept: kept::NOTHING,
};
const STATUTORY_GO: Way = Way {
    does: "DELETE FROM statutory_records WHERE account = ",
    counts: "SELECT COUNT(*) FROM statutory_records WHERE account = ",
    key: "id",
    kept: kept::NOTHING,
};

/// Takes a batch of at most `limit` rows from `after` on, and deletes what nothing keeps; with `dry` it only
/// says how many that would be, and a reader will do.
pub async fn batch(
    tx: &mut Tx,
    scope: &Scope,
    after: &Cursor,
    limit: i64,
    dry: bool,
) -> Result<Batch, Error> {
    if scope.walk == Walk::Sticky {
        return sticky(tx, scope, after, limit, dry).await;
    }
    let found = candidates(tx, scope, after, limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|rows| rows >= limit);
    let next = found.last().cloned().filter(|_| full);
    if found.is_empty() {
        return Ok(Batch::default());
    }
    let ids: Vec<String> = found.into_iter().map(|one| one.id).collect();
    let account = &scope.account;
    let gone = match scope.walk {
        Walk::Texts => go(tx, account, &TEXTS_GO, &ids, dry).await?,
        Walk::Originals => go(tx, account, &ORIGINALS_GO, &ids, dry).await?,
        Walk::Charges => go(tx, account, &CHARGES_GO, &ids, dry).await?,
        Walk::Events => go(tx, account, &EVENTS_GO, &ids, dry).await?,
        Walk::ApiRequests => go(tx, account, &API_REQUESTS_GO, &ids, dry).await?,
        Walk::Holds => go(tx, account, &HOLDS_GO, &ids, dry).await?,
        Walk::Statutory => go(tx, account, &STATUTORY_GO, &ids, dry).await?,
        Walk::Log => log(tx, account, &ids, dry).await?,
        Walk::Sessions => sessions(tx, account, &ids, dry).await?,
        Walk::Sticky => 0,
    };
    Ok(Batch { gone, next })
}

/// When the oldest row of a walk is from; of a session when it ended.
pub async fn oldest(tx: &mut Tx, scope: &Scope) -> Result<Option<Timestamp>, Error> {
    if matches!(scope.walk, Walk::Sticky | Walk::Holds | Walk::Statutory) {
        return Ok(None);
    }
    let all = Scope { before: LATEST, ..scope.clone() };
    let first = candidates(tx, &all, &Cursor::default(), 1).await?;
    Ok(first.first().map(|one| match one.at {
        0 => made_at(&one.id),
        at => Timestamp::from_millis(at),
    }))
}

/// Later than any row, and its milliseconds fit an id.
const LATEST: Timestamp = Timestamp::from_millis(0xffff_ffff_ffff);

/// When an id was made.
fn made_at(id: &str) -> Timestamp {
    let ms = id.get(2..14).and_then(|hex| i64::from_str_radix(hex, 16).ok());
    Timestamp::from_millis(ms.unwrap_or(0))
}

/// The rows that are next, kept or not.
async fn candidates(
    tx: &mut Tx,
    scope: &Scope,
    after: &Cursor,
    limit: i64,
) -> Result<Vec<Cursor>, Error> {
    let sql = match (scope.walk, &scope.service) {
        (Walk::Texts, _) => TEXTS,
        (Walk::Originals, _) => ORIGINALS,
        (Walk::Log, Some(_)) => LOG,
        (Walk::Log, None) => LOG_OF_NOBODY,
        (Walk::Events, _) => EVENTS,
        (Walk::ApiRequests, _) => API_REQUESTS,
        (Walk::Sessions, _) => return by_time(tx, SESSIONS, scope, after, limit).await,
        (Walk::Charges, _) => return by_time(tx, CHARGES, scope, after, limit).await,
        (Walk::Holds, _) => return by_time(tx, HOLDS, scope, after, limit).await,
        (Walk::Statutory, _) => return by_time(tx, STATUTORY, scope, after, limit).await,
        (Walk::Sticky, _) => return Ok(Vec::new()),
    };
    let first = match scope.walk {
        Walk::Events => EventId::first_of(scope.before).to_string(),
        Walk::ApiRequests => LoggedId::first_of(scope.before).to_string(),
        _ => InteractionId::first_of(scope.before).to_string(),
    };
    let ids: Vec<String> = on!(tx, |conn| {
        let query = sqlx::query_scalar(sql);
        let mut query = query.bind(&scope.account).bind(&first).bind(&after.id).bind(limit);
        if let Some(service) = &scope.service {
            query = query.bind(service);
        }
        query.fetch_all(conn).await?
    });
    Ok(ids.into_iter().map(|id| Cursor { at: 0, id }).collect())
}

async fn by_time(
    tx: &mut Tx,
    sql: &'static str,
    scope: &Scope,
    after: &Cursor,
    limit: i64,
) -> Result<Vec<Cursor>, Error> {
    let rows: Vec<(i64, String)> = on!(tx, |conn| {
        let mut query = sqlx::query_as(sql)
            .bind(&scope.account)
            .bind(scope.before.millis())
            .bind(after.at)
            .bind(limit)
            .bind(&after.id);
        if let Some(service) = &scope.service {
            query = query.bind(service);
        }
        query.fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(at, id)| Cursor { at, id }).collect())
}

/// Does it to those of these rows that nothing keeps; to how many it was done, or would be.
async fn go(
    tx: &mut Tx,
    account: &AccountId,
    way: &Way,
    ids: &[String],
    dry: bool,
) -> Result<u64, Error> {
    let which = [") AND NOT (", way.kept, ")"].concat();
    if dry {
        let count: i64 = on!(tx, |conn| {
            let mut q = sqlx::QueryBuilder::new(way.counts);
            q.push_bind(account).push(" AND (").push(way.key);
            listed!(q, ids);
            q.push(&which);
            q.build_query_scalar().fetch_one(conn).await?
        });
        return Ok(u64::try_from(count).unwrap_or(0));
    }
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(way.does);
        q.push_bind(account).push(" AND (").push(way.key);
        listed!(q, ids);
        q.push(&which);
        q.build().execute(conn).await?.rows_affected()
    }))
}

/// What of the log goes into the counts.
#[derive(sqlx::FromRow)]
struct Logged {
    id: InteractionId,
    from_role: Option<String>,
    kind: String,
    outcome: Option<String>,
    duration: Option<i64>,
    created_at: i64,
}

impl Logged {
    fn cell(&self) -> Result<Cell, Error> {
        let kind = from_text!("interactions"."kind", Kind::parse, &self.kind)?;
        let (role, outcome) = (self.from_role.as_deref(), self.outcome.as_deref());
        let at = Timestamp::from_millis(self.created_at);
        Ok(Cell::of(at, role, kind, self.duration.map(length), outcome))
    }
}

/// Calls and texts with their legs, their findings, and who agreed to be recorded; what they were is counted.
async fn log(tx: &mut Tx, account: &AccountId, ids: &[String], dry: bool) -> Result<u64, Error> {
    let free: Vec<Logged> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(
            "SELECT id, from_role, kind, outcome, duration, created_at FROM interactions \
             WHERE account = ",
        );
        q.push_bind(account).push(" AND id");
        listed!(q, ids);
        q.push(" AND NOT (").push(kept::INTERACTION).push(") ORDER BY id");
        q.build_query_as().fetch_all(conn).await?
    });
    if dry || free.is_empty() {
        return Ok(u64::try_from(free.len()).unwrap_or(0));
    }
    let cells = free.iter().map(Logged::cell).collect::<Result<Vec<_>, _>>()?;
    counts::add(tx, cells).await?;
    let ids: Vec<InteractionId> = free.into_iter().map(|one| one.id).collect();
    for sql in [
        "DELETE FROM legs WHERE account = ",
        "DELETE FROM text_findings WHERE account = ",
        "DELETE FROM recording_consents WHERE account = ",
        "DELETE FROM recordings WHERE account = ",
    ] {
        on!(tx, |conn| {
            let mut q = sqlx::QueryBuilder::new(sql);
            q.push_bind(account).push(" AND interaction");
            listed!(q, &ids);
            q.build().execute(conn).await?;
        });
    }
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("DELETE FROM interactions WHERE account = ");
        q.push_bind(account).push(" AND id");
        listed!(q, &ids);
        q.build().execute(conn).await?.rows_affected()
    }))
}

/// Sessions with their people, their holds, which are all over, and the places in rings of who is in no
/// other session.
async fn sessions(
    tx: &mut Tx,
    account: &AccountId,
    ids: &[String],
    dry: bool,
) -> Result<u64, Error> {
    let now = tx.now().await?;
    let certain = tx.certain(now).millis();
    // One that is opened again meanwhile is waited for, and seen.
    let lock = if !dry && tx.locks() { " FOR UPDATE" } else { "" };
    let free: Vec<SessionId> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("SELECT id FROM sessions WHERE account = ");
        q.push_bind(account).push(" AND id");
        listed!(q, ids);
        q.push(" AND NOT (").push(kept::SESSION).push_bind(certain);
        q.push("))) ORDER BY id").push(lock);
        q.build_query_scalar().fetch_all(conn).await?
    });
    if dry || free.is_empty() {
        return Ok(u64::try_from(free.len()).unwrap_or(0));
    }
    let people: Vec<Person> = on!(tx, |conn| {
        let mut q =
            sqlx::QueryBuilder::new("SELECT DISTINCT person FROM participants WHERE account = ");
        q.push_bind(account).push(" AND session");
        listed!(q, &free);
        q.push(" ORDER BY person");
        q.build_query_scalar().fetch_all(conn).await?
    });
    for sql in [
        "DELETE FROM participants WHERE account = ",
        "DELETE FROM holds WHERE account = ",
        "DELETE FROM session_notes WHERE account = ",
        "DELETE FROM session_cases WHERE account = ",
    ] {
        on!(tx, |conn| {
            let mut q = sqlx::QueryBuilder::new(sql);
            q.push_bind(account).push(" AND session");
            listed!(q, &free);
            q.build().execute(conn).await?;
        });
    }
    if !people.is_empty() {
        on!(tx, |conn| {
            let mut q = sqlx::QueryBuilder::new("DELETE FROM rings WHERE account = ");
            q.push_bind(account).push(" AND person");
            listed!(q, &people);
            q.push(
                " AND NOT EXISTS (SELECT 1 FROM participants p WHERE p.account = rings.account \
                 AND p.person = rings.person)",
            );
            q.build().execute(conn).await?;
        });
    }
    Ok(on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new("DELETE FROM sessions WHERE account = ");
        q.push_bind(account).push(" AND id");
        listed!(q, &free);
        q.build().execute(conn).await?.rows_affected()
    }))
}

/// Nothing keeps these: the first ones go.
async fn sticky(
    tx: &mut Tx,
    scope: &Scope,
    after: &Cursor,
    limit: i64,
    dry: bool,
) -> Result<Batch, Error> {
    const DELETE: &str = "
        DELETE FROM sticky_numbers WHERE account = $1 AND (service, person, counterpart) IN (
            SELECT service, person, counterpart FROM sticky_numbers
            WHERE account = $1 AND closed_at < $2
            ORDER BY closed_at, service, person, counterpart LIMIT $3)";
    let (account, before) = (&scope.account, scope.before.millis());
    if dry {
        // Nothing goes: the next batch is behind this one.
        let rows: Vec<(String, String, String)> = on!(tx, |conn| sqlx::query_as(STICKY)
            .bind(account)
            .bind(before)
            .bind(limit)
            .bind(after.at)
            .fetch_all(conn)
            .await?);
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
        let next = full.then(|| Cursor { at: after.at + limit, id: String::new() });
        return Ok(Batch { gone: u64::try_from(rows.len()).unwrap_or(0), next });
    }
    let gone = on!(tx, |conn| sqlx::query(DELETE)
        .bind(account)
        .bind(before)
        .bind(limit)
        .execute(conn)
        .await?
        .rows_affected());
    let full = u64::try_from(limit).is_ok_and(|limit| gone >= limit);
    Ok(Batch { gone, next: full.then(Cursor::default) })
}
