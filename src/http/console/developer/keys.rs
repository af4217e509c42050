//! API keys: which there are, new ones, which are shown once, and the end of one.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect},
};

use super::secrets::{self, EndpointRow};
use crate::{
    domain::{audit::holds_a_number, staff::Permission, time::Timestamp},
    http::console::{
        App,
        answer::{self, Answer, No, Shell},
        door::Form,
        filters::{Choice, Query},
        gate::Inside,
        when::When,
        words::{self, Chip, Tone},
    },
    ids::KeyId,
    relay::{self, Error, Scope},
    store::accounts::{self, ApiKey},
};

const PATH: &str = "/console/developer/keys";
/// The longest name of a key, in characters.
const NAME_CHARS: usize = 64;
/// How many keys the page lists, the newest first.
const LISTED: usize = 200;
/// After how many days a new key may end.
const DAYS: [u64; 4] = [7, 30, 90, 365];

#[derive(Template)]
#[template(path = "console/developer_keys.html")]
struct KeysPage {
    shell: Shell,
    rows: Vec<Row>,
    /// Whether there are more than are listed.
    more: bool,
    endpoints: Vec<EndpointRow>,
    /// Where a key is made, for whoever may.
    make: Option<String>,
    notice: Option<&'static str>,
}

struct Row {
    id: String,
    name: String,
    hint: String,
    scopes: Vec<String>,
    every: bool,
    state: Chip,
    made: Option<When>,
    used: Option<When>,
    ends: Option<When>,
    withdrawn: Option<When>,
    requests: String,
    withdraw: Option<String>,
}

#[derive(Template)]
#[template(path = "console/developer_key_new.html")]
struct NewPage {
    shell: Shell,
    name: String,
    scopes: Vec<(Choice, bool)>,
    terms: Vec<(Choice, bool)>,
    /// The secret that was just made, which is shown this once.
    made: Option<(String, String)>,
    fault: Option<&'static str>,
    back: String,
    action: String,
}

#[derive(Template)]
#[template(path = "console/developer_key_end.html")]
struct EndPage {
    shell: Shell,
    name: String,
    hint: String,
    used: Option<When>,
    fault: Option<&'static str>,
    back: String,
    action: String,
}

fn row(shell: &Shell, one: ApiKey, now: Timestamp) -> Row {
    let lang = shell.lang;
    let ended = one.expires_at.is_some_and(|at| at <= now);
    let live = one.revoked_at.is_none() && !ended;
    let (tone, word) = match (one.revoked_at.is_some(), ended) {
        (true, _) => (Tone::Quiet, lang.say("withdrawn", "révoquée")),
        (false, true) => (Tone::Quiet, lang.say("ended", "expirée")),
        (false, false) => (Tone::Good, lang.say("opens", "active")),
    };
    let may = live && shell.may(Permission::Staff);
    Row {
        withdraw: may.then(|| shell.link(&format!("{PATH}/{}/withdraw", one.id))),
        requests: shell.link_with("/console/developer/requests", &[("key", one.id.as_str())]),
        every: one.scopes == Scope::all(),
        scopes: one.scopes.split(' ').map(str::to_owned).collect(),
        state: Chip { tone, word },
        made: When::new(lang, one.created_at),
        used: one.last_used_at.and_then(|at| When::new(lang, at)),
        ends: one.expires_at.and_then(|at| When::new(lang, at)),
        withdrawn: one.revoked_at.and_then(|at| When::new(lang, at)),
        id: one.id.to_string(),
        name: one.name,
        hint: one.hint,
    }
}

pub(in crate::http::console) async fn page(
    State(app): State<App>,
    inside: Inside,
    query: Query,
) -> Answer {
    let shell = inside.shell("developer");
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    let keys = accounts::api_keys(&mut tx, inside.id()).await?;
    let endpoints = secrets::rows(&mut tx, &inside, &shell).await?;
    drop(tx);
    let notice = query.has("withdrawn").then(|| {
        shell.lang.say(
            "The key is withdrawn: it opens nothing any more.",
            "La clé est révoquée : elle n’ouvre plus rien.",
        )
    });
    answer::page(&KeysPage {
        more: keys.len() > LISTED,
        rows: keys.into_iter().rev().take(LISTED).map(|one| row(&shell, one, now)).collect(),
        endpoints,
        make: shell.may(Permission::Staff).then(|| shell.link(&format!("{PATH}/new"))),
        notice,
        shell,
    })
}

/// The form for a key, with what was typed into it.
fn new_page(inside: &Inside, typed: &Form) -> NewPage {
    let shell = inside.shell("developer");
    let lang = shell.lang;
    let wanted: Vec<&str> = typed.all("scope").collect();
    let term = typed.get("days");
    let mut terms = vec![(Choice::new("", lang.say("never", "jamais")), term.is_empty())];
    terms.extend(DAYS.map(|days| {
        let words = format!("{} {days} {}", lang.say("after", "après"), lang.say("days", "jours"));
        (Choice::new(days.to_string(), words), term == days.to_string())
    }));
    NewPage {
        name: typed.get("name").to_owned(),
        scopes: Scope::ALL
            .iter()
            .map(|one| {
                let words = words::scope(lang, *one);
                (Choice::new(one.as_str(), words), wanted.contains(&one.as_str()))
            })
            .collect(),
        terms,
        made: None,
        fault: None,
        back: shell.link(PATH),
        action: shell.link(&format!("{PATH}/new")),
        shell,
    }
}

fn refused(mut page: NewPage, fault: &'static str) -> Answer {
    page.fault = Some(fault);
    answer::again(&page)
}

pub(in crate::http::console) async fn form(inside: Inside) -> Answer {
    // Before anything is typed: what is typed would not come back from there.
    let page = new_page(&inside, &Form::default());
    inside.person.fresh(&page.action)?;
    answer::page(&page)
}

/// What a key may be called: it stands in lists and logs.
fn is_name(text: &str) -> bool {
    let fits = (1..=NAME_CHARS).contains(&text.chars().count());
    fits && !text.chars().any(char::is_control) && !holds_a_number(text)
}

pub(in crate::http::console) async fn create(
    State(app): State<App>,
    inside: Inside,
    typed: Form,
) -> Answer {
    let mut page = new_page(&inside, &typed);
    inside.person.fresh(&page.action)?;
    let lang = page.shell.lang;
    if !is_name(&page.name) {
        let words = lang.say(
            "The name must have 1 to 64 characters and be no telephone number.",
            "Le nom doit avoir 1 à 64 caractères et n’être pas un numéro de téléphone.",
        );
        return refused(page, words);
    }
    let scopes: Vec<&str> =
        page.scopes.iter().filter(|(_, on)| *on).map(|(one, _)| one.value.as_str()).collect();
    if scopes.is_empty() {
        let words = lang.say("Choose what the key may do.", "Choisissez ce que la clé permet.");
        return refused(page, words);
    }
    let days = match page.terms.iter().find(|(_, on)| *on) {
        Some((one, _)) => one.value.parse().ok(),
        None => return Err(No::NOTHING_HERE.into()),
    };
    let input = (inside.id().clone(), page.name.clone(), scopes.join(" "), days);
    let relay = inside.person.relay(&app);
    let made = relay.db().write(move |tx| {
        let (account, name, scopes, days): (_, String, String, Option<u64>) = input.clone();
        Box::pin(async move {
            let now = tx.now().await?;
            let ends = days.map(|days| now + Duration::from_hours(24 * days));
            let new = relay::create_key(tx, &account, &name, &scopes, ends).await?;
            Ok::<_, Error>((new.key.name, new.token))
        })
    });
    page.made = Some(made.await?);
    answer::page(&page)
}

/// The key that an address names, if it still opens anything.
async fn find(app: &App, inside: &Inside, id: &str) -> Answer<ApiKey> {
    let id = KeyId::parse(id).map_err(|_| No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    let keys = accounts::api_keys(&mut tx, inside.id()).await?;
    let found = keys.into_iter().find(|key| key.id == id && key.revoked_at.is_none());
    Ok(found.ok_or(No::NOTHING_HERE)?)
}

fn end_page(inside: &Inside, key: &ApiKey) -> EndPage {
    let shell = inside.shell("developer");
    EndPage {
        name: key.name.clone(),
        hint: key.hint.clone(),
        used: key.last_used_at.and_then(|at| When::new(shell.lang, at)),
        fault: None,
        back: shell.link(PATH),
        action: shell.link(&format!("{PATH}/{}/withdraw", key.id)),
        shell,
    }
}

pub(in crate::http::console) async fn ask(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let page = end_page(&inside, &find(&app, &inside, &id).await?);
    inside.person.fresh(&page.action)?;
    answer::page(&page)
}

pub(in crate::http::console) async fn withdraw(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    typed: Form,
) -> Answer {
    let key = find(&app, &inside, &id).await?;
    let mut page = end_page(&inside, &key);
    inside.person.fresh(&page.action)?;
    if typed.get("hint") != key.hint {
        page.fault = Some(page.shell.lang.say(
            "Those are not the last four characters of the key: nothing was done.",
            "Ce ne sont pas les quatre derniers caractères de la clé : rien n’a été fait.",
        ));
        return answer::again(&page);
    }
    let relay = inside.person.relay(&app).urgent();
    let input = (inside.id().clone(), key.id);
    relay
        .db()
        .write(move |tx| {
            let (account, id) = input.clone();
            Box::pin(async move { relay::revoke_key(tx, &account, &id).await })
        })
        .await?;
    Ok(Redirect::to(&page.shell.link_with(PATH, &[("withdrawn", "1")])).into_response())
}
