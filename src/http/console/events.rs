//! The list of events: what the marketplace was told of, in order.

use askama::Template;
use axum::extract::State;

use super::{
    App,
    answer::{self, Answer, Shell},
    filters::{Choice, Filters, PLACE, Query},
    gate::Inside,
    sessions::short,
    when::When,
    words::Chip,
};
use crate::{
    domain::{event::EventKind, staff::Permission},
    ids::{EventId, SessionId},
    store::{
        deliveries,
        event_list::{self, Filter},
        events::Event,
        sessions::Page,
    },
};

/// How many events a page lists.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "console/events.html")]
struct EventsPage {
    shell: Shell,
    filters: Filters,
    kinds: Vec<Choice>,
    rows: Vec<Row>,
    older: Option<String>,
    clear: String,
    /// Whether they may see what became of each at the endpoints.
    develops: bool,
}

struct Row {
    id: String,
    at: Option<When>,
    kind: String,
    sequence: Option<i64>,
    session: Option<(String, String)>,
    interaction: Option<(String, String)>,
    deliveries: Vec<Told>,
}

/// What became of an event at an endpoint.
struct Told {
    link: String,
    endpoint: String,
    state: Chip,
}

fn filter(filters: &mut Filters) -> (Filter, Page) {
    let called = [["Type", "Type"], ["one of the list", "une valeur de la liste"]];
    let kind = filters.take("type", called, EventKind::parse);
    let called = [["Session", "Session"], ["the id of a session", "l’identifiant d’une session"]];
    let session = filters.take("session", called, |id| SessionId::parse(id).ok());
    let (from, before) = filters.days();
    let place = filters.take("before", PLACE, |id| EventId::parse(id).ok());
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let filter = Filter { kind, session, from, before };
    (filter, Page { before: place.map(|id| id.to_string()), after: None, limit })
}

pub(super) async fn page(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    let shell = inside.shell("events");
    let mut filters = Filters::new(shell.lang, query);
    let (filter, page) = filter(&mut filters);
    let account = inside.id();
    let develops = inside.may(Permission::Develop);
    let mut tx = app.relay.db().read().await?;
    let mut found = event_list::list(&mut tx, account, &filter, &page).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let mut rows = Vec::with_capacity(found.len());
    for one in &found {
        let mut row = row(one, &shell);
        if develops {
            for told in deliveries::of_event(&mut tx, account, &one.id).await? {
                row.deliveries.push(Told {
                    link: shell.link_with(
                        "/console/deliveries",
                        &[("endpoint", told.endpoint.as_str()), ("event", one.id.as_str())],
                    ),
                    endpoint: short(told.endpoint.as_str()),
                    state: super::deliveries::state(shell.lang, told.state),
                });
            }
        }
        rows.push(row);
    }
    drop(tx);
    let older = found
        .last()
        .filter(|_| more)
        .map(|last| shell.link_with("/console/events", &filters.next(last.id.as_str())));
    let kinds = EventKind::ALL.iter().map(|one| Choice::new(one.as_str(), one.as_str())).collect();
    let clear = shell.link("/console/events");
    answer::page(&EventsPage { shell, filters, kinds, rows, older, clear, develops })
}

fn row(one: &Event, shell: &Shell) -> Row {
    let session = one.session.as_ref();
    Row {
        id: one.id.to_string(),
        at: When::new(shell.lang, one.created_at),
        kind: one.kind.clone(),
        sequence: Some(one.sequence).filter(|place| *place > 0),
        session: session
            .map(|id| (shell.link(&format!("/console/sessions/{id}")), short(id.as_str()))),
        interaction: session.zip(one.interaction.as_ref()).map(|(session, id)| {
            let path = format!("/console/sessions/{session}");
            let at = shell.link_with(&path, &[("at", id.as_str())]);
            (format!("{at}#{id}"), short(id.as_str()))
        }),
        deliveries: Vec::new(),
    }
}
