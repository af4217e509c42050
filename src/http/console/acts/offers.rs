//! What somebody may do to a session and its people, as its page offers it.

use super::words;
use crate::{
    domain::{
        redact::masked,
        session::State,
        staff::{Language, Permission as P},
        time::Timestamp,
    },
    http::console::{
        answer::{Answer, Shell},
        gate::Inside,
        when::When,
    },
    store::{
        Tx,
        blocks::{self, Concerning},
        opt_outs::{self, Stored},
        participants::Participant,
        sessions::Session,
    },
};

/// How many opt-outs and blocks of one person are shown.
pub(in crate::http::console) const SHOWN: i64 = 20;

/// A way to something: address and words.
#[derive(Debug)]
pub(in crate::http::console) struct Way {
    pub(in crate::http::console) link: String,
    pub(in crate::http::console) label: &'static str,
}

/// What is offered on a session's page.
#[derive(Debug)]
pub(in crate::http::console) struct Offers {
    pub(in crate::http::console) ways: Vec<Way>,
    pub(in crate::http::console) people: Vec<Person>,
    /// Whether something may not pass between the two.
    pub(in crate::http::console) blocked: bool,
}

/// What is offered about one of its people.
#[derive(Debug)]
pub(in crate::http::console) struct Person {
    pub(in crate::http::console) role: String,
    pub(in crate::http::console) masked: String,
    pub(in crate::http::console) ways: Vec<Way>,
    pub(in crate::http::console) opt_outs: Vec<OptOut>,
}

/// An opt-out that concerns somebody.
#[derive(Debug)]
pub(in crate::http::console) struct OptOut {
    pub(in crate::http::console) reach: &'static str,
    pub(in crate::http::console) source: &'static str,
    pub(in crate::http::console) since: Option<When>,
    /// Where it is cleared, for whoever may.
    pub(in crate::http::console) clear: Option<String>,
}

/// A block that concerns somebody.
#[derive(Debug)]
pub(in crate::http::console) struct Block {
    /// Whoever is on its other side.
    pub(in crate::http::console) masked: String,
    pub(in crate::http::console) theirs: bool,
    pub(in crate::http::console) by: &'static str,
    pub(in crate::http::console) since: Option<When>,
}

impl Block {
    pub(in crate::http::console) fn new(language: Language, one: &Concerning) -> Self {
        Self {
            masked: masked(None, one.other.tag()),
            theirs: one.theirs,
            by: words::blocked_by(language, one.by),
            since: When::new(language, one.created_at),
        }
    }
}

/// Opt-outs, with the way to clear each; `back` leads back to the page.
pub(in crate::http::console) fn opt_outs(shell: &Shell, all: &[Stored], back: &str) -> Vec<OptOut> {
    let row = |one: &Stored| OptOut {
        reach: words::reach(shell.lang, one.scope),
        source: words::source(shell.lang, one.source),
        since: When::new(shell.lang, one.created_at),
        clear: shell.may(P::Act).then(|| {
            let path = format!("/console/opt-outs/{}/clear", one.id);
            shell.link_with(&path, &[("next", back)])
        }),
    };
    all.iter().map(row).collect()
}

/// What is offered on the page of a session.
pub(in crate::http::console) async fn offers(
    tx: &mut Tx,
    inside: &Inside,
    session: &Session,
    people: &[Participant],
    now: Timestamp,
) -> Answer<Offers> {
    let shell = inside.shell("sessions");
    let path = format!("/console/sessions/{}", session.id);
    let back = shell.link(&path);
    let among: Vec<_> = people.iter().map(|one| one.person.clone()).collect();
    let mut blocked = false;
    for one in people {
        blocked |= !blocks::apart(tx, inside.id(), &one.person, &among).await?.is_empty();
    }
    let open = session.state != State::Closed;
    let way = |what: &str, english, french| Way {
        link: shell.link(&format!("{path}/{what}")),
        label: shell.say(english, french),
    };
    let mut ways = Vec::new();
    if shell.may(P::ReadTexts) {
        ways.push(way("texts", "Read the texts", "Lire les SMS"));
    }
    if shell.may(P::Act) {
        if blocked {
            ways.push(way("unblock", "Lift the block", "Lever le blocage"));
        } else if people.len() > 1 {
            ways.push(way("block", "Block the pair", "Bloquer les deux"));
        }
        if session.is_live(now) && session.expires_at != Timestamp::MAX {
            ways.push(way("extend", "Extend", "Prolonger"));
        }
        if open {
            ways.push(way("close", "Close", "Fermer"));
        }
    }
    let mut shown = Vec::new();
    for one in people.iter().filter(|one| !one.erased) {
        let stopped = opt_outs::of_person(tx, inside.id(), &one.person, SHOWN).await?;
        shown.push(Person {
            role: one.role.clone(),
            masked: one.masked(),
            ways: about(&shell, one, session.is_live(now)),
            opt_outs: self::opt_outs(&shell, &stopped, &back),
        });
    }
    Ok(Offers { ways, people: shown, blocked })
}

fn about(shell: &Shell, one: &Participant, live: bool) -> Vec<Way> {
    let path = format!("/console/people/{}", one.id);
    let mut ways = vec![Way {
        link: shell.link(&path),
        label: shell.say("All sessions", "Toutes les sessions"),
    }];
    let mut add = |what: &str, label| {
        ways.push(Way { link: shell.link(&format!("{path}/{what}")), label });
    };
    if shell.may(P::Reveal) {
        add("reveal", shell.say("Reveal the number", "Révéler le numéro"));
    }
    if shell.may(P::Act) && live && one.removed_at.is_none() {
        add("swap", shell.say("Swap the proxy number", "Changer le numéro relais"));
    }
    if shell.may(P::Erase) {
        add("erase", shell.say("Erase the person", "Effacer la personne"));
    }
    ways
}
