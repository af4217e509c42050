//! What is done to one person: they get another number to dial, or texts again.

use axum::extract::{Path, State};

use super::{ActPage, Field, Kind, done, fault, reason, words};
use crate::{
    domain::{message::Body, number_move::Why, redact::masked, report::NOTE_CHARS},
    http::console::{
        App,
        answer::{self, Answer, No, Other},
        door::{self, Form},
        filters::{Choice, Query},
        gate::Inside,
        when::When,
    },
    ids::{OptOutId, ParticipantId},
    relay::{Swapped, clear_opt_out},
    store::{
        opt_outs::{self, Stored},
        participants::{self, Participant},
        sessions,
    },
};

/// Somebody in a session that is not deleted, who was not erased.
pub(super) async fn participant(app: &App, inside: &Inside, id: &str) -> Answer<Participant> {
    let id = ParticipantId::parse(id).map_err(|_| No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    let one = participants::get(&mut tx, inside.id(), &id).await?.filter(|one| !one.erased);
    let one = one.ok_or(No::NOTHING_HERE)?;
    sessions::get(&mut tx, inside.id(), &one.session).await?.ok_or(No::NOTHING_HERE)?;
    Ok(one)
}

/// A page about somebody in a session.
pub(super) fn about(one: &Participant, inside: &Inside, what: &str) -> ActPage {
    let shell = inside.shell("sessions");
    let name = shell.say("The session", "La session").to_owned();
    ActPage {
        title: "",
        back: (shell.link(&format!("/console/sessions/{}", one.session)), name),
        words: vec![format!("{} {}", one.role, one.masked())],
        counts: Vec::new(),
        fault: None,
        fields: Vec::new(),
        to: shell.link(&format!("/console/people/{}/{what}", one.id)),
        button: "",
        danger: false,
        shell,
    }
}

fn swap_form(one: &Participant, inside: &Inside, fault: Option<String>) -> ActPage {
    let page = about(one, inside, "swap");
    let lang = page.shell.lang;
    let why = Field::new(
        "why",
        lang.say("What is wrong with the number", "Ce qui ne va pas avec le numéro"),
        Kind::One(words::whys(lang)),
    );
    let told = [
        ("", lang.say("as the service says", "selon le service")),
        ("yes", lang.say("yes, by a text", "oui, par SMS")),
        ("no", lang.say("no", "non")),
    ];
    let told = told.map(|(value, label)| Choice::new(value, label)).into();
    let label = lang.say("Tell them", "Prévenir la personne");
    let tell = Field::new("tell", label, Kind::One(told));
    let mut said = page.words;
    said.push(format!("{} {}.", lang.say("They dial and see", "Compose et voit le"), one.number));
    said.push(
        lang.say(
            "They get another number of the pool for this session. Both numbers mean the session until it ends; the \
             number that they leave stays in the pool for others.",
            "Cette personne reçoit un autre numéro pour cette session. Les deux numéros y mènent jusqu’à sa fin ; le \
             numéro quitté reste disponible pour d’autres.",
        )
        .to_owned(),
    );
    ActPage {
        title: lang.say("Swap the proxy number", "Changer le numéro relais"),
        words: said,
        fault,
        fields: vec![why, tell, Field::reason(lang)],
        button: lang.say("Swap", "Changer"),
        ..page
    }
}

pub(in crate::http::console) async fn swap_page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let one = participant(&app, &inside, &id).await?;
    answer::page(&swap_form(&one, &inside, None))
}

pub(in crate::http::console) async fn swap(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let one = participant(&app, &inside, &id).await?;
    let language = inside.person.language;
    let why = Why::parse(form.get("why")).ok_or(No::NOTHING_HERE)?;
    let tell = match form.get("tell") {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let typed = match reason(language, &form) {
        Ok(typed) => typed,
        Err(fault) => return answer::again(&swap_form(&one, &inside, Some(fault))),
    };
    let relay = inside.person.relay_since(&app, typed);
    let left = match relay.swap_number(inside.id(), &one.id, why, tell).await {
        Ok(Swapped::To(_)) => {
            return Err(done(&inside, &format!("/console/sessions/{}", one.session), "swapped"));
        }
        Ok(Swapped::Not(_)) => language
            .say(
                "The pool has no other number for them in this session: nothing was changed.",
                "Aucun autre numéro n’est disponible pour cette personne : rien n’a été changé.",
            )
            .to_owned(),
        Err(error) => fault(language, error)?,
    };
    answer::again(&swap_form(&one, &inside, Some(left)))
}

async fn opt_out(app: &App, inside: &Inside, id: &str) -> Answer<Stored> {
    let id = OptOutId::parse(id).map_err(|_| No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    Ok(opt_outs::get(&mut tx, inside.id(), &id).await?.ok_or(No::NOTHING_HERE)?)
}

fn clear_form(one: &Stored, inside: &Inside, back: &str, fault: Option<String>) -> ActPage {
    let shell = inside.shell("sessions");
    let lang = shell.lang;
    let since = When::new(lang, one.created_at).map(|at| at.day).unwrap_or_default();
    let proof = Field::new(
        "proof",
        lang.say(
            "What shows that they want texts again",
            "Ce qui montre que la personne veut de nouveau des SMS",
        ),
        Kind::Words(NOTE_CHARS),
    )
    .hint(lang.say(
        "It is kept, sealed, for five years. Who said so, when, and where.",
        "Conservé sous scellé pendant cinq ans. Qui l’a dit, quand et où.",
    ));
    ActPage {
        title: lang.say("Clear an opt-out", "Lever un refus de SMS"),
        back: (back.to_owned(), lang.say("Back", "Retour").to_owned()),
        words: vec![
            format!(
                "{} · {} · {}, {since}",
                masked(None, one.person.tag()),
                words::reach(lang, one.scope),
                words::source(lang, one.source),
            ),
            lang.say(
                "Only where they said so themselves. A carrier that keeps a list of its own goes on refusing until \
                 they write START.",
                "Uniquement si la personne l’a dit elle-même. Un opérateur qui tient sa propre liste continue de \
                 refuser jusqu’à ce qu’elle écrive START.",
            )
            .to_owned(),
        ],
        counts: Vec::new(),
        fault,
        fields: vec![
            proof,
            Field::reason(lang),
            Field::new("next", "", Kind::Hidden).value(back),
        ],
        to: shell.link(&format!("/console/opt-outs/{}/clear", one.id)),
        button: lang.say("Clear the opt-out", "Lever le refus"),
        danger: false,
        shell,
    }
}

/// Where somebody came from who clears an opt-out.
fn back(inside: &Inside, next: Option<&str>) -> String {
    door::next(next, &inside.shell("").link("/console/sessions")).to_owned()
}

pub(in crate::http::console) async fn clear_page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    let one = opt_out(&app, &inside, &id).await?;
    answer::page(&clear_form(&one, &inside, &back(&inside, query.get("next")), None))
}

pub(in crate::http::console) async fn clear(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let one = opt_out(&app, &inside, &id).await?;
    let language = inside.person.language;
    let back = back(&inside, Some(form.get("next")));
    let proof = Body::new(form.get("proof").to_owned());
    let read = reason(language, &form).and_then(|typed| {
        let words = language.say(
            "Say what shows that they want texts again, in 2,000 characters at most.",
            "Indiquez ce qui montre que la personne veut de nouveau des SMS, en 2 000 caractères au plus.",
        );
        let ok = (1..=NOTE_CHARS).contains(&proof.chars());
        if ok { Ok(typed) } else { Err(words.to_owned()) }
    });
    let typed = match read {
        Ok(typed) => typed,
        Err(fault) => return answer::again(&clear_form(&one, &inside, &back, Some(fault))),
    };
    let input = (inside.id().clone(), one.id.clone(), proof);
    let relay = inside.person.relay_since(&app, typed);
    let cleared = relay.act(input, |tx, (account, id, proof)| {
        Box::pin(async move { clear_opt_out(tx, &account, &id, &proof).await })
    });
    match cleared.await {
        Ok(()) => {
            let sign = if back.contains('?') { '&' } else { '?' };
            Err(Other::To(format!("{back}{sign}done=cleared")))
        }
        Err(error) => {
            answer::again(&clear_form(&one, &inside, &back, Some(fault(language, error)?)))
        }
    }
}
