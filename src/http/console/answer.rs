//! How the console answers: pages, ways elsewhere, and refusals that are pages too.

use std::fmt;

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{HeaderValue, StatusCode, header};

use crate::{
    domain::staff::{Language, Permission, Proof, Rights},
    relay::{self, Visitor},
    store::{self, accounts::Account},
};

/// What a handler gives back instead of its page.
#[derive(Debug)]
pub(super) enum Other {
    /// A refusal.
    No(No),
    /// A way elsewhere (303).
    To(String),
}

/// A page, or something else.
pub(super) type Answer<T = Response> = Result<T, Other>;

/// A refusal, as a page. Its words never repeat what was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct No {
    status: StatusCode,
    title: [&'static str; 2],
    words: [&'static str; 2],
}

impl No {
    pub(super) const NOTHING_HERE: Self = Self {
        status: StatusCode::NOT_FOUND,
        title: ["There is nothing here", "Il n’y a rien ici"],
        words: [
            "It does not exist, or it is of an account that you may not see.",
            "Cela n’existe pas, ou relève d’un compte que vous ne pouvez pas voir.",
        ],
    };
    pub(super) const NOT_YOURS: Self = Self {
        status: StatusCode::FORBIDDEN,
        title: ["Your role does not allow that", "Votre rôle ne le permet pas"],
        words: [
            "Whoever runs the console can give you the right to it.",
            "La personne qui administre la console peut vous en donner le droit.",
        ],
    };
    pub(super) const METHOD: Self = Self {
        status: StatusCode::METHOD_NOT_ALLOWED,
        title: ["That can’t be done here", "Cela ne peut pas se faire ici"],
        words: [
            "This address does not take that method.",
            "Cette adresse n’accepte pas cette méthode.",
        ],
    };
    pub(super) const ELSEWHERE: Self = Self {
        status: StatusCode::FORBIDDEN,
        title: ["That came from another site", "Cela vient d’un autre site"],
        words: [
            "Only this console’s own pages may send its forms. Open the console and try again.",
            "Seules les pages de cette console peuvent envoyer ses formulaires. Ouvrez la console et \
             réessayez.",
        ],
    };
    pub(super) const TOO_LONG: Self = Self {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        title: ["That was too long", "C’était trop long"],
        words: [
            "The form takes less than was sent.",
            "Le formulaire accepte moins que ce qui a été envoyé.",
        ],
    };
    pub(super) const CROWDED: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        title: ["Too many pages are watched", "Trop de pages sont suivies en direct"],
        words: [
            "Close another page of the overview, or reload it by hand.",
            "Fermez une autre page de la vue d’ensemble, ou rechargez-la à la main.",
        ],
    };
    const UNAVAILABLE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        title: ["The database does not answer", "La base de données ne répond pas"],
        words: [
            "Nothing is lost. Please try again in a moment.",
            "Rien n’est perdu. Veuillez réessayer dans un instant.",
        ],
    };
    const FAILED: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        title: ["Something went wrong on our side", "Une erreur est survenue de notre côté"],
        words: [
            "It is in the log, for the operator.",
            "Elle est dans le journal, pour l’exploitant.",
        ],
    };

    /// The refusal in a language.
    pub(super) fn page(self, language: Language) -> Response {
        let say = |[english, french]: [&'static str; 2]| language.say(english, french);
        let (title, words) = (say(self.title), say(self.words));
        let page = NoPage { shell: Alone { lang: language }, title, words };
        let mut response = match page.render() {
            Ok(page) => Html(page).into_response(),
            Err(_) => title.into_response(),
        };
        *response.status_mut() = self.status;
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[derive(Template)]
#[template(path = "console/no.html")]
struct NoPage {
    shell: Alone,
    title: &'static str,
    words: &'static str,
}

impl IntoResponse for No {
    /// A sign that [`super::gate::refusals`] makes a page of.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Other {
    fn into_response(self) -> Response {
        match self {
            Self::No(no) => no.into_response(),
            Self::To(path) => Redirect::to(&path).into_response(),
        }
    }
}

impl From<No> for Other {
    fn from(no: No) -> Self {
        Self::No(no)
    }
}

pub(super) fn failed(cause: &dyn fmt::Display) -> Other {
    tracing::error!(%cause, "a page of the console could not be made");
    Other::No(No::FAILED)
}

impl From<store::Error> for Other {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) | store::Error::Locked => {
                tracing::warn!(%error, "the console got no answer from the database");
                Self::No(No::UNAVAILABLE)
            }
            other => failed(&other),
        }
    }
}

impl From<relay::Error> for Other {
    fn from(error: relay::Error) -> Self {
        match error {
            relay::Error::Store(error) => error.into(),
            relay::Error::NotFound(_) => Self::No(No::NOTHING_HERE),
            other => failed(&other),
        }
    }
}

/// Writes a page.
pub(super) fn page(template: &impl Template) -> Answer {
    match template.render() {
        Ok(text) => Ok(Html(text).into_response()),
        Err(error) => Err(failed(&error)),
    }
}

/// A page with another status than 200: what was asked for was not done.
pub(super) fn with_status(status: StatusCode, answer: Answer) -> Answer {
    let mut response = answer?;
    *response.status_mut() = status;
    Ok(response)
}

/// A form again, with what was wrong with it (422).
pub(super) fn again(template: &impl Template) -> Answer {
    with_status(StatusCode::UNPROCESSABLE_ENTITY, page(template))
}

/// What surrounds a page of nobody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alone {
    pub(super) lang: Language,
}

impl Alone {
    /// The words of the reader's language.
    pub(super) const fn say<'a>(self, english: &'a str, french: &'a str) -> &'a str {
        self.lang.say(english, french)
    }
}

/// A part of the console, as the way to it is shown.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) link: String,
    pub(super) label: &'static str,
    pub(super) here: bool,
}

/// Every part of the console that is about an account: its name, path, what it takes, and its words.
const PARTS: &[(&str, &str, Permission, [&str; 2])] = &[
    ("overview", "/console/overview", Permission::View, ["Overview", "Vue d’ensemble"]),
    ("sessions", "/console/sessions", Permission::View, ["Sessions", "Sessions"]),
    ("interactions", "/console/interactions", Permission::View, ["Interactions", "Interactions"]),
    ("numbers", "/console/numbers", Permission::View, ["Numbers", "Numéros"]),
    ("events", "/console/events", Permission::View, ["Events", "Événements"]),
    ("deliveries", "/console/deliveries", Permission::Develop, ["Deliveries", "Livraisons"]),
    ("developer", "/console/developer", Permission::Develop, ["Developer", "Développement"]),
    ("audit", "/console/audit", Permission::Audit, ["Audit", "Audit"]),
    ("moderation", "/console/moderation", Permission::Moderate, ["Moderation", "Modération"]),
    ("pools", "/console/pools", Permission::View, ["Pools", "Lots"]),
];

/// What surrounds every page of somebody who is logged in.
#[derive(Debug)]
pub(super) struct Shell {
    /// The language that they read.
    pub(super) lang: Language,
    /// Who they are.
    pub(super) staff: String,
    /// The account that they look at.
    pub(super) account: Option<String>,
    /// Whether they may look at others.
    pub(super) may_switch: bool,
    /// Which part of the console it is.
    here: &'static str,
    /// What they may do in the account,
    rights: Option<Rights>,
    /// and in the installation as a whole.
    everywhere: Option<Rights>,
    /// The account's id, where addresses must say it.
    said: Option<String>,
    /// That they have nothing to come back with but another link.
    pub(super) only_link: bool,
}

impl Shell {
    /// Around pages about an account.
    pub(super) fn new(
        visitor: &Visitor,
        account: &Account,
        lang: Language,
        here: &'static str,
    ) -> Self {
        let outside = Self::outside(visitor, lang, here);
        Self {
            account: Some(account.name.clone()),
            rights: visitor.staff.rights(&account.id),
            said: outside.may_switch.then(|| account.id.to_string()),
            ..outside
        }
    }

    /// Around pages about no account.
    pub(super) fn outside(visitor: &Visitor, lang: Language, here: &'static str) -> Self {
        let factors = &visitor.factors;
        Self {
            lang,
            staff: visitor.staff.name.clone(),
            account: None,
            may_switch: visitor.staff.only_account().is_none(),
            here,
            rights: None,
            everywhere: visitor.staff.rights_everywhere(),
            said: None,
            only_link: factors.password.is_none()
                && factors.passkeys == 0
                && visitor.browser.proof == Proof::Link,
        }
    }

    /// The words of the reader's language.
    pub(super) const fn say<'a>(&self, english: &'a str, french: &'a str) -> &'a str {
        self.lang.say(english, french)
    }

    /// Whether they may do that in the account that they look at.
    pub(super) fn may(&self, what: Permission) -> bool {
        self.rights.is_some_and(|rights| rights.may(what))
    }

    /// Whether there is something to search: an account that they may look at.
    pub(super) fn searches(&self) -> bool {
        self.may(Permission::View)
    }

    /// The parts that they may see.
    pub(super) fn parts(&self) -> Vec<Part> {
        let about = PARTS.iter().filter(|(_, _, what, _)| self.may(*what));
        let mut parts: Vec<Part> = about
            .map(|(name, path, _, [english, french])| Part {
                link: self.link(path),
                label: self.say(english, french),
                here: *name == self.here,
            })
            .collect();
        if self.everywhere.is_some_and(|rights| rights.may(Permission::Staff)) {
            parts.push(Part {
                link: "/console/staff".to_owned(),
                label: self.say("Staff", "Équipe"),
                here: self.here == "staff",
            });
        }
        parts
    }

    /// The value of the hidden field that keeps the account in a form; empty for none.
    pub(super) fn said(&self) -> &str {
        self.said.as_deref().unwrap_or_default()
    }

    /// An address in the console that keeps the account.
    pub(super) fn link(&self, path: &str) -> String {
        self.link_with(path, &[])
    }

    /// The same with parameters.
    pub(super) fn link_with(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(account) = &self.said {
            query.append_pair("account", account);
        }
        for (name, value) in pairs {
            query.append_pair(name, value);
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}
