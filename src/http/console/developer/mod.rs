//! What whoever builds against the relay looks at: requests to the APIs, deliveries, webhooks, keys and secrets.

mod keys;
mod requests;
mod secrets;
mod webhooks;

use std::time::Duration;

use askama::Template;
use axum::{Router, extract::State, routing::get};

use super::{
    App,
    answer::{self, Answer, Shell},
    gate::{self, Inside},
    when::When,
    words,
};
use crate::{
    domain::{staff::Permission as P, time::Timestamp},
    ids::{AccountId, EventId},
    store::{
        Tx, accounts, api_requests,
        deliveries::{self, DeliveryState, Range},
        endpoints::{self, EndpointState},
        received,
        sessions::Page,
    },
};

/// How far back the figures go.
const DAY: Duration = Duration::from_hours(24);
/// How many problem codes are told.
const PROBLEMS: i64 = 10;
/// Deliveries are counted no further.
const FAILED_MAX: i64 = 1000;

/// Its routes, below `/console/developer`. Whoever may develop sees all of it; keys and secrets are made and
/// withdrawn by whoever runs the account's console.
pub(super) fn routes(app: &App) -> Router<App> {
    let about = |what, route| gate::within(app, what, route);
    Router::new()
        .route("/console/developer", about(P::Develop, get(page)))
        .route("/console/developer/requests", about(P::Develop, get(requests::page)))
        .route("/console/developer/requests/{id}", about(P::Develop, get(requests::one)))
        .route("/console/developer/webhooks", about(P::Develop, get(webhooks::page)))
        .route("/console/developer/keys", about(P::Develop, get(keys::page)))
        .route("/console/developer/keys/new", about(P::Staff, get(keys::form).post(keys::create)))
        .route("/console/developer/keys/{id}/withdraw", {
            about(P::Staff, get(keys::ask).post(keys::withdraw))
        })
        .route("/console/developer/endpoints/{id}/secret", {
            about(P::Staff, get(secrets::ask).post(secrets::rotate))
        })
}

#[derive(Template)]
#[template(path = "console/developer.html")]
struct FrontPage {
    shell: Shell,
    requests: i64,
    failed: i64,
    problems: Vec<ProblemRow>,
    endpoints: usize,
    failing: usize,
    off: usize,
    undelivered: i64,
    /// Whether there are more of those than were counted.
    more: bool,
    last_webhook: Option<(Option<When>, &'static str)>,
    keys: usize,
    ending: usize,
}

struct ProblemRow {
    code: String,
    title: Option<&'static str>,
    count: i64,
    link: String,
}

/// What is known of the endpoints.
#[derive(Default)]
struct Endpoints {
    all: usize,
    failing: usize,
    off: usize,
    undelivered: i64,
    more: bool,
}

async fn endpoints_of(tx: &mut Tx, account: &AccountId, now: Timestamp) -> Answer<Endpoints> {
    let (from, before) = (EventId::first_of(now - DAY), EventId::first_of(now + DAY));
    let mut found = Endpoints::default();
    for one in endpoints::list(tx, account).await? {
        found.all += 1;
        found.failing += usize::from(one.failing_since.is_some());
        found.off += usize::from(one.state == EndpointState::Disabled);
        let range = Range { from: &from, before: &before, limit: FAILED_MAX };
        let failed = DeliveryState::Failed;
        let count = deliveries::count_range(tx, account, &one.id, failed, &range).await?;
        found.undelivered += count;
        found.more |= count >= FAILED_MAX;
    }
    Ok(found)
}

async fn page(State(app): State<App>, inside: Inside) -> Answer {
    /// A key that ends within so long is told of.
    const SOON: Duration = Duration::from_hours(30 * 24);
    let shell = inside.shell("developer");
    let (lang, account) = (shell.lang, inside.id());
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    let requests = api_requests::count(&mut tx, account, now - DAY).await?;
    let failed = api_requests::count_problems(&mut tx, account, now - DAY).await?;
    let problems = api_requests::problems(&mut tx, account, now - DAY, PROBLEMS).await?;
    let endpoints = endpoints_of(&mut tx, account, now).await?;
    let first = Page { before: None, after: None, limit: 1 };
    let last = received::list(&mut tx, account, (None, None), &first).await?;
    let keys = accounts::api_keys(&mut tx, account).await?;
    drop(tx);
    let live = |key: &&accounts::ApiKey| {
        key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at)
    };
    let ending = |key: &&accounts::ApiKey| key.expires_at.is_some_and(|at| at < now + SOON);
    answer::page(&FrontPage {
        requests,
        failed,
        problems: problems
            .into_iter()
            .map(|(code, count)| ProblemRow {
                title: words::problem(lang, &code).map(|problem| problem.title),
                link: shell.link_with("/console/developer/requests", &[("code", &code)]),
                code,
                count,
            })
            .collect(),
        endpoints: endpoints.all,
        failing: endpoints.failing,
        off: endpoints.off,
        undelivered: endpoints.undelivered,
        more: endpoints.more,
        last_webhook: last
            .first()
            .map(|one| (When::new(lang, one.at), words::kind(lang, one.kind))),
        keys: keys.iter().filter(live).count(),
        ending: keys.iter().filter(live).filter(ending).count(),
        shell,
    })
}
