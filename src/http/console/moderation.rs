//! The queue of moderators: reports and flagged texts, those that wait longest first.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;

use super::{
    App,
    answer::{self, Answer, Shell},
    filters::{Choice, Filters, PLACE, Query, SERVICE},
    gate::Inside,
    sessions::{service_choices, service_name, short},
    when::{self, When},
    words::{self, Chip},
};
use crate::{
    domain::{moderation::ItemKind, report, staff::Language, time::Timestamp},
    ids::{ServiceId, SessionId, StaffId},
    store::{
        moderation::{self, About, Filter, Item, ItemId, Whose},
        sessions, staff,
    },
};

/// How many a page lists.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "console/moderation.html")]
struct QueuePage {
    shell: Shell,
    filters: Filters,
    kinds: Vec<Choice>,
    services: Vec<Choice>,
    /// Whether those that wait are listed; those that were decided else.
    open: bool,
    rows: Vec<Row>,
    more: Option<String>,
    clear: String,
}

struct Row {
    link: String,
    kind: &'static str,
    what: String,
    state: Chip,
    /// What was decided, and what is told of it.
    decision: Option<&'static str>,
    session: String,
    session_name: String,
    service: String,
    at: Option<When>,
    age: String,
    assignee: Option<String>,
}

/// What it is about, in words: a category, or what became of a text and what was found in it.
pub(super) fn subject(language: Language, about: &About) -> String {
    match about {
        About::Report { category, .. } => words::category(language, *category).to_owned(),
        About::Text { fate, kinds } => {
            let found: Vec<&str> = kinds.iter().map(|one| words::content(language, *one)).collect();
            format!("{} ({})", found.join(", "), words::text_fate(language, *fate))
        }
    }
}

/// What sort of thing an item is.
pub(super) const fn kind(about: &About) -> ItemKind {
    match about {
        About::Report { .. } => ItemKind::Report,
        About::Text { .. } => ItemKind::Text,
    }
}

/// Reads what the queue is narrowed to.
fn filter(filters: &mut Filters, own: &StaffId) -> (Filter, Option<ItemId>) {
    let called = [["Kind", "Type"], ["report or text", "report ou text"]];
    let kind = filters.take("kind", called, ItemKind::parse);
    let called = [["State", "État"], ["open or decided", "open ou decided"]];
    let state = filters.take("state", called, |text| match text {
        "open" => Some(report::State::Open),
        "decided" => Some(report::State::Resolved),
        _ => None,
    });
    let called = [["Whose", "Attribution"], ["mine or nobody", "mine ou nobody"]];
    let whose = filters.take("whose", called, |text| match text {
        "mine" => Some(Whose::Of(own.clone())),
        "nobody" => Some(Whose::Nobodys),
        _ => None,
    });
    let service = filters.take("service", SERVICE, |id| ServiceId::parse(id).ok());
    let past = filters.take("before", PLACE, ItemId::parse);
    (Filter { kind, state: state.unwrap_or(report::State::Open), whose, service }, past)
}

pub(super) async fn page(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    let shell = inside.shell("moderation");
    let mut filters = Filters::new(shell.lang, query);
    let (filter, past) = filter(&mut filters, &inside.person.visitor.staff.id);
    let account = inside.id();
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    let services = service_choices(&mut tx, account).await?;
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let mut found = moderation::list(&mut tx, account, &filter, past.as_ref(), limit).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let mut of: Vec<SessionId> = found.iter().map(|one| one.session.clone()).collect();
    of.sort_unstable();
    of.dedup();
    let names = sessions::names(&mut tx, account, &of).await?.into_iter().collect();
    let mut taken: Vec<StaffId> = found.iter().filter_map(|one| one.assignee.clone()).collect();
    taken.sort_unstable();
    taken.dedup();
    let people = staff::names(&mut tx, &taken).await?;
    drop(tx);
    let more = found
        .last()
        .filter(|_| more)
        .map(|last| shell.link_with("/console/moderation", &filters.next(last.id.as_str())));
    let making = Rows { shell: &shell, services: &services, names, people, now };
    let rows = found.iter().map(|one| making.row(one)).collect();
    let kinds = ItemKind::ALL
        .iter()
        .map(|one| Choice::new(one.as_str(), words::item_kind(shell.lang, *one)))
        .collect();
    let clear = shell.link("/console/moderation");
    let open = filter.state == report::State::Open;
    answer::page(&QueuePage { shell, filters, kinds, services, open, rows, more, clear })
}

struct Rows<'a> {
    shell: &'a Shell,
    services: &'a [Choice],
    names: HashMap<SessionId, String>,
    people: HashMap<StaffId, String>,
    now: Timestamp,
}

impl Rows<'_> {
    fn row(&self, one: &Item) -> Row {
        let language = self.shell.lang;
        let name =
            |id: &StaffId| self.people.get(id).cloned().unwrap_or_else(|| short(id.as_str()));
        Row {
            link: self.shell.link(&format!("/console/moderation/{}", one.id.as_str())),
            kind: words::item_kind(language, kind(&one.about)),
            what: subject(language, &one.about),
            state: words::item_state(language, one.state),
            decision: one.decision.map(|one| words::decision(language, one)),
            session: self.shell.link(&format!("/console/sessions/{}", one.session)),
            session_name: self
                .names
                .get(&one.session)
                .cloned()
                .unwrap_or_else(|| short(one.session.as_str())),
            service: if one.service.is_empty() {
                String::new()
            } else {
                service_name(self.services, &one.service)
            },
            at: When::new(language, one.created_at),
            age: when::length(language, one.resolved_at.unwrap_or(self.now).since(one.created_at)),
            assignee: one.assignee.as_ref().map(name),
        }
    }
}
