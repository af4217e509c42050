//! The log of calls and texts over all sessions of an account, the refused ones too.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;

use super::{
    App,
    answer::{self, Answer, Shell},
    filters::{Choice, Filters, PLACE, Query, SERVICE},
    gate::Inside,
    sessions::{service_choices, service_name, short},
    timeline::{self, Cast, Party},
    when::{self, When},
    words::{self, Chip},
};
use crate::{
    domain::{
        interaction::{Kind, Outcome},
        staff::Permission,
    },
    ids::{InteractionId, ServiceId, SessionId},
    store::{
        interactions::{self, Filter, Interaction},
        legs::{self, Leg},
        participants::{self, Participant},
        reach::List,
        sessions::{self, Page},
    },
};

/// How many calls and texts a page lists.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "console/interactions.html")]
struct InteractionsPage {
    shell: Shell,
    filters: Filters,
    kinds: Vec<Choice>,
    outcomes: Vec<Choice>,
    services: Vec<Choice>,
    rows: Vec<Row>,
    older: Option<String>,
    /// Whether the look ended before the list did.
    further: bool,
    clear: String,
    /// Where the list is taken away as a file, for whoever may.
    export: Option<String>,
}

struct Row {
    id: String,
    at: Option<When>,
    kind: &'static str,
    /// Whether it is a call; a text else.
    call: bool,
    from: Party,
    to: Vec<Party>,
    /// Where the session is told, and what it is called.
    session: Option<(String, String)>,
    service: String,
    number: String,
    duration: Option<String>,
    chip: Chip,
    why: Option<&'static str>,
}

/// Reads what the list is narrowed to.
pub(super) fn filter(filters: &mut Filters) -> (Filter, Page) {
    let called = [["Kind", "Type"], ["call or message", "call ou message"]];
    let kind = filters.take("kind", called, Kind::parse);
    let called = [["Outcome", "Résultat"], ["one of the list", "une valeur de la liste"]];
    let outcome = filters.take("outcome", called, Outcome::parse);
    let service = filters.take("service", SERVICE, |id| ServiceId::parse(id).ok());
    let role = filters.role();
    let (created_from, created_before) = filters.days();
    let before = filters.take("before", PLACE, |id| InteractionId::parse(id).ok());
    let filter = Filter {
        session: None,
        service,
        kind,
        outcome,
        role,
        carrier: None,
        created_from,
        created_before,
        ..Filter::default()
    };
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    (filter, Page { before: before.map(|id| id.to_string()), after: None, limit })
}

pub(super) async fn page(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    let shell = inside.shell("interactions");
    let mut filters = Filters::new(shell.lang, query);
    let (mut filter, page) = filter(&mut filters);
    let account = inside.id();
    let mut tx = app.relay.db().read().await?;
    let services = service_choices(&mut tx, account).await?;
    // Outcomes and services have an index each; what is in none of them, or in both, has none.
    let known = usize::from(filter.outcome.is_some()) + usize::from(filter.service.is_some());
    let narrowed = filter.kind.is_some() || filter.role.is_some();
    let end = if narrowed || known > 1 {
        let span = (&page, &mut filter.created_from, filter.created_before);
        Filters::reach(&mut tx, account, (List::Interactions, None), span).await?
    } else {
        None
    };
    let mut found = interactions::list(&mut tx, account, &filter, &page).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let ids: Vec<InteractionId> = found.iter().map(|one| one.id.clone()).collect();
    let mut of: Vec<SessionId> = found.iter().filter_map(|one| one.session.clone()).collect();
    of.sort_unstable();
    of.dedup();
    let legs = legs::of_interactions(&mut tx, account, &ids).await?;
    let people = participants::of_sessions(&mut tx, account, &of).await?;
    let names = sessions::names(&mut tx, account, &of).await?;
    drop(tx);
    let last = found.last().filter(|_| more).map(|last| last.id.clone());
    let further = end.filter(|_| !more);
    let next = last.or(further.map(InteractionId::first_of));
    let older = next.map(|id| shell.link_with("/console/interactions", &filters.next(id.as_str())));
    let rows = Rows { shell: &shell, services: &services, names: names.into_iter().collect() }
        .make(&found, legs, &people);
    let kind = |one: &Kind| Choice::new(one.as_str(), words::kind(shell.lang, *one));
    let kinds = Kind::ALL.iter().map(kind).collect();
    let outcome = |one: &Outcome| Choice::new(one.as_str(), words::outcome(shell.lang, *one));
    let outcomes = Outcome::ALL.iter().map(outcome).collect();
    let clear = shell.link("/console/interactions");
    let export = shell.may(Permission::Export).then(|| shell.link("/console/exports"));
    answer::page(&InteractionsPage {
        shell,
        filters,
        kinds,
        outcomes,
        services,
        rows,
        older,
        further: further.is_some(),
        clear,
        export,
    })
}

struct Rows<'a> {
    shell: &'a Shell,
    services: &'a [Choice],
    names: HashMap<SessionId, String>,
}

impl Rows<'_> {
    fn make(&self, found: &[Interaction], legs: Vec<Leg>, people: &[Participant]) -> Vec<Row> {
        let mut by_interaction: HashMap<InteractionId, Vec<Leg>> = HashMap::new();
        for leg in legs {
            by_interaction.entry(leg.interaction.clone()).or_default().push(leg);
        }
        let cast = Cast::new(self.shell.lang, people);
        let rows = found.iter().map(|one| {
            let legs = by_interaction.remove(&one.id).unwrap_or_default();
            self.row(one, &legs, &cast)
        });
        rows.collect()
    }

    fn row(&self, one: &Interaction, legs: &[Leg], cast: &Cast<'_>) -> Row {
        let language = self.shell.lang;
        let (chip, _, why) = timeline::verdict(language, one, legs);
        let from = cast.from(one);
        let service = one.service.as_ref();
        Row {
            id: one.id.to_string(),
            at: When::new(language, one.created_at),
            kind: words::kind(language, one.kind),
            call: one.kind == Kind::Call,
            to: cast.to(one, legs, &from),
            from,
            session: one.session.as_ref().map(|id| {
                let path = format!("/console/sessions/{id}");
                let at = self.shell.link_with(&path, &[("at", one.id.as_str())]);
                let name = self.names.get(id).cloned().unwrap_or_else(|| short(id.as_str()));
                (format!("{at}#{}", one.id), name)
            }),
            service: service.map(|id| service_name(self.services, id.as_str())).unwrap_or_default(),
            number: one.number.to_string(),
            duration: one.duration.map(|spoken| when::length(language, spoken)),
            chip,
            why: why.map(|why| why.title),
        }
    }
}
