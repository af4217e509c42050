//! The way in by another login: there, and back. Both are plain ways, no forms: a form's way may not end elsewhere
//! (`form-action`).

use askama::Template;
use axum::{
    Extension,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    App,
    answer::{self, Alone, Answer, No, Other},
    door::{self, Tongue},
    filters::Query,
    gate::Member,
    login::{self, Client, HOME},
};
use crate::{
    domain::{oidc::SecondFactor, staff::Language},
    http::server::Arrival,
    relay::{Arrived, Brought, NotThere, ProviderFault, Visitor},
};

/// How long the browser keeps what it was sent away with, in seconds.
const ASKED_KEPT: u64 = 300;
const LOGIN: &str = "/console/login";
const THERE: &str = "/console/login/oidc";
const PROVE: &str = "/console/prove/oidc";

#[derive(Template)]
#[template(path = "console/oidc.html")]
struct NotInPage {
    shell: Alone,
    title: &'static str,
    words: &'static str,
    /// Where to try again.
    again: String,
    /// Where else to go.
    other: &'static str,
    proving: bool,
}

/// The way to the other login, as a page offers it.
pub(super) struct Way {
    pub(super) link: String,
    pub(super) words: String,
}

/// An address with where it leads then.
fn with_next(path: &str, next: &str) -> String {
    if next.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("{path}?{query}")
}

/// What the other login is called.
pub(super) fn label(app: &App, language: Language) -> Option<String> {
    let label = app.relay.provider()?.rules().label.clone();
    Some(
        label.unwrap_or_else(|| {
            language.say("single sign-on", "l’authentification unique").to_owned()
        }),
    )
}

/// The way in by the other login, if there is one.
pub(super) fn way_in(app: &App, language: Language, next: &str) -> Option<Way> {
    let label = label(app, language)?;
    let words = match language {
        Language::English => format!("Log in with {label}"),
        Language::French => format!("Se connecter avec {label}"),
    };
    Some(Way { link: with_next(THERE, next), words })
}

/// The way for somebody who came by it to prove again who they are, if that is how they do so.
pub(super) fn way_to_prove(app: &App, person: &Member, next: &str) -> Option<Way> {
    let Visitor { staff, factors, .. } = &*person.visitor;
    let rules = app.relay.provider()?.rules();
    // Where the second step is our own, it is what proves.
    let own = rules.second_factor == SecondFactor::Own && factors.has_second();
    if own || staff.issuer.as_ref() != Some(&rules.issuer) {
        return None;
    }
    let label = label(app, person.language)?;
    let words = match person.language {
        Language::English => format!("Log in again with {label}"),
        Language::French => format!("Se connecter à nouveau avec {label}"),
    };
    Some(Way { link: with_next(PROVE, next), words })
}

/// Whether somebody pressed that on a page of ours, or typed it: another site starts no login.
fn own_click(headers: &HeaderMap) -> bool {
    let site = headers.get(HeaderName::from_static("sec-fetch-site"));
    site.is_none_or(|site| site == "same-origin" || site == "none")
}

fn sent_away(app: &App, with: &str, address: &str) -> Response {
    let mut response = Redirect::to(address).into_response();
    door::set_asked(&mut response, app.secure, with, ASKED_KEPT);
    response
}

/// Sends the browser to the other login.
pub(super) async fn go(
    State(app): State<App>,
    Tongue(language): Tongue,
    arrival: Option<Extension<Arrival>>,
    headers: HeaderMap,
    query: Query,
) -> Answer {
    if app.relay.provider().is_none() {
        return Err(No::NOTHING_HERE.into());
    }
    let next = door::next(query.get("next"), "");
    if !own_click(&headers) {
        return Err(Other::To(with_next(LOGIN, next)));
    }
    let client = Client::of(&app, arrival);
    // Each is kept for a while: nobody may fill the database so.
    if let Some(seconds) = client.wait(&app).or_else(|| client.wait_in(&app.asked)) {
        return too_often(language, next, seconds);
    }
    client.wrong_in(&app.asked);
    match app.relay.ask_elsewhere(next, None, language).await? {
        Ok((with, address)) => Ok(sent_away(&app, &with, &address)),
        Err(why) => not_in(language, why, next, false),
    }
}

/// Sends somebody who is logged in there to prove again who they are.
pub(super) async fn go_to_prove(
    State(app): State<App>,
    person: Member,
    headers: HeaderMap,
    query: Query,
) -> Answer {
    let next = door::next(query.get("next"), HOME);
    let prove = with_next("/console/prove", next);
    if way_to_prove(&app, &person, next).is_none() || !own_click(&headers) {
        return Err(Other::To(prove));
    }
    match app.relay.ask_elsewhere(next, Some(&*person.visitor), person.language).await? {
        Ok((with, address)) => Ok(sent_away(&app, &with, &address)),
        Err(why) => not_in(person.language, why, next, true),
    }
}

/// Takes what the browser brings back.
pub(super) async fn back(
    State(app): State<App>,
    Tongue(language): Tongue,
    arrival: Option<Extension<Arrival>>,
    headers: HeaderMap,
    query: Query,
) -> Answer {
    if app.relay.provider().is_none() {
        return Err(No::NOTHING_HERE.into());
    }
    let client = Client::of(&app, arrival);
    if let Some(seconds) = client.wait(&app) {
        return too_often(language, "", seconds);
    }
    let brought = Brought {
        state: query.get("state").unwrap_or_default(),
        code: query.get("code"),
        error: query.get("error"),
        issuer: query.get("iss"),
    };
    let with = door::asked(&headers, app.secure).unwrap_or_default();
    let cookie = door::browser(&headers, app.secure).unwrap_or_default();
    let came = app.relay.came_back(with, cookie, brought, door::agent(&headers)).await?;
    let next = door::next(Some(&came.next), "");
    let mut response = match came.outcome {
        Ok(Arrived::In(cookie)) => login::entered(&app, &cookie, next),
        Ok(Arrived::Halfway(cookie)) => login::halfway(&app, &cookie, next),
        Ok(Arrived::Proved) => Redirect::to(door::next(Some(next), HOME)).into_response(),
        Err(why) => {
            // Whoever is out, or says no, guesses at nothing.
            if !matches!(why, NotThere::Denied | NotThere::Fault(ProviderFault::Away)) {
                client.wrong(&app);
            }
            not_in(language, why, next, came.proving)?
        }
    };
    door::set_asked(&mut response, app.secure, "", 0);
    Ok(response)
}

fn page(
    language: Language,
    (status, title, words): (StatusCode, [&'static str; 2], [&'static str; 2]),
    next: &str,
    proving: bool,
) -> Answer {
    let say = |[english, french]: [&'static str; 2]| language.say(english, french);
    answer::with_status(
        status,
        answer::page(&NotInPage {
            shell: Alone { lang: language },
            title: say(title),
            words: say(words),
            again: if proving { with_next("/console/prove", next) } else { with_next(THERE, next) },
            other: if proving { HOME } else { LOGIN },
            proving,
        }),
    )
}

fn too_often(language: Language, next: &str, seconds: u64) -> Answer {
    let words = [
        "That was too often. Wait ten minutes, then try again.",
        "C’était trop souvent. Attendez dix minutes, puis réessayez.",
    ];
    let said = (StatusCode::TOO_MANY_REQUESTS, NOT_YET, words);
    let mut response = page(language, said, next, false)?;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Ok(response)
}

const NOT_YET: [&str; 2] = ["You are not logged in yet", "Vous n’êtes pas encore connecté"];
const NOT_PROVED: [&str; 2] = ["That was not proved", "Cela n’a pas été prouvé"];

/// Why the other login is not believed, in words.
const fn fault(why: ProviderFault) -> [&'static str; 2] {
    match why {
        ProviderFault::Away => [
            "The other login does not answer. Please try again in a moment; if that does not help, tell whoever runs \
             the console.",
            "L’autre connexion ne répond pas. Veuillez réessayer dans un instant ; sinon, prévenez la personne qui \
             administre la console.",
        ],
        ProviderFault::Clock => [
            "By the other login’s clock it is another time than by this machine’s, so that what it said was not \
             believed. Whoever runs the console must set one of them right.",
            "L’horloge de l’autre connexion et celle de cette machine diffèrent : ce qu’elle a dit n’a pas été cru. \
             La personne qui administre la console doit en régler une.",
        ],
        ProviderFault::Client => [
            "The other login does not know this console, or not by this secret. Whoever runs the console must mend \
             its settings.",
            "L’autre connexion ne connaît pas cette console, ou pas avec ce secret. La personne qui administre la \
             console doit corriger ses réglages.",
        ],
        ProviderFault::Refused(_) => [
            "What the other login sent back was not what was asked for, so it was not believed. Please try again; if \
             that does not help, the console’s log says which check it failed.",
            "Ce que l’autre connexion a renvoyé ne répondait pas à la demande et n’a donc pas été cru. Veuillez \
             réessayer ; sinon, le journal de la console dit quel contrôle a échoué.",
        ],
    }
}

/// Why somebody did not get in, in words; nothing where there is no other login.
const fn words(why: NotThere) -> Option<[&'static str; 2]> {
    Some(match why {
        NotThere::Off => return None,
        NotThere::Fault(why) => fault(why),
        NotThere::Stale => [
            "That login was begun in another browser, more than five minutes ago, or was used already. Please try \
             again.",
            "Cette connexion a été commencée dans un autre navigateur, il y a plus de cinq minutes, ou a déjà servi. \
             Veuillez réessayer.",
        ],
        NotThere::Denied => [
            "The other login was cancelled there, so nothing was told to this console.",
            "L’autre connexion a été annulée là-bas : rien n’a été communiqué à cette console.",
        ],
        NotThere::NoGroup => [
            "The other login knows you, but none of your groups there opens this console. Whoever runs it can tell \
             you which group does.",
            "L’autre connexion vous connaît, mais aucun de vos groupes n’ouvre cette console. La personne qui \
             l’administre peut vous dire lequel le fait.",
        ],
        NotThere::LockedOut => [
            "You are locked out of this console. Whoever runs it can let you in again.",
            "Vous êtes exclu de cette console. La personne qui l’administre peut vous réadmettre.",
        ],
        NotThere::SomebodyElse => [
            "Somebody else logged in there than the one who is logged in here.",
            "La personne qui s’est connectée là-bas n’est pas celle qui est connectée ici.",
        ],
        NotThere::NotFresh => [
            "The other login does not say that you logged in there just now. If it did not even ask you, tell \
             whoever runs the console.",
            "L’autre connexion ne dit pas que vous venez de vous y connecter. Si elle ne vous a rien demandé, \
             prévenez la personne qui administre la console.",
        ],
    })
}

fn not_in(language: Language, why: NotThere, next: &str, proving: bool) -> Answer {
    let words = words(why).ok_or(No::NOTHING_HERE)?;
    let title = if proving { NOT_PROVED } else { NOT_YET };
    let status = match why {
        NotThere::Fault(ProviderFault::Away) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::FORBIDDEN,
    };
    page(language, (status, title, words), next, proving)
}
