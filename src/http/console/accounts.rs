//! Which account to look at, for staff who may see all.

use askama::Template;
use axum::extract::State;

use super::{
    App,
    answer::{self, Answer, Other, Shell},
    door,
    filters::Query,
    gate::Member,
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

pub(super) async fn page(State(app): State<App>, person: Member, query: Query) -> Answer {
    let staff = &person.visitor.staff;
    let next = door::next(query.get("next"), "/console/overview");
    let next = next.split('?').next().unwrap_or(next);
    if staff.only_account().is_some() {
        return Err(Other::To("/console/overview".to_owned()));
    }
    let after = query.get("after").filter(|after| AccountId::parse(after).is_ok());
    let mut tx = app.relay.db().read().await?;
    let mut found = if staff.rights_everywhere().is_some() {
        accounts::list(&mut tx, after.unwrap_or_default(), PAGE + 1).await?
    } else {
        let mut own = Vec::new();
        for id in staff.grants.iter().filter_map(|grant| grant.account.as_ref()) {
            own.extend(accounts::get(&mut tx, id).await?);
        }
        own
    };
    drop(tx);
    let shell = person.shell("");
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
            created: When::new(shell.lang, account.created_at),
        })
        .collect();
    answer::page(&AccountsPage { shell, rows, more })
}
