//! One report or flagged text: what it is about, who has it, what was done; and the forms that do it.

use askama::Template;
use axum::extract::{Path, State};
use http::StatusCode;

use super::{
    App,
    answer::{self, Answer, No, Other, Shell},
    door::Form,
    filters::{Choice, Query},
    gate::Inside,
    moderation::{kind, subject},
    moderation_history::{self, Step},
    sessions::{service_choices, service_name, short},
    timeline::{Cast, Party},
    when::{self, When},
    words::{self, Chip},
};
use crate::{
    domain::{
        audit::{REASON_CHARS, Reason},
        moderation::ItemKind,
        report::{self, Decision},
        staff::Permission,
    },
    ids::{InteractionId, StaffId},
    relay::{self, Ruling, assign_item, decide_item, moderators, untellable},
    store::{
        Tx, interactions,
        moderation::{self, About, Item, ItemId},
        participants::{self, Participant},
        sessions, staff,
    },
};

/// Among how many of the staff colleagues are looked for.
const STAFF: i64 = 200;

#[derive(Template)]
#[template(path = "console/moderation_item.html")]
struct ItemPage {
    shell: Shell,
    id: String,
    version: i64,
    kind: &'static str,
    subject: String,
    state: Chip,
    notice: Option<&'static str>,
    fault: Option<&'static str>,
    facts: Vec<Fact>,
    came: Option<When>,
    age: String,
    session: (String, String),
    /// Whether the session is there no more, and what hangs on it.
    gone: bool,
    from: Option<Party>,
    named: Vec<Named>,
    open: bool,
    is_report: bool,
    assignee: Option<String>,
    mine: bool,
    colleagues: Vec<Choice>,
    decisions: Vec<Choice>,
    chosen: String,
    longest: usize,
    /// Why whoever reported can't be told, of an open report.
    untold: Option<&'static str>,
    /// Where its words are read, for whoever may.
    words: Option<String>,
    assign: String,
    decide: String,
    history: Vec<Step>,
}

/// A call or text that a report names, or the flagged text.
struct Named {
    link: String,
    kind: &'static str,
    at: Option<When>,
    from: Party,
}

/// What went wrong with a form, and what was chosen in it.
#[derive(Default)]
struct Again<'a> {
    fault: Option<&'static str>,
    chosen: &'a str,
}

fn item(id: &str) -> Answer<ItemId> {
    Ok(ItemId::parse(id).ok_or(No::NOTHING_HERE)?)
}

fn path(id: &ItemId) -> String {
    format!("/console/moderation/{}", id.as_str())
}

/// Back to the item, with a word on what was done or what kept it.
fn back(inside: &Inside, id: &ItemId, (name, what): (&str, &str)) -> Other {
    Other::To(inside.shell("").link_with(&path(id), &[(name, what)]))
}

pub(super) async fn page(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    let id = item(&id)?;
    let language = inside.person.language;
    let fault = query.get("fault").and_then(|what| words::unmoderated(language, what));
    let notice = query.get("done").and_then(|what| words::moderated(language, what));
    show(&app, &inside, &id, notice, Again { fault, chosen: "" }).await
}

async fn show(
    app: &App,
    inside: &Inside,
    id: &ItemId,
    notice: Option<&'static str>,
    again: Again<'_>,
) -> Answer {
    let mut tx = app.relay.db().read().await?;
    let found = moderation::get(&mut tx, inside.id(), id).await?.ok_or(No::NOTHING_HERE)?;
    let made = make(&mut tx, inside, &found, notice, again).await?;
    drop(tx);
    answer::page(&made)
}

async fn make(
    tx: &mut Tx,
    inside: &Inside,
    found: &Item,
    notice: Option<&'static str>,
    again: Again<'_>,
) -> Answer<ItemPage> {
    let (shell, account) = (inside.shell("moderation"), inside.id());
    let language = shell.lang;
    let now = tx.now().await?;
    let open = found.state == report::State::Open;
    let session = sessions::get(tx, account, &found.session).await?;
    let people = participants::of_session(tx, account, &found.session).await?;
    let cast = Cast::new(language, &people);
    let named = named(tx, inside, found, &cast).await?;
    let own = &inside.person.visitor.staff.id;
    let mut colleagues = Vec::new();
    if open {
        let all = moderators(tx, account, STAFF).await?;
        let others = all
            .into_iter()
            .filter(|one| one.id != *own && found.assignee.as_ref() != Some(&one.id));
        colleagues.extend(others.map(|one| Choice::new(one.id.as_str(), one.name)));
    }
    let assignee = match &found.assignee {
        Some(id) => {
            staff::get(tx, id).await?.map(|one| one.name).or_else(|| Some(short(id.as_str())))
        }
        None => None,
    };
    let (facts, untold) = facts(tx, inside, found).await?;
    let from = reported_by(found, &people, &cast);
    let may_read = inside.may(Permission::ReadTexts) && session.is_some();
    let gone = session.is_none();
    let decision = |one: &&Decision| !gone || **one != Decision::Blocked;
    let choice = |one: &Decision| Choice::new(one.as_str(), words::ruling(language, *one));
    let path = path(&found.id);
    Ok(ItemPage {
        id: found.id.as_str().to_owned(),
        version: found.version,
        kind: words::item_kind(language, kind(&found.about)),
        subject: subject(language, &found.about),
        state: words::item_state(language, found.state),
        notice,
        fault: again.fault,
        facts,
        came: When::new(language, found.created_at),
        age: when::length(language, found.resolved_at.unwrap_or(now).since(found.created_at)),
        session: (
            shell.link(&format!("/console/sessions/{}", found.session)),
            session
                .and_then(|session| session.unique_name)
                .unwrap_or_else(|| short(found.session.as_str())),
        ),
        gone,
        from,
        named,
        open,
        is_report: kind(&found.about) == ItemKind::Report,
        mine: found.assignee.as_ref() == Some(own),
        assignee,
        colleagues,
        decisions: Decision::ALL.iter().filter(decision).map(choice).collect(),
        chosen: again.chosen.to_owned(),
        longest: REASON_CHARS,
        untold,
        words: may_read.then(|| shell.link(&format!("{path}/words"))),
        assign: shell.link(&format!("{path}/assign")),
        decide: shell.link(&format!("{path}/decide")),
        history: moderation_history::of(tx, account, language, &found.id).await?,
        shell,
    })
}

/// The calls and texts that a report names, or the flagged text.
async fn named(tx: &mut Tx, inside: &Inside, found: &Item, cast: &Cast<'_>) -> Answer<Vec<Named>> {
    let (shell, account) = (inside.shell("moderation"), inside.id());
    let ids: Vec<InteractionId> = match (&found.id, &found.about) {
        (ItemId::Text(id), _) => vec![id.clone()],
        (ItemId::Report(_), About::Report { interactions, .. }) => interactions.clone(),
        (ItemId::Report(_), About::Text { .. }) => Vec::new(),
    };
    let mut named = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(one) = interactions::get(tx, account, &id).await? {
            let session = format!("/console/sessions/{}", found.session);
            let at = shell.link_with(&session, &[("at", id.as_str())]);
            named.push(Named {
                link: format!("{at}#{id}"),
                kind: words::kind(shell.lang, one.kind),
                at: When::new(shell.lang, one.created_at),
                from: cast.from(&one),
            });
        }
    }
    Ok(named)
}

/// Who reported, of a report.
fn reported_by(found: &Item, people: &[Participant], cast: &Cast<'_>) -> Option<Party> {
    let About::Report { reporter, role, .. } = &found.about else { return None };
    let who = people.iter().find(|one| one.id == *reporter);
    let known = who.and_then(|one| cast.person(one.person.as_str()));
    known.or_else(|| Some(Party { role: role.clone(), masked: String::new(), side: "none" }))
}

/// What else is told of it; and of an open report why whoever made it can't be told, if so.
async fn facts(
    tx: &mut Tx,
    inside: &Inside,
    found: &Item,
) -> Answer<(Vec<Fact>, Option<&'static str>)> {
    let (language, account) = (inside.person.language, inside.id());
    let (mut facts, mut untold): (Vec<Fact>, _) = (Vec::new(), None);
    if let About::Report { source, reporter, notice, .. } = &found.about {
        let how = words::reported_by(language, *source).to_owned();
        facts.push((language.say("How it was made", "Comment il a été fait"), how));
        if found.state == report::State::Open {
            let why = untellable(tx, account, &found.session, reporter).await?;
            untold = why.map(|why| words::notice(language, why));
        } else if let Some(notice) = notice {
            let told = words::notice(language, *notice).to_owned();
            facts.push((language.say("Whoever reported", "La personne à l’origine"), told));
        }
    }
    if let Some(decision) = found.decision {
        let words = words::decision(language, decision).to_owned();
        facts.push((language.say("Decision", "Décision"), words));
    }
    if !found.service.is_empty() {
        let services = service_choices(tx, account).await?;
        let name = service_name(&services, &found.service);
        facts.push((language.say("Service", "Service"), name));
    }
    Ok((facts, untold))
}

/// A label and what stands under it.
type Fact = (&'static str, String);

fn version(form: &Form) -> i64 {
    form.get("version").parse().unwrap_or(0)
}

/// Takes it, gives it to a colleague or puts it back.
pub(super) async fn assign(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let id = item(&id)?;
    let own = &inside.person.visitor.staff.id;
    let (to, word) = match form.get("do") {
        "back" => (None, "back"),
        "take" => (Some(own.clone()), "taken"),
        _ => (Some(StaffId::parse(form.get("to")).map_err(|_| No::NOTHING_HERE)?), "given"),
    };
    let input = (inside.id().clone(), id.clone(), to, version(&form));
    let relay = inside.person.relay(&app);
    let given = relay.act(input, |tx, (account, id, to, version)| {
        Box::pin(async move { assign_item(tx, &account, &id, to.as_ref(), version).await })
    });
    match given.await {
        Ok(()) => Err(back(&inside, &id, ("done", word))),
        Err(relay::Error::VersionMismatch | relay::Error::ReportResolved) => {
            Err(back(&inside, &id, ("fault", "changed")))
        }
        Err(relay::Error::Invalid(_)) => Err(back(&inside, &id, ("fault", "colleague"))),
        Err(error) => Err(error.into()),
    }
}

/// Decides it.
pub(super) async fn decide(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    form: Form,
) -> Answer {
    let id = item(&id)?;
    let language = inside.person.language;
    let read = Decision::parse(form.get("decision")).ok_or("decision");
    let read = read.map_err(|what| words::unmoderated(language, what)).and_then(|decision| {
        let reason = Reason::parse(form.get("reason"));
        Ok((decision, reason.map_err(|_| Some(super::acts::bad_reason(language)))?))
    });
    let (decision, reason) = match read {
        Ok(read) => read,
        Err(fault) => {
            let again = Again { fault, chosen: form.get("decision") };
            return answer::with_status(
                StatusCode::UNPROCESSABLE_ENTITY,
                show(&app, &inside, &id, None, again).await,
            );
        }
    };
    let tell = form.get("tell") == "yes";
    let ruling = Ruling { decision, reason: reason.clone(), tell, version: version(&form) };
    let own = inside.person.visitor.staff.id.clone();
    let input = (inside.id().clone(), own, id.clone(), ruling);
    let relay = inside.person.relay_since(&app, Some(reason)).urgent();
    let decided = relay.act(input, |tx, (account, own, id, ruling)| {
        Box::pin(async move { decide_item(tx, &account, &own, &id, &ruling).await })
    });
    match decided.await {
        // What became of telling whoever reported stands on the page.
        Ok(_) => Err(back(&inside, &id, ("done", "decided"))),
        Err(relay::Error::VersionMismatch | relay::Error::ReportResolved) => {
            Err(back(&inside, &id, ("fault", "changed")))
        }
        Err(relay::Error::NotFound("session" | "participant")) => {
            Err(back(&inside, &id, ("fault", "gone")))
        }
        Err(error) => Err(error.into()),
    }
}
