//! One person of an account, whoever they are: their sessions, and what keeps texts or calls from them. They are named
//! by an id that they have in one of their sessions: no number and no hash of it stands in an address.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};

use super::{
    App,
    acts::{self, offers},
    answer::{self, Answer, No, Shell},
    filters::{Choice, Query},
    gate::Inside,
    sessions::{service_choices, service_name, short},
    timeline,
    when::When,
    words::{self, Chip},
};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, ParticipantId, SessionId},
    relay::Somebody,
    store::{
        Tx,
        interactions::{self, Filter as Log},
        legs,
        participants::{self, Participant},
        sessions::{Page, Session},
    },
};

/// How many sessions a page lists.
const PAGE: usize = 25;

#[derive(Template)]
#[template(path = "console/person.html")]
struct PersonPage {
    shell: Shell,
    masked: String,
    notice: Option<&'static str>,
    rows: Vec<Row>,
    first: Option<String>,
    older: Option<String>,
    opt_outs: Vec<offers::OptOut>,
    blocks: Vec<offers::Block>,
}

struct Row {
    link: String,
    name: Option<String>,
    short: String,
    state: Chip,
    service: String,
    role: String,
    left: bool,
    others: Vec<(String, String)>,
    created: Option<When>,
    last: Option<When>,
    ended: Option<Chip>,
}

/// The page of somebody: the sessions before `before`.
pub(super) async fn show(
    tx: &mut Tx,
    inside: &Inside,
    whom: &Somebody,
    before: Option<SessionId>,
    notice: Option<&'static str>,
) -> Answer {
    let shell = inside.shell("sessions");
    let account = inside.id();
    let now = tx.now().await?;
    let services = service_choices(tx, account).await?;
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let mut found = whom.sessions(tx, before.as_ref(), limit).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let path = whom.known.as_ref().map(|id| format!("/console/people/{id}"));
    let link = |pairs: &[(&str, &str)]| path.as_ref().map(|path| shell.link_with(path, pairs));
    let last = found.last().filter(|_| more);
    let older = last.and_then(|last| link(&[("before", last.id.as_str())]));
    let first = before.as_ref().and_then(|_| link(&[]));
    let back = link(&[]).unwrap_or_else(|| shell.link("/console/sessions"));
    let stopped = whom.opt_outs(tx, offers::SHOWN).await?;
    let blocks = whom.blocks(tx, offers::SHOWN).await?;
    let rows = rows(tx, account, &shell, found, whom, (&services, now)).await?;
    answer::page(&PersonPage {
        masked: whom.masked.clone(),
        notice,
        rows,
        first,
        older,
        opt_outs: offers::opt_outs(&shell, &stopped, &back),
        blocks: blocks.iter().map(|one| offers::Block::new(shell.lang, one)).collect(),
        shell,
    })
}

async fn rows(
    tx: &mut Tx,
    account: &AccountId,
    shell: &Shell,
    found: Vec<Session>,
    whom: &Somebody,
    (services, now): (&[Choice], Timestamp),
) -> Answer<Vec<Row>> {
    let ids: Vec<SessionId> = found.iter().map(|one| one.id.clone()).collect();
    let mut by_session: HashMap<SessionId, Vec<Participant>> = HashMap::new();
    for one in participants::of_sessions(tx, account, &ids).await? {
        by_session.entry(one.session.clone()).or_default().push(one);
    }
    let language = shell.lang;
    let mut rows = Vec::with_capacity(found.len());
    for session in found {
        let people = by_session.remove(&session.id).unwrap_or_default();
        let own = people.iter().find(|one| whom.is(one));
        let role = own.map(|one| one.role.clone()).unwrap_or_default();
        let others = people.iter().filter(|one| one.role != role);
        rows.push(Row {
            link: shell.link(&format!("/console/sessions/{}", session.id)),
            short: short(session.id.as_str()),
            state: words::session_state(language, &session, now),
            service: service_name(services, session.service.as_str()),
            left: own.is_some_and(|one| one.removed_at.is_some()),
            others: others.map(|one| (one.role.clone(), one.masked())).collect(),
            created: When::new(language, session.created_at),
            last: session.last_interaction_at.and_then(|at| When::new(language, at)),
            ended: last_ended(tx, account, shell, &session.id).await?,
            name: session.unique_name,
            role,
        });
    }
    Ok(rows)
}

/// How the last call or text of a session ended.
async fn last_ended(
    tx: &mut Tx,
    account: &AccountId,
    shell: &Shell,
    session: &SessionId,
) -> Answer<Option<Chip>> {
    let filter = Log { session: Some(session.clone()), ..Log::default() };
    let page = Page { before: None, after: None, limit: 1 };
    let found = interactions::list(tx, account, &filter, &page).await?;
    let Some(one) = found.first() else { return Ok(None) };
    let legs = legs::of_interaction(tx, account, &one.id).await?;
    Ok(Some(timeline::verdict(shell.lang, one, &legs).0))
}

pub(super) async fn page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    let id = ParticipantId::parse(&id).map_err(|_| No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    let whom = Somebody::by_participant(&mut tx, inside.id(), &id).await?;
    let before = query.get("before").and_then(|id| SessionId::parse(id).ok());
    let notice = query.get("done").and_then(|what| acts::notice(inside.person.language, what));
    show(&mut tx, &inside, &whom, before, notice).await
}
