//! What did not get through: why, and at which carrier.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use crate::{
    domain::{
        interaction::{Outcome, Reason},
        staff::Language,
    },
    http::console::{
        answer::{Alone, Answer},
        words,
    },
    store::hours::Span,
};

/// How many reasons are listed; the rest is counted together.
const SHOWN: usize = 25;

/// Reasons by carrier.
#[derive(Debug, Template)]
#[template(path = "console/overview_failures.html")]
pub(super) struct Failures {
    shell: Alone,
    carriers: Vec<String>,
    rows: Vec<Row>,
    /// What is not listed.
    rest: i64,
}

#[derive(Debug)]
struct Row {
    kind: &'static str,
    why: &'static str,
    /// By carrier,
    counts: Vec<i64>,
    /// and in all.
    total: i64,
}

/// Why a call or text did not get through, by the word of its reason; `None` for what did, or goes on.
fn why(language: Language, span: &Span) -> Answer<Option<(&'static str, &'static str)>> {
    let traffic = &span.traffic;
    let kind = traffic.kind()?;
    let reason = match traffic.outcome()? {
        None | Some(Outcome::Connected) => return Ok(None),
        Some(Outcome::Relayed) if traffic.delivered() != Some(false) => return Ok(None),
        Some(Outcome::Relayed) => Some(Reason::Undelivered),
        Some(_) => traffic.reason()?,
    };
    let why = match (reason, traffic.outcome()?) {
        (Some(reason), _) => words::reason(language, reason, kind).title,
        (None, Some(outcome)) => words::outcome(language, outcome),
        (None, None) => return Ok(None),
    };
    Ok(Some((words::kind(language, kind), why)))
}

pub(super) fn table(language: Language, spans: &[Span]) -> Answer<Failures> {
    let mut counts: BTreeMap<(&str, &str), BTreeMap<&str, i64>> = BTreeMap::new();
    for span in spans {
        if let Some(why) = why(language, span)? {
            let carriers = counts.entry(why).or_default();
            *carriers.entry(&span.traffic.carrier).or_default() += span.traffic.tally;
        }
    }
    let carriers: BTreeSet<&str> = counts.values().flat_map(BTreeMap::keys).copied().collect();
    let mut rows: Vec<Row> = counts
        .iter()
        .map(|((kind, why), by)| Row {
            kind,
            why,
            counts: carriers.iter().map(|one| by.get(one).copied().unwrap_or(0)).collect(),
            total: by.values().sum(),
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.total));
    let rest = rows.iter().skip(SHOWN).map(|row| row.total).sum();
    rows.truncate(SHOWN);
    let carriers = carriers.into_iter().map(str::to_owned).collect();
    Ok(Failures { shell: Alone { lang: language }, carriers, rows, rest })
}
