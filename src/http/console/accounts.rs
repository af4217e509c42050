//! Which account to look at, for staff who may see all.

use askama::Template;
use axum::extract::State;

use super::{
    App,
    answer::{self, Answer, Other, Shell},
    filters::Query,
    gate::Visitor,
    when::When,
};
use crate::{ids::AccountId, store::accounts};

/// How many accounts a page lists.
const PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "console/accounts.html")]
struct AccountsPage {
    shell: Shell,
    rows: Vec<Row>,
    more: Option<String>,
}

struct Row {
    link: String,
    name: String,
    id: String,
    created: Option<When>,
}

/// Where a choice leads: back to what was asked for, if that is a page of ours.
fn next(query: &Query) -> &str {
    let ours = |path: &&str| {
        let rest = path.strip_prefix("/console/").unwrap_or_default();
        (rest.starts_with("sessions") || rest.starts_with("interactions"))
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'/')
    };
    query.get("next").filter(ours).unwrap_or("/console/sessions")
}

pub(super) async fn page(State(app): State<App>, Visitor(staff): Visitor, query: Query) -> Answer {
    if staff.account.is_some() {
        return Err(Other::To("/console/sessions".to_owned()));
    }
    let next = next(&query);
    let after = query.get("after").filter(|after| AccountId::parse(after).is_ok());
    let mut tx = app.relay.db().read().await?;
    let mut found = accounts::list(&mut tx, after.unwrap_or_default(), PAGE + 1).await?;
    drop(tx);
    let shell = Shell::outside(&staff);
    let more = usize::try_from(PAGE).is_ok_and(|most| {
        let more = found.len() > most;
        found.truncate(most);
        more
    });
    let more = found.last().filter(|_| more).map(|last| {
        shell.link_with("/console/accounts", &[("next", next), ("after", last.id.as_str())])
    });
    let rows = found
        .into_iter()
        .map(|account| Row {
            link: shell.link_with(next, &[("account", account.id.as_str())]),
            id: account.id.to_string(),
            name: account.name,
            created: When::new(account.created_at),
        })
        .collect();
    answer::page(&AccountsPage { shell, rows, more })
}
