//! What staff do, and what they open: each has a page that says what it does and asks, and a form.

mod erase;
pub(super) mod offers;
mod on_person;
mod on_session;
mod opening;
mod reading;
mod words;

pub(super) use self::words::{cause, notice};
use askama::Template;
use axum::{Router, routing::get};

use super::{
    App,
    answer::{self, Answer, Other, Shell},
    door::Form,
    filters::Choice,
    gate::{self, Inside},
    people,
};
use crate::{
    domain::{
        audit::{REASON_CHARS, Reason},
        staff::{Language, Permission as P},
    },
    relay::Error,
};

/// A person's page, and those of what is done to one session, one person or one opt-out.
pub(super) fn routes(app: &App) -> Router<App> {
    let about = |what, route| gate::within(app, what, route);
    let close = get(on_session::close_page).post(on_session::close);
    let extend = get(on_session::extend_page).post(on_session::extend);
    let block = get(on_session::block_page).post(on_session::block);
    let unblock = get(on_session::unblock_page).post(on_session::unblock);
    let texts = get(opening::texts_page).post(opening::texts);
    let reveal = get(opening::reveal_page).post(opening::reveal);
    let swap = get(on_person::swap_page).post(on_person::swap);
    let words = get(reading::page).post(reading::read);
    let clear = get(on_person::clear_page).post(on_person::clear);
    let erase = get(erase::page).post(erase::erase);
    Router::new()
        .route("/console/people/{id}", about(P::View, get(people::page)))
        .route("/console/sessions/{id}/close", about(P::Act, close))
        .route("/console/sessions/{id}/extend", about(P::Act, extend))
        .route("/console/sessions/{id}/block", about(P::Act, block))
        .route("/console/sessions/{id}/unblock", about(P::Act, unblock))
        .route("/console/sessions/{id}/texts", about(P::ReadTexts, texts))
        .route("/console/moderation/{id}/words", about(P::ReadTexts, words))
        .route("/console/people/{id}/reveal", about(P::Reveal, reveal))
        .route("/console/people/{id}/swap", about(P::Act, swap))
        .route("/console/people/{id}/erase", about(P::Erase, erase))
        .route("/console/erasures/{id}", about(P::Erase, get(erase::receipt)))
        .route("/console/opt-outs/{id}/clear", about(P::Act, clear))
}

/// A page that asks before something is done.
#[derive(Template)]
#[template(path = "console/act.html")]
struct ActPage {
    shell: Shell,
    title: &'static str,
    /// Where it leads back to, and what that is called.
    back: (String, String),
    /// What it does, and to whom.
    words: Vec<String>,
    /// Counts beside it, each with what it counts.
    counts: Vec<(&'static str, String)>,
    fault: Option<String>,
    fields: Vec<Field>,
    /// Where the form is sent.
    to: String,
    button: &'static str,
    /// Whether it can't be taken back.
    danger: bool,
}

/// A field of its form.
struct Field {
    name: &'static str,
    label: String,
    hint: Option<String>,
    kind: Kind,
    value: String,
}

enum Kind {
    /// A line of so many characters at most; it may be left out.
    Line(usize),
    /// The same, which may not.
    Needed(usize),
    /// Lines of so many characters at most.
    Words(usize),
    /// A whole number from 1 to so much.
    Number(u64),
    /// One of these.
    One(Vec<Choice>),
    /// Nothing to see.
    Hidden,
}

impl Field {
    fn new(name: &'static str, label: impl Into<String>, kind: Kind) -> Self {
        Self { name, label: label.into(), hint: None, kind, value: String::new() }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn value(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    /// Why it is done, for the audit log; it may be left out.
    fn reason(language: Language) -> Self {
        let label = language.say(
            "Why, for the audit log (optional)",
            "Motif, pour le journal d’audit (facultatif)",
        );
        Self::new("reason", label, Kind::Line(REASON_CHARS)).hint(reason_hint(language))
    }

    /// The same, which must be said.
    fn needed_reason(language: Language) -> Self {
        let label = language.say("Why, in your words", "Motif, dans vos mots");
        Self::new("reason", label, Kind::Needed(REASON_CHARS)).hint(reason_hint(language))
    }
}

const fn reason_hint(language: Language) -> &'static str {
    language.say(
        "A ticket or a few words; no telephone number.",
        "Un numéro de dossier ou quelques mots ; aucun numéro de téléphone.",
    )
}

/// The reason that was typed, if one was.
fn reason(language: Language, form: &Form) -> Result<Option<Reason>, String> {
    match form.get("reason") {
        "" => Ok(None),
        text => Reason::parse(text).map(Some).map_err(|_| bad_reason(language).to_owned()),
    }
}

pub(super) const fn bad_reason(language: Language) -> &'static str {
    language.say(
        "The reason must have 1 to 200 characters on one line, and nothing that may be a telephone number or a date.",
        "Le motif doit compter de 1 à 200 caractères sur une ligne, et rien qui puisse être un numéro de \
         téléphone ou une date.",
    )
}

/// What kept something from being done, in words; other errors as they are.
fn fault(language: Language, error: Error) -> Answer<String> {
    let words = match &error {
        Error::SessionClosed => {
            language.say("The session is over already.", "La session est déjà terminée.")
        }
        Error::SessionSuspended => language.say(
            "The session is on hold since a restore: the marketplace resumes it first.",
            "La session est suspendue depuis une restauration : la place de marché doit d’abord la reprendre.",
        ),
        Error::PinNeeded => language.say(
            "That number is shared by sessions and known by a PIN: it can’t be swapped.",
            "Ce numéro est partagé entre des sessions et reconnu par un code : il ne peut pas être échangé.",
        ),
        Error::ErasingOff => language.say(
            "No erasure list is set on this installation: nobody can be erased. Ask the operator.",
            "Aucune liste d’effacement n’est configurée : personne ne peut être effacé. Demandez à l’exploitant.",
        ),
        Error::LegalHold(_) => language.say(
            "A legal hold keeps this person’s data: it is lifted first.",
            "Une conservation légale protège les données de cette personne : il faut d’abord la lever.",
        ),
        Error::Invalid(_) => language.say(
            "That is not allowed here: check what was typed.",
            "Cela n’est pas permis ici : vérifiez la saisie.",
        ),
        _ => return Err(Other::from(error)),
    };
    Ok(words.to_owned())
}

/// What came of a form: the way back with a word on it, or the form again with what kept it from being done.
fn ended(
    inside: &Inside,
    path: &str,
    came: Result<&str, Error>,
    form: impl FnOnce(Option<String>) -> ActPage,
) -> Answer {
    match came {
        Ok(what) => Err(done(inside, path, what)),
        Err(error) => answer::again(&form(Some(fault(inside.person.language, error)?))),
    }
}

/// The way back with a word on what was done.
fn done(inside: &Inside, path: &str, what: &str) -> Other {
    Other::To(inside.shell("").link_with(path, &[("done", what)]))
}
