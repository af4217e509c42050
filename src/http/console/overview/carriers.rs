//! How carriers do, as this node sees it.

use askama::Template;

use crate::{
    domain::staff::Language,
    http::console::{
        App,
        answer::Alone,
        when::When,
        words::{self, Chip},
    },
};

/// Each carrier that is configured.
#[derive(Debug, Template)]
#[template(path = "console/overview_carriers.html")]
pub(super) struct Carriers {
    shell: Alone,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: String,
    state: Chip,
    since: Option<When>,
    /// What failed within the last minute: how often, and what.
    failures: Vec<(u32, &'static str)>,
    /// Until when it takes nothing because it said so.
    throttled: Option<When>,
    budget: Option<u64>,
}

pub(super) fn table(app: &App, language: Language) -> Carriers {
    let relay = &app.relay;
    let rows = relay.carriers().iter().filter_map(|one| {
        let report = relay.health().report(&one.id)?;
        let failed = report.failures.iter().filter(|(_, count)| *count > 0);
        Some(Row {
            id: one.id.clone(),
            state: words::carrier_state(language, report.state),
            since: When::new(language, report.since),
            failures: failed
                .map(|(trouble, count)| (*count, words::trouble(language, *trouble)))
                .collect(),
            throttled: report.throttled_until.and_then(|at| When::new(language, at)),
            budget: relay.budget_used(&one.id),
        })
    });
    Carriers { shell: Alone { lang: language }, rows: rows.collect() }
}
