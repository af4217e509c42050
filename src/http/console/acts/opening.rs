//! Numbers and texts, opened for a reason by somebody who has just proved who they are: in the answer to a form, for
//! a while.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::{HeaderName, HeaderValue, StatusCode};

use super::{
    ActPage, Field, Kind, bad_reason,
    on_person::{about, participant},
    words,
};
use crate::{
    domain::{
        audit::Reason,
        opening::{Cause, Opened, shown_for},
        staff::Language,
    },
    http::console::{
        App,
        answer::{self, Answer, No, Shell},
        door::Form,
        gate::Inside,
        timeline::{Cast, Party},
        when::When,
    },
    ids::{InteractionId, SessionId},
    relay::{TEXTS_PAGE, TextsRead},
    store::{
        interactions::Interaction,
        legs,
        participants::{self, Participant},
        sessions,
    },
};

const REFRESH: HeaderName = HeaderName::from_static("refresh");

#[derive(Template)]
#[template(path = "console/revealed.html")]
struct RevealedPage {
    shell: Shell,
    back: String,
    seconds: u64,
    role: String,
    masked: String,
    number: String,
}

#[derive(Template)]
#[template(path = "console/texts.html")]
struct TextsPage {
    shell: Shell,
    back: String,
    seconds: u64,
    rows: Vec<TextRow>,
    /// The form of the texts before these, which asks nothing again: before which, and what was said.
    earlier: Option<(String, Earlier)>,
}

/// What is sent along for the page before.
struct Earlier {
    before: String,
    cause: &'static str,
    reason: String,
}

struct TextRow {
    at: Option<When>,
    from: Party,
    to: Vec<Party>,
    words: Option<String>,
}

/// Lets a page lead back by itself: what stands on it is not to stay on a screen. A header: the page's own script may
/// be off.
pub(super) fn for_a_while(mut response: Response, seconds: u64, back: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(format!("{seconds}; url={back}")) {
        response.headers_mut().insert(REFRESH, value);
    }
    response
}

/// What is said before anything is opened, and asked.
pub(super) fn asks(page: ActPage, left: u32, what: Opened, fault: Option<String>) -> ActPage {
    let lang = page.shell.lang;
    let mut said = page.words;
    said.push(match (lang, what) {
        (Language::English, Opened::Number) => format!(
            "That you open it stands in the audit log under your name before you see it. It is shown for 60 seconds. \
             You may open {left} more numbers within 24 hours."
        ),
        (Language::French, Opened::Number) => format!(
            "Le fait que vous l’ouvriez est inscrit sous votre nom dans le journal d’audit avant l’affichage. Il \
             s’affiche 60 secondes. Il vous reste {left} numéros à ouvrir sur 24 heures."
        ),
        (Language::English, Opened::Texts) => format!(
            "That you read them stands in the audit log under your name before you see them. They are shown for ten \
             minutes. You may open texts {left} more times within 24 hours."
        ),
        (Language::French, Opened::Texts) => format!(
            "Le fait que vous les lisiez est inscrit sous votre nom dans le journal d’audit avant l’affichage. Ils \
             s’affichent dix minutes. Il vous reste {left} lectures sur 24 heures."
        ),
    });
    let label = lang.say("What for", "Dans quel but");
    ActPage {
        words: said,
        fault,
        fields: vec![
            Field::new("cause", label, Kind::One(words::causes(lang))),
            Field::needed_reason(lang),
        ],
        button: match what {
            Opened::Number => lang.say("Reveal the number", "Révéler le numéro"),
            Opened::Texts => lang.say("Read the texts", "Lire les SMS"),
        },
        ..page
    }
}

/// What was said it is opened for.
pub(super) fn said(language: Language, form: &Form) -> Result<(Cause, Reason), String> {
    let cause = Cause::parse(form.get("cause")).ok_or_else(|| {
        language.say("Choose what it is for.", "Choisissez dans quel but.").to_owned()
    })?;
    let reason = Reason::parse(form.get("reason")).map_err(|_| bad_reason(language).to_owned())?;
    Ok((cause, reason))
}

/// The page for whoever has opened as much as they may.
pub(super) fn spent(page: ActPage) -> Answer {
    let lang = page.shell.lang;
    let words = lang.say(
        "You have opened as many as one person may within 24 hours. Ask a colleague, or wait until the first of them is \
         a day old.",
        "Vous avez ouvert tout ce qu’une personne peut ouvrir en 24 heures. Demandez à un collègue, ou attendez que la \
         première ouverture ait un jour.",
    );
    let page = ActPage { fault: Some(words.to_owned()), button: "", fields: Vec::new(), ..page };
    answer::with_status(StatusCode::TOO_MANY_REQUESTS, answer::page(&page))
}

async fn reveal_form(
    app: &App,
    inside: &Inside,
    one: &Participant,
    fault: Option<String>,
) -> Answer<ActPage> {
    let left = app.relay.openings_left(&inside.person.visitor.staff.id, Opened::Number).await?;
    let mut page = about(one, inside, "reveal");
    page.title = page.shell.say("Reveal a number", "Révéler un numéro");
    Ok(asks(page, left, Opened::Number, fault))
}

/// Where the form of a number is.
fn of_number(inside: &Inside, one: &Participant) -> String {
    inside.shell("").link(&format!("/console/people/{}/reveal", one.id))
}

pub(in crate::http::console) async fn reveal_page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let one = participant(&app, &inside, &id).await?;
    inside.person.fresh(&of_number(&inside, &one))?;
    answer::page(&reveal_form(&app, &inside, &one, None).await?)
}

/// Shows a number, once and for a minute.
pub(in crate::http::console) async fn reveal(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let one = participant(&app, &inside, &id).await?;
    inside.person.fresh(&of_number(&inside, &one))?;
    let (cause, reason) = match said(inside.person.language, &form) {
        Ok(said) => said,
        Err(fault) => {
            let page = reveal_form(&app, &inside, &one, Some(fault)).await?;
            return answer::again(&page);
        }
    };
    let relay = inside.person.relay_since(&app, Some(reason));
    let staff = &inside.person.visitor.staff.id;
    let Some(number) = relay.reveal(inside.id(), staff, &one.id, cause).await? else {
        return spent(reveal_form(&app, &inside, &one, None).await?);
    };
    let shell = inside.shell("sessions");
    let path = format!("/console/sessions/{}", one.session);
    let (seconds, back) =
        (shown_for(Opened::Number), shell.link_with(&path, &[("done", "hidden")]));
    let page = RevealedPage {
        shell,
        back: back.clone(),
        seconds,
        role: one.role.clone(),
        masked: one.masked(),
        number: number.expose().to_owned(),
    };
    Ok(for_a_while(answer::page(&page)?, seconds, &back))
}

async fn texts_form(
    app: &App,
    inside: &Inside,
    id: &SessionId,
    fault: Option<String>,
) -> Answer<ActPage> {
    let left = app.relay.openings_left(&inside.person.visitor.staff.id, Opened::Texts).await?;
    let mut tx = app.relay.db().read().await?;
    let session = sessions::get(&mut tx, inside.id(), id).await?.ok_or(No::NOTHING_HERE)?;
    let shell = inside.shell("sessions");
    let path = format!("/console/sessions/{id}");
    let page = ActPage {
        title: shell.say("Read what was written", "Lire ce qui a été écrit"),
        back: (shell.link(&path), session.unique_name.unwrap_or_else(|| id.to_string())),
        words: vec![
            shell
                .say(
                    "Words are there only where the service keeps them (keep_texts), and for as long as it does.",
                    "Les mots ne sont là que si le service les conserve (keep_texts), et aussi longtemps qu’il le fait.",
                )
                .to_owned(),
        ],
        counts: Vec::new(),
        fault: None,
        fields: Vec::new(),
        to: shell.link(&format!("{path}/texts")),
        button: "",
        danger: false,
        shell,
    };
    Ok(asks(page, left, Opened::Texts, fault))
}

/// Where the form of a session's texts is.
fn of_texts(inside: &Inside, id: &SessionId) -> String {
    inside.shell("").link(&format!("/console/sessions/{id}/texts"))
}

pub(in crate::http::console) async fn texts_page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let id = SessionId::parse(&id).map_err(|_| No::NOTHING_HERE)?;
    inside.person.fresh(&of_texts(&inside, &id))?;
    answer::page(&texts_form(&app, &inside, &id, None).await?)
}

/// Shows the words of a session's texts, for ten minutes.
pub(in crate::http::console) async fn texts(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let id = SessionId::parse(&id).map_err(|_| No::NOTHING_HERE)?;
    inside.person.fresh(&of_texts(&inside, &id))?;
    let (cause, reason) = match said(inside.person.language, &form) {
        Ok(said) => said,
        Err(fault) => {
            let page = texts_form(&app, &inside, &id, Some(fault)).await?;
            return answer::again(&page);
        }
    };
    let before = match form.get("before") {
        "" => None,
        before => Some(InteractionId::parse(before).map_err(|_| No::NOTHING_HERE)?),
    };
    let relay = inside.person.relay_since(&app, Some(reason.clone()));
    let staff = &inside.person.visitor.staff.id;
    let found = relay.read_texts(inside.id(), staff, &id, before.as_ref(), cause).await?;
    let Some(TextsRead { texts, earlier }) = found else {
        return spent(texts_form(&app, &inside, &id, None).await?);
    };
    let shell = inside.shell("sessions");
    let to = shell.link(&format!("/console/sessions/{id}/texts"));
    let earlier = earlier.map(|before| {
        let reason = reason.expose().to_owned();
        (to, Earlier { before: before.to_string(), cause: cause.as_str(), reason })
    });
    let rows = rows(&app, &inside, &id, texts).await?;
    let path = format!("/console/sessions/{id}");
    let (seconds, back) = (shown_for(Opened::Texts), shell.link_with(&path, &[("done", "hidden")]));
    let page = TextsPage { shell, back: back.clone(), seconds, rows, earlier };
    Ok(for_a_while(answer::page(&page)?, seconds, &back))
}

async fn rows(
    app: &App,
    inside: &Inside,
    id: &SessionId,
    texts: Vec<(Interaction, Option<crate::domain::message::Body>)>,
) -> Answer<Vec<TextRow>> {
    let language = inside.person.language;
    let mut tx = app.relay.db().read().await?;
    let people = participants::of_session(&mut tx, inside.id(), id).await?;
    let ids: Vec<InteractionId> = texts.iter().map(|(one, _)| one.id.clone()).collect();
    let legs = legs::of_interactions(&mut tx, inside.id(), &ids).await?;
    drop(tx);
    let cast = Cast::new(language, &people);
    let mut rows = Vec::with_capacity(TEXTS_PAGE);
    for (one, said) in texts {
        let own: Vec<legs::Leg> =
            legs.iter().filter(|leg| leg.interaction == one.id).cloned().collect();
        let from = cast.from(&one);
        rows.push(TextRow {
            at: When::new(language, one.created_at),
            to: cast.to(&one, &own, &from),
            from,
            words: said.map(|said| said.expose().to_owned()),
        });
    }
    Ok(rows)
}
