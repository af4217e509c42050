//! The audit log: who saw or did what, whether its chain is whole, and how much each of the staff has seen.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::extract::State;
use serde_json::Value;

use super::{
    App,
    answer::{self, Answer, Shell},
    door::Form,
    filters::{Choice, Filters, LOOKED_THROUGH, PLACE, Query},
    gate::{Inside, Member},
    sessions::short,
    when::When,
    words,
};
use crate::{
    domain::{
        audit::{Action, ActorKind, TargetKind},
        staff::Permission,
        time::Timestamp,
    },
    ids::{AccountId, StaffId},
    relay::PartVerified,
    store::{
        Tx,
        audit::{self, Filter, Row as Stored},
        staff,
    },
};

/// How many rows a page lists.
const PAGE: usize = 50;
/// How many of the staff a filter offers, and how many lines of their counts are read.
const STAFF: i64 = 200;
const COUNTS: i64 = 1000;
/// How many rows of each thing are counted: the newest.
const COUNTED_ROWS: i64 = 10_000;
/// How far back the counts go where no day is chosen.
const COUNTED: std::time::Duration = std::time::Duration::from_hours(30 * 24);
/// The longest id that is looked for.
const ID_CHARS: usize = 64;

/// Whose chain is looked at, and where.
struct Chain<'a> {
    account: Option<&'a AccountId>,
    path: &'static str,
}

const OF_ACCOUNT: &str = "/console/audit";
const OF_INSTALLATION: &str = "/console/audit/installation";

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage {
    shell: Shell,
    filters: Filters,
    path: &'static str,
    /// Where the chain is verified.
    verify: String,
    /// Whether it is the installation's chain, and else where that one is, for those who may see it.
    installation: bool,
    other: Option<&'static str>,
    actors: Vec<Choice>,
    actions: Vec<Choice>,
    rows: Vec<Row>,
    older: Option<String>,
    /// Whether the look ended before the log did.
    further: bool,
    clear: String,
    /// Where the list is taken away as a file.
    export: Option<String>,
    looks: Looks,
}

struct Row {
    seq: i64,
    at: Option<When>,
    who: String,
    /// The id of whoever did it, and where the list is narrowed to it.
    who_id: Option<(String, String)>,
    what: String,
    code: String,
    about: &'static str,
    about_id: Option<(String, String)>,
    /// Where the thing itself is shown.
    shown: Option<String>,
    reason: Option<String>,
    details: Vec<(String, String)>,
}

/// How often each of the staff saw what is masked elsewhere.
struct Looks {
    columns: Vec<&'static str>,
    people: Vec<Person>,
    /// Whether there were more than are counted.
    many: bool,
    /// Since when, where no day was chosen.
    since: Option<When>,
}

struct Person {
    name: String,
    link: String,
    counts: Vec<i64>,
}

#[derive(Template)]
#[template(path = "console/audit_checked.html")]
struct CheckedPage {
    shell: Shell,
    back: String,
    verify: String,
    from: i64,
    found: PartVerified,
    faults: Vec<String>,
}

fn id(text: &str) -> Option<String> {
    let ok = (1..=ID_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    ok.then(|| text.to_owned())
}

/// Reads who, what, about what and when.
pub(super) fn filter(filters: &mut Filters) -> Filter {
    let mut filter = Filter::default();
    let called = [
        ["Who", "Qui"],
        ["an id, or a sort of the list", "un identifiant, ou une sorte de la liste"],
    ];
    if let Some(who) = filters.take("who", called, id) {
        match ActorKind::parse(&who) {
            Some(kind) => filter.actor_kind = Some(kind),
            None => filter.actor = Some(who),
        }
    }
    let called = [["What", "Quoi"], ["one of the list", "une valeur de la liste"]];
    filter.action = filters.take("action", called, Action::parse);
    let called = [["About", "À propos de"], ["an id", "un identifiant"]];
    filter.target = filters.take("about", called, id);
    (filter.from, filter.before) = filters.days();
    filter
}

pub(super) async fn page(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    let chain = Chain { account: Some(inside.id()), path: OF_ACCOUNT };
    let everywhere = inside.person.visitor.may_everywhere(Permission::Audit);
    let views = inside.may(Permission::View);
    show(&app, inside.shell("audit"), &chain, (everywhere, views), query).await
}

/// The installation's own chain.
pub(super) async fn installation(State(app): State<App>, person: Member, query: Query) -> Answer {
    let chain = Chain { account: None, path: OF_INSTALLATION };
    show(&app, person.shell("audit"), &chain, (true, false), query).await
}

async fn show(
    app: &App,
    shell: Shell,
    chain: &Chain<'_>,
    (everywhere, views): (bool, bool),
    query: Query,
) -> Answer {
    let mut filters = Filters::new(shell.lang, query);
    let filter = filter(&mut filters);
    let before = filters.take("before", PLACE, |seq| seq.parse().ok().filter(|seq: &i64| *seq > 0));
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let key = audit::chain_of(chain.account);
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    let end = audit::reach(&mut tx, key, &filter, before, LOOKED_THROUGH).await?;
    let filter = audit::Filter { from_seq: end, ..filter };
    let mut found = audit::list(&mut tx, key, &filter, before, limit).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let offered = staff::list(&mut tx, chain.account, "", STAFF).await?;
    let looks = looks(&mut tx, &shell, chain, &filter, now).await?;
    let names = names(&mut tx, &found).await?;
    drop(tx);
    let last = found.last().filter(|_| more).map(|last| last.link.content.seq);
    let further = end.filter(|_| !more);
    let next = last.or(further).map(|seq| seq.to_string());
    let older = next.map(|seq| shell.link_with(chain.path, &filters.next(&seq)));
    let rows = found.into_iter().map(|row| Row::new(row, &shell, chain, &names, views)).collect();
    let kind = |kind: &ActorKind| Choice::new(kind.as_str(), words::actor(shell.lang, *kind));
    let mut actors: Vec<Choice> = ActorKind::ALL.iter().map(kind).collect();
    actors.extend(offered.into_iter().map(|one| Choice::new(one.id.as_str(), one.name)));
    let chosen = filters.value("who");
    if !chosen.is_empty() && !actors.iter().any(|one| one.value == chosen) {
        actors.push(Choice::new(chosen, chosen));
    }
    let mut actions: Vec<Choice> = Action::ALL
        .iter()
        .map(|one| Choice::new(one.as_str(), words::action(shell.lang, *one)))
        .collect();
    actions.sort_by(|a, b| a.label.cmp(&b.label));
    let clear = shell.link(chain.path);
    answer::page(&AuditPage {
        filters,
        path: chain.path,
        verify: shell.link(&format!("{}/verify", chain.path)),
        installation: chain.account.is_none(),
        other: (everywhere && chain.account.is_some()).then_some(OF_INSTALLATION),
        actors,
        actions,
        rows,
        older,
        further: further.is_some(),
        clear,
        export: chain.account.is_some().then(|| shell.link("/console/audit/exports")),
        looks,
        shell,
    })
}

/// The names of the staff that rows are by, or about.
async fn names(tx: &mut Tx, rows: &[Stored]) -> Answer<HashMap<StaffId, String>> {
    let mut ids: Vec<StaffId> = rows
        .iter()
        .flat_map(|row| [&row.link.content.actor, &row.link.content.target])
        .filter_map(|id| StaffId::parse(id).ok())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(staff::names(tx, &ids).await?)
}

async fn looks(
    tx: &mut Tx,
    shell: &Shell,
    chain: &Chain<'_>,
    filter: &Filter,
    now: Timestamp,
) -> Answer<Looks> {
    let open = filter.from.is_none() && filter.before.is_none();
    let span = Filter {
        from: filter.from.or(open.then_some(now - COUNTED)),
        before: filter.before,
        ..Filter::default()
    };
    let key = audit::chain_of(chain.account);
    let found = audit::staff_counts(tx, key, Action::LOOKS, &span, (COUNTED_ROWS, COUNTS)).await?;
    let all = |action: &Action| {
        found
            .iter()
            .filter(|(_, of, _)| of == action.as_str())
            .map(|(.., count)| count)
            .sum::<i64>()
    };
    let many = Action::LOOKS.iter().any(|action| all(action) >= COUNTED_ROWS);
    let mut by_person: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (actor, action, count) in found {
        let counts = by_person.entry(actor).or_insert_with(|| vec![0; Action::LOOKS.len()]);
        let place = Action::LOOKS.iter().position(|one| one.as_str() == action);
        if let Some(cell) = place.and_then(|place| counts.get_mut(place)) {
            *cell = count;
        }
    }
    let ids: Vec<StaffId> = by_person.keys().filter_map(|id| StaffId::parse(id).ok()).collect();
    let names = staff::names(tx, &ids).await?;
    let mut people: Vec<Person> = by_person
        .into_iter()
        .map(|(id, counts)| {
            let name = StaffId::parse(&id).ok().and_then(|id| names.get(&id).cloned());
            let link = shell.link_with(chain.path, &[("who", &id)]);
            Person { name: name.unwrap_or_else(|| short(&id)), link, counts }
        })
        .collect();
    people.sort_by(|a, b| a.name.cmp(&b.name));
    let columns = Action::LOOKS.iter().map(|one| words::action(shell.lang, *one)).collect();
    let since = if open { When::new(shell.lang, now - COUNTED) } else { None };
    Ok(Looks { columns, people, many, since })
}

/// An id as a list shows it; one that is no id of ours as it is.
fn told(id: &str) -> String {
    if id.len() == 34 && id.is_ascii() { short(id) } else { id.to_owned() }
}

impl Row {
    fn new(
        row: Stored,
        shell: &Shell,
        chain: &Chain<'_>,
        names: &HashMap<StaffId, String>,
        views: bool,
    ) -> Self {
        let language = shell.lang;
        let Stored { link, reason } = row;
        let content = link.content;
        let name = |id: &str| StaffId::parse(id).ok().and_then(|id| names.get(&id).cloned());
        let kind = ActorKind::parse(&content.actor_kind);
        let sort = kind.map_or(content.actor_kind.as_str(), |kind| words::actor(language, kind));
        let action = Action::parse(&content.action);
        let target = TargetKind::parse(&content.target_kind);
        let narrowed = |name: &str, id: &str| {
            (!id.is_empty()).then(|| (told(id), shell.link_with(chain.path, &[(name, id)])))
        };
        let shown = match target {
            _ if !views => None,
            Some(TargetKind::Session) => {
                Some(shell.link(&format!("/console/sessions/{}", content.target)))
            }
            Some(TargetKind::Number) => {
                Some(shell.link_with("/console/sessions", &[("number", &content.target)]))
            }
            _ => None,
        };
        let mut about_id = narrowed("about", &content.target);
        if let (Some((words, _)), Some(name)) = (&mut about_id, name(&content.target)) {
            *words = name;
        }
        Self {
            seq: content.seq,
            at: When::new(language, Timestamp::from_millis(content.at)),
            who: name(&content.actor).unwrap_or_else(|| sort.to_owned()),
            who_id: narrowed("who", &content.actor),
            what: action.map_or_else(String::new, |one| words::action(language, one).to_owned()),
            code: content.action,
            about: target.map_or("", |kind| words::target(language, kind)),
            about_id,
            shown,
            reason,
            details: details(&content.details),
        }
    }
}

/// What a row tells beside, as names and values.
fn details(text: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(map)) = serde_json::from_str(text) else { return Vec::new() };
    map.into_iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => told(&text),
                Value::Array(all) => {
                    all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
                }
                other => other.to_string(),
            };
            (name, value)
        })
        .collect()
}

pub(super) async fn verify(State(app): State<App>, inside: Inside, form: Form) -> Answer {
    let chain = Chain { account: Some(inside.id()), path: OF_ACCOUNT };
    checked(&app, inside.shell("audit"), &chain, &form).await
}

/// The same of the installation's chain.
pub(super) async fn verify_installation(
    State(app): State<App>,
    person: Member,
    form: Form,
) -> Answer {
    let chain = Chain { account: None, path: OF_INSTALLATION };
    checked(&app, person.shell("audit"), &chain, &form).await
}

async fn checked(app: &App, shell: Shell, chain: &Chain<'_>, form: &Form) -> Answer {
    let after = form.get("after").parse().ok().filter(|seq: &i64| *seq > 0).unwrap_or(0);
    let found = app.relay.verify_chain(chain.account, after).await?;
    let faults = found.faults.iter().map(|one| words::fault(shell.lang, *one)).collect();
    let back = shell.link(chain.path);
    let verify = shell.link(&format!("{}/verify", chain.path));
    answer::page(&CheckedPage { shell, back, verify, from: after + 1, found, faults })
}
