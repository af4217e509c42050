//! The log of requests to the APIs, and one of them: what its answer means and what to do.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};

use crate::{
    domain::{
        staff::{Language, Permission},
        time::Timestamp,
    },
    http::console::{
        App,
        answer::{self, Answer, No, Shell},
        filters::{Choice, Filters, PLACE, Query},
        gate::Inside,
        when::When,
        words::{self, Problem, Tone},
    },
    ids::{KeyId, LoggedId, RequestId},
    store::{
        accounts::{self, ApiKey},
        api_requests::{self, Filter, Logged, METHODS},
        sessions::Page,
    },
};

/// How many requests a page lists.
const PAGE: usize = 50;
const PATH: &str = "/console/developer/requests";
/// What the filter for keys calls the account's auth token.
const TOKEN: &str = "token";
/// How many keys the filter offers.
const KEYS: usize = 200;

#[derive(Template)]
#[template(path = "console/developer_requests.html")]
struct RequestsPage {
    shell: Shell,
    filters: Filters,
    classes: Vec<Choice>,
    methods: Vec<Choice>,
    keys: Vec<Choice>,
    rows: Vec<Row>,
    older: Option<String>,
    clear: String,
    /// For how many days they are kept.
    days: u32,
}

struct Row {
    id: String,
    link: String,
    at: Option<When>,
    method: &'static str,
    route: String,
    status: u16,
    tone: Tone,
    code: Option<String>,
    key: String,
    took: String,
    idempotent: bool,
}

#[derive(Template)]
#[template(path = "console/developer_request.html")]
struct RequestPage {
    shell: Shell,
    row: Row,
    request: String,
    /// What the problem means, where its code is known.
    problem: Option<Problem>,
    /// Others of the same id, since clients may choose it.
    same: String,
    /// What the audit log has of whoever asked, on that day.
    audit: Option<String>,
    back: String,
}

/// How long it took.
fn took(language: Language, one: &Logged) -> String {
    match one.took.as_millis() {
        0 => language.say("under 1 ms", "moins de 1 ms").to_owned(),
        ms @ 1..1000 => format!("{ms} ms"),
        ms => {
            let point = language.say(".", ",");
            format!("{}{point}{:02} s", ms / 1000, ms % 1000 / 10)
        }
    }
}

const fn tone(status: u16) -> Tone {
    match status {
        ..400 => Tone::Good,
        400..500 => Tone::Missed,
        _ => Tone::Bad,
    }
}

/// What a key is called: its name and the end of its secret.
fn key_name(language: Language, keys: &HashMap<&KeyId, &ApiKey>, id: Option<&KeyId>) -> String {
    match id {
        None => language.say("the auth token", "le jeton du compte").to_owned(),
        Some(id) => {
            keys.get(id).map_or_else(|| id.to_string(), |key| format!("{} …{}", key.name, key.hint))
        }
    }
}

fn row(shell: &Shell, keys: &HashMap<&KeyId, &ApiKey>, one: &Logged) -> Row {
    let lang = shell.lang;
    Row {
        id: one.id.to_string(),
        link: shell.link(&format!("{PATH}/{}", one.id)),
        at: When::new(lang, one.at),
        method: one.method,
        route: one.route.clone(),
        status: one.status,
        tone: tone(one.status),
        code: one.code.clone(),
        key: key_name(lang, keys, one.key.as_ref()),
        took: took(lang, one),
        idempotent: one.idempotent,
    }
}

fn filter(filters: &mut Filters) -> (Filter, Page) {
    const LISTED: words::Pair = ["one of the list", "une valeur de la liste"];
    let called = [
        ["Request id", "Identifiant de requête"],
        ["an id such as RQ… with 32 digits", "un identifiant RQ… à 32 chiffres"],
    ];
    let request = filters.take("request", called, |id| RequestId::parse(id).ok());
    let called = [
        ["Problem code", "Code de problème"],
        ["a code of the APIs’ answers", "un code des réponses des API"],
    ];
    let code = filters.take("code", called, |code| {
        words::problem(Language::English, code).map(|_| code.to_owned())
    });
    let class = filters.take("status", [["Status", "Statut"], LISTED], |class| {
        ["2", "3", "4", "5"].contains(&class).then(|| class.parse().ok()).flatten()
    });
    let method = filters.take("method", [["Method", "Méthode"], LISTED], |method| {
        METHODS.into_iter().find(|one| *one == method)
    });
    let key = filters.take("key", [["Key", "Clé"], LISTED], |key| match key {
        TOKEN => Some(String::new()),
        key => KeyId::parse(key).ok().map(|key| key.to_string()),
    });
    let place = filters.take("before", PLACE, |id| LoggedId::parse(id).ok());
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let page = Page { before: place.map(|id| id.to_string()), after: None, limit };
    (Filter { request, code, class, method, key }, page)
}

pub(in crate::http::console) async fn page(
    State(app): State<App>,
    inside: Inside,
    query: Query,
) -> Answer {
    let shell = inside.shell("developer");
    let lang = shell.lang;
    let mut filters = Filters::new(lang, query);
    let (filter, page) = filter(&mut filters);
    let mut tx = app.relay.db().read().await?;
    let mut found = api_requests::list(&mut tx, inside.id(), &filter, &page).await?;
    let keys = accounts::api_keys(&mut tx, inside.id()).await?;
    drop(tx);
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let older = found
        .last()
        .filter(|_| more)
        .map(|last| shell.link_with(PATH, &filters.next(last.id.as_str())));
    let by_id: HashMap<&KeyId, &ApiKey> = keys.iter().map(|key| (&key.id, key)).collect();
    let rows = found.iter().map(|one| row(&shell, &by_id, one)).collect();
    let mut choices = vec![Choice::new(TOKEN, key_name(lang, &by_id, None))];
    choices.extend(
        // The newest are asked for most.
        keys.iter()
            .rev()
            .take(KEYS)
            .map(|key| Choice::new(key.id.as_str(), key_name(lang, &by_id, Some(&key.id)))),
    );
    let class = |class: &str, [english, french]: words::Pair| {
        Choice::new(class, format!("{class}xx, {}", lang.say(english, french)))
    };
    let clear = shell.link(PATH);
    answer::page(&RequestsPage {
        classes: vec![
            class("2", ["done", "fait"]),
            class("3", ["elsewhere, or unchanged", "ailleurs ou inchangé"]),
            class("4", ["refused", "refusé"]),
            class("5", ["our side", "de notre côté"]),
        ],
        methods: METHODS
            .into_iter()
            .map(|one| match one {
                "other" => Choice::new(one, lang.say("another", "une autre")),
                one => Choice::new(one, one),
            })
            .collect(),
        keys: choices,
        rows,
        older,
        clear,
        days: app.relay.db().retention().api_requests,
        filters,
        shell,
    })
}

/// The day of an instant as filters have it.
fn day(at: Timestamp) -> String {
    at.rfc3339().chars().take(10).collect()
}

pub(in crate::http::console) async fn one(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let id = LoggedId::parse(&id).map_err(|_| No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    let found = api_requests::get(&mut tx, inside.id(), &id).await?.ok_or(No::NOTHING_HERE)?;
    let keys = accounts::api_keys(&mut tx, inside.id()).await?;
    drop(tx);
    let shell = inside.shell("developer");
    let by_id = keys.iter().map(|key| (&key.id, key)).collect();
    let who = found.key.as_ref().map_or_else(|| inside.id().as_str(), KeyId::as_str);
    let day = day(found.at);
    let audit = shell
        .may(Permission::Audit)
        .then(|| shell.link_with("/console/audit", &[("who", who), ("from", &day), ("to", &day)]));
    answer::page(&RequestPage {
        row: row(&shell, &by_id, &found),
        problem: found.code.as_deref().and_then(|code| words::problem(shell.lang, code)),
        same: shell.link_with(PATH, &[("request", found.request.as_str())]),
        request: found.request.to_string(),
        audit,
        back: shell.link(PATH),
        shell,
    })
}
