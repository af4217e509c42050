//! Number pools: how each class of a service's numbers stands, and the numbers themselves.

use askama::Template;
use axum::extract::State;

use super::{
    App,
    answer::{self, Answer, Shell},
    filters::{Choice, Filters, PLACE, Query, SERVICE},
    gate::Inside,
    sessions::service_choices,
    words::{self, Chip},
};
use crate::{
    domain::staff::{Language, Permission},
    ids::{NumberId, ServiceId},
    store::{
        numbers::{self, Number},
        pool_counts::{self, COUNTED_MAX, Standing},
        sessions::Page,
    },
};

/// How many numbers a page lists.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "console/pools.html")]
struct PoolsPage {
    shell: Shell,
    filters: Filters,
    services: Vec<Choice>,
    /// The id of the service that is looked at; empty for none.
    chosen: String,
    classes: Vec<Class>,
    numbers: Vec<Row>,
    older: Option<String>,
    /// Whether there are more numbers than were counted.
    cut: Option<i64>,
    may_change: bool,
    import: String,
}

/// A class and how it stands.
struct Class {
    place: String,
    carrier: String,
    can: String,
    registration: &'static str,
    standing: Standing,
    /// How many are given to anybody and held by nobody.
    untouched: i64,
}

struct Row {
    link: String,
    number: String,
    place: String,
    carrier: String,
    can: String,
    state: Chip,
}

/// Where numbers are, in words: `US 415`.
pub(super) fn place(language: Language, country: &str, area: &str) -> String {
    let country =
        if country.is_empty() { language.say("no country", "sans pays") } else { country };
    if area.is_empty() { country.to_owned() } else { format!("{country} {area}") }
}

pub(super) async fn page(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    let shell = inside.shell("pools");
    let language = shell.lang;
    let mut filters = Filters::new(language, query);
    let wanted = filters.take("service", SERVICE, |id| ServiceId::parse(id).ok());
    let before = filters.take("before", PLACE, |id| NumberId::parse(id).ok());
    let account = inside.id();
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    let services = service_choices(&mut tx, account).await?;
    let chosen = match &wanted {
        Some(id) => services.iter().find(|one| one.value == id.as_str()),
        None => services.first(),
    };
    let chosen = chosen.map(|one| one.value.clone()).unwrap_or_default();
    let (mut standings, mut found, mut more) = (Vec::new(), Vec::new(), false);
    if let Ok(id) = ServiceId::parse(&chosen) {
        standings = pool_counts::standings(&mut tx, account, &id, now).await?;
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
        let page = Page { before: before.map(|id| id.to_string()), after: None, limit };
        found = numbers::page(&mut tx, account, &id, &page).await?;
        more = found.len() > PAGE;
        found.truncate(PAGE);
    }
    drop(tx);
    let older = found.last().filter(|_| more).map(|last| {
        shell.link_with("/console/pools", &[("service", &chosen), ("before", last.id.as_str())])
    });
    let total: i64 = standings.iter().map(|one| one.all).sum();
    answer::page(&PoolsPage {
        classes: standings.into_iter().map(|one| class(language, one)).collect(),
        numbers: found.into_iter().map(|one| row(&shell, &one)).collect(),
        cut: (total >= COUNTED_MAX).then_some(COUNTED_MAX),
        may_change: shell.may(Permission::Pools),
        import: shell.link_with("/console/pools/import", &[("service", &chosen)]),
        chosen,
        services,
        older,
        filters,
        shell,
    })
}

fn class(language: Language, standing: Standing) -> Class {
    Class {
        place: place(language, &standing.country, &standing.area),
        carrier: standing.carrier.clone(),
        can: words::can(language, standing.capabilities),
        registration: words::registration(language, standing.registration),
        untouched: (standing.all - standing.used - standing.resting).max(0),
        standing,
    }
}

fn row(shell: &Shell, one: &Number) -> Row {
    Row {
        link: shell.link(&format!("/console/pools/numbers/{}", one.id)),
        number: one.number.to_string(),
        place: place(shell.lang, &one.country, &one.area),
        carrier: one.carrier.clone(),
        can: words::can(shell.lang, one.capabilities),
        state: words::number_state(shell.lang, one),
    }
}
