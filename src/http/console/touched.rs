//! What touched a session besides its calls and texts: blocks, opt-outs, verified numbers, reports.

use super::{
    answer::Answer,
    timeline::{Cast, Party},
    when::When,
    words,
};
use crate::{
    domain::{opt_out::Scope, time::Timestamp},
    ids::AccountId,
    store::{
        Tx, opt_outs,
        participants::Participant,
        reports::{self, Report},
        sessions::{Page, Session},
        trails::{self, Block},
        verified_people,
    },
};

/// How many of one sort are told.
const MOST: i64 = 20;
/// Of how many people of a session it is told.
const PEOPLE: usize = 20;

/// One such thing.
#[derive(Debug)]
pub(super) struct Touch {
    pub(super) at: Option<When>,
    pub(super) party: Option<Party>,
    pub(super) what: &'static str,
    pub(super) words: String,
}

/// What the store knows of it.
#[derive(Debug)]
pub(super) struct Known {
    blocks: Vec<Block>,
    opt_outs: Vec<opt_outs::Stored>,
    /// When somebody did, by their keyed hash.
    verified: Vec<(String, Timestamp)>,
    reports: Vec<Report>,
}

/// Reads it, bounded.
pub(super) async fn read(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
    people: &[Participant],
) -> Answer<Known> {
    let people: Vec<&Participant> = people.iter().filter(|one| !one.erased).take(PEOPLE).collect();
    let persons: Vec<_> = people.iter().map(|one| one.person.clone()).collect();
    let blocks = trails::blocks(tx, account, &persons).await?;
    let (mut outs, mut verified) = (Vec::new(), Vec::new());
    for one in &people {
        let theirs = opt_outs::of_person(tx, account, &one.person, MOST).await?;
        outs.extend(theirs.into_iter().filter(|out| match out.scope {
            Scope::Number => out.value == one.number_id.as_str(),
            Scope::Service => out.value == session.service.as_str(),
            Scope::Account => true,
        }));
        let at = verified_people::verified_at(tx, account, &one.person).await?;
        verified.extend(at.map(|at| (one.person.to_string(), at)));
    }
    let filter =
        reports::Filter { session: Some(session.id.clone()), ..reports::Filter::default() };
    let page = Page { before: None, after: None, limit: MOST };
    let reports = reports::list(tx, account, &filter, &page).await?;
    Ok(Known { blocks, opt_outs: outs, verified, reports })
}

/// Tells it, oldest first.
pub(super) fn tell(known: Known, people: &[Participant], cast: &Cast<'_>) -> Vec<Touch> {
    let language = cast.language();
    let say = |english, french| language.say(english, french);
    let mut all: Vec<(Timestamp, Option<Party>, &'static str, String)> = Vec::new();
    for one in known.blocks {
        let other = cast.person(one.blocked.as_str()).map(|party| party.role).unwrap_or_default();
        let words = format!(
            "{} {other}, {}",
            say("wants nothing from", "ne veut rien de"),
            words::blocked_by(language, one.by)
        );
        all.push((one.at, cast.person(one.blocker.as_str()), say("Block", "Blocage"), words));
    }
    for one in known.opt_outs {
        let words = format!(
            "{} {}{}{}",
            say("wants no texts", "ne veut pas de SMS"),
            words::reach(language, one.scope),
            say(": ", " : "),
            words::opted_out(language, one.source)
        );
        all.push((
            one.created_at,
            cast.person(one.person.as_str()),
            say("Opt-out", "Refus de SMS"),
            words,
        ));
    }
    for (person, at) in known.verified {
        let words = say("showed that the number is theirs", "a prouvé que ce numéro est le sien");
        let what = say("Verification", "Vérification");
        all.push((at, cast.person(&person), what, words.to_owned()));
    }
    for one in known.reports {
        let reporter = people.iter().find(|other| other.id == one.reporter);
        let party = reporter.and_then(|other| cast.person(other.person.as_str()));
        let reported = words::category(language, one.category);
        let decided = match one.decision {
            Some(decision) => words::decision(language, decision),
            None => say("not decided yet", "pas encore tranché"),
        };
        let words = format!("{reported} ({decided})");
        all.push((one.created_at, party, say("Report", "Signalement"), words));
    }
    all.sort_by_key(|(at, ..)| *at);
    all.into_iter()
        .map(|(at, party, what, words)| Touch { at: When::new(language, at), party, what, words })
        .collect()
}
