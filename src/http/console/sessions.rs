//! The list of sessions.

use std::{collections::HashMap, time::Duration};

use askama::Template;
use axum::extract::State;

use super::{
    App,
    answer::{self, Answer, Other, Shell},
    filters::{Choice, Filters, PLACE, Query, SERVICE},
    gate::{Inside, Member},
    timeline::{COUNTED, Count, counts},
    when::When,
    words::{self, Chip},
};
use crate::{
    domain::{session::State as SessionState, staff::Permission, time::Timestamp},
    ids::{AccountId, NumberId, ServiceId, SessionId},
    store::{
        Tx,
        interactions::{self, Tally},
        numbers,
        participants::{self, Participant},
        reach::List,
        services,
        sessions::{self, Filter, Page, Session},
    },
};

/// How many sessions a page lists.
const PAGE: usize = 25;
/// How many services a filter offers.
const SERVICES: i64 = 200;

#[derive(Template)]
#[template(path = "console/sessions.html")]
struct SessionsPage {
    shell: Shell,
    filters: Filters,
    states: Vec<Choice>,
    services: Vec<Choice>,
    /// The proxy number that the list is narrowed to.
    number: Option<String>,
    rows: Vec<Row>,
    older: Option<String>,
    /// Whether the look ended before the list did.
    further: bool,
    clear: String,
    /// Where the list is taken away as a file, for whoever may.
    export: Option<String>,
}

struct Row {
    link: String,
    name: Option<String>,
    id: String,
    short: String,
    state: Chip,
    service: String,
    people: Vec<Person>,
    created: Option<When>,
    last: Option<When>,
    counts: Vec<Count>,
}

struct Person {
    role: String,
    masked: String,
    gone: bool,
}

/// An id as a list shows it: its end tells it from its neighbours in time.
pub(super) fn short(id: &str) -> String {
    let (head, tail) = id.split_at(2);
    format!("{head}…{}", tail.get(tail.len().saturating_sub(8)..).unwrap_or_default())
}

/// `/console`: the first part that somebody may see.
pub(super) async fn home(person: Member) -> Other {
    let staff = &person.visitor.staff;
    let may = |what| staff.grants.iter().any(|grant| grant.rights.may(what));
    let first = if may(Permission::View) {
        "/console/overview"
    } else if may(Permission::Audit) {
        "/console/audit"
    } else {
        "/console/me"
    };
    Other::To(first.to_owned())
}

/// The services of an account by id, as a filter offers them.
pub(super) async fn service_choices(tx: &mut Tx, account: &AccountId) -> Answer<Vec<Choice>> {
    let services = services::list(tx, account, "", SERVICES).await?;
    Ok(services.into_iter().map(|one| Choice::new(one.id.to_string(), one.unique_name)).collect())
}

/// The name of a service, or its id.
pub(super) fn service_name(choices: &[Choice], id: &str) -> String {
    let found = choices.iter().find(|choice| choice.value == id);
    found.map_or_else(|| short(id), |choice| choice.label.clone())
}

/// Reads what the list is narrowed to.
pub(super) fn filter(filters: &mut Filters) -> (Filter, Page) {
    let called =
        [["State", "État"], ["open, in-progress or closed", "open, in-progress ou closed"]];
    let state = filters.take("state", called, SessionState::parse);
    let service = filters.take("service", SERVICE, |id| ServiceId::parse(id).ok());
    let role = filters.role();
    let (created_from, created_before) = filters.days();
    let called = [["Name", "Nom"], ["a unique name", "un nom unique"]];
    let unique_name = filters.take("name", called, |name| {
        let ok = name.chars().count() <= 191 && !name.chars().any(char::is_control);
        ok.then(|| name.to_owned())
    });
    let called = [["Number", "Numéro"], ["the id of a number", "l’identifiant d’un numéro"]];
    let number = filters.take("number", called, |id| NumberId::parse(id).ok());
    let before = filters.take("before", PLACE, |id| SessionId::parse(id).ok());
    let filter = Filter {
        service,
        state,
        suspended: None,
        created_from,
        created_before,
        role,
        carrier: None,
        unique_name,
        number,
    };
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    (filter, Page { before: before.map(|id| id.to_string()), after: None, limit })
}

pub(super) async fn page(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    let shell = inside.shell("sessions");
    let mut filters = Filters::new(shell.lang, query);
    let (mut filter, page) = filter(&mut filters);
    let account = inside.id();
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    let services = service_choices(&mut tx, account).await?;
    let number = match &filter.number {
        Some(id) => numbers::get(&mut tx, account, id).await?.map(|one| one.number.to_string()),
        None => None,
    };
    // What a number has is read from its own list, which ends where the page begins.
    let begins = page.before.as_deref().and_then(|id| SessionId::parse(id).ok());
    if let Some(id) = begins.filter(|_| filter.number.is_some()) {
        let at = id.made_at() + Duration::from_millis(1);
        filter.created_before = Some(filter.created_before.map_or(at, |before| before.min(at)));
    }
    let end = if filter.role.is_some() || filter.number.is_some() {
        let number = filter.number.as_ref();
        let span = (&page, &mut filter.created_from, filter.created_before);
        Filters::reach(&mut tx, account, (List::Sessions, number), span).await?
    } else {
        None
    };
    let mut found = sessions::list(&mut tx, account, &filter, &page).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let ids: Vec<SessionId> = found.iter().map(|one| one.id.clone()).collect();
    let people = participants::of_sessions(&mut tx, account, &ids).await?;
    let tallies = interactions::newest_tallies(&mut tx, account, &ids, COUNTED).await?;
    drop(tx);
    let last = found.last().filter(|_| more).map(|last| last.id.clone());
    let further = end.filter(|_| !more);
    let next = last.or(further.map(SessionId::first_of));
    let older = next.map(|id| shell.link_with("/console/sessions", &filters.next(id.as_str())));
    let rows = rows(found, people, &tallies, &services, &shell, now);
    let states = [SessionState::Open, SessionState::InProgress, SessionState::Closed];
    let state = |one: SessionState| Choice::new(one.as_str(), words::state(shell.lang, one).word);
    let states = states.map(state).into();
    let clear = shell.link("/console/sessions");
    let export = shell.may(Permission::Export).then(|| shell.link("/console/exports"));
    answer::page(&SessionsPage {
        shell,
        filters,
        states,
        services,
        number,
        rows,
        older,
        further: further.is_some(),
        clear,
        export,
    })
}

fn rows(
    found: Vec<Session>,
    people: Vec<Participant>,
    tallies: &[Tally],
    services: &[Choice],
    shell: &Shell,
    now: Timestamp,
) -> Vec<Row> {
    let language = shell.lang;
    let mut by_session: HashMap<SessionId, Vec<Person>> = HashMap::new();
    for one in people {
        let (masked, gone) = (one.masked(), one.removed_at.is_some());
        let list = by_session.entry(one.session).or_default();
        list.push(Person { role: one.role, masked, gone });
    }
    found
        .into_iter()
        .map(|session| Row {
            link: shell.link(&format!("/console/sessions/{}", session.id)),
            short: short(session.id.as_str()),
            state: words::session_state(language, &session, now),
            service: service_name(services, session.service.as_str()),
            people: by_session.remove(&session.id).unwrap_or_default(),
            created: When::new(language, session.created_at),
            last: session.last_interaction_at.and_then(|at| When::new(language, at)),
            counts: counts(language, tallies.iter().filter(|tally| tally.session == session.id)),
            name: session.unique_name,
            id: session.id.to_string(),
        })
        .collect()
}
