//! The way in and out, and the proof that is asked for again.

use std::net::{IpAddr, Ipv4Addr};

use askama::Template;
use axum::{
    Extension,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    App,
    answer::{self, Alone, Answer, Other, Shell},
    attempts::Attempts,
    door::{self, Form, Tongue},
    filters::Query,
    gate::Member,
    oidc::{self, Way},
    passkeys,
};
use crate::{
    domain::{
        staff::{Language, Proof},
        time::Timestamp,
    },
    http::server::Arrival,
    relay::{Entered, Evidence, NotIn},
    store::staff::factors::Factors,
};

pub(super) const HOME: &str = "/console";

#[derive(Template)]
#[template(path = "console/login.html")]
struct LoginPage {
    shell: Alone,
    passwords: bool,
    /// Where passkeys are taken, if they are.
    passkeys: Option<String>,
    /// The way by another login, if there is one.
    elsewhere: Option<Way>,
    /// Where it leads then.
    next: String,
    notice: Option<&'static str>,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "console/login_code.html")]
struct CodePage {
    shell: Alone,
    /// Whether they have an app,
    app: bool,
    /// something that shows or is a code,
    codes: bool,
    /// and passkeys, with where they are taken.
    passkeys: Option<String>,
    next: String,
    fault: Option<&'static str>,
}

impl CodePage {
    fn new(app: &App, language: Language, known: &Factors, next: String) -> Self {
        Self {
            shell: Alone { lang: language },
            app: known.totp_since.is_some(),
            codes: known.totp_since.is_some() || known.recovery_codes > 0,
            passkeys: passkeys_of(app, known),
            next,
            fault: None,
        }
    }
}

/// Where somebody's passkeys are taken, if they have any and any are.
fn passkeys_of(app: &App, known: &Factors) -> Option<String> {
    passkeys::at(app).filter(|_| known.passkeys > 0)
}

#[derive(Template)]
#[template(path = "console/prove.html")]
struct ProvePage {
    shell: Shell,
    app: bool,
    codes: bool,
    password: bool,
    passkeys: Option<String>,
    elsewhere: Option<Way>,
    next: String,
    fault: Option<&'static str>,
}

/// The client of a request, and the time by which wrong tries are counted: whoever sets the clock shortens
/// nothing, and keeps nobody out.
pub(super) struct Client {
    address: IpAddr,
    now: Timestamp,
}

impl Client {
    pub(super) fn of(app: &App, arrival: Option<Extension<Arrival>>) -> Self {
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let address = arrival.map_or(unknown, |known| known.client());
        Self { address, now: Timestamp::from_millis(app.clock.passed_ms()) }
    }

    /// How many seconds it must wait after wrong tries; nothing where it need not.
    pub(super) fn wait(&self, app: &App) -> Option<u64> {
        self.wait_in(&app.attempts)
    }

    pub(super) fn wrong(&self, app: &App) {
        self.wrong_in(&app.attempts);
    }

    /// The same where something else is counted.
    pub(super) fn wait_in(&self, counted: &Attempts) -> Option<u64> {
        let wait = counted.wait(self.address, self.now);
        (!wait.is_zero()).then(|| wait.as_secs().max(1))
    }

    pub(super) fn wrong_in(&self, counted: &Attempts) {
        counted.wrong(self.address, self.now);
    }
}

fn login_page(app: &App, language: Language, next: &str) -> LoginPage {
    LoginPage {
        shell: Alone { lang: language },
        passwords: app.relay.login_rules().passwords,
        passkeys: passkeys::at(app),
        elsewhere: oidc::way_in(app, language, next),
        next: next.to_owned(),
        notice: None,
        fault: None,
    }
}

/// The page that takes a name and a password, or the code of a link. That is behind its `#`, which browsers send
/// to nobody: the page's script puts it into the form.
pub(super) async fn page(State(app): State<App>, tongue: Tongue, query: Query) -> Answer {
    let next = door::next(query.get("next"), "");
    let mut page = login_page(&app, tongue.0, next);
    if query.has("logged_out") {
        page.notice = Some(tongue.0.say("You are logged out.", "Vous êtes déconnecté."));
    }
    answer::page(&page)
}

/// A form again, with what was wrong (403).
fn refused(page: &impl Template) -> Answer {
    answer::with_status(StatusCode::FORBIDDEN, answer::page(page))
}

const fn too_many(language: Language) -> &'static str {
    language.say(
        "Those were too many wrong tries. Wait ten minutes, then try again.",
        "Trop de tentatives erronées. Attendez dix minutes, puis réessayez.",
    )
}

/// A form of a client that must wait for so many seconds (429).
fn later(page: &impl Template, seconds: u64) -> Answer {
    let mut response = answer::with_status(StatusCode::TOO_MANY_REQUESTS, answer::page(page))?;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Ok(response)
}

fn too_often(page: LoginPage, seconds: u64) -> Answer {
    let fault = Some(too_many(page.shell.lang));
    later(&LoginPage { fault, ..page }, seconds)
}

pub(super) fn entered(app: &App, cookie: &str, next: &str) -> Response {
    let mut response = Redirect::to(door::next(Some(next), HOME)).into_response();
    let seconds = app.relay.login_rules().longest.as_secs();
    door::set_cookie(&mut response, app.secure, cookie, seconds);
    response
}

/// Sends the browser on to the second step.
pub(super) fn halfway(app: &App, cookie: &str, next: &str) -> Response {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    let mut response = Redirect::to(&format!("/console/login/code?{query}")).into_response();
    door::set_cookie(&mut response, app.secure, cookie, 600);
    response
}

/// Uses a link's code up and gives the browser its cookie.
pub(super) async fn by_link(
    State(app): State<App>,
    Tongue(language): Tongue,
    arrival: Option<Extension<Arrival>>,
    headers: HeaderMap,
    form: Form,
) -> Answer {
    let client = Client::of(&app, arrival);
    let page = login_page(&app, language, door::next(Some(form.get("next")), ""));
    if let Some(seconds) = client.wait(&app) {
        return too_often(page, seconds);
    }
    // Somebody may paste the whole link.
    let code = form.get("code").rsplit('#').next().unwrap_or_default();
    let Some(cookie) = app.relay.redeem_link(code, door::agent(&headers)).await? else {
        client.wrong(&app);
        let fault = language.say(
            "This code does not open the console: it was used already, is older than 24 hours, or was not copied \
             whole. Ask the operator for a new link.",
            "Ce code n’ouvre pas la console : il a déjà servi, a plus de 24 heures ou n’a pas été copié en entier. \
             Demandez un nouveau lien à l’exploitant.",
        );
        return refused(&LoginPage { fault: Some(fault), ..page });
    };
    Ok(entered(&app, &cookie, form.get("next")))
}

/// Takes a name and a password.
pub(super) async fn by_password(
    State(app): State<App>,
    Tongue(language): Tongue,
    arrival: Option<Extension<Arrival>>,
    headers: HeaderMap,
    form: Form,
) -> Answer {
    let client = Client::of(&app, arrival);
    let next = door::next(Some(form.get("next")), "").to_owned();
    let page = login_page(&app, language, &next);
    if let Some(seconds) = client.wait(&app) {
        return too_often(page, seconds);
    }
    let agent = door::agent(&headers);
    match app.relay.log_in(form.get("name"), form.whole("password"), agent).await? {
        Ok(Entered::In(cookie)) => Ok(entered(&app, &cookie, &next)),
        Ok(Entered::Halfway(cookie)) => Ok(halfway(&app, &cookie, &next)),
        // One text for both: which of them it was is nobody's to know.
        Err(NotIn::Wrong | NotIn::Wait) => {
            client.wrong(&app);
            let fault = language.say(
                "Name or password is wrong, or there were too many wrong tries of late. Check both, wait a \
                 moment, and try again.",
                "Le nom ou le mot de passe est erroné, ou il y a eu trop de tentatives ces derniers temps. \
                 Vérifiez les deux, attendez un instant et réessayez.",
            );
            refused(&LoginPage { fault: Some(fault), ..page })
        }
    }
}

/// The page that takes the second factor.
pub(super) async fn code_page(
    State(app): State<App>,
    Tongue(language): Tongue,
    headers: HeaderMap,
    query: Query,
) -> Answer {
    let cookie = door::browser(&headers, app.secure).unwrap_or_default();
    let Some((_, _, known)) = app.relay.halfway(cookie).await? else {
        return Err(Other::To("/console/login".to_owned()));
    };
    let next = door::next(query.get("next"), "").to_owned();
    answer::page(&CodePage::new(&app, language, &known, next))
}

/// Takes a code of an app, or a recovery code.
pub(super) async fn by_code(
    State(app): State<App>,
    Tongue(language): Tongue,
    arrival: Option<Extension<Arrival>>,
    headers: HeaderMap,
    form: Form,
) -> Answer {
    let client = Client::of(&app, arrival);
    let next = door::next(Some(form.get("next")), "").to_owned();
    if let Some(seconds) = client.wait(&app) {
        return too_often(login_page(&app, language, &next), seconds);
    }
    let cookie = door::browser(&headers, app.secure).unwrap_or_default();
    if let Ok(cookie) = app.relay.second_factor(cookie, form.get("code")).await? {
        return Ok(entered(&app, &cookie, &next));
    }
    client.wrong(&app);
    let Some((_, _, known)) = app.relay.halfway(cookie).await? else {
        return Err(Other::To("/console/login".to_owned()));
    };
    let fault = Some(wrong_code(language));
    let page = CodePage { fault, ..CodePage::new(&app, language, &known, next) };
    refused(&page)
}

const fn wrong_code(language: Language) -> &'static str {
    language.say(
        "That code is wrong, was used already, or there were too many wrong ones of late. Take the one that the app \
         shows now.",
        "Ce code est erroné, a déjà servi, ou il y en a eu trop d’erronés ces derniers temps. Prenez celui que \
         l’application affiche maintenant.",
    )
}

/// Ends the browser's session, here and in the browser.
pub(super) async fn log_out(State(app): State<App>, headers: HeaderMap) -> Answer {
    if let Some(browser) = door::browser(&headers, app.secure) {
        app.relay.log_out(browser).await?;
    }
    let mut response = Redirect::to("/console/login?logged_out").into_response();
    door::set_cookie(&mut response, app.secure, "", 0);
    Ok(response)
}

/// Keeps the language that somebody chose.
pub(super) async fn language(State(app): State<App>, form: Form) -> Answer {
    let mut response = Redirect::to(door::next(Some(form.get("next")), HOME)).into_response();
    if let Some(language) = Language::parse(form.get("language")) {
        door::set_language(&mut response, app.secure, language);
    }
    Ok(response)
}

fn prove_form(app: &App, person: &Member, next: &str, fault: Option<&'static str>) -> ProvePage {
    let known = &person.visitor.factors;
    ProvePage {
        shell: person.shell(""),
        app: known.totp_since.is_some(),
        codes: known.totp_since.is_some() || known.recovery_codes > 0,
        password: known.password.is_some() && !known.has_second(),
        passkeys: passkeys_of(app, known),
        elsewhere: oidc::way_to_prove(app, person, door::next(Some(next), HOME)),
        next: door::next(Some(next), HOME).to_owned(),
        fault,
    }
}

/// The page that asks again who somebody is.
pub(super) async fn prove_page(State(app): State<App>, person: Member, query: Query) -> Answer {
    answer::page(&prove_form(&app, &person, query.get("next").unwrap_or_default(), None))
}

/// Takes the proof.
pub(super) async fn prove(
    State(app): State<App>,
    person: Member,
    arrival: Option<Extension<Arrival>>,
    headers: HeaderMap,
    form: Form,
) -> Answer {
    let client = Client::of(&app, arrival);
    let language = person.language;
    let evidence = if person.visitor.factors.has_second() {
        Evidence::Code(form.get("code").to_owned())
    } else {
        Evidence::Password(form.whole("password").to_owned())
    };
    let cookie = door::browser(&headers, app.secure).unwrap_or_default();
    if let Some(seconds) = client.wait(&app) {
        let page = prove_form(&app, &person, form.get("next"), Some(too_many(language)));
        return later(&page, seconds);
    }
    if app.relay.prove(cookie, &evidence).await?.is_ok() {
        return Err(Other::To(door::next(Some(form.get("next")), HOME).to_owned()));
    }
    client.wrong(&app);
    let fault = match evidence {
        Evidence::Code(_) => wrong_code(language),
        Evidence::Password(_) => language.say(
            "That is not your password, or there were too many wrong ones of late. Wait a moment and try again.",
            "Ce n’est pas votre mot de passe, ou il y en a eu trop d’erronés ces derniers temps. Attendez un \
             instant et réessayez.",
        ),
    };
    refused(&prove_form(&app, &person, form.get("next"), Some(fault)))
}

/// How somebody proved who they are, in words.
pub(super) const fn proof(language: Language, proof: Proof) -> &'static str {
    match proof {
        Proof::Link => language.say("one-time link", "lien à usage unique"),
        Proof::Password => language.say("password", "mot de passe"),
        Proof::Totp => language.say("password and app", "mot de passe et application"),
        Proof::Recovery => {
            language.say("password and recovery code", "mot de passe et code de secours")
        }
        Proof::Passkey => language.say("passkey", "clé d’accès"),
        Proof::Oidc => language.say("single sign-on", "authentification unique"),
    }
}
