//! Somebody's own page: password, app, recovery codes, browsers.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect},
};

use super::{
    App,
    answer::{self, Answer, No, Other, Shell},
    door::Form,
    filters::Query,
    gate::Member,
    login, oidc,
    passkeys::{self as keys, Row as PasskeyRow},
    when::When,
};
use crate::{
    domain::staff::{Language, PASSWORD_CHARS, WeakPassword},
    ids::BrowserId,
    relay::{Must, NotSet, PASSKEY_NAME_CHARS},
    store::staff::browsers::Browser,
};

#[derive(Template)]
#[template(path = "console/me.html")]
struct MePage {
    shell: Shell,
    /// The other login that they come by, if they do.
    elsewhere: Option<String>,
    password: bool,
    password_set: Option<When>,
    app: Option<When>,
    /// Recovery codes that are left, where there is something to recover.
    codes_left: Option<i64>,
    passkeys: Vec<PasskeyRow>,
    /// Where passkeys are taken, if they are.
    passkeys_at: Option<String>,
    name_most: usize,
    browsers: Vec<Row>,
    notice: Option<&'static str>,
}

/// A browser that is logged in.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) agent: String,
    pub(super) proof: &'static str,
    pub(super) since: Option<When>,
    pub(super) seen: Option<When>,
    pub(super) this: bool,
}

impl Row {
    pub(super) fn new(one: Browser, this: Option<&BrowserId>, language: Language) -> Self {
        Self {
            this: this == Some(&one.id),
            id: one.id.to_string(),
            agent: one.agent,
            proof: login::proof(language, one.proof),
            since: When::new(language, one.created_at),
            seen: When::new(language, one.seen_at),
        }
    }
}

#[derive(Template)]
#[template(path = "console/me_password.html")]
struct PasswordPage {
    shell: Shell,
    present: bool,
    must: bool,
    least: usize,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "console/me_app.html")]
struct AppPage {
    shell: Shell,
    must: bool,
    /// Whether a passkey would do too.
    passkeys: bool,
    secret: String,
    picture: String,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "console/me_codes.html")]
struct CodesPage {
    shell: Shell,
    codes: Vec<String>,
}

pub(super) async fn page(State(app): State<App>, person: Member, query: Query) -> Answer {
    let language = person.language;
    let notice = match query.get("done") {
        Some("password") => {
            Some(language.say("Your password is set.", "Votre mot de passe est défini."))
        }
        Some("app") => Some(
            language
                .say("No app is asked for any more.", "Aucune application n’est plus demandée."),
        ),
        Some("passkey") => {
            Some(language.say("Your passkey is added.", "Votre clé d’accès est ajoutée."))
        }
        Some("passkey_removed") => {
            Some(language.say("That passkey is removed.", "Cette clé d’accès est retirée."))
        }
        Some("only_passkey") => Some(language.say(
            "That passkey is your only way in. Set a password or add another passkey first.",
            "Cette clé d’accès est votre seul moyen d’entrer. Définissez un mot de passe ou ajoutez une autre clé \
             d’accès d’abord.",
        )),
        Some("browser") => {
            Some(language.say("That browser is logged out.", "Ce navigateur est déconnecté."))
        }
        _ => None,
    };
    let browsers = app.relay.browsers_of(&person.visitor.staff).await?;
    let passkeys = app.relay.passkeys_of(&person.visitor.staff.id).await?;
    let this = &person.visitor.browser.id;
    let factors = &person.visitor.factors;
    answer::page(&MePage {
        shell: person.shell("me"),
        elsewhere: person
            .visitor
            .staff
            .issuer
            .clone()
            .map(|issuer| oidc::label(&app, language).unwrap_or(issuer)),
        password: factors.password.is_some(),
        password_set: factors.password_set_at.and_then(|at| When::new(language, at)),
        app: factors.totp_since.and_then(|at| When::new(language, at)),
        codes_left: factors.has_second().then_some(factors.recovery_codes),
        passkeys: passkeys.into_iter().map(|one| PasskeyRow::new(one, language)).collect(),
        passkeys_at: keys::at(&app),
        name_most: PASSKEY_NAME_CHARS,
        browsers: browsers.into_iter().map(|one| Row::new(one, Some(this), language)).collect(),
        notice,
    })
}

fn password_form(person: &Member, fault: Option<String>) -> PasswordPage {
    PasswordPage {
        shell: person.shell("me"),
        present: person.visitor.factors.password.is_some(),
        must: person.visitor.must == Some(Must::ChangePassword),
        least: *PASSWORD_CHARS.start(),
        fault,
    }
}

pub(super) async fn password_page(person: Member) -> Answer {
    // A password would outlast what the other login takes away.
    if person.visitor.staff.issuer.is_some() {
        return Err(Other::To("/console/me".to_owned()));
    }
    answer::page(&password_form(&person, None))
}

fn not_set(language: Language, why: NotSet) -> String {
    let (least, most) = (PASSWORD_CHARS.start(), PASSWORD_CHARS.end());
    match why {
        NotSet::Wrong => language
            .say("That is not your present password.", "Ce n’est pas votre mot de passe actuel.")
            .to_owned(),
        NotSet::Weak(WeakPassword::Short) => match language {
            Language::English => format!("It must have {least} characters or more: a few words will do."),
            Language::French => {
                format!("Il doit compter au moins {least} caractères : quelques mots suffisent.")
            }
        },
        NotSet::Weak(WeakPassword::Long) => match language {
            Language::English => format!("It must have {most} characters or fewer."),
            Language::French => format!("Il doit compter au plus {most} caractères."),
        },
        NotSet::Weak(WeakPassword::Common) => language
            .say(
                "That is one of the first that others would try: it repeats itself or follows the keyboard.",
                "C’est l’un des premiers que d’autres essaieraient : il se répète ou suit le clavier.",
            )
            .to_owned(),
        NotSet::Weak(WeakPassword::Name) => language
            .say(
                "It is made of your name or the console’s: take other words.",
                "Il est fait de votre nom ou de celui de la console : prenez d’autres mots.",
            )
            .to_owned(),
        NotSet::Same => language
            .say("It must be another than the present one.", "Il doit différer du mot de passe actuel.")
            .to_owned(),
        NotSet::Code => language
            .say(
                "That is not the code that the app should show now. Check the clock of the phone.",
                "Ce n’est pas le code que l’application devrait afficher. Vérifiez l’heure du téléphone.",
            )
            .to_owned(),
        NotSet::Stale
        | NotSet::Failed
        | NotSet::Name
        | NotSet::Refused
        | NotSet::Full
        | NotSet::Only => {
            language.say("That could not be done.", "Cela n’a pas pu se faire.").to_owned()
        }
    }
}

pub(super) async fn set_password(State(app): State<App>, person: Member, form: Form) -> Answer {
    let (present, new) = (form.whole("present"), form.whole("password"));
    match app.relay.set_password(&person.visitor, present, new).await? {
        Ok(()) => Err(Other::To("/console/me?done=password".to_owned())),
        Err(why) => {
            let fault = Some(not_set(person.language, why));
            answer::again(&password_form(&person, fault))
        }
    }
}

/// The picture that an app reads, as SVG.
fn picture(address: &str) -> Option<String> {
    let code = qrcode::QrCode::new(address).ok()?;
    let drawn = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(200, 200).build();
    // What stands before the element is for files.
    drawn.find("<svg").and_then(|start| drawn.get(start..)).map(str::to_owned)
}

async fn app_form(app: &App, person: &Member, fault: Option<&'static str>) -> Answer<AppPage> {
    let offered = app.relay.offer_app(&person.visitor).await?;
    let offered = offered.ok_or_else(|| Other::To("/console/me".to_owned()))?;
    let picture = picture(&offered.address).unwrap_or_default();
    let must = person.visitor.must == Some(Must::AddSecond);
    let secret: Vec<char> = offered.secret.chars().collect();
    let secret: Vec<String> = secret.chunks(4).map(|four| four.iter().collect()).collect();
    Ok(AppPage {
        shell: person.shell("me"),
        must,
        passkeys: app.relay.passkeys_at().is_some(),
        secret: secret.join(" "),
        picture,
        fault,
    })
}

/// The page that offers an app its secret.
pub(super) async fn app_page(State(app): State<App>, person: Member) -> Answer {
    answer::page(&app_form(&app, &person, None).await?)
}

/// Takes the app's first code, and shows the recovery codes once.
pub(super) async fn confirm_app(State(app): State<App>, person: Member, form: Form) -> Answer {
    if let Ok(codes) = app.relay.confirm_app(&person.visitor, form.get("code")).await? {
        return answer::page(&CodesPage { shell: person.shell("me"), codes });
    }
    let fault = person.language.say(
        "That is not the code that the app should show now. Check the clock of the phone.",
        "Ce n’est pas le code que l’application devrait afficher. Vérifiez l’heure du téléphone.",
    );
    answer::again(&app_form(&app, &person, Some(fault)).await?)
}

pub(super) async fn remove_app(State(app): State<App>, person: Member) -> Answer {
    person.fresh("/console/me")?;
    match app.relay.remove_app(&person.visitor).await? {
        Ok(()) => Err(Other::To("/console/me?done=app".to_owned())),
        Err(_) => Err(Other::To("/console/me".to_owned())),
    }
}

pub(super) async fn renew_codes(State(app): State<App>, person: Member) -> Answer {
    person.fresh("/console/me")?;
    match app.relay.renew_recovery_codes(&person.visitor).await? {
        Ok(codes) => answer::page(&CodesPage { shell: person.shell("me"), codes }),
        Err(_) => Err(Other::To("/console/me".to_owned())),
    }
}

/// Logs another browser of theirs out, or this one.
pub(super) async fn end_browser(
    State(app): State<App>,
    person: Member,
    Path(id): Path<String>,
) -> Answer {
    let id = BrowserId::parse(&id).map_err(|_| No::NOTHING_HERE)?;
    person.relay(&app).revoke_browser(&person.visitor.staff, &id).await?;
    Ok(Redirect::to("/console/me?done=browser").into_response())
}
