//! Why each person of a session has the number that they have, and what the pool has for them now.

use askama::Template;
use axum::extract::{Path, State, rejection::PathRejection};

use super::{
    App,
    answer::{self, Answer, No, Shell},
    gate::Inside,
    timeline::{Cast, Party},
    when::When,
    words,
};
use crate::{
    domain::{pool::Rule, staff::Language},
    ids::SessionId,
    relay::{self, Explained},
    store::{numbers::NumberState, sessions},
};

/// How many numbers that somebody holds are listed.
const HELD: usize = 20;

#[derive(Template)]
#[template(path = "console/numbers_why.html")]
struct WhyPage {
    shell: Shell,
    session: String,
    name: String,
    at: Option<When>,
    people: Vec<Why>,
}

struct Why {
    party: Party,
    number: String,
    number_id: String,
    /// What speaks against it since.
    now: Option<&'static str>,
    by: &'static str,
    sticky: Option<&'static str>,
    rules: Vec<Fell>,
    held: Vec<Held>,
    more_held: bool,
    left: u64,
}

/// What one rule took away.
struct Fell {
    words: &'static str,
    out: u64,
    left: u64,
}

struct Held {
    number: String,
    session: String,
    link: String,
    until: Option<When>,
}

pub(super) async fn page(
    State(app): State<App>,
    inside: Inside,
    id: Result<Path<String>, PathRejection>,
) -> Answer {
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let id = SessionId::parse(&id).map_err(|_| No::NOTHING_HERE)?;
    let shell = inside.shell("sessions");
    let mut tx = app.relay.db().read().await?;
    let session = sessions::get(&mut tx, inside.id(), &id).await?.ok_or(No::NOTHING_HERE)?;
    let (now, explained) = relay::explain_numbers(&mut tx, inside.id(), &id).await?;
    drop(tx);
    let participants: Vec<_> = explained.iter().map(|one| one.participant.clone()).collect();
    let cast = Cast::new(shell.lang, &participants);
    let people = explained.iter().map(|one| why(one, &cast, &shell, &id)).collect();
    let fallback = shell.say("Session without a name", "Session sans nom").to_owned();
    answer::page(&WhyPage {
        session: shell.link(&format!("/console/sessions/{id}")),
        name: session.unique_name.unwrap_or(fallback),
        at: When::new(shell.lang, now),
        people,
        shell,
    })
}

fn why(one: &Explained, cast: &Cast<'_>, shell: &Shell, id: &SessionId) -> Why {
    let language = shell.lang;
    let mut rules = Vec::new();
    let mut before = one.steps.first().map_or(0, |first| first.left);
    for step in &one.steps {
        let out = before.saturating_sub(step.left);
        rules.push(Fell { words: words::rule(language, step.rule), out, left: step.left });
        before = step.left;
    }
    let open = one.held.iter().filter(|held| held.release_at.is_none()).count();
    let resting = one.held.len() - open;
    for (rule, out) in [(Rule::InUse, open), (Rule::Quarantine, resting)] {
        let out = u64::try_from(out).unwrap_or(u64::MAX);
        if one.steps.is_empty() || before == 0 {
            break;
        }
        before = before.saturating_sub(out);
        rules.push(Fell { words: words::rule(language, rule), out, left: before });
    }
    let held = one
        .held
        .iter()
        .take(HELD)
        .map(|held| Held {
            number: held.number.to_string(),
            session: if held.session == *id {
                language.say("this session", "cette session").to_owned()
            } else {
                super::sessions::short(held.session.as_str())
            },
            link: shell.link(&format!("/console/sessions/{}", held.session)),
            until: held.release_at.and_then(|at| When::new(language, at)),
        })
        .collect();
    let sticky = one.sticky.as_ref().map(|sticky| {
        if *sticky == one.participant.number_id {
            language.say(
                "It is also the one that this person would have with the same people again.",
                "C’est aussi celui que cette personne aurait de nouveau avec les mêmes personnes.",
            )
        } else {
            language.say(
                "With the same people this person would have another one, by habit.",
                "Avec les mêmes personnes, cette personne en aurait un autre, par habitude.",
            )
        }
    });
    Why {
        now: state(language, one),
        party: cast.person(one.participant.person.as_str()).unwrap_or_else(|| Party {
            role: one.participant.role.clone(),
            masked: String::new(),
            side: "none",
        }),
        number: one.participant.number.to_string(),
        number_id: one.participant.number_id.to_string(),
        by: words::chosen_by(language, one.by),
        sticky,
        rules,
        more_held: one.more_held || one.held.len() > HELD,
        held,
        left: before,
    }
}

/// What became of a number since it was chosen, where it would not be chosen now.
fn state(language: Language, one: &Explained) -> Option<&'static str> {
    let gone = ["It is not there any more.", "Il n’existe plus."];
    let Some(number) = &one.number else { return Some(words::say(language, gone)) };
    let words = match number.state {
        NumberState::Retired => ["It was retired since.", "Il a été retiré depuis."],
        NumberState::Draining => [
            "It is being drained: nobody new gets it.",
            "Il est en cours de vidage : personne d’autre ne le reçoit.",
        ],
        NumberState::Active if number.reserved => [
            "It is reserved: it is given only when named.",
            "Il est réservé : il n’est donné que sur demande.",
        ],
        NumberState::Active => return None,
    };
    Some(words::say(language, words))
}
