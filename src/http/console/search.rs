//! The search box. What is typed is sent in a form and never stands in an address: it may be a
//! number.

use askama::Template;
use axum::extract::State;
use http::StatusCode;

use super::{
    App,
    answer::{self, Answer, Other, Shell},
    door::Form,
    gate::Inside,
};
use crate::{
    domain::phone::ProxyNumber,
    ids::{InteractionId, NumberId, SessionId},
    store::{
        Tx, interactions, numbers,
        sessions::{self, Filter, Page},
    },
};

#[derive(Template)]
#[template(path = "console/nothing.html")]
struct NothingPage {
    shell: Shell,
    number: bool,
}

/// A number as people write it, in E.164; nothing for other texts.
fn number(text: &str) -> Option<ProxyNumber> {
    let bare: String = text.chars().filter(|c| !" -.()/\u{a0}".contains(*c)).collect();
    let digits = bare.strip_prefix('+').or_else(|| bare.strip_prefix("00")).unwrap_or(&bare);
    ProxyNumber::parse(&format!("+{digits}")).ok()
}

/// Leads to what was searched for: a session by its id or name, an interaction by its id, the
/// sessions on a proxy number.
pub(super) async fn search(State(app): State<App>, inside: Inside, form: Form) -> Answer {
    let text = form.get("q");
    let shell = inside.shell("");
    if text.is_empty() {
        return Err(Other::To(shell.link("/console/sessions")));
    }
    let mut tx = app.relay.db().read().await?;
    let number = number(text);
    let found = match &number {
        Some(number) => on_number(&mut tx, &inside, &shell, number).await?,
        None => by_id_or_name(&mut tx, &inside, &shell, text).await?,
    };
    drop(tx);
    if let Some(path) = found {
        return Err(Other::To(path));
    }
    let mut response = answer::page(&NothingPage { shell, number: number.is_some() })?;
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

async fn on_number(
    tx: &mut Tx,
    inside: &Inside,
    shell: &Shell,
    number: &ProxyNumber,
) -> Answer<Option<String>> {
    let owner = numbers::owner(tx, number).await?;
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
        _ => Some(shell.link_with("/console/sessions", &[("name", text)])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number is read as people write it; ids and names are none.
    #[test]
    fn numbers_as_people_write_them() {
        for text in ["+14155550150", "0014155550150", "+1 (415) 555-0150", "1 415.555.0150"] {
            assert_eq!(number(text).unwrap().as_str(), "+14155550150", "{text}");
        }
        for text in ["order-1042", "KC0123456789abcdef0123456789abcdef", "12345", "0"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
