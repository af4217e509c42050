//! The search box. What is typed is sent in a form and never stands in an address, a log or an error: it may be a
//! person's number.

use askama::Template;
use axum::extract::State;
use http::StatusCode;

use super::{
    App,
    answer::{self, Answer, Other, Shell},
    door::Form,
    gate::Inside,
    people,
};
use crate::{
    domain::phone::{Country, Identifier, ProxyNumber, is_like_a_number, parse_typed},
    ids::{InteractionId, NumberId, SessionId},
    relay::Somebody,
    store::{
        Tx, interactions, numbers, rings, services,
        sessions::{self, Filter, Page},
    },
};

/// How many services are asked for the countries of their people.
const SERVICES: i64 = 50;
/// In how many countries a number without a calling code is looked for.
const COUNTRIES: usize = 10;

#[derive(Template)]
#[template(path = "console/nothing.html")]
struct NothingPage {
    shell: Shell,
    what: Nothing,
}

/// What was not found.
#[derive(PartialEq, Eq)]
enum Nothing {
    /// Nobody has that number, and it is no proxy number.
    Number,
    /// It looks like a number and can't be read as one.
    Unread,
    /// No id or name.
    Name,
}

/// Leads to what was searched for: a session by its id or name, an interaction by its id, the sessions on a proxy
/// number, or those of a person by their number.
pub(super) async fn search(State(app): State<App>, inside: Inside, form: Form) -> Answer {
    let text = form.get("q");
    let shell = inside.shell("");
    if text.is_empty() {
        return Err(Other::To(shell.link("/console/sessions")));
    }
    let mut tx = app.relay.db().read().await?;
    let countries =
        if is_like_a_number(text) { countries(&mut tx, &inside).await? } else { Vec::new() };
    let typed = parse_typed(text, &countries);
    for one in &typed {
        if let Some(path) = on_number(&mut tx, &inside, &shell, one).await? {
            return Err(Other::To(path));
        }
    }
    if let Some(path) = by_id_or_name(&mut tx, &inside, &shell, text).await? {
        return Err(Other::To(path));
    }
    let found = Somebody::by_number(&mut tx, inside.id(), &typed).await?;
    drop(tx);
    if let Some(found) = found {
        noted(&app, &inside, &found.masked).await?;
        let Some(known) = &found.known else {
            let mut tx = app.relay.db().read().await?;
            return people::show(&mut tx, &inside, &found, None, None).await;
        };
        return Err(Other::To(shell.link(&format!("/console/people/{known}"))));
    }
    let what = match typed.first() {
        Some(one) => {
            let mut tx = app.relay.db().read().await?;
            let masked = Somebody::masked(&mut tx, inside.id(), one).await?;
            drop(tx);
            noted(&app, &inside, &masked).await?;
            Nothing::Number
        }
        None if is_like_a_number(text) => Nothing::Unread,
        None => Nothing::Name,
    };
    answer::with_status(StatusCode::NOT_FOUND, answer::page(&NothingPage { shell, what }))
}

/// Notes that somebody was searched for, found or not, before anything is shown.
async fn noted(app: &App, inside: &Inside, masked: &str) -> Answer<()> {
    Ok(inside.person.relay(app).note_search(inside.id(), masked).await?)
}

/// The countries whose national numbers may be typed: those that the account's services reach, and of their proxy
/// numbers.
async fn countries(tx: &mut Tx, inside: &Inside) -> Answer<Vec<Country>> {
    let mut all: Vec<Country> = Vec::new();
    for service in services::list(tx, inside.id(), "", SERVICES).await? {
        let classes = rings::classes(tx, inside.id(), &service.id).await?;
        let named = service.rules.countries.iter().filter_map(Country::parse);
        let pool = classes.iter().filter_map(|class| Country::parse(&class.country));
        for one in named.chain(pool) {
            if !all.contains(&one) && all.len() < COUNTRIES {
                all.push(one);
            }
        }
    }
    Ok(all)
}

async fn on_number(
    tx: &mut Tx,
    inside: &Inside,
    shell: &Shell,
    number: &Identifier,
) -> Answer<Option<String>> {
    let Ok(number) = ProxyNumber::parse(number.expose()) else { return Ok(None) };
    let owner = numbers::owner(tx, &number).await?;
    let ours = owner.filter(|(account, _)| account == inside.id());
    Ok(ours
        .map(|(_, number)| shell.link_with("/console/sessions", &[("number", number.id.as_str())])))
}

async fn by_id_or_name(
    tx: &mut Tx,
    inside: &Inside,
    shell: &Shell,
    text: &str,
) -> Answer<Option<String>> {
    let session = |id: &SessionId| shell.link(&format!("/console/sessions/{id}"));
    if let Ok(id) = SessionId::parse(text) {
        return Ok(sessions::get(tx, inside.id(), &id).await?.map(|_| session(&id)));
    }
    if let Ok(id) = InteractionId::parse(text) {
        let found = interactions::get(tx, inside.id(), &id).await?;
        return Ok(found.and_then(|one| one.session).map(|owner| {
            let path = format!("/console/sessions/{owner}");
            format!("{}#{id}", shell.link_with(&path, &[("at", id.as_str())]))
        }));
    }
    if let Ok(id) = NumberId::parse(text) {
        let found = numbers::get(tx, inside.id(), &id).await?;
        return Ok(found.map(|number| {
            shell.link_with("/console/sessions", &[("number", number.id.as_str())])
        }));
    }
    // What no unique name can hold is not asked for.
    if text.chars().count() > 191 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Ok(None);
    }
    let filter = Filter { unique_name: Some(text.to_owned()), ..Filter::default() };
    let found =
        sessions::list(tx, inside.id(), &filter, &Page { before: None, after: None, limit: 2 })
            .await?;
    Ok(match found.as_slice() {
        [] => None,
        [one] => Some(session(&one.id)),
        // A name that may be a number does not come to stand in an address: the latest of them.
        [one, ..] if is_like_a_number(text) => Some(session(&one.id)),
        _ => Some(shell.link_with("/console/sessions", &[("name", text)])),
    })
}
