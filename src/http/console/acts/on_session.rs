//! What is done to one session: it is closed, lengthened, its two sides are kept apart, or no longer.

use std::time::Duration;

use axum::extract::{Path, State};

use super::{ActPage, Field, Kind, ended, reason};
use crate::{
    domain::session::State as SessionState,
    http::console::{
        App,
        answer::{self, Answer, No},
        door::Form,
        filters::Choice,
        gate::Inside,
        when::When,
    },
    ids::{ParticipantId, SessionId},
    relay::{block_as_staff, close_as_staff, extend_as_staff, unblock_as_staff},
    store::{
        participants::{self, Participant},
        sessions::{self, Session},
    },
};

/// By how many hours a session is lengthened at most, at once: a year.
const HOURS_MAX: u64 = 8760;

/// A session that something is to be done to.
struct Case {
    session: Session,
    people: Vec<Participant>,
    path: String,
}

async fn case(app: &App, inside: &Inside, id: &str) -> Answer<Case> {
    let id = SessionId::parse(id).map_err(|_| No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    let session = sessions::get(&mut tx, inside.id(), &id).await?.ok_or(No::NOTHING_HERE)?;
    let mut people = participants::of_session(&mut tx, inside.id(), &id).await?;
    people.retain(|one| one.removed_at.is_none() && !one.erased);
    Ok(Case { session, people, path: format!("/console/sessions/{id}") })
}

impl Case {
    /// The page that asks, with what was wrong.
    fn page(&self, inside: &Inside, what: &str, fault: Option<String>) -> ActPage {
        let shell = inside.shell("sessions");
        let name = self.session.unique_name.clone();
        let name = name.unwrap_or_else(|| self.session.id.to_string());
        ActPage {
            title: "",
            back: (shell.link(&self.path), name),
            words: Vec::new(),
            counts: Vec::new(),
            fault,
            fields: vec![Field::reason(shell.lang)],
            to: shell.link(&format!("{}/{what}", self.path)),
            button: "",
            danger: false,
            shell,
        }
    }

    /// Who is in it: `buyer +1••••1f0a, seller +44••••22c1`.
    fn who(&self) -> String {
        let all = self.people.iter().map(|one| format!("{} {}", one.role, one.masked()));
        all.collect::<Vec<_>>().join(", ")
    }
}

fn close_form(case: &Case, inside: &Inside, fault: Option<String>) -> ActPage {
    let page = case.page(inside, "close", fault);
    let lang = page.shell.lang;
    ActPage {
        title: lang.say("Close the session", "Fermer la session"),
        words: vec![
            lang.say(
                "From then on nobody is put through: what is waiting to be sent is withdrawn, and calls and texts \
                 are refused. It can’t be taken back here; the marketplace can reopen the session.",
                "Dès lors, personne n’est mis en relation : ce qui attend d’être envoyé est retiré, les appels et \
                 les SMS sont refusés. Cela ne s’annule pas ici ; la place de marché peut rouvrir la session.",
            )
            .to_owned(),
            case.who(),
        ],
        button: lang.say("Close the session", "Fermer la session"),
        danger: true,
        ..page
    }
}

pub(in crate::http::console) async fn close_page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let case = case(&app, &inside, &id).await?;
    answer::page(&close_form(&case, &inside, None))
}

pub(in crate::http::console) async fn close(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let case = case(&app, &inside, &id).await?;
    let language = inside.person.language;
    let why = match reason(language, &form) {
        Ok(why) => why,
        Err(fault) => return answer::again(&close_form(&case, &inside, Some(fault))),
    };
    let input = (inside.id().clone(), case.session.id.clone());
    let relay = inside.person.relay_since(&app, why).urgent();
    let closed = relay.act(input, |tx, (account, id)| {
        Box::pin(async move { close_as_staff(tx, &account, &id).await })
    });
    let came = closed.await.map(|()| "closed");
    ended(&inside, &case.path, came, |fault| close_form(&case, &inside, fault))
}

fn extend_form(case: &Case, inside: &Inside, fault: Option<String>) -> ActPage {
    let mut page = case.page(inside, "extend", fault);
    let lang = page.shell.lang;
    page.title = lang.say("Extend the session", "Prolonger la session");
    let ends = When::new(lang, case.session.expires_at);
    let Some(ends) = ends.filter(|_| case.session.state != SessionState::Closed) else {
        let words = lang.say(
            "This session is over already, or never ends by itself: there is nothing to lengthen.",
            "Cette session est déjà terminée, ou ne se termine jamais d’elle-même : il n’y a rien à prolonger.",
        );
        page.words = vec![words.to_owned()];
        return page;
    };
    let hours = Field::new("hours", lang.say("Hours", "Heures"), Kind::Number(HOURS_MAX))
        .hint(lang.say("From 1 to 8760, a year.", "De 1 à 8760, soit un an."))
        .value("24");
    page.fields.insert(0, hours);
    let words = lang.say(
        "It ends later by so many hours, at a fixed time. As it is, it ends on",
        "Elle se terminera plus tard d’autant d’heures, à heure fixe. Pour l’instant, elle se termine le",
    );
    page.words = vec![format!("{words} {}, {} UTC.", ends.day, ends.clock)];
    page.button = lang.say("Extend", "Prolonger");
    page
}

pub(in crate::http::console) async fn extend_page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let case = case(&app, &inside, &id).await?;
    answer::page(&extend_form(&case, &inside, None))
}

pub(in crate::http::console) async fn extend(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let case = case(&app, &inside, &id).await?;
    let language = inside.person.language;
    let hours = form.get("hours").parse().ok().filter(|hours| (1..=HOURS_MAX).contains(hours));
    let read = reason(language, &form).and_then(|why| {
        let words = language.say(
            "The hours must be a whole number from 1 to 8760.",
            "Les heures doivent être un nombre entier de 1 à 8760.",
        );
        Ok((why, hours.ok_or(words)?))
    });
    let (why, hours) = match read {
        Ok(read) => read,
        Err(fault) => return answer::again(&extend_form(&case, &inside, Some(fault))),
    };
    let input = (inside.id().clone(), case.session.id.clone(), Duration::from_hours(hours));
    let relay = inside.person.relay_since(&app, why);
    let extended = relay.act(input, |tx, (account, id, by)| {
        Box::pin(async move { extend_as_staff(tx, &account, &id, by).await })
    });
    let came = extended.await.map(|()| "extended");
    ended(&inside, &case.path, came, |fault| extend_form(&case, &inside, fault))
}

fn block_form(case: &Case, inside: &Inside, fault: Option<String>) -> ActPage {
    let mut page = case.page(inside, "block", fault);
    let lang = page.shell.lang;
    let label = lang.say("On whose behalf", "Pour le compte de");
    let choice = |one: &Participant| {
        Choice::new(one.id.to_string(), format!("{} {}", one.role, one.masked()))
    };
    let who = Kind::One(case.people.iter().map(choice).collect());
    page.fields.insert(0, Field::new("participant", label, who));
    page.title = lang.say("Block the pair", "Bloquer les deux personnes");
    let words = lang.say(
        "Nothing passes between the two any more, either way, in this session or any other of this account, and a \
         phone that rings now is connected with nobody. Neither is told why. You can lift it again.",
        "Plus rien ne passe entre les deux, dans un sens ou dans l’autre, dans cette session comme dans toute autre de \
         ce compte, et un téléphone qui sonne n’est mis en relation avec personne. Aucune n’apprend pourquoi. Vous \
         pourrez lever le blocage.",
    );
    page.words = vec![words.to_owned()];
    page.button = lang.say("Block the pair", "Bloquer");
    page.danger = true;
    page
}

pub(in crate::http::console) async fn block_page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let case = case(&app, &inside, &id).await?;
    answer::page(&block_form(&case, &inside, None))
}

pub(in crate::http::console) async fn block(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let case = case(&app, &inside, &id).await?;
    let language = inside.person.language;
    let who = ParticipantId::parse(form.get("participant")).map_err(|_| No::NOTHING_HERE)?;
    let why = match reason(language, &form) {
        Ok(why) => why,
        Err(fault) => return answer::again(&block_form(&case, &inside, Some(fault))),
    };
    let input = (inside.id().clone(), case.session.id.clone(), who);
    let relay = inside.person.relay_since(&app, why).urgent();
    let blocked = relay.act(input, |tx, (account, id, who)| {
        Box::pin(async move { block_as_staff(tx, &account, &id, &who).await })
    });
    let came = blocked.await.map(|()| "blocked");
    ended(&inside, &case.path, came, |fault| block_form(&case, &inside, fault))
}

fn unblock_form(case: &Case, inside: &Inside, fault: Option<String>) -> ActPage {
    let mut page = case.page(inside, "unblock", fault);
    let lang = page.shell.lang;
    page.title = lang.say("Lift the block", "Lever le blocage");
    let words = lang.say(
        "The two can reach each other again, whoever set the block. If one of them set it by a text, ask them \
         first.",
        "Les deux personnes peuvent de nouveau se joindre, quel que soit l’auteur du blocage. Si l’une l’a posé par \
         SMS, demandez-lui d’abord.",
    );
    page.words = vec![words.to_owned()];
    page.button = lang.say("Lift the block", "Lever le blocage");
    page
}

pub(in crate::http::console) async fn unblock_page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let case = case(&app, &inside, &id).await?;
    answer::page(&unblock_form(&case, &inside, None))
}

pub(in crate::http::console) async fn unblock(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let case = case(&app, &inside, &id).await?;
    let language = inside.person.language;
    let why = match reason(language, &form) {
        Ok(why) => why,
        Err(fault) => return answer::again(&unblock_form(&case, &inside, Some(fault))),
    };
    let input = (inside.id().clone(), case.session.id.clone());
    let relay = inside.person.relay_since(&app, why);
    let lifted = relay.act(input, |tx, (account, id)| {
        Box::pin(async move { unblock_as_staff(tx, &account, &id).await })
    });
    let came = lifted.await.map(|there| if there { "unblocked" } else { "not_blocked" });
    ended(&inside, &case.path, came, |fault| unblock_form(&case, &inside, fault))
}
