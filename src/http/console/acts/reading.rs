//! The words of a report or a flagged text, opened for a reason as a session's texts are.

use askama::Template;
use axum::extract::{Path, State};

use super::{
    ActPage, Field,
    opening::{asks, for_a_while, said, spent},
};
use crate::{
    domain::{
        message::Body,
        opening::{Opened, shown_for},
        staff::Permission,
    },
    http::console::{
        App,
        answer::{self, Answer, No, Shell},
        door::Form,
        gate::Inside,
        moderation::{kind, subject},
        timeline::{Cast, Party},
        when::When,
        words,
    },
    ids::SessionId,
    relay::{ItemText, ItemWords},
    store::{
        moderation::{self, ItemId},
        participants, sessions,
    },
};

#[derive(Template)]
#[template(path = "console/moderation_words.html")]
struct WordsPage {
    shell: Shell,
    back: String,
    seconds: u64,
    note: Option<String>,
    decision_note: Option<String>,
    rows: Vec<Row>,
}

struct Row {
    at: Option<When>,
    from: Party,
    words: Option<String>,
    original: bool,
}

/// What is asked for, by somebody who may moderate too, and its session.
async fn found(app: &App, inside: &Inside, id: &str) -> Answer<(ItemId, moderation::Item)> {
    if !inside.may(Permission::Moderate) {
        return Err(No::NOT_YOURS.into());
    }
    let id = ItemId::parse(id).ok_or(No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    let item = moderation::get(&mut tx, inside.id(), &id).await?.ok_or(No::NOTHING_HERE)?;
    sessions::get(&mut tx, inside.id(), &item.session).await?.ok_or(No::NOTHING_HERE)?;
    Ok((id, item))
}

/// Where the form of an item's words is.
fn to(inside: &Inside, id: &ItemId) -> String {
    inside.shell("").link(&format!("/console/moderation/{}/words", id.as_str()))
}

async fn form_page(
    app: &App,
    inside: &Inside,
    (id, item): (&ItemId, &moderation::Item),
    fault: Option<String>,
) -> Answer<ActPage> {
    let left = app.relay.openings_left(&inside.person.visitor.staff.id, Opened::Texts).await?;
    let shell = inside.shell("moderation");
    let lang = shell.lang;
    let what = words::item_kind(lang, kind(&item.about));
    let colon = lang.say(": ", " : ");
    let page = ActPage {
        title: lang.say("Read the words", "Lire le contenu"),
        back: (
            shell.link(&format!("/console/moderation/{}", id.as_str())),
            format!("{what}{colon}{}", subject(lang, &item.about)),
        ),
        words: vec![
            lang.say(
                "What whoever reported says, and the texts that are named: as they were written where the service \
                 keeps those (keep_originals), as they were passed on where it keeps these (keep_texts).",
                "Ce que dit la personne à l’origine du signalement, et les SMS désignés : tels qu’écrits si le service \
                 les conserve (keep_originals), tels que transmis s’il conserve ceux-là (keep_texts).",
            )
            .to_owned(),
        ],
        counts: Vec::new(),
        fault: None,
        fields: Vec::<Field>::new(),
        to: to(inside, id),
        button: "",
        danger: false,
        shell,
    };
    Ok(asks(page, left, Opened::Texts, fault))
}

pub(in crate::http::console) async fn page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let (id, item) = found(&app, &inside, &id).await?;
    inside.person.fresh(&to(&inside, &id))?;
    answer::page(&form_page(&app, &inside, (&id, &item), None).await?)
}

/// Shows the words, for ten minutes.
pub(in crate::http::console) async fn read(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let (id, item) = found(&app, &inside, &id).await?;
    inside.person.fresh(&to(&inside, &id))?;
    let (cause, reason) = match said(inside.person.language, &form) {
        Ok(said) => said,
        Err(fault) => {
            let page = form_page(&app, &inside, (&id, &item), Some(fault)).await?;
            return answer::again(&page);
        }
    };
    let relay = inside.person.relay_since(&app, Some(reason));
    let staff = &inside.person.visitor.staff.id;
    let Some(opened) = relay.read_item(inside.id(), staff, &id, cause).await? else {
        return spent(form_page(&app, &inside, (&id, &item), None).await?);
    };
    let shell = inside.shell("moderation");
    let path = format!("/console/moderation/{}", id.as_str());
    let (seconds, back) = (shown_for(Opened::Texts), shell.link_with(&path, &[("done", "hidden")]));
    let ItemWords { note, decision_note, texts } = opened;
    let clear = |body: Option<Body>| body.map(|body| body.expose().to_owned());
    let page = WordsPage {
        rows: rows(&app, &inside, &item.session, texts).await?,
        note: clear(note),
        decision_note: clear(decision_note),
        back: back.clone(),
        seconds,
        shell,
    };
    Ok(for_a_while(answer::page(&page)?, seconds, &back))
}

async fn rows(
    app: &App,
    inside: &Inside,
    session: &SessionId,
    texts: Vec<ItemText>,
) -> Answer<Vec<Row>> {
    let language = inside.person.language;
    let mut tx = app.relay.db().read().await?;
    let people = participants::of_session(&mut tx, inside.id(), session).await?;
    drop(tx);
    let cast = Cast::new(language, &people);
    let rows = texts.into_iter().map(|one| Row {
        at: When::new(language, one.interaction.created_at),
        from: cast.from(&one.interaction),
        words: one.words.map(|words| words.expose().to_owned()),
        original: one.original,
    });
    Ok(rows.collect())
}
