//! Events as the console lists them.

use super::{
    Error, Tx,
    db::on,
    events::{self, Event},
    sessions::{Page, paged},
};
use crate::{
    domain::{event::EventKind, time::Timestamp},
    ids::{AccountId, EventId, SessionId},
};

/// Which events are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this type.
    pub kind: Option<EventKind>,
    /// Only of this session.
    pub session: Option<SessionId>,
    /// Only from this instant on.
    pub from: Option<Timestamp>,
    /// Only before this instant.
    pub before: Option<Timestamp>,
}

/// An account's events, newest first.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Event>, Error> {
    let rows: Vec<events::Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(events::select!("account = "));
        q.push_bind(account);
        if let Some(session) = &filter.session {
            q.push(" AND session = ").push_bind(session);
        }
        if let Some(kind) = filter.kind {
            q.push(" AND type = ").push_bind(kind.as_str());
        }
        if let Some(at) = filter.from {
            q.push(" AND id >= ").push_bind(EventId::first_of(at));
        }
        if let Some(at) = filter.before {
            q.push(" AND id < ").push_bind(EventId::first_of(at));
        }
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    Ok(page.in_order(rows).into_iter().map(events::event).collect())
}
