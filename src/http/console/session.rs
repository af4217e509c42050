//! One session: what it is, who is in it and what happened.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State, rejection::PathRejection};

use super::{
    App,
    acts::{self, offers},
    answer::{self, Answer, No, Shell},
    filters::{Filters, PLACE, Query},
    gate::Inside,
    notes::{self, Desk},
    timeline::{self, Cast, Count, Entry, Party, What},
    touched::{self, Touch},
    trail::Trails,
    when::{self, When},
    words::{self, Chip, Pair, Tone, Why},
};
use crate::{
    domain::{staff::Language, time::Timestamp},
    ids::{AccountId, EventId, InteractionId, LegId, SessionId, SessionNoteId},
    store::{
        Tx,
        events::{self, Event, Window},
        interactions::{self, Filter, Interaction},
        legs::{self, Leg},
        participants::{self, Participant},
        services,
        sessions::{self, Page, Session},
    },
};

/// How many calls and texts a page tells.
const PAGE: usize = 50;
/// How many events a page tells.
const EVENTS: i64 = 1000;

#[derive(Template)]
#[template(path = "console/session.html")]
struct SessionPage {
    shell: Shell,
    id: String,
    name: Option<String>,
    state: Chip,
    summary: String,
    facts: Vec<Fact>,
    people: Vec<Member>,
    counts: Vec<Count>,
    touched: Vec<Touch>,
    desk: Desk,
    numbers: String,
    problem: Option<Problem>,
    entries: Vec<Entry>,
    earlier: Option<String>,
    latest: Option<String>,
    notes: Vec<String>,
    offers: offers::Offers,
    notice: Option<&'static str>,
}

struct Fact {
    label: &'static str,
    at: Option<When>,
    words: String,
}

struct Member {
    role: String,
    side: &'static str,
    masked: String,
    number: String,
    joined: Option<When>,
    left: Option<When>,
}

/// The latest call or text that did not get through.
struct Problem {
    id: String,
    at: Option<When>,
    kind: &'static str,
    from: Party,
    to: Vec<Party>,
    chip: Chip,
    why: Why,
}

/// The calls and texts of one page, oldest first, and what is needed to tell them.
struct Chapter {
    interactions: Vec<Interaction>,
    legs: HashMap<InteractionId, Vec<Leg>>,
    events: Vec<Event>,
    trails: Trails,
    more: bool,
}

pub(super) async fn page(
    State(app): State<App>,
    inside: Inside,
    id: Result<Path<String>, PathRejection>,
    query: Query,
) -> Answer {
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let id = SessionId::parse(&id).map_err(|_| No::NOTHING_HERE)?;
    let shell = inside.shell("sessions");
    let account = inside.id();
    let language = shell.lang;
    let notice = query.get("done").and_then(|what| acts::notice(language, what));
    let mut filters = Filters::new(language, query);
    let before = filters.take("before", PLACE, |id| InteractionId::parse(id).ok());
    let at = filters.take("at", PLACE, |id| InteractionId::parse(id).ok());
    let notes_before = filters.take("notes", PLACE, |id| SessionNoteId::parse(id).ok());
    let done = notes::done(language, filters.fault());
    // The page that ends with `at`: every id with more behind it comes after it.
    let before = before.map(|id| id.to_string()).or_else(|| at.map(|id| format!("{id}g")));
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    let session = sessions::get(&mut tx, account, &id).await?.ok_or(No::NOTHING_HERE)?;
    let people = participants::of_session(&mut tx, account, &id).await?;
    let service = services::get(&mut tx, account, &session.service).await?;
    let only = std::slice::from_ref(&id);
    let tallies = interactions::newest_tallies(&mut tx, account, only, timeline::COUNTED).await?;
    let known = touched::read(&mut tx, account, &session, &people).await?;
    let rules = service.as_ref().map(|one| &one.rules);
    let asked = notes::Asked { session: &session, rules, before: notes_before, fault: done };
    let desk = notes::read(&mut tx, account, &shell, asked).await?;
    let chapter = chapter(&mut tx, account, &id, before.as_deref()).await?;
    let offers = offers::offers(&mut tx, &inside, &session, &people, now).await?;
    drop(tx);
    let path = format!("/console/sessions/{id}");
    let first = chapter.interactions.first().filter(|_| chapter.more);
    let earlier = first.map(|one| shell.link_with(&path, &[("before", one.id.as_str())]));
    let latest = before.is_some().then(|| shell.link(&path));
    let cast = Cast::new(language, &people).among(app.relay.carriers());
    let Chapter { interactions, legs, events, trails, .. } = chapter;
    let entries = timeline::tell(interactions, legs, events, &trails, &cast);
    let problem = if before.is_none() { problem(&entries) } else { None };
    let service = service.map(|one| one.unique_name).unwrap_or_default();
    answer::page(&SessionPage {
        state: words::session_state(language, &session, now),
        summary: summary(language, &session, &cast, &service),
        facts: facts(language, &session),
        people: members(language, &people, &cast),
        counts: timeline::counts(language, tallies.iter()),
        desk,
        numbers: shell.link(&format!("{path}/numbers")),
        touched: touched::tell(known, &people, &cast),
        id: id.to_string(),
        name: session.unique_name,
        problem,
        entries,
        earlier,
        latest,
        notes: filters.notes,
        offers,
        notice,
        shell,
    })
}

async fn chapter(
    tx: &mut Tx,
    account: &AccountId,
    session: &SessionId,
    before: Option<&str>,
) -> Answer<Chapter> {
    let filter = Filter { session: Some(session.clone()), ..Filter::default() };
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let page = Page { before: before.map(str::to_owned), after: None, limit };
    let mut found = interactions::list(tx, account, &filter, &page).await?;
    let more = found.len() > PAGE;
    // What changed between two pages is told on the later one.
    let from = found.get(PAGE).map_or(Timestamp::EPOCH, |one| one.created_at);
    found.truncate(PAGE);
    found.reverse();
    let ids: Vec<InteractionId> = found.iter().map(|one| one.id.clone()).collect();
    let mut by_interaction: HashMap<InteractionId, Vec<Leg>> = HashMap::new();
    let legs = legs::of_interactions(tx, account, &ids).await?;
    let leg_ids: Vec<LegId> = legs.iter().map(|leg| leg.id.clone()).collect();
    for leg in legs {
        by_interaction.entry(leg.interaction.clone()).or_default().push(leg);
    }
    let until = match before {
        Some(_) => found.last().map_or(Timestamp::EPOCH, |one| one.created_at),
        None => Timestamp::MAX,
    };
    let window = Window { interactions: &ids, from, before: until };
    let events = events::of_session(tx, account, session, &window, EVENTS).await?;
    let told: Vec<EventId> = events.iter().map(|event| event.id.clone()).collect();
    let trails = Trails::read(tx, account, &ids, &leg_ids, &told).await?;
    Ok(Chapter { interactions: found, legs: by_interaction, events, trails, more })
}

/// `A contact of buyer and seller by calls and texts, in the service “rides”.`
fn summary(language: Language, session: &Session, cast: &Cast<'_>, service: &str) -> String {
    let who = match cast.roles() {
        [] => language.say("nobody yet", "personne pour l’instant").to_owned(),
        [one] => format!("{one} {}", language.say("alone", "sans personne en face")),
        [some @ .., last] => {
            format!("{} {} {last}", some.join(", "), language.say("and", "et"))
        }
    };
    let how = words::mode(language, session.mode);
    match language {
        Language::English => format!("A contact of {who} by {how}, in the service “{service}”."),
        // A role may begin with a vowel: nothing before it that would be elided.
        Language::French => {
            format!("Mise en relation : {who}, par {how}, dans le service « {service} ».")
        }
    }
}

fn facts(language: Language, session: &Session) -> Vec<Fact> {
    let fact = |label: Pair, at: Option<Timestamp>, words: String| Fact {
        label: words::say(language, label),
        at: at.and_then(|at| When::new(language, at)),
        words,
    };
    let length = |length| when::length(language, length);
    let first = ["First contact", "Premier contact"];
    let ends = ["Ends", "Fin"];
    let mut facts = vec![
        fact(["Opened", "Ouverte"], Some(session.created_at), String::new()),
        match session.started_at {
            Some(at) => {
                let after = language.say("after it was opened", "après l’ouverture");
                fact(first, Some(at), format!("{} {after}", length(at.since(session.created_at))))
            }
            None => fact(first, None, language.say("none yet", "aucun pour l’instant").to_owned()),
        },
    ];
    if let Some(at) = session.last_interaction_at {
        facts.push(fact(["Last contact", "Dernier contact"], Some(at), String::new()));
    }
    facts.push(match (session.ended_at, session.closed_reason) {
        (Some(at), reason) => {
            let why = reason.map(|reason| words::closed(language, reason)).unwrap_or_default();
            fact(["Closed", "Fermée"], Some(at), why.to_owned())
        }
        (None, _) if When::new(language, session.expires_at).is_none() => {
            fact(ends, None, language.say("never by itself", "jamais d’elle-même").to_owned())
        }
        (None, _) => {
            let sliding = session.lifetime.date_expiry != Some(session.expires_at);
            let words = if sliding {
                let after = language.say("after the last contact", "après le dernier contact");
                format!("{} {after}", length(session.lifetime.ttl))
            } else {
                language.say("at a fixed time", "à date fixe").to_owned()
            };
            fact(ends, Some(session.expires_at), words)
        }
    });
    facts
}

fn members(language: Language, people: &[Participant], cast: &Cast<'_>) -> Vec<Member> {
    people
        .iter()
        .map(|one| Member {
            role: one.role.clone(),
            side: cast.side(&one.role),
            masked: one.masked(),
            number: one.number.to_string(),
            joined: When::new(language, one.created_at),
            left: one.removed_at.and_then(|at| When::new(language, at)),
        })
        .collect()
}

fn problem(entries: &[Entry]) -> Option<Problem> {
    entries.iter().rev().find_map(|entry| {
        let What::Contact(one) = &entry.what else { return None };
        let why = one.why.filter(|_| matches!(one.chip.tone, Tone::Bad | Tone::Missed))?;
        Some(Problem {
            id: one.id.clone(),
            at: one.at.clone(),
            kind: one.kind,
            from: one.from.clone(),
            to: one.to.clone(),
            chip: one.chip,
            why,
        })
    })
}
