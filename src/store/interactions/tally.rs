//! How the calls and texts of sessions ended, counted.

use crate::{
    domain::interaction::Outcome,
    ids::{AccountId, SessionId},
    store::{Error, Tx, db::on, from_text, sessions::listed},
};

/// How many interactions of a session ended in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The session.
    pub session: SessionId,
    /// The way; `None` for those under way.
    pub outcome: Option<Outcome>,
    /// How many.
    pub count: i64,
    /// How many of these carriers took and then could not deliver to anybody.
    pub undelivered: i64,
}

/// Begins a count of what is listed as `i`.
macro_rules! counted {
    () => {
        "SELECT i.session, i.outcome, COUNT(*), SUM(CASE WHEN EXISTS (SELECT 1 FROM legs l \
         WHERE l.account = i.account AND l.interaction = i.id AND l.state = 'undelivered') \
         AND NOT EXISTS (SELECT 1 FROM legs d WHERE d.account = i.account \
         AND d.interaction = i.id AND d.state = 'delivered') THEN 1 ELSE 0 END) FROM "
    };
}

/// How the interactions of these sessions ended.
pub async fn tallies(
    tx: &mut Tx,
    account: &AccountId,
    sessions: &[SessionId],
) -> Result<Vec<Tally>, Error> {
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Counted> = on!(tx, |conn| {
        let mut q =
            sqlx::QueryBuilder::new(concat!(counted!(), "interactions i WHERE i.account = "));
        q.push_bind(account).push(" AND i.deleted_at IS NULL AND i.session");
        listed!(q, sessions);
        q.push(" GROUP BY i.session, i.outcome ORDER BY i.session, i.outcome");
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(tally).collect()
}

/// The same of the newest `most` of each session: however many a session has, a page reads no more.
pub async fn newest_tallies(
    tx: &mut Tx,
    account: &AccountId,
    sessions: &[SessionId],
    most: i64,
) -> Result<Vec<Tally>, Error> {
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Counted> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(counted!());
        for (place, session) in sessions.iter().enumerate() {
            q.push(if place == 0 { "(" } else { " UNION ALL " });
            q.push("SELECT * FROM (SELECT account, id, session, outcome FROM interactions WHERE account = ");
            q.push_bind(account).push(" AND session = ").push_bind(session);
            q.push(" AND deleted_at IS NULL ORDER BY id DESC LIMIT ").push_bind(most);
            q.push(") AS newest");
        }
        q.push(") AS i GROUP BY i.session, i.outcome ORDER BY i.session, i.outcome");
        q.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(tally).collect()
}

type Counted = (SessionId, Option<String>, i64, i64);

fn tally((session, outcome, count, undelivered): Counted) -> Result<Tally, Error> {
    let outcome = outcome
        .map(|text| from_text!("interactions"."outcome", Outcome::parse, &text))
        .transpose()?;
    Ok(Tally { session, outcome, count, undelivered })
}
