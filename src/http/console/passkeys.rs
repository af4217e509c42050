//! Passkeys: what the pages' script sends and gets. Every answer is JSON: what to ask the browser, where to go, or
//! what is wrong, in words.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    App,
    answer::{Answer, Other},
    door::{self, Form, Tongue},
    gate::Member,
    login::{Client, HOME},
    when::When,
};
use crate::{
    domain::staff::Language,
    http::server::Arrival,
    relay::{Asked, NotSet, PASSKEYS_MAX},
    store::staff::factors::Passkey,
};

/// How long the browser keeps what its question goes with, in seconds.
const ASKED_KEPT: u64 = 300;
/// The page on which passkeys are kept.
const HERE: &str = "/console/me";

/// A passkey, as its owner sees it.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) since: Option<When>,
    pub(super) used: Option<When>,
}

impl Row {
    pub(super) fn new(one: Passkey, language: Language) -> Self {
        Self {
            id: one.id,
            name: one.name,
            since: When::new(language, one.created_at),
            used: one.last_used_at.and_then(|at| When::new(language, at)),
        }
    }
}

/// What the script sends.
#[derive(Deserialize)]
struct Sent {
    /// What the browser answered.
    credential: Value,
    /// What its owner calls a new passkey.
    #[serde(default)]
    name: String,
    /// Where it leads then.
    #[serde(default)]
    next: String,
}

/// The console's address at which browsers know its passkeys, if they know any.
pub(super) fn at(app: &App) -> Option<String> {
    app.relay.passkeys_at().map(|origin| format!("{origin}{HOME}"))
}

fn sent(body: &Bytes) -> Sent {
    let nothing = || Sent { credential: Value::Null, name: String::new(), next: String::new() };
    serde_json::from_slice(body).unwrap_or_else(|_| nothing())
}

fn asked(question: &Asked) -> Response {
    Json(json!({"ask": question})).into_response()
}

fn onward(next: &str) -> Response {
    Json(json!({"next": next})).into_response()
}

fn fault(status: StatusCode, words: &str) -> Response {
    (status, Json(json!({"fault": words}))).into_response()
}

fn too_often(language: Language, seconds: u64) -> Response {
    let words = language.say(
        "That was too often. Wait ten minutes, then try again.",
        "C’était trop souvent. Attendez dix minutes, puis réessayez.",
    );
    let mut response = fault(StatusCode::TOO_MANY_REQUESTS, words);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn not_taken(language: Language) -> Response {
    let words = language.say(
        "That passkey was not taken: it is not of somebody who may log in here, or the answer came too late. Try \
         again, or log in another way.",
        "Cette clé d’accès n’a pas été acceptée : elle n’est pas celle d’une personne qui peut se connecter ici, ou \
         la réponse est arrivée trop tard. Réessayez, ou connectez-vous autrement.",
    );
    fault(StatusCode::FORBIDDEN, words)
}

fn none_here(language: Language) -> Response {
    let words = language
        .say("There is no passkey to ask for here.", "Il n’y a pas de clé d’accès à demander ici.");
    fault(StatusCode::CONFLICT, words)
}

/// Why no passkey was made or taken away, in words.
fn not_set(language: Language, why: NotSet) -> String {
    match (why, language) {
        (NotSet::Name, _) => language
            .say(
                "Give it a name of 60 characters or fewer, to tell it from others.",
                "Donnez-lui un nom de 60 caractères au plus, pour la distinguer des autres.",
            )
            .to_owned(),
        (NotSet::Full, Language::English) => {
            format!("There are {PASSKEYS_MAX} already: remove one first.")
        }
        (NotSet::Full, Language::French) => {
            format!("Il y en a déjà {PASSKEYS_MAX} : retirez-en une d’abord.")
        }
        (NotSet::Refused, _) => language
            .say(
                "That passkey was not taken: it is there already, did not ask who you are, or the answer came too \
                 late. Try again.",
                "Cette clé d’accès n’a pas été acceptée : elle existe déjà, n’a pas vérifié qui vous êtes, ou la \
                 réponse est arrivée trop tard. Réessayez.",
            )
            .to_owned(),
        _ => language.say("That could not be done.", "Cela n’a pas pu se faire.").to_owned(),
    }
}

/// Asks whoever is at the login page for a passkey, whosever it is.
pub(super) async fn ask_for_login(
    State(app): State<App>,
    Tongue(language): Tongue,
    arrival: Option<Extension<Arrival>>,
) -> Answer {
    let client = Client::of(&app, arrival);
    // Each is kept for a while: nobody may fill the database so.
    if let Some(seconds) = client.wait(&app).or_else(|| client.wait_in(&app.asked)) {
        return Ok(too_often(language, seconds));
    }
    client.wrong_in(&app.asked);
    let Some((with, question)) = app.relay.ask_for_login().await? else {
        return Ok(none_here(language));
    };
    let mut response = asked(&question);
    door::set_asked(&mut response, app.secure, &with, ASKED_KEPT);
    Ok(response)
}

/// Takes the answer and gives the browser its cookie.
pub(super) async fn log_in(
    State(app): State<App>,
    Tongue(language): Tongue,
    arrival: Option<Extension<Arrival>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let client = Client::of(&app, arrival);
    if let Some(seconds) = client.wait(&app) {
        return Ok(too_often(language, seconds));
    }
    let Sent { credential, next, .. } = sent(&body);
    let with = door::asked(&headers, app.secure).unwrap_or_default();
    let by = (door::browser(&headers, app.secure).unwrap_or_default(), door::agent(&headers));
    let Ok(cookie) = app.relay.log_in_by_passkey(with, credential, by).await? else {
        client.wrong(&app);
        return Ok(not_taken(language));
    };
    let mut response = onward(door::next(Some(&next), HOME));
    let seconds = app.relay.login_rules().longest.as_secs();
    door::set_cookie(&mut response, app.secure, &cookie, seconds);
    door::set_asked(&mut response, app.secure, "", 0);
    Ok(response)
}

/// Asks somebody who is logged in for one of their passkeys.
pub(super) async fn ask_for_proof(
    State(app): State<App>,
    person: Member,
    headers: HeaderMap,
) -> Answer {
    let cookie = door::browser(&headers, app.secure).unwrap_or_default();
    let question = app.relay.ask_for_proof(&person.visitor, cookie).await?;
    Ok(question.map_or_else(|| none_here(person.language), |question| asked(&question)))
}

/// Takes the answer as a fresh proof.
pub(super) async fn prove(
    State(app): State<App>,
    person: Member,
    arrival: Option<Extension<Arrival>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let client = Client::of(&app, arrival);
    if let Some(seconds) = client.wait(&app) {
        return Ok(too_often(person.language, seconds));
    }
    let Sent { credential, next, .. } = sent(&body);
    let cookie = door::browser(&headers, app.secure).unwrap_or_default();
    if app.relay.prove_by_passkey(cookie, credential).await?.is_err() {
        client.wrong(&app);
        return Ok(not_taken(person.language));
    }
    Ok(onward(door::next(Some(&next), HOME)))
}

/// Where somebody proves first who they are.
fn proof_first(person: &Member) -> Answer<Response> {
    match person.fresh(HERE) {
        Err(Other::To(path)) => Ok(onward(&path)),
        other => other.map(|()| onward(HERE)),
    }
}

/// Asks the browser for a new passkey.
pub(super) async fn ask_for_new(
    State(app): State<App>,
    person: Member,
    headers: HeaderMap,
) -> Answer {
    let cookie = door::browser(&headers, app.secure).unwrap_or_default();
    match app.relay.ask_for_new_passkey(&person.visitor, cookie).await? {
        Ok(question) => Ok(asked(&question)),
        Err(NotSet::Stale) => proof_first(&person),
        Err(why) => Ok(fault(StatusCode::CONFLICT, &not_set(person.language, why))),
    }
}

/// Takes the new passkey.
pub(super) async fn add(
    State(app): State<App>,
    person: Member,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let Sent { credential, name, .. } = sent(&body);
    let cookie = door::browser(&headers, app.secure).unwrap_or_default();
    match app.relay.add_passkey(&person.visitor, cookie, &name, credential).await? {
        Ok(()) => Ok(onward("/console/me?done=passkey")),
        Err(why) => Ok(fault(StatusCode::UNPROCESSABLE_ENTITY, &not_set(person.language, why))),
    }
}

/// Takes a passkey away; a form, which needs no script.
pub(super) async fn remove(State(app): State<App>, person: Member, form: Form) -> Answer {
    person.fresh(HERE)?;
    let next = match app.relay.remove_passkey(&person.visitor, form.get("id")).await? {
        Ok(()) => "/console/me?done=passkey_removed",
        Err(NotSet::Only) => "/console/me?done=only_passkey",
        Err(_) => HERE,
    };
    Ok(Redirect::to(next).into_response())
}
