//! What staff keep beside a session: their notes, its case, and the way to the marketplace's order.

use std::collections::HashMap;

use axum::extract::{Path, State, rejection::PathRejection};

use super::{
    App,
    answer::{Answer, No, Other, Shell},
    door::Form,
    gate::Inside,
    when::When,
};
use crate::{
    domain::{
        case::{CaseId, NOTE_CHARS},
        message::Body,
        policy::Rules,
        staff::{Language, Permission},
    },
    ids::{AccountId, SessionId, SessionNoteId, StaffId},
    relay,
    store::{
        Tx, session_notes,
        sessions::{Page, Session},
        staff,
    },
};

/// How many notes a page shows.
const PAGE: usize = 20;

/// What stands beside a session.
pub(super) struct Desk {
    pub(super) may_write: bool,
    pub(super) case: Option<String>,
    /// The marketplace's page of the order.
    pub(super) order: Option<String>,
    pub(super) notes: Vec<Note>,
    pub(super) older: Option<String>,
    pub(super) longest: usize,
    pub(super) fault: Option<&'static str>,
    /// Where the forms lead.
    pub(super) add: String,
    pub(super) set_case: String,
}

/// A note.
pub(super) struct Note {
    pub(super) who: String,
    pub(super) at: Option<When>,
    pub(super) words: String,
}

/// Of which session, and from where on.
pub(super) struct Asked<'a> {
    pub(super) session: &'a Session,
    pub(super) rules: Option<&'a Rules>,
    pub(super) before: Option<SessionNoteId>,
    pub(super) fault: Option<&'static str>,
}

/// What went wrong with a form here, in words.
pub(super) fn done(language: Language, fault: Option<&str>) -> Option<&'static str> {
    Some(match fault? {
        "note" => language.say(
            "The note was not kept: it must have 1 to 2,000 characters.",
            "La note n’a pas été conservée : elle doit compter de 1 à 2 000 caractères.",
        ),
        "case" => language.say(
            "The case was not set: 1 to 64 letters, digits, dots, dashes and underscores, and no telephone number.",
            "Le dossier n’a pas été défini : 1 à 64 lettres, chiffres, points, tirets et traits de soulignement, et \
             pas de numéro de téléphone.",
        ),
        _ => return None,
    })
}

/// Reads it.
pub(super) async fn read(
    tx: &mut Tx,
    account: &AccountId,
    shell: &Shell,
    asked: Asked<'_>,
) -> Answer<Desk> {
    let Asked { session, rules, before, fault } = asked;
    let (id, language) = (&session.id, shell.lang);
    let path = format!("/console/sessions/{id}");
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let page = Page { before: before.map(|id| id.to_string()), after: None, limit };
    // Where the key does not open there is nothing to read.
    let mut found = match session.data_key(tx) {
        Ok(key) => session_notes::of_session(tx, account, &key, id, &page).await?,
        Err(_) => Vec::new(),
    };
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let mut names: HashMap<StaffId, String> = HashMap::new();
    for note in &found {
        if !names.contains_key(&note.staff) {
            let name = staff::get(tx, &note.staff).await?.map(|one| one.name);
            names.insert(note.staff.clone(), name.unwrap_or_default());
        }
    }
    let older = found
        .last()
        .filter(|_| more)
        .map(|last| format!("{}#notes-h", shell.link_with(&path, &[("notes", last.id.as_str())])));
    let lost = language.say("can’t be read any more", "n’est plus lisible");
    let notes = found
        .into_iter()
        .map(|note| Note {
            who: names.get(&note.staff).cloned().unwrap_or_default(),
            at: When::new(language, note.created_at),
            words: note.body.map_or_else(|| lost.to_owned(), |body| body.expose().to_owned()),
        })
        .collect();
    let order = rules.and_then(|rules| rules.order_url.as_ref());
    Ok(Desk {
        may_write: shell.may(Permission::Act),
        case: session_notes::case_of(tx, account, id).await?.map(|case| case.as_str().to_owned()),
        order: order.and_then(|url| url.of(id.as_str(), session.unique_name.as_deref())),
        notes,
        older,
        longest: NOTE_CHARS,
        fault,
        add: shell.link(&format!("{path}/notes")),
        set_case: shell.link(&format!("{path}/case")),
    })
}

fn session_of(id: Result<Path<String>, PathRejection>) -> Answer<SessionId> {
    let Path(id) = id.map_err(|_| No::NOTHING_HERE)?;
    Ok(SessionId::parse(&id).map_err(|_| No::NOTHING_HERE)?)
}

/// Back to the session.
fn back(inside: &Inside, session: &SessionId, fault: Option<&str>) -> Other {
    let pairs: Vec<(&str, &str)> = fault.map(|fault| ("fault", fault)).into_iter().collect();
    let path = inside.shell("sessions").link_with(&format!("/console/sessions/{session}"), &pairs);
    Other::To(format!("{path}#notes-h"))
}

/// Adds a note.
pub(super) async fn add(
    State(app): State<App>,
    inside: Inside,
    id: Result<Path<String>, PathRejection>,
    form: Form,
) -> Answer {
    let session = session_of(id)?;
    let staff = inside.person.visitor.staff.id.clone();
    let (account, of) = (inside.id().clone(), session.clone());
    let body = Body::new(form.get("note").to_owned());
    let relay = inside.person.relay(&app);
    let written = relay.db().write(move |tx| {
        let (account, of, staff, body) = (account.clone(), of.clone(), staff.clone(), body.clone());
        Box::pin(async move { relay::note_session(tx, &account, &of, &staff, &body).await })
    });
    match written.await {
        Ok(_) => Err(back(&inside, &session, None)),
        Err(relay::Error::Invalid(_)) => Err(back(&inside, &session, Some("note"))),
        Err(error) => Err(error.into()),
    }
}

/// Says which case a session belongs to; an empty field for none.
pub(super) async fn set_case(
    State(app): State<App>,
    inside: Inside,
    id: Result<Path<String>, PathRejection>,
    form: Form,
) -> Answer {
    let session = session_of(id)?;
    let text = form.get("case");
    let case = if text.is_empty() {
        None
    } else {
        match CaseId::parse(text) {
            Some(case) => Some(case),
            None => return Err(back(&inside, &session, Some("case"))),
        }
    };
    let (account, of) = (inside.id().clone(), session.clone());
    let relay = inside.person.relay(&app);
    let written = relay.db().write(move |tx| {
        let (account, of, case) = (account.clone(), of.clone(), case.clone());
        Box::pin(async move { relay::set_session_case(tx, &account, &of, case.as_ref()).await })
    });
    written.await?;
    Err(back(&inside, &session, None))
}
